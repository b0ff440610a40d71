"""Files written whole or not at all; floats that every reader takes for numbers; digests."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from costcalc import InputError
from costcalc.base.reading import read
from costcalc.base.writing import digest, save, to_json, to_yaml

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_floats_are_numbers_to_every_reader(value: float) -> None:
    text = to_yaml({"x": value})
    assert yaml.safe_load(text)["x"] == value
    assert read(text, "f").data["x"] == value


def test_a_large_float_is_written_with_a_point_and_a_sign() -> None:
    assert to_yaml({"x": 7.2e23}) == "x: 7.2e+23\n"


@given(st.dictionaries(st.text(max_size=8), PLAIN, max_size=5))
def test_the_digest_does_not_depend_on_the_order(data: dict[str, object]) -> None:
    turned = dict(reversed(list(data.items())))
    assert digest(data) == digest(turned) == digest({**data, "digest": "sha256:0"})


def test_the_digest_is_that_of_canonical_json() -> None:
    import hashlib

    text = json.dumps(
        {"a": [1, "é"], "b": 2}, sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )
    expected = "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert digest({"b": 2, "a": [1, "é"]}) == expected


def test_infinity_is_not_written() -> None:
    with pytest.raises(ValueError, match="Out of range"):
        to_json({"x": float("inf")})


def test_nothing_is_overwritten_unasked(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    save("one\n", file)
    with pytest.raises(InputError, match="exists already; give --force"):
        save("two\n", file)
    assert file.read_text() == "one\n"
    save("two\n", file, force=True)
    assert file.read_text() == "two\n"
    assert [path.name for path in tmp_path.iterdir()] == ["a.yaml"]


def test_permissions_are_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("old")
    file.chmod(0o640)
    save("new", file, force=True)
    assert file.stat().st_mode & 0o777 == 0o640


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be written: No such file or directory"):
        save("x", tmp_path / "no" / "a.yaml")


def test_a_kill_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("old\n")
    code = textwrap.dedent(f"""
        import os, time
        from costcalc.base import writing
        os.fsync = lambda handle: (print("now", flush=True), time.sleep(60))
        writing.save("new" * 1000, {str(file)!r}, force=True)
    """)
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "now"
        os.kill(child.pid, signal.SIGKILL)
    time.sleep(0.05)
    assert file.read_text() == "old\n"
