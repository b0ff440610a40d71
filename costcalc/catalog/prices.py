"""What accelerators are rented for: the catalogue that ships, and newer prices of the user's own.

A row of `data/prices.csv` is what one provider asks for one device-hour of one instance on one
plan: the median over the regions that it holds for (over zones, for spot), with the lowest and the
highest where they differ.  A profile may have prices of its own; they come before the catalogue's
of the same provider.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from datetime import date as Date  # noqa: N812 - `date` is a column
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costcalc.base.errors import InputError, Problem
from costcalc.base.units import to_si
from costcalc.catalog.files import data_root
from costcalc.catalog.region_table import table

if TYPE_CHECKING:
    from costcalc.catalog.accelerator import Accelerator

UNIT = "USD/device_hour"
FILE = "costcalc/data/prices.csv"
SOURCES = "price_sources.yaml"
RENTED = ("on-demand", "spot", "reserved-1y", "reserved-3y")
HEAD = (
    *("provider", "accelerator", "instance", "devices", "plan", "region", "value", "low", "high"),
    *("regions", "zones", "date", "host", "source", "note"),
)
OLD = timedelta(days=365)
FRESH = 2  # of `freshness`: dated within the year
HIGHEST = 200.0
"""No device-hour of anything sold so far comes near this many dollars."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a device-hour costs: of whom, where, in which instance, on which terms, and when.

    ``regions`` are the provider's own names, as far as its list gives them; ``count`` is how many
    regions the price holds for, ``zones`` how many zones a spot price is the median of.
    """

    provider: str
    accelerator: str
    instance: str | None
    devices: float
    plan: str
    regions: tuple[str, ...]
    value: float
    low: float
    high: float
    count: int | None
    zones: int | None
    date: str | None  # None: not known
    at_the_latest: bool  # the date is the latest that the list can be of
    host: str  # included, or excluded: the machine around the device is billed apart
    source: str
    note: str

    @property
    def si(self) -> float:
        """Dollars a device-second."""
        return to_si(self.value, UNIT)

    @property
    def day(self) -> Date | None:
        """The day of the price; of a month or a year, its first."""
        return _day(self.date) if self.date else None


@functools.cache
def _day(text: str) -> Date:
    return Date.fromisoformat((text + "-01-01")[:10])


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Prices by accelerator, and where they were read."""

    rows: Mapping[str, tuple[Offer, ...]]
    files: Mapping[str, str]  # digest by file

    def every(self) -> Iterator[Offer]:
        """Every price."""
        for found in self.rows.values():
            yield from found


def offers(accelerator: Accelerator) -> tuple[Offer, ...]:
    """Every price of an accelerator: its profile's own, then the catalogue's of other providers.

    >>> from costcalc.catalog.accelerator import find
    >>> {"aws", "lambda", "nebius"} <= {offer.provider for offer in offers(find("h100"))}
    True
    """
    listed = catalogue().rows.get(accelerator.id, ())
    if not accelerator.prices:
        return listed
    own = tuple(_own(accelerator))
    whose = {offer.provider for offer in own}
    return own + tuple(offer for offer in listed if offer.provider not in whose)


def known(
    accelerator: Accelerator,
    provider: str | None = None,
    region: str | None = None,
    plan: str | None = None,
) -> list[Offer]:
    """Prices of a device-hour that meet all that is given, the newest first, undated ones last.

    >>> from costcalc.catalog.accelerator import find
    >>> [offer.value for offer in known(find("h100"), "aws", "us-east-1", "on-demand")][0]
    6.88
    """
    met = [
        offer
        for offer in offers(accelerator)
        if (provider is None or offer.provider == provider)
        and (region is None or region in offer.regions)
        and (plan is None or offer.plan == plan)
    ]
    return sorted(met, key=lambda offer: offer.date or "", reverse=True)


def _own(accelerator: Accelerator) -> Iterator[Offer]:
    for price in accelerator.prices:
        yield Offer(
            provider=price.provider,
            accelerator=accelerator.id,
            instance=price.instance,
            devices=price.devices,
            plan=price.plan,
            regions=(price.region,) if price.region else (),
            value=price.value,
            low=price.value if price.low is None else price.low,
            high=price.value if price.high is None else price.high,
            count=1 if price.region else None,
            zones=None,
            date=price.date,
            at_the_latest=False,
            host=price.host,
            source=accelerator.sources[price.source].title,
            note=price.note or "",
        )


@functools.cache
def catalogue() -> Catalogue:
    """The prices that ship, with the user's own in the place of those that they update."""
    return merged(shipped(), mine())


@functools.cache
def shipped() -> Catalogue:
    """The prices that ship."""
    raw = (data_root() / "prices.csv").read_bytes()
    return Catalogue(_by_accelerator(_trusted(raw.decode())), {FILE: digest(raw)})


def mine() -> Catalogue | None:
    """The user's own prices, which `costcalc prices update` keeps; None where there are none."""
    path = own_file()
    try:
        raw = path.read_bytes() if path else b""
    except OSError:
        return None
    if not raw:
        return None
    return Catalogue(_by_accelerator(read(raw.decode(), str(path))), {"prices.csv": digest(raw)})


def forget() -> None:
    """Read the prices anew: the user's own have changed."""
    catalogue.cache_clear()
    as_of.cache_clear()


def own_file() -> Path | None:
    """Where the user's own prices are kept; COSTCALC_PRICES names another file, or none."""
    named = os.environ.get("COSTCALC_PRICES")
    if named is not None:
        return Path(named) if named else None
    home = os.environ.get("XDG_CONFIG_HOME") or os.environ.get("LOCALAPPDATA")
    try:
        base = Path(home) if home else Path.home() / ".config"
    except RuntimeError:
        return None
    return base / "costcalc" / "prices.csv"


def merged(old: Catalogue, new: Catalogue | None) -> Catalogue:
    """A catalogue with another's prices in the place of those of the same provider and device."""
    if new is None:
        return old
    rows = dict(old.rows)
    for name, found in new.rows.items():
        whose = {offer.provider for offer in found}
        kept = (offer for offer in rows.get(name, ()) if offer.provider not in whose)
        rows[name] = (*kept, *found)
    return Catalogue(rows, {**old.files, **new.files})


def digest(raw: bytes) -> str:
    """`sha256:…` of a file's bytes."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


# --- reading -------------------------------------------------------------------------------------


def read(text: str, shown: str) -> list[Offer]:
    """The prices of a catalogue from elsewhere.

    Raises:
        InputError: with every fault, each at its line.
    """
    lines = csv.DictReader(text.removeprefix("\ufeff").splitlines())
    if not set(HEAD[:7]) <= set(lines.fieldnames or ()):
        message = f"expected the columns {', '.join(HEAD)}; got {', '.join(lines.fieldnames or ())}"
        raise InputError(Problem(key="", message=message[:300], file=shown, line=1))
    found: list[Offer] = []
    problems: list[Problem] = []
    for row in lines:
        cells = {name: (row.get(name) or "").strip() for name in HEAD}
        fault = _fault(cells)
        if fault:
            problems.append(
                Problem(key=fault[0], message=fault[1], file=shown, line=lines.line_num)
            )
        else:
            found.append(_offer(cells))
    if problems:
        raise InputError(problems)
    return found


def _fault(cells: Mapping[str, str]) -> tuple[str, str] | None:
    """The first column of a row that cannot be, and why."""
    for name in ("provider", "accelerator"):
        if not cells[name]:
            return name, "missing; it has no default"
    if cells["plan"] not in RENTED:
        return "plan", f"expected {', '.join(RENTED)}; got {cells['plan']!r}"
    for name in ("devices", "value", "low", "high", "regions", "zones"):
        if cells[name] and not _positive(cells[name]):
            return name, f"expected a number above 0; got {cells[name]!r}"
    return _fault_of_value(cells) or _fault_of_date(cells["date"])


def _fault_of_value(cells: Mapping[str, str]) -> tuple[str, str] | None:
    if not cells["value"] or float(cells["value"]) > HIGHEST:
        return "value", f"expected up to {HIGHEST:g} USD a device-hour; got {cells['value']!r}"
    if float(cells["low"] or cells["value"]) > float(cells["value"]):
        return "low", f"above the value, {cells['value']}"
    if float(cells["high"] or cells["value"]) < float(cells["value"]):
        return "high", f"below the value, {cells['value']}"
    return None


def _positive(text: str) -> bool:
    try:
        return 0 < float(text) < float("inf")
    except ValueError:
        return False


def _fault_of_date(text: str) -> tuple[str, str] | None:
    try:
        day = Date.fromisoformat((text.removeprefix("<=") + "-01-01")[:10]) if text else Date.min
    except ValueError:
        return "date", f"expected a day as 2026-09-14, or <=2026-09-14; got {text!r}"
    today = datetime.now(UTC).date() + timedelta(days=1)  # as it is further east
    if day > max(today, Date.fromisoformat(constants()["as_of"])):
        return "date", f"expected a day that is not to come; got {text!r}"
    return None


def _trusted(text: str) -> Iterator[Offer]:
    """The prices of a file that its tests have proved."""
    for cells in csv.reader(text.splitlines()[1:]):
        yield _offer(dict(zip(HEAD, cells, strict=True)))


def _offer(cells: Mapping[str, str]) -> Offer:
    value = float(cells["value"])
    names = tuple(cells["region"].split())
    count = int(float(cells["regions"])) if cells["regions"] else len(names) or None
    return Offer(
        provider=cells["provider"],
        accelerator=cells["accelerator"],
        instance=cells["instance"] or None,
        devices=float(cells["devices"] or 1),
        plan=cells["plan"],
        regions=names,
        value=value,
        low=float(cells["low"] or value),
        high=float(cells["high"] or value),
        count=count,
        zones=int(float(cells["zones"])) if cells["zones"] else None,
        date=cells["date"].removeprefix("<=") or None,
        at_the_latest=cells["date"].startswith("<="),
        host=cells["host"] or "included",
        source=_title(cells["source"]),
        note=cells["note"],
    )


def _title(source: str) -> str:
    """How a source is cited; one that no list of ours has is cited as it is written."""
    known_ = table(SOURCES).section("sources").get(source)
    return str(known_["title"]) if known_ else source


def _by_accelerator(found: Iterable[Offer]) -> dict[str, tuple[Offer, ...]]:
    rows: dict[str, list[Offer]] = {}
    for offer in found:
        rows.setdefault(offer.accelerator, []).append(offer)
    return {name: tuple(listed) for name, listed in rows.items()}


# --- age -----------------------------------------------------------------------------------------


@functools.cache
def constants() -> Mapping[str, Any]:
    """``data/price.yaml``: the day of the data, and defaults for bought hardware."""
    return table("price.yaml").data


@functools.cache
def as_of() -> Date:
    """The day that prices are seen from: that of the data, or of the user's own prices if later.

    >>> as_of().isoformat()
    '2026-11-26'
    """
    days = [offer.day for offer in catalogue().every() if offer.day]
    return max([Date.fromisoformat(constants()["as_of"]), *days])


def freshness(offer: Offer) -> tuple[int, str]:
    """Larger is newer: dated within the year; undated, from a list then kept up; dated before."""
    if offer.date is None:
        return 1, ""
    return (0 if is_old(offer) else FRESH), offer.date


def years(offer: Offer) -> float:
    """How old a price is on the day of the data; what is assumed where its day is not known."""
    drift = constants()["drift"]
    if offer.day is None:
        return float(drift["undated"])
    found = max(0.0, (as_of() - offer.day).days / 365.25)
    return found + float(drift["bounded"]) if offer.at_the_latest else found


def is_old(offer: Offer) -> bool:
    """Whether a price is of more than a year before the data, or of an unknown day."""
    return offer.day is None or as_of() - offer.day > OLD


def dated(offer: Offer) -> str:
    """What to say of a price that is old, or whose day is only bounded; empty for others."""
    if offer.date is None:
        return ", undated and so taken as old"
    by = "at the latest " if offer.at_the_latest else ""
    if is_old(offer):
        return f", of {by}{offer.date}: more than a year old"
    return f", of {by}{offer.date}" if by else ""
