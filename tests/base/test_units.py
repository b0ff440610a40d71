"""The table of units is pint's, spelling by spelling; what people write has its dimension."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc import InputError
from costcalc.base import numerals, units

SPELLINGS = [name for name in units.spellings() if name not in ("1", "%")]


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_each_spelling_of_the_table_is_what_pint_says(spelling: str) -> None:
    ours, pints = units._atom(spelling), units._from_pint(spelling)
    assert ours is not None
    assert pints is not None
    assert ours.dimension == pints.dimension
    assert ours.factor == pytest.approx(pints.factor, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "si_unit", "value"),
    [
        ("450 GB/s", "B/s", 450e9),
        ("400 Gbit/s", "B/s", 50e9),
        ("700 W", "W", 700.0),
        ("41 kWh", "J", 41 * 3.6e6),
        ("56 gCO2e/kWh", "gCO2e/J", 56 / 3.6e6),
        ("0.08 USD/kWh", "USD/J", 0.08 / 3.6e6),
        ("5.2 s", "s", 5.2),
        ("7 d", "s", 7 * 86400.0),
        ("1h30m", "s", 5400.0),
        ("2 days 3 hours", "s", 2 * 86400.0 + 3 * 3600),
        ("1,500 kWh", "J", 1500 * 3.6e6),
        ("5 year", "s", 5 * 365.25 * 86400),
        ("8.18 GFLOP", "FLOP", 8.18e9),
        ("7.2e23 FLOP", "FLOP", 7.2e23),
        ("80 GiB", "B", 80 * 2**30),
        ("9.6e6 token/s", "token/s", 9.6e6),
        ("80 kgCO2e", "gCO2e", 80e3),
        ("12.9 tCO2e", "gCO2e", 12.9e6),
        ("1 BTU", "J", 1055.05585262),  # not in the table: pint knows it
    ],
)
def test_quantities_as_people_write_them(text: str, si_unit: str, value: float) -> None:
    assert units.parse(text, si_unit) == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize(
    ("text", "si_unit", "message"),
    [
        ("400 Wh", "W", 'expected a power (W, kW, MW); got "400 Wh", which is an energy'),
        ("450", "B/s", 'expected a bandwidth (GB/s, Gbit/s); got "450", which has no unit'),
        ("five", "s", 'expected a time (s, min, h, d, year); got "five"'),
        ("400 Gb/s", "B/s", '"Gb" is not a unit here: which reads as gilbert; write Gbit or GB'),
        ("3 ton", "gCO2e", '"ton" is not a unit here: which reads as the short ton; write tCO2e'),
        ("3 TFLOPS", "FLOP/s", '"TFLOPS" is not a unit here: write TFLOP or TFLOP/s'),
        ("3 kW/h", "W", 'expected a power (W, kW, MW); got "3 kW/h", which is energy*time^-2'),
        ("3 kWhh", "J", 'unknown unit "kWhh"; did you mean kWh?'),
        (
            "36,5 h",
            "s",
            'expected a time (s, min, h, d, year); got "36,5 h"; a comma parts thousands: write '
            "36.5 h",
        ),
        ("1.5y", "s", '"y" is not a unit here: write year'),
        ("2 wk", "s", '"wk" is not a unit here: write week'),
        ("3 mo", "s", '"mo" is not a unit here: months differ in length; write days'),
        (
            "90m",
            "s",
            'expected a time (s, min, h, d, year); got "90m", which is a distance; write min',
        ),
        ("4 kg", "gCO2e", '"kg" is not a unit here: write kgCO2e'),
    ],
)
def test_what_is_wrong_is_said_in_words(text: str, si_unit: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        units.parse(text, si_unit)
    assert caught.value.problems[0].message == message


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3e23", 3e23),
        ("15T", 15e12),
        ("8.03B", 8.03e9),
        ("512", 512.0),
        ("12 %", 0.12),
        ("1/7", 1 / 7),
        ("50k", 5e4),
        ("1_000", 1000.0),
        (".5", 0.5),
        ("-2", -2.0),
    ],
)
def test_numbers_as_people_write_them(text: str, value: float) -> None:
    assert numerals.number(text) == pytest.approx(value, rel=1e-15)


@pytest.mark.parametrize(
    "text", ["", "eight", "1/0x", "15 Q", "1e999", "nan", "inf", "1" * 70, "١٢"]
)
def test_what_is_no_number(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        numerals.number(text)


def test_carbon_is_no_mass_and_dollars_are_no_carbon() -> None:
    import pint

    ureg = units.registry()
    with pytest.raises(pint.DimensionalityError):
        ureg("1 kg") + ureg("1 kgCO2e")
    with pytest.raises(pint.DimensionalityError):
        ureg("5 USD").to("kgCO2e")


@given(value=st.floats(1e-9, 1e30), spelling=st.sampled_from(SPELLINGS))
def test_there_and_back(value: float, spelling: str) -> None:
    back = units.from_si(units.to_si(value, spelling), spelling)
    assert back == pytest.approx(value, rel=1e-12)


@given(st.text(max_size=40))
def test_any_text_is_a_quantity_or_an_input_error(text: str) -> None:
    try:
        assert units.parse(text, "W") == units.parse(text, "W")
    except InputError:
        return


@pytest.mark.parametrize(("written", "ours"), [
    ("gCO2eq/kWh", "gCO2e/kWh"), ("kgCO2eq", "kgCO2e"), ("tCO2eq/MWh", "tCO2e/MWh"),
    ("gCO₂e/kWh", "gCO2e/kWh"), ("kgCO₂eq", "kgCO2e"),
])  # fmt: skip
def test_carbon_as_other_tools_write_it(written: str, ours: str) -> None:
    assert units.unit(written) == units.unit(ours)
