"""A newer catalogue of prices in the place of what is known: taken by name, kept for the user.

Nothing is fetched unless an address is given.  What is kept stands beside the catalogue that ships
and comes before it, provider by provider and device by device.
"""

from __future__ import annotations

import csv
import functools
import io
import os
import re
import tempfile
import urllib.request
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from costcalc.base.errors import InputError, Problem
from costcalc.catalog import accelerator as accelerators
from costcalc.catalog import prices
from costcalc.catalog.prices import HEAD, Catalogue, Offer
from costcalc.catalog.provider import canonical

LARGEST = 16_000_000  # bytes of a catalogue from elsewhere
PATIENCE = 30  # seconds
FAR = 5.0  # times the price before, or a fifth of it: said, for another unit may be meant
Key = tuple[str, str, str | None, float, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """What a newer catalogue changes: prices that are new, other, the same, and no longer there."""

    offers: tuple[Offer, ...]
    new: tuple[Offer, ...]
    changed: tuple[tuple[Offer, Offer], ...]  # before and after, the largest changes first
    same: int
    gone: tuple[Offer, ...]
    newest: str | None

    def to_dict(self) -> dict[str, object]:
        """Plain values, for --json."""
        return {
            "prices": len(self.offers),
            "providers": sorted({offer.provider for offer in self.offers}),
            "new": len(self.new),
            "changed": [
                {
                    **_thing(after),
                    "before": before.value,
                    "after": after.value,
                    **({"far": True} if is_far(before, after) else {}),
                }
                for before, after in self.changed
            ],
            "same": self.same,
            "gone": len(self.gone),
            "newest": self.newest,
        }


def fetched(name: str) -> tuple[str, str]:
    """The text of a catalogue, from a file or from an https address, and how it is shown.

    Raises:
        InputError: it cannot be read, is too large, or is no text.
    """
    try:
        raw = _from_address(name) if "://" in name else _from_file(Path(name))
        return raw.decode("utf-8"), name
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise InputError(Problem(key="", message=f"cannot be read: {reason}", file=name)) from None


def _from_file(path: Path) -> bytes:
    if path.stat().st_size > LARGEST:
        raise ValueError(f"larger than {LARGEST:,} bytes")
    return path.read_bytes()


def _from_address(url: str) -> bytes:
    if not url.startswith(("https://", "http://127.0.0.1:", "http://localhost:")):
        raise ValueError("expected an https address")
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:  # noqa: S310 - https, as checked
        raw: bytes = answer.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ValueError(f"larger than {LARGEST:,} bytes")
    return raw


def compared(found: Sequence[Offer], known: Catalogue) -> Update:
    """What prices would change of those that are known: of their own providers and devices only."""
    touched = {(offer.provider, offer.accelerator) for offer in found}
    before = {
        _key(offer): offer
        for offer in known.every()
        if (offer.provider, offer.accelerator) in touched
    }
    after = {_key(offer): offer for offer in found}
    both = [(before[key], offer) for key, offer in after.items() if key in before]
    changed = [(old, offer) for old, offer in both if old.value != offer.value]
    changed.sort(key=lambda pair: -abs(pair[1].value / pair[0].value - 1.0))
    return Update(
        offers=tuple(found),
        new=tuple(offer for key, offer in after.items() if key not in before),
        changed=tuple(changed),
        same=len(both) - len(changed),
        gone=tuple(offer for key, offer in before.items() if key not in after),
        newest=max((offer.date for offer in found if offer.date), default=None),
    )


def is_far(before: Offer, after: Offer) -> bool:
    """Whether a price is so far from the one before that another unit may be meant."""
    return not 1 / FAR <= after.value / before.value <= FAR


def read(text: str, shown: str) -> list[Offer]:
    """The prices of a catalogue, providers and devices by the id that costcalc knows them by.

    Two layouts are read: that of costcalc's own catalogue, and that of lists with a column
    ``usd_per_device_hour``, whose devices are named as their providers name them.

    Raises:
        InputError: with every fault, each at its line.
    """
    head = text.removeprefix("\ufeff").partition("\n")[0]
    if {"usd_per_device_hour", "accelerators_per_instance"} <= set(head.strip().split(",")):
        text = _in_our_layout(text)
    return [_known(offer) for offer in prices.read(text, shown)]


def _known(offer: Offer) -> Offer:
    return replace(offer, provider=canonical(offer.provider), accelerator=_id_of(offer.accelerator))


@functools.lru_cache(maxsize=256)
def _id_of(name: str) -> str:
    try:
        return accelerators.find(name).id
    except InputError:  # none of ours, or several: the row stays under its own name
        return name


_OURS = {
    "devices": "accelerators_per_instance",
    "value": "usd_per_device_hour",
    "regions": "n_regions",
    "zones": "n_zones",
    "note": "notes",
}
_COUNTED = re.compile(r"(?:all|median of|unstated|\d+ offers?)\b.*")  # no region's name
_AT_THE_LATEST = "on or before "
# Lists of clouds call the board of 80 GB A100-80GB, so the bare name is the one of 40 GB.
# Source: SkyPilot, supported accelerators, https://docs.skypilot.co/en/latest/compute/gpus.html.
_OF_LISTS = {"A100": "a100-sxm4-40"}


def _in_our_layout(text: str) -> str:
    """The same rows under our columns, line for line."""
    made = io.StringIO()
    lines = csv.DictWriter(made, HEAD, lineterminator="\n")
    lines.writeheader()
    for row in csv.DictReader(text.removeprefix("\ufeff").splitlines()):
        told = {name: (row.get(_OURS.get(name, name)) or "").strip() for name in HEAD}
        told["date"] = told["date"].replace(_AT_THE_LATEST, "<=")
        named = re.sub(r"[;,]", " ", told["region"])
        told["region"] = "" if _COUNTED.fullmatch(told["region"]) else " ".join(named.split())
        told["accelerator"] = _OF_LISTS.get(told["accelerator"].upper(), told["accelerator"])
        if "accelerator only" in told["note"]:
            told["host"] = "excluded"
        lines.writerow(_rounded(told))
    return made.getvalue()


def _rounded(told: dict[str, str]) -> dict[str, str]:
    """A row with bounds of a device, as its value is: lists bound the whole instance, and round."""
    try:
        value, devices = float(told["value"]), float(told["devices"] or 1)
        low, high = (float(told[name] or value * devices) / devices for name in ("low", "high"))
    except (ValueError, ZeroDivisionError):  # said at its line by what reads it
        return told
    near = value * 1e-3
    if low - near <= value <= high + near:
        told["low"], told["high"] = f"{min(low, value):g}", f"{max(high, value):g}"
    return told


def keep(found: Sequence[Offer], path: Path) -> None:
    """Keep prices for the user, beside those kept before of other providers and devices.

    Raises:
        OSError: they cannot be written.
    """
    touched = {(offer.provider, offer.accelerator) for offer in found}
    mine = prices.mine()
    kept = [
        offer
        for offer in (mine.every() if mine else ())
        if (offer.provider, offer.accelerator) not in touched
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
            file.write(written([*kept, *found]))
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    prices.forget()


def written(found: Iterable[Offer]) -> str:
    """Prices as a catalogue holds them.

    >>> written([]).startswith("provider,accelerator,instance,devices,plan")
    True
    """
    text = io.StringIO()
    lines = csv.DictWriter(text, HEAD, lineterminator="\n")
    lines.writeheader()
    lines.writerows(_row(offer) for offer in found)
    return text.getvalue()


def _row(offer: Offer) -> Mapping[str, object]:
    bounded = f"<={offer.date}" if offer.at_the_latest else offer.date
    spread = offer.low != offer.value or offer.high != offer.value
    return {
        **_thing(offer),
        "value": f"{offer.value:g}",
        "low": f"{offer.low:g}" if spread else "",
        "high": f"{offer.high:g}" if spread else "",
        "regions": offer.count or "",
        "zones": offer.zones or "",
        "date": bounded or "",
        "host": "" if offer.host == "included" else offer.host,
        "source": offer.source,
        "note": offer.note,
    }


def _thing(offer: Offer) -> dict[str, object]:
    return {
        "provider": offer.provider,
        "accelerator": offer.accelerator,
        "instance": offer.instance or "",
        "devices": f"{offer.devices:g}",
        "plan": offer.plan,
        "region": " ".join(offer.regions),
    }


def _key(offer: Offer) -> Key:
    thing = offer.provider, offer.accelerator, offer.instance, offer.devices
    return *thing, offer.plan, offer.regions
