"""What of a meter is a job's own, and whether it can be right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from costcalc.fleet.cluster import Fleet, Partition
from costcalc.fleet.facts import Facts
from costcalc.fleet.holding import Held, Holdings


@dataclass(frozen=True, slots=True)
class Meters:
    """The meters of a cluster's jobs; ``host``: the least W that a device's share of one draws."""

    fleet: Fleet
    holdings: Holdings
    host: Callable[[Facts, Held], float]

    def believed(self, one: Facts, own: Held) -> Facts:
        """An attempt with what is its own of the best meter that can be right."""
        found, whys = self._own(one, own), list[str]()
        while why := self.holdings.disbelieved(found, own, self._beside(found, own)):
            whys.append(why)
            if found.instead is None or found.instead.joules is None:
                return _without(found, "; ".join(dict.fromkeys(whys)))
            found = self._own(found.instead, own)
        return replace(found, why="; ".join(whys)) if whys else found

    def _beside(self, one: Facts, own: Held) -> float:
        """What a meter of whole nodes has in it beside each device, at least, in W."""
        return self.host(one, own) if one.joules is not None and one.scope == "node" else 0.0

    def _own(self, one: Facts, own: Held) -> Facts:
        """An attempt with the part of its nodes' meter that is its own, by its devices.

        Slurm's plugins read a node; of a node that jobs share, each has all of it (slurm.conf,
        AcctGatherEnergyType).  What cannot be told apart is left out, and is modelled.
        """
        if one.joules is None or not one.whole_nodes:
            return one
        partition = self.fleet.partition(one.partition)
        if partition.plugin == "boards":
            return replace(one, scope="boards", whole_nodes=False)
        if partition.plugin == "exclusive":
            return replace(one, whole_nodes=False)
        part = _part(one, own, partition)
        if part is None:
            if own.devices == 0 and partition.per_node:
                return _without(
                    one, "its nodes' meter has their devices in it, which it did not hold"
                )
            what = "cpus" if own.devices == 0 else "per_node"
            why = "its nodes' meter may have other jobs in it: give partitions.NAME."
            return _without(one, f"{why}{what}, or plugin")
        return replace(one, joules=one.joules * part, part=part)


def _without(one: Facts, why: str) -> Facts:
    """An attempt without a meter, of which what it said is not taken."""
    return replace(
        one, joules=None, scope=None, meter=None, whole_nodes=False, part=None, faulty=True, why=why
    )


def _part(one: Facts, own: Held, partition: Partition) -> float | None:
    """The part of its nodes that a job held: of their devices, or processors where it has none."""
    held: float | None
    if own.devices != 0:
        held, each = own.devices, partition.per_node
    else:
        held, each = one.cpus, partition.cpus
    if held is None or each is None or not one.nodes:
        return None
    part = min(held / (each * one.nodes), 1.0)
    if own.devices == 0 and partition.per_node and part < 1:
        return None  # beside jobs with devices, which draw most of it; nobody is beside all
    return part
