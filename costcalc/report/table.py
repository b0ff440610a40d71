"""What a person sees: the answer first, then how it comes about, then what was assumed.

One screen by default; ``verbose`` prints every assumption.  Plain in a pipe and with NO_COLOR.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costcalc.base.human import human, many, percent, span
from costcalc.calculator.explaining import value_of
from costcalc.calculator.result import HEADLINE

if TYPE_CHECKING:
    from rich.console import RenderableType

    from costcalc.base.assumption import Assumption, Choice
    from costcalc.calculator.report_schema import Details
    from costcalc.calculator.result import Estimate, Result

BAR = 24  # characters that 100 % takes
COLOURS = ("green", "blue", "magenta", "yellow", "cyan", "red", "white", "bright_black")
FILLS = "█▓▒░"  # so that parts can be told apart without colours
LEAST_OF = 0.1  # a hundredth of a flight says nothing
_NAME = {"style": "cyan", "no_wrap": True}


def render(estimate: Estimate, *, verbose: bool = False) -> RenderableType:
    """The estimate as a rich renderable."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(estimate.name, style="bold")]
    beneath = subtitle(estimate.details)
    if beneath:
        parts.append(Text(beneath, style="dim"))
    parts += [Text(""), _headline(estimate, verbose=verbose)]
    parts += _limits(estimate.limits)
    if estimate.stages:
        parts += [_heading("Stages"), _stages(estimate.stages)]
    how = [*estimate.details.get("steps", ()), *nearby(estimate)]
    if how:
        parts += [_heading("How it comes about"), _pairs(how)]
    shown = {of: split for of, split in estimate.breakdown.items() if of != "step" or verbose}
    if shown:
        parts += [_heading("Where it goes"), _bars(shown)]
    like = likened(estimate)
    if like:
        parts.append(_pairs([("as much as", like)]))
    drivers = list(_drivers(estimate))
    if drivers:
        parts += [_heading("What would narrow the range most"), _pairs(drivers)]
    parts += _assumed(estimate, verbose=verbose)
    parts += [Text(f"note: {warning}", style="yellow") for warning in estimate.warnings]
    parts += [Text(f"note: {note}", style="yellow") for note in estimate.notes]
    return Group(*parts)


def nearby(estimate: Estimate) -> Iterator[tuple[str, str]]:
    """The nearest run that was measured, where one is near."""
    from costcalc.calculator.nearby import nearest

    found = nearest(estimate)
    if found is not None:
        run, speed = found
        yield "measured nearby", run.words(speed)


def _heading(text: str) -> RenderableType:
    from rich.text import Text

    return Text(f"\n{text}", style="bold")


def _grid(
    rows: Iterable[Sequence[RenderableType]], *columns: Mapping[str, Any], gap: int = 2
) -> RenderableType:
    """Rows set in by two; of each column what rich's ``add_column`` takes."""
    from rich.table import Table

    grid = Table.grid(padding=(0, gap))
    for column in columns:
        grid.add_column(**column)
    for name, *cells in rows:
        grid.add_row(f"  {name}", *cells)
    return grid


def _pairs(rows: Iterable[Sequence[str]]) -> RenderableType:
    return _grid(rows, _NAME, {"overflow": "fold"})


def subtitle(details: Mapping[str, Any]) -> str:
    """On what, in which precision and where, as far as it is said."""
    hardware = details.get("hardware")
    parts = []
    if hardware:
        unit = hardware["unit"]  # where it is not plainly a GPU: chips, modules of 2 GCD
        shown = "" if unit.lower() in ("gpu", "device") else f" ({unit})"
        parts.append(f"{many(hardware['count'])} × {hardware['name']}{shown}")
    parts += [str(details[key]) for key in ("precision", "region") if details.get(key)]
    return " · ".join(parts)


def _headline(estimate: Estimate, *, verbose: bool) -> RenderableType:
    rows = []
    for key, label in (HEADLINE | {"water": "Water"} if verbose else HEADLINE).items():
        result = estimate.results[key]
        between = span(result.low, result.high, result.value, result.unit)
        text = human(result.value, result.unit, exact=result.low == result.high)
        rows.append((label, text, between, note(key, estimate)))
    return _grid(
        rows,
        {"style": "bold", "no_wrap": True},
        {"justify": "right", "style": "bold green", "no_wrap": True},
        {"no_wrap": True},
        {"style": "dim", "overflow": "fold"},
    )


def note(key: str, estimate: Estimate) -> str:
    """What is said beside a figure of the headline: of what it is, or why it is not known."""
    if estimate.results[key].value is None:
        return estimate.results[key].why
    details, results = estimate.details, estimate.results
    if key == "wall_clock" and results["device_hours"].value is not None:
        return _held(results["device_hours"], details)
    if key == "cost":
        return str(details.get("price", ""))
    if key == "energy" and results["energy_it"].value is not None:
        return f"{_before(results['energy'], results['energy_it'])} before the facility's share"
    if key == "carbon_total" and results["carbon_operational"].value is not None:
        made = human(results["carbon_embodied"].value, "kgCO2e")
        used = human(results["carbon_operational"].value, "kgCO2e")
        return f"{used} electricity, {made} hardware"
    return ""


def _before(energy: Result, before: Result) -> str:
    """Energy before PUE; with its range where that is of PUE alone, which was divided out."""
    made = human(before.value, "kWh")
    between = span(before.low, before.high, before.value, "kWh")
    return f"{made} ({between})" if between and energy.low == energy.high else made


def _held(hours: Result, details: Details) -> str:
    """Device-hours beside the time of one run, said to be of all where there are several."""
    text = human(hours.value, "device_hour", exact=hours.low == hours.high)
    runs = (details.get("by_run") or {}).get("runs")
    return f"of one run; {text} of all {runs:,.4g}" if isinstance(runs, float) else text


def _limits(limits: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    from rich.text import Text

    for limit in limits:
        style = "green" if limit["passed"] is False else "bold red"
        yield Text(f"  {limit['text']}", style=style)


def _stages(stages: Sequence[Estimate]) -> RenderableType:
    rows = [
        (
            stage.name,
            *(human(stage.results[key].value, stage.results[key].unit) for key in HEADLINE),
        )
        for stage in stages
    ]
    return _grid(rows, _NAME, *[{"justify": "right"}] * len(HEADLINE))


def _bars(breakdown: Mapping[str, Mapping[str, float]]) -> RenderableType:
    from rich.text import Text

    rows = []
    for of, parts in breakdown.items():
        ranked = sorted(parts.items(), key=lambda part: -part[1])[: len(COLOURS)]
        total = sum(parts.values())
        bar = Text()
        widths = _widths([value / total for _, value in ranked])
        for width, fill, colour in zip(widths, FILLS * 2, COLOURS, strict=False):
            bar.append(fill * width, style=colour)
        rows.append((of, bar, ", ".join(f"{n} {percent(value / total)}" for n, value in ranked)))
    return _grid(rows, _NAME, {"no_wrap": True, "width": BAR}, {"overflow": "fold"}, gap=1)


def _widths(shares: Sequence[float]) -> list[int]:
    """Characters for each share, by largest remainder, so that they fill the bar exactly.

    >>> _widths([0.9, 0.1])
    [22, 2]
    """
    widths = [int(share * BAR) for share in shares]
    by_rest = sorted(range(len(shares)), key=lambda i: -(shares[i] * BAR - widths[i]))
    for i in by_rest[: max(round(sum(shares) * BAR) - sum(widths), 0)]:
        widths[i] += 1
    return widths


def likened(estimate: Estimate) -> str:
    """What the carbon and the energy compare with in everyday life."""
    from costcalc.catalog.equivalence import equivalences

    carbon = (estimate.results["carbon_total"].value or 0.0) * 1e3
    energy = (estimate.results["energy"].value or 0.0) * 3.6e6
    likened = [(thing, carbon) for thing in equivalences("carbon") if carbon]
    likened += [(thing, energy) for thing in equivalences("energy")[:1] if energy]
    words = [thing.phrase(of) for thing, of in likened if thing.count(of) >= LEAST_OF]
    return "; ".join(words)


def _drivers(estimate: Estimate, at_most: int = 3) -> Iterator[tuple[str, str]]:
    for key, label in HEADLINE.items():
        mine = [d for d in estimate.drivers if d["of"] == key][:at_most]
        if mine:
            yield label, ", ".join(f"{d['key']} {percent(float(d['share']))}" for d in mine)


def _assumed(estimate: Estimate, *, verbose: bool) -> Iterator[RenderableType]:
    from costcalc.base.assumption import Assumption

    listed = [a for a in estimate.inputs if verbose or a.basis not in ("given", "measured")]
    if not listed:
        return
    ranked = listed if verbose else by_weight(estimate, listed)[:4]
    yield _heading("Assumed" if not verbose else "Every input, with its source")
    rows = []
    for item in ranked:
        value = value_of(item) if isinstance(item, Assumption) else str(item.value)
        text = f"{value}  ({item.basis}: {item.source})"
        if verbose and item.why:
            text += f"; {item.why}"
        rows.append((item.key, text if verbose else _cut(text)))
    yield _pairs(rows)
    if len(listed) > len(ranked):
        from rich.text import Text

        more = len(listed) - len(ranked)
        told = f"  and {more} more: -v lists them, costcalc explain shows formulas"
        yield Text(told, style="dim")


def _cut(text: str, width: int = 52) -> str:
    return text if len(text) <= width else text[: width - 2].rstrip() + "…)"


def by_weight(
    estimate: Estimate, listed: Sequence[Assumption | Choice]
) -> list[Assumption | Choice]:
    """Assumptions, those first that most of a range goes with."""
    weight: dict[str, float] = {}
    for driver in estimate.drivers:
        weight[driver["key"]] = max(weight.get(driver["key"], 0.0), float(driver["share"]))
    return sorted(listed, key=lambda item: -weight.get(item.key, 0.0))
