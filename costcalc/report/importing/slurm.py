"""``sacct -P`` (ask for ``-D`` too, or earlier attempts of requeued jobs are hidden).

Wanted columns: JobID, State, ElapsedRaw, AllocTRES, and where there are JobName, ConsumedEnergyRaw,
Submit, Start, Restarts.  A job has an allocation row and rows of steps (``123.batch``): hours count
from the allocation row, joules from the steps.  Energy 0 is a cluster without an energy plugin:
unknown, never 0.  ``gres/gpu:a100=4`` says again what ``gres/gpu=4`` says: they are not added.
On MI250X Slurm counts graphics compute dies, two a module.
"""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING

from costcalc.report.importing.build import Recorded, Row, number, refuse, report, table

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

_NEEDED = (("JobID",), ("AllocTRES",), ("ElapsedRaw", "Elapsed"))
_TIME = re.compile(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)(?:\.\d+)?$")
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
_RUNNING = ("RUNNING", "PENDING", "SUSPENDED", "REQUEUE_HOLD")


def read(text: str, name: str, *, identify: bool = False) -> Report:
    """The report of a table: each attempt of each job is a run.

    Raises:
        InputError: a column is missing, or no job has run.
    """
    rows = table(
        text,
        name,
        _NEEDED,
        "a table of sacct -P with its header",
        said="no sacct -P table",
        delimiter="|",
        quoting=csv.QUOTE_NONE,
    )
    attempts, steps = _attempts([row for row in rows if row.get("JobID")])
    counted = any("gres/gpu" in str(row.get("AllocTRES") or "") for row in attempts)
    runs: list[Recorded] = []
    warnings: list[str] = []
    for index, (row, joules) in enumerate(zip(attempts, _joules(attempts, steps), strict=True), 1):
        run = _run(row, joules, index, identify=identify, counted=counted)
        if run is not None:
            runs.append(run)
    if not runs:
        raise refuse(
            name, "no job of the table has run on an accelerator or for a time that is known"
        )
    kinds = _kinds(attempts)
    if any("mi250" in kind or "gcd" in kind for kind in kinds):
        warnings.append("devices are GCDs as Slurm counts them: two a MI250X module")
    if any(_overlap(own) for own in steps):
        warnings.append(
            "energy of batch scripts and of their srun steps is added, as Slurm does for the job; "
            "a counter of the node that both read at the same time is then in it twice"
        )
    if any(_started(row, _RUNNING) for row in attempts):
        warnings.append("jobs that still run are counted so far")
    jobs = [str(row["JobID"]) for row in attempts]
    if len(set(jobs)) == len(jobs):
        warnings.append(
            "without sacct -D (--duplicates) earlier attempts of requeued jobs are hidden"
        )
    return report(
        runs,
        name="Slurm jobs",
        tool="Slurm accounting",
        version=None,
        boundary="the nodes' energy counters as Slurm's energy plugin read them",
        warnings=warnings,
    )


def _attempts(rows: list[Row]) -> tuple[list[Row], list[list[Row]]]:
    """Allocation rows, each with the steps that follow it and belong to the same job."""
    attempts: list[Row] = []
    steps: list[list[Row]] = []
    for row in rows:
        job, _, step = str(row["JobID"]).partition(".")
        if not step:
            attempts.append(row)
            steps.append([])
            continue
        if attempts and str(attempts[-1]["JobID"]) == job:
            steps[-1].append(row)
    return attempts, steps


def _joules(attempts: list[Row], steps: list[list[Row]]) -> list[float | None]:
    """Energy of each attempt: the sum of its steps, else its own; 0 is unknown."""
    made: list[float | None] = []
    for row, own in zip(attempts, steps, strict=True):
        found = [
            number(step.get("ConsumedEnergyRaw"))
            for step in own
            if not str(step["JobID"]).endswith(".extern")
        ]
        known = sum(value for value in found if value)
        made.append(known or number(row.get("ConsumedEnergyRaw")) or None)
    return made


def _overlap(steps: list[Row]) -> bool:
    known = [s for s in steps if number(s.get("ConsumedEnergyRaw"))]
    batch = [s for s in known if str(s["JobID"]).endswith(".batch")]
    return bool(batch) and any(str(s["JobID"]).rpartition(".")[2].isdigit() for s in known)


def _run(
    row: Row, joules: float | None, index: int, *, identify: bool, counted: bool
) -> Recorded | None:
    """One attempt.  Where Slurm counts GPUs (``counted``), a job without any has none."""
    seconds = number(row.get("ElapsedRaw"))
    seconds = _seconds(row.get("Elapsed")) if seconds is None else seconds
    if not seconds:
        return None
    tres = str(row.get("AllocTRES") or "")
    devices = accelerators(tres)
    if devices is None and counted and tres:
        devices = 0.0
    role = "failed" if _started(row, _FAILED) else "final"
    attempt = "|".join(str(row.get(c) or "") for c in ("Submit", "Start", "Restarts"))
    label = f"{row.get('JobName') or 'job'} {row['JobID']}" if identify else f"job {index}"
    no_energy = "Slurm recorded no energy: 0 or nothing, as without an energy plugin"
    return Recorded(
        key=f"{row['JobID']}|{attempt if attempt.strip('|') else index}",
        name=label,
        role=role,
        hours=seconds / 3600,
        devices=devices,
        hardware=", ".join(_kinds([row])) or None,
        energy_it=None if joules is None else joules / 3.6e6,
        why={
            "device_hours": "Slurm names no accelerators: it counts none, or not by gres/gpu",
            "energy_it": no_energy,
            "energy": no_energy if joules is None else "the PUE is not known",
            "carbon_operational": "neither PUE nor grid is known to Slurm",
        },
    )


def _started(row: Row, states: tuple[str, ...]) -> bool:
    return str(row.get("State") or "").upper().startswith(states)


def accelerators(tres: str) -> float | None:
    """Accelerators of a TRES string, none counted twice; None where it names none.

    >>> accelerators("cpu=64,gres/gpu:a100=4,gres/gpu=4,node=1")
    4.0
    >>> accelerators("gres/gpu:a100=4,gres/gpu:h100=2")
    6.0
    """
    total: float | None = None
    typed = 0.0
    for item in tres.split(","):
        key, _, amount = item.partition("=")
        value = number(amount)
        if value is None:
            continue
        if key == "gres/gpu":
            total = value
        elif key.startswith("gres/gpu:"):
            typed += value
    return (total if total is not None else typed) or None


def _kinds(rows: list[Row]) -> list[str]:
    found: dict[str, None] = {}
    for row in rows:
        for kind in re.findall(r"gres/gpu:([\w.-]{1,60})=", str(row.get("AllocTRES") or "")):
            found[kind.lower()] = None
    return list(found)


def _seconds(text: str | None) -> float | None:
    """``1-02:03:04`` in seconds."""
    found = _TIME.match(str(text or ""))
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)
