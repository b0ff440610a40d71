"""Two jobs on one device: each has its own share, and both together no more than there is."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path

import pytest

from costcalc.tracking import neighbours
from costcalc.tracking.detect import HostShare
from costcalc.tracking.holders import computing
from costcalc.tracking.neighbours import Neighbours
from costcalc.tracking.records import Device, Place
from costcalc.tracking.sharing import Sharing, Users, of_the_job, split

GPU = Device(uuid="GPU-0", name="H100")
HOST = HostShare(name="h", cpu="c", cores=frozenset({0}), all_cores=1, allotted=1.0)


@pytest.fixture(autouse=True)
def processes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Jobs of these tests are processes of their own, though they are made in one."""
    monkeypatch.setattr(neighbours, "process", lambda: uuid.uuid4().hex)


def users(busy: dict[int, float] | None = None, **memory: int | None) -> Callable[[], Users]:
    held = {int(name[1:]): bytes_ for name, bytes_ in memory.items()}
    return lambda: Users(memory=held, busy=busy or {})


@pytest.mark.parametrize(
    ("busy", "memory", "share", "how"),
    [
        # by what each computed: 30 of 40 per cent, whatever the memory
        ({1: 30.0, 2: 10.0}, {1: 10, 2: 90}, 0.75, "what each computed"),
        ({2: 50.0}, {1: 10, 2: 90}, 0.0, "what each computed"),
        ({}, {1: 10, 2: 90}, 0.1, "the memory that each holds"),
        ({}, {1: None, 2: 90, 3: 10}, 1 / 3, "their number"),
        ({}, {1: 0, 2: 0}, 0.5, "their number"),
    ],
)
def test_a_device_is_split_by_the_best_that_is_known(
    busy: dict[int, float], memory: dict[int, int | None], share: float, how: str
) -> None:
    assert split(Users(memory=memory, busy=busy), {1}) == (pytest.approx(share), how)


def test_a_share_of_a_neighbour_is_said_and_stands_beside() -> None:
    notes: list[str] = []
    sharing = Sharing(lambda pid: pid == 1, None, notes.append)
    assert sharing.of(GPU, users({1: 30.0, 2: 10.0}, p1=1, p2=1)) == (0.75, 0.25)
    assert notes == [
        "other processes compute on device 0 too: its energy is split by what each computed"
    ]


def test_a_device_of_our_own_is_all_ours_and_nothing_is_said() -> None:
    notes: list[str] = []
    sharing = Sharing(lambda pid: pid < 3, None, notes.append)
    assert sharing.of(GPU, users(p1=1, p2=1)) == (1.0, 0.0)
    assert sharing.of(GPU, users()) == (1.0, 0.0)  # nobody computes on it: we hold it
    assert notes == []


def test_processes_of_which_none_is_ours_leave_a_device_whole_and_in_doubt() -> None:
    """Nothing of ours computes: what the device drew is counted, and may be all another's."""
    notes: list[str] = []
    sharing = Sharing(lambda _: False, None, notes.append)
    assert sharing.of(GPU, users(p7=1, p8=1)) == (1.0, 0.0)
    assert sharing.unsure(GPU) == 1.0
    assert notes == [
        "2 processes compute on device 0 and none is known to be this job's: its energy counts, "
        "and may be another's"
    ]
    sharing.of(GPU, users())
    assert sharing.unsure(GPU) == 0.0


@pytest.mark.parametrize(
    ("mine", "memory", "share"),
    [
        (1, {"p7": 1, "p8": 1}, (0.5, 0.5)),  # the driver lists the host's numbers: one of two
        (2, {"p7": 1, "p8": 1, "p9": 1}, (2 / 3, 1 / 3)),
        (2, {"p7": 1, "p8": 1}, (1.0, 0.0)),  # as many as ours
        (1, {"p7": 1}, (1.0, 0.0)),
    ],
)
def test_a_container_that_hides_whose_processes_they_are_splits_by_number(
    mine: int, memory: dict[str, int | None], share: tuple[float, float]
) -> None:
    notes: list[str] = []
    sharing = Sharing(lambda _: False, None, notes.append, lambda: mine)
    assert sharing.of(GPU, users(None, **memory)) == pytest.approx(share)
    assert sharing.unsure(GPU) == 0.0
    said = [
        f"{len(memory)} processes compute on device 0, {mine} of them this job's, and a container "
        "hides which: its energy is split by their number"
    ]
    assert notes == (said if share[1] else [])


def test_a_container_that_lists_only_its_own_hears_of_others_by_what_they_compute() -> None:
    """Newer drivers list our number in our namespace, and utilization by those of the host."""
    notes: list[str] = []
    sharing = Sharing(lambda pid: pid == 1, None, notes.append, lambda: 1)
    assert sharing.of(GPU, users({645400: 30.0, 645999: 10.0}, p1=None)) == (0.5, 0.5)
    assert sharing.of(GPU, users({645400: 30.0, 645999: 0.0}, p1=None)) == (1.0, 0.0)
    assert len(notes) == 1
    # without a container the numbers are ours: 645999 has ended since
    known = Sharing(lambda pid: pid == 1, None, notes.append)
    assert known.of(GPU, users({1: 30.0, 645999: 10.0}, p1=None)) == (1.0, 0.0)
    # numbers of two namespaces say nothing of each other: by memory
    assert split(Users(memory={1: 10, 2: 30}, busy={645400: 30.0}), {1})[0] == 0.25


def process(proc: Path, pid: int, parent: int, command: str, *files: str) -> None:
    folder = proc / str(pid) / "fd"
    folder.mkdir(parents=True)
    for number, file in enumerate(files):
        (folder / str(number)).symlink_to(file)
    (folder.parent / "stat").write_text(f"{pid} (p) S {parent} 1 1 0")
    (folder.parent / "cmdline").write_text(command)


def test_who_computes_holds_the_drivers_file_and_was_not_forked_with_it(tmp_path: Path) -> None:
    (tmp_path / "self" / "ns").mkdir(parents=True)
    (tmp_path / "self" / "ns" / "pid").symlink_to("pid:[4026532001]")
    process(tmp_path, 10, 1, "python train.py", "/dev/null", "/dev/nvidia-uvm")
    process(tmp_path, 11, 10, "python train.py", "/dev/null", "/dev/nvidia-uvm")  # a loader
    process(tmp_path, 12, 10, "python -c spawned", "/dev/nvidia-uvm")
    process(tmp_path, 13, 10, "python train.py", "/dev/nvidiactl")  # asks NVML alone
    process(tmp_path, 14, 1, "python other.py", "/dev/nvidia-uvm")  # another's
    assert computing(lambda pid: pid != 14, proc=tmp_path) == 2
    (tmp_path / "self" / "ns" / "pid").unlink()
    (tmp_path / "self" / "ns" / "pid").symlink_to("pid:[4026531836]")  # the machine's own
    assert computing(lambda pid: True, proc=tmp_path) is None
    assert computing(lambda pid: True, proc=tmp_path / "none") is None


def test_a_driver_that_does_not_say_who_computes() -> None:
    def fails() -> Users:
        raise RuntimeError("Not Supported")

    notes: list[str] = []
    assert Sharing(lambda _: True, None, notes.append).of(GPU, fails) == (1.0, 0.0)
    assert notes == ["who uses device 0 is not known: RuntimeError"]


def test_a_slice_is_its_share_and_the_rest_is_no_neighbours() -> None:
    half = Device(uuid="GPU-0", name="H100", share=0.5)
    sharing = Sharing(lambda pid: pid == 1, None, list[str]().append)
    assert sharing.of(half, users(p1=1, p2=3)) == (0.5, 0.0)


# --- jobs that tell each other --------------------------------------------------------------------


def jobs(folder: Path, *names: str) -> list[Neighbours]:
    made = [Neighbours(name, "b", HOST, folder=folder) for name in names]
    for each in made:
        each.holds(["GPU-0", "GPU-1"])
        each.share()
    return made


def test_jobs_that_hold_a_device_have_equal_parts_where_nobody_says_more(tmp_path: Path) -> None:
    one, two = jobs(tmp_path, "a", "b")
    notes: list[str] = []
    sharing = Sharing(lambda _: False, one, notes.append)
    assert sharing.of(GPU, users(p7=1)) == (0.5, 0.5)
    assert two.device_share("GPU-0") == 0.5
    assert notes == [
        "other jobs hold device 0 too: its energy is split evenly between the jobs that track"
    ]
    two.leave()
    assert sharing.of(GPU, users(p7=1)) == (1.0, 0.0)


def test_a_device_on_which_nobody_computes_is_of_all_that_hold_it(tmp_path: Path) -> None:
    one, _ = jobs(tmp_path, "a", "b")
    sharing = Sharing(lambda pid: pid == 1, one, list[str]().append)
    assert sharing.of(GPU, users()) == (0.5, 0.5)
    assert sharing.of(GPU, users(p1=1)) == (1.0, 0.0)  # now we do, and nobody else


def test_a_device_is_that_jobs_which_is_seen_to_compute_on_it(tmp_path: Path) -> None:
    """Both may use both devices; each computes on one."""
    one, two = jobs(tmp_path, "a", "b")
    other = Device(uuid="GPU-1", name="H100", index=1)
    first = Sharing(lambda pid: pid == 1, one, list[str]().append)
    second = Sharing(lambda pid: pid == 2, two, list[str]().append)
    for _ in range(2):  # with the second reading both know of each other
        seen = [
            (first.of(GPU, users(p1=1))[0], second.of(GPU, users(p1=1))[0]),
            (first.of(other, users(p2=1))[0], second.of(other, users(p2=1))[0]),
        ]
    assert seen == [(1.0, 0.0), (0.0, 1.0)]


def test_what_neighbours_take_of_a_host_stands_beside(tmp_path: Path) -> None:
    one, _ = jobs(tmp_path, "a", "b")
    assert one.split() == (0.5, 0.5)


# --- whose a process is ---------------------------------------------------------------------------


def test_our_children_are_ours_and_strangers_are_not() -> None:
    ours = of_the_job(Place())
    assert ours(os.getpid())
    code = (
        "import subprocess, sys; print(subprocess.Popen(['sleep', '30']).pid); sys.stdout.flush()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code + "; input()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout
        grandchild = int(child.stdout.readline())
        assert ours(child.pid)
        assert ours(grandchild)
        os.kill(grandchild, 15)
        child.communicate("\n")
    assert not ours(os.getppid())
    assert not ours(2**22 + 1)  # nobody


def test_the_ranks_of_one_launcher_are_one_jobs(tmp_path: Path) -> None:
    """A sibling is ours where a launcher began several ranks, and a stranger of a shell's."""
    sibling = tmp_path / "77"
    sibling.mkdir()
    (sibling / "stat").write_text(f"77 (py (x) thon) S {os.getppid()} 1 1 0")
    alone = of_the_job(Place(), proc=tmp_path)
    launched = of_the_job(Place(world=2, local_world=2), proc=tmp_path)
    assert (alone(77), launched(77)) == (False, os.getppid() > 1)


def descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no list of descriptors here")
def test_a_full_disk_for_the_signs_leaks_no_descriptors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each interval of a month tries again; a process may have 1,024 descriptors."""

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    job = Neighbours("a", "b", HOST, folder=tmp_path)
    before = descriptors()
    with monkeypatch.context() as disk:
        disk.setattr(neighbours.os, "write", full)
        for _ in range(5):
            assert job.share() == HOST.share
        assert descriptors() == before
    assert list(tmp_path.rglob("*.json")) == []
    job.share()  # there is room again
    assert len(list(tmp_path.rglob("*.json"))) == 1
    job.leave()
    assert descriptors() == before


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no list of descriptors here")
def test_a_sign_that_cannot_be_taken_away_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError

    job = Neighbours("a", "b", HOST, folder=tmp_path)
    before = descriptors()
    job.share()
    monkeypatch.setattr(Path, "unlink", refused)
    job.leave()
    assert descriptors() == before


def test_what_is_said_as_the_job_leaves_goes_into_no_other_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A driver's thread tells of a device, and the sign is gone before it comes to write."""
    job = Neighbours("a", "b", HOST, folder=tmp_path)
    job.share()
    write = job._write
    numbers = [job._held]

    def late() -> None:
        job.leave()
        numbers.append(os.open(tmp_path / "of the user", os.O_RDWR | os.O_CREAT))
        write()

    monkeypatch.setattr(job, "_write", late)
    job.uses("GPU-0")
    held, users_own = numbers
    os.close(users_own)
    assert users_own == held  # the first that was free
    assert (tmp_path / "of the user").read_bytes() == b""
