"""The Software Carbon Intensity for AI, by the functional units that it names for a provider.

Green Software Foundation, SCI for AI, 8.2: a FLOP, a token of the training data, a parameter;
https://github.com/Green-Software-Foundation/sci-ai/blob/main/SPEC.md.  Gross values: all runs, all
their FLOPs and tokens, all parameters.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from costcalc.calculator.result import Result

CONVENTION = (
    "SCI for AI, provider: location-based electricity and making the hardware of all runs, over "
    "their gross FLOPs; per: over the data of all runs, and over all parameters"
)
_GRAMS = 1e3  # in a kilogram


def intensity(
    figure: Result, results: Mapping[str, Result], data: tuple[float, str] | None
) -> Result:
    """The intensity a FLOP with those of the other units; ``data`` of all runs, and their kind."""
    carbon = results["carbon_total"]
    if figure.value is None or carbon.value is None:
        return figure
    units: dict[str, tuple[float | None, str]] = {
        **({f"training_{data[1]}": (data[0], data[1])} if data else {}),
        "parameter": (results["parameters"].value, "parameter"),
    }
    per = {
        name: {
            **{
                end: float(getattr(carbon, end)) * _GRAMS / number
                for end in ("value", "low", "high")
            },
            "unit": f"gCO2e/{unit}",
        }
        for name, (number, unit) in units.items()
        if number
    }
    return replace(figure, convention=CONVENTION, per=per)
