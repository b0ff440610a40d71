"""Runs of several reports that metered one machine at once: its energy is to count once."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from costcalc.base.errors import CostcalcError, InputError, Problem
from costcalc.catalog import accelerator
from costcalc.report.meters import section
from costcalc.report.tools import BOARDS_ONLY

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

#: ranks of one machine agree to this share in their hours, and to twice as much in their power
ALIKE = 0.05
#: of the longer's time, what two of them have at least together: they begin and end apart (chosen)
TOGETHER = 0.6
#: so begins what is said of a report that was not counted
LEFT_OUT = "left out, as another rank metered the same machine"
Pair = tuple[str, "Report"]
Run = Mapping[str, object]
Span = tuple[float, float]  # begin and end, in seconds


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
    metered = _Metered()
    notes: list[str] = []
    problems: list[Problem] = []
    for file, report in pairs:
        runs = _runs(report)
        twins = [(run, twin) for run in runs if (twin := metered.twin(run)) is not None]
        if not twins:
            kept.append((file, report))
            metered.add(file, runs)
            continue
        named = ", ".join(f"{run.get('id')} as {twin.run} of {twin.file}" for run, twin in twins)
        whole = all(twin.whole for _, twin in twins)
        if ranks == "one" and whole and len(twins) == len(runs):
            notes.append(f"{LEFT_OUT}: {named}")
            continue
        message = f"meters the same kind of machine at the same time: {named}; "
        tools = any(twin.tool for _, twin in twins)
        if not whole:
            message += (
                "in part, so that what both logs hold counts twice: cut one of them where the "
                "other begins, or say --ranks each where each had a machine of its own"
            )
        elif ranks is None:
            by = "read by several tools" if tools else "written by several ranks"
            message += (
                f"one machine's energy {by}, or as many machines: say --ranks one or --ranks each"
            )
        else:
            message += "but not all of its runs do: import the files of its ranks together"
        problems.append(Problem(key="runs", message=message, file=file))
    if problems:
        raise InputError(problems)
    return kept, notes


@dataclass(frozen=True, slots=True)
class _Twin:
    """A run that metered the same machine; ``whole``: over the whole of the time.

    ``tool``: another tool did, which calls machines otherwise.
    """

    file: str
    run: object
    whole: bool
    tool: bool = False


@dataclass(slots=True)
class _Begun:
    """Runs of one kind of machine by their begin, with their place among all; and the longest."""

    runs: list[tuple[float, int, str, Run]] = field(default_factory=list)
    longest: float = 0.0

    def add(self, number: int, file: str, run: Run, span: Span) -> None:
        insort(self.runs, (span[0], number, file, run))
        self.longest = max(self.longest, span[1] - span[0])

    def near(self, span: Span) -> list[tuple[float, int, str, Run]]:
        """Those that may have some of the time in common, as they came."""
        first = bisect_left(self.runs, (span[0] - self.longest,))
        last = bisect_right(self.runs, (span[1], math.inf))
        return sorted(self.runs[first:last], key=lambda one: one[1])


@dataclass(slots=True)
class _Metered:
    """The runs of the reports that are kept, found by what they metered and when."""

    machines: dict[object, _Begun] = field(default_factory=dict)
    devices: dict[object, dict[object, _Begun]] = field(default_factory=dict)  # by tool, by count
    number: int = 0

    def add(self, file: str, runs: Sequence[Run]) -> None:
        """Further runs that are kept."""
        for run in runs:
            self.number += 1
            span = _span(run)
            if span is not None and run.get("machine"):
                alike = self.machines.setdefault(run["machine"], _Begun())
                alike.add(self.number, file, run, span)
                by_tool = self.devices.setdefault(run.get("measured_by"), {})
                by_tool.setdefault(run.get("devices"), _Begun()).add(self.number, file, run, span)

    def twin(self, run: Run) -> _Twin | None:
        """The first run that metered the same machine at the same time."""
        span, found = _span(run), self.machines.get(run.get("machine"))
        if span is None:
            return None
        for _, _, file, other in found.near(span) if found else ():
            shared = None if run.get("id") == other["id"] else _shared(run, other)
            if shared is not None:
                return _Twin(file, other["id"], shared)
        return self._by_another(run, span)

    def _by_another(self, run: Run, span: Span) -> _Twin | None:
        """The first run by another tool that metered as many of the same devices at the time."""
        count, tool = run.get("devices"), run.get("measured_by")
        if not count or not run.get("machine"):
            return None
        for by, counts in self.devices.items():
            found = counts.get(count) if by != tool else None
            for _, _, file, other in found.near(span) if found else ():
                shared = _read_by_both(run, other)
                if shared is not None:
                    return _Twin(file, other["id"], shared, tool=True)
        return None


def _runs(report: Report) -> Sequence[Run]:
    """The runs of a report, each with the devices that its row, or the report, names."""
    named = section(report, "details", "hardware").get("name")
    runs: Sequence[Run] = report.get("runs") or []
    return [{**run, "hardware": run.get("hardware") or named} for run in runs]


def _read_by_both(a: Run, b: Run) -> bool | None:
    """Whether two tools read the same kind of devices for all of the time; None where they do not.

    A tool that names none may have read any.
    """
    spans = [span for span in (_span(a), _span(b)) if span is not None]
    kinds = {_device(str(run["hardware"])) for run in (a, b) if run.get("hardware")}
    if len(spans) < 2 or len(kinds) > 1:
        return None
    lengths = [end - begin for begin, end in spans]
    if min(lengths) <= 0 or _both(spans) < TOGETHER * min(lengths):
        return None
    return _both(spans) >= (1 - ALIKE) * max(lengths)


def _device(named: str) -> str:
    """The profile of a device, whatever a tool calls it."""
    try:
        return accelerator.find(named).id
    except CostcalcError:
        return named.casefold()


def _shared(a: Run, b: Run) -> bool | None:
    """Whether two runs of one kind of machine share all of their time; None where they do not.

    Logs of boards meter whatever runs on them: a part of their time is shared energy already.
    """
    spans = [span for span in (_span(a), _span(b)) if span is not None]
    energies = [run.get("energy") or run.get("energy_it") for run in (a, b)]
    numbers = [float(e) for e in energies if isinstance(e, (int, float))]
    if a.get("machine") != b.get("machine") or len(spans) < 2 or len(numbers) < 2:
        return None
    share = together(spans, numbers)
    if share >= TOGETHER:
        return share >= 1 - ALIKE
    logs = all(run.get("measured_by") in BOARDS_ONLY for run in (a, b))
    return False if logs and _both(spans) > ALIKE * min(e - b for b, e in spans) else None


def together(spans: Sequence[Span], energies: Sequence[float]) -> float:
    """The share of the longer's time that two runs have together; 0 where their powers differ.

    >>> together([(0.0, 60.0), (6.0, 60.0)], [10.0, 9.0])
    0.9
    >>> together([(0.0, 60.0), (6.0, 60.0)], [10.0, 5.0])
    0.0
    """
    lengths = [end - begin for begin, end in spans]
    if min(lengths) <= 0 or max(energies) <= 0:
        return 0.0
    powers = [energy / length for energy, length in zip(energies, lengths, strict=True)]
    alike = min(powers) >= (1 - 2 * ALIKE) * max(powers)
    return max(_both(spans), 0.0) / max(lengths) if alike else 0.0


def _both(spans: Sequence[Span]) -> float:
    return min(end for _, end in spans) - max(begin for begin, _ in spans)


def _span(run: Run) -> Span | None:
    """Begin and end of a run, in seconds."""
    hours = run.get("hours")
    try:
        stamp = datetime.fromisoformat(str(run.get("began")))
    except ValueError:
        return None
    began = (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()
    return (began, began + 3600 * float(hours)) if isinstance(hours, (int, float)) else None
