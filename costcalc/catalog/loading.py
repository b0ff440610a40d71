"""A data file into a checked record, with every fault at its line.

Profiles of accelerators, processors and hosts are read through here, ours and the user's alike.
"""

from __future__ import annotations

import hashlib
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from costcalc.base.errors import InputError, Problem, nearest
from costcalc.base.reading import MAX_BYTES, Document, read

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

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
        raise InputError(list(_problems(error, document, model))) from None
    record._document = document
    record._digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    return record


def _problems(
    error: ValidationError, document: Document, model: type[BaseModel]
) -> Iterator[Problem]:
    for fault in error.errors(include_url=False):
        path = tuple(fault["loc"])
        kind, got = fault["type"], fault["input"]
        if kind == "extra_forbidden":
            near = nearest(str(path[-1]), _keys(model, path[:-1]), at_most=1)
            message = "unknown key" + (f"; did you mean {near[0]}?" if near else "")
            yield document.problem(path, message, at_key=True)
        elif kind == "missing":
            yield document.problem(path, "missing; it has no default")
        elif kind == "value_error":
            yield document.problem(path, str(fault["ctx"]["error"]))
        else:
            yield document.problem(path, f"{_expected(fault)}; got {_shown(got)}")


_EXPECTED = {
    "float_type": "expected a number",
    "float_parsing": "expected a number",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "int_from_float": "expected a whole number",
    "string_type": "expected text",
    "dict_type": "expected a mapping",
    "model_type": "expected a mapping",
    "model_attributes_type": "expected a mapping",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "string_pattern_mismatch": "expected another form",
}


def _expected(fault: Any) -> str:
    if fault["type"] == "literal_error":
        return f"expected {fault['ctx']['expected']}"
    if fault["type"] == "string_pattern_mismatch":
        return f"expected text of the form {fault['ctx']['pattern']}"
    text: str = _EXPECTED.get(fault["type"], fault["msg"])
    return text[0].lower() + text[1:]


def _shown(value: object) -> str:
    if isinstance(value, str):
        return f'"{value[:60]}"'
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else str(value)


def _keys(model: type[BaseModel], path: Sequence[str | int]) -> Iterable[str]:
    """The keys that a record has at a path, for the nearest name; none where they are free."""
    current: Any = model
    for part in path:
        if not isinstance(part, str) or not hasattr(current, "model_fields"):
            return ()
        field = current.model_fields.get(part)
        current = _model_in(field.annotation) if field else None
    return current.model_fields if hasattr(current, "model_fields") else ()


def _model_in(annotation: Any) -> Any:
    if hasattr(annotation, "model_fields"):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
