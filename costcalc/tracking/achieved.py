"""What a job did: how much data, and how fast while it trained."""

from __future__ import annotations

from dataclasses import dataclass

from costcalc.calculator.result import Estimate
from costcalc.tracking.merge import Totals
from costcalc.tracking.plan import Plan

_FEWEST = 3  # timed steps from which a speed is told
_ALIKE = 0.1  # of a batch, in which what was counted may be off: padding, the last of an epoch
_STEPS = "data are steps × training.global_batch: step() was given neither tokens nor samples"


@dataclass(frozen=True, slots=True, kw_only=True)
class Achieved:
    """What a job did: data in the run file's unit, and how fast while it trained (a second)."""

    amount: float | None
    unit: str
    rate: float | None
    step_time: float | None
    notes: tuple[str, ...] = ()


def achieved(totals: Totals, plan: Plan, predicted: Estimate | None) -> Achieved:
    """What was counted; steps stand in for tokens where only they were counted."""
    kind, amount, notes = _amount(totals, plan, _datum(predicted))
    if amount is None and totals.steps and predicted is not None:
        each, kind = _each(predicted)
        amount = totals.steps * each if each else None
        notes = (_STEPS,) if amount else ()
    step_time = totals.busy / totals.timed if totals.timed >= _FEWEST else None
    rate = None
    if amount and step_time and totals.steps:
        rate = amount / totals.steps / step_time
    return Achieved(amount=amount, unit=kind, rate=rate, step_time=step_time, notes=notes)


def _datum(predicted: Estimate | None) -> str | None:
    work = (predicted.details.get("work") or {}) if predicted else {}
    return str(work["datum"]) if work.get("datum") else None


def _amount(
    totals: Totals, plan: Plan, datum: str | None
) -> tuple[str, float | None, tuple[str, ...]]:
    """The data in the unit that the model is counted in, where that was counted."""
    if totals.samples is not None and (datum == "sample" or totals.tokens is None):
        length = plan.sample_length if datum == "token" else None
        if length is None:
            return "sample", totals.samples, ()
        return "token", totals.samples * length, (f"tokens are samples × {length:g}",)
    return "token", totals.tokens, ()


def _each(predicted: Estimate) -> tuple[float | None, str]:
    """Data a step, by the estimate."""
    rate, step = predicted.results["throughput"], predicted.results["step_time"]
    if rate.value is None or step.value is None:
        return None, "token"
    return rate.value * step.value, rate.unit.partition("/")[0]


# --- what of it stands in the report --------------------------------------------------------------


def counted(totals: Totals, seen: Achieved, made: Estimate) -> dict[str, dict[str, object]]:
    """Data that the estimate ``made`` of the job does not hold, and the time of a step as it was.

    Where too few steps were timed they are of all of the time: ``whole``.
    """
    found: dict[str, object] = {}
    if seen.amount and not (made.details.get("work") or {}).get("data"):
        found |= {"data": float(seen.amount), "datum": seen.unit}
    if seen.step_time:
        found["step_time"] = seen.step_time
    elif totals.steps and totals.elapsed:
        found |= {"step_time": totals.elapsed / totals.steps, "whole": True}
    return {"counted": found} if found else {}


def batch_notes(seen: Achieved, totals: Totals, plan: Plan, made: Estimate) -> list[str]:
    """That the steps held another batch than the one that the estimate goes by."""
    taken, kind = _each(made)
    if not (seen.amount and seen.rate and totals.steps and taken) or kind != seen.unit:
        return []
    each = seen.amount / totals.steps
    if abs(each / taken - 1) <= _ALIKE:
        return []
    said = f"{each:,.0f} {kind}s a step were counted; "
    training = plan.run.training
    if training is not None and training.global_batch is not None:
        return [f"{said}training.global_batch says {taken:,.0f}"]
    usual = f"the run file says no training.global_batch: an estimate takes {taken:,.0f}"
    return [f"{said}{usual}, and the step of `calibrate` is of these"]
