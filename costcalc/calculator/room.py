"""Whether hardware is chosen for a run: its memory has to hold the run by more than luck."""

from __future__ import annotations

from costcalc.resolve.hardware import Devices
from costcalc.resolve.time import Timed
from costcalc.throughput.placement import crowded


def doubtful(devices: Devices, timed: Timed | None) -> str:
    """Why nobody is sent to a machine for a run: the middle of its memory is beyond the device's.

    A run that somebody has placed is refused where even the low end is (it may know better);
    where hardware is chosen, or said to do, the middle counts.  Empty where there is no doubt, no
    memory is modelled, or the rate was measured: then it ran.
    """
    if timed is None or timed.throughput.memory is None or not devices.machine.memory:
        return ""
    room, held = devices.machine.memory, timed.throughput.memory
    if held.value <= room or timed.throughput.utilization.basis != "modelled":
        return ""
    return crowded(held, room)
