"""What measured steps of a machine say of its others: a Gaussian process of the model's errors.

The error of the time model, the logarithm of the measured over the modelled rate, is in part the
machine's (its clocks, its software), in part that of what a step spends its time on (computing,
moving memory, the network), and in part that of runs alike.  Two runs' errors are correlated by

    machine² + Σ part²·aₚ·bₚ + alike²·exp(−Σ|difference| / length) + own²·(the same run)

with aₚ the share of a run's step that goes to a part, and differences in doublings of sizes and in
words.  What measured steps say of another follows by kriging (Rasmussen and Williams 2006, Gaussian
Processes for Machine Learning, equations 2.22 to 2.24).  Machines are mostly as the model has them
and now and then far off: ``machine`` is a mixture of spreads, weighed by what was measured.  Little
of it holds between nets that are modelled from the FLOPs of a sample (:func:`related`).
The constants are in ``data/transfer.yaml``, fitted by ``scripts/calibrate_transfer.py``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from costcalc.catalog.region_table import table

Floats = NDArray[np.float64]

#: the parts of a step whose errors differ, by the names that its breakdown has
PARTS = {
    "compute": "compute", "bubble": "compute",
    "memory": "memory", "optimizer": "memory", "launch": "launch",
    "tensor": "network", "pipeline": "network", "data": "network", "expert": "network",
    "host": "network",
}  # fmt: skip
NAMES = ("compute", "memory", "network", "launch")
#: sizes that runs differ in, in doublings, and words
SIZES = ("flops", "devices", "sequence_length", "micro_batch", "tensor", "pipeline")
#: ``base``: precision of frozen weights; ``states``: where states and activations are kept, how
#: wide and by which optimizer; ``kernels``: compiled or launched one by one, what of the logits is
#: kept.  Composed of several where few measured runs tell them apart
WORDS = ("precision", "kind", "method", "base", "software", "attention", "recompute", "states",
         "kernels")  # fmt: skip
#: kinds whose time is modelled from the FLOPs of a sample: most of an error is the net's own
NETS = ("cnn", "vit", "diffusion")
#: what of a covariance holds between two such nets, or one and a model of layers.  Chosen on the
#: measurements: with all of it another convolutional net is predicted worse after one was measured
#: (median 21 %, p90 87 %, inside 85 %) than before; with 0.3 of it 18 %, 60 % and 94 %
BETWEEN_NETS = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """What the error of a run's step depends on.

    ``sizes``: logarithms to base 2, in the order of ``SIZES``; ``words`` in that of ``WORDS``;
    ``shares`` of the step by part, in the order of ``NAMES``.
    """

    sizes: tuple[float, ...]
    words: tuple[str, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredStep:
    """A measured step: the logarithm of its measured over its modelled rate, and its likeness."""

    run: Likeness
    error: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """What measured steps say of another run's rate, as logarithms: its mean and spread (1 sigma).

    ``parts``: the same of each part of a step; ``alike``: the largest correlation with one of them.
    """

    mean: float
    spread: float
    parts: Mapping[str, float]
    alike: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Spreads:
    """Standard deviations of the errors' parts (logarithms), and the lengths of what is alike.

    ``machine``: spreads and their weights; ``parts`` in the order of ``NAMES``; ``lengths`` in that
    of ``SIZES``, in doublings, then of ``WORDS``.
    """

    machine: tuple[tuple[float, float], ...]
    parts: tuple[float, ...]
    alike: float
    own: float
    noise: float
    lengths: tuple[float, ...]


@functools.cache
def spreads() -> Spreads:
    """Those of ``data/transfer.yaml``."""
    return spreads_of(table("transfer.yaml").data)


def spreads_of(found: Mapping[str, Any]) -> Spreads:  # type: ignore[explicit-any]  # YAML's
    """Spreads as the file holds them."""
    machine = found["machine"]
    return Spreads(
        machine=tuple(zip(machine["spread"], machine["weight"], strict=True)),
        parts=tuple(found["parts"][name] for name in NAMES),
        alike=found["alike"],
        own=found["own"],
        noise=found["noise"],
        lengths=tuple(found["lengths"][name] for name in (*SIZES, *WORDS)),
    )


def shares_of(breakdown: Mapping[str, float]) -> tuple[float, ...]:
    """The shares of a step by part; what no part names is computing.

    >>> shares_of({"compute": 3.0, "memory": 1.0})
    (0.75, 0.25, 0.0, 0.0)
    """
    seconds = dict.fromkeys(NAMES, 0.0)
    for name, value in breakdown.items():
        seconds[PARTS.get(name, "compute")] += value
    whole = sum(seconds.values()) or 1.0
    return tuple(seconds[name] / whole for name in NAMES)


def carried(
    measured: Sequence[MeasuredStep], to: Likeness, given: Spreads | None = None
) -> Carried:
    """What measured steps of one machine say of another run on it.

    >>> like = Likeness(sizes=(34.0, 3.0, 12.0, 0.0, 0.0, 0.0), shares=(0.7, 0.2, 0.1, 0.0),
    ...                 words=("bf16", "decoder", *[""] * 7))
    >>> slow = MeasuredStep(run=like, error=-0.4)
    >>> same = carried([slow], like)
    >>> -0.4 < same.mean < -0.35
    True
    """
    found = given or spreads()
    runs = [*(one.run for one in measured), to]
    errors = np.array([one.error for one in measured])
    seen = compared(runs)
    near, together = covariance(seen, found), seen.related
    noise = found.noise**2
    likely, means, variances, parts = [], [], [], []
    for spread, weight in found.machine:
        whole = near + spread**2 * together
        among = whole[:-1, :-1] + noise * np.eye(len(errors))
        across = whole[-1, :-1]
        solved = np.linalg.solve(among, np.column_stack([errors, across]))
        means.append(float(across @ solved[:, 0]))
        variances.append(float(whole[-1, -1] - across @ solved[:, 1]) + noise)
        parts.append(_parts(runs[:-1], solved[:, 0], found, spread))
        likely.append(math.log(weight) + log_likelihood(errors, among, solved[:, 0]))
    weights = np.exp(np.array(likely) - max(likely))
    weights = weights / weights.sum()
    mean = float(weights @ means)
    variance = float(weights @ (np.array(variances) + np.square(means))) - mean**2
    machine = float(weights @ np.square([spread for spread, _ in found.machine]))
    scale = np.sqrt(np.diag(near) + machine)
    nearest = near[-1, :-1] + machine * together[-1, :-1]
    return Carried(
        mean=mean,
        spread=math.sqrt(max(variance, noise)),
        parts=dict(zip(NAMES, (weights @ np.array(parts)).tolist(), strict=True)),
        alike=float(np.max(nearest / (scale[-1] * scale[:-1]))),
    )


class Compared(NamedTuple):
    """Runs against one another: |difference| by size and word, n × n × lengths; parts of a step."""

    differences: Floats
    shares: Floats
    related: Floats


def compared(runs: Sequence[Likeness]) -> Compared:
    """Every two of some runs compared: all that a covariance needs beside its spreads."""
    sizes = np.array([run.sizes for run in runs])
    words = np.array([run.words for run in runs])
    unlike = (words[:, None] != words[None]).astype(float)
    return Compared(
        differences=np.concatenate([np.abs(sizes[:, None] - sizes[None]), unlike], axis=-1),
        shares=np.array([run.shares for run in runs]),
        related=related(runs),
    )


def covariance(runs: Compared, found: Spreads) -> Floats:
    """The covariance of the errors of runs, but for what is their machine's."""
    apart = runs.differences @ (1.0 / np.array(found.lengths))
    shares = runs.shares * found.parts
    made: Floats = shares @ shares.T + found.alike**2 * np.exp(-apart)
    made += found.own**2 * (apart == 0.0)
    return made * runs.related


def related(runs: Sequence[Likeness]) -> Floats:
    """What of a covariance holds between each two runs: all, or little between different nets.

    A net is what has as many FLOPs a sample, to 7 %; models of layers are one kind.

    >>> def net(flops):
    ...     return Likeness(sizes=(flops, 0, 0, 0, 0, 0), words=("fp16", "cnn", ""),
    ...                     shares=(1.0, 0, 0, 0))
    >>> related([net(35.0), net(35.0), net(33.0)]).tolist()
    [[1.0, 1.0, 0.3], [1.0, 1.0, 0.3], [0.3, 0.3, 1.0]]
    """
    net = np.array([round(10 * r.sizes[0]) if r.words[1] in NETS else 0 for r in runs])
    made: Floats = np.where(net[:, None] == net[None], 1.0, BETWEEN_NETS)
    return made


def _parts(runs: Sequence[Likeness], solved: Floats, found: Spreads, machine: float) -> Floats:
    """What is expected of the error of a step that is all of one part."""
    shares = np.array([run.shares for run in runs])
    made: Floats = machine**2 * solved.sum() + np.square(found.parts) * (shares.T @ solved)
    return made


def log_likelihood(errors: Floats, among: Floats, solved: Floats) -> float:
    """Of errors with a covariance, ``solved`` = covariance⁻¹ · errors, but for a constant."""
    _, determinant = np.linalg.slogdet(among)
    return -0.5 * float(errors @ solved + determinant)
