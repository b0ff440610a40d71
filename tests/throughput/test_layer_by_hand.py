"""A layer's terms one at a time: all others are switched off, the numbers are round.

Sources of the terms: Korthikanti et al. 2022 (arXiv:2205.05198), Shah et al. 2024
(FlashAttention-3, arXiv:2407.08608), and the constants' own lines in ``layer.py``.
"""

from __future__ import annotations

import numpy as np
import pytest
from throughput_models import coefficients

from costcalc.throughput.coefficients import Rates
from costcalc.throughput.layer import Layer, layer_times
from costcalc.throughput.layout import Layout, StepRecipe
from costcalc.throughput.shape import ModelShape

NOTHING = {
    "matmul": 1.0, "matmul_base": 1.0, "attention": 1.0, "softmax": 0.0, "tile": 0.0,
    "traffic": 0.0, "bandwidth": 1.0, "elementwise": 0.0, "cast": 0.0, "kernel": 0.0,
    "matmul_start": 0.0, "imbalance": 1.0, "expert_matmul": 1.0, "launch": 0.0, "hook": 0.0,
    "expert_launch": 0.0, "module": 0.0, "call": 0.0,
}  # fmt: skip
TERA, GIGA = 1e12, 1e9
TOKENS = 1000.0


def layer(
    shape: dict[str, float],
    c: dict[str, float] | None = None,
    axes: dict[str, float] | None = None,
    training: dict[str, float] | None = None,
    rates: dict[str, float] | None = None,
) -> Layer:
    """A layer of only the given sizes, on 1 TFLOP/s (half of it in 16 bits) and 1 GB/s."""
    here = {"peak": TERA, "peak_base": TERA / 2, "bandwidth": GIGA, "scale_up": 1.0,
            "domain": 1.0, "scale_out": 1.0}  # fmt: skip
    return layer_times(
        ModelShape(layers=1.0, **{"hidden": 1000.0, "keys": 1.0, **shape}),
        Rates(**here | (rates or {})),
        Layout(**(axes or {})),
        StepRecipe(sequence_length=TOKENS, global_batch=1.0, **(training or {})),
        coefficients(**NOTHING | (c or {})),
        TOKENS,
    )


# Forward once, back twice, three times with gradients of weights: of weights 1 + 2 + 3 passes, and
# with full recompute the two forward passes again.
PASSES = {"forward": 1.0, "backward": 2.0, "weights": 3.0}


@pytest.mark.parametrize(("full", "passes"), [(0.0, 1 + 2 + 3), (1.0, (1 + 2) + 2 + 3)])
def test_dense_matmuls(full: float, passes: int) -> None:
    made = layer(
        {"attention_weights": 2e6, "mlp_weights": 6e6},
        {"matmul": 0.5},
        {"tensor": 2.0, "full": full},
        PASSES,
    )
    # 2 FLOP · 1000 tokens · 8e6 / 2 weights at half of 1 TFLOP/s
    assert made.compute == pytest.approx(passes * 2 * 1000 * 4e6 / 0.5e12)
    assert made.memory == made.attention == made.head_compute == made.head_memory == 0.0


def test_scans_run_at_half_the_rate_of_matmuls_in_16_bits() -> None:
    made = layer({"other_flops": 7000.0}, {"matmul_base": 0.8}, {"tensor": 2.0}, PASSES)
    assert made.memory == pytest.approx((1 + 2 + 3) * 1000 * 3500 / (0.5e12 * 0.8 * 0.5))


@pytest.mark.parametrize(("low", "size"), [(0.0, 2), (1.0, 1)])
def test_what_makes_a_narrow_matmul_slower(low: float, size: int) -> None:
    made = layer(
        {"attention_weights": 2e6, "mlp_weights": 6e6, "heads": 10.0, "kv_heads": 2.0,
         "head_dim": 100.0, "filled": 0.9},
        {"traffic": 0.5, "bandwidth": 0.8, "matmul_start": 1e-3},
        {"tensor": 2.0},
        PASSES,
        {"low": low},
    )  # fmt: skip
    # outputs: queries 10 · 100, keys and values 2 · 2 · 100, and an MLP of 6e6 / 1000; inputs 3 · h
    wide = 1000 + 400 + 6000
    moved = 8e6 / 2 + 1000 * 0.9 * (3 * 1000 + 1.5 * wide / 2)
    assert moved == 11_695_000
    one = size * moved * 0.5 / (0.8e9) + 4 * 1e-3  # four matmuls start
    assert made.memory == pytest.approx((1 + 2 + 3) * one)


# --- attention -----------------------------------------------------------------------------------

HEADS = {"heads": 10.0, "score_width": 2000.0, "keys": 400.0, "keys_unfused": 700.0}


@pytest.mark.parametrize(
    ("axes", "passes"),
    [
        ({}, 1 + 2 * 2.5),  # backward computes the scores again: 2.5 forward passes (Dao 2023)
        ({"full": 1.0}, 1 + 2 * (2.5 + 1)),
        ({"selective": 1.0}, 1 + 2 * 2.5),  # a fused core keeps no scores to recompute
    ],
)
def test_fused_attention(axes: dict[str, float], passes: float) -> None:
    made = layer(
        HEADS, {"attention": 0.25, "softmax": 80.0, "tile": 100.0}, {"tensor": 2.0, **axes}, PASSES
    )
    # a score: 2000 wide, and 80 more for the exponential of each of 10 heads; 100 masked keys
    one = 2 * 1000 * (2000 + 80 * 10) * (400 + 100) / 2
    assert made.attention == made.compute == pytest.approx(passes * one / (0.5e12 * 0.25))


@pytest.mark.parametrize(("older", "share"), [(0.0, 0.25), (1.0, 0.25 * 0.6)])
def test_kernels_of_an_older_generation(older: float, share: float) -> None:
    c = {"attention": 0.25, "attention_older": 0.6}
    made = layer(HEADS, c, {}, {**PASSES, "older": older})
    assert made.attention == pytest.approx(6 * 2 * 1000 * 2000 * 400 / (0.5e12 * share))


@pytest.mark.parametrize(("axes", "again"), [({}, 0), ({"full": 1.0}, 1), ({"selective": 1.0}, 1)])
def test_attention_that_is_not_fused(axes: dict[str, float], again: int) -> None:
    made = layer(
        HEADS,
        {"attention": 9.0, "softmax": 9.0, "tile": 9.0, "matmul_base": 0.8, "bandwidth": 0.5},
        {"tensor": 2.0, **axes},
        {**PASSES, "flash": 0.0},
        {"activation_bytes": 4.0},
    )
    # two matmuls backward for one forward, over the masked keys too: 700 of them; at 0.6 of the
    # rate of other matmuls
    one = 2 * 1000 * 2000 * 700 / 2 / (0.5e12 * 0.6 * 0.8)
    assert made.attention == pytest.approx((1 + 2 * (2 + again)) * one)
    # 8 passes over scores of 4 bytes: 1000 tokens · 10 / 2 heads · 700 keys
    scores = 1000 * 5 * 700 * 4 * 8
    assert made.memory == pytest.approx((1 + 2 * (1 + again)) * scores / 0.5e9)


# --- what is bound by memory ---------------------------------------------------------------------

WIDE = {"heads": 10.0, "kv_heads": 2.0, "head_dim": 100.0, "ffn": 3000.0, "gated": 1.0}
ROUTED = {"experts": 8.0, "experts_per_token": 2.0, "expert_ffn": 500.0, "shared_ffn": 700.0}


@pytest.mark.parametrize(
    ("axes", "passes"),
    [
        ({}, 1 + 2 * 2),
        ({"full": 1.0}, 3 + 2 * 2),
        ({"selective": 1.0}, 1 + 2 * 2.5),  # norms and activation functions are half of it
    ],
)
def test_elementwise_traffic(axes: dict[str, float], passes: float) -> None:
    made = layer(
        {**WIDE, "filled": 0.9},
        {"elementwise": 1.5, "bandwidth": 0.8},
        {"tensor": 2.0, **axes},
        PASSES,
    )
    # ten passes over h, split by sequence parallelism; read and written, gate and up: 4 · ffn
    states = 10 * 1000 / 2 + 2 * 2 * 3000 / 2
    assert made.memory == pytest.approx(passes * 1000 * 0.9 * states * 2 * 1.5 / 0.8e9)


def test_without_sequence_parallelism_norms_are_not_split() -> None:
    made = layer(
        {**WIDE, "gated": 0.0}, {"elementwise": 1.0}, {"tensor": 2.0, "sequence_parallel": 0.0}
    )
    assert made.memory == pytest.approx(3 * 1000 * (10 * 1000 + 2 * 3000 / 2) * 2 / 1e9)


def test_routed_tokens_are_permuted() -> None:
    made = layer({**WIDE, **ROUTED, "moe_share": 0.25}, {"elementwise": 1.0}, {"tensor": 2.0})
    # three quarters of the layers are dense; a quarter has 2 of its experts and a shared one
    inner = 0.75 * 3000 + 0.25 * (700 + 2 * 500)
    hidden = 1000 * (10 / 2 + 6 * 0.25 * 2)
    assert made.memory == pytest.approx(3 * 1000 * (hidden + 2 * 2 * inner / 2) * 2 / 1e9)


def test_casts_to_8_bits() -> None:
    made = layer(
        {**WIDE, **ROUTED, "moe_share": 0.25, "filled": 0.9},
        {"cast": 0.5},
        {"tensor": 2.0},
        rates={"low": 1.0},
    )
    # read in 16 bits, written and its transpose in 8: 4 bytes; of what projections and experts take
    wide = (10 + 2) * 100 / 2 + 3 * 1000 + 2 * (0.25 * 2) * 1000
    inner = 0.75 * 3000 + 0.25 * (700 + 2 * 500)
    assert made.memory == pytest.approx(3 * 900 * 0.5 * 4 * (wide + 3 * inner / 2) / 1e9)
    assert layer(WIDE, {"cast": 0.5}).memory == 0.0  # none in 16 bits


def late(host: float, device: float) -> float:
    """Host and device are added in their fourth powers; what is beyond the device is waited for."""
    return float((host**4 + device**4) ** 0.25 - device)


def test_kernels_that_the_host_launches_late() -> None:
    # 24 forward and 40 backward of 10 us each; compute hides them as long as it lasts
    some = {"mlp_weights": 1e4, "gated": 1.0}
    took = 6 * 2 * 1000 * 1e4 / 1e12
    made = layer(some, {"kernel": 1e-5}, {}, PASSES)
    assert made.launch == pytest.approx(late((24 * 1 + 40 * 2) * 1e-5, took))
    assert (made.compute, made.memory) == (pytest.approx(took), 0.0)
    made = layer(some, {"kernel": 1e-5}, {"full": 1.0}, PASSES)
    assert made.launch == pytest.approx(late((24 * 3 + 40 * 2) * 1e-5, took * 8 / 6))
    assert layer(some, {"kernel": 1e-5}, {}, PASSES, {"eager": 0.0}).launch == 0.0
    assert layer({"mlp_weights": 1e7}, {"kernel": 1e-6}, {}, PASSES).launch < 1e-9


def test_modules_of_a_framework_launch_more_and_slower() -> None:
    # of 20 us, and of a gated layer 25 and 44 more: norms and rotation an operation at a time
    how = {**PASSES, "plain": 1.0, "framework": 1.0, "kernels_forward": 20.0,
           "kernels_backward": 36.0}  # fmt: skip
    made = layer({"gated": 1.0}, {"kernel": 1e-5, "launch": 2e-5}, {}, how)
    assert made.launch == pytest.approx((45 * 1 + 80 * 2) * 2e-5)
    bare = layer({"gated": 0.0}, {"kernel": 1e-5, "launch": 2e-5}, {}, how)
    assert bare.launch == pytest.approx((20 * 1 + 36 * 2) * 2e-5)


def test_tuned_modules_launch_as_many_and_slower() -> None:
    made = layer({}, {"kernel": 1e-5, "launch": 2e-5, "module": 3e-5}, {}, {**PASSES, "fused": 1.0})
    assert made.launch == pytest.approx((24 * 1 + 40 * 2) * 3e-5)


@pytest.mark.parametrize(
    ("axes", "calls"),
    [
        ({}, 0),  # alone
        # two all-reduces, forward once and backward twice
        ({"tensor": 2.0, "sequence_parallel": 0.0}, 2 * (1 + 2)),
        ({"tensor": 8.0, "sequence_parallel": 0.0, "full": 1.0}, 2 * (1 + 2 + 2)),
        ({"tensor": 2.0}, 4 * (1 + 2)),  # with sequence parallelism each is a scatter and a gather
    ],
)
def test_collectives_of_a_tensor_group_are_issued_by_the_host(
    axes: dict[str, float], calls: int
) -> None:
    how = {**PASSES, "kernels_forward": 0.0, "kernels_backward": 0.0}
    assert layer({}, {"call": 1e-4}, axes, how).launch == pytest.approx(calls * 1e-4)


@pytest.mark.parametrize(("alternate", "again"), [(0.0, 0.0), (1.0, 0.36 * 2)])
def test_selective_recompute_of_every_other_matmul(alternate: float, again: float) -> None:
    how = {**PASSES, "alternate": alternate}
    made = layer({"mlp_weights": 8e6}, {"matmul": 0.5}, {"selective": 1.0}, how)
    # 2 FLOP · 1000 tokens · 8e6 weights at half of 1 TFLOP/s; 0.36 of them run again, twice
    assert made.compute == pytest.approx((1 + 2 + 3 + again) * 0.032)


def test_sharding_by_deepspeed_works_on_the_host() -> None:
    how = {**PASSES, "hooks": 1.0, "kernels_forward": 0.0, "kernels_backward": 0.0}
    assert layer({}, {"hook": 1e-3}, {"zero": 3.0}, how).launch == pytest.approx((1 + 2) * 1e-3)
    assert layer({}, {"hook": 1e-3}, {"zero": 2.0}, how).launch == 0.0


@pytest.mark.parametrize(("full", "passes"), [(0.0, 1 + 2 * 2), (1.0, (1 + 2) + 2 * 2)])
def test_adapters(full: float, passes: int) -> None:
    how = {**PASSES, "adapted": 7.0, "adapter_bytes": 3e4, "adapter_flops": 2e6,
           "kernels_forward": 0.0, "kernels_backward": 0.0}  # fmt: skip
    c = {"adapter": 0.5, "matmul_base": 0.8, "bandwidth": 0.8, "kernel": 1e-9}
    made = layer({"filled": 0.9}, c, {"tensor": 2.0, "full": full}, how)
    # products of few columns at half of 0.8 of 0.5 TFLOP/s
    here = 1000 * 0.9 / 2
    assert made.compute == pytest.approx(passes * here * 2e6 / (0.5e12 * 0.8 * 0.5))
    assert made.memory == pytest.approx(passes * here * 3e4 * 0.5 / 0.8e9)
    some = layer({}, {"kernel": 1e-3, "adapter": 0.0}, {"full": full}, how | {"adapter_flops": 0.0})
    assert some.launch == pytest.approx(7 * (6 * (1 + 2 * full) + 9 * 2) * 1e-3)


@pytest.mark.parametrize(("full", "passes"), [(0.0, 1 + 2), (1.0, (1 + 2) + 2)])
def test_quantised_weights_are_unpacked_each_pass(full: float, passes: int) -> None:
    how = {**PASSES, "unpack_bytes": 3.5}
    made = layer(
        {"attention_weights": 2e6, "mlp_weights": 6e6}, {"bandwidth": 0.8, "unpack": 1.2},
        {"tensor": 2.0, "full": full}, how,
    )  # fmt: skip
    assert made.memory == pytest.approx(passes * 4e6 * 3.5 * 1.2 / 0.8e9)


@pytest.mark.parametrize(("full", "passes"), [(0.0, 1 + 2), (1.0, (1 + 2) + 2)])
def test_unpacking_launches_fourteen_kernels_a_pass(full: float, passes: int) -> None:
    how = {**PASSES, "unpack_bytes": 3.5, "kernels_forward": 0.0, "kernels_backward": 0.0}
    made = layer({}, {"kernel": 1e-3, "unpack": 0.0}, {"full": full}, how)
    assert made.launch == pytest.approx(14 * passes * 1e-3)


def test_attention_where_matrix_units_are_cut() -> None:
    whole = layer(HEADS, {"attention": 0.5}, {}, PASSES)
    cut = layer(HEADS, {"attention": 0.5}, {}, PASSES, {"vector_bound": 0.55})
    assert cut.attention == pytest.approx(whole.attention * 0.55)


# --- experts -------------------------------------------------------------------------------------

EXPERTS = {"experts": 8.0, "experts_per_token": 2.0, "expert_weights": 1.5e6, "moe_share": 0.5,
           "expert_ffn": 500.0, "gated": 1.0}  # fmt: skip


@pytest.mark.parametrize(("full", "passes"), [(0.0, 6), (1.0, 8)])
def test_routed_experts(full: float, passes: int) -> None:
    made = layer(
        EXPERTS,
        {"matmul": 0.5, "expert_matmul": 0.8, "imbalance": 1.2},
        {"tensor": 2.0, "expert": 4.0, "full": full},
        PASSES,
    )
    # half of the layers pass a token through 2 experts; the fullest has 1.2 of the mean
    one = 2 * 1000 * (0.5 * 2 * 1.5e6 / 2) * 1.2 / (1e12 * 0.5 * 0.8)
    assert made.compute == pytest.approx(passes * one)
    assert made.memory == 0.0


@pytest.mark.parametrize(("low", "size"), [(0.0, 2), (1.0, 1)])
def test_the_traffic_of_routed_experts(low: float, size: int) -> None:
    made = layer(
        EXPERTS,
        {"traffic": 0.5, "bandwidth": 0.8, "matmul_start": 1e-3},
        {"tensor": 2.0, "expert": 4.0},
        PASSES,
        {"low": low},
    )
    # two of eight experts are here, cut by two tensor ranks, read once a micro-batch; a token's
    # hidden state goes in and out, its inner states 1.5 times
    weights = 0.5 * 8 * 1.5e6 / (4 * 2)
    tokens = 1000 * 0.5 * 2 * (2 * 1000 + 1.5 * 3 * 500 / 2)
    routed = size * (weights + tokens) * 0.5 / 0.8e9 + 2 * 0.5 * 1e-3  # two matmuls start
    # beside them the dense matmuls of h, of which nothing but the input and four starts is left
    dense = size * 1000 * 3 * 1000 * 0.5 / 0.8e9 + 4 * 1e-3
    assert made.memory == pytest.approx(6 * (routed + dense))


@pytest.mark.parametrize(("low", "launches"), [(0.0, 6), (1.0, 6 * 5)])
def test_experts_are_launched_one_after_another(low: float, launches: int) -> None:
    # a layer has 8 / 4 experts here, half of the layers have any; in 8 bits four casts a matmul
    made = layer(
        {**EXPERTS, "expert_weights": 1e3, "mlp_weights": 1e8},
        {"expert_launch": 1e-5, "expert_kernels": 6.0},
        {"expert": 4.0},
        PASSES,
        {"low": low},
    )
    took = 6 * 2 * 1000 * 0.5 * 2 * 1e3 / 1e12
    assert made.launch == pytest.approx(0.5 * 2 * launches * 1e-5 - took)


# --- logits --------------------------------------------------------------------------------------


def test_logits() -> None:
    made = layer(
        {"head_weights": 5e7, "vocabulary": 50_000.0, "answered": 0.8},
        {"matmul_base": 0.5, "bandwidth": 0.8},
        {"tensor": 2.0},
        {"forward": 1.0, "head": 4.0, "updates": 3.0},
    )
    assert made.head_compute == pytest.approx((1 + 4) * 2 * 1000 * 2.5e7 / (0.5e12 * 0.5))
    # 16 bytes a logit forward and backward, of the positions that are answered; back at most once
    # an update
    moved = 1000 * 0.8 * 25_000 * 16 * (1 + 3) / 2
    assert made.head_memory == pytest.approx(moved / 0.8e9)


def test_arrays_of_layouts_give_what_each_gives() -> None:
    both = layer(EXPERTS, None, {"tensor": np.array([1.0, 2.0])})
    each = [layer(EXPERTS, None, {"tensor": t}).compute for t in (1.0, 2.0)]
    assert list(both.compute) == each


def test_plain_gated_modules_move_more_between_their_kernels() -> None:
    made = layer(WIDE, {"elementwise": 0.5, "plain_traffic": 3.0}, {}, {**PASSES, "plain": 1.0})
    # (1 + 2 · 2) passes over 10 h and 4 ffn, in 16 bits; half of it, three times
    assert made.memory == pytest.approx(5 * 1000 * (10 * 1000 + 4 * 3000) * 2 * 0.5 * 3 / 1e9)
    bare = layer({**WIDE, "gated": 0.0}, {"elementwise": 0.5, "plain_traffic": 3.0}, {},
                 {**PASSES, "plain": 1.0})  # fmt: skip
    assert bare.memory == pytest.approx(5 * 1000 * (10 * 1000 + 2 * 3000) * 2 * 0.5 / 1e9)
