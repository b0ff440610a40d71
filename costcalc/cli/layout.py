"""``costcalc layout RUN.yaml``: the ten fastest layouts of the full space."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Annotated

import typer

from costcalc.base.vocabulary import AXES
from costcalc.cli import options
from costcalc.cli.screen import print_json, screen, table

if TYPE_CHECKING:
    from costcalc.throughput.search import Found

_AXES = (*AXES, "sharding", "micro_batch", "recompute")
_HEADS = ("data", "tp", "pp", "vpp", "cp", "ep", "sharding", "micro", "recompute")


def command(
    run: options.RunFile = None,
    set_: options.Set = None,
    top: Annotated[int, typer.Option("--top", help="How many to show.")] = 10,
    json_: options.Json = False,
) -> None:
    """Walk every layout of a run, and show the fastest that fit in memory."""
    from costcalc.calculator.layouts import layouts

    start = time.perf_counter()
    found = layouts(str(run) if run else {}, top=top, changes=options.changes({"set": set_}))
    seconds = time.perf_counter() - start
    if json_:
        print_json(_plain(found))
        return
    _print(found, seconds)


def _plain(found: Found) -> dict[str, object]:
    return {
        "walked": found.walked,
        "fitting": found.fitting,
        "fits": found.fits,
        "why": found.why,
        "layouts": [
            {
                **dataclasses.asdict(one.layout),
                "step_time": one.seconds,
                "memory_per_device": one.memory / 2**30,
                "breakdown": dict(one.breakdown),
            }
            for one in found.best
        ],
    }


def _print(found: Found, seconds: float) -> None:
    from costcalc.base.human import human

    heads = ("", *_HEADS, "step", "GiB")
    shown = table(*heads, right=heads, whole=heads, gap=2)
    for rank, one in enumerate(found.best, 1):
        axes = [str(getattr(one.layout, name)) for name in _AXES]
        shown.add_row(str(rank), *axes, human(one.seconds, "s"), f"{one.memory / 2**30:.1f}")
    console = screen()
    console.print(shown)
    fit = f"{found.fitting:,} fit in memory" if found.fits != "none" else "none fits in memory"
    console.print(f"\n{found.walked:,} layouts walked in {seconds:.1f} s, {fit}", style="dim")
    if found.why:
        console.print(f"why the first is first: {found.why}")
