"""Where a process stands: the variables that launchers set, as their manuals list them."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.tracking.launchers import LAUNCHERS
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

BY_HAND = "RANK and WORLD_SIZE"
# deepspeed --num_gpus 4 on two nodes, as deepspeed/launcher/launch.py (0.19.8) sets it.
DEEPSPEED = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_SIZE": "4",
    "CROSS_RANK": "1",
    "CROSS_SIZE": "2",
    "MASTER_ADDR": "n0",
    "MASTER_PORT": "29500",
}
# A worker of TorchTrainer, as ray/train/torch/config.py (2.60.0) sets it.
RAY = {
    "RANK": "5",
    "WORLD_SIZE": "8",
    "LOCAL_RANK": "1",
    "LOCAL_WORLD_SIZE": "4",
    "NODE_RANK": "1",
    "RAY_JOB_ID": "01000000",
}
# accelerate.notebook_launcher, as accelerate/utils/launch.py (1.15.0) sets it.
NOTEBOOK = {
    "RANK": "1",
    "WORLD_SIZE": "2",
    "LOCAL_RANK": "1",
    "NODE_RANK": "0",
    "FORK_LAUNCHED": "1",
    "MASTER_ADDR": "127.0.0.1",
    "MASTER_PORT": "29500",
}
# The second of two pods of a PyTorchJob, as its controller's envvar.go sets it, in a cluster.
POD = {
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    "RANK": "1",
    "WORLD_SIZE": "2",
    "MASTER_ADDR": "sft-master-0",
    "MASTER_PORT": "23456",
}
# The second of two pods of a TrainJob: torchrun's arguments by its environment.
TRAINJOB = {
    "KUBERNETES_SERVICE_HOST": "10.0.0.1",
    "PET_NNODES": "2",
    "PET_NODE_RANK": "1",
    "PET_NPROC_PER_NODE": "4",
    "PET_MASTER_ADDR": "sft-node-0-0.sft",
    "JOB_COMPLETION_INDEX": "1",
    "HOSTNAME": "sft-node-0-1",
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
    ({"RANK": "2", "WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "4"}, (2, 0, 4, 0, 1, BY_HAND)),
    ({"RANK": "2", "WORLD_SIZE": "9", "LOCAL_WORLD_SIZE": "4"}, (2, 0, 9, None, 3, BY_HAND)),
    (DEEPSPEED, (5, 1, 8, 1, 2, "DeepSpeed")),
    ({**SLURM, **DEEPSPEED}, (5, 1, 8, 1, 2, "DeepSpeed")),
    (RAY, (5, 1, 8, 1, 2, "Ray Train")),
    ({**SLURM, **RAY}, (5, 1, 8, 1, 2, "Ray Train")),  # its cluster was started by srun
    (NOTEBOOK, (1, 1, 2, 0, None, "Accelerate")),
    (POD, (1, 0, 2, 1, 2, "PyTorchJob")),
    # torchrun in both pods, with four processes each: the last one.
    ({**POD, **TORCHRUN, "RANK": "7", "LOCAL_RANK": "3"}, (7, 3, 8, 1, 2, "torchrun")),
    (TRAINJOB, (1, 0, 2, 1, 2, "Kubeflow Trainer")),
    ({**TRAINJOB, **TORCHRUN}, (5, 1, 8, 1, 2, "torchrun")),
    # PyTorchJob with nprocPerNode has WORLD_SIZE of processes beside RANK of pods: torchrun's own.
    ({**POD, **TRAINJOB, "WORLD_SIZE": "8"}, (1, 0, 2, 1, 2, "Kubeflow Trainer")),
    # An elastic one says no number of nodes before torchrun has found them.
    ({"PET_NNODES": "1:4", "PET_NODE_RANK": "1"}, (0, 0, 1, 0, 1, "none: a process of its own")),
    # A pod of an indexed job that nothing joins to the others.
    (
        {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "JOB_COMPLETION_INDEX": "2"},
        (0, 0, 1, 0, 1, "none: a process of its own"),
    ),
    # Slurm started torchrun, and a rank of that a launcher of MPI: its RANK is inherited.
    ({**SLURM, **TORCHRUN, **OPEN_MPI}, (5, 1, 8, 1, 2, "torchrun")),
    # A rank is below the world's size.
    ({"RANK": "4", "WORLD_SIZE": "4"}, (0, 0, 1, 0, 1, "none: a process of its own")),
    ({"RANK": "3", "WORLD_SIZE": "4"}, (3, 0, 4, None, None, BY_HAND)),
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
    # Pods of one indexed job: joined they are one, alone each is one (a pod's host has its index).
    (TRAINJOB, "kubernetes:sft-node-0"),
    ({"JOB_COMPLETION_INDEX": "2", "HOSTNAME": "eval-2"}, "kubernetes:eval:2"),
    ({"JOB_COMPLETION_INDEX": "2", "HOSTNAME": "eval-2-x7k2p"}, "kubernetes:eval:2"),
    (POD, "meeting:sft-master-0:23456"),
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
    assert (found.rank, found.world, found.source) == (0, 2, BY_HAND)


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


def test_jax_processes_meet_where_the_environment_says() -> None:
    jax = SimpleNamespace(
        distributed=SimpleNamespace(is_initialized=lambda: True),
        process_index=lambda: 1,
        process_count=lambda: 2,
    )
    env = {"JAX_COORDINATOR_ADDRESS": "10.0.0.7:1234", "SLURM_STEP_ID": "0"}
    found = detect(env, {"jax": jax})
    assert (found.job, found.source) == ("meeting:10.0.0.7:1234", "jax.distributed")
    (note,) = (note for note in found.notes if note.startswith("nothing names"))
    assert "by JAX_COORDINATOR_ADDRESS, and" in note
    # One process a GPU, by srun: its step knows the node, and how many are on it.
    step = {**SLURM, "SLURM_PROCID": "1", "SLURM_NTASKS": "2", "SLURM_LOCALID": "1"}
    found = detect(step, {"jax": jax})
    assert (found.source, found.local_rank) == ("jax.distributed, started by Slurm", 1)
    slice_ = {"TPU_WORKER_HOSTNAMES": "t-0,t-1", "TPU_WORKER_ID": "1"}
    assert detect(slice_, {"jax": jax}).job == "meeting:t-0,t-1"


def test_a_worker_of_ray_is_asked_of_ray_itself() -> None:
    """JaxTrainer sets no RANK; SLURM_PROCID is of the process that started the cluster."""
    context = SimpleNamespace(
        get_world_rank=lambda: 3,
        get_world_size=lambda: 4,
        get_local_rank=lambda: 1,
        get_local_world_size=lambda: 2,
        get_node_rank=lambda: 1,
    )
    train: Any = SimpleNamespace(get_context=lambda: context)
    found = detect({**SLURM, "RAY_JOB_ID": "01000000"}, {"ray.train": train})
    assert (found.rank, found.world, found.local_rank) == (3, 4, 1)
    assert (found.node, found.nodes, found.source) == (1, 2, "Ray Train")

    def raises() -> Any:
        raise RuntimeError("not a worker")

    driver: Any = SimpleNamespace(get_context=raises)
    assert detect({"RAY_JOB_ID": "01000000"}, {"ray.train": driver}).world == 1
    assert detect(SLURM, {"ray.train": train}).source == "Slurm"  # imported, and no worker


def test_a_group_that_a_launcher_without_ranks_started_has_its_node() -> None:
    """Lightning's own launcher sets NODE_RANK, LOCAL_RANK and WORLD_SIZE, and no RANK."""
    env = {"NODE_RANK": "1", "LOCAL_RANK": "1", "WORLD_SIZE": "4"}
    found = detect(env, torch_double(initialized=True))
    assert (found.rank, found.world, found.local_rank, found.node) == (3, 4, 1, 1)


def test_each_launcher_has_a_source() -> None:
    for one in LAUNCHERS:
        assert one.source.startswith("https://"), one.name
    assert len({one.name for one in LAUNCHERS}) == len(LAUNCHERS)


def test_the_documentation_lists_the_launchers_in_their_order() -> None:
    text = (Path(__file__).parents[2] / "docs" / "tracking.md").read_text(encoding="utf-8")
    places = [text.index(f"| {one.name} |") for one in LAUNCHERS]
    assert places == sorted(places)
