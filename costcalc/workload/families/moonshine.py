"""Moonshine: speech by an encoder over the wave and a decoder of text, without biases.

Jeffries et al. 2024 (arXiv:2410.15608).  A datum is a clip of SECONDS seconds at 16 kHz, of
TOKENS_A_SECOND tokens unless ``target_length`` is given.  Defaults: transformers 5.24.
"""

from __future__ import annotations

from dataclasses import replace

from costcalc.workload.architecture import Architecture, Convolution, Stream
from costcalc.workload.families.common import (
    Operators,
    Shape,
    alike,
    architecture,
    attention,
    beside,
    linear,
    mlp,
    output_head,
    weights,
)
from costcalc.workload.families.fields import Fields
from costcalc.workload.families.speech import NOTE, RATE, SECONDS

TOKENS_A_SECOND = 6.5  # the most that its authors let it write


def moonshine(c: Fields) -> Architecture:
    """Moonshine; the sizes of the result are those of its encoder."""
    hidden, ffn = c.integer("hidden_size", 288), c.integer("intermediate_size", 1152)
    bias = c.flag("attention_bias", False)

    def stack(side: str) -> Shape:
        heads = c.integer(f"{side}_num_attention_heads", 8)
        keys = c.optional(f"{side}_num_key_value_heads", None) or heads
        c.divides(f"{side}_num_attention_heads", heads, "hidden_size", hidden)
        return Shape(
            hidden=hidden,
            layers=c.layers(f"{side}_num_hidden_layers", 6),
            heads=heads,
            kv_heads=keys,
            head_dim=max(1, hidden // heads),
            ffn=ffn,
            vocabulary=c.integer("vocab_size", 32768),
            tied=c.flag("tie_word_embeddings", True),
        )

    s, t = stack("encoder"), stack("decoder")
    samples, before = SECONDS * RATE, 1
    wave, lengths = [], {}
    for i, (width, kernel, step) in enumerate(
        ((hidden, 127, 64), (2 * hidden, 7, 3), (hidden, 3, 2)), start=1
    ):
        samples = (samples - kernel) // step + 1
        made = Convolution(c_in=before, c_out=width, kernel=kernel, bias=i > 1, first=i == 1)
        wave.append(beside(f"wave {i}", (made, *weights(2 * width * (i == 1))), f"wave {i}"))
        lengths[f"wave {i}"], before = samples, width
    inner = t.kv_heads * t.head_dim
    keys = tuple(linear(hidden, inner, "attention", n, bias) for n in ("k_proj", "v_proj"))
    own = attention(s, bias=bias, out_bias=False, causal=False)
    own += mlp(hidden, ffn, gated=False, bias=True, names=("fc1", "fc2")) + weights(2 * hidden)
    seen = attention(
        t, bias=bias, out_bias=False, over="wave 3", names=("q_proj", "o_proj"),
        keys_apart=True,
    )  # fmt: skip
    feed: Operators = (
        linear(hidden, 2 * ffn, "mlp", "fc1", bias=True),
        linear(ffn, hidden, "mlp", "fc2", bias=True),
    )
    masked = attention(t, bias=bias, out_bias=False) + seen + feed + weights(3 * hidden)
    blocks = (
        *wave,
        alike("encoder layer", own, "wave 3", s.layers),
        beside("norm", weights(hidden), "wave 3"),
        beside("embedding", weights(t.vocabulary * hidden, "embedding"), "text"),
        beside("cross keys", keys, "wave 3", t.layers),
        alike("decoder layer", masked, "text", t.layers),
        beside("last norm", weights(hidden), "text"),
        beside("head", (output_head(t, "proj_out"),), "text"),
    )
    streams = (
        *(Stream(name=name, length=length) for name, length in reversed(lengths.items())),
        Stream(name="text", target=True, default=int(SECONDS * TOKENS_A_SECOND)),
    )
    model = architecture("moonshine", "speech", s, blocks, streams=streams, counts="sample")
    return replace(model, notes=(NOTE,))
