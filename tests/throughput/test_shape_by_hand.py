"""Sizes of a model by hand: from the usual names, from a count alone, and from a walk."""

from __future__ import annotations

from dataclasses import replace

import pytest
from throughput_models import decoder

from costcalc.throughput.footprint import Footprint, footprint_of
from costcalc.throughput.shape import (
    ModelShape,
    decoder_shape,
    mean_keys,
    shape_from_parameters,
    shape_of,
)
from costcalc.workload.architecture import Architecture, Block, Convolution, Linear, Stream
from costcalc.workload.counting import tally
from costcalc.workload.stage import WorkloadInput, workload
from costcalc.workload.work import Passes


def layer_weights(shape):
    return shape.attention_weights + shape.mlp_weights + shape.expert_stored


@pytest.mark.parametrize(
    ("window", "causal", "keys"),
    [
        (0, True, 500),  # half of 1000
        (200, True, 200 - 200 * 200 / 2000),  # w − w²/2s
        (1000, True, 500),
        (5000, True, 500),  # a window beyond the sequence is none
        (0, False, 1000),
        (200, False, 200),
    ],
)
def test_keys_that_a_query_sees(window: float, causal: bool, keys: float) -> None:
    assert float(mean_keys(1000.0, window, causal)) == pytest.approx(keys)


# Two layers of h 100: 4 query heads and 2 of keys and values, of 30; an MLP of 300; 1000 words
SIZES = {"layers": 2.0, "hidden": 100.0, "heads": 4.0, "kv_heads": 2.0, "head_dim": 30.0,
         "ffn": 300.0, "vocabulary": 1000.0, "sequence_length": 1000.0}  # fmt: skip


def test_a_dense_decoder() -> None:
    found = decoder_shape(**SIZES)
    attention = 2 * 100 * (4 + 2) * 30  # q and o of 4 heads, k and v of 2
    mlp = 3 * 100 * 300
    assert (found.attention_weights, found.mlp_weights, found.expert_weights) == (36e3, 90e3, 0)
    assert (attention, mlp) == (36e3, 90e3)
    assert layer_weights(found) == 126e3
    assert found.head_weights == 100e3
    assert found.parameters == 2 * 126e3 + 2 * 100e3
    assert found.active_weights == 2 * 126e3 + 100e3
    assert found.score_width == 2 * 4 * 30
    assert (found.keys, found.keys_unfused) == (500, 1000)
    assert (found.moe_share, found.expert_ffn, found.known, found.tied) == (0, 0, True, False)
    # forward: 2 FLOP a weight, and 2 · 240 · 500 of attention a layer
    assert found.forward_flops == 2 * 352e3 + 2 * 2 * 240 * 500
    plain = decoder_shape(**SIZES | {"kv_heads": None, "head_dim": None}, gated=0.0, tied=True)
    assert plain.attention_weights == 4 * 100 * 100  # 4 heads of 100 / 4
    assert plain.mlp_weights == 2 * 100 * 300
    assert plain.parameters == 2 * 100e3 + 100e3  # the tied embedding once


def test_experts_stand_in_the_layers_that_are_not_dense() -> None:
    found = decoder_shape(
        **SIZES | {"layers": 4.0}, experts=8.0, experts_per_token=2.0, shared_ffn=50.0,
        dense_layers=1.0, dense_ffn=700.0,
    )  # fmt: skip
    assert found.moe_share == 3 / 4
    assert found.expert_weights == 3 * 100 * 300
    # one layer of four is a dense MLP of 700, three have a shared expert of 50
    assert found.mlp_weights == pytest.approx(3 * 100 * (700 / 4 + 50 * 3 / 4))
    assert found.expert_stored == pytest.approx(3 / 4 * 8 * 90e3)
    assert found.expert_active == pytest.approx(3 / 4 * 2 * 90e3)
    layer = 36e3 + 3 * 100 * 212.5
    assert found.parameters == pytest.approx(4 * layer + 3 * 8 * 90e3 + 200e3)
    assert found.active_weights == pytest.approx(4 * layer + 3 * 2 * 90e3 + 100e3)
    assert found.expert_ffn == 300


def test_windows_of_some_of_the_layers() -> None:
    found = decoder_shape(**SIZES, window=200.0, windowed_share=0.25)
    assert found.keys == pytest.approx(0.75 * 500 + 0.25 * 180)
    latent = decoder_shape(**SIZES, attention_weights=7e3, score_width=77.0, causal=False)
    assert (latent.attention_weights, latent.score_width, latent.keys) == (7e3, 77, 1000)


@pytest.mark.parametrize(
    ("passes", "layers", "core", "head"),
    [
        # through the layers: weights 2 FLOP, twice back; the core twice back in all
        (Passes(), 3, 3, 3),
        (Passes(weights=0.0, head=1.0), 2, 3, 2),  # LoRA: no gradients of weights
        (Passes(forward=2.0), 4, 4, 4),  # a reference model
        (Passes(forward=3.0, backward=2.0, weights=0.5, head=5.0), 5.5, 7, 8),
    ],
)
def test_flops_of_the_passes_of_a_method(
    passes: Passes, layers: float, core: float, head: float
) -> None:
    found = decoder_shape(**SIZES)
    by_hand = layers * 2 * 2 * 126e3 + core * 2 * 2 * 240 * 500 + head * 2 * 100e3
    assert found.flops_of(passes) == pytest.approx(by_hand)
    scans = replace(found, other_flops=11.0)
    assert scans.flops_of(passes) == pytest.approx(by_hand + core * 2 * 11)


def test_the_rule_for_a_parameter_count() -> None:
    # 196608 · 16³ parameters: 16 layers of h 128 · 16 = 2048 with 16 heads
    found = shape_from_parameters(196608.0 * 16**3, 1024.0)
    assert float(found.layers) == pytest.approx(16)
    assert float(found.hidden) == pytest.approx(2048)
    assert float(found.heads) == pytest.approx(16)
    assert float(found.ffn) == pytest.approx(4 * 2048)
    assert float(layer_weights(found)) == pytest.approx(12 * 2048**2)
    assert found.parameters == 196608.0 * 16**3
    assert found.known is False
    assert float(found.vocabulary) == 50304
    assert float(found.keys) == 512
    small = shape_from_parameters(196608.0, 1024.0)  # one layer of 128: a fifth is the head
    assert float(small.vocabulary) == pytest.approx(0.2 * 196608 / 128)


# --- from a walk ---------------------------------------------------------------------------------


def test_the_shape_of_a_walk_is_that_of_the_names() -> None:
    # a router, norms and the embedding are no matmul of the stack
    model = decoder(
        layers=4, hidden=128, heads=4, kv_heads=2, ffn=256, vocabulary=512, experts=8,
        experts_per_token=2,
    )  # fmt: skip
    one = tally(model, sequence_length=64)
    found = shape_of(model, one)
    assert found is not None
    assert (found.layers, found.hidden, found.heads, found.kv_heads) == (4, 128, 4, 2)
    assert (found.head_dim, found.ffn, found.expert_ffn, found.gated) == (32, 256, 256, 1)
    assert (found.vocabulary, found.experts, found.experts_per_token) == (512, 8, 2)
    assert found.attention_weights == 2 * 128 * (4 + 2) * 32
    assert found.expert_weights == 3 * 128 * 256
    assert found.mlp_weights == 128 * 8  # the router
    assert found.moe_share == 1
    assert (found.keys, found.keys_unfused) == (32, 64)
    assert found.score_width == 4 * (32 + 32)
    assert found.head_weights == 128 * 512
    assert found.parameters == one.stored
    assert (found.filled, found.answered, found.sequence_length) == (1, 1, 64)
    assert found.other_flops == 0
    assert float(found.forward_flops) * 64 == pytest.approx(one.forward)


def test_a_short_stream_fills_a_part_of_the_longest() -> None:
    # three layers on 40 positions, one on 10 that alone are answered
    def layer(stream: str, repeat: int) -> Block:
        return Block(
            name=stream,
            stream=stream, repeat=repeat, layer=True,
            operators=(Linear(n_in=8, n_out=8, part="mlp"),),
        )  # fmt: skip

    head = Block(
        name="head",
        stream="b",
        repeat=1,
        layer=False,
        operators=(Linear(n_in=8, n_out=20, part="head"),),
    )
    model = Architecture(
        name="two",
        gated=False, kind="decoder", hidden=8,
        streams=(Stream(name="a", length=40), Stream(name="b", length=10)),
        blocks=(layer("a", 3), layer("b", 1), head),
    )  # fmt: skip
    one = tally(model)
    found = shape_of(model, one)
    assert found is not None
    assert found.sequence_length == 40
    assert found.filled == (3 * 40 + 10) / (4 * 40)
    assert found.answered == 10 / 40
    assert found.mlp_weights == 64 * (3 * 40 + 10) / (4 * 40)  # shared out to the longest
    assert found.head_weights == 8 * 20 * 10 / 40
    assert (found.keys, found.keys_unfused, found.score_width) == (1, 1, 0)
    assert found.gated == 0
    assert found.moe_share == 0
    assert found.expert_ffn == 0
    bare = shape_of(model, replace(one, answered=0))
    assert bare is not None
    assert bare.answered == 1
    assert shape_of(replace(model, blocks=(head,)), one) is None
    assert shape_of(replace(model, hidden=0), one) is None


def test_what_is_made_of_convolutions_has_no_shape() -> None:
    block = Block(
        name="convolution",
        stream="image", repeat=4, layer=True,
        operators=(Convolution(c_in=8, c_out=8, kernel=9, positions=16),),
    )  # fmt: skip
    net = Architecture(
        name="net", kind="vision", hidden=8,
        streams=(Stream(name="image", length=1),), blocks=(block,),
    )  # fmt: skip
    assert shape_of(net, tally(net)) is None


# --- what is kept, without shapes ----------------------------------------------------------------


def test_the_footprint_of_a_parameter_count() -> None:
    # 12 · L · h² with h = 128 · L (Kaplan et al. 2020): 16 layers of 2048 are 805,306,368
    work = workload(WorkloadInput(parameters=12 * 16 * 2048.0**2, tokens=1e9, sequence_length=100))
    assert footprint_of(work) == Footprint(
        layers=16.0,
        dense=pytest.approx(12 * 2048**2),
        parameters=12 * 16 * 2048.0**2,
        largest=pytest.approx(4 * 2048**2),
        whole=pytest.approx(4 * 2048 * 100),
        split=pytest.approx(12 * 2048 * 100),
        stream=pytest.approx(2048 * 100),
        scores=pytest.approx(16 * 100 * 100),
        logits=64e3 * 100,
        spread=(0.5, 2.0),
        basis="parameters",
    )
    tiny = workload(WorkloadInput(parameters=10.0, tokens=1e9, sequence_length=100))
    found = footprint_of(tiny)
    assert found is not None
    assert found.layers == 1.0


def test_the_footprint_of_forward_flops() -> None:
    # 150 · √FLOP elements, of a convolution and of its normalization; 75 to 300 of them
    work = workload(WorkloadInput(forward_flops=1e10, parameters=25e6, samples=1e6))
    assert footprint_of(work) == Footprint(
        layers=50.0,
        dense=25e6 / 50,
        parameters=25e6,
        split=pytest.approx(2 * 150 * 1e5 / 50),
        stream=pytest.approx(2 * 150 * 1e5 / 50 / 4),
        spread=(0.5, 2.0),
        basis="forward_flops",
    )
    bare = replace(work, forward_flops_per_datum=None)
    assert footprint_of(bare) == Footprint(
        layers=1.0, dense=25e6, parameters=25e6, spread=(0.0, 4.0), basis="parameters"
    )
    assert footprint_of(replace(work, parameters=None)) is None


def test_the_footprint_of_a_walk_is_a_mean_layer() -> None:
    model = decoder(layers=4, hidden=128, heads=4, ffn=256, vocabulary=512)
    work = workload(WorkloadInput(architecture=model, tokens=1e6, sequence_length=64))
    one = tally(model, sequence_length=64)
    found = footprint_of(work)
    assert found is not None
    for name in ("whole", "split", "scores", "stream"):
        assert getattr(found, name) == getattr(one, f"kept_{name}") / 4
    assert (found.dense, found.expert) == (one.stored_dense / 4, one.stored_experts / 4)
    assert (found.layers, found.basis, found.spread) == (4, "shapes", (1.0, 1.0))


def test_sizes_that_are_not_said_are_none() -> None:
    bare = ModelShape(layers=1.0, hidden=1.0)
    assert (layer_weights(bare), bare.expert_stored, bare.active_weights) == (0, 0, 0)
    ones = {"layers": 1, "hidden": 1, "gated": 1, "filled": 1, "answered": 1, "known": True}
    ones |= {"sequence_length": 1, "kind": "decoder"}
    for name in ModelShape.__slots__:
        assert getattr(bare, name) == ones.get(name, 0), name
    empty = Footprint(layers=1.0, dense=2.0)
    sizes = {"layers": 1, "dense": 2, "spread": (1, 1), "basis": "shapes"}
    for name in Footprint.__slots__:
        assert getattr(empty, name) == sizes.get(name, 0), name
    routed = decoder_shape(**SIZES, experts=8.0, experts_per_token=2.0)
    assert (routed.moe_share, routed.mlp_weights, routed.shared_ffn) == (1, 0, 0)
