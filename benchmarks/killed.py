# ruff: noqa: E402  (paths come first)
"""Eight ranks killed with signal 9 at a random moment, many times: how far behind is what is left?

Each rank leaves the moment of each step in shared memory; the double of NVML counts by the clock of
the machine, so that what was drawn until the kill is known.  Losses are in seconds: how long before
the kill the first step, the first tokens and the first joules were that the merged report lacks.
``python benchmarks/killed.py [TIMES] [INTERVAL] [FOLDER]``
"""

from __future__ import annotations

import mmap
import os
import random
import signal
import statistics
import struct
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests" / "tracking")]

import nvml

import costcalc.tracking.tracker
from costcalc.tracking import host_model, metering, monitor, plan
from costcalc.tracking.follow import read
from costcalc.tracking.merge import totals
from costcalc.tracking.options import LEDGER

RANKS, TOKENS, WATTS, STEP = 8, 100.0, 500.0, 0.02
_CELL = struct.Struct("d")  # of a rank: when it began, then when each of its steps was done
_MOST = 8192  # steps of a rank


@dataclass(frozen=True, slots=True)
class Lost:
    """Seconds that what is left is behind, by what is counted; ranks that left something."""

    seconds: float
    steps: float
    tokens: float
    joules: float
    ranks: int

    def __str__(self) -> str:
        """A line of the output."""
        return (
            f"kill {self.seconds:.4f} {self.steps:.4f} {self.tokens:.4f} {self.joules:.4f} "
            f"{self.ranks}"
        )

    @classmethod
    def read(cls, line: str) -> Lost:
        """Of a line of the output."""
        *seconds, ranks = line.split()[1:]
        return cls(*map(float, seconds), int(ranks))


def rank(number: int, job: str, folder: str, interval: float, truth: mmap.mmap) -> None:
    """One rank: steps until it is killed."""
    os.environ |= {
        "RANK": str(number),
        "LOCAL_RANK": str(number),
        "WORLD_SIZE": str(RANKS),
        "LOCAL_WORLD_SIZE": str(RANKS),
        "COSTCALC_JOB": job,
        LEDGER: folder,
    }
    tempfile.tempdir = folder  # no other job of this machine is a neighbour
    began = time.monotonic()
    tracker = costcalc.tracking.tracker.track(progress=False, interval=interval).start()
    base = number * (_MOST + 1)
    _CELL.pack_into(truth, base * _CELL.size, began)
    for step in range(1, _MOST + 1):
        time.sleep(STEP)
        tracker.step(tokens=TOKENS)
        _CELL.pack_into(truth, (base + step) * _CELL.size, time.monotonic())


def _moments(truth: mmap.mmap) -> list[list[float]]:
    """Of each rank when it began, and when each of its steps was done."""
    found = [cell for (cell,) in _CELL.iter_unpack(truth[:])]
    ranks = (found[number * (_MOST + 1) :][: _MOST + 1] for number in range(RANKS))
    return [[moment for moment in rank if moment] for rank in ranks]


def _behind(moments: Sequence[float], counted: float, until: float) -> float:
    """How long before the end the first was of what was done and not ``counted``."""
    first = sorted(moments)[round(counted) :]
    return until - first[0] if first else 0.0


def once(job: str, folder: str, interval: float, after: float) -> Lost:
    """Begin eight ranks, kill all of them, and compare what is left with the truth."""
    truth = mmap.mmap(-1, RANKS * (_MOST + 1) * _CELL.size)
    children = []
    for number in range(RANKS):
        child = os.fork()
        if child == 0:
            try:
                rank(number, job, folder, interval, truth)
            finally:
                os._exit(1)
        children.append(child)
    until = time.monotonic() + 60  # a busy machine begins late
    while time.monotonic() < until and min(map(len, _moments(truth))) < 2:
        time.sleep(0.01)
    time.sleep(after)
    for child in children:
        os.kill(child, signal.SIGKILL)
    killed = time.monotonic()
    for child in children:
        os.waitpid(child, 0)
    moments = _moments(truth)
    whole = totals(read(folder, job=job))
    (attempt,) = whole.attempts
    lived = killed - min(began for began, *_ in moments)
    # as a report has it: with the seconds before the meters began, at the mean power of the rest
    joules = (whole.joules("device") or 0.0) + (whole.device_watts or 0.0) * whole.unseen
    farthest = max((steps for _, *steps in moments), key=len)
    each = [moment for _, *steps in moments for moment in steps]
    return Lost(
        seconds=lived - attempt.elapsed,
        steps=_behind(farthest, attempt.counts.steps, killed),
        tokens=_behind(each, (attempt.counts.tokens or 0.0) / TOKENS, killed),
        joules=lived - joules / (RANKS * WATTS),
        ranks=attempt.writers,
    )


def main(times: int = 200, interval: float = 0.5, folder: str | None = None) -> None:
    """Print what each kill lost, and what the worst and the middle of them did."""
    loaded = (metering, monitor, plan)  # before the ranks begin: they are many and the cores few
    assert all(loaded)
    nvml.install(RANKS, watts=WATTS, clock=time.monotonic)
    host_model.asked = dict  # CodeCarbon's second of a core a rank is not what is measured
    chance = random.Random(0)
    found = []
    with tempfile.TemporaryDirectory(dir=folder) as records:
        for number in range(times):
            after = 3 * interval + chance.uniform(0.0, 4 * interval)
            found.append(once(f"kill {number}", records, interval, after))
            print(found[-1], flush=True)
    for name in ("seconds", "steps", "tokens", "joules"):
        behind = [getattr(each, name) / interval for each in found]
        worst, middle = max(behind), statistics.median(behind)
        print(f"{name}: {worst:.2f} of an interval behind at the most, {middle:.2f} in the median")


if __name__ == "__main__":
    given = sys.argv[1:]
    main(
        int(given[0]) if given else 200,
        float(given[1]) if len(given) > 1 else 0.5,
        given[2] if len(given) > 2 else None,
    )
