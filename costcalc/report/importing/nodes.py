"""Names of nodes as schedulers write them: ``gpu[001-003,007]``."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator

_PART = re.compile(r"\[([^\]]*)\]")
MOST = 100_000  # nodes that one expression may name


def split(text: str) -> list[str]:
    """The items of a list of nodes: commas within brackets do not part.

    >>> split("gpu[1-2,5],cpu3")
    ['gpu[1-2,5]', 'cpu3']
    """
    found, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += (letter == "[") - (letter == "]")
        if letter == "," and depth == 0:
            found.append(text[start:at])
            start = at + 1
    return [item.strip() for item in (*found, text[start:]) if item.strip()]


@functools.lru_cache(maxsize=4096)
def expanded(text: str) -> tuple[str, ...]:
    """Every node that an expression names, in its order; no more than ``MOST``.

    >>> expanded("gpu[001-003,7],login")
    ('gpu001', 'gpu002', 'gpu003', 'gpu7', 'login')
    """
    made: list[str] = []
    for item in split(text):
        for name in _one(item):
            made.append(name)
            if len(made) >= MOST:
                return tuple(made)
    return tuple(made)


def _one(item: str) -> Iterator[str]:
    found = _PART.search(item)
    if found is None:
        yield item
        return
    before, after = item[: found.start()], item[found.end() :]
    for piece in found[1].split(","):
        first, dash, last = piece.strip().partition("-")
        if dash and first.isdecimal() and last.isdecimal() and int(last) - int(first) < MOST:
            names = [str(n).zfill(len(first)) for n in range(int(first), int(last) + 1)]
        else:
            names = [piece.strip()]
        for name in names:
            for rest in _one(after) if after else ("",):
                yield f"{before}{name}{rest}"
