"""``dcgmi dmon -e 155,156 -d 1000 > dcgm.txt``: power and total energy, device by device.

Rows carry no time: ``-d`` said it (milliseconds, 1,000 where it was left out).  The total energy of
a device (TOTEC, field 156) needs none, and wins.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from costcalc.report.importing.cells import number, refuse
from costcalc.report.importing.costed import Costing
from costcalc.report.importing.power import Samples, of_samples

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

#: names of the fields in dcgmi's header: DCGM_FI_DEV_POWER_USAGE, _TOTAL_ENERGY_CONSUMPTION
_POWER, _TOTAL = ("POWER", "PWR", "POWUS"), ("TOTEC", "TOTALEC")
_ENTITY = re.compile(r"GPU\s+(\d+)\s+(.*)")
USUAL = 1.0  # seconds between rows where -d was left out (dcgmi dmon --help)


def read(
    text: str,
    name: str,
    *,
    identify: bool = False,  # noqa: ARG001
    costing: Costing | None = None,
    interval: float | None = None,
) -> Report:
    """The report of a log; ``interval``: seconds between its rows.

    Raises:
        InputError: it has no header with power or energy.
    """
    fields: list[str] = []
    devices: dict[str, Samples] = {}
    counters: dict[str, list[float]] = {}
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
        own = devices.setdefault(found[1], Samples())
        counters.setdefault(found[1], [])
        if total is not None:
            counters[found[1]].append(total / 1000)  # mJ
        if watts is not None or total is not None:
            own.seconds.append(len(own.seconds) * (interval or USUAL))
            own.watts.append(watts or 0.0)
    if not fields or not ({*_POWER, *_TOTAL} & {*fields}):
        raise refuse(name, "expected the table of dcgmi dmon -e 155,156, with its header")
    notes = []
    if interval is None:
        notes.append(
            f"dcgmi writes no times: a row is taken as {USUAL:g} s, its default; say --interval"
        )
    for key, joules in counters.items():
        if len(joules) > 1:  # the counter says what the samples between could not
            span = devices[key].seconds[-1] - devices[key].seconds[0]
            mean = (joules[-1] - joules[0]) / span
            devices[key].watts = [mean] * len(devices[key].seconds)
    return of_samples(devices, name, tool="dcgmi", name="GPU log", costing=costing, warnings=notes)
