"""YAML text to plain values that know their line: strict, and safe against hostile files.

YAML 1.2 scalars: ``NO`` is text (Norway), ``3e23`` is a number, ``0x1F`` and ``010`` are text.
A file that reads two ways is refused: duplicate keys are errors.  Depth, size and aliases are
bounded while the events come in, before anything is built (the C parser's composer overflows the
stack on deep nesting).
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from costcalc.base.document import Document, Key, Mark, dotted
from costcalc.base.errors import InputError, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from importlib.resources.abc import Traversable
    from pathlib import Path

MAX_DEPTH, MAX_BYTES, MAX_NODES = 100, 4_000_000, 50_000
MAX_SCALAR, MAX_KEY = 100_000, 200
#: a table or log of another tool: eight devices' power each second of half a day
MAX_TEXT = 32_000_000


class Bounds(NamedTuple):
    """How much a file may hold: bytes, and values with aliases expanded."""

    size: int
    nodes: int


OURS = Bounds(MAX_BYTES, MAX_NODES)


def read_file(path: Path | Traversable, name: str | None = None, bounds: Bounds = OURS) -> Document:
    """The document in a file.

    Raises:
        InputError: the file is missing, too large, not UTF-8, or no strict YAML.
    """
    shown = name or str(path)
    return read(read_bytes(path, shown, bounds), shown, bounds)


def read_bytes(path: Path | Traversable, name: str, bounds: Bounds = OURS) -> bytes:
    """The bytes of a file, one more than its bounds at most.

    Raises:
        InputError: it is missing or cannot be read.
    """
    try:
        with path.open("rb") as file:
            return file.read(bounds.size + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(Problem(key="", message=f"cannot be read: {reason}", file=name)) from None


def read_text(path: Path, name: str) -> str:
    """The text of another tool's file, of at most ``MAX_TEXT`` bytes; ``-`` is standard input.

    Raises:
        InputError: it is missing, cannot be read, or is too large.
    """
    if name == "-":
        import sys

        raw = sys.stdin.buffer.read(MAX_TEXT + 1)
    else:
        raw = read_bytes(path, name, Bounds(MAX_TEXT, MAX_NODES))
    if len(raw) > MAX_TEXT:
        message = f"larger than {MAX_TEXT // 1_000_000} MB"
        raise InputError(Problem(key="", message=message, file=name))
    return decoded(raw)


def decoded(raw: bytes) -> str:
    """Text as other tools write it: UTF-8, UTF-16 by its mark (a PowerShell ``>``), or Latin-1.

    >>> [decoded("grün".encode(name)) for name in ("utf-8", "utf-16", "latin-1")]
    ['grün', 'grün', 'grün']
    """
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def read(text: str | bytes, name: str, bounds: Bounds = OURS) -> Document:
    """The document that a YAML text holds.

    Raises:
        InputError: with every duplicate key, or with the first fault of the YAML itself.

    >>> read("region: NO\\ntokens: 3e23", "run.yaml").data
    {'region': 'NO', 'tokens': 3e+23}
    """
    document = read_all(text, name, bounds)
    if document.duplicates:
        raise InputError(document.duplicates)
    return document


def read_all(text: str | bytes, name: str, bounds: Bounds = OURS) -> Document:
    """The document that a YAML text holds, its duplicate keys told in ``duplicates``.

    Raises:
        InputError: with the first fault of the YAML itself.
    """
    plain = _strict(text, name, bounds.size)
    directive = _DIRECTIVE.search(plain)
    if directive:  # the C parser compares each with all before it: a megabyte of them is minutes
        line = plain.count("\n", 0, directive.start()) + 1
        message = f"expected plain YAML; got the directive {directive[0]}"
        raise InputError(Problem(key="", message=message, file=name, line=line, column=1))
    return _Reader(plain, name, bounds.nodes).document()


_DIRECTIVE = re.compile(r"^%(?!YAML\b)\w*", re.MULTILINE | re.ASCII)


def _strict(text: str | bytes, name: str, most: int) -> str:
    if len(text) > most:
        message = f"larger than {most // 1_000_000} MB, which no file of costcalc is"
        raise InputError(Problem(key="", message=message, file=name))
    if isinstance(text, str):
        return text
    try:
        return text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        message = "expected UTF-8 text; got bytes that are none"
        raise InputError(Problem(key="", message=message, file=name, line=line, column=1)) from None


_NULL = {"", "~", "null", "Null", "NULL"}
_TRUE, _FALSE = {"true", "True", "TRUE"}, {"false", "False", "FALSE"}
_INT = re.compile(r"[-+]?[0-9]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+", re.ASCII)
MAX_DIGITS = 400


def scalar(text: str) -> Any:
    """A plain YAML scalar by the core rules of YAML 1.2, infinities and NaN left as text.

    >>> scalar("NO"), scalar("3e23"), scalar("010"), scalar("null"), scalar("12:30")
    ('NO', 3e+23, '010', None, '12:30')
    """
    if text in _NULL:
        return None
    if text in _TRUE or text in _FALSE:
        return text in _TRUE
    return text if len(text) > MAX_DIGITS or _LEADING_ZERO.fullmatch(text) else _numeral(text)


def _numeral(text: str) -> Any:
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        return value if math.isfinite(value) else text
    return text


_PLAIN_TAGS = (None, "!", "tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


class _Reader:
    """Builds values from the event stream of one document, with bounds on everything."""

    def __init__(self, text: str, name: str, most: int = MAX_NODES) -> None:
        self.text, self.name, self.most = text, name, most
        self.marks: dict[Key, Mark] = {}
        self.key_marks: dict[Key, Mark] = {}
        self.problems: list[Problem] = []
        self.anchors: dict[str, tuple[Any, int, int]] = {}  # value, nodes in it, levels in it
        self.nodes = 0
        self.deepest = 0

    def document(self) -> Document:
        import yaml

        loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        try:
            self.events: Iterator[Any] = yaml.parse(self.text, Loader=loader)
            data = self._stream()
        except InputError:
            raise
        except yaml.MarkedYAMLError as error:
            raise self._fault(error) from None
        except (yaml.YAMLError, ValueError, RecursionError) as error:
            first = str(error).splitlines()[0] if str(error) else "unreadable"
            raise InputError(Problem(key="", message=f"no YAML: {first}", file=self.name)) from None
        duplicates = tuple(self.problems)
        return Document(data, self.name, self.marks, self.key_marks, duplicates)

    def _fault(self, error: Any) -> InputError:
        mark: Any = error.problem_mark or error.context_mark
        text = ", ".join(part for part in (error.context, error.problem) if part)
        before = self._line(mark.line)[: mark.column + 1] if mark is not None else ""
        if before.strip(" ").startswith("\t"):
            text = "expected spaces to indent; got a tab"
        elif mark is not None and self._brackets_open(mark.index) > MAX_DEPTH:
            # PyYAML 6.0.4 scans ahead and ends at a depth of its own before the event comes.
            text = f"nested deeper than {MAX_DEPTH} levels"
        return InputError(
            Problem(
                key="",
                message=f"no YAML: {text}",
                file=self.name,
                line=mark.line + 1 if mark else None,
                column=mark.column + 1 if mark else None,
            )
        )

    def _brackets_open(self, index: int) -> int:
        read = self.text[:index]
        return sum(read.count(a) - read.count(b) for a, b in ("[]", "{}"))

    def _line(self, number: int) -> str:
        lines = self.text.split("\n", number + 1)
        return lines[number] if number < len(lines) else ""

    def _stream(self) -> Any:
        import yaml

        data: Any = None
        documents = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._refuse(event, "expected one document; got a second one")
                data = self._node(next(self.events), (), 0)
        return data

    def _refuse(self, event: Any, message: str) -> InputError:
        mark = event.start_mark
        return InputError(
            Problem(
                key="", message=message, file=self.name, line=mark.line + 1, column=mark.column + 1
            )
        )

    def _count(self, event: Any, number: int = 1) -> None:
        self.nodes += number
        if self.nodes > self.most:
            raise self._refuse(event, f"more than {self.most} values, aliases expanded")

    def _reach(self, event: Any, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self._refuse(event, f"nested deeper than {MAX_DEPTH} levels")
        self.deepest = max(self.deepest, depth)

    def _node(self, event: Any, path: Key, depth: int) -> Any:
        import yaml

        self._count(event)
        self._reach(event, depth)
        self.marks[path] = _mark(event)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        if event.anchor is None:
            return self._value(event, path, depth)
        before, deepest, self.deepest = self.nodes, self.deepest, depth
        value = self._value(event, path, depth)
        self.anchors[event.anchor] = (value, self.nodes - before + 1, self.deepest - depth)
        self.deepest = max(self.deepest, deepest)
        return value

    def _value(self, event: Any, path: Key, depth: int) -> Any:
        import yaml

        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if event.tag not in _PLAIN_TAGS:
            raise self._refuse(event, f'expected a plain value; got the tag "{event.tag[:60]}"')
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path, depth)
        return self._mapping(path, depth)

    def _alias(self, event: Any, depth: int) -> Any:
        if event.anchor not in self.anchors:
            raise self._refuse(event, f"*{event.anchor[:60]} refers to nothing that stands above")
        value, size, levels = self.anchors[event.anchor]
        self._count(event, size)  # what it stands for, so that bombs are counted as if expanded
        self._reach(event, depth + levels)
        return value

    def _scalar(self, event: Any) -> Any:
        if len(event.value) > MAX_SCALAR:
            raise self._refuse(event, f"a value longer than {MAX_SCALAR} characters")
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise self._refuse(event, f'expected a plain value; got the tag "{event.tag[:60]}"')
        if event.tag is not None or not event.implicit[0]:
            return event.value
        return scalar(event.value)

    def _key(self, event: Any) -> str:
        if len(event.value) > MAX_KEY:
            raise self._refuse(event, f"a key longer than {MAX_KEY} characters")
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise self._refuse(event, f'expected a plain key; got the tag "{event.tag[:60]}"')
        return str(event.value)

    def _sequence(self, path: Key, depth: int) -> list[Any]:
        import yaml

        values: list[Any] = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            values.append(self._node(event, (*path, len(values)), depth + 1))
        return values

    def _mapping(self, path: Key, depth: int) -> dict[str, Any]:
        import yaml

        values: dict[str, Any] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._refuse(event, "expected a word as key; got a list, mapping or alias")
            self._count(event)
            key = self._key(event)
            inner = (*path, key)
            mark = _mark(event)
            if key in values:
                first = self.key_marks[inner]
                message = f"duplicate key; it stands on line {first.line} already"
                self.problems.append(
                    Problem(
                        key=dotted(inner),
                        message=message,
                        file=self.name,
                        line=mark.line,
                        column=mark.column,
                    )
                )
            self.key_marks[inner] = mark
            values[key] = self._node(next(self.events), inner, depth + 1)
        return values


def _mark(event: Any) -> Mark:
    return Mark(event.start_mark.line + 1, event.start_mark.column + 1)
