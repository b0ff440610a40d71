"""The fastest layout that fits: all of a set at once, in NumPy.

``search`` walks the pruned set of :mod:`costcalc.throughput.space` or, with ``full``, the whole
space; every layout gets its memory and its step time from the same functions as a single one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from costcalc.throughput.axes import Axes
from costcalc.throughput.coefficients import Coefficients, Rates, coefficients_of, rates_of
from costcalc.throughput.footprint import Footprint
from costcalc.throughput.layout import Layout, Machine, Recipe
from costcalc.throughput.memory import LOW, VALUE, bytes_at
from costcalc.throughput.shape import ModelShape
from costcalc.throughput.space import CHUNK, Fixed, Floats, axes_at, layout_at, question, table
from costcalc.throughput.step import StepTime, Training, step_of, training_of

Places = np.ndarray[Any, np.dtype[np.intp]]

# Steps that differ by less are equal, and the simpler layout comes first.
_EQUAL = 1e-9
_HARDLY_MORE = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A layout with its step time (s), its parts, and its memory (B)."""

    layout: Layout
    seconds: float
    memory: float
    breakdown: Mapping[str, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What a search found: the best layouts, fastest first, and how many were walked.

    ``fits``: central (the value fits), low (only the low end does) or none; then the layouts are
    ordered by memory.  ``fitting``: how many of those walked fit.
    """

    best: tuple[Ranked, ...]
    walked: int
    fitting: int
    fits: str

    @property
    def why(self) -> str:
        """Why the first is first: where the second spends its time."""
        return why_first(self.best[0], self.best[1]) if len(self.best) > 1 else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Problem:
    footprint: Footprint
    shape: ModelShape
    machine: Machine
    recipe: Recipe
    rates: Rates
    training: Training
    coefficients: Coefficients

    def bytes(self, axes: Axes, level: int) -> Floats:
        made: Floats = bytes_at(
            self.footprint, self.machine, axes, self.recipe, level=level).total
        return made

    def step(self, axes: Axes) -> StepTime:
        return step_of(self.shape, self.rates, axes, self.training, self.coefficients)


def search(
    shape: ModelShape, machine: Machine, recipe: Recipe, *, footprint: Footprint,
    constants: Mapping[str, Any], top: int = 10, full: bool = False, fixed: Fixed | None = None,
) -> Found:
    """The ``top`` fastest layouts that fit in the device's memory.

    ``fixed`` holds axes that the user has set.  Raises InputError where the machine has no peak
    for the precision.  Ties go to the layout that comes first in the table: fewer tensor ranks,
    then fewer stages, and so on, so that the same question has the same answer.
    """
    problem = _Problem(
        footprint=footprint, shape=shape, machine=machine, recipe=recipe,
        rates=rates_of(machine, recipe.precision), training=training_of(recipe),
        coefficients=coefficients_of(constants, machine, recipe.precision),
    )
    rows = table(question(shape, machine, recipe, full=full, fixed=fixed or Fixed()))
    walked = rows.shape[1]
    if walked == 0:
        return Found(best=(), walked=0, fitting=0, fits="none")
    limit = machine.memory or np.inf
    places, fitting = _fastest(problem, rows, limit, top)
    if len(places):
        return _found(problem, rows, places, walked, fitting=fitting, fits="central")
    return _tight(problem, rows, limit, top)


def _tight(problem: _Problem, rows: Floats, limit: float, top: int) -> Found:
    """Where no central figure fits: the fastest of those that take hardly more than the least."""
    walked = rows.shape[1]
    low, value = (
        np.concatenate([problem.bytes(axes_at(part), level) for part in _chunks(rows)])
        for level in (LOW, VALUE)
    )
    fitting = np.flatnonzero(low <= limit)
    if not len(fitting):
        return _found(problem, rows, np.argsort(low, kind="stable")[:top], walked,
                      fitting=0, fits="none")
    near = fitting[value[fitting] <= _HARDLY_MORE * value[fitting].min()]
    places, _ = _fastest(problem, rows[:, near], np.inf, top)
    return _found(problem, rows, near[places], walked, fitting=len(fitting), fits="low")


def _chunks(rows: Floats) -> list[Floats]:
    return [rows[:, at:at + CHUNK] for at in range(0, rows.shape[1], CHUNK)]


def _fastest(
    problem: _Problem, rows: Floats, limit: float, top: int
) -> tuple[Places, int]:
    """Places in the table of the fastest that fit, and how many fit."""
    places: list[Places] = []
    seconds: list[Floats] = []
    fitting = 0
    for number, part in enumerate(_chunks(rows)):
        here = np.flatnonzero(problem.bytes(axes_at(part), VALUE) <= limit)
        fitting += len(here)
        if not len(here):
            continue
        took = np.broadcast_to(problem.step(axes_at(part[:, here])).seconds, here.shape)
        best = _order(took)[:top]
        places.append(here[best] + number * CHUNK)
        seconds.append(took[best])
    if not places:
        return np.empty(0, dtype=int), 0
    all_places, all_seconds = np.concatenate(places), np.concatenate(seconds)
    best = _order(all_seconds)[:top]
    return all_places[best], fitting


def _order(seconds: Floats) -> Places:
    """Fastest first; times equal to nine digits keep the order of the table."""
    digits = np.floor(np.log(seconds) / _EQUAL)
    order: Places = np.argsort(digits, kind="stable")
    return order


def _found(
    problem: _Problem, rows: Floats, places: Places, walked: int, *, fitting: int, fits: str
) -> Found:
    axes = axes_at(rows[:, places])
    held, step = problem.bytes(axes, VALUE), problem.step(axes)
    took = np.broadcast_to(step.seconds, places.shape)
    parts = {name: np.broadcast_to(part, places.shape) for name, part in step.breakdown().items()}
    best = tuple(
        Ranked(layout=layout_at(rows[:, place].tolist()), seconds=float(took[i]),
               memory=float(held[i]), breakdown={name: float(p[i]) for name, p in parts.items()})
        for i, place in enumerate(places)
    )
    return Found(best=best, walked=walked, fitting=fitting, fits=fits)


def why_first(first: Ranked, second: Ranked) -> str:
    """Where the second layout spends what the first saves.

    >>> a = Ranked(layout=Layout(), seconds=1.0, memory=1e9, breakdown={"bubble": 0.1, "data": 0.2})
    >>> b = Ranked(layout=Layout(), seconds=1.2, memory=2e9, breakdown={"bubble": 0.3, "data": 0.2})
    >>> why_first(a, b)
    '16.7 % faster than the second: bubble -0.2 s'
    """
    gain = 1 - first.seconds / second.seconds
    gaps = {name: first.breakdown[name] - second.breakdown[name] for name in first.breakdown}
    told = sorted(gaps.items(), key=lambda item: -abs(item[1]))
    heard = [f"{name} {gap:+.3g} s" for name, gap in told[:3]
             if abs(gap) > 0.05 * max(abs(told[0][1]), 1e-12)]
    if gain < _EQUAL * 10:
        return "as fast as the second, and simpler"
    return f"{100 * gain:.3g} % faster than the second: {', '.join(heard)}"
