"""What is known to be asked, beside a price that is not known."""

from __future__ import annotations

from dataclasses import dataclass

from costcalc.base.units import from_si
from costcalc.catalog.prices import UNIT


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRange:
    """The prices that are known beside one that is not: lowest and highest, and of what."""

    low: float
    high: float
    what: str

    def __str__(self) -> str:
        return f"{self.what}: {self._span} {UNIT}"

    @property
    def asked(self) -> str:
        """`12 other providers ask 1.9 to 4.6`."""
        return f"{self.what} {self._span}"

    @property
    def _span(self) -> str:
        low, high = (f"{from_si(value, UNIT):.3g}" for value in (self.low, self.high))
        return low if low == high else f"{low} to {high}"
