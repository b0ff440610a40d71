"""carbontracker's log: ``Duration``, ``Energy`` and ``CO2eq`` of the actual consumption.

An output log holds the prediction first and the actual figures at its end; only the actual ones
count.  carbontracker multiplies energy by a PUE of its own, which it prints in the other log
(``…_carbontracker.log`` beside ``…_carbontracker_output.log``): both are read where both are there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from costcalc.report.importing.build import Recorded, report
from costcalc.report.importing.cells import number, refuse
from costcalc.report.importing.costed import Costing
from costcalc.report.tools import BOUNDARIES

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

_ACTUAL = re.compile(r"Actual consumption(?: for \d+ epoch\(?s?\)?)?:")
_STAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:")
_FIELD = re.compile(r"^\s*(Time|Duration|Energy|CO2eq):\s*(.+?)\s*$")
_INTENSITY = re.compile(r"(\d+(?:\.\d+)?)\s*gCO2(?:eq)?/kWh")
_CPUS = re.compile(r"\bCPU with device\(s\)")
_PUE = re.compile(r"PUE(?: coefficient)?(?: of|:)?\s+(\d+(?:\.\d+)?)")
_GPUS = re.compile(r"\bGPU with device\(s\) ([^\n]{1,2000}?)\.(?: |$)", re.MULTILINE)
_VERSION = re.compile(r"carbontracker version (\S+)", re.IGNORECASE)
_ENERGY = {"J": 1 / 3.6e6, "Wh": 1e-3, "kWh": 1.0, "MWh": 1e3}
_MASS = {"mg": 1e-6, "g": 1e-3, "kg": 1.0, "t": 1e3}


def read(text: str, name: str, *, costing: Costing | None = None) -> Report:
    """The report of a log; of several actual blocks the last one counts.

    Raises:
        InputError: the log has no actual consumption.
    """
    fields = _actual(text)
    if not fields:
        raise refuse(
            name,
            'expected "Actual consumption"; the log has none: a prediction is not a measurement',
        )
    energy = _amount(fields.get("Energy"), _ENERGY)
    emitted = _amount(fields.get("CO2eq"), _MASS)
    intensity = _INTENSITY.findall(text)
    energy = energy or None
    grid = emitted / energy * 1000 if emitted is not None and energy else None
    if grid is None and intensity:
        grid = number(intensity[-1])
    pue = _PUE.search(text)
    factor = (number(pue[1]) or 1.0) if pue else 1.0
    version = _VERSION.search(text)
    gpus = _GPUS.search(text)
    names = [item.strip() for item in gpus[1].split(",")] if gpus else []
    run = Recorded(
        key=text,
        name="run 1",
        hours=_hours(fields.get("Duration") or fields.get("Time")),
        devices=float(len(names)) or None,
        hardware=", ".join(dict.fromkeys(names)) or None,
        energy_it=None if energy is None else energy / factor,
        pue=factor,
        grid=grid,
        why={
            "device_hours": "carbontracker found processors alone, no GPU"
            if _CPUS.search(text) and not names
            else "the log names no GPU",
            "energy": "the log has no energy",
            "energy_it": "the log has no energy",
        },
    )
    notes = (
        []
        if pue
        else [
            (
                "PUE: the log does not say what its energy was multiplied by; taken as "
                "energy at the facility, PUE shown as 1"
            )
        ]
    )
    return report(
        [run],
        name="carbontracker",
        tool="carbontracker",
        version=version[1] if version else None,
        boundary=BOUNDARIES["carbontracker"],
        warnings=notes,
        costing=costing,
    )


def beside(name: str) -> str | None:
    """The name of the other log of the same run.

    >>> beside("logs/7_carbontracker_output.log"), beside("logs/7_carbontracker.log")
    ('logs/7_carbontracker.log', 'logs/7_carbontracker_output.log')
    """
    for mine, other in (("_output.log", ".log"), (".log", "_output.log")):
        if name.endswith(f"_carbontracker{mine}"):
            return name.removesuffix(mine) + other
    return None


def _actual(text: str) -> dict[str, str]:
    fields: dict[str, str] = {}
    inside = False
    for line in text.splitlines():
        if _ACTUAL.search(line):
            inside, fields = True, {}
        elif "Predicted consumption" in line or _STAMP.match(line):
            inside = False
        elif inside:
            found = _FIELD.match(line[:500])
            if found:
                fields[found[1]] = found[2]
    return fields


def _amount(text: str | None, units: dict[str, float]) -> float | None:
    parts = (text or "").replace(",", "").split()
    if len(parts) < 2 or parts[1] not in units:
        return None
    value = number(parts[0])
    return None if value is None else value * units[parts[1]]


def _hours(text: str | None) -> float | None:
    """``1 day, 2:03:04`` or ``0:12:34`` in hours."""
    found = re.match(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d)(?:\.\d+)?$", text or "")
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return days * 24 + hours + minutes / 60 + seconds / 3600
