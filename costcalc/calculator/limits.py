"""Limits: whether a result passes one, and how likely that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np

from costcalc.base.human import human, percent
from costcalc.base.numbers import Number
from costcalc.base.units import unit
from costcalc.calculator.result import UNITS, Estimate, Result
from costcalc.resolve.known import currency, dollars
from costcalc.runfile.schema import Limits, Price

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Limit

#: what can be limited, and the figure that each limit is set on
LIMITED: dict[str, Literal["wall_clock", "cost", "energy", "carbon_total"]] = {
    "cost": "cost",
    "time": "wall_clock",
    "energy": "energy",
    "carbon": "carbon_total",
}


def amounts(limits: Limits | None, price: Price | None) -> dict[str, float]:
    """Each limit that is given, in the unit of its figure; money in the currency of the result.

    >>> amounts(Limits.model_validate({"time": "2 d"}), None)
    {'time': 48.0}
    """
    made = {}
    for key, name in LIMITED.items():
        asked = getattr(limits, key, None)
        if asked is not None:
            most = dollars(asked, price) / currency(price)[1] if key == "cost" else float(asked)
            made[key] = most / unit(UNITS[name]).factor
    return made


def most_of(found: Estimate) -> dict[str, float]:
    """The limits that an estimate was judged by, each in the unit of its figure."""
    return {limit["key"].partition(".")[2]: limit["limit"] for limit in found.limits}


def judged(
    limits: Limits, price: Price | None, results: Mapping[str, Result], draws: Mapping[str, Number]
) -> list[Limit]:
    """Each limit with the figure it is set on: passed or not (on the value), and the chance."""
    return [
        _judge(key, most, results[LIMITED[key]], draws.get(LIMITED[key]))
        for key, most in amounts(limits, price).items()
    ]


def _judge(key: str, most: float, result: Result, draws: Number | None) -> Limit:
    text = f"limit {key} {human(most, result.unit)}"
    passed = chance = None
    if result.value is None:
        text += f": cannot be judged, {result.why}"
    else:
        passed = result.value > most
        shown = result.value if draws is None else draws / unit(result.unit).factor
        chance = float(np.mean(np.asarray(shown) > most))
        text += f": {'PASSED' if passed else 'kept'}, at {human(result.value, result.unit)}; "
        text += f"chance of passing it {percent(chance)}"
    return {
        "key": f"limits.{key}",
        "limit": most,
        "unit": result.unit,
        "value": result.value,
        "passed": passed,
        "chance": None if chance is None else round(chance, 4),
        "text": text,
    }
