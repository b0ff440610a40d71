"""Decoders by how they differ from Llama: a record a family, one builder for all of them.

The records stand in :mod:`~costcalc.workload.families.table`.  What no plain value says is a
function in the record: which layers see a window, which have experts, or a mixer that is not
grouped-query attention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from costcalc.workload.architecture import Architecture, Block
from costcalc.workload.families.common import (
    GATED,
    Operators,
    Shape,
    Sizes,
    attention,
    beside,
    experts,
    language_model,
    linear,
    mlp,
    output_head,
    shape,
    weights,
)
from costcalc.workload.families.fields import Fields

Flag = bool | tuple[str, bool]  # a value, or the key that says it and its default
Mixer = tuple[str, Operators]  # what a layer is called, and its attention or recurrence


def no_window(_: Fields, layers: int) -> Sequence[int | None]:
    """Every layer sees all keys."""
    return [None] * layers


def every_layer(_: Fields, layers: int) -> Sequence[bool]:
    """Every layer has experts."""
    return [True] * layers


def one_attention(c: Fields, d: Decoder, s: Shape, window: int | None = None) -> Operators:
    """The attention of one layer, with its gate if it has one."""
    bias = flag(c, d.bias)
    wanted = not d.own_weights_if or c.flag(*d.own_weights_if)
    gate = d.gate(c, s) if d.gate else 0
    made = attention(
        s,
        bias=bias,
        out_bias=bias if d.out_bias is None else flag(c, d.out_bias),
        extra=d.own_weights(s) if d.own_weights and wanted else 0,
        window=window,
        chunked=d.chunked and window is not None,
        causal=d.causal,
        names=d.names,
    )
    return ((linear(s.hidden, gate, "attention", d.gate_name, bias),) if gate else ()) + made


def grouped_query(c: Fields, d: Decoder, s: Shape) -> Sequence[Mixer]:
    """The attention of each layer."""
    windows = d.windows(c, s.layers)
    made = {window: one_attention(c, d, s, window) for window in set(windows)}
    plain = d.mixture is not None
    return [("layer" if plain or w is None else "windowed layer", made[w]) for w in windows]


def hybrid(
    kinds: Callable[[Fields, int], Sequence[str]],
    **makers: Callable[[Fields, Decoder, Shape], Operators],
) -> Callable[[Fields, Decoder, Shape], Sequence[Mixer]]:
    """Layers of several kinds: ``kinds`` names that of each, ``makers`` makes one of them."""

    def mixers(c: Fields, d: Decoder, s: Shape) -> Sequence[Mixer]:
        found = kinds(c, s.layers)
        made = {kind: makers[kind](c, d, s) for kind in set(found)}
        return [(kind, made[kind]) for kind in found]

    return mixers


def full_attention(c: Fields, d: Decoder, s: Shape) -> Operators:
    """One layer's attention over all keys, as a maker of :func:`hybrid`."""
    return one_attention(c, d, s)


def sliding_attention(c: Fields, d: Decoder, s: Shape, *, usual: int = 4096) -> Operators:
    """One layer's attention within the window, as a maker of :func:`hybrid`."""
    return one_attention(c, d, s, c.optional("sliding_window", usual))


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """The experts of a family; a number is the default of the key beside it."""

    number: int | None  # num_local_experts, num_experts, n_routed_experts, moe_num_experts
    chosen: int | None  # num_experts_per_tok and its like; None: which has no default
    ffn: int | None = None  # moe_intermediate_size; None: as wide as intermediate_size says
    shared: int | None = None  # n_shared_experts, each as wide as a routed one
    shared_ffn: int | None = None  # shared_expert_intermediate_size
    shared_gate: bool = False  # the shared expert stands behind a gate of its own
    dense_ffn: int | None = None  # intermediate_size_mlp, of the layers without experts
    biases: bool = False  # in router and routed experts
    gated: bool = True
    balance: bool = False  # a learned bias an expert, which balances their loads
    none_is_dense: bool = False  # 0 experts: only the shared one
    latent: str = ""  # the key of the width that routed experts see, where it is another
    sparse: Callable[[Fields, int], Sequence[bool]] = every_layer  # which of so many layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder(Sizes):
    """A family of decoders; what is not said is as in Llama.

    ``norm`` counts the vectors of a norm (1: RMS, 2: with a bias, 0: none that learn), ``norms``
    the norms of a layer.  ``own_weights``: parameters of query and key norms or of sinks; where
    ``own_weights_if`` names a key and its default, only if that is true.
    """

    bias: Flag = False
    out_bias: Flag | None = None  # None: as ``bias``
    mlp_bias: Flag = False
    gated: bool = True
    names: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj")
    mlp_names: tuple[str, ...] = GATED
    norm: int | Callable[[Fields], int] = 1
    norms: int | Callable[[Fields], int] = 2
    own_weights: Callable[[Shape], int] | None = None
    own_weights_if: tuple[str, bool] | None = None
    gate: Callable[[Fields, Shape], int] | None = None  # the width of a gate on attention
    gate_name: str = "g_proj"
    more_weights: Callable[[Shape], int] | None = None  # of each layer, besides
    windows: Callable[[Fields, int], Sequence[int | None]] = no_window  # of each of so many layers
    causal: bool = True
    chunked: bool = False  # the windows are chunks, which do not slide
    positions: int = 0  # max_position_embeddings or n_positions, where they are learned
    offset: int = 0  # rows of that table that are no position
    embedding_norm: bool = False
    head_bias: Flag = False
    mixture: Mixture | None = None
    shape: Callable[[Fields, Decoder], Shape] = shape
    mixers: Callable[[Fields, Decoder, Shape], Sequence[Mixer]] = grouped_query
    finish: Callable[[Fields, Shape, Architecture], Architecture] | None = None  # other ends
    predicts: Callable[[Fields, Decoder, Shape], Operators] | None = None  # None: the last layer


def flag(c: Fields, asked: Flag) -> bool:
    """The value of a flag in this configuration."""
    return asked if isinstance(asked, bool) else c.flag(*asked)


def decoder(c: Fields, name: str, d: Decoder) -> Architecture:
    """The architecture that a configuration of the family ``d`` describes.

    >>> from costcalc.workload.counting import parameters
    >>> parameters(decoder(Fields({"vocab_size": 32768, "hidden_size": 2048}), "mine", Decoder()))
    2835482624
    """
    s = d.shape(c, d)
    mixers = d.mixers(c, d, s)
    bias = flag(c, d.mlp_bias)
    norm = (d.norm if isinstance(d.norm, int) else d.norm(c)) * s.hidden
    more = d.more_weights(s) if d.more_weights else 0
    norms = weights((d.norms if isinstance(d.norms, int) else d.norms(c)) * norm + more)
    wide = d.mixture and d.mixture.dense_ffn
    ffn = s.ffn
    if wide:
        ffn = c.integer("intermediate_size_mlp", wide, "dense_intermediate_size")
    dense = mlp(s.hidden, ffn, gated=d.gated, bias=bias, names=d.mlp_names) + norms
    routed = _routed(c, d.mixture, s, bias) if d.mixture else _Routed(sparse=[False] * s.layers)
    layers = [
        ("sparse layer" if kind == "layer" else kind, mixer + routed.operators + norms)
        if has_experts
        else (kind, mixer + dense)
        for (kind, mixer), has_experts in zip(mixers, routed.sparse, strict=True)
    ]
    positions = d.positions
    if positions:
        positions = c.integer("n_positions", positions, "max_position_embeddings") + d.offset
    made = language_model(
        name,
        s,
        layers,
        norm=norm,
        positions=positions,
        embedding_norm=norm if d.embedding_norm else 0,
        head_bias=flag(c, d.head_bias),
        gated=d.gated,
        kind="decoder" if d.causal else "encoder",
    )
    made = replace(
        made,
        experts=routed.number,
        experts_per_token=routed.chosen,
        ffn=routed.ffn if any(routed.sparse) else s.ffn,
    )
    made = replace(made, further=_further(c, d, s, layers))
    return d.finish(c, s, made) if d.finish else made


FURTHER = ("num_nextn_predict_layers", "mtp_num_hidden_layers", "num_mtp_modules")


def _further(c: Fields, d: Decoder, s: Shape, layers: Sequence[Mixer]) -> tuple[Block, ...]:
    """Layers that predict further tokens (DeepSeek V3, arXiv:2412.19437, section 2.2).

    Each is one more layer, of the last kind unless ``predicts`` makes another, behind a projection
    of two states, with three norms; the embedding and the head are the model's own.
    """
    number = c.integer(FURTHER[0], 0, *FURTHER[1:], low=0)
    if not number:
        return ()
    both = linear(2 * s.hidden, s.hidden, "mlp", "eh_proj")
    own = d.predicts(c, d, s) if d.predicts else layers[-1][1]
    layer = (*own, both, *weights(3 * s.hidden))
    head = output_head(replace(s, tied=True))
    return (
        Block(name="prediction layer", operators=layer, repeat=number),
        beside("prediction head", (head,), repeat=number),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Routed:
    """The experts of one model, and which of its layers have them."""

    sparse: Sequence[bool]
    operators: Operators = ()
    number: int = 0
    chosen: int = 0
    ffn: int = 0


EXPERTS = ("num_local_experts", "num_experts", "n_routed_experts", "moe_num_experts")
CHOSEN = ("num_experts_per_tok", "num_experts_per_token", "moe_topk", "moe_k")
SHARED = ("n_shared_experts", "num_shared_experts", "moe_num_shared_experts")
SHARED_WIDTH = (
    "shared_expert_intermediate_size",
    "shared_intermediate_size",
    "moe_shared_expert_intermediate_size",
)


def _routed(c: Fields, d: Mixture, s: Shape, shared_bias: bool) -> _Routed:
    least = 0 if d.none_is_dense else 1
    for names, default in ((EXPERTS, d.number), (CHOSEN, d.chosen)):
        if default is None and c.find(names)[1] is None:
            passes = " that a token passes" if names is CHOSEN else ""
            c.problem(names[0], f"expected the number of experts{passes}; got none")
    number = c.integer(EXPERTS[0], d.number or 1, *EXPERTS[1:], low=least)
    chosen = c.integer(CHOSEN[0], d.chosen or 1, *CHOSEN[1:], low=least)
    ffn = s.ffn if d.ffn is None else c.integer("moe_intermediate_size", d.ffn)
    shared = 0 if d.shared is None else ffn * c.integer(SHARED[0], d.shared, *SHARED[1:], low=0)
    if d.shared_ffn is not None:
        shared = c.integer(SHARED_WIDTH[0], d.shared_ffn, *SHARED_WIDTH[1:], low=0)
    sparse = _sparse(c, d, s.layers)
    if not number:
        operators: Operators = mlp(s.hidden, shared, gated=d.gated, bias=shared_bias)
        return _Routed(sparse=sparse, operators=operators, ffn=shared)
    latent = c.integer(d.latent, 0, low=0) if d.latent else 0
    operators = experts(
        c,
        s.hidden,
        ffn,
        number,
        chosen,
        shared=shared,
        shared_bias=shared_bias,
        bias=d.biases,
        router_bias=d.biases,
        shared_gate=d.shared_gate,
        gated=d.gated,
        latent=latent,
    )
    if latent:
        operators = (
            linear(s.hidden, latent, "mlp", "routed_expert_down_proj"),
            linear(latent, s.hidden, "mlp", "routed_expert_up_proj"),
            *operators,
            *weights(latent * c.flag("latent_moe_use_norm", False)),
        )
    operators += weights(number * d.balance)
    return _Routed(sparse=sparse, operators=operators, number=number, chosen=chosen, ffn=ffn)


def _sparse(c: Fields, d: Mixture, layers: int) -> Sequence[bool]:
    """Which layers have experts: as ``mlp_layer_types`` lists them, else the family's pattern."""
    listed = c.words("mlp_layer_types", layers, ("sparse", "dense"))
    if listed is None and isinstance(c.config.get("moe_layer_freq"), list | tuple):
        return [bool(each) for each in c.integers("moe_layer_freq", layers) or [1] * layers]
    return d.sparse(c, layers) if listed is None else [each == "sparse" for each in listed]
