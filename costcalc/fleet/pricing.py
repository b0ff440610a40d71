"""From what sources tell of jobs to rows of the ledger: what each used, and what that came to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.errors import CostcalcError
from costcalc.base.units import to_si
from costcalc.decide.clock import zone
from costcalc.fleet.believing import Meters
from costcalc.fleet.cluster import Cluster
from costcalc.fleet.facts import MORE_THAN, Facts
from costcalc.fleet.holding import Held, Holdings
from costcalc.fleet.kinds import HOUR, KWH, UNITS, Asked, Kind, resolve
from costcalc.fleet.period import month_of
from costcalc.fleet.series import Hourly, hourly

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

GRID = to_si(1.0, "gCO2e/kWh")
_NO_FIGURES: Mapping[str, None] = dict.fromkeys(
    f"{name}{part}" for name in UNITS for part in ("", "_low", "_high")
)
Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Priced:
    """Rows of the ledger, and the kinds that they were costed by."""

    rows: list[Row]
    kinds: Mapping[str, Kind]


class Pricing:
    """The costs of a cluster's jobs; what one kind assumes is resolved once."""

    def __init__(self, cluster: Cluster) -> None:
        self.fleet, self.cluster = cluster.fleet, cluster
        self.holdings = Holdings(cluster)
        self._meters = Meters(self.fleet, self.holdings, self.host)
        self._zone = zone(self.fleet.timezone)
        self._kinds: dict[Asked, Kind | str] = {}
        self._changes: dict[tuple[str | None, str | None, str], tuple[tuple[str, object], ...]] = {}
        self.series: Hourly | None = None
        self.around: tuple[float, float] | None = None  # between what its hours lie, gCO2e/kWh
        if self.fleet.grid.hourly:
            path = self._path(self.fleet.grid.hourly)
            self.series = hourly(path, self.fleet.grid.timezone, self.fleet.timezone)
            self.around = self.series.around

    @property
    def notes(self) -> list[str]:
        """What was taken of files and names that say too little: fleet.yaml's, the scheduler's."""
        told = self.series.notes if self.series is not None else ()
        hourly = [f"grid.hourly ({self.fleet.grid.hourly}): {note}" for note in told]
        return [*hourly, *self.holdings.notes]

    def rows(self, facts: Sequence[Facts]) -> Priced:
        """The rows of attempts; what cannot be costed has no figures, and says why."""
        held = [self.holdings.held(one) for one in facts]
        facts = [self._meters.believed(one, own) for one, own in zip(facts, held, strict=True)]
        grids, seen = self._grids(facts)
        rows: list[Row] = []
        of_kind: dict[Asked, list[int]] = {}
        for place, (one, own, grid) in enumerate(zip(facts, held, grids, strict=True)):
            row = self._row(one, own)
            row["hourly"] = None if self.series is None else float(seen[place])
            rows.append(row)
            if own.devices is None or (own.devices and own.accelerator is None):
                continue
            if not one.seconds:
                continue
            scope = one.scope if one.joules is not None else None
            if own.devices == 0 and scope != "node":
                lacks = "its energy" if row["cost"] is not None else "neither its power nor price"
                known = "is not known" if row["cost"] is not None else "is known"
                no_meter = one.why if one.faulty else "no meter"
                row["why"] = f"no accelerator, and {no_meter}: {lacks} {known}"
                continue
            asked = Asked(
                accelerator=own.accelerator,
                devices=own.devices or 1.0,
                scope=scope,
                hourly=bool(np.isfinite(grid)),
                around=None if np.isfinite(grid) else self.around,
                changes=self.changes(one, str(row["month"])),
            )
            of_kind.setdefault(asked, []).append(place)
        used: dict[str, Kind] = {}
        for asked, places in of_kind.items():
            kind = self.kind(asked)
            if isinstance(kind, str):
                for place in places:
                    rows[place]["why"] = kind
                continue
            used[kind.digest] = kind
            self._cost(kind, [rows[p] for p in places], [facts[p] for p in places], grids[places])
        for row in rows:
            row["digest"] = _digest(row)
        return Priced(rows, used)

    def host(self, one: Facts, own: Held) -> float:
        """The least W that a device's share of its host draws; 0 where that is not known."""
        moment = one.end if one.end is not None else one.start
        if not own.devices or own.accelerator is None or moment is None:
            return 0.0
        asked = Asked(
            accelerator=own.accelerator,
            devices=own.devices,
            scope="node",
            hourly=False,
            changes=self.changes(one, self.month(moment)),
        )
        kind = self.kind(asked)
        host = None if isinstance(kind, str) else kind.known.get("host_power")
        return host.low if host is not None else 0.0

    def kind(self, asked: Asked) -> Kind | str:
        """The kind, or why there is none."""
        if asked not in self._kinds:
            try:
                self._kinds[asked] = resolve(asked)
            except CostcalcError as error:
                self._kinds[asked] = str(error).splitlines()[0]
        return self._kinds[asked]

    def month(self, second: float) -> str:
        """The month that a moment is in, where the cluster is."""
        return month_of(second, self._zone)

    def changes(self, facts: Facts, month: str) -> tuple[tuple[str, object], ...]:
        """The keys of a run file that the cluster says of a job."""
        key = (facts.partition, facts.account, month)
        if key not in self._changes:
            self._changes[key] = tuple(sorted(self._said(facts, month).items()))
        return self._changes[key]

    def _said(self, facts: Facts, month: str) -> dict[str, object]:
        raw = self.cluster.raw
        partition = self._section(("partitions", facts.partition or ""))
        account = self._section(("accounts", facts.account or ""))
        price = account.get("price") or partition.get("price") or raw.get("price") or {}
        said = {
            **_flat("hardware", partition.get("hardware") or {}),
            **_flat("site", raw.get("site") or {}),
            **_flat("embodied", raw.get("embodied") or {}),
            **_flat("price", price),
        }
        if partition.get("per_node") and "hardware.instance" not in said:
            said["hardware.per_node"] = partition["per_node"]
        if month in self.fleet.pue:
            said["site.pue"] = self.fleet.pue[month]
        if self.fleet.rate is not None:
            said["price.rate"] = str((raw or {}).get("rate"))
            said["price.currency"] = self.fleet.currency
        if self.fleet.profiles:
            said["profiles"] = str(self._path(self.fleet.profiles).resolve())
        return said

    def _section(self, path: tuple[str, str]) -> Mapping[str, object]:
        of = self.cluster.raw.get(path[0])
        if not isinstance(of, Mapping):
            return {}
        names = path[1].split(",")
        found = next((of[name] for name in names if name in of), None)
        if found is None and path[0] == "partitions":
            found = of.get("default")
        return found if isinstance(found, Mapping) else {}

    def _path(self, name: str) -> Path:
        return (self.cluster.folder or Path()) / name

    def _grids(self, facts: Sequence[Facts]) -> tuple[Array, Array]:
        """The grid's intensity over each job, gCO2e/kWh, and of what share of it a series tells.

        NaN where no series says it, or of too little of the job.
        """
        if self.series is None:
            return np.full(len(facts), np.nan), np.zeros(len(facts))
        start = np.array([one.start if one.start is not None else np.nan for one in facts])
        end = np.array([one.end if one.end is not None else np.nan for one in facts])
        return self.series.means(start, end), np.nan_to_num(self.series.seen(start, end))

    def _row(self, one: Facts, own: Held) -> Row:
        """What is known of an attempt before it is costed."""
        end = one.end if one.end is not None else one.start
        counted = one.devices is None and own.devices is not None  # fleet.yaml tells what one lacks
        users, names = self.fleet.privacy.users, self.fleet.privacy.names
        hours = None if own.devices is None else own.devices * one.seconds / HOUR
        said = one.why if one.faulty or not counted else None
        row: Row = {
            "cluster": one.cluster, "job": one.job, "attempt": one.attempt, "source": one.source,
            "owner": one.owner,
            "raw": one.raw or None, "name": one.name if names == "keep" else None,
            "user": one.user if users != "drop" else None, "account": one.account,
            "partition": one.partition, "model": one.model, "state": one.state,
            "month": self.month(end) if end is not None else "unknown", "submit": one.submit,
            "start": one.start, "end": one.end, "seconds": one.seconds, "devices": own.devices,
            "device": own.accelerator, "kinds": ",".join(one.kinds) or None,
            "counted": one.devices, "shards": one.shards,
            "nodes": one.nodes, "node_list": one.node_list, "cpus": one.cpus,
            "device_hours": hours, "kind": None,
            "scope": one.scope if one.joules is not None else None,
            "meter": one.meter if one.joules is not None else None,
            "metered": None if one.joules is None else one.joules / KWH,
            "utilization": None, "mean_power": None, "pue": None, "grid": None,
            "carbon_annual": None, "carbon_market": None, "hourly": None, "part": one.part,
            "steps": one.steps, "clock": one.clock,
            "why": _joined(_joined(own.why or said or "", one.why if one.had else ""),
                           self._crowded(one, own)) or None,
        }  # fmt: skip
        row |= _NO_FIGURES
        if own.devices == 0:
            row |= self._of_processors(one)
        return row

    def _crowded(self, one: Facts, own: Held) -> str:
        """How an attempt held more than its nodes have by fleet.yaml, of which one is wrong."""
        partition, nodes = self.fleet.partition(one.partition), one.nodes
        name = f"partitions.{one.partition or 'default'}"
        if (
            partition.per_node
            and nodes
            and (own.devices or 0.0) > partition.per_node * nodes + 1e-6
        ):
            return f"more devices {MORE_THAN} ({name}.per_node)"
        if partition.cpus and nodes and (one.cpus or 0.0) > partition.cpus * nodes:
            return f"more processors {MORE_THAN} ({name}.cpus)"
        return ""

    def _of_processors(self, one: Facts) -> Row:
        """What the processor-hours of a job without devices cost, where their price is known."""
        account = self.fleet.accounts.get(one.account or "")
        each = (account and account.cpu_hour) or self.fleet.partition(one.partition).cpu_hour
        if each is None or one.cpus is None:
            return {}
        cost = one.cpus * one.seconds / HOUR * each.amount
        return {"cost": cost, "cost_low": cost, "cost_high": cost}

    def _cost(self, kind: Kind, rows: list[Row], facts: list[Facts], grids: Array) -> None:
        """The figures of jobs of one kind, laid into their rows."""
        seconds = np.array([one.seconds for one in facts])
        devices = np.array([float(str(row["devices"])) for row in rows])
        hours = np.where(devices > 0, devices, 1.0) * seconds
        metered = np.array([one.joules or 0.0 for one in facts]) if kind.scope else None
        grid = grids * GRID if kind.hourly else None
        made = kind.figures(kind.values, hours, metered, grid)
        ends = kind.ranges(hours, metered)
        scaled = 1.0 if grid is None else grid / GRID
        columns: dict[str, Array] = {}
        for name, value in made.items():
            whole = np.broadcast_to(np.asarray(value, dtype=np.float64), hours.shape)
            low, high = ends[name]
            if grid is not None and name == "carbon_operational":
                low, high = low * scaled, high * scaled
            if grid is not None and name == "carbon_total":
                low, high = self._total(ends, scaled)
            columns[name] = whole / UNITS[name]
            columns[f"{name}_low"] = np.minimum(low, whole) / UNITS[name]
            columns[f"{name}_high"] = np.maximum(high, whole) / UNITS[name]
        columns |= self._beside(kind, made, hours, metered, grids)
        shared = np.array([one.part is not None and one.part < 1 for one in facts])
        for name in ("mean_power", "utilization"):  # others' boards are in the node's meter too
            if name in columns:
                columns[name] = np.where(shared, np.nan, columns[name])
        listed = {name: np.broadcast_to(v, hours.shape).tolist() for name, v in columns.items()}
        lacks = "; ".join(f"{name}: {why}" for name, why in kind.why.items()) or None
        priced = "; ".join(f"{n}: {w}" for n, w in kind.why.items() if n != "cost") or None
        for place, row in enumerate(rows):
            for name, values in listed.items():
                value = values[place]
                row[name] = value if value == value else None  # noqa: PLR0124  # NaN is unknown
            row["kind"] = kind.digest
            row["why"] = row["why"] or (lacks if row["cost"] is None else priced)

    @staticmethod
    def _total(ends: Mapping[str, tuple[Array, Array]], scaled: object) -> tuple[Array, Array]:
        """The range of the sum where the grid is the hour's: its parts' ends, which is wider."""
        used, made = ends["carbon_operational"], ends["carbon_embodied"]
        return used[0] * scaled + made[0], used[1] * scaled + made[1]  # type: ignore[operator]

    def _beside(
        self,
        kind: Kind,
        made: Mapping[str, object],
        hours: Array,
        metered: Array | None,
        grids: Array,
    ) -> dict[str, Array]:
        """What stands beside the figures: power, utilization, factors, other accountings."""
        found: dict[str, Array] = {}
        known = kind.values
        energy = np.asarray(made["energy"], dtype=np.float64) if "energy" in made else None
        if "pue" in known:
            found["pue"] = np.asarray(known["pue"])
        if "grid" in known:
            found["grid"] = grids if kind.hourly else np.asarray(known["grid"] / GRID)
        if energy is not None:
            annual = kind.annual if kind.hourly else known.get("grid")
            if annual is not None:
                found["carbon_annual"] = energy * annual / UNITS["carbon_operational"]
            if self.fleet.grid.market is not None:
                market = energy * self.fleet.grid.market
                found["carbon_market"] = market / UNITS["carbon_operational"]
        if metered is not None and "billed" in known:
            mean = kind.board_watts(hours, metered)
            if mean is not None:
                found["mean_power"] = mean
                share = kind.utilization(mean)
                if share is not None:
                    found["utilization"] = share
        return found


def _flat(section: str, said: object) -> dict[str, object]:
    """The dotted keys of a section."""
    made: dict[str, object] = {}
    for name, value in said.items() if isinstance(said, Mapping) else ():
        path = f"{section}.{name}"
        made |= _flat(path, value) if isinstance(value, Mapping) else {path: value}
    return made


#: what a row says; its figures follow from these
_TOLD = (
    "name", "user", "account", "partition", "model", "state", "month", "submit", "start", "end",
    "seconds", "devices", "device", "kinds", "shards", "nodes", "node_list", "cpus", "kind",
    "scope", "meter", "metered", "grid", "hourly", "why",
)  # fmt: skip


def _digest(row: Row) -> str:
    """What tells whether a row says the same as the one before it."""
    told = [_rounded(row[name]) for name in _TOLD]
    if row["owner"] is not None:
        told.append(_rounded(row["owner"]))
    if row["devices"] == 0 and row["cost"] is not None:  # no kind says its price
        told.append(_rounded(row["cost"]))
    text = repr(told)
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=16).hexdigest()


def _rounded(value: object) -> object:
    """A number without the last digits, which change as units do and back."""
    return f"{value:.10g}" if isinstance(value, float) else value


def _joined(said: str, more: str) -> str:
    """A reason, and another that it may have in it already.

    >>> _joined("a; b", "b"), _joined("", "b"), _joined("a", "b"), _joined("a", "")
    ('a; b', 'b', 'a; b', 'a')
    """
    return said if more in said else "; ".join(part for part in (said, more) if part)
