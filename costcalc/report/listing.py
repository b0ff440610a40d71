"""An assumption of a report as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from costcalc.base.human import counted, digits

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Assumed


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An assumption as text; ``number`` is None where it is a word."""

    key: str
    text: str
    number: float | None
    unit: str
    basis: str
    source: str
    why: str


def listed(item: Assumed) -> Listed:
    """An assumption in its unit, with its range."""
    value, unit = item["value"], item.get("unit")
    number = float(value) if isinstance(value, (int, float)) else None
    text = str(value)
    if number is not None and not isinstance(value, bool):
        low, high = item.get("low"), item.get("high")
        exact = item.get("low") == item.get("high")
        text = counted(number) if exact else digits(number)
        text += "" if unit in (None, "1") else f" {unit}"
        if low is not None and high is not None and low != high:
            text += f" ({digits(float(low))} – {digits(float(high))})"
    return Listed(
        key=item["key"],
        text=text,
        number=number,
        unit=unit or "",
        basis=item["basis"],
        source=item["source"],
        why=item.get("why") or "",
    )
