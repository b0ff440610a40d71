"""Encoders of text: a record says how a family differs from BERT.

BERT: Devlin et al. 2018 (arXiv:1810.04805); RoBERTa: Liu et al. 2019 (arXiv:1907.11692);
DistilBERT: Sanh et al. 2019 (arXiv:1910.01108); ALBERT: Lan et al. 2019 (arXiv:1909.11942);
ELECTRA: Clark et al. 2020 (arXiv:2003.10555).  Counts are those of ``AutoModelForMaskedLM`` (no
pooler; logits at every position).  RoBERTa's files say 514 positions, two of them padding.
Defaults: transformers 5.24.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from costcalc.workload.architecture import Architecture, Block, Linear, Operator, Weights
from costcalc.workload.families.common import (
    Operators,
    Shape,
    Sizes,
    alike,
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

NAMES = ("query", "key", "value", "dense")


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoder(Sizes):
    """A family of encoders; what is not said is as in BERT.

    ``positions`` and ``types`` are the defaults of ``max_position_embeddings`` and
    ``type_vocab_size``, None where there is no such table.  ``narrow``: the default of
    ``embedding_size``, where words are embedded in other widths than the model's.
    """

    hidden: int = 768
    layers: int = 12
    heads: int = 12
    ffn: int | None = 3072
    vocabulary: int = 30522
    tied: bool = True
    grouped: bool = False
    positions: int | None = 512
    types: int | None = 2
    narrow: int | None = None
    bias: bool = True
    gated: bool = False
    mlp_bias: tuple[bool, bool] = (True, True)  # of what goes in and of what comes out
    embedding_norm: bool = True
    last_norm: bool = False  # norms stand before attention and feed-forward, and one behind all
    transform: bool = True  # a dense layer and a norm before the logits
    pooled: bool = False  # a pooler stays below the logits
    spare: bool = True  # untied, the module keeps the decoder's bias and its own
    more: Callable[[Fields, Shape], int] | None = None  # parameters of the whole, besides
    more_each: Callable[[Fields, Shape], int] | None = None  # of each layer, besides


def bert(c: Fields, name: str, d: Encoder) -> Architecture:
    """An encoder of BERT's kind."""
    s = shape(c, d)
    rows = 0 if d.positions is None else c.integer("max_position_embeddings", d.positions)
    rows += 0 if d.types is None else c.integer("type_vocab_size", d.types, low=0)
    return encoder(
        name,
        s,
        rows,
        narrow=s.hidden if d.narrow is None else c.integer("embedding_size", d.narrow),
        gated=d.gated,
        bias=d.bias,
        mlp_bias=d.mlp_bias,
        spare=d.spare,
        norms=(d.embedding_norm, d.last_norm),
        transform=d.transform,
        pooled=d.pooled,
        more=d.more(c, s) if d.more else 0,
        more_each=d.more_each(c, s) if d.more_each else 0,
    )


def encoder(
    name: str,
    s: Shape,
    positions: int,
    *,
    narrow: int | None = None,
    gated: bool = False,
    bias: bool = True,
    mlp_bias: tuple[bool, bool] | None = None,
    spare: bool = False,
    norms: tuple[bool, bool] = (True, False),
    transform: bool = True,
    pooled: bool = False,
    more: int = 0,
    more_each: int = 0,
) -> Architecture:
    """An encoder of BERT's kind; ``positions`` counts the rows of all tables beside the words."""
    into = ("gate", "intermediate", "output") if gated else ("intermediate", "output")
    each = (bias, bias) if mlp_bias is None else mlp_bias
    feed = mlp(s.hidden, s.ffn, gated=gated, names=into)
    feed = (*(replace(o, bias=each[0]) for o in feed[:-1]), replace(feed[-1], bias=each[1]))
    operators = (
        *attention(s, bias=bias, causal=False, names=NAMES),
        *feed,
        *weights(4 * s.hidden + more_each),
    )
    narrow = narrow or s.hidden
    table = weights((s.vocabulary + positions) * narrow, "embedding")
    table += weights(2 * narrow * norms[0] + more)
    ends: Operators = ()
    if narrow != s.hidden:
        ends = (linear(narrow, s.hidden, "other", "embedding_projection", bias=True),)
    pooler = (linear(s.hidden, s.hidden, "other", "pooler", bias=True),) if pooled else ()
    blocks = (
        beside("embedding", (*table, *ends)),
        *stack([("layer", operators)] * s.layers),
        *((beside("norm", weights(2 * s.hidden)),) if norms[1] else ()),
        *((beside("pooler", pooler),) if pooled else ()),
        beside("head", _masked(s, narrow, transform=transform, spare=spare)),
    )
    return architecture(name, "encoder", s, blocks, gated=gated)


def _masked(s: Shape, narrow: int, *, transform: bool, spare: bool) -> Operators:
    """The head that predicts masked words; a narrow one goes back to the width of the words."""
    before: Operators = ()
    if transform:
        before = (linear(s.hidden, narrow, "other", "transform", bias=True), *weights(2 * narrow))
    out = output_head(replace(s, hidden=narrow), "decoder", bias=True)
    return (*before, out, *weights(0 if s.tied or not spare else s.vocabulary))


def distilbert(c: Fields) -> Architecture:
    """DistilBERT; ``DistilBertForMaskedLM``."""
    s = _named(c, layers=6, vocabulary=30522)
    return encoder("distilbert", s, c.integer("max_position_embeddings", 512))


def _named(c: Fields, *, layers: int, vocabulary: int) -> Shape:
    """DistilBERT's names of keys."""
    heads = c.integer("n_heads", 12, "num_attention_heads")
    hidden = c.integer("dim", 768, "hidden_size")
    c.divides("n_heads", heads, "dim", hidden)
    return Shape.even(
        hidden=hidden,
        layers=c.layers("n_layers", layers, "num_hidden_layers"),
        heads=heads,
        ffn=c.integer("hidden_dim", 4 * 768, "intermediate_size"),
        vocabulary=c.integer("vocab_size", vocabulary),
        tied=c.flag("tie_word_embeddings", True),
    )


def electra(c: Fields, d: Encoder) -> Architecture:
    """ELECTRA: the discriminator (``ForPreTraining``) has one output a token and no logits."""
    model = bert(c, "electra", d)
    if c.head.head != "pretraining":
        return model
    dense = linear(model.hidden, model.hidden, "other", "dense", bias=True)
    head = beside("head", (dense, linear(model.hidden, 1, "head", "dense_prediction", bias=True)))
    return replace(model, blocks=(*model.blocks[:-1], head))


def albert(c: Fields, d: Encoder) -> Architecture:
    """ALBERT: all layers of a group share their weights, which are stored once."""
    model = bert(c, "albert", d)
    groups, inner = c.integer("num_hidden_groups", 1), c.integer("inner_group_num", 1)
    first, layer, *rest = model.blocks
    stored = groups * inner
    again = layer.repeat * inner - stored
    blocks: list[Block] = [replace(layer, repeat=stored)]
    if again > 0:
        blocks.append(shared(layer, again))
    if not any(isinstance(o, Linear) for o in first.operators):
        mapping = linear(model.hidden, model.hidden, "other", "embedding_projection", bias=True)
        first = replace(first, operators=(*first.operators, mapping))
    return replace(model, blocks=(first, *blocks, *rest))


def shared(layer: Block, repeat: int) -> Block:
    """Layers that multiply the weights of another one again, and store none."""
    operators: list[Operator] = []
    for operator in layer.operators:
        if isinstance(operator, Linear):
            operators.append(replace(operator, tied=True, bias=False))
        elif not isinstance(operator, Weights):
            operators.append(operator)
    return alike(f"{layer.name} again", tuple(operators), layer.stream, repeat)
