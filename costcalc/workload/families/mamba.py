"""Mamba, Mamba-2 and Falcon Mamba: state-space models without attention.

Their layers stand in :mod:`~costcalc.workload.families.recurrent`.  Defaults: transformers 5.24.
"""

from __future__ import annotations

from costcalc.workload.architecture import Architecture
from costcalc.workload.families.common import Shape, language_model, weights
from costcalc.workload.families.fields import Fields
from costcalc.workload.families.recurrent import mamba2_layer, mamba_layer


def mamba(c: Fields, name: str = "mamba") -> Architecture:
    """Mamba; ``MambaForCausalLM``, and ``FalconMambaForCausalLM``, whose inner norms learn not."""
    s = _shape(c, hidden=768, layers=32, vocabulary=50280, tied=True)
    inner = c.integer("intermediate_size", max(1, int(c.number("expand", 2) * s.hidden)))
    rank = s.hidden // 16 + (s.hidden % 16 > 0)
    if c.config.get("time_step_rank") != "auto":
        rank = c.integer("time_step_rank", rank)
    mixer = mamba_layer(
        s.hidden,
        inner=inner,
        state=c.integer("state_size", 16),
        kernel=c.integer("conv_kernel", 4),
        rank=rank,
        bias=c.flag("use_bias", False),
        conv_bias=c.flag("use_conv_bias", True),
    )
    layer = ("layer", mixer + weights(s.hidden))
    return language_model(name, s, [layer] * s.layers, kind="ssm", gated=False)


def mamba2(c: Fields) -> Architecture:
    """Mamba-2; ``Mamba2ForCausalLM``."""
    s = _shape(c, hidden=4096, layers=64, vocabulary=32768, tied=False)
    inner = max(1, int(c.number("expand", 2) * s.hidden))
    heads, width = c.integer("num_heads", 128), c.integer("head_dim", 64)
    if heads * width != inner:
        wanted = f"num_heads x head_dim to be expand x hidden_size ({inner})"
        c.problem("num_heads", f"expected {wanted}; got {heads} x {width}")
    mixer = mamba2_layer(
        s.hidden,
        inner=inner,
        heads=heads,
        state=c.integer("state_size", 128),
        groups=c.integer("n_groups", 8),
        kernel=c.integer("conv_kernel", 4),
        chunk=c.integer("chunk_size", 256),
        bias=c.flag("use_bias", False),
        conv_bias=c.flag("use_conv_bias", True),
    )
    layer = ("layer", mixer + weights(s.hidden))
    return language_model("mamba2", s, [layer] * s.layers, kind="ssm", gated=False)


def _shape(c: Fields, *, hidden: int, layers: int, vocabulary: int, tied: bool) -> Shape:
    return Shape(
        hidden=c.integer("hidden_size", hidden, "d_model"),
        layers=c.layers("num_hidden_layers", layers, "n_layer"),
        vocabulary=c.integer("vocab_size", vocabulary),
        tied=c.flag("tie_word_embeddings", tied),
    )
