"""What the predictions have to beat: constants that other calculators use, on the same rows.

A constant counts as held out where it comes from the other groups of sources alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import median

from costcalc.throughput.coefficients import rates_of
from costcalc.validate import published
from costcalc.validate.rows import Case, Measured, case_for, number
from costcalc.validate.score import Point, Score, score

#: the share of the dense peak that calculators assume where they assume one for all
FLAT = 0.40
NOTE = (
    "Below: the same rows with one efficiency for all, and with the median of what other sources "
    "reach on that accelerator in that precision."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A point, and the share of the dense peak that its model FLOPs made of it."""

    point: Point
    share: float
    group: str
    chip: tuple[str, ...]  # accelerator, and precision where one is stated


def peak_share(case: Case, rate: float) -> float:
    """Model FLOPs (three forward passes, without recompute) a second over the dense peak.

    ``rate`` is data a second and device.
    """
    tokens = rate * float(case.shape.sequence_length) * case.training.global_batch / case.per_step
    flops = 3.0 * float(case.shape.forward_flops) * tokens
    return float(flops / rates_of(case.machine, case.precision).peak)


def of_throughput(measured: Iterable[Measured]) -> Mapping[str, Score]:
    """Flat efficiency, and one by accelerator and precision, for what has shape or size."""
    used = []
    for one in measured:
        case = case_for(one)
        if case is None:
            continue
        row = one.row
        used.append(Used(
            point=Point(measured=one.rate, predicted=None), share=peak_share(case, one.rate),
            group=one.group, chip=(row["accelerator"], row["precision"]),
        ))  # fmt: skip
    return {
        f"flat {FLAT:.0%} of the peak": _scored(used, lambda one: FLAT / one.share),
        "constant by chip and precision": _scored(used, lambda one: _others(one, used) / one.share),
    }


def of_runs(runs: Sequence[published.Published]) -> Mapping[str, Score]:
    """Published runs with a constant efficiency by accelerator, organisations left out."""
    used = []
    for run in runs:
        case = published.case_for(run.row)
        rate = number(run.row, "tokens") / (run.hours * 3600.0)
        used.append(Used(
            point=Point(measured=run.hours, predicted=None), share=peak_share(case, rate),
            group=run.row["organisation"], chip=(run.row["accelerator"],),
        ))  # fmt: skip
    return {"constant by chip": _scored(used, lambda one: one.share / _others(one, used))}


def _others(one: Used, used: Sequence[Used]) -> float:
    """Median share of the other groups on this chip; where nobody else has one, on all chips."""
    others = [other for other in used if other.group != one.group]
    same = [other.share for other in others if other.chip == one.chip]
    return median(same or [other.share for other in others])


def _scored(used: Sequence[Used], ratio: Callable[[Used], float]) -> Score:
    """Scores of measured times ``ratio``, a prediction without a range."""
    points = [replace(one.point, predicted=one.point.measured * ratio(one)) for one in used]
    return replace(score(points), inside=math.nan)
