"""Reading a ledger as it grows: of each file only what is new, and of that only the last lines.

Reading tolerates what a kill, a full disk or a stale listing leaves behind.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Protocol, TypeVar

from costcalc.tracking.ledger import Written, is_sample, job_hash
from costcalc.tracking.records import Record, Sample, Start, from_line

R = TypeVar("R", Start, Sample)
MAX_LINE = 2**20  # a longer line is none of ours
_PIECE = 4 * MAX_LINE  # of a file that has grown by more only its beginning and its end are read


class _Store(Protocol):
    """As much of fsspec's file systems as is used."""

    def invalidate_cache(self) -> None: ...
    def ls(self, path: str, detail: bool) -> list[dict[str, object]]: ...
    def cat_file(self, path: str) -> bytes: ...


@dataclass(slots=True)
class _File:
    """How far one file was read, and what stood there."""

    sign: object = None  # size, time and number of the file: unchanged, it is not opened
    inode: int = 0
    offset: int = 0
    lines: int = 0
    start: Start | None = None
    last: Sample | None = None
    faults: tuple[str, ...] = ()

    def written(self) -> Written | None:
        return Written(start=self.start, last=self.last, faults=self.faults) if self.start else None


class Follower:
    """What the writers of a folder have left, of one job or of all; :meth:`look` again and again.

    ``node``: of one node of the job alone.

    >>> import tempfile
    >>> Follower(tempfile.mkdtemp(), job="none").look()
    []
    """

    def __init__(
        self, folder: str | os.PathLike[str], *, job: str | None = None, node: int | None = None
    ) -> None:
        self.folder, self.job = os.fspath(folder), job
        self._prefix = f"{job_hash(job)}-" if job else ""
        if job and node is not None:
            self._prefix += f"n{node}-"
        self._files: dict[str, _File] = {}
        self._found: list[Written] = []

    def look(self) -> list[Written]:
        """All writers by now, in the order of time.

        Raises:
            OSError: the folder cannot be listed.
        """
        listed = self._listed_objects() if "://" in self.folder else self._listed_files()
        changed = False
        for name, sign in listed:
            if not (name.startswith(self._prefix) and name.endswith(".jsonl")):
                continue
            known = self._files.get(name) or _File()
            if sign is not None and known.sign == sign:
                continue
            try:
                self._read(name, known)
            except OSError:  # listed and gone, or not there yet: NFS
                continue
            known.sign, changed = sign, True
            self._files[name] = known
        if changed:
            self._found = self._joined()
        return self._found

    def _joined(self) -> list[Written]:
        by_writer: dict[tuple[str, str], Written] = {}
        for file in self._files.values():
            found = file.written()
            if found is None or (self.job and found.start.job != self.job):
                continue
            key = (found.start.job, found.start.writer)
            by_writer[key] = _joined(by_writer[key], found) if key in by_writer else found
        return sorted(by_writer.values(), key=lambda w: (w.start.job, w.start.time, w.start.writer))

    # --- files ------------------------------------------------------------------------------------

    def _listed_files(self) -> Iterator[tuple[str, object]]:
        with os.scandir(self.folder) as entries:
            for entry in sorted(entries, key=lambda entry: entry.name):
                try:
                    stat = entry.stat()
                except OSError:
                    continue
                yield entry.name, (stat.st_size, stat.st_mtime_ns, stat.st_ino)

    def _read(self, name: str, known: _File) -> None:
        if "://" in self.folder:
            _reset(known)
            self._take(name, known, self._object(name), whole=True)
            return
        with Path(self.folder, name).open("rb") as file:
            stat = os.fstat(file.fileno())
            if known.offset:
                file.seek(known.offset - 1)
            same = stat.st_ino == known.inode and stat.st_size >= known.offset
            if not same or (known.offset and file.read(1) != b"\n"):  # folded, or another's
                _reset(known)
                known.inode = stat.st_ino
            if stat.st_size - known.offset > 2 * _PIECE:
                file.seek(known.offset)
                self._take(name, known, file.read(_PIECE), whole=False)
                known.offset = stat.st_size - _PIECE
                file.seek(known.offset)
                torn = file.readline()
                known.offset += len(torn)
            file.seek(known.offset)
            self._take(name, known, file.read(), whole=True)

    def _take(self, name: str, known: _File, data: bytes, *, whole: bool) -> None:
        """The last start and the last sample of new bytes; lines that are torn are named.

        ``whole``: to the end of the file, so that a last line may be unfinished, or may lack
        nothing but its end.
        """
        *lines, rest = data.split(b"\n")
        known.offset += len(data) - len(rest)
        first, known.lines = known.lines, known.lines + len(lines)
        faults = [
            f"{name}: line {first + number} cannot be read"
            for number, line in enumerate(lines, 1)
            if line.strip() and not _sound(line)
        ]
        known.faults = (*known.faults, *faults)[:_FAULTS]
        candidates = [*lines, rest] if whole else lines
        known.start = next(_from_the_end(candidates, Start), known.start)
        # The farthest of the last two: a straggler may stand behind the end.
        newest = islice(_from_the_end(candidates, Sample), 2)
        last = max(newest, key=lambda sample: sample.elapsed, default=None)
        if last is not None and (known.last is None or last.elapsed >= known.last.elapsed):
            known.last = last

    # --- objects ----------------------------------------------------------------------------------

    def _system(self) -> tuple[_Store, str]:
        try:
            import fsspec

            system, path = fsspec.core.url_to_fs(self.folder)
        except (ValueError, ImportError) as error:  # no such protocol, or its package is not there
            raise OSError(str(error)) from None
        return system, str(path).rstrip("/")

    def _listed_objects(self) -> Iterator[tuple[str, object]]:
        system, path = self._system()
        system.invalidate_cache()
        for item in system.ls(path, detail=True):
            marks = [item[key] for key in _MARKS if item.get(key)]
            sign = (item.get("size"), *map(str, marks)) if marks else None
            yield str(item["name"]).rpartition("/")[2], sign

    def _object(self, name: str) -> bytes:
        system, path = self._system()
        return bytes(system.cat_file(f"{path}/{name}"))


_FAULTS = 10  # lines of one file that are named
_MARKS = ("ETag", "etag", "mtime", "LastModified", "last_modified", "updated", "created")


def read(folder: str | os.PathLike[str], *, job: str | None = None) -> list[Written]:
    """What every writer of a folder has left, of one job or of all; the order is by time.

    Raises:
        OSError: the folder cannot be listed.
    """
    return Follower(folder, job=job).look()


def _reset(known: _File) -> None:
    """The file is to be read from its beginning; who wrote it, and how far it was, holds."""
    known.offset, known.lines, known.faults = 0, 0, ()


def _sound(line: bytes) -> bool:
    """Whether a line looks like one of ours that is whole; a cheap look at lines passed over."""
    return len(line) <= MAX_LINE and line.startswith(b"{") and line.rstrip().endswith(b"}")


def _from_the_end(lines: list[bytes], wanted: type[R]) -> Iterator[R]:
    """The whole records of a kind, the last first."""
    for line in reversed(lines):
        looks = is_sample(line) if wanted is Sample else line.startswith(b'{"kind":"start"')
        if looks or (_sound(line) and not line.startswith(b'{"kind":"')):
            record = _record(line)
            if isinstance(record, wanted):
                yield record


def _record(line: bytes) -> Record | None:
    if not line.strip() or len(line) > MAX_LINE:
        return None
    try:
        data = json.loads(line)
        return from_line(data) if isinstance(data, dict) else None
    except (ValueError, RecursionError):
        return None


def _joined(a: Written, b: Written) -> Written:
    """Two files of one writer, from before and after an earlier version began a new file."""
    early, late = sorted((a, b), key=lambda w: w.last.elapsed if w.last else -1.0)
    return replace(late, last=late.last or early.last, faults=a.faults + b.faults)
