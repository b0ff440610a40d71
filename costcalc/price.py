"""From device-seconds to dollars: which price, how much hardware is billed, what it comes to.

A price is taken from the accelerator's profile: the exact region first, else the median over the
provider's regions, and with ``any`` the median over providers.  Where none is known the answer is
None with a reason and with the range of what is known.  Age is counted from the day that the data
were gathered, never from today.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from datetime import date, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from costcalc.base.assumption import Assumption
from costcalc.base.units import from_si
from costcalc.catalog.region_table import table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from costcalc.catalog.accelerator import Accelerator, Price

Number = Any
"""A float, a NumPy array of draws, or (in the tests) a pint quantity."""

UNIT = "USD/device_hour"
ANY = "any"
OLD = timedelta(days=365)


# --- kernels -------------------------------------------------------------------------------------


def billed_devices(*, count: Number, per_instance: Number) -> Number:
    """Devices that are paid for: clouds rent whole instances.

    >>> float(billed_devices(count=12, per_instance=8))
    16.0
    """
    return np.ceil(count / per_instance) * per_instance


def owned_price(
    *, purchase: Number, devices: Number, lifetime: Number, utilization: Number
) -> Number:
    """What a device-second of bought hardware costs, electricity apart.

    ``purchase`` buys ``devices``, which live ``lifetime`` seconds and work the share
    ``utilization`` of them.

    >>> owned_price(purchase=1000.0, devices=2, lifetime=100.0, utilization=0.5)
    10.0
    """
    return purchase / (devices * lifetime * utilization)


def discounted(*, price: Number, discount: Number) -> Number:
    """A price less the share ``discount`` of it.

    >>> discounted(price=2.0, discount=0.25)
    1.5
    """
    return price * (1.0 - discount)


# --- which price ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceRange:
    """The prices that are known beside one that is not: lowest and highest, and of what."""

    low: float
    high: float
    what: str

    def __str__(self) -> str:
        low, high = (f"{from_si(value, UNIT):.3g}" for value in (self.low, self.high))
        return f"{self.what}: {low if low == high else f'{low} to {high}'} {UNIT}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """The price of a device-second, or why there is none and what is known beside it."""

    price: Assumption | None
    devices: float = 1.0  # in one instance, which is rented whole
    instance: str | None = None
    why_not: str = ""
    known: PriceRange | None = None
    old: bool = False  # more than a year before the data were gathered

    def less(self, discount: float) -> Quote:
        """The same with a discount, a share, taken off.

        >>> given(10.0).less(0.1).price.value
        9.0
        """
        if self.price is None or discount == 0:
            return self
        value, low, high = (
            discounted(price=price, discount=discount)
            for price in (self.price.value, self.price.low, self.price.high)
        )
        why = f"{self.price.why}; less {discount:.3g} of it".removeprefix("; ")
        return replace(self, price=replace(self.price, value=value, low=low, high=high, why=why))


def given(price: float, *, devices: float = 1.0, where: str | None = None) -> Quote:
    """The user's own price of a device-second, taken as exact.

    >>> given(0.5).price.exact
    True
    """
    return Quote(
        price=Assumption(
            key="price.device_hour",
            value=price,
            low=price,
            high=price,
            unit=UNIT,
            basis="given",
            source="run file",
            where=where,
        ),
        devices=devices,
    )


def quote(
    accelerator: Accelerator,
    *,
    provider: str | None,
    region: str | None = None,
    plan: str = "on-demand",
    instance: str | None = None,
    count: int = 1,
) -> Quote:
    """The price of a device-second of ``accelerator``; ``region`` is the provider's own name of it.

    ``count`` devices are wanted: of instances of several sizes, the fewest that hold them are
    taken, and of those the cheapest.

    >>> from costcalc.catalog.accelerator import find
    >>> str(quote(find("h100"), provider=None).why_not)
    'no price.provider, and site.region names none'
    """
    if provider is None:
        why = "no price.provider, and site.region names none"
        return _unknown(accelerator, why, plan)
    if provider == ANY:
        return _over_providers(accelerator, plan, instance)
    rented = [price for price in accelerator.prices if price.provider == provider]
    if not rented:
        why = f"no price of {accelerator.id} from {provider} is known"
        return _unknown(accelerator, why, plan)
    offers = _whole([price for price in rented if price.plan == plan])
    if not offers:
        why = f"no {plan} price of {accelerator.id} from {provider} is known"
        return Quote(price=None, why_not=why, known=_range(rented, f"{provider}, other plans"))
    return _from_provider(accelerator, offers, region, instance, count)


def sizes(accelerator: Accelerator, provider: str | None, plan: str) -> frozenset[float]:
    """Devices in the instances that a provider rents on a plan: with one size no count matters.

    >>> from costcalc.catalog.accelerator import find
    >>> sizes(find("h200-sxm-141"), "aws", "on-demand")
    frozenset({8.0})
    """
    offers = [p for p in accelerator.prices if p.provider == provider and p.plan == plan]
    return frozenset(offer.devices for offer in _whole(offers))


def regions_of(accelerator: Accelerator, provider: str | None) -> frozenset[str | None]:
    """The provider's regions for which a price is known."""
    return frozenset(p.region for p in accelerator.prices if p.provider == provider)


def _from_provider(
    accelerator: Accelerator,
    offers: Sequence[Price],
    region: str | None,
    instance: str | None,
    count: int,
) -> Quote:
    named = [p for p in offers if instance and (p.instance or "").lower() == instance.lower()]
    pool = named or offers
    here = _newest(p for p in pool if region is not None and p.region == region)
    if here:
        best = min(here, key=lambda p: _bill(p, count))
        return _exact(accelerator, best, offers)
    stated = _newest(p for p in pool if p.region is not None) or _newest(pool)
    best = min(stated, key=lambda p: _bill(p, count))
    same = [p for p in stated if (p.instance, p.devices) == (best.instance, best.devices)]
    return _median(accelerator, same, offers, region)


def _exact(accelerator: Accelerator, best: Price, offers: Sequence[Price]) -> Quote:
    old = _age(best)
    values = _spread(best, offers) if old else [best.si]
    why = f"{best.provider} {best.region}, {best.plan}{_named(best)}{old}"
    return _quote(accelerator, best, best.si, values, why)


def _median(
    accelerator: Accelerator, same: Sequence[Price], offers: Sequence[Price], region: str | None
) -> Quote:
    value = median(p.si for p in same)
    first = min(same, key=lambda p: (abs(p.si - value), p.region or ""))
    regions = len({p.region for p in same})
    of = f"known for {first.region or 'no stated region'}"
    if regions > 1:
        of = f"median over {regions} regions"
    asked = f", not for {region}" if region else ", no region of it asked for"
    why = f"{first.provider}, {first.plan}{_named(first)}: {of}{asked}{_age(first)}"
    return _quote(accelerator, first, value, _spread(first, offers), why)


def _over_providers(accelerator: Accelerator, plan: str, instance: str | None) -> Quote:
    found: dict[str, Quote] = {}
    for name in sorted({price.provider for price in accelerator.prices}):
        one = quote(accelerator, provider=name, plan=plan, instance=instance)
        if one.price is not None:
            found[name] = one
    if not found:
        why = f"no {plan} price of {accelerator.id} is known from any provider"
        return Quote(price=None, why_not=why, known=_range(accelerator.prices, "other plans"))
    values = [one.price.value for one in found.values() if one.price is not None]
    why = f"price.provider: any: median over {len(found)} providers ({', '.join(found)}), {plan}"
    low, high = (float(np.percentile(values, q)) for q in (5, 95))
    middle = float(median(values))
    return Quote(
        price=Assumption(
            key="price.device_hour",
            value=middle,
            low=min(low, middle),
            high=max(high, middle),
            unit=UNIT,
            basis="profile",
            why=why,
            source=f"{accelerator.name}: its profile's prices of {len(found)} providers",
        )
    )


def _quote(
    accelerator: Accelerator, offer: Price, value: float, values: Sequence[float], why: str
) -> Quote:
    low, high = min([value, *values]), max([value, *values])
    if offer.host == "excluded":
        machine = constants()["machine"]
        low, high = low * machine["low"], high * machine["high"]
        why = (
            f"{why}; price of the bare device, {from_si(value, UNIT):.4g} {UNIT}, times"
            f" {machine['value']} for the machine around it"
        )
        value *= machine["value"]
    year = int(offer.date[:4]) if offer.date else offer.year
    return Quote(
        price=Assumption(
            key="price.device_hour",
            value=value,
            low=low,
            high=high,
            unit=UNIT,
            basis="profile",
            source=accelerator.sources[offer.source].title,
            why=why,
            year=year,
        ),
        devices=offer.devices,
        instance=offer.instance,
        old=bool(_age(offer)),
    )


def _spread(price: Price, offers: Sequence[Price]) -> list[float]:
    """What is known of offers of this size in all regions, at all times; else how prices drift."""
    same = [offer for offer in offers if offer.devices == price.devices]
    if not _age(price) and price.region is None:  # one price everywhere: older ones are past
        return [offer.si for offer in same if not _age(offer)]
    values = [offer.si for offer in same]
    if len(set(values)) > 1:
        return values
    drift = constants()["drift"]
    return [price.si * drift["low"], price.si * drift["high"]]


def _newest(prices: Iterable[Price]) -> list[Price]:
    """The newest price of each region, instance and size, without old ones beside fresh ones."""
    kept: dict[tuple[str | None, str | None, float], Price] = {}
    best: dict[tuple[str | None, float], int] = {}
    for price in prices:
        key, size = (price.region, price.instance, price.devices), (price.region, price.devices)
        best[size] = max(best.get(size, 0), _freshness(price)[0])
        if key not in kept or _freshness(price) > _freshness(kept[key]):
            kept[key] = price
    return [p for p in kept.values() if _freshness(p)[0] == best[p.region, p.devices]]


def _freshness(price: Price) -> tuple[int, str]:
    """Larger is newer: dated within the year; undated, from a list then kept up; dated before."""
    if price.date is None:
        return 1, ""
    return (2 if not _age(price) else 0), price.date


def _bill(price: Price, count: int) -> tuple[float, float, str]:
    """Smaller is better: the fewest instances that hold ``count`` devices, then the cheapest."""
    devices = float(billed_devices(count=count, per_instance=price.devices))
    return devices / price.devices, devices * price.si, price.instance or ""


def _age(price: Price) -> str:
    """What to say of a price that is old, from the day of the data; empty if it is not."""
    if price.date is None:
        return ", undated and so taken as old"
    day = date.fromisoformat((price.date + "-01-01")[:10])
    return f", of {price.date}: more than a year old" if as_of() - day > OLD else ""


def _whole(prices: list[Price]) -> list[Price]:
    """Prices with their machine, where there are any."""
    return [price for price in prices if price.host == "included"] or prices


def _named(price: Price) -> str:
    return f", {price.instance}" if price.instance else ""


def _unknown(accelerator: Accelerator, why: str, plan: str) -> Quote:
    offers = [price for price in accelerator.prices if price.plan == plan]
    return Quote(price=None, why_not=why, known=_range(offers, f"other providers, {plan}"))


def _range(prices: Sequence[Price], what: str) -> PriceRange | None:
    values = [price.si for price in prices]
    return PriceRange(low=min(values), high=max(values), what=what) if values else None


@functools.cache
def constants() -> Mapping[str, Any]:
    """``data/price.yaml``: the day of the data, and defaults for bought hardware."""
    return table("price.yaml").data


def as_of() -> date:
    """The day that prices are seen from.

    >>> as_of().isoformat()
    '2026-11-21'
    """
    return date.fromisoformat(constants()["as_of"])
