"""From device-seconds to dollars: which price, how much hardware is billed, what it comes to.

The exact region's price comes first, else the median over the provider's regions, and with ``any``
the median over providers.  Where none is known the answer is None with a reason and with the range
of what is known.  Age is counted from the day that the data were gathered, never from today, and
widens a price's range by what prices did in as much time.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from costcalc.base.assumption import Assumption
from costcalc.base.units import to_si
from costcalc.catalog.asked import PriceRange
from costcalc.catalog.index import index
from costcalc.catalog.instances import alike, held_by_name
from costcalc.catalog.newest import bare_at, bare_of, newest, size_of
from costcalc.catalog.prices import UNIT, Offer, constants, dated, freshness, is_old, offers, years
from costcalc.catalog.provider import canonical, markets, resellers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from costcalc.catalog.accelerator import Accelerator

Number = Any
"""A float, a NumPy array of draws, or (in the tests) a pint quantity."""

ANY = "any"
ELSEWHERE = ", not for "  # what a price says that is of other regions than the one asked for
ENOUGH = 3  # providers with a price of the last twelve months, for a median over them


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
class Quote:
    """The price of a device-second, or why there is none and what is known beside it."""

    price: Assumption | None
    devices: float = 1.0  # in one instance, which is rented whole
    instance: str | None = None
    why_not: str = ""
    known: PriceRange | None = None
    provider: str | None = None  # whose list price it is
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
    exactly: bool = False,
) -> Quote:
    """The price of a device-second of ``accelerator``; ``region`` is the provider's own name of it.

    ``count`` devices are wanted: of instances of several sizes, the fewest that hold them are
    taken, and of those the cheapest.  ``exactly``: ``instance`` is one of the provider's, for which
    the price of another does not stand in, but that of its line (`a2-highgpu`) or of a TPU chip.

    >>> from costcalc.catalog.accelerator import find
    >>> str(quote(find("h100"), provider=None).why_not)
    'no price.provider, and site.region names none'
    """
    listed = offers(accelerator)
    if provider is None:
        why = "no price.provider, and site.region names none"
        return _unknown(listed, why, plan)
    if provider == ANY:
        return _over_providers(accelerator, plan, instance, count)
    provider = canonical(provider)
    rented = [offer for offer in listed if offer.provider == provider]
    if not rented:
        why = f"no price of {accelerator.id} from {provider} is known"
        return _unknown(listed, why, plan)
    planned = [offer for offer in rented if offer.plan == plan]
    found = _whole(planned)
    if not found:
        why = f"no {plan} price of {accelerator.id} from {provider} is known"
        return Quote(price=None, why_not=why, known=_range(rented, f"{provider}, other plans"))
    if exactly and instance and accelerator.kind != "tpu":
        found = [offer for offer in found if alike(offer.instance, instance)]
        if not found:
            why = f"no {plan} price of {instance} is known"
            return Quote(price=None, why_not=why, known=_range(rented, f"{provider}, others"))
    made = _from_provider(found, region, instance, count, planned)
    held = held_by_name(instance) if instance and accelerator.kind != "tpu" else None
    return replace(made, devices=float(held), instance=instance) if held else made


def market(
    accelerator: Accelerator, *, beside: str, plan: str = "on-demand", count: int = 1
) -> PriceRange | None:
    """What providers other than ``beside`` ask, by their prices of the last twelve months.

    >>> from costcalc.catalog.accelerator import find
    >>> (market(find("h100"), beside="aws") or "").what.endswith("providers ask")
    True
    """
    asked = [
        price.value
        for name, price in _by_provider(accelerator, plan, None, count, fresh=True).items()
        if name != canonical(beside)
    ]
    if not asked:
        return None
    what = "1 other provider asks" if len(asked) == 1 else f"{len(asked)} other providers ask"
    return PriceRange(low=min(asked), high=max(asked), what=what)


def sizes(accelerator: Accelerator, provider: str | None, plan: str) -> frozenset[float]:
    """Devices in the instances that a provider rents on a plan: with one size no count matters.

    >>> from costcalc.catalog.accelerator import find
    >>> sizes(find("h200-sxm-141"), "aws", "on-demand")
    frozenset({8.0})
    """
    found = [
        offer
        for offer in offers(accelerator)
        if offer.plan == plan and (provider == ANY or offer.provider == canonical(provider or ""))
    ]
    return frozenset(offer.devices for offer in _whole(found))


def rents(accelerator: Accelerator, provider: str) -> bool:
    """Whether a provider is known to rent an accelerator: it has a price of it, or an instance.

    >>> from costcalc.catalog.accelerator import find
    >>> rents(find("tpu-v6e"), "gcp"), rents(find("tpu-v6e"), "aws")
    (True, False)
    """
    whose = canonical(provider)
    return any(offer.provider == whose for offer in offers(accelerator)) or any(
        (head.provider, head.accelerator) == (whose, accelerator.id)
        for head in index().heads("hosts")
    )


def regions_of(accelerator: Accelerator, provider: str | None) -> frozenset[str]:
    """The provider's regions for which a price is known."""
    whose = canonical(provider or "")
    return frozenset(r for o in offers(accelerator) if o.provider == whose for r in o.regions)


def _from_provider(
    found: Sequence[Offer],
    region: str | None,
    instance: str | None,
    count: int,
    listed: Sequence[Offer] = (),
) -> Quote:
    """``listed``: with bare devices, which go before whole machines of other regions."""
    named = [o for o in found if instance and o.instance and alike(o.instance, instance)]
    pool = named or found
    here = newest((o for o in pool if region is not None and region in o.regions), at=region)
    stated = here or newest(pool)
    stated = [offer for offer in stated if not is_old(offer)] or stated
    best = min(stated, key=lambda offer: _bill(offer, count))
    if not here and (own := bare_at(listed, region, best)):
        here, best = [own], own
    if here:
        where = f"{best.provider} {region}, {best.plan}{_named(best)}"
        return _quote(best, best.value, best.low, best.high, f"{where}{_zones(best)}{dated(best)}")
    made = _median([o for o in stated if size_of(o) == size_of(best)], region)
    return _wide_as(made, bare_of(listed, best)) if region else made


def _wide_as(made: Quote, bare: Sequence[Offer]) -> Quote:
    """A price of other regions, as wide as what the list asks over regions for the bare device."""
    if made.price is None or not bare:
        return made
    ends = [
        to_si(end * constants()["machine"]["value"], UNIT) for o in bare for end in (o.low, o.high)
    ]
    low, high = min(made.price.low, *ends), max(made.price.high, *ends)
    return replace(made, price=replace(made.price, low=low, high=high))


def _median(same: Sequence[Offer], region: str | None) -> Quote:
    """The whole list's median, where a list covers more regions than are named one by one.

    Where a list says of how many zones its median is, it goes before the median over regions.
    """
    named = {name for offer in same for name in offer.regions}
    widest = max(same, key=lambda offer: (offer.count or 0, freshness(offer)))
    if (widest.count or 0) >= len(named) + (widest.zones is None):
        same = [widest]
    values = [offer.value for offer in same for _ in offer.regions or ("",)]
    value = median(values)
    first = min(same, key=lambda offer: (abs(offer.value - value), offer.regions))
    number = max(len(named), widest.count or 0)
    low, high = min(offer.low for offer in same), max(offer.high for offer in same)
    of = f"known for {', '.join(sorted(named)) or 'no stated region'}"
    if number > 1:
        of = f"median over {number} regions" if low < high else f"the same in {number} regions"
    asked = f"{ELSEWHERE}{region}" if region else ", no region of it asked for"
    if first is widest and (widest.zones or 0) > 1:
        of = f"{number} regions" if number > 1 else ", ".join(sorted(named)) or "one region"
        of = f"median over {widest.zones} zones of {of}"
    why = f"{first.provider}, {first.plan}{_named(first)}: {of}{asked}"
    return _quote(first, value, low, high, why + dated(first))


def _over_providers(accelerator: Accelerator, plan: str, instance: str | None, count: int) -> Quote:
    """The median over providers with a price of the last twelve months, where three have one."""
    found = _by_provider(accelerator, plan, instance, count, fresh=True)
    of = "with a price of the last twelve months"
    if len(found) < ENOUGH:
        found = _by_provider(accelerator, plan, instance, count, fresh=False)
        of = "whatever the age of their prices"
    if not found:
        others = resellers()
        found = _by_provider(accelerator, plan, instance, count, fresh=False, whose=others)
        of = "that resell what no provider is known to rent itself"
    if not found:
        why = f"no {plan} price of {accelerator.id} is known from any provider"
        known = _range(offers(accelerator), "other plans")
        return Quote(price=None, why_not=why, known=known)
    values = [price.value for price in found.values()]
    whose = f"{len(found)} providers {of} ({', '.join(found)})"
    low, high = (float(np.percentile(values, q)) for q in (5, 95))
    if len(values) < ENOUGH:
        low = min(price.low for price in found.values())
        high = max(price.high for price in found.values())
    middle = float(median(values))
    return Quote(
        price=Assumption(
            key="price.device_hour",
            value=middle,
            low=min(low, middle),
            high=max(high, middle),
            unit=UNIT,
            basis="profile",
            why=f"price.provider: any: median over {whose}, {plan}",
            source=f"{accelerator.name}: price lists of {len(found)} providers",
        )
    )


def _by_provider(
    accelerator: Accelerator,
    plan: str,
    instance: str | None,
    count: int,
    *,
    fresh: bool,
    whose: frozenset[str] | None = None,
) -> dict[str, Assumption]:
    """The price of each provider, or of ``whose``; resellers and auctions ask others', or none."""
    found: dict[str, Assumption] = {}
    every = {offer.provider for offer in offers(accelerator)}
    for name in sorted(every - markets() if whose is None else every & whose):
        one = quote(accelerator, provider=name, plan=plan, instance=instance, count=count)
        if one.price is not None and not (fresh and one.old):
            found[name] = one.price
    return found


def _quote(offer: Offer, value: float, low: float, high: float, why: str) -> Quote:
    """An offer as a price, its range widened by what prices do in the time since."""
    drift, root = constants()["drift"], math.sqrt(years(offer))
    low, high = low * drift["low"] ** root, high * drift["high"] ** root
    if offer.host == "excluded":
        machine = constants()["machine"]
        low, high = low * machine["low"], high * machine["high"]
        why = (
            f"{why}; price of the bare device, {value:.4g} {UNIT}, times"
            f" {machine['value']} for the machine around it"
        )
        value *= machine["value"]
    value, low, high = (to_si(figure, UNIT) for figure in (value, low, high))
    return Quote(
        price=Assumption(
            key="price.device_hour",
            value=value,
            low=min(low, value),
            high=max(high, value),
            unit=UNIT,
            basis="profile",
            source=offer.source,
            why=why,
            year=int(offer.date[:4]) if offer.date else None,
        ),
        devices=offer.devices,
        instance=offer.instance,
        provider=offer.provider,
        old=is_old(offer),
    )


def _bill(offer: Offer, count: int) -> tuple[float, float, str]:
    """Smaller is better: the fewest instances that hold ``count`` devices, then the cheapest."""
    devices = float(billed_devices(count=count, per_instance=offer.devices))
    return devices / offer.devices, devices * offer.value, offer.instance or ""


def _whole(found: list[Offer]) -> list[Offer]:
    """Prices with their machine, where there are any."""
    return [offer for offer in found if offer.host == "included"] or found


def _named(offer: Offer) -> str:
    return f", {offer.instance}" if offer.instance else ""


def _zones(offer: Offer) -> str:
    return f", median over {offer.zones} zones" if offer.zones and offer.zones > 1 else ""


def _unknown(listed: Sequence[Offer], why: str, plan: str) -> Quote:
    found = [offer for offer in listed if offer.plan == plan]
    return Quote(price=None, why_not=why, known=_range(found, f"other providers, {plan}"))


def _range(found: Sequence[Offer], what: str) -> PriceRange | None:
    values = [offer.si for offer in found if offer.provider not in markets()]
    return PriceRange(low=min(values), high=max(values), what=what) if values else None
