"""Qwen3-Next: three layers of gated DeltaNet to one of gated attention, all with experts.

Qwen3: arXiv:2505.09388; gated DeltaNet: Yang et al. 2024 (arXiv:2412.06464).
"""

from __future__ import annotations

from collections.abc import Sequence

from costcalc.workload.architecture import Convolution, Scan
from costcalc.workload.families.common import Operators, Shape, linear, weights
from costcalc.workload.families.decoder import Decoder, Mixer, flag, grouped_query
from costcalc.workload.families.fields import Fields

FULL, RECURRENT = "full_attention", "linear_attention"


def delta_net_and_attention(c: Fields, d: Decoder, s: Shape) -> Sequence[Mixer]:
    """The mixer of each layer, by ``layer_types``."""
    pattern = [RECURRENT if (i + 1) % 4 else FULL for i in range(s.layers)]
    kinds = c.words("layer_types", s.layers, (FULL, RECURRENT)) or pattern
    gate = linear(s.hidden, s.heads * s.head_dim, "attention", "q_proj", flag(c, d.bias))
    _, plain = grouped_query(c, d, s)[0]
    mixers = {FULL: (gate, *plain), RECURRENT: _delta_net(c, s.hidden)}
    return [(kind, mixers[kind]) for kind in kinds]


def _delta_net(c: Fields, hidden: int) -> Operators:
    """Gated DeltaNet: state of keys x values a head, 3 rank-1 products a token (6·dk·dv FLOP)."""
    key_heads = c.integer("linear_num_key_heads", 16)
    value_heads = c.integer("linear_num_value_heads", 32)
    key_dim = c.integer("linear_key_head_dim", 128)
    value_dim = c.integer("linear_value_head_dim", 128)
    keys, values = key_heads * key_dim, value_heads * value_dim
    width, state = 2 * keys + values, value_heads * key_dim * value_dim
    kernel = c.integer("linear_conv_kernel_dim", 4)
    return (
        linear(hidden, 2 * keys + 2 * values, "attention", "in_proj_qkvz"),
        linear(hidden, 2 * value_heads, "attention", "in_proj_ba"),
        Convolution(c_in=width, c_out=width, kernel=kernel, groups=width),
        *weights(2 * value_heads + value_dim),
        Scan(flops=6 * state, state=state),
        linear(values, hidden, "attention", "out_proj"),
    )
