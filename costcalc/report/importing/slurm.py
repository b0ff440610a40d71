"""``sacct -P`` (ask for ``-D`` too, or earlier attempts of requeued jobs are hidden).

Wanted columns: JobID (or JobIDRaw), State, ElapsedRaw, AllocTRES, and where there are JobName,
ConsumedEnergyRaw, Submit, Start, Restarts.  A job has an allocation row and rows of steps
(``123.batch``): hours count from the allocation row, joules from the steps.  Energy 0, or Slurm's
sign for no value, is a cluster without an energy plugin: unknown, never 0.  On MI250X Slurm counts
graphics compute dies, two a module.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from costcalc.base.errors import MAX_LISTED, InputError, Problem
from costcalc.base.human import number_of
from costcalc.calculator.plausible import BELOW_IDLE
from costcalc.report.importing.build import Recorded, report
from costcalc.report.importing.cells import Row, refuse, table
from costcalc.report.importing.costed import Costing
from costcalc.report.importing.neighbours import neighbours
from costcalc.report.importing.sacct import (
    ELSEWHERE,
    FAILED,
    MOST_WATTS,
    NEEDED,
    OTHERS,
    RUNNING,
    TWICE,
    WAITING,
    Counted,
    beyond_its_span,
    counted,
    elapsed_of,
    held_by,
    in_state,
    job_of,
    tres_of,
)
from costcalc.report.importing.tres import Accelerators
from costcalc.report.rated import bounds
from costcalc.report.tools import BOUNDARIES, SLURM, STILL_RUN, WAIT
from costcalc.report.tools import RUNNING as NOT_OVER

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report


# Why a job's energy is not known.
_SILENT = "Slurm recorded no energy: 0 or nothing, as without an energy plugin"
_NO_JSON = (
    "JSON of sacct is not read; give the table that sacct -P --format=JobID,JobName,State,"
    "AllocTRES,ElapsedRaw,ConsumedEnergyRaw,Submit,Start,NNodes,NodeList prints"
)
_DOUBTED = "the energy that Slurm recorded is "
_CANNOT_BE = f"{_DOUBTED}none that the job can have drawn: see warnings"
_OF_A_PART = f"{_DOUBTED}of a part of the job: see warnings"
_OF_SEVERAL = f"{_DOUBTED}of several jobs on one node at once: see warnings"


def read(text: str, name: str, *, identify: bool = False, costing: Costing | None = None) -> Report:
    """The report of a table: each attempt of each job is a run.

    Raises:
        InputError: a column is missing, a cell cannot be read, or no job has run.
    """
    if text.lstrip().startswith("{"):
        raise refuse(name, _NO_JSON, 1)
    rows = table(
        text,
        name,
        NEEDED,
        "a table of sacct -P with its header",
        said="no sacct -P table",
        also=OTHERS,
        delimiter="|",
        quotes=False,
    )
    listed = [row for row in rows if job_of(row)]
    rows = list({tuple(row.items()): row for row in reversed(listed)}.values())[::-1]
    again = len(listed) - len(rows)
    here = [row for row in rows if not in_state(row, ELSEWHERE)]
    attempts, steps = _attempts(here)
    problems: list[Problem] = []
    held = [held_by(row, name, problems) for row in attempts]
    warnings: list[str] = []
    energies = [counted(row, own, name, problems) for row, own in zip(attempts, steps, strict=True)]
    on_devices = any(
        one.count or one.why or "gres" in tres_of(row).lower()
        for row, one in zip(attempts, held, strict=True)
    )
    counters = [
        None if energy.joules is None else elapsed_of(row, name, [])
        for row, energy in zip(attempts, energies, strict=True)
    ]
    shared = neighbours(attempts, counters)
    runs: list[Recorded] = []
    told = zip(attempts, held, energies, strict=True)
    for index, (row, found, energy) in enumerate(told, 1):
        seconds = elapsed_of(row, name, problems)
        problems += beyond_its_span(row, name, seconds)
        if not seconds:
            continue
        count = found.count
        if count is None and on_devices and not found.why and tres_of(row):
            count = 0.0
        joules = energy.joules
        doubt = "" if joules is None else _disbelieved(index, joules, seconds, found, count)
        silent = _CANNOT_BE if doubt else _SILENT
        if energy.why and energy.why != TWICE:  # what is added twice is said of the table
            doubt = f"job {index}: {energy.why}; its energy is taken as unknown"
            silent = _OF_A_PART
        warnings += [doubt] if doubt else []
        believed = None if doubt or index - 1 in shared else joules
        silent = _OF_SEVERAL if index - 1 in shared and not doubt else silent
        if energy.own is not None and not doubt:
            warnings.append(_own(index, energy.own, joules or 0.0))
        made = _run(row, index, seconds, found, count, believed, silent, identify=identify)
        if believed is not None and energy.most is not None:
            made = replace(made, energy_high=energy.most / 3.6e6)
        runs.append(replace(made, at=(name, row.line)))
    if problems:
        raise InputError(problems[:MAX_LISTED])
    if not runs:
        raise refuse(
            name, "no job of the table has run on an accelerator or for a time that is known"
        )
    return report(
        runs,
        name="Slurm jobs",
        tool=SLURM,
        version=None,
        boundary=BOUNDARIES[SLURM],
        warnings=[
            *warnings,
            *_at_once(shared),
            *_notes(attempts, energies, held),
            *_elsewhere(len(rows) - len(here)),
            *[f"rows that stand twice count once: {again}"] * bool(again),
        ],
        costing=costing,
    )


def _cluster(row: Row) -> str:
    """What tells jobs of a federation apart; nothing where the table names no cluster."""
    return f"{row['Cluster']}/" if row.get("Cluster") else ""


def _at_once(shared: Mapping[int, tuple[int, str]]) -> Iterator[str]:
    """What is said of jobs that share a node's counter, the first of them by name."""
    for index, (other, node) in list(shared.items())[:1]:
        yield (
            f"jobs that ran on one node at the same time, so that its counter is in the energy of "
            f"each: {len(shared)} (job {index + 1} beside job {other + 1} on {node}, …); their "
            "energy is taken as unknown"
        )


def _elsewhere(rows: int) -> list[str]:
    """What is said of rows of jobs that another cluster of the federation ran."""
    return [f"rows of jobs that another cluster of the federation ran: {rows}"] * bool(rows)


def _disbelieved(
    index: int, joules: float, seconds: float, found: Accelerators, devices: float | None
) -> str:
    """What is said of energy that no node can have drawn, or that its boards draw when idle."""
    watts = joules / seconds
    if watts > MOST_WATTS * max(devices or 1.0, 1.0):
        return (
            f"job {index}: {joules / 3.6e6:,.0f} kWh would be "
            f"{watts / max(devices or 1.0, 1.0) / 1000:,.0f} kW a device; a counter that wrapped, "
            "taken as unknown"
        )
    named = ", ".join(kind.lower() for kind in found.kinds)
    known = bounds(named, "", devices)
    idle = (known.idle or 0.0) * (devices or 0.0)
    whole = idle + (known.least_host or 0.0) * (devices or 0.0)
    if watts >= BELOW_IDLE * whole:
        return ""
    least = f"{idle:.3g} W when idle"
    if watts >= BELOW_IDLE * idle:
        least = f"{whole:.3g} W when idle with their host (a meter of a part of the node?)"
    return (
        f"job {index}: {joules / 3.6e6:.3g} kWh would be {watts:.3g} W, and the boards that it "
        f"held draw {least}; taken as unknown"
    )


def _own(index: int, own: float, taken: float) -> str:
    return (
        f"job {index}: its own row says {own / 3.6e6:.3g} kWh, its steps {taken / 3.6e6:.3g} kWh: "
        "one of them is wrong; that of the steps is taken"
    )


def _notes(attempts: list[Row], energies: list[Counted], held: list[Accelerators]) -> list[str]:
    """What a reader of the table's report has to know."""
    notes = []
    kinds = {kind.lower() for one in held for kind in one.kinds}
    if any("mi250" in kind or "gcd" in kind for kind in kinds):
        notes.append("devices are GCDs as Slurm counts them: two a MI250X module")
    if any(re.search(r"\dg\.\d+gb", kind) for kind in kinds):
        notes.append("a MIG instance counts as its share of the device's compute slices")
    unknown = [one.why for one in held if one.why]
    notes += [f"{why}: {number_of(unknown.count(why), 'job')}" for why in dict.fromkeys(unknown)]
    if any(energy.why == TWICE for energy in energies):
        notes.append(
            "energy of batch scripts and of their srun steps: a counter that both read at the same "
            "time is in their sum, which Slurm says of the job, twice; the larger is taken, and "
            "the range goes up to the sum"
        )
    if any(in_state(row, RUNNING) for row in attempts):
        notes.append(STILL_RUN)
    waiting = sum(in_state(row, WAITING) for row in attempts)
    if waiting:
        notes.append(f"{WAIT}: {waiting}")
    jobs = [(row.get("Cluster"), job_of(row)) for row in attempts]
    if len(set(jobs)) == len(jobs):
        notes.append("without sacct -D (--duplicates) earlier attempts of requeued jobs are hidden")
    return notes


def _attempts(rows: list[Row]) -> tuple[list[Row], list[list[Row]]]:
    """Allocation rows, each with the steps of the same job, in whatever order the table has them.

    Steps belong to the last attempt before them; those before any, to the first.
    """
    attempts: list[Row] = []
    steps: list[list[Row]] = []
    last: dict[tuple[str, str], int] = {}
    early: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        job, _, step = job_of(row).partition(".")
        key = (row.get("Cluster", ""), job)
        if not step:
            last[key] = len(attempts)
            attempts.append(row)
            steps.append(early.pop(key, []))
        elif key in last:
            steps[last[key]].append(row)
        else:
            early.setdefault(key, []).append(row)
    return attempts, steps


def _run(
    row: Row,
    index: int,
    seconds: float,
    found: Accelerators,
    devices: float | None,
    joules: float | None,
    silent: str,
    *,
    identify: bool,
) -> Recorded:
    """One attempt.  Where Slurm counts GPUs, a job without any has none.

    ``silent``: why its energy is not known, where it is not.
    """
    attempt = "|".join(row.get(column, "") for column in ("Submit", "Start", "Restarts"))
    label = f"{row.get('JobName') or 'job'} {job_of(row)}" if identify else f"job {index}"
    lacking = "Slurm names no accelerators: it counts none, or not by gres/gpu"
    return Recorded(
        key=f"{_cluster(row)}{job_of(row)}|{attempt if attempt.strip('|') else index}",
        name=label,
        role="failed" if in_state(row, FAILED) else "unknown",
        state=NOT_OVER if in_state(row, RUNNING) else None,
        hours=seconds / 3600,
        devices=devices,
        hardware=", ".join(kind.lower() for kind in found.kinds) or None,
        energy_it=None if joules is None else joules / 3.6e6,
        why={
            "device_hours": found.why or lacking,
            "energy_it": silent,
            "energy": silent if joules is None else "the PUE is not known",
            "carbon_operational": "neither PUE nor grid is known to Slurm",
        },
    )
