"""Mamba and Mamba-2: state-space models without attention.

Gu and Dao 2023 (arXiv:2312.00752), Dao and Gu 2024 (arXiv:2405.21060).  The scan is elementwise:
of each of the inner·state elements, a token multiplies and adds for the update (4 FLOP: decay,
input, two of discretisation) and for the output (2), 6 in all; it is bound by memory.  Mamba-2's
chunked form, with chunks of Q tokens, trades it for matrix products within the chunk (section 6):
Q·(groups·state + inner) + 4·inner·state FLOP a token.  Defaults: transformers 5.23.
"""

from __future__ import annotations

from costcalc.workload.architecture import Architecture, Convolution, Scan
from costcalc.workload.families.common import Operators, Shape, language_model, linear, weights
from costcalc.workload.families.fields import Fields


def mamba(c: Fields) -> Architecture:
    """Mamba; ``MambaForCausalLM``."""
    s = _shape(c, hidden=768, layers=32, vocabulary=50280, tied=True)
    inner = c.integer("intermediate_size", max(1, int(c.number("expand", 2) * s.hidden)))
    state, kernel = c.integer("state_size", 16), c.integer("conv_kernel", 4)
    rank = s.hidden // 16 + (s.hidden % 16 > 0)
    if c.config.get("time_step_rank") != "auto":
        rank = c.integer("time_step_rank", rank)
    bias, conv_bias = c.flag("use_bias", False), c.flag("use_conv_bias", True)
    operators: Operators = (
        linear(s.hidden, 2 * inner, "other", "in_proj", bias),
        Convolution(c_in=inner, c_out=inner, kernel=kernel, groups=inner, bias=conv_bias),
        linear(inner, rank + 2 * state, "other", "x_proj"),
        linear(rank, inner, "other", "dt_proj", bias=True),
        *weights(inner * state + inner + s.hidden),
        Scan(flops=6 * inner * state, state=inner * state),
        linear(inner, s.hidden, "other", "out_proj", bias),
    )
    return language_model("mamba", s, [("layer", operators)] * s.layers, kind="ssm", gated=False)


def mamba2(c: Fields) -> Architecture:
    """Mamba-2; ``Mamba2ForCausalLM``."""
    s = _shape(c, hidden=4096, layers=64, vocabulary=32768, tied=False)
    inner = max(1, int(c.number("expand", 2) * s.hidden))
    heads, width = c.integer("num_heads", 128), c.integer("head_dim", 64)
    if heads * width != inner:
        wanted = f"num_heads x head_dim to be expand x hidden_size ({inner})"
        c.problem("num_heads", f"expected {wanted}; got {heads} x {width}")
    state, kernel = c.integer("state_size", 128), c.integer("conv_kernel", 4)
    groups, chunk = c.integer("n_groups", 8), c.integer("chunk_size", 256)
    bias, conv_bias = c.flag("use_bias", False), c.flag("use_conv_bias", True)
    channels = inner + 2 * groups * state
    flops = chunk * (groups * state + inner) + 4 * inner * state
    operators: Operators = (
        linear(s.hidden, inner + channels + heads, "other", "in_proj", bias),
        Convolution(c_in=channels, c_out=channels, kernel=kernel, groups=channels, bias=conv_bias),
        *weights(3 * heads + inner + s.hidden),
        Scan(flops=flops, state=inner * state),
        linear(inner, s.hidden, "other", "out_proj", bias),
    )
    return language_model("mamba2", s, [("layer", operators)] * s.layers, kind="ssm", gated=False)


def _shape(c: Fields, *, hidden: int, layers: int, vocabulary: int, tied: bool) -> Shape:
    return Shape(
        hidden=c.integer("hidden_size", hidden, "d_model"),
        layers=c.layers("num_hidden_layers", layers, "n_layer"),
        vocabulary=c.integer("vocab_size", vocabulary),
        tied=c.flag("tie_word_embeddings", tied),
    )
