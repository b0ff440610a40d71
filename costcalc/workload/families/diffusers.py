"""Diffusion models by the configuration files of diffusers: the U-Net, and four transformers.

Stable Diffusion: Rombach et al. 2021 (arXiv:2112.10752); SDXL: arXiv:2307.01952; DiT: Peebles and
Xie 2022 (arXiv:2212.09748); PixArt: arXiv:2310.00426; SD3: Esser et al. 2024 (arXiv:2403.03206).  A
datum is a latent image at one noise step, of the model's own sample size, with a text of the length
that its encoders give; those and the VAE are no part of it.  Defaults: diffusers 0.42.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from costcalc.workload.architecture import (
    Architecture,
    Attention,
    Block,
    Convolution,
    Operator,
    Stream,
)
from costcalc.workload.families.common import (
    Operators,
    Shape,
    alike,
    architecture,
    beside,
    linear,
    weights,
)
from costcalc.workload.families.fields import Fields, shown

FREQUENCIES = 256  # of the noise step's sinusoids
CLIP_TOKENS, FLUX_TOKENS, SD3_TOKENS, PIXART_TOKENS = 77, 512, 333, 120


def dense(n_in: int, n_out: int, name: str = "linear", bias: bool = True) -> Operators:
    """A layer beside attention and feed-forward."""
    return (linear(n_in, n_out, "other", name, bias),)


def _made(
    name: str, s: Shape, blocks: list[Block], lengths: dict[str, int], *notes: str
) -> Architecture:
    streams = tuple(Stream(name=stream, length=max(1, n)) for stream, n in lengths.items())
    made = architecture(name, "diffusion", s, blocks, streams=streams, counts="sample")
    return replace(made, notes=notes)


def _core(s: Shape, over: str | None = None) -> Attention:
    return Attention(
        heads=s.heads,
        kv_heads=s.heads,
        qk_dim=s.head_dim,
        v_dim=s.head_dim,
        causal=False,
        over=over,
    )


def _projections(hidden: int, bias: bool, *names: str) -> Operators:
    return tuple(linear(hidden, hidden, "attention", name, bias) for name in names)


def _feed(hidden: int, *, gated: bool = False) -> Operators:
    wide = 4 * hidden
    return (
        linear(hidden, wide * (2 if gated else 1), "mlp", "proj", bias=True),
        linear(wide, hidden, "mlp", "out", bias=True),
    )


# -- the U-Net -----------------------------------------------------------------------------------


class _UNet:
    """A U-Net while it is built: its blocks, one level of resolution after another."""

    def __init__(self, c: Fields) -> None:
        self.c, self.blocks = c, list[Block]()
        self.widths = c.integers("block_out_channels") or [320, 640, 1280, 1280]
        self.widths = [max(1, w) for w in self.widths]
        self.levels = len(self.widths)
        self.depths = self.each("layers_per_block", 2)
        self.layers = self.each("transformer_layers_per_block", 1)
        self.text = self.each("cross_attention_dim", 1280)
        key = "num_attention_heads" if c.config.get("num_attention_heads") else "attention_head_dim"
        self.heads = self.each(key, 8)  # which in these files is their number
        self.step = 4 * self.widths[0]

    def each(self, key: str, usual: int) -> list[int]:
        """A number, or one a level."""
        if isinstance(self.c.config.get(key), list | tuple):
            found = self.c.integers(key, self.levels) or [usual] * self.levels
            return [max(1, n) for n in found]
        return [self.c.integer(key, usual)] * self.levels

    def kinds(self, key: str, plain: str, usual: list[bool]) -> list[bool]:
        """Whether each level attends to the text."""
        crossing = f"CrossAttn{plain}"
        found = self.c.words(key, self.levels, (plain, crossing))
        if found is not None:
            return [kind == crossing for kind in found]
        if self.levels != len(usual):
            self.c.problem(key, f"expected {self.levels} words, as block_out_channels; got none")
        return (usual + [False] * self.levels)[: self.levels]

    def add(self, name: str, operators: Operators, stream: str, *, layer: bool = True) -> None:
        """One more block."""
        made = alike if layer else beside
        self.blocks.append(made(name, operators, stream))

    def convolution(self, c_in: int, c_out: int, kernel: int = 3) -> Operator:
        """A convolution with a bias."""
        return Convolution(c_in=c_in, c_out=c_out, kernel=kernel**2, bias=True)

    def residual(self, c_in: int, c_out: int, level: int) -> None:
        """Two convolutions, the noise step between them."""
        shortcut = (self.convolution(c_in, c_out, 1),) if c_in != c_out else ()
        operators = (
            *weights(2 * c_in + 2 * c_out),
            self.convolution(c_in, c_out),
            self.convolution(c_out, c_out),
            *shortcut,
        )
        self.add("residual", operators, f"level {level}")
        self.add("step", dense(self.step, c_out, "time_emb_proj"), "step", layer=False)

    def attend(self, level: int, layers: int) -> None:
        """Self-attention, attention to the text and a gated feed-forward layer, so many times."""
        hidden, heads = self.widths[level], self.heads[level]
        self.c.divides("attention_head_dim", heads, "block_out_channels", hidden)
        s = Shape(hidden=hidden, heads=heads, head_dim=max(1, hidden // heads))
        stream = f"level {level}"
        out = (linear(hidden, hidden, "attention", "to_out", bias=True),)
        operators = (
            *_projections(hidden, False, "to_q", "to_k", "to_v"),
            _core(s),
            *out,
            *_projections(hidden, False, "to_q"),
            _core(s, "text"),
            *out,
            *_feed(hidden, gated=True),
            *weights(6 * hidden),
        )
        self.blocks.append(alike("transformer", operators, stream, layers))
        keys = tuple(
            linear(self.text[level], hidden, "attention", name) for name in ("to_k", "to_v")
        )
        self.blocks.append(beside("keys of the text", keys, "text", layers))
        ends = dense(hidden, hidden, "proj_in") + dense(hidden, hidden, "proj_out")
        self.add("ends", (*ends, *weights(2 * hidden)), stream, layer=False)


def unet(c: Fields) -> Architecture:
    """``UNet2DConditionModel``: Stable Diffusion 1 and 2, SDXL."""
    _check(c)
    u = _UNet(c)
    first, last = u.widths[0], u.levels - 1
    stem = Convolution(
        c_in=c.integer("in_channels", 4), c_out=first, kernel=9, bias=True, first=True
    )
    u.add("conv_in", (stem,), "level 0", layer=False)
    step = dense(first, u.step) + dense(u.step, u.step)
    if c.config.get("addition_embed_type") == "text_time":
        step += dense(c.integer("projection_class_embeddings_input_dim", 2816), u.step)
        step += dense(u.step, u.step)
    u.add("step embedding", step, "step", layer=False)
    skips = _down(u)
    if c.config.get("mid_block_type", "UNetMidBlock2DCrossAttn") is not None:
        u.residual(u.widths[last], u.widths[last], last)
        u.attend(last, u.layers[last])
        u.residual(u.widths[last], u.widths[last], last)
    _up(u, skips)
    out = Convolution(c_in=first, c_out=c.integer("out_channels", 4), kernel=9, bias=True)
    u.add("conv_out", (*weights(2 * first), out), "level 0", layer=False)
    side = _side(c, 64)
    lengths = {f"level {i}": max(1, side >> i) ** 2 for i in range(u.levels)}
    s = Shape(hidden=first, heads=u.heads[0], kv_heads=u.heads[0],
              head_dim=max(1, first // u.heads[0]), ffn=4 * first)  # fmt: skip
    text = _text(CLIP_TOKENS)
    return _made("unet", s, u.blocks, lengths | {"text": CLIP_TOKENS, "step": 1}, _size(side), text)


def _check(c: Fields) -> None:
    """What changes a U-Net and is not counted."""
    unread = ("class_embed_type", "encoder_hid_dim_type", "time_cond_proj_dim", "num_class_embeds")
    for key in unread:
        if c.config.get(key) is not None:
            got = shown(c.config[key])
            c.problem(key, f"expected null, the only form that is counted; got {got}")
    if c.config.get("addition_embed_type") not in (None, "text_time"):
        got = shown(c.config["addition_embed_type"])
        c.problem("addition_embed_type", f"expected text_time or null; got {got}")


def _down(u: _UNet) -> list[int]:
    """The way down; the widths of what is handed across."""
    crossing = u.kinds("down_block_types", "DownBlock2D", [True, True, True, False])
    skips, before = [u.widths[0]], u.widths[0]
    for level, width in enumerate(u.widths):
        for _ in range(u.depths[level]):
            u.residual(before, width, level)
            before = width
            skips.append(width)
            if crossing[level]:
                u.attend(level, u.layers[level])
        if level + 1 < u.levels:
            made = (u.convolution(width, width),)
            u.add("downsampling", made, f"level {level + 1}", layer=False)
            skips.append(width)
    return skips


def _up(u: _UNet, skips: list[int]) -> None:
    """The way up, one residual block more a level."""
    crossing = u.kinds("up_block_types", "UpBlock2D", [False, True, True, True])
    before = u.widths[-1]
    for level in range(u.levels - 1, -1, -1):
        width = u.widths[level]
        for _ in range(u.depths[level] + 1):
            u.residual(before + skips.pop(), width, level)
            before = width
            if crossing[u.levels - 1 - level]:
                u.attend(level, u.layers[level])
        if level:
            made = (u.convolution(width, width),)
            u.add("upsampling", made, f"level {level - 1}", layer=False)


def _side(c: Fields, usual: int) -> int:
    size = c.config.get("sample_size")
    if isinstance(size, list | tuple):
        return max(1, (c.integers("sample_size", 2) or [usual])[0])
    return c.integer("sample_size", usual)


def _size(side: int) -> str:
    return f"a latent of {side} x {side}"


def _text(tokens: int) -> str:
    return f"a text of {tokens} tokens; the encoders of text and the VAE are no part of it"


# -- transformers --------------------------------------------------------------------------------


def _heads(c: Fields, heads: int, width: int) -> Shape:
    heads, width = c.integer("num_attention_heads", heads), c.integer("attention_head_dim", width)
    return Shape(hidden=heads * width, heads=heads, kv_heads=heads, head_dim=width,
                 ffn=4 * heads * width)  # fmt: skip


def _stem(s: Shape, channels: int, patch: int) -> Operators:
    made = Convolution(c_in=channels, c_out=s.hidden, kernel=patch**2, bias=True, first=True)
    return (made,)


def flux(c: Fields) -> Architecture:
    """``FluxTransformer2DModel``: blocks of two streams, then of both in one."""
    s, layers = _heads(c, 24, 128), c.layers("num_layers", 19)
    single, d = c.layers("num_single_layers", 38), s.hidden
    channels = c.integer("in_channels", 64)
    out = channels if c.config.get("out_channels") is None else c.integer("out_channels", channels)
    step = dense(FREQUENCIES, d) + dense(d, d)
    pooled = dense(c.integer("pooled_projection_dim", 768), d) + dense(d, d)
    guided = step if c.flag("guidance_embeds", False) else ()
    joint = [*_projections(d, True, "to_q", "to_k", "to_v"), *weights(2 * s.head_dim)]
    own = (*joint, *_projections(d, True, "to_out"), *_feed(d))
    mixed = (
        *joint, _core(s), linear(d, 4 * d, "mlp", "proj_mlp", bias=True),
        linear(5 * d, d, "mlp", "proj_out", bias=True),
    )  # fmt: skip
    patch = c.integer("patch_size", 1)
    blocks = [
        beside("step embedding", step + guided + pooled, "step"),
        beside("into", dense(channels, d, "x_embedder"), "image"),
        beside("text into", dense(c.integer("joint_attention_dim", 4096), d), "text"),
        alike("image's part", own, "image", layers),
        beside("text's part", own, "text", layers),
        beside("attention of both", (_core(s),), "both", layers),
        beside("modulation", dense(d, 6 * d) * 2, "step", layers),
        alike("single layer", mixed, "both", single),
        beside("modulation", dense(d, 3 * d), "step", single),
        beside("last modulation", dense(d, 2 * d), "step"),
        beside("head", (linear(d, patch**2 * out, "head", "proj_out", bias=True),), "image"),
    ]
    image = 4096
    lengths = {"image": image, "text": FLUX_TOKENS, "both": image + FLUX_TOKENS, "step": 1}
    return _made("flux", s, blocks, lengths, "an image of 1,024 x 1,024 pixels", _text(FLUX_TOKENS))


def sd3(c: Fields) -> Architecture:
    """``SD3Transformer2DModel``: each stream its own weights, attention over both."""
    s, layers = _heads(c, 18, 64), c.layers("num_layers", 18)
    d, patch, channels = s.hidden, c.integer("patch_size", 2), c.integer("in_channels", 16)
    dual = c.integers("dual_attention_layers") or []
    twice = sum(1 for i in dual if i < layers)
    normed = c.config.get("qk_norm") is not None
    norm = weights(2 * s.head_dim * normed)
    three = _projections(d, True, "to_q", "to_k", "to_v") + norm
    own = (*three, *_projections(d, True, "to_out"), *_feed(d))
    second = (*three, _core(s), *_projections(d, True, "to_out"))
    width = c.integer("caption_projection_dim", d)
    step = dense(FREQUENCIES, d) + dense(d, d)
    step += dense(c.integer("pooled_projection_dim", 2048), d) + dense(d, d)
    side = _side(c, 128)
    out = c.integer("out_channels", 16)
    blocks = [
        beside("patch embedding", _stem(s, channels, patch), "image"),
        beside("step embedding", step, "step"),
        beside("text into", dense(c.integer("joint_attention_dim", 4096), width), "text"),
        alike("image's part", own, "image", layers),
        *([alike("second attention", second, "image", twice)] if twice else []),
        beside("text's part", own, "text", layers - 1),
        beside("text's last part", three, "text"),
        beside("attention of both", (_core(s),), "both", layers),
        beside("modulation", dense(d, 6 * d), "step", 2 * layers - 1),
        *([beside("second modulation", dense(d, 3 * d), "step", twice)] if twice else []),
        beside("last modulation", dense(d, 2 * d) * 2, "step"),
        beside("head", (linear(d, patch**2 * out, "head", "proj_out", bias=True),), "image"),
    ]
    image = max(1, side // patch) ** 2
    lengths = {"image": image, "text": SD3_TOKENS, "both": image + SD3_TOKENS, "step": 1}
    return _made("sd3", s, blocks, lengths, _size(side), _text(SD3_TOKENS))


def pixart(c: Fields) -> Architecture:
    """``PixArtTransformer2DModel``: one modulation for all layers, attention to the text."""
    s, layers = _heads(c, 16, 72), c.layers("num_layers", 28)
    d, patch, side = s.hidden, c.integer("patch_size", 2), _side(c, 128)
    bias, channels = c.flag("attention_bias", True), c.integer("in_channels", 4)
    text = d if c.config.get("cross_attention_dim") is None else c.integer("cross_attention_dim", d)
    sized = c.config.get("use_additional_conditions")
    step = dense(FREQUENCIES, d) + dense(d, d) + dense(d, 6 * d)
    if side == 128 if sized is None else sized:
        step += (dense(FREQUENCIES, d // 3) + dense(d // 3, d // 3)) * 2
    caption: Operators = ()
    if c.config.get("caption_channels") is not None:
        caption = dense(c.integer("caption_channels", 4096), d) + dense(d, d)
    own = (
        *_projections(d, bias, "to_q", "to_k", "to_v"), _core(s), *_projections(d, True, "to_out"),
        *_projections(d, bias, "to_q"), _core(s, "text"), *_projections(d, True, "to_out"),
        *_feed(d), *weights(6 * d),
    )  # fmt: skip
    keys = tuple(linear(text, d, "attention", name, bias) for name in ("to_k", "to_v"))
    out = c.integer("out_channels", 8)
    blocks = [
        beside("patch embedding", _stem(s, channels, patch), "image"),
        beside("step embedding", step, "step"),
        beside("caption", caption, "text"),
        alike("layer", own, "image", layers),
        beside("keys of the text", keys, "text", layers),
        beside("last modulation", weights(2 * d), "image"),
        beside("head", (linear(d, patch**2 * out, "head", "proj_out", bias=True),), "image"),
    ]
    lengths = {"image": max(1, side // patch) ** 2, "text": PIXART_TOKENS, "step": 1}
    return _made("pixart", s, blocks, lengths, _size(side), _text(PIXART_TOKENS))


def dit(c: Fields) -> Architecture:
    """``DiTTransformer2DModel``: each layer its own embedding of step and class, as diffusers."""
    s, layers = _heads(c, 16, 72), c.layers("num_layers", 28)
    d, patch, side = s.hidden, c.integer("patch_size", 2), _side(c, 32)
    channels, bias = c.integer("in_channels", 4), c.flag("attention_bias", True)
    out = channels if c.config.get("out_channels") is None else c.integer("out_channels", channels)
    classes = c.integer("num_embeds_ada_norm", 1000)
    own = (*_projections(d, bias, "to_q", "to_k", "to_v"), _core(s),
           *_projections(d, True, "to_out"), *_feed(d))  # fmt: skip
    step = dense(FREQUENCIES, d) + dense(d, d) + dense(d, 6 * d)
    blocks = [
        beside("patch embedding", _stem(s, channels, patch), "image"),
        alike("layer", own, "image", layers),
        beside("modulation", (*step, *weights((classes + 1) * d, "embedding")), "step", layers),
        beside("last modulation", dense(d, 2 * d), "step"),
        beside("head", (linear(d, patch**2 * out, "head", "proj_out_2", bias=True),), "image"),
    ]
    lengths = {"image": max(1, side // patch) ** 2, "step": 1}
    return _made("dit", s, blocks, lengths, _size(side))


#: ``_class_name`` of a config.json of diffusers -> what makes an architecture of it
DIFFUSERS: dict[str, Callable[[Fields], Architecture]] = {
    "UNet2DConditionModel": unet,
    "FluxTransformer2DModel": flux,
    "SD3Transformer2DModel": sd3,
    "PixArtTransformer2DModel": pixart,
    "DiTTransformer2DModel": dit,
}
