"""The table of encoders of text, and those that no row says: DeBERTa, ModernBERT, ESM.

DeBERTa: He et al. 2020 (arXiv:2006.03654), version 3: arXiv:2111.09543; ModernBERT: Warner et al.
2024 (arXiv:2412.13663); ESM-2: Lin et al. 2023 (Science 379).  Defaults: transformers 5.24.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from costcalc.workload.architecture import (
    Architecture,
    Attention,
    Block,
    Convolution,
    Linear,
    Stream,
)
from costcalc.workload.families.bert import (
    Encoder,
    albert,
    bert,
    distilbert,
    electra,
    encoder,
    shared,
)
from costcalc.workload.families.common import (
    Operators,
    Shape,
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
from costcalc.workload.families.heads import DENSE, POOLED, Tops


def _buckets(c: Fields, s: Shape) -> int:
    return c.integer("relative_attention_num_buckets", 32) * s.heads


def _flat_positions(c: Fields, s: Shape) -> int:
    """LayoutLM: places on the page in two dimensions, and width and height."""
    return 4 * c.integer("max_2d_position_embeddings", 1024) * s.hidden


def _tables(c: Fields, s: Shape) -> int:
    """TAPAS: seven tables of token types."""
    sizes = c.integers("type_vocab_sizes") or [3, 256, 256, 2, 256, 256, 10]
    return sum(sizes) * s.hidden


def _sinusoids(c: Fields, s: Shape) -> int:
    """RoFormer keeps its sinusoids as a table of parameters, as wide as a head."""
    return c.integer("max_position_embeddings", 1536) * s.head_dim


def _depthwise(c: Fields, s: Shape) -> int:
    return c.integer("conv_kernel_size", 65) * s.heads


def _globals(_: Fields, s: Shape) -> int:
    """Longformer: q, k, v of the tokens that see all."""
    return 3 * (s.hidden**2 + s.hidden)


def _adapters(c: Fields, s: Shape) -> int:
    """X-MOD: an adapter a language in each layer."""
    named = c.config.get("languages")
    number = len(named) if isinstance(named, list | tuple) else 1
    narrow = int(s.hidden // c.number("adapter_reduction_factor", 2))
    return number * (2 * s.hidden * narrow + s.hidden + narrow)


ROBERTA = Encoder(vocabulary=50265)

#: model_type -> the family
ENCODERS: dict[str, Encoder] = {
    "bert": Encoder(),
    "bert-generation": Encoder(
        hidden=1024, layers=24, heads=16, ffn=4096, vocabulary=50358, types=None, transform=False,
    ),
    "big_bird": Encoder(vocabulary=50358, positions=4096, pooled=True),
    "camembert": Encoder(),
    "data2vec-text": Encoder(),
    "ernie": Encoder(),
    "ibert": Encoder(),
    "gte": Encoder(
        vocabulary=250048, positions=None, types=1, gated=True, mlp_bias=(False, True),
    ),
    "jina_embeddings_v3": Encoder(
        hidden=1024, layers=24, heads=16, ffn=4096, vocabulary=250002, positions=None, types=1,
    ),
    "layoutlm": Encoder(more=_flat_positions, pooled=True),
    "longformer": Encoder(more_each=_globals),
    "megatron-bert": Encoder(
        hidden=1024, layers=24, heads=16, ffn=4096, vocabulary=29056, embedding_norm=False,
        last_norm=True,
    ),
    "mpnet": Encoder(vocabulary=30527, types=None, more=_buckets),
    "mra": Encoder(vocabulary=50265, types=1, more=lambda _, s: 2 * s.hidden),
    "nomic_bert": Encoder(
        vocabulary=30528, positions=None, bias=False, gated=True, mlp_bias=(False, False),
    ),
    "nystromformer": Encoder(
        vocabulary=30000, positions=510, more=lambda _, s: 2 * s.hidden, more_each=_depthwise,
    ),
    "roberta": ROBERTA,
    "roberta-prelayernorm": replace(ROBERTA, last_norm=True),
    "roformer": Encoder(vocabulary=50000, positions=None, narrow=768, more=_sinusoids),
    "tapas": Encoder(positions=1024, types=None, more=_tables),
    "xlm-roberta": Encoder(),
    "xlm-roberta-xl": Encoder(
        hidden=2560, layers=36, heads=32, ffn=10240, vocabulary=250880, positions=514, types=1,
        embedding_norm=False, last_norm=True,
    ),
    "xmod": Encoder(more_each=_adapters),
    "yoso": Encoder(vocabulary=50265, positions=4096, types=1, more=lambda _, s: 2 * s.hidden),
}  # fmt: skip


def deberta(c: Fields, d: Encoder, *, version: int) -> Architecture:
    """DeBERTa: scores of words and of relative places, each pair by products of its own.

    The table of places passes the projections of each layer (its own, or in version 3 those of the
    words), and each query meets it: a stream of its own, ``places``.
    """
    s = shape(c, d)
    rows = c.integer("type_vocab_size", 0, low=0)
    positions = c.integer("max_position_embeddings", 512)
    rows += positions if c.flag("position_biased_input", True) else 0
    model = encoder("deberta", s, rows, spare=True)
    if version == 1:
        model = replace(model, blocks=tuple(_fused(block) for block in model.blocks))
    if not c.flag("relative_attention", False):
        return model
    farthest = c.integer("max_relative_positions", -1, low=-1)
    span = positions if farthest < 1 else farthest
    buckets = c.integer("position_buckets", -1, low=-1) if version == 2 else -1
    places = 2 * (span if buckets < 1 else buckets)
    told = c.config.get("pos_att_type")
    kinds = told.split("|") if isinstance(told, str) else told
    if not isinstance(kinds, list | tuple):
        kinds = []
    known = [kind for kind in ("c2p", "p2c") if kind in kinds]
    shares = c.flag("share_att_key", False) and version == 2
    into: list[tuple[str, bool]] = [("pos_key_proj", version == 2)] * ("c2p" in known)
    into += [("pos_query_proj", True)] * ("p2c" in known)
    projections = tuple(linear(s.hidden, s.hidden, "attention", name, b) for name, b in into)
    first, layer, *rest = model.blocks
    normed = "layer_norm" in str(c.config.get("norm_rel_ebd") or "none") and version == 2
    table = weights(places * s.hidden, "embedding") + weights(2 * s.hidden * normed)
    core = Attention(
        heads=s.heads, kv_heads=s.heads, qk_dim=s.head_dim * len(known), v_dim=0, over="places"
    )
    own = beside("places", projections, "places", s.layers)
    if shares:
        own = replace(shared(own, s.layers), layer=False)
    layer = replace(layer, operators=(*layer.operators, *((core,) if known else ())))
    convolution: Operators = ()
    if kernel := c.integer("conv_kernel_size", 0, low=0) if version == 2 else 0:
        groups = c.integer("conv_groups", 1)
        made = Convolution(c_in=s.hidden, c_out=s.hidden, kernel=kernel, groups=groups, bias=True)
        convolution = (made, *weights(2 * s.hidden))
    blocks = (
        first,
        beside("table of places", table, "places"),
        own,
        *((beside("convolution", convolution),) if convolution else ()),
        layer,
        *rest,
    )
    streams = (*model.streams, Stream(name="places", length=places))
    return replace(model, streams=streams, blocks=blocks)


def _fused(block: Block) -> Block:
    """Version 1: only q and v have biases."""
    return replace(
        block,
        operators=tuple(
            replace(o, bias=False) if isinstance(o, Linear) and o.name == "key" else o
            for o in block.operators
        ),
    )


def modernbert(c: Fields, *, causal: bool = False) -> Architecture:
    """ModernBERT: a gated feed-forward, a window in two layers of three, one norm less."""
    s = shape(c, Encoder(layers=22, ffn=1152, vocabulary=50368))
    bias, feed = c.flag("attention_bias", False), c.flag("mlp_bias", False)
    norm = s.hidden * (2 if c.flag("norm_bias", False) else 1)
    full, local = "full_attention", "sliding_attention"
    every = c.integer("global_attn_every_n_layers", 3)
    pattern = [local if i % every else full for i in range(s.layers)]
    kinds = c.words("layer_types", s.layers, (full, local)) or pattern
    window = c.integer("local_attention", 128) // (2 if causal else 1)
    names = ("q_proj", "k_proj", "v_proj", "Wo") if causal else ("Wqkv", "Wo")

    def layer(kind: str, norms: int) -> Operators:
        reach = window if kind == local else None
        return (
            *attention(s, bias=bias, causal=causal, window=reach, names=names),
            *mlp(s.hidden, s.ffn, bias=feed, names=("Wi", "Wo")),
            *weights(norms * norm),
        )

    classifier_bias = c.flag("classifier_bias", False)
    last: Operators = (
        linear(s.hidden, s.hidden, "other", "dense", classifier_bias),
        *weights(norm),
        output_head(s, "decoder", bias=c.flag("decoder_bias", True)),
    )
    blocks = (
        beside("embedding", weights(s.vocabulary * s.hidden, "embedding") + weights(norm)),
        *stack([(kind, layer(kind, 1 if i == 0 else 2)) for i, kind in enumerate(kinds)]),
        beside("norm", weights(norm)),
        beside("head", last),
    )
    return architecture("modernbert", "decoder" if causal else "encoder", s, blocks, gated=True)


def esm(c: Fields) -> Architecture:
    """ESM-2: norms before attention and feed-forward; a regression of contacts stands beside."""
    s = shape(c, Encoder(vocabulary=33))
    absolute = c.text("position_embedding_type", "absolute") == "absolute"
    rows = c.integer("max_position_embeddings", 1026) if absolute else 0
    early = c.flag("emb_layer_norm_before", False)
    return encoder(
        "esm", s, rows, norms=(early, True), more=s.layers * s.heads + 1,
    )  # fmt: skip


def squeezebert(c: Fields) -> Architecture:
    """SqueezeBERT (arXiv:2006.11316): grouped convolutions of one token in place of matrices."""
    s = shape(c, Encoder())
    names = ("q_groups", "k_groups", "v_groups", "post_attention_groups", "intermediate_groups")
    groups = [c.integer(name, 1 if "post" in name else 4) for name in names]
    groups.append(c.integer("output_groups", 4))
    sizes = [(s.hidden, s.hidden)] * 4 + [(s.hidden, s.ffn), (s.ffn, s.hidden)]
    convolutions = tuple(
        Convolution(c_in=a, c_out=b, kernel=1, groups=g, bias=True)
        for (a, b), g in zip(sizes, groups, strict=True)
    )
    core = Attention(
        heads=s.heads, kv_heads=s.heads, qk_dim=s.head_dim, v_dim=s.head_dim, causal=False
    )
    operators: Operators = (*convolutions[:3], core, *convolutions[3:], *weights(4 * s.hidden))
    rows = c.integer("max_position_embeddings", 512) + c.integer("type_vocab_size", 2)
    made = encoder("squeezebert", s, rows, pooled=True, spare=True)
    first, _, *rest = made.blocks
    return replace(made, blocks=(first, alike("layer", operators, "text", s.layers), *rest))


def rembert(c: Fields) -> Architecture:
    """RemBERT (arXiv:2010.12821): words go in narrow and come out wide."""
    record = Encoder(hidden=1152, layers=32, heads=18, ffn=4608, vocabulary=250300, tied=False)
    s = shape(c, record)
    narrow, wide = c.integer("input_embedding_size", 256), c.integer("output_embedding_size", 1664)
    rows = c.integer("max_position_embeddings", 512) + c.integer("type_vocab_size", 2, low=0)
    made = encoder("rembert", s, rows, narrow=narrow)
    first, *layers, _ = made.blocks
    if narrow == s.hidden:
        into = linear(narrow, s.hidden, "other", "embedding_projection", bias=True)
        first = replace(first, operators=(*first.operators, into))
    out: Operators = (
        linear(s.hidden, wide, "other", "dense", bias=True),
        *weights(2 * wide),
        output_head(replace(s, hidden=wide, tied=False), "decoder", bias=True),
    )
    return replace(made, blocks=(first, *layers, beside("head", out)))


def fnet(c: Fields) -> Architecture:
    """FNet (arXiv:2105.03824): a Fourier transform in place of attention."""
    s = shape(c, Encoder(vocabulary=32000))
    rows = c.integer("max_position_embeddings", 512) + c.integer("type_vocab_size", 4, low=0)
    made = encoder("fnet", s, rows, pooled=True, spare=True)
    first, layer, *rest = made.blocks
    feed = _without_attention(layer.operators)
    into = linear(s.hidden, s.hidden, "other", "projection", bias=True)
    first = replace(first, operators=(*first.operators, into))
    note = "Fourier transforms are not counted: less than 1 % of the operations"
    return replace(made, blocks=(first, replace(layer, operators=feed), *rest), notes=(note,))


def _without_attention(operators: Operators) -> Operators:
    return tuple(
        o
        for o in operators
        if not isinstance(o, Attention) and not (isinstance(o, Linear) and o.part == "attention")
    )


ALBERT = Encoder(hidden=4096, heads=64, ffn=16384, vocabulary=30000, narrow=128)
ELECTRA = Encoder(hidden=256, heads=4, ffn=1024, narrow=128, spare=False)
DEBERTA = Encoder(vocabulary=50265)
DEBERTA2 = Encoder(hidden=1536, layers=24, heads=24, ffn=6144, vocabulary=128100)

Family = Callable[[Fields], Architecture]

TEXT_ENCODERS: dict[str, Family] = {
    **{name: partial(bert, name=name, d=record) for name, record in ENCODERS.items()},
    "albert": partial(albert, d=ALBERT),
    "deberta": partial(deberta, d=DEBERTA, version=1),
    "deberta-v2": partial(deberta, d=DEBERTA2, version=2),
    "distilbert": distilbert,
    "electra": partial(electra, d=ELECTRA),
    "esm": esm,
    "fnet": fnet,
    "modernbert": modernbert,
    "modernbert-decoder": partial(modernbert, causal=True),
    "rembert": rembert,
    "squeezebert": squeezebert,
}

_POOLERS = (
    "bert", "albert", "camembert", "data2vec-text", "ernie", "esm", "ibert",
    "jina_embeddings_v3", "longformer", "megatron-bert", "mpnet", "roberta",
    "roberta-prelayernorm", "tapas", "xlm-roberta", "xlm-roberta-xl",
    "xmod",
)  # fmt: skip
TEXT_TOPS: dict[str, Tops] = {
    **dict.fromkeys(TEXT_ENCODERS, DENSE),
    **dict.fromkeys(_POOLERS, POOLED),
    "rembert": POOLED,
    **dict.fromkeys(("fnet", "layoutlm", "squeezebert"), Tops(dense=False)),  # a pooler in any case
    "electra": replace(DENSE, discriminates=True),
    "modernbert": replace(DENSE, each=True, dense_bias=False, norm=1),
    "modernbert-decoder": replace(DENSE, each=True, dense_bias=False, norm=1),
}
