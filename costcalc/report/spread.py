"""Ranges against those of what a figure follows from, by its formula: neither narrowed nor widened.

The 5th and 95th percentile of a figure lie between its formula's ends over the ranges of its
inputs; where one input alone is unsure they are those ends; and they are no narrower than half of
what one input makes of it by itself (inputs are drawn independently, so that spreads add up).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Container, Iterator, Mapping
from typing import TYPE_CHECKING, cast

from costcalc.base import units
from costcalc.base.errors import CostcalcError
from costcalc.calculator import formulas as pipeline
from costcalc.calculator.result import UNITS
from costcalc.report.closure import TOLERANCE, close, known
from costcalc.report.meters import number, section

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report, Stage

Ends = tuple[float, float, float]  # low, value, high
Record = Mapping[str, object]
DRAWN = 0.1  # of a spread: how far percentiles of draws miss those that they are drawn from
_EXACT = 1e-4  # the same of a figure that follows from another by a factor, whose draws it has
_WIDER = 0.02  # of the ends over all inputs
_NARROWER = 0.5  # of what one input alone makes
#: figures whose inputs go against one another: a device that works harder draws more for less time
_OPPOSED = ("energy_it", "mean_power", "lost_power", "water")
_BY_NAME = {figure.__name__: figure for figure in pipeline.FIGURES}
_COUNTED = {"training_compute": "model_flops"}  # a figure that is an input
_MOST = 9  # inputs whose corners are gone through: 2 to the power of so many


def ranges(part: Record, report: Report) -> Iterator[str]:
    """Every figure whose range is none that its inputs can make, a line each."""
    given = _inputs(part, report)
    told = _figures(part)
    joint = _of_two(part, report)
    for name in ("training_compute", *_BY_NAME):
        basis = section(part, "results", name).get("basis")
        if name not in told or basis != "modelled":
            continue
        needs = _needs(name, {**given, **told})
        ends = {need: told.get(need) or given.get(need) for need in needs}
        if None not in ends.values():
            made = {k: v for k, v in ends.items() if v is not None}
            yield from _of(name, made, told[name], joint=bool(joint & made.keys()))


def _needs(name: str, known: Container[str]) -> list[str]:
    """What a figure follows from, of what is known; through figures that the report lacks."""
    if name in _COUNTED:
        return [_COUNTED[name]]
    found: dict[str, None] = {}
    for need in pipeline.needs(_BY_NAME[name]):
        within = [need] if need in known or need not in _BY_NAME else _needs(need, known)
        found |= dict.fromkeys(within)
    return list(found)


def _computed(name: str, values: Mapping[str, float]) -> float:
    """A figure by its formula, and what it follows from by theirs where it is not among values."""
    if name in _COUNTED:
        return values[_COUNTED[name]]
    needs = pipeline.needs(_BY_NAME[name])
    return float(_BY_NAME[name](**{need: _through(need, values) for need in needs}))


def _through(name: str, values: Mapping[str, float]) -> float:
    return values[name] if name in values else _computed(name, values)


def _of(name: str, ends: Mapping[str, Ends], said: Ends, *, joint: bool) -> Iterator[str]:
    """``joint``: whether the ends of an input are those of two, drawn by themselves."""
    low, value, high = said
    middle = {need: end[1] for need, end in ends.items()}
    # what a factor of 0 stands beside makes no difference: electricity that is in the price
    unsure = [
        need
        for need, (least, _, most) in ends.items()
        if most > least
        and _computed(name, {**middle, need: least}) != _computed(name, {**middle, need: most})
    ]
    holds = low * (1 - 1e-9) <= value <= high * (1 + 1e-9)
    if len(unsure) > _MOST or not holds or not close(value, _computed(name, middle), DRAWN):
        return  # a value that does not follow, or is not in its range, is told as such
    corners = [
        _computed(name, {**middle, **dict(zip(unsure, corner, strict=True))})
        for corner in itertools.product(*((ends[need][0], ends[need][2]) for need in unsure))
    ]
    least, most = min(corners), max(corners)
    factor = units.unit(UNITS[name]).factor
    shown = f"{low / factor:.6g} to {high / factor:.6g} {UNITS[name]}"
    key = f"results.{name}"
    formula = _COUNTED.get(name) or pipeline.formula(_BY_NAME[name])
    exact = len(unsure) == 1 and unsure[0] in UNITS
    alone_unsure = len(unsure) == 1 and (exact or not joint)
    alike = _EXACT if exact else DRAWN
    # of ranges over powers of ten the percentiles of a sum may pass the sum of the percentiles
    tails = max(1.0, math.log(most / least)) if 0 < least < most else 1.0
    slack = (alike if alone_unsure else _WIDER * tails) * (most - least) + TOLERANCE * abs(value)
    if low < least - slack or high > most + slack:
        yield (
            f"{key}: its range {shown} is wider than {formula} can make it, "
            f"{least / factor:.6g} to {most / factor:.6g}"
        )
        return
    alone = 0.0
    for need in unsure:
        made = [_computed(name, {**middle, need: end}) for end in (ends[need][0], ends[need][2])]
        alone = max(alone, abs(made[1] - made[0]))
    share = 1 - alike if alone_unsure else _NARROWER
    if name in _OPPOSED or (name == "sci" and "total_compute" in unsure):
        share = 0.0  # CO2e and FLOPs grow together with what is trained on
    if high - low < share * alone - TOLERANCE * abs(value):
        yield f"{key}: its range {shown} is narrower than {formula} makes it"


def _inputs(part: Record, report: Report) -> dict[str, Ends]:
    """Inputs of the formulas in SI, each with its ends."""
    values = known(cast("Stage", part), report)
    listed = [*(report.get("assumptions") or ()), *_list(part.get("assumptions"))]
    items = {str(section(item).get("key")): section(item) for item in listed}
    found: dict[str, Ends] = {}
    for name, value in values.items():
        key = {**pipeline.INPUTS, "mean_power": "hardware.mean_power"}[name]
        item = items.get(key, {})
        ends = _ends(item)
        if ends is None or ends[1] == 0:
            found[name] = (value, value, value)
        else:
            factor = value / ends[1]
            found[name] = (ends[0] * factor, value, ends[2] * factor)
    if "model_flops" in found:
        found.setdefault("training_flops", found["model_flops"])
    length = _ends(section(items.get("training.sample_tokens")))
    if length is not None and length[1]:
        # where nobody says how long a sample is, what is computed goes as its length
        for name in found.keys() & {"model_flops", "training_flops"}:
            least, flops, most = found[name]
            found[name] = (least * length[0] / length[1], flops, most * length[2] / length[1])
    return found


def _ends(figure: Record) -> Ends | None:
    low, value, high = (number(figure.get(end)) for end in ("low", "value", "high"))
    return None if low is None or value is None or high is None else (low, value, high)


def _of_two(part: Record, report: Report) -> frozenset[str]:
    """The inputs whose ends are those of a count and of the length of what it counts for."""
    listed = [*(report.get("assumptions") or ()), *_list(part.get("assumptions"))]
    items = {str(section(item).get("key")): section(item) for item in listed}
    both = (items.get(f"training.{name}", {}) for name in ("model_flops", "sample_tokens"))
    unsure = all(item.get("low") != item.get("high") for item in both)
    return frozenset(("model_flops", "training_flops", "training_compute") if unsure else ())


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _figures(part: Record) -> dict[str, Ends]:
    found: dict[str, Ends] = {}
    for name, unit in UNITS.items():
        ends = _ends(section(part, "results", name))
        if ends is None or name == "throughput":
            continue
        try:
            factor = units.unit(unit if name != "cost" else "USD").factor
        except CostcalcError:
            continue
        found[name] = (ends[0] * factor, ends[1] * factor, ends[2] * factor)
    return found
