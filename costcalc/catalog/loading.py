"""A data file into a checked record, with every fault at its line.

Profiles of accelerators, processors and hosts are read through here, ours and the user's alike.
"""

from __future__ import annotations

import hashlib
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from costcalc.base.errors import InputError, Problem
from costcalc.base.faults import translated
from costcalc.base.reading import MAX_BYTES, Document, read

if TYPE_CHECKING:
    from collections.abc import Sequence

Folder = Traversable | Path


class Record(BaseModel):
    """A record that knows the file it came from."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    _document: Document | None = PrivateAttr(None)
    _digest: str = PrivateAttr("")

    @property
    def file(self) -> str:
        """The file it was read from, as it is shown; empty for one made in memory."""
        return self._document.name if self._document else ""

    @property
    def digest(self) -> str:
        """`sha256:…` of the file's bytes."""
        return self._digest

    def where(self, *path: str | int) -> str:
        """`file:line` of the value at a key path, or of the nearest thing around it."""
        if self._document is None:
            return ""
        mark = self._document.mark(path)
        return f"{self._document.name}:{mark.line}" if mark else self._document.name

    def problem(self, path: Sequence[str | int], message: str) -> Problem:
        """A problem at the line of a key path."""
        if self._document is not None:
            return self._document.problem(path, message)
        return Problem(key=".".join(map(str, path)), message=message)


R = TypeVar("R", bound=Record)


def load(path: Folder, model: type[R], shown: str | None = None) -> R:
    """The record in a file.

    Raises:
        InputError: the file cannot be read, is no strict YAML, or breaks the schema; with every
            fault found, each at its line.
    """
    name = shown or str(path)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        message = f"cannot be read: {error.strerror or type(error).__name__}"
        raise InputError(Problem(key="", message=message, file=name)) from None
    document = read(raw, name)
    try:
        record = model.model_validate(document.data)
    except ValidationError as error:
        said = "missing; it has no default"
        found = error.errors(include_url=False)
        raise InputError([translated(f, document, model, missing=said)[0] for f in found]) from None
    record._document = document
    record._digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    return record
