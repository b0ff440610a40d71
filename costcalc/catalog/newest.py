"""Of several prices of one thing the newest: what is past does not stand beside what holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from costcalc.catalog.instances import alike
from costcalc.catalog.prices import FRESH, Offer, freshness, is_old


def newest(found: Iterable[Offer], *, at: str | None = None) -> list[Offer]:
    """The newest price of each place, without old ones beside fresh ones of the same size.

    An undated one stays where it names a region of which no fresh one is known.
    ``at`` is the one place that all are of, though one may name others beside it.
    """
    kept: dict[tuple[tuple[str, ...], str | None, float], Offer] = {}
    best: dict[tuple[tuple[str, ...], float], int] = {}
    where = {offer: (at,) if at else offer.regions for offer in found}
    for offer, place in where.items():
        key, size = (place, *size_of(offer)), (place, offer.devices)
        best[size] = max(best.get(size, 0), freshness(offer)[0])
        if key not in kept or freshness(offer) > freshness(kept[key]):
            kept[key] = offer
    fresh = {offer.devices for offer in kept.values() if freshness(offer)[0] == FRESH}

    def past(offer: Offer) -> bool:
        how = freshness(offer)[0]
        return how < best[where[offer], offer.devices] or (
            offer.devices in fresh and (how == 0 or (how < FRESH and not offer.regions))
        )

    return [offer for offer in kept.values() if not past(offer)]


def bare_of(found: Iterable[Offer], whole: Offer) -> list[Offer]:
    """Prices of bare devices that go with a whole machine: of its line, and not old."""
    return [
        offer
        for offer in found
        if offer.host == "excluded"
        and not is_old(offer)
        and alike(offer.instance, whole.instance or "")
    ]


def bare_at(found: Iterable[Offer], region: str | None, whole: Offer) -> Offer | None:
    """The price of the bare device in a region, in the size of another region's whole machine."""
    here = [offer for offer in bare_of(found, whole) if region in offer.regions]
    if not here:
        return None
    return replace(max(here, key=freshness), devices=whole.devices, instance=whole.instance)


def size_of(offer: Offer) -> tuple[str | None, float]:
    """What of an offer is rented as a whole: its instance, and the devices in one."""
    return offer.instance, offer.devices
