"""A measured report from what a tool recorded: what it did not record is null with a reason."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from costcalc.base import writing
from costcalc.base.errors import InputError, Problem
from costcalc.calculator.result import MODEL_VERSION, SCHEMA, UNITS
from costcalc.calculator.sections import kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One run as a tool recorded it; None is unknown.

    Units: hours, device-hours, kWh, kgCO2e, gCO2e/kWh.  ``key`` tells the run apart; only a hash of
    it is written.
    """

    key: str
    name: str
    hours: float | None
    devices: float | None
    device_hours: float | None = None
    energy_it: float | None = None
    pue: float | None = None
    grid: float | None = None
    role: str = "final"
    hardware: str | None = None
    why: Mapping[str, str] = field(default_factory=dict)


def report(
    runs: Sequence[Recorded],
    *,
    name: str,
    tool: str,
    version: str | None,
    boundary: str,
    region: str | None = None,
    gaps: float | None = None,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """One report of several recorded runs; ``boundary`` says what the tool's energy covers."""
    from costcalc import __version__

    parts = [_part(run, tool, region) for run in runs]
    results = parts[0]["results"] if len(parts) == 1 else _total([p["results"] for p in parts])
    single = len(parts) == 1
    made: dict[str, Any] = {
        "schema": SCHEMA,
        "name": name,
        "results": results,
        "assumptions": parts[0]["assumptions"] if single else [],
        "drivers": [],
        "warnings": list(warnings),
        "breakdown": {},
        "details": parts[0]["details"] if single else {},
        "run": {},
        "data": {},
        "stages": [] if single else parts,
        "costcalc_version": __version__,
        "model_version": MODEL_VERSION,
        "kind": kind(results),
        "subject": {
            "paper": None,
            "code": None,
            "commit": None,
            "models": [],
            "why": f"{tool} records no subject",
        },
        "runs": [_entry(run, part, tool) for run, part in zip(runs, parts, strict=True)],
        "boundary": _boundary(boundary, results),
        "work": _work(tool, len(runs)),
        "measurement": _measurement(tool, version, boundary, gaps),
        "software": [
            {"name": "costcalc", "version": __version__},
            {"name": tool, "version": version},
        ],
    }
    made["digest"] = writing.digest(made)
    return made


def _measurement(
    tool: str, version: str | None, boundary: str, gaps: float | None
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "meters": [{"name": tool, "version": version, "what": boundary}],
        "gaps": gaps,
        "nodes": None,
    }
    return made | {"why": f"nodes{'' if gaps is not None else ', gaps'}: {tool} does not say"}


def _part(run: Recorded, tool: str, region: str | None) -> dict[str, Any]:
    hours = run.device_hours
    if hours is None and run.hours is not None and run.devices is not None:
        hours = run.hours * run.devices
    energy = run.energy_it * run.pue if run.energy_it is not None and run.pue is not None else None
    carbon = energy * run.grid if energy is not None and run.grid is not None else None
    known = {
        "wall_clock": run.hours,
        "device_hours": hours,
        "energy_it": run.energy_it,
        "energy": energy,
        "carbon_operational": None if carbon is None else carbon / 1000,
    }
    measured = {"wall_clock", "device_hours", "energy_it"}
    results = {key: _figure(key, known.get(key), key in measured, tool, run.why) for key in UNITS}
    assumptions = [
        _assumed(key, value, unit, tool)
        for key, value, unit in (
            ("hardware.count", run.devices, "device"),
            ("site.pue", run.pue, "1"),
            ("site.grid", run.grid, "gCO2e/kWh"),
        )
        if value is not None
    ]
    details: dict[str, Any] = {}
    if run.hardware:
        details["hardware"] = {"name": run.hardware, "count": run.devices, "unit": "device"}
    if region:
        details["place"] = region
    return {"name": run.name, "results": results, "assumptions": assumptions, "details": details}


def _figure(
    key: str, value: float | None, measured: bool, tool: str, why: Mapping[str, str]
) -> dict[str, Any]:
    made: dict[str, Any] = {
        "value": value,
        "low": value,
        "high": value,
        "unit": UNITS[key],
        "basis": "measured" if measured and value is not None else "modelled",
    }
    if value is None:
        made["why"] = why.get(key, f"{tool} does not record it")
    return made


def _assumed(key: str, value: float, unit: str, tool: str) -> dict[str, Any]:
    return {
        "key": key,
        "value": value,
        "low": value,
        "high": value,
        "unit": unit,
        "basis": "measured" if key == "hardware.count" else "given",
        "source": tool,
    }


def _total(parts: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    from costcalc.report.project import total

    return {key: total(key, [part[key] for part in parts]) for key in UNITS}


def _entry(run: Recorded, part: Mapping[str, Any], tool: str) -> dict[str, Any]:
    results = part["results"]
    made: dict[str, Any] = {
        "id": "run-" + hashlib.sha256(f"{tool}:{run.key}".encode()).hexdigest()[:12],
        "name": run.name,
        "role": run.role,
        "number": 1.0,
        "hours": run.hours,
        "devices": run.devices,
        "device_hours": results["device_hours"]["value"],
        "energy": results["energy"]["value"],
        "measured_by": tool,
    }
    if made["energy"] is None:
        made["why"] = f"energy: {results['energy']['why']}"
    return made


def _boundary(energy: str, results: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "stages": [{"name": "what ran while it was recorded", "counted": True}],
        "components": [
            {"name": f"energy: {energy}", "counted": results["energy_it"]["value"] is not None},
            {"name": "making the hardware", "counted": False},
        ],
        "functional_unit": {"name": "the runs recorded", "amount": 1.0},
    }


def _work(tool: str, number: int) -> dict[str, Any]:
    why = f"{tool} does not record it"
    return {
        "E": {"value": None, "unit": "FLOP", "why": why},
        "D": {"value": None, "unit": "1", "why": why},
        "H": {"value": float(number), "unit": "1"},
    }


def number(text: str | None) -> float | None:
    """A number of a table; None where the cell is empty or none, or not finite, or negative."""
    try:
        value = float((text or "").strip())
    except ValueError:
        return None
    return value if math.isfinite(value) and 0 <= value < 1e15 else None


def refuse(name: str, message: str, line: int | None = None) -> InputError:
    """The error of a file that is none of its kind."""
    return InputError(Problem(key="", message=message, file=name, line=line))
