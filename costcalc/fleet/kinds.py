"""What jobs are costed by: one run file for all that have the same devices, place and price.

Every job goes through the formulas of an estimate, those of one kind together, as arrays; what a
kind assumes is resolved once, by the same stages.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import numpy as np

from costcalc import __version__
from costcalc.base.assumption import Assumption, Basis
from costcalc.base.numbers import Number
from costcalc.base.ranges import DRAWS, drawn, percentiles
from costcalc.base.units import to_si
from costcalc.calculator import formulas
from costcalc.calculator.calculate import cost_of
from costcalc.fleet.facts import Scope
from costcalc.report.importing.build import Recorded
from costcalc.report.importing.costed import Costing, run_file
from costcalc.resolve.names import look_up
from costcalc.runfile.loading import load
from costcalc.runfile.values import Money, money

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

KWH, HOUR = to_si(1.0, "kWh"), to_si(1.0, "h")
#: from SI to the ledger's units
UNITS: Mapping[str, float] = {
    "energy_it": KWH, "energy": KWH, "cost": 1.0, "carbon_operational": 1e3,
    "carbon_embodied": 1e3, "carbon_total": 1e3, "water": 1.0,
}  # fmt: skip
#: of a job without accelerators only the place is known: what a meter says becomes CO2e and water
PLACE = ("pue", "grid", "wue", "grid_water")
_MONEY = money("a purchase price")
#: between these mean powers, in W a device, ranges of metered rows are interpolated
_GRID = 10.0 ** (np.arange(-16, 41) / 8)
_NOT_KEPT = "abiotic_device"  # of a figure that the ledger has not


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What tells a kind apart: keys of the run file, and what its energy was metered by.

    ``hourly``: each job's grid is the mean of its hours; ``around``: it ought to be, they are not
    known, and between these (gCO2e/kWh) lie those that are.
    """

    accelerator: str | None
    devices: float
    scope: Scope | None
    hourly: bool
    changes: tuple[tuple[str, object], ...]
    around: tuple[float, float] | None = None

    def run(
        self,
        *,
        name: str = "job",
        device_hours: float = 1.0,
        metered: float = 1.0,
        grid: float = 1.0,
        wall: float | None = None,
    ) -> dict[str, object]:
        """The run file of a job of this kind; ``metered`` in kWh, ``grid`` in gCO2e/kWh."""
        changes = dict(self.changes)
        if self.hourly:
            changes["site.grid"] = f"{grid!r} gCO2e/kWh"
            changes["site.grid_resolution"] = "hourly"
        elif self.around is not None:
            changes["site.grid_resolution"] = "annual"
            ends = zip(("low", "high"), self.around, strict=True)
            changes |= {f"site.grid_{end}": f"{value!r} gCO2e/kWh" for end, value in ends}
        if self.scope == "boards":
            changes["hardware.board_power"] = f"{metered * 1000 / device_hours!r} W"
            changes["hardware.goodput"] = 1
        bought = changes.get("price.owned.purchase")
        if isinstance(bought, str):  # fleet.yaml says it of a device, a run file of all of them
            each = _MONEY.check(bought)
            assert isinstance(each, Money)
            whole = max(math.ceil(self.devices - 1e-9), 1)
            changes["price.owned.purchase"] = f"{each.amount * whole!r} {each.currency}"
        recorded = Recorded(
            key="",
            name=name,
            hours=wall,
            devices=self.devices,
            device_hours=device_hours,
            energy_it=metered if self.scope == "node" else None,
            hardware=self.accelerator or "h100-sxm5-80",
        )
        return run_file(recorded, Costing(changes=changes))


@dataclass(frozen=True, eq=False)
class Kind:
    """A kind resolved: its assumptions by the formulas' names, in SI."""

    digest: str
    run: Mapping[str, object]
    known: Mapping[str, Assumption]
    scope: Scope | None
    hourly: bool
    why: Mapping[str, str] = field(default_factory=dict)
    annual: float | None = None
    version: str = __version__

    def inputs(self, kind_known: Mapping[str, Number]) -> dict[str, Number]:
        """What the formulas take, without the figures that stand in for a job's own."""
        left = {"device_hours", "wall_clock", "energy_it"}
        return {name: value for name, value in kind_known.items() if name not in left}

    @functools.cached_property
    def values(self) -> dict[str, Number]:
        """The central value of each input."""
        return self.inputs({name: item.value for name, item in self.known.items()})

    @functools.lru_cache(maxsize=2)  # noqa: B019  # a kind lives as long as its import or report
    def draws(self, number: int = DRAWS) -> dict[str, Number]:
        """Draws of each input: what two kinds share, such as a PUE, is drawn together."""
        return self.inputs(drawn(self.known, number))

    def figures(
        self,
        inputs: Mapping[str, Number],
        hours: Number,
        metered: Number | None,
        grid: Number | None = None,
    ) -> dict[str, Number]:
        """Every figure of jobs of this kind that held ``hours`` device-seconds, in SI.

        ``metered``: joules of what ``scope`` says; ``grid``: gCO2e/J, where a series gives it.
        """
        known = {**inputs, "device_hours": hours}
        if self.scope == "node" and metered is not None:
            known["energy_it"] = metered
        elif self.scope == "boards" and metered is not None:
            known["mean_power"] = metered / hours
        if grid is not None:
            known["grid"] = grid
        found = formulas.run(known)
        return {name: found[name] for name in UNITS if name in found}

    @functools.lru_cache(maxsize=2)  # noqa: B019
    def per_unit(self, number: int) -> dict[str, tuple[Number, Number]]:
        """Each figure of a device-second, and of a metered joule more, in SI; 0 draws: values."""
        inputs = self.draws(number) if number else self.values
        base = self.figures(inputs, 1.0, 0.0 if self.scope else None)
        if self.scope is None:
            return {name: (value, 0.0) for name, value in base.items()}
        more = self.figures(inputs, 1.0, 1.0)
        return {name: (value, more[name] - value) for name, value in base.items()}

    def ranges(self, hours: Array, metered: Array | None) -> dict[str, tuple[Array, Array]]:
        """The low and high end of each figure of many jobs, in SI.

        A figure is its device-seconds times a function of the mean power alone; between points of
        power that function, all but straight, is interpolated.
        """
        if self.scope is None or metered is None:
            return {n: (hours * low, hours * high) for n, (low, high) in self._at(None).items()}
        power = metered / hours
        steps = np.clip((np.log10(np.maximum(power, 1e-9)) + 2) * 8, 0, len(_GRID) - 1.001)
        below = steps.astype(int)
        made: dict[str, tuple[Array, Array]] = {}
        needed = sorted({*below.tolist(), *(below + 1).tolist()})
        points = _GRID[needed]
        table = [self._at(float(point)) for point in points]
        for name in table[0]:
            low, high = (
                hours * np.interp(power, points, [row[name][end] for row in table])
                for end in (0, 1)
            )
            made[name] = low, high
        return made

    @functools.lru_cache(maxsize=64)  # noqa: B019
    def _at(self, power: float | None) -> dict[str, tuple[float, float]]:
        """The range of each figure of a device-second at a mean metered power."""
        centre = self.figures(self.values, 1.0, power)
        made = self.figures(self.draws(), 1.0, power)
        return {name: percentiles(made[name], float(value)) for name, value in centre.items()}

    def utilization(self, mean: Array) -> Array | None:
        """What share of the way from idle to training a board's mean power (W) is."""
        idle, train = self.known.get("idle_power"), self.known.get("board_power")
        if idle is None or train is None or train.basis == "given":
            return None
        return np.clip((mean - idle.value) / (train.value - idle.value), 0.0, 1.0)

    def board_watts(self, hours: Array, metered: Array) -> Array | None:
        """The mean power of a board (W), the host's share taken off where a meter had it too.

        A host that leaves less than boards draw when idle draws less than is modelled of it.
        """
        if self.scope == "boards":
            return metered / hours
        known = self.values
        if not {"host_power", "idle_power", "billed", "network_share"} <= known.keys():
            return None
        rest = known["host_power"] * known["billed"] + known["idle_power"] * (known["billed"] - 1)
        left = metered / hours / (1 + known["network_share"]) - rest
        return np.maximum(left, np.minimum(known["idle_power"], metered / hours))

    def text(self) -> str:
        """The assumptions, as the ledger keeps them."""
        return json.dumps({name: _plain(item) for name, item in self.known.items()})


def resolve(asked: Asked) -> Kind:
    """The kind that is asked for.

    Raises:
        InputError: no device, place or price of such a name.
    """
    run = asked.run()
    known, why = _known(run)
    annual = None
    if asked.hourly:
        yearly = Asked(
            accelerator=asked.accelerator,
            devices=asked.devices,
            scope=asked.scope,
            hourly=False,
            changes=asked.changes,
        )
        other, _ = _known(yearly.run())
        annual = other["grid"].value if "grid" in other else None
    if asked.accelerator is None:
        known = {name: item for name, item in known.items() if name in PLACE}
        why = {"cost": "no accelerator: what processors cost is not known", **why}
    elif asked.scope == "boards":
        plain, _ = _known({**run, "hardware": _unmetered(run["hardware"])})
        known = {**known, "board_power": plain["board_power"]} if "board_power" in plain else known
    text = json.dumps([run, asked.scope, asked.hourly, __version__], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Kind(digest, run, known, asked.scope, asked.hourly, why, annual)


def _unmetered(hardware: object) -> dict[str, object]:
    held = cast("Mapping[str, object]", hardware)
    return {k: v for k, v in held.items() if k not in ("board_power", "goodput")}


def _known(run: Mapping[str, object]) -> tuple[dict[str, Assumption], Mapping[str, str]]:
    request = load(dict(run), look_up)
    made = cost_of(request.parts[0], request, 0)
    why = {name: reason for name, reason in made.why.items() if name != _NOT_KEPT}
    return dict(made.known), why


def restored(digest: str, run: str, known: str, scope: str | None, version: str) -> Kind:
    """A kind as a ledger kept it."""
    held = {name: _assumption(item) for name, item in json.loads(known).items()}
    return Kind(
        digest, json.loads(run), held, cast("Scope | None", scope), False, {}, None, version
    )


def _plain(item: Assumption) -> list[object]:
    return [item.key, item.value, item.low, item.high, item.unit, item.basis, item.source]


def _assumption(item: list[object]) -> Assumption:
    key, value, low, high, unit, basis, source = item
    return Assumption(
        key=str(key),
        value=float(cast("float", value)),
        low=float(cast("float", low)),
        high=float(cast("float", high)),
        unit=str(unit),
        basis=cast("Basis", basis),
        source=str(source),
    )
