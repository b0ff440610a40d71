"""The table of decoders: what each family has that Llama has not.

Keys and defaults are those of the configuration classes of transformers 5.24.  Mixtures of experts
stand in :mod:`~costcalc.workload.families.mixtures`, models with layers other than attention in
:mod:`~costcalc.workload.families.hybrids`.
"""

from __future__ import annotations

from costcalc.workload.families.decoder import Decoder
from costcalc.workload.families.deepseek import Latent
from costcalc.workload.families.gpt import (
    OUT,
    falcon_norms,
    falcon_shape,
    local_and_global,
    one_key_head,
    one_more_bias,
    opt_ends,
    opt_norm,
    without_last_norm,
)
from costcalc.workload.families.hybrids import HYBRIDS
from costcalc.workload.families.mixtures import MIXTURES
from costcalc.workload.families.patterns import (
    BIAS,
    FOUR,
    FUSED,
    MLP_BIAS,
    all_heads,
    but_every,
    each_head,
    everywhere,
    exaone_windows,
    gemma3_windows,
    phi_norms,
    qwen_windows,
    sinks,
    smollm3_windows,
    vectors,
)
from costcalc.workload.families.sublayers import doge

LLAMA = Decoder(bias=BIAS, mlp_bias=MLP_BIAS)
TWO = ("up_proj", "down_proj")  # no gate
FC = ("fc1", "fc2")
MINICPM3 = Latent(query=768, keys=256, nope=64, rope=32, value=64)

#: model_type of a config.json -> the family
DECODERS: dict[str, Decoder] = {
    # Llama 1 to 3 (Touvron et al. 2023, arXiv:2302.13971) and what copies its configuration
    "llama": LLAMA,
    # Granite: with constant multipliers
    "granite": LLAMA,
    # MiniCPM (Hu et al. 2024, arXiv:2404.06395): with constant multipliers, tied unless it says no
    "minicpm": Decoder(tied=True, bias=BIAS),
    # Mistral (Jiang et al. 2023, arXiv:2310.06825): a window unless ``sliding_window`` is null
    "mistral": Decoder(kv_heads=8, ffn=14336, windows=everywhere(4096)),
    # SmolLM3: some layers without rotary embedding, which may take the window
    "smollm3": Decoder(
        hidden=2048, layers=36, heads=16, kv_heads=4, vocabulary=128256, tied=True, bias=BIAS,
        mlp_bias=MLP_BIAS, windows=smollm3_windows,
    ),
    # OLMo (Groeneveld et al. 2024, arXiv:2402.00838): norms without parameters
    "olmo": Decoder(vocabulary=50304, bias=BIAS, norm=0),
    # OLMo 2 (OLMo team 2024, arXiv:2501.00656): norms over the whole query and key
    "olmo2": Decoder(vocabulary=50304, bias=BIAS, own_weights=all_heads),
    # Cohere Command R: attention and feed-forward in parallel behind one norm
    "cohere": Decoder(
        hidden=8192, layers=40, heads=64, kv_heads=64, ffn=22528, vocabulary=256000, tied=True,
        bias=BIAS, norms=1, own_weights=all_heads, own_weights_if=("use_qk_norm", False),
    ),
    # StableLM: layer norms, biases on q, k, v by choice
    "stablelm": Decoder(
        hidden=2560, kv_heads=32, ffn=6912, vocabulary=50304, bias=("use_qkv_bias", False),
        out_bias=False, norm=2, norms=lambda c: 1 if c.flag("use_parallel_residual", False) else 2,
        own_weights=all_heads, own_weights_if=("qk_layernorm", False),
    ),
    # StarCoder 2 (Lozhkov et al. 2024, arXiv:2402.19173): layer norms, biases, no gate
    "starcoder2": Decoder(
        hidden=3072, layers=30, heads=24, kv_heads=2, ffn=12288, vocabulary=49152, tied=True,
        bias=("use_bias", True), mlp_bias=("use_bias", True), gated=False, norm=2,
        mlp_names=("c_fc", "c_proj"), windows=everywhere(None),
    ),
    # Phi 1, 1.5, 2 (Gunasekar et al. 2023, arXiv:2306.11644): in parallel behind one norm, biases
    "phi": Decoder(
        hidden=2048, layers=24, ffn=8192, vocabulary=51200, bias=True, mlp_bias=True, gated=False,
        names=("q_proj", "k_proj", "v_proj", "dense"), mlp_names=("fc1", "fc2"), norm=2, norms=1,
        own_weights=phi_norms, own_weights_if=("qk_layernorm", False), head_bias=True,
    ),
    # Phi 3 and 4 (arXiv:2404.14219): fused projections
    "phi3": Decoder(
        hidden=3072, ffn=8192, vocabulary=32064, names=("qkv_proj", "o_proj"),
        mlp_names=("gate_up_proj", "down_proj"), windows=everywhere(None),
    ),
    # Qwen 1.5, 2, 2.5 (arXiv:2407.10671, arXiv:2412.15115): biases on q, k, v without a key
    "qwen2": Decoder(
        kv_heads=32, ffn=22016, vocabulary=151936, bias=True, out_bias=False, windows=qwen_windows,
    ),
    # Qwen3 (arXiv:2505.09388): norms on each head of query and key
    "qwen3": Decoder(
        kv_heads=32, head_dim=128, ffn=22016, vocabulary=151936, bias=BIAS, own_weights=each_head,
        windows=qwen_windows,
    ),
    # Gemma 1 to 3, text (arXiv:2403.08295, arXiv:2408.00118, arXiv:2503.19786): four norms a layer
    # from 2 on
    "gemma": Decoder(
        hidden=3072, layers=28, heads=16, kv_heads=16, head_dim=256, ffn=24576, vocabulary=256000,
        tied=True, bias=BIAS,
    ),
    "gemma2": Decoder(
        hidden=2304, layers=26, heads=8, kv_heads=4, head_dim=256, ffn=9216, vocabulary=256000,
        tied=True, bias=BIAS, norms=4, windows=but_every(2, 4096),
    ),
    "gemma3_text": Decoder(
        hidden=2304, layers=26, heads=8, kv_heads=4, head_dim=256, ffn=9216, vocabulary=262208,
        tied=True, bias=BIAS, norms=4, own_weights=each_head, windows=gemma3_windows,
    ),
    # what copies Llama's shape under a name of its own, with other defaults
    "hunyuan_v1_dense": Decoder(ffn=11008, vocabulary=290943, bias=BIAS, own_weights=each_head),
    "helium": Decoder(
        hidden=2560, layers=24, heads=20, kv_heads=20, head_dim=128, ffn=7040, vocabulary=48000,
        bias=BIAS, mlp_bias=MLP_BIAS,
    ),
    "internlm": Decoder(vocabulary=103168, bias=("bias", True)),
    "internlm2": Decoder(
        vocabulary=92544, bias=("bias", False), names=("wqkv", "wo"), mlp_names=("w1", "w3", "w2"),
    ),
    "internlm3": Decoder(
        layers=48, kv_heads=2, ffn=10240, vocabulary=128512, bias=BIAS, mlp_bias=MLP_BIAS,
    ),
    "exaone": Decoder(kv_heads=8, ffn=14336, vocabulary=102400, bias=BIAS, mlp_bias=MLP_BIAS),
    "iquestcoder": Decoder(
        hidden=5120, layers=80, heads=40, kv_heads=8, ffn=27648, vocabulary=76800, bias=BIAS,
        mlp_bias=MLP_BIAS,
    ),
    "hyperclovax": Decoder(
        bias=BIAS, mlp_bias=MLP_BIAS, norms=lambda c: 4 if c.flag("use_post_norm", True) else 2,
    ),
    "granite_swa": Decoder(
        hidden=2560, layers=24, heads=20, kv_heads=4, ffn=8192, vocabulary=100352, tied=True,
        bias=BIAS, mlp_bias=MLP_BIAS, own_weights=sinks, windows=but_every(4, 128, first=True),
    ),
    "ernie4_5": Decoder(
        hidden=1024, layers=18, heads=16, kv_heads=2, head_dim=128, ffn=3072, vocabulary=103424,
        tied=True, bias=("use_bias", False), mlp_bias=("use_bias", False),
    ),
    "seed_oss": Decoder(
        layers=64, heads=80, kv_heads=8, head_dim=128, ffn=27648, vocabulary=155136,
        bias=("attention_bias", True), out_bias=("attention_out_bias", False), mlp_bias=MLP_BIAS,
    ),
    "cwm": Decoder(
        hidden=6144, layers=64, heads=48, kv_heads=8, head_dim=128, ffn=21504, vocabulary=128256,
        mlp_bias=MLP_BIAS, windows=but_every(4, 8192, first=True),
    ),
    # Apertus (arXiv:2509.14233): no gate, an activation with two numbers a layer
    "apertus": Decoder(
        ffn=14336, vocabulary=131072, bias=BIAS, gated=False, mlp_names=TWO, own_weights=each_head,
        more_weights=lambda _: 2,
    ),
    "apertus1p5_text": Decoder(
        ffn=14336, vocabulary=266752, bias=BIAS, gated=False, mlp_names=TWO, own_weights=each_head,
        more_weights=lambda _: 2,
    ),
    # Arcee: squared ReLU, no gate
    "arcee": Decoder(
        hidden=2560, ffn=18432, bias=BIAS, mlp_bias=MLP_BIAS, gated=False, mlp_names=TWO,
    ),
    "jais2": Decoder(
        hidden=3328, heads=26, head_dim=128, ffn=26624, vocabulary=150272,
        bias=("attention_bias", True), mlp_bias=("mlp_bias", True), gated=False, mlp_names=TWO,
        norm=2,
    ),
    "nemotron": Decoder(
        hidden=6144, heads=48, ffn=24576, vocabulary=256000, bias=BIAS, mlp_bias=MLP_BIAS,
        gated=False, mlp_names=TWO, norm=2,
    ),
    "nanochat": Decoder(
        hidden=768, layers=12, heads=6, kv_heads=6, ffn=8192, vocabulary=50304, bias=BIAS,
        gated=False, mlp_names=FC, norm=0,
    ),
    # BitNet b1.58 (Ma et al. 2024, arXiv:2402.17764): norms before both output layers
    "bitnet": Decoder(
        hidden=2560, layers=30, heads=20, kv_heads=5, ffn=6912, vocabulary=128256, bias=BIAS,
        more_weights=lambda s: s.hidden + s.ffn,
    ),
    # Differential attention (Ye et al. 2024, arXiv:2410.05258): four vectors of a head
    "diffllama": Decoder(
        hidden=2048, layers=16, ffn=8192, bias=BIAS, own_weights=lambda s: 4 * s.head_dim,
    ),
    "olmo3": Decoder(
        vocabulary=50304, bias=BIAS, own_weights=all_heads, windows=but_every(4, 4096),
    ),
    "exaone4": Decoder(
        ffn=16384, vocabulary=102400, own_weights=each_head, windows=exaone_windows,
    ),
    "ministral": Decoder(kv_heads=8, ffn=14336, windows=but_every(0, 4096)),
    "ministral3": Decoder(
        layers=34, kv_heads=8, head_dim=128, ffn=14336, vocabulary=131072, windows=everywhere(None),
    ),
    "cohere2": Decoder(
        hidden=8192, layers=40, heads=64, kv_heads=64, head_dim=128, ffn=22528, vocabulary=256000,
        tied=True, bias=BIAS, norms=1, windows=but_every(4, 4096),
    ),
    # GLM-4 (arXiv:2406.12793); GLM-4-0414 with four norms a layer
    "glm": Decoder(
        layers=40, kv_heads=2, head_dim=128, ffn=13696, vocabulary=151552,
        bias=("attention_bias", True), out_bias=False, mlp_names=("gate_up_proj", "down_proj"),
    ),
    "glm4": Decoder(
        layers=40, kv_heads=2, head_dim=128, ffn=13696, vocabulary=151552, norms=4,
        bias=("attention_bias", True), out_bias=False, mlp_names=("gate_up_proj", "down_proj"),
    ),
    "glm4v_text": Decoder(
        layers=40, kv_heads=2, ffn=13696, vocabulary=151552, norms=4, bias=True, out_bias=False,
        mlp_names=("gate_up_proj", "down_proj"),
    ),
    "vaultgemma": Decoder(
        hidden=2304, layers=26, heads=8, kv_heads=4, head_dim=256, ffn=9216, vocabulary=256000,
        tied=True, bias=BIAS, windows=but_every(2, 4096),
    ),
    # Persimmon and Fuyu (Adept 2023): fused q, k, v, biases, norms on each head
    "persimmon": Decoder(
        layers=36, heads=64, ffn=16384, vocabulary=262144, bias=True, mlp_bias=True, gated=False,
        norm=2, names=FUSED, mlp_names=FOUR, own_weights=vectors(4),
        own_weights_if=("qk_layernorm", True),
    ),
    # latent attention (deepseek.py) without experts
    "minicpm3": Decoder(
        hidden=2560, layers=62, heads=40, ffn=6400, vocabulary=73448, tied=True, bias=BIAS,
        mlp_bias=MLP_BIAS, shape=MINICPM3.shape, mixers=MINICPM3.mixers,
    ),
    "youtu": Decoder(
        hidden=2048, heads=16, ffn=6144, vocabulary=128256, tied=True, bias=BIAS,
        shape=Latent().shape, mixers=Latent().mixers,
    ),
    # encoders of Llama's shape
    "eurobert": Decoder(
        hidden=768, layers=12, heads=12, ffn=3072, vocabulary=128256, bias=BIAS, mlp_bias=MLP_BIAS,
        causal=False,
    ),
    # the text models of vision-language families
    "qwen2_vl_text": Decoder(
        hidden=8192, layers=80, heads=64, kv_heads=8, ffn=29568, vocabulary=152064, bias=True,
        out_bias=False, windows=qwen_windows,
    ),
    "qwen2_5_vl_text": Decoder(
        hidden=8192, layers=80, heads=64, kv_heads=8, ffn=29568, vocabulary=152064, bias=True,
        out_bias=False, windows=qwen_windows,
    ),
    "qwen3_vl_text": Decoder(
        head_dim=128, ffn=22016, vocabulary=151936, bias=BIAS, own_weights=each_head,
    ),
    # GPT-2 (Radford et al. 2019; GPT-3's shape): layer norms, biases, learned positions
    "gpt2": Decoder(
        hidden=768, layers=12, heads=12, ffn=None, ffn_keys=("n_inner",), vocabulary=50257,
        tied=True, grouped=False, bias=True, mlp_bias=True, gated=False, norm=2, positions=1024,
        names=("c_attn", "c_proj"), mlp_names=("c_fc", "c_proj"),
    ),
    # GPT-Neo (EleutherAI 2021): every other layer with a window; no biases on q, k, v
    "gpt_neo": Decoder(
        hidden=2048, layers=24, heads=16, ffn=None, ffn_keys=("intermediate_size",),
        vocabulary=50257, tied=True, grouped=False, mlp_bias=True, gated=False, norm=2,
        positions=2048, mlp_names=("c_fc", "c_proj"), mixers=local_and_global,
    ),
    # GPT-J (EleutherAI 2021): in parallel behind one norm, a head with a bias
    "gptj": Decoder(
        layers=28, heads=16, ffn=None, ffn_keys=("n_inner",), vocabulary=50400, grouped=False,
        mlp_bias=True, gated=False, norm=2, norms=1, head_bias=True, names=OUT,
        mlp_names=("fc_in", "fc_out"),
    ),
    # GPT-NeoX and Pythia (Black et al. 2022, arXiv:2204.06745): fused q, k, v
    "gpt_neox": Decoder(
        hidden=6144, layers=44, heads=64, ffn=24576, ffn_keys=("intermediate_size",),
        vocabulary=50432, grouped=False, bias=("attention_bias", True), mlp_bias=True, gated=False,
        norm=2, names=FUSED, mlp_names=FOUR,
    ),
    # OPT (Zhang et al. 2022, arXiv:2205.01068)
    "opt": Decoder(
        hidden=768, layers=12, heads=12, ffn=3072, ffn_keys=("ffn_dim",), vocabulary=50272,
        tied=True, grouped=False, bias=("enable_bias", True), mlp_bias=("enable_bias", True),
        gated=False, norm=opt_norm, names=OUT, mlp_names=("fc1", "fc2"), finish=opt_ends,
    ),
    # BLOOM (arXiv:2211.05100): ALiBi, a norm behind the embedding
    "bloom": Decoder(
        hidden=64, layers=2, heads=8, ffn=None, ffn_keys=(), vocabulary=250880, tied=True,
        grouped=False, bias=True, mlp_bias=True, gated=False, norm=2, embedding_norm=True,
        names=FUSED, mlp_names=FOUR,
    ),
    # Falcon (arXiv:2311.16867): one key-value head (7B), or groups in the new decoder
    "falcon": Decoder(
        hidden=4544, heads=71, ffn=None, ffn_keys=("ffn_hidden_size",), vocabulary=65024, tied=True,
        grouped=False, bias=("bias", False), mlp_bias=("bias", False), gated=False, norm=2,
        norms=falcon_norms, shape=falcon_shape, names=FUSED, mlp_names=FOUR,
    ),
    # MPT (MosaicML 2023): ALiBi, norms without biases, fused q, k, v
    "mpt": Decoder(
        hidden=2048, layers=24, heads=16, ffn=None, ffn_keys=(), ffn_ratio="expansion_ratio",
        vocabulary=50368, tied=True, grouped=False, gated=False, names=("Wqkv", "out_proj"),
        mlp_names=("up_proj", "down_proj"),
    ),
    # GPT: no last norm
    "openai-gpt": Decoder(
        hidden=768, layers=12, heads=12, ffn=None, ffn_keys=(), vocabulary=40478, tied=True,
        grouped=False, bias=True, mlp_bias=True, gated=False, norm=2, positions=512,
        names=("c_attn", "c_proj"), mlp_names=("c_fc", "c_proj"), finish=without_last_norm,
    ),
    # SantaCoder and StarCoder 1 (arXiv:2305.06161): one key-value head
    "gpt_bigcode": Decoder(
        hidden=768, layers=12, heads=12, ffn=None, ffn_keys=("n_inner",), vocabulary=50257,
        tied=True, bias=True, mlp_bias=True, gated=False, norm=2, positions=1024,
        names=("c_attn", "c_proj"), mlp_names=("c_fc", "c_proj"), shape=one_key_head,
    ),
    # CodeGen (arXiv:2203.13474): GPT-J's shape with fused q, k, v
    "codegen": Decoder(
        layers=28, heads=16, ffn=None, ffn_keys=("n_inner",), vocabulary=50400, grouped=False,
        mlp_bias=True, gated=False, norm=2, norms=1, head_bias=True, names=("qkv_proj", "out_proj"),
        mlp_names=("fc_in", "fc_out"),
    ),
    "gpt_neox_japanese": Decoder(
        hidden=2560, ffn=None, ffn_keys=(), ffn_ratio="intermediate_multiple_size", tied=True,
        grouped=False, gated=False, norm=2, names=FUSED, mlp_names=FOUR, finish=one_more_bias,
    ),
    # BioGPT (arXiv:2210.10341), XGLM (arXiv:2112.10668; sinusoids), CTRL (arXiv:1909.05858)
    "biogpt": Decoder(
        hidden=1024, layers=24, heads=16, ffn=4096, vocabulary=42384, tied=True, grouped=False,
        bias=True, mlp_bias=True, gated=False, norm=2, positions=1024, offset=2, names=OUT,
        mlp_names=FC,
    ),
    "xglm": Decoder(
        hidden=1024, layers=24, heads=16, ffn=4096, vocabulary=256008, tied=True, grouped=False,
        bias=True, mlp_bias=True, gated=False, norm=2, names=OUT, mlp_names=FC,
    ),
    "ctrl": Decoder(
        hidden=1280, layers=48, heads=16, ffn=8192, ffn_keys=("dff",), vocabulary=246534, tied=True,
        grouped=False, bias=True, mlp_bias=True, gated=False, norm=2, head_bias=True,
        names=("Wq", "Wk", "Wv", "dense"), mlp_names=("0", "2"),
    ),
    # Doge (arXiv:2412.11834): a learned mask, each residual with a scale, experts of one neuron
    "doge": Decoder(
        hidden=1024, heads=8, ffn=2048, vocabulary=32768, bias=BIAS, mlp_bias=MLP_BIAS, norms=4,
        own_weights=each_head, mixers=doge,
    ),
    **MIXTURES,
    **HYBRIDS,
}  # fmt: skip
