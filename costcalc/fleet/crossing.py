"""Jobs that began before a span of time: what of them was before it, and what was in it.

A job is counted whole in the month in which it ended; a pace, and what idled beside jobs, go by
what was within.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import ColumnElement, case, func, select

from costcalc.fleet.tables import SQUARED, jobs

if TYPE_CHECKING:
    from costcalc.fleet.ledger import Ledger
    from costcalc.fleet.period import Period


@dataclass(frozen=True, slots=True)
class Crossed:
    """What ``jobs`` had, in the ledger's units, before the span that they are counted in.

    ``squares``: of each figure the sum of the jobs' squares less that of their parts' within.
    """

    jobs: int
    before: Mapping[str, float]
    squares: Mapping[str, float]


def within(start: float, end: float) -> ColumnElement[float]:
    """The part of a job that lies between two moments; of one without a start all of it."""
    first = case((jobs.c.start > start, jobs.c.start), else_=start)
    last = case((jobs.c.end < end, jobs.c.end), else_=end)
    whole = jobs.c.end - jobs.c.start
    return case(((jobs.c.start < start) | (jobs.c.end > end), (last - first) / whole), else_=1.0)


def crossed(
    ledger: Ledger, over: Period, since: float, accounts: Collection[str] | None = None
) -> Mapping[str | None, Crossed]:
    """By account, what jobs of a period had before ``since``, in it or at its beginning.

    ``accounts``: of these alone.
    """
    inside = within(since, over.end)
    sums: list[ColumnElement[float]] = []
    for name in SQUARED:
        column = jobs.c[name]
        sums += [func.sum(column * (1 - inside)), func.sum(column * column * (1 - inside * inside))]
    where = [
        jobs.c.current, jobs.c.month.in_(over.months), jobs.c.start < since, jobs.c.end > since
    ]  # fmt: skip
    if accounts is not None:
        where.append(jobs.c.account.in_(sorted(accounts)))
    asked = select(jobs.c.account, func.count(), *sums).where(*where).group_by(jobs.c.account)
    found: dict[str | None, Crossed] = {}
    with ledger.reading() as connection:
        for account, number, *values in connection.execute(asked):
            told = [float(value or 0.0) for value in values]
            before = dict(zip(SQUARED, told[::2], strict=True))
            squares = dict(zip(SQUARED, told[1::2], strict=True))
            found[account] = Crossed(int(number), before, squares)
    return found


def after(
    ledger: Ledger, over: Period, accounts: Collection[str] | None = None
) -> tuple[int, float]:
    """How many jobs began in a period, or before it, and ended after it; their device-hours until
    its end, which are in no sum of it.
    """
    hours = jobs.c.device_hours * within(over.start, over.end)
    where = [
        jobs.c.current, jobs.c.month > over.months[-1], jobs.c.month != "unknown",
        jobs.c.start < over.end, jobs.c.end > over.end,
    ]  # fmt: skip
    if accounts is not None:
        where.append(jobs.c.account.in_(sorted(accounts)))
    with ledger.reading() as connection:
        number, had = connection.execute(select(func.count(), func.sum(hours)).where(*where)).one()
    return int(number), float(had or 0.0)


def together(found: Collection[Crossed]) -> Crossed:
    """What the jobs of several accounts had.

    >>> one = Crossed(1, dict.fromkeys(SQUARED, 2.0), dict.fromkeys(SQUARED, 4.0))
    >>> together([one, one]).jobs, together([one, one]).before["cost"], together([]).before["cost"]
    (2, 4.0, 0.0)
    """
    return Crossed(
        sum(one.jobs for one in found),
        {name: sum((one.before[name] for one in found), 0.0) for name in SQUARED},
        {name: sum((one.squares[name] for one in found), 0.0) for name in SQUARED},
    )
