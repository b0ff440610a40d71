"""What a notebook shows: a line, a table with bars, a plot, a data frame."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from costcalc.base.assumption import Assumption
from costcalc.base.errors import MissingExtraError
from costcalc.base.filling import environment
from costcalc.base.human import human, percent, span
from costcalc.calculator.explaining import value_of
from costcalc.calculator.result import HEADLINE, Estimate, Result

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pandas import DataFrame

#: told apart by a colour-blind eye, on light pages and dark (Okabe and Ito 2008)
_COLOURS = ("#009e73", "#0072b2", "#cc79a7", "#e69f00", "#56b4e9", "#d55e00", "#f0e442", "#999999")
#: multiples of a value that an axis names
_MARKS = (0.01, 0.1, 0.2, 0.5, 0.7, 1, 1.5, 2, 5, 10, 100)
#: assumptions that are shown, those that drive the ranges first
_SHOWN = 8


def line(made: Estimate) -> str:
    """An estimate in a line: its name and its four figures with their ranges."""
    told = [_told(made.results[name]) for name in HEADLINE if made.results[name].value is not None]
    return f"<Estimate {made.name!r}: {', '.join(told) or 'nothing known'}>"


def _told(result: Result) -> str:
    between = span(result.low, result.high, result.value, result.unit)
    return human(result.value, result.unit) + (f" ({between})" if between else "")


def table(made: Estimate) -> str:
    """An estimate as HTML: figures with their ranges drawn, where they go, what they rest on."""
    page = environment(Path(__file__).parent, finalize=lambda value: html.escape(str(value)))
    hardware = made.details.get("hardware")
    parts = [f"{hardware['count']:,.10g} × {hardware['name']}"] if hardware else []
    parts += [str(made.details[key]) for key in ("precision", "region") if made.details.get(key)]
    return page.get_template("estimate.html.j2").render(
        made=made,
        subtitle=" · ".join(parts),
        figures=list(_figures(made)),
        bars=list(_bars(made)),
        limits=[limit["text"] for limit in made.limits],
        drivers=list(_drivers(made)),
        assumed=list(_assumed(made)),
        notes=[*made.warnings, *made.notes],
    )


def _figures(made: Estimate) -> Iterator[dict[str, object]]:
    known = [made.results[name] for name in HEADLINE if made.results[name].value]
    widest = max([(one.high or 0.0) / (one.value or 1.0) for one in known], default=1.0)
    for name, label in HEADLINE.items():
        one = made.results[name]
        yield {
            "label": label,
            "value": human(one.value, one.unit),
            "between": span(one.low, one.high, one.value, one.unit),
            "note": one.why if one.value is None else one.basis,
            "bar": _bar(one.low, one.value, one.high, widest) if one in known else None,
        }


def _bar(
    low: float | None, value: float | None, high: float | None, widest: float
) -> dict[str, str]:
    """Where a range lies, in percent of ``widest`` times the value.

    >>> _bar(1.0, 2.0, 4.0, 2.0)
    {'left': '25.0', 'width': '75.0', 'at': '50.0'}
    """
    ends = [100 * (end or 0.0) / ((value or 1.0) * widest) for end in (low, value, high)]
    return {
        "left": f"{ends[0]:.1f}",
        "width": f"{max(ends[2] - ends[0], 1):.1f}",
        "at": f"{min(ends[1], 98.5):.1f}",
    }


def _bars(made: Estimate) -> Iterator[dict[str, object]]:
    for of, split in made.breakdown.items():
        total = sum(split.values())
        ranked = sorted(split.items(), key=lambda part: -part[1])[: len(_COLOURS)]
        parts = [
            {
                "name": name,
                "share": percent(value / total),
                "width": f"{100 * value / total:.2f}",
                "colour": colour,
            }
            for (name, value), colour in zip(ranked, _COLOURS, strict=False)
            if value > 0
        ]
        said = ", ".join(f"{part['name']} {part['share']}" for part in parts[:4])
        yield {"of": of, "parts": parts, "said": said}


def _drivers(made: Estimate) -> Iterator[tuple[str, str]]:
    for name, label in HEADLINE.items():
        mine = [driver for driver in made.drivers if driver["of"] == name][:3]
        if mine:
            yield label, ", ".join(f"{d['key']} {percent(float(d['share']))}" for d in mine)


def _assumed(made: Estimate) -> Iterator[dict[str, object]]:
    for item in driving(made)[:_SHOWN]:
        yield {"key": item.key, "value": value_of(item), "basis": item.basis, "source": item.source}


def driving(made: Estimate) -> list[Assumption]:
    """The numbers that nobody gave, those that drive a range most first."""
    share: dict[str, float] = {}
    for driver in made.drivers:
        share[driver["key"]] = max(share.get(driver["key"], 0.0), float(driver["share"]))
    found = [
        item
        for item in made.inputs
        if isinstance(item, Assumption) and item.basis not in ("given", "measured")
    ]
    return sorted(found, key=lambda item: -share.get(item.key, 0.0))


def plot(made: Estimate) -> Figure:
    """The four figures with their ranges, and where money, energy and carbon go.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("a plot", "matplotlib", "plot") from error
    figure = Figure(figsize=(10, 4), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(5, 6))
    known = {name: made.results[name] for name in HEADLINE if made.results[name].value}
    for at, (name, one) in enumerate(known.items()):
        value, low, high = (getattr(one, end) / one.value for end in ("value", "low", "high"))
        left.plot([low, high], [at, at], color=_COLOURS[0], linewidth=6, solid_capstyle="round")
        left.plot([value], [at], marker="|", color="black", markersize=14)
        said = f"{HEADLINE[name]}: {_told(one)}"
        left.annotate(said, (1, at), (0, 10), textcoords="offset points", ha="center", fontsize=9)
    left.set(xscale="log", yticks=[], ylim=(len(known) - 0.4, -0.7), xlabel="times the value")
    marks = [mark for mark in _MARKS if left.get_xlim()[0] < mark < left.get_xlim()[1]]
    left.set_xticks(marks, [f"{mark:g}" for mark in marks])
    left.set_xticks([], minor=True)
    left.set_title("5 to 95 %")
    split = {of: parts for of, parts in made.breakdown.items() if of != "step"}
    for at, parts in enumerate(split.values()):
        start = 0.0
        ranked = sorted(parts.items(), key=lambda part: -part[1])
        for (name, value), colour in zip(ranked, _COLOURS, strict=False):
            share = value / sum(parts.values())
            right.barh(at, share, left=start, color=colour)
            if share > 0.12:  # a word has room
                right.text(start + share / 2, at, f"{name}\n{percent(share)}", ha="center",
                           va="center", fontsize=8)  # fmt: skip
            start += share
    right.set(yticks=range(len(split)), yticklabels=list(split), xticks=[], xlim=(0, 1))
    right.invert_yaxis()
    right.set_title("where it goes")
    figure.suptitle(made.name)
    return figure


def frame(columns: Mapping[str, Sequence[object]], units: Mapping[str, str]) -> DataFrame:
    """A pandas table whose ``attrs["units"]`` says the unit of each column that has one.

    ``polars.from_dataframe`` takes it; pandas hands it over by pyarrow, which must be installed.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError as error:
        raise MissingExtraError("a data frame", "pandas", "pandas") from error
    made = pd.DataFrame(dict(columns))
    made.attrs["units"] = dict(units)
    return made
