"""What software says of a step, as numbers: kernels, bytes, and who launches."""

from __future__ import annotations

from math import exp
from typing import Any

import pytest

from costcalc.throughput.coefficients import ceiling_of, cut_of
from costcalc.throughput.layout import Machine, Recipe, training_of
from costcalc.throughput.ranges import place_of, prediction_range
from costcalc.throughput.style import word_of
from costcalc.workload.work import Passes


def numbers(**keys: Any) -> Any:
    return training_of(Recipe(sequence_length=1000, global_batch=8, precision="bf16", **keys))


@pytest.mark.parametrize(
    ("modules", "compiled", "word"),
    [("fused", True, "fused"), ("fused", False, "fused"), (None, True, "fused"),
     ("plain", True, "compiled"), ("plain", False, "plain"), (None, False, "plain")],
)  # fmt: skip
def test_how_the_modules_of_a_stack_run(modules: str | None, compiled: bool, word: str) -> None:
    assert word_of(modules, compiled) == word


def test_a_plain_stack() -> None:
    made = numbers(modules="plain", shards="deepspeed", compiled=False)
    assert (made.plain, made.framework, made.hooks) == (1, 1, 1)  # DeepSpeed where it shards
    assert (made.kernels_forward, made.kernels_backward) == (20, 36)
    assert made.logit_bytes == 44  # 16 bits, 32, shifted, normalized, and back
    assert made.optimizer_bytes == pytest.approx(30 * 3.3)  # an operation at a time
    half = numbers(modules="plain", compiled=False, states="bf16")
    assert half.optimizer_bytes == pytest.approx(14 * 3.3)
    eight = numbers(modules="plain", compiled=False, optimizer="adamw-8bit")
    assert eight.optimizer_bytes == 20  # one kernel


def test_fused_losses_come_with_fused_norms() -> None:
    made = numbers(modules="plain", compiled=False, logits="fused")
    assert (made.plain, made.framework, made.logit_bytes) == (0, 1, 8)


def test_a_fused_and_a_compiled_stack() -> None:
    fused, compiled = numbers(modules="fused"), numbers(modules="plain")
    assert (fused.kernels_forward, fused.logit_bytes, fused.optimizer_bytes) == (24, 16, 30)
    assert (compiled.kernels_forward, compiled.kernels_backward) == (12, 24)
    assert (compiled.framework, compiled.hooks, fused.framework) == (0, 0, 0)


@pytest.mark.parametrize(
    ("precision", "base", "unpacked", "wire"),
    [("bf16", "nf4", 3.5, 0.265), ("fp16", "nf4", 20, 0.265), ("bf16", "int8", 4, 0.515),
     ("bf16", None, 0, 1)],
)  # fmt: skip
def test_quantised_bases(precision: str, base: str | None, unpacked: float, wire: float) -> None:
    made = training_of(
        Recipe(sequence_length=10, global_batch=1, precision=precision, base_precision=base)
    )
    assert (made.unpack_bytes, made.packed) == (unpacked, pytest.approx(wire))


def test_adapters_of_a_recipe() -> None:
    passes = Passes(adapters=6e6, adapted=4, adapted_width=50)
    made = numbers(modules="plain", compiled=False, passes=passes)
    assert (made.adapted, made.adapter_bytes) == (4, 50 * 16)
    assert made.adapter_flops == pytest.approx(6e6 / 3 / 1000)  # forward, a token


def chip(bf16: float, fp32: float) -> Machine:
    return Machine(accelerator="x", generation="g", kind="gpu", devices=1, per_node=1,
                   peak={"bf16": bf16, "fp32": fp32})  # fmt: skip


def test_chips_whose_matrix_units_are_cut_reach_their_peak() -> None:
    assert cut_of(chip(150.0, 75.0)) == pytest.approx(2 / 15)
    assert (cut_of(chip(362.0, 91.6)), cut_of(chip(989.0, 67.0))) == (1, 1)
    assert (ceiling_of(chip(150.0, 75.0), "bf16"), ceiling_of(chip(989.0, 67.0), "bf16")) == (
        0.96,
        0.77,
    )


def test_ranges_by_who_runs() -> None:
    assert [place_of(n) for n in (1, 8, 9)] == ["one", "node", "cluster"]
    widths = {"given": (0.1, 99), "one": (0.2, 40), "one_untold": (0.4, 40), "node": (0.3, 5)}
    known: Any = {"range": {k: {"low": -w, "high": w, "n": n} for k, (w, n) in widths.items()}}
    told = prediction_range(known, generation="hopper", devices=1)
    untold = prediction_range(known, generation="hopper", devices=1, told=False)
    assert (told[1], untold[1]) == (pytest.approx(exp(0.2)), pytest.approx(exp(0.4)))
    few = prediction_range(known, generation="hopper", devices=8)
    assert few[1] == pytest.approx(exp(0.1))  # too few of a node: those of all
