"""Limits: whether a result passes one, and how likely that is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from costcalc.base.human import human, percent
from costcalc.base.units import unit
from costcalc.calculator.result import Result
from costcalc.resolve.known import dollars
from costcalc.runfile.schema import Limits, Price

_RESULTS = {"cost": "cost", "time": "wall_clock", "energy": "energy", "carbon": "carbon_total"}


def judged(
    limits: Limits, price: Price | None, results: Mapping[str, Result], draws: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Each limit with the figure it is set on: passed or not (on the value), and the chance."""
    made = []
    for key, name in _RESULTS.items():
        asked = getattr(limits, key)
        if asked is None:
            continue
        most = dollars(asked, price) if key == "cost" else float(asked)
        made.append(
            _judge(key, most / unit(results[name].unit).factor, results[name], draws.get(name))
        )
    return made


def _judge(key: str, most: float, result: Result, draws: Any) -> dict[str, Any]:
    shown = human(most, result.unit)
    if result.value is None:
        return {
            "key": f"limits.{key}",
            "limit": most,
            "unit": result.unit,
            "value": None,
            "passed": None,
            "chance": None,
            "text": f"limit {key} {shown}: cannot be judged, {result.why}",
        }
    passed = result.value > most
    drawn = np.asarray(result.value if draws is None else draws)
    scale = unit(result.unit).factor if draws is not None else 1.0
    chance = float(np.mean(drawn / scale > most))
    word = "PASSED" if passed else "kept"
    return {
        "key": f"limits.{key}",
        "limit": most,
        "unit": result.unit,
        "value": result.value,
        "passed": passed,
        "chance": round(chance, 4),
        "text": f"limit {key} {shown}: {word}, at {human(result.value, result.unit)}; "
        f"chance of passing it {percent(chance)}",
    }
