"""``sacct -P`` (ask for ``-D`` too, or earlier attempts of requeued jobs are hidden).

Wanted columns: JobID (or JobIDRaw), State, ElapsedRaw, AllocTRES, and where there are JobName,
ConsumedEnergyRaw, Submit, Start, Restarts.  A job has an allocation row and rows of steps
(``123.batch``): hours count from the allocation row, joules from the steps.  Energy 0, or Slurm's
sign for no value, is a cluster without an energy plugin: unknown, never 0.  On MI250X Slurm counts
graphics compute dies, two a module.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from costcalc.base.errors import InputError, Problem
from costcalc.report.importing.build import Recorded, report
from costcalc.report.importing.cells import Row, at, number, refuse, table
from costcalc.report.importing.costed import Costing
from costcalc.report.importing.tres import Accelerators, accelerators

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

_NEEDED = (("JobID", "JobIDRaw"), ("AllocTRES", "ReqTRES"), ("ElapsedRaw", "Elapsed"))
_OTHERS = ("State", "JobName", "ConsumedEnergyRaw", "ConsumedEnergy", "Submit", "Start", "Restarts")
_TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)(?:\.\d+)?$")
#: sacct prints joules of ConsumedEnergy by thousands (Slurm, convert_num_unit2 with 1000)
_THOUSANDS = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15}
_JOULES = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGTP]?)", re.ASCII | re.IGNORECASE)
#: NO_VAL, INFINITE and their 64-bit kin (slurm.h)
NO_VALUES = frozenset({2**32 - 1, 2**32 - 2, 2**64 - 1, 2**64 - 2})
#: watts a device, or a job without any, beyond which no node draws: a counter that wrapped
MOST_WATTS = 20_000.0
_FAILED = (
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
_RUNNING = ("RUNNING", "SUSPENDED")
_WAITING = ("PENDING", "REQUEUE_HOLD", "REQUEUE_FED", "CONFIGURING")


def read(text: str, name: str, *, identify: bool = False, costing: Costing | None = None) -> Report:
    """The report of a table: each attempt of each job is a run.

    Raises:
        InputError: a column is missing, a cell cannot be read, or no job has run.
    """
    rows = table(
        text,
        name,
        _NEEDED,
        "a table of sacct -P with its header",
        said="no sacct -P table",
        also=_OTHERS,
        delimiter="|",
        quotes=False,
    )
    attempts, steps = _attempts([row for row in rows if _id(row)])
    held = [accelerators(_tres(row)) for row in attempts]
    problems: list[Problem] = []
    warnings: list[str] = []
    joules = [_energy(row, own, name, problems) for row, own in zip(attempts, steps, strict=True)]
    counted = any("gres/" in _tres(row) for row in attempts)
    runs: list[Recorded] = []
    for index, (row, found, energy) in enumerate(zip(attempts, held, joules, strict=True), 1):
        seconds = _elapsed(row, name, problems)
        if not seconds:
            continue
        count = found.count
        if count is None and counted and not found.why and _tres(row):
            count = 0.0
        if energy is not None and energy / seconds > MOST_WATTS * max(count or 1.0, 1.0):
            warnings.append(_wrapped(index, energy, seconds, count))
            runs.append(_run(row, index, seconds, found, count, None, identify=identify))
            continue
        runs.append(_run(row, index, seconds, found, count, energy, identify=identify))
    if problems:
        raise InputError(problems)
    if not runs:
        raise refuse(
            name, "no job of the table has run on an accelerator or for a time that is known"
        )
    return report(
        runs,
        name="Slurm jobs",
        tool="Slurm accounting",
        version=None,
        boundary="the nodes' energy counters as Slurm's energy plugin read them",
        warnings=[*warnings, *_notes(attempts, steps, held)],
        costing=costing,
    )


def _wrapped(index: int, joules: float, seconds: float, devices: float | None) -> str:
    """What is said of energy that no node can have drawn."""
    kilowatts = joules / seconds / max(devices or 1.0, 1.0) / 1000
    return (
        f"job {index}: {joules / 3.6e6:,.0f} kWh would be {kilowatts:,.0f} kW a device; a counter "
        "that wrapped, taken as unknown"
    )


def _notes(attempts: list[Row], steps: list[list[Row]], held: list[Accelerators]) -> list[str]:
    """What a reader of the table's report has to know."""
    notes = []
    kinds = {kind.lower() for one in held for kind in one.kinds}
    if any("mi250" in kind or "gcd" in kind for kind in kinds):
        notes.append("devices are GCDs as Slurm counts them: two a MI250X module")
    if any(re.search(r"\dg\.\d+gb", kind) for kind in kinds):
        notes.append("a MIG instance counts as its share of the device's compute slices")
    unknown = [one.why for one in held if one.why]
    notes += [f"{why}: {unknown.count(why)} jobs" for why in dict.fromkeys(unknown)]
    if any(_overlap(own) for own in steps):
        notes.append(
            "energy of batch scripts and of their srun steps is added, as Slurm does for the job; "
            "a counter of the node that both read at the same time is then in it twice"
        )
    if any(_started(row, _RUNNING) for row in attempts):
        notes.append("jobs that still run are counted so far")
    waiting = sum(_started(row, _WAITING) for row in attempts)
    if waiting:
        notes.append(f"jobs that wait in the queue are not counted: {waiting}")
    jobs = [_id(row) for row in attempts]
    if len(set(jobs)) == len(jobs):
        notes.append("without sacct -D (--duplicates) earlier attempts of requeued jobs are hidden")
    return notes


def _id(row: Row) -> str:
    return row.get("JobID") or row.get("JobIDRaw") or ""


def _tres(row: Row) -> str:
    return row.get("AllocTRES") or row.get("ReqTRES") or ""


def _attempts(rows: list[Row]) -> tuple[list[Row], list[list[Row]]]:
    """Allocation rows, each with the steps that follow it and belong to the same job."""
    attempts: list[Row] = []
    steps: list[list[Row]] = []
    for row in rows:
        job, _, step = _id(row).partition(".")
        if not step:
            attempts.append(row)
            steps.append([])
            continue
        if attempts and _id(attempts[-1]) == job:
            steps[-1].append(row)
    return attempts, steps


def _energy(row: Row, steps: list[Row], name: str, problems: list[Problem]) -> float | None:
    """Joules of an attempt: the sum of its steps, else its own; 0 is unknown."""
    found = [_joules(step, name, problems) for step in steps if not _id(step).endswith(".extern")]
    return sum(value for value in found if value) or _joules(row, name, problems) or None


def _joules(row: Row, name: str, problems: list[Problem]) -> float | None:
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


def _overlap(steps: list[Row]) -> bool:
    known = [step for step in steps if _joules(step, "", []) not in (None, 0.0)]
    batch = [step for step in known if _id(step).endswith(".batch")]
    return bool(batch) and any(_id(step).rpartition(".")[2].isdigit() for step in known)


def _elapsed(row: Row, name: str, problems: list[Problem]) -> float | None:
    """Seconds that an attempt ran; None where it never started."""
    raw, text = row.get("ElapsedRaw", ""), row.get("Elapsed", "")
    seconds = number(raw)
    seconds = _seconds(text) if seconds is None else seconds
    if seconds is None and (raw or text) and not _started(row, _WAITING):
        column = "ElapsedRaw" if raw else "Elapsed"
        problems.append(at(name, row, column, "a time, such as 3600 or 1-02:03:04"))
    return seconds


def _run(
    row: Row,
    index: int,
    seconds: float,
    found: Accelerators,
    devices: float | None,
    joules: float | None,
    *,
    identify: bool,
) -> Recorded:
    """One attempt.  Where Slurm counts GPUs, a job without any has none."""
    attempt = "|".join(row.get(column, "") for column in ("Submit", "Start", "Restarts"))
    label = f"{row.get('JobName') or 'job'} {_id(row)}" if identify else f"job {index}"
    no_energy = "Slurm recorded no energy: 0 or nothing, as without an energy plugin"
    lacking = "Slurm names no accelerators: it counts none, or not by gres/gpu"
    return Recorded(
        key=f"{_id(row)}|{attempt if attempt.strip('|') else index}",
        name=label,
        role="failed" if _started(row, _FAILED) else "final",
        hours=seconds / 3600,
        devices=devices,
        hardware=", ".join(kind.lower() for kind in found.kinds) or None,
        energy_it=None if joules is None else joules / 3.6e6,
        why={
            "device_hours": found.why or lacking,
            "energy_it": no_energy,
            "energy": no_energy if joules is None else "the PUE is not known",
            "carbon_operational": "neither PUE nor grid is known to Slurm",
        },
    )


def _started(row: Row, states: tuple[str, ...]) -> bool:
    return row.get("State", "").upper().startswith(states)


def _seconds(text: str | None) -> float | None:
    """``1-02:03:04`` in seconds."""
    found = _TIME.match(str(text or ""))
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
