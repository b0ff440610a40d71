"""The processes of a command: its session, and all that descend from it."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_PROC = Path("/proc")


class Tree:
    """All of the session that a process leads, and all that descend from it.

    A session keeps those whose parents have gone; one that has left it is known by its parents, as
    long as these live or it was seen.  A process is known by its number and when it began, so that
    a number that is given anew is none.  Without ``/proc`` none is found.
    """

    def __init__(self, root: int) -> None:
        self._root = root
        self._known: dict[int, str] = {}

    def below(self) -> list[int]:
        """The numbers of those that live; each look finds what has been begun since the last."""
        parents = _processes()
        self._known = {
            pid: began
            for pid, began in self._known.items()
            if pid in parents and parents[pid].began == began
        }
        found = True
        while found:
            found = False
            for pid, one in parents.items():
                belongs = self._root in (one.parent, one.session) or one.parent in self._known
                if belongs and pid not in self._known and pid != self._root:
                    self._known[pid], found = one.began, True
        return list(self._known)


class Process(NamedTuple):
    """Of a process that lives its parent, its session, and when it began."""

    parent: int
    session: int
    began: str


def _processes() -> dict[int, Process]:
    """The processes that live, by their number (proc(5))."""
    made = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            continue
        state, parent, *rest = words.rpartition(")")[2].split()
        if state != "Z":  # over, and waits for its parent to know
            made[int(folder.name)] = Process(int(parent), int(rest[1]), rest[17])
    return made
