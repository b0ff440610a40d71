"""The calculator: a run file in, an :class:`~costcalc.calculator.result.Estimate` out.

Read :func:`cost_of`: what is trained, on what, where, how fast, what it draws, what it costs; then
:mod:`costcalc.calculator.formulas` once at every central value and once on draws.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from costcalc.base.assumption import Assumption, Choice, exact
from costcalc.base.ranges import DRAWS, draw
from costcalc.calculator import formulas as pipeline
from costcalc.calculator.outcome import combined, single
from costcalc.calculator.part import Part
from costcalc.calculator.result import Estimate
from costcalc.catalog import region as regions
from costcalc.catalog.region import Region
from costcalc.resolve import inputs
from costcalc.resolve.hardware import Devices, devices_of
from costcalc.resolve.measured import with_measured
from costcalc.resolve.names import folders, look_up
from costcalc.resolve.time import (
    Timed,
    goodput,
    precision_of,
    speed_is_given,
    speed_is_measured,
    timed,
)
from costcalc.resolve.workload import Trained, trained
from costcalc.runfile.loading import Input, Request, Source, load


def estimate(
    source: Source, *, changes: Mapping[str, Any] | None = None, ranges: bool = True
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
    number = DRAWS if ranges else 0
    parts = [cost_of(given, request, number) for given in request.parts]
    if not request.run.stages:
        return single(parts[0], request)
    return combined(parts, request)


# --- one part ------------------------------------------------------------------------------------


def cost_of(given: Input, request: Request, number: int) -> Part:
    """One part through every stage: its assumptions, central values, and ``number`` draws of each.

    Raises:
        InputError: it does not fit, or a figure of it cannot be read.
    """
    region = region_of(given)
    side = hardware_side(given, request, region)
    known, why, notes = dict(side.known), dict(side.why), list(side.notes)
    for found in (inputs.site(given, region), inputs.prices(given, side.devices, region)):
        known |= found.known
        why |= found.why
        notes += found.notes
    known, measured = with_measured(given, known)
    values = pipeline.run({name: item.value for name, item in known.items()})
    draws: dict[str, Any] = {}
    if number:
        draws = pipeline.run({name: draw(item, number) for name, item in known.items()})
    time = side.timed
    warnings = (*(time.throughput.warnings if time else ()), *notes)
    return Part(
        given=given,
        trained=side.trained,
        devices=side.devices,
        timed=time,
        region=region,
        assumptions=(*side.assumptions, *known.values()),
        values=values,
        draws=draws,
        measured=measured,
        why=why,
        warnings=warnings,
    )


def region_of(given: Input) -> Region | None:
    """Where a part runs; PUE is the provider's where only a country is given."""
    site = given.part.site
    if site is None or site.region is None:
        return None
    asked = given.part.price.provider if given.part.price else None
    named = asked if asked != "any" and ":" not in site.region else None
    return regions.find(site.region, provider=named)


@dataclass(frozen=True, slots=True, kw_only=True)
class HardwareSide:
    """What depends on the model and the hardware, and not on the place or the price."""

    devices: Devices
    trained: Trained
    timed: Timed | None
    known: Mapping[str, Assumption]
    assumptions: tuple[Assumption | Choice, ...]
    why: Mapping[str, str]
    notes: tuple[str, ...]


def hardware_side(
    given: Input, request: Request, region: Region | None, *, like: Sequence[HardwareSide] = ()
) -> HardwareSide:
    """Time, power and embodied carbon of a part; of the region only its provider's hosts matter.

    ``like``: the same part elsewhere; what is trained is the same, and so is the timing of one
    whose machine is the same.
    """
    asked = given.part.price.provider if given.part.price else None
    provider = asked if asked not in (None, "any") else region.provider if region else None
    devices = devices_of(given, provider, folders(request.raw, given.folder))
    work = like[0].trained if like else trained(given)
    assumed: list[Assumption | Choice] = [*work.assumptions, *devices.assumptions]
    precision, choice = precision_of(given, devices)
    time: Timed | None = None
    if work.work is not None:
        assumed += [choice] if choice else []
        same = next((one for one in like if one.devices.machine == devices.machine), None)
        if same is not None:
            time = same.timed
            assumed += time.assumptions if time else ()
        elif not _time_is_measured(given) or speed_is_given(given):
            time = timed(given, work.work, devices, precision, work.workload)
            assumed += time.assumptions
    known = _time_inputs(given, work, devices, time, precision)
    power = inputs.power(
        devices,
        _kind(work),
        utilization=_hardware_use(work, time),
        precision=precision,
        slower=known["goodput"].basis == "default" and not speed_is_measured(given),
    )
    made = inputs.embodied(devices)
    return HardwareSide(
        devices=devices,
        trained=work,
        timed=time,
        known={**known, **power.known, **made.known},
        assumptions=tuple(assumed),
        why={**power.why, **made.why},
        notes=power.notes,
    )


def _hardware_use(work: Trained, time: Timed | None) -> float | None:
    """Hardware FLOPs utilization: what is recomputed draws power too."""
    if time is None or work.work is None:
        return None
    layout = time.throughput.layout
    again = getattr(work.work.recompute, layout.recompute) if layout else 0.0
    return min(time.throughput.utilization.value * (1.0 + again), 1.0)


def _kind(work: Trained) -> str:
    from costcalc.throughput.basis import kind_of

    return work.workload or (kind_of(work.work) if work.work else None) or "other"


def _time_is_measured(given: Input) -> bool:
    measured = given.part.measured
    return measured is not None and bool(measured.wall_clock or measured.device_hours)


def _time_inputs(
    given: Input, work: Trained, devices: Devices, time: Timed | None, precision: str
) -> dict[str, Assumption]:
    """The inputs that say how long it takes."""
    runs = given.part.training.runs if given.part.training else None
    known = {
        "devices": exact(
            "hardware.devices",
            devices.reserved,
            "device",
            basis="given",
            source="run file",
            where=given.place("hardware", "count"),
        ),
        "runs": exact(
            "training.runs",
            runs or 1.0,
            "1",
            basis="given" if runs else "default",
            source="run file" if runs else "costcalc",
            where=given.place("training", "runs"),
        ),
        "goodput": goodput(given),
    }
    if work.work is not None:
        known |= _flops(work, time)
    if time is None:
        return known
    found = time.throughput
    known["peak"] = exact(
        "hardware.peak",
        found.peak / devices.share,
        "TFLOP/s",
        basis="profile",
        source=_peak_source(devices, precision),
        why=f"dense {precision} peak a device",
    )
    known["utilization"] = replace(found.utilization, key="hardware.utilization")
    if found.generation is not None:
        known["generation"] = replace(found.generation, key="training.generation_time")
    elif not found.generation_why:
        known["generation"] = exact(
            "training.generation_time",
            0.0,
            "s",
            basis="modelled",
            source="costcalc",
            why="nothing is generated",
        )
    return known


def _flops(work: Trained, time: Timed | None) -> dict[str, Assumption]:
    assert work.work is not None
    total, spread = work.work.model_flops, work.work.spread
    basis = "given" if work.work.convention.startswith("as given") else "modelled"
    counted = Assumption(
        key="training.model_flops",
        value=total,
        low=total / spread,
        high=total * spread,
        unit="FLOP",
        basis="given" if basis == "given" else "modelled",
        source="run file" if basis == "given" else "counted by costcalc",
        why=work.work.convention,
    )
    made = {"model_flops": counted}
    if time is not None:
        share = time.throughput.training_flops / total if total else 1.0
        made["training_flops"] = (
            replace(
                counted,
                value=counted.value * share,
                low=counted.low * share,
                high=counted.high * share,
            )
            if share != 1.0
            else counted
        )
    return made


def _peak_source(devices: Devices, precision: str) -> str:
    peak = devices.accelerator.peak
    figure = getattr(peak, {"mxfp8": "fp8"}.get(precision, precision), None)
    return devices.accelerator.sources[figure.source].title if figure else "profile"
