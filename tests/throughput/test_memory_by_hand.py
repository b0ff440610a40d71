"""Bytes by level and by stage: low, value and high of each part, with numbers that are round.

Sources stand beside the constants in ``memory.py``: ZeRO (arXiv:1910.02054), QLoRA
(arXiv:2305.14314), 8-bit optimizers (arXiv:2110.02861), Korthikanti et al. (arXiv:2205.05198).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from throughput_models import machine, recipe

from costcalc.throughput.footprint import Footprint
from costcalc.throughput.layout import Layout
from costcalc.throughput.memory import HIGH, LOW, VALUE, Parts, bytes_at, memory

LEVELS = (LOW, VALUE, HIGH)
BARE = Footprint(layers=10.0, dense=1e8, parameters=1e9)


def at(
    level: int,
    model: Footprint = BARE,
    layout: Layout | None = None,
    devices: int = 1,
    offload: str = "none",
    on: dict[str, Any] | None = None,
    **how: Any,
) -> Parts:
    return bytes_at(
        model,
        machine(devices, **(on or {})),
        replace(layout or Layout(), offload=offload),
        recipe(**{"length": 1000, "batch": 1} | how),
        level=level,
    )


def each(name: str, **more: Any) -> list[float]:
    """Low, value and high of a part, bytes a parameter of 1e9."""
    return [float(getattr(at(level, **more), name)) / 1e9 for level in LEVELS]


@pytest.mark.parametrize(
    ("precision", "weights", "gradients"),
    [
        ("bf16", [2, 2, 2], [2, 4, 4]),  # gradients in 16 bits, or reduced in 32
        ("fp32", [4, 4, 4], [4, 4, 4]),
        ("tf32", [4, 4, 4], [4, 4, 4]),
        ("fp8", [1, 3, 4], [2, 4, 4]),  # 8-bit weights alone, or beside 16-bit ones, twice
    ],
)
def test_weights_and_gradients(precision: str, weights: list, gradients: list) -> None:
    assert each("weights", precision=precision) == pytest.approx(weights)
    assert each("gradients", precision=precision) == pytest.approx(gradients)


@pytest.mark.parametrize(
    ("optimizer", "half", "wide"),
    [
        # two moments of 4 bytes and a master copy of 4; at the least in 16 bits without a copy
        ("adamw", [2 + 2, 4 + 4 + 4, 12], [8, 8, 8]),
        ("adamw-8bit", [1 + 1, 1 + 1 + 4, 6.1], [2, 2, 2.1]),
        ("adafactor", [0, 4, 8], [0, 0.1, 4]),  # rows and columns; a first moment at the most
        ("sgd", [0, 4 + 4, 8], [0, 4, 4]),
        ("muon", [4, 4 + 4, 8], [4, 4, 4]),
    ],
)
def test_optimizer_states(optimizer: str, half: list, wide: list) -> None:
    assert each("optimizer", optimizer=optimizer) == pytest.approx(half)
    assert each("optimizer", optimizer=optimizer, precision="fp32") == pytest.approx(wide)


@pytest.mark.parametrize(
    ("base", "low", "value", "high"),
    [
        ("nf4", 0.516, 0.516, 0.57),  # 4 bits and 0.127 bits of constants: 4.127 / 8
        ("int8", 1.0, 1.01, 1.1),
        ("bf16", 2, 2, 2),
        ("fp16", 2, 2, 2),
        ("fp32", 4, 4, 4),
        (None, 2, 2, 2),  # as it is trained
    ],
)
def test_frozen_bases(base: str | None, low: float, value: float, high: float) -> None:
    how = {"method": "lora", "trainable_share": 0.01, "base_precision": base}
    own = 2 * 0.01  # adapters in 16 bits
    assert each("weights", **how) == pytest.approx([low + own, value + own, high + own], rel=1e-3)


def test_a_frozen_base_of_a_32_bit_run_is_in_32_bits() -> None:
    how = {"method": "lora", "trainable_share": 0.01, "precision": "fp32"}
    assert each("weights", **how) == pytest.approx([4.04] * 3)


def test_embeddings_of_a_quantised_base_stay_in_16_bits() -> None:
    model = replace(BARE, embedding=1e8, head=1e8, largest=5e7)
    how = {"method": "lora", "trainable_share": 0.01, "base_precision": "nf4"}
    # 0.516 bytes of 1e9 parameters, 2 of the 2e8 outside; adapters; one matrix dequantised
    held = 0.516e9 + 2 * 2e8 + 2 * 0.01 * 1.2e9 + 2 * 5e7
    assert at(VALUE, model, **how).weights == pytest.approx(held)
    split = at(VALUE, model, Layout(tensor=2), 2, **how)
    assert split.weights == pytest.approx(held / 2)
    plain = at(VALUE, model, **how | {"base_precision": "bf16"})
    assert plain.weights == pytest.approx(2 * 1.2e9 + 2 * 0.01 * 1.2e9)


@pytest.mark.parametrize(
    ("method", "copies", "models"),
    [
        ("dpo", [0, 1, 1], 1),
        ("grpo", [0, 1, 2], 1),
        ("ppo", [0, 2, 3], 2),
        ("pretrain", [0] * 3, 1),
    ],
)
def test_other_models_of_a_method(method: str, copies: list, models: int) -> None:
    assert each("weights", method=method) == pytest.approx([2 * (n + models) for n in copies])
    assert each("gradients", method=method) == pytest.approx([2 * models, 4 * models, 4 * models])


def test_copies_are_in_16_bits_beside_8() -> None:
    assert each("weights", method="dpo", precision="fp8") == pytest.approx([1 + 0, 3 + 2, 4 + 2])


@pytest.mark.parametrize(
    ("devices", "on", "gigabytes"),
    [
        (1, {}, [0.5, 1.2, 2.5]),  # a context and what the allocator loses
        (2, {}, [0.8, 3.0, 6.0]),  # with a library's buffers
        (1, {"kind": "tpu"}, [0.2, 0.6, 1.5]),
        (2, {"kind": "tpu"}, [0.2, 0.6, 1.5]),
    ],
)
def test_what_the_framework_takes(devices: int, on: dict, gigabytes: list) -> None:
    made = each("framework", layout=Layout(data=devices), devices=devices, on=on)
    assert made == pytest.approx(gigabytes)


# --- how states are cut --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sharding", "weights", "gradients", "optimizer"),
    [
        ("none", 2, 4, 12),
        ("zero1", 2, 4, 12 / 8),
        ("zero2", 2, 4 / 8, 12 / 8),
        ("zero3", 2 / 8 + 2 * 2 / 10, 4 / 8, 12 / 8),  # two of ten layers are held whole
    ],
)
def test_zero_over_data_and_context(
    sharding: Any, weights: float, gradients: float, optimizer: float
) -> None:
    held = at(VALUE, layout=Layout(data=4, context=2, sharding=sharding), devices=8)
    assert held.weights == pytest.approx(weights * 1e9)
    assert held.gradients == pytest.approx(gradients * 1e9)
    assert held.optimizer == pytest.approx(optimizer * 1e9)


def test_layers_held_whole_by_zero3() -> None:
    three = Layout(data=8, sharding="zero3")
    made = each("weights", layout=three, devices=8)
    assert made == pytest.approx([2 / 8 + n * 2 / 10 for n in (1, 2, 3)])
    two = each("weights", layout=Layout(data=2, sharding="zero3"), devices=2)
    assert two == pytest.approx([2 / 2 + n * 2 / 10 for n in (1, 2, 3)])
    alone = each("weights", layout=Layout(sharding="zero3"))
    assert alone == pytest.approx([2, 2, 2])  # one device gathers nothing


@pytest.mark.parametrize(
    ("on", "tensor", "group"),
    [
        ({"per_node": 4, "scale_up_domain": 8}, 2, 4),  # eight in the fabric, two a tensor group
        ({"per_node": 8, "scale_up_domain": 1}, 1, 8),
        ({"per_node": 4, "scale_up_domain": 4}, 8, 1),  # no data ranks inside
        ({"per_node": 64, "scale_up_domain": 64}, 1, 16),  # no more than there are
    ],
)
def test_hybrid_sharding_inside_the_fabric(on: dict, tensor: int, group: int) -> None:
    layout = Layout(data=16, tensor=tensor, sharding="hsdp")
    held = at(VALUE, layout=layout, devices=16 * tensor, on=on)
    assert held.optimizer == pytest.approx(12e9 / tensor / group)


EXPERTS = Footprint(layers=10.0, dense=1e8, expert=8e8, parameters=9e9)


@pytest.mark.parametrize(
    ("layout", "experts_over", "sharded_over"),
    [
        (Layout(data=8, tensor=2, sharding="zero1"), 2, 8),  # cut by tensor ranks, as all else
        (Layout(data=8, tensor=2, expert=4, sharding="zero1"), 4, 4),  # 16 / 4 hold the same
        (Layout(data=2, tensor=2, expert=8, sharding="zero1"), 8, 1),
    ],
)
def test_experts_have_devices_of_their_own(layout, experts_over: int, sharded_over: int) -> None:
    held = at(VALUE, EXPERTS, layout, layout.devices)
    dense, expert = 1e9 / 2, 8e9 / experts_over
    assert held.gradients == pytest.approx(4 * (dense + expert))
    assert held.optimizer == pytest.approx(12 * (dense / layout.data + expert / sharded_over))


def test_layers_of_experts_held_whole() -> None:
    layout = Layout(data=8, tensor=2, expert=4, sharding="zero3")
    held = at(VALUE, EXPERTS, layout, 16)
    own = 2 * (0.5e9 / 8 + 2e9 / 4)
    assert held.weights == pytest.approx(own + 2 * 2 * (1e8 / 2 + 8e8 / 4))


@pytest.mark.parametrize(
    ("offload", "weights", "gradients", "optimizer"),
    [("none", 2, 4, 12), ("optimizer", 2, 4, 0), ("all", 2 * 2 / 10, 0, 0)],
)
def test_offload(offload: str, weights: float, gradients: float, optimizer: float) -> None:
    held = at(VALUE, offload=offload)
    assert [held.weights, held.gradients, held.optimizer] == pytest.approx(
        [weights * 1e9, gradients * 1e9, optimizer * 1e9]
    )
    # said of a layout it is the same, and another word replaces it
    other = replace(Layout(offload="optimizer"), offload=offload)
    asked = memory(BARE, machine(1), other, recipe())
    if offload != "none":
        assert asked.parts.optimizer == 0.0
    said = memory(BARE, machine(1), Layout(offload=offload), recipe())
    assert said.parts.weights == pytest.approx(weights * 1e9)


# --- stages --------------------------------------------------------------------------------------


def test_the_embedding_is_on_the_first_stage_and_the_head_on_the_last() -> None:
    model = replace(BARE, embedding=1e8, head=3e8)
    first = at(VALUE, replace(model, head=1e7), Layout(pipeline=2), 2)
    assert first.gradients == pytest.approx(4 * (5e8 + 1e8))
    last = at(VALUE, model, Layout(pipeline=2), 2)  # the head is larger: the last is the fullest
    assert last.gradients == pytest.approx(4 * (5e8 + 3e8))
    both = at(VALUE, model)
    assert both.gradients == pytest.approx(4 * (1e9 + 4e8))
    cut = at(VALUE, model, Layout(tensor=2), 2)
    assert cut.gradients == pytest.approx(4 * (1e9 + 4e8) / 2)


def test_a_tied_head_is_stored_once_on_one_stage_and_twice_on_two() -> None:
    model = replace(BARE, embedding=2e8, tied=2e8, head=1e6)
    assert at(VALUE, model).gradients == pytest.approx(4 * (1e9 + 2e8 + 1e6))
    last = at(VALUE, replace(model, logits=1e9), Layout(pipeline=2), 2)
    assert last.gradients == pytest.approx(4 * (5e8 + 2e8 + 1e6))


def test_logits_are_on_the_last_stage_alone() -> None:
    model = replace(BARE, logits=1e8)
    # 16 bits; or in 32 their softmax; or its gradient beside them
    assert each("logits", model=model) == pytest.approx([0.2, 0.6, 1.2])
    two = each("logits", model=model, layout=Layout(tensor=2, micro_batch=3), devices=2)
    assert two == pytest.approx([0.2 * 3 / 2, 0.6 * 3 / 2, 1.2 * 3 / 2])
    # of two stages the last is the fullest: it has them, and of one micro-batch alone
    staged = at(VALUE, replace(model, stream=1e6), Layout(pipeline=2, context=2), 4)
    assert staged.logits == pytest.approx(0.6e9 / 2)
    # kept activations of all micro-batches make the first the fullest: it has none
    first = at(VALUE, replace(model, split=1e9), Layout(pipeline=2), 2, batch=8)
    assert first.logits == 0.0


@pytest.mark.parametrize(
    ("layout", "layers"),
    [
        (Layout(pipeline=3), 4),  # of ten: 4, 3 and 3
        (Layout(pipeline=2, virtual_pipeline=2), 6),  # two chunks of 3
        (Layout(pipeline=4, virtual_pipeline=5), 5),  # five chunks of one
    ],
)
def test_layers_of_the_fullest_stage(layout: Layout, layers: int) -> None:
    held = at(VALUE, layout=layout, devices=layout.devices)
    assert held.gradients == pytest.approx(4 * layers * 1e8)


def test_no_stage_holds_more_layers_than_there_are() -> None:
    model = replace(BARE, layers=3.0)
    held = at(VALUE, model, Layout(pipeline=2, virtual_pipeline=4), 2)
    assert held.gradients == pytest.approx(4 * 3e8)


# --- activations ---------------------------------------------------------------------------------

# A layer keeps 8e6 elements that tensor ranks cut and 2e6 that only sequence parallelism cuts.
KEPT = Footprint(layers=10.0, dense=0.0, split=8e6, whole=2e6, scores=4e6, stream=1e6)


def kept(level: int = VALUE, layout: Layout | None = None, devices: int = 1, **how: Any) -> float:
    """Bytes kept, in millions."""
    model = how.pop("model", KEPT)
    return float(at(level, model, layout, devices, **how).activations) / 1e6


@pytest.mark.parametrize(
    ("precision", "size", "shares"),
    [
        ("bf16", 2, (0.7, 1.0, 1.25)),  # fused kernels keep less, eager ones more
        ("fp32", 4, (0.7, 1.0, 1.25)),
        ("fp8", 2, (0.4, 0.75, 1.25)),  # the inputs of linears in 8 bits
    ],
)
def test_activations_of_all_layers_and_gradients_of_some(precision, size, shares) -> None:
    for level, share, moving in zip(LEVELS, shares, (0.0, 0.5, 1.0), strict=True):
        made = kept(level, precision=precision)
        assert made == pytest.approx(share * size * 10 * (10 + moving))


def test_full_recompute_by_level() -> None:
    full = Layout(recompute="full")
    # inputs of ten layers, one whole layer, and gradients
    assert [kept(level, full) for level in LEVELS] == pytest.approx(
        [2 * 1 * 10 + share * 20 * (1 + moving)
         for share, moving in ((0.7, 0.0), (1.0, 0.5), (1.25, 1.0))]
    )  # fmt: skip
    split = Layout(recompute="full", tensor=2, sequence_parallel=False)
    assert kept(VALUE, split, 2) == pytest.approx(20 * 1 + 1.5 * 2 * (8 / 2 + 2))


def test_selective_recompute_by_level() -> None:
    some = Layout(recompute="selective")
    # beside fused attention 0.15, 0.7 or all of a layer is kept
    assert [kept(level, some) for level in LEVELS] == pytest.approx(
        [0.7 * 20 * (0.15 * 10 + 0.0), 20 * (0.7 * 10 + 0.5), 1.25 * 20 * (10 + 1.0)]
    )
    # Megatron's: all but the scores, which are of one layer; their mask and dropout at the most
    plain = [kept(level, some, attention="standard") for level in LEVELS]
    assert plain == pytest.approx(
        [
            0.7 * 20 * 0.15 * 10 + 1.0 * 2 * 4,
            20 * (10 + 0.5) + 2.5 * 2 * 4,
            1.25 * 20 * (10 + 1.0) + 5.0 * 2 * 4,
        ]
    )


def test_scores_of_attention_that_is_not_fused() -> None:
    whole = kept(attention="standard") - kept()
    assert whole == pytest.approx(10 * 2.5 * 2 * 4)
    # queries are cut by context ranks, keys too: a quarter; heads by tensor ranks
    cut = Layout(context=2, tensor=2)
    made = kept(VALUE, cut, 4, attention="standard") - kept(VALUE, cut, 4)
    assert made == pytest.approx(whole / 4 / 2)
    full = Layout(recompute="full")
    again = kept(VALUE, full, attention="standard") - kept(VALUE, full)
    assert again == pytest.approx(2.5 * 2 * 4)  # of one layer


def test_a_frozen_body_keeps_one_layer() -> None:
    made = kept(method="frozen", attention="standard")
    assert made == pytest.approx(20 + 2.5 * 2 * 4 + 0.5 * 20)


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
    assert made == pytest.approx(layout.micro_batch * 20 * (layers * flight + 0.5))


def test_guessed_activations_are_as_wide_as_their_guess() -> None:
    model = replace(KEPT, spread=(0.5, 3.0))
    assert [kept(level, model=model) for level in LEVELS] == pytest.approx(
        [0.5 * kept(LOW), kept(VALUE), 3.0 * kept(HIGH)]
    )


def test_the_total_is_all_of_it() -> None:
    model = replace(KEPT, dense=1e8, logits=1e8)
    held = at(VALUE, model)
    parts = [2e9, 4e9, 12e9, 210e6, 0.6e9, 1.2e9]
    assert held.total == pytest.approx(sum(parts))
    made = memory(model, machine(1), Layout(), recipe(1000, 1))
    assert made.total.value == pytest.approx(sum(parts))
    assert made.total.low == pytest.approx(float(at(LOW, model).total))
    assert made.total.high == pytest.approx(float(at(HIGH, model).total))
