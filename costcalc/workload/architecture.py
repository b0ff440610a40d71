"""What a model is made of: streams of tokens that pass blocks of operators.

A family of models (``families/``) turns a configuration into these records; parameters, FLOPs and
bytes follow from them in one place each, so that no formula is written twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Part = Literal["attention", "mlp", "expert", "router", "head", "embedding", "other"]
Kind = Literal["decoder", "encoder", "encoder-decoder", "vision", "diffusion", "speech", "ssm"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Linear:
    """A matrix multiplication, ``n_in`` to ``n_out``: ``copies`` stored, ``active`` for a token.

    A router's experts are one ``Linear`` with ``copies`` experts, of which each token passes
    ``active``.  ``tied``: the weight is another operator's (its parameters are not counted again).
    ``bias`` counts one vector a copy.  2·n_in·n_out·active FLOP a token forward.  ``first``: its
    input depends on nothing that learns, so that no gradient of it is computed.
    """

    n_in: int
    n_out: int
    part: Part
    bias: bool = False
    copies: int = 1
    active: float = 1
    tied: bool = False
    name: str = ""
    first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Attention:
    """The attention core, scores and weighted sum, without its projections; no parameters.

    ``window``: keys that a query sees at most; ``chunked``: it starts anew every ``window`` tokens
    instead of sliding.  ``over``: the stream of the keys where it is another one (cross attention),
    of which a query sees all, whatever ``causal`` says.
    Full: 2·heads·(qk_dim + v_dim)·keys FLOP a query; causal counts half
    (:mod:`costcalc.workload.counting` says so in its convention).
    """

    heads: int
    kv_heads: int
    qk_dim: int
    v_dim: int
    causal: bool = True
    window: int | None = None
    over: str | None = None
    chunked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Convolution:
    """A convolution: 2·(c_in/groups)·c_out·kernel FLOP an output position.

    ``positions`` are the output positions a token of its stream (1 for a causal 1-D convolution,
    2 for Whisper's first layer).  ``first``: nothing before it learns, so that no gradient of its
    input is computed.
    """

    c_in: int
    c_out: int
    kernel: int
    groups: int = 1
    bias: bool = False
    positions: float = 1
    first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """A recurrence (state-space model): ``flops`` a token forward, memory-bound; no parameters."""

    flops: float
    state: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Parameters that no matrix multiplication uses: norms, embeddings, positions, sinks."""

    count: int
    part: Part = "other"


Operator = Linear | Attention | Convolution | Scan | Weights


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """Operators that a stream passes in order, ``repeat`` times over with fresh parameters."""

    name: str
    operators: tuple[Operator, ...]
    repeat: int = 1
    stream: str = "text"
    layer: bool = True  # a layer of the stack: what recompute and pipeline stages are counted in


@dataclass(frozen=True, slots=True, kw_only=True)
class Stream:
    """A sequence of positions a sample.

    ``length`` None: the run's ``sequence_length``; where ``target`` is true, its ``target_length``,
    and where the run says none, ``share`` of the sequence length or, if given, ``default``.
    """

    name: str
    length: int | None = None
    target: bool = False
    share: float = 1.0
    default: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Architecture:
    """A model.  ``counts`` is what one datum is: a token of the first stream, or a sample.

    ``hidden``, ``heads``, ``kv_heads``, ``head_dim``, ``ffn``, ``vocabulary``, ``experts``,
    ``experts_per_token`` describe the main stack, for the time model and for people; what the
    model has not is 0.
    """

    name: str
    kind: Kind
    streams: tuple[Stream, ...]
    blocks: tuple[Block, ...]
    counts: Literal["token", "sample"] = "token"
    hidden: int = 0
    heads: int = 0
    kv_heads: int = 0
    head_dim: int = 0
    ffn: int = 0
    vocabulary: int = 0
    experts: int = 0
    experts_per_token: int = 0
    gated: bool = True
    further: tuple[Block, ...] = ()  # layers that predict further tokens: pretraining alone
    notes: tuple[str, ...] = ()  # what was left out or assumed, for people

    @property
    def layers(self) -> int:
        """Layers of the whole stack, encoder and decoder together."""
        return sum(block.repeat for block in self.blocks if block.layer)
