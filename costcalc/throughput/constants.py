"""Reads the calibrated constants of the time model from ``data/throughput.yaml``."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import TypedDict, cast

from costcalc.catalog.region_table import table

Figures = Mapping[str, float]


class OfGeneration(TypedDict, total=False):
    """What measurements of a generation tell: coefficients of its own, deviations by precision."""

    own: Figures
    precisions: Figures


class Stated(TypedDict):
    """A constant with its 5th and 95th percentile, and where it is from."""

    value: float
    low: float
    high: float
    source: str
    why: str


Constants = TypedDict(
    "Constants",
    {
        "sources": Mapping[str, Mapping[str, str]],
        "global": Figures,
        "kinds": Mapping[str, Figures],
        "generations": Mapping[str, OfGeneration],
        "models": Mapping[str, Figures],
        "classes": Mapping[str, Figures],
        "samples": Figures,
        "auto": Figures,
        "range": Mapping[str, Figures],
        "repeat": Figures,
        "goodput": Stated,
    },
    total=False,
)


@cache
def load() -> Constants:
    """The constants; one copy in memory serves all calls.

    Raises InputError if the file is damaged.
    """
    return cast("Constants", dict(table("throughput.yaml").data))
