"""The fleet's pages: a month, its accounts, a job, budgets; what is asked of a ledger, and read."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from costcalc.base.errors import CostcalcError, InputError, MissingExtraError, nearest, wrong
from costcalc.base.filling import page as fill
from costcalc.fleet.cluster import Cluster, load
from costcalc.fleet.ledger import Ledger, LedgerError
from costcalc.fleet.month import Month, months, of_period, split
from costcalc.fleet.scoping import Scope, scope_of
from costcalc.fleet.summary import BY, fields
from costcalc.fleet.told import text_of
from costcalc.web import answer, fleet_shown
from costcalc.web.address import pairs_of
from costcalc.web.answer import Answer
from costcalc.web.app import PLACES
from costcalc.web.pages import FOLDER, PATHS

TITLES = {
    "month": "What the jobs cost",
    "accounts": "Accounts",
    "job": "A job",
    "budgets": "Budgets",
}
_ASKED = {
    "month": ("month", "by", "format"),
    "accounts": ("month", "account"),
    "job": ("id", "cluster", "format"),
    "budgets": ("month",),
}
_MEDIA = {"csv": "text/csv; charset=utf-8", "json": answer.JSON, "yaml": "application/yaml"}


@dataclass(frozen=True, kw_only=True)
class Question:
    """What a page is asked: of which ledger and cluster, by whom, with which parameters."""

    ledger: Ledger
    cluster: Cluster
    scope: Scope
    asked: Mapping[str, str]

    @functools.cached_property
    def months(self) -> list[str]:
        """The months that can be chosen."""
        return months(self.ledger, self.scope.accounts)

    def month(self, by: Sequence[str], accounts: Sequence[str] | None = None) -> Month:
        """The report of the period that is asked for, of what the asker sees."""
        seen = self.scope.accounts if accounts is None else accounts
        if seen == ():
            raise wrong("access", f"no account is known to be that of {self.scope.user}")
        said = self.asked.get("month") or next(iter(self.months), None)
        return of_period(self.ledger, self.cluster, said, by, accounts=seen)


def got(name: str) -> Callable[[bytes, Mapping[str, str]], Answer]:
    """What shows a page of the fleet."""

    def made(body: bytes, given: Mapping[str, str]) -> Answer:
        asked: Mapping[str, str] = {}
        try:
            asked = _read(name, body.decode("utf-8", "replace"))
            question = _question(given, asked)
        except CostcalcError as error:
            return _page(name, asked, status=_status(error), problems=_said(error))
        try:
            return _SHOW[name](question)
        except CostcalcError as error:
            listed = question.months if _status(error) != answer.BUSY else []
            return _page(name, asked, status=_status(error), problems=_said(error), months=listed)

    return made


def _read(name: str, query: str) -> Mapping[str, str]:
    found = {key: value.strip() for key, value in pairs_of(query) if value.strip()}
    for key in found:
        if key not in _ASKED[name]:
            near = nearest(key, _ASKED[name], at_most=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise wrong(key[:40], f"expected of {', '.join(_ASKED[name])}{hint}")
    return found


def _question(given: Mapping[str, str], asked: Mapping[str, str]) -> Question:
    path = Path(given["config"]) if given.get("config") else None
    changed = path.stat().st_mtime_ns if path is not None and path.exists() else 0
    cluster = _cluster(path, changed)
    ledger = _ledger(given["ledger"])
    scope = scope_of(ledger, cluster, given.get("user") or None)
    return Question(ledger=ledger, cluster=cluster, scope=scope, asked=asked)


@functools.lru_cache(maxsize=2)
def _cluster(path: Path | None, _changed: int) -> Cluster:
    """The cluster, read again when its file has changed."""
    return load(path)


@functools.lru_cache(maxsize=1)
def _ledger(url: str) -> Ledger:
    return Ledger.open(url)


def _status(error: CostcalcError) -> int:
    """What of a ledger went wrong: the database is away, or there is nothing of that name."""
    return answer.BUSY if isinstance(error, LedgerError | MissingExtraError) else answer.BAD


def _said(error: CostcalcError) -> list[str]:
    if isinstance(error, InputError):
        return [f"{p.key}: {p.message}" if p.key else p.message for p in error.problems]
    return [str(error)]


def _page(
    name: str,
    asked: Mapping[str, str],
    *,
    status: int = answer.OK,
    problems: Sequence[str] = (),
    months: Sequence[str] = (),
    **values: object,
) -> Answer:
    shown = {"result": None, **values}
    text = fill(
        FOLDER,
        f"fleet_{name}.html.j2",
        page="fleet",
        fleet=True,
        title=TITLES[name],
        paths=PATHS,
        places=PLACES,
        run_query="",
        here=name,
        asked=asked,
        months=months,
        dimensions=BY,
        problems=problems,
        carried=urlencode({"month": asked["month"]}) if "month" in asked else "",
        **shown,
    )
    return Answer(body=text.encode("utf-8", "replace"), status=status, media=answer.HTML)


def _kept(text: str, shape: str, name: str) -> Answer:
    """A file to be kept."""
    headers = {"Content-Disposition": f'attachment; filename="{name}.{shape}"'}
    return Answer(body=text.encode("utf-8"), media=_MEDIA[shape], headers=headers)


def _shape(asked: Mapping[str, str], *shapes: str) -> str | None:
    shape = asked.get("format")
    if shape is not None and shape not in shapes:
        raise wrong("format", f'expected of {", ".join(shapes)}; got "{shape[:40]}"')
    return shape


def _month(question: Question) -> Answer:
    shape = _shape(question.asked, "csv", "json")
    made = question.month(fields(question.asked.get("by", "account")))
    if shape:
        return _kept(text_of(made, shape), shape, f"fleet-{made.over.name}")
    return _page(
        "month", question.asked, months=question.months, result=fleet_shown.month(made),
        scope=question.scope,
    )  # fmt: skip


def _accounts(question: Question) -> Answer:
    account = question.asked.get("account")
    if account is None:
        made = question.month(("account",))
        shown = fleet_shown.month(made)
        return _page(
            "accounts", question.asked, months=question.months, result=shown, one=None,
            scope=question.scope,
        )  # fmt: skip
    if not question.scope.sees(account):
        raise wrong("account", f"the ledger has no account {account[:40]}")
    first = question.month(("user",), (account,))
    others = (split(question.ledger, first, (by,), (account,)) for by in ("partition", "model"))
    parts = [first, *others]
    one = fleet_shown.account(question.ledger, account, parts)
    return _page(
        "accounts", question.asked, months=question.months, result=one.month, one=one,
        scope=question.scope,
    )  # fmt: skip


def _job(question: Question) -> Answer:
    shape = _shape(question.asked, "yaml", "json")
    number = question.asked.get("id")
    if number is None:
        return _page("job", question.asked)
    made = fleet_shown.job(question.ledger, number, question.asked.get("cluster"), question.scope)
    if shape:
        if made.report is None:
            raise wrong("format", made.why)
        return _kept(made.text(shape), shape, "job")
    return _page("job", question.asked, result=made)


def _budgets(question: Question) -> Answer:
    made = question.month(("account",))
    return _page(
        "budgets", question.asked, months=question.months, result=fleet_shown.budgets(made),
        scope=question.scope, limits=made.limits,
    )  # fmt: skip


_SHOW: Mapping[str, Callable[[Question], Answer]] = {
    "month": _month,
    "accounts": _accounts,
    "job": _job,
    "budgets": _budgets,
}
