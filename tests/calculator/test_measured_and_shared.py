"""What was measured takes the place of what is calculated; runs, stages, shares and instances."""

from __future__ import annotations

from typing import Any

import pytest
from llama_run import LLAMA, value, with_

import costcalc
from costcalc import InputError
from costcalc.calculator.result import Estimate


def test_measured_takes_the_place_of_the_time() -> None:
    made = costcalc.estimate(
        {
            "measured": {"wall_clock": "36 h"},
            "hardware": {"accelerator": "a100-sxm4-80", "count": 4},
            "site": {"region": "FR"},
            "price": {"device_hour": "2 USD"},
        }
    )
    assert value(made, "device_hours") == pytest.approx(144)
    assert value(made, "cost") == pytest.approx(288)
    assert made.results["wall_clock"].basis == "measured"
    assert made.results["parameters"].value is None
    assert made.results["parameters"].why == "no model given"
    assert made.results["throughput"].value is None


def test_measured_device_hours_energy_and_cost_each_win() -> None:
    made = costcalc.estimate(
        {
            "measured": {"device_hours": 288, "energy": "41 kWh", "cost": "310 USD"},
            "hardware": {"accelerator": "a100-sxm4-80", "count": 8},
            "site": {"grid": "100 gCO2e/kWh", "pue": 1.25},
        }
    )
    assert value(made, "wall_clock") == pytest.approx(36)
    assert value(made, "energy") == pytest.approx(41)
    assert value(made, "energy_it") == pytest.approx(41 / 1.25)
    assert value(made, "carbon_operational") == pytest.approx(4.1)
    assert value(made, "cost") == pytest.approx(310)


def test_energy_alone_gives_carbon_and_nothing_of_time() -> None:
    made = costcalc.estimate(
        {
            "measured": {"energy": "41 kWh"},
            "hardware": {"accelerator": "a100-sxm4-80", "count": 8},
            "site": {"region": "FR"},
        }
    )
    assert value(made, "carbon_operational") > 0
    assert made.results["wall_clock"].value is None
    assert made.results["carbon_total"].value is None  # embodied needs the time
    assert made.results["wall_clock"].why


def test_runs_multiply_what_is_of_all_runs_and_nothing_else() -> None:
    one, three = costcalc.estimate(LLAMA), costcalc.estimate(with_(training={"runs": 3}))
    for name in ("total_compute", "device_hours", "cost", "energy", "water", "carbon_total"):
        assert value(three, name) == pytest.approx(3 * value(one, name)), name
    for name in ("training_compute", "utilization", "throughput", "step_time", "wall_clock"):
        assert value(three, name) == pytest.approx(value(one, name)), name


def test_stages_add_up() -> None:
    made = costcalc.estimate(
        {
            **LLAMA,
            "stages": [
                {"name": "pretrain"},
                {"name": "sft", "training": {"method": "finetune", "tokens": "2B"}},
            ],
        }
    )
    assert [stage.name for stage in made.stages] == ["pretrain", "sft"]
    for name in ("wall_clock", "cost", "energy", "carbon_total", "total_compute"):
        parts = sum(value(stage, name) for stage in made.stages)
        assert value(made, name) == pytest.approx(parts), name
    alone = costcalc.estimate(LLAMA)
    assert value(made.stages[0], "cost") == pytest.approx(value(alone, "cost"))
    assert made.results["utilization"].value == pytest.approx(0.4)


def test_a_share_of_a_device_is_that_share_of_it() -> None:
    def run(share: str | None) -> Estimate:
        hardware: dict[str, Any] = {
            "accelerator": "a100-sxm4-40", "utilization": 0.3, "goodput": 0.9,
        }  # fmt: skip
        hardware |= {"share": share} if share else {"count": 1}
        return costcalc.estimate(
            {
                "model": {"flops": "1e18 FLOP"},
                "hardware": hardware,
                "site": {"region": "FR"},
                "price": {"device_hour": "1 USD"},
            }
        )

    part, whole = run("1/5"), run(None)
    assert value(part, "wall_clock") == pytest.approx(5 * value(whole, "wall_clock"))
    assert value(part, "device_hours") == pytest.approx(value(whole, "device_hours"))
    assert value(part, "cost") == pytest.approx(value(whole, "cost"))
    # a seventh is MIG's 1g.5gb: 14 of 108 multiprocessors, for a seventh of the device
    part = run("1/7")
    assert value(part, "wall_clock") == pytest.approx(108 / 14 * value(whole, "wall_clock"))
    assert value(part, "cost") == pytest.approx(108 / 14 / 7 * value(whole, "cost"))


def test_instances_are_billed_whole() -> None:
    def run(count: int) -> Estimate:
        return costcalc.estimate(
            with_(hardware={"count": count}, price=None, site={"region": "aws:us-east-1"})
        )

    twelve, sixteen = run(12), run(16)
    per_hour_12 = value(twelve, "cost") / value(twelve, "wall_clock")
    per_hour_16 = value(sixteen, "cost") / value(sixteen, "wall_clock")
    assert per_hour_12 == pytest.approx(per_hour_16)  # two p5.48xlarge either way


def test_instance_and_nodes_say_what_and_how_many() -> None:
    made = costcalc.estimate(
        with_(hardware={"accelerator": None, "count": None, "instance": "p5.48xlarge", "nodes": 4})
    )
    assert made.details["hardware"]["id"] == "h100-sxm5-80"
    assert made.details["hardware"]["count"] == 32


def test_a_tpu_slice_says_its_count_and_contradictions_are_refused() -> None:
    made = costcalc.estimate(
        {
            "model": {"preset": "vit-b-16"},
            "training": {"samples": 1e6},
            "hardware": {"accelerator": "v3-32", "utilization": 0.3},
            "site": {"region": "gcp:us-central1"},
        }
    )
    assert made.details["hardware"]["count"] == 16  # 32 TensorCores, two a chip
    with pytest.raises(InputError, match="v3-32 says 16 chips; count says 32"):
        costcalc.estimate(
            {"model": {"flops": "1e18 FLOP"}, "hardware": {"accelerator": "v3-32", "count": 32}}
        )
