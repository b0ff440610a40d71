"""What a tracker costs the loop that it measures: ratios against the same loop without, same run.

Targets: step under 5 µs, entering under 50 ms once costcalc is loaded, the thread under 0.2 % of a
core at the default interval; leaving within 1.5 of the patience given though the disk hangs; a
command of 100 s stopped by a limit of 1 s within a tenth of its time.  On the ledger of a month of
1,024 ranks: under 0.1 % of a core, ``state_dict`` under 5 ms, leaving under 5 s, and no more memory
for another hundred intervals.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import numpy as np
import wide_ledger

import costcalc
import costcalc.tracking.tracker  # loaded, as in a script that has tracked before
from costcalc.tracking.follow import Follower
from costcalc.tracking.ledger import Writer
from costcalc.tracking.merge import totals

STEPS = 200_000
RUN = {
    "model": {"preset": "gpt2"},
    "training": {"tokens": "10B"},
    "hardware": {"accelerator": "a100-sxm4-80", "count": 8},
    "site": {"region": "FR"},
    "price": {"device_hour": "2 USD"},
    "limits": {"cost": "1 MUSD"},
}


def loop(
    matrix: np.ndarray, steps: int, tracker: costcalc.tracking.tracker.Tracker | None
) -> float:
    """Seconds of a loop whose step is a small matrix product."""
    began = time.perf_counter()
    for _ in range(steps):
        matrix @ matrix
        if tracker is not None:
            tracker.step(tokens=4096)
    return time.perf_counter() - began


def entering() -> float:
    """Milliseconds to enter a tracker with a run file, the median of five."""
    taken = []
    for _ in range(5):
        tracker = costcalc.track(RUN, progress=False)
        began = time.perf_counter()
        tracker.start()
        taken.append(time.perf_counter() - began)
        tracker.stop()
    return statistics.median(taken) * 1e3


def leaving(patience: float) -> float:
    """Seconds to leave a tracker whose disk hangs, as a share of the patience it is given."""
    released = threading.Event()
    with tempfile.TemporaryDirectory() as folder:
        tracker = costcalc.track(RUN, ledger=folder, progress=False)
        real, Writer._append = Writer._append, lambda *_: released.wait(60)
        tracker.start()
        began = time.perf_counter()
        tracker.stop(patience=patience)
        taken = time.perf_counter() - began
        Writer._append = real
        released.set()
    return taken / patience


FORKS = """
import os, time, costcalc
taken = []
with costcalc.track(progress=False) as tracker:
    until = time.perf_counter() + 5
    while time.perf_counter() < until:
        began = time.perf_counter()
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)
        taken.append(time.perf_counter() - began)
        time.sleep(0.01)
print(max(taken))
"""


def forking() -> float:
    """Seconds that the longest fork takes while a tracker begins, as data loaders fork."""
    done = subprocess.run([sys.executable, "-c", FORKS], capture_output=True, text=True, check=True)
    return float(done.stdout)


def stopping() -> float:
    """Seconds until a limit of one second has stopped a command that would take a hundred."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--limit", "time=1s", "--on-limit", "stop", "--interval", "0.3"]
        command = [sys.executable, "-m", "costcalc", "track", *options, "--"]
        began = time.perf_counter()
        subprocess.run(
            [*command, sys.executable, "-c", "import time; time.sleep(100)"],
            cwd=folder,
            capture_output=True,
            check=False,
        )
    return time.perf_counter() - began


def wide() -> None:
    """Rank 0 of 1,024 that resumes on the records of a month, and all ranks go on."""
    with tempfile.TemporaryDirectory() as folder:
        starts = wide_ledger.job(Path(folder))
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
        print(f"wide ledger: {size / 128 / 1e6:.2f} MB a node")
        began = time.perf_counter()
        read = Follower(folder, job="wide").look()
        print(f"wide ledger, read at first: {time.perf_counter() - began:.2f} s")
        began = time.perf_counter()
        totals(read)
        print(f"wide ledger, totals: {(time.perf_counter() - began) * 1e3:.0f} ms")
        environment = {"RANK": "0", "WORLD_SIZE": "1024", "LOCAL_RANK": "0"}
        os.environ |= {**environment, "LOCAL_WORLD_SIZE": "8", "COSTCALC_BOOT_ID": "boot0"}
        tracker = costcalc.track(RUN, ledger=folder, job="wide", progress=False, interval=1.0)
        tracker.start()
        time.sleep(10)  # imports, detection, the first look
        used, wall, memory = _thread_seconds(), time.perf_counter(), _resident()
        for second in range(100):
            wide_ledger.go_on(Path(folder), starts, 30 * wide_ledger.DAY + 10.0 * second)
            time.sleep(0.2)
        wall = time.perf_counter() - wall
        # An interval here is a second, of a job ten.
        print(f"wide ledger, threads: {(_thread_seconds() - used) / wall / 10:.3%} of a core")
        print(f"wide ledger, memory: {_resident() - memory:+.0f} MB in 100 intervals")
        taken = []
        for _ in range(20):
            began = time.perf_counter()
            state = tracker.state_dict()
            taken.append(time.perf_counter() - began)
        print(f"wide ledger, state_dict: {max(taken) * 1e3:.2f} ms, {len(str(state))} characters")
        began = time.perf_counter()
        tracker.stop()
        print(f"wide ledger, leave: {time.perf_counter() - began:.2f} s")
        for name in (*environment, "LOCAL_WORLD_SIZE", "COSTCALC_BOOT_ID"):
            del os.environ[name]


def _thread_seconds() -> float:
    """Seconds of a core that the tracker's threads have taken."""
    ours = [t for t in threading.enumerate() if t.name.startswith("costcalc")]
    clocks = [time.pthread_getcpuclockid(t.ident) for t in ours if t.ident]
    return sum(time.clock_gettime(clock) for clock in clocks)


def _resident() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Print the figures."""
    wide()
    matrix = np.ones((128, 128))
    print(f"fork, while it begins: {forking():.2f} s at the most")
    print(f"enter: {entering():.1f} ms")
    print(f"leave, while the disk hangs: {leaving(0.5):.2f} of the patience given")
    share = stopping() / 100
    print(f"stopped at a limit of 1 s: after {share:.1%} of the command's own time")
    with costcalc.track(RUN, progress=False) as tracker:
        time.sleep(4)  # imports and detection, behind the loop
        began = time.perf_counter()
        for _ in range(STEPS):
            tracker.step(tokens=4096)
        print(f"step: {(time.perf_counter() - began) / STEPS * 1e6:.2f} µs")
        pairs = [(loop(matrix, 5_000, tracker), loop(matrix, 5_000, None)) for _ in range(9)]
        ratio = statistics.median(a / b for a, b in pairs)
        each = statistics.median(b for _, b in pairs) / 5_000 * 1e6
        print(f"a loop of {each:.0f} µs a step, with / without: {ratio:.3f}")
        before, wall = _thread_seconds(), time.perf_counter()
        time.sleep(31)
        share = (_thread_seconds() - before) / (time.perf_counter() - wall)
        print(f"thread: {share:.3%} of a core")


if __name__ == "__main__":
    main()
