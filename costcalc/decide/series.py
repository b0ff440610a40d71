"""An hourly series of grid intensity: read from CSV or JSON, average and marginal told apart."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise
from typing import Literal

from costcalc.base.errors import InputError, Problem, wrong
from costcalc.base.units import to_si

Signal = Literal["average", "marginal", "unknown"]
#: what reads the times of a series, into UTC
Times = Callable[[Sequence[str]], list[datetime]]
MEANING = {
    "average": "average intensity: emissions of all generation over all of it, as in a report",
    "marginal": "marginal intensity: what one kWh more causes; not an average, never in its place",
    "unknown": "the series does not say whether it is average or marginal",
}
_GRAMS = {"g": 1.0, "kg": 1e3, "t": 1e6, "lb": 453.59237, "lbs": 453.59237}
_KWH = {"kwh": 1.0, "mwh": 1e3, "gwh": 1e6, "mj": 1 / 3.6, "gj": 1e3 / 3.6}
_UNIT = re.compile(
    r"(?:^|[^a-z])(?P<mass>g|kg|t|lbs?)[ _]?(?:co2?(?:[ _-]?(?:e|eq|equiv))?)?"
    r"(?: ?/ ?|[ _-]?per[ _-]?)(?P<energy>[kmg]wh|[mg]j)(?![a-z])"
)


def in_grams_a_kwh(text: str) -> float | None:
    """What turns a unit that a text names into gCO2e/kWh; None where it names none.

    >>> in_grams_a_kwh("intensity (kgCO2/MWh)"), in_grams_a_kwh("moer")
    (1.0, None)
    >>> [round(in_grams_a_kwh(unit), 8) for unit in ("lbs_co2_per_mwh", "gCO2/MJ")]
    [0.45359237, 3.6]
    """
    found = _UNIT.search(text.lower().replace("₂", "2"))
    return _GRAMS[found["mass"]] / _KWH[found["energy"]] if found else None


MOST = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Intensities in gCO2e/kWh, one a step of ``step`` seconds from ``start`` (UTC); NaN: a gap.

    >>> day = Series(start=datetime(2026, 1, 1, tzinfo=UTC), step=3600, values=(300.0, 250.0),
    ...              signal="average", source="a grid's operator")
    >>> day.hours, day.at(1).isoformat()
    (2.0, '2026-01-01T01:00:00+00:00')
    """

    start: datetime
    step: float
    values: tuple[float, ...]
    signal: Signal
    source: str
    notes: tuple[str, ...] = ()
    zone: tzinfo | None = None  # in which times that name none are meant, if anything says it

    @property
    def hours(self) -> float:
        """How long it lasts."""
        return len(self.values) * self.step / to_si(1.0, "h")

    def at(self, index: float) -> datetime:
        """The time of a step."""
        return self.start + timedelta(seconds=self.step * index)


def _problem(source: str, message: str) -> InputError:
    return InputError(Problem(key="series", message=message, file=source))


def instant(text: str, source: str = "series", key: str = "series") -> datetime:
    """A time with its offset, in UTC; one without an offset is taken as UTC.

    >>> instant("2026-01-01T01:00+01:00").isoformat()
    '2026-01-01T00:00:00+00:00'
    """
    try:
        made = datetime.fromisoformat(str(text).strip())
    except ValueError:
        message = f'expected a time as 2026-01-01T00:00Z; got "{str(text)[:40]}"'
        if key != "series":
            raise wrong(key, message) from None
        raise _problem(source, message) from None
    return made.replace(tzinfo=UTC) if made.tzinfo is None else made.astimezone(UTC)


def of_points(
    points: Iterable[tuple[str, object]],
    *,
    signal: Signal,
    source: str,
    factor: float = 1.0,
    times: Times | None = None,
) -> Series:
    """A series of (time, value): sorted, evenly spaced, gaps as NaN.

    ``times`` reads them; left out, one without an offset is taken as UTC.

    Raises:
        InputError: fewer than two points, doubled times, uneven steps, or a value that is none.
    """
    listed = list(points)
    read = times or (lambda texts: [instant(text, source) for text in texts])
    made = read([time for time, _ in listed])
    timed = zip(made, (value for _, value in listed), strict=True)
    return of_instants(timed, signal=signal, source=source, factor=factor)


def of_instants(
    points: Iterable[tuple[datetime, object]], *, signal: Signal, source: str, factor: float = 1.0
) -> Series:
    """The same of times that are read already."""
    listed = sorted((time, _number(value, source)) for time, value in points)
    if len(listed) < 2:
        raise _problem(source, f"expected two points in time or more; got {len(listed)}")
    times = [time for time, _ in listed]
    gaps = [(b - a).total_seconds() for a, b in pairwise(times)]
    step = min(gaps)
    if step <= 0:
        at = next(t for t, gap in zip(times, gaps, strict=False) if gap <= 0)
        raise _problem(source, f"two values for {at.isoformat()}")
    length = round((times[-1] - times[0]).total_seconds() / step) + 1
    if length > MOST:
        raise _problem(source, f"{length:,} steps of {step:g} s: more than {MOST:,}")
    values = [math.nan] * length
    for time, value in listed:
        place = (time - times[0]).total_seconds() / step
        if abs(place - round(place)) > 1e-6:
            raise _problem(source, f"{time.isoformat()} is not a whole step of {step:g} s on")
        values[round(place)] = value * factor
    return Series(start=times[0], step=step, values=tuple(values), signal=signal, source=source)


def _number(value: object, source: str) -> float:
    if value is None or value == "":
        return math.nan
    try:
        made = float(str(value))
    except (TypeError, ValueError):
        made = -1.0
    if isinstance(value, bool) or not 0.0 <= made < 1e5:
        shown = str(value)[:40]
        raise _problem(source, f'expected an intensity of 0 gCO2e/kWh or more; got "{shown}"')
    return made


def of_json(
    data: object, source: str, *, signal: Signal | None = None, times: Times | None = None
) -> Series:
    """A series from JSON: costcalc's own shape, or a reply of one of the three APIs.

    Own: ``{"signal": "average", "unit": "gCO2e/kWh", "data": [{"time": …, "value": …}]}``.

    Raises:
        InputError: another shape, or another unit.
    """
    if not isinstance(data, Mapping):
        raise _problem(source, "expected a mapping with a list of points")
    points = next(
        (
            data[key]
            for key in ("history", "forecast", "data")
            if isinstance(data.get(key), (list, Mapping))
        ),
        None,
    )
    if isinstance(points, Mapping):  # the UK's regional series
        points = points.get("data")
    if not isinstance(points, list) or not all(isinstance(p, Mapping) for p in points):
        raise _problem(source, "expected a list of points under data, history or forecast")
    meta = data.get("meta") if isinstance(data.get("meta"), Mapping) else data
    own, factor = _convention(meta or {}, points, source)
    return of_points(
        [_point(point, source) for point in points],
        source=source,
        signal=signal or own,
        factor=factor,
        times=times,
    )


def _convention(
    meta: Mapping[str, object], points: Sequence[Mapping[str, object]], source: str
) -> tuple[Signal, float]:
    named = [str(one[key]) for one in (meta, *points) for key in ("units", "unit") if one.get(key)]
    own = any(key in point for point in points for key in ("carbonIntensity", "intensity"))
    if points and not named and not own:  # those two are in grams by what their APIs document
        raise _problem(source, 'expected the unit of its values, as "unit": "gCO2e/kWh"')
    unit = "; ".join(dict.fromkeys(named)) or "gCO2e/kWh"
    factor = in_grams_a_kwh(unit) if ";" not in unit else None
    if factor is None:
        raise _problem(
            source, f"expected a unit such as gCO2e/kWh or lbs_co2_per_mwh; got {unit[:40]}"
        )
    word = str(meta.get("signal") or meta.get("signal_type") or "")
    if word in ("marginal", "co2_moer"):
        return "marginal", factor
    known = word in ("average", "co2_aoer") or (
        bool(points) and ("carbonIntensity" in points[0] or "intensity" in points[0])
    )
    return "average" if known else "unknown", factor


def _point(point: Mapping[str, object], source: str) -> tuple[str, object]:
    time = next(
        (point[key] for key in ("datetime", "point_time", "from", "time") if key in point), None
    )
    value, own = point.get("carbonIntensity", point.get("value")), point.get("intensity")
    if isinstance(own, Mapping):
        value = own.get("forecast") if own.get("actual") is None else own["actual"]
    if time is None:
        raise _problem(source, f"a point without a time: {json.dumps(dict(point))[:80]}")
    return str(time), value
