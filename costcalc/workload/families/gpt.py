"""What GPT-Neo, OPT and Falcon have that no plain value of their record says."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from costcalc.workload.architecture import Architecture, Block
from costcalc.workload.families.common import (
    Shape,
    Sizes,
    attention,
    beside,
    linear,
    output_head,
    shape,
    weights,
)
from costcalc.workload.families.decoder import Decoder, Mixer
from costcalc.workload.families.fields import Fields, shown

OUT = ("q_proj", "k_proj", "v_proj", "out_proj")


def local_and_global(c: Fields, _: Decoder, s: Shape) -> Sequence[Mixer]:
    """GPT-Neo: every other layer with a window of 256, unless ``attention_layers`` says it."""
    window = c.integer("window_size", 256)
    kinds = c.words("attention_layers", s.layers, ("global", "local")) or _patterns(c, s.layers)
    mixers = {
        kind: attention(s, out_bias=True, window=reach, names=OUT)
        for kind, reach in (("global", None), ("local", window))
    }
    return [(kind, mixers[kind]) for kind in kinds]


def _patterns(c: Fields, layers: int) -> list[str]:
    """``attention_types``: [[["global", "local"], 12]] says twelve times both."""
    pattern: list[str] = []
    groups: Any = c.config.get("attention_types") or [[["global", "local"], (layers + 1) // 2]]
    try:
        for kinds, times in groups:
            pattern += list(kinds) * min(int(times), layers)
    except (TypeError, ValueError):
        c.problem("attention_types", f"expected [[[kind, …], times], …]; got {shown(groups)}")
        return ["global"] * layers
    if "attention_types" not in c.config:
        return pattern[:layers]
    if len(pattern) != layers or any(kind not in ("global", "local") for kind in pattern):
        message = f"expected global or local for {layers} layers; got {len(pattern)} layers"
        c.problem("attention_types", message)
        return ["global"] * layers
    return pattern


def falcon_shape(c: Fields, d: Sizes) -> Shape:
    """One key-value head unless ``multi_query`` is false; groups in the new decoder."""
    s = shape(c, d)
    shared = c.integer("num_kv_heads", s.heads, "n_head_kv")
    if c.flag("new_decoder_architecture", False):
        c.divides("num_kv_heads", shared, "num_attention_heads", s.heads)
        return replace(s, kv_heads=shared)
    return replace(s, kv_heads=1) if c.flag("multi_query", True) else s


def falcon_norms(c: Fields) -> int:
    """Two norms a layer, one where attention and feed-forward stand in parallel behind it."""
    if not c.flag("parallel_attn", True):
        return 2
    usual = 2 if c.flag("new_decoder_architecture", False) else 1
    return 2 if c.integer("num_ln_in_parallel_attn", usual) == 2 else 1


def opt_norm(c: Fields) -> int:
    """OPT: a norm with a bias, or one that does not learn."""
    return 2 if c.flag("layer_norm_elementwise_affine", True) else 0


def opt_ends(c: Fields, s: Shape, model: Architecture) -> Architecture:
    """OPT: an offset of 2 in the positions; OPT-350m embeds in fewer dimensions, without a norm."""
    _, *stack, norm, _ = model.blocks
    width = c.integer("word_embed_proj_dim", s.hidden)
    positions = (c.integer("max_position_embeddings", 2048) + 2) * s.hidden
    if not c.flag("do_layer_norm_before", True) or c.flag("_remove_final_layer_norm", False):
        norm = beside("norm", ())
    into: tuple[Block, ...] = ()
    out: tuple[Block, ...] = ()
    if width != s.hidden:
        into = (beside("project in", (linear(width, s.hidden, "other", "project_in"),)),)
        out = (beside("project out", (linear(s.hidden, width, "other", "project_out"),)),)
    words = beside("embedding", weights(s.vocabulary * width + positions, "embedding"))
    head = beside("head", (output_head(replace(s, hidden=width)),))
    return replace(model, blocks=(words, *into, *stack, norm, *out, head))


def one_key_head(c: Fields, d: Sizes) -> Shape:
    """GPTBigCode: one key-value head unless ``multi_query`` is false."""
    s = shape(c, replace(d, grouped=False))
    c.find(("num_key_value_heads",))  # which repeats it
    return replace(s, kv_heads=1) if c.flag("multi_query", True) else s


def without_last_norm(_: Fields, __: Shape, model: Architecture) -> Architecture:
    """The first GPT: no norm behind the last layer."""
    return replace(model, blocks=tuple(b for b in model.blocks if b.name != "norm"))


def one_more_bias(_: Fields, s: Shape, model: Architecture) -> Architecture:
    """GPT-NeoX Japanese: attention's output has a bias in the last layer alone."""
    first, *rest = model.blocks
    more = replace(first, operators=first.operators + weights(s.hidden))
    return replace(model, blocks=(more, *rest))
