"""What no price is known of: ranked by all else, and said by name where cost is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from math import inf

from costcalc.base.human import human
from costcalc.calculator.result import UNITS
from costcalc.decide.chunk import AIMS, Piece, Task

#: what comes first where it is the least
FIRST = {"cost": "cheapest", "time": "fastest", "carbon": "cleanest"}


def ranked_by(task: Task, found: Piece) -> tuple[str, ...]:
    """The aims that the front is of: what nobody knows is none.

    Nor is cost where another figure is to be least and no price is known of some: these are ranked
    by what they have.
    """
    known = [aim for aim in task.aims if found.lacking[AIMS[aim]] < found.feasible]
    beside = task.minimize not in (None, "cost") and "cost" not in task.limits
    if beside and found.lacking["cost"] and "cost" in known:
        known.remove("cost")
    return tuple(known)


def sorted_by(aims: tuple[str, ...], minimize: str | None) -> str:
    """The aim that rows are listed by: cost where they are ranked by it."""
    return "cost" if "cost" in aims else minimize if minimize in aims else aims[0]


def amount(value: float | None) -> float:
    """A figure to sort by: what is not known comes last."""
    return inf if value is None else value


def beside(aims: tuple[str, ...], found: Piece, hints: Mapping[str, str]) -> list[str]:
    """Which aims the front is not of, and why."""
    of = " and ".join(aims)
    return [
        f"{'of some ' * (found.lacking[AIMS[aim]] < found.feasible)}no {aim} is known"
        f"{hints.get(aim, '')}: the front is of {of}"
        for aim in AIMS
        if aim not in aims
    ]


def less_still(found: Piece, minimize: str | None) -> list[str]:
    """That something without a price is less still in what is asked for."""
    if minimize in (None, "cost") or found.best is None:
        return []
    figure = AIMS[str(minimize)]
    rows = [row for row in found.unpriced if row[figure] is not None]
    least = min(rows, key=lambda row: row[figure] or 0.0, default=None)
    if least is None or (least[figure] or 0.0) >= (found.best[figure] or 0.0):
        return []
    what = f"{least['count']} × {least['accelerator']} in {least['region']}, {least['plan']}"
    shown = human(least[figure], UNITS[figure])
    return [f"less {minimize} still, its price unknown: {what}, {shown}"]


def named(no_price: Mapping[tuple[str, str], list[str]], most: int = 6) -> str:
    """What could not be ranked by cost, by name."""
    said = []
    for (accelerator, plan), names in list(no_price.items())[:most]:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        said.append(f"{accelerator} {plan} in {', '.join(names[:3])}{more}")
    rest = f"; and {len(no_price) - most} more (--json)" if len(no_price) > most else ""
    return f"not ranked by cost, for no price is known: {'; '.join(said)}{rest}"
