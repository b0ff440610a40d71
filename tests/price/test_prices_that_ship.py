"""The catalogue that ships: every price can be quoted, has a source, and no spot is the lowest."""

from __future__ import annotations

import csv

import pytest
from price_offers import HOUR, hourly

from costcalc import estimate, price
from costcalc.calculator.scenarios import scenarios
from costcalc.catalog import prices, provider
from costcalc.catalog.accelerator import find
from costcalc.catalog.files import data_root
from costcalc.catalog.index import index
from costcalc.catalog.prices import Offer
from costcalc.catalog.region_table import table

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
