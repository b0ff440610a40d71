"""Grid intensity as people have it: downloads of Electricity Maps, Great Britain, ENTSO-E.

Columns are found by what their names say; of several intensities the life cycle one is taken before
the direct one, and the actual one before a forecast, and which it was is said.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import cast

from costcalc.base.errors import InputError, Problem
from costcalc.base.reading import read_text
from costcalc.decide.clock import changed, instants, zone_of
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
    (re.compile(r"value\b.*|value_.*|gco2e?q?[_ /]*(per_?|/)kwh.*|carbonintensity"), "", ""),
)
_UNITS = re.compile(r"units?")  # a column that says it row by row
#: that a name speaks of a mass or an energy, though in no unit of intensity
_SPEAKS = re.compile(r"(^|[^a-z])(m?g|kg|t|tonnes?|lbs?|g?co2e?q?|[kmg]?wh|[mg]j)([^a-z]|$)")
#: names that are of gCO2e/kWh by what documents of ours and of the APIs say
_OF_GRAMS = re.compile(r".*intensity.*|.*marginal.*|.*moer.*")
_LEAST = 1.5  # of a whole series: no grid's largest is as low, but in kgCO2e/kWh all are


@dataclass(frozen=True, slots=True)
class Zone:
    """What is said of times that name no zone: the ``given`` one, and the ``key`` that gives it.

    ``likely``: where the file is used, which tells whether its hours are those of a wall clock.
    """

    given: tzinfo | None = None
    key: str = "--timezone"
    likely: tzinfo | None = None


def read(path: str | Path, *, signal: Signal | None = None, timezone: Zone = Zone()) -> Series:
    """A series from a CSV or a JSON file, in gCO2e/kWh.

    The signal is ``signal``, else what the file says (``# signal: marginal`` at the head of a CSV,
    or its columns).  Times without an offset are in UTC where the head of their column says so,
    else in the zone that is ``given``, else in that which the head says, else in UTC, as is noted.

    Raises:
        InputError: the file cannot be read as a series, or its times are those of a clock that
            changes and nothing says whose.
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
        return _of_json(whole, name, signal, timezone)
    return _of_csv(text, name, signal, timezone)


def _problem(source: str, message: str) -> InputError:
    return InputError(Problem(key="series", message=message, file=source))


def _of_json(data: object, name: str, signal: Signal | None, timezone: Zone) -> Series:
    notes: list[str] = []

    def times(texts: Sequence[str]) -> list[datetime]:
        notes.extend(_of_zone(timezone, timezone.given, texts))
        return _instants(texts, name, timezone, timezone.given)

    made = of_json(data, name, signal=signal, times=times)
    return replace(made, notes=tuple(notes), zone=timezone.given)


def _of_csv(text: str, name: str, signal: Signal | None, timezone: Zone) -> Series:
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
    named = zone_of(time)
    zone = named if named is UTC else timezone.given or named
    texts = [row[time] or "" for row in listed]
    times = _instants(texts, name, timezone, zone)
    values = [_figure(row[value], decimal) for row in listed]
    factor = _factor(value, _units_said(text, listed, columns), values, name)
    made = of_instants(
        zip(times, values, strict=True),
        signal=signal or cast("Signal", said or meant or "unknown"),
        source=name,
        factor=factor,
    )
    notes = (*_of_column(value, convention), *_of_zone(timezone, zone, texts))
    return replace(made, notes=notes, zone=timezone.given or zone)


def _units_said(text: str, rows: Sequence[Mapping[str, str | None]], columns: Sequence[str]) -> str:
    """The unit that a line ``# unit: …`` says, or a column of units; empty where none does."""
    head = (line for line in text.splitlines() if line.startswith("#"))
    said = [line.partition("unit:")[2].strip() for line in head if "unit:" in line]
    for column in (one for one in columns if _UNITS.fullmatch(one.strip().lower())):
        said += [(row[column] or "").strip() for row in rows]
    return "; ".join(dict.fromkeys(one for one in said if one))


def _factor(column: str, said: str, values: Sequence[str | None], name: str) -> float:
    """What turns a column into gCO2e/kWh: by its name, else by what the file says beside it.

    Raises:
        InputError: two units are said, one that is none of intensity, or none where one is needed.
    """
    own, other = in_grams_a_kwh(column), in_grams_a_kwh(said)
    shown = column.strip()
    if said and (other is None or ";" in said):
        raise _problem(name, f"expected one unit such as gCO2e/kWh; got {said[:40]}")
    if None not in (own, other) and own != other:
        raise _problem(name, f'column "{shown}" is of another unit than {said[:40]}')
    if own is not None or other is not None:
        return own or other or 1.0
    to_do = 'name it "intensity (gCO2e/kWh)", or say "# unit: gCO2e/kWh" at the head of the file'
    if not _OF_GRAMS.fullmatch(shown.lower()) or _SPEAKS.search(_spaced(shown)):
        raise _problem(name, f'expected the unit of column "{shown}"; {to_do}')
    numbers = [found for one in values if (found := _size(one)) is not None]
    if len(numbers) > 1 and min(numbers) >= 0 and 0 < max(numbers) < _LEAST:
        message = (
            f'expected gCO2e/kWh in column "{shown}"; its largest is {max(numbers):g}, as of '
            f"kgCO2e/kWh; {to_do}, whichever it is"
        )
        raise _problem(name, message)
    return 1.0


def _spaced(column: str) -> str:
    """A name's words apart: ``carbonIntensity_kg`` has two, and a sign for one."""
    return column.lower().replace("₂", "2").replace("_", " ")


def _size(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None


def _of_column(value: str, convention: str) -> list[str]:
    """What was taken where a file says several things."""
    return [f'taken from the column "{value.strip()}": {convention}'] if convention else []


def _of_zone(said: Zone, zone: tzinfo | None, texts: Sequence[str]) -> list[str]:
    """What times that name no zone were taken as."""
    if all(_offset(text) for text in texts):
        return []
    if zone is None:
        return [f"its times name no zone: taken as UTC; {said.key} Europe/Berlin says another"]
    if zone is UTC:
        other = said.given not in (None, UTC)
        return ["its times are in UTC, as the name of their column says"] if other else []
    return [f"its times are in {zone}, and shown in UTC"]


def _instants(texts: Sequence[str], name: str, said: Zone, zone: tzinfo | None) -> list[datetime]:
    """The times in UTC.

    Raises:
        InputError: they are those of a clock that changes, and nothing says whose; or clocks of the
            zone that is said skip one of them.
    """
    times = instants(texts, name, zone or UTC, said.key)
    bare = [t for t, text in zip(times, texts, strict=True) if not _offset(text)]
    if zone is None and bare:
        odd = changed(bare, said.likely)
        if odd is not None:
            message = (
                f"{odd}, and its times name no zone: they are those of a clock that changes, not "
                f"of UTC; say whose, as {said.key} {said.likely or 'Europe/Berlin'}"
            )
            raise InputError(Problem(key=said.key, message=message, file=name))
    return times


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
        "expected a column of intensities (intensity, carbon_intensity, …, in gCO2e/kWh); "
        f"got {_shown(columns)}",
    )


def _shown(columns: Sequence[str]) -> str:
    return ", ".join(column.strip() for column in columns) or "none"


def _figure(text: str | None, decimal: str) -> str | None:
    cell = (text or "").strip()
    return cell.replace(".", "").replace(",", ".") if decimal == "," and "," in cell else cell
