"""Who is charged for what idle nodes drew: each group's part of it, laid on what its jobs cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from costcalc.fleet.cluster import NOBODY, SHARED
from costcalc.fleet.idle import Idle
from costcalc.fleet.sums import Figure, Group, Key

#: what of idle nodes can be charged, and the sum of the jobs' that it is laid on
LAID_ON: Mapping[str, tuple[str, ...]] = {
    "cost": ("cost",),
    "energy": ("energy",),
    "carbon_operational": ("carbon_operational", "carbon_total"),
    "water": ("water",),
}
IDLE = "(idle)"


@dataclass(frozen=True, slots=True)
class Charge:
    """What one group bears of idle nodes, and with it in all; ``jobs`` that it ran."""

    key: Key
    idle: Mapping[str, Figure]
    whole: Mapping[str, Figure]
    jobs: int


@dataclass(frozen=True, slots=True)
class Charges:
    """Every group's charge and that of all; empty where nobody pays."""

    groups: Sequence[Charge] = field(default_factory=list)
    total: Charge | None = None


def charges(
    pays: str,
    idle: Sequence[Idle],
    groups: Sequence[Group],
    by: Sequence[str],
    total: Group,
    all_hours: float | None = None,
) -> Charges:
    """The charges of a period's groups, by device-hours or all to one account.

    ``total``: of these groups; ``all_hours``: the device-hours of everybody's jobs, where the
    groups are not all.

    The ends of a sum's range are its parts' ends added, as what both rest on (PUE, grid, hosts) is
    mostly the same: the range is rather too wide.
    """
    drew = _added([one.figures for one in idle])
    hours = total.device_hours if all_hours is None else all_hours
    if pays == NOBODY or not drew or (pays == SHARED and not hours):
        return Charges()
    if pays == SHARED:
        made = [_charge(one, _times(drew, one.device_hours / hours)) for one in groups]
        mine = total.device_hours / hours
        return Charges(made, _charge(total, _times(drew, mine)))
    key = tuple(pays if name == "account" else IDLE for name in by)
    nothing = _times(drew, 0.0)
    made = [_charge(one, drew if one.key == key else nothing) for one in groups]
    if all(one.key != key for one in groups):  # it ran no job, or the groups are not of accounts
        made.append(_charge(Group(key=key), drew))
    return Charges(made, _charge(total, drew))


def _added(listed: Sequence[Mapping[str, Figure]]) -> dict[str, Figure]:
    """What all partitions drew; a figure that is known of none is left out."""
    made: dict[str, Figure] = {}
    for figures in listed:
        for name in LAID_ON:
            if name in figures:
                made[name] = _plus(made.get(name, Figure(0.0, 0.0, 0.0)), figures[name])
    return made


def _times(figures: Mapping[str, Figure], part: float) -> dict[str, Figure]:
    return {n: Figure(f.value * part, f.low * part, f.high * part) for n, f in figures.items()}


def _plus(one: Figure, other: Figure) -> Figure:
    return Figure(
        one.value + other.value, one.low + other.low, one.high + other.high,
        one.unknown + other.unknown,
    )  # fmt: skip


def _charge(group: Group, idle: Mapping[str, Figure]) -> Charge:
    whole = {
        name: group.figures.get(name, Figure(0.0, 0.0, 0.0, group.jobs))
        for names in LAID_ON.values()
        for name in names
    }
    for name, names in LAID_ON.items():
        for laid in names if name in idle else ():
            whole[laid] = _plus(whole[laid], idle[name])
    return Charge(group.key, idle, whole, group.jobs)
