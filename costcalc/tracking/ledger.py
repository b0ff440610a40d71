"""The ledger of a job: a folder in which every writer has a file of its own.

No locks, so that NFS serves; a file is only ever appended to, a line an interval, and every line
tells all that came before it.  An fsspec URL (``s3://…``, needs fsspec) holds one object a writer,
replaced whole.  Reading tolerates what a kill, a full disk or a stale listing leaves behind.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from costcalc.tracking.records import Record, Sample, Start, from_line, to_line

ROTATE = 16 * 2**20  # bytes: a file that old and long is left alone, and a new one begun
MAX_LINE = 2**20  # a longer line is none of ours


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

    def __init__(self, folder: str | os.PathLike[str], start: Start, *, rotate: int = ROTATE):
        self.folder, self.start, self._rotate = os.fspath(folder), start, rotate
        node = "x" if start.place.node is None else start.place.node
        self._stem = f"{job_hash(start.job)}-n{node}-r{start.place.rank}-{start.writer}"
        self._part, self._size, self._torn, self._begun = 0, 0, False, False

    @property
    def name(self) -> str:
        """The name of the file that is written now."""
        return f"{self._stem}{f'.{self._part}' if self._part else ''}.jsonl"

    def append(self, record: Record) -> None:
        """Write one line and see it on the disk."""
        if isinstance(record, Start):
            self.start = record
        if "://" in self.folder:
            self._put(record)
            return
        if self._size > self._rotate:
            self._part, self._size, self._begun = self._part + 1, 0, False
        first = [] if self._begun or isinstance(record, Start) else [self.start]
        self._append(b"".join(_encoded(item) for item in (*first, record)))
        self._begun = True

    def remove(self) -> None:
        """Take away what was written: it goes on under another name."""
        if "://" not in self.folder:
            for path in Path(self.folder).glob(f"{self._stem}*.jsonl"):
                path.unlink(missing_ok=True)

    def _append(self, data: bytes) -> None:
        path = Path(self.folder, self.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("ab") as file:
            torn, self._torn = self._torn, True  # until the whole line is on the disk
            file.write(b"\n" + data if torn else data)
            file.flush()
            os.fsync(file.fileno())
            self._torn = False
            self._size = file.tell()

    def _put(self, record: Record) -> None:
        """An object store cannot append: the object is who writes, and how far it has got."""
        import fsspec

        first = [] if isinstance(record, Start) else [self.start]
        data = b"".join(_encoded(item) for item in (*first, record))
        system, path = fsspec.core.url_to_fs(self.folder)
        system.makedirs(path, exist_ok=True)
        system.pipe_file(f"{path.rstrip('/')}/{self.name}", data)


def _encoded(record: Record) -> bytes:
    text = json.dumps(to_line(record), ensure_ascii=False, separators=(",", ":"), default=str)
    return text.encode("utf-8", "replace") + b"\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What one writer has left: who it was, and the farthest that it got (None: no sample yet)."""

    start: Start
    last: Sample | None = None
    faults: tuple[str, ...] = ()

    def to_lines(self) -> list[dict[str, object]]:
        """As a checkpoint carries it."""
        return [to_line(item) for item in (self.start, self.last) if item is not None]

    @classmethod
    def from_lines(cls, lines: Sequence[Mapping[str, object]]) -> Written:
        """As a checkpoint carried it.

        Raises:
            ValueError: it is not a start, and a sample if any.
        """
        start, *rest = [from_line(line) for line in lines]
        last = rest[0] if rest else None
        if not isinstance(start, Start) or not (last is None or isinstance(last, Sample)):
            raise ValueError("expected a start and a sample")
        return cls(start=start, last=last)


def read(folder: str | os.PathLike[str], *, job: str | None = None) -> list[Written]:
    """What every writer of a folder has left, of one job or of all; the order is by time.

    Raises:
        OSError: the folder cannot be listed.
    """
    prefix = f"{job_hash(job)}-" if job else ""
    by_writer: dict[str, Written] = {}
    for name, data in _files(os.fspath(folder), prefix):
        found = _written(name, data)
        if found is None or (job and found.start.job != job):
            continue
        key = f"{found.start.job}/{found.start.writer}"
        by_writer[key] = _joined(by_writer[key], found) if key in by_writer else found
    return sorted(by_writer.values(), key=lambda w: (w.start.job, w.start.time, w.start.writer))


def _files(folder: str, prefix: str) -> Iterator[tuple[str, bytes]]:
    for name in sorted(_listed(folder)):
        if name.startswith(prefix) and name.endswith(".jsonl"):
            try:
                yield name, _bytes(folder, name)
            except OSError:  # listed and gone, or not there yet: NFS
                continue


def _listed(folder: str) -> Iterable[str]:
    if "://" not in folder:
        return os.listdir(folder)  # noqa: PTH208  (Path.iterdir would build paths of all)
    import fsspec

    system, path = fsspec.core.url_to_fs(folder)
    return [item.rpartition("/")[2] for item in system.ls(path, detail=False)]


def _bytes(folder: str, name: str) -> bytes:
    if "://" not in folder:
        return Path(folder, name).read_bytes()
    import fsspec

    system, path = fsspec.core.url_to_fs(folder)
    return bytes(system.cat_file(f"{path.rstrip('/')}/{name}"))


def _written(name: str, data: bytes) -> Written | None:
    """The last start and the farthest sample of a file; lines that are torn are named."""
    start: Start | None = None
    last: Sample | None = None
    faults = []
    lines = data.split(b"\n")
    for number, line in enumerate(lines, 1):
        record = _record(line)
        if isinstance(record, Start):
            start = record
        elif isinstance(record, Sample):
            last = record if last is None or record.elapsed >= last.elapsed else last
        elif line.strip() and number < len(lines):  # the last, unfinished, is no fault
            faults.append(f"{name}: line {number} cannot be read")
    return Written(start=start, last=last, faults=tuple(faults)) if start else None


def _record(line: bytes) -> Record | None:
    if not line.strip() or len(line) > MAX_LINE:
        return None
    try:
        data = json.loads(line)
        return from_line(data) if isinstance(data, dict) else None
    except (ValueError, RecursionError):
        return None


def _joined(a: Written, b: Written) -> Written:
    """Two files of one writer, from before and after a rotation."""
    early, late = sorted((a, b), key=lambda w: w.last.elapsed if w.last else -1.0)
    return Written(start=late.start, last=late.last or early.last, faults=a.faults + b.faults)
