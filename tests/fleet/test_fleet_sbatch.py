"""`costcalc sbatch`: what a script asks for, what it can cost, and what is not submitted."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fleet_byhand import FLEET

from costcalc.base.errors import InputError
from costcalc.cli import LIMIT, OK, WRONG_USE, run
from costcalc.fleet.requests import request, words
from costcalc.fleet.shipped import text

SCRIPT = """#!/bin/bash
#SBATCH --partition=gpu --time=2:00:00   # two hours
#SBATCH --gres=gpu:h100:4 -N 2
#SBATCH -A chemistry
srun python train.py
#SBATCH --time=9-0
"""


@pytest.mark.parametrize(
    ("options", "devices"),
    [
        ({}, 8.0),  # 4 a node, two nodes
        ({"nodes": "1-3"}, 12.0),
        ({"gpus": "a100:6"}, 6.0),
        ({"gpus-per-node": "2"}, 4.0),
        ({"gpus-per-task": "1", "ntasks-per-node": "3"}, 6.0),
        ({"gres": "gpu"}, 2.0),
    ],
)
def test_devices(options: dict[str, str], devices: float) -> None:
    assert request(SCRIPT, options).devices == devices


def test_what_a_script_asks_for() -> None:
    found = request(SCRIPT, {})
    assert (found.kind, found.seconds, found.partition, found.account, found.tasks) == (
        "h100", 7200.0, "gpu", "chemistry", 1,
    )  # fmt: skip
    later = request(SCRIPT, words(["-t", "30", "--array=0-9%2", "x.sh"]).options)
    assert (later.seconds, later.tasks) == (1800.0, 10)
    assert request("#!/bin/sh\n", {}).seconds is None
    assert request(SCRIPT, {"time": "UNLIMITED"}).seconds is None


def test_where_the_run_file_is() -> None:
    for line in (
        "costcalc track --run runs/a.yaml -o x.yaml -- python t.py",
        "srun costcalc track -o x.yaml --run=runs/a.yaml -- python t.py",
        "# costcalc: runs/a.yaml",
    ):
        assert request(f"#!/bin/sh\n{line}\n", {}).run_file == "runs/a.yaml"


def test_what_cannot_be_read_is_told_together() -> None:
    with pytest.raises(InputError) as error:
        request("#SBATCH -t soon --array=x -N many --gpus=some\n", {}, "a.sh")
    assert str(error.value) == (
        'a.sh: --nodes: expected a number, 1 or more; got "many"\n'
        'a.sh: --gpus: expected a number such as 4 or h100:4; got "some"\n'
        'a.sh: --time: expected a limit such as 90, 2:30:00 or 1-12; got "soon"\n'
        'a.sh: --array: expected indices such as 0-15%4; got "x"\n'
        "4 problems in a.sh"
    )


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.yaml").write_text(FLEET)
    (tmp_path / "a.sh").write_text(SCRIPT)
    (tmp_path / "run.yaml").write_text(
        "measured: {wall_clock: 3 h}\n"
        "hardware: {accelerator: h100-sxm5-80, count: 8, per_node: 8}\n"
    )
    return tmp_path


def test_at_most_by_hand(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # 8 devices for 2 h at 2 USD
    assert run(["sbatch", "--dry-run", "a.sh"]) == OK
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "costcalc: asks for 8 × h100-sxm5-80, 2.00 hours"
    assert said[1].startswith("costcalc: can cost at most: 32.0 USD, ")
    assert run(["sbatch", "--dry-run", "--run", "run.yaml", "a.sh"]) == OK
    said = capsys.readouterr().err.splitlines()
    # the run file says no price and no place: the cluster's; 24 device-hours at 2 USD
    assert said[2].startswith("costcalc: run.yaml: estimated at 3.00 hours, 48.0 USD, ")
    assert said[3] == "costcalc: note: it will not end within its limit: 3.00 hours are estimated"


def test_a_limit_of_money(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sbatch", "--dry-run", "--max-cost", "32 USD", "a.sh"]) == OK
    assert run(["sbatch", "--max-cost", "31USD", "a.sh"]) == LIMIT
    assert capsys.readouterr().err.splitlines()[-1] == (
        "costcalc: not submitted: --max-cost: 32.0 USD at most are more than 31.0 USD"
    )
    assert run(["sbatch", "--max-cost", "31 USD", "--time=0", "a.sh"]) == LIMIT
    assert capsys.readouterr().err.splitlines()[-1] == (
        "costcalc: not submitted: --max-cost cannot be judged: it has no time limit; give --time"
    )
    for wrong in ("31", "31 EUR"):
        assert run(["sbatch", "--max-cost", wrong, "a.sh"]) == WRONG_USE


def test_wrong_use(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sbatch", "-p", "gpu", "--dry-run", "a.sh"]) == WRONG_USE
    assert capsys.readouterr().err == "--dry-run: goes before the options of sbatch\n"
    assert run(["sbatch", "none.sh"]) == WRONG_USE
    assert "none.sh: cannot be read" in capsys.readouterr().err


def test_the_words_reach_sbatch_as_they_are(here: Path) -> None:
    folder = here / "bin"
    folder.mkdir()
    (folder / "sbatch").write_text('#!/bin/sh\nprintf "[%s]" "$@"\nexit 7\n')
    (folder / "sbatch").chmod(0o755)
    made = subprocess.run(
        [sys.executable, "-m", "costcalc", "sbatch", "-p", "gpu", "--comment=a b", "a.sh", "x y"],
        capture_output=True,
        text=True,
        env={"PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert (made.stdout, made.returncode) == ("[-p][gpu][--comment=a b][a.sh][x y]", 7)


# --- what ships for the controller ---------------------------------------------------------------

STUB = """
slurm = { SUCCESS = 0, ERROR = -1, log_user = function(text) print(text) end }
dofile(arg[1])
local job = { partition = "gpu", time_limit = 120, tres_per_node = "gres:gpu:h100:4",
              min_nodes = 2, max_nodes = 4294967294 }
print(slurm_job_submit(job, {}, 0))
print(slurm_job_submit({ partition = "gpu", time_limit = 60 }, {}, 0))
print(slurm_job_submit({ partition = "new", time_limit = 60, tres_per_job = "gres/gpu=2" }, {}, 0))
"""


@pytest.mark.frameworks
def test_the_lua_plugin_says_the_same(tmp_path: Path) -> None:
    lua = shutil.which("lua5.3") or shutil.which("lua")
    if lua is None:
        pytest.skip("no lua here")
    (tmp_path / "job_submit.lua").write_text(text("job_submit.lua"))
    (tmp_path / "stub.lua").write_text(STUB)
    made = subprocess.run(
        [lua, "stub.lua", "job_submit.lua"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    # 8 devices for 2 h at 1.90
    assert made.stdout.splitlines() == [
        "costcalc: this job can cost at most 30.40 EUR",
        "0",
        "0",
        "costcalc: what this job can cost is not known: give --partition and --time",
        "0",
    ]
    limited = text("job_submit.lua").replace("local MOST = nil", "local MOST = 30")
    (tmp_path / "job_submit.lua").write_text(limited)
    made = subprocess.run(
        [lua, "stub.lua", "job_submit.lua"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.splitlines()[:3] == [
        "costcalc: this job can cost at most 30.40 EUR",
        "costcalc: more than 30.00 EUR: ask for less time or fewer devices",
        "-1",
    ]


def test_the_epilog_is_a_script() -> None:
    subprocess.run(["bash", "-n"], input=text("epilog.sh"), text=True, check=True)
