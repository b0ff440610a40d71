"""The layout of what has no layers to divide: each device has all of it, or its share."""

from __future__ import annotations

from costcalc.throughput.footprint import Footprint
from costcalc.throughput.layout import Layout, Machine, Recipe
from costcalc.throughput.memory import memory
from costcalc.throughput.space import Fixed

_SHARDINGS = ("none", "zero1", "zero3")


def replicas_alone(
    footprint: Footprint, machine: Machine, recipe: Recipe, fixed: Fixed
) -> tuple[Layout, int]:
    """Data parallelism only: as little sharded as can be, the largest micro-batch with room.

    It recomputes where it is told to or, left open, where not even the low end of anything else
    fits: nets keep all unless somebody asks.  Also returns how many layouts were tried.
    """
    share = max(int(recipe.global_batch / machine.devices), 1)
    sizes = [fixed.micro_batch] if fixed.micro_batch else _halvings(share)
    limit = machine.memory or float("inf")
    best, least, low, walked = None, float("inf"), float("inf"), 0
    for sharding, recompute in _steps(machine.devices, fixed.recompute):
        if recompute == "full" and fixed.recompute is None and low <= limit:
            break
        near = None
        for size in sizes:
            walked += 1
            layout = Layout(
                data=machine.devices,
                micro_batch=size,
                sharding=sharding,
                recompute=recompute,
                offload=fixed.offload,
                activations=fixed.activations,
            )
            held = memory(footprint, machine, layout, recipe).total
            if float(held.high) <= limit:
                return layout, walked
            if near is None and float(held.value) <= limit:
                near = layout
            if float(held.value) < least:
                best, least, low = layout, float(held.value), float(held.low)
        if near is not None:
            return near, walked
    assert best is not None
    return best, walked


def _steps(devices: int, told: str | None) -> list[tuple[str, str]]:
    """Sharding and recompute, in the order in which they are tried; selective is of layers."""
    shardings = _SHARDINGS if devices > 1 else _SHARDINGS[:1]
    if told is not None:
        return [(each, "full" if told == "full" else "none") for each in shardings]
    return [*((each, "none") for each in shardings), (shardings[-1], "full")]


def _halvings(number: int) -> list[int]:
    sizes = [number]
    while sizes[-1] > 1:
        sizes.append(sizes[-1] // 2)
    return sizes
