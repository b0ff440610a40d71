"""``nvidia-smi --query-gpu=timestamp,index,name,power.draw --format=csv -l 1 > gpu.csv``.

Needed: timestamp and one of power.draw, power.draw.average, power.draw.instant; index, uuid or
pci.bus_id tell devices apart, name says which they are.  A log of several devices without such a
column is refused: its rows would make one device of them.  Units may stand in the cells or be left
out (``nounits``); a file without a header cannot be read, since nothing says what its columns are.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING

from costcalc.base.errors import InputError, Problem
from costcalc.base.human import number_of
from costcalc.report.importing.cells import Row, at, number, refuse, table
from costcalc.report.importing.clocks import steady
from costcalc.report.importing.costed import Costing
from costcalc.report.importing.power import Samples, burst, of_samples

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

_POWER = ("power.draw", "power.draw.average", "power.draw.instant")
_UNIT = re.compile(r"\s*\[[^\]]*\]\s*$")
_DEVICE = ("uuid", "pci.bus_id", "index")
_STAMPS = ("%Y/%m/%d %H:%M:%S.%f", "%Y/%m/%d %H:%M:%S")
#: what nvidia-smi prints in the place of readings where a board or the driver does not answer
_MESSAGES = (
    *("unable to determine the device handle", "failed to initialize nvml"),
    *("no devices were found", "nvidia-smi has failed"),
)
_NOT_KNOWN = ("n/a", "not supported", "unknown error", "insufficient permissions", "gpu is lost")
#: what is said of a log of --format=csv,noheader
_HEADLESS = (
    "expected a header; this log has none (noheader). Put a first line before it that names its {} "
    "columns as --query-gpu did, such as: timestamp, index, name, power.draw [W]"
)


def read(text: str, name: str, *, costing: Costing | None = None) -> Report:
    """The report of a log: energy is the integral of the power drawn.

    Raises:
        InputError: a column is missing, or a cell cannot be read.
    """
    first, newline, rest = text.lstrip().partition("\n")
    if _second(first.partition(",")[0].strip()) is not None:
        raise refuse(name, _HEADLESS.format(len(first.split(","))), 1)
    head = ",".join(_UNIT.sub("", column).strip() for column in first.split(","))
    rows = table(
        f"{head}{newline}{rest}",
        name,
        [["timestamp"], _POWER],
        "a log of nvidia-smi --query-gpu=timestamp,index,name,power.draw --format=csv",
        said="no CSV",
    )
    _in_watts(first, name)
    problems: list[Problem] = []
    devices: dict[str, Samples] = {}
    unknown = 0
    seen: dict[str, list[float]] = {}
    nameless: list[tuple[float, Row]] = []  # rows that do not say of which device they are
    column = next((column for column in _POWER if any(column in row for row in rows)), _POWER[0])
    torn = [row for row in rows[-1:] if column not in row]
    rows = [row for row in rows[: len(rows) - len(torn)] if row["timestamp"] != "timestamp"]
    rows, messages = _readings(rows)
    seconds, changes = _steady(rows)
    for row, second in zip(rows, seconds, strict=True):
        watts = _watts(_with_decimals(row, column))
        if second is None:
            problems.append(at(name, row, "timestamp", "a time such as 2026/11/27 10:00:00.000"))
        elif watts is None and not _is_unknown(row.get(column, "")):
            problems.append(at(name, row, column, "watts"))
        else:
            key = _device(row)
            device = devices.setdefault(key, Samples(row.get("name", "")))
            if watts is None:
                unknown += 1
                device.silent.append(second)
                continue
            if not key:
                nameless.append((second, row))
            device.add(second, watts)
            seen.setdefault(key, []).append(second)
    if problems:
        raise InputError(problems[:20])
    _one_device(nameless, name)
    _one_machine(seen, name)
    notes = [f"{number_of(unknown, 'sample')} without a power left out"] if unknown else []
    notes += [*messages, *changes, *["the last row is cut off and left out"] * len(torn)]
    return of_samples(
        devices, name, tool="nvidia-smi", name="GPU log", costing=costing, warnings=notes
    )


def _readings(rows: Sequence[Row]) -> tuple[list[Row], list[str]]:
    """The rows without messages of the driver, and what is said of those."""
    told = [row for row in rows if row["timestamp"].lower().startswith(_MESSAGES)]
    if not told:
        return list(rows), []
    first = ",".join([*told[0].values(), *told[0].beyond])[:60]
    left = [row for row in rows if not row["timestamp"].lower().startswith(_MESSAGES)]
    number = number_of(len(told), "line")
    verb = "that is no reading" if len(told) == 1 else "that are no readings"
    return left, [f'left out: {number} {verb} ("{first}")']


def _device(row: Row) -> str:
    """What a row calls its device; empty where it names none."""
    return next((row[column] for column in _DEVICE if row.get(column)), "")


def _in_watts(head: str, name: str) -> None:
    """Refuse a log whose header says that its powers are in another unit.

    Raises:
        InputError: it says mW, kW or anything but W.
    """
    for cell in head.split(","):
        unit = re.search(r"\[([^\]]*)\]", cell)
        if unit and _UNIT.sub("", cell).strip().lower() in _POWER and unit[1].strip() != "W":
            raise refuse(name, f"expected powers in W; got the column {cell.strip()}", 1)


def _steady(rows: Sequence[Row]) -> tuple[list[float | None], list[str]]:
    """The seconds of rows, None where they say no time; a change of their clock is taken out."""
    told = [_second(row["timestamp"]) for row in rows]
    known = [(second, row) for second, row in zip(told, rows, strict=True) if second is not None]
    of_one = [second for second, row in known if _device(row) == _device(known[0][1])]
    steps = [abs(after - before) for before, after in pairwise(of_one)]
    usual = median(steps) if steps else 0.0
    made, changes = steady([second for second, _ in known], usual)
    times = iter(made)
    return [None if second is None else next(times) for second in told], changes


def _one_device(rows: Sequence[tuple[float, Row]], name: str) -> None:
    """Refuse rows of several devices that nothing tells apart.

    Raises:
        InputError: they come in bursts, or are of several names.
    """
    names = {row["name"] for _, row in rows if row.get("name")}
    count = max(len(names), burst([second for second, _ in rows]))
    if count > 1:
        raise refuse(
            name,
            f"expected a column that tells devices apart ({', '.join(_DEVICE)}): these rows are of "
            f"{count} devices or more; log --query-gpu=timestamp,index,name,power.draw",
            1,
        )


def _one_machine(seen: Mapping[str, Sequence[float]], name: str) -> None:
    """Refuse a log in which one name stands for the devices of several machines.

    Raises:
        InputError: a third of the readings of a device are of a time that it has already.
    """
    for key, seconds in seen.items():
        if key and len(seconds) > 1.5 * len(set(seconds)):
            raise refuse(
                name,
                f"expected one reading of a device at a time: device {key} has several, as where "
                "logs of several machines are one file; give each its own, or log uuid",
                1,
            )


def _watts(text: str) -> float | None:
    return number(text.removesuffix("W").strip())


def _with_decimals(row: Row, column: str) -> str:
    """A power whose decimals a comma cut off (``100,90 W``), made whole; no number otherwise."""
    said = row.get(column, "")
    if not row.beyond:
        return said
    whole = len(row.beyond) == 1 and column == list(row)[-1] and said.isdigit()
    return f"{said}.{row.beyond[0]}" if whole else f"{said},{','.join(row.beyond)}"


def _is_unknown(text: str) -> bool:
    bracketed = text.startswith("[") and text.endswith("]")
    return bracketed or any(word in text.lower() for word in _NOT_KNOWN)


def _second(text: str) -> float | None:
    """Seconds of a stamp, taken as UTC: it names no zone, and the reader's is none of the log's."""
    for stamp in _STAMPS:
        try:
            return datetime.strptime(text, stamp).replace(tzinfo=UTC).timestamp()
        except ValueError:
            continue
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
