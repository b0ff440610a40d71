"""Whole jobs in processes of their own: containers, drivers that hang, neighbours, short runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any

import pytest

ROOT, HERE = Path(__file__).parents[2], Path(__file__).parent
RUN = {
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1e9", "sequence_length": 1024, "global_batch": 64},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
    "site": {"grid": "100 gCO2e/kWh", "pue": 1.2},
}
FAKE = f"""
    import sys, time
    sys.path[:0] = [{str(ROOT)!r}, {str(HERE)!r}]
    import nvml
    from costcalc.tracking import host_model
"""
QUICK = "    host_model.asked = lambda: {}\n"  # CodeCarbon is not what is tested
TRAIN = """
    import costcalc
    from costcalc.tracking import background
    background._FIRST = 0.1
    with costcalc.track(run, output="costs.json", interval=0.2, progress=False) as tracker:
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            time.sleep(0.01); tracker.step(tokens=65536)
"""


def begun(folder: Path, code: str, seconds: float, run: object = None, **env: str) -> Any:
    """A job in a folder; ``code`` comes before it begins."""
    folder.mkdir(exist_ok=True)
    head = f"    run, seconds = {run!r}, {seconds}\n"
    (folder / "train.py").write_text(
        textwrap.dedent(FAKE + QUICK + head + textwrap.indent(code, "    ") + TRAIN)
    )
    return subprocess.Popen(
        [sys.executable, "train.py"],
        cwd=folder,
        env={**os.environ, "TMPDIR": str(folder.parent), **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(job: Any, folder: Path) -> dict[str, Any]:
    said, error = job.communicate(timeout=120)
    assert (job.returncode, said, error) == (0, "", ""), error
    found: dict[str, Any] = json.loads((folder / "costs.json").read_text())
    return found


def notes(data: dict[str, Any]) -> list[str]:
    found: list[str] = data["details"]["tracking"].get("notes", [])
    return found


def test_a_container_without_the_schedulers_tool_is_metered(tmp_path: Path) -> None:
    """Eight devices at 500 W; the job has a number, and there is no tool of Slurm or NVIDIA."""
    env = {"SLURM_JOB_ID": "7", "PATH": str(tmp_path)}
    data = ended(begun(tmp_path, "nvml.install(8, watts=500.0)", 1.0, RUN, **env), tmp_path)
    device = data["measurement"]["components"][0]
    assert (device["component"], device["basis"]) == ("device", "measured")
    assert device["meter"] == "NVML energy counter"
    hours = data["results"]["device_hours"]["value"]
    filled = sum(
        part["energy"]
        for part in data["measurement"]["components"]
        if part["component"] == "device"
    )
    assert filled == pytest.approx(hours * 0.5, rel=0.05)
    assert data["results"]["energy_it"]["value"] > filled  # and its host, by the profile
    assert notes(data) == []


@pytest.mark.parametrize("what", ["nvmlInit", "nvmlDeviceGetTotalEnergyConsumption"])
def test_a_driver_that_hangs_loses_no_report_of_a_short_job(tmp_path: Path, what: str) -> None:
    code = f"node = nvml.install(8)\nnode.hangs.add({what!r})\n"
    data = ended(begun(tmp_path, code, 0.3, RUN), tmp_path)
    assert data["details"]["tracking"]["steps"] > 0
    assert "NVML does not answer: it is not waited for" in notes(data)


def test_a_device_that_is_lost_on_the_way_is_a_gap_with_a_range(tmp_path: Path) -> None:
    code = """\
node, first = nvml.install(2, watts=500.0), []
def energy(index, full=node.nvmlDeviceGetTotalEnergyConsumption):
    first.append(time.monotonic())
    if index == 1 and first[-1] - first[0] > 0.8:
        raise nvml.NVMLError("GPU is lost")
    return full(index)
node.nvmlDeviceGetTotalEnergyConsumption = energy
"""
    data = ended(begun(tmp_path, code, 1.6, RUN), tmp_path)
    seen, filled = (
        part for part in data["measurement"]["components"] if part["component"] == "device"
    )
    assert (seen["basis"], filled["basis"]) == ("measured", "modelled")
    assert filled["low"] < filled["energy"] < filled["high"]
    assert 0.1 < filled["energy"] / (seen["energy"] + filled["energy"]) < 0.5
    assert data["details"]["tracking"]["attempts"][0]["devices"] == 2
    assert "NVML energy counter failed: NVMLError: GPU is lost" in notes(data)


def test_a_job_that_sees_no_device_is_not_credited_with_the_run_files(tmp_path: Path) -> None:
    job = begun(tmp_path, "nvml.install(8)", 0.3, RUN, CUDA_VISIBLE_DEVICES="")
    data = ended(job, tmp_path)
    assert data["results"]["energy"]["value"] is None
    assert data["results"]["device_hours"]["value"] is None
    assert any(note.startswith("the machine has 8 devices and the job may") for note in notes(data))


def test_two_jobs_on_a_device_share_its_energy(tmp_path: Path) -> None:
    """One computes three times as much as the other: three quarters of 400 W are its own."""
    code = """\
import os, pathlib
node = nvml.install(1, watts=400.0)
me, all_ = pathlib.Path("pid"), pathlib.Path("..")
me.with_suffix(".new").write_text(str(os.getpid())); me.with_suffix(".new").rename(me)
while len(list(all_.glob("*/pid"))) < 2: time.sleep(0.01)
pids = {path.parent.name: int(path.read_text()) for path in all_.glob("*/pid")}
node.running[0] = [(pid, 10) for pid in pids.values()]
node.samples[0] = [(pids["a"], t, 60) for t in range(1, 10**6, 1000)]
node.samples[0] += [(pids["b"], t, 20) for t in range(1, 10**6, 1000)]
node.nvmlDeviceGetProcessUtilization = (
    lambda index, since, full=node.nvmlDeviceGetProcessUtilization: full(index, 0))
"""
    folders = [tmp_path / name for name in ("a", "b")]
    jobs = [begun(folder, code, 1.0) for folder in folders]
    found = [ended(job, folder) for job, folder in zip(jobs, folders, strict=True)]
    for data, share in zip(found, (0.75, 0.25), strict=True):
        device = data["measurement"]["components"][0]["energy"]
        (other,) = (o for o in data["measurement"]["others"] if o["component"] == "device")
        assert device / (device + other["energy"]) == pytest.approx(share, abs=0.01)
        assert (
            "other processes compute on device 0 too: its energy is split by what each computed"
        ) in notes(data)


def test_a_job_of_a_moment_is_modelled_whole(tmp_path: Path) -> None:
    """Without drivers and counters: CodeCarbon answers after the job's end, for all of it."""
    code = """\
def late():
    time.sleep(1.0)
    return {"cpu": [50.0] * 101, "memory": 10.0, "mode": "cpu_load"}
host_model.asked = late
nvml.install(0)
import costcalc.tracking.rapl as rapl, pathlib
rapl.ROOT = pathlib.Path("/none")
"""
    began = time.monotonic()
    data = ended(begun(tmp_path, code, 0.4), tmp_path)
    lived = time.monotonic() - began
    seconds = data["results"]["wall_clock"]["value"] * 3600
    energy = data["results"]["energy_it"]
    host_share = data["measurement"]["components"][0]["energy"] * 3.6e6 / 50.0 / seconds
    # the host is metered for a moment longer than the job is timed, on a busy machine for a good
    # part of it; never for longer than the process lived
    assert 0 < host_share * seconds <= lived
    joules = energy["value"] * 3.6e6
    assert joules == pytest.approx(60.0 * seconds * host_share, rel=0.02)
    assert energy["low"] < energy["value"] < energy["high"]
    assert energy["basis"] == "modelled"
    assert [each["what"] for each in data["measurement"]["unmetered"]] == [
        "accelerators",
        "processors and memory",
    ]


def test_a_job_that_leaves_codecarbon_no_core_is_modelled_by_its_processors_name(
    tmp_path: Path,
) -> None:
    """Without drivers and counters, and CodeCarbon would answer a minute after the end."""
    code = """\
host_model.asked = lambda: time.sleep(60.0)
nvml.install(0)
import costcalc.tracking.rapl as rapl, pathlib, costcalc.tracking.meters as meters
rapl.ROOT = pathlib.Path("/none")
meters._LAST = 0.1
"""
    data = ended(begun(tmp_path, code, 0.4), tmp_path)
    energy, parts = data["results"]["energy_it"], data["measurement"]["components"]
    assert 0 < energy["low"] < energy["value"] < energy["high"]
    assert energy["basis"] == "modelled"
    assert [(part["component"], part["meter"].partition(" by")[0]) for part in parts] == [
        ("cpu", "model of the CPU's load"),
        ("memory", "model of the memory"),
    ]
    assert any(note.startswith("CodeCarbon has not answered: the host is") for note in notes(data))
