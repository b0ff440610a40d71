"""Transformers over patches of a video or of a spectrum: AST, VideoMAE, ViViT, V-JEPA 2.

Gong et al. 2021 (arXiv:2104.01778); Tong et al. 2022 (arXiv:2203.12602); Arnab et al. 2021
(arXiv:2103.15691); Assran et al. 2025 (arXiv:2506.09985).  A datum is a clip.  Defaults:
transformers 5.24.
"""

from __future__ import annotations

from dataclasses import replace

from costcalc.workload.architecture import Architecture, Attention, Block, Convolution, Stream
from costcalc.workload.families.common import (
    Operators,
    Shape,
    alike,
    architecture,
    attention,
    beside,
    linear,
    mlp,
    weights,
)
from costcalc.workload.families.fields import Fields
from costcalc.workload.families.vit import EACH, FC, Vit, image_model, sizes
from costcalc.workload.keeping import copy_parameters


def video(c: Fields) -> Architecture:
    """VideoMAE: cubes of some frames as patches."""
    head = c.head.head
    if head == "pretraining":
        c.problem("architectures", "VideoMAE's pretraining is not counted: its mask is no key")
    for key in ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size"):
        c.find((f"decoder_{key}",))  # of pretraining alone
    mean = c.flag("use_mean_pooling", True)  # then the norm stands behind the mean
    return image_model(c, "videomae", replace(VIDEO, last_norm=head != "none" or not mean))


def vivit(c: Fields) -> Architecture:
    """ViViT: ``tubelet_size`` says frames and patch."""
    frames, *patch = c.integers("tubelet_size", 3) or [2, 16, 16]
    c.put("tubelet_size", frames)
    c.put("patch_size", patch)
    c.put("num_frames", c.integer("num_frames", 32))
    return image_model(c, "vivit", VIVIT)


def spectrum(c: Fields) -> Architecture:
    """AST: a norm before the classifier."""
    return image_model(c, "audio-spectrogram-transformer", SPECTRUM)


def _spectrogram(c: Fields) -> int:
    """Patches that overlap, of frequency and time."""
    patch = c.integer("patch_size", 16)
    high = (c.integer("num_mel_bins", 128) - patch) // c.integer("frequency_stride", 10) + 1
    return high * ((c.integer("max_length", 1024) - patch) // c.integer("time_stride", 10) + 1)


def _cubes(c: Fields) -> int:
    side, patch = sizes(c, "image_size", 224), sizes(c, "patch_size", 16)
    frames = c.integer("num_frames", 16) // c.integer("tubelet_size", 2)
    return frames * (side[0] // patch[0]) * (side[1] // patch[1])


SPECTRUM = Vit(tokens=2, channels=1, grid=_spectrogram, class_norm=True)
VIVIT = Vit(frames=2, grid=_cubes)
VIDEO = Vit(
    tokens=0, positions=False, frames=2, grid=_cubes, qkv_bias=("qv_bias", True), key_bias=False,
)  # fmt: skip


def vjepa2(c: Fields) -> Architecture:
    """V-JEPA 2: encoder and predictor; with a classifier an attentive pooler, and no predictor.

    The predictor runs as its class does without masks: all patches are its context and its targets.
    """
    s, t = _even(c, "", 1024, 24, 16), _even(c, "pred_", 384, 12, 12)
    patch, side = sizes(c, "patch_size", 16)[0], c.integer("crop_size", 256)
    frames, deep = c.integer("frames_per_clip", 64), c.integer("tubelet_size", 2)
    grid = max(1, side // patch) ** 2
    patches = grid * max(1, frames // deep)
    stem = Convolution(c_in=c.integer("in_chans", 3), c_out=s.hidden, kernel=patch**2 * deep,
                       bias=True, first=True)  # fmt: skip
    bias = c.flag("qkv_bias", True)
    predicted = (
        beside("mask tokens", weights(c.integer("pred_num_mask_tokens", 10) * t.hidden), "both"),
        alike("predictor layer", _jepa_layer(t, bias), "both", t.layers),
        beside("predictor norm", weights(2 * t.hidden), "both"),
    )
    into = linear(s.hidden, t.hidden, "other", "predictor_embeddings", bias=True)
    out = linear(t.hidden, s.hidden, "head", "proj", bias=True)
    top: tuple[Block, ...] = (*predicted, beside("predictor ends", (into, out), "tokens"))
    notes: tuple[str, ...] = (
        "the predictor sees all patches twice, as context and as target: its masks are no key",
    )
    c.find(("num_pooler_layers",))
    if c.head.head != "none":  # the predictor is kept, and does not run
        idle = sum(block.repeat * sum(map(copy_parameters, block.operators)) for block in top)
        top = (beside("predictor", weights(idle), "tokens"), *_pooler(c, s))
        notes = ("the predictor is not run",)
    blocks = (
        beside("patch embedding", (stem,), "tokens"),
        alike("layer", _jepa_layer(s, bias), "tokens", s.layers),
        beside("norm", weights(2 * s.hidden), "tokens"),
        *top,
    )
    lengths = {"tokens": patches, "both": 2 * patches, "class": 1}
    streams = tuple(Stream(name=name, length=length) for name, length in lengths.items())
    made = architecture("vjepa2", "vision", s, blocks, streams=streams, counts="sample")
    return replace(made, notes=notes)


def _even(c: Fields, prefix: str, hidden: int, layers: int, heads: int) -> Shape:
    """The sizes of the encoder, or with a prefix of the predictor."""
    width = c.integer(f"{prefix}hidden_size", hidden)
    number = c.integer(f"{prefix}num_attention_heads", heads)
    c.divides(f"{prefix}num_attention_heads", number, f"{prefix}hidden_size", width)
    depth = c.layers(f"{prefix}num_hidden_layers", layers)
    ffn = int(width * c.number(f"{prefix}mlp_ratio", 4.0))
    return Shape.even(hidden=width, layers=depth, heads=number, ffn=ffn)


def _jepa_layer(s: Shape, bias: bool) -> Operators:
    return (
        *attention(
            s, bias=bias, out_bias=True, causal=False, names=("query", "key", "value", "proj")
        ),
        *mlp(s.hidden, s.ffn, gated=False, bias=True, names=FC),
        *weights(4 * s.hidden),
    )


def _pooler(c: Fields, s: Shape) -> tuple[Block, ...]:
    """Layers over all patches, then one learned query over them; its feed-forward is four wide."""
    feed = mlp(s.hidden, 4 * s.hidden, gated=False, bias=True, names=FC)
    norms = weights(4 * s.hidden)
    own = attention(s, bias=True, causal=False, names=EACH)
    keys = tuple(linear(s.hidden, s.hidden, "attention", name, bias=True) for name in EACH[1:3])
    asked: Operators = (
        linear(s.hidden, s.hidden, "attention", EACH[0], bias=True),
        Attention(heads=s.heads, kv_heads=s.heads, qk_dim=s.head_dim, v_dim=s.head_dim,
                  over="tokens"),
        *feed,
        *norms,
        *weights(s.hidden, "embedding"),
    )  # fmt: skip
    head = (linear(s.hidden, c.labels(), "head", "classifier", bias=True),)
    return (
        alike("pooler layer", (*own, *feed, *norms), "tokens", c.layers("num_pooler_layers", 3)),
        beside("pooler keys", keys, "tokens"),
        beside("pooler query", asked, "class"),
        beside("head", head, "class"),
    )
