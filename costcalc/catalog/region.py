"""A place that a run file names: its grid, its PUE and its water, each with source, year and range.

`find` knows `provider:region` (aws, azure, gcp), ISO 3166-1 alpha-2 and alpha-3, ISO 3166-2 of the
USA, Canada and China, the Nordic bidding zones and `world`; English names of countries, states and
provinces; and a cloud's region without its cloud, where one cloud has it.  What it does not know is
an error that names the nearest codes, never a guess.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

from costcalc.base.errors import NotFoundError, Problem, listing, nearest
from costcalc.catalog import provider as providers
from costcalc.catalog.grid import Grid, factor, grid, no_less
from costcalc.catalog.region_names import CLOUDS, COUNTRIES, ZONES, codes, hint, meant
from costcalc.catalog.region_table import (
    GridBasis,
    GridFactor,
    Sourced,
    Table,
    cell,
    reason,
    sourced,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WORLD = "world"
# ISO 3166-2 codes of places that have a country code of their own.
_ALIASES = {
    "US-AS": "AS",
    "US-GU": "GU",
    "US-MP": "MP",
    "US-PR": "PR",
    "US-UM": "UM",
    "US-VI": "VI",
    "CN-HK": "HK",
    "CN-MO": "MO",
    "CN-TW": "TW",
}
_FORMS = "aws:…, azure:…, gcp:…, FR, FRA, US-CA, CA-QC, CN-SC, SE-SE3, NO-NO1, DK-DK1, world"

__all__ = ["CLOUDS", "Region", "codes", "find"]

Kind = Literal["world", "country", "zone", "cloud"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Region:
    """A place, and what is known of the electricity and the sites there.

    `grid` is the default figure (lifecycle, annual, average, location-based, or what stands in for
    it); `others` are figures of other conventions, never mixed with it.  `pue` and `wue` are the
    region's, else the provider's, else the survey's: their `why` says which.  What is None has its
    reason in `grid_why` or `water_why`.  `files` gives the digest of each data file that was read.
    """

    code: str
    label: str
    kind: Kind
    provider: str | None
    country: str | None
    grid_zone: str
    grid: GridFactor | None
    grid_why: str
    others: tuple[GridFactor, ...]
    pue: Sourced
    wue: Sourced
    water: Sourced | None
    water_why: str
    files: Mapping[str, str]

    def grid_of(self, basis: GridBasis) -> GridFactor | None:
        """The figure of another basis, if there is one: `direct`."""
        known = (*((self.grid,) if self.grid else ()), *self.others)
        matching = [figure for figure in known if figure.basis == basis]
        return matching[-1] if matching else None


@dataclass(frozen=True, slots=True)
class _Place:
    """A country, state, province, zone or the world, before its site is known."""

    code: str
    label: str
    found: Table
    row: Mapping[str, Any]


@functools.lru_cache(maxsize=4096)  # every region by two names each, and more
def find(name: str, *, provider: str | None = None, key: str = "site.region") -> Region:
    """The region of that name.

    Args:
        name: `aws:us-east-1`, `us-east-1`, `FR`, `FRA`, `France`, `US-CA`, `SE-SE3`, `world`.
        provider: whose sites they are, where the name does not say; for PUE and WUE.
        key: the key of the run file that the error names.

    Raises:
        NotFoundError: there is no region of that name; the message names the nearest ones.

    >>> region = find("aws:us-east-1")
    >>> region.grid_zone, region.grid.value, region.pue.value
    ('US-VA', 322.4, 1.15)
    >>> find("aws:us-esat-1")
    Traceback (most recent call last):
    ...
    costcalc.base.errors.NotFoundError: site.region: no region aws:us-esat-1; nearest: \
aws:us-east-1, aws:us-west-1, aws:us-east-2
    """
    name = qualified(name, provider)
    if ":" in name:
        name = name.lower()
        cloud, _, code = name.partition(":")
        return _cloud(cloud, code, name, key)
    if whose := [each for each, own in providers.regions().items() if name.lower() in own]:
        _refuse_another(name, whose[0], key)
    place = _place(name)
    if place is not None:
        return _region(place, provider)
    several = meant(name)
    if len(several) != 1:
        raise _unknown(name, key, several)
    return find(several[0], provider=provider, key=key)


def qualified(name: str, provider: str | None) -> str:
    """A name with its provider before it, where that provider calls a place so.

    >>> qualified("eu-north1", "nebius"), qualified("eu-north1", "aws")
    ('nebius:eu-north1', 'eu-north1')
    """
    id_ = providers.canonical(provider) if provider else ""
    return f"{id_}:{name}" if name.lower() in providers.regions().get(id_, {}) else name


def _refuse_another(name: str, provider: str, key: str) -> None:
    """Refuse a provider's name of a place that is nearly another cloud's of another place."""
    others = meant(name)
    if name.lower() in {code.partition(":")[2] for code in others}:
        return  # as the other cloud writes it
    place = providers.regions()[provider][name.lower()]
    own = f"{provider}:{name.lower()}"
    message = f"{name[:60]} may be {listing((f'{own} ({place})', *others))}: write which"
    if not others:
        message = f"{name[:60]} is {provider}'s name of a place in {place}: write {own}"
    raise NotFoundError(Problem(key=key, message=message))


def _place(code: str) -> _Place | None:
    code = _ALIASES.get(code, code)
    found = table(ZONES[code[:2]] if code[2:3] == "-" and code[:2] in ZONES else COUNTRIES)
    row = found.row(code)
    if row is None and len(code) == 3:
        code = _by_alpha3(found, code)
        row = found.row(code)
    return None if row is None else _Place(code, row["name"], found, row)


def _by_alpha3(found: Table, alpha3: str) -> str:
    rows = found.section("regions").items()
    return next((code for code, row in rows if row.get("alpha3") == alpha3), "")


def _cloud(cloud: str, code: str, name: str, key: str) -> Region:
    if code in (places := providers.regions().get(cloud, {})):
        return find(places[code], provider=cloud, key=key)
    if cloud not in CLOUDS:
        raise _no_cloud(cloud, name, key)
    site = table(f"regions/{cloud}.yaml")
    row = site.row(code)
    if row is None:
        several = meant(name)
        if len(several) != 1:
            raise _unknown(name, key, several)
        return find(several[0], key=key)
    place = _place(row["grid"])
    if place is None:
        raise KeyError(row["grid"])
    region = _region(place, cloud)
    own = factor(site, row, name, "direct") if "direct" in row else None
    figures = {column: _own(site, row, column) for column in ("pue", "wue")}
    return replace(
        region,
        code=name,
        label=row["location"],
        kind="cloud",
        provider=cloud,
        grid=no_less(site, region.grid, own, own=True) if own and region.grid else region.grid,
        others=(*region.others, own) if own else region.others,
        pue=figures["pue"] or region.pue,
        wue=figures["wue"] or region.wue,
        files=MappingProxyType({**region.files, site.file: site.digest}),
    )


def _own(site: Table, row: Mapping[str, Any], column: str) -> Sourced | None:
    """The region's own PUE or WUE, or that of its geography."""
    area = row.get("geography")
    shared = site.section("geographies").get(area, {}) if area else {}
    given = cell(site, {**shared, **row}, column)
    if given is None:
        return None
    whose = f"the provider's figure of its geography, {area}" if area else "the region's own figure"
    return replace(sourced(site, given, column), why=whose)


def _region(place: _Place, provider: str | None) -> Region:
    found, row = place.found, place.row
    known: Grid = grid(found, place.code)
    water = cell(found, row, "water")
    sites = table(providers.FILE)
    return Region(
        code=place.code,
        label=place.label,
        kind=_kind(place.code),
        provider=provider,
        country=None if place.code == WORLD else place.code[:2],
        grid_zone=place.code,
        grid=known.default,
        grid_why=known.why,
        others=known.others,
        pue=_site(provider, "pue"),
        wue=_site(provider, "wue"),
        water=sourced(found, water, "water") if water else None,
        water_why="" if water else reason(found, row, "water"),
        files=MappingProxyType({found.file: found.digest, sites.file: sites.digest}),
    )


def _kind(code: str) -> Kind:
    if code == WORLD:
        return "world"
    return "zone" if "-" in code else "country"


@functools.cache  # one a provider and column: its regions share it
def _site(name: str | None, column: providers.Column) -> Sourced:
    """The provider's mean PUE or WUE, else the survey's."""
    mean = providers.survey(column)
    if name is None:
        return mean
    found = providers.find(name)
    if found is None:
        return replace(mean, why=f"{name} is not in the table of providers; {mean.why}")
    own = found.pue if column == "pue" else found.wue
    if own is not None:
        return replace(own, why=f"the mean of the sites of {found.name}")
    why = found.pue_why if column == "pue" else found.wue_why
    return replace(mean, why=f"{found.name}: {why}; the mean of the industry's survey")


def _no_cloud(cloud: str, name: str, key: str) -> NotFoundError:
    known = providers.find(cloud)
    if own := providers.regions().get(cloud):
        message = f"no region {name[:60]}; of {cloud} are known {listing(tuple(own))}"
        return NotFoundError(Problem(key=key, message=message))
    if known is not None:
        message = (
            f"no region {name}: costcalc knows no regions of {known.id}; give the place"
            f" (US, US-CA, FI, …) here and price.provider: {known.id}"
        )
        return NotFoundError(Problem(key=key, message=message))
    meant = nearest(cloud, CLOUDS, at_most=1)
    if meant:
        return _unknown(f"{meant[0]}:{name.partition(':')[2]}", key, written=name)
    message = f"no region {name[:60]}; known providers: {', '.join(CLOUDS)}"
    return NotFoundError(Problem(key=key, message=message))


def _unknown(
    name: str, key: str, several: Sequence[str] = (), *, written: str | None = None
) -> NotFoundError:
    shown = (name if written is None else written)[:60] or '""'
    if several:
        message = f"{shown} may be {listing(several)}: write which"
    else:
        message = f"no region {shown}; {hint(name) or f'known: {_FORMS}'}"
    return NotFoundError(Problem(key=key, message=message))
