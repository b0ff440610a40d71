"""The parts that a job's energy is made of: what meters saw, and what stands in for the rest.

A model is not a meter: what CodeCarbon's models say of a host gives way to the profile of the node,
with its range.  RAPL sees processors and memory; the rest of the node is what the profile has
beyond that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from costcalc.base.assumption import Assumption
from costcalc.base.errors import CostcalcError
from costcalc.base.units import unit
from costcalc.calculator.result import Estimate
from costcalc.catalog import accelerator as accelerators
from costcalc.report.metered import NO_METER
from costcalc.tracking.merge import Totals, named
from costcalc.tracking.records import COMPONENTS, Basis

_KWH = unit("kWh").factor
_HOST = ("cpu", "memory")
_ENOUGH = 0.05  # of the time metered, from which its mean power is taken for the rest
# Of an unknown device: what trains draws half of its rating or more in the mean, so that no more
# than twice the mean is possible; and it may have been switched off.
_UNKNOWN = (0.0, 2.0)
# CodeCarbon's models of a host were up to 40 % off what was measured beside them (R. Fischer,
# Ground-Truthing AI Energy Consumption, 2025, https://arxiv.org/abs/2509.22092): the truth lies
# between the model by 1.4 and by 0.6.
_MODEL = (1 / 1.4, 1 / 0.6)
_MEAN = "time × the mean power that was metered (costcalc)"


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyPart:
    """Energy of one component (kWh), and the meter that saw it; None: the profile's power.

    What was metered and is not ``counted`` stands beside the figure and is no part of it.
    """

    component: str
    energy: float
    basis: Basis = "modelled"
    meter: str | None = None
    counted: bool = True
    low: float | None = None
    high: float | None = None
    of: str = NO_METER

    @property
    def least(self) -> float:
        """The low end."""
        return self.energy if self.low is None else self.low

    @property
    def most(self) -> float:
        """The high end."""
        return self.energy if self.high is None else self.high

    def to_dict(self) -> dict[str, object]:
        """As the report lists it."""
        return {
            "component": self.component,
            "energy": self.energy,
            **({} if self.low is None else {"low": self.low, "high": self.high}),
            "unit": "kWh",
            "basis": self.basis,
            "meter": self.meter or self.of,
            **({} if self.counted else {"counted": False}),
        }


def metered(totals: Totals) -> list[EnergyPart]:
    """What was metered, by component and meter."""
    found: dict[tuple[str, Basis, str], list[float]] = {}
    for item in sorted(totals.energy.values(), key=lambda e: COMPONENTS.index(e.component)):
        sums = found.setdefault((item.component, item.basis, item.meter), [0.0, 0.0])
        sums[0] += item.joules / _KWH
        sums[1] += (item.joules - item.doubt) / _KWH
    return [
        EnergyPart(
            component=name,
            energy=kwh,
            basis=basis,
            meter=meter,
            low=_least(basis, kwh, sure),
            high=kwh * _MODEL[1] if basis != "measured" else kwh if sure < kwh else None,
        )
        for (name, basis, meter), (kwh, sure) in found.items()
    ]


def _least(basis: Basis, kwh: float, sure: float) -> float | None:
    """The low end of what was metered: without what may be another job's."""
    if basis != "measured":
        return kwh * _MODEL[0]
    return sure if sure < kwh else None


def completed(parts: Sequence[EnergyPart], totals: Totals, made: Estimate) -> list[EnergyPart]:
    """The parts of a job whose devices were metered, and what no meter saw, with its range."""
    found = [part for part in parts if part.component == "device"]
    found += unseen(totals, made)
    return _with_network([*found, *_hosts(parts, totals, made)], made)


def on_processors(
    parts: Sequence[EnergyPart], totals: Totals, made: Estimate
) -> list[EnergyPart] | None:
    """The parts of a job that trains on processors, which RAPL counts, and the rest of its host.

    None where the job's devices are none, or no counter saw them.
    """
    if not _is_cpu(made) or not any(p.component == "cpu" and p.basis == "measured" for p in parts):
        return None
    counted = [p for p in parts if p.component == "cpu" and p.basis == "measured"]
    beside = [part for part in parts if part not in counted]
    devices = [replace(part, component="device") for part in counted]
    return _with_network([*devices, *_hosts(beside, totals, made)], made)


def _is_cpu(made: Estimate) -> bool:
    try:
        name = str((made.details.get("hardware") or {}).get("id", ""))
        return accelerators.find(name, ()).kind == "cpu"
    except CostcalcError:
        return False


def _with_network(found: list[EnergyPart], made: Estimate) -> list[EnergyPart]:
    share = made.values.get("network_share", 0.0)
    if share:
        beside = [p for p in found if p.counted]
        low, high = (sum(getattr(p, end) for p in beside) * share for end in ("least", "most"))
        energy = sum(p.energy for p in beside) * share
        found.append(EnergyPart(component="network", energy=energy, low=low, high=high))
    return found


def summed(parts: Sequence[EnergyPart]) -> tuple[float, float, float] | None:
    """Joules of what counts, and their low and high end; None where there is nothing."""
    counted = [part for part in parts if part.counted]
    energy, low, high = (
        sum(getattr(part, end) for part in counted) * _KWH for end in ("energy", "least", "most")
    )
    return (energy, low, high) if counted else None


def unseen(totals: Totals, made: Estimate | None) -> list[EnergyPart]:
    """Devices while no meter saw them: at the mean power of the rest, else at the profile's.

    Between the power of an idle device and the most that its board may draw; where no profile says
    these (``made`` is None) between nothing and twice the mean.
    """
    seconds, held = totals.unseen, totals.device_seconds(0.0)
    if seconds <= 1e-3 * held:  # the ranks of a launch begin one after the other
        return []
    watts, how = totals.device_watts, _MEAN
    if made is not None and (watts is None or seconds > (1 - _ENOUGH) * held):
        watts, how = made.values.get("mean_power", 0.0), NO_METER
    if watts is None:
        return []
    if made is None:
        low, high = (watts * share for share in _UNKNOWN)
    else:
        low = min(_bounds(made, "hardware.idle_power", watts)[0], watts)
        high = max(_rating(totals), _bounds(made, "hardware.board_power", watts)[1], watts)
    energy, low, high = (seconds * each / _KWH for each in (watts, low, high))
    return [EnergyPart(component="device", energy=energy, low=low, high=high, of=how)]


def _rating(totals: Totals) -> float:
    """The most that one of the devices may draw; 0 where no profile says it."""
    try:
        power = accelerators.find(next(iter(named(totals.devices)), ""), ()).board_power
    except CostcalcError:
        return 0.0
    return power.value if power else 0.0


def _hosts(parts: Sequence[EnergyPart], totals: Totals, made: Estimate) -> list[EnergyPart]:
    """The hosts: what counters saw of them, and what the profile has beyond."""
    seen = [p for p in parts if p.component in _HOST and p.basis == "measured"]
    models = [replace(p, counted=False) for p in parts if p.component in _HOST and p not in seen]
    watts = made.values.get("host_power")
    if not watts:
        return [p for p in parts if p.component in _HOST]
    held = len(totals.devices) or made.values.get("devices", 0.0)
    hours = totals.device_seconds(held) * totals.share_of_devices / _KWH
    low, high = _bounds(made, "hardware.host_power", watts)
    known = sum(part.energy for part in seen)
    rest = EnergyPart(
        component="host_rest" if seen else "hosts",
        energy=max(hours * watts - known, 0.0),
        low=max(hours * low - known, 0.0),
        high=max(hours * high - known, 0.0),
        of=NO_METER + (", less what its counters saw" if seen else ""),
    )
    return [*seen, rest, *models]


def _bounds(made: Estimate, key: str, otherwise: float) -> tuple[float, float]:
    """The low and the high end of an assumption."""
    for item in made.inputs:
        if isinstance(item, Assumption) and item.key == key:
            return item.low, item.high
    return otherwise, otherwise
