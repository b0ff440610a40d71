"""carbontracker's log: ``Duration``, ``Energy`` and ``CO2eq`` of the actual consumption.

An output log holds the prediction first and the actual figures at its end; only the actual ones
count.  carbontracker multiplies energy by a PUE of its own, which it prints in the other log
(``…_carbontracker.log`` beside ``…_carbontracker_output.log``): both are read where both are there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from costcalc.base.human import number_of
from costcalc.report.importing.build import Recorded, report
from costcalc.report.importing.cells import number, refuse
from costcalc.report.importing.costed import Costing
from costcalc.report.tools import BOUNDARIES

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

_ACTUAL = re.compile(r"Actual consumption(?: for (\d{1,9}) epoch\(?s?\)?)?:")
_PLANNED = re.compile(r"Predicted consumption for (\d{1,9}) epoch\(?s?\)?:")
_STAMP_LENGTH = len("2026-01-01 00:00:00")
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
    """The report of a log: each block of actual consumption is a run, one that stands twice once.

    A tracker writes one block and ends (``_output_actual`` and ``_delete`` of carbontracker 2).

    Raises:
        InputError: the log has no actual consumption, or its runs are of several PUEs.
    """
    blocks = _blocks(text)
    if not blocks:
        raise refuse(
            name,
            'expected "Actual consumption"; the log has none: a prediction is not a measurement',
        )
    said = list(dict.fromkeys(_PUE.findall(text)))
    if len(said) > 1:
        raise refuse(name, f"expected one PUE; the log has {', '.join(said)}: a log each, please")
    factor = (number(said[0]) or 1.0) if said else 1.0
    version = _VERSION.search(text)
    own = list({block.key: block for block in blocks}.values())
    only = _Only(_one_of(_INTENSITY, text), _one_of(_GPUS, text), bool(_CPUS.search(text)))
    runs = [_run(block, f"run {at}", factor, only) for at, block in enumerate(own, 1)]
    return report(
        runs,
        name="carbontracker",
        tool="carbontracker",
        version=version[1] if version else None,
        boundary=BOUNDARIES["carbontracker"],
        warnings=list(_notes(own, len(blocks), pue=bool(said))),
        costing=costing,
    )


@dataclass(frozen=True, slots=True)
class _Block:
    """What a tracker said when it ended: its figures, and the log from the one before to it."""

    stamp: str
    epochs: str
    fields: Mapping[str, str]
    before: str

    @property
    def key(self) -> str:
        """What tells it apart: when it was written and what it says, to the twelfth digit."""
        return repr((self.stamp, self.epochs, sorted(self.fields.items())))


def _notes(own: Sequence[_Block], all_: int, *, pue: bool) -> Iterator[str]:
    if not pue:
        yield (
            "PUE: the log does not say what its energy was multiplied by; taken as "
            "energy at the facility, PUE shown as 1"
        )
    if len(own) < all_:
        yield f"{number_of(all_ - len(own), 'run')} that the log holds again: counted once"
    for at, block in enumerate(own, 1):
        planned = _PLANNED.findall(block.before)
        if planned and block.epochs and int(block.epochs) < int(planned[-1]):
            run = f"run {at}: " if len(own) > 1 else ""
            yield (
                f"{run}{block.epochs} of {planned[-1]} epochs were metered: the energy of any "
                "others is not in the figure"
            )


class _Only(NamedTuple):
    """What a log says once, or always the same: of a block that does not say it, too."""

    intensity: Sequence[str]
    devices: Sequence[str]
    processors: bool  # whether any were metered


def _one_of(pattern: re.Pattern[str], text: str) -> Sequence[str]:
    said = list(dict.fromkeys(pattern.findall(text)))
    return said if len(said) == 1 else ()


def _run(block: _Block, name: str, pue: float, only: _Only) -> Recorded:
    energy = _amount(block.fields.get("Energy"), _ENERGY) or None
    emitted = _amount(block.fields.get("CO2eq"), _MASS)
    grid = emitted / energy * 1000 if emitted is not None and energy else None
    intensity = _INTENSITY.findall(block.before) or only.intensity
    if grid is None and intensity:
        grid = number(intensity[-1])
    listed = _GPUS.findall(block.before) or only.devices
    names = [item.strip() for item in listed[-1].split(",")] if listed else []
    return Recorded(
        key=block.key,
        name=name,
        hours=_hours(block.fields.get("Duration") or block.fields.get("Time")),
        devices=float(len(names)) or None,
        hardware=", ".join(dict.fromkeys(names)) or None,
        energy_it=None if energy is None else energy / pue,
        pue=pue,
        grid=grid,
        why={
            "device_hours": "carbontracker found processors alone, no GPU"
            if only.processors and not names
            else "the log names no GPU",
            "energy": "the log has no energy",
            "energy_it": "the log has no energy",
        },
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


def _blocks(text: str) -> list[_Block]:
    """Every block of actual consumption, in the order of the log."""
    found: list[_Block] = []
    fields: dict[str, str] = {}
    inside, stamp = False, ""
    lines: list[str] = []
    for line in text.splitlines():
        stamped, actual = _STAMP.match(line), _ACTUAL.search(line)
        stamp = line[:_STAMP_LENGTH] if stamped else stamp
        if actual:
            inside, fields = True, {}
            found.append(_Block(stamp, actual[1] or "", fields, "\n".join(lines)))
            lines = []
        elif stamped or "Predicted consumption" in line:
            inside = False
        elif inside:
            told = _FIELD.match(line[:500])
            if told:
                fields[told[1]] = told[2]
        lines.append(line)
    return [block for block in found if block.fields]


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
