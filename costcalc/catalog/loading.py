"""A data file into a checked record, with every fault at its line: the one reader of profiles.

What ships comes from the index, a user's own folders from their YAML; both become the same records
by the same schema.
"""

from __future__ import annotations

import contextlib
import hashlib
from functools import lru_cache
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, PrivateAttr, ValidationError

from costcalc.base.document import Document, dotted
from costcalc.base.errors import InputError, Problem
from costcalc.base.faults import translated
from costcalc.base.reading import read, read_bytes
from costcalc.catalog.index import Head, index, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Folder = Traversable | Path
KINDS = ("accelerators", "cpus", "hosts")


class Record(BaseModel):
    """A record that knows the file it came from."""

    model_config: ClassVar[ConfigDict] = ConfigDict(
        extra="forbid", frozen=True, allow_inf_nan=False
    )

    _file: str = PrivateAttr("")
    _digest: str = PrivateAttr("")
    _document: Document | None = PrivateAttr(None)

    @property
    def file(self) -> str:
        """The file it was read from, as it is shown; empty for one made in memory."""
        return self._file

    @property
    def digest(self) -> str:
        """`sha256:…` of the file's bytes."""
        return self._digest

    @property
    def written(self) -> dict[str, object]:
        """What stands in a user's own file; empty of what ships."""
        return dict(self._document.data) if self._document is not None else {}

    def to_dict(self) -> dict[str, object]:
        """As plain values, in the shape of its file; what it has not is left out."""
        return self.model_dump(mode="json", exclude_none=True, exclude_defaults=True)

    def problem(self, path: Sequence[str | int], message: str) -> Problem:
        """A problem at the line of a key path."""
        if self._document is not None:
            return self._document.problem(path, message)
        return Problem(key=dotted(path), message=message, file=self._file or None)


R = TypeVar("R", bound=Record)


_SHIPPED: dict[str, Record] = {}


def shipped(file: str, model: type[R]) -> R:
    """The record of a file that ships, from the index; made once a process."""
    known = _SHIPPED.get(file)
    if isinstance(known, model):
        return known
    record = model.model_validate(index().data(file))
    record._file, record._digest = file, index().digest(file)
    _SHIPPED[file] = record
    return record


def load(path: Folder, model: type[R], shown: str | None = None) -> R:
    """The record in a file.

    Raises:
        InputError: the file cannot be read, is no strict YAML, or breaks the schema; with every
            fault found, each at its line.
    """
    name = shown or str(path)
    return _record(_read(path, name), model)


def is_host(path: Path) -> bool:
    """Whether a file is a host's, not an accelerator's: by its folder, or its host_power.

    Raises:
        InputError: the file cannot be read, or is no strict YAML.
    """
    return _is_host(path, _read(path, str(path))[0])


def own(folder: Path, model: type[R], *, hosts: bool) -> list[R]:
    """A user's hosts, or accelerators: in the folder, and in those inside it laid out as ours.

    Raises:
        InputError: with every fault of every such file.
    """
    found: list[R] = []
    problems: list[Problem] = []
    for path in profiles_in(folder):
        try:
            read_in = _read(path, str(path))
            if _is_host(path, read_in[0]) == hosts:
                found.append(_record(read_in, model))
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found


def named(records: Iterable[R], name: str) -> R | None:
    """The first record of that id, file name or alias, as :func:`plain` compares them."""
    wanted = plain(name)
    listed = list(records)
    for record in listed:
        if wanted in (plain(str(getattr(record, "id", ""))), plain(Path(record.file).stem)):
            return record
    return next((one for one in listed if wanted in names(one)), None)


def head_of(record: Record) -> Head:
    """What finds a record of a user's own, as the index has it of ours."""
    known = {key: getattr(record, key) for key in Head._fields if hasattr(record, key)}
    memory = getattr(record, "memory", None)
    return Head(**known, gigabytes=memory.si / 2**30 if memory else None)


def names(record: Record) -> list[str]:
    """Id and aliases of a record as they are compared."""
    return [plain(name) for name in (getattr(record, "id", ""), *getattr(record, "aliases", ()))]


def profiles_in(folder: Path) -> list[Path]:
    """The YAML files of a folder of profiles, and of the folders inside it laid out as ours.

    Raises:
        InputError: the folder cannot be read.
    """
    found: list[Path] = []
    for place in (folder, *(folder / kind for kind in KINDS if (folder / kind).is_dir())):
        try:
            inside = sorted(place.iterdir())
        except OSError as error:
            message = f"cannot be read: {error.strerror}"
            raise InputError(Problem(key="", message=message, file=str(place))) from None
        found += [path for path in inside if path.suffix == ".yaml" and path.is_file()]
    return found


_Read = tuple[Document, str]


def _read(path: Folder, name: str) -> _Read:
    """A file's document and digest; a file on disk is parsed again only when it has changed."""
    if isinstance(path, Path):
        with contextlib.suppress(OSError, ValueError):  # reading it says what is wrong
            stat = path.stat()
            return _parsed_once(path, name, (stat.st_size, stat.st_mtime_ns))
    return _parsed(path, name)


def _parsed(path: Folder, name: str) -> _Read:
    raw = read_bytes(path, name)
    return read(raw, name), f"sha256:{hashlib.sha256(raw).hexdigest()}"


@lru_cache(maxsize=512)
def _parsed_once(path: Path, name: str, _stamp: tuple[int, int]) -> _Read:
    return _parsed(path, name)


def _is_host(path: Path, document: Document) -> bool:
    return path.parent.name == "hosts" or "host_power" in (document.data or ())


def _record(given: _Read, model: type[R]) -> R:
    document, digest = given
    try:
        record = model.model_validate(document.data)
    except ValidationError as error:
        said = "missing; it has no default"
        found = error.errors(include_url=False)
        raise InputError([translated(f, document, model, missing=said)[0] for f in found]) from None
    record._file, record._digest, record._document = document.name, digest, document
    return record
