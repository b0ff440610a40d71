"""What boards, hosts and the network draw.

A board draws by what it does with its time (:func:`board_power`): computing or moving memory, held
up in a collective, or waiting for its host.  Where only a utilization is known, it is busy in
proportion up to a full one (:func:`busy_share`).  `ceiling` and `full` are fitted to measured
boards and systems by `scripts/calibrate_power.py`; `waiting` is read off metered nodes.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np

from costcalc.base.assumption import Assumption, exact
from costcalc.base.human import number_of
from costcalc.catalog.region_table import table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from costcalc.catalog.accelerator import Accelerator
    from costcalc.catalog.host import HostChoice

Number = Any
Constants: TypeAlias = "Mapping[str, Any]"
"""A float, a NumPy array of draws, or (in the tests) a pint quantity."""


def board_power(
    *,
    busy: Number,
    limit: Number,
    idle: Number,
    ceiling: Number,
    held_up: Number = 0.0,
    waiting: Number = 0.0,
) -> Number:
    """What one accelerator's board draws while it trains; watts.

    ``busy`` and ``held_up`` are shares of the time: computing or moving memory, and waiting for
    other devices, of which a board draws the share ``waiting`` of what it draws when busy.  What is
    left of the time it waits for its host, and idles.  ``limit`` and ``idle`` are the board's rated
    and in-use idle watts; ``ceiling`` the share of the span between them that a busy one draws.

    >>> float(board_power(busy=0.5, held_up=0.5, limit=700, idle=100, ceiling=0.8, waiting=0.25))
    400.0
    """
    return idle + (limit - idle) * ceiling * (busy + waiting * held_up)


def busy_share(utilization: Number, full: Number) -> Number:
    """The share of the time that a device is busy, of its utilization alone.

    ``utilization`` is model FLOP/s over the dense peak of the precision, ``full`` the one from
    which the workload keeps it busy all the time.

    >>> float(busy_share(0.1, 0.2)), float(busy_share(0.4, 0.2))
    (0.5, 1.0)
    """
    return np.minimum(1.0, utilization / full)


class Activity(NamedTuple):
    """Shares of the time of a step: computing or moving memory, and waiting for other devices."""

    busy: float
    held_up: float


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
    does: Activity | None = None,
    data: Mapping[str, Any] | None = None,
) -> Power:
    """The assumptions of the power model for one kind of device, workload and host.

    ``kind`` is the workload's (decoder, vision, cnn, ...; one that nobody measured counts as
    other); ``utilization`` the share of the dense peak of ``precision`` that the device runs at,
    with what it recomputes, None where it is not known; ``nodes`` how many hosts the job spans;
    ``does`` what a device does with its time, which says more than its utilization; ``data`` other
    constants than those that ship.

    >>> from costcalc.catalog import accelerator, host
    >>> chip = accelerator.find("h100-sxm5-80")
    >>> power = power_assumptions(chip, host.choose(chip.id), "decoder", utilization=0.41)
    >>> 550 < power.board.value < 700
    True
    """
    data = constants() if data is None else data
    limit = _limit(accelerator, data)
    host = _host(choice)
    network = _network(accelerator, nodes, data)
    redone = _share("hardware.redone", data["lost"], "redone", data)
    if limit is None:
        why = f"{accelerator.name}: its maker publishes no power and no estimate of it is known"
        host = _of_a_node(host, choice.devices)
        return Power(board=None, idle=None, host=host, network=network, redone=redone, why_not=why)
    idle = _idle(accelerator, limit, data)
    board = _board(
        accelerator=accelerator,
        limit=limit,
        idle=idle,
        kind=kind,
        utilization=utilization,
        precision=precision,
        does=does,
        data=data,
    )
    if does is not None:
        most = _most(accelerator, limit, idle, kind, data)
        host = _follows(host, board.value / most, data)
    host = _of_a_node(host, choice.devices)
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
    does: Activity | None,
    data: Mapping[str, Any],
) -> Assumption:
    workload = workload_class(kind, data)
    full = data["full"][workload][_unit(accelerator, precision, data)]
    use = full if utilization is None else utilization
    shares = does or Activity(float(busy_share(use, full)), 0.0)
    value = float(
        board_power(
            busy=shares.busy,
            held_up=shares.held_up,
            limit=limit.value,
            idle=idle.value,
            ceiling=_ceiling(accelerator, workload, data),
            waiting=data["waiting"]["value"],
        )
    )
    errors = data["held_out"]["unknown" if utilization is None and does is None else "known"]
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
    if does is not None:
        said = f"{100 * does.busy:.0f} % of the time busy"
        said += f", {100 * does.held_up:.0f} % held up by others" if does.held_up > 0.005 else ""
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


def _ceiling(accelerator: Accelerator, workload: str, data: Mapping[str, Any]) -> float:
    """The share of the span that a busy board draws at this work."""
    family = "tpu" if accelerator.kind == "tpu" else accelerator.generation
    return float(min(1.0, data["ceiling"][workload] * data["family"].get(family, 1.0)))


def _most(
    accelerator: Accelerator, limit: _Limit, idle: Assumption, kind: str, data: Mapping[str, Any]
) -> float:
    """What a board draws that is busy all the time; watts."""
    ceiling = _ceiling(accelerator, workload_class(kind, data), data)
    return float(board_power(busy=1.0, limit=limit.value, idle=idle.value, ceiling=ceiling))


def _follows(host: Assumption, draw: float, data: Mapping[str, Any]) -> Assumption:
    """The host of boards that draw the share ``draw`` of busy ones: fans and conversion follow."""
    share, less = data["host"], 1.0 - draw
    scale, most, least = (1.0 - share[key] * less for key in ("follows", "low", "high"))
    if scale > 0.995:
        return host
    why = f"{host.why}; x {scale:.2g}: fans and conversion follow the boards"
    value = host.value * scale
    low = value * _joined(host.low / host.value, least / scale)
    high = value * _joined(host.high / host.value, most / scale)
    return replace(host, value=value, low=low, high=high, why=why)


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


def _of_a_node(host: Assumption, devices: int) -> Assumption:
    """A device's share that says the node's draw, which is what the run file's key takes."""
    node = f"{host.value * devices:g} W a node / {number_of(devices, 'device')}"
    return replace(host, why=f"{node}; {host.why}")


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
    return _share(key, data["network"][name], "value", data)


def _share(key: str, share: Mapping[str, Any], name: str, data: Mapping[str, Any]) -> Assumption:
    """A share that stands in the file, whose value is under ``name``."""
    return Assumption(
        key=key,
        value=share[name],
        low=share["low"],
        high=share["high"],
        unit="1",
        basis="default",
        source=data["sources"][share["source"]]["title"],
        why=share["note"],
    )
