"""The cheapest, fastest and cleanest way to train a given model within limits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from costcalc.base.human import human
from costcalc.calculator.limits import LIMITED
from costcalc.calculator.result import UNITS, FigureName
from costcalc.catalog.region import CLOUDS
from costcalc.catalog.region import find as find_region
from costcalc.decide.buying import CANDIDATES, at_most, counts_for, placed, unmet
from costcalc.decide.chance import Chance, Judged
from costcalc.decide.chunk import ALIKE, Columns
from costcalc.decide.comparing import compare
from costcalc.decide.sweep import ScenarioRow, section, single
from costcalc.throughput.placement import untold

AIMS: tuple[tuple[str, FigureName], ...] = (
    ("cheapest", "cost"),
    ("fastest", "wall_clock"),
    ("cleanest", "carbon_total"),
)
MOST = 1024  # devices that are tried
TRIED = 300  # scenarios whose chances are drawn, of those that keep the limits on their values


def alternatives(
    raw: Mapping[str, object], chance: Chance
) -> tuple[dict[str, object], Judged, dict[str, ScenarioRow], list[str]]:
    """The run of the first way, its estimate, every way's row, and what is to be said.

    Raises:
        InputError: nothing that was tried trains it within the limits.
    """
    asked = section(raw, "hardware")
    region = section(raw, "site").get("region")
    anywhere = not placed(raw)
    devices = [asked["accelerator"]] if "accelerator" in asked else list(CANDIDATES)
    counts = (
        [asked["count"]] if "count" in asked else [each for each in counts_for(raw) if each <= MOST]
    )
    regions = list(CLOUDS) if anywhere else [region or "world"]
    notes = []
    if anywhere:
        notes.append(f"no place is given: the regions of {', '.join(CLOUDS)} are tried")
    elif region is None:
        notes.append("no site.region: carbon is not compared")
    tables: list[Columns] = []
    with untold():
        found = compare(
            raw,
            accelerators=devices,
            counts=counts,
            regions=regions,
            ranges=False,
            write=tables.append,
            interruptions=chance.spot is not None,
        )
    tried = _Tried(raw, found.limits, chance, keep_site=region is not None or anywhere)
    made: dict[str, tuple[ScenarioRow, Judged]] = {}
    for name, figure in AIMS:
        if figure == "carbon_total" and region is None and not anywhere:
            continue
        best = tried.first(_ordered(tables, figure, found.limits))
        if best is not None:
            made[name] = best
    if not made:
        why = "no hardware and count that were tried trains this model within them"
        if tried.number:
            why += f" with a chance of {chance.confidence:g}"
        else:
            why += _least(tables, found.limits)
        raise unmet(why)
    notes += at_most(counts, *(way["count"] for way, _ in made.values()))
    row, judged = next(iter(made.values()))
    return tried.run(row), judged, {name: way for name, (way, _) in made.items()}, notes


def _ordered(
    tables: Sequence[Columns], figure: FigureName, limits: Mapping[str, float]
) -> Iterator[ScenarioRow]:
    """Scenarios that keep the limits on their values, the least of a figure first.

    What no provider there is known to rent comes after the rest; of those alike the cheapest.
    """
    for rented in (True, False):
        listed: list[tuple[float, float, int, int]] = []
        for t, table in enumerate(tables):
            values, cost = table.figures[figure], table.figures["cost"]
            kept = np.isfinite(values) & (np.isfinite(cost) if rented else np.isnan(cost))
            for key, most in limits.items():
                with np.errstate(invalid="ignore"):
                    kept &= table.figures[LIMITED[key]] <= most
            at = np.flatnonzero(kept)
            costs = np.nan_to_num(cost[at]).tolist()
            listed += zip(_alike(values[at]), costs, [t] * len(at), at.tolist(), strict=True)
        for _, _, t, i in sorted(listed):
            yield _row(tables[t], i)


def _least(tables: Sequence[Columns], limits: Mapping[str, float]) -> str:
    """How near the limits anything came: the least value that was tried of each limited figure."""
    told = []
    for key in limits:
        figure = LIMITED[key]
        values = np.concatenate([np.ravel(table.figures[figure]) for table in tables])
        known = values[np.isfinite(values)]
        if known.size:
            told.append(f"{key} {human(float(known.min()), UNITS[figure])}")
    return f"; the least that was tried: {', '.join(told)}" if told else ""


def _alike(values: NDArray[np.float64]) -> list[float]:
    """Figures that differ by nothing but rounding, as the same number."""
    digits = -int(np.floor(np.log10(ALIKE)))
    return [float(f"{value:.{digits - 1}e}") for value in values.tolist()]


def _row(table: Columns, i: int) -> ScenarioRow:
    accelerator, count, region, plan = (
        words[code] for words, code in zip(table.words, table.codes[:, i].tolist(), strict=True)
    )
    known = {name: float(values[i]) for name, values in table.figures.items()}
    figures = {name: value if np.isfinite(value) else None for name, value in known.items()}
    return {
        "precision": table.precision,
        "accelerator": str(accelerator),
        "count": int(count),
        "region": str(region),
        "plan": str(plan),
        "wall_clock": figures["wall_clock"],
        "device_hours": figures["device_hours"],
        "cost": figures["cost"],
        "energy": figures["energy"],
        "carbon_total": figures["carbon_total"],
        "within_limits": True,
    }


@dataclass(slots=True)
class _Tried:
    """Scenarios judged by their draws, and what is learnt of those like them."""

    raw: Mapping[str, object]
    limits: Mapping[str, float]
    chance: Chance
    keep_site: bool
    number: int = 0
    known: dict[tuple[object, ...], float] = field(default_factory=dict)  # needs over value
    done: dict[tuple[object, ...], Judged] = field(default_factory=dict)

    def first(self, rows: Iterator[ScenarioRow]) -> tuple[ScenarioRow, Judged] | None:
        """The first that keeps its limits with the confidence."""
        for row in rows:
            if self.number > TRIED:
                return None
            if any(
                (row[LIMITED[key]] or 0.0) * self.known.get(self._like(key, row), 1.0) > most
                for key, most in self.limits.items()
            ):
                continue
            judged = self._judged(row)
            share, _ = judged.share(self.limits) if self.limits else (1.0, "")
            if share is not None and share >= 1.0:
                return row, judged
        return None

    def _judged(self, row: ScenarioRow) -> Judged:
        key = tuple(row[axis] for axis in ("accelerator", "count", "region", "plan", "precision"))
        if key not in self.done:
            self.number += 1
            self.done[key] = self.chance.judged(self.run(row))
            for limit in self.limits:
                need, value = self.done[key].needs[limit], row[LIMITED[limit]]
                if need is not None and value:
                    self.known[self._like(limit, row)] = need / value
        return self.done[key]

    def _like(self, key: str, row: ScenarioRow) -> tuple[object, ...]:
        """What the uncertainty of a limit's figure depends on."""
        hardware = (key, row["accelerator"], row["count"], row["precision"], row["plan"])
        if key == "time":
            return hardware
        if key == "cost":
            return (*hardware, find_region(row["region"]).provider)
        return (*hardware, row["region"])

    def run(self, row: ScenarioRow) -> dict[str, object]:
        """The run file of a scenario."""
        made = single(self.raw, row)
        if not self.keep_site:  # the world stood for no place: its grid was not asked for
            made.pop("site", None)
            if self.raw.get("site"):
                made["site"] = self.raw["site"]
        return made
