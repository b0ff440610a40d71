"""The figures of a report or of a stage, as they were read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from costcalc.calculator.figure_schema import Figure
    from costcalc.calculator.report_schema import Report, Stage


def figures(part: Report | Stage) -> Mapping[str, Figure]:
    """The figures of a part by name."""
    found = cast("Mapping[str, Figure | None]", part["results"])
    return {key: figure for key, figure in found.items() if isinstance(figure, Mapping)}
