"""What the checks of a report against itself share: its parts, their figures, and products."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from costcalc.report.closure import close
from costcalc.report.meters import number, section
from costcalc.report.project import parts_of

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

Record = Mapping[str, object]
_NAME = 60  # letters of a name that are shown


def named(report: Report) -> str:
    """What a report is called, as far as lines show it."""
    return str(report.get("name"))[:_NAME]


def each(report: Report) -> Iterator[tuple[str, Report]]:
    """A report; of a merged one those that it was made of, and how lines about each begin."""
    merged = parts_of(report)
    if merged is None:
        yield "", report
    else:
        yield from ((f"{named(one)}: ", one) for one in merged)


def calculated(report: Report) -> Iterator[tuple[str, Record]]:
    """The stages of a report, or itself, that have figures; and how their keys begin."""
    stages: list[tuple[str, Record]] = [
        (f"stages[{index}].", stage) for index, stage in enumerate(report["stages"])
    ]
    for prefix, part in stages or [("", report)]:
        if isinstance(part.get("results"), Mapping):
            yield prefix, part


def value_of(part: object, name: str, end: str = "value") -> float | None:
    """A figure's value, or another end of it; None where it is not known."""
    return number(section(part, "results", name).get(end))


def assumptions(part: Record) -> list[Record]:
    """What a part rests on, an entry each."""
    listed = part.get("assumptions")
    return [section(item) for item in listed] if isinstance(listed, list) else []


def product(
    key: str, said: float | None, factors: Sequence[float | None], formula: str, tolerance: float
) -> Iterator[str]:
    """What is to be said of a figure that is none of its factors; nothing where one is unknown.

    >>> list(product("results.energy", 6.0, [2.0, 2.5], "power × time", 1e-6))
    ['results.energy: 6 is not power × time, which is 5']
    """
    known = [factor for factor in factors if factor is not None]
    if said is None or len(known) < len(factors):
        return
    made = math.prod(known)
    if not close(said, made, tolerance):
        yield f"{key}: {said:.6g} is not {formula}, which is {made:.6g}"
