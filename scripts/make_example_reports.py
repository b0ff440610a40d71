"""Write examples/reports: a report of each published run, verified, and its renderings.

``--check`` writes nothing and fails where a file is not what the data of today give.
"""

from __future__ import annotations

import argparse
import math
import re
import sys
import tempfile
from pathlib import Path

import costcalc
from costcalc.report.check import verify
from costcalc.report.files import load
from costcalc.report.renderings import render

FOLDER = Path(__file__).parent.parent / "examples" / "reports"
ENDINGS = {
    "html": "html",
    "latex": "tex",
    "markdown": "md",
    "model-card": "model-card.md",
    "neurips": "neurips.txt",
    "acl": "acl.txt",
    "annex-xi": "annex-xi.txt",
    "cyclonedx": "cdx.json",
    "spdx": "spdx.json",
    "csv": "csv",
}


def files(run: Path) -> tuple[dict[Path, str], frozenset[str]]:
    """Every file of one run, by its path, and the digests of the data that it rests on."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / f"{run.stem}.yaml"
        costcalc.estimate(run).save(report, identify=True)  # published: nobody is blind
        verdict = verify(report)
        if not verdict.holds:
            sys.exit("\n".join([str(run), *verdict.lines()]))
        made = {FOLDER / report.name: report.read_text(encoding="utf-8")}
        data = load(report)
    for shape, ending in ENDINGS.items():
        made[FOLDER / f"{run.stem}.{ending}"] = render(data, shape)
    return made, frozenset(str(one).removeprefix("sha256:") for one in data["data"].values())


NUMBER = re.compile(r"\d+\.\d{6,}(?:e[+-]?\d+)?")
DIGEST = re.compile(r"[0-9a-f]{16,}")


def same(old: str, new: str, exact: frozenset[str]) -> bool:
    """Equal, long floats to 1e-6: their last digits are NumPy's, and the report's digest follows.

    ``exact``: the digests of the data it rests on, which no float moves.
    """

    def kept(found: re.Match[str]) -> str:
        return found[0] if found[0] in exact else "0"

    texts = [NUMBER.sub("0.0", DIGEST.sub(kept, text)) for text in (old, new)]
    numbers = [[float(found) for found in NUMBER.findall(text)] for text in (old, new)]
    return texts[0] == texts[1] and all(
        math.isclose(one, two, rel_tol=1e-6) for one, two in zip(*numbers, strict=True)
    )


def main() -> int:
    """Write or check every file; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = []
    for run in sorted((FOLDER / "runs").glob("*.yaml")):
        made, exact = files(run)
        for path, text in made.items():
            there = path.read_text(encoding="utf-8") if path.exists() else ""
            if check and not same(there, text, exact):
                stale.append(path)
            elif not check:
                path.write_text(text, encoding="utf-8", newline="\n")
    for path in stale:
        print(f"not current: {path.name}; run python scripts/make_example_reports.py")
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
