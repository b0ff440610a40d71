"""The pieces that most families share: attention, feed-forward, experts, norms, the stack.

Names of the linear layers are those of the Llama modules in transformers unless said otherwise, so
that ``lora.targets`` can name them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from costcalc.workload.architecture import (
    Architecture,
    Attention,
    Block,
    Linear,
    Operator,
    Part,
    Stream,
    Weights,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

    from costcalc.workload.families.fields import Fields

Operators = tuple[Operator, ...]
TEXT = Stream(name="text")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a decoder's main stack."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    vocabulary: int
    tied: bool


def shape(
    c: Fields,
    *,
    hidden: int,
    layers: int,
    heads: int,
    ffn: int,
    vocabulary: int,
    kv_heads: int | None = None,
    head_dim: int | None = None,
    tied: bool = False,
    strict: bool = True,
) -> Shape:
    """The common keys; the arguments are the defaults of the family's configuration class.

    ``kv_heads`` None: as many as heads.  ``head_dim`` None: hidden / heads, which must divide if
    ``strict``.
    """
    width = c.integer("hidden_size", hidden, "n_embd", "d_model", "n_embed")
    number = c.integer("num_attention_heads", heads, "n_head", "n_heads", "num_heads")
    shared = c.optional("num_key_value_heads", kv_heads)
    each = c.optional("head_dim", head_dim)
    if each is None and strict:
        c.divides("num_attention_heads", number, "hidden_size", width)
    if shared is not None:
        c.divides("num_key_value_heads", shared, "num_attention_heads", number)
    return Shape(
        hidden=width,
        layers=c.layers("num_hidden_layers", layers, "n_layer", "n_layers", "num_layers"),
        heads=number,
        kv_heads=shared or number,
        head_dim=each or max(1, width // number),
        ffn=c.integer("intermediate_size", ffn, "n_inner", "ffn_dim"),
        vocabulary=c.integer("vocab_size", vocabulary),
        tied=c.flag("tie_word_embeddings", tied),
    )


def attention(
    s: Shape,
    *,
    bias: bool = False,
    out_bias: bool | None = None,
    extra: int = 0,
    window: int | None = None,
    chunked: bool = False,
    causal: bool = True,
    names: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj"),
) -> Operators:
    """Grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245): 2dHe + 2dKe parameters.

    ``extra``: parameters of query and key norms or of sinks.  Two ``names``: q, k, v are one layer.
    """
    queries, keys = s.heads * s.head_dim, s.kv_heads * s.head_dim
    outputs = (queries, keys, keys) if len(names) == 4 else (queries + 2 * keys,)
    named = zip(outputs, names, strict=False)  # the last name is the output's
    core = Attention(
        heads=s.heads,
        kv_heads=s.kv_heads,
        qk_dim=s.head_dim,
        v_dim=s.head_dim,
        causal=causal,
        window=window,
        chunked=chunked,
    )
    return (
        *(linear(s.hidden, n, "attention", name, bias) for n, name in named),
        *weights(extra),
        core,
        linear(queries, s.hidden, "attention", names[-1], bias if out_bias is None else out_bias),
    )


def linear(n_in: int, n_out: int, part: Part, name: str, bias: bool = False) -> Linear:
    """One dense layer."""
    return Linear(n_in=n_in, n_out=n_out, part=part, name=name, bias=bias)


def weights(count: int, part: Part = "other") -> tuple[Weights, ...]:
    """Parameters outside multiplications, if any."""
    return (Weights(count=count, part=part),) if count else ()


GATED = ("gate_proj", "up_proj", "down_proj")


def mlp(
    hidden: int,
    ffn: int,
    *,
    gated: bool = True,
    bias: bool = False,
    names: tuple[str, ...] = GATED,
    part: Part = "mlp",
) -> Operators:
    """A feed-forward layer: gated (Shazeer 2020, arXiv:2002.05202) 3df parameters, else 2df.

    Two ``names``: the gate and the up projection are one layer.
    """
    if not gated:
        into = [(ffn, names[-2])]
    elif len(names) == 2:
        into = [(2 * ffn, names[0])]
    else:
        into = [(ffn, names[0]), (ffn, names[1])]
    return (
        *(linear(hidden, n_out, part, name, bias) for n_out, name in into),
        linear(ffn, hidden, part, names[-1], bias),
    )


def experts(
    c: Fields,
    hidden: int,
    ffn: int,
    number: int,
    chosen: int,
    *,
    shared: int = 0,
    shared_bias: bool = False,
    bias: bool = False,
    router_bias: bool = False,
    shared_gate: bool = False,
    gated: bool = True,
) -> Operators:
    """A mixture of experts: a router, ``number`` experts of which a token passes ``chosen``.

    ``shared``: the width of the shared expert(s) that each token passes, 0 for none.
    """
    if chosen > number:
        c.problem("num_experts_per_tok", f"expected at most the {number} experts; got {chosen}")
    into = (ffn, ffn) if gated else (ffn,)
    names = GATED if gated else GATED[1:]
    sizes = [*((hidden, n_out) for n_out in into), (ffn, hidden)]
    return (
        linear(hidden, number, "router", "router", router_bias),
        *(mlp(hidden, shared, gated=gated, bias=shared_bias) if shared else ()),
        *((linear(hidden, 1, "router", "shared_expert_gate"),) if shared_gate else ()),
        *(
            Linear(n_in=a, n_out=b, part="expert", name=n, bias=bias, copies=number, active=chosen)
            for (a, b), n in zip(sizes, names, strict=True)
        ),
    )


def stack(layers: Iterable[tuple[Hashable, Operators]], *, stream: str = "text") -> list[Block]:
    """Blocks of equal layers, in the order in which each kind comes first."""
    kinds: dict[tuple[Hashable, Operators], int] = {}
    for layer in layers:
        kinds[layer] = kinds.get(layer, 0) + 1
    return [
        Block(name=str(name), operators=operators, repeat=repeat, stream=stream)
        for (name, operators), repeat in kinds.items()
    ]


def embedding(s: Shape, *, positions: int = 0, norm: int = 0) -> Block:
    """The token embedding, with learned positions and a norm where there are any."""
    operators = weights((s.vocabulary + positions) * s.hidden, "embedding") + weights(norm)
    return Block(name="embedding", operators=operators, layer=False)


def head(s: Shape, *, bias: bool = False, stream: str = "text") -> Block:
    """The output layer over the vocabulary: 2·d·V FLOP a token, tied or not."""
    operator = Linear(
        n_in=s.hidden, n_out=s.vocabulary, part="head", bias=bias, tied=s.tied, name="lm_head"
    )
    return Block(name="head", operators=(operator,), stream=stream, layer=False)


def final_norm(count: int, stream: str = "text") -> Block:
    """The norm after the last layer."""
    return Block(name="norm", operators=weights(count), stream=stream, layer=False)


def language_model(
    name: str,
    s: Shape,
    layers: Iterable[tuple[Hashable, Operators]],
    *,
    norm: int | None = None,
    positions: int = 0,
    embedding_norm: int = 0,
    head_bias: bool = False,
    gated: bool = True,
    experts: int = 0,
    experts_per_token: int = 0,
    ffn: int | None = None,
    kind: Literal["decoder", "ssm"] = "decoder",
) -> Architecture:
    """A causal language model: embedding, layers, a last norm (``norm`` parameters), head."""
    blocks = (
        embedding(s, positions=positions, norm=embedding_norm),
        *stack(layers),
        final_norm(s.hidden if norm is None else norm),
        head(s, bias=head_bias),
    )
    return Architecture(
        name=name,
        kind=kind,
        streams=(TEXT,),
        blocks=blocks,
        hidden=s.hidden,
        heads=s.heads,
        kv_heads=s.kv_heads,
        head_dim=s.head_dim,
        ffn=s.ffn if ffn is None else ffn,
        vocabulary=s.vocabulary,
        experts=experts,
        experts_per_token=experts_per_token,
        gated=gated,
    )
