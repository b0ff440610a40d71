"""Hyper-parameter search: how good the best of n trials is expected to be, from past scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NotRequired, TypedDict, cast

from costcalc.base.errors import wrong

SOURCES = (
    "Dodge et al. 2019, Show Your Work (EMNLP), https://arxiv.org/abs/1909.03004",
    (
        "Tang et al. 2020, Showing Your Work Doesn't Always Work (ACL), the unbiased form, "
        "https://arxiv.org/abs/2004.13705"
    ),
)


def expected_best(scores: Sequence[float], n: int) -> float:
    """The mean of the best score over all choices of n of the scores: unbiased for n trials.

    Source: Tang et al. 2020, who show that the form of Dodge et al. 2019 (:func:`plug_in`) is
    biased.  The i-th smallest of B scores is the best of C(i-1, n-1) of the C(B, n) choices.

    Raises:
        InputError: n is not between 1 and the number of scores.

    >>> expected_best([1.0, 2.0, 3.0], 2)  # the pairs' maxima are 2, 3 and 3
    2.6666666666666665
    """
    number = len(scores)
    if not 1 <= n <= number or not all(math.isfinite(score) for score in scores):
        raise wrong("trials", f"expected 1 to {number} trials and finite scores; got {n}")
    total, weight = 0.0, 1.0  # C(i-1, n-1) / C(B, n), from the largest score down
    weight = n / number
    ordered = sorted(scores, reverse=True)
    for i, score in enumerate(ordered):
        total += weight * score
        left = number - i - 1  # scores below this one
        if left <= 0:
            break
        weight *= (left - n + 1) / left
        if weight <= 0:
            break
    return total


def plug_in(scores: Sequence[float], n: int) -> float:
    """The mean of the best of n drawn from the scores with replacement, for any n.

    No draw beats the best score seen, so that it is biased low, the more the more trials: a figure
    for more trials than scores, to be read as "at least about".  Source: Dodge et al. 2019.

    Raises:
        InputError: n is not 1 or more, or a score is not finite.

    >>> plug_in([1.0, 2.0], 1), plug_in([1.0, 2.0], 2), round(plug_in([1.0, 2.0], 50), 9)
    (1.5, 1.75, 2.0)
    """
    number = len(scores)
    if n < 1 or not number or not all(math.isfinite(score) for score in scores):
        raise wrong("trials", f"expected 1 or more trials and finite scores; got {n}")
    ordered = sorted(scores)
    return sum(
        score * ((i / number) ** n - ((i - 1) / number) ** n)
        for i, score in enumerate(ordered, start=1)
    )


class Trials(TypedDict):
    """So many trials: the best score to expect, and what they take of each limit."""

    trials: int
    expected_best: float
    cost: NotRequired[float]
    time: NotRequired[float]
    energy: NotRequired[float]
    carbon: NotRequired[float]


def curve(scores: Sequence[float], most: int, each: dict[str, float]) -> list[Trials]:
    """Expected best score against what so many trials cost; ``each`` is one trial's figures."""
    made = [
        {
            "trials": n,
            "expected_best": expected_best(scores, n),
            **{name: value * n for name, value in each.items()},
        }
        for n in range(1, min(most, len(scores)) + 1)
    ]
    return cast("list[Trials]", made)
