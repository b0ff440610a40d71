"""Partitions and accounts of jobs that ``fleet.yaml`` does not name, and what they are priced by.

Where it names none, it speaks of all of them alike, and there is nothing to say.
"""

from __future__ import annotations

from collections.abc import Iterable

from costcalc.base.errors import nearest
from costcalc.base.human import number_of
from costcalc.fleet.cluster import Fleet

SHOWN = 5


def partition(fleet: Fleet, said: str | None) -> str:
    """That a job's partition is not named, and by what it is priced; empty where it is.

    >>> made = Fleet.model_validate({"partitions": {"gpu": {"accelerator": "h100"}}})
    >>> partition(made, "gpus"), partition(made, "gpu,old"), partition(made, None)
    ("partition gpus is not in fleet.yaml (did you mean gpu?): it has the cluster's price", '', '')
    """
    if not said or not fleet.partitions or "default" in fleet.partitions:
        return ""
    if any(name in fleet.partitions for name in said.split(",")):
        return ""
    meant = near(said, fleet.partitions)
    return f"partition {said} is not in fleet.yaml{meant}: it has the cluster's price"


def account(fleet: Fleet, said: str | None) -> str:
    """That a job's account is not named, and by what it is priced; empty where it is.

    >>> account(Fleet.model_validate({"accounts": {"physics": {}}}), "phyiscs")
    "account phyiscs is not in fleet.yaml (did you mean physics?): it has its partition's price"
    """
    if not said or not fleet.accounts or said in fleet.accounts:
        return ""
    meant = near(said, fleet.accounts)
    return f"account {said} is not in fleet.yaml{meant}: it has its partition's price"


def near(said: str, known: Iterable[str]) -> str:
    """A name that may have been meant.

    >>> near("phyiscs", ["physics"]), near("arts", ["physics"])
    (' (did you mean physics?)', '')
    """
    found = nearest(said, known, at_most=1)
    return f" (did you mean {found[0]}?)" if found else ""


def told(fleet: Fleet, pairs: Iterable[tuple[str | None, str | None, int]]) -> list[str]:
    """What is said of partitions and accounts of so many jobs each, the most jobs first.

    >>> told(Fleet.model_validate({"accounts": {"physics": {}}}), [("gpu", "arts", 3)])
    ["account arts is not in fleet.yaml: it has its partition's price: 3 jobs"]
    """
    found: dict[str, int] = {}
    for of_partition, of_account, number in pairs:
        for why in (partition(fleet, of_partition), account(fleet, of_account)):
            if why:
                found[why] = found.get(why, 0) + number
    listed = sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))
    more = [f"and {len(listed) - SHOWN} more partitions or accounts that fleet.yaml does not name"]
    lines = [f"{why}: {number_of(number, 'job')}" for why, number in listed[:SHOWN]]
    return lines + (more if len(listed) > SHOWN else [])
