"""Assumptions and runs of a report as text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from costcalc.base.human import counted, digits, human

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Assumed, RunEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """An assumption as text; ``number`` is None where it is a word."""

    key: str
    text: str
    number: float | None
    unit: str
    basis: str
    source: str
    why: str


def listed(item: Assumed) -> Listed:
    """An assumption in its unit, with its range."""
    value, unit = item["value"], item.get("unit")
    number = float(value) if isinstance(value, (int, float)) else None
    text = str(value)
    if number is not None and not isinstance(value, bool):
        low, high = item.get("low"), item.get("high")
        exact = item.get("low") == item.get("high")
        text = counted(number) if exact else digits(number)
        text += "" if unit in (None, "1") else f" {unit}"
        if low is not None and high is not None and low != high:
            text += f" ({digits(float(low))} – {digits(float(high))})"
    return Listed(
        key=item["key"],
        text=text,
        number=number,
        unit=unit or "",
        basis=item["basis"],
        source=item["source"],
        why=item.get("why") or "",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPart:
    """The assumptions of the ``whole`` report or of one of its stages."""

    name: str
    whole: bool
    inputs: list[Listed]


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedRun:
    """A run behind the figures as text."""

    id: str
    name: str
    role: str  # empty where nobody says it
    state: str  # ``running`` where it still does
    number: str
    hours: str
    device_hours: str
    by: str  # who measured it; empty where it was calculated

    @property
    def words(self) -> str:
        """Its role, whether it still runs, and how many of it there are; empty of a plain one."""
        still = "still running" * bool(self.state)
        many = f"{self.number} of it" if self.number != "1" else ""
        return ", ".join(filter(None, (self.role, still, many)))


def listed_run(run: RunEntry) -> ListedRun:
    """A run of a report as it is read."""
    measured = bool(run.get("measured_by"))
    return ListedRun(
        id=run["id"],
        name=run.get("name") or run["id"],
        role=run["role"] if run["role"] != "unknown" else "",
        state=run.get("state") or "",
        number=f"{run.get('number') or 1:g}",
        hours=human(run.get("hours"), "h"),
        device_hours=human(run.get("device_hours"), "device_hour", exact=measured),
        by=run.get("measured_by") or "",
    )
