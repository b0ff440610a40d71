"""Prices: which one is taken, what is said of it, what is billed, and the kernels by hand."""

from __future__ import annotations

import datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc import price
from costcalc.base import units
from costcalc.calculator.formulas import cost
from costcalc.catalog.accelerator import Accelerator, all_accelerators, find
from costcalc.resolve.price import owned_default, purchase_of

HOUR = 3600.0


def offer(provider: str, region: str | None, value: float, **more) -> dict:
    return {
        "provider": provider,
        "region": region,
        "value": value,
        "unit": "USD/device_hour",
        "instance": "big",
        "devices": 8,
        "plan": "on-demand",
        "date": "2026-06-01",
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
    assert "median over 3 providers (aws, gcp, lambda), on-demand" in made.price.why


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
        ("2025-11-20", "of 2025-11-20: more than a year old"),
        ("2025", "of 2025: more than a year old"),
        ("2025-11-21", None),  # a year to the day
        ("2026-01", None),
    ],
)
def test_an_old_price_is_flagged(date: str | None, said: str | None) -> None:
    made = price.quote(chip(offer("aws", "r", 4.0, date=date)), provider="aws", region="r")
    if said is None:
        assert "old" not in made.price.why
        assert made.price.exact
    else:
        assert made.price.why.endswith(said)
        assert made.price.low < made.price.value < made.price.high


def test_age_is_counted_from_the_data_never_from_today(monkeypatch) -> None:
    class Later(datetime.date):
        @classmethod
        def today(cls):
            raise AssertionError("the clock was read")

    monkeypatch.setattr(price, "date", Later)
    one = price.quote(THREE, provider="aws", region="us-east-1")
    assert one.price.exact
    assert price.as_of().isoformat() == "2026-11-21"


def test_a_fresh_price_beats_an_undated_one_and_that_an_old_one() -> None:
    fresh = offer("aws", "r", 1.0, date="2026-05")
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
            offer("lambda", None, 2.79, instance="gpu_8x", date="2026-09"),
        ),
        provider="lambda",
    )
    assert hourly(made) == (2.79, 2.79, 2.79)
    assert "old" not in made.price.why


def test_an_old_price_spans_what_was_ever_asked() -> None:
    made = price.quote(
        chip(offer("aws", "r", 2.0, date=None), offer("aws", "s", 6.0, date="2023")),
        provider="aws",
        region="r",
    )
    assert hourly(made) == (2.0, 2.0, 6.0)


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


def test_a_bare_device_gets_its_machine_added_and_says_so() -> None:
    made = price.quote(chip(offer("gcp", "r", 10.0, host="excluded")), provider="gcp", region="r")
    assert hourly(made) == pytest.approx((11.2, 12.0, 12.7))
    assert "price of the bare device, 10 USD/device_hour, times 1.2" in made.price.why


def test_a_price_with_its_machine_comes_before_one_without() -> None:
    made = price.quote(
        chip(offer("gcp", "r", 10.0, host="excluded"), offer("gcp", "s", 13.0)),
        provider="gcp",
        region="r",
    )
    assert hourly(made)[1] == 13.0


def test_a_discount() -> None:
    made = price.quote(THREE, provider="aws", region="eu-north-1").less(0.12)
    assert hourly(made) == pytest.approx((3.52, 4.4, 7.92))
    assert made.price.why.endswith("; less 0.12 of it")
    assert price.quote(THREE, provider=None).less(0.12).price is None


def test_ones_own_price_is_exact() -> None:
    made = price.given(2.49 / HOUR, devices=8, where="run.yaml:9:3")
    assert hourly(made) == (2.49, 2.49, 2.49)
    assert (made.price.basis, made.price.where, made.devices) == ("given", "run.yaml:9:3", 8)


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


def test_a_chip_without_a_purchase_price_has_none() -> None:
    assert purchase_of(chip()) is None


# --- what ships ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [found.id for found in all_accelerators()])
def test_every_shipped_price_can_be_quoted(name: str) -> None:
    found = find(name)
    for listed in found.prices:
        made = price.quote(
            found,
            provider=listed.provider,
            region=listed.region,
            plan=listed.plan,
            instance=listed.instance,
        )
        assert made.price is not None
        assert 0 < made.price.low <= made.price.value <= made.price.high
        assert 0.01 < made.price.value * HOUR < 200
        assert listed.provider in made.price.why


def test_h100_at_aws_is_what_the_list_says() -> None:
    made = price.quote(find("h100"), provider="aws", region="us-east-1", count=1024)
    # 55.04 USD an hour for 8 (price list of 2026-07-28); 98.32 before the cut of June 2025
    assert (made.instance, made.price.year) == ("p5.48xlarge", 2026)
    assert hourly(made) == pytest.approx((6.88, 6.88, 6.88))
