"""What is to be told of a job, each kind of thing once: a month of faults must not fill a disk."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

MOST = 30  # kinds of notes of one process
LENGTH = 400  # characters of one

# What differs from one time to the next: addresses, numbers, identifiers, names of temporary files.
_VARYING = re.compile(r"0x[0-9a-fA-F]+|[0-9a-fA-F-]*\d[0-9a-fA-F-]*")


def kind(text: str) -> str:
    """A note without what differs from one time to the next.

    >>> kind("<Log at 0x7f31a0> failed 3 times") == kind("<Log at 0x7f42b8> failed 17 times")
    True
    """
    return _VARYING.sub("#", text[:LENGTH])


class Notes:
    """Texts in their order, one of each kind, of so many kinds at the most.

    >>> notes = Notes()
    >>> for port in (8080, 8081):
    ...     notes.add(f"port {port} does not answer")
    >>> list(notes)
    ['port 8080 does not answer']
    """

    def __init__(self, texts: Iterable[str] = (), *, most: int = MOST) -> None:
        self._by_kind: dict[str, str] = {}
        self._most, self._more = most, False
        for text in texts:
            self.add(text)

    def add(self, text: str) -> None:
        """Remember a text, if it is of a new kind."""
        which = kind(text)
        if which in self._by_kind:
            return
        if len(self._by_kind) >= self._most:
            self._more = True
            return
        self._by_kind[which] = text if len(text) <= LENGTH else text[: LENGTH - 1] + "…"

    def __iter__(self) -> Iterator[str]:
        """The texts, and at the end that there were more."""
        yield from list(self._by_kind.values())  # another thread may add
        if self._more:
            yield f"more than {self._most} kinds of notes: the others are not kept"

    def __len__(self) -> int:
        """How many are kept."""
        return len(self._by_kind)

    def __contains__(self, text: object) -> bool:
        """Whether the very text is kept."""
        return text in self._by_kind.values()
