"""Old prices: how far they widen, what gives way to what, and what is missing altogether."""

from __future__ import annotations

import datetime

import pytest
from price_offers import ROW, THREE, chip, hourly, offer

from costcalc import price
from costcalc.catalog import prices
from costcalc.catalog.prices import Offer
from scripts import price_drift


def test_age_widens_by_what_prices_did_in_as_much_time() -> None:
    # a year: x 0.76 to 1.39; four years: the square of both, by the root of the time
    for date, years in (("2025-11-26", 1.0), ("2022-11-26", 4.0)):
        low, value, high = hourly(
            price.quote(chip(offer("aws", "r", 10.0, date=date)), provider="aws", region="r")
        )
        assert value == 10.0
        assert low == pytest.approx(10.0 * 0.76**years**0.5, rel=1e-3)
        assert high == pytest.approx(10.0 * 1.39**years**0.5, rel=1e-3)
    # no date: as of two years ago, 10 x 0.76^1.414 = 6.78 and 10 x 1.39^1.414 = 15.93
    undated = chip(offer("aws", "r", 10.0, date=None))
    assert hourly(price.quote(undated, provider="aws", region="r")) == pytest.approx(
        (6.78, 10.0, 15.93), abs=0.01
    )


def test_a_day_that_is_only_the_latest_counts_a_quarter_of_a_year_more() -> None:
    row = ROW | {"date": "2026-11-26", "at_the_latest": True, "value": 10.0, "low": 10, "high": 10}
    low, value, high = hourly(price._from_provider([Offer(**row)], None, None, 8))
    # x 0.76 and x 1.39 to the power of sqrt(0.25)
    assert (low, value, high) == pytest.approx((10 * 0.76**0.5, 10.0, 10 * 1.39**0.5))


def test_an_old_nameless_price_gives_way_to_a_fresh_one_that_names_its_regions() -> None:
    # Oracle's 8 H100: 10 USD in 2025, of no stated region; 8 USD now, in two
    known = chip(
        offer("oracle", None, 10.0, instance=None, date="2025-03-17"),
        offer("oracle", "af", 8.0, instance="BM.GPU.H100.8"),
        offer("oracle", None, 9.0, instance=None, date=None),
        offer("oracle", "eu", 9.5, instance="BM.GPU.H100.8", date=None),
    )
    made = price.quote(known, provider="oracle", count=8)
    assert made.instance == "BM.GPU.H100.8"
    assert hourly(made)[1] == 8.0  # the undated 9.5 of another region gives way as well


def test_the_factors_of_age_are_those_of_the_pairs_that_ship() -> None:
    drift = prices.constants()["drift"]
    found = price_drift.pairs(prices.shipped().every())
    assert (drift["low"], drift["high"]) == pytest.approx(price_drift.factors(found), abs=0.005)
    number, providers = len(found), len({pair.provider for pair in found})
    assert drift["note"] == (
        f"{number} pairs of {providers} providers, each provider weighing as much; held out by"
        f" provider, {price_drift.held_out(found)} of the {number} lie within the factors of the"
        " others"
    )


def test_an_unstated_region_is_said() -> None:
    made = price.quote(THREE, provider="lambda")
    assert "known for no stated region, no region of it asked for" in made.price.why


def test_no_provider_is_null_with_the_known_range() -> None:
    made = price.quote(THREE, provider=None)
    assert made.price is None
    assert made.why_not == "no price.provider, and site.region names none"
    assert str(made.known) == "other providers, on-demand: 2 to 9 USD/device_hour"


def test_an_unknown_provider_is_null_with_the_known_range() -> None:
    made = price.quote(THREE, provider="azure")
    assert made.price is None
    assert made.why_not == "no price of test-chip from azure is known"
    assert str(made.known) == "other providers, on-demand: 2 to 9 USD/device_hour"


def test_a_plan_that_is_not_known_is_null_with_the_known_range() -> None:
    made = price.quote(THREE, provider="gcp", plan="spot")
    assert made.price is None
    assert made.why_not == "no spot price of test-chip from gcp is known"
    assert str(made.known) == "gcp, other plans: 3 USD/device_hour"


def test_no_price_at_all() -> None:
    made = price.quote(chip(), provider="any")
    assert (made.price, made.known) == (None, None)
    assert made.why_not == "no on-demand price of test-chip is known from any provider"


@pytest.mark.parametrize(
    ("date", "said"),
    [
        (None, "undated and so taken as old"),
        ("2025-11-25", "of 2025-11-25: more than a year old"),
        ("2025", "of 2025: more than a year old"),
        ("2025-11-26", None),  # a year to the day
        ("2026-11-26", None),
    ],
)
def test_an_old_price_is_flagged(date: str | None, said: str | None) -> None:
    made = price.quote(chip(offer("aws", "r", 4.0, date=date)), provider="aws", region="r")
    if said is None:
        assert "old" not in made.price.why
        assert made.price.exact == (date == "2026-11-26")
    else:
        assert made.price.why.endswith(said)
        assert made.price.low < made.price.value < made.price.high


def test_age_is_counted_from_the_data_never_from_today(monkeypatch) -> None:
    class Later(datetime.date):
        @classmethod
        def today(cls):
            raise AssertionError("the clock was read")

    prices.as_of.cache_clear()
    monkeypatch.setattr(prices, "Date", Later)
    one = price.quote(THREE, provider="aws", region="us-east-1")
    assert one.price.exact
    assert prices.as_of().isoformat() == "2026-11-26"


def test_a_fresh_price_beats_an_undated_one_and_that_an_old_one() -> None:
    fresh = offer("aws", "r", 1.0, date="2026-11")
    undated = offer("aws", "r", 2.0, date=None)
    old = offer("aws", "r", 3.0, date="2023-11")
    for left in ([fresh, undated, old], [old, undated, fresh], [undated, old]):
        made = price.quote(chip(*left), provider="aws", region="r")
        assert hourly(made)[1] == min(p["value"] for p in left)


def test_an_old_nameless_price_gives_way_to_a_fresh_one_of_its_size() -> None:
    # Lambda's 8 A100: 1.50 in 2023, 2.79 in 2026
    made = price.quote(
        chip(
            offer("lambda", None, 1.5, instance=None, date="2023-02-02"),
            offer("lambda", None, 2.79, instance="gpu_8x"),
        ),
        provider="lambda",
    )
    assert hourly(made) == (2.79, 2.79, 2.79)
    assert "old" not in made.price.why


def test_the_fewest_instances_then_the_cheapest() -> None:
    sizes = chip(
        offer("aws", "r", 1.0, instance="small", devices=1),
        offer("aws", "r", 1.5, instance="half", devices=4),
        offer("aws", "r", 2.0, instance="big", devices=8),
    )
    for count, expected in ((1, "small"), (3, "half"), (4, "half"), (5, "big"), (64, "big")):
        made = price.quote(sizes, provider="aws", region="r", count=count)
        assert made.instance == expected, count


def test_a_named_instance_is_taken() -> None:
    sizes = chip(offer("aws", "r", 1.0, instance="a.big"), offer("aws", "r", 2.0, instance="b.big"))
    assert hourly(price.quote(sizes, provider="aws", region="r", instance="B.BIG"))[1] == 2.0


def test_an_old_price_of_a_fitting_size_gives_way_to_a_fresh_one_of_another() -> None:
    # sixteen in one instance, of 2022, and eight, of now: 512 are 64 of the eight
    sizes = chip(
        offer("gcp", "r", 3.5, instance="sixteen", devices=16, date="2022-08-04"),
        offer("gcp", "r", 3.7, instance="eight", devices=8),
    )
    for region in ("r", None):
        made = price.quote(sizes, provider="gcp", region=region, count=512)
        assert (made.instance, hourly(made)[1]) == ("eight", 3.7)


def test_spot_is_the_median_over_zones_also_where_every_region_is_named() -> None:
    # three zones at 1, 1 and 2 USD in a, one at 4 in b: 1.5 over zones, 2.5 over regions
    row = ROW | {"plan": "spot", "count": 1, "zones": 3}
    zones = [
        Offer(**row | {"regions": ("a",), "value": 1.0, "low": 1.0, "high": 1.0}),
        Offer(**row | {"regions": ("b",), "value": 4.0, "low": 4.0, "high": 4.0, "zones": 1}),
        Offer(
            **row
            | {"regions": (), "value": 1.5, "low": 1.0, "high": 4.0}
            | {"count": 2, "zones": 4}
        ),
    ]
    assert hourly(price._from_provider(zones, None, None, 8))[1] == 1.5
    assert hourly(price._from_provider(zones, "b", None, 8))[1] == 4.0
