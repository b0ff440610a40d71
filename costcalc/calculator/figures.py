"""From calculated parts to the estimate: figures in their units, with ranges and reasons."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from costcalc.base.assumption import Assumption, Basis, Choice
from costcalc.base.numbers import Number
from costcalc.base.ranges import drawn, drivers, percentiles
from costcalc.base.units import unit
from costcalc.calculator import achieved, formulas
from costcalc.calculator.breakdown import breakdown, summed
from costcalc.calculator.calculated import Calculated
from costcalc.calculator.details import details, of_stages
from costcalc.calculator.filled import carried, copied, data_files, filled, profiles
from costcalc.calculator.intensity import intensity
from costcalc.calculator.limits import judged
from costcalc.calculator.plausible import of_part
from costcalc.calculator.result import SUMS, UNITS, Estimate, Result, WhenRead, unknown
from costcalc.resolve.known import currency
from costcalc.runfile.loading import Request
from costcalc.throughput.basis import data_per_step

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Details, Driver

# The formulas' name of a result, where it is another.
_FORMULA = {"training_compute": "model_flops"}

# --- one part ------------------------------------------------------------------------------------


def single(part: Calculated, request: Request) -> Estimate:
    """The estimate of a run of one part."""
    results = _results(part)
    listed = _unique(part.assumptions)
    made_of = details(part, results)
    made = Estimate(
        name=part.given.part.name or request.run.name or part.trained.name or part.given.name,
        results=results,
        inputs=listed,
        drivers=_drivers([part], results, whole=False),
        warnings=(*part.warnings, *_implausible(results, made_of)),
        breakdown=breakdown(part.values, part.timed, part.measured),
        details=made_of,
        run=carried(filled(part.given.raw, listed, request.raw), [part]),
        subject=_subject(request),
        data=data_files(part),
        profiles=profiles(part),
        values={name: float(value) for name, value in part.values.items()},
        measured=part.measured,
    )
    return _judged(made, request, part.draws)


def _implausible(results: Mapping[str, Result], made: Details) -> Iterator[str]:
    told = {name: {"value": result.value} for name, result in results.items()}
    return of_part({"results": told, "details": made})


def _subject(request: Request) -> dict[str, object] | None:
    subject = request.run.subject
    return subject.model_dump(exclude_none=True) if subject else None


def _judged(made: Estimate, request: Request, draws: Mapping[str, Number]) -> Estimate:
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


def _drivers(
    parts: Sequence[Calculated], results: Mapping[str, Result], *, whole: bool
) -> Sequence[Driver]:
    """What drives the ranges, drawn again when it is asked for; ``whole``: of sums over parts."""
    if not any(part.draws for part in parts):
        return ()
    inputs = [part.known for part in parts]
    numbers = [item for part in parts for item in part.assumptions if isinstance(item, Assumption)]
    told = [name for name in UNITS if name not in ("sci", "abiotic_depletion")]
    names = [name for name in told if not whole or (name in SUMS and results[name].value)]

    def find() -> Sequence[Driver]:
        draws = [formulas.run(drawn(known)) for known in inputs]
        found: dict[str, Number] = {}
        for name in names:
            key = _FORMULA.get(name, name) if whole else name
            if all(key in one for one in draws):
                found[name] = _added([one[key] for one in draws])
        return cast("list[Driver]", drivers(found, numbers))

    return WhenRead(find)


def _added(parts: Sequence[Number]) -> Number:
    total: Number = 0.0
    for part in parts:
        total = total + part
    return total


def _results(part: Calculated) -> dict[str, Result]:
    made = _of_the_model(part)
    made |= {name: _figure(name, part) for name in SUMS if name not in made}
    made["sci"] = intensity(_figure("sci", part), made, _data(part))
    return {name: made[name] for name in UNITS}


def _data(part: Calculated) -> tuple[float, str] | None:
    """The data of all runs, and what one of them is."""
    work = part.trained.work
    return (work.data * float(part.values["runs"]), work.datum) if work and work.data else None


def _figure(name: str, part: Calculated) -> Result:
    """A figure of the formulas, in its unit, with its range."""
    key, shown = _FORMULA.get(name, name), _unit(name, part)
    if key not in part.values:
        return unknown(shown, _why(name, part))
    basis: Basis = "measured" if _measured(name, part) else "modelled"
    if name in _OF_AN_INPUT and key in part.known:
        basis = part.known[key].basis
    value = float(part.values[key])
    low, high = percentiles(part.draws.get(key, value), value)
    return Result.of(value, low, high, shown, basis)


def _measured(name: str, part: Calculated) -> bool:
    """Whether a figure was measured; device-hours follow from a clock by counting devices."""
    clocked = name == "device_hours" and "wall_clock" in part.measured
    return name in part.measured or clocked


def _unit(name: str, part: Calculated) -> str:
    """The unit of a result: money in the currency that the run file asks for."""
    return currency(part.given.part.price)[0] if name == "cost" else UNITS[name]


_OF_AN_INPUT = ("training_compute", "utilization")


def _why(name: str, part: Calculated) -> str:
    if name == "sci":
        return "needs the CO2e and the compute of the run, of which one is not known"
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
    work, time = part.trained.work, part.timed
    nothing = _not_counted(part)
    why = "the parameter count is not known" if work else nothing
    made: dict[str, Result] = {}
    for name in ("parameters", "active_parameters"):
        count = getattr(work, name) if work else None
        made[name] = unknown("1", why) if count is None else Result.exact(float(count), "1")
    if work is None:
        made |= dict.fromkeys(("training_compute", "total_compute"), unknown("FLOP", nothing))
    else:
        counted = part.known.get("model_flops") or part.known["counted_flops"]
        published = counted.why or "as given in the run file"
        made["training_compute"] = replace(_figure("training_compute", part), convention=published)
    if "utilization" in part.values:
        convention = time.throughput.convention if time else ""
        made["utilization"] = replace(_figure("utilization", part), convention=convention)
    else:
        made["utilization"] = achieved.utilization(part)
    made["throughput"], made["step_time"] = rates(part)
    made["memory_per_device"] = _memory(part)
    return made


def rates(part: Calculated) -> tuple[Result, Result]:
    """Throughput while it trains, and the time of a step."""
    work, time = part.trained.work, part.timed
    if time is None:
        return achieved.rates(part)
    shown = f"{work.datum}/s" if work else "token/s"
    why = ""
    if work is None or "training_time" not in part.values:
        why = time.throughput.why or achieved.NOTHING
    elif not work.data:
        why = "the budget is given in FLOP: how many data it trains on is not known"
    if why or work is None or not work.data:
        return unknown(shown, why), unknown("s", why)
    seconds = float(part.values["training_time"])
    took = part.draws.get("training_time", seconds)
    paced = took
    if "sample_tokens" in part.draws:  # as much longer as there is more to train on
        paced = took * part.known["sample_tokens"].value / part.draws["sample_tokens"]
    low, high = percentiles(paced, seconds)
    # a step of samples is as long as they are, one of packed sequences is of as many tokens
    quick, slow = percentiles(took, seconds) if work.longest is not None else (low, high)
    basis = time.throughput.utilization.basis
    each = data_per_step(work, time.recipe) / work.data
    return (
        Result.of(work.data / seconds, work.data / high, work.data / low, shown, basis),
        Result.of(seconds * each, quick * each, slow * each, "s", basis),
    )


def _memory(part: Calculated) -> Result:
    found = part.timed.throughput.memory if part.timed else None
    if found is None:
        return unknown("GiB", _no_memory(part))
    return Result.of(float(found.value), float(found.low), float(found.high), "GiB", "modelled")


def _not_counted(part: Calculated) -> str:
    """Why nothing is known of a model's work."""
    if part.given.part.model is None:
        return "no model given"
    return "no size of the data given: the model is not counted without"


def _no_memory(part: Calculated) -> str:
    """Why the memory of a device is not known."""
    if part.timed is not None:
        return part.timed.throughput.memory_why
    if part.trained.work is None:
        return _not_counted(part)
    return "the time was measured: no layout was worked out, which would say it"


# --- several stages ------------------------------------------------------------------------------


def combined(parts: Sequence[Calculated], request: Request) -> Estimate:
    """The estimate of a run of several stages: what adds up is added, draw by draw."""
    stages = [_stage(part, request) for part in parts]
    results: dict[str, Result] = {}
    totals: dict[str, Number] = {}
    for name in UNITS:
        if name in SUMS:
            results[name] = _sum(name, parts, stages, totals)
        else:
            results[name] = _of_last(name, stages)
    results["sci"] = intensity(_ratio(results, totals), results, None)
    made = Estimate(
        name=request.run.name or "project",
        results=results,
        inputs=_shared(stages),
        drivers=_drivers(parts, results, whole=True),
        warnings=tuple(f"{s.name}: {w}" for s in stages for w in s.warnings),
        breakdown=summed([stage.breakdown for stage in stages]),
        details=of_stages([float(part.values["runs"]) for part in parts], results),
        run=carried(copied(request.raw), parts),
        subject=_subject(request),
        data={name: digest for stage in stages for name, digest in stage.data.items()},
        profiles={name: one for stage in stages for name, one in stage.profiles.items()},
        stages=tuple(stages),
    )
    return _judged(made, request, totals)


def _stage(part: Calculated, request: Request) -> Estimate:
    made = single(part, replace(request, run=request.run.model_copy(update={"limits": None})))
    return replace(made, name=part.given.name)


def _sum(
    name: str, parts: Sequence[Calculated], stages: Sequence[Estimate], totals: dict[str, Number]
) -> Result:
    lacking = [stage for stage in stages if stage.results[name].value is None]
    if lacking:
        names = ", ".join(stage.name for stage in lacking)
        return unknown(
            _unit(name, parts[0]), f"unknown for stage {names}: {lacking[0].results[name].why}"
        )
    key = _FORMULA.get(name, name)
    value = sum(float(part.values[key]) for part in parts)
    totals[name] = _added([part.draws.get(key, part.values[key]) for part in parts])
    low, high = percentiles(totals[name], value)
    measured = all(_measured(name, part) for part in parts)
    shown = _unit(name, parts[0])
    made = Result.of(value, low, high, shown, "measured" if measured else "modelled")
    return replace(made, convention=stages[0].results[name].convention)


def _ratio(results: Mapping[str, Result], totals: Mapping[str, Number]) -> Result:
    """CO2e of all stages over their compute, draw by draw."""
    if not {"carbon_total", "total_compute"} <= totals.keys():
        return unknown(UNITS["sci"], "needs the CO2e and the compute of every stage")
    factors = [unit(UNITS[name]).factor for name in ("carbon_total", "total_compute")]
    grams, flops = (
        float(results[name].value or 0.0) * factor
        for name, factor in zip(("carbon_total", "total_compute"), factors, strict=True)
    )
    drawn_ratio = totals["carbon_total"] / totals["total_compute"]
    low, high = percentiles(drawn_ratio, grams / flops)
    return Result.of(grams / flops, low, high, UNITS["sci"], "modelled")


def _of_last(name: str, stages: Sequence[Estimate]) -> Result:
    """A figure that does not add up: the same in every stage, or null with a reason."""
    found = [stage.results[name] for stage in stages]
    if all(result == found[0] for result in found):
        return found[0]
    if name == "memory_per_device" and all(result.value is not None for result in found):
        return max(found, key=lambda result: result.value or 0.0)
    return unknown(found[0].unit, "differs from stage to stage: see stages")


def _shared(stages: Sequence[Estimate]) -> tuple[Assumption | Choice, ...]:
    """Assumptions that all stages share; those of one stage stand in its own list."""
    first, *others = stages
    return tuple(item for item in first.inputs if all(item in other.inputs for other in others))
