"""What a tool recorded of a run, as a row of a report: what it did not record is null.

Every row of an import has the same keys, so that one that was taken out is noticed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costcalc.calculator.document import hashed, id_of
from costcalc.calculator.result import UNITS
from costcalc.report.meters import TOOL_PARTS

if TYPE_CHECKING:
    from costcalc.calculator.figure_schema import Figure
    from costcalc.report.importing.build import Recorded

Ends = tuple[float | None, float | None, float | None]  # a value, its low and its high
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
        "energy_it_low": run.energy_low,
        "energy_it_high": run.energy_high,
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
    known = {
        "wall_clock": (said.get("hours"),) * 3,
        "device_hours": (said.get("device_hours"),) * 3,
        **_of_energy(said),
    }
    measured = {"wall_clock", "device_hours", "energy_it", "energy"}  # PUE is the tool's own
    why = said.get("unknown") or {}
    none: Ends = (None, None, None)
    return {key: _figure(key, known.get(key, none), key in measured, tool, why) for key in UNITS}


def _of_energy(said: Mapping[str, Any]) -> dict[str, Ends]:
    """Energy (kWh) and its CO2e (kg), each with its ends: its value where a row has none."""
    it, pue, grid = (said.get(key) for key in ("energy_it", "pue", "grid"))
    ends = (it, *(said.get(f"energy_it_{end}") for end in ("low", "high")))
    whole: list[float | None] = [it if end is None else end for end in ends]

    def times(ends: Sequence[float | None], factor: float | None) -> list[float | None]:
        return [None if end is None or factor is None else end * factor for end in ends]

    energy = times(whole, pue)
    carbon = [None if end is None else end / 1000 for end in times(energy, grid)]
    made = {"energy_it": whole, "energy": energy, "carbon_operational": carbon}
    return {key: (ends[0], ends[1], ends[2]) for key, ends in made.items()}


def _figure(key: str, ends: Ends, measured: bool, tool: str, why: Mapping[str, str]) -> Figure:
    value, low, high = ends
    made: Figure = {
        "value": value,
        "low": low,
        "high": high,
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
