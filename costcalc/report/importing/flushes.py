"""Several rows of CodeCarbon with one ``run_id``: what of them is of one run, and what counts.

A tracker that is flushed writes a row each time, with its totals so far.  Stopped and started again
it keeps its ``run_id`` and its energy, which goes on growing, and counts its ``duration`` anew
(``EmissionsTracker.stop`` and ``start`` of CodeCarbon 3).  No total of one tracker ever falls: rows
in which one does are of several trackers.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise

from costcalc.base.errors import InputError, Problem
from costcalc.report.importing.cells import Row, number

_TOTALS = ("energy_consumed", "emissions")
_TASKS = ("duration", *_TOTALS, "cpu_energy", "gpu_energy", "ram_energy")
_ROUNDED = 1e-6  # of a total: what writing it may take away
_CLOCKS = 2.0  # seconds by which two rows of one start may say another begin
_CHANGE = 3600.0  # seconds that a clock goes forward or back between summer and winter


@dataclass(slots=True)
class Counted:
    """The rows that count, by what tells their runs apart, and what is to be said of them."""

    rows: dict[str, Row] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def counted(found: Mapping[str, Sequence[Row]], name: str) -> Counted:
    """One row a run of those that share a key; tasks of a run add up.

    Raises:
        InputError: rows of one key whose totals fall while they overlap in time, or do not say
            when they were: which of them are one run cannot be told.
    """
    made = Counted()
    for key, rows in found.items():
        own = list({tuple(row.items()): row for row in reversed(rows)}.values())[::-1]
        if len(own) < len(rows):
            made.notes.append(
                f"rows that stand twice count once: {len(rows) - len(own)} of the run of line "
                f"{rows[0].line}"
            )
        tasks = [row for row in own if row.get("task_name")]
        if tasks and len(tasks) < len(own):
            made.problems.append(_unclear(own, name, "are tasks and whole runs"))
        elif tasks:
            made.rows[key] = _sum(tasks)
        else:
            _runs(key, own, name, made)
    if made.problems:
        raise InputError(made.problems)
    return made


def span(row: Row) -> tuple[float, float] | None:
    """Begin and end of a row, in seconds of the clock that stamped it."""
    seconds = number(row.get("duration"))
    try:
        end = datetime.fromisoformat(row.get("timestamp", ""))
    except ValueError:
        return None
    if seconds is None:
        return None
    # a stamp without a zone is of the machine's clock, not of the reader's
    stamp = (end if end.tzinfo else end.replace(tzinfo=UTC)).timestamp()
    return stamp - seconds, stamp


def _sum(tasks: Sequence[Row]) -> Row:
    made = Row(tasks[-1])
    made.line = tasks[0].line
    for column in (one for one in _TASKS if one in made):
        made[column] = repr(sum(number(row.get(column)) or 0.0 for row in tasks))
    return made


@dataclass(slots=True)
class _Tracker:
    """The rows of one tracker in their order, and the seconds before it was last started again."""

    rows: list[Row]
    earlier: float = 0.0

    def whole(self) -> Row:
        """Its last row, with all of its time."""
        row = Row(self.rows[-1])
        row.line = self.rows[-1].line
        if self.earlier:
            row["duration"] = repr(self.earlier + (number(row.get("duration")) or 0.0))
        return row


def _runs(key: str, rows: Sequence[Row], name: str, made: Counted) -> None:
    """The runs of rows with one id: of one tracker the last row, its times added."""
    trackers = _trackers(rows, name)
    if isinstance(trackers, Problem):
        made.problems.append(trackers)
        return
    if len(trackers) > 1:
        lines = ", ".join(str(one.rows[-1].line) for one in trackers)
        made.notes.append(
            f"rows of lines {lines} have one run_id, are of times apart and count from 0 anew: "
            "runs of their own"
        )
    for index, one in enumerate(trackers):
        row = one.whole()
        if one.earlier:
            made.notes.append(
                f"the tracker of line {row.line} was stopped and started again: its times add up, "
                "its energy is the last row's"
            )
        own = key if not index else f"{key}|{row.get('timestamp')}"
        made.rows[f"{own}|{index}" if own in made.rows else own] = row  # two may end at one second


def _trackers(rows: Sequence[Row], name: str) -> list[_Tracker] | Problem:
    """Rows with one id by their trackers, the earliest first; or why they cannot be told apart."""
    spans = [span(row) for row in rows]
    known = [one for one in spans if one is not None]
    timed = len(known) == len(rows)
    if timed:
        order = sorted(range(len(rows)), key=lambda at: known[at][1])
        rows, known = [rows[at] for at in order], [known[at] for at in order]
    found = [_Tracker([rows[0]])]
    for at, (before, after) in enumerate(pairwise(rows)):
        apart = timed and _apart(known[at], known[at + 1])
        grew = all(_grew(before, after, column) for column in _TOTALS)
        if not apart and not (grew and _grew(before, after, "duration")):
            return _unclear([before, after], name, "say less after than before")
        if not grew:
            found.append(_Tracker([after]))
            continue
        if apart:
            found[-1].earlier += number(before.get("duration")) or 0.0
        found[-1].rows.append(after)
    return found


def _grew(before: Row, after: Row, column: str) -> bool:
    old, new = number(before.get(column)), number(after.get(column))
    return old is None or new is None or new >= old * (1 - _ROUNDED)


def _apart(before: tuple[float, float], after: tuple[float, float]) -> bool:
    """Whether a row began when an earlier one had ended, and no clock was changed between."""
    moved = after[0] - before[0]
    changed = abs(moved - _CHANGE) <= _CLOCKS and after[1] - after[0] > before[1] - before[0]
    return moved > _CLOCKS and after[0] >= before[1] - _CLOCKS and not changed


def _unclear(rows: Sequence[Row], name: str, what: str) -> Problem:
    lines = ", ".join(str(row.line) for row in rows)
    message = (
        f"rows of lines {lines} have one run_id and {what}: which of them are one run cannot be "
        "told; give each run an id of its own, or leave out the rows that another holds"
    )
    return Problem(key="run_id", message=message, file=name, line=rows[-1].line)
