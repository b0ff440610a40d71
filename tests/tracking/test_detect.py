"""Cores, devices and neighbours: two jobs on a node never claim more than the node."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from costcalc.tracking.detect import Host, Neighbours, host, of_the_job, visible
from costcalc.tracking.records import Device, Place

EIGHT = tuple(Device(uuid=f"GPU-{n}", name="H100", index=n) for n in range(8))


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


def cores(*held: int, of: int = 8) -> Host:
    return Host(name="h", cpu="c", cores=frozenset(held), all_cores=of, allotted=float(len(held)))


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


def test_ranks_of_one_job_are_no_neighbours(tmp_path: Path) -> None:
    one = Neighbours("a", "b", cores(*range(8)), folder=tmp_path)
    other = Neighbours("a", "b", cores(*range(8)), folder=tmp_path)
    one.share()
    assert other.share() == 1.0


def test_a_folder_that_cannot_be_made_leaves_a_job_alone() -> None:
    assert Neighbours("a", "b", cores(0), folder=Path("/proc/none")).share() == 1 / 8


def test_slurms_allocation_counts_beside_a_tasks_binding() -> None:
    found = host({"SLURM_JOB_ID": "1", "SLURM_CPUS_ON_NODE": "1"})
    assert 0 < found.share <= 1
    assert found.cpu
