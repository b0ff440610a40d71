"""Where a run is placed: its layout, given or chosen, and whether that fits in memory."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import Literal

from costcalc.base.errors import InputError, wrong
from costcalc.base.vocabulary import RECOMPUTES
from costcalc.throughput.constants import load, shipped
from costcalc.throughput.footprint import Footprint, footprint_of
from costcalc.throughput.layout import Layout, Machine, Recipe
from costcalc.throughput.memory import LOW, VALUE, Memory, Range, memory, on_host
from costcalc.throughput.replicated import replicas_alone
from costcalc.throughput.search import can_fit, search
from costcalc.throughput.shape import ModelShape, shape_from_parameters, shape_of
from costcalc.throughput.space import Fixed
from costcalc.workload.work import Work

_GIB = 2.0**30
_told = ContextVar("told", default=True)
#: times the memory of a device that the middle of the estimate may come to in a layout that is
#: usual: of the measured peaks, software untold, 94 % are overestimated by less (validate).  A
#: middle beyond it is noted, never refused: of 341 runs that ran 6 come to 2.03 to 8.6 times their
#: device where nobody tells the software (none to more than 1.28 where somebody does)
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
    alone: str = "",
    ways_out: Callable[[], str] | None = None,
) -> Placed:
    """The layout of a run and its memory; ``usual``: what is kept where that fits, first to last.

    ``alone``: the software, where it divides the batch alone and only ``usual`` is its own.

    Raises InputError where ``must_fit`` and even the low end exceeds the device; the message ends
    with the ``ways_out``, unless it is :func:`untold`.
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
        placed, held = _first_that_fits(work, footprint, machine, recipe, usual, fixed, alone)
        placed = replace(placed, accumulates=fixed.micro_batch is not None)
    if must_fit and not _fitting(held, machine):
        least = float(held.total.low)
        raise _too_large(machine, placed, least, alone, ways_out if _told.get() else None)
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


def fits(
    work: Work,
    machine: Machine,
    recipe: Recipe,
    layout: Layout | None,
    fixed: Fixed | None,
    usual: tuple[Fixed, ...] = (),
    *,
    recompute_free: bool = False,
    alone: str = "",
) -> bool:
    """Whether :func:`place` takes a run, without the time of any layout."""
    footprint = footprint_of(work)
    if footprint is None:
        return True
    if layout is not None:
        if footprint.basis == "forward_flops":
            layout = replace(layout, selective=0.0)
        if recompute_free:
            layout = _least_recompute(footprint, machine, layout, recipe)
        return _fitting(memory(footprint, machine, layout, recipe), machine)
    fixed = fixed or Fixed()
    if any(_holds(work, footprint, machine, recipe, kept) for kept in usual):
        return True
    if not _own(usual, alone):
        return _holds(work, footprint, machine, recipe, fixed)
    told = "software" in recipe.told
    return not told and _holds(work, footprint, machine, recipe, fixed, level=VALUE)


def _own(usual: tuple[Fixed, ...], alone: str) -> bool:
    """Whether some of what is usual is all that software does which divides the batch alone."""
    return bool(alone) and any(kept.tensor is not None for kept in usual)


def _holds(
    work: Work,
    footprint: Footprint,
    machine: Machine,
    recipe: Recipe,
    fixed: Fixed,
    *,
    level: int = LOW,
) -> bool:
    """Whether some layout that keeps to ``fixed`` is held in memory at one level."""
    shape = shape_for(work)
    if shape is not None:
        asked = _Asked(shape, _key(machine), _as_long(recipe, shape), footprint, fixed, machine)
        return (_held if _can_be_kept(asked) else _hold)(asked, level)
    layout, _ = replicas_alone(footprint, machine, recipe, fixed)
    total = memory(footprint, machine, layout, recipe).total
    return bool((total.low, total.value)[level] <= (machine.memory or math.inf))


def _fitting(held: Memory, machine: Machine) -> bool:
    return not machine.memory or bool(held.total.low <= machine.memory)


def _first_that_fits(
    work: Work,
    footprint: Footprint,
    machine: Machine,
    recipe: Recipe,
    usual: tuple[Fixed, ...],
    fixed: Fixed,
    alone: str,
) -> tuple[Placed, Memory]:
    """The layout that keeps to what is usual where one fits, else any that keeps to ``fixed``.

    By the middle of its memory, which may be off by :data:`OFF`; where none does, the one that
    comes nearest to it.  Beyond what the software does by itself (``alone``) nothing is taken
    where it is told, and otherwise only what the middle of its memory fits.
    """
    found: list[tuple[Placed, Memory]] = []
    room, told, own = machine.memory or math.inf, "software" in recipe.told, _own(usual, alone)
    for kept in (*usual, fixed):
        beyond = own and kept.tensor is None
        placed = None if beyond and told else _automatic(work, footprint, machine, recipe, kept)
        if placed is None or placed.layout is None:
            continue
        held = memory(footprint, machine, placed.layout, recipe)
        taken = replace(placed, kept=kept), held
        if _fitting(held, machine) and held.total.value <= (room if beyond else OFF * room):
            return (_foreign(taken[0], alone), held) if alone else taken
        if not (beyond and found):
            found.append(taken)
    if found:
        return min(
            found, key=lambda one: (not _fitting(one[1], machine), float(one[1].total.value))
        )
    raise wrong(
        "hardware.layout",
        f"no layout of {machine.devices} devices keeps to what is fixed; "
        "change the count or leave an axis out",
    )


def _foreign(placed: Placed, software: str) -> Placed:
    """With the note that its software does not divide a model so."""
    layout = placed.layout
    axes = ("tensor", "pipeline", "context", "expert")
    cut = [f"{name} {getattr(layout, name):g}" for name in axes if getattr(layout, name) > 1]
    if not cut:
        return placed
    note = (
        f"{software} divides the batch alone, which does not do here: this layout "
        f"({', '.join(cut)}) is of software that divides more (training.software)"
    )
    return replace(placed, warnings=(*placed.warnings, note))


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
    if held.low <= room and held.value > OFF * room:
        judged = "suffices only if the software spares most of what is usual"
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


def _hold(asked: _Asked, level: int) -> bool:
    """Whether some layout can be held in memory at one level of the estimate."""
    return can_fit(
        asked.shape,
        asked.machine,
        asked.recipe,
        footprint=asked.footprint,
        fixed=asked.fixed,
        level=level,
    )


_held = lru_cache(maxsize=1024)(_hold)


def _as_long(recipe: Recipe, shape: ModelShape) -> Recipe:
    return replace(recipe, sequence_length=int(shape.sequence_length))


def _too_large(
    machine: Machine, placed: Placed, low: float, alone: str, ways_out: Callable[[], str] | None
) -> InputError:
    where = "hardware.count" if placed.by == "auto" else "hardware.layout"
    divided = alone and placed.by == "auto" and machine.devices > 1
    told = (
        f"expected at most {machine.memory / _GIB:.3g} GiB a device, which is what "
        f"{machine.called or machine.accelerator} has; it takes {low / _GIB:.3g} GiB at the least"
        + (f" with {alone}, which divides the batch alone" if divided else "")
    )
    return wrong(where, told + (ways_out() if ways_out else ""))
