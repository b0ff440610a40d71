"""Decoders whose layers differ in kind: a row each, the mixers of :mod:`.recurrent` in them."""

from __future__ import annotations

from functools import partial

from costcalc.workload.families.decoder import (
    Decoder,
    Mixture,
    full_attention,
    hybrid,
    sliding_attention,
)
from costcalc.workload.families.deepseek import Latent
from costcalc.workload.families.patterns import (
    BIAS,
    MLP_BIAS,
    after,
    all_heads,
    by_step,
    each_head,
    gate_of_width,
)
from costcalc.workload.families.recurrent import (
    at_indices,
    beside_attention,
    but_each,
    by_period,
    convolved,
    delta_net,
    gated_recurrence,
    jamba_experts,
    jamba_mixer,
    kimi_delta,
    kimi_kinds,
    kimi_norms,
    lfm2_shape,
    lfm3_gate,
    lfm3_kinds,
    lfm3_norms,
    lightning,
    mamba2_mixer,
    minimax_kinds,
    recurrent_gemma_kinds,
    recurrent_gemma_shape,
    recurrent_gemma_window,
    short_convolution,
    state_spaces,
)
from costcalc.workload.families.sublayers import plamo, plamo_shape

DELTA = hybrid(but_each(4), linear_attention=delta_net, full_attention=full_attention)
CONVOLVED = hybrid(
    convolved, conv=short_convolution, full_attention=full_attention,
    sliding_attention=sliding_attention,
)  # fmt: skip
KIMI = Latent(query=None)

HYBRIDS: dict[str, Decoder] = {
    # Qwen3-Next and Qwen 3.5: three layers of gated DeltaNet to one of gated attention
    "qwen3_next": Decoder(
        hidden=2048, layers=48, heads=16, kv_heads=2, head_dim=256, ffn=5632, vocabulary=151936,
        bias=BIAS, own_weights=each_head, gate=gate_of_width,
        gate_name="q_proj", mixers=DELTA,
        mixture=Mixture(number=512, chosen=10, ffn=512, shared_ffn=512, shared_gate=True,
                        sparse=by_step),
    ),
    "qwen3_5_text": Decoder(
        heads=16, kv_heads=4, head_dim=256, ffn=12288, vocabulary=248320, bias=BIAS,
        own_weights=each_head, gate=gate_of_width, gate_name="q_proj", mixers=DELTA,
    ),
    "qwen3_5_moe_text": Decoder(
        hidden=2048, layers=40, heads=16, kv_heads=2, head_dim=256, vocabulary=248320, bias=BIAS,
        own_weights=each_head, gate=gate_of_width, gate_name="q_proj", mixers=DELTA,
        mixture=Mixture(number=256, chosen=8, ffn=512, shared_ffn=512, shared_gate=True),
    ),
    "olmo_hybrid": Decoder(
        hidden=3840, heads=30, ffn=11008, vocabulary=100352, bias=BIAS, own_weights=all_heads,
        mixers=hybrid(
            but_each(4), full_attention=full_attention,
            linear_attention=partial(delta_net, heads=(30, 30), widths=(96, 192)),
        ),
    ),
    # Kimi Linear (arXiv:2510.26692) and Kimi K3: delta attention, latent attention in each fourth
    # layer; K3's routed experts are narrower than the model
    "kimi_linear": Decoder(
        hidden=2304, layers=27, ffn=9216, vocabulary=163840, bias=BIAS, shape=KIMI.shape,
        norms=kimi_norms,
        mixers=hybrid(kimi_kinds, linear_attention=kimi_delta, full_attention=KIMI.one),
        mixture=Mixture(number=256, chosen=8, ffn=1024, shared=1, sparse=after(1),
                        latent="routed_expert_hidden_size"),
    ),
    # Mamba-2 and attention: Bamba, Granite 4 (which may have experts), Falcon-H1 (side by side)
    "bamba": Decoder(
        kv_heads=8, ffn=14336, vocabulary=128000, bias=BIAS, mlp_bias=MLP_BIAS,
        mixers=hybrid(at_indices, linear_attention=mamba2_mixer, full_attention=full_attention),
    ),
    "granitemoehybrid": Decoder(
        bias=BIAS,
        mixers=hybrid(state_spaces, linear_attention=mamba2_mixer, full_attention=full_attention),
        mixture=Mixture(number=8, chosen=2, shared_ffn=1024, none_is_dense=True),
    ),
    "falcon_h1": Decoder(
        kv_heads=8, ffn=14336, vocabulary=128000, bias=BIAS, mlp_bias=MLP_BIAS,
        mixers=lambda c, d, s: [("layer", beside_attention(c, d, s))] * s.layers,
    ),
    # Jamba (Lieber et al. 2024, arXiv:2403.19887): Mamba, attention once in eight layers
    "jamba": Decoder(
        kv_heads=8, ffn=14336, vocabulary=65536,
        mixers=hybrid(by_period, linear_attention=jamba_mixer, full_attention=full_attention),
        mixture=Mixture(number=16, chosen=2, sparse=jamba_experts),
    ),
    # PLaMo 2 (arXiv:2509.04897): Mamba and windowed attention in turn, by its own code
    "plamo2": Decoder(
        hidden=4096, layers=32, heads=32, kv_heads=4, ffn=13312, vocabulary=32000, tied=True,
        names=("qkv_proj", "o_proj"), mlp_names=("gate_up_proj", "down_proj"), norms=4,
        own_weights=all_heads, shape=plamo_shape, mixers=plamo,
    ),
    # MiniMax-Text-01 and M1: lightning attention
    "minimax": Decoder(
        kv_heads=8, ffn=14336,
        mixers=hybrid(minimax_kinds, linear_attention=lightning, full_attention=full_attention),
        mixture=Mixture(number=8, chosen=2),
    ),
    # LFM2 (Liquid 2025): short gated convolutions
    "lfm2": Decoder(
        hidden=2560, kv_heads=8, ffn=12288, vocabulary=65536, tied=True, own_weights=each_head,
        names=("q_proj", "k_proj", "v_proj", "out_proj"), mlp_names=("w1", "w3", "w2"),
        shape=lfm2_shape, mixers=CONVOLVED,
    ),
    "lfm2_moe": Decoder(
        hidden=2048, kv_heads=8, ffn=7168, vocabulary=65536, tied=True, own_weights=each_head,
        names=("q_proj", "k_proj", "v_proj", "out_proj"), mlp_names=("w1", "w3", "w2"),
        mixers=CONVOLVED,
        mixture=Mixture(number=32, chosen=4, ffn=1792, sparse=after(2, "num_dense_layers")),
    ),
    "lfm3": Decoder(
        hidden=2048, layers=24, heads=16, kv_heads=4, head_dim=128, ffn=7680, vocabulary=128000,
        tied=True, bias=BIAS, own_weights=each_head, gate=lfm3_gate,
        mlp_names=("w1", "w3", "w2"), norms=lfm3_norms,
        mixers=hybrid(
            lfm3_kinds, conv=partial(short_convolution, over=7), full_attention=full_attention,
            sliding_attention=partial(sliding_attention, usual=256),
        ),
    ),
    # RecurrentGemma (arXiv:2404.07839): two recurrent layers to one of windowed attention
    "recurrent_gemma": Decoder(
        hidden=2560, layers=26, heads=10, head_dim=256, ffn=7680, vocabulary=256000, tied=True,
        bias=BIAS, out_bias=True, mlp_bias=True, shape=recurrent_gemma_shape,
        mixers=hybrid(
            recurrent_gemma_kinds, recurrent=gated_recurrence, attention=recurrent_gemma_window
        ),
    ),
}  # fmt: skip
