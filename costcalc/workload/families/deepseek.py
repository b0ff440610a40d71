"""DeepSeek V2 and V3: latent attention.

Latent attention (MLA): DeepSeek-AI 2024, arXiv:2405.04434, section 2.1; V3: arXiv:2412.19437.
Training expands keys and values, so that the core has H heads of (qk_nope + qk_rope) and v_head_dim
(the absorbed form serves decoding only).  The multi-token prediction layers of V3 stand in the
checkpoint, not in the transformers module: they are not counted.
"""

from __future__ import annotations

from collections.abc import Sequence

from costcalc.workload.architecture import Attention
from costcalc.workload.families.common import Operators, Shape, Sizes, linear, weights
from costcalc.workload.families.decoder import Decoder, Mixer, flag
from costcalc.workload.families.fields import Fields


def latent_shape(c: Fields, d: Sizes) -> Shape:
    """As many key-value heads as heads, and of the width that ``v_head_dim`` says."""
    heads = c.integer("num_attention_heads", d.heads)
    hidden = c.integer("hidden_size", d.hidden)
    for repeated in ("num_key_value_heads", "head_dim"):  # which say nothing once expanded
        c.find((repeated,))
    return Shape(
        hidden=hidden,
        layers=c.layers("num_hidden_layers", d.layers),
        heads=heads,
        kv_heads=heads,
        head_dim=c.integer("v_head_dim", 128),
        ffn=c.integer("intermediate_size", d.ffn_of(hidden)),
        vocabulary=c.integer("vocab_size", d.vocabulary),
        tied=c.flag("tie_word_embeddings", d.tied),
    )


def latent_attention(c: Fields, d: Decoder, s: Shape) -> Sequence[Mixer]:
    """MLA: d·r_q + r_q·H(n+r) + d(r_kv + r) + r_kv·H(n+v) + H·v·d parameters, and its norms."""
    query_rank, kv_rank = c.optional("q_lora_rank", 1536), c.integer("kv_lora_rank", 512)
    rope = c.integer("qk_rope_head_dim", 64)
    nope, value, bias = c.integer("qk_nope_head_dim", 128), s.head_dim, flag(c, d.bias)
    queries = s.heads * (nope + rope)
    into: Operators = (linear(s.hidden, queries, "attention", "q_proj"),)
    if query_rank is not None:
        into = (
            linear(s.hidden, query_rank, "attention", "q_a_proj", bias),
            linear(query_rank, queries, "attention", "q_b_proj"),
            *weights(query_rank),
        )
    operators = (
        *into,
        linear(s.hidden, kv_rank + rope, "attention", "kv_a_proj_with_mqa", bias),
        linear(kv_rank, s.heads * (nope + value), "attention", "kv_b_proj"),
        *weights(kv_rank),
        Attention(heads=s.heads, kv_heads=s.heads, qk_dim=nope + rope, v_dim=value),
        linear(s.heads * value, s.hidden, "attention", "o_proj", bias),
    )
    return [("layer", operators)] * s.layers
