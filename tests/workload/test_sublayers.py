"""Families of 2025 and 2026 by hand and as published: LongCat, Step 3.5, Ling, Kimi K3, π0, …"""

from __future__ import annotations

from collections import Counter

import pytest

from costcalc import InputError
from costcalc.workload.architecture import Architecture, Attention, Linear
from costcalc.workload.counting import active_parameters, lengths, parameters, tally
from costcalc.workload.families import build

SLIDE, FULL = "sliding_attention", "full_attention"


def predicted(model: Architecture) -> int:
    """The parameters of the layers that predict further tokens."""
    return parameters(Architecture(name="p", kind="decoder", streams=(), blocks=model.further))


def windows(model: Architecture) -> Counter[int | None]:
    """How many attentions have which window."""
    found: Counter[int | None] = Counter()
    for block in model.blocks:
        for o in block.operators:
            if isinstance(o, Attention):
                found[o.window] += block.repeat
    return found


def test_longcats_idle_experts_have_no_parameters_and_take_no_tokens():
    model = build({"model_type": "longcat_flash"})
    # published: 560B, of which 18.6 to 31.3B, 27B in the mean, see a token (arXiv:2509.01322)
    assert parameters(model) == 560_664_958_976
    assert active_parameters(model) - 131072 * 6144 == pytest.approx(27e9, rel=0.01)
    assert (model.experts, model.experts_per_token, model.layers) == (512, 8, 28)
    assert model.notes[:2] == (
        "256 of 768 experts compute nothing: of the 12 that a token passes, 8 compute, if all are "
        "as likely",
        "transformers 5.24 allocates projections for those experts, the checkpoints have none",
    )
    busy = build({"model_type": "longcat_flash", "zero_expert_num": 0})
    # 12 instead of 8 experts of 3·6144·2048 a layer, and no 256 rows of the router
    assert active_parameters(busy) - active_parameters(model) == 28 * (
        4 * 3 * 6144 * 2048 - 256 * 6144
    )


def test_longcats_router_is_whole_and_a_token_passes_eight_experts():
    """512 of 768 compute: 12 × 512 / 768 = 8; 512 of the router's rows are theirs, 256 not."""
    model = build({"model_type": "longcat_flash"})
    (layer,) = (block for block in model.blocks if block.name == "sparse layer")
    routed = [
        (each.part, each.n_in, each.n_out, each.copies, each.active)
        for each in layer.operators
        if isinstance(each, Linear) and each.part in ("router", "expert")
    ]
    assert sorted(routed) == [
        ("expert", 2048, 6144, 512, 8),
        ("expert", 6144, 2048, 512, 8),
        ("expert", 6144, 2048, 512, 8),
        ("router", 6144, 256, 1, 1),
        ("router", 6144, 512, 1, 1),
    ]


def test_longcat_says_its_layers_in_pairs():
    pairs = build({"model_type": "longcat_flash", "num_layers": 2})
    assert pairs == build({"model_type": "longcat_flash", "num_hidden_layers": 4})
    with_prediction = build({"model_type": "longcat_flash", "num_nextn_predict_layers": 1})
    attention = 6144 * 1536 + 1536 * 64 * 192 + 6144 * 576 + 512 * 64 * 256 + 64 * 128 * 6144
    dense = attention + 1536 + 512 + 3 * 6144 * 12288 + 2 * 6144
    assert predicted(with_prediction) == dense + 2 * 6144 * 6144 + 3 * 6144
    with pytest.raises(InputError, match="moe_topk: expected at most the 768 experts; got 800"):
        build({"model_type": "longcat_flash", "moe_topk": 800})


STEP = {
    "model_type": "step3p5",
    "architectures": ["Step3p5ForCausalLM"],
    "vocab_size": 128896,
    "num_attention_groups": 8,
    "moe_num_experts": 288,
    "moe_top_k": 8,
    "share_expert_dim": 1280,
    "moe_layers_enum": ",".join(str(i) for i in range(3, 45)),
    "layer_types": ([FULL] + [SLIDE] * 3) * 12,
    "attention_other_setting": {"num_attention_heads": 96},
    "sliding_window": 512,
    "num_nextn_predict_layers": 3,
    "hidden_size": 4096,
    "num_hidden_layers": 45,
    "num_attention_heads": 64,
    "intermediate_size": 11264,
}


def test_step_has_more_heads_within_its_windows():
    model = build(STEP)
    # as transformers 5.24 builds Step3p7TextModel of the same file, and a head of 128,896 x 4,096
    assert parameters(model) == 196_956_118_272
    assert windows(model) == {512: 33, None: 12}
    # published: 11B, which both embeddings are not among
    assert active_parameters(model) - 2 * 128896 * 4096 == pytest.approx(11e9, rel=0.01)
    wide = 96 * 128
    one = 4096 * (2 * wide + 2 * 8 * 128 + 96) + 2 * 128 + 3 * 4096 * 11264 + 2 * 4096
    assert predicted(model) == 3 * (one + 2 * 4096**2 + 3 * 4096)  # listed behind: windowed
    assert model.notes == ()


def test_steps_own_spellings_are_those_of_transformers():
    here = {**STEP, "layer_types": STEP["layer_types"][:45], "mtp_layer_types": [SLIDE] * 3}
    assert build(here) == build(STEP)
    bad = {**STEP, "moe_layers_enum": "3,four"}
    with pytest.raises(InputError, match="moe_layers_enum: expected numbers of layers; got 3,four"):
        build(bad)


LING_LITE = {  # inclusionAI/Ling-lite-1.5
    "model_type": "bailing_moe",
    "architectures": ["BailingMoeForCausalLM"],
    "first_k_dense_replace": 0,
    "hidden_size": 2048,
    "intermediate_size": 1408,
    "moe_intermediate_size": 1408,
    "num_experts": 64,
    "num_shared_experts": 2,
    "num_attention_heads": 16,
    "num_experts_per_tok": 6,
    "num_hidden_layers": 28,
    "num_key_value_heads": 4,
    "use_bias": False,
    "use_qkv_bias": False,
    "vocab_size": 126464,
}
LING_MINI = {  # inclusionAI/Ling-mini-2.0
    **LING_LITE,
    "first_k_dense_replace": 1,
    "intermediate_size": 5120,
    "moe_intermediate_size": 512,
    "moe_shared_expert_intermediate_size": 512,
    "num_shared_experts": 1,
    "num_experts": 256,
    "num_experts_per_tok": 8,
    "head_dim": 128,
    "num_hidden_layers": 20,
    "use_qk_norm": True,
    "vocab_size": 157184,
}


@pytest.mark.parametrize(("config", "published", "active"), [
    (LING_LITE, 16.8e9, 2.75e9), (LING_MINI, 16.26e9, 1.4e9),
])  # fmt: skip
def test_ling_is_as_large_as_published(config, published, active):
    model = build(config)
    assert parameters(model) == pytest.approx(published, rel=0.001)
    assert active_parameters(model) == pytest.approx(active, rel=0.05)
    assert build({**config, "model_type": "bailing_moe_v2"}).blocks == model.blocks


def test_ling_lite_by_hand():
    d, attention = 2048, 2048 * (2048 + 2 * 512) + 2048 * 2048
    experts = (64 + 2) * 3 * d * 1408 + 64 * d
    assert parameters(build(LING_LITE)) == 28 * (attention + experts + 2 * d) + d + 2 * 126464 * d
    norms = parameters(build({**LING_LITE, "use_qk_norm": True})) - parameters(build(LING_LITE))
    assert norms == 28 * 2 * 128


def test_mimo_is_qwen2_with_a_layer_that_predicts():
    config = {
        "model_type": "mimo",
        "hidden_size": 4096,
        "num_hidden_layers": 36,
        "intermediate_size": 11008,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "vocab_size": 151680,
        "num_nextn_predict_layers": 1,
    }
    model = build(config)
    layer = 4096 * (2 * 4096 + 2 * 1024) + 4096 + 2 * 1024 + 3 * 4096 * 11008 + 2 * 4096
    assert parameters(model) == 36 * layer + 4096 + 2 * 151680 * 4096
    assert predicted(model) == layer + 2 * 4096**2 + 3 * 4096


def test_plamo_is_as_large_as_its_checkpoint():
    config = {  # pfnet/plamo-2-1b
        "model_type": "plamo2",
        "hidden_size": 2048,
        "num_hidden_layers": 16,
        "num_attention_heads": 16,
        "num_key_value_heads": 1,
        "hidden_size_per_head": 128,
        "attention_window_size": 2048,
        "mamba_d_state": 64,
        "mamba_num_heads": 32,
        "mamba_step": 2,
        "intermediate_size": 8192,
        "vocab_size": 100000,
    }
    model, d, inner = build(config), 2048, 32 * 128
    mamba = d * 2 * inner + 4 * inner + inner * (128 + 128) + 128 * 32 + 3 * 32 + 128 + 128
    mamba += inner * d
    attention = d * (2048 + 2 * 128) + 2048 * d + 17 * 128
    rest = 3 * d * 8192 + 4 * d
    assert parameters(model) == 8 * (mamba + attention) + 16 * rest + d + 100000 * d
    assert parameters(model) == 1_291_441_920
    assert windows(model) == {2048: 8}
    assert windows(build({**config, "full_attention_idx": [15]})) == {2048: 7, None: 1}
    assert windows(build({**config, "mamba_enabled": False})) == {2048: 16}
    few = build({**config, "num_hidden_layers": 2, "mamba_step": 4})
    assert [block.name for block in few.blocks if block.layer] == ["linear_attention", SLIDE]


def test_doge_passes_few_of_its_neurons():
    config = {"model_type": "doge", "is_moe": True, "num_experts": 100, "num_experts_per_tok": 4}
    model = build(config)
    # of 100 neurons in and out, 96 see no token
    assert parameters(model) - active_parameters(model) == 32 * 96 * 2 * 1024
    with pytest.raises(InputError, match="expected at most the 100 experts; got 101"):
        build({**config, "num_experts_per_tok": 101})


def test_rt_detr_costs_what_pytorch_counts():
    config = {
        "model_type": "rt_detr_v2",
        "architectures": ["RTDetrV2ForObjectDetection"],
        "num_labels": 80,
        "num_denoising": 0,
    }
    model = build(config)
    # FCM of transformers 5.24: 137,124,659,200; it leaves out two fused cores, 4·400²·256 within
    # the coarsest grid and 6·4·300²·256 of the queries, and the sum over 12 points of each query
    cores = 4 * 400**2 * 256 + 6 * (4 * 300**2 * 256 + 2 * 300 * 12 * 256)
    assert tally(model, convention="full").forward == 137_124_659_200 + cores
    assert model.notes[0] == "an image of 640 x 640 pixels"
    noisy = build({**config, "num_denoising": 100})
    assert lengths(noisy, None)["queries"] == 500
    for key, value, text in (
        ("num_feature_levels", 4, "num_feature_levels: expected what the 3 grids of"),
        ("backbone_config", {"model_type": "swin"}, "expected rt_detr_resnet, the one that is"),
    ):
        with pytest.raises(InputError, match=text):
            build({**config, key: value})


def test_vjepa_runs_its_predictor_over_patches_twice():
    tiny = {
        "model_type": "vjepa2", "architectures": ["VJEPA2Model"], "hidden_size": 64,
        "num_attention_heads": 2, "num_hidden_layers": 2, "mlp_ratio": 3, "pred_mlp_ratio": 2,
        "num_pooler_layers": 1, "crop_size": 32, "frames_per_clip": 4, "pred_hidden_size": 48,
        "pred_num_attention_heads": 2,
    }  # fmt: skip
    model = build(tiny)
    assert lengths(model, None)["tokens"] == 2 * 2 * 2  # of 2 frames each, 2 x 2 patches
    assert tally(model, convention="full").forward == 10_682_368  # FCM
    classifier = build({**tiny, "architectures": ["VJEPA2ForVideoClassification"]})
    assert tally(classifier, convention="full").forward == 3_926_272  # FCM
    assert classifier.notes[0] == "the predictor is not run"


def test_pi0_sees_three_images_and_an_instruction():
    model = build({"model_type": "pi0", "architectures": ["PI0ForConditionalGeneration"]})
    assert parameters(model) == 3_501_372_176  # transformers 5.24
    assert lengths(model, None)["text"] == 3 * 256 + 48
    assert lengths(model, None)["actions"] == 1 + 50
    assert model.counts == "sample"
    assert model.notes[0] == "3 images and 48 words a chunk of 50 actions"
    cores = [o for b in model.blocks if b.stream == "actions" for o in b.operators
             if isinstance(o, Attention)]  # fmt: skip
    assert [(o.over, o.causal) for o in cores] == [(None, False), ("text", False)]
    with pytest.raises(InputError, match="expected the 18 of vlm_config's text"):
        build({"model_type": "pi0", "dit_config": {"num_hidden_layers": 4}})


PUZZLE = {
    "model_type": "nemotron-nas",
    "hidden_size": 512,
    "num_attention_heads": 8,
    "num_hidden_layers": 4,
    "vocab_size": 1000,
    "num_key_value_heads": None,
    "intermediate_size": None,
    "block_configs": [
        {"attention": {"n_heads_in_group": 4}, "ffn": {"ffn_mult": 2.625}},
        {"attention": {"no_op": True}, "ffn": {"ffn_mult": 5.25}},
        {"attention": {"replace_with_linear": True}, "ffn": {"no_op": True}},
        {"attention": {"n_heads_in_group": 8}, "ffn": {"replace_with_linear": True}},
    ],
}


def test_a_pruned_llama_is_counted_layer_by_layer():
    d = 512
    first = 2 * d * d + 2 * d * 2 * 64 + 3 * d * 1024 + 2 * d  # 2·2.625·512/3 = 896, up to 1,024
    second = 3 * d * 1792 + d  # 2·5.25·512/3 = 1,792, no attention and no norm of it
    third = d * d + d
    fourth = 2 * d * d + 2 * d * 64 + d * d + 2 * d
    model = build(PUZZLE)
    assert parameters(model) == first + second + third + fourth + d + 2 * 1000 * d
    assert (model.kv_heads, model.ffn, model.layers) == (2, 1792, 4)
    with pytest.raises(InputError, match=r"block_configs: expected what 5 layers are; got \["):
        build({**PUZZLE, "num_hidden_layers": 5})
    bad = [{**PUZZLE["block_configs"][0], "attention": {"n_heads_in_group": 3}}]
    with pytest.raises(
        InputError, match=r"block_configs\.0\.attention\.n_heads_in_group: expected"
    ):
        build({**PUZZLE, "block_configs": bad * 4})


def test_kimi_k3s_experts_are_narrower_than_the_model():
    kimi = {
        "model_type": "kimi_linear",
        "hidden_size": 256,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 512,
        "vocab_size": 1000,
        "num_experts": 8,
        "num_experts_per_token": 2,
        "num_shared_experts": 1,
        "moe_intermediate_size": 64,
        "linear_attn_config": {"full_attn_layers": [4], "num_heads": 4, "head_dim": 32},
        "qk_nope_head_dim": 32,
        "v_head_dim": 32,
    }
    before = build(kimi)

    def more(keys: dict[str, object]) -> int:
        return parameters(build({**kimi, **keys})) - parameters(before)

    narrow = {"routed_expert_hidden_size": 128, "latent_moe_use_norm": True}
    # in three layers: 8 experts of 3·64·(128 instead of 256), projections in and out, a norm
    assert more(narrow) == 3 * (-8 * 3 * 64 * 128 + 2 * 256 * 128 + 128)
    # one layer of latent attention, 4 heads of 32
    assert more({"mla_use_output_gate": True}) == 256 * 128
    # three of delta attention: 256 to 128 instead of by way of 32
    wide = {**kimi["linear_attn_config"], "use_full_rank_gate": True}
    assert more({"linear_attn_config": wide}) == 3 * (256 * 128 - 256 * 32 - 32 * 128)
    assert more({"attn_res_block_size": 2}) == 4 * 4 * 256
    assert build({**kimi, "model_type": "kimi_k3"}).blocks == before.blocks


@pytest.mark.parametrize(("name", "family"), [
    ("minimax_m3", "minimax_m3_vl_text"), ("deepseek_ref", "deepseek_v4"), ("step3p7", "step3p5"),
])  # fmt: skip
def test_other_spellings_of_a_family(name, family):
    assert build({"model_type": name}).blocks == build({"model_type": family}).blocks


def test_a_text_config_without_a_type_takes_the_wholes():
    text = {"hidden_size": 512, "num_hidden_layers": 4, "num_attention_heads": 8}
    whole = {
        "model_type": "minimax_m3_vl",
        "architectures": ["MiniMaxM3SparseForConditionalGeneration"],
        "text_config": text,
        "vision_config": {"hidden_size": 64},
    }
    alone = build({"model_type": "minimax_m3_vl_text", **text})
    assert build(whole).blocks == alone.blocks
    assert "only the text model is counted; towers for images or sound are left out" in (
        build(whole).notes
    )
