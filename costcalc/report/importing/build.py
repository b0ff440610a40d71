"""A measured report from what a tool recorded: what it did not record is null with a reason."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from costcalc import __version__
from costcalc.base.human import number_of
from costcalc.base.writing import digest
from costcalc.calculator.document import all_runs
from costcalc.report.coverage import MACHINE, components, of_tool
from costcalc.report.importing import rows as row_of
from costcalc.report.importing.costed import Costing, counting, estimates
from costcalc.report.importing.grouped import together
from costcalc.report.importing.rows import row
from costcalc.report.metered import metered_by, of_all, recorded, software
from costcalc.report.project import assembled, merge
from costcalc.report.rated import of_row
from costcalc.report.totals import bounded, of_runs, total
from costcalc.report.unprofiled import NO_ACCELERATOR

if TYPE_CHECKING:
    from costcalc.calculator.figure_schema import Figure
    from costcalc.calculator.report_schema import (
        Assumed,
        Boundary,
        Component,
        Measurement,
        Report,
        Role,
        RunEntry,
        Tool,
    )

_NAMED = 5  # runs whose figures cannot be that are warned of one by one
_WORK = {"E": "FLOP", "D": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One run as a tool recorded it; None is unknown.

    Units: hours, device-hours, kWh, kgCO2e, gCO2e/kWh.  ``key`` tells the run apart; only a hash of
    it is written.  ``machine`` is what tells kinds of machines apart where all of one was metered,
    likewise; ``began`` an ISO 8601 time on the clock of that machine.  ``energy_low`` and
    ``energy_high`` are the ends of ``energy_it`` where two meters, or a gap, leave it open;
    ``parts`` what the tool says that it is made of.  ``role``: no tool knows for what a run was;
    ``state`` is ``running`` where it still does.  ``number``: runs that stand together here, of
    ``hours`` each in the mean, the keys of which are ``members``; device-hours and energy are of
    all.
    """

    key: str
    name: str
    hours: float | None
    devices: float | None
    device_hours: float | None = None
    energy_it: float | None = None
    energy_low: float | None = None
    energy_high: float | None = None
    pue: float | None = None
    grid: float | None = None
    role: Role = "unknown"
    state: str | None = None
    hardware: str | None = None
    began: str | None = None
    machine: str | None = None
    place: str | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)
    number: int = 1
    members: tuple[str, ...] = ()
    at: tuple[str, int] | None = None  # the file and the line that say it


def report(
    runs: Sequence[Recorded],
    *,
    name: str,
    tool: str,
    version: str | None,
    boundary: str,
    gaps: float | None = None,
    least: bool = False,
    warnings: Sequence[str] = (),
    costing: Costing | None = None,
) -> Report:
    """One report of several recorded runs; ``boundary`` says what the tool's energy covers.

    ``gaps``: the share of the device-time that was not sampled; ``least``: for another reason the
    energy is a lower bound.  ``costing``: what the user adds, so that energy, cost and CO2e follow.

    Raises:
        InputError: a run that cannot be costed.
    """
    told: Tool = {"name": tool, "version": version, "what": boundary, "warnings": [*warnings]}
    seen = metered_by(told, gaps, least=least or bool(gaps))
    if not costing:
        return _assembled([row(run, tool) for run in runs], name=name, tool=told, seen=seen)
    kept = together([counting(run, costing) for run in runs])
    if len(kept) < len(runs):
        rows = [row(run, tool) for run in runs]
        told["warnings"] += [*_implausible(rows, told, seen), _few(len(runs), len(kept))]
    return _costed(kept, costing, name, told, seen)


def _few(runs: int, kept: int) -> str:
    return (
        f"of {number_of(runs, 'run')} those that differ in time and energy alone stand together, "
        f"which leaves {kept:,}; that another rank metered one of their machines would not be "
        "noticed"
    )


def _implausible(rows: Sequence[Mapping[str, Any]], tool: Tool, seen: Measurement) -> list[str]:
    """What of the recorded runs cannot be so, the first of them by name."""
    whole = {"details": {"imported": tool}, "measurement": seen}
    found = [(one["name"], line) for one in rows for line in of_row(one, tool["name"], whole)]
    said = [f"{name}: {line}" if len(rows) > 1 else line for name, line in found[:_NAMED]]
    return said + [f"and {number_of(len(found) - _NAMED, 'run')} more likewise"] * (
        len(found) > _NAMED
    )


def _costed(
    runs: Sequence[Recorded], costing: Costing, name: str, tool: Tool, seen: Measurement
) -> Report:
    """The report of runs that were estimated from what was recorded of them."""
    made = []
    for run, one in zip(runs, estimates(runs, costing, tool["name"]), strict=True):
        told = {
            "runs": [row_of.told(run, tool["name"])],
            "measurement": seen,
            "details": {"imported": {**tool, "warnings": list(tool["warnings"])}},
        }
        made.append(recorded(cast("Report", one.to_dict()), told))
    if len(made) > 1:
        return merge([("", one) for one in made], name=name, ranks="each")
    return made[0] | {"digest": digest(made[0])}


def again(report: Report) -> Report:
    """The same report made again of its rows, as :func:`report` makes it."""
    tool = cast("Tool", dict((report.get("details") or {})["imported"]))
    said = cast("Measurement", report.get("measurement") or {})
    rows = [row_of.reasoned(one, tool["name"]) for one in report.get("runs") or ()]
    least = bool(said.get("lower_bound"))
    seen = metered_by(tool, said.get("gaps"), least=least)
    return _assembled(rows, name=str(report.get("name")), tool=tool, seen=seen)


def _assembled(
    rows: Sequence[dict[str, Any]], *, name: str, tool: Tool, seen: Measurement
) -> Report:
    """The report of rows: figures of each multiplied out, and their sums."""
    called = tool["name"]
    found = [row_of.results(one, called) for one in rows]
    if seen["lower_bound"]:
        found = [bounded(one) for one in found]
    results = total(found) if len(rows) > 1 else found[0]
    silent = f"{called} does not record it"
    work = {key: {"value": None, "unit": unit, "why": silent} for key, unit in _WORK.items()}
    details: dict[str, object] = {"imported": dict(tool)}
    devices = [
        one.get("hardware") or (NO_ACCELERATOR if one.get("devices") == 0 else None) for one in rows
    ]
    if any(devices):
        counts = {one.get("devices") for one in rows}
        count = counts.pop() if len(counts) == 1 else None
        details["hardware"] = {"name": of_all(devices, ", "), "count": count, "unit": "device"}
    places = [one.get("place") for one in rows]
    if any(places):
        details["place"] = of_all(places, "; ")
    by_run = all_runs([cast("RunEntry", {**one, "number": 1.0}) for one in rows])
    if by_run:
        details["by_run"] = by_run
    return assembled(
        name,
        results,
        [],
        warnings=list(dict.fromkeys([*tool["warnings"], *_implausible(rows, tool, seen)])),
        assumptions=list(_assumed(rows, called)),
        details=details,
        subject={
            "paper": None,
            "code": None,
            "commit": None,
            "models": [],
            "why": f"{called} records no subject",
        },
        runs=[row_of.entry(row, one, called) for row, one in zip(rows, found, strict=True)],
        boundary=_boundary(tool["what"], results["energy_it"], called),
        work=work | {"H": {"value": float(len(rows)), "unit": "1"}},
        measurement=seen,
        software=software([__version__], [tool]),
    )


# What a tool multiplied by, and its unit in a report.
_FACTORS = {
    "devices": ("hardware.count", "device"),
    "pue": ("site.pue", "1"),
    "grid": ("site.grid", "gCO2e/kWh"),
}


def _assumed(rows: Sequence[Mapping[str, Any]], tool: str) -> Iterator[Assumed]:
    """What all rows share."""
    for name, (key, unit) in _FACTORS.items():
        said = {row.get(name) for row in rows}
        value = said.pop() if len(said) == 1 else None
        if value is not None:
            yield {
                "key": key,
                "value": value,
                "low": value,
                "high": value,
                "unit": unit,
                "basis": "measured" if name == "devices" else "given",
                "source": tool,
            }


def _boundary(energy: str, figure: Figure, tool: str) -> Boundary:
    known = figure.get("known")
    partly = bool(known and known["value"] is not None)
    metered: Component = {
        "name": f"energy: {energy}",
        "counted": figure["value"] is not None or partly,
    }
    if known and partly:
        metered["why"] = f"of {of_runs(known)}"
    unseen = [{"name": name, "counted": False} for name in MACHINE]
    seen = components(unseen, tool) if metered["counted"] and of_tool(tool) else []
    return {
        "stages": [{"name": "what ran while it was recorded", "counted": True}],
        "components": [
            metered,
            *cast("list[Component]", seen),
            {"name": "making the hardware", "counted": False},
        ],
        "functional_unit": {"name": "the runs recorded", "amount": 1.0},
    }
