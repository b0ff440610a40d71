"""Samples by their FLOPs: the formula by hand, and what it says of nets that people know."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from costcalc.throughput.by_flops import DENSE, sample_seconds, sample_time
from costcalc.throughput.layer import SHARP
from costcalc.throughput.layout import Machine

# A100 80 GB (NVIDIA datasheet): 312 TFLOP/s fp16, 156 tf32, 19.5 fp32, 2,039 GB/s
A100 = Machine(
    accelerator="a",
    generation="ampere",
    kind="gpu",
    devices=1,
    per_node=8,
    peak={"fp16": 312e12, "bf16": 312e12, "tf32": 156e12, "fp32": 19.5e12},
    memory_bandwidth=2039e9,
    matmul_ceiling={"bf16": 0.87},
)
CONSTANTS = {
    "classes": {"cnn": {"share": 0.8}},
    "samples": {
        "tf32": 0.5,
        "fp32": 1.0,
        "passes": 24.0,
        "fused": 0.5,
        "light": 800.0,
        "late": 0.05,
        "layer": 5e-4,
    },
    "global": {"bandwidth": 0.8},
}
RESNET, ELEMENTS = 8.18e9, 11.1e6  # ResNet-50 at 224 (torchvision; timm)
EFFNET, MANY = 0.78e9, 6.7e6  # EfficientNet-B0


def test_resnet_50_by_hand() -> None:
    # 3 x 8.18 GFLOP / (312T x 0.87 x 0.8) = 0.1130 ms; 24 x 11.1 M x 2 B / (2039 GB/s x 0.8) =
    # 0.3266 ms; 737 FLOP an element are dense: no light layers
    found = sample_time(RESNET, A100, "fp16", CONSTANTS, elements=ELEMENTS)
    assert found.compute == pytest.approx(0.11301e-3, rel=1e-3)
    assert found.memory == pytest.approx(0.32663e-3, rel=1e-3)
    assert found.seconds == pytest.approx(found.compute + found.memory)


@pytest.mark.parametrize(
    ("batch", "layers", "waited"),
    [
        (math.inf, 54, 0.0),  # a compiled graph
        # 54 x 0.5 ms = 27 ms of the host; 12 samples take the device 12 x 0.43964 = 5.276 ms, and
        # the host is what counts: (5.276^4 + 27^4)^(1/4) - 5.276 = 21.734 ms, a twelfth a sample
        (12, 54, 21.734e-3 / 12),
        (12, None, 21.734e-3 / 12),  # as ResNet-50, where nobody says
        # 256 samples take 112.5 ms, and the host works beside it: 0.093 ms
        (256, 54, 0.0932e-3 / 256),
    ],
)
def test_few_samples_wait_for_the_host(batch: float, layers: float, waited: float) -> None:
    assert SHARP == 4.0
    asked = {"elements": ELEMENTS, "batch": batch, "layers": layers}
    found = sample_time(RESNET, A100, "fp16", CONSTANTS, **asked)
    assert found.launch == pytest.approx(waited, rel=5e-3)
    assert found.seconds == pytest.approx(found.compute + found.memory + found.launch)
    # of a diffusion model nobody knows the layers
    assert sample_time(RESNET, A100, "fp16", CONSTANTS, "diffusion", batch=1).launch == 0.0


def test_fused_kernels_halve_the_traffic() -> None:
    plain = sample_time(RESNET, A100, "fp16", CONSTANTS, elements=ELEMENTS)
    fused = sample_time(RESNET, A100, "fp16", CONSTANTS, elements=ELEMENTS, fused=True)
    assert fused.memory == pytest.approx(plain.memory / 2)
    assert fused.compute == plain.compute


def test_depthwise_layers_run_at_the_vector_rate() -> None:
    # 116 FLOP an element: 800 x 6.7 M x (1 - 116.4/600) = 4.320 GFLOP at 19.5 TFLOP/s = 0.2215 ms
    # beside 3 x 0.78 GFLOP / (312T x 0.87 x 0.8) = 0.0108 ms
    found = sample_time(EFFNET, A100, "fp16", CONSTANTS, elements=MANY)
    assert found.compute == pytest.approx(0.2323e-3, rel=1e-3)


def test_wider_numbers_move_twice_the_bytes() -> None:
    half = sample_time(RESNET, A100, "fp16", CONSTANTS, elements=ELEMENTS)
    tf32 = sample_time(RESNET, A100, "tf32", CONSTANTS, elements=ELEMENTS)
    assert tf32.memory == pytest.approx(2 * half.memory)
    assert tf32.compute == pytest.approx(4 * half.compute)  # half the peak, half the share of it


def test_each_doubling_of_the_devices_adds_a_share() -> None:
    one = sample_time(RESNET, A100, "fp16", CONSTANTS)
    eight = sample_time(RESNET, replace(A100, devices=8), "fp16", CONSTANTS)
    assert eight.seconds == pytest.approx(1.15 * one.seconds)


@pytest.mark.parametrize("kind", ["vit", "diffusion"])
def test_only_convolutional_nets_have_light_layers(kind: str) -> None:
    few = sample_time(1e9, A100, "fp16", {}, kind, elements=1e9 / (DENSE / 4))
    assert few.compute < sample_time(1e9, A100, "fp16", {}, "cnn", 1e9 / (DENSE / 4)).compute


def test_the_formula_has_its_dimensions() -> None:
    import pint

    u = pint.UnitRegistry()
    u.define("FLOP = [compute]")
    found = sample_seconds(
        1e9 * u.FLOP,
        1e14 * u.FLOP / u.s,
        1e9 * u.byte,
        1e12 * u.byte / u.s,
        1e9 * u.FLOP,
        1e13 * u.FLOP / u.s,
    )
    assert found.seconds.check("[time]")
