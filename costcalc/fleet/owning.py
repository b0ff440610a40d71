"""A job and its parts that a source tells of both: the parts are counted, and the job is not.

A Kubernetes Job says how many pods it may have at once, and each of its pods for how long it ran.
Which comes first, and in one dump or in two, makes no difference.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, and_, or_, select, update

from costcalc.fleet.entering import MOST, parts
from costcalc.fleet.facts import Facts, named_by
from costcalc.fleet.freshening import stale
from costcalc.fleet.tables import jobs


def parts_first(connection: Connection, told: Sequence[Facts]) -> list[Facts]:
    """The attempts of a batch without jobs whose parts are known; their rows are retired."""
    owned = {(one.cluster, one.owner) for one in told if one.owner is not None}
    names = {
        (one.cluster, name)
        for one in told
        if one.source == "kubernetes" and one.owner is None
        for name in _names(one)
    }
    known = owned | _with_parts(connection, names)
    _retire(connection, owned)
    return [
        one
        for one in told
        if one.owner is not None or not {(one.cluster, name) for name in _names(one)} & known
    ]


def _names(one: Facts) -> tuple[str, str]:
    return one.job, named_by(one.job, one.raw)


def _with_parts(connection: Connection, names: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """Those of some jobs, by name or number, of which the ledger has parts."""
    found: set[tuple[str, str]] = set()
    for some in parts(sorted(names), MOST // 2):
        each = [and_(jobs.c.cluster == cluster, jobs.c.owner == name) for cluster, name in some]
        asked = select(jobs.c.cluster, jobs.c.owner).where(jobs.c.current, or_(*each)).distinct()
        found |= {(row.cluster, row.owner) for row in connection.execute(asked)}
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
