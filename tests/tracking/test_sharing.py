"""Two jobs on one device: each has its own share, and both together no more than there is."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from costcalc.tracking.detect import HostShare
from costcalc.tracking.neighbours import Neighbours
from costcalc.tracking.records import Device, Place
from costcalc.tracking.sharing import Sharing, Users, of_the_job, split

GPU = Device(uuid="GPU-0", name="H100")
HOST = HostShare(name="h", cpu="c", cores=frozenset({0}), all_cores=1, allotted=1.0)


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


def test_processes_that_cannot_be_told_apart_leave_a_device_whole() -> None:
    """In a container the driver names processes as the host does: none looks like ours."""
    sharing = Sharing(lambda _: False, None, list[str]().append)
    assert sharing.of(GPU, users(p7=1, p8=1)) == (1.0, 0.0)


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
