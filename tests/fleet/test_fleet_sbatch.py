"""`costcalc sbatch`: what a script asks for, what it can cost, and what is not submitted."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from fleet_byhand import FLEET, cluster

from costcalc.base.errors import InputError
from costcalc.cli import LIMIT, OK, WRONG_USE, run
from costcalc.fleet.plugging import filled
from costcalc.fleet.requests import Request, submission
from costcalc.fleet.sbatch_options import words
from costcalc.fleet.shipped import text

SCRIPT = """#!/bin/bash
#SBATCH --partition=gpu --time=2:00:00   # two hours
#SBATCH --gres=gpu:h100:4 -N 2
#SBATCH -A chemistry
srun python train.py
#SBATCH --time=9-0
"""


def asks(script: str, *typed: str, **variables: str) -> tuple[Request, ...]:
    return submission(script, words([*typed, "x.sh"]), variables, "x.sh").parts


@pytest.mark.parametrize(
    ("typed", "tres"),
    [
        ("", "gres/gpu:h100=8,gres/gpu=8"),  # 4 a node, two nodes
        ("-N1-3", "gres/gpu:h100=12,gres/gpu=12"),
        ("--nodes=1-15:4", "gres/gpu:h100=60,gres/gpu=60"),  # 1, 5, 9 or 13; no more than 15
        ("--gpus=h100:6", "gres/gpu:h100=8,gres/gpu=8"),  # the script's 4 a node hold too
        ("--gres=gpu", "gres/gpu=2"),
        ("--gres=gpu:h100:2,lustre:1", "gres/gpu:h100=4,gres/gpu=4"),
        ("--gres=none", ""),
        ("-w n[1-4]", "gres/gpu:h100=16,gres/gpu=16"),
        ("--gres=shard:3", "gres/shard=6"),
    ],
)
def test_devices(typed: str, tres: str) -> None:
    assert asks(SCRIPT, *typed.split())[0].tres == tres


@pytest.mark.parametrize(
    ("typed", "nodes", "tres"),
    [
        # --gres is a node's; without -N there are no more nodes than tasks
        ("--gres=gpu:1 -n 16 --ntasks-per-node=1", 16, "gres/gpu=16"),
        ("--gres=gpu:1 -n 16 -c 64", 16, "gres/gpu=16"),
        ("--gres=gpu:4 -n 16 --ntasks-per-node=4", 4, "gres/gpu=16"),  # 16 / 4 nodes
        ("--gres=gpu:4 -n 18 --tasks-per-node 4", 5, "gres/gpu=20"),  # 18 / 4, one more begun
        ("--gres=gpu:4 -n 16 --ntasks-per-node=4 -O", 16, "gres/gpu=64"),  # no fewest of a node
        ("--gpus-per-node=2 --ntasks-per-node=8", 1, "gres/gpu=2"),
        ("--gpus-per-task=2 -n 4 -N1-3", 3, "gres/gpu=8"),  # 4 tasks of 2
        ("--gpus-per-task=1 -N 2 --ntasks-per-node=3", 2, "gres/gpu=6"),
        ("-G 8 --gpus-per-task=2", 8, "gres/gpu=8"),  # 8 / 2 = 4 tasks of 2
        ("--gpus=a100:6", 6, "gres/gpu:a100=6,gres/gpu=6"),  # one of each node at least
        ("--gpus a100:2,h100:1", 3, "gres/gpu:a100=2,gres/gpu:h100=1,gres/gpu=3"),
        ("--tres-per-task=gres/gpu:2 -n 3", 3, "gres/gpu=6"),
        ("--tres-per-task=cpu=4,gres/gpu:a100=2 -n 3", 3, "gres/gpu:a100=6,gres/gpu=6"),
        ("--tres-per-node=gres/gpu:2 -N 3", 3, "gres/gpu=6"),
        ("--tres-per-job=gres/gpu:5", 5, "gres/gpu=5"),
        ("-n 8 --ntasks-per-gpu=2", 8, "gres/gpu=4"),  # 8 / 2
        ("--gres=gpu:2 -w n[1-3],n2", 3, "gres/gpu=6"),
        ("--gres=gpu:1 -B 2:4:2", 16, "gres/gpu=16"),  # 2 × 4 × 2 tasks
    ],
)
def test_nodes_and_devices_at_most(typed: str, nodes: int, tres: str) -> None:
    found = asks("", *typed.split())[0]
    assert (found.nodes, found.tres) == (nodes, tres)


def test_what_a_script_asks_for() -> None:
    found = asks(SCRIPT)[0]
    assert (found.seconds, found.partitions, found.account, found.tasks) == (
        7200.0, ("gpu",), "chemistry", 1,
    )  # fmt: skip
    later = asks(SCRIPT, "-t", "30", "--array=0-9%2")[0]
    assert (later.seconds, later.tasks) == (1800.0, 10)
    assert asks(SCRIPT, "-t", "1:30")[0].seconds == 120.0  # to the minute, up
    assert asks("#!/bin/sh\n")[0].seconds is None
    for none in ("UNLIMITED", "0", "0:0", "-1"):
        assert asks(SCRIPT, f"--time={none}")[0].seconds is None
    # sbatch sees a line only at its start
    assert asks("  #SBATCH -N 9\n##SBATCH -N 9\n#SBATCH-N 2\n")[0].nodes == 2
    assert asks("#SBATCH --nodes\n#SBATCH 3 --exclus\n")[0].whole


def test_the_environment_is_between_script_and_command_line() -> None:
    variables = {"SBATCH_TIMELIMIT": "10:00:00", "SBATCH_PARTITION": "dear", "SBATCH_GRES": "gpu:9"}
    found = asks(SCRIPT, **variables)[0]
    assert (found.seconds, found.partitions) == (36000.0, ("dear",))
    assert found.tres == "gres/gpu=18"  # 9 a node, two nodes
    assert asks(SCRIPT, "-t", "60", **variables)[0].seconds == 3600.0
    assert asks(SCRIPT, SBATCH_ARRAY_INX="1-3", SBATCH_EXCLUSIVE="")[0].tasks == 3
    # Slurm holds what is said of the job and of each node: 4 devices by one a node are 4 nodes,
    # whatever tasks may be spread on; 4 by two are 2
    for typed, nodes in (("--gres=gpu:1", 4), ("--gpus-per-node=2", 2)):
        found = asks("", typed, "-n", "16", SBATCH_GPUS="4")[0]
        assert (found.nodes, found.tres) == (nodes, "gres/gpu=4")
    # of another type they are not the same devices, and what is no multiple Slurm refuses
    assert asks("", "--gres=gpu:1", "-n", "16", SBATCH_GPUS="h100:4")[0].nodes == 16
    assert asks("", "--gres=gpu:3", "-N", "2", SBATCH_GPUS="4")[0].tres == "gres/gpu=6"
    assert asks(SCRIPT, SBATCH_EXCLUSIVE="")[0].whole
    assert not asks(SCRIPT, SBATCH_EXCLUSIVE="user")[0].whole
    assert asks(SCRIPT, SLURM_HINT="nomultithread")[0].cores
    assert asks(SCRIPT, SBATCH_CLUSTERS="a", SLURM_CLUSTERS="b")[0].clusters == "b"
    assert asks(SCRIPT, SBATCH_NODES="9", SLURM_NTASKS="9")[0].nodes == 2  # no such input


def test_components_of_a_heterogeneous_job() -> None:
    script = "#SBATCH -N1 --gres=gpu:1\n#SBATCH hetjob\n#SBATCH -N2 --gres=gpu:4\nsrun a\n"
    assert [(one.nodes, one.tres) for one in asks(script)] == [(1, "gres/gpu=1"), (2, "gres/gpu=8")]
    typed = asks("", "-N1", "--gres=gpu:1", ":", "-N3", "-G", "5")
    assert [(one.nodes, one.tres) for one in typed] == [(1, "gres/gpu=1"), (3, "gres/gpu=5")]
    # the last words of the command line hold for all components after them
    assert [one.nodes for one in asks(script, "-N", "4")] == [4, 4]


def test_where_the_run_file_is() -> None:
    for line in (
        "costcalc track --run runs/a.yaml -o x.yaml -- python t.py",
        "srun costcalc track -o x.yaml --run=runs/a.yaml -- python t.py",
        "# costcalc: runs/a.yaml",
    ):
        found = submission(f"#!/bin/sh\n{line}\n", words([]), {})
        assert found.run_file == "runs/a.yaml"


def test_what_cannot_be_read_is_told_together() -> None:
    with pytest.raises(InputError) as error:
        submission("#SBATCH -t soon --array=x -N many --gpus=4:x --gres=gpu:a:b\n", words([]), {},
                   "a.sh")  # fmt: skip
    assert str(error.value) == (
        'a.sh: --nodes: expected a number, 1 or more; got "many"\n'
        'a.sh: --gpus: expected a number such as 4 or h100:4; got "4:x"\n'
        'a.sh: --gres: expected gpu:h100:4; got "gpu:a:b"\n'
        'a.sh: --time: expected a limit such as 90, 2:30:00 or 1-12; got "soon"\n'
        'a.sh: --array: expected indices such as 0-15%4; got "x"\n'
        "5 problems in a.sh"
    )
    for line, told in (
        ("#SBATCH -N 2 gpu", '#SBATCH: expected options; got "gpu"'),
        ("#SBATCH -J 'a", "1: #SBATCH: a quotation mark stands alone: -J 'a"),
    ):
        with pytest.raises(InputError) as error:
            submission(line, words([]), {}, "a.sh")
        assert told in str(error.value)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for variable in [name for name in os.environ if name.startswith(("SBATCH_", "SLURM_"))]:
        monkeypatch.delenv(variable)
    (tmp_path / "fleet.yaml").write_text(FLEET.replace(", plugin: exclusive", ""))
    (tmp_path / "a.sh").write_text(SCRIPT)
    (tmp_path / "run.yaml").write_text(
        "measured: {wall_clock: 3 h}\n"
        "hardware: {accelerator: h100-sxm5-80, count: 8, per_node: 8}\n"
    )
    return tmp_path


AGAIN = ", and as much again if it is requeued"


def quote(capsys: pytest.CaptureFixture[str], *typed: str) -> list[str]:
    assert run(["sbatch", "--dry-run", *typed]) == OK
    return [one.removeprefix("costcalc: ") for one in capsys.readouterr().err.splitlines()]


def test_at_most_by_hand(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    # 8 devices for 2 h at 2 USD
    said = quote(capsys, "a.sh")
    assert said[0] == "asks for 8 × h100-sxm5-80, 2.00 hours"
    assert said[1].startswith("can cost at most: 32.0 USD, ")
    assert ", CO2e up to " in said[1]
    assert said[1].endswith(f"CO2e (95th percentile, no maximum){AGAIN}")
    said = quote(capsys, "--run", "run.yaml", "a.sh")
    # the run file says no price and no place: the cluster's; 24 device-hours at 2 USD
    assert said[2].startswith("run.yaml: estimated at 3.00 hours, 48.0 USD, ")
    assert said[3] == "note: it will not end within its limit: 3.00 hours are estimated"


@pytest.mark.parametrize(
    ("typed", "money"),
    [
        ("-p gpu -t 60 --gres=gpu:1", "2.00"),  # 1 device, 1 h, 2 USD
        ("-p gpu -t 60 --gres=gpu:1 -a 0-999%10", "2,000"),  # a thousand of them
        ("-p gpu -t 60 --gres=gpu:1 : -p dear -t 30 -G 2", "11.0"),  # 2 + 2 × 0.5 h × 9
        ("-p gpu -t 60 --gres=gpu:1 -n 16 --ntasks-per-node=1", "32.0"),  # 16 nodes
        ("-p gpu -t 60 --gres=gpu:1 --exclusive", "8.00"),  # all four of the node
        ("-p gpu -t 60 --exclusive", "8.00"),  # which it holds without asking for one
        ("-p gpu -t 60 --gres=gpu:1 -S 1", "8.00"),  # reserved cores mean the same
        ("-p gpu -t 60 --gpus-per-socket=1 --sockets-per-node=2", "8.00"),
        ("-p own -t 60 --gres=gpu:1", "16.0"),  # nodes of one job at a time: 8 devices
        ("-p gpu,dear -t 60 --gres=gpu:1", "9.00"),
        ("-t 60 --gres=gpu:1", "16.0"),  # whichever is the default: own is dearest, 8 of 2 USD
        ("-p gpu -t 60 --gres=gpu:1 -w n[1-4]", "8.00"),  # 4 nodes
        ("-p gpu -t 60 -A physics --gres=gpu:1", "1.00"),  # the account's own price
        ("-p gpu -t 60 --gres=shard:2", "1.00"),  # half of a device in 4 shards
        ("-p gpu -t 60 --gres=gpu:1,shard:2", "2.00"),  # the device is the larger
        ("-p gpu -t 60 -n 16 -c 64", "5.12"),  # 16 × 64 processors at 0.005
        ("-p gpu -t 60 -n 3 -c 5", "0.0900"),  # 3 tasks of 3 cores of 2 = 18 processors
        ("-p gpu -t 60 -n 3 -c 5 --hint=nomultithread", "0.150"),  # 3 × 5 cores of 2 = 30
        ("-p gpu -t 60 -c 4 --mem=100G", "0.320"),  # memory may take the node's 64
        ("-p gpu -t 60 --mincpus=20", "0.100"),  # 20 of one node
    ],
)
def test_the_most_of_what_slurm_may_give(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    money: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.yaml").write_text(WIDE)
    (tmp_path / "b.sh").write_text("#!/bin/sh\n")
    said = quote(capsys, *typed.split(), "b.sh")
    most = next(one for one in said if one.startswith("can cost"))
    assert most.removeprefix("can cost at most: ").partition(" USD")[0] == money


def test_names_that_fleet_yaml_does_not_know_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A device for an hour at the cluster's 2 USD; by a name that is a typo as by any other."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.yaml").write_text(WIDE)
    (tmp_path / "b.sh").write_text("#!/bin/sh\n")
    said = quote(capsys, "-p", "dere", "-A", "phyiscs", "-t", "60", "--gres=gpu:a100:1", "b.sh")
    assert said[1].startswith("can cost at most: 2.00 USD")
    assert said[2:] == [
        "note: partition dere is not in fleet.yaml (did you mean dear?): it has the cluster's "
        "price",
        "note: account phyiscs is not in fleet.yaml (did you mean physics?): it has its "
        "partition's price",
    ]
    assert len(quote(capsys, "-p", "dear", "-A", "physics", "-t", "60", "-G1", "b.sh")) == 2


WIDE = """
name: c
site: {region: DE, pue: 1.2, grid: 350 gCO2e/kWh}
price: {device_hour: 2 USD}
accounts:
  physics: {price: {device_hour: 1 USD}}
partitions:
  gpu: {accelerator: a100-sxm4-80, per_node: 4, cpus: 64, cpu_hour: 0.005 USD, shards: 4}
  dear: {accelerator: h100-sxm5-80, per_node: 8, price: {device_hour: 9 USD}}
  own: {accelerator: h100-sxm5-80, per_node: 8, plugin: exclusive}
  thin: {cpus: 16, cpu_hour: 0.01 USD}
"""


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("-p gpu --gres=gpu:1", "it has no time limit; give --time"),
        ("-p new -t 9 --exclusive", "it takes whole nodes; give partitions.new.cpus, or per_node"),
        ("-p new -t 9 -n 2", "no accelerator, and no meter: neither its power nor price is known"),
        ("-p new -t 9 --mem=9", "its processors are not bounded; give partitions.new.cpus"),
        ("-p gpu -t 9 --gres=mps:50", "Slurm counts shares of a device (mps) and not how many of "
         "them make one"),
        ("-p gpu -t 9 -G 1 -M far", "it goes to far, which fleet.yaml (name) does not say it is"),
        ("-p gpu -t 9 -G 1 --exclusive=topo",
         "--exclusive=topo takes more than the nodes that it asks for"),
        ("-p gpu -t 9 -G 1 -F nodes.txt", "its nodes are not named in --nodelist itself"),
        ("-p gpu -t 9 -G 1 -w ./nodes", "its nodes are not named in --nodelist itself"),
        ("-p gpu -t 9 -G 1 -w n[1-100001]", "--nodelist names more nodes than can be counted"),
        ("-p gpu -t 9 -G 1 -w n[1-999],m[1-999]r[1-999]",
         "--nodelist names more nodes than can be counted"),
        ("-p gpu -t 9 -G 1 --tres-per-board=gres/gpu:9",
         "--tres-per-board is no option of sbatch that is known here"),
        ("-p gpu -t 9 -G a100:1,h100:1", "several kinds of device in one job: a100, h100"),
        ("-p gpu -t 9 -G 1 : -p gpu -G 1", "it has no time limit; give --time"),
    ],
)  # fmt: skip
def test_what_has_no_bound_is_said_and_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.yaml").write_text(WIDE + "  new: {price: {device_hour: 1 USD}}\n")
    (tmp_path / "b.sh").write_text("#!/bin/sh\n")
    assert f"can cost at most: unknown: {why}" in quote(capsys, *typed.split(), "b.sh")
    assert run(["sbatch", "--max-cost", "9 MUSD", *typed.split(), "b.sh"]) == LIMIT
    refused = capsys.readouterr().err.splitlines()[-1]
    assert refused == f"costcalc: not submitted: --max-cost cannot be judged: {why}"


SMALL = """
name: c
site: {region: DE, pue: 1.2}
price: {device_hour: 2 USD}
partitions:
  gpu: {accelerator: h100-sxm5-80, per_node: 8, nodes: 4, cpus: 64}
  night: {accelerator: h100-sxm5-80, per_node: 8, nodes_of: gpu}
  amd: {accelerator: mi250x, per_node: 4, nodes: 1}
  open: {accelerator: h100-sxm5-80}
"""
OF_GPU = "devices, and gpu has 32 (partitions.gpu.nodes, per_node)"


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("-p gpu --gpus-per-node=8 -N 4", ""),
        ("-p gpu -G 32", ""),
        ("-p gpu --gpus-per-node=9",
         "9 devices a node, and one of gpu has 8 (partitions.gpu.per_node)"),
        ("-p gpu --gres=gpu:h100:9 -n 2",
         "9 devices a node, and one of gpu has 8 (partitions.gpu.per_node)"),
        ("-p gpu -G 33", f"33 {OF_GPU}"),
        ("-p night -G 33",
         "33 devices, and night has 32 (partitions.night.nodes, per_node)"),
        ("-p gpu -n 33 --gpus-per-task=1", f"33 {OF_GPU}"),
        ("-p gpu -N 5 -G 5", "5 nodes, and gpu has 4 (partitions.gpu.nodes)"),
        ("-p gpu -N 2-5 -G 5", ""),  # on two it can
        ("-p gpu -N 2-8:2 -G 5", ""),
        ("-p gpu -c 65", "65 processors a task, and a node of gpu has 64 (partitions.gpu.cpus)"),
        ("-p amd -G 8", ""),  # Slurm counts two dies of each
        ("-p amd -G 9", "9 devices, and amd has 8 (partitions.amd.nodes, per_node)"),
        ("-p gpu,amd -G 16", ""),  # it may run in one of both
        ("-p gpu,amd -G 33",
         f"33 {OF_GPU}; 33 devices, and amd has 8 (partitions.amd.nodes, per_node)"),
        ("-p gpu --gres=gpu:1g.10gb:20", ""),  # seven of a device
        ("-G 33", ""),  # open may have them
        ("-p gpu -G 33 -M far", ""),
        ("-p other -G 999", ""),
        ("-p gpu -G 1 : -p gpu --gpus-per-node=9",
         "9 devices a node, and one of gpu has 8 (partitions.gpu.per_node)"),
    ],
)  # fmt: skip
def test_what_can_never_run_is_said(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    typed: str,
    why: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.yaml").write_text(SMALL)
    (tmp_path / "b.sh").write_text("#!/bin/sh\n#SBATCH -t 60\n")
    assert run(["sbatch", "--dry-run", *typed.split(), "b.sh"]) == (LIMIT if why else OK)
    said = [one for one in capsys.readouterr().err.splitlines() if "never" in one]
    lead = "costcalc: can never run, as fleet.yaml has it: "
    assert said == ([f"{lead}{why}"] if why else [])


def test_slurm_decides_on_what_fleet_yaml_says_can_never_run(here: Path) -> None:
    folder = here / "bin"
    folder.mkdir()
    (folder / "sbatch").write_text("#!/bin/sh\nexit 7\n")
    (folder / "sbatch").chmod(0o755)
    made = subprocess.run(
        [sys.executable, "-m", "costcalc", "sbatch", "--gpus-per-node=9", "a.sh"],
        capture_output=True,
        text=True,
        env={"PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": str(Path(__file__).parents[2])},
        check=False,
    )
    assert made.returncode == 7
    assert made.stderr.splitlines()[-1] == "costcalc: submitted nonetheless: Slurm decides"


def test_other_schedulers_lines_are_read_by_sbatch_too(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "p.sh").write_text("#SBATCH -t 60 -p gpu -G 1\n#PBS -l nodes=9\n")
    assert quote(capsys, "p.sh")[1] == (
        "can cost at most: unknown: sbatch reads its #PBS lines too; give --ignore-pbs"
    )
    assert quote(capsys, "--ignore-pbs", "p.sh")[1].startswith("can cost at most: 2.00 USD, ")


def test_what_was_taken_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "fleet.yaml").write_text(WIDE)
    said = quote(capsys, "-t", "60", "-G", "1", "--exclusive", "--wrap", "true")
    assert said[0] == "asks for 8 × h100-sxm5-80, 1.00 hours"
    assert said[2:] == [
        "note: no partition is said: the dearest, dear, is taken",
        "note: no account is said: one without a price is taken",
        "note: whole nodes are counted, 1 of dear",
    ]


def test_energy_is_that_of_boards_at_their_rating(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What is paid by the kilowatt-hour is bounded too: 8 boards of 700 W for 2 h, and more."""
    (here / "fleet.yaml").write_text(
        FLEET.replace("price: {device_hour: 2 USD}", PAID).replace("pue: {2026-07: 1.5}\n", "")
    )
    most = quote(capsys, "-A", "chemistry", "a.sh")[1]
    kwh = float(most.split(", ")[1].removesuffix(" kWh"))
    assert kwh > 8 * 0.7 * 2 * 1.2  # boards, PUE 1.2; the hosts come on top
    money = float(most.partition(": ")[2].partition(" USD")[0])
    assert money == pytest.approx(kwh * 1.0 + 16 * 0.1, rel=0.05)  # 1 USD/kWh, 0.1 a device-hour


PAID = (
    "price: {owned: {purchase: 876 USD, lifetime: 1 year, utilization: 1}, electricity: 1 USD/kWh}"
)


def test_a_limit_of_money(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sbatch", "--dry-run", "--max-cost", "32 USD", "a.sh"]) == OK
    assert run(["sbatch", "--max-cost", "31USD", "a.sh"]) == LIMIT
    assert capsys.readouterr().err.splitlines()[-1] == (
        "costcalc: not submitted: --max-cost: 32.0 USD at most are more than 31.0 USD"
    )
    for wrong, why in (
        ("31", 'expected an amount of money such as 2.49 USD; got "31", which has no currency'),
        ("31 EUR", "expected USD, as fleet.yaml has it; got EUR"),
    ):  # at once: before the script is looked for, and before anything is said of it
        assert run(["sbatch", "--max-cost", wrong, "none.sh"]) == WRONG_USE
        assert capsys.readouterr().err == f"--max-cost: {why}\n"


def test_a_part_of_a_device_has_three_digits(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "mig.sh").write_text("#SBATCH -p gpu -t 60 -A chemistry --gres=gpu:h100_1g.10gb:3\n")
    assert quote(capsys, "mig.sh")[0].startswith("asks for 0.429 × ")  # 3 / 7


def test_a_limit_in_dollars_is_taken_by_the_rate(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "fleet.yaml").write_text(
        "currency: EUR\nrate: 1.25 USD/EUR\nprice: {device_hour: 2 EUR}\n"
        "partitions: {gpu: {accelerator: h100-sxm5-80, per_node: 8}}\n"
    )
    # 8 devices for 2 h at 2 EUR are 32 EUR, and 40 USD at 1.25
    assert run(["sbatch", "--dry-run", "--max-cost", "40USD", "a.sh"]) == OK
    assert run(["sbatch", "--dry-run", "--max-cost", "39USD", "a.sh"]) == LIMIT
    assert capsys.readouterr().err.splitlines()[-1] == (
        "costcalc: not submitted: --max-cost: 32.0 EUR at most are more than 31.2 EUR"
    )
    assert run(["sbatch", "--dry-run", "--max-cost", "39CHF", "a.sh"]) == WRONG_USE
    assert capsys.readouterr().err == ("--max-cost: expected EUR, as fleet.yaml has it; got CHF\n")


OTHER = """
model: {preset: pythia-160m}
training: {method: pretrain, tokens: 10B, sequence_length: 2048}
hardware: {accelerator: %s, count: %s}
"""


@pytest.mark.parametrize(
    ("device", "count", "has"),
    [("a100-sxm4-40", 8, "8 × a100-sxm4-40"), ("h100-sxm5-80", 4, "4 × h100-sxm5-80")],
)
def test_a_run_file_of_other_devices_is_estimated_on_those_asked_for_too(
    here: Path, capsys: pytest.CaptureFixture[str], device: str, count: int, has: str
) -> None:
    (here / "own.yaml").write_text(OTHER % (device, count))
    (here / "same.yaml").write_text(OTHER % ("h100-sxm5-80", 8))
    (same,) = [one for one in quote(capsys, "--run", "same.yaml", "a.sh") if ": estimated" in one]
    assert "asked for" not in same
    first, second, *notes = quote(capsys, "--run", "own.yaml", "a.sh")[2:]
    assert first.startswith("own.yaml: estimated at ")
    assert first.endswith(f" on {has}, but 8 × h100-sxm5-80 are asked for")
    assert second == same.replace("same.yaml: estimated at", "own.yaml on these:")
    assert notes == []


def test_what_cannot_be_estimated_on_other_devices_is_said(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "run.yaml").write_text(
        "measured: {wall_clock: 3 h}\nhardware: {accelerator: a100-sxm4-40, count: 8}\n"
    )
    first, second = quote(capsys, "--run", "run.yaml", "a.sh")[2:]
    assert first.endswith(" on 8 × a100-sxm4-40, but 8 × h100-sxm5-80 are asked for")
    assert second == "note: on these it is not estimated: it says what was measured on its own"
    # of whole nodes the run may use what is asked for, or all that it gets
    (here / "fleet.yaml").write_text(FLEET)
    for number, shown in (("-G4 -N1", 4), ("-G8 -N1", 8)):
        (here / "run.yaml").write_text(OTHER % ("h100-sxm5-80", shown))
        said = quote(capsys, "--run", "run.yaml", *number.split(), "--gres=none", "a.sh")
        assert not any("asked for" in one for one in said)


def test_wrong_use(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["sbatch", "-p", "gpu", "--dry-run", "a.sh"]) == WRONG_USE
    assert capsys.readouterr().err == "--dry-run: goes before the options of sbatch\n"
    for typed in (["-t", "60"], ["-"], ["-t", "60", "-"]):
        assert run(["sbatch", *typed]) == WRONG_USE
        assert capsys.readouterr().err == "SCRIPT: expected a batch script in a file\n"
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
local parts = { gpu = { flag_default = 1, max_share = 1, max_time = 4294967295 },
                night = { flag_default = 0, max_share = 0, max_time = 90 } }
local job = JOB
job.min_nodes = job.min_nodes or 4294967294
job.max_nodes = job.max_nodes or 4294967294
job.num_tasks = job.num_tasks or 4294967294
job.ntasks_per_node = job.ntasks_per_node or 65534
job.shared = job.shared or 65534
job.core_spec = job.core_spec or 65534
job.time_limit = job.time_limit or 4294967294
print(slurm_job_submit(job, parts, 0))
"""
LUA = shutil.which("lua5.3") or shutil.which("lua")


#: at 1.90 a device-hour, 8 devices a node
SETTINGS = {
    "PRICES": "{ gpu = 1.90, old = 0.70 }", "CURRENCY": '"EUR"',
    "PER_NODE": "{ gpu = 8, old = 4 }", "LIMITS": "{ gpu = 48 * 60 }",
}  # fmt: skip


def plugged(folder: Path, job: str, **settings: str) -> list[str]:
    """What the plugin says of a job, with other settings than it ships with."""
    if LUA is None:
        pytest.skip("no lua here")
    script = text("job_submit.lua")
    for name, value in (SETTINGS | settings).items():
        script, found = re.subn(rf"(?m)^local {name} = .*$", f"local {name} = {value}", script)
        assert found == 1
    (folder / "job_submit.lua").write_text(script)
    (folder / "stub.lua").write_text(STUB.replace("JOB", job))
    made = subprocess.run(
        [LUA, "stub.lua", "job_submit.lua"], cwd=folder, capture_output=True, text=True, check=True
    )
    return made.stdout.splitlines()


@pytest.mark.frameworks
@pytest.mark.parametrize(
    ("job", "money"),
    [
        # at 1.90 a device-hour, 8 devices a node
        ("{partition='gpu', time_limit=120, tres_per_node='gres:gpu:h100:4', max_nodes=2}",
         "30.40"),
        ("{partition='gpu', time_limit=60, tres_per_node='gres/gpu:1'}", "1.90"),
        ("{partition='gpu', time_limit=60, tres_per_node='gres/gpu:1', array_inx='0-999%5'}",
         "1900.00"),
        ("{partition='gpu', time_limit=60, tres_per_node='gres/gpu:1', array_inx='1,3,5-9:2'}",
         "9.50"),  # 5 tasks
        ("{partition='gpu', time_limit=60, tres_per_node='gres/gpu:1', shared=0}", "15.20"),  # 8
        ("{partition='gpu', time_limit=60, shared=0}", "15.20"),
        ("{partition='gpu', time_limit=60, tres_per_node='gres/gpu:1', core_spec=1}", "15.20"),
        ("{partition='gpu', time_limit=60, tres_per_socket='gres/gpu:1'}", "15.20"),
        ("{partition='gpu', time_limit=60, tres_per_node='gres/gpu:1', num_tasks=16, "
         "ntasks_per_node=1}", "30.40"),  # 16 nodes
        ("{partition='gpu', time_limit=60, tres_per_node='gres/gpu:1', num_tasks=16}", "30.40"),
        ("{partition='gpu', time_limit=60, tres_per_node='gres/gpu:4', num_tasks=16, "
         "ntasks_per_node=4}", "30.40"),  # 4 nodes of 4
        ("{partition='gpu', time_limit=60, tres_per_task='gres/gpu:2', num_tasks=3}", "11.40"),
        ("{partition='gpu', time_limit=60, tres_per_job='gres/gpu=2'}", "3.80"),
        ("{partition='gpu', time_limit=60, tres_per_job='gres/gpu=4', num_tasks=16, "
         "tres_per_node='gres/gpu:1'}", "7.60"),  # 4 of the job, on 4 nodes
        ("{partition='gpu', time_limit=60, tres_per_job='gres/gpu:a=4', num_tasks=16, "
         "tres_per_node='gres/gpu:1'}", "30.40"),  # of two kinds: 16 nodes
        ("{partition='gpu', time_limit=60, num_tasks=8, ntasks_per_gpu=2}", "7.60"),  # 4
        ("{partition='gpu', time_limit=60, tres_per_node='gres/gpu:1', min_nodes=4}", "7.60"),  # -w
        ("{partition='old,gpu', time_limit=60, tres_per_node='gres/gpu:1'}", "1.90"),  # not 0.70
        ("{time_limit=60, tres_per_node='gres/gpu:1'}", "1.90"),  # the default is gpu
        ("{partition='gpu', tres_per_node='gres/gpu:1'}", "91.20"),  # 48 h
        ("{partition='gpu', time_limit=60, tres_per_node='gres/gpu:1', account='rich'}", "5.00"),
        ("{partition='gpu', time_limit=60, tres_per_node='gres/gpu:1', default_account='rich'}",
         "5.00"),
        ("{partition='gpu', time_limit=60, tres_per_node='gres/gpu:1', account='x'}", "1.90"),
    ],
)  # fmt: skip
def test_the_plugin_says_the_most(tmp_path: Path, job: str, money: str) -> None:
    settings = {"ACCOUNTS": "{ rich = 5 }"} if "rich" in job or "account='x'" in job else {}
    assert plugged(tmp_path, job, **settings) == [
        f"costcalc: this job can cost at most {money} EUR",
        "0",
    ]


@pytest.mark.frameworks
def test_the_plugin_of_partitions_and_accounts_by_slurm_conf(tmp_path: Path) -> None:
    # OverSubscribe=EXCLUSIVE and MaxTime=90 of slurm.conf: 4 devices for 1.5 h at 2 EUR
    night = {"PRICES": "{ night = 2 }", "PER_NODE": "{ night = 4 }"}
    job = "{partition='night', tres_per_node='gres/gpu:1'}"
    assert plugged(tmp_path, job, **night)[0] == "costcalc: this job can cost at most 12.00 EUR"
    # no account is known: the dearest of all
    job = "{partition='gpu', time_limit=60, tres_per_node='gres/gpu:1'}"
    said = plugged(tmp_path, job, ACCOUNTS="{ rich = 5, poor = 1 }")
    assert said[0] == "costcalc: this job can cost at most 5.00 EUR"
    job = "{partition='gpu', time_limit=60, tres_per_node='gres/gpu:1', het_job_offset=1}"
    assert plugged(tmp_path, job)[0] == (
        "costcalc: component 1 of this job can cost at most 1.90 EUR"
    )


@pytest.mark.frameworks
def test_the_plugin_refuses_what_is_more_or_not_known(tmp_path: Path) -> None:
    assert plugged(tmp_path, "{partition='gpu', time_limit=60}", MOST="1") == ["0"]
    job = "{partition='gpu', time_limit=120, tres_per_node='gres/gpu:8', max_nodes=1}"
    assert plugged(tmp_path, job, MOST="30") == [
        "costcalc: this job can cost at most 30.40 EUR",
        "costcalc: more than 30.00 EUR: ask for less time or fewer devices",
        "-1",
    ]
    for job, why in (
        ("{partition='new', time_limit=60, tres_per_job='gres/gpu=2'}",
         "no price of partition new is known here"),
        ("{partition='gpu', time_limit=4294967295, tres_per_job='gres/gpu=2'}", "give --time"),
        ("{partition='gpu', time_limit=60, tres_per_job='gres/gpu=2', array_inx='x'}",
         "its array cannot be read"),
        ("{partition='gpu', time_limit=60, tres_per_job='gres/gpu=2', shared=4}",
         "--exclusive=topo takes more nodes"),
    ):  # fmt: skip
        told = f"costcalc: what this job can cost is not known: {why}"
        assert plugged(tmp_path, job) == [told, "0"]
        assert plugged(tmp_path, job, MOST="9") == [told, "-1"]


PLUGGED = """
currency: EUR
rate: 1.10 USD/EUR
price: {device_hour: 2 EUR}
accounts: {physics: {}, guests: {price: {device_hour: 3 EUR}}}
partitions:
  gpu-a: {accelerator: h100-sxm5-80, per_node: 8, plugin: exclusive}
  end: {accelerator: mi250x, per_node: 4, price: {device_hour: 5 EUR}}
  odd: {per_node: 4}
  cpu: {cpus: 64, cpu_hour: 0.02 EUR}
"""


def tables(script: str) -> dict[str, str]:
    return dict(re.findall(r"(?m)^local ([A-Z_]+) = (.*)$", script))


def test_the_plugin_has_the_prices_of_fleet_yaml(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    asked = ["fleet", "export", "--file", "job_submit.lua"]
    assert run(asked) == OK
    bare = capsys.readouterr().out
    assert [tables(bare)[n] for n in ("PRICES", "ACCOUNTS", "PER_NODE", "WHOLE", "LIMITS")] == [
        "{}"
    ] * 5
    assert "-- No fleet.yaml with partitions was there: its tables are empty" in bare
    (tmp_path / "fleet.yaml").write_text(PLUGGED)
    assert run(asked) == OK
    script = capsys.readouterr().out
    found = tables(script)
    # of an MI250X Slurm counts the two dies: 2.5 EUR an hour each, eight in a node
    assert found["PRICES"] == '{ ["gpu-a"] = 2, ["end"] = 2.5 }'
    assert found["ACCOUNTS"] == '{ ["guests"] = 3 }'
    assert found["PER_NODE"] == '{ ["gpu-a"] = 8, ["end"] = 8, ["odd"] = 4 }'
    assert (found["WHOLE"], found["LIMITS"]) == ('{ ["gpu-a"] = true }', "{}")
    assert found["CURRENCY"] == '"EUR"'
    assert (
        "-- No price of odd: nothing says which device: give partitions.NAME.accelerator in "
        "fleet.yaml\n"
    ) in script
    assert "@" not in script


def test_a_price_by_the_kilowatt_hour_is_that_of_boards_at_their_rating(tmp_path: Path) -> None:
    paid = PLUGGED.replace("price: {device_hour: 2 EUR}", PAID.replace("USD", "EUR"), 1)
    of = cluster(paid + "site: {pue: 1.2}\n", tmp_path)
    price = float(re.findall(r'"gpu-a"\] = ([\d.]+)', filled(text("job_submit.lua"), of))[0])
    # 0.1 EUR of the device, 0.7 kW of the board with the PUE of 1.2, and its part of the host
    assert 0.1 + 0.84 < price < 0.1 + 2 * 0.84


SCONTROL = r"""#!/bin/sh
case " $* " in *" -o "*) s=' ' ;; *) s='\n   ' ;; esac
printf "JobId=7 JobName=x${s}StdIn=/dev/null${s}StdOut=%s/my out/slurm 7.out${s}Power=\n" "$PWD"
"""


def test_the_epilog_writes_into_the_output_whatever_its_path(tmp_path: Path) -> None:
    fake = {"scontrol": SCONTROL, "sacct": "#!/bin/sh\necho 2026-10-05T15:00:00\n",
            "runuser": '#!/bin/sh\nshift 3\nexec "$@"\n',
            "costcalc": '#!/bin/sh\n[ "$2" = import ] || echo "what it came to"\n'}  # fmt: skip
    (tmp_path / "bin").mkdir()
    for name, script in fake.items():
        (tmp_path / "bin" / name).write_text(script)
        (tmp_path / "bin" / name).chmod(0o755)
    output = tmp_path / "my out" / "slurm 7.out"
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    # the script does not wait for what it has begun; this one does, for its end to be looked at
    waiting = text("epilog.sh").replace("\nexit 0", "\nwait")
    env = {"PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin", "SLURM_JOB_ID": "7", "SLURM_JOB_USER": user}
    for folder in (False, True):  # no file is made where the job's own is not to be seen
        if folder:
            output.parent.mkdir()
            output.write_text("its own words\n")
        subprocess.run(["bash", "-c", waiting], env=env, cwd=tmp_path, check=True, timeout=60)
    assert output.read_text() == "its own words\n\nwhat it came to\n"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["bin", "my out"]


def test_the_epilog_is_a_script() -> None:
    subprocess.run(["bash", "-n"], input=text("epilog.sh"), text=True, check=True)
