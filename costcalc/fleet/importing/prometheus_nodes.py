"""Nodes' own meters from a Prometheus, day by day, shared among the jobs that were on each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import numpy as np

from costcalc.fleet.facts import Refused
from costcalc.fleet.importing.prometheus import ENOUGH, Series, Server, by_node
from costcalc.fleet.metering import NodeDay, Reading
from costcalc.fleet.sharing import Present, shared
from costcalc.report.importing.sacct import MOST_WATTS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEP = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """An attempt on nodes; ``devices`` of all of them together, ``seconds`` that it was allocated.

    ``on_processors``: it held none, and its processors are counted in their place.  ``watts``: what
    it drew on each node by a meter of its own.  Times: seconds since 1970.
    """

    cluster: str
    job: str
    attempt: str
    partition: str
    start: float
    end: float
    seconds: float
    devices: float
    nodes: tuple[str, ...]
    watts: float | None
    on_processors: bool = False


@dataclass(slots=True)
class _Sum:
    joules: float = 0.0
    seconds: float = 0.0  # of all its nodes together
    capped: bool = False
    meters: set[str] = field(default_factory=set)


def of_nodes(
    server: Server,
    guests: Sequence[Guest],
    sizes: Mapping[str, float],
    known: Sequence[Series],
    zone: tzinfo = UTC,
    since: float | None = None,
) -> Iterator[Reading | Refused | NodeDay]:
    """Each node's days, and each job's part of them; ``sizes``: devices a node, by partition.

    ``since``: of jobs that ended from then on; those that were beside them have their part too.

    Raises:
        InputError: the server fails.
    """
    sums = {id(one): _Sum() for one in guests}
    by_name: dict[tuple[str, str], list[Guest]] = {}
    for one in guests:
        for node in one.nodes:
            by_name.setdefault((one.cluster, node), []).append(one)
    asked = [g for g in guests if since is None or g.end >= since]
    reach = (min(g.start for g in asked), max(g.end for g in asked)) if asked else (0.0, 0.0)
    for (cluster, node), mine in sorted(by_name.items()):
        partition = max(mine, key=lambda g: sizes.get(g.partition, 0.0)).partition
        size = sizes.get(partition)
        if size is None:
            continue
        for day, end in _days(*reach, zone):
            found = _energy(server, node, day, end, known)
            if found is None:
                continue
            edges, joules, meter = found
            there = [g for g in mine if g.start < end and g.end > day]
            present = [
                Present(
                    start=g.start, end=g.end, devices=g.devices / len(g.nodes), watts=g.watts
                )
                for g in there
            ]  # fmt: skip
            made = shared(edges, joules, present, size)
            for place, one in enumerate(there):
                own = sums[id(one)]
                own.joules += float(made.joules[place])
                own.seconds += float(made.seconds[place])
                own.capped = own.capped or bool(made.capped[place])
                own.meters.add(meter)
            yield NodeDay(
                cluster=cluster, node=node, partition=partition, at=day, meter=meter,
                joules=made.whole, given=made.given, seconds=made.covered,
            )  # fmt: skip
    for one in asked:
        told = _reading(one, sums[id(one)], sizes)
        if told is not None:
            yield told


def _reading(one: Guest, own: _Sum, sizes: Mapping[str, float]) -> Reading | Refused | None:
    """A job's part of its nodes' meters; of one with a meter of its own, where they say less."""
    if one.watts is not None and not own.capped:
        return None
    span = one.end - one.start
    share = own.seconds / (span * len(one.nodes)) if span > 0 and one.nodes else 0.0
    if not own.meters or share < ENOUGH:
        if one.watts is not None:
            return None
        why = f"its nodes' meters cover {100 * share:.0f} % of its time"
        if one.partition not in sizes:
            why = f"its nodes' size is not said: partitions.{one.partition or 'NAME'}.per_node"
        return Refused(line=None, row=one.job, why=why)
    if not 0 < own.joules / own.seconds <= MOST_WATTS * max(one.devices, 1.0):
        return Refused(line=None, row=one.job, why="its nodes' meters say what no node draws")
    how = "all that its nodes drew" if one.watts is not None else "part of its nodes"
    return Reading(
        source="nodes" if one.watts is not None else "prometheus",
        cluster=one.cluster,
        job=one.job,
        attempt=one.attempt,
        meter=f"{', '.join(sorted(own.meters))} (Prometheus, {how})",
        scope="node",
        joules=own.joules,
        # of a job whose clock ran on beyond its end no more is taken than its nodes drew
        seconds=own.seconds / len(one.nodes) * max(1.0, one.seconds / span),
        coverage=min(share, 1.0),
        part=min(one.devices / (sizes[one.partition] * len(one.nodes)), 1.0),
    )


def _days(start: float, end: float, zone: tzinfo) -> Iterator[tuple[float, float]]:
    """The days of a span where the cluster is, from midnight to midnight."""
    day = datetime.fromtimestamp(start, UTC).astimezone(zone).date()
    while True:
        first = datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
        day += timedelta(days=1)
        last = datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()
        if first >= end:
            return
        yield first, last


def _energy(
    server: Server, node: str, start: float, end: float, known: Sequence[Series]
) -> tuple[Array, Array, str] | None:
    """Joules of a node by steps, of the best of its meters; NaN where it says nothing."""
    for series in known:
        data = server.ask(
            "query_range",
            query=f"{series.name}{by_node(series, (node,))}",
            start=start,
            end=end,
            step=STEP,
        )
        found = data.get("result") if isinstance(data, Mapping) else None
        if found:
            steps = np.arange(math.ceil((end - start) / STEP) + 1, dtype=np.float64)
            edges: Array = start + STEP * steps
            return edges, _steps(found, series, start, len(edges)), series.name
    return None


def _steps(found: Sequence[Mapping[str, Any]], series: Series, start: float, many: int) -> Array:
    """What all series of a node together add up to in each step."""
    total = np.zeros(many - 1)
    for one in found:
        values = np.full(many, np.nan)
        for at, value in one["values"]:
            place = round((float(at) - start) / STEP)
            if 0 <= place < many and math.isfinite(float(value)):
                values[place] = float(value)
        if series.counter:
            steps = np.diff(values)
            steps = np.where(steps < 0, np.nan, steps)  # it began again
        else:
            steps = (values[1:] + values[:-1]) / 2 * STEP
        total = total + steps * series.factor
    return np.where(total < 0, np.nan, total)
