"""How long is generated, where a run file says it: in time, goodput, breakdown and power alike."""

from __future__ import annotations

import pytest

import costcalc

HOUR = 3600.0


def grpo(time: str | None, **hardware: object):
    training = {"method": "grpo", "prompts": 2000, "prompt_length": 128, "group": 8}
    training |= {"generation_length": 256, "sequence_length": 384}
    return costcalc.estimate(
        {
            "model": {"preset": "gpt2"},
            "training": training | ({"generation_time": time} if time else {}),
            "hardware": {"accelerator": "h100-sxm5-80", "count": 1} | hardware,
        }
    ).to_dict()


def of(report, key):
    return next(one for one in report["assumptions"] if one["key"] == key)


def test_boards_draw_by_the_time_that_is_given():
    none, modelled, long = grpo("0 s"), grpo(None), grpo("1000 h")
    idle = of(none, "hardware.idle_power")["value"]
    draws = [of(report, "hardware.board_power")["value"] for report in (none, modelled, long)]
    # a small model waits for its host as it trains; one that is generating is busy all the time
    assert idle < draws[0] < draws[1] < draws[2]
    assert "100 % of the time busy" in of(long, "hardware.board_power")["why"]
    took = of(modelled, "training.generation_time")
    same = grpo(f"{took['value']!r} {took['unit']}")
    assert of(same, "hardware.board_power")["value"] == pytest.approx(draws[1])


def test_the_time_is_the_given_one():
    none, ten = grpo("0 s"), grpo("10 h")
    trains = none["results"]["wall_clock"]["value"] * of(none, "hardware.goodput")["value"]
    whole = ten["results"]["wall_clock"]["value"] * of(ten, "hardware.goodput")["value"]
    assert whole - trains == pytest.approx(10.0)
    step, seconds = ten["breakdown"]["step"], ten["results"]["step_time"]["value"]
    assert sum(step.values()) == pytest.approx(seconds)
    assert step["generation"] / seconds == pytest.approx(10.0 / whole)
    found = of(ten, "training.generation_time")
    assert (found["value"], found["low"], found["high"]) == (10 * HOUR, 10 * HOUR, 10 * HOUR)
    assert found["basis"] == "given"


def test_beside_a_measured_utilization():
    busy = [grpo(time, utilization=0.05) for time in ("0 s", "100 h")]
    none, long = (of(report, "hardware.board_power")["value"] for report in busy)
    assert none < long


@pytest.mark.parametrize(
    ("hardware", "key"),
    [
        ({"throughput": "1e5 token/s"}, "hardware.throughput"),
        ({"calibrate": {"step_time": "30 s"}}, "hardware.calibrate"),
    ],
)
def test_a_speed_of_the_whole_job_has_it_already(hardware: dict, key: str):
    none, two = grpo(None, **hardware), grpo("2 h", **hardware)
    for name in ("wall_clock", "throughput", "step_time", "energy"):  # two hours were added
        assert two["results"][name]["value"] == none["results"][name]["value"]
    told = f"training.generation_time is not used: {key} is of the whole job, which generates too"
    assert told in two["warnings"]
    assert told not in none["warnings"]


def test_of_another_method_it_is_beside_the_training():
    run = {
        "model": {"preset": "gpt2"},
        "training": {"tokens": "1B"},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 1, "goodput": 1},
    }
    none = costcalc.estimate(run).results["wall_clock"].value
    said = {"training.generation_time": "2 h"}
    assert costcalc.estimate(run, changes=said).results["wall_clock"].value == pytest.approx(
        none + 2
    )
