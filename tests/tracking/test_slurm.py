"""Jobs under a real Slurm: steps of several tasks, and a requeue that goes on with the sum."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from costcalc.base.reading import read_file
from costcalc.tracking.follow import read

sys.path.insert(0, str(Path(__file__).parent))
import slurm_cluster

ROOT = Path(__file__).parents[2]
pytestmark = [pytest.mark.frameworks]

TRAIN = """
import sys, time, costcalc
with costcalc.track(output="costs.yaml", interval=0.5, progress=False) as tracker:
    for step in range(int(sys.argv[1])):
        time.sleep(0.02); tracker.step(tokens=10)
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    why = slurm_cluster.lacking()
    if why:
        pytest.skip(why)
    with slurm_cluster.cluster(tmp_path_factory.mktemp("slurm")) as env:
        yield {**env, "PYTHONPATH": str(ROOT)}


def batch(env: dict[str, str], folder: Path, body: str, *options: str) -> str:
    (folder / "train.py").write_text(TRAIN)
    (folder / "job.sh").write_text(f"#!/bin/bash\n{body}\n")
    done = subprocess.run(
        ["sbatch", "--parsable", "-o", "out.txt", *options, "job.sh"],
        cwd=folder,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def finished(env: dict[str, str], job: str, folder: Path) -> None:
    until = time.monotonic() + 150
    while time.monotonic() < until:
        shown = control(env, "show", "job", job)
        if "JobState=COMPLETED" in shown:
            return
        assert "JobState=FAILED" not in shown, (folder / "out.txt").read_text()
        if "Reason=BeginTime" in shown:  # requeued: Slurm makes it wait two minutes
            control(env, "update", f"JobId={job}", "StartTime=now")
        time.sleep(0.5)
    pytest.fail(f"the job does not end: {shown}")


def control(env: dict[str, str], *words: str) -> str:
    return subprocess.run(
        ["scontrol", *words], env=env, capture_output=True, text=True, check=False
    ).stdout


def tracking(folder: Path) -> Any:
    return read_file(folder / "costs.yaml", "costs.yaml").data["details"]["tracking"]


def test_the_tasks_of_a_step_are_one_job(slurm: dict[str, str], tmp_path: Path) -> None:
    job = batch(
        slurm, tmp_path, f"srun --mpi=none {sys.executable} train.py 100", "-n", "2", "--overcommit"
    )
    finished(slurm, job, tmp_path)
    (attempt,) = tracking(tmp_path)["attempts"]
    assert (attempt["ranks"], attempt["processes"]) == (2, 2)
    written = read(tmp_path / "costs.ledger", job=f"slurm:{job}")
    assert sorted(w.start.place.rank for w in written) == [0, 1]
    assert {w.start.place.source for w in written} == {"Slurm"}
    assert sum(w.last.tokens or 0 for w in written if w.last) == 2000


def test_a_requeue_goes_on_with_the_sum(slurm: dict[str, str], tmp_path: Path) -> None:
    body = (
        f'steps=$([ "${{SLURM_RESTART_COUNT:-0}}" = 0 ] && echo 100000 || echo 50)\n'
        f"{sys.executable} train.py $steps"
    )
    job = batch(slurm, tmp_path, body, "--requeue", "-n", "1")
    until = time.monotonic() + 60
    while time.monotonic() < until:
        written = read(tmp_path / "costs.ledger") if (tmp_path / "costs.ledger").exists() else []
        if any(w.last and w.last.steps > 50 for w in written):
            break
        time.sleep(0.3)
    control(slurm, "requeue", job)
    time.sleep(1)
    control(slurm, "update", f"JobId={job}", "StartTime=now")
    finished(slurm, job, tmp_path)
    found = tracking(tmp_path)
    assert [a["status"] for a in found["attempts"]][-1] == "completed"
    assert len(found["attempts"]) == 2
    assert found["steps"] > 100
