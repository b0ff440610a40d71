"""Vision in stages, each half as fine as the one before: Swin, ConvNeXt, SegFormer.

Swin: Liu et al. 2021 (arXiv:2103.14030), version 2: arXiv:2111.09883; ConvNeXt: Liu et al. 2022
(arXiv:2201.03545), version 2: arXiv:2301.00808; SegFormer: Xie et al. 2021 (arXiv:2105.15203).  A
datum is an image; where the file says no size, of 224 pixels (SegFormer: 512).  Defaults:
transformers 5.24.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from costcalc.workload.architecture import (
    Architecture,
    Block,
    Convolution,
    Linear,
    Operator,
    Stream,
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
    weights,
)
from costcalc.workload.families.fields import Fields
from costcalc.workload.families.vit import EACH, FC, sizes


def _image(
    name: str, s: Shape, blocks: Sequence[Block], lengths: dict[str, int], *notes: str
) -> Architecture:
    streams = tuple(Stream(name=stream, length=max(1, n)) for stream, n in lengths.items())
    made = architecture(name, "vision", s, blocks, streams=streams, counts="sample")
    return replace(made, notes=notes)


def _per_stage(c: Fields, key: str, usual: list[int], stages: int | None = None) -> list[int]:
    """A list with a number a stage."""
    found = c.integers(key, stages) or usual[: stages or len(usual)]
    return [max(1, n) for n in found]


def _classifier(c: Fields, hidden: int) -> Block:
    classes = c.labels()
    head = (linear(hidden, classes, "head", "classifier", bias=True),) if classes else ()
    return beside("head", head, "class")


def swin(c: Fields, name: str, *, version: int = 1) -> Architecture:
    """Swin: windows of patches, which merge four to one between stages."""
    depths = _per_stage(c, "depths", [2, 2, 6, 2])
    heads = _per_stage(c, "num_heads", [3, 6, 12, 24], len(depths))
    width, window = c.integer("embed_dim", 96), c.integer("window_size", 7)
    side, patch = sizes(c, "image_size", 224)[0], sizes(c, "patch_size", 4)[0]
    ratio, bias = c.number("mlp_ratio", 4.0), c.flag("qkv_bias", True)
    channels, grid = c.integer("num_channels", 3), max(1, side // patch)
    stem = Convolution(c_in=channels, c_out=width, kernel=patch**2, bias=True, first=True)
    table = grid**2 * width if c.flag("use_absolute_embeddings", False) else 0
    blocks = [beside("patch embedding", (stem, *weights(2 * width + table)), "stage 1")]
    lengths: dict[str, int] = {}
    hidden = width
    for stage, (depth, number) in enumerate(zip(depths, heads, strict=True)):
        stream, hidden = f"stage {stage + 1}", width * 2**stage
        c.divides("num_heads", number, "embed_dim", hidden)
        s = Shape(
            hidden=hidden, heads=number, kv_heads=number, head_dim=max(1, hidden // number),
            ffn=int(ratio * hidden),
        )  # fmt: skip
        reach = min(window, grid)
        lengths[stream] = grid**2
        own: Operators = attention(
            s, bias=bias, out_bias=True, causal=False, window=reach**2, chunked=True, names=EACH
        )
        places = (2 * reach - 1) ** 2 * number
        if version == 2:  # scaled cosines; places by a small network, and keys without a bias
            own = tuple(_without_bias(o, EACH[1]) for o in own)
            places = number + 3 * 512 + 512 * number
        feed = mlp(hidden, s.ffn, gated=False, bias=True, names=FC)
        layer = (*own, *feed, *weights(4 * hidden + places))
        blocks.append(alike(f"stage {stage + 1}", layer, stream, depth))
        if stage + 1 < len(depths):
            grid = (grid + 1) // 2
            merged = linear(4 * hidden, 2 * hidden, "other", "reduction")
            norm = weights(8 * hidden if version == 1 else 4 * hidden)
            blocks.append(beside("merging", (merged, *norm), f"stage {stage + 2}"))
    lengths["class"] = 1
    blocks.append(beside("norm", weights(2 * hidden), "class"))
    blocks.append(_classifier(c, hidden))
    whole = Shape(
        hidden=hidden, layers=sum(depths), heads=heads[-1], kv_heads=heads[-1],
        head_dim=max(1, hidden // heads[-1]), ffn=int(ratio * hidden),
    )  # fmt: skip
    return _image(name, whole, blocks, lengths)


def _without_bias(operator: Operator, name: str) -> Operator:
    if isinstance(operator, Linear) and operator.name == name:
        return replace(operator, bias=False)
    return operator


def convnext(c: Fields, name: str, *, version: int = 1) -> Architecture:
    """ConvNeXt: a depthwise convolution of 7 x 7 and two layers."""
    depths = _per_stage(c, "depths", [3, 3, 9, 3])
    widths = _per_stage(c, "hidden_sizes", [96, 192, 384, 768], len(depths))
    channels, patch = c.integer("num_channels", 3), c.integer("patch_size", 4)
    grid = max(1, sizes(c, "image_size", 224)[0] // patch)
    stem = Convolution(c_in=channels, c_out=widths[0], kernel=patch**2, bias=True, first=True)
    blocks = [beside("stem", (stem, *weights(2 * widths[0])), "stage 1")]
    lengths: dict[str, int] = {}
    for stage, (depth, width) in enumerate(zip(depths, widths, strict=True)):
        stream = f"stage {stage + 1}"
        if stage:
            before, grid = widths[stage - 1], max(1, grid // 2)
            made = Convolution(c_in=before, c_out=width, kernel=4, bias=True)
            blocks.append(beside("downsampling", (made, *weights(2 * before)), stream))
        lengths[stream] = grid**2
        depthwise = Convolution(c_in=width, c_out=width, kernel=49, groups=width, bias=True)
        scale = width if version == 1 else 8 * width  # version 2: a response norm of the wide one
        feed = mlp(width, 4 * width, gated=False, bias=True, names=("pwconv1", "pwconv2"))
        layer: Operators = (depthwise, *feed, *weights(2 * width + scale))
        blocks.append(alike(stream, layer, stream, depth))
    lengths["class"] = 1
    blocks.append(beside("norm", weights(2 * widths[-1]), "class"))
    blocks.append(_classifier(c, widths[-1]))
    return _image(name, Shape(hidden=widths[-1]), blocks, lengths)


def segformer(c: Fields) -> Architecture:
    """SegFormer: keys are reduced by a convolution; a decoder of layers, or a classifier."""
    stages = c.integer("num_encoder_blocks", 4)
    depths = _per_stage(c, "depths", [2] * 4, stages)
    widths = _per_stage(c, "hidden_sizes", [32, 64, 160, 256], stages)
    ratios = _per_stage(c, "sr_ratios", [8, 4, 2, 1], stages)
    patches = _per_stage(c, "patch_sizes", [7, 3, 3, 3], stages)
    strides = _per_stage(c, "strides", [4, 2, 2, 2], stages)
    heads = _per_stage(c, "num_attention_heads", [1, 2, 5, 8], stages)
    wide = _per_stage(c, "mlp_ratios", [4] * 4, stages)
    side, before = sizes(c, "image_size", 512)[0], c.integer("num_channels", 3)
    blocks: list[Block] = []
    lengths: dict[str, int] = {}
    for i in range(stages):
        stream, width, keys = f"stage {i + 1}", widths[i], f"keys {i + 1}"
        side = max(1, -(-side // strides[i]))
        lengths[stream], lengths[keys] = side**2, max(1, side // ratios[i]) ** 2
        stem = Convolution(c_in=before, c_out=width, kernel=patches[i] ** 2, bias=True, first=not i)
        c.divides("num_attention_heads", heads[i], "hidden_sizes", width)
        s = Shape(hidden=width, heads=heads[i], kv_heads=heads[i], head_dim=width // heads[i])
        blocks.append(beside("patch embedding", (stem, *weights(2 * width)), stream))
        reduced: Operators = ()
        if ratios[i] > 1:
            made = Convolution(c_in=width, c_out=width, kernel=ratios[i] ** 2, bias=True)
            reduced = (made, *weights(2 * width))
        pair = tuple(linear(width, width, "attention", n, bias=True) for n in EACH[1:3])
        blocks.append(beside("keys", (*reduced, *pair), keys, depths[i]))
        own = attention(s, bias=True, over=keys, names=(EACH[0], EACH[3]),
                        keys_apart=True)  # fmt: skip
        first, last = mlp(width, wide[i] * width, gated=False, bias=True, names=FC)
        inner = wide[i] * width
        depthwise = Convolution(c_in=inner, c_out=inner, kernel=9, groups=inner, bias=True)
        layer = (*own, first, depthwise, last, *weights(4 * width))
        blocks.append(alike(stream, layer, stream, depths[i]))
        blocks.append(beside("norm", weights(2 * width), stream))
        before = width
    lengths["class"] = 1
    if c.head.head == "segmentation":
        blocks += _segments(c, widths)
    else:
        blocks.append(_classifier(c, widths[-1]))
    whole = Shape(hidden=widths[-1], layers=sum(depths), heads=heads[-1], kv_heads=heads[-1],
                  head_dim=widths[-1] // heads[-1], ffn=wide[-1] * widths[-1])  # fmt: skip
    return _image("segformer", whole, blocks, lengths)


def _segments(c: Fields, widths: list[int]) -> list[Block]:
    """The decoder: each stage to one width, all of them fused at the finest."""
    width, classes = c.integer("decoder_hidden_size", 256), c.labels()
    made = [
        beside("decoder", (linear(n, width, "other", "proj", bias=True),), f"stage {i + 1}")
        for i, n in enumerate(widths)
    ]
    fuse: Operators = (
        Convolution(c_in=len(widths) * width, c_out=width, kernel=1),
        *weights(2 * width),
        linear(width, classes, "head", "classifier", bias=True),
    )
    return [*made, beside("head of segments", fuse, "stage 1")]
