"""From a file, a mapping or a :class:`~costcalc.run.Run` to checked parts, all problems at once.

A *part* is one run to be costed: the top level, or the top level with one of ``stages`` laid over
it.  Each value keeps its place in the file, so that every later message and every assumption can
point at it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from costcalc.errors import InputError, Problem, nearest
from costcalc.reading import Document, dotted, read, read_file
from costcalc.run import DATA_ONE_OF, MODEL_ONE_OF, Part, Run
from costcalc.rules import Fault, faults
from costcalc.scalars import shown

KeyPath = tuple[str | int, ...]
LookUp = Callable[[Mapping[str, Any], Path | None], Iterable[Fault]]

# Keys of which a stage's own choice takes the place of the top level's.
_EXCLUSIVE = {
    ("model",): MODEL_ONE_OF,
    ("training",): DATA_ONE_OF,
    ("hardware",): ("accelerator", "instance"),
    ("hardware", "size"): ("count", "nodes"),
    ("price",): ("device_hour", "instance_hour", "owned"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One part as read: its raw mapping, its checked record, and where its values stand."""

    name: str
    raw: Mapping[str, Any]
    part: Part
    document: Document
    own: KeyPath  # ("stages", 0), or () for the top level
    folder: Path | None

    def place(self, *key: str) -> str | None:
        """``file:line:column`` of a value that the user wrote, else None."""
        return self.document.place((*self.own, *key)) or self.document.place(key)

    def gives(self, *key: str) -> bool:
        """Whether the user wrote this key."""
        value: Any = self.raw
        for name in key:
            if not isinstance(value, Mapping) or name not in value:
                return False
            value = value[name]
        return value is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A run file, checked: the whole of it, and the parts to be costed."""

    run: Run
    raw: Mapping[str, Any]
    parts: tuple[Input, ...]
    document: Document


Source = str | os.PathLike[str] | Mapping[str, Any] | Run


def load(source: Source, look_up: LookUp, *, changes: Mapping[str, Any] | None = None) -> Request:
    """The checked request in a path, a mapping in the run file's shape, or a Run.

    ``look_up`` finds names that the catalogue does not know; ``changes`` are dotted keys laid over
    the file (``--set training.tokens=2T``).

    Raises:
        InputError: every problem of the file, in its order.
    """
    document, folder = _document(source)
    return check(document, folder, look_up, changes=changes)


def check(
    document: Document, folder: Path | None, look_up: LookUp,
    *, changes: Mapping[str, Any] | None = None,
) -> Request:
    """The checked request in a document; see :func:`load`."""
    if not isinstance(document.data, dict):
        found = shown(document.data)
        raise InputError(document.problem((), f"expected a mapping of keys; got {found}"))
    raw = apply(document.data, changes or {})
    run, problems = _validated(raw, document)
    inputs: list[Input] = []
    if run is not None:
        inputs = list(_inputs(run, raw, document, folder))
    bad = {problem.key for problem in problems}
    for own, merged, part in _checkable(run, raw, inputs):
        found = list(faults(part, merged)) if part is not None else []
        found += look_up(merged, folder)
        problems += _placed(found, document, own, bad)
    if problems:
        raise InputError(sorted(_unique(problems), key=_order))
    if run is None:  # a validation error without a problem is a bug of ours
        raise InputError(document.problem((), "cannot be read as a run file"))
    return Request(run=run, raw=raw, parts=tuple(inputs), document=document)


def _checkable(
    run: Run | None, raw: Mapping[str, Any], inputs: Sequence[Input]
) -> Iterable[tuple[KeyPath, Mapping[str, Any], Part | None]]:
    if run is None:
        yield (), raw, None
    for given in inputs:
        yield given.own, given.raw, given.part


def _document(source: Source) -> tuple[Document, Path | None]:
    if isinstance(source, Run):
        source = source.model_dump(exclude_none=True)
    if isinstance(source, Mapping):
        return Document(dict(source), "run"), None
    if str(source) == "-":
        import sys

        return read(sys.stdin.buffer.read(), "stdin"), Path()
    path = Path(source)
    if path.is_dir():
        raise InputError(Problem(key="", message="expected a run file; got a folder", file=str(path)))
    return read_file(path, str(source)), path.parent


def apply(raw: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """A copy of ``raw`` with dotted keys set.

    >>> apply({"a": {"b": 1}}, {"a.c": 2})
    {'a': {'b': 1, 'c': 2}}
    """
    made = dict(raw)
    for dotted_key, value in changes.items():
        target = made
        *outer, last = dotted_key.split(".")
        for name in outer:
            inner = target.get(name)
            target[name] = dict(inner) if isinstance(inner, Mapping) else {}
            target = target[name]
        target[last] = value
    return made


def _validated(raw: Mapping[str, Any], document: Document) -> tuple[Run | None, list[Problem]]:
    try:
        return Run.model_validate(raw), []
    except ValidationError as error:
        return None, [_problem(item, document) for item in error.errors(include_url=False)]


def _problem(item: Any, document: Document) -> Problem:
    path, kind = tuple(item["loc"]), item["type"]
    if kind == "extra_forbidden":
        near = nearest(str(path[-1]), _keys_at(path[:-1]), at_most=1)
        message = "unknown key" + (f"; did you mean {near[0]}?" if near else "")
        return document.problem(path, message, at_key=True)
    if kind == "missing":
        return document.problem(path, "missing")
    if kind in ("model_type", "dict_type", "model_attributes_type"):
        keys = ", ".join(_keys_at(path)[:4])
        return document.problem(
            path, f"expected a mapping with keys such as {keys}; got {shown(item['input'])}"
        )
    if kind == "list_type":
        return document.problem(path, f"expected a list; got {shown(item['input'])}")
    if kind in ("bool_type", "bool_parsing"):
        return document.problem(path, f"expected true or false; got {shown(item['input'])}")
    return document.problem(path, item["msg"])


def _keys_at(path: Sequence[str | int]) -> list[str]:
    """The keys that the mapping at ``path`` takes."""
    model: type[BaseModel] = Run
    for name in path:
        if isinstance(name, int):
            continue
        field = model.model_fields.get(str(name))
        inner = _model_in(field.annotation) if field else None
        if inner is None:
            return []
        model = inner
    return list(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in get_args(annotation):
        found = _model_in(argument)
        if found is not None:
            return found
    return None


def _inputs(
    run: Run, raw: Mapping[str, Any], document: Document, folder: Path | None
) -> Iterable[Input]:
    shared = {k: v for k, v in raw.items() if k not in ("stages", "limits", "subject", "profiles")}
    if not run.stages:
        yield Input(
            name=run.name or "run", raw=shared, part=run, document=document, own=(), folder=folder
        )
        return
    for index, stage in enumerate(raw["stages"]):
        merged = lay_over(shared, stage)
        yield Input(
            name=stage.get("name") or f"stage {index + 1}", raw=merged,
            part=Part.model_validate(merged), document=document, own=("stages", index),
            folder=folder,
        )


def lay_over(base: Mapping[str, Any], top: Mapping[str, Any], path: KeyPath = ()) -> dict[str, Any]:
    """``top`` laid over ``base``, mapping by mapping; its choice of a kind drops the other kinds.

    >>> lay_over({"model": {"preset": "a"}, "x": 1}, {"model": {"flops": "1e20 FLOP"}})
    {'model': {'flops': '1e20 FLOP'}, 'x': 1}
    """
    made = dict(base)
    for group, names in _EXCLUSIVE.items():
        if group[:1] == path and any(name in top for name in names):
            made = {k: v for k, v in made.items() if k not in names}
    for key, value in top.items():
        below = made.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            made[key] = lay_over(below, value, (*path, key))
        else:
            made[key] = value
    return made


def _placed(
    found: Iterable[Fault], document: Document, own: KeyPath, bad: set[str]
) -> Iterable[Problem]:
    for fault in found:
        inner = (*own, *fault.path)
        path = fault.path if fault.path in document.marks and inner not in document.marks else inner
        if dotted(path) not in bad:
            yield document.problem(path, fault.message)


def _unique(problems: Iterable[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def _order(problem: Problem) -> tuple[int, int, str]:
    return problem.line or 0, problem.column or 0, problem.key
