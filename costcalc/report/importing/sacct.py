"""The rows of ``sacct -P``, cell by cell: which job, how long, what it held, what a plugin metered.

Energy 0, or Slurm's sign for no value, is a cluster without an energy plugin: unknown, never 0.
"""

from __future__ import annotations

import re

from costcalc.base.errors import Problem
from costcalc.report.importing.cells import Row, at, number
from costcalc.report.importing.tres import Accelerators, accelerators

#: what was allocated, else what was asked for; releases before 20.11 have columns of their own
TRES = ("AllocTRES", "AllocGRES", "ReqTRES", "ReqGRES")
NEEDED = (("JobID", "JobIDRaw"), TRES, ("ElapsedRaw", "Elapsed"))
OTHERS = (
    *("State", "JobName", "ConsumedEnergyRaw", "ConsumedEnergy", "Submit", "Start", "Restarts"),
    "Cluster",
)
_TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)(?:\.\d+)?$")
#: sacct prints joules of ConsumedEnergy by thousands (Slurm, convert_num_unit2 with 1000)
_THOUSANDS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_JOULES = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)", re.ASCII | re.IGNORECASE)
#: NO_VAL, INFINITE and their 64-bit kin (slurm.h)
NO_VALUES = frozenset({2**32 - 1, 2**32 - 2, 2**64 - 1, 2**64 - 2})
#: watts a device, or a job without any, beyond which no node draws: a counter that wrapped
MOST_WATTS = 20_000.0
FAILED = (
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_ME",
    "TIMEOUT",
    "BOOT_FAIL",
    "DEADLINE",
    "CANCELLED",
    "REQUEUED",
    "PREEMPTED",
)
RUNNING = ("RUNNING", "SUSPENDED")
WAITING = ("PENDING", "REQUEUE_HOLD", "REQUEUE_FED", "CONFIGURING")
#: what of a federation's job stands on the clusters that another was faster than
ELSEWHERE = ("REVOKED",)


def job_of(row: Row) -> str:
    """The job, or ``job.step``, that a row is of."""
    return row.get("JobID") or row.get("JobIDRaw") or ""


def tres_of(row: Row) -> str:
    """What was allocated, else what was asked for."""
    return row.get(_tres_column(row)) or ""


def _tres_column(row: Row) -> str:
    """The column that says what a job held: one that names accelerators before one that does not.

    A table of an old release may have AllocTRES, without accelerators, beside AllocGRES.
    """
    told = [column for column in TRES if row.get(column)]
    pairs = [c for c in told if c == "AllocGRES" and accelerators(row[c]).count]
    naming = "gres" in row.get("AllocTRES", "").lower()
    return pairs[0] if pairs and not naming else told[0] if told else TRES[0]


def held_by(row: Row, name: str, problems: list[Problem]) -> Accelerators:
    """The accelerators of an attempt; an item of them that cannot be read is a problem."""
    found = accelerators(tres_of(row))
    if found.unread:
        expected = f'accelerators such as gres/gpu:a100=2, where "{found.unread[:60]}" stands'
        problems.append(at(name, row, _tres_column(row), expected))
    return found


def energy_of(row: Row, steps: list[Row], name: str, problems: list[Problem]) -> float | None:
    """Joules of an attempt, each counter of a node once as far as the rows tell; 0 is unknown.

    Every step reads the counters of its nodes from its begin to its end.  With
    ``PrologFlags=Contain`` the extern step spans the allocation, and Slurm takes it alone for the
    job (stepmgr.c, ``_internal_step_complete``): the job's own row then says the same as it.
    Without, Slurm adds all steps, also those of ``srun`` that run within the batch script's, which
    on one node has metered all of them.
    """
    found = {job_of(step): joules_of(step, name, problems) for step in steps}
    own = joules_of(row, name, problems)
    batch, others = _within(found)
    once = _once(row, found, own)
    return batch + others or own or None if once is None else once


def _once(row: Row, found: dict[str, float | None], own: float | None) -> float | None:
    """Joules of the one step that covers all others; None where none is known to."""
    extern = sum(value or 0.0 for step, value in found.items() if step.endswith(".extern"))
    if extern and extern == own:
        return own
    batch, others = _within(found)
    return batch if _NODE.search(tres_of(row)) and others and batch >= others else None


_NODE = re.compile(r"(?:^|,)node=1(?:,|$)")


def _within(found: dict[str, float | None]) -> tuple[float, float]:
    """Joules of the batch script's step, and of all others but the extern one."""
    batch = sum(value or 0.0 for step, value in found.items() if step.endswith(".batch"))
    whole = sum(value or 0.0 for step, value in found.items() if not step.endswith(".extern"))
    return batch, whole - batch


#: why energy that Slurm added is not that of the nodes
TWICE = "the batch script's counter and its steps' are added: one node may be in it twice"


def added(row: Row, steps: list[Row]) -> bool:
    """Whether the energy of a batch script and of steps within it was added."""
    return uncovered(row, steps) == TWICE


def uncovered(row: Row, steps: list[Row]) -> str:
    """Why the energy of the steps is not that of the attempt; empty where it may be.

    The batch script runs on the first node alone, and reads that node's counter.
    """
    found = {job_of(step): joules_of(step, "", []) for step in steps}
    if _once(row, found, joules_of(row, "", [])) is not None:
        return ""
    batch, others = _within(found)
    if batch and others:
        return TWICE
    nodes = number(row.get("NNodes")) or 1.0
    if batch and nodes > 1:
        return f"the batch script's counter is of one node of {nodes:,.0f}"
    return ""


def joules_of(row: Row, name: str, problems: list[Problem]) -> float | None:
    """Joules that a row's own cells say; None where they say none."""
    for column in ("ConsumedEnergyRaw", "ConsumedEnergy"):
        text = row.get(column, "")
        if not text:
            continue
        match = _JOULES.fullmatch(text)
        if match is None:
            problems.append(at(name, row, column, "joules, such as 3600000 or 3.60M"))
            return None
        value = float(match[1]) * _THOUSANDS[match[2].upper()]
        if value not in NO_VALUES:
            return value
    return None


def elapsed_of(row: Row, name: str, problems: list[Problem]) -> float | None:
    """Seconds that an attempt ran; None where it never started."""
    raw, text = row.get("ElapsedRaw", ""), row.get("Elapsed", "")
    seconds = number(raw)
    seconds = seconds_of(text) if seconds is None else seconds
    if seconds is None and (raw or text) and not in_state(row, WAITING):
        column = "ElapsedRaw" if raw else "Elapsed"
        problems.append(at(name, row, column, "a time, such as 3600 or 1-02:03:04"))
    return seconds


def in_state(row: Row, states: tuple[str, ...]) -> bool:
    """Whether a row is in one of these states, which Slurm writes as ``CANCELLED by 0`` too."""
    return row.get("State", "").upper().startswith(states)


def seconds_of(text: str | None) -> float | None:
    """``1-02:03:04`` in seconds."""
    found = _TIME.match(str(text or ""))
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
