"""Scores the calculator against published measurements: nothing here is fitted or chosen.

Figures are for groups of sources that the fit had not seen.  Repeats of one configuration count
once; a refused row is a miss; rows whose source states neither a shape nor a parameter count can
be predicted by nobody and are counted apart.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from costcalc.validate.score import Point, Score

METHOD = (
    "Leave one group of sources out (the default); sources that republish each other count as "
    "one. Repeats of one configuration count once. Figures with fewer than 30 configurations are "
    "not claimed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """One table of scores: the whole under the key ``all``, then its parts."""

    title: str
    by: str
    rows: Mapping[str, Score]
    short: str = ""  # the title in a summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """All that ``costcalc validate`` prints."""

    method: str
    tables: Sequence[Table]
    repeats: int
    noise: float  # median share by which repeats of one configuration differ from their median
    unsized: int  # configurations whose source states neither shape nor size

    def summary(self) -> list[tuple[str, Score]]:
        """One score a category: each table's whole, and each workload that is no LLM's."""
        found: dict[str, Score] = {}
        for table in self.tables:
            if table.by == "workload":
                found |= {n: s for n, s in table.rows.items() if n != "all"}
            else:
                found.setdefault(table.short or table.title, table.rows["all"])
        return list(found.items())

    def to_dict(self) -> dict[str, Any]:
        """Plain values; shares of 1."""
        tables = [
            {"title": t.title, "by": t.by,
             "rows": {n: _plain(s) for n, s in t.rows.items()}}
            for t in self.tables
        ]  # fmt: skip
        return {
            "schema": "costcalc/validation/v1",
            "method": self.method,
            "tables": tables,
            "noise_floor": {"repeats": self.repeats, "median": self.noise},
            "unsized": self.unsized,
        }


def _plain(score: Score) -> dict[str, Any]:
    """A score as JSON takes it: what is not a number is null."""
    values = {n: None if math.isnan(v) else v for n, v in asdict(score).items()}
    return {**values, "claimed": score.claimed}


_KEYS: dict[str, Callable[[Point], str]] = {
    "source": lambda p: p.source,
    "accelerator": lambda p: p.accelerator,
    "precision": lambda p: p.precision,
    "workload": lambda p: p.workload,
    "devices": lambda p: p.scale,
}


def validate() -> Report:
    """Scores of everything that ships."""
    from costcalc.throughput.constants import load
    from costcalc.validate import published, score
    from costcalc.validate.throughput import all_measured, points

    measured = all_measured()
    text = [m for m in measured if m.row["workload"] == "llm" and m.sized]
    given = points(m for m in text if m.layout_given and m.shape_given)
    guessed = points(m for m in text if m.layout_given and not m.shape_given)
    hidden = points(text, hidden=True)
    others = points(m for m in measured if m.row["workload"] != "llm")
    runs = published.points(load())
    tables = [
        *_tables("LLM throughput, layout given", given),
        _table("LLM throughput, layout given, shapes guessed from the size", "source", guessed,
               "LLM, layout given, shape guessed"),
        _table("LLM throughput, layout hidden (auto)", "source", hidden),
        _table("Throughput of other models", "workload", others),
        _table("Published runs, FLOPs to device-hours", "accelerator", runs,
               "published runs, device-hours"),
        _power(),
    ]
    repeats, noise = score.noise([*given, *others])
    return Report(
        method=METHOD, tables=tables, repeats=repeats, noise=noise,
        unsized=sum(m.row["workload"] == "llm" and not m.sized for m in measured),
    )  # fmt: skip


def validate_own(file: TextIO, name: str = "measurements") -> Report:
    """Scores of a user's measurements, predicted by the shipped constants.

    Columns: accelerator, devices, precision, tokens_per_s or samples_per_s (a second and device),
    and what is known of parameters, sequence_length, global_batch, data, tensor, pipeline, ….
    Raises InputError for a table that cannot be read.
    """
    from costcalc.errors import InputError, Problem
    from costcalc.validate import score
    from costcalc.validate.rows import configurations, read
    from costcalc.validate.throughput import points

    measured = configurations(read(file, name))
    sized = [m for m in measured if m.sized or m.row["workload"] != "llm"]
    if not sized:
        message = "expected rows with a rate and parameters; found none"
        raise InputError(Problem(key="parameters", message=message, file=name))
    found = points(sized, own=True)
    repeats, noise = score.noise(found)
    return Report(
        method="Predicted by the shipped constants; the fit has not seen these rows.",
        tables=_tables(name, found), repeats=repeats, noise=noise,
        unsized=len(measured) - len(sized),
    )  # fmt: skip


def _power() -> Table:
    """Measured draw of a device against the model, as ``scripts/calibrate_power.py`` scored it.

    Its fits take too long to repeat here.  It keeps no range a row, so none is scored.  Where a
    source leaves the share of the host out, the other rows of that chip tell it, those of the
    same source among them: those rows are not wholly held out.
    """
    from costcalc.catalog.files import data_root
    from costcalc.reading import read
    from costcalc.validate.score import Score

    path = data_root() / "power.yaml"
    found = read(path.read_text(encoding="utf-8"), path.name).data["held_out"]
    rows = {
        name: Score(
            n=int(one["n"]), median=one["median_error"], p90=one["p90_error"], bias=one["bias"],
            inside=math.nan, refused=0,
        )
        for name, one in (("all", found["all"]), *found.items())
    }  # fmt: skip
    return Table(title="Power of a device (recorded)", by="what is known", rows=rows)


def _tables(title: str, found: list[Point]) -> list[Table]:
    return [_table(title, key, found) for key in _KEYS if key != "workload"]


def _table(title: str, key: str, found: list[Point], short: str = "") -> Table:
    from costcalc.validate.score import by, score

    rows = {"all": score(found), **by(found, _KEYS[key])}
    return Table(title=title, by=key, rows=rows, short=short)
