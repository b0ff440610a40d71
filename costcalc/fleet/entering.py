"""Rows into the ledger: what is known already is left, what differs supersedes, and each once."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, TypeVar, cast

from sqlalchemy import Connection, RowMapping, insert, select, update

from costcalc.fleet.facts import RANK, Facts
from costcalc.fleet.freshening import stale
from costcalc.fleet.kinds import KWH, Kind
from costcalc.fleet.pricing import Priced
from costcalc.fleet.tables import jobs, kinds, readings
from costcalc.report.importing.steps import ENOUGH

T = TypeVar("T")
Key = tuple[str, str, str]
#: values that one statement may carry, whatever the database
MOST = 900
_NAMES = ("job", "raw")  # by either a report may name its job


@dataclass(slots=True)
class Counted:
    """What came of a batch of rows."""

    added: int = 0
    corrected: int = 0
    known: int = 0

    def plus(self, other: Counted) -> None:
        """Add another batch's."""
        self.added += other.added
        self.corrected += other.corrected
        self.known += other.known


def parts(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of at most ``size``.

    >>> list(parts("abc", 2))
    [['a', 'b'], ['c']]
    """
    held: list[T] = []
    for item in items:
        held.append(item)
        if len(held) == size:
            yield held
            held = []
    if held:
        yield held


def enter(connection: Connection, priced: Priced, number: int) -> Counted:
    """Write the rows of a batch, within the transaction of ``connection``; ``number``: the import.

    A row that says what the ledger says is left.  One that says another thing of the same attempt
    supersedes it; the scheduler's rows of a job supersede what stood in for them.
    """
    counted = Counted()
    rows = {(str(r["cluster"]), str(r["job"]), str(r["attempt"])): r for r in priced.rows}
    counted.known += len(priced.rows) - len(rows)
    wanted = {key[:2] for key in rows}
    there = _standing(connection, wanted | {("", str(r[n])) for r in rows.values() for n in _NAMES})
    ids = _kinds(connection, priced.kinds)
    new, old = [], []
    for key, row in rows.items():
        before = there.get(key)
        if before is not None and before["current"] and before["digest"] == row["digest"]:
            counted.known += 1
            continue
        stand_in = [] if row["source"] == "report" else _stand_ins(there, key, row)
        old += [one["id"] for one in stand_in]
        if before is not None and before["current"]:
            old.append(before["id"])
        if stand_in or before is not None:
            counted.corrected += 1
        else:
            counted.added += 1
        revision = 0 if before is None else before["revision"] + 1
        made = {**row, "revision": revision, "current": True, "import_id": number}
        made["kind"] = ids.get(str(row["kind"]))
        new.append(made)
    for some in parts(dict.fromkeys(old), MOST):
        connection.execute(update(jobs).where(jobs.c.id.in_(some)).values(current=False))
    superseded = set(old)
    gone = [str(one["month"]) for one in there.values() if one["id"] in superseded]
    stale(connection, [*gone, *(str(row["month"]) for row in new)])
    if new:
        connection.execute(insert(jobs), cast("list[dict[str, Any]]", new))
    return counted


def _stand_ins(
    there: Mapping[Key, RowMapping], key: Key, row: Mapping[str, object]
) -> list[RowMapping]:
    """The row of a report that stood for a job, now that its scheduler tells of it."""
    names = (("", key[1], "report"), ("", str(row["raw"]), "report"))
    found = [there[name] for name in dict.fromkeys(names) if name in there]
    return [one for one in found if one["current"]]


def _standing(connection: Connection, wanted: set[tuple[str, str]]) -> dict[Key, RowMapping]:
    """The last row of each attempt of the jobs that are wanted."""
    found: dict[Key, RowMapping] = {}
    by_cluster: dict[str, list[str]] = {}
    for cluster, job in sorted(wanted):
        by_cluster.setdefault(cluster, []).append(job)
    columns = (
        jobs.c.id, jobs.c.cluster, jobs.c.job, jobs.c.attempt, jobs.c.revision, jobs.c.current,
        jobs.c.digest, jobs.c.source, jobs.c.month,
    )  # fmt: skip
    for cluster, named in by_cluster.items():
        for some in parts(named, MOST):
            asked = select(*columns).where(jobs.c.cluster == cluster, jobs.c.job.in_(some))
            for row in connection.execute(asked.order_by(jobs.c.revision)).mappings():
                found[row["cluster"], row["job"], row["attempt"]] = row
    return found


def _kinds(connection: Connection, used: Mapping[str, Kind]) -> dict[str, int]:
    """The number that each kind has in the ledger; new ones are written."""
    found: dict[str, int] = {}
    for some in parts(used, MOST):
        rows = connection.execute(
            select(kinds.c.id, kinds.c.digest).where(kinds.c.digest.in_(some))
        )
        found |= {row.digest: row.id for row in rows}
    new = [kind for digest, kind in used.items() if digest not in found]
    for kind in new:
        values = {
            "digest": kind.digest, "run": json.dumps(kind.run), "known": kind.text(),
            "scope": kind.scope, "version": kind.version,
        }  # fmt: skip
        made = connection.execute(insert(kinds).values(values).returning(kinds.c.id))
        found[kind.digest] = made.scalar_one()
    return found


# --- what meters said of them --------------------------------------------------------------------


def with_readings(connection: Connection, facts: Sequence[Facts]) -> list[Facts]:
    """The same attempts with the energy of the best meter that the ledger has of each.

    Each holds what is known without that meter, for the case that it says what cannot be.

    A reading is joules over seconds: of an attempt, or of a job with all its attempts, each of
    which then has its seconds' part of it.  One of too little of their time is not theirs.
    """
    wanted = {one.job for one in facts} | {one.raw for one in facts if one.raw}
    best: dict[tuple[str, str], list[RowMapping]] = {}
    for some in parts(sorted(wanted), MOST):
        asked = select(readings).where(readings.c.job.in_(some), readings.c.current)
        for row in connection.execute(asked.order_by(readings.c.rank)).mappings():
            best.setdefault((row["cluster"], row["job"]), []).append(row)
    if not best:
        return list(facts)
    others = _others(connection, facts, best)
    lasted: dict[tuple[str, str], float] = {}
    for one in (*facts, *others):
        job = one.cluster, one.job
        lasted[job] = lasted.get(job, 0.0) + one.seconds
    whole = {row["meter"] for rows in best.values() for row in rows if not row["attempt"]}
    again = [replace(o, joules=None, scope=None, meter=None, part=None) for o in others
             if o.meter in whole]  # fmt: skip
    found = [_metered(one, best, lasted[one.cluster, one.job]) for one in (*facts, *again)]
    # of the others those alone whose meter, now that more is known to have run, is not theirs
    return found[: len(facts)] + [one for one in found[len(facts) :] if one.joules is None]


Best = Mapping[tuple[str, str], Sequence[RowMapping]]


def _others(connection: Connection, facts: Sequence[Facts], best: Best) -> list[Facts]:
    """The ledger's attempts of jobs with a meter beside those which are told now.

    Attempts of one job may come in several batches and imports, and the meter is of all of them.
    """
    told = {one.key for one in facts}
    wanted = {key[:2] for key in told}
    metered = {job for _, job in best}
    named = {one.job for one in facts if one.job in metered or one.raw in metered}
    found: list[Facts] = []
    for some in parts(sorted(named), MOST):
        asked = select(jobs).where(jobs.c.job.in_(some), jobs.c.current, jobs.c.source != "report")
        found += [facts_of(row) for row in connection.execute(asked).mappings()]
    return [one for one in found if one.key not in told and one.key[:2] in wanted]


def _metered(one: Facts, best: Best, lasted: float) -> Facts:
    """An attempt by its meters; ``lasted``: seconds of all attempts of its job."""
    rows = [
        row
        for job in dict.fromkeys((one.job, one.raw))
        for cluster in dict.fromkeys((one.cluster, ""))
        for row in best.get((cluster, job), ())
        if row["attempt"] in ("", one.attempt)
    ]
    model = next((row["model"] for row in reversed(rows) if row["model"]), None)
    found = replace(one, model=model) if model else one
    metered = [row for row in rows if row["joules"] is not None]
    for row in sorted(metered, key=lambda row: (row["rank"], row["attempt"] != "")):
        if one.joules is not None and row["rank"] <= RANK.get(one.source, 0):
            continue
        whole = one.seconds if row["attempt"] else lasted
        if row["seconds"] < ENOUGH * whole:
            found = replace(found, why=_partly(found.why, row, whole), faulty=True)
            continue
        found = replace(
            found,
            joules=row["joules"] / row["seconds"] * one.seconds,
            scope=row["scope"],
            meter=row["meter"],
            whole_nodes=False,
            part=row["part"],
            why=found.why if found.devices is None or one.source == "report" else "",
            instead=found,
        )
    return found


def _partly(why: str, row: RowMapping, whole: float) -> str:
    """That a meter saw too little of ``whole`` (s), after what else is said of it."""
    seen = f"{row['meter']} covers {100 * row['seconds'] / whole:.0f} % of its time"
    return "; ".join(part for part in (why, seen) if part) if seen not in why else why


_SAME = {field.name for field in fields(Facts)} & {column.name for column in jobs.columns}


_OTHERWISE = ("kinds", "raw", "devices", "part")


def facts_of(row: RowMapping) -> Facts:
    """What a source told of a row of the ledger."""
    held = {name: row[name] for name in _SAME if name not in _OTHERWISE}
    metered = row["metered"]
    return Facts(
        # why it was not metered, or what it held not known; what a price lacked may be there now
        **{**held, "why": (row["why"] or "") if metered is None or row["counted"] is None else ""},
        devices=row["counted"],
        kinds=tuple((row["kinds"] or "").split(",")) if row["kinds"] else (),
        raw=row["raw"] or "",
        joules=None if metered is None else metered * KWH / (row["part"] or 1.0),
        whole_nodes=row["part"] is not None,
    )
