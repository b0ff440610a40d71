"""Published figures as they were printed: a value, and how far rounding may have moved it."""

from __future__ import annotations

from dataclasses import dataclass

#: what a figure may be off, beyond the rounding of the numbers it follows from
TOLERANCE = 0.02
_MULTIPLES = {"k": 1e3, "M": 1e6}
_HOURS = {"d": 24.0, "y": 8760.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Printed:
    """A printed number and half a step of its last digit, as a share of it."""

    value: float
    rounding: float


def read(text: str) -> Printed:
    """A number with an optional k or M, or a duration in d or y as hours.

    Zeros at the end of a whole number count as digits: where a source rounded more, a figure that
    follows is called one that does not, never the other way round.

    >>> read("7.0M").value, round(read("7.0M").rounding, 5)
    (7000000.0, 0.00714)
    >>> read("20 d").value, read("1415.78").value
    (480.0, 1415.78)
    """
    number, _, unit = text.partition(" ")
    factor = _HOURS[unit] if unit else 1.0
    if number[-1] in _MULTIPLES:
        factor *= _MULTIPLES[number[-1]]
        number = number[:-1]
    value = float(number)
    decimals = len(number.partition(".")[2])
    return Printed(value=value * factor, rounding=0.5 * 10.0**-decimals / abs(value))


def tolerance(*parts: Printed | None) -> float:
    """How far a figure may lie from what follows from its parts, as a share.

    >>> tolerance(Printed(value=1.0, rounding=0.03), None, Printed(value=1.0, rounding=0.01))
    0.04
    """
    return max(sum(part.rounding for part in parts if part is not None), TOLERANCE)
