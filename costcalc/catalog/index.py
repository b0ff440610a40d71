"""All that ships, compiled once into lines of JSON, so that starting parses no YAML.

The first line says of each file its digest, its place in what follows, and what finds it (id,
aliases, a host's accelerator and size); then comes one line a file with all that it says.  The
wheel carries the index, made by its build.  A checkout makes it on first use and keeps it in the
user's cache, under the size and time of every file that it was made from: a change of any makes
another.  Where nothing can be written it is kept in memory.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from costcalc.catalog.files import data_root, installed, profiles_root

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

FILE = "index.jsonl"
FOLDERS = {
    "accelerators": "hardware_profiles/accelerators",
    "cpus": "hardware_profiles/cpus",
    "hosts": "hardware_profiles/hosts",
    "presets": "costcalc/data/presets",
    "regions": "costcalc/data/regions",
    "software": "costcalc/data/software",
    "tables": "costcalc/data",
}
"""Each kind of file, and its folder as messages and reports show it."""

_HEAD = ("id", "name", "aliases", "accelerator", "devices", "provider", "default_for")
_RACY = 2.0  # seconds in which a file could change again under the same time and size


class Head(NamedTuple):
    """What finds a file: its names, and of a host the accelerators that it is for."""

    file: str
    id: str
    aliases: tuple[str, ...] = ()
    accelerator: str | None = None
    devices: int = 1
    provider: str | None = None
    default_for: tuple[str, ...] = ()
    gigabytes: float | None = None  # of memory that software can use; a board is sold as more
    name: str = ""  # as it is shown

    @property
    def names(self) -> tuple[str, ...]:
        """Id and aliases as they are compared: in lower case, spaces single."""
        return tuple(plain(name) for name in (self.id, *self.aliases))


class Index:
    """A compiled catalogue: heads by kind, digest and content by file."""

    def __init__(self, compiled: bytes) -> None:
        first, _, self._lines = compiled.partition(b"\n")
        told = json.loads(first)
        self._heads: Mapping[str, list[Mapping[str, object]]] = told["heads"]
        self._files: Mapping[str, tuple[str, int, int]] = told["files"]

    @cache  # noqa: B019 - one index a process
    def heads(self, kind: str) -> tuple[Head, ...]:
        """What finds each file of a kind, in the order of their names."""
        return tuple(_head(told) for told in self._heads[kind])

    @cache  # noqa: B019
    def names(self, kind: str) -> Mapping[str, str]:
        """Every id and alias of a kind as :attr:`Head.names`, and the file that it stands in."""
        found: dict[str, str] = {}
        for head in self.heads(kind):
            for name in head.names:
                found.setdefault(name, head.file)
        return found

    def digest(self, file: str) -> str:
        """`sha256:…` of the file's bytes."""
        return self._files[file][0]

    def data(self, file: str) -> object:
        """All that a file says, as plain mappings, lists and scalars."""
        _, start, end = self._files[file]
        return json.loads(self._lines[start:end])


def plain(name: str) -> str:
    """A name as it is compared: in lower case, spaces single.

    >>> plain(" NVIDIA  H100 ")
    'nvidia h100'
    """
    return " ".join(name.split()).lower()


@cache
def index() -> Index:
    """The index of what ships: the wheel's, the cached one of this checkout, or a new one."""
    with contextlib.suppress(OSError, ValueError, KeyError):
        if installed():
            return Index((data_root() / FILE).read_bytes())
    path = _cached()
    if path is not None:
        with contextlib.suppress(OSError, ValueError, KeyError):
            return Index(path.read_bytes())
    compiled = build()
    if path is not None:
        with contextlib.suppress(OSError):
            _keep(path, compiled)
    return Index(compiled)


def build() -> bytes:
    """The index, made from the files.

    Raises:
        InputError: a file is no strict YAML.
    """
    from costcalc.base.reading import read

    heads: dict[str, list[dict[str, object]]] = {kind: [] for kind in FOLDERS}
    files: dict[str, tuple[str, int, int]] = {}
    lines: list[bytes] = []
    at = 0
    for kind, shown, path in _sources():
        raw = path.read_bytes()
        data = read(raw, shown).data
        line = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
        files[shown] = f"sha256:{hashlib.sha256(raw).hexdigest()}", at, at + len(line)
        at += len(line) + 1
        lines.append(line)
        if isinstance(data, dict) and "id" in data:
            known = {key: data[key] for key in _HEAD if key in data}
            heads[kind].append({"file": shown} | known | _memory(data.get("memory")))
    first = json.dumps({"heads": heads, "files": files}, separators=(",", ":")).encode()
    return b"\n".join([first, *lines]) + b"\n"


def _memory(figure: Mapping[str, Any] | None) -> dict[str, float]:
    if not figure:
        return {}
    return {"gigabytes": figure["value"] / (1024.0 if figure["unit"] == "MiB" else 1.0)}


def _head(told: Mapping[str, object]) -> Head:
    listed = {key: tuple(value) for key, value in told.items() if isinstance(value, list)}
    return Head(**{**told, **listed})  # type: ignore[arg-type]


def _folders() -> Iterator[tuple[str, str, Traversable]]:
    for kind, shown in FOLDERS.items():
        if kind == "tables":
            yield kind, shown, data_root()
        elif shown.startswith("costcalc/data/"):
            yield kind, shown, data_root() / kind
        else:
            yield kind, shown, profiles_root() / kind


def _sources() -> Iterator[tuple[str, str, Traversable]]:
    """Kind, shown name and place of each file that the index is made from."""
    for kind, shown, folder in _folders():
        for path in sorted(folder.iterdir(), key=lambda path: path.name.removesuffix(".yaml")):
            if path.name.endswith(".yaml"):
                yield kind, f"{shown}/{path.name}", path


def _cached() -> Path | None:
    """Where the index of exactly these files is kept; None where files have no size and time.

    The name is a digest of the size and time of every file, of the code that reads them too.
    """
    stamps = hashlib.sha256()
    newest = 0.0
    code = Path(__file__)
    try:
        for folder in [*(str(folder) for *_, folder in _folders()), str(code.parents[1] / "base")]:
            for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
                if entry.name.endswith((".yaml", "reading.py")):
                    stat = entry.stat()
                    newest = max(newest, stat.st_mtime)
                    stamps.update(f"{entry.path} {stat.st_size} {stat.st_mtime_ns}\n".encode())
        stamps.update(f"{code} {code.stat().st_mtime_ns}".encode())
        home = os.environ.get("XDG_CACHE_HOME") or os.environ.get("LOCALAPPDATA")
        base = Path(home) if home else Path.home() / ".cache"
    except (OSError, RuntimeError):
        return None
    racy = time.time() - newest < _RACY
    place = hashlib.sha256(str(code).encode()).hexdigest()[:12]
    name = f"{place}-{stamps.hexdigest()[:40]}.jsonl"
    return None if racy else base / "costcalc" / name


def _keep(path: Path, compiled: bytes) -> None:
    """Write the index at once or not at all, and drop those that this checkout kept before."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(compiled)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise
    for old in path.parent.glob(f"{path.name.partition('-')[0]}-*.jsonl"):
        if old != path:
            old.unlink(missing_ok=True)
