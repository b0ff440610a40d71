"""What a job did: how much data, and how fast while it trained."""

from __future__ import annotations

from dataclasses import dataclass

from costcalc.calculator.result import Estimate
from costcalc.tracking.merge import Totals
from costcalc.tracking.plan import Plan

_FEWEST = 3  # timed steps from which a speed is told
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
