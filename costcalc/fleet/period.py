"""Spans of months that people report by: a month, a quarter, a year; where they begin and end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from costcalc.base.errors import wrong

_PERIOD = re.compile(r"(\d{4})(?:-(?:(0[1-9]|1[0-2])|[Qq]([1-4])))?")
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Period:
    """Some whole months: ``name``, its months, and its first and last moment (seconds, UTC)."""

    name: str
    months: tuple[str, ...]
    start: float
    end: float

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return self.end - self.start


def period(text: str, zone: tzinfo = UTC) -> Period:
    """The period that is meant: 2026-10, 2026-Q4 or 2026.

    Raises:
        InputError: it is none of these.

    >>> period("2026-Q4").months
    ('2026-10', '2026-11', '2026-12')
    >>> period("2026-10").seconds / 86400
    31.0
    """
    found = _PERIOD.fullmatch(text.strip())
    if found is None or int(found[1]) < 1970:
        raise wrong("--month", f'expected 2026-10, 2026-Q4 or 2026; got "{text[:40]}"')
    year, month, quarter = int(found[1]), found[2], found[3]
    if month:
        return _of(year, int(month), 1, text.strip(), zone)
    if quarter:
        return _of(year, 3 * int(quarter) - 2, 3, text.strip().upper(), zone)
    return _of(year, 1, 12, text.strip(), zone)


def month_of(moment: float, zone: tzinfo) -> str:
    """The month that a moment (seconds, UTC) is in, by the clock of a zone.

    >>> month_of(1_796_083_200.0, UTC)  # of 1 December 2026, 00:00
    '2026-12'
    """
    return datetime.fromtimestamp(moment, UTC).astimezone(zone).isoformat()[:7]


def around(month: str, length: str, zone: tzinfo = UTC) -> Period:
    """The ``month``, ``quarter`` or ``year`` that a month is in.

    >>> around("2026-11", "quarter").name
    '2026-Q4'
    """
    year, number = int(month[:4]), int(month[5:7])
    many = _MONTHS[length]
    first = (number - 1) // many * many + 1
    name = {1: month, 3: f"{year}-Q{(first + 2) // 3}", 12: str(year)}[many]
    return _of(year, first, many, name, zone)


def _of(year: int, first: int, many: int, name: str, zone: tzinfo) -> Period:
    months = tuple(f"{year}-{first + n:02d}" for n in range(many))
    after = (year, first + many) if first + many <= 12 else (year + 1, 1)
    start = datetime(year, first, 1, tzinfo=zone).timestamp()
    return Period(name, months, start, datetime(*after, 1, tzinfo=zone).timestamp())
