"""Where a run stands: its neighbours in the history of compute, marks, and who can afford it."""

from __future__ import annotations

import datetime
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

from costcalc.base.errors import nearest, wrong
from costcalc.base.human import digits
from costcalc.catalog.region_table import table
from costcalc.decide import benchmarks, purses, trend
from costcalc.decide.history import EARLIER, EPOCH, THOMPSON, Landmark, landmarks, until
from costcalc.decide.money import shown_in
from costcalc.decide.purses import Held, Year
from costcalc.runfile.loading import Source

SCHEMA = "costcalc/place/v1"
SELF_PLAY = ("AlphaGo Master", "AlphaGo Zero", "AlphaZero")  # no longer counted by Epoch AI


class Threshold(TypedDict):
    """A compute that a rule or a habit names, and whether a run passes it."""

    flop: float
    name: str
    means: str
    source: str
    passed: bool
    times: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Where a training compute stands; ``sentence`` says it in one line."""

    name: str
    flop: float
    date: datetime.date
    below: tuple[Landmark, ...]
    above: tuple[Landmark, ...]
    rank: int
    number: int
    marks: tuple[Threshold, ...]
    purses: tuple[Held, ...]
    doublings: tuple[trend.Doubling, ...]
    divide: tuple[Year, ...]
    target: benchmarks.Target | None
    sentence: str
    until: datetime.date  # the last day of the table of landmarks
    notes: tuple[str, ...] = ()

    @property
    def sources(self) -> list[str]:
        """Where the data stand."""
        return [EPOCH, EARLIER, THOMPSON, *trend.sources()]

    def to_dict(self) -> dict[str, object]:
        """Plain values, with sources."""
        return {
            "schema": SCHEMA,
            "name": self.name,
            "training_compute": self.flop,
            "unit": "FLOP",
            "date": self.date.isoformat(),
            "sentence": self.sentence,
            "rank": self.rank,
            "of": self.number,
            "until": self.until.isoformat(),
            "notes": list(self.notes),
            "neighbours": [_shown(one) for one in (*self.below, *self.above)],
            "marks": list(self.marks),
            "purses": [one.to_dict() for one in self.purses],
            "trend": [one.to_dict() for one in self.doublings],
            "folds": trend.folds(),
            "divide": list(self.divide),
            "limits": [one.to_dict() for one in benchmarks.laws()],
            "target": self.target.to_dict() if self.target else None,
            "sources": self.sources,
        }


def _shown(one: Landmark) -> dict[str, object]:
    names = ("name", "organisation", "date", "flop", "confidence", "url")
    return {**{name: getattr(one, name) for name in names}, "date": one.date.isoformat()}


def place(
    source: Source | None = None,
    *,
    flop: float | None = None,
    landmark: str | None = None,
    date: datetime.date | None = None,
    own_purses: Mapping[str, str] | None = None,
    benchmark: str | None = None,
    error: float | None = None,
    quantity: str = "burden",
    accelerator: str = "h100-sxm5-80",
    region: str | None = None,
    neighbours: int = 3,
    changes: Mapping[str, object] | None = None,
) -> Standing:
    """Where a run (a run file, a compute in FLOP, or a landmark by name) stands in history.

    ``date`` is the day it is placed at: the landmark's own, else that of the last landmark.
    ``benchmark`` and ``error`` (a share) ask what a target would take.

    Raises:
        InputError: not one of the three, or a name that is not known.

    >>> place(landmark="AlexNet", neighbours=1).below[0].flop <= 4.7e17
    True
    """
    name, compute, day = _subject(source, flop, landmark, changes)
    day = date or day or landmarks()[-1].date
    others = sorted((one for one in landmarks() if one.name != name), key=lambda one: one.flop)
    at = sum(one.flop <= compute for one in others)
    below, above = others[max(at - neighbours, 0) : at], others[at : at + neighbours]
    then = [one for one in landmarks() if one.date <= day and one.name != name]
    chosen = purses.purses(own_purses)
    held = purses.against(compute, day.year, chosen)
    target = None
    if error is not None:
        law = benchmarks.law(benchmark or "ImageNet", benchmarks.QUANTITIES[quantity])
        money = shown_in(source, changes)
        target = benchmarks.target(law, error, accelerator=accelerator, region=region, money=money)
    marks = tuple(
        Threshold(
            flop=row["flop"],
            name=row["name"],
            means=row["means"],
            source=table(trend.FILE).source(row["source"])[0],
            passed=compute >= row["flop"],
            times=compute / row["flop"],
        )
        for row in table(trend.FILE).data["marks"]
    )
    return Standing(
        name=name,
        flop=compute,
        date=day,
        below=tuple(below),
        above=tuple(above),
        rank=len(others) - at + 1,
        number=len(others) + 1,
        marks=marks,
        purses=tuple(held),
        doublings=tuple(trend.doublings()),
        divide=tuple(purses.by_year(chosen)),
        target=target,
        sentence=_sentence(name, compute, day, below, above, then, held),
        until=until(),
        notes=(*_other_figures(name), *_beyond(day)),
    )


def _beyond(day: datetime.date) -> list[str]:
    """Of a day after the last landmark: what is not known."""
    if day <= until():
        return []
    said = f"the data reach until {until()}: what came between then and {day}, systems and hardware"
    return [f"{said}, is not known here"]


def _other_figures(name: str) -> list[str]:
    """What else is said of a landmark: another figure before, or another definition."""
    return [
        f"{one.name}: {_flop(one.flop)} in the table of 2026, {_flop(one.earlier)} in that of 2025"
        + (" with its self-play" if one.name in SELF_PLAY else "")
        for one in landmarks()
        if one.name == name and one.earlier is not None
    ]


def _subject(
    source: Source | None,
    flop: float | None,
    landmark: str | None,
    changes: Mapping[str, object] | None,
) -> tuple[str, float, datetime.date | None]:
    given = [item for item in (source, flop, landmark) if item is not None]
    if len(given) != 1:
        raise wrong("place", "expected one of a run file, --flops or --landmark")
    if landmark is not None:
        one = find(landmark)
        return one.name, one.flop, one.date
    if flop is not None:
        if not (flop > 0 and math.isfinite(flop)):
            raise wrong("--flops", f"expected FLOP above 0; got {flop:g}")
        return f"{_flop(flop)}", flop, None
    from costcalc.calculator.calculate import estimate

    made = estimate(source, changes=changes, ranges=False)  # type: ignore[arg-type]
    compute = made.results["total_compute"]
    if compute.value is None:
        raise wrong("place", f"no compute to place: {compute.why}")
    return made.name, compute.value, None


def find(name: str) -> Landmark:
    """A landmark by its name, or by the beginning of exactly one.

    >>> find("GPT-3 175B").flop
    3.14e+23
    """
    wanted = name.casefold()
    known = landmarks()
    same = [one for one in known if one.name.casefold() == wanted]
    start = [one for one in known if one.name.casefold().startswith(wanted)]
    spaced = [one for one in start if one.name.casefold().startswith(f"{wanted} ")]
    for found in (same, start, spaced):
        if len(found) == 1:
            return found[0]
    listed = nearest(name, [one.name for one in known]) or [one.name for one in start[:3]]
    hint = f"; nearest: {', '.join(listed)}" if listed else ""
    raise wrong("--landmark", f"no one landmark {name}{hint}")


def _flop(value: float) -> str:
    return f"{value:.2e} FLOP".replace("e+", "e")


def _sentence(
    name: str,
    compute: float,
    day: datetime.date,
    below: Sequence[Landmark],
    above: Sequence[Landmark],
    then: Sequence[Landmark],
    held: Sequence[Held],
) -> str:
    size = _flop(compute)
    parts = [f"{name} ({size})" if name != size else name]
    if below and above:
        parts.append(f"stands between {_named(below[-1])} and {_named(above[0])}")
    elif below:
        parts.append(f"is larger than every landmark, the next {_named(below[-1])}")
    else:
        parts.append(f"is smaller than every landmark, the next {_named(above[0])}")
    sentence = " ".join(parts)
    if then:
        largest = max(then, key=lambda one: one.flop)
        ratio = _ratio(compute, largest.flop)
        if day < until():
            sentence += f", {ratio} the largest by {day.year} ({largest.name})"
        else:
            sentence += f", {ratio} the largest known ({largest.name}; the data end on {until()})"
    return f"{sentence}; {_who(held, day.year)}."


def _named(one: Landmark) -> str:
    return f"{one.name} ({one.date.year}, {_flop(one.flop)})"


def _ratio(compute: float, other: float) -> str:
    if compute >= other:
        return f"{digits(compute / other, 2)} times"
    if compute >= 0.1 * other:
        return f"{_share(compute / other)} of"
    return f"1/{digits(other / compute, 2)} of"


def _who(held: Sequence[Held], year: int) -> str:
    """The smallest purse that holds it, and the next that does not."""
    can = [(one.times, one.purse.name) for one in held if one.times is not None and one.affordable]
    cannot = [(one.times, one.purse.name) for one in held if one.times and not one.affordable]
    text = f"on hardware of {year} "
    if not can:
        times, name = min(cannot, key=_times)
        return (
            f"{text}no purse here holds it: it takes {digits(times, 2)} times what {name} can spend"
        )
    times, name = max(can, key=_times)
    text += f"{name} can train it with {_share(times)} of its purse"
    if cannot:
        times, name = min(cannot, key=_times)
        text += f", while it is {digits(times, 2)} times what {name} holds"
    return text


def _times(one: tuple[float, str]) -> float:
    return one[0]


def _share(times: float) -> str:
    return f"{digits(times * 100, 2)} %"
