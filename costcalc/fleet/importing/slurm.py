"""``sacct -P -D`` as a stream of attempts, from a dump or from ``sacct`` itself: flat in memory."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import IO

from costcalc.base.errors import InputError, Problem
from costcalc.fleet.facts import PLUGIN, Facts, Refused, State
from costcalc.fleet.importing.spans import ROUNDED, SUMMER, backwards, by_clock, longer, unexplained
from costcalc.report.importing import sacct
from costcalc.report.importing.cells import Row, number, refuse
from costcalc.report.importing.nodes import expanded
from costcalc.report.importing.tres import accelerators, disagreeing

#: what sacct is asked for; what an older one lacks is left out
COLUMNS = (
    "Cluster", "JobID", "JobIDRaw", "JobName", "User", "Account", "Partition", "State", "Submit",
    "Start", "End", "ElapsedRaw", "Suspended", "AllocTRES", "NNodes", "NodeList", "NCPUS",
    "ConsumedEnergyRaw", "Restarts", "Comment",
)  # fmt: skip
_JOB = re.compile(r"\d+(?:_\d+|_\[[^\]]*\]|\+\d+)?(?:\.[\w.+-]+)?")
#: copies of a federated job on clusters that did not run it, and what was never started
_NOT_HERE = ("REVOKED", *sacct.WAITING)
_STATES: tuple[tuple[tuple[str, ...], State], ...] = (
    (("COMPLETED",), "completed"),
    (("CANCELLED",), "cancelled"),
    (("TIMEOUT", "DEADLINE"), "timeout"),
    (("NODE_FAIL",), "node_fail"),
    (("REQUEUED", "PREEMPTED", "SPECIAL_EXIT"), "requeued"),
    (("SUSPENDED",), "suspended"),
    ((*sacct.RUNNING, "COMPLETING", "RESIZING", "SIGNALING", "STAGE_OUT", "STOPPED"), "running"),
    (("FAILED", "OUT_OF_ME", "BOOT_FAIL"), "failed"),
)
_CUT = (
    "its line has no end: was the file cut off? its {} was left out, what stands before it counted"
)
_SHARDS = re.compile(r"(?:^|,)gres[/:]shard[=:](\d+)")
_MODEL = re.compile(r"(?:^|[\s,;])model[=:]\s*([\w./+-]+)")
#: what an hour too much may come of, of times without a zone
_ZONE = ": is fleet.yaml's timezone that of the dump?"
#: no job runs longer; a cell that says so is broken
_TEN_YEARS = 3.2e8


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a dump is read: the zone of its times, and the cluster where no column names it."""

    zone: tzinfo = UTC
    cluster: str = ""
    assumed: bool = True  # nobody said that this dump is of that cluster


def attempts(lines: Iterable[str], name: str, reading: Reading) -> Iterator[Facts | Refused]:
    """Every attempt of a dump that held anything, and every row that cannot be counted.

    A job's row is followed by those of its steps, as sacct prints them.

    Raises:
        InputError: there is no header of sacct -P.
    """
    job: Row | None = None
    steps: list[Row] = []
    for row in rows(lines, name):
        if isinstance(row, Refused):
            yield row
            continue
        told = sacct.job_of(row)
        if not _JOB.fullmatch(told):
            yield Refused(line=row.line, row=told[:40], why="no job id such as 123, 12_3 or 12+1")
            continue
        owner, _, step = told.partition(".")
        if not step:
            if job is not None:
                yield from _attempt(job, steps, name, reading)
            job, steps = row, []
        elif job is not None and sacct.job_of(job) == owner:
            steps.append(row)
        else:
            why = "a step without its job's row before it"
            yield Refused(line=row.line, row=told[:40], why=why)
    if job is not None:
        yield from _attempt(job, steps, name, reading)


def rows(lines: Iterable[str], name: str) -> Iterator[Row | Refused]:
    """The rows of a dump by its header; a header that stands again is passed over.

    Raises:
        InputError: a column is missing.
    """
    wanted = {c.lower(): c for group in sacct.NEEDED for c in group}
    wanted |= {c.lower(): c for c in (*sacct.OTHERS, *COLUMNS)}
    head: list[str] = []
    at_job, ends = 0, False
    for number_, line in enumerate(lines, 1):
        cells = line.replace("\0", "").rstrip("\r\n").split("|")
        if not head:
            head = [wanted.get(cell.strip().lower(), cell.strip()) for cell in cells]
            if not any(head):
                head = []
                continue
            lacking = [group[0] for group in sacct.NEEDED if not set(head) & set(group)]
            if lacking:
                said = (
                    f"expected a table of sacct -P with its header; missing: {', '.join(lacking)}"
                )
                raise refuse(name, said, number_)
            at_job = head.index("JobID" if "JobID" in head else "JobIDRaw")
            ends = line.endswith("\n")
            continue
        if ends and len(cells) == len(head) and not line.endswith("\n"):
            cells[-1] = ""  # all others were ended by a bar
            yield Refused(line=number_, row=cells[at_job][:40], why=_CUT.format(head[-1]))
        if len(cells) != len(head):
            if line.strip():
                more = "; a name with a | in it?" if len(cells) > len(head) else "; cut off?"
                why = f"{len(cells)} cells, and the header has {len(head)}{more}"
                told = cells[at_job] if at_job < len(cells) else line.strip()
                yield Refused(line=number_, row=told[:40], why=why)
            continue
        row = Row(zip(head, cells, strict=True))
        if row.get("JobID") in ("JobID", head[0]) and "JobID" in head:
            continue
        row.line = number_
        yield row
    if not head:
        raise refuse(name, "expected a table of sacct -P with its header; it is empty", 1)


def _attempt(row: Row, steps: list[Row], name: str, reading: Reading) -> Iterator[Facts | Refused]:
    """The attempt that a job's row and those of its steps tell; nothing where it never ran."""
    if sacct.in_state(row, _NOT_HERE):
        return
    problems: list[Problem] = []
    seconds = sacct.elapsed_of(row, name, problems)
    energy = sacct.counted(row, steps, name, problems)
    state = next((ours for theirs, ours in _STATES if sacct.in_state(row, theirs)), None)
    times = {column: _time(row.get(column, ""), reading.zone) for column in _TIMES}
    bad = [f"{c}: no time" for c, found in times.items() if found is not None and found < 0]
    if state is None:
        bad.append(f'State: no state of Slurm: "{row.get("State", "")[:30]}"')
    sacct.held_by(row, name, problems)
    bad += [f"{problem.key}: {problem.message}" for problem in problems]
    if seconds is not None and seconds > _TEN_YEARS:
        bad.append(f"ElapsedRaw: {seconds:.3g} s are more than ten years")
    if not bad and not times["Start"] and not times["Submit"] and not times["End"]:
        bad.append("no time of Start, Submit or End: it stands in no month")
    if seconds is not None and not bad:
        local = as_printed(row.get("Start", "")) is not None
        lasted = seconds + (sacct.seconds_of(row.get("Suspended")) or 0.0)
        zone = reading.zone if local else None
        times["Start"], times["End"] = by_clock(times["Start"], times["End"], lasted, zone)
        why = longer(times["Start"], times["End"], seconds, ROUNDED)
        hour = local and not longer(times["Start"], times["End"], seconds, SUMMER)
        bad += [f"{why}{_ZONE if hour else ''}"] if why else []
    if bad or state is None:
        yield Refused(line=row.line, row=sacct.job_of(row)[:40], why="; ".join(bad))
        return
    if seconds and (sacct.tres_of(row) or times["Start"]):
        yield _facts(row, seconds, energy, state, times, reading)


_TIMES = ("Submit", "Start", "End")


def _facts(
    row: Row,
    seconds: float,
    energy: sacct.Counted,
    state: State,
    times: dict[str, float | None],
    reading: Reading,
) -> Facts:
    tres = sacct.tres_of(row)
    found = accelerators(tres)
    shards = _SHARDS.search(tres)
    count = 0.0 if found.count is None and not found.why and tres else found.count
    start, end = times["Start"], times["End"]
    if start is None and end is not None:
        start = end - seconds
    start = start if start is not None else times["Submit"]
    suspended = sacct.seconds_of(row.get("Suspended"))
    printed = as_printed(row.get("Start" if times["Start"] is not None else "Submit", ""))
    odd = _odd(start, end, seconds, suspended)
    if end is None or (start is not None and end < start):  # it runs, or a clock was set
        end = None if start is None else start + seconds + (suspended or 0.0)
    joules = energy.joules
    why, faulty = found.why or odd or disagreeing(tres) or _nodes_odd(row), False
    if joules is not None and joules / seconds > sacct.MOST_WATTS * max(count or 1.0, 1.0):
        joules, why = None, "the energy counter wrapped: more than any node draws"
        faulty = True
    elif energy.why:
        joules, why, faulty = None, energy.why, True
    model = _MODEL.search(row.get("Comment", ""))
    submit = times["Submit"]
    first = start if times["Start"] is not None else submit
    return Facts(
        source="slurm",
        cluster=row.get("Cluster") or reading.cluster,
        assumed=reading.assumed and not row.get("Cluster"),
        job=sacct.job_of(row),
        raw=row.get("JobIDRaw", ""),
        attempt=printed or f"{first or 0:.0f}",
        start=start,
        end=end,
        seconds=seconds,
        state=state,
        name=row.get("JobName") or None,
        user=row.get("User") or None,
        account=row.get("Account") or None,
        partition=row.get("Partition") or None,
        model=model[1] if model else None,
        submit=submit,
        devices=count,
        kinds=tuple(kind.lower() for kind in found.kinds),
        shards=float(shards[1]) if shards else None,
        nodes=int(number(row.get("NNodes")) or 0) or None,
        node_list=row.get("NodeList") or None,
        cpus=number(row.get("NCPUS")),
        joules=joules,
        scope=None if joules is None else "node",
        meter=None if joules is None else PLUGIN,
        whole_nodes=joules is not None,
        steps=energy.rows,
        faulty=faulty,
        clock="local" if printed else "absolute",
        why=why,
    )


def _odd(start: float | None, end: float | None, seconds: float, suspended: float | None) -> str:
    """What of a row's times cannot be, though how long it ran is known."""
    if backwards(start, end, ROUNDED):
        return "it ends before it starts: a clock was set? what it ran for is counted"
    return "" if suspended is None else unexplained(start, end, seconds, suspended, ROUNDED)


def _nodes_odd(row: Row) -> str:
    """How the number of nodes is not that of their names."""
    count, names = number(row.get("NNodes")), row.get("NodeList") or ""
    if not count or not names or " " in names:  # None assigned
        return ""
    named = len(expanded(names))
    return f"NNodes says {count:g}, and NodeList names {named}" if named != count else ""


def as_printed(text: str) -> str | None:
    """A time that says no zone, as it stands; None where it says one, or there is none.

    >>> as_printed("2026-10-05 10:00:00"), as_printed("2026-10-05T10:00:00+02:00"), as_printed("17")
    ('2026-10-05T10:00:00', None, None)
    """
    if text.strip().isdecimal():
        return None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found.isoformat() if found.tzinfo is None else None


def _time(text: str, zone: tzinfo) -> float | None:
    """Seconds since 1970; None where there is none, and below 0 where it cannot be read."""
    bare = text.strip()
    if bare in ("", "Unknown", "None", "0"):
        return None
    if bare.isdecimal():
        return float(bare) if len(bare) < 12 else -1.0
    try:
        found = datetime.fromisoformat(bare)
    except ValueError:
        return -1.0
    made = found.replace(tzinfo=zone) if found.tzinfo is None else found
    return made.timestamp()


# --- where the lines come from -------------------------------------------------------------------


@contextmanager
def opened(path: Path) -> Iterator[Iterable[str]]:
    """The lines of a dump; ``-`` reads stdin.

    Raises:
        InputError: it cannot be read.
    """
    if str(path) == "-":
        import sys

        yield sys.stdin
        return
    try:
        with path.open("rb") as probe:
            marked = probe.read(2) in (b"\xff\xfe", b"\xfe\xff")
        encoding = "utf-16" if marked else "utf-8-sig"
        with path.open(encoding=encoding, errors="replace", newline="\n") as file:
            yield file
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
        raise InputError(Problem(key="", message=message, file=str(path))) from None


@contextmanager
def running(since: str | None, job: str | None = None) -> Iterator[Iterable[str]]:
    """The lines of ``sacct`` itself, of all users' jobs since then, or of one ``job``.

    Raises:
        InputError: sacct is not there, or ends with a fault: what it said before is kept.
    """
    program = shutil.which("sacct")
    if program is None:
        message = "there is no sacct here; give a FILE of sacct -P -D instead"
        raise InputError(Problem(key="sacct", message=message))
    asked = [program, "--helpformat"]
    said = subprocess.run(asked, capture_output=True, text=True, check=False)  # noqa: S603
    known = {word.lower() for word in said.stdout.split()}
    columns = [name for name in COLUMNS if not known or name.lower() in known]
    command = [
        program, "-a", "-P", "-D", "--noconvert", f"--format={','.join(columns)}",
        *([f"--jobs={job}"] if job else [f"--starttime={since}", "--endtime=now"]),
    ]  # fmt: skip
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as faults,
        subprocess.Popen(  # noqa: S603  # a fixed command; the days are single words of it
            command, stdout=subprocess.PIPE, stderr=faults, text=True, errors="replace",
            env={**os.environ, "SLURM_TIME_FORMAT": "%s"},
        ) as process,
    ):  # fmt: skip
        assert process.stdout is not None
        try:
            yield process.stdout
        except InputError:  # what sacct says of itself comes before what its output lacks
            _ended(process, faults)
            raise
        except BaseException:
            process.kill()
            raise
        _ended(process, faults)


def _ended(process: subprocess.Popen[str], faults: IO[str]) -> None:
    """See that a process that has nothing more to say ended well.

    Raises:
        InputError: it did not.
    """
    assert process.stdout is not None
    while process.stdout.read(65_536):
        pass
    if process.wait():
        faults.seek(0)
        told = faults.readline().strip() or "no word"
        raise InputError(
            Problem(key="sacct", message=f"ended with {process.returncode}: {told}")
        ) from None
