"""Everything that README and docs name is there after ``import costcalc`` alone."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

import costcalc

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NAME = re.compile(r"(from |import )?(?<![\w./-])costcalc((?:\.[A-Za-z_]\w*)+)(?![\w.]*[/-])")


def named() -> Iterator[tuple[str, str]]:
    """Page and dotted name, as ``costcalc.report.verify``; modules that a page imports apart."""
    for path in PAGES:
        for found in NAME.finditer(path.read_text(encoding="utf-8")):
            if not found[1]:
                yield path.name, f"costcalc{found[2]}"


def resolved(names: list[str], *, alone: bool = False) -> subprocess.CompletedProcess[str]:
    """Each name looked up by attributes in a fresh process; ``alone``: after an import of its own.

    Only costcalc is imported anew for each: what it needs of others cannot hide a cycle of ours.
    """
    code = (
        "import functools, importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        f"    for old in [m for m in sys.modules if {alone} and m.split('.')[0] == 'costcalc']:\n"
        "        del sys.modules[old]\n"
        "    costcalc = importlib.import_module('costcalc')\n"
        "    functools.reduce(getattr, name.split('.')[1:], costcalc)"
    )
    command = [sys.executable, "-c", code, *names]
    return subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)


def test_what_pages_name_is_there_after_the_import_alone() -> None:
    found = sorted({name for _, name in named()})
    assert {"costcalc.estimate", "costcalc.scenarios", "costcalc.track"} <= set(found)
    made = resolved(found)
    assert made.returncode == 0, made.stderr


def test_modules_that_pages_import_are_there() -> None:
    for path in PAGES:
        for found in NAME.finditer(path.read_text(encoding="utf-8")):
            if found[1]:
                assert find_spec(f"costcalc{found[2]}") is not None, (path.name, found[0])


def test_the_check_can_fail() -> None:
    assert "no attribute 'nothing'" in resolved(["costcalc.nothing"]).stderr
    text = "`costcalc.a.b` and costcalc.c(1), from costcalc.d import e, costcalc.yaml/x"
    assert NAME.findall(text) == [("", ".a.b"), ("", ".c"), ("from ", ".d")]


def test_each_public_name_is_there_alone_after_the_import() -> None:
    made = resolved([f"costcalc.{name}" for name in costcalc.__all__], alone=True)
    assert made.returncode == 0, made.stderr


def test_scenarios_and_layouts_are_the_functions() -> None:
    run = {
        "model": {"preset": "llama-3-8b"},
        "training": {"tokens": "1T"},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
    }
    found = costcalc.scenarios(run, accelerators=["h100-sxm5-80"], counts=[64], regions=["FR"])
    assert isinstance(found, costcalc.Scenarios)
    assert found.number == 1
    assert len(costcalc.layouts(run, top=2).best) == 2


def test_the_list_and_the_table_name_the_same() -> None:
    assert set(costcalc.__all__) - {"__version__"} == set(costcalc._PUBLIC)
    assert costcalc.__all__ == sorted(costcalc.__all__)


@pytest.mark.parametrize("name", sorted(set(costcalc.__all__) - {"__version__", "report"}))
def test_each_public_name_has_an_example(name: str) -> None:
    """Run as doctests; what needs PyTorch stands apart, and the frameworks' tests run it."""
    words = getattr(costcalc, name).__doc__
    assert ">>> " in words or "Example (needs PyTorch)::" in words
