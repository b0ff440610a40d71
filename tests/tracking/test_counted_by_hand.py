"""What was counted stands in the report whatever else is known of the job, and steps as they were.

60 steps in a minute of 72 s, 1,000 tokens (or 50 samples) each: 59 timed steps of one second.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from costcalc.base import writing
from costcalc.report.check import verify
from costcalc.report.counted import WHOLE
from costcalc.tracking.ledger import Written
from costcalc.tracking.merge import totals
from costcalc.tracking.plan import predicted, prepare
from costcalc.tracking.records import Energy, Place, Sample, Start
from costcalc.tracking.reporting import report

HARDWARE = {"hardware": {"accelerator": "h100-sxm5-80", "count": 2}, "site": {"region": "FR"}}
LLAMA = {
    **HARDWARE,
    "model": {"preset": "llama-3-8b"},
    "training": {"method": "pretrain", "tokens": "1M", "sequence_length": 8192},
}


def beside(joules: float) -> dict[str, Energy]:
    """A processor of which another job took so much."""
    return {
        "cpu:b": Energy(
            joules=500.0, basis="measured", meter="RAPL", component="cpu", others=joules
        )
    }


def reported(folder: Path, run: dict[str, Any] | None, **counts: Any) -> dict[str, Any]:
    """The report of the job, which verifies."""
    told: dict[str, Any] = {"steps": 60, "timed": 59, "busy": 59.0, **counts}
    start = Start(job="night:42", writer="w", time=0.0, boot="b", host="h", place=Place(),
                  machine={"cpu": "Abacus", "unmetered": {}})  # fmt: skip
    last = Sample(time=72.0, elapsed=72.0, status="completed", **told)
    plan = prepare(run)
    before, why = predicted(plan)
    made = report(totals([Written(start=start, last=last)]), plan, before, why_not=why)
    path = folder / "report.json"
    path.write_text(writing.to_json(made), "utf-8")
    assert verify(path).discrepancies == ()
    return made


@pytest.mark.parametrize("run", [None, HARDWARE, {"training": {"tokens": "1M"}, **HARDWARE}])
@pytest.mark.parametrize(("kind", "each"), [("token", 1000.0), ("sample", 50.0)])
def test_data_and_their_rate_stand_in_a_report_without_a_model(
    tmp_path: Path, run: dict[str, Any] | None, kind: str, each: float
) -> None:
    made = reported(tmp_path, run, **{f"{kind}s": 60 * each})
    assert made["work"]["D"] == {"value": 60 * each, "unit": kind}
    assert made["work"]["E"]["why"] == "the compute of the model is not known"
    rate = made["results"]["throughput"]
    assert (rate["value"], rate["unit"]) == (pytest.approx(each), f"{kind}/s")
    assert (rate["basis"], rate.get("convention")) == ("measured", None)
    assert made["results"]["step_time"]["value"] == pytest.approx(1.0)
    assert made["results"]["training_compute"]["why"].startswith("no model given")
    assert "nothing counted" not in json.dumps(made)


def test_steps_alone_have_a_time_and_no_data(tmp_path: Path) -> None:
    made = reported(tmp_path, HARDWARE)
    assert made["work"]["D"]["value"] is None
    assert made["results"]["throughput"]["value"] is None
    assert made["results"]["step_time"]["value"] == pytest.approx(1.0)


def test_samples_of_a_model_of_tokens_are_the_tokens_that_a_sample_usually_has(
    tmp_path: Path,
) -> None:
    """No key says how many: a default does, which is among the assumptions."""
    run = {**HARDWARE, "model": {"parameters": "100M"}, "training": {"tokens": "1M"}}
    made = reported(tmp_path, run, samples=3000.0)
    each = next(a["value"] for a in made["assumptions"] if a["key"] == "training.sample_tokens")
    assert made["work"]["D"] == {"value": 3000 * each, "unit": "token"}
    whole = made["details"]["tracking"]["throughput_of_wall_clock"]
    assert whole == {"value": pytest.approx(3000 * each / 72), "unit": "token/s"}


def test_a_step_is_as_long_as_it_was_where_no_batch_is_given(tmp_path: Path) -> None:
    """A step of 1 M tokens was none of the 60: an estimate's batch is not the job's."""
    made = reported(tmp_path, LLAMA, tokens=60_000.0)
    step = made["results"]["step_time"]
    assert (step["value"], step["low"], step["high"]) == (pytest.approx(1.0),) * 3
    assert step["basis"] == "measured"
    assert made["results"]["throughput"]["value"] == pytest.approx(1000.0)
    # at 1,000 token/s the usual batch of 128 x 8,192 takes 1,049 s, which the next estimate goes by
    tracking = made["details"]["tracking"]
    assert tracking["calibrate"] == "hardware: {calibrate: {step_time: 1049 s}}"
    assert tracking["notes"][-1] == (
        "1,000 tokens a step were counted; the run file says no training.global_batch: an estimate "
        "takes 1,048,576, and the step of `calibrate` is of these"
    )


@pytest.mark.parametrize("run", [None, HARDWARE, LLAMA])
def test_where_too_few_steps_were_timed_loading_is_in_the_rate_which_says_so(
    tmp_path: Path, run: dict[str, Any] | None
) -> None:
    """One step after loading, 72 s in all: 1,000 tokens in 72 s."""
    made = reported(tmp_path, run, steps=1, timed=0, busy=0.0, tokens=1000.0)
    rate, step = made["results"]["throughput"], made["results"]["step_time"]
    assert (rate["value"], step["value"]) == (pytest.approx(1000 / 72), pytest.approx(72.0))
    assert rate["convention"] == step["convention"] == WHOLE
    assert WHOLE == "over the whole wall clock: loading, pauses and lost time are in it"


def test_two_jobs_on_a_device_that_nobody_sees_each_count_it_and_say_so(tmp_path: Path) -> None:
    said = (
        "another job that tracks ran on this machine at the same time: each counts the devices of "
        "its run file whole, in time, cost and energy, though they may be the same"
    )
    alone = reported(tmp_path, LLAMA, tokens=60_000.0, energy=beside(0.0))
    assert said not in alone["details"]["tracking"]["notes"]
    shared = reported(tmp_path, LLAMA, tokens=60_000.0, energy=beside(500.0))
    assert said in shared["details"]["tracking"]["notes"]
