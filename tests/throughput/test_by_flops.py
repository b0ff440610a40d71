"""Samples by their FLOPs: the formula by hand, and what it says of nets that people know."""

from __future__ import annotations

import math
from dataclasses import fields, replace

import pytest
from throughput_models import CONSTANTS as FITTED

from costcalc.throughput.by_flops import (
    DENSE,
    Beside,
    Replicas,
    beside_of,
    replicas_of,
    sample_seconds,
    sample_time,
)
from costcalc.throughput.layer import SHARP
from costcalc.throughput.layout import Layout, Machine, Recipe
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


def test_a_forward_pass_more_takes_a_third_more() -> None:
    asked = {"elements": ELEMENTS, "batch": 12, "layers": 54}
    once = sample_time(RESNET, A100, "fp16", CONSTANTS, **asked)
    found = sample_time(RESNET, A100, "fp16", CONSTANTS, **asked, beside=Beside(again=1.0))
    for name in ("compute", "memory", "launch", "seconds"):
        assert getattr(found, name) == pytest.approx(4 / 3 * getattr(once, name))


KNOWN = {"global": {**FITTED, "sustained": 0.9, "bandwidth": 0.8, "unpack": 1.0}}
ON = replace(A100, host_link=31.25e9)  # of which 0.8 are reached: 25 GB/s
LORA = Recipe(
    sequence_length=1, global_batch=8.0, precision="bf16", method="lora", trainable_share=0.0
)


@pytest.mark.parametrize(
    ("base", "layout", "moved"),
    [
        (None, Layout(micro_batch=4), 0.0),
        ("nf4", Layout(micro_batch=4), 2 * 3.5),  # half a byte read, two written, and the rest
        ("int8", Layout(micro_batch=4), 2 * 4.0),
        ("nf4", Layout(micro_batch=2), 2 * 3.5 * 2),  # for half as many samples each
        ("nf4", Layout(micro_batch=4, recompute="full"), 3 * 3.5),  # a pass more
        ("nf4", Layout(micro_batch=64), 2 * 3.5 / 2),  # a batch of 8 has no more samples
    ],
)
def test_packed_weights_are_unpacked_for_each_pass_of_a_micro_batch(
    base: str | None, layout: Layout, moved: float
) -> None:
    found = beside_of(12e9, ON, replace(LORA, base_precision=base), layout, KNOWN)
    assert found.unpacking == pytest.approx(12e9 * moved / (2039e9 * 0.8) / 4)
    assert (found.over, found.update) == (0.0, 0.0)
    plain = sample_time(RESNET, A100, "fp16", CONSTANTS)
    more = sample_time(RESNET, A100, "fp16", CONSTANTS, beside=replace(found, again=0.0))
    assert more.memory - plain.memory == pytest.approx(found.unpacking)
    assert more.seconds - plain.seconds == pytest.approx(found.unpacking)


def test_weights_and_activations_on_the_host_of_what_is_known_by_flops() -> None:
    # 24 GB there for two passes, 5 GB of activations out and back, at 25 GB/s, for 4 samples
    found = beside_of(12e9, ON, LORA, Layout(micro_batch=4, hosted=2.0), KNOWN, 5e9)
    assert found.over == pytest.approx((2 * 24e9 + 2 * 5e9) / 25e9 / 4)
    cut = beside_of(12e9, replace(ON, devices=8, per_node=8), replace(LORA, global_batch=64.0),
                    Layout(data=8, micro_batch=4, hosted=2.0, zero=3.0), KNOWN)  # fmt: skip
    assert cut.over == pytest.approx(2 * 3e9 / 25e9 / 4)
    # it waits for what outlasts the rest
    alone = sample_time(RESNET, A100, "fp16", CONSTANTS)
    waits = sample_time(RESNET, A100, "fp16", CONSTANTS, beside=Beside(over=1e-3))
    assert waits.host == pytest.approx(1e-3 - alone.seconds)
    assert waits.seconds == pytest.approx(1e-3)
    assert sample_time(RESNET, A100, "fp16", CONSTANTS, beside=Beside(over=1e-4)).host == 0.0


def test_an_update_in_the_host_s_memory_of_what_is_known_by_flops() -> None:
    # 1e9 parameters: 4 bytes over the link, 30 in memory of 200 GB/s over a node of eight devices
    whole = replace(LORA, trainable_share=1.0, method="finetune")
    found = beside_of(1e9, ON, whole, Layout(micro_batch=4, hosted=1.0), KNOWN)
    assert found.update == pytest.approx(1e9 * (4 / 25e9 + 30 / 25e9) / 8)
    more = sample_time(RESNET, A100, "fp16", CONSTANTS, beside=Beside(update=0.5))
    assert more.update == 0.5
    assert more.seconds == pytest.approx(sample_time(RESNET, A100, "fp16", CONSTANTS).seconds + 0.5)


def test_what_is_beside_a_training_whose_flops_are_two_thirds() -> None:
    # adapters count two of three passes: a forward pass more is half of them
    found = Beside(again=1.0, unpacking=2.0, over=4.0, update=6.0).over_share(2 / 3)
    assert found == Beside(again=1.5, unpacking=3.0, over=6.0, update=9.0)


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
