"""Throughput as predicted for sources that the fit had not seen.

Each group of sources is predicted with the constants fitted without it
(``measurements/throughput_folds.yaml``, written by ``scripts/calibrate_throughput.py``); a
user's own measurements, and groups that no fit uses, with the shipped constants.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from costcalc.base.errors import InputError
from costcalc.base.reading import read as read_yaml
from costcalc.catalog.files import data_root
from costcalc.throughput import by_flops
from costcalc.throughput.coefficients import coefficients_of, rates_of
from costcalc.throughput.constants import Constants, load
from costcalc.throughput.ranges import chosen, prediction_range
from costcalc.throughput.search import search
from costcalc.throughput.step import step_of
from costcalc.validate.rows import Case, Measured, case_for, configurations, sample_case, shipped
from costcalc.validate.score import Point
from costcalc.validate.unsaid import footprint_for, recipe_for


@cache
def folds() -> dict[str, Constants]:
    """Constants by the group that their fit left out."""
    path = data_root() / "measurements" / "throughput_folds.yaml"
    data: dict[str, Constants] = read_yaml(path.read_text(encoding="utf-8"), path.name).data
    return data


def constants_for(group: str) -> Constants:
    """Constants that have not seen a group; the shipped ones for a group that no fit knows."""
    return folds().get(group) or load()


def points(measured: Iterable[Measured], *, hidden: bool = False, own: bool = False) -> list[Point]:
    """Every configuration predicted: layout as given, or ``hidden`` and chosen by the search.

    ``own``: a user's measurements, which the shipped constants predict.
    """
    found = []
    for one in measured:
        constants = load() if own else constants_for(one.group)
        found.append(_point(one, constants, hidden))
    return found


def _point(one: Measured, constants: Constants, hidden: bool) -> Point:
    row = one.row
    point = Point(
        measured=one.rate,
        predicted=None,
        source=one.group,
        accelerator=row["accelerator"],
        precision=row["precision"],
        workload=row["workload"],
        devices=float(row["devices"] or 1),
        repeats=one.repeats,
        id=row["id"],
        name=row["model"],
        unit="tokens/s/device" if row["tokens_per_s"] else "samples/s/device",
    )
    predicted = _by_shape(one, constants, hidden) or _by_flops(one, constants)
    if predicted is None:
        return point
    rate, low, high = predicted
    return replace(point, predicted=rate, low=rate * low, high=rate * high)


def _by_shape(
    one: Measured, constants: Constants, hidden: bool
) -> tuple[float, float, float] | None:
    case = case_for(one)
    if case is None:
        return None
    given = one.layout_given and not hidden
    rate = predicted_rate(case, constants, hidden=not given)
    low, high = prediction_range(
        constants,
        generation=case.machine.generation,
        kind=case.shape.kind,
        layout_given=given,
        shapes_known=case.shape.known,
        devices=case.machine.devices,
        experts=float(case.shape.experts) > 0,
    )
    return rate, low, high


def predicted_rate(case: Case, constants: Constants, *, hidden: bool) -> float:
    """Data a second and device."""
    seconds = hidden_seconds(case, constants) if hidden else None
    if seconds is not None:
        seconds /= chosen(constants, case.machine.devices)
    else:
        coefficients = coefficients_of(constants, case.machine, case.precision, case.shape.kind)
        rates = rates_of(case.machine, case.precision)
        step = step_of(case.shape, rates, case.axes, case.training, coefficients)
        seconds = float(step.seconds)
    return case.per_step / case.machine.devices / seconds


def hidden_seconds(case: Case, constants: Constants) -> float | None:
    """Seconds of a step in the layout that the search finds; None where it finds none."""
    shape = case.shape
    recipe = recipe_for(shape, case.training, case.precision)
    try:
        found = search(
            shape, case.machine, recipe, footprint=footprint_for(shape), constants=constants,
            top=1, fixed=case.fixed,
        )  # fmt: skip
    except InputError:
        return None
    return float(found.best[0].seconds) if found.best else None


def _by_flops(one: Measured, constants: Constants) -> tuple[float, float, float] | None:
    case = sample_case(one)
    if case is None:
        return None
    time = by_flops.sample_time(
        case.forward_flops,
        case.machine,
        case.precision,
        constants,
        case.kind,
        case.elements,
        fused=case.fused,
    )
    low, high = prediction_range(constants, generation=case.machine.generation, kind=case.kind)
    return 1.0 / float(time.seconds), low, high


def all_measured() -> list[Measured]:
    """The shipped configurations, repeats counted once."""
    return configurations(shipped("throughput"))
