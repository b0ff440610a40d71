"""What pydantic finds wrong with a file, in our words and at its line: one translator for all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, get_args

from pydantic import BaseModel

from costcalc.base.errors import Problem, nearest, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from costcalc.base.document import Document

KeyPath = tuple[str | int, ...]

MOST_WITHIN = 3  # sections within each other
_NUMBER, _WHOLE, _TEXT = "expected a number", "expected a whole number", "expected text"
_LIST, _TRUTH, _MAPPING = "expected a list", "expected true or false", "expected a mapping"
#: first keys of the sections that a name alone could stand for
_NAMED = {"preset", "accelerator", "region"}
_EXPECTED = {
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "string_type": _TEXT,
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "tuple_type": _LIST,
    "list_type": _LIST,
    "bool_type": _TRUTH,
    "bool_parsing": _TRUTH,
}


def translated(
    fault: ErrorDetails,
    document: Document,
    model: type[BaseModel],
    *,
    hint: bool = True,
    missing: str = "missing",
    words: Mapping[str, str] = MappingProxyType({}),
) -> tuple[Problem, list[KeyPath]]:
    """One of pydantic's findings as a problem at its line, and the keys that it speaks of.

    ``hint`` looks for the key that an unknown one may have meant, ``words`` say what other tools
    call ours; ``missing`` is said of a key that is not there.
    """
    path, kind = tuple(fault["loc"]), fault["type"]
    if kind == "extra_forbidden":
        name = str(path[-1])
        ours = words.get(name.lower()) or " or ".join(homes(model, name.lower()))
        if ours:
            return document.problem(path, f"unknown key; here that is {ours}", at_key=True), [path]
        near = nearest(name, keys_at(model, path[:-1]), at_most=1) if hint else []
        message = "unknown key" + (f"; did you mean {near[0]}?" if near else "")
        about = [path, *((*path[:-1], name) for name in near)]
        return document.problem(path, message, at_key=True), about
    if kind == "missing":
        return document.problem(path, missing), [path, path[:-1]]
    return document.problem(path, _message(fault, keys_at(model, path))), [path]


def _message(fault: ErrorDetails, keys: Sequence[str]) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "costcalc":  # a type of ours has said it all
        return fault["msg"]
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        text = f"expected {context['expected']}"
    elif kind == "string_pattern_mismatch":
        text = f"expected text of the form {context['pattern']}"
    else:
        text = _EXPECTED.get(kind, fault["msg"])
    if text == _MAPPING and keys:
        text += f" with keys such as {', '.join(keys[:4])}"
    found = shown(fault["input"])
    said = f"{text[0].lower()}{text[1:]}; got {found}"
    if isinstance(fault["input"], str) and text.startswith(_MAPPING) and {*keys[:1]} & _NAMED:
        said += f"; a name stands as {{{keys[0]}: NAME}}"
    return said


def keys_at(model: type[BaseModel], path: KeyPath) -> list[str]:
    """The keys that the mapping at a path takes; none where they are free."""
    for name in path:
        if isinstance(name, int):
            continue
        field = model.model_fields.get(name)
        inner = model_in(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def homes(model: type[BaseModel], name: str, within: tuple[str, ...] = ()) -> list[str]:
    """Where a key of that name stands in the sections of a file, that of stages left out."""
    found: list[str] = []
    for key, field in model.model_fields.items():
        inner = model_in(field.annotation)
        if inner is None or key in ("stages", "teacher") or len(within) >= MOST_WITHIN:
            continue
        if name in inner.model_fields:
            found.append(".".join((*within, key, name)))
        found += homes(inner, name, (*within, key))
    return found


def model_in(annotation: object) -> type[BaseModel] | None:
    """The record within a type such as ``Model | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for inner in get_args(annotation) if (found := model_in(inner))), None)
