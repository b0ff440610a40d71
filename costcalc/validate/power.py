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
from costcalc.calculator.calculate import cost_of
from costcalc.catalog import accelerator, host
from costcalc.resolve.names import look_up
from costcalc.resolve.power import watts
from costcalc.runfile.loading import load
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
    busy = energy.busy_share(number(row, "utilization", full), full)
    value = float(energy.board_power(
        busy=busy, limit=limit, idle=idle, ceiling=min(ceiling, 1.0)
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


def nodes() -> list[Point]:
    """Metered nodes, as a user would ask for them, by constants that have not seen their system.

    The host is that of the catalogue; switches are metered apart.
    """
    return [_node(row) for row in shipped("power_nodes")]


def _node(row: Row) -> Point:
    data = without(row["source"])
    if row["preset"] or row["forward_gflop"]:
        request = load(run_of(row), look_up)
        part = cost_of(request.parts[0], request, 0)
        drawn = watts(part.devices, part.trained, part.timed, precision=row["precision"], data=data)
    else:
        found = accelerator.find(row["accelerator"])
        here = host.choose(found.id)
        drawn = energy.power_assumptions(found, here, row["kind"], utilization=None, data=data)
    if drawn.board is None:
        raise ValueError(row["id"])
    each = number(row, "per_node")
    value = drawn.board.value + drawn.host.value
    low = math.hypot(drawn.board.value - drawn.board.low, drawn.host.value - drawn.host.low)
    high = math.hypot(drawn.board.high - drawn.board.value, drawn.host.high - drawn.host.value)
    return Point(
        measured=number(row, "node_w"), predicted=value * each, low=(value - low) * each,
        high=(value + high) * each, source=row["source"], accelerator=row["accelerator"],
        precision=row["precision"], workload=row["preset"] or row["kind"], kind="node",
        devices=number(row, "devices"), id=row["id"], name=row["id"], unit="W", note=row["note"],
    )  # fmt: skip


def without(source: str) -> dict[str, Any]:
    """The constants of the power model that a fit without a source gives."""
    fold, data = folds("power")[source], dict(energy.constants())
    for name in ("ceiling", "family"):
        data[name] = {key: fold.get(f"{name}.{key}", old) for key, old in data[name].items()}
    data["full"] = {
        work: {unit: fold.get(f"full.{work}.{unit}", old) for unit, old in units.items()}
        for work, units in data["full"].items()
    }
    data["held_out"] = {**data["held_out"], "known": fold["known"], "unknown": fold["unknown"]}
    if source == WAITING_FROM:
        data["waiting"] = {**data["waiting"], "value": data["waiting"]["unseen"]}
    return data


#: whose nodes say what a board draws that waits for others
WAITING_FROM = "smc"


def run_of(row: Row) -> dict[str, Any]:
    """The run file of a metered node's row."""
    training: dict[str, Any] = {
        "method": row["method"], "precision": row["precision"],
        "global_batch": int(number(row, "global_batch")),
    }  # fmt: skip
    if row["compiled"]:
        training["compiled"] = row["compiled"] == "1"
    if row["sequence_length"]:
        training |= {"tokens": 1e9, "sequence_length": int(number(row, "sequence_length"))}
    else:
        training |= {"samples": 1e7}
    flops = {"forward_flops": number(row, "forward_gflop") * 1e9, "kind": row["kind"]}
    return {
        "model": {"preset": row["preset"]} if row["preset"] else flops,
        "training": training,
        "hardware": {"accelerator": row["accelerator"], "count": int(number(row, "devices"))},
    }
