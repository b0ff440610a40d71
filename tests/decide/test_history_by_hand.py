"""Where a compute stands, what an error takes and who holds it: beside each figure its working."""

from __future__ import annotations

import datetime
import json

import numpy as np
import pytest

from costcalc.decide import benchmarks, placing, purses, series, series_files, statistics, trend
from costcalc.decide.history import Landmark


def landmark(name, year, flop, kind="academia"):
    return Landmark(
        name=name,
        organisation="o",
        kind=kind,
        date=datetime.date(year, 1, 1),
        domain="d",
        flop=flop,
        method="m",
        confidence="confident",
        url="u",
    )


FIVE = (
    landmark("A", 2012, 10.0, "industry"),
    landmark("B", 2012, 20.0),
    landmark("C", 2012, 30.0, "government"),
    landmark("D", 2012, 40.0, "academia+industry"),
    landmark("E", 2013, 50.0, "industry"),
)


@pytest.fixture
def five(monkeypatch):
    """Five systems of 10 to 50 FLOP in place of the 469 of Epoch AI."""
    monkeypatch.setattr(placing, "landmarks", lambda: FIVE)
    monkeypatch.setattr(purses, "landmarks", lambda: FIVE)


# --- the standing ---------------------------------------------------------------------------------


def names(systems):
    return "".join(one.name for one in systems)


@pytest.mark.parametrize(
    ("flop", "below", "above", "rank"),
    [
        (25.0, "AB", "CD", 4),  # 50, 40 and 30 are larger: the fourth of six with itself
        (30.0, "BC", "DE", 3),  # one of the same size is not above
        (9.0, "", "AB", 6),
        (99.0, "DE", "", 1),
    ],
)
def test_a_compute_among_five(five, flop, below, above, rank):
    found = placing.place(flop=flop, neighbours=2)
    assert (names(found.below), names(found.above)) == (below, above)
    assert (found.rank, found.number) == (rank, 6)


def test_a_landmark_is_not_its_own_neighbour(five):
    found = placing.place(landmark="C", neighbours=1)
    assert (names(found.below), names(found.above)) == ("B", "D")
    assert (found.rank, found.number) == (3, 5)  # of the five that it is one of


def test_a_mark_is_passed_from_itself_on():
    # 1e23: where the guidelines of the European Commission presume a general-purpose model
    for flop, passed, times in ((1e23, True, 1.0), (0.99e23, False, 0.99), (2e23, True, 2.0)):
        mark = placing.place(flop=flop).marks[0]
        assert (mark["passed"], mark["times"]) == (passed, pytest.approx(times))


# --- purses ---------------------------------------------------------------------------------------


def purse(**given):
    fields = {"id": "p", "name": "p", "why": "", "source": "", "url": None, "kind": "datacenter"}
    return purses.Purse(**{**fields, "device_hours": None, "cost": None, **given})


@pytest.mark.parametrize(("holds", "share"), [(9.0, 0.0), (20.0, 0.5), (39.0, 0.75), (40.0, 1.0)])
def test_a_years_systems_by_who_made_and_who_could(five, monkeypatch, holds, share):
    # 2012: one of academia and one of a government of four, one joint, one of industry
    monkeypatch.setattr(purses, "flop_of", lambda purse, year: (holds, "x"))
    first, second = purses.by_year([purse()])
    assert (first["year"], first["n"], second["n"]) == (2012, 4, 1)
    assert (first["academia"], first["joint"], first["industry"]) == (0.5, 0.25, 0.25)
    assert first["could_train"] == {"p": share}  # a system of just what it holds is within


def test_a_purse_of_hours_and_one_of_money():
    # X hours on a device that takes h hours for 1e21 FLOP are X / h of 1e21
    hours, _ = purses._on("a100-sxm4-80")
    given = purse(device_hours=2 * hours, device="a100-sxm4-80")
    assert purses.flop_of(given, 2020) == (pytest.approx(2e21), "a100-sxm4-80")
    # money buys hours at today's price of the newest device with one, also of an older year's
    money = purse(cost=3 * hours * purses.dollars_an_hour(), device="a100-sxm4-80")
    assert purses.flop_of(money, 2020) == (pytest.approx(3e21), "a100-sxm4-80")
    assert purses.flop_of(purse(cost=1.0), 2009) == (None, None)  # before the first device


def test_the_shipped_purses_in_hours():
    by_id = {one.id: one for one in purses.purses()}
    assert by_id["student"].device_hours == 1 * 14 * 24  # one device for two weeks
    assert by_id["academic-group"].device_hours == 4 * 18 * 24  # Khandelwal et al.: 4 for 18 days
    assert by_id["national-allocation"].device_hours == 199_999  # NHR, normal projects
    assert (by_id["startup"].device_hours, by_id["startup"].cost) == (None, 15.9e6)


@pytest.mark.parametrize(
    ("text", "hours", "cost"),
    [
        ("3 x h100 x 2.5 d", 3 * 2.5 * 24, None),
        ("1,000h", 1000.0, None),
        ("7kUSD", None, 7e3),
        ("2.5MUSD", None, 2.5e6),
        ("90USD", None, 90.0),
    ],
)
def test_a_purse_of_ones_own(text, hours, cost):
    found = purses.purses({"startup": text})[3]
    assert (found.device_hours, found.cost) == (hours, cost)


def test_a_purse_holds_what_is_just_as_large():
    def held(times):
        return purses.Held(purse=purse(), year=2020, flop=1.0, on="x", times=times)

    assert [held(t).affordable for t in (0.5, 1.0, 1.001, None)] == [True, True, False, None]


# --- benchmarks -----------------------------------------------------------------------------------


def law(slope, low, high):
    fit = statistics.Fit(slope=slope, intercept=-0.5, low=low, high=high, r2=0.9, n=12)
    return benchmarks.Law(
        benchmark="b", vintage="2022", quantity="q", metric="m", fit=fit, best_error=0.1
    )


def test_an_exponent_is_one_over_the_slope():
    # error ~ compute^-0.1, -0.125 to -0.08: compute ~ error^-10, 8 to 12.5
    found = law(-0.1, -0.125, -0.08).to_dict()
    ends = [found[key] for key in ("exponent", "exponent_low", "exponent_high")]
    assert ends == [pytest.approx(10.0), pytest.approx(8.0), pytest.approx(12.5)]
    assert found["why"] == ""


@pytest.mark.parametrize("fit", [(-0.1, -0.3, 0.1), (0.1, 0.05, 0.15)])
def test_without_a_slope_below_zero_there_is_no_exponent(fit):
    assert law(*fit).exponent is None
    assert law(*fit).to_dict()["exponent_low"] is None


def test_a_target_is_where_the_line_meets_it():
    # log10 error = slope · log10 FLOP + intercept, solved for FLOP
    found = benchmarks.law("ImageNet", benchmarks.OPERATIONS)
    for error in (found.best_error, 0.05):
        made = benchmarks.target(found, error)
        at = (np.log10(error) - found.fit.intercept) / found.fit.slope
        assert made.flop == pytest.approx(10**at)
        assert made.low <= made.flop <= made.high
    # what a system has reached is no extrapolation
    assert benchmarks.target(found, found.best_error).why == ""
    assert made.why == f"extrapolated: the best of the points reached {found.best_error:.3g}"


@pytest.mark.parametrize("region", [None, "FR"])
def test_a_burden_is_time_at_the_peak(region):
    # 989.4e12 FLOP/s (the datasheet's dense bf16 of an H100 SXM) for an hour: one device-hour
    figures = benchmarks.priced(989.4e12 * 3600, benchmarks.BURDEN, "h100-sxm5-80", region)
    hours = figures["figures"]["device_hours"]
    assert hours["value"] == pytest.approx(1.0)
    assert hours["unit"] == "device_hour"
    assert hours["low"] <= hours["value"] <= hours["high"]
    assert (figures["figures"]["carbon_total"]["value"] is None) is (region is None)
    twice = benchmarks.priced(2 * 989.4e12 * 3600, benchmarks.BURDEN, "h100-sxm5-80", region)
    for name, one in figures["figures"].items():
        for end in ("value", "low", "high"):
            two = twice["figures"][name][end]
            assert two == (None if one[end] is None else pytest.approx(2 * one[end]))


# --- growth ---------------------------------------------------------------------------------------


def test_sources_of_growth_have_their_addresses():
    said = trend.sources()
    assert len(said) == 5  # of the seven of the file two are of marks
    assert all(", https://" in text for text in said)
    assert said[1].startswith("AI and Compute, with the addendum of 2019-11")
    assert said[1].endswith(", https://openai.com/index/ai-and-compute")


def test_the_records_are_larger_than_all_before():
    systems = [(1.0, 5.0), (2.0, 5.0), (3.0, 4.0), (4.0, 6.0)]
    assert trend._records(systems) == [(1.0, 5.0), (4.0, 6.0)]


def test_a_fold_by_hand():
    # OpenAI 2018: more than 300,000 times from AlexNet (2012-09-30) to AlphaGo Zero (2017-10-18):
    # 5.05 years, 12 · 5.05 / log2 300000 = 3.33 months
    fold = trend.folds()[0]
    days = (datetime.date(2017, 10, 18) - datetime.date(2012, 9, 30)).days
    assert fold["years"] == pytest.approx(days / 365.25)
    assert fold["months"] == pytest.approx(12 * days / 365.25 / np.log2(3e5))


# --- series ---------------------------------------------------------------------------------------


def of(points, **meta):
    return series.of_json({**meta, "data": points}, "s")


def test_a_series_says_what_it_is_by_its_own_words():
    times = ("2026-01-01T00:00Z", "2026-01-01T01:00Z")
    uk = [{"from": t, "intensity": {"actual": 100, "forecast": 90}} for t in times]
    first = [{**uk[0]}, {"from": times[1], "value": 5}]
    last = [{"from": times[0], "value": 5}, {**uk[1]}]
    assert of(uk).signal == "average"
    assert of(first).signal == "average"  # judged by the first point
    assert of(last).signal == "unknown"
    plain = [{"time": t, "value": 5, "unit": "gCO2e/kWh"} for t in times]
    assert of(plain).signal == "unknown"
    assert of(plain, signal="average").signal == "average"
    assert of(plain, signal_type="co2_moer").signal == "marginal"
    assert of(plain, signal_type="co2_aoer").signal == "average"


def test_a_series_in_pounds():
    # 1000 lb CO2 a MWh: 453,592.37 g / 1000 kWh
    times = ("2026-01-01T00:00Z", "2026-01-01T00:30Z", "2026-01-01T01:30Z")
    points = [{"point_time": t, "value": 1000} for t in times]
    found = of(points, units="lbs_co2_per_mwh", signal_type="co2_moer")
    assert found.values[0] == pytest.approx(453.59237)
    assert found.step == 1800.0
    assert [bool(np.isnan(v)) for v in found.values] == [False, False, True, False]
    assert found.hours == 2.0


@pytest.mark.parametrize("value", [0, 99_999.9])
def test_intensities_that_can_be(value):
    assert series._number(value, "s") == value


@pytest.mark.parametrize("value", [100_000, -0.1, True, "x", "nan"])
def test_intensities_that_cannot_be(value):
    with pytest.raises(ValueError, match="expected an intensity of 0 gCO2e/kWh or more"):
        series._number(value, "s")


def test_a_file_of_json(tmp_path):
    path = tmp_path / "s.json"
    points = [{"time": f"2026-01-01T0{h}:00Z", "value": h} for h in (1, 0)]
    path.write_text(json.dumps({"signal": "marginal", "unit": "g/kWh", "data": points}))
    found = series_files.read(path)
    assert (found.values, found.signal) == ((0.0, 1.0), "marginal")


# --- in words -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("compute", "said"),
    [
        (30.0, "3.0 times"),
        (10.0, "1.0 times"),
        (9.0, "90 % of"),
        (1.0, "10 % of"),
        (0.5, "1/20 of"),
    ],
)
def test_a_compute_against_another_of_ten(compute, said):
    assert placing._ratio(compute, 10.0) == said


def test_who_can_is_the_smallest_that_holds_it_and_the_largest_that_does_not():
    def held(name, times):
        return purses.Held(purse=purse(name=name), year=2020, flop=1.0, on="x", times=times)

    some = [held("a", 20.0), held("b", 3.0), held("c", 0.5), held("d", 0.1), held("e", None)]
    assert placing._who(some, 2020) == (
        "on hardware of 2020 c can train it with 50 % of its purse, while it is 3.0 times what b "
        "holds"
    )
    assert placing._who(some[2:], 2020) == (
        "on hardware of 2020 c can train it with 50 % of its purse"
    )
    assert placing._who(some[:2], 2020) == (
        "on hardware of 2020 no purse here holds it: it takes 3.0 times what b can spend"
    )


def test_the_largest_by_a_day_counts_that_day_and_not_the_run_itself(five):
    # on the first of January 2013 E is there, on the last of December 2012 it is not
    for day, largest in ((datetime.date(2013, 1, 1), "E"), (datetime.date(2012, 12, 31), "D")):
        assert f"by {day.year} ({largest})" in placing.place(flop=20.0, date=day).sentence
    assert "by 2013 (D)" in placing.place(landmark="E").sentence
    assert placing.place(flop=99.0).date == datetime.date(2013, 1, 1)  # of the last landmark


def test_names_by_their_beginning(five, monkeypatch):
    systems = [landmark(name, 2012, 1.0) for name in ("GPT-3 175B", "GPT-3.5", "BERT", "Bert 2")]
    monkeypatch.setattr(placing, "landmarks", lambda: tuple(systems))
    assert placing.find("gpt-3").name == "GPT-3 175B"  # of two the one with a word after it
    assert placing.find("BERT").name == "BERT"  # the name itself before beginnings
    assert placing.find("gpt-3.").name == "GPT-3.5"
    with pytest.raises(ValueError, match="no one landmark G"):
        placing.find("G")


# --- eras -----------------------------------------------------------------------------------------


def test_scores_are_of_the_systems_within_52_weeks():
    # 10, 100 and 1000 FLOP: logs 1, 2, 3; mean 2, sample deviation 1; the fourth is alone
    dates = [datetime.date(2012, 1, 1) + datetime.timedelta(days=n) for n in (0, 364, 200, 800)]
    systems = [
        Landmark(**{**vars_of(landmark("x", 2012, flop)), "date": day})
        for day, flop in zip(dates, (10.0, 1000.0, 100.0, 5.0), strict=True)
    ]
    assert trend.scores(systems) == [pytest.approx(v) for v in (-1.0, 1.0, 0.0, 0.0)]
    later = [systems[0], Landmark(**{**vars_of(systems[1]), "date": dates[0]
             + datetime.timedelta(days=365)})]  # fmt: skip
    assert trend.scores(later) == [0.0, 0.0]  # a day more, and each is alone


def vars_of(one):
    return {name: getattr(one, name) for name in Landmark.__slots__}


def test_large_is_above_0_76_from_september_2015_on(monkeypatch):
    days = [datetime.date(2015, 8, 31), datetime.date(2015, 9, 1), datetime.date(2016, 1, 1)]
    systems = [
        Landmark(**{**vars_of(landmark(f"{n}", 2015, 1.0)), "date": day})
        for n, day in enumerate([*days, *days])
    ]
    scores = [0.77, 0.77, 0.76, -2.0, -2.1, 0.0]
    monkeypatch.setattr(trend, "landmarks", lambda: tuple(systems))
    monkeypatch.setattr(trend, "scores", lambda window: scores)
    assert [one.name for _, one in trend._scale(large=True)] == ["1"]
    assert [one.name for _, one in trend._scale(large=False)] == ["0", "2", "3", "5"]
    assert len(trend._scale(large=None)) == 5  # one is a low outlier, below -2


def test_an_era_begins_after_2009_and_ends_before_february_2022(monkeypatch):
    days = [
        datetime.date(2009, 12, 31),
        datetime.date(2010, 1, 1),
        datetime.date(2022, 1, 31),
        datetime.date(2022, 2, 1),
    ]
    systems = tuple(
        Landmark(**{**vars_of(landmark(f"{n}", 2010, 1.0)), "date": day})
        for n, day in enumerate(days)
    )
    monkeypatch.setattr(trend, "landmarks", lambda: systems)
    assert [one.name for _, one in trend._scale(large=None)] == ["1", "2"]
    assert [one.name for one in trend._deep()] == ["1", "2", "3"]
    assert [one.name for one in trend._RULES["before-2010"]()] == ["0"]


def test_the_top_ten_are_those_among_the_ten_largest_when_they_came():
    systems = [landmark(f"{n}", 2012, float(n)) for n in (5, 3, 4, 3, 6)]
    # of two: 5 and 3 fill them; 4 is above 3, 3 is below 4, 6 above 4
    assert [one.flop for one in trend.top(systems, 2)] == [5.0, 3.0, 4.0, 6.0]
    ten = [landmark("x", 2012, float(n)) for n in range(10, 0, -1)]
    assert len(trend.top([*ten, landmark("y", 2013, 1.0)])) == 10


def test_doubling_in_a_year_and_a_half():
    # twice as much every 1.5 years: 18 months, exactly, so that every draw says so
    months, low, high, r2 = trend.doubling([(1.5 * n, 2.0**n) for n in range(6)], "k")
    assert (months, low, high, r2) == tuple(pytest.approx(v) for v in (18.0, 18.0, 18.0, 1.0))
    falling = trend.doubling([(1.0 * n, 0.5**n) for n in range(6)], "k")
    assert falling[2] == float("inf")


def test_a_published_doubling_is_off_by_a_share():
    found = next(one for one in trend.doublings() if one.published)
    item = found.published[0]
    assert item["off"] == pytest.approx(found.months / item["months"] - 1)
    assert found.off == item["off"]
    bare = next((one for one in trend.doublings() if not one.published), None)
    assert bare is None or bare.off is None
