"""A measured job on hardware without a profile: what clocks and meters say, and what nobody can."""

from __future__ import annotations

from typing import Any

import pytest

from costcalc.calculator.result import UNITS
from costcalc.calculator.unprofiled import DARK, DATA_KEYS, Metered, trained_on, unprofiled
from costcalc.resolve.measured import JobRun
from costcalc.runfile.schema import Run

HOUR, KWH = 3600.0, 3.6e6
#: two hours on four devices; 7.2 MJ are 2 kWh
SEEN: dict[str, Any] = {
    "seconds": 2 * HOUR, "device_seconds": 8 * HOUR, "energy": (2 * KWH, 2 * KWH, 2 * KWH),
    "by_meters": True, "hardware": {"name": "a new chip", "count": 4},
}  # fmt: skip
SITE = {"site": {"pue": 1.5, "grid": "400 gCO2e/kWh"}}
WORK = {
    "model": {"parameters": "1M"},
    "training": {"tokens": "5B", "runs": 3, "sequence_length": 128},
}


def job(written: dict[str, Any]) -> JobRun:
    return JobRun(run=Run.model_validate(written), written=written)


def made(written: dict[str, Any], **seen: Any) -> Any:
    return unprofiled(job(written), Metered(**{**SEEN, **seen}))


def told(found: Any, *names: str) -> list[tuple[Any, ...]]:
    results = (found.results[name] for name in names)
    return [(one.value, one.low, one.high, one.unit, one.basis) for one in results]


def test_time_energy_and_place_say_some() -> None:
    found = made(SITE)
    assert list(found.results) == list(UNITS)
    assert told(found, "wall_clock", "device_hours", "energy_it") == [
        (2.0, 2.0, 2.0, "h", "measured"),
        (8.0, 8.0, 8.0, "device_hour", "measured"),
        (2.0, 2.0, 2.0, "kWh", "measured"),
    ]
    # 2 kWh · 1.5, and 3 kWh · 400 g/kWh
    assert told(found, "energy", "carbon_operational") == [
        (pytest.approx(3.0), pytest.approx(3.0), pytest.approx(3.0), "kWh", "modelled"),
        (pytest.approx(1.2), pytest.approx(1.2), pytest.approx(1.2), "kgCO2e", "modelled"),
    ]
    assert found.measured == {"wall_clock", "device_hours", "energy_it"}
    assert found.details["hardware"] == {"name": "a new chip", "count": 4}
    assert "region" not in found.details
    assert "work" not in found.details
    by = {item.key: item for item in found.inputs}
    assert by["measured.energy_it"].basis == "measured"
    assert {item.source for key, item in by.items() if key.startswith("measured.")} == {
        "costcalc track"
    }
    assert found.name == "job"


def test_what_needs_a_profile_is_not_known() -> None:
    found = made(SITE)
    none = "no profile of the hardware: its peak, power, price and making are not known"
    for name in ("utilization", "memory_per_device", "cost", "carbon_embodied", "carbon_total",
                 "sci", "abiotic_depletion"):  # fmt: skip
        assert (found.results[name].value, found.results[name].why) == (None, none), name
    for name in ("parameters", "active_parameters", "training_compute", "total_compute"):
        assert (found.results[name].value, found.results[name].why) == (None, "no model given")
    nobody = "nothing counted what it was trained on"
    for name in ("throughput", "step_time"):
        assert (found.results[name].value, found.results[name].why) == (None, nobody), name


@pytest.mark.parametrize(
    ("energy", "by_meters", "basis", "ends"),
    [
        ((2 * KWH, 2 * KWH, 2 * KWH), True, "measured", (2.0, 2.0)),
        ((2 * KWH, 2 * KWH, 2 * KWH), False, "modelled", (2.0, 2.0)),  # not all by meters
        ((2 * KWH, 1 * KWH, 4 * KWH), True, "modelled", (1.0, 4.0)),  # some of it a range
    ],
)
def test_only_what_meters_saw_whole_is_measured(
    energy: tuple[float, ...], by_meters: bool, basis: str, ends: tuple[float, float]
) -> None:
    found = made(SITE, energy=energy, by_meters=by_meters)
    one = found.results["energy_it"]
    assert (one.value, one.basis) == (2.0, basis)
    assert (one.low, one.high) == pytest.approx(ends, rel=0.05)
    stated = next(item for item in found.inputs if item.key == "measured.energy_it")
    assert (stated.value, stated.low / KWH, stated.high / KWH) == (2 * KWH, *ends)


def test_no_energy_and_no_device_are_said_with_all_that_follows() -> None:
    dark = DARK[1]
    found = made(SITE, energy=None, device_seconds=None, dark=dark)
    assert found.results["energy_it"].why == dark
    assert found.results["energy"].why == dark
    assert found.results["carbon_operational"].why == dark
    assert found.results["water"].why.startswith(f"{dark}; ")  # and of its own
    assert found.results["device_hours"].why == "no accelerator was detected"
    assert found.measured == {"wall_clock"}


def test_without_a_run_file_nobody_says_where() -> None:
    found = made({})
    assert told(found, "energy_it") == [(2.0, 2.0, 2.0, "kWh", "measured")]
    for name in ("energy", "carbon_operational", "water"):
        assert found.results[name].why == "no run file says where", name


def test_the_place_is_named() -> None:
    found = made({"site": {"region": "aws:us-east-1"}, "name": "mine"})
    assert found.details["region"] == "aws:us-east-1"
    assert found.details["place"]
    assert found.name == "mine"


def test_what_was_counted_is_the_data_of_one_run() -> None:
    found = made({**SITE, **WORK}, amount=1e6, rate=50.0, step_time=4.0)
    # 6 · 1M parameters · 1M tokens, of one run: 6e12, by rule from the count
    one = found.results["training_compute"]
    assert one.value == pytest.approx(6e12, rel=0.05)
    assert one.low < one.value < one.high
    assert one.low * one.high == pytest.approx(one.value**2)  # a factor either way
    assert (one.unit, one.basis) == ("FLOP", "modelled")
    assert one.convention
    assert found.results["total_compute"] == one
    assert told(found, "parameters", "active_parameters", "throughput", "step_time") == [
        (1e6, 1e6, 1e6, "1", "modelled"),
        (1e6, 1e6, 1e6, "1", "modelled"),
        (50.0, 50.0, 50.0, "token/s", "measured"),
        (4.0, 4.0, 4.0, "s", "measured"),
    ]
    assert found.details["work"]["datum"] == "token"
    assert found.run["measured"] == {"wall_clock": "7200.0 s"}


def test_without_a_count_there_is_no_work() -> None:
    for amount in (None, 0.0):
        found = made({**SITE, **WORK}, amount=amount)
        assert found.results["training_compute"].value is None
        assert "work" not in found.details
    uncountable = {**SITE, "model": {"parameters": "1M"}, "training": {"method": "grpo"}}
    assert made(uncountable, amount=1e6).results["training_compute"].value is None


def test_steps_that_nobody_timed_and_parameters_that_nobody_counted() -> None:
    model = {"model": {"forward_flops": "1 GFLOP"}}
    found = made({**SITE, **model, "training": {"samples": 10}}, amount=100.0, datum="sample")
    whys = {name: found.results[name].why for name in
            ("parameters", "active_parameters", "throughput", "step_time")}  # fmt: skip
    assert whys == {
        "parameters": "the parameter count is not known",
        "active_parameters": "the parameter count is not known",
        "throughput": "no step was timed",
        "step_time": "no step was timed",
    }
    # 3 · 1 GFLOP · 100 samples
    assert found.results["training_compute"].value == pytest.approx(3e11)
    timed = made(
        {**SITE, **model, "training": {"samples": 10}}, amount=9.0, datum="sample", rate=2.0
    )
    assert timed.results["throughput"].unit == "sample/s"


def test_the_data_that_were_counted_take_the_place_of_those_planned() -> None:
    planned = job({"training": {"tokens": "5B", "epochs": 2, "runs": 3, "method": "finetune"}})
    counted = trained_on(planned, 7e6, "token")
    assert counted.run.training.tokens == 7e6
    assert (counted.run.training.runs, counted.run.training.method) == (None, "finetune")
    assert "runs" not in counted.written["training"]


def test_what_is_not_said_of_a_job_is_that_no_meter_saw_it() -> None:
    found = Metered(seconds=1.0, device_seconds=None, energy=None)
    assert (found.by_meters, found.dark) == (False, "no meter saw any energy")


def test_which_keys_of_a_training_say_how_much_data() -> None:
    # not prompts: how many there are, no count of tokens says
    assert sorted(DATA_KEYS) == [
        "dataset_samples", "dataset_tokens", "epochs", "samples", "steps", "tokens",
    ]  # fmt: skip


def test_the_data_of_the_work_are_named_in_the_details() -> None:
    found = made({**SITE, **WORK}, amount=1e6)
    assert found.details["work"] == {"data": 1e6, "datum": "token"}
