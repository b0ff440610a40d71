"""Least squares on a line, Student's t and the bootstrap: closed forms and raw PCG64 integers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

RESAMPLES = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """y = intercept + slope · x by ordinary least squares.

    ``low`` and ``high`` are the slope's 95 % interval by Student's t.
    """

    slope: float
    intercept: float
    low: float
    high: float
    r2: float
    n: int

    @property
    def significant(self) -> bool:
        """Whether the slope's interval leaves out zero."""
        return self.low > 0 or self.high < 0


def line(x: Array, y: Array) -> Fit:
    """The least-squares line through points.

    Raises:
        ValueError: fewer than three points, or all at one x.

    >>> found = line(np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 5.0]))
    >>> found.slope, found.intercept, found.r2
    (2.0, 1.0, 1.0)
    """
    n = len(x)
    if n < 3 or float(np.ptp(x)) == 0.0:
        raise ValueError("a line needs three points at more than one x")
    dx, dy = x - x.mean(), y - y.mean()
    sxx, syy = float(dx @ dx), float(dy @ dy)
    slope = float(dx @ dy) / sxx
    rest = float(((dy - slope * dx) ** 2).sum())
    margin = t_quantile(0.975, n - 2) * math.sqrt(rest / (n - 2) / sxx)
    return Fit(
        slope=slope,
        intercept=float(y.mean() - slope * x.mean()),
        low=slope - margin,
        high=slope + margin,
        r2=1.0 - rest / syy if syy else 1.0,
        n=n,
    )


def t_cdf(t: float, freedom: int) -> float:
    """Student's distribution function for whole degrees of freedom.

    Source: Abramowitz and Stegun 1964, 26.7.3 and 26.7.4 (finite sums).

    >>> round(t_cdf(2.0, 5), 6)
    0.94903
    """
    theta = math.atan2(t, math.sqrt(freedom))
    sine, cosine = math.sin(theta), math.cos(theta)
    odd = freedom % 2
    term, total = (cosine, cosine) if odd else (1.0, 1.0)
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= cosine * cosine * (k - 1) / k
        total += term
    if odd:
        inside = theta + (sine * total if freedom > 1 else 0.0)
        return 0.5 + inside / math.pi
    return 0.5 + sine * total / 2.0


def t_quantile(probability: float, freedom: int) -> float:
    """Student's quantile, by bisection of :func:`t_cdf`.

    >>> round(t_quantile(0.975, 10), 4), round(t_quantile(0.975, 1), 3)
    (2.2281, 12.706)
    """
    low, high = -1e4, 1e4
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if t_cdf(middle, freedom) < probability else (low, middle)
    return (low + high) / 2


def resampled(n: int, key: str, number: int = RESAMPLES) -> NDArray[np.int64]:
    """Indices of bootstrap samples, ``number`` × ``n``, the same on any machine.

    >>> resampled(3, "x", 2).shape
    (2, 3)
    """
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:16], "big")
    raw = np.random.PCG64(seed).random_raw(number * n)
    uniform = (raw >> np.uint64(12)).astype(np.float64) * 2.0**-52
    return np.floor(uniform * n).astype(np.int64).reshape(number, n)


def bootstrap(
    x: Array, y: Array, key: str, of: Callable[[Array, Array], Array], number: int = RESAMPLES
) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of ``of(slopes, intercepts)`` over resampled pairs."""
    at = resampled(len(x), key, number)
    bx, by = x[at], y[at]
    dx = bx - bx.mean(axis=1, keepdims=True)
    dy = by - by.mean(axis=1, keepdims=True)
    spread = (dx * dx).sum(axis=1)
    whole = spread > 0
    slopes = (dx * dy).sum(axis=1)[whole] / spread[whole]
    intercepts = by.mean(axis=1)[whole] - slopes * bx.mean(axis=1)[whole]
    low, high = np.quantile(of(slopes, intercepts), (0.025, 0.975))
    return float(low), float(high)
