"""What of a budget is used, and what will be at the pace so far: on the whole and of late."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC

from sqlalchemy import func, select

from costcalc.base.ranges import Z95
from costcalc.base.units import from_si
from costcalc.decide.clock import zone
from costcalc.fleet.cluster import Budget, Cluster
from costcalc.fleet.crossing import Crossed, crossed, together, within
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.period import Period, around
from costcalc.fleet.summary import Sums, summed
from costcalc.fleet.sums import Figure, Group
from costcalc.fleet.tables import SQUARED, jobs

#: the days whose pace is that of late
LATE = 7 * 86_400.0
_UNITS = {"cost": "", "energy": "kWh", "carbon": "kgCO2e", "device_hours": "device_hour"}
_COLUMNS = {"cost": "cost", "energy": "energy", "carbon": "carbon_total"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Used:
    """A budget: what of it is used, and the forecast of its period's end.

    What is used already is sure but for its own range.  The rest comes at the slower and at the
    faster of two paces, the whole period's and the last seven days', and beyond them as far as so
    many jobs of such sizes tell a pace (see :func:`_forecast`).
    """

    account: str | None
    period: str
    of: str
    unit: str
    budget: float
    used: Figure
    forecast: Figure | None  # None: nothing of the period is known that a pace could be of
    elapsed: float  # share of the period

    @property
    def share(self) -> float:
        """How much of it is used."""
        return self.used.value / self.budget


def used(
    ledger: Ledger,
    cluster: Cluster,
    months: Sequence[str],
    until: float | None,
    first: str | None = None,
) -> list[Used]:
    """Every budget in each of its periods that these months have a part in.

    Of several periods those are left out of which nothing can be known: before the ledger's
    ``first`` month, which it is taken to have whole, and after its last moment, ``until``.

    Raises:
        InputError: the budgets are not in the ledger's money.
    """
    fleet = cluster.fleet
    if fleet.budgets:
        ledger.counts_in(fleet.currency)
    place = zone(fleet.timezone) if fleet.timezone else UTC
    since = around(first, "month", place).start if first else 0.0
    named = [budget.account for budget in fleet.budgets]
    accounts = None if None in named else {name for name in named if name is not None}
    spans: dict[Period, _Span] = {}
    made: list[Used] = []
    for budget in fleet.budgets:
        periods = list(dict.fromkeys(around(month, budget.period, place) for month in months))
        for over in periods:
            if over not in spans:
                spans[over] = _span(ledger, over, until, since, accounts)
            if spans[over].known or len(periods) == 1:
                made += _each(budget, spans[over], fleet.currency)
    return made


@dataclass(frozen=True, slots=True)
class _Span:
    """A period: its sums, and of the ``seconds`` of it that are known until ``now`` what jobs had
    before them.
    """

    over: Period
    sums: Sums
    now: float
    since: float
    crossed: Mapping[str | None, Crossed]
    late: Mapping[str | None, Mapping[str, float]]
    known: bool

    def of(self, account: str | None) -> tuple[Group, Crossed]:
        """The sums of an account, None: of all, and what of them was before the span."""
        if account is None:
            return self.sums.total, together(list(self.crossed.values()))
        empty = Group(key=(account,))
        group = next((one for one in self.sums.groups if one.key == (account,)), empty)
        return group, self.crossed.get(account) or together([])

    def of_late(self, account: str | None, column: str) -> float:
        """What an account, None: all, used a second of late."""
        if account is None:
            return sum(one[column] for one in self.late.values())
        return self.late.get(account, {}).get(column, 0.0)


def _span(
    ledger: Ledger,
    over: Period,
    until: float | None,
    since: float,
    accounts: Collection[str] | None,
) -> _Span:
    found = summed(ledger, over.months, accounts=accounts)
    now = min(max(until or over.end, over.start), over.end)
    start = max(over.start, since)
    known = bool(found.total.jobs) or start < now
    if now >= over.end:  # nothing is to come
        return _Span(over, found, now, start, {}, {}, known)
    before = crossed(ledger, over, start, accounts)
    return _Span(over, found, now, start, before, _late(ledger, now, over, accounts), known)


def _each(budget: Budget, span: _Span, currency: str) -> Iterator[Used]:
    over, now = span.over, span.now
    total, crossed_ = span.of(budget.account)
    for name, unit in _UNITS.items():
        amount = _amount(budget, name)
        if amount is None:
            continue
        column = _COLUMNS.get(name, name)
        figure = total.figures.get(column)
        if name == "device_hours":
            figure = Figure(*(total.device_hours,) * 3, total.hours_unknown)
        figure = figure or Figure(0.0, 0.0, 0.0)
        # without a job there is nothing to square; else a sum that is not there is a fault of ours
        squares = total.also[f"{column}_squares"] if total.jobs else 0.0
        pace = _Pace(
            within=figure.value - crossed_.before[column],
            squares=max(squares - crossed_.squares[column], 0.0),
            known=now - span.since,
            late=span.of_late(budget.account, column),
        )
        yield Used(
            account=budget.account,
            period=over.name,
            of=name,
            unit=unit or currency,
            budget=amount,
            used=figure,
            forecast=_forecast(figure, pace, over.end - now),
            elapsed=(now - over.start) / over.seconds,
        )


def _amount(budget: Budget, name: str) -> float | None:
    """A budget in the ledger's unit."""
    if name == "cost":
        return None if budget.cost is None else budget.cost.amount
    value: float | None = getattr(budget, name)
    if value is None or name == "device_hours":
        return value
    return from_si(value, _UNITS[name])


def _late(
    ledger: Ledger, now: float, over: Period, accounts: Collection[str] | None = None
) -> Mapping[str | None, Mapping[str, float]]:
    """By account, what was used a second in the last days: of each job its part in them."""
    span = min(LATE, now - over.start)
    if span <= 0:
        return {}
    inside = within(now - span, now)
    each = [func.sum(jobs.c[name] * inside) for name in SQUARED]
    where = [
        jobs.c.current, jobs.c.month.in_(over.months), jobs.c.end > now - span, jobs.c.end <= now
    ]  # fmt: skip
    if accounts is not None:
        where.append(jobs.c.account.in_(sorted(accounts)))
    asked = select(jobs.c.account, *each).where(*where).group_by(jobs.c.account)
    with ledger.reading() as connection:
        return {
            account: {n: float(v or 0.0) / span for n, v in zip(SQUARED, values, strict=True)}
            for account, *values in connection.execute(asked)
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pace:
    """What jobs used ``within`` the seconds ``known``, with the sum of the squares of each one's
    part, and a second ``late``.
    """

    within: float
    squares: float
    known: float
    late: float


def _forecast(figure: Figure, pace: _Pace, left: float) -> Figure | None:
    """At the pace of the seconds known, between it and that of late, over those that are left.

    Jobs come one by one, so that what comes is no surer than their number: as a compound Poisson
    process, whose variance over a time is its rate times the mean square of a job (``squares`` is
    the sum of those seen).  Of r times the time seen it is r of that sum, and as much as r squared
    for the pace, which is known by the same jobs.

    >>> one = _Pace(within=50.0, squares=0.0, known=10.0, late=2.0)
    >>> _forecast(Figure(50.0, 50.0, 50.0), one, 10.0)
    Figure(value=100.0, low=70.0, high=100.0, unknown=0)
    >>> # 4 jobs of 10 in 10 s, 10 s to come: 40 and 1.64485 × sqrt(4 × 10² × (1 + 1))
    >>> four = _Pace(within=40.0, squares=400.0, known=10.0, late=4.0)
    >>> made = _forecast(Figure(40.0, 40.0, 40.0), four, 10.0)
    >>> made.value, round(made.low, 2), round(made.high, 2)
    (80.0, 40.0, 126.52)
    """
    if pace.known <= 0:
        return None
    more = left / pace.known
    whole = figure.value + pace.within * more
    of_late = figure.value + pace.late * left
    scale = whole / figure.value if figure.value else 1.0
    beyond = Z95 * math.sqrt(pace.squares * more * (1 + more))
    low = min(figure.low * scale, figure.low + pace.late * left, whole, of_late) - beyond
    high = max(figure.high * scale, figure.high + pace.late * left, whole, of_late) + beyond
    return Figure(whole, max(low, min(figure.low, whole)), high, figure.unknown)
