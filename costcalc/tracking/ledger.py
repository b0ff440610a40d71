"""The ledger of a job: a folder in which every writer has a file of its own.

No locks, so that NFS serves; a line an interval, and every line tells all that came before it, so a
file that has grown is folded: every other of its older lines is dropped.  An fsspec URL
(``s3://…``, needs fsspec) holds one object a writer, replaced whole.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from costcalc.tracking.records import Record, Sample, Start, from_line, to_line

FOLD = 64 * 2**10  # bytes: a longer file is folded to half; eight ranks keep half a megabyte


def job_hash(job: str) -> str:
    """The job's name as file names carry it.

    >>> job_hash("slurm:42")
    'e124ffbd5a'
    """
    return hashlib.sha256(job.encode()).hexdigest()[:10]


class Writer:
    """Appends the records of one writer; called by one thread only, which may wait for a disk.

    Raises nothing of its own: :class:`OSError` passes, and a later call tries again.
    """

    def __init__(self, folder: str | os.PathLike[str], start: Start, *, fold: int = FOLD):
        self.folder, self.start, self._fold_at = os.fspath(folder), start, fold
        node = "x" if start.place.node is None else start.place.node
        self.name = f"{job_hash(start.job)}-n{node}-r{start.place.rank}-{start.writer}.jsonl"
        self._torn, self._begun = False, False

    def append(self, record: Record) -> None:
        """Write one line and see it on the disk."""
        if isinstance(record, Start):
            self.start = record
        if "://" in self.folder:
            self._put(record)
            return
        first = [] if self._begun or isinstance(record, Start) else [self.start]
        size = self._append(b"".join(encoded(item) for item in (*first, record)))
        self._begun = True
        if size and size > self._fold_at:
            self._fold()

    def remove(self) -> None:
        """Take away what was written: it goes on under another name."""
        if "://" not in self.folder:
            Path(self.folder, self.name).unlink(missing_ok=True)

    def _append(self, data: bytes) -> int:
        path = Path(self.folder, self.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            torn, self._torn = self._torn, True  # until the whole line is on the disk
            file.write(b"\n" + data if torn else data)
            file.flush()
            os.fsync(file.fileno())
            self._torn = False
            return file.tell()

    def _fold(self) -> None:
        """Write the file anew with the newest start, and half of its samples, down to the last."""
        path = Path(self.folder, self.name)
        lines = [line for line in path.read_bytes().split(b"\n") if is_sample(line)]
        first = encoded(self.start)
        while len(lines) > 1 and len(first) + sum(map(len, lines)) > self._fold_at / 2:
            lines = lines[-1::-2][::-1]
        beside = path.with_suffix(".tmp")
        try:
            with beside.open("wb") as file:
                file.write(first + b"".join(line + b"\n" for line in lines))
                file.flush()
                os.fsync(file.fileno())
            beside.replace(path)
        except OSError:  # a full disk: the file is whole as it is, and folded another time
            with suppress(OSError):
                beside.unlink(missing_ok=True)

    def _put(self, record: Record) -> None:
        """An object store cannot append: the object is who writes, and how far it has got."""
        import fsspec

        first = [] if isinstance(record, Start) else [self.start]
        data = b"".join(encoded(item) for item in (*first, record))
        system, path = fsspec.core.url_to_fs(self.folder)
        system.makedirs(path, exist_ok=True)
        system.pipe_file(f"{path.rstrip('/')}/{self.name}", data)


def encoded(record: Record) -> bytes:
    """The line of a record."""
    text = json.dumps(to_line(record), ensure_ascii=False, separators=(",", ":"), default=str)
    return text.encode("utf-8", "replace") + b"\n"


def is_sample(line: bytes) -> bool:
    """Whether a whole line is a sample or an end, by its looks."""
    return line.startswith((b'{"kind":"sample"', b'{"kind":"end"')) and line.endswith(b"}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one writer has left: who it was, and the farthest that it got (None: no sample yet)."""

    start: Start
    last: Sample | None = None
    faults: tuple[str, ...] = ()

    @classmethod
    def from_lines(cls, lines: Sequence[Mapping[str, object]]) -> Written:
        """As checkpoints of earlier versions carried it.

        Raises:
            ValueError: it is not a start, and a sample if any.
        """
        start, *rest = [from_line(line) for line in lines]
        last = rest[0] if rest else None
        if not isinstance(start, Start) or not (last is None or isinstance(last, Sample)):
            raise ValueError("expected a start and a sample")
        return cls(start=start, last=last)
