"""What a tracker costs the loop that it measures: ratios against the same loop without, same run.

Targets: step under 5 µs, entering under 50 ms once costcalc is loaded, the thread under 0.2 % of a
core at the default interval; leaving within 1.5 of the patience given though the disk hangs; a
command of 100 s stopped by a limit of 1 s within a tenth of its time.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time

import numpy as np

import costcalc
import costcalc.tracking.tracker  # loaded, as in a script that has tracked before
from costcalc.tracking.ledger import Writer

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


def main() -> None:
    """Print the figures."""
    matrix = np.ones((128, 128))
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
        name = next(t for t in threading.enumerate() if t.name == "costcalc")
        clock = time.pthread_getcpuclockid(name.ident)  # type: ignore[arg-type]
        before, wall = time.clock_gettime(clock), time.perf_counter()
        time.sleep(31)
        share = (time.clock_gettime(clock) - before) / (time.perf_counter() - wall)
        print(f"thread: {share:.3%} of a core")


if __name__ == "__main__":
    main()
