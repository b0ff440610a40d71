"""Whether a request can run at all on what fleet.yaml says of the partitions that it may run in."""

from __future__ import annotations

import re

from costcalc.fleet.cluster import Fleet
from costcalc.fleet.pricing import Pricing
from costcalc.fleet.requests import Request

_SLICE = re.compile(r"gpu:[\w.-]*\dg\.")  # a MIG instance, of which a device has several


def never(pricing: Pricing, asked: Request) -> str:
    """Why no partition in which a component may run has what it asks for; empty where one may."""
    fleet = pricing.fleet
    if asked.clusters and asked.clusters != fleet.name:
        return ""
    whys = [_never(pricing, asked, name) for name in asked.partitions or tuple(fleet.partitions)]
    return "; ".join(dict.fromkeys(whys)) if whys and all(whys) else ""


def _never(pricing: Pricing, asked: Request, name: str) -> str:
    fleet = pricing.fleet
    partition, key = fleet.partition(name), f"partitions.{fleet.meant(name)}"
    nodes = _nodes(fleet, name)
    if nodes and asked.least_nodes > nodes:
        return f"{asked.least_nodes} nodes, and {name} has {nodes} ({key}.nodes)"
    if partition.cpus and asked.cpus and asked.cpus[1] > partition.cpus:
        each = f"{asked.cpus[1]} processors a task"
        return f"{each}, and a node of {name} has {partition.cpus} ({key}.cpus)"
    if not partition.per_node or _SLICE.search(asked.tres):
        return ""
    size = partition.per_node * pricing.holdings.dies(name)
    if asked.of_node > size:
        return f"{asked.of_node} devices a node, and one of {name} has {size:g} ({key}.per_node)"
    if nodes and asked.least > nodes * size:
        return f"{asked.least} devices, and {name} has {nodes * size:g} ({key}.nodes, per_node)"
    return ""


def _nodes(fleet: Fleet, name: str) -> int | None:
    """How many nodes a partition has, its own or another's."""
    partition = fleet.partition(name)
    return partition.nodes or (fleet.partition(partition.nodes_of).nodes if partition.nodes_of
                               else None)  # fmt: skip
