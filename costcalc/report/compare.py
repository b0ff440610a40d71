"""Two reports side by side: what changed, what explains it, where conventions differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log
from typing import TYPE_CHECKING

from costcalc.base.human import digits, percent
from costcalc.calculator import formulas as pipeline
from costcalc.calculator.result import COMPARED, HEADLINE
from costcalc.report.closure import close, known, same
from costcalc.report.listing import Listed, listed
from costcalc.report.records import figures
from costcalc.report.view import ROWS, View, shown

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Assumed


def lines(first: Mapping[str, object], second: Mapping[str, object]) -> Iterator[str]:
    """The comparison, a line each."""
    a, b = View(first), View(second)
    yield f"A: {a.name} ({a.kind})"
    yield f"B: {b.name} ({b.kind})"
    yield ""
    for key, label in ROWS.items():
        yield f"{label:26} {_change(a, b, key)}"
    for title, found in (
        ("What explains it (B's assumption in A, one at a time)", _explained(a, b)),
        ("Assumptions that differ", _assumptions(a, b)),
        ("Different conventions: not the same quantity", _conventions(a, b)),
    ):
        told = list(found)
        yield from ["", title, *told] if told else []


def _change(a: View, b: View, key: str) -> str:
    mine, theirs = a.figures[key], b.figures[key]
    text = f"{mine.text:>18} -> {theirs.text:>18}"
    if not mine.value or theirs.value is None:
        return text
    text += f"  ×{digits(theirs.value / mine.value)}"
    if mine.low is None or mine.high is None or mine.low == mine.high:
        return text
    return f"{text}, {'within' if mine.low <= theirs.value <= mine.high else 'outside'} A's range"


def _explained(a: View, b: View) -> Iterator[str]:
    if a.stages or b.stages:
        yield "  see the stages: only reports of one run are taken apart"
        return
    mine, theirs = known(a.report, a.report), known(b.report, b.report)
    before = pipeline.run(mine)
    for key in COMPARED:
        ratio = _ratio(a.figures[key].value, b.figures[key].value)
        if not before.get(key) or ratio is None or close(ratio, 1.0):
            continue
        effects = []
        for name, value in theirs.items():
            if name not in mine or close(mine[name], value):
                continue
            effect = _ratio(before[key], pipeline.run({**mine, name: value}).get(key))
            if effect is not None and not close(effect, 1.0, 1e-4):
                effects.append((abs(log(effect)), pipeline.INPUTS.get(name, name), effect))
        named = ", ".join(f"{k} ×{digits(e)}" for _, k, e in sorted(effects, reverse=True)[:5])
        yield f"  {key} ×{digits(ratio)}: {named or 'no assumption that both list: measured apart'}"


def _ratio(a: float | None, b: float | None) -> float | None:
    return b / a if a and b and a > 0 and b > 0 else None


def _assumptions(a: View, b: View) -> Iterator[str]:
    mine = {item["key"]: item for item in a.report["assumptions"]}
    theirs = {item["key"]: item for item in b.report["assumptions"]}
    for key in dict.fromkeys([*mine, *theirs]):
        one, two = mine.get(key), theirs.get(key)
        if one is None or two is None or not same(one["value"], two["value"], 1e-9):
            yield f"  {key}: {_said(one)} -> {_said(two)}"


def _said(item: Assumed | None) -> str:
    return "not listed" if item is None else f"{listed(item).text} ({item['basis']})"


def _conventions(a: View, b: View) -> Iterator[str]:
    others = figures(b.report)
    for key, mine in figures(a.report).items():
        theirs = others.get(key)
        if theirs is None or mine["value"] is None or theirs["value"] is None:
            continue
        first, second = (figure.get("convention") or "not said" for figure in (mine, theirs))
        if first != second:
            yield f"  {key}: {first} | {second}"
    grids = [view.shared("site.grid") for view in (a, b)]
    first, second = (_accounting(grid) for grid in grids)
    if all(grids) and first != second:
        yield f"  site.grid: {first} | {second}"


def _accounting(grid: Listed | None) -> str:
    """Lifecycle or direct, average or marginal, location or market: without the place."""
    words = ((grid.why if grid else "") or "not said").partition(";")[0].split(", ")
    return ", ".join(words[:3])


def show(report: Mapping[str, object]) -> Iterator[str]:
    """A report as people read it."""
    view = View(report)
    yield f"{view.name} ({view.how})"
    told = {"hardware": view.hardware, "place": view.place}
    yield "; ".join(f"{what} unknown" if x == "unknown" else x for what, x in told.items())
    yield ""
    widest = max(26, *(len(row.label) for row in view.rows))
    for row in view.rows:
        words = "; ".join(text for text in (row.range or row.why, row.by) if text)
        yield f"  {row.label:{widest}} {row.text:>20}  {words}".rstrip()
    if view.by_run:
        runs = view.by_run.get("runs")
        yield f"  time: {view.time}; device-hours, cost, energy and CO2e of all {runs:,.4g} runs"
    for stage in view.measured_parts:
        texts = (f"{label} {shown(stage, key).text}" for key, label in HEADLINE.items())
        yield f"  stage {stage.get('name')}: {', '.join(texts)}"
    for run in view.runs:
        each = " each" if run.number != "1" else ""
        words = f" ({run.words})" if run.words else ""
        yield f"  run {run.id}{words}: {run.hours}{each}, {run.device_hours}"
    for of, parts in (view.report.get("breakdown") or {}).items():
        total = sum(parts.values())
        if total > 0:
            yield f"  {of}: " + ", ".join(f"{k} {percent(v / total)}" for k, v in parts.items())
    for warning in view.warnings:
        yield f"  note: {warning}"
