"""Parameter counts equal what transformers builds on the meta device, to the last parameter."""

from __future__ import annotations

import random

import pytest
from test_families import DEFAULTS

from costcalc.workload.counting import parameters
from costcalc.workload.families import build

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]
torch = pytest.importorskip("torch", reason="needs torch: pip install costcalc[frameworks]")
transformers = pytest.importorskip(
    "transformers", reason="needs transformers: pip install costcalc[frameworks]"
)

HEADS = {
    **dict.fromkeys(("bert", "roberta", "distilbert", "xlm-roberta"), "AutoModelForMaskedLM"),
    **dict.fromkeys(("t5", "mt5"), "AutoModelForSeq2SeqLM"),
    **dict.fromkeys(("vit", "resnet"), "AutoModelForImageClassification"),
    "whisper": "AutoModelForSpeechSeq2Seq",
}


def built(config):
    """The parameters of the module that transformers builds from the same keys."""
    keys = {key: value for key, value in config.items() if key != "model_type"}
    made = transformers.AutoConfig.for_model(config["model_type"], **keys)
    head = HEADS.get(config["model_type"], "AutoModelForCausalLM")
    with torch.device("meta"):
        module = getattr(transformers, head).from_config(made)
    module.tie_weights()
    return sum(p.numel() for p in module.parameters()), made


NEEDED = {"deepseek_v2": {"num_experts_per_tok": 6}}  # its class has no default


@pytest.mark.parametrize("family", sorted(DEFAULTS))
def test_the_defaults_of_a_family(family):
    """A file without keys, and the file that transformers itself would write."""
    config = {"model_type": family, **NEEDED.get(family, {})}
    count, made = built(config)
    assert parameters(build(config)) == count
    assert parameters(build(made.to_dict())) == count


MOE_V3 = {"num_attention_heads": 16, "first_k_dense_replace": 1}

#: the shape keys of published config.json files, by the model's name on the Hub
REAL = {
    "meta-llama/Llama-3.2-1B": {
        "model_type": "llama", "hidden_size": 2048, "intermediate_size": 8192, "head_dim": 64,
        "num_attention_heads": 32, "num_hidden_layers": 16, "num_key_value_heads": 8,
        "tie_word_embeddings": True, "vocab_size": 128256},
    "mistralai/Mistral-Nemo-Base-2407": {
        "model_type": "mistral", "head_dim": 128, "hidden_size": 5120, "intermediate_size": 14336,
        "num_attention_heads": 32, "num_hidden_layers": 40, "num_key_value_heads": 8,
        "sliding_window": None, "tie_word_embeddings": False, "vocab_size": 131072},
    "mistralai/Mixtral-8x22B-v0.1": {
        "model_type": "mixtral", "hidden_size": 6144, "intermediate_size": 16384,
        "num_attention_heads": 48, "num_experts_per_tok": 2, "num_hidden_layers": 56,
        "num_key_value_heads": 8, "num_local_experts": 8, "vocab_size": 32768},
    "Qwen/Qwen2.5-0.5B": {
        "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864,
        "num_attention_heads": 14, "num_hidden_layers": 24, "num_key_value_heads": 2,
        "max_window_layers": 24, "sliding_window": 32768, "use_sliding_window": False,
        "tie_word_embeddings": True, "vocab_size": 151936},
    "Qwen/Qwen3-0.6B": {
        "model_type": "qwen3", "head_dim": 128, "hidden_size": 1024, "intermediate_size": 3072,
        "num_attention_heads": 16, "num_hidden_layers": 28, "num_key_value_heads": 8,
        "tie_word_embeddings": True, "vocab_size": 151936},
    "Qwen/Qwen3-30B-A3B": {
        "model_type": "qwen3_moe", "head_dim": 128, "hidden_size": 2048, "num_experts": 128,
        "intermediate_size": 6144, "moe_intermediate_size": 768, "num_attention_heads": 32,
        "num_experts_per_tok": 8, "num_hidden_layers": 48, "num_key_value_heads": 4,
        "tie_word_embeddings": False, "vocab_size": 151936},
    "Qwen/Qwen1.5-MoE-A2.7B": {
        "model_type": "qwen2_moe", "hidden_size": 2048, "intermediate_size": 5632,
        "moe_intermediate_size": 1408, "num_attention_heads": 16, "num_experts": 60,
        "num_experts_per_tok": 4, "num_hidden_layers": 24, "num_key_value_heads": 16,
        "shared_expert_intermediate_size": 5632, "tie_word_embeddings": False,
        "vocab_size": 151936},
    "google/gemma-2b": {
        "model_type": "gemma", "head_dim": 256, "hidden_size": 2048, "intermediate_size": 16384,
        "num_attention_heads": 8, "num_hidden_layers": 18, "num_key_value_heads": 1,
        "vocab_size": 256000},
    "google/gemma-2-9b": {
        "model_type": "gemma2", "head_dim": 256, "hidden_size": 3584, "intermediate_size": 14336,
        "num_attention_heads": 16, "num_hidden_layers": 42, "num_key_value_heads": 8,
        "sliding_window": 4096, "vocab_size": 256000},
    "google/gemma-3-1b-pt": {
        "model_type": "gemma3_text", "head_dim": 256, "hidden_size": 1152,
        "intermediate_size": 6912, "num_attention_heads": 4, "num_hidden_layers": 26,
        "num_key_value_heads": 1, "sliding_window": 512, "sliding_window_pattern": 6,
        "vocab_size": 262144},
    "microsoft/phi-2": {
        "model_type": "phi", "hidden_size": 2560, "intermediate_size": 10240,
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": None,
        "qk_layernorm": False, "tie_word_embeddings": False, "vocab_size": 51200},
    "microsoft/phi-4": {
        "model_type": "phi3", "hidden_size": 5120, "intermediate_size": 17920,
        "num_attention_heads": 40, "num_hidden_layers": 40, "num_key_value_heads": 10,
        "tie_word_embeddings": False, "vocab_size": 100352},
    "openai-community/gpt2-xl": {
        "model_type": "gpt2", "n_embd": 1600, "n_head": 25, "n_layer": 48, "n_positions": 1024,
        "vocab_size": 50257},
    "EleutherAI/pythia-70m": {
        "model_type": "gpt_neox", "hidden_size": 512, "intermediate_size": 2048,
        "num_attention_heads": 8, "num_hidden_layers": 6, "tie_word_embeddings": False,
        "vocab_size": 50304},
    "EleutherAI/gpt-neo-125m": {
        "model_type": "gpt_neo", "hidden_size": 768, "num_heads": 12, "num_layers": 12,
        "attention_types": [[["global", "local"], 6]], "intermediate_size": None,
        "max_position_embeddings": 2048, "vocab_size": 50257, "window_size": 256},
    "EleutherAI/gpt-j-6b": {
        "model_type": "gptj", "n_embd": 4096, "n_head": 16, "n_layer": 28, "n_inner": None,
        "rotary_dim": 64, "tie_word_embeddings": False, "vocab_size": 50400},
    "facebook/opt-350m": {
        "model_type": "opt", "do_layer_norm_before": False, "ffn_dim": 4096, "hidden_size": 1024,
        "max_position_embeddings": 2048, "num_attention_heads": 16, "num_hidden_layers": 24,
        "vocab_size": 50272, "word_embed_proj_dim": 512},
    "facebook/opt-66b": {
        "model_type": "opt", "ffn_dim": 36864, "hidden_size": 9216, "num_attention_heads": 72,
        "num_hidden_layers": 64, "vocab_size": 50272, "word_embed_proj_dim": 9216},
    "bigscience/bloom": {
        "model_type": "bloom", "hidden_size": 14336, "n_layer": 70, "n_head": 112,
        "vocab_size": 250880},
    "tiiuae/falcon-40b": {
        "model_type": "falcon", "hidden_size": 8192, "num_attention_heads": 128,
        "num_hidden_layers": 60, "num_kv_heads": 8, "new_decoder_architecture": True,
        "parallel_attn": True, "bias": False, "vocab_size": 65024},
    "tiiuae/falcon-rw-1b": {
        "model_type": "falcon", "alibi": True, "bias": True, "hidden_size": 2048,
        "multi_query": False, "new_decoder_architecture": False, "num_attention_heads": 32,
        "num_hidden_layers": 24, "parallel_attn": False, "vocab_size": 50304},
    "allenai/OLMo-2-1124-7B": {
        "model_type": "olmo2", "hidden_size": 4096, "intermediate_size": 11008,
        "num_attention_heads": 32, "num_hidden_layers": 32, "num_key_value_heads": 32,
        "tie_word_embeddings": False, "vocab_size": 100352},
    "deepseek-ai/DeepSeek-V2-Lite": {
        "model_type": "deepseek_v2", "first_k_dense_replace": 1, "hidden_size": 2048,
        "intermediate_size": 10944, "kv_lora_rank": 512, "moe_intermediate_size": 1408,
        "n_routed_experts": 64, "n_shared_experts": 2, "num_attention_heads": 16,
        "num_experts_per_tok": 6, "num_hidden_layers": 27, "num_key_value_heads": 16,
        "q_lora_rank": None, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
        "vocab_size": 102400},
    "deepseek-ai/DeepSeek-V2": {
        "model_type": "deepseek_v2", "first_k_dense_replace": 1, "hidden_size": 5120,
        "intermediate_size": 12288, "kv_lora_rank": 512, "moe_intermediate_size": 1536,
        "n_routed_experts": 160, "n_shared_experts": 2, "num_attention_heads": 128,
        "num_experts_per_tok": 6, "num_hidden_layers": 60, "num_key_value_heads": 128,
        "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
        "vocab_size": 102400},
    "deepseek-ai/DeepSeek-V3": {
        "model_type": "deepseek_v3", "first_k_dense_replace": 3, "hidden_size": 7168,
        "intermediate_size": 18432, "kv_lora_rank": 512, "moe_intermediate_size": 2048,
        "n_routed_experts": 256, "n_shared_experts": 1, "num_attention_heads": 128,
        "num_experts_per_tok": 8, "num_hidden_layers": 61, "num_key_value_heads": 128,
        "q_lora_rank": 1536, "qk_nope_head_dim": 128, "qk_rope_head_dim": 64, "v_head_dim": 128,
        "num_nextn_predict_layers": 1, "vocab_size": 129280},
    "openai/gpt-oss-20b": {
        "model_type": "gpt_oss", "attention_bias": True, "head_dim": 64, "hidden_size": 2880,
        "intermediate_size": 2880, "num_attention_heads": 64, "num_experts_per_tok": 4,
        "num_hidden_layers": 24, "num_key_value_heads": 8, "num_local_experts": 32,
        "sliding_window": 128, "tie_word_embeddings": False, "vocab_size": 201088},
    "meta-llama/Llama-4-Maverick-17B-128E (text)": {
        "model_type": "llama4_text", "hidden_size": 5120, "intermediate_size": 8192,
        "intermediate_size_mlp": 16384, "interleave_moe_layer_step": 2, "num_local_experts": 128,
        "num_attention_heads": 40, "num_hidden_layers": 48, "num_key_value_heads": 8,
        "head_dim": 128, "vocab_size": 202048},
    "google-bert/bert-large-uncased": {
        "model_type": "bert", "hidden_size": 1024, "intermediate_size": 4096,
        "max_position_embeddings": 512, "num_attention_heads": 16, "num_hidden_layers": 24,
        "type_vocab_size": 2, "vocab_size": 30522},
    "FacebookAI/roberta-base": {
        "model_type": "roberta", "hidden_size": 768, "intermediate_size": 3072,
        "max_position_embeddings": 514, "num_attention_heads": 12, "num_hidden_layers": 12,
        "type_vocab_size": 1, "vocab_size": 50265},
    "google-t5/t5-large": {
        "model_type": "t5", "d_ff": 4096, "d_kv": 64, "d_model": 1024, "num_heads": 16,
        "num_layers": 24, "vocab_size": 32128},
    "google/flan-t5-xl": {
        "model_type": "t5", "d_ff": 5120, "d_kv": 64, "d_model": 2048, "num_heads": 32,
        "num_layers": 24, "num_decoder_layers": 24, "feed_forward_proj": "gated-gelu",
        "tie_word_embeddings": False, "vocab_size": 32128},
    "google/vit-large-patch16-224 (1000 labels)": {
        "model_type": "vit", "hidden_size": 1024, "intermediate_size": 4096,
        "num_attention_heads": 16, "num_hidden_layers": 24, "num_labels": 1000},
    "microsoft/resnet-101 (1000 labels)": {
        "model_type": "resnet", "depths": [3, 4, 23, 3], "num_labels": 1000},
    "microsoft/resnet-18": {
        "model_type": "resnet", "depths": [2, 2, 2, 2], "hidden_sizes": [64, 128, 256, 512],
        "layer_type": "basic", "num_labels": 1000},
    "openai/whisper-large-v3": {
        "model_type": "whisper", "d_model": 1280, "decoder_attention_heads": 20,
        "decoder_ffn_dim": 5120, "decoder_layers": 32, "encoder_attention_heads": 20,
        "encoder_ffn_dim": 5120, "encoder_layers": 32, "max_source_positions": 1500,
        "max_target_positions": 448, "num_mel_bins": 128, "vocab_size": 51866},
    "state-spaces/mamba-2.8b-hf": {
        "model_type": "mamba", "conv_kernel": 4, "expand": 2, "hidden_size": 2560,
        "intermediate_size": 5120, "num_hidden_layers": 64, "state_size": 16,
        "time_step_rank": 160, "use_bias": False, "use_conv_bias": True, "vocab_size": 50280},
    "zai-org/GLM-4.5-Air": {
        "model_type": "glm4_moe", "attention_bias": True, "first_k_dense_replace": 1,
        "head_dim": 128, "hidden_size": 4096, "intermediate_size": 10944,
        "moe_intermediate_size": 1408, "n_routed_experts": 128, "n_shared_experts": 1,
        "num_attention_heads": 96, "num_experts_per_tok": 8, "num_hidden_layers": 46,
        "num_key_value_heads": 8, "use_qk_norm": False, "vocab_size": 151552},
    "CohereLabs/c4ai-command-r-plus": {
        "model_type": "cohere", "hidden_size": 12288, "intermediate_size": 33792,
        "num_attention_heads": 96, "num_hidden_layers": 64, "num_key_value_heads": 8,
        "use_qk_norm": True, "vocab_size": 256000},
}  # fmt: skip

#: what those names hold, where it is published: a second road to the same figure
PUBLISHED = {
    "meta-llama/Llama-3.2-1B": 1_235_814_400,
    "Qwen/Qwen2.5-0.5B": 494_032_768,
    "Qwen/Qwen3-30B-A3B": 30_532_122_624,
    "google/gemma-3-1b-pt": 999_885_952,
    "deepseek-ai/DeepSeek-V3": 671_026_404_352,
    "openai-community/gpt2-xl": 1_557_611_200,
}


@pytest.mark.parametrize("name", REAL)
def test_real_configurations(name):
    config = REAL[name]
    count, made = built(config)
    assert parameters(build(config)) == count
    assert parameters(build(made.to_dict())) == count
    assert count == PUBLISHED.get(name, count)


def randomised(family, rng):
    """A small configuration with every choice of the family drawn."""
    heads = rng.choice([2, 4, 6])
    kv = rng.choice([k for k in (1, 2, 3, 6) if heads % k == 0])
    width = rng.choice([8, 16])
    hidden, layers = heads * width, rng.randint(1, 5)
    flip = lambda: rng.random() < 0.5  # noqa: E731
    common = {
        "vocab_size": rng.randint(50, 300),
        "hidden_size": hidden,
        "num_hidden_layers": layers,
        "num_attention_heads": heads,
        "num_key_value_heads": kv,
        "intermediate_size": rng.randint(20, 90),
        "tie_word_embeddings": flip(),
        "pad_token_id": 0,
    }
    bias = {"attention_bias": flip()}
    wide = {"head_dim": rng.choice([8, 16, 32])}
    number = rng.randint(2, 6)
    chosen = rng.randint(1, number)
    moe = {
        "num_experts_per_tok": chosen,
        "num_experts": number,
        "moe_intermediate_size": rng.randint(8, 40),
    }
    local = {"num_experts_per_tok": chosen, "num_local_experts": number}
    sparse = {"decoder_sparse_step": rng.randint(1, 2), "mlp_only_layers": [0] if flip() else []}
    old = {
        "vocab_size": common["vocab_size"],
        "n_embd": hidden,
        "n_layer": layers,
        "n_head": heads,
        "tie_word_embeddings": flip(),
        "n_inner": rng.choice([None, 50]),
    }
    latent = {
        "q_lora_rank": rng.choice([None, 24]),
        "kv_lora_rank": 16,
        "qk_nope_head_dim": 8,
        "qk_rope_head_dim": 4,
        "v_head_dim": rng.choice([8, 12]),
        "n_routed_experts": number,
        "n_shared_experts": rng.randint(1, 2),
        "num_experts_per_tok": chosen,
        "first_k_dense_replace": rng.randint(0, layers),
        "moe_intermediate_size": 20,
        "num_key_value_heads": heads,
        "n_group": 1,
        "topk_group": 1,
        **bias,
    }
    bert = {**common, "max_position_embeddings": rng.randint(20, 60), "type_vocab_size": 2}
    t5 = {
        "vocab_size": 100,
        "d_model": hidden,
        "d_kv": rng.choice([8, 12]),
        "d_ff": 40,
        "num_layers": layers,
        "num_decoder_layers": rng.randint(1, 4),
        "num_heads": heads,
        "relative_attention_num_buckets": rng.choice([8, 32]),
        "feed_forward_proj": rng.choice(["relu", "gated-gelu"]),
        "tie_word_embeddings": flip(),
    }
    special = {
        "llama": {**bias, "mlp_bias": flip(), **rng.choice([{}, wide])},
        "mistral": {**wide, "sliding_window": rng.choice([None, 8])},
        "granite": {**bias, "mlp_bias": flip()},
        "smollm3": {**bias, "mlp_bias": flip()},
        "olmo": bias,
        "olmo2": bias,
        "olmoe": {**bias, **local},
        "cohere": {**bias, "use_qk_norm": flip()},
        "stablelm": {
            "use_qkv_bias": flip(),
            "qk_layernorm": flip(),
            "use_parallel_residual": flip(),
        },
        "starcoder2": {"use_bias": flip()},
        "mixtral": local,
        "qwen2": {},
        "qwen3": {**bias, **wide},
        "qwen2_moe": {**moe, **sparse, "shared_expert_intermediate_size": 24, "qkv_bias": flip()},
        "qwen3_moe": {**moe, **sparse, **bias, **wide},
        "qwen3_next": {
            **moe,
            **sparse,
            **bias,
            **wide,
            "shared_expert_intermediate_size": 24,
            "linear_num_key_heads": 2,
            "linear_num_value_heads": 4,
            "linear_key_head_dim": 8,
            "linear_value_head_dim": 12,
        },
        "gemma": {**bias, **wide},
        "gemma2": {**bias, **wide},
        "gemma3_text": {**bias, **wide},
        "phi": {"qk_layernorm": flip()},
        "phi3": {},
        "gpt_oss": {**local, **bias, **wide},
        "glm4_moe": {
            "n_routed_experts": number,
            "num_experts_per_tok": chosen,
            **bias,
            **wide,
            "n_shared_experts": rng.randint(1, 2),
            "moe_intermediate_size": 20,
            "first_k_dense_replace": rng.randint(0, layers),
            "use_qk_norm": flip(),
        },
        "llama4_text": {
            **local,
            **bias,
            **wide,
            "intermediate_size_mlp": 50,
            "interleave_moe_layer_step": rng.randint(1, 3),
        },
        "deepseek_v2": {**latent, "mlp_bias": flip()},
        "deepseek_v3": latent,
        "gpt_neox": {**bias},
        "bert": bert,
        "roberta": bert,
        "xlm-roberta": bert,
        "opt": {
            "ffn_dim": 40,
            "word_embed_proj_dim": rng.choice([hidden, 12]),
            "max_position_embeddings": 33,
            "enable_bias": flip(),
            "do_layer_norm_before": flip(),
            "layer_norm_elementwise_affine": flip(),
        },
        "bloom": {"n_layer": layers, "n_head": heads},
        "falcon": {
            "new_decoder_architecture": flip(),
            "multi_query": flip(),
            "parallel_attn": flip(),
            "bias": flip(),
            "num_kv_heads": kv,
            "ffn_hidden_size": rng.choice([40, 4 * hidden]),
        },
        "mamba": {
            "state_size": 4,
            "conv_kernel": 3,
            "expand": rng.choice([1, 2]),
            "use_bias": flip(),
            "use_conv_bias": flip(),
            "time_step_rank": 3,
        },
    }
    whole = {
        "gpt2": {**old, "n_positions": 40},
        "gptj": {**old, "rotary_dim": 4},
        "gpt_neo": {
            "vocab_size": 90,
            "hidden_size": hidden,
            "num_layers": layers,
            "num_heads": heads,
            "max_position_embeddings": 30,
            "attention_types": [[["global"], layers]],
            "intermediate_size": rng.choice([None, 40]),
        },
        "mpt": {"d_model": hidden, "n_heads": heads, "n_layers": layers, "vocab_size": 80},
        "mamba2": {
            "vocab_size": 90,
            "hidden_size": hidden,
            "num_hidden_layers": layers,
            "expand": 2,
            "num_heads": 2 * heads,
            "head_dim": width,
            "state_size": 8,
            "n_groups": 2,
            "use_bias": flip(),
            "use_conv_bias": flip(),
            "tie_word_embeddings": flip(),
        },
        "distilbert": {
            "vocab_size": 90,
            "dim": hidden,
            "n_heads": heads,
            "n_layers": layers,
            "hidden_dim": 30,
            "max_position_embeddings": 40,
            "tie_word_embeddings": flip(),
        },
        "t5": t5,
        "mt5": t5,
        "vit": {
            "hidden_size": hidden,
            "num_attention_heads": heads,
            "num_hidden_layers": layers,
            "intermediate_size": 30,
            "image_size": rng.choice([32, 40]),
            "patch_size": 8,
            "num_channels": rng.choice([1, 3]),
            "qkv_bias": flip(),
            "num_labels": rng.randint(2, 9),
        },
        "resnet": {
            "embedding_size": 8,
            "hidden_sizes": [16, 32],
            "num_labels": 5,
            "depths": [rng.randint(1, 3), rng.randint(1, 3)],
            "layer_type": rng.choice(["basic", "bottleneck"]),
        },
        "whisper": {
            "vocab_size": 90,
            "d_model": hidden,
            "encoder_layers": layers,
            "decoder_layers": rng.randint(1, 4),
            "encoder_attention_heads": heads,
            "decoder_attention_heads": heads,
            "encoder_ffn_dim": 30,
            "pad_token_id": 0,
            "decoder_ffn_dim": 36,
            "num_mel_bins": 10,
            "max_source_positions": 20,
            "max_target_positions": 15,
            "tie_word_embeddings": flip(),
        },
    }
    keys = whole[family] if family in whole else {**common, **special.get(family, {})}
    return {"model_type": family, **keys}


@pytest.mark.parametrize("family", sorted(DEFAULTS))
def test_randomised_configurations(family):
    rng = random.Random(f"costcalc {family}")
    for _ in range(8):
        config = randomised(family, rng)
        count, made = built(config)
        assert parameters(build(config)) == count, config
        assert parameters(build(made.to_dict())) == count, config


@pytest.mark.parametrize(("outer", "inner"), [
    ("gemma3", "gemma3_text"), ("llama4", "llama4_text"),
])  # fmt: skip
def test_the_text_part_of_a_multimodal_model(outer, inner):
    rng = random.Random(outer)
    config = randomised(inner, rng)
    count, _ = built(config)
    nested = {
        "model_type": outer,
        "text_config": {k: v for k, v in config.items() if k != "model_type"},
    }
    architecture = build(nested)
    assert parameters(architecture) == count
    assert any("text model" in note for note in architecture.notes)
