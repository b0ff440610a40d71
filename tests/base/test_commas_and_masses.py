"""Money with cents behind a comma, and carbon intensities that do not say of what."""

import pytest

import costcalc
from costcalc.base.errors import InputError
from costcalc.base.moneys import spelt
from costcalc.base.units import parse


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("€2,49", "2.49 EUR"),
        ("2,49 €", "2.49 EUR"),
        ("2,5 €/h", "2.5 EUR/h"),
        ("$2,49", "2.49 USD"),
        ("0,125 USD", "0.125 USD"),  # no number of thousands begins with 0
        ("1.234,50 €", "1234.50 EUR"),
        ("1.234.567,8 EUR", "1234567.8 EUR"),
        ("2,5k€", "2.5k EUR"),
        ("$1,234.50", "1,234.50 USD"),
        ("$2,490", "2,490 USD"),  # thousands
        ("2,490 €", "2,490 EUR"),
        ("2,4900 €", "2,4900 EUR"),  # neither: refused where it is read
        ("1,23,45 €", "1,23,45 EUR"),
        ("12.34,5 €", "12.34,5 EUR"),
    ],
)
def test_cents_behind_a_comma(written, read):
    assert spelt(written) == read


@pytest.mark.parametrize(
    "written",
    [
        "0.39 kg/kWh", "390 g/kWh", "390 kg/MWh", "0.39 t/MWh", "390 gCO2/kWh", "390 gCO₂/kWh",
        "390 g CO2e/kWh", "0.39 kgCO2eq/kWh", "390 gCO2-eq/kWh", "390 gCO2e/kWh",
    ],
)  # fmt: skip
def test_a_mass_over_an_energy_is_a_carbon_intensity(written):
    assert parse(written, "gCO2e/J") == pytest.approx(390 / 3.6e6)


@pytest.mark.parametrize("written", ["390 g", "0.39 kg/h", "390 gH2O/kWh", "390 lb/MWh"])
def test_of_another_mass_or_rate_it_is_none(written):
    with pytest.raises(InputError):
        parse(written, "gCO2e/J")


def test_emissions_alone_say_of_what():
    with pytest.raises(InputError, match='"kg" is not a unit here: write kgCO2e'):
        parse("3 kg", "gCO2e")


def test_what_is_taken_is_said():
    def warnings(grid):
        run = {
            "measured": {"wall_clock": "10 h"},
            "hardware": {"accelerator": "l4", "count": 1},
            "site": {"region": "FR", "grid": grid},
        }
        return [one for one in costcalc.estimate(run).warnings if one.startswith("site.grid")]

    assert warnings("0.39 kg/kWh") == ['site.grid: "0.39 kg/kWh" is taken as 0.39 kgCO2e/kWh']
    assert warnings("390 gCO2e/kWh") == []
