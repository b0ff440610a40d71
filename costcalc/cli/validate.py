"""``costcalc validate``: the calculator's predictions against published measurements."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from costcalc.validate import Report, Table
    from costcalc.validate.score import Score

_HEAD = ("n", "median error", "90th percentile", "bias", "inside the 90 % range", "refused")


def command(
    measurements: Annotated[
        Path | None,
        typer.Argument(help="Your own measurements (CSV).", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every split, not the summary alone.")
    ] = False,
    plot: Annotated[
        Path | None,
        typer.Option(help="Draw the scores: FILE.png, .svg or .pdf.", show_default=False),
    ] = None,
) -> None:
    """Score the predictions on measurements that the fit has not seen."""
    from costcalc import validate

    if plot is not None:
        from costcalc.validate.plot import check

        check(plot)
    report = validate.validate() if measurements is None else _own(measurements)
    if plot is not None:
        from costcalc.validate.plot import draw

        draw(report, plot)
    if json:
        from costcalc.writing import to_json

        print(to_json(report.to_dict()))
    elif verbose:
        _print(report)
    else:
        print("\n".join(summary(report)))


def summary(report: Report) -> list[str]:
    """The report in lines of at most 80 columns, one a category; the same for the same data."""
    import textwrap

    lines = textwrap.wrap(report.method, 79)
    lines += ["", f"{'':36}{'n':>5}{'median':>9}{'p90':>8}{'bias':>7}{'inside':>8}"]
    few = False
    for name, score in report.summary():
        few |= not score.claimed
        label = f"{name}{'' if score.claimed else ' *'}"
        lines.append(f"{label:36.36}{score.n:5}{_percent(score.median):>9}{_percent(score.p90):>8}"
                     f"{_percent(score.bias, '+'):>7}{_percent(score.inside):>8}")  # fmt: skip
    lines.append("")
    if few:
        lines.append("* fewer than 30 configurations: not claimed")
    lines.append("inside: share of the measurements inside the predicted 90 % range")
    for remark in _remarks(report):
        lines += textwrap.wrap(remark, 79)
    return lines


def _remarks(report: Report) -> list[str]:
    found = []
    if report.repeats:
        found.append(f"Noise floor: {report.repeats} repeats differ by {report.noise:.1%} "
                     "(median) from the median of their configuration.")  # fmt: skip
    if report.unsized:
        found.append(f"Not counted: {report.unsized} configurations whose source states neither "
                     "a shape nor a parameter count.")  # fmt: skip
    return found


def _own(path: Path) -> Report:
    from costcalc import validate
    from costcalc.errors import InputError, Problem

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return validate.validate_own(file, str(path))
    except OSError as error:
        message = f"expected a file that can be read; {error.strerror}"
        raise InputError(Problem(key=str(path), message=message)) from error


def _print(report: Report) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(report.method)
    for table in report.tables:
        console.print()
        console.print(f"[bold]{table.title}[/bold], by {table.by}")
        console.print(_rendered(table))
    console.print()
    for remark in _remarks(report):
        console.print(remark)


def _rendered(table: Table) -> object:
    from rich.table import Table as Grid

    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    grid.add_column("")
    for title in _HEAD:
        grid.add_column(title, justify="right")
    for name, score in table.rows.items():
        style = "" if score.claimed else "dim"
        grid.add_row(name, *_cells(score), style=style)
    return grid


def _cells(score: Score) -> tuple[str, ...]:
    return (
        str(score.n), _percent(score.median), _percent(score.p90), _percent(score.bias, "+"),
        _percent(score.inside), str(score.refused or ""),
    )  # fmt: skip


def _percent(value: float, sign: str = "") -> str:
    if math.isnan(value):
        return ""
    return "refused" if math.isinf(value) else f"{value:{sign}.0%}"
