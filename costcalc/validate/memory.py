"""Measured peaks of memory a device against what the calculator says a run takes.

``measurements/ordinary.csv`` and ``memory.csv`` restate them; ``memory_of`` says what was read:
what was ``allocated``, what the allocator had ``reserved``, or what the ``board`` had in use,
context included.  The prediction is of the board, so that it lies above what was allocated.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from costcalc.base.errors import InputError
from costcalc.calculator import calculate as calculator
from costcalc.catalog import accelerator
from costcalc.validate.measurements import COLUMNS, SOFTWARE, Row, shipped, user
from costcalc.validate.run_files import run_of
from costcalc.validate.score import Point

TABLES = ("ordinary", "memory")
#: of a run file, what is left out where the software is not told
_UNTOLD = (*SOFTWARE, "activations")


def rows() -> Iterator[Row]:
    """Rows with a peak, or that ended out of memory."""
    for name in TABLES:
        for row in shipped(name):
            if row["peak_memory_gib"] or row["out_of_memory"]:
                yield dict.fromkeys(COLUMNS, "") | row


def points(*, told: bool = True) -> list[Point]:
    """Every measured peak (GiB); ``told``: with the software as its source says it."""
    return [_point(row, told=told) for row in rows() if row["peak_memory_gib"]]


def bounds() -> list[tuple[str, bool]]:
    """Runs that ended out of memory: which, and whether the calculator holds that possible."""
    found = []
    for row in rows():
        if row["out_of_memory"]:
            point = _point(row, told=True)
            found.append((row["id"], point.predicted is None or point.high > point.measured))
    return found


def _point(row: Row, *, told: bool) -> Point:
    known = row if told else {**row, **dict.fromkeys(_UNTOLD, "")}
    devices = float(row["devices"])
    ours: float | None = None
    low = high = math.nan
    refusal = ""
    try:
        made = calculator.estimate(run_of(known), ranges=False)
        result = made.results["memory_per_device"]
        ours, low, high = result.value, result.low or math.nan, result.high or math.nan
    except InputError as error:
        refusal = error.problems[0].message
    return Point(
        measured=float(row["peak_memory_gib"] or _room(row)),
        predicted=ours, low=low, high=high, refusal=refusal,
        source=row["group"], accelerator=row["accelerator"], precision=row["precision"],
        workload=row["base_precision"] or row["method"], kind=row["memory_of"], devices=devices,
        id=row["id"], name=row["model"], unit="GiB", note=row["note"],
        user=user(row), reference=row["source"],
    )  # fmt: skip


def _room(row: Row) -> float:
    """GiB of a device of the row."""
    return accelerator.find(row["accelerator"]).memory.si / 2.0**30
