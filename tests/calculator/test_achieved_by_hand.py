"""The utilization of a run that is over, from its wall clock alone."""

import pytest

import costcalc

RUN = {
    "model": {"parameters": "69B"},
    "training": {
        "method": "finetune",
        "steps": 500,
        "global_batch": 16,
        "packing": "packed",
        "sequence_length": 2048,
    },
    "hardware": {"accelerator": "a100-sxm4-80", "count": 16},
    "measured": {"wall_clock": "13.5 h"},
}


def test_a_measured_wall_clock_says_what_was_reached():
    # 500 steps x 16 sequences x 2048 tokens x 6 FLOP x 69e9 parameters, over 13.5 h of 16 devices
    # at 312 TFLOP/s
    flop = 500 * 16 * 2048 * 6 * 69e9
    reached = flop / (13.5 * 3600 * 16 * 312e12)
    found = costcalc.estimate(RUN).results["utilization"]
    assert found.value == pytest.approx(reached, rel=0.002)
    assert found.value == pytest.approx(0.0280, abs=0.0002)
    assert found.basis == "measured"
    assert found.convention == "over the whole wall clock, lost time too, of 312 TFLOP/s (bf16)"


def test_steps_and_data_are_told_over_the_whole_wall_clock():
    # 13.5 h are 48,600 s: of 500 steps 97.2 s each, of 500 x 16 x 2048 tokens 337.1 a second
    found = costcalc.estimate(RUN).results
    assert found["step_time"].value == pytest.approx(97.2)
    assert found["throughput"].value == pytest.approx(500 * 16 * 2048 / 48600)
    for name in ("step_time", "throughput"):
        assert (found[name].basis, found[name].convention) == (
            "measured",
            "over the whole wall clock, lost time too",
        )
    tokens = {**RUN["training"], "tokens": "20M"}
    del tokens["steps"]
    # 20e6 / (16 x 2048) = 610.4 steps
    found = costcalc.estimate({**RUN, "training": tokens}).results["step_time"]
    assert found.value == pytest.approx(48600 / (20e6 / (16 * 2048)))
    del tokens["global_batch"]
    found = costcalc.estimate({**RUN, "training": tokens}).results["step_time"]
    assert (found.value, found.why) == (None, "needs training.steps or training.global_batch")


def test_a_run_of_no_known_model_reaches_nothing_known():
    run = {"hardware": RUN["hardware"], "measured": RUN["measured"]}
    found = costcalc.estimate(run).results["utilization"]
    assert (found.value, found.why) == (None, "no model and size of the data given")


def test_why_the_memory_of_a_measured_run_is_not_known_is_true():
    """Where a model is given it is not said that none is."""
    measured = {"hardware": {"accelerator": "h100-sxm5-80", "count": 8},
                "measured": {"wall_clock": "20 h"}}  # fmt: skip
    model, training = {"preset": "llama-3-8b"}, {"tokens": "1B"}
    said = {
        "": measured,
        "model": {**measured, "model": model},
        "both": {**measured, "model": model, "training": training},
    }
    found = {name: costcalc.estimate(run).results for name, run in said.items()}
    assert {name: results["memory_per_device"].why for name, results in found.items()} == {
        "": "no model given",
        "model": "no size of the data given: the model is not counted without",
        "both": "the time was measured: no layout was worked out, which would say it",
    }
    assert found["model"]["parameters"].why == found["model"]["memory_per_device"].why
    assert found["both"]["parameters"].value == 8030261248
