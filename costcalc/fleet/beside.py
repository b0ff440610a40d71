"""What stands beside a period's sums, for people: who bears idle nodes, and CO2e counted otherwise.

Location-based by the hour and by the year's mean, and market-based, are three accountings: they
stand apart, and only the first is in a total.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from costcalc.base.human import digits, human, number_of, percent, span
from costcalc.fleet.charging import Charge
from costcalc.fleet.cluster import NOBODY, SHARED
from costcalc.fleet.idle import Idle, IdleGrid
from costcalc.fleet.month import Month
from costcalc.fleet.sums import NONE, Figure, Group, Key, money


@dataclass(frozen=True, slots=True)
class Beside:
    """A further table of a period: its ``head`` after what it is by, its rows and their sum."""

    title: str
    head: Sequence[str]
    rows: Sequence[tuple[Key, Sequence[str]]]
    total: Sequence[str]


def tables(month: Month) -> list[Beside]:
    """The further tables that a period has."""
    return [one for one in (_charged(month), _accountings(month)) if one is not None]


def named(key: Sequence[str | None]) -> list[str]:
    """A group's key as people read it."""
    return [NONE if part is None else str(part) for part in key]


def shown(figure: Figure | None, jobs: int, unit: str, currency: str | None = None) -> list[str]:
    """A sum and its range; ``+ ?`` where there are jobs that are not in it.

    >>> shown(Figure(12.0, 10.0, 15.0, 1), 3, "kWh")
    ['12.0 kWh + ?', '10.0 – 15.0']
    """
    if figure is None or (figure.unknown and figure.unknown >= jobs):
        return ["unknown", ""]
    text = money(figure.value, currency) if currency else human(figure.value, unit)
    between = span(figure.low, figure.high, figure.value, "USD" if currency else unit)
    return [text + (" + ?" if figure.unknown else ""), between]


# --- who bears idle nodes ------------------------------------------------------------------------


def payer(pays: str) -> str:
    """Who pays for idle nodes, in words.

    >>> payer("shared")
    'shared by device-hours'
    """
    said = {NOBODY: "nobody pays", SHARED: "shared by device-hours"}
    return said.get(pays, f"paid by {pays}")


def _charged(month: Month) -> Beside | None:
    total = month.charges.total
    if total is None:
        return None
    return Beside(
        f"Charged, with idle nodes ({payer(month.pays)})",
        ("idle: cost", "energy", "CO2e", "in all: cost", "energy", "CO2e"),
        [(one.key, _cells(one, month.currency)) for one in month.charges.groups],
        _cells(total, month.currency),
    )


def _cells(one: Charge, currency: str) -> list[str]:
    made = []
    for figures, carbon in ((one.idle, "carbon_operational"), (one.whole, "carbon_total")):
        for name, unit in (("cost", ""), ("energy", "kWh"), (carbon, "kgCO2e")):
            figure = figures.get(name)
            if figure is None and figures is one.idle:
                made.append("-")  # its electricity is in the price of the hours that jobs have
                continue
            jobs = max(one.jobs, 1) if figures is one.whole else 1
            text, between = shown(figure, jobs, unit, currency if name == "cost" else None)
            made.append(f"{text}\n{between}" if between else text)
    return made


def idles(month: Month) -> Iterator[tuple[str, str]]:
    """What idled, partition by partition."""
    for one in month.idle:
        yield one.partition, one.why or f"{_idled(one, month)}; {payer(month.pays)}"


def _idled(one: Idle, month: Month) -> str:
    share = one.device_hours / one.held if one.held else 0.0
    when = "" if (one.start, one.end) == (month.over.start, month.over.end) else (
        f" from {month.at(one.start)} to {month.at(one.end)}"
    )  # fmt: skip
    energy, cost = one.figures.get("energy"), one.figures.get("cost")
    if not one.device_hours:
        told = f"no device idled{when}"
        if not energy or not energy.value:
            return told
        told += f"; {_energy(energy)} are what the nodes' meters saw beyond what jobs have"
    else:
        told = f"{digits(one.device_hours)} device-hours idle, {percent(share)} of all{when}"
        how = f"{percent(one.metered)} of the time metered" if one.metered else "modelled"
        told += f"; {_energy(energy)}, {how}" if energy else ""
    told += f", {money(cost.value, month.currency)} of electricity" if cost else ""
    told += f" ({one.unpriced})" if one.unpriced and energy else ""
    told += "".join(f", {_SAID[name]} {why}" for name, why in one.lacking.items())
    return told + _emitted(one)


_SAID = {"energy_it": "energy of the computers", "energy": "energy",
         "carbon_operational": "CO2e", "water": "water"}  # fmt: skip


def _energy(energy: Figure) -> str:
    between = span(energy.low, energy.high, energy.value, "kWh")
    return human(energy.value, "kWh") + (f" ({between})" if between else "")


def _emitted(one: Idle) -> str:
    carbon = one.figures.get("carbon_operational")
    if carbon is None:
        return ""
    told = f", {human(carbon.value, 'kgCO2e')}"
    if one.grid is not None and one.grid.mean is not None and one.grid.by_year:
        told += _partly(one, one.grid, carbon)
    elif one.grid is not None and one.grid.mean is not None:
        told += " by the hours that they idled"
        if one.carbon_annual is not None:
            told += f" ({human(one.carbon_annual, 'kgCO2e')} by the year's mean)"
        if one.grid.lacks >= 1.0:
            told += f"; grid.hourly lacks {digits(one.grid.lacks)} of these hours"
    elif one.grid is not None:
        between = span(carbon.low, carbon.high, carbon.value, "kgCO2e")
        told += f" ({between})" if between else ""
        told += f" by the year's mean: grid.hourly lacks {digits(one.grid.lacks)} of these hours"
    if one.carbon_market is not None:
        told += f", {human(one.carbon_market, 'kgCO2e')} market-based"
    return told


def _partly(one: Idle, grid: IdleGrid, carbon: Figure) -> str:
    """Of several months some by the hours, and how much of the sum is by the year's mean."""
    between = span(carbon.low, carbon.high, carbon.value, "kgCO2e")
    told = f" ({between})" if between else ""
    told += f", {human(grid.by_year, 'kgCO2e')} of it by the year's mean: "
    told += f"grid.hourly lacks {digits(grid.lacks)} of these hours; the rest by the hours that "
    told += "they idled"
    if one.carbon_annual is not None:
        told += f" (all by the year's mean: {human(one.carbon_annual, 'kgCO2e')})"
    return told


# --- CO2e counted otherwise ----------------------------------------------------------------------


def by_hours(group: Group) -> Mapping[str, float] | None:
    """Of a group's jobs, what is by the grid's hours and what by the year; None: no series."""
    also = group.also
    asked = also.get("energy_by_hours", 0.0) or also.get("jobs_by_year", 0.0)
    return also if asked else None


def _accountings(month: Month) -> Beside | None:
    total = month.sums.total
    hours = by_hours(total) is not None
    if not hours and total.carbon_market is None:
        return None
    return Beside(
        "CO2e of the electricity, each accounting apart",
        ("by location", *(("by the year's mean",) if hours else ()), "market-based"),
        [(one.key, _accounted(one, hours=hours)) for one in month.sums.groups],
        _accounted(total, hours=hours),
    )


def _accounted(group: Group, *, hours: bool) -> list[str]:
    """By location and by contracts; with the grid's ``hours``, by the year's mean too."""
    text, _ = shown(group.figures.get("carbon_operational"), group.jobs, "kgCO2e")
    others = (group.carbon_annual, group.carbon_market) if hours else (group.carbon_market,)
    return [text, *("unknown" if one is None else human(one, "kgCO2e") for one in others)]


def grids(month: Month) -> list[tuple[str, str]]:
    """Of how much energy the grid's hours are known, and what stands in for those that are not."""
    total = month.sums.total
    told = by_hours(total)
    if told is None:
        return []
    whole = told["energy_by_hours"] + told["energy_by_year"]
    made = []
    if told["energy_by_hours"]:
        made.append(("by the hour", _counted(told, "hours", whole)))
    if told["jobs_by_year"]:
        jobs = number_of(told["jobs_by_year"], "job")
        lacks = f"grid.hourly lacks {digits(told['hours_lacking'])} hours of {jobs}"
        made.append(("by the year's mean", f"{_counted(told, 'year', whole)}: {lacks}"))
    return made


def _counted(told: Mapping[str, float], by: str, whole: float) -> str:
    energy, carbon = told[f"energy_by_{by}"], told[f"carbon_by_{by}"]
    return f"{human(energy, 'kWh')}, {percent(energy / whole)} of all, {human(carbon, 'kgCO2e')}"
