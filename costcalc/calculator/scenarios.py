"""Many scenarios at once: hardware × count × region × plan, the same pipeline on arrays.

What depends on the hardware is worked out once for each accelerator and count, what depends on the
place once for each region, a price once for each accelerator, region and plan; then
:func:`costcalc.calculator.formulas.run` broadcasts them.  Each figure equals that of a single
estimate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING

import numpy as np

from costcalc import price
from costcalc.base.errors import InputError, wrong
from costcalc.base.units import unit
from costcalc.calculator import formulas
from costcalc.calculator.calculate import HardwareSide, hardware_side
from costcalc.calculator.result import BY_TIME, UNITS
from costcalc.calculator.room import doubtful
from costcalc.catalog import accelerator as accelerators_
from costcalc.catalog import host as hosts
from costcalc.catalog.instances import rented_in_parts
from costcalc.catalog.region import Region
from costcalc.resolve.hardware import Devices
from costcalc.resolve.known import stated
from costcalc.resolve.names import folders, look_up
from costcalc.resolve.place import desk_of, place, region_named
from costcalc.resolve.price import billed, owned_hardware, prices, quoted
from costcalc.runfile.loading import Input, Request, Source, load
from costcalc.runfile.schema import PLANS, Hardware, Price
from costcalc.runfile.values import Money

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

    Array = NDArray[np.float64]

AXES = ("accelerator", "count", "region", "plan")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenarios:
    """Figures over the axes accelerator × count × region × plan, in the units of a report.

    NaN where a figure cannot be had; ``why`` says why for each accelerator and count that cannot
    run at all (it does not fit, it has no such precision), ``doubtful`` which of the others may not
    hold it (:func:`costcalc.calculator.room.doubtful`).

    >>> run = {"model": {"preset": "llama-3-8b"}, "training": {"tokens": "1B"},
    ...        "hardware": {"accelerator": "h100-sxm5-80", "count": 8}}
    >>> made = scenarios(run, accelerators=["h100-sxm5-80"], counts=[8, 16], regions=["FR", "PL"])
    >>> made.number, made.figures["cost"].shape
    (4, (1, 2, 2, 1))
    """

    axes: Mapping[str, tuple[str | int, ...]]
    figures: Mapping[str, Array]
    utilization: Array  # accelerator × count
    nodes: Array  # accelerator × count × region: instances or hosts
    why: Mapping[tuple[str, int], str]
    doubtful: Mapping[tuple[str, int], str]

    def __repr__(self) -> str:
        axes = " × ".join(f"{axis} {len(names)}" for axis, names in self.axes.items())
        return f"<Scenarios: {axes} = {self.number:,}>"

    @property
    def number(self) -> int:
        """How many scenarios there are."""
        return int(np.prod([len(names) for names in self.axes.values()]))

    def to_pandas(self) -> DataFrame:
        """A row for each scenario: its axes, then its figures; ``attrs["units"]`` says the units.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        from costcalc.calculator.notebook import frame

        shape = [len(names) for names in self.axes.values()]
        places = np.indices(shape).reshape(len(shape), -1)
        columns: dict[str, Sequence[object]] = {
            axis: [names[i] for i in at]
            for (axis, names), at in zip(self.axes.items(), places.tolist(), strict=True)
        }
        columns |= {name: values.ravel().tolist() for name, values in self.figures.items()}
        return frame(columns, {name: UNITS[name] for name in self.figures})


def scenarios(
    source: Source,
    *,
    accelerators: Sequence[str],
    counts: Sequence[int],
    regions: Sequence[str],
    plans: Sequence[str] = ("on-demand",),
    changes: Mapping[str, object] | None = None,
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
    places = [region_named(base, name) for name in regions]
    known: dict[str, Array] = {}
    why: dict[tuple[str, int], str] = {}
    doubts: dict[tuple[str, int], str] = {}
    sides = _hardware(request, accelerators, counts, places, known, why, doubts)
    known |= _places(base, places, sides, len(accelerators))
    _prices(sides, places, plans, known, shape)
    with np.errstate(invalid="ignore"):
        values = formulas.run(known)
    figures = {
        name: np.broadcast_to(values[name] / unit(UNITS[name]).factor, shape)
        if name in values
        else np.full(shape, np.nan)
        for name in BY_TIME
    }
    nothing = np.full((shape[0], shape[1]), np.nan)
    used = known["utilization"][:, :, 0, 0] if "utilization" in known else nothing
    asked: tuple[Sequence[str | int], ...] = (accelerators, counts, regions, plans)
    axes = {name: tuple(listed) for name, listed in zip(AXES, asked, strict=True)}
    return Scenarios(
        axes=axes,
        figures=figures,
        utilization=used,
        nodes=_nodes(sides, places, shape),
        why=why,
        doubtful=doubts,
    )


Sides = Mapping[tuple[int, int, str | None], tuple[Input, Devices]]


def _places(
    base: Input, places: Sequence[Region], sides: Sides, accelerators: int
) -> dict[str, Array]:
    """What depends on the place; its PUE also on whether the devices stand at a desk."""
    desks = {(a, at): desk_of(devices.host.host) for (a, _, at), (_, devices) in sides.items()}
    rows = accelerators if any(desks.values()) else 1
    made: dict[str, Array] = {}
    for r, region in enumerate(places):
        for a in range(rows):
            desk = desks.get((a, region.provider), "")
            for name, item in place(base, region, desk).known.items():
                size = rows if name == "pue" else 1
                column = made.setdefault(name, np.full((size, 1, len(places), 1), np.nan))
                column[min(a, size - 1), 0, r, 0] = item.value
    return made


def _hardware(
    request: Request,
    accelerators: Sequence[str],
    counts: Sequence[int],
    places: Sequence[Region],
    known: dict[str, Array],
    why: dict[tuple[str, int], str],
    doubts: dict[tuple[str, int], str],
) -> Sides:
    """What depends on the hardware and the count; on the place only by its provider's hosts."""
    by_provider: dict[str | None, list[int]] = {}
    for r, region in enumerate(places):
        by_provider.setdefault(region.provider, []).append(r)
    of_region = np.zeros(len(places), dtype=np.int64)
    for p, rows in enumerate(by_provider.values()):
        of_region[rows] = p
    column = {provider: p for p, provider in enumerate(by_provider)}
    shape = (len(accelerators), len(counts), len(by_provider))
    found: dict[str, Array] = {}
    made: dict[tuple[int, int, str | None], tuple[Input, Devices]] = {}
    for a, name in enumerate(accelerators):
        alike = _same_hosts(request, name, places, by_provider)
        for c, count in enumerate(counts):
            given = _changed(request.parts[0], name, count)
            seen: list[HardwareSide] = []
            for providers, rows in alike:
                try:
                    side = hardware_side(given, request, places[rows[0]], like=seen)
                except InputError as error:
                    why[name, count] = "; ".join(p.message for p in error.problems)
                    break
                seen.append(side)
                if doubt := doubtful(side.devices, side.timed):
                    doubts[name, count] = doubt
                made |= {(a, c, provider): (given, side.devices) for provider in providers}
                columns = [column[provider] for provider in providers]
                for key, item in side.inputs.known.items():
                    found.setdefault(key, np.full(shape, np.nan))[a, c, columns] = item.value
    known |= {key: _over_regions(values, of_region) for key, values in found.items()}
    return made


def _nodes(sides: Sides, places: Sequence[Region], shape: tuple[int, int, int, int]) -> Array:
    """How many instances or hosts each hardware takes at each place."""
    of: dict[str | None, list[int]] = {}
    for r, region in enumerate(places):
        of.setdefault(region.provider, []).append(r)
    made = np.ones(shape[:3])
    for (a, c, provider), (_, devices) in sides.items():
        made[a, c, of[provider]] = devices.nodes
    return made


def _over_regions(values: Array, of_region: NDArray[np.int64]) -> Array:
    """Accelerator × count × provider as accelerator × count × region × 1; one region if all alike.

    What no provider's hosts change stays small, and so does all that is worked out of it.
    """
    first = values[:, :, :1]
    if np.array_equal(np.broadcast_to(first, values.shape), values, equal_nan=True):
        return first[:, :, :, None]
    return values[:, :, of_region, None]


def _same_hosts(
    request: Request,
    name: str,
    places: Sequence[Region],
    by_provider: Mapping[str | None, list[int]],
) -> list[tuple[list[str | None], list[int]]]:
    """Providers, and the regions of theirs, that put an accelerator into the same host."""
    own = folders(request.raw, request.parts[0].folder)
    try:
        accelerator = accelerators_.find(name, own).id
    except InputError:
        return [(list(by_provider), list(range(len(places))))]  # told when it is used
    asked = request.parts[0].part.price.provider if request.parts[0].part.price else None
    hardware = request.parts[0].part.hardware or Hardware()
    alike: dict[str, tuple[list[str | None], list[int]]] = {}
    for provider, rows in by_provider.items():
        whose = asked if asked not in (None, "any") else provider
        host = hosts.choose(accelerator, provider=whose, per_node=hardware.per_node, folders=own)
        providers, all_rows = alike.setdefault(host.host.id, ([], []))
        providers.append(provider)
        all_rows += rows
    return list(alike.values())


def _changed(given: Input, accelerator: str, count: int) -> Input:
    """The part on other hardware: what named an instance or a node's size no longer holds."""
    asked = given.part.hardware or Hardware()
    hardware = asked.model_copy(
        update={"accelerator": accelerator, "count": count, "instance": None, "nodes": None}
    )
    return replace(given, part=given.part.model_copy(update={"hardware": hardware}))


def _prices(
    sides: Sides,
    places: Sequence[Region],
    plans: Sequence[str],
    known: dict[str, Array],
    shape: tuple[int, int, int, int],
) -> None:
    """Prices: looked up once for what they depend on, and laid over the rest."""
    groups: dict[tuple[int, str | None], list[int]] = {}
    for a, c, provider in sides:
        groups.setdefault((a, provider), []).append(c)
    for name in ("price", "billed", "electricity"):
        known[name] = np.full(shape, np.nan)
    for (a, provider), counts in groups.items():
        given, devices = sides[a, counts[0], provider]
        for rows in _alike(given, devices, places, provider):
            for p, plan in enumerate(plans):
                found = _priced(sides, a, counts, provider, places[rows[0]], plan)
                for name, values in found.items():
                    known[name][np.ix_([a], counts, rows, [p])] = values[None, :, None, None]


def _alike(
    given: Input, devices: Devices, places: Sequence[Region], provider: str | None
) -> list[list[int]]:
    """Regions of a provider that share their prices: those without one of their own are alike."""
    asked = given.part.price.provider if given.part.price else None
    priced = price.regions_of(devices.accelerator, asked or provider)
    alike: dict[str | None, list[int]] = {}
    for r, region in enumerate(places):
        if region.provider == provider:
            code = region.code.partition(":")[2]
            alike.setdefault(code if code in priced else None, []).append(r)
    return list(alike.values())


def _priced(
    sides: Sides, a: int, counts: Sequence[int], provider: str | None, region: Region, plan: str
) -> dict[str, Array]:
    """Price, billed share and price of electricity for each count."""
    made: dict[str, list[float]] = {"price": [], "billed": [], "electricity": []}
    first, devices = sides[a, counts[0], provider]
    asked = _planned(first, plan).part.price or Price()
    sizes = _sizes(asked, devices, provider)
    quotes: dict[int, price.Quote] = {}
    for c in counts:
        given, devices = sides[a, c, provider]
        if owned_hardware(asked):
            found = prices(_planned(given, plan), devices, region).known
            for name, listed in made.items():
                listed.append(found[name].value if name in found else np.nan)
            continue
        whole = all(devices.count % size == 0 for size in sizes)
        kind = 0 if len(sizes) <= 1 or whole else devices.count  # whole instances, of any size
        if kind not in quotes:
            quotes[kind] = quoted(_planned(given, plan), devices, region)
        quote = quotes[kind]
        made["price"].append(quote.price.value if quote.price else np.nan)
        share = stated(given, "price.billed_share", "1")
        power = stated(given, "price.electricity", "USD/kWh")
        made["billed"].append(share.value if share else billed(devices, quote))
        made["electricity"].append(power.value if power else 0.0)
    return {name: np.array(listed) for name, listed in made.items()}


def _sizes(asked: Price, devices: Devices, provider: str | None) -> frozenset[float]:
    """Devices in the instances that may be rented; the price depends on the count if several."""
    if asked.device_hour is not None or asked.instance_hour is not None:
        return frozenset()
    plan, whose = asked.plan or "on-demand", asked.provider or provider
    parts = rented_in_parts(devices.accelerator.id, whose or "") if plan == "spot" else ()
    found = price.sizes(devices.accelerator, whose, plan)
    return found | {float(size.devices) for size in parts}


def _planned(given: Input, plan: str) -> Input:
    """The part on another plan, or at a price of its own (``2.49 USD``)."""
    asked = given.part.price or Price()
    change = {"plan": plan} if plan in PLANS else {"device_hour": own_price(plan)}
    made = asked.model_copy(update=change)
    return replace(given, part=given.part.model_copy(update={"price": made}))


@cache
def own_price(text: str) -> Money:
    """A price of a device-hour that stands in place of a plan.

    Raises:
        InputError: neither a plan nor a price.

    >>> own_price("2.49 USD").amount
    2.49
    """
    try:
        found = Price.model_validate({"device_hour": text}).device_hour
    except ValueError:
        found = None
    if found is None:
        raise wrong(
            "plans", f'expected one of {", ".join(PLANS)} or a price such as 2.49 USD; got "{text}"'
        )
    return found
