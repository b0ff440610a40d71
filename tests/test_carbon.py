"""The carbon kernels: published totals by hand, arrays, and dimensions through pint."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc import carbon
from costcalc.base.units import from_si, registry
from costcalc.calculator.formulas import carbon_embodied, carbon_operational
from costcalc.calculator.formulas import water as water_of

HOUR = 3600.0
YEAR = 365.25 * 86400
KWH = 3.6e6
positive = st.floats(1e-6, 1e12)


@pytest.mark.parametrize(
    ("hours", "watts", "grams", "tonnes"),
    # model cards: Llama 3.1 (39.3 M h), Llama 2 (3.3 M h of A100), both location-based
    [(39.3e6, 700, 414, 11390), (3.3e6, 400, 408, 539)],
)
def test_operational_emissions_of_model_cards(hours, watts, grams, tonnes):
    emitted = carbon_operational(hours * HOUR * watts, grams / KWH)
    assert emitted / 1e6 == pytest.approx(tonnes, rel=2e-3)


def test_operational_emissions_of_bloom():
    # Luccioni et al., arXiv 2211.02001: 433,196 kWh at 57 g/kWh are 24.7 t
    assert carbon_operational(433196 * KWH, 57 / KWH) == pytest.approx(24.7e6, rel=2e-3)


@pytest.mark.parametrize(
    ("device", "host", "grams_per_hour"),
    # over 4 years at 85 %: 29,800 h; (164 kg and 575 + 712 kg)
    [(164e3, 0.0, 164e3 / (4 * 365.25 * 24 * 0.85)), (575e3, 712e3, 43.2)],
)
def test_embodied_emissions_of_one_hour(device, host, grams_per_hour):
    share = carbon_embodied(
        billed=1.0,
        embodied_device=device,
        embodied_host=host,
        device_hours=HOUR,
        lifetime=4 * YEAR,
        lifetime_utilization=0.85,
    )
    assert share == pytest.approx(grams_per_hour, rel=2e-3)


def test_a_device_used_all_its_life_carries_all_that_it_took_to_make():
    share = carbon_embodied(
        billed=1.0,
        embodied_device=164e3,
        embodied_host=712e3,
        device_hours=0.8 * 5 * YEAR,
        lifetime=5 * YEAR,
        lifetime_utilization=0.8,
    )
    assert share == pytest.approx(876e3)


def test_water_of_gpt3_on_site_and_in_all():
    # Li et al., arXiv 2304.03271: 1,287 MWh at 0.55 L/kWh on site, PUE 1.17 and 3.14 L/kWh:
    # 700,000 L on site, 5.4 million L in all
    energy_it = 1287e3 * KWH
    on_site = water_of(energy_it=energy_it, wue=0.55 / KWH, energy=0.0, grid_water=3.14 / KWH)
    in_all = water_of(
        energy_it=energy_it, wue=0.55 / KWH, energy=1.17 * energy_it, grid_water=3.14 / KWH
    )
    assert on_site == pytest.approx(700e3, rel=0.02)
    assert in_all == pytest.approx(5.4e6, rel=0.02)


def test_the_kernels_take_arrays():
    energy = np.array([1.0, 2.0]) * KWH
    emitted = carbon_operational(energy, np.array([100.0, 50.0]) / KWH)
    assert emitted == pytest.approx([100.0, 100.0])
    made = carbon_embodied(
        billed=1.0,
        embodied_device=np.array([164e3, 0.0]),
        embodied_host=712e3,
        device_hours=HOUR,
        lifetime=5 * YEAR,
        lifetime_utilization=0.8,
    )
    assert made.shape == (2,)
    assert made[0] > made[1] > 0


def test_the_dimensions_are_those_of_the_results():
    unit = registry()
    kwh = unit("kWh")
    operational = carbon_operational(2.0 * kwh, 400.0 * unit("gCO2e") / kwh)
    assert operational.to("gCO2e").magnitude == pytest.approx(800.0)
    embodied = carbon_embodied(
        billed=1.0,
        embodied_device=164e3 * unit("gCO2e / device"),
        embodied_host=712e3 * unit("gCO2e / device"),
        device_hours=1.0 * unit("device_hour"),
        lifetime=5.0 * unit("year"),
        lifetime_utilization=0.8,
    )
    assert embodied.to("gCO2e").magnitude == pytest.approx(24.98, abs=0.01)
    litres = water_of(
        energy_it=1.0 * kwh,
        wue=0.5 * unit("litre") / kwh,
        energy=1.2 * kwh,
        grid_water=3.0 * unit("litre") / kwh,
    )
    assert litres.to("litre").magnitude == pytest.approx(4.1)


def test_pint_refuses_to_add_what_does_not_add():
    pint = pytest.importorskip("pint")
    unit = registry()
    with pytest.raises(pint.DimensionalityError):
        water_of(
            energy_it=1.0 * unit("kWh"),
            wue=0.5 * unit("gCO2e / kWh"),
            energy=1.0 * unit("kWh"),
            grid_water=3.0 * unit("litre / kWh"),
        )


@given(positive, positive, st.floats(1.0, 1e3))
def test_emissions_scale_with_energy(energy, intensity, times):
    one = carbon_operational(energy, intensity)
    assert carbon_operational(times * energy, intensity) == pytest.approx(times * one)


@given(st.floats(1.0, 1e6), st.floats(1.0, 1e9), st.floats(0.1, 1.0))
def test_longer_and_busier_lives_share_out_more(device, time, utilization):
    def share(lifetime, busy):
        return carbon_embodied(
            billed=1.0,
            embodied_device=device,
            embodied_host=0.0,
            device_hours=time,
            lifetime=lifetime,
            lifetime_utilization=busy,
        )

    assert share(6 * YEAR, utilization) < share(4 * YEAR, utilization)
    assert share(4 * YEAR, utilization) <= share(4 * YEAR, utilization / 2)


def test_the_defaults_are_assumptions_with_ranges():
    life, busy = carbon.lifetime(), carbon.lifetime_utilization()
    assert [from_si(end, life.unit) for end in (life.low, life.value, life.high)] == [4, 5, 6]
    assert 0 < busy.low < busy.value < busy.high < 1
    for assumption in (life, busy):
        assert assumption.basis == "default"
        assert assumption.source
        assert assumption.year


def test_defaults_of_a_life_with_their_sources():
    # annual reports of 2025: Amazon 5 years, Alphabet and Microsoft 6, 4 before
    years = carbon.lifetime()
    assert (years.value, years.low, years.high) == (5 * YEAR, 4 * YEAR, 6 * YEAR)
    assert (years.unit, years.basis, years.year) == ("year", "default", 2025)
    # Kokolis et al., arXiv 2410.21680 (October 2024): somewhat over 80 % allocated
    used = carbon.lifetime_utilization()
    assert (used.value, used.low, used.high) == (0.8, 0.5, 0.95)
    assert (used.basis, used.year) == ("default", 2024)
