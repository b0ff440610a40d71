"""What an estimate says beside its figures: where it goes, the steps, the filled-in run."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from costcalc.base.assumption import Assumption, Choice
from costcalc.base.human import digits, human, percent
from costcalc.base.units import from_si, unit
from costcalc.catalog.files import data_root

if TYPE_CHECKING:
    from costcalc.calculator.calculated import Calculated
    from costcalc.calculator.result import Result
    from costcalc.resolve.time import Timed
    from costcalc.runfile.loading import Request

# Constants that every estimate rests on.
_CONSTANTS = ("throughput.yaml", "efficiency.yaml", "power.yaml", "price.yaml", "providers.yaml")


def breakdown(
    values: Mapping[str, Any], time: Timed | None, measured: frozenset[str]
) -> dict[str, dict[str, float]]:
    """Where money (USD), energy (kWh), carbon (kgCO2e) and the seconds of a step go.

    What was measured as a whole is not split by a model.
    """
    made: dict[str, dict[str, float]] = {}
    if {"cost", "price", "device_hours"} <= values.keys() and "cost" not in measured:
        made["cost"] = _cost(values, lost="wall_clock" not in measured)
    if {"energy", "energy_it"} <= values.keys():
        if "energy_it" not in measured and {"mean_power", "device_hours"} <= values.keys():
            made["energy"] = _energy(values)
        elif "energy" not in measured:
            it = float(values["energy_it"])
            split = {"computers": it, "facility": float(values["energy"]) - it}
            made["energy"] = {name: from_si(joules, "kWh") for name, joules in split.items()}
    if "carbon_total" in values:
        made["carbon"] = {
            "electricity": from_si(float(values["carbon_operational"]), "kgCO2e"),
            "making the hardware": from_si(float(values["carbon_embodied"]), "kgCO2e"),
        }
    if time is not None and time.throughput.breakdown:
        made["step"] = dict(time.throughput.breakdown)
    return {of: {k: v for k, v in parts.items() if v > 0} for of, parts in made.items()}


def _cost(values: Mapping[str, Any], *, lost: bool) -> dict[str, float]:
    used = float(values["device_hours"] * values["price"])
    useful = used * float(values["goodput"]) if lost else used
    return {
        "training": useful,
        "shortfall": used - useful,
        "unused devices": used * (float(values["billed"]) - 1.0),
        "electricity": float(values.get("energy", 0.0) * values["electricity"]),
    }


def _energy(values: Mapping[str, Any]) -> dict[str, float]:
    time = float(values["device_hours"])
    boards = time * float(values["mean_power"])
    hosts = time * float(values["host_power"])
    network = (boards + hosts) * float(values["network_share"])
    facility = float(values["energy"]) - float(values["energy_it"])
    made = {"accelerators": boards, "hosts": hosts, "network": network, "facility": facility}
    return {name: from_si(joules, "kWh") for name, joules in made.items()}


def summed(found: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, float]]:
    """The breakdown of several stages: those parts that add up."""
    made: dict[str, dict[str, float]] = {}
    for of in ("cost", "energy", "carbon"):
        if all(of in one for one in found):
            made[of] = {}
            for one in found:
                for name, value in one[of].items():
                    made[of][name] = made[of].get(name, 0.0) + value
    return made


# --- the steps in words --------------------------------------------------------------------------


def details(part: Calculated, results: Mapping[str, Result]) -> dict[str, Any]:
    """Names and words that a table and a report show beside the figures."""
    devices, region = part.devices, part.region
    made: dict[str, Any] = {
        "hardware": {
            "id": devices.accelerator.id,
            "name": devices.accelerator.name,
            "count": devices.reserved,
            "unit": devices.accelerator.unit,
            "host": devices.host.host.id,
            "nodes": devices.nodes,
        }
    }
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
    price = _price(part)
    if price:
        made["price"] = price
    made["steps"] = [list(step) for step in _steps(part, results)]
    if part.trained.notes:
        made["notes"] = list(part.trained.notes)
    layout = _layout(part)
    if layout:
        made["layout"] = layout
    return made


def _price(part: Calculated) -> str:
    found = _assumption(part, "price.device_hour")
    if found is None:
        return ""
    text = f"{digits(from_si(found.value, found.unit), 3)} USD a device-hour"
    asked = part.given.part.price
    plan = (asked.plan if asked else None) or "on-demand"
    return f"{text}, {'yours' if found.basis == 'given' else plan}"


def _assumption(part: Calculated, key: str) -> Assumption | None:
    for item in part.assumptions:
        if item.key == key and isinstance(item, Assumption):
            return item
    return None


def _layout(part: Calculated) -> dict[str, Any] | None:
    layout = part.timed.throughput.layout if part.timed else None
    if layout is None or part.timed is None:
        return None
    names = (
        "data",
        "tensor",
        "pipeline",
        "virtual_pipeline",
        "context",
        "expert",
        "sharding",
        "offload",
        "micro_batch",
        "recompute",
    )
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
        board, host = float(part.values["mean_power"]), float(part.values["host_power"])
        yield (
            "power",
            (
                f"{digits(board)} W a board + {digits(host)} W of its host, "
                f"PUE {digits(float(part.values['pue']))}"
            ),
        )
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
    many = f"H {runs:,.4g} run{'s' * (runs != 1)}"
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
    axes = {
        name: getattr(layout, name)
        for name in ("data", "tensor", "pipeline", "virtual_pipeline", "context", "expert")
    }
    words = [f"{name} {size}" for name, size in axes.items() if size > 1 or name == "data"]
    if layout is not None:
        words += [layout.sharding] if layout.sharding != "none" else []
        words += [f"micro-batch {layout.micro_batch}", f"recompute {layout.recompute}"]
    if found.memory is not None:
        have = part.devices.machine.memory / 2**30
        words.append(f"{digits(float(found.memory.value) / 2**30)} of {digits(have)} GiB")
    how = f" (auto: best of {found.layouts_walked:,})" if found.layout_by == "auto" else ""
    return ", ".join(words) + how


def _time(part: Calculated, results: Mapping[str, Result]) -> str:
    wall = human(results["wall_clock"].value, "h")
    text = f"{wall} × {part.devices.reserved:,.10g} devices"
    runs = float(part.values["runs"])
    text += f" × {runs:,.4g} runs" if runs != 1 else ""
    text += f" = {human(results['device_hours'].value, 'device_hour')}"
    if "training_time" in part.values and "wall_clock" not in part.measured:
        text += f"; goodput {percent(float(part.values['goodput']))}"
    return text


# --- the run, filled in, and the data behind it --------------------------------------------------


def filled(
    raw: Mapping[str, Any], listed: Sequence[Assumption | Choice], whole_file: Mapping[str, Any]
) -> dict[str, Any]:
    """The run file with every default and every worked-out value in its place.

    What was filled in stands among the assumptions with a basis other than ``given``: without
    those keys it is the file as it was read.
    """
    made: dict[str, Any] = _copy({**whole_file, **raw})
    for item in listed:
        section, _, key = item.key.partition(".")
        if section in _SECTIONS and item.basis not in ("given", "measured") and key in _KEYS:
            _fill(made, item)
    return made


_SECTIONS = ("training", "hardware", "site", "price")
_KEYS = {
    "method",
    "packing",
    "sequence_length",
    "global_batch",
    "micro_batch",
    "precision",
    "attention",
    "kernels",
    "optimizer",
    "runs",
    "group",
    "inner_epochs",
    "lora.rank",
    "lora.targets",
    "layout",
    "layout.sharding",
    "utilization",
    "goodput",
    "pue",
    "grid",
    "device_hour",
}


def _fill(made: dict[str, Any], item: Assumption | Choice) -> None:
    *outer, last = item.key.split(".")
    target = made
    for name in outer:
        inner = target.setdefault(name, {})
        if not isinstance(inner, dict):
            return
        target = inner
    target.setdefault(last, written(item))


def written(item: Assumption | Choice) -> Any:
    """A value as a run file writes it.

    >>> from costcalc.base.assumption import exact
    >>> written(exact("site.grid", 56 / 3.6e6, "gCO2e/kWh", basis="profile", source="a table"))
    '56.0 gCO2e/kWh'
    """
    if isinstance(item, Choice):
        return item.value
    value = item.value / unit(item.unit).factor
    if item.unit == "1":
        return value
    money = {"USD/device_hour": "USD"}
    return f"{value!r} {money.get(item.unit, item.unit)}"


def _copy(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _copy(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_copy(inner) for inner in value]
    return value


def whole(request: Request) -> dict[str, Any]:
    """The run file of several stages as it was read."""
    copied: dict[str, Any] = _copy(request.raw)
    return copied


def data_files(part: Calculated) -> dict[str, str]:
    """The digest of each data file behind a part."""
    found = dict(part.trained.files)
    for record in (part.devices.accelerator, part.devices.host.host):
        found[record.file] = record.digest
    if part.region is not None:
        found |= part.region.files
    return {**found, **_constants()}


@functools.cache
def _constants() -> dict[str, str]:
    made = {}
    for name in _CONSTANTS:
        raw = (data_root() / name).read_bytes()
        made[f"costcalc/data/{name}"] = "sha256:" + hashlib.sha256(raw).hexdigest()
    return made
