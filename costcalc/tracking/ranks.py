"""Which process of which job this one is: asked of whoever started it, in an order that never errs.

A launcher nearer to the process wins over one further away: what ``torch.distributed`` was
initialised with, then a worker of Ray Train, then what launchers leave in the environment
(``launchers.py``), then JAX.  Nothing is imported to ask.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import ModuleType

from costcalc.tracking.launchers import LAUNCHERS, Env
from costcalc.tracking.records import Place

Modules = Mapping[str, ModuleType]


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
    found = (
        _torch(env, modules)
        or _ray(env, modules)
        or _jax(env, modules)
        or _launcher(env)
        or Place()
    )
    found = _per_node(found, env)
    name, notes = (job, ()) if job else _job(env, found)
    name = name.encode("utf-8", "backslashreplace").decode()  # a file has it, and so has a hash
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
    return _as_launched(env, rank, world, "torch.distributed") or Place(
        rank=rank,
        world=world,
        local_rank=_number(env, "LOCAL_RANK") or 0,
        node=_number(env, "NODE_RANK"),  # Lightning's and Accelerate's launchers say it
        source="torch.distributed",
    )


def _ray(env: Env, modules: Modules) -> Place | None:
    """A worker of Ray Train, whatever it trains with; before its Slurm, which started the cluster.

    https://docs.ray.io/en/latest/train/api/doc/ray.train.get_context.html
    """
    train = modules.get("ray.train")
    try:
        context = train.get_context() if train is not None and env.get("RAY_JOB_ID") else None
        if context is None or not context.get_world_size():
            return None
        return Place(
            rank=int(context.get_world_rank()),
            world=int(context.get_world_size()),
            local_rank=int(context.get_local_rank()),
            local_world=int(context.get_local_world_size()),
            node=int(context.get_node_rank()),
            source="Ray Train",
        )
    except Exception:  # noqa: BLE001  (the driver, which is no worker, or another version)
        return None


def _as_launched(env: Env, rank: int, world: int, group: str) -> Place | None:
    """The place by its launcher, which says more, where it means the same rank as the group."""
    found = _launcher(env)
    if found is None or (found.rank, found.world) != (rank, world):
        return None
    return replace(found, source=f"{group}, started by {found.source}")


def _launcher(env: Env) -> Place | None:
    """The first launcher whose variables are whole."""
    for one in LAUNCHERS:
        if not one.launched(env):
            continue
        at, of = _number(env, one.rank), _number(env, one.world)
        if one.name == "Slurm":
            if not (env.get("SLURM_STEP_ID") or env.get("SLURM_STEPID")):
                continue  # a batch script
            # A step of fewer tasks than the allocation: an interactive one has one.
            of = _number(env, "SLURM_STEP_NUM_TASKS") or of
        if at is None or of is None or not 0 <= at < of:
            continue
        return Place(
            rank=at,
            world=of,
            local_rank=_number(env, one.local) or 0,
            local_world=_number(env, one.local_world),
            node=_number(env, one.node),
            nodes=_number(env, one.nodes),
            source=one.name,
        )
    return None


def _jax(env: Env, modules: Modules) -> Place | None:
    """JAX's processes, if the script has initialised more than one; never its devices."""
    state = getattr(getattr(modules.get("jax"), "distributed", None), "is_initialized", None)
    try:
        if state is None or not state():
            return None
        jax = modules["jax"]
        rank, world = int(jax.process_index()), int(jax.process_count())
    except Exception:  # noqa: BLE001  (of another version)
        return None
    return _as_launched(env, rank, world, "jax.distributed") or Place(
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
    named = _named(env, place)
    if named is not None:
        return named, ()
    if place.world == 1:
        return f"process:{uuid.uuid4().hex}", ()
    if place.nodes == 1:
        # Of jobs on one Ray the launcher is the same.
        return f"launcher:{_launched()}{env.get('RAY_JOB_ID', '')}", ()
    where = next((keys for keys in _MEETINGS if env.get(keys[0])), _MEETINGS[0])
    meeting = ":".join(env.get(key, "") for key in where)
    note = (
        f"nothing names the job: its nodes find each other by {' and '.join(where)}, and "
        "a later job in the same folder would be added; give job= or COSTCALC_JOB"
    )
    return f"meeting:{meeting}", (note,)


# Where the processes of several nodes meet: of torch.distributed, of JAX, of a slice of TPUs.
_MEETINGS = (
    ("MASTER_ADDR", "MASTER_PORT"),
    ("JAX_COORDINATOR_ADDRESS",),
    ("TPU_PROCESS_ADDRESSES",),
    ("TPU_WORKER_HOSTNAMES",),
)


def _named(env: Env, place: Place) -> str | None:
    if env.get("COSTCALC_JOB"):
        return env["COSTCALC_JOB"]
    if env.get("SLURM_ARRAY_JOB_ID") and env.get("SLURM_ARRAY_TASK_ID"):
        return f"slurm:{env['SLURM_ARRAY_JOB_ID']}_{env['SLURM_ARRAY_TASK_ID']}"
    for key, name in _JOBS.items():
        if env.get(key):
            return f"{name}:{env[key]}"
    indexed = _indexed(env, place)
    if indexed is not None:
        return indexed
    elastic = env.get("TORCHELASTIC_RUN_ID")
    # torchrun says "none" where it was given no --rdzv-id
    return f"torchrun:{elastic}" if elastic and elastic != "none" else None


def _indexed(env: Env, place: Place) -> str | None:
    """The name of a Kubernetes job whose pods have an index, and of what is built on it (JobSet).

    Pods that nothing joins are jobs of their own, as the tasks of an array.  A pod is called by its
    job and its index: https://kubernetes.io/docs/concepts/workloads/controllers/job/
    """
    index, host = env.get("JOB_COMPLETION_INDEX"), env.get("HOSTNAME", "")
    if not index or not re.search(rf"-{re.escape(index)}(?:-[a-z0-9]{{5}})?$", host):
        return None
    job = re.sub(rf"-{re.escape(index)}(?:-[a-z0-9]{{5}})?$", "", host)
    return f"kubernetes:{job}" if place.world > 1 else f"kubernetes:{job}:{index}"


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
