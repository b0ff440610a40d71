"""What holds of every family's defaults, whatever its sizes, and no count of parameters sees."""

from __future__ import annotations

import pytest
from test_architectures import EXACT, config

from costcalc.workload.architecture import Attention, Convolution, Linear
from costcalc.workload.families import build
from costcalc.workload.families.fields import Fields

#: where the next word is predicted, which no query may see; CLIP's text model reads so too
WORDS = {("decoder", "text"), ("encoder-decoder", "target"), ("speech", "text")}
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
    assert not behind & WORDS
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


#: of what a configuration may say that there is none; all other sizes are 1 or more
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
        assert low == (0 if key in MAY_BE_NONE or name in NONE_IN.get(key, ()) else 1), key
