"""The compiled index: it says what the files say, and never what they said before."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from costcalc.base.reading import read
from costcalc.catalog import index as compiled
from costcalc.catalog.index import Head, Index, build, plain


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small catalogue of its own and an empty cache, nothing kept in memory."""
    for shown in compiled.FOLDERS.values():
        (tmp_path / shown).mkdir(parents=True, exist_ok=True)
    monkeypatch.setattr(compiled, "data_root", lambda: tmp_path / "costcalc/data")
    monkeypatch.setattr(compiled, "profiles_root", lambda: tmp_path / "hardware_profiles")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    host(tmp_path, "id: a\naliases: [A One]\ndevices: 8\n")
    return tmp_path


def host(tree: Path, text: str, *, age: float = 60.0) -> Path:
    path = tree / "hardware_profiles/hosts/a.yaml"
    path.write_text(text)
    then = time.time() - age
    os.utime(path, (then, then))
    return path


def fresh() -> Index:
    compiled.index.cache_clear()
    try:
        return compiled.index()
    finally:
        compiled.index.cache_clear()


FILE = "hardware_profiles/hosts/a.yaml"


def test_the_index_says_what_every_file_says() -> None:
    made = Index(build())
    files = list(compiled._sources())
    assert len({kind for kind, *_ in files}) == 7
    for _, shown, path in files:
        raw = path.read_bytes()
        assert made.data(shown) == read(raw, shown).data, shown
        assert made.digest(shown) == f"sha256:{hashlib.sha256(raw).hexdigest()}"


def test_two_builds_are_the_same_bytes() -> None:
    assert build() == build()


def test_a_head_has_the_names_and_what_a_choice_needs(tree: Path) -> None:
    assert fresh().heads("hosts") == (Head(file=FILE, id="a", aliases=("A One",), devices=8),)
    assert fresh().names("hosts") == {"a": FILE, "a one": FILE}


def test_it_is_kept_and_read_again(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert fresh().data(FILE) == {"id": "a", "aliases": ["A One"], "devices": 8}
    assert len(list((tree / "cache/costcalc").glob("*.jsonl"))) == 1
    monkeypatch.setattr(compiled, "build", lambda: pytest.fail("built again"))
    assert fresh().data(FILE) == {"id": "a", "aliases": ["A One"], "devices": 8}


def test_a_change_makes_another_and_the_old_one_goes(tree: Path) -> None:
    fresh()
    host(tree, "id: a\naliases: [A Two]\ndevices: 4\n", age=50.0)  # of the same size
    assert fresh().data(FILE) == {"id": "a", "aliases": ["A Two"], "devices": 4}
    assert len(list((tree / "cache/costcalc").iterdir())) == 1


def test_a_file_more_or_less_makes_another(tree: Path) -> None:
    fresh()
    path = host(tree, "id: a\ndevices: 8\n")
    path.rename(path.with_name("b.yaml"))
    assert set(fresh().names("hosts").values()) == {FILE.replace("a.yaml", "b.yaml")}


def test_what_was_written_just_now_is_not_kept(tree: Path) -> None:
    """It may change once more within one tick of the clock, which no time would tell."""
    host(tree, "id: a\ndevices: 8\n", age=0.0)
    assert fresh().names("hosts") == {"a": FILE}
    assert not (tree / "cache").exists()


@pytest.mark.parametrize("spoilt", [b"", b"{}\n", b"no JSON\n"])
def test_a_spoilt_cache_is_made_anew(tree: Path, spoilt: bytes) -> None:
    fresh()
    (kept,) = (tree / "cache/costcalc").iterdir()
    kept.write_bytes(spoilt)
    assert fresh().names("hosts") == {"a": FILE, "a one": FILE}
    assert kept.read_bytes() == build()


def test_nowhere_to_write_is_no_fault(tree: Path) -> None:
    (tree / "cache").write_text("a file where a folder should be")
    assert fresh().names("hosts") == {"a": FILE, "a one": FILE}


def test_an_installed_package_reads_the_index_beside_its_data(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tree / "costcalc/data" / compiled.FILE).write_bytes(build())
    monkeypatch.setattr(compiled, "installed", lambda: True)
    monkeypatch.setattr(compiled, "build", lambda: pytest.fail("built again"))
    assert fresh().names("hosts") == {"a": FILE, "a one": FILE}


def test_names_are_compared_without_case_and_spaces() -> None:
    assert plain("  A \t One ") == "a one"


@pytest.mark.filterwarnings("default")
def test_a_wheel_carries_the_index_of_its_files(tmp_path: Path) -> None:
    pytest.importorskip("hatchling")
    root = Path(__file__).parents[2]
    if not (root / "hatch_build.py").exists():
        pytest.skip("no checkout")
    code = f"from hatchling.build import build_wheel; build_wheel({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as opened:
        assert opened.read(f"costcalc/data/{compiled.FILE}") == build()
