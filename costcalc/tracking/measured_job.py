"""From the totals of a job to the run that was measured: typed figures in the place of the plan's.

What was detected wins over the run file; what was counted takes the place of what was planned.
"""

from __future__ import annotations

from collections.abc import Mapping

from costcalc.base.errors import CostcalcError
from costcalc.base.units import unit
from costcalc.calculator.unprofiled import DATA_KEYS, trained_on
from costcalc.catalog import accelerator as accelerators
from costcalc.resolve.hardware import devices_of
from costcalc.resolve.measured import JobRun
from costcalc.resolve.names import folders
from costcalc.runfile.rules import Lacking
from costcalc.runfile.schema import Training
from costcalc.runfile.values import MeasuredRate
from costcalc.tracking.achieved import Achieved
from costcalc.tracking.merge import Totals, named
from costcalc.tracking.plan import Plan

SPEED_KEYS = ("throughput", "goodput")
_PLANNED_SPEED = ("utilization", "utilization_basis", "calibrate", *SPEED_KEYS)
_BESIDE = (
    "another job that tracks ran on this machine at the same time: each counts the devices of its "
    "run file whole, in time, cost and energy, though they may be the same"
)
_OF_THE_FABRIC = ("scale_up", "scale_out")  # all of a hardware section that holds on other devices


def measured_job(totals: Totals, plan: Plan, seen: Achieved) -> tuple[JobRun | None, list[str]]:
    """The run as it was measured, and notes; None where no profile fits the hardware."""
    job, notes = _hardware(totals, plan)
    if job is None:
        return None, notes
    job, more = _data(job.lacking("measured"), totals, plan, seen)
    notes += more
    if len({attempt.held for attempt in totals.attempts}) == 1:
        return job.changed("measured", wall_clock=totals.elapsed), notes
    notes.append(
        "attempts had different numbers of devices: their device-hours are added, and the wall "
        "clock is what those come to on the last number"
    )
    hours = totals.device_seconds(0) / unit("h").factor
    return job.changed("measured", device_hours=hours), notes


def _data(job: JobRun, totals: Totals, plan: Plan, seen: Achieved) -> tuple[JobRun, list[str]]:
    """The run with what it was trained on, and how fast, as far as that is known."""
    training = job.run.training or Training()
    if Lacking.MODEL in plan.lacks:
        without = (*DATA_KEYS, "runs")
        return (job.changed("training", without=without) if job.run.training else job), []
    if seen.amount:
        job = trained_on(job, seen.amount, seen.unit)
        if seen.rate:
            goodput = min(seen.amount / seen.rate / max(totals.elapsed, 1e-9), 1.0)
            rate = MeasuredRate(seen.rate, f"{seen.unit}/s")
            job = job.changed("hardware", throughput=rate, goodput=goodput)
        return job, []
    planned = any(getattr(training, key) is not None for key in DATA_KEYS)
    if planned and totals.attempts and totals.attempts[-1].status == "completed":
        note = "nothing counted the data: what the run file plans is taken to be done"
        return job.changed("training", without=("runs",)), [note]
    note = "what was trained on is not known: nothing counted the data"
    return job.lacking("model").changed("training", without=(*DATA_KEYS, "runs")), [note]


def _hardware(totals: Totals, plan: Plan) -> tuple[JobRun | None, list[str]]:
    """The run on the hardware that was detected, else on the run file's."""
    if not totals.devices:
        if hidden := totals.attempts[-1].hidden:
            note = (
                f"the machine has {hidden} devices and the job may use none of them: what the run "
                "file names is not taken"
            )
            return None, [note]
        if Lacking.HARDWARE in plan.lacks:
            return None, ["no accelerator was detected, and the run file names none"]
        notes = ["no accelerator was detected: the run file's hardware is taken"]
        if totals.others:
            notes.append(_BESIDE)
        return plan.job.changed("hardware", without=_PLANNED_SPEED), notes
    kinds = named(totals.devices)
    shown = ", ".join(f"{count} × {name}" for name, count in kinds.items())
    if len(kinds) > 1:
        return None, [f"devices of several kinds are not costed: {shown}"]
    try:
        found = accelerators.find(next(iter(kinds)), folders(plan.written, None))
    except CostcalcError:
        return None, [f"no profile of {shown}: add one, and name it in profiles"]
    return _detected(totals, plan, found.id, shown)


def _detected(totals: Totals, plan: Plan, accelerator: str, shown: str) -> tuple[JobRun, list[str]]:
    """The run on what was detected, where that has a profile."""
    job = plan.job.changed("hardware", without=_PLANNED_SPEED)
    count, share = round(totals.attempts[-1].held), totals.devices[0].share
    asked = _named(plan)
    if asked == (accelerator, count):
        return job, []
    own = job.written.get("hardware")
    written = own if isinstance(own, Mapping) else {}
    others = [key for key in written if key not in _OF_THE_FABRIC]
    without = () if asked is None else others
    job = job.changed("hardware", without=without, accelerator=accelerator, count=count)
    if count == 1 and share < 1:
        job = job.changed("hardware", share=share)
    if asked is None:
        return job, []
    said = f"detected {shown}; the run file says {asked[1]} × {asked[0]}"
    return job, [f"{said}: what was detected is taken"]


def _named(plan: Plan) -> tuple[str, int] | None:
    """Accelerator and count of the run file."""
    if Lacking.HARDWARE in plan.lacks:
        return None
    try:
        found = devices_of(plan.job.given, None, folders(plan.written, None))
    except CostcalcError:
        return None
    return found.accelerator.id, found.count
