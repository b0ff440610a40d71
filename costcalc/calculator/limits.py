"""Limits: whether a result passes one, and how likely that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from costcalc.base.human import human, percent
from costcalc.base.numbers import Number
from costcalc.base.units import unit
from costcalc.calculator.result import Result
from costcalc.resolve.known import currency, dollars
from costcalc.runfile.schema import Limits, Price

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Limit

_RESULTS = {"cost": "cost", "time": "wall_clock", "energy": "energy", "carbon": "carbon_total"}


def judged(
    limits: Limits, price: Price | None, results: Mapping[str, Result], draws: Mapping[str, Number]
) -> list[Limit]:
    """Each limit with the figure it is set on: passed or not (on the value), and the chance."""
    made: list[Limit] = []
    for key, name in _RESULTS.items():
        asked = getattr(limits, key)
        if asked is None:
            continue
        most = dollars(asked, price) / currency(price)[1] if key == "cost" else float(asked)
        result = results[name]
        made.append(_judge(key, most / unit(result.unit).factor, result, draws.get(name)))
    return made


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
