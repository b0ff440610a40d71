"""What each kind of value takes and refuses, at its bounds."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_core import PydanticCustomError

from costcalc.runfile.values import (
    Kind,
    MeasuredRate,
    Money,
    Rate,
    _measured_rate,
    _rate,
    choice,
    money,
    positive,
    quantity,
    text,
    whole,
    within,
)


def refused(kind: Kind, value: object) -> str:
    with pytest.raises(PydanticCustomError) as caught:
        kind.check(value)
    return caught.value.message()


KILOWATTHOUR = 3.6e6


@pytest.mark.parametrize(
    ("kind", "value", "taken"),
    [
        (whole("devices"), 1, 1),
        (whole("devices"), "50k", 50_000),
        (whole("devices"), 1e6, 1_000_000),
        (whole("devices"), 1e18, 10**18),
        (whole("devices", 0), 0, 0),
        (positive("a number"), 1e40, 1e40),
        (positive("a number"), "1/7", 1 / 7),
        (positive("a number"), 1e-40, 1e-40),
        (within("PUE", 1, 5), 1, 1.0),
        (within("PUE", 1, 5), 5, 5.0),
        (within("share", 0, 1, open_low=True), "12 %", 0.12),
        (within("share", 0, 1, open_low=True), 1, 1.0),
        (within("at least", 2, float("inf")), 1e30, 1e30),
        (quantity("W"), "2.4 kW", 2400.0),
        (quantity("W"), "1e45 W", 1e45),
        (quantity("W", zero=True), "0 W", 0.0),
        (quantity("device*s", bare=True), 3, 3.0),
        (quantity("device*s", bare=True), "3", 3.0),
        (quantity("device*s", bare=True), "2 device_hour", 7200.0),
        (choice("auto", "none"), "auto", "auto"),
        (text("a name"), "n", "n"),
        (text("a name"), 123, "123"),
        (money("a price"), "2.49 USD", Money(2.49, "USD")),
        (money("a price"), " 250 kUSD ", Money(250e3, "USD")),
        (money("a price"), "2 MEUR", Money(2e6, "EUR")),
        (money("a price"), "1 GUSD", Money(1e9, "USD")),
        (money("a price"), "0 USD", Money(0.0, "USD")),
        (money("a price"), "1e15 USD", Money(1e15, "USD")),
        (money("a price"), Money(1.0, "EUR"), Money(1.0, "EUR")),
        # 60 USD a MWh are 0.06 a kWh
        (money("electricity", per=("kWh",), required=True), "60 USD/MWh",
         Money(0.06, "USD", "kWh")),
        (money("a price", per=("h", "device_hour")), "2 USD/h", Money(2.0, "USD", "h")),
        # 48 USD a day are 2 an hour
        (money("a price", per=("h", "device_hour")), "48 USD/d", Money(2.0, "USD", "h")),
        (money("a price", per=("h", "device_hour")), "3 USD/device_hour", Money(3.0, "USD", "h")),
    ],
)  # fmt: skip
def test_what_is_taken(kind: Kind, value: object, taken: Any) -> None:
    found = kind.check(value)
    assert type(found) is type(taken)
    assert found == pytest.approx(taken) if isinstance(taken, float) else found == taken


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (whole("devices"), 0, "expected devices, 1 or more; got 0"),
        (whole("devices"), 1.5, "expected devices, 1 or more; got 1.5"),
        (whole("devices"), 1.1e18, "expected devices, 1 or more; got 1.1e+18"),
        (whole("devices", most=9), 1.1e18, "expected devices, 1 or more; got 1.1e+18"),
        (whole("devices", most=9), 10, "expected devices, 9 at most; got 10"),
        (whole("devices"), 2e18, "expected devices, 1 or more; got 2e+18"),
        (whole("devices"), True, "expected devices, 1 or more; got true"),
        (whole("devices"), None, "expected devices, 1 or more; got nothing"),
        (whole("devices"), [1], "expected devices, 1 or more; got a list"),
        (whole("devices", 2), 1, "expected devices, 2 or more; got 1"),
        (positive("a number"), 0, "expected a number, more than 0; got 0"),
        (positive("a number"), 1.1e40, "expected a number, more than 0; got 1.1e+40"),
        (positive("a number"), "1/0", 'expected a number, more than 0; got "1/0"'),
        (positive("a number"), 10**400,
         "expected a number, more than 0; got a number out of range"),
        (positive("a number"), float("nan"), "expected a number, more than 0; got a number out"
         " of range"),
        (within("PUE", 1, 5), 0.99, "expected PUE, from 1 to 5; got 0.99"),
        (within("PUE", 1, 5), 5.01, "expected PUE, from 1 to 5; got 5.01"),
        (within("share", 0, 1, open_low=True), 0, "expected share, more than 0 to 1; got 0"),
        (within("at least", 2, float("inf")), 1, "expected at least, 2 or more; got 1"),
        (quantity("W"), 400, "expected a power (W, kW, MW); got 400, which has no unit"),
        (quantity("W"), True, "expected a power (W, kW, MW); got true"),
        (quantity("W"), "0 W", 'expected a power (W, kW, MW) above 0; got "0 W"'),
        (quantity("W", zero=True), "-1 W", 'expected a power (W, kW, MW) of 0 or more; got "-1 W"'),
        (quantity("W"), "2e45 W", 'expected a power (W, kW, MW) above 0; got "2e45 W"'),
        (choice("auto", "none"), "atuo",
         'expected one of auto, none; got "atuo"; did you mean auto?'),
        (choice("auto", "none"), 3, "expected one of auto, none; got 3"),
        (choice("auto", "none"), "xyz", 'expected one of auto, none; got "xyz"'),
        (text("a commit"), 1234e5,
         "expected a commit; got 123400000, a number; write it in quotes"),
        (text("a name"), True, "expected a name; got true"),
        (text("a name"), [], "expected a name; got a list"),
        (text("a name"), "  ", 'expected a name; got "  "'),
        (money("a price"), 2.49,
         "expected a price such as 2.49 USD; got 2.49, which has no currency"),
        (money("a price"), True, "expected a price such as 2.49 USD; got true"),
        (money("a price"), "2.49", 'expected a price such as 2.49 USD; got "2.49", which has no'
         ' currency'),
        (money("a price"), "¥300", 'expected a price such as 2.49 USD; got "¥300"; ¥ is CNY or'
         ' JPY: write which, as 300 CNY'),
        (money("a price"), "12 kr", 'expected a price such as 2.49 USD; got "12 kr"; kr is SEK,'
         ' NOK, DKK or ISK: write which, as 12 SEK'),
        (money("a price"), "USD 2,4900", 'expected a price such as 2.49 USD; got "USD 2,4900"; a'
         ' comma parts thousands: write 2.4900 USD'),
        (money("a price"), "3 hrs", 'expected a price such as 2.49 USD; got "3 hrs"'),
        (money("a price"), "1.1e15 USD", 'expected a price such as 2.49 USD; got "1.1e15 USD"'),
        (money("a price"), "-1 USD", 'expected a price such as 2.49 USD; got "-1 USD"'),
        (money("a price"), "1e USD", 'expected a price such as 2.49 USD; got "1e USD"'),
        (money("a price", per=("h",)), "2 USD/kWh", 'expected a price such as 2.49 USD; got'
         ' "2 USD/kWh"'),
        (money("a price", per=("h",)), "2 USD/moon", 'expected a price such as 2.49 USD; got'
         ' "2 USD/moon"'),
        (money("power", per=("kWh",), required=True), "2 USD",
         'expected power such as 0.08 USD/kWh; got "2 USD"'),
    ],
)  # fmt: skip
def test_what_is_refused(kind: Kind, value: object, message: str) -> None:
    assert refused(kind, value) == message


def test_rates() -> None:
    assert _rate("1.08 USD/EUR") == Rate(1.08, "EUR") == _rate(Rate(1.08, "EUR"))
    for value in ("0 USD/EUR", "1e6 USD/EUR", "1.08 EUR/USD", "e USD/EUR", 1.08, None):
        with pytest.raises(PydanticCustomError, match="an exchange rate such as"):
            _rate(value)
    assert _rate("999999 USD/JPY").usd == 999999
    assert _measured_rate("3 Mtoken/s") == MeasuredRate(3e6, "token/s")
    assert _measured_rate("400 sample/s") == MeasuredRate(400.0, "sample/s")
    assert _measured_rate("420 TFLOP/s") == MeasuredRate(420e12, "FLOP/s")
    assert _measured_rate(MeasuredRate(1.0, "token/s")) == MeasuredRate(1.0, "token/s")
    for value, hint in (("0 token/s", ""), ("3 GB/s", ""), (5, ", which has no unit"), ({}, "")):
        with pytest.raises(PydanticCustomError) as caught:
            _measured_rate(value)
        assert caught.value.message().endswith(hint)
        assert ("which has no unit" in caught.value.message()) == bool(hint)


def test_values_are_written_so_that_they_read_as_the_same() -> None:
    for kind, value in (
        (quantity("J"), 1.5 * KILOWATTHOUR),
        (money("power", per=("kWh",), required=True), Money(0.06, "USD", "kWh")),
        (money("a price"), Money(2.0, "EUR")),
    ):
        assert kind.written is not None
        assert kind.check(kind.written(value)) == value


def test_a_whole_number_with_a_most() -> None:
    kind = whole("a whole number of devices", most=1e9)
    assert kind.check("1e9") == 1_000_000_000
    assert refused(kind, 1_000_000_001) == (
        "expected a whole number of devices, 1,000,000,000 at most; got 1000000001"
    )
    assert refused(kind, 0) == "expected a whole number of devices, 1 or more; got 0"


def test_a_number_too_small_to_calculate_with() -> None:
    """1e-300 tokens would take a step of infinite time: 1 / 1e-300 / 1e-10 is past 1.8e308."""
    assert refused(positive("a number"), 9e-41) == "expected a number, more than 0; got 9e-41"


@pytest.mark.parametrize(
    ("written", "amount", "currency"),
    [
        ("2.49 usd", 2.49, "USD"),
        ("CNY 15", 15, "CNY"),
        ("15 RMB", 15, "CNY"),
        ("₹200", 200, "INR"),
        ("C$3", 3, "CAD"),
        ("2 dollars", 2, "USD"),
        ("2.49 euros", 2.49, "EUR"),
        ("$1,299.99", 1299.99, "USD"),
        ("300円", 300, "JPY"),
    ],
)
def test_money_as_people_write_it(written: str, amount: float, currency: str) -> None:
    assert money("a price").check(written) == Money(amount, currency)
