"""One self-contained HTML page: figures, charts in inline SVG, every assumption.  No scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from costcalc.base.human import digits, human, percent
from costcalc.report.renderings.filling import fill
from costcalc.report.table import HEADLINE
from costcalc.report.view import View, shown

_COLOURS = 6
_SPLITS = {
    "cost": ("Cost", "USD"),
    "energy": ("Energy", "kWh"),
    "carbon": ("CO2e", "kgCO2e"),
    "step": ("A training step", "s"),
}
_COUNTED = {True: "counted", False: "not counted", None: "not known"}


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeBar:
    """A figure's range as a share of its value, in the drawing's units; ``one`` is the value."""

    label: str
    colour: int
    y: int
    left: str
    width: str
    one: str
    end: str
    high: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A part of a whole, drawn ``width`` wide from ``x`` on, of 600."""

    name: str
    colour: int
    percent: str
    amount: str
    x: str
    width: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Where something goes."""

    of: str
    title: str
    parts: Sequence[Share]


@dataclass(frozen=True, slots=True, kw_only=True)
class PageTable:
    """A table of the page; ``numbers`` are the columns set to the right."""

    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[int] = ()


def html(view: View) -> str:
    """The page; everything that the report says is escaped."""
    ranges = list(_ranges(view))
    return fill(
        "page.html.j2",
        view,
        escape,
        ranges=ranges,
        ranges_height=34 * len(ranges) + 24,
        splits=list(_splits(view)),
        tables=list(_tables(view)),
    )


def _ranges(view: View) -> Iterator[RangeBar]:
    found = [
        (figure.label, figure.low / figure.value, figure.high / figure.value)
        for figure in view.headline
        if figure.value and figure.low is not None and figure.high is not None
        if figure.high > figure.low
    ]
    most = max([2.0, *(high for _, _, high in found)])
    for index, (label, low, high) in enumerate(found):
        left, right = 62 + 270 * low / most, 62 + 270 * high / most
        yield RangeBar(
            label=label,
            colour=index % _COLOURS,
            y=34 * index + 8,
            left=f"{left:.1f}",
            width=f"{max(right - left, 1):.1f}",
            one=f"{62 + 270 / most:.1f}",
            end=f"{right + 6:.1f}",
            high=digits(high, 2),
        )


def _splits(view: View) -> Iterator[Split]:
    for of, parts in (view.report.get("breakdown") or {}).items():
        amounts = {name: float(value) for name, value in parts.items() if value > 0}
        total, x = sum(amounts.values()), 0.0
        title, unit = _SPLITS.get(of, (of, ""))
        unit = view.figures["cost"].unit if of == "cost" else unit
        shares = []
        for index, (name, value) in enumerate(sorted(amounts.items(), key=lambda p: -p[1])):
            share = value / total
            shares.append(
                Share(
                    name=name,
                    colour=index % _COLOURS,
                    percent=percent(share),
                    amount=human(value, unit),
                    x=f"{x:.2f}",
                    width=f"{600 * share:.2f}",
                )
            )
            x += 600 * share
        if shares:
            yield Split(of=of, title=title, parts=shares)


def _tables(view: View) -> Iterator[PageTable]:
    labels = list(HEADLINE.values())
    stages = [
        [str(stage.get("name") or ""), *(shown(stage, key).text for key in HEADLINE)]
        for stage in view.measured_parts
    ]
    if stages:
        yield PageTable(title="Stages", head=["stage", *labels], rows=stages, numbers=(1, 2, 3, 4))
    figures = [(row.label, row.text, row.range or row.why) for row in view.rows]
    yield PageTable(
        title="Figures", head=("figure", "value", "90 % range"), rows=figures, numbers=(1,)
    )
    drivers = [
        (label, driver["key"], percent(float(driver["share"])))
        for key, label in HEADLINE.items()
        for driver in [d for d in view.report["drivers"] if d["of"] == key][:4]
    ]
    if drivers:
        yield PageTable(
            title="What would narrow the ranges",
            head=("of", "assumption", "share of the variance"),
            rows=drivers,
            numbers=(2,),
        )
    boundary = view.report.get("boundary")
    if boundary:
        yield PageTable(
            title="What is counted",
            head=("part", "", ""),
            rows=[
                (item["name"], _COUNTED[item.get("counted")], item.get("why") or "")
                for item in [*boundary["stages"], *boundary["components"]]
            ],
        )
    for part in view.inputs:
        yield PageTable(
            title="Assumptions" if part.whole else f"Assumptions of {part.name or 'a stage'}",
            head=("key", "value", "basis", "source"),
            rows=[(item.key, item.text, item.basis, item.source) for item in part.inputs],
        )
