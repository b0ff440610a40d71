"""The utilization of a run that is over, from its wall clock alone."""

import pytest

import costcalc

RUN = {
    "model": {"parameters": "69B"},
    "training": {"method": "finetune", "steps": 500, "global_batch": 16, "sequence_length": 2048},
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


def test_steps_are_not_told_from_the_wall_clock():
    found = costcalc.estimate(RUN).results["step_time"]
    assert found.value is None
    assert (
        found.why == "only the whole wall clock was measured: how much of it trained is not known"
    )


def test_a_run_of_no_known_model_reaches_nothing_known():
    run = {"hardware": RUN["hardware"], "measured": RUN["measured"]}
    found = costcalc.estimate(run).results["utilization"]
    assert (found.value, found.why) == (None, "no model and size of the data given")
