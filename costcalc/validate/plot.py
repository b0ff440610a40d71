"""Predicted against measured as a figure: a panel a table, the line where both are equal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costcalc.base.errors import InputError, MissingExtraError, Problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costcalc.validate.score import Point
    from costcalc.validate.tables import Report

SUFFIXES = (".png", ".svg", ".pdf")
COLUMNS = 3
INSIDE, OUTSIDE = "#33608f", "#c44e52"


def check(path: Path) -> None:
    """Refuses, before anything is computed, what cannot be drawn.

    Raises InputError for another suffix and MissingExtraError without matplotlib.
    """
    if path.suffix.lower() not in SUFFIXES:
        message = f'expected a file that ends in .png, .svg or .pdf; got "{path.name}"'
        raise InputError(Problem(key="--plot", message=message))
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("a plot of the scores", "matplotlib", "plot") from error


def draw(report: Report, path: Path) -> None:
    """Writes the figure.  Raises as :func:`check` does, and InputError where it cannot write."""
    check(path)
    from matplotlib.figure import Figure

    titles = [title for title, points in report.points.items() if points]
    rows = math.ceil(len(titles) / COLUMNS)
    wide = min(COLUMNS, len(titles))
    figure = Figure(figsize=(4.6 * wide, 4.4 * rows + 0.4), layout="constrained")
    panels = figure.subplots(rows, wide, squeeze=False).ravel()
    last = {table.title: "follows" if table.arithmetic else "inside" for table in report.tables}
    for panel, title in zip(panels, titles, strict=False):
        _panel(panel, title, report.points[title], last[title])
    for panel in panels[len(titles) :]:
        panel.set_axis_off()
    try:
        figure.savefig(path)
    except OSError as error:
        message = f"expected a file that can be written; {error.strerror}"
        raise InputError(Problem(key="--plot", message=message)) from error


def _panel(panel: Any, title: str, points: Sequence[Point], last: str) -> None:
    drawn = [(p.measured, p.predicted, p.inside) for p in points if p.predicted is not None]
    left_out = len(points) - len(drawn)  # a refused row has no place; the tables count it a miss
    for inside, colour in ((True, INSIDE), (False, OUTSIDE)):
        chosen = [(x, y) for x, y, held in drawn if held is inside]
        panel.scatter(
            [x for x, _ in chosen], [y for _, y in chosen], s=9, alpha=0.6, linewidths=0,
            color=colour, label=f"{'' if inside else 'not '}{last} ({len(chosen)})",
        )  # fmt: skip
    panel.set_xscale("log")
    panel.set_yscale("log")
    every = [value for x, y, _ in drawn for value in (x, y)]
    if every:
        ends = [min(every) / 1.5, max(every) * 1.5]
        panel.plot(ends, ends, color="#444444", linewidth=0.8)
        for factor in (0.5, 2.0):
            panel.plot(ends, [end * factor for end in ends], color="#bbbbbb", linewidth=0.6)
        panel.set_xlim(*ends)
        panel.set_ylim(*ends)
    units = ", ".join(sorted({point.unit for point in points if point.unit}))
    panel.set_title(title, fontsize=9, wrap=True)
    panel.set_xlabel(f"measured or published ({units})" if units else "measured", fontsize=8)
    panel.set_ylabel("predicted or worked out", fontsize=8)
    panel.tick_params(labelsize=7)
    note = f", {left_out} refused" if left_out else ""
    panel.legend(fontsize=7, loc="upper left", title=f"n {len(points)}{note}", title_fontsize=7)
