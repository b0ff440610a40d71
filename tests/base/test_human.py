"""Numbers as people read them: digits, units of the right size, ranges and percentages."""

from __future__ import annotations

import pytest

from costcalc.base.human import bare, digits, human, percent, scale, span


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (1, "1.00"),
        (9.994, "9.99"),
        (9.996, "10.0"),  # a digit more before the point, one less behind it
        (99.96, "100"),
        (999.4, "999"),
        (999.6, "1,000"),
        (1234.5, "1,230"),
        (-12.345, "-12.3"),
        (0.012345, "0.0123"),
        (0.0001, "0.000100"),
        (0.00009999, "1.00e-04"),
        (9.99e14, "999,000,000,000,000"),
        (1e15, "1.00e+15"),
        (-1e15, "-1.00e+15"),
    ],
)
def test_three_digits(value: float, text: str) -> None:
    assert digits(value) == text


def test_other_numbers_of_digits() -> None:
    assert (digits(1.2345, 2), digits(1.2345, 4), digits(7.72e23, 2)) == ("1.2", "1.234", "7.7e+23")


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (None, "h", "unknown"),
        (0.0, "h", "0 hours"),
        (0.5 / 3600, "h", "0.500 s"),
        (1.9 / 60, "h", "114 s"),  # minutes from two on
        (2 / 60, "h", "2.00 min"),
        (0.99, "h", "59.4 min"),
        (1.0, "h", "1.00 hours"),
        (47.9, "h", "47.9 hours"),  # days from two on
        (48.0, "h", "2.00 days"),
        (2 * 8766 - 1, "h", "730 days"),
        (2 * 8766, "h", "2.00 years"),
        (5e-7, "s", "0.500 µs"),
        (1e-6, "s", "1.00 µs"),
        (1e-3, "s", "1.00 ms"),
        (1.0, "s", "1.00 s"),
        (119, "s", "119 s"),
        (120, "s", "2.00 min"),
        (7199, "s", "120 min"),
        (7200, "s", "2.00 h"),
        (0.0, "s", "0 s"),
        (0.5, "kWh", "500 Wh"),
        (999.0, "kWh", "999 kWh"),
        (1000.0, "kWh", "1.00 MWh"),
        (1e6, "kWh", "1.00 GWh"),
        (0.999, "kgCO2e", "999 gCO2e"),
        (999.0, "kgCO2e", "999 kgCO2e"),
        (1000.0, "kgCO2e", "1.00 tCO2e"),
        (1e6, "kgCO2e", "1.00 ktCO2e"),
        (0.5, "L", "500 mL"),
        (1000.0, "L", "1.00 m³"),
        (1e6, "L", "1.00 ML"),
        (2698675.0, "USD", "2,700,000 USD"),
        (0.5, "GiB", "512 MiB"),
        (1.0, "GiB", "1.00 GiB"),
        (5.0, "device_hour", "5.00 device-hours"),
        (5.0, "km", "5.00 km"),
        (5.0, "token/s", "5.00 token/s"),
        (999_000, "1", "999,000"),
        (1e6, "1", "1.00 M"),
        (1e9, "1", "1.00 B"),
        (1e12, "1", "1.00 T"),
        (-2e9, "1", "-2.00 B"),
    ],
)
def test_units_of_the_right_size(value: float | None, unit: str, text: str) -> None:
    assert human(value, unit) == text


def test_a_range_in_the_unit_of_its_value() -> None:
    # 391.5 h are shown in days of 24 h
    assert span(300.0, 500.0, 391.5, "h") == "12.5 – 20.8"
    assert span(24.0, 72.0, 12.0, "h") == "24.0 – 72.0"
    for low, high, like in ((None, 1.0, 1.0), (1.0, None, 1.0), (1.0, 2.0, None), (1.0, 1.0, 1.0)):
        assert span(low, high, like, "h") == ""
    assert (bare(None), bare(1234.5)) == ("unknown", "1,230")
    assert scale(0.0, "h") == ("hours", 1.0)


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.384, "38 %"), (0.0995, "10 %"), (0.0994, "9.9 %"), (0.0042, "0.4 %"), (1.0, "100 %"),
     (0.0, "0.0 %"), (9.99, "999 %"), (19.2, "1,920 %")],
)  # fmt: skip
def test_percentages(share: float, text: str) -> None:
    assert percent(share) == text
