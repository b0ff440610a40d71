"""How fast training compute has grown: doubling times by era, by rules that are stated."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import TypedDict

import numpy as np

from costcalc.catalog.region_table import table
from costcalc.decide.history import EARLIER, EPOCH, Landmark, years
from costcalc.decide.history import earlier as landmarks
from costcalc.decide.history import landmarks as newest
from costcalc.decide.statistics import bootstrap, line

FILE = "trends.yaml"
_WINDOW = 52 * 7  # days each way
LOW, LARGE = -2.0, 0.76
LARGE_FROM = date(2015, 9, 1)
_DEEP, _TO_2022 = date(2009, 12, 31), date(2022, 2, 1)


class PublishedDoubling(TypedDict):
    """A doubling time that was published, by how much ours is off, and why."""

    months: float
    low: float | None
    high: float | None
    off: float
    source: str
    url: str | None
    why_different: str


# Between two systems: years, and the growth as published, by their authors' points and by ours.
Fold = TypedDict(
    "Fold",
    {
        "from": str,
        "to": str,
        "years": float,
        "published": int,
        "by_their_points": float,
        "by_landmarks": float,
        "months": float,
        "source": str,
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubling:
    """A doubling time in months with its 95 % bootstrap interval, and the published one."""

    era: str
    rule: str
    n: int
    months: float
    low: float
    high: float
    r2: float
    source: str
    published: tuple[PublishedDoubling, ...]

    @property
    def off(self) -> float | None:
        """By how much it differs from the first published figure: 0.1 is a tenth more."""
        return self.months / self.published[0]["months"] - 1.0 if self.published else None

    def to_dict(self) -> dict[str, object]:
        """Plain values."""
        return {**asdict(self), "published": list(self.published)}


def doubling(systems: Sequence[tuple[float, float]], key: str) -> tuple[float, float, float, float]:
    """Months to double, their 95 % interval and R²: least squares of log10 FLOP on the date.

    ``systems`` are (year, FLOP).

    >>> round(doubling([(2000.0, 1.0), (2001.0, 2.0), (2002.0, 4.0), (2003.0, 8.0)], "x")[0], 9)
    12.0
    """
    x = np.array([year for year, _ in systems])
    y = np.log10([flop for _, flop in systems])
    found = line(x, y)
    twice = 12.0 * math.log10(2.0)
    low, high = bootstrap(x - x.mean(), y, key, lambda slopes, _: slopes)
    slower = twice / low if low > 0 else math.inf
    return twice / found.slope, twice / high, slower, found.r2


def scores(systems: Sequence[Landmark]) -> list[float]:
    """Each system's z-score of log10 compute among those within 52 weeks of it."""
    days = np.array([one.date.toordinal() for one in systems])
    logs = np.log10([one.flop for one in systems])
    made = []
    for day, own in zip(days, logs, strict=True):
        near = logs[np.abs(days - day) <= _WINDOW]
        spread = float(near.std(ddof=1)) if len(near) > 1 else 0.0
        made.append((own - float(near.mean())) / spread if spread else 0.0)
    return made


def top(systems: Sequence[Landmark], number: int = 10) -> list[Landmark]:
    """The systems that were among the ``number`` largest when they came out."""
    largest: list[float] = []
    made = []
    for one in systems:
        if len(largest) < number or one.flop > largest[-1]:
            made.append(one)
            largest = sorted([*largest, one.flop], reverse=True)[:number]
    return made


def _scale(*, large: bool | None, confident: bool = False) -> list[tuple[float, Landmark]]:
    """2010 to 2022-02 without low outliers, with z-scores; regular or large only where asked."""
    window = [
        one
        for one in landmarks()
        if _DEEP < one.date < _TO_2022 and (one.confidence == "confident" or not confident)
    ]
    made = []
    for one, score in zip(window, scores(window), strict=True):
        is_large = score > LARGE and one.date >= LARGE_FROM
        if score >= LOW and large in (None, is_large):
            made.append((score, one))
    return made


def _openai() -> list[tuple[float, float]]:
    """What OpenAI printed or plotted in 2018, in pfs-days of 8.64e19 operations, by date."""
    found = table(FILE).data["openai_systems"]
    by_name = {one.name: one for one in landmarks()}
    return sorted(
        (
            by_name[row["landmark"]].year
            if "landmark" in row
            else years(date.fromisoformat(str(row["date"]))),
            row["pfs_days"] * 8.64e19,
        )
        for row in found
    )


def _records(systems: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The systems larger than all before them."""
    kept: list[tuple[float, float]] = []
    for year, flop in systems:
        if not kept or flop > kept[-1][1]:
            kept.append((year, flop))
    return kept


def _deep() -> list[Landmark]:
    return [one for one in landmarks() if one.date > _DEEP]


def _newest() -> list[Landmark]:
    """Since 2010, of the newest table."""
    return [one for one in newest() if one.date > _DEEP]


def _standing_out(number: int) -> list[Landmark]:
    found = sorted(_scale(large=True), key=lambda one: -one[0])[:number]
    return sorted((one for _, one in found), key=lambda one: one.date)


_RULES: Mapping[str, Callable[[], Sequence[Landmark]]] = {
    "before-2010": lambda: [one for one in landmarks() if one.date <= _DEEP],
    "2010-2022": lambda: [one for _, one in _scale(large=None)],
    "2010-2022-regular": lambda: [one for _, one in _scale(large=False)],
    "2010-2022-regular-confident": lambda: [one for _, one in _scale(large=False, confident=True)],
    "2015-2022-large": lambda: [one for _, one in _scale(large=True)],
    "2015-2022-large-16": lambda: _standing_out(16),
    "2010-2025": _deep,
    "2010-2025-top": lambda: top(_deep()),
    "2010-2026": _newest,
    "2010-2026-top": lambda: top(_newest()),
    "2012-2017-top": lambda: [
        one for one in top(_deep()) if date(2012, 1, 1) <= one.date < date(2018, 1, 1)
    ],
}


def _systems(era: str) -> list[tuple[float, float]]:
    if era == "openai-2018":
        return _openai()
    if era == "openai-2018-records":
        return _records(_openai())
    if era == "2010-2017-records":
        return _records([(one.year, one.flop) for one in _deep() if one.date < date(2018, 1, 1)])
    return [(one.year, one.flop) for one in _RULES[era]()]


def sources() -> list[str]:
    """Where the published figures and the points of OpenAI's chart stand.

    >>> any("AI and Compute" in text for text in sources())
    True
    """
    found = table(FILE)
    named = [item["source"] for row in found.data["eras"] for item in row.get("published") or ()]
    named += [row["source"] for row in found.data["openai_systems"]]
    pairs = [found.source(name) for name in dict.fromkeys(named)]
    return [f"{title}, {url}" if url else title for title, url in pairs]


def folds() -> list[Fold]:
    """A published growth between two systems: as published, by OpenAI's points, by the landmarks.

    >>> found = folds()[0]
    >>> found["from"], found["to"], found["published"], round(found["by_their_points"], -3)
    ('AlexNet', 'AlphaGo Zero', 300000, 321000.0)
    """
    found = table(FILE)
    theirs = {row["name"]: row["pfs_days"] for row in found.data["openai_systems"]}
    ours = {one.name: one for one in landmarks()}
    made: list[Fold] = []
    for row in found.data["fold"]:
        first, last = ours[row["from"]], ours[row["to"]]
        years = last.year - first.year
        made.append(
            {
                "from": first.name,
                "to": last.name,
                "years": years,
                "published": row["at_least"],
                "by_their_points": theirs[last.name] / theirs[first.name],
                "by_landmarks": last.flop / first.flop,
                "months": 12 * years / math.log2(row["at_least"]),
                "source": found.source(row["source"])[0],
            }
        )
    return made


def doublings() -> list[Doubling]:
    """Every era's doubling time, recomputed, beside what was published.

    >>> [round(one.months) for one in doublings() if one.era == "before-2010"]
    [20]
    """
    found = table(FILE)
    made = []
    for row in found.data["eras"]:
        systems = _systems(row["id"])
        months, low, high, r2 = doubling(systems, f"trend.{row['id']}")
        published: tuple[PublishedDoubling, ...] = tuple(
            {
                "months": item["months"],
                "low": item.get("low"),
                "high": item.get("high"),
                "off": months / item["months"] - 1.0,
                "source": found.source(item["source"])[0],
                "url": found.source(item["source"])[1],
                "why_different": item.get("why", ""),
            }
            for item in row.get("published") or ()
        )
        source = EPOCH if "2026" in row["id"] else EARLIER
        if row["id"].startswith("openai"):
            source = found.source("openai")[0]
        made.append(
            Doubling(
                era=row["id"],
                rule=row["rule"],
                n=len(systems),
                months=months,
                low=low,
                high=high,
                r2=r2,
                source=source,
                published=published,
            )
        )
    return made
