"""What boards, hosts and network draw."""

from __future__ import annotations

from dataclasses import replace

from costcalc import energy
from costcalc.base.assumption import Assumption, exact
from costcalc.resolve.hardware import Devices
from costcalc.resolve.known import Known
from costcalc.resolve.time import EFFECTIVE_SOURCE, Timed
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
    found = energy.power_assumptions(
        devices.accelerator,
        devices.host,
        work.workload or (kind_of(work.work) if work.work else None) or "other",
        utilization=_hardware_utilization(work, time),
        precision=precision,
        nodes=devices.nodes,
    )
    known = {
        "host_power": _host(given, devices) or found.host,
        "network_share": found.network,
        "redone": _slower(found.redone) if slower else found.redone,
    }
    why: dict[str, str] = {}
    if found.board is not None and found.idle is not None:
        known |= {"board_power": found.board, "idle_power": found.idle}
    else:
        why["board_power"] = why["idle_power"] = found.why_not
    notes: tuple[str, ...] = ()
    if devices.share < 1.0:
        notes = ("energy of a shared device is its share of the whole device's",)
    made = Known(known=known, why=why, notes=notes)
    return made.said(given, board_power="W", idle_power="W", network_share="1", redone="1")


def _hardware_utilization(work: Trained, time: Timed | None) -> float | None:
    """Hardware FLOPs utilization: what is recomputed draws power too."""
    if time is None or work.work is None:
        return None
    layout = time.throughput.layout
    again = getattr(work.work.recompute, layout.recompute) if layout else 0.0
    return min(time.throughput.utilization.value * (1.0 + again), 1.0)


def _slower(redone: Assumption) -> Assumption:
    value, low, high = SLOWER
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
        why=f"{asked:g} W a node / {shared} devices",
        where=given.place("hardware", "host_power"),
    )
