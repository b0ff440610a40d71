"""What of a budget is used, and what will be at the pace so far: on the whole and of late."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC

from sqlalchemy import func, select

from costcalc.base.ranges import Z95
from costcalc.base.units import from_si
from costcalc.decide.clock import zone
from costcalc.fleet.cluster import Budget, Cluster
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.period import Period, around
from costcalc.fleet.summary import summed
from costcalc.fleet.sums import Figure
from costcalc.fleet.tables import jobs

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
    forecast: Figure
    elapsed: float  # share of the period

    @property
    def share(self) -> float:
        """How much of it is used."""
        return self.used.value / self.budget


def used(
    ledger: Ledger, cluster: Cluster, month: str, until: float | None, first: str | None = None
) -> list[Used]:
    """Every budget whose period has this month in it.

    ``first``: the ledger's first month, which it is taken to have whole; a pace is of what it
    knows.  ``until``: its last moment.

    Raises:
        InputError: the budgets are not in the ledger's money.
    """
    if cluster.fleet.budgets:
        ledger.counts_in(cluster.fleet.currency)
    made: list[Used] = []
    zone_ = zone(cluster.fleet.timezone) if cluster.fleet.timezone else UTC
    since = around(first, "month", zone_).start if first else 0.0
    for budget in cluster.fleet.budgets:
        over = around(month, budget.period, zone_)
        made += _each(ledger, budget, over, until, since, cluster.fleet.currency)
    return made


def _each(
    ledger: Ledger, budget: Budget, over: Period, until: float | None, since: float, currency: str
) -> Iterator[Used]:
    mine = None if budget.account is None else (budget.account,)
    total = summed(ledger, over.months, accounts=mine).total
    now = min(max(until or over.end, over.start), over.end)
    elapsed = (now - over.start) / over.seconds
    for name, unit in _UNITS.items():
        amount = _amount(budget, name)
        if amount is None:
            continue
        figure = total.figures.get(_COLUMNS.get(name, ""), None)
        if name == "device_hours":
            figure = Figure(*(total.device_hours,) * 3)
        figure = figure or Figure(0.0, 0.0, 0.0)
        late = _late(ledger, budget.account, name, now, over)
        # without a job there is nothing to square; else a sum that is not there is a fault of ours
        squares = total.also[f"{_COLUMNS.get(name, name)}_squares"] if total.jobs else 0.0
        yield Used(
            account=budget.account,
            period=over.name,
            of=name,
            unit=unit or currency,
            budget=amount,
            used=figure,
            forecast=_forecast(figure, now - max(over.start, since), late, over.end - now, squares),
            elapsed=elapsed,
        )


def _amount(budget: Budget, name: str) -> float | None:
    """A budget in the ledger's unit."""
    if name == "cost":
        return None if budget.cost is None else budget.cost.amount
    value: float | None = getattr(budget, name)
    if value is None or name == "device_hours":
        return value
    return from_si(value, _UNITS[name])


def _late(ledger: Ledger, account: str | None, name: str, now: float, over: Period) -> float:
    """What was used a second in the last days; of jobs that ended in them."""
    span = min(LATE, now - over.start)
    if span <= 0:
        return 0.0
    column = jobs.c[_COLUMNS.get(name, "device_hours")]
    asked = select(func.sum(column)).where(
        jobs.c.current, jobs.c.month.in_(over.months), jobs.c.end > now - span, jobs.c.end <= now
    )
    if account is not None:
        asked = asked.where(jobs.c.account == account)
    with ledger.reading() as connection:
        return float(connection.execute(asked).scalar() or 0.0) / span


def _forecast(figure: Figure, known: float, late: float, left: float, squares: float) -> Figure:
    """At the pace of the seconds ``known``, between it and that of late, over those that are left.

    Jobs come one by one, so that what comes is no surer than their number: as a compound Poisson
    process, whose variance over a time is its rate times the mean square of a job (``squares`` is
    the sum of those seen).  Of r times the time seen it is r of that sum, and as much as r squared
    for the pace, which is known by the same jobs.

    >>> _forecast(Figure(50.0, 50.0, 50.0), 10.0, 2.0, 10.0, 0.0)
    Figure(value=100.0, low=70.0, high=100.0, unknown=0)
    >>> # 4 jobs of 10 in 10 s, 10 s to come: 40 and 1.64485 × sqrt(4 × 10² × (1 + 1))
    >>> made = _forecast(Figure(40.0, 40.0, 40.0), 10.0, 4.0, 10.0, 400.0)
    >>> made.value, round(made.low, 2), round(made.high, 2)
    (80.0, 40.0, 126.52)
    """
    if known <= 0:
        return Figure(0.0, 0.0, 0.0)
    more = left / known
    whole = figure.value * (1 + more)
    of_late = figure.value + late * left
    scale = whole / figure.value if figure.value else 1.0
    beyond = Z95 * math.sqrt(squares * more * (1 + more))
    low = min(figure.low * scale, figure.low + late * left, whole, of_late) - beyond
    high = max(figure.high * scale, figure.high + late * left, whole, of_late) + beyond
    return Figure(whole, max(low, min(figure.low, whole)), high, figure.unknown)
