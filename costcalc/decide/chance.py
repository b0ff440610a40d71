"""One run against its limits: what each limit must hold, for it to be kept with a confidence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.errors import wrong
from costcalc.base.ranges import DRAWS
from costcalc.base.units import unit
from costcalc.calculator.limits import LIMITED
from costcalc.calculator.result import UNITS
from costcalc.decide.preempted import Spot, counted

if TYPE_CHECKING:
    from costcalc.base.numbers import Number
    from costcalc.calculator.calculate import Whole
    from costcalc.calculator.calculated import Calculated
    from costcalc.calculator.result import Estimate

CONFIDENCE = 0.8


@dataclass(frozen=True, kw_only=True)
class Judged:
    """A run, calculated, and what each limit must hold, in the units of its figures.

    ``needs`` is the least limit that is kept with the confidence; None where the figure is unknown.
    """

    made: Whole
    needs: Mapping[str, float | None]

    @property
    def estimate(self) -> Estimate:
        """The estimate with its ranges."""
        return self.made.estimate

    @cached_property
    def flop(self) -> float:
        """The compute of one run."""
        return sum(part.values.get("model_flops", 0.0) for part in self.made.parts)

    def share(self, most: Mapping[str, float]) -> tuple[float | None, str]:
        """How many times the run the limits hold, and which binds; None where one is unknown."""
        times = {}
        for key, limit in most.items():
            need = self.needs[key]
            if need is None:
                return None, key
            times[key] = limit / need if need else math.inf
        binding = min(times, key=lambda key: times[key])
        return times[binding], binding

    def unknown(self, most: Mapping[str, float]) -> str:
        """Why a limit cannot be judged."""
        _, key = self.share(most)
        return f"limit {key} cannot be judged: {self.estimate.results[LIMITED[key]].why}"

    @property
    def chances(self) -> dict[str, float | None]:
        """The chance that each limit of the run is kept, by the draws of its estimate."""
        return {
            str(limit["key"]).partition(".")[2]: None
            if limit["chance"] is None
            else round(1.0 - limit["chance"], 4)
            for limit in self.estimate.limits
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Chance:
    """How sure a plan is to be of each of its limits, and whether interruptions are counted.

    ``spot``: what happens to spot instances; None leaves interruptions out.  ``choosing``: whether
    it is the plan that chooses hardware or model, so that what may not fit is not taken.
    """

    confidence: float = CONFIDENCE
    choosing: bool = True
    spot: Spot | None = field(default_factory=Spot)

    def judged(self, run: Mapping[str, object]) -> Judged:
        """A run, estimated with its ranges.

        Raises:
            InputError: the run file has problems, or what is to be chosen may not fit.
        """
        from costcalc.calculator.calculate import whole
        from costcalc.calculator.room import doubtful
        from costcalc.resolve.names import look_up
        from costcalc.runfile.loading import load

        request = load(run, look_up)

        def taken(part: Calculated) -> Calculated:
            if self.choosing and (doubt := doubtful(part.devices, part.timed)):
                raise wrong("hardware.count", doubt)
            return counted(part, self.spot)

        made = whole(request, DRAWS, taken)
        needs: dict[str, float | None] = {}
        for key, name in LIMITED.items():
            draws = made.drawn(name)
            needs[key] = None
            if draws is not None:
                value = sum(part.values[name] for part in made.parts)
                needs[key] = max(held(draws, self.confidence), value) / unit(UNITS[name]).factor
        return Judged(made=made, needs=needs)


def held(draws: Number, confidence: float) -> float:
    """The least figure that no more than the rest of the draws pass.

    >>> held(np.array([4.0, 1.0, 3.0, 2.0, 5.0]), 0.8), held(7.0, 0.8)
    (4.0, 7.0)
    """
    if not isinstance(draws, np.ndarray):
        return float(draws)
    at = max(math.ceil(confidence * draws.size - 1e-9) - 1, 0)
    return float(np.partition(draws, at)[at])


def checked(confidence: float) -> float:
    """A confidence, if it is one.

    Raises:
        InputError: it is not between 0 and 1.
    """
    if not 0.0 < confidence < 1.0:
        raise wrong(
            "--confidence", f"expected a chance between 0 and 1, as 0.8; got {confidence:g}"
        )
    return confidence
