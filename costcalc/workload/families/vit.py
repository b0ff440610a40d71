"""Vision transformers: a record says how a family differs from ViT; and CLIP's pairs of towers.

ViT: Dosovitskiy et al. 2020 (arXiv:2010.11929); CLIP: Radford et al. 2021 (arXiv:2103.00020);
SigLIP: Zhai et al. 2023 (arXiv:2303.15343); DINOv2: Oquab et al. 2023 (arXiv:2304.07193); DINOv3:
arXiv:2508.10104; BEiT: Bao et al. 2021 (arXiv:2106.08254).  A datum is an image.  Defaults:
transformers 5.24.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

from costcalc.workload.architecture import Architecture, Block, Convolution, Linear, Stream
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
    weights,
)
from costcalc.workload.families.fields import Fields

FC = ("fc1", "fc2")
EACH = ("q_proj", "k_proj", "v_proj", "out_proj")
SIDE = 448  # of an image of no fixed size, in pixels: what is assumed, and said


@dataclass(frozen=True, slots=True, kw_only=True)
class Vit:
    """A family of vision transformers; what is not said is as in ViT."""

    hidden: int = 768
    layers: int = 12
    heads: int = 12
    ffn: int | None = 3072  # None: mlp_ratio x hidden
    narrow: Callable[[Fields, int, bool], int] | None = None  # the width that is really built
    image: int | None = 224  # None: of any size, taken as SIDE
    patch: int = 16
    width_key: str = "hidden_size"
    frames: int = 1  # temporal_patch_size
    channels: int = 3
    grid: Callable[[Fields], int] | None = None  # patches, where no image_size says how many
    patch_bias: bool = True
    tokens: int = 1  # of no patch: class, distillation
    registers: int | None = None  # the default of num_register_tokens, where there is such a key
    mask: bool | tuple[str, bool] = False  # a token for masked patches
    positions: bool | tuple[str, int] | Callable[[Fields], int] = True  # learned; or how many
    relative: bool = False  # a table of relative places a layer, by choice
    token_positions: bool = True  # the class token has one too
    qkv_bias: bool | tuple[str, bool] = ("qkv_bias", True)
    key_bias: bool = True  # False: only where a key says so
    out_bias: bool = True
    mlp_bias: bool = True
    gated: bool | tuple[str, bool] = False
    norm: int = 2  # vectors of a norm
    scale: bool = False  # of attention's and the feed-forward's output
    first_norm: bool = False
    last_norm: bool = True
    probe: bool | tuple[str, bool] = False  # SigLIP's head: one query over all patches
    windows: Callable[[Fields, int], list[int | None]] | None = None  # patches that one sees
    class_inputs: int = 1  # widths that the classifier reads
    class_norm: bool = False  # before the classifier


def flag(c: Fields, asked: bool | tuple[str, bool]) -> bool:
    """The value of a flag in this configuration."""
    return asked if isinstance(asked, bool) else c.flag(*asked)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tower:
    """The blocks of a vision transformer, all but what stands on top."""

    shape: Shape
    blocks: tuple[Block, ...]
    patches: int
    tokens: int
    assumed: bool  # the size of the image

    @property
    def streams(self) -> tuple[Stream, ...]:
        """Patches as they come in, and with the tokens that are none."""
        lengths = {"tokens": self.patches + self.tokens, "patches": self.patches}
        return tuple(Stream(name=name, length=length) for name, length in lengths.items())


def sizes(c: Fields, key: str, default: int) -> tuple[int, int]:
    """One number, or two: height and width."""
    if isinstance(c.config.get(key), list | tuple):
        found = c.integers(key, 2) or [default, default]
        return max(1, found[0]), max(1, found[1])
    found_one = c.integer(key, default)
    return found_one, found_one


def tower(c: Fields, d: Vit) -> Tower:
    """The layers of a vision transformer: patches to states."""
    hidden = c.integer(d.width_key, d.hidden)
    heads = c.integer("num_attention_heads", d.heads, "num_heads")
    c.divides("num_attention_heads", heads, d.width_key, hidden)
    s = Shape(
        hidden=hidden,
        layers=c.layers("num_hidden_layers", d.layers, "depth"),
        heads=heads,
        kv_heads=heads,
        head_dim=max(1, hidden // heads),
        ffn=(
            int(c.number("mlp_ratio", 4) * hidden)
            if d.ffn is None
            else c.integer("intermediate_size", d.ffn)
        ),
    )
    patch = sizes(c, "patch_size", d.patch)
    patches = max(1, d.grid(c)) if d.grid else _patches(c, d, patch)
    registers = 0
    if d.registers is not None:
        registers = c.integer("num_register_tokens", d.registers, low=0)
    rows = 0
    if callable(d.positions):
        rows = d.positions(c)
    elif isinstance(d.positions, tuple) and isinstance(d.positions[1], bool):
        rows = (patches + d.tokens) * c.flag(d.positions[0], d.positions[1])
    elif isinstance(d.positions, tuple):
        rows = c.integer(*d.positions)
    elif d.positions:
        rows = patches + d.tokens * d.token_positions
    kernel = patch[0] * patch[1]
    if d.frames > 1:
        kernel *= c.integer("temporal_patch_size", d.frames, "tubelet_size")
    channels = c.integer("num_channels", d.channels, "in_channels")
    stem = Convolution(c_in=channels, c_out=hidden, kernel=kernel, bias=d.patch_bias, first=True)
    table = rows + d.tokens + registers + flag(c, d.mask)
    norm = weights(d.norm * hidden)
    windows: list[int | None] = d.windows(c, s.layers) if d.windows else [None] * s.layers
    layers = Counter(windows)
    blocks = (
        beside("patch embedding", (stem,), "patches"),
        beside("positions", weights(table * hidden, "embedding") + norm * d.first_norm, "tokens"),
        *(
            alike("vision layer", _layer(c, d, s, window), "tokens", number)
            for window, number in layers.items()
        ),
        beside("vision norm", norm * d.last_norm, "tokens"),
        *((_probe(s),) if flag(c, d.probe) else ()),
    )
    tokens = d.tokens + registers
    assumed = d.image is None and d.grid is None
    return Tower(shape=s, blocks=blocks, patches=patches, tokens=tokens, assumed=assumed)


def _patches(c: Fields, d: Vit, patch: tuple[int, int]) -> int:
    side = (SIDE, SIDE) if d.image is None else sizes(c, "image_size", d.image)
    if side[0] < patch[0] or side[1] < patch[1]:
        message = f"expected at most image_size ({side[0]}); got {patch[0]}"
        c.problem("patch_size", message)
    return max(1, side[0] // patch[0]) * max(1, side[1] // patch[1])


def _layer(c: Fields, d: Vit, s: Shape, window: int | None) -> Operators:
    bias = flag(c, d.qkv_bias)
    operators = attention(
        s, bias=bias, out_bias=d.out_bias, causal=False, window=window,
        chunked=window is not None, names=EACH,
    )  # fmt: skip
    if bias and not d.key_bias and not c.flag("key_bias", False):
        operators = tuple(
            replace(o, bias=False) if isinstance(o, Linear) and o.name == EACH[1] else o
            for o in operators
        )
    gated = flag(c, d.gated)
    scale = 2 * s.hidden * d.scale
    if d.relative and c.flag("use_relative_position_bias", False):
        side = sizes(c, "image_size", d.image or SIDE)[0] // sizes(c, "patch_size", d.patch)[0]
        scale += ((2 * side - 1) ** 2 + 3) * s.heads
    ffn = d.narrow(c, s.ffn, gated) if d.narrow else s.ffn
    return (
        *operators,
        *mlp(s.hidden, ffn, gated=gated, bias=d.mlp_bias, names=GATED if gated else FC),
        *weights(2 * d.norm * s.hidden + scale),
    )


def _probe(s: Shape) -> Block:
    """One learned query over all patches, and a feed-forward layer of its own."""
    keys = tuple(linear(s.hidden, s.hidden, "attention", n, bias=True) for n in EACH[1:3])
    ends = tuple(linear(s.hidden, s.hidden, "attention", n, bias=True) for n in (EACH[0], EACH[3]))
    feed = mlp(s.hidden, s.ffn, gated=False, bias=True, names=FC)
    once = weights(s.hidden + sum(o.n_out * (o.n_in + 1) for o in (*ends, *feed)) + 2 * s.hidden)
    return beside("attention pooling", (*keys, *once), "tokens")  # the one query is nothing beside


def image_model(c: Fields, name: str, d: Vit) -> Architecture:
    """A tower with a classifier on its class token, or on the mean of its patches."""
    made = tower(c, d)
    s, classes = made.shape, c.labels()
    head: Operators = (
        *(weights(2 * s.hidden) * d.class_norm),
        linear(d.class_inputs * s.hidden, classes, "head", "classifier", bias=True),
    )
    if c.head.head == "projected":
        width = c.integer("projection_dim", 512)
        classes, head = width, (linear(s.hidden, width, "head", "visual_projection"),)
    blocks = (*made.blocks, beside("head", head if classes else (), "class"))
    streams = (*made.streams, Stream(name="class", length=1))
    model = architecture(name, "vision", s, blocks, streams=streams, counts="sample")
    return replace(model, notes=of_any_size(made))


def of_any_size(made: Tower) -> tuple[str, ...]:
    """What is assumed of an image whose size the configuration does not say."""
    if not made.assumed:
        return ()
    return (f"an image of {SIDE} x {SIDE} pixels: {made.patches:,} patches",)


def masked_autoencoder(c: Fields, d: Vit) -> Architecture:
    """ViT-MAE (He et al. 2021, arXiv:2111.06377): the encoder sees a quarter of the patches."""
    if c.head.head == "none":
        return image_model(c, "vit_mae", d)
    made, inner = tower(c, d), c.integer("decoder_hidden_size", 512)
    s, heads = made.shape, c.integer("decoder_num_attention_heads", 16)
    c.divides("decoder_num_attention_heads", heads, "decoder_hidden_size", inner)
    kept = max(1, int(made.patches * (1 - c.number("mask_ratio", 0.75))))
    pixels = sizes(c, "patch_size", 16)[0] ** 2 * c.integer("num_channels", 3)
    t = Shape.even(
        hidden=inner,
        layers=c.layers("decoder_num_hidden_layers", 8),
        heads=heads,
        ffn=c.integer("decoder_intermediate_size", 2048),
    )
    table = weights((made.patches + 2) * inner, "embedding")
    blocks = (
        *(replace(b, stream="seen") if b.stream == "tokens" else b for b in made.blocks),
        beside("into the decoder", (linear(s.hidden, inner, "other", "embed", bias=True),), "seen"),
        beside("decoder positions", table, "tokens"),
        alike("decoder layer", _layer(c, d, t, None), "tokens", t.layers),
        beside("decoder norm", weights(2 * inner), "tokens"),
        beside("head", (linear(inner, pixels, "head", "pred", bias=True),), "tokens"),
    )
    streams = (*made.streams, Stream(name="seen", length=kept + 1))
    return architecture("vit_mae", "vision", s, blocks, streams=streams, counts="sample")


# -- pairs of towers -----------------------------------------------------------------------------


def text_tower(c: Fields, *, heads: int, hidden: int, positions: int, words: int) -> Architecture:
    """The text side of CLIP: causal, as long as its positions."""
    hidden, heads = c.integer("hidden_size", hidden), c.integer("num_attention_heads", heads)
    c.divides("num_attention_heads", heads, "hidden_size", hidden)
    s = Shape.even(
        hidden=hidden,
        layers=c.layers("num_hidden_layers", 12),
        heads=heads,
        ffn=c.integer("intermediate_size", 4 * hidden),
        vocabulary=c.integer("vocab_size", words),
    )
    length = c.integer("max_position_embeddings", positions)
    causal = words == CLIP_WORDS
    operators = (
        *attention(s, bias=True, causal=causal, names=EACH),
        *mlp(hidden, s.ffn, gated=False, bias=True, names=FC),
        *weights(4 * hidden),
    )
    blocks = (
        beside("embedding", weights((s.vocabulary + length) * hidden, "embedding"), "text"),
        alike("text layer", operators, "text", s.layers),
        beside("text norm", weights(2 * hidden), "text"),
    )
    stream = Stream(name="text", length=length)
    return architecture("clip", "encoder", s, blocks, streams=(stream,), counts="sample")


CLIP_WORDS = 49408


def clip_text(c: Fields, name: str) -> Architecture:
    """CLIP's text encoder alone, as diffusers uses it; with a projection by its class."""
    model = text_tower(c, heads=8, hidden=512, positions=77, words=CLIP_WORDS)
    width = c.integer("projection_dim", 512)
    head = (linear(model.hidden, width, "head", "text_projection"),)
    ends = (beside("head", head, "text"),) if c.head.head == "projected" else ()
    return replace(model, name=name, blocks=(*model.blocks, *ends))


def clip(
    c: Fields, name: str, d: Vit, *, projected: bool, words: int, positions: int
) -> Architecture:
    """Two towers and the similarity of what they say; ``ForImageClassification``: one alone.

    ``projected``: both are projected to one width (CLIP); else the text is, by a head (SigLIP).
    A datum is a pair of an image and a text.
    """
    vision = c.within("vision_config")
    if c.head.head in ("classifier", "regression"):
        vision.put("num_labels", c.labels())
        return image_model(vision, name, d)
    made = tower(vision, d)
    heads, hidden = (8, 512) if words == CLIP_WORDS else (12, 768)
    inner = c.within("text_config")
    text = text_tower(inner, heads=heads, hidden=hidden, positions=positions, words=words)
    width = c.integer("projection_dim", 512)
    if projected:
        ends = tuple(
            beside("projection", (linear(n, width, "head", name),), "pair")
            for n, name in (
                (made.shape.hidden, "visual_projection"),
                (text.hidden, "text_projection"),
            )
        )
        scalars = weights(1)
    else:
        size = inner.integer("projection_size", text.hidden)
        ends = (
            beside("projection", (linear(text.hidden, size, "head", "head", bias=True),), "pair"),
        )
        scalars = weights(2)
    blocks = (*made.blocks, *text.blocks, *ends, beside("scale", scalars, "pair"))
    streams = (*made.streams, *text.streams, Stream(name="pair", length=1))
    model = architecture(name, "vision", made.shape, blocks, streams=streams, counts="sample")
    return replace(model, vocabulary=text.vocabulary)


# -- the table -----------------------------------------------------------------------------------


def _two_thirds(_: Fields, ffn: int, gated: bool) -> int:
    """DINOv2's gated layer: two thirds of the width, up to a multiple of 8."""
    return (int(ffn * 2 / 3) + 7) // 8 * 8 if gated else ffn


CLIP_VISION = Vit(
    patch=32, patch_bias=False, qkv_bias=True, first_norm=True,
)  # fmt: skip
SIGLIP_VISION = Vit(tokens=0, qkv_bias=True, probe=("vision_use_head", True))
SIGLIP2_VISION = replace(SIGLIP_VISION, image=None, positions=("num_patches", 256))
BEIT = Vit(
    positions=("use_absolute_position_embeddings", False), relative=True, scale=True,
    qkv_bias=True, key_bias=False, mask=("use_mask_token", False),
)  # fmt: skip
DINO2 = Vit(
    ffn=None, patch=14, mask=("use_mask_token", True), scale=True, class_inputs=2,
    narrow=_two_thirds, gated=("use_swiglu_ffn", False),
)  # fmt: skip
PIXTRAL = Vit(
    hidden=1024, layers=24, heads=16, ffn=4096, image=1024, tokens=0, patch_bias=False,
    positions=False, qkv_bias=False, out_bias=False, mlp_bias=False, gated=True, norm=1,
    first_norm=True, last_norm=False,
)  # fmt: skip

#: model_type -> a tower with a classifier (or bare, as ``architectures`` says)
VITS: dict[str, Vit] = {
    "vit": Vit(),
    "vit_msn": Vit(),
    "deit": Vit(tokens=2),
    "ijepa": Vit(tokens=0),
    "dinov2": DINO2,
    "dinov2_with_registers": replace(DINO2, patch=16, registers=4),
    "dinov3_vit": Vit(
        hidden=384, heads=6, ffn=1536, positions=False, mask=True, registers=0, scale=True,
        qkv_bias=("query_bias", True), key_bias=False, gated=("use_gated_mlp", False),
    ),
    "beit": BEIT,
    "data2vec-vision": BEIT,
    "clip_vision_model": CLIP_VISION,
    "metaclip_2_vision_model": CLIP_VISION,
    "siglip_vision_model": SIGLIP_VISION,
    "siglip2_vision_model": SIGLIP2_VISION,
    "pixtral": PIXTRAL,
    "internvl_vision": Vit(
        hidden=1024, layers=24, heads=16, ffn=4096, image=448, patch=14,
        qkv_bias=("attention_bias", False), scale=True, last_norm=False,
        mask=("use_mask_token", False),
    ),
    "idefics3_vision": Vit(hidden=1152, heads=16, patch=32, tokens=0, qkv_bias=True),
    "smolvlm_vision": Vit(hidden=1152, heads=16, patch=32, tokens=0, qkv_bias=True),
}  # fmt: skip
