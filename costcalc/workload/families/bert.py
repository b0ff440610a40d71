"""BERT, RoBERTa, DistilBERT with their masked-language-model head.

Devlin et al. 2018 (arXiv:1810.04805), Liu et al. 2019 (arXiv:1907.11692), Sanh et al. 2019
(arXiv:1910.01108).  Counts are those of ``AutoModelForMaskedLM`` (no pooler; logits at every
position).  Defaults: transformers 5.23.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from costcalc.workload.architecture import Architecture, Block, Linear
from costcalc.workload.families.common import (
    TEXT,
    Operators,
    Shape,
    attention,
    linear,
    mlp,
    shape,
    stack,
    weights,
)

if TYPE_CHECKING:
    from costcalc.workload.families.fields import Fields


def bert(c: Fields) -> Architecture:
    """BERT; ``BertForMaskedLM``."""
    s = _shape(c, 30522)
    kinds = c.integer("type_vocab_size", 2)
    return encoder("bert", s, c.integer("max_position_embeddings", 512) + kinds)


def roberta(c: Fields) -> Architecture:
    """RoBERTa; ``RobertaForMaskedLM``.  Its files say 514 positions, two of them padding."""
    s = _shape(c, 50265)
    kinds = c.integer("type_vocab_size", 2)
    return encoder("roberta", s, c.integer("max_position_embeddings", 512) + kinds)


def xlm_roberta(c: Fields) -> Architecture:
    """XLM-RoBERTa; ``XLMRobertaForMaskedLM``."""
    s = _shape(c, 30522)
    kinds = c.integer("type_vocab_size", 2)
    return encoder("roberta", s, c.integer("max_position_embeddings", 512) + kinds)


def distilbert(c: Fields) -> Architecture:
    """DistilBERT; ``DistilBertForMaskedLM``."""
    heads, width = (
        c.integer("n_heads", 12, "num_attention_heads"),
        c.integer("dim", 768, "hidden_size"),
    )
    c.divides("n_heads", heads, "dim", width)
    s = Shape(
        hidden=width,
        layers=c.layers("n_layers", 6, "num_hidden_layers"),
        heads=heads,
        kv_heads=heads,
        head_dim=max(1, width // heads),
        ffn=c.integer("hidden_dim", 3072, "intermediate_size"),
        vocabulary=c.integer("vocab_size", 30522),
        tied=c.flag("tie_word_embeddings", True),
    )
    return encoder("distilbert", s, c.integer("max_position_embeddings", 512))


def _shape(c: Fields, vocabulary: int) -> Shape:
    s = shape(c, hidden=768, layers=12, heads=12, ffn=3072, vocabulary=vocabulary, tied=True)
    return replace(s, kv_heads=s.heads, head_dim=max(1, s.hidden // s.heads))


def encoder(
    name: str, s: Shape, positions: int, *, gated: bool = False, bias: bool = True
) -> Architecture:
    """An encoder of BERT's kind; ``positions`` counts the rows of all tables beside the words."""
    into = ("gate", "intermediate", "output") if gated else ("intermediate", "output")
    operators = (
        *attention(s, bias=bias, causal=False, names=("query", "key", "value", "dense")),
        *mlp(s.hidden, s.ffn, gated=gated, bias=bias, names=into),
        *weights(4 * s.hidden),
    )
    table = weights((s.vocabulary + positions) * s.hidden, "embedding") + weights(2 * s.hidden)
    output = Linear(
        n_in=s.hidden, n_out=s.vocabulary, part="head", bias=True, tied=s.tied, name="decoder"
    )
    transform = linear(s.hidden, s.hidden, "other", "transform", bias=True)
    # Without tying, the module keeps the decoder's bias and its own.
    spare = weights(s.vocabulary if not s.tied and name in ("bert", "roberta") else 0)
    last: Operators = (transform, *weights(2 * s.hidden), output, *spare)
    return Architecture(
        name=name,
        kind="encoder",
        streams=(TEXT,),
        blocks=(
            Block(name="embedding", operators=table, layer=False),
            *stack([("layer", operators)] * s.layers),
            Block(name="head", operators=last, layer=False),
        ),
        hidden=s.hidden,
        heads=s.heads,
        kv_heads=s.heads,
        head_dim=s.head_dim,
        ffn=s.ffn,
        vocabulary=s.vocabulary,
        gated=gated,
    )
