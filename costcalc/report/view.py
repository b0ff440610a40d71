"""What every renderer asks of a report: figures as text, parts, names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from costcalc.base.human import human, span

Report = Mapping[str, Any]

ROWS = (
    ("parameters", "Parameters"),
    ("training_compute", "Training compute"),
    ("total_compute", "Compute of all runs"),
    ("utilization", "Model FLOPs utilization"),
    ("wall_clock", "Wall-clock time of one run"),
    ("device_hours", "Device-hours"),
    ("cost", "Cost"),
    ("energy", "Energy"),
    ("water", "Water"),
    ("carbon_operational", "CO2e, electricity"),
    ("carbon_embodied", "CO2e, hardware"),
    ("carbon_total", "CO2e, total"),
)
HEADLINE = (
    ("wall_clock", "Time"),
    ("cost", "Cost"),
    ("energy", "Energy"),
    ("carbon_total", "CO2e"),
)
KINDS = {"estimated": "estimated", "measured": "measured", "mixed": "partly measured"}


def name(report: Report) -> str:
    """The name of the report."""
    return str(report.get("name") or "training run")


def figure(report: Report, key: str) -> Mapping[str, Any]:
    """One of the results."""
    found: Mapping[str, Any] = report["results"][key]
    return found


def value(report: Report, key: str) -> float | None:
    """The value of a result, None where it is unknown."""
    found = figure(report, key)["value"]
    return None if found is None else float(found)


def text(report: Report, key: str) -> str:
    """A result as people read it, ``unknown`` where it is null."""
    return human(value(report, key), figure(report, key)["unit"])


def between(report: Report, key: str) -> str:
    """The 90 % range of a result in the unit of its text; empty where there is none."""
    found = figure(report, key)
    return span(found["low"], found["high"], found["value"], found["unit"])


def rows(report: Report) -> Iterator[tuple[str, str, str, str]]:
    """Label, value, range, and where unknown why, of each figure that a document shows."""
    for key, label in ROWS:
        found = figure(report, key)
        why = "" if found["value"] is not None else str(found.get("why") or "")
        yield label, text(report, key), between(report, key), why


def plain(number: float, significant: int = 3) -> str:
    """A number in plain decimals, never an exponent, rounded to significant digits.

    >>> plain(1234567.0), plain(0.0000123456), plain(5.0)
    ('1230000', '0.0000123', '5')
    """
    rounded = Decimal(f"{number:.{significant - 1}e}")
    shown = format(rounded, "f")
    return shown.rstrip("0").rstrip(".") if "." in shown else shown


def kind(report: Report) -> str:
    """``estimated``, ``measured`` or ``partly measured``; worked out where it is not said."""
    from costcalc.calculator.sections import kind as of

    return KINDS[report.get("kind") or of(report["results"])]


def hardware(report: Report) -> str:
    """The accelerators as words, ``unknown`` where the report does not say."""
    found = []
    for part in [report, *report["stages"]]:
        item = (part.get("details") or {}).get("hardware") or {}
        if isinstance(item, Mapping) and item.get("name"):
            count = item.get("count")
            shown = f"{count:,.10g} × " if isinstance(count, (int, float)) else ""
            found.append(f"{shown}{item['name']}")
    return "; ".join(dict.fromkeys(found)) or "unknown"


def place(report: Report) -> str:
    """Where it ran, ``unknown`` where the report does not say."""
    found = []
    for part in [report, *report["stages"]]:
        item = part.get("details") or {}
        if item.get("place") or item.get("region"):
            region, label = str(item.get("region") or ""), str(item.get("place") or "")
            found.append(f"{label} ({region})" if label and region else label or region)
    return "; ".join(dict.fromkeys(found)) or "unknown"


def provider(report: Report) -> str:
    """The cloud provider in the region's name, ``unknown`` where there is none."""
    for part in [report, *report["stages"]]:
        region = str((part.get("details") or {}).get("region") or "")
        if ":" in region:
            return region.partition(":")[0]
    return "unknown"


def assumption(report: Report, key: str) -> Mapping[str, Any] | None:
    """An assumption of the report, or that all of its stages share; None where they differ."""
    found = _every(report, key)
    return found[0] if found and all(item["value"] == found[0]["value"] for item in found) else None


def differs(report: Report, key: str) -> bool:
    """Whether the stages of a report rest on different values of an assumption."""
    found = _every(report, key)
    return any(item["value"] != found[0]["value"] for item in found)


def _every(report: Report, key: str) -> list[Mapping[str, Any]]:
    parts = [report, *report["stages"]]
    return [
        item for part in parts for item in part.get("assumptions") or () if item.get("key") == key
    ]


def assumed(item: Mapping[str, Any]) -> str:
    """An assumption's value in its unit, with its range."""
    from costcalc.base.human import digits

    if not isinstance(item["value"], (int, float)) or isinstance(item["value"], bool):
        return str(item["value"])
    unit = "" if item.get("unit") in (None, "1") else f" {item['unit']}"
    low, high = item.get("low"), item.get("high")
    shown = digits(float(item["value"])) + unit
    if low is None or high is None or low == high:
        return shown
    return f"{shown} ({digits(float(low))} – {digits(float(high))})"


def software(report: Report) -> str:
    """costcalc and its version."""
    version = report.get("costcalc_version")
    return f"costcalc {version}" if version else "costcalc"
