"""Budgets of accounts that nothing else names: misspelt, they never alarm anybody."""

from __future__ import annotations

from sqlalchemy import Connection, select

from costcalc.fleet.cluster import Fleet
from costcalc.fleet.tables import jobs
from costcalc.fleet.unnamed import near


def of_nobody(connection: Connection, fleet: Fleet) -> list[str]:
    """Budgets of accounts that neither ``fleet.yaml`` nor any job names: never passed."""
    named = {one.account for one in fleet.budgets if one.account} - set(fleet.accounts)
    if not named:
        return []
    asked = select(jobs.c.account).where(jobs.c.current, jobs.c.account.is_not(None)).distinct()
    known = set(connection.execute(asked).scalars())
    return [
        f"a budget is of account {name}, which no job is of and accounts of fleet.yaml has not"
        f"{near(name, known | set(fleet.accounts))}: it is never passed"
        for name in sorted(named - known)
    ]
