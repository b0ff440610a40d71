"""The documentation is true: its commands run, its snippets run, its links lead somewhere."""

from __future__ import annotations

import importlib.util
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from costcalc.cli import run
from costcalc.report.importing import SOURCES
from costcalc.report.renderings import FORMATS

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(path for path in DOCS.rglob("*.md") if "```sh" in path.read_text(encoding="utf-8"))
FENCE = re.compile(r"^```(\w+)?(?: title=\"([^\"]+)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
#: minutes of scoring, which .ci/run prints itself; what serves until it is ended, as tests/web does
APART = ("costcalc validate", "costcalc serve", "costcalc mcp")
#: what needs a network or another machine
ELSEWHERE = ("sacct", "pip", "docker", "curl", "git", "mkdocs")


class Block(NamedTuple):
    """A fenced block: its language, its title (a file to write), its text."""

    language: str
    title: str
    text: str


def blocks(path: Path) -> Iterator[Block]:
    for language, title, text in FENCE.findall(path.read_text(encoding="utf-8")):
        yield Block(language, title, text)


def commands(text: str) -> Iterator[list[str]]:
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words:
            yield words


def test_there_is_something_to_try() -> None:
    assert len(PAGES) >= 9
    told = [words for page in PAGES for b in blocks(page) if b.language == "sh"
            for words in commands(b.text)]  # fmt: skip
    assert len(told) >= 40
    assert {words[0] for words in told} <= {"costcalc", *ELSEWHERE}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with examples, two folders of run files, and two revisions."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    one = "model: {preset: gpt2}\ntraining: {tokens: 1B}\nhardware: {accelerator: t4, count: 1}\n"
    for name, text in (("runs", one), ("runs-before", one),
                       ("runs-after", one.replace("1B", "1.05B"))):  # fmt: skip
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.yaml").write_text(text, encoding="utf-8")
    for words in (
        ["init", "-q", "-b", "main"],
        ["add", "runs"],
        ["commit", "-qm", "a"],
        ["checkout", "-q", "-b", "change"],
        ["commit", "-q", "--allow-empty", "-m", "b"],
    ):
        subprocess.run(
            ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *words],
            cwd=tmp_path, check=True, capture_output=True,
        )  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(DOCS)))
def test_every_command_and_snippet_of_a_page_runs(
    page: Path, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for block in blocks(page):
        if block.title:
            target = folder / block.title
            target.parent.mkdir(exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif block.language == "python" and "import costcalc\n" in block.text:
            exec(compile(block.text, str(page), "exec"), {})
        elif block.language == "python":  # a part of a program
            compile(block.text, str(page), "exec")
        for words in commands(block.text) if block.language == "sh" else ():
            if words[0] in ELSEWHERE or " ".join(words).startswith(APART):
                continue
            code = run(words[1:])
            allowed = (0, 2, 3) if page.name == "fit.md" else (0, 3)  # there a refusal is told
            assert code in allowed, (words, capsys.readouterr().err)
            capsys.readouterr()


def generator() -> Any:
    sys.path.insert(0, str(ROOT / "scripts"))
    try:
        spec = importlib.util.spec_from_file_location("docs", ROOT / "scripts" / "docs.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    finally:
        sys.path.pop(0)
    return module


def test_keys_and_names_of_the_reference_are_all_there() -> None:
    from costcalc import __all__ as names
    from costcalc.cli import COMMANDS

    made = generator()
    keys = (DOCS / "reference" / "run-file.md").read_text(encoding="utf-8")
    assert keys == "".join(made.run_file()), "python scripts/docs.py brings it up to date"
    python = (DOCS / "reference" / "python.md").read_text(encoding="utf-8")
    assert python == "".join(made.python()), "python scripts/docs.py brings it up to date"
    assert all(f"## costcalc.{name}\n" in python for name in names if name != "__version__")
    told = (DOCS / "reference" / "commands.md").read_text(encoding="utf-8")
    assert all(f"## costcalc {word}\n" in told for word in COMMANDS)


def test_every_import_and_rendering_is_told_of() -> None:
    told = (DOCS / "report.md").read_text(encoding="utf-8")
    assert [name for name in SOURCES if f"`costcalc report import {name} " not in told] == []
    assert [name for name in FORMATS if f"--format {name}" not in told] == []


LINK = re.compile(r"\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)")


def test_links_within_the_repository_lead_somewhere() -> None:
    lost = []
    for page in DOCS.rglob("*.md"):
        text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
        for target, _ in LINK.findall(text):
            if target and not (page.parent / target).exists():
                lost.append(f"{page.relative_to(DOCS)}: {target}")
    assert lost == []


def test_every_page_is_in_the_navigation() -> None:
    nav = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:")[2]
    for page in DOCS.rglob("*.md"):
        assert f": {page.relative_to(DOCS)}\n" in nav, page


@pytest.mark.frameworks
def test_the_site_is_built_strictly(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT, env={**os.environ, "NO_MKDOCS_2_WARNING": "1"}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    page = (tmp_path / "site" / "index.html").read_text(encoding="utf-8")
    assert "What will this training run cost" in page
    # nothing is asked of another host
    assert not re.findall(
        r'<(?:script|link)[^>]+(?:src|href)="https?://(?!.*rel="canonical")', page
    )
    assert (tmp_path / "site" / "files" / "examples" / "ci" / "github.yaml").exists()
