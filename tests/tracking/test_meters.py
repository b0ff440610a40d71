"""CodeCarbon as a meter: real where this machine has something to meter, and with its faults."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from costcalc.tracking import meters as module
from costcalc.tracking.meters import Meters

HERE = Path(__file__).parent


def run(code: str, *, cwd: Path, **env: str) -> Any:
    """Run a script in a process of its own, with nothing imported yet; its last line is JSON."""
    import os

    script = f"import sys; sys.path.insert(0, {str(HERE)!r})\n" + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=cwd,
        text=True,
        capture_output=True,
        check=False,
        env={**os.environ, **env},
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    *said, last = done.stdout.splitlines()
    assert said == []
    assert done.stderr == "", "CodeCarbon must be silent"
    return json.loads(last)


READ = """
    import json, time
    from costcalc.tracking.meters import Meters
    meters = Meters(boot="b")
    meters.start(); time.sleep(1.0)
    read = meters.read()
    print(json.dumps({"energy": {k: [e.joules, e.basis, e.meter] for k, e in read.energy.items()},
                      "gaps": read.gaps, "notes": read.notes}))
"""


def test_this_machine_is_metered_without_a_trace(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    blocked = textwrap.dedent("""
        import socket
        def refuse(*a, **k): raise AssertionError("a connection was opened")
        socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
    """)
    found = run(blocked + textwrap.dedent(READ), cwd=tmp_path, HOME=str(home), TMPDIR=str(tmp_path))
    assert set(found["energy"]) >= {"cpu:b", "memory:b"}
    joules, basis, meter = found["energy"]["cpu:b"]
    assert 0 < joules < 1000
    assert basis in ("measured", "modelled")
    assert (basis == "measured") == ("RAPL" in meter)
    assert found["notes"] == []
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["home"]


def test_the_users_configuration_of_codecarbon_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / ".codecarbon.config").write_text(
        "[codecarbon]\nforce_cpu_power=100000\npue=9\nforce_ram_power=90000\ngpu_ids=7\n"
        "output_methods=csv,api\nallow_multiple_runs=False\n"
    )
    found = run(
        READ,
        cwd=tmp_path,
        HOME=str(tmp_path),
        CODECARBON_PUE="9",
        TMPDIR=str(tmp_path),
        CODECARBON_FORCE_CPU_POWER="100000",
        CODECARBON_LOG_LEVEL="debug",
    )
    assert found["energy"]["cpu:b"][0] < 1000
    assert found["energy"]["memory:b"][0] < 1000
    assert [path.name for path in tmp_path.iterdir()] == [".codecarbon.config"]


GPUS = """
    import json, time
    import nvml
    fake = nvml.install(8, watts=500.0)
    from costcalc.tracking.detect import visible
    from costcalc.tracking.meters import Meters
    import os
    meters = Meters(boot="b", host=False, devices=lambda found: visible(found, os.environ))
    meters.start()
    time.sleep(0.5)
    first = meters.read()
    {between}
    time.sleep(0.5)
    read = meters.read()
    print(json.dumps({{"energy": {{k: e.joules for k, e in read.energy.items()}},
                       "basis": sorted({{e.basis for e in read.energy.values()}}),
                       "meter": sorted({{e.meter for e in read.energy.values()}}),
                       "found": len(meters.found), "notes": read.notes, "gaps": read.gaps}}))
"""


def test_eight_devices_by_their_counters(tmp_path: Path) -> None:
    found = run(GPUS.format(between="pass"), cwd=tmp_path)
    assert sorted(found["energy"]) == [f"gpu:GPU-{n}" for n in range(8)]
    for joules in found["energy"].values():
        assert joules == pytest.approx(500.0, rel=0.3)  # 500 W for a second
    assert found["basis"] == ["measured"]
    assert found["meter"] == ["NVML energy counter (CodeCarbon)"]


@pytest.mark.parametrize(
    ("value", "keys"),
    [("2,5", ["gpu:GPU-2", "gpu:GPU-5"]), ("GPU-3", ["gpu:GPU-3"]), ("", []), ("-1,2", [])],
)
def test_only_the_devices_of_the_job(tmp_path: Path, value: str, keys: list[str]) -> None:
    found = run(GPUS.format(between="pass"), cwd=tmp_path, CUDA_VISIBLE_DEVICES=value)
    assert sorted(found["energy"]) == keys
    assert found["found"] == 8


def test_a_slice_of_a_device_is_its_share(tmp_path: Path) -> None:
    found = run(
        GPUS.format(between="pass"), cwd=tmp_path, CUDA_VISIBLE_DEVICES="MIG-x/4/1,MIG-y/4/2"
    )
    assert found["energy"] == {"gpu:GPU-4": pytest.approx(500.0 * 3 / 7, rel=0.3)}


def test_a_counter_that_goes_back_costs_one_interval_at_most(tmp_path: Path) -> None:
    found = run(GPUS.format(between="fake.extra[1] = -1e9"), cwd=tmp_path)
    assert found["energy"]["gpu:GPU-1"] == pytest.approx(500.0, rel=0.4)


def test_a_device_that_fails_is_a_gap_and_no_exception(tmp_path: Path) -> None:
    found = run(
        GPUS.format(
            between="fake.nvmlDeviceGetTotalEnergyConsumption = fake.nvmlDeviceGetPowerUsage = None"
        ),
        cwd=tmp_path,
    )
    assert found["energy"]["gpu:GPU-0"] == pytest.approx(250.0, rel=0.4)


# --- faults, injected -----------------------------------------------------------------------------


class Faulty:
    """A piece of hardware that does as a test says."""

    _mode = "intel_rapl"

    def __init__(self, *joules: Any) -> None:
        self.joules = list(joules)

    def start(self) -> None:
        if self.joules and self.joules[0] == "start":
            raise RuntimeError("no such device")

    def measure_power_and_energy(self, seconds: float) -> tuple[None, Any]:
        value = self.joules.pop(0)
        if isinstance(value, Exception):
            raise value
        if value is None:
            return None, None
        return None, type("E", (), {"kWh": value / 3.6e6})()


class CPU(Faulty):
    """Named as CodeCarbon's."""


def metered(monkeypatch: pytest.MonkeyPatch, *joules: Any, share: float = 1.0) -> Meters:
    clock = iter(float(n) for n in range(100))
    monkeypatch.setattr(module, "perf_counter", lambda: next(clock))
    monkeypatch.setattr(module, "_hardware", lambda: [CPU(*joules)])
    meters = Meters(boot="b", share=lambda: share)
    meters.start()
    return meters


def test_nothing_and_exceptions_are_gaps(monkeypatch: pytest.MonkeyPatch) -> None:
    meters = metered(monkeypatch, 5.0, None, RuntimeError("lost"), 5.0)
    for _ in range(3):
        meters.read()
    read = meters.read()
    assert read.energy["cpu:b"].joules == 10.0
    assert read.gaps >= 2
    assert read.notes == (
        "RAPL (CodeCarbon) failed: AttributeError: 'NoneType' object has no attribute 'kWh'",
        "RAPL (CodeCarbon) failed: RuntimeError: lost",
    )


@pytest.mark.parametrize("joules", [-5.0, float("nan"), float("inf"), 1e12])
def test_readings_that_cannot_be_are_gaps(monkeypatch: pytest.MonkeyPatch, joules: float) -> None:
    meters = metered(monkeypatch, joules, 5.0)
    meters.read()
    assert meters.read().energy["cpu:b"].joules == 5.0


def test_the_host_counts_by_the_jobs_share(monkeypatch: pytest.MonkeyPatch) -> None:
    joules = metered(monkeypatch, 8.0, share=0.25).read().energy["cpu:b"].joules
    assert joules == pytest.approx(2.0)


def test_hardware_that_does_not_start_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    meters = metered(monkeypatch, "start")
    assert meters.keys == ()
    assert meters.read().notes == ("CodeCarbon's CPU does not start: RuntimeError: no such device",)


def test_a_codecarbon_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "codecarbon", None)
    meters = Meters(boot="b")
    meters.start()
    (note,) = meters.read().notes
    assert note.startswith("CodeCarbon does not start: ModuleNotFoundError")


# The clock of ``metered`` tells a second at each look: built at 0, begun at 1, all started at 2.


def test_what_passes_before_a_meter_is_started_is_its_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    read = metered(monkeypatch, 5.0).read()
    assert read.energy["cpu:b"].gap == 2.0 - 1.0
    assert read.gaps == 1.0


def test_each_failure_adds_its_seconds_to_the_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    meters = metered(monkeypatch, None, 5.0, None)
    gaps = [meters.read().energy["cpu:b"].gap for _ in range(3)]
    # A second to start and one until the first reading; two looks lie between readings.
    assert gaps == [1.0 + 1.0, 2.0, 2.0 + 2.0]


@pytest.mark.parametrize(("joules", "seen"), [(1e5, True), (1.001e5, False), (0.0, True)])
def test_a_component_draws_a_hundred_kilowatts_at_most(
    monkeypatch: pytest.MonkeyPatch, joules: float, seen: bool
) -> None:
    read = metered(monkeypatch, joules).read()  # over one second
    assert read.energy["cpu:b"].joules == (joules if seen else 0.0)
    assert read.energy["cpu:b"].gap == (1.0 if seen else 2.0)


def test_a_clock_that_stands_adds_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    meters = metered(monkeypatch, 5.0, 7.0)
    meters.read()
    monkeypatch.setattr(module, "perf_counter", lambda: 3.0)
    assert meters.read().energy["cpu:b"].joules == 5.0


def test_a_process_that_meters_nothing_has_seen_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    read = metered(monkeypatch, "start").read()
    assert (read.energy, read.gaps) == ({}, 3.0 - 1.0)


def test_of_a_host_that_is_not_this_process_s_nothing_is_metered(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "_hardware", lambda: [CPU(5.0)])
    meters = Meters(boot="b", host=False)
    meters.start()
    assert meters.keys == ()


@pytest.mark.parametrize(
    ("mode", "basis", "meter"),
    [
        ("intel_rapl", "measured", "RAPL (CodeCarbon)"),
        ("windows_emi", "measured", "Windows EMI (CodeCarbon)"),
        ("cpu_load", "modelled", "model of the CPU's load (cpu_load) (CodeCarbon)"),
        ("", "modelled", "model of the CPU's load (no mode) (CodeCarbon)"),
    ],
)
def test_a_counter_measures_and_a_load_is_a_model(
    monkeypatch: pytest.MonkeyPatch, mode: str, basis: str, meter: str
) -> None:
    monkeypatch.setattr(CPU, "_mode", mode)
    energy = metered(monkeypatch, 5.0).read().energy["cpu:b"]
    assert (energy.basis, energy.meter, energy.component) == (basis, meter, "cpu")


def test_the_most_that_is_a_reading_is_by_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    meters = metered(monkeypatch, 0.0, 1.9e5, 2.1e5)
    meters.read()  # two seconds lie between readings: up to 2e5 J
    assert meters.read().energy["cpu:b"].joules == 1.9e5
    assert meters.read().energy["cpu:b"].joules == 1.9e5


def test_codecarbons_log_is_silent_meanwhile_and_then_as_it_was(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import logging

    logger, handler = logging.getLogger("codecarbon"), logging.NullHandler()
    before = (logger.disabled, logger.level, list(logger.handlers))
    monkeypatch.setitem(sys.modules, "codecarbon", sys)  # loaded before, by the user
    try:
        logger.setLevel(17)
        logger.addHandler(handler)
        with module._silent():
            assert logger.disabled
            logger.setLevel(99)
            logger.handlers.clear()
        assert (logger.disabled, logger.level) == (False, 17)
        assert logger.handlers == [*before[2], handler]
    finally:
        logger.disabled, logger.handlers[:] = before[0], before[2]
        logger.setLevel(before[1])
