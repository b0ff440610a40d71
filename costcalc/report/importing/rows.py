"""What a tool recorded of a run, as a row of a report: what it did not record is null.

Every row of an import has the same keys, so that one that was taken out is noticed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from costcalc.calculator.document import hashed, id_of
from costcalc.calculator.result import UNITS
from costcalc.report.meters import TOOL_PARTS

if TYPE_CHECKING:
    from costcalc.calculator.figure_schema import Figure
    from costcalc.report.importing.build import Recorded

#: figures that a tool may record, or whose factors it may: of each that is null a row says why
OF_A_ROW = ("wall_clock", "device_hours", "energy_it", "energy", "carbon_operational")


def row(run: Recorded, tool: str) -> dict[str, Any]:
    """What of a run the tool recorded; all else follows from it."""
    hours = run.device_hours
    if hours is None and run.hours is not None and run.devices is not None:
        hours = run.hours * run.devices
    made: dict[str, Any] = {
        **told(run, tool),
        "number": 1.0,
        "hours": run.hours,
        "devices": run.devices,
        "device_hours": hours,
        "energy_it": run.energy_it,
        "pue": run.pue,
        "grid": run.grid,
        "hardware": run.hardware or None,
        "place": run.place or None,
    }
    return reasoned({**made, "unknown": dict(run.why)}, tool)


def told(run: Recorded, tool: str) -> dict[str, object]:
    """What a run is called, when and on which machine it ran: no figure follows from it."""
    known = run.parts if run.energy_it is not None else {}
    members = "".join(hashed(f"{tool}:{key}") for key in run.members)
    return {
        "id": id_of(members or f"{tool}:{run.key}"),
        "name": run.name,
        "role": run.role,
        "state": run.state,
        "began": run.began,
        "machine": hashed(run.machine) if run.machine else None,
        "parts": {name: known.get(name) for name in TOOL_PARTS} if known else None,
        "members": members or None,
    }


def reasoned(said: Mapping[str, Any], tool: str) -> dict[str, Any]:
    """A row with reasons where a figure is null, and nowhere else."""
    null = [key for key, one in results(said, tool).items() if one["value"] is None]
    given = said.get("unknown") or {}
    unknown = {
        key: given.get(key) or _silent(tool) for key in null if key in OF_A_ROW or given.get(key)
    }
    return {**{key: value for key, value in said.items() if key != "unknown"}, "unknown": unknown}


def _silent(tool: str) -> str:
    return f"{tool} does not record it"


def results(said: Mapping[str, Any], tool: str) -> dict[str, Figure]:
    """The figures of a row: energy behind PUE, and its CO2e, where the tool gives their factors."""
    it, pue, grid = said.get("energy_it"), said.get("pue"), said.get("grid")
    energy = it * pue if it is not None and pue is not None else None
    carbon = energy * grid if energy is not None and grid is not None else None
    known = {
        "wall_clock": said.get("hours"),
        "device_hours": said.get("device_hours"),
        "energy_it": it,
        "energy": energy,
        "carbon_operational": None if carbon is None else carbon / 1000,
    }
    measured = {"wall_clock", "device_hours", "energy_it", "energy"}  # PUE is the tool's own
    why = said.get("unknown") or {}
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
        made["why"] = why.get(key) or _silent(tool)
    return made


def entry(said: Mapping[str, Any], made: Mapping[str, Figure], tool: str) -> dict[str, object]:
    """A row as the report lists it."""
    whole = {**said, "energy": made["energy"]["value"], "measured_by": tool}
    whole.pop("why", None)
    lacking = made["energy"].get("why")
    return whole | ({"why": f"energy: {lacking}"} if lacking else {})
