"""The fastest layout that fits: all of a set at once, in NumPy.

``search`` walks the pruned set of :mod:`costcalc.throughput.space` or, with ``full``, the whole
space; every layout gets its memory and its step time from the same functions as a single one.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from costcalc.throughput.coefficients import Coefficients, Rates, coefficients_of, rates_of
from costcalc.throughput.constants import Constants
from costcalc.throughput.footprint import Footprint
from costcalc.throughput.layout import Layout, Machine, Recipe, StepRecipe, training_of
from costcalc.throughput.memory import HIGH, LOW, VALUE, stored_on_host, total_at
from costcalc.throughput.shape import ModelShape
from costcalc.throughput.space import (
    COLUMNS,
    Fixed,
    Floats,
    Question,
    chunks,
    layout_at,
    layouts_at,
    pruned,
    question,
)
from costcalc.throughput.step import StepTime, step_of

Places = NDArray[np.intp]

# Steps that differ by less are equal, and the simpler layout comes first.
_EQUAL = 1e-9
# A step that is slower by no more than this is taken where it has room to spare in memory.
_AS_FAST = 1.01
# And by no more than this where the fastest fills the device: the middle of measured peaks is 1.05
# times what is predicted of them, software told (validate).
_NEARLY, _FULL = 1.02, 1.05
# Times the middle of its memory that nine in ten measured peaks are within, software told.
_MARGIN = 1.4
_HARDLY_MORE = 1.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranked:
    """A layout with its step time (s), its parts, and its memory (B)."""

    layout: Layout
    seconds: float
    memory: float
    breakdown: Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found: the best layouts, fastest first, and how many were walked.

    ``fits``: central (the value fits), low (only the low end does) or none; then the layouts are
    ordered by memory.  ``fitting``: how many of those walked fit.
    """

    problem: _Problem = field(repr=False, compare=False)
    rows: Floats = field(repr=False, compare=False)
    walked: int
    fitting: int
    fits: str

    @property
    def first(self) -> Layout | None:
        """The best layout, without timing it once more."""
        return layout_at(self.rows[:, 0].tolist()) if self.rows.shape[1] else None

    @functools.cached_property
    def best(self) -> tuple[Ranked, ...]:
        """The best layouts with their step time and memory."""
        number = self.rows.shape[1]
        if not number:
            return ()
        axes = layouts_at(self.rows)
        held, step = self.problem.bytes(axes, VALUE), self.problem.step(axes)
        took = np.broadcast_to(step.seconds, number)
        parts = {name: np.broadcast_to(part, number) for name, part in step.breakdown().items()}
        return tuple(
            Ranked(
                layout=layout_at(self.rows[:, i].tolist()),
                seconds=float(took[i]),
                memory=float(held[i]),
                breakdown={name: float(part[i]) for name, part in parts.items()},
            )
            for i in range(number)
        )

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
    numbers: StepRecipe
    coefficients: Coefficients

    def bytes(self, axes: Layout, level: int) -> Floats:
        made = total_at(self.footprint, self.machine, axes, self.recipe, level=level)
        return np.broadcast_to(made, np.shape(axes.data))

    def step(self, axes: Layout) -> StepTime:
        stored = stored_on_host(self.footprint, self.machine, axes, self.recipe)
        return step_of(self.shape, self.rates, axes, self.numbers, self.coefficients, stored)


class _Near(NamedTuple):
    """Layouts about as fast as the fastest, in order, and how many times its time they take."""

    rows: Floats
    slower: Floats


def search(
    shape: ModelShape,
    machine: Machine,
    recipe: Recipe,
    *,
    footprint: Footprint,
    constants: Constants,
    top: int = 10,
    full: bool = False,
    fixed: Fixed | None = None,
) -> Found:
    """The ``top`` fastest layouts that fit in the device's memory.

    ``fixed`` holds axes that the user has set.  Raises InputError where the machine has no peak
    for the precision.  Ties go to the layout that comes first in the table: fewer tensor ranks,
    then fewer stages, and so on, so that the same question has the same answer.
    """
    problem = _Problem(
        footprint=footprint,
        shape=shape,
        machine=machine,
        recipe=recipe,
        rates=rates_of(machine, recipe.precision),
        numbers=training_of(recipe),
        coefficients=coefficients_of(constants, machine, recipe.precision, shape.kind),
    )
    asked = question(shape, machine, recipe, full=full, fixed=fixed or Fixed())
    limit = machine.memory or np.inf
    found, near = _fastest(problem, _walk(asked), limit, top)
    if found.fitting:
        return _with_room(found, near, limit, top)
    if not found.walked:
        return found
    least, fitting, smallest = _least(problem, _walk(asked), limit, top)
    if not fitting:
        return smallest
    found, _ = _fastest(problem, _walk(asked), _HARDLY_MORE * least, top, low_within=limit)
    return replace(found, fitting=fitting, fits="low")


def _walk(asked: Question) -> Iterable[Floats]:
    return chunks(asked) if asked.full else [pruned(asked)]


def _fastest(
    problem: _Problem, walk: Iterable[Floats], limit: float, top: int, *, low_within: float = np.inf
) -> tuple[Found, _Near]:
    """The fastest layouts whose memory is within a limit (its low end within its own).

    Beside them all that are about as fast as the first, fastest first.
    """
    about = max(_AS_FAST, _NEARLY)
    kept, took = np.empty((len(COLUMNS), 0)), np.empty(0)
    near, near_took = kept, took
    walked = fitting = 0
    for part in walk:
        walked += part.shape[1]
        within = problem.bytes(layouts_at(part), VALUE) <= limit
        if low_within < np.inf:
            within &= problem.bytes(layouts_at(part), LOW) <= low_within
        rows = part[:, within]
        fitting += rows.shape[1]
        if not rows.shape[1]:
            continue
        seconds = np.broadcast_to(problem.step(layouts_at(rows)).seconds, rows.shape[1:])
        first = _order(seconds)[:top]
        kept = np.concatenate([kept, rows[:, first]], axis=1)
        took = np.concatenate([took, seconds[first]])
        close = seconds <= about * min(seconds.min(), took.min())
        near = np.concatenate([near, rows[:, close]], axis=1)
        near_took = np.concatenate([near_took, seconds[close]])
    order = _order(near_took)
    found = Found(
        problem=problem,
        rows=kept[:, _order(took)[:top]],
        walked=walked,
        fitting=fitting,
        fits="central" if fitting else "none",
    )
    return found, _Near(near[:, order], near_took[order] / took.min(initial=np.inf))


def _with_room(found: Found, near: _Near, limit: float, top: int) -> Found:
    """The same, headed by a layout with room to spare, where one of the ``near`` has it.

    That is the first whose high end fits too, else the first whose middle does with a margin.
    """
    full = _FULL * found.problem.bytes(layouts_at(near.rows[:, :1]), VALUE)[0] > limit
    rows = near.rows[:, near.slower <= (max(_AS_FAST, _NEARLY) if full else _AS_FAST)]
    axes = layouts_at(rows)
    fits = found.problem.bytes(axes, HIGH) <= limit  # the first of them is the first
    if not fits.any():
        fits = _MARGIN * found.problem.bytes(axes, VALUE) <= limit
    if fits[0] or not fits.any():
        return found
    roomy = rows[:, fits][:, :1]
    others = found.rows[:, (found.rows != roomy).any(axis=0)]
    return replace(found, rows=np.concatenate([roomy, others], axis=1)[:, :top])


def _least(
    problem: _Problem, walk: Iterable[Floats], limit: float, top: int
) -> tuple[float, int, Found]:
    """The least central memory of those whose low end fits, how many those are, and the smallest.

    The smallest are the layouts that take the least memory at the low end.
    """
    least, fitting, walked = np.inf, 0, 0
    kept, held = np.empty((len(COLUMNS), 0)), np.empty(0)
    for part in walk:
        walked += part.shape[1]
        low = problem.bytes(layouts_at(part), LOW)
        rows = part[:, low <= limit]
        if rows.shape[1]:
            fitting += rows.shape[1]
            least = min(least, float(problem.bytes(layouts_at(rows), VALUE).min()))
        first = np.argsort(low, kind="stable")[:top]
        kept = np.concatenate([kept, part[:, first]], axis=1)
        held = np.concatenate([held, low[first]])
    rows = kept[:, np.argsort(held, kind="stable")[:top]]
    return least, fitting, Found(problem=problem, rows=rows, walked=walked, fitting=0, fits="none")


def can_fit(
    shape: ModelShape,
    machine: Machine,
    recipe: Recipe,
    *,
    footprint: Footprint,
    fixed: Fixed | None = None,
    level: int = LOW,
) -> bool:
    """Whether the memory of some layout fits, by default at its low end; none is timed.

    Raises InputError as :func:`search` does.
    """
    rates_of(machine, recipe.precision)
    asked = question(shape, machine, recipe, full=False, fixed=fixed or Fixed())
    axes, limit = layouts_at(pruned(asked)), machine.memory or np.inf
    return bool(np.any(total_at(footprint, machine, axes, recipe, level=level) <= limit))


def _order(seconds: Floats) -> Places:
    """Fastest first; times equal to nine digits keep the order of the table."""
    digits = np.floor(np.log(seconds) / _EQUAL)
    order: Places = np.argsort(digits, kind="stable")
    return order


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
    heard = [
        f"{name} {gap:+.3g} s"
        for name, gap in told[:3]
        if abs(gap) > 0.05 * max(abs(told[0][1]), 1e-12)
    ]
    if gain < _EQUAL * 10:
        return "as fast as the second, and simpler"
    return f"{100 * gain:.3g} % faster than the second: {', '.join(heard)}"
