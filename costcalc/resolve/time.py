"""How long it takes: the recipe, the layout and what was measured, for the throughput stage."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

from costcalc.base.assumption import Assumption, Choice, exact
from costcalc.base.errors import InputError
from costcalc.base.vocabulary import AXES, PEAK_KEY
from costcalc.catalog.software import Fact
from costcalc.resolve.goodput import goodput
from costcalc.resolve.hardware import Devices
from costcalc.resolve.known import Known, stated, taken
from costcalc.resolve.recipe import accumulates, recipe_of
from costcalc.resolve.software import Stack, stack_of
from costcalc.resolve.ways_out import ways_out
from costcalc.resolve.workload import Trained
from costcalc.runfile.loading import Input
from costcalc.runfile.schema import Hardware, LayoutKeys, Training
from costcalc.throughput.layout import Layout, Recipe
from costcalc.throughput.placement import fits
from costcalc.throughput.space import Fixed
from costcalc.throughput.stage import GivenSpeed, Throughput, throughput
from costcalc.throughput.transfer import MeasuredStep
from costcalc.workload.work import Work


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """The throughput stage's result, the recipe behind it, and what was assumed for it."""

    throughput: Throughput
    recipe: Recipe
    assumptions: tuple[Assumption | Choice, ...]


#: the devices of a part, wherever its own stand
OnDevices = Callable[[Input], Devices]


def timed(
    given: Input,
    work: Work,
    devices: Devices,
    precision: str,
    workload: str | None = None,
    steps: tuple[MeasuredStep, ...] = (),
    *,
    on: OnDevices | None = None,
) -> Timed:
    """How fast a part trains; ``steps`` are other measured ones of its machine.

    ``on`` gives the devices of a part that differs, so that a refusal says what would fit.

    Raises:
        InputError: it does not fit in memory, or a measured figure cannot be read.
    """
    training = given.part.training or Training()
    asked = given.part.hardware or Hardware()
    assumed: list[Assumption | Choice] = []
    made = _asked_of(given, work, devices, precision, workload, assumed)
    stack, recipe, layout, free = made.stack, made.recipe, made.layout, made.free

    def out() -> str:
        def holds(other: Input) -> bool:
            return on is not None and _holds(other, work, on, precision, workload)

        return ways_out(given, devices, work, made.alone, holds)

    said = _given(given, asked, training, layout is not None, free)
    measured = replace(
        said,
        workload=workload,
        steps=steps,
        usual=made.usual,
        alone=made.alone,
        ways_out=out if on else None,
    )
    try:
        found = throughput(work, devices.machine, recipe, layout=layout, given=measured)
    except InputError as error:
        raise given.placed(error) from None
    if training.gradients == "freed" and accumulates(training, recipe.global_batch, devices.count):
        found = replace(found, warnings=(*found.warnings, _NONE_TO_SUM))
    kept = found.layout_kept or free or Fixed()
    if layout is None and asked.layout is None:
        why = "the fastest of a pruned set that fits"
        if kept.tensor is not None and kept.context is not None:
            why += f"; as with {stack.software.name}, which divides the batch alone"
        taken(assumed, "hardware.layout", "auto", why)
    again = _again(stack, training)
    if again and again.value == kept.recompute:  # a layout that is given recomputes as memory needs
        stack.takes(assumed, "recompute", again)
    return Timed(throughput=found, recipe=recipe, assumptions=tuple(assumed))


_NONE_TO_SUM = (
    "training.gradients: freed, but global_batch is more than a micro_batch a device: an optimizer "
    "that steps in backward accumulates none, and most trainers refuse it"
)


class _Asked(NamedTuple):
    """What is placed: how a step is trained, the layout given or what an automatic one keeps to."""

    stack: Stack
    recipe: Recipe
    layout: Layout | None
    free: Fixed | None
    usual: tuple[Fixed, ...]
    alone: str  # the software, where it divides the batch alone and the layout is open


def _asked_of(
    given: Input,
    work: Work,
    devices: Devices,
    precision: str,
    workload: str | None,
    assumed: list[Assumption | Choice],
) -> _Asked:
    training = given.part.training or Training()
    asked = given.part.hardware or Hardware()
    stack = stack_of(training, work, devices, assumed, asked.layout)
    recipe = recipe_of(given, work, devices, precision, assumed, stack=stack, workload=workload)
    layout, free = _layout(given, stack, devices.count, assumed)
    _enough(given, recipe, layout, free)
    usual = () if free is None else _of_the_stack(free, stack, recipe, devices, training)
    open_ = free is not None and free.tensor is None
    alone = stack.software.name if open_ and _divides_the_batch(stack) else ""
    return _Asked(stack, recipe, layout, free, usual, alone)


def _holds(given: Input, work: Work, on: OnDevices, precision: str, workload: str | None) -> bool:
    """Whether a part would be placed."""
    keys = given.part.hardware.layout if given.part.hardware else None
    try:
        devices = on(given)
        if keys and keys.divides and not keys.fills(devices.count):
            return False
        made = _asked_of(given, work, devices, precision, workload, [])
    except InputError:
        return False
    return fits(
        work,
        devices.machine,
        made.recipe,
        made.layout,
        made.free,
        made.usual,
        recompute_free=made.layout is not None and _recompute_open(given),
        alone=made.alone,
    )


def _enough(given: Input, recipe: Recipe, layout: Layout | None, free: Fixed | None) -> None:
    """Whether a step has a micro-batch for each data-parallel group.

    Raises:
        InputError: it has fewer sequences than that.
    """
    size, data = (
        (float(layout.micro_batch), float(layout.data))
        if layout is not None
        else (float((free and free.micro_batch) or 1), float((free and free.data) or 1))
    )
    if size > 1 and size * data > recipe.global_batch:
        over = f" over {data:g} data-parallel groups" if data > 1 else ""
        told = (
            f"expected at most {max(recipe.global_batch / data, 1):.4g}, which is what a step of "
            f"{recipe.global_batch:.10g} (training.global_batch) has{over}; got {size:g}"
        )
        raise InputError(given.problem(("training", "micro_batch"), told))


def _of_the_stack(
    free: Fixed, stack: Stack, recipe: Recipe, devices: Devices, training: Training
) -> tuple[Fixed, ...]:
    """What a search keeps to, first to last: the stack recomputes and divides the batch alone."""
    again = _again(stack, training)
    each = free.micro_batch or 1
    open_ = free.tensor is None and recipe.global_batch >= each * devices.count
    alone = _divides_the_batch(stack) and open_
    divided = free
    if alone:
        divided = replace(free, tensor=1, pipeline=1, virtual_pipeline=1, context=1, expert=1)
    redone = (replace(divided, recompute=str(again.value)),) if again else ()
    # long sequences may be divided too, before layers are
    return (*redone, divided, replace(divided, context=None)) if alone else redone


def _divides_the_batch(stack: Stack) -> bool:
    """Whether the stack divides the batch alone, unless it is told more."""
    fact = stack.fact("parallel")
    return fact is not None and fact.value != "all"


def _again(stack: Stack, training: Training) -> Fact | None:
    """What the stack recomputes unless told; None where it is told, or as memory needs."""
    fact = stack.fact("recompute") if training.recompute is None else None
    return None if fact is None or fact.value == "auto" else fact


def fixed_by(given: Input, *, parallel: bool = True) -> Fixed:
    """What the run file fixes of the layout; the rest is open to a search.

    Where it says an axis or a sharding, an axis that it leaves out is 1 and data is the rest.
    ``parallel``: whether sequences are divided over tensor ranks where it does not say so.
    """
    training = given.part.training or Training()
    keys = given.part.hardware.layout if given.part.hardware else None
    micro_batch, recompute = training.micro_batch, _recompute(training)
    if keys is None:
        return Fixed(micro_batch=micro_batch, recompute=recompute, sequence_parallel=parallel)
    axes = {name: getattr(keys, name) for name in AXES} if keys.divides else {}
    return Fixed(
        **axes,
        sharding=_sharding(keys),
        micro_batch=micro_batch,
        recompute=recompute,
        sequence_parallel=parallel if keys.sequence_parallel is None else keys.sequence_parallel,
        offload=keys.offload or "none",
        activations=keys.activations or "device",
    )


def _recompute(training: Training) -> str | None:
    return None if training.recompute == "auto" else training.recompute


def _recompute_open(given: Input) -> bool:
    return (given.part.training or Training()).recompute in (None, "auto")


def _sharding(keys: LayoutKeys) -> str | None:
    return "zero3" if keys.sharding == "fsdp" else keys.sharding


def _layout(
    given: Input, stack: Stack, count: int, assumed: list[Assumption | Choice]
) -> tuple[Layout | None, Fixed | None]:
    """The layout given, or what an automatic one must keep."""
    fact = stack.fact("sequence_parallel") if stack.told else None
    fixed = fixed_by(given, parallel=fact is None or bool(fact.value))
    keys = given.part.hardware.layout if given.part.hardware else None
    if fixed.tensor is None or fixed.sharding is None:
        if fixed.tensor is not None:
            taken(assumed, "hardware.layout.sharding", "auto", "the fastest that fits")
        return None, fixed
    assert keys is not None
    micro_batch = fixed.micro_batch
    if micro_batch is None:
        micro_batch = taken(assumed, "training.micro_batch", 1, "a layout is given without it")
    axes = {name: getattr(keys, name) for name in AXES}
    axes["data"] = keys.groups(count)
    return Layout(
        **axes,
        sharding=fixed.sharding,
        offload=fixed.offload,
        activations=fixed.activations,
        micro_batch=micro_batch,
        recompute=fixed.recompute or "none",
        sequence_parallel=float(fixed.sequence_parallel),
    ), None


def _given(
    given: Input, asked: Hardware, training: Training, has_layout: bool, free: Fixed | None
) -> GivenSpeed:
    basis = asked.utilization_basis
    rate = asked.throughput
    key = "throughput" if rate else "utilization" if asked.utilization else "calibrate"
    return GivenSpeed(
        utilization=asked.utilization,
        throughput=rate.value if rate else None,
        throughput_unit=rate.unit if rate else "token/s",
        basis_peak=basis.peak if basis else None,
        basis_attention=basis.attention if basis else None,
        step_time=asked.calibrate.step_time if asked.calibrate else None,
        generation=training.generation_time,
        fixed=free,
        recompute_free=has_layout and _recompute_open(given),
        where=given.place("hardware", key),
    )


def time_is_measured(given: Input) -> bool:
    """Whether the run file says how long it took."""
    measured = given.part.measured
    return measured is not None and bool(measured.wall_clock or measured.device_hours)


# --- the inputs of the formulas ------------------------------------------------------------------


def time_inputs(
    given: Input, work: Trained, devices: Devices, time: Timed | None, precision: str
) -> Known:
    """What says how long it takes: FLOPs, devices, peak, utilization, goodput, runs."""
    runs = stated(given, "training.runs", "1")
    known = {
        "devices": exact(
            "hardware.devices",
            devices.reserved,
            "device",
            basis="given",
            source="run file",
            where=given.place("hardware", "count"),
        ),
        "runs": runs or exact("training.runs", 1.0, "1", basis="default", source="costcalc"),
        "goodput": goodput(
            given,
            devices.count,
            time.throughput.seconds if time else None,
            time.throughput.utilization.value if time else None,
        ),
    }
    if work.work is not None:
        known |= _flops(given, work, work.work, time)
    if time is None:
        return Known(known=known, why={})
    found = time.throughput
    known["peak"] = stated(given, "hardware.peak", "TFLOP/s") or exact(
        "hardware.peak",
        found.peak / devices.share,
        "TFLOP/s",
        basis="profile",
        source=_peak_source(devices, precision),
        why=_peak_why(devices, precision),
    )
    known["utilization"] = replace(found.utilization, key="hardware.utilization")
    said = stated(given, "training.generation_time", "s")
    if found.generation is not None:
        own = replace(found.generation, key="training.generation_time")
        known["generation"] = said or own
    elif not found.generation_why:
        holds = work.work is not None and work.work.generation is not None  # a measured speed
        known["generation"] = _NOTHING_GENERATED if said is None or (holds and said.value) else said
    return Known(known=known, why={})


_NOTHING_GENERATED = exact(
    "training.generation_time",
    0.0,
    "s",
    basis="modelled",
    source="costcalc",
    why="nothing is generated",
)


def _flops(given: Input, trained: Trained, work: Work, time: Timed | None) -> dict[str, Assumption]:
    """The model FLOPs, and those of them whose time the utilization says."""
    total, spread = work.model_flops, work.spread
    published = given.part.model is not None and given.part.model.flops is not None
    length = trained.assumed("training.sample_tokens")
    open_length = isinstance(length, Assumption) and not length.exact  # its range has the padding
    counted = stated(given, "training.model_flops", "FLOP") or Assumption(
        key="training.model_flops",
        value=total,
        low=total / spread,
        high=total * spread * (1.0 if open_length else work.padding),
        unit="FLOP",
        basis="given" if published else "modelled",
        source="run file" if published else "counted by costcalc",
        why=work.convention,
    )
    if isinstance(length, Assumption) and open_length and counted.basis == "modelled":
        counted_for = replace(length, low=length.value, high=length.value)
        return {"counted_flops": counted, "sample_tokens": length, "counted_tokens": counted_for}
    if time is None:
        return {"model_flops": counted}
    share = time.throughput.training_flops / total if total else 1.0
    trained_on = counted
    if share != 1.0:
        value, low, high = (share * flops for flops in (counted.value, counted.low, counted.high))
        trained_on = replace(counted, value=value, low=low, high=high)
    return {"model_flops": counted, "training_flops": trained_on}


def _peak_why(devices: Devices, precision: str) -> str:
    """A MIG instance's share of the multiprocessors is not its share of what is paid for."""
    said = f"dense {precision} peak a device"
    ratio = devices.compute / devices.share
    if math.isclose(ratio, 1.0):
        return said
    parts = f"{devices.compute:.4g} of the multiprocessors for {devices.share:.4g} of it"
    return f"{said}, × {ratio:.4g}: {parts}"


def _peak_source(devices: Devices, precision: str) -> str:
    peak = devices.accelerator.peak
    figure = getattr(peak, PEAK_KEY.get(precision, precision), None)
    return devices.accelerator.sources[figure.source].title if figure else "profile"
