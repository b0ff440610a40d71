"""The sections of a report around its figures: subject, boundary, runs, work, project, meters.

Worked out from the report's own figures and assumptions; unknown is null with a reason.  Nothing
here adds what names a person, a host, a path or a job.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

_TIME, _ENERGY = ("wall_clock", "device_hours"), ("energy", "energy_it")


def sections(report: Mapping[str, Any]) -> dict[str, Any]:
    """The additive sections of a report that holds figures, assumptions and the run."""
    return {
        "kind": kind(report["results"]),
        "subject": _subject(report),
        "boundary": _boundary(report),
        "runs": _runs(report),
        "work": _work(report),
        "project": _project(report),
        "measurement": _measurement(report),
        "software": [{"name": "costcalc", "version": report.get("costcalc_version")}],
    }


def kind(results: Mapping[str, Any]) -> str:
    """Measured where both time and energy were, estimated where neither was, else mixed."""
    found = [
        any(
            results[name]["basis"] == "measured" and results[name]["value"] is not None
            for name in names
        )
        for names in (_TIME, _ENERGY)
    ]
    return "measured" if all(found) else "mixed" if any(found) else "estimated"


def run_id(name: str, run: Mapping[str, Any]) -> str:
    """An id that the same input always gets; measured runs bring their own."""
    text = json.dumps([name, run], sort_keys=True, default=str)
    return "run-" + hashlib.sha256(text.encode()).hexdigest()[:12]


def _subject(report: Mapping[str, Any]) -> dict[str, Any]:
    given = report.get("subject") or {}
    parts = [report.get("run") or {}, *(report.get("run") or {}).get("stages", ())]
    names = [(part.get("model") or {}).get("preset") for part in parts]
    made = {key: given.get(key) for key in ("paper", "code", "commit")}
    models = given.get("models") or list(dict.fromkeys(name for name in names if name))
    said = str(given.get("why") or "")
    lacking = [key for key, value in made.items() if value is None and key not in given]
    reasons = [said] if said else []
    if lacking:
        reasons.append(f"{', '.join(lacking)}: not said in the run file")
    made |= {"models": models}
    return made | ({"why": "; ".join(reasons)} if reasons else {})


def _parts(report: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return report.get("stages") or [report]


def _listed(part: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    return {item["key"]: item for item in part.get("assumptions", ())}


def _boundary(report: Mapping[str, Any]) -> dict[str, Any]:
    part, results = _parts(report)[0], report["results"]
    listed = _listed(part)
    metered = results["energy_it"]["basis"] == "measured"
    seen = "as the meter saw it: what it covers is not said"

    def powered(name: str, key: str) -> dict[str, Any]:
        if metered:
            return {"name": name, "counted": None, "why": seen}
        found = {
            "name": name,
            "counted": results["energy_it"]["value"] is not None and key in listed,
        }
        return found if found["counted"] else {**found, "why": "energy is not known"}

    making = results["carbon_embodied"]["value"] is not None
    components = [
        powered("accelerators", "hardware.board_power"),
        powered("hosts", "hardware.host_power"),
        powered("network", "hardware.network_power"),
        {
            "name": "cooling and power supply (PUE)",
            "counted": results["energy"]["value"] is not None,
        },
        {"name": "making the hardware", "counted": making},
        {"name": "storage systems", "counted": False},
        {
            "name": "offsets and certificates",
            "counted": False,
            "why": "never in a location-based total",
        },
        {"name": "staff, offices, travel", "counted": False},
    ]
    named = report.get("stages") or []
    counted = [{"name": stage["name"], "counted": True} for stage in named] or [
        {
            "name": (report.get("run", {}).get("training") or {}).get("method", "training"),
            "counted": True,
        }
    ]
    left_out = [
        {"name": name, "counted": False}
        for name in (
            "data collection and preparation",
            "evaluation apart from training",
            "inference",
        )
    ]
    return {
        "stages": [*counted, *left_out],
        "components": components,
        "functional_unit": {"name": "the training of the result, all its runs", "amount": 1.0},
    }


def _runs(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [_entry(part, report) for part in _parts(report)]


def _entry(part: Mapping[str, Any], report: Mapping[str, Any]) -> dict[str, Any]:
    results = part["results"]
    number = _value(part, "training.runs") or 1.0
    hours, energy = results["wall_clock"], results["energy"]
    made: dict[str, Any] = {
        "id": run_id(part["name"], report.get("run") or {}),
        "name": part["name"],
        "role": "final",
        "number": number,
        "hours": hours["value"],
        "devices": _devices(part, report),
        "device_hours": results["device_hours"]["value"],
        "energy": energy["value"],
        "measured_by": "the user, as the run file says" if kind(results) != "estimated" else None,
    }
    reasons = [figure["why"] for figure in (hours, energy) if figure.get("why")]
    if kind(results) == "estimated":
        reasons.append("measured_by: calculated, nothing was measured")
    return made | ({"why": "; ".join(dict.fromkeys(reasons))} if reasons else {})


def _devices(part: Mapping[str, Any], report: Mapping[str, Any]) -> float | None:
    hardware = (part.get("details") or report.get("details") or {}).get("hardware") or {}
    found = hardware.get("count")
    return float(found) if found is not None else _value(part, "hardware.count")


def _value(part: Mapping[str, Any], key: str) -> float | None:
    item = _listed(part).get(key)
    value = item["value"] if item else None
    return float(value) if isinstance(value, (int, float)) else None


def _work(report: Mapping[str, Any]) -> dict[str, Any]:
    if report.get("stages"):
        reason = "differs from stage to stage"
        return {
            name: {"value": None, "unit": unit, "why": reason}
            for name, unit in (("E", "FLOP"), ("D", "1"), ("H", "1"))
        }
    found = (report.get("details") or {}).get("work") or {}
    datum = found.get("datum") or "datum"
    whole = report["results"]["training_compute"]["value"]
    data = found.get("data") or None
    why: dict[str, str] = {} if data and whole else {"why": "the number of data is not known"}
    return {
        "E": {"value": whole / data if data and whole else None, "unit": f"FLOP/{datum}", **why},
        "D": {"value": data, "unit": datum, **({} if data else why)},
        "H": {"value": _value(report, "training.runs") or 1.0, "unit": "1"},
    }


def _project(report: Mapping[str, Any]) -> dict[str, Any]:
    total = report["results"]["device_hours"]["value"]
    one = [_of_one(part) for part in _parts(report)]
    reported = None if any(value is None for value in one) else sum(v for v in one if v is not None)
    made = {
        "reported_device_hours": reported,
        "total_device_hours": total,
        "ratio": total / reported if reported and total is not None else None,
        "includes": "the runs that training.runs says: seeds, sweeps, failed tries",
    }
    return made | ({"why": "device-hours are not known"} if made["ratio"] is None else {})


def _of_one(part: Mapping[str, Any]) -> float | None:
    total = part["results"]["device_hours"]["value"]
    return None if total is None else total / (_value(part, "training.runs") or 1.0)


def _measurement(report: Mapping[str, Any]) -> dict[str, Any]:
    hardware = (report.get("details") or {}).get("hardware") or {}
    made: dict[str, Any] = {"meters": [], "gaps": None, "nodes": hardware.get("nodes")}
    if kind(report["results"]) == "estimated":
        return made | {"why": "calculated: nothing was measured"}
    made["meters"] = [{"name": "the user's own", "what": "the figures under run.measured"}]
    return made | {"why": "gaps: the run file does not say"}
