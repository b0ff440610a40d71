"""The figures of a job on hardware that no profile describes: what time, energy and place say."""

from __future__ import annotations

from typing import Any

from costcalc import inputs, pipeline
from costcalc.assumption import Assumption, exact
from costcalc.calculator import region_of
from costcalc.results import UNITS, Estimate, Result
from costcalc.tracking.merge import Totals
from costcalc.tracking.plan import Plan
from costcalc.uncertainty import DRAWS, draw, percentiles
from costcalc.units import unit

_WHY = "no profile of the hardware: nothing is known of it but the time that it took"
_ENERGY = ("energy_it", "energy", "carbon_operational", "water")


def estimated(totals: Totals, plan: Plan, joules: float | None) -> Estimate:
    """Time and metered energy, and what follows from them at the place; the rest is null."""
    known: dict[str, Assumption] = {}
    why: dict[str, str] = {}
    if plan.given is not None:
        found = inputs.site(plan.given, region_of(plan.given))
        known, why = dict(found.known), dict(found.why)
    else:
        why = dict.fromkeys(("pue", "grid", "wue", "grid_water"), "no run file says where")
    known["wall_clock"] = _measured("measured.wall_clock", totals.elapsed, "h")
    devices = len(totals.devices)
    if devices:
        known["device_hours"] = _measured("measured.device_hours", totals.device_seconds(0),
                                          "device_hour")
    if joules is not None:
        known["energy_it"] = _measured("measured.energy_it", joules, "kWh")
    else:
        why["energy_it"] = "no meter saw any energy"
    values = pipeline.run({name: item.value for name, item in known.items()})
    draws = pipeline.run({name: draw(item, DRAWS) for name, item in known.items()})
    metered = all(item.basis == "measured" for item in totals.energy.values())
    results = {name: _result(name, values, draws, why, metered=metered) for name in UNITS}
    raw = {key: value for key, value in plan.raw.items() if key != "measured"}
    return Estimate(
        name=plan.name or "job", results=results, assumptions=tuple(known.values()),
        run={**raw, "measured": {"wall_clock": f"{totals.elapsed!r} s"}},
        details={"hardware": {"name": ", ".join(sorted({d.name for d in totals.devices})) or None,
                              "count": devices or None, "nodes": totals.nodes}},
        measured=frozenset(known) & set(UNITS),
    )


def _measured(key: str, value: float, shown: str) -> Assumption:
    return exact(key, value, shown, basis="measured", source="costcalc track")


def _result(
    name: str, values: dict[str, Any], draws: dict[str, Any], why: dict[str, str], *, metered: bool
) -> Result:
    shown = UNITS[name]
    if name not in values:
        reasons = []
        if name in _ENERGY:
            reasons = [why[need] for need in pipeline.missing(name, values) if need in why]
        return Result(value=None, low=None, high=None, unit=shown, basis="modelled",
                      why="; ".join(dict.fromkeys(reasons)) or _WHY)
    factor = unit(shown).factor
    value = float(values[name])
    low, high = percentiles(draws.get(name, value), value)
    seen = name in ("wall_clock", "device_hours") or (name == "energy_it" and metered)
    return Result(value=value / factor, low=low / factor, high=high / factor, unit=shown,
                  basis="measured" if seen else "modelled")
