"""What boards, hosts and network draw."""

from __future__ import annotations

from dataclasses import replace

from costcalc import energy
from costcalc.base.assumption import Assumption, exact
from costcalc.resolve.hardware import Devices
from costcalc.resolve.known import Known
from costcalc.resolve.time import EFFECTIVE_SOURCE
from costcalc.runfile.loading import Input

# Of the shortfall of a default goodput, the share that draws like training: value, low, high.  With
# 0.65 of the modelled speed and a tenth of the time lost, 0.3 of it redone: 1 − 0.1 × 0.7 / 0.35.
SLOWER = (0.8, 0.5, 1.0)


def power(
    given: Input,
    devices: Devices,
    kind: str,
    *,
    utilization: float | None,
    precision: str,
    slower: bool,
) -> Known:
    """Watts a device, and shares; ``slower``: goodput holds time that trains slowly."""
    found = energy.power_assumptions(
        devices.accelerator,
        devices.host,
        kind,
        utilization=utilization,
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
