"""A step put together: micro-batches, stages, the bubble, the optimizer; all else switched off.

After Narayanan et al. 2021 (arXiv:2104.04473), section 2.2, and the lines of ``step.py``.
"""

from __future__ import annotations

from math import log2
from typing import Any

import pytest
from throughput_models import CONSTANTS, coefficients, machine, recipe

from costcalc.base.errors import InputError
from costcalc.throughput.coefficients import CLASS, Rates, ceiling_of, coefficients_of, rates_of
from costcalc.throughput.layout import Layout, StepRecipe, training_of
from costcalc.throughput.shape import ModelShape
from costcalc.throughput.step import StepTime, step_of
from costcalc.workload.work import Passes

# Nothing but matmuls at 1 TFLOP/s, and links of no time.
ALONE = {
    "matmul": 1.0, "matmul_base": 1.0, "attention": 1.0, "softmax": 0.0, "tile": 0.0,
    "traffic": 0.0, "bandwidth": 1.0, "elementwise": 0.0, "cast": 0.0, "kernel": 0.0,
    "matmul_start": 0.0, "scale_up": 1.0, "scale_out": 1.0, "latency_up": 0.0, "latency_out": 0.0,
    "jitter": 0.0, "fixed": 0.0, "meet": 0.0, "tensor_exposed": 1.0, "context_exposed": 1.0,
    "pipeline_exposed": 1.0, "data_exposed": 1.0, "shard_exposed": 1.0, "expert_exposed": 1.0,
    "imbalance": 1.0,
}  # fmt: skip
FREE = 1e30
RATES = {"peak": 1e12, "peak_base": 1e12, "bandwidth": FREE, "scale_up": FREE, "domain": 8.0,
         "scale_out": FREE}  # fmt: skip
# 1000 tokens through a layer of 1e6 weights: 2 FLOP forward, 2 back, 2 for the weights
LAYER = 3 * 2 * 1000 * 1e6 / 1e12


def step(
    axes: Layout,
    shape: dict[str, float] | None = None,
    c: dict[str, float] | None = None,
    rates: dict[str, float] | None = None,
    stored: float = 0.0,
    **how: Any,
) -> StepTime:
    given = {"layers": 10.0, "hidden": 1000.0, "keys": 1.0, "attention_weights": 1e6}
    return step_of(
        ModelShape(**given | (shape or {})),
        Rates(**RATES | (rates or {})),
        axes,
        StepRecipe(**{"sequence_length": 1000.0, "global_batch": 20.0} | how),
        coefficients(**ALONE | (c or {})),
        stored,
    )


def test_micro_batches_of_a_step() -> None:
    # 20 sequences over 3 replicas, 2 at a time: 4 micro-batches, the last not full; two context
    # ranks have 1000 tokens each of 2 · 1000
    found = step(Layout(data=3, micro_batch=2, context=2))
    assert found.seconds == pytest.approx(4 * 10 * LAYER)
    assert found.compute == pytest.approx(4 * 10 * LAYER)
    assert step(Layout(data=5)).seconds == pytest.approx(4 * 10 * LAYER)  # 20 / 5, no more


@pytest.mark.parametrize(
    ("head", "busy"),
    [
        (1e6, 3 * LAYER),  # a head like a layer: the stages before are slower
        (2e6, 1 * LAYER + 2 * LAYER),  # as slow as the others
        (5e6, 1 * LAYER + 5 * LAYER),
    ],
)
def test_the_fullest_of_four_stages(head: float, busy: float) -> None:
    # ten layers on four stages: 3, 3, 3 and 1 with the logits
    found = step(Layout(data=5, pipeline=4), {"head_weights": head})
    assert found.compute == pytest.approx(4 * busy)
    assert found.bubble == pytest.approx(3 * busy)  # (p − 1) micro-batches
    interleaved = step(Layout(data=5, pipeline=4, virtual_pipeline=3), {"head_weights": head})
    assert interleaved.bubble == pytest.approx(3 / 3 * busy)
    assert found.seconds == pytest.approx((4 + 3) * busy)


def test_memory_counts_to_what_a_stage_is_busy_with() -> None:
    # ten passes over 1000 · 1000 elements of 2 bytes, five times, and logits of 16 bytes
    shape = {"attention_weights": 0.0, "vocabulary": 100.0, "layers": 2.0}
    found = step(Layout(data=5, pipeline=2), shape, {"elementwise": 1.0}, {"bandwidth": 1e9})
    layer, logits = 3 * 10 * 1e6 * 2 / 1e9, 1000 * 100 * 16 / 1e9
    assert found.memory == pytest.approx(4 * (layer + logits))
    assert found.bubble == pytest.approx(1 * (layer + logits))


@pytest.mark.parametrize(("full", "times"), [(0.0, 2), (1.0, 3)])
def test_tensor_traffic_of_each_pass(full: float, times: int) -> None:
    axes = Layout(data=5, tensor=4, full=full)
    found = step(axes, {"attention_weights": 0.0}, rates={"scale_up": 1e9})
    one = 2 * 2 * (3 / 4 * 1000 * 1000 * 2 / 1e9)  # two all-reduces a pass
    assert found.tensor == pytest.approx(4 * 10 * times * one)
    twice = step(axes, {"attention_weights": 0.0}, rates={"scale_up": 1e9}, backward=2.0)
    assert twice.tensor == pytest.approx(4 * 10 * (1 + 2 * (times - 1)) * one)


@pytest.mark.parametrize(("full", "times"), [(0.0, 3), (1.0, 4)])
def test_keys_and_values_travel_with_their_gradients_backward(full: float, times: int) -> None:
    axes = Layout(data=5, context=4, full=full)
    shape = {"attention_weights": 0.0, "kv_heads": 2.0, "head_dim": 100.0}
    found = step(axes, shape, rates={"scale_up": 1e9, "scale_out": 1e9})
    one = 3 / 4 * (2 * 250 * 4 * 200 * 2) / 1e9  # of 250 tokens each on four ranks
    assert found.tensor == pytest.approx(4 * 10 * times * one)


def test_what_the_attention_core_hides_of_the_ring() -> None:
    axes = Layout(data=5, context=4)
    shape = {"attention_weights": 0.0, "kv_heads": 2.0, "head_dim": 100.0, "score_width": 10.0}
    found = step(axes, shape, {"context_exposed": 0.5}, {"scale_up": 1e9, "scale_out": 1e9})
    core = (1 + 2.5) * 2 * 250 * 10 * 1 / 1e12
    one = 3 * (3 / 4 * (2 * 250 * 4 * 200 * 2) / 1e9)
    assert found.tensor == pytest.approx(4 * 10 * (one - 0.5 * core), rel=1e-12)


def test_experts_traffic_of_each_pass() -> None:
    axes = Layout(data=4, expert=4)
    shape = {"attention_weights": 0.0, "experts": 8.0, "experts_per_token": 2.0, "moe_share": 1.0}
    found = step(axes, shape, {"expert_kernels": 0.0}, {"scale_up": 1e9})
    one = 2 * 2 * (1000 * 1000 * 2 * 2 * (3 / 4) / 1e9)  # there and back, forward and backward
    assert found.expert == pytest.approx(5 * 10 * one)


def test_stages_hand_on_what_they_made() -> None:
    axes = Layout(data=5, pipeline=4, virtual_pipeline=2)
    found = step(axes, {"attention_weights": 0.0}, rates={"scale_up": 2e9, "scale_out": 1e9})
    one = 2 * 2 * (1000 * 1000 * 2 / 1e9)  # forward and back, once a chunk
    assert found.pipeline == pytest.approx((4 + 3 / 2) * one)


def test_sharded_weights_are_gathered_three_times_a_micro_batch() -> None:
    axes = Layout(data=5, zero=3.0)
    found = step(axes, {"attention_weights": 0.0, "parameters": 1e7}, rates={"scale_up": 1e9})
    one = 4 / 5 * 1e7 * 2 / 1e9
    assert found.data == pytest.approx(4 * 3 * one)
    frozen = step(
        axes, {"attention_weights": 0.0, "parameters": 1e7}, rates={"scale_up": 1e9}, weights=0.0
    )
    assert frozen.data == pytest.approx(4 * 2 * one)
    staged = step(
        Layout(data=5, zero=3.0, pipeline=2),
        {"attention_weights": 0.0, "parameters": 1e7},
        rates={"scale_up": 1e9},
    )
    assert staged.bubble == pytest.approx(1 * 3 * one / 2)  # the pipeline waits for them too
    assert staged.data == pytest.approx(4 * 3 * one / 2)


def test_gradients_are_reduced_once() -> None:
    found = step(
        Layout(data=5), {"attention_weights": 0.0, "parameters": 1e7}, rates={"scale_up": 1e9}
    )
    assert found.data == pytest.approx(4 / 5 * 1e7 * 8 / 1e9)  # 32 bits there and back


@pytest.mark.parametrize(("zero", "over"), [(0.0, 1), (1.0, 5 * 2)])
def test_the_optimizer_passes_its_states_once_an_update(zero: float, over: int) -> None:
    axes = Layout(data=5, context=2, tensor=2, pipeline=2, zero=zero)
    found = step(
        axes, {"parameters": 8e9}, {"fixed": 5e-3, "meet": 2e-3}, {"bandwidth": 1e12},
        trainable=0.5, optimizer_bytes=30.0, updates=3.0,
    )  # fmt: skip
    own = 8e9 * 0.5 / (2 * 2) / over * 30 / 1e12
    assert found.optimizer == pytest.approx(3 * (own + 5e-3 + 2e-3 * log2(40 / 8)))
    small = step(Layout(data=4), {"parameters": 0.0}, {"meet": 2e-3})
    assert small.optimizer == 0.0  # four devices of a node of eight


def test_an_update_on_the_host() -> None:
    # two bytes there and two back, and the states through the host's memory
    rates = {"host_link": 20e9, "host_memory": 10e9, "bandwidth": 1e12}
    found = step(
        Layout(data=5, zero=1.0, hosted=1.0), {"parameters": 1e9}, {}, rates, state_bytes=30.0
    )
    assert found.optimizer == pytest.approx(1e9 / 5 * (4 / 20e9 + 30 / 10e9))


# 2 GB of 1e9 weights in 16 bits over 20 GB/s take 0.1 s a pass; frozen layers compute two passes
FROZEN: dict[str, float] = {"weights": 0.0, "trainable": 0.0}
LINK = {"host_link": 20e9, "host_memory": 10e9}
BUSY = 10 * 2 / 3 * LAYER  # 0.04 s a micro-batch


@pytest.mark.parametrize(
    ("axes", "how", "waits"),
    [
        (Layout(hosted=2.0), {}, 2 * 0.1 - BUSY),  # forward and backward, beside computing
        (Layout(hosted=2.0), {"overlap": 0.0}, 2 * 0.1),  # of software that does not overlap
        (Layout(hosted=2.0), {"packed": 0.53 / 2}, 2 * 0.0265 - BUSY),  # four bits travel so
        # what recompute fetched is there for backward, unless DeepSpeed let it go
        (Layout(hosted=2.0, full=1.0), {}, 2 * 0.1 - 1.5 * BUSY),
        (Layout(hosted=2.0, full=1.0), {"hooks": 1.0}, 3 * 0.1 - 1.5 * BUSY),
        (Layout(hosted=1.0), {}, 0.0),  # the optimizer's states alone
    ],
)
def test_weights_on_the_host_come_for_each_pass_of_each_micro_batch(
    axes: Layout, how: dict[str, float], waits: float
) -> None:
    found = step(axes, {"parameters": 1e9}, {}, LINK, **FROZEN | how)
    assert found.host == pytest.approx(20 * waits)
    assert found.optimizer == 0.0
    assert found.seconds == pytest.approx(found.compute + found.host)


def test_weights_that_are_sharded_come_in_parts() -> None:
    # 20 sequences on 4 devices are 5 micro-batches; a quarter of 2 GB, twice, is 0.05 s
    rates = LINK | {"scale_up": FREE}
    cut = step(Layout(data=4, zero=3.0, hosted=2.0), {"parameters": 1e9}, {}, rates, **FROZEN)
    assert cut.host == pytest.approx(5 * (2 * 0.025 - BUSY))
    whole = step(Layout(data=4, zero=1.0, hosted=2.0), {"parameters": 1e9}, {}, rates, **FROZEN)
    assert whole.host == pytest.approx(5 * (2 * 0.1 - BUSY))


def test_a_pipeline_waits_for_weights_too() -> None:
    found = step(Layout(pipeline=2, hosted=2.0), {"parameters": 1e9}, {}, LINK, **FROZEN)
    each = 2 * 0.05 - BUSY / 2
    assert found.host == pytest.approx(20 * each)
    assert found.bubble == pytest.approx(BUSY / 2 + each)


def test_all_on_the_host_costs_what_the_optimizer_there_does_and_its_traffic() -> None:
    shape = {"parameters": 1e9}
    states = step(Layout(hosted=1.0), shape, {}, LINK, state_bytes=30.0)
    everything = step(Layout(hosted=2.0), shape, {}, LINK, state_bytes=30.0)
    update = 1e9 * (4 / 20e9 + 30 / 10e9)
    assert states.optimizer == everything.optimizer == pytest.approx(update)
    # weights twice a micro-batch, gradients back after all but the last, which the update takes
    moved = 20 * 2 * 0.1 + 19 * 0.1
    assert everything.host == pytest.approx(moved - 20 * 10 * LAYER)
    assert everything.seconds == pytest.approx(moved + update)


@pytest.mark.parametrize(
    ("stored", "overlap", "waits"),
    [(1e9, 1.0, 0.1 - 10 * LAYER), (1e9, 0.0, 0.1), (0.5e9, 1.0, 0.0)],
)
def test_activations_go_to_the_host_and_come_back(
    stored: float, overlap: float, waits: float
) -> None:
    # 1 GB there and back over 20 GB/s are 0.1 s, beside 0.06 of computing
    found = step(Layout(), {}, {}, LINK, stored=stored, overlap=overlap)
    assert found.host == pytest.approx(20 * waits)
    assert found.seconds == pytest.approx(found.compute + found.host)


@pytest.mark.parametrize(("exposed", "hidden"), [(1.0, 0.0), (0.25, 0.75)])
def test_gradients_that_are_sharded_are_reduced_after_each_micro_batch(
    exposed: float, hidden: float
) -> None:
    # DeepSpeed, issue 2252: each rank keeps its part alone; four micro-batches, three before the
    # last.  32 bits of 1e7 gradients, 4/5 of them, at 1 GB/s are 32 ms, and the backward pass of
    # 2/3 · 60 ms hides what may hide
    shape, c = {"parameters": 1e7}, {"data_exposed": exposed}
    one, two = (step(Layout(data=5, zero=zero), shape, c, {"scale_up": 1e9}) for zero in (1.0, 2.0))
    each = 4 / 5 * 1e7 * 4 / 1e9
    assert two.data - one.data == pytest.approx(3 * each * (1 - hidden))
    alone = {"global_batch": 5.0}  # nothing is accumulated
    one, two = (
        step(Layout(data=5, zero=zero), shape, c, {"scale_up": 1e9}, **alone) for zero in (1.0, 2.0)
    )
    assert two.data == one.data


def test_the_slowest_of_many_devices() -> None:
    found = step(Layout(data=64), c={"jitter": 0.01})
    whole = 10 * LAYER
    assert found.seconds == pytest.approx(whole * (1 + 0.01 * 3))  # three doublings of a node
    assert found.data == pytest.approx(whole * 0.03)


# --- from profiles and recipes to numbers --------------------------------------------------------


def test_a_recipe_as_numbers() -> None:
    passes = Passes(forward=2.0, backward=3.0, weights=4.0, head=5.0, updates=6.0)
    made = training_of(recipe(4096, 32, passes=passes, trainable_share=0.5))
    assert (made.forward, made.backward, made.weights, made.head, made.updates) == (2, 3, 4, 5, 6)
    assert (made.sequence_length, made.global_batch, made.trainable) == (4096, 32, 0.5)
    assert (made.flash, made.older, made.overlap, made.expert_overlap) == (1, 0, 1, 0)
    # AdamW reads a gradient, a master copy and two moments of 4 bytes and writes all but the
    # gradient, and the weight in 2: 16 + 14
    assert made.optimizer_bytes == (4 + 4 + 8) + (4 + 8 + 2)
    other = training_of(recipe(attention="flash2", overlap=False, expert_overlap=True))
    assert (other.flash, other.older, other.overlap, other.expert_overlap) == (1, 1, 0, 1)
    assert training_of(recipe(attention="standard")).flash == 0.0
    assert training_of(recipe(optimizer="lion")).optimizer_bytes == 30


def test_rates_of_a_machine() -> None:
    found = rates_of(machine(8), "bf16")
    assert (found.peak, found.peak_base, found.low) == (989.4e12, 989.4e12, 0.0)
    assert (found.bandwidth, found.scale_up, found.scale_out) == (3.35e12, 450e9, 50e9)
    assert (found.domain, found.torus, found.eager) == (8.0, 0.0, 1.0)
    assert (found.activation_bytes, found.gradient_bytes) == (2.0, 4.0)
    eight = rates_of(machine(8), "mxfp8")  # at the rate of fp8, its other matmuls in 16 bits
    assert (eight.peak, eight.peak_base, eight.low) == (1978.9e12, 989.4e12, 1.0)
    wide = rates_of(machine(8), "fp32")
    assert (wide.peak_base, wide.activation_bytes, wide.gradient_bytes) == (66.9e12, 4.0, 4.0)
    # fp16 gradients are reduced in 16 bits (Megatron-LM)
    assert rates_of(machine(8, peak={"fp16": 1e12}), "fp16").gradient_bytes == 2.0
    old = rates_of(machine(8, peak={"fp16": 1e12, "fp8": 2e12}), "fp8")
    assert old.peak_base == 1e12
    assert rates_of(machine(8, peak={"fp8": 2e12}), "fp8").peak_base == 2e12


def test_links_that_a_profile_does_not_have() -> None:
    no_fabric = rates_of(machine(8, scale_up=0.0, scale_up_domain=0), "bf16")
    assert (no_fabric.scale_up, no_fabric.scale_out, no_fabric.domain) == (50e9, 50e9, 1.0)
    no_network = rates_of(machine(8, scale_out=0.0), "bf16")
    assert no_network.scale_out == 450e9
    for kind, eager in (("gpu", 1.0), ("cpu", 1.0), ("tpu", 0.0), ("asic", 0.0)):
        assert rates_of(machine(8, kind=kind), "bf16").eager == eager
    with pytest.raises(InputError, match="no peak for bf16; it has: none"):
        rates_of(machine(8, peak={}), "bf16")


def test_the_ceiling_of_a_large_matmul() -> None:
    known = machine(8, matmul_ceiling={"bf16": 0.8, "fp8": 0.7})
    assert [ceiling_of(known, p) for p in ("bf16", "fp16", "tf32", "fp32")] == [0.8] * 4
    assert (ceiling_of(known, "fp8"), ceiling_of(known, "mxfp8")) == (0.7, 0.7)
    # H100, B200: fp8 reaches 0.93 of the share of bf16, fp4 0.80
    assert ceiling_of(known, "fp4") == ceiling_of(known, "nvfp4") == pytest.approx(0.8 * 0.80)
    for kind, prior in (("gpu", 0.77), ("tpu", 0.92), ("asic", 0.80), ("cpu", 0.70)):
        assert ceiling_of(machine(8, kind=kind), "bf16") == prior
        assert ceiling_of(machine(8, kind=kind), "fp8") == pytest.approx(prior * 0.93)
    assert ceiling_of(machine(8, kind="npu"), "bf16") == 0.77


def test_coefficients_come_from_the_nearest_that_is_measured() -> None:
    constants = {
        "global": {**CONSTANTS, "sustained": 0.9, "kernel": 1e-6, "fixed": 1e-3},
        "kinds": {"gpu": {"kernel": 2e-6}, "tpu": {"kernel": 3e-6}},
        "generations": {
            "hopper": {"own": {"attention": 0.4}, "precisions": {"bf16": 1.1, "fp8": 1.2}}
        },
        "models": {"encoder": {"matmul": 0.5, "fixed": 2.0}},
    }
    ceiling = {"bf16": 0.8, "fp8": 0.7}
    found = coefficients_of(constants, machine(8, matmul_ceiling=ceiling), "bf16")
    assert found.matmul == found.matmul_base == pytest.approx(0.8 * 0.9 * 1.1)
    assert (found.kernel, found.attention, found.fixed) == (2e-6, 0.4, 1e-3)
    eight = coefficients_of(constants, machine(8, matmul_ceiling=ceiling), "fp8")
    assert eight.matmul == pytest.approx(0.7 * 0.9 * 1.2)
    assert eight.matmul_base == pytest.approx(0.8 * 0.9 * 1.1)
    encoder = coefficients_of(constants, machine(8, matmul_ceiling=ceiling), "bf16", "speech")
    assert encoder.matmul == encoder.matmul_base == pytest.approx(0.8 * 0.9 * 1.1 * 0.5)
    assert encoder.fixed == 2e-3
    # nothing is known of it: the prior of its kind, and what a step keeps of that
    known = {"global": {**CONSTANTS, "sustained": 0.88}}
    bare = coefficients_of(known, machine(8, generation="new"), "bf16")
    assert bare.matmul == pytest.approx(0.77 * 0.88)
    assert bare == coefficients(matmul=bare.matmul, matmul_base=bare.matmul)
    most = coefficients_of(known, machine(8, matmul_ceiling={"bf16": 2.0, "fp8": 3.0}), "fp8")
    assert (most.matmul, most.matmul_base) == (1.0, 1.0)  # nothing is faster than the peak


def test_a_recipe_that_says_nothing() -> None:
    bare = StepRecipe(sequence_length=1.0, global_batch=1.0)
    once = ("flash", "overlap", "forward", "backward", "weights", "updates", "trainable")
    assert [getattr(bare, name) for name in once] == [1.0] * 7
    assert (bare.older, bare.expert_overlap, bare.head, bare.optimizer_bytes) == (0, 0, 2, 30)


def test_precisions_that_share_a_deviation() -> None:
    assert {name: CLASS[name] for name in ("fp16", "bf16", "fp4", "nvfp4", "fp8", "mxfp8")} == {
        "fp16": "bf16", "bf16": "bf16", "fp4": "fp4", "nvfp4": "fp4", "fp8": "fp8",
        "mxfp8": "mxfp8",
    }  # fmt: skip


def test_latencies_of_a_collective() -> None:
    # which no measurement tells apart: 10 us inside the domain, 30 us a hop between nodes
    found = coefficients()
    assert (found.latency_up, found.latency_out, found.attention_older) == (1e-5, 3e-5, 1.0)
