"""A real Slurm with accounting: its jobs, one of them requeued, come into the ledger by sacct."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tracking"))
import slurm_cluster
from fleet_byhand import rows

from costcalc.fleet.ledger import Ledger

pytestmark = pytest.mark.frameworks
ROOT = Path(__file__).parents[2]
FLEET = """
name: costcalc
site: {region: DE, pue: 1.2}
price: {device_hour: 36 USD}
partitions: {main: {accelerator: h200-sxm-141, per_node: 2, nodes: 1}}
"""


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    why = slurm_cluster.lacking(accounting=True)
    if why:
        pytest.skip(why)
    folder = tmp_path_factory.mktemp("accounted")
    with slurm_cluster.cluster(folder, accounting=True) as env:
        yield {**env, "PYTHONPATH": str(ROOT)}


def ours(env: dict[str, str], folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "costcalc", *words]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, text=True, check=False)


def said(env: dict[str, str], *words: str) -> str:
    return subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout


def until(env: dict[str, str], words: tuple[str, ...], told: str) -> None:
    for _ in range(200):
        if told in said(env, *words):
            return
        time.sleep(0.3)
    raise AssertionError((words, said(env, *words)))


def test_jobs_of_a_real_slurm(slurm: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(FLEET)
    (tmp_path / "one.sh").write_text(
        "#!/bin/bash\n#SBATCH --gres=gpu:h200:1 --time=5 -o out.txt\nsleep 2\n"
    )
    assert ours(slurm, tmp_path, "fleet", "init").returncode == 0
    # a device for five minutes at 36 USD an hour
    submitted = ours(slurm, tmp_path, "sbatch", "--max-cost", "3.1USD", "one.sh")
    assert "can cost at most: 3.00 USD" in submitted.stderr
    assert submitted.stdout.startswith("Submitted batch job ")
    first = submitted.stdout.split()[-1]
    refused = ours(slurm, tmp_path, "sbatch", "--max-cost", "2.9USD", "one.sh")
    assert (refused.returncode, refused.stdout) == (3, "")
    again = said(
        slurm, "sbatch", "--parsable", "--requeue", "--gres=gpu:2", "-o", "/dev/null",
        "--wrap", "sleep 300",
    ).strip()  # fmt: skip
    until(slurm, ("squeue", "-h", "-j", again, "-o", "%t"), "R")
    time.sleep(2)
    said(slurm, "scontrol", "requeue", again)
    said(slurm, "scancel", again)
    until(slurm, ("sacct", "-n", "-P", "-X", "-j", first, "-o", "State"), "COMPLETED")
    until(slurm, ("sacct", "-n", "-P", "-X", "-D", "-j", again, "-o", "State"), "REQUEUED")
    taken = ours(slurm, tmp_path, "fleet", "import", "slurm", "--since", "now-1hour")
    assert "0 rows refused" in taken.stderr, taken.stderr
    with Ledger.open(str(tmp_path / "fleet.db")) as ledger:
        by_job = {(row.job, row.state): row for row in rows(ledger)}
        one, two = by_job[first, "completed"], by_job[again, "requeued"]
        assert (one.device, one.devices, two.devices) == ("h200-sxm-141", 1.0, 2.0)
        assert one.cost == pytest.approx(one.seconds * 36 / 3600)
        assert one.end - one.start == one.seconds
        assert abs(one.end - time.time()) < 600
    once = ours(slurm, tmp_path, "fleet", "import", "slurm", "--job", first)
    assert once.stderr.startswith("0 jobs added, 0 corrected, 1 known already")
    words = ours(slurm, tmp_path, "fleet", "job", first, "--words")
    assert words.stdout.startswith("This job held 1.00 × h200-sxm-141 for ")


def test_slurm_gives_no_more_than_was_said(slurm: dict[str, str], tmp_path: Path) -> None:
    """What a real Slurm lays out for requests, were it held to their limit, is what was said."""
    (tmp_path / "fleet.yaml").write_text(FLEET.replace("nodes: 1}", "nodes: 1, cpu_hour: 36 USD}"))
    (tmp_path / "a.sh").write_text("#!/bin/bash\n#SBATCH --time=5 -o out.txt\nsleep 2\n")
    assert ours(slurm, tmp_path, "fleet", "init").returncode == 0
    asked: dict[str, tuple[float, float]] = {}
    for typed, variables, limit, most in (
        (["--exclusive"], {}, 5, 6.0),  # both devices of the node, for 5 min at 36 USD an hour
        (["--gres=gpu:1", "--exclusive"], {}, 5, 6.0),
        ([], {"SBATCH_GRES": "gpu:2", "SBATCH_TIMELIMIT": "10"}, 10, 12.0),
        (["--gres=gpu:1"], {"SBATCH_ARRAY_INX": "1-2"}, 5, 6.0),  # two tasks of 3 USD
        (["--ntasks-per-gpu=1", "-n2"], {}, 5, 6.0),
        (["--gres=gpu:1", "-n2"], {"SBATCH_GPUS": "1"}, 5, 3.0),  # one of the job, whatever tasks
        (["-n1"], {}, 5, 6.0),  # a processor, or two where a core has them
    ):
        env = {**slurm, **variables}
        submitted = ours(env, tmp_path, "sbatch", *typed, "a.sh")
        assert f"can cost at most: {most:.2f} USD" in submitted.stderr.replace("12.0 ", "12.00 ")
        asked[submitted.stdout.split()[-1]] = limit / 60, most
    over = ("sacct", "-n", "-P", "-X", "-j", ",".join(asked), "-o", "State")
    for _ in range(300):
        if said(slurm, *over).split() == ["COMPLETED"] * 8:  # the array has two tasks
            break
        time.sleep(0.3)
    taken = ours(slurm, tmp_path, "fleet", "import", "slurm", "--since", "now-1hour")
    assert "0 rows refused" in taken.stderr, taken.stderr
    with Ledger.open(str(tmp_path / "fleet.db")) as ledger:
        for number, (hours, most) in asked.items():
            of = [row for row in rows(ledger) if row.job.partition("_")[0] == number]
            assert of
            assert sum(36 * hours * (row.devices or row.cpus) for row in of) <= most
