"""How fast costcalc starts: the import, and a cold estimate, against references in the same run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
RUNS = 9


def seconds(*arguments: str) -> float:
    """Median seconds of a Python process, one run before that is not counted."""
    taken = []
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    for _ in range(RUNS + 1):
        start = time.perf_counter()
        subprocess.run(
            [sys.executable, *arguments],
            check=True,
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
        )
        taken.append(time.perf_counter() - start)
    return median(taken[1:])


def main() -> None:
    """Print each ratio with its target."""
    bare, imported = seconds("-c", "pass"), seconds("-c", "import costcalc")
    print(
        f"import costcalc: {imported / bare:.2f} × bare python ({imported * 1e3:.0f} ms); "
        "target: 2 ×"
    )
    cold = seconds("-m", "costcalc", "estimate", "examples/llama-3-8b.yaml")
    pint = seconds("-c", "import pint; pint.UnitRegistry()")
    print(
        f"cold costcalc estimate FILE: {cold / pint:.2f} × pint with its registry "
        f"({cold * 1e3:.0f} ms); target: 1 ×"
    )


if __name__ == "__main__":
    main()
