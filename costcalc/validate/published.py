"""Published training runs: from FLOPs to device-hours, which the benchmarks say nothing about.

``measurements/published_runs.csv`` restates runs whose tokens and allocated device-hours were
published.  The share of those hours that a tuned benchmark of the same step would have taken is
the goodput in the wide sense: restarts, evaluations, checkpoints, and settings less than tuned.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any, NamedTuple, cast

import numpy as np

from costcalc.calculator.calculate import estimate
from costcalc.resolve.goodput import FEW, PROMISED, SMALL, large_share, largest_share
from costcalc.throughput.constants import Constants, Goodput, using
from costcalc.throughput.constants import shipped as shipped_constants
from costcalc.validate.measurements import Row, number, shipped
from costcalc.validate.score import Point, percentile
from costcalc.validate.throughput import constants_for

#: devices where none is published
DEVICES = 1024.0
#: organisations that also published benchmarks, by their group in ``throughput.csv``
BENCHMARKS = {
    "BigScience": "bigscience", "Google": "google-maxtext", "Hugging Face": "nanotron",
    "MosaicML": "mosaic", "Tsinghua": "glm",
}  # fmt: skip
_SIZES = ("layers", "hidden", "heads", "kv_heads", "ffn", "vocabulary")


def run_of(row: Row) -> dict[str, Any]:
    """The run file of a published run: its layout and its batch are left to the calculator."""
    training: dict[str, Any] = {"tokens": float(row["tokens"]), "precision": row["precision"]}
    if row["sequence_length"]:
        training["sequence_length"] = int(number(row, "sequence_length"))
    hardware = {"accelerator": row["accelerator"], "count": int(number(row, "devices", DEVICES))}
    return {"model": model_of(row), "training": training, "hardware": hardware}


def model_of(row: Row) -> dict[str, Any]:
    """The shape as far as it is published, else the parameters, those of a token beside them."""
    if row["active"] or not all(row[name] for name in _SIZES if name != "kv_heads"):
        counts = {"parameters": row["parameters"], "active_parameters": row["active"]}
        return {name: float(text) for name, text in counts.items() if text}
    sizes = {name: int(number(row, name)) for name in _SIZES if row[name]}
    layers, hidden, heads = (sizes[name] for name in ("layers", "hidden", "heads"))
    shared = sizes.get("kv_heads", heads) / heads
    gated = layers * hidden * (2.0 * hidden * (1.0 + shared) + 3.0 * sizes["ffn"])
    return {"architecture": {**sizes, "gated": gated < 1.05 * number(row, "parameters")}}


class Share(NamedTuple):
    """Of one run: devices, the utilization predicted, and the share of its hours that takes."""

    devices: float
    predicted: float
    share: float


def goodputs(constants: Constants) -> dict[str, list[Share]]:
    """Share of the allocated hours that each run on more than a node would train.

    What few devices lose is a constant of its own (:mod:`costcalc.resolve.goodput`).
    """
    found: dict[str, list[Share]] = {}
    for row in shipped("published_runs"):
        if number(row, "devices", DEVICES) <= FEW:
            continue
        with using(constants):
            trains = estimate(run_of(row), changes={"hardware.goodput": 1}, ranges=False)
        share = (trains.results["device_hours"].value or math.nan) / number(row, "device_hours")
        predicted = trains.results["utilization"].value or math.nan
        found.setdefault(row["organisation"], []).append(
            Share(number(row, "devices", DEVICES), predicted, share)
        )
    return found


def goodput_of(shares: Mapping[str, Sequence[Share]]) -> dict[str, float]:
    """The levels of :func:`costcalc.resolve.goodput.goodput`, and the range about them.

    Least absolute errors of the logarithms, each organisation counting once, by reweighted least
    squares (Schlossmacher 1973).  The spread of what is left is that of the goodput and of the
    prediction together; it is kept whole, as settings less than tuned are part of both.
    """
    rows = [(one, 1.0 / len(own)) for own in shares.values() for one in own]
    large = np.array([large_share(one.devices) for one, _ in rows])
    largest = np.array([largest_share(one.devices) for one, _ in rows])
    promise = np.array([math.log(PROMISED / one.predicted) for one, _ in rows])
    found = np.array([math.log(one.share) for one, _ in rows]) - (1 - large) * math.log(SMALL[0])
    factors = np.stack([large * (1 - largest), large * largest, large * promise], axis=1)
    weights = own = np.array([weight for _, weight in rows])
    for _ in range(100):
        weighed = factors.T * weights
        levels = np.linalg.solve(weighed @ factors + _SHRUNK, weighed @ found)
        left = found - factors @ levels
        weights = own / np.maximum(np.abs(left), 0.01)
    at, each = 0, []
    for listed in shares.values():
        each.append(median(left[at : at + len(listed)]))
        at += len(listed)
    half = (percentile(each, 0.95) - percentile(each, 0.05)) / 2.0
    middle, value = math.exp(levels[0]), math.exp(levels[1])
    return {
        "middle": middle,
        "value": value,
        "promise": float(levels[2]),
        "low": value * math.exp(-half),
        "high": value * math.exp(half),
        "n": len(rows),
    }


# Of few rows: the power of what is promised is held towards none.  How strongly was chosen after
# seeing the scores of organisations left out, of 0.5, 10, 40 and without it.
_SHRUNK = np.diag([0.0, 0.0, 10.0])


def points() -> list[Point]:
    """Device-hours predicted with a goodput from the other organisations' runs.

    An organisation whose benchmarks the fit has seen is predicted without them.
    """
    shares, found = goodputs(shipped_constants()), []
    for row in shipped("published_runs"):
        who = row["organisation"]
        others = goodput_of({name: own for name, own in shares.items() if name != who})
        constants = constants_for(BENCHMARKS.get(who, ""))
        goodput = cast("Goodput", {**shipped_constants()["goodput"], **others})
        with using({**constants, "goodput": goodput}):
            made = estimate(run_of(row))
        results = made.results
        hours = results["device_hours"]
        found.append(Point(
            measured=number(row, "device_hours"), predicted=hours.value,
            low=hours.low or math.nan, high=hours.high or math.nan,
            source=who, accelerator=row["accelerator"], precision=row["precision"],
            workload="llm", devices=number(row, "devices", DEVICES), id=row["id"],
            name=row["model"], unit="device_hour", note=row["note"],
            utilization=(results["utilization"].value or math.nan) * made.values["goodput"],
        ))  # fmt: skip
    return found
