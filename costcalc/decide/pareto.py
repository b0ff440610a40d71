"""The Pareto front: what no other choice beats in every aim at once."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


PATIENCE = 256  # rows that one look at all the others is worth; a longer front is swept in order


def front(costs: NDArray[np.float64], *, patience: int = PATIENCE) -> NDArray[np.int64]:
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
    # The row with the least sum is dominated by none; what it dominates goes.
    scale = np.abs(costs[left]).max(axis=0)
    rows = costs[left]
    scores = (rows / np.where(scale > 0, scale, 1.0)).sum(axis=1)
    while len(left):
        if len(kept) >= patience:
            kept.append(left[_swept(rows)])
            break
        best = rows[_least(scores, rows)]
        beaten = rows[:, 0] >= best[0]  # the same rows too: they are kept already
        for aim in range(1, rows.shape[1]):
            beaten &= rows[:, aim] >= best[aim]
        same = (rows[beaten] == best).all(axis=1)
        kept.append(left[beaten][same])
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


def _swept(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which rows of two or three aims none dominates: by the first, a staircase of the rest.

    Source: Kung, Luccio and Preparata 1975, On finding the maxima of a set of vectors.
    """
    padded = np.zeros((len(rows), 3))
    padded[:, : rows.shape[1]] = rows
    distinct, back = np.unique(padded, axis=0, return_inverse=True)  # sorted by the first aim
    ys: list[float] = []
    zs: list[float] = []
    alone = np.ones(len(distinct), dtype=bool)
    for at, (_, y, z) in enumerate(distinct.tolist()):
        step = bisect_right(ys, y) - 1
        if step >= 0 and zs[step] <= z:
            alone[at] = False
            continue
        first = last = bisect_left(ys, y)
        while last < len(ys) and zs[last] >= z:
            last += 1
        ys[first:last], zs[first:last] = [y], [z]
    kept: NDArray[np.bool_] = alone[np.ravel(back)]
    return kept
