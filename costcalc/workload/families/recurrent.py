"""Layers without attention: state spaces, delta rules, gated convolutions.

Mamba: Gu and Dao 2023 (arXiv:2312.00752); Mamba-2: Dao and Gu 2024 (arXiv:2405.21060); gated
DeltaNet: Yang et al. 2024 (arXiv:2412.06464); Kimi Delta Attention: arXiv:2510.26692; lightning
attention: MiniMax-01 (arXiv:2501.08313).

Mamba's scan is elementwise: of each of the inner·state elements, a token multiplies and adds for
the update (4 FLOP: decay, input, two of discretisation) and for the output (2), 6 in all; it is
bound by memory.  Mamba-2's chunked form, with chunks of Q tokens, trades it for matrix products
within the chunk (section 6): Q·(groups·state + inner) + 4·inner·state FLOP a token.  A delta rule's
state of keys x values a head takes three rank-1 products a token: 6·dk·dv FLOP.  Lightning
attention in blocks of B: 2·H·e·B within (half, as causal), 4·H·e² with the state.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from costcalc.workload.architecture import Convolution, Scan
from costcalc.workload.families.common import Operators, Shape, Sizes, linear, shape, weights
from costcalc.workload.families.decoder import Decoder, full_attention, one_attention
from costcalc.workload.families.fields import Fields

FULL, RECURRENT = "full_attention", "linear_attention"
OLD_NAMES = {"attention": FULL, "mamba": RECURRENT}


# -- which layers --------------------------------------------------------------------------------


def but_each(number: int, kind: str = RECURRENT) -> Callable[[Fields, int], Sequence[str]]:
    """Layers of this kind but for each ``number``-th, which has attention; or as listed."""

    def kinds(c: Fields, layers: int) -> Sequence[str]:
        pattern = [kind if (i + 1) % number else FULL for i in range(layers)]
        return listed(c, layers, (kind, FULL), pattern)

    return kinds


def listed(
    c: Fields, layers: int, known: Sequence[str], otherwise: Sequence[str], key: str = "layer_types"
) -> Sequence[str]:
    """The kind of each layer as ``layer_types`` lists it, under today's names."""
    found = c.words(key, layers, (*known, *OLD_NAMES))
    return otherwise if found is None else [OLD_NAMES.get(kind, kind) for kind in found]


def at_indices(c: Fields, layers: int) -> Sequence[str]:
    """Bamba: attention where ``attn_layer_indices`` says."""
    chosen = c.integers("attn_layer_indices") or ()
    return [FULL if i in chosen else RECURRENT for i in range(layers)]


def by_period(c: Fields, layers: int) -> Sequence[str]:
    """Jamba: attention once a period."""
    period, offset = c.integer("attn_layer_period", 8), c.integer("attn_layer_offset", 4, low=0)
    return [FULL if i % period == offset else RECURRENT for i in range(layers)]


def convolved(c: Fields, layers: int) -> Sequence[str]:
    """LFM2: attention where ``full_attn_idxs`` says, short convolutions elsewhere; or as listed."""
    chosen = c.integers("full_attn_idxs")
    pattern = [FULL if chosen is None or i in chosen else "conv" for i in range(layers)]
    return listed(c, layers, ("conv", FULL, "sliding_attention"), pattern)


def state_spaces(c: Fields, layers: int) -> Sequence[str]:
    """Granite 4: state spaces unless listed otherwise."""
    return listed(c, layers, (RECURRENT, FULL), [RECURRENT] * layers)


def minimax_kinds(c: Fields, layers: int) -> Sequence[str]:
    """MiniMax-01: lightning attention in every other layer; or as listed."""
    pattern = [RECURRENT if i % 2 else FULL for i in range(layers)]
    told = c.integers("attn_type_list", layers)  # the checkpoint's own key: 1 sees all keys
    if told is not None:
        pattern = [FULL if each else RECURRENT for each in told]
    return listed(c, layers, (RECURRENT, FULL), pattern)


def kimi_kinds(c: Fields, layers: int) -> Sequence[str]:
    """Kimi Linear: latent attention in each fourth layer; or as its own mapping lists."""
    told = c.within("linear_attn_config").integers("full_attn_layers")  # counted from 1
    pattern = [FULL if i and i % 4 == 0 else RECURRENT for i in range(layers)]
    if told is not None:
        pattern = [FULL if i + 1 in told else RECURRENT for i in range(layers)]
    return listed(c, layers, (RECURRENT, FULL), pattern)


def recurrent_gemma_kinds(c: Fields, layers: int) -> Sequence[str]:
    """RecurrentGemma: ``block_types`` over and over."""
    told = c.config.get("block_types") or ("recurrent", "recurrent", "attention")
    words = told if isinstance(told, list | tuple) else ()
    if not words or any(word not in ("recurrent", "attention") for word in words):
        c.problem("block_types", f"expected recurrent and attention; got {told}")
        words = ("attention",)
    return [str(words[i % len(words)]) for i in range(layers)]


def jamba_experts(c: Fields, layers: int) -> Sequence[bool]:
    """Jamba: experts once a period of their own."""
    period, offset = c.integer("expert_layer_period", 2), c.integer("expert_layer_offset", 1, low=0)
    return [i % period == offset for i in range(layers)]


# -- sizes ---------------------------------------------------------------------------------------


def lfm2_shape(c: Fields, d: Sizes) -> Shape:
    """LFM2: two thirds of the feed-forward width that is said, up to a multiple."""
    s = shape(c, d)
    ffn = c.integer("block_ff_dim", s.ffn)
    if c.flag("block_auto_adjust_ff_dim", True):
        multiple = c.integer("block_multiple_of", 256)
        ffn = int(c.number("block_ffn_dim_multiplier", 1.0) * int(2 * ffn / 3))
        ffn = -(-ffn // multiple) * multiple
    tied = s.tied if c.config.get("tie_embedding") is None else c.flag("tie_embedding", True)
    return replace(s, ffn=ffn, tied=tied)


def lfm3_norms(c: Fields) -> int:
    """LFM3: four norms a layer if it sandwiches, else two."""
    return 4 if c.flag("use_sandwich_norm", True) else 2


def lfm3_gate(c: Fields, s: Shape) -> int:
    """LFM3: a gate a head, by choice."""
    return s.heads if c.flag("use_attention_gate", True) else 0


def recurrent_gemma_shape(c: Fields, d: Sizes) -> Shape:
    """RecurrentGemma says both halves of its feed-forward layer as one width."""
    s = shape(c, d)
    return replace(s, ffn=max(1, s.ffn // 2))


def recurrent_gemma_window(c: Fields, d: Decoder, s: Shape) -> Operators:
    """RecurrentGemma's attention, within a window."""
    return one_attention(c, d, s, c.integer("attention_window_size", 2048))


def lfm3_kinds(c: Fields, layers: int) -> Sequence[str]:
    """LFM3: of four layers, one sees all keys and one a window."""
    kinds = {2: FULL, 0: "sliding_attention"}
    pattern = [kinds.get(i % 4, "conv") if i else "conv" for i in range(layers)]
    return listed(c, layers, ("conv", FULL, "sliding_attention"), pattern)


# -- state spaces --------------------------------------------------------------------------------


def mamba_layer(
    hidden: int,
    *,
    inner: int,
    state: int,
    kernel: int,
    rank: int,
    bias: bool = False,
    conv_bias: bool = True,
    more: int = 0,
) -> Operators:
    """Mamba's mixer; ``more``: parameters of norms on its step and its matrices."""
    return (
        linear(hidden, 2 * inner, "other", "in_proj", bias),
        Convolution(c_in=inner, c_out=inner, kernel=kernel, groups=inner, bias=conv_bias),
        linear(inner, rank + 2 * state, "other", "x_proj"),
        linear(rank, inner, "other", "dt_proj", bias=True),
        *weights(inner * state + inner + more),
        Scan(flops=6 * inner * state, state=inner * state),
        linear(inner, hidden, "other", "out_proj", bias),
    )


def mamba2_layer(
    hidden: int,
    *,
    inner: int,
    heads: int,
    state: int,
    groups: int,
    kernel: int,
    chunk: int,
    bias: bool = False,
    conv_bias: bool = True,
    norm: bool = True,
) -> Operators:
    """Mamba-2's mixer; ``norm``: over its output before the last projection."""
    channels = inner + 2 * groups * state
    flops = chunk * (groups * state + inner) + 4 * inner * state
    return (
        linear(hidden, inner + channels + heads, "other", "in_proj", bias),
        Convolution(c_in=channels, c_out=channels, kernel=kernel, groups=channels, bias=conv_bias),
        *weights(3 * heads + inner * norm),
        Scan(flops=flops, state=inner * state),
        linear(inner, hidden, "other", "out_proj", bias),
    )


def mamba2_mixer(c: Fields, _: Decoder, s: Shape) -> Operators:
    """The Mamba-2 layer of Bamba and Granite, by the keys that begin with ``mamba_``."""
    return mamba2_of(c, s.hidden, max(1, int(c.number("mamba_expand", 2) * s.hidden)))


def mamba2_of(c: Fields, hidden: int, inner: int, *, norm: bool = True) -> Operators:
    """The same with the inner width given."""
    heads = c.integer("mamba_n_heads", 128)
    if c.config.get("mamba_d_head") not in (None, "auto", inner // heads):
        wanted = f"mamba_n_heads x mamba_d_head to be {inner}"
        c.problem("mamba_d_head", f"expected {wanted}; got {c.config.get('mamba_d_head')}")
    return mamba2_layer(
        hidden,
        inner=inner,
        heads=heads,
        state=c.integer("mamba_d_state", 256),
        groups=c.integer("mamba_n_groups", 1),
        kernel=c.integer("mamba_d_conv", 4),
        chunk=c.integer("mamba_chunk_size", 256),
        bias=c.flag("mamba_proj_bias", False),
        conv_bias=c.flag("mamba_conv_bias", True),
        norm=norm,
    )


def beside_attention(c: Fields, d: Decoder, s: Shape) -> Operators:
    """Falcon-H1: Mamba-2 and attention side by side in each layer."""
    inner = c.integer("mamba_d_ssm", 1024)
    made = mamba2_of(c, s.hidden, inner, norm=c.flag("mamba_rms_norm", False))
    return made + full_attention(c, d, s)


def jamba_mixer(c: Fields, _: Decoder, s: Shape) -> Operators:
    """Jamba's Mamba layer, with norms on its step and its matrices."""
    state, rank = c.integer("mamba_d_state", 16), -(-s.hidden // 16)
    if c.config.get("mamba_dt_rank") != "auto":
        rank = c.integer("mamba_dt_rank", rank)
    return mamba_layer(
        s.hidden,
        inner=max(1, int(c.number("mamba_expand", 2) * s.hidden)),
        state=state,
        kernel=c.integer("mamba_d_conv", 4),
        rank=rank,
        bias=c.flag("mamba_proj_bias", False),
        conv_bias=c.flag("mamba_conv_bias", True),
        more=rank + 2 * state,
    )


# -- delta rules and linear attention ------------------------------------------------------------


def delta_net(
    c: Fields,
    _: Decoder,
    s: Shape,
    *,
    heads: tuple[int, int] = (16, 32),
    widths: tuple[int, int] = (128, 128),
) -> Operators:
    """Gated DeltaNet, of Qwen3-Next, Qwen 3.5 and OLMo Hybrid; ``heads`` of keys and of values."""
    key_heads = c.integer("linear_num_key_heads", heads[0])
    value_heads = c.integer("linear_num_value_heads", heads[1])
    key_dim = c.integer("linear_key_head_dim", widths[0])
    value_dim = c.integer("linear_value_head_dim", widths[1])
    keys, values = key_heads * key_dim, value_heads * value_dim
    width, state = 2 * keys + values, value_heads * key_dim * value_dim
    kernel = c.integer("linear_conv_kernel_dim", 4)
    return (
        linear(s.hidden, 2 * keys + 2 * values, "attention", "in_proj_qkvz"),
        linear(s.hidden, 2 * value_heads, "attention", "in_proj_ba"),
        Convolution(c_in=width, c_out=width, kernel=kernel, groups=width),
        *weights(2 * value_heads + value_dim),
        Scan(flops=6 * state, state=state),
        linear(values, s.hidden, "attention", "out_proj"),
    )


def kimi_norms(c: Fields) -> int:
    """Kimi: two norms a layer; K3's residuals look back, by a norm and a vector for each half."""
    return 2 if c.optional("attn_res_block_size", None) is None else 6


def kimi_delta(c: Fields, _: Decoder, s: Shape) -> Operators:
    """Kimi Delta Attention: a decay of its own for each channel of the keys."""
    inner = c.within("linear_attn_config")
    heads = inner.integer("num_heads", c.integer("linear_num_heads", 32))
    width = inner.integer("head_dim", c.integer("linear_head_dim", 128))
    kernel = c.integer("linear_conv_kernel_dim", 4)
    kernel = inner.integer("short_conv_kernel_size", kernel)
    all_heads, state = heads * width, heads * width**2

    def low_rank(name: str) -> Operators:
        return (
            linear(s.hidden, width, "attention", f"{name}_a_proj"),
            linear(width, all_heads, "attention", f"{name}_b_proj"),
        )

    gate = low_rank("g")
    if inner.flag("use_full_rank_gate", False):  # Kimi K3
        gate = (linear(s.hidden, all_heads, "attention", "g_proj"),)
    return (
        *(linear(s.hidden, all_heads, "attention", f"{name}_proj") for name in "qkv"),
        Convolution(c_in=3 * all_heads, c_out=3 * all_heads, kernel=kernel, groups=3 * all_heads),
        *low_rank("f"),
        *gate,
        linear(s.hidden, heads, "attention", "b_proj"),
        *weights(heads + all_heads + width),
        Scan(flops=6 * state, state=state),
        linear(all_heads, s.hidden, "attention", "o_proj"),
    )


def lightning(c: Fields, _: Decoder, s: Shape) -> Operators:
    """Lightning attention, with a norm and a gate on its output."""
    inner, block = s.heads * s.head_dim, c.integer("block_size", 256)
    return (
        linear(s.hidden, 3 * inner, "attention", "qkv_proj"),
        linear(s.hidden, inner, "attention", "output_gate"),
        *weights(inner),
        Scan(flops=2 * inner * block + 4 * inner * s.head_dim, state=inner * s.head_dim),
        linear(inner, s.hidden, "attention", "out_proj"),
    )


def short_convolution(c: Fields, _: Decoder, s: Shape, *, over: int = 3) -> Operators:
    """LFM2: a gated convolution ``over`` a few tokens."""
    kernel, bias = c.integer("conv_L_cache", over), c.flag("conv_bias", False)
    return (
        linear(s.hidden, 3 * s.hidden, "other", "in_proj", bias),
        Convolution(c_in=s.hidden, c_out=s.hidden, kernel=kernel, groups=s.hidden, bias=bias),
        linear(s.hidden, s.hidden, "other", "out_proj", bias),
    )


def gated_recurrence(c: Fields, _: Decoder, s: Shape) -> Operators:
    """RecurrentGemma's RG-LRU (De et al. 2024, arXiv:2402.19427): gates in blocks of a head."""
    width, kernel = c.integer("lru_width", s.hidden), c.integer("conv1d_width", 4)
    c.divides("num_attention_heads", s.heads, "lru_width", width)
    gate = Convolution(c_in=width, c_out=width, kernel=1, groups=s.heads, bias=True)
    return (
        linear(s.hidden, width, "other", "linear_y", bias=True),
        linear(s.hidden, width, "other", "linear_x", bias=True),
        Convolution(c_in=width, c_out=width, kernel=kernel, groups=width, bias=True),
        gate,  # of the input
        gate,  # of the recurrence
        *weights(width),
        Scan(flops=6 * width, state=width),
        linear(width, s.hidden, "other", "linear_out", bias=True),
    )
