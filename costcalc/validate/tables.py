"""What ``costcalc validate`` reports: tables of scores, the points behind them, and remarks."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property

from costcalc.validate.score import Point, Score, by, score

SCHEMA = "costcalc/validation/v1"
SEEN = "†"  # after a name: the constants that predict have seen these rows
#: properties of a point that tables are split by
KEYS: Mapping[str, Callable[[Point], str]] = {
    "source": lambda p: p.source,
    "accelerator": lambda p: p.accelerator,
    "precision": lambda p: p.precision,
    "workload": lambda p: p.workload,
    "scale": lambda p: p.scale,
    "kind": lambda p: p.kind,
    "user": lambda p: p.user,
    "figure": lambda p: p.workload,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of a summary."""

    name: str
    score: Score
    arithmetic: bool
    baseline: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of scores: the whole under the key ``all``, then its parts.

    ``arithmetic``: published figures from their own inputs, where nothing is predicted; ``inside``
    of a score is then the share that follows from its parts.  ``baselines`` score what others
    assume, on the same points.
    """

    title: str
    by: str
    rows: Mapping[str, Score]
    arithmetic: bool
    baselines: Mapping[str, Score]
    note: str

    def lines(self, shown: Mapping[str, Score]) -> list[Line]:
        """Some scores of this table, followed by what they have to beat."""
        return [
            Line(name=name, score=one, arithmetic=self.arithmetic, baseline=scores is not shown)
            for scores in (shown, self.baselines)
            for name, one in scores.items()
        ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """Points of one kind, and the tables made of them.

    A summary calls it ``short``, or lists the parts of one table, ``listed``, in its place: by
    their names, or as ``short`` says with ``{}`` where the name goes.
    """

    title: str
    points: Sequence[Point]
    tables: Sequence[Table]
    short: str
    listed: str

    def lines(self) -> list[Line]:
        """What a summary says, followed by what it has to beat."""
        shown = {self.short or self.title: self.tables[0].rows["all"]}
        for table in self.tables:
            if table.by == self.listed:
                parts = {name: one for name, one in table.rows.items() if name != "all"}
                called = self.short or "{}"
                shown = {called.format(name): one for name, one in parts.items()}
        return self.tables[0].lines(shown)


def category(
    title: str, points: Sequence[Point], keys: Sequence[str], *, short: str = "",
    baselines: Mapping[str, Score] | None = None, arithmetic: bool = False, listed: str = "",
    note: str = "",
) -> Category:  # fmt: skip
    """Tables of the same points, split by each key; baselines stand under the first."""
    whole = score(points)
    made = [
        Table(
            title=title, by=key, note=note, arithmetic=arithmetic,
            rows={"all": whole, **by(points, KEYS[key])},
            baselines=(baselines or {}) if key == keys[0] else {},
        )
        for key in keys
    ]  # fmt: skip
    return Category(title=title, points=points, tables=made, short=short, listed=listed)


@dataclass(frozen=True, kw_only=True)
class Report:
    """All that ``costcalc validate`` prints.

    ``noise``: how many repeats there are, and the median share by which those of one configuration
    differ from their median; ``unsized``: configurations of which neither shape nor size is known.
    """

    method: str
    categories: Sequence[Category]
    noise: tuple[int, float]
    unsized: int

    @cached_property
    def tables(self) -> list[Table]:
        """Every table of every category."""
        return [table for one in self.categories for table in one.tables]

    @cached_property
    def points(self) -> Mapping[str, Sequence[Point]]:
        """The points by the title of their tables."""
        return {one.title: one.points for one in self.categories}

    def lines(self) -> list[Line]:
        """One line a category, each followed by what it has to beat."""
        return [line for one in self.categories for line in one.lines()]

    @property
    def unexplained(self) -> list[Point]:
        """Published figures that do not follow from the inputs of their own source."""
        return [
            point
            for one in self.categories
            if one.tables[0].arithmetic
            for point in one.points
            if not point.inside
        ]

    def worst(self, number: int) -> list[Point]:
        """The predictions that are farthest off, each row once; refused ones come first."""
        found: dict[tuple[str, str], Point] = {}
        for one in self.categories:
            for point in one.points if not one.tables[0].arithmetic else ():
                found.setdefault((point.id, point.unit), point)
        return sorted(found.values(), key=_distance, reverse=True)[:number]

    def to_dict(self) -> dict[str, object]:
        """Plain values; shares of 1.  ``docs/validate.md`` describes the keys."""
        return {
            "schema": SCHEMA,
            "method": self.method,
            "tables": [_table(table) for table in self.tables],
            "points": {title: [*map(_point, points)] for title, points in self.points.items()},
            "unexplained": [*map(_point, self.unexplained)],
            "noise_floor": {"repeats": self.noise[0], "median": _finite(self.noise[1])},
            "unsized": self.unsized,
        }


def _distance(point: Point) -> float:
    """How far a prediction is off, as a factor either way; refused ones farthest."""
    return math.inf if not point.predicted else abs(math.log(point.predicted / point.measured))


def _table(table: Table) -> dict[str, object]:
    scored = {name: getattr(table, name) for name in ("rows", "baselines")}
    plain = {name: getattr(table, name) for name in ("title", "by", "arithmetic", "note")}
    return plain | {
        key: {
            name: {k: _finite(v) for k, v in asdict(one).items()} | {"claimed": one.claimed}
            for name, one in scores.items()
        }
        for key, scores in scored.items()
    }


def _point(point: Point) -> dict[str, object]:
    """What is empty is left out; what only other tables are made of, too."""
    values = {k: _finite(v) for k, v in asdict(point).items() if v not in ("", {})}
    return {k: v for k, v in values.items() if k not in ("repeats", "utilization")} | {
        "inside": point.inside
    }


def _finite(value: object) -> object:
    """What JSON can say: what is no number is null."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
