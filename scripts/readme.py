"""Write what commands print into the README, so that it shows what a reader will see.

Run it after a change of the data or of the output: ``python scripts/readme.py``; ``--check`` says
whether the README is up to date (a test does).  A block looks so::

    <!-- output: costcalc estimate examples/llama-3-8b.yaml -->
    ...
    <!-- end -->

and between ``<!-- counts -->`` and ``<!-- end -->`` stands how much of each catalogue is known.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
BLOCK = re.compile(r"(<!-- output: (costcalc [^\n]+) -->\n).*?(<!-- end -->)", re.DOTALL)


COUNTS = re.compile(r"(<!-- counts -->\n).*?(<!-- end -->)", re.DOTALL)


def counts() -> str:
    """How many of each the catalogues hold."""
    from costcalc.catalog import instances, prices, region
    from costcalc.catalog.index import index
    from costcalc.workload.families import supported

    every = list(prices.catalogue().every())
    known = {
        kind: len(index().heads(kind))
        for kind in ("accelerators", "cpus", "hosts", "presets", "software")
    }
    return (
        f"Known by name: {known['accelerators']} accelerators and {known['cpus']} processors,"
        f" {known['hosts']} hosts and\n{len(instances.sizes())} more cloud instances,"
        f" {known['presets']} models and {len(supported())} families of a `config.json`,\n"
        f"{known['software']} stacks of software, {len(list(region.codes()))} places,"
        f" {len(every)} prices from"
        f" {len({offer.provider for offer in every})} providers ([all of them](docs/catalogue)).\n"
    )


def printed(command: str) -> str:
    """What a costcalc command prints, 80 columns wide and without colours."""
    found = subprocess.run(
        [sys.executable, "-m", *command.split()],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "NO_COLOR": "1", "COLUMNS": "80"},
    )
    if found.returncode not in (0, 3):
        raise SystemExit(f"{command}: {found.stderr}")
    return found.stdout


def updated(text: str) -> str:
    """The README with every block filled with what its command prints now."""
    counted = COUNTS.sub(lambda m: f"{m[1]}{counts()}{m[2]}", text)
    return BLOCK.sub(lambda m: f"{m[1]}```\n{printed(m[2])}```\n{m[3]}", counted)


def main() -> int:
    """Update the README, or check it."""
    readme = ROOT / "README.md"
    old = readme.read_text(encoding="utf-8")
    new = updated(old)
    if "--check" in sys.argv:
        stale = "README.md is not up to date: python scripts/readme.py"
        print("up to date" if new == old else stale)
        return int(new != old)
    readme.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
