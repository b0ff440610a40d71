"""Ranges of what is compared, and in how many of the same draws one scenario beats another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.assumption import Assumption
from costcalc.base.numbers import Number
from costcalc.base.ranges import DRAWS, draw, percentiles
from costcalc.base.units import unit
from costcalc.calculator.result import UNITS, FigureName
from costcalc.decide.chunk import AIMS, Task
from costcalc.decide.preempted import counted
from costcalc.decide.sweep import ScenarioRow, single
from costcalc.resolve.names import look_up
from costcalc.runfile.loading import load

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from costcalc.calculator.calculated import Calculated

SAMPLED = 24  # members of the front whose ranges are drawn and compared with one another
RENT = "price.device_hour"


def ranged(
    raw: Mapping[str, object], rows: list[ScenarioRow], task: Task
) -> tuple[list[ScenarioRow], dict[str, list[list[float]]]]:
    """Ranges of the front's members, and their shares of paired draws."""
    from costcalc.calculator.calculate import cost_of

    drawn: dict[str, list[ArrayLike]] = {aim: [] for aim in task.aims}
    made: list[ScenarioRow] = []
    for row in rows[:SAMPLED]:
        request = load(single(raw, row), look_up, changes=task.changes)
        part = counted(cost_of(request.parts[0], request, DRAWS), task.spot)
        ranges: dict[FigureName, list[float]] = {}
        for aim in task.aims:
            name = AIMS[aim]
            draws = part.draws.get(name, part.values[name])
            drawn[aim].append(draws * _own_price(part, row) if aim == "cost" else draws)
            low, high = percentiles(draws, float(part.values[name]))
            factor = unit(UNITS[name]).factor
            ranges[name] = [low / factor, high / factor]
        made.append({**row, "ranges": ranges})
    wins = {aim: _shares(draws) for aim, draws in drawn.items()}
    return [*made, *rows[SAMPLED:]], wins


def _own_price(part: Calculated, row: ScenarioRow) -> Number:
    """What turns the draws of the rent into those of this provider's rent of this device.

    Two prices are wrong each in its own way, unlike two uses of one model: a device of one provider
    on one plan has draws of its own, shared only by the scenarios that rent it.
    """
    rent = next(
        (one for one in part.assumptions if isinstance(one, Assumption) and one.key == RENT), None
    )
    if rent is None or rent.exact or row["plan"] == "owned":
        return 1.0
    provider = (part.given.part.price.provider if part.given.part.price else None) or (
        part.region.provider if part.region else None
    )
    own = replace(rent, key=f"{RENT}.{row['accelerator']}.{provider}.{row['plan']}")
    return draw(own) / draw(rent)


def share(one: ArrayLike, other: ArrayLike) -> float:
    """The share of paired draws in which one is less than another; equal draws count half.

    The draws of an assumption that two scenarios share are the same, so common errors cancel.

    >>> share(np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, 2.0, 4.0, 1.0]))
    0.625
    """
    less = np.asarray(one, dtype=float) - other
    alike = np.abs(less) <= 1e-12 * np.abs(other)
    number = max(less.size, 1)
    won = np.count_nonzero((less < 0) & ~alike) + 0.5 * np.count_nonzero(alike)
    return round(float(won / number), 4)


def _shares(drawn: list[ArrayLike]) -> list[list[float]]:
    """Every pair's share; what one does not win the other does."""
    made = [[0.5] * len(drawn) for _ in drawn]
    for i, one in enumerate(drawn):
        for j in range(i):
            made[i][j] = share(one, drawn[j])
            made[j][i] = round(1.0 - made[i][j], 4)
    return made
