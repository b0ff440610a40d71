"""A measured report from what a tool recorded: what it did not record is null with a reason."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from costcalc import __version__
from costcalc.base.human import number_of
from costcalc.base.writing import digest
from costcalc.calculator.document import all_runs
from costcalc.calculator.result import UNITS
from costcalc.report.coverage import MACHINE, components, of_tool
from costcalc.report.importing.costed import Costing, estimates
from costcalc.report.metered import metered_by, recorded
from costcalc.report.project import assembled, merge, total
from costcalc.report.rated import of_row
from costcalc.report.tools import NO_DEVICE

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import (
        Assumed,
        Boundary,
        Component,
        Figure,
        Report,
        Role,
        RunEntry,
    )

_NAMED = 5  # runs whose figures cannot be that are warned of one by one
_WORK = {"E": "FLOP", "D": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One run as a tool recorded it; None is unknown.

    Units: hours, device-hours, kWh, kgCO2e, gCO2e/kWh.  ``key`` tells the run apart; only a hash of
    it is written.  ``machine`` is what tells kinds of machines apart where all of one was metered,
    likewise; ``began`` an ISO 8601 time on the clock of that machine.  ``parts`` are what the tool
    says that ``energy_it`` is made of.  ``number``: runs that stand together here, of
    ``hours`` each in the mean; device-hours and energy are of all.
    """

    key: str
    name: str
    hours: float | None
    devices: float | None
    device_hours: float | None = None
    energy_it: float | None = None
    pue: float | None = None
    grid: float | None = None
    role: Role = "final"
    hardware: str | None = None
    began: str | None = None
    machine: str | None = None
    place: str | None = None
    parts: Mapping[str, float] = field(default_factory=dict)
    why: Mapping[str, str] = field(default_factory=dict)
    number: int = 1


def report(
    runs: Sequence[Recorded],
    *,
    name: str,
    tool: str,
    version: str | None,
    boundary: str,
    gaps: float | None = None,
    warnings: Sequence[str] = (),
    costing: Costing | None = None,
) -> Report:
    """One report of several recorded runs; ``boundary`` says what the tool's energy covers.

    ``costing``: what the user adds, so that energy, cost and CO2e follow.

    Raises:
        InputError: a run that cannot be costed.
    """
    told: dict[str, str | None] = {"name": tool, "version": version, "what": boundary}
    if costing:
        runs, left_out = _with_devices(runs)
        kept = together(runs)
        seen = {"details": {"imported": told}, "measurement": {"gaps": None}}
        if len(kept) < len(runs):
            left_out += _implausible([_row(run, tool) for run in runs], tool, seen)
            left_out.append(
                f"of {number_of(len(runs), 'run')} those that differ in time and energy alone "
                f"stand together, which leaves {len(kept):,}; that another report has some of them "
                "would not be noticed"
            )
        return _costed(kept, costing, name, told, gaps, [*warnings, *left_out])
    rows = [_row(run, tool) for run in runs]
    seen = {"details": {"imported": told}, "measurement": {"gaps": gaps}}
    notes = [*warnings, *_implausible(rows, tool, seen)]
    return _assembled(rows, name=name, tool=told, gaps=gaps, warnings=notes)


def _implausible(
    rows: Sequence[Mapping[str, Any]], tool: str, seen: Mapping[str, object]
) -> list[str]:
    """What of the recorded runs cannot be so, the first of them by name."""
    found = [(row["name"], line) for row in rows for line in of_row(row, tool, seen)]
    said = [f"{name}: {line}" if len(rows) > 1 else line for name, line in found[:_NAMED]]
    return said + [f"and {number_of(len(found) - _NAMED, 'run')} more likewise"] * (
        len(found) > _NAMED
    )


#: runs that are a stage of a costed report each: a stage takes 12 kB, and a report is to be read
EACH = 100


def together(runs: Sequence[Recorded]) -> Sequence[Recorded]:
    """The runs, or of very many those as one that differ in their time and energy alone.

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
        alike = (run.devices, run.pue, run.grid, run.role, run.hardware, run.place, *known)
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
    names = {name for run in runs for name in run.parts}
    parts = {name: summed([run.parts.get(name) for run in runs]) for name in sorted(names)}
    return replace(
        first,
        key=" ".join(run.key for run in runs),
        name=f"{first.name} and {len(others):,} more",
        hours=None if hours is None else hours / len(runs),
        device_hours=summed([run.device_hours for run in runs]),
        energy_it=summed([run.energy_it for run in runs]),
        began=None,
        machine=None,
        parts={name: value for name, value in parts.items() if value is not None},
        number=len(runs),
    )


def _costed(
    runs: Sequence[Recorded],
    costing: Costing,
    name: str,
    tool: Mapping[str, str | None],
    gaps: float | None,
    warnings: Sequence[str],
) -> Report:
    """The report of runs that were estimated from what was recorded of them."""
    made = []
    for run, one in zip(runs, estimates(runs, costing), strict=True):
        entry: dict[str, object] = {
            "id": _id(str(tool["name"]), run),
            "name": run.name,
            "role": run.role,
        }
        entry |= _when(run) | ({"parts": dict(run.parts)} if run.parts else {})
        told = {
            "runs": [entry],
            "measurement": metered_by(tool, gaps if len(runs) == 1 else None),
            "details": {"imported": {**tool, "warnings": list(warnings)}},
        }
        made.append(recorded(cast("Report", one.to_dict()), told))
    whole = (
        made[0] if len(made) == 1 else merge([("", one) for one in made], name=name, ranks="each")
    )
    sections = {**whole, "software": _software(tool)}
    sections["digest"] = digest(sections)
    return cast("Report", sections)


def _software(tool: Mapping[str, str | None]) -> list[dict[str, str | None]]:
    return [
        {"name": "costcalc", "version": __version__},
        {"name": tool["name"], "version": tool["version"]},
    ]


def again(report: Report) -> Report:
    """The same report made again of its rows, as :func:`report` makes it."""
    details = cast("Mapping[str, Any]", report.get("details") or {})
    measurement = report.get("measurement")
    return _assembled(
        [_reasoned(run, details["imported"]["name"]) for run in report.get("runs") or ()],
        name=str(report.get("name")),
        tool=details["imported"],
        gaps=measurement.get("gaps") if measurement else None,
        warnings=report.get("warnings") or [],
    )


def _assembled(
    rows: Sequence[dict[str, Any]],
    *,
    name: str,
    tool: Mapping[str, str | None],
    gaps: float | None,
    warnings: Sequence[str],
) -> Report:
    """The report of rows: figures of each multiplied out, and their sums."""
    called, what = str(tool["name"]), str(tool["what"])
    found = [_results(row, called) for row in rows]
    results = total(found) if len(rows) > 1 else found[0]
    silent = f"{called} does not record it"
    work = {key: {"value": None, "unit": unit, "why": silent} for key, unit in _WORK.items()}
    details: dict[str, object] = {"imported": dict(tool)}
    hardware = dict.fromkeys(str(row["hardware"]) for row in rows if row.get("hardware"))
    if hardware:
        counts = {row["devices"] for row in rows}
        count = counts.pop() if len(counts) == 1 else None
        details["hardware"] = {"name": ", ".join(hardware), "count": count, "unit": "device"}
    places = dict.fromkeys(str(row["place"]) for row in rows if row.get("place"))
    if places:
        details["place"] = "; ".join(places)
    by_run = all_runs([cast("RunEntry", {**row, "number": 1.0}) for row in rows])
    if by_run:
        details["by_run"] = by_run
    return assembled(
        name,
        results,
        [],
        warnings=list(warnings),
        assumptions=list(_assumed(rows, called)),
        details=details,
        subject={
            "paper": None,
            "code": None,
            "commit": None,
            "models": [],
            "why": f"{called} records no subject",
        },
        runs=[_entry(row, one, called) for row, one in zip(rows, found, strict=True)],
        boundary=_boundary(what, results["energy_it"]["value"] is not None, called),
        work=work | {"H": {"value": float(len(rows)), "unit": "1"}},
        measurement=metered_by(tool, gaps),
        software=_software(tool),
    )


def _row(run: Recorded, tool: str) -> dict[str, Any]:
    """What of a run the tool recorded; all else follows from it."""
    hours = run.device_hours
    if hours is None and run.hours is not None and run.devices is not None:
        hours = run.hours * run.devices
    made: dict[str, Any] = {
        "id": _id(tool, run),
        "name": run.name,
        "role": run.role,
        "number": 1.0,
        "hours": run.hours,
        "devices": run.devices,
        "device_hours": hours,
        "energy_it": run.energy_it,
        "pue": run.pue,
        "grid": run.grid,
        **({"hardware": run.hardware} if run.hardware else {}),
        **({"place": run.place} if run.place else {}),
        **({"parts": dict(run.parts)} if run.parts else {}),
        **_when(run),
    }
    return _reasoned({**made, "unknown": run.why}, tool)


def _reasoned(row: Mapping[str, Any], tool: str) -> dict[str, Any]:
    """A row with reasons where a figure is null, and nowhere else."""
    null = {key for key, one in _results(row, tool).items() if one["value"] is None}
    unknown = {key: why for key, why in (row.get("unknown") or {}).items() if key in null}
    rest = {key: value for key, value in row.items() if key != "unknown"}
    return {**rest, "unknown": unknown} if unknown else rest


def _when(run: Recorded) -> dict[str, str]:
    """On which machine and from when on, as far as merging needs it to count nothing twice."""
    made = {"began": run.began} if run.began else {}
    if run.machine:
        made["machine"] = hashlib.sha256(run.machine.encode()).hexdigest()[:12]
    return made


def _results(row: Mapping[str, Any], tool: str) -> dict[str, Figure]:
    """The figures of a row: energy behind PUE, and its CO2e, where the tool gives their factors."""
    it, pue, grid = row.get("energy_it"), row.get("pue"), row.get("grid")
    energy = it * pue if it is not None and pue is not None else None
    carbon = energy * grid if energy is not None and grid is not None else None
    known = {
        "wall_clock": row.get("hours"),
        "device_hours": row.get("device_hours"),
        "energy_it": it,
        "energy": energy,
        "carbon_operational": None if carbon is None else carbon / 1000,
    }
    measured = {"wall_clock", "device_hours", "energy_it", "energy"}  # PUE is the tool's own
    why = row.get("unknown") or {}
    return {key: _figure(key, known.get(key), key in measured, tool, why) for key in UNITS}


def _figure(
    key: str, value: float | None, measured: bool, tool: str, why: Mapping[str, str]
) -> Figure:
    made: Figure = {
        "value": value,
        "low": value,
        "high": value,
        "unit": UNITS[key],
        "basis": "measured" if measured and value is not None else "modelled",
    }
    if value is None:
        made["why"] = why.get(key, f"{tool} does not record it")
    return made


def _with_devices(runs: Sequence[Recorded]) -> tuple[Sequence[Recorded], list[str]]:
    """The runs on accelerators, where there are others too; what a processor costs is not known."""
    kept = [run for run in runs if run.devices != 0]
    if not kept or len(kept) == len(runs):
        return runs, []
    without = len(runs) - len(kept)
    return kept, [f"{number_of(without, 'run')} {NO_DEVICE}: the price is not known"]


def _id(tool: str, run: Recorded) -> str:
    """What a run is told apart by."""
    return "run-" + hashlib.sha256(f"{tool}:{run.key}".encode()).hexdigest()[:12]


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


def _entry(row: Mapping[str, Any], results: Mapping[str, Figure], tool: str) -> dict[str, object]:
    made = {**row, "number": 1.0, "energy": results["energy"]["value"], "measured_by": tool}
    made.pop("why", None)
    lacking = results["energy"].get("why")
    return made | ({"why": f"energy: {lacking}"} if lacking else {})


def _boundary(energy: str, counted: bool, tool: str) -> Boundary:
    unseen = [{"name": name, "counted": False} for name in MACHINE]
    seen = components(unseen, tool) if counted and of_tool(tool) else []
    return {
        "stages": [{"name": "what ran while it was recorded", "counted": True}],
        "components": [
            {"name": f"energy: {energy}", "counted": counted},
            *cast("list[Component]", seen),
            {"name": "making the hardware", "counted": False},
        ],
        "functional_unit": {"name": "the runs recorded", "amount": 1.0},
    }
