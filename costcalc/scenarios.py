"""Many scenarios at once: hardware × count × region × plan, the same pipeline on arrays.

What depends on the hardware is worked out once for each accelerator and count, what depends on the
place once for each region, a price once for each accelerator, region and plan; then
:func:`costcalc.pipeline.run` broadcasts them.  Each figure equals that of a single estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from costcalc import calculator
from costcalc import inputs, pipeline
from costcalc.catalog import region as regions_
from costcalc.catalog.region import Region
from costcalc.errors import InputError
from costcalc.hardware import Devices
from costcalc.lookup import look_up
from costcalc.request import Input, Request, Source, load
from costcalc.results import UNITS
from costcalc.run import Hardware, Price
from costcalc.units import unit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

AXES = ("accelerator", "count", "region", "plan")
FIGURES = ("wall_clock", "device_hours", "cost", "energy", "energy_it", "water",
           "carbon_operational", "carbon_embodied", "carbon_total")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenarios:
    """Figures over the axes accelerator × count × region × plan, in the units of a report.

    NaN where a figure cannot be had; ``why`` says why for each accelerator and count that cannot
    run at all (it does not fit, it has no such precision).
    """

    axes: Mapping[str, tuple[Any, ...]]
    figures: Mapping[str, Array]
    utilization: Array  # accelerator × count
    why: Mapping[tuple[str, int], str]

    @property
    def number(self) -> int:
        """How many scenarios there are."""
        return int(np.prod([len(names) for names in self.axes.values()]))


def scenarios(
    source: Source,
    *,
    accelerators: Sequence[str],
    counts: Sequence[int],
    regions: Sequence[str],
    plans: Sequence[str] = ("on-demand",),
    changes: Mapping[str, Any] | None = None,
) -> Scenarios:
    """Every combination of hardware, count, region and price plan for one run.

    Raises:
        InputError: the run file has problems, or has stages.

    >>> found = scenarios(
    ...     {"model": {"preset": "llama-3-8b"}, "training": {"tokens": "1T"},
    ...      "hardware": {"accelerator": "h100-sxm5-80", "count": 64}},
    ...     accelerators=["h100-sxm5-80"], counts=[64, 128], regions=["FR", "PL"])
    >>> found.number, found.figures["carbon_total"].shape
    (4, (1, 2, 2, 1))
    """
    request = load(source, look_up, changes=changes)
    if len(request.parts) != 1:
        raise InputError(request.document.problem(("stages",), "scenarios take one stage"))
    shape = (len(accelerators), len(counts), len(regions), len(plans))
    base = request.parts[0]
    places = [regions_.find(name, provider=_provider(base, name)) for name in regions]
    known: dict[str, Array] = {}
    why: dict[tuple[str, int], str] = {}
    sides = _hardware(request, accelerators, counts, places, known, why)
    for r, region in enumerate(places):
        for name, item in inputs.site(base, region).known.items():
            _set(known, name, (1, 1, shape[2], 1), (0, 0, r, 0), item.value)
    _prices(sides, places, plans, known, shape)
    with np.errstate(invalid="ignore"):
        values = pipeline.run(known)
    figures = {
        name: np.broadcast_to(values[name] / unit(UNITS[name]).factor, shape)
        if name in values else np.full(shape, np.nan)
        for name in FIGURES
    }
    nothing = np.full((shape[0], shape[1]), np.nan)
    used = known["utilization"][:, :, 0, 0] if "utilization" in known else nothing
    axes = dict(zip(AXES, (tuple(accelerators), tuple(counts), tuple(regions), tuple(plans)),
                    strict=True))
    return Scenarios(axes=axes, figures=figures, utilization=used, why=why)


def _set(
    known: dict[str, Array], name: str, shape: tuple[int, ...], at: tuple[int, ...], value: float
) -> None:
    if name not in known:
        known[name] = np.full(shape, np.nan)
    known[name][at] = value


def _provider(given: Input, name: str) -> str | None:
    asked = given.part.price.provider if given.part.price else None
    return asked if asked != "any" and ":" not in name else None


Sides = Mapping[tuple[int, int, str | None], tuple[Input, Devices]]


def _hardware(
    request: Request, accelerators: Sequence[str], counts: Sequence[int],
    places: Sequence[Region], known: dict[str, Array], why: dict[tuple[str, int], str],
) -> Sides:
    """What depends on the hardware and the count; on the place only by its provider's hosts."""
    shape = (len(accelerators), len(counts), len(places), 1)
    by_provider: dict[str | None, list[int]] = {}
    for r, region in enumerate(places):
        by_provider.setdefault(region.provider, []).append(r)
    made: dict[tuple[int, int, str | None], tuple[Input, Devices]] = {}
    for a, name in enumerate(accelerators):
        for c, count in enumerate(counts):
            given = _changed(request.parts[0], name, count)
            for provider, rows in by_provider.items():
                try:
                    side = calculator.hardware_side(given, request, places[rows[0]])
                except InputError as error:
                    why[name, count] = "; ".join(p.message for p in error.problems)
                    break
                made[a, c, provider] = given, side.devices
                for key, item in side.known.items():
                    if key not in known:
                        known[key] = np.full(shape, np.nan)
                    known[key][a, c, rows, 0] = item.value
    return made


def _changed(given: Input, accelerator: str, count: int) -> Input:
    """The part on other hardware: what named an instance or a node's size no longer holds."""
    asked = given.part.hardware or Hardware()
    hardware = asked.model_copy(update={
        "accelerator": accelerator, "count": count, "instance": None, "nodes": None,
    })
    return replace(given, part=given.part.model_copy(update={"hardware": hardware}))


def _prices(
    sides: Sides, places: Sequence[Region], plans: Sequence[str], known: dict[str, Array],
    shape: tuple[int, int, int, int],
) -> None:
    """A price for each accelerator, region and plan; the instance and what is billed by the count."""
    for (a, c, provider), (given, devices) in sides.items():
        for p, plan in enumerate(plans):
            planned = _planned(given, plan)
            for r, region in enumerate(places):
                if region.provider != provider:
                    continue
                for name, item in inputs.prices(planned, devices, region).known.items():
                    _set(known, name, shape, (a, c, r, p), item.value)


def _planned(given: Input, plan: str) -> Input:
    price = (given.part.price or Price()).model_copy(update={"plan": plan})
    return replace(given, part=given.part.model_copy(update={"price": price}))
