"""Vision: ViT and DeiT-like encoders, ResNets, diffusion transformers.

ViT: Dosovitskiy et al. 2020 (arXiv:2010.11929); ResNet: He et al. 2015 (arXiv:1512.03385, the v1.5
variant whose stride sits in the 3x3 convolution, as in torchvision and transformers); DiT: Peebles
and Xie 2022 (arXiv:2212.09748), whose "Gflops" are multiply-adds.  A datum is an image (for DiT an
image at one noise step).  Other convolutional networks and U-Nets: ``model.forward_flops``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from costcalc.workload.architecture import (
    Architecture,
    Block,
    Convolution,
    Kind,
    Linear,
    Operator,
    Stream,
    Weights,
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

FFN = ("fc1", "fc2")


def vision_transformer(
    s: Shape,
    *,
    patches: int,
    patch: int,
    channels: int = 3,
    classes: int = 1000,
    qkv_bias: bool = True,
) -> Architecture:
    """2n·3p²·d + L[2t(4d² + 2df) + 4t²d] + 2dC FLOP forward; the patch embedding has no dgrad."""
    s, hidden = _square(s), s.hidden
    operators = (
        *attention(s, bias=qkv_bias, out_bias=True, causal=False),
        *mlp(hidden, s.ffn, gated=False, bias=True, names=FFN),
        *weights(4 * hidden),
    )
    head = (linear(hidden, classes, "head", "classifier", bias=True),) if classes else ()
    blocks = (
        _patches(channels, hidden, patch, "patches"),
        beside("positions", weights((patches + 2) * hidden, "embedding"), "tokens"),
        alike("layer", operators, "tokens", s.layers),
        beside("norm", weights(2 * hidden), "class"),
        beside("head", head, "class"),
    )
    lengths = {"tokens": patches + 1, "patches": patches, "class": 1}
    return _of_images("vit", "vision", s, lengths, blocks)


def resnet(c: Fields) -> Architecture:
    """ResNet; ``ResNetForImageClassification``.  ``image_size`` (224) is no key of transformers."""
    image, classes = c.integer("image_size", 224), c.labels()
    stages, width, _ = residual_stages(c, (image, image))
    head = (linear(width, classes, "head", "classifier", bias=True),) if classes else ()
    blocks = [*stages, beside("head", head, "image")]
    return _of_images("resnet", "vision", Shape(hidden=width), {"image": 1}, blocks)


def residual_stages(
    c: Fields, image: tuple[int, int], *, norms: bool = True, deep: bool = False
) -> tuple[list[Block], int, tuple[int, int]]:
    """The stages of a ResNet, the width that they end in and the grid; ``norms``: which learn.

    ``deep``: the form D of RT-DETR's, whose stem is three convolutions of 3 x 3, and whose basic
    stages all begin with a projection.
    """
    depths = c.integers("depths") or [3, 4, 6, 3]
    widths = c.integers("hidden_sizes") or [256, 512, 1024, 2048]
    if len(depths) != len(widths) or min(depths + widths, default=0) < 1:
        c.problem("depths", f"expected as many numbers, 1 or more, as hidden_sizes; got {depths}")
        depths, widths = [1], [256]
    width, channels = c.integer("embedding_size", 64), c.integer("num_channels", 3)
    bottleneck = c.text("layer_type", "bottleneck") == "bottleneck"
    for unread in ("downsample_in_first_stage", "downsample_in_bottleneck"):
        if c.flag(unread, False):
            c.problem(unread, "expected false, the only form that is counted; got true")

    def learnt(operators: Iterable[Operator]) -> Operators:
        return tuple(o for o in operators if norms or not isinstance(o, Weights))

    side = _half(image)
    steps = [(channels, width, 7)]
    if deep:
        half = max(1, width // 2)
        steps = [(channels, half, 3), (half, half, 3), (half, width, 3)]
    stem = [o for i, step in enumerate(steps) for o in _convolution(*step, side, first=not i)]
    blocks = [beside("stem", learnt(stem), "image")]
    side = _half(side)  # the max-pool
    for stage, (depth, out) in enumerate(zip(depths, widths, strict=True)):
        for index in range(depth):
            stride = 2 if stage and not index else 1
            whole = deep and not bottleneck and not index
            residual = _residual(width, out, side, stride, bottleneck=bottleneck, projected=whole)
            operators = learnt(residual)
            blocks.append(alike(f"stage {stage + 1}", operators, "image"))
            side, width = side if stride == 1 else _half(side), out
    return blocks, width, side


def _half(side: tuple[int, int]) -> tuple[int, int]:
    return (side[0] + 1) // 2, (side[1] + 1) // 2


def _convolution(
    c_in: int, c_out: int, kernel: int, side: tuple[int, int], *, first: bool = False
) -> Iterator[Operator]:
    """A convolution and its batch norm: 2·H·W·C_out·C_in·k² FLOP."""
    yield Convolution(
        c_in=c_in, c_out=c_out, kernel=kernel**2, positions=side[0] * side[1], first=first
    )
    yield from weights(2 * c_out)


def _residual(
    c_in: int,
    c_out: int,
    side: tuple[int, int],
    stride: int,
    *,
    bottleneck: bool,
    projected: bool = False,
) -> Iterator[Operator]:
    out = side if stride == 1 else _half(side)
    if c_in != c_out or stride != 1 or projected:
        yield from _convolution(c_in, c_out, 1, out)
    if bottleneck:
        middle = c_out // 4
        yield from _convolution(c_in, middle, 1, side)
        yield from _convolution(middle, middle, 3, out)
        yield from _convolution(middle, c_out, 1, out)
    else:
        yield from _convolution(c_in, c_out, 3, out)
        yield from _convolution(c_out, c_out, 3, out)


def dit(
    s: Shape,
    *,
    tokens: int,
    patch: int = 2,
    channels: int = 4,
    out_channels: int = 8,
    classes: int = 1000,
    frequencies: int = 256,
) -> Architecture:
    """A class-conditional diffusion transformer with adaLN-Zero.

    The embedding of the noise step begins with sinusoids, which do not learn: its first layer has
    no gradient of the input, as the patch embedding has none.  Positions are fixed (no parameter).
    One class more than ``classes`` stands for "none" (classifier-free guidance).
    """
    s, hidden = _square(s), s.hidden

    def dense(n_out: int, name: str) -> Operators:
        return (linear(hidden, n_out, "other", name, bias=True),)

    operators = (
        *attention(s, bias=True, causal=False, names=("qkv", "proj")),
        *mlp(hidden, s.ffn, gated=False, bias=True, names=FFN),
    )
    step = Linear(n_in=frequencies, n_out=hidden, part="other", bias=True, first=True, name="t1")
    labels = weights((classes + 1) * hidden if classes else 0, "embedding")
    output = linear(hidden, patch**2 * out_channels, "head", "linear", bias=True)
    blocks = (
        _patches(channels, hidden, patch, "tokens"),
        beside("step embedding", (step, *dense(hidden, "t2"), *labels), "step"),
        alike("layer", operators, "tokens", s.layers),
        beside("modulation", dense(6 * hidden, "adaln"), "step", s.layers),
        beside("last modulation", dense(2 * hidden, "adaln"), "step"),
        beside("head", (output,), "tokens"),
    )
    return _of_images("dit", "diffusion", s, {"tokens": tokens, "step": 1}, blocks)


def _square(s: Shape) -> Shape:
    """As many key-value heads as heads, all of them as wide as ``hidden`` together; no words."""
    width = max(1, s.hidden // s.heads)
    return replace(s, kv_heads=s.heads, head_dim=width, vocabulary=0)


def _patches(channels: int, hidden: int, patch: int, stream: str) -> Block:
    stem = Convolution(c_in=channels, c_out=hidden, kernel=patch**2, bias=True, first=True)
    return beside("patch embedding", (stem,), stream)


def _of_images(
    name: str, kind: Kind, s: Shape, lengths: dict[str, int], blocks: Iterable[Block]
) -> Architecture:
    streams = tuple(Stream(name=stream, length=length) for stream, length in lengths.items())
    return architecture(name, kind, s, blocks, streams=streams, counts="sample")
