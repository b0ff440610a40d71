"""What of a ledger a user sees: all of it, or the accounts that are theirs."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from costcalc.fleet.cluster import Cluster
from costcalc.fleet.facts import pseudonym
from costcalc.fleet.freshening import freshen
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.tables import sums


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """``accounts`` that a user sees; None: all, what idles and everybody's budgets with them."""

    user: str | None
    accounts: tuple[str, ...] | None

    def sees(self, account: str | None) -> bool:
        """Whether what an account used is shown."""
        return self.accounts is None or (account is not None and account in self.accounts)


def scope_of(ledger: Ledger, cluster: Cluster, user: str | None) -> Scope:
    """What a user sees by ``access`` of fleet.yaml; None: whoever has the server's token, all.

    Without a list of theirs, a user's accounts are those in which jobs of that name ran.
    """
    access = cluster.fleet.access
    if user is None or access.sees == "all" or user in access.managers:
        return Scope(user=user, accounts=None)
    if user in access.accounts:
        return Scope(user=user, accounts=tuple(access.accounts[user]))
    kept = cluster.fleet.privacy.users
    if kept == "drop":
        return Scope(user=user, accounts=())
    freshen(ledger)
    name = pseudonym(user, ledger.about("secret")) if kept == "hash" else user
    asked = select(sums.c.account).where(sums.c.user == name, sums.c.account.is_not(None))
    with ledger.reading() as connection:
        found = connection.execute(asked.distinct()).scalars()
        return Scope(user=user, accounts=tuple(sorted(str(one) for one in found)))
