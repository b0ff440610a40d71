"""Configurations of diffusers: parameters as diffusers 0.42 builds them, and what is refused."""

from __future__ import annotations

import json

import pytest

from costcalc import InputError
from costcalc.workload import hf
from costcalc.workload.counting import parameters, tally
from costcalc.workload.families import build

SDXL = {
    "sample_size": 128, "block_out_channels": [320, 640, 1280], "cross_attention_dim": 2048,
    "down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"],
    "up_block_types": ["CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"],
    "transformer_layers_per_block": [1, 2, 10], "attention_head_dim": [5, 10, 20],
    "addition_embed_type": "text_time", "projection_class_embeddings_input_dim": 2816,
}  # fmt: skip
MEDIUM = {
    "num_layers": 24, "num_attention_heads": 24, "caption_projection_dim": 1536,
    "dual_attention_layers": list(range(13)), "qk_norm": "rms_norm",
}  # fmt: skip


@pytest.mark.parametrize(("name", "keys", "count"), [
    ("UNet2DConditionModel", {"cross_attention_dim": 768, "sample_size": 64}, 859_520_964),
    ("UNet2DConditionModel", {}, 872_300_484),
    ("UNet2DConditionModel", SDXL, 2_567_463_684),
    ("FluxTransformer2DModel", {"guidance_embeds": True}, 11_901_408_320),
    ("FluxTransformer2DModel", {}, 11_891_178_560),
    ("SD3Transformer2DModel", {}, 856_159_552),
    ("SD3Transformer2DModel", MEDIUM, 2_243_171_520),
    ("PixArtTransformer2DModel", {"caption_channels": 4096}, 611_349_152),
    ("PixArtTransformer2DModel", {"sample_size": 64}, 604_808_096),
    ("DiTTransformer2DModel", {}, 749_808_016),
])  # fmt: skip
def test_a_class(name, keys, count):
    model = build({"_class_name": name, **keys})
    assert parameters(model) == tally(model).stored == count
    assert model.kind == "diffusion"
    assert any("latent" in note or "pixels" in note for note in model.notes)


@pytest.mark.parametrize(("name", "keys", "flops"), [
    # what torch counts of one pass, at a latent of 64 x 64 and 77 tokens of text
    ("UNet2DConditionModel", {"cross_attention_dim": 768, "sample_size": 64}, 803_273_441_280),
    ("SD3Transformer2DModel", {}, 4_163_192_644_608),
])  # fmt: skip
def test_what_one_pass_computes(name, keys, flops):
    assert tally(build({"_class_name": name, **keys})).forward == flops


@pytest.mark.parametrize(("name", "layers", "names"), [
    # two blocks of a level on the way down, three on the way up, two in the middle; text is seen
    # in three of four levels and in the middle
    ("UNet2DConditionModel", 4 * (2 + 3) + 2 + 3 * (2 + 3) + 1, {"residual", "transformer"}),
    ("FluxTransformer2DModel", 19 + 38, {"image's part", "single layer"}),
    ("SD3Transformer2DModel", 18, {"image's part"}),
    ("PixArtTransformer2DModel", 28, {"layer"}),
    ("DiTTransformer2DModel", 28, {"layer"}),
])  # fmt: skip
def test_what_is_a_layer(name, layers, names):
    model = build({"_class_name": name})
    assert model.layers == layers
    assert {block.name for block in model.blocks if block.layer} == names


def test_what_is_not_counted_is_refused():
    with pytest.raises(InputError, match=r"AutoencoderKL. is a class of diffusers that is not"):
        build({"_class_name": "AutoencoderKL"})
    with pytest.raises(InputError) as caught:
        build({
            "_class_name": "UNet2DConditionModel", "class_embed_type": "timestep",
            "addition_embed_type": "image", "block_out_channels": [320, 640],
        })  # fmt: skip
    assert [str(problem).split(":")[0] for problem in caught.value.problems] == [
        "class_embed_type", "addition_embed_type", "down_block_types", "up_block_types",
    ]  # fmt: skip


def test_a_pipeline_is_its_denoiser(tmp_path):
    index = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "x"], "vae": []}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(InputError, match=r"expected unet/config\.json of this pipeline"):
        hf.load(tmp_path)
    (tmp_path / "unet").mkdir()
    made = {"_class_name": "UNet2DConditionModel", "cross_attention_dim": 768}
    (tmp_path / "unet" / "config.json").write_text(json.dumps(made))
    found = hf.load(tmp_path)
    assert found.parameters == 859_520_964
    assert (
        found.notes[0] == "of the pipeline, its unet is trained; all else is frozen and not counted"
    )


@pytest.mark.frameworks
def test_against_diffusers():
    diffusers = pytest.importorskip("diffusers", reason="needs diffusers")
    import torch

    with torch.device("meta"):
        made = diffusers.UNet2DConditionModel(**SDXL)
    assert sum(p.numel() for p in made.parameters()) == 2_567_463_684
