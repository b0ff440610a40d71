"""From a file, a mapping or a Run to checked parts, all problems at once.

A *part* is one run to be costed: the top level, or the top level with one of ``stages`` laid over
it.  Each value keeps its place in the file, so that every later message and every assumption can
point at it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from costcalc.base.document import Document, dotted
from costcalc.base.errors import InputError, Problem, shown
from costcalc.base.faults import KeyPath, translated
from costcalc.base.reading import MAX_BYTES, MAX_DEPTH, read_all, read_bytes
from costcalc.runfile.asked import asked, is_report
from costcalc.runfile.calibration import with_calibration
from costcalc.runfile.laying import apply, lay_over, steps
from costcalc.runfile.rules import Fault, Lacking, faults
from costcalc.runfile.schema import Part, Run
from costcalc.runfile.section import Section
from costcalc.runfile.words import KEYS

LookUp = Callable[[Mapping[str, object], Path | None], Iterable[Fault]]

MAX_STAGES = 100
MAX_HINTS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """One part as read: its raw mapping, its checked record, and where its values stand."""

    name: str
    raw: Mapping[str, object]
    part: Part
    document: Document
    own: KeyPath  # ("stages", 0), or () for the top level
    folder: Path | None

    def place(self, *key: str) -> str | None:
        """``file:line:column`` of a value that the user wrote, else None."""
        return self.document.place((*self.own, *key)) or self.document.place(key)

    def changed(self, **sections: Section) -> Input:
        """The same part with other sections."""
        return replace(self, part=self.part.model_copy(update=sections))

    def placed(self, error: InputError) -> InputError:
        """The problems of a stage, each at its place in the file."""
        return InputError(self.problem(p.key.split("."), p.message) for p in error.problems)

    def problem(self, key: Sequence[str], message: str) -> Problem:
        """A problem with a key, of this stage where the file says it there."""
        path, own = tuple(key), (*self.own, *key)
        marks = self.document.marks
        return self.document.problem(own if own in marks or path not in marks else path, message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A run file, checked: the whole of it, and the parts to be costed."""

    run: Run
    raw: Mapping[str, object]
    parts: tuple[Input, ...]
    document: Document


Source = str | os.PathLike[str] | Mapping[str, object] | Run


def load(
    source: Source,
    look_up: LookUp,
    *,
    changes: Mapping[str, object] | None = None,
    may_lack: Collection[Lacking] = (),
) -> Request:
    """The checked request in a path, a mapping in the run file's shape, or a Run.

    ``look_up`` finds names that the catalogue does not know; ``changes`` are dotted keys laid over
    the file (``--set training.tokens=2T``); ``may_lack``: what will be seen for itself later.

    Raises:
        InputError: every problem of the file, in its order.
    """
    document, folder = document_of(source)
    return check(own_run(document), folder, look_up, changes=changes, may_lack=may_lack)


def own_run(document: Document) -> Document:
    """Of a report, the run that was asked for; any other document as it is."""
    if not is_report(document.data):
        return document
    run, listed = document.data.get("run"), document.data.get("assumptions")
    if not isinstance(run, Mapping) or not run:
        message = "this report holds no run of its own to estimate again: it was merged or imported"
        raise InputError(document.problem(("run",), message))
    items = [item for item in listed or () if isinstance(item, Mapping)]
    return replace(document.inside("run"), data=asked(run, items))


def check(
    document: Document,
    folder: Path | None,
    look_up: LookUp,
    *,
    changes: Mapping[str, object] | None = None,
    may_lack: Collection[Lacking] = (),
) -> Request:
    """The checked request in a document; see :func:`load`."""
    if not isinstance(document.data, dict):
        found = shown(document.data)
        raise InputError(document.problem((), f"expected a mapping of keys; got {found}"))
    document = with_defaults(document, folder)
    document = _changed(document, changes or {})
    document = with_calibration(document, folder, document_of)
    raw = document.data
    run, problems, bad, sound = _validated(raw, document)
    problems += document.duplicates
    inputs = list(_inputs(sound, run, document, folder))
    for given in inputs:
        named = {**given.raw, "profiles": raw.get("profiles")}
        broken = [*faults(given.part, may_lack=may_lack), *look_up(named, folder)]
        problems += _placed(broken, document, given.own, bad)
    if problems:
        _told_as_a_config(document)
        raise InputError(sorted(_unique(problems), key=_order))
    if run is None:  # a validation error without a problem is a bug of ours
        raise InputError(document.problem((), "cannot be read as a run file"))
    return Request(run=run, raw=raw, parts=tuple(inputs), document=document)


def _told_as_a_config(document: Document) -> None:
    """Another tool's config without a block of ours is one problem, not one a key."""
    from costcalc.runfile.configs import named

    tool = "" if document.tool else named(document)
    if tool:
        raise InputError(
            document.problem(
                (),
                f"is a config of {tool}: say what it does not (hardware, the size of the data) "
                "under the key costcalc or in comments after # costcalc:",
            )
        )


def document_of(source: Source) -> tuple[Document, Path | None]:
    """A source as read, not yet checked, and the folder that its paths are relative to.

    Raises:
        InputError: it cannot be read, or is no YAML that reads one way.
    """
    if isinstance(source, Run):
        source = source.model_dump(exclude_none=True)
    if isinstance(source, Mapping):
        _text_keys(source, ())
        return Document(dict(source), "run"), None
    if str(source) == "-":
        import sys

        return _read(sys.stdin.buffer.read(MAX_BYTES + 1), "stdin", toml=False), Path()
    path = Path(source)
    if os.path.isdir(path):  # noqa: PTH112  (Path.is_dir raises where a name is too long)
        message = "expected a run file; got a folder"
        raise InputError(Problem(key="", message=message, file=str(path)))
    raw = read_bytes(path, str(source))
    return _read(raw, str(source), toml=path.suffix == ".toml"), path.parent


def _read(raw: bytes, name: str, *, toml: bool) -> Document:
    """A document, or the run that another tool's file carries."""
    if not toml and b"costcalc:" not in raw:
        return read_all(raw, name)
    from costcalc.runfile.carried import run_of

    found = run_of(raw, name, toml=toml)
    if found is not None:
        return found
    if toml:
        message = "carries no run: expected a table [tool.costcalc], or comments after # costcalc:"
        raise InputError(Problem(key="", message=message, file=name))
    return read_all(raw, name)


def _text_keys(value: object, path: KeyPath) -> None:
    """Refuse a mapping that no file could hold: keys that are no text, or endless depth."""
    if len(path) > MAX_DEPTH:
        message = f"nested deeper than {MAX_DEPTH} levels"
        raise InputError(Problem(key=dotted(path[:3]), message=message, file="run"))
    if isinstance(value, (str, int, float)):
        return
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if not isinstance(key, str):
                message = f"expected text as a key; got {shown(key)}"
                raise InputError(Problem(key=dotted(path), message=message, file="run"))
            _text_keys(inner, (*path, key))
    elif isinstance(value, (list, tuple)):
        for index, inner in enumerate(value):
            _text_keys(inner, (*path, index))


DEFAULTS = "COSTCALC_DEFAULTS"
"""The variable of the environment that names a file of defaults, where a run file names none."""


def with_defaults(document: Document, folder: Path | None) -> Document:
    """The document laid over its ``defaults``: a lab's prices, place and machines.

    Of a value that the run file does not say, the place is in the file of defaults.  ``defaults:
    null`` takes none, whatever the environment says.

    Raises:
        InputError: the file cannot be read, is no mapping, or names defaults of its own.
    """
    own = dict(document.data)
    named = own.pop("defaults", None)
    said = named if "defaults" in document.data else os.environ.get(DEFAULTS)
    if said is None or (said == "" and named is None):
        return replace(document, data=own)
    if not isinstance(said, str) or not said:
        return document  # the schema says what is wrong with it
    path = (folder or Path()) / said if named is not None else Path(said)
    try:
        below, inner = document_of(path)
    except InputError as error:
        whence = "" if named is not None else f"{DEFAULTS}: "
        raise InputError(
            document.problem(("defaults",), f"{whence}{p.file}: {p.message}")
            for p in error.problems
        ) from None
    if fault := _no_defaults(below.data):
        raise InputError(document.problem(("defaults",), f"{path} {fault}"))
    below = with_calibration(below, inner, document_of)
    if isinstance(below.data.get("profiles"), str) and inner is not None:
        below.data["profiles"] = os.path.relpath(inner / below.data["profiles"], folder or Path())
    return document.over(below, lay_over(below.data, own))


def _no_defaults(data: object) -> str:
    """What keeps a file from lying under another; empty if nothing does."""
    if not data:
        return "is empty; expected keys of a run file"
    if not isinstance(data, dict):
        return f"holds {shown(data)}; expected keys of a run file"
    if "defaults" in data:
        return "names defaults of its own; one file lies under a run file, and none under that"
    return "has stages; they stand in the run file alone" if "stages" in data else ""


def _changed(document: Document, changes: Mapping[str, object]) -> Document:
    """The document with the changes laid over it; what they say stands nowhere in the file."""
    if not changes:
        return document
    paths = [steps(key) for key in changes]
    marks = {
        path: mark
        for path, mark in document.marks.items()
        if not any(path[: len(given)] == given for given in paths)
    }
    made = apply(document.data, changes)
    return replace(document, data=made, marks=marks, changed=tuple(paths))


def _validated(
    raw: Mapping[str, object], document: Document
) -> tuple[Run | None, list[Problem], list[KeyPath], Mapping[str, object]]:
    """The checked run; else its problems, the keys they speak of, and what is sound of it."""
    many = raw.get("stages")
    if isinstance(many, list) and len(many) > MAX_STAGES:
        message = f"expected {MAX_STAGES} stages at most; got {len(many)}"
        raise InputError(document.problem(("stages",), message))
    try:
        return Run.model_validate(raw), [], [], raw
    except ValidationError as error:
        items = error.errors(include_url=False)
    problems: list[Problem] = []
    bad: list[KeyPath] = []
    for number, item in enumerate(items):
        problem, about = translated(item, document, Run, hint=number < MAX_HINTS, words=KEYS)
        problems.append(problem)
        bad += about
    sound, gone = _sound(raw, items)
    return None, problems, [*bad, *gone], sound


def _sound(
    raw: Mapping[str, object], items: Sequence[Any]
) -> tuple[Mapping[str, object], list[KeyPath]]:
    """What is left without what cannot be read; a section that then lacks a key goes whole."""
    left = _without(raw, {_removed(item) for item in items})
    gone: list[KeyPath] = []
    while True:
        try:
            Run.model_validate(left)
        except ValidationError as error:
            more = {_removed(item) for item in error.errors(include_url=False)}
            gone += more
            left = _without(left, more)
        else:
            return left, gone


def _removed(item: Any) -> KeyPath:
    path: KeyPath = tuple(item["loc"])
    return path[:-1] if item["type"] == "missing" else path


def _without(value: object, bad: set[KeyPath], path: KeyPath = ()) -> Any:
    """A copy without the values at the bad paths, so that the rest can be checked too.

    >>> _without({"a": {"b": 1, "c": 2}}, {("a", "b")})
    {'a': {'c': 2}}
    """
    if isinstance(value, Mapping):
        kept = {k: v for k, v in value.items() if (*path, k) not in bad}
        return {k: _without(v, bad, (*path, k)) for k, v in kept.items()}
    if isinstance(value, (list, tuple)):  # places in a list are kept: a bad one becomes empty
        return [
            {} if (*path, i) in bad else _without(v, bad, (*path, i)) for i, v in enumerate(value)
        ]
    return value


def _inputs(
    raw: Mapping[str, object], run: Run | None, document: Document, folder: Path | None
) -> Iterable[Input]:
    own_only = ("stages", "limits", "subject", "profiles", "sweep", "defaults")
    shared = {key: value for key, value in raw.items() if key not in own_only}
    stages = raw.get("stages")
    if not isinstance(stages, (list, tuple)) or not stages:
        name = str(raw.get("name") or "run")
        part = run if run is not None else Part.model_validate(shared)
        yield Input(name=name, raw=shared, part=part, document=document, own=(), folder=folder)
        return
    for index, stage in enumerate(stages):
        merged = lay_over(shared, stage)
        yield Input(
            name=str(stage.get("name") or f"stage {index + 1}"),
            raw=merged,
            part=Part.model_validate(merged),
            document=document,
            own=("stages", index),
            folder=folder,
        )


def _placed(
    found: Iterable[Fault], document: Document, own: KeyPath, bad: Sequence[KeyPath]
) -> Iterable[Problem]:
    for fault in found:
        if any(_rests_on(fault, path) for path in bad):
            continue  # what is wrong with that key is told already
        inner = (*own, *fault.path)
        path = fault.path if fault.path in document.marks and inner not in document.marks else inner
        yield document.problem(path, fault.message)


def _rests_on(fault: Fault, bad: KeyPath) -> bool:
    """Whether a fault follows from what a key that cannot be read says, or its section."""
    key = bad[2:] if bad[:1] == ("stages",) and len(bad) > 2 else bad
    return any(path[: len(key)] == key for path in (fault.path, *fault.about))


def _unique(problems: Iterable[Problem]) -> list[Problem]:
    return list(dict.fromkeys(problems))


def _order(problem: Problem) -> tuple[int, int, str]:
    return problem.line or 0, problem.column or 0, problem.key
