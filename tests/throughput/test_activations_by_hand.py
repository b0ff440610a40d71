"""Activations by hand: kept, computed again, on the host, in flight."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from memory_parts import EAGER, KEPT, LEVELS, PASSES, STACK, at, kept
from throughput_models import machine, recipe

from costcalc import estimate
from costcalc.throughput.layout import Layout
from costcalc.throughput.memory import HIGH, LOW, VALUE, memory, on_host, stored_on_host


@pytest.mark.parametrize(
    ("how", "size", "shares"),
    [
        ({}, 2, (0.7, 0.9, 1.25)),  # fused kernels keep less, eager ones more
        ({"compiled": False}, 2, (0.8, 1.35, 1.9)),
        ({"precision": "fp32"}, 4, (0.7, 0.9, 1.25)),
        ({"precision": "fp8"}, 2, (0.4, 0.75, 1.25)),  # the inputs of linears in 8 bits
    ],
)
def test_activations_of_all_layers_and_gradients_of_some(how, size, shares) -> None:
    for level, share, moving in zip(LEVELS, shares, (0.0, 0.5, 1.0), strict=True):
        made = kept(level, **how)
        lost = (PASSES if how.get("compiled", True) else EAGER)[level]
        assert made == pytest.approx(lost * share * size * 10 * (10 + moving))


def test_full_recompute_by_level() -> None:
    full = Layout(recompute="full")
    # inputs of ten layers, one whole layer, and gradients
    assert [kept(level, full) for level in LEVELS] == pytest.approx(
        [lost * (2 * 1 * n + share * 20 * (1 + moving))  # at the least, inputs are on the host
         for lost, n, share, moving in zip(
            PASSES, (0, 10, 10), (0.7, 0.9, 1.25), (0.0, 0.5, 1.0), strict=True)]
    )  # fmt: skip
    split = Layout(recompute="full", tensor=2, sequence_parallel=False)
    assert kept(VALUE, split, 2) == pytest.approx(1.1 * (20 + 1.5 * 0.9 * 2 * (8 / 2 + 2)))


def test_a_sharded_frozen_base_keeps_a_gradient_beside_each_input() -> None:
    how = {"compiled": False, "method": "lora", "trainable_share": 0.001}
    sharded = Layout(data=4, sharding="zero3", recompute="full")
    copies = Layout(data=4, recompute="full")
    # eight of ten layers, 1e6 elements of 2 bytes each, and what the allocator loses
    for level, beside in zip(LEVELS, (0.0, 8 * 2.0, 8 * 2.0), strict=True):
        more = kept(level, sharded, 4, **how) - kept(level, copies, 4, **how)
        assert more == pytest.approx(EAGER[level] * beside)
    # what trains whole, runs compiled or keeps all for the backward pass has none
    kinds: list[tuple[dict[str, Any], str]] = [
        ({"compiled": False}, "full"), (how | {"compiled": True}, "full"), (how, "none"),
    ]  # fmt: skip
    for other, recompute in kinds:
        one, two = (replace(layout, recompute=recompute) for layout in (sharded, copies))
        assert kept(VALUE, one, 4, **other) == pytest.approx(kept(VALUE, two, 4, **other))
    # of DeepSpeed's nobody measured it: at the most
    zero = [kept(level, sharded, 4, **how, shards="deepspeed") for level in LEVELS]
    assert zero[VALUE] == pytest.approx(kept(VALUE, copies, 4, **how))
    assert zero[HIGH] == pytest.approx(kept(HIGH, sharded, 4, **how))


def test_sharded_adapters_take_more_a_token_than_measured_on_one_device() -> None:
    # fms, Mistral 7B with LoRA, fused loss, 32,768 tokens more: 16.51 GiB more on one device
    # (46.68 - 30.17), 24.01 on four that share it (52.35 - 28.34); 7.5 = 30 x 4096 x 2 x 32,768 B
    assert 30 * 4096 * 2 * 32_768 / 2**30 == 7.5
    run: dict[str, Any] = {
        "model": {"preset": "mistral-7b"},
        "training": {"method": "lora", "tokens": 1e8, "sequence_length": 4096, "micro_batch": 8,
                     "recompute": "full", "software": "trl", "logits": "fused",
                     "lora": {"rank": 16, "targets": "attention"}},
        "hardware": {"accelerator": "a100-sxm4-80", "count": 4, "layout": {"data": 4}},
    }  # fmt: skip

    def grows(sharding: str) -> float:
        made = [
            estimate(
                run,
                changes={
                    "hardware.layout.sharding": sharding,
                    "training.micro_batch": batch,
                    "training.global_batch": 4 * batch,
                },
            )
            for batch in (8, 16)
        ]
        small, large = (one.results["memory_per_device"].value for one in made)
        assert small is not None
        assert large is not None
        return large - small

    assert grows("fsdp") - grows("zero3") == pytest.approx(1.1 * 7.5)
    assert grows("zero3") == pytest.approx(grows("none"))
    assert grows("fsdp") == pytest.approx(24.01, rel=0.12)


def test_activations_on_the_host() -> None:
    # of ten layers' inputs none, two or four are on the device, and the layer at work
    host = Layout(recompute="full", activations=1.0)
    assert [kept(level, host) for level in LEVELS] == pytest.approx(
        [lost * (2 * 1 * n + share * 20 * (1 + moving))
         for lost, n, share, moving in zip(
            PASSES, (0, 2, 4), (0.7, 0.9, 1.25), (0.0, 0.5, 1.0), strict=True)]
    )  # fmt: skip
    one = replace(KEPT, layers=1.0)
    assert kept(VALUE, host, model=one) == pytest.approx(
        kept(VALUE, Layout(recompute="full"), model=one)
    )
    # without recompute all that a layer keeps goes there
    plain = Layout(activations=1.0)
    assert kept(VALUE, plain) == pytest.approx(1.1 * 0.9 * 20 * (2 + 0.5))
    # of a stack whose recompute does it without being asked, and only recompute does
    full = Layout(recompute="full")
    assert kept(VALUE, full, checkpoints="host") == pytest.approx(kept(VALUE, host))
    assert kept(VALUE, checkpoints="host") == pytest.approx(kept())


def test_what_of_a_micro_batch_is_on_the_host() -> None:
    # MB of eight of ten layers: 0.9 of 1e7 elements of 2 bytes each, or their inputs, 1e6
    def away(layout: Layout, **how: Any) -> float:
        made = recipe(**{"length": 1000, "batch": 8} | STACK | how)
        return float(stored_on_host(KEPT, machine(1), layout, made)) / 1e6

    assert away(Layout(activations=1.0)) == pytest.approx(8 * 0.9 * 20)
    assert away(Layout(activations=1.0, micro_batch=4)) == pytest.approx(4 * 8 * 0.9 * 20)
    assert away(Layout(activations=1.0, recompute="full")) == pytest.approx(8 * 2 * 1)
    assert away(Layout(recompute="full"), checkpoints="host") == pytest.approx(8 * 2 * 1)
    assert away(Layout(recompute="full")) == away(Layout(), checkpoints="host") == 0.0
    assert away(Layout(activations=1.0), method="frozen") == 0.0


def test_what_a_host_has_to_hold() -> None:
    made = recipe(**{"length": 1000, "batch": 8} | STACK)
    model = replace(KEPT, dense=1e8, parameters=1e9)
    # 2 bytes of weights, 4 of gradients, 12 of states; a quarter of each where they are sharded
    for layout, each in (
        (Layout(), 0.0),
        (Layout(offload="optimizer"), 12.0),
        (Layout(offload="all"), 2 + 4 + 12.0),
        (Layout(offload="all", data=4, sharding="zero3"), (2 + 4 + 12.0) / 4),
    ):
        devices = int(layout.devices)
        found = on_host(model, machine(devices), layout, made)
        assert float(found.states) == pytest.approx(each * 1e9)
        assert float(found.activations) == 0.0
    # two micro-batches in flight on the first of two stages, five layers each, but for two
    staged = Layout(pipeline=2, activations=1.0)
    found = on_host(KEPT, machine(2), staged, made)
    assert float(found.activations) == pytest.approx((2 * 5 - 2) * 0.9 * 20e6)


def test_selective_recompute_by_level() -> None:
    some = Layout(recompute="selective")
    # beside fused attention 0.15, 0.7 or all of a layer is kept
    assert [kept(level, some) for level in LEVELS] == pytest.approx(
        [
            1.0 * 0.7 * 20 * (0.15 * 10 + 0.0),
            1.1 * 0.9 * 20 * (0.7 * 10 + 0.5),
            1.25 * 1.25 * 20 * (10 + 1.0),
        ]
    )
    # every other matmul's output, attention's and the layer's input: 31.7k of 71.7k elements
    alternate = [kept(level, some, selective="matmuls") for level in LEVELS]
    assert alternate == pytest.approx(
        [
            1.0 * 0.7 * 20 * (0.15 * 10 + 0.0),
            1.1 * 0.9 * 20 * (0.45 * 10 + 0.5),
            1.25 * 1.25 * 20 * (0.7 * 10 + 1.0),
        ]
    )
    # Megatron's: all but the scores, which are of one layer; their mask and dropout at the most
    plain = [kept(level, some, attention="standard") for level in LEVELS]
    assert plain == pytest.approx(
        [
            1.0 * (0.7 * 20 * 0.15 * 10 + 1.0 * 2 * 4),
            1.1 * (0.9 * 20 * (10 + 0.5) + 2.5 * 2 * 4),
            1.25 * (1.25 * 20 * (10 + 1.0) + 5.0 * 2 * 4),
        ]
    )


def test_scores_of_attention_that_is_not_fused() -> None:
    whole = kept(attention="standard") - kept()
    assert whole == pytest.approx(1.1 * 10 * 2.5 * 2 * 4)
    # queries are cut by context ranks, keys too: a quarter; heads by tensor ranks
    cut = Layout(context=2, tensor=2)
    made = kept(VALUE, cut, 4, attention="standard") - kept(VALUE, cut, 4)
    assert made == pytest.approx(whole / 4 / 2)
    full = Layout(recompute="full")
    again = kept(VALUE, full, attention="standard") - kept(VALUE, full)
    assert again == pytest.approx(1.1 * 2.5 * 2 * 4)  # of one layer


def test_a_frozen_body_keeps_one_layer() -> None:
    made = kept(method="frozen", attention="standard")
    assert made == pytest.approx(1.1 * (0.9 * 20 + 2.5 * 2 * 4 + 0.5 * 0.9 * 20))


@pytest.mark.parametrize(
    ("layout", "batch", "layers", "flight"),
    [
        (Layout(pipeline=2), 8, 5, 2),
        (Layout(pipeline=2), 1, 5, 1),  # no more than there are micro-batches
        (Layout(pipeline=2, micro_batch=2, data=2), 8, 5, 2),
        (Layout(pipeline=5, micro_batch=2, data=2), 5, 2, 2),  # 5 / 4: two of them
        (Layout(pipeline=5, virtual_pipeline=2), 99, 2, 5 + 4 / 2),
    ],
)
def test_micro_batches_in_flight(layout: Layout, batch: int, layers: int, flight: float) -> None:
    made = kept(VALUE, layout, layout.devices, batch=batch)
    assert made == pytest.approx(1.1 * 0.9 * layout.micro_batch * 20 * (layers * flight + 0.5))


def test_guessed_activations_are_as_wide_as_their_guess() -> None:
    model = replace(KEPT, spread=(0.5, 3.0))
    assert [kept(level, model=model) for level in LEVELS] == pytest.approx(
        [0.5 * kept(LOW), kept(VALUE), 3.0 * kept(HIGH)]
    )


def test_the_total_is_all_of_it() -> None:
    model = replace(KEPT, dense=1e8, logits=1e8)
    held = at(VALUE, model)
    # at the loss: weights, gradients, states, ten layers, the logits, the context
    parts = [2e9, 4e9, 12e9, 1.1 * 0.9 * 200e6, 1.1 * 8e8, 0.5e9]
    assert held.total == pytest.approx(sum(parts))
    how = recipe(1000, 1, **STACK)
    made = memory(model, machine(1), Layout(), how)
    assert made.total.value == pytest.approx(sum(parts))
    assert made.total.low == pytest.approx(float(at(LOW, model).total))
    assert made.total.high == pytest.approx(float(at(HIGH, model).total))
