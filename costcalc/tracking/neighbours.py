"""Jobs on one node that know of each other: they never claim more of it than there is."""

from __future__ import annotations

import functools
import json
import os
import tempfile
import threading
import uuid
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from math import prod
from pathlib import Path

from costcalc.tracking.detect import HostShare
from costcalc.tracking.ledger import job_hash

_NONE = "x"  # of a job that is no training of several


@dataclass(slots=True)
class _Job:
    """What another job says of itself: cores it may use, devices it holds, those it computes on."""

    cores: set[int] = field(default_factory=set)
    devices: set[str] = field(default_factory=set)
    uses: set[str] = field(default_factory=set)


class Neighbours:
    """What of a node is this job's: a core that several jobs may use is split evenly.

    Each leaves a small file in a folder of the node and holds a lock on it, which the kernel takes
    away with the process, however it ends and whatever its namespaces.  Best effort: without the
    folder a job counts alone.  Several trainings of one wrapper are neighbours of each other, not
    of the wrapper, which has all that they have; nor are trackers within one process, one of which
    is around the other.
    """

    def __init__(
        self,
        job: str,
        boot: str,
        found: HostShare,
        *,
        training: str = "",
        folder: Path | None = None,
    ) -> None:
        self._own, self._host, self._mine = job_hash(job), found, _Job(set(found.cores))
        self._training = job_hash(training) if training else _NONE
        self._folder: Path | None = None
        with suppress(OSError):  # no temporary folder
            self._folder = (folder or Path(tempfile.gettempdir())) / f"costcalc-{job_hash(boot)}"
        self._sign: Path | None = None
        self._held = -1  # the descriptor that holds the lock
        self._written = 0  # bytes of the sign
        self._process = process()
        self._writing = threading.Lock()

    def share(self) -> float:
        """The job's share of its host now; a sign of life is left."""
        host_, others = self._host, self._others()
        if not any(others):
            return host_.share
        each = sum(
            1.0 / prod(1 + sum(core in job.cores for job in jobs) for jobs in others)
            for core in host_.cores
        )
        return min(each * host_.allotted / max(len(host_.cores), 1) / host_.all_cores, host_.share)

    def split(self) -> tuple[float, float]:
        """The job's share of its host now, and what neighbours take of the cores it may use."""
        share = self.share()
        return share, max(self._host.share - share, 0.0)

    def holds(self, uuids: Iterable[str]) -> None:
        """The devices that the job may use."""
        self._tell(self._mine.devices, set(uuids))

    def uses(self, uuid: str) -> None:
        """A process of the job computes on a device."""
        self._tell(self._mine.uses, {uuid})

    def _tell(self, known: set[str], new: set[str]) -> None:
        if not new <= known:
            known |= new
            with suppress(OSError):
                if self._sign is not None:
                    self._write()

    def device_share(self, uuid: str) -> float:
        """The job's share of a device of which nobody says what each process does.

        Jobs that are seen to compute on it have it in equal parts, else those that hold it.
        """
        return prod(self._part(uuid, jobs) for jobs in self._others())

    def _part(self, uuid: str, others: Sequence[_Job]) -> float:
        users = sum(uuid in job.uses for job in others)
        if uuid in self._mine.uses:
            return 1.0 / (1 + users)
        return 0.0 if users else 1.0 / (1 + sum(uuid in job.devices for job in others))

    def _others(self) -> tuple[list[_Job], list[_Job]]:
        """The other jobs of the node that live, and the other trainings of ours.

        Our own sign is left meanwhile.
        """
        if self._folder is None:
            return [], []
        try:
            if self._sign is None:
                self._sign = self._signed(self._folder)
            return self._living(self._folder)
        except OSError:
            return [], []

    def _signed(self, folder: Path) -> Path:
        """A file of our own, locked as long as we live."""
        folder.mkdir(mode=0o1777, exist_ok=True)
        with suppress(OSError):
            folder.chmod(0o1777)  # other users' jobs too
        name = f"{self._own}-{self._training}-{os.getpid()}-{id(self):x}"
        beside = folder / f"{name}.new"
        self._held = os.open(beside, os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            _lock(self._held)
            self._write()
            return beside.rename(folder / f"{name}.json")  # seen once it is locked and whole
        except OSError:  # a full disk: tried again with each reading
            self._let_go()
            beside.unlink(missing_ok=True)
            raise

    def _write(self) -> None:
        """What we say of ourselves, in one go: it only grows, so that no reader sees two halves."""
        mine = self._mine
        said = {name: sorted(getattr(mine, name)) for name in ("cores", "devices", "uses")}
        data = json.dumps({"process": self._process, **said}).encode().ljust(self._written)
        with self._writing:
            if self._held < 0:  # left meanwhile, by another thread
                return
            os.lseek(self._held, 0, os.SEEK_SET)
            self._written = max(self._written, os.write(self._held, data))

    def _living(self, folder: Path) -> tuple[list[_Job], list[_Job]]:
        jobs, trainings = dict[str, _Job](), dict[str, _Job]()
        for path in folder.glob("*.json"):
            name, training = [*path.name.split("-"), ""][:2]
            ours = name == self._own
            if ours and (training == self._training or _NONE in (self._training, training)):
                continue
            with suppress(OSError, ValueError, KeyError, TypeError):
                with path.open(encoding="ascii") as sign:
                    lives, data = not _lock(sign.fileno()), json.load(sign)
                if not lives:
                    path.unlink(missing_ok=True)
                    continue
                if data.get("process") == self._process:
                    continue
                job = (trainings if ours else jobs).setdefault(training if ours else name, _Job())
                job.cores |= {int(core) for core in data["cores"]}
                job.devices |= set(data.get("devices", ()))
                job.uses |= set(data.get("uses", ()))
        return list(jobs.values()), list(trainings.values())

    def leave(self) -> None:
        """Take the sign away; the last one takes the folder too."""
        if self._sign is None or self._folder is None:
            return
        sign, self._sign = self._sign, None
        with suppress(OSError):
            sign.unlink(missing_ok=True)
        self._let_go()
        with suppress(OSError):
            self._folder.rmdir()

    def _let_go(self) -> None:
        """Close the descriptor; nobody writes then to what has its number next."""
        with self._writing:
            held, self._held = self._held, -1
            os.close(held)


def process() -> str:
    """What tells this process from all others, whatever their namespaces."""
    return _named(os.getpid())


@functools.cache
def _named(_: int) -> str:
    return uuid.uuid4().hex  # a fork's is another


def _lock(sign: int) -> bool:
    """Lock a file for oneself; whether nobody else holds it."""
    try:
        import fcntl

        fcntl.flock(sign, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True
