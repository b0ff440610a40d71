"""Decoders by how they differ from Llama: a record a family, one builder for all of them.

The records stand in :mod:`~costcalc.workload.families.table`.  What no plain value says is a
function in the record: which layers see a window, which have experts, or a mixer that is not
grouped-query attention.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from costcalc.workload.architecture import Architecture
from costcalc.workload.families.common import (
    GATED,
    Operators,
    Shape,
    Sizes,
    attention,
    experts,
    language_model,
    mlp,
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


def grouped_query(c: Fields, d: Decoder, s: Shape) -> Sequence[Mixer]:
    """The attention of each layer."""
    bias = flag(c, d.bias)
    out_bias = bias if d.out_bias is None else flag(c, d.out_bias)
    wanted = not d.own_weights_if or c.flag(d.own_weights_if, False)
    extra = d.own_weights(s) if d.own_weights and wanted else 0
    windows = d.windows(c, s.layers)
    made = {
        window: attention(
            s,
            bias=bias,
            out_bias=out_bias,
            extra=extra,
            window=window,
            chunked=d.chunked and window is not None,
            names=d.names,
        )
        for window in set(windows)
    }
    plain = d.mixture is not None
    return [("layer" if plain or w is None else "windowed layer", made[w]) for w in windows]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mixture:
    """The experts of a family; a number is the default of the key beside it."""

    number: int  # num_local_experts, num_experts, n_routed_experts
    chosen: int | None  # num_experts_per_tok; None: which has no default
    ffn: int | None = None  # moe_intermediate_size; None: as wide as intermediate_size says
    shared: int | None = None  # n_shared_experts, each as wide as a routed one
    shared_ffn: int | None = None  # shared_expert_intermediate_size, behind a gate of its own
    dense_ffn: int | None = None  # intermediate_size_mlp, of the layers without experts
    biases: bool = False  # in router and routed experts
    sparse: Callable[[Fields, int], Sequence[bool]] = every_layer  # which of so many layers


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoder(Sizes):
    """A family of decoders; what is not said is as in Llama.

    ``norm`` counts the vectors of a norm (1: RMS, 2: with a bias, 0: none that learn), ``norms``
    the norms of a layer.  ``own_weights``: parameters of query and key norms or of sinks; where
    ``own_weights_if`` names a key, only if that is true.
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
    own_weights_if: str = ""
    windows: Callable[[Fields, int], Sequence[int | None]] = no_window  # of each of so many layers
    chunked: bool = False  # the windows are chunks, which do not slide
    positions: int = 0  # max_position_embeddings or n_positions, where they are learned
    embedding_norm: bool = False
    head_bias: bool = False
    mixture: Mixture | None = None
    shape: Callable[[Fields, Decoder], Shape] = shape
    mixers: Callable[[Fields, Decoder, Shape], Sequence[Mixer]] = grouped_query
    finish: Callable[[Fields, Shape, Architecture], Architecture] | None = None  # other ends


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
    norms = weights((d.norms if isinstance(d.norms, int) else d.norms(c)) * norm)
    wide = d.mixture and d.mixture.dense_ffn
    ffn = c.integer("intermediate_size_mlp", wide) if wide else s.ffn
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
        positions = c.integer("n_positions", positions, "max_position_embeddings")
    made = language_model(
        name,
        s,
        layers,
        norm=norm,
        positions=positions,
        embedding_norm=norm if d.embedding_norm else 0,
        head_bias=d.head_bias,
        gated=d.gated,
    )
    made = replace(
        made,
        experts=routed.number,
        experts_per_token=routed.chosen,
        ffn=routed.ffn if any(routed.sparse) else s.ffn,
    )
    return d.finish(c, s, made) if d.finish else made


@dataclass(frozen=True, slots=True, kw_only=True)
class _Routed:
    """The experts of one model, and which of its layers have them."""

    sparse: Sequence[bool]
    operators: Operators = ()
    number: int = 0
    chosen: int = 0
    ffn: int = 0


def _routed(c: Fields, d: Mixture, s: Shape, shared_bias: bool) -> _Routed:
    number = c.integer("num_local_experts", d.number, "num_experts", "n_routed_experts")
    if d.chosen is None and c.config.get("num_experts_per_tok") is None:
        c.problem("num_experts_per_tok", "expected the number of experts a token passes; got none")
    chosen = c.integer("num_experts_per_tok", d.chosen or 1)
    ffn = s.ffn if d.ffn is None else c.integer("moe_intermediate_size", d.ffn)
    shared = 0 if d.shared is None else ffn * c.integer("n_shared_experts", d.shared, low=0)
    if d.shared_ffn is not None:
        shared = c.integer("shared_expert_intermediate_size", d.shared_ffn)
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
        shared_gate=d.shared_ffn is not None,
    )
    sparse = d.sparse(c, s.layers)
    return _Routed(sparse=sparse, operators=operators, number=number, chosen=chosen, ffn=ffn)
