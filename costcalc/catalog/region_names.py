"""Which region somebody may have meant: for messages only, never to resolve a name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

AT_MOST = 2
# Codes that people write for others.
_HINTS = {"UK": ["GB"], "EL": ["GR"], "EU": ["DE", "FR"], "WORLD": ["world"]}


def near(name: str, codes: Sequence[str], countries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The codes nearest to a name that is none, best first; none if nothing is like it.

    >>> near("aws:us-esat-1", ["aws:us-west-1", "aws:us-east-2", "aws:us-east-1"], {})
    ['aws:us-east-1', 'aws:us-east-2']
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
    limit = max(1, len(name) // 3)
    cloud, colon, _ = name.partition(":")
    pool = [code for code in codes if code.partition(":")[1] == colon]
    if colon:
        pool = [code for code in pool if code.startswith(f"{cloud}:")] or pool
    ranked = sorted(
        (distance(name.casefold(), code.casefold()), -_shared(name, code), code)
        for code in pool
        if abs(len(code) - len(name)) <= limit
    )
    return [code for far, _, code in ranked if far <= limit][:AT_MOST]


def _shared(a: str, b: str) -> int:
    """How many letters two words have in common at their start."""
    pairs = enumerate(zip(a, b, strict=False))
    return next((i for i, (x, y) in pairs if x != y), min(len(a), len(b)))


def distance(a: str, b: str) -> int:
    """Edits between two words: a letter more, less, other, or swapped with its neighbour.

    (Optimal string alignment distance; Boytsov, ACM JEA 16, 2011, section 2.)

    >>> distance("esat", "east"), distance("esat", "west")
    (1, 2)
    """
    before: list[int] = []
    last = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            best = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (x != y))
            if i > 1 and j > 1 and x == b[j - 2] and y == a[i - 2]:
                best = min(best, before[j - 2] + 1)
            row.append(best)
        before, last = last, row
    return last[-1]
