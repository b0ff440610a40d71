"""Hosts whose meter is CodeCarbon's to read: Apple's chips, Windows, Raspberry Pi, Power Gadget."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from costcalc.tracking.codecarbon_probe import hardware
from costcalc.tracking.guard import importing
from costcalc.tracking.metered import Part, Share, ticks
from costcalc.tracking.records import Component

# How CodeCarbon says that it reads a counter rather than a model (external/hardware.py of 3.3).
_COUNTERS = {"intel_power_gadget": "Intel Power Gadget", "windows_emi": "Windows EMI"}
_CHIPS = ("AppleSiliconChip", "Raspberry")


def parts(boot: str, share: Share, began: float) -> list[Part]:
    """What CodeCarbon meters of this host; devices, and what we read ourselves, are left out."""
    with importing():
        import codecarbon  # noqa: F401
    with _silent():
        found = hardware()
        made = [part for item in found if (part := _part(item, boot, share, began))]
        for item in found:
            item.start()
    return made


def _part(item: Any, boot: str, share: Share, began: float) -> Part | None:
    kind, mode = type(item).__name__, str(getattr(item, "_mode", ""))
    chip = getattr(item, "chip_part", "")
    component: Component = "memory" if kind == "RAM" or chip == "RAM" else "cpu"
    if kind == "GPU":
        return None
    if kind in _CHIPS:
        basis, meter = "measured", kind
    elif mode in _COUNTERS:
        basis, meter = "measured", _COUNTERS[mode]
    elif kind == "RAM":
        basis, meter = "modelled", "model of the memory's modules"
    else:
        basis, meter = "modelled", f"model of the CPU's load ({mode or 'no mode'})"
    on_chip = chip == "GPU"
    return Part(
        key=f"{'gpu' if on_chip else component}:{boot}",
        component="device" if on_chip else component,
        basis=basis,  # type: ignore[arg-type]
        meter=f"{meter} (CodeCarbon)",
        reader=_Reader(item),
        began=began,
        share=share,
    )


@dataclass(slots=True)
class _Reader:
    """One of CodeCarbon's pieces of hardware, which wants to be told how long it was not asked."""

    item: Any
    clock: Callable[[], float] = ticks
    _at: float = field(init=False)

    def __post_init__(self) -> None:
        self._at = self.clock()

    def read(self) -> tuple[float, float]:
        """Joules since the last call, whether it answered or not."""
        now = self.clock()
        seconds, self._at = now - self._at, now
        with _silent():
            _, energy = self.item.measure_power_and_energy(seconds)
        return float(energy.kWh) * 3.6e6, seconds


@contextmanager
def _silent() -> Iterator[None]:
    """CodeCarbon's log says nothing while we call it, and is as it was afterwards."""
    logger = logging.getLogger("codecarbon")
    known = "codecarbon" in sys.modules
    before = (logger.disabled, logger.level, list(logger.handlers))
    logger.disabled = True
    try:
        yield
    finally:
        logger.disabled = before[0]
        if known:  # the user's own: building a tracker sets its level and its handlers
            logger.level = before[1]
            logger.handlers[:] = before[2]
