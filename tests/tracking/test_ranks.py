"""Where a process stands: the variables that launchers set, as their manuals list them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.tracking.ranks import detect

# torchrun (https://docs.pytorch.org/docs/stable/elastic/run.html): 2 nodes of 4, the 2nd of node 1.
TORCHRUN = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "GROUP_RANK": "1",
    "GROUP_WORLD_SIZE": "2",
    "MASTER_ADDR": "n0",
    "MASTER_PORT": "29500",
    "TORCHELASTIC_RESTART_COUNT": "0",
    "TORCHELASTIC_RUN_ID": "none",
}
# srun(1), output environment variables.
SLURM = {
    "SLURM_JOB_ID": "42",
    "SLURM_STEP_ID": "0",
    "SLURM_PROCID": "6",
    "SLURM_NTASKS": "8",
    "SLURM_LOCALID": "2",
    "SLURM_NODEID": "1",
    "SLURM_NNODES": "4",
    "SLURM_STEP_NUM_NODES": "2",
}
# sbatch: set in the batch script though no task was launched.
BATCH = {
    "SLURM_JOB_ID": "42",
    "SLURM_PROCID": "0",
    "SLURM_NTASKS": "8",
    "SLURM_LOCALID": "0",
    "SLURM_NODEID": "0",
    "SLURM_NNODES": "2",
}
OPEN_MPI = {
    "OMPI_COMM_WORLD_RANK": "2",
    "OMPI_COMM_WORLD_SIZE": "4",
    "OMPI_COMM_WORLD_LOCAL_RANK": "0",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2",
}

# environment -> rank, local rank, world, node, nodes, source
PLACES: list[tuple[dict[str, str], tuple[Any, ...]]] = [
    ({}, (0, 0, 1, 0, 1, "none: a process of its own")),
    (TORCHRUN, (5, 1, 8, 1, 2, "torchrun")),
    (SLURM, (6, 2, 8, 1, 2, "Slurm")),
    (BATCH, (0, 0, 1, 0, 1, "none: a process of its own")),
    (OPEN_MPI, (2, 0, 4, None, 2, "Open MPI")),
    ({**SLURM, **TORCHRUN}, (5, 1, 8, 1, 2, "torchrun")),  # srun started torchrun on each node
    ({**SLURM, **OPEN_MPI}, (2, 0, 4, 1, 4, "Open MPI")),
    ({"RANK": "9", "WORLD_SIZE": "4"}, (0, 0, 1, 0, 1, "none: a process of its own")),  # torn
    ({"RANK": "one", "WORLD_SIZE": "4"}, (0, 0, 1, 0, 1, "none: a process of its own")),
    ({"PMI_RANK": "1", "PMI_SIZE": "2"}, (1, 0, 2, None, None, "PMI")),
    # The launcher's own number of the node is nearer than the scheduler's.
    ({**SLURM, **TORCHRUN, "SLURM_NODEID": "3"}, (5, 1, 8, 1, 2, "torchrun")),
    # PMI says no node, and Slurm's step does.
    ({"PMI_RANK": "1", "PMI_SIZE": "2", "SLURM_NODEID": "1"}, (1, 0, 2, 1, None, "PMI")),
    # A process alone is on the node that it is told, else on the first of one.
    ({"PMI_RANK": "0", "PMI_SIZE": "1", "SLURM_NODEID": "2"}, (0, 0, 1, 2, 1, "PMI")),
    # 4 ranks, 4 a node: one node, the first; 9 ranks, 4 a node: three nodes, rounded up.
    ({"RANK": "2", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4"}, (2, 0, 4, 0, 1, "torchrun")),
    ({"RANK": "2", "WORLD_SIZE": "9", "LOCAL_WORLD_SIZE": "4"}, (2, 0, 9, None, 3, "torchrun")),
    # A rank is below the world's size.
    ({"RANK": "4", "WORLD_SIZE": "4"}, (0, 0, 1, 0, 1, "none: a process of its own")),
    ({"RANK": "3", "WORLD_SIZE": "4"}, (3, 0, 4, None, None, "torchrun")),
]


@pytest.mark.parametrize(("env", "expected"), PLACES)
def test_places(env: dict[str, str], expected: tuple[Any, ...]) -> None:
    found = detect(env, {})
    assert (
        found.rank,
        found.local_rank,
        found.world,
        found.node,
        found.nodes,
        found.source,
    ) == expected


JOBS: list[tuple[dict[str, str], str]] = [
    ({**SLURM, "COSTCALC_JOB": "mine"}, "mine"),
    (SLURM, "slurm:42"),
    ({**SLURM, "SLURM_ARRAY_JOB_ID": "40", "SLURM_ARRAY_TASK_ID": "3"}, "slurm:40_3"),
    ({**SLURM, "SLURM_ARRAY_JOB_ID": "40"}, "slurm:42"),  # half of an array's name is none
    ({**TORCHRUN, "TORCHELASTIC_RUN_ID": "exp7"}, "torchrun:exp7"),
    (TORCHRUN, "meeting:n0:29500"),  # a run id of "none" is absent
    ({"LSB_JOBID": "7"}, "lsf:7"),
    ({"PBS_JOBID": "7.server"}, "pbs:7.server"),
]


@pytest.mark.parametrize(("env", "name"), JOBS)
def test_the_job_is_named_by_the_scheduler_before_the_launcher(
    env: dict[str, str], name: str
) -> None:
    assert detect(env, {}).job == name


def test_the_user_names_the_job_before_anyone() -> None:
    assert detect(SLURM, {}, job="mine").job == "mine"


def test_several_nodes_without_a_name_are_told_so() -> None:
    (note,) = detect(TORCHRUN, {}).notes
    assert note.endswith("give job= or COSTCALC_JOB")


def test_all_ranks_of_one_launcher_are_one_job_and_processes_alone_are_not() -> None:
    one = {"RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2"}
    assert detect(one, {}).job == detect({**one, "RANK": "1"}, {}).job
    assert detect({}, {}).job != detect({}, {}).job


def test_an_interactive_step_has_one_rank_and_not_the_allocations_eight() -> None:
    """srun --pty within salloc -n 8: the step's own number counts (srun(1))."""
    env = {
        "SLURM_JOB_ID": "42",
        "SLURM_STEP_ID": "4294967290",
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NTASKS": "8",
        "SLURM_STEP_NUM_TASKS": "1",
        "SLURM_STEP_NUM_NODES": "1",
        "SLURM_NODEID": "0",
    }
    found = detect(env, {})
    assert (found.rank, found.world, found.nodes) == (0, 1, 1)
    assert detect({**env, "SLURM_STEP_NUM_TASKS": "8"}, {}).world == 8


def test_restarts_are_counted_by_who_restarts() -> None:
    slurm, torchrun = {"SLURM_RESTART_COUNT": "2"}, {"TORCHELASTIC_RESTART_COUNT": "0"}
    assert detect(slurm, {}).attempt == "slurm=2"
    assert detect(torchrun, {}).attempt == "torchrun=0"
    assert detect({**slurm, **torchrun}, {}).attempt == "slurm=2 torchrun=0"
    assert detect({}, {}).attempt is None


def torch_double(*, initialized: bool, rank: int = 3, world: int = 4) -> dict[str, Any]:
    distributed = SimpleNamespace(
        is_available=lambda: True,
        is_initialized=lambda: initialized,
        get_rank=lambda: rank,
        get_world_size=lambda: world,
    )
    return {"torch": SimpleNamespace(distributed=distributed)}


def test_an_initialised_process_group_wins() -> None:
    found = detect({"RANK": "0", "WORLD_SIZE": "2"}, torch_double(initialized=True))
    assert (found.rank, found.world, found.source) == (3, 4, "torch.distributed")
    assert found.local_rank == 0
    found = detect({"RANK": "0", "WORLD_SIZE": "2"}, torch_double(initialized=False))
    assert (found.rank, found.world, found.source) == (0, 2, "torchrun")


def test_a_process_group_that_torchrun_started_keeps_its_node() -> None:
    found = detect(TORCHRUN, torch_double(initialized=True, rank=5, world=8))
    assert (found.node, found.nodes, found.local_rank) == (1, 2, 1)
    assert found.source == "torch.distributed, started by torchrun"


def test_a_torch_that_fails_is_passed_over() -> None:
    def fails() -> bool:
        raise RuntimeError

    distributed = SimpleNamespace(is_available=fails)
    found = detect({}, {"torch": SimpleNamespace(distributed=distributed)})
    assert found.world == 1


def test_jax_processes_are_hosts() -> None:
    jax = SimpleNamespace(
        distributed=SimpleNamespace(is_initialized=lambda: True),
        process_index=lambda: 1,
        process_count=lambda: 2,
    )
    found = detect({}, {"jax": jax})
    assert (found.rank, found.world, found.node, found.nodes) == (1, 2, 1, 2)
