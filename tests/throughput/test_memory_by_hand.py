"""Bytes by level and by stage: low, value and high of each part, with numbers that are round.

Sources stand beside the constants in ``held.py``: ZeRO (arXiv:1910.02054), QLoRA
(arXiv:2305.14314), 8-bit optimizers (arXiv:2110.02861), Korthikanti et al. (arXiv:2205.05198).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from throughput_models import machine, recipe

from costcalc import estimate
from costcalc.throughput.footprint import Footprint
from costcalc.throughput.layout import Layout
from costcalc.throughput.memory import HIGH, LOW, VALUE, Parts, bytes_at, memory

LEVELS = (LOW, VALUE, HIGH)
BARE = Footprint(layers=10.0, dense=1e8, parameters=1e9)
# fused kernels throughout, 32-bit states, and no doubt about either
NAMED = frozenset({"software"})
TOLD = NAMED | {"states"}
STACK: dict[str, Any] = {"compiled": True, "states": "fp32", "told": TOLD}
STAYS = 1.08  # at the most, what the allocator holds of what stays
PASSES = (1.0, 1.1, 1.25)  # and of what comes and goes
EAGER = (1.0, 1.1, 1.6)  # more where kernels are many


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
        recipe(**{"length": 1000, "batch": 1} | STACK | how),
        level=level,
    )


def each(name: str, **more: Any) -> list[float]:
    """Low, value and high of a part, bytes a parameter of 1e9."""
    return [float(getattr(at(level, **more), name)) / 1e9 for level in LEVELS]


@pytest.mark.parametrize(
    ("precision", "weights", "gradients"),
    [
        ("bf16", [2, 2, 2 * STAYS], [2, 4, 4]),  # gradients in 16 bits, or reduced in 32
        ("fp32", [4, 4, 4 * STAYS], [4, 4, 4]),
        ("tf32", [4, 4, 4 * STAYS], [4, 4, 4]),
        ("fp8", [1, 3, 4 * STAYS], [2, 4, 4]),  # 8-bit weights alone, or beside 16-bit ones, twice
    ],
)
def test_weights_and_gradients(precision: str, weights: list, gradients: list) -> None:
    assert each("weights", precision=precision) == pytest.approx(weights)
    assert each("gradients", precision=precision) == pytest.approx(gradients)


@pytest.mark.parametrize(
    ("optimizer", "half", "pure", "wide"),
    [
        # two moments of 4 bytes and a master copy of 4; of 2 bytes and none; of 4 and none
        ("adamw", [4 + 4 + 4] * 3, [2 + 2] * 3, [4 + 4] * 3),
        # of one byte, the copy perhaps left out; paged to the host at the least
        ("adamw-8bit", [4, 1 + 1 + 4, 6.1], [0, 1 + 1, 2.1], [0, 1 + 1, 2.1]),
        # rows and columns beside the copy; a first moment at the most
        ("adafactor", [4, 4, 4 + 4], [0, 0.1, 2], [0, 0.1, 4]),
        ("sgd", [4, 4 + 4, 4 + 4], [0, 2, 2], [0, 4, 4]),
        ("muon", [4 + 4] * 3, [2] * 3, [4] * 3),
    ],
)
def test_optimizer_states(optimizer: str, half: list, pure: list, wide: list) -> None:
    for expected, how in ((half, {}), (pure, {"states": "bf16"}), (wide, {"precision": "fp32"})):
        made = each("optimizer", optimizer=optimizer, **how)
        assert made == pytest.approx([expected[0], expected[1], expected[2] * STAYS])


def test_pure_16_bits_take_8_bytes_a_parameter_and_10_in_an_eager_update() -> None:
    pure = {"states": "bf16"}
    assert sum(each(name, **pure)[VALUE] for name in ("weights", "gradients", "optimizer")) == 8
    eager = pure | {"compiled": False}
    # torch.optim's foreach computes one state of all parameters anew: 2 + 2 + 4 + 2
    assert [each("optimizer", **eager)[i] for i in (LOW, VALUE)] == pytest.approx([4, 4 + 2])
    assert each("optimizer", **eager)[HIGH] == pytest.approx(4 * STAYS + 2)
    wide = {"compiled": False, "precision": "fp32"}  # 4 + 4 + 8 + 4
    assert each("optimizer", **wide)[VALUE] == pytest.approx(8 + 4)
    for other in ("adamw-8bit", "adafactor", "sgd", "muon"):  # they have kernels of their own
        plain = each("optimizer", optimizer=other, **pure)
        assert each("optimizer", optimizer=other, **eager) == pytest.approx(plain)


def test_the_update_comes_when_activations_are_gone() -> None:
    # 10 bytes of 1e9 parameters and no activation, or 6 (no gradient yet) and all of them
    model = replace(BARE, split=1e8)
    how = {"states": "bf16", "compiled": False}
    kept = 1.1 * 1.35 * 2 * 1e8 * (10 + 0.5)
    assert at(VALUE, model, **how).activations == 0.0
    assert 2e9 + 4e9 + kept < 10e9
    more = at(VALUE, replace(model, split=4e8), **how)
    assert more.activations == pytest.approx(4 * kept)
    assert (more.gradients, more.optimizer) == (0.0, pytest.approx(4e9))
    # sums over micro-batches are there with them, and 32-bit buffers always
    again = at(VALUE, replace(model, split=4e8), batch=2, **how)
    assert again.gradients == pytest.approx(2e9)
    buffers = at(VALUE, replace(model, split=4e8), **how | {"states": "fp32"})
    assert buffers.gradients == pytest.approx(4e9)
    assert at(HIGH, replace(model, split=4e8), **how).gradients == pytest.approx(2e9)


def test_gradients_freed_in_the_backward_pass_are_of_one_piece() -> None:
    freed = {"gradients": "freed", "states": "bf16"}
    assert each("gradients", **freed) == pytest.approx([2 / 10] * 3)  # one of ten layers
    model = replace(BARE, embedding=3e8, head=3e8)
    assert at(VALUE, model, **freed).gradients == pytest.approx(2 * 6e8)  # the ends are larger


def test_gradients_summed_in_32_bits_beside_them() -> None:
    how = {"sums": True, "compiled": False}
    # 2 in 16 bits and 4 in 32; weights 2, states 12 and one of them anew in the update
    assert each("gradients", **how) == pytest.approx([2, 4 + 2, 4 + 2])
    assert each("optimizer", **how) == pytest.approx([12, 12 + 4, 12 * STAYS + 4])
    assert each("gradients", **how | {"precision": "fp32"}) == pytest.approx([4, 4, 4])


@pytest.mark.parametrize(
    "open_", [{"told": frozenset()}, {"told": NAMED, "trainer": "transformers"}]
)
@pytest.mark.parametrize(("states", "between"), [("bf16", 2), ("fp32", 4 + 4)])
def test_states_that_nobody_tells_may_be_of_16_or_32_bits(
    open_: dict[str, Any], states: str, between: float
) -> None:
    how = {"states": states, "optimizer": "sgd", **open_}
    # of 16 bits at the least, of 32 at the most; between, as they usually are
    assert each("optimizer", **how) == pytest.approx([0, between, (4 + 4) * STAYS])
    told = each("optimizer", **how | {"told": TOLD})
    assert told[HIGH] == pytest.approx(between * STAYS)
    assert told[LOW] == (0 if states == "bf16" else 4)
    other = each("optimizer", **how | {"told": NAMED, "trainer": "own"})  # its states are known
    assert other == pytest.approx([0, told[VALUE], told[HIGH]])


def test_where_no_software_is_told_the_low_end_is_that_of_the_most_sparing_one() -> None:
    full = Layout(recompute="full")
    model = replace(KEPT, dense=1e8, logits=1e8)
    how: dict[str, Any] = {"method": "finetune", "told": frozenset()}
    low = at(LOW, model, full, **how)
    # gradients of one layer in 16 bits; no logits; inputs of layers on the host, so one at work
    assert low.gradients == pytest.approx(2 * 1e8)
    assert low.logits == 0.0
    assert low.activations == pytest.approx(0.7 * 2 * 1e7)
    for key in ("gradients", "logits"):  # unless they are told
        said = at(LOW, model, full, batch=2, **how | {"told": frozenset({key})})
        assert said.gradients == pytest.approx(2e9 if key == "gradients" else 2 * 1e8)
        assert said.logits == pytest.approx(2 * 1e8 if key == "logits" else 0.0)
    # in pretraining but the states are, and the inputs
    first = at(LOW, model, full, batch=2, **how | {"method": "pretrain"})
    assert (first.gradients, first.logits) == (pytest.approx(2e9), pytest.approx(2 * 1e8))
    assert first.activations == 0.0
    told = at(LOW, model, full, states="bf16", logits="fused", batch=2)
    assert told.gradients == pytest.approx(2 * 1e9)
    assert told.activations == pytest.approx(0.7 * 2 * 1e7)


@pytest.mark.parametrize(
    ("base", "low", "value", "high"),
    [
        ("nf4", 0.516, 0.53, 0.57),  # 4 bits and 0.127 of constants, (4 + 0.127) / 8, or 0.5
        ("int8", 1.0, 1.01, 1.1),
        ("bf16", 2, 2, 2),
        ("fp16", 2, 2, 2),
        ("fp32", 4, 4, 4),
        (None, 2, 2, 2),  # as it is trained
    ],
)
def test_frozen_bases(base: str | None, low: float, value: float, high: float) -> None:
    how = {"method": "lora", "trainable_share": 0.01, "base_precision": base}
    # adapters in 16 or in 32 bits, their gradients alike, and two states
    expected = [low + 2 * 0.01, value + 4 * 0.01, (high + 4 * 0.01) * STAYS]
    assert each("weights", **how) == pytest.approx(expected)
    assert each("gradients", **how) == pytest.approx([2 * 0.01, 4 * 0.01, 4 * 0.01])
    states = [2 * 2 * 0.01, 2 * 4 * 0.01, 2 * 4 * 0.01 * STAYS]
    assert each("optimizer", **how) == pytest.approx(states)
    eager = each("optimizer", **how, compiled=False)  # one state anew
    assert eager == pytest.approx([states[0], states[1] + 4 * 0.01, states[2] + 4 * 0.01])


def test_a_frozen_base_of_a_32_bit_run_is_in_32_bits() -> None:
    how = {"method": "lora", "trainable_share": 0.01, "precision": "fp32"}
    assert each("weights", **how) == pytest.approx([4.04, 4.04, 4.04 * STAYS])


def test_embeddings_of_a_quantised_base() -> None:
    model = replace(BARE, embedding=1e8, head=1e8, largest=5e7)
    how = {"method": "lora", "trainable_share": 0.01, "base_precision": "nf4"}
    # 0.53 bytes of 1e9 parameters, 2 of the 2e8 outside; adapters; one matrix dequantised
    held = 0.53e9 + 2 * 2e8 + 4 * 0.01 * 1.2e9 + 2 * 5e7
    assert at(VALUE, model, **how).weights == pytest.approx(held)
    split = at(VALUE, model, Layout(tensor=2), 2, **how)
    assert split.weights == pytest.approx(held / 2)
    plain = at(VALUE, model, **how | {"base_precision": "bf16"})
    assert plain.weights == pytest.approx(2 * 1.2e9 + 4 * 0.01 * 1.2e9)
    # peft makes what lies outside 32 bits wide, on one device
    peft = how | {"trainer": "transformers"}
    assert at(VALUE, model, **peft).weights == pytest.approx(held + 2 * 2e8)
    assert at(LOW, model, **peft).weights == pytest.approx(at(LOW, model, **how).weights)
    two = at(VALUE, model, Layout(data=2), 2, **peft)
    assert two.weights == pytest.approx(held)


def test_what_peft_makes_of_32_bits_around_a_quantised_base() -> None:
    model = replace(KEPT, logits=1e9)
    how = {"method": "lora", "trainable_share": 0.01, "base_precision": "nf4", "compiled": False}
    full = Layout(recompute="full")
    plain, peft = (at(VALUE, model, full, trainer=who, **how) for who in ("own", "transformers"))
    assert plain.logits == pytest.approx(1.1 * 13e9)
    assert peft.logits == pytest.approx(1.1 * 13e9 * 4 / 3)  # one more in 32 bits
    assert peft.activations - plain.activations == pytest.approx(1.1 * 10 * 2 * 1e6)  # the stream
    # but around one of GPTQ, which is what runs in fp16
    gptq = at(VALUE, model, full, trainer="transformers", precision="fp16", **how)
    assert gptq.logits == pytest.approx(plain.logits)


def test_a_quantised_matrix_keeps_its_input() -> None:
    how = {"method": "lora", "trainable_share": 0.01}
    shares = [kept(level, **how, base_precision="nf4") / kept(level, **how) for level in LEVELS]
    assert shares == pytest.approx([1.0, 1.2, 1.3])


def test_adapters_need_no_reference_beside_their_base() -> None:
    lora = {"method": "lora", "trainable_share": 0.01}
    for method in ("dpo", "grpo"):
        held = [at(level, **(lora | {"method": method})) for level in LEVELS]
        alone = [at(level, **lora) for level in LEVELS]
        assert [float(one.weights) for one in held] == [float(one.weights) for one in alone]


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
    held = [2 * (n + models) for n in copies]
    assert each("weights", method=method) == pytest.approx([held[0], held[1], held[2] * STAYS])
    assert each("gradients", method=method) == pytest.approx([2 * models, 4 * models, 4 * models])


def test_copies_are_in_16_bits_beside_8() -> None:
    assert each("weights", method="dpo", precision="fp8") == pytest.approx(
        [1 + 0, 3 + 2, (4 + 2) * STAYS]
    )
    assert each("weights", method="dpo", precision="fp32")[VALUE] == pytest.approx(4 + 4)


@pytest.mark.parametrize(
    ("devices", "on", "gigabytes"),
    [
        (1, {}, [0.2, 0.5, 2.0]),  # a context and workspaces
        (2, {}, [0.4, 3.0, 6.0]),  # with a library's buffers
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
    stays = (1, 1, STAYS)
    held = zip((1, 2, 6), stays, strict=True)
    assert made == pytest.approx([(2 / 8 + n * 2 / 10) * more for n, more in held])
    two = each("weights", layout=Layout(data=2, sharding="zero3"), devices=2)
    held = zip((1, 2, 6), stays, strict=True)
    assert two == pytest.approx([(2 / 2 + n * 2 / 10) * more for n, more in held])
    alone = each("weights", layout=Layout(sharding="zero3"))
    assert alone == pytest.approx([2, 2, 2 * STAYS])  # one device gathers nothing


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


@pytest.mark.parametrize(
    ("logits", "compiled", "bytes_each"),
    [
        # in 16 bits, in 32, their softmax and the gradients of each
        ("full", False, [5, 13, 20]),
        ("full", True, [2, 8, 14]),
        ("chunked", False, [0.2, 2.5, 5]),  # in 16 bits and a chunk in 32; or but a chunk
        ("chunked", True, [0.2, 2.5, 5]),
        ("fused", False, [0, 0.5, 2]),
        ("fused", True, [0, 0.5, 2]),
    ],
)
def test_bytes_a_logit(logits: str, compiled: bool, bytes_each: list) -> None:
    model = replace(BARE, dense=0.0, logits=1e9)
    made = each("logits", model=model, logits=logits, compiled=compiled)
    lost = PASSES if compiled else EAGER
    assert made == pytest.approx([b * more for b, more in zip(bytes_each, lost, strict=True)])


def test_logits_are_on_the_last_stage_alone() -> None:
    model = replace(BARE, logits=1e8)
    one = 1.1 * 8e8
    assert at(VALUE, model).logits == pytest.approx(one)
    two = at(VALUE, model, Layout(tensor=2, micro_batch=3), 2)
    assert two.logits == pytest.approx(one * 3 / 2)
    # of two stages the last is the fullest: it has them, and of one micro-batch alone
    staged = at(VALUE, replace(model, stream=1e6), Layout(pipeline=2, context=2), 4)
    assert staged.logits == pytest.approx(one / 2)
    # kept activations of all micro-batches make the first the fullest: it has none
    first = at(VALUE, replace(model, split=1e9), Layout(pipeline=2), 2, batch=8)
    assert first.logits == 0.0


def test_the_loss_comes_before_the_layers() -> None:
    # ten layers of 20 million bytes are kept; then come the logits, or a layer's gradients
    model = replace(KEPT, logits=1e6)
    held = at(VALUE, model)
    assert held.logits == 0.0  # 8 million bytes are less than half a layer's 9
    assert held.activations == pytest.approx(1.1 * 0.9 * 20e6 * (10 + 0.5))
    more = at(VALUE, replace(model, logits=2e6))
    assert more.logits == pytest.approx(1.1 * 8 * 2e6)
    assert more.activations == pytest.approx(1.1 * 0.9 * 20e6 * 10)


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
