"""What launchers say in the environment of the processes that they start, each with its source.

The first whose variables are whole is taken, so what is nearer to a process stands first: a
launcher of single processes before one of pods or of nodes, which may have started it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

Env = Mapping[str, str]


class Launcher(NamedTuple):
    """The names of the variables; empty where it says nothing of the kind.

    ``needs`` are set wherever it launched, ``without`` never.
    """

    name: str
    source: str
    rank: str
    world: str
    local: str = ""
    local_world: str = ""
    node: str = ""
    nodes: str = ""
    needs: tuple[str, ...] = ()
    without: tuple[str, ...] = ()

    def launched(self, env: Env) -> bool:
        """Whether the environment is one of its own."""
        return all(env.get(key) for key in self.needs) and not any(
            env.get(key) for key in self.without
        )


_SLURM = ("SLURM_NODEID", "SLURM_NNODES")
_TORCH = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
_SRUN = "https://slurm.schedmd.com/srun.html#SECTION_OUTPUT-ENVIRONMENT-VARIABLES"
_PYTORCHJOB = (
    "https://github.com/kubeflow/training-operator/blob/"
    "1417bbc35b6e7840b3ecab1cec17dbf553ad9e85/pkg/controller.v1/pytorch/envvar.go"
)


# What programs of MPI are read by there: of Open MPI, MVAPICH2 and PMI (MPICH, Intel).
_BY_ACCELERATE = (
    "https://github.com/huggingface/accelerate/blob/v1.15.0/src/accelerate/utils/environment.py"
)


def _mpi(name: str) -> tuple[str, str, str, str]:
    return (f"{name}_RANK", f"{name}_SIZE", f"{name}_LOCAL_RANK", f"{name}_LOCAL_SIZE")


LAUNCHERS: tuple[Launcher, ...] = (
    Launcher(
        "torchrun",
        "https://docs.pytorch.org/docs/stable/elastic/run.html#environment-variables",
        *(*_TORCH, "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE"),
        needs=("GROUP_RANK",),
    ),
    Launcher(
        "DeepSpeed",
        "https://github.com/deepspeedai/DeepSpeed/blob/v0.19.8/deepspeed/launcher/launch.py",
        *(*_TORCH, "LOCAL_SIZE", "CROSS_RANK", "CROSS_SIZE"),
        needs=("CROSS_RANK",),
    ),
    Launcher(
        "Ray Train",
        "https://github.com/ray-project/ray/blob/ray-2.60.0/python/ray/train/torch/config.py",
        *(*_TORCH, "LOCAL_WORLD_SIZE", "NODE_RANK"),
        needs=("NODE_RANK", "LOCAL_WORLD_SIZE"),
    ),
    Launcher(
        "Accelerate",
        "https://github.com/huggingface/accelerate/blob/v1.15.0/src/accelerate/utils/launch.py",
        *(*_TORCH, "", "NODE_RANK"),
        needs=("FORK_LAUNCHED",),  # of notebook_launcher; `accelerate launch` starts torchrun
    ),
    Launcher(
        "PyTorchJob",  # of a pod; what torchrun starts in it says more
        _PYTORCHJOB,
        *("RANK", "WORLD_SIZE", "", "", "RANK", "WORLD_SIZE"),
        needs=("KUBERNETES_SERVICE_HOST",),
        without=("LOCAL_RANK", "PET_NNODES"),
    ),
    Launcher(
        "RANK and WORLD_SIZE",
        "https://docs.pytorch.org/docs/stable/distributed.html#environment-variable-initialization",
        *(*_TORCH, "LOCAL_WORLD_SIZE"),
        without=("PET_NNODES",),
    ),
    Launcher(
        "Kubeflow Trainer",  # of a pod, on JobSet: torchrun's own arguments
        "https://docs.pytorch.org/docs/stable/elastic/run.html",
        *("PET_NODE_RANK", "PET_NNODES", "", "", "PET_NODE_RANK", "PET_NNODES"),
    ),
    Launcher("Open MPI", _BY_ACCELERATE, *(*_mpi("OMPI_COMM_WORLD"), *_SLURM)),
    Launcher("MVAPICH2", _BY_ACCELERATE, *(*_mpi("MV2_COMM_WORLD"), *_SLURM)),
    Launcher(
        "PMI",
        _BY_ACCELERATE,
        *("PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", *_SLURM),
    ),
    Launcher(
        "PMIx",
        "https://github.com/deepspeedai/DeepSpeed/blob/v0.19.8/deepspeed/launcher/"
        "launcher_helper.py",
        *(*_mpi("PMIX"), *_SLURM),
    ),
    Launcher(
        "JSM",
        "https://github.com/Lightning-AI/pytorch-lightning/blob/2.6.6/src/lightning/fabric/plugins/"
        "environments/lsf.py",
        *_mpi("JSM_NAMESPACE"),
    ),
    Launcher(
        "Slurm",  # in a step alone: a batch script has its variables though nothing was launched
        _SRUN,
        *("SLURM_PROCID", "SLURM_NTASKS", "SLURM_LOCALID", ""),
        *("SLURM_NODEID", "SLURM_STEP_NUM_NODES"),
    ),
)
