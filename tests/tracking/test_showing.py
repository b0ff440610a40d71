"""A job followed from its ledger: what the records say by now, and whether it lives."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from costcalc.base.errors import InputError
from costcalc.base.human import human
from costcalc.tracking.ledger import Writer
from costcalc.tracking.records import Energy, Place, Sample, Start
from costcalc.tracking.showing import Watch

ROOT = Path(__file__).parents[2]
RUN: dict[str, Any] = {
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1e9", "sequence_length": 1024, "global_batch": 8},
    "hardware": {"accelerator": "a100-sxm4-80", "count": 1},
    "site": {"grid": "100 gCO2e/kWh", "pue": 1.2},
    "price": {"device_hour": "2 USD"},
}


def job(
    folder: Path, name: str = "j", *, ago: float = 4.0, run: dict[str, Any] = RUN, **more: Any
) -> tuple[Writer, Sample]:
    """Half an hour of one process: 500 steps of 3 s, 5e8 tokens; a meter of 100 W on the CPU."""
    start = Start(
        job=name,
        writer=f"w-{name}",
        time=time.time() - 1800.0 - ago,
        place=Place(job=name, node=0, nodes=1),
        boot="b",
        host="h",
        interval=10.0,
        run=run,
    )
    energy = Energy(joules=180_000.0, basis="measured", meter="RAPL", component="cpu")
    sample = Sample(
        time=time.time() - ago,
        elapsed=1800.0,
        steps=500,
        timed=500,
        busy=1500.0,
        tokens=5e8,
        energy={"cpu:b": energy},
    )
    sample = replace(sample, **more)
    writer = Writer(folder, start)
    writer.append(sample)
    return writer, sample


def cells(folder: Path, **options: Any) -> dict[str, str]:
    return {row.label: row.now for row in Watch(folder, **options).look().rows}


def test_a_running_job_is_shown_with_its_figures_and_what_is_ahead(tmp_path: Path) -> None:
    """Half an hour at 2 USD an hour, and half of the plan."""
    job(tmp_path)
    view = Watch(tmp_path).look()
    assert re.fullmatch(r"running, heard of [\d.]+ s ago", view.status)
    assert view.over is False
    rows = {row.label: row for row in view.rows}
    assert list(rows) == ["steps", "tokens", "MFU", "power", "time", "cost", "energy", "CO2e"]
    assert rows["steps"].now == "500"
    assert rows["tokens"].now == "500,000,000 token, 333,000 token/s"
    wh = float(rows["energy"].now.split(" ")[0])
    assert rows["energy"].now.split(" ")[1] == "Wh"
    # what the energy beside it comes to in half an hour: the board and the host of the profile
    # are in both, not the 100 W that one meter saw
    watts = rows["power"].now.removesuffix(" W in the mean")
    assert float(watts.replace(",", "")) == pytest.approx(wh / 0.5, rel=0.01)
    assert float(watts.replace(",", "")) > 300
    assert rows["time"].now == "30.0 min"
    assert rows["cost"].now == "1.00 USD"
    ahead = view.metrics["costcalc/forecast_cost_usd"]
    assert rows["cost"].end.startswith(f"{human(ahead, 'USD')} [")
    assert rows["cost"].before.endswith(" USD")
    assert view.metrics["costcalc/progress"] == 0.5


def test_the_power_of_late_is_that_between_two_looks(tmp_path: Path) -> None:
    """10 s and 2,500 J later: 250 W of late; no profile is named, so that the meter sees all."""
    writer, sample = job(tmp_path, run={})
    watch = Watch(tmp_path)
    watch.look()
    energy = replace(sample.energy["cpu:b"], joules=182_500.0)
    writer.append(replace(sample, elapsed=1810.0, energy={"cpu:b": energy}))
    rows = {row.label: row.now for row in watch.look().rows}
    assert rows["power"] == "250 W, 101 W in the mean"


@pytest.mark.parametrize(
    ("more", "ago", "status", "over"),
    [
        ({"status": "completed"}, 4.0, "ended: completed", True),
        ({"status": "stopped"}, 900.0, "ended: stopped", True),
        (
            {},
            900.0,
            "not heard of for 15.0 min, at an interval of 10.0 s: it may be dead, or its disk",
            False,
        ),
    ],
)
def test_whether_it_lives(
    tmp_path: Path, more: dict[str, Any], ago: float, status: str, over: bool
) -> None:
    job(tmp_path, ago=ago, **more)
    view = Watch(tmp_path).look()
    assert (view.status, view.over) == (status, over)


def test_of_several_jobs_the_newest_is_shown_and_the_others_are_named(tmp_path: Path) -> None:
    job(tmp_path, "old", ago=900.0, steps=1)
    job(tmp_path, "new", steps=2)
    assert cells(tmp_path)["steps"] == "2"
    assert cells(tmp_path, job="old")["steps"] == "1"
    view = Watch(tmp_path).look()
    assert view.job == "new"
    assert re.fullmatch(
        r"the newest of 2 jobs, new; --job picks another: old \(began 2\d{3}-\d\d-\d\d "
        r"\d\d:\d\d:\d\d UTC, 1 steps in 30.0 min, not ended\)",
        view.notes[0],
    )


@pytest.mark.parametrize(
    ("folder", "said"),
    [
        ("nowhere", "cannot be read: No such file or directory"),
        (".", "expected the records of a job (*.jsonl); none of any job"),
    ],
)
def test_what_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        Watch(folder).look()
    assert str(caught.value) == f"{folder}: {said}\n1 problem in {folder}"


def show(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "costcalc", "track", "show", *words],
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_in_a_pipe_it_is_one_look(tmp_path: Path) -> None:
    job(tmp_path / "costs.ledger")
    done = show(tmp_path, "costs.ledger")
    assert (done.returncode, done.stderr) == (0, "")
    first, heads, steps, *_ = done.stdout.splitlines()
    assert first.startswith("running, heard of ")
    assert heads.split() == ["so", "far", "at", "the", "end", "predicted", "so", "far"]
    assert steps.split() == ["steps", "500"]
    done = show(tmp_path, "costs.ledger", "--json")
    data = json.loads(done.stdout)
    assert (data["job"], data["notes"][0]) == (
        "j",
        "no accelerator was detected: the run file's hardware is taken",
    )
    assert (data["over"], data["metrics"]["costcalc/steps"]) == (False, 500.0)
    done = show(tmp_path, "costs.ledger", "--every", "0")
    assert done.returncode == 2
    assert "--every: expected a number of seconds above 0; got 0" in done.stderr
