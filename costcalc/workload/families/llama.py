"""Llama and the families that differ from it in a detail: pre-norm, rotary, gated, no biases.

Touvron et al. 2023 (arXiv:2302.13971); Mistral: Jiang et al. 2023 (arXiv:2310.06825).  Keys and
defaults: the configuration classes of transformers 5.23.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costcalc.workload.families.common import Shape, attention, language_model, mlp, shape, weights

if TYPE_CHECKING:
    from costcalc.workload.architecture import Architecture
    from costcalc.workload.families.fields import Fields

WINDOWED = "sliding_attention"
FULL = "full_attention"


def windows(c: Fields, layers: int, window: int | None, default: list[str]) -> list[int | None]:
    """The window of each layer, by ``layer_types`` or the family's own pattern."""
    kinds = c.words("layer_types", layers, (FULL, WINDOWED)) or default
    return [window if kind == WINDOWED else None for kind in kinds]


def _plain(
    name: str,
    s: Shape,
    window: list[int | None],
    *,
    bias: bool = False,
    out_bias: bool | None = None,
    mlp_bias: bool = False,
    extra: int = 0,
    norms: int | None = None,
    norm: int | None = None,
) -> Architecture:
    norms = 2 * s.hidden if norms is None else norms
    each = {
        w: attention(s, bias=bias, out_bias=out_bias, extra=extra, window=w)
        + mlp(s.hidden, s.ffn, bias=mlp_bias)
        + weights(norms)
        for w in set(window)
    }
    layers = (("layer" if w is None else "windowed layer", each[w]) for w in window)
    return language_model(name, s, layers, norm=norm)


def llama(c: Fields) -> Architecture:
    """Llama 1 to 3, and what copies its configuration."""
    s = shape(c, hidden=4096, layers=32, heads=32, ffn=11008, vocabulary=32000)
    bias = c.flag("attention_bias", False)
    return _plain("llama", s, [None] * s.layers, bias=bias, mlp_bias=c.flag("mlp_bias", False))


def mistral(c: Fields) -> Architecture:
    """Mistral: a sliding window on every layer unless ``sliding_window`` is null."""
    s = shape(c, hidden=4096, layers=32, heads=32, kv_heads=8, ffn=14336, vocabulary=32000)
    return _plain("mistral", s, [c.optional("sliding_window", 4096)] * s.layers)


def granite(c: Fields) -> Architecture:
    """IBM Granite: a Llama with constant multipliers."""
    s = shape(c, hidden=4096, layers=32, heads=32, ffn=11008, vocabulary=32000)
    bias = c.flag("attention_bias", False)
    return _plain("granite", s, [None] * s.layers, bias=bias, mlp_bias=c.flag("mlp_bias", False))


def smollm3(c: Fields) -> Architecture:
    """SmolLM3: some layers without rotary embedding, which may take the window."""
    s = shape(
        c, hidden=2048, layers=36, heads=16, kv_heads=4, ffn=11008, vocabulary=128256, tied=True
    )
    window = c.optional("sliding_window", None) if c.flag("use_sliding_window", False) else None
    every = c.integer("no_rope_layer_interval", 4)
    rotary = c.integers("no_rope_layers", s.layers) or [
        int((i + 1) % every != 0) for i in range(s.layers)
    ]
    pattern = [FULL if r or window is None else WINDOWED for r in rotary]
    bias, mlp_bias = c.flag("attention_bias", False), c.flag("mlp_bias", False)
    ranges = windows(c, s.layers, window, pattern)
    return _plain("smollm3", s, ranges, bias=bias, mlp_bias=mlp_bias)


def olmo(c: Fields) -> Architecture:
    """OLMo: norms without parameters (Groeneveld et al. 2024, arXiv:2402.00838)."""
    s = shape(c, hidden=4096, layers=32, heads=32, ffn=11008, vocabulary=50304)
    bias = c.flag("attention_bias", False)
    return _plain("olmo", s, [None] * s.layers, bias=bias, norms=0, norm=0)


def olmo2(c: Fields) -> Architecture:
    """OLMo 2: norms over the whole query and key (OLMo team 2024, arXiv:2501.00656)."""
    s = shape(c, hidden=4096, layers=32, heads=32, ffn=11008, vocabulary=50304)
    extra = (s.heads + s.kv_heads) * s.head_dim
    bias = c.flag("attention_bias", False)
    return _plain("olmo2", s, [None] * s.layers, bias=bias, extra=extra)


def cohere(c: Fields) -> Architecture:
    """Cohere Command R: attention and feed-forward in parallel behind one norm."""
    s = shape(
        c, hidden=8192, layers=40, heads=64, kv_heads=64, ffn=22528, vocabulary=256000, tied=True
    )
    extra = (s.heads + s.kv_heads) * s.head_dim if c.flag("use_qk_norm", False) else 0
    bias = c.flag("attention_bias", False)
    return _plain("cohere", s, [None] * s.layers, bias=bias, extra=extra, norms=s.hidden)


def stablelm(c: Fields) -> Architecture:
    """StableLM: layer norms with biases, biases on q, k, v by choice."""
    s = shape(c, hidden=2560, layers=32, heads=32, kv_heads=32, ffn=6912, vocabulary=50304)
    extra = (s.heads + s.kv_heads) * s.head_dim if c.flag("qk_layernorm", False) else 0
    norms = 2 * s.hidden if c.flag("use_parallel_residual", False) else 4 * s.hidden
    return _plain(
        "stablelm",
        s,
        [None] * s.layers,
        bias=c.flag("use_qkv_bias", False),
        out_bias=False,
        extra=extra,
        norms=norms,
        norm=2 * s.hidden,
    )


def starcoder2(c: Fields) -> Architecture:
    """StarCoder 2: biases everywhere, no gate (Lozhkov et al. 2024, arXiv:2402.19173)."""
    s = shape(
        c, hidden=3072, layers=30, heads=24, kv_heads=2, ffn=12288, vocabulary=49152, tied=True
    )
    bias = c.flag("use_bias", True)
    operators = (
        *attention(s, bias=bias, window=c.optional("sliding_window", None)),
        *mlp(s.hidden, s.ffn, gated=False, bias=bias, names=("c_fc", "c_proj")),
        *weights(4 * s.hidden),
    )
    layers = [("layer", operators)] * s.layers
    return language_model("starcoder2", s, layers, norm=2 * s.hidden, gated=False)
