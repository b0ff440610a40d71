"""Small changes to the package that a test of their room has to notice.

    python scripts/mutate.py --number 100 --seed 7        # a seeded sample over the whole package
    python scripts/mutate.py --within costcalc/price.py   # of one file or room

A mutant is one change in one file: a constant is another, a comparison is flipped or moved by its
equality, a term or factor is dropped, `and` becomes `or`, a condition is negated.  Left alone is
what does not run (annotations, decorators, formats) and two keywords without a result of their own:
``strict`` of ``zip``, a guard that is silent where lengths are equal, and ``show_default``, of help
for options whose default is nothing.  A file that runs a framework is left out where that is not
installed.  Each is run against the tests of its room alone: ``tests/ROOM``,
``tests/test_MODULE.py`` and the module's own examples, those that name the module first, up to the
first that fails.  One that fails without the change as well has noticed nothing: it is named, and
the others are asked.
Survivors are printed with file and line, and what came to no end, which counts as noticed; the exit
code is 3 where more than ``--allow`` of the sample survive.  The same seed on the same source draws
the same mutants.
"""

from __future__ import annotations

import argparse
import ast
import importlib.util
import os
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import Queue

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = ROOT / "costcalc"
# Frameworks' own hooks are tested where the frameworks are; the entry point is a line.
LEFT_OUT = ("integrations", "__main__.py", "__init__.py")
# Files that run a framework, whose tests are skipped where that is not installed.
NEEDS = {"workload/count.py": "torch"}
SECONDS = 240.0  # a mutant that loops has been noticed
FAILED, TOO_LONG = 1, 124  # pytest's exit code where a test failed; ours for its time being up

FLIPPED = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
SILENT = ("strict", "show_default", "include_url", "include_context", "include_input")  # keywords
OPERATED = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult}


@dataclass(frozen=True)
class Mutant:
    """One change: the file, what stands there (by byte offsets), and what is put in its place."""

    path: Path
    line: int
    start: int
    end: int
    old: str
    new: str

    def __str__(self) -> str:
        return f"{self.path.relative_to(ROOT)}:{self.line}: {self.old}  ->  {self.new}"

    def source(self) -> bytes:
        """The file with the change."""
        text = self.path.read_bytes()
        return text[: self.start] + f"({self.new})".encode() + text[self.end :]


def changes(node: ast.AST) -> Iterator[ast.expr]:
    """What an expression may be changed to."""
    match node:
        case ast.Constant(value=bool()):
            yield ast.Constant(not node.value)
        case ast.Constant(value=int()):
            yield ast.Constant(node.value + 1)
        case ast.Constant(value=float()):
            yield ast.Constant(node.value * 1.25 if node.value else 1.0)
        case ast.Compare(ops=[operator], comparators=[_]):
            for other in FLIPPED[type(operator)]:
                yield ast.Compare(node.left, [other()], node.comparators)
        case ast.BinOp(op=operator) if type(operator) in OPERATED and not _is_text(node):
            yield ast.BinOp(node.left, OPERATED[type(operator)](), node.right)
            yield node.left
        case ast.BoolOp(op=operator, values=values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.IfExp():
            yield ast.IfExp(ast.UnaryOp(ast.Not(), node.test), node.body, node.orelse)


def _is_text(node: ast.BinOp) -> bool:
    """Joined strings, which no test need repeat."""
    return any(
        isinstance(inner, ast.JoinedStr) or isinstance(getattr(inner, "value", None), str)
        for inner in ast.walk(node)
    )


def _spoken(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes that run: no annotation, no docstring, no format, nothing silent."""
    for name, value in ast.iter_fields(node):
        if name in {"annotation", "returns", "decorator_list", "format_spec"}:
            continue
        for child in value if isinstance(value, list) else [value]:
            silent = isinstance(child, ast.keyword) and child.arg in SILENT
            if isinstance(child, ast.AST) and not silent:
                yield child
                yield from _spoken(child)


def mutants(path: Path) -> list[Mutant]:
    """Every mutant of a file."""
    source = path.read_bytes()
    starts = [0]
    for line in source.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    found = []
    for node in _spoken(ast.parse(source)):
        if not isinstance(node, ast.expr) or node.end_lineno is None:
            continue
        start = starts[node.lineno - 1] + node.col_offset
        end = starts[node.end_lineno - 1] + (node.end_col_offset or 0)
        old = ast.unparse(node)
        for new in changes(node):
            text = ast.unparse(ast.fix_missing_locations(new))
            found.append(Mutant(path, node.lineno, start, end, old, text))
    return found


def population(within: Path) -> list[Mutant]:
    """The mutants of a file or folder, in a fixed order."""
    paths = [within] if within.is_file() else sorted(within.rglob("*.py"))
    kept = [path for path in paths if _runs(path.relative_to(PACKAGE))]
    return [mutant for path in kept for mutant in mutants(path)]


def _runs(path: Path) -> bool:
    """Whether the tests of its room can run a file of the package here."""
    needed = NEEDS.get(path.as_posix())
    there = needed is None or importlib.util.find_spec(needed) is not None
    return there and not set(path.parts) & set(LEFT_OUT)


def tests_of(path: Path, tree: Path) -> list[str]:
    """The tests of a module's room in a tree, those of its name first, and its own examples."""
    room, *inner = path.relative_to(PACKAGE).with_suffix("").parts
    tests = sorted((tree / "tests" / room).rglob("test_*.py"))
    alone = tree / "tests" / f"test_{room}.py"
    tests = [*tests, alone] if alone.exists() else tests
    words = {word for part in inner for word in part.split("_")}
    # stable: of those that name it as often the order stays
    tests.sort(key=lambda test: -len(words & set(test.stem.split("_"))))
    return [*(str(each.relative_to(tree)) for each in tests), str(path.relative_to(ROOT))]


def copy_to(folder: Path) -> None:
    """A tree of its own for a worker: all that git would keep."""
    listed = ("git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
    for name in subprocess.check_output(listed, cwd=ROOT, text=True).split("\0"):
        if name and (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def tried(folder: Path, tests: list[str], without: Iterable[str] = ()) -> tuple[int, str]:
    """How pytest ends in a worker's tree, and the first test that fails ("": none can be named)."""
    env = {**os.environ, "PYTHONPYCACHEPREFIX": str(folder / ".pyc")}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-rf", "-p", "no:cacheprovider", *tests]
    command += [f"--deselect={test}" for test in without]
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            check=False,
            timeout=SECONDS,
        )
    except subprocess.TimeoutExpired:
        return TOO_LONG, ""
    named = re.search(r"^FAILED (.+?)(?: - .*)?$", done.stdout, re.MULTILINE)
    return done.returncode, named[1] if named else ""


def survives(mutant: Mutant, folder: Path) -> bool:
    """Whether no test of its room notices."""
    place = folder / mutant.path.relative_to(ROOT)
    before = place.read_bytes()
    broken: list[str] = []
    while True:
        try:
            place.write_bytes(mutant.source())
            code, test = tried(folder, tests_of(mutant.path, folder), broken)
        finally:
            place.write_bytes(before)
        if code == TOO_LONG:  # a busy machine is as slow as a mutant that loops: it is told apart
            print(f"no end in {SECONDS:g} s, taken as noticed: {mutant}", flush=True)
        if not test or test in broken or tried(folder, [test])[0] != FAILED:
            return code == 0
        print(f"fails without any change: {test}", flush=True)
        broken.append(test)


def run(sample: list[Mutant], workers: int) -> list[Mutant]:
    """The survivors of a sample."""
    with tempfile.TemporaryDirectory() as work, ThreadPoolExecutor(workers) as pool:
        free: Queue[Path] = Queue()
        for number in range(workers):
            folder = Path(work) / str(number)
            copy_to(folder)
            free.put(folder)

        def one(mutant: Mutant) -> bool:
            folder = free.get()
            try:
                alive = survives(mutant, folder)
            finally:
                free.put(folder)
            print("SURVIVES" if alive else "noticed ", mutant, flush=True)
            return alive

        return [
            mutant for mutant, alive in zip(sample, pool.map(one, sample), strict=True) if alive
        ]


def main() -> int:
    """Draw, run, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--number", type=int, default=100)
    parser.add_argument("--seed", default="0", help="a number or any text, such as a commit")
    parser.add_argument("--within", type=Path, default=PACKAGE)
    parser.add_argument("--allow", type=float, default=0.10, help="share that may survive")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    given = parser.parse_args()
    every = population(given.within.resolve())
    sample = random.Random(given.seed).sample(every, min(given.number, len(every)))
    alive = run(sample, given.workers)
    print(f"\nseed {given.seed}: {len(alive)} of {len(sample)} survive (of {len(every)} mutants)")
    for mutant in alive:
        print(f"  {mutant}")
    return 3 if len(alive) > given.allow * len(sample) else 0


if __name__ == "__main__":
    sys.exit(main())
