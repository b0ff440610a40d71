"""Ranges: draws of the assumptions, percentiles of the results, and what drives them.

An assumption's draw is its value times a two-piece log-normal factor whose 5th and 95th percentile
are the assumption's own.  Every key has a stream of its own, seeded by its name, so that the same
input gives the same output on any machine, and so that two runs that share an assumption share its
draws (most errors are common to what is compared).
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.assumption import Assumption
from costcalc.base.numbers import Number

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.floating]

DRAWS = 10_000
Z95 = 1.6448536269514722  # the standard normal's 95th percentile


def inverse_normal(probability: Array) -> Array:
    """The standard normal's quantile function, to 1.15e-9 relative.

    Source: Acklam's rational approximation (P. J. Acklam, 2003), in three regions.

    >>> float(np.round(inverse_normal(np.array([0.95]))[0], 6))
    1.644854
    """
    p = np.asarray(probability, dtype=np.float64)
    tail = np.minimum(p, 1.0 - p)
    q = np.sqrt(-2.0 * np.log(tail))
    outer = _horner(_C, q) / _horner((*_D, 1.0), q)
    centre = p - 0.5
    r = centre * centre
    inner = _horner(_A, r) * centre / _horner((*_B, 1.0), r)
    return np.where(tail < 0.02425, np.where(p < 0.5, outer, -outer), inner)


_A = (
    -3.969683028665376e01,
    2.209460984245205e02,
    -2.759285104469687e02,
    1.383577518672690e02,
    -3.066479806614716e01,
    2.506628277459239e00,
)
_B = (
    -5.447609879822406e01,
    1.615858368580409e02,
    -1.556989798598866e02,
    6.680131188771972e01,
    -1.328068155288572e01,
)
_C = (
    -7.784894002430293e-03,
    -3.223964580411365e-01,
    -2.400758277161838e00,
    -2.549732539343734e00,
    4.374664141464968e00,
    2.938163982698783e00,
)
_D = (7.784695709041462e-03, 3.224671290700398e-01, 2.445134137142996e00, 3.754408661907416e00)


def _horner(coefficients: Sequence[float], x: Array) -> Array:
    total = np.full_like(x, coefficients[0])
    for coefficient in coefficients[1:]:
        total = total * x + coefficient
    return total


@functools.lru_cache(maxsize=256)
def normals(key: str, number: int = DRAWS) -> Array:
    """Standard normal draws of a key: raw PCG64 integers through :func:`inverse_normal`.

    The upper 52 bits and a half, so that a probability is never 0 or 1.

    >>> bool((normals("site.pue", 5) == normals("site.pue", 5)).all())
    True
    """
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")
    raw = np.random.PCG64(seed).random_raw(number)
    drawn = inverse_normal((np.asarray(raw >> np.uint64(12), dtype=np.float64) + 0.5) * 2.0**-52)
    drawn.setflags(write=False)
    return drawn


def draw(assumption: Assumption, number: int = DRAWS) -> Number:
    """Draws of an assumption; the value itself where it is exact or has no scale (0)."""
    value = assumption.value
    if assumption.exact or value <= 0 or assumption.low <= 0:
        return value
    return _drawn(assumption.key, value, assumption.low, assumption.high, number)


@functools.lru_cache(maxsize=64)
def _drawn(key: str, value: float, low: float, high: float, number: int) -> Array:
    z = normals(key, number)
    below, above = np.log(value / low) / Z95, np.log(high / value) / Z95
    made: Array = value * np.exp(np.where(z < 0, below, above) * z)
    made = np.minimum(made, 1.0) if key in SHARES else made
    made.setflags(write=False)
    return made


def drawn(known: Mapping[str, Assumption], number: int = DRAWS) -> dict[str, Number]:
    """Draws of every assumption, by the same names."""
    return {name: draw(item, number) for name, item in known.items()}


# Shares of a whole: a draw above 1 means nothing.
SHARES = frozenset({"hardware.utilization", "hardware.goodput"})


def percentiles(draws: Number, value: float) -> tuple[float, float]:
    """The 5th and 95th percentile of draws, widened to contain ``value``."""
    if not isinstance(draws, np.ndarray):
        return value, value
    least, most = _tails(draws)
    return min(least, value), max(most, value)


def _tails(array: Array) -> tuple[float, float]:
    """The 5th and 95th percentile; of many draws only the tails are put in order."""
    last = len(array) - 1
    at_low, at_high = round(0.05 * last), round(0.95 * last)
    if last > 1000:
        near = np.sort(array[::16])
        low = array.compress(array < near[round(0.07 * len(near))])
        high = array.compress(array > near[round(0.93 * len(near))])
        from_end = len(high) - 1 - (last - at_high)  # so many are larger than the 95th percentile
        if len(low) > at_low and from_end >= 0:
            low.partition(at_low)
            high.partition(from_end)
            return float(low[at_low]), float(high[from_end])
    ordered = np.partition(array, (at_low, at_high))
    return float(ordered[at_low]), float(ordered[at_high])


def drivers(
    results: Mapping[str, Number], assumptions: Sequence[Assumption], *, least: float = 0.01
) -> list[dict[str, object]]:
    """Which assumptions drive the range of each result.

    ``share`` is that of the variance of the result's logarithm which goes with the assumption's
    own draw (the squared correlation; the draws are independent, so shares sum to at most 1 but
    for sampling noise).
    """
    keys = [a.key for a in assumptions if not a.exact and a.low > 0]
    keys = list(dict.fromkeys(keys))
    if not keys:
        return []
    names = [n for n, d in results.items() if np.ndim(d) and np.all(np.asarray(d) > 0)]
    if not names:
        return []
    logs = np.log(np.array([results[name] for name in names]))
    logs -= logs.mean(axis=1, keepdims=True)
    totals = (logs * logs).sum(axis=1)
    shares = (logs @ _directions(tuple(keys), logs.shape[1])) ** 2
    found: list[dict[str, object]] = []
    for name, total, squares in zip(names, totals.tolist(), shares.tolist(), strict=True):
        if total <= 1e-18 * logs.shape[1]:
            continue
        ranked = sorted(zip(squares, keys, strict=True), key=lambda pair: (-pair[0], pair[1]))
        found += [
            {"of": name, "key": key, "share": round(square / total, 4)}
            for square, key in ranked
            if square >= least * total
        ]
    return found


@functools.lru_cache(maxsize=8)
def _directions(keys: tuple[str, ...], number: int) -> Array:
    """The draws of each key as a column, centred and of unit length."""
    drawn = np.array([normals(key, number) for key in keys])
    drawn -= drawn.mean(axis=1, keepdims=True)
    drawn /= np.sqrt((drawn * drawn).sum(axis=1, keepdims=True))
    return np.ascontiguousarray(drawn.T)
