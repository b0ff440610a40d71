"""What a report claims of itself, against itself: kind, basis, meters, bounds, names, units.

A figure is measured where something measured it, a lower bound where its meter did not see all,
and hardware and places are called what the run calls them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from costcalc.base import units
from costcalc.base.errors import CostcalcError
from costcalc.calculator.document import kind
from costcalc.catalog import accelerator, region
from costcalc.report.agreeing import assumptions, calculated, each, named, value_of
from costcalc.report.meters import number, section
from costcalc.report.project import parts_of
from costcalc.report.tools import UNSAMPLED, unsampled
from costcalc.report.totals import OF_ENERGY
from costcalc.report.whole import text

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

Record = Mapping[str, object]
#: figures that a meter, a clock or a bill can be of
METERED = (
    *("wall_clock", "device_hours", "energy", "energy_it", "cost"),
    *("utilization", "throughput", "step_time"),
)
#: what a speed that the run file gives was measured of, and how it is given
_OF_A_STEP = ("utilization", "throughput", "step_time")
_SPEEDS = ("utilization", "throughput", "calibrate", "calibration")
_COMPUTE = ("training_compute", "total_compute")


def discrepancies(report: Report) -> Iterator[str]:
    """Every claim that another denies, a line each."""
    for said, one in each(report):
        yield from (f"{said}{line}" for line in (*_said_by(one), *_sampled(one)))
        for prefix, part in calculated(one):
            yield from (f"{said}{prefix}{line}" for line in (*_units(part), *_known(part)))
        if not one["stages"]:
            yield from (f"{said}{line}" for line in _named(one))
    if report.get("kind") == "estimated":
        yield from (
            f"kind: estimated; {named(one)} is {one.get('kind')}"
            for one in parts_of(report) or ()
            if one.get("kind") != "estimated"
        )


def _known(part: Record) -> Iterator[str]:
    """A part is told of what is not known alone; and an assumption stands once."""
    results = section(part, "results")
    for name in results:
        figure = section(results, name)
        if figure.get("known") is not None and figure.get("value") is not None:
            yield f"results.{name}.known: of a figure that is known"
        if figure.get("bound") is not None and name not in OF_ENERGY:
            yield f"results.{name}.bound: of a figure that no meter's gaps make one"
    stands = Counter(str(item.get("key")) for item in assumptions(part))
    yield from (f"assumptions {key}: stands twice" for key, times in stands.items() if times > 1)


def _sampled(report: Report) -> Iterator[str]:
    """Gaps of an import, in words, for machines and on its energy; and who metered it."""
    tool = section(report, "details", "imported")
    seen = section(report, "measurement")
    if not tool or not seen:
        return
    gaps, notes = number(seen.get("gaps")), tool.get("warnings")
    noted = [note for note in notes if isinstance(note, str)] if isinstance(notes, list) else []
    told = [note for note in noted if note.startswith(UNSAMPLED)]
    if bool(gaps) is not bool(told):
        yield f"measurement.gaps: {text(gaps)}; warnings say {text(told[0] if told else None)}"
    elif gaps and not told[0].startswith(unsampled(gaps)):
        yield f"measurement.gaps: {text(gaps)}; warnings say {text(told[0])}"
    least = bool(seen.get("lower_bound"))
    if gaps and not least:
        yield f"measurement.lower_bound: {text(seen.get('lower_bound'))}; gaps are {gaps:.3g}"
    before = section(report, "results", "energy_it")
    if before.get("value") is not None and least is not (before.get("bound") == "lower"):
        yield f"results.energy_it.bound: {text(before.get('bound'))}; lower_bound is {text(least)}"
    meters = seen.get("meters")
    names = [section(one).get("name") for one in meters] if isinstance(meters, list) else []
    if names != [tool.get("name")]:
        yield f"measurement.meters: {text(names)}; details.imported is of {text(tool.get('name'))}"


def _said_by(report: Report) -> Iterator[str]:
    """Who says a figure: a measured one has something that measured it, and makes the kind."""
    details = section(report, "details")
    asked = report["run"].get("stages")
    stages = [section(stage) for stage in asked] if isinstance(asked, list) else []
    over = [bool(section(stage, "measured")) for stage in stages]
    witnessed = bool(section(report["run"], "measured") or {"tracking", "imported"} & set(details))
    whole_run, witnessed = witnessed, witnessed or any(over)
    results, hardware = section(report, "results"), section(report["run"], "hardware")
    for name in results:
        figure = section(results, name)
        if figure.get("basis") == "measured" and figure.get("value") is not None:
            timed = name in _OF_A_STEP and any(key in hardware for key in _SPEEDS)
            if not witnessed and not timed and report["run"]:
                yield f"results.{name}.basis: measured; nothing in the report measured it"
            elif name not in METERED and name not in _COMPUTE:
                yield f"results.{name}.basis: measured; no meter is of it"
    if report["run"] and not whole_run:
        meters = section(report, "measurement").get("meters")
        if meters and not witnessed:
            yield "measurement.meters: of an estimate, which no meter saw"
        for index, run in enumerate(report.get("runs") or ()):
            if run.get("measured_by") and not (over[index : index + 1] or [False])[0]:
                yield f"runs[{index}].measured_by: {text(run['measured_by'])}; of an estimate"
    said, made = report.get("kind"), kind(report["results"])
    mixed = said == "mixed" and "tracking" in details  # most of a tracked energy may be modelled
    whole = report["run"] or "imported" in details
    if said is not None and said != made and not mixed and whole:
        yield f"kind: {said}; by the basis of its time and energy it is {made}"


def _units(part: Record) -> Iterator[str]:
    """Units of assumptions are such, and parameters are counted."""
    for item in assumptions(part):
        key, unit = item.get("key"), item.get("unit")
        try:
            units.unit(str(unit or "1"))
        except CostcalcError:
            if not re.fullmatch(r"[A-Z]{3}(/\w+)?", str(unit)):  # money of another country
                yield f"assumptions {key}.unit: {text(unit)}; no unit"
    for name in ("parameters", "active_parameters"):
        ends = [value_of(part, name, end) for end in ("low", "value", "high")]
        if None not in ends and len(set(ends)) > 1:
            yield f"results.{name}: has a range; parameters are counted"


def _named(report: Report) -> Iterator[str]:
    """Hardware and place are called as the run calls them, as far as this catalogue knows both."""
    hardware, asked = section(report, "details", "hardware"), section(report["run"], "hardware")
    said = hardware.get("id")
    own = [section(one) for one in (report.get("profiles") or {}).values()]
    carried = next((one for one in own if said is not None and one.get("id") == said), None)
    if carried is not None and hardware.get("name") != carried.get("name"):
        yield (
            f"details.hardware.name: {text(hardware.get('name'))}; the profile of {text(said)} "
            f"that the report carries has {text(carried.get('name'))}"
        )
    if said is not None and carried is None:
        for path, name in (
            ("run.hardware.accelerator", asked.get("accelerator")),
            ("details.hardware.name", hardware.get("name")),
        ):
            known = _accelerator(name, str(said))
            if known is not None and known != said:
                yield f"{path}: {text(name)} is {known}; details.hardware.id is {text(said)}"
            elif known is None and name is not None and _as_here(report, str(said)):
                yield f"{path}: {text(name)} is none; details.hardware.id is {text(said)}"
        files = [name for name in report["data"] if "accelerators/" in name]
        if files and not any(name.endswith(f"/{said}.yaml") for name in files):
            yield f"details.hardware.id: {text(said)}; data lists {', '.join(files)[:80]}"
    yield from _placed(report)


def _placed(report: Report) -> Iterator[str]:
    """The place is called as the run calls it."""
    there = section(report["run"], "site").get("region")
    code, label = section(report, "details").get("region"), section(report, "details").get("place")
    if isinstance(there, str) and code is not None:
        try:
            found = region.find(there)
        except CostcalcError:
            yield f"run.site.region: {text(there)} is none; details.region is {text(code)}"
            return
        if found.code != code:
            yield f"run.site.region: {text(there)} is {found.code}; details.region is {text(code)}"
        elif label is not None and label != found.label:
            yield f"details.place: {text(label)}; {found.code} is {found.label}"


def _as_here(report: Report, name: str) -> bool:
    """Whether a report rests on the very profile that stands in this catalogue."""
    try:
        own = accelerator.find(name)
    except CostcalcError:
        return False
    listed = [digest for file, digest in report["data"].items() if file.endswith(f"/{name}.yaml")]
    return listed == [own.digest]


def _accelerator(name: object, said: str) -> str | None:
    """Whose a name is, that of the profile ``said`` before all: some stand for several typed in."""
    try:
        if accelerator.find(said).name == name:
            return said
    except CostcalcError:
        pass
    try:
        return accelerator.find(name).id if isinstance(name, str) else None
    except CostcalcError:
        return None
