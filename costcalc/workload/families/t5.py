"""T5 and its kin: an encoder and a decoder, relative positions, no biases.

Raffel et al. 2019 (arXiv:1910.10683).  A datum is a token of the encoder's input, as T5's own
budgets count them.  Each token passes about half of the parameters, so that 6·N·D doubles the
work.  The target length, unless given, is 114 for 512 input tokens, what span corruption leaves
(15 % of tokens in spans of 3; section 3.1.4).  The head is always tied, as transformers 5 builds
it; T5 v1.1 checkpoints hold it apart.  Defaults: transformers 5.23.
"""

from __future__ import annotations

from dataclasses import replace

from costcalc.workload.architecture import Architecture, Stream
from costcalc.workload.families.common import (
    GATED,
    Operators,
    Shape,
    alike,
    architecture,
    attention,
    beside,
    linear,
    mlp,
    output_head,
    weights,
)
from costcalc.workload.families.fields import Fields

TARGET_SHARE = 114 / 512


def t5(
    c: Fields,
    name: str,
    *,
    heads: int,
    ffn: int,
    vocabulary: int,
    layers: int,
    act: str,
    each_layer: bool = False,
    local: bool = False,
) -> Architecture:
    """T5, T5 v1.1 (gated), Flan-T5, mT5, UMT5, LongT5; ``T5ForConditionalGeneration``.

    ``each_layer`` has relative positions of its own; ``local``: the encoder sees a window (with
    ``transient-global``, also blocks of the text, which are not counted beside it).
    """
    hidden = c.integer("d_model", 512, "hidden_size")
    heads = c.integer("num_heads", heads, "num_attention_heads")
    s = Shape(
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=c.integer("d_kv", 64, "head_dim"),
        ffn=c.integer("d_ff", ffn),
        vocabulary=c.integer("vocab_size", vocabulary),
        layers=c.layers("num_layers", layers, "num_hidden_layers"),
        tied=True,
    )
    decoder_layers = c.layers("num_decoder_layers", s.layers)
    table = c.integer("relative_attention_num_buckets", 32) * heads
    buckets = (table * s.layers, table * decoder_layers) if each_layer else (table, table)
    made = encoder_decoder(
        name,
        s,
        decoder_layers=decoder_layers,
        window=2 * c.integer("local_radius", 127) + 1 if local else None,
        gated=c.text("feed_forward_proj", act).startswith("gated"),
        bucket_weights=buckets,
        target_share=TARGET_SHARE,
    )
    if local and c.text("encoder_attention_type", "local") == "transient-global":
        made = _transient(made, table, s)
    if c.head.head in ("encoder", "tokens"):
        return encoder_alone(made, weights(-buckets[1]))
    if c.flag("tie_word_embeddings", True):
        return made
    more = f"{s.vocabulary * hidden:,}"
    note = f"the head is tied, as transformers 5 builds it; stored apart it is {more} more"
    return replace(made, notes=(note,))


def _transient(model: Architecture, table: int, s: Shape) -> Architecture:
    """LongT5 with blocks of the text as further keys: a table for them, and a norm a layer."""
    first, *rest = model.blocks
    more = weights(table + s.layers * s.hidden)
    return replace(model, blocks=(replace(first, operators=first.operators + more), *rest))


def encoder_alone(model: Architecture, less: Operators = ()) -> Architecture:
    """The encoder of an encoder-decoder; ``less``: what of its embedding is the decoder's."""
    first, *rest = (block for block in model.blocks if block.stream == model.streams[0].name)
    body = [block for block in rest if block.name != "cross keys"]
    first = replace(first, operators=first.operators + less)
    return replace(model, kind="encoder", streams=model.streams[:1], blocks=(first, *body))


def encoder_decoder(
    name: str,
    s: Shape,
    *,
    decoder_layers: int,
    gated: bool,
    bucket_weights: tuple[int, int] = (0, 0),
    target_share: float = 1.0,
    window: int | None = None,
) -> Architecture:
    """An encoder-decoder of T5's kind; the cross attention's keys pass over the encoder's tokens.

    ``bucket_weights``: parameters of the relative positions of each stack.
    """
    inner, each = s.heads * s.head_dim, ("q", "k", "v", "o")
    feed = mlp(s.hidden, s.ffn, gated=gated, names=GATED if gated else ("wi", "wo"))
    own = attention(s, causal=False, window=window, names=each)
    masked = attention(s, names=each)
    cross = attention(s, over="source", names=("q", "o"), keys_apart=True)
    keys = tuple(linear(s.hidden, inner, "attention", name) for name in ("k", "v"))
    table = weights(s.vocabulary * s.hidden, "embedding") + weights(sum(bucket_weights))
    norm = weights(s.hidden)
    decoder = masked + cross + feed + weights(3 * s.hidden)
    blocks = (
        beside("embedding", table, "source"),
        alike("encoder layer", own + feed + weights(2 * s.hidden), "source", s.layers),
        beside("encoder norm", norm, "source"),
        beside("cross keys", keys, "source", decoder_layers),
        alike("decoder layer", decoder, "target", decoder_layers),
        beside("decoder norm", norm, "target"),
        beside("head", (output_head(s),), "target"),
    )
    streams = (Stream(name="source"), Stream(name="target", target=True, share=target_share))
    return architecture(name, "encoder-decoder", s, blocks, streams=streams, gated=gated)
