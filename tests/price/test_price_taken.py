"""Which price is taken of those that a provider or several have, and what is said of it."""

from __future__ import annotations

import pytest
from price_offers import ROW, THREE, chip, hourly, offer

from costcalc import price
from costcalc.catalog import prices
from costcalc.catalog.accelerator import find
from costcalc.catalog.prices import Offer


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
    own = Offer(**ROW | row | here)
    all_ = Offer(**ROW | row | {"value": 8.43, "low": 6.88, "high": 9.49, "count": 12})
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
    made = price._from_provider([Offer(**ROW | spot | {"date": "2026-11-26"})], None, None, 8)
    assert hourly(made) == (1.28, 2.48, 9.49)
    assert "median over 29 zones of 11 regions" in made.price.why
