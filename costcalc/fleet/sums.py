"""The records of a period's sums: figures, groups, and the parts that they are added up from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from costcalc.base.human import digits

Key = tuple[str | None, ...]
#: what people read where a job has no account, user or partition
NONE = "(none)"


@dataclass(slots=True)
class Figure:
    """A sum with its range, without the ``unknown`` jobs of which the figure is not known."""

    value: float
    low: float
    high: float
    unknown: int = 0


@dataclass(slots=True)
class Group:
    """The sums of some jobs.  Units: device-hours, kWh, kgCO2e, litres, the ledger's currency."""

    key: Key
    jobs: int = 0
    device_hours: float = 0.0
    hours_unknown: int = 0
    figures: dict[str, Figure] = field(default_factory=dict)
    carbon_annual: float | None = None
    carbon_market: float | None = None
    measured: float = 0.0  # kWh of the computers that a meter saw
    trained: float = 0.0  # device-hours that drew as training does
    seen: float = 0.0  # device-hours of which power says it
    waste: dict[str, dict[str, float]] = field(default_factory=dict)
    also: dict[str, float] = field(default_factory=dict)  # squares, and CO2e by the grid's hours

    @property
    def utilization(self) -> float | None:
        """Share of the time that power was seen of which drew as training does; None: unseen."""
        return self.trained / self.seen if self.seen else None

    @property
    def measured_share(self) -> float | None:
        """Share of the energy of the computers that a meter saw."""
        whole = self.figures["energy_it"].value if "energy_it" in self.figures else 0.0
        return self.measured / whole if whole else None


@dataclass(frozen=True, slots=True)
class Part:
    """The jobs of one group, kind and state."""

    group: Key
    kind: int | None
    state: str
    jobs: int
    hours: float
    sums: Mapping[str, float | None]


def money(value: float, currency: str) -> str:
    """An amount as people read it.

    >>> money(1234.5, "EUR")
    '1,230 EUR'
    """
    return f"{digits(value)} {currency}"
