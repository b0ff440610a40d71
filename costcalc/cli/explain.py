"""``costcalc explain RUN.yaml``: where every number comes from."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from costcalc.cli import options

Figure = Annotated[
    str | None,
    typer.Argument(help="Only this one: cost, time, energy, carbon, …", show_default=False),
]


def command(run: options.RunFile = None, figure: Figure = None, set_: options.Set = None) -> None:
    """Print each result's formula with its numbers, their sources, and what drives its range."""
    from costcalc.calculator import explaining
    from costcalc.calculator.calculate import estimate

    made = estimate(str(run) if run else {}, changes=options.changes({"set": set_}))
    told = explaining.figure(made, figure) if figure else "\n".join(explaining.explain(made))
    sys.stdout.write(told + "\n")
