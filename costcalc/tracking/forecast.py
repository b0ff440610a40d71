"""What a job that is under way will have cost at its end: the estimate made before, corrected by
what has been seen, with a range that narrows.

Pace is seconds of the allocation a datum (or a step).  The estimate made before says it with its
range, the job itself says it better with every interval; both are taken as log-normal and weighted
by their precision, that of the estimate being no better than the two agree.  What is over is exact;
what remains is (planned - done) x pace.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import exp, log, sqrt
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.assumption import Assumption, exact
from costcalc.base.numbers import Number
from costcalc.base.ranges import Z95, draw, normals, percentiles
from costcalc.base.units import to_si
from costcalc.calculator import formulas as pipeline
from costcalc.calculator.result import BY_TIME, UNITS, Estimate, Result, unknown
from costcalc.resolve.goodput import EFFECTIVE

if TYPE_CHECKING:
    from costcalc.base.ranges import Array

DRAWS = 2_000
# How far the pace of the rest may lie from the pace so far: published runs keep between 75 and
# 99 % of their allocation effective, from one week to another.
DRIFT = log(EFFECTIVE[2] / EFFECTIVE[1]) / (2 * Z95)
_ONE_INTERVAL = 0.3  # of one interval alone: the spread that its pace may have, as a share

# What is forecast: of what grows with time all but two that no limit and no line tells.
FIGURES = tuple(name for name in BY_TIME if name not in ("water", "abiotic_depletion"))
# Inputs that stand in for what the job itself now says.
_SEEN = frozenset(
    {
        "devices",
        "runs",
        "model_flops",
        "training_flops",
        "counted_flops",
        "sample_tokens",
        "counted_tokens",
        "utilization",
        "goodput",
        "generation",
        "peak",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A job at one moment, earlier attempts included.

    ``elapsed`` seconds of the allocation; ``done`` tokens, samples or steps, in the unit of the
    plan; ``joules`` that the computing equipment drew, None where nothing is known of them.
    """

    elapsed: float
    done: float
    devices: float
    joules: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """``spent`` so far and ``total`` at the end, by name of the result; ``share`` of the plan."""

    share: float
    spent: Mapping[str, Result]
    total: Mapping[str, Result]
    draws: Mapping[str, Number] = field(repr=False)


@dataclass(slots=True)
class _Spread:
    """Mean and scatter of what was added, in constant memory (Welford 1962)."""

    number: int = 0
    mean: float = 0.0
    squares: float = 0.0

    def add(self, value: float) -> None:
        self.number += 1
        step = value - self.mean
        self.mean += step / self.number
        self.squares += step * (value - self.mean)

    def error(self, alone: float) -> float:
        """The standard error of the mean as a share of it; ``alone`` is for a single value."""
        if self.mean <= 0:
            return alone
        if self.number < 2:
            return alone
        return sqrt(self.squares / (self.number - 1) / self.number) / self.mean


@dataclass(slots=True)
class Forecaster:
    """Follows one job; :meth:`look` once an interval.

    ``planned`` is how much the run will do, in the unit of ``Snapshot.done``.

    >>> job = Forecaster(None, planned=1000.0)
    >>> for minute in range(1, 4):
    ...     seen = job.look(Snapshot(elapsed=60.0 * minute, done=100.0 * minute, devices=8.0))
    >>> seen.share, round(seen.total["wall_clock"].value * 60, 9)
    (0.3, 10.0)
    """

    predicted: Estimate | None
    planned: float | None = None
    _first: Snapshot | None = None
    _last: Snapshot | None = None
    _paces: _Spread = field(default_factory=_Spread)
    _watts: _Spread = field(default_factory=_Spread)

    def look(self, now: Snapshot) -> Forecast | None:
        """The forecast at this moment; None where no plan is known or nothing can be said."""
        self._note(now)
        planned = self.planned or planned_data(self.predicted)
        pace = self._pace()
        spent = figures(self.predicted, now.devices, now.elapsed, now.joules)[0]
        if not planned or pace is None:
            return None
        left = max(planned - now.done, 0.0)
        value, sigma = pace
        rest = left * value
        drawn = left * value * np.exp(sigma * normals("tracking.pace", DRAWS))
        joules, joules_drawn = self._energy(now, rest, drawn) or (None, None)
        total, draws = figures(
            self.predicted,
            now.devices,
            now.elapsed + rest,
            joules,
            drawn=(now.elapsed + drawn, joules_drawn),
        )
        share = min(now.done / planned, 1.0)
        return Forecast(share=share, spent=spent, total=total, draws=draws)

    def _note(self, now: Snapshot) -> None:
        """Add an interval; what went before the first progress, such as compiling, sets no pace."""
        last, self._last = self._last, now
        if self._first is None:
            self._first = now if now.done > 0 else None
            return
        if last is None or now.elapsed <= last.elapsed:
            return
        seconds = now.elapsed - last.elapsed
        self._paces.add((now.done - last.done) / seconds)
        if now.joules is not None and last.joules is not None:
            self._watts.add((now.joules - last.joules) / seconds)

    def _pace(self) -> tuple[float, float] | None:
        """Seconds a datum of what remains, and the spread of its logarithm."""
        before, seen = self._before(), self._seen()
        if before is not None and seen is not None:
            # The estimate is at least as unsure as it has been seen to be wrong.
            before = (before[0], max(before[1], abs(log(before[0] / seen[0]))))
        known = [found for found in (before, seen) if found is not None]
        if not known:
            return None
        weights = [1.0 / (sigma * sigma) for _, sigma in known]
        centre = sum(w * log(v) for w, (v, _) in zip(weights, known, strict=True)) / sum(weights)
        return exp(centre), 1.0 / sqrt(sum(weights))

    def _before(self) -> tuple[float, float] | None:
        """The pace of the estimate made before."""
        found = self.predicted.results["wall_clock"] if self.predicted else None
        planned = self.planned or planned_data(self.predicted)
        if found is None or not planned or not found.value or not found.low or not found.high:
            return None
        sigma = max(log(found.high / found.low) / (2 * Z95), 1e-3)
        return to_si(found.value, found.unit) / planned, sigma

    def _seen(self) -> tuple[float, float] | None:
        """The pace of the job itself since its first progress."""
        if self._first is None or self._last is None or not self._paces.number:
            return None
        done = self._last.done - self._first.done
        if done <= 0:
            return None
        spread = self._paces.error(_ONE_INTERVAL)
        return (self._last.elapsed - self._first.elapsed) / done, sqrt(spread**2 + DRIFT**2)

    def _energy(self, now: Snapshot, rest: float, drawn: Array) -> tuple[float, Array] | None:
        """Joules at the end: what was drawn, and the rest at the mean power so far."""
        if now.joules is None:
            return None
        watts = self._watts.mean if self._watts.number else now.joules / max(now.elapsed, 1e-9)
        error = self._watts.error(0.0) if self._watts.number else 0.0
        power = watts * np.exp(error * normals("tracking.power", DRAWS))
        return now.joules + rest * watts, now.joules + drawn * power


def planned_data(predicted: Estimate | None) -> float | None:
    """How many tokens or samples the run is going to see."""
    found = (predicted.details.get("work") or {}).get("data") if predicted else None
    return float(found) if found else None


def figures(
    predicted: Estimate | None,
    devices: float,
    seconds: float,
    joules: float | None,
    *,
    drawn: tuple[Array, Array | None] | None = None,
) -> tuple[dict[str, Result], dict[str, Number]]:
    """What so much time and energy come to, by the one pipeline: results, and their draws.

    ``drawn`` are draws of the seconds and the joules.
    """
    known: dict[str, float] = {"devices": devices, "runs": 1.0, "wall_clock": seconds}
    if joules is not None:
        known["energy_it"] = joules
    inputs = _inputs(predicted)
    values = pipeline.run({name: item.value for name, item in inputs.items()} | known)
    draws: dict[str, Number] = {}
    if drawn is not None:
        given: dict[str, Number] = {**known, "wall_clock": drawn[0]}
        if drawn[1] is not None:
            given["energy_it"] = drawn[1]
        draws = pipeline.run({name: draw(item, DRAWS) for name, item in inputs.items()} | given)
    return {name: _result(name, values, draws, predicted) for name in FIGURES}, draws


def _inputs(predicted: Estimate | None) -> dict[str, Assumption]:
    """The inputs of the estimate made before that time and energy do not replace."""
    if predicted is None:
        return {}
    listed = {item.key: item for item in predicted.inputs if isinstance(item, Assumption)}
    made = {
        name: listed[key]
        for name, key in pipeline.INPUTS.items()
        if key in listed and name not in _SEEN
    }
    effective = listed.get("hardware.goodput")
    if effective is None:
        return made
    # Time is known; the mean power still depends on how much of it trains.
    at = exact(effective.key, effective.value, "1", basis=effective.basis, source=effective.source)
    return made | {"goodput": at}


def _result(
    name: str, values: Mapping[str, float], draws: Mapping[str, Number], predicted: Estimate | None
) -> Result:
    if name not in values:
        before = predicted.results[name].why if predicted else ""
        return unknown(UNITS[name], before or "no run file says what it follows from")
    value = float(values[name])
    low, high = percentiles(draws.get(name, value), value)
    return Result.of(value, low, high, UNITS[name], "modelled")
