"""The CSV tables of this room: a comment at the head, then rows of text."""

from __future__ import annotations

import csv
from dataclasses import dataclass, replace
from datetime import date
from functools import cache

from costcalc.catalog.files import data_root

EPOCH = "Epoch AI, Data on AI Models, https://epoch.ai/data (CC BY 4.0), table of 2026-05"
EARLIER = "Epoch AI, the same table as of 2025-06"
THOMPSON = (
    "Thompson, Greenewald, Lee and Manso, The Computational Limits of Deep Learning, "
    "https://arxiv.org/abs/2007.05558"
)
DAYS_A_YEAR = 365.25


@cache
def rows(name: str) -> tuple[dict[str, str], ...]:
    """The rows of a shipped CSV file.

    >>> len(rows("landmarks.csv"))
    499
    """
    text = (data_root() / name).read_text(encoding="utf-8")
    lines = (line for line in text.splitlines() if not line.startswith("#"))
    return tuple(csv.DictReader(lines))


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmark:
    """A landmark system; ``flop`` is the training compute, as Epoch AI states it."""

    name: str
    organisation: str
    kind: str  # academia, industry, academia+industry, government, other
    date: date
    domain: str
    flop: float
    method: str
    confidence: str
    url: str
    status: str = ""  # new, changed or withdrawn since the table of 2025-06
    earlier: float | None = None  # what that table said, where it is another figure

    @property
    def year(self) -> float:
        """The date in years, for a fit."""
        return years(self.date)


def years(day: date) -> float:
    """A date as years of 365.25 days since year 0.

    >>> round(years(date(2020, 1, 1)) - years(date(2019, 1, 1)), 6)
    0.999316
    """
    return day.toordinal() / DAYS_A_YEAR


@cache
def landmarks() -> tuple[Landmark, ...]:
    """Every landmark system of the newest table, by date.

    >>> landmarks()[0].name, landmarks()[-1].date.isoformat()
    ('Theseus', '2026-04-24')
    """
    return tuple(one for one in _all() if one.status != "withdrawn")


@cache
def earlier() -> tuple[Landmark, ...]:
    """The table as of 2025-06, with its figures: what was published then is recomputed from it.

    >>> len(earlier())
    469
    """
    return tuple(
        replace(one, flop=one.earlier or one.flop) for one in _all() if one.status != "new"
    )


def until() -> date:
    """The day of the last landmark: what came later is not known here."""
    return landmarks()[-1].date


@cache
def _all() -> tuple[Landmark, ...]:
    made = [
        Landmark(
            **{name: row[name] for name in ("name", "organisation", "domain", "confidence")},
            kind=row["organisation_kind"],
            date=date.fromisoformat(row["date"]),
            flop=float(row["training_compute_flop"]),
            method=row["method_of_figure"],
            url=row["source_url"],
            status=row["status"],
            earlier=float(row["earlier_flop"]) if row["earlier_flop"] else None,
        )
        for row in rows("landmarks.csv")
    ]
    return tuple(sorted(made, key=lambda one: (one.date, one.name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reached:
    """What a system reached on a benchmark, and with how much compute."""

    benchmark: str
    vintage: str
    model: str
    year: str
    quantity: str
    flop: float
    metric: str
    error: float  # 1 - metric
    url: str


_AS_IT_STANDS = ("benchmark", "vintage", "model", "year", "quantity", "metric")


@cache
def points() -> tuple[Reached, ...]:
    """The points behind the limits of deep learning.

    >>> len(points())
    284
    """
    return tuple(
        Reached(
            **{name: row[name] for name in _AS_IT_STANDS},
            flop=float(row["flop"]),
            error=1.0 - float(row["value"]),
            url=row["source_url"],
        )
        for row in rows("limits_points.csv")
    )
