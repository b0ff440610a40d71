"""A measured report from what a tool recorded: what it did not record is null with a reason."""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from costcalc import __version__
from costcalc.base.errors import InputError, Problem
from costcalc.calculator.result import UNITS
from costcalc.report.project import assembled, total
from costcalc.report.view import figures

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Assumed, Boundary, Figure, Report, Stage

Row = dict[str, str | None]
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
) -> Report:
    """One report of several recorded runs; ``boundary`` says what the tool's energy covers."""
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
        measurement={
            "meters": [{"name": tool, "version": version, "what": boundary}],
            "gaps": gaps,
            "nodes": None,
            "why": f"nodes{'' if gaps is not None else ', gaps'}: {tool} does not say",
        },
        software=[{"name": "costcalc", "version": __version__}, {"name": tool, "version": version}],
    )


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


def table(
    text: str, name: str, needed: Sequence[Sequence[str]], what: str, *, said: str, **dialect: Any
) -> list[Row]:
    """The rows of a table with a header; of each group of ``needed`` one column must be there.

    Raises:
        InputError: it is no table (``said``), or a column of ``what`` is missing.
    """
    rows = csv.DictReader(io.StringIO(text.replace("\0", "")), **dialect)
    try:
        fields = set(rows.fieldnames or ())
        lacking = [columns[0] for columns in needed if not fields & set(columns)]
        if lacking:
            raise refuse(name, f"expected {what}; missing: {', '.join(lacking)}", 1)
        return list(rows)
    except csv.Error as error:
        raise refuse(name, f"{said}: {error}", rows.line_num) from None


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
