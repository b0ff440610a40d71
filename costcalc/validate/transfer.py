"""Other steps of a machine after one of them was measured, as ``hardware.calibration`` scales them.

A machine here is one group's rows on one accelerator: one team's software and boxes.  One step of
each is taken as measured, and every other is predicted from it; the constants of the time model and
those of the transfer (``measurements/transfer_folds.yaml``, written by
``scripts/calibrate_transfer.py``) have not seen the group.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from costcalc.base.errors import InputError
from costcalc.base.ranges import Z95
from costcalc.resolve.calibration import Held, held
from costcalc.throughput.constants import using
from costcalc.throughput.transfer import Spreads, carried, spreads, spreads_of
from costcalc.validate.measurements import Measured, folds, number
from costcalc.validate.run_files import run_of
from costcalc.validate.score import Point
from costcalc.validate.throughput import constants_for

#: steps of one machine that are scored at most, and the fewest that make a machine
MOST, FEWEST = 24, 4


def spreads_for(group: str) -> Spreads:
    """The constants of the transfer that have not seen a group."""
    fold = folds("transfer").get(group)
    return spreads_of(fold) if fold else spreads()


def machines(measured: Iterable[Measured]) -> list[list[tuple[Measured, Held]]]:
    """The measured steps by machine, each held against the model: evenly drawn where many."""
    found: dict[tuple[str, str], list[Measured]] = {}
    for one in measured:
        if one.sized:
            found.setdefault((one.group, one.row["accelerator"]), []).append(one)
    made = []
    for rows in found.values():
        stride = max(len(rows) / MOST, 1.0)
        drawn = [rows[int(i * stride)] for i in range(min(len(rows), MOST))]
        made.append(list(_held(drawn)))
    return [steps for steps in made if len(steps) >= FEWEST]


def _held(rows: Iterable[Measured]) -> Iterator[tuple[Measured, Held]]:
    for one in rows:
        run = run_of(one.row)
        unit = "token/s" if one.row["tokens_per_s"] else "sample/s"
        rate = one.rate * number(one.row, "devices", 1.0)
        run["hardware"]["throughput"] = f"{rate!r} {unit}"
        try:
            with using(constants_for(one.group)):
                yield one, held(run)
        except InputError:
            continue  # what cannot be modelled is scored as refused where it is predicted


def points(measured: Iterable[Measured]) -> list[Point]:
    """Every other step of each machine, from the one in the middle of its table."""
    return [point for steps in machines(measured) for point in _from_one(steps)]


def _from_one(steps: list[tuple[Measured, Held]]) -> Iterator[Point]:
    middle = len(steps) // 2
    first = steps[middle][1].step
    for number_, (one, other) in enumerate(steps):
        if number_ == middle:
            continue
        found = carried([first], other.step.run, spreads_for(one.group))
        rate = one.rate / math.exp(other.step.error) * math.exp(found.mean)
        spread = math.exp(Z95 * found.spread)
        yield Point(
            measured=one.rate,
            predicted=rate,
            low=rate / spread,
            high=rate * spread,
            source=one.group,
            accelerator=one.row["accelerator"],
            precision=one.row["precision"],
            workload=one.row["workload"],
            devices=number(one.row, "devices", 1.0),
            id=one.row["id"],
            name=one.row["model"],
            unit="tokens/s/device" if one.row["tokens_per_s"] else "samples/s/device",
        )
