"""One self-contained HTML page: figures, charts in inline SVG, every assumption.  No scripts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from costcalc.base.human import counted, digits, human, percent
from costcalc.calculator.result import HEADLINE
from costcalc.report.renderings.filling import fill
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
    caption: str = ""


def html(view: View) -> str:
    """The page; everything that the report says is escaped."""
    ranges = list(_ranges(view))
    return fill(
        "page.html.j2",
        view,
        escape,
        ranges=ranges,
        ranges_height=34 * len(ranges) + 24,
        splits=list(splits(view)),
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


def splits(view: View) -> Iterator[Split]:
    """Where money, energy, carbon and the time of a step go, of the parts there are."""
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
        yield PageTable(
            title="Stages",
            head=["stage", *labels],
            rows=stages,
            numbers=(1, 2, 3, 4),
            caption="What each part comes to; time is of one of its runs.",
        )
    figures = [(row.label, row.text, row.range or row.why, row.by) for row in view.rows]
    yield PageTable(
        title="Figures",
        head=("figure", "value", "90 % range, or why unknown", "who says it"),
        rows=figures,
        numbers=(1,),
        caption=_caption(view),
    )
    yield from _runs(view)
    yield from _work(view)
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
            caption="The share of the variance of a figure's logarithm that goes with an input.",
        )
    boundary = view.report.get("boundary")
    if boundary:
        yield PageTable(
            title="What is counted",
            head=("part", "counted", "why"),
            rows=[
                (item["name"], _COUNTED[item.get("counted")], item.get("why") or "")
                for item in [*boundary["stages"], *boundary["components"]]
            ],
            caption=f"For one unit: {_unit(view)}.",
        )
    for part in view.inputs:
        yield PageTable(
            title="Assumptions" if part.whole else f"Assumptions of {part.name or 'a stage'}",
            head=("key", "value", "basis", "source"),
            rows=[(item.key, item.text, item.basis, item.source) for item in part.inputs],
            caption="Every input with its range, and where it is from.",
        )


def _caption(view: View) -> str:
    """How the figures came about, and of which runs the time is."""
    of = f" Time: {view.time}; device-hours, cost, energy and CO2e are of all runs."
    return f"{view.how[0].upper()}{view.how[1:]}.{of if view.by_run else ''}"


def _unit(view: View) -> str:
    boundary = view.report.get("boundary")
    unit = boundary.get("functional_unit") if boundary else None
    return unit["name"] if unit else "not said"


def _runs(view: View) -> Iterator[PageTable]:
    """The runs behind the figures, where there are any."""
    rows = [
        (
            run.name,
            ", ".join(filter(None, (run.role or "not said", run.state))),
            run.number,
            run.hours,
            run.device_hours,
            run.by,
        )
        for run in view.runs
    ]
    if rows:
        yield PageTable(
            title="Runs",
            head=("run", "role", "number", "hours of one", "device-hours of all", "measured by"),
            rows=rows,
            numbers=(2, 3, 4),
            caption="The runs that the figures are of; number is how many like runs a row is for.",
        )


def _work(view: View) -> Iterator[PageTable]:
    """Green AI's E × D × H, where it is known."""
    work = view.report.get("work")
    if not work or all(work[key]["value"] is None for key in ("E", "D")):
        return
    factors = (
        ("E: FLOP an example", work["E"]),
        ("D: examples", work["D"]),
        ("H: runs", work["H"]),
    )
    rows = []
    for name, item in factors:
        value, unit = item["value"], "" if item["unit"] == "1" else f" {item['unit']}"
        text = "unknown" if value is None else f"{counted(value)}{unit}"
        rows.append((name, text, item.get("why") or ""))
    yield PageTable(
        title="Work: E × D × H",
        head=("factor", "value", "why not"),
        rows=rows,
        numbers=(1,),
        caption="The cost of an example, the examples, the runs (Schwartz et al. 2019, Green AI).",
    )
