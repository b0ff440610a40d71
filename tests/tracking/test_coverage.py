"""What an energy holds and what it does not is said: meters that are absent, parts, neighbours."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from test_reporting import COUNTS, RUN, job, made, value

from costcalc.tracking import final_report
from costcalc.tracking.merge import Totals

SILENT = {
    "NVML": "no NVIDIA driver: NVML Shared Library Not Found",
    "AMD SMI": "no AMD driver: there is no /dev/kfd",
    "RAPL": "no counters in /sys/class/powercap",
}
REST = "the rest of the machine"
BARE = {"site": RUN["site"]}  # nothing is said of hardware or work


def silent(found: Totals, hidden: int = 0, **absent: str) -> Totals:
    last = replace(found.attempts[-1], unmetered=absent or SILENT, hidden=hidden)
    return replace(found, attempts=(*found.attempts[:-1], last))


def on_cpus(watts: float = 50.0, *, basis: Any = "modelled") -> Totals:
    """Two hours on a machine without devices: its processors at so many watts."""
    found = job(devices=0, watts=None)
    cpu = replace(
        next(iter(job(host=watts).energy.values())),
        component="cpu",
        joules=watts * 7200,
        basis=basis,
        meter="load" if basis == "modelled" else "RAPL",
    )
    return replace(found, energy={"cpu:b": cpu})


def told(data: dict[str, Any]) -> list[str]:
    return final_report.summary(data, None)


def test_a_driver_that_hangs_is_named_as_one_that_does_not_answer() -> None:
    found = on_cpus()
    last = replace(found.attempts[-1], unmetered={"AMD SMI": "none here"}, unanswered=("NVML",))
    data = made(replace(found, attempts=(*found.attempts[:-1], last)))
    (silent, *_) = data["measurement"]["unmetered"]
    assert silent == {
        "what": "accelerators",
        "why": "NVML does not answer; none here",
        "would": "NVML or AMD SMI, where one answers",
    }


def test_the_energy_is_without_the_devices_of_a_driver_that_hangs() -> None:
    found = on_cpus()
    last = replace(found.attempts[-1], unmetered={"AMD SMI": "none here"}, unanswered=("NVML",))
    data = made(replace(found, attempts=(*found.attempts[:-1], last)), BARE)
    assert data["measurement"]["not_counted"] == ["accelerators", "memory", REST]


def test_a_trial_on_a_machine_without_devices_does_not_pass_for_the_run_files() -> None:
    """Cost and MFU of H100s that were not there must not look measured."""
    data = made(silent(on_cpus()), RUN)
    said = [line for line in told(data) if line.startswith("no accelerator was seen")]
    count, name = RUN["hardware"]["count"], data["details"]["hardware"]["name"]
    figures = f"the figures are of the run file's {count} × {name}"
    rest = "and say nothing of them if this machine has none"
    assert said == [f"no accelerator was seen: {figures}, {rest}"]
    for else_ in (made(silent(on_cpus()), BARE), made(job())):  # no run file's; and some were seen
        assert not [line for line in told(else_) if line.startswith("no accelerator was seen")]


def test_a_machine_without_drivers_says_what_was_not_metered_and_what_would_be() -> None:
    """100 Wh of a model that may be 40 % off: 71.4 to 167."""
    data = made(silent(on_cpus()), BARE)
    assert data["measurement"]["unmetered"] == [
        {
            "what": "accelerators",
            "why": f"{SILENT['NVML']}; {SILENT['AMD SMI']}",
            "would": "NVML or AMD SMI, where one answers",
        },
        {
            "what": "processors and memory",
            "why": SILENT["RAPL"],
            "would": "RAPL, where /sys/class/powercap can be read",
        },
    ]
    assert data["measurement"]["not_counted"] == ["memory", REST]
    energy = data["results"]["energy_it"]
    assert energy["value"] == pytest.approx(0.1)
    assert energy["low"] == pytest.approx(0.1 / 1.4, rel=1e-2)
    assert energy["high"] == pytest.approx(0.1 / 0.6, rel=1e-2)
    assert energy["basis"] == "modelled"
    # behind a PUE of 1.2: 120 Wh, from 85.7 on
    assert told(data) == [
        "time 2.00 hours; energy at least 85.7 Wh, likely 120 Wh or more",
        f"the energy is without memory, {REST}",
        "most of the energy is from models, not from meters",
        f"not metered: accelerators ({SILENT['NVML']}; {SILENT['AMD SMI']}); by NVML or AMD SMI, "
        "where one answers",
        "not metered: processors and memory (no counters in /sys/class/powercap); by RAPL, where "
        "/sys/class/powercap can be read",
    ]


def test_what_was_metered_in_part_is_at_least_so_much() -> None:
    data = made(silent(on_cpus(basis="measured"), NVML="no NVIDIA driver: x"), BARE)
    assert told(data)[0] == "time 2.00 hours; energy at least 120 Wh"
    assert [each["what"] for each in data["measurement"]["unmetered"]] == ["accelerators"]


def test_devices_that_were_metered_have_no_driver_to_be_missed() -> None:
    data = made(silent(job(host=None, **COUNTS)), None)
    assert [each["what"] for each in data["measurement"]["unmetered"]] == ["processors and memory"]


def test_with_a_profile_all_is_counted() -> None:
    data = made(silent(job(**COUNTS)))
    assert "not_counted" not in data["measurement"]
    assert "at least" not in told(data)[0]


def test_unknown_devices_are_counted_without_their_host() -> None:
    data = made(job(name="Abacus 9000", host=None, **COUNTS), None)
    assert data["measurement"]["not_counted"] == ["processors", "memory", REST]
    assert told(data)[0] == (
        "time 2.00 hours; energy at least 8.00 kWh, without the facility's (no PUE known)"
    )


# --- devices that the job does not see ------------------------------------------------------------


def test_the_run_files_devices_are_not_credited_to_a_job_that_sees_none() -> None:
    """Eight devices are there and CUDA_VISIBLE_DEVICES names none of them."""
    data = made(silent(on_cpus(), hidden=8))
    assert value(data, "device_hours") is None
    assert value(data, "energy_it") == pytest.approx(0.1)
    assert value(data, "cost") is None
    (note,) = (n for n in data["details"]["tracking"]["notes"] if "devices" in n)
    assert note == (
        "the machine has 8 devices and the job may use none of them: what the run file names is "
        "not taken"
    )
    assert "energy at least" in told(data)[0]


def test_without_a_driver_the_run_files_devices_are_taken_as_before() -> None:
    """A TPU has no driver that could be asked."""
    data = made(silent(on_cpus()))
    assert value(data, "device_hours") == pytest.approx(16.0)
    assert data["results"]["energy_it"]["basis"] == "modelled"


# --- neighbours -----------------------------------------------------------------------------------


def beside(found: Totals, joules: float, share: float) -> Totals:
    """The same, of which a neighbour took so many joules of each device."""
    energy = {
        key: replace(each, joules=each.joules * share, others=joules)
        for key, each in found.energy.items()
    }
    return replace(found, energy=energy)


def test_a_neighbours_share_is_named() -> None:
    """Two of 4 kWh of the boards are the neighbour's."""
    found = beside(job(devices=4, host=None, **COUNTS), 3.6e6 / 2, 0.5)
    data = made(found)
    measurement = data["measurement"]
    assert measurement["others"] == [{"component": "device", "energy": 2.0, "unit": "kWh"}]
    assert measurement["why"] == "other jobs took 2.00 kWh of its devices, which is not counted"
    assert measurement["components"][0]["energy"] == pytest.approx(2.0)


def test_the_host_of_a_shared_device_is_shared_with_it() -> None:
    """A quarter of 8 kWh of boards and of 2.2 kW of host for 2 h: 2 + 1.1 kWh."""
    hardware = {"accelerator": "h100-sxm5-80", "count": 8, "host_power": "2.2 kW"}
    found = beside(job(host=None, **COUNTS), 0.75 * 3.6e6, 0.25)
    data = made(found, {**RUN, "hardware": hardware})
    device, hosts = data["measurement"]["components"]
    assert (device["energy"], hosts["energy"]) == (pytest.approx(2.0), pytest.approx(1.1))
    assert value(data, "energy_it") == pytest.approx(3.1)


def test_devices_that_a_neighbour_had_all_to_itself_are_not_modelled() -> None:
    """What a meter saw and gave to another is not taken from the profile: 2.2 kW of host, 2 h."""
    hardware = {"accelerator": "h100-sxm5-80", "count": 8, "host_power": "2.2 kW"}
    data = made(beside(job(host=None, **COUNTS), 3.6e6, 0.0), {**RUN, "hardware": hardware})
    assert value(data, "energy_it") == pytest.approx(4.4)
    assert data["measurement"]["why"] == (
        "other jobs took 8.00 kWh of its devices, which is not counted"
    )


# --- jobs on processors ---------------------------------------------------------------------------

ON_CPUS = {
    **RUN,
    "training": {**RUN["training"], "tokens": "1e7"},
    "hardware": {"accelerator": "epyc-7763", "count": 2, "host_power": "160 W"},
}


def test_a_job_on_processors_has_their_counters_and_the_rest_of_its_host() -> None:
    """RAPL's 300 W for two hours are 600 Wh; the rest of the host 160 W, 320 Wh."""
    data = made(silent(on_cpus(300.0, basis="measured"), NVML="no NVIDIA driver: x"), ON_CPUS)
    device, hosts = data["measurement"]["components"]
    assert (device["component"], device["meter"], device["basis"]) == ("device", "RAPL", "measured")
    assert device["energy"] == pytest.approx(0.6)
    assert (hosts["component"], hosts["energy"]) == ("hosts", pytest.approx(0.32))
    assert value(data, "energy_it") == pytest.approx(0.92)
    assert "no meter saw" not in data["measurement"].get("why", "")
    assert [each["name"] for each in data["boundary"]["components"] if each["counted"]][:2] == [
        "accelerators",
        "hosts",
    ]


def test_a_job_on_processors_without_counters_is_modelled_as_an_estimate() -> None:
    data = made(silent(on_cpus(300.0)), ON_CPUS)
    assert data["results"]["energy_it"]["basis"] == "modelled"
    counted = [part for part in data["measurement"]["components"] if part.get("counted", True)]
    assert {part["component"] for part in counted} == {"accelerators", "hosts"}


def test_counters_of_a_hosts_processors_are_no_accelerators() -> None:
    """A TPU's host with RAPL: the devices are modelled, the counter stands beside."""
    data = made(silent(on_cpus(300.0, basis="measured")))
    cpu = next(p for p in data["measurement"]["components"] if p["component"] == "cpu")
    assert cpu["counted"] is False
