"""Times as files write them: ISO, day first, intervals; in the zone that is said of them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise

from costcalc.base.errors import InputError, Problem

_INTERVAL = re.compile(r"\s+(?:-|–|to|/)\s+")
_DAY_FIRST = re.compile(
    r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})(?:[ T,]+(\d{1,2}):(\d\d)(?::(\d\d))?\s*([AaPp][Mm])?)?"
)
#: what heads of columns call zones; CET with its summer time is that of Brussels
ZONES = {"cet/cest": "Europe/Brussels", "cet": "Etc/GMT-1", "wet/west": "Europe/Lisbon",
         "eet/eest": "Europe/Athens"}  # fmt: skip
_UTC = re.compile(r"\b(utc|gmt|z)\b", re.IGNORECASE)


def zone_of(head: str) -> tzinfo | None:
    """The zone that the name of a column says, None where it says none.

    >>> str(zone_of("Datetime (UTC)")), str(zone_of("MTU (CET/CEST)")), zone_of("time")
    ('UTC', 'Europe/Brussels', None)
    """
    if _UTC.search(head):
        return UTC
    lower = head.lower()
    return next((zone(name) for word, name in ZONES.items() if word in lower), None)


def zone(name: str) -> tzinfo:
    """A zone by its name: Europe/Berlin, UTC.

    Raises:
        InputError: there is none of that name here.
    """
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return UTC if name.upper() in ("UTC", "GMT", "Z") else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = f'expected a time zone, such as Europe/Berlin or UTC; got "{name[:40]}"'
        raise InputError(Problem(key="--timezone", message=message)) from None


def instants(
    texts: Sequence[str], source: str, naive: tzinfo, key: str = "series"
) -> list[datetime]:
    """Times of a column in UTC, in its order; those without an offset are in the zone ``naive``.

    Where clocks go back an hour stands twice: the second is the later one, in a column whose
    newest stands first the earlier one.

    Raises:
        InputError: a time that cannot be read, dates of which nothing says what comes first, or a
            time that clocks of that zone skip, for which ``key`` says the zone.
    """
    begun = [_INTERVAL.split(text.strip())[0] for text in texts]
    order = _order(begun, source)
    read = [_read(text, order, source) for text in begun]
    local = [time for time in read if time.tzinfo is None]
    backwards = len(local) > 1 and local[0] > local[-1]
    made: list[datetime] = []
    seen: set[datetime] = set()
    for time in reversed(read) if backwards else read:
        if time.tzinfo is None:
            own = time.replace(tzinfo=naive, fold=1 if time in seen else 0)
            seen.add(time)
            made.append(own.astimezone(UTC))
            if made[-1].astimezone(naive).replace(tzinfo=None) != time:
                message = f"{_shown(time)} is a time that clocks in {naive} skip"
                hint = f"{message}: are its times in UTC, or in another zone?"
                raise InputError(Problem(key=key, message=hint, file=source))
        else:
            made.append(time.astimezone(UTC))
    return made[::-1] if backwards else made


def _read(text: str, order: bool | None, source: str) -> datetime:
    time = _iso(text) if order is None else _ordered(text, source, month_first=order)
    if time is None:
        message = f'expected a time as 2026-01-01T00:00Z; got "{text[:40]}"'
        raise InputError(Problem(key="series", message=message, file=source))
    return time


def changed(times: Sequence[datetime], likely: tzinfo | None) -> str | None:
    """What tells that times without a zone, which were read as UTC, are those of a wall clock.

    An hour that stands twice; or one is missing that clocks in the ``likely`` zone skip.

    >>> hours = [datetime(2026, 3, 29, hour, tzinfo=UTC) for hour in (0, 1, 3, 4)]
    >>> changed(hours, zone("Europe/Berlin"))
    '2026-03-29T02:00 is missing, which clocks in Europe/Berlin skip'
    >>> changed(hours, None), changed([*hours, hours[1]], None)
    (None, '2026-03-29T01:00 stands twice')
    """
    listed = sorted(times)
    steps = [(before, time, time - before) for before, time in pairwise(listed)]
    twice = next((time for _, time, step in steps if not step), None)
    if twice is not None:
        return f"{_shown(twice)} stands twice"
    least = min((step for _, _, step in steps), default=timedelta())
    for before, time, step in steps if likely is not None else ():
        ends = [one.replace(tzinfo=likely).astimezone(UTC) for one in (before, time)]
        if step > least and ends[1] - ends[0] == least:
            return f"{_shown(before + least)} is missing, which clocks in {likely} skip"
    return None


def _shown(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M")


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text.strip())
    except ValueError:
        return None


def _order(texts: Sequence[str], source: str) -> bool | None:
    """None: ISO; else whether months come first, as the numbers above twelve tell."""
    first = next((text for text in texts if text), "")
    if _iso(first) is not None:
        return None
    found = [match for text in texts if (match := _DAY_FIRST.fullmatch(text))]
    if not found:
        return None
    if found[0][2] == ".":
        return False  # nobody writes months first with points
    days = any(int(match[1]) > 12 for match in found)
    months = any(int(match[3]) > 12 for match in found)
    if days == months:
        message = (
            f'"{first[:20]}" reads two ways, day or month first, and no date of the file tells '
            "which; write 2026-01-31"
        )
        raise InputError(Problem(key="series", message=message, file=source))
    return months


def _ordered(text: str, source: str, *, month_first: bool) -> datetime | None:
    match = _DAY_FIRST.fullmatch(text)
    if match is None:
        return None
    first, _, second, year, hour, minute, seconds, half = match.groups()
    day, month = (second, first) if month_first else (first, second)
    hours = int(hour or 0)
    if half:
        hours = hours % 12 + (12 if half.lower() == "pm" else 0)
    try:
        return datetime(int(year), int(month), int(day), hours, int(minute or 0), int(seconds or 0))
    except ValueError:
        message = f'expected a date; got "{text[:40]}"'
        raise InputError(Problem(key="series", message=message, file=source)) from None
