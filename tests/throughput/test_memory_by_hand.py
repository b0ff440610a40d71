"""What a device holds by hand: weights, gradients, states, other models, the framework.

Low, value and high of each part, with numbers that are round.  Sources stand beside the constants
in ``held.py``: ZeRO (arXiv:1910.02054), QLoRA (arXiv:2305.14314), 8-bit optimizers
(arXiv:2110.02861), Korthikanti et al. (arXiv:2205.05198).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from memory_parts import BARE, KEPT, LEVELS, NAMED, STAYS, TOLD, at, each, kept

from costcalc.throughput.layout import Layout
from costcalc.throughput.memory import HIGH, LOW, VALUE


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
