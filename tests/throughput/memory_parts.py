"""A footprint of round sizes, and what a device holds of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from throughput_models import machine, recipe

from costcalc.throughput.footprint import Footprint
from costcalc.throughput.layout import Layout
from costcalc.throughput.memory import HIGH, LOW, VALUE, Parts, bytes_at

LEVELS = (LOW, VALUE, HIGH)
BARE = Footprint(layers=10.0, dense=1e8, parameters=1e9)
# fused kernels throughout, 32-bit states, and no doubt about either
NAMED = frozenset({"software"})
TOLD = NAMED | {"states"}
STACK: dict[str, Any] = {"compiled": True, "states": "fp32", "told": TOLD}
STAYS = 1.08  # at the most, what the allocator holds of what stays
PASSES = (1.0, 1.1, 1.25)  # and of what comes and goes
EAGER = (1.0, 1.1, 1.6)  # more where kernels are many


def at(
    level: int,
    model: Footprint = BARE,
    layout: Layout | None = None,
    devices: int = 1,
    offload: str = "none",
    on: dict[str, Any] | None = None,
    **how: Any,
) -> Parts:
    return bytes_at(
        model,
        machine(devices, **(on or {})),
        replace(layout or Layout(), offload=offload),
        recipe(**{"length": 1000, "batch": 1} | STACK | how),
        level=level,
    )


def each(name: str, **more: Any) -> list[float]:
    """Low, value and high of a part, bytes a parameter of 1e9."""
    return [float(getattr(at(level, **more), name)) / 1e9 for level in LEVELS]


# A layer keeps 8e6 elements that tensor ranks cut and 2e6 that only sequence parallelism cuts.
KEPT = Footprint(layers=10.0, dense=0.0, split=8e6, whole=2e6, scores=4e6, stream=1e6)


def kept(level: int = VALUE, layout: Layout | None = None, devices: int = 1, **how: Any) -> float:
    """Bytes kept, in millions."""
    model = how.pop("model", KEPT)
    return float(at(level, model, layout, devices, **how).activations) / 1e6
