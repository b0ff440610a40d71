"""Every sum of a walk by hand: a model of two streams that has one of each operator.

Sizes are small and all different, so that no two terms are alike.
"""

from __future__ import annotations

from dataclasses import fields

import pytest

from costcalc import InputError
from costcalc.workload.architecture import (
    Architecture,
    Attention,
    Block,
    Convolution,
    Linear,
    Scan,
    Stream,
    Weights,
)
from costcalc.workload.counting import (
    active_parameters,
    double_pairs,
    lengths,
    matmul_parameters,
    parameters,
    recompute_flops,
    tally,
)
from costcalc.workload.families.common import Shape, Sizes
from costcalc.workload.keeping import kept, places
from costcalc.workload.methods import frozen, head_parameters
from costcalc.workload.work import Passes, Recompute, Tally

# 3 heads of 4 (queries and keys) and 5 (values) on 20 positions, over 30 of another stream
CORE = Attention(heads=3, kv_heads=3, qk_dim=4, v_dim=5)
CROSS = Attention(heads=2, kv_heads=2, qk_dim=4, v_dim=3, over="source")
STEM = Convolution(c_in=6, c_out=8, kernel=3, groups=2, bias=True, positions=2, first=True)
SCAN = Scan(flops=11, state=2)
ROUTED = Linear(n_in=10, n_out=7, part="expert", copies=4, active=2, bias=True)
SHARED = Linear(n_in=10, n_out=6, part="expert", copies=2, active=2)
HEAD = Linear(n_in=10, n_out=50, part="head", tied=True, bias=True)

MODEL = Architecture(
    name="all", kind="encoder-decoder", hidden=10,
    streams=(Stream(name="text"), Stream(name="source", target=True, share=1.5)),
    blocks=(
        Block(name="words", layer=False, operators=(
            Weights(count=500, part="embedding"), Weights(count=9), STEM)),
        Block(name="self", repeat=2, operators=(
            Linear(n_in=10, n_out=12, part="attention", bias=True), CORE,
            Linear(n_in=15, n_out=10, part="attention"), Weights(count=10))),
        Block(name="cross", operators=(CROSS, SCAN, Linear(n_in=10, n_out=10, part="mlp"))),
        Block(name="experts", repeat=3, operators=(
            Linear(n_in=10, n_out=4, part="router"), ROUTED, SHARED)),
        Block(name="there", stream="source", operators=(
            Convolution(c_in=3, c_out=4, kernel=5, positions=0.5),)),
        Block(name="out", layer=False, operators=(Weights(count=10), HEAD)),
    ),
)  # fmt: skip
ONE = tally(MODEL, sequence_length=20)
S, T = 20, 30  # 1.5 times the text

PROJECTIONS = 2 * 2 * (10 * 12 + 15 * 10) * S
ATTENTION = 2 * 3 * (4 + 5) * (S * S)  # 2 FLOP · half of the pairs, of two layers
ACROSS = 2 * (4 + 3) * 2 * S * T
EXPERTS = 3 * 2 * 10 * 7 * 2 * S
BESIDE = 3 * (2 * 10 * 4 + 2 * 10 * 6 * 2) * S
HEADS = 2 * 10 * 50 * S
STEMS = 2 * (6 // 2) * 8 * 3 * 2 * S
THERE = 2 * 3 * 4 * 5 * 0.5 * T
SCANS, PLAIN = 11 * S, 2 * 10 * 10 * S
LAYERS = PROJECTIONS + ATTENTION + ACROSS + EXPERTS + BESIDE + THERE + SCANS + PLAIN


def test_flops_of_each_kind() -> None:
    assert ONE.forward == LAYERS + HEADS + STEMS
    assert ONE.layers == LAYERS
    assert ONE.attention == ATTENTION + ACROSS
    assert ONE.projections == PROJECTIONS
    assert ONE.routed == EXPERTS
    assert ONE.head == HEADS
    assert ONE.scan == SCANS
    assert ONE.convolution == STEMS + THERE
    assert ONE.first == STEMS
    # the last multiplication of each layer: 15 · 10 twice, 10 · 10, and two shared of 10 · 6
    assert ONE.last == 2 * 2 * 150 * S + PLAIN + 3 * 2 * 10 * 6 * 2 * S
    assert ONE.training == 3 * ONE.forward - STEMS
    assert ONE.input_gradient == ONE.forward - STEMS + ATTENTION + ACROSS + SCANS


def test_the_attention_core_in_other_counts() -> None:
    assert ONE.attention_in_full == 2 * 3 * 9 * 2 * S * S + ACROSS
    assert ONE.attention_unfused == 2 * 3 * 9 * 2 * S * S + ACROSS
    assert ONE.attention_width == 2 * 3 * 9 + 2 * 7
    exact = tally(MODEL, sequence_length=20, convention="exact")
    assert exact.attention == 2 * 27 * S * (S + 1) + ACROSS
    # within documents of 5: a quarter of the keys, across streams all of them
    short = tally(MODEL, sequence_length=20, document=5)
    assert short.attention == 2 * 27 * 5 * 5 * 4 + ACROSS
    assert short.attention_in_full == ONE.attention_in_full
    assert tally(MODEL, sequence_length=20, document=20).attention == ONE.attention
    window = Attention(heads=1, kv_heads=1, qk_dim=1, v_dim=1, window=4)
    assert double_pairs(window, 10, 10) == 2 * 4 * 10 - 16
    assert double_pairs(window, 10, 10, "full") == 2 * 4 * 10
    assert double_pairs(window, 4, 4) == 16  # no window where the sequence is as short
    chunks = Attention(heads=1, kv_heads=1, qk_dim=1, v_dim=1, window=4, chunked=True)
    assert double_pairs(chunks, 10, 10) == 2 * 16 + 2 * 2  # two of 4, and one of 2
    assert double_pairs(chunks, 4, 4) == 16


def test_lengths_of_streams() -> None:
    assert lengths(MODEL, 20) == {"text": 20, "source": 30}
    assert lengths(MODEL, 20, 7) == {"text": 20, "source": 7}
    assert (ONE.tokens, ONE.longest) == (20, 30)
    assert dict(ONE.lengths) == {"text": 20, "source": 30}
    own = Architecture(
        name="own", kind="speech", blocks=(),
        streams=(Stream(name="a", length=5), Stream(name="b", target=True, default=3, share=9.0)),
    )  # fmt: skip
    assert lengths(own, 20) == {"a": 5, "b": 3}
    assert lengths(own, None, 4) == {"a": 5, "b": 4}
    bare = Architecture(
        name="bare", kind="speech", blocks=(), streams=(Stream(name="b", target=True),)
    )
    assert lengths(bare, None) == {"b": 1}
    with pytest.raises(InputError, match="for the attention of all; got none"):
        lengths(MODEL, None)


def test_positions_of_layers_and_of_the_head() -> None:
    # 2 + 1 + 3 layers of 20 and one of 30; the head answers 20 with 50 words each
    assert ONE.positions == 6 * 20 + 30
    assert (ONE.answered, ONE.logits) == (20, 50 * 20)
    assert ONE.routing_layers == 3


def test_where_parameters_lie() -> None:
    own = 2 * (12 * (10 + 1) + 10 * 15 + 10) + 100 + 3 * (40 + 2 * 60)
    assert ONE.stored_dense == own + 4 * 3 * 5
    assert ONE.stored_experts == 3 * 4 * 7 * (10 + 1)
    stem = 8 * (6 // 2 * 3 + 1)
    assert ONE.stored_embedding == 500 + stem
    assert ONE.stored_head == 9 + 10 + 50  # and the bias of a tied head
    assert ONE.stored_tied == 10 * 50
    whole = own + 60 + 3 * 4 * 77 + 500 + stem + 69
    assert ONE.stored == parameters(MODEL) == whole
    # a token passes two of four experts, and both shared ones
    assert active_parameters(MODEL) == whole - 3 * 2 * 77
    assert matmul_parameters(MODEL) == (2 * (120 + 150) + 100 + 3 * (40 + 2 * 70 + 2 * 60) + 500)
    assert head_parameters(MODEL) == 50 * (10 + 1)
    assert ONE.largest == 15 * 10


@pytest.mark.parametrize(
    ("operator", "in_a_layer", "beside"),
    [
        # 10 · 7 weights and 7 biases of each copy; only experts of which some rest are experts
        (ROUTED, [("stored_experts", 4 * 77)], [("stored_head", 4 * 77)]),
        (SHARED, [("stored_dense", 2 * 60)], [("stored_head", 2 * 60)]),
        (HEAD, [("stored_tied", 500), ("stored_dense", 50)], [("stored_tied", 500),
                                                              ("stored_head", 50)]),
        # 8 outputs of 6 / 2 inputs · 3 and a bias
        (STEM, [("stored_dense", 80)], [("stored_embedding", 80)]),
        (Weights(count=9), [("stored_dense", 9)], [("stored_head", 9)]),
        (Weights(count=9, part="embedding"), [("stored_dense", 9)], [("stored_embedding", 9)]),
        (CORE, [("stored_dense", 0)], [("stored_head", 0)]),
        (SCAN, [("stored_dense", 0)], [("stored_head", 0)]),
    ],
)  # fmt: skip
def test_where_the_parameters_of_an_operator_lie(operator, in_a_layer, beside) -> None:
    for layer, expected in ((True, in_a_layer), (False, beside)):
        assert list(places(Block(name="b", layer=layer, operators=()), operator)) == expected


def test_a_stack_has_nothing_that_is_not_said() -> None:
    bare = Shape(hidden=6)
    assert (bare.layers, bare.heads, bare.kv_heads, bare.head_dim) == (0, 0, 0, 0)
    assert (bare.ffn, bare.vocabulary, bare.tied) == (0, 0, False)
    even = Shape.even(hidden=6, heads=2)
    assert even == Shape(hidden=6, heads=2, kv_heads=2, head_dim=3)
    full = Shape.even(hidden=1, heads=2, layers=3, ffn=4, vocabulary=5, tied=True)
    assert full == Shape(hidden=1, heads=2, kv_heads=2, head_dim=1, layers=3, ffn=4, vocabulary=5,
                         tied=True)  # fmt: skip
    assert (Sizes().ffn_of(6), Sizes(ffn=None).ffn_of(6)) == (11008, 24)


@pytest.mark.parametrize(
    ("operators", "whole", "split"),
    [
        # the block's input, which its norm keeps, and each projection's; inner ones are split
        ((Linear(n_in=10, n_out=12, part="attention"), CORE,
          Linear(n_in=15, n_out=10, part="attention")), 10 + 10, 12 + 15),
        # queries, keys and values share their input
        ((Linear(n_in=10, n_out=12, part="attention"), Linear(n_in=10, n_out=4, part="attention"),
          Linear(n_in=12, n_out=10, part="attention")), 10 + 10, 12 + 4 + 12),
        # an MLP of 40 after attention: another input
        ((Linear(n_in=10, n_out=10, part="attention"), Linear(n_in=10, n_out=40, part="mlp"),
          Linear(n_in=40, n_out=10, part="mlp")), 2 * (10 + 10), 40 + 40),
        ((Linear(n_in=10, n_out=40, part="mlp"), Linear(n_in=10, n_out=40, part="mlp"),
          Linear(n_in=40, n_out=10, part="mlp")), 10 + 10, 40 + 40 + 40),
        # experts keep a copy of what each token is sent, and what each puts out
        ((Linear(n_in=10, n_out=7, part="expert", copies=4, active=2),), 10, 2 * 10 + 2 * 7),
        ((Linear(n_in=10, n_out=7, part="expert", copies=2, active=2),), 10, 2 * 10),
    ],
)  # fmt: skip
def test_what_a_layer_keeps(operators, whole: int, split: int) -> None:
    block = Block(name="one", operators=operators)
    found = kept(block, 10, {"text": 20})
    assert (found["kept_whole"], found["kept_split"]) == (whole * 20, split * 20)
    assert found["kept_stream"] == 10 * 20


def test_scores_and_feature_maps_that_are_kept() -> None:
    windowed = Attention(heads=3, kv_heads=3, qk_dim=4, v_dim=5, window=6)
    block = Block(name="one", operators=(CORE, CROSS, windowed, STEM))
    found = kept(block, 10, {"text": 20, "source": 30})
    assert found["kept_scores"] == 3 * 20 * 20 + 2 * 20 * 30 + 3 * 20 * 6
    assert found["kept_split"] == (6 + 8) * 2 * 20


def test_the_walk_keeps_what_its_layers_keep() -> None:
    by_block = [
        (block.repeat, kept(block, 10, {"text": S, "source": T}))
        for block in MODEL.blocks
        if block.layer
    ]
    for name in ("kept_whole", "kept_split", "kept_scores", "kept_stream"):
        assert getattr(ONE, name) == sum(repeat * found[name] for repeat, found in by_block)
    assert ONE.kept_scores == 2 * 3 * S * S + 2 * S * T
    assert ONE.kept_stream == 10 * (6 * 20 + 30)


def test_what_is_recomputed() -> None:
    assert recompute_flops(ONE, "full") == LAYERS
    assert recompute_flops(ONE, "full", early_stop=True) == LAYERS - ONE.last
    assert recompute_flops(ONE, "selective") == ATTENTION + ACROSS
    assert recompute_flops(ONE, "none") == 0


def test_what_is_not_said_is_nothing() -> None:
    bare = Tally(forward=7)
    ones = {"tokens": 1, "longest": 1, "lengths": (), "forward": 7}
    for field in fields(Tally):
        assert getattr(bare, field.name) == ones.get(field.name, 0), field.name
    assert (bare.training, bare.input_gradient, bare.stored) == (21, 7, 0)
    assert Recompute() == Recompute(none=0, selective=0, full=0)
    passes = Passes()
    assert (passes.flops, passes.generated, passes.adapters) == (0, 0, 0)
    assert (passes.forward, passes.backward, passes.weights) == (1, 1, 1)
    assert (passes.head, passes.updates) == (2, 1)
    plain = Linear(n_in=1, n_out=1, part="mlp")
    assert (plain.copies, plain.active, plain.bias, plain.tied, plain.first) == (
        1, 1, False, False, False,
    )  # fmt: skip
    kernel = Convolution(c_in=1, c_out=1, kernel=1)
    assert (kernel.groups, kernel.bias, kernel.positions, kernel.first) == (1, False, 1, False)
    assert (CORE.causal, CORE.chunked, CORE.window, CORE.over) == (True, False, None, None)
    assert (Stream(name="a").target, Stream(name="a").share) == (False, 1.0)
    block = Block(name="a", operators=())
    assert (block.repeat, block.layer) == (1, True)
    nothing = Architecture(name="a", kind="ssm", streams=(), blocks=())
    assert (nothing.hidden, nothing.heads, nothing.kv_heads, nothing.head_dim) == (0, 0, 0, 0)
    assert (nothing.ffn, nothing.vocabulary, nothing.experts) == (0, 0, 0)
    assert (nothing.experts_per_token, nothing.gated, nothing.layers) == (0, True, 0)


def test_a_frozen_backbone_learns_its_head() -> None:
    assert frozen(ONE).flops == ONE.forward + HEADS
    half = frozen(ONE, last_layers=2, layers=4)
    assert half.flops == ONE.forward + 2 * LAYERS / 2 + 2 * HEADS
    assert (half.backward, half.weights, half.head) == (0.5, 0.5, 2)
    none = frozen(ONE)
    assert (none.backward, none.weights, none.head) == (0, 0, 1)
