"""The line that tells how far a job is: on a terminal, seldom, and never in the way of others.

A line of its own at times that grow apart (it neither redraws nor moves the cursor), so that it
does not disturb a progress bar of the user's and reads well in a log.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TextIO

from costcalc.base.human import digits, percent, scale, span
from costcalc.calculator.result import SAID, Result
from costcalc.tracking.forecast import Forecast

# Seconds after which a line is due; then every hour.
_DUE = (20.0, 60.0, 180.0, 600.0, 1800.0, 3600.0)


def due(elapsed: float, last: float) -> bool:
    """Whether a line is due, the last one being so old.

    >>> due(25.0, 0.0), due(30.0, 25.0), due(7300.0, 3700.0)
    (True, False, True)
    """
    return any(last < mark <= elapsed for mark in _DUE) or elapsed - last >= _DUE[-1]


def line(
    spent: Mapping[str, Result],
    forecast: Forecast | None,
    before: Mapping[str, Result] | None = None,
) -> str:
    """What is spent, what it will come to with its range, and what was estimated ``before``.

    >>> from costcalc.tracking.forecast import figures
    >>> line(figures(None, 8, 5400.0, None)[0], None)
    'time 1.50 hours'
    """
    parts = [] if forecast is None else [percent(forecast.share)]
    for name, word in SAID.items():
        total = forecast.total[name] if forecast else None
        parts += _part(word, spent[name], total, before[name] if before else None)
    return " · ".join(parts)


def _part(label: str, spent: Result, total: Result | None, before: Result | None) -> list[str]:
    if spent.value is None:
        return []
    if total is None or total.value is None:
        name, factor = scale(spent.value, spent.unit)
        return [f"{label} {digits(spent.value / factor)} {name}"]
    name, factor = scale(total.value, total.unit)
    between = span(total.low, total.high, total.value, total.unit)
    shown = f"{label} {digits(spent.value / factor)} of {digits(total.value / factor)}"
    shown = f"{shown} [{between}] {name}" if between else f"{shown} {name}"
    if before is not None and before.value is not None:
        shown += f", estimated {digits(before.value / factor)}"
    return [shown]


class Teller:
    """Writes lines to stderr through rich: in colour on a terminal, plain in a file."""

    def __init__(self, file: TextIO | None = None) -> None:
        from rich.console import Console

        self._console = Console(file=file, stderr=file is None, soft_wrap=True)
        self._last = 0.0

    def tell(
        self,
        elapsed: float,
        spent: Mapping[str, Result],
        forecast: Forecast | None,
        before: Mapping[str, Result] | None = None,
    ) -> None:
        """Write the line if one is due."""
        if due(elapsed, self._last):
            self._last = elapsed
            self.say(line(spent, forecast, before))

    def say(self, text: str, *, warn: bool = False) -> None:
        """Write a line now."""
        style = "yellow" if warn else "dim"
        self._console.print("costcalc: " + text, style=style, markup=False, highlight=False)
