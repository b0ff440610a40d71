"""Counters that never fall: the most that each account's sums have come to, kept in the ledger.

Prometheus takes a counter that fell for one that began again from nothing, and adds all of it once
more (prometheus.io/docs/concepts/metric_types).  A correction that takes something back is
therefore waited out: the counter stands until the sums have passed it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, bindparam, func, insert, select, update

from costcalc.fleet.freshening import freshen, is_fresh
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.sums import NONE
from costcalc.fleet.tables import COUNTED, counters, sums

#: accounts that have series of their own; the others are one
MOST_ACCOUNTS = 100
OTHER = "(other)"
Values = dict[str, float | None]
Place = tuple[str, str]


def count(ledger: Ledger) -> list[Mapping[str, object]]:
    """The counters by account and partition, raised to the sums where those are higher.

    An account that has series of its own, and one among the others, stays that: else what moves
    from one to the other would make a counter fall.
    """
    with ledger.reading() as connection:
        before = _held(connection)
        if not _higher(connection, before):
            return _told(before)
    with ledger.writing() as connection:
        before = _held(connection)
        higher = _higher(connection, before) if is_fresh(connection) else {}
        _write(connection, higher, before)
        return _told(_held(connection))


def settle(ledger: Ledger) -> None:
    """What follows of rows that were written, so that who looks need neither wait nor write."""
    freshen(ledger)
    count(ledger)


Held = dict[Place, tuple[bool, Values]]


def _held(connection: Connection) -> Held:
    rows = connection.execute(select(counters)).mappings()
    return {
        (row["account"], row["partition"]): (row["own"], {name: row[name] for name in COUNTED})
        for row in rows
    }


def _higher(connection: Connection, before: Held) -> dict[Place, Values]:
    """What the sums say where it is more than was counted."""
    keys = (sums.c.account, sums.c.partition)
    whole = [func.sum(sums.c[name]).label(name) for name in COUNTED]
    found: dict[Place, Values] = {}
    for row in connection.execute(select(*keys, *whole).group_by(*keys)).mappings():
        place = (row["account"] or NONE, row["partition"] or NONE)
        own = found.setdefault(place, dict.fromkeys(COUNTED))
        for name in COUNTED:  # an account that is called (none) is that of those without
            if row[name] is not None:
                own[name] = (own[name] or 0.0) + float(row[name])
    made = {}
    for place, values in found.items():
        _, held = before.get(place, (False, dict.fromkeys(COUNTED)))
        most = {name: _most(held[name], values[name]) for name in COUNTED}
        if place not in before or most != held:
            made[place] = most
    return made


def _most(one: float | None, other: float | None) -> float | None:
    return max((v for v in (one, other) if v is not None), default=None)


def _write(connection: Connection, higher: Mapping[Place, Values], before: Held) -> None:
    own = {account for (account, _), (stands, _) in before.items() if stands}
    among = {account for (account, _), (stands, _) in before.items() if not stands}
    used: dict[str, float] = {}
    for (account, _), values in higher.items():
        if account not in own | among:
            used[account] = used.get(account, 0.0) + (values["device_hours"] or 0.0)
    first = sorted(used, key=lambda name: (-used[name], name))
    own |= set(first[: max(MOST_ACCOUNTS - len(own), 0)])
    new, old = [], []
    for (account, partition), values in higher.items():
        if (account, partition) in before:
            old.append({"a": account, "p": partition, **values})
        else:
            stands = account in own
            new.append({"account": account, "partition": partition, "own": stands, **values})
    if new:
        connection.execute(insert(counters), new)
    if old:
        at = (counters.c.account == bindparam("a"), counters.c.partition == bindparam("p"))
        connection.execute(update(counters).where(*at), old)


def _told(held: Held) -> list[Mapping[str, object]]:
    """The counters as they are exported: those of all other accounts together."""
    made: dict[Place, Values] = {}
    for (account, partition), (own, values) in sorted(held.items()):
        sum_ = made.setdefault((account if own else OTHER, partition), dict.fromkeys(COUNTED))
        for name, value in values.items():
            if value is not None:
                sum_[name] = (sum_[name] or 0.0) + value
    return [{"account": a, "partition": p, **values} for (a, p), values in made.items()]


def kept(rows: Sequence[Mapping[str, object]]) -> frozenset[str]:
    """The accounts that used most device-hours now, for gauges, which may fall."""
    hours: dict[str, float] = {}
    for row in rows:
        account = str(row["account"] or NONE)
        hours[account] = hours.get(account, 0.0) + float(str(row["device_hours"] or 0.0))
    return frozenset(sorted(hours, key=lambda name: (-hours[name], name))[:MOST_ACCOUNTS])
