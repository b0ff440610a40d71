"""Runs of several reports that metered one machine at once: its energy is to count once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from costcalc.base.errors import InputError, Problem

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

#: ranks of one machine agree to this share in their hours, and to twice as much in their energy
ALIKE = 0.05
#: so begins what is said of a report that was not counted
LEFT_OUT = "left out, as another rank metered the same machine"
Pair = tuple[str, "Report"]
Run = Mapping[str, object]


def once(pairs: Sequence[Pair], ranks: str | None) -> tuple[list[Pair], list[str]]:
    """The reports to merge, and what was left out.

    ``ranks`` says of runs that may be one machine's energy several times: ``one`` that they are and
    count once, ``each`` that each had a machine of its own.

    Raises:
        InputError: there are such runs and ``ranks`` does not say, or only some of the runs of a
            report are such.
    """
    if ranks == "each":
        return list(pairs), []
    kept: list[Pair] = []
    notes: list[str] = []
    problems: list[Problem] = []
    for file, report in pairs:
        runs: Sequence[Run] = report.get("runs") or []
        twins = [_twin(run, kept) for run in runs]
        found = [twin for twin in twins if twin is not None]
        if not found:
            kept.append((file, report))
            continue
        named = ", ".join(
            f"{run.get('id')} as {twin[1]} of {twin[0]}"
            for run, twin in zip(runs, twins, strict=True)
            if twin is not None
        )
        if ranks == "one" and len(found) == len(runs):
            notes.append(f"{LEFT_OUT}: {named}")
            continue
        message = f"meters the same kind of machine at the same time: {named}; "
        message += (
            "one machine's energy written by several ranks, or as many machines: say --ranks one "
            "or --ranks each"
            if ranks is None
            else "but not all of its runs do: import the files of its ranks together"
        )
        problems.append(Problem(key="runs", message=message, file=file))
    if problems:
        raise InputError(problems)
    return kept, notes


def _twin(run: Run, kept: Sequence[Pair]) -> tuple[str, object] | None:
    """The file and the id of a run that metered the same machine at the same time."""
    for file, report in kept:
        for other in report.get("runs") or ():
            if run.get("id") != other["id"] and _same(run, other):
                return file, other["id"]
    return None


def _same(a: Run, b: Run) -> bool:
    if not a.get("machine") or a.get("machine") != b.get("machine"):
        return False
    spans = [_span(a), _span(b)]
    energies = [run.get("energy") or run.get("energy_it") for run in (a, b)]
    numbers = [float(e) for e in energies if isinstance(e, (int, float))]
    if None in spans or len(numbers) < 2 or min(numbers) < (1 - 2 * ALIKE) * max(numbers):
        return False
    (begin, end), (start, stop) = (span for span in spans if span is not None)
    both, longest = min(end, stop) - max(begin, start), max(end - begin, stop - start)
    return longest > 0 and both >= (1 - ALIKE) * longest


def _span(run: Run) -> tuple[float, float] | None:
    """Begin and end of a run, in seconds."""
    hours = run.get("hours")
    try:
        stamp = datetime.fromisoformat(str(run.get("began")))
    except ValueError:
        return None
    began = (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()
    return (began, began + 3600 * float(hours)) if isinstance(hours, (int, float)) else None
