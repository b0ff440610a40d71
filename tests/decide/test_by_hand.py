"""The arithmetic of decide against figures worked out by hand, beside each its working."""

from __future__ import annotations

import datetime
import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from costcalc.base.errors import InputError
from costcalc.decide import buying, interruptions, pausing, scaling, statistics, trend, waiting
from costcalc.decide.chance import Judged
from costcalc.decide.history import landmarks
from costcalc.decide.pareto import front
from costcalc.decide.series import Series, instant

# --- statistics -----------------------------------------------------------------------------------


def test_a_line_through_four_points():
    # means 1.5 and 2.75; sxx = 2 (2.25 + 0.25) = 5; sxy = 2.625 - 0.125 - 0.375 + 3.375 = 5.5
    # rest: -0.1, 0.8, -1.3, 0.6 -> 0.01 + 0.64 + 1.69 + 0.36 = 2.7; syy = 8.75
    # slope ± 4.302653 sqrt(2.7 / 2 / 5), Student's t of 2 degrees of freedom
    found = statistics.line(np.array([0.0, 1.0, 2.0, 3.0]), np.array([1.0, 3.0, 2.0, 5.0]))
    assert found.slope == pytest.approx(5.5 / 5)
    assert found.intercept == pytest.approx(2.75 - 1.1 * 1.5)
    assert found.r2 == pytest.approx(1 - 2.7 / 8.75)
    margin = 4.302653 * math.sqrt(0.27)
    assert (found.low, found.high) == (pytest.approx(1.1 - margin), pytest.approx(1.1 + margin))
    assert found.n == 4
    assert not found.significant  # 1.1 - 2.24 is below 0


@pytest.mark.parametrize(
    ("low", "high", "significant"),
    [(0.1, 2.0, True), (-2.0, -0.1, True), (-1.0, 1.0, False), (0.0, 1.0, False), (-1, 0.0, False)],
)
def test_a_slope_is_significant_where_its_interval_leaves_out_zero(low, high, significant):
    made = statistics.Fit(slope=1, intercept=0, low=low, high=high, r2=1, n=9)
    assert made.significant is significant


def test_a_flat_line_is_fitted_whole_and_two_points_are_none():
    three = np.array([0.0, 1.0, 2.0])
    assert statistics.line(three, np.ones(3)).r2 == 1.0
    with pytest.raises(ValueError, match="three points"):
        statistics.line(three[:2], three[:2])
    with pytest.raises(ValueError, match="more than one x"):
        statistics.line(np.ones(3), three)


@pytest.mark.parametrize(
    ("t", "freedom", "share"),
    [
        (0.0, 7, 0.5),
        (1.0, 1, 0.75),  # 1/2 + atan(1)/pi
        (1.0, 2, 0.5 + 1 / (2 * math.sqrt(3))),  # 1/2 + t / (2 sqrt(2 + t²))
        (math.sqrt(3), 3, 0.75 + 1 / (2 * math.pi)),  # 1/2 + (x/(1+x²) + atan x)/pi, x = t/sqrt 3
        (2.0, 4, 0.5 + 0.375 * math.sqrt(2) * (1 - 4 / 24)),
    ],
)
def test_students_distribution_in_closed_form(t, freedom, share):
    assert statistics.t_cdf(t, freedom) == pytest.approx(share, abs=1e-12)
    assert statistics.t_cdf(-t, freedom) == pytest.approx(1 - share, abs=1e-12)


def test_the_bootstrap_draws_2000_and_reports_the_middle_95_percent():
    # an exact line has one slope and intercept however it is drawn; of 0, 1, …, 1999 the 2.5th and
    # 97.5th percentile are 0.025 · 1999 = 49.975 and 0.975 · 1999 = 1949.025
    x = np.arange(10.0)
    order = lambda slopes, _: np.arange(float(len(slopes)))  # noqa: E731
    assert statistics.bootstrap(x, 2 * x + 1, "k", order) == pytest.approx((49.975, 1949.025))
    slope = statistics.bootstrap(x, 2 * x + 1, "k", lambda s, _: s)
    start = statistics.bootstrap(x, 2 * x + 1, "k", lambda _, i: i)
    assert slope == pytest.approx((2, 2))
    assert start == pytest.approx((1, 1))


def test_what_is_drawn_is_the_same_on_every_machine():
    # floor(n · u), u the first 52 bits of PCG64 seeded by SHA-256 of the key
    assert statistics.resampled(5, "a", 2).tolist() == [[1, 2, 0, 1, 4], [3, 1, 3, 2, 2]]
    drawn = statistics.resampled(4, "b")
    assert drawn.shape == (2000, 4)
    assert np.bincount(drawn.ravel()) / 8000 == pytest.approx([0.25] * 4, abs=0.02)


# --- trend ----------------------------------------------------------------------------------------


def systems(*given):
    """Landmarks of (date, log10 FLOP)."""
    return [
        replace(landmarks()[0], name=f"{at}", date=datetime.date.fromisoformat(day), flop=10.0**log)
        for at, (day, log) in enumerate(given)
    ]


def test_scores_are_of_the_52_weeks_each_way():
    # 364 days apart count, 365 do not: 0 and 2 have mean 1 and spread sqrt 2; the third is alone
    listed = systems(("2020-01-01", 0), ("2020-12-30", 2), ("2021-12-30", 4))
    assert trend.scores(listed) == pytest.approx([-1 / math.sqrt(2), 1 / math.sqrt(2), 0])


def test_the_largest_when_they_came_out():
    # of two: 5 and 3 for want of others, 4 passes 3, then 5 and 4 stand: 2 and 4 do not, 6 does
    logs = [5, 3, 4, 2, 4, 6]
    listed = systems(*((f"2020-01-0{at + 1}", log) for at, log in enumerate(logs)))
    assert [round(math.log10(one.flop)) for one in trend.top(listed, 2)] == [5, 3, 4, 6]


@pytest.mark.parametrize(
    ("logs", "regular", "large"),
    [
        ([0, 1, 2, 2], [0, 1], [2, 2]),  # (2 - 1.25) / 0.957 = 0.783, above 0.76
        ([0, 2], [0, 2], []),  # 1 / sqrt 2 = 0.707
        ([1] * 5 + [0], [1] * 5, []),  # -0.833 / 0.408 = -2.04, below -2: left out
        ([1] * 4 + [0], [1] * 4 + [0], []),  # -0.8 / 0.447 = -1.79
    ],
)
def test_what_stands_out_and_what_falls_out(monkeypatch, logs, regular, large):
    monkeypatch.setattr(trend, "landmarks", lambda: systems(*(("2016-06-01", log) for log in logs)))
    for asked, wanted in ((False, regular), (True, large), (None, regular + large)):
        found = [round(math.log10(one.flop)) for _, one in trend._scale(large=asked)]
        assert sorted(found) == sorted(wanted)


def test_the_eras_begin_and_end_on_their_days(monkeypatch):
    days = ["2009-12-31", "2010-01-01", "2015-08-31", "2015-09-01", "2022-01-31", "2022-02-01"]
    listed = systems(*((day, log) for day in days for log in (0, 0, 3)))
    monkeypatch.setattr(trend, "landmarks", lambda: listed)
    within = {f"{one.date}" for _, one in trend._scale(large=None)}
    assert within == set(days[1:5])
    assert {f"{one.date}" for _, one in trend._scale(large=True)} == {"2015-09-01", "2022-01-31"}
    assert {f"{one.date}" for one in trend._deep()} == set(days[1:])
    assert {f"{one.date}" for one in trend._RULES["before-2010"]()} == {days[0]}


def test_the_years_2012_to_2017_are_whole(monkeypatch):
    days = ["2011-12-31", "2012-01-01", "2017-12-31", "2018-01-01"]
    monkeypatch.setattr(trend, "landmarks", lambda: systems(*((day, 1) for day in days)))
    found = [f"{one.date}" for one in trend._RULES["2012-2017-top"]()]
    assert found == ["2012-01-01", "2017-12-31"]
    assert len(trend._systems("2010-2017-records")) == 1  # all alike: the first alone


def test_records_are_larger_than_all_before():
    listed = [(1.0, 5.0), (2.0, 5.0), (3.0, 7.0), (4.0, 6.0)]
    assert trend._records(listed) == [(1.0, 5.0), (3.0, 7.0)]


def test_a_petaflop_day_is_a_second_of_ten_to_the_fifteen_for_86400(monkeypatch):
    one = {"date": "2017-10-18", "pfs_days": 2.0}
    found = SimpleNamespace(data={"openai_systems": [one]})
    monkeypatch.setattr(trend, "table", lambda _: found)
    assert trend._openai()[0][1] == pytest.approx(2 * 1e15 * 86_400)


def test_what_may_not_grow_at_all_has_no_slowest_doubling():
    # up, down, up, down: some drawn slopes fall
    months, low, high, _ = trend.doubling([(0, 1.0), (1, 9.0), (2, 1.0), (3, 9.0)], "saw")
    assert high == math.inf
    assert low < months < high
    # slope of log10: 9 over 0, 9, 0, 9 in units of log10 9: sxy = 1, sxx = 5 -> 0.2 · 0.954
    assert months == pytest.approx(12 * math.log10(2) / (0.2 * math.log10(9)))


def test_folds_by_hand():
    # AlexNet 2012-09-30 to AlphaGo Zero 2017-10-18: 1844 days; 60.6 months / log2(300,000)
    found = trend.folds()[0]
    assert found["years"] == pytest.approx(1844 / 365.25)
    assert found["months"] == pytest.approx(12 * 1844 / 365.25 / (math.log(300_000) / math.log(2)))


# --- scaling laws ---------------------------------------------------------------------------------

LAW = scaling.ScalingLaw(
    id="hand", name="hand", source="", url=None, A=400, B=400, E=1.5, a=0.5, b=0.5, errors=None
)


def test_a_law_by_hand():
    # 1.5 + 400 / sqrt(1e4) + 400 / sqrt(4e4) = 1.5 + 4 + 2; equal terms: as many tokens as
    # parameters, sqrt(C / 6)
    assert LAW.loss(1e4, 4e4) == pytest.approx(7.5)
    assert LAW.optimum(6e8) == (pytest.approx(1e4), pytest.approx(1e4))


def test_an_error_of_e_moves_the_loss_alone():
    # 5 % and 95 % of a normal are 1.645 of its standard errors off
    law = replace(LAW, errors={"E": 0.1, "a": 0.0, "b": 0.0})
    found = scaling.shown(law, 6e8, None)
    assert found["parameters_low"] == found["parameters_high"] == found["parameters"]
    assert found["loss"] == pytest.approx(1.5 + 4 + 4)
    assert found["loss_low"] == pytest.approx(9.5 - 0.1645, abs=0.006)
    assert found["loss_high"] == pytest.approx(9.5 + 0.1645, abs=0.006)


def test_drawn_laws_agree_in_the_middle_of_the_experiments():
    # at 1.06e9 parameters and 5e10 tokens A/N^a and B/D^b stay what they are, whatever a and b
    law = replace(LAW, errors={"E": 0.0, "a": 0.05, "b": 0.05})
    drawn = scaling._varied(law)
    assert len(drawn) == 4000
    assert np.std([one.a for one in drawn]) == pytest.approx(0.05, rel=0.05)
    for one in drawn[:20]:
        assert one.loss(1.06e9, 5e10) == pytest.approx(law.loss(1.06e9, 5e10))


# --- interruptions --------------------------------------------------------------------------------


def test_expected_time_by_hand():
    # mean 10, pieces of 4 in 10, each saved in 1, restart 2:
    # 10 e^0.2 (e^0.5 - 1) 10 / 4; without saving 10 e^0.2 (e - 1)
    found = interruptions.interrupted(10, rate=0.1, checkpoint=1, restart=2, interval=4)
    assert found.expected == pytest.approx(10 * math.exp(0.2) * (math.exp(0.5) - 1) * 2.5)
    assert found.without == pytest.approx(10 * math.exp(0.2) * (math.e - 1))
    assert found.interruptions == pytest.approx(found.expected * 0.1)
    assert found.factor == pytest.approx(found.expected / 10)


def test_where_nothing_is_taken_away_nothing_is_lost():
    found = interruptions.interrupted(10, rate=0, checkpoint=1, restart=2)
    assert (found.factor, found.interval, found.without, found.interruptions) == (1, 10, 10, 0)


def test_a_checkpoint_as_long_as_two_mean_times():
    assert interruptions.best_interval(10, 20) == 10
    # just below: x = 19.9 / 20; sqrt(398) (1 + sqrt x / 3 + x / 9) - 19.9
    x = 19.9 / 20
    by_hand = math.sqrt(398) * (1 + math.sqrt(x) / 3 + x / 9) - 19.9
    assert interruptions.best_interval(10, 19.9) == pytest.approx(by_hand)


def test_a_run_that_never_ends_without_saving():
    found = interruptions.interrupted(1e6, rate=1e-2, checkpoint=1, restart=0, interval=10)
    assert found.without == math.inf
    assert math.isfinite(found.expected)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("work", 0.0, "expected more than 0"),
        ("rate", -1.0, "expected 0 or more"),
        ("checkpoint", -1.0, "expected 0 or more"),
        ("restart", math.inf, "expected 0 or more"),
    ],
)
def test_figures_that_cannot_be(key, value, said):
    given = {"work": 1.0, "rate": 1.0, "checkpoint": 1.0, "restart": 1.0, key: value}
    with pytest.raises(InputError, match=f"spot.{key}: {said}"):
        interruptions.interrupted(given.pop("work"), **given)


# --- pausing and waiting --------------------------------------------------------------------------


def test_pauses_are_counted_and_a_fraction_ends_within_its_step():
    # at or below 200, the 200 too: steps 0, 2, 4 and half of 5: two pauses, done at 5.5
    values = np.array([200.0, 900.0, 100.0, 201.0, 150.0, 120.0])
    found = pausing.above(values, 3.5, 200.0)
    assert (found.first, found.end, found.pauses) == (0, 5.5, 2)
    assert found.mean == pytest.approx((200 + 100 + 150 + 60) / 3.5)
    assert pausing.above(values, 4.0, 200.0).end == 6.0
    assert pausing.above(values, 4.5, 200.0) is None


def test_the_window_of_the_cleanest_ends_within_a_step():
    # 1.5 steps of 2.25: whole 300 and 100 would do, of the last a quarter at 50 may be used
    found = pausing.cleanest(np.array([300.0, 100.0, 50.0, 10.0]), 1.5, 1.5)
    assert found.mean == pytest.approx((0.25 * 50 + 100 + 0.25 * 300) / 1.5)
    assert (found.first, found.end, found.pauses) == (0, 2.25, 0)
    assert pausing.checked(1.0) == ""
    assert pausing.checked(math.inf).startswith("expected 1 or more")


RUN = {"hardware": {"accelerator": "a100-sxm4-80", "count": 1}}


def waited(hours, values, **options):
    from costcalc.decide.waiting import when

    run = {**RUN, "measured": {"wall_clock": f"{hours} h", "energy": "10 kWh"}}
    series = Series(
        start=instant("2026-06-01T00:00Z"),
        step=3600.0,
        values=tuple(map(float, values)),
        signal="average",
        source="test",
    )
    return when(run, series, **options)


@pytest.mark.parametrize(("later", "worth"), [(95.0, True), (95.2, False), (94.0, True)])
def test_from_five_percent_on_it_is_worth_waiting(later, worth):
    assert waited(1, [100, later]).worth is worth


@pytest.mark.parametrize(("hours", "said"), [(23, False), (24, True)])
def test_a_day_long_run_is_told_that_long_runs_gain_little(hours, said):
    values = [100.0] * 30 + [99.0] * 30
    assert ("long runs gain little" in waited(hours, values).sentence) is said


def test_the_window_is_of_whole_steps():
    # 1.9 hours later at most: the second start, not the third
    values = [300, 200, 100, 50]
    found = waited(1, values, window=1.9 * 3600)
    assert (found.best.start.hour, found.worst.start.hour) == (1, 0)
    assert found.window_hours == pytest.approx(1.0)
    assert waited(1, values).window_hours == pytest.approx(3.0)
    # 300 gCO2e/kWh on 10 kWh are 3 kg
    assert found.now.emissions == pytest.approx(3.0)


def test_means_over_a_gap_are_unknown_and_a_hair_of_a_step_is_none():
    values = np.array([100.0, np.nan, 300.0, 500.0])
    assert np.isnan(waiting.starts(values, 2.0)).tolist() == [True, True, False]
    assert waiting.starts(values, 2.0 + 1e-12)[2] == pytest.approx(400)
    assert len(waiting.starts(values, 4.5)) == 0


# --- the front ------------------------------------------------------------------------------------


def test_the_front_by_hand():
    # the third is as the second in one aim and worse in the other; equal rows both stay
    rows = [[1.0, 5.0], [2.0, 2.0], [2.0, 3.0], [5.0, 1.0], [2.0, 2.0]]
    for patience in (0, 1, 256):
        assert front(np.array(rows), patience=patience).tolist() == [0, 1, 3, 4]
    # three aims: the last is beaten by the first in all but one, where it is alike
    three = [[1.0, 1.0, 3.0], [3.0, 1.0, 1.0], [1.0, 2.0, 3.0]]
    for patience in (0, 256):
        assert front(np.array(three), patience=patience).tolist() == [0, 1]


# --- buying ---------------------------------------------------------------------------------------


def chosen(shares, counts=(4, 8, 16, 32)):
    """What is bought of (count: share, binding), and which counts were tried."""
    tried = []

    def judged(name, count):
        tried.append(count)
        share, binding = shares[count]
        return buying._Choice(accelerator=name, count=count, share=share, binding=binding)

    return buying._best(["x"], counts, judged).count, tried


def test_more_than_a_node_only_where_time_binds():
    money = {4: (1.0, "time"), 8: (2.0, "cost"), 16: (9.0, "cost"), 32: (9.0, "cost")}
    assert chosen(money) == (8, [4, 8])  # 16 would buy more, and is not tried: money binds
    clock = {4: (1.0, "time"), 8: (2.0, "time"), 16: (4.0, "cost"), 32: (9.0, "time")}
    assert chosen(clock) == (16, [4, 8, 16])
    within = {4: (1.0, "cost"), 8: (2.0, "cost"), 16: (9.0, "time"), 32: (9.0, "time")}
    assert chosen(within) == (8, [4, 8])  # a node is tried whole, whatever binds


def test_more_devices_for_less_than_two_percent_more_are_not_taken():
    assert chosen({4: (1.0, "time"), 8: (1.0199, "time")}, (4, 8))[0] == 4
    assert chosen({4: (1.0, "time"), 8: (1.0201, "time")}, (4, 8))[0] == 8
    assert chosen({4: (None, "time"), 8: (0.1, "time")}, (4, 8))[0] == 8
    with pytest.raises(InputError, match="nothing keeps the limits: no hardware can be judged"):
        chosen({4: (None, "time")}, (4,))


def test_a_node_is_eight_where_money_binds_for_a_real_run():
    from costcalc.decide.planning import plan

    hardware = {"accelerator": "h100-sxm5-80"}
    place = {"region": "aws:us-east-1"}
    money = plan({"hardware": hardware, "site": place}, limits={"cost": "1 MUSD", "time": "9000 d"})
    assert money.binding == "cost"
    assert money.run["hardware"]["count"] <= 8
    clock = plan({"hardware": hardware, "site": place}, limits={"cost": "1 MUSD", "time": "10 d"})
    # 8 devices for 10 days are 1,920 device-hours, at some 5 USD 10,000 of the million
    assert clock.run["hardware"]["count"] > 8


def test_of_those_that_buy_within_a_thousandth_the_cleanest():
    carbon = np.array([5.0, 3.0, 1.0, np.nan])
    assert buying._cleanest(np.array([1.0, 0.9995, 0.9985, 1.0]), carbon, 1.0) == 1
    assert buying._cleanest(np.array([0.9, 0.9, 0.9, 1.0]), carbon, 1.0) == 3


def estimated(**figures):
    results = {name: SimpleNamespace(value=value, why="unsaid") for name, value in figures.items()}
    return SimpleNamespace(results=results)


def test_the_limit_that_binds_is_the_one_that_holds_the_fewest():
    found = Judged(made=None, needs={"cost": 50.0, "time": 10.0, "energy": 0.0})
    # 100 / 50 = 2 runs' money, 15 / 10 = 1.5 runs' time, energy without end
    assert found.share({"cost": 100, "time": 15, "energy": 1}) == (1.5, "time")
    assert found.share({"energy": 1}) == (math.inf, "energy")
    unknown = Judged(
        made=SimpleNamespace(estimate=estimated(cost=None)), needs={"cost": None, "time": 10.0}
    )
    assert unknown.share({"time": 15, "cost": 1}) == (None, "cost")
    assert unknown.unknown({"cost": 1}) == "limit cost cannot be judged: unsaid"


@pytest.mark.parametrize(
    ("raw", "placed"),
    [
        ({}, False),
        ({"site": {"region": "FR"}}, True),
        ({"site": {"grid": "100 g/kWh"}}, True),
        ({"site": {"pue": 1.2}}, False),
        ({"price": {"provider": "any"}}, True),
        ({"price": {"plan": "spot"}}, False),
        ({"price": {"instance_hour": "9 USD"}}, True),
    ],
)
def test_what_says_where_a_run_is(raw, placed):
    assert buying.placed(raw) is placed


def test_clouds_rent_what_they_have_a_price_of():
    found = buying._rented(["tpu-v6e", "h100-sxm5-80"], ["aws:us-east-1", "gcp:us-central1"])
    assert found.tolist() == [[False, True], [True, True]]


# --- planning -------------------------------------------------------------------------------------


def test_trials_that_limits_hold_by_hand():
    from costcalc.decide.planning import _search

    # three runs: 30 USD and 6 h together, so 10 USD each; but each waits the 6 h of all
    made = SimpleNamespace(
        estimate=estimated(cost=30.0, wall_clock=6.0), limits={"cost": 59.0, "time": 100.0}
    )
    found = _search(made, {"training": {"runs": 3}}, [0.1, 0.2])
    assert found["each"] == {"cost": 10.0, "time": 6.0}
    assert found["trials"] == 5  # of 59 USD; time would hold 16
    assert (found["expected_best"], found["expected_best_of"]) == (0.2, 2)
    # best of five draws of two with replacement: 0.2 but in (1/2)^5 of cases
    assert found["beyond"] == pytest.approx(0.2 - 0.1 / 32)
    none = _search(made, {"training": {"runs": 3}}, [0.1] * 9)
    assert (none["beyond"], none["beyond_why"], none["expected_best_of"]) == (None, "", 5)
    made.limits = {"cost": 9.0}
    assert _search(made, {"training": {"runs": 3}}, [0.1])["expected_best"] is None


@pytest.mark.parametrize("scores", [None, [0.5]])
def test_a_plan_names_the_papers_it_rests_on_and_no_others(scores):
    from costcalc.decide.planning import plan

    run = {
        "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
        "model": {"preset": "llama-3-8b"},
        "training": {"method": "lora", "tokens": "10M"},
        "site": {"region": "aws:us-east-1"},
    }
    made = plan(run, limits={"cost": "100 USD"}, scores=scores)
    said = " ".join(made.to_dict()["sources"])
    assert ("Show Your Work" in said) is (scores is not None)
    assert "Daly" not in said
    assert made.left["cost"] == pytest.approx(100 - made.estimate.results["cost"].value)


def test_a_ratio_that_is_none_is_refused():
    from costcalc.decide.planning import plan

    for ratio in (0.0, -1.0, math.inf):
        with pytest.raises(InputError, match="--tokens-per-parameter: expected a number above 0"):
            plan({}, limits={"cost": "100 USD"}, tokens_per_parameter=ratio)


# --- sweeps ---------------------------------------------------------------------------------------


def test_pieces_of_a_sweep_are_never_empty():
    from costcalc.decide.sweep import Sweep

    whole = Sweep(
        precisions=(None, "fp8"),
        accelerators=("a", "b"),
        counts=(1, 2, 3),
        regions=("A", "B", "C"),
        plans=("x", "y"),
    )
    assert whole.number == 2 * 2 * 3 * 3 * 2
    # of 1 the plans alone are left together: 2 · 2 · 3 · 3 pieces of two
    assert [piece.number for piece in whole.chunks(1)] == [2] * 36
    # of 12: two regions by two plans by three counts would pass it; 3 · 2 · 2 = 12 of two counts
    assert {piece.number for piece in whole.chunks(12)} == {12, 6}
    assert len(list(whole.chunks(36))) == 2


def test_an_instance_without_a_number_is_one():
    from costcalc.decide.sweep import read

    run = {"hardware": {"instance": "p5.48xlarge"}, "site": {"region": "aws:us-east-1"}}
    assert read(run, {})[1].counts == (8,)


def test_each_precision_is_compared_as_its_own_estimate():
    import costcalc
    from costcalc.decide.sweep import single

    run = {
        "model": {"preset": "llama-3-8b"},
        "training": {"tokens": "1B"},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
        "site": {"region": "aws:us-east-1"},
    }
    found = costcalc.compare(run, precisions="bf16,fp8", ranges=False)
    rows = {row["precision"]: row for row in (*found.front, *found.rest)}
    assert set(rows) == {"bf16", "fp8"}
    assert rows["fp8"]["wall_clock"] < rows["bf16"]["wall_clock"]
    for row in rows.values():
        one = costcalc.estimate(single(run, row), ranges=False).results["wall_clock"]
        assert row["wall_clock"] == pytest.approx(one.value)


def test_a_table_that_fails_half_way_leaves_nothing(tmp_path):
    from costcalc.decide.table_files import Rows

    rows = Rows(tmp_path / "all.csv")
    rows._part.unlink()  # somebody cleared the folder: no second error over the first
    rows.__exit__(RuntimeError, RuntimeError(), None)
    with pytest.raises(RuntimeError), Rows(tmp_path / "all.csv"):
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
