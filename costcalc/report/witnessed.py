"""The form of what only a meter, a clock or another tool knows of a run.

Nothing can make these leaves again; but which there are, and what each may be, is known, so that
nothing is slipped in among them, taken out, or put in the place of a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast, get_args

from costcalc.calculator.document import LETTERS, id_of
from costcalc.calculator.report_schema import Role
from costcalc.report.metered import COMPARED, PARTS, Status, not_counted
from costcalc.report.meters import TOOL_PARTS, components, ends, number, section
from costcalc.report.tools import (
    BOARDS,
    BOARDS_ONLY,
    BOUNDARIES,
    COVERED,
    LEDGERS,
    LOWER_BOUND,
    OWN_FACTOR,
    RECORDED,
    RUNNING,
    STILL_RUN,
    TIMES_ITS_PUE,
    covered,
)
from costcalc.report.unprofiled import is_unprofiled
from costcalc.report.whole import text

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

Check = tuple[str, Callable[[object], bool]]  # what is expected, and whether it is so


def _dated(value: object) -> bool:
    try:
        return bool(datetime.fromisoformat(str(value))) and isinstance(value, str)
    except ValueError:
        return False


def _maybe(check: Check) -> Check:
    return f"{check[0]}, or null", lambda value: value is None or check[1](value)


def _one_of(*words: str) -> Check:
    return f"one of {', '.join(words)}", lambda value: value in words


def _like(pattern: str, said: str) -> Check:
    return said, lambda value: isinstance(value, str) and bool(re.fullmatch(pattern, value))


WORDS: Check = ("text", lambda value: isinstance(value, str) and bool(value.strip()))
AMOUNT: Check = ("a number, 0 or more", lambda value: _size(value) >= 0)
SIGNED: Check = ("a number", lambda value: number(value) is not None)
FACTOR: Check = ("a number, 1 or more", lambda value: _size(value) >= 1)
WHOLE: Check = (
    "a whole number, 0 or more",
    lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 0,
)
ID = _like(r"run-[0-9a-f]{12}(-\d{1,6})*", "the id of a run")
KWH = _one_of("kWh")


def _size(value: object) -> float:
    found = number(value)
    return -1.0 if found is None else found


@dataclass(frozen=True, slots=True)
class OrNull:
    """A shape in whose place null may stand."""

    shape: object


# Keys that may lack end in "?"; a list holds entries of its one shape.
_ATTEMPT = {
    "after_hours": SIGNED,
    "hours": AMOUNT,
    **dict.fromkeys(("processes", "ranks", "nodes", "devices"), WHOLE),
    "status": _one_of(*get_args(Status)),
}
_PREDICTED = {
    "of": _one_of(*COMPARED),
    "unit": WORDS,
    **dict.fromkeys(("predicted", "low", "high", "came"), AMOUNT),
    "basis": WORDS,
}
_TRAINING = {"run": ID, "hours": AMOUNT, "steps": WHOLE, "tokens?": AMOUNT}
_TRUE = ("true", lambda value: value is True)
_TRACKING: dict[str, object] = {
    "attempts": [_ATTEMPT],
    "steps": WHOLE,
    "predicted": {},
    "throughput_of_wall_clock?": {"value": AMOUNT, "unit": WORDS},
    "pauses?": AMOUNT,
    "calibrate?": WORDS,
    "counted?": {"data?": AMOUNT, "datum?": WORDS, "step_time?": AMOUNT, "whole?": _TRUE},
    "trainings?": [_TRAINING],
    "notes?": [WORDS],
    "job?": WORDS,
}
_COMPONENT = {
    "component": _one_of(*sorted(PARTS)),
    "energy": AMOUNT,
    "low?": AMOUNT,
    "high?": AMOUNT,
    "unit": KWH,
    "basis": _one_of("measured", "modelled"),
    "meter": WORDS,
    "counted?": ("false", lambda value: value is False),
}
_MEASUREMENT: dict[str, object] = {
    "meters": [{"name": WORDS, "what": WORDS}],
    "gaps": AMOUNT,
    "nodes": WHOLE,
    "components": [_COMPONENT],
    "why?": WORDS,
    "unmetered?": [{"what": WORDS, "why": WORDS, "would": WORDS}],
    "not_counted?": [WORDS],
    "others?": [{"component": WORDS, "energy": AMOUNT, "unit": KWH}],
    "missing_nodes?": [WHOLE],
    "duplicate_nodes?": [WHOLE],
}
_HARDWARE = {"name": _maybe(WORDS), "nodes": WHOLE, "count": _maybe(AMOUNT)}
_SUBJECT: dict[str, object] = {
    **dict.fromkeys(("paper", "code", "commit"), _maybe(WORDS)),
    "models": [WORDS],
    "why?": WORDS,
}
_TOOL = {
    "name": _one_of(*BOUNDARIES, *LEDGERS.values()),
    "version": _maybe(WORDS),
    "what": WORDS,
    "warnings": [WORDS],
}
_TOLD: dict[str, object] = {
    "id": ID,
    "name": _maybe(WORDS),
    "role": _one_of(*get_args(Role)),
    "state": _maybe(_one_of(RUNNING)),
    "began": _maybe(("a time of ISO 8601", _dated)),
    "machine": _maybe(_like("[0-9a-f]{12}", "a hash")),
    "parts": OrNull(dict.fromkeys(TOOL_PARTS, _maybe(AMOUNT))),
    "members": _maybe(_like("([0-9a-f]{12}){2,}", "the hashes of runs")),
}
_ROW: dict[str, object] = {
    **_TOLD,
    "number": SIGNED,
    **dict.fromkeys(("hours", "devices", "device_hours"), _maybe(AMOUNT)),
    **dict.fromkeys(("energy", "energy_it", "grid"), _maybe(AMOUNT)),
    **dict.fromkeys(("energy_it_low", "energy_it_high"), _maybe(AMOUNT)),
    "pue": _maybe(FACTOR),
    "measured_by": WORDS,
    "why?": WORDS,
    "hardware": _maybe(WORDS),
    "place": _maybe(WORDS),
    "unknown": WORDS,
}


def discrepancies(report: Report) -> Iterator[str]:
    """Everything of a tracked or imported report that has not the form of what costcalc writes."""
    details = report.get("details") or {}
    if "tracking" in details:
        yield from _unlike(details["tracking"], _TRACKING, "details.tracking")
        yield from _unlike(report.get("measurement"), _MEASUREMENT, "measurement")
        yield from _of_runs(report, {"id": ID})
        yield from _tracked(report)
    elif "imported" in details:
        yield from _unlike(details["imported"], _TOOL, "details.imported")
        yield from _of_the_tool(report, section(details, "imported").get("warnings"))
        yield from _of_runs(report, _TOLD if report["run"] else _ROW, all_keys=not report["run"])
        yield from _members(report)
        if report["run"]:
            yield from _run_of_a_tool(report["run"])
        for index, run in enumerate(report.get("runs") or ()):
            if run["role"] not in ("unknown", "failed"):
                yield f"runs[{index}].role: {text(run['role'])}; no tool records for what a run was"


def _run_of_a_tool(run: Mapping[str, object]) -> Iterator[str]:
    """A run that a tool recorded says what was: of an estimate it recorded nothing."""
    if not isinstance(run.get("name"), str):
        yield "run.name: missing; a tool's run has one"
    if not section(run, "measured"):
        yield "run.measured: missing; a tool's run says what it recorded"


def free(report: Report) -> Iterator[str]:
    """Sections whose words are the author's are there, in their form."""
    if not isinstance(report.get("name", 0), str | None):
        yield "name: missing, or no text"
    subject = report.get("subject")
    yield from _unlike(subject, _SUBJECT, "subject")
    lacks = [key for key in ("paper", "code", "commit") if section(subject).get(key) is None]
    if lacks and not section(subject).get("why"):
        yield f"subject.why: missing; null are {', '.join(lacks)}"


def _members(report: Report) -> Iterator[str]:
    """Runs that stand together are as many as they say, and those that their id is of."""
    for index, run in enumerate(report.get("runs") or ()):
        members = section(run).get("members")
        number = len(str(members)) // LETTERS if members else 1
        if float(run.get("number") or 1.0) != number:
            yield f"runs[{index}].number: {run.get('number')}; it holds {number}"
        if members and not str(run["id"]).startswith(id_of(str(members))):
            yield f"runs[{index}].members: are not those of {str(run['id'])[:20]}"


def _of_the_tool(report: Report, warnings: object) -> Iterator[str]:
    """A tool's energy covers what that tool meters; it records what it does, and is warned of."""
    told = section(report, "details", "imported")
    name, what = str(told.get("name")), BOUNDARIES.get(str(told.get("name")))
    if name in LEDGERS.values():
        yield from _of_a_ledger(report, str(told.get("what")))
    if what is not None and str(told.get("what")).removesuffix(TIMES_ITS_PUE) != what:
        yield f"details.imported.what: {text(told.get('what'))}; {name} meters {what}"
    for index, run in enumerate(report.get("runs") or ()):
        row = section(run)
        held = None not in (row.get("hours"), row.get("devices"))
        if not report["run"] and held is (row.get("device_hours") is None):
            said = {key: text(row.get(key)) for key in ("device_hours", "hours", "devices")}
            yield (
                f"runs[{index}].device_hours: {said['device_hours']}; of {said['hours']} hours on "
                f"{said['devices']} devices"
            )
        yield from (f"runs[{index}].{line}" for line in ends(row))
        for key, by in RECORDED.items():
            if name in BOUNDARIES and name not in by and section(run).get(key) is not None:
                yield f"runs[{index}].{key}: {text(section(run)[key])}; {name} records none"
    notes = [str(note) for note in warnings] if isinstance(warnings, list) else []
    if name in BOARDS_ONLY and f"energy: {BOARDS}" not in notes:
        yield f"warnings: lack that the energy is that of {BOARDS}"
    yield from _bounded(report, notes)
    rows = [section(run) for run in report.get("runs") or ()]
    own = name == "CodeCarbon" and not report["run"] and any(row.get("grid") for row in rows)
    if own and OWN_FACTOR not in notes:
        yield f"warnings: lack that the {OWN_FACTOR}"
    if any(row.get("state") == RUNNING for row in rows) and STILL_RUN not in notes:
        yield f"warnings: lack that {STILL_RUN}"


def _of_a_ledger(report: Report, what: str) -> Iterator[str]:
    """What a ledger says of its meter goes with what it says was metered."""
    if not covered(what):
        yield f"details.imported.what: {text(what)}; a ledger says which meter it is"
    nodes = what.startswith(COVERED["node"].partition("{")[0])
    metered = section(report["run"], "measured").get("energy_it") is not None
    if not report["run"] or nodes is not metered:
        said = "has an energy" if metered else "has none"
        yield f"details.imported.what: {text(what)}; run.measured {said}"


def _bounded(report: Report, notes: Sequence[str]) -> Iterator[str]:
    """An energy that is a lower bound is said to be one, in words and for machines."""
    seen = section(report, "measurement")
    gaps, told = number(seen.get("gaps")), any(LOWER_BOUND in note for note in notes)
    if gaps and not told:
        yield f"warnings: lack that the energy is a lower bound; {gaps:.3g} was not sampled"
    if seen.get("lower_bound") is not told:
        yield f"measurement.lower_bound: {text(seen.get('lower_bound'))}; warnings say {told}"


def _of_runs(
    report: Report, shape: Mapping[str, object], *, all_keys: bool = False
) -> Iterator[str]:
    names = [key.rstrip("?") for key in shape]
    for index, run in enumerate(report.get("runs") or ()):
        held = {key: value for key, value in run.items() if all_keys or key in names}
        yield from _unlike(held, shape, f"runs[{index}]")


def _unlike(value: object, shape: object, path: str) -> Iterator[str]:
    """What of a value has not its shape, a line each."""
    if isinstance(shape, OrNull):
        if value is not None:
            yield from _unlike(value, shape.shape, path)
        return
    if isinstance(shape, list):
        if not isinstance(value, list):
            yield f"{path}: expected a list; got {text(value)}"
            return
        for index, item in enumerate(value):
            yield from _unlike(item, shape[0], f"{path}[{index}]")
    elif isinstance(shape, dict):
        if not isinstance(value, Mapping):
            yield f"{path}: expected keys and values; got {text(value)}"
        elif shape:
            yield from _unlike_keys(value, shape, path)
    else:
        values = value.values() if isinstance(value, Mapping) else [value]
        expected, is_so = cast("Check", shape)
        yield from (f"{path}: expected {expected}; got {text(v)}" for v in values if not is_so(v))


def _unlike_keys(
    value: Mapping[str, object], shape: Mapping[str, object], path: str
) -> Iterator[str]:
    names = {key.rstrip("?"): inner for key, inner in shape.items()}
    for key in value:
        if key not in names:
            yield f"{path}.{str(key)[:60]}: unknown key; costcalc writes none"
        else:
            yield from _unlike(value[key], names[key], f"{path}.{key}")
    for key in shape:
        if not key.endswith("?") and key not in value:
            yield f"{path}.{key}: missing"


def _tracked(report: Report) -> Iterator[str]:
    """What of a tracker's own words follows from others of them."""
    tracking = section(report, "details", "tracking")
    attempts = tracking.get("attempts")
    first = section(attempts[0]) if isinstance(attempts, list) and attempts else {}
    if number(first.get("after_hours")) != 0:
        yield "details.tracking.attempts[0].after_hours: the first begins after 0 hours"
    yield from _predicted(section(tracking, "predicted"))
    for index, part in enumerate(components(report)):
        if ("low" in part) is not ("high" in part):
            yield f"measurement.components[{index}]: has one end of a range"
    yield from _speed(report)
    if is_unprofiled(report):
        yield from _unlike(section(report, "details", "hardware"), _HARDWARE, "details.hardware")
        nodes = section(report, "measurement").get("nodes")
        if section(report, "details", "hardware").get("nodes") != nodes:
            yield f"details.hardware.nodes: measurement.nodes is {text(nodes)}"
    if is_unprofiled(report) and components(report):
        held = number(section(report, "results", "device_hours").get("value")) is not None
        made = not_counted(components(report), devices=held)
        said = section(report, "measurement").get("not_counted")
        # Where no driver answered there may have been devices, and the report may say so.
        perhaps = (
            not_counted(components(report), devices=True) if _without_drivers(report) else made
        )
        if said not in (made, perhaps):
            yield f"measurement.not_counted: {text(said)}; it is {', '.join(made)}"


def _without_drivers(report: Mapping[str, object]) -> bool:
    """Whether no meter of accelerators answered."""
    silent = section(report, "measurement").get("unmetered")
    listed = silent if isinstance(silent, list) else []
    return any(section(one).get("what") == "accelerators" for one in listed)


def _predicted(told: Mapping[str, object]) -> Iterator[str]:
    key = "details.tracking.predicted"
    if "figures" not in told:
        yield from _unlike(told, {"why": WORDS}, key)
        return
    yield from _unlike(told, {"share_of_plan": AMOUNT, "figures": [_PREDICTED]}, key)
    figures = told["figures"]
    rows = [section(row) for row in figures] if isinstance(figures, list) else []
    named = [str(row.get("of")) for row in rows]
    if named != [name for name in COMPARED if name in named]:
        yield f"{key}.figures: in another order, or one twice"
    for index, row in enumerate(rows):
        low, value, high = (number(row.get(end)) for end in ("low", "predicted", "high"))
        if low is not None and value is not None and high is not None:
            slack = 1e-9 * abs(value)
            if not low - slack <= value <= high + slack:
                yield f"{key}.figures[{index}]: its range does not contain what was predicted"


def _speed(report: Report) -> Iterator[str]:
    """What was counted while it trained is told over all of its time too."""
    if is_unprofiled(report):
        counted = section(report, "results", "throughput").get("value") is not None
    else:
        counted = section(report, "run", "hardware").get("throughput") is not None
    told = section(report, "details", "tracking")
    if number(told.get("steps")) and "step_time" not in section(told, "counted"):
        yield "details.tracking.counted.step_time: missing; steps were counted"
    if counted and "throughput_of_wall_clock" not in told:
        yield "details.tracking.throughput_of_wall_clock: missing; data were counted"
    known = [
        section(report, "results", key).get("value") is not None
        for key in ("step_time", "utilization")
    ]
    if counted and all(known) and "calibrate" not in told:
        yield "details.tracking.calibrate: missing; a step was timed"
