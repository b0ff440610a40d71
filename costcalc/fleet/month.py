"""The report of a period: sums, what idled, budgets, and how much of it is known."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo

from sqlalchemy import exists, func, select

from costcalc.base.errors import InputError, Problem
from costcalc.base.human import digits, human, number_of
from costcalc.decide.clock import zone
from costcalc.fleet.budgets import Used, used
from costcalc.fleet.charging import Charges, charges
from costcalc.fleet.cluster import NOBODY, SHARED, Cluster
from costcalc.fleet.crossing import Crossed, after, crossed, together
from costcalc.fleet.facts import GOING
from costcalc.fleet.freshening import freshen
from costcalc.fleet.idle import Idle, idle
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.nobodys import of_nobody
from costcalc.fleet.period import Period, period
from costcalc.fleet.summary import Sums, summed
from costcalc.fleet.tables import imports, jobs, sums

#: seconds that clocks of a cluster may be ahead of this machine's
AHEAD = 86_400.0


@dataclass(frozen=True, slots=True)
class Month:
    """What is reported of a period; ``until``: the moment that the ledger's data reach to.

    ``last``: when its last job ended.
    """

    name: str
    over: Period
    currency: str
    sums: Sums
    idle: Sequence[Idle]
    pays: str
    charges: Charges
    budgets: Sequence[Used]
    until: float
    last: float
    zone: tzinfo
    going: int = 0  # attempts that had not ended when their source was read
    broken: Sequence[str] = ()  # imports that did not come to their end
    crossed: Crossed = field(default_factory=lambda: together(()))  # jobs that began before it
    nobodys: Sequence[str] = ()  # budgets of accounts that nothing else names
    after: tuple[int, float] = (0, 0.0)  # jobs that ended after it: how many, device-hours in it

    def at(self, second: float) -> str:
        """A moment as a clock of the cluster shows it."""
        return datetime.fromtimestamp(second, self.zone).strftime("%Y-%m-%d %H:%M")

    @property
    def reaching(self) -> str:
        """Until when the data reach, where the period goes on after it; else empty."""
        if self.until >= self.over.end:
            return ""
        how = "when the last job ended" if self.until <= self.last else "when it was asked for"
        left = human((self.over.end - self.until) / 3600, "h")
        return (
            f"What is known reaches to {self.at(self.until)}, {how}; of the {left} from then on "
            "nothing is known"
        )

    @property
    def limits(self) -> list[str]:
        """What its sums may lack: from when on nothing is known, what still ran, what broke."""
        told = [self.reaching] if self.reaching else []
        edges = [
            f"{digits(hours)} device-hours of {number_of(jobs, 'job')} {where}"
            for jobs, hours, where in (
                (self.crossed.jobs, self.crossed.before["device_hours"],
                 f"were before {self.at(self.over.start)}"),
                (*self.after, "that ended later are in none of the sums"),
            )
            if hours
        ]  # fmt: skip
        if edges:
            whole = "Jobs are counted whole in the month in which they ended"
            told.append(f"{whole}: {', and '.join(edges)}")
        crowded = self.sums.total.also.get("jobs_crowded", 0.0)
        if crowded:
            hours = digits(self.sums.total.also["hours_crowded"])
            told.append(
                f"{number_of(crowded, 'job')} held more than the nodes have by fleet.yaml, of "
                f"which one is wrong: {hours} device-hours; fleet check says by which key"
            )
        if self.going:
            told.append(
                f"{number_of(self.going, 'job')} had not ended when last asked for: what was held "
                "until then is in the sums"
            )
        told += [
            f"an import has not come to its end, and what it would tell is missing: {name}"
            for name in self.broken
        ]
        return [*told, *self.nobodys]


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
    place = zone(cluster.fleet.timezone)
    over = period(said or known.last, place)
    found = summed(ledger, over.months, by, accounts=accounts)
    if not found.total.jobs:
        whose = f" of {', '.join(sorted(accounts))}" if accounts else ""
        message = (
            f"no job{whose} ended in {over.name}; the ledger has {known.first} to {known.last}"
        )
        raise InputError(Problem(key="--month", message=message, file=ledger.shown))
    budgets = used(ledger, cluster, over.months, known.until, known.first)
    if accounts is not None:
        budgets = [one for one in budgets if one.account in accounts]
    pays, idled = cluster.fleet.idle.pays, list[Idle]()
    if accounts is None or pays != NOBODY:
        idled = idle(ledger, cluster, over, (known.start, known.until))
    hours = None if accounts is None else _hours(ledger, over)
    with ledger.reading() as connection:
        nobodys = of_nobody(connection, cluster.fleet) if accounts is None else []
    borne = charges(pays, idled, found.groups, found.by, found.total, hours)
    if accounts is not None and pays not in (NOBODY, SHARED, *accounts):
        borne = Charges()  # another account pays
    return Month(
        name=cluster.fleet.name or "cluster",
        over=over,
        currency=ledger.about("currency"),
        sums=found,
        idle=idled if accounts is None else (),
        pays=pays,
        charges=borne,
        budgets=budgets,
        until=known.until,
        last=known.end,
        zone=place,
        going=_going(ledger, over, accounts),
        nobodys=nobodys,
        crossed=together(list(crossed(ledger, over, over.start, accounts).values())),
        after=after(ledger, over, accounts),
        broken=unfinished(ledger) if accounts is None else (),
    )


def split(ledger: Ledger, month: Month, by: Sequence[str], accounts: Collection[str]) -> Month:
    """The same period and accounts by something else; who bears idle nodes stays with the first."""
    made = summed(ledger, month.over.months, by, accounts=accounts)
    return replace(month, sums=made, charges=Charges())


def _going(ledger: Ledger, over: Period, accounts: Collection[str] | None) -> int:
    """How many attempts of a period had not ended when their source was read."""
    asked = select(func.sum(sums.c.jobs)).where(
        sums.c.month.in_(list(over.months)), sums.c.state.in_(GOING)
    )
    if accounts is not None:
        asked = asked.where(sums.c.account.in_(sorted(accounts)))
    with ledger.reading() as connection:
        return int(connection.execute(asked).scalar() or 0)


def _hours(ledger: Ledger, over: Period) -> float:
    """The device-hours of everybody's jobs."""
    asked = select(func.sum(sums.c.device_hours)).where(sums.c.month.in_(list(over.months)))
    with ledger.reading() as connection:
        return float(connection.execute(asked).scalar() or 0.0)


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
    """The first and last month of a ledger, when its first job began and its last ended.

    ``until``: the moment that what it knows reaches to: that end, or later when a scheduler was
    asked for all of its jobs.
    """

    first: str
    last: str
    start: float
    end: float
    until: float


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
        until = connection.execute(select(func.max(imports.c.until))).scalar() or 0.0
    first, last, start, end = found
    if first is None:
        return None
    return Reach(first, last, float(start), float(end), max(float(end), float(until)))


#: imports that broke, unless the same was imported again and came to its end
_AGAIN = imports.alias()
_UNFINISHED = select(imports.c.name).where(
    imports.c.ended.is_(None),
    ~exists().where(
        _AGAIN.c.source == imports.c.source,
        _AGAIN.c.name == imports.c.name,
        _AGAIN.c.id > imports.c.id,
        _AGAIN.c.ended.is_not(None),
    ),
)


def unfinished(ledger: Ledger) -> list[str]:
    """The names of imports that broke, each once."""
    with ledger.reading() as connection:
        return sorted(set(connection.execute(_UNFINISHED).scalars()))
