"""From the totals of a job to its report: measured figures in the place of their stages, the rest
by the same pipeline that estimates, and what was predicted beside what came.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from costcalc.base import writing
from costcalc.base.errors import CostcalcError
from costcalc.base.units import unit
from costcalc.calculator.calculate import estimate
from costcalc.calculator.result import Estimate
from costcalc.catalog import accelerator as accelerators
from costcalc.resolve.names import folders
from costcalc.tracking import unlisted
from costcalc.tracking.doing import Done, done
from costcalc.tracking.merge import Totals, named
from costcalc.tracking.plan import Plan
from costcalc.tracking.records import Basis

_DATA_KEYS = ("tokens", "samples", "steps", "epochs", "dataset_tokens", "dataset_samples")
_SPEED_KEYS = ("utilization", "utilization_basis", "throughput", "calibrate", "goodput")
_DRAWN = ("accelerators", "hosts", "network")  # parts of an estimate's energy, PUE aside
# What of a boundary's hardware the parts of the energy stand for.
_HOLDS = {
    "accelerators": {"device", "accelerators"},
    "hosts": {"cpu", "memory", "hosts"},
    "network": {"network"},
}
_PROFILE = "time × the power of the profile (costcalc)"
_PATH = re.compile(r"(?:^|[\s:='\"(])(?:/|~|\.\.?/|\w:\\)\w|://")  # a path or a URL in a note
_COMPONENTS = ("device", "cpu", "memory")
COMPARED = ("wall_clock", "cost", "energy", "carbon_total", "utilization")


# --- the report ----------------------------------------------------------------------------------


def report(
    totals: Totals,
    plan: Plan,
    predicted: Estimate | None = None,
    *,
    identify: bool = False,
    why_not: str = "",
) -> dict[str, Any]:
    """The report of a job: the shape of an estimate's, measured.

    ``why_not`` says why nothing was predicted.  Hosts, job and paths stay out of it unless
    ``identify``.
    """
    seen = done(totals, plan, predicted)
    asked, notes = _asked(totals, plan, seen)
    notes = [*seen.notes, *notes]
    first = _costed(asked, notes)
    made, parts = _with_energy(first, asked, totals, plan, seen)
    data = made.to_dict(identify=identify)
    if data["results"]["utilization"]["basis"] == "given":  # by the run file that we wrote
        data["results"]["utilization"]["basis"] = "measured"
    data["measurement"] = _measurement(totals, data["measurement"], parts)
    if data["kind"] == "measured" and not _mostly_measured(parts):
        data["kind"] = "mixed"
        data["measurement"].setdefault("why", "most of the energy is from models, not from meters")
    data["boundary"] = _boundary(data["boundary"], parts)
    data["runs"] = [_run(totals, data["runs"][0], data["measurement"])]
    data["details"] = {
        **data["details"],
        "tracking": {
            "attempts": [_attempt(a, totals) for a in totals.attempts],
            "steps": totals.steps,
            "predicted": _compared(predicted, made, seen) if predicted else {"why": why_not},
            **_calibrate(seen, made),
            **(
                {"notes": _private([*notes, *totals.notes], totals, identify=identify)}
                if (*notes, *totals.notes)
                else {}
            ),
            **({"job": totals.job} if identify else {}),
        },
    }
    data["digest"] = writing.digest(data)
    return data


def _costed(asked: dict[str, Any] | None, notes: list[str]) -> Estimate | None:
    """The estimate of what was measured; a speed that cannot be is left out before all else."""
    if asked is None:
        return None
    slower = {k: v for k, v in asked["hardware"].items() if k not in ("throughput", "goodput")}
    for run in (asked, {**asked, "hardware": slower}):
        try:
            return estimate(run)
        except CostcalcError as error:
            notes.append(f"not used: {str(error).splitlines()[0].removeprefix('run: ')}")
    return None


def _with_energy(
    first: Estimate | None, asked: dict[str, Any] | None, totals: Totals, plan: Plan, seen: Done
) -> tuple[Estimate, list[dict[str, Any]]]:
    """The estimate with the energy that was metered in it, and the parts of that energy.

    What no meter sees of a job whose devices are metered is modelled as an estimate has it: the
    network between nodes, and the host where even CodeCarbon's models fail.  Where nobody saw the
    devices, all of the energy is modelled, and what was metered stands beside it.
    """
    metered = _metered(totals)
    joules = totals.joules()
    if first is None or asked is None:
        return unlisted.estimated(totals, plan, joules, seen), metered
    if joules is None or not _devices_metered(totals):
        modelled = [
            _part(name, first.breakdown["energy"][name], "modelled", _PROFILE)
            for name in _DRAWN
            if name in first.breakdown.get("energy", {})
        ]
        return first, [*modelled, *({**part, "counted": False} for part in metered)]
    extra = []
    if not any(part["component"] == "cpu" for part in metered):
        host = first.values.get("host_power", 0.0) * totals.device_seconds(len(totals.devices))
        extra.append(_part("hosts", host / unit("kWh").factor, "modelled", _PROFILE))
        joules += host
    network = joules * first.values.get("network_share", 0.0)
    if network:
        extra.append(_part("network", network / unit("kWh").factor, "modelled", _PROFILE))
    measured = {**asked["measured"], "energy_it": f"{joules + network!r} J"}
    made = _costed({**asked, "measured": measured}, [])
    return made or first, [*metered, *extra]


def _mostly_measured(parts: list[dict[str, Any]]) -> bool:
    """Whether meters rather than models saw at least half of the energy."""
    counted = [part for part in parts if part.get("counted", True)]
    measured = sum(part["energy"] for part in counted if part["basis"] == "measured")
    return bool(measured >= sum(part["energy"] for part in counted) / 2)


def _metered(totals: Totals) -> list[dict[str, Any]]:
    """What was metered, by component and meter."""
    found: dict[tuple[str, Basis, str], float] = {}
    for item in sorted(totals.energy.values(), key=lambda e: _COMPONENTS.index(e.component)):
        key = (item.component, item.basis, item.meter)
        found[key] = found.get(key, 0.0) + item.joules / unit("kWh").factor
    return [_part(name, kwh, basis, meter) for (name, basis, meter), kwh in found.items()]


def _part(component: str, kwh: float, basis: Basis, meter: str) -> dict[str, Any]:
    return {"component": component, "energy": kwh, "unit": "kWh", "basis": basis, "meter": meter}


def _asked(totals: Totals, plan: Plan, seen: Done) -> tuple[dict[str, Any] | None, list[str]]:
    """The run file that says what was measured; None where no profile fits the hardware."""
    raw: dict[str, Any] = {key: value for key, value in plan.raw.items() if key != "measured"}
    hardware, notes = _hardware(totals, plan)
    if hardware is None:
        return None, notes
    training = {
        k: v for k, v in (raw.get("training") or {}).items() if k not in (*_DATA_KEYS, "runs")
    }
    planned = {k: v for k, v in (raw.get("training") or {}).items() if k in _DATA_KEYS}
    counted = seen.amount if plan.has_model else None
    if counted:
        training[f"{seen.unit}s"] = counted
    elif plan.has_model and planned and _went_well(totals):
        training |= planned
        notes.append("nothing counted the data: what the run file plans is taken to be done")
    elif plan.has_model:
        raw.pop("model", None)
        notes.append("what was trained on is not known: nothing counted the data")
    if counted and seen.rate:
        hardware["throughput"] = f"{seen.rate!r} {seen.unit}/s"
        hardware["goodput"] = min(counted / seen.rate / max(totals.elapsed, 1e-9), 1.0)
    measured, more = _measured(totals)
    raw |= {"hardware": hardware, "measured": measured}
    notes += more
    raw |= {"training": training} if training else {}
    return raw, notes


def _went_well(totals: Totals) -> bool:
    return bool(totals.attempts) and totals.attempts[-1].status == "completed"


def _measured(totals: Totals) -> tuple[dict[str, Any], list[str]]:
    """The time that was measured; the allocation of all attempts is one wall clock.

    Where attempts had different numbers of devices their device-hours add up.
    """
    if len({len(attempt.devices) for attempt in totals.attempts}) == 1:
        return {"wall_clock": f"{totals.elapsed!r} s"}, []
    hours = totals.device_seconds(0) / unit("h").factor
    note = (
        "attempts had different numbers of devices: their device-hours are added, and the wall "
        "clock is what those come to on the last number"
    )
    return {"device_hours": hours}, [note]


def _devices_metered(totals: Totals) -> bool:
    """Whether every device of the job was seen by a meter."""
    keys = {f"gpu:{device.uuid}" for a in totals.attempts for device in a.devices}
    return bool(keys) and keys <= set(totals.energy)


def _mostly_seen(totals: Totals) -> bool:
    return totals.gaps <= totals.elapsed / 2


def _hardware(totals: Totals, plan: Plan) -> tuple[dict[str, Any] | None, list[str]]:
    """The hardware section: what was detected wins over the run file."""
    if not totals.devices:
        if not plan.has_hardware:
            return None, ["no accelerator was detected, and the run file names none"]
        written = {k: v for k, v in plan.raw["hardware"].items() if k not in _SPEED_KEYS}
        return written, ["no accelerator was detected: the run file's hardware is taken"]
    kinds = named(totals.devices)
    shown = ", ".join(f"{count} × {name}" for name, count in kinds.items())
    if len(kinds) > 1:
        return None, [f"devices of several kinds are not costed: {shown}"]
    try:
        found = accelerators.find(next(iter(kinds)), folders(plan.raw, None))
    except CostcalcError:
        return None, [f"no profile of {shown}: add one, and name it in profiles"]
    return _detected(totals, plan, found.id, shown)


def _detected(
    totals: Totals, plan: Plan, accelerator: str, shown: str
) -> tuple[dict[str, Any], list[str]]:
    """The hardware section where a profile was found for what was detected."""
    written = {k: v for k, v in (plan.raw.get("hardware") or {}).items() if k not in _SPEED_KEYS}
    count, share = len(totals.devices), totals.devices[0].share
    asked = _named(plan)
    if asked == (accelerator, count):
        return written, []
    of_the_fabric = ("scale_up", "scale_out")  # all that holds on other devices too
    kept = {k: v for k, v in written.items() if asked is None or k in of_the_fabric}
    kept |= {"accelerator": accelerator, "count": count}
    if count == 1 and share < 1:
        kept["share"] = share
    if asked is None:
        return kept, []
    said = f"detected {shown}; the run file says {asked[1]} × {asked[0]}"
    return kept, [f"{said}: what was detected is taken"]


def _named(plan: Plan) -> tuple[str, int] | None:
    """Accelerator and count of the run file."""
    if not plan.has_hardware or plan.given is None:
        return None
    from costcalc.resolve.hardware import devices_of

    try:
        found = devices_of(plan.given, None, folders(plan.raw, None))
    except CostcalcError:
        return None
    return found.accelerator.id, found.count


# --- the sections around the figures -------------------------------------------------------------


def _measurement(
    totals: Totals, made: Mapping[str, Any], parts: list[dict[str, Any]]
) -> dict[str, Any]:
    last = totals.attempts[-1]
    metered = [part for part in parts if part["meter"] != _PROFILE]
    found: dict[str, Any] = {
        **made,
        "meters": [{"name": part["meter"], "what": part["component"]} for part in metered]
        or [{"name": "none", "what": "no meter was found"}],
        "components": parts,
        "gaps": totals.gaps,
        "nodes": totals.nodes,
    }
    found.pop("why", None)
    if totals.gaps:
        found["why"] = "energy in the gaps is taken at the mean power of the rest"
        if not _mostly_seen(totals):
            found["why"] = "the gaps are most of the job: energy is what was seen, a lower bound"
    if last.missing:
        found["missing_nodes"] = list(last.missing)
        found["why"] = "nodes without records are not counted: the figures are lower bounds"
    if last.duplicate:
        found["duplicate_nodes"] = list(last.duplicate)
    if totals.devices and not _devices_metered(totals):
        found["why"] = "no meter saw the devices: their energy is modelled from time and power"
    return found


def _boundary(made: Mapping[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """What of the hardware the energy holds."""
    counted = {part["component"] for part in parts if part.get("counted", True)}
    listed = []
    for item in made["components"]:
        kinds = _HOLDS.get(item["name"])
        if kinds is None:
            listed.append(item)
            continue
        entry = {"name": item["name"], "counted": bool(counted & kinds)}
        if item["name"] == "hosts" and "cpu" in counted:
            entry["why"] = "CPU and memory; fans and power supplies are not metered"
        listed.append(entry)
    return {**made, "components": listed}


def _run(
    totals: Totals, entry: Mapping[str, Any], measurement: Mapping[str, Any]
) -> dict[str, Any]:
    text = f"{totals.job}/{totals.attempts[0].began!r}"
    by = sorted({str(meter["name"]) for meter in measurement["meters"]})
    return {
        **entry,
        "id": "run-" + hashlib.sha256(text.encode()).hexdigest()[:12],
        "measured_by": "costcalc track: clock" + "".join(f"; {name}" for name in by),
        "attempts": len(totals.attempts),
    }


def _attempt(attempt: Any, totals: Totals) -> dict[str, Any]:
    return {
        "after_hours": (attempt.began - totals.attempts[0].began) / unit("h").factor,
        "hours": attempt.elapsed / unit("h").factor,
        "processes": attempt.writers,
        "ranks": attempt.world,
        "nodes": attempt.nodes,
        "devices": len(attempt.devices),
        "status": attempt.status,
    }


def _compared(predicted: Estimate, made: Estimate, seen: Done) -> dict[str, Any]:
    """What was predicted for the share of the plan that was done, beside what came."""
    planned = (predicted.details.get("work") or {}).get("data")
    came = (made.details.get("work") or {}).get("data")
    share = came / planned if seen.amount and came and planned else 1.0
    rows = []
    for name in COMPARED:
        before, after = predicted.results[name], made.results[name]
        if before.value is None or after.value is None:
            continue
        scale = share if name != "utilization" else 1.0
        rows.append(
            {
                "of": name,
                "unit": before.unit,
                "predicted": before.value * scale,
                "low": (before.low or 0.0) * scale,
                "high": (before.high or 0.0) * scale,
                "came": after.value,
                "basis": after.basis,
            }
        )
    return {"share_of_plan": share, "figures": rows}


def _calibrate(seen: Done, made: Estimate) -> dict[str, Any]:
    """The line that makes the next estimate right: one step as the run file counts steps."""
    step = made.results["step_time"]
    if seen.rate is None or step.value is None or made.results["utilization"].value is None:
        return {}
    return {"calibrate": f"hardware: {{calibrate: {{step_time: {step.value:.4g} s}}}}"}


def _private(notes: list[str], totals: Totals, *, identify: bool) -> list[str]:
    """Notes without what names a host, a path or a job."""
    if identify:
        return list(dict.fromkeys(notes))
    return [
        note for note in dict.fromkeys(notes) if not _PATH.search(note) and totals.job not in note
    ]
