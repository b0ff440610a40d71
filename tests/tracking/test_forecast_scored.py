"""The forecast scored on 200 jobs that a generator of its own makes: it shares no code with it."""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from types import SimpleNamespace
from typing import Any, cast

import pytest

from costcalc.calculator.result import Estimate, Result
from costcalc.tracking.forecast import Forecaster, Snapshot

INTERVAL, PLANNED = 60.0, 1e6
WEEKS = 4  # of a job
POINTS = (0.1, 0.25, 0.5, 0.75)


@dataclass
class Job:
    """How much is done after each interval, how long it takes, and what was estimated before."""

    done: list[float]
    seconds: float
    estimated: float


def made(number: int) -> Job:
    """A job of one of five kinds: steady, warming up, with evaluation, stalling, slowing down."""
    rng = Random(number)
    kind = number % 5
    intervals = rng.randint(80, 160)
    base = PLANNED / intervals
    # Of its time that trains, as published runs have it from one week to another.
    weeks = [rng.uniform(0.75, 0.99) for _ in range(WEEKS)]
    done, total, clock = [], 0.0, 0
    while total < PLANNED:
        share = weeks[min(int(WEEKS * total / PLANNED), WEEKS - 1)]
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
    return cast("Estimate", SimpleNamespace(results=results, assumptions=(), details={}))


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


@pytest.fixture(scope="module")
def scores() -> dict[float, list[tuple[float, bool]]]:
    """Of each point the relative errors, and whether the range held the truth."""
    found: dict[float, list[tuple[float, bool]]] = {point: [] for point in POINTS}
    for number in range(200):
        job = made(number)
        truth = job.seconds / 3600
        for point, total in looks(job):
            error = abs(total.value / truth - 1)
            found[point].append((error, total.low <= truth <= total.high))
    return found


def test_the_range_holds_the_truth_as_often_as_it_says(scores: Any) -> None:
    held = [inside for each in scores.values() for _, inside in each]
    assert len(held) == 200 * len(POINTS)
    assert 0.85 <= statistics.mean(held) <= 0.96


def test_at_a_tenth_of_the_job_the_error_is_under_ten_percent(scores: Any) -> None:
    assert statistics.median(error for error, _ in scores[0.1]) < 0.10


def test_at_half_time_a_tight_and_wrong_estimate_holds_it_no_more(scores: Any) -> None:
    assert statistics.mean(inside for _, inside in scores[0.5]) >= 0.85
    assert statistics.quantiles((error for error, _ in scores[0.5]), n=20)[-1] < 0.10
