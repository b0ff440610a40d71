"""Grid intensity as people have it: downloads of Electricity Maps, Great Britain, ENTSO-E.

Columns are found by what their names say; of several intensities the life cycle one is taken before
the direct one, and the actual one before a forecast, and which it was is said.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, tzinfo
from pathlib import Path
from typing import cast

from costcalc.base.errors import InputError, Problem
from costcalc.base.reading import read_text
from costcalc.decide.clock import instants, zone_of
from costcalc.decide.series import MEANING, Series, Signal, in_grams_a_kwh, of_instants, of_json

_TIME = re.compile(
    r"(date ?time|timestamp|point_time|date|time|from|utc|mtu|period|start|interval)\b.*"
)
#: names of an intensity, the best first; what each says of its convention and signal
_VALUES = (
    (re.compile(r".*intensity.*(life ?cycle|lca).*"), "life cycle", "average"),
    (re.compile(r".*actual.*intensity.*"), "direct", "average"),
    (re.compile(r".*intensity.*direct.*"), "direct", "average"),
    (re.compile(r".*marginal.*|.*moer.*"), "", "marginal"),
    (re.compile(r"(?!.*forecast).*intensity.*"), "", ""),
    (re.compile(r".*forecast.*intensity.*"), "forecast", "average"),
    (re.compile(r"value|gco2e?q?[_ /]*(per_?|/)kwh.*|carbonintensity"), "", ""),
)


def read(
    path: str | Path, *, signal: Signal | None = None, timezone: tzinfo | None = None
) -> Series:
    """A series from a CSV or a JSON file, in gCO2e/kWh.

    The signal is ``signal``, else what the file says (``# signal: marginal`` at the head of a CSV,
    or its columns).  Times without an offset are in ``timezone``, else in the zone that the head of
    their column says, else in UTC, which is noted.

    Raises:
        InputError: the file cannot be read as a series.
    """
    name = str(path)
    try:
        text = read_text(Path(path), name)
    except InputError as error:
        raise _problem(name, error.problems[0].message) from None
    if name.endswith(".json") or text.lstrip()[:1] in ("{", "["):
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            raise _problem(name, "expected JSON; it does not parse") from None
        whole = {"data": data} if isinstance(data, list) else data
        return of_json(whole, name, signal=signal)
    return _of_csv(text, name, signal, timezone)


def _problem(source: str, message: str) -> InputError:
    return InputError(Problem(key="series", message=message, file=source))


def _of_csv(text: str, name: str, signal: Signal | None, timezone: tzinfo | None) -> Series:
    lines = [line for line in text.splitlines() if line.strip()]
    said = next((line.partition("signal:")[2].strip() for line in lines if "signal:" in line), "")
    if signal is None and said and said not in MEANING:
        raise _problem(name, f'expected signal: average or marginal; got "{said[:20]}"')
    lines = [line for line in lines if not line.startswith("#")]
    delimiter = _delimiter(lines[0]) if lines else ","
    rows = list(csv.DictReader(io.StringIO("\n".join(lines)), delimiter=delimiter))
    columns = [column for column in rows[0] if column] if rows else []
    time = _time_column(columns, name)
    value, convention, meant = _value_column([c for c in columns if c != time], name)
    decimal = "," if delimiter == ";" else "."
    listed = [row for row in rows if (row[time] or "").strip()]
    zone = timezone or zone_of(time)
    texts = [row[time] or "" for row in listed]
    times = instants(texts, name, zone or UTC)
    values = [_figure(row[value], decimal) for row in listed]
    made = of_instants(
        zip(times, values, strict=True),
        signal=signal or cast("Signal", said or meant or "unknown"),
        source=name,
        factor=in_grams_a_kwh(value) or 1.0,
    )
    return replace(made, notes=tuple(_notes(value, convention, zone, texts)))


def _notes(value: str, convention: str, zone: tzinfo | None, texts: Sequence[str]) -> list[str]:
    """What was taken where a file says several things, or too little."""
    notes = []
    if convention:
        notes.append(f'taken from the column "{value.strip()}": {convention}')
    if zone is None and not any(_offset(text) for text in texts[:1]):
        notes.append("its times name no zone: taken as UTC; --timezone Europe/Berlin says another")
    elif zone is not None and zone is not UTC:
        notes.append(f"its times are in {zone}, and shown in UTC")
    return notes


def _offset(text: str) -> bool:
    return bool(re.search(r"(Z|[+-]\d\d:?\d\d)\s*$", text.strip()))


def _delimiter(head: str) -> str:
    """What most likely parts the cells: a semicolon goes with decimal commas."""
    return max(",;\t|", key=head.count)


def _time_column(columns: Sequence[str], name: str) -> str:
    for column in columns:
        if _TIME.fullmatch(column.strip().lower()):
            return column
    raise _problem(name, f"expected a column of times (time, datetime, …); got {_shown(columns)}")


def _value_column(columns: Sequence[str], name: str) -> tuple[str, str, str]:
    for pattern, convention, signal in _VALUES:
        for column in columns:
            if pattern.fullmatch(column.strip().lower()):
                return column, convention, signal
    raise _problem(
        name,
        "expected a column of intensities (intensity, carbon_intensity, value, …, in gCO2e/kWh); "
        f"got {_shown(columns)}",
    )


def _shown(columns: Sequence[str]) -> str:
    return ", ".join(column.strip() for column in columns) or "none"


def _figure(text: str | None, decimal: str) -> str | None:
    cell = (text or "").strip()
    return cell.replace(".", "").replace(",", ".") if decimal == "," and "," in cell else cell
