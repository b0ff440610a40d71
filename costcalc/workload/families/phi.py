"""Phi 1 to 4.

Gunasekar et al. 2023 (arXiv:2306.11644), Phi-3: arXiv:2404.14219.  Defaults: transformers 5.23.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costcalc.workload.families.common import attention, language_model, mlp, shape, weights

if TYPE_CHECKING:
    from costcalc.workload.architecture import Architecture
    from costcalc.workload.families.fields import Fields


def phi(c: Fields) -> Architecture:
    """Phi 1, 1.5, 2: attention and feed-forward in parallel behind one norm, biases everywhere."""
    s = shape(c, hidden=2048, layers=24, heads=32, ffn=8192, vocabulary=51200)
    extra = 4 * (s.hidden // s.heads) if c.flag("qk_layernorm", False) else 0
    names = ("q_proj", "k_proj", "v_proj", "dense")
    operators = (
        *attention(s, bias=True, extra=extra, names=names),
        *mlp(s.hidden, s.ffn, gated=False, bias=True, names=("fc1", "fc2")),
        *weights(2 * s.hidden),
    )
    layers = [("layer", operators)] * s.layers
    return language_model("phi", s, layers, norm=2 * s.hidden, head_bias=True, gated=False)


def phi3(c: Fields) -> Architecture:
    """Phi 3 and 4: fused projections, otherwise a Llama."""
    s = shape(c, hidden=3072, layers=32, heads=32, ffn=8192, vocabulary=32064)
    operators = (
        *attention(s, names=("qkv_proj", "o_proj"), window=c.optional("sliding_window", None)),
        *mlp(s.hidden, s.ffn, names=("gate_up_proj", "down_proj")),
        *weights(2 * s.hidden),
    )
    return language_model("phi3", s, [("layer", operators)] * s.layers)
