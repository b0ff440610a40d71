"""What the fleet's tests share: a cluster, a table of sacct, a ledger."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from costcalc.base.reading import read
from costcalc.fleet.cluster import Cluster, checked
from costcalc.fleet.facts import Facts, Refused
from costcalc.fleet.importing.slurm import Reading, attempts
from costcalc.fleet.ledger import Ledger
from costcalc.fleet.taking import Taken, take

FLEET = """
timezone: Europe/Berlin
site: {region: DE, pue: 1.2, grid: 350 gCO2e/kWh}
pue: {2026-07: 1.5}
price: {device_hour: 2 USD}
accounts:
  physics: {price: {device_hour: 1 USD}}
  chemistry: {}
partitions:
  gpu: {accelerator: h100-sxm5-80, per_node: 8, nodes: 2, plugin: exclusive}
  old:
    {accelerator: a100-sxm4-40, per_node: 4, nodes: 1, plugin: exclusive,
     price: {device_hour: 0.5 USD}}
"""
COLUMNS = [
    "Cluster",
    "JobID",
    "JobIDRaw",
    "JobName",
    "User",
    "Account",
    "Partition",
    "State",
    "Submit",
    "Start",
    "End",
    "ElapsedRaw",
    "Suspended",
    "AllocTRES",
    "NNodes",
    "NodeList",
    "NCPUS",
    "ConsumedEnergyRaw",
    "Comment",
]
USUAL = {
    "Cluster": "c",
    "User": "anna",
    "Account": "chemistry",
    "Partition": "gpu",
    "State": "COMPLETED",
    "Submit": "2026-10-05T09:00:00",
    "Start": "2026-10-05T10:00:00",
    "End": "2026-10-05T12:00:00",
    "ElapsedRaw": "7200",
    "AllocTRES": "billing=40,cpu=32,gres/gpu:h100=4,gres/gpu=4,mem=256G,node=1",
    "NNodes": "1",
    "NodeList": "gpu01",
    "NCPUS": "32",
}


def cluster(text: str = FLEET, folder: Path | None = None) -> Cluster:
    return checked(read(text, "fleet.yaml"), folder)


def line(**cells: str) -> str:
    made = {**USUAL, "JobID": "1", **cells}
    made.setdefault("JobIDRaw", made["JobID"])
    return "|".join(made.get(name, "") for name in COLUMNS)


def dump(*lines: str) -> list[str]:
    return ["|".join(COLUMNS), *lines]


def read_dump(*lines: str) -> list[Facts | Refused]:
    return list(attempts(dump(*lines), "sacct.txt", Reading()))


def told(*lines: str) -> list[Facts]:
    found = read_dump(*lines)
    assert all(isinstance(one, Facts) for one in found), found
    return [one for one in found if isinstance(one, Facts)]


def memory() -> Ledger:
    return Ledger.open("sqlite://", create=True)


def imported(ledger: Ledger, of: Cluster, *lines: str) -> Taken:
    return take(ledger, of, read_dump(*lines), source="slurm", name="sacct.txt")


def rows(ledger: Ledger, *, everything: bool = False) -> Sequence[Any]:
    from sqlalchemy import select

    from costcalc.fleet.tables import jobs

    asked = select(jobs).order_by(jobs.c.id)
    with ledger.reading() as connection:
        return list(connection.execute(asked if everything else asked.where(jobs.c.current)))


def total(found: Iterable[Any], name: str) -> float:
    return sum(getattr(row, name) for row in found)
