"""T5Gemma: two Gemma 2 stacks, an encoder and a decoder that sees it.

Zhang et al. 2025 (arXiv:2504.06225).  A datum is a token of the encoder's input; the target is as
long unless ``target_length`` is given.  Defaults: transformers 5.24.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from costcalc.workload.architecture import Architecture, Stream
from costcalc.workload.families.common import Shape, attention, beside, linear, shape
from costcalc.workload.families.decoder import Decoder, Mixer, decoder, flag, grouped_query
from costcalc.workload.families.fields import Fields
from costcalc.workload.families.t5 import encoder_alone
from costcalc.workload.families.table import DECODERS


def t5gemma(c: Fields) -> Architecture:
    """An embedding a side; only the decoder's is the head's too."""
    inner, outer = c.within("encoder"), c.within("decoder")
    c.find(("vocab_size",))  # each side says its own
    inner.put("tie_word_embeddings", True)
    outer.put("tie_word_embeddings", c.flag("tie_word_embeddings", True))
    gemma = DECODERS["gemma2"]
    encoder = decoder(inner, "t5gemma", replace(gemma, causal=False))
    model = decoder(outer, "t5gemma", replace(gemma, norms=6, mixers=_crossing))
    s = shape(outer, gemma)
    bias = outer.flag("attention_bias", False)
    keys = tuple(
        linear(encoder.hidden, s.kv_heads * s.head_dim, "attention", name, bias)
        for name in ("k_proj", "v_proj")
    )
    blocks = (
        *(replace(b, stream="source") for b in encoder.blocks[:-1]),
        beside("cross keys", keys, "source", s.layers),
        *(replace(b, stream="target") for b in model.blocks),
    )
    streams = (Stream(name="source"), Stream(name="target", target=True))
    made = replace(model, kind="encoder-decoder", blocks=blocks, streams=streams)
    return encoder_alone(made) if c.head.head == "encoder" else made


def _crossing(c: Fields, d: Decoder, s: Shape) -> Sequence[Mixer]:
    """Attention over what comes before, then over the encoder's states."""
    names = ("q_proj", "o_proj")
    bias = flag(c, d.bias)
    over = attention(s, bias=bias, over="source", names=names, keys_apart=True)
    return [(kind, own + over) for kind, own in grouped_query(c, d, s)]
