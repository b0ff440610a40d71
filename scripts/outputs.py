"""What costcalc prints for every example, kept in a folder, so that two versions can be compared.

    python scripts/outputs.py keep before/             # this checkout's outputs
    python scripts/outputs.py compare before/ after/   # every leaf that differs

``keep`` writes the ``--json`` of every run file in ``examples/`` and what every command of the
README and the documentation prints; ``compare`` names each leaf by its path, with both values, to
a relative tolerance of 1e-9, and ends with 3 where anything differs.
"""

from __future__ import annotations

import json
import math
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMMAND = re.compile(r"<!-- output: (costcalc [^\n]+) -->")
OTHER = {"compare.yaml": "compare", "place.yaml": "place", "plan.yaml": "plan", "when.yaml": "when"}


def commands() -> Iterator[tuple[str, list[str]]]:
    """A name and the arguments of each command whose output is kept."""
    for path in sorted((ROOT / "examples").glob("*.yaml")):
        command = OTHER.get(path.name, "estimate")
        yield f"{path.stem}.json", [command, f"examples/{path.name}", "--json"]
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))):
        for number, found in enumerate(COMMAND.findall(page.read_text(encoding="utf-8"))):
            yield f"{page.stem}-{number}.txt", found.split()[1:]


def keep(folder: Path) -> None:
    """Write every output into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    env = {**os.environ, "NO_COLOR": "1", "COLUMNS": "80"}
    for name, arguments in commands():
        found = subprocess.run(
            [sys.executable, "-m", "costcalc", *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            env=env,
        )
        text = found.stdout or f"exit {found.returncode}\n{found.stderr}"
        (folder / name).write_text(text, encoding="utf-8")


def leaves(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Every leaf of nested mappings and lists with its dotted path."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            name = inner.get("key", number) if isinstance(inner, dict) else number
            yield from leaves(inner, f"{path}[{name}]")
    else:
        yield path, value


def read(path: Path) -> dict[str, object]:
    """The leaves of a JSON output, or the lines of a text."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json" and text.startswith(("{", "[")):
        return dict(leaves(json.loads(text)))
    return {f"line {number}": line for number, line in enumerate(text.splitlines(), 1)}


def same(one: object, two: object) -> bool:
    """Equal, floats to 1e-9."""
    if isinstance(one, float) and isinstance(two, (int, float)):
        return math.isclose(one, two, rel_tol=1e-9)
    return one == two


def compare(before: Path, after: Path) -> int:
    """Print each leaf that differs between two folders, and count them."""
    found = 0
    for name in sorted({path.name for folder in (before, after) for path in folder.iterdir()}):
        old, new = (
            read(folder / name) if (folder / name).exists() else {} for folder in (before, after)
        )
        for key in dict.fromkeys([*old, *new]):
            one, two = old.get(key), new.get(key)
            if not same(one, two):
                found += 1
                print(f"{name}: {key}: {one!r} -> {two!r}")
    print(f"{found} differences")
    return 3 if found else 0


def main(arguments: list[str]) -> int:
    """Keep or compare."""
    match arguments:
        case ["keep", folder]:
            keep(Path(folder))
            return 0
        case ["compare", before, after]:
            return compare(Path(before), Path(after))
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
