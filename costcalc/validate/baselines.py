"""What the predictions have to beat: constants that other calculators use, on the same rows.

A constant counts as held out where it comes from the other groups of sources alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import median

from costcalc.validate.score import Point, Score, score

#: the share of the dense peak that calculators assume where they assume one for all
FLAT = 0.40
NOTE = (
    "Below: the same rows with one efficiency for all, and with the median of what other sources "
    "reach on that accelerator in that precision."
)
_Chip = Callable[[Point], object]


def of_throughput(points: Sequence[Point]) -> Mapping[str, Score]:
    """Flat efficiency, and one by accelerator and precision."""
    return {
        f"flat {FLAT:.0%} of the peak": _scored(points, [FLAT] * len(points)),
        "constant by chip and precision": _scored(
            points, _of_others(points, lambda p: (p.accelerator, p.precision))
        ),
    }


def of_runs(points: Sequence[Point]) -> Mapping[str, Score]:
    """Published runs with a constant efficiency by accelerator, organisations left out."""
    found = _of_others(points, lambda point: point.accelerator)
    return {"constant by chip": _scored(points, found)}


def _of_others(points: Sequence[Point], chip: _Chip) -> list[float]:
    """For each, what the other sources reach on its chip; where there are none, on all chips."""
    known = [(one.source, chip(one), share) for one in points if (share := one.share) is not None]
    found = {}
    for source, on in {(one.source, chip(one)) for one in points}:
        others = [(where, share) for who, where, share in known if who != source]
        same = [share for where, share in others if where == on]
        found[source, on] = median(same or [share for _, share in others])
    return [found[one.source, chip(one)] for one in points]


def _scored(points: Sequence[Point], shares: Sequence[float]) -> Score:
    """Scores of constant shares of the peak; they have no range, and refuse what we refuse."""
    found = []
    for one, constant in zip(points, shares, strict=True):
        ratio = None if one.share is None else constant / one.share
        if ratio and one.is_time:
            ratio = 1.0 / ratio
        found.append(replace(one, predicted=ratio and one.measured * ratio))
    return replace(score(found), inside=math.nan)
