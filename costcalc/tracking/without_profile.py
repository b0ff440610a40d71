"""The figures of a job on hardware that no profile describes.

Time, metered energy and the place say some, the model and the data say others; what needs a peak,
a price or a bill of materials is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from costcalc.base.assumption import Assumption, Basis, exact
from costcalc.base.errors import CostcalcError
from costcalc.base.ranges import DRAWS, draw, percentiles
from costcalc.calculator import formulas as pipeline
from costcalc.calculator.filled import copied, inlined
from costcalc.calculator.result import UNITS, Estimate, Result, unknown
from costcalc.resolve.place import place, region_of
from costcalc.resolve.workload import Trained, trained
from costcalc.runfile.rules import Lacking
from costcalc.tracking.achieved import Achieved
from costcalc.tracking.measured_job import trained_on
from costcalc.tracking.merge import Totals
from costcalc.tracking.plan import Plan

if TYPE_CHECKING:
    from costcalc.base.ranges import Array
    from costcalc.calculator.report_schema import Details

_WHY = "no profile of the hardware: its peak, power, price and making are not known"
_NO_MODEL = "no model given, or nothing counted what it was trained on"
_ENERGY = ("energy_it", "energy", "carbon_operational", "water")
_WORK = (
    "parameters",
    "active_parameters",
    "training_compute",
    "total_compute",
    "throughput",
    "step_time",
)


def estimated_without_profile(
    totals: Totals, plan: Plan, joules: tuple[float, float, float] | None, seen: Achieved
) -> Estimate:
    """What can be said of the job without a profile; ``joules`` with their low and high end."""
    known, why = _known(totals, plan, joules)
    values = pipeline.run({name: item.value for name, item in known.items()})
    draws = pipeline.run({name: draw(item, DRAWS) for name, item in known.items()})
    measured = {"wall_clock", "device_hours"}
    if "energy_it" in known and known["energy_it"].basis == "measured":
        measured.add("energy_it")
    results = {name: _result(name, values, draws, why, measured) for name in UNITS}
    work = _trained(plan, seen)
    results |= _of_the_work(work, seen)
    job = plan.job.lacking("measured").changed("measured", wall_clock=totals.elapsed)
    return Estimate(
        name=plan.run.name or (work.name if work else "") or "job",
        results={name: results[name] for name in UNITS},
        inputs=(*(work.assumptions if work else ()), *known.values()),
        run=inlined(copied(job.written), work.config if work else None),
        data=dict(work.files) if work else {},
        details=_details(totals, plan, work),
        measured=frozenset(known) & set(UNITS),
    )


def _details(totals: Totals, plan: Plan, work: Trained | None) -> Details:
    """Names of what it ran on, where, and what was trained on."""
    names = sorted({device.name for device in totals.devices})
    cpus = [f"{name}, no accelerator" for name in totals.cpus]
    made: dict[str, object] = {
        "hardware": {
            "name": ", ".join(names or cpus) or None,
            "nodes": totals.nodes,
            "count": len(totals.devices) or (totals.nodes if cpus else None),
        }
    }
    region = region_of(plan.job.given)
    if region is not None:
        made |= {"region": region.code, "place": region.label}
    if work and work.work:
        made["work"] = {"data": work.work.data or None, "datum": work.work.datum}
    return cast("Details", made)


def _known(
    totals: Totals, plan: Plan, joules: tuple[float, float, float] | None
) -> tuple[dict[str, Assumption], dict[str, str]]:
    """The place, and what was measured."""
    known: dict[str, Assumption] = {}
    why = dict.fromkeys(("pue", "grid", "wue", "grid_water"), "no run file says where")
    if plan.is_given:
        found = place(plan.job.given, region_of(plan.job.given))
        known, why = dict(found.known), dict(found.why)
    measured = {"wall_clock": totals.elapsed}
    if totals.devices:
        measured["device_hours"] = totals.device_seconds(0)
    if joules is None:
        why["energy_it"] = "no meter saw any energy"
    elif totals.devices and totals.device_watts is None:
        why["energy_it"] = "no meter saw the devices"
    else:
        measured["energy_it"] = joules[0]
    for name, value in measured.items():
        key, source = f"measured.{name}", "costcalc track"
        known[name] = exact(key, value, UNITS[name], basis="measured", source=source)
    if joules is not None and "energy_it" in known:
        _, low, high = joules
        by_meters = all(item.basis == "measured" for item in totals.energy.values())
        basis: Basis = "measured" if by_meters and low == high else "modelled"
        known["energy_it"] = replace(known["energy_it"], low=low, high=high, basis=basis)
    return known, why


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
            reasons = ["no accelerator was detected"]
        return unknown(UNITS[name], "; ".join(dict.fromkeys(reasons)) or _WHY)
    value = float(values[name])
    low, high = percentiles(draws.get(name, value), value)
    basis: Basis = "measured" if name in measured else "modelled"
    return Result.of(value, low, high, UNITS[name], basis)


# --- the model and the data ----------------------------------------------------------------------


def _trained(plan: Plan, seen: Achieved) -> Trained | None:
    """The work that was done, where the model is known and its data were counted."""
    if Lacking.MODEL in plan.lacks or not seen.amount:
        return None
    job = trained_on(plan.job.lacking("measured", "hardware"), seen)
    try:
        return trained(job.request(may_lack=[Lacking.HARDWARE]).parts[0])
    except CostcalcError:
        return None


def _of_the_work(found: Trained | None, seen: Achieved) -> dict[str, Result]:
    """Parameters, compute and speed."""
    work = found.work if found else None
    made = {name: unknown(UNITS[name], _NO_MODEL) for name in _WORK}
    if work is not None:
        for name in ("parameters", "active_parameters"):
            count = getattr(work, name)
            if count is not None:
                made[name] = Result.exact(float(count), UNITS[name])
        flops, spread = work.model_flops, work.spread
        compute = Result.of(flops, flops / spread, flops * spread, "FLOP", "modelled")
        compute = replace(compute, convention=work.convention)
        made["training_compute"] = made["total_compute"] = compute
    if seen.rate is not None:
        made["throughput"] = Result.exact(seen.rate, f"{seen.unit}/s", "measured")
    if seen.step_time is not None:
        made["step_time"] = Result.exact(seen.step_time, "s", "measured")
    return made
