"""The inputs of the formulas: each an assumption with its range, or why there is none.

What the user gives wins, then what the catalogue knows, then defaults.  Nothing is guessed: an
input that is not known is left out, with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from costcalc.base.assumption import Assumption, Choice, exact
from costcalc.base.units import unit
from costcalc.catalog.figure import Figure
from costcalc.runfile.loading import Input
from costcalc.runfile.rules import value_at
from costcalc.runfile.schema import Price
from costcalc.runfile.values import Money

T = TypeVar("T")
# The inputs, by the name that the formulas use, and the key of the assumption behind each: in a
# result, in the run file and for ``--set``.
INPUTS = {
    "model_flops": "training.model_flops",
    "training_flops": "training.model_flops",
    "counted_flops": "training.model_flops",
    "sample_tokens": "training.sample_tokens",
    "counted_tokens": "training.sample_tokens",
    "peak": "hardware.peak",
    "devices": "hardware.count",
    "utilization": "hardware.utilization",
    "generation": "training.generation_time",
    "goodput": "hardware.goodput",
    "runs": "training.runs",
    "board_power": "hardware.board_power",
    "idle_power": "hardware.idle_power",
    "host_power": "hardware.host_power",
    "network_share": "hardware.network_power",
    "redone": "hardware.redone",
    "pue": "site.pue",
    "grid": "site.grid",
    "wue": "site.wue",
    "grid_water": "site.grid_water",
    "price": "price.device_hour",
    "billed": "price.billed_share",
    "electricity": "price.electricity",
    "embodied_device": "embodied.device",
    "embodied_host": "embodied.host",
    "abiotic_device": "embodied.abiotic_depletion",
    "lifetime": "embodied.lifetime",
    "lifetime_utilization": "embodied.utilization",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """Assumptions by the formulas' name of them; ``why`` says why a name is not there."""

    known: Mapping[str, Assumption]
    why: Mapping[str, str]
    notes: tuple[str, ...] = ()

    def said(self, given: Input, **units: str) -> Known:
        """The same with what the user says of the named inputs in place; ``units`` to show."""
        known = dict(self.known)
        for name, shown in units.items():
            found = stated(given, INPUTS[name], shown)
            if found is not None:
                known[name] = found
        return replace(self, known=known)


def taken(
    assumed: list[Assumption | Choice], key: str, value: T, why: str = "", source: str = "costcalc"
) -> T:
    """A default, which is listed among what was assumed."""
    assumed.append(Choice(key=key, value=value, basis="default", source=source, why=why))
    return value


def stated(given: Input, key: str, shown: str) -> Assumption | None:
    """What the run file says under the key of an assumption; None where it says nothing."""
    path = tuple(key.split("."))
    value = value_at(given.part, path)
    if isinstance(value, Money):
        value = dollars(value, given.part.price)
    if not isinstance(value, (int, float)):
        return None
    where = given.place(*path)
    return exact(key, float(value), shown, basis="given", source="run file", where=where)


def dollars(money: Money, given: Price | None) -> float:
    """An amount in USD, a unit of SI where it is a price of something.

    >>> dollars(Money(7.2, "USD", "kWh"), None)
    2e-06
    """
    rate = given.rate.usd if given and given.rate and money.currency != "USD" else 1.0
    return money.amount * rate / (unit(money.per).factor if money.per else 1.0)


def currency(given: Price | None) -> tuple[str, float]:
    """The currency of the result, and the dollars for one unit of it.

    >>> currency(None)
    ('USD', 1.0)
    """
    if given is None or given.currency in (None, "USD") or given.rate is None:
        return "USD", 1.0
    return given.rate.currency, given.rate.usd


def bounds(figure: Figure) -> tuple[float, float, float]:
    """A figure's value, low and high in SI; without a range all three are the value."""
    value = figure.si
    low = value if figure.si_low is None else figure.si_low
    return value, low, value if figure.si_high is None else figure.si_high
