"""Llama pruned layer by layer, as Puzzle leaves it: Llama-Nemotron Super and Ultra, DeciLM.

Bercovich et al. 2024 (arXiv:2411.19146); the models: arXiv:2505.00949.  ``block_configs`` says of
each layer how many heads share a key, how wide its feed-forward is, and which half is left out or
is one matrix.  By the models' own code, ``modeling_decilm.py``.
"""

from __future__ import annotations

from collections.abc import Mapping

from costcalc.workload.architecture import Architecture
from costcalc.workload.families.common import (
    Operators,
    Shape,
    attention,
    language_model,
    linear,
    mlp,
    weights,
)
from costcalc.workload.families.fields import Fields, shown


def pruned(c: Fields) -> Architecture:
    """A decoder of layers that are all described apart."""
    heads, hidden = c.integer("num_attention_heads", 32), c.integer("hidden_size", 4096)
    c.divides("num_attention_heads", heads, "hidden_size", hidden)
    layers = c.layers("num_hidden_layers", 32)
    listed = c.config.get("block_configs")
    if not isinstance(listed, list | tuple) or len(listed) != layers:
        c.problem("block_configs", f"expected what {layers} layers are; got {shown(listed)}")
        listed = ()
    parts = [each if isinstance(each, Mapping) else {} for each in listed]
    made = [_layer(c, i, each, heads, hidden) for i, each in enumerate(parts)]
    s = Shape(
        hidden=hidden,
        layers=layers,
        heads=heads,
        kv_heads=max((kv for _, kv, _ in made), default=1),
        head_dim=max(1, hidden // heads),
        ffn=max((ffn for _, _, ffn in made), default=1),
        vocabulary=c.integer("vocab_size", 128256),
        tied=c.flag("tie_word_embeddings", False),
    )
    return language_model("nemotron-nas", s, [("layer", operators) for operators, _, _ in made])


def _layer(
    c: Fields, index: int, said: Mapping[str, object], heads: int, hidden: int
) -> tuple[Operators, int, int]:
    """The operators of one layer, its key-value heads and the width of its feed-forward."""
    place = f"block_configs.{index}."
    halves: list[Fields] = []
    for name in ("attention", "ffn"):
        found = said.get(name)
        halves.append(Fields(found if isinstance(found, Mapping) else {}, f"{place}{name}."))
        halves[-1].problems = c.problems
    seen, feed = halves
    operators: Operators = ()
    shared, ffn = 0, 0
    if not seen.flag("no_op", False):
        operators += weights(hidden)
        if seen.flag("replace_with_linear", False):
            operators += (linear(hidden, hidden, "attention", "linear_attn"),)
        else:
            group = seen.integer("n_heads_in_group", 1)
            seen.divides("n_heads_in_group", group, "num_attention_heads", heads)
            shared = max(1, heads // group)
            one = Shape(hidden=hidden, heads=heads, kv_heads=shared, head_dim=hidden // heads)
            window = seen.optional("window_length", None)
            operators += attention(one, bias=c.flag("attention_bias", False), window=window)
    if not feed.flag("no_op", False):
        operators += weights(hidden)
        if feed.flag("replace_with_linear", False):
            operators += (linear(hidden, hidden, "mlp", "linear_mlp"),)
        else:
            ffn = _width(feed, hidden)
            operators += mlp(hidden, ffn, bias=c.flag("mlp_bias", False))
    return operators, shared, ffn


def _width(feed: Fields, hidden: int) -> int:
    """Two thirds of ``ffn_mult`` widths, up to a multiple of 256, or as it is said."""
    if feed.config.get("intermediate_size") is not None:
        return feed.integer("intermediate_size", 1)
    wide = int(2 * feed.number("ffn_mult", 2.625) * hidden / 3)
    return -(-wide // 256) * 256
