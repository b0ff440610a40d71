"""What ``costcalc validate`` reports: tables of scores, the points behind them, and remarks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from costcalc.validate.score import Point, Score, by, score

SCHEMA = "costcalc/validation/v1"
#: properties of a point that tables are split by
KEYS: Mapping[str, Callable[[Point], str]] = {
    "source": lambda p: p.source,
    "accelerator": lambda p: p.accelerator,
    "precision": lambda p: p.precision,
    "workload": lambda p: p.workload,
    "scale": lambda p: p.scale,
    "kind": lambda p: p.kind,
    "figure": lambda p: p.workload,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of scores: the whole under the key ``all``, then its parts.

    ``arithmetic``: published figures from their own inputs, where nothing is predicted; ``inside``
    of a score is then the share that follows from its parts.  ``baselines`` score what others
    assume, on the same points; ``listed`` are the rows that a summary lists, by default the whole.
    """

    title: str
    by: str
    rows: Mapping[str, Score]
    short: str = ""  # the title in a summary
    arithmetic: bool = False
    baselines: Mapping[str, Score] = field(default_factory=dict)
    listed: bool = False  # a summary lists the parts rather than the whole
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a summary."""

    name: str
    score: Score
    arithmetic: bool
    baseline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that ``costcalc validate`` prints; ``points`` by the title of their tables."""

    method: str
    tables: Sequence[Table]
    points: Mapping[str, Sequence[Point]]
    repeats: int
    noise: float  # median share by which repeats of one configuration differ from their median
    unsized: int  # configurations whose source states neither shape nor size

    def lines(self) -> list[Line]:
        """One line a category, each followed by what it has to beat."""
        found: dict[str, Line] = {}
        grouped = {table.title for table in self.tables if table.listed}
        for table in self.tables:
            parts = {name: one for name, one in table.rows.items() if name != "all"}
            shown = parts if table.listed else {table.short or table.title: table.rows["all"]}
            if table.title in grouped and not table.listed:
                shown = {}
            for name, one in shown.items():
                found.setdefault(name, Line(name=name, score=one, arithmetic=table.arithmetic))
            for name, one in table.baselines.items():
                found[f"{table.title}: {name}"] = Line(
                    name=name, score=one, arithmetic=table.arithmetic, baseline=True
                )
        return list(found.values())

    def summary(self) -> list[tuple[str, Score]]:
        """Name and score of every category, without baselines."""
        return [(line.name, line.score) for line in self.lines() if not line.baseline]

    @property
    def unexplained(self) -> list[Point]:
        """Published figures that do not follow from the inputs of their own source."""
        titles = {table.title for table in self.tables if table.arithmetic}
        return [
            point for title, points in self.points.items() if title in titles
            for point in points if not point.inside
        ]  # fmt: skip

    def to_dict(self) -> dict[str, Any]:
        """Plain values; shares of 1.  ``docs/validate.md`` describes the keys."""
        return {
            "schema": SCHEMA,
            "method": self.method,
            "tables": [_table(table) for table in self.tables],
            "points": {
                title: [_point(point) for point in points] for title, points in self.points.items()
            },
            "unexplained": [_point(point) for point in self.unexplained],
            "noise_floor": {"repeats": self.repeats, "median": _finite(self.noise)},
            "unsized": self.unsized,
        }


def _table(table: Table) -> dict[str, Any]:
    return {
        "title": table.title,
        "by": table.by,
        "arithmetic": table.arithmetic,
        "rows": {name: _score(one) for name, one in table.rows.items()},
        "baselines": {name: _score(one) for name, one in table.baselines.items()},
        "note": table.note,
    }


def _score(one: Score) -> dict[str, Any]:
    values = {name: _finite(value) for name, value in asdict(one).items()}
    return {**values, "claimed": one.claimed}


def _point(point: Point) -> dict[str, Any]:
    values = asdict(point)
    del values["repeats"]
    return {
        **{name: _finite(value) for name, value in values.items() if value != ""},
        "inside": point.inside,
    }


def _finite(value: Any) -> Any:
    """What JSON can say: what is no number is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """Points of one kind, and the tables made of them."""

    title: str
    points: Sequence[Point]
    tables: Sequence[Table]


def category(
    title: str, points: Sequence[Point], keys: Sequence[str], *, short: str = "",
    baselines: Mapping[str, Score] | None = None, arithmetic: bool = False, listed: str = "",
    note: str = "",
) -> Category:  # fmt: skip
    """Tables of the same points, split by each key; a summary lists the parts of ``listed``."""
    whole = score(points)
    made = [
        Table(
            title=title, by=key, rows={"all": whole, **_parts(points, key)}, short=short,
            baselines=(baselines or {}) if key == keys[0] else {}, arithmetic=arithmetic,
            listed=key == listed, note=note,
        )
        for key in keys
    ]  # fmt: skip
    return Category(title=title, points=points, tables=made)


def _parts(points: Sequence[Point], key: str) -> Mapping[str, Score]:
    return by(points, lambda point: KEYS[key](point) or "not stated")


def report(
    method: str, categories: Sequence[Category], *, noise: tuple[int, float], unsized: int
) -> Report:
    """The report of some categories, in their order."""
    return Report(
        method=method, tables=[table for one in categories for table in one.tables],
        points={one.title: one.points for one in categories}, repeats=noise[0], noise=noise[1],
        unsized=unsized,
    )  # fmt: skip
