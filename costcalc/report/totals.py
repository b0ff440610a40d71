"""Figures of several reports or rows together: sums, what of one is known, and what is a bound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from costcalc.base.human import digits, human
from costcalc.calculator.result import SUMS, UNITS

if TYPE_CHECKING:
    from costcalc.calculator.figure_schema import Figure, Known, Lacking

#: what an energy is, and what follows from it: a lower bound where that is one
OF_ENERGY = ("energy_it", "energy", "water", "carbon_operational", "carbon_total", "sci")
_EARLIER = "a report of an earlier release does not say it"


def total(
    parts: Sequence[Mapping[str, Figure]], times: Sequence[float] = (), runs: Sequence[float] = ()
) -> dict[str, Figure]:
    """Every figure of several: the sum, else the common one, else null with the reason.

    The time of a part is of one of its runs, that of the sum of all: ``times`` as long, each.
    ``runs``: how many each part is of, one unless said.  Of a sum that is null, ``known`` holds
    what is known of it, of how many runs.
    """
    of = list(runs) or [1.0] * len(parts)
    found = {key: [part.get(key) or null(key, _EARLIER) for part in parts] for key in UNITS}
    if any(number != 1 for number in times):
        clocks = zip(found["wall_clock"], times, strict=True)
        found["wall_clock"] = [_longer(figure, number) for figure, number in clocks]
    return {key: _total(key, figures, of) for key, figures in found.items()}


def bounded(figures: Mapping[str, Figure]) -> dict[str, Figure]:
    """The figures of a run whose meter did not see all of its time: energy is a lower bound.

    >>> one: Figure = {"value": 1.0, "low": 1.0, "high": 1.0, "unit": "kWh", "basis": "measured"}
    >>> bounded({"energy": one})["energy"]["bound"]
    'lower'
    """
    return {
        key: {**one, "bound": "lower"} if key in OF_ENERGY and one["value"] is not None else one
        for key, one in figures.items()
    }


def _longer(figure: Figure, times: float) -> Figure:
    made = figure.copy()
    for key in ("value", "low", "high"):
        end = figure[key]
        made[key] = None if end is None else end * times
    return made


def _total(key: str, found: Sequence[Figure], runs: Sequence[float]) -> Figure:
    if len({figure.get("unit") for figure in found}) > 1 and key == "cost":
        return null(key, "in several currencies: merge reports of one")
    if key not in SUMS:
        alike = all(figure == found[0] for figure in found)
        return found[0].copy() if alike else null(key, "differs from run to run: see stages")
    if any(figure["value"] is None for figure in found):
        return _partial(key, found, runs)
    made: Figure = {
        "value": sum(_end(figure["value"], figure) for figure in found),
        "low": sum(_end(figure["low"], figure) for figure in found),
        "high": sum(_end(figure["high"], figure) for figure in found),
        "unit": _unit(key, found),
        "basis": "measured" if all(f["basis"] == "measured" for f in found) else "modelled",
    }
    conventions = list(dict.fromkeys(figure.get("convention") or "" for figure in found))
    if len(conventions) > 1:
        made["convention"] = "differs: " + "; ".join(text or "not said" for text in conventions)
    elif conventions[0]:
        made["convention"] = conventions[0]
    if any(figure.get("bound") == "lower" for figure in found):
        made["bound"] = "lower"
    return made


def _unit(key: str, found: Sequence[Figure]) -> str:
    return str(found[0].get("unit") or UNITS[key]) if key == "cost" else UNITS[key]


def _partial(key: str, found: Sequence[Figure], runs: Sequence[float]) -> Figure:
    """A sum of which something is not known: of which runs it is, and why not of the others."""
    told = [_known(figure, number) for figure, number in zip(found, runs, strict=True)]
    lacking: dict[str, float] = {}
    for item in (item for one in told for item in one["lacking"]):
        lacking[item["why"]] = lacking.get(item["why"], 0.0) + item["runs"]
    values = [one["value"] for one in told if one["value"] is not None]
    if not values and len(lacking) == 1:
        return {**null(key, next(iter(lacking))), "unit": _unit(key, found)}
    known: Known = {
        "value": sum(values) if values else None,
        "runs": sum(one["runs"] for one in told),
        "of": sum(runs),
        "lacking": [{"why": why, "runs": number} for why, number in lacking.items()],
    }
    bounds = {one.get("bound") for one in found}
    bounds |= {one["known"].get("bound") for one in found if "known" in one}
    if "lower" in bounds and values:
        known["bound"] = "lower"
    unit = _unit(key, found)
    return {**null(key, "; ".join(_said(known, unit))), "unit": unit, "known": known}


def _known(figure: Figure, runs: float) -> Known:
    """What a figure that is to be added brings."""
    if figure["value"] is not None:
        return {"value": figure["value"], "runs": runs, "of": runs, "lacking": []}
    inner = figure.get("known")
    if inner:
        return {**inner, "lacking": [*inner["lacking"]]}
    lacks: Lacking = {"why": figure.get("why") or "no reason given", "runs": runs}
    return {"value": None, "runs": 0.0, "of": runs, "lacking": [lacks]}


def _said(known: Known, unit: str) -> Iterator[str]:
    lacks, whole = known["lacking"], known["of"]
    number = f"{digits_of(whole - known['runs'])} of" if known["runs"] else "all"
    each = ", ".join(f"{item['why']} ({digits_of(item['runs'])})" for item in lacks)
    told = lacks[0]["why"] if len(lacks) == 1 else each
    yield f"unknown for {number} {digits_of(whole)} runs: {told}"
    if known["value"] is not None:
        yield f"{in_words(known, unit)} of the other {digits_of(known['runs'])}"


def in_words(known: Known, unit: str) -> str:
    """What is known of a sum, with its unit; of a lower bound that it is one."""
    return f"{'at least ' * (known.get('bound') == 'lower')}{human(known['value'], unit)}"


def of_runs(known: Known) -> str:
    """Of how many runs a sum is known."""
    return f"{digits_of(known['runs'])} of {digits_of(known['of'])} runs"


def digits_of(runs: float) -> str:
    """A number of runs, which may be a fraction.

    >>> digits_of(3.0), digits_of(1234.0), digits_of(1.5)
    ('3', '1,234', '1.50')
    """
    return f"{runs:,.0f}" if float(runs).is_integer() else digits(runs)


def _end(end: float | None, figure: Figure) -> float:
    """An end of a figure's range; without a range, its value."""
    return float((figure["value"] if end is None else end) or 0.0)


def null(key: str, why: str) -> Figure:
    """A figure that is not known."""
    none: Figure = {
        "value": None,
        "low": None,
        "high": None,
        "unit": UNITS[key],
        "basis": "modelled",
    }
    return {**none, "why": why}
