"""Prices of regions and sizes: medians, zones, bare devices and whole machines."""

from __future__ import annotations

import pytest
from price_offers import ROW, THREE, chip, hourly, offer

from costcalc import Estimate, estimate, price
from costcalc.catalog.accelerator import find
from costcalc.catalog.prices import Offer


def listed(regions: str, value: float, low: float, high: float, **more: object) -> Offer:
    said = {"regions": tuple(regions.split()), "value": value, "low": low, "high": high}
    return Offer(
        **ROW | {"date": "2026-11-26", "count": len(said["regions"]) or None} | said | more
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


def _h100_at_google(**also: object) -> Estimate:
    site = {"site": {"region": "gcp:us-central1"}, "measured": {"wall_clock": "10 h"}}
    return estimate({**site, **also}, ranges=False)


def test_a_size_that_is_rented_on_spot_alone_has_no_price_on_demand() -> None:
    named = _h100_at_google(hardware={"instance": "a3-highgpu-1g"}).results["cost"]
    assert named.value is None
    assert named.why is not None
    assert named.why.startswith(
        "a3-highgpu-1g is rented on spot alone, not on-demand: say price.plan: spot"
    )
    eight = _h100_at_google(hardware={"accelerator": "h100", "count": 1})
    told = [one.why for one in eight.assumptions if one.key == "price.device_hour"]
    assert "; a3-highgpu-1g is rented on spot alone (price.plan: spot)" in told[0]
    # of three devices the sizes of one and two hold too few
    three = _h100_at_google(hardware={"accelerator": "h100", "count": 3})
    told = [one.why for one in three.assumptions if one.key == "price.device_hour"]
    assert "; a3-highgpu-4g is rented on spot alone" in told[0]


def test_a_whole_machine_of_eight_says_nothing_of_smaller_ones() -> None:
    whole = _h100_at_google(hardware={"accelerator": "h100", "count": 8})
    told = [one.why for one in whole.assumptions if one.key == "price.device_hour"]
    assert "on spot alone" not in told[0]
