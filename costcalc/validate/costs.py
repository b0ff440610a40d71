"""Published costs, from their own hours and prices, or from the catalogue's prices alone.

``measurements/costs.csv``: a row of kind ``stated`` gives hours and the price of one, so that the
calculator only has to multiply as its source did.  A row of kind ``catalogue`` gives hardware,
hours and a date: the price is ours, of the catalogue's own date, and the two are scored apart.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from costcalc.calculator import calculate as calculator
from costcalc.validate import rounding
from costcalc.validate.footprints import device_hours, figure_of, hardware_of
from costcalc.validate.measurements import Row, shipped
from costcalc.validate.rounding import Printed
from costcalc.validate.score import Point


def run_of(row: Row) -> dict[str, Any]:
    """The run file of a row: its hours, and the price that it states or the provider it names."""
    price: dict[str, Any] = (
        {"device_hour": f"{row['price']} USD"} if row["kind"] == "stated"
        else {"provider": row["provider"], "plan": row["plan"]}
    )  # fmt: skip
    measured = {"device_hours": _hours(row).value}
    return {"measured": measured, "hardware": hardware_of(row), "price": price}


def _hours(row: Row) -> Printed:
    hours = device_hours(row)
    if hours is None:
        raise ValueError(f"{row['id']}: no hours")
    return hours


def points() -> tuple[list[Point], list[Point]]:
    """Costs at prices of the catalogue, and those at the prices that their sources state.

    What several runs of a source paid for one device, provider and plan is one price, and counts
    once.  Upper bounds are in neither list (:func:`bounds`).
    """
    found: dict[tuple[str, ...], Point] = {}
    stated = []
    for row in shipped("costs"):
        if row["kind"] == "stated":
            stated.append(_point(row))
        elif not row["most"]:
            paid = f"{rounding.read(row['printed_usd']).value / _hours(row).value:.3g}"
            key = (row["source"], row["accelerator"], row["provider"], row["plan"], paid)
            found.setdefault(key, _point(row))
    return list(found.values()), stated


def bounds() -> list[tuple[str, bool]]:
    """Published upper bounds by their runs, and whether the calculator's cost keeps to each."""
    points = [_point(row) for row in shipped("costs") if row["most"]]
    return [(p.name, p.predicted is not None and p.predicted <= p.measured) for p in points]


def _point(row: Row) -> Point:
    stated, text = row["kind"] == "stated", rounding.read(row["printed_usd"])
    cost = calculator.estimate(run_of(row), ranges=not stated).results["cost"]
    point = figure_of(
        row, text.value, cost.value, workload="cost", unit="USD", kind=row["kind"],
        within=rounding.tolerance(text, _hours(row)),
    )  # fmt: skip
    if stated or cost.low is None or cost.high is None:
        return point
    return replace(point, low=cost.low, high=cost.high)
