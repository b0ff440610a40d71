"""Terms of the time model by hand: decoding, ranges, counts that the step leaves out."""

from __future__ import annotations

from math import exp, hypot, log

import pytest
from throughput_models import machine, recipe

from costcalc import estimate
from costcalc.throughput.coefficients import rates_of
from costcalc.throughput.decode import decode_time
from costcalc.throughput.layout import Layout
from costcalc.throughput.ranges import MEASURED_DEVICES, prediction_range, unevenness
from costcalc.throughput.shape import ModelShape
from costcalc.throughput.stage import throughput
from costcalc.workload.counting import tally
from costcalc.workload.families import build
from costcalc.workload.stage import WorkloadInput, workload

# 100e6 parameters, of which 10 layers · 8 experts · 1e6 = 80e6 are routed, two of eight to a token
ROUTED = ModelShape(
    layers=10.0, hidden=100.0, kv_heads=1.0, head_dim=50.0, experts=8.0, experts_per_token=2.0,
    expert_weights=1e6, moe_share=1.0, mlp_weights=2e6, parameters=100e6,
)  # fmt: skip


@pytest.mark.parametrize(
    ("sequences", "experts", "cache"),
    [
        (1, 80e6 * (1 - 3 / 4), 1 * 2000 * 200),  # one token is sent to two of eight
        (2, 80e6 * (1 - 9 / 16), 2 * 2000 * 200),  # two tokens miss one with (6/8)² = 9/16
    ],
)
def test_decoding_reads_the_experts_that_are_asked(sequences, experts, cache):
    # a token keeps 2 · 2 bytes · 10 layers · 50 = 2000 B; half of 200 answered after 100: 200 held
    there = machine(1, memory=0.0, memory_bandwidth=1e9, peak={"bf16": 1e15})
    found = decode_time(
        ROUTED, there, sequences=sequences, prompt_length=100, generation_length=200
    )
    read = 2 * (20e6 + experts) + cache
    a_step = read / (0.6 * 1e9) + 10 * 2e-5  # 0.6 of the bandwidth, 20 us a layer
    assert found.decode == pytest.approx(200 * a_step)
    assert found.batch == sequences
    # a prompt token: 2 FLOP · 10 · (2e6 + 2 · 1e6), at half of 0.77 of the peak
    assert found.prefill == pytest.approx(sequences * 100 * 2 * 40e6 / (0.5 * 0.77 * 1e15))


@pytest.mark.parametrize(("doublings", "more"), [(0, 0.0), (1, 0.05), (3, 0.15)])
def test_a_range_grows_a_twentieth_a_doubling_beyond_the_largest_run(doublings, more):
    assert MEASURED_DEVICES == 10752  # MLPerf Training 3.1
    low, high = prediction_range({}, generation="hopper", devices=10752 * 2**doublings)
    assert low == pytest.approx(exp(-hypot(0.45, more)))
    assert high == pytest.approx(exp(hypot(0.35, more)))


WAITS = {"range": {"given": {"low": -0.4, "high": 0.3}, "waiting": {"network": 4.0, "launch": 3.0}}}


@pytest.mark.parametrize(
    ("step", "wider"),
    [
        ({"compute": 2.0}, 1.0),
        ({"compute": 6.0, "memory": 3.0, "optimizer": 1.0}, 1.0),
        ({"compute": 1.0, "data": 1.0}, hypot(1, 4 * 0.5)),
        # tensor, pipeline, data and expert traffic are the network's: 4 of 10 s
        ({"compute": 6.0, "tensor": 1.0, "pipeline": 1.0, "data": 1.0, "expert": 1.0},
         hypot(1, 4 * 0.4)),
        ({"compute": 3.0, "launch": 1.0}, hypot(1, 3 * 0.25)),
        # three quarters are no less known than half: 4 · 0.5
        ({"compute": 1.0, "data": 3.0}, hypot(1, 4 * 0.5)),
        ({"compute": 1.0, "data": 1.0, "launch": 2.0}, hypot(1, 4 * 0.25, 3 * 0.5)),
    ],
)  # fmt: skip
def test_a_step_that_waits_has_the_wider_range(step, wider):
    assert unevenness(WAITS, step) == pytest.approx(wider)
    low, high = prediction_range(WAITS, generation="hopper", devices=8, breakdown=step)
    assert low == pytest.approx(exp(-0.4 * wider))
    assert high == pytest.approx(exp(0.3 * wider))
    # what else is not known adds in quadrature and is not stretched: shapes by rule, 0.12
    low, high = prediction_range(WAITS, generation="hopper", shapes_known=False, breakdown=step)
    assert low == pytest.approx(exp(-hypot(0.4 * wider, 0.12)))
    assert high == pytest.approx(exp(hypot(0.3 * wider, 0.12)))


def test_two_cards_without_a_fabric_are_known_less_well_than_one():
    run = {
        "model": {"preset": "llama-2-7b"},
        "training": {"method": "lora", "base_precision": "nf4", "samples": 1000,
                     "sample_tokens": 512, "micro_batch": 1, "software": "pytorch"},
        "hardware": {"accelerator": "rtx-3090", "count": 2, "per_node": 2,
                     "layout": {"data": 2, "sharding": "zero3"}},
    }  # fmt: skip
    sharded = estimate(run)
    whole = estimate(run, changes={"hardware.layout.sharding": "none"})
    widths = []
    for made in (sharded, whole):
        rate = made.results["throughput"]
        widths.append(log(rate.high / rate.low))
    step = sharded.breakdown["step"]
    assert step["data"] > 0.2 * sum(step.values())
    assert widths[0] > 1.2 * widths[1]


def test_the_first_layer_gives_back_no_gradient_of_its_input():
    # ViT-B/16: 196 patches of 3 · 16² values to 768
    vit = build({"model_type": "vit"})
    one = tally(vit)
    assert one.first == 2 * 196 * 3 * 16 * 16 * 768
    assert one.training == 3 * one.forward - one.first
    work = workload(WorkloadInput(architecture=vit, samples=1000))
    assert work.model_flops == 1000 * (3 * one.forward - one.first)
    # nor does it take time: a step is what the layers take, less that share
    found = throughput(work, machine(8), recipe(197, 64), layout=Layout(data=8))
    done = found.utilization.value * found.peak * 8 * found.step_time
    assert done == pytest.approx(64 * (3 * one.forward - one.first))
    assert sum(found.breakdown.values()) == pytest.approx(found.step_time, rel=1e-9)


def test_the_utilization_of_samples_is_three_forward_passes_over_the_peak():
    net = workload(WorkloadInput(parameters=25.6e6, forward_flops=8.18e9, samples=1e6))
    there = machine(1, matmul_ceiling={"bf16": 0.8})
    found = throughput(net, there, recipe(1, 256, compiled=True))
    # a million samples: 3 · 8.18 GFLOP each, in so many seconds of 989.4 TFLOP/s
    counted = 1e6 * 3 * 8.18e9 / 989.4e12
    assert found.utilization.value == pytest.approx(counted / found.seconds)
    assert 0.01 < found.utilization.value < 0.8


def test_an_update_on_the_host_has_its_share_of_the_nodes_memory_bandwidth():
    # 200 GB/s a node that an optimizer reaches, of eight devices
    assert rates_of(machine(8, per_node=8), "bf16").host_memory == 25e9
