"""The report of a period: sums, what idled, budgets, and how much of it is known."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select

from costcalc.base.errors import InputError, Problem
from costcalc.decide.clock import zone
from costcalc.fleet.budgets import Used, used
from costcalc.fleet.cluster import SHARED, Cluster
from costcalc.fleet.freshening import freshen
from costcalc.fleet.idle import Idle, idle
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.period import Period, period
from costcalc.fleet.summary import Sums, summed
from costcalc.fleet.tables import jobs, sums

#: seconds that clocks of a cluster may be ahead of this machine's
AHEAD = 86_400.0


@dataclass(frozen=True, slots=True)
class Month:
    """What is reported of a period; ``until``: the last moment that the ledger knows of."""

    name: str
    over: Period
    currency: str
    sums: Sums
    idle: Sequence[Idle]
    pays: str
    budgets: Sequence[Used]
    until: float | None

    @property
    def idle_energy(self) -> float:
        """kWh that idle nodes drew."""
        return sum(one.figures["energy"].value for one in self.idle if "energy" in one.figures)

    def idle_of(self, hours: float) -> float | None:
        """kWh of idle nodes that a group of so many device-hours bears; None: not shared."""
        if self.pays != SHARED or not self.sums.total.device_hours:
            return None
        return self.idle_energy * hours / self.sums.total.device_hours


def of_period(
    ledger: Ledger,
    cluster: Cluster,
    said: str | None = None,
    by: Sequence[str] = ("account",),
    *,
    accounts: Collection[str] | None = None,
) -> Month:
    """The report of a period, by default of the ledger's last month; ``accounts``: of those alone.

    Raises:
        InputError: it is no period, or the ledger has no job.
    """
    known = reach(ledger)
    if known is None:
        message = "the ledger has no job yet; costcalc fleet import takes them in"
        raise InputError(Problem(key="ledger", message=message, file=ledger.shown))
    over = period(said or known.last, zone(cluster.fleet.timezone))
    found = summed(ledger, over.months, by, accounts=accounts)
    if not found.total.jobs:
        whose = f" of {', '.join(sorted(accounts))}" if accounts else ""
        message = (
            f"no job{whose} ended in {over.name}; the ledger has {known.first} to {known.last}"
        )
        raise InputError(Problem(key="--month", message=message, file=ledger.shown))
    budgets = used(ledger, cluster, over.months[-1], known.end, known.first)
    if accounts is not None:
        budgets = [one for one in budgets if one.account in accounts]
    return Month(
        name=cluster.fleet.name or "cluster",
        over=over,
        currency=ledger.about("currency"),
        sums=found,
        idle=idle(ledger, cluster, over, (known.start, known.end)) if accounts is None else (),
        pays=cluster.fleet.idle.pays,
        budgets=budgets,
        until=known.end,
    )


def months(ledger: Ledger, accounts: Collection[str] | None = None) -> list[str]:
    """The months in which jobs ended, of some ``accounts`` or of all, the last first.

    One of a clock that was wrong is not among them: see :func:`reach`.
    """
    known = reach(ledger)
    if known is None:
        return []
    freshen(ledger)
    some = (sums.c.month != "unknown", sums.c.month <= known.last)
    asked = select(sums.c.month).where(*some).distinct()
    if accounts is not None:
        asked = asked.where(sums.c.account.in_(sorted(accounts)))
    with ledger.reading() as connection:
        return sorted(connection.execute(asked).scalars(), reverse=True)


@dataclass(frozen=True, slots=True)
class Reach:
    """The first and last month of a ledger, and its first and last moment."""

    first: str
    last: str
    start: float
    end: float


def reach(ledger: Ledger) -> Reach | None:
    """How far a ledger reaches; None: it has no job.

    Jobs that end after now are of a clock that was wrong, and do not say what the last month is,
    unless there are no others.
    """
    asked = select(
        func.min(jobs.c.month), func.max(jobs.c.month), func.min(jobs.c.start), func.max(jobs.c.end)
    ).where(jobs.c.current, jobs.c.month != "unknown")
    with ledger.reading() as connection:
        found = connection.execute(asked.where(jobs.c.end <= time.time() + AHEAD)).one()
        if found[0] is None:
            found = connection.execute(asked).one()
    first, last, start, end = found
    return None if first is None else Reach(first, last, float(start), float(end))
