"""What a report shows, as text: renderings, comparisons and templates read this, and add nothing.

>>> plain(1234567.0), plain(0.0000123456), plain(5.0)
('1230000', '0.0000123', '5')
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

from costcalc.base import writing
from costcalc.base.human import digits, human, span
from costcalc.calculator.document import kind as kind_of
from costcalc.report.files import BROKEN
from costcalc.report.table import HEADLINE

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Assumed, Figure, Report, Stage

    AnyPart = Report | Stage

ROWS = {
    "parameters": "Parameters",
    "training_compute": "Training compute",
    "total_compute": "Compute of all runs",
    "utilization": "Model FLOPs utilization",
    "wall_clock": "Wall-clock time of one run",
    "device_hours": "Device-hours",
    "cost": "Cost",
    "energy": "Energy",
    "water": "Water",
    "carbon_operational": "CO2e, electricity",
    "carbon_embodied": "CO2e, hardware",
    "carbon_total": "CO2e, total",
}
KINDS = {"estimated": "estimated", "measured": "measured", "mixed": "partly measured"}
FINETUNING = ("finetune", "lora", "frozen", "dpo", "ppo", "grpo")


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A figure as text: ``unknown`` with a ``why`` where it is null."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    unit: str
    text: str
    range: str  # 5th to 95th percentile in the unit of the text; empty where there is none
    why: str
    basis: str


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
    role: str
    number: str
    hours: str
    device_hours: str


class View:
    """A report as text."""

    def __init__(self, report: Mapping[str, object]) -> None:
        self.report = cast("Report", report)
        self.stages = self.report["stages"]
        self.parts: list[AnyPart] = [self.report, *self.stages]
        self.broken = writing.digest(report) != self.report["digest"]
        self.digest = self.report["digest"] + (" (BROKEN: changed since written)" * self.broken)
        self.name = self.report.get("name") or "training run"
        self.kind = KINDS[self.report.get("kind") or kind_of(self.report["results"])]
        self.version = self.report.get("costcalc_version") or ""
        self.software = f"costcalc {self.version}" if self.version else "costcalc"
        self.warnings = [*([BROKEN] * self.broken), *(self.report.get("warnings") or [])]

    @cached_property
    def figures(self) -> dict[str, Shown]:
        """Every figure of the report."""
        return {key: shown(self.report, key) for key in figures(self.report)}

    @property
    def rows(self) -> list[Shown]:
        """The figures that every document shows."""
        return [self.figures[key] for key in ROWS]

    @property
    def headline(self) -> list[Shown]:
        """Time, cost, energy, carbon, by their short names."""
        return [shown(self.report, key, label) for key, label in HEADLINE.items()]

    @property
    def measured_parts(self) -> list[Stage]:
        """The stages that say figures of their own."""
        return [stage for stage in self.stages if isinstance(stage.get("results"), Mapping)]

    @cached_property
    def hardware(self) -> str:
        """The accelerators as words, ``unknown`` where the report does not say."""
        found: dict[str, None] = {}
        for part in self.parts:
            item: object = (part.get("details") or {}).get("hardware")
            if isinstance(item, Mapping) and item.get("name"):
                count = item.get("count")
                number = f"{count:,.10g} × " if isinstance(count, (int, float)) else ""
                found[f"{number}{item['name']}"] = None
        return "; ".join(found) or "unknown"

    @cached_property
    def place(self) -> str:
        """Where it ran, ``unknown`` where the report does not say."""
        found: dict[str, None] = {}
        for part in self.parts:
            item = part.get("details") or {}
            region, label = str(item.get("region") or ""), str(item.get("place") or "")
            if region or label:
                found[f"{label} ({region})" if label and region else label or region] = None
        return "; ".join(found) or "unknown"

    @property
    def provider(self) -> str:
        """The cloud provider in the region's name, ``unknown`` where there is none."""
        regions = [str((part.get("details") or {}).get("region") or "") for part in self.parts]
        return next((r.partition(":")[0] for r in regions if ":" in r), "unknown")

    @property
    def inputs(self) -> list[ListedPart]:
        """The assumptions of the report and of each stage that lists any."""
        return [
            ListedPart(
                name=str(part.get("name") or ""),
                whole=part is self.report,
                inputs=[listed(item) for item in part.get("assumptions") or ()],
            )
            for part in self.parts
            if part.get("assumptions")
        ]

    @property
    def runs(self) -> list[ListedRun]:
        """The runs that the report lists."""
        return [
            ListedRun(
                id=run["id"],
                name=run.get("name") or run["id"],
                role=run["role"],
                number=f"{run.get('number') or 1:g}",
                hours=human(run.get("hours"), "h"),
                device_hours=human(run.get("device_hours"), "device_hour"),
            )
            for run in self.report.get("runs") or ()
        ]

    def every(self, key: str) -> list[Assumed]:
        """An assumption as each part of the report lists it."""
        items = [item for part in self.parts for item in part.get("assumptions") or ()]
        return [item for item in items if item.get("key") == key]

    def shared(self, key: str) -> Listed | None:
        """An assumption of the report, or that all of its stages share; None where they differ."""
        found = self.every(key)
        return listed(found[0]) if found and not self.differs(key) else None

    def differs(self, key: str) -> bool:
        """Whether the stages of a report rest on different values of an assumption."""
        found = self.every(key)
        return any(item["value"] != found[0]["value"] for item in found)

    @property
    def trained(self) -> list[tuple[bool, AnyPart]]:
        """Each part that has figures, and whether it is a fine-tuning."""
        run = self.report.get("run") or {}
        stages = cast("list[object]", run.get("stages") or ())
        named = {stage.get("name"): stage for stage in stages if isinstance(stage, Mapping)}
        made: list[tuple[bool, AnyPart]] = []
        for stage in self.measured_parts:
            method = _method(named.get(stage.get("name")), stage.get("run"), run)
            made.append((method in FINETUNING, stage))
        return made or [(_method(run) in FINETUNING, self.report)]


def _method(*runs: object) -> str:
    for run in runs:
        training = run.get("training") if isinstance(run, Mapping) else None
        if training and training.get("method"):
            return str(training["method"])
    return "pretrain"


def figures(part: Report | Stage) -> Mapping[str, Figure]:
    """The figures of a part by name."""
    found = cast("Mapping[str, Figure | None]", part["results"])
    return {key: figure for key, figure in found.items() if isinstance(figure, Mapping)}


def shown(part: Report | Stage, key: str, label: str = "") -> Shown:
    """One figure of a report or of a stage as people read it."""
    found = figures(part)[key]
    value, low, high, unit = found["value"], found["low"], found["high"], found["unit"]
    return Shown(
        label=label or ROWS.get(key, key),
        value=None if value is None else float(value),
        low=low,
        high=high,
        unit=unit,
        text=human(value, unit),
        range=span(low, high, value, unit),
        why=found.get("why") or "",
        basis=found["basis"],
    )


def listed(item: Assumed) -> Listed:
    """An assumption in its unit, with its range."""
    value, unit = item["value"], item.get("unit")
    number = float(value) if isinstance(value, (int, float)) else None
    text = str(value)
    if number is not None and not isinstance(value, bool):
        low, high = item.get("low"), item.get("high")
        text = digits(number) + ("" if unit in (None, "1") else f" {unit}")
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


def plain(number: float, significant: int = 3) -> str:
    """A number in plain decimals, never an exponent, rounded to significant digits."""
    from decimal import Decimal

    made = format(Decimal(f"{number:.{significant - 1}e}"), "f")
    return made.rstrip("0").rstrip(".") if "." in made else made
