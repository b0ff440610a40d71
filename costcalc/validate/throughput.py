"""Throughput as :func:`costcalc.estimate` predicts it for sources that the fit had not seen.

Each row becomes a run file and goes through the calculator, with the constants that were fitted
without its group of sources (``measurements/throughput_folds.yaml``, written by
``scripts/calibrate_throughput.py``); a user's own measurements, and groups that no fit uses, with
the shipped ones.  What the calculator refuses is a miss, and its reason is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

from costcalc.base.errors import InputError
from costcalc.calculator.calculate import estimate
from costcalc.throughput.constants import Constants, using
from costcalc.throughput.constants import shipped as shipped_constants
from costcalc.validate.measurements import Measured, folds, number, untold, user
from costcalc.validate.run_files import SEQUENCE, run_of
from costcalc.validate.score import Point


@cache
def constants_for(group: str) -> Constants:
    """Constants that have not seen a group; the shipped ones for a group that no fit knows."""
    fold: Constants | None = folds("throughput").get(group)
    return {**shipped_constants(), **fold} if fold else shipped_constants()


def points(
    measured: Iterable[Measured], *, hidden: bool = False, own: bool = False, told: bool = True
) -> list[Point]:
    """Every configuration predicted: layout as given, or ``hidden`` and chosen by the calculator.

    ``own``: a user's measurements, which the shipped constants predict.  ``told``: with the
    software of the run, as far as the source names it.
    """
    return [
        predicted(
            one if told else replace(one, row=untold(one.row)),
            shipped_constants() if own else constants_for(one.group),
            hidden=hidden,
        )
        for one in measured
    ]


def predicted(
    one: Measured, constants: Constants, *, hidden: bool = False, ranges: bool = True
) -> Point:
    """One configuration by the calculator with some constants; a device's rate."""
    row = one.row
    devices, tokens = number(row, "devices", 1.0), bool(row["tokens_per_s"])
    point = Point(
        measured=one.rate,
        source=one.group,
        accelerator=row["accelerator"],
        precision=row["precision"],
        workload=row["workload"],
        devices=devices,
        repeats=one.repeats,
        id=row["id"],
        name=row["model"],
        unit="tokens/s/device" if tokens else "samples/s/device",
        user=user(row),
        reference=row["source"],
    )
    try:
        with using(constants):
            made = estimate(run_of(row, hidden=hidden), ranges=ranges)
    except InputError as error:
        return replace(point, refusal=error.problems[0].message)
    rate = made.results["throughput"]
    if rate.value is None or rate.low is None or rate.high is None:
        return replace(point, refusal=rate.why)
    by_sequence = rate.unit == "token/s" and not tokens
    each = devices * (number(row, "sequence_length", SEQUENCE) if by_sequence else 1.0)
    return replace(
        point,
        predicted=rate.value / each,
        low=rate.low / each,
        high=rate.high / each,
        utilization=made.results["utilization"].value,
        breakdown=made.breakdown.get("step", {}),
    )
