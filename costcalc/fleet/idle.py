"""What a cluster's nodes drew while no job had them: named, and laid where fleet.yaml says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import case, func, select

from costcalc.base.numbers import Number
from costcalc.base.ranges import DRAWS, percentiles
from costcalc.fleet.cluster import Cluster, Partition
from costcalc.fleet.facts import Facts
from costcalc.fleet.kinds import HOUR, UNITS, Asked, Kind
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.period import Period
from costcalc.fleet.pricing import Pricing
from costcalc.fleet.sums import Figure
from costcalc.fleet.tables import jobs, meters


@dataclass(slots=True)
class Idle:
    """A partition's idle devices over a period; figures in the ledger's units.

    ``device_hours`` that no job had, of ``held`` in all; ``why`` there are no figures.
    """

    partition: str
    device_hours: float
    held: float
    figures: dict[str, Figure]
    why: str = ""
    metered: float = 0.0  # share of the nodes' time that meters saw, less what jobs had of it


def idle(ledger: Ledger, cluster: Cluster, over: Period, reach: tuple[float, float]) -> list[Idle]:
    """What idled in the period of partitions whose size fleet.yaml says.

    ``reach``: from when to when the ledger knows of jobs.
    """
    start, end = max(over.start, reach[0]), min(over.end, reach[1])
    pricing, found = Pricing(cluster), list[Idle]()
    busy = _busy(ledger, over.months[0], start, end)
    seen = _seen(ledger, over)
    for name, partition in cluster.fleet.partitions.items():
        if partition.nodes is None or end <= start:
            continue
        per_node = partition.per_node or 1
        held = partition.nodes * per_node * (end - start) / HOUR
        had = busy.get(name, 0.0)
        rest, seconds = seen.get(name, (0.0, 0.0))
        share = min(seconds / (partition.nodes * (end - start)), 1.0)
        one = _costed(pricing, name, partition, max(held - had, 0.0), held, over, rest, share)
        if had > held * 1.01:
            one.why = f"jobs had {had / held:.3g} times what its {partition.nodes} nodes hold"
            one.figures = {}
        found.append(one)
    return found


def _busy(ledger: Ledger, month: str, start: float, end: float) -> Mapping[str, float]:
    """Device-hours that jobs had within a span, by partition, of each job the part within it."""
    first = case((jobs.c.start > start, jobs.c.start), else_=start)
    last = case((jobs.c.end < end, jobs.c.end), else_=end)
    lasted = case((jobs.c.end > jobs.c.start, jobs.c.end - jobs.c.start), else_=1.0)
    asked = (
        select(jobs.c.partition, func.sum(jobs.c.device_hours * (last - first) / lasted))
        .where(jobs.c.current, jobs.c.month >= month, jobs.c.start < end, jobs.c.end > start)
        .group_by(jobs.c.partition)
    )
    with ledger.reading() as connection:
        return {str(name): float(hours or 0.0) for name, hours in connection.execute(asked)}


def _seen(ledger: Ledger, over: Period) -> Mapping[str, tuple[float, float]]:
    """What nodes' meters saw that no job had, and in how many node-seconds, by partition."""
    asked = (
        select(meters.c.partition, func.sum(meters.c.joules - meters.c.given),
               func.sum(meters.c.seconds))
        .where(meters.c.at >= over.start, meters.c.at < over.end)
        .group_by(meters.c.partition)
    )  # fmt: skip
    with ledger.reading() as connection:
        return {str(n): (float(rest), float(s)) for n, rest, s in connection.execute(asked)}


def _costed(
    pricing: Pricing,
    name: str,
    partition: Partition,
    hours: float,
    held: float,
    over: Period,
    rest: float,
    share: float,
) -> Idle:
    facts = Facts(
        source="", cluster="", job="", attempt="", start=None, end=None, seconds=1.0,
        state="completed", partition=name, devices=float(partition.per_node or 1),
    )  # fmt: skip
    own = pricing.holdings.held(facts)
    if own.accelerator is None or own.devices is None:
        return Idle(name, hours, held, {}, own.why)
    asked = Asked(
        accelerator=own.accelerator,
        devices=own.devices,
        scope=None,
        hourly=False,
        changes=pricing.changes(facts, over.months[0]),
    )
    kind = pricing.kind(asked)
    if isinstance(kind, str):
        return Idle(name, hours, held, {}, kind)
    node = pricing.fleet.idle.node_power
    watts = node / own.devices if node is not None else None
    figures = _figures(kind, hours * HOUR, watts, rest, share)
    return Idle(name, hours, held, figures, metered=share)


#: idle hardware has no price of an hour, nor embodied carbon: those who use it pay its life's
_COUNTED = ("energy_it", "energy", "carbon_operational", "water")


def _figures(
    kind: Kind, seconds: float, watts: float | None, rest: float, share: float
) -> dict[str, Figure]:
    """What idled: joules of ``rest`` by meters, and of the time that none saw by the model."""
    made: list[Mapping[str, Number]] = []
    for inputs in (kind.values, kind.draws(DRAWS)):
        known = {**inputs, "mean_power": inputs.get("idle_power", 0.0)}
        if watts is not None:  # a whole node was measured: its boards' part and the host's
            known |= {"mean_power": 0.0, "idle_power": 0.0, "host_power": watts}
        modelled = kind.figures(known, seconds, None)
        if share and "energy_it" in modelled:
            joules = rest + (1.0 - share) * modelled["energy_it"]
            modelled = kind.figures({**known, "energy_it": joules}, seconds, None)
        made.append(modelled)
    found = {}
    for name in _COUNTED:
        if name in made[0]:
            value = float(made[0][name])
            low, high = percentiles(made[1][name], value)
            found[name] = Figure(value / UNITS[name], low / UNITS[name], high / UNITS[name])
    return found
