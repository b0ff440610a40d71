"""Measured rows as arrays take them: what the calculator makes of each row's run file.

A fit evaluates a thousand rows some hundred times, which run by run would take a day.  So shape,
machine, layout and recipe of every row are taken from the calculator once, and the fit calls the
model of the step on all of them at once; what is scored comes from the calculator itself.  A layout
that the calculator searched in part is that of the constants which ship now.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from costcalc.base.errors import InputError
from costcalc.calculator.calculate import HardwareSide, hardware_side
from costcalc.resolve.names import look_up
from costcalc.resolve.place import region_of
from costcalc.runfile.loading import load
from costcalc.throughput import by_flops
from costcalc.throughput.basis import data_per_step
from costcalc.throughput.by_flops import Replicas
from costcalc.throughput.layout import Layout, Machine, Recipe, StepRecipe, training_of
from costcalc.throughput.placement import shape_for
from costcalc.throughput.predict import launched
from costcalc.throughput.shape import ModelShape
from costcalc.validate.measurements import Measured, models
from costcalc.validate.run_files import run_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A configuration as the model of a step takes it."""

    shape: ModelShape
    machine: Machine
    axes: Layout
    training: StepRecipe
    precision: str
    per_step: float  # data a step, in the unit of the measured rate


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleCase:
    """A configuration whose model is known by its FLOPs alone."""

    group: str
    kind: str
    forward_flops: float
    elements: float | None
    machine: Machine
    precision: str
    rate: float  # samples a second and device
    fused: bool
    layers: float | None
    batch: float
    parameters: float | None
    recipe: Recipe


# What ran has fitted, whatever is said of its memory: with a measured step nothing is refused.
_RAN = {"hardware.calibrate": {"step_time": "1 Ms"}}


def side_of(measured: Measured) -> HardwareSide | None:
    """What the calculator works out of a row, or None where it refuses it."""
    try:
        request = load(run_of(measured.row), look_up, changes=_RAN)
        return hardware_side(request.parts[0], request, region_of(request.parts[0]))
    except InputError:
        return None


def case_of(measured: Measured) -> Case | None:
    """A row whose layers are known; None where the calculator refuses it or knows no layers."""
    side = side_of(measured) if measured.sized else None
    if side is None or side.timed is None or side.trained.work is None:
        return None
    work, recipe, layout = side.trained.work, side.timed.recipe, side.timed.throughput.layout
    shape = shape_for(work)
    if shape is None or layout is None:
        return None
    by_sequence = work.datum == "token" and not measured.row["tokens_per_s"]
    each = float(recipe.sequence_length) if by_sequence else 1.0
    training = training_of(recipe)
    return Case(
        shape=shape, machine=side.devices.machine, axes=layout, training=training,
        precision=recipe.precision, per_step=data_per_step(work, recipe) / each,
    )  # fmt: skip


def sample_case(measured: Measured) -> SampleCase | None:
    """A row for :func:`costcalc.throughput.by_flops.sample_time`, or None."""
    known = models().get(measured.row["shape"])
    side = side_of(measured) if known is not None and known["forward_gflop"] else None
    if known is None or side is None or side.timed is None or side.trained.work is None:
        return None
    work, recipe = side.trained.work, side.timed.recipe
    return SampleCase(
        group=measured.group, kind=known["kind"], elements=work.activations,
        forward_flops=work.forward_flops_per_datum or math.nan, machine=side.devices.machine,
        precision=recipe.precision, rate=measured.rate, fused=recipe.kernels == "fused",
        layers=work.layers, batch=launched(side.devices.machine, recipe),
        parameters=work.parameters, recipe=recipe,
    )  # fmt: skip


def between(case: SampleCase, constants: Mapping[str, Any]) -> Replicas | None:
    """Who adds up gradients with whom, with these constants."""
    return by_flops.replicas_of(case.parameters, case.machine, case.recipe, constants)


def sample_error(
    case: SampleCase, constants: Mapping[str, Any], replicas: Replicas | None
) -> float:
    """Logarithm of predicted over measured rate, with these constants."""
    time = by_flops.sample_time(
        case.forward_flops, case.machine, case.precision, constants, case.kind, case.elements,
        fused=case.fused, layers=case.layers, batch=case.batch,
        replicas=replicas,
    )  # fmt: skip
    return -math.log(time.seconds * case.rate)
