"""What of a ledger is not known: unmetered, unpriced, unknown, refused, unfinished."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, func, select

from costcalc.base.human import human, number_of, percent
from costcalc.fleet.cluster import Fleet
from costcalc.fleet.importing.spans import SUMMER
from costcalc.fleet.kinds import KWH
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.month import AHEAD, unfinished
from costcalc.fleet.nobodys import of_nobody
from costcalc.fleet.series import ENOUGH
from costcalc.fleet.tables import imports, jobs, meters, refused
from costcalc.fleet.unnamed import told

MOST = 10


@dataclass(frozen=True, slots=True)
class Found:
    """One thing that is not known, and of how many jobs."""

    what: str
    jobs: int
    device_hours: float
    why: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """What a check found."""

    jobs: int
    device_hours: float
    found: Sequence[Found]
    unfinished: Sequence[str]
    refused: int
    nodes: str = ""
    unnamed: Sequence[str] = ()

    def lines(self) -> list[str]:
        """What is said of it."""
        said = [f"{number_of(self.jobs, 'job')}, {self.device_hours:,.0f} device-hours"]
        for one in self.found:
            share = one.device_hours / self.device_hours if self.device_hours else 0.0
            hours = f", {percent(share)} of the device-hours" if one.device_hours else ""
            number = number_of(one.jobs, "job")
            said.append(f"{one.what}: {number}{hours}{f': {one.why}' if one.why else ''}")
        said += [*self.unnamed, *([self.nodes] if self.nodes else [])]
        said += [f"an import did not come to its end: {name}" for name in self.unfinished]
        if self.refused:
            said.append(f"rows refused: {self.refused:,}; --refused lists them")
        nothing = "nothing is unknown" if self.jobs else "nothing to check: no job is there"
        return said if len(said) > 1 else [*said, nothing]


def check(
    ledger: Ledger, months: Sequence[str] | None = None, fleet: Fleet | None = None
) -> Checked:
    """Everything that the ledger does not know of its jobs, or of those of some ``months``.

    ``fleet``: what may name their partitions and accounts.
    """
    where: list[ColumnElement[bool]] = [jobs.c.current]
    if months is not None:
        where.append(jobs.c.month.in_(list(months)))
    on_devices = [*where, jobs.c.devices > 0]
    with ledger.reading() as connection:
        (whole,) = _count(connection, "all", where)
        found = [
            *_count(connection, "unmetered", [*on_devices, jobs.c.meter.is_(None)]),
            *_count(connection, "unpriced", [*on_devices, jobs.c.cost.is_(None)]),
            *_count(connection, "without CO2e", [*on_devices, jobs.c.carbon_total.is_(None)]),
            *_count(
                connection,
                "CO2e by the year's mean, as grid.hourly lacks their hours",
                [*where, jobs.c.hourly < ENOUGH, jobs.c.carbon_operational.is_not(None)],
            ),
            *_count(connection, "devices unknown", [*where, jobs.c.devices.is_(None)]),
            *_count(connection, "without an account", [*where, jobs.c.account.is_(None)]),
            *_count(connection, "in no month", [*where, jobs.c.month == "unknown"]),
            *_count(
                connection,
                "ran for longer than from their start to their end",
                [*where, jobs.c.seconds > jobs.c.end - jobs.c.start + SUMMER],
            ),
            *_count(connection, "ended after now", [*where, jobs.c.end > time.time() + AHEAD]),
            _at_once(connection, where),
        ]
        whys = _whys(connection, where)
        unnamed = told(fleet, _named(connection, where)) if fleet is not None else []
        unnamed += of_nobody(connection, fleet) if fleet is not None else []
        unnamed += _series(connection, on_devices)
        nodes = connection.execute(_NODES).one()
        each = select(imports.c.name, refused.c.line, refused.c.row, refused.c.why).join(
            imports, refused.c.import_id == imports.c.id
        )
        number = connection.execute(
            select(func.count()).select_from(each.distinct().subquery())
        ).scalar()
    listed = [one for one in found if one.jobs] + whys
    return Checked(
        whole.jobs, whole.device_hours, listed, unfinished(ledger), int(number or 0),
        _of_nodes(*nodes), unnamed,
    )  # fmt: skip


def _named(
    connection: Connection, where: Sequence[ColumnElement[bool]]
) -> list[tuple[str | None, str | None, int]]:
    """The partitions and accounts that jobs name, and how many jobs."""
    pair = jobs.c.partition, jobs.c.account
    asked = select(*pair, func.count()).where(*where).group_by(*pair)
    return [(partition, account, int(n)) for partition, account, n in connection.execute(asked)]


def _at_once(connection: Connection, where: Sequence[ColumnElement[bool]]) -> Found:
    """Attempts that began while one before them of the same job had not ended, which none can.

    A time that was garbled makes another attempt of a row that the ledger has.
    """
    of_job = (jobs.c.cluster, jobs.c.job)
    before = func.lag(jobs.c.end).over(partition_by=of_job, order_by=jobs.c.start).label("before")
    each = select(jobs.c.start, jobs.c.device_hours, before).where(*where).subquery()
    asked = select(func.count(), func.sum(each.c.device_hours)).where(
        each.c.start < each.c.before - SUMMER
    )
    number, hours = connection.execute(asked).one()
    what = "ran while another attempt of the same job did: one of both is not right"
    return Found(what, int(number), float(hours or 0.0))


def _series(connection: Connection, where: Sequence[ColumnElement[bool]]) -> list[str]:
    """Why series of a Prometheus were refused of jobs that have no meter, the last of each."""
    each = (
        select(refused.c.row, refused.c.why)
        .join(imports, refused.c.import_id == imports.c.id)
        .where(imports.c.source == "prometheus")
        .order_by(refused.c.id.desc())
        .limit(_LOOKED_AT)
    )
    last: dict[str, str] = {}
    for row, why in connection.execute(each):
        last.setdefault(str(row), str(why))
    asked = select(jobs.c.job).where(*where, jobs.c.meter.is_(None), jobs.c.job.in_(list(last)))
    bare = sorted(set(connection.execute(asked).scalars())) if last else []
    said = [f"no meter of job {job}: Prometheus: {last[job]}" for job in bare[:SHOWN]]
    more = f"and {len(bare) - SHOWN} more jobs whose series was refused: --refused lists them"
    return said + ([more] if len(bare) > SHOWN else [])


#: refused rows that are looked through, and of how many jobs the reason is said
_LOOKED_AT, SHOWN = 500, 3

#: how many nodes have a meter, what they said in all, and what of it jobs have
_NODES = select(
    func.count(meters.c.node.distinct()), func.sum(meters.c.joules), func.sum(meters.c.given)
)


def _of_nodes(number: int, joules: float | None, given: float | None) -> str:
    """What the nodes' meters saw, and that the jobs have no more of it."""
    if not number or joules is None or given is None:
        return ""
    rest = human((joules - given) / KWH, "kWh")
    whole, had = (human(value / KWH, "kWh") for value in (joules, given))
    nodes = f"meters of {number_of(number, 'node')}"
    return f"{nodes}: {whole}, of which jobs have {had}; {rest} idled"


def _count(connection: Connection, what: str, where: Sequence[ColumnElement[bool]]) -> list[Found]:
    asked = select(func.count(), func.sum(jobs.c.device_hours)).where(*where)
    number, hours = connection.execute(asked).one()
    return [Found(what, int(number), float(hours or 0.0))]


def _whys(connection: Connection, where: Sequence[ColumnElement[bool]]) -> list[Found]:
    """The reasons that rows give, the commonest first."""
    asked = (
        select(jobs.c.why, func.count().label("number"), func.sum(jobs.c.device_hours))
        .where(*where, jobs.c.why.is_not(None))
        .group_by(jobs.c.why)
        .order_by(func.count().desc())
        .limit(MOST)
    )
    rows = connection.execute(asked)
    return [Found("because", int(n), float(hours or 0.0), str(why)) for why, n, hours in rows]


def refusals(ledger: Ledger) -> list[str]:
    """Every row that was refused, with its import, line and reason."""
    asked = (
        select(imports.c.name, refused.c.line, refused.c.row, refused.c.why)
        .join(imports, refused.c.import_id == imports.c.id)
        .group_by(imports.c.name, refused.c.line, refused.c.row, refused.c.why)
        .order_by(func.max(refused.c.id))
    )
    with ledger.reading() as connection:
        return [
            f"{name}:{f'{line}:' if line else ''} {row}: {why}"
            for name, line, row, why in connection.execute(asked)
        ]
