"""Models by their shape or by their parameter count, every size by hand."""

from __future__ import annotations

import pytest

from costcalc import InputError
from costcalc.workload.counting import parameters, tally
from costcalc.workload.generic import Given, from_parameters, from_shape

SMALL = {"layers": 2, "hidden": 64, "heads": 4, "ffn": 100, "vocabulary": 50}
ATTENTION = 4 * 64**2
GROUPED = 2 * 64 * 64 + 2 * 64 * 32  # 2 of 4 heads of 16
TABLE = 50 * 64
NORMS = 2 * 2 * 64 + 64  # of both layers, and the last


@pytest.mark.parametrize(("keys", "expected"), [
    ({}, 2 * TABLE + 2 * (ATTENTION + 3 * 64 * 100) + NORMS),
    ({"tied": True}, TABLE + 2 * (ATTENTION + 3 * 64 * 100) + NORMS),
    ({"gated": False}, 2 * TABLE + 2 * (ATTENTION + 2 * 64 * 100) + NORMS),
    ({"kv_heads": 2, "positions": 7},
     2 * TABLE + 7 * 64 + 2 * (GROUPED + 3 * 64 * 100) + NORMS),
    # with biases, the norms have one too
    ({"biases": True},
     2 * TABLE + 2 * (ATTENTION + 4 * 64 + 3 * 64 * 100 + 2 * 100 + 64) + 2 * NORMS),
    # a dense layer, and one of a router and 1 + 4 experts
    ({"experts": 4, "experts_per_token": 4, "expert_ffn": 30, "dense_layers": 1,
      "shared_experts": 1},
     2 * TABLE + 2 * ATTENTION + 3 * 64 * 100 + 64 * 4 + 5 * 3 * 64 * 30 + NORMS),
    ({"experts": 4, "experts_per_token": 2},
     2 * TABLE + 2 * (ATTENTION + 64 * 4 + 4 * 3 * 64 * 100) + NORMS),
    # words; layers; a dense layer, its norm, the bias of the words
    ({"kind": "encoder"},
     TABLE + 128 + 2 * (ATTENTION + 256 + 2 * 64 * 100 + 164 + 256) + 64**2 + 64 + 128 + 50),
    ({"kind": "encoder", "positions": 7, "gated": True, "biases": False},
     TABLE + 7 * 64 + 128 + 2 * (ATTENTION + 3 * 64 * 100 + 256) + 64**2 + 64 + 128 + 50),
    ({"kind": "encoder", "tied": False},
     2 * TABLE + 128 + 2 * (ATTENTION + 256 + 2 * 64 * 100 + 164 + 256) + 64**2 + 64 + 128 + 50),
    ({"kind": "encoder-decoder"},
     TABLE + 2 * (3 * ATTENTION + 2 * 2 * 64 * 100 + 5 * 64) + 2 * 64),
    ({"kind": "encoder-decoder", "decoder_layers": 1, "gated": True, "tied": False},
     2 * TABLE + 4 * ATTENTION + 3 * 3 * 64 * 100 + (4 + 3) * 64 + 2 * 64),
    # one patch of 32 x 32 x 3, the class token, their positions
    ({"kind": "vit", "image_size": 32, "patch_size": 32, "classes": 0},
     32**2 * 3 * 64 + 64 + 3 * 64 + 2 * (ATTENTION + 256 + 2 * 64 * 100 + 164 + 256) + 128),
    ({"kind": "vit", "channels": 1},
     16**2 * 64 + 64 + (14**2 + 2) * 64 + 2 * (ATTENTION + 256 + 2 * 64 * 100 + 164 + 256)
     + 128 + 64 * 1000 + 1000),
    # patches; the step, its layers and 10 + 1 classes; layers; modulation; the last one; head
    ({"kind": "dit", "classes": 10},
     4 * 4 * 64 + 64 + 256 * 64 + 64 + 64**2 + 64 + 11 * 64
     + 2 * (ATTENTION + 256 + 2 * 64 * 100 + 164) + 2 * (64 * 384 + 384) + 64 * 128 + 128
     + 64 * 4 * 8 + 4 * 8),
    ({"kind": "dit", "classes": 0, "channels": 3, "patch_size": 4},
     16 * 3 * 64 + 64 + 256 * 64 + 64 + 64**2 + 64
     + 2 * (ATTENTION + 256 + 2 * 64 * 100 + 164) + 2 * (64 * 384 + 384) + 64 * 128 + 128
     + 64 * 16 * 6 + 16 * 6),
])  # fmt: skip
def test_shapes(keys, expected):
    assert parameters(from_shape(Given(**{**SMALL, **keys}))) == expected


@pytest.mark.parametrize(("keys", "sizes", "notes"), [
    ({}, (8, 8, 128, 2816), ["heads 8: hidden / 128", "kv_heads 8: as many as heads",
                             "ffn 2816: 8/3 of hidden, up to 256"]),  # 2730.7 -> 11 x 256
    ({"hidden": 96}, (1, 1, 96, 256), ["heads 1: hidden / 128", "kv_heads 1: as many as heads",
                                       "ffn 256: 8/3 of hidden, up to 256"]),
    ({"head_dim": 64, "gated": False, "kv_heads": 4}, (16, 4, 64, 4096),
     ["heads 16: hidden / 128", "ffn 4096: 4 x hidden"]),
    ({"heads": 16, "kv_heads": 8, "ffn": 5}, (16, 8, 64, 5), []),
    ({"heads": 1024, "kv_heads": 8, "ffn": 5}, (1024, 8, 1, 5), []),
])  # fmt: skip
def test_sizes_that_are_not_given(keys, sizes, notes):
    model = from_shape(Given(**{"layers": 1, "hidden": 1024, "vocabulary": 9, **keys}))
    assert (model.heads, model.kv_heads, model.head_dim, model.ffn) == sizes
    assert list(model.notes) == notes


def test_images_have_no_vocabulary_and_experts_their_width():
    image = from_shape(Given(**{**SMALL, "kind": "vit"}))
    assert (image.vocabulary, image.kv_heads, image.head_dim, image.gated) == (0, 4, 16, False)
    mixed = from_shape(Given(**SMALL, experts=4, experts_per_token=2, expert_ffn=30))
    assert (mixed.ffn, mixed.experts, mixed.experts_per_token) == (30, 4, 2)
    plain = from_shape(Given(**SMALL))
    assert (plain.ffn, plain.experts, plain.experts_per_token) == (100, 0, 0)


@pytest.mark.parametrize(("keys", "message"), [
    ({"layers": 10_001}, "layers: expected 10000 layers at most; got 10001"),
    ({"layers": 0}, "layers: expected a whole number, 1 or more, for a decoder; got none"),
    ({"kv_heads": 3}, "kv_heads: expected a divisor of heads (4); got 3"),
    ({"experts": 2, "experts_per_token": 3},
     "experts_per_token: expected at most the 2 experts; got 3"),
    ({"kind": "encoder", "vocabulary": None}, "vocabulary: expected a whole number, 1 or more"),
    ({"kind": "dit", "patch_size": 33}, "patch_size: expected at most image_size (32); got 33"),
])  # fmt: skip
def test_shapes_beyond_the_limits(keys, message):
    with pytest.raises(InputError) as caught:
        from_shape(Given(**{**SMALL, **keys}))
    assert f"model.architecture.{message}" in str(caught.value)


def test_shapes_at_the_limits():
    assert from_shape(Given(**{**SMALL, "layers": 10_000})).layers == 10_000
    assert from_shape(Given(**SMALL, experts=2, experts_per_token=2)).experts_per_token == 2
    assert from_shape(Given(**{**SMALL, "kind": "dit", "patch_size": 32})).streams[0].length == 1


# -- by parameter count --------------------------------------------------------------------------

N = 12 * 32 * 4096**2  # L = d / 128 and N = 12·L·d²
TIED = {"hidden": 4096, "vocabulary": 1000, "tied": True}


@pytest.mark.parametrize(("active", "keys", "length", "forward", "core", "spread"), [
    (None, {}, None, 2 * N, 0, 1 + 0.1),
    # attention left out: s / 12·d of such a shape
    (None, {}, 2048, 2 * N, 0, 1 + 0.1 + 2048 / (12 * 4096)),
    (N / 3, {"hidden": 2048}, 2048, 2 * N / 3, 0, 1 + 0.1 + 2048 / (12 * 2048)),
    # whether the words are multiplied, too, is not said
    (None, {**TIED, "tied": None}, None, 2 * N, 0, 1 + 1000 * 4096 / N),
    (None, TIED, None, 2 * N, 0, 1),
    (None, {**TIED, "tied": False}, None, 2 * (N - 1000 * 4096), 0, 1),
    (None, {**TIED, "layers": 8}, 2048, 2 * N + 2 * 8 * 4096 * 2048, 2 * 8 * 4096 * 2048, 1),
    (None, {"layers": 8, "heads": 4, "head_dim": 64}, 2048,
     2 * N + 2 * 8 * 256 * 2048, 2 * 8 * 256 * 2048, 1 + 0.1),
])  # fmt: skip
def test_a_count_and_what_stands_beside_it(active, keys, length, forward, core, spread):
    rough = from_parameters(N, active, Given(**keys), length)
    assert (rough.parameters, rough.active, rough.exact) == (N, active or N, False)
    assert rough.spread == pytest.approx(spread)
    one = rough.per_token
    head = 2 * keys.get("vocabulary", 0) * 4096
    assert one.forward == pytest.approx(forward)
    assert (one.attention, one.head, one.tokens, one.first, one.last) == (core, head, 1, 0, 0)
    assert one.layers == pytest.approx(forward - head)
    assert one.training == pytest.approx(3 * forward)
    assert rough.convention.startswith("6·N·D + attention" if core else "6·N·D, attention left out")


def test_a_head_is_no_more_than_half_of_a_tiny_model():
    """2·N of a million parameters, of which 1000 x 4096 cannot be the table."""
    one = from_parameters(1e6, None, Given(**TIED), None).per_token
    assert (one.head, one.layers) == (1e6, 2e6 - 1e6)


@pytest.mark.parametrize("keys", [{}, {"heads": None, "head_dim": 16}])
def test_a_whole_shape_and_a_count_beyond_it(keys):
    """What the shape does not explain multiplies as layers do, or may not: 2 FLOP a parameter."""
    shape = Given(**{**SMALL, **keys})
    built = parameters(from_shape(shape))
    whole = tally(from_shape(shape), sequence_length=8)
    rough = from_parameters(built + 1000, None, shape, 8)
    one = rough.per_token
    assert one.forward == whole.forward / 8 + 2 * 1000
    assert one.layers == whole.layers / 8 + 2 * 1000
    assert (one.attention, one.head, one.last, one.tokens) == (
        whole.attention / 8, whole.head / 8, whole.last / 8, 1,
    )  # fmt: skip
    assert rough.spread == 1 + 2 * 1000 / one.forward
    assert not rough.exact
    assert f"the shape comes to {built:,} parameters" in rough.notes[-1]
    fewer = from_parameters(built - 1000, None, shape, 8)
    assert fewer.spread == 1 + 2 * 1000 / (whole.forward / 8 - 2 * 1000)
    assert from_parameters(built, None, shape, 8).exact
    # without a length, by the count alone, but with the shape for memory
    assert from_parameters(built, None, shape, None).architecture == rough.architecture


def test_a_gated_encoder_names_its_gate():
    model = from_shape(Given(**{**SMALL, "kind": "encoder", "gated": True}))
    names = [getattr(o, "name", "") for b in model.blocks if b.layer for o in b.operators]
    assert [n for n in names if n][4:] == ["gate", "intermediate", "output"]
    plain = from_shape(Given(**{**SMALL, "kind": "encoder"}))
    names = [getattr(o, "name", "") for b in plain.blocks if b.layer for o in b.operators]
    assert [n for n in names if n][4:] == ["intermediate", "output"]


def test_part_of_a_shape_is_none():
    assert from_parameters(1e9, None, Given(layers=2, hidden=64, ffn=9), 8).architecture is None
    assert from_parameters(1e9, 1e9, Given(), 8).active == 1e9  # all of them: at the limit


def test_experts_without_a_shape_need_the_parameters_that_are_active():
    with pytest.raises(InputError) as caught:
        from_parameters(1e9, None, Given(experts=8), 8)
    assert str(caught.value) == (
        "model.active_parameters: expected the active parameters of a mixture of experts; got none "
        "(or give layers, hidden, heads, ffn, vocabulary and experts_per_token)"
    )
