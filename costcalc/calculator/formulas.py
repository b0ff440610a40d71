"""The whole calculation on plain numbers: one function a figure, in the order of the flow.

A figure's parameters are the figures and inputs that it follows from, by name, and what it returns
is its formula, here and nowhere else: :func:`run` calls them in order, ``costcalc explain`` prints
what stands in the code.  Every number may be a float, an array of draws, an array of a million
scenarios, or (in the tests, which prove the dimensions so) a pint quantity.  All is in SI: a
device's power is W/device, so that device-seconds times power are joules.
"""

from __future__ import annotations

import ast
import functools
import inspect
from collections.abc import Callable, Mapping
from typing import TypeVar, cast

from costcalc.base.numbers import Number as V
from costcalc.resolve.known import INPUTS

N = TypeVar("N", bound=V)  # floats give floats

__all__ = ["INPUTS", "formula", "missing", "needs", "run"]


def model_flops(counted_flops: V, sample_tokens: V, counted_tokens: V) -> V:
    """FLOPs of one run, where nobody says how long its samples are.

    They were counted for samples of ``counted_tokens``.  The count is an input of its own, without
    this formula, where the length is known.
    """
    return counted_flops * sample_tokens / counted_tokens


def training_flops(counted_flops: V, sample_tokens: V, counted_tokens: V) -> V:
    """Those of them whose time the utilization says: all, as nothing is generated there."""
    return counted_flops * sample_tokens / counted_tokens


def total_compute(model_flops: V, runs: V) -> V:
    """FLOPs of all runs."""
    return model_flops * runs


def training_time(training_flops: V, devices: V, peak: V, utilization: V, generation: V) -> V:
    """Seconds that one run trains, generating included.

    ``training_flops`` are the model FLOPs but for those of generating, whose time stands apart.
    MFU after Chowdhery et al. 2022 (PaLM, arXiv 2204.02311), appendix B: model FLOPs, without
    recompute, over the dense peak.
    """
    return training_flops / (devices * peak * utilization) + generation


def wall_clock(training_time: V, goodput: V) -> V:
    """Seconds that one run holds its devices: ``goodput`` is the share of them that trains."""
    return training_time / goodput


def device_hours(wall_clock: V, devices: V, runs: V) -> V:
    """Device-seconds of all runs."""
    return wall_clock * devices * runs


def lost_power(board_power: V, idle_power: V, redone: V) -> V:
    """Watts of a board in allocated time that does not count: waiting, and work done again.

    ``redone`` is the share of that time spent on work repeated after a failure.

    >>> lost_power(board_power=600, idle_power=100, redone=0.5)
    350.0
    """
    return idle_power + (board_power - idle_power) * redone


def mean_power(board_power: V, lost_power: V, goodput: V) -> V:
    """Watts of a board over the allocated time, of which the share ``goodput`` trains."""
    return board_power * goodput + lost_power * (1 - goodput)


def energy_it(
    device_hours: V, mean_power: V, idle_power: V, host_power: V, billed: V, network_share: V
) -> V:
    """Joules of the computing equipment; ``network_share`` is what switches add to the rest.

    ``billed`` are the devices held over those used: the others of a whole instance idle, beside
    their share of the host.
    """
    return (
        device_hours
        * (mean_power + idle_power * (billed - 1) + host_power * billed)
        * (1 + network_share)
    )


def energy(energy_it: V, pue: V) -> V:
    """Joules of the facility: power usage effectiveness (ISO/IEC 30134-2) applied, once."""
    return energy_it * pue


def cost(device_hours: V, billed: V, price: V, energy: V, electricity: V) -> V:
    """Dollars: what is billed, and the electricity of hardware that is owned."""
    return device_hours * billed * price + energy * electricity


def carbon_operational(energy: V, grid: V) -> V:
    """Grams of CO2e of the electricity used: location-based, never net of certificates.

    E × I of the SCI specification, ISO/IEC 21031:2024; scope 2 of the GHG Protocol.

    Llama 3.1's model card: 39.3 million hours x 700 W at 414 g/kWh are 11,390 t.

    >>> round(carbon_operational(energy=39.3e6 * 3600 * 700, grid=414 / 3.6e6) / 1e6)
    11389
    """
    return energy * grid


def carbon_embodied(
    device_hours: V,
    billed: V,
    embodied_device: V,
    embodied_host: V,
    lifetime: V,
    lifetime_utilization: V,
) -> V:
    """Grams of CO2e: the run's share of what it took to make the devices and their hosts.

    M = TE × TS × RS of the SCI specification, ISO/IEC 21031:2024.  ``billed`` are the devices held
    over those used.  ``lifetime_utilization`` is the time that a device is allocated to anybody in
    its life: what it idles is shared out over those who use it.
    """
    return (
        device_hours
        * billed
        * (embodied_device + embodied_host)
        / (lifetime * lifetime_utilization)
    )


def abiotic_depletion(
    device_hours: V, billed: V, abiotic_device: V, lifetime: V, lifetime_utilization: V
) -> V:
    """Grams of antimony equivalents: the run's share of what making the devices depleted.

    Spread over a device's life as its embodied carbon is; hosts are not in it.
    """
    return device_hours * billed * abiotic_device / (lifetime * lifetime_utilization)


def carbon_total(carbon_operational: V, carbon_embodied: V) -> V:
    """Grams of CO2e of the electricity and of making the hardware."""
    return carbon_operational + carbon_embodied


def sci(carbon_total: V, total_compute: V) -> V:
    """Grams of CO2e a FLOP: ((E × I) + M) per R, R being the FLOPs of all runs.

    Software Carbon Intensity for AI, Green Software Foundation, 8.2: a provider's units.
    """
    return carbon_total / total_compute


def water(energy_it: V, wue: V, energy: V, grid_water: V) -> V:
    """Litres consumed on site and at the power plants.

    Li et al., Making AI Less Thirsty, arXiv 2304.03271, with the facility's energy for PUE × IT
    energy.
    """
    return energy_it * wue + energy * grid_water


FIGURES: tuple[Callable[..., V], ...] = (
    model_flops,
    training_flops,
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
    abiotic_depletion,
    carbon_total,
    sci,
    water,
)


@functools.cache
def needs(figure: Callable[..., V]) -> tuple[str, ...]:
    """The names that a figure follows from.

    >>> needs(energy)
    ('energy_it', 'pue')
    """
    return tuple(inspect.signature(figure).parameters)


@functools.cache
def formula(figure: Callable[..., V]) -> str:
    """A figure's formula, as its code says it.

    >>> formula(energy)
    'energy_it × pue'
    """
    (code,) = ast.parse(inspect.getsource(figure)).body
    assert isinstance(code, ast.FunctionDef)
    returned = code.body[-1]
    assert isinstance(returned, ast.Return)
    assert returned.value is not None
    return ast.unparse(returned.value).replace("*", "×").replace("-", "−")


def run(known: Mapping[str, N]) -> dict[str, N]:
    """Every figure that follows from what is known; a figure that is known already is kept.

    ``known`` holds inputs (the keys of ``INPUTS``) and measured figures, all in SI.  What lacks an
    input is left out.

    >>> run({"energy_it": 7.2e6, "pue": 1.5, "grid": 1e-4})["carbon_operational"]
    1080.0
    """
    values = dict(known)
    for figure in _following(FIGURES, frozenset(known)):
        values[figure.__name__] = cast("N", figure(*[values[need] for need in needs(figure)]))
    return values


@functools.lru_cache(maxsize=256)
def _following(
    figures: tuple[Callable[..., V], ...], known: frozenset[str]
) -> tuple[Callable[..., V], ...]:
    """The figures that follow from what is known, in order."""
    found: list[Callable[..., V]] = []
    names = set(known)
    for figure in figures:
        if figure.__name__ not in names and names.issuperset(needs(figure)):
            found.append(figure)
            names.add(figure.__name__)
    return tuple(found)


def missing(name: str, known: Mapping[str, object]) -> list[str]:
    """The inputs that a figure lacks, down through the figures it follows from.

    >>> missing("energy", {"pue": 1.1, "device_hours": 3.6e6, "mean_power": 500.0})
    ['idle_power', 'host_power', 'billed', 'network_share']
    """
    by_name = {figure.__name__: figure for figure in FIGURES}
    lacking: list[str] = []
    for need in needs(by_name[name]):
        if need in known:
            continue
        follows = need in by_name and need not in INPUTS
        lacking += missing(need, known) if follows else [need]
    return list(dict.fromkeys(lacking))
