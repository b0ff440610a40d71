"""Which layouts there are for a model on a number of devices, as arrays.

The axes are data, tensor, pipeline, virtual pipeline, context, expert, sharding, micro-batch and
recompute.  The pruned set keeps what tuned runs use: powers of two where the count has them, and
the sharding and interleaving that published layouts show (Narayanan et al. 2021, arXiv:2104.04473,
section 3; Korthikanti et al. 2022, arXiv:2205.05198, table 3).  The full space has every divisor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from costcalc.base.vocabulary import ACTIVATIONS, AXES, OFFLOADS, RECOMPUTES, SHARDINGS
from costcalc.throughput.layout import Layout, Machine, Recipe
from costcalc.throughput.shape import ModelShape

Floats = NDArray[np.float64]

CHUNK = 1 << 15  # layouts evaluated at once: their temporaries stay in the second-level cache
COLUMNS = (
    *AXES, "micro_batch", "zero", "hybrid", "full", "selective", "sequence_parallel", "hosted",
    "activations",
)  # fmt: skip
_NODE = 8  # tensor parallelism is tried within a server of this size at least
_MOST_MICRO_BATCH = 64
#: tokens of a micro-batch, at most, where more than 8 sequences are tried: what fills a device
#: (a ViT of 197 tokens is trained with hundreds of images on one)
_MOST_TOKENS = 65_536
_LEAST_TOKENS = 256  # of a sequence on one device under context parallelism


@dataclass(frozen=True, slots=True, kw_only=True)
class Fixed:
    """What the user has fixed; None is free."""

    tensor: int | None = None
    pipeline: int | None = None
    context: int | None = None
    expert: int | None = None
    virtual_pipeline: int | None = None
    data: int | None = None
    micro_batch: int | None = None
    recompute: str | None = None
    sharding: str | None = None
    sequence_parallel: bool = True
    offload: str = "none"
    activations: str = "device"


class Question(NamedTuple):
    """All that the set of layouts depends on."""

    devices: int
    domain: int
    layers: int
    heads: int
    experts: int
    sequence_length: int
    global_batch: float
    staged: bool
    full: bool
    fixed: Fixed


def question(
    shape: ModelShape, machine: Machine, recipe: Recipe, *, full: bool, fixed: Fixed
) -> Question:
    """The question that a model, a machine and a recipe put."""
    return Question(
        devices=int(machine.devices),
        domain=max(int(machine.scale_up_domain), 1),
        layers=max(int(shape.layers), 1),
        heads=_heads(shape),
        experts=int(shape.experts),
        sequence_length=int(shape.sequence_length),
        global_batch=float(recipe.global_batch),
        # inside a slice of a torus nobody publishes stages: all links serve all axes there
        staged=machine.torus == 0 or machine.devices > machine.scale_up_domain,
        full=full,
        fixed=fixed,
    )


def _heads(shape: ModelShape) -> int:
    """Heads, which tensor parallelism divides; a guessed number of them is no prime."""
    heads = float(shape.heads)
    if not shape.known and heads >= _NODE:
        return round(heads / _NODE) * _NODE
    return max(int(heads), 1)


def divisors(number: int) -> list[int]:
    """All divisors, rising.

    >>> divisors(12)
    [1, 2, 3, 4, 6, 12]
    """
    small = [d for d in range(1, int(number**0.5) + 1) if number % d == 0]
    return sorted({*small, *(number // d for d in small)})


def _twos(number: int) -> list[int]:
    """Powers of two that divide a number, and the number itself where it is small and odd."""
    return [1 << k for k in range(number.bit_length()) if number % (1 << k) == 0]


def _tensor(q: Question, left: int) -> list[int]:
    most = min(q.heads, max(q.domain, _NODE) if q.full else min(max(q.domain, 1), 16))
    steps = divisors(left) if q.full else _twos(left)
    return [t for t in steps if t <= most and q.heads % t == 0]


def _pipeline(q: Question, left: int) -> list[int]:
    if q.full:
        return [p for p in divisors(left) if p <= q.layers]
    if not q.staged:
        return [1]
    few = {p for p in divisors(left) if p <= min(q.layers, 64) and p & (p - 1) == 0}
    odd = {p for p in divisors(left) if 1 < p <= min(q.layers, 64) and q.layers % p == 0}
    return sorted(few | (odd if left & (left - 1) else set()))


def _virtual(q: Question, pipeline: int) -> list[int]:
    if pipeline == 1:
        return [1]
    most = -(-q.layers // pipeline)
    if q.full:
        return [v for v in range(1, most + 1) if most % v == 0]
    return sorted({1, *(v for v in (2, 4) if most % v == 0), *({most} if most <= 8 else set())})


def _context(q: Question, left: int) -> list[int]:
    least = _LEAST_TOKENS if q.full else 4096
    steps = divisors(left) if q.full else _twos(left)
    return [c for c in steps if c == 1 or q.sequence_length / c >= least]


def _expert(q: Question, group: int) -> list[int]:
    if q.experts <= 1:
        return [1]
    steps = [e for e in divisors(q.experts) if group % e == 0]
    near = [e for e in steps if e <= max(q.domain, _NODE)]
    return steps if q.full else sorted({1, near[-1], steps[-1]})


def _kept(options: Iterable[int], fixed: int | None) -> list[int]:
    return list(options) if fixed is None else [fixed]


def _divisions(q: Question, *, idle: bool) -> Iterator[tuple[int, ...]]:
    """(data, tensor, pipeline, virtual, context, expert) of every division of the devices.

    ``idle``: with replicas that get no sequence of the batch, where there is no other way.
    """
    for t in _kept(_tensor(q, q.devices), q.fixed.tensor):
        for p in _kept(_pipeline(q, q.devices // t), q.fixed.pipeline):
            for c in _kept(_context(q, q.devices // (t * p) or 1), q.fixed.context):
                data, rest = divmod(q.devices, t * p * c)
                if rest or data < 1 or q.fixed.data not in (None, data):
                    continue
                if data * (q.fixed.micro_batch or 1) > max(q.global_batch, 1) and not idle:
                    continue
                for v in _kept(_virtual(q, p), q.fixed.virtual_pipeline):
                    for e in _kept(_expert(q, data * t * c), q.fixed.expert):
                        yield data, t, p, v, c, e


def _micro_batches(q: Question) -> list[int]:
    """Sequences a micro-batch: powers of two, and in the full space all up to 64."""
    most = max(8, _MOST_TOKENS // max(q.sequence_length, 1))
    limit = int(min(max(q.global_batch, 1), most))
    powers = {1 << k for k in range(limit.bit_length())}
    small = range(1, min(int(max(q.global_batch, 1)), _MOST_MICRO_BATCH) + 1) if q.full else ()
    return sorted({*powers, *small})


def _inner(q: Question) -> Floats:
    """(micro_batch, zero, … activations): what every division is combined with."""
    batches = _micro_batches(q)
    shardings = list(SHARDINGS) if q.full else ["none", "zero1", "zero3"]
    recomputes = ["none", "selective", "full"]
    shardings = [q.fixed.sharding] if q.fixed.sharding else shardings
    recomputes = [q.fixed.recompute] if q.fixed.recompute else recomputes
    kept = (q.fixed.sequence_parallel, OFFLOADS[q.fixed.offload], ACTIVATIONS[q.fixed.activations])
    return np.array(
        [
            (b, *SHARDINGS[s], *RECOMPUTES[r], *kept)
            for b in _kept(batches, q.fixed.micro_batch)
            for s in shardings
            for r in recomputes
        ],
        dtype=float,
    )


@lru_cache(maxsize=12)
def pruned(q: Question) -> Floats:
    """Every layout of a question, a column each of :data:`COLUMNS`; the same order every time."""
    parts = list(chunks(q))
    made = np.concatenate(parts, axis=1) if parts else np.empty((len(COLUMNS), 0))
    made.flags.writeable = False
    return made


def chunks(q: Question) -> Iterator[Floats]:
    """The layouts of a question in pieces of at most about :data:`CHUNK`."""
    divided = list(_divisions(q, idle=False)) or list(_divisions(q, idle=True))
    grids, inner = np.array(divided, dtype=float), _inner(q)
    at_once = max(CHUNK // len(inner), 1)
    for at in range(0, len(grids), at_once):
        some = grids[at : at + at_once]
        rows = np.vstack([np.repeat(some.T, len(inner), axis=1), np.tile(inner.T, (1, len(some)))])
        yield np.ascontiguousarray(rows[:, _sensible(q, rows)])


def _sensible(q: Question, rows: Floats) -> NDArray[np.bool_]:
    """Which combinations say something: no sharding over one replica, no empty micro-batches."""
    by_name = dict(zip(COLUMNS, rows, strict=True))
    data, batch, zero = by_name["data"], by_name["micro_batch"], by_name["zero"]
    group, virtual = data * by_name["context"], by_name["virtual_pipeline"]
    keep = np.ones(rows.shape[1], dtype=bool)
    if q.fixed.micro_batch is None:
        keep &= (batch * data <= q.global_batch) | (batch == 1)
    if q.fixed.sharding is None:
        keep &= (zero == 0) | (group > 1)
        keep &= (by_name["hybrid"] == 0) | (group > _NODE)
        if not q.full:  # sharding the optimizer states costs nothing
            keep &= (zero > 0) | (group == 1)
    if q.fixed.virtual_pipeline is None:
        # interleaving needs micro-batches to fill the pipeline (arXiv:2104.04473, section 2.2)
        enough = np.ceil(q.global_batch / (data * batch)) >= by_name["pipeline"]
        keep &= (virtual == 1) | enough
    return keep


def layouts_at(rows: Floats) -> Layout:
    """The layouts in some columns of a table, as one record of arrays."""
    return Layout(**dict(zip(COLUMNS, rows, strict=True)))


def layout_at(row: Sequence[float]) -> Layout:
    """One column of a table as a layout.

    >>> layout_at([8, 2, 1, 1, 1, 1, 4, 3, 0, 1, 0, 1, 0, 0]) == Layout(
    ...     data=8, tensor=2, sharding="zero3", micro_batch=4, recompute="full")
    True
    """
    whole = [int(size) for size in row[:7]]
    return Layout(**dict(zip(COLUMNS, [*whole, *row[7:]], strict=True)))  # type: ignore[arg-type]
