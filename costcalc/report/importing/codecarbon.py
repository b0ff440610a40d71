"""CodeCarbon's ``emissions.csv``: a row a run; a run that was flushed has several, the last counts.

CodeCarbon multiplies power and energy by its ``pue`` itself (default 1), and its emissions are
``energy_consumed`` times its own grid factor: both are taken as recorded.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from costcalc.report.importing.build import Recorded, Row, number, refuse, report, table

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Report

_NEEDED = ("duration", "energy_consumed", "emissions")
_COUNT = re.compile(r"^\s*(\d+)\s*x\s+(.*)$")


def read(text: str, name: str, *, identify: bool = False) -> Report:
    """The report of an ``emissions.csv``.

    Raises:
        InputError: a column is missing, or no row can be read.
    """
    rows = table(
        text, name, [[column] for column in _NEEDED], "the columns of CodeCarbon", said="no CSV"
    )
    last: dict[str, Row] = {}
    for index, row in enumerate(rows):
        key = "|".join(row.get(column) or "" for column in ("run_id", "experiment_id"))
        last[key if key.strip("|") else f"row {index}"] = row
    if not last:
        raise refuse(name, "holds no run")
    runs = [_run(key, index, row, identify) for index, (key, row) in enumerate(last.items(), 1)]
    first = next(iter(last.values()))
    return report(
        runs,
        name=str(first.get("project_name") or "codecarbon") if identify else "CodeCarbon",
        tool="CodeCarbon",
        version=str(first.get("codecarbon_version") or "") or None,
        boundary="CPU, GPU and memory of the machine as CodeCarbon counts them, times its PUE",
        region=_region(first),
        warnings=("grid factor: CodeCarbon's own, emissions over energy as recorded",),
    )


def _run(key: str, index: int, row: Row, identify: bool) -> Recorded:
    seconds, energy = number(row["duration"]), number(row["energy_consumed"])
    emissions = number(row["emissions"])
    pue = number(row.get("pue")) or 1.0
    energy = energy or None  # 0 is a meter that saw nothing
    grid = emissions / energy * 1000 if emissions is not None and energy else None
    why = {"energy": "CodeCarbon recorded no energy", "energy_it": "CodeCarbon recorded no energy"}
    if energy is None:
        why["carbon_operational"] = "no energy to go with it"
    devices, model = _hardware(row)
    if devices is None:
        why["device_hours"] = "no GPU was counted" if not model else "the number is not recorded"
    return Recorded(
        key=f"{key}|{row.get('timestamp') or ''}" if key.startswith("row ") else key,
        name=str(row.get("project_name") or f"run {index}") if identify else f"run {index}",
        hours=None if seconds is None else seconds / 3600,
        devices=devices,
        hardware=model,
        energy_it=None if energy is None else energy / pue,
        pue=pue,
        grid=grid,
        why=why,
    )


def _hardware(row: Row) -> tuple[float | None, str | None]:
    """Devices and what they are: ``2 x NVIDIA A100-SXM4-80GB``."""
    model = str(row.get("gpu_model") or "").strip()
    found = _COUNT.match(model)
    count = number(row.get("gpu_count")) or (float(found[1]) if found else None)
    return count or None, (found[2] if found else model) or None


def _region(row: Row) -> str | None:
    parts = [str(row.get(c) or "").strip() for c in ("cloud_provider", "cloud_region")]
    if all(parts):
        return ":".join(parts)
    parts = [str(row.get(c) or "").strip() for c in ("region", "country_name")]
    return ", ".join(part for part in parts if part) or None
