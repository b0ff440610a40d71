"""What a job's report calls its figures: halves, ends and shares, each with its working beside."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest
from test_reporting import COUNTS, H100, RUN, elastic, job, made, two_nodes, value

from costcalc.tracking import codecarbon_probe, final_report, stopping
from costcalc.tracking.merge import Totals, totals
from costcalc.tracking.records import Device, Place, Start

MEAN = "energy in the gaps is taken at the mean power of the rest"
MOST = MEAN + ", and they are most of the job"


def test_gaps_that_are_nearly_all_are_taken_at_the_profiles_power() -> None:
    """A meter saw 6 of the 120 minutes, a twentieth, or a little less."""
    whys = [made(job(gaps=gaps, **COUNTS))["measurement"]["why"] for gaps in (6839.0, 6841.0)]
    assert whys == [MOST, MOST.replace("mean power of the rest", "profile's power")]


@pytest.mark.parametrize(("gaps", "why"), [(3600.0, MEAN), (3600.5, MOST), (5400.0, MOST)])
def test_gaps_are_taken_at_the_mean_power(gaps: float, why: str) -> None:
    """8 boards at 500 W for two hours are 8 kWh, whatever of them was seen."""
    data = made(job(gaps=gaps, **COUNTS))
    assert value(data, "energy_it") == pytest.approx(8.0)
    assert data["measurement"]["why"] == why
    assert data["measurement"]["gaps"] == gaps


def test_a_gap_that_is_most_of_the_job_has_a_range() -> None:
    """A quarter was seen, 2 kWh; of 8 × 1.5 h idle boards draw 68 W, and 700 W at the most."""
    data = made(job(gaps=5400.0, **COUNTS))
    energy = data["results"]["energy_it"]
    assert energy["low"] == pytest.approx(2.0 + 12 * 0.068, rel=1e-2)
    assert energy["high"] == pytest.approx(2.0 + 12 * 0.7, rel=1e-2)
    assert energy["basis"] == "modelled"  # three quarters of it
    part = data["measurement"]["components"][1]
    assert (part["component"], part["basis"]) == ("device", "modelled")
    assert part["energy"] == pytest.approx(6.0)
    assert part["meter"] == "time × the mean power that was metered (costcalc)"


@pytest.mark.parametrize("share", [0.02, 0.05, 0.25, 0.5])
def test_a_gap_of_devices_has_a_range_however_short(share: float) -> None:
    """8 boards at 500 W for two hours, 8 kWh; of the share that no meter saw 68 to 700 W."""
    data = made(job(gaps=share * 7200, **COUNTS))
    energy = data["results"]["energy_it"]
    assert energy["value"] == pytest.approx(8.0)
    seen, hours = 8.0 * (1 - share), 16 * share
    device, filled = data["measurement"]["components"][:2]
    assert (device["basis"], device["energy"]) == ("measured", pytest.approx(seen))
    assert (filled["basis"], filled["energy"]) == ("modelled", pytest.approx(8.0 * share))
    assert filled["low"] == pytest.approx(hours * 0.068)
    assert filled["high"] == pytest.approx(hours * 0.7)
    assert energy["low"] < energy["value"] < energy["high"]
    assert energy["low"] == pytest.approx(seen + hours * 0.068, rel=1e-2)
    assert energy["high"] == pytest.approx(seen + hours * 0.7, rel=1e-2)


@pytest.mark.parametrize(("seconds", "parts"), [(7.2, 1), (7.3, 2)])
def test_up_to_a_thousandth_ranks_begin_one_after_the_other(seconds: float, parts: int) -> None:
    found = made(job(host=None, gaps=seconds, **COUNTS))["measurement"]["components"]
    assert len([part for part in found if part["component"] == "device"]) == parts


@pytest.mark.parametrize("share", [0.02, 0.25, 0.75])
def test_a_gap_of_unknown_devices_has_a_range(share: float) -> None:
    """8 kWh, of which the share was not seen: between nothing and twice the mean power."""
    data = made(job(name="Abacus 9000", host=None, gaps=share * 7200, **COUNTS), None)
    energy = data["results"]["energy_it"]
    assert energy["value"] == pytest.approx(8.0)
    assert energy["low"] == pytest.approx(8.0 * (1 - share), rel=1e-2)
    assert energy["high"] == pytest.approx(8.0 * (1 + share), rel=1e-2)
    assert energy["basis"] == "modelled"
    device, filled = data["measurement"]["components"]
    assert (device["basis"], filled["basis"]) == ("measured", "modelled")
    assert filled["energy"] == pytest.approx(8.0 * share)


def test_unknown_devices_that_no_meter_saw_have_no_energy() -> None:
    """The CPU's alone is not the job's."""
    found = job(name="Abacus 9000", watts=None)
    cpu = next(iter(job(host=100.0).energy.values()))
    cpu = replace(cpu, component="cpu", joules=100.0 * 7200, meter="RAPL", basis="measured")
    energy = made(replace(found, energy={"cpu:b": cpu}), None)["results"]["energy_it"]
    assert (energy["value"], energy["why"]) == (None, "no meter saw the devices")


def test_the_host_is_the_profiles_with_its_range_and_no_model_of_its_load() -> None:
    """16 device-hours of host beside 8 kWh of boards; a model's 50 W stand beside and count not."""
    run = {**RUN, "hardware": {"accelerator": "h100-sxm5-80", "count": 8}}
    data = made(job(host=50.0, **COUNTS), run)
    device, hosts, model = data["measurement"]["components"]
    assert (device["energy"], device["basis"]) == (pytest.approx(8.0), "measured")
    # from 98 W a device: with the doubt of how far a host follows its boards
    assert 16 * 0.098 < hosts["low"] < hosts["energy"] < hosts["high"] < 16 * 0.4
    assert hosts["basis"] == "modelled"
    assert (model["energy"], model["counted"]) == (pytest.approx(0.1), False)
    energy = data["results"]["energy_it"]
    assert energy["value"] == pytest.approx(8.0 + hosts["energy"])
    assert energy["low"] == pytest.approx(8.0 + hosts["low"], rel=1e-2)
    assert energy["high"] == pytest.approx(8.0 + hosts["high"], rel=1e-2)


def test_what_rapl_sees_is_a_part_of_the_host() -> None:
    """RAPL's 1 kWh of the host's 2.2 kW for 2 h; the rest of it is modelled."""
    hardware = {"accelerator": "h100-sxm5-80", "count": 8, "host_power": "2.2 kW"}
    run = {**RUN, "hardware": hardware}
    whole = job(host=500.0, **COUNTS)
    rapl = replace(whole.energy["cpu:b"], basis="measured", meter="RAPL")
    data = made(replace(whole, energy={**whole.energy, "cpu:b": rapl}), run)
    _, cpu, rest = data["measurement"]["components"]
    assert (cpu["meter"], cpu["energy"]) == ("RAPL", pytest.approx(1.0))
    assert (rest["component"], rest["energy"]) == ("host_rest", pytest.approx(3.4))
    assert value(data, "energy_it") == pytest.approx(12.4)
    assert data["results"]["energy_it"]["basis"] == "measured"  # 9 of 12.4 kWh


def test_without_gaps_nothing_is_said_of_them() -> None:
    assert "why" not in made(job(**COUNTS))["measurement"]


@pytest.mark.parametrize(
    ("watts", "kind"),
    [(999.0, "measured"), (1000.0, "measured"), (1000.1, "mixed"), (1250.0, "mixed")],
)
def test_what_meters_saw_half_of_is_measured(watts: float, kind: str) -> None:
    """8 boards at 125 W by counter are 1000 W, beside so much of CPU by a model."""
    data = made(job(watts=125.0, host=watts, **COUNTS))
    assert data["kind"] == kind
    assert ("why" in data["measurement"]) is (kind == "mixed")


def test_attempts_are_told_in_hours_from_the_first() -> None:
    # the second begins after 50,000 s, and holds 4 devices for ten hours as the first held 8
    first, second = made(elastic(8, 4))["details"]["tracking"]["attempts"]
    assert (first["after_hours"], second["after_hours"]) == (0.0, pytest.approx(50_000 / 3600))
    assert (first["hours"], second["hours"]) == (pytest.approx(10.0), pytest.approx(10.0))
    assert (first["devices"], second["devices"]) == (8, 4)
    assert (first["processes"], first["nodes"], first["status"]) == (1, 1, "completed")


def test_energy_beside_devices_that_no_meter_saw_is_no_part_of_it() -> None:
    # a meter of the CPU alone: 0.1 kW for 2 h stand beside what is modelled of all
    found = job(watts=None, **COUNTS)
    cpu = next(iter(job(host=100.0).energy.items()))[1]
    cpu = replace(cpu, component="cpu", joules=100.0 * 7200, meter="RAPL", basis="measured")
    data = made(replace(found, energy={"cpu:b": cpu}))
    *modelled, beside = data["measurement"]["components"]
    assert beside["counted"] is False
    assert beside["energy"] == pytest.approx(0.2)
    assert sum(part["energy"] for part in modelled) == pytest.approx(value(data, "energy_it"))
    assert all("counted" not in part for part in modelled)
    assert data["kind"] == "mixed"


def test_a_devices_energy_is_added_by_component_and_meter() -> None:
    # two nodes of eight at 500 W for an hour: 8 kWh by NVML; two of 200 W by RAPL: 0.4 kWh
    data = made(two_nodes(), {**RUN, "hardware": {"accelerator": "h100-sxm5-80", "count": 16}})
    parts = {part["component"]: part for part in data["measurement"]["components"]}
    assert parts["device"]["energy"] == pytest.approx(16 * 0.5)
    assert parts["cpu"]["energy"] == pytest.approx(2 * 0.2)
    assert [meter["name"] for meter in data["measurement"]["meters"]] == ["NVML", "RAPL"]
    assert data["measurement"]["nodes"] == 2
    assert data["runs"][0]["measured_by"] == "costcalc track: clock; NVML; RAPL"
    assert data["runs"][0]["attempts"] == 1


@pytest.mark.parametrize("run", [{**RUN, "hardware": {"accelerator": "h100-sxm5-80", "count": 16}}])
def test_what_may_be_another_jobs_is_the_range_of_what_was_metered(run: Any) -> None:
    """Of 8 kWh by NVML 2 may be a neighbour's: 6 to 8, and the sum is as much less at its least."""
    found = two_nodes()
    per_device = 2 * 3.6e6 / 16
    doubted = {
        key: replace(item, doubt=per_device) if key.startswith("gpu:") else item
        for key, item in found.energy.items()
    }
    sure, data = made(found, run), made(replace(found, energy=doubted), run)
    part = next(p for p in data["measurement"]["components"] if p["component"] == "device")
    assert (part["energy"], part["low"], part["high"]) == pytest.approx((8.0, 6.0, 8.0))
    assert value(data, "energy_it") == pytest.approx(value(sure, "energy_it"))
    assert data["results"]["energy_it"]["low"] < sure["results"]["energy_it"]["low"] - 1.5


def test_nodes_that_say_they_are_the_same_are_told() -> None:
    whole = two_nodes()
    double = replace(whole.attempts[0], duplicate=(1,))
    data = made(replace(whole, attempts=(double,)))
    assert data["measurement"]["duplicate_nodes"] == [1]
    assert "missing_nodes" not in data["measurement"]


@pytest.mark.parametrize(
    ("note", "kept"),
    [
        ("a fault of one meter", True),
        ("cannot read /home/me/x", False),
        ("see file:///x", False),
        ("see ~/x", False),
        ("in ../x", False),
        ("in C:\\x", False),
        ("of slurm:42", False),  # the job
        ("3/4 of it", True),
    ],
)
def test_notes_that_name_a_path_or_the_job_stay_out(note: str, kept: bool) -> None:
    found = replace(job(**COUNTS), notes=(note,))
    said = made(found)["details"]["tracking"].get("notes", [])
    assert (note in said) is kept
    assert note in made(found, identify=True)["details"]["tracking"]["notes"]


def test_ranges_of_the_prediction_are_of_the_share_that_was_done() -> None:
    # half of the plan's 1e9 tokens: all of its figures by half, but the utilization
    half = made(job(**{**COUNTS, "tokens": 5e8}))["details"]["tracking"]["predicted"]
    whole = made(job(**COUNTS))["details"]["tracking"]["predicted"]
    assert (half["share_of_plan"], whole["share_of_plan"]) == (0.5, 1.0)
    assert [row["of"] for row in half["figures"]] == [row["of"] for row in whole["figures"]]
    for some, every in zip(half["figures"], whole["figures"], strict=True):
        scale = 1.0 if some["of"] == "utilization" else 0.5
        for end in ("predicted", "low", "high"):
            assert some[end] == pytest.approx(scale * every[end])
        assert every["low"] <= every["predicted"] <= every["high"]


# --- without a profile ----------------------------------------------------------------------------


def unknown_hardware(**counts: Any) -> Totals:
    return job(name="Abacus 9000", **counts)


def test_without_a_profile_the_models_compute_is_known() -> None:
    # GPT-2 small of 124,439,808 parameters on 1e9 tokens: 6 FLOP a parameter and token, and more
    # for attention; the speed is that of the steps, 1e9 tokens in 6000 s
    data = made(unknown_hardware(**COUNTS), RUN)
    assert value(data, "parameters") == pytest.approx(124_439_808)
    assert 1.0 < value(data, "training_compute") / (6 * 124_439_808 * 1e9) < 1.3
    assert value(data, "throughput") == pytest.approx(1e9 / 6000)
    assert data["results"]["throughput"]["basis"] == "measured"
    assert value(data, "step_time") == pytest.approx(6.0)
    assert value(data, "utilization") is None
    # 8 devices for 2 h, PUE 1.2, 100 g/kWh
    assert value(data, "device_hours") == pytest.approx(16.0)
    assert value(data, "energy") == pytest.approx(8.0 * 1.2)
    assert value(data, "carbon_operational") == pytest.approx(8.0 * 1.2 * 0.1)
    assert data["results"]["energy_it"]["basis"] == "modelled"  # the CPU's load is a model
    assert data["details"]["hardware"] == {"name": "Abacus 9000", "nodes": 1, "count": 8}


def test_devices_of_several_kinds_are_not_costed() -> None:
    found = job(devices=2)
    devices = (found.devices[0], replace(found.devices[1], name="NVIDIA A100-SXM4-80GB"))
    data = made(replace(found, attempts=(replace(found.attempts[0], devices=devices),)))
    assert value(data, "cost") is None
    assert data["details"]["tracking"]["notes"] == [
        "devices of several kinds are not costed: 1 × NVIDIA H100 80GB HBM3, "
        "1 × NVIDIA A100-SXM4-80GB"
    ]


def test_what_measured_everything_measures_the_sum() -> None:
    found = unknown_hardware()
    counted = {key: replace(item, basis="measured") for key, item in found.energy.items()}
    data = made(replace(found, energy=counted), None)
    assert data["results"]["energy_it"]["basis"] == "measured"
    assert value(made(replace(found, energy={}), None), "energy_it") is None


def test_without_an_accelerator_the_hosts_are_counted() -> None:
    bare = made(job(devices=0, watts=None), None)["details"]["hardware"]
    assert bare == {"name": "Abacus 16-core, no accelerator", "nodes": 1, "count": 1}
    found = job(devices=0, watts=None)
    found = replace(found, attempts=(replace(found.attempts[0], cpus=()),))
    unnamed = made(found, None)["details"]["hardware"]
    assert (unnamed["name"], unnamed["count"]) == (None, None)


def test_without_a_model_nothing_is_said_of_what_was_trained_on() -> None:
    run = {key: RUN[key] for key in ("training", "hardware", "site")}
    training = made(job(**COUNTS), run)["run"]["training"]
    assert training == {"sequence_length": 1024, "global_batch": 64, "runs": 1.0}  # no tokens
    bare = made(job(**COUNTS), {"site": RUN["site"]})["run"]
    assert bare["training"] == {"runs": 1.0}


def test_a_run_is_named_by_twelve_digits_of_its_job() -> None:
    name = made(job(**COUNTS))["runs"][0]["id"]
    assert len(name) == len("run-") + 12
    assert int(name.removeprefix("run-"), 16) >= 0


# --- the summary ----------------------------------------------------------------------------------


def told(share: float) -> list[str]:
    row = {"of": "cost", "unit": "USD", "predicted": 10.0, "low": 8.0, "high": 12.0, "came": 11.0}
    tracking = {"predicted": {"share_of_plan": share, "figures": [row]}}
    return final_report.summary({"details": {"tracking": tracking}}, None)


def test_the_share_of_the_plan_is_told_where_it_was_not_all() -> None:
    every = "cost 11.0 USD, predicted 10.0 USD [8.00 – 12.0]"
    assert told(1.0) == told(0.996) == [every]
    assert told(0.995) == [f"{every} (for the 99.5% of the plan that was done)"]
    assert told(0.5) == [f"{every} (for the 50.0% of the plan that was done)"]


def test_a_figure_that_cannot_be_is_said_to_be_none() -> None:
    row = {
        "of": "utilization",
        "unit": "1",
        "predicted": 0.4,
        "low": 0.3,
        "high": 0.5,
        "came": 9.03,
    }
    tracking = {"predicted": {"share_of_plan": 1.0, "figures": [row]}}
    made = {"details": {"tracking": tracking}, "results": {"utilization": {"value": 9.03}}}
    assert final_report.summary(made, None)[1:] == [
        "utilization of 903 %: more than the peak of the devices; a figure cannot be right"
    ]
    made["results"] = {"utilization": {"value": 0.4}}
    assert final_report.summary(made, None)[1:] == []


# --- stopping -------------------------------------------------------------------------------------


def orderly(folder: str | None, world: int, interval: float = 1.0) -> stopping.Stopping:
    place = Place(job="j", rank=0, world=world)
    start = Start(job="j", writer="w", time=1000.0, boot="b", host="h", place=place)
    return stopping.Stopping(folder, replace(start, interval=interval), enabled=True)


def test_ranks_stop_after_a_step_that_all_have_heard_of(tmp_path: Any, monkeypatch: Any) -> None:
    # 100 steps in 50 s are 2 a second; heard of within 60 s (acdirmax of NFS): 100 + 120 + 1
    monkeypatch.delenv("COSTCALC_STOP_AHEAD", raising=False)
    first = orderly(str(tmp_path), 2)
    assert first.order(100, 50.0, everyone=True).endswith("stops after step 221")
    assert (first.stops(220), first.stops(221), first.stops(222)) == (False, True, True)
    other = orderly(str(tmp_path), 2)
    other._since = 0.0
    other.follow()
    assert (other.stops(220), other.stops(221)) == (False, True)


def test_a_long_interval_is_waited_for_three_times(tmp_path: Any, monkeypatch: Any) -> None:
    # looked at once in 30 s: 3 · 30 s at 2 steps a second, 100 + 180 + 1
    monkeypatch.delenv("COSTCALC_STOP_AHEAD", raising=False)
    found = orderly(str(tmp_path), 2, interval=30.0).order(100, 50.0, everyone=True)
    assert found.endswith("stops after step 281")


def test_a_job_of_one_stops_at_once_and_one_that_cannot_tell_goes_on(tmp_path: Any) -> None:
    alone = orderly(None, 1)
    assert alone.order(7, 50.0, everyone=False).endswith("stops after step 8")
    assert alone.stops(7)
    assert alone.order(9, 60.0, everyone=False).endswith("stops after step 7")
    for folder, everyone in ((None, True), (str(tmp_path), False), ("s3://bucket", True)):
        found = orderly(folder, 2)
        assert "the job goes on" in found.order(7, 50.0, everyone=everyone)
        assert not found.stops(10**9)


# --- who counts what ------------------------------------------------------------------------------


def test_a_device_of_two_attempts_is_held_in_both() -> None:
    # 8 devices for 10 h, then 4 of them for 10 h: 120 device-hours, 12 GPUs' names but 8 devices
    whole = elastic(8, 4)
    assert whole.device_seconds(0) == pytest.approx(120 * 3600)
    assert [device.name for device in whole.devices] == [H100] * 4  # of the last attempt
    assert isinstance(whole.devices[0], Device)
    with pytest.raises(ValueError, match="expected the records of one job; got 0"):
        totals([])


# --- the meter's settings -------------------------------------------------------------------------


def test_codecarbon_is_told_to_write_call_and_lock_nothing(monkeypatch: Any) -> None:
    asked: dict[str, Any] = {}

    class Still:
        """CodeCarbon's tracker, told what it is asked for."""

        _hardware = ("cpu",)

        def __init__(self, **given: Any) -> None:
            asked.update(given)

        def _ensure_hardware_ready(self) -> None:
            asked["ready"] = (self._force_cpu_power, self._force_ram_power, self._gpu_ids)  # type: ignore[attr-defined]

    monkeypatch.setattr("codecarbon.OfflineEmissionsTracker", Still)
    assert codecarbon_probe.hardware() == ["cpu"]
    assert asked["ready"] == (None, None, None)  # nothing that a configuration file forces
    assert (asked["output_methods"], asked["output_handlers"]) == ([], [])
    assert (asked["emissions_endpoint"], asked["api_key"], asked["api_call_interval"]) == (
        None,
        "",
        -1,
    )
    assert asked["allow_multiple_runs"] is True  # so it takes no lock
    # joules as they are read: no facility, no water, no carbon of its own
    assert (asked["pue"], asked["wue"], asked["force_carbon_intensity_g_co2e_kwh"]) == (
        1.0,
        0.0,
        0.0,
    )
    assert asked["tracking_mode"] == "machine"
    assert asked["log_level"] == logging.CRITICAL
    assert asked["measure_power_secs"] == 3600.0  # our thread reads, not its
    # a counter where there is one; memory by its own model, not in the CPU's counter as well
    for key in ("force_mode_cpu_load", "rapl_include_dram", "rapl_prefer_psys"):
        assert asked[key] is False
