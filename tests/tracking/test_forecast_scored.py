"""The forecast scored on 200 jobs that a generator makes.

It shares no code with the forecast, but a constant: its jobs train for 75 to 99 % of a week, the
span by which the forecast lets the rest drift.  How many such weeks a job has was chosen after a
first score of 98.75 % with drift from interval to interval, so it is scored with several; and once
with a drift that has nothing of the forecast's.
"""

from __future__ import annotations

import functools
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from costcalc.calculator.result import Estimate, Result
from costcalc.tracking.forecast import Forecaster, Snapshot

INTERVAL, PLANNED = 60.0, 1e6
WEEKS = (1, 2, 4, 8)  # of a job
POINTS = (0.1, 0.25, 0.5, 0.75)


@dataclass
class Job:
    """How much is done after each interval, how long it takes, and what was estimated before."""

    done: list[float]
    seconds: float
    estimated: float


def by_weeks(weeks: int, rng: Random) -> Callable[[float], float]:
    """Shares of time that trains as published runs have them from one week to another."""
    shares = [rng.uniform(0.75, 0.99) for _ in range(weeks)]
    return lambda done: shares[min(int(weeks * done), weeks - 1)]


def wandering(_: int, rng: Random) -> Callable[[float], float]:
    """Shares of 60 to 100 % that wander: each interval's has 0.95 of the one before."""
    level = 0.0

    def share(_: float) -> float:
        nonlocal level
        level = 0.95 * level + sqrt(1 - 0.95**2) * rng.gauss(0.0, 1.0)
        return 0.6 + 0.4 * statistics.NormalDist().cdf(level)

    return share


Drift = Callable[[int, Random], Callable[[float], float]]


def made(number: int, weeks: int, drift: Drift) -> Job:
    """A job of one of five kinds: steady, warming up, with evaluation, stalling, slowing down."""
    rng = Random(number)
    kind = number % 5
    intervals = rng.randint(80, 160)
    base = PLANNED / intervals
    share_at = drift(weeks, rng)
    done, total, clock = [], 0.0, 0
    while total < PLANNED:
        share = share_at(total / PLANNED)
        clock += 1
        pace = base * share * rng.gauss(1.0, 0.03)
        if kind == 1 and clock < 5:
            pace *= clock / 5
        if kind == 2 and clock % 10 == 0:
            pace *= 0.4
        if kind == 3:  # the same share, in stalls
            pace = base * (1.0 if rng.random() < share else 0.0)
        if kind == 4:
            pace *= 1.05 - 0.1 * total / PLANNED
        total += max(pace, 0.0)
        done.append(total)
    seconds = clock * INTERVAL
    return Job(done=done, seconds=seconds, estimated=seconds * rng.uniform(0.3, 3.0))


def before(job: Job) -> Estimate:
    """As much of an estimate as a forecast reads: tight, and off by 0.3 to 3 times."""
    hours = job.estimated / 3600
    none = Result.of(hours, hours * 0.85, hours * 1.15, "h", "modelled")
    results: dict[str, Result] = dict.fromkeys(
        (
            *("wall_clock", "device_hours", "cost", "energy_it", "energy", "carbon_operational"),
            *("carbon_embodied", "carbon_total"),
        ),
        none,
    )
    return cast("Estimate", SimpleNamespace(results=results, inputs=(), details={}))


def looks(job: Job) -> Iterator[tuple[float, Any]]:
    """The forecast at each point of the job's time."""
    follower = Forecaster(before(job), planned=PLANNED)
    wanted = [round(point * len(job.done)) for point in POINTS]
    for number, total in enumerate(job.done, 1):
        now = Snapshot(elapsed=number * INTERVAL, done=total, devices=8.0)
        if number in wanted:
            seen = follower.look(now)
            assert seen is not None
            yield POINTS[wanted.index(number)], seen.total["wall_clock"]
        else:
            follower._note(now)


Scores = dict[float, list[tuple[float, bool]]]


@functools.cache
def scored(weeks: int, drift: Drift = by_weeks) -> Scores:
    """Of each point the relative errors, and whether the range held the truth."""
    found: Scores = {point: [] for point in POINTS}
    for number in range(200):
        job = made(number, weeks, drift)
        truth = job.seconds / 3600
        for point, total in looks(job):
            error = abs(total.value / truth - 1)
            found[point].append((error, total.low <= truth <= total.high))
    return found


def share_held(scores: Scores) -> float:
    held = [inside for each in scores.values() for _, inside in each]
    assert len(held) == 200 * len(POINTS)
    return statistics.mean(held)


@pytest.mark.parametrize("weeks", WEEKS)
def test_the_range_holds_the_truth_as_often_as_it_says(weeks: int) -> None:
    """Without drift, one week, it holds it more often: 98.5 %."""
    held = share_held(scored(weeks))
    assert held >= 0.85
    assert held <= (0.96 if weeks > 1 else 0.99)


def test_a_drift_beyond_what_is_assumed_is_held_less_often() -> None:
    """76 % of the ranges, in place of the 90 % that they claim: docs/tracking.md says so."""
    scores = scored(1, wandering)
    assert share_held(scores) == pytest.approx(0.7625, abs=0.02)
    assert statistics.median(error for error, _ in scores[0.1]) < 0.10


def test_jobs_that_slow_down_are_held_least() -> None:
    held = [each[number][1] for each in scored(4).values() for number in range(4, 200, 5)]
    assert statistics.mean(held) == pytest.approx(0.84, abs=0.02)


@pytest.mark.parametrize("weeks", WEEKS)
def test_at_a_tenth_of_the_job_the_error_is_under_ten_percent(weeks: int) -> None:
    assert statistics.median(error for error, _ in scored(weeks)[0.1]) < 0.10


@pytest.mark.parametrize(
    ("weeks", "least", "error"),
    # With two weeks all of the drift comes at half time: the hardest moment to look.
    [(1, 0.85, 0.10), (2, 0.80, 0.11), (4, 0.85, 0.10), (8, 0.85, 0.10)],
)
def test_at_half_time_a_tight_and_wrong_estimate_holds_it_no_more(
    weeks: int, least: float, error: float
) -> None:
    scores = scored(weeks)
    assert statistics.mean(inside for _, inside in scores[0.5]) >= least
    assert statistics.quantiles((off for off, _ in scores[0.5]), n=20)[-1] < error
