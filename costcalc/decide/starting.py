"""The start that is asked for, in a series: in whose zone it is, and between two of its steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING

from costcalc.base.errors import wrong
from costcalc.decide.series import Series

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

KEY = "--start"
_LITTLE = 1e-9  # of a step


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """The earliest start: the step that it is in, the share of it that is over, what to say."""

    step: int
    over: float
    notes: tuple[str, ...]

    @property
    def index(self) -> float:
        """Where it is, in steps from the first of the series."""
        return self.step + self.over

    def starts(self, last: int, window: float | None) -> NDArray[np.float64]:
        """The starts to be weighed: this one, and every whole step after it, in steps.

        At most ``window`` steps later, where one is given, and none after the step ``last``.
        """
        import numpy as np

        until = float(last) if window is None else min(float(last), self.index + window)
        later = np.arange(self.step + 1, int(until + _LITTLE) + 1, dtype=float)
        return np.concatenate([[self.index], later])


def asked(series: Series, start: datetime | str | None) -> Asked:
    """Where a start is in a series; one without an offset is in the zone of the series, else UTC.

    Raises:
        InputError: no time, one that clocks of that zone skip, or one outside the series.

    >>> day = Series(start=datetime(2026, 1, 1, tzinfo=UTC), step=3600.0, values=(3.0, 5.0),
    ...              signal="average", source="by hand")
    >>> asked(day, "2026-01-01T00:30Z")
    Asked(step=0, over=0.5, notes=())
    """
    if start is None:
        return Asked(step=0, over=0.0, notes=())
    moment, notes = _instant(start, series.zone)
    index = (moment - series.start).total_seconds() / series.step
    if not -_LITTLE <= index < len(series.values):
        raise wrong(
            KEY,
            f"{moment.isoformat()} is not in the series, {series.start.isoformat()} to "
            f"{series.at(len(series.values)).isoformat()}",
        )
    step = int(index + _LITTLE)
    over = index - step
    return Asked(step=step, over=over if over > _LITTLE else 0.0, notes=notes)


def _instant(start: datetime | str, zone: tzinfo | None) -> tuple[datetime, tuple[str, ...]]:
    """A start in UTC, and what is to be said where it names no zone."""
    time = start if isinstance(start, datetime) else _read(start)
    if time.tzinfo is not None:
        return time.astimezone(UTC), ()
    shown = time.isoformat(timespec="minutes")
    if zone is None:
        told = f"{KEY} {shown} names no zone: taken as UTC; write {shown}Z, or its offset, or "
        return time.replace(tzinfo=UTC), (f"{told}--timezone Europe/Berlin",)
    local = time.replace(tzinfo=zone)
    moment = local.astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != time.replace(fold=0):
        told = f"{shown} is a time that clocks in {zone} skip; write it with its offset, as "
        raise wrong(KEY, told + local.isoformat(timespec="minutes"))
    notes = [f"{KEY} {shown} is taken in {zone}: {moment:%Y-%m-%d %H:%M} UTC"]
    if local.replace(fold=1).astimezone(UTC) != local.replace(fold=0).astimezone(UTC):
        notes.append(f"{shown} stands twice where clocks go back: write its offset for the other")
    return moment, tuple(notes)


def _read(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        message = f'expected a time as 2026-01-01T00:00Z; got "{text[:40]}"'
        raise wrong(KEY, message) from None
