"""Reads the tables under `data/regions` and `data/providers.yaml`: cells become sourced figures.

A table says once, in `defaults`, what a bare number of a column means (unit, year, source and, for
a grid factor, its convention), and in `ranges` how its low and high follow where a row gives none.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from costcalc.base.assumption import Assumption, Basis
from costcalc.base.units import to_si
from costcalc.catalog.index import FOLDERS, index

GridBasis = Literal["lifecycle", "direct"]
SMALLEST_SHARE = 0.2
"""No rule takes a low end below this share of the value, so that small figures stay positive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sourced:
    """A published figure in the unit it is published in, with its 5th and 95th percentile.

    >>> pue = Sourced(value=1.15, low=1.09, high=1.24, unit="1", source="AWS", year=2025)
    >>> pue.assumption("site.pue", why="no site.pue given").high
    1.24
    """

    value: float
    low: float
    high: float
    unit: str
    source: str
    year: int | None = None
    url: str | None = None
    why: str = ""
    range_why: str = ""

    @property
    def si(self) -> tuple[float, float, float]:
        """Value, low and high in SI units.

        >>> Sourced(value=3.6, low=3.6, high=3.6, unit="L/kWh", source="WRI").si[0]
        1e-06
        """
        return (
            to_si(self.value, self.unit),
            to_si(self.low, self.unit),
            to_si(self.high, self.unit),
        )

    def assumption(
        self, key: str, *, basis: Basis = "default", why: str | None = None
    ) -> Assumption:
        """The figure as an input of the pipeline, in SI units."""
        value, low, high = self.si
        return Assumption(
            key=key,
            value=value,
            low=low,
            high=high,
            unit=self.unit,
            basis=basis,
            source=self.source,
            year=self.year,
            why=self.why if why is None else why,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GridFactor(Sourced):
    """Emissions a kWh of electricity, with every convention that such a figure rests on.

    `basis`: lifecycle (fuel supply and plants included) or direct (at the plant); `flow`: of what
    the place generates or of what it consumes; `signal`: average or marginal; `accounting`:
    location or market; `how`: taken from a source, or computed from the mix of generation.
    """

    place: str
    basis: GridBasis
    flow: Literal["production", "consumption"]
    signal: Literal["average", "marginal"]
    accounting: Literal["location", "market"]
    how: Literal["taken", "computed"]

    @property
    def convention(self) -> str:
        """`lifecycle, production, average, location, taken`."""
        return ", ".join((self.basis, self.flow, self.signal, self.accounting, self.how))


@dataclass(frozen=True, slots=True)
class Table:
    """One data file, as it stands on disk, with its digest."""

    file: str
    digest: str
    data: Mapping[str, Any]

    def section(self, name: str) -> Mapping[str, Any]:
        """A mapping of the file; empty where the file has none of that name."""
        found: Mapping[str, Any] = self.data.get(name) or {}
        return found

    def row(self, code: str) -> Mapping[str, Any] | None:
        """What the file says of a region."""
        found: Mapping[str, Any] | None = self.section("regions").get(code)
        return found

    def source(self, name: str) -> tuple[str, str | None]:
        """How a source is cited, and its address."""
        source = self.section("sources")[name]
        when = f", {source['date']}" if source.get("date") else ""
        return f"{source['title']} ({source['publisher']}{when})", source.get("url")


@functools.cache
def table(file: str) -> Table:
    """A table under `costcalc/data`, read once a process: `regions/us.yaml`."""
    shown = f"{FOLDERS['tables']}/{file}"
    data = index().data(shown)
    assert isinstance(data, dict)
    return Table(file, index().digest(shown), data)


def cell(found: Table, row: Mapping[str, Any], column: str) -> dict[str, Any] | None:
    """A figure of a row with the column's defaults filled in; None where there is none."""
    raw = row.get(column)
    if raw is None:
        raw = found.section("fallback").get(column)
    if raw is None:
        return None
    given = dict(raw) if isinstance(raw, Mapping) else {"value": raw}
    return {**found.section("defaults")[column], **given}


def bounds(value: float, rule: Mapping[str, Any], year: int | None) -> tuple[float, float]:
    """Low and high by a rule of `ranges`: a factor and a term each way, wider the older it is.

    >>> rule = {"low": {"factor": 0.9, "plus": -5}, "high": {"factor": 1.1}, "since": 2024,
    ...         "per_year": 0.02}
    >>> bounds(100.0, rule, 2023)
    (83.0, 112.0)
    """
    age = max(0, rule.get("since", 0) - (year or 0)) * rule.get("per_year", 0.0)
    low, high = rule["low"], rule["high"]
    lowest = value * (low["factor"] - age) + low.get("plus", 0.0)
    highest = value * (high["factor"] + age) + high.get("plus", 0.0)
    low_end, high_end = max(lowest, SMALLEST_SHARE * value), max(value, highest)
    return round(min(value, low_end), 9), round(high_end, 9)


def sourced(found: Table, given: Mapping[str, Any], rule_name: str) -> Sourced:
    """A filled-in cell as a figure with its range."""
    source, url = found.source(given["source"])
    rule = found.section("ranges").get(rule_name) or {}
    value, year = given["value"], given.get("year")
    low, high = bounds(value, rule, year) if rule else (value, value)
    return Sourced(
        value=value,
        low=given.get("low", low),
        high=given.get("high", high),
        unit=given["unit"],
        source=source,
        url=url,
        year=year,
        why=note(found, given.get("note")),
        range_why=rule.get("why", ""),
    )


def note(found: Table, name: str | None) -> str:
    """The text of a note, which may stand in the file's `notes` under a short name."""
    text: str = found.section("notes").get(name, name) if name else ""
    return text


def reason(found: Table, row: Mapping[str, Any], column: str) -> str:
    """Why a figure is not there; the row's own reason is about its grid or its site's PUE."""
    reasons = found.section("reasons")
    own = "" if column in ("water", "wue") else row.get("why", "")
    text: str = reasons.get(own) or reasons.get(column, "unknown")
    return text
