"""A run by hand, what is listed of it, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from llama_run import LLAMA, value, with_

import costcalc
from costcalc import InputError
from costcalc.calculator.result import UNITS


def test_a_run_by_hand() -> None:
    made = costcalc.estimate(LLAMA)
    flops = 51_470_401_536 * 15e12  # reference: Llama-3-8B at 8192, causal, a token
    hours = flops / (1024 * 989.4e12 * 0.4) / 0.9 / 3600
    assert value(made, "training_compute") == pytest.approx(flops, rel=1e-12)
    assert value(made, "wall_clock") == pytest.approx(hours, rel=1e-3)
    assert value(made, "device_hours") == pytest.approx(1024 * hours, rel=1e-3)
    assert value(made, "cost") == pytest.approx(2 * 1024 * hours, rel=1e-3)
    assert value(made, "throughput") == pytest.approx(15e12 / (hours * 3600 * 0.9), rel=1e-3)
    assert value(made, "step_time") == pytest.approx(
        1024 * 8192 / value(made, "throughput"), rel=1e-9
    )


def test_the_identities_of_the_contract_hold() -> None:
    made = costcalc.estimate(LLAMA)
    assert value(made, "energy") == pytest.approx(value(made, "energy_it") * 1.2, rel=1e-12)
    assert value(made, "carbon_operational") == pytest.approx(
        value(made, "energy") * 400 / 1000, rel=1e-12
    )
    assert value(made, "carbon_total") == pytest.approx(
        value(made, "carbon_operational") + value(made, "carbon_embodied"), rel=1e-12
    )


def test_every_result_of_the_contract_is_there_in_its_unit() -> None:
    made = costcalc.estimate(LLAMA).to_dict()
    assert made["schema"] == "costcalc/report/v1"
    assert {name: r["unit"] for name, r in made["results"].items()} == UNITS
    assert made["results"].pop("abiotic_depletion")["why"].startswith("no abiotic depletion of")
    for name, result in made["results"].items():
        assert result["low"] <= result["value"] <= result["high"], name
        assert result["basis"] in {"given", "measured", "profile", "modelled", "default"}


def test_exact_figures_have_no_range_and_uncertain_ones_do() -> None:
    made = costcalc.estimate(LLAMA)
    for name in ("parameters", "training_compute", "wall_clock", "device_hours", "cost"):
        assert made.results[name].low == made.results[name].value == made.results[name].high, name
    for name in ("energy", "carbon_total", "water"):
        low, high = made.results[name].low, made.results[name].high
        assert low is not None
        assert high is not None
        assert low < value(made, name) < high, name


def test_the_same_input_gives_the_same_output_to_the_last_digit() -> None:
    assert costcalc.estimate(LLAMA).to_json() == costcalc.estimate(dict(LLAMA)).to_json()


def test_without_site_no_carbon_and_without_price_no_cost_said_why() -> None:
    made = costcalc.estimate(with_(site=None, price=None))
    carbon, cost = made.results["carbon_total"], made.results["cost"]
    assert carbon.value is None
    assert carbon.why == "no site.region and no site.grid"
    assert cost.value is None
    assert cost.why.startswith("no price.provider, and site.region names none (known: ")
    assert "USD/device_hour" in cost.why
    assert made.results["water"].value is None
    assert value(made, "energy") > 0  # with the survey's PUE, listed
    assert any(a.key == "site.pue" and a.basis == "default" for a in made.assumptions)


def test_every_default_is_listed_with_a_source() -> None:
    made = costcalc.estimate(
        {
            "model": {"preset": "llama-3-8b"},
            "training": {"tokens": "1T"},
            "hardware": {"accelerator": "h100", "count": 64},
            "site": {"region": "FR"},
        }
    )
    listed = {item.key: item for item in made.assumptions}
    for key in (
        "training.method",
        "training.packing",
        "training.sequence_length",
        "training.global_batch",
        "training.precision",
        "training.attention",
        "training.optimizer",
        "training.runs",
        "hardware.goodput",
        "hardware.layout",
        "hardware.host",
        "hardware.utilization",
        "site.pue",
        "site.grid",
        "embodied.lifetime",
    ):
        assert key in listed, key
        assert listed[key].source, key
        assert listed[key].basis != "given", key


def test_what_the_user_gives_is_given_and_knows_its_place(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "model: {flops: 1e21 FLOP}\nhardware:\n  accelerator: a100-sxm4-80\n"
        "  count: 8\n  utilization: 0.4\nsite: {region: FR, pue: 1.1}\n"
    )
    made = costcalc.estimate(file)
    listed = {item.key: item for item in made.assumptions}
    assert listed["site.pue"].basis == "given"
    assert listed["site.pue"].where == f"{file}:6:25"
    assert listed["hardware.utilization"].where == f"{file}:5:16"
    assert str(tmp_path) not in made.to_json()


def test_problems_of_every_kind_come_together(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "model:\n  preset: lama-3-8b\ntraining:\n  tokens: 15T\nhardware:\n"
        "  accelerator: h100-sxm6\n  count: 8\nsite:\n  region: aws:us-esat-1\n"
    )
    with pytest.raises(InputError) as caught:
        costcalc.estimate(file)
    lines = str(caught.value).splitlines()
    assert lines[0].startswith(
        f"{file}:2:11: model.preset: no preset lama-3-8b; nearest: llama-3-8b"
    )
    assert lines[1].startswith(
        f"{file}:6:16: hardware.accelerator: no accelerator h100-sxm6; nearest:"
    )
    assert lines[2] == (
        f"{file}:9:11: site.region: no region aws:us-esat-1; nearest: aws:us-east-1,"
        " aws:us-west-1, aws:us-east-2"
    )
    assert lines[3] == f"3 problems in {file}"


@pytest.mark.parametrize("name", ["h100-sxm", "h10", "H100 ", "nvidia", "a100"])
def test_names_match_exactly_or_not_at_all(name: str) -> None:
    """No substring ever matches: what is found is the id, an alias, or an error."""
    from costcalc.catalog.accelerator import find

    try:
        found = find(name)
    except InputError:
        return
    names = {found.id, *(alias.lower() for alias in found.aliases)}
    assert " ".join(name.split()).lower() in names


def test_precision_without_a_peak_is_refused() -> None:
    with pytest.raises(InputError) as caught:
        costcalc.estimate(with_(hardware={"accelerator": "v100-sxm2-32", "utilization": None}))
    assert "v100-sxm2-32 has no peak for bf16; it has: fp16, fp32" in str(caught.value)


@pytest.mark.parametrize(
    ("preset", "accelerator", "most"),
    [
        ("qwen2.5-14b", "a100-sxm4-40", 3),
        ("llama-3-70b", "h100-sxm5-80", 6),
        ("llama-3-8b", "rtx-4090", 3),
    ],
)
def test_the_fewest_that_fit_are_the_same_whatever_was_asked_for(
    preset: str, accelerator: str, most: int
) -> None:
    """Every smaller count is refused with the same number, and that number is not."""
    run = {
        "model": {"preset": preset},
        "training": {"method": "finetune", "tokens": "1B"},
        "hardware": {"accelerator": accelerator},
    }
    for count in range(1, most):
        with pytest.raises(InputError) as caught:
            costcalc.estimate(run, changes={"hardware.count": count}, ranges=False)
        assert f"; {most} such devices are the fewest that fit" in str(caught.value)
    made = costcalc.estimate(run, changes={"hardware.count": most}, ranges=False)
    assert any("memory may not suffice" in warning for warning in made.warnings)


def test_what_cannot_fit_is_refused_with_the_smallest_count() -> None:
    run = {
        "model": {"preset": "llama-3.1-405b"},
        "training": {"tokens": "1T", "method": "finetune"},
        "hardware": {"accelerator": "a100-sxm4-40", "count": 8},
    }
    with pytest.raises(InputError) as caught:
        costcalc.estimate(run)
    message = str(caught.value)
    assert "hardware.count" in message
    assert "64 such devices are the fewest that fit" in message
    measured = {**run, "hardware": {**run["hardware"], "utilization": 0.3}}
    assert value(costcalc.estimate(measured), "wall_clock") > 0
