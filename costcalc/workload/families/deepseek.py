"""DeepSeek V2 and V3: latent attention, shared experts.

Latent attention (MLA): DeepSeek-AI 2024, arXiv:2405.04434, section 2.1; V3: arXiv:2412.19437.
Training expands keys and values, so that the core has H heads of (qk_nope + qk_rope) and v_head_dim
(the absorbed form serves decoding only).  The multi-token prediction layers of V3 stand in the
checkpoint, not in the transformers module: they are not counted.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from costcalc.workload.architecture import Architecture, Attention
from costcalc.workload.families.common import (
    Operators,
    Shape,
    experts,
    language_model,
    linear,
    mlp,
    weights,
)

if TYPE_CHECKING:
    from costcalc.workload.families.fields import Fields


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """Ranks and head widths of latent attention."""

    query_rank: int | None
    kv_rank: int
    nope: int
    rope: int
    value: int
    bias: bool


def latent_attention(s: Shape, a: Latent) -> Operators:
    """MLA: d·r_q + r_q·H(n+r) + d(r_kv + r) + r_kv·H(n+v) + H·v·d parameters, and its norms."""
    queries = s.heads * (a.nope + a.rope)
    if a.query_rank is None:
        into: Operators = (linear(s.hidden, queries, "attention", "q_proj"),)
    else:
        into = (
            linear(s.hidden, a.query_rank, "attention", "q_a_proj", a.bias),
            linear(a.query_rank, queries, "attention", "q_b_proj"),
            *weights(a.query_rank),
        )
    return (
        *into,
        linear(s.hidden, a.kv_rank + a.rope, "attention", "kv_a_proj_with_mqa", a.bias),
        linear(a.kv_rank, s.heads * (a.nope + a.value), "attention", "kv_b_proj"),
        *weights(a.kv_rank),
        Attention(heads=s.heads, kv_heads=s.heads, qk_dim=a.nope + a.rope, v_dim=a.value),
        linear(s.heads * a.value, s.hidden, "attention", "o_proj", a.bias),
    )


def deepseek_v2(c: Fields) -> Architecture:
    """DeepSeek V2 and V2-Lite (``q_lora_rank`` null)."""
    if c.config.get("num_experts_per_tok") is None:  # its class has no default
        c.problem("num_experts_per_tok", "expected the number of experts a token passes; got none")
    s = _shape(c, hidden=4096, layers=32, heads=32, ffn=11008, vocabulary=102400)
    return _model(c, "deepseek_v2", s, number=64, chosen=6, ffn=1407, shared=2, dense=0)


def deepseek_v3(c: Fields) -> Architecture:
    """DeepSeek V3 and R1."""
    s = _shape(c, hidden=7168, layers=61, heads=128, ffn=18432, vocabulary=129280)
    return _model(c, "deepseek_v3", s, number=256, chosen=8, ffn=2048, shared=1, dense=3)


def _shape(c: Fields, *, hidden: int, layers: int, heads: int, ffn: int, vocabulary: int) -> Shape:
    number = c.integer("num_attention_heads", heads)
    return Shape(
        hidden=c.integer("hidden_size", hidden),
        layers=c.layers("num_hidden_layers", layers),
        heads=number,
        kv_heads=number,
        head_dim=c.integer("v_head_dim", 128),
        ffn=c.integer("intermediate_size", ffn),
        vocabulary=c.integer("vocab_size", vocabulary),
        tied=c.flag("tie_word_embeddings", False),
    )


def _model(
    c: Fields, name: str, s: Shape, *, number: int, chosen: int, ffn: int, shared: int, dense: int
) -> Architecture:
    number = c.integer("n_routed_experts", number, "num_local_experts", "num_experts")
    chosen = c.integer("num_experts_per_tok", chosen)
    ffn = c.integer("moe_intermediate_size", ffn)
    shared = ffn * c.integer("n_shared_experts", shared, low=0)
    dense = c.integer("first_k_dense_replace", dense, low=0)
    mine = latent_attention(
        s,
        Latent(
            query_rank=c.optional("q_lora_rank", 1536),
            kv_rank=c.integer("kv_lora_rank", 512),
            nope=c.integer("qk_nope_head_dim", 128),
            rope=c.integer("qk_rope_head_dim", 64),
            value=s.head_dim,
            bias=c.flag("attention_bias", False),
        ),
    )
    bias = name == "deepseek_v2" and c.flag("mlp_bias", False)
    mixture = experts(c, s.hidden, ffn, number, chosen, shared=shared, shared_bias=bias)
    norms = weights(2 * s.hidden)
    plain = mlp(s.hidden, s.ffn, bias=bias)
    layers = [
        ("layer", mine + plain + norms) if i < dense else ("sparse layer", mine + mixture + norms)
        for i in range(s.layers)
    ]
    return language_model(name, s, layers, experts=number, experts_per_token=chosen, ffn=ffn)
