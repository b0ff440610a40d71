"""One count of a model: time, memory and MFU rest on what the workload stage counted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from throughput_models import LLAMA8, machine, recipe, work_of

from costcalc.base.errors import InputError
from costcalc.catalog.preset import all_presets
from costcalc.throughput import basis
from costcalc.throughput.footprint import footprint_of
from costcalc.throughput.layout import Layout
from costcalc.throughput.placement import shape_for
from costcalc.throughput.stage import throughput
from costcalc.workload.counting import parameters, tally
from costcalc.workload.families import BOTH, FAMILIES, build
from costcalc.workload.generic import Given, from_shape
from costcalc.workload.stage import WorkloadInput, workload

METHODS = ("pretrain", "finetune", "lora", "frozen", "distill", "dpo", "ppo", "grpo")
T5 = {
    "model_type": "t5",
    "d_model": 1024,
    "d_kv": 64,
    "d_ff": 4096,
    "num_heads": 16,
    "num_layers": 24,
    "vocab_size": 32128,
}
PRESETS = [one for one in all_presets() if one.forward_flops is None]


def architecture(one):
    return build(one.config) if one.config is not None else from_shape(Given(**one.architecture))


def asked(model, method, packing, **more):
    """A run of 2,048-token sequences of documents of 300 tokens, or of prompts and answers."""
    inputs = WorkloadInput(architecture=model, method=method, packing=packing, sequence_length=2048)
    if method in ("ppo", "grpo"):
        return replace(inputs, prompts=256, prompt_length=512, generation_length=512, group=4)
    return replace(
        inputs, samples=6400.0, sample_tokens=300.0, teacher=model, last_layers=2, **more
    )


@pytest.mark.parametrize("one", PRESETS, ids=lambda one: one.id)
def test_shape_and_step_are_what_was_counted(one):
    model = architecture(one)
    there = machine(8, memory=1e15)
    for method in METHODS:
        for packing in ("packed", "padded"):
            try:
                work = workload(asked(model, method, packing))
            except InputError as refused:  # a method that the family has not
                key = refused.problems[0].key
                assert key in ("training.method", "training.lora.targets")
                continue
            shape = shape_for(work)
            if shape is not None:
                counted = work.forward_flops_per_datum * (
                    work.tally.tokens if work.datum == "token" else 1
                )
                made = float(shape.forward_flops * shape.sequence_length)
                assert made == pytest.approx(counted, rel=1e-9), (method, packing)
                assert float(shape.parameters) == parameters(work.architecture)
            assert footprint_of(work).parameters == parameters(work.architecture)
            how = recipe(work.sequence_length or 1, 64, method=method)
            found = throughput(work, there, how, layout=Layout(data=8))
            if found.breakdown:
                total = sum(found.breakdown.values())
                assert total == pytest.approx(found.step_time, rel=1e-9), (method, packing)
            else:
                assert shape is None


NEEDED = {
    "deepseek_v2": {"num_experts_per_tok": 6},
    "dots1": {"n_routed_experts": 8, "num_experts_per_tok": 2},
    "nemotron-nas": {
        "num_hidden_layers": 2,
        "block_configs": [
            {"attention": {"n_heads_in_group": 8}, "ffn": {"ffn_mult": 5.25}},
            {"attention": {"no_op": True}, "ffn": {"ffn_mult": 2.625}},
        ],
    },
}


@pytest.mark.parametrize("family", sorted({*FAMILIES, *BOTH}))
def test_every_family_is_counted_once(family):
    """What the walk of a family's defaults counts is what time and memory rest on."""
    model = build({"model_type": family, **NEEDED.get(family, {})})
    assert tally(model, sequence_length=512).stored == parameters(model)
    for method in ("finetune", "lora"):
        try:
            work = workload(asked(model, method, "packed"))
        except InputError as refused:  # convolutions have no layer that LoRA adapts
            assert refused.problems[0].key == "training.lora.targets"
            continue
        assert work.flops_per_datum > work.forward_flops_per_datum > 0
        shape = shape_for(work)
        if shape is not None:
            counted = work.forward_flops_per_datum
            counted *= work.tally.tokens if work.datum == "token" else 1
            assert float(shape.forward_flops * shape.sequence_length) == pytest.approx(counted)
        assert footprint_of(work).parameters == parameters(model)
        how = recipe(work.sequence_length or 1, 64, method=method)
        found = throughput(work, machine(8, memory=1e15), how, layout=Layout(data=8))
        assert found.step_time > 0


def test_every_stream_has_its_own_length():
    # T5 large, 512 in and 114 out: inner width 16·64, so that 4·1024² of projections and
    # 2·1024·4096 of feed-forward are a layer; keys and values of the cross attention pass over
    # the source
    d, f, s, t, v = 1024, 4096, 512, 114, 32128
    encoder = 24 * s * 2 * (4 * d * d + 2 * d * f) + 24 * 4 * d * s * s
    crossing = 24 * (s * 2 * 2 * d * d + t * 2 * 2 * d * d) + 24 * 4 * d * s * t
    decoder = 24 * t * 2 * (4 * d * d + 2 * d * f) + 24 * 2 * d * t * t
    forward = encoder + crossing + decoder + 2 * t * d * v
    work = workload(
        WorkloadInput(architecture=build(T5), tokens=1e9, sequence_length=512, target_length=114)
    )
    assert work.forward_flops_per_datum * 512 == forward
    shape = shape_for(work)
    assert float(shape.forward_flops) * 512 == pytest.approx(forward)
    assert float(shape.filled) == (24 * 512 + 24 * 114) / (48 * 512)
    # memory: the encoder layer keeps 512 hidden states as its input, the decoder layer 114
    assert footprint_of(work).stream == 1024 * (512 + 114) / 2
    assert footprint_of(work).logits == 114 * v


def test_a_longer_answer_takes_memory_and_time():
    whisper = build({"model_type": "whisper"})
    found = [
        throughput(
            workload(WorkloadInput(architecture=whisper, samples=1e6, target_length=target)),
            machine(8),
            recipe(1500, 64),
            layout=Layout(data=8),
        )
        for target in (64, 448)
    ]
    assert found[0].memory_parts["activations"] < found[1].memory_parts["activations"]
    assert found[0].step_time < found[1].step_time


def test_attention_in_full_knows_chunks_windows_and_documents():
    # one head of 64 + 64 over 1,024 tokens in chunks of 256: 4·256² pairs in full, half counted
    llama = build({"model_type": "llama", "num_hidden_layers": 1, "vocab_size": 8})
    work = work_of(llama, 1024, 1e9)
    width = 32 * 2 * 128
    extra = 3 * width * 1024 * 1024
    assert basis.full_over_causal(work) == pytest.approx(1 + extra / (work.flops_per_datum * 1024))
    # documents of 256 tokens: counted are 256 keys, half of them; in full all 1,024
    short = work_of(llama, 1024, 1e9, sample_tokens=256.0)
    extra = 3 * width * 1024 * (2 * 1024 - 256)
    assert basis.full_over_causal(short) == pytest.approx(
        1 + extra / (short.flops_per_datum * 1024)
    )


@pytest.mark.parametrize(
    ("method", "forward", "backward", "weights", "head"),
    [
        ("pretrain", 1, 1, 1, 2),
        ("lora", 1, 1, 0, 1),  # no gradients of the base's weights
        ("frozen", 1, 2 / 32, 2 / 32, 2),  # the last two of 32 layers and the head
        ("distill", 2, 1, 1, 2),  # a teacher of the same size
        ("dpo", 2, 1, 1, 2),  # the reference
        ("ppo", 6, 2, 2, 4),  # actor and critic; reward, value, reference, old policy
        ("grpo", 2, 1, 1, 2),  # the reference
    ],
)
def test_a_step_runs_the_passes_of_its_method(method, forward, backward, weights, head):
    passes = workload(asked(LLAMA8, method, "packed")).passes
    assert (passes.forward, passes.backward, passes.weights, passes.head) == (
        forward, backward, weights, head,
    )  # fmt: skip


def test_frozen_layers_take_a_third_of_the_time():
    # forward alone: about a third of forward, gradients of the input and of the weights
    whole, head = (
        throughput(
            workload(
                WorkloadInput(architecture=LLAMA8, tokens=1e9, sequence_length=2048, method=method)
            ),
            machine(8, memory=1e15),
            recipe(2048, 64, method=method, trainable_share=share),
            layout=Layout(data=8),
        )
        for method, share in (("pretrain", 1.0), ("frozen", 4096 * 128256 / 8.03e9))
    )
    assert 0.3 < head.breakdown["compute"] / whole.breakdown["compute"] < 0.4
    assert 0.3 < head.step_time / whole.step_time < 0.4


def test_one_walk_counts_what_the_sums_count():
    for one in PRESETS:
        model = architecture(one)
        found = tally(model, sequence_length=512)
        assert found.stored == parameters(model), one.id
