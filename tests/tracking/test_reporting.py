"""The report of a job by hand: hours x power x PUE x grid, and nothing that was not seen."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from costcalc.base import writing
from costcalc.report.check import verify
from costcalc.tracking.ledger import Written
from costcalc.tracking.merge import Totals, totals
from costcalc.tracking.plan import Plan, predicted, prepare
from costcalc.tracking.records import Device, Energy, Place, Sample, Start
from costcalc.tracking.reporting import report

RUN: dict[str, Any] = {
    "name": "small",
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1e9", "sequence_length": 1024, "global_batch": 64},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8, "host_power": "0 W"},
    "site": {"grid": "100 gCO2e/kWh", "pue": 1.2},
    "price": {"device_hour": "2 USD"},
}
H100 = "NVIDIA H100 80GB HBM3"


def two_nodes(heard: int = 2) -> Totals:
    """Two nodes of eight, each metered by its own first rank: 500 W a board, 200 W of CPU."""
    written = []
    for node in range(heard):
        found = tuple(Device(uuid=f"{node}.{n}", name=H100) for n in range(8))
        energy = {
            f"gpu:{d.uuid}": Energy(
                joules=500.0 * 3600, basis="measured", meter="NVML", component="device"
            )
            for d in found
        }
        energy[f"cpu:{node}"] = Energy(
            joules=200.0 * 3600, basis="measured", meter="RAPL", component="cpu"
        )
        place = Place(job="j", rank=node * 8, world=16, node=node, nodes=2)
        start = Start(
            job="j",
            writer=str(node),
            time=0.0,
            boot=str(node),
            host="h",
            place=place,
            devices=found,
        )
        written.append(
            Written(
                start=start,
                last=Sample(time=3600.0, elapsed=3600.0, energy=energy, status="completed"),
            )
        )
    return totals(written)


def job(
    *,
    devices: int = 8,
    name: str = H100,
    watts: float | None = 500.0,
    hours: float = 2.0,
    share: float = 1.0,
    status: str = "completed",
    gaps: float = 0.0,
    host: float | None = 0.0,
    **counts: Any,
) -> Totals:
    """One process on one node: so many devices that drew so much for so long."""
    seconds = hours * 3600
    found = tuple(Device(uuid=f"G{n}", name=name, share=share) for n in range(devices))
    energy = (
        {
            f"gpu:G{n}": Energy(
                joules=watts * (seconds - gaps),
                basis="measured",
                meter="NVML",
                component="device",
                gap=gaps,
            )
            for n in range(devices)
        }
        if watts
        else {}
    )
    if watts and host is not None:
        energy["cpu:b"] = Energy(
            joules=host * (seconds - gaps),
            basis="modelled",
            meter="load",
            component="cpu",
            gap=gaps,
        )
    start = Start(
        job="slurm:42",
        writer="w",
        machine={"cpu": "Abacus 16-core"},
        time=0.0,
        boot="b",
        host="node-17",
        devices=found,
        place=Place(job="slurm:42", node=0, nodes=1),
    )
    last = Sample(time=seconds, elapsed=seconds, energy=energy, gaps=gaps, status=status, **counts)  # type: ignore[arg-type]
    return totals([Written(start=start, last=last)])


def made(found: Totals, run: dict[str, Any] | None = RUN, **options: Any) -> dict[str, Any]:
    plan = prepare(run)
    before, why = predicted(plan)
    data = report(found, plan, before, why_not=why, **options)
    text = writing.to_json(data)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "report.json")
        path.write_text(text, encoding="utf-8")
        assert verify(path).discrepancies == ()
    if not options.get("identify"):
        assert "node-17" not in text
        assert "slurm:42" not in text
    return data


def value(data: dict[str, Any], name: str) -> Any:
    return data["results"][name]["value"]


_OTHER_BATCH = "1,000,000 tokens a step were counted; training.global_batch says 65,536"
COUNTS: dict[str, Any] = {"steps": 1000, "timed": 999, "busy": 999 * 6.0, "tokens": 1e9}


def test_hours_power_pue_and_grid() -> None:
    data = made(job(**COUNTS))
    # 8 x 500 W x 2 h = 8 kWh; x PUE 1.2 = 9.6 kWh; x 100 g = 0.96 kg; 16 device-hours x 2 USD
    assert value(data, "wall_clock") == pytest.approx(2.0)
    assert value(data, "device_hours") == pytest.approx(16.0)
    assert value(data, "energy_it") == pytest.approx(8.0)
    assert value(data, "energy") == pytest.approx(9.6)
    assert value(data, "carbon_operational") == pytest.approx(0.96)
    assert value(data, "cost") == pytest.approx(32.0)
    assert data["results"]["energy_it"]["basis"] == "measured"
    assert data["kind"] == "measured"


def test_the_host_of_the_profile_counts_in_every_figure() -> None:
    """8 kWh of boards, and 16 device-hours of what the profile says of the host: 98 to 247 W."""
    run = {**RUN, "hardware": {"accelerator": "h100-sxm5-80", "count": 8}}
    data = made(job(host=None, **COUNTS), run)
    host = next(a for a in data["assumptions"] if a["key"] == "hardware.host_power")
    assert 98 < host["low"] < host["value"] < host["high"] < 247
    whole, low, high = (8.0 + 16 * host[key] / 1000 for key in ("value", "low", "high"))
    energy = data["results"]["energy_it"]
    assert energy["value"] == pytest.approx(whole)
    assert (energy["low"], energy["high"]) == (
        pytest.approx(low, rel=1e-2),
        pytest.approx(high, rel=1e-2),
    )
    assert energy["basis"] == "measured"  # 8 of 11 kWh
    assert value(data, "energy") == pytest.approx(whole * 1.2)
    assert value(data, "carbon_operational") == pytest.approx(whole * 1.2 * 0.1)
    assert value(data, "cost") == pytest.approx(32.0)


def test_a_host_of_the_run_file_counts_in_every_figure() -> None:
    """8 kWh of boards and two hours of 2.2 kW: 12.4 kWh, by PUE 1.2 and 100 g 1.488 kg."""
    hardware = {**RUN["hardware"], "host_power": "2.2 kW"}
    data = made(job(host=None, **COUNTS), {**RUN, "hardware": hardware})
    assert value(data, "energy_it") == pytest.approx(12.4)
    assert value(data, "energy") == pytest.approx(14.88)
    assert value(data, "carbon_operational") == pytest.approx(1.488)


def test_speed_follows_from_the_timed_steps() -> None:
    data = made(job(**COUNTS))
    # 1e9 tokens in 1000 steps of 6 s: 166,667 token/s; MFU over 8 x 989.4 TFLOP/s
    assert value(data, "throughput") == pytest.approx(1e9 / 6000)
    compute = value(data, "training_compute")
    # The profile's dense peak, NVIDIA H100 datasheet: 989.4 TFLOP/s.
    assert value(data, "utilization") == pytest.approx(compute / 6000 / (8 * 989.4e12), rel=1e-3)
    assert value(data, "step_time") == pytest.approx(6.0)  # as it was, whatever the batch
    assert data["results"]["step_time"]["basis"] == "measured"
    # A step of the run file is 64 x 1024 tokens: 0.3932 s at that rate, for the next estimate.
    assert data["details"]["tracking"]["notes"] == [_OTHER_BATCH]
    assert data["results"]["utilization"]["basis"] == "measured"
    line = data["details"]["tracking"]["calibrate"]
    assert line == "hardware: {calibrate: {step_time: 0.3932 s}}"


def test_the_prediction_stands_beside_for_what_was_done() -> None:
    data = made(job(**{**COUNTS, "tokens": 5e8}))
    compared = data["details"]["tracking"]["predicted"]
    assert compared["share_of_plan"] == 0.5
    rows = {row["of"]: row for row in compared["figures"]}
    before, _ = predicted(prepare(RUN))
    assert before is not None
    whole = before.results["wall_clock"].value
    assert whole is not None
    assert rows["wall_clock"]["predicted"] == pytest.approx(whole / 2)
    assert rows["wall_clock"]["came"] == pytest.approx(2.0)


def test_steps_alone_are_counted_by_the_batch() -> None:
    data = made(job(steps=100, timed=99, busy=99.0))
    assert value(data, "throughput") == pytest.approx(64 * 1024)
    assert data["run"]["training"]["tokens"] == pytest.approx(100 * 64 * 1024)


def test_a_job_that_counted_nothing_and_failed_claims_no_compute() -> None:
    data = made(job(status="exception"))
    assert value(data, "training_compute") is None
    assert value(data, "energy_it") == pytest.approx(8.0)
    assert (
        "what was trained on is not known: nothing counted the data"
        in (data["details"]["tracking"]["notes"])
    )


def test_a_job_that_counted_nothing_and_went_well_did_its_plan() -> None:
    data = made(job())
    assert data["run"]["training"]["tokens"] == "1e9"
    assert value(data, "throughput") == pytest.approx(1e9 / 7200)  # over the whole two hours


def test_what_was_detected_wins_and_the_difference_is_told() -> None:
    data = made(job(devices=4, **COUNTS))
    assert value(data, "device_hours") == pytest.approx(8.0)
    assert data["details"]["hardware"]["count"] == 4
    assert (
        "detected 4 × NVIDIA H100 80GB HBM3; the run file says 8 × h100-sxm5-80: what was "
        "detected is taken"
    ) in data["details"]["tracking"]["notes"]


def test_devices_without_a_meter_are_modelled_and_labelled_so() -> None:
    data = made(job(watts=None, **COUNTS))
    assert data["results"]["energy"]["basis"] == "modelled"
    assert data["kind"] == "mixed"
    assert data["measurement"]["why"] == (
        "no meter saw the devices: their energy is modelled from time and power"
    )
    watts = value(data, "energy_it") * 1000 / 16
    assert 150 < watts < 1300  # between an idle board and a full one with its host
    parts = data["measurement"]["components"]
    assert {part["basis"] for part in parts} == {"modelled"}
    assert sum(part["energy"] for part in parts) == pytest.approx(value(data, "energy_it"))


def elastic(*numbers: int, hours: float = 10.0) -> Totals:
    """Attempts of ten hours each on so many devices, 500 W a board."""
    written = []
    for index, number in enumerate(numbers):
        at, seconds = index * 50_000.0, hours * 3600
        found = tuple(Device(uuid=f"G{n}", name=H100) for n in range(number))
        energy = {
            f"gpu:G{n}": Energy(
                joules=500.0 * seconds, basis="measured", meter="NVML", component="device"
            )
            for n in range(number)
        }
        energy["cpu:b"] = Energy(joules=0.0, basis="measured", meter="RAPL", component="cpu")
        start = Start(
            job="j",
            writer=str(index),
            time=at,
            boot="b",
            host="h",
            devices=found,
            place=Place(job="j", node=0, nodes=1),
        )
        written.append(
            Written(
                start=start,
                last=Sample(time=at + seconds, elapsed=seconds, energy=energy, status="completed"),
            )
        )
    return totals(written)


@pytest.mark.parametrize("numbers", [(8, 4), (4, 8)])
def test_attempts_on_different_numbers_of_devices_add_up(numbers: tuple[int, ...]) -> None:
    # 8 x 10 h + 4 x 10 h = 120 device-hours; at 2 USD 240 USD; at 500 W 60 kWh
    hardware = {**RUN["hardware"], "count": numbers[-1]}
    data = made(elastic(*numbers), {**RUN, "hardware": hardware})
    assert value(data, "device_hours") == pytest.approx(120.0)
    assert value(data, "cost") == pytest.approx(240.0)
    assert value(data, "energy_it") == pytest.approx(120 * 0.5)


def test_one_nodes_gap_is_not_anothers() -> None:
    whole = two_nodes()
    torn = {
        key: replace(item, joules=item.joules * 0.75, gap=900.0)
        if key.startswith("gpu:1.")
        else item
        for key, item in whole.energy.items()
    }
    written = [
        Written(
            start=Start(
                job="j",
                writer=str(n),
                time=0.0,
                boot=str(n),
                host="h",
                place=Place(job="j", rank=n, world=2, node=n, nodes=2),
                devices=whole.devices[n * 8 : n * 8 + 8],
            ),
            last=Sample(
                time=3600.0,
                elapsed=3600.0,
                gaps=900.0 * n,
                status="completed",
                energy={k: e for k, e in torn.items() if k.split(":")[1].startswith(str(n))},
            ),
        )
        for n in range(2)
    ]
    found = totals(written)
    assert found.joules_of_all() == pytest.approx(whole.joules())
    # 8 of 16 boards were not seen for a quarter of an hour: 2 device-hours of 68 to 700 W
    assert found.unseen == 8 * 900.0
    run = {**RUN, "hardware": {**RUN["hardware"], "count": 16}}
    data = made(found, run)
    device, filled, cpu, network = data["measurement"]["components"]
    assert (device["energy"], filled["energy"]) == (pytest.approx(7.0), pytest.approx(1.0))
    share = network["energy"] / (8.0 + 0.4)
    energy = data["results"]["energy_it"]
    assert cpu["energy"] == pytest.approx(0.4)
    assert energy["value"] == pytest.approx(8.4 * (1 + share))
    for end, watts in (("low", 68), ("high", 700)):
        assert energy[end] == pytest.approx((7.4 + 2 * watts / 1000) * (1 + share), rel=1e-2)


def test_a_node_without_records_counts_as_the_others() -> None:
    """16 boards for an hour at 500 W, of which 8 were metered: 8 kWh and 16 device-hours."""
    data = made(two_nodes(heard=1), {**RUN, "hardware": {**RUN["hardware"], "count": 16}})
    assert data["measurement"]["missing_nodes"] == [1]
    assert data["measurement"]["why"] == (
        "nodes without records are taken to have held as many devices as the others, at their "
        "mean power"
    )
    assert value(data, "device_hours") == pytest.approx(16.0)
    assert value(data, "cost") == pytest.approx(32.0)
    device, filled, cpu, network = data["measurement"]["components"]
    assert (cpu["component"], network["component"]) == ("cpu", "network")
    assert (device["energy"], filled["energy"]) == (pytest.approx(4.0), pytest.approx(4.0))
    assert (filled["low"], filled["high"]) == (pytest.approx(8 * 0.068), pytest.approx(8 * 0.7))
    assert cpu["energy"] == pytest.approx(0.2)
    energy, share = data["results"]["energy_it"], network["energy"] / 8.2
    assert energy["value"] == pytest.approx(8.2 * (1 + share))
    assert energy["low"] == pytest.approx((4.2 + 8 * 0.068) * (1 + share), rel=1e-2)
    assert energy["high"] == pytest.approx((4.2 + 8 * 0.7) * (1 + share), rel=1e-2)
    assert data["details"]["tracking"]["attempts"][0]["devices"] == 16


def test_a_first_rank_that_dies_leaves_a_gap_to_the_end() -> None:
    """It metered 8 boards for 25 min; another rank hangs until two hours are over."""
    dead, hanging = two_ranks(seconds=(1500.0, 7200.0))
    data = made(totals([dead, hanging]))
    assert value(data, "device_hours") == pytest.approx(16.0)
    energy = data["results"]["energy_it"]
    assert energy["value"] == pytest.approx(8.0)
    assert energy["low"] < 4.0 < 8.0 < energy["high"]


def two_ranks(seconds: tuple[float, float]) -> list[Written]:
    """Of one node with 8 boards of 500 W, which the first meters."""
    found = tuple(Device(uuid=f"G{n}", name=H100) for n in range(8))
    written = []
    for rank, each in enumerate(seconds):
        metered = {
            f"gpu:G{n}": Energy(
                joules=500.0 * each, basis="measured", meter="NVML", component="device"
            )
            for n in range(8)
        }
        start = Start(
            job="j",
            writer=str(rank),
            time=0.0,
            boot="b",
            host="h",
            devices=found if rank == 0 else (),
            place=Place(job="j", rank=rank, world=2, node=0, nodes=1),
        )
        last = Sample(time=each, elapsed=each, energy=metered if rank == 0 else {})
        written.append(Written(start=start, last=last))
    return written


def test_energy_that_is_mostly_modelled_is_not_called_measured() -> None:
    data = made(job(watts=100.0, host=900.0, **COUNTS))  # 800 W by counter, 900 W by a model
    assert data["kind"] == "mixed"
    assert data["measurement"]["why"] == "most of the energy is from models, not from meters"


def test_gaps_are_filled_at_the_mean_power_and_told() -> None:
    data = made(job(gaps=1800.0, **COUNTS))
    assert value(data, "energy_it") == pytest.approx(8.0)
    assert data["measurement"]["gaps"] == 1800.0


def test_the_components_say_how_each_was_had() -> None:
    data = made(job(host=100.0, **COUNTS))
    assert data["measurement"]["components"] == [
        {
            "component": "device",
            "energy": pytest.approx(8.0),
            "unit": "kWh",
            "basis": "measured",
            "meter": "NVML",
        },
        {
            "component": "cpu",
            "energy": pytest.approx(0.2),
            "low": pytest.approx(0.2 / 1.4),  # a model that may be 40 % off
            "high": pytest.approx(0.2 / 0.6),
            "unit": "kWh",
            "basis": "modelled",
            "meter": "load",
        },
    ]
    assert value(data, "energy_it") == pytest.approx(8.2)
    boundary = {item["name"]: item for item in data["boundary"]["components"]}
    assert boundary["accelerators"]["counted"] is True
    assert boundary["hosts"] == {
        "name": "hosts",
        "counted": True,
        "why": "CPU and memory; fans and power supplies are not metered",
    }
    assert boundary["network"]["counted"] is False  # one node


def test_what_no_meter_sees_is_modelled_and_named() -> None:
    # Without a meter of the host its profile's power stands in: 8 kWh and 16 device-hours of it.
    data = made(
        job(host=None, **COUNTS), {**RUN, "hardware": {"accelerator": "h100-sxm5-80", "count": 8}}
    )
    device, host = data["measurement"]["components"]
    assert (device["basis"], host["component"], host["basis"]) == ("measured", "hosts", "modelled")
    assert value(data, "energy_it") == pytest.approx(8.0 + host["energy"])
    assert 0.5 < host["energy"] / 16 * 1000 / 275 < 2  # p5.48xlarge: about 275 W a device
    # Between nodes there is a network, a share of the rest: 16 x 0.5 + 2 x 0.2 = 8.4 kWh, and what
    # the hosts draw beside their processors.
    data = made(two_nodes(), {**RUN, "hardware": {"accelerator": "h100-sxm5-80", "count": 16}})
    *_, hosts, network = data["measurement"]["components"]
    assert (hosts["component"], network["component"]) == ("host_rest", "network")
    rest = 8.4 + hosts["energy"]
    assert value(data, "energy_it") == pytest.approx(rest + network["energy"])
    assert 0.01 < network["energy"] / rest < 0.2


def test_without_a_run_file_time_and_energy_are_told_and_the_rest_is_null() -> None:
    data = made(job(), None)
    assert value(data, "device_hours") == pytest.approx(16.0)
    assert value(data, "energy_it") == pytest.approx(16 * 0.775)  # 500 W, and 275 W of host
    for name in ("training_compute", "carbon_operational", "cost"):
        assert value(data, name) is None
        assert data["results"][name]["why"]


@pytest.mark.parametrize("run", [None, {"site": {"grid": "100 gCO2e/kWh", "pue": 1.2}}])
def test_hardware_without_a_profile(run: dict[str, Any] | None) -> None:
    data = made(job(name="Abacus 9000"), run)
    assert value(data, "energy_it") == pytest.approx(8.0)
    assert value(data, "cost") is None
    if run:
        assert value(data, "carbon_operational") == pytest.approx(0.96)
    assert data["details"]["tracking"]["notes"] == [
        "no profile of 8 × Abacus 9000: add one, and name it in profiles"
    ]


def test_no_device_and_no_run_file() -> None:
    data = made(job(devices=0, host=50.0), None)
    assert value(data, "energy_it") == pytest.approx(0.1)
    assert data["results"]["energy_it"]["basis"] == "modelled"
    assert value(data, "device_hours") is None
    assert data["details"]["hardware"]["name"] == "Abacus 16-core, no accelerator"


def test_a_slice_of_a_device() -> None:
    data = made(job(devices=1, share=3 / 7, watts=200.0), None)
    assert value(data, "device_hours") == pytest.approx(2 * 3 / 7)


def test_job_and_host_are_named_only_when_asked() -> None:
    data = made(job(), identify=True)
    assert data["details"]["tracking"]["job"] == "slurm:42"


def test_like_jobs_are_different_runs() -> None:
    one = job()
    other = replace(one, attempts=(replace(one.attempts[0], began=9.0),))
    plan = Plan()
    assert report(one, plan)["runs"][0]["id"] != report(other, plan)["runs"][0]["id"]


def test_the_speed_and_the_share_of_time_that_trained_are_handed_over() -> None:
    hardware = made(job(**COUNTS))["run"]["hardware"]
    # 1e9 tokens in 1000 steps of 6 s: 6000 s of the 7200 s trained
    assert hardware["throughput"] == f"{1e9 / 6000!r} token/s"
    assert hardware["goodput"] == pytest.approx(6000 / 7200)


def test_without_a_detected_device_the_run_files_hardware_is_taken() -> None:
    data = made(job(devices=0, watts=None, **COUNTS))
    assert value(data, "device_hours") == pytest.approx(8 * 2.0)
    assert data["details"]["tracking"]["notes"] == [
        "no accelerator was detected: the run file's hardware is taken",
        _OTHER_BATCH,
    ]
    assert data["details"]["tracking"]["attempts"][0]["devices"] == data["runs"][0]["devices"] == 8


def test_two_slices_are_counted_and_one_is_a_share() -> None:
    assert made(job(devices=1, share=0.5, watts=250.0), None)["run"]["hardware"]["share"] == 0.5
    assert "share" not in made(job(devices=1), None)["run"]["hardware"]
    assert made(job(devices=2, share=0.5, watts=250.0), None)["run"]["hardware"]["count"] == 2
