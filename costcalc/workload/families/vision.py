"""Vision: ViT and DeiT-like encoders, ResNets, diffusion transformers.

ViT: Dosovitskiy et al. 2020 (arXiv:2010.11929); ResNet: He et al. 2015 (arXiv:1512.03385, the v1.5
variant whose stride sits in the 3x3 convolution, as in torchvision and transformers); DiT: Peebles
and Xie 2022 (arXiv:2212.09748), whose "Gflops" are multiply-adds.  A datum is an image (for DiT an
image at one noise step).  Other convolutional networks and U-Nets: ``model.forward_flops``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costcalc.workload.architecture import (
    Architecture,
    Attention,
    Block,
    Convolution,
    Linear,
    Operator,
    Stream,
)
from costcalc.workload.families.common import linear, mlp, weights

if TYPE_CHECKING:
    from collections.abc import Iterator

    from costcalc.workload.families.fields import Fields


def vit(c: Fields) -> Architecture:
    """ViT with a classifier on the class token; ``ViTForImageClassification``."""
    hidden, heads = c.integer("hidden_size", 768), c.integer("num_attention_heads", 12)
    c.divides("num_attention_heads", heads, "hidden_size", hidden)
    image, patch = c.integer("image_size", 224), c.integer("patch_size", 16)
    if image < patch:
        c.problem("patch_size", f"expected at most image_size ({image}); got {patch}")
    return vision_transformer(
        "vit",
        hidden=hidden,
        heads=heads,
        layers=c.layers("num_hidden_layers", 12),
        ffn=c.integer("intermediate_size", 3072),
        patches=max(1, image // patch) ** 2,
        patch=patch,
        channels=c.integer("num_channels", 3),
        classes=c.labels(),
        qkv_bias=c.flag("qkv_bias", True),
    )


def vision_transformer(
    name: str,
    *,
    hidden: int,
    heads: int,
    layers: int,
    ffn: int,
    patches: int,
    patch: int,
    channels: int = 3,
    classes: int = 1000,
    qkv_bias: bool = True,
) -> Architecture:
    """2n·3p²·d + L[2t(4d² + 2df) + 4t²d] + 2dC FLOP forward; the patch embedding has no dgrad."""
    width = max(1, hidden // heads)
    operators = (
        *(linear(hidden, hidden, "attention", n, qkv_bias) for n in ("q_proj", "k_proj", "v_proj")),
        Attention(heads=heads, kv_heads=heads, qk_dim=width, v_dim=width, causal=False),
        linear(hidden, hidden, "attention", "o_proj", bias=True),
        *mlp(hidden, ffn, gated=False, bias=True, names=("fc1", "fc2")),
        *weights(4 * hidden),
    )
    stem = Convolution(c_in=channels, c_out=hidden, kernel=patch**2, bias=True, first=True)
    head = (linear(hidden, classes, "head", "classifier", bias=True),) if classes else ()
    return Architecture(
        name=name,
        kind="vision",
        counts="sample",
        streams=(
            Stream(name="tokens", length=patches + 1),
            Stream(name="patches", length=patches),
            Stream(name="class", length=1),
        ),
        blocks=(
            Block(name="patch embedding", operators=(stem,), stream="patches", layer=False),
            Block(
                name="positions",
                operators=weights((patches + 2) * hidden, "embedding"),
                stream="tokens",
                layer=False,
            ),
            Block(name="layer", operators=operators, repeat=layers, stream="tokens"),
            Block(
                name="head", operators=(*weights(2 * hidden), *head), stream="class", layer=False
            ),
        ),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=width,
        ffn=ffn,
        gated=False,
    )


def resnet(c: Fields) -> Architecture:
    """ResNet; ``ResNetForImageClassification``.  ``image_size`` (224) is no key of transformers."""
    depths, widths = (
        c.integers("depths") or [3, 4, 6, 3],
        c.integers("hidden_sizes") or [256, 512, 1024, 2048],
    )
    if len(depths) != len(widths) or min(depths + widths, default=0) < 1:
        c.problem("depths", f"expected as many numbers, 1 or more, as hidden_sizes; got {depths}")
        depths, widths = [1], [256]
    stem, channels = c.integer("embedding_size", 64), c.integer("num_channels", 3)
    image, classes = c.integer("image_size", 224), c.labels()
    bottleneck = c.text("layer_type", "bottleneck") == "bottleneck"
    for unread in ("downsample_in_first_stage", "downsample_in_bottleneck"):
        if c.flag(unread, False):
            c.problem(unread, "expected false, the only form that is counted; got true")
    side = _half(image)
    blocks = [_unit("stem", [*_convolution(channels, stem, 7, side, first=True)], layer=False)]
    side, width = _half(side), stem  # the max-pool
    for stage, (depth, out) in enumerate(zip(depths, widths, strict=True)):
        for index in range(depth):
            stride = 2 if stage and not index else 1
            operators = _residual(width, out, side, stride, bottleneck=bottleneck)
            blocks.append(_unit(f"stage {stage + 1}", list(operators)))
            side, width = side if stride == 1 else _half(side), out
    head = [linear(width, classes, "head", "classifier", bias=True)] if classes else []
    blocks.append(_unit("head", list(head), layer=False))
    return Architecture(
        name="resnet",
        kind="vision",
        counts="sample",
        streams=(Stream(name="image", length=1),),
        blocks=tuple(blocks),
        hidden=width,
        gated=False,
    )


def _unit(name: str, operators: list[Operator], *, layer: bool = True) -> Block:
    return Block(name=name, operators=tuple(operators), stream="image", layer=layer)


def _half(side: int) -> int:
    return (side + 1) // 2


def _convolution(
    c_in: int, c_out: int, kernel: int, side: int, *, first: bool = False
) -> Iterator[Operator]:
    """A convolution and its batch norm: 2·H·W·C_out·C_in·k² FLOP."""
    yield Convolution(c_in=c_in, c_out=c_out, kernel=kernel**2, positions=side * side, first=first)
    yield from weights(2 * c_out)


def _residual(
    c_in: int, c_out: int, side: int, stride: int, *, bottleneck: bool
) -> Iterator[Operator]:
    out = side if stride == 1 else _half(side)
    if c_in != c_out or stride != 1:
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
    name: str,
    *,
    hidden: int,
    heads: int,
    layers: int,
    ffn: int,
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
    width = max(1, hidden // heads)
    operators = (
        linear(hidden, 3 * hidden, "attention", "qkv", bias=True),
        Attention(heads=heads, kv_heads=heads, qk_dim=width, v_dim=width, causal=False),
        linear(hidden, hidden, "attention", "proj", bias=True),
        *mlp(hidden, ffn, gated=False, bias=True, names=("fc1", "fc2")),
    )
    step = Linear(n_in=frequencies, n_out=hidden, part="other", bias=True, first=True, name="t1")
    return Architecture(
        name=name,
        kind="diffusion",
        counts="sample",
        streams=(Stream(name="tokens", length=tokens), Stream(name="step", length=1)),
        blocks=(
            Block(
                name="patch embedding",
                operators=(
                    Convolution(
                        c_in=channels, c_out=hidden, kernel=patch**2, bias=True, first=True
                    ),
                ),
                stream="tokens",
                layer=False,
            ),
            Block(
                name="step embedding",
                operators=(
                    step,
                    linear(hidden, hidden, "other", "t2", bias=True),
                    *weights((classes + 1) * hidden if classes else 0, "embedding"),
                ),
                stream="step",
                layer=False,
            ),
            Block(name="layer", operators=operators, repeat=layers, stream="tokens"),
            Block(
                name="modulation",
                operators=(linear(hidden, 6 * hidden, "other", "adaln", bias=True),),
                repeat=layers,
                stream="step",
                layer=False,
            ),
            Block(
                name="last modulation",
                operators=(linear(hidden, 2 * hidden, "other", "adaln", bias=True),),
                stream="step",
                layer=False,
            ),
            Block(
                name="head",
                operators=(linear(hidden, patch**2 * out_channels, "head", "linear", bias=True),),
                stream="tokens",
                layer=False,
            ),
        ),
        hidden=hidden,
        heads=heads,
        kv_heads=heads,
        head_dim=width,
        ffn=ffn,
        gated=False,
    )
