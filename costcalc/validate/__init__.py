"""Scores the calculator against published measurements: nothing here is fitted or chosen.

Figures are for groups of sources that the fit had not seen.  Repeats of one configuration count
once; a refused row is a miss; rows whose source states neither a shape nor a parameter count can
be predicted by nobody and are counted apart.  Published footprints and costs are worked out again
from their own inputs, and never counted as predictions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterable

    from costcalc.validate.rows import Measured, Row
    from costcalc.validate.score import Point
    from costcalc.validate.tables import Category, Report

METHOD = (
    "Leave one group of sources out (the default); sources that republish each other count as "
    "one. Repeats of one configuration count once. Figures with fewer than 30 configurations are "
    "not claimed."
)
OWN = "Predicted by the shipped constants; the fit has not seen these rows."
_SPLITS = ("source", "accelerator", "precision", "scale")


def validate() -> Report:
    """Scores of everything that ships."""
    from costcalc.validate import score, tables
    from costcalc.validate.throughput import all_measured

    measured = all_measured()
    language, others = _language(measured), _others(measured)
    repeated = [*language[0].points, *others.points]
    catalogue, stated = _costs()
    return tables.report(
        METHOD, [*language, others, _runs(), _power(), catalogue, _footprints(), stated],
        noise=score.noise(repeated),
        unsized=sum(one.row["workload"] == "llm" and not one.sized for one in measured),
    )  # fmt: skip


def validate_own(file: TextIO, name: str = "measurements") -> Report:
    """Scores of a user's measurements, predicted by the shipped constants.

    Columns: accelerator, devices, precision, tokens_per_s or samples_per_s (a second and device),
    and what is known of parameters, sequence_length, global_batch, data, tensor, pipeline, ….
    Raises InputError for a table that cannot be read.
    """
    from pathlib import PurePath

    from costcalc.base.errors import InputError, Problem
    from costcalc.validate import own, score, tables
    from costcalc.validate.rows import configurations
    from costcalc.validate.throughput import points

    measured = configurations(own.read(file, name))
    sized = [m for m in measured if m.sized or m.row["workload"] != "llm"]
    if not sized:
        message = "expected rows with a rate and parameters; found none"
        raise InputError(Problem(key="parameters", message=message, file=name))
    found = points(sized, own=True)
    return tables.report(
        OWN, [tables.category(PurePath(name).name, found, (*_SPLITS, "workload"))],
        noise=score.noise(found), unsized=len(measured) - len(sized),
    )  # fmt: skip


def _named(points: Iterable[Point], rows: Iterable[Row]) -> list[Point]:
    """Points of language models, each with what kind of workload its row is."""
    from dataclasses import replace

    from costcalc.validate.rows import workload

    return [replace(p, workload=workload(row)) for p, row in zip(points, rows, strict=True)]


def _language(measured: list[Measured]) -> list[Category]:
    """Language models: with the layout as given, with a guessed shape, with the layout hidden."""
    from costcalc.validate import baselines
    from costcalc.validate.tables import category
    from costcalc.validate.throughput import points

    splits = (*_SPLITS, "workload")
    text = [one for one in measured if one.row["workload"] == "llm" and one.sized]
    given = [one for one in text if one.layout_given and one.shape_given]
    guessed = [one for one in text if one.layout_given and not one.shape_given]
    return [
        category(
            "LLM throughput, layout given", _named(points(given), (m.row for m in given)), splits,
            baselines=baselines.of_throughput(given), note=baselines.NOTE,
        ),
        category(
            "LLM throughput, layout given, shapes guessed from the size", points(guessed),
            ("source",), short="LLM, layout given, shape guessed",
        ),
        category(
            "LLM throughput, layout hidden (auto)",
            _named(points(text, hidden=True), (m.row for m in text)), splits,
            short="LLM, layout hidden (auto)", baselines=baselines.of_throughput(text),
            note=baselines.NOTE,
        ),
    ]  # fmt: skip


def _others(measured: list[Measured]) -> Category:
    from costcalc.validate.tables import category
    from costcalc.validate.throughput import points

    found = points(one for one in measured if one.row["workload"] != "llm")
    return category("Throughput of other models", found, ("workload", *_SPLITS), listed="workload")


def _runs() -> Category:
    from costcalc.throughput.constants import load
    from costcalc.validate import baselines, published
    from costcalc.validate.tables import category

    runs = published.runs(load(), held_out=True)
    return category(
        "Published runs, FLOPs to device-hours",
        _named(published.points(runs), (run.row for run in runs)),
        ("accelerator", "source", "precision", "workload", "scale"),
        short="published runs, device-hours", baselines=baselines.of_runs(runs),
        note="The goodput comes from the runs of the other organisations, and the step without "
        "the benchmarks of its own.",
    )  # fmt: skip


def _power() -> Category:
    from dataclasses import replace
    from math import nan

    from costcalc.validate import power
    from costcalc.validate.score import score
    from costcalc.validate.tables import category

    found = power.points()
    return category(
        "Power of a device, measured", found, ("kind", "source", "accelerator", "workload"),
        short="power of a device",
        baselines={
            "each team left out whole": score(power.points(teams=True)),
            "the rating of the board": replace(score(power.rated(found)), inside=nan),
        },
        note="One team's traces on four devices leave out one device at a time: how convolutions "
        "draw at low utilization is known from that team alone. Chips of a generation that nobody "
        "measured in training are not in this table: costcalc explain marks them modelled, not "
        "validated, with a wider range.",
    )  # fmt: skip


def _costs() -> tuple[Category, Category]:
    """At prices of the catalogue, and at those that the sources state."""
    from costcalc.validate import costs
    from costcalc.validate.tables import category

    catalogue, stated = costs.points()
    bounds = costs.bounds()
    kept = ", ".join(f"{name} ({'kept' if held else 'not kept'})" for name, held in bounds)
    return (
        category(
            "Published costs, hours as stated and prices of the catalogue", catalogue,
            ("source", "accelerator"), short="cost, hours stated, price ours",
            note="One figure a source, device, provider and plan; the catalogue's prices are years "
            f"younger than many of the runs. Published upper bounds, not scored: {kept}.",
        ),
        category(
            "Published costs from their own hours and prices", stated, ("source",),
            short="cost: hours x stated price", arithmetic=True,
        ),
    )  # fmt: skip


def _footprints() -> Category:
    from costcalc.validate import footprints
    from costcalc.validate.tables import category

    return category(
        "Published energy and CO2e from their own inputs", footprints.points(),
        ("kind", "source", "figure"), listed="kind", arithmetic=True,
        note="Where the power is a rating, hours times watts test arithmetic only.",
    )  # fmt: skip
