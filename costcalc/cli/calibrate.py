"""``costcalc calibrate``: a measured step makes the next estimates on its machine right."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.cli import OK, options
from costcalc.cli.screen import print_json, screen, table

if TYPE_CHECKING:
    from costcalc.calculator.calibrating import Calibration


def command(
    runs: Annotated[
        list[Path],
        typer.Argument(
            metavar="RUN.yaml…",
            help="A run file with --step-time or --throughput; or files that say what was measured:"
            " run files, a table (steps:), reports of tracked runs, an earlier calibration.",
            show_default=False,
        ),
    ],
    step_time: Annotated[
        str | None, options.option("--step-time", "A step of it, measured: 2.1 s.")
    ] = None,
    throughput: Annotated[
        str | None, options.option("--throughput", "Or its rate: 31000 token/s, 400 sample/s.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Write the calibration there.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    json_: options.Json = False,
) -> int:
    """From measured steps, what a machine does: other estimates on it are scaled by that."""
    from costcalc.calculator.calibrating import calibrate

    made = calibrate(*map(str, runs), step_time=step_time, throughput=throughput)
    for warning in made.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    if output is not None:
        made.save(output, force=force)
        print(f"wrote {output}; a run file takes it as hardware.calibration", file=sys.stderr)
    if json_:
        print_json(made.to_dict())
    else:
        _print(made)
    return OK


def _print(made: Calibration) -> None:
    from costcalc.base.human import human
    from costcalc.calculator.calibrating import percent

    console = screen()
    console.print(f"{made.accelerator}: measured against the model\n")
    shown = table("step", "measured", "modelled", "rate", right=("measured", "modelled", "rate"))
    for step in made.steps:
        seconds = step.held.step_time
        times = [human(seconds, "s"), human(seconds * step.ratio, "s")] if seconds else ["", ""]
        shown.add_row(step.name, *times, f"{step.ratio:.3g} ×")
    console.print(shown)
    carries = made.carries()
    parts = ", ".join(f"{name} {_factor(mean)} ×" for name, mean in carries[0][1].parts.items())
    console.print(f"\nas far as these steps tell them apart, rates of: {parts}\n")
    shown = table("what it says of", "rate", "90 %", right=("rate", "90 %"))
    for name, found in carries:
        factor, half = percent(found)
        shown.add_row(name, f"{factor:.3g} ×", f"± {100 * half:.2g} %")
    console.print(shown)


def _factor(mean: float) -> str:
    import math

    return f"{math.exp(mean):.3g}"
