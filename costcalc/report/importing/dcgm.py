"""``dcgmi dmon -e 155,156 -d 1000 > dcgm.txt``: power and total energy, device by device.

Rows carry no time: ``-d`` said it (milliseconds, 1,000 where it was left out).  The total energy of
a device (TOTEC, field 156) needs none, and wins.  What ``dcgmi discovery -l`` printed before it in
the same file says which boards they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

from costcalc.report.importing.cells import number, refuse
from costcalc.report.importing.costed import Costing
from costcalc.report.importing.power import Samples, integrated, most, of_samples
from costcalc.report.tools import LOWER_BOUND

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

#: names of the fields in dcgmi's header: DCGM_FI_DEV_POWER_USAGE, _TOTAL_ENERGY_CONSUMPTION
_POWER, _TOTAL = ("POWER", "PWR", "POWUS"), ("TOTEC", "TOTALEC")
#: a row of the table of dcgmi discovery -l
_LISTED = re.compile(r"\|\s*(\d+)\s*\|\s*Name:\s*(.+?)\s*\|?$")
_ENTITY = re.compile(r"GPU\s+(\d+)\s+(.*)")
#: the share of the larger by which two meters of a board may differ (chosen)
_UNLIKE = 0.05
USUAL = 1.0  # seconds between rows where -d was left out (dcgmi dmon --help)


def read(
    text: str, name: str, *, costing: Costing | None = None, interval: float | None = None
) -> Report:
    """The report of a log; ``interval``: seconds between its rows.

    Raises:
        InputError: it has no header with power or energy.
    """
    fields: list[str] = []
    names: dict[str, str] = {}
    devices: dict[str, list[_Row]] = {}
    for line in text.splitlines():
        words = line.lstrip("#").split()
        listed = _LISTED.match(line.strip())
        if listed:
            names[listed[1]] = listed[2]
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
    for key, one in samples.items():
        one.name = names.get(key, "")
    lost = [
        _resets(rows) * (interval or USUAL) * most(samples[key])
        for key, rows in devices.items()
        if samples[key].seconds
    ]
    told, others = _compared(devices.values(), interval)
    return of_samples(
        samples, name, tool="dcgmi", name="GPU log", costing=costing, warnings=[*notes, *told],
        dated=False, least=resets > 0, by_others=others, beyond=sum(lost),
    )  # fmt: skip


def _compared(
    devices: Iterable[Sequence[_Row]], interval: float | None
) -> tuple[list[str], list[float]]:
    """What is said of counters that disagree with the power sampled beside them, and the latter.

    The energy (J) that the power comes to is of all devices: those without both keep what counts.
    """
    whole = by_counter = by_power = 0.0
    for rows in devices:
        power, counted = _sampled(rows, interval or USUAL), sum(s for s in _steps(rows) if s > 0)
        samples = _samples(rows, interval or USUAL)
        whole += integrated(samples).joules if samples.seconds else 0.0
        if power is not None and not _resets(rows):
            by_counter, by_power = by_counter + counted, by_power + power
    if abs(by_power - by_counter) <= _UNLIKE * max(by_counter, by_power):
        return [], []
    share = "where the counters stood still"
    if by_counter:
        way = "more" if by_power > by_counter else "less"
        share = f"{100 * abs(by_power / by_counter - 1):.3g} % {way}"
    said = (
        f"the counters of energy say {by_counter / 3.6e6:.4g} kWh, the power sampled beside them "
        f"comes to {by_power / 3.6e6:.4g} kWh, {share}: the counters are taken, the range holds "
        "both"
    )
    if interval is None and by_counter and by_power:
        said += f"; of rows {by_counter / by_power * USUAL:.3g} s apart they would be the same"
    return [said], [whole - by_counter + by_power]


def _sampled(rows: Sequence[_Row], interval: float) -> float | None:
    """Joules by the power sampled while the counter counted; None where a row of it has none."""
    counted = _counter(rows)
    if len(counted) < 2:
        return None
    watts = [row.watts for row in rows[counted[0][0] : counted[-1][0] + 1]]
    known = [one for one in watts if one is not None]
    if len(known) < len(watts):
        return None
    return sum((before + after) / 2 * interval for before, after in pairwise(known))


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
