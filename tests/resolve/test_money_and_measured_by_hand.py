"""Money in other currencies, grids with hours, what was measured, models by their names."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from costcalc import InputError
from costcalc.base.assumption import Assumption, exact
from costcalc.calculator.calculate import estimate
from costcalc.calculator.explaining import figure
from costcalc.calculator.room import doubtful
from costcalc.report.follows import discrepancies
from costcalc.resolve.measured import JobRun, with_measured
from costcalc.resolve.price import _in
from costcalc.runfile.rules import Lacking
from costcalc.runfile.schema import Run

RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1B", "sequence_length": 2048},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8, "utilization": 0.4, "goodput": 1},
    "site": {"region": "FR", "pue": 1.2},
    "price": {"device_hour": "2 USD"},
}


def made(**sections: Any) -> Any:
    given = {key: value for key, value in {**RUN, **sections}.items() if value is not None}
    return estimate(given, ranges=False)


def listed(found: Any, key: str) -> Any:
    return next(item for item in found.inputs if item.key == key)


# --- money ---------------------------------------------------------------------------------------


def priced(unit: str, why: str = "") -> Assumption:
    return Assumption(key="k", value=6.0, low=3.0, high=9.0, unit=unit, basis="profile",
                      source="x", why=why)  # fmt: skip


def test_money_in_another_currency_is_divided_by_its_dollars() -> None:
    # 1.5 USD for one EUR: 6 USD are 4 EUR, 3 are 2, 9 are 6
    found = _in(priced("USD/device_hour", "on demand"), "EUR", 1.5)
    assert (found.value, found.low, found.high) == (4.0, 2.0, 6.0)
    assert (found.unit, found.why) == ("EUR/device_hour", "on demand; at 1.5 USD/EUR")
    assert _in(priced("USD"), "EUR", 1.5).why == "at 1.5 USD/EUR"
    share = priced("1")
    assert _in(share, "EUR", 1.5) is share


def test_a_run_in_another_currency_costs_as_much() -> None:
    dollars = made()
    price = {"device_hour": "2 USD", "currency": "EUR", "rate": "1.25 USD/EUR"}
    euros = made(price=price)
    assert euros.results["cost"].unit == "EUR"
    assert euros.results["cost"].value == pytest.approx(dollars.results["cost"].value / 1.25)
    assert listed(euros, "price.device_hour").unit == "EUR/device_hour"


# --- the grid ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("site", "ends", "basis", "why"),
    [
        ({}, (400.0, 400.0), "given", None),
        ({"grid_low": "300 gCO2e/kWh"}, (300.0, 400.0), "given", None),
        ({"grid_high": "500 gCO2e/kWh"}, (400.0, 500.0), "given", None),
        ({"grid_low": "300 gCO2e/kWh", "grid_high": "500 gCO2e/kWh"}, (300.0, 500.0), "given",
         None),
        ({"grid_resolution": "hourly"}, (400.0, 400.0), "profile",
         "the mean over the hours of the run; "),
        ({"grid_resolution": "annual"}, (400.0, 400.0), "default",
         "a year's mean, in place of the run's own hours, which are not known; "),
    ],
)  # fmt: skip
def test_a_grid_with_its_range_and_hours(
    site: dict[str, str], ends: tuple[float, float], basis: str, why: str | None
) -> None:
    found = made(site={"grid": "400 gCO2e/kWh", "pue": 1.2, **site})
    grid = listed(found, "site.grid")
    per_joule = 3.6e6
    assert (grid.low * per_joule, grid.high * per_joule) == pytest.approx(ends)
    assert grid.basis == basis
    assert why is None or grid.why.startswith(why)


# --- what was measured ---------------------------------------------------------------------------


def measured(known: dict[str, float], **said: Any) -> Any:
    run = Run.model_validate({"measured": said})
    job = JobRun(run=run, written={"measured": said})
    inputs = {
        name: exact(name, value, "1", basis="profile", source="x") for name, value in known.items()
    }
    if "pue" in inputs:
        pue = inputs["pue"]
        inputs["pue"] = Assumption(key="pue", value=pue.value, low=1.2, high=2.0, unit="1",
                                   basis="profile", source="x")  # fmt: skip
    inputs.setdefault("runs", exact("runs", 1.0, "1", basis="default", source="x"))
    said, of_all = with_measured(job.given, inputs)
    assert said.keys() == of_all.keys()
    return of_all, set(said)


def test_measured_figures_take_the_place_of_their_stages() -> None:
    hours, names = measured({"devices": 8.0, "runs": 2.0}, device_hours=32)
    # 32 device-hours of each of two runs are four hours on eight devices, and 64 of both
    assert hours["device_hours"].value == 64 * 3600
    assert hours["wall_clock"].value == 4 * 3600
    assert hours["wall_clock"].key == "measured.device_hours"
    assert names == {"device_hours", "wall_clock"}
    time, names = measured({}, wall_clock="3 h")
    assert (time["wall_clock"].value, names) == (3 * 3600, {"wall_clock"})
    energy, names = measured({"pue": 1.5}, energy="3 kWh")
    # 3 kWh with a PUE of 1.5 (1.2 to 2.0) are 2 kWh of the machines, 1.5 to 2.5
    kwh = 3.6e6
    it = energy["energy_it"]
    assert (it.value / kwh, it.low / kwh, it.high / kwh) == pytest.approx((2.0, 1.5, 2.5))
    assert (it.key, it.why) == ("measured.energy_it", "measured.energy / PUE")
    assert energy["energy"].value == 3 * kwh
    assert names == {"energy", "energy_it"}
    both, _ = measured({"pue": 1.5}, energy="3 kWh", energy_it="1.9 kWh")
    assert both["energy_it"].value == pytest.approx(1.9 * kwh)
    assert both["energy_it"].exact
    ends, _ = measured({}, energy_it="2 kWh", energy_it_low="1 kWh", energy_it_high="5 kWh")
    assert (ends["energy_it"].low / kwh, ends["energy_it"].high / kwh) == pytest.approx((1.0, 5.0))
    cost, _ = measured({}, cost="7 USD")
    assert (cost["cost"].value, cost["cost"].unit, cost["cost"].basis) == (7.0, "USD", "measured")
    assert with_measured(JobRun(run=Run.model_validate({}), written={}).given, {}) == (
        {}, {},
    )  # fmt: skip


def test_what_was_measured_is_of_one_run_and_says_so() -> None:
    typed = {"wall_clock": "14 h", "energy_it": "60 kWh", "cost": "700 USD"}
    found = estimate({**RUN, "measured": typed, "training": {**RUN["training"], "runs": 3}})
    # 14 h × 8 devices × 3 runs; 3 × 60 kWh, × PUE 1.2; 3 × 700 USD
    figures = {name: found.results[name].value for name in ("device_hours", "energy_it", "energy")}
    assert figures == pytest.approx({"device_hours": 336, "energy_it": 180, "energy": 216})
    assert found.results["wall_clock"].value == pytest.approx(14)
    assert found.results["cost"].value == pytest.approx(2_100)
    for key in ("measured.energy_it", "measured.cost", "measured.wall_clock"):
        assert listed(found, key).why == "of one of 3 runs"
    assert listed(found, "measured.energy_it").value == pytest.approx(60 * 3.6e6)
    steps = [tuple(step) for step in found.details["steps"]]
    assert ("energy", "60.0 kWh measured of one run × 3 runs = 180 kWh, before PUE") in steps
    assert ("paid", "700 USD measured of one run × 3 runs = 2,100 USD") in steps
    assert list(discrepancies(json.loads(found.to_json()))) == []
    told = figure(found, "energy_it")
    assert "= measured.energy_it × runs: 60.00 kWh of one run, given in the run file" in told


def test_measured_device_hours_are_of_one_run() -> None:
    typed = {"device_hours": 112}
    found = estimate({**RUN, "measured": typed, "training": {**RUN["training"], "runs": 3}})
    # 112 device-hours are 14 h of 8 devices; three runs have 336
    assert found.results["wall_clock"].value == pytest.approx(14)
    assert found.results["device_hours"].value == pytest.approx(336)
    report = json.loads(found.to_json())
    assert list(discrepancies(report)) == []
    report["results"]["device_hours"]["value"] = 112.0
    assert any(one.startswith("run.measured.device_hours") for one in discrepancies(report))


def test_a_job_is_changed_in_both_of_its_forms() -> None:
    said = {"name": "a", "measured": {"wall_clock": "1 h", "cost": "7 USD"}}
    job = JobRun(run=Run.model_validate(said), written=said)
    changed = job.changed("measured", without=["cost"], wall_clock=7200.0)
    assert changed.written == {"name": "a", "measured": {"wall_clock": "7200.0 s"}}
    assert changed.run.measured is not None
    assert (changed.run.measured.wall_clock, changed.run.measured.cost) == (7200.0, None)
    none = job.changed("measured", without=["wall_clock", "cost"])
    assert none.written == {"name": "a"}
    assert none.run.measured is None
    assert job.lacking("measured").written == {"name": "a"}
    assert job.given.name == "a"
    assert JobRun(run=Run.model_validate({}), written={}).given.name == "run"
    with pytest.raises(InputError):
        job.request()
    lacks = JobRun(run=Run.model_validate({"model": {"parameters": "1M"}, "training": {
        "tokens": "1B"}}), written={"model": {}})  # fmt: skip
    assert len(lacks.request(may_lack=[Lacking.HARDWARE]).parts) == 1


# --- memory and models ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "memory", "basis", "said"),
    [
        (80.0, 80.0, "modelled", ""),
        (81.0, 80.0, "modelled", "memory may not suffice: 81 GiB a device (70 to 90) of 80"),
        (81.0, 80.0, "given", ""),  # it ran
        (81.0, 0.0, "modelled", ""),
        (None, 80.0, "modelled", ""),
    ],
)
def test_the_middle_of_the_memory_has_to_fit(
    value: float | None, memory: float, basis: str, said: str
) -> None:
    gib = 2.0**30
    held = None if value is None else SimpleNamespace(
        value=value * gib, low=70 * gib, high=90 * gib)  # fmt: skip
    rate = SimpleNamespace(memory=held, utilization=SimpleNamespace(basis=basis))
    devices: Any = SimpleNamespace(machine=SimpleNamespace(memory=memory * gib))
    timed: Any = SimpleNamespace(throughput=rate)
    assert doubtful(devices, timed) == said
    assert doubtful(devices, None) == ""


def test_an_adapter_says_its_rank_and_targets(tmp_path: Path) -> None:
    said = {"peft_type": "LORA", "r": 4, "target_modules": ["q_proj"],
            "base_model_name_or_path": "llama-3-8b"}  # fmt: skip
    (tmp_path / "adapter_config.json").write_text(json.dumps(said))
    path = tmp_path / "run.json"

    def lora(**keys: Any) -> dict[str, Any]:
        training = {"method": "lora", "tokens": "1M", "sequence_length": 128, **keys}
        run = {**RUN, "model": {"config": str(tmp_path)}, "training": training}
        path.write_text(json.dumps(run))
        found = estimate(path, ranges=False)
        return {item.key: item.value for item in found.inputs if "lora" in item.key}

    found = lora()
    assert found["training.lora.rank"] == 4
    assert "q_proj" in found["training.lora.targets"]
    assert "v_proj" not in found["training.lora.targets"]
    assert "training.lora.rank" not in lora(lora={"rank": 9})  # as it is said
    said["base_model_name_or_path"] = "nobody/knows-it"
    (tmp_path / "adapter_config.json").write_text(json.dumps(said))
    with pytest.raises(InputError) as caught:
        lora()
    assert caught.value.problems[0].message == (
        "holds an adapter whose base (nobody/knows-it) is no preset: give the base's config.json "
        "as model.config, and training.method: lora with lora: {rank: 4}"
    )
