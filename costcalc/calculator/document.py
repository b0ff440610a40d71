"""The sections of a report around its figures: subject, boundary, runs, work, project, meters.

Worked out from the report's own figures and assumptions; unknown is null with a reason.  Nothing
here adds what names a person, a host, a path or a job.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal

from costcalc.base import writing
from costcalc.base.blind import without_names

if TYPE_CHECKING:
    from costcalc.calculator.figure_schema import Figure, Results
    from costcalc.calculator.report_schema import (
        Boundary,
        ByRun,
        Component,
        Measurement,
        Project,
        Quantity,
        Report,
        RunEntry,
        Stage,
        Subject,
        Work,
    )


def sections(report: Report) -> dict[str, object]:
    """The additive sections of a report that holds figures, assumptions and the run."""
    return {
        "kind": kind(report["results"]),
        "subject": _subject(report),
        "boundary": _boundary(report),
        "runs": [_entry(part, report) for part in _parts(report)],
        "work": work_of(report),
        "project": _project(report),
        "measurement": _measurement(report),
        "software": [{"name": "costcalc", "version": report.get("costcalc_version")}],
    }


def own_profiles(
    found: Mapping[str, Mapping[str, object]], data: Mapping[str, str], *, identify: bool
) -> dict[str, object]:
    """Profiles of the author's own as a report carries them, and ``data`` with their digests.

    Links and what names somebody stay out of them unless ``identify``; each is told by the name of
    its file, and its digest is of what is carried.
    """
    made = {}
    for file, profile in found.items():
        name = PurePosixPath(file.replace("\\", "/")).name
        made[name] = profile if identify else without_names(profile)
    kept = {key: value for key, value in data.items() if not {key, _last(key)} & {*found, *made}}
    digests = {name: writing.digest(profile) for name, profile in made.items()}
    return {"profiles": made, "data": {**kept, **digests}} if made else {}


def _last(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def kind(results: Results) -> Literal["estimated", "measured", "mixed"]:
    """Measured where both time and energy were, estimated where neither was, else mixed."""
    time = _any_measured(results["wall_clock"], results["device_hours"])
    energy = _any_measured(results["energy"], results["energy_it"])
    return "measured" if time and energy else "mixed" if time or energy else "estimated"


def _any_measured(*figures: Figure) -> bool:
    return any(one["basis"] == "measured" and one["value"] is not None for one in figures)


def all_runs(runs: Sequence[RunEntry]) -> ByRun | None:
    """Of which runs the time of several reports or rows is: all of them; None of a single run.

    >>> all_runs([{"id": "a", "role": "final", "hours": 2.0}, {"id": "b", "role": "final",
    ...            "hours": 3.0, "number": 2.0}])
    {'runs': 3.0, 'time': 'of all runs', 'hours': 8.0, 'longest': 3.0}
    """
    numbers = [float(run.get("number") or 1.0) for run in runs]
    hours = [run.get("hours") for run in runs]
    if sum(numbers) == 1:
        return None
    known = [hour for hour in hours if hour is not None]
    whole = sum(n * h for n, h in zip(numbers, known, strict=False))
    return {
        "runs": sum(numbers),
        "time": "of all runs",
        "hours": whole if len(known) == len(hours) else None,
        "longest": max(known, default=None),
    }


def run_id(name: str | None, run: Mapping[str, object]) -> str:
    """An id that the same input always gets; measured runs bring their own."""
    return id_of(json.dumps([name, run], sort_keys=True, default=str))


#: letters of the hash that an id is
LETTERS = 12


def id_of(text: str) -> str:
    """The id of a run, of what tells it apart."""
    return f"run-{hashed(text)}"


def hashed(text: str) -> str:
    """What tells a text apart and does not say it.

    >>> hashed("a machine")
    'cf31bfe26667'
    """
    return hashlib.sha256(text.encode()).hexdigest()[:LETTERS]


def _under(run: object, *path: str) -> object:
    """What stands at a key path of a run as it was written; None where nothing does."""
    for key in path:
        run = run.get(key) if isinstance(run, Mapping) else None
    return run


def _subject(report: Report) -> Subject:
    given = report.get("subject") or {}
    run = report.get("run") or {}
    stages = run.get("stages")
    parts = [run, *(stages if isinstance(stages, list) else ())]
    names = [_under(part, "model", "preset") for part in parts]
    made: Subject = {
        "paper": given.get("paper"),
        "code": given.get("code"),
        "commit": given.get("commit"),
        "models": given.get("models") or list(dict.fromkeys(str(name) for name in names if name)),
    }
    reasons = [str(given["why"])] if given.get("why") else []
    lacking = [key for key, value in made.items() if value is None and key not in given]
    if lacking:
        reasons.append(f"{', '.join(lacking)}: not said in the run file")
    if reasons:
        made["why"] = "; ".join(reasons)
    return made


def _parts(report: Report) -> Sequence[Report | Stage]:
    return report.get("stages") or [report]


def _component(name: str, counted: bool | None, why: str = "") -> Component:
    made: Component = {"name": name, "counted": counted}
    if why:
        made["why"] = why
    return made


# What SCI for AI (6.2, 7) has a provider count beside training, and why an estimate does not.
_LEFT_OUT = {
    "inception: scoping and planning": "not of the run",
    "data collection and preparation": "not of the run",
    "synthetic data generation": "only where it is a run or a stage of its own",
    "feature engineering": "not of the run",
    "evaluation apart from training": "benchmarks of the finished model",
    "optimization and efficiency analysis": "only as runs of training.runs",
    "deployment: integration and testing": "after the run",
    "retirement": "after the run",
    "inference": "the consumer's boundary",
}


def _boundary(report: Report) -> Boundary:
    results = report["results"]
    listed = {item["key"] for item in _parts(report)[0].get("assumptions", ())}
    metered = results["energy_it"]["basis"] == "measured"

    def powered(name: str, key: str) -> Component:
        if metered:
            return _component(name, None, "as the meter saw it: what it covers is not said")
        counted = results["energy_it"]["value"] is not None and key in listed
        return _component(name, counted, "" if counted else "energy is not known")

    method = _under(report.get("run"), "training", "method")
    named = [stage["name"] or "" for stage in report.get("stages") or ()]
    return {
        "stages": [
            *(_component(name, True) for name in named or [str(method or "training")]),
            *(_component(name, False, why) for name, why in _LEFT_OUT.items()),
        ],
        "components": [
            powered("accelerators", "hardware.board_power"),
            powered("hosts", "hardware.host_power"),
            powered("network", "hardware.network_power"),
            _component("cooling and power supply (PUE)", results["energy"]["value"] is not None),
            _component("making the hardware", results["carbon_embodied"]["value"] is not None),
            _component("storage systems", False),
            _component("offsets and certificates", False, "never in a location-based total"),
            _component("staff, offices, travel", False),
        ],
        "functional_unit": {"name": "the training of the result, all its runs", "amount": 1.0},
    }


def _entry(part: Report | Stage, report: Report) -> RunEntry:
    results = part["results"]
    hours, energy = results["wall_clock"], results["energy"]
    estimated = kind(results) == "estimated"
    name = part["name"]
    made: RunEntry = {
        "id": run_id(name, report.get("run") or {}),
        "name": name,
        "role": "final",
        "number": _value(part, "training.runs") or 1.0,
        "hours": hours["value"],
        "devices": _devices(part, report),
        "device_hours": results["device_hours"]["value"],
        "energy": energy["value"],
        "measured_by": None if estimated else "the user, as the run file says",
    }
    reasons = [figure.get("why") for figure in (hours, energy)]
    if estimated:
        reasons.append("measured_by: calculated, nothing was measured")
    told = list(dict.fromkeys(reason for reason in reasons if reason))
    if told:
        made["why"] = "; ".join(told)
    return made


def _devices(part: Report | Stage, report: Report) -> float | None:
    details = part.get("details") or report.get("details") or {}
    found = details.get("hardware", {}).get("count")
    return float(found) if found is not None else _value(part, "hardware.count")


def _value(part: Report | Stage, key: str) -> float | None:
    listed = part.get("assumptions", ())
    value = next((item["value"] for item in listed if item["key"] == key), None)
    return float(value) if isinstance(value, (int, float)) else None


def _quantity(value: float | None, unit: str, why: str) -> Quantity:
    made: Quantity = {"value": value, "unit": unit}
    if why:
        made["why"] = why
    return made


def work_of(report: Report) -> Work:
    """E, D and H of a report: compute a datum, data, runs; of stages each has its own."""
    if report.get("stages"):
        why = "differs from stage to stage"
        return {
            "E": _quantity(None, "FLOP", why),
            "D": _quantity(None, "1", why),
            "H": _quantity(None, "1", why),
        }
    found = report.get("details", {}).get("work") or {}
    datum, data = found.get("datum") or "datum", found.get("data")
    whole = report["results"]["training_compute"]["value"]
    why = "" if data and whole else "the number of data is not known"
    if data and not whole:
        why = "the compute of the model is not known"
    return {
        "E": _quantity(whole / data if data and whole else None, f"FLOP/{datum}", why),
        "D": _quantity(data or None, datum, "" if data else why),
        "H": _quantity(_value(report, "training.runs") or 1.0, "1", ""),
    }


def _project(report: Report) -> Project:
    total = report["results"]["device_hours"]["value"]
    reported: float | None = 0.0
    for part in _parts(report):
        hours = part["results"]["device_hours"]["value"]
        if hours is None or reported is None:
            reported = None
        else:
            reported += hours / (_value(part, "training.runs") or 1.0)
    ratio = total / reported if reported and total is not None else None
    made: Project = {
        "reported_device_hours": reported,
        "total_device_hours": total,
        "ratio": ratio,
        "includes": "the runs that training.runs says: seeds, sweeps, failed tries",
    }
    if ratio is None:
        made["why"] = "device-hours are not known"
    return made


def _measurement(report: Report) -> Measurement:
    estimated = kind(report["results"]) == "estimated"
    made: Measurement = {
        "meters": [],
        "gaps": None,
        "nodes": report.get("details", {}).get("hardware", {}).get("nodes"),
        "why": "calculated: nothing was measured",
    }
    if not estimated:
        made["meters"] = [{"name": "the user's own", "what": "the figures under run.measured"}]
        made["why"] = "gaps: the run file does not say"
    return made
