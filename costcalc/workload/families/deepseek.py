"""Latent attention (MLA), as DeepSeek V2 and V3 have it, with or without an indexer.

DeepSeek-AI 2024, arXiv:2405.04434, section 2.1; V3: arXiv:2412.19437.  Training expands keys and
values, so that the core has H heads of (qk_nope + qk_rope) and v_head_dim (the absorbed form serves
decoding only).  V3.2's indexer scores all keys with a few light heads, and attention sees the best
``index_topk`` of them: https://github.com/deepseek-ai/DeepSeek-V3.2-Exp, "DSA".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from costcalc.workload.architecture import Attention
from costcalc.workload.families.common import Operators, Shape, Sizes, linear, weights
from costcalc.workload.families.decoder import Decoder, Mixer, flag
from costcalc.workload.families.fields import Fields


def _indexed(c: Fields, layers: int) -> list[str]:
    """GLM-5: which layers find their keys themselves, by a pattern or each so-many-th."""
    pattern = c.config.get("index_topk_pattern")
    if isinstance(pattern, str) and len(pattern) == layers and not set(pattern) - set("FS"):
        return ["full" if mark == "F" else "shared" for mark in pattern]
    step, first = c.integer("index_topk_freq", 1), c.integer("index_skip_topk_offset", 2, low=0)
    return ["shared" if max(i - first + 1, 0) % step else "full" for i in range(layers)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Latent:
    """The ranks and widths that a family's class defaults to."""

    query: int | None = 1536
    keys: int = 512
    nope: int = 128
    rope: int = 64
    value: int = 128
    indexer: tuple[int, int, int] | None = None  # heads, their width, keys that are chosen

    def shape(self, c: Fields, d: Sizes) -> Shape:
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
            head_dim=c.integer("v_head_dim", self.value),
            ffn=c.integer("intermediate_size", d.ffn_of(hidden)),
            vocabulary=c.integer("vocab_size", d.vocabulary),
            tied=c.flag("tie_word_embeddings", d.tied),
        )

    def one(self, c: Fields, d: Decoder, s: Shape) -> Operators:
        """One layer's attention, as a maker of :func:`decoder.hybrid`."""
        return self._operators(c, d, s)

    def mixers(self, c: Fields, d: Decoder, s: Shape) -> Sequence[Mixer]:
        """The attention of each layer; where ``indexer_types`` says shared, it takes another's."""
        if self.indexer is None:
            return [("layer", self.one(c, d, s))] * s.layers
        kinds = c.words("indexer_types", s.layers, ("full", "shared")) or _indexed(c, s.layers)
        made = {kind: self._operators(c, d, s, own=kind == "full") for kind in kinds}
        return [("layer", made[kind]) for kind in kinds]

    def _operators(self, c: Fields, d: Decoder, s: Shape, *, own: bool = True) -> Operators:
        """d·r_q + r_q·H(n+r) + d(r_kv + r) + r_kv·H(n+v) + H·v·d parameters, and its norms."""
        query_rank = c.optional("q_lora_rank", self.query)
        kv_rank = c.integer("kv_lora_rank", self.keys)
        rope = c.integer("qk_rope_head_dim", self.rope)
        nope, value = c.integer("qk_nope_head_dim", self.nope), s.head_dim
        bias, queries = flag(c, d.bias), s.heads * (nope + rope)
        into: Operators = (linear(s.hidden, queries, "attention", "q_proj"),)
        if query_rank is not None:
            into = (
                linear(s.hidden, query_rank, "attention", "q_a_proj", bias),
                linear(query_rank, queries, "attention", "q_b_proj"),
                *weights(query_rank),
            )
        chosen: int | None = None
        index: Operators = ()
        if self.indexer is not None:
            heads = c.integer("index_n_heads", self.indexer[0])
            width = c.integer("index_head_dim", self.indexer[1])
            chosen = c.integer("index_topk", self.indexer[2])
            if own:
                index = (
                    linear(query_rank or s.hidden, heads * width, "attention", "wq_b"),
                    linear(s.hidden, width, "attention", "wk"),
                    linear(s.hidden, heads, "attention", "weights_proj"),
                    *weights(2 * width),
                    Attention(heads=heads, kv_heads=1, qk_dim=width, v_dim=0),
                )
        gate: Operators = ()
        if c.flag("mla_use_output_gate", False):  # Kimi K3
            gate = (linear(s.hidden, s.heads * value, "attention", "g_proj"),)
        return (
            *into,
            *gate,
            linear(s.hidden, kv_rank + rope, "attention", "kv_a_proj_with_mqa", bias),
            linear(kv_rank, s.heads * (nope + value), "attention", "kv_b_proj"),
            *weights(kv_rank),
            *index,
            Attention(
                heads=s.heads, kv_heads=s.heads, qk_dim=nope + rope, v_dim=value, window=chosen
            ),
            linear(s.heads * value, s.hidden, "attention", "o_proj", bias),
        )
