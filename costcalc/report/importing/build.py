"""A measured report from what a tool recorded: what it did not record is null with a reason."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from costcalc import __version__
from costcalc.base.writing import digest
from costcalc.calculator.result import UNITS
from costcalc.report.importing.costed import Costing, estimates
from costcalc.report.project import assembled, merge, total
from costcalc.report.view import figures

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import (
        Assumed,
        Boundary,
        Figure,
        Measurement,
        Report,
        Role,
        Stage,
    )

_WORK = {"E": "FLOP", "D": "1"}


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
    role: Role = "final"
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
    costing: Costing | None = None,
) -> Report:
    """One report of several recorded runs; ``boundary`` says what the tool's energy covers.

    ``costing``: what the user adds, so that energy, cost and CO2e follow.

    Raises:
        InputError: a run that cannot be costed.
    """
    measurement: Measurement = {
        "meters": [{"name": tool, "version": version, "what": boundary}],
        "gaps": gaps,
        "nodes": None,
        "why": f"nodes{'' if gaps is not None else ', gaps'}: {tool} does not say",
    }
    software: list[dict[str, str | None]] = [
        {"name": "costcalc", "version": __version__}, {"name": tool, "version": version},
    ]  # fmt: skip
    if costing:
        runs, left_out = _with_devices(runs)
        warnings = [*warnings, *left_out]
        return _costed(runs, costing, name, tool, warnings, measurement, software)
    parts = [_part(run, tool, region) for run in runs]
    results = total([figures(part) for part in parts]) if len(parts) > 1 else figures(parts[0])
    alone = {key: parts[0][key] for key in ("assumptions", "details")} if len(parts) == 1 else {}
    silent = f"{tool} does not record it"
    work = {key: {"value": None, "unit": unit, "why": silent} for key, unit in _WORK.items()}
    return assembled(
        name,
        results,
        parts if len(parts) > 1 else [],
        warnings=list(warnings),
        **alone,
        subject={
            "paper": None,
            "code": None,
            "commit": None,
            "models": [],
            "why": f"{tool} records no subject",
        },
        runs=[_entry(run, part, tool) for run, part in zip(runs, parts, strict=True)],
        boundary=_boundary(boundary, results["energy_it"]["value"] is not None),
        work=work | {"H": {"value": float(len(runs)), "unit": "1"}},
        measurement=measurement,
        software=software,
    )


def _costed(
    runs: Sequence[Recorded],
    costing: Costing,
    name: str,
    tool: str,
    warnings: Sequence[str],
    measurement: Measurement,
    software: list[dict[str, str | None]],
) -> Report:
    """The report of runs that were estimated from what was recorded of them."""
    made = [cast("Report", one.to_dict()) for one in estimates(runs, costing)]
    for run, report in zip(runs, made, strict=True):
        (entry,) = report["runs"]
        entry["id"], entry["name"], entry["role"] = _id(tool, run), run.name, run.role
        entry["measured_by"] = tool
    whole = made[0] if len(made) == 1 else merge([("", one) for one in made], name=name)
    told = [*whole["warnings"], *warnings]
    sections = {**whole, "warnings": list(dict.fromkeys(told)), "measurement": measurement,
                "software": software}  # fmt: skip
    sections["digest"] = digest(sections)
    return cast("Report", sections)


def _with_devices(runs: Sequence[Recorded]) -> tuple[Sequence[Recorded], list[str]]:
    """The runs on accelerators, where there are others too; what a processor costs is not known."""
    kept = [run for run in runs if run.devices != 0]
    if not kept or len(kept) == len(runs):
        return runs, []
    without = len(runs) - len(kept)
    return kept, [f"{without} runs without an accelerator are left out: their price is not known"]


def _id(tool: str, run: Recorded) -> str:
    return "run-" + hashlib.sha256(f"{tool}:{run.key}".encode()).hexdigest()[:12]


def _part(run: Recorded, tool: str, region: str | None) -> Stage:
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
    details: dict[str, object] = {}
    if run.hardware:
        details["hardware"] = {"name": run.hardware, "count": run.devices, "unit": "device"}
    if region:
        details["place"] = region
    made = {"name": run.name, "results": results, "assumptions": assumptions, "details": details}
    return cast("Stage", made)


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


def _assumed(key: str, value: float, unit: str, tool: str) -> Assumed:
    return {
        "key": key,
        "value": value,
        "low": value,
        "high": value,
        "unit": unit,
        "basis": "measured" if key == "hardware.count" else "given",
        "source": tool,
    }


def _entry(run: Recorded, part: Stage, tool: str) -> dict[str, object]:
    results = part["results"]
    made = {
        "id": _id(tool, run),
        "name": run.name,
        "role": run.role,
        "number": 1.0,
        "hours": run.hours,
        "devices": run.devices,
        "device_hours": results["device_hours"]["value"],
        "energy": results["energy"]["value"],
        "measured_by": tool,
    }
    lacking = results["energy"].get("why")
    return made | ({"why": f"energy: {lacking}"} if lacking else {})


def _boundary(energy: str, counted: bool) -> Boundary:
    return {
        "stages": [{"name": "what ran while it was recorded", "counted": True}],
        "components": [
            {"name": f"energy: {energy}", "counted": counted},
            {"name": "making the hardware", "counted": False},
        ],
        "functional_unit": {"name": "the runs recorded", "amount": 1.0},
    }
