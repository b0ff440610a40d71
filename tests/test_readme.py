"""The README is true: its commands run, and print what it shows."""

from __future__ import annotations

import importlib.util
import re
import shlex
from pathlib import Path

import pytest

from costcalc.cli import run

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_what_it_shows_is_what_is_printed() -> None:
    spec = importlib.util.spec_from_file_location("readme", ROOT / "scripts" / "readme.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.BLOCK.search(TEXT)
    assert module.updated(TEXT) == TEXT, "python scripts/readme.py brings it up to date"


def test_the_python_runs(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    for block in blocks("python"):
        exec(compile(block, "README.md", "exec"), {})
    assert "kWh" in capsys.readouterr().out
    assert (tmp_path / "costs.yaml").exists()


def test_the_run_file_is_a_run_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(blocks("yaml")[0], encoding="utf-8")
    assert run(["estimate", str(file)]) == 0, capsys.readouterr().err


def test_the_commands_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "RUN.yaml").write_text(blocks("yaml")[0], encoding="utf-8")
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    monkeypatch.chdir(tmp_path)
    lines = "".join(blocks("sh")).replace("\\\n", " ").splitlines()
    commands = [line.partition("#")[0].strip() for line in lines]
    ours = [c for c in commands if c.startswith("costcalc ") and "|" not in c]
    assert len(ours) >= 6
    for command in ours:
        code = run(shlex.split(command)[1:])
        assert code in (0, 3), (command, capsys.readouterr().err)
        capsys.readouterr()


def test_its_links_and_pictures_are_there() -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT)
    assert len(links) >= 25
    assert [link for link in links if not (ROOT / link).exists()] == []
    picture = (ROOT / "docs" / "pictures" / "terminal.svg").read_text(encoding="utf-8")
    assert "url(http" not in picture  # nothing is asked of a host
    assert "Llama" in picture
