"""``fleet.yaml``: what the cluster is, said once.

Prices, place and hardware are sections of a run file, so that a job of the ledger is costed by what
an estimate is costed by.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError

from costcalc.base.document import Document
from costcalc.base.errors import InputError, Problem, nearest
from costcalc.base.faults import translated
from costcalc.base.reading import read_file
from costcalc.base.spellings import CURRENCIES
from costcalc.decide.clock import zone
from costcalc.runfile.schema import Embodied, Hardware, Price, Site
from costcalc.runfile.section import Count, DeviceHours, Section, key
from costcalc.runfile.values import ExchangeRate, Money, choice, money, quantity, text, within

NAME = "fleet.yaml"
PERIODS = ("month", "quarter", "year")
#: who pays for what idle nodes draw: nobody (a line of its own), or all accounts by device-hours
NOBODY, SHARED = "nobody", "shared"
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")

Named = Annotated[str, text("a name")]


class Partition(Section):
    """``partitions``: what the nodes of one are, and what an hour of them costs."""

    accelerator: Named | None = key("the device: costcalc hardware list")
    per_node: Count | None = key("devices in a node")
    nodes: Count | None = key("how many nodes, for what idles")
    nodes_of: Named | None = key(
        "the partition whose nodes its jobs run on, where both have the same: what idles is that's"
    )
    plugin: Annotated[str, choice("shared", "exclusive", "boards")] = Field(
        "shared",
        description="what Slurm's energy plugin counts of a job: its nodes, which it shares with "
        "others (it has its devices' part), or has to itself (exclusive); or its boards alone",
    )
    cpus: Count | None = key("processors in a node, as the scheduler counts them")
    threads: Count = Field(
        2,
        description="processors that the scheduler counts of a core, which it gives whole: 1 "
        "without hyper-threading; for what a request can cost at most",
    )
    cpu_hour: Annotated[Money, money("an amount of money")] | None = key(
        "what a processor-hour costs, of jobs without devices"
    )
    shards: Count | None = key("shards that a device is cut into (gres/shard of gres.conf)")
    hardware: Hardware | None = key("what else a run file says of hardware: host, host_power, …")
    price: Price | None = key("what an hour costs, where it is not the cluster's price")


class Account(Section):
    """``accounts``: what is particular to one."""

    price: Price | None = key("what an hour costs for this account")
    cpu_hour: Annotated[Money, money("an amount of money")] | None = key(
        "what a processor-hour costs for this account, of jobs without devices"
    )


class Budget(Section):
    """``budgets``: what an account may use in a period."""

    account: Named | None = key("whose; left out: all of them")
    period: Annotated[str, choice(*PERIODS)] = Field("month", description="of how long")
    cost: Annotated[Money, money("an amount of money")] | None = key("money")
    energy: Annotated[float, quantity("J")] | None = key("energy of the facility")
    carbon: Annotated[float, quantity("gCO2e", zero=True)] | None = key("CO2e, made and used")
    device_hours: DeviceHours | None = key("device-hours")


class Idle(Section):
    """``idle``: what nodes draw that no job has, and who pays."""

    node_power: Annotated[float, quantity("W")] | None = key(
        "what a whole idle node draws; left out: by the profiles of its boards and its host"
    )
    pays: Named = Field(NOBODY, description=f"{NOBODY}, {SHARED} (by device-hours), or an account")


class Grid(Section):
    """``grid``: figures of the electricity beside the year's mean."""

    hourly: Named | None = key("a file with the grid's intensity by the hour, as of costcalc when")
    timezone: Named | None = key("of the times in it that have none")
    market: Annotated[float, quantity("gCO2e/J", zero=True)] | None = key(
        "market-based, by contracts; stands apart and is in no total"
    )


class Privacy(Section):
    """``privacy``: what of names the ledger keeps."""

    users: Annotated[str, choice("keep", "hash", "drop")] = Field(
        "keep", description="names of users: keep, hash (a number instead), drop"
    )
    names: Annotated[str, choice("keep", "drop")] = Field("keep", description="names of jobs")


class Access(Section):
    """``access``: who sees what on the pages of ``costcalc serve --ledger``."""

    sees: Annotated[str, choice("all", "own")] = Field(
        "all", description="what a user sees whom the proxy names: all, or own accounts"
    )
    managers: list[Named] = Field(default_factory=list, description="users who see all nonetheless")
    accounts: dict[str, list[Named]] = Field(
        default_factory=dict,
        description="whose accounts are whose; left out: those in which their jobs ran",
    )


class Fleet(Section):
    """A cluster.

    >>> Fleet.model_validate({"partitions": {"gpu": {"accelerator": "h100"}}}).idle.pays
    'nobody'
    """

    name: Named | None = key("the cluster's name, for titles")
    ledger: Named | None = key("where the ledger is: sqlite:///fleet.db, postgresql://host/name")
    timezone: Named = Field("UTC", description="of the times that a scheduler prints without one")
    currency: Annotated[str, choice("USD", *CURRENCIES)] = Field(
        "USD", description="of all money in the ledger"
    )
    rate: ExchangeRate | None = key("exchange rate: 1.08 USD/EUR")
    site: Site | None = key("where the cluster is, as in a run file")
    pue: dict[str, Annotated[float, within("a power usage effectiveness", 1, 5)]] = Field(
        default_factory=dict, description="by month, {2026-07: 1.35}, where it is not site.pue"
    )
    grid: Grid = Field(
        default_factory=lambda: Grid.model_validate({}), description="by the hour, and market-based"
    )
    price: Price | None = key("what an hour costs, or what was bought (owned), as in a run file")
    embodied: Embodied | None = key("what it took to make the hardware, as in a run file")
    profiles: Named | None = key("a folder with profiles of your own")
    partitions: dict[str, Partition] = Field(default_factory=dict, description="by their names")
    nodes: dict[str, Named] = Field(
        default_factory=dict, description='devices by nodes, {"gpu[01-16]": h100-sxm5-80}'
    )
    devices: dict[str, Named] = Field(
        default_factory=dict, description="what the scheduler calls them, and their profiles"
    )
    accounts: dict[str, Account] = Field(default_factory=dict, description="by their names")
    budgets: list[Budget] = Field(default_factory=list, description="what accounts may use")
    idle: Idle = Field(
        default_factory=lambda: Idle.model_validate({}),
        description="what nodes draw that no job has",
    )
    privacy: Privacy = Field(
        default_factory=lambda: Privacy.model_validate({}), description="which names are kept"
    )
    access: Access = Field(
        default_factory=lambda: Access.model_validate({}), description="who sees what on the pages"
    )

    def partition(self, said: str | None) -> Partition:
        """The partition of a job: of several that a scheduler names the first that stands here."""
        return self.partitions.get(self.meant(said), Partition.model_validate({}))

    def meant(self, said: str | None) -> str:
        """The name under which the partition of a job stands here; ``default``: under none.

        >>> made = Fleet.model_validate({"partitions": {"gpu": {}}})
        >>> made.meant("gpu,low"), made.meant("gpus"), made.meant(None)
        ('gpu', 'default', 'default')
        """
        return next((one for one in (said or "").split(",") if one in self.partitions), "default")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A fleet.yaml as read: its record, its text by sections, and the folder it stands in."""

    fleet: Fleet
    raw: Mapping[str, object]
    folder: Path | None


def schema() -> dict[str, object]:
    """The JSON Schema of fleet.yaml.

    >>> schema()["title"]
    'costcalc fleet'
    """
    made = Fleet.model_json_schema()
    made["title"] = "costcalc fleet"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made}


def meant(config: Path | None) -> Path | None:
    """The fleet.yaml that is given, else the one in this folder, if there is one."""
    return config or (Path(NAME) if Path(NAME).exists() else None)


def load(path: Path | None) -> Cluster:
    """The cluster that a file describes; without one, nothing is known of it.

    Raises:
        InputError: every fault of it, at its line.
    """
    if path is None:
        return checked(Document({}, NAME))
    document = read_file(path)
    return checked(document, path.parent)


def checked(document: Document, folder: Path | None = None) -> Cluster:
    """The cluster that a document describes.

    Raises:
        InputError: every fault of it, at its line.
    """
    if document.data is not None and not isinstance(document.data, dict):
        raise InputError(document.problem((), "expected a mapping with keys such as partitions"))
    raw = document.data or {}
    try:
        fleet = Fleet.model_validate(raw)
    except ValidationError as error:
        found = error.errors(include_url=False)
        told = [translated(f, document, Fleet)[0] for f in found]
        raise InputError(sorted(told, key=lambda p: (p.line or 0, p.column or 0))) from None
    problems = _faults(fleet, document)
    if problems:
        raise InputError(problems)
    return Cluster(fleet=fleet, raw=raw, folder=folder)


def _faults(fleet: Fleet, document: Document) -> list[Problem]:
    """What single values cannot tell: zones, months, currencies, who pays."""
    found: list[Problem] = []
    for path, name in (("timezone",), fleet.timezone), (("grid", "timezone"), fleet.grid.timezone):
        try:
            zone(name or "UTC")
        except InputError as error:
            found.append(document.problem(path, error.problems[0].message))
    found += [
        document.problem(("pue", month), f'expected a month such as 2026-07; got "{month}"')
        for month in fleet.pue
        if not _MONTH.fullmatch(month)
    ]
    found += [*_payer(fleet, document), *_nodes_of(fleet, document)]
    if fleet.currency != "USD" and (fleet.rate is None or fleet.rate.currency != fleet.currency):
        message = f"{fleet.currency} needs rate: such as 1.08 USD/{fleet.currency}"
        found.append(document.problem(("currency",), message))
    prices = {("partitions", n): one.cpu_hour for n, one in fleet.partitions.items()}
    prices |= {("accounts", n): one.cpu_hour for n, one in fleet.accounts.items()}
    for at, hour in prices.items():
        if hour is not None and hour.currency != fleet.currency:
            message = f"expected {fleet.currency}, the ledger's currency; got {hour.currency}"
            found.append(document.problem((*at, "cpu_hour"), message))
    seen: set[tuple[str | None, str, str]] = set()
    for number, budget in enumerate(fleet.budgets):
        path_ = ("budgets", number)
        if budget.cost is not None and budget.cost.currency != fleet.currency:
            message = (
                f"expected {fleet.currency}, the ledger's currency; got {budget.cost.currency}"
            )
            found.append(document.problem((*path_, "cost"), message))
        said = {n for n in ("cost", "energy", "carbon", "device_hours") if getattr(budget, n)}
        keys = {(budget.account, budget.period, name) for name in said}
        if seen & keys:
            found.append(document.problem(path_, "stands twice: the same account, period and unit"))
        seen |= keys
        if all(v is None for v in (budget.cost, budget.energy, budget.carbon, budget.device_hours)):
            message = "expected one of cost, energy, carbon, device_hours"
            found.append(document.problem(path_, message))
    return found


def _nodes_of(fleet: Fleet, document: Document) -> list[Problem]:
    """Whose nodes a partition's are: another's, which has some of its own."""
    found = []
    for name, one in fleet.partitions.items():
        path, other = ("partitions", name, "nodes_of"), fleet.partitions.get(one.nodes_of or "")
        if one.nodes_of is None:
            continue
        if other is None or one.nodes_of == name:
            near = nearest(one.nodes_of, set(fleet.partitions) - {name}, at_most=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            message = f'expected another partition that stands here; got "{one.nodes_of}"{hint}'
            found.append(document.problem(path, message))
        elif other.nodes_of is not None:
            message = f"{one.nodes_of} has its nodes of {other.nodes_of}: say that one here"
            found.append(document.problem(path, message))
        elif one.nodes is not None:
            message = f"its nodes are those of {one.nodes_of}, and nodes says how many: leave one"
            found.append(document.problem(path, message))
    return found


def _payer(fleet: Fleet, document: Document) -> list[Problem]:
    """A word that is all but one of those that say who pays is no account."""
    pays = fleet.idle.pays
    near = nearest(pays, (NOBODY, SHARED), at_most=1)
    if not near or pays in (NOBODY, SHARED, *fleet.accounts):
        return []
    message = f'expected {NOBODY}, {SHARED}, or an account; got "{pays}"; did you mean {near[0]}?'
    return [document.problem(("idle", "pays"), message)]
