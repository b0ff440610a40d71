"""Attention that three mixtures of experts have and no plain value of their rows says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from costcalc.workload.architecture import Attention
from costcalc.workload.families.common import Operators, Shape, Sizes, linear, shape, weights
from costcalc.workload.families.decoder import Decoder, Mixer, flag, one_attention
from costcalc.workload.families.fields import Fields

FULL, WINDOW = "full_attention", "sliding_attention"


def laguna_attention(c: Fields, d: Decoder, s: Shape) -> Sequence[Mixer]:
    """Laguna: each layer its own number of heads, each head with a gate."""
    heads = c.integers("num_attention_heads_per_layer", s.layers) or [s.heads] * s.layers
    kinds = c.words("layer_types", s.layers, (FULL, WINDOW)) or [FULL] * s.layers
    gated = c.config.get("gating", True) is not False
    window = c.optional("sliding_window", 512)

    def one(number: int, kind: str) -> Operators:
        own = replace(s, heads=max(1, number))
        made = one_attention(c, d, own, window if kind == WINDOW else None)
        return made + ((linear(s.hidden, number, "attention", "g_proj"),) if gated else ())

    made = {key: one(*key) for key in set(zip(heads, kinds, strict=True))}
    return [("layer", made[key]) for key in zip(heads, kinds, strict=True)]


def mimo_kinds(c: Fields, layers: int) -> Sequence[str]:
    """MiMo-V2: all keys in the first layer and each sixth."""
    pattern = [FULL if i == 0 or (i + 1) % 6 == 0 else WINDOW for i in range(layers)]
    listed = c.integers("hybrid_layer_pattern", layers)  # the checkpoint's own key: 1 is a window
    if listed is not None:
        pattern = [WINDOW if each else FULL for each in listed]
    return c.words("layer_types", layers, (FULL, WINDOW)) or pattern


def mimo_full(c: Fields, d: Decoder, s: Shape) -> Operators:
    """MiMo-V2's layer over all keys."""
    return _mimo(c, d, s, None, s.kv_heads, 0)


def mimo_sliding(c: Fields, d: Decoder, s: Shape) -> Operators:
    """MiMo-V2's layer within a window: more key-value heads, and sinks."""
    window = c.optional("sliding_window", 129)
    if c.config.get("sliding_window_size") is not None:  # which leaves the query itself out
        window = c.integer("sliding_window_size", 128) + 1
    return _mimo(c, d, s, window, c.integer("swa_num_key_value_heads", 8), s.heads)


def _mimo(
    c: Fields, d: Decoder, s: Shape, window: int | None, shared: int, sinks: int
) -> Operators:
    value, bias = c.integer("v_head_dim", 128), flag(c, d.bias)
    sizes = {"q": s.heads * s.head_dim, "k": shared * s.head_dim, "v": shared * value}
    core = Attention(heads=s.heads, kv_heads=shared, qk_dim=s.head_dim, v_dim=value, window=window)
    return (
        *(linear(s.hidden, size, "attention", f"{n}_proj", bias) for n, size in sizes.items()),
        *weights(sinks),
        core,
        linear(s.heads * value, s.hidden, "attention", "o_proj"),
    )


def minimax_kinds(c: Fields, layers: int) -> Sequence[str]:
    """MiniMax-M3: which layers choose blocks of keys."""
    told = c.within("sparse_attention_config").integers("sparse_attention_freq", layers)
    pattern = ["minimax_m3_sparse" if each else FULL for each in told or [0] * layers]
    return c.words("layer_types", layers, (FULL, "minimax_m3_sparse")) or pattern


def minimax_sparse(c: Fields, d: Decoder, s: Shape) -> Operators:
    """Attention over the best blocks of keys, which a light one finds."""
    old = c.within("sparse_attention_config")  # the checkpoint's own keys
    heads = old.integer("sparse_num_index_heads", c.integer("index_n_heads", 4))
    width = old.integer("sparse_index_dim", c.integer("index_head_dim", 128))
    seen = old.integer("sparse_topk_blocks", c.integer("index_topk_blocks", 16))
    seen *= old.integer("sparse_block_size", c.integer("index_block_size", 128))
    return (
        linear(s.hidden, heads * width, "attention", "index_q_proj"),
        linear(s.hidden, width, "attention", "index_k_proj"),
        *weights(2 * width),
        Attention(heads=heads, kv_heads=1, qk_dim=width, v_dim=0),
        *one_attention(c, d, s, seen),
    )


def dbrx_shape(c: Fields, _: Sizes) -> Shape:
    """DBRX's sizes; those of its experts are put where the table's row looks for them."""
    attention, feed = c.within("attn_config"), c.within("ffn_config")
    hidden, heads = c.integer("d_model", 2048), c.integer("n_heads", 16)
    c.divides("n_heads", heads, "d_model", hidden)
    for ours, theirs in (("num_local_experts", "moe_num_experts"), ("moe_topk", "moe_top_k")):
        if feed.config.get(theirs) is not None:
            c.put(ours, feed.config[theirs])
    return Shape(
        hidden=hidden,
        layers=c.layers("n_layers", 24),
        heads=heads,
        kv_heads=attention.integer("kv_n_heads", 1),
        head_dim=max(1, hidden // heads),
        ffn=feed.integer("ffn_hidden_size", 3584),
        vocabulary=c.integer("vocab_size", 32000),
        tied=c.flag("tie_word_embeddings", False),
    )


def jetmoe_shape(c: Fields, d: Decoder) -> Shape:
    """JetMoE: ``kv_channels`` wide, and as many queries a key as experts that a token passes."""
    s = shape(c, d)
    heads, width = c.integer("num_key_value_heads", 16), c.integer("kv_channels", 128)
    chosen = c.integer("num_experts_per_tok", 2)
    return replace(s, heads=heads * chosen, kv_heads=heads, head_dim=width)


def jetmoe_attention(c: Fields, d: Decoder, s: Shape) -> Sequence[Mixer]:
    """JetMoE (arXiv:2404.07413): queries and outputs are experts, keys and values are shared."""
    number, chosen = c.integer("num_local_experts", 8), c.integer("num_experts_per_tok", 2)
    inner = s.kv_heads * s.head_dim
    into = linear(s.hidden, inner, "attention", "input_linear")
    out = linear(inner, s.hidden, "attention", "output_linear")
    del d
    operators: Operators = (
        linear(s.hidden, number, "router", "router"),
        replace(into, copies=number, active=chosen),
        linear(s.hidden, 2 * inner, "attention", "kv_proj"),
        Attention(heads=s.heads, kv_heads=s.kv_heads, qk_dim=s.head_dim, v_dim=s.head_dim),
        replace(out, copies=number, active=chosen),
    )
    return [("layer", operators)] * s.layers
