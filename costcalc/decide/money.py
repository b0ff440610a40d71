"""The user's currency: decisions are made in dollars, and shown in it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

from costcalc.decide.sweep import ScenarioRow, section, split
from costcalc.resolve.known import currency
from costcalc.runfile.loading import Source
from costcalc.runfile.schema import Price


@dataclass(frozen=True, slots=True)
class Money:
    """A currency, and the dollars for one unit of it."""

    name: str = "USD"
    usd: float = 1.0

    def of(self, dollars: float) -> float:
        """So many dollars in it.

        >>> Money("EUR", 1.25).of(500.0)
        400.0
        """
        return dollars / self.usd


def money_of(raw: Mapping[str, object]) -> tuple[dict[str, object], Money]:
    """A run in dollars, whatever its result is shown in, and the currency that it asks for.

    >>> raw = {"price": {"currency": "EUR", "rate": "1.25 USD/EUR"}}
    >>> money_of(raw)
    ({'price': {'rate': '1.25 USD/EUR'}}, Money(name='EUR', usd=1.25))
    """
    price = section(raw, "price")
    asked = price.pop("currency", None)
    if asked is None:
        return dict(raw), Money()
    known = {key: price[key] for key in ("rate",) if key in price}
    try:
        found = Price.model_validate({"currency": asked, **known})
    except ValueError:
        return dict(raw), Money()
    if found.rate is None and found.currency != "USD":
        return dict(raw), Money()  # told with its place when the run is read
    return {**raw, "price": price}, Money(*currency(found))


def shown_in(source: Source | None, changes: Mapping[str, object] | None) -> dict[str, object]:
    """The currency and rate that a run file, or what is laid over it, asks for; else nothing.

    >>> shown_in({"price": {"plan": "spot"}}, {"price.currency": "EUR"})
    {'currency': 'EUR'}
    """
    own = section(split(source)[0], "price") if source is not None else {}
    laid = {key.removeprefix("price."): value for key, value in (changes or {}).items()}
    return {key: value for key, value in {**own, **laid}.items() if key in ("currency", "rate")}


def converted(row: ScenarioRow, money: Money) -> ScenarioRow:
    """A scenario with its money in the currency."""
    made = dict(row)
    cost = row["cost"]
    made["cost"] = None if cost is None else money.of(cost)
    ranges = row.get("ranges")
    if ranges and "cost" in ranges:
        made["ranges"] = {**ranges, "cost": [money.of(end) for end in ranges["cost"]]}
    return cast("ScenarioRow", made)
