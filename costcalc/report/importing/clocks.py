"""Clocks of logs that go forward or back by an hour, as where summer time begins or ends.

A stamp without a zone is of its machine's clock: at the change its seconds run from 01:59:59 to
03:00:00, or from 02:59:59 to 02:00:00, and nothing was lost, nor did anything run twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

_HOUR = 3600.0
#: so many usual steps from the full hour, and from a step of an hour, a change may be seen
_NEAR = 2.5
#: a log of longer steps does not tell a change from a pause
_MOST = 600.0
_NIGHT = 4  # the hour before which clocks are changed (chosen)
#: Friday to Sunday: from 2023 on summer time began and ended on no other day (tz database, 2026)
_DAYS = (4, 5, 6)


def steady(seconds: Sequence[float], usual: float) -> tuple[list[float], list[str]]:
    """The seconds of a log in its order without changes of the clock, and what is said of those.

    ``usual``: seconds between two samples of one device.

    >>> from datetime import datetime, UTC
    >>> two = datetime(2026, 10, 25, 2, tzinfo=UTC).timestamp()
    >>> times, said = steady([two + 3540, two + 3570, two, two + 30], usual=30.0)
    >>> [time - two for time in times], said
    ([3540.0, 3570.0, 3600.0, 3630.0], ['the clock of the log went back by an hour at \
2026-10-25 02:00:00, as where summer time ends: taken as that'])
    """
    made: list[float] = []
    said: list[str] = []
    moved = 0.0
    for at, second in enumerate(seconds):
        before = seconds[at - 1] if at else second
        change = _change(before, second, usual)
        if change:
            moved -= change
            stamp = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%d %H:%M:%S")
            way, when = ("forward", "begins") if change > 0 else ("back", "ends")
            said.append(
                f"the clock of the log went {way} by an hour at {stamp}, as where summer time "
                f"{when}: taken as that"
            )
        made.append(second + moved)
    return made, said


def _change(before: float, after: float, usual: float) -> float:
    """Seconds by which the clock was changed between two samples; 0 where it was not."""
    near = _NEAR * usual
    if not 0 < usual <= _MOST:
        return 0.0
    for way in (_HOUR, -_HOUR):
        since = after % _HOUR  # since the full hour that a change goes to
        fits = 0 <= after - before - way <= near and since <= near
        at = datetime.fromtimestamp(after, UTC)
        if fits and at.hour < _NIGHT and at.weekday() in _DAYS:
            return way
    return 0.0
