"""Sequences that are generated, adapters and frozen bodies of a model without shapes, by hand."""

from __future__ import annotations

from dataclasses import replace
from math import exp, hypot, log
from typing import Any

import pytest
from placed_work import placed
from throughput_models import GIB, LLAMA8, MIXTRAL, decoder, machine, recipe, work_of

from costcalc.base.assumption import Assumption
from costcalc.base.errors import InputError
from costcalc.throughput.constants import load
from costcalc.throughput.layout import Layout
from costcalc.throughput.placement import shape_for
from costcalc.throughput.ranges import prediction_range
from costcalc.throughput.stage import GivenSpeed, throughput
from costcalc.workload.stage import WorkloadInput, workload
from costcalc.workload.work import Work


def rl(**more: Any) -> Work:
    known = {"architecture": LLAMA8, "method": "grpo", "prompts": 1000, "prompt_length": 512,
             "generation_length": 1024, "group": 16}  # fmt: skip
    return workload(WorkloadInput(**known | more))


def test_sequences_are_generated_a_step_at_a_time() -> None:
    made = recipe(1536, 64, method="grpo")
    one = throughput(rl(prompts=4), machine(8), made).generation  # 64 sequences: one step
    all_ = throughput(rl(prompts=400), machine(8), made).generation
    assert one is not None
    assert all_ is not None
    assert all_.value == pytest.approx(100 * one.value)
    assert (all_.low / all_.value, all_.high / all_.value) == pytest.approx((0.8, 4.0))
    few = throughput(rl(prompts=1), machine(8), made).generation  # 16 sequences and no more
    assert few is not None
    assert "16 sequences a step" in few.why
    single = throughput(rl(prompts=1), machine(8), replace(made, global_batch=0.5)).generation
    assert single is not None
    assert "1 sequences a step" in single.why


def test_a_step_holds_what_it_generates() -> None:
    found = throughput(rl(prompts=400), machine(8), recipe(1536, 64, method="grpo"))
    assert found.generation is not None
    assert found.breakdown["generation"] == pytest.approx(found.generation.value / 100)
    assert sum(found.breakdown.values()) == pytest.approx(found.step_time)


def test_one_step_and_its_repeats() -> None:
    spread = load()["repeat"]
    found = throughput(work_of(LLAMA8), machine(8), recipe(), given=GivenSpeed(step_time=2.0))
    use = found.utilization
    assert use.low == pytest.approx(use.value * exp(spread["low"]))
    assert use.high == pytest.approx(use.value * exp(spread["high"]))


def test_the_precision_of_a_budget_without_a_recipe() -> None:
    budget = workload(WorkloadInput(flops=1e21))
    for peaks, taken in (
        ({"fp32": 1e12, "tf32": 2e12, "fp16": 3e12, "bf16": 4e12}, "bf16"),
        ({"fp32": 1e12, "tf32": 2e12, "fp16": 3e12}, "fp16"),
        ({"fp32": 1e12, "tf32": 2e12}, "tf32"),
        ({"fp32": 1e12, "fp8": 2e12}, "fp32"),
    ):
        assert throughput(budget, machine(8, peak=peaks), None).precision == taken
    with pytest.raises(
        InputError, match=r"h100 has no peak in its profile: say training\.precision"
    ):
        throughput(budget, machine(8, peak={"fp8": 1e12}), None)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.0001])
def test_a_share_of_the_peak_is_one(share: float) -> None:
    with pytest.raises(InputError, match="more than 0 and at most 1"):
        throughput(work_of(LLAMA8), machine(8), recipe(), given=GivenSpeed(utilization=share))


def test_all_of_the_peak_is_a_share() -> None:
    found = throughput(work_of(LLAMA8), machine(8), recipe(), given=GivenSpeed(utilization=1.0))
    assert found.utilization.value == 1.0


def test_experts_widen_a_prediction() -> None:
    apart = Layout(data=16, expert=8, sharding="zero3")
    said = recipe(told=frozenset({"expert_overlap"}))
    found = throughput(work_of(MIXTRAL), machine(16), said, layout=apart)
    use = found.utilization
    low, high = prediction_range(
        load(), generation="hopper", experts=True, devices=16, told=False,
        breakdown=found.breakdown,
    )  # fmt: skip
    assert (use.low / use.value, use.high / use.value) == pytest.approx((low, high))


def test_whether_the_traffic_of_experts_is_hidden_belongs_into_the_range_where_it_is_not_told() -> (
    None
):
    apart = Layout(data=16, expert=16, pipeline=8, sharding="zero1")

    def made(told: bool, hides: bool, layout: Layout = apart) -> Assumption:
        asked = recipe(
            told=frozenset({"expert_overlap"} if told else ()),
            expert_overlap=hides,
            precision="fp8",
        )
        rates = machine(16 * 8, scale_out=5e9)
        return throughput(work_of(MIXTRAL), rates, asked, layout=layout).utilization

    untold, said, hidden = made(False, False), made(True, False), made(True, True)
    gain = hidden.value / said.value
    assert gain > 1.2
    assert (untold.value, untold.low) == (said.value, said.low)
    # independent half-widths, in logarithms: √(said² + gain²)
    half = hypot(log(said.high / said.value), log(gain))
    assert log(untold.high / untold.value) == pytest.approx(half)
    assert f"× {gain:.3g} where the traffic of experts hides behind computing" in str(untold.why)
    assert "hides behind" not in str(said.why)
    together = replace(apart, expert=1)
    assert made(False, False, together) == made(True, False, together)


def test_a_small_decoder_has_a_shape() -> None:
    bare = replace(work_of(LLAMA8), architecture=None, tally=None)
    guessed = shape_for(bare)
    assert guessed is not None
    assert not guessed.known
    assert shape_for(replace(bare, sequence_length=None)) is None
    assert shape_for(replace(bare, datum="sample")) is None
    assert shape_for(replace(bare, parameters=None, active_parameters=None)) is None
    tiny = decoder(layers=1, hidden=8, heads=1, ffn=8, vocabulary=9)
    assert shape_for(work_of(tiny, 16)) is not None


def without_shapes(method: str, **more: Any) -> Work:
    return workload(WorkloadInput(method=method, lora_rank=16, **more))


def tuned(work: Work, on: Any) -> Any:
    share = 1.0
    if work.trainable_parameters is not None and work.parameters:
        share = work.trainable_parameters / work.parameters
    made = recipe(2048, 1, method=work.method, trainable_share=share)
    return placed(work, on, made)


def test_adapters_of_a_parameter_count_are_no_full_training() -> None:
    card = machine(1, memory=24 * GIB)
    work = without_shapes("lora", parameters=7e9, tokens=1e6, sequence_length=2048)
    # hidden (7e9 · 128 / 12)^(1/3) = 4211; 1.5 · 16 / 4211 of the parameters
    assert work.trainable_parameters == pytest.approx(7e9 * 1.5 * 16 / 4211, rel=1e-3)
    found = tuned(work, card)
    # 14 GB of weights, 16 bytes each of 40 million, and what is kept: within the card
    assert 14e9 / GIB < found.memory.value / GIB < 24
    with pytest.raises(InputError):
        tuned(without_shapes("finetune", parameters=7e9, tokens=1e6, sequence_length=2048), card)


def test_adapters_and_frozen_bodies_of_a_flop_count() -> None:
    sdxl = {"forward_flops": 6.76e12, "parameters": 2.57e9, "samples": 1e3}
    full, lora, frozen = (
        tuned(without_shapes(method, **sdxl), machine(1)).memory.value
        for method in ("finetune", "lora", "frozen")
    )
    assert full - lora > 10 * 2.57e9  # weights stay, gradients and states go
    assert frozen < lora
