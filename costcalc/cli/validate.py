"""``costcalc validate``: the calculator's predictions against published measurements."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.cli.screen import print_json, screen

if TYPE_CHECKING:
    from costcalc.validate.tables import Report
    from costcalc.validate.text import Styled


def command(
    measurements: Annotated[
        Path | None, typer.Argument(help="Your own measurements (CSV).", show_default=False)
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON, every row included.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Every split, not the summary alone.")
    ] = False,
    worst: Annotated[
        int | None,
        typer.Option(
            min=1, help="Print so many rows, the worst predictions first.", show_default=False
        ),
    ] = None,
    plot: Annotated[
        Path | None,
        typer.Option(
            help="Draw predicted against measured: FILE.png, .svg or .pdf.", show_default=False
        ),
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
        print_json(report.to_dict())
    else:
        from costcalc.validate import text

        if worst is not None:
            _print(text.worst(report, worst))
        else:
            _print(text.full(report) if verbose else text.brief(report))


def _own(path: Path) -> Report:
    from costcalc import validate
    from costcalc.base.errors import InputError, Problem

    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return validate.validate_own(file, str(path))
    except OSError as error:
        message = f"expected a file that can be read; {error.strerror}"
        raise InputError(Problem(key=str(path), message=message)) from error
    except UnicodeDecodeError as error:
        message = "expected UTF-8 text"
        raise InputError(Problem(key="", message=message, file=str(path))) from error


def _print(lines: Iterable[Styled]) -> None:
    from rich.text import Text

    console = screen()
    for line in lines:
        console.print(Text(line.text, style=line.style), soft_wrap=True)
