"""Who rents out accelerators, and how much power and water their sites use beside the computers."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from typing import Literal

from costcalc.catalog.region_table import Sourced, Table, cell, note, reason, sourced

FILE = "providers.yaml"
Column = Literal["pue", "wue"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A provider; `pue` and `wue` are the means of its own sites, None with a reason if unknown."""

    id: str
    name: str
    pue: Sourced | None
    wue: Sourced | None
    pue_why: str
    wue_why: str
    sells: Literal["own", "resold", "auction"] = "own"


def _table() -> Table:
    from costcalc.catalog.region_table import table

    return table(FILE)


def names() -> tuple[str, ...]:
    """The ids of all providers.

    >>> "lambda" in names()
    True
    """
    return tuple(_table().section("providers"))


@functools.cache
def canonical(name: str) -> str:
    """The id of a provider that goes by several names; any other name as it is.

    >>> canonical("oci"), canonical("Lambda"), canonical("mine")
    ('oracle', 'lambda', 'mine')
    """
    plain = name.strip().lower()
    for id_, row in _table().section("providers").items():
        if plain in (id_, str(row["name"]).lower(), *row.get("aliases", ())):
            return str(id_)
    return name


@functools.cache
def regions() -> dict[str, dict[str, str]]:
    """The names that providers without a table of regions give to places: provider, name, place.

    >>> regions()["nebius"]["eu-north1"]
    'FI'
    """
    rows = _table().section("providers").items()
    return {str(id_): row["regions"]["names"] for id_, row in rows if row.get("regions")}


@functools.cache
def markets() -> frozenset[str]:
    """Providers whose prices are not their own, or no prices: resellers and auctions.

    >>> sorted(markets())
    ['mithril', 'primeintellect', 'shadeform', 'spheron']
    """
    listed = _table().section("providers").items()
    return frozenset(str(id_) for id_, row in listed if row.get("sells"))


@functools.cache
def resellers() -> frozenset[str]:
    """Providers that rent out others' machines, at a price of their own.

    >>> sorted(resellers())
    ['primeintellect', 'shadeform', 'spheron']
    """
    listed = _table().section("providers").items()
    return frozenset(str(id_) for id_, row in listed if row.get("sells") == "resold")


def find(name: str) -> Provider | None:
    """The provider of that id; None if there is none.

    >>> find("aws").pue.value, find("lambda").pue, find("lambda").pue_why
    (1.14, None, 'the provider publishes no mean PUE')
    """
    found = _table()
    name = canonical(name)
    row = found.section("providers").get(name)
    if row is None:
        return None
    pue, wue = cell(found, row, "pue"), cell(found, row, "wue")
    return Provider(
        id=name,
        name=row["name"],
        pue=sourced(found, pue, "pue") if pue else None,
        wue=sourced(found, wue, "wue") if wue else None,
        pue_why="" if pue else reason(found, row, "pue"),
        wue_why="" if wue else reason(found, row, "wue"),
        sells=row.get("sells", "own"),
    )


def survey(column: Column) -> Sourced:
    """The mean of the industry's surveys, for a site of which nothing is published.

    >>> survey("pue").value
    1.54
    """
    found = _table()
    given = cell(found, found.section("survey"), column)
    if given is None:
        raise KeyError(column)
    figure = sourced(found, given, "survey")
    why = "nothing is published of the site: the mean of the industry's survey"
    return replace(figure, why=why, range_why=note(found, given.get("note")))
