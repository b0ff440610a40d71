"""Llama 3.2 Vision: a text model whose every so-many-th layer attends to an image's tiles.

Meta 2024 (arXiv:2407.21783, section 7).  A datum is a token of the text; each sequence has one
image of as many tiles as the file allows, which are no tokens of it.  Defaults: transformers 5.24.
"""

from __future__ import annotations

from dataclasses import replace

from costcalc.workload.architecture import Architecture, Block, Convolution, Stream
from costcalc.workload.families.common import (
    Operators,
    Shape,
    Sizes,
    alike,
    attention,
    beside,
    language_model,
    linear,
    mlp,
    shape,
    weights,
)
from costcalc.workload.families.fields import Fields
from costcalc.workload.families.vit import FC

TEXT = Sizes(layers=40, kv_heads=8, ffn=14336, vocabulary=128256)
CROSSING = (3, 8, 13, 18, 23, 28, 33, 38)
QKVO = ("q_proj", "k_proj", "v_proj", "o_proj")
MORE_WORDS = 8  # rows of the embedding that no logits stand for


def mllama(c: Fields) -> Architecture:
    """``MllamaForConditionalGeneration``, whole."""
    inner = c.within("text_config")
    s = shape(inner, TEXT)
    told = inner.integers("cross_attention_layers")
    crossing = set(CROSSING if told is None else told)
    feed = mlp(s.hidden, s.ffn) + weights(2 * s.hidden)
    own = attention(s) + feed
    across = attention(s, over="tiles", names=(QKVO[0], QKVO[3]), keys_apart=True)
    across += feed + weights(2 * s.head_dim + 2)  # norms of query and key, two gates
    layers = [("cross layer", across) if i in crossing else ("layer", own) for i in range(s.layers)]
    text = language_model("mllama", s, layers)
    first, *rest = text.blocks
    more = weights(MORE_WORDS * s.hidden, "embedding")
    first = replace(first, operators=first.operators + more)
    width = s.kv_heads * s.head_dim
    keys = tuple(linear(s.hidden, width, "attention", name) for name in QKVO[1:3])
    number = sum(i in crossing for i in range(s.layers))
    vision, tiles, places, out = _vision(c.within("vision_config"))
    blocks = (
        *vision,
        beside("projector", (linear(out, s.hidden, "other", "projector", bias=True),), "tiles"),
        *((beside("keys of the image", keys, "tiles", number),) if number else ()),
        first,
        *rest,
    )
    streams = (*text.streams, Stream(name="tiles", length=tiles * places))
    note = f"one image of {tiles} tiles a sequence"
    return replace(text, blocks=blocks, streams=streams, notes=(note,))


def _vision(c: Fields) -> tuple[tuple[Block, ...], int, int, int]:
    hidden, heads = c.integer("hidden_size", 1280), c.integer("attention_heads", 16)
    c.divides("attention_heads", heads, "hidden_size", hidden)
    tiles, patch = c.integer("max_num_tiles", 4), c.integer("patch_size", 14)
    places = (c.integer("image_size", 448) // patch) ** 2 + 1
    ratios = len(_listed(c)) + 1
    s = Shape.even(hidden=hidden, heads=heads, ffn=c.integer("intermediate_size", 5120))
    layer: Operators = (
        *attention(s, causal=False, names=QKVO),
        *mlp(hidden, s.ffn, gated=False, bias=True, names=FC),
        *weights(4 * hidden),
    )
    stem = Convolution(c_in=c.integer("num_channels", 3), c_out=hidden, kernel=patch**2, first=True)
    tables = hidden + places * hidden + ratios * tiles * hidden * (places + 2) + 3
    blocks = (
        beside("patch embedding", (stem, *weights(tables + 4 * hidden, "embedding")), "tiles"),
        alike("vision layer", layer, "tiles", c.layers("num_hidden_layers", 32)),
        alike("global layer", layer + weights(2), "tiles", c.layers("num_global_layers", 8)),
    )
    return blocks, tiles, places, c.integer("vision_output_dim", 7680)


def _listed(c: Fields) -> list[object] | tuple[object, ...]:
    """The aspect ratios that tiles may make up."""
    found = c.config.get("supported_aspect_ratios")
    return found if isinstance(found, list | tuple) else [None] * 8
