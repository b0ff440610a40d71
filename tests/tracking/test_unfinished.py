"""A job without a name that was killed and run again is two, and the second one says so."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import costcalc
from costcalc.base.reading import read_file
from costcalc.report.check import verify

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os, sys, time, costcalc
with costcalc.track(output="costs.yaml", interval=0.2) as tracker:
    for _ in range(20):
        time.sleep(0.1)
        tracker.step(tokens=1000)
    if sys.argv[1:]:
        os.kill(os.getpid(), 9)
"""


def run(folder: Path, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        cwd=folder,
        text=True,
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT), **env},
    )


def test_an_attempt_that_was_killed_is_named_by_the_next(tmp_path: Path) -> None:
    assert run(tmp_path, "kill").returncode == -signal.SIGKILL
    done = run(tmp_path)
    said = next(line for line in done.stderr.splitlines() if "unfinished: " in line)
    assert said.startswith("costcalc: unfinished: the ledger holds an earlier job (began 2")
    assert said.endswith(
        " not ended), which is in no report and not in this one; where it was this job's first "
        "attempt, job= (COSTCALC_JOB) makes them one"
    )
    made = read_file(tmp_path / "costs.yaml", "costs.yaml").data
    assert made["details"]["tracking"]["steps"] == 20
    assert said.removeprefix("costcalc: ") in made["details"]["tracking"]["notes"]
    assert verify(tmp_path / "costs.yaml").discrepancies == ()


def test_under_one_name_it_is_one_job_whose_first_attempt_has_not_ended(tmp_path: Path) -> None:
    assert run(tmp_path, "kill", COSTCALC_JOB="night").returncode == -signal.SIGKILL
    done = run(tmp_path, COSTCALC_JOB="night")
    assert "unfinished" not in done.stderr
    attempts = read_file(tmp_path / "costs.yaml", "costs.yaml").data["details"]["tracking"]
    status = [attempt["status"] for attempt in attempts["attempts"]]
    assert status == ["ended without a word", "completed"]


def test_a_job_that_lives_beside_or_has_ended_is_not_unfinished(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with costcalc.track(ledger=tmp_path / "l", output=tmp_path / "a.yaml", interval=0.2):
        assert run(tmp_path, COSTCALC_LEDGER=str(tmp_path / "l")).returncode == 0
    with costcalc.track(ledger=tmp_path / "l", output=tmp_path / "b.yaml", interval=0.2):
        pass
    assert "unfinished" not in capfd.readouterr().err
