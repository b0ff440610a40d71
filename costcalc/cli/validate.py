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
) -> None:
    """Score the predictions on measurements that the fit has not seen."""
    from costcalc import validate

    report = validate.validate() if measurements is None else _own(measurements)
    if json:
        from costcalc.writing import to_json

        print(to_json(report.to_dict()))
    else:
        _print(report)


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
    if report.repeats:
        console.print(f"Noise floor: {report.repeats} repeats differ by {report.noise:.1%} "
                      "(median) from the median of their configuration.")  # fmt: skip
    if report.unsized:
        console.print(f"Not counted: {report.unsized} configurations whose source states neither "
                      "a shape nor a parameter count.")  # fmt: skip


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
