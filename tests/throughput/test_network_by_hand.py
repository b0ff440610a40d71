"""Who talks over which link, and what of it shows: every term with round numbers.

Rings after Thakur et al. 2005: an all-gather of B bytes over n takes (n − 1)/n · B / rate.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from throughput_models import coefficients

from costcalc.throughput.coefficients import Rates
from costcalc.throughput.collectives import torus_axes, torus_exchange, torus_share
from costcalc.throughput.layout import Layout, StepRecipe
from costcalc.throughput.network import (
    Network,
    context_time,
    expert_time,
    gradient_time,
    network_of,
    pipeline_time,
    shard_time,
    tensor_time,
)
from costcalc.throughput.shape import ModelShape

# 100 GB/s inside eight devices, 10 GB/s outside, of which half and 0.8 are reached
RATES = {"peak": 1e12, "peak_base": 1e12, "bandwidth": 1e12, "scale_up": 100e9, "domain": 8.0,
         "scale_out": 10e9}  # fmt: skip
UP, OUT, NEAR, FAR = 50e9, 8e9, 1e-5, 3e-5
C = coefficients(
    scale_up=0.5, scale_out=0.8, latency_up=NEAR, latency_out=FAR, tensor_exposed=0.9,
    context_exposed=0.5, pipeline_exposed=0.7, expert_exposed=0.8, data_exposed=0.4,
    shard_exposed=0.15, imbalance=1.1, hooked_exposed=0.65, scale_host=0.2,
)  # fmt: skip


def training(**more: float) -> StepRecipe:
    return StepRecipe(sequence_length=1000.0, global_batch=1.0, **more)


def net(axes: Layout, *, rates: dict[str, float] | None = None, **more: float) -> Network:
    return network_of(Rates(**RATES | (rates or {})), axes, C, training(**more))


def shape(**more: Any) -> ModelShape:
    return ModelShape(layers=4.0, **{"hidden": 1000.0, **more})


@pytest.mark.parametrize(
    ("axes", "tensor", "context", "data", "pipeline"),
    [
        # eight devices: all inside
        (Layout(tensor=2, context=2, data=2), (UP, NEAR), (UP, NEAR), (UP, NEAR), (UP, NEAR)),
        # a domain holds 2 of 4 context ranks and of 4 · 3 data ranks: two cards of 8 GB/s
        (Layout(tensor=4, context=4, data=3, pipeline=2),
         (UP, NEAR), (2 * OUT, FAR), (2 * OUT, FAR), (OUT, FAR)),
        # tensor ranks beyond the domain: eight cards are faster than the fabric
        (Layout(tensor=16), (UP, FAR), (UP, NEAR), (UP, NEAR), (OUT, FAR)),
        (Layout(data=64), (UP, NEAR), (UP, NEAR), (UP, FAR), (OUT, FAR)),
        (Layout(tensor=8, data=2), (UP, NEAR), (UP, NEAR), (OUT, FAR), (OUT, FAR)),
    ],
)  # fmt: skip
def test_links_of_each_group(axes: Layout, tensor, context, data, pipeline) -> None:
    found = net(axes)
    assert (found.tensor_rate, found.tensor_latency) == pytest.approx(tensor)
    assert (found.context_rate, found.context_latency) == pytest.approx(context)
    assert (found.data_rate, found.data_latency) == pytest.approx(data)
    assert (found.pipeline_rate, found.pipeline_latency) == pytest.approx(pipeline)
    assert (found.up_data, found.up_expert, found.out) == (UP, UP, OUT)


def test_what_computation_hides() -> None:
    beside, waits = net(Layout()), net(Layout(), overlap=0.0)
    names = ("tensor", "pipeline", "data", "expert", "shard")
    shares = [getattr(beside, f"{name}_exposed") for name in names]
    assert shares == pytest.approx([0.9, 0.7, 0.4, 0.8, 0.15])
    assert [getattr(waits, f"{name}_exposed") for name in names] == [1.0] * 5
    # beside another micro-batch all but 20 of 132 multiprocessors hide it (arXiv:2412.19437)
    assert net(Layout(), expert_overlap=1.0).expert_exposed == pytest.approx(20 / 132)


def test_what_deepspeeds_hooks_leave_bare_of_the_gathers() -> None:
    # 0.15 where kernels are queued ahead, 0.65 where hooks wait on the host; half of each between
    for hooks, share in ((0.0, 0.15), (1.0, 0.65), (0.5, 0.40)):
        assert net(Layout(), hooks=hooks).shard_exposed == pytest.approx(share)
    # a quarter of the software waits for it anyway: 1 - 0.75 * (1 - 0.65)
    found = net(Layout(), hooks=1.0, overlap=0.75).shard_exposed
    assert found == pytest.approx(0.7375)


def test_cards_without_a_fabric_talk_through_their_host() -> None:
    # 0.5 of 100 GB/s over links of their own, 0.2 of it through PCIe
    for through, rate in ((0.0, 50e9), (1.0, 20e9), (0.5, 35e9)):
        found = net(Layout(tensor=2, data=2), rates={"through_host": through})
        assert (found.tensor_rate, found.up_data) == pytest.approx((rate, rate))


def test_copies_and_context_ranks_are_reduced_together() -> None:
    # 4 x 4 = 16 ranks, of which a domain holds 8: they leave it, beside eight cards of 8 GB/s
    found = net(Layout(data=4, context=4))
    assert (found.data_rate, found.data_latency) == pytest.approx((UP, FAR))
    assert (found.context_rate, found.context_latency) == pytest.approx((UP, NEAR))


@pytest.mark.parametrize(
    ("low", "dual", "tensor", "expert"),
    [(0.0, 0.0, 2.0, 2.0), (1.0, 0.0, 1.5, 2.0), (1.0, 1.0, 1.5, 1.5), (0.0, 1.0, 2.0, 2.0)],
)
def test_in_8_bits_one_way_of_two_is_half_as_much(low, dual, tensor, expert) -> None:
    found = net(Layout(), rates={"low": low}, expert_overlap=dual)
    assert (found.tensor_bytes, found.expert_bytes, found.bytes) == (tensor, expert, 2.0)


# --- a torus -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "chips", "dims", "along"),
    [
        (1, 256, 2, 0), (2, 256, 2, 1), (16, 256, 2, 1), (32, 256, 2, 2),  # 16 × 16
        (8, 512, 3, 1), (16, 512, 3, 2), (64, 512, 3, 2), (128, 512, 3, 3),  # 8 × 8 × 8
        (4, 4, 3, 2), (2, 1, 2, 1),  # 4 chips in three dimensions: sides of 2
        (1024, 256, 2, 2),  # no more than there are
    ],
)  # fmt: skip
def test_axes_of_a_torus(size: int, chips: int, dims: int, along: int) -> None:
    assert float(torus_axes(float(size), float(chips), float(dims))) == along


@pytest.mark.parametrize(
    ("axes", "chips", "dims", "share"),
    [
        (1, 256, 2, 1 / 2), (2, 256, 2, 1), (2, 255, 2, 1 / 2), (0, 256, 2, 1 / 2),
        (1, 64, 3, 1 / 3), (3, 63, 3, 1 / 2), (2, 64, 3, 2 / 3),
    ],
)  # fmt: skip
def test_share_of_the_links_of_a_torus(axes: int, chips: int, dims: int, share: float) -> None:
    assert float(torus_share(float(axes), float(chips), float(dims))) == pytest.approx(share)


def test_an_exchange_on_a_torus() -> None:
    # 64 along two of three: sides of 8, of which 4/8 go through, over one axis in three
    assert float(torus_exchange(64.0, 2.0, 3.0)) == pytest.approx(4 / 8 / 3)
    assert float(torus_exchange(2.0, 1.0, 2.0)) == pytest.approx(1 / 2)
    assert float(torus_exchange(32.0, 0.0, 2.0)) == pytest.approx(4 / 32 / 2)


def test_groups_share_the_links_of_a_torus() -> None:
    # 8 × 8 × 8: tensor 8 takes an axis, context 8 another, data is left with one
    axes = Layout(tensor=8, context=8, data=8, expert=64)
    found = net(axes, rates={"torus": 3.0, "domain": 8960.0})
    assert found.tensor_rate == pytest.approx(UP / 3)
    assert found.context_rate == pytest.approx(UP / 3)
    assert found.data_rate == found.up_data == pytest.approx(UP / 3)
    assert found.up_expert == pytest.approx(UP * 4 / 8 / 3)  # along two axes of 8
    alone = net(Layout(data=512), rates={"torus": 3.0, "domain": 8960.0})
    assert alone.data_rate == pytest.approx(UP)
    # tensor ranks along all of it: at the least one axis is left
    full = net(Layout(tensor=256, data=2), rates={"torus": 2.0, "domain": 512.0})
    assert full.tensor_rate == pytest.approx(UP)
    assert full.data_rate == pytest.approx(UP / 2)


def test_layouts_of_a_switch_and_of_a_torus_side_by_side() -> None:
    # one switches, on one tensor 16 takes an axis of 16 x 16 and data the other, one is a ring
    axes = Layout(tensor=16.0, data=16.0)
    dims = np.array([0.0, 2.0, 1.0])
    found = network_of(Rates(**RATES | {"torus": dims, "domain": 256.0}), axes, C, training())
    # a ring of 256 does not close below 256 chips in 1: half-and-half is for shorter ones only
    assert found.tensor_rate == pytest.approx([UP, UP / 2, UP])
    assert found.data_rate == pytest.approx([UP, UP / 2, UP])


# --- times ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("low", "size"), [(0.0, 2), (1.0, 1.5)])
def test_two_all_reduces_a_pass_of_tensor_ranks(low: float, size: float) -> None:
    axes = Layout(tensor=4)
    found = tensor_time(shape(filled=0.5), axes, net(axes, rates={"low": low}), 2000.0, 3.0)
    one = 3 / 4 * (2000 * 0.5 * 1000 * size) / UP + NEAR
    assert found == pytest.approx(0.9 * 2 * 3 * 2 * one)


def test_keys_and_values_go_round_the_ring() -> None:
    axes = Layout(context=4, tensor=2)
    sizes = shape(filled=0.5, kv_heads=8.0, head_dim=100.0)
    held = 2 * 2000 * 0.5 * 4 * 8 * 100 / 2 * 2  # keys and values of four members, two ranks
    moved = 5.0 * (3 / 4 * held / UP + NEAR)
    for core, shown in (
        (0.0, moved),  # nothing hides it
        (moved, 0.5 * moved),  # the core hides half
        (0.4 * moved, moved - 0.5 * 0.4 * moved),
    ):
        found = context_time(sizes, axes, net(axes), C, 2000.0, 5.0, core)
        assert found == pytest.approx(shown)
    assert context_time(sizes, Layout(), net(Layout()), C, 2000.0, 5.0, 0.0) == 0.0


def exchange(axes: Layout, busy: float = 0.0, **more: float) -> float:
    sizes = shape(filled=0.5, experts=64.0, experts_per_token=4.0, moe_share=0.25)
    return float(expert_time(sizes, axes, net(axes, **more), C, 2000.0, 3.0, busy))


def test_tokens_go_to_their_experts_and_back() -> None:
    # four members in one domain, two tensor ranks that split what is sent; the fullest has 1.1
    sent = 2000 * 0.5 / 2 * 1000 * 2 * 1.1
    one = sent * 4 * (3 / 4) / UP + NEAR
    moved = 0.25 * 2 * 3 * one  # a quarter of the layers, there and back
    assert exchange(Layout(tensor=2, data=4, expert=4)) == pytest.approx(moved)
    # compute of another micro-batch hides a fifth of what it lasts
    busy = 0.5 * moved
    assert exchange(Layout(tensor=2, data=4, expert=4), busy) == pytest.approx(moved - 0.2 * busy)
    assert exchange(Layout(tensor=2, data=4, expert=4), 99.0) == pytest.approx(0.8 * moved)
    whole = exchange(Layout(tensor=2, data=4, expert=4, sequence_parallel=0.0))
    assert whole == pytest.approx(0.25 * 2 * 3 * (2 * sent * 4 * (3 / 4) / UP + NEAR))
    assert exchange(Layout(data=4)) == 0.0


def test_between_domains_a_token_is_sent_once_to_each() -> None:
    # 32 members in 4 domains of 8: four experts stand in 4 · (1 − (3/4)⁴) = 2.734 domains
    sent = 2000 * 0.5 * 1000 * 2 * 1.1
    visited = 4 * (1 - (3 / 4) ** 4)
    across = sent * visited * (3 / 4) / OUT
    within = sent * 4 * (7 / 8) / UP
    assert across > within
    found = exchange(Layout(data=32, expert=32))
    assert found == pytest.approx(0.25 * 2 * 3 * (across + FAR))


@pytest.mark.parametrize(("stages", "virtual", "has"), [(4, 3, 1), (1, 1, 0)])
def test_activations_go_to_the_next_stage(stages: int, virtual: int, has: int) -> None:
    axes = Layout(pipeline=stages, virtual_pipeline=virtual, tensor=4)
    rate, far = (OUT, FAR) if stages == 4 else (UP, NEAR)
    one = 2000 / 4 * 1000 * 2 / rate + far
    found = pipeline_time(shape(), axes, net(axes), 2000.0, 5.0)
    assert found == pytest.approx(has * 0.7 * 5 * virtual * one)
    apart = Layout(pipeline=4, tensor=4, sequence_parallel=0.0)
    one = 2000 * 1000 * 2 / OUT + FAR
    assert pipeline_time(shape(), apart, net(apart), 2000.0, 5.0) == pytest.approx(0.7 * 5 * one)


# 4 layers of 8 experts of 1e6, half of the layers: 16e6 routed of 40e6
EXPERTS = {"parameters": 40e6, "experts": 8.0, "expert_weights": 1e6, "moe_share": 0.5}


def test_sharded_weights_are_gathered_a_micro_batch() -> None:
    axes = Layout(data=8, tensor=2, context=2, pipeline=2, expert=4, zero=3.0)
    there = net(axes)
    rate = 4 * OUT  # a domain holds 4 of the 16 ranks
    assert there.data_rate == pytest.approx(rate)
    dense = 15 / 16 * (24e6 / (2 * 2) * 2) / rate + 4 / 2 * FAR  # each of two layers waits
    # experts are held by 4 and lie on 16 / 4 · 2 = 8 others
    routed = 7 / 8 * (16e6 / (2 * 2 * 4) * 2) / rate
    moved = 3.0 * (dense + routed)
    assert shard_time(shape(**EXPERTS), axes, there, 0.0, 3.0) == pytest.approx(moved)
    some = 0.1 * moved
    found = shard_time(shape(**EXPERTS), axes, there, some, 3.0)
    assert found == pytest.approx(moved - 0.85 * some)
    assert shard_time(shape(**EXPERTS), axes, there, 99.0, 3.0) == pytest.approx(0.15 * moved)
    for zero in (0.0, 1.0, 2.0):
        part = Layout(data=8, tensor=2, context=2, pipeline=2, expert=4, zero=zero)
        assert shard_time(shape(**EXPERTS), part, net(part), 0.0, 3.0) == 0.0


def test_hybrid_sharding_gathers_inside_the_domain() -> None:
    axes = Layout(data=16, tensor=2, zero=3.0, hybrid=1.0)
    # 4 of 16 ranks stand in a domain: the fabric's rate, and its part of the weights
    moved = 3.0 * (3 / 4 * (40e6 / 2 * 2) / UP + 4 * FAR)
    found = shard_time(shape(parameters=40e6), axes, net(axes), 0.0, 3.0)
    assert found == pytest.approx(moved)


# Routed experts are reduced apart; a dense model has none, but the second collective waits too.
TWICE = 2 * FAR


def reduced(
    axes: Layout, busy: float = 0.0, sizes: ModelShape | None = None, **more: float
) -> float:
    how = training(**more)
    there = network_of(Rates(**RATES), axes, C, how)
    return float(gradient_time(sizes or shape(parameters=40e6), axes, there, busy, how))


@pytest.mark.parametrize(
    ("zero", "wire"),
    [(0.0, 4 + 4), (1.0, 4 + 2), (2.0, 4 + 2)],  # 32 bits there and back, or 16-bit weights back
)
def test_gradients_are_reduced_once_a_step(zero: float, wire: int) -> None:
    axes = Layout(data=16, zero=zero)
    one = 15 / 16 * 40e6 * wire / UP + TWICE  # eight cards of 8 GB/s: the fabric's 50
    assert reduced(axes) == pytest.approx(one)
    assert reduced(axes, 99.0) == pytest.approx(0.4 * one)  # hidden but for its share
    assert reduced(axes, trainable=0.1) == pytest.approx(0.1 * one)


def test_what_the_backward_pass_hides_of_the_reduction() -> None:
    # forward 1 and back 2 of 3 hide it, with sharded states the next forward pass too
    for zero, wire, share in ((0.0, 8, 2 / 3), (1.0, 6, 3 / 3)):
        one = 15 / 16 * 40e6 * wire / UP + TWICE
        busy = 0.1 * one
        late = 0.6 * one - share * busy
        assert reduced(Layout(data=16, zero=zero), busy) == pytest.approx(0.4 * one + late)
    # three updates a step: three reductions, each with a third of the passes
    one = 15 / 16 * 40e6 * 8 / UP + TWICE
    busy = 0.1 * one
    found = reduced(Layout(data=16), busy, updates=3.0, forward=2.0, backward=3.0)
    assert found == pytest.approx(3 * (0.4 * one + 0.6 * one - 6 / 8 / 3 * busy))


def test_interleaved_stages_drain_while_gradients_are_reduced() -> None:
    # 4 stages of 2 chunks: 1 + 0.5 · 4 · (1 − 1/2) = 2 micro-batches hide it
    axes = Layout(data=16, pipeline=4, virtual_pipeline=2)
    one = 15 / 16 * 10e6 * 8 / UP + TWICE
    busy = 0.1 * one
    assert reduced(axes, busy) == pytest.approx(one - 2 / 3 * 2 * busy)


def test_experts_are_reduced_over_those_that_hold_the_same() -> None:
    axes = Layout(data=8, tensor=2, context=2, expert=4)
    dense = 15 / 16 * 24e6 / 2 * 8 / (4 * OUT) + FAR
    routed = 7 / 8 * 16e6 / (2 * 4) * 8 / (4 * OUT) + FAR  # 16 / 4 · 2 hold the same
    assert reduced(axes, sizes=shape(**EXPERTS)) == pytest.approx(dense + routed)


def test_what_is_sharded_whole_is_reduced_with_its_gathers() -> None:
    assert reduced(Layout(data=16, zero=3.0)) == 0.0
    # HSDP reduces its eighth between domains
    one = 15 / 16 * 40e6 * 6 / UP + TWICE
    assert reduced(Layout(data=16, zero=3.0, hybrid=1.0)) == pytest.approx(one / 8)
    assert math.isclose(reduced(Layout()), 0.0)
