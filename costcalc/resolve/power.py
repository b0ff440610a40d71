"""What boards, hosts and network draw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from costcalc import energy
from costcalc.base.assumption import Assumption, exact
from costcalc.base.human import number_of
from costcalc.resolve.goodput import EFFECTIVE_SOURCE, large_share
from costcalc.resolve.hardware import Devices
from costcalc.resolve.known import Known
from costcalc.resolve.time import Timed
from costcalc.resolve.workload import Trained
from costcalc.runfile.loading import Input
from costcalc.throughput.basis import kind_of

# Of the shortfall of a default goodput, the share that draws like training: value, low, high.  With
# 0.65 of the modelled speed and a tenth of the time lost, 0.3 of it redone: 1 − 0.1 × 0.7 / 0.35.
SLOWER = (0.8, 0.5, 1.0)


def power(
    given: Input,
    devices: Devices,
    work: Trained,
    time: Timed | None,
    *,
    precision: str,
    slower: bool,
) -> Known:
    """Watts a device, and shares; ``slower``: goodput holds time that trains slowly."""
    found = watts(devices, work, time, precision=precision)
    known = {
        "host_power": _host(given, devices) or found.host,
        "network_share": found.network,
        "redone": _slower(found.redone, devices.count) if slower else found.redone,
    }
    why: dict[str, str] = {}
    if found.board is not None and found.idle is not None:
        known |= {"board_power": found.board, "idle_power": found.idle}
    else:
        why["board_power"] = why["idle_power"] = found.why_not
    notes = (*_held_down(given, found), *_beyond(given, devices))
    if devices.share < 1.0:
        notes = (*notes, "energy of a shared device is its share of the whole device's")
    made = Known(known=known, why=why, notes=notes)
    return made.said(given, board_power="W", idle_power="W", network_share="1", redone="1")


def _hardware_utilization(work: Trained, time: Timed | None) -> float | None:
    """Hardware FLOPs utilization: what is recomputed draws power too."""
    if time is None or work.work is None:
        return None
    layout = time.throughput.layout
    again = getattr(work.work.recompute, layout.recompute) if layout else 0.0
    return min(time.throughput.utilization.value * (1.0 + again), 1.0)


def watts(
    devices: Devices,
    work: Trained,
    time: Timed | None,
    *,
    precision: str,
    data: energy.Constants | None = None,
) -> energy.Power:
    """The power model's word on a part, by the shipped constants or by ``data``."""
    return energy.power_assumptions(
        devices.accelerator,
        devices.host,
        _drawing(work.workload) or (kind_of(work.work) if work.work else None) or "other",
        utilization=_hardware_utilization(work, time),
        precision=precision,
        nodes=devices.nodes,
        does=_activity(time, devices.nodes),
        data=data,
    )


def _drawing(workload: str | None) -> str | None:
    """As which of the kinds whose power was measured: a network that detects draws as others."""
    return "cnn" if workload == "detector" else workload


def _held_down(given: Input, found: energy.Power) -> tuple[str, ...]:
    """What is to be said where a board is given less than the work would draw."""
    asked = given.part.hardware.board_power if given.part.hardware else None
    if asked is None or found.board is None or asked >= HELD_DOWN * found.board.value:
        return ()
    said = f"hardware.board_power: {asked:g} W is less than the {found.board.value:.0f} W that this"
    said += " work would draw; a board held to it computes more slowly, which the time does not say"
    return (f"{said}: give hardware.throughput, as measured",)


HELD_DOWN = 0.9  # nearer than the model can tell


def _beyond(given: Input, devices: Devices) -> Iterator[str]:
    """What is to be said where a board is given more than it is rated at."""
    asked = given.part.hardware.board_power if given.part.hardware else None
    rated = devices.accelerator.board_power
    if asked is not None and rated is not None and asked > rated.si:
        yield (
            f"hardware.board_power: {asked:,.10g} W is more than the {rated.si:,.10g} W that "
            f"{devices.accelerator.name} is rated at"
        )


SLOWER_KERNELS = 0.5
#: the parts of a modelled step in which a device is busy, and in which it waits for its host
_BUSY, _HOST = ("compute", "memory"), ("launch",)


def activity(
    parts: Mapping[str, float], pace: float = 1.0, *, nodes: int = 1
) -> energy.Activity | None:
    """What a device does with a step's time, by the modelled seconds of its parts.

    ``pace`` is the measured speed over the modelled one.  Down to half of it the kernels are taken
    to be slower and to draw the same (full utilizations as fitted are a third to six tenths of what
    is modelled of tuned ones); what is slower still waits for its host.  An optimizer that is
    spread over several ``nodes`` mostly waits for them.  None where nothing is modelled.

    >>> activity({"compute": 4.0, "memory": 2.0, "data": 2.0})
    Activity(busy=0.75, held_up=0.25)
    >>> activity({"compute": 8.0, "launch": 2.0}, pace=0.25)
    Activity(busy=0.4, held_up=0.0)
    """
    total = sum(parts.values())
    if total <= 0:
        return None
    alone = _BUSY if nodes > 1 else (*_BUSY, "optimizer")
    busy = sum(parts.get(name, 0.0) for name in alone) / total
    host = sum(parts.get(name, 0.0) for name in _HOST) / total
    slower = min(1.0, pace / SLOWER_KERNELS)
    return energy.Activity(busy * slower, max(1.0 - busy - host, 0.0) * slower)


def _activity(time: Timed | None, nodes: int) -> energy.Activity | None:
    """What a device does with its time, by the modelled step and how it was measured to go.

    While it generates it is busy: it reads the weights and what is kept of the sequences.
    """
    if time is None or time.throughput.modelled is None:
        return None
    found, modelled = time.throughput, time.throughput.modelled
    pace = modelled.pace * found.utilization.value / modelled.utilization.value
    training = activity(modelled.breakdown, pace, nodes=nodes)
    if training is None or found.generation is None or not found.seconds:
        return training
    generates = found.generation.value / found.seconds
    trains = 1.0 - generates
    return energy.Activity(training.busy * trains + generates, training.held_up * trains)


def _slower(redone: Assumption, count: float) -> Assumption:
    """What lost time draws where the loss is a default; few devices lose it to evaluation, not to
    slower kernels, so that theirs goes over from ``redone`` as their goodput does.
    """
    large = large_share(count)
    if large == 0:
        return redone
    usual = (redone.value, redone.low, redone.high)
    value, low, high = (few + (many - few) * large for few, many in zip(usual, SLOWER, strict=True))
    return replace(
        redone,
        value=value,
        low=low,
        high=high,
        source=EFFECTIVE_SOURCE,
        why="the default goodput is mostly training slower than modelled, which draws as training "
        "does; about a tenth of the time is lost",
    )


def _host(given: Input, devices: Devices) -> Assumption | None:
    """The user's figure is a node's; a device's share of it is what the formulas take."""
    asked = given.part.hardware.host_power if given.part.hardware else None
    if asked is None:
        return None
    shared = devices.host.devices
    return exact(
        "hardware.host_power",
        asked / shared,
        "W",
        basis="given",
        source="run file",
        why=f"{asked:g} W a node / {number_of(shared, 'device')}",
        where=given.place("hardware", "host_power"),
    )
