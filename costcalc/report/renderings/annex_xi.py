"""EU model documentation: AI Act Annex XI 1(2)(d), (e), as the Code of Practice's form asks.

Training compute in FLOP, energy in MWh with two significant digits, wall-clock days and
hardware-days, and where the marks of 10^23 (general-purpose, Commission guidelines of 2025-07-18)
and 10^25 FLOP (systemic risk, Art. 51(2)) stand.  Source: Regulation (EU) 2024/1689, Annex XI,
https://artificialintelligenceact.eu/annex/11; Code of Practice, Model Documentation Form, 2025.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10
from typing import Any

from costcalc.report import view

GENERAL_PURPOSE, SYSTEMIC = 1e23, 1e25
_MONTH = 30.44  # days


def render(report: Mapping[str, Any]) -> str:
    """The fields of the form, N/A with a reason where a figure is not known."""
    compute = view.value(report, "total_compute")
    lines = [
        f"Model documentation: {view.name(report)}",
        "",
        f"Number of parameters: {_rounded(view.value(report, 'parameters'), '')}",
        f"Training time: {_time(report)}",
        f"Hardware-days: {_hardware_days(report)}",
        f"Training compute: {_compute(report, compute)}",
    ]
    lines += _marks(compute)
    energy = view.value(report, "energy")
    shown = (
        f"{_rounded(energy / 1e3, 'MWh')} ({view.kind(report)})"
        if energy is not None
        else f"N/A: {view.figure(report, 'energy').get('why') or 'not known'}"
    )
    lines += [f"Energy used for training: {shown}", "", f"Methodology: {_methodology(report)}", ""]
    return "\n".join(lines)


def _rounded(value: float | None, unit: str) -> str:
    return "N/A" if value is None else f"{view.plain(value, 2)} {unit}".strip()


def _time(report: Mapping[str, Any]) -> str:
    hours = view.value(report, "wall_clock")
    if hours is None:
        return "N/A"
    days = hours / 24
    months = days / _MONTH
    band = (
        "less than 1 month"
        if months < 1
        else "1 to 3 months"
        if months < 3
        else "3 to 6 months"
        if months < 6
        else "more than 6 months"
    )
    return f"{view.plain(days, 2)} wall-clock days ({band}) a run"


def _hardware_days(report: Mapping[str, Any]) -> str:
    hours = view.value(report, "device_hours")
    return (
        "N/A"
        if hours is None
        else (f"{view.plain(hours / 24, 2)} on {view.hardware(report)}, all runs")
    )


def _compute(report: Mapping[str, Any], compute: float | None) -> str:
    if compute is None:
        return f"N/A: {view.figure(report, 'total_compute').get('why') or 'not known'}"
    if compute <= 0:
        return "0 FLOP"
    return f"{compute:.1e} FLOP (order of magnitude 10^{floor(log10(compute))})"


def _marks(compute: float | None) -> list[str]:
    if compute is None:
        return ["10^23 and 10^25 FLOP: cannot be judged, the compute is not known"]
    words = {True: "above", False: "not above"}
    return [
        f"10^23 FLOP (indicates a general-purpose model): {words[compute > GENERAL_PURPOSE]}",
        f"10^25 FLOP (presumed systemic risk): {words[compute > SYSTEMIC]}",
    ]


def _methodology(report: Mapping[str, Any]) -> str:
    pue = view.assumption(report, "site.pue")
    stated = f" x PUE {view.assumed(pue)}" if pue else ""
    return (
        f"Figures are {view.kind(report)} with {view.software(report)}. Energy is that of the "
        f"facility over the allocated time: (accelerators + hosts + network){stated}; storage, "
        "offices and inference are not counted. Compute counts matrix multiplications, 2 FLOP a "
        "multiply-add, without recomputation, over all runs counted. "
        f"Report {report['digest']}."
    )
