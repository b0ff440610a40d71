"""Step 2 of verifying: whether the figures of a report follow from one another.

Every identity uses only what the report itself carries, through the formulas of
:mod:`costcalc.calculator.formulas`, and holds in any version of the data.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeGuard

from costcalc.base import units
from costcalc.base.errors import CostcalcError
from costcalc.calculator import formulas as pipeline
from costcalc.calculator.result import UNITS

TOLERANCE = 1e-6  # relative; figures are written with all their digits
ROUNDED = 0.006  # of a figure whose parts were published rounded to three digits
SUMS = (
    "training_compute",
    "total_compute",
    "wall_clock",
    "device_hours",
    "cost",
    "energy",
    "energy_it",
    "water",
    "carbon_operational",
    "carbon_embodied",
    "carbon_total",
)
_BREAKDOWN = {"cost": "cost", "energy": "energy", "carbon": "carbon_total"}

Report = Mapping[str, Any]


def discrepancies(report: Report) -> Iterator[str]:
    """Everything that does not follow, a line each."""
    for prefix, part in _scopes(report):
        yield from _figures(prefix, part)
        yield from _ranges(prefix, part)
        yield from _breakdown(prefix, part)
    parts = [report] if not report["stages"] else report["stages"]
    for index, part in enumerate(parts):
        yield from _formulas(f"stages[{index}]." if report["stages"] else "", part, report)
    yield from _stages(report)
    yield from _runs(report)
    yield from _limits(report)


def checked(report: Report) -> int:
    """How many formulas could be checked."""
    parts = report["stages"] or [report]
    return sum(sum(1 for _ in _expected(part, report)) for part in parts)


def _scopes(report: Report) -> Iterator[tuple[str, Report]]:
    yield "", report
    for index, stage in enumerate(report["stages"]):
        if isinstance(stage.get("results"), dict):
            yield f"stages[{index}].", stage


def known(part: Report, report: Report) -> dict[str, float]:
    """The inputs of the pipeline that a part of a report lists, in SI."""
    listed: dict[str, Any] = {}
    for item in (*report.get("assumptions", ()), *part.get("assumptions", ())):
        if isinstance(item, Mapping) and "key" in item:
            listed[str(item["key"])] = item
    found = {}
    for name, key in pipeline.INPUTS.items():
        value = _si(listed.get(key))
        if value is not None:
            found[name] = value
    mean = _si(listed.get("hardware.mean_power"))
    if mean is not None:
        found["mean_power"] = mean
    _boards_alone(found)
    if found.get("generation"):  # its FLOPs stand apart
        found.pop("training_flops", None)
        details = part.get("details") or {}
        apart = (details.get("work") or {}).get("training_flops")
        if _is_number(apart):
            found["training_flops"] = float(apart)
    share = (part.get("run") or report.get("run") or {}).get("hardware") or {}
    if isinstance(share, Mapping) and share.get("share") is not None:
        found.pop("devices", None)
    return found


def _boards_alone(found: dict[str, float]) -> None:
    """Published cards give one power a device: the boards at it, nothing beside them."""
    if "board_power" in found and not {"idle_power", "host_power", "redone"} & found.keys():
        found.setdefault("mean_power", found["board_power"])
        found.setdefault("host_power", 0.0)
        found.setdefault("network_share", 0.0)


def _si(item: Any) -> float | None:
    if not isinstance(item, Mapping) or not _is_number(item.get("value")):
        return None
    try:
        return float(item["value"]) * units.unit(str(item.get("unit") or "1")).factor
    except CostcalcError:
        return None


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _si_results(part: Report) -> dict[str, float]:
    found = {}
    for name, unit in UNITS.items():
        figure = (part.get("results") or {}).get(name) or {}
        if _is_number(figure.get("value")) and name != "throughput":
            found[name] = float(figure["value"]) * units.unit(unit).factor
    return found


def _expected(part: Report, report: Report) -> Iterator[tuple[str, float, float, str]]:
    """Each figure that follows: its name, what it is, what it should be, the formula."""
    inputs, stated = known(part, report), _si_results(part)
    measured = {
        name
        for name, figure in (part.get("results") or {}).items()
        if figure.get("basis") in ("measured", "given")
    }
    values = {**inputs, **stated}
    for figure in pipeline.FIGURES:
        name, needs = figure.__name__, pipeline.needs(figure)
        if not all(need in values for need in needs):
            continue
        made = _computed(figure, {need: values[need] for need in needs})
        if made is None:
            continue
        if name in stated and not (name in measured and _independent(name, measured)):
            yield name, stated[name], made, pipeline.formula(figure)
        values.setdefault(name, made)
    if "model_flops" in inputs and "training_compute" in stated:
        yield "training_compute", stated["training_compute"], inputs["model_flops"], "model_flops"


def _independent(name: str, measured: set[str]) -> bool:
    """Whether a measured figure stands for itself rather than following from a measured one."""
    return name in _METERED and _METERED[name] not in measured


# What a meter or a bill can say, and the measured figure that it would have to agree with.
_METERED = {
    "wall_clock": "",
    "device_hours": "wall_clock",
    "energy_it": "",
    "energy": "energy_it",
    "cost": "",
}


def _computed(figure: Any, values: Mapping[str, float]) -> float | None:
    try:
        made = float(figure(**values))
    except (ArithmeticError, ValueError):
        return None
    return made if abs(made) < 1e300 else None


def _formulas(prefix: str, part: Report, report: Report) -> Iterator[str]:
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


def _figures(prefix: str, part: Report) -> Iterator[str]:
    for name, figure in (part.get("results") or {}).items():
        key = f"{prefix}results.{name}"
        if not isinstance(figure, Mapping):
            continue
        if figure.get("value") is None and not figure.get("why"):
            yield f"{key}: null without a why"
        allowed = {"token/s", "sample/s"} if name == "throughput" else {UNITS.get(name)}
        if name in UNITS and name != "throughput" and figure.get("unit") not in allowed:
            yield f"{key}: in {figure.get('unit')}; its unit is {UNITS[name]}"
        value = figure.get("value")
        if _is_number(value) and value < 0:
            yield f"{key}: negative"


def _ranges(prefix: str, part: Report) -> Iterator[str]:
    named = [
        (f"{prefix}results.{name}", figure) for name, figure in (part.get("results") or {}).items()
    ]
    named += [
        (f"{prefix}assumptions {item.get('key')}", item)
        for item in part.get("assumptions", ())
        if isinstance(item, Mapping)
    ]
    for key, item in named:
        if not isinstance(item, Mapping):
            continue
        numbers: list[Any] = [item.get(name) for name in ("low", "value", "high")]
        if not all(_is_number(number) for number in numbers):
            continue
        low, value, high = numbers
        slack = 1e-9 * max(abs(low), abs(high), abs(value))
        if not low - slack <= value <= high + slack:
            yield f"{key}: its range {low:.6g} to {high:.6g} does not contain {value:.6g}"


def _breakdown(prefix: str, part: Report) -> Iterator[str]:
    for of, name in _BREAKDOWN.items():
        parts = (part.get("breakdown") or {}).get(of)
        value = ((part.get("results") or {}).get(name) or {}).get("value")
        if not isinstance(parts, Mapping) or not parts or not _is_number(value):
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


def _stages(report: Report) -> Iterator[str]:
    stages: Sequence[Report] = report["stages"]
    for name in SUMS if stages else ():
        values: list[Any] = [
            ((s.get("results") or {}).get(name) or {}).get("value") for s in stages
        ]
        total = report["results"][name]["value"]
        if total is None or not all(_is_number(value) for value in values):
            continue
        if not close(sum(values), total):
            yield (
                f"results.{name}: {total:.6g} {UNITS[name]}, but the stages sum to "
                f"{sum(values):.6g}"
            )


def _runs(report: Report) -> Iterator[str]:
    runs: Sequence[Report] = report.get("runs") or ()
    seen: set[str] = set()
    for index, run in enumerate(runs):
        if run["id"] in seen:
            yield f"runs[{index}].id: {run['id']} stands twice: it is counted twice"
        seen.add(run["id"])
    for name in ("device_hours", "energy"):
        total = report["results"][name]["value"]
        values: list[Any] = [run.get(name) for run in runs]
        if not runs or total is None or not all(_is_number(value) for value in values):
            continue
        summed = sum(values)
        if not close(summed, total):
            yield (f"results.{name}: {total:.6g} {UNITS[name]}, but the runs sum to {summed:.6g}")


def _limits(report: Report) -> Iterator[str]:
    for index, limit in enumerate(report.get("limits") or ()):
        value, most = limit.get("value"), limit.get("limit")
        if _is_number(value) and _is_number(most) and limit.get("passed") is not (value > most):
            said = limit.get("passed")
            yield f"limits[{index}]: says passed: {said} of {value:.6g} to {most:.6g}"
