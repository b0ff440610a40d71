"""What ordinary software loses against the tuned one that was measured, and who says so."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

import costcalc
from costcalc.throughput.predict import launched
from costcalc.throughput.ranges import prediction_range, slower


@pytest.mark.parametrize(
    ("kind", "precision", "method", "compiled", "below"),
    [
        ("encoder", "fp16", "finetune", False, 0.73),
        ("encoder", "bf16", "lora", False, 0.73),
        ("encoder", "fp16", "finetune", True, 0.0),  # one kernel casts and computes
        ("encoder", "fp32", "finetune", False, 0.0),  # nothing is cast
        ("encoder", "tf32", "finetune", False, 0.0),
        ("encoder", "fp16", "pretrain", False, 0.0),  # measured
        ("encoder-decoder", "bf16", "pretrain", False, 0.73),  # not measured
        ("speech", "fp16", "finetune", False, 0.73),
        ("vision", "fp16", "pretrain", False, 0.73),  # measured on one small board alone
        ("vit", "bf16", "finetune", False, 0.73),
        ("vit", "bf16", "finetune", True, 0.0),
        ("vision", "tf32", "finetune", False, 0.0),
        ("decoder", "bf16", "finetune", False, 0.0),
        ("cnn", "fp16", "finetune", False, 0.0),
        ("detector", "fp16", "pretrain", False, 0.9),
        ("detector", "fp32", "finetune", True, 0.9),
        ("diffusion", "fp32", "lora", False, 0.66),
        ("diffusion", "fp16", "pretrain", False, 0.0),
    ],
)
def test_who_may_be_slower(
    kind: str, precision: str, method: str, *, compiled: bool, below: float
) -> None:
    assert slower(kind, precision, method, compiled=compiled) == below


def test_it_widens_the_low_end_alone() -> None:
    # without constants log low is -0.45 and log high 0.35: sqrt(0.45^2 + 0.6^2) = 0.75
    low, high = prediction_range({}, generation="hopper", below=0.6)
    assert low == pytest.approx(math.exp(-0.75))
    assert high == pytest.approx(math.exp(0.35))


@pytest.mark.parametrize(
    ("micro", "samples"),
    [
        (2, 2.0),  # 8 samples a device in four micro-batches of 2
        (8, 8.0),
        (16, 8.0),  # no more than its share of 64 on 8 devices
    ],
)
def test_a_host_launches_each_micro_batch(micro: int, samples: float) -> None:
    machine: Any = SimpleNamespace(kind="gpu", devices=8)
    recipe: Any = SimpleNamespace(compiled=False, global_batch=64)
    layout: Any = SimpleNamespace(micro_batch=micro)
    assert launched(machine, recipe, layout) == samples


def run(preset: str, **training: Any) -> dict[str, Any]:
    return {
        "model": {"preset": preset},
        "training": {"method": "finetune", "samples": 1000, "global_batch": 4, **training},
        "hardware": {"accelerator": "a100-sxm4-40", "count": 1},
    }


def why(made: dict[str, Any]) -> str:
    found = costcalc.estimate(made).assumptions
    return next(one.why for one in found if one.key == "hardware.utilization")


def test_the_reason_stands_beside_the_utilisation() -> None:
    cast = "down to half as fast where fp16 is cast to and from 32 bits kernel by kernel"
    assert cast in why(run("bert-base", precision="fp16"))
    assert "cast" not in why(run("bert-base", precision="fp32"))
    beside = "down to half as fast where encoders run in each step and it recomputes"
    assert beside in why(run("stable-diffusion-1.5"))
    assert beside not in why(run("stable-diffusion-1.5", method="pretrain"))


def test_a_u_net_waits_for_its_host() -> None:
    # 282 layers with weights at 0.62 ms are 0.17 s of the host for each micro-batch: four of one
    # image wait three to four times as long as one of four, and longer since the device has less
    one, four = (
        costcalc.estimate(run("stable-diffusion-1.5", compiled=False, micro_batch=size))
        for size in (1, 4)
    )
    waits = [made.to_dict()["breakdown"]["step"]["launch"] for made in (one, four)]
    assert waits[0] > 3 * waits[1]
    # a micro-batch that nobody tells is the device's share of the batch, whatever would fit
    unsaid = costcalc.estimate(run("stable-diffusion-1.5", compiled=False))
    assert unsaid.to_dict()["breakdown"]["step"]["launch"] == pytest.approx(waits[1])
    graph = costcalc.estimate(run("stable-diffusion-1.5", compiled=True))
    assert "launch" not in graph.to_dict()["breakdown"]["step"]


def test_bits_that_nobody_tells_are_told() -> None:
    said = "a trainer that is asked for neither fp16 nor bf16 takes 32"
    assert any(said in one for one in costcalc.estimate(run("bert-base")).warnings)
    for told in ({"precision": "fp16"}, {"software": "keras"}, {"method": "pretrain"}):
        found = costcalc.estimate(run("bert-base", **told)).warnings
        assert not any(said in one for one in found), told


def test_networks_that_detect_may_be_slower_than_those_that_classify() -> None:
    def made(model: dict[str, Any]) -> Any:
        return costcalc.estimate(
            {
                "model": model,
                "training": {"samples": "35.5M", "precision": "fp16", "global_batch": 64},
                "hardware": {"accelerator": "v100-sxm2-16", "count": 1},
            }
        )

    detector = made({"preset": "yolov5s"})
    plain = made({"forward_flops": "16.5 GFLOP", "kind": "cnn"})
    ours, theirs = (one.results["utilization"] for one in (detector, plain))
    assert ours.value == pytest.approx(theirs.value)
    assert ours.high / ours.value == pytest.approx(theirs.high / theirs.value)
    low, usual = (math.log(one.low / one.value) for one in (ours, theirs))
    assert low == pytest.approx(-math.hypot(usual, 0.9), rel=0.02)
    assert detector.values["board_power"] == pytest.approx(plain.values["board_power"])
    # two days of a V100 for 300 epochs of 118,287 images (README of ultralytics/yolov5)
    took = detector.results["wall_clock"]
    assert took.low < 48 < took.high
    why = next(item.why for item in detector.inputs if item.key == "hardware.utilization")
    assert "losses and mosaics of detection are not modelled" in why
