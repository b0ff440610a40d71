"""RT-DETR, first and second version: a ResNet, a hybrid encoder over three grids, a decoder.

Zhao et al. 2023 (arXiv:2304.08069); version 2: Lv et al. 2024 (arXiv:2407.17140), which samples
otherwise and has the same parameters.  A datum is an image of 640 x 640 pixels, as COCO's are
trained at, with the queries of denoising that training adds.  Of deformable attention the weighted
sum over its points is counted; where it samples is elementwise.  Defaults: transformers 5.24.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

from costcalc.workload.architecture import (
    Architecture,
    Attention,
    Block,
    Convolution,
    Operator,
    Stream,
)
from costcalc.workload.families.common import (
    Operators,
    Shape,
    alike,
    architecture,
    attention,
    beside,
    linear,
    mlp,
    weights,
)
from costcalc.workload.families.fields import Fields
from costcalc.workload.families.vision import residual_stages
from costcalc.workload.families.vit import FC

SIDE = 640


def rt_detr(c: Fields, name: str) -> Architecture:
    """RT-DETR: everything from pixels to boxes."""
    hidden, d = c.integer("encoder_hidden_dim", 256), c.integer("d_model", 256)
    widths = _levels(c)
    stages, grids = _backbone(c, widths)
    queries, noise = c.integer("num_queries", 300), c.integer("num_denoising", 100, low=0)
    cells = sum(grids)
    into = tuple(
        beside(f"projection {i}", tuple(_norm(width, hidden, 1, size)), "image")
        for i, (width, size) in enumerate(zip(widths, grids, strict=True))
    )
    classes = c.labels()
    proposals: Operators = (
        linear(d, d, "other", "enc_output", bias=True),
        *weights(2 * d),
        linear(d, classes, "head", "enc_score_head", bias=True),
        *_boxes(d),
    )
    learnt = weights((classes + 1) * d, "embedding") if noise else ()
    learnt += weights(queries * d, "embedding") if c.flag("learn_initial_query", False) else ()
    out = tuple(o for size in grids for o in _norm(hidden, d, 1, size))
    s = Shape.even(
        hidden=d, layers=c.layers("decoder_layers", 6),
        heads=c.integer("decoder_attention_heads", 8), ffn=c.integer("decoder_ffn_dim", 1024),
    )  # fmt: skip
    c.divides("decoder_attention_heads", s.heads, "d_model", d)
    blocks = (
        *stages, *into, *_hybrid(c, hidden, grids),
        beside("queries", learnt, "queries"),
        beside("proposals", proposals, "cells"),
        beside("decoder input", out, "image"),
        *_decoder(c, s, classes),
    )  # fmt: skip
    streams = (
        Stream(name="cells", length=cells),
        Stream(name="last", length=grids[-1]),
        Stream(name="image", length=1),
        Stream(name="queries", length=queries + 2 * noise),
    )
    made = architecture(name, "vision", s, blocks, streams=streams, counts="sample")
    note = f"an image of {SIDE} x {SIDE} pixels"
    return replace(made, notes=(f"{note}, {2 * noise} queries of denoising",) if noise else (note,))


def _levels(c: Fields) -> list[int]:
    """The widths of the grids that the encoder sees; the decoder must see as many."""
    widths = c.integers("encoder_in_channels") or [512, 1024, 2048]
    number = len(widths)
    for key, found in (
        ("num_feature_levels", c.integer("num_feature_levels", 3)),
        ("decoder_in_channels", len(c.integers("decoder_in_channels") or [256] * 3)),
        ("encode_proj_layers", (c.integers("encode_proj_layers") or [2])[-1] + 1),
    ):
        if found != number:
            c.problem(key, f"expected what the {number} grids of encoder_in_channels need")
    return widths


def _backbone(c: Fields, widths: list[int]) -> tuple[list[Block], list[int]]:
    """The stages of its ResNet and the cells of the grids that leave them."""
    inner = c.within("backbone_config")
    kind = inner.config.get("model_type", "rt_detr_resnet")
    if kind != "rt_detr_resnet" or c.config.get("backbone") is not None:
        inner.problem("model_type", f"expected rt_detr_resnet, the one that is counted; got {kind}")
    frozen = c.flag("freeze_backbone_batch_norms", True)
    stages, _, _ = residual_stages(inner, (SIDE, SIDE), norms=not frozen, deep=True)
    depths = len(inner.integers("depths") or [3, 4, 6, 3])
    if len(widths) > depths:
        c.problem("encoder_in_channels", f"expected at most {depths} grids; got {len(widths)}")
    sides = [-(-SIDE // 2 ** (i + 2)) for i in range(depths)][-len(widths) :]
    return stages, [side**2 for side in sides]


def _norm(c_in: int, c_out: int, kernel: int, positions: int) -> Iterator[Operator]:
    """A convolution and its norm, which learns."""
    yield Convolution(c_in=c_in, c_out=c_out, kernel=kernel**2, positions=positions)
    yield from weights(2 * c_out)


def _csp(c: Fields, hidden: int, cells: int) -> Operators:
    """A cross-stage block: two ways in, three blocks of a 3 x 3 beside a 1 x 1 on one of them."""
    inner = max(1, int(hidden * c.number("hidden_expansion", 1.0)))
    blocks = [(inner, inner, 3), (inner, inner, 1)] * 3
    last = [(inner, hidden, 1)] if inner != hidden else []
    steps = [(2 * hidden, inner, 1)] * 2 + blocks + last
    return tuple(o for a, b, kernel in steps for o in _norm(a, b, kernel, cells))


def _hybrid(c: Fields, hidden: int, grids: list[int]) -> tuple[Block, ...]:
    """Attention within the coarsest grid, then grids are mixed downwards and upwards again."""
    s = Shape.even(
        hidden=hidden, layers=c.integer("encoder_layers", 1, low=0),
        heads=c.integer("encoder_attention_heads", 8), ffn=c.integer("encoder_ffn_dim", 1024),
    )  # fmt: skip
    c.divides("encoder_attention_heads", s.heads, "encoder_hidden_dim", hidden)
    layer = (
        *attention(s, bias=True, causal=False),
        *mlp(hidden, s.ffn, gated=False, bias=True, names=FC),
        *weights(4 * hidden),
    )
    mixing: list[Operator] = []
    for fine, coarse in reversed(list(pairwise(grids))):
        mixing += [*_norm(hidden, hidden, 1, coarse), *_csp(c, hidden, fine)]
    for coarse in grids[1:]:
        mixing += [*_norm(hidden, hidden, 3, coarse), *_csp(c, hidden, coarse)]
    first = (alike("encoder layer", layer, "last", s.layers),) if s.layers else ()
    return (*first, beside("mixing of grids", tuple(mixing), "image"))


def _boxes(d: int) -> Operators:
    """Three layers to the four sides of a box."""
    return tuple(linear(d, out, "head", "bbox_embed", bias=True) for out in (d, d, 4))


def _decoder(c: Fields, s: Shape, classes: int) -> tuple[Block, ...]:
    """Layers of queries, each with its own classes and boxes."""
    levels = c.integer("decoder_n_levels", c.integer("num_feature_levels", 3))
    points, d = levels * c.integer("decoder_n_points", 4), s.hidden
    sampled = Attention(
        heads=s.heads, kv_heads=s.heads, qk_dim=0, v_dim=s.head_dim, causal=False, window=points,
        chunked=True,
    )  # fmt: skip
    own = attention(s, bias=True, causal=False)
    place = tuple(
        linear(a, b, "other", "query_pos_head", bias=True) for a, b in ((4, 2 * d), (2 * d, d))
    )
    layer: Operators = (
        *own,
        linear(d, 2 * s.heads * points, "attention", "sampling_offsets", bias=True),
        linear(d, s.heads * points, "attention", "attention_weights", bias=True),
        sampled,
        linear(d, d, "attention", "output_proj", bias=True),
        *mlp(d, s.ffn, gated=False, bias=True, names=FC),
        *weights(6 * d),
    )
    value = linear(d, d, "attention", "value_proj", bias=True)
    head = (linear(d, classes, "head", "class_embed", bias=True), *_boxes(d))
    again = tuple(replace(o, tied=True, bias=False) for o in place)
    return (
        beside("query positions", place, "queries"),
        *((beside("positions again", again, "queries", s.layers - 1),) if s.layers > 1 else ()),
        beside("values", (value,), "cells", s.layers),
        alike("decoder layer", layer, "queries", s.layers),
        beside("head", head, "queries", s.layers),
    )
