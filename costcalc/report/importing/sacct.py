"""The rows of ``sacct -P``, cell by cell: which job, how long, what it held, what a plugin metered.

Energy 0, or Slurm's sign for no value, is a cluster without an energy plugin: unknown, never 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from costcalc.base.errors import Problem
from costcalc.report.importing.cells import Row, at, number
from costcalc.report.importing.steps import ENOUGH, Covered, Span, covered, moment, span_of
from costcalc.report.importing.tres import Accelerators, accelerators

#: what was allocated, else what was asked for; releases before 20.11 have columns of their own
TRES = ("AllocTRES", "AllocGRES", "ReqTRES", "ReqGRES")
NEEDED = (("JobID", "JobIDRaw"), TRES, ("ElapsedRaw", "Elapsed"))
OTHERS = (
    *(
        "State",
        "JobName",
        "ConsumedEnergyRaw",
        "ConsumedEnergy",
        "Submit",
        "Start",
        "End",
        "Restarts",
    ),
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
    """Joules of an attempt (None: unknown), why they may not be all, and how many rows say any.

    ``most``: where rows may say the same again, what they come to together; ``own``: what the
    attempt's own row says, where that is neither.
    """

    joules: float | None
    why: str = ""
    rows: int = 0
    most: float | None = None
    own: float | None = None


def counted(row: Row, steps: list[Row], name: str, problems: list[Problem]) -> Counted:
    """The energy of an attempt, each counter of a node once as far as the rows tell; 0 is unknown.

    Every step reads the counters of its nodes from its begin to its end.  With
    ``PrologFlags=Contain`` the extern step spans the allocation, and Slurm takes it alone for the
    job (stepmgr.c, ``_internal_step_complete``): the job's own row then says the same as it.
    Without, Slurm adds all steps, also those of ``srun`` that run within the batch script's, which
    has metered all of the first node.  Energy of steps that cover nearly all of the time stands for
    all of it.
    """
    found = {job_of(step): joules_of(step, name, problems) or 0.0 for step in steps}
    own = joules_of(row, name, problems)
    rows = sum(map(bool, found.values())) + bool(own)
    extern = sum(joules for step, joules in found.items() if step.endswith(".extern"))
    if extern and extern == own:
        return Counted(own, rows=rows)
    metered = [s for s in steps if found[job_of(s)] and not job_of(s).endswith(".extern")]
    batch = [step for step in metered if job_of(step).endswith(".batch")]
    others = [step for step in metered if step not in batch]

    def joules(of: list[Row]) -> float:
        return sum(found[job_of(step)] for step in of)

    counts = metered
    if batch and others:
        largest = max(found[job_of(step)] for step in others)
        counts = _standing(
            row, batch, others, joules(batch) / joules(others), joules(batch) >= largest
        )
    total = joules(counts) or own
    if not total:
        return Counted(None)
    seen = _covered(row, counts)
    why = _lacking(row, counts, seen)
    taken = total / seen.once if seen and seen.once >= ENOUGH else total
    added, least = joules(metered), max(joules(batch), joules(others))
    if why == TWICE:  # the steps, unless the batch script's node had more
        return Counted(least, why, rows, most=added)
    odd = own and counts and not any(_near(own, one) for one in (taken, added))
    return Counted(taken, why, rows, own=own if odd else None)


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= (1 - ENOUGH) * max(one, other)


def _standing(
    row: Row, batch: list[Row], others: list[Row], share: float, above: bool
) -> list[Row]:
    """Those of an attempt's steps that have metered what all have, where the rows tell it.

    The batch script's, on one node: the others run within it.  On several the others, where they
    are on all of them for nearly all of the time: its node is one of these.  ``share``: its energy
    over theirs; ``above``: over that of each.
    """
    nodes, seen = _nodes(row), _covered(row, others)
    twice = seen is not None and seen.twice > 1 - ENOUGH
    if nodes == 1 and (share >= 1 or (twice and above)):
        return batch
    told = nodes is not None and nodes > 1 and all(_nodes(step) for step in others)
    if told and share <= 1 and seen is not None and seen.once >= ENOUGH and not twice:
        return others
    return others if told and twice else [*batch, *others]


def _covered(row: Row, counts: list[Row]) -> Covered | None:
    """Of how much of an attempt's time those of its steps tell; None where it cannot be told."""
    seconds = _lasted(row)
    if not seconds or not counts:
        return None
    nodes = _nodes(row) or 1.0
    spans = [span_of(step, _lasted(step), _nodes(step) or nodes) for step in counts]
    known: list[Span] = [span for span in spans if span is not None]
    return covered(known, seconds, nodes) if len(known) == len(spans) else None


def _nodes(row: Row) -> float | None:
    """On how many nodes a row is, as far as it says it."""
    found = _NODE.search(tres_of(row))
    return number(row.get("NNodes")) or (float(found[1]) if found else None)


def _lasted(row: Row) -> float | None:
    """Seconds that an attempt or a step ran, as far as its row says it."""
    raw = number(row.get("ElapsedRaw"))
    return seconds_of(row.get("Elapsed")) if raw is None else raw


_NODE = re.compile(r"(?:^|,)node=(\d+)(?:,|$)")

#: why energy that Slurm added is not that of the nodes
TWICE = "the batch script's counter and its steps' are added: one node may be in it twice"
#: and that of steps beside one another
AT_ONCE = "steps that ran at once on a node counted all of it each: it is in their sum twice"


def _lacking(row: Row, counts: list[Row], seen: Covered | None) -> str:
    """Why the energy of those steps is not that of the attempt; empty where it may be.

    The batch script runs on the first node alone, and reads that node's counter.
    """
    batch = sum(job_of(step).endswith(".batch") for step in counts)
    nodes = _nodes(row) or 1.0
    if batch and batch < len(counts):
        return TWICE
    if batch and nodes > 1:
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


#: seconds by which times that are printed apart may differ, and those of a clock that is set back
_CLOCK, _SUMMER = 60.0, 3600.0


def elapsed_of(row: Row, name: str, problems: list[Problem]) -> float | None:
    """Seconds that an attempt ran; None where it never started."""
    raw, text = row.get("ElapsedRaw", ""), row.get("Elapsed", "")
    seconds = _lasted(row)
    if seconds is None and (raw or text) and not in_state(row, WAITING):
        column = "ElapsedRaw" if raw else "Elapsed"
        problems.append(at(name, row, column, "a time, such as 3600 or 1-02:03:04"))
    return seconds


def beyond_its_span(row: Row, name: str, seconds: float | None) -> list[Problem]:
    """What is wrong with a row that ran for longer than it was there."""
    began, ended = (moment(row.get(column, "")) for column in ("Start", "End"))
    if seconds is None or began is None or ended is None or ended < began:
        return []
    over = seconds - (ended - began)
    if over <= _CLOCK or abs(over - _SUMMER) <= _CLOCK:
        return []
    column = "ElapsedRaw" if row.get("ElapsedRaw", "") else "Elapsed"
    return [at(name, row, column, f"at most the {ended - began:,.0f} s from Start to End")]


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
