"""From calculated parts to the estimate: figures in their units, with ranges and reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from costcalc.base.assumption import Assumption, Choice
from costcalc.base.ranges import drivers, percentiles
from costcalc.base.units import unit
from costcalc.calculator import describe, formulas
from costcalc.calculator.calculated import Calculated
from costcalc.calculator.limits import judged
from costcalc.calculator.result import UNITS, Estimate, Result
from costcalc.runfile.loading import Request
from costcalc.throughput.basis import data_per_step

# Results that are sums over stages; the others are of one part.
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


# --- one part -------------------------------------------------------------------------------------


def single(part: Calculated, request: Request) -> Estimate:
    """The estimate of a run of one part."""
    results = _results(part)
    listed = _unique(part.assumptions)
    named = request.run.name or part.trained.name or part.given.name
    made = Estimate(
        name=part.given.part.name or named,
        results=results,
        assumptions=listed,
        drivers=_drivers(part.draws, _numbers(part.assumptions), results),
        warnings=part.warnings,
        breakdown=describe.breakdown(part.values, part.timed, part.measured),
        details=describe.details(part, results),
        run=describe.filled(part.given.raw, listed, request.raw),
        subject=_subject(request),
        data=describe.data_files(part),
        values={name: float(value) for name, value in part.values.items()},
        measured=part.measured,
    )
    return _judged(made, request, part.draws)


def _subject(request: Request) -> dict[str, Any] | None:
    subject = request.run.subject
    return subject.model_dump(exclude_none=True) if subject else None


def _judged(made: Estimate, request: Request, draws: Mapping[str, Any]) -> Estimate:
    if request.run.limits is None:
        return made
    return replace(made, limits=judged(request.run.limits, request.run.price, made.results, draws))


def _unique(items: Sequence[Assumption | Choice]) -> tuple[Assumption | Choice, ...]:
    """Each key once, the first wins; what the time stage fixes comes before what it rests on."""
    listed: dict[str, Assumption | Choice] = {}
    for item in items:
        if item.key != "hardware.devices":  # it is hardware.count, or that times a share
            listed.setdefault(item.key, item)
    return tuple(listed.values())


def _numbers(items: Sequence[Assumption | Choice]) -> list[Assumption]:
    return [item for item in items if isinstance(item, Assumption)]


def _drivers(
    draws: Mapping[str, Any], assumptions: Sequence[Assumption], results: Mapping[str, Result]
) -> list[dict[str, object]]:
    named = {name: draws[name] for name in UNITS if name in draws and name in results}
    return drivers(named, assumptions)


def _results(part: Calculated) -> dict[str, Result]:
    made = _of_the_model(part)
    for name in SUMS:
        if name not in made:
            made[name] = _figure(name, part)
    return {name: made[name] for name in UNITS}


def _figure(name: str, part: Calculated) -> Result:
    """A figure of the formulas, in its unit, with its range."""
    factor = unit(UNITS[name]).factor
    if name not in part.values:
        return Result(
            value=None,
            low=None,
            high=None,
            unit=UNITS[name],
            basis="modelled",
            why=_why(name, part),
        )
    value = float(part.values[name]) / factor
    low, high = percentiles(part.draws.get(name, value), float(part.values[name]))
    return Result(
        value=value,
        low=min(low / factor, value),
        high=max(high / factor, value),
        unit=UNITS[name],
        basis="measured" if name in part.measured else "modelled",
    )


def _why(name: str, part: Calculated) -> str:
    lacking = formulas.missing(name, part.values)
    reasons = list(dict.fromkeys(part.why[need] for need in lacking if need in part.why))
    if reasons:
        return "; ".join(reasons)
    if "generation" in lacking and part.timed is not None:
        return part.timed.throughput.generation_why
    if any(need in lacking for need in ("model_flops", "training_flops", "utilization", "peak")):
        return "no model and size of the data given: nothing to calculate it from"
    return f"needs {', '.join(lacking)}"


def _of_the_model(part: Calculated) -> dict[str, Result]:
    """Parameters, compute, utilization, throughput, step time and memory."""
    work = part.trained.work
    nothing = "no model given"
    made = {
        name: _plain(
            name,
            getattr(work, name) if work else None,
            "the parameter count is not known" if work else nothing,
        )
        for name in ("parameters", "active_parameters")
    }
    if work is None:
        compute = Result(
            value=None, low=None, high=None, unit="FLOP", basis="modelled", why=nothing
        )
        made |= {"training_compute": compute, "total_compute": compute}
    else:
        made["training_compute"] = replace(_compute(part), convention=work.convention)
    made["utilization"] = _utilization(part)
    made["throughput"], made["step_time"] = _rates(part)
    made["memory_per_device"] = _memory(part)
    return made


def _plain(name: str, value: float | None, why: str) -> Result:
    value = None if value is None else float(value)
    return Result(
        value=value,
        low=value,
        high=value,
        unit=UNITS[name],
        basis="modelled",
        why=why if value is None else "",
    )


def _compute(part: Calculated) -> Result:
    value = float(part.values["model_flops"])
    low, high = percentiles(part.draws.get("model_flops", value), value)
    item = next(a for a in part.assumptions if a.key == "training.model_flops")
    return Result(value=value, low=low, high=high, unit="FLOP", basis=item.basis)


def _utilization(part: Calculated) -> Result:
    convention = part.timed.throughput.convention if part.timed else ""
    if "utilization" in part.values:
        value = float(part.values["utilization"])
        low, high = percentiles(part.draws.get("utilization", value), value)
        item = next(a for a in part.assumptions if a.key == "hardware.utilization")
        return Result(
            value=value, low=low, high=high, unit="1", basis=item.basis, convention=convention
        )
    return Result(
        value=None,
        low=None,
        high=None,
        unit="1",
        basis="modelled",
        why="no model and size of the data given",
    )


def _rates(part: Calculated) -> tuple[Result, Result]:
    """Throughput while it trains, and the time of a step."""
    work, time = part.trained.work, part.timed
    shown = f"{work.datum}/s" if work else "token/s"
    if work is None or time is None or "training_time" not in part.values:
        why = (time.throughput.why if time else "") or "no model and size of the data given"
        empty = Result(value=None, low=None, high=None, unit=shown, basis="modelled", why=why)
        return empty, replace(empty, unit="s")
    seconds = float(part.values["training_time"])
    low, high = percentiles(part.draws.get("training_time", seconds), seconds)
    basis = "modelled" if time.throughput.utilization.basis == "modelled" else "measured"
    if not work.data:
        why = "the budget is given in FLOP: how many data it trains on is not known"
        empty = Result(value=None, low=None, high=None, unit=shown, basis="modelled", why=why)
        return empty, replace(empty, unit="s")
    each = data_per_step(work, time.recipe) / work.data
    rate = Result(
        value=work.data / seconds,
        low=work.data / high,
        high=work.data / low,
        unit=shown,
        basis="modelled" if basis == "modelled" else "measured",
    )
    step = Result(
        value=seconds * each, low=low * each, high=high * each, unit="s", basis=rate.basis
    )
    return rate, step


def _memory(part: Calculated) -> Result:
    found = part.timed.throughput.memory if part.timed else None
    if found is None:
        why = part.timed.throughput.memory_why if part.timed else "no model given"
        return Result(value=None, low=None, high=None, unit="GiB", basis="modelled", why=why)
    low, value, high = (float(size) / 2**30 for size in (found.low, found.value, found.high))
    return Result(value=value, low=low, high=high, unit="GiB", basis="modelled")


# --- several stages ------------------------------------------------------------------------------


def combined(parts: Sequence[Calculated], request: Request) -> Estimate:
    """The estimate of a run of several stages: what adds up is added, draw by draw."""
    stages = [_stage(part, request) for part in parts]
    results: dict[str, Result] = {}
    summed: dict[str, Any] = {}
    for name in UNITS:
        if name in SUMS:
            results[name], total = _sum(name, parts, stages)
            summed |= {name: total} if total is not None else {}
        else:
            results[name] = _of_last(name, stages)
    assumptions = [item for part in parts for item in part.assumptions]
    made = Estimate(
        name=request.run.name or "project",
        results=results,
        assumptions=_shared(stages),
        drivers=_drivers(summed, _numbers(assumptions), results),
        warnings=tuple(f"{s.name}: {w}" for s in stages for w in s.warnings),
        breakdown=describe.summed([stage.breakdown for stage in stages]),
        run=describe.whole(request),
        subject=_subject(request),
        data={name: digest for stage in stages for name, digest in stage.data.items()},
        stages=tuple(stages),
    )
    return _judged(made, request, summed)


def _stage(part: Calculated, request: Request) -> Estimate:
    made = single(part, replace(request, run=request.run.model_copy(update={"limits": None})))
    return replace(made, name=part.given.name)


def _sum(
    name: str, parts: Sequence[Calculated], stages: Sequence[Estimate]
) -> tuple[Result, Any | None]:
    unknown = [stage.name for stage in stages if stage.results[name].value is None]
    if unknown:
        reason = stages[[s.name for s in stages].index(unknown[0])].results[name].why
        why = f"unknown for stage {', '.join(unknown)}: {reason}"
        return Result(
            value=None, low=None, high=None, unit=UNITS[name], basis="modelled", why=why
        ), None
    key = "model_flops" if name == "training_compute" else name
    factor = unit(UNITS[name]).factor
    value = sum(float(part.values[key]) for part in parts)
    total = sum(part.draws.get(key, part.values[key]) for part in parts)
    low, high = percentiles(total, value)
    all_measured = all(name in part.measured for part in parts)
    return Result(
        value=value / factor,
        low=low / factor,
        high=high / factor,
        unit=UNITS[name],
        basis="measured" if all_measured else "modelled",
        convention=stages[0].results[name].convention,
    ), total


def _of_last(name: str, stages: Sequence[Estimate]) -> Result:
    """A figure that does not add up: the same in every stage, or null with a reason."""
    found = [stage.results[name] for stage in stages]
    if all(result == found[0] for result in found):
        return found[0]
    if name == "memory_per_device" and all(result.value is not None for result in found):
        return max(found, key=lambda result: result.value or 0.0)
    return Result(
        value=None,
        low=None,
        high=None,
        unit=found[0].unit,
        basis="modelled",
        why="differs from stage to stage: see stages",
    )


def _shared(stages: Sequence[Estimate]) -> tuple[Assumption | Choice, ...]:
    """Assumptions that all stages share; those of one stage stand in its own list."""
    first, *others = stages
    return tuple(
        item for item in first.assumptions if all(item in other.assumptions for other in others)
    )
