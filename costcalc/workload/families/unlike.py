"""Decoders that no row of the table says: Gemma 3n and 4, Nemotron-H, Zamba 2, RWKV, DeepSeek V4.

Gemma 3n and 4: https://ai.google.dev/gemma; Nemotron-H: arXiv:2504.03624; Zamba 2: Glorioso et al.
2024 (arXiv:2411.15242); RWKV-4: Peng et al. 2023 (arXiv:2305.13048).  Defaults: transformers 5.24.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from costcalc.workload.architecture import Architecture, Attention, Block, Linear, Scan
from costcalc.workload.families.bert import shared
from costcalc.workload.families.common import (
    Operators,
    Shape,
    Sizes,
    architecture,
    attention,
    beside,
    experts,
    language_model,
    linear,
    mlp,
    output_head,
    shape,
    stack,
    weights,
)
from costcalc.workload.families.fields import Fields
from costcalc.workload.families.recurrent import FULL, RECURRENT, listed, mamba2_layer

SLIDING = "sliding_attention"


# -- Gemma ---------------------------------------------------------------------------------------


def _kinds(c: Fields, layers: int, every: int) -> list[str]:
    pattern = [SLIDING if (i + 1) % every else FULL for i in range(layers)]
    return c.words("layer_types", layers, (SLIDING, FULL)) or pattern


def _per_layer(s: Shape, width: int, words: int) -> tuple[Block, Operators]:
    """Each layer's own embedding of a word: one table, a projection, a gate in each layer."""
    total = s.layers * width
    table = weights(words * total + width, "embedding")
    into = linear(s.hidden, total, "other", "per_layer_model_projection")
    own: Operators = (
        linear(s.hidden, width, "mlp", "per_layer_input_gate"),
        linear(width, s.hidden, "mlp", "per_layer_projection"),
        *weights(s.hidden),
    )
    return beside("embedding of each layer", (*table, into)), own


def gemma3n(c: Fields) -> Architecture:
    """Gemma 3n, text: four streams of states of which one is computed (AltUp), low-rank detours."""
    sizes = Sizes(hidden=2048, layers=35, heads=8, kv_heads=2, head_dim=256, ffn=16384,
                  ffn_keys=(), vocabulary=262400, tied=True)  # fmt: skip
    s, inputs = shape(c, sizes), c.integer("altup_num_inputs", 4)
    widths = c.integers("intermediate_size", s.layers) if isinstance(
        c.config.get("intermediate_size"), list | tuple
    ) else [c.integer("intermediate_size", 16384)] * s.layers  # fmt: skip
    width = c.integer("hidden_size_per_layer_input", 256)
    words = c.integer("vocab_size_per_layer_input", 262144)
    rank, bias = c.integer("laurel_rank", 64), c.flag("attention_bias", False)
    alone = s.layers - c.integer("num_kv_shared_layers", 15, low=0)
    table, own = _per_layer(s, width, words)
    scaled = s.hidden * c.flag("altup_correct_scale", True)
    detour: Operators = (
        linear(s.hidden, inputs, "other", "modality_router"),
        linear(inputs, inputs**2, "other", "prediction_coefs"),
        linear(inputs, inputs, "other", "correction_coefs"),
        linear(s.hidden, rank, "other", "linear_left"),
        linear(rank, s.hidden, "other", "linear_right"),
        *weights(2 * s.hidden + scaled),
    )
    window = c.optional("sliding_window", 512)

    def layer(kind: str, ffn: int, *, keys: bool) -> Operators:
        reach = window if kind == SLIDING else None
        made = attention(s, bias=bias, window=reach, extra=s.head_dim * (1 + keys))
        if not keys:  # those of an earlier layer
            made = tuple(o for o in made if getattr(o, "name", "") not in ("k_proj", "v_proj"))
        return (*made, *mlp(s.hidden, ffn), *weights(4 * s.hidden), *detour, *own)

    layers = [
        (kind, layer(kind, ffn, keys=i < alone))
        for i, (kind, ffn) in enumerate(zip(_kinds(c, s.layers, 5), widths or [], strict=True))
    ]
    mixes = tuple(
        linear(s.hidden, s.hidden, "other", "altup_projection") for _ in range(inputs - 1)
    )
    made = language_model("gemma3n", s, layers)
    first, *rest = made.blocks
    blocks = (first, table, beside("streams", mixes), *rest[:-1], beside("back", mixes), rest[-1])
    return replace(made, blocks=blocks, ffn=max(widths or [0]))


def gemma4(c: Fields, *, per_layer: int = 256, window: int = 512) -> Architecture:
    """Gemma 4, text: wider heads where all keys are seen, shared keys, experts by choice."""
    sizes = Sizes(hidden=2304, layers=30, heads=8, kv_heads=4, head_dim=256, ffn=9216,
                  vocabulary=262144, tied=True)  # fmt: skip
    s, bias = shape(c, sizes), c.flag("attention_bias", False)
    kinds = _kinds(c, s.layers, 6)
    if kinds[-1:] == [SLIDING]:
        kinds[-1] = FULL  # the last one sees all keys
    alone = s.layers - c.integer("num_kv_shared_layers", 0, low=0)
    same = c.flag("attention_k_eq_v", False)
    wide = replace(s, head_dim=c.integer("global_head_dim", 512))
    told = c.within("per_layer_config").config  # what a saved file says of the layers that differ
    for overrides in [told[key] for key in told][:1]:
        if isinstance(overrides, Mapping):
            own_of = Fields(overrides)
            shared_by = own_of.integer("num_key_value_heads", s.kv_heads)
            wide = replace(
                wide, head_dim=own_of.integer("head_dim", wide.head_dim), kv_heads=shared_by
            )
    if same and c.config.get("num_global_key_value_heads") is not None:
        wide = replace(wide, kv_heads=c.integer("num_global_key_value_heads", s.kv_heads))
    double = c.flag("use_double_wide_mlp", False)
    width = c.integer("hidden_size_per_layer_input", per_layer, low=0)
    own: Operators = ()
    table: tuple[Block, ...] = ()
    if width:
        words = c.integer("vocab_size_per_layer_input", 262144)
        one, own = _per_layer(s, width, words)
        table = (one,)
    reach = c.optional("sliding_window", window)
    routed: Operators = ()
    number = chosen = 0
    if c.flag("enable_moe_block", False):
        number, chosen = c.integer("num_experts", 128), c.integer("top_k_experts", 8)
        ffn = c.integer("moe_intermediate_size", 704)
        routed = experts(c, s.hidden, ffn, number, chosen)
        routed += weights(3 * s.hidden + s.hidden + number)  # norms, and the router's scales

    def layer(kind: str, *, keys: bool) -> Operators:
        t = s if kind == SLIDING else wide
        made = attention(
            t, bias=bias, window=reach if kind == SLIDING else None, extra=t.head_dim * (1 + keys)
        )
        drop = set() if keys else {"k_proj", "v_proj"}
        if same and kind == FULL:
            drop.add("v_proj")
        made = tuple(o for o in made if getattr(o, "name", "") not in drop)
        ffn = s.ffn * (2 if double and not keys else 1)
        return (*made, *mlp(s.hidden, ffn), *weights(4 * s.hidden), *routed, *own)

    layers = [(kind, layer(kind, keys=i < alone)) for i, kind in enumerate(kinds)]
    made = language_model("gemma4", s, layers)
    first, *rest = made.blocks
    return replace(made, blocks=(first, *table, *rest), experts=number, experts_per_token=chosen)


# -- Nemotron-H and Zamba 2 ----------------------------------------------------------------------

_PATTERN = {"M": RECURRENT, "*": FULL, "-": "mlp", "E": "moe"}


def nemotron_h(c: Fields) -> Architecture:
    """Nemotron-H: each layer is one of Mamba-2, attention, feed-forward or experts."""
    known = (RECURRENT, FULL, "mlp", "moe")
    told = c.config.get("hybrid_override_pattern")
    kinds: Sequence[str] = [RECURRENT, "moe", FULL, "mlp"]
    if isinstance(told, str):
        kinds = [_PATTERN.get(mark, "") for mark in told]
        if "" in kinds:
            c.problem("hybrid_override_pattern", f"expected M, *, - and E; got {told[:20]}")
            kinds = [RECURRENT]
    key = next((k for k in ("layers_block_type", "layer_types") if c.config.get(k)), "layer_types")
    named = c.config.get(key)
    if isinstance(named, list | tuple):
        kinds = listed(c, len(named), known, kinds, key)
    c.find(("num_hidden_layers",))  # which the kinds say
    hidden, heads = c.integer("hidden_size", 4096), c.integer("num_attention_heads", 32)
    s = Shape(
        hidden=hidden,
        layers=len(kinds),
        heads=heads,
        kv_heads=c.integer("num_key_value_heads", 8),
        head_dim=c.integer("head_dim", 128, "attention_head_dim"),
        ffn=c.integer("intermediate_size", 21504),
        vocabulary=c.integer("vocab_size", 131072),
        tied=c.flag("tie_word_embeddings", False),
    )
    bias, number = c.flag("mlp_bias", False), c.integer("n_routed_experts", 8, "num_local_experts")
    chosen, ffn = c.integer("num_experts_per_tok", 2), c.integer("moe_intermediate_size", 7688)
    common = c.integer("moe_shared_expert_intermediate_size", 7688)
    common *= c.integer("n_shared_experts", 1, low=0) and 1
    ssm_heads, ssm_width = c.integer("mamba_num_heads", 128), c.integer("mamba_head_dim", 64)
    latent = c.integer("moe_latent_size", 0, low=0)
    names = ("up_proj", "down_proj")
    routed = experts(c, hidden, ffn, number, chosen, gated=False, bias=bias, latent=latent)
    if latent:
        ends = (
            linear(hidden, latent, "mlp", "fc1_latent"),
            linear(latent, hidden, "mlp", "fc2_latent"),
        )
        routed = (routed[0], *ends, *routed[1:])
    makers: dict[str, Operators] = {
        RECURRENT: mamba2_layer(
            hidden,
            inner=ssm_heads * ssm_width,
            heads=ssm_heads,
            state=c.integer("ssm_state_size", 128),
            groups=c.integer("n_groups", 8, "mamba_n_groups"),
            kernel=c.integer("conv_kernel", 4, "mamba_d_conv"),
            chunk=c.integer("chunk_size", 128, "mamba_chunk_size"),
            bias=c.flag("use_bias", False),
            conv_bias=c.flag("use_conv_bias", True),
        ),
        FULL: attention(s, bias=c.flag("attention_bias", False)),
        "mlp": mlp(hidden, s.ffn, gated=False, bias=bias, names=names),
        "moe": (*routed, *mlp(hidden, common, gated=False, bias=bias, names=names)),
    }
    norm = weights(hidden)
    made = language_model("nemotron_h", s, [(k, makers[k] + norm) for k in kinds], gated=False)
    if "moe" not in kinds:
        return made
    return replace(made, experts=number, experts_per_token=chosen, ffn=ffn)


def zamba2(c: Fields) -> Architecture:
    """Zamba 2: Mamba-2, and transformer blocks that return, each time with an adapter."""
    hidden, layers = c.integer("hidden_size", 2560), c.layers("num_hidden_layers", 54)
    usual = [RECURRENT] + ([RECURRENT] * 5 + ["hybrid"]) * 7 + [RECURRENT] * 4 + ["hybrid"]
    usual += [RECURRENT] * 3 + ["hybrid"] + [RECURRENT] * 2
    key = "layers_block_type" if c.config.get("layers_block_type") else "layer_types"
    kinds = listed(c, layers, (RECURRENT, "hybrid"), usual, key)
    if len(kinds) != layers:
        c.problem("num_hidden_layers", f"expected layers_block_type for {layers} layers; got none")
        kinds = [RECURRENT] * layers
    heads, wide = c.integer("num_attention_heads", 32), 2 * hidden
    s = Shape(
        hidden=hidden, layers=layers, heads=heads, kv_heads=c.integer("num_key_value_heads", heads),
        head_dim=max(1, wide // heads), ffn=c.integer("intermediate_size", 4 * hidden),
        vocabulary=c.integer("vocab_size", 32000), tied=c.flag("tie_word_embeddings", True),
    )  # fmt: skip
    inner = int(c.number("mamba_expand", 2) * hidden)
    bias = c.flag("add_bias_linear", False)
    mamba = mamba2_layer(
        hidden, inner=inner, heads=c.integer("n_mamba_heads", 8),
        state=c.integer("mamba_d_state", 64), groups=c.integer("mamba_ngroups", 1),
        kernel=c.integer("mamba_d_conv", 4), chunk=c.integer("chunk_size", 256), bias=bias,
        conv_bias=c.flag("use_conv_bias", True),
    ) + weights(hidden)  # fmt: skip
    t = replace(s, hidden=wide)
    own = tuple(
        replace(o, n_out=hidden) if isinstance(o, Linear) and o.name == "o_proj" else o
        for o in attention(t)
    )
    block = (*own, *mlp(hidden, s.ffn, names=("gate_up_proj", "down_proj"), bias=bias),
             *weights(wide + hidden))  # fmt: skip
    times, distinct = kinds.count("hybrid"), c.integer("num_mem_blocks", 1)
    rank = c.integer("adapter_rank", 128)

    def adapter(n_in: int, n_out: int, name: str) -> Operators:
        return (linear(n_in, rank, "mlp", name), linear(rank, n_out, "mlp", name))

    each = adapter(hidden, 2 * s.ffn, "gate_up_proj_adapter")
    if c.flag("use_shared_attention_adapter", False):
        for name in ("q", "k", "v"):
            each += adapter(wide, wide, f"linear_{name}_adapter")
    each += (linear(hidden, hidden, "other", "linear"),)
    stored = min(times, distinct)
    common = Block(name="shared block", operators=tuple(block), repeat=stored, layer=False)
    # an adapter is stored for each return of each distinct block
    blocks = [
        beside("embedding", weights(s.vocabulary * hidden, "embedding")),
        *stack([("mamba layer", mamba)] * layers),
        common,
        *((replace(shared(common, times - stored), layer=False),) if times > stored else ()),
        beside("adapters", each, repeat=times),
        beside("norm", weights(hidden)),
        beside("head", (output_head(s),)),
    ]
    return architecture("zamba2", "decoder", s, [b for b in blocks if b.repeat], gated=True)


# -- RWKV ----------------------------------------------------------------------------------------


def rwkv(c: Fields) -> Architecture:
    """RWKV-4: a recurrence of one number a channel, and a feed-forward layer behind a gate."""
    hidden = c.integer("hidden_size", 4096)
    s = Shape(
        hidden=hidden,
        layers=c.layers("num_hidden_layers", 32),
        ffn=c.integer("intermediate_size", 4 * hidden),
        vocabulary=c.integer("vocab_size", 50277),
        tied=c.flag("tie_word_embeddings", False),
    )
    inner = c.integer("attention_hidden_size", hidden)
    operators: Operators = (
        *(linear(hidden, inner, "attention", name) for name in ("key", "value", "receptance")),
        *weights(2 * inner + 3 * hidden),
        Scan(flops=8 * inner, state=3 * inner),
        linear(inner, hidden, "attention", "output"),
        linear(hidden, s.ffn, "mlp", "key"),
        linear(hidden, hidden, "mlp", "receptance"),
        linear(s.ffn, hidden, "mlp", "value"),
        *weights(2 * hidden + 4 * hidden),
    )
    return language_model(
        "rwkv", s, [("layer", operators)] * s.layers, norm=2 * hidden, embedding_norm=2 * hidden,
        kind="ssm", gated=False,
    )  # fmt: skip


# -- DeepSeek V4 ---------------------------------------------------------------------------------

CSA, HCA = "compressed_sparse_attention", "heavily_compressed_attention"


def deepseek_v4(c: Fields) -> Architecture:
    """DeepSeek V4: a window, and beside it keys of many tokens in one; four streams of states.

    A compressed key stands for ``rate`` tokens: over s tokens, s / rate keys, of which the sparse
    layers see the ``index_topk`` best.
    """
    sizes = Sizes(hidden=4096, layers=43, heads=64, kv_heads=1, head_dim=512, ffn=2048,
                  ffn_keys=("moe_intermediate_size",), vocabulary=129280)  # fmt: skip
    s = shape(c, sizes)
    rank, groups = c.integer("q_lora_rank", 1024), c.integer("o_groups", 8)
    out_rank, streams = c.integer("o_lora_rank", 1024), c.integer("hc_mult", 4)
    rates = c.within("compress_rates")
    pattern = [HCA if i < 2 or i % 2 == 0 else CSA for i in range(s.layers)]
    told = c.integers("compress_ratios") or []  # the checkpoint's own key, a number a layer
    if len(told) >= s.layers:
        names = {0: SLIDING, 4: CSA, 128: HCA}
        pattern = [names.get(rate, HCA) for rate in told[: s.layers]]
    kinds = c.words("layer_types", s.layers, (HCA, CSA, SLIDING)) or pattern
    number, chosen = c.integer("n_routed_experts", 256), c.integer("num_experts_per_tok", 6)
    ffn = s.ffn * c.integer("n_shared_experts", 1, low=0)
    sparse = experts(c, s.hidden, s.ffn, number, chosen, shared=ffn)
    mixing = 2 * streams + streams**2
    once: Operators = (linear(streams * s.hidden, mixing, "other", "hc_fn"), *weights(mixing + 3))
    mixed = once * 2  # before attention and before the experts
    window = c.integer("sliding_window", 128)

    def core(width: int, reach: int | None, heads: int = s.heads, share: int = 1) -> Attention:
        return Attention(heads=heads, kv_heads=1, qk_dim=width, v_dim=width * share, window=reach)

    def layer(kind: str) -> Operators:
        made: Operators = (
            linear(s.hidden, rank, "attention", "q_a_proj"),
            linear(rank, s.heads * s.head_dim, "attention", "q_b_proj"),
            linear(s.hidden, s.head_dim, "attention", "kv_proj"),
            *weights(rank + s.head_dim + s.heads),
            core(s.head_dim, window),
        )
        if kind == HCA:
            rate = rates.integer(HCA, c.integer("compress_rate_hca", 128))
            made += (
                linear(s.hidden, s.head_dim, "attention", "compressor_kv"),
                linear(s.hidden, s.head_dim, "attention", "compressor_gate"),
                *weights(rate * s.head_dim + s.head_dim),
                core(max(1, s.head_dim // rate), None),
            )
        elif kind == CSA:
            rate = rates.integer(CSA, c.integer("compress_rate_csa", 4))
            heads, width = c.integer("index_n_heads", 64), c.integer("index_head_dim", 128)
            best = c.integer("index_topk", 512) * rate
            made += (
                *(
                    linear(s.hidden, 2 * s.head_dim, "attention", f"compressor_{n}")
                    for n in ("kv", "gate")
                ),
                *(linear(s.hidden, 2 * width, "attention", f"indexer_{n}") for n in ("kv", "gate")),
                linear(rank, heads * width, "attention", "indexer_q_b"),
                linear(s.hidden, heads, "attention", "indexer_weights"),
                *weights(2 * rate * (s.head_dim + width) + s.head_dim + width),
                core(max(1, width // rate), None, heads, 0),
                core(max(1, s.head_dim // rate), best),
            )
        inner = s.heads * s.head_dim // groups
        made += (
            Linear(
                n_in=inner,
                n_out=out_rank,
                part="attention",
                copies=groups,
                active=groups,
                name="o_a_proj",
            ),
            linear(groups * out_rank, s.hidden, "attention", "o_b_proj"),
        )
        return (*made, *sparse, *weights(2 * s.hidden), *mixed)

    made = language_model("deepseek_v4", s, [(kind, layer(kind)) for kind in kinds])
    last: Operators = (
        linear(streams * s.hidden, streams, "other", "hc_head"),
        *weights(streams + 1),
    )
    *body, head = made.blocks
    return replace(made, blocks=(*body, beside("streams", last), head), experts=number,
                   experts_per_token=chosen)  # fmt: skip
