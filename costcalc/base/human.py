"""Numbers as people read them: three significant digits, and a unit of the right size."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from math import floor, log10

# For each unit of a result: (unit shown, factor to the result's unit), from small to large.
_SCALES: dict[str, Sequence[tuple[str, float]]] = {
    "h": (("s", 1 / 3600), ("min", 1 / 60), ("hours", 1.0), ("days", 24.0), ("years", 8766.0)),
    "s": (("µs", 1e-6), ("ms", 1e-3), ("s", 1.0), ("min", 60.0), ("h", 3600.0)),
    "kWh": (("Wh", 1e-3), ("kWh", 1.0), ("MWh", 1e3), ("GWh", 1e6)),
    "kgCO2e": (("gCO2e", 1e-3), ("kgCO2e", 1.0), ("tCO2e", 1e3), ("ktCO2e", 1e6)),
    "L": (("mL", 1e-3), ("L", 1.0), ("m³", 1e3), ("ML", 1e6)),
    "kgSbeq": (("mgSbeq", 1e-6), ("gSbeq", 1e-3), ("kgSbeq", 1.0)),
    "USD": (("USD", 1.0),),
    "GiB": (("MiB", 1 / 1024), ("GiB", 1.0)),
    "device_hour": (("device-hours", 1.0),),
    "km": (("km", 1.0),),
}
# From how much of the larger unit on it is used.
_FROM = {"days": 2.0, "years": 2.0, "min": 2.0, "hours": 1.0, "h": 2.0, "tCO2e": 1.0}


@functools.lru_cache(maxsize=4096)
def digits(value: float, significant: int = 3) -> str:
    """A number with so many significant digits, thousands set apart, never an exponent below 1e15.

    >>> digits(2698675.2), digits(0.012345), digits(16.04), digits(0), digits(7.72e23)
    ('2,700,000', '0.0123', '16.0', '0', '7.72e+23')
    """
    if value == 0:
        return "0"
    if abs(value) >= 1e15 or abs(value) < 1e-4:
        return f"{value:.{significant - 1}e}"
    places = significant - 1 - floor(log10(abs(value)))
    rounded = round(value, places)
    if floor(log10(abs(rounded))) > floor(log10(abs(value))):  # 9.999 is 10.0
        places -= 1
    return f"{rounded:,.{max(places, 0)}f}"


def scale(value: float, unit: str) -> tuple[str, float]:
    """The unit to show a value in, and its factor.

    >>> scale(390.0, "h"), scale(0.5, "kWh")
    (('days', 24.0), ('Wh', 0.001))
    """
    steps = _SCALES.get(unit)
    if steps is None:
        return _count(value, unit)
    best = steps[0]
    for name, factor in steps:
        if abs(value) >= factor * _FROM.get(name, 1.0):
            best = (name, factor)
    return best if value else next((s for s in steps if s[1] == 1.0), steps[0])


def _count(value: float, unit: str) -> tuple[str, float]:
    if unit == "1":
        for name, factor in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
            if abs(value) >= factor:
                return name, factor
        return "", 1.0
    return unit, 1.0


def human(value: float | None, unit: str, *, exact: bool = False) -> str:
    """A figure with its unit; an ``exact`` number of things or of money is not rounded if whole.

    >>> human(391.5, "h"), human(2698675.0, "USD"), human(None, "kWh"), human(8.03e9, "1")
    ('16.3 days', '2,700,000 USD', 'unknown', '8.03 B')
    >>> human(1024.0, "device_hour"), human(1024.0, "device_hour", exact=True)
    ('1,020 device-hours', '1,024 device-hours')
    """
    if value is None:
        return "unknown"
    name, factor = scale(value, unit)
    things = factor == 1.0 and len(_SCALES.get(unit, ())) < 2
    number = counted(value) if exact and things else digits(value / factor)
    return f"{number} {name}".strip()


def counted(value: float) -> str:
    """A number that was not estimated: a whole one with all its digits, any other with three.

    >>> counted(1024.0), counted(8.0), counted(0.0123456), counted(7.72e23)
    ('1,024', '8.00', '0.0123', '7.72e+23')
    """
    whole = 1000 <= abs(value) < 1e15 and float(value).is_integer()
    return f"{value:,.0f}" if whole else digits(value)


def many(count: float) -> str:
    """How many devices there are, of which a share of one is with three digits.

    >>> many(8.0), many(1024), many(2 / 7), many(2.5)
    ('8', '1,024', '0.286', '2.5')
    """
    exact = f"{count:,.10g}"
    return exact if len(exact.partition(".")[2]) <= 3 else digits(count)


def bare(value: float | None) -> str:
    """A figure in a column whose head names the unit.

    >>> bare(1234.5), bare(None)
    ('1,230', 'unknown')
    """
    return "unknown" if value is None else digits(value)


def span(low: float | None, high: float | None, like: float | None, unit: str) -> str:
    """A range in the unit that ``like`` is shown in; empty where there is none.

    >>> span(300.0, 500.0, 391.5, "h")
    '12.5 – 20.8'
    """
    if low is None or high is None or like is None or low == high:
        return ""
    _, factor = scale(like, unit)
    return f"{digits(low / factor)} – {digits(high / factor)}"


def plural(noun: str, number: float) -> str:
    """A noun as it stands after a number.

    >>> plural("run", 1), plural("run", 2.5)
    ('run', 'runs')
    """
    return noun if number == 1 else f"{noun}s"


def number_of(number: float, noun: str) -> str:
    """So many of something.

    >>> number_of(1, "job"), number_of(1234, "job")
    ('1 job', '1,234 jobs')
    """
    return f"{number:,.0f} {plural(noun, number)}"


def percent(share: float) -> str:
    """A share of one, as a percentage.

    >>> percent(0.384), percent(0.0042), percent(19.2)
    ('38 %', '0.4 %', '1,920 %')
    """
    return f"{100 * share:,.0f} %" if share >= 0.0995 else f"{100 * share:.1f} %"
