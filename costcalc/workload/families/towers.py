"""The towers by which models see: a record each, as :mod:`~costcalc.workload.families.vit` reads.

Windows and places that no plain value of a record says stand before them.  Defaults: transformers
5.24.
"""

from __future__ import annotations

from dataclasses import replace

from costcalc.workload.families.fields import Fields
from costcalc.workload.families.vit import CLIP_VISION, SIGLIP_VISION, Vit


def _window(c: Fields, layers: int) -> list[int | None]:
    """Qwen2.5-VL: windows of so many pixels but in the layers that are listed."""
    side = c.integer("window_size", 112) // c.integer("patch_size", 14)
    whole = c.integers("fullatt_block_indexes") or [7, 15, 23, 31]
    return [None if i in whole else max(1, side) ** 2 for i in range(layers)]


def _kimi_places(c: Fields) -> int:
    return c.integer("pos_emb_height", 64) * c.integer("pos_emb_width", 64)


QWEN2 = Vit(
    width_key="embed_dim",
    hidden=1280,
    layers=32,
    heads=16,
    ffn=None,
    image=None,
    patch=14,
    frames=2,
    tokens=0,
    patch_bias=False,
    positions=False,
    qkv_bias=True,
    last_norm=False,
)
QWEN25 = Vit(
    hidden=3584,
    layers=32,
    heads=16,
    ffn=3420,
    image=None,
    patch=14,
    frames=2,
    tokens=0,
    patch_bias=False,
    positions=False,
    qkv_bias=True,
    gated=True,
    norm=1,
    last_norm=False,
    windows=_window,
)
QWEN3 = Vit(
    hidden=1152,
    layers=27,
    heads=16,
    ffn=4304,
    image=None,
    frames=2,
    tokens=0,
    positions=("num_position_embeddings", 2304),
    qkv_bias=True,
    last_norm=False,
)
GLM4V = Vit(
    hidden=1536,
    layers=24,
    heads=12,
    ffn=13696,
    image=336,
    patch=14,
    frames=2,
    tokens=0,
    qkv_bias=("attention_bias", False),
    out_bias=False,
    mlp_bias=False,
    gated=True,
    norm=1,
    narrow=lambda c, _, __: c.integer("out_hidden_size", 4096),
)
KIMI = Vit(
    hidden=1152,
    layers=27,
    heads=16,
    ffn=4304,
    image=None,
    patch=14,
    tokens=0,
    qkv_bias=True,
    positions=_kimi_places,
)
LLAVA = replace(CLIP_VISION, hidden=1024, layers=24, heads=16, ffn=4096, image=336, patch=14)
PALI = replace(SIGLIP_VISION, hidden=1152, layers=27, heads=16, ffn=4096, patch=14, probe=False)
ONE = replace(
    SIGLIP_VISION,
    hidden=1152,
    layers=26,
    heads=16,
    ffn=4304,
    image=384,
    patch=14,
    probe=("vision_use_head", False),
)
LLAMA4 = Vit(
    layers=34,
    heads=16,
    ffn=5632,
    image=448,
    patch=14,
    patch_bias=False,
    qkv_bias=True,
    first_norm=True,
)
