"""``costcalc.estimate``: the whole, by hand and by law, on real models and hardware."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import costcalc
from costcalc import InputError
from costcalc.calculator.result import UNITS, Estimate

LLAMA: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {
        "tokens": "15T",
        "sequence_length": 8192,
        "global_batch": 1024,
        "precision": "bf16",
    },
    "hardware": {"accelerator": "h100-sxm5-80", "count": 1024, "utilization": 0.4, "goodput": 0.9},
    "site": {"region": "aws:us-east-1", "pue": 1.2, "grid": "400 gCO2e/kWh"},
    "price": {"device_hour": "2 USD"},
}


def with_(**sections: dict[str, Any] | None) -> dict[str, Any]:
    made = dict(LLAMA)
    for name, keys in sections.items():
        if keys is None:
            made.pop(name)
        else:
            made[name] = {**made.get(name, {}), **keys}
    return made


def value(made: Estimate, name: str) -> float:
    found = made.results[name].value
    assert found is not None, made.results[name].why
    return found


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
        ("llama-3-8b", "rtx-4090", 2),
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


def test_measured_takes_the_place_of_the_time() -> None:
    made = costcalc.estimate(
        {
            "measured": {"wall_clock": "36 h"},
            "hardware": {"accelerator": "a100-sxm4-80", "count": 4},
            "site": {"region": "FR"},
            "price": {"device_hour": "2 USD"},
        }
    )
    assert value(made, "device_hours") == pytest.approx(144)
    assert value(made, "cost") == pytest.approx(288)
    assert made.results["wall_clock"].basis == "measured"
    assert made.results["parameters"].value is None
    assert made.results["parameters"].why == "no model given"
    assert made.results["throughput"].value is None


def test_measured_device_hours_energy_and_cost_each_win() -> None:
    made = costcalc.estimate(
        {
            "measured": {"device_hours": 288, "energy": "41 kWh", "cost": "310 USD"},
            "hardware": {"accelerator": "a100-sxm4-80", "count": 8},
            "site": {"grid": "100 gCO2e/kWh", "pue": 1.25},
        }
    )
    assert value(made, "wall_clock") == pytest.approx(36)
    assert value(made, "energy") == pytest.approx(41)
    assert value(made, "energy_it") == pytest.approx(41 / 1.25)
    assert value(made, "carbon_operational") == pytest.approx(4.1)
    assert value(made, "cost") == pytest.approx(310)


def test_energy_alone_gives_carbon_and_nothing_of_time() -> None:
    made = costcalc.estimate(
        {
            "measured": {"energy": "41 kWh"},
            "hardware": {"accelerator": "a100-sxm4-80", "count": 8},
            "site": {"region": "FR"},
        }
    )
    assert value(made, "carbon_operational") > 0
    assert made.results["wall_clock"].value is None
    assert made.results["carbon_total"].value is None  # embodied needs the time
    assert made.results["wall_clock"].why


def test_runs_multiply_what_is_of_all_runs_and_nothing_else() -> None:
    one, three = costcalc.estimate(LLAMA), costcalc.estimate(with_(training={"runs": 3}))
    for name in ("total_compute", "device_hours", "cost", "energy", "water", "carbon_total"):
        assert value(three, name) == pytest.approx(3 * value(one, name)), name
    for name in ("training_compute", "utilization", "throughput", "step_time", "wall_clock"):
        assert value(three, name) == pytest.approx(value(one, name)), name


def test_stages_add_up() -> None:
    made = costcalc.estimate(
        {
            **LLAMA,
            "stages": [
                {"name": "pretrain"},
                {"name": "sft", "training": {"method": "finetune", "tokens": "2B"}},
            ],
        }
    )
    assert [stage.name for stage in made.stages] == ["pretrain", "sft"]
    for name in ("wall_clock", "cost", "energy", "carbon_total", "total_compute"):
        parts = sum(value(stage, name) for stage in made.stages)
        assert value(made, name) == pytest.approx(parts), name
    alone = costcalc.estimate(LLAMA)
    assert value(made.stages[0], "cost") == pytest.approx(value(alone, "cost"))
    assert made.results["utilization"].value == pytest.approx(0.4)


def test_a_share_of_a_device_is_that_share_of_it() -> None:
    def run(share: str | None) -> Estimate:
        hardware: dict[str, Any] = {
            "accelerator": "a100-sxm4-40", "utilization": 0.3, "goodput": 0.9,
        }  # fmt: skip
        hardware |= {"share": share} if share else {"count": 1}
        return costcalc.estimate(
            {
                "model": {"flops": "1e18 FLOP"},
                "hardware": hardware,
                "site": {"region": "FR"},
                "price": {"device_hour": "1 USD"},
            }
        )

    part, whole = run("1/5"), run(None)
    assert value(part, "wall_clock") == pytest.approx(5 * value(whole, "wall_clock"))
    assert value(part, "device_hours") == pytest.approx(value(whole, "device_hours"))
    assert value(part, "cost") == pytest.approx(value(whole, "cost"))
    # a seventh is MIG's 1g.5gb: 14 of 108 multiprocessors, for a seventh of the device
    part = run("1/7")
    assert value(part, "wall_clock") == pytest.approx(108 / 14 * value(whole, "wall_clock"))
    assert value(part, "cost") == pytest.approx(108 / 14 / 7 * value(whole, "cost"))


def test_instances_are_billed_whole() -> None:
    def run(count: int) -> Estimate:
        return costcalc.estimate(
            with_(hardware={"count": count}, price=None, site={"region": "aws:us-east-1"})
        )

    twelve, sixteen = run(12), run(16)
    per_hour_12 = value(twelve, "cost") / value(twelve, "wall_clock")
    per_hour_16 = value(sixteen, "cost") / value(sixteen, "wall_clock")
    assert per_hour_12 == pytest.approx(per_hour_16)  # two p5.48xlarge either way


def test_instance_and_nodes_say_what_and_how_many() -> None:
    made = costcalc.estimate(
        with_(hardware={"accelerator": None, "count": None, "instance": "p5.48xlarge", "nodes": 4})
    )
    assert made.details["hardware"]["id"] == "h100-sxm5-80"
    assert made.details["hardware"]["count"] == 32


def test_a_tpu_slice_says_its_count_and_contradictions_are_refused() -> None:
    made = costcalc.estimate(
        {
            "model": {"preset": "vit-b-16"},
            "training": {"samples": 1e6},
            "hardware": {"accelerator": "v3-32", "utilization": 0.3},
            "site": {"region": "gcp:us-central1"},
        }
    )
    assert made.details["hardware"]["count"] == 16  # 32 TensorCores, two a chip
    with pytest.raises(InputError, match="v3-32 says 16 chips; count says 32"):
        costcalc.estimate(
            {"model": {"flops": "1e18 FLOP"}, "hardware": {"accelerator": "v3-32", "count": 32}}
        )


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
