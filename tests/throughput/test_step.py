"""The step-time model: hand-computed terms, its physics as properties, and its speed."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from throughput_models import coefficients

from costcalc.base.errors import InputError
from costcalc.throughput.by_flops import sample_time
from costcalc.throughput.coefficients import ceiling_of, coefficients_of, rates_of
from costcalc.throughput.collectives import gather_time, group_rate
from costcalc.throughput.constants import load
from costcalc.throughput.decode import decode_time
from costcalc.throughput.layer import layer_times
from costcalc.throughput.layout import Layout, Machine, Recipe
from costcalc.throughput.network import network_of
from costcalc.throughput.ranges import prediction_range
from costcalc.throughput.shape import decoder_shape, shape_from_parameters
from costcalc.throughput.step import step_of, step_time, training_of
from costcalc.workload.work import Passes

H100 = Machine(
    accelerator="h100-sxm5-80", generation="hopper", kind="gpu", devices=64, per_node=8,
    peak={"bf16": 989.4e12, "fp8": 1978.9e12}, memory=80 * 2**30, memory_bandwidth=3.35e12,
    scale_up=450e9, scale_up_domain=8, scale_out=50e9, matmul_ceiling={"bf16": 0.803, "fp8": 0.709},
)  # fmt: skip
LLAMA70 = decoder_shape(
    layers=80, hidden=8192, heads=64, kv_heads=8, ffn=28672, vocabulary=128256, sequence_length=8192
)
RECIPE = Recipe(sequence_length=8192, global_batch=128, precision="bf16")
LAYOUT = Layout(data=2, tensor=4, pipeline=4, context=2, virtual_pipeline=5, sharding="zero1")


def layer_weights(shape):
    return shape.attention_weights + shape.mlp_weights + shape.expert_stored


def seconds(**changes) -> float:
    axes = replace(LAYOUT, **changes)
    return float(step_time(LLAMA70, H100, axes, RECIPE, load()).seconds)


def test_shape_counts_as_the_model_card_does():
    # Llama 3 8B: 4096·(2·4096 + 2·1024) + 3·4096·14336 a layer, 32 of them, logits 4096·128256
    llama = decoder_shape(layers=32, hidden=4096, heads=32, kv_heads=8, ffn=14336,
                          vocabulary=128256, sequence_length=8192)  # fmt: skip
    layer = 4096 * (2 * 4096 + 2 * 1024) + 3 * 4096 * 14336
    assert float(llama.active_weights) == 32 * layer + 4096 * 128256 == 7_504_658_432
    # Megatron-Bridge: 1933 TFLOP/s at 37556 tokens/s and device = 51.470 GFLOP a token
    assert float(3 * llama.forward_flops) == pytest.approx(1933e12 / 37556, rel=1e-4)


def test_experts_count_by_what_a_token_passes():
    # Mixtral 8x7B: 46.70e9 parameters, 12.75e9 multiplied with a token (embedding not)
    mixtral = decoder_shape(
        layers=32, hidden=4096, heads=32, kv_heads=8, ffn=14336, experts=8, experts_per_token=2,
        vocabulary=32000, sequence_length=4096,
    )  # fmt: skip
    assert float(mixtral.parameters) == pytest.approx(46_702_792_704, rel=1e-4)
    assert float(mixtral.active_weights) == pytest.approx(12_748_587_008, rel=1e-4)


def test_rule_for_a_parameter_count_gives_its_parameters_back():
    for size in (1e9, 7e9, 70e9, 400e9):
        shape = shape_from_parameters(size, 2048.0)
        counted = shape.layers * layer_weights(shape) + 2 * shape.head_weights
        assert float(counted) == pytest.approx(size, rel=0.45)
        assert not shape.known


def test_ring_moves_what_thakur_says():
    # 8 members, 8 GB: 7/8 of it over each link of 100 GB/s is 70 ms
    assert float(gather_time(8.0, 8e9, 100e9, 0.0)) == pytest.approx(0.07)
    assert float(gather_time(1.0, 8e9, 100e9, 1.0)) == 0.0
    rate, leaves = group_rate(16.0, 8.0, 450e9, 50e9)
    assert float(rate) == 400e9  # eight cards of 50 GB/s
    assert float(leaves) == 1.0


def test_perfect_machine_takes_the_flops_over_the_peak():
    # nothing but arithmetic: every share 1, every time and traffic 0
    ideal = coefficients(
        matmul=1.0, matmul_base=1.0, attention=1.0, traffic=0.0, bandwidth=1.0, elementwise=0.0,
        cast=0.0, kernel=0.0, matmul_start=0.0, scale_up=1.0, scale_out=1.0, latency_up=0.0,
        latency_out=0.0, jitter=0.0, fixed=0.0, softmax=0.0, tile=0.0, module=0.0,
    )  # fmt: skip
    machine = replace(H100, devices=1, memory_bandwidth=1e30)
    recipe = replace(RECIPE, global_batch=1)
    step = step_of(LLAMA70, rates_of(machine, "bf16"), Layout(), training_of(recipe), ideal)
    # forward + 2 × backward, and flash attention's 2.5 forward passes backward instead of 2
    core = 80 * 2 * 2 * 64 * 128 * 4096
    flops = 8192 * (6 * float(LLAMA70.active_weights) + 3.5 * core)
    assert float(step.seconds) == pytest.approx(flops / 989.4e12, rel=1e-9)


def test_encoders_have_scales_of_their_own():
    constants = load()
    decoder, encoder = (coefficients_of(constants, H100, "fp8", kind)
                        for kind in ("decoder", "encoder"))  # fmt: skip
    scales = constants["models"]["encoder"]
    for name in ("matmul", "elementwise", "fixed"):
        scaled = getattr(decoder, name) * scales[name]
        assert getattr(encoder, name) == pytest.approx(scaled)
    assert encoder.matmul_base == pytest.approx(decoder.matmul_base * scales["matmul"])
    assert encoder.bandwidth == decoder.bandwidth
    assert coefficients_of(constants, H100, "fp8", "vision") == decoder


def test_a_score_costs_its_exponential_and_the_masked_part_of_its_tile():
    # two heads of 64 + 64 with 80 more a score and 256 keys more a query: (256 + 160)/256 of the
    # products of 2048 keys, and (2048 + 256)/2048 of the keys
    shape = decoder_shape(
        layers=1, hidden=128, heads=2, ffn=512, vocabulary=8, sequence_length=4096
    )
    rates, axes = rates_of(H100, "bf16"), Layout()
    recipe = replace(RECIPE, sequence_length=4096)
    times = [
        float(layer_times(shape, rates, axes, training_of(recipe), c, 4096.0).attention)
        for c in (coefficients(softmax=0.0, tile=0.0), coefficients(softmax=80.0, tile=256.0))
    ]
    assert times[1] / times[0] == pytest.approx((256 + 160) / 256 * (2048 + 256) / 2048)


def test_kernels_of_an_older_generation_are_slower_where_there_are_newer():
    times = [
        float(step_time(LLAMA70, H100, LAYOUT, replace(RECIPE, attention=kind), load()).compute)
        for kind in ("flash", "flash2")
    ]
    assert times[1] > 1.05 * times[0]
    ampere = replace(H100, generation="ampere", peak={"bf16": 312e12})
    first, second = (
        float(step_time(LLAMA70, ampere, LAYOUT, replace(RECIPE, attention=kind), load()).seconds)
        for kind in ("flash", "flash2")
    )
    assert first == second


def test_software_that_waits_shows_all_its_communication():
    waits = step_time(LLAMA70, H100, LAYOUT, replace(RECIPE, overlap=False), load())
    beside = step_time(LLAMA70, H100, LAYOUT, RECIPE, load())
    for part in ("tensor", "pipeline", "data"):
        assert float(getattr(waits, part)) > float(getattr(beside, part))
    assert float(waits.compute) == float(beside.compute)


def test_experts_traffic_hides_behind_another_micro_batch():
    # 64 experts, 8 a token, over 8 domains: their traffic takes longer than all computation, and
    # beside it all but 20 of 132 parts of that computation hide it
    shape = decoder_shape(
        layers=8,
        hidden=4096,
        heads=32,
        ffn=1536,
        vocabulary=8,
        sequence_length=4096,
        experts=64,
        experts_per_token=8,
    )
    recipe = replace(RECIPE, sequence_length=4096)
    axes = Layout(data=64, expert=64)
    rates, shown = rates_of(H100, "bf16"), coefficients(expert_exposed=1.0)
    waits, beside = (
        step_of(shape, rates, axes, training_of(replace(recipe, expert_overlap=dual)), shown)
        for dual in (False, True)
    )
    hidden = (1 - 20 / 132) * float(waits.compute + waits.memory)
    assert float(waits.expert) > hidden
    assert float(beside.expert) == pytest.approx(float(waits.expert) - hidden, rel=1e-3)
    # in 8 bits what is dispatched is half as much: three quarters of the traffic in all
    eight = replace(recipe, precision="fp8", expert_overlap=True)
    nets = [
        network_of(rates_of(H100, r.precision), axes, coefficients(), training_of(r))
        for r in (recipe, eight)
    ]
    assert nets[1].expert_bytes / nets[0].expert_bytes == pytest.approx(0.75)


def test_a_collective_drives_the_links_of_the_axes_that_it_lies_along():
    # a v5p slice of 8 × 8 × 8: tensor 8 on one axis, data 64 on two; 600 GB/s on all three
    v5p = Machine(
        accelerator="tpu-v5p", generation="tpu-v5p", kind="tpu", devices=512, per_node=4,
        peak={"bf16": 459e12}, memory_bandwidth=2765e9, scale_up=600e9, scale_up_domain=8960,
        torus=3,
    )  # fmt: skip
    full, how = coefficients(scale_up=1.0), training_of(RECIPE)
    net = network_of(rates_of(v5p, "bf16"), Layout(tensor=8, data=64), full, how)
    assert float(net.tensor_rate) == pytest.approx(200e9)
    assert float(net.data_rate) == pytest.approx(400e9)
    # 16 chips of a v5e do not close to rings: half of their four links of 50 GB/s
    v5e = replace(v5p, devices=16, scale_up=200e9, scale_up_domain=256, torus=2)
    net = network_of(rates_of(v5e, "bf16"), Layout(data=16), full, how)
    assert float(net.data_rate) == pytest.approx(100e9)


def test_parts_add_up():
    step = step_time(LLAMA70, H100, LAYOUT, RECIPE, load())
    assert sum(float(v) for v in step.breakdown().values()) == pytest.approx(float(step.seconds))
    names = {"compute", "memory", "launch", "tensor", "pipeline", "data", "expert", "bubble"}
    assert set(step.breakdown()) == names | {"optimizer", "host"}


def test_bubble_is_megatrons():
    # (p − 1)/(v·m) of the busy time: p 4, v 5, m 64
    step = step_time(LLAMA70, H100, LAYOUT, RECIPE, load())
    busy = float(step.compute + step.memory + step.launch + step.tensor + step.expert)
    assert float(step.bubble) / busy == pytest.approx(3 / (5 * 64), rel=1e-6)


def test_layout_arrays_and_scalars_agree():
    axes = Layout(
        data=np.array([2.0, 64.0, 8.0]), tensor=np.array([4.0, 1.0, 8.0]),
        pipeline=np.array([4.0, 1.0, 1.0]), context=np.array([2.0, 1.0, 1.0]),
        micro_batch=np.array([1.0, 2.0, 1.0]), zero=np.array([1.0, 3.0, 0.0]),
        full=np.array([0.0, 1.0, 0.0]),
    )  # fmt: skip
    together = step_time(LLAMA70, H100, axes, RECIPE, load()).seconds
    for i in range(3):
        one = Layout(
            **{n: float(np.broadcast_to(getattr(axes, n), 3)[i]) for n in Layout.__slots__}
        )
        alone = float(step_time(LLAMA70, H100, one, RECIPE, load()).seconds)
        assert alone == pytest.approx(together[i], rel=1e-12)


@pytest.mark.parametrize(
    ("change", "slower"),
    [
        ({"full": 1.0}, True),  # recompute runs the forward pass again
        ({"virtual_pipeline": 1.0}, True),  # a larger bubble
        ({"tensor": 8.0, "data": 1.0}, True),  # more tensor traffic at the same work
    ],
)
def test_direction_of_each_axis(change, slower):
    assert (seconds(**change) > seconds()) is slower


def test_tensor_parallelism_across_nodes_costs():
    inside = step_time(LLAMA70, H100, Layout(tensor=8, data=8), RECIPE, load())
    across = step_time(
        LLAMA70, replace(H100, scale_up_domain=4), Layout(tensor=8, data=8), RECIPE, load()
    )
    assert float(across.tensor) > 1.5 * float(inside.tensor)


def test_eight_bits_are_faster_by_less_than_two():
    wide = float(step_time(LLAMA70, H100, LAYOUT, RECIPE, load()).seconds)
    low = replace(RECIPE, precision="fp8")
    narrow = float(step_time(LLAMA70, H100, LAYOUT, low, load()).seconds)
    assert 1.1 < wide / narrow < 2.0


def test_adapters_cost_less_than_full_training():
    full = float(step_time(LLAMA70, H100, LAYOUT, RECIPE, load()).seconds)
    adapters = Passes(weights=0.0, head=1.0)
    lora = replace(RECIPE, method="lora", passes=adapters, trainable_share=0.005)
    part = float(step_time(LLAMA70, H100, LAYOUT, lora, load()).seconds)
    assert 0.6 < part / full < 0.85  # two of three passes over the weights


def test_precision_that_a_machine_has_not_is_refused():
    low = replace(RECIPE, precision="fp4")
    with pytest.raises(InputError) as caught:
        step_time(LLAMA70, H100, LAYOUT, low, load())
    assert str(caught.value) == (
        "training.precision: h100-sxm5-80 has no peak for fp4; it has: bf16, fp8"
    )


def test_unmeasured_generation_falls_back_to_the_prior_of_its_kind():
    new = replace(H100, generation="rubin", matmul_ceiling={})
    assert ceiling_of(new, "bf16") == 0.77
    found = coefficients_of(load(), new, "bf16")
    assert found.matmul == pytest.approx(0.77 * load()["global"]["sustained"])
    low, high = prediction_range(load(), generation="rubin")
    known_low, known_high = prediction_range(load(), generation="hopper")
    assert low < known_low < 1 < known_high < high


def test_range_widens_with_what_is_not_known():
    known = prediction_range(load(), generation="hopper", devices=64)
    for less in (
        {"layout_given": False}, {"shapes_known": False}, {"devices": 100_000}, {"experts": True},
    ):  # fmt: skip
        wider = prediction_range(load(), generation="hopper", **{"devices": 64, **less})
        assert wider[0] <= known[0]
        assert wider[1] >= known[1]
        assert wider[1] / wider[0] > known[1] / known[0]


@settings(max_examples=60, deadline=None)
@given(
    data=st.sampled_from([1, 2, 8, 64]), tensor=st.sampled_from([1, 2, 8]),
    pipeline=st.sampled_from([1, 2, 5]), micro=st.sampled_from([1, 2, 4]),
    sharding=st.sampled_from(["none", "zero1", "zero2", "zero3", "hsdp"]),
    recompute=st.sampled_from(["none", "selective", "full"]),
    precision=st.sampled_from(["bf16", "fp8"]),
)  # fmt: skip
def test_never_faster_than_the_peak(data, tensor, pipeline, micro, sharding, recompute, precision):
    layout = Layout(data=data, tensor=tensor, pipeline=pipeline, micro_batch=micro,
                    sharding=sharding, recompute=recompute)  # fmt: skip
    machine = replace(H100, devices=layout.devices)
    recipe = Recipe(sequence_length=8192, global_batch=256.0, precision=precision)
    step = step_time(LLAMA70, machine, layout, recipe, load())
    flops = 3 * float(LLAMA70.forward_flops) * 8192 * 256
    assert float(step.seconds) > flops / (layout.devices * machine.peak[precision])
    assert all(float(part) >= 0 for part in step.breakdown().values())


@settings(max_examples=30, deadline=None)
@given(factor=st.floats(1.1, 4.0))
def test_faster_machine_is_never_slower(factor):
    base = float(step_time(LLAMA70, H100, LAYOUT, RECIPE, load()).seconds)
    for field in ("memory_bandwidth", "scale_up", "scale_out"):
        better = replace(H100, **{field: getattr(H100, field) * factor})
        assert float(step_time(LLAMA70, better, LAYOUT, RECIPE, load()).seconds) <= base * (
            1 + 1e-9
        )


def test_convolutions_are_bound_by_memory_more_on_faster_chips():
    slow = replace(H100, peak={"bf16": 100e12})
    share = [
        t.memory / t.seconds
        for t in (sample_time(8.18e9, m, "bf16", load(), "cnn", 11.1e6) for m in (slow, H100))
    ]
    assert share[0] < share[1]


def test_decoding_reads_the_weights_every_step():
    # 70.55e9 weights of 2 bytes over 2 devices' 0.6 · 3.35 TB/s: 35.1 ms, and 80 layers of 20 us
    machine = replace(H100, devices=2)
    found = decode_time(LLAMA70, machine, sequences=1, prompt_length=1, generation_length=1000)
    weights = 2 * float(LLAMA70.parameters) / (2 * 0.6 * 3.35e12)
    cache = 4 * 80 * 8 * 128 * (1 + 500) / (2 * 0.6 * 3.35e12)
    assert found.shards == 2
    assert found.decode == pytest.approx(1000 * (weights + cache + 80 * 2e-5), rel=1e-6)
    assert found.low < found.seconds < found.high
