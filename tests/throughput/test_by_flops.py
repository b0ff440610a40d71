"""Samples by their FLOPs: the formula by hand, and what it says of nets that people know."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from throughput_models import CONSTANTS as FITTED

from costcalc.throughput.by_flops import DENSE, Replicas, replicas_of, sample_seconds, sample_time
from costcalc.throughput.layer import SHARP
from costcalc.throughput.layout import Machine, Recipe
from costcalc.throughput.network import Network

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


def net(rate: float, latency: float = 0.0, exposed: float = 0.25) -> Network:
    """Of which a ring of replicas is made; the rest does not matter here."""
    zero = {field.name: 0.0 for field in fields(Network)}
    return Network(
        **zero
        | {"gradient_bytes": 4.0, "data_rate": rate, "data_latency": latency,
           "data_exposed": exposed}
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rate", "samples", "added"),
    [
        # 25.6 M gradients of 4 bytes, twice 7/8 of them over each link: 179.2 MB at 100 GB/s are
        # 1.792 ms; a quarter of it shows beside 32 samples of 0.43964 ms, which hide the rest
        (100e9, 32, 0.25 * 1.792e-3 / 32),
        # at 10 GB/s 17.92 ms, of which 13.44 may hide in 2/3 of 14.068 = 9.379 ms
        (10e9, 32, (0.25 * 17.92e-3 + 13.44e-3 - 9.379e-3) / 32),
        # and of 256 samples all of them do
        (10e9, 256, 0.25 * 17.92e-3 / 256),
    ],
)
def test_gradients_are_added_up_each_step(rate: float, samples: float, added: float) -> None:
    none = {"elements": ELEMENTS}
    constants = CONSTANTS | {"samples": CONSTANTS["samples"] | {"late": 0.0}}
    eight = replace(A100, devices=8)
    shared = Replicas(parameters=25.6e6, samples=samples, net=net(rate))
    alone = sample_time(RESNET, eight, "fp16", constants, **none)
    found = sample_time(RESNET, eight, "fp16", constants, **none, replicas=shared)
    assert alone.late == 0.0
    assert found.late == pytest.approx(added, rel=1e-3)
    assert found.seconds == pytest.approx(alone.seconds + found.late)
    # a reduce-scatter and an all-gather wait for a message each
    waits = Replicas(parameters=25.6e6, samples=samples, net=net(rate, latency=1e-3, exposed=1.0))
    more = sample_time(RESNET, eight, "fp16", constants, **none, replicas=waits)
    assert more.late == pytest.approx((2 * (7 / 8 * 102.4e6 / rate + 1e-3)) / samples, rel=1e-3)


def test_who_adds_up_gradients() -> None:
    recipe = Recipe(sequence_length=1, global_batch=64.0, precision="bf16", trainable_share=0.5)
    eight = replace(A100, devices=8, scale_up=300e9, scale_up_domain=8)
    known = {"global": {**FITTED, "sustained": 0.9, "scale_up": 0.6}}
    found = replicas_of(25.6e6, eight, recipe, known)
    assert found is not None
    assert (found.parameters, found.samples) == (12.8e6, 8.0)
    assert found.net.data_rate == pytest.approx(300e9 * 0.6)
    assert replicas_of(25.6e6, A100, recipe, known) is None
    assert replicas_of(None, eight, recipe, known) is None


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
