"""What the fleet's pages show: text and the sizes of bars; nothing is calculated here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from sqlalchemy import select

from costcalc.base.errors import CostcalcError, InputError
from costcalc.base.human import digits, human, number_of, percent
from costcalc.fleet import beside, budgeted, told
from costcalc.fleet.budgets import Used
from costcalc.fleet.job import attempts, full, hosts, not_reported, paragraph, parts
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.month import Month
from costcalc.fleet.scoping import Scope
from costcalc.fleet.sums import NONE, Group, money
from costcalc.fleet.tables import jobs
from costcalc.report.files import text as report_text
from costcalc.report.view import View

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from costcalc.calculator.report_schema import Report

#: groups of a table, and jobs of an account; the files have all of them
MOST = 200
DEAREST = 20
_CARDS = (("cost", "Cost", ""), ("energy", "Energy", "kWh"), ("carbon_total", "CO2e", "kgCO2e"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One sum: its text, its range, and of what it lacks."""

    label: str
    value: str
    range: str
    note: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A group: its name, the query of its own page if it has one, its cells with their ranges."""

    key: Sequence[str]
    query: str
    cells: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Groups and all of them."""

    by: Sequence[str]
    head: Sequence[str]
    rows: Sequence[Row]
    total: Sequence[tuple[str, str]]
    more: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A period."""

    name: str
    cluster: str
    limits: Sequence[str]
    cards: Sequence[Card]
    table: Table
    further: Sequence[tuple[str, Table]]
    lists: Sequence[tuple[str, Sequence[tuple[str, str]]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A budget: its words, and of a bar how much is used and will be, in hundredths of it."""

    name: str
    told: str
    state: str
    used: str
    forecast: str
    mark: str


def month(made: Month) -> Shown:
    """A period and its groups."""
    total = made.sums.total
    lists = (
        ("Budgets", list(budgeted.lines(made))),
        ("The grid's hours", beside.grids(made)),
        ("For nothing", told.wastes(total, made.currency)),
        ("Idle nodes", list(beside.idles(made))),
        ("Not known, and in no sum", told.unknowns(total)),
    )
    return Shown(
        name=made.over.name,
        cluster=made.name,
        cards=_cards(total, made.currency),
        table=table(made),
        further=further(made),
        limits=made.limits,
        lists=[(title, pairs) for title, pairs in lists if pairs],
    )


def _cards(group: Group, currency: str) -> list[Card]:
    made = []
    for name, label, unit in _CARDS:
        figure = group.figures.get(name)
        own = currency if name == "cost" else None
        text, between = beside.shown(figure, group.jobs, unit, own)
        lacks = figure.unknown if figure else group.jobs
        note = f"without {number_of(lacks, 'job')} of which it is not known" if lacks else ""
        made.append(Card(label=label, value=text, range=between, note=note))
    share = group.measured_share
    metered = "no energy is known" if share is None else f"{percent(share)} of the energy metered"
    hours = digits(group.device_hours) + (" + ?" if group.hours_unknown else "")
    note = f"{number_of(group.jobs, 'job')}; {metered}"
    return [*made, Card(label="Device-hours", value=hours, range="", note=note)]


def table(made: Month) -> Table:
    """A period's groups as rows of text."""
    shown = made.sums.groups[:MOST]
    return Table(
        by=made.sums.by,
        head=told.HEAD,
        rows=[_row(one, made) for one in shown],
        total=_split(told.lines(made.sums.total, made.currency)),
        more=len(made.sums.groups) - len(shown),
    )


def further(made: Month) -> list[tuple[str, Table]]:
    """What stands beside the sums: who bears idle nodes, CO2e by other accountings."""
    return [
        (
            one.title,
            Table(
                by=made.sums.by,
                head=one.head,
                rows=[
                    Row(key=beside.named(key), query="", cells=_split(cells))
                    for key, cells in one.rows[:MOST]
                ],
                total=_split(one.total),
                more=max(len(one.rows) - MOST, 0),
            ),
        )
        for one in beside.tables(made)
    ]


def _row(group: Group, made: Month) -> Row:
    account = dict(zip(made.sums.by, group.key, strict=True)).get("account")
    query = urlencode({"account": account, "month": made.over.name}) if account else ""
    cells = _split(told.lines(group, made.currency))
    return Row(key=beside.named(group.key), query=query, cells=cells)


def _split(cells: Sequence[str]) -> list[tuple[str, str]]:
    """Each cell and what stands below it."""
    return [(first, second) for first, _, second in (cell.partition("\n") for cell in cells)]


# --- an account ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account: its sums, by whom and on what, and its dearest jobs."""

    name: str
    month: Shown
    tables: Sequence[Table]
    dearest: Sequence[tuple[str, Sequence[str]]]  # the query of a job's page, and its cells


def account(ledger: Ledger, name: str, parts: Sequence[Month]) -> Account:
    """An account of a period, split in several ways."""
    first = parts[0]
    asked = (
        select(jobs)
        .where(jobs.c.current, jobs.c.month.in_(first.over.months), jobs.c.account == name)
        .order_by(jobs.c.cost.desc().nulls_last(), jobs.c.device_hours.desc().nulls_last())
        .limit(DEAREST)
    )
    with ledger.reading() as connection:
        rows = connection.execute(asked).mappings().all()
    return Account(
        name=name,
        month=month(first),
        tables=[table(made) for made in parts if _tells(made)],
        dearest=[_dear(row, first.currency) for row in rows],
    )


def _tells(made: Month) -> bool:
    """Whether a split says anything: more than that it is unknown of all."""
    return len(made.sums.groups) > 1 or made.sums.groups[0].key != (None,)


def _dear(row: RowMapping, currency: str) -> tuple[str, list[str]]:
    query = urlencode({"id": row["job"], "cluster": row["cluster"]})
    cells = [
        row["job"],
        row["name"] or "",
        row["user"] or "",
        row["state"],
        "unknown" if row["device_hours"] is None else digits(row["device_hours"]),
        "unknown" if row["cost"] is None else money(row["cost"], currency),
        "unknown" if row["energy"] is None else human(row["energy"], "kWh"),
    ]
    return query, cells


# --- a job ---------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job: what its attempts were, what it came to, and its report where there is one."""

    number: str
    query: str
    words: str
    rows: Sequence[Sequence[str]]
    report: Report | None
    view: View | None
    why: str

    def text(self, shape: str) -> str:
        """The report to be kept."""
        assert self.report is not None
        return report_text(self.report, Path(f"job.{shape}"))


def job(ledger: Ledger, number: str, cluster: str | None, scope: Scope) -> Job:
    """A job that its asker may see.

    Raises:
        InputError: the ledger has none, or none that the asker may see.
    """
    found = attempts(ledger, number, cluster, scope.accounts)
    currency = ledger.about("currency")
    report, why = None, ""
    try:
        report = full(ledger, found)
        why = "; ".join(f"not in the report: {line}" for line in not_reported(found))
    except CostcalcError as error:
        why = error.problems[0].message if isinstance(error, InputError) else str(error)
    return Job(
        number=number,
        query=urlencode({"id": number, **({"cluster": cluster} if cluster else {})}),
        words=paragraph(found, currency, hosts(ledger, found)),
        rows=[_attempt(row, several=len(parts(found)) > 1) for row in found],
        report=report,
        view=View(report) if report is not None else None,
        why=why,
    )


def _attempt(row: RowMapping, *, several: bool) -> list[str]:
    start = row["start"]
    part = f"{row['job']}: " if several else ""
    began = datetime.fromtimestamp(start, UTC).strftime("%Y-%m-%d %H:%M UTC") if start else "?"
    devices = row["devices"]
    held = "unknown" if devices is None else f"{digits(devices)} × {row['device'] or 'unknown'}"
    return [
        part + began,
        human(row["seconds"] / 3600, "h"),
        row["state"],
        "no device" if devices == 0 else held,
        row["account"] or NONE,
        row["user"] or NONE,
        row["partition"] or NONE,
        row["meter"] or "no meter",
    ]


# --- budgets -------------------------------------------------------------------------------------


def budgets(made: Month) -> list[Budget]:
    """The budgets of a period, with bars."""
    words = list(budgeted.lines(made))
    return [_budget(one, *said) for one, said in zip(made.budgets, words, strict=True)]


def _budget(one: Used, name: str, said: str) -> Budget:
    told = one.forecast if one.elapsed < 1 else None
    forecast = one.share if told is None else told.value / one.budget
    state = "spent" if one.share > 1 else "near" if forecast > 1 else "within"
    most = max(1.0, one.share, forecast) * 1.02
    return Budget(
        name=name,
        told=said,
        state=state,
        used=f"{100 * one.share / most:.2f}",
        forecast=f"{100 * forecast / most:.2f}",
        mark=f"{100 / most:.2f}",
    )
