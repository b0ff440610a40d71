"""Spot, trials, ways and pauses of a plan: beside each figure its working."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from costcalc.decide import alternatives, buying, pausing, planning, ranging, scaling, waiting
from costcalc.decide.chance import Chance
from costcalc.decide.planning import Spot, plan
from costcalc.decide.series import Series, instant
from costcalc.decide.statistics import bootstrap, resampled

RUN = {
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
    "model": {"preset": "llama-3-8b"},
    "training": {"method": "lora", "tokens": "10M"},
    "site": {"region": "aws:us-east-1"},
}


def estimated(**figures):
    results = {name: SimpleNamespace(value=value, why="unsaid") for name, value in figures.items()}
    return SimpleNamespace(results=results, details={})


# --- spot -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("demand", "cheaper"), [(100.0, True), (1.0, False), (None, None)])
def test_spot_costs_what_it_takes_longer(monkeypatch, demand, cheaper):
    # 10 h at one interruption in 10 h, pieces of 30 min saved in 1 min, 6 min to start again:
    # expected hours of work w: M e^(R/M) (e^((t+d)/M) - 1) w / t, with M 10, t 0.5, R 0.1, d 1/60
    costs = {"spot": estimated(cost=40.0, wall_clock=10.0), "on-demand": estimated(cost=demand)}
    monkeypatch.setattr(planning, "alone", lambda run: costs[run["price"]["plan"]])
    made = SimpleNamespace(run={"price": {"provider": "x"}})
    asked = Spot(rate=0.1 / 3600, checkpoint=60.0, restart=360.0, interval=1800.0)
    found = planning._spot(made, asked, counted=False)
    assert (found["usual"], found["counted"]) == (False, False)
    hours = 10 * math.exp(0.01) * (math.exp((0.5 + 1 / 60) / 10) - 1) * 10 / 0.5
    assert found["work_hours"] == 10.0
    assert found["expected_hours"] == pytest.approx(hours)
    assert found["factor"] == pytest.approx(hours / 10)
    assert found["interval_minutes"] == pytest.approx(30.0)
    assert found["interruptions"] == pytest.approx(hours / 10)
    assert found["spot_cost"] == pytest.approx(40 * hours / 10)
    assert (found["on_demand_cost"], found["cheaper"]) == (demand, cheaper)
    # without saving, all ten hours in one piece: M e^(R/M) (e^(w/M) - 1)
    assert found["without_checkpoints_hours"] == pytest.approx(10 * math.exp(0.01) * (math.e - 1))


def test_without_a_spot_price_none_is_made_up(monkeypatch):
    costs = {"spot": estimated(cost=None, wall_clock=10.0), "on-demand": estimated(cost=100.0)}
    monkeypatch.setattr(planning, "alone", lambda run: costs[run["price"]["plan"]])
    made = SimpleNamespace(run={})
    asked = Spot(rate=1e-3, checkpoint=60.0, restart=0.0, interval=60.0)
    found = planning._spot(made, asked, counted=True)
    assert (found["spot_cost"], found["spot_cost_why"], found["cheaper"]) == (None, "unsaid", None)
    assert found["on_demand_cost"] == 100.0


# --- what a plan says -----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made():
    return plan(RUN, limits={"cost": "100 USD", "time": "9 d"})


def test_what_is_left_is_the_limit_without_what_is_used(made):
    results = made.estimate.results
    used = {"cost": results["cost"].value, "time": results["wall_clock"].value}
    assert made.limits == {"cost": 100.0, "time": 9 * 24.0}
    assert made.left == {key: pytest.approx(made.limits[key] - used[key]) for key in used}
    # the limit that holds the fewest runs binds
    assert made.binding == min(used, key=lambda key: made.limits[key] / used[key])
    assert made.flop == made.estimate.results["training_compute"].value
    shown = made.to_dict()
    assert shown["units"] == {"cost": "USD", "time": "h", "energy": "kWh", "carbon": "kgCO2e"}
    assert set(shown["ways"]) == {"cheapest", "fastest", "cleanest"}
    assert shown["run"] == dict(made.run)


def test_each_way_is_the_least_in_its_aim(made):
    for name, figure in (
        ("cheapest", "cost"),
        ("fastest", "wall_clock"),
        ("cleanest", "carbon_total"),
    ):
        for other in made.ways.values():
            assert made.ways[name][figure] <= other[figure] * (1 + 1e-9)


@pytest.mark.parametrize(
    ("site", "notes", "aims"),
    [
        ({"region": "FR"}, [], 3),
        ({"grid": "50 gCO2e/kWh"}, ["no site.region: carbon is not compared"], 2),
    ],
)
def test_without_a_region_carbon_is_not_compared(site, notes, aims):
    raw = {**RUN, "site": site, "price": {"device_hour": "2 USD"}, "limits": {"cost": "100 USD"}}
    run, _, ways, said = alternatives.alternatives(raw, Chance())
    assert (said, len(ways)) == (notes, aims)
    assert run["site"] == site if "grid" in site else run["site"]["region"] == "FR"


def test_keys_are_laid_over_the_run():
    raw = {"a": {"b": 1, "c": 2}}
    assert planning._changed(raw, {"a.b": 3, "d.e.f": 4, "g": 5}) == {
        "a": {"b": 3, "c": 2},
        "d": {"e": {"f": 4}},
        "g": 5,
    }
    assert raw == {"a": {"b": 1, "c": 2}}


def test_unknown_figures_hold_no_trial():
    made = SimpleNamespace(estimate=estimated(cost=None, wall_clock=2.0), limits={"cost": 1.0})
    found = planning._search(made, {}, [0.5])
    assert (found["each"], found["trials"]) == ({"cost": 0.0}, 0)
    made.limits = {"time": 6.0}
    found = planning._search(made, {}, [0.1, 0.4, 0.9])
    assert (found["trials"], found["beyond"]) == (3, None)  # as many as there are scores
    assert found["expected_best"] == 0.9
    assert [row["trials"] for row in found["curve"]] == [1, 2, 3]
    assert [row["time"] for row in found["curve"]] == [2.0, 4.0, 6.0]
    # of two of the three: 0.4, 0.9 and 0.9
    assert found["curve"][1]["expected_best"] == pytest.approx((0.4 + 0.9 + 0.9) / 3)


# --- a provider's own error of its price ----------------------------------------------------------


@pytest.mark.parametrize(
    ("row", "provider", "region", "apart"),
    [
        ({"plan": "on-demand"}, "x", None, True),
        ({"plan": "on-demand"}, None, "aws", True),
        ({"plan": "owned"}, "x", None, False),
    ],
)
def test_two_providers_prices_are_wrong_each_in_its_own_way(row, provider, region, apart):
    from costcalc.base.assumption import Assumption

    rent = Assumption(
        key="price.device_hour",
        value=2.0,
        low=1.0,
        high=4.0,
        unit="USD/device_hour",
        basis="default",
        source="s",
    )
    price = SimpleNamespace(provider=provider) if provider else None
    part = SimpleNamespace(
        assumptions=[rent],
        given=SimpleNamespace(part=SimpleNamespace(price=price)),
        region=SimpleNamespace(provider=region) if region else None,
    )
    found = ranging._own_price(part, {"accelerator": "a", **row})
    assert (np.size(found) > 1) is apart
    other = SimpleNamespace(**{**vars(part), "assumptions": []})
    assert ranging._own_price(other, {"accelerator": "a", **row}) == 1.0
    if apart:
        # with a provider of the price's own, its region's is not asked
        same = ranging._own_price(part, {"accelerator": "a", **row})
        assert np.array_equal(same, found)
        elsewhere = SimpleNamespace(**{**vars(part), "region": SimpleNamespace(provider="gcp")})
        moved = ranging._own_price(elsewhere, {"accelerator": "a", **row})
        assert np.array_equal(moved, found) is (provider is not None)


# --- pauses and starts ----------------------------------------------------------------------------


def test_a_threshold_that_lasts_just_long_enough():
    values = np.array([100.0, 300.0, 100.0])
    assert pausing.above(values, 2.0, 100.0).end == 3.0
    assert pausing.above(values, 2.0 + 1e-10, 100.0) is not None  # a hair of a step
    assert pausing.above(values, 2.0 + 1e-8, 100.0) is None
    assert pausing.above(values, 2.0, 99.9) is None
    assert pausing.above(np.array([np.nan, 1.0]), 1.0, 5.0).first == 1


def test_the_cleanest_steps_of_a_window():
    # two of four hours: 100 and 200, the third left out; of equal hours the earlier
    found = pausing.cleanest(np.array([200.0, 900.0, 100.0, 200.0]), 2.0, 2.0)
    assert (found.first, found.end, found.pauses, found.mean) == (0, 3.0, 1, 150.0)
    # of a window longer than the series all of the series
    assert pausing.cleanest(np.array([3.0, 1.0, 2.0]), 1.0, 99.0).first == 1
    assert pausing.checked(1.0) == ""
    assert pausing.checked(0.99) != ""


def run_of(values, hours=2.0, **options):
    series = Series(
        start=instant("2026-06-01T00:00Z"),
        step=1800.0,
        values=tuple(map(float, values)),
        signal="average",
        source="test",
    )
    measured = {"wall_clock": f"{hours} h", "energy": "10 kWh"}
    run = {"hardware": {"accelerator": "a100-sxm4-80", "count": 1}, "measured": measured}
    return waiting.when(run, series, **options)


def test_half_hours_are_half_hours():
    # an hour of half-hourly values: two steps; paused above 250 it runs in the first and fourth
    found = run_of([200, 300, 300, 100], 1.0, threshold=250.0, stretch=2.0)
    assert found.now.mean_intensity == 250.0
    assert found.paused.mean_intensity == 150.0
    assert (found.paused.pauses, found.paused.elapsed_hours) == (1, 2.0)
    assert found.paused.emissions == pytest.approx(150 * 10 / 1000)
    assert found.cleanest.emissions == pytest.approx(150 * 10 / 1000)
    assert found.window_hours == 1.0  # starts at 0, 0.5 and 1 h
    shown = found.to_dict()
    assert shown["paused"]["saving"] == pytest.approx(1 - 150 / 250)
    assert shown["saving"] == found.saving == pytest.approx(1 - 200 / 250)  # 300 and 100 from 1 h
    assert found.best.start.isoformat() == "2026-06-01T01:00:00+00:00"
    assert any("while paused nothing is counted" in note for note in found.notes)


def test_where_nothing_is_emitted_nothing_is_saved():
    found = run_of([0, 0, 0, 0], 1.0)
    assert (found.saving, found.worth) == (0.0, False)
    assert found.sentence == "Start at once: no later start in the window emits less."


@pytest.mark.parametrize(("values", "noted"), [([1] * 8, False), ([1] * 7, True)])
def test_a_stretch_beyond_the_series_is_told(values, noted):
    # twice two hours are eight half hours
    notes = run_of(values, 2.0, stretch=2.0).notes
    assert any("is more than the series holds" in note for note in notes) is noted


@pytest.mark.parametrize(
    ("start", "fine"),
    [("2026-06-01T00:00Z", True), ("2026-05-31T23:59Z", False), ("2026-06-01T04:00Z", False)],
)
def test_a_start_is_within_the_series(start, fine):
    if fine:
        assert run_of([1] * 8, 2.0, start=start).now.start.hour == 0
        return
    with pytest.raises(ValueError, match="is not in the series, 2026-06-01T00:00:00"):
        run_of([1] * 8, 2.0, start=start)


# --- laws, the bootstrap --------------------------------------------------------------------------


def test_a_published_exponent_is_laid_through_the_pivot():
    # at 100 times the pivot parameters are 100^0.4 to 100^0.6 of those at it
    law = scaling.ScalingLaw(
        id="h", name="h", source="", url=None, A=400, B=400, E=1.5, a=0.5, b=0.5,
        errors=None, exponents=((0.45, 0.6), (0.4, 0.5)), pivot=6e8,
    )  # fmt: skip
    found = scaling.shown(law, 6e10, None)
    # equal terms: sqrt(C / 6), 1e4 at the pivot
    assert found["parameters"] == pytest.approx(1e5)
    assert found["parameters_low"] == pytest.approx(1e4 * 100**0.4)
    assert found["parameters_high"] == pytest.approx(1e4 * 100**0.6)
    assert found["tokens_low"] == pytest.approx(1e10 / (1e4 * 100**0.6))
    assert found["tokens_high"] == pytest.approx(1e10 / (1e4 * 100**0.4))
    assert found["loss_low"] is None
    over = scaling.shown(law, 6e10, 20.0)
    assert over["parameters_low"] is None
    assert over["tokens"] == pytest.approx(20 * over["parameters"])


def test_resampling_draws_every_point_alike():
    drawn = resampled(4, "k", 5000)
    assert drawn.shape == (5000, 4)
    counts = np.bincount(drawn.ravel(), minlength=4)
    # 20,000 draws of four: 5000 each, within four standard deviations of sqrt(20000 · 3 / 16) = 61
    assert np.abs(counts - 5000).max() < 4 * 61.3


def test_a_sample_of_one_point_alone_is_no_line():
    # of three points nine in 27 samples are of one point; they are left out, not divided by zero
    x, y = np.array([0.0, 1.0, 2.0]), np.array([0.0, 1.0, 2.0])
    sizes = []
    bootstrap(x, y, "k", lambda slopes, _: sizes.append(len(slopes)) or slopes)
    assert 2000 * (1 - 3 / 27) * 0.97 < sizes[0] < 2000 * (1 - 3 / 27) * 1.03


def test_hardware_of_ones_own_is_kept():
    # a given accelerator without a number gets one; a given number stays
    run = {"hardware": {"accelerator": "h100-sxm5-80"}, "site": {"region": "FR"}}
    run["price"] = {"device_hour": "2 USD"}
    found = buying.bought({**run, "limits": {"time": "10 h"}})
    assert found.run["hardware"]["accelerator"] == "h100-sxm5-80"
    assert found.run["hardware"]["count"] == 4096  # time binds: the more the better
    three = {**run["hardware"], "count": 3}
    kept = buying.bought({**run, "hardware": three, "limits": {"time": "10 h"}})
    assert kept.run["hardware"] == three


def test_no_number_of_tokens_is_told_as_other_limits_that_nothing_keeps():
    with pytest.raises(buying.UnmetError) as caught:
        plan({}, limits={"cost": "0.01 USD"})
    (problem,) = caught.value.problems
    assert problem.message == "nothing keeps the limits: no number of tokens keeps them"


def test_the_most_devices_that_are_tried_are_said_to_be_that():
    said = "devices are the most that are tried: hardware.count takes more"
    run = {**RUN, "hardware": {"accelerator": "h100-sxm5-80"}}
    wide = {"limits": {"cost": "1e9 USD", "time": "90 d"}}
    free = {"hardware": {"accelerator": "h100-sxm5-80"}, "site": RUN["site"]}
    assert f"4,096 {said}" in plan(free, **wide).notes
    assert f"16 {said}" in plan(run, **wide).notes  # in tuning a usual batch has 16 sequences
    assert not any(said in note for note in plan(RUN, **wide).notes)  # eight, as the file says
    assert not any(said in note for note in plan(free, limits={"cost": "100 USD"}).notes)
