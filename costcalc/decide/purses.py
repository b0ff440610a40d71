"""Who can afford it: what five kinds of people can spend, in FLOP of a year's hardware."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import TypedDict

from costcalc.base.errors import not_found, wrong
from costcalc.catalog import accelerator as accelerators
from costcalc.catalog.region_table import table
from costcalc.decide.benchmarks import OPERATIONS, priced
from costcalc.decide.history import landmarks

FILE = "purses.yaml"
_ONE = 1e21
FIRST_YEAR = 2012
FORMS = "4xa100-sxm4-80x18d, 50000h or 5MUSD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purse:
    """What somebody can spend on one run: device-hours, or dollars that buy them.

    ``kind`` names the class of hardware; ``device`` one device for every year.
    """

    id: str
    name: str
    why: str
    source: str
    url: str | None
    device_hours: float | None
    cost: float | None
    kind: str
    device: str | None = None

    def to_dict(self) -> dict[str, object]:
        """Plain values."""
        names = {"cost": "cost_usd", "kind": "class"}
        return {names.get(name, name): value for name, value in asdict(self).items()}


def purses(changes: Mapping[str, str] | None = None) -> list[Purse]:
    """The shipped purses, with the user's own in their place.

    Raises:
        InputError: a purse that cannot be read.

    >>> [purse.id for purse in purses()][:2]
    ['student', 'academic-group']
    >>> purses({"startup": "5MUSD"})[3].cost
    5000000.0
    """
    found = table(FILE)
    made = []
    for row in found.data["purses"]:
        source, url = found.source(row["source"])
        hours = row.get("device_hours") or row.get("devices", 0) * row.get("days", 0) * 24.0
        made.append(
            Purse(
                id=row["id"],
                name=row["name"],
                why=row["why"],
                source=source,
                url=url,
                device_hours=float(hours) if hours else None,
                cost=float(row["cost"]) if "cost" in row else None,
                kind=row["class"],
            )
        )
    for name, text in (changes or {}).items():
        at = next((i for i, purse in enumerate(made) if purse.id == name), None)
        if at is None:
            raise not_found("--purse", "purse", name, [purse.id for purse in made])
        made[at] = _own(made[at], text)
    return made


def _own(purse: Purse, text: str) -> Purse:
    purse = replace(purse, source="given", url=None, why=text)
    several = re.fullmatch(r"(\d+) ?[x×] ?(.+?) ?[x×] ?([\d.]+) ?d", text)
    if several:
        device = accelerators.find(several[2]).id
        hours = float(several[1]) * float(several[3]) * 24.0
        return replace(purse, device_hours=hours, cost=None, device=device)
    hours_only = re.fullmatch(r"([\d.,e+]+) ?h", text)
    if hours_only:
        return replace(purse, device_hours=float(hours_only[1].replace(",", "")), cost=None)
    money = re.fullmatch(r"([\d.,e+]+) ?([kM]?)USD", text)
    if not money:
        raise wrong(f"--purse {purse.id}", f'expected {FORMS}; got "{text}"')
    times = {"": 1.0, "k": 1e3, "M": 1e6}[money[2]]
    cost = float(money[1].replace(",", "")) * times
    return replace(purse, device_hours=None, cost=cost)


@cache
def device_of(kind: str, year: int) -> str | None:
    """The newest device of a class that a year knew; None before the first.

    >>> device_of("datacenter", 2021), device_of("datacenter", 2009)
    ('a100-sxm4-80', None)
    """
    listed = table(FILE).data["classes"]
    known = [name for name in listed[kind] if accelerators.find(name).released <= year]
    return known[-1] if known else None


@cache
def _on(device: str) -> tuple[float, float | None]:
    """Hours that 1e21 FLOP take on a device, and dollars an hour where a price is known."""
    found = priced(_ONE, OPERATIONS, device)["figures"]
    hours, cost = found["device_hours"]["value"], found["cost"]["value"]
    if hours is None:  # a profile without any peak
        return math.inf, None
    return hours, None if cost is None else cost / hours


@cache
def dollars_an_hour() -> float:
    """Today's price of the newest data-centre device with a known price: money is turned to hours.

    A device-hour of an earlier year is taken to have cost as much: what the top device of a year
    cost by the hour has moved less than what it does.
    """
    for name in reversed(table(FILE).data["classes"]["datacenter"]):
        dollars = _on(name)[1]
        if dollars is not None:
            return dollars
    raise LookupError("no price of any data-centre device is known")


def flop_of(purse: Purse, year: int) -> tuple[float | None, str | None]:
    """What a purse could train on a year's hardware (FLOP), and the device; None before one."""
    device = purse.device or device_of(purse.kind, year)
    if device is None:
        return None, None
    hours = purse.device_hours
    if hours is None:
        hours = (purse.cost or 0.0) / dollars_an_hour()
    return hours * _ONE / _on(device)[0], device


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a purse holds (FLOP) on a year's hardware, and how many times that a compute is.

    None where no device of its class was known by then.
    """

    purse: Purse
    year: int
    flop: float | None
    on: str | None
    times: float | None

    @property
    def affordable(self) -> bool | None:
        """Whether the purse holds the compute."""
        return None if self.times is None else self.times <= 1.0

    def to_dict(self) -> dict[str, object]:
        """Plain values."""
        found = {
            name: getattr(self, name) for name in ("year", "flop", "on", "affordable", "times")
        }
        return {**self.purse.to_dict(), **found}


def against(flop: float, year: int, found: Sequence[Purse]) -> list[Held]:
    """A compute against each purse, on that year's hardware."""
    made = []
    for purse in found:
        most, device = flop_of(purse, year)
        times = None if most is None else flop / most
        made.append(Held(purse=purse, year=year, flop=most, on=device, times=times))
    return made


class Year(TypedDict):
    """Who trained a year's landmark systems, as shares, and what each purse could have."""

    year: int
    n: int
    academia: float
    joint: float
    industry: float
    could_train: dict[str, float | None]


def by_year(found: Sequence[Purse]) -> list[Year]:
    """Academia's share of each year's landmark systems, and what each purse could have trained.

    ``academia`` counts systems of academia alone, ``joint`` those with industry.
    """
    everything = landmarks()
    made = []
    for year in range(FIRST_YEAR, everything[-1].date.year + 1):
        systems = [one for one in everything if one.date.year == year]
        kinds = Counter(one.kind for one in systems)
        number = len(systems)
        row: Year = {
            "year": year,
            "n": number,
            "academia": (kinds["academia"] + kinds["government"]) / number,
            "joint": kinds["academia+industry"] / number,
            "industry": kinds["industry"] / number,
            "could_train": {},
        }
        for purse in found:
            most, _ = flop_of(purse, year)
            row["could_train"][purse.id] = (
                None if most is None else sum(one.flop <= most for one in systems) / number
            )
        made.append(row)
    return made
