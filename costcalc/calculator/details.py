"""What an estimate says beside its figures: names, and the steps to them in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from costcalc import price
from costcalc.base.assumption import Assumption
from costcalc.base.human import digits, human, percent, plural
from costcalc.base.units import from_si
from costcalc.base.vocabulary import AXES
from costcalc.calculator import achieved
from costcalc.resolve.price import owned_hardware

if TYPE_CHECKING:
    from costcalc.calculator.calculated import Calculated
    from costcalc.calculator.report_schema import ByRun, Details
    from costcalc.calculator.result import Result


def details(part: Calculated, results: Mapping[str, Result]) -> Details:
    """Names and words that a table and a report show beside the figures."""
    devices, region = part.devices, part.region
    made: Details = {
        "hardware": {
            "id": devices.accelerator.id,
            "name": devices.accelerator.name,
            "count": devices.reserved,
            "unit": devices.accelerator.unit,
            "host": devices.host.host.id,
            "nodes": devices.nodes,
            **achieved.bounds(part),  # type: ignore[typeddict-item]
        }
    }
    account = achieved.account(part)
    if account:
        made["achieved"] = account
    if part.timed is not None:
        made["precision"] = part.timed.throughput.precision
    work = part.trained.work
    if work is not None:
        made["work"] = {"data": work.data or None, "datum": work.datum}
        trained = part.values.get("training_flops")
        if trained is not None and float(trained) != float(part.values["model_flops"]):
            # without those of generating, whose time stands apart: the time follows from these
            made["work"]["training_flops"] = float(trained)
    if region is not None:
        made["region"] = region.code
        made["place"] = region.label
    runs = float(part.values["runs"])
    if runs != 1:
        made["by_run"] = _by_run(runs, results)
    price = _price(part)
    if price:
        made["price"] = price
    made["steps"] = [list(step) for step in _steps(part, results)]
    if part.trained.notes:
        made["notes"] = list(part.trained.notes)
    made.update(_arranged(part))
    return made


def of_stages(runs: Sequence[float], results: Mapping[str, Result]) -> Details:
    """The details of a run of stages: how many runs its totals are of, where all are as often."""
    several = len(set(runs)) == 1 and runs[0] != 1
    return {"by_run": _by_run(runs[0], results)} if several else {}


def _by_run(runs: float, results: Mapping[str, Result]) -> ByRun:
    """What one of several runs takes, beside totals of all of them."""
    hours = results["device_hours"].value
    each = None if hours is None else hours / runs
    return {
        "runs": runs,
        "time": "of one run",
        "hours": results["wall_clock"].value,
        "device_hours": each,
    }


def _price(part: Calculated) -> str:
    found = _assumption(part, "price.device_hour")
    if found is None:
        return ""
    money = found.unit.partition("/")[0]
    text = f"{digits(from_si(found.value, found.unit), 3)} {money} a device-hour"
    asked = part.given.part.price
    bought = asked is not None and owned_hardware(asked)
    plan = "owned" if bought else (asked.plan if asked else None) or "on-demand"
    text = f"{text}, {'yours' if found.basis == 'given' else plan}"
    if price.ELSEWHERE in found.why:
        text += ", of other regions"
    others = next((part for part in found.why.split("; ") if "other provider" in part), "")
    plain = others.removesuffix("/device_hour").removesuffix(f" {money}")
    return f"{text}; {plain}" if others else text


def _assumption(part: Calculated, key: str) -> Assumption | None:
    for item in part.assumptions:
        if item.key == key and isinstance(item, Assumption):
            return item
    return None


def _arranged(part: Calculated) -> Details:
    """The layout, and GiB on the fullest device by what they hold, where they are known."""
    made: Details = {}
    layout = _layout(part)
    if layout is not None:
        made["layout"] = layout
    found = part.timed.throughput if part.timed is not None else None
    if found is not None and found.memory is not None and found.memory_parts:
        made["memory"] = {name: size / 2**30 for name, size in found.memory_parts.items()}
    return made


def _layout(part: Calculated) -> dict[str, object] | None:
    layout = part.timed.throughput.layout if part.timed else None
    if layout is None or part.timed is None:
        return None
    names = (*AXES, "sharding", "offload", "micro_batch", "recompute")
    made = {name: getattr(layout, name) for name in names}
    made["chosen_by"] = part.timed.throughput.layout_by
    if part.timed.throughput.layout_by == "auto":
        made["walked"] = part.timed.throughput.layouts_walked
    return made


def _steps(part: Calculated, results: Mapping[str, Result]) -> Iterator[tuple[str, str]]:
    work, time = part.trained.work, part.timed
    if work is not None:
        yield "compute", _compute(part, results)
    if time is not None:
        yield "speed", _speed(part, results)
        if time.throughput.layout is not None:
            yield "layout", _layout_words(part)
    if "device_hours" in part.values:
        yield "time", _time(part, results)
    if "mean_power" in part.values and "energy_it" not in part.measured:
        yield "power", _power(part)
    if "cost" in part.values and "cost" not in part.measured and part.values["billed"] > 1:
        yield "cost", _cost(part, results)
    yield from _of_all(part, results)
    grid = _assumption(part, "site.grid")
    if grid is not None:
        year = f", {grid.year}" if grid.year else ""
        place = f" in {part.region.label}" if part.region else ""
        yield "grid", f"{digits(from_si(grid.value, grid.unit))} gCO2e/kWh{place}{year}"


def _compute(part: Calculated, results: Mapping[str, Result]) -> str:
    work = part.trained.work
    assert work is not None
    text = human(results["total_compute"].value, "FLOP")
    runs = float(part.values["runs"])
    many = f"H {runs:,.4g} {plural('run', runs)}"
    if work.data and work.flops_per_datum:  # Green AI (Schwartz et al. 2019): cost ∝ E·D·H
        each = digits(work.flops_per_datum / 1e9)
        text += f" = E {each} GFLOP × D {human(work.data, '1')} {work.datum}s × {many}"
    elif runs != 1:
        text += f" = {human(results['training_compute'].value, 'FLOP')} × {many}"
    if work.parameters:
        active = work.active_parameters
        text += f"; {human(work.parameters, '1')} parameters"
        if active and active < 0.99 * work.parameters:
            text += f", {human(active, '1')} active"
    return text


def _speed(part: Calculated, results: Mapping[str, Result]) -> str:
    assert part.timed is not None
    found = part.timed.throughput
    peak = digits(from_si(found.peak / part.devices.share, "TFLOP/s"))
    text = f"{percent(found.utilization.value)} of {peak} TFLOP/s ({found.precision}, dense)"
    rate, step = results["throughput"], results["step_time"]
    if rate.value:
        text += f" = {digits(rate.value)} {rate.unit}"
    if step.value:
        text += f", {human(step.value, 's')} a step"
    return text


def _layout_words(part: Calculated) -> str:
    assert part.timed is not None
    found = part.timed.throughput
    layout = found.layout
    axes = {name: getattr(layout, name) for name in AXES}
    words = [f"{name} {size}" for name, size in axes.items() if size > 1 or name == "data"]
    if layout is not None:
        words += [layout.sharding] if layout.sharding != "none" else []
        words += [f"micro-batch {layout.micro_batch}", f"recompute {layout.recompute}"]
    if found.memory is not None:
        have = part.devices.machine.memory / 2**30
        words.append(f"{digits(float(found.memory.value) / 2**30)} of {digits(have)} GiB")
    how = f" (auto: best of {found.layouts_walked:,})" if found.layout_by == "auto" else ""
    return ", ".join(words) + how


def _power(part: Calculated) -> str:
    names = ("mean_power", "host_power", "billed", "idle_power", "pue")
    board, host, billed, idle, pue = (float(part.values[name]) for name in names)
    beside = ""
    if billed > 1.0:
        beside = f" + {digits((billed - 1.0) * idle)} W of unused devices"
    hosts = f"{digits(host * billed)} W of its host, PUE {digits(pue)}"
    return f"{digits(board)} W a board{beside} + {hosts}"


def _cost(part: Calculated, results: Mapping[str, Result]) -> str:
    """Hours × devices × price, where more devices are billed than used."""
    used, runs = part.devices.reserved, float(part.values["runs"])
    paid = used * float(part.values["billed"])
    many = f" × {runs:,.4g} runs" if runs != 1 else ""
    price = _assumption(part, "price.device_hour")
    each = f" × {digits(from_si(price.value, price.unit))} {price.unit}" if price else ""
    wall, cost = results["wall_clock"], results["cost"]
    return (
        f"{human(wall.value, 'h')} × {paid:,.10g} {plural('device', paid)} billed "
        f"({used:,.10g} used){many}"
        f"{each.replace('/device_hour', ' a device-hour')}"
        f" = {human(cost.value, cost.unit, exact=cost.low == cost.high)}"
    )


def _of_all(part: Calculated, results: Mapping[str, Result]) -> Iterator[tuple[str, str]]:
    """What was measured of one run, beside what it comes to for all of them."""
    runs = float(part.values["runs"])
    for name in ("energy", "energy_it", "cost"):
        item = _assumption(part, f"measured.{name}")
        if runs == 1 or item is None or (name == "energy_it" and "energy" in part.measured):
            continue
        one, whole = human(from_si(item.value, item.unit), item.unit), results[name]
        text = f"{one} measured of one run × {runs:,.4g} runs = {human(whole.value, whole.unit)}"
        before = ", before PUE" if name == "energy_it" else ""
        yield ("paid" if name == "cost" else "energy"), text + before


def _time(part: Calculated, results: Mapping[str, Result]) -> str:
    wall, reserved = human(results["wall_clock"].value, "h"), part.devices.reserved
    text = f"{wall} × {reserved:,.10g} {plural('device', reserved)}"
    runs = float(part.values["runs"])
    text += f" × {runs:,.4g} runs" if runs != 1 else ""
    hours = results["device_hours"]
    text += f" = {human(hours.value, 'device_hour', exact=hours.low == hours.high)}"
    if "training_time" in part.values and "wall_clock" not in part.measured:
        text += f"; goodput {percent(float(part.values['goodput']))}"
    return text
