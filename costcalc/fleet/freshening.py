"""The sums of each month, kept beside the rows: made anew of them when some have changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Select, case, delete, func, insert, select

from costcalc.fleet.facts import MORE_THAN
from costcalc.fleet.kinds import HOUR
from costcalc.fleet.series import ENOUGH
from costcalc.fleet.tables import (
    BY_HOURS,
    CROWDED,
    DIMENSIONS,
    FIGURES,
    SQUARED,
    SUMMED,
    fresh,
    jobs,
    sums,
)

if TYPE_CHECKING:
    from costcalc.fleet.ledger import Ledger


def stale(connection: Connection, months: Iterable[str]) -> None:
    """Say, within a batch, that rows of these months have changed."""
    connection.execute(delete(fresh).where(fresh.c.month.in_(sorted(set(months)))))


def freshen(ledger: Ledger, months: Iterable[str] | None = None) -> None:
    """Make the sums of months anew where their rows have changed; None: of all months."""
    with ledger.reading() as connection:
        wanted = _lacking(connection, months)
    if not wanted:
        return
    with ledger.writing() as connection:
        for month in _lacking(connection, wanted):  # another may have done it
            connection.execute(delete(sums).where(sums.c.month == month))
            columns = (*DIMENSIONS, "kind", "jobs", *SUMMED, *_COUNTED, "trained", "seen", *ALSO)
            connection.execute(insert(sums).from_select(columns, _of(month)))
            connection.execute(insert(fresh).values(month=month))


def _lacking(connection: Connection, months: Iterable[str] | None) -> list[str]:
    """Months whose sums are not those of their rows; one that never had any has none."""
    known = set(connection.execute(select(fresh.c.month)).scalars())
    # also of months whose last row has been corrected into another
    asked = [select(one).distinct() for one in (jobs.c.month, sums.c.month)]
    asked[0] = asked[0].where(jobs.c.current)
    if months is not None:
        wanted = sorted(set(months) - known)
        if not wanted:
            return []
        columns = (jobs.c.month, sums.c.month)
        asked = [q.where(c.in_(wanted)) for q, c in zip(asked, columns, strict=True)]
    there = {month for one in asked for month in connection.execute(one).scalars()}
    return sorted(there - known)


def is_fresh(connection: Connection) -> bool:
    """Whether the sums of all months are those of the rows."""
    return not _lacking(connection, None)


_COUNTED = tuple(f"n_{name}" for name in ("device_hours", *FIGURES))


#: what else is summed
ALSO = (*(f"{name}_squares" for name in SQUARED), *BY_HOURS, *CROWDED)


def _of(month: str) -> Select[tuple[object, ...]]:
    """The sums of a month's current rows."""
    keys = [jobs.c[name] for name in (*DIMENSIONS, "kind")]
    seen = case((jobs.c.utilization.is_not(None), jobs.c.device_hours))
    crowded = jobs.c.why.contains(MORE_THAN)
    by_hours, by_year = jobs.c.hourly >= ENOUGH, jobs.c.hourly < ENOUGH
    hours = {
        "energy_by_hours": case((by_hours, jobs.c.energy)),
        "carbon_by_hours": case((by_hours, jobs.c.carbon_operational)),
        "jobs_by_year": case((by_year & jobs.c.carbon_operational.is_not(None), 1.0)),
        "energy_by_year": case((by_year, jobs.c.energy)),
        "carbon_by_year": case((by_year, jobs.c.carbon_operational)),
        "hours_lacking": case(
            (by_year & jobs.c.carbon_operational.is_not(None),
             (1.0 - jobs.c.hourly) * (jobs.c.end - jobs.c.start) / HOUR)
        ),
    }  # fmt: skip
    return (
        select(
            *keys,
            func.count(),
            *[func.sum(jobs.c[name]) for name in SUMMED],
            *[func.count(jobs.c[name]) for name in ("device_hours", *FIGURES)],
            func.sum(jobs.c.device_hours * jobs.c.utilization),
            func.sum(seen),
            *[func.sum(jobs.c[name] * jobs.c[name]) for name in SQUARED],
            *[func.sum(hours[name]) for name in BY_HOURS],
            func.sum(case((crowded, 1.0))),
            func.sum(case((crowded, jobs.c.device_hours))),
        )
        .where(jobs.c.current, jobs.c.month == month)
        .group_by(*keys)
    )
