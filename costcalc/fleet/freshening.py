"""The sums of each month, kept beside the rows: made anew of them when some have changed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sqlalchemy import Connection, Select, case, delete, func, insert, select

from costcalc.fleet.tables import DIMENSIONS, FIGURES, SUMMED, fresh, jobs, sums

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
            columns = (*DIMENSIONS, "kind", "jobs", *SUMMED, *_COUNTED, "trained", "seen")
            connection.execute(insert(sums).from_select(columns, _of(month)))
            connection.execute(insert(fresh).values(month=month))


def _lacking(connection: Connection, months: Iterable[str] | None) -> list[str]:
    if months is None:
        asked = select(jobs.c.month).where(jobs.c.current).distinct()
        months = list(connection.execute(asked).scalars())
    known = set(connection.execute(select(fresh.c.month)).scalars())
    return sorted(set(months) - known)


_COUNTED = tuple(f"n_{name}" for name in ("device_hours", *FIGURES))


def _of(month: str) -> Select[tuple[object, ...]]:
    """The sums of a month's current rows."""
    keys = [jobs.c[name] for name in (*DIMENSIONS, "kind")]
    seen = case((jobs.c.utilization.is_not(None), jobs.c.device_hours))
    return (
        select(
            *keys,
            func.count(),
            *[func.sum(jobs.c[name]) for name in SUMMED],
            *[func.count(jobs.c[name]) for name in ("device_hours", *FIGURES)],
            func.sum(jobs.c.device_hours * jobs.c.utilization),
            func.sum(seen),
        )
        .where(jobs.c.current, jobs.c.month == month)
        .group_by(*keys)
    )
