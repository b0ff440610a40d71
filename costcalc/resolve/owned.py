"""Hardware that was bought: what stands for a price where nothing is rented."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from costcalc.base.assumption import Assumption
from costcalc.base.units import to_si
from costcalc.catalog.accelerator import Accelerator
from costcalc.price import constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Owned:
    """What bought hardware needs: dollars a device, seconds, a share, dollars a joule.

    ``purchase`` is None where the user gave none and the profile knows none; ``why_not`` says so.
    """

    purchase: Assumption | None
    lifetime: Assumption
    utilization: Assumption
    electricity: Assumption
    why_not: str = ""


def owned(accelerator: Accelerator) -> Owned:
    """The defaults for bought hardware; what the user gives takes the place of each."""
    data = constants()
    figures = data["owned"]
    found = Owned(
        purchase=None,
        lifetime=_default("lifetime", figures["lifetime"], data),
        utilization=_default("utilization", figures["utilization"], data),
        electricity=_default("electricity", figures["electricity"], data),
        why_not=f"no price.owned.purchase, and no purchase price of {accelerator.id} is known",
    )
    figure = accelerator.purchase
    if figure is None:
        return found
    server = figures["server"]
    low = figure.si if figure.si_low is None else figure.si_low
    high = figure.si if figure.si_high is None else figure.si_high
    purchase = Assumption(
        key="price.owned.purchase",
        value=figure.si * server["value"],
        unit="USD",
        low=low * server["low"],
        high=high * server["high"],
        basis="profile",
        year=figure.year,
        source=accelerator.sources[figure.source].title,
        why=f"a device, its price times {server['value']} for its server: {server['note']}",
    )
    return replace(found, purchase=purchase, why_not="")


def _default(name: str, figure: Mapping[str, Any], data: Mapping[str, Any]) -> Assumption:
    unit = figure.get("unit", "1")
    return Assumption(
        key=f"price.owned.{name}",
        unit=unit,
        basis="default",
        year=figure.get("year"),
        value=to_si(figure["value"], unit),
        low=to_si(figure["low"], unit),
        high=to_si(figure["high"], unit),
        why=figure["note"],
        source=data["sources"][figure["source"]]["title"],
    )
