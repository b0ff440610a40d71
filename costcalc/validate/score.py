"""Predictions against measurements, as numbers: errors, bias, coverage, and tables of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import median

from costcalc.throughput.efficiency import SCALES, scale_class

#: a figure on fewer independent rows is printed with its n and not claimed
ENOUGH = 30
#: who runs what is measured, from small to large
USERS = ("one GPU", "one node", "cluster", "vendor benchmark")
#: the time model's buckets of scale that tables call by another name
_SPOKEN = {"1": "1 device", ">1024": "over 1024"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One configuration or figure: measured, predicted, the range, and what it is grouped by.

    ``predicted`` None: the calculator refused it, for the reason in ``refusal``, which counts as a
    miss.  ``unit`` is that of measured and predicted; a rate's is data a second and device.
    ``utilization``: the share of the dense peak at the predicted rate; ``breakdown``: where the
    predicted step goes, seconds by part.  ``reference``: where the
    figure was published; ``user``: who runs such a thing.
    """

    measured: float
    predicted: float | None = None
    low: float = math.nan
    high: float = math.nan
    source: str = ""
    accelerator: str = ""
    precision: str = ""
    workload: str = ""
    devices: float = 1.0
    repeats: tuple[float, ...] = ()
    id: str = ""
    name: str = ""
    kind: str = ""
    unit: str = ""
    note: str = ""
    refusal: str = ""
    user: str = ""
    reference: str = ""
    utilization: float | None = None
    breakdown: Mapping[str, float] = field(default_factory=dict)

    @property
    def error(self) -> float:
        """|predicted/measured − 1|; infinite where refused.

        >>> Point(measured=2.0, predicted=3.0).error
        0.5
        """
        return math.inf if self.predicted is None else abs(self.predicted / self.measured - 1.0)

    @property
    def inside(self) -> bool:
        """Whether what was measured lies in the range."""
        return self.predicted is not None and self.low <= self.measured <= self.high

    @property
    def is_time(self) -> bool:
        """Whether more is slower."""
        return self.unit == "device_hour"

    @property
    def share(self) -> float | None:
        """The share of the dense peak that was measured; None where that of ours is not known.

        >>> Point(measured=1.0, predicted=2.0, utilization=0.4).share
        0.2
        """
        if self.predicted is None or self.utilization is None:
            return None
        ratio = self.measured / self.predicted
        return self.utilization / ratio if self.is_time else self.utilization * ratio

    @property
    def scale(self) -> str:
        """Bucket of the number of devices."""
        name = scale_class(self.devices)
        return _SPOKEN.get(name, name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """``n`` configurations: median and 90th percentile of the error, bias, share inside the range.

    ``bias`` is the median of predicted over measured, less 1, of those that were predicted.
    """

    n: int
    median: float
    p90: float
    bias: float
    inside: float
    refused: int

    @property
    def claimed(self) -> bool:
        """Whether there are enough rows to claim the figures."""
        return self.n >= ENOUGH


def percentile(values: Sequence[float], share: float) -> float:
    """Linear between the order statistics; infinite values sort last.

    >>> percentile([1.0, 2.0, 3.0], 0.5)
    2.0
    """
    ordered = sorted(values)
    at = share * (len(ordered) - 1)
    below, rest = ordered[math.floor(at)], at % 1.0
    return below if not rest else below * (1.0 - rest) + ordered[math.ceil(at)] * rest


def score(points: Sequence[Point]) -> Score:
    """The score of some points, at least one.

    >>> points = [Point(measured=1.0, predicted=p, low=0.5, high=1.5) for p in (1.1, 1.2, 0.9)]
    >>> found = score(points)
    >>> found.n, round(found.median, 3), round(found.bias, 3), found.inside
    (3, 0.1, 0.1, 1.0)
    """
    errors = [point.error for point in points]
    ratios = [p.predicted / p.measured for p in points if p.predicted is not None]
    return Score(
        n=len(points),
        median=percentile(errors, 0.5),
        p90=percentile(errors, 0.9),
        bias=median(ratios) - 1.0 if ratios else math.nan,
        inside=sum(point.inside for point in points) / len(points),
        refused=sum(point.predicted is None for point in points),
    )


def by(points: Iterable[Point], key: Callable[[Point], str]) -> dict[str, Score]:
    """Scores by a property of the points: its values in order, scales and users from small up."""
    groups: dict[str, list[Point]] = {}
    for point in points:
        groups.setdefault(key(point) or "not stated", []).append(point)
    order = [*(_SPOKEN.get(name, name) for name in SCALES), *USERS]
    place = {name: f"{number:02}" for number, name in enumerate(order)}
    return {
        name: score(groups[name]) for name in sorted(groups, key=lambda name: place.get(name, name))
    }


def noise(points: Iterable[Point]) -> tuple[int, float]:
    """How far repeats of one configuration are from their median: number of repeats, median share.

    No prediction can be better than this.

    >>> noise([Point(measured=2.0, predicted=2.0, repeats=(1.8, 2.0, 2.2))])[0]
    3
    """
    off = [
        abs(rate / point.measured - 1.0)
        for point in points
        if len(point.repeats) > 1
        for rate in point.repeats
    ]
    return len(off), (median(off) if off else math.nan)
