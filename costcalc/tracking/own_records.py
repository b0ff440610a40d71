"""The records of a job as one of its processes writes and sees them; no disk is waited for long."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from costcalc.tracking import ledger
from costcalc.tracking.aside import Aside
from costcalc.tracking.follow import Follower
from costcalc.tracking.jobs import UNNAMED, unfinished
from costcalc.tracking.ledger import Written
from costcalc.tracking.records import Attempt, Place, Sample, Start
from costcalc.tracking.trainings import seen_by

_STAGGER = 60.0  # seconds that a rank may have begun before this one, in one launch
_WAIT = 2.0  # seconds that a look at the others may take; then what was seen last is taken


class OwnRecords:
    """What this process leaves in the ledger, and what the others have left there.

    Used by the tracker's thread alone; what touches the folder is done aside.
    """

    def __init__(self, folder: str | None, start: Start, note: Callable[[str], None]) -> None:
        self.start, self.own = start, Written(start=start)
        self.cpu = 0.0  # seconds of a core that reading has taken
        self._folder, self._note = folder, note
        self._disk = Aside("costcalc-disk")
        self._others: Sequence[Written] = ()
        self._open()

    def _open(self) -> None:
        self._writer = ledger.Writer(self._folder, self.start) if self._folder else None
        # Only the first rank looks at all nodes; the others at what their own has left.
        all_nodes = self.start.place.rank == 0
        node = None if all_nodes else self.start.place.node
        self._follower = (
            Follower(self._folder, job=self.start.job, node=node) if self._folder else None
        )

    def change(self, **changes: object) -> None:
        """Say more of who writes; the ledger has it with the next :meth:`append`."""
        self.start = replace(self.start, **changes)  # type: ignore[arg-type]
        self.own = replace(self.own, start=self.start)

    def append(self, record: Start | Sample) -> None:
        """Into the ledger; a disk that is full or gone is noted, and tried again with the next."""
        if isinstance(record, Sample):
            self.own = Written(start=self.start, last=record)
        if self._writer is None:
            return
        writer, kind = self._writer, "start" if isinstance(record, Start) else "sample"
        self._disk.do(kind, lambda: self._write(writer, record))

    def _write(self, writer: ledger.Writer, record: Start | Sample) -> None:
        try:
            writer.append(record)
        except Exception as error:  # noqa: BLE001  (an object store raises what it likes)
            said = getattr(error, "strerror", None) or error
            self._note(f"the ledger cannot be written: {said}")

    def rename(self, place: Place) -> None:
        """Go on under another name of the job or rank; the file of the old name is ours to move."""
        old = self._writer
        self.change(place=place, job=place.job)
        self._open()
        self.append(self.start)
        if old is not None:
            self._disk.do("remove", old.remove)

    def adopt(self, earlier: Sequence[Attempt]) -> None:
        """Attempts that a checkpoint brought."""
        known = {item.id for item in self.start.earlier}
        new = tuple(item for item in earlier if item.id not in known)
        if new:
            self.change(earlier=(*self.start.earlier, *new))
            self.append(self.start)

    def all(self) -> list[Written]:
        """What all writers of the job have left by now, and our own newest, which stands last."""
        if self._follower is not None:
            self._disk.do("look", self._look)
            hangs = self._disk.taken > _WAIT  # it was waited for already
            if hangs or not self._disk.wait(_WAIT):
                self._note("the ledger does not answer: what others have left is as of before")
        own = self.own.start.writer
        others = (w for w in self._others if w.start.writer != own)
        return [*seen_by(self.start.training, list(others)), self.own]

    def wait_for_last_words(self, seconds: float) -> None:
        """Until the other ranks of this launch have ended too, so long at most."""
        until = time.monotonic() + (seconds if self._folder else 0.0)
        while time.monotonic() < until:
            running = [w for w in self.all() if w.last is None or w.last.status == "running"]
            ranks = (w.start.time for w in running if not w.start.wrapper)
            if not any(time >= self.start.time - _STAGGER for time in ranks):
                return
            time.sleep(0.2)

    def _look(self) -> None:
        before = time.thread_time()
        try:
            if self._follower is not None:
                self._others = self._follower.look()
        except Exception as error:  # noqa: BLE001  (an object store raises what it likes)
            self._note(f"the ledger cannot be read: {getattr(error, 'strerror', None) or error}")
        self.cpu += time.thread_time() - before

    def apart(self, what: str, task: Callable[[], object]) -> bool:
        """Do something else with the folder; whether it was done in time."""
        self._disk.do(what, task)
        return self._disk.wait(_WAIT)

    def look_for_unfinished(self) -> None:
        """Note that an earlier attempt may lie here, which nobody can tell to be this job's."""
        start = self.start
        if self._folder is None or start.place.rank or not start.job.startswith(UNNAMED):
            return
        try:
            said = unfinished(self._folder, start)
        except Exception:  # noqa: BLE001  (a look at the others says it)
            return
        if said:
            self._note(said)

    def settle(self, seconds: float) -> bool:
        """Wait for the disk, so long at most; whether all is on it."""
        return self._disk.wait(seconds)
