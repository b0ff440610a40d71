"""Finished jobs of IBM Spectrum LSF: ``LSB_DISPLAY_YEAR=Y bacct -u all -l -gpu -UF``.

Each record is a line of the job, its events with their times, and a table of the GPUs that it had
(IBM Spectrum LSF 10.1, bacct and bjobs -gpu).  Lines that are wrapped, as without ``-UF``, are put
together again.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, tzinfo
from itertools import pairwise
from pathlib import Path

from costcalc.base.reading import read_text
from costcalc.fleet.facts import CUT, Facts, Refused, State
from costcalc.fleet.importing.spans import ROUNDED, backwards, by_clock, slack
from costcalc.report.importing.cells import number as number_
from costcalc.report.importing.cells import refuse

_JOB = re.compile(r"Job <(?P<job>\d+(?:\[\d+\])?)>,")
_EVENT = re.compile(
    r"(?P<time>[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?: \d{4})?): ?(?P<what>.*)"
)
_SLOTS = re.compile(r"Allocated \d+ Slot\(s\) on Host\(s\)\s*(?P<hosts>(?:<[^>]*>\s*)+)")
_OLD = re.compile(r"(?:[Dd]ispatched to|[Ss]tarted on)\s*(?P<hosts>(?:<[^>]*>\s*)+)")
#: of an array's task some versions write [1] started on <host>
_STARTED = re.compile(r"[Dd]ispatched|[Ss]tarted (?:on|\d+ Task)")
_ENDED = re.compile(r"Completed <(?P<how>\w+)>(?:;\s*(?P<why>\w+))?")
_FORMAT = "%a %b %d %H:%M:%S %Y"
#: by LSF's termination reasons; any other exit is a failure
_REASONS: dict[str, State] = {
    "TERM_RUNLIMIT": "timeout", "TERM_CPULIMIT": "timeout", "TERM_DEADLINE": "timeout",
    "TERM_OWNER": "cancelled", "TERM_FORCE_OWNER": "cancelled", "TERM_ADMIN": "cancelled",
    "TERM_FORCE_ADMIN": "cancelled", "TERM_BUCKET_KILL": "cancelled", "TERM_PREEMPT": "requeued",
    "TERM_REQUEUE_ADMIN": "requeued", "TERM_REQUEUE_OWNER": "requeued",
}  # fmt: skip
_NO_YEAR = "its times have no year: run bacct with LSB_DISPLAY_YEAR=Y"


def jobs(path: Path, zone: tzinfo, cluster: str = "") -> Iterator[Facts | Refused]:
    """Every job of a dump that has run.

    Raises:
        InputError: it is no output of bacct -l.
    """
    name = str(path)
    found = False
    text = read_text(path, name)
    records = list(_records(text.splitlines()))
    for number, record in records:
        found = True
        job = _JOB.match(record[0])
        if not text.endswith("\n") and record is records[-1][1] and job is not None:
            yield Refused(line=number, row=job["job"], why=CUT)
            continue
        one = _one(number, record, zone, cluster)
        if one is not None:
            yield one
    if not found:
        raise refuse(name, "expected the output of bacct -u all -l -gpu -UF: it has no Job <…>")


def _records(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The lines of each job, wrapped ones put together, and where it begins."""
    held: list[str] = []
    start, wrapped = 0, False
    for number, raw in enumerate(lines, 1):
        line = raw.rstrip("\r\n")
        if _JOB.match(line):
            if held:
                yield start, held
            held, start, wrapped = [line], number, True
        elif not held:
            continue
        elif line.startswith("---"):
            yield start, held
            held = []
        elif _EVENT.match(line):
            held.append(line)
            wrapped = True
        elif wrapped and line.startswith(" ") and line.strip():
            held[-1] += line.strip()
        else:
            held.append(line)
            wrapped = False
    if held:
        yield start, held


def _one(number: int, record: Sequence[str], zone: tzinfo, cluster: str) -> Facts | Refused | None:
    head = record[0].partition(", Command <")[0]
    job = _JOB.match(head)
    assert job is not None
    events = [found for line in record[1:] if (found := _EVENT.match(line))]
    started = [one for one in events if _STARTED.search(one["what"])]
    ended = [(one, how) for one in events if (how := _ENDED.search(one["what"]))]
    if not started and (any(how["how"] == "done" for _, how in ended) or _held_gpus(record)):
        return Refused(line=number, row=job["job"], why="no line says where and when it started")
    if not started:
        return None  # it never ran
    if not ended:
        return Refused(line=number, row=job["job"], why="it has no line that it completed")
    times = [_time(one["time"], zone) for one in (events[0], started[-1], ended[-1][0])]
    submit, start, end = times
    if submit is None or start is None or end is None:
        return Refused(line=number, row=job["job"], why=_NO_YEAR)
    lasted = _lasted(record) if len(started) == 1 else None
    if lasted is not None:
        start, end = by_clock(start, end, lasted, zone)
        assert start is not None
        assert end is not None
    if backwards(start, end, ROUNDED if lasted is not None else slack(zone, start, end)):
        return Refused(line=number, row=job["job"], why="it ends before it starts")
    hosts = _hosts(started[-1]["what"])
    asked = any("ngpus" in line or "Requested GPU" in line for line in record)
    devices, kinds, why = _devices(record, asked=asked)
    why = "; ".join(part for part in (why, _told(len(started), start, end, lasted)) if part)
    how = ended[-1][1]
    state = "completed" if how["how"] == "done" else _REASONS.get(how["why"] or "", "failed")
    return Facts(
        source="lsf",
        cluster=cluster,
        job=job["job"],
        raw=job["job"],
        attempt=datetime.strptime(started[-1]["time"], _FORMAT).isoformat(),
        clock="local",
        start=start,
        end=max(end, start),
        seconds=max(end - start, 0.0),
        state=state,
        name=_said(head, "Job Name"),
        user=_said(head, "User"),
        account=_said(head, "Project"),
        partition=_said(head, "Queue"),
        submit=submit,
        devices=devices,
        kinds=kinds,
        nodes=len(set(hosts)) or None,
        node_list=",".join(dict.fromkeys(hosts)) or None,
        cpus=float(len(hosts)) or None,
        why=why,
    )


def _told(started: int, start: float, end: float, lasted: float | None) -> str:
    """What of a job's time is not as its events and its accounting both say."""
    if started > 1:
        return f"it was dispatched {started} times, of which the last alone is counted"
    if lasted is None or abs(end - start - lasted) <= ROUNDED:
        return ""
    ran = f"its events are {end - start:,.0f} s apart, which are counted"
    return f"{ran}, and its TURNAROUND less its WAIT is {lasted:,.0f} s"


def _lasted(record: Sequence[str]) -> float | None:
    """Seconds that a job ran by its accounting: from its submission TURNAROUND, of which WAIT."""
    for head, cells in pairwise(record):
        names, values = head.split(), cells.split()
        if {"WAIT", "TURNAROUND"} <= set(names) and len(names) == len(values):
            wait, turned = (number_(values[names.index(n)]) for n in ("WAIT", "TURNAROUND"))
            return None if wait is None or turned is None else turned - wait
    return None


def _held_gpus(record: Sequence[str]) -> bool:
    return any(line.startswith("GPU_ALLOCATION") for line in record)


def _said(head: str, name: str) -> str | None:
    """A field of the job's line; the last of that name, for a job's own name may hold any text."""
    found = re.findall(rf"(?:^|, ){name}\s*<([^>]*)>", head)
    return found[-1] if found and found[-1] else None


def _time(text: str, zone: tzinfo) -> float | None:
    try:
        return datetime.strptime(text, _FORMAT).replace(tzinfo=zone).timestamp()
    except ValueError:
        return None


def _hosts(what: str) -> list[str]:
    """The host of each slot, as often as it has slots."""
    found = _SLOTS.search(what) or _OLD.search(what)
    hosts = re.findall(r"<([^>]*)>", found["hosts"]) if found else []
    return [
        name
        for host in hosts
        for many, _, name in [host.rpartition("*")]  # <4*host> are four slots
        for _ in range(int(many) if many.isdecimal() else 1)
    ]


def _devices(record: Sequence[str], *, asked: bool) -> tuple[float | None, tuple[str, ...], str]:
    """Whole GPUs of the table of a job's, one row each task and GPU; and what they are called."""
    at = next((n for n, line in enumerate(record) if line.startswith("GPU_ALLOCATION")), None)
    if at is None:
        return (None, (), "it asked for GPUs: run bacct with -gpu") if asked else (0.0, (), "")
    head = record[at + 1].split() if at + 1 < len(record) else []
    if "GPU_ID" not in head:
        return None, (), "a table of GPUs without GPU_ID"
    seen: set[tuple[int, str]] = set()
    kinds: dict[str, None] = {}
    block = 0  # of one host: names are cut off, and two may look the same
    for line in record[at + 2 :]:
        cells = line.split()
        if not cells:
            break
        lacks = len(head) - len(cells)
        if lacks not in (0, 1):
            return None, (), f"a row of GPUs with {len(cells)} cells, of {len(head)}"
        block += lacks == 0
        row = dict(zip(head[lacks:], cells, strict=True))
        if row.get("GI_PLACEMENT/SIZE", "-") != "-":
            return None, (), "MIG instances: bacct does not say which part of a device"
        seen.add((block, row["GPU_ID"]))
        if row.get("MODEL", "-") != "-":
            kinds[row["MODEL"].lower()] = None
    return float(len(seen)), tuple(kinds), ""
