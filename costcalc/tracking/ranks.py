"""Which process of which job this one is: asked of whoever started it, in an order that never errs.

A launcher nearer to the process wins over one further away: what ``torch.distributed`` was
initialised with, then torchrun, then MPI, then Slurm, then JAX.  Nothing is imported to ask.
"""

from __future__ import annotations

import hashlib
import os
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from costcalc.tracking.records import Place

Env = Mapping[str, str]
Modules = Mapping[str, ModuleType]


def _mpi(name: str) -> tuple[str, ...]:
    return tuple(f"{name}_{what}" for what in ("RANK", "SIZE", "LOCAL_RANK", "LOCAL_SIZE"))


# Launchers that say it in the environment: rank, world, local rank, local world, node, nodes.
# torchrun: https://docs.pytorch.org/docs/stable/elastic/run.html (environment variables)
# Open MPI: https://docs.open-mpi.org (environment variables of a process); MVAPICH2, PMI, PMIx and
# JSM say the same under their own names.  Slurm: srun(1), "output environment variables".
_SLURM = ("SLURM_NODEID", "SLURM_NNODES")
_LAUNCHERS: Mapping[str, Sequence[str]] = {
    "torchrun": (
        *("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE"),
        *("GROUP_RANK", "GROUP_WORLD_SIZE"),
    ),
    "Open MPI": (*_mpi("OMPI_COMM_WORLD"), *_SLURM),
    "MVAPICH2": (*_mpi("MV2_COMM_WORLD"), *_SLURM),
    "PMI": ("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", *_SLURM),
    "PMIx": (*_mpi("PMIX"), *_SLURM),
    "JSM": (*_mpi("JSM_NAMESPACE"), "", ""),
    "Slurm": (
        *("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", ""),
        *("SLURM_NODEID", "SLURM_STEP_NUM_NODES"),
    ),
}

# Schedulers' names of the job, the nearest to the process first.
_JOBS = {"SLURM_JOB_ID": "slurm", "LSB_JOBID": "lsf", "PBS_JOBID": "pbs"}
_RESTARTS = {"slurm": "SLURM_RESTART_COUNT", "torchrun": "TORCHELASTIC_RESTART_COUNT"}


def detect(
    env: Env | None = None, modules: Modules | None = None, *, job: str | None = None
) -> Place:
    """Where this process stands in its job.

    ``job`` is the name that the user gave; without one it is the scheduler's, the launcher's, or
    one that no other job has.

    >>> detect({"RANK": "3", "WORLD_SIZE": "8", "LOCAL_RANK": "3"}, {}, job="a").rank
    3
    >>> detect({"SLURM_PROCID": "0", "SLURM_NTASKS": "1"}, {}, job="a").source  # a batch script
    'none: a process of its own'
    """
    env = os.environ if env is None else env
    modules = sys.modules if modules is None else modules
    found = _torch(env, modules) or _launcher(env) or _jax(modules) or Place()
    found = _per_node(found, env)
    name, notes = (job, ()) if job else _job(env, found)
    counted = [f"{who}={env[key]}" for who, key in _RESTARTS.items() if env.get(key)]
    return replace(found, job=name, attempt=" ".join(counted) or None, notes=(*found.notes, *notes))


def _torch(env: Env, modules: Modules) -> Place | None:
    """The process group, if the script has initialised one."""
    distributed = getattr(modules.get("torch"), "distributed", None)
    try:
        if distributed is None or not distributed.is_available():
            return None
        if not distributed.is_initialized():
            return None
        rank, world = int(distributed.get_rank()), int(distributed.get_world_size())
    except Exception:  # noqa: BLE001  (a build without it, or a group being taken down)
        return None
    beside = _launcher(env)
    if beside is not None and (beside.rank, beside.world) == (rank, world):
        return replace(beside, source=f"torch.distributed, started by {beside.source}")
    return Place(
        rank=rank,
        world=world,
        local_rank=_number(env, "LOCAL_RANK") or 0,
        source="torch.distributed",
    )


def _launcher(env: Env) -> Place | None:
    """The first launcher whose variables are whole."""
    for name, (rank, world, local, local_world, node, nodes) in _LAUNCHERS.items():
        if name == "Slurm" and not (env.get("SLURM_STEP_ID") or env.get("SLURM_STEPID")):
            continue  # a batch script: its variables are set though nothing was launched
        at, of = _number(env, rank), _number(env, world)
        if name == "Slurm":  # a step of fewer tasks than the allocation: an interactive one has one
            of = _number(env, "SLURM_STEP_NUM_TASKS") or of
        if at is None or of is None or not 0 <= at < of:
            continue
        return Place(
            rank=at,
            world=of,
            local_rank=_number(env, local) or 0,
            local_world=_number(env, local_world),
            node=_number(env, node),
            nodes=_number(env, nodes),
            source=name,
        )
    return None


def _jax(modules: Modules) -> Place | None:
    """JAX's processes, if the script has initialised more than one; never its devices."""
    state = getattr(getattr(modules.get("jax"), "distributed", None), "is_initialized", None)
    try:
        if state is None or not state():
            return None
        jax = modules["jax"]
        rank, world = int(jax.process_index()), int(jax.process_count())
    except Exception:  # noqa: BLE001  (of another version)
        return None
    return Place(
        rank=rank,
        world=world,
        node=rank,
        nodes=world,
        local_world=1,
        source="jax.distributed",
        notes=("one process a host, as JAX has it",),
    )


def _per_node(place: Place, env: Env) -> Place:
    """Fill in the node where something says it."""
    node = place.node if place.node is not None else _number(env, "GROUP_RANK")
    if node is None and env.get("SLURM_STEP_ID"):
        node = _number(env, "SLURM_NODEID")
    nodes = place.nodes
    if nodes is None and place.local_world:
        nodes = -(-place.world // place.local_world)
    if place.world == 1:
        node, nodes = node or 0, nodes or 1
    if nodes == 1 and node is None:
        node = 0
    return replace(place, node=node, nodes=nodes)


def _job(env: Env, place: Place) -> tuple[str, tuple[str, ...]]:
    """The job's name, the same in all its processes and after a restart."""
    named = _named(env)
    if named is not None:
        return named, ()
    if place.world == 1:
        return f"process:{uuid.uuid4().hex}", ()
    if place.nodes == 1:
        return f"launcher:{_launched()}", ()
    meeting = f"{env.get('MASTER_ADDR', '')}:{env.get('MASTER_PORT', '')}"
    note = (
        "nothing names the job: its nodes find each other by MASTER_ADDR and MASTER_PORT, and "
        "a later job in the same folder would be added; give job= or COSTCALC_JOB"
    )
    return f"meeting:{meeting}", (note,)


def _named(env: Env) -> str | None:
    if env.get("COSTCALC_JOB"):
        return env["COSTCALC_JOB"]
    if env.get("SLURM_ARRAY_JOB_ID") and env.get("SLURM_ARRAY_TASK_ID"):
        return f"slurm:{env['SLURM_ARRAY_JOB_ID']}_{env['SLURM_ARRAY_TASK_ID']}"
    for key, name in _JOBS.items():
        if env.get(key):
            return f"{name}:{env[key]}"
    elastic = env.get("TORCHELASTIC_RUN_ID")
    # torchrun says "none" where it was given no --rdzv-id
    return f"torchrun:{elastic}" if elastic and elastic != "none" else None


def _launched() -> str:
    """The process that launched all ranks of a node: its number and when it began, since boot."""
    parent = os.getppid()
    try:
        began = Path(f"/proc/{parent}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        text = f"{boot_id()}:{parent}:{began[19]}"
    except (OSError, IndexError):
        text = f"{boot_id()}:{parent}"
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def boot_id(env: Env | None = None) -> str:
    """What tells one running machine from another; ``COSTCALC_BOOT_ID`` wins (tests, containers).

    >>> boot_id({"COSTCALC_BOOT_ID": "a"})
    'a'
    """
    given = (os.environ if env is None else env).get("COSTCALC_BOOT_ID")
    if given:
        return given
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return f"host-{uuid.getnode():x}"  # not Linux: the address of its network card


def _number(env: Env, key: str) -> int | None:
    text = env.get(key, "") if key else ""
    return int(text) if text.isascii() and text.isdecimal() else None
