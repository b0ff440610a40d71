"""The most that a component of a submission can cost: the dearest of all that Slurm may make of it.

Slurm chooses among partitions, and the user's default account and partition are known to it alone:
what is not said is taken at its dearest.  Devices and processors are priced as the ledger does.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from math import ceil

from costcalc.base.errors import CostcalcError
from costcalc.catalog import accelerator as accelerators
from costcalc.catalog.parts import mig_of
from costcalc.fleet import unnamed
from costcalc.fleet.cluster import Partition
from costcalc.fleet.facts import Facts
from costcalc.fleet.pricing import Pricing, Row
from costcalc.fleet.requests import Request
from costcalc.report.importing import tres


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """The most of one task of a component; ``cost`` None with ``why`` where it is not known.

    Money in the ledger's currency, energy in kWh, carbon in kgCO2e; ``devices`` of ``device``.
    ``carbon`` is no maximum but the 95th percentile, as of the grid and of embodied carbon none is
    known.
    """

    cost: float | None = None
    energy: float | None = None
    carbon: float | None = None
    devices: float = 0.0
    device: str | None = None
    cpus: float | None = None
    why: str = ""
    notes: tuple[str, ...] = ()


def bound(pricing: Pricing, asked: Request, now: float) -> Bound:
    """The most that one task of a component can cost if it runs to its limit, in one attempt."""
    fleet = pricing.fleet
    made: list[tuple[Facts, Row]] = []
    lacks = asked.unbounded
    if asked.clusters and asked.clusters != fleet.name:
        lacks = lacks or f"it goes to {asked.clusters}, which fleet.yaml (name) does not say it is"
    if asked.seconds is None:
        lacks = lacks or "it has no time limit; give --time"
    for partition in _partitions(pricing, asked):
        facts = _facts(pricing, asked, partition, now)
        if isinstance(facts, str):
            lacks = lacks or facts
            continue
        for one in _choices(pricing, asked, facts):
            row = pricing.rows([one]).rows[0]
            made.append((one, row))
            if row["cost"] is None:
                lacks = lacks or str(row["why"] or "its price is not known")
            else:
                made += _drawing(pricing, one, row)
    if not made:
        return Bound(why=lacks)
    facts, row = max(made, key=lambda pair: _high(pair[1], "cost") or 0.0)
    most = max(made, key=lambda pair: pair[0].devices or 0.0)[1] if lacks else row
    energies, carbons = ([_high(r, name) for _, r in made] for name in ("energy", "carbon_total"))
    devices = most["devices"]
    return Bound(
        cost=None if lacks else _high(row, "cost"),
        energy=None if None in energies or lacks else max(e for e in energies if e is not None),
        carbon=None if None in carbons or lacks else max(c for c in carbons if c is not None),
        devices=devices if isinstance(devices, float) else 0.0,
        device=str(most["device"]) if most["device"] else None,
        cpus=facts.cpus,
        why=lacks,
        notes=() if lacks else _notes(pricing, asked, facts),
    )


def _partitions(pricing: Pricing, asked: Request) -> Sequence[str | None]:
    """Where it may run: what is said, else all that fleet.yaml has, where they have its devices."""
    known = pricing.fleet.partitions
    found = asked.partitions or tuple(known)
    if "gres/" in asked.tres:
        having = [n for n in found if n not in known or not of_processors(known[n])]
        found = tuple(having) or found
    return found or (None,)


def of_processors(partition: Partition) -> bool:
    """Whether a partition is one whose nodes have no devices, by what fleet.yaml says of it."""
    return not (partition.accelerator or partition.per_node) and bool(
        partition.cpus or partition.cpu_hour
    )


def device_hour(pricing: Pricing, partition: str, account: str | None, now: float) -> float | str:
    """The most that an hour of one device costs, as the scheduler counts devices, or why not known.

    In the ledger's currency; on the dearest of its nodes, and with its board at its rating.
    """
    one = Facts(
        source="slurm", cluster="", job="", attempt="", start=now, end=now, seconds=3600.0,
        state="running", account=account, partition=partition, devices=1.0,
    )  # fmt: skip
    most = 0.0
    for placed in _nodes(pricing, one):
        for moment in _moments(pricing, one):
            facts = replace(placed, start=moment, end=moment)
            row = pricing.rows([facts]).rows[0]
            if row["cost"] is None:
                return str(row["why"] or "its price is not known")
            full = [row, *(other for _, other in _drawing(pricing, facts, row))]
            most = max(most, *(_high(each, "cost") or 0.0 for each in full))
    return most


def _high(row: Row, name: str) -> float | None:
    value = row[f"{name}_high"]
    return value if isinstance(value, float) else None


def _notes(pricing: Pricing, asked: Request, facts: Facts) -> tuple[str, ...]:
    """What was taken where the request leaves Slurm a choice."""
    found, fleet = [], pricing.fleet
    if len(asked.partitions) != 1 and len(fleet.partitions) > 1:
        said = "of its partitions" if asked.partitions else "no partition is said:"
        found.append(f"{said} the dearest, {facts.partition}, is taken")
    if not asked.account and fleet.accounts:
        found.append(f"no account is said: {facts.account or 'one without a price'} is taken")
    whys = unnamed.partition(fleet, facts.partition), unnamed.account(fleet, asked.account)
    found += [why for why in whys if why]
    if _whole(asked, fleet.partition(facts.partition)):
        found.append(f"whole nodes are counted, {asked.nodes} of {facts.partition}")
    return tuple(found)


def _whole(asked: Request, partition: Partition) -> bool:
    return asked.whole or partition.plugin == "exclusive"


def _facts(pricing: Pricing, asked: Request, name: str | None, now: float) -> Facts | str:
    """An attempt that runs to its limit in a partition, or why it has no bound there."""
    partition = pricing.fleet.partition(name)
    found = tres.accelerators(asked.tres)
    shards = sum(int(t.partition("=")[2]) for t in asked.tres.split(",") if "gres/shard=" in t)
    only_shards = found.count is None and shards and "gres/mps" not in asked.tres
    made = Facts(
        source="slurm", cluster="", job="", attempt="", start=now, end=now,
        seconds=asked.seconds or 1.0, state="running", account=asked.account, partition=name,
        devices=0.0 if found.count is None and not found.why else found.count, nodes=asked.nodes,
        kinds=tuple(kind.lower() for kind in found.kinds),
        shards=float(shards) if only_shards else None, why=found.why,
    )  # fmt: skip
    if _whole(asked, partition):
        return _of_whole_nodes(pricing, asked, made, partition)
    if made.devices == 0:
        cpus = _processors(asked, partition)
        if cpus is None:
            return f"its processors are not bounded; give partitions.{name or 'NAME'}.cpus"
        made = replace(made, cpus=cpus)
    return made


def _of_whole_nodes(
    pricing: Pricing, asked: Request, made: Facts, partition: Partition
) -> Facts | str:
    """All devices, or processors where there are none, of as many nodes as it may get."""
    where = f"partitions.{made.partition or 'NAME'}"
    if partition.per_node:
        one = pricing.holdings.held(replace(made, devices=1.0, shards=None, why=""))
        dies = 1.0 / one.devices if one.devices else 1.0  # the scheduler's devices of one of ours
        most = max(made.devices or 0.0, asked.nodes * partition.per_node * dies)
        return replace(made, devices=most, shards=None, why="")
    if made.devices != 0 or partition.accelerator:
        return f"it takes whole nodes; give {where}.per_node"
    if not partition.cpus:
        return f"it takes whole nodes; give {where}.cpus, or per_node"
    return replace(made, cpus=float(asked.nodes * partition.cpus))


def _processors(asked: Request, partition: Partition) -> float | None:
    """The most processors: whole cores for each task, no more than its nodes have."""
    whole = asked.nodes * partition.cpus if partition.cpus else None
    if asked.cpus is None:
        return whole
    threads = partition.threads

    def cores(count: int) -> int:
        return (count if asked.cores else ceil(count / threads)) * threads

    tasks, each, of_node = asked.cpus
    most = max(tasks * cores(each), asked.nodes * cores(of_node))
    return float(min(most, whole) if whole else most)


def _choices(pricing: Pricing, asked: Request, facts: Facts) -> Iterator[Facts]:
    """The attempt as it may be: with each account, on each kind of node, in each month's place."""
    for one in _accounts(pricing, asked, facts):
        for placed in _nodes(pricing, one):
            for moment in _moments(pricing, facts):
                yield replace(placed, start=moment, end=moment)


def _accounts(pricing: Pricing, asked: Request, facts: Facts) -> Iterator[Facts]:
    """The account that is said, else one of each price: the default is the user's own."""
    yield facts
    seen = {"None"}
    for name, account in {} if asked.account else pricing.fleet.accounts.items():
        said = repr(account.cpu_hour if facts.devices == 0 else account.price)
        if said not in seen:
            seen.add(said)
            yield replace(facts, account=name)


def _nodes(pricing: Pricing, facts: Facts) -> Iterator[Facts]:
    """A node of each device that ``nodes`` of fleet.yaml names; those of the kind that is asked."""
    first = {device: names for names, device in reversed(pricing.fleet.nodes.items())}
    if facts.devices == 0 or not first:
        yield facts
        return
    called = facts.kinds[0] if facts.kinds else ""
    fitting = [device for device in first if called and called in device.lower()] or list(first)
    if pricing.fleet.partition(facts.partition).accelerator or called:
        yield facts
    for device in fitting:
        yield replace(facts, node_list=first[device])


def _moments(pricing: Pricing, facts: Facts) -> list[float]:
    """Now, and the later month that fleet.yaml gives the highest PUE: it may wait until then."""
    start = facts.start or 0.0
    month = pricing.month(start)
    later = {name: pue for name, pue in pricing.fleet.pue.items() if name > month}
    if not later:
        return [start]
    worst = max(later, key=lambda name: later[name])
    return [start, datetime.fromisoformat(f"{worst}-15T12:00:00+00:00").timestamp()]


def _drawing(pricing: Pricing, one: Facts, row: Row) -> list[tuple[Facts, Row]]:
    """The same with its boards at their rating all the time, where one is known."""
    device, devices = row["device"], row["devices"]
    if not isinstance(device, str) or not isinstance(devices, float) or mig_of(device):
        return []
    try:
        rating = accelerators.find(device, pricing.holdings.folders).board_power
    except CostcalcError:
        return []
    if rating is None or not rating.value:
        return []
    joules = rating.value * devices * one.seconds
    full = replace(one, joules=joules, scope="boards", meter="their rating")
    made = pricing.rows([full]).rows[0]
    return [(full, made)] if made["cost"] is not None else []
