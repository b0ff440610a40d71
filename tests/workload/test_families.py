"""Every family by hand: what its configuration class comes to by default, and what each key does.

d is the hidden width, L the layers.  The same counts are held to what transformers builds, to the
last parameter, where that is installed (``test_against_transformers.py``).
"""

from __future__ import annotations

from collections import Counter

import pytest

from costcalc import InputError
from costcalc.workload.architecture import Architecture, Attention, Convolution, Linear, Scan
from costcalc.workload.counting import active_parameters, parameters, tally
from costcalc.workload.families import FAMILIES, build

NEEDED = {"deepseek_v2": {"num_experts_per_tok": 6}}  # its class has no default


def made(family, **keys):
    return build({"model_type": family, **NEEDED.get(family, {}), **keys})


def gqa(d, heads, shared, e):
    """q and o of all heads, k and v of the shared ones."""
    return 2 * d * heads * e + 2 * d * shared * e


def square(d):
    """q, k, v, o of d x d, each with a bias."""
    return 4 * d**2 + 4 * d


def plain(d, f):
    """Two layers with biases."""
    return 2 * d * f + f + d


def moe(d, experts, f, shared=0):
    """A router, gated experts, and gated ones that all tokens pass."""
    return d * experts + 3 * d * f * experts + 3 * d * shared


V2 = 4096 * 1536 + 1536 * 32 * 192 + 1536 + 4096 * 576 + 512 * 32 * 256 + 512 + 32 * 128 * 4096
V3 = 7168 * 1536 + 1536 * 128 * 192 + 1536 + 7168 * 576 + 512 * 128 * 256 + 512 + 128 * 128 * 7168
# 16 key heads and 32 value heads of 128: q, k, v, z; b, a; a convolution of 4; A, dt, a norm; out
DELTA = 2048 * (2 * 2048 + 2 * 4096) + 2048 * 64 + 8192 * 4 + 2 * 32 + 128 + 4096 * 2048
GATED_FULL = gqa(2048, 16, 2, 256) + 2048 * 4096 + 2 * 256
BERT = square(768) + plain(768, 3072) + 4 * 768
BERT_HEAD = 768**2 + 768 + 2 * 768
BOTH = 4 * 512**2  # an attention of T5
MT5 = 2 * 512 * 384 + 2 * 384 * 512  # 6 heads of 64
WHISPER = 4 * 384**2 + 3 * 384  # keys without a bias
MAMBA = 768 * 3072 + 1536 * 4 + 1536 + 1536 * (48 + 32) + 48 * 1536 + 1536 + 1536 * 16 + 1536
MAMBA2 = 4096 * (2 * 8192 + 2048 + 128) + 10240 * 4 + 10240 + 3 * 128 + 8192 + 4096 + 8192 * 4096


def bottleneck(c_in, c_out, change=False):
    """1x1, 3x3, 1x1, each with a batch norm; a 1x1 beside them where the shape changes."""
    m = c_out // 4
    kernels = c_in * m + m * m * 9 + m * c_out + (c_in * c_out if change else 0)
    return kernels + 2 * (m + m + c_out + (c_out if change else 0))


RESNET = (
    3 * 64 * 49 + 2 * 64
    + bottleneck(64, 256, True) + 2 * bottleneck(256, 256)
    + bottleneck(256, 512, True) + 3 * bottleneck(512, 512)
    + bottleneck(512, 1024, True) + 5 * bottleneck(1024, 1024)
    + bottleneck(1024, 2048, True) + 2 * bottleneck(2048, 2048)
    + 2048 * 2 + 2
)  # fmt: skip

#: embeddings (and head) + L x (attention + feed-forward + norms) + the last norm
DEFAULTS = {
    "llama": 2 * 32000 * 4096 + 32 * (gqa(4096, 32, 32, 128) + 3 * 4096 * 11008 + 2 * 4096) + 4096,
    "granite": 2 * 32000 * 4096 + 32 * (gqa(4096, 32, 32, 128) + 3 * 4096 * 11008 + 2 * 4096)
    + 4096,
    "mistral": 2 * 32000 * 4096 + 32 * (gqa(4096, 32, 8, 128) + 3 * 4096 * 14336 + 2 * 4096) + 4096,
    "smollm3": 128256 * 2048 + 36 * (gqa(2048, 16, 4, 128) + 3 * 2048 * 11008 + 2 * 2048) + 2048,
    "olmo": 2 * 50304 * 4096 + 32 * (gqa(4096, 32, 32, 128) + 3 * 4096 * 11008),
    "olmo2": 2 * 50304 * 4096 + 32 * (gqa(4096, 32, 32, 128) + 3 * 4096 * 11008 + 4 * 4096) + 4096,
    "olmoe": 2 * 50304 * 2048 + 16 * (gqa(2048, 16, 16, 128) + moe(2048, 64, 2048) + 4 * 2048)
    + 2048,
    "cohere": 256000 * 8192 + 40 * (gqa(8192, 64, 64, 128) + 3 * 8192 * 22528 + 8192) + 8192,
    "stablelm": 2 * 50304 * 2560 + 32 * (gqa(2560, 32, 32, 80) + 3 * 2560 * 6912 + 4 * 2560)
    + 2 * 2560,
    "starcoder2": 49152 * 3072 + 30 * (
        gqa(3072, 24, 2, 128) + 28 * 128 + 3072 + plain(3072, 12288) + 4 * 3072) + 2 * 3072,
    "gpt2": (50257 + 1024) * 768 + 12 * (square(768) + plain(768, 3072) + 4 * 768) + 2 * 768,
    "gpt_neo": (50257 + 2048) * 2048
    + 24 * (4 * 2048**2 + 2048 + plain(2048, 8192) + 4 * 2048) + 2 * 2048,
    "gptj": 2 * 50400 * 4096 + 50400
    + 28 * (4 * 4096**2 + plain(4096, 16384) + 2 * 4096) + 2 * 4096,
    "gpt_neox": 2 * 50432 * 6144
    + 44 * (square(6144) + plain(6144, 24576) + 4 * 6144) + 2 * 6144,
    "opt": (50272 + 2048 + 2) * 768 + 12 * (square(768) + plain(768, 3072) + 4 * 768) + 2 * 768,
    "bloom": 250880 * 64 + 2 * 64 + 2 * (square(64) + plain(64, 256) + 4 * 64) + 2 * 64,
    "falcon": 65024 * 4544
    + 32 * (gqa(4544, 71, 1, 64) + 2 * 4544 * 18176 + 2 * 4544) + 2 * 4544,
    "mpt": 50368 * 2048 + 24 * (4 * 2048**2 + 2 * 2048 * 8192 + 2 * 2048) + 2048,
    "phi": 2 * 51200 * 2048 + 51200
    + 24 * (square(2048) + plain(2048, 8192) + 2 * 2048) + 2 * 2048,
    "phi3": 2 * 32064 * 3072 + 32 * (4 * 3072**2 + 3 * 3072 * 8192 + 2 * 3072) + 3072,
    "gemma": 256000 * 3072 + 28 * (gqa(3072, 16, 16, 256) + 3 * 3072 * 24576 + 2 * 3072) + 3072,
    "gemma2": 256000 * 2304 + 26 * (gqa(2304, 8, 4, 256) + 3 * 2304 * 9216 + 4 * 2304) + 2304,
    "gemma3_text": 262208 * 2304
    + 26 * (gqa(2304, 8, 4, 256) + 2 * 256 + 3 * 2304 * 9216 + 4 * 2304) + 2304,
    "qwen2": 2 * 151936 * 4096
    + 32 * (gqa(4096, 32, 32, 128) + 3 * 4096 + 3 * 4096 * 22016 + 2 * 4096) + 4096,
    "qwen2_moe": 2 * 151936 * 2048 + 24 * (
        gqa(2048, 16, 16, 128) + 3 * 2048 + moe(2048, 60, 1408, 5632) + 2048 + 2 * 2048) + 2048,
    "qwen3": 2 * 151936 * 4096
    + 32 * (gqa(4096, 32, 32, 128) + 2 * 128 + 3 * 4096 * 22016 + 2 * 4096) + 4096,
    "qwen3_moe": 2 * 151936 * 2048
    + 24 * (gqa(2048, 32, 4, 64) + 2 * 64 + moe(2048, 128, 768) + 2 * 2048) + 2048,
    "qwen3_next": 2 * 151936 * 2048 + 36 * DELTA + 12 * GATED_FULL
    + 48 * (moe(2048, 512, 512, 512) + 2048 + 2 * 2048) + 2048,
    "mixtral": 2 * 32000 * 4096
    + 32 * (gqa(4096, 32, 8, 128) + moe(4096, 8, 14336) + 2 * 4096) + 4096,
    "gpt_oss": 2 * 201088 * 2880 + 36 * (
        gqa(2880, 64, 8, 64) + (64 + 16) * 64 + 2880 + 64  # biases, a sink a head
        + moe(2880, 128, 2880) + 128 + 128 * 3 * 2880 + 2 * 2880) + 2880,
    "glm4_moe": 2 * 151552 * 4096 + 46 * (gqa(4096, 96, 8, 42) + 2 * 4096)  # 4096 / 96 is 42.7
    + 3 * 4096 * 10944 + 45 * moe(4096, 128, 1408, 1408) + 4096,
    "llama4_text": 2 * 202048 * 5120
    + 48 * (gqa(5120, 40, 8, 128) + moe(5120, 16, 8192, 8192) + 2 * 5120) + 5120,
    "deepseek_v2": 2 * 102400 * 4096 + 32 * (V2 + moe(4096, 64, 1407, 2 * 1407) + 2 * 4096) + 4096,
    "deepseek_v3": 2 * 129280 * 7168 + 61 * (V3 + 2 * 7168) + 3 * 3 * 7168 * 18432
    + 58 * moe(7168, 256, 2048, 2048) + 7168,
    "bert": (30522 + 512 + 2 + 2) * 768 + 12 * BERT + BERT_HEAD + 30522,
    "roberta": (50265 + 512 + 2 + 2) * 768 + 12 * BERT + BERT_HEAD + 50265,
    "xlm-roberta": (30522 + 512 + 2 + 2) * 768 + 12 * BERT + BERT_HEAD + 30522,
    "distilbert": (30522 + 512 + 2) * 768 + 6 * BERT + BERT_HEAD + 30522,
    # words, relative positions of both stacks; encoder; decoder; two last norms
    "t5": 32128 * 512 + 2 * 32 * 8 + 6 * (BOTH + 2 * 512 * 2048 + 2 * 512)
    + 6 * (2 * BOTH + 2 * 512 * 2048 + 3 * 512) + 2 * 512,
    "mt5": 250112 * 512 + 2 * 32 * 6 + 8 * (MT5 + 3 * 512 * 1024 + 2 * 512)
    + 8 * (2 * MT5 + 3 * 512 * 1024 + 3 * 512) + 2 * 512,
    "whisper": 80 * 384 * 3 + 384 + 384 * 384 * 3 + 384 + 1500 * 384
    + 4 * (WHISPER + plain(384, 1536) + 4 * 384) + 2 * 384 + (51865 + 448) * 384
    + 4 * (2 * WHISPER + plain(384, 1536) + 6 * 384) + 2 * 384,
    # 14 x 14 patches of 16 x 16 x 3, the class token, positions
    "vit": 3 * 256 * 768 + 768 + (196 + 2) * 768 + 12 * BERT + 2 * 768 + 768 * 2 + 2,
    "resnet": RESNET,
    "mamba": 50280 * 768 + 32 * (MAMBA + 768 + 1536 * 768) + 768,
    "mamba2": 2 * 32768 * 4096 + 64 * MAMBA2 + 4096,
}  # fmt: skip


def test_every_family_stands_here():
    assert set(DEFAULTS) <= set(FAMILIES)


@pytest.mark.parametrize("family", DEFAULTS)
def test_the_defaults_of_a_family(family):
    assert parameters(made(family)) == DEFAULTS[family]


# -- what a token passes -------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "idle"), [
    ("mixtral", 32 * (8 - 2) * 3 * 4096 * 14336),
    ("olmoe", 16 * (64 - 8) * 3 * 2048 * 2048),
    ("qwen2_moe", 24 * (60 - 4) * 3 * 2048 * 1408),
    ("qwen3_moe", 24 * (128 - 8) * 3 * 2048 * 768),
    ("qwen3_next", 48 * (512 - 10) * 3 * 2048 * 512),
    ("gpt_oss", 36 * (128 - 4) * (3 * 2880 * 2880 + 3 * 2880)),
    ("glm4_moe", 45 * (128 - 8) * 3 * 4096 * 1408),
    ("llama4_text", 48 * (16 - 1) * 3 * 5120 * 8192),
    ("deepseek_v2", 32 * (64 - 6) * 3 * 4096 * 1407),
    ("deepseek_v3", 58 * (256 - 8) * 3 * 7168 * 2048),
])  # fmt: skip
def test_experts_that_a_token_does_not_pass(family, idle):
    model = made(family)
    assert parameters(model) - active_parameters(model) == idle


def windows(model):
    """How many layers have which window; a chunk is negative."""
    return Counter(
        {
            (-o.window if o.chunked else o.window): block.repeat
            for block in model.blocks
            for o in block.operators
            if isinstance(o, Attention)
        }
    )


SWITCHED = {"use_sliding_window": True, "sliding_window": 8}
MIXED = ["full_attention", "sliding_attention", "sliding_attention"]


@pytest.mark.parametrize(("family", "keys", "layers"), [
    ("llama", {}, {None: 32}),
    ("mistral", {}, {4096: 32}),
    ("mistral", {"sliding_window": None}, {None: 32}),
    ("starcoder2", {"sliding_window": 64}, {64: 30}), ("starcoder2", {}, {None: 30}),
    ("phi3", {"sliding_window": 64}, {64: 32}), ("mixtral", {"sliding_window": 64}, {64: 32}),
    # each fourth layer has no rotary positions, and so the window
    ("smollm3", SWITCHED, {8: 36 // 4, None: 36 - 36 // 4}), ("smollm3", {}, {None: 36}),
    ("smollm3", {**SWITCHED, "no_rope_layer_interval": 3}, {8: 12, None: 24}),
    ("smollm3", {**SWITCHED, "num_hidden_layers": 3, "no_rope_layers": [1, 0, 0]}, {8: 2, None: 1}),
    # every other one; all but each sixth
    ("gemma2", {}, {4096: 13, None: 13}), ("gpt_oss", {}, {128: 18, None: 18}),
    ("gemma2", {"num_hidden_layers": 3}, {4096: 2, None: 1}),
    ("gemma2", {"num_hidden_layers": 3, "layer_types": MIXED}, {4096: 2, None: 1}),
    ("gemma3_text", {}, {4096: 26 - 26 // 6, None: 26 // 6}),
    ("gemma3_text", {"sliding_window_pattern": 2, "sliding_window": 9}, {9: 13, None: 13}),
    # from max_window_layers (28) on; or before it, every other one
    ("qwen2", SWITCHED, {8: 32 - 28, None: 28}), ("qwen3", SWITCHED, {8: 32 - 28, None: 28}),
    ("qwen2", {**SWITCHED, "use_sliding_window": False}, {None: 32}),
    ("qwen2", {**SWITCHED, "max_window_layers": 30}, {8: 2, None: 30}),
    ("qwen2", {**SWITCHED, "num_hidden_layers": 3, "layer_types": MIXED}, {8: 2, None: 1}),
    ("qwen2_moe", SWITCHED, {8: 12, None: 12}),
    ("qwen2_moe", {**SWITCHED, "num_hidden_layers": 40}, {8: 14, None: 26}),  # 0, 2 … 26
    ("qwen2_moe", {**SWITCHED, "max_window_layers": 5}, {8: 3, None: 21}),  # 0, 2, 4
    ("qwen2_moe", {**SWITCHED, "max_window_layers": 4}, {8: 2, None: 22}),  # 0, 2
    ("qwen3_moe", SWITCHED, {8: 24}), ("qwen3_moe", {}, {None: 24}),
    ("qwen3_moe", {"sliding_window": 8}, {None: 24}), ("qwen2", {"sliding_window": 8}, {None: 32}),
    ("qwen3_next", {}, {None: 12}), ("qwen3_next", {"num_hidden_layers": 7}, {None: 1}),
    ("llama4_text", {}, {-8192: 36, None: 12}),
    ("llama4_text", {"no_rope_layers": [1, 0] * 24}, {-8192: 24, None: 24}),
    ("llama4_text", {"no_rope_layers": [], "attention_chunk_size": None}, {None: 48}),
    ("gpt_neo", {}, {256: 12, None: 12}),
    ("gpt_neo", {"num_layers": 3}, {256: 1, None: 2}),
    ("gpt_neo", {"num_layers": 3, "attention_layers": ["local", "local", "global"]},
     {256: 2, None: 1}),
    ("gpt_neo", {"num_layers": 4, "attention_types": [[["local"], 3], [["global"], 1]],
                 "window_size": 7}, {7: 3, None: 1}),
])  # fmt: skip
def test_which_layers_have_a_window(family, keys, layers):
    assert windows(made(family, **keys)) == layers


@pytest.mark.parametrize(("family", "keys", "message"), [
    ("llama4_text", {"no_rope_layers": [1, 0]}, "no_rope_layers: expected 48 whole numbers; got 2"),
    ("gpt_neo", {"attention_types": [[["global"], 5]]},
     "expected global or local for 24 layers; got 5"),
    ("gpt_neo", {"attention_types": [[["far"], 24]]}, "expected global or local for 24 layers"),
    ("smollm3", {"no_rope_layers": [1, 0]},
     "no_rope_layers: expected a list of 36 whole numbers; got [1, 0]"),
    ("qwen3_moe", {"mlp_only_layers": [-1]},
     "mlp_only_layers: expected a list of whole numbers; got [-1]"),
    ("gpt_neo", {"attention_types": 5}, "expected [[[kind, …], times], …]; got 5"),
    ("mamba2", {"num_heads": 127},
     "expected num_heads x head_dim to be expand x hidden_size (8192); got 127 x 64"),
    ("vit", {"patch_size": 225}, "patch_size: expected at most image_size (224); got 225"),
    ("resnet", {"depths": [3, 4]}, "depths: expected as many numbers, 1 or more, as hidden_sizes"),
    ("resnet", {"downsample_in_bottleneck": True}, "expected false, the only form that is counted"),
    ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 70},
     "num_kv_heads: expected a divisor of num_attention_heads (71); got 70"),
    ("deepseek_v2", {"num_experts_per_tok": None},
     "expected the number of experts that a token passes"),
    ("whisper", {"decoder_attention_heads": 5}, "expected a divisor of d_model (384); got 5"),
    ("distilbert", {"n_heads": 5}, "n_heads: expected a divisor of dim (768); got 5"),
    ("gpt2", {"n_head": 5}, "num_attention_heads: expected a divisor of hidden_size (768); got 5"),
])  # fmt: skip
def test_what_does_not_fit_is_named_once(family, keys, message):
    with pytest.raises(InputError) as caught:
        made(family, **keys)
    problems = [str(problem) for problem in caught.value.problems]
    assert any(message in problem for problem in problems), problems
    assert len(set(problems)) == len(problems)


# -- what each key does --------------------------------------------------------------------------

ALL = {"bias": True, "multi_query": False, "parallel_attn": False}


@pytest.mark.parametrize(("family", "keys", "more"), [
    ("llama", {"attention_bias": True}, 32 * 4 * 4096),
    ("llama", {"mlp_bias": True}, 32 * (2 * 11008 + 4096)),
    ("llama", {"tie_word_embeddings": True}, -32000 * 4096),
    ("llama", {"num_key_value_heads": 8}, -32 * 2 * 4096 * 24 * 128),
    ("llama", {"head_dim": 64}, -32 * 4 * 4096 * 32 * 64),
    ("granite", {"attention_bias": True}, 32 * 4 * 4096),
    ("smollm3", {"mlp_bias": True}, 36 * (2 * 11008 + 2048)),
    ("olmo", {"attention_bias": True}, 32 * 4 * 4096),
    ("olmo2", {"num_key_value_heads": 8}, -32 * (2 * 4096 + 1) * 24 * 128),  # k's norm too
    ("olmoe", {"num_key_value_heads": 8}, -16 * (2 * 2048 + 1) * 8 * 128),
    ("cohere", {"use_qk_norm": True}, 40 * 2 * 64 * 128),
    ("stablelm", {"use_qkv_bias": True}, 32 * 3 * 2560),
    ("stablelm", {"qk_layernorm": True}, 32 * 2 * 2560),
    ("stablelm", {"use_parallel_residual": True}, -32 * 2 * 2560),
    ("starcoder2", {"use_bias": False}, -30 * (28 * 128 + 3072 + 12288 + 3072)),
    ("phi", {"qk_layernorm": True}, 24 * 2 * 2 * 64),
    ("qwen2_moe", {"qkv_bias": False}, -24 * 3 * 2048),
    ("glm4_moe", {"use_qk_norm": True}, 46 * 2 * 42),
    ("glm4_moe", {"n_shared_experts": 3}, 45 * 2 * 3 * 4096 * 1408),
    ("glm4_moe", {"first_k_dense_replace": 2},
     3 * 4096 * 10944 - moe(4096, 128, 1408, 1408)),
    ("gpt_oss", {"attention_bias": False}, -36 * (80 * 64 + 2880)),
    # of 24 layers, each second: 12 dense ones; or the first two
    ("qwen3_moe", {"decoder_sparse_step": 2}, 12 * (3 * 2048 * 6144 - moe(2048, 128, 768))),
    ("qwen3_moe", {"mlp_only_layers": [0, 1]}, 2 * (3 * 2048 * 6144 - moe(2048, 128, 768))),
    ("qwen3_moe", {"decoder_sparse_step": 2, "mlp_only_layers": [0, 1]},
     13 * (3 * 2048 * 6144 - moe(2048, 128, 768))),
    ("llama4_text", {"interleave_moe_layer_step": 2},
     24 * (3 * 5120 * 16384 - moe(5120, 16, 8192, 8192))),
    ("llama4_text", {"moe_layers": [1, 3]},
     46 * (3 * 5120 * 16384 - moe(5120, 16, 8192, 8192))),
    ("deepseek_v2", {"q_lora_rank": None},
     32 * (4096 * 32 * 192 - (4096 * 1536 + 1536 * 32 * 192 + 1536))),
    ("deepseek_v2", {"mlp_bias": True}, 32 * (2 * 2 * 1407 + 4096)),  # of the shared experts
    ("deepseek_v3", {"attention_bias": True}, 61 * (1536 + 576 + 7168)),
    ("qwen3_next", {"num_hidden_layers": 4, "layer_types": ["full_attention"] * 4},
     4 * GATED_FULL - 36 * DELTA - 12 * GATED_FULL
     - 44 * (moe(2048, 512, 512, 512) + 2048 + 2 * 2048)),
    ("gpt_neox", {"attention_bias": False}, -44 * 4 * 6144),
    ("gpt2", {"n_positions": 2048}, 1024 * 768),
    ("gpt2", {"n_inner": 768}, -12 * 2304 * (2 * 768 + 1)),
    ("opt", {"enable_bias": False}, -12 * (4 * 768 + 3072 + 768)),
    ("opt", {"layer_norm_elementwise_affine": False}, -(12 * 2 + 1) * 2 * 768),
    ("opt", {"do_layer_norm_before": False}, -2 * 768),
    ("opt", {"word_embed_proj_dim": 512}, -50272 * 256 + 2 * 512 * 768),
    ("falcon", {"multi_query": False}, 32 * 2 * 4544 * 70 * 64),
    ("falcon", {"parallel_attn": False}, 32 * 2 * 4544),
    ("falcon", {"bias": True}, 32 * ((71 + 2) * 64 + 4544 + 4 * 4544 + 4544)),
    ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 71},
     32 * (2 * 4544 * 70 * 64 + 2 * 4544)),
    ("falcon", {"new_decoder_architecture": True, "num_kv_heads": 1, "num_ln_in_parallel_attn": 1},
     0),
    ("bert", {"type_vocab_size": 1}, -768), ("bert", {"max_position_embeddings": 514}, 2 * 768),
    # untied, the module keeps its own bias beside the decoder's
    ("bert", {"tie_word_embeddings": False}, 30522 * 768 + 30522),
    ("distilbert", {"tie_word_embeddings": False}, 30522 * 768),
    ("t5", {"feed_forward_proj": "gated-gelu"}, 12 * 512 * 2048),
    ("t5", {"num_decoder_layers": 5}, -(2 * BOTH + 2 * 512 * 2048 + 3 * 512)),
    ("mamba", {"use_bias": True}, 32 * (3072 + 768)),
    ("mamba", {"use_conv_bias": False}, -32 * 1536),
    ("mamba", {"time_step_rank": 49}, 32 * 2 * 1536),
    ("mamba", {"time_step_rank": "auto"}, 0),
    ("mamba", {"hidden_size": 776, "num_hidden_layers": 1, "vocab_size": 1, "expand": 1},
     # 776 / 16 = 48.5: a rank of 49
     776 * 1552 + 776 * 4 + 776 + 776 * (49 + 32) + 49 * 776 + 776 + 776 * 17 + 776 + 776**2
     + 2 * 776 - DEFAULTS["mamba"]),
    ("mamba", {"hidden_size": 16, "num_hidden_layers": 1, "vocab_size": 1, "expand": 0.01},
     # an inner width of 1 at least
     16 * 2 + 4 + 1 + (1 + 2 * 16) + 1 + 1 + 16 + 1 + 16 + 16 + 2 * 16 - DEFAULTS["mamba"]),
    ("mamba2", {"use_bias": True}, 64 * (2 * 8192 + 2048 + 128 + 4096)),
    ("vit", {"qkv_bias": False}, -12 * 3 * 768),
    ("vit", {"num_labels": 1000}, 998 * 769), ("vit", {"id2label": {"0": "a"}}, -769),
    ("vit", {"num_channels": 1}, -2 * 256 * 768), ("vit", {"image_size": 232}, 0),
    ("whisper", {"tie_word_embeddings": False}, 51865 * 384),
])  # fmt: skip
def test_what_a_key_adds(family, keys, more):
    assert parameters(made(family, **keys)) - DEFAULTS[family] == more


@pytest.mark.parametrize("family", [
    "gpt2", "gpt_neo", "gptj", "gpt_neox", "opt", "bloom", "falcon", "mpt", "bert", "roberta",
])  # fmt: skip
def test_groups_are_no_key_of_families_without_them(family):
    assert made(family, num_key_value_heads=1, head_dim=8) == made(family)


def test_heads_wider_than_the_model_are_one_wide():
    keys = {"hidden_size": 4, "num_attention_heads": 8, "num_key_value_heads": 8}
    assert made("glm4_moe", **keys).head_dim == 1


def test_a_residual_network_of_basic_blocks():
    """7x7 of 3 to 8; one block of 8 to 16 and a second of 16 to 32 with a stride; 2 labels."""
    model = made("resnet", embedding_size=8, hidden_sizes=[16, 32], depths=[1, 1],
                 layer_type="basic", image_size=32)  # fmt: skip
    convolutions = [o for b in model.blocks for o in b.operators if isinstance(o, Convolution)]
    # sides: 32, 16 behind the stem, 8 behind the pool, 4 behind the stride
    assert [(o.c_in, o.c_out, o.kernel, o.positions) for o in convolutions] == [
        (3, 8, 49, 16**2),
        (8, 16, 1, 8**2), (8, 16, 9, 8**2), (16, 16, 9, 8**2),
        (16, 32, 1, 4**2), (16, 32, 9, 4**2), (32, 32, 9, 4**2),
    ]  # fmt: skip
    assert [o.first for o in convolutions] == [True] + 6 * [False]
    assert (model.layers, model.hidden) == (2, 32)


# -- FLOPs that are no parameters ----------------------------------------------------------------


def test_scans():
    """6 FLOP an element of the state; in chunks of 256: Q·(g·n + inner) + 4·inner·n."""
    expected = {
        "mamba": 6 * 1536 * 16,
        "mamba2": 256 * (8 * 128 + 8192) + 4 * 8192 * 128,
        "qwen3_next": 6 * 32 * 128 * 128,
    }
    states = {"mamba": 1536 * 16, "mamba2": 8192 * 128, "qwen3_next": 32 * 128 * 128}
    for family, flops in expected.items():
        found = {o for b in made(family).blocks for o in b.operators if isinstance(o, Scan)}
        assert found == {Scan(flops=flops, state=states[family])}


def test_whisper_over_1500_frames_and_10_tokens():
    """Causal attention half: s² of the decoder's own, 2·s·1500 across, 2·1500² of the encoder."""
    one = tally(made("whisper"), target_length=10)
    audio, text, d = 1500, 10, 384
    stem = 2 * (2 * audio * 80 + audio * d) * d * 3
    encoder = 4 * audio * 2 * (4 * d**2 + 2 * d * 1536) + 4 * 2 * d * 2 * audio**2
    keys = 4 * audio * 2 * 2 * d**2
    decoder = 4 * text * 2 * (6 * d**2 + 2 * d * 1536)
    cores = 4 * 2 * d * (text**2 + 2 * text * audio)
    head = text * 2 * d * 51865
    assert one.forward == stem + encoder + keys + decoder + cores + head
    assert one.first == 2 * 2 * audio * 80 * d * 3
    assert tally(made("whisper")) == tally(made("whisper"), target_length=448)


def test_t5_over_8_and_4_tokens():
    one = tally(made("t5"), sequence_length=8, target_length=4)
    d, f, own = 512, 2048, 2 * 512
    encoder = 6 * 8 * 2 * (4 * d**2 + 2 * d * f) + 6 * own * 2 * 8**2
    keys = 6 * 8 * 2 * 2 * d**2
    decoder = 6 * 4 * 2 * (6 * d**2 + 2 * d * f) + 6 * own * (4**2 + 2 * 4 * 8)
    assert one.forward == encoder + keys + decoder + 4 * 2 * d * 32128
    assert one.tokens == 8
    # 15 % of tokens in spans of 3: 114 for 512
    (target,) = (s for s in made("t5").streams if s.target)
    assert target.share == 114 / 512
    assert tally(made("t5"), sequence_length=51200) == tally(
        made("t5"), sequence_length=51200, target_length=11400
    )


@pytest.mark.parametrize(("family", "names"), [
    ("llama", "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj lm_head"),
    ("gpt2", "c_attn c_proj c_fc c_proj lm_head"),
    ("gpt_neo", "q_proj k_proj v_proj out_proj c_fc c_proj lm_head"),
    ("phi3", "qkv_proj o_proj gate_up_proj down_proj lm_head"),
    ("bloom", "query_key_value dense dense_h_to_4h dense_4h_to_h lm_head"),
    ("t5", "q k v o wi wo k v q k v o q o wi wo lm_head"),
    ("bert", "query key value dense intermediate output transform decoder"),
    ("deepseek_v3", "q_a_proj q_b_proj kv_a_proj_with_mqa kv_b_proj o_proj gate_proj up_proj "
     "down_proj q_a_proj q_b_proj kv_a_proj_with_mqa kv_b_proj o_proj router gate_proj up_proj "
     "down_proj gate_proj up_proj down_proj lm_head"),
])  # fmt: skip
def test_names_that_adapters_can_target(family, names):
    found = [
        o.name
        for b in {block.name: block for block in made(family).blocks}.values()
        for o in b.operators
        if isinstance(o, Linear)
    ]
    if family == "gpt_neo":  # two kinds of layer
        found = found[:6] + found[12:]
    assert found == names.split()


def test_numbers_at_their_limits():
    assert made("llama", vocab_size=10**9, num_hidden_layers=10_000).vocabulary == 10**9
    with pytest.raises(InputError) as caught:
        made("mamba", vocab_size=10**9 + 1, num_hidden_layers=10_001, expand=0, state_size=0)
    assert {problem.key: problem.message for problem in caught.value.problems} == {
        "vocab_size": "expected a whole number, 1000000000 or less; got 1000000001",
        "num_hidden_layers": "expected a whole number, 10000 or less; got 10001",
        "expand": "expected a number above 0; got 0",
        "state_size": "expected a whole number, 1 or more; got 0",
    }
    assert parameters(made("mamba", expand=2.0)) == DEFAULTS["mamba"]


def test_what_a_model_has_not_is_none_of_it():
    bare = Architecture(name="bare", kind="vision", streams=(), blocks=())
    sizes = (bare.hidden, bare.heads, bare.kv_heads, bare.head_dim, bare.ffn, bare.vocabulary)
    assert sizes == (0,) * 6
    assert (bare.experts, bare.experts_per_token, bare.layers) == (0, 0, 0)


def test_sizes_that_describe_the_model():
    """A mixture is as wide as one expert; without a layer of experts, as its dense layers."""
    model = made("qwen3_moe")
    assert (model.hidden, model.heads, model.kv_heads, model.head_dim) == (2048, 32, 4, 64)
    assert (model.ffn, model.experts, model.experts_per_token) == (768, 128, 8)
    assert made("deepseek_v3", first_k_dense_replace=61).ffn == 18432
    assert made("qwen3_moe", decoder_sparse_step=99).ffn == 6144
    mamba = made("mamba")
    assert (mamba.heads, mamba.kv_heads, mamba.head_dim, mamba.ffn) == (0, 0, 0, 0)
    assert (mamba.hidden, mamba.layers, mamba.vocabulary, mamba.experts) == (768, 32, 50280, 0)
    resnet = made("resnet")
    assert (resnet.hidden, resnet.heads, resnet.ffn, resnet.vocabulary) == (2048, 0, 0, 0)
    assert made("vit").kv_heads == 12
    model = made("whisper", decoder_ffn_dim=99)
    assert (model.ffn, model.vocabulary, model.layers) == (1536, 51865, 8)
