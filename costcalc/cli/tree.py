"""The processes that a command has begun, and those that these have."""

from __future__ import annotations

from pathlib import Path

_PROC = Path("/proc")


class Tree:
    """All that descend from a process, those whose parents have gone since they were seen too.

    A process is known by its number and when it began, so that a number that is given anew is none.
    Without ``/proc`` none is found.
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
            if pid in parents and parents[pid][1] == began
        }
        found = True
        while found:
            found = False
            for pid, (parent, began) in parents.items():
                if pid not in self._known and (parent == self._root or parent in self._known):
                    self._known[pid], found = began, True
        return list(self._known)


def _processes() -> dict[int, tuple[int, str]]:
    """Of each process that lives its parent, and when it began (proc(5))."""
    made = {}
    for folder in _PROC.glob("[0-9]*"):
        try:
            words = (folder / "stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            continue
        state, parent, *rest = words.rpartition(")")[2].split()
        if state != "Z":  # over, and waits for its parent to know
            made[int(folder.name)] = (int(parent), rest[17])
    return made
