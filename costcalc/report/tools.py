"""The tools whose records are read, by the names that reports give them, and what each metered."""

from __future__ import annotations

import re

BOARDS = "the boards, as their driver reports their power; not the host, nor cooling"
LOWER_BOUND = "which is a lower bound"
#: how an import says that runs of its table are not among those of its report, or not to their end
STILL_RUN = "jobs that still run are counted so far"
WAIT = "jobs that wait in the queue are not counted"
UNCOUNTED = (STILL_RUN, WAIT)
#: the state of a run that was not over when it was recorded
RUNNING = "running"
#: how CodeCarbon's own factor of the grid is said to be taken
OWN_FACTOR = "grid factor: CodeCarbon's own, emissions over energy as recorded"
#: how parts of its energy are said to be rounded apart, or not all recorded
ROUNDED_PARTS = "the parts of the energy are rounded: they sum to it within 1 %"
LACKING_PARTS = "of the energy of some runs not all parts are recorded"
#: how what is said of gaps begins
UNSAMPLED = "nothing was sampled for"
SLURM = "Slurm accounting"
#: what the energy of each covers
BOUNDARIES = {
    "CodeCarbon": "CPU, GPU and memory of the machine as CodeCarbon counts them",
    "carbontracker": "GPU, CPU and memory as carbontracker's components saw them",
    # slurm.conf, AcctGatherEnergyType: a plugin reads a node, and so each of the jobs on it has
    # all of it; the fleet's ledger, which knows the nodes, divides it
    SLURM: "the nodes' energy counters as Slurm's energy plugin read them, with what other jobs on "
    "the same nodes drew",
    **dict.fromkeys(("nvidia-smi", "dcgmi", "Weights & Biases", "MLflow", "Zeus"), BOARDS),
}
#: what a fleet's ledger says of a job's energy: which of its meters it is by, and which part of it
LEDGERS = {
    source: f"a fleet's ledger, of {name}"
    for source, name in {
        "slurm": "Slurm", "lsf": "LSF", "pbs": "PBS", "kubernetes": "Kubernetes",
        "report": "costcalc track",
    }.items()
}  # fmt: skip
COVERED = {
    "node": "the nodes, by {meter}",
    "boards": "the boards, by {meter}; their hosts are modelled",
    None: "nothing: no meter; all energy is modelled",
}
PART = "; {part} of what it says, as of their devices"
#: logs whose rows say when the power was drawn, and of which board
_SAMPLED = ("nvidia-smi", "Weights & Biases", "MLflow")
#: what of a run not all of them record, and which do
RECORDED = {
    "pue": ("CodeCarbon", "carbontracker"),
    "grid": ("CodeCarbon", "carbontracker"),
    **dict.fromkeys(("place", "parts"), ("CodeCarbon",)),
    **dict.fromkeys(("began", "machine"), ("CodeCarbon", *_SAMPLED)),
    "state": (SLURM,),
}
#: what CodeCarbon's energy is multiplied by where nobody gives another PUE
TIMES_ITS_PUE = ", times its PUE"
#: tools whose meters see the boards alone
BOARDS_ONLY = frozenset(name for name, what in BOUNDARIES.items() if what == BOARDS)
#: and whole nodes, which other jobs may share: what one job's devices drew is not known of them
NODES = frozenset({SLURM, *LEDGERS.values()})


def unsampled(share: float) -> str:
    """How the gaps of a log are told, of which the share of its time is given.

    >>> unsampled(0.183), unsampled(0.996)
    ('nothing was sampled for 18 %', 'nothing was sampled for more than 99 %')
    """
    shown = "more than 99 %" if share >= 0.995 else f"{100 * share:.2g} %"
    return f"{UNSAMPLED} {shown}"


def covered(what: str) -> bool:
    """Whether a text is what a ledger says of a job's energy.

    >>> covered("the nodes, by IPMI; 50 % of what it says, as of their devices"), covered("a plug")
    (True, False)
    """
    parts = "(?:" + re.escape(PART).replace(re.escape("{part}"), r"[\d.]+ %") + ")?"
    texts = (re.escape(one).replace(re.escape("{meter}"), "[^;]+") for one in COVERED.values())
    return any(re.fullmatch(text + parts, what) for text in texts)
