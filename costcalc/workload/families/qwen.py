"""Qwen2, Qwen3 (dense) and Qwen3-Next.

Reports: arXiv:2407.10671 (Qwen2), arXiv:2412.15115 (Qwen2.5), arXiv:2505.09388 (Qwen3).  Gated
DeltaNet: Yang et al. 2024 (arXiv:2412.06464).  Defaults: transformers 5.23.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from costcalc.workload.architecture import Architecture, Convolution, Scan
from costcalc.workload.families.common import (
    Operators,
    attention,
    experts,
    language_model,
    linear,
    mlp,
    shape,
    weights,
)
from costcalc.workload.families.llama import FULL, WINDOWED, windows
from costcalc.workload.families.mixture import number_of_experts

if TYPE_CHECKING:
    from costcalc.workload.families.fields import Fields


def _windows(c: Fields, layers: int) -> list[int | None]:
    window = c.optional("sliding_window", None) if c.flag("use_sliding_window", False) else None
    first = c.integer("max_window_layers", 28, low=0)
    pattern = [WINDOWED if window and i >= first else FULL for i in range(layers)]
    return windows(c, layers, window, pattern)


def qwen2(c: Fields) -> Architecture:
    """Qwen 1.5, 2 and 2.5: biases on q, k, v, for which there is no key."""
    s = shape(c, hidden=4096, layers=32, heads=32, kv_heads=32, ffn=22016, vocabulary=151936)
    rest = mlp(s.hidden, s.ffn) + weights(2 * s.hidden)
    layers = [
        ("layer", attention(s, bias=True, out_bias=False, window=w) + rest)
        for w in _windows(c, s.layers)
    ]
    return language_model("qwen2", s, layers)


def qwen3(c: Fields) -> Architecture:
    """Qwen3: norms on the head dimension of query and key; head_dim 128 unless said."""
    s = shape(
        c, hidden=4096, layers=32, heads=32, kv_heads=32, head_dim=128, ffn=22016, vocabulary=151936
    )
    bias = c.flag("attention_bias", False)
    rest = mlp(s.hidden, s.ffn) + weights(2 * s.hidden)
    layers = [
        ("layer", attention(s, bias=bias, extra=2 * s.head_dim, window=w) + rest)
        for w in _windows(c, s.layers)
    ]
    return language_model("qwen3", s, layers)


def qwen3_next(c: Fields) -> Architecture:
    """Qwen3-Next: three layers of gated DeltaNet to one of gated attention, all with experts."""
    s = shape(
        c, hidden=2048, layers=48, heads=16, kv_heads=2, head_dim=256, ffn=5632, vocabulary=151936
    )
    number, chosen = number_of_experts(c, 512), c.integer("num_experts_per_tok", 10)
    ffn = c.integer("moe_intermediate_size", 512)
    shared = c.integer("shared_expert_intermediate_size", 512)
    recurrent = "linear_attention"
    pattern = [FULL if (i + 1) % 4 == 0 else recurrent for i in range(s.layers)]
    kinds = c.words("layer_types", s.layers, (FULL, recurrent)) or pattern
    dense_layers = set(c.integers("mlp_only_layers") or ())
    step = c.integer("decoder_sparse_step", 1)
    queries = s.heads * s.head_dim
    bias = c.flag("attention_bias", False)
    gate = linear(s.hidden, queries, "attention", "q_proj", bias)  # the output gate beside q
    mixers = {
        FULL: (gate, *attention(s, bias=bias, extra=2 * s.head_dim)),
        recurrent: _delta_net(c, s.hidden),
    }
    mixture = experts(c, s.hidden, ffn, number, chosen, shared=shared, shared_gate=True)
    dense, norms = mlp(s.hidden, s.ffn), weights(2 * s.hidden)
    layers = []
    for i, kind in enumerate(kinds):
        routed = i not in dense_layers and (i + 1) % step == 0
        layers.append((kind, mixers[kind] + (mixture if routed else dense) + norms))
    return language_model(
        "qwen3_next", s, layers, experts=number, experts_per_token=chosen, ffn=ffn
    )


def _delta_net(c: Fields, hidden: int) -> Operators:
    """Gated DeltaNet: state of keys x values a head, 3 rank-1 products a token (6·dk·dv FLOP)."""
    key_heads, value_heads = (
        c.integer("linear_num_key_heads", 16),
        c.integer("linear_num_value_heads", 32),
    )
    key_dim, value_dim = (
        c.integer("linear_key_head_dim", 128),
        c.integer("linear_value_head_dim", 128),
    )
    keys, values = key_heads * key_dim, value_heads * value_dim
    width = 2 * keys + values
    kernel = c.integer("linear_conv_kernel_dim", 4)
    return (
        linear(hidden, 2 * keys + 2 * values, "attention", "in_proj_qkvz"),
        linear(hidden, 2 * value_heads, "attention", "in_proj_ba"),
        Convolution(c_in=width, c_out=width, kernel=kernel, groups=width),
        *weights(2 * value_heads + value_dim),
        Scan(flops=6 * value_heads * key_dim * value_dim, state=value_heads * key_dim * value_dim),
        linear(values, hidden, "attention", "out_proj"),
    )
