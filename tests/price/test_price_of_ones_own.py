"""Prices that a run file says: discounts, currencies, hardware that is owned."""

from __future__ import annotations

from pathlib import Path

import pytest
from price_offers import HOUR, THREE, chip, hourly

from costcalc import InputError, estimate, price
from costcalc.base import units
from costcalc.report.check import verify
from costcalc.resolve.price import owned_default, purchase_of


def test_a_discount() -> None:
    made = price.quote(THREE, provider="aws", region="eu-north-1").less(0.12)
    assert hourly(made) == pytest.approx((3.52, 4.4, 7.92))
    assert made.price.why.endswith("; less 0.12 of it")
    assert price.quote(THREE, provider=None).less(0.12).price is None


def test_ones_own_price_is_exact() -> None:
    made = price.given(2.49 / HOUR, devices=8, where="run.yaml:9:3")
    assert hourly(made) == (2.49, 2.49, 2.49)
    assert (made.price.basis, made.price.where, made.devices) == ("given", "run.yaml:9:3", 8)


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
