"""What could not be ranked by cost, for no price is known of it: said by name."""

from __future__ import annotations

from collections.abc import Mapping

from costcalc.base.human import human
from costcalc.calculator.result import UNITS
from costcalc.decide.chunk import AIMS, Piece


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
