"""What holds of every family's defaults, whatever its sizes, and no count of parameters sees."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from test_architectures import EXACT, config

from costcalc.workload.architecture import Attention, Convolution, Linear
from costcalc.workload.counting import parameters
from costcalc.workload.families import build
from costcalc.workload.families.fields import Fields, shown

#: where the next word is predicted, which no query may see; CLIP's text model reads so too
WORDS = {("decoder", "text"), ("encoder-decoder", "target"), ("speech", "text")}
#: an image and a prompt, each word of which sees all of them (a prefix)
BOTH_WAYS = {"pi0"}
#: no linear layer has its width: convolutions throughout
CONVOLVED = {"resnet", "squeezebert"}


@pytest.mark.parametrize("name", EXACT)
def test_what_holds_of_every_family(name: str) -> None:
    model = build(config(name))
    every = [(block, one) for block in model.blocks for one in block.operators]
    cores = [(block, one) for block, one in every if isinstance(one, Attention)]
    # who may look ahead
    ahead = {(model.kind, block.stream) for block, one in cores if one.over is None and one.causal}
    behind = {(model.kind, b.stream) for b, one in cores if one.over is None and not one.causal}
    assert ahead <= WORDS | ({("encoder", "text")} if name == "clip_text_model" else set())
    assert name in BOTH_WAYS or not behind & WORDS
    # each head of keys serves as many heads of queries
    assert {one.heads % one.kv_heads for _, one in cores} <= {0}
    # the record of the main stack says what its layers have
    in_layers = {(one.heads, one.kv_heads) for block, one in cores if block.layer}
    assert not in_layers or (model.heads, model.kv_heads) in in_layers
    linears = [(block, one) for block, one in every if isinstance(one, Linear)]
    into = {one.n_in for block, one in linears if block.layer}
    assert name in CONVOLVED or model.hidden in into
    assert name in {*CONVOLVED, "zamba2"} or model.ffn in {0, *into}  # zamba2: in its shared block
    copies = {(one.copies, one.active) for _, one in linears if one.copies > 1}
    if name != "hunyuan_v1_moe":  # one expert by default
        found = {(model.experts, model.experts_per_token)} if model.experts else set()
        assert copies - {(8, 8)} == found  # (8, 8) is a projection in eight groups: all of it
    # the gradient of its input is saved in one convolution, the one that reads pixels or sound
    first = [(b is model.blocks[0], one) for b, one in every if isinstance(one, Convolution)]
    stem = [begins for begins, one in first if one.first]
    reads = any(begins for begins, _ in first)
    assert stem == ([True] if reads else [])
    assert not reads or any(s.name not in {"text", "source", "target"} for s in model.streams)


#: of what a configuration may say that there is none
MAY_BE_NONE = {
    "attn_layer_offset", "expert_layer_offset", "first_k_dense_replace", "index_skip_topk_offset",
    "max_window_layers", "moe_latent_size", "moe_layer_start_index", "n_shared_experts",
    "num_dense_layers", "num_kv_shared_layers", "num_nextn_predict_layers", "num_register_tokens",
    "shared_expert_intermediate_size", "type_vocab_size",
}  # fmt: skip
#: and in some families alone
NONE_IN = {
    "num_local_experts": {"granitemoehybrid"},
    "num_experts_per_tok": {"granitemoehybrid"},
    "sliding_window_pattern": {"exaone4", "exaone_moe"},
    "hidden_size_per_layer_input": {"gemma4", "gemma4_text", "gemma4_unified",
                                    "gemma4_unified_text"},
}  # fmt: skip


@pytest.mark.parametrize("name", EXACT)
def test_which_sizes_may_be_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, int] = {}
    known = Fields.integer

    def integer(self: Fields, key: str, *args: int, **bounds: int) -> int:
        asked[key] = bounds.get("low", 1)
        return known(self, key, *args, **bounds)

    monkeypatch.setattr(Fields, "integer", integer)
    build(config(name))
    assert asked.pop("moe_layer_end_index", -1) == -1  # the last one
    if name == "squeezebert":  # a table of one type at least
        assert asked.pop("type_vocab_size") == 1
    for key, low in asked.items():
        if key in MAY_BE_NONE or name in NONE_IN.get(key, ()):
            assert low == 0, key
        elif key in NONE_IN:
            assert low == 1, key


@pytest.mark.parametrize("name", EXACT)
def test_how_layers_are_named(name: str) -> None:
    """Names are what LoRA's targets say: as many keys as values, as many queries as outputs."""
    for block in build(config(name)).blocks:
        names = Counter(one.name for one in block.operators if isinstance(one, Linear))
        for key, value in (("k_proj", "v_proj"), ("k", "v"), ("key", "value")):
            assert names[key] == names[value], (block.name, names)
        for query, out in (("q_proj", "o_proj"), ("q_proj", "out_proj"), ("q", "o")):
            if names[query] and names[out] and names[query] != names[out]:
                assert (names[query], names[out]) == (2, 1), (block.name, names)
        if re.fullmatch(r"(wave|mel) \d+", block.name):
            assert block.stream == block.name


def test_streams_of_what_is_seen_and_said() -> None:
    masked = build({"model_type": "vit_mae", "architectures": ["ViTMAEForPreTraining"]})
    where = {block.name: block.stream for block in masked.blocks}
    # a quarter of 14 · 14 patches is seen by the encoder; the decoder fills in all of them
    assert (where["vision layer"], where["decoder layer"]) == ("seen", "tokens")
    lengths = {stream.name: stream.length for stream in masked.streams}
    assert lengths["seen"] in {14 * 14 // 4, 14 * 14 // 4 + 1}
    text = next(s for s in build(config("parakeet_tdt")).streams if s.name == "text")
    assert (text.default, text.target) == (15 * 3, True)  # three a second
    alone = build({"model_type": "bart", "architectures": ["BartEncoderModel"]}, head="encoder")
    assert alone.kind == "encoder"
    assert [s.name for s in alone.streams] == ["source"]
    assert [b.name for b in alone.blocks] == ["embedding", "encoder layer", "encoder norm"]


def test_places_in_sams_windows_are_asked_for() -> None:
    plain = build({"model_type": "sam_vision_model", "use_rel_pos": False})
    # in 8 layers windows of 14 · 14, in 4 all of 64 · 64: 2 · reach - 1 places a side, of 64 each
    more = 8 * 2 * (2 * 14 - 1) * 64 + 4 * 2 * (2 * 64 - 1) * 64
    assert parameters(build({"model_type": "sam_vision_model"})) - parameters(plain) == more


@pytest.mark.parametrize(
    ("keys", "unread"),
    [
        ({"extra_layers": value}, []) for value in (None, False, 0, 1, "", [], {})
    ] + [
        ({"extra_layers": 2}, ["extra_layers"]), ({"extra_layers": True}, []),
        ({"extra_layers": "x"}, ["extra_layers"]), ({"extra_layers": {"a": 1}}, []),
        ({"add_cross_attention": True}, ["add_cross_attention"]),
        ({"add_cross_attention": False}, []), ({"colour": 7}, []), ({"layer_norm_eps": 7}, []),
    ],
)  # fmt: skip
def test_which_keys_sound_as_if_they_shaped_a_model(
    keys: dict[str, object], unread: list[str]
) -> None:
    assert Fields(keys).unread() == unread


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a" * 38, '"' + "a" * 38 + '"'),  # forty letters with its quotes
        ("a" * 39, '"' + "a" * 38 + "…"),
        (7, "7"), ([1, 2], "[1, 2]"), (None, "null"), (True, "true"), (False, "false"),
    ],
)  # fmt: skip
def test_a_value_in_a_problem_is_short(value: object, text: str) -> None:
    assert shown(value) == text
