"""A period's budgets: in words, as plain data, and as rows of a table of their own."""

from __future__ import annotations

from collections.abc import Iterator

from costcalc.base.human import human, number_of, percent
from costcalc.fleet.beside import payer
from costcalc.fleet.budgets import Used
from costcalc.fleet.cluster import NOBODY
from costcalc.fleet.month import Month
from costcalc.fleet.sums import Figure, money

_ENDS = ("", "_low", "_high")
#: the head of the budgets' CSV and Parquet files
COLUMNS = (
    "account", "period", "of", "unit", "budget", *(f"used{end}" for end in _ENDS),
    "used_jobs_unknown", *(f"forecast{end}" for end in _ENDS), "elapsed", "over",
)  # fmt: skip


def cells(one: Used) -> list[object]:
    """A row of them; an account that is not said is that of all."""
    used, told = one.used, one.forecast
    to_come = (None,) * 3 if told is None else (told.value, told.low, told.high)
    return [
        one.account, one.period, one.of, one.unit, one.budget, used.value, used.low, used.high,
        used.unknown, *to_come, one.elapsed, one.share > 1,
    ]  # fmt: skip


def plain(one: Used) -> dict[str, object]:
    """A budget as JSON has it."""
    return {
        "account": one.account,
        "period": one.period,
        "of": one.of,
        "unit": one.unit,
        "budget": one.budget,
        "used": figure_of(one.used, one.unit),
        "forecast": None if one.forecast is None else figure_of(one.forecast, one.unit),
        "elapsed": one.elapsed,
        "counts": "jobs",  # and not what idle nodes are charged
    }


def figure_of(figure: Figure, unit: str) -> dict[str, object]:
    """A sum and its range as JSON has it."""
    return {
        "value": figure.value,
        "low": figure.low,
        "high": figure.high,
        "unit": unit,
        "jobs_unknown": figure.unknown,
    }


def lines(month: Month) -> Iterator[tuple[str, str]]:
    """What of each budget is used, and what will be."""
    for one in month.budgets:
        whose = one.account or "all accounts"
        mark = "OVER BUDGET" if one.share > 1 else ""
        forecast = one.forecast if one.elapsed < 1 else None
        if not mark and forecast is not None and forecast.value > one.budget:
            sure = forecast.low > one.budget
            mark = f"{'will' if sure else 'may'} pass it at this pace"
        unknown = " + ?" if one.used.unknown else ""
        told = f"{_much(one.used.value, one.unit)}{unknown} of {_much(one.budget, one.unit)} used "
        told += f"({percent(one.share)})"
        if one.elapsed < 1 and forecast is None:
            told += ", its end not known: nothing of the period is, that a pace could be of"
        if forecast is not None:
            low, value, high = (
                _much(part, one.unit) for part in (forecast.low, forecast.value, forecast.high)
            )
            told += f", {value} at its end at this pace"
            told += f" ({low} – {high})" if (low, high) != (value, value) else ""
        if one.used.unknown:
            told += f", without {number_of(one.used.unknown, 'job')} of which it is not known"
        of = one.of.replace("_", "-")
        beside = month.pays != NOBODY and one.of != "device_hours"
        told += f", of jobs alone: idle nodes ({payer(month.pays)}) are beside it" * beside
        yield f"{whose}, {one.period}", f"{of}: {told}{f'; {mark}' if mark else ''}"


def _much(value: float, unit: str) -> str:
    return human(value, unit) if unit in ("kWh", "kgCO2e", "device_hour") else money(value, unit)
