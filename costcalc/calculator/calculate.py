"""The calculator: a run file in, an :class:`~costcalc.calculator.result.Estimate` out.

Read :func:`cost_of`: what is trained, on what, where, how fast, what it draws, what it costs; then
:mod:`costcalc.calculator.formulas` once at every central value and once on draws.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from costcalc.base.assumption import Assumption, Choice
from costcalc.base.numbers import Number
from costcalc.base.ranges import DRAWS, drawn
from costcalc.calculator import formulas
from costcalc.calculator.calculated import Calculated
from costcalc.calculator.figures import combined, single
from costcalc.calculator.result import Estimate
from costcalc.catalog.displaced import displaced
from costcalc.catalog.region import Region
from costcalc.resolve.calibration import measured_steps
from costcalc.resolve.embodied import embodied
from costcalc.resolve.goodput import speed_is_given, speed_is_measured
from costcalc.resolve.hardware import Devices, devices_of, precision_of
from costcalc.resolve.known import Known
from costcalc.resolve.measured import with_measured
from costcalc.resolve.names import folders, look_up, spelt, taken
from costcalc.resolve.place import desk_of, place, region_of
from costcalc.resolve.power import power
from costcalc.resolve.price import prices
from costcalc.resolve.remembered import remembered
from costcalc.resolve.time import Timed, time_inputs, time_is_measured, timed
from costcalc.resolve.unread import uninterrupted, unread
from costcalc.resolve.workload import Trained, trained
from costcalc.runfile.loading import Input, Request, Source, load


def estimate(
    source: Source, *, changes: Mapping[str, object] | None = None, ranges: bool = True
) -> Estimate:
    """What a run costs in time, money, energy and CO2e, with ranges and sources.

    ``source`` is the path of a run file, a mapping in its shape, or a Run; ``changes`` are dotted
    keys laid over it; without ``ranges`` low and high equal the value.

    Raises:
        InputError: every problem of the file, at its line.

    >>> made = estimate({"model": {"preset": "llama-3-8b"}, "training": {"tokens": "15T"},
    ...                  "hardware": {"accelerator": "h100-sxm5-80", "count": 1024},
    ...                  "site": {"region": "aws:us-east-1"}})
    >>> made.results["parameters"].value
    8030261248.0
    """
    return estimated(load(source, look_up, changes=changes), ranges=ranges)


def estimated(request: Request, *, ranges: bool = True) -> Estimate:
    """The estimate of a request that is checked; see :func:`estimate`.

    Raises:
        InputError: it does not fit, or a figure of it cannot be read.
    """
    return whole(request, DRAWS if ranges else 0).estimate


@dataclass(frozen=True, kw_only=True)
class Whole:
    """The parts of a request, and the estimate that they make, when it is read."""

    request: Request
    parts: Sequence[Calculated]

    @cached_property
    def estimate(self) -> Estimate:
        """All figures in their units, with ranges and reasons."""
        parts, request = self.parts, self.request
        made = combined(parts, request) if request.run.stages else single(parts[0], request)
        return replace(made, notes=request.document.notes)

    def drawn(self, name: str) -> Number | None:
        """The draws of a figure that adds up over parts, in SI; None where a part has none."""
        total: Number = 0.0
        for part in self.parts:
            if name not in part.values:
                return None
            total = total + part.draws.get(name, part.values[name])
        return total


def whole(
    request: Request, number: int, each: Callable[[Calculated], Calculated] | None = None
) -> Whole:
    """A request that is checked, estimated on ``number`` draws; ``each`` changes a part first.

    Raises:
        InputError: it does not fit, or a figure of it cannot be read.
    """
    parts = [cost_of(given, request, number) for given in request.parts]
    if each:
        parts = [each(part) for part in parts]
    return Whole(request=request, parts=parts)


# --- one part ------------------------------------------------------------------------------------


def cost_of(given: Input, request: Request, number: int) -> Calculated:
    """One part through every stage: its assumptions, central values, and ``number`` draws of each.

    Raises:
        InputError: it does not fit, or a figure of it cannot be read.
    """
    region = region_of(given)
    side = hardware_side(given, request, region)
    there = place(given, region, desk_of(side.devices.host.host))
    stages = (side.inputs, there, prices(given, side.devices, region))
    found = {k: v for one in stages for k, v in one.known.items()}
    said, of_all = with_measured(given, found)
    known = {**found, **of_all}
    time = side.timed
    notes = [note for one in stages for note in one.notes]
    return Calculated(
        given=given,
        trained=side.trained,
        devices=side.devices,
        timed=time,
        region=region,
        assumptions=(*side.assumptions, *{**found, **said}.values()),
        known=known,
        values=formulas.run({name: float(item.value) for name, item in known.items()}),
        draws=formulas.run(drawn(known, number)) if number else {},
        measured=frozenset(said),
        why={name: why for one in stages for name, why in one.why.items()},
        warnings=(
            *taken(given.raw, folders(request.raw, given.folder)),
            *spelt(given.raw),
            *displaced(side.devices.accelerator, side.devices.host.host),
            *(f"model: {note}" for note in side.trained.notes),
            *unread(given, side.trained),
            *uninterrupted(given.part),
            *(time.throughput.warnings if time else ()),
            *notes,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareSide:
    """What depends on the model and the hardware, and not on the place or the price."""

    devices: Devices
    trained: Trained
    timed: Timed | None
    inputs: Known
    assumptions: tuple[Assumption | Choice, ...]


def hardware_side(
    given: Input, request: Request, region: Region | None, *, like: Sequence[HardwareSide] = ()
) -> HardwareSide:
    """Time, power and embodied carbon of a part; of the region only its provider's hosts matter.

    ``like``: the same part elsewhere; what is trained is the same, and so is the timing of one
    whose machine is the same.
    """
    asked = given.part.price.provider if given.part.price else None
    provider = asked if asked not in (None, "any") else region.provider if region else None
    own = folders(request.raw, given.folder)
    return _side(given, provider, own, like=like) if like else _side(given, provider, own)


@remembered("model", "training", "hardware", "measured", "embodied")
def _side(
    given: Input, provider: str | None, own: tuple[Path, ...], *, like: Sequence[HardwareSide] = ()
) -> HardwareSide:
    devices = devices_of(given, provider, own)
    work = like[0].trained if like else trained(given)
    precision, choice = precision_of(given, devices.accelerator)
    time: Timed | None = None
    if work.work is not None:
        same = next((one for one in like if one.devices.machine == devices.machine), None)
        if same is not None:
            time = same.timed
        elif not time_is_measured(given) or speed_is_given(given):
            steps = measured_steps(given, devices.accelerator)
            time = timed(
                given,
                work.work,
                devices,
                precision,
                work.workload,
                steps,
                on=lambda other: devices_of(other, provider, own),
            )
    times = time_inputs(given, work, devices, time, precision)
    watts = power(
        given,
        devices,
        work,
        time,
        precision=precision,
        slower=times.known["goodput"].basis == "default" and not speed_is_measured(given),
    )
    making = embodied(given, devices)
    return HardwareSide(
        devices=devices,
        trained=work,
        timed=time,
        inputs=Known(
            known={**times.known, **watts.known, **making.known},
            why={**times.why, **watts.why, **making.why},
            notes=watts.notes,
        ),
        assumptions=(
            *work.assumptions,
            *devices.assumptions,
            *((choice,) if choice and work.work is not None else ()),
            *(time.assumptions if time else ()),
        ),
    )
