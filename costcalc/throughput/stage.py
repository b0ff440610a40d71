"""The stage: from what has to be computed and on what, to seconds.

Measured figures win; then the step-time model, wherever the model's shapes or at least its
parameters are known; then the measured efficiency of runs like it (:mod:`.efficiency`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from costcalc.base.assumption import Assumption, exact
from costcalc.base.errors import wrong
from costcalc.base.vocabulary import usual_precision
from costcalc.throughput import basis
from costcalc.throughput.constants import load
from costcalc.throughput.efficiency import efficiency
from costcalc.throughput.layout import Layout, Machine, Recipe
from costcalc.throughput.memory import Range
from costcalc.throughput.placement import place, shape_for
from costcalc.throughput.predict import Prediction, predict
from costcalc.throughput.space import Fixed
from costcalc.throughput.transfer import MeasuredStep
from costcalc.workload.work import Work

KEY = "hardware.utilization"


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenSpeed:
    """What the user has measured or fixed, in SI; None where nothing is said.

    ``throughput`` is in ``throughput_unit``: token/s or sample/s of the whole job, or FLOP/s a
    device.  ``basis_peak`` and ``basis_attention``: the peak and the attention count that a
    measured utilization or FLOP/s refers to (default: the stated precision, causal).
    ``step_time``: one measured step (``hardware.calibrate``).  ``steps``: other measured steps of
    this machine (``hardware.calibration``), which scale what is modelled.  ``fixed``: what an
    automatic layout must keep; ``usual``: what it keeps beside that, the first where a layout fits.
    ``alone``: the software, where it divides the batch alone; ``ways_out`` words what else fits.
    ``recompute_free``: the layout given leaves recompute open.
    ``generation``: seconds of decoding in one run, of a method that generates.
    ``workload``: the kind of model where the architecture does not say it (cnn, vit, diffusion,
    llm, bert, t5, speech).
    """

    utilization: float | None = None
    throughput: float | None = None
    throughput_unit: str = "token/s"
    basis_peak: str | None = None
    basis_attention: str | None = None
    step_time: float | None = None
    generation: float | None = None
    steps: tuple[MeasuredStep, ...] = ()
    fixed: Fixed | None = None
    usual: tuple[Fixed, ...] = ()
    alone: str = ""
    ways_out: Callable[[], str] | None = None
    recompute_free: bool = False
    workload: str | None = None
    where: str | None = None

    @property
    def measured(self) -> bool:
        """Whether a measured figure takes the place of the prediction."""
        return (self.utilization, self.throughput, self.step_time) != (None, None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """How fast it trains, while it trains (goodput is not in it), and in which layout.

    ``utilization``: MFU over ``peak`` (FLOP/s a device, dense, at ``precision``); ``generation``:
    seconds of decoding in one run (PPO, GRPO; None where there is none or it cannot be had).
    ``training_flops`` / (devices · peak · utilization) + generation = ``seconds`` of one run.
    ``rate``: token/s or sample/s; ``step_time`` in s; None with a reason in ``why``.
    ``modelled``: what is predicted, also where something measured takes its place.
    ``layout_by``: given, auto or none; ``layout_kept``: what its search kept to;
    ``breakdown``: seconds of the modelled step by cause.
    """

    utilization: Assumption
    generation: Assumption | None
    generation_why: str
    peak: float
    precision: str
    convention: str
    training_flops: float
    achieved: float
    step_time: float | None
    rate: float | None
    seconds: float | None
    why: str
    layout: Layout | None
    layout_by: Literal["given", "auto", "none"]
    layout_kept: Fixed | None
    layouts_walked: int
    memory: Range | None
    memory_why: str
    modelled: Prediction | None = None
    memory_parts: Mapping[str, float] = field(default_factory=dict)
    breakdown: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def throughput(
    work: Work,
    machine: Machine,
    recipe: Recipe | None,
    *,
    layout: Layout | None = None,
    given: GivenSpeed | None = None,
) -> Throughput:
    """Seconds of one run, with MFU, layout and memory.

    Raises InputError where the machine has no peak for the precision, where a measured figure
    cannot be read (its basis is asked for in 8 and 4 bits), or where the low end of the memory
    exceeds the device and nothing measured says otherwise.
    """
    given = given or GivenSpeed()
    recipe = recipe and replace(recipe, passes=work.passes)
    precision = recipe.precision if recipe else _only_precision(machine)
    peak = basis.peak_of(machine, precision)
    placed = place(
        work,
        machine,
        recipe,
        layout,
        given.fixed,
        given.usual,
        recompute_free=given.recompute_free,
        must_fit=not given.measured,
        alone=given.alone,
        ways_out=given.ways_out,
    )
    predicted = predict(work, machine, recipe, placed, given.workload, given.steps)
    measured = _measured(work, machine, recipe, given, precision)
    utilization = (
        measured
        or (predicted.utilization if predicted else None)
        or _from_cells(work, machine, precision, given.workload)
    )
    generation, generation_why = _generation(work, machine, recipe, given)
    flops = work.model_flops
    if work.generation is not None and (generation is not None or generation_why):
        flops -= work.generation.flops
    achieved = utilization.value * peak * machine.devices
    seconds = flops / achieved
    if generation is not None:
        seconds += generation.value
    why = generation_why
    known = None if why else seconds
    rate = work.data / seconds if work.data and known else None
    return Throughput(
        utilization=utilization,
        generation=generation,
        generation_why=generation_why,
        peak=peak,
        precision=precision,
        convention=basis.convention(work, precision),
        training_flops=flops,
        achieved=achieved,
        step_time=_step(work, recipe, rate),
        rate=rate,
        seconds=known,
        why=why,
        layout=placed.layout,
        layout_by=placed.by,
        layout_kept=placed.kept,
        layouts_walked=placed.walked,
        memory=placed.memory,
        memory_why=placed.memory_why,
        modelled=predicted,
        memory_parts=placed.parts,
        breakdown={} if measured or not predicted else _parts(work, recipe, predicted, generation),
        warnings=(
            *placed.warnings,
            *_passed_over(given, modelled=predicted is not None),
            *(() if measured else _fed(work, machine, rate, given.workload)),
        ),
    )


def _parts(
    work: Work, recipe: Recipe | None, predicted: Prediction, generation: Assumption | None
) -> Mapping[str, float]:
    """Seconds of a step by cause, with those of generating the sequences that it learns from."""
    if generation is None or recipe is None or not work.data:
        return predicted.breakdown
    steps = work.data / basis.data_per_step(work, recipe)
    return {**predicted.breakdown, "generation": generation.value / steps}


def _only_precision(machine: Machine) -> str:
    """The 16-bit precision of a machine, where no recipe states one."""
    known = usual_precision(machine.peak)
    if known is None:
        raise wrong(
            "hardware.accelerator",
            f"{machine.accelerator} has no peak in its profile: say training.precision",
        )
    return known


def _step(work: Work, recipe: Recipe | None, rate: float | None) -> float | None:
    """Seconds an optimizer step."""
    if recipe is None or not rate or not recipe.global_batch:
        return None
    return basis.data_per_step(work, recipe) / rate


def _measured(
    work: Work, machine: Machine, recipe: Recipe | None, given: GivenSpeed, precision: str
) -> Assumption | None:
    """What the user measured, as utilisation: throughput first, then utilization, then a step."""
    if given.throughput is not None:
        value = basis.from_throughput(
            work,
            machine,
            precision,
            given.throughput,
            given.throughput_unit,
            attention=given.basis_attention,
        )
        return replace(_given(value, "hardware.throughput", given), basis="measured")
    if given.utilization is not None:
        value = basis.from_utilization(
            work,
            machine,
            precision,
            given.utilization,
            peak=given.basis_peak,
            attention=given.basis_attention,
        )
        return _given(value, KEY, given)
    if given.step_time is not None:
        value = basis.from_step_time(work, machine, recipe, precision, given.step_time)
        return _again(
            replace(_given(value, "hardware.calibrate.step_time", given), basis="measured")
        )
    return None


def _again(measured: Assumption) -> Assumption:
    """One measured step with its range: as far as repeats of one configuration differ."""
    spread = load()["repeat"]
    value = measured.value
    return replace(
        measured,
        low=value * math.exp(spread["low"]),
        high=min(value * math.exp(spread["high"]), 1.0),
        why=f"{measured.why}; {spread['n']} repeats of measured configurations differ by as much",
    )


#: JPEG files of ImageNet that a core decodes a second: Pillow 360 to 726 on five processors
#: (ternaus/imread_benchmark, one thread; arXiv 2605.08731)
_DECODED = 500


def _fed(work: Work, machine: Machine, rate: float | None, workload: str | None) -> Iterator[str]:
    """What the host has to read and decode for images to keep up, where a core cannot."""
    kind = work.architecture.kind if work.architecture is not None else workload
    nodes = max(machine.devices / machine.per_node, 1.0)
    if rate is None or kind not in ("cnn", "detector", "vit", "vision") or rate / nodes < _DECODED:
        return
    yield (
        f"images are taken to come as fast as they are learned from, {rate / nodes:,.0f} a second "
        f"and node: a core decodes some {_DECODED} JPEG files of ImageNet a second"
    )


def _passed_over(given: GivenSpeed, *, modelled: bool) -> tuple[str, ...]:
    """What was measured and is not used, since something else was or no step is modelled."""
    if given.steps and not modelled and not given.measured:
        return ("hardware.calibration is not used: there are no shapes to model the step from",)
    told = {
        "hardware.throughput": given.throughput,
        "hardware.utilization": given.utilization,
        "hardware.calibrate": given.step_time,
        "hardware.calibration": given.steps or None,
    }
    used, *others = [key for key, value in told.items() if value is not None] or [""]
    return tuple(f"{key} is not used: {used} says how fast it trains" for key in others)


def _given(value: float, key: str, given: GivenSpeed) -> Assumption:
    if not 0 < value <= 1:
        raise wrong(
            key,
            f"expected a share of the dense peak, more than 0 and at most 1; "
            f"it comes to {value:.3g}: check the unit, the basis and the count",
        )
    return exact(
        KEY,
        value,
        "1",
        basis="given",
        source="run file",
        where=given.where,
        why="" if key == KEY else f"from {key}",
    )


def _from_cells(work: Work, machine: Machine, precision: str, workload: str | None) -> Assumption:
    kind = workload or basis.kind_of(work)
    found = efficiency(machine.generation, precision, kind, machine.devices)
    return Assumption(
        key=KEY,
        value=found.value,
        low=found.low,
        high=found.high,
        unit="1",
        basis="modelled",  # others were measured: this run was not
        source="shipped measurements (costcalc/data/efficiency.yaml)",
        why=f"no shapes to model the step from; {found.why}",
    )


def _generation(
    work: Work, machine: Machine, recipe: Recipe | None, given: GivenSpeed
) -> tuple[Assumption | None, str]:
    """Decoding time of one run, or why it cannot be had; what is measured holds it already.

    Every optimizer step waits for the sequences that it learns from.
    """
    if work.generation is None or given.throughput or given.step_time:
        return None, ""
    if given.generation is not None:
        key, source = "training.generation_time", "run file"
        return exact(key, given.generation, "s", basis="given", source=source), ""
    shape = shape_for(work)
    if shape is None or recipe is None:
        return None, "no shapes to model generation from: give hardware.throughput"
    from costcalc.throughput.decode import decode_time

    asked = work.generation
    together = min(max(recipe.global_batch, 1.0), asked.sequences)
    one = decode_time(
        shape,
        machine,
        sequences=together,
        prompt_length=asked.prompt_length,
        generation_length=asked.generation_length,
        precision=recipe.precision,
        constants=load(),
    )
    rounds = asked.sequences / together
    why = (
        f"decoding is bound by memory: {together:g} sequences a step, "
        f"{one.batch:.3g} at once on each {one.shards} devices; not validated"
    )
    return Assumption(
        key="training.generation_time",
        value=one.seconds * rounds,
        low=one.low * rounds,
        high=one.high * rounds,
        unit="h",
        basis="modelled",
        source="decode model (Pope et al. 2022, arXiv:2211.05102)",
        why=why,
    ), ""
