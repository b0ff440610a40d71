"""Memory a device against figures that papers print, hand arithmetic and runs that did fit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from throughput_models import (
    GIB,
    GPT3,
    LLAMA8,
    LLAMA33,
    LLAMA65,
    LLAMA70,
    MIXTRAL,
    machine,
    recipe,
    work_of,
)

from costcalc.throughput.footprint import Footprint, footprint_of
from costcalc.throughput.layout import Layout
from costcalc.throughput.memory import HIGH, LOW, VALUE, bytes_at, memory, total_at
from costcalc.workload.stage import WorkloadInput, workload

GPT3_PRINT = footprint_of(work_of(GPT3))
LLAMA_PRINT = footprint_of(work_of(LLAMA8, 8192))


def states(held) -> float:
    """Weights, gradients and optimizer states in GB."""
    return (held.parts.weights + held.parts.gradients + held.parts.optimizer) / 1e9


# --- what a model keeps --------------------------------------------------------------------------


def test_a_gpt_layer_keeps_what_korthikanti_et_al_count():
    # arXiv:2205.05198, section 4.1: 34·s·b·h bytes, of which 2·s·b·h are dropout masks of one byte:
    # 32·s·b·h in 16 bits are 16·s·h elements; section 4.2.2: 10·s·b·h of the 34 are not split by
    # tensor parallelism, 8 of them not masks: 4·s·h elements.
    s, h = 2048, 12288
    assert GPT3_PRINT.whole + GPT3_PRINT.split == 16 * s * h
    assert GPT3_PRINT.whole == 4 * s * h
    assert GPT3_PRINT.stream == s * h  # full recompute keeps 2·s·b·h bytes: the layer's input
    assert GPT3_PRINT.scores == 96 * s * s  # 5·a·s²·b bytes are 2.5 elements of two bytes


def test_a_llama_layer_by_hand():
    # input of q, k, v: h; q: h; k, v: 2·1024; o's input: h; gate, up and down's input: 3·14336;
    # the feed-forward's input: h; both norms' inputs: 2·h
    h = 4096
    assert LLAMA_PRINT.whole == 4 * h * 8192
    assert LLAMA_PRINT.split == (2 * h + 2 * 1024 + 3 * 14336) * 8192


def test_parameters_are_divided_into_where_they_lie():
    assert LLAMA_PRINT.embedding == 128256 * 4096
    assert LLAMA_PRINT.head == 128256 * 4096 + 4096  # the last norm stands before the head
    total = LLAMA_PRINT.layers * LLAMA_PRINT.dense + LLAMA_PRINT.embedding + LLAMA_PRINT.head
    assert total == LLAMA_PRINT.parameters == 8030261248


def test_experts_are_apart_and_a_token_keeps_what_it_passes():
    mixtral = footprint_of(work_of(MIXTRAL, 4096))
    assert mixtral.expert == 8 * 3 * 4096 * 14336
    assert mixtral.parameters == 46_702_792_704  # 46.7 billion: arXiv:2401.04088, section 1
    dense = footprint_of(work_of(LLAMA8, 4096))
    # two experts of the size of Llama's feed-forward: twice its inner elements, and the copies
    assert (
        2 * 3 * 14336 * 4096
        < mixtral.split - (dense.split - 3 * 14336 * 4096)
        < (2 * 4 * 14336 * 4096)
    )


# --- states --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sharding", "by_hand"),
    [
        # 7.5e9 parameters over 64 devices; bytes a parameter: weights 2, gradients 4 (reduced in 32
        # bits), master copy and two moments 12
        ("none", 7.5 * (2 + 4 + 12)),
        ("zero1", 7.5 * (2 + 4 + 12 / 64)),
        ("zero2", 7.5 * (2 + (4 + 12) / 64)),
    ],
)
def test_states_of_a_model_by_stage_of_zero(sharding, by_hand):
    model = Footprint(layers=36.0, dense=7.5e9 / 36, parameters=7.5e9)
    held = memory(model, machine(64), Layout(data=64, sharding=sharding), recipe(batch=64))
    assert states(held) == pytest.approx(by_hand)


@pytest.mark.parametrize(
    ("sharding", "paper"), [("none", 120), ("zero1", 31.4), ("zero2", 16.6), ("zero3", 1.88)]
)
def test_the_paper_of_zero_lies_in_the_range(sharding, paper):
    # Rajbhandari et al. 2020 (arXiv:1910.02054), figure 1: 7.5e9 parameters, 64 devices, with
    # gradients of 2 bytes; what is held whole for a moment and the framework come on top
    model = Footprint(layers=36.0, dense=7.5e9 / 36, parameters=7.5e9)
    held = memory(model, machine(64), Layout(data=64, sharding=sharding), recipe(batch=64))
    assert (held.total.low - 0.8e9) / 1e9 < paper < held.total.high / 1e9


def test_zero3_holds_two_layers_whole():
    model = Footprint(layers=36.0, dense=7.5e9 / 36, parameters=7.5e9)
    held = memory(model, machine(64), Layout(data=64, sharding="zero3"), recipe(batch=64))
    assert states(held) == pytest.approx(7.5 * 18 / 64 + 2 * 2 * 7.5 / 36)


def test_hybrid_sharding_stays_within_a_server():
    model = Footprint(layers=36.0, dense=7.5e9 / 36, parameters=7.5e9)
    held = memory(model, machine(64), Layout(data=64, sharding="hsdp"), recipe(batch=64))
    assert states(held) == pytest.approx(7.5 * 18 / 8 + 2 * 2 * 7.5 / 36)


@pytest.mark.parametrize(
    ("optimizer", "half", "wide"),
    [("adamw", 12, 8), ("adamw-8bit", 6, 2), ("adafactor", 4, 0.1), ("sgd", 8, 4), ("muon", 8, 4)],
)
def test_optimizer_bytes_a_parameter(optimizer, half, wide):
    model = Footprint(layers=10.0, dense=1e8, parameters=1e9)
    for precision, each in (("bf16", half), ("fp32", wide)):
        held = memory(model, machine(1), Layout(), recipe(optimizer=optimizer, precision=precision))
        assert held.parts.optimizer == pytest.approx(each * 1e9)


def test_muon_leaves_embeddings_to_adamw():
    model = Footprint(layers=10.0, dense=1e8, embedding=2e8, head=2e8, parameters=1.4e9)
    held = memory(model, machine(1), Layout(), recipe(optimizer="muon"))
    assert held.parts.optimizer == pytest.approx(8 * 1e9 + 12 * 4e8)


def test_offload_takes_the_optimizer_or_everything():
    model = Footprint(layers=10.0, dense=1e8, parameters=1e9)
    kept = [
        memory(model, machine(1), Layout(offload=o), recipe()).parts
        for o in ("none", "optimizer", "all")
    ]
    assert [p.optimizer for p in kept] == [12e9, 0, 0]
    assert [p.gradients for p in kept] == [4e9, 4e9, 0]
    assert kept[2].weights == pytest.approx(2 * 2 * 1e8)  # two layers at a time


def test_experts_are_divided_by_the_expert_axis_and_sharded_over_what_is_left():
    mixtral = footprint_of(work_of(MIXTRAL, 4096))
    over = Layout(data=64, expert=8, sharding="zero1")
    held = memory(mixtral, machine(64), over, recipe(4096))
    dense = mixtral.parameters - 32 * mixtral.expert
    expert = 32 * mixtral.expert / 8
    assert held.parts.weights == pytest.approx(2 * (dense + expert))
    assert held.parts.optimizer == pytest.approx(12 * (dense / 64 + expert / 8))


@pytest.mark.parametrize(
    ("method", "copies", "trained"), [("dpo", 1, 1), ("grpo", 1, 1), ("ppo", 2, 2)]
)
def test_methods_that_hold_other_models(method, copies, trained):
    model = Footprint(layers=10.0, dense=1e8, parameters=1e9)
    held = memory(model, machine(1), Layout(), recipe(method=method)).parts
    assert held.weights == pytest.approx(2e9 * (trained + copies))
    assert held.optimizer == pytest.approx(12e9 * trained)


# --- quantised bases -----------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "card"), [(LLAMA65, 48), (LLAMA33, 24)])
def test_qlora_fits_where_its_paper_says(model, card):
    # Dettmers et al. 2023 (arXiv:2305.14314): 65B on one 48 GB card, 33B on one of 24 GB
    tuned = recipe(512, 16, method="lora", base_precision="nf4", trainable_share=0.003)
    held = memory(footprint_of(work_of(model, 512)), machine(1), Layout(recompute="full"), tuned)
    assert held.total.low < card * GIB
    whole = footprint_of(work_of(model, 512)).parameters
    assert held.parts.weights > 0.5 * whole  # half a byte a parameter at the least


def test_sixteen_bit_fine_tuning_of_65b_takes_what_the_qlora_paper_says():
    # "more than 780 GB of GPU memory" (arXiv:2305.14314, section 1)
    held = memory(
        footprint_of(work_of(LLAMA65, 512)), machine(1), Layout(recompute="full"), recipe(512, 1)
    )
    assert held.total.low < 780e9 < held.total.high


def test_a_base_of_8_and_of_16_bits():
    model = Footprint(layers=10.0, dense=1e8, parameters=1e9)
    tuned = recipe(method="lora", trainable_share=0.01)
    by = {
        p: memory(model, machine(1), Layout(), replace(tuned, base_precision=p)).parts.weights
        for p in (None, "int8", "bf16")
    }
    assert by[None] == by["bf16"] == pytest.approx(2e9 + 0.04e9)  # adapters in 32 bits
    assert by["int8"] == pytest.approx(1.01e9 + 0.04e9)


# --- activations ---------------------------------------------------------------------------------


KERNELS = 1.1 * 0.9  # what the allocator holds, and fused kernels keep: 0.99 of what is counted


def kept(layout: Layout, **more) -> float:
    model = replace(GPT3_PRINT, logits=0.0)  # in the layers, not at the loss
    return memory(model, machine(layout.devices), layout, recipe(**more)).parts.activations


def test_activations_by_hand_without_recompute():
    # 96 layers of 32·s·b·h bytes, and half a layer of gradients in flight
    assert kept(Layout(), batch=1) == pytest.approx(KERNELS * (96 + 0.5) * 32 * 2048 * 12288)


def test_full_recompute_keeps_inputs_and_one_layer():
    layer = 32 * 2048 * 12288
    by_hand = 1.1 * 96 * 2 * 2048 * 12288 + 1.5 * KERNELS * layer
    assert kept(Layout(recompute="full"), batch=1) == pytest.approx(by_hand)


def test_standard_attention_keeps_scores_unless_recomputed():
    flash = kept(Layout(), batch=1)
    scores = 1.1 * 5 * 96 * 2048 * 2048  # 5·a·s²·b bytes a layer
    assert kept(Layout(), batch=1, attention="standard") == pytest.approx(flash + 96 * scores)
    again = kept(Layout(recompute="selective"), batch=1, attention="standard")
    assert again == pytest.approx(flash + scores)


def test_tensor_parallelism_with_and_without_sequence_parallelism():
    # 8 of the 32 bytes are split only by sequence parallelism (arXiv:2205.05198, equation 2)
    per = KERNELS * 2048 * 12288 * 96.5
    assert kept(Layout(tensor=8), batch=1) == pytest.approx(32 / 8 * per)
    apart = kept(Layout(tensor=8, sequence_parallel=False), batch=1)
    assert apart == pytest.approx((8 + 24 / 8) * per)


def test_the_first_stage_holds_as_many_micro_batches_as_there_are_stages():
    layer = KERNELS * 32 * 2048 * 12288
    deep = kept(Layout(pipeline=8), batch=64)
    assert deep == pytest.approx((12 * 8 + 0.5) * layer)  # p · L/p layers: all of them
    few = kept(Layout(pipeline=8), batch=2)
    assert few == pytest.approx((12 * 2 + 0.5) * layer)
    # interleaved: (1 + (p - 1)/(p·v)) times as much (section 4.2.3)
    assert kept(Layout(pipeline=8, virtual_pipeline=4), batch=64) == pytest.approx(
        (96 * (1 + 7 / 32) + 0.5) * layer
    )


def test_context_parallelism_divides_the_sequence():
    assert kept(Layout(context=4), batch=1) == pytest.approx(kept(Layout(), batch=1) / 4)


def test_layers_need_not_divide():
    whole = memory(LLAMA_PRINT, machine(4), Layout(pipeline=5), recipe(8192, 5)).parts.weights
    # ceil(32 / 5) layers and the embedding: the first stage, where micro-batches wait
    assert whole == pytest.approx(2 * (7 * LLAMA_PRINT.dense + LLAMA_PRINT.embedding))


def test_a_frozen_body_keeps_nothing_for_the_backward_pass():
    frozen = kept(Layout(), batch=1, method="frozen", trainable_share=0.01)
    assert frozen < kept(Layout(), batch=1) / 50


# --- properties ----------------------------------------------------------------------------------

layouts = st.builds(
    Layout,
    data=st.sampled_from([1, 2, 8, 64]),
    tensor=st.sampled_from([1, 2, 8]),
    pipeline=st.sampled_from([1, 2, 3, 8]),
    virtual_pipeline=st.sampled_from([1, 2]),
    context=st.sampled_from([1, 2]),
    expert=st.sampled_from([1, 2]),
    sharding=st.sampled_from(["none", "zero1", "zero2", "zero3", "hsdp"]),
    micro_batch=st.sampled_from([1, 2, 4]),
    recompute=st.sampled_from(["none", "selective", "full"]),
)
recipes = st.builds(
    recipe,
    length=st.just(2048),
    batch=st.sampled_from([1, 64, 512]),
    precision=st.sampled_from(["bf16", "fp16", "fp32", "tf32", "fp8", "fp4"]),
    optimizer=st.sampled_from(["adamw", "adamw-8bit", "adafactor", "sgd", "muon"]),
    attention=st.sampled_from(["flash", "flash2", "standard"]),
    method=st.sampled_from(["pretrain", "dpo", "ppo", "grpo"]),
)
MODELS = st.sampled_from([footprint_of(work_of(m)) for m in (GPT3, LLAMA8, LLAMA70, MIXTRAL)])


@settings(max_examples=150, deadline=None)
@given(model=MODELS, layout=layouts, made=recipes)
def test_ranges_are_ordered_and_positive(model, layout, made):
    total = memory(model, machine(layout.devices), layout, made).total
    assert 0 < total.low <= total.value <= total.high


@settings(max_examples=100, deadline=None)
@given(model=MODELS, layout=layouts, made=recipes, level=st.sampled_from([LOW, VALUE, HIGH]))
def test_more_of_an_axis_never_takes_more(model, layout, made, level):
    def total(given_layout, asked=made):
        on = machine(given_layout.devices)
        return bytes_at(model, on, given_layout, asked, level=level).total

    here = total(layout)
    one = replace(layout, data=1, pipeline=1, virtual_pipeline=1, micro_batch=1)
    # as many micro-batches of more: a single one accumulates no gradients beside its own
    larger = replace(made, global_batch=8 * made.global_batch)
    assert total(replace(layout, micro_batch=8 * layout.micro_batch), larger) >= here * (1 - 1e-12)
    assert total(replace(one, tensor=8)) <= total(replace(one, tensor=1)) + 3.6e9  # the libraries
    assert (
        total(replace(layout, recompute="full"))
        <= total(replace(layout, recompute="none")) * (1 + 1e-12) + 2 * 12288 * 2048 * 50
    )


@settings(max_examples=50, deadline=None)
@given(model=MODELS, some=st.lists(layouts, min_size=2, max_size=6), made=recipes)
def test_arrays_give_what_single_layouts_give(model, some, made):
    each = some
    together = Layout(
        **{name: np.array([float(getattr(a, name)) for a in each]) for name in Layout.__slots__}
    )
    at_once = bytes_at(model, machine(64), together, made).total
    singly = [bytes_at(model, machine(64), a, made).total for a in each]
    assert at_once == pytest.approx(singly, rel=1e-12)
    assert (total_at(model, machine(64), together, made) == at_once).all()  # to the last digit


# --- without shapes ------------------------------------------------------------------------------


def test_a_parameter_count_alone_is_near_the_shapes_and_wider():
    asked = WorkloadInput(parameters=8.03e9, tokens=1e9, sequence_length=8192)
    rough = footprint_of(workload(asked))
    assert rough.basis == "parameters"
    assert rough.whole + rough.split == pytest.approx(
        LLAMA_PRINT.whole + LLAMA_PRINT.split, rel=0.5
    )
    assert rough.spread[0] < 1 < rough.spread[1]


def test_a_network_by_its_flops_fits_where_it_ran():
    # NVIDIA DeepLearningExamples, PyTorch/Classification/ConvNets/resnet50v1.5: 256 images in
    # 16 bits and 128 in 32 bits on a V100 of 16 GB
    work = workload(WorkloadInput(forward_flops=8.178e9, parameters=25.6e6, samples=1e6))
    model = footprint_of(work)
    assert model.basis == "forward_flops"
    for precision, batch in (("fp16", 256), ("fp32", 128)):
        held = memory(
            model, machine(1), Layout(micro_batch=batch), recipe(1, batch, precision=precision)
        )
        assert held.total.low < 16 * GIB
        assert held.total.value > 4e9


def test_bare_flops_have_no_footprint():
    assert footprint_of(workload(WorkloadInput(flops=3.14e23))) is None


def test_selective_recompute_beside_fused_attention_keeps_less():
    # norms and activation functions are not kept: 0.7 of the activations, and time for them
    work, on, how = work_of(LLAMA8, 8192), machine(8), recipe(8192, 64)
    model = footprint_of(work)
    kept, less = (
        memory(model, on, Layout(data=8, sharding="zero3", recompute=kind), how).parts.activations
        for kind in ("none", "selective")
    )
    layer = kept / 32  # about: half a layer of gradients is in flight beside those kept
    assert less == pytest.approx(0.7 * kept, abs=layer)
