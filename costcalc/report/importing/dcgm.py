"""``dcgmi dmon -e 155,156 -d 1000 > dcgm.txt``: power and total energy, device by device.

Rows carry no time: ``-d`` said it (milliseconds, 1,000 where it was left out).  The total energy of
a device (TOTEC, field 156) needs none, and wins.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from costcalc.report.importing.cells import number, refuse
from costcalc.report.importing.costed import Costing
from costcalc.report.importing.power import Samples, of_samples
from costcalc.report.tools import LOWER_BOUND

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

#: names of the fields in dcgmi's header: DCGM_FI_DEV_POWER_USAGE, _TOTAL_ENERGY_CONSUMPTION
_POWER, _TOTAL = ("POWER", "PWR", "POWUS"), ("TOTEC", "TOTALEC")
_ENTITY = re.compile(r"GPU\s+(\d+)\s+(.*)")
USUAL = 1.0  # seconds between rows where -d was left out (dcgmi dmon --help)


def read(
    text: str, name: str, *, costing: Costing | None = None, interval: float | None = None
) -> Report:
    """The report of a log; ``interval``: seconds between its rows.

    Raises:
        InputError: it has no header with power or energy.
    """
    fields: list[str] = []
    devices: dict[str, list[_Row]] = {}
    for line in text.splitlines():
        words = line.lstrip("#").split()
        if line.lstrip().lower().startswith(("#entity", "# entity")):
            fields = words[1:]
            continue
        found = _ENTITY.match(line.strip())
        if found is None or not fields:
            continue
        cells = dict(zip(fields, found[2].split(), strict=False))
        watts = next((number(cells[key]) for key in _POWER if key in cells), None)
        total = next((number(cells[key]) for key in _TOTAL if key in cells), None)
        joules = None if total is None else total / 1000  # mJ
        devices.setdefault(found[1], []).append(_Row(watts, joules))
    if not fields or not ({*_POWER, *_TOTAL} & {*fields}):
        raise refuse(name, "expected the table of dcgmi dmon -e 155,156, with its header")
    notes = []
    if interval is None:
        notes.append(
            f"dcgmi writes no times: a row is taken as {USUAL:g} s, its default; say --interval"
        )
    resets = sum(_resets(rows) for rows in devices.values())
    if resets:
        notes.append(
            f"the counter of energy was reset {resets} times: what was used from its last row "
            f"before to its first after is not in the figure, {LOWER_BOUND}"
        )
    samples = {key: _samples(rows, interval or USUAL) for key, rows in devices.items()}
    return of_samples(
        samples, name, tool="dcgmi", name="GPU log", costing=costing, warnings=notes, dated=False,
        least=resets > 0,
    )  # fmt: skip


class _Row(NamedTuple):
    """What a row says of a device; None is not known."""

    watts: float | None
    joules: float | None  # of the counter


def _counter(rows: Sequence[_Row]) -> list[tuple[int, float]]:
    """The rows that know the counter, by their number."""
    return [(at, row.joules) for at, row in enumerate(rows) if row.joules is not None]


def _steps(rows: Sequence[_Row]) -> list[float]:
    return [after - before for (_, before), (_, after) in pairwise(_counter(rows))]


def _resets(rows: Sequence[_Row]) -> int:
    return sum(step < 0 for step in _steps(rows))


def _samples(rows: Sequence[_Row], interval: float) -> Samples:
    """Power by the rows, and from the first to the last row of the counter the mean by it."""
    made = Samples()
    counted = _counter(rows)
    first, last = (counted[0][0], counted[-1][0]) if counted else (0, 0)
    joules = sum(step for step in _steps(rows) if step > 0)
    for at, row in enumerate(rows):
        inside = first < last and first <= at <= last
        watts = joules / ((last - first) * interval) if inside else row.watts
        if watts is not None:
            made.add(at * interval, watts)
        else:
            made.silent.append(at * interval)
    return made
