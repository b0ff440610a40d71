"""What of a report must agree in any version: products, sums over parts, bounds of the possible."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from costcalc.calculator.result import SUMS, UNITS
from costcalc.report import meters, rated
from costcalc.report.agreeing import each, product, value_of
from costcalc.report.closure import ROUNDED, TOLERANCE, close
from costcalc.report.meters import number, section
from costcalc.report.records import figures

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report, Stage

    AnyPart = Report | Stage

#: how much narrower than the range of its widest part a total's may be, and wider than their sum
_NARROWER, _WIDER = 0.5, 1.05
Record = Mapping[str, object]


def discrepancies(report: Report) -> Iterator[str]:
    """Everything that does not agree, a line each."""
    tolerance = ROUNDED if report.get("figures") == "rounded" else TOLERANCE
    yield from _work(report, tolerance)
    yield from _runs(report, tolerance)
    yield from _project(report, tolerance)
    yield from _totals(report)
    yield from _whole(report)
    for said, one in each(report):
        yield from (f"{said}{line}" for line in meters.discrepancies(one, tolerance))
        yield from (f"{said}{line}" for line in _plausible(one))
    parts: Sequence[tuple[str, AnyPart]] = [("", report)]
    parts = [*parts, *((f"stages[{i}].", stage) for i, stage in enumerate(report["stages"]))]
    for prefix, part in parts:
        if isinstance(part.get("results"), Mapping):
            yield from _part(prefix, part, tolerance)


def _work(report: Report, tolerance: float) -> Iterator[str]:
    """Green AI's E × D × H."""
    work = section(report, "work")
    e, d, h = (number(section(work, key).get("value")) for key in "EDH")
    one, whole = value_of(report, "training_compute"), value_of(report, "total_compute")
    yield from product("results.training_compute", one, (e, d), "work.E × work.D", tolerance)
    yield from product("results.total_compute", whole, (e, d, h), "work.E × D × H", tolerance)


def _runs(report: Report, tolerance: float) -> Iterator[str]:
    tool = str(section(report, "details", "imported").get("name"))
    for index, run in enumerate(report.get("runs") or ()):
        said = number(run.get("device_hours"))
        factors = [number(run.get(key)) for key in ("number", "hours", "devices")]
        key = f"runs[{index}].device_hours"
        yield from product(key, said, factors, "number × hours × devices", tolerance)
        for name in ("number", "hours", "devices", "device_hours", "energy"):
            value = number(run.get(name))
            if value is not None and value < 0:
                yield f"runs[{index}].{name}: negative"
        for line in rated.of_row(cast("Record", run), tool, cast("Record", report)):
            yield f"runs[{index}]: {line}"


def _project(report: Report, tolerance: float) -> Iterator[str]:
    project = section(report, "project")
    total, once = (number(project.get(f"{key}_device_hours")) for key in ("total", "reported"))
    hours = value_of(report, "device_hours")
    if total is not None and hours is not None and not close(total, hours, tolerance):
        yield f"project.total_device_hours: {total:.6g}; results.device_hours is {hours:.6g}"
    ratio = number(project.get("ratio"))
    yield from product(
        "project.total_device_hours", total, (ratio, once), "ratio × reported", tolerance
    )


def _part(prefix: str, part: AnyPart, tolerance: float) -> Iterator[str]:
    yield from _step(prefix, part)
    yield from _signs(prefix, part)
    electricity, making, total = (
        value_of(part, f"carbon_{name}") for name in ("operational", "embodied", "total")
    )
    if total is not None and None in (electricity, making):
        yield f"{prefix}results.carbon_total: {total:.6g}, but a part of it is not known"
    achieved = section(part, "details", "achieved")
    if achieved:
        seconds = 3600 * (value_of(part, "wall_clock") or 0.0)
        keys = ("peak", "devices")
        factors = [*(number(achieved.get(key)) for key in keys), seconds]
        factors.append(value_of(part, "utilization"))
        formula = "utilization × peak × devices × wall clock"
        said = value_of(part, "training_compute")
        yield from product(f"{prefix}results.training_compute", said, factors, formula, tolerance)


def _plausible(report: Report) -> Iterator[str]:
    """Measured figures of a report and of its stages lie between what their meters can see."""
    stages = [(f"stages[{i}].", stage) for i, stage in enumerate(report["stages"])]
    for prefix, part in [("", report), *stages]:
        if isinstance(part.get("results"), Mapping):
            yield from (f"{prefix}results: {x}" for x in rated.of_recorded(cast("Record", part)))


def _step(prefix: str, part: AnyPart) -> Iterator[str]:
    parts, step = section(part, "breakdown", "step"), value_of(part, "step_time")
    numbers = [number(value) for value in parts.values()]
    if not parts or step is None or None in numbers:
        return
    total = sum(value for value in numbers if value is not None)
    if not close(total, step):
        yield (
            f"{prefix}breakdown.step: its parts sum to {total:.6g} s, "
            f"but results.step_time is {step:.6g} s"
        )


def _signs(prefix: str, part: AnyPart) -> Iterator[str]:
    for name in figures(part):
        for key in ("low", "high"):
            if (value_of(part, name, key) or 0.0) < 0:
                yield f"{prefix}results.{name}.{key}: negative"
    for of, shares in (section(part, "breakdown")).items():
        for name, value in section(shares).items():
            if (number(value) or 0.0) < 0:
                yield f"{prefix}breakdown.{of}.{name}: negative"


def _totals(report: Report) -> Iterator[str]:
    """Of a total: null where a part is, a range about as wide as those of the parts."""
    stages = [stage for stage in report["stages"] if isinstance(stage.get("results"), Mapping)]
    if not stages or len(stages) < len(report["stages"]):
        return
    for name in SUMS:
        total = value_of(report, name)
        if total is None or (name == "wall_clock" and section(report, "details").get("parts")):
            continue
        if any(value_of(stage, name) is None for stage in stages):
            yield f"results.{name}: {total:.6g} {UNITS[name]}, but of a stage it is not known"
            continue
        widths = [_width(stage, name) for stage in stages]
        whole = _width(report, name)
        if whole is None or None in widths:
            continue
        known = [width for width in widths if width is not None]
        slack = TOLERANCE * abs(total)
        if whole < _NARROWER * max(known) - slack:
            yield f"results.{name}: its range is narrower than that of a stage"
        if whole > _WIDER * sum(known) + slack:
            yield f"results.{name}: its range is wider than those of the stages together"


def _width(part: AnyPart, name: str) -> float | None:
    low, high = (value_of(part, name, key) for key in ("low", "high"))
    return None if low is None or high is None else high - low


def _whole(report: Report) -> Iterator[str]:
    """Stages and parts cover the whole of what they are of."""
    asked = report["run"].get("stages")
    if isinstance(asked, list) and len(asked) != len(report["stages"]):
        yield f"stages: {len(report['stages'])}, but run.stages has {len(asked)}"
    parts = (report.get("details") or {}).get("parts")
    if not isinstance(parts, list):
        return
    first = row = 0
    for index, part in enumerate(parts):
        if number(part.get("first")) != first:
            said = part.get("first")
            yield f"details.parts[{index}].first: {said}; the parts before end at {first}"
        first += int(number(part.get("stages")) or 1)
        row += int(number(part.get("runs")) or 1)
    if first != len(report["stages"]):
        yield f"details.parts: cover {first} of {len(report['stages'])} stages"
    if row != len(report.get("runs") or ()):
        yield f"details.parts: cover {row} of {len(report.get('runs') or ())} runs"
