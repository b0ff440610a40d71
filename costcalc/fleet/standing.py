"""What the ledger has of attempts that a source tells of again, and which of both knows more.

An attempt that is over does not run again; what a row does not say is no evidence against what an
earlier one said; and the same attempt told by another clock is not another attempt.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from sqlalchemy import Connection, and_, or_, select, update

from costcalc.fleet.entering import MOST, facts_of, parts
from costcalc.fleet.facts import GOING, PLUGIN, RANK, Facts, Refused, is_pseudonym
from costcalc.fleet.tables import jobs, readings

Job = tuple[str, str]
Key = tuple[str, str, str]
#: what a row may leave out, and an earlier one have said
_SAID = (
    "name", "user", "account", "partition", "model", "submit", "nodes", "node_list", "cpus",
    "shards",
)  # fmt: skip
#: zones differ by quarters of an hour, by 26 hours at most (UTC-12 to UTC+14)
_QUARTER, _FARTHEST, _HOUR = 900.0, 26 * 3600.0, 3600.0


@dataclass(frozen=True, slots=True)
class Clusters:
    """The clusters that the ledger has jobs of, and what one that is not named is called."""

    known: frozenset[str]
    usual: str

    def beside(self, one: Facts) -> tuple[str, ...]:
        """By which other names the ledger may have a job."""
        may = self.known if one.assumed else self.known & {"", self.usual}
        return tuple(sorted(may - {one.cluster}))


def clusters_of(connection: Connection, usual: str) -> Clusters:
    """The clusters that the ledger has jobs of."""
    found = connection.execute(select(jobs.c.cluster).distinct()).scalars()
    return Clusters(frozenset(str(name) for name in found), usual)


@dataclass(slots=True)
class Weighed:
    """What is to be entered of a batch, what of it knows less than the ledger, and what was kept.

    ``lacking``: fields that rows left out and the ledger has, and of how many rows.
    """

    facts: list[Facts] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    lacking: dict[str, int] = field(default_factory=dict)
    moved: list[Facts] = field(default_factory=list)  # whose times are now others


def weigh(
    connection: Connection,
    told: Sequence[Facts],
    *,
    keep_users: bool,
    clusters: Clusters | None = None,
) -> Weighed:
    """The attempts of a batch as far as they know as much as the ledger, with what it knows more.

    ``keep_users``: a user's name that a row leaves out is the one that the ledger has.
    """
    clusters = Clusters(frozenset(), "") if clusters is None else clusters
    there = _standing(
        connection,
        {(name, one.job) for one in told for name in (one.cluster, *clusters.beside(one))},
    )
    exact = {one.key for one in told}
    made = Weighed()
    place: dict[Key, int] = {}
    for one in told:
        old = _same(one, there.get((one.cluster, one.job), {}), exact)
        for name in () if old is not None else clusters.beside(one):
            old = old or _by_another_name(one, there.get((name, one.job), {}))
        if old is None:
            found: Facts | Refused = one
        else:
            lacking: list[str] = []
            named = replace(one, attempt=old.attempt, cluster=old.cluster)
            found = _weighed(named, old, lacking, keep_users=keep_users)
            for name in lacking:
                made.lacking[name] = made.lacking.get(name, 0) + 1
        if isinstance(found, Refused):
            made.refused.append(found)
            continue
        if old is not None and old.start != found.start:
            made.moved.append(found)
        if found.key in place:
            made.facts[place[found.key]] = found
        else:
            place[found.key] = len(made.facts)
            made.facts.append(found)
        there.setdefault((found.cluster, found.job), {})[found.attempt] = found
    forget(connection, made.moved)
    return made


def _standing(connection: Connection, wanted: Iterable[Job]) -> dict[Job, dict[str, Facts]]:
    """What the ledger says now of jobs, by their attempts."""
    by_cluster: dict[str, list[str]] = {}
    for cluster, job in sorted(wanted):
        by_cluster.setdefault(cluster, []).append(job)
    found: dict[Job, dict[str, Facts]] = {}
    for cluster, named in by_cluster.items():
        for some in parts(named, MOST):
            where = (jobs.c.cluster == cluster, jobs.c.job.in_(some), jobs.c.current)
            asked = select(jobs).where(*where, jobs.c.source != "report").order_by(jobs.c.id)
            for row in connection.execute(asked).mappings():
                one = facts_of(row)
                found.setdefault((one.cluster, one.job), {})[one.attempt] = one
    return found


# --- which attempt it is -------------------------------------------------------------------------


def _same(one: Facts, there: dict[str, Facts], exact: set[Key]) -> Facts | None:
    """The attempt of the ledger that ``one`` tells of: by its name, its start, or another clock."""
    if one.attempt in there:
        return there[one.attempt]
    others = [o for o in there.values() if "-" not in one.attempt or "-" not in o.attempt]
    at_once = next((o for o in others if o.start == one.start), None)
    if at_once is not None:
        return at_once
    return next((o for o in others if o.key not in exact and _by_another_clock(one, o)), None)


def _by_another_name(one: Facts, there: dict[str, Facts]) -> Facts | None:
    """The same attempt under another name of its cluster: no two have all of this in common.

    Numbers and times alone do not tell clusters apart: both must know something that does.
    """
    for other in there.values():
        known = [name for name in (*_TIMES, *_APART) if _comparable(one, other, name)]
        alike = all(getattr(one, name) == getattr(other, name) for name in known)
        if alike and not set(_APART).isdisjoint(known):
            return other
    return None


#: what the same attempt has in common, and so may attempts of one number on two clusters
_TIMES = ("start", "end", "seconds", "submit", "source")
#: what tells those apart
_APART = ("name", "node_list", "user")


def _comparable(one: Facts, other: Facts, name: str) -> bool:
    """Whether both know it; a user's name and its pseudonym are not to be compared."""
    own, its = getattr(one, name), getattr(other, name)
    if own is None or its is None:
        return False
    return name != "user" or is_pseudonym(own) == is_pseudonym(its)


def _by_another_clock(one: Facts, other: Facts) -> bool:
    """Whether all times are as far apart as zones are, and all else of the span is the same."""
    if one.clock == other.clock == "absolute" or one.submit is None or other.submit is None:
        return False
    pairs = [(one.start, other.start), (one.submit, other.submit)]
    if one.state not in GOING and other.state not in GOING:
        pairs.append((one.end, other.end))
        if one.seconds != other.seconds:
            return False
    apart = [a - b for a, b in pairs if a is not None and b is not None]
    if len(apart) < len(pairs) or max(apart) - min(apart) > _HOUR:  # summer time may lie between
        return False
    return all(d != 0 and abs(d) <= _FARTHEST and d % _QUARTER == 0 for d in apart)


def forget(connection: Connection, moved: Sequence[Facts]) -> None:
    """Let go of what a server metered over times that were not the attempt's."""
    looked_up = readings.c.rank.in_((RANK["prometheus"], RANK["nodes"]))
    for some in parts(moved, MOST // 3):
        each = [
            and_(
                readings.c.cluster == one.cluster,
                readings.c.job == one.job,
                readings.c.attempt == one.attempt,
            )
            for one in some
        ]
        connection.execute(update(readings).where(looked_up, or_(*each)).values(current=False))


# --- who knows more ------------------------------------------------------------------------------


def _weighed(one: Facts, old: Facts, lacking: list[str], *, keep_users: bool) -> Facts | Refused:
    """``one`` with what only ``old`` knows, or why ``old`` is kept."""
    why = _less(one, old)
    if why:
        return Refused(line=None, row=one.job[:40], why=f"{why}; what the ledger has is kept")
    left = [n for n in _SAID if getattr(one, n) is None and getattr(old, n) is not None]
    omitted = {"user": not keep_users, "submit": one.start != old.start}
    left = [n for n in left if not omitted.get(n)]
    found = replace(one, **{n: getattr(old, n) for n in left})
    if one.devices is None and not one.why and old.devices is not None:
        found, left = replace(found, devices=old.devices, kinds=old.kinds), [*left, "devices"]
    elif not one.kinds and old.kinds and one.devices == old.devices:
        found, left = replace(found, kinds=old.kinds), [*left, "devices"]
    if _knows_its_meter_less(one, old):
        found = replace(
            found,
            joules=old.joules,
            scope="node",
            meter=old.meter,
            whole_nodes=True,
            steps=old.steps,
            why="" if one.faulty else found.why,
            faulty=False,
        )
        left.append("meter")
    lacking += left
    return found


def _less(one: Facts, old: Facts) -> str:
    """Why a row cannot supersede what the ledger has."""
    if one.clock == "local" and old.clock == "absolute" and one.start != old.start:
        apart = abs((one.start or 0.0) - (old.start or 0.0)) / 3600
        return (
            f"it starts {apart:g} h apart from what the ledger has in absolute time: is "
            "fleet.yaml's timezone that of the dump?"
        )
    if one.state in GOING and old.state not in GOING:
        return f"it says {one.state}, and the ledger that it ended ({old.state}): an older dump?"
    if one.state in GOING and one.seconds < old.seconds:
        return f"it says {one.seconds:.0f} s so far, and the ledger {old.seconds:.0f} s: older?"
    if one.state not in GOING and old.state not in GOING and one.seconds != old.seconds:
        metered = old.meter == PLUGIN and one.joules is None and not one.faulty
        if metered:
            return (
                f"it says {one.seconds:.0f} s and no energy, and the ledger {old.seconds:.0f} s "
                "that were metered"
            )
    return ""


def _knows_its_meter_less(one: Facts, old: Facts) -> bool:
    """Whether rows with its energy are missing that were there before."""
    if old.meter != PLUGIN or old.joules is None or one.seconds != old.seconds:
        return False
    fewer = old.steps is not None and (one.steps or 0) < old.steps
    return fewer or (one.joules is None and not one.faulty)
