"""What is billed: whole instances, owned hardware, electricity; the kernels by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from price_offers import HOUR

from costcalc import price
from costcalc.base import units
from costcalc.calculator.formulas import cost


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
