"""Nodes' own meters from a Prometheus, day by day, shared among the jobs that were on each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any

import numpy as np

from costcalc.base.human import human
from costcalc.calculator.plausible import BELOW_IDLE
from costcalc.fleet.facts import Refused
from costcalc.fleet.importing.prometheus import Series, Server, by_node
from costcalc.fleet.kinds import KWH
from costcalc.fleet.metering import NodeDay, Reading
from costcalc.fleet.sharing import Present, shared
from costcalc.report.importing.sacct import MOST_WATTS
from costcalc.report.importing.steps import ENOUGH

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

STEP = 60.0
#: a node that says less than this share of what its boards say is wrong.  Chosen: as if its meter
#: too were within the 5 % that BELOW_IDLE rests on, which no maker of a BMC is known to say of all
BELOW_BOARDS = BELOW_IDLE


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """An attempt on nodes; ``devices`` of all of them together, ``seconds`` that it was allocated.

    ``on_processors``: it held none, and its processors are counted in their place.  ``watts``: what
    it drew on each node by a meter of its own, its host's part modelled where that is of ``boards``
    alone; ``idle`` and ``most``: what one device draws, and ``host`` what its share of the node
    beside it draws at least, W.  Times: seconds since 1970.
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
    boards: float | None = None
    idle: float | None = None
    host: float = 0.0
    most: float | None = None

    @property
    def least(self) -> float:
        """W that a node draws for each of its devices at least; 0 where that is not known."""
        return 0.0 if self.on_processors or self.idle is None else self.idle + self.host

    def ran(self, start: float, end: float) -> bool:
        """Whether it ran within a span."""
        return self.start < end and self.end > start


@dataclass(slots=True)
class _Sum:
    joules: float = 0.0
    seconds: float = 0.0  # of all its nodes together
    beside: float = 0.0  # joules of its nodes while it was there, whoever had them
    boards: float = 0.0  # and of the boards that were metered meanwhile
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
    doubtful: list[tuple[NodeDay, float]] = []
    asked = [g for g in guests if since is None or g.end >= since]
    reach = (min(g.start for g in asked), max(g.end for g in asked)) if asked else (0.0, 0.0)
    for (cluster, node), mine in sorted(by_name.items()):
        partition = max(mine, key=lambda g: sizes.get(g.partition, 0.0)).partition
        size = sizes.get(partition)
        if size is None:
            continue
        idle = _least(mine, partition)
        for day, end in _days(*reach, zone):
            found = _energy(server, node, day, end, known, size)
            if found is None:
                continue
            edges, joules, meter = found
            low = _too_low(joules, meter, idle, size)
            if low:
                yield Refused(line=None, row=f"{node}, {_shown(day, zone)}", why=low)
                continue
            there = [g for g in mine if g.ran(day, end)]
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
                own.beside += float(made.beside[place])
                own.boards += sum(
                    other.boards * float(made.seconds[at])
                    for at, other in enumerate(there)
                    if other.boards and one.start <= other.start and other.end <= one.end
                )
            seen = NodeDay(
                cluster=cluster, node=node, partition=partition, at=day, meter=meter,
                joules=made.whole, given=made.given, seconds=made.covered,
            )  # fmt: skip
            if made.capped.any():
                doubtful.append((seen, end))
            yield seen
    yield from _told(asked, sums, sizes, doubtful)


def _told(
    asked: Sequence[Guest],
    sums: Mapping[int, _Sum],
    sizes: Mapping[str, float],
    doubtful: Sequence[tuple[NodeDay, float]],
) -> Iterator[Reading | Refused | NodeDay]:
    """Each job's part; what meters say less than the boards of their nodes is taken back."""
    wrong = {id(one): why for one in asked if (why := _below_boards(one, sums[id(one)]))}
    gone: list[tuple[NodeDay, float, str]] = []
    for day, end in doubtful:
        liar = next((o for o in asked if id(o) in wrong and _on(o, day, end)), None)
        if liar is not None:
            gone.append((day, end, liar.job))
            yield replace(day, joules=0.0, given=0.0, seconds=0.0)
    for one in asked:
        job = next((job for day, end, job in gone if _on(one, day, end)), None)
        told: Reading | Refused | None
        if id(one) in wrong:
            told = Refused(line=None, row=one.job, why=wrong[id(one)])
        elif job is not None and one.watts is None:
            why = f"its nodes' meter says less than the boards of job {job} drew"
            told = Refused(line=None, row=one.job, why=why)
        else:
            told = _reading(one, sums[id(one)], sizes)
        if told is not None:
            yield told


def _on(one: Guest, day: NodeDay, end: float) -> bool:
    """Whether a job was on a node on a day."""
    return one.cluster == day.cluster and day.node in one.nodes and one.ran(day.at, end)


def _below_boards(one: Guest, own: _Sum) -> str:
    """Why the meters of a job's nodes cannot be right, by the boards on them; empty: they may.

    A board that says more than it is rated for is itself in doubt, and then the node has the word.
    """
    if not one.boards or own.beside >= BELOW_BOARDS * own.boards:
        return ""
    on_each = one.devices / len(one.nodes)
    if one.most is not None and one.boards > one.most * on_each:
        return ""
    meters = ", ".join(sorted(own.meters))
    node, boards = (human(joules / KWH, "kWh") for joules in (own.beside, own.boards))
    drew = f"{node} of its nodes, and their boards {boards}"
    return f"{meters} says {drew}: a node draws no less than its boards, whose meter is kept"


def _least(guests: Sequence[Guest], partition: str) -> float:
    """W that a partition's nodes draw a device when idle; 0 where that is not known."""
    return min((g.least for g in guests if g.partition == partition and g.least), default=0.0)


def _too_low(joules: Array, meter: str, idle: float, size: float) -> str:
    """Why a node's meter cannot be right over a day: it draws more when idle."""
    seen = joules[np.isfinite(joules)]
    if not len(seen) or not idle:
        return ""
    watts = float(seen.mean()) / STEP
    if watts >= BELOW_IDLE * idle * size:
        return ""
    bound = f"less than its {size:g} boards and their host draw when idle ({idle * size:.3g} W)"
    return f"{meter} says {watts:.3g} W, {bound}"


def _shown(day: float, zone: tzinfo) -> str:
    return datetime.fromtimestamp(day, UTC).astimezone(zone).date().isoformat()


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
    each = own.joules / own.seconds * len(one.nodes) / one.devices
    if each < BELOW_IDLE * one.least:
        why = f"its nodes' meters leave {each:.3g} W to each of its devices, less than one draws"
        why += f" when idle with its share of the host ({one.least:.3g} W)"
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
    server: Server, node: str, start: float, end: float, known: Sequence[Series], size: float
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
            most = MOST_WATTS * max(size, 1.0) * STEP
            return edges, _steps(found, series, start, len(edges), most), series.name
    return None


def _steps(
    found: Sequence[Mapping[str, Any]], series: Series, start: float, many: int, most: float
) -> Array:
    """What all series of a node together add up to in each step; ``most``: joules of one."""
    total = np.zeros(many - 1)
    for one in found:
        values = np.full(many, np.nan)
        for at, value in one["values"]:
            place = round((float(at) - start) / STEP)
            if 0 <= place < many and math.isfinite(float(value)):
                values[place] = float(value)
        if series.counter:
            steps = np.diff(values)
            # it began again, or came back from a nothing that it never counted
            steps = np.where((steps < 0) | (steps * series.factor > most), np.nan, steps)
        else:
            values = np.where(values > 0, values, np.nan)  # a node that runs draws something
            steps = (values[1:] + values[:-1]) / 2 * STEP
        total = total + steps * series.factor
    return np.where(total < 0, np.nan, total)
