"""From the totals of a job to its report: measured figures in the place of their stages, the rest
by the same pipeline that estimates, and what was predicted beside what came.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

from costcalc.base import writing
from costcalc.base.errors import CostcalcError
from costcalc.base.units import unit
from costcalc.calculator.calculate import estimated
from costcalc.calculator.document import id_of
from costcalc.calculator.result import Estimate
from costcalc.report.metered import COMPARED, NO_METER, calibrate, dressed
from costcalc.resolve.measured import JobRun
from costcalc.tracking.achieved import Achieved, achieved, batch_notes, counted
from costcalc.tracking.coverage import coverage, shared
from costcalc.tracking.energy_parts import (
    EnergyPart,
    completed,
    metered,
    on_processors,
    summed,
    unseen,
)
from costcalc.tracking.measured_job import SPEED_KEYS, measured_job
from costcalc.tracking.merge import Totals
from costcalc.tracking.plan import Plan
from costcalc.tracking.records import Attempt
from costcalc.tracking.without_profile import estimated_without_profile

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

_DRAWN = ("accelerators", "hosts", "network")  # parts of an estimate's energy, PUE aside
_PATH = re.compile(r"(?:^|[\s:='\"(])(?:/|~/?|\.\.?/|\w:\\)\w|://")  # a path or a URL in a note
_UNHEARD = "ended without a word"  # of an attempt that runs, and another began: it was killed
_SHORT = 1e-3  # of the time, below which a gap changes no figure


# --- the report ----------------------------------------------------------------------------------


def report(
    totals: Totals,
    plan: Plan,
    predicted: Estimate | None = None,
    *,
    identify: bool = False,
    why_not: str = "",
    trainings: Sequence[Totals] = (),
) -> dict[str, Any]:
    """The report of a job: the shape of an estimate's, measured.

    ``why_not`` says why nothing was predicted, ``trainings`` are those of which this is the sum.
    Hosts, job and paths stay out of it unless ``identify``.
    """
    seen = achieved(totals, plan, predicted)
    job, notes = measured_job(totals, plan, seen)
    notes = [*seen.notes, *notes]
    first = None if job is None else _costed(job, notes)
    made, parts = _with_energy(first, totals, plan, seen)
    data = made.to_dict(identify=identify)
    notes += batch_notes(seen, totals, plan, made)
    said = _private([*notes, *totals.notes], totals, identify=identify)
    tracking = {
        "attempts": [_attempt(a, totals, _beside(first, totals)) for a in totals.attempts],
        "steps": totals.steps,
        **counted(totals, seen, made),
        **_speed(totals, seen, made),
        "predicted": _compared(predicted, made, seen) if predicted else {"why": why_not},
        **_calibrate(seen, made),
        **({"trainings": [_training(one) for one in trainings]} if trainings else {}),
        **({"notes": said} if (*notes, *totals.notes) else {}),
        **({"job": totals.job} if identify else {}),
    }
    told = {
        "measurement": _measurement(totals, data["measurement"], parts, whole=first is not None),
        "details": {"tracking": tracking},
        "runs": [{"id": run_id(totals)}],
    }
    whole = dict(dressed(cast("Report", data), told))
    return whole | {"digest": writing.digest(whole)}


def _costed(job: JobRun, notes: list[str]) -> tuple[JobRun, Estimate] | None:
    """The estimate of what was measured; a speed that cannot be is left out before all else."""
    for run in (job, job.changed("hardware", without=SPEED_KEYS)):
        try:
            return job, estimated(run.request())
        except CostcalcError as error:
            notes.append(f"not used: {str(error).splitlines()[0].removeprefix('run: ')}")
    return None


def _with_energy(
    first: tuple[JobRun, Estimate] | None, totals: Totals, plan: Plan, seen: Achieved
) -> tuple[Estimate, list[EnergyPart]]:
    """The estimate with the energy that was metered in it, and the parts of that energy.

    What no meter saw of a job whose devices were metered is modelled as an estimate has it, each
    part with its range.  Where nobody saw the devices, all of the energy is modelled, and what was
    metered stands beside it.
    """
    seen_by_meters = metered(totals)
    if first is None:
        parts = [*seen_by_meters, *unseen(totals, None)]
        return estimated_without_profile(totals, plan, summed(parts), seen), parts
    job, made = first
    on_cpus = None if totals.devices else on_processors(seen_by_meters, totals, made)
    if on_cpus is None and not totals.devices_seen and not totals.joules("device"):
        split = made.breakdown.get("energy", {})
        modelled = [EnergyPart(component=n, energy=split[n]) for n in _DRAWN if n in split]
        return made, [*modelled, *(replace(part, counted=False) for part in seen_by_meters)]
    parts = on_cpus or completed(seen_by_meters, totals, made)
    joules = summed(parts)
    assert joules is not None
    energy, low, high = joules
    job = job.changed("measured", energy_it=energy)
    if low < high:
        job = job.changed("measured", energy_it_low=low, energy_it_high=high)
    again = _costed(job, [])
    return again[1] if again else made, parts


# --- the sections around the figures -------------------------------------------------------------


def _measurement(
    totals: Totals, made: Mapping[str, object], parts: Sequence[EnergyPart], *, whole: bool
) -> dict[str, object]:
    last = totals.attempts[-1]
    found: dict[str, object] = {
        **made,
        "components": [part.to_dict() for part in parts],
        "gaps": totals.gaps,
        "nodes": totals.nodes,
        **coverage(totals, parts, whole=whole),
    }
    found.pop("why", None)
    why = []
    if totals.gaps > _SHORT * totals.elapsed:
        most = ", and they are most of the job" if totals.gaps > totals.elapsed / 2 else ""
        by_profile = any(
            p.component == "device" and p.of == NO_METER and not p.meter for p in parts
        )
        power = "profile's power" if by_profile else "mean power of the rest"
        why.append(f"energy in the gaps is taken at the {power}{most}")
    if last.missing:
        found["missing_nodes"] = list(last.missing)
        why.append(
            "nodes without records are taken to have held as many devices as the others, at their "
            "mean power"
        )
    if last.duplicate:
        found["duplicate_nodes"] = list(last.duplicate)
    if totals.devices and not totals.devices_seen:
        why = ["no meter saw the devices: their energy is modelled from time and power"]
    elif totals.devices and not totals.metered:
        why.append("some devices were not metered: they are taken at the mean power of the others")
    if others := shared(totals):
        why.append(others)
    if why:
        found["why"] = "; ".join(why)
    return found


def _training(totals: Totals) -> dict[str, object]:
    """One of several trainings of a command, which has a report of its own."""
    found: dict[str, object] = {
        "run": run_id(totals),
        "hours": totals.elapsed / unit("h").factor,
        "steps": totals.steps,
    }
    return found | ({"tokens": totals.tokens} if totals.tokens is not None else {})


def run_id(totals: Totals) -> str:
    """What a report calls the job, the same however often it is written.

    Of a job and when it began; nobody can read either from it.
    """
    return id_of(f"{totals.job}/{totals.attempts[0].began!r}")


def _beside(first: tuple[JobRun, Estimate] | None, totals: Totals) -> int:
    """How many devices an attempt has of which nobody saw any: those of the run file."""
    if first is None or any(attempt.held for attempt in totals.attempts):
        return 0
    return round(first[1].values.get("devices", 0.0))


def _attempt(attempt: Attempt, totals: Totals, beside: int) -> dict[str, object]:
    ended = attempt.status != "running" or attempt is totals.attempts[-1]
    return {
        "after_hours": (attempt.began - totals.attempts[0].began) / unit("h").factor,
        "hours": attempt.elapsed / unit("h").factor,
        "processes": attempt.writers,
        "ranks": attempt.world,
        "nodes": attempt.nodes,
        "devices": round(attempt.held) or beside,
        "status": attempt.status if ended else _UNHEARD,
    }


def _compared(predicted: Estimate, made: Estimate, seen: Achieved) -> dict[str, object]:
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


def _calibrate(seen: Achieved, made: Estimate) -> dict[str, object]:
    """The line that makes the next estimate right: one step as the run file counts steps."""
    step = made.results["step_time"]
    if seen.rate is None or step.value is None or made.results["utilization"].value is None:
        return {}
    return {"calibrate": calibrate(step.value)}


def _speed(totals: Totals, seen: Achieved, made: Estimate) -> dict[str, object]:
    """The named pauses, and how fast the job was over all of its time, they and waits included."""
    found: dict[str, object] = {"pauses": totals.pauses} if totals.pauses else {}
    work = made.details.get("work") or {}  # of which samples may be tokens
    data, datum = seen.amount, seen.unit
    if work.get("data"):
        data, datum = work["data"], work["datum"]
    if seen.amount and data and totals.elapsed:
        rate = {"value": data / totals.elapsed, "unit": f"{datum}/s"}
        found["throughput_of_wall_clock"] = rate
    return found


def _private(notes: list[str], totals: Totals, *, identify: bool) -> list[str]:
    """Notes without what names a host, a path or a job."""
    if identify:
        return list(dict.fromkeys(notes))
    return [
        note for note in dict.fromkeys(notes) if not _PATH.search(note) and totals.job not in note
    ]
