"""Where a run is placed: its layout, given or chosen, and whether that fits in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Literal

from costcalc.base.errors import InputError, wrong
from costcalc.base.human import number_of
from costcalc.base.vocabulary import RECOMPUTES
from costcalc.throughput.constants import load, shipped
from costcalc.throughput.footprint import Footprint, footprint_of
from costcalc.throughput.layout import Layout, Machine, Recipe
from costcalc.throughput.memory import Memory, Range, memory, on_host
from costcalc.throughput.replicated import replicas_alone
from costcalc.throughput.search import can_fit, search
from costcalc.throughput.shape import ModelShape, shape_from_parameters, shape_of
from costcalc.throughput.space import Fixed
from costcalc.workload.work import Work

_GIB = 2.0**30
_told = ContextVar("told", default=True)
#: times the memory of a device that the middle of the estimate may come to in a layout that is
#: usual: of the measured peaks, software untold, 94 % are overestimated by less (validate)
OFF = 2.0


@contextmanager
def untold() -> Iterator[None]:
    """Within it, what does not fit is refused without the fewest devices on which it would.

    Each of those is a search of its own: who tries hundreds of models and reads none of the
    refusals need not wait for them.
    """
    before = _told.set(False)
    try:
        yield
    finally:
        _told.reset(before)


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A layout, who chose it, and the bytes on its fullest device.

    ``free``: the search chose how the model is divided, not only what the run file left open;
    ``kept``: what of it the search was told.  ``accumulates``: the run file tells the micro-batch.
    """

    layout: Layout | None
    by: Literal["given", "auto", "none"]
    walked: int = 0
    free: bool = False
    kept: Fixed | None = None
    accumulates: bool = False
    memory: Range | None = None
    memory_why: str = ""
    parts: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def shape_for(work: Work) -> ModelShape | None:
    """The shape for the step-time model; None where it does not apply.

    It applies to what is made of transformer layers, and to a language model whose parameter count
    is all that is known; a convolutional network or a bare FLOP count has no such shape.
    """
    if work.architecture is not None:
        return shape_of(work.architecture, work.tally) if work.tally else None
    parameters = work.active_parameters or work.parameters
    if parameters and work.datum == "token" and work.sequence_length:
        return _shape_guessed(parameters, work.sequence_length)
    return None


@lru_cache(maxsize=64)
def _shape_guessed(parameters: float, length: int) -> ModelShape:
    return shape_from_parameters(parameters, float(length))


def place(
    work: Work,
    machine: Machine,
    recipe: Recipe | None,
    layout: Layout | None,
    fixed: Fixed | None,
    usual: tuple[Fixed, ...] = (),
    *,
    recompute_free: bool,
    must_fit: bool,
) -> Placed:
    """The layout of a run and its memory; ``usual``: what is kept where that fits, first to last.

    Raises InputError where ``must_fit`` and even the low end exceeds the device; the message names
    the smallest count that fits, unless it is :func:`untold`.
    """
    footprint = footprint_of(work)
    if recipe is None or footprint is None:
        lacks = "no parameter count" if footprint is None else "no recipe"
        return Placed(
            layout=layout,
            by="given" if layout else "none",
            memory_why=f"{lacks}: give model.parameters or a model",
        )
    if layout is not None:
        if footprint.basis == "forward_flops":  # it has no attention, norms alone are not told
            layout = replace(layout, selective=0.0)
        if recompute_free:
            layout = _least_recompute(footprint, machine, layout, recipe)
        placed = Placed(layout=layout, by="given")
        held = memory(footprint, machine, layout, recipe)
    else:
        fixed = fixed or Fixed()
        placed, held = _first_that_fits(work, footprint, machine, recipe, usual, fixed)
        placed = replace(placed, accumulates=fixed.micro_batch is not None)
    if must_fit and not _fitting(held, machine):
        raise _too_large(work, footprint, machine, recipe, placed=placed, low=float(held.total.low))
    placed = _with_memory(placed, held, machine)
    return replace(
        placed, warnings=(*placed.warnings, *_hosted(footprint, machine, placed, recipe))
    )


def _hosted(
    footprint: Footprint, machine: Machine, placed: Placed, recipe: Recipe
) -> Iterator[str]:
    """What the memory of each host has to hold, where a layout keeps something there."""
    layout = placed.layout
    if layout is None or not (layout.hosted or layout.activations):
        return
    each, devices = (
        on_host(footprint, machine, layout, recipe),
        min(machine.per_node, machine.devices),
    )
    states = "optimizer states" if layout.hosted < 2 else "weights, gradients and optimizer states"
    named = {states: each.states, "activations": each.activations}
    told = [f"{devices * b / _GIB:.3g} GiB of {name}" for name, b in named.items() if b > 0]
    if told:
        yield f"each host has to hold {' and '.join(told)} (hardware.layout.offload, activations)"


def _fitting(held: Memory, machine: Machine) -> bool:
    return not machine.memory or bool(held.total.low <= machine.memory)


def _first_that_fits(
    work: Work,
    footprint: Footprint,
    machine: Machine,
    recipe: Recipe,
    usual: tuple[Fixed, ...],
    fixed: Fixed,
) -> tuple[Placed, Memory]:
    """The layout that keeps to what is usual where one fits, else any that keeps to ``fixed``.

    By the middle of its memory, which may be off by :data:`OFF`; where none does, the one that
    comes nearest to it.
    """
    found: list[tuple[Placed, Memory]] = []
    for kept in (*usual, fixed):
        placed = _automatic(work, footprint, machine, recipe, kept)
        if placed is None or placed.layout is None:
            continue
        held = memory(footprint, machine, placed.layout, recipe)
        found.append((replace(placed, kept=kept), held))
        if _fitting(held, machine) and held.total.value <= OFF * (machine.memory or math.inf):
            return found[-1]
    if found:
        return min(found, key=lambda one: float(one[1].total.value))
    raise wrong(
        "hardware.layout",
        f"no layout of {machine.devices} devices keeps to what is fixed; "
        "change the count or leave an axis out",
    )


def _with_memory(placed: Placed, held: Memory, machine: Machine) -> Placed:
    total = Range(*(float(part) for part in held.total))
    parts = {name: float(getattr(held.parts, name)) for name in held.parts.__slots__}
    warnings = placed.warnings
    if machine.memory and total.high > machine.memory:
        warnings = (*warnings, crowded(total, machine.memory))
    return replace(placed, memory=total, parts=parts, warnings=warnings)


def crowded(held: Range, room: float) -> str:
    """That what a run takes (bytes a device) may be more than there is.

    >>> crowded(Range(2.0**30, 2.0**32, 2.0**33), 2.0**31)
    'memory may not suffice: 4 GiB a device (1 to 8) of 2'
    """
    judged = "may not suffice" if held.low <= room else "does not suffice by the model"
    ends = f"{held.low / _GIB:.3g} to {held.high / _GIB:.3g}"
    return f"memory {judged}: {held.value / _GIB:.3g} GiB a device ({ends}) of {room / _GIB:.3g}"


def _least_recompute(
    footprint: Footprint, machine: Machine, layout: Layout, recipe: Recipe
) -> Layout:
    """The layout with the least recompute whose memory fits, its own or more, or with full.

    A net that is known by its FLOPs keeps all where the low end fits.
    """
    if footprint.basis == "forward_flops":
        fits = _fitting(memory(footprint, machine, layout, recipe), machine)
        return layout if fits else replace(layout, full=1.0, selective=0.0)
    kinds = list(RECOMPUTES)
    for kind in kinds[kinds.index(layout.recompute) : -1]:
        full, selective = RECOMPUTES[kind]
        tried = replace(layout, full=full, selective=selective)
        if memory(footprint, machine, tried, recipe).total.value <= (machine.memory or 1e300):
            return tried
    return replace(layout, full=1.0, selective=0.0)


def _automatic(
    work: Work, footprint: Footprint, machine: Machine, recipe: Recipe, fixed: Fixed
) -> Placed | None:
    """The fastest layout that keeps to ``fixed``; None: there is none."""
    shape = shape_for(work)
    if shape is None:
        layout, walked = replicas_alone(footprint, machine, recipe, fixed)
        return Placed(layout=layout, by="auto", walked=walked)
    asked = _Asked(shape, _key(machine), _as_long(recipe, shape), footprint, fixed, machine)
    kept = load() is shipped() and _can_be_kept(asked)
    first, walked = _searched(asked) if kept else _search(asked)
    if first is None:
        return None
    free = fixed.tensor is None and fixed.pipeline is None
    return Placed(layout=first, by="auto", walked=walked, free=free)


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question for the best layout: the same for any length of the training."""

    shape: ModelShape
    key: tuple[object, ...]  # the machine, as it can be compared
    recipe: Recipe
    footprint: Footprint
    fixed: Fixed
    machine: Machine = field(compare=False)


def _key(machine: Machine) -> tuple[object, ...]:
    values = (getattr(machine, each.name) for each in fields(machine))
    return tuple(tuple(v.items()) if isinstance(v, Mapping) else v for v in values)


def _can_be_kept(asked: _Asked) -> bool:
    """Whether it can be compared: a shape of drawn lengths holds arrays."""
    try:
        hash(asked)
    except TypeError:
        return False
    return True


def _search(asked: _Asked) -> tuple[Layout | None, int]:
    """The best layout, and how many were walked."""
    found = search(
        asked.shape,
        asked.machine,
        asked.recipe,
        footprint=asked.footprint,
        constants=load(),
        top=1,
        fixed=asked.fixed,
    )
    return found.first, found.walked


_searched = lru_cache(maxsize=1024)(_search)


def _hold(asked: _Asked) -> bool:
    """Whether some layout can be held in memory."""
    return can_fit(asked.shape, asked.machine, asked.recipe, footprint=asked.footprint)


_held = lru_cache(maxsize=1024)(_hold)


def _as_long(recipe: Recipe, shape: ModelShape) -> Recipe:
    return replace(recipe, sequence_length=int(shape.sequence_length))


def _too_large(
    work: Work,
    footprint: Footprint,
    machine: Machine,
    recipe: Recipe,
    *,
    placed: Placed,
    low: float,
) -> InputError:
    where = "hardware.count" if placed.by == "auto" else "hardware.layout"
    told = (
        f"expected at most {machine.memory / _GIB:.3g} GiB a device, which is what "
        f"{machine.called or machine.accelerator} has; it takes {low / _GIB:.3g} GiB at the least"
    )
    if not _told.get():
        return wrong(where, told)
    smallest = smallest_count(work, footprint, machine, recipe)
    such = number_of(smallest or 0, "such device")
    if not smallest:
        hint = f"; no number of such devices fits{_less(work, machine)}"
    elif smallest > machine.devices:
        hint = f"; {such} are the fewest that fit{_less(work, machine)}"
    elif placed.by == "given":
        hint = f"; with layout: auto it fits, on {such} at least"
    else:
        hint = f"; with micro_batch, recompute and layout left open it fits, on {such} at least"
    return wrong(where, f"{told}{hint}")


#: methods that train all weights, and devices on which who asks for them may mean adapters
_WHOLE, _FEW = ("pretrain", "finetune"), 2


def _less(work: Work, machine: Machine) -> str:
    """What takes less, for whom owns a card or two."""
    if work.method not in _WHOLE or work.datum != "token" or machine.devices > _FEW:
        return ""
    return f"; {work.method} trains all weights, training.method: lora adapters alone"


def smallest_count(
    work: Work, footprint: Footprint, machine: Machine, recipe: Recipe, most: int = 1 << 17
) -> int | None:
    """The fewest devices on which the low end of the memory of some layout fits.

    By ones within a node, beyond it by nodes: the same whatever number was asked for.
    """
    count = 1
    while not _fits(work, footprint, machine, recipe, count):
        count *= 2
        if count > most:
            return None
    node = max(_NODE, machine.per_node)
    step = 1 if count <= node else node
    between = range((count // 2 // step + 1) * step, count, step)
    for fewer in list(between)[:64]:
        if _fits(work, footprint, machine, recipe, fewer):
            return fewer
    return count


_NODE = 8  # devices that a node is taken to hold where fewer were asked for


def _as_many(machine: Machine, count: int) -> Machine:
    """The machine with ``count`` devices; a node that was not full may hold more of them."""
    node, domain = machine.per_node, machine.scale_up_domain
    if machine.devices <= node < count:
        node = min(count, _NODE)
        domain = node if machine.through_host and domain == machine.per_node else domain
    return replace(machine, devices=count, per_node=node, scale_up_domain=domain)


def _fits(work: Work, footprint: Footprint, machine: Machine, recipe: Recipe, count: int) -> bool:
    tried = _as_many(machine, count)
    recipe = replace(recipe, global_batch=max(recipe.global_batch, float(count)))
    shape = shape_for(work)
    if shape is not None:
        asked = _Asked(shape, _key(tried), _as_long(recipe, shape), footprint, Fixed(), tried)
        return (_held if _can_be_kept(asked) else _hold)(asked)
    layout, _ = replicas_alone(footprint, tried, recipe, Fixed(micro_batch=1))
    return bool(memory(footprint, tried, layout, recipe).total.low <= (machine.memory or 1e300))
