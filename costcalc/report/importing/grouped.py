"""Very many recorded runs as few: those that differ in their time and energy alone, together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from costcalc.report.importing.build import Recorded

#: runs that are a stage of a costed report each: a stage takes 12 kB, and a report is to be read
EACH = 100


def together(runs: Sequence[Recorded]) -> Sequence[Recorded]:
    """The runs, or of very many those as one that differ in their time and energy alone.

    >>> from costcalc.report.importing.build import Recorded
    >>> def run(key: str, hours: float) -> Recorded:
    ...     return Recorded(key=key, name=key, hours=hours, devices=4.0, energy_it=2.0 * hours)
    >>> (one,) = together([run(str(number), 1.0 + number % 2) for number in range(200)])
    >>> one.number, one.hours, one.energy_it, one.name
    (200, 1.5, 600.0, '0 and 199 more')
    """
    if len(runs) <= EACH:
        return runs
    found: dict[tuple[object, ...], list[Recorded]] = {}
    for run in runs:
        known = [one is None for one in (run.hours, run.device_hours, run.energy_it)]
        held = (run.devices, run.hardware, run.role, run.state)
        grid = None if run.grid is None else f"{run.grid:.3g}"  # a quotient of rounded figures
        alike = (*held, run.pue, grid, run.place, *known)
        found.setdefault(alike, []).append(run)
    return [_as_one(some) for some in found.values()]


def _as_one(runs: Sequence[Recorded]) -> Recorded:
    first, *others = runs
    if not others:
        return first

    def summed(figures: Sequence[float | None]) -> float | None:
        known = [one for one in figures if one is not None]
        return math.fsum(known) if len(known) == len(runs) else None

    hours = summed([run.hours for run in runs])

    def ends(figures: Sequence[float | None]) -> float | None:
        """The sum of ends; of a run without one its energy."""
        if all(end is None for end in figures):
            return None
        pairs = zip(figures, runs, strict=True)
        return summed([run.energy_it if end is None else end for end, run in pairs])

    names = {name for run in runs for name in run.parts}
    parts = {name: summed([run.parts.get(name) for run in runs]) for name in sorted(names)}
    return replace(
        first,
        members=tuple(run.key for run in runs),
        name=f"{first.name} and {len(others):,} more",
        hours=None if hours is None else hours / len(runs),
        device_hours=summed([run.device_hours for run in runs]),
        energy_it=summed([run.energy_it for run in runs]),
        energy_low=ends([run.energy_low for run in runs]),
        energy_high=ends([run.energy_high for run in runs]),
        grid=_grid(runs),
        began=None,
        machine=None,
        parts={name: value for name, value in parts.items() if value is not None},
        number=len(runs),
    )


def _grid(runs: Sequence[Recorded]) -> float | None:
    """The grid factor of all: the mean by energy, so that their CO2e is the sum of each."""
    pairs = [(run.grid, run.energy_it) for run in runs]
    known = [(grid, energy) for grid, energy in pairs if grid is not None and energy]
    if len(known) < len(runs):
        return runs[0].grid
    return math.fsum(g * e for g, e in known) / math.fsum(energy for _, energy in known)
