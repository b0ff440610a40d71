"""Whisper: an audio encoder and a text decoder; a datum is a window of 30 seconds.

Radford et al. 2022 (arXiv:2212.04356).  The decoder's length, unless ``target_length`` is given, is
``max_target_positions`` (448): an upper figure, as padded batches have it.  Counts are those of
``WhisperForConditionalGeneration``.  Defaults: transformers 5.23.
"""

from __future__ import annotations

from dataclasses import replace

from costcalc.workload.architecture import Architecture, Convolution, Stream
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
    weights,
)
from costcalc.workload.families.fields import Fields


def whisper(c: Fields) -> Architecture:
    """Whisper; the sizes of the result are those of its encoder."""
    hidden, vocabulary = c.integer("d_model", 384), c.integer("vocab_size", 51865)
    heads = c.integer("encoder_attention_heads", 6)
    decoder_heads = c.integer("decoder_attention_heads", 6)
    c.divides("encoder_attention_heads", heads, "d_model", hidden)
    c.divides("decoder_attention_heads", decoder_heads, "d_model", hidden)
    audio, text = c.integer("max_source_positions", 1500), c.integer("max_target_positions", 448)
    mel, ffn = c.integer("num_mel_bins", 80), c.integer("encoder_ffn_dim", 1536)
    decoder_ffn = c.integer("decoder_ffn_dim", 1536)
    layers, decoder_layers = c.layers("encoder_layers", 4), c.layers("decoder_layers", 4)
    s = Shape(
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=heads,
        head_dim=max(1, hidden // heads),
        ffn=ffn,
        vocabulary=vocabulary,
        tied=c.flag("tie_word_embeddings", True),
    )
    width = max(1, hidden // decoder_heads)
    d = replace(s, heads=decoder_heads, kv_heads=decoder_heads, head_dim=width, ffn=decoder_ffn)
    keys: Operators = (  # keys without a bias, values with one
        linear(hidden, hidden, "attention", "k_proj"),
        linear(hidden, hidden, "attention", "v_proj", bias=True),
    )
    stem: Operators = (
        Convolution(c_in=mel, c_out=hidden, kernel=3, bias=True, positions=2, first=True),
        Convolution(c_in=hidden, c_out=hidden, kernel=3, bias=True),
        *weights(audio * hidden, "embedding"),
    )
    encoder = keys + _attention(s, causal=False) + _mlp(s) + weights(4 * hidden)
    crossing = _attention(d, causal=False, over="audio")
    decoder = keys + _attention(d, causal=True) + crossing + _mlp(d) + weights(6 * hidden)
    norm = weights(2 * hidden)
    blocks = (
        beside("stem", stem, "audio"),
        alike("encoder layer", encoder, "audio", layers),
        beside("norm", norm, "audio"),
        beside("embedding", weights((vocabulary + text) * hidden, "embedding"), "text"),
        beside("cross keys", keys, "audio", decoder_layers),
        alike("decoder layer", decoder, "text", decoder_layers),
        beside("last norm", norm, "text"),
        beside("head", (output_head(s, "proj_out"),), "text"),
    )
    streams = (Stream(name="audio", length=audio), Stream(name="text", target=True, default=text))
    return architecture("whisper", "speech", s, blocks, streams=streams, counts="sample")


def _attention(s: Shape, *, causal: bool, over: str | None = None) -> Operators:
    names = ("q_proj", "out_proj")
    return attention(s, bias=True, causal=causal, over=over, names=names, keys_apart=True)


def _mlp(s: Shape) -> Operators:
    return mlp(s.hidden, s.ffn, gated=False, bias=True, names=("fc1", "fc2"))
