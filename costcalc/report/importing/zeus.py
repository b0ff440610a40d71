"""``ZeusMonitor(log_file=…)``: a row a window, with the energy of each GPU in joules.

Windows may lie in one another: those inside a longer one are in its energy already.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from costcalc.base.errors import InputError, Problem
from costcalc.base.human import number_of
from costcalc.report.importing.build import Recorded, report
from costcalc.report.importing.cells import Row, at, number, refuse, table
from costcalc.report.importing.costed import Costing
from costcalc.report.tools import BOARDS

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

CLOSE = 1e-3  # seconds by which windows may touch: starts and lengths are rounded
_GPU = re.compile(r"gpu(\d+)_energy")


def read(text: str, name: str, *, identify: bool = False, costing: Costing | None = None) -> Report:
    """The report of a log: each outermost window is a run.

    Raises:
        InputError: a column is missing, a cell cannot be read, or windows overlap in part.
    """
    rows = table(
        text,
        name,
        [["start_time"], ["window_name"], ["elapsed_time"]],
        "the log of a ZeusMonitor",
        said="no CSV",
    )
    columns = [column for column in (rows[0] if rows else ()) if _GPU.fullmatch(column)]
    if not columns:
        raise refuse(name, "expected columns gpu0_energy, …; the log has none")
    problems: list[Problem] = []
    for row in rows:
        problems += [
            at(name, row, column, "a number")
            for column in ("start_time", "elapsed_time", *columns)
            if number(row.get(column)) is None
        ]
    if problems:
        raise InputError(problems[:20])
    windows = _outermost(rows, name)
    runs = [_run(row, columns, i, identify) for i, row in enumerate(windows, 1)]
    inner = len(rows) - len(windows)
    verb = "lies in another and is in its" if inner == 1 else "lie in others and are in their"
    notes = [f"{number_of(inner, 'window')} {verb} energy already"] if inner else []
    others = [c for c in rows[0] if c.endswith("_energy") and c not in columns]
    if others:
        notes.append(f"energy of other parts is not counted: {', '.join(others)}")
    return report(
        runs, name="Zeus windows", tool="Zeus", version=None, boundary=BOARDS,
        warnings=[f"energy: {BOARDS}", *notes], costing=costing,
    )  # fmt: skip


def _span(row: Row) -> tuple[float, float]:
    start = number(row["start_time"]) or 0.0
    return start, start + (number(row["elapsed_time"]) or 0.0)


def _outermost(rows: list[Row], name: str) -> list[Row]:
    """Rows whose window lies in no other; of equal ones the first.

    Raises:
        InputError: windows overlap in part: what they share would count twice.
    """
    ordered = sorted(rows, key=lambda row: (_span(row)[0], -_span(row)[1]))
    kept: list[Row] = []
    for row in ordered:
        start, end = _span(row)
        before = _span(kept[-1])[1] if kept else float("-inf")
        if end <= before + CLOSE:
            continue
        if start < before - CLOSE:
            raise refuse(name, _overlap(row, kept[-1]), row.line)
        kept.append(row)
    return kept


def _overlap(row: Row, other: Row) -> str:
    return (
        f'window "{row["window_name"]}" overlaps "{other["window_name"]}" of line {other.line} in '
        "part: the energy of both counts twice; keep one of them"
    )


def _run(row: Row, columns: list[str], index: int, identify: bool) -> Recorded:
    joules = sum(number(row[column]) or 0.0 for column in columns)
    return Recorded(
        key=f"{row['start_time']}|{row['window_name']}",
        name=row["window_name"] if identify else f"window {index}",
        hours=(number(row["elapsed_time"]) or 0.0) / 3600,
        devices=float(len(columns)),
        energy_it=joules / 3.6e6,
        why={
            "energy": "the PUE is not known",
            "carbon_operational": "neither PUE nor grid is recorded",
        },
    )
