"""The models of a step turned into a utilisation with its range."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from costcalc.base.assumption import Assumption
from costcalc.base.human import number_of
from costcalc.base.ranges import Z95
from costcalc.throughput.basis import kind_of, peak_of
from costcalc.throughput.by_flops import Beside, beside_of, replicas_of, sample_time
from costcalc.throughput.coefficients import HOST_SHARE
from costcalc.throughput.constants import Constants, load
from costcalc.throughput.footprint import footprint_of
from costcalc.throughput.layout import Layout, Machine, Recipe
from costcalc.throughput.memory import stored_on_host
from costcalc.throughput.placement import Placed, shape_for
from costcalc.throughput.ranges import UNMEASURED, chosen, prediction_range, slower
from costcalc.throughput.shape import ModelShape
from costcalc.throughput.step import StepTime, step_time
from costcalc.throughput.transfer import Likeness, MeasuredStep, carried, shares_of
from costcalc.workload.work import Work

KEY = "hardware.utilization"
SOURCE = "step-time model, calibrated (costcalc/data/throughput.yaml)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """A modelled utilisation, where the step's seconds go, and what its error depends on.

    ``pace``: the utilisation over what the model says without measured steps of the machine.
    """

    utilization: Assumption
    breakdown: Mapping[str, float]
    run: Likeness
    pace: float = 1.0


def predict(
    work: Work,
    machine: Machine,
    recipe: Recipe | None,
    placed: Placed,
    kind: str | None = None,
    measured: Sequence[MeasuredStep] = (),
) -> Prediction | None:
    """The modelled MFU; None where neither shapes, parameters nor a sample's FLOPs are known.

    ``kind`` is that of a model whose architecture does not say it (cnn, vit, diffusion);
    ``measured`` are other steps of the same machine, by which it is scaled.
    """
    made = None if recipe is None else _modelled(work, machine, recipe, placed, kind)
    return scaled(made, measured) if made is not None and measured else made


def _modelled(
    work: Work, machine: Machine, recipe: Recipe, placed: Placed, kind: str | None
) -> Prediction | None:
    shape = shape_for(work)
    if shape is not None and placed.layout is not None:
        return _by_step(work, machine, recipe, placed, shape=shape, layout=placed.layout)
    if work.datum == "sample" and work.forward_flops_per_datum and machine.memory_bandwidth:
        return _by_sample(work, machine, recipe, kind or kind_of(work), placed)
    return None


def _by_step(
    work: Work,
    machine: Machine,
    recipe: Recipe,
    placed: Placed,
    *,
    shape: ModelShape,
    layout: Layout,
) -> Prediction:
    """MFU = FLOPs counted / (seconds of the modelled step · devices · peak).

    What the model of a step does not run (of a guessed shape, what was counted beyond it) goes at
    the utilisation of what it runs; what it runs and nobody counts (the input gradient of a first
    layer) is left out in the same way.
    """
    constants = load()
    recipe = replace(recipe, sequence_length=int(shape.sequence_length))
    stored = _stored(work, machine, layout, recipe)
    step = step_time(shape, machine, layout, recipe, constants, stored)
    walked = float(shape.sequence_length * shape.flops_of(work.passes))
    counted = counted_per_sequence(work, shape) or walked
    share = chosen(constants, machine.devices) if placed.free else 1.0
    stretch = (counted - work.passes.adapters) / walked / share
    seconds = float(step.seconds) * stretch
    value = (
        counted
        * recipe.global_batch
        / (seconds * machine.devices * peak_of(machine, recipe.precision))
    )
    hidden = expert_gain(shape, machine, layout, recipe, constants, step)
    parts = _seconds(step, stretch)
    casts = slower(shape.kind, recipe.precision, recipe.method, compiled=recipe.compiled)
    copies = HostRange(0.0, math.inf)
    if stored or layout.hosted > 1:
        apart = step_time(shape, machine, layout, replace(recipe, overlap=False), constants, stored)
        copies = host_range(float(step.seconds), float(step.host), float(apart.host))
    low, high = prediction_range(
        constants,
        generation=machine.generation,
        kind=shape.kind,
        layout_given=placed.by == "given",
        shapes_known=shape.known,
        devices=machine.devices,
        per_node=machine.per_node,
        experts=bool(shape.experts > 0),
        told="software" in recipe.told,
        gain=hidden,
        below=math.hypot(casts, copies.below),
        breakdown=parts,
    )
    high = min(high, copies.most)
    why = ["modelled step"]
    if placed.by == "auto":
        why.append(f"the fastest of {placed.walked} layouts")
        if share < 1:
            why.append(f"less {100 * (1 - share):.2g} %, which runs lose to layouts of their own")
    if hidden > HIDDEN:
        why.append(
            f"× {hidden:.3g} where the traffic of experts hides behind computing, which is not told"
            " (hardware.layout.expert_overlap)"
        )
    if copies.below > math.log(HIDDEN):
        longer = math.exp(copies.below)
        why.append(f"{longer:.3g} times as long where nothing hides copies to and from the host")
    if not shape.known:
        why.append("shapes by rule from the parameter count")
    if machine.generation not in constants.get("generations", {}):
        why.append(f"not calibrated on {machine.generation}")
    if shape.kind in UNMEASURED:
        why.append("no run of this kind of model was measured")
    if casts:
        why.append(
            f"down to half as fast where {recipe.precision} is cast to and from 32 bits kernel by"
            " kernel (training.compiled: true runs them as one)"
        )
    run = _likeness(
        shape.kind, walked / float(shape.sequence_length), machine, recipe, parts, layout
    )
    return Prediction(utilization=_ranged(value, low, high, why), breakdown=parts, run=run)


#: what hiding the traffic of experts has to gain to be told
HIDDEN = 1.02


def expert_gain(
    shape: ModelShape,
    machine: Machine,
    layout: Layout,
    recipe: Recipe,
    constants: Constants,
    step: StepTime,
) -> float:
    """How much faster a step is whose traffic of experts runs beside another micro-batch.

    1 where nobody sends tokens to experts elsewhere, or where the run says whether it hides that.
    Large runs do so or not (DeepSeek-AI 2024, arXiv 2412.19437, section 3.2.1), and what is not
    told belongs into the range.
    """
    if "expert_overlap" in recipe.told or layout.expert <= 1:
        return 1.0
    beside = step_time(shape, machine, layout, replace(recipe, expert_overlap=True), constants)
    return max(float(step.seconds) / float(beside.seconds), 1.0)


def _stored(work: Work, machine: Machine, layout: Layout | None, recipe: Recipe) -> float:
    """Bytes of a micro-batch's activations that a device keeps on its host."""
    footprint = footprint_of(work)
    if footprint is None or layout is None:
        return 0.0
    return float(stored_on_host(footprint, machine, layout, recipe))


class HostRange(NamedTuple):
    """What copies to and from a host do to a range of throughputs.

    ``below``: a further half-width (log) downwards; ``most``: times the value, at the most.
    """

    below: float
    most: float


def host_range(seconds: float, waits: float, copies: float) -> HostRange:
    """The range of a step of ``seconds`` that ``waits`` for ``copies`` (s) over the host's link.

    At the least nothing hides them; at the most the link runs at its nominal rate, of which the
    value has :data:`costcalc.throughput.coefficients.HOST_SHARE`.

    >>> found = host_range(10.0, 6.0, 10.0)  # four seconds of computing hide four of ten
    >>> round(math.exp(found.below), 2), found.most
    (1.4, 1.25)
    """
    most = seconds / (HOST_SHARE * copies) if copies > 0 else math.inf
    return HostRange(math.log1p(max(copies - waits, 0.0) / seconds), most)


def _by_sample(
    work: Work, machine: Machine, recipe: Recipe, kind: str | None, placed: Placed
) -> Prediction:
    """MFU = 3·F / (device-seconds a sample · peak), for what is known by its FLOPs alone.

    Methods other than training all of it go at the same utilisation.
    """
    constants, layout = load(), placed.layout
    forward_flops = work.forward_flops_per_datum or 0.0
    taken = kind if kind in ("cnn", "vit", "diffusion") else "cnn"
    counted = work.flops_per_datum or 3.0 * forward_flops
    beside = _beside(work, machine, recipe, layout, constants)
    beside = beside.over_share(counted / (3.0 * forward_flops))
    time = sample_time(
        forward_flops,
        machine,
        recipe.precision,
        constants,
        kind=taken,
        elements=work.activations,
        fused=recipe.kernels == "fused",
        layers=work.layers,
        batch=launched(machine, recipe, layout if placed.accumulates else None),
        replicas=replicas_of(work.parameters, machine, recipe, constants),
        beside=beside,
    )
    value = 3.0 * forward_flops / (float(time.seconds) * peak_of(machine, recipe.precision))
    why = ["modelled from the FLOPs of a sample" + (f", as a {taken}" if kind != taken else "")]
    steps = recipe.global_batch / machine.devices * counted / (3.0 * forward_flops)
    of = {"compute": time.compute, "memory": time.memory, "data": time.late, "launch": time.launch}
    of |= {"optimizer": time.update, "host": time.host}
    parts = {name: float(seconds) * steps for name, seconds in of.items() if seconds}
    named = kind if kind == "detector" else taken
    casts = slower(named, recipe.precision, recipe.method, compiled=recipe.compiled)
    if casts:
        why.append(_SLOWER[named])
    copies = host_range(float(time.seconds), float(time.host), beside.over)
    low, high = prediction_range(
        constants,
        generation=machine.generation,
        kind=taken,
        devices=machine.devices,
        below=math.hypot(casts, copies.below),
        breakdown=parts,
    )
    high = min(high, copies.most)
    run = _likeness(taken, 3.0 * forward_flops, machine, recipe, parts, layout)
    return Prediction(utilization=_ranged(value, low, high, why), breakdown=parts, run=run)


#: why a net known by its FLOPs may be slower than those that were measured
_SLOWER = {
    "vit": "down to half as fast where 16 bits are cast to by an eager framework",
    "diffusion": "down to half as fast where encoders run in each step and it recomputes",
    "detector": "losses and mosaics of detection are not modelled: down to a third as fast",
}


def _beside(
    work: Work, machine: Machine, recipe: Recipe, layout: Layout | None, constants: Constants
) -> Beside:
    if layout is None or not work.parameters:
        return Beside()
    stored = _stored(work, machine, layout, recipe)
    return beside_of(work.parameters, machine, recipe, layout, constants, stored)


def launched(machine: Machine, recipe: Recipe, layout: Layout | None = None) -> float:
    """Samples for which a device's host launches its layers once; infinite where none does.

    They are a device's share of the batch, or its micro-batch, where gradients are accumulated.
    """
    if recipe.compiled or machine.kind in ("tpu", "asic"):
        return math.inf
    share = recipe.global_batch / machine.devices
    return max(share if layout is None else min(share, float(layout.micro_batch)), 1.0)


def _likeness(
    kind: str,
    flops: float,
    machine: Machine,
    recipe: Recipe,
    breakdown: Mapping[str, float],
    layout: Layout | None,
) -> Likeness:
    """What the error of this step depends on; ``flops``: of training on a token or a sample."""
    axes = layout or Layout(micro_batch=max(recipe.global_batch / machine.devices, 1.0))
    sizes = (flops, machine.devices, recipe.sequence_length, axes.micro_batch, axes.tensor,
             axes.pipeline)  # fmt: skip
    return Likeness(
        sizes=tuple(math.log2(max(float(size), 1e-9)) for size in sizes),
        words=(recipe.precision, kind, recipe.method, *_software(recipe, axes)),
        shares=shares_of(breakdown),
    )


def _software(recipe: Recipe, axes: Layout) -> tuple[str, ...]:
    """Base, software, attention, recompute, states and kernels, as words of a likeness."""
    host = "host" if axes.activations else "device"
    states = (axes.offload, host, recipe.states, recipe.gradients, recipe.optimizer)
    kernels = ("compiled" if recipe.compiled else "eager", recipe.kernels, recipe.logits)
    base = recipe.base_precision or ""
    return (base, recipe.software, recipe.attention, axes.recompute, " ".join(states),
            " ".join(kernels))  # fmt: skip


#: correlation with the nearest measured step below which it says little
FAR = 0.3


def scaled(made: Prediction, measured: Sequence[MeasuredStep]) -> Prediction:
    """A modelled rate scaled by measured steps of its machine, and its range narrowed by them."""
    found = carried(measured, made.run)
    factor, spread = math.exp(found.mean), Z95 * found.spread
    before = made.utilization
    value = min(before.value * factor, 1.0)
    # measured steps never make a range wider than it was without them
    low = max(before.low / before.value, math.exp(-spread))
    high = min(before.high / before.value, math.exp(spread))
    steps = number_of(len(measured), "measured step")
    far = "; little like this run" if found.alike < FAR else ""
    why = f"{before.why}; × {factor:.3g} after {steps} of this machine{far}"
    utilization = replace(
        before, value=value, low=value * low, high=max(value, min(value * high, 1.0)), why=why
    )
    slower = before.value / value
    parts = {name: seconds * slower for name, seconds in made.breakdown.items()}
    return replace(made, utilization=utilization, breakdown=parts, pace=value / before.value)


def _seconds(step: StepTime, stretch: float) -> dict[str, float]:
    return {name: float(part) * stretch for name, part in step.breakdown().items()}


def counted_per_sequence(work: Work, shape: ModelShape) -> float | None:
    """FLOPs of a sequence (or sample) as counted, without those of generating it."""
    if not work.flops_per_datum:
        return None
    data = float(shape.sequence_length) if work.tally is None else work.tally.tokens
    return work.flops_per_datum * (1.0 if work.datum == "sample" else data) - work.passes.generated


def _ranged(value: float, low: float, high: float, why: list[str]) -> Assumption:
    value = min(value, 1.0)
    return Assumption(
        key=KEY,
        value=value,
        low=value * low,
        high=max(value, min(value * high, 1.0)),
        unit="1",
        basis="modelled",
        source=SOURCE,
        why="; ".join(why),
    )
