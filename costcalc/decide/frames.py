"""A comparison as a data frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from costcalc.calculator.notebook import frame
from costcalc.decide.sweep import ScenarioRow

if TYPE_CHECKING:
    from pandas import DataFrame

_COLUMNS = (
    *("front", "accelerator", "count", "region", "plan", "precision", "wall_clock"),
    *("device_hours", "cost", "energy", "carbon_total", "within_limits"),
)


def frame_of(
    front: Sequence[ScenarioRow], rest: Sequence[ScenarioRow], units: Mapping[str, str]
) -> DataFrame:
    """The front and the rest, a row each; ``cost_low`` and the like where ranges were drawn."""
    rows: list[Mapping[str, object]] = [{**row, "front": True} for row in front]
    rows += [{**row, "front": False} for row in rest]
    columns: dict[str, list[object]] = {name: [row.get(name) for row in rows] for name in _COLUMNS}
    told = dict(units)
    for name, unit in units.items():
        for at, end in enumerate(("low", "high")):
            if not any(name in (row.get("ranges") or ()) for row in (*front, *rest)):
                break
            columns[f"{name}_{end}"] = [_end(row, name, at) for row in rows]
            told[f"{name}_{end}"] = unit
    return frame(columns, told)


def _end(row: Mapping[str, object], name: str, at: int) -> object:
    ranges = row.get("ranges")
    found = ranges.get(name) if isinstance(ranges, Mapping) else None
    return found[at] if found else None
