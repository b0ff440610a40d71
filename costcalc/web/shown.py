"""What a page shows of an estimate: text and the sizes of bars; nothing is calculated."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from costcalc.base.human import human, percent, span
from costcalc.calculator.explaining import Block, explained
from costcalc.calculator.result import HEADLINE, Estimate
from costcalc.report import table
from costcalc.report.listing import Listed, listed
from costcalc.report.renderings.html import Split, splits
from costcalc.report.view import View
from costcalc.web.address import Run
from costcalc.web.copies import Copy, copies

_BASIS = {
    "given": "as you gave it",
    "measured": "measured",
    "modelled": "modelled",
    "profile": "from the catalogue",
    "default": "a default",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A range along a line from 0 to ``of`` times the value, in hundredths of the line."""

    left: str
    width: str
    mark: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One figure of the answer."""

    key: str
    label: str
    value: str
    range: str
    note: str
    basis: str
    bar: Bar | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Driven:
    """How much of a figure's range goes with an assumption."""

    key: str
    percent: str
    width: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A stage of a run: its figures, and what explains each."""

    name: str
    values: Sequence[str]
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer of a run."""

    name: str
    subtitle: str
    cards: Sequence[Card]
    limits: Sequence[tuple[str, bool]]
    warnings: Sequence[str]
    steps: Sequence[tuple[str, str]]
    like: str
    drivers: Sequence[tuple[str, Sequence[Driven]]]
    splits: Sequence[Split]
    blocks: Sequence[Block]
    stages: Sequence[Stage]
    inputs: Sequence[Listed]
    copies: Sequence[Copy] = field(default=())


def answer(made: Estimate, run: Run) -> Answer:
    """What a page shows of an estimate."""
    report = made.to_dict()
    weighed = table.by_weight(made, list(made.inputs))
    rank = {item.key: place for place, item in enumerate(weighed)}
    own = sorted(report["assumptions"], key=lambda item: rank.get(item["key"], len(rank)))
    return Answer(
        name=made.name,
        subtitle=table.subtitle(made.details),
        cards=cards(made),
        limits=[(limit["text"], limit["passed"] is False) for limit in made.limits],
        warnings=made.warnings,
        steps=[*_pairs(made), *table.nearby(made)],
        like=table.likened(made),
        drivers=list(_drivers(made)),
        splits=[one for one in splits(View(report)) if one.of != "step"],
        blocks=[] if made.stages else _blocks(made),
        stages=[_stage(one) for one in made.stages],
        inputs=[listed(item) for item in own],
        copies=copies(run, report),
    )


def cards(made: Estimate) -> list[Card]:
    """Time, money, energy and CO2e; all bars on one scale of times the value."""
    most = max([2.0, *(high for _, high in _ratios(made).values())])
    return [
        Card(
            key=key,
            label=label,
            value=human(result.value, result.unit),
            range=span(result.low, result.high, result.value, result.unit),
            note=table.note(key, made),
            basis="" if result.value is None else _BASIS[result.basis],
            bar=_bar(_ratios(made).get(key), most),
        )
        for key, label in HEADLINE.items()
        for result in (made.results[key],)
    ]


def _ratios(made: Estimate) -> dict[str, tuple[float, float]]:
    """The ends of each range as times the value."""
    found: dict[str, tuple[float, float]] = {}
    for key in HEADLINE:
        one = made.results[key]
        if one.value and one.low is not None and one.high is not None and one.high > one.low:
            found[key] = one.low / one.value, one.high / one.value
    return found


def _bar(ends: tuple[float, float] | None, most: float) -> Bar | None:
    if ends is None:
        return None
    low, high = ends
    return Bar(
        left=f"{100 * low / most:.2f}",
        width=f"{max(100 * (high - low) / most, 0.5):.2f}",
        mark=f"{100 / most:.2f}",
    )


def _pairs(made: Estimate) -> list[tuple[str, str]]:
    return [(step[0], step[1]) for step in made.details.get("steps", ())]


def _blocks(made: Estimate) -> list[Block]:
    """What explains each figure; the way to the answer stands apart."""
    return [block for block in explained(made) if block.title and block.name]


def _stage(made: Estimate) -> Stage:
    values = [human(made.results[key].value, made.results[key].unit) for key in HEADLINE]
    return Stage(name=made.name, values=values, blocks=_blocks(made))


def _drivers(made: Estimate) -> Iterator[tuple[str, list[Driven]]]:
    for key, label in HEADLINE.items():
        mine = [driver for driver in made.drivers if driver["of"] == key][:4]
        if mine:
            yield (
                label,
                [
                    Driven(
                        key=driver["key"],
                        percent=percent(float(driver["share"])),
                        width=f"{min(100 * float(driver['share']), 100):.1f}",
                    )
                    for driver in mine
                ],
            )


def figures(made: Estimate, names: Mapping[str, str]) -> list[tuple[str, str, str]]:
    """Figures with their labels: value, and range or why there is none."""
    return [
        (label, human(one.value, one.unit), one.why or span(one.low, one.high, one.value, one.unit))
        for name, label in names.items()
        for one in (made.results[name],)
    ]
