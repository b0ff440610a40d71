"""Plots: a scatter of characters for the terminal, PNG, SVG or PDF by matplotlib (an extra)."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from costcalc.base.errors import MissingExtraError, wrong

LINE = "─"  # the mark of a series that is a line in a file
SUFFIXES = (".png", ".svg", ".pdf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """Points under one mark."""

    label: str
    mark: str
    x: Sequence[float]
    y: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plot:
    """Marks over two axes; ``x_text`` and ``y_text`` write a tick of an axis."""

    title: str
    x_label: str
    y_label: str
    series: Sequence[Marks]
    log_x: bool = False
    log_y: bool = True
    x_text: Callable[[float], str] = "{:g}".format
    y_text: Callable[[float], str] = "{:.3g}".format


COLUMNS = 79  # of a plot in the terminal, its margin included


def text(plot: Plot, *, width: int | None = None, height: int = 18) -> str:
    """The plot in characters; later series are drawn over earlier ones.

    ``width`` is that of the field; by default what COLUMNS leaves beside the margin.

    >>> print(text(Plot(title="t", x_label="x", y_label="y", log_y=False,
    ...       series=[Marks(label="a", mark="o", x=[0, 1], y=[0, 1])]), width=5, height=2))
    t
    (o a)
    1 │    o
    0 │o
      └─────
       0   1
       x; up: y
    """
    from math import log10
    from textwrap import wrap

    across = log10 if plot.log_x else float
    up = log10 if plot.log_y else float
    points = [
        (across(x), up(y), one.mark)
        for one in plot.series
        for x, y in zip(one.x, one.y, strict=True)
    ]
    if not points:
        return f"{plot.title}: nothing to plot"
    left, right = min(p[0] for p in points), max(p[0] for p in points)
    bottom, top = min(p[1] for p in points), max(p[1] for p in points)
    back = (lambda v: 10.0**v) if plot.log_y else float
    back_x = (lambda v: 10.0**v) if plot.log_x else float
    ends = plot.y_text(back(top)), plot.y_text(back(bottom))
    margin = max(len(end) for end in ends)
    width = width or COLUMNS - margin - 2
    grid = [[" "] * width for _ in range(height)]
    for x, y, mark in points:
        column = round((x - left) / ((right - left) or 1.0) * (width - 1))
        row = round((top - y) / ((top - bottom) or 1.0) * (height - 1))
        grid[row][column] = mark
    names = ", ".join(f"{one.mark} {one.label}" for one in plot.series)
    head = f"{plot.title}  ({names})"
    lines = (
        [head]
        if len(head) <= width + margin
        else [plot.title, *wrap(f"({names})", width=max(width + margin, 20))]
    )
    for at, cells in enumerate(grid):
        end = ends[0] if at == 0 else ends[1] if at == height - 1 else ""
        lines.append(f"{end:>{margin}} │{''.join(cells)}".rstrip())
    first, last = plot.x_text(back_x(left)), plot.x_text(back_x(right))
    pad = " " * margin
    lines += [
        f"{pad} └{'─' * width}",
        f"{pad}  {first}{last:>{max(width - len(first), 0)}}",
        f"{pad}  {plot.x_label}; up: {plot.y_label}",
    ]
    return "\n".join(lines)


def save(plot: Plot, path: str | os.PathLike[str], *, force: bool = False) -> Path:
    """Write the plot as PNG, SVG or PDF, by the ending of the name.

    Raises:
        InputError: another ending, or the file exists and ``force`` is not said.
        MissingExtraError: matplotlib is not installed.
    """
    target = Path(path)
    if target.suffix.lower() not in SUFFIXES:
        raise wrong(
            "--plot", f"expected a name that ends in {', '.join(SUFFIXES)}; got {target.name}"
        )
    if target.exists() and not force:
        raise wrong("--plot", f"{target} exists; --force overwrites it")
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("a plot as a file", "matplotlib", "plot") from error
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    for one in plot.series:
        if one.mark == LINE:
            axes.plot(one.x, one.y, label=one.label, linewidth=1, linestyle="--")
        else:
            axes.scatter(one.x, one.y, label=one.label, s=14)
    axes.set_title(plot.title)
    axes.set_xlabel(plot.x_label)
    axes.set_ylabel(plot.y_label)
    axes.set_xscale("log" if plot.log_x else "linear")
    axes.set_yscale("log" if plot.log_y else "linear")
    axes.legend()
    try:
        figure.savefig(target, dpi=150)
    except OSError as error:
        raise wrong("--plot", f"cannot write {target}: {error.strerror}") from error
    return target
