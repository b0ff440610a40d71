"""Whether the times that a row gives of an attempt can be of one attempt."""

from __future__ import annotations

from datetime import datetime, tzinfo

#: clocks round; and a clock that is just set may be an hour off
ROUNDED, SUMMER = 2.0, 3602.0
_HOUR = 3600.0


def slack(zone: tzinfo | None, *times: float | None) -> float:
    """By how many seconds times may be off: by an hour where clocks in ``zone`` are just set.

    ``zone`` None: the times are absolute.

    >>> from zoneinfo import ZoneInfo
    >>> slack(ZoneInfo("Europe/Berlin"), 1792890000.0), slack(None, 1792890000.0)
    (3602.0, 2.0)
    """
    for at in times if zone is not None else ():
        if at is not None:
            around = [datetime.fromtimestamp(at + d, zone).utcoffset() for d in (-_HOUR, _HOUR)]
            if around[0] != around[1]:
                return SUMMER
    return ROUNDED


def by_clock(
    start: float | None, end: float | None, lasted: float, zone: tzinfo | None
) -> tuple[float | None, float | None]:
    """Start and end; of a time that a clock in ``zone`` shows twice, the one that fits ``lasted``.

    >>> from zoneinfo import ZoneInfo
    >>> zone = ZoneInfo("Europe/Berlin")  # 2026-10-25: 02:30 is at 00:30 and at 01:30 UTC
    >>> by_clock(1792886400.0, 1792888200.0, 5400.0, zone)  # 00:00 UTC, to 02:30
    (1792886400.0, 1792891800.0)
    >>> by_clock(1792886400.0, 1792888200.0, 1800.0, zone)
    (1792886400.0, 1792888200.0)
    """
    if start is None or end is None or zone is None:
        return start, end
    pairs = [(one, other) for one in _moments(start, zone) for other in _moments(end, zone)]
    return min(pairs, key=lambda pair: abs(pair[1] - pair[0] - lasted))


def _moments(at: float, zone: tzinfo) -> tuple[float, ...]:
    """All moments at which a clock shows what it shows then, its first reading first."""
    shown = datetime.fromtimestamp(at, zone)
    other = shown.replace(fold=1).timestamp()
    return (at,) if other == at else (at, other)


def backwards(start: float | None, end: float | None, off: float) -> bool:
    """Whether an attempt ends before it starts, by more than its clock may be ``off``.

    >>> backwards(7200.0, 3600.0, 2.0), backwards(7200.0, 3600.0, 3602.0)
    (True, False)
    """
    return start is not None and end is not None and end < start - off


def longer(start: float | None, end: float | None, seconds: float, off: float) -> str:
    """How an attempt ran for longer than from its start to its end; empty where it did not.

    >>> longer(0.0, 3600.0, 36000.0, 3602.0)
    'it ran for 36,000 s, and from its start to its end are 3,600 s'
    """
    if start is None or end is None or end < start or seconds <= end - start + off:
        return ""
    return f"it ran for {seconds:,.0f} s, and from its start to its end are {end - start:,.0f} s"


def unexplained(
    start: float | None, end: float | None, seconds: float, suspended: float, off: float
) -> str:
    """How an attempt neither ran nor was suspended for all of its span; empty where it was.

    >>> unexplained(0.0, 36000.0, 60.0, 0.0, 2.0)
    'it ran for less than from its start to its end, and was not suspended'
    """
    if start is None or end is None or end - start - seconds - suspended <= off:
        return ""
    return "it ran for less than from its start to its end, and was not suspended"
