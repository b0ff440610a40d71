"""Decoders with experts: a row each, as in :mod:`~costcalc.workload.families.table`."""

from __future__ import annotations

from functools import partial

from costcalc.workload.families.decoder import Decoder, Mixture, full_attention, hybrid
from costcalc.workload.families.deepseek import Latent
from costcalc.workload.families.experts import (
    dbrx_shape,
    jetmoe_attention,
    jetmoe_shape,
    laguna_attention,
    mimo_full,
    mimo_kinds,
    mimo_sliding,
    minimax_kinds,
    minimax_sparse,
)
from costcalc.workload.families.patterns import (
    BIAS,
    FUSED,
    MLP_BIAS,
    after,
    all_heads,
    but_every,
    by_step,
    each_head,
    ernie_sparse,
    everywhere,
    exaone_windows,
    flint_windows,
    gate_of_width,
    interleaved,
    llama4_windows,
    olmoe_norms,
    qwen2_moe_windows,
    qwen_windows,
    sinks,
    switched,
)
from costcalc.workload.families.sublayers import (
    ling_shape,
    longcat,
    longcat_ends,
    longcat_prediction,
    longcat_shape,
    step,
    step_prediction,
    step_shape,
    step_sparse,
)

V3 = Latent()
V32 = Latent(indexer=(64, 128, 2048))
GLM_DSA = Latent(query=2048, nope=192, value=256, indexer=(32, 128, 2048))
GLM_LITE = Latent(query=768, nope=192, value=256)
MISTRAL4 = Latent(query=1024, keys=256, nope=64)
SARVAM = Latent(query=None)

MIXTURES: dict[str, Decoder] = {
    # OLMoE (Muennighoff et al. 2024, arXiv:2409.02060)
    "olmoe": Decoder(
        hidden=2048, layers=16, heads=16, kv_heads=16, ffn=2048, vocabulary=50304, bias=BIAS,
        own_weights=olmoe_norms, mixture=Mixture(number=64, chosen=8),
    ),
    # Mixtral (Jiang et al. 2024, arXiv:2401.04088)
    "mixtral": Decoder(
        kv_heads=8, ffn=14336, windows=everywhere(None), mixture=Mixture(number=8, chosen=2),
    ),
    "jetmoe": Decoder(
        hidden=2048, layers=12, ffn=5632, tied=True, shape=jetmoe_shape, mixers=jetmoe_attention,
        more_weights=lambda s: 2 * s.hidden, mixture=Mixture(number=8, chosen=2),
    ),
    # gpt-oss (OpenAI 2025, arXiv:2508.10925): a sink a head, every other layer with a window
    "gpt_oss": Decoder(
        hidden=2880, layers=36, heads=64, kv_heads=8, head_dim=64, ffn=2880, vocabulary=201088,
        bias=("attention_bias", True), own_weights=sinks, windows=but_every(2, 128),
        mixture=Mixture(number=128, chosen=4, biases=True),
    ),
    # GLM-4.5 (arXiv:2508.06471)
    "glm4_moe": Decoder(
        layers=46, heads=96, kv_heads=8, uneven=True, ffn=10944, vocabulary=151552, bias=BIAS,
        out_bias=False, own_weights=each_head, own_weights_if=("use_qk_norm", False),
        mixture=Mixture(number=128, chosen=8, ffn=1408, shared=1, sparse=after(1)),
    ),
    # Llama 4, the text model: chunked attention in three layers of four
    "llama4_text": Decoder(
        hidden=5120, layers=48, heads=40, kv_heads=8, head_dim=128, ffn=8192, vocabulary=202048,
        bias=BIAS, windows=llama4_windows, chunked=True,
        mixture=Mixture(number=16, chosen=1, shared=1, dense_ffn=16384, sparse=interleaved),
    ),
    "qwen2_moe": Decoder(
        hidden=2048, layers=24, heads=16, kv_heads=16, ffn=5632, vocabulary=151936,
        bias=("qkv_bias", True), out_bias=False, windows=qwen2_moe_windows,
        mixture=Mixture(number=60, chosen=4, ffn=1408, shared_ffn=5632, shared_gate=True,
                        sparse=by_step),
    ),
    "qwen3_moe": Decoder(
        hidden=2048, layers=24, kv_heads=4, ffn=6144, vocabulary=151936, bias=BIAS,
        own_weights=each_head, windows=lambda c, layers: [switched(c)] * layers,
        mixture=Mixture(number=128, chosen=8, ffn=768, sparse=by_step),
    ),
    "qwen3_vl_moe_text": Decoder(
        hidden=2048, layers=24, heads=16, kv_heads=16, head_dim=128, ffn=5632, vocabulary=151936,
        tied=True, bias=BIAS, own_weights=each_head,
        mixture=Mixture(number=60, chosen=4, ffn=1408, sparse=by_step),
    ),
    # Phi-3.5-MoE: layer norms
    "phimoe": Decoder(
        kv_heads=8, ffn=6400, vocabulary=32064, bias=BIAS, norm=2,
        head_bias=("lm_head_bias", False), windows=everywhere(None),
        mixture=Mixture(number=16, chosen=2),
    ),
    "flex_olmo": Decoder(
        vocabulary=100352, bias=BIAS, own_weights=all_heads, mixture=Mixture(number=7, chosen=5),
    ),
    "granitemoe": Decoder(bias=BIAS, mixture=Mixture(number=8, chosen=2)),
    "granitemoeshared": Decoder(bias=BIAS, mixture=Mixture(number=8, chosen=2, shared_ffn=0)),
    "granitemoe_swa": Decoder(
        bias=BIAS, own_weights=sinks, windows=but_every(4, 128, first=True),
        mixture=Mixture(number=8, chosen=2, shared_ffn=0),
    ),
    "aria_text": Decoder(
        ffn=4096, bias=BIAS, mlp_bias=MLP_BIAS, mixture=Mixture(number=8, chosen=2, shared=2),
    ),
    # Trinity: gates on attention, four norms, three windowed layers of four
    "afmoe": Decoder(
        hidden=2048, heads=16, kv_heads=16, head_dim=128, ffn=6144, vocabulary=200192, bias=BIAS,
        norms=4, own_weights=each_head, gate=gate_of_width, gate_name="gate_proj",
        windows=but_every(4, 1024, key="global_attn_every_n_layers"),
        mixture=Mixture(number=64, chosen=6, ffn=1408, shared=2, balance=True,
                        sparse=after(1, "num_dense_layers")),
    ),
    "cohere2_moe": Decoder(
        hidden=8192, layers=40, heads=64, kv_heads=64, head_dim=128, ffn=22528, vocabulary=256000,
        tied=True, bias=BIAS, norms=1, windows=but_every(4, 4096),
        mixture=Mixture(number=8, chosen=2, shared=0, sparse=after(0)),
    ),
    "dots1": Decoder(
        hidden=4608, layers=62, ffn=10944, vocabulary=152064, bias=BIAS, own_weights=each_head,
        windows=qwen_windows,
        mixture=Mixture(number=None, chosen=None, ffn=1408, shared=0, sparse=after(0)),
    ),
    # ERNIE 4.5: experts from one layer to another, each load with a bias
    "ernie4_5_moe": Decoder(
        hidden=2560, layers=28, heads=20, kv_heads=4, ffn=12288, vocabulary=103424, tied=True,
        bias=("use_bias", False), mlp_bias=("use_bias", False), head_bias=("use_bias", False),
        mixture=Mixture(number=64, chosen=6, ffn=1536, shared=2, balance=True, sparse=ernie_sparse),
    ),
    "exaone_moe": Decoder(
        ffn=16384, vocabulary=102400, own_weights=each_head, windows=exaone_windows,
        mixture=Mixture(number=64, chosen=8, ffn=1024, shared=1, sparse=after(1)),
    ),
    "flint": Decoder(
        hidden=2048, layers=49, kv_heads=4, head_dim=128, ffn=6144, vocabulary=150144, bias=BIAS,
        own_weights=lambda s: each_head(s) + sinks(s), windows=flint_windows,
        mixture=Mixture(number=256, chosen=6, ffn=512, shared_ffn=1024,
                        sparse=partial(by_step, usual=(0, 1))),
    ),
    "hunyuan_v1_moe": Decoder(
        vocabulary=290943, bias=BIAS, own_weights=each_head,
        mixture=Mixture(number=1, chosen=1, shared=1),
    ),
    "hy_v3": Decoder(
        layers=80, heads=64, kv_heads=8, head_dim=128, ffn=13312, vocabulary=120832, bias=BIAS,
        mlp_bias=MLP_BIAS, own_weights=each_head,
        mixture=Mixture(number=192, chosen=8, ffn=1536, shared=1, sparse=after(1)),
    ),
    "kolibri1": Decoder(
        hidden=2560, layers=50, heads=48, kv_heads=4, head_dim=128, vocabulary=128000, norms=4,
        own_weights=each_head, windows=but_every(5, 513),
        mixture=Mixture(number=384, chosen=6, ffn=512, shared_ffn=512),
    ),
    "laguna": Decoder(
        hidden=2048, layers=40, heads=48, kv_heads=8, head_dim=128, ffn=8192, vocabulary=100352,
        bias=BIAS, own_weights=each_head, mixers=laguna_attention,
        mixture=Mixture(number=256, chosen=8, ffn=512, shared_ffn=512, balance=True,
                        sparse=after(1)),
    ),
    "mellum": Decoder(
        hidden=2304, layers=28, kv_heads=4, head_dim=128, ffn=7168, vocabulary=98304, bias=BIAS,
        own_weights=each_head, windows=but_every(1, 1024),
        mixture=Mixture(number=64, chosen=8, ffn=896),
    ),
    # MiMo-V2-Flash: keys of 192, values of 128, twice the key-value heads and sinks in windows
    "mimo_v2_flash": Decoder(
        layers=48, heads=64, kv_heads=4, head_dim=192, ffn=16384, vocabulary=152576, bias=BIAS,
        mixers=hybrid(mimo_kinds, full_attention=mimo_full, sliding_attention=mimo_sliding),
        mixture=Mixture(number=256, chosen=8, ffn=2048, sparse=after(1)),
    ),
    # MiniMax-M2: norms over the whole query and key; M3: blocks of keys chosen by an indexer
    "minimax_m2": Decoder(
        hidden=3072, layers=62, heads=48, kv_heads=8, head_dim=128, ffn=1536, vocabulary=200064,
        own_weights=all_heads, mixture=Mixture(number=256, chosen=8),
    ),
    "minimax_m3_vl_text": Decoder(
        hidden=6144, layers=60, heads=64, kv_heads=4, head_dim=128, ffn=3072, vocabulary=200064,
        own_weights=each_head,
        mixers=hybrid(
            minimax_kinds, full_attention=full_attention, minimax_m3_sparse=minimax_sparse
        ),
        mixture=Mixture(number=128, chosen=4, shared_ffn=3072, dense_ffn=12288),
    ),
    "sarvam_moe": Decoder(
        layers=19, heads=64, kv_heads=4, head_dim=64, ffn=8192, vocabulary=262144, bias=BIAS,
        out_bias=False, own_weights=each_head, own_weights_if=("use_qk_norm", True),
        mixture=Mixture(number=128, chosen=6, ffn=1024, shared=1, sparse=after(1)),
    ),
    "solar_open": Decoder(
        layers=48, heads=64, kv_heads=8, head_dim=128, vocabulary=196608, bias=BIAS, out_bias=False,
        mixture=Mixture(number=128, chosen=8, ffn=1280, shared=1),
    ),
    "glm4v_moe_text": Decoder(
        layers=46, heads=96, kv_heads=8, uneven=True, ffn=10944, vocabulary=151424,
        bias=("attention_bias", True), out_bias=False,
        mixture=Mixture(number=128, chosen=8, ffn=1408, shared=1, sparse=after(1)),
    ),
    # DBRX (Databricks 2024): the sizes stand in two mappings
    "dbrx": Decoder(
        norm=1, names=("Wqkv", "out_proj"), mlp_names=("w1", "v1", "w2"), shape=dbrx_shape,
        mixture=Mixture(number=16, chosen=4),
    ),
    # latent attention: see deepseek.py
    "deepseek_v2": Decoder(
        vocabulary=102400, bias=BIAS, mlp_bias=MLP_BIAS, shape=V3.shape, mixers=V3.mixers,
        mixture=Mixture(number=64, chosen=None, ffn=1407, shared=2, sparse=after(0)),
    ),
    "deepseek_v3": Decoder(
        hidden=7168, layers=61, heads=128, ffn=18432, vocabulary=129280, bias=BIAS,
        shape=V3.shape, mixers=V3.mixers,
        mixture=Mixture(number=256, chosen=8, ffn=2048, shared=1, sparse=after(3)),
    ),
    "deepseek_v32": Decoder(
        hidden=7168, layers=61, heads=128, ffn=18432, vocabulary=129280, bias=BIAS,
        shape=V32.shape, mixers=V32.mixers,
        mixture=Mixture(number=256, chosen=8, ffn=2048, shared=1, sparse=after(3)),
    ),
    "glm_moe_dsa": Decoder(
        hidden=6144, layers=78, heads=64, ffn=12288, vocabulary=154880, bias=BIAS,
        shape=GLM_DSA.shape, mixers=GLM_DSA.mixers,
        mixture=Mixture(number=256, chosen=8, ffn=2048, shared=1, sparse=after(3)),
    ),
    "glm4_moe_lite": Decoder(
        hidden=2048, layers=47, heads=20, ffn=10240, vocabulary=154880, bias=BIAS,
        shape=GLM_LITE.shape, mixers=GLM_LITE.mixers,
        mixture=Mixture(number=64, chosen=4, ffn=1536, shared=1, sparse=after(1)),
    ),
    "mistral4": Decoder(
        layers=36, ffn=12288, vocabulary=131072, bias=BIAS, shape=MISTRAL4.shape,
        mixers=MISTRAL4.mixers,
        mixture=Mixture(number=128, chosen=4, ffn=2048, shared=1, sparse=after(0)),
    ),
    "sarvam_mla": Decoder(
        heads=64, ffn=16384, vocabulary=262144, bias=BIAS, shape=SARVAM.shape, mixers=SARVAM.mixers,
        mixture=Mixture(number=128, chosen=8, ffn=2048, shared=1, sparse=after(1)),
    ),
    # Ling and Ring (arXiv:2503.05139), by their own code, with Ling 2.0's norms where it says them
    "bailing_moe": Decoder(
        hidden=1024, layers=24, heads=16, ffn=None, vocabulary=30592, names=FUSED,
        bias=("use_qkv_bias", False), out_bias=("use_bias", True), own_weights=each_head,
        own_weights_if=("use_qk_norm", False), shape=ling_shape,
        mixture=Mixture(number=16, chosen=2, ffn=1408, shared_ffn=0, sparse=after(0)),
    ),
    # LongCat-Flash (arXiv:2509.01322): two sublayers, and experts beside them, some of which idle
    "longcat_flash": Decoder(
        hidden=6144, layers=28, heads=64, ffn=12288, vocabulary=131072, bias=BIAS, norms=4,
        shape=longcat_shape, mixers=longcat, finish=longcat_ends, predicts=longcat_prediction,
    ),
    # Step 3.5 and 3.7 Flash: a gate a head, more heads within windows
    "step3p5": Decoder(
        layers=45, heads=64, kv_heads=8, head_dim=128, ffn=11264, vocabulary=128815, bias=BIAS,
        mlp_bias=MLP_BIAS, own_weights=each_head, shape=step_shape, mixers=step,
        predicts=step_prediction,
        mixture=Mixture(number=288, chosen=8, ffn=1280, shared_ffn=1280, sparse=step_sparse),
    ),
}  # fmt: skip
