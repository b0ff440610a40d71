"""BERT, RoBERTa, XLM-RoBERTa, DistilBERT with their masked-language-model head.

Devlin et al. 2018 (arXiv:1810.04805), Liu et al. 2019 (arXiv:1907.11692), Sanh et al. 2019
(arXiv:1910.01108).  Counts are those of ``AutoModelForMaskedLM`` (no pooler; logits at every
position).  RoBERTa's files say 514 positions, two of them padding.  Defaults: transformers 5.23.
"""

from __future__ import annotations

from costcalc.workload.architecture import Architecture
from costcalc.workload.families.common import (
    Operators,
    Shape,
    Sizes,
    architecture,
    attention,
    beside,
    linear,
    mlp,
    output_head,
    shape,
    stack,
    weights,
)
from costcalc.workload.families.fields import Fields


def bert(c: Fields, name: str, vocabulary: int) -> Architecture:
    """BERT and the RoBERTas, which differ in their defaults."""
    sizes = Sizes(
        hidden=768, layers=12, heads=12, ffn=3072, vocabulary=vocabulary, tied=True, grouped=False
    )
    s, kinds = shape(c, sizes), c.integer("type_vocab_size", 2)
    # Without tying, the module keeps the decoder's bias and its own.
    spare = 0 if s.tied else s.vocabulary
    return encoder(name, s, c.integer("max_position_embeddings", 512) + kinds, spare=spare)


def distilbert(c: Fields) -> Architecture:
    """DistilBERT; ``DistilBertForMaskedLM``."""
    heads = c.integer("n_heads", 12, "num_attention_heads")
    hidden = c.integer("dim", 768, "hidden_size")
    c.divides("n_heads", heads, "dim", hidden)
    s = Shape(
        hidden=hidden,
        layers=c.layers("n_layers", 6, "num_hidden_layers"),
        heads=heads,
        kv_heads=heads,
        head_dim=max(1, hidden // heads),
        ffn=c.integer("hidden_dim", 3072, "intermediate_size"),
        vocabulary=c.integer("vocab_size", 30522),
        tied=c.flag("tie_word_embeddings", True),
    )
    return encoder("distilbert", s, c.integer("max_position_embeddings", 512))


def encoder(
    name: str, s: Shape, positions: int, *, gated: bool = False, bias: bool = True, spare: int = 0
) -> Architecture:
    """An encoder of BERT's kind; ``positions`` counts the rows of all tables beside the words."""
    into = ("gate", "intermediate", "output") if gated else ("intermediate", "output")
    operators = (
        *attention(s, bias=bias, causal=False, names=("query", "key", "value", "dense")),
        *mlp(s.hidden, s.ffn, gated=gated, bias=bias, names=into),
        *weights(4 * s.hidden),
    )
    table = weights((s.vocabulary + positions) * s.hidden, "embedding") + weights(2 * s.hidden)
    last: Operators = (
        linear(s.hidden, s.hidden, "other", "transform", bias=True),
        *weights(2 * s.hidden),
        output_head(s, "decoder", bias=True),
        *weights(spare),
    )
    blocks = (
        beside("embedding", table),
        *stack([("layer", operators)] * s.layers),
        beside("head", last),
    )
    return architecture(name, "encoder", s, blocks, gated=gated)
