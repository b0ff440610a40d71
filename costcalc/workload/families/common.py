"""The pieces that families share: attention, feed-forward, experts, norms, blocks.

Names of the linear layers are those of the Llama modules in transformers unless said otherwise, so
that ``lora.targets`` can name them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from costcalc.workload.architecture import (
    Architecture,
    Attention,
    Block,
    Kind,
    Linear,
    Operator,
    Part,
    Stream,
    Weights,
)
from costcalc.workload.families.fields import Fields

Operators = tuple[Operator, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The sizes of a main stack; what it has not is 0."""

    hidden: int
    layers: int = 0
    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    ffn: int = 0
    vocabulary: int = 0
    tied: bool = False

    @classmethod
    def even(
        cls,
        *,
        hidden: int,
        heads: int,
        layers: int = 0,
        ffn: int = 0,
        vocabulary: int = 0,
        tied: bool = False,
    ) -> Shape:
        """One whose heads divide the width evenly, each with keys and values of its own.

        >>> Shape.even(hidden=768, heads=12).head_dim
        64
        """
        return cls(
            hidden=hidden,
            layers=layers,
            heads=heads,
            kv_heads=heads,
            head_dim=max(1, hidden // heads),
            ffn=ffn,
            vocabulary=vocabulary,
            tied=tied,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """The defaults of a family's configuration class; here those of Llama."""

    hidden: int = 4096
    layers: int = 32
    heads: int = 32
    kv_heads: int | None = None  # None: as many as heads
    head_dim: int | None = None  # None: hidden / heads
    ffn: int | None = 11008  # None: 4 x hidden
    ffn_keys: tuple[str, ...] = ("intermediate_size", "n_inner", "ffn_dim")
    ffn_ratio: str = ""  # a key that says the feed-forward width in widths of the model
    vocabulary: int = 32000
    tied: bool = False
    grouped: bool = True  # False: as many key-value heads as heads, of hidden / heads each
    uneven: bool = False  # heads need not divide hidden

    def ffn_of(self, hidden: int) -> int:
        """The width of the feed-forward layer of a model of this width."""
        return 4 * hidden if self.ffn is None else self.ffn


HEADS = ("n_head", "n_heads", "num_heads", "attention_heads")


def shape(c: Fields, d: Sizes) -> Shape:
    """The common keys of a configuration; ``d`` says what an absent one stands for."""
    hidden = c.integer("hidden_size", d.hidden, "n_embd", "d_model", "n_embed")
    heads = c.integer("num_attention_heads", d.heads, *HEADS)
    kv_heads = c.optional("num_key_value_heads", d.kv_heads)
    head_dim = c.optional("head_dim", d.head_dim)
    if not d.grouped or (head_dim is None and not d.uneven):
        c.divides("num_attention_heads", heads, "hidden_size", hidden)
    if kv_heads is not None:
        c.divides("num_key_value_heads", kv_heads, "num_attention_heads", heads)
    if not d.grouped:
        kv_heads = head_dim = None
    ffn = d.ffn_of(hidden) if not d.ffn_ratio else c.integer(d.ffn_ratio, 4) * hidden
    return Shape(
        hidden=hidden,
        layers=c.layers("num_hidden_layers", d.layers, "n_layer", "n_layers", "num_layers"),
        heads=heads,
        kv_heads=kv_heads or heads,
        head_dim=head_dim or max(1, hidden // heads),
        ffn=c.integer(d.ffn_keys[0], ffn, *d.ffn_keys[1:]) if d.ffn_keys else ffn,
        vocabulary=c.integer("vocab_size", d.vocabulary),
        tied=c.flag("tie_word_embeddings", d.tied),
    )


# -- operators -----------------------------------------------------------------------------------


def linear(n_in: int, n_out: int, part: Part, name: str, bias: bool = False) -> Linear:
    """One dense layer."""
    return Linear(n_in=n_in, n_out=n_out, part=part, name=name, bias=bias)


def weights(count: int, part: Part = "other") -> tuple[Weights, ...]:
    """Parameters outside multiplications, if any."""
    return (Weights(count=count, part=part),) if count else ()


def output_head(s: Shape, name: str = "lm_head", *, bias: bool = False) -> Linear:
    """The output layer over the vocabulary: 2·d·V FLOP a token, tied or not."""
    return Linear(n_in=s.hidden, n_out=s.vocabulary, part="head", bias=bias, tied=s.tied, name=name)


def attention(
    s: Shape,
    *,
    bias: bool = False,
    out_bias: bool | None = None,
    extra: int = 0,
    window: int | None = None,
    chunked: bool = False,
    causal: bool = True,
    over: str | None = None,
    names: tuple[str, ...] = ("q_proj", "k_proj", "v_proj", "o_proj"),
    keys_apart: bool = False,
) -> Operators:
    """Grouped-query attention (Ainslie et al. 2023, arXiv:2305.13245): 2dHe + 2dKe parameters.

    ``extra``: parameters of query and key norms or of sinks.  Two ``names``: q, k, v are one layer,
    or, if ``keys_apart``, k and v stand elsewhere.
    """
    queries, keys = s.heads * s.head_dim, s.kv_heads * s.head_dim
    into = (queries, keys, keys) if len(names) == 4 else (queries + 2 * keys * (not keys_apart),)
    core = Attention(
        heads=s.heads,
        kv_heads=s.kv_heads,
        qk_dim=s.head_dim,
        v_dim=s.head_dim,
        causal=causal,
        window=window,
        over=over,
        chunked=chunked,
    )
    return (
        *(
            linear(s.hidden, n, "attention", name, bias)
            for n, name in zip(into, names[:-1], strict=True)
        ),
        *weights(extra),
        core,
        linear(queries, s.hidden, "attention", names[-1], bias if out_bias is None else out_bias),
    )


GATED = ("gate_proj", "up_proj", "down_proj")


def mlp(
    hidden: int, ffn: int, *, gated: bool = True, bias: bool = False, names: tuple[str, ...] = GATED
) -> tuple[Linear, ...]:
    """A feed-forward layer: gated (Shazeer 2020, arXiv:2002.05202) 3df parameters, else 2df.

    Two ``names`` of a gated one: the gate and the up projection are one layer.
    """
    if not gated:
        into = [(ffn, names[-2])]
    elif len(names) == 2:
        into = [(2 * ffn, names[0])]
    else:
        into = [(ffn, names[0]), (ffn, names[1])]
    return (
        *(linear(hidden, n_out, "mlp", name, bias) for n_out, name in into),
        linear(ffn, hidden, "mlp", names[-1], bias),
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
    latent: int = 0,
) -> Operators:
    """A mixture of experts: a router, ``number`` experts of which a token passes ``chosen``.

    ``shared``: the width of the shared expert(s) that each token passes, 0 for none; ``latent``:
    that of what the routed experts see, 0 for the model's own.
    """
    if chosen > number:
        c.problem("num_experts_per_tok", f"expected at most the {number} experts; got {chosen}")
    return (
        linear(hidden, number, "router", "router", router_bias),
        *(mlp(hidden, shared, gated=gated, bias=shared_bias) if shared else ()),
        *((linear(hidden, 1, "router", "shared_expert_gate"),) if shared_gate else ()),
        *(
            replace(each, part="expert", copies=number, active=chosen)
            for each in mlp(latent or hidden, ffn, gated=gated, bias=bias)
        ),
    )


# -- blocks --------------------------------------------------------------------------------------


def beside(name: str, operators: Operators, stream: str = "text", repeat: int = 1) -> Block:
    """A block that is no layer of the stack: an embedding, a norm, a head."""
    return Block(name=name, operators=operators, stream=stream, repeat=repeat, layer=False)


def alike(name: str, operators: Operators, stream: str, repeat: int = 1) -> Block:
    """So many layers of the stack, all alike."""
    return Block(name=name, operators=operators, stream=stream, repeat=repeat)


def stack(layers: Iterable[tuple[str, Operators]]) -> Iterable[Block]:
    """Blocks of equal layers, in the order in which each kind comes first."""
    for (name, operators), repeat in Counter(layers).items():
        yield Block(name=name, operators=operators, repeat=repeat)


def architecture(
    name: str,
    kind: Kind,
    s: Shape,
    blocks: Iterable[Block],
    *,
    streams: tuple[Stream, ...] = (Stream(name="text"),),
    counts: Literal["token", "sample"] = "token",
    gated: bool = False,
) -> Architecture:
    """Blocks, and the sizes of the main stack that describe them."""
    return Architecture(
        name=name,
        kind=kind,
        streams=streams,
        blocks=tuple(blocks),
        counts=counts,
        hidden=s.hidden,
        heads=s.heads,
        kv_heads=s.kv_heads,
        head_dim=s.head_dim,
        ffn=s.ffn,
        vocabulary=s.vocabulary,
        gated=gated,
    )


def language_model(
    name: str,
    s: Shape,
    layers: Iterable[tuple[str, Operators]],
    *,
    norm: int | None = None,
    positions: int = 0,
    embedding_norm: int = 0,
    head_bias: bool = False,
    gated: bool = True,
    kind: Kind = "decoder",
) -> Architecture:
    """A causal language model: embedding, layers, a last norm (``norm`` parameters), head."""
    table = weights((s.vocabulary + positions) * s.hidden, "embedding")
    blocks = (
        beside("embedding", table + weights(embedding_norm)),
        *stack(layers),
        beside("norm", weights(s.hidden if norm is None else norm)),
        beside("head", (output_head(s, bias=head_bias),)),
    )
    return architecture(name, kind, s, blocks, gated=gated)
