"""What a tool recorded, costed: the time and energy that it measured, with a place and a price.

Each run becomes a run file whose ``measured:`` holds what the tool recorded, and goes through
:func:`costcalc.estimate` like any other; what the tool did not measure is modelled, and says so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from costcalc.base.errors import InputError, Problem
from costcalc.calculator.calculate import estimate
from costcalc.report.unprofiled import of_a_tool
from costcalc.runfile.laying import apply

if TYPE_CHECKING:
    from costcalc.calculator.result import Estimate
    from costcalc.report.importing.build import Recorded

_OWN_DEVICE = ("hardware.accelerator", "hardware.instance")
_OWN_GRID = ("site.region", "site.grid")


@dataclass(frozen=True, slots=True, kw_only=True)
class Costing:
    """What the user says of recorded runs: keys of the run file, and profiles of named devices.

    ``changes``: dotted keys, such as ``site.region``; ``devices``: what a tool calls a device, and
    the profile that it is.
    """

    changes: Mapping[str, object] = field(default_factory=dict)
    devices: Mapping[str, str] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.changes or self.devices)


def own_grid(costing: Costing | None) -> bool:
    """Whether a tool's own grid factor counts: nobody says another, nor another place."""
    return costing is None or not any(key in costing.changes for key in _OWN_GRID)


def own_pue(costing: Costing | None) -> bool:
    """Whether a tool's own PUE counts: nobody says another."""
    return costing is None or "site.pue" not in costing.changes


def bare(run: Recorded, costing: Costing) -> bool:
    """Whether a run held no accelerator, or nobody says how many."""
    said = any(key in costing.changes for key in ("hardware.count", "hardware.instance"))
    return run.devices == 0 or (run.devices is None and run.device_hours is None and not said)


def counting(run: Recorded, costing: Costing) -> Recorded:
    """A run without those factors of the tool that do not count, as the user says others."""
    grid = run.grid if own_grid(costing) else None
    return replace(run, grid=grid, pue=run.pue if own_pue(costing) else None)


def estimates(runs: Sequence[Recorded], costing: Costing, tool: str) -> list[Estimate]:
    """The estimate of each recorded run: of one without accelerators its energy and CO2e alone.

    Raises:
        InputError: every run that cannot be costed, a problem a kind.
    """
    made, problems = [], []
    for run in runs:
        try:
            said = run_file(run, costing)
            none = run.devices == 0
            made.append(of_a_tool(said, tool, none=none) if bare(run, costing) else estimate(said))
        except InputError as error:
            problems += [_told(p, run, costing) for p in error.problems]
    if problems:
        kinds = {(p.key, p.message.partition(": ")[2]): p for p in reversed(problems)}
        raise InputError([*reversed(kinds.values())])
    return made


def _told(problem: Problem, run: Recorded, costing: Costing) -> Problem:
    """A problem of a run: its row, and the way out where the tool's name of a device is none."""
    message = f"{run.name}: {problem.message}"
    named = (run.hardware or "").strip()
    said = any(key in costing.changes for key in _OWN_DEVICE) or named in costing.devices
    if problem.key == _OWN_DEVICE[0] and named and not said:
        message += f'; or say which it is: --device "{named}=NAME"'
    file, line = run.at or (None, None)
    return Problem(key=problem.key, message=message, file=file, line=line)


def run_file(run: Recorded, costing: Costing) -> dict[str, object]:
    """The run file that says what was recorded.

    Raises:
        InputError: the tool names no device, or several kinds, and nothing says which.
    """
    measured: dict[str, object] = {}
    many = run.number  # what is measured is of one run, their mean
    if run.device_hours is not None:
        measured["device_hours"] = run.device_hours / many
    elif run.hours is not None:
        measured["wall_clock"] = f"{run.hours!r} h"
    if run.energy_it is not None:
        measured["energy_it"] = f"{run.energy_it / many!r} kWh"
        ends = {"energy_it_low": run.energy_low, "energy_it_high": run.energy_high}
        measured |= {key: f"{end / many!r} kWh" for key, end in ends.items() if end is not None}
    made: dict[str, object] = {"name": run.name, "measured": measured}
    made |= {} if bare(run, costing) else {"hardware": _hardware(run, costing)}
    site: dict[str, object] = {}
    if run.pue is not None and own_pue(costing):
        site["pue"] = run.pue
    if run.grid is not None and own_grid(costing):
        site["grid"] = f"{run.grid!r} gCO2e/kWh"
    made |= {"site": site} if site else {}
    made |= {"training": {"runs": run.number}} if run.number > 1 else {}
    return apply(made, _changes(run, costing))


def _changes(run: Recorded, costing: Costing) -> Mapping[str, object]:
    """What the user says, as far as it goes with a run: no device, no price of one."""
    if not bare(run, costing):
        return costing.changes
    of_devices = ("hardware.", "price.", "embodied.")
    return {key: said for key, said in costing.changes.items() if not key.startswith(of_devices)}


def _hardware(run: Recorded, costing: Costing) -> dict[str, object]:
    whole = max(math.ceil((run.devices or 0.0) - 1e-9), 1)
    made: dict[str, object] = {"count": whole}
    name = _device(run, costing)
    if name is not None:
        made["accelerator"] = name
    if run.devices and run.devices < whole:
        made["share"] = run.devices / whole
    return made


def _device(run: Recorded, costing: Costing) -> str | None:
    if any(key in costing.changes for key in _OWN_DEVICE):
        return None
    named = (run.hardware or "").strip()
    if not named or not run.devices:
        message = (
            "no device is recorded, so that its price and power are not known; give "
            "--set hardware.accelerator=NAME"
        )
        raise InputError(Problem(key="hardware.accelerator", message=message))
    return costing.devices.get(named, named)
