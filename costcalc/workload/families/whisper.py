"""Whisper: an audio encoder and a text decoder; a datum is a window of 30 seconds.

Radford et al. 2022 (arXiv:2212.04356).  The decoder's length, unless ``target_length`` is given, is
``max_target_positions`` (448): an upper figure, as padded batches have it.  Counts are those of
``WhisperForConditionalGeneration``.  Defaults: transformers 5.23.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costcalc.workload.architecture import (
    Architecture,
    Attention,
    Block,
    Convolution,
    Linear,
    Stream,
)
from costcalc.workload.families.common import Operators, linear, mlp, weights

if TYPE_CHECKING:
    from costcalc.workload.families.fields import Fields

FFN = ("fc1", "fc2")


def whisper(c: Fields) -> Architecture:
    """Whisper."""
    hidden, vocabulary = c.integer("d_model", 384), c.integer("vocab_size", 51865)
    heads = c.integer("encoder_attention_heads", 6)
    decoder_heads = c.integer("decoder_attention_heads", 6)
    c.divides("encoder_attention_heads", heads, "d_model", hidden)
    c.divides("decoder_attention_heads", decoder_heads, "d_model", hidden)
    audio, text = c.integer("max_source_positions", 1500), c.integer("max_target_positions", 448)
    mel, ffn = c.integer("num_mel_bins", 80), c.integer("encoder_ffn_dim", 1536)
    decoder_ffn = c.integer("decoder_ffn_dim", 1536)
    layers, decoder_layers = c.layers("encoder_layers", 4), c.layers("decoder_layers", 4)
    crossing = _attention(hidden, decoder_heads, causal=False, over="audio")
    stem: Operators = (
        Convolution(c_in=mel, c_out=hidden, kernel=3, bias=True, positions=2, first=True),
        Convolution(c_in=hidden, c_out=hidden, kernel=3, bias=True),
        *weights(audio * hidden, "embedding"),
    )
    encoder: Operators = (
        *_keys(hidden),
        *_attention(hidden, heads, causal=False, over=None),
        *mlp(hidden, ffn, gated=False, bias=True, names=FFN),
        *weights(4 * hidden),
    )
    decoder: Operators = (
        *_keys(hidden),
        *_attention(hidden, decoder_heads, causal=True, over=None),
        *crossing,
        *mlp(hidden, decoder_ffn, gated=False, bias=True, names=FFN),
        *weights(6 * hidden),
    )
    tied = c.flag("tie_word_embeddings", True)
    output = Linear(n_in=hidden, n_out=vocabulary, part="head", tied=tied, name="proj_out")
    table = weights((vocabulary + text) * hidden, "embedding")
    return Architecture(
        name="whisper",
        kind="speech",
        counts="sample",
        streams=(
            Stream(name="audio", length=audio),
            Stream(name="text", target=True, default=text),
        ),
        blocks=(
            Block(name="stem", operators=stem, stream="audio", layer=False),
            Block(name="encoder layer", operators=encoder, repeat=layers, stream="audio"),
            Block(name="norm", operators=weights(2 * hidden), stream="audio", layer=False),
            Block(name="embedding", operators=table, stream="text", layer=False),
            Block(
                name="cross keys",
                operators=_keys(hidden),
                repeat=decoder_layers,
                stream="audio",
                layer=False,
            ),
            Block(name="decoder layer", operators=decoder, repeat=decoder_layers, stream="text"),
            Block(
                name="head", operators=(*weights(2 * hidden), output), stream="text", layer=False
            ),
        ),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=max(1, hidden // heads),
        ffn=ffn,
        vocabulary=vocabulary,
        gated=False,
    )


def _keys(hidden: int) -> Operators:
    """Keys without a bias, values with one."""
    return (
        linear(hidden, hidden, "attention", "k_proj"),
        linear(hidden, hidden, "attention", "v_proj", bias=True),
    )


def _attention(hidden: int, heads: int, *, causal: bool, over: str | None) -> Operators:
    width = max(1, hidden // heads)
    return (
        linear(hidden, hidden, "attention", "q_proj", bias=True),
        Attention(heads=heads, kv_heads=heads, qk_dim=width, v_dim=width, causal=causal, over=over),
        linear(hidden, hidden, "attention", "out_proj", bias=True),
    )
