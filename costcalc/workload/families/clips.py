"""Transformers over patches of a video or of a spectrum: AST, VideoMAE, ViViT.

Gong et al. 2021 (arXiv:2104.01778); Tong et al. 2022 (arXiv:2203.12602); Arnab et al. 2021
(arXiv:2103.15691).  A datum is a clip.  Defaults: transformers 5.24.
"""

from __future__ import annotations

from dataclasses import replace

from costcalc.workload.architecture import Architecture
from costcalc.workload.families.fields import Fields
from costcalc.workload.families.vit import Vit, image_model, sizes


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
