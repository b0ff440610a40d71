"""Short answers: figures with ranges and words, and what they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from costcalc.base.human import human, span
from costcalc.calculator.explaining import value_of
from costcalc.calculator.limits import LIMITED
from costcalc.calculator.notebook import driving
from costcalc.calculator.result import Estimate, Result
from costcalc.decide.sweep import ScenarioRow

_BESIDE = {"device_hours": "device_hours", "memory": "memory_per_device", "water": "water"}
FIGURES: tuple[Literal["wall_clock", "cost", "energy", "carbon_total"], ...] = (
    "wall_clock", "cost", "energy", "carbon_total",
)  # fmt: skip
#: how many assumptions, drivers and notes an answer names
ASSUMED, DRIVERS, NOTES = 8, 3, 6


def rounded(value: float | None) -> float | None:
    """A number to six digits, which is more than any estimate holds.

    >>> rounded(5483816.846), rounded(None)
    (5483820.0, None)
    """
    return None if value is None else float(f"{value:.6g}")


def figure(result: Result) -> dict[str, object]:
    """A figure with its range, and in words; one that is not known says why.

    >>> figure(Result(value=120.0, low=100.0, high=150.0, unit="USD", basis="modelled"))["text"]
    '120 USD (100 – 150)'
    """
    if result.value is None:
        return {"value": None, "unit": result.unit, "why": result.why}
    between = span(result.low, result.high, result.value, result.unit)
    return {
        "value": rounded(result.value),
        "low": rounded(result.low),
        "high": rounded(result.high),
        "unit": result.unit,
        "basis": result.basis,
        "text": human(result.value, result.unit) + (f" ({between})" if between else ""),
    }


def estimate(made: Estimate) -> dict[str, object]:
    """An estimate in a screen: figures, steps, what it rests on and what drives the ranges."""
    figures = {
        word: figure(made.results[name])
        for word, name in (LIMITED | _BESIDE).items()
        if name in made.results
    }
    answer: dict[str, object] = {
        "name": made.name,
        "ranges": "low and high are the 5th and 95th percentile",
        "figures": figures,
        "how": [f"{step[0]}: {step[1]}" for step in made.details.get("steps", ())],
        "drivers": _drivers(made),
        "assumed": assumed(made),
    }
    if made.stages:
        answer["stages"] = {stage.name: _in_words(stage) for stage in made.stages}
    if made.limits:
        answer["limits"] = [limit["text"] for limit in made.limits]
    notes = [*made.warnings, *made.notes]
    if notes:
        answer["notes"] = notes[:NOTES]
    return answer


def _in_words(made: Estimate) -> dict[str, object]:
    told = {word: figure(made.results[name]) for word, name in LIMITED.items()}
    return {word: one.get("text", "unknown") for word, one in told.items()}


def _drivers(made: Estimate) -> dict[str, list[str]]:
    words: dict[str, str] = {name: word for word, name in LIMITED.items()}
    found: dict[str, list[str]] = {}
    for driver in made.drivers:
        word = words.get(str(driver["of"]))
        if word and len(found.setdefault(word, [])) < DRIVERS:
            found[word].append(f"{driver['key']} {float(driver['share']):.0%}")
    return found


def assumed(made: Estimate) -> list[dict[str, object]]:
    """What was not given and has a source: the inputs that drive the ranges first."""
    return [
        {
            "key": item.key,
            "value": value_of(item),
            "basis": item.basis,
            "source": item.source,
            **({"year": item.year} if item.year else {}),
        }
        for item in driving(made)[:ASSUMED]
    ]


def row(found: ScenarioRow, units: Mapping[str, str]) -> dict[str, object]:
    """A scenario: its axes, and its figures in words."""
    told: dict[str, object] = {
        axis: found[axis]
        for axis in ("accelerator", "count", "region", "plan", "precision")
        if found[axis] is not None
    }
    ranges = found.get("ranges") or {}
    for name in FIGURES:
        value, unit = found[name], units[name]
        if value is None:
            told[name] = "unknown"
            continue
        low, high = ranges.get(name) or (value, value)
        between = span(low, high, value, unit)
        told[name] = human(value, unit) + (f" ({between})" if between else "")
    return {**told, "within_limits": found["within_limits"]}
