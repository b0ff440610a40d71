"""CodeCarbon's ``emissions.csv``: a row a run; of one that was flushed the last of several counts.

Which rows with one ``run_id`` are one run is told in ``flushes.py``.  A file of tasks
(``task_name``) has a row a task: those of a run add up.  CodeCarbon multiplies power and energy by
its ``pue`` itself (default 1), and its emissions are ``energy_consumed`` times its own grid factor:
both are taken as recorded.  In its mode ``machine`` every process meters all of the machine: rows
of the same time and machine may be one energy written by several ranks.  So may rows of its mode
``process`` with energy of GPUs: the mode goes to memory and to the model of processors alone, and
GPUs are metered whole (codecarbon/core/resource_tracker.py, ``GPU.from_utils``).
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from costcalc.base.errors import InputError, Problem
from costcalc.base.human import number_of
from costcalc.report.importing.build import Recorded, report
from costcalc.report.importing.cells import Row, at, number, refuse, table
from costcalc.report.importing.costed import Costing, own_grid, own_pue
from costcalc.report.importing.flushes import counted, span
from costcalc.report.meters import of_parts, unlike_sum
from costcalc.report.ranks import ALIKE, TOGETHER, Span, together
from costcalc.report.tools import BOUNDARIES, OWN_FACTOR, TIMES_ITS_PUE

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

_NEEDED = ("duration", "energy_consumed", "emissions")
#: what energy_consumed is the sum of, each behind the PUE as it is
_PARTS = {"cpu_energy": "cpu", "gpu_energy": "gpu", "ram_energy": "ram"}
_COUNT = re.compile(r"^\s*(\d+)\s*x\s+(.*)$")
_MACHINE = ("cpu_model", "cpu_count", "gpu_model", "gpu_count", "ram_total_size",
            "country_iso_code", "region", "cloud_region")  # fmt: skip
_ENERGY = "CodeCarbon recorded no energy"
_NAMED = 5  # rows that do not add up, named one by one


def read(
    text: str,
    name: str,
    *,
    identify: bool = False,
    costing: Costing | None = None,
    ranks: str | None = None,
) -> Report:
    """The report of an ``emissions.csv``.

    ``ranks`` says of rows that look like several ranks metering one machine at once: ``one`` that
    they are, and count once; ``each`` that each had a machine of its own.

    Raises:
        InputError: a column is missing, a cell cannot be read, no row is there, or rows may be one
            machine's energy several times and ``ranks`` does not say.
    """
    rows = table(
        text,
        name,
        [[column] for column in _NEEDED],
        "the columns of CodeCarbon",
        said="no CSV",
        also=(*_PARTS, "task_name", "run_id", "experiment_id", "timestamp"),
    )
    _readable(rows, name)
    found: dict[str, list[Row]] = {}
    nameless: dict[object, int] = {}  # rows without an id that are the same to the second
    for index, row in enumerate(rows):
        key = "|".join(row.get(column, "") for column in ("run_id", "experiment_id"))
        own = nameless.setdefault(tuple(row.items()), index) if row.get("timestamp") else index
        found.setdefault(key if key.strip("|") else f"row {own}", []).append(row)
    if not found:
        raise refuse(name, "holds no run")
    whole = counted(found, name)
    kept, notes = _once(whole.rows, name, ranks)
    runs = [_run(key, index, row, identify) for index, (key, row) in enumerate(kept.items(), 1)]
    first = next(iter(kept.values()))
    return report(
        runs,
        name=first.get("project_name") or "codecarbon" if identify else "CodeCarbon",
        tool="CodeCarbon",
        version=first.get("codecarbon_version") or None,
        boundary=BOUNDARIES["CodeCarbon"] + TIMES_ITS_PUE * own_pue(costing),
        warnings=[*[OWN_FACTOR] * own_grid(costing), *whole.notes, *notes, *_sums(runs)],
        costing=costing,
    )


def _readable(rows: Sequence[Row], name: str) -> None:
    problems: list[Problem] = []
    for row in rows:
        problems += [
            at(name, row, column, "a number")
            for column in (*_NEEDED, *_PARTS)
            if row.get(column, "") and number(row[column]) is None and row[column] != "nan"
        ]
    if problems:
        raise InputError(problems)


def _once(
    rows: Mapping[str, Row], name: str, ranks: str | None
) -> tuple[Mapping[str, Row], list[str]]:
    """The rows without those of further ranks on one machine, and what was left out."""
    machines = _machines(rows)
    several = [keys for keys in machines if len(keys) > 1]
    if not several or ranks == "each":
        return rows, []
    if ranks != "one":
        problems = []
        for keys in several:
            lines = ", ".join(str(rows[key].line) for key in keys)
            message = (
                f"rows of lines {lines} meter the same kind of machine at the same time: one "
                "machine's energy written by several ranks, or as many machines; say --ranks one "
                "or --ranks each"
            )
            line = rows[keys[-1]].line
            problems.append(Problem(key="tracking_mode", message=message, file=name, line=line))
        raise InputError(problems)
    dropped = set[str]()
    for keys in several:
        of_all = (k for k in keys if all(_within(rows[other], rows[k]) for other in keys))
        whole = next(of_all, None)
        if whole is None:
            lines = ", ".join(str(rows[key].line) for key in keys)
            message = (
                f"rows of lines {lines} share a part of their time alone: what they metered apart "
                "would be lost; say --ranks each where each had a machine of its own, else cut "
                "them where another begins or ends"
            )
            line = rows[keys[-1]].line
            raise InputError(Problem(key="tracking_mode", message=message, file=name, line=line))
        dropped |= set(keys) - {whole}
    lines = ", ".join(str(rows[key].line) for key in rows if key in dropped)
    note = f"rows of lines {lines} meter a machine that another row counts already: left out"
    return {key: row for key, row in rows.items() if key not in dropped}, [note]


def _within(one: Row, other: Row) -> bool:
    """Whether a row's time is within another's, but for what ranks begin and end apart."""
    own, its = span(one), span(other)
    if own is None or its is None:
        return False
    shared = min(own[1], its[1]) - max(own[0], its[0])
    return shared >= (1 - ALIKE) * (own[1] - own[0])


def _machines(rows: Mapping[str, Row]) -> list[list[str]]:
    """The keys of rows, those together that may be ranks which metered one machine at once."""
    made: list[list[str]] = []
    begun: dict[object, list[tuple[float, int]]] = {}  # by kind of machine: begins, and which it is
    for key, row in rows.items():
        own, beside = span(row), begun.setdefault(_kind(row), [])
        if own is None or not _of_all(row):
            made.append([key])
            continue
        near = sorted(number for _, number in _near(beside, own))
        found = next((made[n] for n in near if _at_once(rows[made[n][0]], row)), None)
        if found is None:
            insort(beside, (own[0], len(made)))
            made.append([key])
        else:
            found.append(key)
    return made


def _of_process(row: Row) -> bool:
    return row.get("tracking_mode") == "process"


def _of_all(row: Row) -> bool:
    """Whether a row holds what all of a machine drew, or of its GPUs all."""
    return not _of_process(row) or bool(number(row.get("gpu_energy")))


def _kind(row: Row) -> object:
    return tuple(row.get(column) for column in _MACHINE)


def _near(begun: Sequence[tuple[float, int]], own: Span) -> Sequence[tuple[float, int]]:
    """Those of the begins that may have the longer's ``TOGETHER`` with a row.

    Neither is then longer than the other by more than 1 / TOGETHER, and neither begins later than
    the rest of that.
    """
    apart = (1 - TOGETHER) / TOGETHER * (own[1] - own[0]) + 1e-6
    first, last = own[0] - apart, own[0] + apart
    return begun[bisect_left(begun, (first, -1)) : bisect_right(begun, (last, math.inf))]


def _at_once(a: Row, b: Row) -> bool:
    """Whether two rows of one kind of machine may be two ranks that metered one at once."""
    spans = [one for one in (span(a), span(b)) if one is not None]
    alone = any(_of_process(row) for row in (a, b))  # which have the GPUs' in common
    column = "gpu_energy" if alone else "energy_consumed"
    energies = [number(row.get(column)) or 0.0 for row in (a, b)]
    return len(spans) == 2 and together(spans, energies) >= TOGETHER


def _run(key: str, index: int, row: Row, identify: bool) -> Recorded:
    seconds, energy = number(row.get("duration")), number(row.get("energy_consumed"))
    emissions = number(row.get("emissions"))
    pue = number(row.get("pue")) or 1.0
    energy = energy or None  # 0 is a meter that saw nothing
    grid = emissions / energy * 1000 if emissions is not None and energy else None
    why = {"energy": _ENERGY, "energy_it": _ENERGY}
    if energy is None:
        why["carbon_operational"] = "no energy to go with it"
    devices, model = _hardware(row)
    if devices is None:
        why["device_hours"] = "no GPU was counted" if not model else "the number is not recorded"
    return Recorded(
        key=f"{key}|{row.get('timestamp') or ''}" if key.startswith("row ") else key,
        name=str(row.get("project_name") or f"run {index}") if identify else f"run {index}",
        hours=None if seconds is None else seconds / 3600,
        devices=devices,
        hardware=model,
        energy_it=None if energy is None else energy / pue,
        pue=pue,
        grid=grid,
        began=_began(row),
        machine=_machine(row),
        place=_region(row),
        parts=_parts(row, pue),
        why=why,
    )


def _parts(row: Row, pue: float) -> dict[str, float]:
    """What of the energy (kWh before PUE) each part of the machine drew, as far as it is said."""
    said = {name: number(row.get(column)) for column, name in _PARTS.items()}
    return {name: energy / pue for name, energy in said.items() if energy is not None}


def _sums(runs: Sequence[Recorded]) -> list[str]:
    """What is said of rows whose total is another than that of its parts."""
    found = [(run, line) for run in runs for line in unlike_sum(run.parts, run.energy_it)]
    said = [f"{run.name}: {line}; one of them is wrong" for run, line in found[:_NAMED]]
    wrong = {id(run) for run, _ in found}
    fine = [run for run in runs if id(run) not in wrong]
    said += sorted({of_parts(run.parts, run.energy_it) for run in fine} - {""})
    return said + [f"and {number_of(len(found) - _NAMED, 'run')} more likewise"] * (
        len(found) > _NAMED
    )


def _began(row: Row) -> str | None:
    """When a row began, on the clock that its stamp is of."""
    seconds = number(row.get("duration"))
    if seconds is None or span(row) is None:
        return None
    began = datetime.fromisoformat(row["timestamp"]) - timedelta(seconds=seconds)
    return began.isoformat(timespec="seconds")


def _machine(row: Row) -> str | None:
    """What machines are told apart by, where all of one was metered."""
    return None if not _of_all(row) else "|".join(row.get(column, "") for column in _MACHINE)


def _hardware(row: Row) -> tuple[float | None, str | None]:
    """Devices and what they are: ``2 x NVIDIA A100-SXM4-80GB``."""
    model = row.get("gpu_model", "")
    found = _COUNT.match(model)
    count = number(row.get("gpu_count")) or (float(found[1]) if found else None)
    return count or None, (found[2] if found else model) or None


def _region(row: Row) -> str | None:
    parts = [row.get(column, "") for column in ("cloud_provider", "cloud_region")]
    if all(parts):
        return ":".join(parts)
    parts = [row.get(column, "") for column in ("region", "country_name")]
    return ", ".join(part for part in parts if part) or None
