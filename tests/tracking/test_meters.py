"""The meters of a process: counters of devices and of the host, and drivers that fail or hang."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
import nvml

from costcalc.tracking import amd_smi, guard, host_model, metered, meters, named_host, rapl
from costcalc.tracking.detect import seen_by_driver, visible
from costcalc.tracking.meters import Meters

HERE = Path(__file__).parent


def run(code: str, *, cwd: Path, **env: str) -> Any:
    """Run a script in a process of its own, with nothing imported yet; its last line is JSON."""
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
    assert done.stderr == "", "meters must be silent"
    return json.loads(last)


READ = """
    import json
    from costcalc.tracking import meters as module
    module._LAST = 60.0  # the machine may be busy
    meters = module.Meters(boot="b")
    meters.start()
    read = meters.read(last=True)
    print(json.dumps({"energy": {k: [e.joules, e.basis, e.meter] for k, e in read.energy.items()},
                      "gaps": read.gaps, "notes": read.notes, "absent": meters.absent}))
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
    assert (basis == "measured") == (meter == "RAPL")
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


def test_tools_that_hang_or_write_are_neither_waited_for_nor_heard(tmp_path: Path) -> None:
    """A container of a cluster: a job's number is set, and the tools hang, each for a minute."""
    for name in ("scontrol", "nvidia-smi", "rocm-smi"):
        tool = tmp_path / name
        tool.write_text("#!/bin/sh\necho what is this >&2; echo what is this; sleep 60\n")
        tool.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    found = run(READ, cwd=tmp_path, PATH=path, SLURM_JOB_ID="7")
    assert set(found["energy"]) >= {"cpu:b", "memory:b"}
    assert found["notes"] == []


# --- devices --------------------------------------------------------------------------------------


class Clock:
    """A clock that the tests move, of the meters and of the double of the driver."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(metered, "perf_counter", made)
    monkeypatch.setattr(amd_smi, "_DRIVER", Path("/none"))
    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.setitem(sys.modules, "pynvml", None)  # type: ignore[arg-type]
    return made


def begun(env: dict[str, str] | None = None, **more: Any) -> Meters:
    made = Meters(boot="b", host=False, devices=lambda found: visible(found, env or {}), **more)
    made.start()
    return made


def joules(made: Meters) -> dict[str, float]:
    return {key: each.joules for key, each in made.read().energy.items()}


def test_eight_devices_by_their_counters_from_the_first_moment(clock: Clock) -> None:
    """500 W for 2 s each."""
    nvml.install(8, watts=500.0, clock=clock)
    made = begun()
    assert [device.uuid for device in made.picked] == [f"GPU-{n}" for n in range(8)]
    clock.now = 2.0
    read = made.read()
    assert {key: each.joules for key, each in read.energy.items()} == {
        f"gpu:GPU-{n}": 1000.0 for n in range(8)
    }
    assert {(each.basis, each.meter) for each in read.energy.values()} == {
        ("measured", "NVML energy counter")
    }
    assert (read.gaps, read.notes) == (0.0, ())


@pytest.mark.parametrize(
    ("value", "keys"),
    [("2,5", ["gpu:GPU-2", "gpu:GPU-5"]), ("GPU-3", ["gpu:GPU-3"]), ("", []), ("-1,2", [])],
)
def test_only_the_devices_of_the_job(clock: Clock, value: str, keys: list[str]) -> None:
    nvml.install(8, clock=clock)
    assert list(begun({"CUDA_VISIBLE_DEVICES": value}).keys) == keys


def test_slices_of_a_device_are_their_share(clock: Clock) -> None:
    nvml.install(8, watts=700.0, clock=clock)
    made = begun({"CUDA_VISIBLE_DEVICES": "MIG-x/4/1,MIG-y/4/2"})
    clock.now = 1.0
    assert joules(made) == {"gpu:GPU-4": pytest.approx(300.0)}  # 3 of 7 slices


def test_a_device_that_drops_out_is_a_gap_in_its_own_energy(clock: Clock) -> None:
    driver = nvml.install(2, watts=100.0, clock=clock)
    made = begun()
    clock.now = 10.0
    made.read()
    driver.failing.add(1)
    clock.now = 30.0
    read = made.read()
    assert [read.energy[f"gpu:GPU-{n}"].joules for n in range(2)] == [3000.0, 1000.0]
    assert [read.energy[f"gpu:GPU-{n}"].gap for n in range(2)] == [0.0, 20.0]
    assert read.notes == ("NVML energy counter failed: NVMLError: Not Supported",)


def test_a_device_that_is_lost_before_the_beginning_does_not_take_the_others_along(
    clock: Clock,
) -> None:
    driver = nvml.install(3, clock=clock)
    driver.lost.add(1)
    made = begun()
    assert made.keys == ("gpu:GPU-0", "gpu:GPU-2")
    assert made.read().notes == (
        "NVML: device 1 does not answer: NVMLError_GpuIsLost: GPU is lost",
    )


def test_a_device_without_a_counter_is_integrated(clock: Clock) -> None:
    driver = nvml.install(1, watts=100.0, counter=False, clock=clock)
    made = begun()
    assert made.needs_samples
    clock.now, driver.watts = 1.0, 300.0
    made.sample()
    (asked,) = (each for each in made._asked if each.parts)
    assert asked.aside.wait(10.0)
    clock.now = 2.0
    energy = made.read().energy["gpu:GPU-0"]
    assert energy.joules == 500.0  # (100 + 300) / 2 W in the first second, 300 in the next
    assert energy.meter == "NVML power, averaged"


def test_a_device_that_says_nothing_is_told(clock: Clock) -> None:
    driver = nvml.install(2, counter=False, clock=clock)
    driver.failing.add(0)
    made = begun()
    assert made.keys == ("gpu:GPU-1",)
    assert made.read().notes == (
        "NVML: device 0 says neither energy nor power: NVMLError: Unknown Error",
    )


def test_a_machine_without_a_driver_is_told_apart_from_one_that_fails(clock: Clock) -> None:
    nvml.install(0, clock=clock)
    made = begun()
    assert made.absent == {
        "NVML": "no NVIDIA driver: NVML Shared Library Not Found",
        "AMD SMI": "no AMD driver: there is no /none",
    }
    assert made.unanswered == ()
    assert made.read().notes == ()


def test_a_driver_without_a_device_has_said_that_there_is_none(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = nvml.install(1, clock=clock)
    monkeypatch.setattr(driver, "count", 0)
    monkeypatch.setattr(driver, "nvmlInit", lambda: None)
    made = begun()
    assert made.absent["NVML"] == "NVML lists no device"
    assert made.unanswered == ()


def test_what_passed_before_a_process_meters_is_a_gap(clock: Clock) -> None:
    """A rank that finds after 10 s that nobody meters its device: 5 s of 15 are seen."""
    nvml.install(1, watts=100.0, clock=clock)
    clock.now = 10.0
    made = begun(began=0.0)
    clock.now = 15.0
    energy = made.read().energy["gpu:GPU-0"]
    assert (energy.joules, energy.gap) == (500.0, 10.0)


def test_a_driver_that_fails_to_start_is_noted(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = nvml.install(1, clock=clock)

    def mismatch() -> None:
        raise nvml.NVMLError("Driver/library version mismatch")

    monkeypatch.setattr(driver, "nvmlInit", mismatch)
    made = begun()
    assert made.read().notes == ("NVML does not start: NVMLError: Driver/library version mismatch",)
    assert made.unanswered == ("NVML",)  # there is one, and nobody knows of what


@pytest.mark.parametrize("what", ["nvmlInit", "nvmlDeviceGetTotalEnergyConsumption"])
def test_a_driver_that_hangs_is_not_waited_for(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(meters, "_FIRST", 0.1)
    monkeypatch.setattr(meters, "_WAIT", 0.1)
    driver = nvml.install(1, clock=clock)
    if what == "nvmlInit":
        driver.hangs.add(what)
    made = begun()
    if what != "nvmlInit":
        clock.now = 10.0
        made.read()
    driver.hangs.add(what)
    clock.now = 30.0
    read = made.read()
    assert "NVML does not answer: it is not waited for" in read.notes
    assert read.gaps == (30.0 if what == "nvmlInit" else 20.0)
    assert made.unanswered == (("NVML",) if what == "nvmlInit" else ())
    driver.hangs.clear()
    driver.released.set()
    nvml_ = made._asked[0]
    assert nvml_.aside.wait(10.0)
    assert made.unanswered == ()
    clock.now = 40.0
    later = made.read()  # the counter ran on
    assert later.energy["gpu:GPU-0"].gap == (30.0 if what == "nvmlInit" else 0.0)
    assert later.energy["gpu:GPU-0"].joules == (10 if what == "nvmlInit" else 40) * 500.0


def test_a_fork_waits_for_no_driver_that_hangs(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meters, "_FIRST", 0.1)
    driver = nvml.install(1, clock=clock)
    driver.hangs.add("nvmlInit")
    made = begun()
    assert made._asked[0].aside.taken > 0  # NVML is being asked
    monkeypatch.setattr(guard, "_live", [made])
    guard._before()
    assert guard._held  # at once: nobody else held it
    guard._after()
    driver.released.set()


def test_two_jobs_on_a_device_have_what_each_computed(clock: Clock) -> None:
    """100 J; ours computed 3 of 4 samples: 75 J are ours and 25 J stand beside."""
    driver = nvml.install(1, watts=100.0, clock=clock)
    driver.running[0] = [(1, 10), (2, 10)]
    driver.samples[0] = [(1, 1_000, 50), (2, 1_000, 25), (1, 2_000, 25)]
    made = begun(ours=lambda pid: pid == 1)
    clock.now = 1.0
    energy = made.read().energy["gpu:GPU-0"]
    assert (energy.joules, energy.others) == (75.0, 25.0)
    # samples that were seen do not count again: now only the other computes
    driver.samples[0].append((2, 3_000, 10))
    clock.now = 2.0
    energy = made.read().energy["gpu:GPU-0"]
    assert (energy.joules, energy.others) == (75.0, 125.0)
    # idle: by memory, which both hold alike
    clock.now = 3.0
    energy = made.read().energy["gpu:GPU-0"]
    assert (energy.joules, energy.others) == (125.0, 175.0)


# --- AMD ------------------------------------------------------------------------------------------


class Smi:
    """A double of amdsmi: counts of 15.3 µJ, as MI200 has them; power; processes."""

    resolution = 15.3

    def __init__(self, clock: Clock, watts: list[float], *, counter: bool = True) -> None:
        self.clock, self.watts, self.counter = clock, watts, counter
        self.processes: list[dict[str, Any]] = []

    def amdsmi_init(self) -> None:
        """As the library's."""

    def amdsmi_get_processor_handles(self) -> list[int]:
        return list(range(len(self.watts)))

    def amdsmi_get_gpu_device_uuid(self, handle: int) -> str:
        return f"amd-{handle}"

    def amdsmi_get_gpu_asic_info(self, _: int) -> dict[str, str]:
        return {"market_name": "AMD Instinct MI250X"}

    def amdsmi_get_energy_count(self, handle: int) -> dict[str, float]:
        if not self.counter:
            raise RuntimeError("AMDSMI_STATUS_NOT_SUPPORTED")
        joules = self.watts[handle] * (1000.0 + self.clock())
        return {
            "energy_accumulator": joules * 1e6 / self.resolution,
            "counter_resolution": self.resolution,
            "timestamp": 0,
        }

    def amdsmi_get_power_info(self, handle: int) -> dict[str, object]:
        return {"current_socket_power": "N/A", "average_socket_power": self.watts[handle]}

    def amdsmi_get_gpu_process_list(self, _: int) -> list[dict[str, Any]]:
        return self.processes


def with_amd(monkeypatch: pytest.MonkeyPatch, smi: Smi) -> None:
    monkeypatch.setattr(amd_smi, "_DRIVER", Path("/"))
    monkeypatch.setitem(sys.modules, "amdsmi", smi)  # type: ignore[arg-type]


def test_amds_counters(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with_amd(monkeypatch, Smi(clock, [400.0, 300.0]))
    made = begun({"HIP_VISIBLE_DEVICES": "1"})
    clock.now = 2.0
    (energy,) = made.read().energy.values()
    assert energy.joules == pytest.approx(600.0)
    assert (energy.meter, energy.basis) == ("AMD SMI energy counter", "measured")
    assert [(d.uuid, d.name) for d in made.picked] == [("amd-1", "AMD Instinct MI250X")]


@pytest.mark.parametrize("visible_", ["0,1", "0", "1"])
def test_a_module_of_two_dies_that_counts_on_the_first(
    clock: Clock, monkeypatch: pytest.MonkeyPatch, visible_: str
) -> None:
    """500 W on the first die's counter, none on the second's: 250 W each."""
    with_amd(monkeypatch, Smi(clock, [500.0, 0.0, 400.0, 400.0]))
    made = begun({"HIP_VISIBLE_DEVICES": visible_})
    clock.now = 2.0
    found = list(joules(made).values())
    assert found == pytest.approx([500.0] * len(visible_.split(",")))


def test_amds_power_where_there_is_no_counter(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_amd(monkeypatch, Smi(clock, [300.0], counter=False))
    made = begun()
    clock.now = 2.0
    (energy,) = made.read().energy.values()
    assert (energy.joules, energy.meter) == (600.0, "AMD SMI power, averaged")


def test_amds_devices_are_split_by_memory(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    smi = Smi(clock, [100.0])
    smi.processes = [
        {"pid": pid, "memory_usage": {"vram_mem": held}} for pid, held in ((1, 30), (2, 10))
    ]
    with_amd(monkeypatch, smi)
    made = begun(ours=lambda pid: pid == 1)
    clock.now = 1.0
    (energy,) = made.read().energy.values()
    assert (energy.joules, energy.others) == (pytest.approx(75.0), pytest.approx(25.0))


def test_a_rank_sees_its_amd_device_too(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    with_amd(monkeypatch, Smi(clock, [100.0, 100.0]))
    (seen,) = seen_by_driver({"ROCR_VISIBLE_DEVICES": "1"})
    assert (seen.uuid, seen.index) == ("amd-1", 1)


def test_an_amdsmi_that_does_not_fit_its_driver_is_told(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(amd_smi, "_DRIVER", Path("/"))
    monkeypatch.setitem(sys.modules, "amdsmi", None)  # type: ignore[arg-type]
    absent = begun().absent["AMD SMI"]
    assert absent.startswith("amdsmi cannot be imported: ")


# --- processors and memory ------------------------------------------------------------------------


def zone(root: Path, folder: str, name: str, joules_: float, full: float = 262_144.0) -> Path:
    path = root / folder
    path.mkdir(parents=True)
    (path / "name").write_text(f"{name}\n")
    (path / "energy_uj").write_text(f"{round(joules_ * 1e6)}\n")
    (path / "max_energy_range_uj").write_text(f"{round(full * 1e6)}\n")
    return path


def say(path: Path, joules_: float) -> None:
    (path / "energy_uj").write_text(f"{round(joules_ * 1e6)}\n")


@pytest.fixture
def hosted(clock: Clock, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine whose zones a test makes, and whose CodeCarbon says 90 W at no load, and 20 W."""
    monkeypatch.setattr(rapl, "ROOT", tmp_path)
    nvml.install(0, clock=clock)
    said = {"cpu": [90.0] * 101, "memory": 20.0, "mode": "cpu_load", "reads": False}
    monkeypatch.setattr(host_model, "asked", lambda: said)
    return tmp_path


def on_host(**more: Any) -> Meters:
    made = Meters(boot="b", **more)
    made.start()
    return made


def test_processors_and_memory_by_rapl(clock: Clock, hosted: Path) -> None:
    """Two packages and the memory of the first; what else is within a package counts with it."""
    first = zone(hosted, "intel-rapl:0", "package-0", 100.0)
    second = zone(hosted, "intel-rapl:1", "package-1", 700.0)
    core = zone(hosted, "intel-rapl:0:0", "core", 50.0)
    dram = zone(hosted, "intel-rapl:0:1", "dram", 5.0)
    platform = zone(hosted, "intel-rapl:2", "psys", 900.0)
    mirror = zone(hosted, "intel-rapl-mmio:0", "package-0", 100.0)
    made = on_host()
    clock.now = 10.0
    for path, joules_ in ((first, 400.0), (second, 900.0), (dram, 35.0)):
        say(path, joules_)
    for path in (core, platform, mirror):
        say(path, 5000.0)
    energy = made.read(last=True).energy
    assert {key: (e.joules, e.meter, e.basis) for key, e in energy.items()} == {
        "cpu:b": (300.0, "RAPL", "measured"),
        "cpu:b:1": (200.0, "RAPL", "measured"),
        "memory:b": (30.0, "RAPL", "measured"),
    }


def test_memory_that_rapl_does_not_tell_is_modelled(clock: Clock, hosted: Path) -> None:
    package = zone(hosted, "intel-rapl:0", "package-0", 100.0)
    made = on_host()
    clock.now = 10.0
    say(package, 400.0)
    energy = made.read(last=True).energy
    assert {key: (e.joules, e.basis) for key, e in energy.items()} == {
        "cpu:b": (300.0, "measured"),
        "memory:b": (200.0, "modelled"),  # 20 W for 10 s
    }


def test_dies_that_show_the_counter_of_their_socket_count_once(clock: Clock, hosted: Path) -> None:
    paths = [zone(hosted, f"intel-rapl:{n}", f"package-0-die-{n}", 500.0 + n / 2) for n in (0, 1)]
    made = on_host()
    clock.now = 10.0
    for path in paths:
        say(path, 800.0)
    energy = made.read(last=True).energy
    assert [e.joules for e in energy.values() if e.component == "cpu"] == [300.0]


def test_a_counter_of_rapl_starts_over(clock: Clock, hosted: Path) -> None:
    """262,144 J at the most: from 262,000 on to 100 are 244 J."""
    package = zone(hosted, "intel-rapl:0", "package-0", 262_000.0)
    made = on_host()
    clock.now = 10.0
    say(package, 100.0)
    assert made.read(last=True).energy["cpu:b"].joules == pytest.approx(244.0)


def answered(made: Meters) -> None:
    """Wait until CodeCarbon has been asked."""
    (model,) = (each for each in made._asked if each.source.name == "CodeCarbon")
    assert model.aside.wait(10.0)


def test_codecarbon_is_asked_again_where_it_failed(
    clock: Clock, hosted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No answer at first; after a minute it says 90 W and 20 W, of the whole time."""
    say_, fails = host_model.asked, [True]

    def asked() -> Any:
        if fails.pop() if fails else False:
            raise host_model.ProbeError("no answer within 300 s")
        return say_()

    monkeypatch.setattr(host_model, "asked", asked)
    made = on_host()
    answered(made)
    clock.now = 10.0
    read = made.read()
    assert all(
        each.meter.endswith("without CodeCarbon (costcalc)") for each in read.energy.values()
    )
    assert "CodeCarbon does not start: ProbeError: no answer within 300 s" in read.notes
    assert made.needs_samples  # the load is looked at meanwhile
    clock.now = 59.0
    made.read()
    answered(made)
    assert not made.keys
    clock.now = 61.0
    made.read()
    answered(made)
    clock.now = 70.0
    read = made.read(last=True)
    assert {key: e.joules for key, e in read.energy.items()} == {
        "cpu:b": pytest.approx(6300.0),
        "memory:b": pytest.approx(1400.0),
    }
    assert read.notes == ()


def test_without_codecarbons_answer_the_host_is_modelled_by_its_name(
    clock: Clock, hosted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """280 W by its table; at half load 28 + 252 / 8 = 59.5 W, for 30 s; of 32 GB 20 W."""
    import psutil

    monkeypatch.setattr(meters, "_LAST", 0.1)
    monkeypatch.setattr(named_host, "_sockets", lambda: 1)
    memory = SimpleNamespace(total=32 * 2**30)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    monkeypatch.setattr(host_model, "Load", lambda: SimpleNamespace(since=lambda: 50.0))
    over = threading.Event()
    monkeypatch.setattr(host_model, "asked", lambda: over.wait(30.0) and {})
    made = on_host(cpu="AMD EPYC 7763 64-Core Processor")
    clock.now = 10.0
    assert made.read().energy["cpu:b"].joules == pytest.approx(595.0)  # a kill loses no more
    clock.now = 30.0
    read = made.read(last=True)
    assert {key: (e.joules, e.basis, e.gap, e.meter) for key, e in read.energy.items()} == {
        "cpu:b": (
            pytest.approx(1785.0),
            "modelled",
            0.0,
            "model of the CPU's load by its name, without CodeCarbon (costcalc)",
        ),
        "memory:b": (
            pytest.approx(600.0),
            "modelled",
            0.0,
            "model of the memory by its size, without CodeCarbon (costcalc)",
        ),
    }
    said = "CodeCarbon has not answered: the host is modelled by name"
    assert f"{said} (1 × 280 W by CodeCarbon's table)" in read.notes
    over.set()


def test_a_driver_that_failed_is_asked_again(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """It fails for a minute; from then on its counter runs, and what was before is a gap."""
    driver = nvml.install(1, watts=500.0, clock=clock)
    works = driver.nvmlInit

    def busy() -> None:
        raise nvml.NVMLError("Unknown Error")

    monkeypatch.setattr(driver, "nvmlInit", busy)
    made = begun()
    assert made.read().notes == ("NVML does not start: NVMLError: Unknown Error",)
    monkeypatch.setattr(driver, "nvmlInit", works)
    clock.now = 61.0
    made.read()
    assert made._asked[0].aside.wait(10.0)
    clock.now = 71.0
    read = made.read()
    energy = read.energy["gpu:GPU-0"]
    assert (energy.joules, energy.gap, read.notes) == (5000.0, 61.0, ())
    assert made.unanswered == ()


def test_counters_are_looked_at_before_they_start_over(clock: Clock, hosted: Path) -> None:
    """An interval of an hour: 300 kJ are more than the counter holds."""
    package = zone(hosted, "intel-rapl:0", "package-0", 0.0)
    made = on_host()
    assert made.needs_samples
    (asked,) = (each for each in made._asked if each.source.name == "RAPL")
    for minute in range(1, 61):
        clock.now = 60.0 * minute
        say(package, minute * 5000.0 % 262_144.0)
        made.sample()
        assert asked.aside.wait(10.0)
    assert made.read(last=True).energy["cpu:b"].joules == pytest.approx(300_000.0)


def test_counters_that_only_root_may_read_leave_the_model_and_are_told(
    clock: Clock, hosted: Path
) -> None:
    package = zone(hosted, "intel-rapl:0", "package-0", 100.0)
    (package / "energy_uj").unlink()
    (package / "energy_uj").mkdir()  # as unreadable as a file of root's, also for root
    made = on_host()
    clock.now = 10.0
    assert made.read(last=True).energy["cpu:b"].basis == "modelled"
    assert made.absent["RAPL"] == f"{package}/energy_uj cannot be read: Is a directory"


def test_the_host_counts_by_the_jobs_share(clock: Clock, hosted: Path) -> None:
    package = zone(hosted, "intel-rapl:0", "package-0", 0.0)
    made = on_host(share=lambda: (0.25, 0.5))
    clock.now = 10.0
    say(package, 80.0)
    energy = made.read(last=True).energy["cpu:b"]
    assert (energy.joules, energy.others) == (20.0, 40.0)


def test_a_share_that_is_not_known_is_all_of_it_and_told(clock: Clock, hosted: Path) -> None:
    def fails() -> tuple[float, float]:
        raise RuntimeError("no folder")

    package = zone(hosted, "intel-rapl:0", "package-0", 0.0)
    made = on_host(share=fails)
    clock.now = 10.0
    say(package, 80.0)
    read = made.read(last=True)
    assert read.energy["cpu:b"].joules == 80.0
    assert read.notes == ("the share of the host is not known: no folder",)


def test_of_a_host_that_is_not_this_process_s_nothing_is_metered(hosted: Path) -> None:
    zone(hosted, "intel-rapl:0", "package-0", 0.0)
    assert begun().keys == ()


def test_a_process_that_meters_nothing_has_seen_nothing(clock: Clock) -> None:
    nvml.install(0, clock=clock)
    made = begun()
    clock.now = 7.0
    assert made.read() == meters.Reading(energy={}, gaps=7.0, notes=())
