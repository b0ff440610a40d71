"""Which region a name stands for, and which ones somebody may have meant by one that is none."""

from __future__ import annotations

import functools
import re
import unicodedata
from difflib import SequenceMatcher
from typing import TYPE_CHECKING

from costcalc.base.errors import nearest
from costcalc.catalog.matching import letters
from costcalc.catalog.region_table import table
from costcalc.catalog.towns import grids_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

AT_MOST, MOST, LONGEST_ZONE = 3, 5, 3
ALIKE = 0.75  # of the letters of two names: "Munich" is no Nicaragua
CLOUDS = ("aws", "azure", "gcp")
COUNTRIES = "regions/countries.yaml"
ZONES = {
    "US": "regions/us.yaml",
    "CA": "regions/ca.yaml",
    "CN": "regions/cn.yaml",
    "SE": "regions/nordic.yaml",
    "NO": "regions/nordic.yaml",
    "DK": "regions/nordic.yaml",
    "AU": "regions/au.yaml",
    "IN": "regions/in.yaml",
    "IT": "regions/it.yaml",
    "JP": "regions/jp.yaml",
}
# Regions of clouds whose own grids are not tabled, by how their names begin, with whose and where.
# By what the names say (cities, their airports' letters); not checked at each cloud's list yet.
ELSEWHERE = (
    ("Alibaba's", "CN-ZJ", "cn-hangzhou"), ("Alibaba's", "CN-BJ", "cn-beijing"),
    ("Alibaba's", "CN-SH", "cn-shanghai"), ("Alibaba's", "CN-GD", "cn-shenzhen cn-guangzhou"),
    ("Alibaba's", "CN-HE", "cn-zhangjiakou"), ("Alibaba's", "CN-SC", "cn-chengdu"),
    ("Alibaba's", "HK", "cn-hongkong"), ("Tencent's", "CN-GD", "ap-guangzhou"),
    ("Tencent's", "CN-SH", "ap-shanghai"), ("Tencent's", "CN-BJ", "ap-beijing"),
    ("Tencent's", "CN-SC", "ap-chengdu"), ("Huawei's", "CN-BJ", "cn-north-4"),
    ("Huawei's", "CN-GD", "cn-south-1"), ("Huawei's", "CN-SH", "cn-east-3"),
    ("Scaleway's", "FR", "fr-par"), ("Scaleway's", "NL", "nl-ams"), ("Scaleway's", "PL", "pl-waw"),
    ("Hetzner's", "DE", "fsn1 nbg1"), ("Hetzner's", "FI", "hel1"),
    ("OVHcloud's", "FR", "gra rbx sbg"), ("OVHcloud's", "CA-QC", "bhs5"),
    ("OVHcloud's", "PL", "waw"), ("DigitalOcean's", "US-NY", "nyc1 nyc2 nyc3"),
    ("DigitalOcean's", "CA-ON", "tor1"), ("DigitalOcean's", "NL", "ams2 ams3"),
    ("DigitalOcean's", "SG", "sgp1"), ("DigitalOcean's", "GB", "lon1"),
    ("DigitalOcean's", "DE", "fra1"), ("DigitalOcean's", "AU-NSW", "syd1"),
    ("Oracle's", "US-VA", "us-ashburn"), ("Oracle's", "US-AZ", "us-phoenix"),
    ("Oracle's", "US-CA", "us-sanjose"), ("Oracle's", "US-IL", "us-chicago"),
    ("Oracle's", "DE", "eu-frankfurt"), ("Oracle's", "NL", "eu-amsterdam"),
    ("Oracle's", "GB", "uk-london uk-cardiff"), ("Oracle's", "FR", "eu-paris eu-marseille"),
    ("Oracle's", "CA-ON", "ca-toronto"), ("Oracle's", "CA-QC", "ca-montreal"),
    ("Oracle's", "AU-NSW", "ap-sydney"), ("Oracle's", "SG", "ap-singapore"),
    ("Verda's", "FI", "fin-01 fin-02 fin-03"),
)  # fmt: skip
# What is no grid, though people write it, and what to write instead.
_NO_GRID = {
    "eu": "no such grid; nearest is a country: DE, FR, …",
    "europe": "no such grid; nearest is a country: DE, FR, …",
    "asia": "no such grid; nearest is a country: JP, SG, …",
    "africa": "no such grid; nearest is a country: ZA, KE, …",
}
# Names that are not English, and of the whole earth, with the code that is meant by each.
_OTHERWISE = {
    "deutschland": "DE", "espana": "ES", "italia": "IT", "schweiz": "CH", "suisse": "CH",
    "svizzera": "CH", "osterreich": "AT", "norge": "NO", "sverige": "SE", "suomi": "FI",
    "danmark": "DK", "polska": "PL", "nederland": "NL", "belgie": "BE", "belgique": "BE",
    "brasil": "BR", "cesko": "CZ", "magyarorszag": "HU", "hrvatska": "HR", "nippon": "JP",
    "island": "IS", "eire": "IE", "eesti": "EE", "lietuva": "LT", "latvija": "LV",
    "earth": "world", "global": "world", "globe": "world",
}  # fmt: skip
_OF_ELECTRICITY_MAPS = re.compile(r"us-[a-z]{2,4}-[a-z]{2,4}")  # by balancing authority


def codes() -> Iterator[str]:
    """The canonical name of every region, clouds first.

    >>> "gcp:europe-west4" in set(codes())
    True
    """
    for cloud in CLOUDS:
        yield from (f"{cloud}:{code}" for code in table(f"regions/{cloud}.yaml").section("regions"))
    for file in dict.fromkeys((COUNTRIES, *ZONES.values())):
        yield from table(file).section("regions")


def meant(name: str) -> tuple[str, ...]:
    """The codes that a name stands for: a code in any case, or an English name; none, or several.

    A cloud's region is known by its zones too, and without its signs.

    >>> meant("spain"), meant("us-east-1"), meant("Georgia")
    (('ES',), ('aws:us-east-1',), ('GE', 'US-GA'))
    >>> meant("uk-south"), meant("europe-west4-a"), meant("useast1")
    (('azure:uksouth',), ('gcp:europe-west4',), ('aws:us-east-1', 'gcp:us-east1'))
    """
    plain = _plain(name)
    zoned = _ZONE.fullmatch(plain)
    return (
        _by_name().get(plain)
        or (_by_name().get(zoned[1], ()) if zoned else ())
        or _zones(plain)
        or _by_letters().get(letters(name), ())
    )


_ZONE = re.compile(r"((?:[a-z]+:)?[a-z]+-[a-z]+(?:-[a-z]+)?-?\d+)-?[a-h]")  # us-east-1a, us-east1-b


def _zones(plain: str) -> tuple[str, ...]:
    """The zones whose own part is that name, where it is three signs or has a number.

    >>> _zones("nsw"), _zones("se3"), _zones("ca")
    (('AU-NSW',), ('SE-SE3',), ())
    """
    if len(plain) < LONGEST_ZONE:
        return ()
    return tuple(code for code in codes() if code.lower().partition("-")[2] == plain)


@functools.cache
def _by_letters() -> dict[str, tuple[str, ...]]:
    """The clouds' regions by their letters and digits, with the cloud and without."""
    found: dict[str, tuple[str, ...]] = {}
    for code in (each for each in codes() if ":" in each):
        for written in (code, code.partition(":")[2]):
            found[letters(written)] = (*found.get(letters(written), ()), code)
    return found


@functools.cache
def _by_name() -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {}
    for code in codes():
        found.setdefault(_plain(code), {})[code] = None
        _, colon, own = code.partition(":")
        if colon:
            found.setdefault(_plain(own), {})[code] = None
    for file in dict.fromkeys((COUNTRIES, *ZONES.values())):
        known = table(file)
        also = known.section("also")
        for code, row in known.section("regions").items():
            for each in (row["name"], row.get("alpha3", ""), *also.get(code, ())):
                if each:
                    found.setdefault(_plain(each), {})[code] = None
    return {name: tuple(several) for name, several in found.items()}


def _plain(name: str) -> str:
    """Case, accents, blanks, commas and a leading article do not tell places apart."""
    parted = unicodedata.normalize("NFKD", name).casefold()
    bare = "".join(letter for letter in parted if letter.isalnum() or letter in ":- ")
    text = " ".join(bare.split())
    return text.removeprefix("the ").replace(" ", "-")


def hint(name: str) -> str:
    """What to write instead of a name that stands for no region; empty if nothing is like it.

    >>> hint("aws:us-esat-1")
    'nearest: aws:us-east-1, aws:us-west-1, aws:us-east-2'
    >>> hint("Frankfurt")
    'nearest: DE, aws:eu-central-1, azure:germanywestcentral, gcp:europe-west3'
    """
    plain = _plain(name)
    if (place := _NO_GRID.get(plain) or _elsewhere(plain) or _otherwise(plain)) is not None:
        return place
    near = _sited(plain) or _state(name) or _within(name)
    if not near and (towns := grids_of(plain)):
        return (
            f"a place of that name is in {towns[0]}: write that"
            if len(towns) == 1
            else f"nearest: {', '.join(towns)}"
        )
    oracles = _ORACLES.fullmatch(plain)
    if not near and oracles and not nearest(oracles[1], _COMPASS):
        return f"it reads as Oracle's, of whose regions none is known here: {_GIVE_PLACE}"
    near = near or list(_closest(name))
    return f"nearest: {', '.join(near)}" if near else ""


def _otherwise(plain: str) -> str | None:
    """What a place is called in its own tongue, or a zone by another list."""
    if plain in _OTHERWISE:
        return f"nearest: {_OTHERWISE[plain]}"
    if _OF_ELECTRICITY_MAPS.fullmatch(plain):
        return "it reads as a zone of Electricity Maps, by balancing authority: write the state"
    return None


def _elsewhere(plain: str) -> str | None:
    """Whose region a name is, where the grids are known by their place alone."""
    for whose, place, names in ELSEWHERE:
        if any(re.fullmatch(rf"{one}[0-9a-f-]*", plain) for one in names.split()):
            said = f"it reads as {whose}, which stands in {place}: write {place} here"
            priced = whose in ("Oracle's", "Verda's")
            return said + f" and price.provider: {whose[:-2].lower()}" * priced
    return None


_ORACLES = re.compile(r"[a-z]{2}-([a-z]{4,})-\d")
_COMPASS = ("north", "east", "south", "west", "central", "northeast", "southeast", "southwest")
_GIVE_PLACE = "give the place (US, US-VA, DE, …) here and price.provider: oracle"


def _state(name: str) -> list[str]:
    """The zones of countries that two or three letters end, as in ``TX``."""
    return [code for code in codes() if code.endswith(f"-{name.upper()}") and ":" not in code]


def _sited(plain: str) -> list[str]:
    """The grid of a city or town, and the clouds' regions in it."""
    found = {
        f"{cloud}:{code}": row["grid"]
        for cloud in CLOUDS
        for code, row in table(f"regions/{cloud}.yaml").section("regions").items()
        if plain and plain in map(_plain, row["location"].split(",")[0].split(" or "))
    }
    return [*dict.fromkeys(found.values()), *found] or list(_TOWNS.get(plain, ()))


# Towns that the clouds' own lists leave out.
_TOWNS = {
    "dublin": ("IE", "aws:eu-west-1", "azure:northeurope"),
    "ashburn": ("US-VA", "aws:us-east-1", "gcp:us-east4"),
    "amsterdam": ("NL", "azure:westeurope"),
}


def _within(name: str) -> list[str]:
    """The country of a zone that is not known, and its zones that are: all, or the nearest."""
    head, dash, rest = name.upper().partition("-")
    if not dash or len(rest) > LONGEST_ZONE or head not in table(COUNTRIES).section("regions"):
        return []
    zones = [code for code in codes() if code.startswith(f"{head}-")]
    return [head, *(zones if len(zones) <= MOST else nearest(name, zones, at_most=AT_MOST - 1))]


def _closest(name: str) -> Sequence[str]:
    cloud, colon, _ = name.partition(":")
    if not colon:
        return _named(name)
    pool = [code for code in codes() if ":" in code]
    return nearest(name, [each for each in pool if each.startswith(f"{cloud}:")] or pool)


def _named(name: str) -> list[str]:
    """The codes of places and of clouds' regions that are called like it."""
    called = [each for each in _by_name() if ":" not in each]
    close = nearest(_plain(name), called)
    if len(name) > LONGEST_ZONE:
        close = [one for one in close if SequenceMatcher(None, one, _plain(name)).ratio() >= ALIKE]
        codes_only = len(name) - LONGEST_ZONE > 1  # "Earth" is no slip for ETH, nor "modal" for MDA
        close = [one for one in close if not (codes_only and len(one) <= LONGEST_ZONE)]
    found = [code for one in close for code in _by_name()[one]]
    return list(dict.fromkeys(found))[:AT_MOST]
