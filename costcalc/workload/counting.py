"""FLOPs and parameters of an architecture: every formula of the package stands here, once.

Symbols as in the literature: L layers, d hidden width, H query heads of width e, s sequence length,
N_m the parameters that are multiplied (linear layers and the output head, tied or not; no input
embedding, no norm, no bias).  A multiply-add is 2 FLOP; only matrix multiplications, convolutions
and scans count (norms, softmax, rotary embedding and the optimizer are below 1-2 %).

* forward a token: 2·N_m + A, with A = 4·L·H·e·s (full) or 2·L·H·e·s (causal), after Kaplan et al.
  2020 (arXiv:2001.08361, table 1) and Hoffmann et al. 2022 (arXiv:2203.15556, appendix F)
* training: 3 x forward (backward is the gradient of the input and that of the weights), less the
  gradient of the input of the first operator where that input does not learn (a stem, a patch
  embedding)
* full recompute: one more forward pass of the layers, not of the head; selective recompute: one
  more pass of the attention core (Korthikanti et al. 2022, arXiv:2205.05198, section 5)

Three conventions for causal attention, told in every result (:data:`CONVENTIONS`):

=========  ==========================  ========================================
name       mean keys, no window        mean keys, window w < s
=========  ==========================  ========================================
causal     s/2                         w - w²/(2s)
exact      (s + 1)/2                   w - w·(w - 1)/(2s)
full       s                           w
=========  ==========================  ========================================

``causal`` is the reported one: it is continuous at w = s, and drops the half key of the diagonal
as the usual "half of full" does.  Bidirectional attention and cross attention see all keys.
"""

from __future__ import annotations

from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from costcalc.base.errors import InputError, Problem
from costcalc.workload.architecture import (
    Architecture,
    Attention,
    Block,
    Convolution,
    Linear,
    Operator,
    Scan,
)
from costcalc.workload.keeping import copy_parameters, kept, places
from costcalc.workload.work import Tally

if TYPE_CHECKING:
    from collections.abc import Iterator

Convention = Literal["causal", "exact", "full"]

CONVENTIONS: dict[str, str] = {
    "causal": "2 FLOP a multiply-add; matrix multiplications only; causal attention counted half",
    "exact": "2 FLOP a multiply-add; matrix multiplications only; causal attention (s + 1)/2 keys",
    "full": "2 FLOP a multiply-add; matrix multiplications only; causal attention counted in full",
}


# -- parameters ----------------------------------------------------------------------------------


def _stored(operator: Operator) -> int:
    if isinstance(operator, Linear):
        one = operator.bias * operator.n_out if operator.tied else copy_parameters(operator)
        return operator.copies * one
    return copy_parameters(operator)


def _used(operator: Operator) -> float:
    if isinstance(operator, Linear) and operator.copies > 1:
        share = min(operator.active, operator.copies)
        return share * operator.n_out * (operator.n_in * (not operator.tied) + operator.bias)
    return _stored(operator)


@lru_cache(maxsize=512)
def parameters(architecture: Architecture) -> int:
    """All parameters, tied weights once.

    >>> from costcalc.workload.families import build
    >>> parameters(build({"model_type": "mixtral"}))
    46702792704
    """
    return sum(
        block.repeat * sum(_stored(operator) for operator in block.operators)
        for block in architecture.blocks
    )


@lru_cache(maxsize=512)
def active_parameters(architecture: Architecture) -> float:
    """Parameters that one token passes: all but the experts it is not routed to.

    Both embeddings count, as in the "A3B" of a model's name.

    >>> from costcalc.workload.families import build
    >>> active_parameters(build({"model_type": "mixtral"}))
    12879925248
    """
    return sum(
        block.repeat * sum(_used(operator) for operator in block.operators)
        for block in architecture.blocks
    )


@lru_cache(maxsize=512)
def matmul_parameters(architecture: Architecture) -> float:
    """N_m: the parameters that a token multiplies, the head included even if it is tied.

    >>> from costcalc.workload.families import build
    >>> matmul_parameters(build({"model_type": "mixtral"}))
    12748587008
    """
    return sum(
        block.repeat * operator.n_in * operator.n_out * min(operator.active, operator.copies)
        for block, operator in _operators(architecture)
        if isinstance(operator, Linear)
    )


# -- FLOPs ---------------------------------------------------------------------------------------


def lengths(
    architecture: Architecture, sequence_length: int | None, target_length: int | None = None
) -> dict[str, int]:
    """Positions of each stream in one sample.

    A stream of fixed length (image patches, 30 s of audio) keeps it.  A target stream without a
    ``target_length`` takes its default, which the family's file gives with its reason.
    """
    found = {}
    for stream in architecture.streams:
        if stream.length is not None:
            found[stream.name] = stream.length
        elif stream.target:
            default = stream.default or max(1, round((sequence_length or 0) * stream.share))
            found[stream.name] = target_length or default
        elif sequence_length is None:
            message = f"expected a length, for the attention of {architecture.name}; got none"
            raise InputError(Problem(key="training.sequence_length", message=message))
        else:
            found[stream.name] = sequence_length
    return found


def double_pairs(
    operator: Attention, queries: float, keys: float, convention: Convention = "causal"
) -> float:
    """Twice the number of query-key pairs of one sequence, a whole number for whole lengths.

    >>> core = Attention(heads=1, kv_heads=1, qk_dim=1, v_dim=1, window=4)
    >>> double_pairs(core, 8, 8, "exact") / 2    # 1 + 2 + 3 + 4 + 4 + 4 + 4 + 4
    26.0
    """
    window = operator.window if operator.window is not None and operator.window < keys else None
    if window is not None and operator.chunked:
        whole = Attention(
            heads=1, kv_heads=1, qk_dim=1, v_dim=1, causal=operator.causal, over=operator.over
        )
        chunks, rest = divmod(queries, window)
        return chunks * double_pairs(whole, window, window, convention) + double_pairs(
            whole, rest, rest, convention
        )
    if not operator.causal or operator.over is not None or convention == "full":
        return 2 * queries * (keys if window is None else window)
    diagonal = 1 if convention == "exact" else 0
    if window is None:
        return queries * (keys + diagonal)
    return 2 * window * queries - window * (window - diagonal)


def _attention(
    operator: Attention,
    queries: int,
    sizes: dict[str, int],
    document: float | None,
    convention: Convention,
) -> float:
    width = operator.heads * (operator.qk_dim + operator.v_dim)
    if operator.over is not None:
        return width * double_pairs(operator, queries, sizes[operator.over], convention)
    if document is None or document >= queries:
        return width * double_pairs(operator, queries, queries, convention)
    return width * double_pairs(operator, document, document, convention) * queries / document


def _flops(
    operator: Operator,
    length: int,
    sizes: dict[str, int],
    document: float | None,
    convention: Convention,
) -> float:
    """FLOPs of one pass of one operator over a sample."""
    match operator:
        case Linear():
            active = min(operator.active, operator.copies)
            return 2 * operator.n_in * operator.n_out * active * length
        case Attention():
            return _attention(operator, length, sizes, document, convention)
        case Convolution():
            per_position = 2 * (operator.c_in // operator.groups) * operator.c_out * operator.kernel
            return per_position * operator.positions * length
        case Scan():
            return operator.flops * length
        case _:
            return 0


@lru_cache(maxsize=1024)
def tally(
    architecture: Architecture,
    *,
    sequence_length: int | None = None,
    target_length: int | None = None,
    document: float | None = None,
    convention: Convention = "causal",
) -> Tally:
    """One walk of the architecture: what a sample computes and keeps, and how long its streams are.

    ``document``: the mean length Σs_i²/Σs_i of the documents packed into a sequence, where
    attention does not cross their borders; None: it spans the sequence.

    >>> from costcalc.workload.families import build
    >>> llama2 = build({"model_type": "llama"})
    >>> one = tally(llama2, sequence_length=4096)
    >>> one.training / one.tokens          # 6·6,607,077,376 + 3·2·32·4096·4096
    42863689728.0
    """
    sizes = lengths(architecture, sequence_length, target_length)
    total: dict[str, float] = defaultdict(int)
    for block in architecture.blocks:
        _add_block(total, block, architecture.hidden, sizes, document, convention)
    return Tally(
        tokens=sizes[architecture.streams[0].name],
        longest=max(sizes.values()),
        lengths=tuple(sizes.items()),
        **total,
    )


def _add_block(
    total: dict[str, float],
    block: Block,
    hidden: int,
    sizes: dict[str, int],
    document: float | None,
    convention: Convention,
) -> None:
    """Adds what one block computes, stores and keeps to the sums."""
    length = sizes[block.stream]
    for operator in block.operators:
        flops = _flops(operator, length, sizes, document, convention)
        for name in _kinds(block, operator):
            total[name] += block.repeat * flops
        for name, amount in places(block, operator):
            total[name] += block.repeat * amount
        if isinstance(operator, Attention):
            for name, amount in _seen(operator, length, sizes).items():
                total[name] += block.repeat * amount
    linears = [o for o in block.operators if isinstance(o, Linear)]
    if not block.layer:
        heads = [o.n_out for o in linears if o.part == "head"]
        total["logits"] += max(heads, default=0) * length
        total["answered"] = max(total["answered"], length if heads else 0)
        return
    for last in linears[-1:]:
        total["last"] += block.repeat * _flops(last, length, sizes, document, convention)
    total["routing_layers"] += block.repeat * any(_routed(o) for o in linears)
    total["positions"] += block.repeat * length
    width = next((o.n_in for o in linears), hidden)  # of this stream: a tower is narrower
    for name, amount in kept(block, width, sizes).items():
        total[name] += block.repeat * amount
    total["largest"] = max(total["largest"], *(copy_parameters(o) for o in block.operators))


def _kinds(block: Block, operator: Operator) -> Iterator[str]:
    """The sums of FLOPs that an operator belongs to."""
    yield "forward"
    if block.layer:
        yield "layers"
    match operator:
        case Attention():
            yield "attention"
        case Scan():
            yield "scan"
        case Convolution():
            yield "convolution"
        case Linear() if _routed(operator):
            yield "routed"
        case Linear(part="head"):
            yield "head"
        case Linear(part="attention"):
            yield "projections"
    if isinstance(operator, Linear | Convolution) and operator.first:
        yield "first"


def _routed(operator: Linear) -> bool:
    return operator.part == "expert" and operator.copies > operator.active


def _seen(operator: Attention, queries: int, sizes: dict[str, int]) -> dict[str, float]:
    """The attention core in the other counts: in full, all keys (not fused), and its width."""
    keys = sizes[operator.over] if operator.over is not None else queries
    width = operator.heads * (operator.qk_dim + operator.v_dim)
    return {
        "attention_in_full": width * double_pairs(operator, queries, keys, "full"),
        "attention_unfused": 2 * width * queries * keys,
        "attention_width": width,
    }


def recompute_flops(one: Tally, mode: str, *, early_stop: bool = False) -> float:
    """FLOPs a sample that activation recompute adds; never part of the model FLOPs.

    ``early_stop``: as PyTorch's non-reentrant checkpoint does, which leaves out the last
    multiplication of each layer, because nobody needs its output.  The default is Megatron's whole
    forward pass.  The backward pass of FlashAttention computes the scores again in any case; that
    is in the time model's efficiency, not here.
    """
    if mode == "full":
        return one.layers - (one.last if early_stop else 0)
    return one.attention if mode == "selective" else 0


def _operators(architecture: Architecture) -> Iterator[tuple[Block, Operator]]:
    for block in architecture.blocks:
        for operator in block.operators:
            yield block, operator
