"""The whole calculation on plain numbers: one function a figure, in the order of the flow.

A figure's parameters are the figures and inputs that it follows from, by name, and the first line
of its docstring is its formula: :func:`run` calls them in order, ``costcalc explain`` prints them.
Every number may be a float, an array of draws, an array of a million scenarios, or (in the tests,
which prove the dimensions so) a pint quantity.  All is in SI: a device's power is W/device, so that
device-seconds times power are joules.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from costcalc import carbon
from costcalc import energy as power
from costcalc.resolve.known import INPUTS

__all__ = ["INPUTS", "formula", "missing", "needs", "run"]

V = Any  # float, NumPy array or pint quantity


def total_compute(model_flops: V, runs: V) -> V:
    """model_flops × runs."""
    return model_flops * runs


def training_time(training_flops: V, devices: V, peak: V, utilization: V, generation: V) -> V:
    """training_flops / (devices × peak × utilization) + generation.

    ``training_flops`` are the model FLOPs but for those of generating, whose time stands apart.
    MFU after Chowdhery et al. 2022 (PaLM, arXiv 2204.02311), appendix B: model FLOPs, without
    recompute, over the dense peak.
    """
    return training_flops / (devices * peak * utilization) + generation


def wall_clock(training_time: V, goodput: V) -> V:
    """training_time / goodput."""
    return training_time / goodput


def device_hours(wall_clock: V, devices: V, runs: V) -> V:
    """wall_clock × devices × runs."""
    return wall_clock * devices * runs


def lost_power(board_power: V, idle_power: V, redone: V) -> V:
    """idle_power + (board_power − idle_power) × redone."""
    return power.lost_power(training=board_power, idle=idle_power, redone=redone)


def mean_power(board_power: V, lost_power: V, goodput: V) -> V:
    """board_power × goodput + lost_power × (1 − goodput)."""
    return power.mean_board_power(training=board_power, lost=lost_power, goodput=goodput)


def energy_it(device_hours: V, mean_power: V, host_power: V, network_share: V) -> V:
    """device_hours × (mean_power + host_power) × (1 + network_share)."""
    return power.it_energy(
        device_seconds=device_hours, board=mean_power, host=host_power, network_share=network_share
    )


def energy(energy_it: V, pue: V) -> V:
    """energy_it × pue."""
    return power.facility_energy(it=energy_it, pue=pue)


def cost(device_hours: V, billed: V, price: V, energy: V, electricity: V) -> V:
    """device_hours × billed × price + energy × electricity."""
    return device_hours * billed * price + energy * electricity


def carbon_operational(energy: V, grid: V) -> V:
    """energy × grid."""
    return carbon.operational(energy, grid)


def carbon_embodied(
    device_hours: V, embodied_device: V, embodied_host: V, lifetime: V, lifetime_utilization: V
) -> V:
    """device_hours × (embodied_device + embodied_host) / (lifetime × lifetime_utilization)."""
    return carbon.embodied(
        per_device=embodied_device,
        host_share=embodied_host,
        device_time=device_hours,
        lifetime=lifetime,
        utilization=lifetime_utilization,
    )


def carbon_total(carbon_operational: V, carbon_embodied: V) -> V:
    """carbon_operational + carbon_embodied."""
    return carbon_operational + carbon_embodied


def water(energy_it: V, wue: V, energy: V, grid_water: V) -> V:
    """energy_it × wue + energy × grid_water."""
    return carbon.water(energy_it=energy_it, wue=wue, energy=energy, grid_water=grid_water)


FIGURES: tuple[Callable[..., V], ...] = (
    total_compute,
    training_time,
    wall_clock,
    device_hours,
    lost_power,
    mean_power,
    energy_it,
    energy,
    cost,
    carbon_operational,
    carbon_embodied,
    carbon_total,
    water,
)


@functools.cache
def needs(figure: Callable[..., V]) -> tuple[str, ...]:
    """The names that a figure follows from.

    >>> needs(energy)
    ('energy_it', 'pue')
    """
    return tuple(inspect.signature(figure).parameters)


def formula(figure: Callable[..., V]) -> str:
    """A figure's formula, as its docstring says it.

    >>> formula(energy)
    'energy_it × pue'
    """
    return (figure.__doc__ or "").splitlines()[0].rstrip(".")


def run(known: Mapping[str, V]) -> dict[str, V]:
    """Every figure that follows from what is known; a figure that is known already is kept.

    ``known`` holds inputs (the keys of ``INPUTS``) and measured figures, all in SI.  What lacks an
    input is left out.

    >>> run({"energy_it": 7.2e6, "pue": 1.5, "grid": 1e-4})["carbon_operational"]
    1080.0
    """
    values = dict(known)
    for figure in FIGURES:
        name = figure.__name__
        if name not in values and all(need in values for need in needs(figure)):
            values[name] = figure(**{need: values[need] for need in needs(figure)})
    return values


def missing(name: str, known: Mapping[str, V]) -> list[str]:
    """The inputs that a figure lacks, down through the figures it follows from.

    >>> missing("energy", {"pue": 1.1, "device_hours": 3.6e6, "mean_power": 500.0})
    ['host_power', 'network_share']
    """
    by_name = {figure.__name__: figure for figure in FIGURES}
    lacking: list[str] = []
    for need in needs(by_name[name]):
        if need in known:
            continue
        lacking += missing(need, known) if need in by_name else [need]
    return list(dict.fromkeys(lacking))
