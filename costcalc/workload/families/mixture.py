"""Mixtures of experts with plain grouped-query attention.

Mixtral: Jiang et al. 2024 (arXiv:2401.04088); Qwen MoE: the Qwen2 and Qwen3 reports
(arXiv:2407.10671, arXiv:2505.09388); gpt-oss: OpenAI 2025 (arXiv:2508.10925); OLMoE: Muennighoff
et al. 2024 (arXiv:2409.02060); GLM-4.5: arXiv:2508.06471.  Defaults: transformers 5.23.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costcalc.workload.families.common import (
    Operators,
    Shape,
    attention,
    experts,
    language_model,
    mlp,
    shape,
    weights,
)
from costcalc.workload.families.llama import FULL, WINDOWED, windows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costcalc.workload.architecture import Architecture
    from costcalc.workload.families.fields import Fields


def number_of_experts(c: Fields, default: int) -> int:
    """``num_experts`` of a file, ``num_local_experts`` where transformers 5 wrote it."""
    return c.integer("num_local_experts", default, "num_experts", "n_routed_experts")


def _model(
    name: str,
    s: Shape,
    attentions: Sequence[Operators],
    sparse: Sequence[bool],
    mixture: Operators,
    *,
    number: int,
    chosen: int,
    ffn: int,
    norms: int | None = None,
) -> Architecture:
    """A stack whose layers have each an attention and either experts or a dense feed-forward."""
    dense = mlp(s.hidden, s.ffn)
    norm = weights(2 * s.hidden if norms is None else norms)
    layers = [
        ("sparse layer", mine + mixture + norm) if routed else ("layer", mine + dense + norm)
        for mine, routed in zip(attentions, sparse, strict=True)
    ]
    return language_model(
        name, s, layers, experts=number, experts_per_token=chosen, ffn=ffn if any(sparse) else None
    )


def mixtral(c: Fields) -> Architecture:
    """Mixtral: 8 experts, 2 a token, every layer."""
    s = shape(c, hidden=4096, layers=32, heads=32, kv_heads=8, ffn=14336, vocabulary=32000)
    number, chosen = number_of_experts(c, 8), c.integer("num_experts_per_tok", 2)
    mixture = experts(c, s.hidden, s.ffn, number, chosen)
    mine = attention(s, window=c.optional("sliding_window", None))
    return _model(
        "mixtral",
        s,
        [mine] * s.layers,
        [True] * s.layers,
        mixture,
        number=number,
        chosen=chosen,
        ffn=s.ffn,
    )


def _sparse_layers(c: Fields, layers: int, number: int) -> list[bool]:
    dense = set(c.integers("mlp_only_layers") or ())
    step = c.integer("decoder_sparse_step", 1)
    return [i not in dense and number > 0 and (i + 1) % step == 0 for i in range(layers)]


def qwen2_moe(c: Fields) -> Architecture:
    """Qwen1.5-MoE and Qwen2-MoE: biases on q, k, v; a gated shared expert."""
    s = shape(c, hidden=2048, layers=24, heads=16, kv_heads=16, ffn=5632, vocabulary=151936)
    number, chosen = number_of_experts(c, 60), c.integer("num_experts_per_tok", 4)
    ffn = c.integer("moe_intermediate_size", 1408)
    shared = c.integer("shared_expert_intermediate_size", 5632)
    mixture = experts(c, s.hidden, ffn, number, chosen, shared=shared, shared_gate=True)
    window = c.optional("sliding_window", None) if c.flag("use_sliding_window", False) else None
    most = c.integer("max_window_layers", 28, low=0)
    pattern = [WINDOWED if window and i % 2 == 0 and i < most else FULL for i in range(s.layers)]
    bias = c.flag("qkv_bias", True)
    return _model(
        "qwen2_moe",
        s,
        [
            attention(s, bias=bias, out_bias=False, window=w)
            for w in windows(c, s.layers, window, pattern)
        ],
        _sparse_layers(c, s.layers, number),
        mixture,
        number=number,
        chosen=chosen,
        ffn=ffn,
    )


def qwen3_moe(c: Fields) -> Architecture:
    """Qwen3-MoE: norms on the head dimension of query and key, no shared expert."""
    s = shape(c, hidden=2048, layers=24, heads=32, kv_heads=4, ffn=6144, vocabulary=151936)
    number, chosen = number_of_experts(c, 128), c.integer("num_experts_per_tok", 8)
    ffn = c.integer("moe_intermediate_size", 768)
    window = c.optional("sliding_window", None) if c.flag("use_sliding_window", False) else None
    bias = c.flag("attention_bias", False)
    mine = attention(s, bias=bias, extra=2 * s.head_dim, window=window)
    return _model(
        "qwen3_moe",
        s,
        [mine] * s.layers,
        _sparse_layers(c, s.layers, number),
        experts(c, s.hidden, ffn, number, chosen),
        number=number,
        chosen=chosen,
        ffn=ffn,
    )


def olmoe(c: Fields) -> Architecture:
    """OLMoE: norms over the whole query and key, every layer sparse."""
    s = shape(c, hidden=2048, layers=16, heads=16, kv_heads=16, ffn=2048, vocabulary=50304)
    number, chosen = number_of_experts(c, 64), c.integer("num_experts_per_tok", 8)
    extra = s.hidden + s.hidden // s.heads * s.kv_heads
    mine = attention(s, bias=c.flag("attention_bias", False), extra=extra)
    return _model(
        "olmoe",
        s,
        [mine] * s.layers,
        [True] * s.layers,
        experts(c, s.hidden, s.ffn, number, chosen),
        number=number,
        chosen=chosen,
        ffn=s.ffn,
    )


def gpt_oss(c: Fields) -> Architecture:
    """gpt-oss: a sink a head, biases also in experts and router, every other layer windowed."""
    s = shape(
        c, hidden=2880, layers=36, heads=64, kv_heads=8, head_dim=64, ffn=2880, vocabulary=201088
    )
    number, chosen = number_of_experts(c, 128), c.integer("num_experts_per_tok", 4)
    window = c.optional("sliding_window", 128)
    pattern = [FULL if i % 2 else WINDOWED for i in range(s.layers)]
    bias = c.flag("attention_bias", True)
    return _model(
        "gpt_oss",
        s,
        [
            attention(s, bias=bias, extra=s.heads, window=w)
            for w in windows(c, s.layers, window, pattern)
        ],
        [True] * s.layers,
        experts(c, s.hidden, s.ffn, number, chosen, bias=True, router_bias=True),
        number=number,
        chosen=chosen,
        ffn=s.ffn,
    )


def glm4_moe(c: Fields) -> Architecture:
    """GLM-4.5: the first layers dense, a shared expert; prediction layers are not counted."""
    s = shape(
        c, hidden=4096, layers=46, heads=96, kv_heads=8, ffn=10944, vocabulary=151552, strict=False
    )
    number, chosen = number_of_experts(c, 128), c.integer("num_experts_per_tok", 8)
    ffn = c.integer("moe_intermediate_size", 1408)
    shared = ffn * c.integer("n_shared_experts", 1, low=0)
    dense = c.integer("first_k_dense_replace", 1, low=0)
    extra = 2 * s.head_dim if c.flag("use_qk_norm", False) else 0
    mine = attention(s, bias=c.flag("attention_bias", False), out_bias=False, extra=extra)
    return _model(
        "glm4_moe",
        s,
        [mine] * s.layers,
        [i >= dense for i in range(s.layers)],
        experts(c, s.hidden, ffn, number, chosen, shared=shared),
        number=number,
        chosen=chosen,
        ffn=ffn,
    )


def llama4(c: Fields) -> Architecture:
    """Llama 4, the text model: one routed and one shared expert; chunked attention on 3 of 4."""
    s = shape(
        c, hidden=5120, layers=48, heads=40, kv_heads=8, head_dim=128, ffn=8192, vocabulary=202048
    )
    number, chosen = number_of_experts(c, 16), c.integer("num_experts_per_tok", 1)
    step = c.integer("interleave_moe_layer_step", 1)
    listed = c.integers("moe_layers")
    routed = set(range(step - 1, s.layers, step) if listed is None else listed)
    every = c.integer("no_rope_layer_interval", 4)
    rotary = c.integers("no_rope_layers") or [int((i + 1) % every != 0) for i in range(s.layers)]
    chunked = "chunked_attention"
    pattern = [chunked if r else FULL for r in rotary]
    kinds = c.words("layer_types", s.layers, (FULL, chunked)) or pattern[: s.layers]
    chunk = c.optional("attention_chunk_size", 8192)
    bias = c.flag("attention_bias", False)
    mixture = experts(c, s.hidden, s.ffn, number, chosen, shared=s.ffn)
    dense = mlp(s.hidden, c.integer("intermediate_size_mlp", 16384))
    layers = []
    for i, kind in enumerate(kinds):
        window = chunk if kind == chunked else None
        mine = attention(s, bias=bias, window=window, chunked=window is not None)
        mine += (mixture if i in routed else dense) + weights(2 * s.hidden)
        layers.append(("sparse layer" if i in routed else "layer", mine))
    return language_model("llama4", s, layers, experts=number, experts_per_token=chosen)
