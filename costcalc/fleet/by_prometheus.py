"""Jobs of a ledger metered by a Prometheus: their boards first, then what their nodes drew."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sqlalchemy import RowMapping, func, or_, select

from costcalc.decide.clock import zone
from costcalc.fleet.cluster import Cluster
from costcalc.fleet.entering import facts_of
from costcalc.fleet.facts import RANK, Refused
from costcalc.fleet.holding import Held, Holdings
from costcalc.fleet.importing import prometheus
from costcalc.fleet.importing.prometheus_nodes import Guest, of_nodes
from costcalc.fleet.kinds import HOUR, KWH
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.metering import NodeDay, Reading, read_meters
from costcalc.fleet.pricing import Pricing
from costcalc.fleet.tables import jobs, readings
from costcalc.fleet.taking import Taken
from costcalc.report.importing.nodes import expanded

DAY = 25 * HOUR  # the longest that there is: where clocks are set back


def from_prometheus(
    ledger: Ledger, cluster: Cluster, server: prometheus.Server, since: float | None
) -> Taken:
    """What a server knows of the jobs that ended ``since`` then.

    Boards are looked up for jobs of which no meter is known; then each node's meter is shared among
    all that were on it, those whose boards are metered having what they draw.

    Raises:
        InputError: the server fails, or has none of the series that are known.
    """
    series = prometheus.there(server)
    boards = [one for one in series if one.scope == "boards"]
    nodes = [one for one in series if one.scope == "node"]
    refused: dict[str, Refused] = {}

    def found() -> Iterator[Reading | Refused]:
        for one in prometheus.readings(server, _unmetered(ledger, cluster, since), boards):
            if isinstance(one, Refused) and nodes:
                refused[one.row] = one
            else:
                yield one

    taken = Taken()
    if boards:
        told = read_meters(ledger, cluster, found(), source="prometheus", name=server.shown)
        taken.add(told)
    if nodes:
        zone_ = zone(cluster.fleet.timezone)
        guests = _guests(ledger, cluster, since)
        stream = of_nodes(server, guests, _sizes(cluster, guests), nodes, zone_, since)
        merged = _with_both(stream, refused, guests)
        told = read_meters(ledger, cluster, merged, source="prometheus", name=server.shown)
        taken.add(told)
    return taken


def _with_both(
    stream: Iterator[Reading | Refused | NodeDay],
    refused: Mapping[str, Refused],
    guests: Sequence[Guest],
) -> Iterator[Reading | Refused | NodeDay]:
    """The stream, each refusal with what the job's boards lacked; and who is on no known node."""
    for one in stream:
        if isinstance(one, Refused) and one.row in refused:
            why = f"{refused[one.row].why}; {one.why}"
            yield Refused(line=None, row=one.row, why=why)
        else:
            yield one
    on_nodes = {guest.job for guest in guests}
    yield from (one for job, one in refused.items() if job not in on_nodes)


def _sizes(cluster: Cluster, guests: Sequence[Guest]) -> dict[str, float]:
    """Devices in a node by partition; processors where none of its jobs held devices."""
    made: dict[str, float] = {}
    with_devices = {one.partition for one in guests if not one.on_processors}
    for name in {one.partition for one in guests}:
        partition = cluster.fleet.partition(name)
        size = partition.per_node if name in with_devices else partition.cpus
        if size:
            made[name] = float(size)
    return made


def _guests(ledger: Ledger, cluster: Cluster, since: float | None) -> list[Guest]:
    """Attempts on nodes that are named, with those beside them; what has a meter says its power.

    Those beside them: on any day on which one ran that ended ``since`` then.
    """
    where = [
        jobs.c.current, jobs.c.start.is_not(None), jobs.c.end > jobs.c.start,
        jobs.c.node_list.is_not(None), or_(jobs.c.devices > 0, jobs.c.cpus > 0),
    ]  # fmt: skip
    with ledger.reading() as connection:
        if since is not None:
            first = select(func.min(jobs.c.start)).where(*where, jobs.c.end >= since)
            start = connection.execute(first).scalar()
            where.append(jobs.c.end >= (since if start is None else start - DAY))
        rows = connection.execute(select(jobs).where(*where).order_by(jobs.c.start)).mappings()
        within = select(readings.c.meter).where(readings.c.rank >= RANK["report"]).distinct()
        found = rows.all()
        own = set(connection.execute(within).scalars())
    # what has no device on nodes that have some is not told apart from those who have them
    pricing = Pricing(cluster)
    return [
        _guest(row, own, pricing)
        for row in found
        if row["devices"] or not cluster.fleet.partition(row["partition"]).per_node
    ]


def _guest(row: RowMapping, metered_within: set[str], pricing: Pricing) -> Guest:
    names = expanded(row["node_list"])
    span = row["end"] - row["start"]
    own = row["scope"] == "boards" or row["meter"] in metered_within
    boards = row["scope"] == "boards" and row["metered"]
    watts = row["energy_it"] * KWH / span / len(names) if own and row["energy_it"] else None
    return Guest(
        cluster=row["cluster"],
        job=row["job"],
        attempt=row["attempt"],
        partition=row["partition"] or "",
        start=row["start"],
        end=row["end"],
        seconds=row["seconds"],
        devices=row["devices"] or (row["cpus"] or 0.0),
        on_processors=not row["devices"],
        nodes=names,
        watts=watts,
        boards=row["metered"] * KWH / span / len(names) if boards else None,
        idle=pricing.holdings.idle(row["device"]),
        host=pricing.host(facts_of(row), Held(row["device"], row["devices"])),
        most=pricing.holdings.most(row["device"]),
    )


def _unmetered(ledger: Ledger, cluster: Cluster, since: float | None) -> list[prometheus.Job]:
    """Jobs on devices of which no meter is known yet, or one that Prometheus knows better."""
    where = [
        jobs.c.current, jobs.c.devices > 0, jobs.c.start.is_not(None), jobs.c.end > jobs.c.start,
        or_(jobs.c.meter.is_(None), jobs.c.meter.not_like("costcalc track%")),
        or_(jobs.c.meter.is_(None), jobs.c.meter.not_like("%(Prometheus%")),
    ]  # fmt: skip
    if since is not None:
        where.append(jobs.c.end >= since)
    with ledger.reading() as connection:
        rows = connection.execute(select(jobs).where(*where).order_by(jobs.c.start)).all()
    found, holdings = [], Holdings(cluster)
    for row in rows:
        names = expanded(row.node_list or "")
        per_node = cluster.fleet.partition(row.partition).per_node
        found.append(
            prometheus.Job(
                cluster=row.cluster,
                job=row.job,
                raw=row.raw or "",
                attempt=row.attempt,
                start=row.start,
                end=row.end,
                devices=row.devices,
                nodes=names,
                whole=per_node is not None and row.devices == per_node * len(names),
                idle=holdings.idle(row.device),
            )
        )
    return found
