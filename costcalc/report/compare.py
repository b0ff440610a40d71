"""Two reports side by side: what changed, what explains it, where conventions differ."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log
from typing import Any

from costcalc.base.human import digits, human, percent
from costcalc.calculator import formulas as pipeline
from costcalc.report import view
from costcalc.report.closure import close, known

Report = Mapping[str, Any]
_EXPLAINED = ("wall_clock", "device_hours", "cost", "energy", "carbon_total")


def lines(a: Report, b: Report) -> Iterator[str]:
    """The comparison, a line each."""
    yield f"A: {view.name(a)} ({view.kind(a)})"
    yield f"B: {view.name(b)} ({view.kind(b)})"
    yield ""
    for key, label in view.ROWS:
        yield f"{label:26} {_change(a, b, key)}"
    found = list(_explained(a, b))
    yield from (
        ["", "What explains it (B's assumption in A, one at a time)", *found] if found else []
    )
    changed = list(_assumptions(a, b))
    yield from ["", "Assumptions that differ", *changed] if changed else []
    conventions = list(_conventions(a, b))
    yield from (
        ["", "Different conventions: not the same quantity", *conventions] if conventions else []
    )


def _change(a: Report, b: Report, key: str) -> str:
    first, second = view.value(a, key), view.value(b, key)
    text = f"{view.text(a, key):>18} -> {view.text(b, key):>18}"
    if first is None or second is None or first == 0:
        return text
    inside = _within(second, view.figure(a, key))
    return f"{text}  ×{digits(second / first)}{inside}"


def _within(value: float, figure: Report) -> str:
    low, high = figure.get("low"), figure.get("high")
    if low is None or high is None or low == high:
        return ""
    return ", within A's range" if low <= value <= high else ", outside A's range"


def _explained(a: Report, b: Report) -> Iterator[str]:
    if a["stages"] or b["stages"]:
        yield "  see the stages: only reports of one run are taken apart"
        return
    mine, theirs = known(a, a), known(b, b)
    before = pipeline.run(mine)
    for key in _EXPLAINED:
        start = before.get(key)
        ratio = _ratio(view.value(a, key), view.value(b, key))
        if start is None or not start or ratio is None or close(ratio, 1.0):
            continue
        effects = []
        for name, value in theirs.items():
            if name not in mine or close(mine[name], value):
                continue
            moved = pipeline.run({**mine, name: value}).get(key)
            effect = _ratio(start, moved)
            if effect is not None and not close(effect, 1.0, 1e-4):
                effects.append((abs(log(effect)), pipeline.INPUTS.get(name, name), effect))
        named = ", ".join(f"{k} ×{digits(e)}" for _, k, e in sorted(effects, reverse=True)[:5])
        yield f"  {key} ×{digits(ratio)}: {named or 'no assumption that both list: measured apart'}"


def _ratio(a: float | None, b: float | None) -> float | None:
    return b / a if a and b and a > 0 and b > 0 else None


def _assumptions(a: Report, b: Report) -> Iterator[str]:
    first = {item["key"]: item for item in a["assumptions"]}
    second = {item["key"]: item for item in b["assumptions"]}
    for key in dict.fromkeys([*first, *second]):
        one, two = first.get(key), second.get(key)
        if one is not None and two is not None and _equal(one["value"], two["value"]):
            continue
        left = f"{view.assumed(one)} ({one['basis']})" if one else "not listed"
        right = f"{view.assumed(two)} ({two['basis']})" if two else "not listed"
        yield f"  {key}: {left} -> {right}"


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return close(float(a), float(b), 1e-9)
    return bool(a == b)


def _conventions(a: Report, b: Report) -> Iterator[str]:
    for key in a["results"]:
        one, two = a["results"].get(key), b["results"].get(key)
        if not isinstance(one, Mapping) or not isinstance(two, Mapping):
            continue
        if one.get("value") is None or two.get("value") is None:
            continue
        first, second = one.get("convention") or "not said", two.get("convention") or "not said"
        if first != second:
            yield f"  {key}: {first} | {second}"
    grid, other = view.assumption(a, "site.grid"), view.assumption(b, "site.grid")
    first, second = _accounting(grid), _accounting(other)
    if grid and other and first != second:
        yield f"  site.grid: {first} | {second}"


def _accounting(grid: Report | None) -> str:
    """Lifecycle or direct, average or marginal, location or market: without the place."""
    words = str((grid or {}).get("why") or "not said").partition(";")[0].split(", ")
    return ", ".join(words[:3])


def show(report: Report) -> Iterator[str]:
    """A report as people read it."""
    yield f"{view.name(report)} ({view.kind(report)})"
    known = {"hardware": view.hardware(report), "place": view.place(report)}
    yield "; ".join(
        f"{what} unknown" if found == "unknown" else found for what, found in known.items()
    )
    yield ""
    for label, value, between, why in view.rows(report):
        yield f"  {label:26} {value:>20}  {between or why}".rstrip()
    for stage in report["stages"]:
        if isinstance(stage.get("results"), Mapping):
            texts = (f"{label} {view.text(stage, key)}" for key, label in view.HEADLINE)
            yield f"  stage {stage.get('name')}: {', '.join(texts)}"
    for run in report.get("runs") or ():
        yield (
            f"  run {run['id']} ({run['role']}): {human(run.get('hours'), 'h')}, "
            f"{human(run.get('device_hours'), 'device_hour')}"
        )
    for of, parts in (report.get("breakdown") or {}).items():
        total = sum(parts.values())
        if total > 0:
            yield f"  {of}: " + ", ".join(f"{k} {percent(v / total)}" for k, v in parts.items())
    for warning in report.get("warnings") or ():
        yield f"  note: {warning}"
