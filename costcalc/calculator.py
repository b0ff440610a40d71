"""The calculator: a run file in, an :class:`~costcalc.results.Estimate` out.

Read :func:`_part`: what is trained, on what, where, how fast, what it draws, what it costs; then
:mod:`costcalc.pipeline` once at every central value and once on draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costcalc import describe, inputs, pipeline
from costcalc.assumption import Assumption, Choice, exact
from costcalc.catalog import region as regions
from costcalc.catalog.region import Region
from costcalc.hardware import Devices, devices_of
from costcalc.limits import judged
from costcalc.lookup import folders, look_up
from costcalc.model import Trained, trained
from costcalc.request import Input, Request, Source, load
from costcalc.results import UNITS, Estimate, Result
from costcalc.timing import Timed, goodput, precision_of, timed
from costcalc.uncertainty import DRAWS, draw, drivers, percentiles
from costcalc.units import to_si, unit

# Results that are sums over stages; the others are of one part.
SUMS = ("training_compute", "total_compute", "wall_clock", "device_hours", "cost", "energy",
        "energy_it", "water", "carbon_operational", "carbon_embodied", "carbon_total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part, calculated: central values and draws of every figure, in SI."""

    given: Input
    trained: Trained
    devices: Devices
    timed: Timed | None
    region: Region | None
    assumptions: tuple[Assumption | Choice, ...]
    values: Mapping[str, Any]
    draws: Mapping[str, Any]
    measured: frozenset[str]
    why: Mapping[str, str]
    warnings: tuple[str, ...]


def estimate(
    source: Source, *, changes: Mapping[str, Any] | None = None, ranges: bool = True
) -> Estimate:
    """What a run costs in time, money, energy and CO2e, with ranges and sources.

    ``source`` is the path of a run file, a mapping in its shape, or a Run; ``changes`` are dotted
    keys laid over it; without ``ranges`` low and high equal the value.

    Raises:
        InputError: every problem of the file, at its line.

    >>> made = estimate({"model": {"preset": "llama-3-8b"}, "training": {"tokens": "15T"},
    ...                  "hardware": {"accelerator": "h100-sxm5-80", "count": 1024},
    ...                  "site": {"region": "aws:us-east-1"}})
    >>> made.results["parameters"].value
    8030261248.0
    """
    request = load(source, look_up, changes=changes)
    number = DRAWS if ranges else 0
    parts = [_part(given, request, number) for given in request.parts]
    if not request.run.stages:
        return _single(parts[0], request)
    return _combined(parts, request)


# --- one part ------------------------------------------------------------------------------------


def _part(given: Input, request: Request, number: int) -> Part:
    region = region_of(given)
    side = hardware_side(given, request, region)
    known, why, notes = dict(side.known), dict(side.why), list(side.notes)
    for found in (inputs.site(given, region), inputs.prices(given, side.devices, region)):
        known |= found.known
        why |= found.why
        notes += found.notes
    known, measured = _with_measured(given, known)
    values = pipeline.run({name: item.value for name, item in known.items()})
    draws = pipeline.run({name: draw(item, number) for name, item in known.items()}) if number else {}
    time = side.timed
    warnings = (*(time.throughput.warnings if time else ()), *notes)
    return Part(
        given=given, trained=side.trained, devices=side.devices, timed=time, region=region,
        assumptions=(*side.assumptions, *known.values()), values=values, draws=draws,
        measured=measured, why=why, warnings=warnings,
    )


def region_of(given: Input) -> Region | None:
    """Where a part runs; PUE is the provider's where only a country is given."""
    site = given.part.site
    if site is None or site.region is None:
        return None
    asked = given.part.price.provider if given.part.price else None
    named = asked if asked != "any" and ":" not in site.region else None
    return regions.find(site.region, provider=named)


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareSide:
    """What depends on the model and the hardware, and not on the place or the price."""

    devices: Devices
    trained: Trained
    timed: Timed | None
    known: Mapping[str, Assumption]
    assumptions: tuple[Assumption | Choice, ...]
    why: Mapping[str, str]
    notes: tuple[str, ...]


def hardware_side(given: Input, request: Request, region: Region | None) -> HardwareSide:
    """Time, power and embodied carbon of a part; of the region only its provider's hosts matter."""
    asked = given.part.price.provider if given.part.price else None
    provider = asked if asked not in (None, "any") else region.provider if region else None
    devices = devices_of(given, provider, folders(request.raw, given.folder))
    work = trained(given)
    assumed: list[Assumption | Choice] = [*work.assumptions, *devices.assumptions]
    precision, choice = precision_of(given, devices)
    time: Timed | None = None
    if work.work is not None:
        assumed += [choice] if choice else []
        if not _time_is_measured(given):
            time = timed(given, work.work, devices, precision)
            assumed += time.assumptions
    known = _time_inputs(given, work, devices, time, precision)
    power = inputs.power(devices, _kind(work), utilization=_hardware_use(work, time),
                         precision=precision)
    made = inputs.embodied(devices)
    return HardwareSide(
        devices=devices, trained=work, timed=time,
        known={**known, **power.known, **made.known},
        assumptions=tuple(assumed), why={**power.why, **made.why}, notes=power.notes,
    )


def _hardware_use(work: Trained, time: Timed | None) -> float | None:
    """Hardware FLOPs utilization: what is recomputed draws power too."""
    if time is None or work.work is None:
        return None
    layout = time.throughput.layout
    again = getattr(work.work.recompute, layout.recompute) if layout else 0.0
    return min(time.throughput.utilization.value * (1.0 + again), 1.0)


def _kind(work: Trained) -> str:
    from costcalc.throughput.basis import kind_of

    return (kind_of(work.work) if work.work else None) or "other"


def _time_is_measured(given: Input) -> bool:
    measured = given.part.measured
    return measured is not None and bool(measured.wall_clock or measured.device_hours)


def _time_inputs(
    given: Input, work: Trained, devices: Devices, time: Timed | None, precision: str
) -> dict[str, Assumption]:
    """The inputs that say how long it takes."""
    runs = given.part.training.runs if given.part.training else None
    known = {
        "devices": exact("hardware.devices", devices.reserved, "device", basis="given",
                         source="run file", where=given.place("hardware", "count")),
        "runs": exact("training.runs", runs or 1.0, "1", basis="given" if runs else "default",
                      source="run file" if runs else "costcalc",
                      where=given.place("training", "runs")),
        "goodput": goodput(given),
    }
    if work.work is not None:
        known |= _flops(work, time)
    if time is None:
        return known
    found = time.throughput
    known["peak"] = exact(
        "hardware.peak", found.peak / devices.share, "TFLOP/s", basis="profile",
        source=_peak_source(devices, precision), why=f"dense {precision} peak a device",
    )
    known["utilization"] = replace(found.utilization, key="hardware.utilization")
    if found.generation is not None:
        known["generation"] = replace(found.generation, key="training.generation_time")
    elif not found.generation_why:
        known["generation"] = exact("training.generation_time", 0.0, "s", basis="modelled",
                                    source="costcalc", why="nothing is generated")
    return known


def _flops(work: Trained, time: Timed | None) -> dict[str, Assumption]:
    assert work.work is not None  # noqa: S101 - for the type checker
    total, spread = work.work.model_flops, work.work.spread
    basis = "given" if work.work.convention.startswith("as given") else "modelled"
    counted = Assumption(
        key="training.model_flops", value=total, low=total / spread, high=total * spread,
        unit="FLOP", basis="given" if basis == "given" else "modelled",
        source="run file" if basis == "given" else "counted by costcalc", why=work.work.convention,
    )
    made = {"model_flops": counted}
    if time is not None:
        share = time.throughput.training_flops / total if total else 1.0
        made["training_flops"] = replace(
            counted, value=counted.value * share, low=counted.low * share,
            high=counted.high * share,
        ) if share != 1.0 else counted
    return made


def _peak_source(devices: Devices, precision: str) -> str:
    peak = devices.accelerator.peak
    figure = getattr(peak, {"mxfp8": "fp8"}.get(precision, precision), None)
    return devices.accelerator.sources[figure.source].title if figure else "profile"


def _with_measured(
    given: Input, known: dict[str, Assumption]
) -> tuple[dict[str, Assumption], frozenset[str]]:
    """Measured figures, each in the place of its stage."""
    measured = given.part.measured
    if measured is None:
        return known, frozenset()
    place = given.place
    found: dict[str, tuple[float, str, str]] = {}
    runs = known["runs"].value
    if measured.wall_clock is not None:
        found["wall_clock"] = (measured.wall_clock, "h", "wall_clock")
    if measured.device_hours is not None:
        seconds = to_si(measured.device_hours, "device_hour")
        found["device_hours"] = (seconds, "device_hour", "device_hours")
        found["wall_clock"] = (seconds / (known["devices"].value * runs), "h", "device_hours")
    if measured.energy is not None:
        found["energy"] = (measured.energy, "kWh", "energy")
        found["energy_it"] = (measured.energy / known["pue"].value, "kWh", "energy")
    if measured.energy_it is not None:
        found["energy_it"] = (measured.energy_it, "kWh", "energy_it")
    if measured.cost is not None:
        found["cost"] = (inputs.dollars(measured.cost, given.part.price), "USD", "cost")
    added: dict[str, Assumption] = {
        name: exact(f"measured.{key}", value, shown, basis="measured", source="run file",
                    where=place("measured", key))
        for name, (value, shown, key) in found.items()
    }
    if measured.energy is not None and measured.energy_it is None:  # as unsure as the PUE is
        pue, it = known["pue"], added["energy_it"]
        added["energy_it"] = replace(it, key="measured.energy_it", why="measured.energy / PUE",
                                     low=it.value * pue.value / pue.high,
                                     high=it.value * pue.value / pue.low)
    return {**known, **added}, frozenset(found)


# --- results -------------------------------------------------------------------------------------


def _single(part: Part, request: Request) -> Estimate:
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


def _results(part: Part) -> dict[str, Result]:
    made = _of_the_model(part)
    for name in SUMS:
        if name not in made:
            made[name] = _figure(name, part)
    return {name: made[name] for name in UNITS}


def _figure(name: str, part: Part) -> Result:
    """A figure of the pipeline, in its unit, with its range."""
    factor = unit(UNITS[name]).factor
    if name not in part.values:
        return Result(value=None, low=None, high=None, unit=UNITS[name], basis="modelled",
                      why=_why(name, part))
    value = float(part.values[name]) / factor
    low, high = percentiles(part.draws.get(name, value), float(part.values[name]))
    return Result(
        value=value, low=min(low / factor, value), high=max(high / factor, value),
        unit=UNITS[name], basis="measured" if name in part.measured else "modelled",
    )


def _why(name: str, part: Part) -> str:
    lacking = pipeline.missing(name, part.values)
    reasons = list(dict.fromkeys(part.why[need] for need in lacking if need in part.why))
    if reasons:
        return "; ".join(reasons)
    if "generation" in lacking and part.timed is not None:
        return part.timed.throughput.generation_why
    if any(need in lacking for need in ("model_flops", "training_flops", "utilization", "peak")):
        return "no model and size of the data given: nothing to calculate it from"
    return f"needs {', '.join(lacking)}"


def _of_the_model(part: Part) -> dict[str, Result]:
    """Parameters, compute, utilization, throughput, step time and memory."""
    work = part.trained.work
    nothing = "no model given"
    made = {
        name: _plain(name, getattr(work, name) if work else None, "the parameter count is not known"
                     if work else nothing)
        for name in ("parameters", "active_parameters")
    }
    if work is None:
        compute = Result(value=None, low=None, high=None, unit="FLOP", basis="modelled",
                         why=nothing)
        made |= {"training_compute": compute, "total_compute": compute}
    else:
        made["training_compute"] = replace(_compute(part), convention=work.convention)
    made["utilization"] = _utilization(part)
    made["throughput"], made["step_time"] = _rates(part)
    made["memory_per_device"] = _memory(part)
    return made


def _plain(name: str, value: float | None, why: str) -> Result:
    value = None if value is None else float(value)
    return Result(value=value, low=value, high=value, unit=UNITS[name], basis="modelled",
                  why=why if value is None else "")


def _compute(part: Part) -> Result:
    value = float(part.values["model_flops"])
    low, high = percentiles(part.draws.get("model_flops", value), value)
    item = next(a for a in part.assumptions if a.key == "training.model_flops")
    return Result(value=value, low=low, high=high, unit="FLOP", basis=item.basis)


def _utilization(part: Part) -> Result:
    convention = part.timed.throughput.convention if part.timed else ""
    if "utilization" in part.values:
        value = float(part.values["utilization"])
        low, high = percentiles(part.draws.get("utilization", value), value)
        item = next(a for a in part.assumptions if a.key == "hardware.utilization")
        return Result(value=value, low=low, high=high, unit="1", basis=item.basis,
                      convention=convention)
    return Result(value=None, low=None, high=None, unit="1", basis="modelled",
                  why="no model and size of the data given")


def _rates(part: Part) -> tuple[Result, Result]:
    """Throughput while it trains, and the time of a step."""
    work, time = part.trained.work, part.timed
    shown = f"{work.datum}/s" if work else "token/s"
    if work is None or time is None or "training_time" not in part.values:
        why = (time.throughput.why if time else "") or "no model and size of the data given"
        empty = Result(value=None, low=None, high=None, unit=shown, basis="modelled", why=why)
        return empty, replace(empty, unit="s")
    from costcalc.throughput.basis import data_per_step

    seconds = float(part.values["training_time"])
    low, high = percentiles(part.draws.get("training_time", seconds), seconds)
    basis = "modelled" if time.throughput.utilization.basis == "modelled" else "measured"
    if not work.data:
        why = "the budget is given in FLOP: how many data it trains on is not known"
        empty = Result(value=None, low=None, high=None, unit=shown, basis="modelled", why=why)
        return empty, replace(empty, unit="s")
    each = data_per_step(work, time.recipe) / work.data
    rate = Result(value=work.data / seconds, low=work.data / high, high=work.data / low,
                  unit=shown, basis="modelled" if basis == "modelled" else "measured")
    step = Result(value=seconds * each, low=low * each, high=high * each, unit="s",
                  basis=rate.basis)
    return rate, step


def _memory(part: Part) -> Result:
    found = part.timed.throughput.memory if part.timed else None
    if found is None:
        why = part.timed.throughput.memory_why if part.timed else "no model given"
        return Result(value=None, low=None, high=None, unit="GiB", basis="modelled", why=why)
    low, value, high = (float(size) / 2**30 for size in (found.low, found.value, found.high))
    return Result(value=value, low=low, high=high, unit="GiB", basis="modelled")


# --- several stages ------------------------------------------------------------------------------


def _combined(parts: Sequence[Part], request: Request) -> Estimate:
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


def _stage(part: Part, request: Request) -> Estimate:
    made = _single(part, replace(request, run=request.run.model_copy(update={"limits": None})))
    return replace(made, name=part.given.name)


def _sum(
    name: str, parts: Sequence[Part], stages: Sequence[Estimate]
) -> tuple[Result, Any | None]:
    unknown = [stage.name for stage in stages if stage.results[name].value is None]
    if unknown:
        reason = stages[[s.name for s in stages].index(unknown[0])].results[name].why
        why = f"unknown for stage {', '.join(unknown)}: {reason}"
        return Result(value=None, low=None, high=None, unit=UNITS[name], basis="modelled",
                      why=why), None
    key = "model_flops" if name == "training_compute" else name
    factor = unit(UNITS[name]).factor
    value = sum(float(part.values[key]) for part in parts)
    total = sum(part.draws.get(key, part.values[key]) for part in parts)
    low, high = percentiles(total, value)
    all_measured = all(name in part.measured for part in parts)
    return Result(
        value=value / factor, low=low / factor, high=high / factor, unit=UNITS[name],
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
    return Result(value=None, low=None, high=None, unit=found[0].unit, basis="modelled",
                  why="differs from stage to stage: see stages")


def _shared(stages: Sequence[Estimate]) -> tuple[Assumption | Choice, ...]:
    """Assumptions that all stages share; those of one stage stand in its own list."""
    first, *others = stages
    return tuple(
        item for item in first.assumptions if all(item in other.assumptions for other in others)
    )
