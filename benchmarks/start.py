"""How fast costcalc starts, in medians of paired runs against references."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parent.parent
RUNS = 15
BARE, PINT = ("-c", "pass"), ("-c", "import pint; pint.UnitRegistry()")
# what, its arguments, what it is measured against, the ratio that it is to keep to
MEASURED = (
    ("import costcalc", ("-c", "import costcalc"), "bare python", BARE, 1.2),
    ("costcalc --help", ("-m", "costcalc", "--help"), "pint with its registry", PINT, 0.5),
    (
        "cold costcalc estimate FILE",
        ("-m", "costcalc", "estimate", "examples/llama-3-8b.yaml"),
        "pint with its registry",
        PINT,
        0.9,
    ),
)


def seconds(arguments: tuple[str, ...]) -> float:
    """Seconds of one Python process, with compiled modules as an installed package has them."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    start = time.perf_counter()
    subprocess.run(
        [sys.executable, *arguments],
        check=True,
        cwd=ROOT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    return time.perf_counter() - start


def main() -> None:
    """Print each ratio with its target; the first pair of each is not counted."""
    for what, arguments, against, reference, target in MEASURED:
        pairs = [(seconds(arguments), seconds(reference)) for _ in range(RUNS + 1)][1:]
        ratio = median(mine / theirs for mine, theirs in pairs)
        taken = median(mine for mine, _ in pairs)
        print(f"{what}: {ratio:.2f} × {against} ({taken * 1e3:.0f} ms); target: {target:g} ×")


if __name__ == "__main__":
    main()
