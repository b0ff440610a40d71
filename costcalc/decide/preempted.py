"""What a run on spot instances takes and costs, the time that interruptions take counted."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TypeVar, cast

import numpy as np

from costcalc.base.assumption import Assumption, exact
from costcalc.base.numbers import Number
from costcalc.base.ranges import DRAWS, draw
from costcalc.base.units import to_si
from costcalc.calculator.calculated import Calculated
from costcalc.calculator.result import BY_TIME
from costcalc.catalog.region_table import table
from costcalc.decide.interruptions import stretched
from costcalc.resolve.unread import UNINTERRUPTED

T = TypeVar("T", bound=Number)
FILE = "spot.yaml"
KEY = "price.interruptions"
PLAN = "spot"
NEVER = 100.0  # a run that takes so many times its work is not done
MOST = 1e6  # no draw of how much longer is above it, so that figures stay numbers


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """How often a job's instances are taken (a second), and what saving and restarting take (s).

    Without a ``rate`` every instance is taken as often as public traces say, with their range; what
    is not said of saving and restarting stands in ``data/spot.yaml``.
    """

    rate: float | None = None
    checkpoint: float = field(default_factory=lambda: _seconds("checkpoint"))
    restart: float = field(default_factory=lambda: _seconds("restart"))
    interval: float | None = None

    def taken(self, instances: float) -> Assumption:
        """Interruptions a second of a job on so many instances.

        >>> round(Spot().taken(2).value * 86400, 6)
        2.8
        """
        if self.rate is not None:
            return exact(KEY, self.rate, "1/s", basis="given", source="--interruptions-per-day")
        return replace(
            usual(),
            value=usual().value * instances,
            low=usual().low * instances,
            high=usual().high * instances,
        )

    def longer(self, work: Number, rate: Number) -> Number:
        """How many times the time of its work (seconds) a run is expected to take."""
        return stretched(
            work, rate, checkpoint=self.checkpoint, restart=self.restart, interval=self.interval
        )


def _seconds(name: str) -> float:
    """What saving or restarting takes where nobody says.

    >>> _seconds("checkpoint"), _seconds("restart")
    (60.0, 600.0)
    """
    return float(table(FILE).data[name]["value"])


@functools.cache
def usual() -> Assumption:
    """Interruptions a second of one instance, where nobody says (``data/spot.yaml``).

    >>> round(usual().value * 86400, 6), round(usual().high * 86400, 6)
    (1.4, 11.0)
    """
    found = table(FILE)
    row, day = found.data["interruptions"], to_si(1.0, "d")
    return Assumption(
        key=KEY,
        value=row["value"] / day,
        low=row["low"] / day,
        high=row["high"] / day,
        unit="1/s",
        basis="default",
        source=found.source(row["source"])[0],
        why=row["note"],
    )


def sources() -> list[str]:
    """Where the usual rate is from."""
    return [f"{title} {url}" for title, url in map(table(FILE).source, ("traces", "advisor"))]


def note(spot: Spot) -> str:
    """What is counted, in words."""
    day = to_si(1.0, "d")
    if spot.rate is not None:
        often = f"{spot.rate * day:.3g} a day of the job, as given"
    else:
        often = (
            f"{usual().value * day:.3g} a day and instance "
            f"({usual().low * day:.2g} – {usual().high * day:.2g}), as public traces have it"
        )
    return f"spot: interruptions are counted, {often}; --no-interruptions leaves them out"


def counted(part: Calculated, spot: Spot | None) -> Calculated:
    """The same part with the time that interruptions take, if it is on spot instances."""
    price = part.given.part.price
    if spot is None or price is None or price.plan != PLAN or "wall_clock" not in part.values:
        return part
    rate = spot.taken(part.devices.nodes)
    by = float(spot.longer(part.values["wall_clock"], rate.value))
    values = {**part.values, **_times(part.values, by)}
    draws = part.draws
    if draws:
        each = spot.longer(draws["wall_clock"], draw(rate, DRAWS))
        draws = {**draws, **_times(draws, np.minimum(each, MOST))}
    return replace(
        part,
        values=values,
        draws=draws,
        assumptions=(*part.assumptions, rate),
        warnings=tuple(told for told in part.warnings if told != UNINTERRUPTED),
    )


def _times(figures: Mapping[str, T], by: Number) -> dict[str, T]:
    return {name: cast("T", figures[name] * by) for name in BY_TIME if name in figures}
