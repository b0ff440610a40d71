"""Trend, limits and divide against the published figures, and the sentence."""

from __future__ import annotations

import datetime
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import costcalc
from costcalc.base.errors import InputError
from costcalc.catalog.region_table import table
from costcalc.decide import benchmarks, purses, statistics, trend
from costcalc.decide.history import landmarks, points
from costcalc.decide.placing import find, place

# Least squares of log10 FLOP on the date over Epoch AI's notable systems, computed apart from this
# code with the table of 2025-06 (56 systems before 2010 there, 46 of them with an organisation),
# and the 15 systems of OpenAI's chart.
MONTHS = {
    "before-2010": 20.3,
    "2010-2025": 5.4,
    "2010-2025-top": 5.3,
    "2012-2017-top": 3.8,
    "openai-2018": 3.3,
    "openai-2018-records": 3.4,
    "2010-2017-records": 3.3,
    "2010-2026": 5.4,  # 448 systems of the table of 2026-05
    "2010-2026-top": 5.2,
}
# Sevilla et al. 2022 (arXiv 2202.05924), table 2: 21.3, 5.7 and 9.9 months.
PUBLISHED = {
    "before-2010": 21.3,
    "2010-2022": 5.7,
    "2010-2022-regular-confident": 5.7,
    "2015-2022-large-16": 9.9,
}


@pytest.fixture(scope="module")
def doublings():
    return {one.era: one for one in trend.doublings()}


@pytest.mark.parametrize(("era", "months"), [*MONTHS.items(), *PUBLISHED.items()])
def test_doubling_times_within_ten_percent(doublings, era, months):
    assert doublings[era].months == pytest.approx(months, rel=0.10)
    assert doublings[era].low < doublings[era].months < doublings[era].high


def test_the_sixteen_are_the_ones_that_stand_out_most():
    scored = {one.name: score for score, one in trend._scale(large=True)}
    chosen = {one.name for one in trend._standing_out(16)}
    left = [score for name, score in scored.items() if name not in chosen]
    assert len(chosen) == 16
    assert min(scored[name] for name in chosen) >= max(left)


def test_the_rules_that_give_another_figure_are_shown_too(doublings):
    # By the rule of 2022 on what is known today: 6.9 and 7.7 months, with the reason.
    for era, published in (("2010-2022-regular", 5.7), ("2015-2022-large", 9.9)):
        item = doublings[era].published[0]
        assert item["months"] == published
        assert item["off"] == pytest.approx(doublings[era].months / published - 1)
        assert "systems known in early 2022" in item["why_different"]


def test_two_ends_of_openai():
    # 300,000-fold from AlexNet (2012-09-30) to AlphaGo Zero (2017-10-18):
    # 60.6 months / log2(300,000) = 60.6 / 18.19 = 3.33 months
    fold = table(trend.FILE).data["fold"][0]
    months = (find(fold["to"]).year - find(fold["from"]).year) * 12
    assert months / math.log2(fold["at_least"]) == pytest.approx(3.4, rel=0.05)


def test_every_era_says_why_it_differs_by_more_than_ten_percent(doublings):
    for one in doublings.values():
        for item in one.published:
            assert abs(one.months / item["months"] - 1) < 0.1 or item["why_different"]


# Thompson et al. 2022, the authors' own least squares: intercept, slope, 95 % interval, points.
AUTHORS = [
    ("ImageNet", benchmarks.OPERATIONS, 77, 0.854, -0.0836, -0.0956, -0.0716),
    ("ImageNet", benchmarks.BURDEN, 36, 1.156, -0.0933, -0.1113, -0.0754),
    ("MS COCO", benchmarks.BURDEN, 13, 0.911, -0.0599, -0.0813, -0.0385),
    ("SQuAD 1.1", benchmarks.BURDEN, 12, 1.123, -0.0956, -0.1214, -0.0698),
    ("CoNLL 2003", benchmarks.BURDEN, 12, -0.633, -0.0269, -0.0493, -0.0045),
    ("WMT14 EN-FR", benchmarks.BURDEN, 14, 0.235, -0.0236, -0.059, 0.012),
    ("WMT14 EN-DE", benchmarks.BURDEN, 12, 0.131, -0.0141, -0.035, 0.007),
]


@pytest.mark.parametrize(("benchmark", "quantity", "n", "i", "s", "low", "high"), AUTHORS)
def test_exponents_equal_the_authors(benchmark, quantity, n, i, s, low, high):
    found = benchmarks.law(benchmark, quantity).fit
    assert found.n == n
    assert found.intercept == pytest.approx(i, abs=6e-4)
    assert found.slope == pytest.approx(s, abs=6e-5)
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-4), pytest.approx(high, abs=6e-4))


def test_not_significant_is_said_and_not_extrapolated():
    found = benchmarks.target(benchmarks.law("WMT14 EN-FR"), 0.3)
    assert found.flop is None
    assert found.on is None
    assert found.to_dict()["on"] == {}
    assert found.why.startswith("not significant: the slope's 95 % interval, -0.059 to +0.012")


def test_five_percent_of_imagenet():
    # authors' fits: 10^25.8 FLOP of operations, 10^26.3 of hardware burden
    for quantity, exponent in ((benchmarks.OPERATIONS, 25.8), (benchmarks.BURDEN, 26.3)):
        found = benchmarks.target(benchmarks.law("ImageNet", quantity), 0.05, region="US")
        assert math.log10(found.flop) == pytest.approx(exponent, abs=0.06)
        assert found.low < found.flop < found.high
    # a burden is peak × time: 1e21 FLOP / 989.4e12 FLOP/s = 280.75 h
    hours = benchmarks.priced(1e21, benchmarks.BURDEN, "h100-sxm5-80")["figures"]["device_hours"]
    assert hours["value"] == pytest.approx(280.75, rel=1e-4)


def test_operations_and_burden_are_never_mixed():
    for law in benchmarks.laws():
        chosen = [
            p
            for p in points()
            if p.benchmark == law.benchmark and p.vintage == "2022" and p.quantity == law.quantity
        ]
        assert len(chosen) == law.fit.n
    with pytest.raises(InputError, match=r"MS COCO has 7 points of network_operations_flop"):
        benchmarks.law("MS COCO", benchmarks.OPERATIONS)


@pytest.mark.parametrize("error", [0.0, 1.0, -0.1])
def test_target_errors_are_shares(error):
    with pytest.raises(InputError, match="expected a share between 0 and 1"):
        benchmarks.target(benchmarks.law("ImageNet"), error)


def test_students_t_of_the_tables():
    # two-sided 95 % from printed tables
    table_of = {1: 12.706, 2: 4.303, 5: 2.571, 10: 2.228, 30: 2.042, 120: 1.980}
    for freedom, value in table_of.items():
        assert statistics.t_quantile(0.975, freedom) == pytest.approx(value, abs=6e-4)


@given(st.floats(0.1, 50), st.floats(1e3, 1e20))
def test_doubling_of_an_exact_exponential(months, start):
    systems = [(2000 + k / 12, start * 2 ** (k / months)) for k in range(24)]
    found = trend.doubling(systems, "exact")
    assert found[:3] == pytest.approx((months, months, months), rel=1e-6)


def test_top_keeps_what_was_among_the_largest():
    kept = trend.top(list(landmarks()), 1)
    flops = [one.flop for one in kept]
    assert flops == sorted(flops)
    assert kept[-1].name == "Grok 4"


SENTENCES = {
    "GPT-3 175B": (
        "between ST-MoE (2022",
        "InstructGPT 175B (2022",
        "times the largest by 2020 (Meena)",  # AlphaGo Zero without its self-play is smaller
        "a start-up can train it",  # with device-hours at today's price of a B200
        "what a national allocation holds",
    ),
    "AlexNet": ("32 % of the largest by 2012", "a student's machine can train it"),
}


@pytest.mark.parametrize(("name", "words"), SENTENCES.items())
def test_one_sentence_for_landmarks(name, words):
    said = costcalc.place(landmark=name).sentence
    assert said.endswith(".")
    assert "\n" not in said
    for word in words:
        assert word in said


def test_the_table_says_until_when_it_reaches_and_what_changed():
    made = costcalc.place(landmark="AlphaGo Zero")
    assert made.to_dict()["until"] == "2026-04-24"
    assert made.flop == 6.4944e20
    assert made.notes == (
        "AlphaGo Zero: 6.49e20 FLOP in the table of 2026, 3.41e23 FLOP in that of 2025 with its"
        " self-play",
    )


def test_one_sentence_for_a_lora_run():
    made = place(
        {
            "model": {"preset": "llama-3-8b"},
            "training": {"method": "lora", "tokens": "2M", "sequence_length": 2048},
            "hardware": {"accelerator": "rtx-4090", "count": 1},
        },
        date=datetime.date(2024, 6, 1),
    )
    # 4 FLOP a frozen parameter and token: 4 × 8e9 × 2e6 = 6.4e16 and attention
    assert 5e16 < made.flop < 1e17
    assert "a student's machine can train it with" in made.sentence
    assert "the largest by 2024 (Gemini 1.0 Ultra)" in made.sentence


def test_marks():
    passed = {mark["name"]: mark["passed"] for mark in place(flop=2e24).marks}
    assert passed == {"10^23": True, "10^25": False}


def test_purses_are_the_users_to_change():
    own = purses.purses(
        {"student": "2 x rtx-4090 x 30d", "startup": "5MUSD", "national-allocation": "50,000h"}
    )
    by_id = {purse.id: purse for purse in own}
    assert (by_id["student"].device_hours, by_id["student"].device) == (1440.0, "rtx-4090")
    assert by_id["startup"].cost == 5e6
    assert by_id["national-allocation"].device_hours == 50_000.0
    with pytest.raises(InputError, match="expected 4xa100-sxm4-80x18d, 50000h or 5MUSD"):
        purses.purses({"student": "lots"})
    with pytest.raises(InputError, match="no purse studnet; nearest: student"):
        purses.purses({"studnet": "1h"})


def test_divide_adds_up_and_purses_grow():
    made = purses.by_year(purses.purses())
    assert [row["year"] for row in made] == list(range(2012, 2027))
    first, last = made[0], made[-1]
    assert first["academia"] == pytest.approx(5 / 7)
    assert last["academia"] == 0.0
    for row in made:
        shares = [
            row["could_train"][name]
            for name in (
                "student",
                "academic-group",
                "national-allocation",
                "startup",
                "frontier-lab",
            )
        ]
        assert shares == sorted(shares)
    flops = [purses.flop_of(purses.purses()[1], year)[0] for year in range(2012, 2026)]
    assert flops == sorted(flops)


def test_a_landmark_must_be_one():
    with pytest.raises(InputError, match="no one landmark AlphaGo"):
        find("AlphaGo")
    with pytest.raises(InputError, match="expected one of a run file"):
        place()


def test_sources_of_the_data_are_named_and_used():
    growth = ("openai_systems", "marks", "fold")
    for file, lists in ((trend.FILE, growth), (purses.FILE, ("purses",))):
        data = table(file).data
        used = {row["source"] for name in lists for row in data[name]}
        used |= {item["source"] for era in data.get("eras", ()) for item in era["published"]}
        assert used == set(data["sources"])


def test_bootstrap_is_the_same_everywhere():
    one, other = statistics.resampled(5, "a", 9), statistics.resampled(5, "b", 9)
    assert not np.array_equal(one, other)
    assert one.min() >= 0
    assert one.max() <= 4


@pytest.mark.parametrize("day", ["2026-04-24", "2026-12-31", "2031-01-01"])
def test_of_a_day_beyond_the_data_nothing_is_the_largest_by_that_year(day):
    from datetime import date

    from costcalc.decide.history import until

    assert until() == date(2026, 4, 24)
    made = place(flop=1e25, date=date.fromisoformat(day))
    assert "the largest by" not in made.sentence
    assert "of the largest known (Grok 4; the data end on 2026-04-24)" in made.sentence
    said = f"the data reach until 2026-04-24: what came between then and {day}, systems and "
    said += "hardware, is not known here"
    assert (said in made.notes) is (day != "2026-04-24")
    before = place(flop=1e25, date=date(2024, 6, 1))
    assert "the largest by 2024" in before.sentence
    assert before.notes == ()
