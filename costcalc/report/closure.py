"""Step 2 of verifying: whether the figures of a report follow from one another.

Every identity uses only what the report itself carries, through the formulas of
:mod:`costcalc.calculator.formulas`, and holds in any version of the data.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeGuard

from costcalc.base import units
from costcalc.base.errors import CostcalcError
from costcalc.base.numbers import Number
from costcalc.calculator import formulas as pipeline
from costcalc.calculator.result import SUMS, UNITS
from costcalc.report.records import figures

if TYPE_CHECKING:
    from costcalc.calculator.figure_schema import Figure
    from costcalc.calculator.report_schema import Report, RunEntry, Stage

    AnyPart = Report | Stage

TOLERANCE = 1e-6  # relative; figures are written with all their digits
ROUNDED = 0.006  # of a figure whose parts were published rounded to three digits
_BREAKDOWN = {"cost": "cost", "energy": "energy", "carbon": "carbon_total"}
# Figures that follow from others though no formula of the pipeline makes them.
_OTHERWISE = {"throughput", "step_time", "utilization"}
# What a meter or a bill can say, and the measured figure that it would have to agree with.
_METERED = {
    "wall_clock": "",
    "device_hours": "wall_clock",
    "energy_it": "",
    "energy": "energy_it",
    "cost": "",
}


def discrepancies(report: Report) -> Iterator[str]:
    """Everything that does not follow, a line each."""
    stages = [(f"stages[{index}].", stage) for index, stage in enumerate(report["stages"])]
    told = [(prefix, s) for prefix, s in stages if isinstance(s.get("results"), dict)]
    scopes: list[tuple[str, AnyPart]] = [("", report), *told]
    for prefix, part in scopes:
        yield from _figures(prefix, part)
        yield from _ranges(prefix, part)
        yield from _breakdown(prefix, part)
    for prefix, part in stages or scopes:
        yield from _formulas(prefix, part, report)
    yield from _sums(report)
    yield from _limits(report)


def checked(report: Report) -> int:
    """How many formulas could be checked."""
    parts: Sequence[AnyPart] = report["stages"] or [report]
    return sum(1 for part in parts for _ in _expected(part, report))


def unchecked(report: Report) -> list[str]:
    """Figures that are calculated, and that nothing in the report says how."""
    parts: Sequence[AnyPart] = report["stages"] or [report]
    found: dict[str, None] = {}
    for part in parts:
        followed = {name for name, *_ in _expected(part, report)}
        free = _of(part).keys() - followed - _OTHERWISE
        modelled = [name for name in UNITS if name in free and _value(part, name) is not None]
        found |= dict.fromkeys(n for n in modelled if _of(part)[n].get("basis") == "modelled")
    return list(found)


def known(part: AnyPart, report: Report) -> dict[str, float]:
    """The inputs of the pipeline that a part of a report lists, in SI."""
    items = [*report.get("assumptions", ()), *part.get("assumptions", ())]
    listed = {str(i["key"]): i for i in items if isinstance(i, Mapping) and "key" in i}
    keys = {**pipeline.INPUTS, "mean_power": "hardware.mean_power"}
    si = {name: _si(listed.get(key)) for name, key in keys.items()}
    found = {name: value for name, value in si.items() if value is not None}
    # Published cards give one power a device: the boards at it, nothing beside them.
    if "board_power" in found and not {"idle_power", "host_power", "redone"} & found.keys():
        nothing = dict.fromkeys(("idle_power", "host_power", "network_share"), 0.0)
        found = {"mean_power": found["board_power"], "billed": 1.0, **nothing, **found}
    # A report that lists no devices held beside those used tells of none.
    found.setdefault("billed", 1.0)
    if "mean_power" in found:
        found.setdefault("idle_power", 0.0)
    if found.get("generation"):  # its FLOPs stand apart
        found.pop("training_flops", None)
        apart = ((part.get("details") or {}).get("work") or {}).get("training_flops")
        if _is_number(apart):
            found["training_flops"] = float(apart)
    hardware = (part.get("run") or report.get("run") or {}).get("hardware") or {}
    if isinstance(hardware, Mapping) and hardware.get("share") is not None:
        found.pop("devices", None)
    return found


def _si(item: Mapping[str, object] | None) -> float | None:
    value = item.get("value") if item is not None else None
    if item is None or not _is_number(value):
        return None
    try:
        return float(value) * units.unit(str(item.get("unit") or "1")).factor
    except CostcalcError:
        return None


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _of(part: AnyPart) -> Mapping[str, Figure]:
    return figures(part) if part.get("results") else {}


def _value(part: AnyPart, name: str) -> float | None:
    value = _of(part)[name].get("value") if name in _of(part) else None
    return value if _is_number(value) else None


def _expected(part: AnyPart, report: Report) -> Iterator[tuple[str, float, float, str]]:
    """Each figure that follows: its name, what it is, what it should be, the formula."""
    inputs = known(part, report)
    said = {name: _value(part, name) for name in UNITS if name != "throughput"}
    stated = {
        name: float(value) * units.unit(UNITS[name]).factor
        for name, value in said.items()
        if value is not None
    }
    told = {name for name, f in _of(part).items() if f.get("basis") in ("measured", "given")}
    over = (part.get("run") or report.get("run") or {}).get("measured")
    if isinstance(over, Mapping):  # handed over: it stands for itself, be a part of it modelled
        told.update(over)
    values = {**inputs, **stated}
    for figure in pipeline.FIGURES:
        name, needs = figure.__name__, pipeline.needs(figure)
        if not all(need in values for need in needs):
            continue
        made = _computed(figure, {need: values[need] for need in needs})
        if made is None:
            continue
        # A measured figure stands for itself unless it follows from a measured one.
        alone = name in told and name in _METERED and _METERED[name] not in told
        if name in stated and not alone:
            yield name, stated[name], made, pipeline.formula(figure)
        values.setdefault(name, made)
    if "model_flops" in inputs and "training_compute" in stated:
        yield "training_compute", stated["training_compute"], inputs["model_flops"], "model_flops"


def _computed(figure: Callable[..., Number], values: Mapping[str, float]) -> float | None:
    try:
        made = float(figure(**values))
    except (ArithmeticError, ValueError):
        return None
    return made if abs(made) < 1e300 else None


def _formulas(prefix: str, part: AnyPart, report: Report) -> Iterator[str]:
    tolerance = ROUNDED if report.get("figures") == "rounded" else TOLERANCE
    for name, stated, made, formula in _expected(part, report):
        if not close(stated, made, tolerance):
            unit = UNITS[name]
            factor = units.unit(unit).factor
            yield (
                f"{prefix}results.{name}: {stated / factor:.6g} {unit} does not follow from "
                f"{formula}, which is {made / factor:.6g} {unit} ({_times(stated, made)})"
            )


def _times(stated: float, made: float) -> str:
    if made == 0 or stated == 0:
        return "one of them is 0"
    ratio = stated / made
    return f"{ratio:.3g} times as much" if abs(ratio) >= 1 else f"1/{1 / ratio:.3g} of it"


def close(a: float, b: float, tolerance: float = TOLERANCE) -> bool:
    """Whether two figures agree, relatively.

    >>> close(1.0, 1.0 + 1e-9), close(1.0, 1.1), close(0.0, 0.0)
    (True, False, True)
    """
    return abs(a - b) <= tolerance * max(abs(a), abs(b))


def same(a: object, b: object, tolerance: float) -> bool:
    """Whether two values are the same: numbers to a relative tolerance, else equal."""
    if isinstance(a, (int, float)) and isinstance(b, (int, float)):
        return close(float(a), float(b), tolerance)
    return a == b


def _figures(prefix: str, part: AnyPart) -> Iterator[str]:
    for name, figure in _of(part).items():
        key, value = f"{prefix}results.{name}", figure.get("value")
        if value is None and not figure.get("why"):
            yield f"{key}: null without a why"
        unit = _money(part) if name == "cost" else UNITS.get(name)
        if name != "throughput" and unit not in (None, figure.get("unit")):
            yield f"{key}: in {figure.get('unit')}; its unit is {unit}"
        if _is_number(value) and value < 0:
            yield f"{key}: negative"


def _money(part: AnyPart) -> str:
    """The currency that a part's run asks for."""
    run: Mapping[str, object] = part.get("run") or {}
    price = run.get("price")
    asked = price.get("currency") if isinstance(price, Mapping) else None
    own = asked or (_of(part)["cost"].get("unit") if "cost" in _of(part) and not run else None)
    return str(own or UNITS["cost"])


def _ranges(prefix: str, part: AnyPart) -> Iterator[str]:
    named: list[tuple[str, Mapping[str, object]]] = [
        (f"{prefix}results.{name}", figure) for name, figure in _of(part).items()
    ]
    assumed: Sequence[object] = part.get("assumptions", ())
    listed = [item for item in assumed if isinstance(item, Mapping)]
    named += [(f"{prefix}assumptions {item.get('key')}", item) for item in listed]
    for key, item in named:
        low, value, high = (item.get(name) for name in ("low", "value", "high"))
        if not (_is_number(low) and _is_number(value) and _is_number(high)):
            continue
        slack = 1e-9 * max(abs(low), abs(high), abs(value))
        if not low - slack <= value <= high + slack:
            yield f"{key}: its range {low:.6g} to {high:.6g} does not contain {value:.6g}"


def _breakdown(prefix: str, part: AnyPart) -> Iterator[str]:
    for of, name in _BREAKDOWN.items():
        parts = (part.get("breakdown") or {}).get(of)
        value = _value(part, name)
        if not isinstance(parts, Mapping) or not parts or value is None:
            continue
        if not all(_is_number(number) for number in parts.values()):
            yield f"{prefix}breakdown.{of}: expected numbers"
            continue
        total = sum(parts.values())
        if not close(total, value):
            yield (
                f"{prefix}breakdown.{of}: its parts sum to {total:.6g}, "
                f"but results.{name} is {value:.6g}"
            )


def _sums(report: Report) -> Iterator[str]:
    """What the stages sum to, and the runs, each of which is to stand once."""
    stages, runs = report["stages"], report.get("runs") or ()
    merged = bool((report.get("details") or {}).get("parts"))
    for name in SUMS if stages else ():
        if merged and name == "wall_clock":  # of all runs, those of the stages of one each
            continue
        yield from _sum(report, name, "stages", [_value(stage, name) for stage in stages])
    seen: set[str] = set()
    for index, run in enumerate(runs):
        if run["id"] in seen:
            yield f"runs[{index}].id: {run['id']} stands twice: it is counted twice"
        seen.add(run["id"])
    if runs:
        yield from _sum(report, "device_hours", "runs", [run.get("device_hours") for run in runs])
        yield from _sum(report, "energy", "runs", [run.get("energy") for run in runs])
        if merged:
            yield from _sum(report, "wall_clock", "runs", [_hours(run) for run in runs])


def _hours(run: RunEntry) -> float | None:
    hours = run.get("hours")
    return None if hours is None else (run.get("number") or 1.0) * hours


def _sum(report: Report, name: str, of: str, parts: Sequence[float | None]) -> Iterator[str]:
    total, summed = _value(report, name), sum(part for part in parts if part is not None)
    if total is not None and None not in parts and not close(summed, total):
        yield f"results.{name}: {total:.6g} {UNITS[name]}, but the {of} sum to {summed:.6g}"


def _limits(report: Report) -> Iterator[str]:
    for index, limit in enumerate(report.get("limits") or ()):
        value, most, said = (limit.get(key) for key in ("value", "limit", "passed"))
        if _is_number(value) and _is_number(most) and said is not (value > most):
            yield f"limits[{index}]: says passed: {said} of {value:.6g} to {most:.6g}"
