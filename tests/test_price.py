"""Prices: which one is taken, what is said of it, what is billed, and the kernels by hand."""

from __future__ import annotations

import csv
import datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc import InputError, estimate, price
from costcalc.base import units
from costcalc.calculator.formulas import cost
from costcalc.calculator.scenarios import scenarios
from costcalc.catalog import prices, provider
from costcalc.catalog.accelerator import Accelerator, find
from costcalc.catalog.files import data_root
from costcalc.catalog.index import index
from costcalc.catalog.prices import Offer
from costcalc.catalog.region_table import table
from costcalc.report.check import verify
from costcalc.resolve.price import owned_default, purchase_of
from scripts import price_drift

HOUR = 3600.0
_ROW = {
    "provider": "aws",
    "accelerator": "chip",
    "instance": None,
    "devices": 8.0,
    "plan": "on-demand",
    "regions": (),
    "value": 1.0,
    "low": 1.0,
    "high": 1.0,
    "count": None,
    "zones": None,
    "date": None,
    "at_the_latest": False,
    "host": "included",
    "source": "s",
    "note": "",
}


def offer(provider: str, region: str | None, value: float, **more) -> dict:
    return {
        "provider": provider,
        "region": region,
        "value": value,
        "unit": "USD/device_hour",
        "instance": "big",
        "devices": 8,
        "plan": "on-demand",
        "date": "2026-11-26",  # the day of the data
        "source": "list",
        "host": "included",
        **more,
    }


def chip(*prices: dict, **more) -> Accelerator:
    return Accelerator.model_validate(
        {
            "id": "test-chip",
            "name": "Test Chip",
            "vendor": "T",
            "kind": "gpu",
            "generation": "test",
            "released": 2024,
            "peak": {},
            "memory": {"value": 80, "unit": "GB", "source": "list"},
            "memory_bandwidth": {"value": 2, "unit": "TB/s", "source": "list"},
            "prices": list(prices),
            "sources": {"list": {"title": "A price list", "publisher": "P"}},
            **more,
        }
    )


THREE = chip(
    offer("aws", "us-east-1", 4.0),
    offer("aws", "eu-west-1", 5.0),
    offer("aws", "ap-south-1", 9.0),
    offer("gcp", "us-central1", 3.0),
    offer("lambda", None, 2.0),
    offer("aws", "us-east-1", 1.0, plan="spot"),
)


# --- kernels, by hand ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("count", "per", "billed"),
    [(1, 8, 8), (8, 8, 8), (9, 8, 16), (12, 8, 16), (5, 1, 5), (1, 4, 4)],
)
def test_whole_instances_are_billed(count: int, per: int, billed: int) -> None:
    assert price.billed_devices(count=count, per_instance=per) == billed


def test_a_bill_by_hand() -> None:
    # 12 devices for 10 h at 6.88 USD: two instances of 8, 16 x 10 x 6.88 = 1100.80 USD
    devices = price.billed_devices(count=12, per_instance=8)
    made = cost(
        device_hours=12 * 10 * HOUR,
        billed=devices / 12,
        price=units.to_si(6.88, "USD/device_hour"),
        energy=0.0,
        electricity=0.0,
    )
    assert made == pytest.approx(1100.80, rel=1e-12)


def test_owned_hardware_by_hand() -> None:
    # 250,000 USD for 8 devices, 5 years, 70 % in use: 250000 / (8 x 43830 h x 0.7) = 1.0186 USD/h
    made = price.owned_price(
        purchase=250_000, devices=8, lifetime=units.to_si(5, "year"), utilization=0.7
    )
    assert made * HOUR == pytest.approx(250_000 / (8 * 5 * 8766 * 0.7), rel=1e-12)
    assert made * HOUR == pytest.approx(1.0186, abs=1e-4)
    # 100 kWh at 0.08 USD
    bill = cost(
        device_hours=0.0,
        billed=1.0,
        price=made,
        energy=units.to_si(100, "kWh"),
        electricity=units.to_si(0.08, "USD/kWh"),
    )
    assert bill == pytest.approx(8.0, rel=1e-12)


def test_kernels_on_pint_quantities_give_dollars() -> None:
    ureg = units.registry()
    bill = cost(
        device_hours=ureg.Quantity(16, "device_hour"),
        billed=1.0,
        price=price.discounted(price=ureg.Quantity(3.0, "USD/device_hour"), discount=0.1),
        energy=ureg.Quantity(10, "kWh"),
        electricity=ureg.Quantity(0.1, "USD/kWh"),
    )
    assert bill.to("USD").magnitude == pytest.approx(2 * 8 * 2.7 + 1.0)
    own = price.owned_price(
        purchase=ureg.Quantity(1000, "USD"),
        devices=ureg.Quantity(2, "device"),
        lifetime=ureg.Quantity(5, "year"),
        utilization=0.5,
    )
    assert own.to("USD/device_hour").magnitude == pytest.approx(1000 / (2 * 43_830 * 0.5))


@given(count=st.integers(1, 100_000), per=st.sampled_from([1, 2, 4, 8, 16, 72]))
def test_no_device_goes_unbilled_and_less_than_one_instance_too_much(count, per) -> None:
    billed = float(price.billed_devices(count=count, per_instance=per))
    assert count <= billed < count + per
    assert billed % per == 0


def test_arrays() -> None:
    billed = price.billed_devices(count=np.array([1, 8, 9]), per_instance=8)
    assert billed.tolist() == [8, 8, 16]


# --- which price ---------------------------------------------------------------------------------


def hourly(made: price.Quote) -> tuple[float, float, float]:
    assert made.price is not None, made.why_not
    return tuple(
        round(value * HOUR, 9) for value in (made.price.low, made.price.value, made.price.high)
    )


def test_the_exact_region_is_exact_when_fresh() -> None:
    made = price.quote(THREE, provider="aws", region="us-east-1")
    assert hourly(made) == (4.0, 4.0, 4.0)
    assert made.price.why == "aws us-east-1, on-demand, big"
    assert (made.price.source, made.price.year, made.devices) == ("A price list", 2026, 8)


def test_another_region_is_the_providers_median_and_says_so() -> None:
    made = price.quote(THREE, provider="aws", region="eu-north-1")
    assert hourly(made) == (4.0, 5.0, 9.0)
    assert made.price.why == ("aws, on-demand, big: median over 3 regions, not for eu-north-1")


def test_any_is_the_median_over_providers_and_says_so() -> None:
    made = price.quote(THREE, provider="any")  # aws 5, gcp 3, lambda 2
    assert hourly(made)[1] == 3.0
    assert 2.0 <= hourly(made)[0] < 3.0 < hourly(made)[2] <= 5.0
    assert made.price.why == (
        "price.provider: any: median over 3 providers with a price of the last twelve months"
        " (aws, gcp, lambda), on-demand"
    )


def test_any_leaves_out_the_old_where_three_are_fresh() -> None:
    old = offer("nebius", "r", 90.0, date="2024-05-01")
    three = [offer(name, "r", value) for name, value in (("aws", 4), ("gcp", 5), ("verda", 7))]
    assert hourly(price.quote(chip(*three, old), provider="any"))[1] == 5.0
    two = price.quote(chip(*three[:2], old), provider="any")  # 4, 5 and 90
    assert hourly(two)[1] == 5.0
    assert "3 providers whatever the age of their prices (aws, gcp, nebius)" in two.price.why


def test_any_of_two_spans_what_each_could_be() -> None:
    two = price.quote(chip(offer("aws", "r", 4), offer("gcp", "s", 6)), provider="any")
    assert hourly(two) == (4.0, 5.0, 6.0)


def test_resellers_and_auctions_are_no_providers_of_any() -> None:
    listed = [offer(name, "r", 2.0) for name in ("aws", "gcp", "verda")]
    others = [offer(name, "r", 90.0) for name in ("shadeform", "primeintellect", "spheron")]
    floor = offer("mithril", "r", 0.01, plan="spot")
    known = chip(*listed, *others, floor)
    assert hourly(price.quote(known, provider="any")) == (2.0, 2.0, 2.0)
    assert price.quote(known, provider="any", plan="spot").price is None
    assert hourly(price.quote(known, provider="shadeform", region="r"))[1] == 90.0


def test_the_market_beside_a_list_price() -> None:
    # beside AWS: Google 3, Lambda 2; Nebius's of 2024 is old, Shadeform resells
    known = chip(
        offer("aws", "r", 5.0),
        offer("gcp", "s", 3.0),
        offer("lambda", None, 2.0),
        offer("nebius", "r", 1.0, date="2024-05-01"),
        offer("shadeform", "r", 1.0),
    )
    assert price.market(known, beside="aws").asked == "2 other providers ask 2 to 3"
    assert price.market(known, beside="nebius").asked == "3 other providers ask 2 to 5"
    assert price.market(chip(offer("aws", "r", 5.0)), beside="aws") is None
    one = price.market(chip(offer("aws", "r", 5.0)), beside="gcp")
    assert one.asked == "1 other provider asks 5"


def test_a_provider_by_its_other_name() -> None:
    known = chip(offer("verda", "r", 2.0), offer("oracle", "r", 3.0))
    assert hourly(price.quote(known, provider="datacrunch"))[1] == 2.0
    assert hourly(price.quote(known, provider="OCI"))[1] == 3.0


def test_a_median_over_more_regions_than_are_named_comes_first() -> None:
    # a catalogue's row: 12 regions from 6.88 to 9.49, their median 8.43; us-east-1 alone is named
    row = {"provider": "aws", "instance": "p5", "devices": 8, "date": "2026-11-26"}
    here = {"regions": ("us-east-1",), "value": 6.88, "low": 6.88, "high": 6.88, "count": 1}
    own = Offer(**_ROW | row | here)
    all_ = Offer(**_ROW | row | {"value": 8.43, "low": 6.88, "high": 9.49, "count": 12})
    made = price._from_provider([own, all_], "eu-north-1", None, 8)
    assert hourly(made) == (6.88, 8.43, 9.49)
    assert made.price.why == "aws, on-demand, p5: median over 12 regions, not for eu-north-1"
    assert hourly(price._from_provider([own, all_], "us-east-1", None, 8)) == (6.88, 6.88, 6.88)


def test_resellers_stand_in_where_no_provider_rents_its_own() -> None:
    # 3 and 5 of two resellers: 4; an auction's floor of 0.01 is no price
    resold = [offer("shadeform", "r", 3.0), offer("spheron", "r", 5.0), offer("mithril", "r", 0.01)]
    made = price.quote(chip(*resold), provider="any")
    assert hourly(made) == (3.0, 4.0, 5.0)
    assert made.price.why == (
        "price.provider: any: median over 2 providers that resell what no provider is known to rent"
        " itself (shadeform, spheron), on-demand"
    )


def test_what_awss_sizes_cost_in_virginia() -> None:
    # the list of the hour, over the devices in the instance
    for board, name, hour, devices in (
        ("l40s", "g6e.12xlarge", 10.49264, 4),
        ("l4", "g6.12xlarge", 4.6016, 4),
        ("rtx-pro-6000-server", "g7e.48xlarge", 33.14432, 8),
        ("t4g", "g5g.metal", 2.744, 2),
        ("inferentia1", "inf1.6xlarge", 1.18, 4),
        ("radeon-pro-v520", "g4ad.16xlarge", 3.468, 4),
    ):
        made = price.quote(
            find(board), provider="aws", region="us-east-1", instance=name, exactly=True
        )
        assert hourly(made)[1] == pytest.approx(hour / devices, rel=1e-4), name
    # spot of g7e.12xlarge: zones at 3.4768, 3.5196, 3.6846 and 3.7046: 3.6021 / 2
    made = price.quote(find("rtx-pro-6000-server"), provider="aws", plan="spot", count=2)
    assert hourly(made)[1] == pytest.approx(1.80105)


@pytest.mark.parametrize(
    ("accelerator", "provider", "rented"),
    [
        ("tpu-v7", "gcp", True),  # an instance without a price
        ("a10", "lambda", True),  # a price without an instance of its own
        ("a10", "Lambda", True),
        ("tpu-v6e", "aws", False),
    ],
)
def test_who_rents_an_accelerator(accelerator: str, provider: str, rented: bool) -> None:
    assert price.rents(find(accelerator), provider) == rented


def test_whatever_a_provider_rents_has_a_price() -> None:
    for name, found in prices.catalogue().rows.items():
        plans = {one.plan for one in found if one.provider != "mithril"}
        for plan in plans:
            assert price.quote(find(name), provider="any", plan=plan).price is not None, name


def test_a_spot_price_says_over_how_many_zones_it_is_the_median() -> None:
    spot = {"plan": "spot", "value": 2.48, "low": 1.28, "high": 9.49, "count": 11, "zones": 29}
    made = price._from_provider([Offer(**_ROW | spot | {"date": "2026-11-26"})], None, None, 8)
    assert hourly(made) == (1.28, 2.48, 9.49)
    assert "median over 29 zones of 11 regions" in made.price.why


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
    row = _ROW | {"date": "2026-11-26", "at_the_latest": True, "value": 10.0, "low": 10, "high": 10}
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
    row = _ROW | {"plan": "spot", "count": 1, "zones": 3}
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


def listed(regions: str, value: float, low: float, high: float, **more: object) -> Offer:
    said = {"regions": tuple(regions.split()), "value": value, "low": low, "high": high}
    return Offer(
        **_ROW | {"date": "2026-11-26", "count": len(said["regions"]) or None} | said | more
    )


@pytest.mark.parametrize(
    ("offers", "region", "dollars", "why"),
    [
        # one region, whichever is asked for
        ([listed("a", 4, 3, 5)], "z", (3, 4, 5), "known for a, not for z"),
        ([listed("a", 4, 3, 5)], None, (3, 4, 5), "known for a, no region of it asked for"),
        ([listed("", 4, 4, 4)], "z", (4, 4, 4), "known for no stated region, not for z"),
        # the median of 2, 3 and 7 is 3; of 2 and 7 it is 4.5
        ([listed("a", 2, 2, 2), listed("b", 3, 3, 3), listed("c", 7, 7, 7)], "z", (2, 3, 7),
         "median over 3 regions, not for z"),
        ([listed("a", 2, 2, 2), listed("b", 7, 7, 7)], "z", (2, 4.5, 7),
         "median over 2 regions, not for z"),
        ([listed("a", 3, 3, 3), listed("b", 3, 3, 3)], "z", (3, 3, 3),
         "the same in 2 regions, not for z"),
        # a price of two regions counts twice: 2, 2, 7
        ([listed("a b", 2, 2, 2), listed("c", 7, 7, 7)], "z", (2, 2, 7),
         "median over 3 regions, not for z"),
        # the list's own median, where it is over more regions than are named: of 3 or of 2 + 1
        ([listed("a", 2, 2, 2), listed("b", 7, 7, 7), listed("", 6, 1, 9, count=3)], "z",
         (1, 6, 9), "median over 3 regions, not for z"),
        # as many as are named: theirs, 2, 6 and 7
        ([listed("a", 2, 2, 2), listed("b", 7, 7, 7), listed("", 6, 1, 9, count=2)], "z",
         (1, 6, 9), "median over 2 regions, not for z"),
        ([listed("a", 2, 2, 2), listed("b", 3, 3, 3), listed("", 6, 1, 9, count=2)], "z",
         (1, 3, 9), "median over 2 regions, not for z"),
        # but one over zones comes first there, too
        ([listed("a", 2, 2, 2), listed("b", 3, 3, 3), listed("", 6, 1, 9, count=2, zones=5)],
         "z", (1, 6, 9), "median over 5 zones of 2 regions, not for z"),
        ([listed("a", 2, 2, 2), listed("b", 3, 3, 3), listed("", 6, 1, 9, count=1, zones=5)],
         "z", (1, 3, 9), "median over 2 regions, not for z"),
        # zones of one region; a zone is no median
        ([listed("a", 6, 1, 9, zones=2)], "z", (1, 6, 9), "median over 2 zones of a, not for z"),
        ([listed("", 6, 1, 9, count=1, zones=2)], "z", (1, 6, 9),
         "median over 2 zones of one region, not for z"),
        ([listed("a", 6, 1, 9, zones=1)], "z", (1, 6, 9), "known for a, not for z"),
    ],
)  # fmt: skip
def test_what_a_region_without_a_price_of_its_own_costs(
    offers: list[Offer], region: str | None, dollars: tuple[float, ...], why: str
) -> None:
    made = price._median(offers, region)
    assert hourly(made) == dollars
    assert made.price.why == f"aws, on-demand: {why}"


def test_a_median_over_regions_is_named_after_the_price_next_to_it() -> None:
    # of 2, 4 and 9 the median is 4: what instance and day it has is said, and no other's
    rows = [
        listed("a", 2, 2, 2, instance="two"),
        listed("b", 4, 4, 4, instance="four", date="2022-08-04"),
        listed("c", 9, 9, 9, instance="nine"),
    ]
    made = price._median(rows, "z")
    assert made.price.why == (
        "aws, on-demand, four: median over 3 regions, not for z, of 2022-08-04: more than a "
        "year old"
    )
    assert (made.instance, made.price.year, made.old) == ("four", 2022, True)


def test_of_instances_that_hold_as_many_the_cheaper_by_the_hour_is_taken() -> None:
    # three devices: four at 3 USD are 12, eight at 1 USD are 8, and the device alone costs 2
    four, eight = listed("r", 3, 3, 3, devices=4.0), listed("r", 1, 1, 1, devices=8.0)
    assert price._bill(four, 3) == (1.0, 12.0, "")
    assert price._bill(eight, 3) == (1.0, 8.0, "")
    assert price._bill(eight, 9) == (2.0, 16.0, "")
    assert price._bill(listed("r", 2, 2, 2, devices=1.0, instance="x"), 3) == (3.0, 6.0, "x")


def test_any_is_as_wide_as_providers_are_from_the_5th_to_the_95th() -> None:
    # 1, 2, 3, 4 and 11 USD: a twentieth of the way from the first to the last of four steps is a
    # fifth of a step, 1 + 0.2 · 1 = 1.2; from above 11 - 0.2 · 7 = 9.6
    asked = {"aws": 1.0, "azure": 2.0, "gcp": 3.0, "lambda": 4.0, "verda": 11.0}
    known = chip(*(offer(name, "r", value) for name, value in asked.items()))
    assert hourly(price.quote(known, provider="any")) == (1.2, 3.0, 9.6)


def test_the_regions_that_a_provider_has_prices_of() -> None:
    assert price.regions_of(THREE, "aws") == {"us-east-1", "eu-west-1", "ap-south-1"}
    assert price.regions_of(THREE, "gcp") == {"us-central1"}
    assert price.regions_of(THREE, "AWS") == price.regions_of(THREE, "aws")
    assert price.regions_of(THREE, "lambda") == price.regions_of(THREE, None) == frozenset()


def test_nothing_off_leaves_a_price_as_it_is() -> None:
    made = price.given(10.0)
    assert made.less(0) is made
    quarter = made.less(0.25)  # 10 · 0.75
    assert (quarter.price.low, quarter.price.value, quarter.price.high) == (7.5, 7.5, 7.5)
    assert quarter.price.why == "less 0.25 of it"
    assert price.Quote(price=None).less(0.5).price is None


@pytest.mark.parametrize(
    ("zones", "said"), [(None, ""), (1, ""), (2, ", median over 2 zones")]
)  # fmt: skip
def test_zones_are_said_where_there_are_several(zones: int | None, said: str) -> None:
    assert price._zones(listed("a", 1, 1, 1, zones=zones)) == said


def test_tpu_prices_are_of_a_chip_by_hand() -> None:
    # v3-8: 8 USD an hour for 4 chips; a slice of 32 cores: 32 USD for 16; v4-8: 12.88 for 4
    for name, count, paid, chips in (("tpu-v3", 4, 8, 4), ("tpu-v3", 512, 32, 16),
                                     ("tpu-v4", 512, 12.88, 4)):  # fmt: skip
        made = price.quote(find(name), provider="gcp", count=count)
        assert hourly(made)[1] == pytest.approx(paid / chips)


def test_a_bare_device_gets_its_machine_added_and_says_so() -> None:
    made = price.quote(chip(offer("gcp", "r", 10.0, host="excluded")), provider="gcp", region="r")
    assert hourly(made) == pytest.approx((11.2, 12.0, 13.2))
    assert "price of the bare device, 10 USD/device_hour, times 1.2" in made.price.why


def test_a_price_with_its_machine_comes_before_one_without_but_not_that_of_another_region() -> None:
    listed = chip(offer("gcp", "r", 10.0, host="excluded"), offer("gcp", "s", 13.0))
    own = price.quote(listed, provider="gcp", region="r")  # 10 USD × 1.2 for the machine
    assert hourly(own) == pytest.approx((11.2, 12.0, 13.2))
    assert own.price.why.startswith("gcp r, on-demand")
    assert "price of the bare device, 10 USD/device_hour, times 1.2" in own.price.why
    assert hourly(price.quote(listed, provider="gcp", region="s"))[1] == 13.0
    assert hourly(price.quote(listed, provider="gcp"))[1] == 13.0


def test_the_own_price_of_a_region_is_rented_in_whole_machines_by_hand() -> None:
    # Eight in a machine at 6.60 USD each in s; the bare device is 2.9 in r: 2.9 × 1.2 = 3.48
    listed = chip(
        offer("gcp", "s", 6.6, instance="a3-highgpu-8g", devices=8),
        offer("gcp", "r", 2.9, instance="a3-highgpu", host="excluded"),
        offer("gcp", "r", 1.0, instance="a9-highgpu", host="excluded"),  # of another line
    )
    made = price.quote(listed, provider="gcp", region="r", count=1)
    assert hourly(made)[1] == pytest.approx(3.48)
    assert (made.devices, made.instance) == (8, "a3-highgpu-8g")


def test_a_price_of_another_region_is_as_wide_as_bare_devices_are_over_regions_by_hand() -> None:
    # 6.60 USD in s says nothing of q: the list asks 1.4 to 2.9 elsewhere, 1.68 with the machine
    listed = chip(
        offer("gcp", "s", 6.6, instance="a3-highgpu-8g", devices=8),
        offer("gcp", "r", 2.9, instance="a3-highgpu", host="excluded"),
        offer("gcp", "t", 1.4, instance="a3-highgpu", host="excluded"),
    )
    assert hourly(price.quote(listed, provider="gcp", region="q")) == pytest.approx(
        (1.68, 6.6, 6.6)
    )
    assert hourly(price.quote(listed, provider="gcp", region="s")) == pytest.approx((6.6, 6.6, 6.6))


def test_a_named_instance_is_billed_by_the_devices_that_its_name_says() -> None:
    # one H100 at Google on spot: the price of the line of eight, for one device
    made = price.quote(find("h100"), provider="gcp", region="us-central1", plan="spot",
                       instance="a3-highgpu-1g", exactly=True)  # fmt: skip
    assert (made.devices, made.instance) == (1, "a3-highgpu-1g")
    run = {
        "measured": {"wall_clock": "10 h"},
        "hardware": {"instance": "a3-highgpu-1g"},
        "site": {"region": "gcp:us-central1"},
        "price": {"plan": "spot"},
    }
    paid = estimate(run).results["cost"].value
    assert paid == pytest.approx(10 * hourly(made)[1])  # it was eight times as much


def test_a_discount() -> None:
    made = price.quote(THREE, provider="aws", region="eu-north-1").less(0.12)
    assert hourly(made) == pytest.approx((3.52, 4.4, 7.92))
    assert made.price.why.endswith("; less 0.12 of it")
    assert price.quote(THREE, provider=None).less(0.12).price is None


def test_ones_own_price_is_exact() -> None:
    made = price.given(2.49 / HOUR, devices=8, where="run.yaml:9:3")
    assert hourly(made) == (2.49, 2.49, 2.49)
    assert (made.price.basis, made.price.where, made.devices) == ("given", "run.yaml:9:3", 8)


# --- another currency ----------------------------------------------------------------------------

EUROS = {
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
    "measured": {"wall_clock": "10 h"},
    "price": {"device_hour": "2.16 USD", "rate": "1.08 USD/EUR", "currency": "EUR"},
    "limits": {"cost": "216 USD"},
}


def test_all_money_of_the_result_in_another_currency(tmp_path: Path) -> None:
    # 8 devices for 10 h at 2.16 USD are 172.80 USD, or 160 EUR at 1.08; the limit is 200 EUR
    made = estimate(EUROS, ranges=False)
    cost = made.results["cost"]
    assert (cost.value, cost.unit) == (pytest.approx(160.0), "EUR")
    (asked,) = [item for item in made.inputs if item.key == "price.device_hour"]
    assert (asked.value * HOUR, asked.unit) == (pytest.approx(2.0), "EUR/device_hour")
    assert made.details["price"] == "2.00 EUR a device-hour, yours"
    assert sum(made.breakdown["cost"].values()) == pytest.approx(160.0)
    (limit,) = made.limits
    assert (limit["limit"], limit["unit"], limit["passed"]) == (pytest.approx(200.0), "EUR", False)
    listed = {item["key"]: item.get("unit") for item in made.to_dict()["assumptions"]}
    assert not [key for key, unit in listed.items() if (unit or "").startswith("USD")]
    estimate(EUROS).save(tmp_path / "costs.yaml")
    assert verify(tmp_path / "costs.yaml").holds


def test_a_catalogues_price_and_a_measured_cost_in_another_currency() -> None:
    euros = {**EUROS["price"], "device_hour": None, "provider": "aws"}
    run = {**EUROS, "price": {k: v for k, v in euros.items() if v}, "limits": {"cost": "1 EUR"}}
    dollars = {**run, "price": {"provider": "aws"}, "limits": {"cost": "1 USD"}}
    one, other = estimate(run), estimate(dollars)
    assert other.results["cost"].value == pytest.approx(1.08 * one.results["cost"].value)
    assert other.results["cost"].high == pytest.approx(1.08 * one.results["cost"].high)
    paid = {**run, "measured": {"wall_clock": "10 h", "cost": "108 USD"}}
    assert estimate(paid, ranges=False).results["cost"].value == pytest.approx(100.0)


def test_a_currency_needs_a_rate_of_its_own() -> None:
    for rate in ({}, {"rate": "1.3 USD/GBP"}):
        run = {**EUROS, "price": {"currency": "EUR", **rate}}
        with pytest.raises(InputError, match=r"price.currency: EUR needs an exchange rate"):
            estimate(run)
    with pytest.raises(InputError):  # dollars become euros by a rate that is given, or not at all
        estimate(EUROS, ranges=False).results["cost"].to("USD")


# --- owned ---------------------------------------------------------------------------------------


def test_owned_defaults_are_stated() -> None:
    known = chip(purchase={"value": 30_000, "unit": "USD", "source": "list", "year": 2023})
    paid = purchase_of(known)
    assert paid is not None
    assert paid.value == pytest.approx(30_000 * 1.64)
    years, power = owned_default("lifetime"), owned_default("electricity")
    assert years.value == units.to_si(4, "year")
    assert power.value * 3.6e6 == pytest.approx(0.0826)
    for item in (paid, years, power, owned_default("utilization")):
        assert item.low < item.value < item.high
        assert item.source
        assert item.why


def test_a_cluster_has_its_network_beside_the_chips() -> None:
    # Epoch: a server 1.64 times its chips, and the network 19 % of the cluster: 1.64 x 0.19 / 0.81
    known = chip(purchase={"value": 30_000, "unit": "USD", "source": "list", "year": 2023})
    one, many = purchase_of(known), purchase_of(known, cluster=True)
    assert many.value - one.value == pytest.approx(30_000 * 1.64 * 0.19 / 0.81, rel=2e-3)
    assert 0.19 * many.value == pytest.approx(many.value - one.value, rel=2e-3)
    assert many.why.startswith(
        "a device, 30,000 USD, and 19,200 USD for its server and 11,550 USD for its network"
    )


def test_a_chip_without_a_purchase_price_has_none() -> None:
    assert purchase_of(chip()) is None


# --- what ships ----------------------------------------------------------------------------------

SHIPPED = list(prices.shipped().every())


@pytest.mark.parametrize("name", sorted(prices.shipped().rows))
def test_every_shipped_price_can_be_quoted(name: str) -> None:
    found = find(name)
    assert found.id == name
    for listed in prices.offers(found):
        made = price.quote(
            found,
            provider=listed.provider,
            region=listed.regions[0] if listed.regions else None,
            plan=listed.plan,
            instance=listed.instance,
        )
        assert made.price is not None
        assert 0 < made.price.low <= made.price.value <= made.price.high
        assert 0.01 < made.price.value * HOUR < 200
        assert listed.provider in made.price.why


def test_the_catalogue_that_ships_is_read_without_a_fault() -> None:
    text = (data_root() / "prices.csv").read_text(encoding="utf-8")
    assert prices.read(text, "prices.csv") == [
        offer for offer in prices.read(text, "prices.csv") if offer in SHIPPED
    ]
    lines = text.splitlines()
    assert tuple(lines[0].split(",")) == prices.HEAD
    cited = {row["source"] for row in csv.DictReader(lines)}
    assert cited == set(table(prices.SOURCES).section("sources"))
    newest = max(offer.date for offer in SHIPPED if offer.date)
    assert newest <= prices.constants()["as_of"]
    assert {offer.provider for offer in SHIPPED} <= set(provider.names())


def test_every_source_of_prices_has_a_date() -> None:
    for name, source in table(prices.SOURCES).section("sources").items():
        assert source.get("date") or source.get("checked"), name


ON_REQUEST = {"tpu-v7"}  # Google's page of TPU7x: "contact your account team", no list price


def test_no_accelerator_that_a_provider_rents_is_without_a_price() -> None:
    rented = {head.accelerator for head in index().heads("hosts") if head.provider}
    assert len(rented) > 20
    for name in sorted(rented - ON_REQUEST):
        made = price.quote(find(name), provider="any", count=8)
        assert made.price is not None, name


def test_no_spot_price_is_above_the_same_offer_on_demand() -> None:
    full = {_offer_of(o): o.value for o in SHIPPED if o.plan == "on-demand"}
    for offer in SHIPPED:
        if offer.plan != "on-demand" and _offer_of(offer) in full:
            assert offer.value <= full[_offer_of(offer)] * 1.001, offer


def _offer_of(offer: Offer) -> tuple[object, ...]:
    return (
        offer.provider,
        offer.accelerator,
        offer.instance,
        offer.devices,
        offer.date,
        offer.source,
    )


def test_spot_is_never_the_lowest_zone() -> None:
    # AWS's p5.48xlarge: 29 zones, median 2.479; the lowest, 10.2397 / 8 = 1.28, is the low end
    found = [o for o in SHIPPED if (o.instance, o.plan) == ("p5.48xlarge", "spot")]
    assert [(o.zones, round(o.value, 3), round(o.low, 2)) for o in found] == [(29, 2.479, 1.28)]


def test_h100_at_aws_is_what_the_list_says() -> None:
    made = price.quote(find("h100"), provider="aws", region="us-east-1", count=1024)
    # 55.04 USD an hour for 8 (price list of 2026-07-28); 98.32 before the cut of June 2025
    assert (made.instance, made.price.year) == ("p5.48xlarge", 2026)
    # 121 days to 2026-11-26: x 0.76 and 1.39 to the power of sqrt(121 / 365.25) = 0.576
    assert hourly(made) == pytest.approx((6.88 * 0.854, 6.88, 6.88 * 1.209), rel=2e-3)


@pytest.mark.parametrize(("count", "paid"), [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (9, 16)])
def test_parts_of_a_machine_are_rented_on_spot_by_hand(count: int, paid: int) -> None:
    # Google has A3 machines of 1, 2 and 4 devices on spot alone; on demand eight are rented whole
    run = {
        "model": {"flops": "1e20 FLOP"},
        "hardware": {"accelerator": "h100-sxm5-80", "count": count, "utilization": 0.4},
        "site": {"region": "gcp:us-central1"},
    }
    for plan, devices in (("spot", paid), ("on-demand", -(-count // 8) * 8)):
        made = estimate({**run, "price": {"plan": plan}}, ranges=False)
        each = next(item for item in made.assumptions if item.key == "price.device_hour")
        hours = made.results["device_hours"].value / count
        paid_for = hours * devices * each.value
        assert made.results["cost"].value == pytest.approx(paid_for), plan
        many = scenarios(run, accelerators=["h100-sxm5-80"], counts=[8, count],
                         regions=["gcp:us-central1"], plans=[plan])  # fmt: skip
        assert many.figures["cost"][0, 1, 0, 0] == pytest.approx(made.results["cost"].value)
