"""Reports of ``costcalc track`` in a folder: what was measured from within a job.

They win over what a scheduler's plugin says of the job's energy, and name the model.  Which job a
report is of stands in it where the tracker was told to ``--identify``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from costcalc.base.errors import CostcalcError, InputError, Problem
from costcalc.fleet.facts import Facts, Refused
from costcalc.fleet.kinds import KWH
from costcalc.fleet.metering import Reading
from costcalc.report.files import BROKEN, intact, load

NAMES = (".yaml", ".yml", ".json")
#: of a job's energy a meter saw at least this share, or it counts as modelled
ENOUGH = 0.5


def readings(folder: Path) -> Iterator[Reading | Refused]:
    """What each report in a folder, and in those below it, says of its job.

    Raises:
        InputError: it is no folder.
    """
    if not folder.is_dir():
        raise InputError(Problem(key="", message="expected a folder of reports", file=str(folder)))
    for path in sorted(p for p in folder.rglob("*") if p.suffix in NAMES and p.is_file()):
        shown = str(path.relative_to(folder))
        try:
            report = cast("Mapping[str, Any]", load(path))
        except CostcalcError as error:
            yield Refused(line=None, row=shown, why=str(error).splitlines()[0])
            continue
        if not intact(cast("Any", report)):
            yield Refused(line=None, row=shown, why=BROKEN)
            continue
        yield _reading(report, shown, path.stat().st_mtime)


def _reading(report: Mapping[str, Any], shown: str, written: float) -> Reading | Refused:
    tracking = (report.get("details") or {}).get("tracking") or {}
    job = str(tracking.get("job") or "")
    if not tracking:
        return Refused(line=None, row=shown, why="no report of costcalc track")
    if not job:
        why = (
            "it names no job (costcalc track --identify does), and would be counted beside the "
            "scheduler's row of it"
        )
        return Refused(line=None, row=shown, why=why)
    hours = _value(report, "wall_clock")
    if not hours:
        return Refused(line=None, row=shown, why="it says no time")
    scheduler, _, number = job.partition(":")
    joules, scope, meter = _metered(report)
    one = Facts(
        source="report",
        cluster="",
        job=number or job,
        attempt="report",
        start=written - hours * 3600,
        end=written,
        seconds=hours * 3600,
        state="completed",
        model=_model(report),
        devices=_devices(report, hours),
        kinds=_kinds(report),
        why="of no scheduler's row: its end is when the report was written",
    )
    return Reading(
        source="report",
        cluster="",
        job=number or job,
        meter=meter or f"costcalc track ({scheduler})",
        scope=scope,
        joules=joules,
        seconds=hours * 3600,
        coverage=1.0 - float((report.get("measurement") or {}).get("gaps") or 0.0),
        model=_model(report),
        alone=one,
    )


def _value(report: Mapping[str, Any], name: str) -> float | None:
    figure = (report.get("results") or {}).get(name) or {}
    value = figure.get("value")
    return float(value) if isinstance(value, (int, float)) else None


def _metered(report: Mapping[str, Any]) -> tuple[float | None, Any, str | None]:
    """Joules, what they cover and by what: of the boards, where meters saw most of them."""
    components: Sequence[Mapping[str, Any]] = (report.get("measurement") or {}).get(
        "components"
    ) or ()
    boards = [one for one in components if one.get("component") == "device"]
    whole = sum(float(one["energy"]) for one in boards)
    seen = [one for one in boards if one.get("basis") == "measured"]
    if whole and sum(float(one["energy"]) for one in seen) >= ENOUGH * whole:
        meters = dict.fromkeys(str(one.get("meter")) for one in seen)
        return whole * KWH, "boards", f"costcalc track: {', '.join(meters)}"
    energy = (report.get("results") or {}).get("energy_it") or {}
    if energy.get("basis") == "measured" and energy.get("value"):
        return float(energy["value"]) * KWH, "node", "costcalc track"
    return None, "node", None


def _model(report: Mapping[str, Any]) -> str | None:
    said = (report.get("run") or {}).get("model")
    model = said if isinstance(said, Mapping) else {}
    name = model.get("preset") or model.get("config")
    if name:
        return str(name).rstrip("/").split("/")[-1][:100]
    listed = (report.get("subject") or {}).get("models") or []
    return str(listed[0])[:100] if listed else None


def _devices(report: Mapping[str, Any], hours: float) -> float | None:
    held = _value(report, "device_hours")
    return held / hours if held else None


def _kinds(report: Mapping[str, Any]) -> tuple[str, ...]:
    hardware = (report.get("run") or {}).get("hardware") or {}
    name = hardware.get("accelerator") if isinstance(hardware, Mapping) else None
    return (str(name),) if name else ()
