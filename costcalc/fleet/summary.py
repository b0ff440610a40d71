"""A period's sums by account, user, partition, model: values by SQL, ranges drawn jointly.

What jobs share, such as a PUE, has one draw for all of them, so that it does not average out: the
jobs of a kind are put through the formulas of an estimate as one, on the same draws for every kind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from sqlalchemy import ColumnElement, Connection, func, select

from costcalc.base.errors import nearest, wrong
from costcalc.fleet.facts import WASTED
from costcalc.fleet.freshening import ALSO, freshen
from costcalc.fleet.kinds import Kind, restored
from costcalc.fleet.ranging import widen
from costcalc.fleet.sums import Figure, Group, Key, Part
from costcalc.fleet.tables import DIMENSIONS, FIGURES, SUMMED, kinds, sums

if TYPE_CHECKING:
    from costcalc.fleet.ledger import Ledger

#: what is told of attempts that were for nothing
LOST = ("energy", "cost", "carbon_total")
#: what sums can be made by
BY = DIMENSIONS


@dataclass(slots=True)
class Sums:
    """A period: its groups, the largest first, and all of it."""

    by: tuple[str, ...]
    groups: list[Group]
    total: Group


def fields(text: str) -> tuple[str, ...]:
    """What to sum by, of a list with commas.

    Raises:
        InputError: one of them is nothing to sum by.

    >>> fields("account,user")
    ('account', 'user')
    """
    found = tuple(name.strip() for name in text.split(",") if name.strip())
    for name in found:
        if name not in BY:
            near = nearest(name, BY, at_most=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise wrong("--by", f'expected of {", ".join(BY)}; got "{name[:40]}"{hint}')
    return tuple(dict.fromkeys(found)) or ("account",)


def account_of(ledger: Ledger, said: str) -> str:
    """An account as jobs of the ledger name it.

    Raises:
        InputError: no job has it.
    """
    freshen(ledger)
    with ledger.reading() as connection:
        found = connection.execute(select(sums.c.account).distinct()).scalars()
        known = sorted(name for name in found if name is not None)
    if said in known:
        return said
    near = nearest(said, known, at_most=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise wrong("--account", f'no job of the ledger is of "{said[:40]}"{hint}')


def summed(
    ledger: Ledger,
    months: Sequence[str],
    by: Sequence[str] = ("account",),
    *,
    accounts: Collection[str] | None = None,
    ranges: bool = True,
) -> Sums:
    """The sums of some months; ``accounts``: of those alone.

    A job belongs to the month in which it ended.
    """
    freshen(ledger, months)
    where: list[ColumnElement[bool]] = [sums.c.month.in_(list(months))]
    if accounts is not None:
        where.append(sums.c.account.in_(sorted(accounts)))
    with ledger.reading() as connection:
        parts = _parts(connection, by, where)
        known = _kinds(connection, {part.kind for part in parts if part.kind is not None})
    groups = _grouped(parts, known)
    total = Group(key=())
    for group in groups.values():
        _add(total, group)
    if ranges:
        widen(groups, total, parts, known)
    listed = sorted(groups.values(), key=lambda g: (-_size(g), [str(k) for k in g.key]))
    return Sums(tuple(by), listed, total)


def _size(group: Group) -> float:
    cost = group.figures.get("cost")
    return cost.value if cost and cost.value else group.device_hours * 1e-6


def _parts(
    connection: Connection, by: Sequence[str], where: Sequence[ColumnElement[bool]]
) -> list[Part]:
    """The sums of the rows by group, kind and state: a kind's formulas are all but linear."""
    keys = [sums.c[name] for name in by]
    counted = (f"n_{name}" for name in ("device_hours", *FIGURES))
    added = (*SUMMED, *counted, "trained", "seen", *ALSO)
    asked = (
        select(
            *[column.label(f"key_{name}") for name, column in zip(by, keys, strict=True)],
            sums.c.kind,
            sums.c.state,
            func.sum(sums.c.jobs).label("number"),
            *[func.sum(sums.c[name]).label(f"sum_{name}") for name in added],
        )
        .where(*where)
        .group_by(*keys, sums.c.kind, sums.c.state)
    )
    found = []
    for row in connection.execute(asked).mappings():
        told = {name: cast("float | None", row[f"sum_{name}"]) for name in added}
        key = tuple(row[f"key_{name}"] for name in by)
        hours = float(told["device_hours"] or 0.0)
        found.append(Part(key, row["kind"], row["state"], int(row["number"]), hours, told))
    return found


def _kinds(connection: Connection, wanted: set[int]) -> dict[int, Kind]:
    found: dict[int, Kind] = {}
    listed = sorted(wanted)
    for start in range(0, len(listed), 900):
        asked = select(kinds).where(kinds.c.id.in_(listed[start : start + 900]))
        for row in connection.execute(asked):
            found[row.id] = restored(row.digest, row.run, row.known, row.scope, row.version)
    return found


def _grouped(parts: Sequence[Part], known: Mapping[int, Kind]) -> dict[Key, Group]:
    """The central sums of each group."""
    groups: dict[Key, Group] = {}
    for part in parts:
        scope = known[part.kind].scope if part.kind is not None else None
        _add(groups.setdefault(part.group, Group(key=part.group)), _as_group(part, scope))
    return groups


def _as_group(part: Part, scope: str | None) -> Group:
    told = part.sums
    figures = {}
    for name in FIGURES:
        value = told[name] or 0.0
        figures[name] = Figure(value, value, value, part.jobs - int(told[f"n_{name}"] or 0))
    made = Group(
        key=part.group,
        jobs=part.jobs,
        device_hours=part.hours,
        hours_unknown=part.jobs - int(told["n_device_hours"] or 0),
        figures=figures,
        carbon_annual=told["carbon_annual"],
        carbon_market=told["carbon_market"],
        # a meter of boards alone saw less than the computers drew: their hosts are modelled
        measured=min(told["metered"] or 0.0, told["energy_it"] or 0.0) if scope else 0.0,
        trained=told["trained"] or 0.0,
        seen=told["seen"] or 0.0,
        also={name: told[name] or 0.0 for name in ALSO},
    )
    if part.state in WASTED:
        lost = {name: told[name] or 0.0 for name in LOST}
        lost |= {f"{name}_jobs_unknown": part.jobs - float(told[f"n_{name}"] or 0) for name in LOST}
        made.waste[part.state] = {"jobs": part.jobs, "device_hours": part.hours, **lost}
    return made


def _add(into: Group, other: Group) -> None:
    into.jobs += other.jobs
    into.device_hours += other.device_hours
    into.hours_unknown += other.hours_unknown
    for name, figure in other.figures.items():
        held = into.figures.setdefault(name, Figure(0.0, 0.0, 0.0))
        held.value += figure.value
        held.low, held.high = held.value, held.value
        held.unknown += figure.unknown
    for name in ("carbon_annual", "carbon_market"):
        more = getattr(other, name)
        if more is not None:
            setattr(into, name, (getattr(into, name) or 0.0) + more)
    into.measured += other.measured
    into.trained += other.trained
    into.seen += other.seen
    for name, value in other.also.items():
        into.also[name] = into.also.get(name, 0.0) + value
    for state, lost in other.waste.items():
        held_ = into.waste.setdefault(state, dict.fromkeys(lost, 0.0))
        for name, value in lost.items():
            held_[name] += value
