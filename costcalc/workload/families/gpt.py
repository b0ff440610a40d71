"""GPT-2, GPT-Neo, GPT-J, GPT-NeoX, OPT, BLOOM, Falcon, MPT: layer norms and no gate.

GPT-2: Radford et al. 2019; GPT-J and GPT-Neo: EleutherAI 2021; GPT-NeoX: Black et al. 2022
(arXiv:2204.06745); OPT: Zhang et al. 2022 (arXiv:2205.01068); BLOOM: arXiv:2211.05100; Falcon:
arXiv:2311.16867; MPT: MosaicML 2023.  Defaults: transformers 5.23.
"""

from __future__ import annotations

from dataclasses import replace

from costcalc.workload.architecture import Architecture, Block
from costcalc.workload.families.common import (
    Shape,
    attention,
    head,
    language_model,
    linear,
    mlp,
    shape,
    weights,
)
from costcalc.workload.families.fields import Fields, shown


def _shape(
    c: Fields,
    *,
    hidden: int,
    layers: int,
    heads: int,
    vocabulary: int,
    tied: bool,
    ffn: tuple[str, ...] = ("n_inner",),
) -> Shape:
    """Sizes with a feed-forward of 4 x hidden where the file has none."""
    s = shape(c, hidden=hidden, layers=layers, heads=heads, ffn=1, vocabulary=vocabulary, tied=tied)
    width = c.integer(ffn[0], 4 * s.hidden, *ffn[1:]) if ffn else 4 * s.hidden
    c.divides("num_attention_heads", s.heads, "hidden_size", s.hidden)
    return replace(s, ffn=width, kv_heads=s.heads, head_dim=max(1, s.hidden // s.heads))


def gpt2(c: Fields) -> Architecture:
    """GPT-2 (and GPT-3's shape): learned positions, biases, tied head."""
    s = _shape(c, hidden=768, layers=12, heads=12, vocabulary=50257, tied=True)
    operators = (
        *attention(s, bias=True, names=("c_attn", "c_proj")),
        *mlp(s.hidden, s.ffn, gated=False, bias=True, names=("c_fc", "c_proj")),
        *weights(4 * s.hidden),
    )
    positions = c.integer("n_positions", 1024, "max_position_embeddings")
    layers = [("layer", operators)] * s.layers
    return language_model("gpt2", s, layers, positions=positions, norm=2 * s.hidden, gated=False)


def gpt_neo(c: Fields) -> Architecture:
    """GPT-Neo: every other layer with a window of 256 by default; no biases on q, k, v."""
    s = _shape(
        c, hidden=2048, layers=24, heads=16, vocabulary=50257, tied=True, ffn=("intermediate_size",)
    )
    window = c.integer("window_size", 256)
    pattern = c.words("attention_layers", s.layers, ("global", "local")) or _patterns(c, s.layers)
    rest = mlp(s.hidden, s.ffn, gated=False, bias=True, names=("c_fc", "c_proj"))
    names = ("q_proj", "k_proj", "v_proj", "out_proj")
    layers = []
    for kind in pattern:
        reach = window if kind == "local" else None
        mine = attention(s, bias=False, out_bias=True, window=reach, names=names)
        layers.append((kind, mine + rest + weights(4 * s.hidden)))
    positions = c.integer("max_position_embeddings", 2048)
    return language_model("gpt_neo", s, layers, positions=positions, norm=2 * s.hidden, gated=False)


def _patterns(c: Fields, layers: int) -> list[str]:
    """``attention_types``: [[["global", "local"], 12]] says twelve times both."""
    pattern: list[str] = []
    groups = c.config.get("attention_types") or [[["global", "local"], (layers + 1) // 2]]
    try:
        for kinds, times in groups:
            pattern += list(kinds) * min(int(times), layers)
    except (TypeError, ValueError):
        c.problem("attention_types", f"expected [[[kind, …], times], …]; got {shown(groups)}")
        return ["global"] * layers
    if "attention_types" not in c.config:
        return pattern[:layers]
    if len(pattern) != layers or any(kind not in ("global", "local") for kind in pattern):
        c.problem(
            "attention_types",
            f"expected global or local for {layers} layers; got {len(pattern)} layers",
        )
        return ["global"] * layers
    return pattern


def gptj(c: Fields) -> Architecture:
    """GPT-J: parallel block behind one norm, head with a bias."""
    s = _shape(c, hidden=4096, layers=28, heads=16, vocabulary=50400, tied=False)
    names = ("q_proj", "k_proj", "v_proj", "out_proj")
    operators = (
        *attention(s, names=names),
        *mlp(s.hidden, s.ffn, gated=False, bias=True, names=("fc_in", "fc_out")),
        *weights(2 * s.hidden),
    )
    layers = [("layer", operators)] * s.layers
    return language_model("gptj", s, layers, norm=2 * s.hidden, head_bias=True, gated=False)


def gpt_neox(c: Fields) -> Architecture:
    """GPT-NeoX and Pythia: fused q, k, v; untied."""
    s = _shape(c, hidden=6144, layers=44, heads=64, vocabulary=50432, tied=False, ffn=())
    s = replace(s, ffn=c.integer("intermediate_size", 24576))
    names = ("query_key_value", "dense")
    operators = (
        *attention(s, bias=c.flag("attention_bias", True), names=names),
        *mlp(s.hidden, s.ffn, gated=False, bias=True, names=("dense_h_to_4h", "dense_4h_to_h")),
        *weights(4 * s.hidden),
    )
    layers = [("layer", operators)] * s.layers
    return language_model("gpt_neox", s, layers, norm=2 * s.hidden, gated=False)


def opt(c: Fields) -> Architecture:
    """OPT: learned positions with an offset of 2; OPT-350m embeds in fewer dimensions."""
    s = _shape(c, hidden=768, layers=12, heads=12, vocabulary=50272, tied=True, ffn=())
    s = replace(s, ffn=c.integer("ffn_dim", 3072))
    bias, affine = c.flag("enable_bias", True), c.flag("layer_norm_elementwise_affine", True)
    norm = 2 * s.hidden * affine
    names = ("q_proj", "k_proj", "v_proj", "out_proj")
    operators = (
        *attention(s, bias=bias, names=names),
        *mlp(s.hidden, s.ffn, gated=False, bias=bias, names=("fc1", "fc2")),
        *weights(2 * norm),
    )
    before = c.flag("do_layer_norm_before", True) and not c.flag("_remove_final_layer_norm", False)
    model = language_model(
        "opt", s, [("layer", operators)] * s.layers, norm=norm if before else 0, gated=False
    )
    width = c.integer("word_embed_proj_dim", s.hidden)
    positions = (c.integer("max_position_embeddings", 2048) + 2) * s.hidden
    words = weights(s.vocabulary * width + positions, "embedding")
    first = Block(name="embedding", operators=words, layer=False)
    last = head(replace(s, hidden=width))
    middle = model.blocks[1:-1]
    if width != s.hidden:
        into, out = (
            linear(width, s.hidden, "other", "project_in"),
            linear(s.hidden, width, "other", "project_out"),
        )
        middle = (
            Block(name="project in", operators=(into,), layer=False),
            *middle,
            Block(name="project out", operators=(out,), layer=False),
        )
    return replace(model, blocks=(first, *middle, last))


def bloom(c: Fields) -> Architecture:
    """BLOOM: ALiBi, a norm behind the embedding, tied."""
    s = _shape(c, hidden=64, layers=2, heads=8, vocabulary=250880, tied=True, ffn=())
    operators = (
        *attention(s, bias=True, names=("query_key_value", "dense")),
        *mlp(s.hidden, s.ffn, gated=False, bias=True, names=("dense_h_to_4h", "dense_4h_to_h")),
        *weights(4 * s.hidden),
    )
    layers = [("layer", operators)] * s.layers
    return language_model(
        "bloom", s, layers, embedding_norm=2 * s.hidden, norm=2 * s.hidden, gated=False
    )


def falcon(c: Fields) -> Architecture:
    """Falcon: one key-value head (7B), or groups in the new decoder; tied unless said."""
    s = _shape(
        c, hidden=4544, layers=32, heads=71, vocabulary=65024, tied=True, ffn=("ffn_hidden_size",)
    )
    new, bias = c.flag("new_decoder_architecture", False), c.flag("bias", False)
    shared = s.heads
    if new:
        shared = c.integer("num_kv_heads", s.heads, "n_head_kv")
        c.divides("num_kv_heads", shared, "num_attention_heads", s.heads)
    elif c.flag("multi_query", True):
        shared = 1
    s = replace(s, kv_heads=shared)
    norms = 2
    if c.flag("parallel_attn", True):
        norms = 2 if c.integer("num_ln_in_parallel_attn", 2 if new else 1) == 2 else 1
    operators = (
        *attention(s, bias=bias, names=("query_key_value", "dense")),
        *mlp(s.hidden, s.ffn, gated=False, bias=bias, names=("dense_h_to_4h", "dense_4h_to_h")),
        *weights(norms * 2 * s.hidden),
    )
    layers = [("layer", operators)] * s.layers
    return language_model("falcon", s, layers, norm=2 * s.hidden, gated=False)


def mpt(c: Fields) -> Architecture:
    """MPT: ALiBi, norms without biases, fused q, k, v, tied."""
    s = _shape(c, hidden=2048, layers=24, heads=16, vocabulary=50368, tied=True, ffn=())
    operators = (
        *attention(s, names=("Wqkv", "out_proj")),
        *mlp(s.hidden, s.ffn, gated=False, names=("up_proj", "down_proj")),
        *weights(2 * s.hidden),
    )
    return language_model("mpt", s, [("layer", operators)] * s.layers, gated=False)
