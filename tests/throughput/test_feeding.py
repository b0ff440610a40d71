"""Images have to be read and decoded: where the device is faster than a core, that is said."""

from __future__ import annotations

from typing import Any

import pytest

import costcalc

RUN: dict[str, Any] = {
    "model": {"preset": "resnet-50"},
    "training": {"samples": "115M", "method": "pretrain", "precision": "fp16"},
    "hardware": {"accelerator": "a100-sxm4-80", "count": 16, "throughput": None},
}


def said(model: str = "resnet-50", **hardware: object) -> list[str]:
    kept = {k: v for k, v in {**RUN["hardware"], **hardware}.items() if v is not None}
    found = costcalc.estimate({**RUN, "model": {"preset": model}, "hardware": kept})
    return [text for text in found.warnings if "a core decodes" in text]


def test_a_node_that_learns_faster_than_a_core_decodes_says_so() -> None:
    found = costcalc.estimate({**RUN, "hardware": {"accelerator": "a100-sxm4-80", "count": 16}})
    rate = found.results["throughput"].value / 2  # two nodes of eight
    assert said() == [
        f"images are taken to come as fast as they are learned from, {rate:,.0f} a second and "
        "node: a core decodes some 500 JPEG files of ImageNet a second"
    ]


@pytest.mark.parametrize(
    ("model", "hardware"),
    [
        ("resnet-50", {"accelerator": "t4", "count": 1}),  # 370 a second
        ("resnet-50", {"throughput": "20000 sample/s"}),  # measured: they came
        ("stable-diffusion-1.5", {}),
    ],
)
def test_and_what_is_slower_or_measured_does_not(model: str, hardware: dict[str, object]) -> None:
    assert said(model, **hardware) == []
