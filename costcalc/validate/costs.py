"""Published costs, from their own hours and prices, or from the catalogue's prices alone.

``measurements/costs.csv``: a row of kind ``stated`` gives hours and the price of one, so that the
calculator only has to multiply as its source did.  A row of kind ``catalogue`` gives hardware,
hours and a date: the price is ours, of the catalogue's own date, and the two are scored apart.
"""

from __future__ import annotations

from typing import Any

from costcalc import calculator
from costcalc.validate import printed
from costcalc.validate.footprints import device_hours
from costcalc.validate.rows import Row, shipped
from costcalc.validate.score import Point

KINDS = {"stated": "stated hours x stated price", "catalogue": "stated hours, price of ours"}


def run_of(row: Row) -> dict[str, Any]:
    """The run file of a row: its hours, and the price that it states or the provider it names."""
    hours = device_hours(row)
    if hours is None:
        raise ValueError(f"{row['id']}: no hours")
    price: dict[str, Any] = (
        {"device_hour": f"{row['price']} USD"} if row["kind"] == "stated"
        else {"provider": row["provider"], "plan": row["plan"]}
    )  # fmt: skip
    return {
        "measured": {"device_hours": hours.value},
        "hardware": {"accelerator": row["accelerator"], "count": int(row["devices"] or 1)},
        "price": price,
    }


def points() -> list[Point]:
    """Every published cost against the calculator's; None where no price is known."""
    return [_point(row) for row in shipped("costs")]


def _point(row: Row) -> Point:
    stated = row["kind"] == "stated"
    cost = calculator.estimate(run_of(row), ranges=not stated).results["cost"]
    text = printed.read(row["printed_usd"])
    low, high = cost.low, cost.high
    if cost.value is not None and stated:
        within = printed.tolerance(text, device_hours(row))
        low, high = cost.value * (1.0 - within), cost.value * (1.0 + within)
    measured = text.value
    if row["most"] and cost.value is not None:
        measured = min(measured, cost.value)  # below an upper bound every value agrees with it
    return Point(
        measured=measured, predicted=cost.value,
        low=float("nan") if low is None else low, high=float("nan") if high is None else high,
        source=row["source"], accelerator=row["accelerator"], precision="", workload="cost",
        devices=float(row["devices"] or 1), name=row["run"], id=row["id"], unit="USD",
        kind=KINDS[row["kind"]], note=row["note"],
    )  # fmt: skip
