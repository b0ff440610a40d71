"""Detection and segmentation: DETR and SAM.

DETR: Carion et al. 2020 (arXiv:2005.12872); its backbone's norms do not learn.  SAM: Kirillov et
al. 2023 (arXiv:2304.02643).  A datum is an image: for DETR of 800 x 1,066 pixels, as COCO's are
trained at; for SAM with one prompt of a point.  Defaults: transformers 5.24.
"""

from __future__ import annotations

from dataclasses import replace

from costcalc.workload.architecture import Architecture, Block, Convolution, Stream
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
from costcalc.workload.families.vit import FC, sizes

PIXELS = (800, 1066)
QKVO = ("q_proj", "k_proj", "v_proj", "o_proj")

BACKBONES = {"resnet50": [3, 4, 6, 3], "resnet101": [3, 4, 23, 3]}  # blocks a stage (He 2016)


def detr(c: Fields) -> Architecture:
    """DETR over a ResNet, of 50 layers unless the backbone's own configuration says others."""
    hidden = c.integer("d_model", 256)
    heads = c.integer("encoder_attention_heads", 8)
    c.divides("encoder_attention_heads", heads, "d_model", hidden)
    inner = c.within("backbone_config")
    name = str(inner.config.get("backbone") or c.config.get("backbone") or "resnet50")
    depths = BACKBONES.get(name)
    if inner.config.get("model_type") == "resnet":
        depths = inner.integers("depths") or BACKBONES["resnet50"]
    if depths is None:
        c.problem("backbone", f"expected resnet50 or resnet101; got {name}")
        depths = BACKBONES["resnet50"]
    inner.put("depths", depths)
    stages, width, side = residual_stages(inner, PIXELS, norms=False)
    s = Shape.even(
        hidden=hidden,
        layers=c.layers("encoder_layers", 6),
        heads=heads,
        ffn=c.integer("encoder_ffn_dim", 2048),
    )
    t = replace(s, layers=c.layers("decoder_layers", 6), ffn=c.integer("decoder_ffn_dim", 2048))
    queries, classes = c.integer("num_queries", 100), c.labels() + 1  # one for nothing
    own = attention(s, bias=True, causal=False, names=QKVO)
    feed = mlp(hidden, s.ffn, gated=False, bias=True, names=FC)
    crossing = attention(t, bias=True, over="tokens", names=(QKVO[0], QKVO[3]),
                         keys_apart=True)  # fmt: skip
    keys = tuple(linear(hidden, hidden, "attention", n, bias=True) for n in QKVO[1:3])
    box = [(hidden, hidden), (hidden, hidden), (hidden, 4)]
    head = (
        linear(hidden, classes, "head", "class_labels_classifier", bias=True),
        *(linear(a, b, "head", "bbox_predictor", bias=True) for a, b in box),
    )
    decoder = (
        *own, *crossing, *mlp(hidden, t.ffn, gated=False, bias=True, names=FC),
        *weights(6 * hidden),
    )  # fmt: skip
    blocks = (
        *stages,
        beside(
            "projection", (linear(width, hidden, "other", "input_projection", bias=True),), "tokens"
        ),
        alike("encoder layer", (*own, *feed, *weights(4 * hidden)), "tokens", s.layers),
        beside("queries", weights(queries * hidden, "embedding"), "queries"),
        beside("cross keys", keys, "tokens", t.layers),
        alike("decoder layer", decoder, "queries", t.layers),
        beside("norm", weights(2 * hidden), "queries"),
        beside("head", head, "queries"),
    )
    streams = (
        Stream(name="tokens", length=side[0] * side[1]),
        Stream(name="image", length=1),
        Stream(name="queries", length=queries),
    )
    made = architecture("detr", "vision", s, blocks, streams=streams, counts="sample")
    note = f"an image of {PIXELS[0]} x {PIXELS[1]:,} pixels"
    return replace(made, notes=(note,))


def sam_vision(c: Fields) -> tuple[Shape, tuple[Block, ...], int, int]:
    """SAM's image encoder: windows, but for some layers; and its neck."""
    hidden, heads = c.integer("hidden_size", 768), c.integer("num_attention_heads", 12)
    c.divides("num_attention_heads", heads, "hidden_size", hidden)
    s = Shape(
        hidden=hidden,
        layers=c.layers("num_hidden_layers", 12),
        heads=heads,
        kv_heads=heads,
        head_dim=max(1, hidden // heads),
        ffn=c.integer("mlp_dim", int(c.number("mlp_ratio", 4.0) * hidden)),
    )
    patch, channels = sizes(c, "patch_size", 16)[0], c.integer("num_channels", 3)
    grid = max(1, sizes(c, "image_size", 1024)[0] // patch)
    window, out = c.integer("window_size", 14), c.integer("output_channels", 256)
    whole = c.integers("global_attn_indexes") or [2, 5, 8, 11]
    bias, relative = c.flag("qkv_bias", True), c.flag("use_rel_pos", True)

    def layer(reach: int) -> Operators:
        places = 2 * (2 * reach - 1) * s.head_dim * relative
        local = reach < grid
        return (
            *attention(s, bias=bias, out_bias=True, causal=False, names=("qkv", "proj"),
                       window=reach**2 if local else None, chunked=local),
            *mlp(hidden, s.ffn, gated=False, bias=True, names=("lin1", "lin2")),
            *weights(4 * hidden + places),
        )  # fmt: skip

    stem = Convolution(c_in=channels, c_out=hidden, kernel=patch**2, bias=True, first=True)
    table = grid**2 * hidden * c.flag("use_abs_pos", True)
    neck: Operators = (
        Convolution(c_in=hidden, c_out=out, kernel=1),
        Convolution(c_in=out, c_out=out, kernel=9),
        *weights(4 * out),
    )
    number = sum(i in whole for i in range(s.layers))
    blocks = (
        beside("patch embedding", (stem, *weights(table, "embedding")), "tokens"),
        *(
            (alike("window layer", layer(window), "tokens", s.layers - number),)
            if number < s.layers
            else ()
        ),
        *((alike("layer", layer(grid), "tokens", number),) if number else ()),
        beside("neck", neck, "tokens"),
    )
    return s, blocks, grid, out


def sam_encoder(c: Fields) -> Architecture:
    """SAM's image encoder alone."""
    s, blocks, grid, _ = sam_vision(c)
    streams = (Stream(name="tokens", length=grid**2),)
    return architecture("sam_vision_model", "vision", s, blocks, streams=streams, counts="sample")


def sam(c: Fields) -> Architecture:
    """SAM: image encoder, prompts, and a decoder of two-way attention."""
    s, vision, grid, _ = sam_vision(c.within("vision_config"))
    p, d = c.within("prompt_encoder_config"), c.within("mask_decoder_config")
    width, mask = p.integer("hidden_size", 256), p.integer("mask_input_channels", 16)
    points, inner = p.integer("num_point_embeddings", 4), d.integer("hidden_size", 256)
    heads, rate = d.integer("num_attention_heads", 8), d.integer("attention_downsample_rate", 2)
    d.divides("num_attention_heads", heads, "hidden_size", inner)
    masks = d.integer("num_multimask_outputs", 3) + 1
    tokens, depth, between = (
        masks + 2,
        d.integer("iou_head_depth", 3),
        d.integer("iou_head_hidden_dim", 256),
    )
    narrow = inner // rate
    full = Shape(hidden=inner, heads=heads, kv_heads=heads, head_dim=inner // heads,
                 ffn=d.integer("mlp_dim", 2048))  # fmt: skip
    down = replace(full, head_dim=max(1, narrow // heads))
    to_image = attention(down, bias=True, over="tokens",
                         names=("q_proj", "out_proj"), keys_apart=True)  # fmt: skip
    to_prompt = attention(down, bias=True, over="prompts",
                          names=("q_proj", "out_proj"), keys_apart=True)  # fmt: skip
    keys = tuple(linear(inner, narrow, "attention", n, bias=True) for n in ("k_proj", "v_proj"))
    layers = d.layers("num_hidden_layers", 2)
    quarter, eighth = inner // 4, inner // 8
    prompts: Operators = (
        *weights(2 * p.integer("num_pos_feats", width // 2)),
        *weights((points + 2) * width),
        Convolution(c_in=1, c_out=mask // 4, kernel=4, bias=True, positions=4),
        Convolution(c_in=mask // 4, c_out=mask, kernel=4, bias=True),
        Convolution(c_in=mask, c_out=width, kernel=1, bias=True),
        *weights(2 * (mask // 4 + mask)),
    )
    upscale: Operators = (  # transposed: each position becomes four
        Convolution(c_in=inner, c_out=quarter, kernel=1, bias=False, positions=4),
        Convolution(c_in=quarter, c_out=eighth, kernel=1, bias=False, positions=16),
        *weights(3 * (inner * quarter + quarter * eighth) + quarter + eighth + 2 * quarter),
    )

    def network(n_out: int, hidden: int, number: int) -> Operators:
        steps = [(inner, hidden), *[(hidden, hidden)] * (number - 2), (hidden, n_out)]
        return tuple(linear(a, b, "head", "mlp", bias=True) for a, b in steps)

    own = attention(full, bias=True, causal=False, names=("q_proj", "k_proj", "v_proj", "out_proj"))
    layer = (*own, *to_image, *mlp(inner, full.ffn, gated=False, bias=True, names=("lin1", "lin2")),
             *weights(8 * inner))  # fmt: skip
    blocks = (
        *vision,
        beside("prompts", prompts, "tokens"),
        beside("tokens of masks", weights((masks + 1) * inner, "embedding"), "prompts"),
        beside("keys of the image", keys, "tokens", layers + 1),
        beside("keys of the prompts", keys, "prompts", layers),
        alike("decoder layer", layer, "prompts", layers),
        beside("image to prompts", to_prompt, "tokens", layers),
        beside("last attention", (*to_image, *weights(2 * inner)), "prompts"),
        beside("upscaling", upscale, "tokens"),
        beside(
            "head", (*network(eighth, inner, 3) * masks, *network(masks, between, depth)), "one"
        ),
    )
    streams = (
        Stream(name="tokens", length=grid**2),
        Stream(name="prompts", length=tokens),
        Stream(name="one", length=1),
    )
    made = architecture("sam", "vision", s, blocks, streams=streams, counts="sample")
    return replace(made, notes=("one prompt of a point an image",))
