"""The power of a chip that ships, as the tests of this room ask for it."""

from __future__ import annotations

from costcalc import energy
from costcalc.catalog import accelerator, host


def power(chip: str, kind: str = "decoder", **kwargs) -> energy.Power:
    found = accelerator.find(chip)
    kwargs.setdefault("utilization", 0.4)
    return energy.power_assumptions(found, host.choose(found.id), kind, **kwargs)
