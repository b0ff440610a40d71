"""Steps of tuning are of samples, as short as those are, unless they are packed."""

from __future__ import annotations

from typing import Any

import pytest

import costcalc


def tuned(**training: Any) -> costcalc.Estimate:
    said = {"method": "lora", "steps": 100, "global_batch": 8, "sequence_length": 2048, **training}
    return costcalc.estimate(
        {
            "model": {"preset": "llama-3-8b"},
            "training": said,
            "hardware": {"accelerator": "a100-sxm4-80", "count": 1},
        }
    )


def test_a_length_beside_steps_is_what_samples_are_cut_to():
    made = tuned()
    # 100 steps of 8 samples: between instructions of 220 tokens and 2048, √(220 · 2048) = 671
    assert made.details["work"]["data"] == 100 * 8 * 671
    (note,) = [str(one) for one in made.warnings if "sample_tokens" in str(one)]
    assert note == (
        "model: samples are taken to be of 671 tokens in the mean, between instructions and filled "
        "sequences, and may be of 90 to 2048: say training.sample_tokens"
    )


def test_samples_and_steps_of_no_said_length_are_instructions():
    for told in ({"steps": None, "samples": 800}, {"sequence_length": None}):
        made = tuned(**told)
        assert made.details["work"]["data"] == 100 * 8 * 220.0
        assert any("of 220 tokens in the mean, as instructions are" in w for w in made.warnings)


@pytest.mark.parametrize("packing", ["packed", "padded"])
def test_a_sequence_that_is_filled_is_as_long_as_is_said(packing: str):
    made = tuned(packing=packing)
    assert made.details["work"]["data"] == 100 * 8 * 2048.0


def test_steps_of_pretraining_are_of_whole_sequences():
    made = tuned(method="pretrain", packing=None)
    assert made.details["work"]["data"] == 100 * 8 * 2048.0


def test_the_step_is_as_uncertain_as_the_length_of_its_samples():
    step, rate = (tuned().results[name] for name in ("step_time", "throughput"))
    told = tuned(sample_tokens=671).results["step_time"]
    assert step.value == pytest.approx(told.value)
    # tokens a second say nothing of lengths; a step is of 90 to 2048 tokens a sample
    assert step.high / step.low > 3 * rate.high / rate.low
    assert step.high / step.low > 3 * told.high / told.low


@pytest.mark.parametrize(("method", "unread"), [("lora", False), ("pretrain", True)])
def test_packing_that_says_how_long_they_are_is_used(method: str, unread: bool):
    made = tuned(method=method, packing="packed")
    assert (
        any("training.packing is not used" in str(one) for one in (*made.notes, *made.warnings))
        is unread
    )
