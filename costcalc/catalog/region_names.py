"""Which region somebody may have meant: for messages only, never to resolve a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costcalc.base.errors import nearest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

AT_MOST = 2
# Codes that people write for others.
_HINTS = {"UK": ["GB"], "EL": ["GR"], "EU": ["DE", "FR"], "WORLD": ["world"]}


def near(name: str, codes: Sequence[str], countries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The codes nearest to a name that is none, best first; none if nothing is like it.

    >>> near("aws:us-esat-1", ["aws:us-west-1", "aws:us-east-2", "aws:us-east-1"], {})
    ['aws:us-east-1', 'aws:us-west-1']
    >>> near("france", ["FR"], {"FR": {"name": "France", "alpha3": "FRA"}})
    ['FR']
    """
    if name.upper() in _HINTS:
        return _HINTS[name.upper()]
    named = list(_named(name, countries))
    if named:
        return named[:AT_MOST]
    head, dash, _ = name.partition("-")
    if dash and head in countries and not any(code.startswith(f"{head}-") for code in codes):
        return [head]
    return _closest(name, codes)


def _named(name: str, countries: Mapping[str, Mapping[str, Any]]) -> Iterator[str]:
    wanted = name.casefold()
    for code, row in countries.items():
        names = (code, row.get("alpha3", ""), row["name"])
        if wanted and wanted in (each.casefold() for each in names):
            yield code


def _closest(name: str, codes: Sequence[str]) -> list[str]:
    cloud, colon, _ = name.partition(":")
    pool = [code for code in codes if code.partition(":")[1] == colon]
    if colon:
        pool = [code for code in pool if code.startswith(f"{cloud}:")] or pool
    return nearest(name, pool, at_most=AT_MOST)
