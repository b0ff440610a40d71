"""The tools whose records are read, by the names that reports give them, and what each metered."""

from __future__ import annotations

BOARDS = "the boards, as their driver reports their power; not the host, nor cooling"
SLURM = "Slurm accounting"
#: what the energy of each covers
BOUNDARIES = {
    "CodeCarbon": "CPU, GPU and memory of the machine as CodeCarbon counts them, times its PUE",
    "carbontracker": "GPU, CPU and memory as carbontracker's components saw them",
    # slurm.conf, AcctGatherEnergyType: a plugin reads a node, and so each of the jobs on it has
    # all of it; the fleet's ledger, which knows the nodes, divides it
    SLURM: "the nodes' energy counters as Slurm's energy plugin read them, with what other jobs on "
    "the same nodes drew",
    **dict.fromkeys(("nvidia-smi", "dcgmi", "Weights & Biases", "MLflow", "Zeus"), BOARDS),
}
#: tools whose meters see the boards alone
BOARDS_ONLY = frozenset(name for name, what in BOUNDARIES.items() if what == BOARDS)
#: and whole nodes, which other jobs may share: what one job's devices drew is not known of them
NODES = frozenset({SLURM})
