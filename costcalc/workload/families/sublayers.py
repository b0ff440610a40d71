"""Layers that are more than one attention and one feed-forward: LongCat, Doge, Step 3.5, PLaMo 2.

LongCat-Flash: arXiv:2509.01322, section 2; Doge: arXiv:2412.11834; PLaMo 2: arXiv:2509.04897;
Step 3.5 Flash: https://github.com/stepfun-ai/Step-3.5-Flash.  Keys and defaults are those of the
classes of transformers 5.24, of PLaMo 2 those of its published code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from costcalc.workload.architecture import Architecture, Convolution, Linear, Scan
from costcalc.workload.families.common import (
    Operators,
    Shape,
    Sizes,
    experts,
    linear,
    mlp,
    shape,
    weights,
)
from costcalc.workload.families.decoder import Decoder, Mixer, flag, one_attention
from costcalc.workload.families.deepseek import Latent
from costcalc.workload.families.experts import FULL, WINDOW
from costcalc.workload.families.fields import Fields

LONGCAT = Latent()

# -- LongCat: two sublayers, and experts beside them ---------------------------------------------


def longcat_shape(c: Fields, d: Sizes) -> Shape:
    """LongCat counts its layers in pairs: ``num_layers``, or half of ``num_hidden_layers``."""
    if c.config.get("num_layers") is not None:
        c.put("num_hidden_layers", c.config["num_layers"])
    elif c.config.get("num_hidden_layers") is not None:
        c.put("num_hidden_layers", max(1, c.layers("num_hidden_layers", 2 * d.layers) // 2))
    if c.config.get("ffn_hidden_size") is not None:
        c.put("intermediate_size", c.config["ffn_hidden_size"])
    return LONGCAT.shape(c, d)


def _longcat_numbers(c: Fields) -> tuple[int, int, float]:
    """Experts that compute, those that pass a token on as it is, and how many of the first see it.

    All are as likely as one another, since the router balances them: of the ``moe_topk`` that it
    chooses, the share of those that compute.
    """
    real = c.integer("n_routed_experts", 512, "num_experts", "num_local_experts")
    none = c.integer("zero_expert_num", 256, low=0)
    chosen = c.integer("moe_topk", 12, "num_experts_per_tok")
    if chosen > real + none:
        c.problem("moe_topk", f"expected at most the {real + none} experts; got {chosen}")
    return real, none, chosen * real / (real + none)


def longcat(c: Fields, d: Decoder, s: Shape) -> Sequence[Mixer]:
    """Both sublayers of a layer without the second's feed-forward, and the experts beside them."""
    real, none, active = _longcat_numbers(c)
    ffn = c.integer("expert_ffn_hidden_size", 2048, "moe_intermediate_size")
    routed = tuple(
        replace(each, active=active) if isinstance(each, Linear) and each.copies > 1 else each
        for each in experts(c, s.hidden, ffn, real, 1)
    )
    one = LONGCAT.one(c, d, s)
    spare = linear(s.hidden, none, "router", "router")
    operators = (*one, *mlp(s.hidden, s.ffn), *one, *((spare,) if none else ()), *routed)
    return [("sparse layer", operators)] * s.layers


def longcat_prediction(c: Fields, d: Decoder, s: Shape) -> Operators:
    """LongCat's layer that predicts a further token: one dense sublayer."""
    return LONGCAT.one(c, d, s) + mlp(s.hidden, s.ffn) + weights(2 * s.hidden)


def longcat_ends(c: Fields, s: Shape, made: Architecture) -> Architecture:
    """What describes LongCat's experts, and what is said of those that compute nothing."""
    del s
    real, none, active = _longcat_numbers(c)
    chosen = c.integer("moe_topk", 12, "num_experts_per_tok")
    idle = f"{none} of {real + none} experts compute nothing"
    notes = (
        f"{idle}: of the {chosen} that a token passes, {active:g} compute, if all are as likely",
        "transformers 5.24 allocates projections for those experts, the checkpoints have none",
    )
    return replace(
        made,
        experts=real,
        experts_per_token=max(1, round(active)),
        ffn=c.integer("expert_ffn_hidden_size", 2048, "moe_intermediate_size"),
        notes=(*made.notes, *(notes if none else ())),
    )


# -- Doge: a mask that is learned, and experts of one neuron -------------------------------------


def doge(c: Fields, d: Decoder, s: Shape) -> Sequence[Mixer]:
    """Doge: a mask from the values; with ``is_moe``, experts of one neuron beside the dense part.

    The mask is added to all scores, as transformers computes it, so that no key is left out.
    """
    bias = flag(c, d.bias)
    keys = s.kv_heads * s.head_dim
    mask: Operators = (linear(keys, s.kv_heads, "attention", "dt_proj", bias), *weights(s.kv_heads))
    routed: Operators = ()
    if c.flag("is_moe", False):
        number, chosen = c.integer("num_experts", 16384), c.integer("num_experts_per_tok", 64)
        if chosen > number:
            c.problem("num_experts_per_tok", f"expected at most the {number} experts; got {chosen}")
        neuron = replace(
            linear(s.hidden, 1, "expert", "down_embed"), copies=number, active=min(chosen, number)
        )
        routed = (
            linear(s.hidden, 2 * int(number**0.5), "router", "router_gate"),
            neuron,
            replace(neuron, n_in=1, n_out=s.hidden, name="up_embed"),
        )
    else:
        c.find(("num_experts", "num_experts_per_tok"))
        c.find(("num_experts_per_tok",))
    window = c.optional("sliding_window", None)
    return [("layer", one_attention(c, d, s, window) + mask + routed)] * s.layers


# -- Step 3.5: more heads within a window, a gate a head ------------------------------------------


def step_shape(c: Fields, d: Decoder) -> Shape:
    """Step 3.5's own keys, put under those that all others have."""
    for ours, theirs in (
        ("num_key_value_heads", "num_attention_groups"),
        ("n_routed_experts", "moe_num_experts"),
        ("num_experts_per_tok", "moe_top_k"),
        ("shared_expert_intermediate_size", "share_expert_dim"),
        ("shared_expert_intermediate_size", "share_expert_dims"),
    ):
        if c.config.get(theirs) is not None:
            c.put(ours, c.config[theirs])
    for repeated in ("num_local_experts", "num_experts", "moe_num_experts"):
        if c.config.get("n_routed_experts") is not None and repeated in c.config:
            c.put(repeated, c.config["n_routed_experts"])
    return shape(c, d)


def _step_kinds(c: Fields, layers: int) -> tuple[list[str], list[str]]:
    """The attention of each layer and of those that predict further tokens, listed behind them."""
    told, more = c.config.get("layer_types"), c.integer("num_nextn_predict_layers", 0, low=0)
    if isinstance(told, list | tuple) and len(told) == layers + more:
        kinds = c.words("layer_types", layers + more, (FULL, WINDOW)) or [FULL] * layers
        return kinds[:layers], kinds[layers:]
    behind = c.words("mtp_layer_types", more, (FULL, WINDOW)) or []
    return c.words("layer_types", layers, (FULL, WINDOW)) or [FULL] * layers, behind


def _step_attention(c: Fields, d: Decoder, s: Shape, kind: str) -> Operators:
    other = c.within("attention_other_setting")
    heads = c.integer("num_sliding_attention_heads", 0, low=0)
    heads = heads or other.integer("num_attention_heads", s.heads)
    window = c.optional("sliding_window", None) if kind == WINDOW else None
    own = replace(s, heads=heads) if kind == WINDOW else s
    gating = c.config.get("gating", c.config.get("use_head_wise_attn_gate", True))
    width = own.heads if gating in (True, "per-head") else own.heads * own.head_dim
    gate = (linear(s.hidden, width, "attention", "g_proj"),) if gating else ()
    return gate + one_attention(c, d, own, window)


def step(c: Fields, d: Decoder, s: Shape) -> Sequence[Mixer]:
    """Step 3.5: as ``layer_types`` lists its layers."""
    kinds, _ = _step_kinds(c, s.layers)
    made = {kind: _step_attention(c, d, s, kind) for kind in set(kinds)}
    return [("layer", made[kind]) for kind in kinds]


def step_sparse(c: Fields, layers: int) -> Sequence[bool]:
    """Step 3.5: experts where ``moe_layers_enum`` says, or from the fourth layer on."""
    told = c.config.get("moe_layers_enum")
    words = told.split(",") if isinstance(told, str) else told
    if not isinstance(words, list | tuple):
        return [i >= 3 for i in range(layers)]
    try:
        chosen = {int(word) for word in words if str(word).strip()}
    except (TypeError, ValueError):
        c.problem("moe_layers_enum", f"expected numbers of layers; got {told}")
        chosen = set()
    return [i in chosen for i in range(layers)]


def step_prediction(c: Fields, d: Decoder, s: Shape) -> Operators:
    """Step 3.5's layer that predicts a further token: dense, of the kind that is listed for it."""
    _, kinds = _step_kinds(c, s.layers)
    made = _step_attention(c, d, s, kinds[0] if kinds else FULL)
    return made + mlp(s.hidden, s.ffn) + weights(2 * s.hidden)


# -- PLaMo 2: Mamba's projections, Mamba-2's heads -----------------------------------------------


def plamo_shape(c: Fields, d: Decoder) -> Shape:
    """PLaMo 2 says the width of a head as ``hidden_size_per_head``."""
    c.put("head_dim", c.integer("hidden_size_per_head", 128))
    return shape(c, d)


def plamo(c: Fields, d: Decoder, s: Shape) -> Sequence[Mixer]:
    """PLaMo 2: attention in the middle of each ``mamba_step`` layers, windowed unless listed."""
    step = c.integer("mamba_step", 2, low=2)
    window, full = c.optional("attention_window_size", 2048), c.integers("full_attention_idx") or ()
    enabled = c.flag("mamba_enabled", True)

    def recurrent(i: int) -> bool:
        few = s.layers <= step // 2
        return enabled and (i != s.layers - 1 if few else i % step != step // 2)

    mamba, seen = _plamo_mamba(c, s), one_attention(c, d, s, window)
    whole = one_attention(c, d, s)
    return [
        ("linear_attention", mamba)
        if recurrent(i)
        else (FULL, whole)
        if i in full
        else (WINDOW, seen)
        for i in range(s.layers)
    ]


def _plamo_mamba(c: Fields, s: Shape) -> Operators:
    heads, state = c.integer("mamba_num_heads", 64), c.integer("mamba_d_state", 64)
    kernel, chunk = c.integer("mamba_d_conv", 4), c.integer("mamba_chunk_size", 256)
    inner, rank = heads * s.head_dim, max(64, s.hidden // 16)
    return (
        linear(s.hidden, 2 * inner, "other", "in_proj"),
        Convolution(c_in=inner, c_out=inner, kernel=kernel, groups=inner),
        linear(inner, rank + 2 * state, "other", "bcdt_proj"),
        linear(rank, heads, "other", "dt_proj"),
        *weights(3 * heads + rank + 2 * state),
        Scan(flops=chunk * (state + inner) + 4 * inner * state, state=inner * state),
        linear(inner, s.hidden, "other", "out_proj"),
    )


# -- Ling: the width of its shared experts -------------------------------------------------------


def ling_shape(c: Fields, d: Decoder) -> Shape:
    """Ling: shared experts side by side, of a width of their own or of a routed one's."""
    width = c.integer("moe_intermediate_size", 1408)
    width = c.integer("moe_shared_expert_intermediate_size", width)
    number = c.integer("num_shared_experts", 0, low=0)
    c.put("shared_expert_intermediate_size", width * number)
    return shape(c, d)
