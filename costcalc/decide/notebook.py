"""What a notebook shows of a comparison: its front and the best of the rest, with their ranges."""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from costcalc.base.filling import environment
from costcalc.base.human import human, span
from costcalc.calculator.result import FigureName
from costcalc.decide.sweep import ScenarioRow

if TYPE_CHECKING:
    from costcalc.decide.comparing import Comparison

#: rows that are shown; a data frame has all
_SHOWN = 20
_FIGURES: Mapping[str, FigureName] = {
    "Time": "wall_clock",
    "Cost": "cost",
    "Energy": "energy",
    "CO2e": "carbon_total",
}


def table(made: Comparison) -> str:
    """A comparison as HTML; nothing of it is markup but ours."""
    page = environment(Path(__file__).parent, finalize=lambda value: html.escape(str(value)))
    rows = [*((one, True) for one in made.front), *((one, False) for one in made.rest)]
    precise = any(one["precision"] for one, _ in rows)
    places = ("Hardware", "Where", "Plan", *(["Precision"] if precise else []))
    return page.get_template("comparison.html.j2").render(
        made=made,
        heads=[*places, *_FIGURES],
        rows=[_row(one, made, front=front, precise=precise) for one, front in rows[:_SHOWN]],
        left_out=max(len(rows) - _SHOWN, 0),
        notes=made.notes,
    )


def _row(one: ScenarioRow, made: Comparison, *, front: bool, precise: bool) -> dict[str, object]:
    return {
        "front": front,
        "hardware": f"{one['count']:,} × {one['accelerator']}",
        "words": [one["region"], one["plan"], *([one["precision"]] if precise else [])],
        "cells": [_cell(one, name, made.units[name]) for name in _FIGURES.values()],
    }


def _cell(one: ScenarioRow, name: FigureName, unit: str) -> tuple[str, str]:
    value = one.get(name)
    assert value is None or isinstance(value, float)
    low, high = one.get("ranges", {}).get(name, (None, None))
    return human(value, unit), span(low, high, value, unit)
