"""What of a report stands in more than one place of it, whichever release wrote it.

Rates and data, ranges and those of what they follow from, the run and its assumptions: an edit of
one is found by the other.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, cast

from costcalc.base import units
from costcalc.base.errors import CostcalcError
from costcalc.calculator.achieved import WHOLE
from costcalc.catalog import accelerator
from costcalc.catalog.parts import mig_of
from costcalc.report.agreeing import assumptions, calculated, each, product, value_of
from costcalc.report.claims import METERED
from costcalc.report.closure import ROUNDED, TOLERANCE, close
from costcalc.report.meters import number, section
from costcalc.report.spread import DRAWN, ranges
from costcalc.report.whole import text
from costcalc.resolve.measured import OF_ONE

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

Record = Mapping[str, object]
#: of the logarithm of a spread: how far percentiles of draws miss those that they are drawn from
_DRAWN_LOG = 0.03
#: methods whose steps see as many tokens as the batch times the length say
_PLAIN = ("pretrain", "finetune", "lora", "frozen")


def discrepancies(report: Report) -> Iterator[str]:
    """Everything that does not agree, a line each."""
    tolerance = ROUNDED if report.get("figures") == "rounded" else TOLERANCE
    for said, one in each(report):
        for prefix, part in calculated(one):
            yield from (f"{said}{prefix}{line}" for line in _of_part(part, tolerance))
            if tolerance == TOLERANCE:
                yield from (f"{said}{prefix}{line}" for line in ranges(part, one))
        whole = [_of_all_runs(one, tolerance), _work(one), _limits(one, tolerance)]
        if not one["stages"]:
            whole += [_asked(one, tolerance), _handed_over(one, tolerance)]
        yield from (f"{said}{line}" for lines in whole for line in lines)


def _of_part(part: Record, tolerance: float) -> Iterator[str]:
    for check in (_rates, _per_unit, _alike, _measured):
        yield from check(part, tolerance)
    yield from _machine(part)


def _assumed(part: Record) -> dict[str, Record]:
    return {str(item.get("key")): item for item in assumptions(part)}


def _input(part: Record, key: str) -> float | None:
    return number(_assumed(part).get(key, {}).get("value"))


def _rates(part: Record, tolerance: float) -> Iterator[str]:
    """Data over time are the rate, and the rate times a step is a batch."""
    work = section(part, "details", "work")
    data, datum = number(work.get("data")), work.get("datum")
    rate, step, hours = (value_of(part, name) for name in ("throughput", "step_time", "wall_clock"))
    shown = section(part, "results", "throughput").get("unit")
    if rate is not None and datum is not None and shown != f"{datum}/s":
        yield f"results.throughput.unit: {text(shown)}; data are {datum}s"
    if _input(part, "training.generation_time") or "tracking" in section(part, "details"):
        return
    goodput = _input(part, "hardware.goodput")
    timed = section(part, "results", "wall_clock").get("basis") == "measured"
    if None not in (rate, hours, data) and _whole(part) is timed:
        seconds = 3600 * (hours or 0.0)
        trained = seconds if goodput is None or timed else seconds * goodput
        formula = "details.work.data over the time that it trains"
        made = (data or 0.0) / trained if trained else None
        yield from product("results.throughput", rate, [made], formula, tolerance)
    batch, length = (_input(part, f"training.{key}") for key in ("global_batch", "sequence_length"))
    plain = _assumed(part).get("training.method", {}).get("value") in _PLAIN
    packed = _assumed(part).get("training.packing", {}).get("value") == "packed"
    if plain and packed and datum == "token":
        formula = "global_batch × sequence_length over results.throughput"
        made = None if not rate or batch is None or length is None else batch * length / rate
        yield from product("results.step_time", step, [made], formula, tolerance)


def _alike(part: Record, tolerance: float) -> Iterator[str]:
    """Figures of one part that are another times what is exact: their ranges are as wide."""
    runs = _input(part, "training.runs")
    pairs = (
        ("throughput", "utilization", False),
        ("step_time", "throughput", True),
        ("total_compute", "training_compute", False),
    )
    bases = {section(part, "results", name).get("basis") for pair in pairs for name in pair[:2]}
    compute = [value_of(part, "training_compute", end) for end in ("low", "high")]
    waits = _input(part, "training.generation_time")  # for tokens of its own
    if runs is None or waits or compute[0] != compute[1] or bases != {"modelled"}:
        return
    for name, other, inverse in pairs:
        ends = ("low", "value", "high")
        mine, its = ([value_of(part, one, end) for end in ends] for one in (name, other))
        if None in (*mine, *its) or 0 in (mine[1], *its):
            continue
        for at, end in ((0, "low"), (2, "high")):
            share = (its[at] or 0.0) / (its[1] or 1.0)
            if inverse:
                share = (its[1] or 0.0) / (its[2 - at] or 1.0)
            formula = f"its value as results.{other} varies"
            yield from product(
                f"results.{name}.{end}", mine[at], [mine[1], share], formula, max(tolerance, 1e-4)
            )


def _whole(part: Record) -> bool:
    """Whether a rate is that of all the time that was measured."""
    return section(part, "results", "throughput").get("convention") == WHOLE


def _per_unit(part: Record, tolerance: float) -> Iterator[str]:
    """CO2e by the unit of function, and its other units."""
    per = section(part, "results", "sci", "per")
    carbon, runs = value_of(part, "carbon_total"), _input(part, "training.runs")
    data = number(section(part, "details", "work").get("data"))
    whole = None if data is None or runs is None else data * runs
    datum = section(part, "details", "work").get("datum")
    for unit, of in ((f"training_{datum}", whole), ("parameter", value_of(part, "parameters"))):
        figure = section(per, unit)
        for end in ("value", "low", "high"):
            grams = value_of(part, "carbon_total", end)
            made = None if grams is None or not of else 1000 * grams / of
            key = f"results.sci.per.{unit}.{end}"
            formula = "results.carbon_total over them"
            yield from product(key, number(figure.get(end)), [made], formula, tolerance)
    if per and carbon is None and value_of(part, "sci") is not None:
        yield "results.sci.per: of a CO2e that is not known"


def _machine(part: Record) -> Iterator[str]:
    """The hardware, the layout on it and the count that all is reckoned with."""
    hardware, layout = section(part, "details", "hardware"), section(part, "details", "layout")
    count, said = _input(part, "hardware.count"), number(hardware.get("count"))
    if None not in (count, said) and count != said:
        yield f"details.hardware.count: {said:g}; hardware.count is {count:g}"
    axes = [number(layout.get(axis)) for axis in ("data", "tensor", "pipeline", "context")]
    whole = math.prod(axis for axis in axes if axis is not None)
    if count is not None and count < 1:  # a share of a device is laid out as one
        whole *= count
    if layout and None not in axes and count is not None and not close(whole, count):
        yield f"details.layout: {whole:g} devices by its axes; hardware.count is {count:g}"


def _of_all_runs(report: Report, tolerance: float) -> Iterator[str]:
    """The time of one run beside the hours of all, and how many there are."""
    told = section(report, "details", "by_run")
    if told.get("time") != "of one run":
        return
    runs, hours = number(told.get("runs")), number(told.get("hours"))
    of_one = number(told.get("device_hours"))
    whole = number(section(report, "work", "H").get("value"))
    yield from product("details.by_run.runs", runs, [whole], "work.H", tolerance)
    clock = value_of(report, "wall_clock")
    yield from product("details.by_run.hours", hours, [clock], "results.wall_clock", tolerance)
    every = value_of(report, "device_hours")
    formula = "details.by_run: runs × device_hours"
    yield from product("results.device_hours", every, [runs, of_one], formula, tolerance)


def _limits(report: Report, tolerance: float) -> Iterator[str]:
    for index, limit in enumerate(report.get("limits") or ()):
        key = f"limits[{index}]"
        name = str(limit.get("key")).removeprefix("limits.")
        of = {"time": "wall_clock", "carbon": "carbon_total"}.get(name, name)
        figure = section(report, "results", of)
        said, value, unit = (
            number(limit.get("value")),
            number(figure.get("value")),
            limit.get("unit"),
        )
        if said is None or value is None:
            continue
        try:
            shown = value * units.unit(str(figure["unit"])).factor / units.unit(str(unit)).factor
        except CostcalcError:
            continue
        formula = f"results.{of}"
        yield from product(f"{key}.value", said, [shown], formula, tolerance)
        asked, most = section(report["run"], "limits").get(name), number(limit.get("limit"))
        told = None if asked is None or _converted(report["run"]) else _read(asked, str(unit))
        if told is not None and most is not None and not close(most, told):
            yield f"{key}.limit: {most:g} {unit}; run.limits.{name} is {text(asked)}"
        chance = number(limit.get("chance"))
        if chance is not None and not 0 <= chance <= 1:
            yield f"{key}.chance: {chance:g}; expected a share, 0 to 1"


def _asked(report: Report, tolerance: float) -> Iterator[str]:
    """The run as it is written and the assumptions that it was read as."""
    run = report["run"]
    for key, item in _assumed(report).items():
        value: object = run
        for name in key.split("."):
            value = value.get(name) if isinstance(value, Mapping) else None
        mine, unit = number(item.get("value")), str(item.get("unit") or "1")
        if (
            mine is None
            and type(value) is type(item.get("value"))
            and isinstance(value, (str, bool))
        ):
            if item.get("value") not in (value, _board(key, value)):
                yield f"run.{key}: {text(value)}; the assumptions have {text(item.get('value'))}"
            continue
        if value is None or isinstance(value, (bool, Mapping, list)) or mine is None:
            continue
        if _otherwise(key, run):
            continue
        asked = _read(value, unit)
        if key == "hardware.count" and asked is not None:  # of a slice so much of a device
            asked *= _part_of_one(run, report)
        if asked is not None and not close(mine, asked, tolerance):
            yield f"run.{key}: {text(value)}; the assumptions have {mine:.6g} {unit}"


def _board(key: str, name: object) -> object:
    """The profile that a name of the run file was taken as, of an accelerator that is listed."""
    if key != "hardware.accelerator" or not isinstance(name, str):
        return name
    try:
        return accelerator.find(name).id
    except CostcalcError:
        return name


def _otherwise(key: str, run: Record) -> bool:
    """Whether a number of the run file is of something else than the assumption of its name."""
    if key == "hardware.utilization":  # of another peak, or of attention counted otherwise
        return bool(section(run, "hardware", "utilization_basis"))
    of_a_node = key == "hardware.host_power"  # and of a device among the assumptions
    return of_a_node or (key.startswith("price.") and _converted(run))


def _part_of_one(run: Record, report: Report) -> float:
    """The share of a device that a run file says, ``1/7`` as well; 1 where it says none.

    The name of a MIG instance says it too, and the share that it is stands among the assumptions.
    """
    hardware = section(run, "hardware")
    said = hardware.get("share", 1)
    if "share" not in hardware and mig_of(str(hardware.get("accelerator"))) is not None:
        return _input(cast("Record", report), "hardware.share") or 1.0
    over, _, under = str(said).partition("/")
    ends = _read(over if under else said, "1"), _read(under or 1, "1")
    return (ends[0] or 1.0) / (ends[1] or 1.0)


def _converted(run: Record) -> bool:
    """Whether money of the run is in another currency, or less than what is written."""
    return bool({"discount", "currency", "rate"} & set(section(run, "price")))


def _read(value: object, unit: str) -> float | None:
    """A value of a run file in a unit: devices are counted bare, dollars an hour are dollars."""
    if isinstance(value, (int, float)):
        return float(value)
    for shown in (unit, unit.partition("/")[0], "1"):
        try:
            return units.parse(str(value), shown)
        except CostcalcError:
            continue
    return None


def _handed_over(report: Report, tolerance: float) -> Iterator[str]:
    """What the run says was measured is the figure, of one run or, as it was before, of all."""
    runs = _runs(report)
    for name, said in section(report["run"], "measured").items():
        value = value_of(report, name)
        unit = str(section(report, "results", name).get("unit"))
        asked = _read(said, unit) if value is not None else None
        if value is None or asked is None:
            continue
        many = _many(name, _assumed(report).get(f"measured.{name}"), runs)
        if not any(close(value, asked * factor, tolerance) for factor in many):
            yield f"run.measured.{name}: {text(said)}; results.{name} is {value:.6g} {unit}"


def _runs(part: Record) -> float:
    told = number(section(part, "run", "training").get("runs"))
    return _input(part, "training.runs") or told or 1.0


def _many(name: str, item: Record | None, runs: float) -> tuple[float, ...]:
    """What a figure may be times the measured one: the runs, where it says that it is of one."""
    if name == "wall_clock" or runs == 1:
        return (1.0,)
    return (runs,) if OF_ONE in str(section(item).get("why")) else (1.0, runs)


def _measured(part: Record, tolerance: float) -> Iterator[str]:
    """A figure that was measured is what the run says that it is, and as sure."""
    for key, item in _assumed(part).items():
        name = key.removeprefix("measured.")
        figure = section(part, "results", name)
        if name == key or name not in METERED or figure.get("basis") != "measured":
            continue
        many = _many(name, item, _runs(part))[0]
        low, high = (many * (number(item.get(end)) or 0.0) for end in ("low", "high"))
        slack = DRAWN * (high - low)
        for end in ("low", "value", "high"):
            mine, its = number(figure.get(end)), number(item.get(end))
            if mine is None or its is None or close(mine, its * many, tolerance):
                continue
            its *= many
            wide = math.log(high / low) if low and high and mine > 0 and its > 0 else 0.0
            if wide and end != "value" and abs(math.log(mine / its)) <= _DRAWN_LOG * wide:
                continue  # where gaps leave it open by powers of ten
            if end == "value" or abs(mine - its) > slack:
                yield f"results.{name}.{end}: {mine:.6g}; {key} is {its:.6g}"


def _work(report: Report) -> Iterator[str]:
    datum = section(report, "details", "work").get("datum")
    work = section(report, "work")
    expected = {"E": f"FLOP/{datum}", "D": datum, "H": "1"}
    for key, unit in expected.items():
        said = section(work, key).get("unit")
        if work and datum is not None and said != unit:
            yield f"work.{key}.unit: {text(said)}; data are {text(datum)}s: {text(unit)}"
    runs, whole = _input(report, "training.runs"), number(section(work, "H").get("value"))
    if None not in (runs, whole) and not close(runs or 0.0, whole or 0.0):
        yield f"work.H: {whole:g}; training.runs is {runs:g}"
    tool = section(report, "details", "imported").get("name")
    for index, run in enumerate(report.get("runs") or ()):
        by = run.get("measured_by")
        if tool is not None and by != tool:
            yield f"runs[{index}].measured_by: {text(by)}; details.imported is of {text(tool)}"
    nodes = number(section(report, "details", "hardware").get("nodes"))
    metered = number(section(report, "measurement").get("nodes"))
    if nodes and metered and "tracking" not in section(report, "details") and nodes != metered:
        yield f"measurement.nodes: {metered:g}; details.hardware.nodes is {nodes:g}"
