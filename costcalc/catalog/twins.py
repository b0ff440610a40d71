"""Boards that a short name leaves open: other sizes and forms of the one that it is taken as.

The catalogue marks a maker's commonest board by giving it the short name among its aliases
(``v100``); what else is sold under that name differs in memory, power and price, so that a result
names it.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache

from costcalc.catalog.index import Head, index, plain
from costcalc.catalog.matching import SLUGS, says, words
from costcalc.catalog.parts import SHIPPED, mig_of, slice_of

# Words of an id that tell apart boards of one name: what they are put in, and their memory in GB.
_FORM = re.compile(r"sxm\d?|pcie|nvl|dgxs|fhhl|sff|ws|server|t\d000|\d{1,3}")


@lru_cache(maxsize=1024)
def twins(name: str, taken: str) -> tuple[str, ...]:
    """Ids of what else ships under a name that was taken as the board ``taken``.

    None where the name is the board's own id, or says which of them it is.

    >>> twins("h100-80gb", "h100-sxm5-80"), twins("NVIDIA H100 80GB HBM3", "h100-sxm5-80")
    (('h100-pcie-80',), ())
    >>> twins("h100-sxm5-80", "h100-sxm5-80")
    ()
    """
    mig = mig_of(name)
    asked = plain(mig.board if mig else name)
    if asked == taken or not asked or slice_of(name):
        return ()
    own = next((head for head in _alike(taken) if head.id == taken), None)
    if own is None or (asked.startswith((*SLUGS, "grid ")) and asked in own.names):
        return ()
    told = set(words(asked))
    return tuple(head.id for head in _alike(taken) if head is not own and says(told, head))


def alternatives(name: str, taken: str) -> str:
    """What a result says beside a name that leaves several boards open; empty where it does not.

    >>> alternatives("h100-80gb", "h100-sxm5-80")
    'its commonest board; h100-pcie-80 is called so too: write which'
    """
    others = twins(name, taken)
    if not others:
        return ""
    are = "is" if len(others) == 1 else "are"
    return f"its commonest board; {', '.join(others)} {are} called so too: write which"


def _alike(identifier: str) -> tuple[Head, ...]:
    return _families().get(_family(identifier), ())


@cache
def _families() -> dict[tuple[str, ...], tuple[Head, ...]]:
    found: dict[tuple[str, ...], tuple[Head, ...]] = {}
    for kind in SHIPPED:
        for head in index().heads(kind):
            key = _family(head.id)
            found[key] = (*found.get(key, ()), head)
    return found


def _family(identifier: str) -> tuple[str, ...]:
    """What an id says beside form and memory.

    >>> _family("v100-sxm2-16"), _family("rtx-3080-10")
    (('v100',), ('rtx', '3080'))
    """
    return tuple(word for word in identifier.split("-") if not _FORM.fullmatch(word))
