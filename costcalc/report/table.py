"""What a person sees: the answer first, then how it comes about, then what was assumed.

One screen by default; ``verbose`` prints every assumption.  Plain in a pipe and with NO_COLOR.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costcalc.base.human import digits, human, percent, span
from costcalc.base.units import unit as unit_of

if TYPE_CHECKING:
    from rich.console import RenderableType

    from costcalc.base.assumption import Assumption
    from costcalc.calculator.result import Estimate, Result

HEADLINE = (
    ("wall_clock", "Time"),
    ("cost", "Cost"),
    ("energy", "Energy"),
    ("carbon_total", "CO2e"),
)
BAR = 24  # characters that 100 % takes


def render(estimate: Estimate, *, verbose: bool = False) -> RenderableType:
    """The estimate as a rich renderable."""
    from rich.console import Group
    from rich.text import Text

    parts: list[RenderableType] = [Text(estimate.name, style="bold")]
    subtitle = _subtitle(estimate.details)
    if subtitle:
        parts.append(Text(subtitle, style="dim"))
    parts += [Text(""), _headline(estimate, verbose=verbose)]
    parts += _limits(estimate.limits)
    if estimate.stages:
        parts += [_heading("Stages"), _stages(estimate.stages)]
    how = list(_how(estimate))
    if how:
        parts += [_heading("How it comes about"), _pairs(how)]
    shown = {of: split for of, split in estimate.breakdown.items() if of != "step" or verbose}
    if shown:
        parts += [_heading("Where it goes"), _bars(shown)]
    like = _like(estimate)
    if like:
        parts.append(_pairs([("as much as", like)]))
    drivers = list(_drivers(estimate))
    if drivers:
        parts += [_heading("What would narrow the range most"), _pairs(drivers)]
    parts += _assumed(estimate, verbose=verbose)
    parts += [Text(f"note: {warning}", style="yellow") for warning in estimate.warnings]
    return Group(*parts)


def _heading(text: str) -> RenderableType:
    from rich.text import Text

    return Text(f"\n{text}", style="bold")


def _pairs(rows: Sequence[tuple[str, str]]) -> RenderableType:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, text in rows:
        grid.add_row(f"  {name}", text)
    return grid


def _subtitle(details: Mapping[str, Any]) -> str:
    hardware = details.get("hardware") or {}
    parts = []
    if hardware:
        parts.append(f"{hardware['count']:,.10g} × {hardware['name']}{_unit(hardware['unit'])}")
    parts += [str(details[key]) for key in ("precision", "region") if details.get(key)]
    return " · ".join(parts)


def _unit(unit: str) -> str:
    """The unit of count, where it is not plainly a GPU: chips, modules of 2 GCD."""
    return "" if unit.lower() in ("gpu", "device") else f" ({unit})"


def _headline(estimate: Estimate, *, verbose: bool) -> RenderableType:
    from rich.table import Table

    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="bold", no_wrap=True)
    grid.add_column(justify="right", style="bold green", no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(style="dim", overflow="fold")
    rows = (*HEADLINE, ("water", "Water")) if verbose else HEADLINE
    for key, label in rows:
        result = estimate.results[key]
        note = result.why if result.value is None else _note(key, estimate)
        between = span(result.low, result.high, result.value, result.unit)
        grid.add_row(f"  {label}", human(result.value, result.unit), between, note)
    return grid


def _note(key: str, estimate: Estimate) -> str:
    details, results = estimate.details, estimate.results
    if key == "wall_clock" and results["device_hours"].value is not None:
        return f"{human(results['device_hours'].value, 'device_hour')}"
    if key == "cost":
        return str(details.get("price", ""))
    if key == "energy" and results["energy_it"].value is not None:
        return f"{human(results['energy_it'].value, 'kWh')} before the facility's share"
    if key == "carbon_total" and results["carbon_operational"].value is not None:
        made = human(results["carbon_embodied"].value, "kgCO2e")
        used = human(results["carbon_operational"].value, "kgCO2e")
        return f"{used} electricity, {made} hardware"
    return ""


def _limits(limits: Sequence[Mapping[str, Any]]) -> Iterator[RenderableType]:
    from rich.text import Text

    for limit in limits:
        style = "green" if limit["passed"] is False else "bold red"
        yield Text(f"  {limit['text']}", style=style)


def _stages(stages: Sequence[Estimate]) -> RenderableType:
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    table.add_column(style="cyan", no_wrap=True)
    for _ in HEADLINE:
        table.add_column(justify="right")
    for stage in stages:
        figures = [human(stage.results[key].value, stage.results[key].unit) for key, _ in HEADLINE]
        table.add_row(f"  {stage.name}", *figures)
    return table


def _how(estimate: Estimate) -> Iterator[tuple[str, str]]:
    """The steps from the model to the result, one line each."""
    yield from estimate.details.get("steps", ())


def _bars(breakdown: Mapping[str, Mapping[str, float]]) -> RenderableType:
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(no_wrap=True, width=BAR)
    grid.add_column(overflow="fold")
    for of, parts in breakdown.items():
        ranked = sorted(parts.items(), key=lambda part: -part[1])[: len(COLOURS)]
        total = sum(parts.values())
        bar = Text()
        widths = _widths([value / total for _, value in ranked])
        for (_, fill), width, colour in zip(
            zip(ranked, FILLS * 2, strict=False), widths, COLOURS, strict=False
        ):
            bar.append(fill * width, style=colour)
        words = [f"{name} {percent(value / total)}" for name, value in ranked]
        grid.add_row(f"  {of}", bar, ", ".join(words))
    return grid


COLOURS = ("green", "blue", "magenta", "yellow", "cyan", "red", "white", "bright_black")
FILLS = "█▓▒░"  # so that parts can be told apart without colours


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


def _like(estimate: Estimate) -> str:
    """What the carbon and the energy compare with in everyday life."""
    from costcalc.catalog.equivalence import equivalences

    carbon, energy = estimate.results["carbon_total"], estimate.results["energy"]
    words = []
    if carbon.value:
        words += [
            t.phrase(carbon.value * 1e3)
            for t in equivalences("carbon")
            if t.count(carbon.value * 1e3) >= LEAST_OF
        ]
    if energy.value:
        words += [
            t.phrase(energy.value * 3.6e6)
            for t in equivalences("energy")[:1]
            if t.count(energy.value * 3.6e6) >= LEAST_OF
        ]
    return "; ".join(words)


LEAST_OF = 0.1  # a hundredth of a flight says nothing


def _drivers(estimate: Estimate, at_most: int = 3) -> Iterator[tuple[str, str]]:
    for key, label in HEADLINE:
        mine = [d for d in estimate.drivers if d["of"] == key][:at_most]
        if mine:
            yield label, ", ".join(f"{d['key']} {percent(float(d['share']))}" for d in mine)


def _assumed(estimate: Estimate, *, verbose: bool) -> Iterator[RenderableType]:
    from costcalc.base.assumption import Assumption

    listed = [a for a in estimate.assumptions if verbose or a.basis not in ("given", "measured")]
    if not listed:
        return
    ranked = listed if verbose else _by_weight(estimate, listed)[:4]
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


def _by_weight(estimate: Estimate, listed: Sequence[Any]) -> list[Any]:
    weight: dict[str, float] = {}
    for driver in estimate.drivers:
        weight[driver["key"]] = max(weight.get(driver["key"], 0.0), float(driver["share"]))
    return sorted(listed, key=lambda item: -weight.get(item.key, 0.0))


def value_of(item: Assumption) -> str:
    """An assumption's value in its unit, with its range."""
    factor = unit_of(item.unit).factor
    unit = "" if item.unit == "1" else f" {item.unit}"
    text = f"{digits(item.value / factor, 4)}{unit}"
    if not item.exact:
        text += f" [{digits(item.low / factor)} – {digits(item.high / factor)}]"
    return text


def spread_of(result: Result) -> str:
    """A result with its range, on one line."""
    between = span(result.low, result.high, result.value, result.unit)
    text = human(result.value, result.unit)
    return f"{text} ({between})" if between else text
