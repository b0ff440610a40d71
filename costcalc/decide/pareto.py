"""The Pareto front: what no other choice beats in every aim at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def front(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """The rows of ``costs`` (choices × aims, less is better) that no other row dominates.

    A row dominates another if it is no worse in every aim and better in one; equal rows both stay.
    A row with NaN is compared with nothing and left out.

    >>> front(np.array([[1.0, 9.0], [2.0, 2.0], [3.0, 3.0], [9.0, 1.0]])).tolist()
    [0, 1, 3]
    """
    left = np.flatnonzero(np.isfinite(costs).all(axis=1))
    if not len(left):
        return left
    kept: list[NDArray[np.int64]] = []
    # A row with the least sum of ranks-free scores can be dominated by none; what it beats goes.
    scale = np.abs(costs[left]).max(axis=0)
    rows = costs[left]
    scores = (rows / np.where(scale > 0, scale, 1.0)).sum(axis=1)
    while len(left):
        best = rows[_least(scores, rows)]
        same = (rows == best).all(axis=1)
        kept.append(left[same])
        beaten = (rows >= best).all(axis=1)  # the same rows too: they are kept already
        left, rows, scores = left[~beaten], rows[~beaten], scores[~beaten]
    found = np.concatenate(kept)
    found.sort()
    return found


def _least(scores: NDArray[np.float64], rows: NDArray[np.float64]) -> int:
    """A row of the least score; of several (sums round), one that none of them dominates."""
    tied = np.flatnonzero(scores == scores.min())
    if len(tied) == 1:
        return int(tied[0])
    order = np.lexsort(rows[tied].T[::-1])
    return int(tied[order[0]])
