"""How each figure comes about: its formula, its numbers, their basis and their source."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from costcalc.base.assumption import Assumption, Choice
from costcalc.base.errors import not_found
from costcalc.base.human import counted, digits, human, percent, span
from costcalc.base.units import from_si
from costcalc.base.units import unit as unit_of
from costcalc.calculator import formulas
from costcalc.calculator.limits import LIMITED
from costcalc.energy import board_power
from costcalc.throughput.memory import memory
from costcalc.throughput.stage import throughput
from costcalc.throughput.step import step_time
from costcalc.workload.stage import workload

if TYPE_CHECKING:
    from costcalc.calculator.result import Estimate

# Figures of the pipeline that are no results, and the unit to show them in.
_STEPS = {"training_time": "h", "lost_power": "W", "mean_power": "W"}


#: what people call the headline figures
_CALLED = {limit: name for limit, name in LIMITED.items() if limit != name} | {
    "memory": "memory_per_device"
}


def figure(estimate: Estimate, name: str) -> str:
    """One figure of an estimate: its formula, the numbers in it with their sources, what drives it.

    ``name`` is a key of ``results``, or cost, time, energy, carbon, memory.  Of several stages each
    explains its own.

    Raises:
        NotFoundError: there is no such figure.
    """
    wanted = _CALLED.get(name, name)
    if wanted not in estimate.results:
        raise not_found("figure", "figure", name, [*_CALLED, *estimate.results])
    if estimate.stages:
        told = [f"== stage {stage.name} ==\n{figure(stage, wanted)}" for stage in estimate.stages]
        return "\n\n".join([f"{wanted} = {_value(wanted, estimate)}, of all stages", *told])
    made = next((one for one in formulas.FIGURES if one.__name__ == wanted), None)
    title = f"{wanted} = {_value(wanted, estimate)}"
    if made is None or wanted in _WORKLOAD:
        return "\n".join([title, *_counted(wanted, estimate)])
    listed = {item.key: item for item in estimate.inputs}
    return "\n".join([title, *_figure(made, estimate, listed, set())])


def explain(estimate: Estimate) -> Iterator[str]:
    """The lines of the explanation, part by part where the run has stages."""
    if estimate.stages:
        yield f"{estimate.name}: the sum of {len(estimate.stages)} stages"
        for stage in estimate.stages:
            yield from ("", f"== stage {stage.name} ==")
            yield from explain(stage)
        return
    yield estimate.name
    for block in explained(estimate):
        yield from ("", block.title, *block.lines) if block.title else block.lines


class Block(NamedTuple):
    """What explains one figure: it with its value, and how that comes about."""

    name: str
    title: str
    lines: Sequence[str]


def explained(estimate: Estimate) -> Iterator[Block]:
    """What explains each figure of one part, in the order of the flow; then the other inputs."""
    listed = {item.key: item for item in estimate.inputs}
    yield from _workload(estimate)
    shown: set[str] = set()
    reckoned = _reckoned(estimate)
    for each in formulas.FIGURES:
        name = each.__name__
        if name not in estimate.results and name not in reckoned:
            continue  # a step to what was measured instead
        if name in formulas.INPUTS and not estimate.values.keys() >= set(formulas.needs(each)):
            continue  # given as it is
        if name in estimate.values or name in estimate.results:
            lines = tuple(_figure(each, estimate, listed, shown))
            yield Block(name, f"{name} = {_value(name, estimate)}", lines)
    rest = tuple(_rest(estimate, shown))
    if rest:
        yield Block("", "Other inputs", rest)


def _reckoned(estimate: Estimate) -> set[str]:
    """What the figures of an estimate that were not measured are worked out from."""
    found: set[str] = set()
    for each in reversed(formulas.FIGURES):
        name = each.__name__
        asked = name in estimate.results or name in found
        if asked and name not in estimate.measured:
            found.update(formulas.needs(each))
    return found


# Figures before the formulas, and what works each out.
_BY: dict[str, Callable[..., Any]] = {
    "training_compute": workload,
    "utilization": throughput,
    "step_time": step_time,
    "memory_per_device": memory,
}


# What is counted of a model that does not give it.
_COUNTS = {
    "parameters": "the weights of its layers, tied ones once",
    "active_parameters": "the same, of its experts those that a token passes",
}


def _modelled(name: str, estimate: Estimate) -> bool:
    """Whether the function named for a figure is what gave it here."""
    by_step = name != "step_time" or bool(estimate.breakdown.get("step"))
    return name in _BY and by_step and estimate.results[name].basis == "modelled"


def _place(function: Callable[..., Any]) -> str:
    """The file of a function and its name.

    >>> _place(formulas.energy)
    'costcalc/calculator/formulas.py, energy'
    """
    return f"{function.__module__.replace('.', '/')}.py, {function.__name__}"


_WORKLOAD = (
    "parameters",
    "training_compute",
    "utilization",
    "throughput",
    "step_time",
    "memory_per_device",
)


def _workload(estimate: Estimate) -> Iterator[Block]:
    for name in _WORKLOAD:
        lines = tuple(_counted(name, estimate))
        yield Block(name, f"{name} = {_value(name, estimate)}", lines)
    yield Block("steps", "", tuple(_steps(estimate)))


def _counted(name: str, estimate: Estimate) -> Iterator[str]:
    """Of a figure before the formulas: by which convention it is, and what works it out."""
    result = estimate.results[name]
    if result.convention:
        yield f"  counted: {result.convention}"
    if result.value is None:
        yield f"  unknown: {result.why}"
    elif _modelled(name, estimate):
        yield f"  worked out by {_place(_BY[name])}"
        held = estimate.details.get("memory") if name == "memory_per_device" else None
        if held:
            parts = sorted(held.items(), key=lambda part: -part[1])
            yield "  = " + " + ".join(f"{digits(v)} {part}" for part, v in parts if v > 0)
    elif name == "throughput" and "training_time" in estimate.values:
        from costcalc.calculator.figures import rates  # loads what only an estimate needs

        yield f"  = the data trained on / training_time  ({_place(rates)})"
    elif name in _COUNTS and not _given_count(estimate.run.get("model")):
        yield f"  counted: {_COUNTS[name]}"
        yield f"  worked out by {_place(workload)}"


def _given_count(model: object) -> bool:
    return isinstance(model, Mapping) and "parameters" in model


def _steps(estimate: Estimate) -> Iterator[str]:
    for text in estimate.details.get("steps", ()):
        yield f"  {text[0]}: {text[1]}"
    if estimate.breakdown.get("step"):
        total = sum(estimate.breakdown["step"].values())
        parts = sorted(estimate.breakdown["step"].items(), key=lambda part: -part[1])
        spent = ", ".join(f"{name} {percent(v / total)}" for name, v in parts if v > 0)
        yield f"  a step goes to: {spent}"


def _figure(
    made: Callable[..., Any],
    estimate: Estimate,
    listed: Mapping[str, Assumption | Choice],
    shown: set[str],
) -> Iterator[str]:
    name = made.__name__
    result = estimate.results.get(name)
    if name in estimate.measured:
        yield from _measured(name, estimate, listed, shown)
        return
    if result is not None and result.value is None:
        yield f"  unknown: {result.why}"
        return
    yield f"  = {formulas.formula(made)}  ({_place(made)})"
    for need in formulas.needs(made):
        key = formulas.INPUTS.get(need)
        if key is None:
            yield f"    {need} = {_value(need, estimate)}"
            continue
        item = listed.get(key)
        if isinstance(item, Assumption):
            yield from _input(need, item, again=key in shown)
            shown.add(key)
        else:
            yield f"    {need} = {digits(float(estimate.values[need]), 6)}"
    drivers = [d for d in estimate.drivers if d["of"] == name][:5]
    if drivers:
        driven = ", ".join(f"{d['key']} {percent(float(d['share']))}" for d in drivers)
        yield f"  its range comes from: {driven}"


def _measured(
    name: str, estimate: Estimate, listed: Mapping[str, Assumption | Choice], shown: set[str]
) -> Iterator[str]:
    """Of a figure in place of its formula: whether it was given, or follows from what was."""
    item = listed.get(f"measured.{name}")
    pue = listed.get("site.pue")
    runs = float(estimate.values.get("runs", 1.0))
    if item is None and name == "wall_clock":
        yield "  = device_hours / (devices × runs): the device-hours were measured"
    elif name == "energy_it" and "energy" in estimate.measured and isinstance(pue, Assumption):
        yield "  = energy / pue: the facility's energy was measured"
        yield from _input("pue", pue, again=pue.key in shown)
        shown.add(pue.key)
    elif runs != 1 and isinstance(item, Assumption):
        key = "" if name == "wall_clock" else " × runs"
        yield f"  = measured.{name}{key}: {value_of(item)} of one run, given in the run file"
    else:
        yield "  measured: given in the run file, in place of its formula"


def _input(need: str, item: Assumption, *, again: bool) -> Iterator[str]:
    yield f"    {need} = {value_of(item)}  ({item.key}, {item.basis})"
    if again:
        return
    place = f"{item.where}: " if item.where else ""
    year = f", {item.year}" if item.year and str(item.year) not in item.source else ""
    yield f"      {place}{item.source}{year}"
    if item.why:
        yield f"      {item.why}"
    if item.key == "hardware.board_power" and item.basis == "modelled":
        yield f"      worked out by {_place(board_power)}"


def _rest(estimate: Estimate, shown: set[str]) -> Iterator[str]:
    rest = [item for item in estimate.inputs if item.key not in shown]
    for item in rest:
        value = value_of(item) if isinstance(item, Assumption) else str(item.value)
        place = f"{item.where}: " if item.where else ""
        why = f"; {item.why}" if item.why else ""
        yield f"  {item.key} = {value}  ({item.basis}) {place}{item.source}{why}"


def _value(name: str, estimate: Estimate) -> str:
    result = estimate.results.get(name)
    if result is not None:
        between = span(result.low, result.high, result.value, result.unit)
        return human(result.value, result.unit) + (f"  ({between})" if between else "")
    if name in _STEPS and name in estimate.values:
        shown_in = _STEPS[name]
        return f"{digits(from_si(float(estimate.values[name]), shown_in), 4)} {shown_in}"
    value = estimate.values.get(name)
    return "unknown" if value is None else digits(float(value), 6)


def value_of(item: Assumption) -> str:
    """An assumption's value in its unit, with its range."""
    factor = unit_of(item.unit).factor
    unit = "" if item.unit == "1" else f" {item.unit}"
    value = item.value / factor
    near = round(value)  # a whole number in SI and back may be off in its last digit
    whole = item.exact and abs(near) >= 1000 and abs(value - near) <= 1e-12 * abs(value)
    text = f"{counted(near) if whole else digits(value, 4)}{unit}"
    if not item.exact:
        text += f" [{digits(item.low / factor)} – {digits(item.high / factor)}]"
    return text
