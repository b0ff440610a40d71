"""A document that was read: its plain values, and the place in the file of each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from costcalc.base.errors import Problem, listing

Key = tuple[str | int, ...]


class Mark(NamedTuple):
    """A place in a file, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says, and where it says it.

    ``data`` is plain mappings, lists and scalars; ``marks`` maps a key path such as
    ``("hardware", "count")`` to the place of its value, ``key_marks`` to the place of its key.
    ``duplicates`` are the keys that stand twice: :func:`read` raises them, :func:`read_all` leaves
    them to whoever has more to say about the file.  ``changed`` are paths whose value is not the
    file's but the command line's; ``below`` is the file of defaults that this one is laid
    over.  A run that a config of another ``tool`` carries knows which of its keys are ``unread``,
    and what else of it is to be ``told``.
    """

    data: Any
    name: str
    marks: dict[Key, Mark] = field(default_factory=dict)
    key_marks: dict[Key, Mark] = field(default_factory=dict)
    duplicates: tuple[Problem, ...] = ()
    changed: tuple[Key, ...] = ()
    below: Document | None = None
    tool: str = ""
    unread: tuple[str, ...] = ()
    told: tuple[str, ...] = ()

    def over(self, below: Document, data: object) -> Document:
        """This document laid over another, with what both say: marks that it lacks are below."""
        duplicates = (*below.duplicates, *self.duplicates)
        return replace(self, data=data, below=below, duplicates=duplicates)

    def inside(self, key: str) -> Document:
        """What stands under a key, as a document of its own with its places."""
        marks, keys = (
            {path[1:]: mark for path, mark in found.items() if path[:1] == (key,)}
            for found in (self.marks, self.key_marks)
        )
        return replace(self, data=self.data[key], marks=marks, key_marks=keys)

    def problem(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> Problem:
        """A problem at the place of ``path``, or of the nearest thing around it."""
        if any(tuple(path[: len(given)]) == given for given in self.changed):
            return Problem(key=dotted(path), message=message, file="command line")
        if self.below is not None and not self._says(path) and self.below._says(path):
            return self.below.problem(path, message, at_key=at_key)
        mark = self.mark(path, at_key=at_key)
        line, column = (mark.line, mark.column) if mark else (None, None)
        return Problem(key=dotted(path), message=message, file=self.name, line=line, column=column)

    def mark(self, path: Sequence[str | int], *, at_key: bool = False) -> Mark | None:
        """Where ``path`` stands; where it stands not, the innermost thing around it."""
        if at_key and tuple(path) in self.key_marks:
            return self.key_marks[tuple(path)]
        for length in range(len(path), -1, -1):
            inner = tuple(path[:length])
            if length < len(path) and inner in self.key_marks:
                return self.key_marks[inner]
            if inner in self.marks:
                return self.marks[inner]
        return None

    def place(self, path: Sequence[str | int]) -> str | None:
        """``file:line:column`` of a value that stands in the file, else None."""
        mark = self.marks.get(tuple(path))
        if mark is None and self.below is not None:
            return self.below.place(path)
        return f"{self.name}:{mark.line}:{mark.column}" if mark else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What a result says of the file: how another tool's config was read, and what was not."""
        if not self.unread:
            return self.told
        left = f"not read of the {self.tool} config: {listing(self.unread, at_most=60)}"
        return (*self.told, left)

    def _says(self, path: Sequence[str | int]) -> bool:
        return tuple(path) in self.marks or tuple(path) in self.key_marks


def dotted(path: Sequence[str | int]) -> str:
    """A key path as messages write it.

    >>> dotted(("stages", 0, "training", "tokens"))
    'stages[0].training.tokens'
    """
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
