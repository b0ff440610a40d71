"""Whether the times that a row gives of an attempt can be of one attempt."""

from __future__ import annotations

#: clocks round, and of a local time summer time may have begun or ended in between
ROUNDED, SUMMER = 2.0, 3602.0


def backwards(start: float | None, end: float | None, *, local: bool) -> bool:
    """Whether an attempt ends before it starts, by more than its clock may be off.

    >>> backwards(7200.0, 3600.0, local=False), backwards(7200.0, 3600.0, local=True)
    (True, False)
    """
    slack = SUMMER if local else ROUNDED
    return start is not None and end is not None and end < start - slack


def longer(start: float | None, end: float | None, seconds: float, *, local: bool) -> str:
    """How an attempt ran for longer than from its start to its end; empty where it did not.

    >>> longer(0.0, 3600.0, 36000.0, local=True)
    'it ran for 36,000 s, and from its start to its end are 3,600 s'
    """
    if start is None or end is None or end < start:
        return ""
    slack = SUMMER if local else ROUNDED
    if seconds <= end - start + slack:
        return ""
    return f"it ran for {seconds:,.0f} s, and from its start to its end are {end - start:,.0f} s"


def unexplained(
    start: float | None, end: float | None, seconds: float, suspended: float, *, local: bool
) -> str:
    """How much of an attempt's span it neither ran nor was suspended; empty where it is none.

    >>> unexplained(0.0, 36000.0, 60.0, 0.0, local=False)
    'it ran for less than from its start to its end, and was not suspended'
    """
    if start is None or end is None:
        return ""
    slack = SUMMER if local else ROUNDED
    if end - start - seconds - suspended <= slack:
        return ""
    return "it ran for less than from its start to its end, and was not suspended"
