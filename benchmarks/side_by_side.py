"""One script tracked by costcalc and by CodeCarbon's own tracker: start, step, end, files, joules.

Each run is a process of its own with an empty folder, home and temporary folder, so that all that a
tracker leaves is seen.  ``python benchmarks/side_by_side.py [SECONDS …]``
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

LOOP = """
import json, sys, time
import numpy as np
seconds, matrix = float(sys.argv[1]), np.ones((256, 256))

def train(step):
    done, until, busy = 0, time.perf_counter() + seconds, 0.0
    while time.perf_counter() < until:
        matrix @ matrix
        before = time.perf_counter(); step(); busy += time.perf_counter() - before
        done += 1
    return done, busy / done

clock = time.perf_counter
"""
TRACKED = {
    "costcalc": """
began = clock()
import costcalc
tracker = costcalc.track(output="costs.yaml", progress=False).start()
start = clock() - began
steps, each = train(lambda: tracker.step(tokens=512))
began = clock()
tracker.stop()
stop = clock() - began
found = tracker.report["results"]["energy_it"]
unmetered = float("nan")
joules = [(found[key] or unmetered) * 3.6e6 for key in ("value", "low", "high")]
""",
    "CodeCarbon": """
began = clock()
from codecarbon import OfflineEmissionsTracker
tracker = OfflineEmissionsTracker(country_iso_code="FRA", log_level="critical")
tracker.start()
start = clock() - began
steps, each = train(lambda: None)
began = clock()
tracker.stop()
stop = clock() - began
joules = [tracker.final_emissions_data.energy_consumed * 3.6e6] * 3
""",
    "neither": """
start = stop = 0.0
joules = [0.0] * 3
steps, each = train(lambda: None)
""",
}
SAY = "print(json.dumps([start, each, stop, steps, joules]))"


def run(code: str, seconds: float) -> tuple[list[object], list[str], int]:
    """What a run says of itself, the files that it leaves, and the lines that it writes."""
    with tempfile.TemporaryDirectory() as folder:
        places = {name: Path(folder, name) for name in ("work", "home", "tmp")}
        for place in places.values():
            place.mkdir()
        done = subprocess.run(
            [sys.executable, "-c", LOOP + code + SAY, str(seconds)],
            cwd=places["work"],
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "HOME": str(places["home"]),
                "TMPDIR": str(places["tmp"]),
            },
            capture_output=True,
            text=True,
            check=True,
        )
        left = sorted(
            str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()
        )
        said: list[object] = json.loads(done.stdout.splitlines()[-1])
        return said, left, len(done.stderr.splitlines())


def main(lengths: list[float]) -> None:
    """Print a line a run, and the files that each tracker leaves."""
    print("tracker      loop    start      step       end  steps/s  joules (low to high)  stderr")
    files: dict[str, list[str]] = {}
    for seconds in lengths:
        for name, code in TRACKED.items():
            (start, each, stop, steps, joules), left, lines = run(code, seconds)
            value, low, high = joules  # type: ignore[misc]
            files[name] = left
            print(
                f"{name:11} {seconds:4.0f} s {start:6.2f} s {each * 1e6:6.2f} µs {stop:7.2f} s "  # type: ignore[operator]
                f"{steps / seconds:8.0f}  {value:7.1f} ({low:.1f} to {high:.1f})  {lines} lines"  # type: ignore[operator]
            )
    for name, left in files.items():
        print(f"{name} leaves {', '.join(left) or 'nothing'}")


if __name__ == "__main__":
    main([float(word) for word in sys.argv[1:]] or [4.0, 30.0])
