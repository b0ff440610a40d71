"""``costcalc peak``: what a device can do at best, to divide by."""

from __future__ import annotations

from typing import Annotated

import typer

from costcalc.cli import OK
from costcalc.cli.options import Json, beginning, ids
from costcalc.cli.screen import print_json


def command(
    name: Annotated[
        str,
        typer.Argument(
            help="A device: h100, or what the driver calls it.",
            autocompletion=beginning(ids("accelerators", "cpus")),
        ),
    ],
    precision: Annotated[
        str | None, typer.Argument(help="bf16, fp16, fp8, tf32, …; all if not said.")
    ] = None,
    json_: Json = False,
) -> int:
    """The dense peak of a device, to divide by, and what it is a peak of."""
    from costcalc.catalog.peak import of_what, peak, rates_of, told
    from costcalc.catalog.twins import alternatives

    if json_:
        print_json(told(name, precision))
        return OK
    of = of_what(name)
    rates = {each: peak(name, each) for each in ([precision] if precision else rates_of(of.board))}
    for each, rate in rates.items():
        unit = "TOP/s" if each == "int8" else "TFLOP/s"
        halved = f"; {rate / of.parts / 1e12:,.5g} each {of.part}" if of.part else ""
        print(f"{of.board.id}  {each:5} {rate / 1e12:,.5g} {unit}  {of.unit}{halved}")
    if of.why:
        print(of.why)
    if others := alternatives(name, of.board.id):
        print(f'"{name}" is taken as {of.board.id}, {others}')
    return OK
