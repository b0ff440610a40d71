"""The stage: what wins, in which convention, what is refused, and how seconds follow."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from throughput_models import GIB, GPT3, LLAMA8, LLAMA70, MIXTRAL, machine, recipe, work_of

from costcalc.base.errors import InputError
from costcalc.throughput.basis import full_over_causal, kind_of
from costcalc.throughput.constants import load
from costcalc.throughput.layout import Layout, Machine
from costcalc.throughput.placement import place, shape_for, untold
from costcalc.throughput.space import Fixed
from costcalc.throughput.stage import GivenSpeed, throughput
from costcalc.throughput.step import step_time
from costcalc.workload.stage import WorkloadInput, workload

V100 = Machine(
    accelerator="v100-sxm2-32",
    generation="volta",
    kind="gpu",
    devices=8,
    per_node=8,
    peak={"fp64": 7.8e12, "fp32": 15.7e12, "fp16": 125e12},
    memory=32 * GIB,
    memory_bandwidth=0.9e12,
    scale_up=150e9,
    scale_up_domain=8,
    scale_out=12.5e9,
)
WORK = work_of(LLAMA8, 8192, 15e12)
BIG = recipe(8192, 1024)
LAYOUT = Layout(data=1024, sharding="zero3")


def run(given_=None, work=WORK, on=None, made=BIG, layout=LAYOUT):
    return throughput(work, on or machine(1024), made, layout=layout, given=given_)


# --- the prediction ------------------------------------------------------------------------------


def test_seconds_follow_from_utilization():
    found = run()
    by_hand = WORK.model_flops / (1024 * 989.4e12 * found.utilization.value)
    assert found.seconds == pytest.approx(by_hand)
    assert found.rate == pytest.approx(15e12 / found.seconds)
    # a step is 1024 sequences of 8192 tokens
    assert found.step_time == pytest.approx(1024 * 8192 / found.rate)
    assert found.achieved == pytest.approx(1024 * 989.4e12 * found.utilization.value)


def test_the_step_is_the_models_step():
    found = run()
    modelled = step_time(shape_for(WORK), machine(1024), LAYOUT, BIG, load())
    assert found.step_time == pytest.approx(float(modelled.seconds), rel=1e-6)
    assert found.breakdown == {k: float(v) for k, v in modelled.breakdown().items()}
    assert found.utilization.basis == "modelled"


def test_a_chosen_layout_loses_to_the_fastest_found():
    placed = place(WORK, machine(1024), BIG, None, None, recompute_free=False, must_fit=True)
    share = load()["auto"]["value"]
    assert 0.8 < share < 1
    step = step_time(shape_for(WORK), machine(1024), placed.layout, BIG, load())
    found = run(layout=None)
    assert found.step_time == pytest.approx(float(step.seconds) / share, rel=1e-6)
    assert sum(found.breakdown.values()) == pytest.approx(found.step_time, rel=1e-6)
    assert f"less {100 * (1 - share):.2g} %" in found.utilization.why


def test_the_range_is_wider_without_a_layout():
    given_, auto = run().utilization, run(layout=None).utilization
    assert auto.high / auto.low > given_.high / given_.low
    assert "layouts" in auto.why
    assert "layouts" not in given_.why


def test_auto_says_how_many_it_walked():
    found = run(layout=None)
    assert found.layout_by == "auto"
    assert found.layouts_walked > 100
    assert found.layout.devices == 1024
    assert found.memory.value <= 80 * GIB


def test_auto_is_never_slower_than_a_layout_of_its_own_set():
    assert run(layout=None).seconds <= run(layout=replace(LAYOUT, tensor=8, data=128)).seconds


def test_a_parameter_count_is_modelled_by_rule_and_wider():
    rough = workload(WorkloadInput(parameters=8.03e9, tokens=15e12, sequence_length=8192))
    found = run(work=rough)
    assert found.utilization.value == pytest.approx(run().utilization.value, rel=0.25)
    assert "by rule" in found.utilization.why
    known = run().utilization
    assert found.utilization.low / found.utilization.value < known.low / known.value


def test_lora_counts_its_own_flops():
    tuned = workload(
        WorkloadInput(architecture=LLAMA8, tokens=1e9, sequence_length=2048, method="lora")
    )
    made = recipe(
        2048,
        64,
        method="lora",
        base_precision="nf4",
        trainable_share=tuned.trainable_parameters / tuned.parameters,
    )
    whole = throughput(work_of(LLAMA8, 2048, 1e9), machine(8), recipe(2048, 64))
    found = throughput(tuned, machine(8), made, layout=whole.layout)
    assert found.seconds < whole.seconds  # a third fewer FLOPs (LLAMA8 at rank 16: ratio 0.69)
    assert found.memory.value < whole.memory.value


def test_a_reference_model_takes_a_forward_pass_more():
    # forward 1 and backward 2 against forward 2 and backward 2; fused attention's backward is 2.5
    pair = workload(
        WorkloadInput(architecture=LLAMA8, samples=1000, sequence_length=2048, method="dpo")
    )
    plain = throughput(work_of(LLAMA8), machine(64), recipe(), layout=Layout(data=64))
    found = throughput(pair, machine(64), recipe(method="dpo"), layout=Layout(data=64))
    more = found.breakdown["compute"] / plain.breakdown["compute"]
    assert (3.5 + 1) / 3.5 < more < (3 + 1) / 3
    assert found.breakdown["optimizer"] == plain.breakdown["optimizer"]  # one model learns


# --- what is measured wins -----------------------------------------------------------------------


def test_a_measured_utilization_wins_and_is_exact():
    found = run(GivenSpeed(utilization=0.41, where="run.yaml:3:2"))
    assert (found.utilization.value, found.utilization.low, found.utilization.high) == (
        0.41,
        0.41,
        0.41,
    )
    assert found.utilization.basis == "given"
    assert found.utilization.where == "run.yaml:3:2"


def test_attention_counted_in_full_by_hand():
    # Llama 3 8B at 8192: 57,912,852,480 FLOP a token in full, 51,470,401,536 causal
    assert full_over_causal(WORK) == pytest.approx(57_912_852_480 / 51_470_401_536)
    found = run(GivenSpeed(utilization=0.41, basis_attention="full"))
    assert found.utilization.value == pytest.approx(0.41 * 51_470_401_536 / 57_912_852_480)


def test_an_encoder_counts_the_same_either_way():
    from costcalc.workload.families import build

    bert = build(
        {
            "model_type": "bert",
            "hidden_size": 768,
            "num_hidden_layers": 12,
            "num_attention_heads": 12,
            "intermediate_size": 3072,
            "vocab_size": 30522,
        }
    )
    assert full_over_causal(work_of(bert, 512)) == 1.0


def test_a_utilization_over_another_peak():
    eight = recipe(8192, 1024, precision="fp8")
    found = run(GivenSpeed(utilization=0.5, basis_peak="bf16"), made=eight)
    assert found.utilization.value == pytest.approx(0.5 * 989.4 / 1978.9)
    assert found.peak == 1978.9e12


def test_throughput_wins_over_utilization():
    found = run(GivenSpeed(utilization=0.1, throughput=9.6e6, throughput_unit="token/s"))
    # 9.6e6 token/s · 51.47e9 FLOP / (1024 · 989.4e12)
    assert found.utilization.value == pytest.approx(9.6e6 * 51_470_401_536 / (1024 * 989.4e12))
    assert found.rate == pytest.approx(9.6e6)
    assert found.seconds == pytest.approx(15e12 / 9.6e6)


def test_throughput_in_sequences_and_in_flops():
    in_samples = run(GivenSpeed(throughput=100.0, throughput_unit="sample/s"))
    assert in_samples.rate == pytest.approx(100 * 8192)
    in_flops = run(GivenSpeed(throughput=400e12, throughput_unit="FLOP/s"))
    assert in_flops.utilization.value == pytest.approx(400 / 989.4)
    counted = run(GivenSpeed(throughput=400e12, throughput_unit="FLOP/s", basis_attention="full"))
    assert counted.utilization.value == pytest.approx(400 / 989.4 * 51_470_401_536 / 57_912_852_480)


def test_one_measured_step_calibrates():
    found = run(GivenSpeed(step_time=2.0))
    assert found.step_time == pytest.approx(2.0)
    use = found.utilization
    assert use.basis == "measured"
    assert use.why.startswith("from hardware.calibrate.step_time; ")
    # as far as repeats of one configuration differ: more than nothing, less than a prediction
    assert 0.85 < use.low / use.value < 1 < use.high / use.value < 1.15
    modelled = run().utilization
    assert use.high / use.low < modelled.high / modelled.low
    assert found.warnings == ()


def test_what_is_passed_over_is_said():
    found = run(GivenSpeed(utilization=0.4, step_time=2.0))
    assert found.utilization.value == pytest.approx(0.4)
    told = "hardware.calibrate is not used: hardware.utilization says how fast it trains"
    assert found.warnings == (told,)
    found = run(GivenSpeed(utilization=0.4, throughput=1e6, step_time=2.0))
    assert found.warnings == (
        "hardware.utilization is not used: hardware.throughput says how fast it trains",
        "hardware.calibrate is not used: hardware.throughput says how fast it trains",
    )


# --- without shapes ------------------------------------------------------------------------------


def test_bare_flops_take_the_measured_efficiency():
    budget = workload(WorkloadInput(flops=3.14e23))
    found = throughput(budget, replace(V100, devices=1000), recipe(1, 1, precision="fp16"))
    assert found.utilization.basis == "modelled"  # by what others measured: this run was not
    assert found.utilization.why.startswith("no shapes to model the step from; median of ")
    assert found.seconds == pytest.approx(3.14e23 / (1000 * 125e12 * found.utilization.value))
    assert (found.layout, found.layout_by, found.memory) == (None, "none", None)
    assert found.memory_why == "no parameter count: give model.parameters or a model"
    assert found.rate is None


def test_the_kind_of_a_bare_budget_may_be_said():
    budget = workload(WorkloadInput(flops=1e21))
    on = machine(64)
    kinds = {
        kind: throughput(budget, on, None, given=GivenSpeed(workload=kind)).utilization.value
        for kind in ("cnn", "decoder")
    }
    assert kinds["cnn"] < kinds["decoder"]


def test_a_network_by_its_flops_is_modelled_by_its_class():
    images = workload(WorkloadInput(forward_flops=8.178e9, parameters=25.6e6, samples=1.15e8))
    found = throughput(
        images, V100, recipe(1, 2048, precision="fp16"), given=GivenSpeed(workload="cnn")
    )
    assert found.utilization.basis == "modelled"
    # measured: 8 V100 reach some 6,700 to 11,200 images/s on ResNet-50 with mixed precision
    # (NVIDIA DeepLearningExamples, ConvNets/resnet50v1.5 and MxNet RN50v1.5)
    assert 4000 < found.rate < 14000
    assert found.layout.data == 8
    assert kind_of(images) is None


# --- generation ----------------------------------------------------------------------------------


def rl():
    work = workload(
        WorkloadInput(
            architecture=LLAMA8,
            method="grpo",
            prompts=1000,
            prompt_length=512,
            generation_length=1024,
            group=16,
        )
    )
    return work, recipe(1536, 64, method="grpo")


def test_generation_is_apart_from_training():
    work, made = rl()
    found = throughput(work, machine(64), made)
    assert found.training_flops == pytest.approx(work.model_flops - work.generation.flops)
    train = found.training_flops / found.achieved
    assert found.seconds == pytest.approx(train + found.generation.value)
    assert found.generation.low < found.generation.value < found.generation.high
    # 16,000 sequences of 1024 tokens, 64 a step: 250 rounds of 1024 decode steps, each of which
    # reads at least the weights of the model from the memory of one device
    least = 250 * 1024 * 2 * 8.03e9 / (64 * 3.35e12)
    assert found.generation.value > least
    assert found.step_time == pytest.approx(found.seconds / 250)


def test_generation_without_shapes_is_null_with_its_reason():
    work, made = rl()
    found = throughput(
        replace(work, architecture=None, parameters=None, active_parameters=None), machine(64), made
    )
    assert (found.generation, found.seconds, found.rate) == (None, None, None)
    assert found.why == "no shapes to model generation from: give hardware.throughput"


def test_a_measured_throughput_holds_generation_already():
    work, made = rl()
    found = throughput(
        work, machine(64), made, given=GivenSpeed(throughput=1e5, throughput_unit="token/s")
    )
    assert found.generation is None
    assert found.generation_why == ""
    assert found.seconds == pytest.approx(work.data / 1e5)


# --- memory --------------------------------------------------------------------------------------


def test_what_cannot_fit_is_refused_with_the_ways_out():
    given = GivenSpeed(ways_out=lambda: "; 40 such devices are the fewest that fit")
    told = (
        r"^hardware.count: expected at most 80 GiB a device, which is what h100 has; "
        r"it takes [\d.]+ GiB at the least"
    )
    with pytest.raises(InputError) as refused:
        throughput(work_of(LLAMA70), machine(4, per_node=8), recipe(2048, 16), given=given)
    assert refused.match(told + "; 40 such devices are the fewest that fit$")
    with untold(), pytest.raises(InputError) as refused:  # who reads no refusals waits for none
        throughput(work_of(LLAMA70), machine(4, per_node=8), recipe(2048, 16), given=given)
    assert refused.match(told + "$")
    with pytest.raises(InputError, match=r"^hardware.layout: .* GiB at the least$"):
        throughput(work_of(LLAMA70), machine(64), recipe(), layout=Layout(data=64))


def test_measured_figures_are_never_refused():
    for measured in (
        GivenSpeed(utilization=0.4),
        GivenSpeed(throughput=5e3),
        GivenSpeed(step_time=10.0),
    ):
        found = throughput(work_of(LLAMA70), machine(4), recipe(2048, 16), given=measured)
        assert found.memory.low > 80 * GIB
        assert found.warnings


def test_between_low_and_high_there_is_a_warning():
    layout = Layout(data=8, sharding="zero1", micro_batch=4)
    held = throughput(work_of(LLAMA8), machine(8), recipe(), layout=layout).memory
    between = throughput(work_of(LLAMA8), machine(8, memory=held.value), recipe(), layout=layout)
    assert len(between.warnings) == 1
    assert between.warnings[0].startswith("memory may not suffice: ")
    enough = throughput(work_of(LLAMA8), machine(8, memory=held.high), recipe(), layout=layout)
    assert enough.warnings == ()


def test_the_least_recompute_that_fits():
    layout = Layout(data=8, sharding="zero3", micro_batch=4)
    free = GivenSpeed(recompute_free=True)
    kinds = [
        throughput(
            work_of(LLAMA8), machine(8, memory=gib * GIB), recipe(), layout=layout, given=free
        ).layout.recompute
        for gib in (120, 45)
    ]
    assert kinds == ["none", "full"]


def test_what_is_fixed_is_kept_and_offloaded():
    fixed = Fixed(tensor=8, micro_batch=1, offload="optimizer", activations="host")
    found = throughput(work_of(LLAMA70), machine(8), recipe(2048, 8), given=GivenSpeed(fixed=fixed))
    assert (found.layout.tensor, found.layout.offload) == (8, "optimizer")
    assert found.layout.activations == 1.0
    assert found.memory_parts["optimizer"] == 0


def test_what_is_fixed_and_cannot_be():
    with pytest.raises(InputError) as wrong:
        throughput(work_of(LLAMA8), machine(8), recipe(), given=GivenSpeed(fixed=Fixed(tensor=3)))
    assert str(wrong.value) == (
        "hardware.layout: no layout of 8 devices keeps to what is fixed; "
        "change the count or leave an axis out"
    )


# --- errors --------------------------------------------------------------------------------------


def test_a_precision_that_the_profile_lacks():
    with pytest.raises(InputError) as wrong:
        throughput(work_of(LLAMA8), V100, recipe(precision="bf16"))
    assert str(wrong.value) == (
        "training.precision: v100-sxm2-32 has no peak for bf16; it has: fp16, fp32"
    )


def test_the_basis_is_asked_for_in_eight_bits():
    with pytest.raises(InputError) as wrong:
        run(GivenSpeed(utilization=0.4), made=recipe(8192, 1024, precision="fp8"))
    assert str(wrong.value) == (
        "hardware.utilization_basis.peak: expected the precision whose peak hardware.utilization "
        "refers to (reports of fp8 runs use bf16 or fp8); got nothing"
    )


def test_a_throughput_beyond_the_peak():
    with pytest.raises(InputError) as wrong:
        run(GivenSpeed(throughput=1e9, throughput_unit="token/s"))
    assert str(wrong.value) == (
        "hardware.throughput: expected a share of the dense peak, more than 0 and at most 1; "
        "it comes to 50.8: check the unit, the basis and the count"
    )


def test_a_rate_of_tokens_says_nothing_of_bare_flops():
    budget = workload(WorkloadInput(flops=1e21))
    with pytest.raises(InputError, match="expected TFLOP/s a device"):
        throughput(budget, machine(8), None, given=GivenSpeed(throughput=1e5))


def test_calibration_needs_a_step():
    with pytest.raises(InputError, match=r"expected training.global_batch and a model beside it"):
        throughput(
            workload(WorkloadInput(flops=1e21)), machine(8), None, given=GivenSpeed(step_time=1.0)
        )


# --- properties ----------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    model=st.sampled_from([LLAMA8, GPT3, MIXTRAL]),
    devices=st.sampled_from([64, 128, 512]),
    batch=st.sampled_from([512, 1024]),
    precision=st.sampled_from(["bf16", "fp8"]),
)
def test_results_are_sane_and_repeat(model, devices, batch, precision):
    work, made = work_of(model, 4096, 1e11), recipe(4096, batch, precision=precision)
    found = throughput(work, machine(devices), made)
    u = found.utilization
    assert 0 < u.low <= u.value <= u.high <= 1
    assert found.seconds > work.model_flops / (devices * found.peak)
    assert sum(found.breakdown.values()) > 0
    assert throughput(work, machine(devices), made) == found


def test_an_older_kernel_is_slower_from_the_run_file_on():
    newer, older = (run(made=recipe(8192, 1024, attention=kind)).utilization.value
                    for kind in ("flash", "flash2"))  # fmt: skip
    assert 0.7 * newer < older < newer


def test_a_layout_that_is_said_but_for_its_sharding_loses_nothing():
    said = Fixed(tensor=1, pipeline=1, context=1, expert=1, virtual_pipeline=1, data=1024)
    found = run(GivenSpeed(fixed=said), layout=None)
    assert found.layout_by == "auto"
    assert "runs lose" not in found.utilization.why
    assert "runs lose" in run(layout=None).utilization.why
