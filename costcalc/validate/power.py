"""Measured draw of boards and systems, as predicted by constants that had not seen its source.

``measurements/power_folds.yaml`` (written by ``scripts/calibrate_power.py``) holds for each source
the constants fitted without it and the spread of the errors of the others; prediction and range
are then the calculator's own (:mod:`costcalc.energy`).  One team's traces on several devices count
as sources of their own; :func:`points` also leaves such a team out whole.

Rows of a whole system add the host: as its source tells it, else the profile's.  TPU hosts of the
profiles were derived from Patterson et al., so that those rows are not wholly held out.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from costcalc import energy
from costcalc.base.errors import NotFoundError
from costcalc.catalog import accelerator, host
from costcalc.validate.measurements import Row, folds, number, shipped
from costcalc.validate.score import Point

_Range = tuple[float, float, float]  # value, low, high; watts


def points(*, teams: bool = False) -> list[Point]:
    """Every measured draw of a device in training, its source left out of the fit.

    ``teams``: with everything that its team measured on other devices.
    """
    found = []
    for row in shipped("power"):
        source = row["source"]
        team = source.partition("-")[0]
        known = folds("power")
        fold = known.get(team if teams and team in known else source)
        if fold is not None and f"ceiling.{row['workload']}" in fold:
            found.append(_point(row, fold))
    return found


def _point(row: Row, fold: Mapping[str, Any]) -> Point:
    board, beside = _board(row, fold), _host(row)
    value = board[0] + beside[0]
    low = value - math.hypot(board[0] - board[1], beside[0] - beside[1])
    high = value + math.hypot(board[2] - board[0], beside[2] - beside[0])
    known = "utilization known" if row["utilization"] else "utilization unknown"
    return Point(
        measured=number(row, "power_w"), predicted=value, low=low, high=high,
        source=row["source"], accelerator=row["accelerator"], precision="",
        workload=row["workload"], kind=known, id=row["id"], name=row["id"], unit="W",
        note=row["note"],
    )  # fmt: skip


def _board(row: Row, fold: Mapping[str, Any]) -> _Range:
    shares = energy.constants()["idle"]
    share = shares["tpu" if row["generation"].startswith("tpu") else "gpu"]
    limit = number(row, "limit_w")
    idle = number(row, "idle_w", limit * share["value"])
    family = "tpu" if row["generation"].startswith("tpu") else row["generation"]
    ceiling = fold[f"ceiling.{row['workload']}"] * fold.get(f"family.{family}", 1.0)
    full = fold.get(f"full.{row['workload']}.{row['unit']}", 1.0)
    value = float(energy.board_power(
        utilization=number(row, "utilization", full), limit=limit, idle=idle,
        ceiling=min(ceiling, 1.0), full=full,
    ))  # fmt: skip
    spread = fold["known" if row["utilization"] else "unknown"]
    low, high = energy.board_range(
        value=value,
        idle=min(idle, limit * share["low"]),
        limit=limit,
        low=spread["low"],
        high=spread["high"],
    )
    return value, low, high


def _host(row: Row) -> _Range:
    if row["scope"] == "board":
        return 0.0, 0.0, 0.0
    stated = number(row, "host_w")
    try:
        choice = host.choose(accelerator.find(row["accelerator"]).id)
    except NotFoundError:  # a card of 2015 without a profile: what its source says, for what it is
        return stated, stated, stated
    value, low, high = (choice.power_per_device(end) for end in ("value", "low", "high"))
    if value is None or low is None or high is None:
        raise ValueError(choice.host.id)
    if math.isnan(stated):
        return value, low, high
    return stated, stated * low / value, stated * high / value


def rated(found: list[Point]) -> list[Point]:
    """The usual stand-in: the board's rating, with the same host."""
    rows = {row["id"]: row for row in shipped("power")}
    return [
        replace(point, predicted=number(rows[point.id], "limit_w") + _host(rows[point.id])[0])
        for point in found
    ]
