"""On whose nodes jobs ran: of the partitions of fleet.yaml several may have the same nodes."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import select

from costcalc.fleet.cluster import Fleet
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.period import Period
from costcalc.fleet.tables import jobs
from costcalc.report.importing.nodes import expanded


def by_nodes(
    fleet: Fleet, found: Mapping[tuple[str, str], tuple[float, float]]
) -> Mapping[tuple[str, str], tuple[float, float]]:
    """What is told by jobs' partitions, by those whose nodes they ran on."""
    made: dict[tuple[str, str], tuple[float, float]] = {}
    for (cluster, said), (one, other) in found.items():
        key = cluster, _home(fleet, said)
        before = made.get(key, (0.0, 0.0))
        made[key] = before[0] + one, before[1] + other
    return made


def _home(fleet: Fleet, said: str) -> str:
    """The partition of fleet.yaml on whose nodes a job of another may have run."""
    name = fleet.meant(said)
    return fleet.partition(said).nodes_of or name


#: the last jobs of a period that are looked through for nodes of several partitions
LOOKED = 4000


def shared(ledger: Ledger, fleet: Fleet, over: Period, cluster: str) -> Mapping[str, str]:
    """Why it is not known what idled of a partition: of its nodes jobs of another had some too."""
    asked = (
        select(jobs.c.partition, jobs.c.node_list)
        .where(
            jobs.c.current, jobs.c.cluster == cluster, jobs.c.node_list.is_not(None),
            jobs.c.end > over.start, jobs.c.end <= over.end, jobs.c.device_hours > 0,
        )
        .order_by(jobs.c.end.desc())
        .limit(LOOKED)
    )  # fmt: skip
    with ledger.reading() as connection:
        pairs = {(str(p or ""), str(n)) for p, n in connection.execute(asked)}
    of_node: dict[str, dict[str, str]] = {}
    for said, names in sorted(pairs):
        for node in expanded(names):
            of_node.setdefault(node, {}).setdefault(_home(fleet, said), said)
    made: dict[str, str] = {}
    for node, homes in of_node.items():
        for home in homes:
            other = next((said for name, said in homes.items() if name != home), None)
            if other is not None:
                why = f"jobs of {other or 'no partition'} ran on its nodes too ({node})"
                made.setdefault(
                    home, f"{why}: give partitions.{other or 'default'}.nodes_of: {home}"
                )
    return made
