"""Whisper: an audio encoder and a text decoder; and language models that hear by its encoder.

A datum of Whisper is a window of 30 seconds, one of the others a token of their sequence.
Qwen2-Audio: arXiv:2407.10759; Voxtral: arXiv:2507.13264; Audio Flamingo 3: arXiv:2507.08128;
Radford et al. 2022 (arXiv:2212.04356).  The decoder's length, unless ``target_length`` is given, is
``max_target_positions`` (448): an upper figure, as padded batches have it.  Counts are those of
``WhisperForConditionalGeneration``.  Defaults: transformers 5.23.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import pairwise

from costcalc.workload.architecture import Architecture, Block, Convolution, Stream
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
from costcalc.workload.families.heads import class_of


def whisper(c: Fields) -> Architecture:
    """Whisper; the sizes of the result are those of its encoder."""
    if class_of(c.config) == "WhisperForAudioClassification":
        c.problem(
            "architectures",
            "WhisperForAudioClassification is the encoder alone, under a head of its own, which is "
            "not counted: say model.parameters or model.forward_flops",
        )
    hidden, vocabulary = c.integer("d_model", 384), c.integer("vocab_size", 51865)
    heads = c.integer("encoder_attention_heads", 6)
    decoder_heads = c.integer("decoder_attention_heads", 6)
    c.divides("encoder_attention_heads", heads, "d_model", hidden)
    c.divides("decoder_attention_heads", decoder_heads, "d_model", hidden)
    audio, text = c.integer("max_source_positions", 1500), c.integer("max_target_positions", 448)
    mel, ffn = c.integer("num_mel_bins", 80), c.integer("encoder_ffn_dim", 1536)
    decoder_ffn = c.integer("decoder_ffn_dim", 1536)
    layers, decoder_layers = c.layers("encoder_layers", 4), c.layers("decoder_layers", 4)
    s = Shape.even(
        hidden=hidden,
        layers=layers,
        heads=heads,
        ffn=ffn,
        vocabulary=vocabulary,
        tied=c.flag("tie_word_embeddings", True),
    )
    width = max(1, hidden // decoder_heads)
    d = replace(s, heads=decoder_heads, kv_heads=decoder_heads, head_dim=width, ffn=decoder_ffn)
    keys = _keys(hidden)
    crossing = _attention(d, over="audio")
    decoder = keys + _attention(d) + crossing + _mlp(d) + weights(6 * hidden)
    norm = weights(2 * hidden)
    blocks = (
        *_encoder(s, mel, audio),
        beside("embedding", weights((vocabulary + text) * hidden, "embedding"), "text"),
        beside("cross keys", keys, "audio", decoder_layers),
        alike("decoder layer", decoder, "text", decoder_layers),
        beside("last norm", norm, "text"),
        beside("head", (output_head(s, "proj_out"),), "text"),
    )
    streams = (Stream(name="audio", length=audio), Stream(name="text", target=True, default=text))
    return architecture("whisper", "speech", s, blocks, streams=streams, counts="sample")


def _keys(hidden: int) -> Operators:
    """Keys without a bias, values with one."""
    return (
        linear(hidden, hidden, "attention", "k_proj"),
        linear(hidden, hidden, "attention", "v_proj", bias=True),
    )


def _encoder(s: Shape, mel: int, positions: int) -> tuple[Block, ...]:
    """Two convolutions over the mel spectrum, the second one of two frames each, and the layers."""
    hidden = s.hidden
    stem: Operators = (
        Convolution(c_in=mel, c_out=hidden, kernel=3, bias=True, positions=2, first=True),
        Convolution(c_in=hidden, c_out=hidden, kernel=3, bias=True),
        *weights(positions * hidden, "embedding"),
    )
    layer = _keys(hidden) + _attention(s, causal=False) + _mlp(s) + weights(4 * hidden)
    return (
        beside("stem", stem, "audio"),
        alike("encoder layer", layer, "audio", s.layers),
        beside("norm", weights(2 * hidden), "audio"),
    )


@dataclass(frozen=True, slots=True)
class Listener:
    """A language model that hears: how states become its tokens.

    ``merged``: states side by side in one token; else two are averaged.  ``layers`` of the
    projector, and whether they have a bias, and by which key.
    """

    text: str
    layers: int = 1
    bias: bool | tuple[str, bool] = True
    merged: int = 1
    sizes: Mapping[str, int] = field(default_factory=dict)  # of a text model that no file says
    tied: bool = False


LISTENERS: dict[str, Listener] = {
    "audioflamingo3": Listener("qwen2", layers=2, bias=("projector_bias", True)),
    "musicflamingo": Listener("qwen2", layers=2, bias=("projector_bias", True)),
    "qwen2_audio": Listener("qwen2"),
    "voxtral": Listener(
        "llama", layers=2, bias=False, merged=4,
        sizes={
            "vocab_size": 131072, "hidden_size": 3072, "intermediate_size": 8192,
            "num_hidden_layers": 30, "num_key_value_heads": 8, "head_dim": 128,
        },
    ),
}  # fmt: skip


def sound_encoder(c: Fields, name: str) -> Architecture:
    """Whisper's encoder alone, as the models that hear have it; both spellings of its keys."""
    hidden, mel = c.integer("d_model", 1280, "hidden_size"), c.integer("num_mel_bins", 128)
    heads = c.integer("encoder_attention_heads", 20, "num_attention_heads")
    c.divides("encoder_attention_heads", heads, "d_model", hidden)
    s = Shape.even(
        hidden=hidden,
        layers=c.layers("encoder_layers", 32, "num_hidden_layers"),
        heads=heads,
        ffn=c.integer("encoder_ffn_dim", 5120, "intermediate_size"),
    )
    length = c.integer("max_source_positions", 1500)
    blocks, streams = _encoder(s, mel, length), (Stream(name="audio", length=length),)
    return architecture(name, "speech", s, blocks, streams=streams, counts="sample")


def with_sound(c: Fields, d: Listener, text: Architecture) -> Architecture:
    """The text model with an encoder of sound before it, whose tokens are among the sequence's."""
    inner = c.within("audio_config")
    made = sound_encoder(inner, "audio")
    merged = d.merged
    if merged > 1:  # as many as make the feed-forward layer's width
        merged = max(1, inner.integer("intermediate_size", 5120) // made.hidden)
    bias = d.bias if isinstance(d.bias, bool) else c.flag(*d.bias)
    widths = [made.hidden * merged] + [text.hidden] * d.layers
    layers = tuple(
        linear(a, b, "other", f"linear_{i}", bias)
        for i, (a, b) in enumerate(pairwise(widths), start=1)
    )
    tokens = (made.streams[0].length or 0) // (merged if d.merged > 1 else 2)
    streams = (*text.streams, *made.streams, Stream(name="heard", length=max(1, tokens)))
    blocks = (*made.blocks, beside("projector", layers, "heard"), *text.blocks)
    note = f"one clip of 30 seconds a sequence, {tokens:,} of its tokens"
    return replace(text, blocks=blocks, streams=streams, notes=(*text.notes, note))


def _attention(s: Shape, *, causal: bool = True, over: str | None = None) -> Operators:
    names = ("q_proj", "out_proj")
    return attention(s, bias=True, causal=causal, over=over, names=names, keys_apart=True)


def _mlp(s: Shape) -> Operators:
    return mlp(s.hidden, s.ffn, gated=False, bias=True, names=("fc1", "fc2"))
