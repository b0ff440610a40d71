"""What a tracker says around the figures of its run, made of what its meters saw.

The tracker writes a report by it, and :mod:`costcalc.report.recompute` makes it again of the
measurement that a report carries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

from costcalc.calculator.document import LETTERS
from costcalc.calculator.plausible import of_part
from costcalc.report import coverage
from costcalc.report.counted import with_counted
from costcalc.report.rated import of_recorded
from costcalc.report.totals import bounded

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Measurement, Meter, Report, Software, Tool

# What of a boundary's hardware the parts of the energy stand for.
_HOLDS = {
    "accelerators": {"device", "accelerators"},
    "hosts": {"cpu", "memory", "hosts", "host_rest"},
    "network": {"network"},
}
#: names that a part of an energy may have
PARTS = frozenset[str]().union(*_HOLDS.values())
#: how an attempt can stand or have ended
Status = Literal[
    "running", "completed", "exception", "interrupted", "stopped", "ended without a word"
]
#: what was predicted beside what came, in this order
COMPARED = ("wall_clock", "cost", "energy", "carbon_total", "utilization")
_HOST = {"cpu": "processors", "memory": "memory"}
#: what of a run another tool says, each key of it always there
OF_A_TOOL = ("id", "name", "role", "state", "began", "machine", "parts", "members")
_TIME = "time × "  # so begins what is no meter
NO_METER = f"{_TIME}the power of the profile (costcalc)"
Section = Mapping[str, Any]


def dressed(made: Report, told: Section) -> Report:
    """The report of a measured run with the sections of its tracker around it.

    ``told`` holds ``measurement``, ``details.tracking`` and the ``id`` of the run, as the tracker
    saw them; what follows from these and from the figures is made.
    """
    data: dict[str, Any] = dict(made)
    measurement: dict[str, Any] = dict(told["measurement"])
    tracking = dict(told["details"]["tracking"])
    parts = measurement.get("components") or []
    results = data["results"]
    if results["utilization"]["basis"] == "given":  # by what was handed over
        data["results"] = {
            **results,
            "utilization": {**results["utilization"], "basis": "measured"},
        }
    if results["energy_it"]["basis"] == "measured" and not mostly_measured(parts):
        modelled = {
            name: {**results[name], "basis": "modelled"} for name in ("energy_it", "energy")
        }
        data["results"] = {**data["results"], **modelled}
    measurement["meters"] = meters(parts)
    if data["kind"] == "measured" and not mostly_measured(parts):
        data["kind"] = "mixed"
        measurement.setdefault("why", "most of the energy is from models, not from meters")
    data["measurement"] = measurement
    data["boundary"] = boundary(data["boundary"], parts)
    predicted = tracking.get("predicted") or {}
    if "figures" in predicted:
        came = [_came(row, data["results"]) for row in predicted["figures"]]
        tracking["predicted"] = {**predicted, "figures": came}
    if "calibrate" in tracking:  # by the batch that the estimate takes
        tracking["calibrate"] = calibrate(data["results"]["step_time"]["value"])
    data = with_counted(data, tracking)
    data["runs"] = [
        {
            **data["runs"][0],
            "id": told["runs"][0]["id"],
            "measured_by": measured_by(measurement["meters"]),
            "attempts": len(tracking["attempts"]),
        }
    ]
    data["details"] = {**data["details"], "tracking": tracking}
    return cast("Report", data)


def metered_by(tool: Tool, gaps: float | None, *, least: bool = False) -> Measurement:
    """What a tool's record says of its measurement.

    ``gaps``: of its device-time; ``least``: its energy is a lower bound.
    """
    meter = cast("Meter", {key: tool.get(key) for key in ("name", "version", "what")})
    return {
        "meters": [meter],
        "gaps": gaps,
        "lower_bound": least,
        "nodes": None,
        "why": f"nodes{'' if gaps is not None else ', gaps'}: {tool['name']} does not say",
    }


def software(versions: Iterable[str | None], tools: Iterable[Section]) -> list[Software]:
    """What wrote a report, and what recorded its figures, each once."""
    named = [("costcalc", version) for version in versions]
    named += [(str(one["name"]), one.get("version")) for one in tools]
    return [{"name": name, "version": version} for name, version in dict.fromkeys(named)]


def of_all(named: Sequence[str | None], between: str, what: str = "run") -> str:
    """Names of several runs, and of how many there is none: of one is not of all.

    >>> of_all(["a100", None, "a100"], ", "), of_all(["FR"], "; ")
    ('a100 (of 1 of 3 runs not known)', 'FR')
    """
    lacking = sum(one is None for one in named)
    told = f" (of {lacking:,} of {len(named):,} {what}s not known)" if lacking else ""
    return between.join(dict.fromkeys(str(one) for one in named if one is not None)) + told


def recorded(made: Report, told: Section) -> Report:
    """The estimate of what another tool recorded, with what that tool says around it.

    ``told`` holds ``details.imported`` (the tool, and what is warned of it), the ``gaps`` of
    ``measurement``, and of ``runs`` the one with its ``id``, ``name`` and ``role``.
    """
    tool, (entry,) = dict(told["details"]["imported"]), told["runs"]
    own = {key: entry[key] for key in OF_A_TOOL if key in entry}
    if own.get("members"):
        own["number"] = float(len(str(own["members"])) // LETTERS)
    seen = told["measurement"]
    data: dict[str, Any] = {
        **made,
        "details": {**(made.get("details") or {}), "imported": tool},
        "measurement": metered_by(
            cast("Tool", tool), seen.get("gaps"), least=bool(seen.get("lower_bound"))
        ),
        "software": software([made.get("costcalc_version")], [tool]),
        "runs": [{**made["runs"][0], **own, "measured_by": tool["name"]}],
    }
    if data["results"]["energy_it"]["basis"] == "measured":
        listed = coverage.components(data["boundary"]["components"], tool["name"])
        data["boundary"] = {**data["boundary"], "components": listed}
        if seen.get("lower_bound"):
            data["results"] = bounded(data["results"])
    by_estimate = set(of_part(cast("Section", made)))  # which knows neither the meter nor its gaps
    warned = [one for one in made.get("warnings") or () if one not in by_estimate]
    data["warnings"] = list(dict.fromkeys([*warned, *of_recorded(data), *tool["warnings"]]))
    return cast("Report", data)


def _came(row: Section, results: Section) -> dict[str, object]:
    figure = results[row["of"]]
    return {**row, "unit": figure["unit"], "came": figure["value"], "basis": figure["basis"]}


def calibrate(step_time: float | None) -> str:
    """The line that makes the next estimate right: one step (s) as the run file counts steps."""
    return f"hardware: {{calibrate: {{step_time: {step_time or 0.0:.4g} s}}}}"


def meters(parts: Sequence[Section]) -> list[dict[str, object]]:
    """The meters of the parts of an energy, or that there is none."""
    seen = [part for part in parts if not part["meter"].startswith(_TIME)]
    named = [{"name": part["meter"], "what": part["component"]} for part in seen]
    return named or [{"name": "none", "what": "no meter was found"}]


def measured_by(listed: Sequence[Section]) -> str:
    """Who measured a run: the tracker's clock, and its meters."""
    by = sorted({str(meter["name"]) for meter in listed})
    return "costcalc track: clock" + "".join(f"; {name}" for name in by)


def mostly_measured(parts: Sequence[Section]) -> bool:
    """Whether meters rather than models saw at least half of the energy."""
    counted = [part for part in parts if part.get("counted", True)]
    measured = sum(part["energy"] for part in counted if part["basis"] == "measured")
    return bool(measured >= sum(part["energy"] for part in counted) / 2)


def not_counted(parts: Sequence[Section], *, devices: bool) -> list[str]:
    """What the energy of hardware without a profile does not hold; ``devices``: it had some."""
    counted = {part["component"] for part in parts if part.get("counted", True)}
    lacking = [word for name, word in _HOST.items() if name not in counted]
    dark = ["accelerators"] if devices and "device" not in counted else []
    return [*dark, *lacking, "the rest of the machine"]


def boundary(made: Section, parts: Sequence[Section]) -> dict[str, object]:
    """What of the hardware the energy holds."""
    counted = {part["component"] for part in parts if part.get("counted", True)}
    listed = []
    for item in made["components"]:
        kinds = _HOLDS.get(item["name"])
        if kinds is None:
            listed.append(item)
            continue
        entry = {"name": item["name"], "counted": bool(counted & kinds)}
        if item["name"] == "hosts" and "cpu" in counted and "host_rest" not in counted:
            entry["why"] = "CPU and memory; fans and power supplies are not metered"
        listed.append(entry)
    return {**made, "components": listed}
