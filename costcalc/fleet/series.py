"""The grid's intensity over the hours of a job, from a series by the hour."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.errors import InputError, Problem
from costcalc.decide.clock import zone
from costcalc.decide.series import Series
from costcalc.decide.series_files import read

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

#: a span of which less than this share is in the series has no figure of its own
ENOUGH = 0.95


class Hourly:
    """Means of a series over spans of time, in gCO2e/kWh.

    >>> from datetime import UTC, datetime
    >>> made = Hourly(Series(start=datetime(2026, 1, 1, tzinfo=UTC), step=3600.0,
    ...                      values=(100.0, 300.0), signal="average", source="grid.csv"))
    >>> begin = datetime(2026, 1, 1, tzinfo=UTC).timestamp()
    >>> made.means(np.array([begin, begin]), np.array([begin + 5400, begin + 9000]))
    array([166.66666667,          nan])
    """

    def __init__(self, series: Series) -> None:
        values = np.array(series.values, dtype=np.float64)
        known = ~np.isnan(values)
        self.start, self.step, self.source = series.start.timestamp(), series.step, series.source
        self._sums = np.concatenate([[0.0], np.cumsum(np.where(known, values, 0.0))])
        self._known = np.concatenate([[0.0], np.cumsum(known.astype(np.float64))])

    def means(self, start: Array, end: Array) -> Array:
        """The mean over each span; NaN where the series knows too little of it."""
        first, last = (start - self.start) / self.step, (end - self.start) / self.step
        length = np.maximum(last - first, 1e-9)
        seen = self._at(self._known, last) - self._at(self._known, first)
        total = self._at(self._sums, last) - self._at(self._sums, first)
        enough = (seen >= ENOUGH * length) & (seen > 0)
        return np.where(enough, total / np.where(seen > 0, seen, 1.0), np.nan)

    @staticmethod
    def _at(sums: Array, place: Array) -> Array:
        return np.interp(place, np.arange(len(sums)), sums)


def hourly(path: Path, timezone: str | None) -> Hourly:
    """The series in a file, in any form that ``costcalc when`` reads.

    Raises:
        InputError: it cannot be read, or is marginal, which no report counts by.
    """
    series = read(path, timezone=zone(timezone) if timezone else None)
    if series.signal == "marginal":
        message = "expected an average intensity; a marginal one is not what a job emitted"
        raise InputError(Problem(key="grid.hourly", message=message, file=str(path)))
    return Hourly(series)
