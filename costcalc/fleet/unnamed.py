"""Partitions and accounts of jobs that ``fleet.yaml`` does not name, and what they are priced by.

Where it names none, it speaks of all of them alike, and there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select

from costcalc.base.errors import nearest
from costcalc.base.human import number_of
from costcalc.fleet.cluster import Fleet
from costcalc.fleet.tables import jobs

SHOWN = 5


def partition(fleet: Fleet, said: str | None) -> str:
    """That a job's partition is not named, and by what it is priced; empty where it is.

    >>> made = Fleet.model_validate({"partitions": {"gpu": {"accelerator": "h100"}}})
    >>> partition(made, "gpus"), partition(made, "gpu,old"), partition(made, None)
    ("partition gpus is not in fleet.yaml (did you mean gpu?): it has the cluster's price", '', '')
    """
    if not said or not fleet.partitions or "default" in fleet.partitions:
        return ""
    if any(name in fleet.partitions for name in said.split(",")):
        return ""
    near = _near(said, fleet.partitions)
    return f"partition {said} is not in fleet.yaml{near}: it has the cluster's price"


def account(fleet: Fleet, said: str | None) -> str:
    """That a job's account is not named, and by what it is priced; empty where it is.

    >>> account(Fleet.model_validate({"accounts": {"physics": {}}}), "phyiscs")
    "account phyiscs is not in fleet.yaml (did you mean physics?): it has its partition's price"
    """
    if not said or not fleet.accounts or said in fleet.accounts:
        return ""
    near = _near(said, fleet.accounts)
    return f"account {said} is not in fleet.yaml{near}: it has its partition's price"


def _near(said: str, known: Iterable[str]) -> str:
    near = nearest(said, known, at_most=1)
    return f" (did you mean {near[0]}?)" if near else ""


def told(fleet: Fleet, pairs: Iterable[tuple[str | None, str | None, int]]) -> list[str]:
    """What is said of partitions and accounts of so many jobs each, the most jobs first.

    >>> told(Fleet.model_validate({"accounts": {"physics": {}}}), [("gpu", "arts", 3)])
    ["account arts is not in fleet.yaml: it has its partition's price: 3 jobs"]
    """
    found: dict[str, int] = {}
    for of_partition, of_account, number in pairs:
        for why in (partition(fleet, of_partition), account(fleet, of_account)):
            if why:
                found[why] = found.get(why, 0) + number
    listed = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    more = [f"and {len(listed) - SHOWN} more partitions or accounts that fleet.yaml does not name"]
    lines = [f"{why}: {number_of(number, 'job')}" for why, number in listed[:SHOWN]]
    return lines + (more if len(listed) > SHOWN else [])


def of_nobody(connection: Connection, fleet: Fleet) -> list[str]:
    """Budgets of accounts that neither ``fleet.yaml`` nor any job names: never passed."""
    named = {one.account for one in fleet.budgets if one.account} - set(fleet.accounts)
    if not named:
        return []
    asked = select(jobs.c.account).where(jobs.c.current, jobs.c.account.is_not(None)).distinct()
    known = set(connection.execute(asked).scalars())
    return [
        f"a budget is of account {name}, which no job is of and accounts of fleet.yaml has not"
        f"{_near(name, known | set(fleet.accounts))}: it is never passed"
        for name in sorted(named - known)
    ]
