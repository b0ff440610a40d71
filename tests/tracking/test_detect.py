"""Cores, devices and neighbours: two jobs on a node never claim more than the node."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.tracking import detect, neighbours
from costcalc.tracking.detect import HostShare, host, of_the_job, visible
from costcalc.tracking.neighbours import Neighbours
from costcalc.tracking.records import Device, Place

EIGHT = tuple(Device(uuid=f"GPU-{n}", name="H100", index=n) for n in range(8))


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of these tests are processes of their own, though they are made in one."""
    monkeypatch.setattr(neighbours, "process", lambda: uuid.uuid4().hex)


@pytest.mark.parametrize(
    ("env", "indexes"),
    [
        ({}, range(8)),
        ({"CUDA_VISIBLE_DEVICES": "3,1"}, (3, 1)),
        ({"CUDA_VISIBLE_DEVICES": " 0 , 2 "}, (0, 2)),
        ({"CUDA_VISIBLE_DEVICES": "0,9,1"}, (0,)),  # ends at the first that is none
        ({"CUDA_VISIBLE_DEVICES": ""}, ()),
        ({"CUDA_VISIBLE_DEVICES": "NoDevFiles"}, ()),
        ({"HIP_VISIBLE_DEVICES": "4"}, (4,)),
        ({"ROCR_VISIBLE_DEVICES": "GPU-5"}, (5,)),
    ],
)
def test_visible_devices(env: dict[str, str], indexes: tuple[int, ...]) -> None:
    assert [device.index for device in visible(EIGHT, env)] == list(indexes)


def test_fewer_ranks_than_devices_use_one_each() -> None:
    assert len(of_the_job(EIGHT, Place(world=4, local_world=4))) == 4
    assert len(of_the_job(EIGHT, Place())) == 8


def cores(*held: int, of: int = 8) -> HostShare:
    return HostShare(
        name="h", cpu="c", cores=frozenset(held), all_cores=of, allotted=float(len(held))
    )


def test_a_job_alone_has_its_share_of_the_cores(tmp_path: Path) -> None:
    assert Neighbours("a", "b", cores(0, 1), folder=tmp_path).share() == 0.25


def test_shared_cores_are_split_and_given_back(tmp_path: Path) -> None:
    one = Neighbours("a", "b", cores(*range(8)), folder=tmp_path)
    two = Neighbours("c", "b", cores(*range(8)), folder=tmp_path)
    assert one.share() == 1.0
    assert two.share() == 0.5
    assert one.share() == 0.5
    two.leave()
    assert one.share() == 1.0
    one.leave()
    assert list(tmp_path.iterdir()) == []


@given(st.lists(st.frozensets(st.integers(0, 7), min_size=1), min_size=1, max_size=5))
def test_jobs_never_claim_more_than_the_node(
    tmp_path_factory: pytest.TempPathFactory, held: list[frozenset[int]]
) -> None:
    folder = tmp_path_factory.mktemp("node")
    jobs = [Neighbours(f"job{n}", "b", cores(*c), folder=folder) for n, c in enumerate(held)]
    for job in jobs:
        job.share()
    assert sum(job.share() for job in jobs) <= 1.0 + 1e-9
    for job in jobs:
        job.leave()


def test_ranks_of_one_job_are_no_neighbours(tmp_path: Path) -> None:
    one = Neighbours("a", "b", cores(*range(8)), folder=tmp_path)
    other = Neighbours("a", "b", cores(*range(8)), folder=tmp_path)
    one.share()
    assert other.share() == 1.0


def test_trainings_of_one_wrapper_split_what_it_has(tmp_path: Path) -> None:
    """The wrapper has the node, two trainings half each; beside another job half and quarters."""

    def job(name: str, training: str = "") -> Neighbours:
        made = Neighbours(name, "b", cores(*range(8)), training=training, folder=tmp_path)
        made.holds(["GPU-0"])
        made.share()
        return made

    def parts(*jobs: Neighbours) -> list[float]:
        return [each.share() for each in jobs] + [each.device_share("GPU-0") for each in jobs]

    wrapper, one, two = job("a"), job("a", "/one.yaml"), job("a", "/two.yaml")
    rank = job("a", "/one.yaml")
    assert parts(wrapper, one, rank, two) == [1.0, 0.5, 0.5, 0.5] * 2
    other = job("c")
    assert parts(wrapper, one, two, other) == [0.5, 0.25, 0.25, 0.5] * 2
    two.leave()
    assert parts(one, other) == [0.5, 0.5] * 2


def test_a_folder_that_cannot_be_made_leaves_a_job_alone() -> None:
    assert Neighbours("a", "b", cores(0), folder=Path("/proc/none")).share() == 1 / 8


def test_slurms_allocation_counts_beside_a_tasks_binding() -> None:
    found = host({"SLURM_JOB_ID": "1", "SLURM_CPUS_ON_NODE": "1"})
    assert 0 < found.share <= 1
    assert found.cpu


SLURM = {"SLURM_JOB_ID": "1"}


@pytest.mark.parametrize(
    ("bound", "env", "quota", "allotted"),
    [
        (4, {}, None, 4.0),
        (4, {"SLURM_CPUS_ON_NODE": "6"}, None, 4.0),  # a variable of no job
        (
            4,
            {**SLURM, "SLURM_CPUS_ON_NODE": "6"},
            None,
            6.0,
        ),  # a task is bound to some of the job's
        (4, {**SLURM, "SLURM_CPUS_ON_NODE": "2"}, None, 4.0),
        (8, {**SLURM, "SLURM_CPUS_ON_NODE": "2"}, None, 2.0),  # bound to nothing: Slurm says
        (8, {}, "max 100000", 8.0),
        (8, {}, "150000 100000", 1.5),  # 1.5 cores: 150 ms of CPU in each 100 ms
        (1, {}, "400000 100000", 1.0),  # a quota above what it is bound to gives nothing
        (8, {}, "torn", 8.0),
    ],
)
def test_the_cores_of_a_job(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    bound: int,
    env: dict[str, str],
    quota: str | None,
    allotted: float,
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(bound)), raising=False)
    monkeypatch.setattr(detect, "_CGROUPS", tmp_path)
    monkeypatch.setattr(detect, "_OWN", tmp_path / "none")
    if quota is not None:
        (tmp_path / "cpu.max").write_text(quota)
    found = host(env)
    assert (found.all_cores, found.cores) == (8, frozenset(range(bound)))
    assert found.allotted == allotted
    assert found.share == allotted / 8


@pytest.mark.parametrize(
    ("own", "files", "cores"),
    [
        # Slurm, systemd-run and Kubernetes nest: the bound may be above the process's own group.
        (
            "0::/system.slice/slurmstepd.scope/job_7/step_0\n",
            {"system.slice/slurmstepd.scope/job_7/cpu.max": "400000 100000\n"},
            4.0,
        ),
        (
            "0::/kubepods.slice/pod1/box\n",
            {
                "kubepods.slice/cpu.max": "max 100000\n",
                "kubepods.slice/pod1/cpu.max": "600000 100000\n",
                "kubepods.slice/pod1/box/cpu.max": "250000 100000\n",
            },
            2.5,
        ),
        # version 1: a mount a controller, -1 where there is no bound
        (
            "12:memory:/a\n4:cpu,cpuacct:/slurm/job_7\n",
            {
                "cpu,cpuacct/slurm/job_7/cpu.cfs_quota_us": "-1\n",
                "cpu,cpuacct/slurm/job_7/cpu.cfs_period_us": "100000\n",
                "cpu,cpuacct/slurm/cpu.cfs_quota_us": "150000\n",
                "cpu,cpuacct/slurm/cpu.cfs_period_us": "50000\n",
            },
            3.0,
        ),
        ("0::/none\n", {}, None),
        ("no such line\n\n0::/a\n", {"a/cpu.max": "50000 100000\n"}, 0.5),
        ("0::/torn\n", {"torn/cpu.max": "100000 0\n", "cpu.max": "words\n"}, None),
    ],
)
def test_quotas_of_nested_groups_count(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    own: str,
    files: dict[str, str],
    cores: float | None,
) -> None:
    (tmp_path / "own").write_text(own)
    for name, text in files.items():
        path = tmp_path / "fs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(detect, "_CGROUPS", tmp_path / "fs")
    monkeypatch.setattr(detect, "_OWN", tmp_path / "own")
    assert detect._quota() == cores


def test_a_machine_without_affinity_has_all_its_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    found = host({})
    assert (found.all_cores, found.cores) == (1, frozenset({0}))


def test_neighbours_are_those_that_live_however_old_their_sign(tmp_path: Path) -> None:
    """A job that is killed takes its share with it; one that is silent for hours does not."""
    code = (
        "import sys, time; from pathlib import Path\n"
        "from costcalc.tracking.detect import HostShare\n"
        "from costcalc.tracking.neighbours import Neighbours\n"
        "eight = frozenset(range(8))\n"
        "host = HostShare(name='h', cpu='c', cores=eight, all_cores=8, allotted=8.0)\n"
        "Neighbours('other', 'b', host, folder=Path(sys.argv[1])).share()\n"
        "print('there', flush=True); time.sleep(60)\n"
    )
    mine = Neighbours("mine", "b", cores(*range(8)), folder=tmp_path)
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout
        assert child.stdout.readline() == "there\n"
        for path in tmp_path.rglob("*.json"):
            os.utime(path, (0, 0))
        assert mine.share() == 0.5
        child.kill()
        child.wait()
    assert mine.share() == 1.0


def test_no_temporary_folder_is_no_reason_to_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> str:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(neighbours.tempfile, "gettempdir", none)
    alone = Neighbours("a", "b", cores(0))
    assert alone.share() == 1 / 8
    alone.leave()


def test_other_users_leave_their_signs_too(tmp_path: Path) -> None:
    Neighbours("a", "b", cores(0), folder=tmp_path).share()
    (folder,) = tmp_path.iterdir()
    assert folder.stat().st_mode & 0o7777 == 0o1777


@pytest.mark.parametrize(
    ("slices", "share"),
    [((3,), 3 / 7), ((3, 2), 5 / 7), ((4, 4), 1.0), ((8,), 1.0)],  # of seven, all at the most
)
def test_slices_of_a_device_are_so_much_of_it_together(
    monkeypatch: pytest.MonkeyPatch, slices: tuple[int, ...], share: float
) -> None:
    nvml = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetHandleByUUID=lambda word: int(word.partition("-")[2]),
        nvmlDeviceGetDeviceHandleFromMigDeviceHandle=lambda part: part,
        nvmlDeviceGetUUID=lambda whole: b"GPU-5",
        nvmlDeviceGetAttributes=lambda part: SimpleNamespace(gpuInstanceSliceCount=part),
    )
    monkeypatch.setitem(sys.modules, "pynvml", nvml)  # type: ignore[arg-type]
    words = ",".join(f"MIG-{number}" for number in slices)
    (found,) = visible(EIGHT, {"CUDA_VISIBLE_DEVICES": words})
    assert (found.index, found.share) == (5, pytest.approx(share))
    assert visible(EIGHT[:5], {"CUDA_VISIBLE_DEVICES": words}) == ()  # of a device unseen


def test_as_many_ranks_as_devices_use_them_all() -> None:
    assert of_the_job(EIGHT, Place(world=8, local_world=8)) == EIGHT
    assert of_the_job(EIGHT, Place(world=16, local_world=16)) == EIGHT
    assert of_the_job(EIGHT, Place(world=2, local_world=2)) == EIGHT[:2]


def test_a_tracker_within_a_tracker_takes_nothing_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A callback's within the one around a whole script, each under a job's name of its own."""
    monkeypatch.setattr(neighbours, "process", lambda: "this one")
    outer = Neighbours("outer", "b", cores(*range(8)), folder=tmp_path)
    inner = Neighbours("inner", "b", cores(*range(8)), folder=tmp_path)
    for each in (outer, inner):
        each.holds(["GPU-0"])
        each.share()
    assert (outer.share(), inner.share()) == (1.0, 1.0)
    assert (outer.device_share("GPU-0"), inner.device_share("GPU-0")) == (1.0, 1.0)


def test_a_process_is_told_from_its_forks() -> None:
    code = (
        "import os\n"
        "from costcalc.tracking.neighbours import process\n"
        "mine, (read, write) = process(), os.pipe()\n"
        "if os.fork() == 0: os.write(write, process().encode()); os._exit(0)\n"
        "print(mine == process(), os.read(read, 99).decode() != mine)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "True True\n"
