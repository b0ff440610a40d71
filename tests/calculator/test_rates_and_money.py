"""Rates that are given, money of every kind, limits, and properties of any run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llama_run import LLAMA, value, with_

import costcalc
from costcalc import InputError


def test_throughput_wins_over_utilization() -> None:
    made = costcalc.estimate(with_(hardware={"throughput": "8e6 token/s", "utilization": 0.1}))
    assert value(made, "throughput") == pytest.approx(8e6)
    flops = 51_470_401_536 * 8e6
    assert value(made, "utilization") == pytest.approx(flops / (1024 * 989.4e12), rel=1e-3)


def test_full_attention_utilization_is_converted_to_the_causal_count() -> None:
    made = costcalc.estimate(
        with_(
            hardware={
                "utilization": 0.4,
                "utilization_basis": {"peak": "bf16", "attention": "full"},
            }
        )
    )
    # full 57.912852480e9, causal 51.470401536e9 FLOP a token
    assert value(made, "utilization") == pytest.approx(0.4 * 51_470_401_536 / 57_912_852_480)


def test_fp8_utilization_against_the_bf16_peak() -> None:
    made = costcalc.estimate(
        with_(
            training={"precision": "fp8"},
            hardware={"utilization": 0.4, "utilization_basis": {"peak": "bf16"}},
        )
    )
    assert value(made, "utilization") == pytest.approx(0.2, rel=1e-3)


def test_another_currency_is_converted_at_the_stated_rate() -> None:
    euro = costcalc.estimate(with_(price={"device_hour": "2 EUR", "rate": "1.08 USD/EUR"}))
    assert value(euro, "cost") == pytest.approx(1.08 * value(costcalc.estimate(LLAMA), "cost"))


def test_owned_hardware_is_written_off_and_draws_electricity() -> None:
    made = costcalc.estimate(
        with_(
            hardware={"count": 8},
            price={
                "device_hour": None,
                "plan": "owned",
                "owned": {
                    "purchase": "250 kUSD",
                    "lifetime": "5 year",
                    "utilization": 0.7,
                    "electricity": "0.08 USD/kWh",
                },
            },
        )
    )
    share = value(made, "wall_clock") / (5 * 8766 * 0.7)
    expected = 250e3 * share + value(made, "energy") * 0.08
    assert value(made, "cost") == pytest.approx(expected)


def test_a_discount_is_taken_off() -> None:
    made = costcalc.estimate(with_(price={"discount": "12 %"}))
    assert value(made, "cost") == pytest.approx(0.88 * value(costcalc.estimate(LLAMA), "cost"))


def test_limits_are_judged_on_the_value_with_the_chance_of_passing() -> None:
    made = costcalc.estimate(
        {
            **LLAMA,
            "limits": {"cost": "500 USD", "time": "5 year", "energy": "1 GWh", "carbon": "1 gCO2e"},
        }
    )
    by_key = {limit["key"]: limit for limit in made.limits}
    assert by_key["limits.cost"]["passed"] is True
    assert by_key["limits.cost"]["chance"] == 1.0
    assert by_key["limits.time"]["passed"] is False
    assert by_key["limits.carbon"]["passed"] is True
    assert not made.within_limits


def test_a_limit_that_cannot_be_judged_is_not_kept() -> None:
    made = costcalc.estimate({**with_(site=None), "limits": {"carbon": "1 tCO2e"}})
    assert made.limits[0]["passed"] is None
    assert not made.within_limits


def test_own_profiles_are_found_beside_the_run_file(tmp_path: Path) -> None:
    from costcalc.catalog.files import profiles_root

    shipped = (profiles_root() / "accelerators" / "a100-sxm4-80.yaml").read_text()
    own = tmp_path / "mine"
    own.mkdir()
    text = shipped.replace("id: a100-sxm4-80", "id: my-chip", 1)
    start, end = text.index("aliases:"), text.index("\npeak:")
    (own / "my-chip.yaml").write_text(text[:start] + "aliases: [my chip]" + text[end:])
    file = tmp_path / "run.yaml"
    file.write_text(
        "model: {flops: 1e20 FLOP}\nprofiles: ./mine\n"
        "hardware: {accelerator: my chip, count: 8, utilization: 0.3}\n"
    )
    assert costcalc.estimate(file).details["hardware"]["id"] == "my-chip"


def test_another_convention_of_the_grid_is_named() -> None:
    made = costcalc.estimate(with_(site={"region": "CN-SC", "grid": None, "pue": None}))
    grid = next(item for item in made.assumptions if item.key == "site.grid")
    assert "direct" in grid.why
    assert "location" in grid.why


def test_the_filled_in_run_estimates_the_same_without_what_was_filled() -> None:
    made = costcalc.estimate(LLAMA)
    report = made.to_dict()
    assert report["run"]["training"]["optimizer"] == "adamw"
    again = costcalc.estimate(report["run"])
    for name in ("wall_clock", "energy_it", "cost", "carbon_operational"):
        assert value(again, name) == pytest.approx(value(made, name)), name


def test_save_never_overwrites_unasked(tmp_path: Path) -> None:
    made = costcalc.estimate(LLAMA)
    path = made.save(tmp_path / "costs.yaml")
    with pytest.raises(InputError, match="exists already"):
        made.save(path)
    made.save(path, force=True)
    made.save(tmp_path / "costs.json")
    for path, last in ((tmp_path / "costs.json", "}\n"), (tmp_path / "costs.yaml", "\n")):
        assert path.read_text().endswith(last)
        assert not path.read_text().endswith("\n\n")
    assert json.loads((tmp_path / "costs.json").read_text())["digest"].startswith("sha256:")


def test_results_convert_units() -> None:
    energy = costcalc.estimate(LLAMA).results["energy"]
    assert energy.value is not None
    assert energy.to("MWh").value == pytest.approx(energy.value / 1000)
    with pytest.raises(InputError, match="expected a unit of an energy"):
        energy.to("kgCO2e")


@settings(max_examples=25)
@given(
    count=st.sampled_from([8, 16, 64, 256]),
    tokens=st.floats(1e9, 1e13),
    preset=st.sampled_from(["llama-3-8b", "mistral-7b", "qwen3-0.6b", "mixtral-8x7b"]),
)
def test_any_run_has_ordered_ranges(count: int, tokens: float, preset: str) -> None:
    made = costcalc.estimate(
        {
            "model": {"preset": preset},
            "training": {"tokens": tokens},
            "hardware": {"accelerator": "h100-sxm5-80", "count": count},
            "site": {"region": "aws:us-east-1"},
        }
    )
    for name, result in made.results.items():
        if name == "abiotic_depletion":  # not in this profile
            continue
        assert result.value is not None, (name, result.why)
        assert result.low is not None
        assert result.high is not None
        assert 0 < result.low <= result.value <= result.high, name


@settings(max_examples=15)
@given(factor=st.floats(1.1, 50))
def test_more_tokens_never_cost_less(factor: float) -> None:
    one = costcalc.estimate(LLAMA, ranges=False)
    more = costcalc.estimate(with_(training={"tokens": 15e12 * factor}), ranges=False)
    for name in ("wall_clock", "cost", "energy", "carbon_total", "water"):
        assert value(more, name) == pytest.approx(factor * value(one, name)), name


SMALL = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1T"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
    "site": {"region": "FR"},
}


def words_of(runs: float) -> dict[str, str]:
    training = {"tokens": "1T", "runs": runs}
    made = costcalc.estimate({**SMALL, "training": training}, ranges=False)
    return dict(made.details["steps"])


def test_the_steps_in_words_say_the_runs_where_there_are_several() -> None:
    one, two = words_of(1), words_of(2)
    assert one["compute"].split(";")[0].endswith("× H 1 run")
    assert two["compute"].split(";")[0].endswith("× H 2 runs")
    assert "runs" not in one["time"]
    assert " × 64 devices × 2 runs = " in two["time"]


def test_drivers_are_of_every_figure_of_one_part_and_of_the_sums_of_several() -> None:
    one = {driver["of"] for driver in costcalc.estimate(SMALL).drivers}
    assert {"utilization", "wall_clock", "energy", "carbon_total"} <= one
    stages = [{"name": "a"}, {"name": "b", "training": {"tokens": "2T"}}]
    several = {driver["of"] for driver in costcalc.estimate({**SMALL, "stages": stages}).drivers}
    assert {"wall_clock", "energy", "carbon_total"} <= several
    assert "utilization" not in several
    assert not list(costcalc.estimate(SMALL, ranges=False).drivers)
