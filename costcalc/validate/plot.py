"""Scores as a figure: median and 90th percentile of the error of each category."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from costcalc.errors import InputError, MissingExtraError, Problem

if TYPE_CHECKING:
    from costcalc.validate import Report

SUFFIXES = (".png", ".svg", ".pdf")


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

    scores = report.summary()[::-1]
    # a refused row has no error to draw; it is left out of the figure, not of the table
    medians = [s.median if math.isfinite(s.median) else math.nan for _, s in scores]
    p90s = [s.p90 if math.isfinite(s.p90) else math.nan for _, s in scores]
    figure = Figure(figsize=(8, 1.2 + 0.4 * len(scores)), layout="constrained")
    axes = figure.subplots()
    rows = range(len(scores))
    axes.barh(rows, [100 * v for v in p90s], color="#c6d5e6", label="90th percentile")
    axes.barh(rows, [100 * v for v in medians], color="#33608f", height=0.5, label="median")
    axes.set_yticks(rows, [f"{n} (n {s.n})" for n, s in scores])
    axes.set_xlabel("error of the prediction, %")
    axes.legend()
    try:
        figure.savefig(path)
    except OSError as error:
        message = f"expected a file that can be written; {error.strerror}"
        raise InputError(Problem(key="--plot", message=message)) from error
