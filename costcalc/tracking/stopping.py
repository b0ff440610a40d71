"""Stopping a job at a limit: all its processes after the same step, or none.

A rank that leaves the loop alone would let the others wait for it for ever.  Rank 0 therefore names
a step far enough ahead, in a file beside the ledger; the others read it once an interval.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from math import ceil
from pathlib import Path
from time import monotonic

from costcalc.tracking.ledger import job_hash
from costcalc.tracking.records import Start

_AHEAD = 60.0  # seconds: as long as an NFS client may keep what it knows of a folder (acdirmax)


class Stopping:
    """Whether a process is to stop, and after which of its steps."""

    def __init__(self, folder: str | None, start: Start, *, enabled: bool) -> None:
        self._enabled, self._start = enabled, start
        self._path: Path | None = None
        if folder and "://" not in folder:
            self._path = Path(folder, f"{job_hash(start.job)}.stop")
        self._at: int | None = None
        self._since: float | None = None  # by the disk's clock, when this launch began

    def stops(self, steps: int) -> bool:
        """Whether that was the last step."""
        return self._at is not None and steps >= self._at

    def forget(self) -> None:
        """Rank 0, as it begins: an order of an earlier launch is none, and when this one began.

        The times of files are those of the disk's one clock: an order that is older than what this
        process has written is of an earlier launch, whatever the clocks of the nodes say.
        """
        if self._path is None:
            return
        with suppress(OSError):
            if self._start.place.rank == 0:
                self._path.unlink(missing_ok=True)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            mark = self._path.with_name(f".{self._start.writer}.begun")
            mark.write_bytes(b"")
            self._since = mark.stat().st_mtime
            mark.unlink()

    def order(self, steps: int, elapsed: float, *, everyone: bool, pace: float = 0.0) -> str:
        """Rank 0: have the job stop; what is done about it, in words.

        ``everyone``: all ranks of this launch have been seen in the ledger; ``pace``: steps a
        second at the most, where loading took part of the ``elapsed`` seconds.
        """
        if not self._enabled:
            return "a limit is passed; on_limit is warn: the job goes on"
        if self._at is not None:
            return f"a limit is passed: the job stops after step {self._at}"
        if self._start.place.world == 1:
            self._at = steps
            return f"a limit is passed: the job stops after step {steps + 1}"
        if self._path is None or not everyone:
            return (
                "a limit is passed, but not all ranks share a ledger: stopping some would hang "
                "the others, so the job goes on; give ledger=, a folder that all see"
            )
        if not steps:
            return "a limit is passed: the job stops once its first steps have shown its pace"
        told = float(os.environ.get("COSTCALC_STOP_AHEAD", _AHEAD))
        ahead = max(told, 3 * self._start.interval)
        at = steps + ceil(max(steps / max(elapsed, 1.0), pace) * ahead) + 1
        return self._announce(self._path, at, ahead)

    def _announce(self, path: Path, at: int, ahead: float) -> str:
        """Write the step down, so that the others can read of it ``ahead`` seconds before."""
        beside, began = path.with_suffix(".stop.tmp"), monotonic()
        beside.write_text(json.dumps({"step": at}), encoding="ascii")
        if monotonic() - began > ahead / 2:  # a slow disk: that step is near, or past
            return "a limit is passed, but the ledger's disk is too slow to tell all ranks in time"
        beside.replace(path)
        self._at = at
        return f"a limit is passed: the job stops after step {at}"

    def follow(self) -> None:
        """The other ranks: read what rank 0 has ordered in this attempt."""
        if not self._enabled or self._path is None or self._at is not None:
            return
        with suppress(OSError, ValueError, KeyError, TypeError):
            if self._since is None or self._path.stat().st_mtime < self._since:
                return  # what an earlier launch was told
            self._at = int(json.loads(self._path.read_text(encoding="ascii"))["step"])
