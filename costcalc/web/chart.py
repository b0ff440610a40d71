"""Where the points of a chart stand: two axes by powers of ten, in the drawing's units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

WIDTH, HEIGHT = 640.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 64.0, 16.0, 12.0, 34.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What is drawn: its figures, their ranges, its words."""

    x: float
    y: float
    x_range: Sequence[float] = ()
    y_range: Sequence[float] = ()
    title: str = ""
    front: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A point as it stands in the drawing."""

    x: str
    y: str
    left: str
    right: str
    top: str
    bottom: str
    title: str
    front: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """The marks, and the ticks of both axes with their text."""

    marks: Sequence[Mark]
    across: Sequence[tuple[str, str]]
    up: Sequence[tuple[str, str]]
    x_label: str
    y_label: str


def chart(points: Sequence[Point], x_label: str, y_label: str) -> Chart | None:
    """The chart of points with figures above 0; None where fewer than two are."""
    known = [point for point in points if point.x > 0 and point.y > 0]
    if len(known) < 2:
        return None
    x_of = _scale([v for p in known for v in (p.x, *p.x_range) if v > 0], LEFT, WIDTH - RIGHT)
    y_of = _scale([v for p in known for v in (p.y, *p.y_range) if v > 0], HEIGHT - BOTTOM, TOP)
    return Chart(
        marks=[_mark(point, x_of, y_of) for point in sorted(known, key=lambda p: p.front)],
        across=[(_said(x_of(v)), f"{v:,.10g}") for v in _ticks(x_of)],
        up=[(_said(y_of(v)), f"{v:,.10g}") for v in _ticks(y_of)],
        x_label=x_label,
        y_label=y_label,
    )


@dataclass(frozen=True, slots=True)
class _Scale:
    low: float
    high: float
    first: float
    last: float

    def __call__(self, value: float) -> float:
        share = (math.log10(value) - self.low) / (self.high - self.low)
        return self.first + share * (self.last - self.first)


def _scale(values: Sequence[float], first: float, last: float) -> _Scale:
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max(0.06 * (high - low), 0.05)
    return _Scale(low - room, high + room, first, last)


def _ticks(scale: _Scale) -> list[float]:
    """1, 2 and 5 times the powers of ten within the scale, fewer where these are many."""
    powers = range(math.floor(scale.low), math.ceil(scale.high) + 1)
    for steps in ((1, 2, 5), (1, 3), (1,)):
        made = [s * 10.0**p for p in powers for s in steps]
        made = [v for v in made if scale.low <= math.log10(v) <= scale.high]
        if len(made) <= 6:
            break
    return made[:: len(made) // 6 + 1] if len(made) > 6 else made


def _mark(point: Point, x_of: _Scale, y_of: _Scale) -> Mark:
    left, right = point.x_range or (point.x, point.x)
    low, high = point.y_range or (point.y, point.y)
    return Mark(
        x=_said(x_of(point.x)),
        y=_said(y_of(point.y)),
        left=_said(x_of(left or point.x)),
        right=_said(x_of(right or point.x)),
        top=_said(y_of(high or point.y)),
        bottom=_said(y_of(low or point.y)),
        title=point.title,
        front=point.front,
    )


def _said(value: float) -> str:
    return f"{value:.1f}"
