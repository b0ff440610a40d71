"""The calculation on plain numbers: by hand, with dimensions proved through pint, as laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.base.units import registry
from costcalc.calculator import formulas as pipeline

# GPT-3 as Patterson et al. 2021 (arXiv 2104.10350, table 4) report it: 3.14e23 FLOP on 10,000 V100
# at 24.6 TFLOP/s each, 330 W of system power, PUE 1.10, 429 g/kWh: 1,287 MWh and 552.1 t.
GPT3 = {
    "model_flops": 3.14e23,
    "training_flops": 3.14e23,
    "devices": 10_000.0,
    "peak": 125e12,
    "utilization": 24.6e12 / 125e12,
    "generation": 0.0,
    "goodput": 1.0,
    "runs": 1.0,
    "board_power": 330.0,
    "idle_power": 30.0,
    "redone": 0.0,
    "host_power": 0.0,
    "network_share": 0.0,
    "pue": 1.10,
    "grid": 429 / 3.6e6,
    "price": 1.0 / 3600,
    "billed": 1.0,
    "electricity": 0.0,
    "embodied_device": 150e3,
    "embodied_host": 312.5e3,
    "lifetime": 5 * 8766 * 3600.0,
    "lifetime_utilization": 0.8,
    "wue": 0.55e-3 / 3.6e3,
    "grid_water": 3.14 / 3.6e6,
}


def test_gpt3_comes_out_as_patterson_published_it() -> None:
    values = pipeline.run(GPT3)
    # 3.14e23 / (10,000 × 24.6e12) = 1.2764e6 s = 14.77 days (published: 14.8)
    assert values["wall_clock"] / 86400 == pytest.approx(14.8, rel=5e-3)
    # × 10,000 × 330 W × 1.10 = 1,287 MWh
    assert values["energy"] / 3.6e9 == pytest.approx(1287, rel=1e-3)
    # × 429 g/kWh = 552.1 t
    assert values["carbon_operational"] / 1e6 == pytest.approx(552.1, rel=1e-3)
    assert values["cost"] == pytest.approx(values["device_hours"] / 3600)


def test_lost_time_is_paid_for_and_draws_between_idle_and_full() -> None:
    values = pipeline.run({**GPT3, "goodput": 0.8, "redone": 0.25})
    # training 330 W for 80 %, lost 30 + (330 - 30) × 0.25 = 105 W for 20 %
    assert values["mean_power"] == pytest.approx(0.8 * 330 + 0.2 * 105)
    assert values["wall_clock"] == pytest.approx(pipeline.run(GPT3)["wall_clock"] / 0.8)


def test_a_measured_figure_takes_the_place_of_its_formula() -> None:
    values = pipeline.run({**GPT3, "energy": 3.6e9})
    assert values["energy"] == 3.6e9
    assert values["carbon_operational"] == pytest.approx(3.6e9 * 429 / 3.6e6)


def test_what_lacks_an_input_is_left_out_and_named() -> None:
    known = {k: v for k, v in GPT3.items() if k != "grid"}
    values = pipeline.run(known)
    assert "carbon_total" not in values
    assert pipeline.missing("carbon_total", values) == ["grid"]
    assert pipeline.missing("energy", {}) == [
        "training_flops",
        "devices",
        "peak",
        "utilization",
        "generation",
        "goodput",
        "runs",
        "board_power",
        "idle_power",
        "redone",
        "host_power",
        "billed",
        "network_share",
        "pue",
    ]


UNITS = {
    "model_flops": "FLOP",
    "training_flops": "FLOP",
    "devices": "device",
    "peak": "FLOP/second/device",
    "utilization": "",
    "generation": "second",
    "goodput": "",
    "runs": "",
    "board_power": "watt/device",
    "idle_power": "watt/device",
    "redone": "",
    "host_power": "watt/device",
    "network_share": "",
    "pue": "",
    "grid": "gCO2e/joule",
    "price": "USD/device/second",
    "billed": "",
    "electricity": "USD/joule",
    "embodied_device": "gCO2e/device",
    "embodied_host": "gCO2e/device",
    "lifetime": "second",
    "lifetime_utilization": "",
    "wue": "litre/joule",
    "grid_water": "litre/joule",
}
DIMENSIONS = {
    "total_compute": "FLOP",
    "training_time": "second",
    "wall_clock": "second",
    "device_hours": "device*second",
    "lost_power": "watt/device",
    "mean_power": "watt/device",
    "energy_it": "joule",
    "energy": "joule",
    "cost": "USD",
    "carbon_operational": "gCO2e",
    "carbon_embodied": "gCO2e",
    "carbon_total": "gCO2e",
    "water": "litre",
}


def test_every_formula_has_the_dimension_of_its_figure() -> None:
    ureg = registry()
    quantities = {
        name: value * ureg(UNITS[name]) if UNITS[name] else value for name, value in GPT3.items()
    }
    found = pipeline.run(quantities)
    plain = pipeline.run(GPT3)
    for name, wanted in DIMENSIONS.items():
        assert found[name].check(ureg(wanted).dimensionality), name
        assert found[name].to_base_units().m_as(ureg(wanted).units) == pytest.approx(plain[name])


def test_a_wrong_chain_would_be_seen() -> None:
    import pint

    ureg = registry()
    with pytest.raises(pint.DimensionalityError):
        pipeline.carbon_total(1.0 * ureg("gCO2e"), 1.0 * ureg("USD"))


def test_arrays_give_what_scalars_give() -> None:
    grids = np.array([10.0, 400.0, 900.0]) / 3.6e6
    found = pipeline.run({**GPT3, "grid": grids})["carbon_total"]
    singly = [pipeline.run({**GPT3, "grid": float(grid)})["carbon_total"] for grid in grids]
    np.testing.assert_allclose(found, singly, rtol=1e-15)


@given(factor=st.floats(1.01, 100))
def test_twice_the_devices_halve_the_time_and_keep_the_energy(factor: float) -> None:
    one, many = pipeline.run(GPT3), pipeline.run({**GPT3, "devices": GPT3["devices"] * factor})
    assert many["wall_clock"] == pytest.approx(one["wall_clock"] / factor)
    assert many["energy"] == pytest.approx(one["energy"])
    assert many["cost"] == pytest.approx(one["cost"])


@given(name=st.sampled_from(["pue", "grid", "price", "runs"]), factor=st.floats(1.01, 10))
def test_figures_are_linear_in_what_they_are_products_of(name: str, factor: float) -> None:
    of = {"pue": "energy", "grid": "carbon_operational", "price": "cost", "runs": "device_hours"}
    one, more = pipeline.run(GPT3), pipeline.run({**GPT3, name: GPT3[name] * factor})
    assert more[of[name]] == pytest.approx(one[of[name]] * factor)


def test_each_formula_in_words_names_what_it_takes() -> None:
    for figure in pipeline.FIGURES:
        words = pipeline.formula(figure)
        assert words
        for need in pipeline.needs(figure):
            assert need in words, (figure.__name__, need)


def test_every_need_is_an_input_or_a_figure() -> None:
    names = {figure.__name__ for figure in pipeline.FIGURES}
    for figure in pipeline.FIGURES:
        assert set(pipeline.needs(figure)) <= names | pipeline.INPUTS.keys()


@pytest.mark.parametrize("figure", pipeline.FIGURES, ids=lambda figure: figure.__name__)
def test_each_printed_formula_gives_what_its_code_gives(figure) -> None:
    words = pipeline.formula(figure)
    numbers = {need: 1.0 + 0.37 * n for n, need in enumerate(pipeline.needs(figure))}
    plain = words.replace("×", "*").replace("−", "-")
    assert eval(plain, {}, numbers) == pytest.approx(figure(**numbers), rel=1e-15)


def test_printed_formulas_by_hand() -> None:
    assert pipeline.formula(pipeline.lost_power) == (
        "idle_power + (board_power − idle_power) × redone"
    )
    assert pipeline.formula(pipeline.energy_it) == (
        "device_hours × (mean_power + idle_power × (billed − 1) + host_power × billed)"
        " × (1 + network_share)"
    )
    assert pipeline.formula(pipeline.carbon_embodied) == (
        "device_hours × billed × (embodied_device + embodied_host)"
        " / (lifetime × lifetime_utilization)"
    )


def test_explain_names_the_file_and_the_function_of_each_formula() -> None:
    import importlib
    import re
    from pathlib import Path

    from costcalc.calculator.calculate import estimate
    from costcalc.calculator.explaining import explain

    example = Path(__file__).parents[2] / "examples" / "llama-3-8b.yaml"
    lines = list(explain(estimate(example)))
    named = [found for line in lines for found in re.findall(r"(costcalc/\S+)\.py, (\w+)", line)]
    alone = {"model_flops", "training_flops"}  # which follow only from samples of any length
    unknown = {"abiotic_depletion"}  # not in that profile
    assert {name for _, name in named} >= {f.__name__ for f in pipeline.FIGURES} - alone - unknown
    assert not {name for _, name in named} & alone
    samples = {"training.tokens": None, "training.samples": 52000}
    told = list(explain(estimate(example, changes=samples)))
    for name in alone:
        assert (
            "  = counted_flops × sample_tokens / counted_tokens  (costcalc/calculator/formulas.py, "
            f"{name})" in told
        )
    assert {"workload", "throughput", "step_time", "memory", "board_power"} <= {
        name for _, name in named
    }
    for path, name in named:
        assert callable(getattr(importlib.import_module(path.replace("/", ".")), name))
