"""Profiles of the user's own that take the name of one that ships: what they say otherwise."""

from __future__ import annotations

from collections.abc import Iterator

from costcalc.catalog.accelerator import Accelerator
from costcalc.catalog.host import Host
from costcalc.catalog.loading import names, shipped
from costcalc.catalog.matching import shipped_as

#: what says nothing of what a device is or draws
_WORDS = ("id", "name", "aliases", "sources", "check", "prices", "notes")


def displaced(*records: Accelerator | Host) -> Iterator[str]:
    """What is to be said of own profiles that stand for one that ships and say other things.

    >>> from costcalc.catalog.accelerator import find
    >>> list(displaced(find("h100")))  # it is the one that ships
    []
    """
    for record in records:
        ours = _ours(record) if record.written else None
        if ours is None:
            continue
        mine, its = record.to_dict(), ours.to_dict()
        keys = sorted({**its, **mine}.keys() - set(_WORDS))
        other = [key for key in keys if _value(mine, key) != _value(its, key)]
        if other:
            yield (
                f"profiles: {record.id} is one of your own, in the place of costcalc's {ours.id}; "
                f"other there: {', '.join(other)}"
            )


def _value(profile: dict[str, object], key: str) -> object:
    """What a profile says under a key, without the source and the words beside it."""
    said = profile.get(key)
    if not isinstance(said, dict):
        return said
    left = ("source", "confirmed_by", "note", "year", "page", "quote")
    return {k: _value(said, k) for k in said if k not in left}


def _ours(record: Accelerator | Host) -> Accelerator | Host | None:
    """The profile that ships under the id, the name or an alias of an own one."""
    kinds = ("hosts",) if isinstance(record, Host) else ("accelerators", "cpus")
    for name in dict.fromkeys((*names(record), record.name)):
        found = shipped_as(name, kinds)
        if len(found) == 1:
            return shipped(found[0].file, type(record))
    return None
