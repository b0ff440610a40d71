"""Scores the calculator against published measurements: nothing here is fitted or chosen.

Figures are for groups of sources that the fit had not seen; where constants have seen the rows, as
for peaks of memory, the name of the table is marked.  Repeats of one configuration count once; a
refused row is a miss; rows whose source states neither a shape nor a parameter count can be
predicted by nobody and are counted apart.  Published footprints and costs are worked out again
from their own inputs, and never counted as predictions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import TextIO

from costcalc.base.errors import InputError, Problem
from costcalc.validate import (
    baselines,
    costs,
    footprints,
    measurements,
    memory,
    own,
    power,
    published,
    throughput,
    transfer,
)
from costcalc.validate.measurements import Measured, Row
from costcalc.validate.score import Point, noise, score
from costcalc.validate.tables import SEEN, Category, Report, category

METHOD = (
    "Leave one group of sources out (the default); sources that republish each other count as "
    "one. Repeats of one configuration count once. Figures with fewer than 30 configurations are "
    "not claimed."
)
OWN = "Predicted by the shipped constants; the fit has not seen these rows."
_SPLITS = ("source", "accelerator", "precision", "scale")


def validate() -> Report:
    """Scores of everything that ships."""
    measured = measurements.all_measured()
    text = [one for one in measured if one.row["workload"] == "llm"]
    sized = [one for one in text if one.sized]
    language = _language(sized)
    others = category(
        "Throughput of other models",
        throughput.points(one for one in measured if one.row["workload"] != "llm"),
        ("workload", *_SPLITS),
        listed="workload",
    )
    catalogue, stated = _costs()
    return Report(
        method=METHOD,
        categories=[
            *language,
            *_untold(sized),
            others,
            *_memory(),
            _another_step(measured),
            _runs(),
            _power(),
            _nodes(),
            catalogue,
            _footprints(),
            stated,
        ],
        noise=noise([*language[0].points, *others.points]),
        unsized=len(text) - len(sized),
    )


def validate_own(file: TextIO, name: str = "measurements") -> Report:
    """Scores of a user's measurements, predicted by the shipped constants.

    Columns: accelerator, devices, precision, tokens_per_s or samples_per_s (a second and device),
    and what is known of parameters, sequence_length, global_batch, data, tensor, pipeline, ….
    Raises InputError for a table that cannot be read.
    """
    measured = measurements.configurations(own.read(file, name))
    sized = [one for one in measured if one.sized or one.row["workload"] != "llm"]
    if not sized:
        message = "expected rows with a rate and parameters; found none"
        raise InputError(Problem(key="parameters", message=message, file=name))
    found = throughput.points(sized, own=True)
    made = category(PurePath(name).name, found, (*_SPLITS, "workload"))
    unsized = len(measured) - len(sized)
    return Report(method=OWN, categories=[made], noise=noise(found), unsized=unsized)


def _named(points: Sequence[Point], rows: Sequence[Row]) -> list[Point]:
    """Points of language models, each with what kind of workload its row is."""
    kinds = map(measurements.workload, rows)
    return [replace(point, workload=kind) for point, kind in zip(points, kinds, strict=True)]


def _language(text: Sequence[Measured]) -> list[Category]:
    """Language models: with the layout as given, with a guessed shape, with the layout hidden."""
    splits = (*_SPLITS, "workload")
    stated = [one for one in text if one.layout_given]
    given = [one for one in stated if one.row["shape"]]
    guessed = throughput.points(one for one in stated if not one.row["shape"])
    known = _named(throughput.points(given), [one.row for one in given])
    swept = measurements.fastest(text)
    hidden = _named(throughput.points(swept, hidden=True), [one.row for one in swept])
    unstated = [one for one in text if not one.layout_given]
    open_ = _named(throughput.points(unstated, hidden=True), [one.row for one in unstated])
    return [
        category(
            "LLM throughput, layout given", known, splits,
            baselines=baselines.of_throughput(known), note=baselines.NOTE,
        ),
        category(
            "LLM throughput, layout given, shapes guessed from the size", guessed, ("source",),
            short="LLM, layout given, shape guessed",
        ),
        category(
            "LLM throughput, layout hidden (auto)", hidden, splits,
            short="LLM, layout hidden (auto)", baselines=baselines.of_throughput(hidden),
            note=f"{baselines.NOTE} Of a sweep over layouts the fastest counts.",
        ),
        category(
            "LLM throughput by user", [*known, *guessed, *open_], ("user", "source"),
            short="LLM, {}", listed="user",
            note="The same points, layouts and software as far as their sources tell them.",
        ),
    ]  # fmt: skip


def _untold(text: Sequence[Measured]) -> list[Category]:
    """Ordinary runs whose source names the software, predicted without the name."""
    named = [one for one in text if any(one.row[key] for key in measurements.SOFTWARE)]
    ordinary = [one for one in named if one.group not in measurements.VENDORS]
    return [
        category(
            "LLM throughput by user, software not told", throughput.points(ordinary, told=False),
            ("user", "source"), short="LLM, {}, software not told", listed="user",
        ),
    ]  # fmt: skip


def _another_step(measured: Sequence[Measured]) -> Category:
    return category(
        "Another step of a machine, after one was measured", transfer.points(measured),
        ("source", "accelerator", "workload"), short="another step, one measured",
        note="A machine is one team's rows on one accelerator, whatever their models, software and "
        "precision; the step in the middle of its table is the one that is measured.",
    )  # fmt: skip


def _runs() -> Category:
    found = _named(published.points(), measurements.shipped("published_runs"))
    return category(
        "Published runs, FLOPs to device-hours", found,
        ("accelerator", "source", "precision", "workload", "scale"),
        short="published runs, device-hours", baselines=baselines.of_runs(found),
        note="The goodput comes from the runs of the other organisations, and the step without "
        "the benchmarks of its own.",
    )  # fmt: skip


def _memory() -> tuple[Category, Category]:
    """Peaks of memory, with the software as told and without: of all tables the one in-sample."""
    ended = memory.bounds()
    seen = "Not held out: the few fitted constants and the low ends of ranges have seen these rows."
    note = (
        "What was allocated, reserved or in use on the board, against what is predicted in use. Of "
        f"{len(ended)} runs that ended out of memory {sum(held for _, held in ended)} are held to "
        f"be possibly too large. {seen}"
    )
    splits = ("user", "source", "kind", "workload")
    return (
        category(
            "Peak memory a device, software told", memory.points(), splits,
            short=f"peak memory, software told {SEEN}", note=note,
        ),
        category(
            "Peak memory a device, software not told", memory.points(told=False), splits,
            short=f"peak memory, software not told {SEEN}", note=seen,
        ),
    )  # fmt: skip


def _power() -> Category:
    found = power.points()
    return category(
        "Power of a device, measured", found, ("kind", "source", "accelerator", "workload"),
        short="power of a device",
        baselines={
            "each team left out whole": score(power.points(teams=True)),
            "the rating of the board": replace(score(power.rated(found)), inside=math.nan),
        },
        note="One team's traces on four devices leave out one device at a time: how convolutions "
        "draw at low utilization is known from that team alone. Chips of a generation that nobody "
        "measured in training are not in this table: costcalc explain marks them modelled, not "
        "validated, with a wider range.",
    )  # fmt: skip


def _nodes() -> Category:
    return category(
        "Power of a node, metered", power.nodes(), ("workload", "scale"),
        short="power of a node",
        note="One system of a host without fans, left out whole; the host is the catalogue's, with "
        "fans. Switches are metered apart. Runs of two minutes are half starting and evaluating.",
    )  # fmt: skip


def _costs() -> tuple[Category, Category]:
    """At prices of the catalogue, and at those that the sources state."""
    catalogue, stated = costs.points()
    bounds = ", ".join(
        f"{name} ({'kept' if held else 'not kept'})" for name, held in costs.bounds()
    )
    return (
        category(
            "Published costs, hours as stated and prices of the catalogue", catalogue,
            ("source", "accelerator"), short="cost, hours stated, price ours",
            note="One figure a source, device, provider and plan; the catalogue's prices are years "
            f"younger than many of the runs. Published upper bounds, not scored: {bounds}.",
        ),
        category(
            "Published costs from their own hours and prices", stated, ("source",),
            short="cost: hours x stated price", arithmetic=True,
        ),
    )  # fmt: skip


def _footprints() -> Category:
    return category(
        "Published energy and CO2e from their own inputs", footprints.points(),
        ("kind", "source", "figure"), listed="kind", arithmetic=True,
        note="Where the power is a rating, hours times watts test arithmetic only.",
    )  # fmt: skip
