"""The grid's intensity over the hours of a job, from a series by the hour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.errors import InputError, Problem
from costcalc.decide.clock import zone
from costcalc.decide.series import Series
from costcalc.decide.series_files import Zone, read

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: a span of which less than this share is in the series has no figure of its own
ENOUGH = 0.95


@dataclass(frozen=True, slots=True)
class Mean:
    """A span's intensity, gCO2e/kWh: its ``mean``, None where too little of it is ``seen``.

    ``hours`` that it lasts; the ``least`` and ``most`` of its hours that are known.
    """

    mean: float | None
    seen: float
    hours: float
    least: float
    most: float

    @property
    def lacks(self) -> float:
        """Hours that are not known."""
        return (1.0 - self.seen) * self.hours


class Hourly:
    """Means of a series over spans of time, in gCO2e/kWh.

    >>> from datetime import UTC, datetime
    >>> made = Hourly(Series(start=datetime(2026, 1, 1, tzinfo=UTC), step=3600.0,
    ...                      values=(100.0, 300.0), signal="average", source="grid.csv"))
    >>> begin = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    >>> made.means(np.array([begin, begin]), np.array([begin + 5400, begin + 9000]))
    array([166.66666667,          nan])
    >>> made.seen(np.array([begin]), np.array([begin + 9000]))
    array([0.8])
    """

    def __init__(self, series: Series) -> None:
        values = np.array(series.values, dtype=np.float64)
        known = ~np.isnan(values)
        self.start, self.step, self.source = series.start.timestamp(), series.step, series.source
        self.notes = series.notes
        self._sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
        self._known = np.concatenate([[0.0], np.cumsum(known.astype(np.float64))])
        self._values = values

    @property
    def around(self) -> tuple[float, float]:
        """Between what its hours lie, 5th to 95th percentile: what an hour that it lacks may be."""
        low, high = np.nanpercentile(self._values, (5, 95))
        return float(low), float(high)

    def means(self, start: Array, end: Array) -> Array:
        """The mean over each span; NaN where the series knows too little of it."""
        share = self.seen(start, end)
        first, last = self._places(start, end)
        length = np.maximum(last - first, 1e-9)
        total = self._at(self._sums, last) - self._at(self._sums, first)
        enough = (share >= ENOUGH) & (share > 0)
        return np.where(enough, total / np.where(share > 0, share * length, 1.0), np.nan)

    def seen(self, start: Array, end: Array) -> Array:
        """The share of each span that the series knows."""
        first, last = self._places(start, end)
        length = np.maximum(last - first, 1e-9)
        known = self._at(self._known, last) - self._at(self._known, first)
        return np.asarray(np.minimum(known / length, 1.0))

    def over(self, start: float, end: float) -> Mean:
        """One span: its mean, and how much of it is known."""
        spans = np.array([start]), np.array([end])
        mean, seen = float(self.means(*spans)[0]), float(self.seen(*spans)[0])
        first, last = (float(place[0]) for place in self._places(*spans))
        inside = self._values[max(int(first), 0) : max(int(np.ceil(last)), 0)]
        inside = inside[~np.isnan(inside)]
        ends = (float(inside.min()), float(inside.max())) if len(inside) else (mean, mean)
        return Mean(None if np.isnan(mean) else mean, seen, (end - start) / 3600.0, *ends)

    def _places(self, start: Array, end: Array) -> tuple[Array, Array]:
        return (start - self.start) / self.step, (end - self.start) / self.step

    @staticmethod
    def _at(sums: Array, place: Array) -> Array:
        return np.interp(place, np.arange(len(sums)), sums)


def hourly(path: Path, timezone: str | None, likely: str | None = None) -> Hourly:
    """The series in a file, in any form that ``costcalc when`` reads.

    ``timezone``: of its times that name none; ``likely``: where the cluster's clock is.

    Raises:
        InputError: it cannot be read, its times are those of a clock that changes and nothing says
            whose, or it is marginal, which no report counts by.
    """
    said = Zone(
        zone(timezone) if timezone else None,
        key="grid.timezone",
        likely=zone(likely) if likely else None,
    )
    try:
        series = read(path, timezone=said)
    except InputError as error:
        # what fleet.yaml says of the file is the key at which it is put right
        told = [replace(p, key="grid.hourly") if p.key == "series" else p for p in error.problems]
        raise InputError(told) from None
    if series.signal == "marginal":
        message = "expected an average intensity; a marginal one is not what a job emitted"
        raise InputError(Problem(key="grid.hourly", message=message, file=str(path)))
    return Hourly(series)
