"""The figures of a measured job on hardware that no profile describes.

Time, metered energy and the place say some, the model and the data others; what needs a peak, a
price or a bill of materials is null.  A tracker makes its report by it, and a report that is
verified is made again by it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, cast

from costcalc.base.assumption import Assumption, Basis, exact
from costcalc.base.errors import CostcalcError
from costcalc.base.ranges import DRAWS, draw, percentiles
from costcalc.calculator import formulas as pipeline
from costcalc.calculator.filled import copied, inlined
from costcalc.calculator.result import UNITS, Estimate, Result, unknown
from costcalc.resolve.measured import JobRun, of_one, times
from costcalc.resolve.place import place, region_of
from costcalc.resolve.workload import Trained, trained
from costcalc.runfile.rules import Lacking
from costcalc.runfile.schema import DATA_ONE_OF

if TYPE_CHECKING:
    from costcalc.base.ranges import Array
    from costcalc.calculator.report_schema import Details

DARK = ("no meter saw any energy", "no meter saw the devices")
#: keys of ``training`` that say how much data a run plans
DATA_KEYS = (*(key for key in DATA_ONE_OF if key != "prompts"), "dataset_tokens", "dataset_samples")
_WHY = "no profile of the hardware: its peak, power, price and making are not known"
_NO_MODEL = "no model given"
_NOT_COUNTED = "nothing counted what it was trained on"
_OF_OTHER_DATA = "what was counted is not what the model is trained on"
_ENERGY = ("energy_it", "energy", "carbon_operational", "water")
_WORK = (
    "parameters",
    "active_parameters",
    "training_compute",
    "total_compute",
    "throughput",
    "step_time",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What clocks, meters and counters saw of a job.

    ``device_seconds`` is None where it held no device, ``energy`` (J, with its low and high end)
    where none is known, and ``dark`` then says why; ``by_meters`` that meters saw all of it.
    ``amount`` counts ``datum``; ``rate`` is a second, ``step_time`` in seconds.  ``source`` saw all
    of it; ``why`` a figure is not known, where there is more to say than that no profile is.
    ``runs``: the energy is of so many, and the run file says that of one.
    """

    seconds: float | None
    device_seconds: float | None
    energy: tuple[float, float, float] | None
    by_meters: bool = False
    dark: str = DARK[0]
    amount: float | None = None
    datum: str = "token"
    rate: float | None = None
    step_time: float | None = None
    hardware: Mapping[str, object] = field(default_factory=dict)
    source: str = "costcalc track"
    why: Mapping[str, str] = field(default_factory=dict)
    runs: float = 1.0


def unprofiled(job: JobRun, seen: Metered) -> Estimate:
    """What can be said of a job without a profile of its hardware; ``job`` is its run file."""
    known, why = _known(job, seen)
    why |= seen.why
    values = pipeline.run({name: item.value for name, item in known.items()})
    draws = pipeline.run({name: draw(item, DRAWS) for name, item in known.items()})
    measured = {"wall_clock", "device_hours"}
    if "energy_it" in known and known["energy_it"].basis == "measured":
        measured.add("energy_it")
    results = {name: _result(name, values, draws, why, measured) for name in UNITS}
    work = _trained(job, seen)
    results |= _of_the_work(work, seen, _no_work(job, seen))
    told = job.run.measured
    timed = job  # as it says itself what was recorded
    if seen.seconds is not None and (told is None or told.wall_clock != seen.seconds):
        timed = job.lacking("measured").changed("measured", wall_clock=seen.seconds)
    return Estimate(
        name=job.run.name or (work.name if work else "") or "job",
        results={name: results[name] for name in UNITS},
        inputs=(*(work.assumptions if work else ()), *_listed(known, seen).values()),
        run=inlined(copied(timed.written), work.config if work else None),
        data=dict(work.files) if work else {},
        details=_details(job, seen, work),
        measured=frozenset(known) & set(UNITS),
    )


def trained_on(job: JobRun, amount: float, datum: str) -> JobRun:
    """The run with the data that were counted, of one of its runs."""
    return job.changed("training", without=(*DATA_KEYS, "runs"), **{f"{datum}s": amount})


def _details(job: JobRun, seen: Metered, work: Trained | None) -> Details:
    """Names of what it ran on, where, and what was trained on."""
    made: dict[str, object] = {"hardware": dict(seen.hardware)}
    region = region_of(job.given)
    if region is not None:
        made |= {"region": region.code, "place": region.label}
    if work and work.work:
        made["work"] = {"data": work.work.data or None, "datum": work.work.datum}
    return cast("Details", made)


def _known(job: JobRun, seen: Metered) -> tuple[dict[str, Assumption], dict[str, str]]:
    """The place, and what was measured."""
    known: dict[str, Assumption] = {}
    why = dict.fromkeys(("pue", "grid", "wue", "grid_water"), "no run file says where")
    if job.lacking("measured").written:
        found = place(job.given, region_of(job.given))
        known, why = dict(found.known), dict(found.why)
    measured = {} if seen.seconds is None else {"wall_clock": seen.seconds}
    if seen.device_seconds is not None:
        measured["device_hours"] = seen.device_seconds
    if seen.energy is None:
        why["energy_it"] = seen.dark
    else:
        measured["energy_it"] = seen.energy[0]
    for name, value in measured.items():
        key = f"measured.{name}"
        known[name] = exact(key, value, UNITS[name], basis="measured", source=seen.source)
    if seen.energy is not None:
        _, low, high = seen.energy
        basis: Basis = "measured" if seen.by_meters and low == high else "modelled"
        known["energy_it"] = replace(known["energy_it"], low=low, high=high, basis=basis)
    return known, why


def _listed(known: Mapping[str, Assumption], seen: Metered) -> Mapping[str, Assumption]:
    """The inputs as a run file says them."""
    if seen.runs == 1 or "energy_it" not in known:
        return known
    return {**known, "energy_it": of_one(times(known["energy_it"], 1 / seen.runs), seen.runs)}


def _result(
    name: str,
    values: Mapping[str, float],
    draws: Mapping[str, Array | float],
    why: Mapping[str, str],
    measured: set[str],
) -> Result:
    if name not in values:
        reasons = []
        if name in _ENERGY:
            needs = ("energy_it", *pipeline.missing(name, values))
            reasons = [why[need] for need in needs if need in why]
        if name == "device_hours":
            reasons = [why.get(name, "no accelerator was detected")]
        told = "; ".join(dict.fromkeys(reasons)) or why.get(name) or why.get("hardware", _WHY)
        return unknown(UNITS[name], told)
    value = float(values[name])
    low, high = percentiles(draws.get(name, value), value)
    basis: Basis = "measured" if name in measured else "modelled"
    return Result.of(value, low, high, UNITS[name], basis)


# --- the model and the data ----------------------------------------------------------------------


def _trained(job: JobRun, seen: Metered) -> Trained | None:
    """The work that was done, where the model is known and its data were counted."""
    if job.run.model is None or not seen.amount:
        return None
    counted = trained_on(job.lacking("measured", "hardware"), seen.amount, seen.datum)
    try:
        return trained(counted.request(may_lack=[Lacking.HARDWARE]).parts[0])
    except CostcalcError:
        return None


def _no_work(job: JobRun, seen: Metered) -> str:
    """Why parameters and compute are not known, where they are not."""
    if "work" in seen.why:
        return seen.why["work"]
    if job.run.model is None:
        return _NO_MODEL
    return _OF_OTHER_DATA if seen.amount else _NOT_COUNTED


def _of_the_work(found: Trained | None, seen: Metered, why_not: str) -> dict[str, Result]:
    """Parameters, compute and speed."""
    work = found.work if found else None
    made = {name: unknown(UNITS[name], why_not) for name in _WORK}
    if work is None and "work" not in seen.why:
        untimed = "no step was timed" if seen.amount else _NOT_COUNTED
        made |= {name: unknown(UNITS[name], untimed) for name in ("throughput", "step_time")}
    if work is not None:
        reasons = dict.fromkeys(("throughput", "step_time"), "no step was timed")
        uncounted = ("parameters", "active_parameters")
        reasons |= dict.fromkeys(uncounted, "the parameter count is not known")
        made |= {name: unknown(UNITS[name], why) for name, why in reasons.items()}
        for name in uncounted:
            count = getattr(work, name)
            if count is not None:
                made[name] = Result.exact(float(count), UNITS[name])
        flops, spread = work.model_flops, work.spread
        compute = Result.of(flops, flops / spread, flops * spread, "FLOP", "modelled")
        compute = replace(compute, convention=work.convention)
        made["training_compute"] = made["total_compute"] = compute
    if seen.rate is not None:
        made["throughput"] = Result.exact(seen.rate, f"{seen.datum}/s", "measured")
    if seen.step_time is not None:
        made["step_time"] = Result.exact(seen.step_time, "s", "measured")
    return made
