"""Published training runs: from FLOPs to device-hours, which the benchmarks say nothing about.

``measurements/published_runs.csv`` restates runs whose tokens and allocated device-hours were
published.  The share of those hours that a tuned benchmark of the same step would have taken is
the goodput in the wide sense: restarts, evaluations, checkpoints, and settings less than tuned.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median

from costcalc.throughput.constants import Constants
from costcalc.throughput.layout import Layout, StepRecipe
from costcalc.throughput.ranges import prediction_range
from costcalc.throughput.shape import ModelShape, decoder_shape, shape_from_parameters
from costcalc.throughput.space import Fixed
from costcalc.validate.rows import Case, Row, machine_for, number, shipped
from costcalc.validate.score import Point, percentile
from costcalc.validate.throughput import constants_for, predicted_rate

#: tokens of a batch where none is published: 4 M, what most models of 7B to 70B use
BATCH = 4.0e6
#: devices where none is published
DEVICES = 1024.0
#: organisations that also published benchmarks, by their group in ``throughput.csv``
BENCHMARKS = {
    "BigScience": "bigscience", "Google": "google-maxtext", "Hugging Face": "nanotron",
    "MosaicML": "mosaic", "Tsinghua": "glm",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """A published run: allocated device-hours, and those that the model of the step predicts."""

    row: Row
    hours: float
    predicted: float
    low: float
    high: float

    @property
    def goodput(self) -> float:
        """Share of the allocated hours that the predicted step would take."""
        return self.predicted / self.hours


def shape_for(row: Row) -> ModelShape:
    """The shape as far as it is published, else the rule's for the active parameters."""
    length = number(row, "sequence_length", 2048.0)
    needed = ("layers", "hidden", "heads", "ffn", "vocabulary")
    if all(row[name] for name in needed) and not row["active"]:
        layers, hidden, heads, ffn, vocabulary = (number(row, name) for name in needed)
        kv_heads = number(row, "kv_heads", heads)
        weights = layers * hidden * (2.0 * hidden * (1.0 + kv_heads / heads) + 3.0 * ffn)
        gated = 1.0 if weights < 1.05 * number(row, "parameters") else 0.0
        return decoder_shape(
            layers=layers, hidden=hidden, heads=heads, kv_heads=kv_heads, ffn=ffn, gated=gated,
            vocabulary=vocabulary, sequence_length=length,
        )  # fmt: skip
    return shape_from_parameters(number(row, "active", number(row, "parameters")), length)


def case_for(row: Row) -> Case:
    """The run as the step-time model takes it; its layout is left to the search."""
    devices = number(row, "devices", DEVICES)
    machine = machine_for({**row, "devices": str(int(devices))})
    shape = shape_for(row)
    length = float(shape.sequence_length)
    batch = max(round(BATCH / length / devices), 1.0) * devices
    return Case(
        shape=shape,
        machine=machine,
        axes=Layout(data=devices, zero=3.0),
        training=StepRecipe(sequence_length=length, global_batch=batch),
        precision=row["precision"],
        per_step=batch * length,
        fixed=Fixed(),
    )


def runs(constants: Constants, *, held_out: bool = False) -> list[Published]:
    """Every published run with its predicted device-hours, while it trains.

    ``held_out``: an organisation whose benchmarks the fit has seen is predicted without them.
    """
    found = []
    for row in shipped("published_runs"):
        case = case_for(row)
        group = BENCHMARKS.get(row["organisation"])
        seen = constants_for(group) if held_out and group else constants
        rate = predicted_rate(case, seen, hidden=True)
        low, high = prediction_range(
            seen, generation=case.machine.generation, layout_given=False,
            shapes_known=case.shape.known, devices=case.machine.devices,
            experts=float(case.shape.experts) > 0,
        )  # fmt: skip
        hours = number(row, "tokens") / rate / 3600.0
        found.append(
            Published(
                row=row, hours=number(row, "device_hours"), predicted=hours, low=low, high=high
            )
        )
    return found


def goodput_of(published: list[Published]) -> dict[str, float]:
    """Median share of the allocated hours, each organisation counting once, and its range.

    The spread of the shares is that of the goodput and of the prediction together; it is kept
    whole, as settings less than tuned are part of both.  The high end is 1 at most.
    """
    by_organisation: dict[str, list[Published]] = {}
    for run in published:
        by_organisation.setdefault(run.row["organisation"], []).append(run)
    shares = [median(math.log(r.goodput) for r in rs) for rs in by_organisation.values()]
    middle = median(shares)
    half = (percentile(shares, 0.95) - percentile(shares, 0.05)) / 2.0
    return {
        "value": min(math.exp(middle), 0.98),
        "low": math.exp(middle - half),
        "high": min(math.exp(middle + half), 1.0),
        "n": len(published),
    }


def points(published: list[Published]) -> list[Point]:
    """Device-hours predicted with a goodput from the other organisations' runs."""
    found = []
    for run in published:
        others = [r for r in published if r.row["organisation"] != run.row["organisation"]]
        goodput = goodput_of(others)
        value = run.predicted / goodput["value"]
        down = math.hypot(math.log(run.high), math.log(goodput["high"] / goodput["value"]))
        up = math.hypot(math.log(run.low), math.log(goodput["low"] / goodput["value"]))
        found.append(Point(
            measured=run.hours, predicted=value,
            low=value * math.exp(-down), high=value * math.exp(up),
            source=run.row["organisation"], accelerator=run.row["accelerator"],
            precision=run.row["precision"], workload="llm",
            devices=number(run.row, "devices", DEVICES), id=run.row["id"], name=run.row["model"],
            unit="device_hour", note=run.row["note"],
        ))  # fmt: skip
    return found
