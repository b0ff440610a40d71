"""SCI for AI and abiotic depletion by hand."""

from __future__ import annotations

import pytest

import costcalc
from costcalc.calculator import formulas

RUN = {
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1e9", "sequence_length": 1024, "global_batch": 64, "runs": 2},
    "hardware": {"accelerator": "a100-sxm4-40", "count": 4},
    "site": {"region": "FR"},
}


def test_intensity_is_the_carbon_of_all_runs_over_their_work() -> None:
    made = costcalc.estimate(RUN)
    found = {name: float(made.results[name].value or 0.0) for name in made.results}
    grams = found["carbon_total"] * 1000
    assert found["sci"] == pytest.approx(grams / (found["total_compute"] / 1e18))
    per = made.results["sci"].per
    assert per["training_token"]["value"] == pytest.approx(grams / 2e9)  # 1e9 in each of 2 runs
    assert per["training_token"]["unit"] == "gCO2e/token"
    assert per["parameter"]["value"] == pytest.approx(grams / found["parameters"])
    assert "gross" in made.to_dict()["results"]["sci"]["convention"]


def test_of_stages_it_is_of_all_their_work() -> None:
    stages = [{"name": "a"}, {"name": "b", "training": {"tokens": "2e9"}}]
    made = costcalc.estimate({**RUN, "stages": stages})
    sci, carbon, compute = (
        made.results[name].value for name in ("sci", "carbon_total", "total_compute")
    )
    assert sci is not None
    assert carbon is not None
    assert compute is not None
    assert sci == pytest.approx(carbon * 1000 / (compute / 1e18))


def test_without_a_place_or_a_model_it_is_unknown_with_the_reason() -> None:
    nowhere = costcalc.estimate({**RUN, "site": None}).results["sci"]
    assert nowhere.value is None
    assert nowhere.why == "needs the CO2e and the compute of the run, of which one is not known"


def test_depletion_is_the_share_of_a_devices_life() -> None:
    """8 g over 4 years of which 80 % work: 4 devices a day take 4/1461/0.8 of one's life."""
    made = formulas.abiotic_depletion(
        device_hours=4 * 86_400.0,
        billed=1.0,
        abiotic_device=8.0,
        lifetime=4 * 365.25 * 86_400.0,
        lifetime_utilization=0.8,
    )
    assert made == pytest.approx(8.0 * 4 / 1461 / 0.8)


def test_depletion_is_of_the_profile_or_given_or_unknown() -> None:
    known = costcalc.estimate(RUN).results["abiotic_depletion"]
    assert known.unit == "kgSbeq"
    assert known.value is not None
    other = {**RUN, "hardware": {"accelerator": "h100-sxm5-80", "count": 4}}
    unknown = costcalc.estimate(other).results["abiotic_depletion"]
    assert unknown.value is None
    assert unknown.why == (
        "no abiotic depletion of NVIDIA H100 SXM5 80 GB is known: its profile has none"
    )
    given = costcalc.estimate(other, changes={"embodied.abiotic_depletion": "8 gSbeq"})
    assert given.results["abiotic_depletion"].value is not None
