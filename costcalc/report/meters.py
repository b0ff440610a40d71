"""What of a tracked report must agree: parts of its energy, attempts of its job, its rate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, cast

from costcalc.report.closure import close
from costcalc.report.records import figures
from costcalc.report.tools import LACKING_PARTS, ROUNDED_PARTS

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

_TWICE = ({"device", "accelerators"}, {"cpu", "hosts"})
_ROUNDED = 0.5  # attempts list whole devices
_SHARE = 0.01  # by which a recorded sum may miss: people round tables
TOOL_PARTS = ("cpu", "gpu", "ram")  # what all of a recorded energy is made of
_BASES = ("measured", "modelled")
Record = Mapping[str, object]


def number(value: object) -> float | None:
    """A number, None of all else."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value)


def section(part: object, *path: str) -> Record:
    """What stands at a path of mappings; empty where nothing does."""
    for key in path:
        part = part.get(key) if isinstance(part, Mapping) else None
    return part if isinstance(part, Mapping) else {}


def components(report: Report) -> list[Record]:
    """The parts of a metered energy."""
    found = section(report, "measurement").get("components")
    return [part for part in found if isinstance(part, Mapping)] if isinstance(found, list) else []


def discrepancies(report: Report, tolerance: float) -> Iterator[str]:
    """Everything that does not agree, a line each."""
    parts = components(report)
    yield from _rows(report)
    yield from _components(parts)
    yield from _modelled(report, parts)
    yield from _sums(report, [one for one in parts if one.get("counted", True)], tolerance)
    attempts = section(report, "details", "tracking").get("attempts")
    if isinstance(attempts, list) and attempts:
        yield from _attempts(report, [section(attempt) for attempt in attempts], tolerance)


def unlike_sum(parts: Mapping[str, float], energy_it: float | None) -> Iterator[str]:
    """That a recorded energy (kWh) is another than that of its parts, which may not all be said.

    >>> list(unlike_sum({"cpu": 0.2, "gpu": 2.4, "ram": 0.04}, 9.64))
    ['cpu, gpu and ram sum to 2.64 kWh before PUE; the energy recorded is 9.64 kWh']
    >>> list(unlike_sum({"gpu": 2.4}, 9.64))
    []
    """
    total = sum(parts.values())
    if energy_it is None or not parts:
        return
    above = total > (1 + _SHARE) * energy_it
    if above or (parts.keys() >= set(TOOL_PARTS) and total < (1 - _SHARE) * energy_it):
        *names, last = parts
        named = f"{', '.join(names)} and {last}" if names else last
        said = f"{energy_it:.4g} kWh"
        yield f"{named} sum to {total:.4g} kWh before PUE; the energy recorded is {said}"


def of_parts(parts: Mapping[str, float | None], energy_it: float | None) -> str:
    """What is to be said of the parts of an energy (kWh): nothing where they sum to it exactly.

    >>> of_parts({"cpu": 0.2, "gpu": 0.7, "ram": 0.1}, 1.0)
    ''
    >>> of_parts({"cpu": 0.2, "gpu": 0.7, "ram": 0.104}, 1.0)
    'the parts of the energy are rounded: they sum to it within 1 %'
    >>> of_parts({"cpu": None, "gpu": 0.7, "ram": 0.1}, 1.0)
    'of the energy of some runs not all parts are recorded'
    """
    known = [one for one in (parts.get(name) for name in TOOL_PARTS) if one is not None]
    if not known or energy_it is None:
        return ""
    if len(known) < len(TOOL_PARTS):
        return LACKING_PARTS
    return "" if close(sum(known), energy_it) else ROUNDED_PARTS


def _rows(report: Report) -> Iterator[str]:
    """The parts of a recorded energy sum to it."""
    rows = report.get("runs") or []
    before = section(report, "results", "energy_it")
    whole = number(before.get("value")) if before.get("basis") == "measured" else None
    for index, row in enumerate(rows):
        said = section(row, "parts")
        parts = {key: number(value) for key, value in said.items()}
        known = {key: value for key, value in parts.items() if value is not None}
        own = number(cast("Record", row).get("energy_it", whole if len(rows) == 1 else None))
        wrong = list(unlike_sum(known, own))
        yield from (f"runs[{index}].parts: {line}" for line in wrong)
        noted = section(report, "details", "imported").get("warnings")
        told = of_parts(parts, own)
        if told and not wrong and not (isinstance(noted, list) and told in noted):
            yield f"runs[{index}].parts: {told}; no warning says so"


def _components(parts: Sequence[Record]) -> Iterator[str]:
    for index, part in enumerate(parts):
        key = f"measurement.components[{index}]"
        low, energy, high = (number(part.get(name)) for name in ("low", "energy", "high"))
        if part.get("unit", "kWh") != "kWh":
            yield f"{key}.unit: {part.get('unit')!s:.20}; it is kWh"
        if part.get("basis", "measured") not in _BASES:
            yield f"{key}.basis: {part.get('basis')!s:.20}; expected {' or '.join(_BASES)}"
        if energy is not None and (
            energy < 0 or (low or 0.0) > energy or (high or energy) < energy
        ):
            yield f"{key}: its range does not contain its energy, or it is negative"


def ends(row: Record) -> Iterator[str]:
    """The ends of an energy are about it."""
    energy = number(row.get("energy_it"))
    for end, sign in (("low", 1), ("high", -1)):
        said = number(row.get(f"energy_it_{end}"))
        if said is not None and energy is None:
            yield f"energy_it_{end}: {said:.6g}; energy_it is not known"
        elif said is not None and energy is not None and sign * (said - energy) > 1e-9 * energy:
            yield f"energy_it_{end}: {said:.6g}; energy_it is {energy:.6g}"


def _modelled(report: Report, parts: Sequence[Record]) -> Iterator[str]:
    """Parts that an estimate has too are as large in both."""
    split = section(report, "breakdown", "energy")
    for index, part in enumerate(parts):
        said, made = number(part.get("energy")), number(split.get(str(part.get("component"))))
        if said is not None and made is not None and not close(said, made):
            key = f"measurement.components[{index}].energy"
            yield f"{key}: {said:.6g} kWh; breakdown.energy has {made:.6g}"


def _sums(report: Report, counted: Sequence[Record], tolerance: float) -> Iterator[str]:
    """Parts of a measured energy sum to it, and so do their ends; none is counted twice."""
    whole = _energy(report)
    for name, end in (("energy", "value"), ("low", "low"), ("high", "high")):
        said = whole.get(end) if whole else None
        numbers = [_end(one, name) for one in counted]
        total = sum(one for one in numbers if one is not None)
        told = number(said)
        if not counted or told is None or None in numbers or close(total, told, tolerance):
            continue
        what = "measurement.components" + ("" if name == "energy" else f" {name}")
        yield f"{what}: sum to {total:.6g} kWh; measured.energy_it is {told:.6g}"
    names = {str(one.get("component")) for one in counted}
    for twice in _TWICE:
        if twice <= names:
            yield f"measurement.components: {' and '.join(sorted(twice))} are the same, twice"


def _energy(report: Report) -> Record:
    """The energy that went into the figures, before its ends are drawn between; else the figure's.

    Where no meter saw any, its parts have no ends of their own.
    """
    for item in report.get("assumptions") or ():
        if section(item).get("key") == "measured.energy_it":
            return section(item)
    return {"value": section(report, "results", "energy_it").get("value")}


def _end(part: Record, name: str) -> float | None:
    """The energy of a part or an end of it: its own where a meter saw it, else not known."""
    exact = part.get("energy") if part.get("basis") == "measured" else None
    return number(part.get(name, exact))


def _attempts(report: Report, attempts: Sequence[Record], tolerance: float) -> Iterator[str]:
    """Attempts of equal size take the job's time, and hold the devices of its run."""
    key = "details.tracking"
    hours = [number(attempt.get("hours")) for attempt in attempts]
    summed = sum(hour for hour in hours if hour is not None)
    clock = figures(report).get("wall_clock")
    told = number(clock.get("value")) if clock else None
    devices = {str(attempt.get("devices")) for attempt in attempts}
    if len(devices) == 1 and told is not None and None not in hours:
        if not close(summed, told, tolerance):
            yield f"{key}.attempts: {summed:.6g} h; results.wall_clock is {told:.6g}"
        held = number(attempts[0].get("devices"))
        runs = report.get("runs") or []
        used = number(runs[0].get("devices")) if runs else None
        # none was detected: the run has those of its file, or its machine; a slice is one device
        if held and used is not None and abs(held - max(used, 1.0)) > _ROUNDED:
            yield f"{key}.attempts: {held:.6g} devices; runs[0].devices is {used:.6g}"
    rate = section(report, "details", "tracking", "throughput_of_wall_clock")
    data = number(section(report, "details", "work").get("data"))
    datum = section(report, "details", "work").get("datum")
    value = number(rate.get("value"))
    if value is None or data is None or None in hours or not summed:
        return
    if not close(value, data / summed / 3600, tolerance):
        came = data / summed / 3600
        yield f"{key}.throughput_of_wall_clock: {value:.6g}; data over time are {came:.6g}"
    if rate.get("unit") != f"{datum}/s":
        yield f"{key}.throughput_of_wall_clock.unit: {rate.get('unit')!s:.20}; data are {datum}s"
