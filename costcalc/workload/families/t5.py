"""T5 and its kin: an encoder and a decoder, relative positions, no biases.

Raffel et al. 2019 (arXiv:1910.10683).  A datum is a token of the encoder's input, as T5's own
budgets count them.  Each token passes about half of the parameters, so that 6·N·D doubles the
work.  The target length, unless given, is 114 for 512 input tokens, what span corruption leaves
(15 % of tokens in spans of 3; section 3.1.4).  The head is always tied, as transformers 5 builds
it; T5 v1.1 checkpoints hold it apart.  Defaults: transformers 5.23.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from costcalc.workload.architecture import Architecture, Attention, Block, Linear, Stream
from costcalc.workload.families.common import GATED, Operators, linear, mlp, weights

if TYPE_CHECKING:
    from costcalc.workload.families.fields import Fields

TARGET_SHARE = 114 / 512


def t5(c: Fields) -> Architecture:
    """T5, T5 v1.1 (gated), Flan-T5; ``T5ForConditionalGeneration``."""
    return _model(c, "t5", heads=8, ffn=2048, vocabulary=32128, layers=6, act="relu")


def mt5(c: Fields) -> Architecture:
    """mT5; ``MT5ForConditionalGeneration``."""
    return _model(c, "mt5", heads=6, ffn=1024, vocabulary=250112, layers=8, act="gated-gelu")


def _model(
    c: Fields, name: str, *, heads: int, ffn: int, vocabulary: int, layers: int, act: str
) -> Architecture:
    hidden = c.integer("d_model", 512, "hidden_size")
    heads = c.integer("num_heads", heads, "num_attention_heads")
    width = c.integer("d_kv", 64, "head_dim")
    ffn, vocabulary = c.integer("d_ff", ffn), c.integer("vocab_size", vocabulary)
    layers = c.layers("num_layers", layers, "num_hidden_layers")
    decoder_layers = c.layers("num_decoder_layers", layers)
    gated = c.text("feed_forward_proj", act).startswith("gated")
    apart = not c.flag("tie_word_embeddings", True)
    buckets = c.integer("relative_attention_num_buckets", 32)
    made = encoder_decoder(
        name,
        hidden=hidden,
        heads=heads,
        head_dim=width,
        ffn=ffn,
        vocabulary=vocabulary,
        layers=layers,
        decoder_layers=decoder_layers,
        gated=gated,
        tied=True,
        bucket_weights=buckets * heads,
        target_share=TARGET_SHARE,
    )
    more = f"{vocabulary * hidden:,}"
    note = f"the head is tied, as transformers 5 builds it; stored apart it is {more} more"
    return replace(made, notes=(note,)) if apart else made


def encoder_decoder(
    name: str,
    *,
    hidden: int,
    heads: int,
    head_dim: int,
    ffn: int,
    vocabulary: int,
    layers: int,
    decoder_layers: int,
    gated: bool,
    tied: bool,
    bucket_weights: int = 0,
    target_share: float = 1.0,
) -> Architecture:
    """An encoder-decoder of T5's kind; the cross attention's keys pass over the encoder's tokens.

    ``bucket_weights``: parameters of the relative positions of one stack.
    """
    inner = heads * head_dim
    own = _attention(hidden, inner, heads, head_dim, causal=False, over=None)
    masked = _attention(hidden, inner, heads, head_dim, causal=True, over=None)
    cross = _attention(hidden, inner, heads, head_dim, causal=False, over="source")
    names = GATED if gated else ("wi", "wo")
    feed = mlp(hidden, ffn, gated=gated, names=names)
    keys = (linear(hidden, inner, "attention", "k"), linear(hidden, inner, "attention", "v"))
    crossing = tuple(o for o in cross if o not in keys)
    output = Linear(n_in=hidden, n_out=vocabulary, part="head", tied=tied, name="lm_head")
    return Architecture(
        name=name,
        kind="encoder-decoder",
        streams=(Stream(name="source"), Stream(name="target", target=True, share=target_share)),
        blocks=(
            Block(
                name="embedding",
                operators=weights(vocabulary * hidden, "embedding") + weights(2 * bucket_weights),
                stream="source",
                layer=False,
            ),
            Block(
                name="encoder layer",
                operators=own + feed + weights(2 * hidden),
                repeat=layers,
                stream="source",
            ),
            Block(name="encoder norm", operators=weights(hidden), stream="source", layer=False),
            Block(
                name="cross keys",
                operators=keys,
                repeat=decoder_layers,
                stream="source",
                layer=False,
            ),
            Block(
                name="decoder layer",
                operators=masked + crossing + feed + weights(3 * hidden),
                repeat=decoder_layers,
                stream="target",
            ),
            Block(name="head", operators=(*weights(hidden), output), stream="target", layer=False),
        ),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=head_dim,
        ffn=ffn,
        vocabulary=vocabulary,
        gated=gated,
    )


def _attention(
    hidden: int, inner: int, heads: int, head_dim: int, *, causal: bool, over: str | None
) -> Operators:
    core = Attention(
        heads=heads, kv_heads=heads, qk_dim=head_dim, v_dim=head_dim, causal=causal, over=over
    )
    return (
        linear(hidden, inner, "attention", "q"),
        linear(hidden, inner, "attention", "k"),
        linear(hidden, inner, "attention", "v"),
        core,
        linear(inner, hidden, "attention", "o"),
    )
