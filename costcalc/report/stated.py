"""What a report may not lack, and what its run says that other places of it say too.

Whichever release wrote it: an emptied ``run``, ``data`` or ``runs`` is found by what the rest of
the report is of, and a word of the run by the section that was made of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from costcalc.base import numerals
from costcalc.report.agreeing import assumptions, calculated, each, product, value_of
from costcalc.report.closure import TOLERANCE, close
from costcalc.report.meters import number, section
from costcalc.report.whole import text

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

Record = Mapping[str, object]
#: what a modelled figure always follows from, if what it is of is known
_RESTS_ON = {
    "energy": ("site.pue", "energy_it"),
    "carbon_operational": ("site.grid", "energy"),
    "cost": ("price.device_hour", "device_hours"),
}
_COUNTED = re.compile(r"; (\d[\d,]*(?:\.\d+)?) ([kMBT]?) ?parameters")
_LETTERS = {"": 1.0, "k": 1e3, "M": 1e6, "B": 1e9, "T": 1e12}
_MOST = 1.2  # shares of the draws' variance may come to more than all, though not to much more
_ROUGHLY = 0.006  # of a figure that a text says with three digits


def discrepancies(report: Report) -> Iterator[str]:
    """Everything that is missing, or said otherwise elsewhere, a line each."""
    yield from _of_all_runs(report)
    for said, one in each(report):
        yield from (f"{said}{line}" for line in (*_rows(one), *_came(one)))
        yield from (f"{said}{line}" for line in _empty(one))
        yield from (f"{said}{line}" for line in _data(one))
        for prefix, part in calculated(one):
            yield from (f"{said}{prefix}{line}" for line in (*_memory(part), *_counted(part)))
            yield from (f"{said}{prefix}{line}" for line in _drivers(part))
            yield from (f"{said}{prefix}{line}" for line in _lacking(part, one))
        if not one["stages"]:
            yield from (f"{said}{line}" for line in _trained(one))


def _ours(report: Report) -> bool:
    """Whether costcalc made it: a published card that somebody wrote down has less."""
    return bool(report.get("costcalc_version")) and report.get("figures") != "rounded"


def _empty(report: Report) -> Iterator[str]:
    """Sections that cannot be empty, by what others hold."""
    details = section(report, "details")
    if not _ours(report):
        return
    known = [name for name in report["results"] if value_of(report, name) is not None]
    if known and not report["run"] and not {"imported", "parts"} & set(details):
        yield f"run: empty; nothing shows how {', '.join(known[:3])} came about"
    if not report.get("runs") and value_of(report, "device_hours") is not None:
        yield "runs: none; results.device_hours are of some"
    if not report["run"] or report["stages"]:
        return
    if section(report["run"], "hardware") and not section(details, "hardware"):
        yield "details.hardware: missing; run.hardware says some"
    if section(report, "work", "E").get("value") is not None and not section(details, "work"):
        yield "details.work: missing; work.E is of some"


def _data(report: Report) -> Iterator[str]:
    """Files that the report must rest on are listed."""
    if not _ours(report) or not report["run"]:
        return
    listed, details = list(report["data"]), section(report, "details")
    carried = {str(section(one).get("id")) for one in (report.get("profiles") or {}).values()}
    device = section(details, "hardware").get("id")
    if not isinstance(device, str):
        return
    if device not in carried and not any(name.endswith(f"/{device}.yaml") for name in listed):
        yield f"data: lacks the profile of details.hardware.id, {text(device)}"
    preset = section(report["run"], "model").get("preset")
    if isinstance(preset, str) and not any("presets/" in name for name in listed):
        yield f"data: lacks the preset of run.model.preset, {text(preset)}"
    if details.get("region") is not None and not any("regions/" in name for name in listed):
        yield f"data: lacks the table of details.region, {text(details['region'])}"


def _memory(part: Record) -> Iterator[str]:
    """What a device holds is the sum of what it is for."""
    held = [number(value) for value in section(part, "details", "memory").values()]
    whole = value_of(part, "memory_per_device")
    known = [one for one in held if one is not None]
    if not known or len(known) < len(held) or whole is None:
        return
    if not close(math.fsum(known), whole):
        yield (
            f"details.memory: its parts sum to {math.fsum(known):.6g} GiB, but "
            f"results.memory_per_device is {whole:.6g} GiB"
        )


def _counted(part: Record) -> Iterator[str]:
    """The parameters are as many as the steps of the calculation say in words."""
    steps = section(part, "details").get("steps")
    whole = value_of(part, "parameters")
    words = [str(step) for step in steps] if isinstance(steps, list) else []
    for told in filter(None, map(_COUNTED.search, words)):
        count = float(told[1].replace(",", "")) * _LETTERS[told[2]]
        if whole is not None and not close(count, whole, _ROUGHLY):
            yield f"results.parameters: {whole:.6g}; details.steps say {told[0][2:]}"


def _drivers(part: Record) -> Iterator[str]:
    """What drives a figure is an assumption that has a range; shares are of one whole."""
    rests = {str(item.get("key")) for item in assumptions(part)}
    told = part.get("drivers")
    sums: dict[str, float] = {}
    for index, driver in enumerate(told if isinstance(told, list) else ()):
        of, key = (str(section(driver).get(name)) for name in ("of", "key"))
        if of not in section(part, "results"):
            yield f"drivers[{index}].of: {text(of)}; results have none such"
        if rests and key not in rests:
            yield f"drivers[{index}].key: {text(key)}; the assumptions have none such"
        sums[of] = sums.get(of, 0.0) + (number(section(driver).get("share")) or 0.0)
    for of, share in sums.items():
        if share > _MOST:
            yield f"drivers of {of}: their shares come to {share:.3g}, more than all"


def _lacking(part: Record, report: Report) -> Iterator[str]:
    """A modelled figure has the assumption that it follows from."""
    if not _ours(report) or not report["run"]:
        return
    listed = [*assumptions(part), *assumptions(cast("Record", report))]
    rests = {str(item.get("key")) for item in listed}
    for name, (key, of) in _RESTS_ON.items():
        basis = section(part, "results", name).get("basis")
        known = None not in (value_of(part, name), value_of(part, of))
        if known and basis == "modelled" and key not in rests:
            yield f"assumptions: lack {key}, which results.{name} follows from"


def _trained(report: Report) -> Iterator[str]:
    """How much is trained on, as the run and the work say it."""
    training, work = section(report["run"], "training"), section(report, "details", "work")
    if training.get("packing") == "padded" or "tracking" in section(report, "details"):
        return  # what is worked on is more, or was counted
    for key, datum in (("tokens", "token"), ("samples", "sample")):
        asked = training.get(key)
        data = number(work.get("data"))
        if asked is None or work.get("datum") != datum or data is None:
            continue
        try:
            told = float(asked) if isinstance(asked, (int, float)) else numerals.number(str(asked))
        except ValueError:
            yield f"run.training.{key}: {text(asked)}; no number"
            continue
        if not close(told, data):
            yield f"run.training.{key}: {text(asked)}; details.work.data is {data:.6g}"


def _of_all_runs(report: Report) -> Iterator[str]:
    """The time of all runs, and of the longest of them."""
    told = section(report, "details", "by_run")
    if told.get("time") != "of all runs":
        return
    formula, clock = "results.wall_clock", value_of(report, "wall_clock")
    yield from product(
        "details.by_run.hours", number(told.get("hours")), [clock], formula, TOLERANCE
    )
    hours = [number(section(run).get("hours")) for run in report.get("runs") or ()]
    longest = max((one for one in hours if one is not None), default=None)
    said = number(told.get("longest"))
    yield from product("details.by_run.longest", said, [longest], "the longest of runs", TOLERANCE)


def _rows(report: Report) -> Iterator[str]:
    """The energy of a tool's runs behind their PUE, and their CO2e at the tool's own factors."""
    if report["run"] or "imported" not in section(report, "details"):
        return
    grams: list[float | None] = []
    for index, row in enumerate(report.get("runs") or ()):
        energy, before, pue, grid = (
            number(section(row).get(key)) for key in ("energy", "energy_it", "pue", "grid")
        )
        formula = f"runs[{index}]: energy_it × pue"
        yield from product(f"runs[{index}].energy", energy, [before, pue], formula, TOLERANCE)
        grams.append(None if energy is None or grid is None else energy * grid)
    known = [one for one in grams if one is not None]
    if known and len(known) == len(grams):
        carbon, formula = value_of(report, "carbon_operational"), "the sum of runs' energy × grid"
        total = math.fsum(known) / 1000
        yield from product("results.carbon_operational", carbon, [total], formula, TOLERANCE)


def _came(report: Report) -> Iterator[str]:
    """What a prediction came to is the figure."""
    figures = section(report, "details", "tracking", "predicted").get("figures")
    for index, row in enumerate(figures if isinstance(figures, list) else ()):
        of, came = str(section(row).get("of")), number(section(row).get("came"))
        key = f"details.tracking.predicted.figures[{index}].came"
        same = section(row).get("unit") == section(report, "results", of).get("unit")
        figure = value_of(report, of) if same else None
        yield from product(key, came, [figure], f"results.{of}", TOLERANCE)
