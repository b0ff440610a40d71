"""The rows of ``sacct -P``, cell by cell: which job, how long, what it held, what a plugin metered.

Energy 0, or Slurm's sign for no value, is a cluster without an energy plugin: unknown, never 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from costcalc.base.errors import Problem
from costcalc.report.importing.cells import Row, at, number
from costcalc.report.importing.steps import ENOUGH, Covered, Span, covered, span_of
from costcalc.report.importing.tres import Accelerators, accelerators

#: what was allocated, else what was asked for; releases before 20.11 have columns of their own
TRES = ("AllocTRES", "AllocGRES", "ReqTRES", "ReqGRES")
NEEDED = (("JobID", "JobIDRaw"), TRES, ("ElapsedRaw", "Elapsed"))
OTHERS = (
    *("State", "JobName", "ConsumedEnergyRaw", "ConsumedEnergy", "Submit", "Start", "Restarts"),
    *("Cluster", "NNodes", "NodeList"),
)
_TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)(?:\.\d+)?$")
#: sacct prints joules of ConsumedEnergy by thousands (Slurm, convert_num_unit2 with 1000)
_THOUSANDS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_JOULES = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)", re.ASCII | re.IGNORECASE)
#: NO_VAL, INFINITE and their 64-bit kin (slurm.h)
NO_VALUES = frozenset(map(float, (2**32 - 1, 2**32 - 2, 2**64 - 1, 2**64 - 2)))
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


@dataclass(frozen=True, slots=True)
class Counted:
    """Joules of an attempt (None: unknown), why they may not be all, and how many rows say any."""

    joules: float | None
    why: str = ""
    rows: int = 0


def counted(row: Row, steps: list[Row], name: str, problems: list[Problem]) -> Counted:
    """The energy of an attempt, each counter of a node once as far as the rows tell; 0 is unknown.

    Every step reads the counters of its nodes from its begin to its end.  With
    ``PrologFlags=Contain`` the extern step spans the allocation, and Slurm takes it alone for the
    job (stepmgr.c, ``_internal_step_complete``): the job's own row then says the same as it.
    Without, Slurm adds all steps, also those of ``srun`` that run within the batch script's, which
    on one node has metered all of them.  Energy of steps that cover nearly all of the time stands
    for all of it.
    """
    found = {job_of(step): joules_of(step, name, problems) for step in steps}
    own = joules_of(row, name, problems)
    rows = sum(map(bool, found.values())) + bool(own)
    batch = extern = others = 0.0
    for step, joules in found.items():
        if step.endswith(".batch"):
            batch += joules or 0.0
        elif step.endswith(".extern"):
            extern += joules or 0.0
        else:
            others += joules or 0.0
    if extern and extern == own:
        return Counted(own, rows=rows)
    alone = bool(others) and batch >= others and _NODE.search(tres_of(row)) is not None
    joules = batch if alone else batch + others or own
    if not joules:
        return Counted(None)
    seen = _covered(row, [step for step in steps if found[job_of(step)]], alone=alone)
    why = _lacking(row, batch, others, seen, alone=alone)
    return Counted(joules / seen.once if seen and seen.once >= ENOUGH else joules, why, rows)


def _covered(row: Row, metered: list[Row], *, alone: bool) -> Covered | None:
    """Of how much of an attempt's time its metered steps tell; None where it cannot be told.

    A batch script's that has metered the others stands alone; the extern step is of no task.
    """
    seconds = _lasted(row)
    ends = ".batch" if alone else ""
    told = [
        step
        for step in metered
        if job_of(step).endswith(ends) and not job_of(step).endswith(".extern")
    ]
    if not seconds or not told:
        return None
    nodes = number(row.get("NNodes")) or 1.0
    spans = [span_of(step, _lasted(step), nodes) for step in told]
    known: list[Span] = [span for span in spans if span is not None]
    return covered(known, seconds, nodes) if len(known) == len(spans) else None


def _lasted(row: Row) -> float | None:
    """Seconds that an attempt or a step ran, as far as its row says it."""
    raw = number(row.get("ElapsedRaw"))
    return seconds_of(row.get("Elapsed")) if raw is None else raw


_NODE = re.compile(r"(?:^|,)node=1(?:,|$)")

#: why energy that Slurm added is not that of the nodes
TWICE = "the batch script's counter and its steps' are added: one node may be in it twice"
#: and that of steps beside one another
AT_ONCE = "steps that ran at once on a node counted all of it each: it is in their sum twice"


def _lacking(row: Row, batch: float, others: float, seen: Covered | None, *, alone: bool) -> str:
    """Why the energy of the steps is not that of the attempt; empty where it may be.

    The batch script runs on the first node alone, and reads that node's counter.
    """
    if batch and others and not alone:
        return TWICE
    nodes = number(row.get("NNodes")) or 1.0
    if batch and nodes > 1 and not alone:
        return f"the batch script's counter is of one node of {nodes:,.0f}"
    if seen is None:
        return ""
    if seen.twice > 1 - ENOUGH:
        return AT_ONCE
    if seen.once < ENOUGH:
        return f"its steps' counters cover {100 * seen.once:.0f} % of its time on its nodes"
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
    seconds = _lasted(row)
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
