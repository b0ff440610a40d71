"""The table of decoders: what each family has that Llama has not.

Keys and defaults are those of the configuration classes of transformers 5.23.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from costcalc.workload.families.common import Shape
from costcalc.workload.families.decoder import Decoder, Flag, Mixture
from costcalc.workload.families.deepseek import latent_attention, latent_shape
from costcalc.workload.families.fields import Fields
from costcalc.workload.families.gpt import (
    OUT,
    falcon_norms,
    falcon_shape,
    local_and_global,
    opt_ends,
    opt_norm,
)
from costcalc.workload.families.qwen3_next import delta_net_and_attention

BIAS: Flag = ("attention_bias", False)
MLP_BIAS: Flag = ("mlp_bias", False)
FUSED = ("query_key_value", "dense")
FOUR = ("dense_h_to_4h", "dense_4h_to_h")

# -- which layers see a window -------------------------------------------------------------------

Windows = Callable[[Fields, int], Sequence[int | None]]


def _by_types(
    c: Fields, window: int | None, windowed: Sequence[bool], kind: str = "sliding_attention"
) -> Sequence[int | None]:
    """The window of each layer: by ``layer_types``, else by the family's own pattern."""
    kinds = c.words("layer_types", len(windowed), ("full_attention", kind))
    chosen = windowed if kinds is None else [each == kind for each in kinds]
    return [window if each else None for each in chosen]


def _everywhere(default: int | None) -> Windows:
    return lambda c, layers: [c.optional("sliding_window", default)] * layers


def _but_every(number: int, default: int) -> Windows:
    """On all layers but each ``number``-th."""

    def windows(c: Fields, layers: int) -> Sequence[int | None]:
        window = c.optional("sliding_window", default)
        return _by_types(c, window, [(i + 1) % number != 0 for i in range(layers)])

    return windows


def _gemma3(c: Fields, layers: int) -> Sequence[int | None]:
    number = c.integer("sliding_window_pattern", 6, "_sliding_window_pattern")
    return _but_every(number, 4096)(c, layers)


def _switched(c: Fields) -> int | None:
    return c.optional("sliding_window", None) if c.flag("use_sliding_window", False) else None


def _qwen(c: Fields, layers: int) -> Sequence[int | None]:
    window, first = _switched(c), c.integer("max_window_layers", 28, low=0)
    return _by_types(c, window, [i >= first for i in range(layers)])


def _qwen2_moe(c: Fields, layers: int) -> Sequence[int | None]:
    window, most = _switched(c), c.integer("max_window_layers", 28, low=0)
    return _by_types(c, window, [i % 2 == 0 and i < most for i in range(layers)])


def _rotary(c: Fields, layers: int, listed: Sequence[int] | None) -> Sequence[bool]:
    """Which layers have rotary positions: as ``no_rope_layers`` lists them (1), or by interval."""
    number = c.integer("no_rope_layer_interval", 4)
    return [bool(listed[i] if listed else (i + 1) % number) for i in range(layers)]


def _smollm3(c: Fields, layers: int) -> Sequence[int | None]:
    window, listed = _switched(c), c.integers("no_rope_layers", layers)
    return _by_types(c, window, [not rotary for rotary in _rotary(c, layers, listed)])


def _llama4(c: Fields, layers: int) -> Sequence[int | None]:
    chunk, listed = c.optional("attention_chunk_size", 8192), c.integers("no_rope_layers")
    if listed and len(listed) < layers:
        c.problem("no_rope_layers", f"expected {layers} whole numbers; got {len(listed)}")
        listed = None
    return _by_types(c, chunk, _rotary(c, layers, listed), "chunked_attention")


# -- which layers have experts -------------------------------------------------------------------


def _by_step(c: Fields, layers: int) -> Sequence[bool]:
    dense = c.integers("mlp_only_layers") or ()
    step = c.integer("decoder_sparse_step", 1)
    return [i not in dense and (i + 1) % step == 0 for i in range(layers)]


def _after(default: int) -> Callable[[Fields, int], Sequence[bool]]:
    """On all layers but the first ones."""

    def sparse(c: Fields, layers: int) -> Sequence[bool]:
        dense = c.integer("first_k_dense_replace", default, low=0)
        return [i >= dense for i in range(layers)]

    return sparse


def _interleaved(c: Fields, layers: int) -> Sequence[bool]:
    step, listed = c.integer("interleave_moe_layer_step", 1), c.integers("moe_layers")
    return [(i + 1) % step == 0 if listed is None else i in listed for i in range(layers)]


# -- norms of query and key, sinks ---------------------------------------------------------------


def _each_head(s: Shape) -> int:
    return 2 * s.head_dim


def _all_heads(s: Shape) -> int:
    return (s.heads + s.kv_heads) * s.head_dim


def _sinks(s: Shape) -> int:
    return s.heads


def _olmoe(s: Shape) -> int:
    return s.hidden + s.hidden // s.heads * s.kv_heads


def _phi(s: Shape) -> int:
    return 4 * (s.hidden // s.heads)  # two norms with biases


# -- the table -----------------------------------------------------------------------------------

LLAMA = Decoder(bias=BIAS, mlp_bias=MLP_BIAS)

#: model_type of a config.json -> the family
DECODERS: dict[str, Decoder] = {
    # Llama 1 to 3 (Touvron et al. 2023, arXiv:2302.13971) and what copies its configuration
    "llama": LLAMA,
    # Granite: with constant multipliers
    "granite": LLAMA,
    # Mistral (Jiang et al. 2023, arXiv:2310.06825): a window unless ``sliding_window`` is null
    "mistral": Decoder(kv_heads=8, ffn=14336, windows=_everywhere(4096)),
    # SmolLM3: some layers without rotary embedding, which may take the window
    "smollm3": Decoder(
        hidden=2048, layers=36, heads=16, kv_heads=4, vocabulary=128256, tied=True, bias=BIAS,
        mlp_bias=MLP_BIAS, windows=_smollm3,
    ),
    # OLMo (Groeneveld et al. 2024, arXiv:2402.00838): norms without parameters
    "olmo": Decoder(vocabulary=50304, bias=BIAS, norm=0),
    # OLMo 2 (OLMo team 2024, arXiv:2501.00656): norms over the whole query and key
    "olmo2": Decoder(vocabulary=50304, bias=BIAS, own_weights=_all_heads),
    # OLMoE (Muennighoff et al. 2024, arXiv:2409.02060)
    "olmoe": Decoder(
        hidden=2048, layers=16, heads=16, kv_heads=16, ffn=2048, vocabulary=50304, bias=BIAS,
        own_weights=_olmoe, mixture=Mixture(number=64, chosen=8),
    ),
    # Cohere Command R: attention and feed-forward in parallel behind one norm
    "cohere": Decoder(
        hidden=8192, layers=40, heads=64, kv_heads=64, ffn=22528, vocabulary=256000, tied=True,
        bias=BIAS, norms=1, own_weights=_all_heads, own_weights_if="use_qk_norm",
    ),
    # StableLM: layer norms, biases on q, k, v by choice
    "stablelm": Decoder(
        hidden=2560, kv_heads=32, ffn=6912, vocabulary=50304, bias=("use_qkv_bias", False),
        out_bias=False, norm=2, norms=lambda c: 1 if c.flag("use_parallel_residual", False) else 2,
        own_weights=_all_heads, own_weights_if="qk_layernorm",
    ),
    # StarCoder 2 (Lozhkov et al. 2024, arXiv:2402.19173): layer norms, biases, no gate
    "starcoder2": Decoder(
        hidden=3072, layers=30, heads=24, kv_heads=2, ffn=12288, vocabulary=49152, tied=True,
        bias=("use_bias", True), mlp_bias=("use_bias", True), gated=False, norm=2,
        mlp_names=("c_fc", "c_proj"), windows=_everywhere(None),
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
    # Phi 1, 1.5, 2 (Gunasekar et al. 2023, arXiv:2306.11644): in parallel behind one norm, biases
    "phi": Decoder(
        hidden=2048, layers=24, ffn=8192, vocabulary=51200, bias=True, mlp_bias=True, gated=False,
        names=("q_proj", "k_proj", "v_proj", "dense"), mlp_names=("fc1", "fc2"), norm=2, norms=1,
        own_weights=_phi, own_weights_if="qk_layernorm", head_bias=True,
    ),
    # Phi 3 and 4 (arXiv:2404.14219): fused projections
    "phi3": Decoder(
        hidden=3072, ffn=8192, vocabulary=32064, names=("qkv_proj", "o_proj"),
        mlp_names=("gate_up_proj", "down_proj"), windows=_everywhere(None),
    ),
    # Gemma 1 to 3, text (arXiv:2403.08295, arXiv:2408.00118, arXiv:2503.19786): four norms a layer
    # from 2 on
    "gemma": Decoder(
        hidden=3072, layers=28, heads=16, kv_heads=16, head_dim=256, ffn=24576, vocabulary=256000,
        tied=True, bias=BIAS,
    ),
    "gemma2": Decoder(
        hidden=2304, layers=26, heads=8, kv_heads=4, head_dim=256, ffn=9216, vocabulary=256000,
        tied=True, bias=BIAS, norms=4, windows=_but_every(2, 4096),
    ),
    "gemma3_text": Decoder(
        hidden=2304, layers=26, heads=8, kv_heads=4, head_dim=256, ffn=9216, vocabulary=262208,
        tied=True, bias=BIAS, norms=4, own_weights=_each_head, windows=_gemma3,
    ),
    # Qwen 1.5, 2, 2.5 (arXiv:2407.10671, arXiv:2412.15115): biases on q, k, v without a key
    "qwen2": Decoder(
        kv_heads=32, ffn=22016, vocabulary=151936, bias=True, out_bias=False, windows=_qwen,
    ),
    "qwen2_moe": Decoder(
        hidden=2048, layers=24, heads=16, kv_heads=16, ffn=5632, vocabulary=151936,
        bias=("qkv_bias", True), out_bias=False, windows=_qwen2_moe,
        mixture=Mixture(number=60, chosen=4, ffn=1408, shared_ffn=5632, sparse=_by_step),
    ),
    # Qwen3 (arXiv:2505.09388): norms on each head of query and key
    "qwen3": Decoder(
        kv_heads=32, head_dim=128, ffn=22016, vocabulary=151936, bias=BIAS, own_weights=_each_head,
        windows=_qwen,
    ),
    "qwen3_moe": Decoder(
        hidden=2048, layers=24, kv_heads=4, ffn=6144, vocabulary=151936, bias=BIAS,
        own_weights=_each_head, windows=lambda c, layers: [_switched(c)] * layers,
        mixture=Mixture(number=128, chosen=8, ffn=768, sparse=_by_step),
    ),
    "qwen3_next": Decoder(
        hidden=2048, layers=48, heads=16, kv_heads=2, head_dim=256, ffn=5632, vocabulary=151936,
        bias=BIAS, own_weights=_each_head, mixers=delta_net_and_attention,
        mixture=Mixture(number=512, chosen=10, ffn=512, shared_ffn=512, sparse=_by_step),
    ),
    # Mixtral (Jiang et al. 2024, arXiv:2401.04088)
    "mixtral": Decoder(
        kv_heads=8, ffn=14336, windows=_everywhere(None), mixture=Mixture(number=8, chosen=2),
    ),
    # gpt-oss (OpenAI 2025, arXiv:2508.10925): a sink a head, every other layer with a window
    "gpt_oss": Decoder(
        hidden=2880, layers=36, heads=64, kv_heads=8, head_dim=64, ffn=2880, vocabulary=201088,
        bias=("attention_bias", True), own_weights=_sinks, windows=_but_every(2, 128),
        mixture=Mixture(number=128, chosen=4, biases=True),
    ),
    # GLM-4.5 (arXiv:2508.06471); its prediction layers are not counted
    "glm4_moe": Decoder(
        layers=46, heads=96, kv_heads=8, uneven=True, ffn=10944, vocabulary=151552, bias=BIAS,
        out_bias=False, own_weights=_each_head, own_weights_if="use_qk_norm",
        mixture=Mixture(number=128, chosen=8, ffn=1408, shared=1, sparse=_after(1)),
    ),
    # Llama 4, the text model: chunked attention in three layers of four
    "llama4_text": Decoder(
        hidden=5120, layers=48, heads=40, kv_heads=8, head_dim=128, ffn=8192, vocabulary=202048,
        bias=BIAS, windows=_llama4, chunked=True,
        mixture=Mixture(number=16, chosen=1, shared=1, dense_ffn=16384, sparse=_interleaved),
    ),
    # DeepSeek V2 and V3: see deepseek.py
    "deepseek_v2": Decoder(
        vocabulary=102400, head_dim=128, bias=BIAS, mlp_bias=MLP_BIAS, shape=latent_shape,
        mixers=latent_attention,
        mixture=Mixture(number=64, chosen=None, ffn=1407, shared=2, sparse=_after(0)),
    ),
    "deepseek_v3": Decoder(
        hidden=7168, layers=61, heads=128, head_dim=128, ffn=18432, vocabulary=129280, bias=BIAS,
        shape=latent_shape, mixers=latent_attention,
        mixture=Mixture(number=256, chosen=8, ffn=2048, shared=1, sparse=_after(3)),
    ),
}  # fmt: skip
