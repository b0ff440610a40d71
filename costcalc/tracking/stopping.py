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

    def stops(self, steps: int) -> bool:
        """Whether that was the last step."""
        return self._at is not None and steps >= self._at

    def order(self, steps: int, elapsed: float, *, everyone: bool) -> str:
        """Rank 0: have the job stop; what is done about it, in words.

        ``everyone``: all ranks have been seen in the ledger.
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
        told = float(os.environ.get("COSTCALC_STOP_AHEAD", _AHEAD))
        ahead = max(told, 3 * self._start.interval)
        at = steps + ceil(steps / max(elapsed, 1.0) * ahead) + 1 if steps else 0
        data = {"step": at, "began": self._start.time}
        beside = self._path.with_suffix(".stop.tmp")
        beside.write_text(json.dumps(data), encoding="ascii")
        beside.replace(self._path)
        self._at = at
        return f"a limit is passed: the job stops after step {at}"

    def follow(self) -> None:
        """The other ranks: read what rank 0 has ordered in this attempt."""
        if not self._enabled or self._path is None or self._at is not None:
            return
        with suppress(OSError, ValueError, KeyError, TypeError):
            data = json.loads(self._path.read_text(encoding="ascii"))
            if data["began"] >= self._start.time - 600.0:  # not what an earlier attempt was told
                self._at = int(data["step"])
