"""A job and its parts that a source tells of both: the parts are counted, and the job is not.

A Kubernetes Job says how many pods it may have at once, and each of its pods for how long it ran.
Which comes first, and in one dump or in two, makes no difference.  Pods that a Job says it had and
that nobody tells of (they were deleted before they were asked for) are counted as the most that
they may have been: of the Job's time and devices what its other pods have left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy import Connection, and_, or_, select, update

from costcalc.base.human import number_of
from costcalc.fleet.entering import MOST, parts
from costcalc.fleet.facts import Facts, named_by
from costcalc.fleet.freshening import stale
from costcalc.fleet.tables import jobs

#: seconds of each part of a job, by the cluster and what the part calls the job, and its own name
_Parts = dict[tuple[str, str], dict[tuple[str, str], float]]


def parts_first(connection: Connection, told: Sequence[Facts]) -> list[Facts]:
    """The attempts of a batch without jobs whose parts are known; their rows are retired.

    What such a job lacks of its parts is an attempt of its own.
    """
    owned = {(one.cluster, one.owner) for one in told if one.owner is not None}
    names = {
        (one.cluster, name)
        for one in told
        if one.source == "kubernetes" and one.owner is None
        for name in _names(one)
    }
    known = _with_parts(connection, names | owned)
    new = set()
    for one in told:
        if one.owner is not None:
            of = known.setdefault((one.cluster, one.owner), {})
            if (one.job, one.attempt) not in of:
                new.add((one.cluster, one.owner))
            of[one.job, one.attempt] = one.seconds
    _retire(connection, new)
    left = (_left(one, known) if one.owner is None else one for one in told)
    return [one for one in left if one is not None]


def _left(one: Facts, known: _Parts) -> Facts | None:
    """A job as far as its parts are not known; None: they all are."""
    found: dict[tuple[str, str], float] = {}
    for name in _names(one):
        found |= known.get((one.cluster, name), {})
    if not found:
        return one
    lacks = (one.had or 0) - len({job for job, _ in found})
    if lacks <= 0 or not one.devices or not one.seconds:
        return None
    each = one.devices / one.at_once
    room = one.at_once - sum(found.values()) / one.seconds
    # pods begin some seconds after their Job, and what is left of its time was held by none
    devices = each * min(lacks, round(room, 1))
    if devices <= 0:
        return None
    why = (
        f"{number_of(lacks, 'pod')} of the {one.had} that this Job had not in the dump: the most "
        "that may have been of its time is counted"
    )
    return replace(one, devices=devices, why=why)


def _names(one: Facts) -> tuple[str, str]:
    return one.job, named_by(one.job, one.raw)


def _with_parts(connection: Connection, names: set[tuple[str, str]]) -> _Parts:
    """Of jobs, by name or number, the parts that the ledger has."""
    found: _Parts = {}
    columns = (jobs.c.cluster, jobs.c.owner, jobs.c.job, jobs.c.attempt, jobs.c.seconds)
    for some in parts(sorted(names), MOST // 2):
        each = [and_(jobs.c.cluster == cluster, jobs.c.owner == name) for cluster, name in some]
        for row in connection.execute(select(*columns).where(jobs.c.current, or_(*each))):
            found.setdefault((row.cluster, row.owner), {})[row.job, row.attempt] = row.seconds
    return found


def _retire(connection: Connection, owned: set[tuple[str, str]]) -> None:
    """Rows of jobs that stood for their parts are none from now on."""
    for some in parts(sorted(owned), MOST // 3):
        each = [
            and_(
                jobs.c.cluster == cluster, jobs.c.job == job, *([jobs.c.raw == raw] if raw else [])
            )
            for cluster, name in some
            for job, _, raw in [name.partition("#")]
        ]
        stood = (jobs.c.current, jobs.c.source == "kubernetes", jobs.c.owner.is_(None), or_(*each))
        asked = select(jobs.c.id, jobs.c.month).where(*stood)
        rows = connection.execute(asked).all()
        if rows:
            gone = update(jobs).where(jobs.c.id.in_([row.id for row in rows]))
            connection.execute(gone.values(current=False))
            stale(connection, [str(row.month) for row in rows])
