"""What boards, hosts and the network draw.

Board power follows utilization up to where the workload keeps the device busy, and is flat beyond
(:func:`board_power`); `ceiling` and `full` are fitted to measured boards and systems by
`scripts/calibrate_power.py`.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from costcalc.base.assumption import Assumption, exact
from costcalc.catalog.region_table import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costcalc.catalog.accelerator import Accelerator
    from costcalc.catalog.host import HostChoice

Number = Any
"""A float, a NumPy array of draws, or (in the tests) a pint quantity."""


def board_power(
    *, utilization: Number, limit: Number, idle: Number, ceiling: Number, full: Number
) -> Number:
    """What one accelerator's board draws while it trains; watts.

    ``utilization`` is model FLOP/s over the dense peak of the precision; ``limit`` and ``idle`` the
    board's rated and in-use idle watts; ``ceiling`` the share of the span between them that the
    workload reaches at most; ``full`` the utilization from which it draws that.

    >>> float(board_power(utilization=0.1, limit=700, idle=100, ceiling=0.8, full=0.2))
    340.0
    """
    return idle + (limit - idle) * ceiling * np.minimum(1.0, utilization / full)


def board_range(
    *, value: float, idle: float, limit: float, low: float, high: float
) -> tuple[float, float]:
    """The range of a board's draw; watts.

    ``low`` and ``high`` are measured over predicted draw, as factors: the 5th and 95th percentile
    of what held-out measurements show.  No board draws less than idle or more than its limit.

    >>> board_range(value=500.0, idle=90.0, limit=700.0, low=0.8, high=1.5)
    (400.0, 700.0)
    """
    return max(min(value * low, value), min(idle, value)), max(min(value * high, limit), value)


# --- the numbers for the kernels, with their sources ---------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """What a run's devices draw, each with its range and why; watts a device, or shares.

    ``board`` is None where nobody knows what the chip may draw; ``why_not`` says so.
    """

    board: Assumption | None
    idle: Assumption | None
    host: Assumption
    network: Assumption
    redone: Assumption
    why_not: str = ""

    def all(self) -> tuple[Assumption, ...]:
        """Those that are known, in the order in which they are used."""
        listed = (self.board, self.idle, self.host, self.network, self.redone)
        return tuple(item for item in listed if item is not None)


class _Limit(NamedTuple):
    value: float
    low: float
    high: float
    source: str
    why: str


def power_assumptions(
    accelerator: Accelerator,
    choice: HostChoice,
    kind: str,
    *,
    utilization: float | None,
    precision: str = "bf16",
    nodes: int = 1,
) -> Power:
    """The assumptions of the power model for one kind of device, workload and host.

    ``kind`` is the workload's (decoder, vision, cnn, ...; one that nobody measured counts as
    other); ``utilization`` the share of the dense peak of ``precision`` that the device runs at,
    with what it recomputes, None where it is not known; ``nodes`` how many hosts the job spans.

    >>> from costcalc.catalog import accelerator, host
    >>> chip = accelerator.find("h100-sxm5-80")
    >>> power = power_assumptions(chip, host.choose(chip.id), "decoder", utilization=0.41)
    >>> 550 < power.board.value < 700
    True
    """
    data = constants()
    limit = _limit(accelerator, data)
    host = _host(choice)
    network = _network(accelerator, nodes, data)
    redone = _redone(data)
    if limit is None:
        why = f"{accelerator.name}: its maker publishes no power and no estimate of it is known"
        return Power(board=None, idle=None, host=host, network=network, redone=redone, why_not=why)
    idle = _idle(accelerator, limit, data)
    board = _board(
        accelerator=accelerator,
        limit=limit,
        idle=idle,
        kind=kind,
        utilization=utilization,
        precision=precision,
        data=data,
    )
    return Power(board=board, idle=idle, host=host, network=network, redone=redone)


@functools.cache
def constants() -> Mapping[str, Any]:
    """The calibrated constants, ``data/power.yaml``."""
    return table("power.yaml").data


def workload_class(kind: str, data: Mapping[str, Any]) -> str:
    """The class of measured workloads that a kind draws like; ``other`` if none does.

    >>> workload_class("decoder", constants()), workload_class("gnn", constants())
    ('transformer', 'other')
    """
    for name, kinds in data["classes"].items():
        if kind in kinds:
            return str(name)
    return "other"


def _board(
    *,
    accelerator: Accelerator,
    limit: _Limit,
    idle: Assumption,
    kind: str,
    utilization: float | None,
    precision: str,
    data: Mapping[str, Any],
) -> Assumption:
    workload = workload_class(kind, data)
    family = "tpu" if accelerator.kind == "tpu" else accelerator.generation
    ceiling = min(1.0, data["ceiling"][workload] * data["family"].get(family, 1.0))
    full = data["full"][workload][_unit(accelerator, precision, data)]
    use = full if utilization is None else utilization
    value = float(
        board_power(utilization=use, limit=limit.value, idle=idle.value, ceiling=ceiling, full=full)
    )
    errors = data["held_out"]["unknown" if utilization is None else "known"]
    measured = accelerator.generation in data["measured"]
    widen = 1.0 if measured else data["unvalidated"]["factor"]
    low, high = board_range(
        value=value,
        idle=idle.low,
        limit=limit.high,
        low=_joined(errors["low"] / widen, limit.low / limit.value),
        high=_joined(errors["high"] * widen, limit.high / limit.value),
    )
    said = "a busy device" if utilization is None else f"utilization {use:.2g}"
    state = "modelled"
    if not measured:
        state += f", not validated: no measured draw of {accelerator.generation} in training"
    return Assumption(
        key="hardware.board_power",
        value=value,
        unit="W",
        basis="modelled",
        low=low,
        high=high,
        source="costcalc power model, fitted to measured boards and systems (data/power.yaml)",
        why=f"{state}; {said}, {workload}, of {limit.value:.0f} W {limit.why}",
    )


def _unit(accelerator: Accelerator, precision: str, data: Mapping[str, Any]) -> str:
    """Whether the work runs on matrix units or at the vector rate."""
    if accelerator.kind == "gpu" and precision in {"fp32", "fp64"}:
        return "vector"
    vector = accelerator.kind == "cpu" or accelerator.generation in data["vector_only"]
    return "vector" if vector else "tensor"


def _joined(*factors: float) -> float:
    """Independent factors of doubt on the same side, as one: their logarithms add in squares.

    >>> round(_joined(1.2, 1.0), 12), _joined(0.5, 1.0)
    (1.2, 0.5)
    """
    logs = [float(np.log(factor)) for factor in factors]
    size = sum(log * log for log in logs) ** 0.5
    return float(np.exp(size if sum(logs) > 0 else -size))


def _limit(accelerator: Accelerator, data: Mapping[str, Any]) -> _Limit | None:
    stand_in, rated = data["stand_ins"].get(accelerator.id), accelerator.board_power
    if stand_in is not None and (rated is None or stand_in.get("instead", False)):
        title = data["sources"][stand_in["source"]]["title"]
        return _Limit(
            float(stand_in["value"]),
            float(stand_in["low"]),
            float(stand_in["high"]),
            title,
            f"({stand_in['note']})",
        )
    if rated is None:
        return None
    title = accelerator.sources[rated.source].title
    low = rated.si if rated.si_low is None else rated.si_low
    high = rated.si if rated.si_high is None else rated.si_high
    return _Limit(rated.si, low, high, title, "rated")


def _idle(accelerator: Accelerator, limit: _Limit, data: Mapping[str, Any]) -> Assumption:
    share = data["idle"]["tpu" if accelerator.kind == "tpu" else "gpu"]
    low, high = limit.value * share["low"], limit.value * share["high"]
    known = accelerator.idle_power
    if known is not None:
        value = known.si
        return Assumption(
            key="hardware.idle_power",
            value=value,
            unit="W",
            basis="profile",
            low=min(value, low) if known.si_low is None else known.si_low,
            high=max(value, high) if known.si_high is None else known.si_high,
            source=accelerator.sources[known.source].title,
            year=known.year,
            why="idle draw of the profile; high: in use and waiting, as measured of other chips",
        )
    return Assumption(
        key="hardware.idle_power",
        value=limit.value * share["value"],
        low=low,
        high=high,
        unit="W",
        basis="default",
        source=data["sources"][share["source"]]["title"],
        why=f"{share['value']:g} of {limit.value:.0f} W, as other chips that are in use and wait",
    )


def _host(choice: HostChoice) -> Assumption:
    value = choice.power_per_device()
    if value is None:  # a host without a value cannot be read: the schema asks for one
        raise ValueError(choice.host.id)
    low, high = choice.power_per_device("low"), choice.power_per_device("high")
    figure = choice.host.host_power
    return Assumption(
        key="hardware.host_power",
        value=value,
        unit="W",
        basis="profile",
        low=value if low is None else low,
        high=value if high is None else high,
        source=choice.host.sources[figure.source].title,
        why=choice.why,
        year=figure.year,
    )


def _network(accelerator: Accelerator, nodes: int, data: Mapping[str, Any]) -> Assumption:
    key = "hardware.network_power"
    if nodes <= 1:
        return exact(key, 0.0, "1", basis="default", source="one node", why="one node: no switches")
    name = "torus" if accelerator.kind == "tpu" else "switched"
    share = data["network"][name]
    return Assumption(
        key=key,
        value=share["value"],
        low=share["low"],
        high=share["high"],
        unit="1",
        basis="default",
        source=data["sources"][share["source"]]["title"],
        why=share["note"],
    )


def _redone(data: Mapping[str, Any]) -> Assumption:
    share = data["lost"]
    return Assumption(
        key="hardware.redone",
        value=share["redone"],
        low=share["low"],
        high=share["high"],
        unit="1",
        basis="default",
        source=data["sources"][share["source"]]["title"],
        why=share["note"],
    )
