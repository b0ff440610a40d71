"""The forecast of a job under way: by hand, and that its range narrows and means what it says."""

from __future__ import annotations

from math import exp, log, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import costcalc
from costcalc.base.ranges import Z95
from costcalc.runfile.schema import Limits
from costcalc.tracking.forecast import DRIFT, Forecast, Forecaster, Snapshot, figures
from costcalc.tracking.limit_watch import LimitWatch
from costcalc.tracking.progress import due, line

RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1e9"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
    "site": {"grid": "100 gCO2e/kWh", "pue": 1.2},
    "price": {"device_hour": "2 USD"},
}


@pytest.fixture(scope="module")
def predicted() -> costcalc.Estimate:
    return costcalc.estimate(RUN)


def follow(job: Forecaster, pace: float, shares: list[float]) -> list[Forecast]:
    """A job of a steady pace (s a token), looked at when it has done these shares."""
    seen = []
    for share in shares:
        elapsed = share * 1e9 * pace
        found = job.look(
            Snapshot(elapsed=elapsed, done=share * 1e9, devices=8.0, joules=elapsed * 4000)
        )
        assert found is not None
        seen.append(found)
    return seen


def test_spent_follows_from_time_and_energy_by_the_pipeline(predicted: costcalc.Estimate) -> None:
    # 1 h of 8 devices at 2 USD = 16 USD; 4 kWh x PUE 1.2 = 4.8 kWh; x 100 g = 0.48 kg.
    spent, draws = figures(predicted, 8.0, 3600.0, 4 * 3.6e6)
    assert spent["wall_clock"].value == 1.0
    assert spent["device_hours"].value == 8.0
    assert spent["cost"].value == pytest.approx(16.0)
    assert spent["energy"].value == pytest.approx(4.8)
    assert spent["carbon_operational"].value == pytest.approx(0.48)
    assert draws == {}


def test_without_an_estimate_time_and_energy_are_all_that_is_known() -> None:
    spent, _ = figures(None, 8.0, 7200.0, 3.6e6)
    assert spent["device_hours"].value == 16.0
    assert spent["energy_it"].value == 1.0
    assert spent["cost"].value is None
    assert spent["cost"].why == "no run file says what it follows from"


def test_before_the_first_step_it_is_the_estimate(predicted: costcalc.Estimate) -> None:
    found = Forecaster(predicted).look(Snapshot(elapsed=0.0, done=0.0, devices=8.0))
    assert found is not None
    before = predicted.results["wall_clock"]
    assert found.total["wall_clock"].value == pytest.approx(before.value)
    assert found.total["cost"].value == pytest.approx(predicted.results["cost"].value)
    total = found.total["wall_clock"]
    # As wide as the estimate's, taken as symmetric in the logarithm.
    assert total.high / total.low == pytest.approx(before.high / before.low, rel=0.1)  # type: ignore[operator]


def test_two_sources_are_weighted_by_their_precision(predicted: costcalc.Estimate) -> None:
    # Steady pace: no scatter, so the job's own spread is DRIFT; the estimate's is its range.
    before = predicted.results["wall_clock"]
    assert before.value
    assert before.low
    assert before.high
    prior = before.value * 3600 / 1e9
    # The job takes twice as long as estimated: so unsure the estimate is at least.
    sigma = max(log(before.high / before.low) / (2 * Z95), log(2))
    pace = 2 * prior
    found = follow(Forecaster(predicted), pace, [0.001, 0.002, 0.003])[-1]
    weights = (1 / sigma**2, 1 / DRIFT**2)
    mixed = exp((weights[0] * log(prior) + weights[1] * log(pace)) / sum(weights))
    expected = (0.003 * pace + 0.997 * mixed) * 1e9 / 3600
    assert found.total["wall_clock"].value == pytest.approx(expected)
    low, high = found.total["wall_clock"].low, found.total["wall_clock"].high
    assert low
    assert high
    spread = log(high / low) / (2 * Z95)
    assert spread == pytest.approx(1 / sqrt(sum(weights)) * 0.997, rel=0.1)


def test_the_range_narrows_and_ends_at_what_it_took(predicted: costcalc.Estimate) -> None:
    found = follow(Forecaster(predicted), 1e-4, [0.01, 0.1, 0.3, 0.6, 0.9, 1.0])
    widths = [f.total["cost"].high / f.total["cost"].low for f in found]  # type: ignore[operator]
    # at first the estimate's own, which the job then contradicts
    assert widths[1:] == sorted(widths[1:], reverse=True)
    last = found[-1]
    assert last.total["wall_clock"].value == pytest.approx(1e9 * 1e-4 / 3600)
    assert last.total["wall_clock"].low == last.total["wall_clock"].high
    assert last.total["energy_it"].value == pytest.approx(1e5 * 4000 / 3.6e6)
    assert last.share == 1.0


def test_compilation_before_the_first_progress_sets_no_pace() -> None:
    job = Forecaster(None, planned=100.0)
    for elapsed, done in ((600.0, 0.0), (610.0, 1.0), (620.0, 2.0), (630.0, 3.0)):
        found = job.look(Snapshot(elapsed=elapsed, done=done, devices=1.0))
    assert found is not None
    assert found.total["wall_clock"].value == pytest.approx((630 + 97 * 10) / 3600)


@given(noise=st.floats(0.01, 0.5), seed=st.integers(0, 100))
def test_scatter_of_the_intervals_widens_the_range(noise: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    steady, noisy = Forecaster(None, planned=1e3), Forecaster(None, planned=1e3)
    done = 0.0
    for step in range(1, 12):
        done += float(np.exp(noise * rng.normal()))
        calm = steady.look(Snapshot(elapsed=10.0 * step, done=1.0 * step, devices=1.0))
        rough = noisy.look(Snapshot(elapsed=10.0 * step, done=done, devices=1.0))
    assert calm is not None
    assert rough is not None
    a, b = calm.total["wall_clock"], rough.total["wall_clock"]
    assert b.high / b.low >= a.high / a.low - 0.03  # type: ignore[operator]


def test_a_range_of_90_percent_holds_the_outcome_that_often() -> None:
    # Jobs whose rest runs at a pace drawn from what the record of effective time allows.
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(300):
        job = Forecaster(None, planned=1e3)
        for step in range(1, 21):
            found = job.look(Snapshot(elapsed=10.0 * step, done=10.0 * step, devices=1.0))
        assert found is not None
        truth = (200.0 + 800.0 * float(np.exp(DRIFT * rng.normal()))) / 3600
        total = found.total["wall_clock"]
        inside += total.low <= truth <= total.high  # type: ignore[operator]
    assert 0.85 <= inside / 300 <= 0.95


def test_limits_are_told_once_ahead_and_once_when_passed(predicted: costcalc.Estimate) -> None:
    run = costcalc.Run.model_validate(RUN | {"limits": {"cost": "20 USD", "carbon": "1 tCO2e"}})
    assert run.limits is not None
    watch, job = LimitWatch(run.limits, run.price), Forecaster(predicted)
    said = []
    for hours in (0.5, 0.6, 1.0, 1.26, 1.3):  # 16 USD an hour: 20 USD are spent after 1.25 h
        now = Snapshot(elapsed=hours * 3600, done=1e8 * hours, devices=8.0, joules=1e6 * hours)
        said += watch.look(now, predicted, job.look(now))
    assert len(said) == 2
    assert said[0].startswith("limit cost 20.0 USD will be passed: ")
    assert said[0].endswith("at the end (chance 100 %)")
    assert said[1] == "limit cost 20.0 USD is PASSED: 20.2 USD are spent"
    assert watch.passed == ["cost"]


def test_a_limit_that_cannot_be_watched_says_why_once() -> None:
    watch = LimitWatch(Limits.model_validate({"carbon": "1 kgCO2e"}), None)
    now = Snapshot(elapsed=10.0, done=1.0, devices=1.0)
    assert watch.look(now, None, None) == [
        "limit carbon 1.00 kgCO2e cannot be watched: no run file says what it follows from"
    ]
    assert watch.look(now, None, None) == []


def test_the_line_tells_spent_of_total(predicted: costcalc.Estimate) -> None:
    found = follow(Forecaster(predicted), 1e-4, [0.1, 0.2, 0.25])[-1]
    text = line(found.spent, found)
    assert text.startswith("25 % · time 6.94 of ")
    assert "· cost 111 of " in text  # 6.944 h x 8 x 2 USD
    assert "hours · cost" in text
    assert ", estimated " in line(found.spent, found, predicted.results)


def test_lines_grow_rare() -> None:
    times, last = [], 0.0
    for second in range(0, 6 * 3600, 10):
        if due(float(second), last):
            last = float(second)
            times.append(second)
    assert times == [20, 60, 180, 600, 1800, 3600, 7200, 10800, 14400, 18000]


# --- pace and power by hand -----------------------------------------------------------------------

# t s, tokens done, J: 120 tokens in 60 s (2 a second), then 180 in 120 s (1.5 a second).
UNEVEN = [(60.0, 100.0, 60_000.0), (120.0, 220.0, 96_000.0), (240.0, 400.0, 204_000.0)]


def at_the_end(snapshots: list[tuple[float, float, float]]) -> Forecast:
    job = Forecaster(None, planned=1000.0)
    for elapsed, done, joules in snapshots:
        found = job.look(Snapshot(elapsed=elapsed, done=done, devices=8.0, joules=joules))
    assert found is not None
    return found


def test_drift_is_half_the_log_range_of_effective_time() -> None:
    # Llama 3: 75 to 99 % of the time; as the 5th and 95th percentile, 1.645 deviations a side.
    assert log(0.99 / 0.75) / 2 / 1.6448536 == pytest.approx(DRIFT, rel=1e-6)


def test_the_rest_is_at_the_mean_pace_and_its_range_by_the_scatter_of_intervals() -> None:
    time = at_the_end(UNEVEN).total["wall_clock"].to("s")
    # (240 - 60) s / (400 - 100) = 0.6 s a token; 240 s + 600 tokens x 0.6 s = 600 s
    assert time.value == pytest.approx(600.0)
    # Paces 2 and 1.5: mean 1.75, deviation 0.3536, of the mean of two 0.25, as a share 1/7.
    sigma = sqrt((0.25 / 1.75) ** 2 + DRIFT**2)
    assert time.high == pytest.approx(240 + 360 * exp(Z95 * sigma), rel=0.01)
    assert time.low == pytest.approx(240 + 360 * exp(-Z95 * sigma), rel=0.01)


def test_one_interval_alone_has_three_tenths_of_scatter() -> None:
    time = at_the_end(UNEVEN[:2]).total["wall_clock"].to("s")
    # 60 s / 120 tokens = 0.5 s a token; 120 s + 780 x 0.5 s = 510 s
    assert time.value == pytest.approx(510.0)
    high = 120 + 390 * exp(Z95 * sqrt(0.3**2 + DRIFT**2))
    assert time.high == pytest.approx(high, rel=0.01)


def test_the_energy_of_the_rest_is_at_the_mean_power_of_the_intervals() -> None:
    energy = at_the_end(UNEVEN).total["energy_it"].to("J")
    # 36 kJ in 60 s = 600 W, 108 kJ in 120 s = 900 W: 750 W; 204 kJ + 360 s x 750 W = 474 kJ
    assert energy.value == pytest.approx(474_000.0)
    # Time and power scatter apart: sqrt((1/7)^2 + drift^2) and 150 W / 750 W = 0.2 of the mean.
    time, power = sqrt((0.25 / 1.75) ** 2 + DRIFT**2), 150 / 750
    assert energy.high is not None
    assert energy.low is not None
    high = 204_000 + 270_000 * exp(Z95 * sqrt(time**2 + power**2))
    assert energy.high == pytest.approx(high, rel=0.03)
    assert energy.low < 474_000.0 - 40_000.0


def test_one_interval_of_power_has_the_scatter_of_its_time_alone() -> None:
    energy = at_the_end(UNEVEN[:2]).total["energy_it"].to("J")
    # 600 W; 96 kJ + 390 s x 600 W = 330 kJ
    assert energy.value == pytest.approx(330_000.0)
    high = 96_000 + 234_000 * exp(Z95 * sqrt(0.3**2 + DRIFT**2))
    assert energy.high == pytest.approx(high, rel=0.01)


def test_what_went_before_the_first_progress_sets_no_pace() -> None:
    # 300 s of compiling, then 100 tokens in 60 s: 460 s + 800 x 0.6 s = 940 s
    seen = [(100.0, 0.0, 0.0), (400.0, 100.0, 0.0), (460.0, 200.0, 0.0)]
    assert at_the_end(seen).total["wall_clock"].to("s").value == pytest.approx(940.0)


def test_a_job_that_is_past_its_plan_has_nothing_left() -> None:
    done = at_the_end([*UNEVEN, (700.0, 1100.0, 500_000.0)])
    assert done.share == 1.0
    time = done.total["wall_clock"].to("s")
    assert (time.low, time.value, time.high) == (700.0, 700.0, 700.0)


def test_before_an_interval_the_power_so_far_is_taken_as_it_is(
    predicted: costcalc.Estimate,
) -> None:
    now = Snapshot(elapsed=100.0, done=1e6, devices=8.0, joules=400_000.0)  # 4 kW
    found = Forecaster(predicted).look(now)
    assert found is not None
    time, energy = found.total["wall_clock"].to("s"), found.total["energy_it"].to("J")
    for of_time, of_energy in zip(
        (time.low, time.value, time.high), (energy.low, energy.value, energy.high), strict=True
    ):
        assert of_time is not None
        assert of_energy == pytest.approx(400_000 + (of_time - 100) * 4000)


def test_a_meter_that_sees_nothing_foresees_nothing() -> None:
    energy = at_the_end([(at, done, 0.0) for at, done, _ in UNEVEN]).total["energy_it"]
    assert (energy.low, energy.value, energy.high) == (0.0, 0.0, 0.0)
