"""What meters say of jobs that the ledger has: kept beside them, and the jobs costed anew."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, and_, delete, insert, or_, select, update

from costcalc.fleet.cluster import Cluster
from costcalc.fleet.counting import settle
from costcalc.fleet.entering import enter, facts_of, parts, with_readings
from costcalc.fleet.facts import RANK, Facts, Refused, Scope, cleaned
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.pricing import Pricing
from costcalc.fleet.tables import jobs, meters, readings
from costcalc.fleet.taking import Taken, begun, ended, note

BATCH = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """Joules that a meter saw of a job in so many seconds; ``attempt`` empty: of all of them.

    ``joules`` None names the model alone.  ``alone``: the job, where no scheduler has told of it.
    """

    source: str
    cluster: str
    job: str
    attempt: str = ""
    meter: str
    scope: Scope
    joules: float | None
    seconds: float | None
    coverage: float | None = None
    model: str | None = None
    alone: Facts | None = None
    part: float | None = None  # of its nodes' devices, where the joules are a part of theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeDay:
    """A node's meter over a day: joules, those of its jobs, and the seconds that it covers."""

    cluster: str
    node: str
    partition: str
    at: float
    meter: str
    joules: float
    given: float
    seconds: float


def read_meters(
    ledger: Ledger,
    cluster: Cluster,
    stream: Iterable[Reading | Refused | NodeDay],
    *,
    source: str,
    name: str,
) -> Taken:
    """Every reading of a stream into the ledger, and the jobs that it is of costed by it.

    Raises:
        InputError: the stream breaks, or the database does.
    """
    ledger.counts_in(cluster.fleet.currency)
    pricing, taken, number = Pricing(cluster), Taken(), begun(ledger, source, name)
    for batch in parts(map(cleaned, stream), BATCH):
        out = [one for one in batch if isinstance(one, Refused)]
        told = [one for one in batch if isinstance(one, Reading)]
        with ledger.writing() as connection:
            out += [less for one in told if (less := _keep(connection, one, number)) is not None]
            _days(connection, [one for one in batch if isinstance(one, NodeDay)], number)
            facts = _of_jobs(connection, told)
            priced = pricing.rows(with_readings(connection, facts))
            counted = enter(connection, priced, number)
            note(connection, number, counted, out)
        taken.plus(counted, out)
    ended(ledger, number)
    settle(ledger)
    taken.notes += pricing.notes
    return taken


def _keep(connection: Connection, one: Reading, number: int) -> Refused | None:
    """Write a reading, unless the ledger has it; an earlier one of the same meter is superseded.

    One that saw less of the job does not: it is older, or of a part of it.
    """
    same = and_(
        readings.c.cluster == one.cluster,
        readings.c.job == one.job,
        readings.c.attempt == one.attempt,
        readings.c.meter == one.meter,
    )
    asked = select(readings).where(same).order_by(readings.c.revision.desc()).limit(1)
    before = connection.execute(asked).first()
    values = {
        "scope": one.scope, "joules": one.joules, "seconds": one.seconds,
        "coverage": one.coverage, "model": one.model, "part": one.part,
    }  # fmt: skip
    if before is not None:
        if before.current and all(getattr(before, name) == v for name, v in values.items()):
            return None
        had, has = before.seconds or 0.0, one.seconds or 0.0
        if before.current and (before.joules is not None) and (one.joules is None or has < had):
            less = "no energy" if one.joules is None else f"{has:.0f} s of it"
            why = f"it says {less}, and the ledger has {had:.0f} s by {one.meter}, which are kept"
            return Refused(line=None, row=one.job, why=why)
        connection.execute(update(readings).where(same).values(current=False))
    connection.execute(
        insert(readings).values(
            **values,
            cluster=one.cluster,
            job=one.job,
            attempt=one.attempt,
            meter=one.meter,
            revision=0 if before is None else before.revision + 1,
            current=True,
            rank=RANK[one.source],
            import_id=number,
        )
    )
    return None


def _days(connection: Connection, days: Sequence[NodeDay], number: int) -> None:
    """Write nodes' days; one that is looked at again takes the place of what was seen before.

    One of no seconds takes back what was seen; one that saw less of the day than was seen before,
    as when a server has let go of a part of it, does not.
    """
    last = {(one.cluster, one.node, one.at): one for one in days}
    for key, one in list(last.items()):
        same = (meters.c.cluster, meters.c.node, meters.c.at)
        where = [c == v for c, v in zip(same, key, strict=True)]
        before = connection.execute(select(meters.c.seconds).where(*where)).scalar()
        if before is not None and 0 < one.seconds < before:
            del last[key]
            continue
        connection.execute(delete(meters).where(*where))
    rows = [{**asdict(one), "import_id": number} for one in last.values() if one.seconds]
    if rows:
        connection.execute(insert(meters), rows)


def _of_jobs(connection: Connection, told: Sequence[Reading]) -> list[Facts]:
    """The attempts that readings are of, as their source told them."""
    found: list[Facts] = []
    for one in told:
        where = [jobs.c.current, or_(jobs.c.job == one.job, jobs.c.raw == one.job)]
        if one.cluster:
            where.append(jobs.c.cluster == one.cluster)
        if one.attempt:
            where.append(jobs.c.attempt == one.attempt)
        rows = connection.execute(select(jobs).where(*where)).mappings().all()
        found += [facts_of(row) for row in rows if row["source"] != "report"]
        if one.alone is not None and not any(row["source"] != "report" for row in rows):
            found.append(cleaned(one.alone))
    return found
