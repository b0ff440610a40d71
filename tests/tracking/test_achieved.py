"""What a job did: counts in the unit that the model is counted in, and a speed that is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from costcalc.tracking.achieved import achieved
from costcalc.tracking.ledger import Written
from costcalc.tracking.merge import Totals, totals
from costcalc.tracking.plan import predicted, prepare
from costcalc.tracking.records import Place, Sample, Start

SITE: dict[str, Any] = {"hardware": {"accelerator": "h100-sxm5-80", "count": 8}}
WORDS = {
    **SITE,
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1e9", "sequence_length": 1024, "global_batch": 64},
}
IMAGES = {
    **SITE,
    "model": {"preset": "vit-b-16"},
    "training": {"samples": "1e6", "global_batch": 256},
}


def job(**counts: Any) -> Totals:
    start = Start(job="j", writer="w", time=0.0, place=Place(job="j"), boot="b", host="h")
    return totals([Written(start=start, last=Sample(time=100.0, elapsed=100.0, **counts))])


def test_tokens_are_counted_and_their_speed_is_of_timed_steps() -> None:
    plan = prepare(WORDS)
    found = achieved(job(steps=10, timed=8, busy=4.0, tokens=5000.0), plan, predicted(plan)[0])
    # 4 s / 8 steps = 0.5 s a step; 5000 tokens / 10 steps = 500 a step: 1000 a second
    assert (found.amount, found.unit) == (5000.0, "token")
    assert (found.step_time, found.rate, found.notes) == (0.5, 1000.0, ())


@pytest.mark.parametrize(("timed", "step_time"), [(2, None), (3, 2.0), (4, 1.5)])
def test_a_speed_is_told_from_three_timed_steps(timed: int, step_time: float | None) -> None:
    found = achieved(job(steps=9, timed=timed, busy=6.0, tokens=9.0), prepare(None), None)
    assert found.step_time == step_time
    assert found.rate == (None if step_time is None else 1.0 / step_time)


def test_samples_of_a_model_of_tokens_are_so_many_tokens_each() -> None:
    plan = prepare(WORDS)
    found = achieved(job(steps=4, samples=10.0), plan, predicted(plan)[0])
    assert (found.amount, found.unit) == (10.0 * 1024, "token")
    assert found.notes == ("tokens are samples × 1024",)


def test_samples_whose_length_nobody_says_stay_samples() -> None:
    found = achieved(job(steps=4, samples=10.0), prepare(None), None)
    assert (found.amount, found.unit, found.notes) == (10.0, "sample", ())


@pytest.mark.parametrize(
    ("run", "amount", "unit"), [(WORDS, 99.0, "token"), (IMAGES, 10.0, "sample")]
)
def test_of_two_counts_the_models_own_is_taken(
    run: dict[str, Any], amount: float, unit: str
) -> None:
    plan = prepare(run)
    found = achieved(job(steps=4, tokens=99.0, samples=10.0), plan, predicted(plan)[0])
    assert (found.amount, found.unit) == (amount, unit)


def test_steps_alone_are_batches_of_the_plan() -> None:
    for run, each, unit in ((WORDS, 64 * 1024, "token"), (IMAGES, 256, "sample")):
        plan = prepare(run)
        found = achieved(job(steps=7), plan, predicted(plan)[0])
        assert (found.amount, found.unit) == (pytest.approx(7 * each), unit)
        assert found.notes == (
            "data are steps × training.global_batch: step() was given neither tokens nor samples",
        )


def test_steps_without_a_plan_are_no_data() -> None:
    found = achieved(job(steps=7, timed=6, busy=6.0), prepare(None), None)
    assert (found.amount, found.rate, found.step_time, found.notes) == (None, None, 1.0, ())
    before, _ = predicted(prepare(WORDS))
    assert before is not None
    unknown = replace(before.results["step_time"], value=None)
    before = replace(before, results={**before.results, "step_time": unknown})
    assert achieved(job(steps=7), prepare(None), before).amount is None


def test_a_job_that_took_no_step_did_nothing() -> None:
    plan = prepare(WORDS)
    found = achieved(job(), plan, predicted(plan)[0])
    assert (found.amount, found.rate, found.step_time, found.notes) == (None, None, None, ())
