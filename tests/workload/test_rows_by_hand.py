"""Rows of the tables of families that no count of parameters tells apart.

Which layers see a window or cross, what a token does not pass, and classes that transformers does
not build: by the defaults of the classes in transformers 5.24, or of their own code.
"""

from __future__ import annotations

from collections import Counter

import pytest

from costcalc import InputError
from costcalc.workload.architecture import Architecture, Attention
from costcalc.workload.counting import active_parameters, parameters
from costcalc.workload.families import build


def repeats(model: Architecture, name: str) -> int:
    return sum(block.repeat for block in model.blocks if block.name == name)


@pytest.mark.parametrize(("family", "layers"), [
    # all but each fourth
    ("afmoe", {1024: 24, None: 8}), ("cohere2", {4096: 30, None: 10}),
    ("cohere2_moe", {4096: 30, None: 10}), ("exaone_moe", {4096: 24, None: 8}),
    # all but the first of four
    ("cwm", {8192: 48, None: 16}), ("granite_swa", {128: 18, None: 6}),
    ("granitemoe_swa", {128: 24, None: 8}),
    # all but each fifth, each sixth, each second; all
    ("kolibri1", {513: 40, None: 10}), ("gemma4_unified_text", {1024: 25, None: 5}),
    ("vaultgemma", {4096: 13, None: 13}), ("ministral", {4096: 32}),
    # 9 of 48 see all: the first, and each sixth from the fifth on
    ("mimo_v2_flash", {129: 39, None: 9}),
    # 49 layers: the first, each fourth from the second on (1, 5 … 45: 12), and the last see all
    ("flint", {513: 35, None: 1 + 12 + 1}),
    # an indexer over all keys beside attention to 2,048 of them, in each layer
    ("deepseek_v32", {2048: 61, None: 61}), ("glm_moe_dsa", {2048: 78, None: 78}),
])  # fmt: skip
def test_windows_of_a_row(family, layers):
    found = Counter()
    for block in build({"model_type": family}).blocks:
        for one in block.operators:
            if isinstance(one, Attention):
                found[one.window] += block.repeat
    assert found == layers


@pytest.mark.parametrize("number", range(1, 41))
def test_layers_of_llama_that_look_at_the_image(number):
    # 3, 8, 13 … 38: of n layers (n + 1) // 5
    model = build({"model_type": "mllama", "text_config": {"num_hidden_layers": number}})
    across = (number + 1) // 5
    assert (repeats(model, "cross layer"), repeats(model, "keys of the image")) == (across,) * 2
    assert repeats(model, "layer") == number - across


@pytest.mark.parametrize("number", range(1, 13))
def test_layers_of_sam_that_see_the_whole_image(number):
    # 2, 5, 8, 11: of n layers n // 3; the others see windows of 14 x 14 patches of 64 x 64
    model = build({"model_type": "sam_vision_model", "num_hidden_layers": number})
    assert repeats(model, "layer") == number // 3
    assert repeats(model, "window layer") == number - number // 3


def idle(layers: int, experts: int, chosen: int, hidden: int, ffn: int) -> int:
    """Weights of gated experts that a token does not pass."""
    return layers * (experts - chosen) * 3 * hidden * ffn


@pytest.mark.parametrize(("family", "left"), [
    ("afmoe", idle(31, 64, 6, 2048, 1408)),  # the first layer is dense
    ("aria_text", 32 * (8 - 2) * 3 * 4096 * 4096),
    ("bailing_moe", idle(24, 16, 2, 1024, 1408)),
    ("dbrx", idle(24, 16, 4, 2048, 3584)),
    ("exaone_moe", idle(31, 64, 8, 4096, 1024)),  # the first is dense
    ("glm4_moe_lite", idle(46, 64, 4, 2048, 1536)),
    ("glm_moe_dsa", idle(75, 256, 8, 6144, 2048)),
    ("hy_v3", idle(79, 192, 8, 4096, 1536)),
    ("jamba", idle(16, 16, 2, 4096, 14336)),  # each second layer
    ("kolibri1", idle(50, 384, 6, 2560, 512)),
    ("lfm2_moe", idle(30, 32, 4, 2048, 1792)),
    ("longcat_flash", idle(28, 512, 8, 6144, 2048)),  # 12 of 768, of which 256 are nothing
    ("mimo_v2_flash", idle(47, 256, 8, 4096, 2048)),
    ("minimax_m2", idle(62, 256, 8, 3072, 1536)),
    ("minimax_m3_vl_text", idle(60, 128, 4, 6144, 3072)),
    ("mistral4", idle(36, 128, 4, 4096, 2048)),
    ("phimoe", idle(32, 16, 2, 4096, 6400)),
    ("solar_open", idle(48, 128, 8, 4096, 1280)),
    ("step3p5", idle(42, 288, 8, 4096, 1280)),  # the first three are dense
])  # fmt: skip
def test_what_a_token_does_not_pass(family, left):
    model = build({"model_type": family})
    assert parameters(model) - active_parameters(model) == left


def test_ling_by_the_defaults_of_its_own_code():
    # configuration_bailing_moe.py: 24 layers of 1,024, 16 heads of 64, 16 experts of 1,408
    attention = 1024 * 3 * 1024 + (1024 * 1024 + 1024)  # a bias on what comes out
    experts = 16 * 3 * 1024 * 1408 + 1024 * 16  # and the router
    layer = attention + experts + 2 * 1024  # two norms
    model = build({"model_type": "bailing_moe"})
    assert parameters(model) == 24 * layer + 2 * 30592 * 1024 + 1024


@pytest.mark.parametrize(("family", "vocabulary", "own"), [
    ("internlm", 103168, 4 * (4096 * 4096 + 4096) + 3 * 4096 * 11008),  # with four biases
    ("internlm2", 92544, 4 * 4096 * 4096 + 3 * 4096 * 11008),
])  # fmt: skip
def test_internlm_by_the_defaults_of_its_own_code(family, vocabulary, own):
    words = 2 * vocabulary * 4096
    model = build({"model_type": family})
    assert parameters(model) == 32 * (own + 2 * 4096) + words + 4096


@pytest.mark.parametrize(("said", "blocks"), [
    # He et al. 2016 (arXiv:1512.03385), table 1: 3 + 4 + 6 + 3 = 16, and 3 + 4 + 23 + 3 = 33
    ({}, 16), ({"backbone": "resnet50"}, 16), ({"backbone": "resnet101"}, 33),
    ({"backbone_config": {"model_type": "resnet"}}, 16),
    ({"backbone_config": {"model_type": "resnet", "depths": [1, 1, 1, 2]}}, 5),
])  # fmt: skip
def test_blocks_of_the_backbone_of_detr(said, blocks):
    model = build({"model_type": "detr", **said})
    assert sum(b.repeat for b in model.blocks if b.name.startswith("stage ")) == blocks


def test_another_backbone_of_detr_is_refused():
    with pytest.raises(InputError, match="backbone: expected resnet50 or resnet101; got vgg"):
        build({"model_type": "detr", "backbone": "vgg"})
