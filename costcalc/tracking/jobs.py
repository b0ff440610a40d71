"""The jobs of a ledger, told apart for whoever has to pick one."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from costcalc.base.human import human
from costcalc.tracking.attempts import ends, last
from costcalc.tracking.follow import read
from costcalc.tracking.ledger import Written
from costcalc.tracking.records import Start

UNNAMED = "process:"  # so begins the name of a job that nobody has named
UNFINISHED = "unfinished: "  # so begins what is said of another job's record
_LATE = 3.0  # intervals without a word, after which a job of another machine is taken to be dead
_SHOWN = 12  # jobs that are listed, the newest


def by_job(written: Iterable[Written]) -> list[list[Written]]:
    """The writers of each job, in the order in which they began."""
    found: dict[str, list[Written]] = {}
    for w in written:
        found.setdefault(w.start.job, []).append(w)
    return sorted(found.values(), key=lambda job: min(w.start.time for w in job))


def described(job: Sequence[Written]) -> str:
    """A job by its name, when it began, how long it was heard of, its steps, how it ended.

    >>> from costcalc.tracking.records import Place, Sample, Start
    >>> start = Start(job="process:7", writer="w", time=1795798920.0, place=Place(), boot="b",
    ...               host="h")
    >>> described([Written(start=start, last=Sample(time=0.0, elapsed=12.0, steps=60))])
    'process:7 (began 2026-11-27 17:02:00 UTC, 60 steps in 12.0 s, not ended)'
    """
    began = min(w.start.time for w in job)
    at = datetime.fromtimestamp(began, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    seconds, steps = max(map(ends, job)) - began, max(last(w).steps for w in job)
    first = min(job, key=lambda w: (w.start.place.rank, -w.start.time))
    status = last(first).status
    how = "not ended" if status == "running" else status
    return f"{job[0].start.job} (began {at}, {steps:,} steps in {human(seconds, 's')}, {how})"


def listed(jobs: Sequence[Sequence[Written]]) -> str:
    """The jobs of a ledger, the newest first, a few of many."""
    names = [described(job) for job in reversed(jobs)]
    rest = f"; and {len(names) - _SHOWN} older ones" if len(names) > _SHOWN else ""
    return "; ".join(names[:_SHOWN]) + rest


def unfinished(folder: str, start: Start) -> str:
    """What is said where a ledger holds jobs without a name that were killed; else nothing.

    One that is killed and run again without a name is two jobs: nobody can tell that it is one.

    Raises:
        OSError: the folder cannot be listed.
    """
    dead = [
        job
        for job in by_job(read(folder))
        if job[0].start.job != start.job
        and job[0].start.job.startswith(UNNAMED)
        and any(w.last is not None and w.last.status == "running" for w in job)
        and not any(_lives(w, start) for w in job)
    ]
    if not dead:
        return ""
    many = "an earlier job" if len(dead) == 1 else f"{len(dead)} earlier jobs, the newest"
    _, _, how = described(dead[-1]).partition(" ")
    return (
        f"{UNFINISHED}the ledger holds {many} {how}, which is in no report and not in this one; "
        "where it was this job's first attempt, job= (COSTCALC_JOB) makes them one"
    )


def _lives(w: Written, start: Start) -> bool:
    """Whether its process is there, as far as that can be seen from here."""
    if last(w).status != "running":
        return False
    if (w.start.boot, w.start.host) != (start.boot, start.host) or not w.start.pid:
        return time.time() - ends(w) < _LATE * max(w.start.interval, 10.0)
    try:
        os.kill(w.start.pid, 0)
    except ProcessLookupError:
        return False
    except OSError:  # another user's
        return True
    return True
