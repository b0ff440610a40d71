"""Gemma 1 to 3, text: head_dim 256 and tied embeddings unless said; four norms a layer from 2 on.

Reports: arXiv:2403.08295, arXiv:2408.00118, arXiv:2503.19786.  Defaults: transformers 5.23.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costcalc.workload.families.common import attention, language_model, mlp, shape, weights
from costcalc.workload.families.llama import FULL, WINDOWED, windows

if TYPE_CHECKING:
    from costcalc.workload.architecture import Architecture
    from costcalc.workload.families.fields import Fields


def gemma(c: Fields) -> Architecture:
    """Gemma."""
    s = shape(
        c,
        hidden=3072,
        layers=28,
        heads=16,
        kv_heads=16,
        head_dim=256,
        ffn=24576,
        vocabulary=256000,
        tied=True,
    )
    operators = attention(s, bias=c.flag("attention_bias", False)) + mlp(s.hidden, s.ffn)
    return language_model("gemma", s, [("layer", operators + weights(2 * s.hidden))] * s.layers)


def gemma2(c: Fields) -> Architecture:
    """Gemma 2: every other layer with a window of 4096."""
    return _windowed(c, "gemma2", 256000, every=2, extra=False)


def gemma3(c: Fields) -> Architecture:
    """Gemma 3: five windowed layers to one full; norms on query and key."""
    every = c.integer("sliding_window_pattern", 6, "_sliding_window_pattern")
    return _windowed(c, "gemma3", 262208, every=every, extra=True)


def _windowed(c: Fields, name: str, vocabulary: int, *, every: int, extra: bool) -> Architecture:
    s = shape(
        c,
        hidden=2304,
        layers=26,
        heads=8,
        kv_heads=4,
        head_dim=256,
        ffn=9216,
        vocabulary=vocabulary,
        tied=True,
    )
    bias = c.flag("attention_bias", False)
    pattern = [WINDOWED if (i + 1) % every else FULL for i in range(s.layers)]
    rest = mlp(s.hidden, s.ffn) + weights(4 * s.hidden)
    norms = 2 * s.head_dim if extra else 0
    layers = [
        (
            "layer" if w is None else "windowed layer",
            attention(s, bias=bias, extra=norms, window=w) + rest,
        )
        for w in windows(c, s.layers, c.optional("sliding_window", 4096), pattern)
    ]
    return language_model(name, s, layers)
