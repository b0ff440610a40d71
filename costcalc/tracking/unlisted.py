"""The figures of a job on hardware that no profile describes.

Time, metered energy and the place say some, the model and the data say others; what needs a peak,
a price or a bill of materials is null.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costcalc.base.assumption import Assumption, exact
from costcalc.base.errors import CostcalcError
from costcalc.base.ranges import DRAWS, draw, percentiles
from costcalc.base.units import unit
from costcalc.calculator import formulas as pipeline
from costcalc.calculator.result import UNITS, Estimate, Result
from costcalc.resolve.place import place, region_of
from costcalc.resolve.workload import Trained, trained
from costcalc.runfile.schema import DATA_ONE_OF
from costcalc.tracking.doing import Done
from costcalc.tracking.merge import Totals
from costcalc.tracking.plan import Plan, checked

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


def estimated(totals: Totals, plan: Plan, joules: float | None, seen: Done) -> Estimate:
    """What can be said of the job without a profile."""
    known, why = _known(totals, plan, joules)
    values = pipeline.run({name: item.value for name, item in known.items()})
    draws = pipeline.run({name: draw(item, DRAWS) for name, item in known.items()})
    work = _trained(plan, seen)
    metered = all(item.basis == "measured" for item in totals.energy.values())
    results = {name: _result(name, values, draws, why, metered=metered) for name in UNITS}
    results |= _of_the_work(work, seen)
    raw = {key: value for key, value in plan.raw.items() if key != "measured"}
    return Estimate(
        name=plan.name or (work.name if work else "") or "job",
        results={name: results[name] for name in UNITS},
        assumptions=(*(work.assumptions if work else ()), *known.values()),
        run={**raw, "measured": {"wall_clock": f"{totals.elapsed!r} s"}},
        details=_details(totals, plan, work),
        measured=frozenset(known) & set(UNITS),
    )


def _details(totals: Totals, plan: Plan, work: Trained | None) -> dict[str, Any]:
    """Names of what it ran on, where, and what was trained on."""
    names = sorted({device.name for device in totals.devices})
    cpus = [f"{name}, no accelerator" for name in totals.cpus]
    made: dict[str, Any] = {
        "hardware": {
            "name": ", ".join(names or cpus) or None,
            "nodes": totals.nodes,
            "count": len(totals.devices) or (totals.nodes if cpus else None),
        }
    }
    region = region_of(plan.given) if plan.given else None
    if region is not None:
        made |= {"region": region.code, "place": region.label}
    if work and work.work:
        made["work"] = {"data": work.work.data or None, "datum": work.work.datum}
    return made


def _known(
    totals: Totals, plan: Plan, joules: float | None
) -> tuple[dict[str, Assumption], dict[str, str]]:
    """The place, and what was measured."""
    if plan.given is not None:
        found = place(plan.given, region_of(plan.given))
        known, why = dict(found.known), dict(found.why)
    else:
        known = {}
        why = dict.fromkeys(("pue", "grid", "wue", "grid_water"), "no run file says where")
    known["wall_clock"] = _measured("measured.wall_clock", totals.elapsed, "h")
    if totals.devices:
        known["device_hours"] = _measured(
            "measured.device_hours", totals.device_seconds(0), "device_hour"
        )
    if joules is not None:
        known["energy_it"] = _measured("measured.energy_it", joules, "kWh")
    else:
        why["energy_it"] = "no meter saw any energy"
    return known, why


def _measured(key: str, value: float, shown: str) -> Assumption:
    return exact(key, value, shown, basis="measured", source="costcalc track")


def _result(
    name: str,
    values: Mapping[str, Any],
    draws: Mapping[str, Any],
    why: Mapping[str, str],
    *,
    metered: bool,
) -> Result:
    shown = UNITS[name]
    if name not in values:
        reasons = []
        if name in _ENERGY:
            reasons = [why[need] for need in pipeline.missing(name, values) if need in why]
        if name == "device_hours":
            reasons = ["no accelerator was detected"]
        return _null(shown, "; ".join(dict.fromkeys(reasons)) or _WHY)
    factor = unit(shown).factor
    value = float(values[name])
    low, high = percentiles(draws.get(name, value), value)
    seen = name in ("wall_clock", "device_hours") or (name == "energy_it" and metered)
    return Result(
        value=value / factor,
        low=low / factor,
        high=high / factor,
        unit=shown,
        basis="measured" if seen else "modelled",
    )


def _null(shown: str, why: str) -> Result:
    return Result(value=None, low=None, high=None, unit=shown, basis="modelled", why=why)


# --- the model and the data ----------------------------------------------------------------------


def _trained(plan: Plan, seen: Done) -> Trained | None:
    """The work that was done, where the model is known and its data were counted."""
    if not plan.has_model or not seen.amount:
        return None
    training = {
        k: v
        for k, v in (plan.raw.get("training") or {}).items()
        if k not in (*DATA_ONE_OF, "dataset_tokens", "dataset_samples", "runs")
    }
    training[f"{seen.unit}s"] = seen.amount
    raw = {"model": plan.raw["model"], "training": training}
    try:
        return trained(checked(raw, {}).parts[0])
    except CostcalcError:
        return None


def _of_the_work(found: Trained | None, seen: Done) -> dict[str, Result]:
    """Parameters, compute and speed."""
    work = found.work if found else None
    made = {name: _null(UNITS[name], _NO_MODEL) for name in _WORK}
    if work is not None:
        for name in ("parameters", "active_parameters"):
            count = getattr(work, name)
            if count is not None:
                made[name] = _plain(float(count), UNITS[name])
        flops, spread = work.model_flops, work.spread
        compute = Result(
            value=flops,
            low=flops / spread,
            high=flops * spread,
            unit="FLOP",
            basis="modelled",
            convention=work.convention,
        )
        made |= {"training_compute": compute, "total_compute": compute}
    if seen.rate is not None:
        made["throughput"] = _plain(seen.rate, f"{seen.unit}/s", measured=True)
    if seen.step_time is not None:
        made["step_time"] = _plain(seen.step_time, "s", measured=True)
    return made


def _plain(value: float, shown: str, *, measured: bool = False) -> Result:
    return Result(
        value=value, low=value, high=value, unit=shown, basis="measured" if measured else "modelled"
    )
