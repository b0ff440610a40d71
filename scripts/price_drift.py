"""What prices did in time: the factors by which `data/price.yaml` widens an old price's range.

A pair is two prices of one provider, device, plan, size and machine (the same region and instance
where both name one) at two dates at least three months apart, each the next one known.  The
logarithm of their ratio over the root of the years between them is pooled; its 5th and 95th
percentile, every provider weighing as much, are the factors of one year.  The check leaves one
provider out at a time: how many of its pairs lie within what the others' factors allow.
Marketplaces have offers of the day and no list, and are left out.

    python scripts/price_drift.py
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from costcalc.catalog.prices import Offer, constants, shipped
from costcalc.catalog.provider import markets

LEAST = 0.25  # years between the two prices of a pair
ENDS = (5, 95)
NO_LISTS = {"vast", "lium", "salad"}  # marketplaces


class Pair(NamedTuple):
    """Two prices of the same thing: whose, the years between them, the later over the earlier."""

    provider: str
    accelerator: str
    years: float
    ratio: float


def pairs(offers: Iterable[Offer]) -> list[Pair]:
    """Every price with the next one known of the same thing."""
    things: dict[tuple[object, ...], list[Offer]] = defaultdict(list)
    for offer in offers:
        if offer.date is not None and offer.provider not in NO_LISTS | markets():
            thing = (offer.provider, offer.accelerator, offer.plan, offer.devices, offer.host)
            things[thing].append(offer)
    found: list[Pair] = []
    for listed in things.values():
        by_day = defaultdict(list)
        for offer in listed:
            by_day[offer.day].append(offer)
        for (early, before), (late, after) in itertools.pairwise(sorted(by_day.items())):
            years = (late - early).days / 365.25
            same = [(a, b) for a in before for b in after if _same(a, b)]
            if years >= LEAST and same:
                ratio = math.exp(float(np.median([math.log(b.value / a.value) for a, b in same])))
                found.append(Pair(listed[0].provider, listed[0].accelerator, years, ratio))
    return found


def factors(found: Sequence[Pair]) -> tuple[float, float]:
    """The factors of one year: percentiles of what the pairs did, every provider weighing as much.

    >>> low, high = factors([Pair("a", "x", 1.0, 0.5), Pair("b", "x", 4.0, 4.0)])
    >>> round(low, 6), round(high, 6)
    (0.5, 2.0)
    """
    number = Counter(pair.provider for pair in found)
    rates = sorted(
        (math.log(pair.ratio) / math.sqrt(pair.years), 1 / number[pair.provider]) for pair in found
    )
    reached = np.cumsum([weight for _, weight in rates]) / len(number)
    low, high = (math.exp(rates[int(np.searchsorted(reached, end / 100))][0]) for end in ENDS)
    return low, high


def within(found: Sequence[Pair], low: float, high: float) -> int:
    """How many pairs stayed within the factors."""
    return sum(
        low ** math.sqrt(pair.years) <= pair.ratio <= high ** math.sqrt(pair.years)
        for pair in found
    )


def held_out(found: Sequence[Pair]) -> int:
    """How many pairs lie within the factors of the other providers' pairs."""
    inside = 0
    for provider in sorted({pair.provider for pair in found}):
        own = [pair for pair in found if pair.provider == provider]
        inside += within(own, *factors([pair for pair in found if pair.provider != provider]))
    return inside


def _same(a: Offer, b: Offer) -> bool:
    """The same region and instance, as far as named; no median beside one of its regions."""
    if bool(a.regions) != bool(b.regions) and max(a.high / a.low, b.high / b.low) > 1.0:
        return False
    places = not a.regions or not b.regions or bool(set(a.regions) & set(b.regions))
    return places and (a.instance is None or b.instance is None or a.instance == b.instance)


def main() -> None:
    """Print the pairs, the factors, those that ship, and the check."""
    found = pairs(shipped().every())
    for pair in sorted(found):
        print(f"{pair.provider:10} {pair.accelerator:16} {pair.years:5.2f} a  x {pair.ratio:.2f}")
    low, high = factors(found)
    providers = len({pair.provider for pair in found})
    print(f"{len(found)} pairs of {providers} providers: {low:.2f} to {high:.2f} in a year")
    drift = constants()["drift"]
    print(f"shipped: {drift['low']} to {drift['high']}")
    print(f"held out by provider: {held_out(found)} of {len(found)} within")


if __name__ == "__main__":
    main()
