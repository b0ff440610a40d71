"""What a report shows, as text: renderings, comparisons and templates read this, and add nothing.

>>> plain(1234567.0), plain(0.0000123456), plain(5.0)
('1230000', '0.0000123', '5')
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, cast

from costcalc.base import writing
from costcalc.base.human import human, many, span
from costcalc.calculator.document import kind as kind_of
from costcalc.calculator.result import HEADLINE
from costcalc.report import coverage
from costcalc.report.files import BROKEN
from costcalc.report.listing import Listed, ListedPart, ListedRun, listed, listed_run
from costcalc.report.metered import of_all
from costcalc.report.records import figures
from costcalc.report.said import AUTHOR, by, measurers, metered, priced, tool
from costcalc.report.totals import in_words, of_runs

if TYPE_CHECKING:
    from costcalc.calculator.report_schema import Assumed, Details, Report, Stage

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
BEFORE = {"energy_it": "Energy, before PUE"}  # a row where the facility's is not known
FURTHER = {  # rows only where they are known
    "sci": "Carbon intensity (SCI for AI)",
    "abiotic_depletion": "Abiotic depletion, hardware",
}
KINDS = {
    "estimated": "estimated",
    "measured": "time and energy measured",
    "mixed": "partly measured",
}
MOST = "most of the energy"  # where a model stands in for the rest of it
_OF_ALL = {
    "wall_clock": "Wall-clock time of all runs",
    "training_compute": "Training compute, each run once",
}
# What a figure is called within a sentence, where that is not its label in small letters.
_WITHIN = {
    "training_compute": "training compute",
    "energy_it": "energy before PUE",
    "utilization": "model FLOPs utilization",
    "carbon_operational": "CO2e of the electricity",
    "carbon_embodied": "CO2e of the hardware",
    "carbon_total": "total CO2e",
}
_BEHIND = {"energy": "energy behind PUE"}  # where that before it is known, or a part of it
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
    by: str = ""  # who says it, where the view of a whole report was asked


class View:
    """A report as text."""

    def __init__(self, report: Mapping[str, object]) -> None:
        self.report: Report = cast("Report", report)
        self.stages: list[Stage] = self.report["stages"]
        self.parts: list[AnyPart] = [self.report, *self.stages]
        self.broken: bool = writing.digest(report) != self.report["digest"]
        self.digest: str = self.report["digest"] + (
            " (BROKEN: changed since written)" * self.broken
        )
        self.name: str = self.report.get("name") or "training run"
        self.kind: str = KINDS[self.report.get("kind") or kind_of(self.report["results"])]
        self.version: str = self.report.get("costcalc_version") or ""
        self.software: str = f"costcalc {self.version}" if self.version else "costcalc"
        self.details: Mapping[str, object] = cast(
            "Mapping[str, object]", self.report.get("details") or {}
        )
        left_out = self.details.get("left_out")
        self.warnings: list[str] = [
            *([BROKEN] * self.broken),
            *(map(str, left_out) if isinstance(left_out, list) else ()),
            *(self.report.get("warnings") or []),
        ]

    @cached_property
    def figures(self) -> dict[str, Shown]:
        """Every figure of the report; those of the electricity before those that follow from it."""
        return {key: shown(self.report, key, self.label(key)) for key in figures(self.report)}

    def label(self, key: str) -> str:
        """What a figure is called; of several runs together, that it is of all of them."""
        all_runs = self.by_run.get("time") == "of all runs"
        return (
            _OF_ALL.get(key, "")
            if all_runs and key in _OF_ALL
            else (ROWS | BEFORE | FURTHER).get(key, key)
        )

    @cached_property
    def by_run(self) -> Mapping[str, object]:
        """Of which runs the time is, and the longest; empty of a single run."""
        found = self.details.get("by_run")
        return found if isinstance(found, Mapping) else {}

    @property
    def time(self) -> str:
        """The time in words: of one run, or of all with the longest."""
        figure = self.figures["wall_clock"]
        if figure.value is None or not self.by_run:
            return figure.text
        text = f"{figure.text} {self.by_run.get('time')}"
        longest = self.by_run.get("longest")
        more = isinstance(longest, (int, float)) and longest < figure.value
        return f"{text} (the longest {human(longest, 'h')})" if more else text  # type: ignore[arg-type]

    @cached_property
    def prices(self) -> str:
        """What the cost is reckoned with, of the report or alike of each of its parts."""
        own = priced(self.details)
        told = {priced(one.get("details") or {}) for one in self.measured_parts}
        return own or (told.pop() if len(told) == 1 and self._all_modelled("cost") else "")

    def _all_modelled(self, key: str) -> bool:
        """Whether every part's figure is known, and none is of a person or a meter."""
        found = [figures(one)[key] for one in self.measured_parts]
        return all(one["value"] is not None and one["basis"] == "modelled" for one in found)

    def said(self, key: str) -> Shown:
        """A figure with who says it: a meter, a tool, the author, a model."""
        return replace(self.figures[key], by=by(self, self.figures[key], key))

    def known(self, *keys: str) -> list[Shown]:
        """Those figures that are known, each with who says it."""
        return [self.said(key) for key in keys if self.figures[key].value is not None]

    def lacking(self, *keys: str) -> list[str]:
        """The names of those figures that are not known, as they stand within a sentence."""
        before = [self.energy] if self.energy in BEFORE else []
        asked = [one for key in keys for one in [key, *(before if key == "energy" else [])]]
        unknown = [key for key in asked if self.figures[key].value is None]
        within = {**_WITHIN, **(_BEHIND if self.energy in BEFORE else {})}
        named = {key: within.get(key) or self.figures[key].label.lower() for key in unknown}
        return [f"{name}{self._part_known(key)}" for key, name in named.items()]

    def _part_known(self, key: str) -> str:
        """What is known of a sum that is null, of how many runs."""
        known = figures(self.report)[key].get("known")
        if not known or known["value"] is None:
            return ""
        return f" ({in_words(known, self.figures[key].unit)} of {of_runs(known)})"

    @property
    def energy(self) -> str:
        """The energy that is told: the facility's, or where no PUE is known the machines' own."""
        both = ("energy", "energy_it")
        known = [key for key in both if self.figures[key].value is not None]
        partly = [key for key in both if self._part_known(key)]
        return next(iter([*known, *partly]), "energy")

    @property
    def source(self) -> str:
        """What the figures are by: the tool that recorded them, and costcalc."""
        recorded = tool(self)
        return f"{recorded}, read by {self.software}" if recorded else self.software

    @property
    def recorded(self) -> str:
        """What the energy that another tool recorded covers; empty of any other."""
        told = self.details.get("imported")
        return str(told.get("what") or "") if tool(self) and isinstance(told, Mapping) else ""

    @cached_property
    def boundary(self) -> str:
        """What a measured energy is of, before PUE; empty where all of the machines is in it."""
        if self.recorded:
            return self.recorded
        by_author = measurers(self) == [AUTHOR]
        measured = self.figures["energy_it"].basis == "measured"
        return coverage.boundary(self.parts) or (coverage.UNSAID if by_author and measured else "")

    @property
    def how(self) -> str:
        """How the figures came about, in one line."""
        if tool(self):
            return f"recorded by {tool(self)}: {self.recorded or 'what it covers is not said'}"
        who = [name for name in measurers(self) if name != AUTHOR]
        if self.kind == KINDS["estimated"] or not who:
            return f"{self.kind}{', as the author says' * bool(measurers(self))}"
        said = self.kind if metered(self) is None else self.kind.replace("energy", MOST)
        of = coverage.boundary(self.parts)
        return f"{said} by {', '.join(who)}{f'; energy of: {of}' if of else ''}"

    @property
    def rows(self) -> list[Shown]:
        """The figures that every document shows, each with who says it."""
        further = [key for key in FURTHER if key in self.figures]
        known = [key for key in further if self.figures[key].value is not None]
        before = list(BEFORE) if self.energy in BEFORE else []
        at = list(ROWS).index("energy") + 1
        return [self.said(key) for key in (*[*ROWS][:at], *before, *[*ROWS][at:], *known)]

    @property
    def headline(self) -> list[Shown]:
        """Time, cost, energy, carbon, by their short names; the time says of which runs it is."""
        of = f" {self.by_run.get('time')}" if self.by_run else ""
        told = {self.energy if key == "energy" else key: label for key, label in HEADLINE.items()}
        return [
            replace(self.said(key), label=f"{BEFORE.get(key, label)}{of * (key == 'wall_clock')}")
            for key, label in told.items()
        ]

    @property
    def measured_parts(self) -> list[Stage]:
        """The stages that say figures of their own."""
        return [stage for stage in self.stages if isinstance(stage.get("results"), Mapping)]

    @cached_property
    def hardware(self) -> str:
        """The accelerators as words, ``unknown`` where the report does not say."""
        return self._named(_hardware)

    @cached_property
    def place(self) -> str:
        """Where it ran, ``unknown`` where the report does not say."""
        return self._named(_place)

    def _named(self, words: Callable[[Details], str]) -> str:
        """What the report says of all its parts, or each of them; of one is not of all."""
        own = words(self.report.get("details") or {})
        told = [words(part.get("details") or {}) or None for part in self.stages]
        return own or (of_all(told, "; ", "part") if any(told) else "unknown")

    @property
    def provider(self) -> str:
        """The cloud provider in the region's name, ``unknown`` where there is none."""
        return self._named(_provider)

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
        return [listed_run(run) for run in self.report.get("runs") or ()]

    def every(self, key: str) -> list[Assumed]:
        """An assumption as each part of the report lists it."""
        items = [item for part in self.parts for item in part.get("assumptions") or ()]
        return [item for item in items if item.get("key") == key]

    def shared(self, key: str) -> Listed | None:
        """An assumption of the report, or that all of its stages share; None where they differ.

        What only some of the stages list is not that of all.
        """
        found = self.every(key)
        whole = any(item["key"] == key for item in self.report.get("assumptions") or ())
        if not found or self.differs(key) or (not whole and len(found) < len(self.measured_parts)):
            return None
        return listed(found[0])

    def differs(self, key: str) -> bool:
        """Whether the stages of a report rest on different values of an assumption."""
        found = self.every(key)
        return any(item["value"] != found[0]["value"] for item in found)

    @property
    def provider_known(self) -> bool:
        """Whether a cloud provider is named."""
        return self.provider != "unknown"

    @property
    def activity(self) -> str:
        """Pre-training or fine-tuning; empty where no model is known of a part."""
        run = self.report["run"]
        kept = [stage["run"] for stage in self.stages if "run" in stage] or [run]
        stages = run.get("stages")
        asked = [run, *stages] if isinstance(stages, list) else kept
        models = [bool(one.get("model")) for one in asked if isinstance(one, Mapping)]
        if not (any(models) if isinstance(stages, list) else all(models)):
            return ""
        return "fine-tuning" if all(tuned for tuned, _ in self.trained) else "pre-training"

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


def _hardware(details: Details) -> str:
    item = details.get("hardware")
    if not isinstance(item, Mapping) or not item.get("name"):
        return ""
    count = item.get("count")
    number = f"{many(count)} × " if count and isinstance(count, (int, float)) else ""
    return f"{number}{item['name']}"


def _place(details: Details) -> str:
    region, label = str(details.get("region") or ""), str(details.get("place") or "")
    return f"{label} ({region})" if label and region else label or region


def _provider(details: Details) -> str:
    name, colon, _ = str(details.get("region") or "").partition(":")
    return name if colon else ""


def _method(*runs: object) -> str:
    for run in runs:
        training = run.get("training") if isinstance(run, Mapping) else None
        if training and training.get("method"):
            return str(training["method"])
    return "pretrain"


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
        text=human(value, unit, exact=low == high),
        range=span(low, high, value, unit),
        why=found.get("why") or "",
        basis=found["basis"],
    )


def plain(number: float, significant: int = 3) -> str:
    """A number in plain decimals, never an exponent, rounded to significant digits."""
    from decimal import Decimal

    made = format(Decimal(f"{number:.{significant - 1}e}"), "f")
    return made.rstrip("0").rstrip(".") if "." in made else made
