"""The renderings in the real programs: pdflatex, Chromium; the examples as they ship."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import costcalc
from costcalc.report.check import verify
from costcalc.report.files import load
from costcalc.report.renderings import render

ROOT = Path(__file__).parent.parent.parent
EXAMPLES = ROOT / "examples" / "reports"
NAMES = ("alpaca-7b", "bloom-176b", "sam-vit-h")
NASTY = r"""\input{x} \write18{touch owned} $x_1^2$ 50 % #~& {} "q" 'a' `b` é Ö ø — ×"""


@pytest.mark.parametrize("name", NAMES)
def test_the_examples_verify(name: str) -> None:
    assert verify(EXAMPLES / f"{name}.yaml").discrepancies == ()
    assert load(EXAMPLES / f"{name}.yaml")["subject"]["paper"]


def test_the_examples_are_current() -> None:
    script = ROOT / "scripts" / "make_example_reports.py"
    done = subprocess.run(
        [sys.executable, str(script), "--check"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT)},  # this checkout's, whatever is installed
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.frameworks
@pytest.mark.skipif(not shutil.which("pdflatex"), reason="needs pdflatex (texlive-science)")
@pytest.mark.parametrize("name", ["plain", "nasty"])
def test_latex_compiles_without_shell_escape(name: str, tmp_path: Path) -> None:
    report = costcalc.estimate(ROOT / "examples" / "project.yaml").to_dict()
    report["name"] = NASTY if name == "nasty" else "plain"
    source = "\n".join(
        [
            r"\documentclass{article}\usepackage[T1]{fontenc}\usepackage{booktabs}\usepackage{siunitx}",
            r"\usepackage{textcomp}\begin{document}",
            render(report, "latex"),
            r"\end{document}",
        ]
    )
    (tmp_path / "t.tex").write_text(source)
    done = subprocess.run(
        ["pdflatex", "-no-shell-escape", "-interaction=nonstopmode", "-halt-on-error", "t.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout[-2000:]
    assert not (tmp_path / "owned").exists()


_CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
_QUIET = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.mark.frameworks
@pytest.mark.skipif(_CHROMIUM is None, reason="needs chromium")
@pytest.mark.parametrize("width", [1000, 390])
def test_html_renders_and_fits(width: int, tmp_path: Path) -> None:
    page = EXAMPLES / "bloom-176b.html"
    shot = tmp_path / "shot.png"
    subprocess.run(
        [
            str(_CHROMIUM),
            *_QUIET,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--window-size={width},900",
            f"--screenshot={shot}",
            page.as_uri(),
        ],
        capture_output=True,
        check=True,
        timeout=120,
    )
    assert shot.stat().st_size > 20_000


@pytest.mark.frameworks
@pytest.mark.skipif(_CHROMIUM is None, reason="needs chromium")
@pytest.mark.skipif(not shutil.which("pdftotext"), reason="needs poppler-utils")
def test_html_prints_on_a_few_pages_with_whole_words(tmp_path: Path) -> None:
    printed = tmp_path / "page.pdf"
    subprocess.run(
        [
            str(_CHROMIUM),
            *_QUIET,
            f"--user-data-dir={tmp_path / 'profile'}",
            f"--print-to-pdf={printed}",
            "--no-pdf-header-footer",
            (EXAMPLES / "bloom-176b.html").as_uri(),
        ],
        capture_output=True,
        check=True,
        timeout=120,
    )
    shown = subprocess.run(
        ["pdftotext", "-layout", str(printed), "-"], capture_output=True, text=True, check=True
    ).stdout
    assert 2 <= shown.count("\f") <= 5
    words = set(shown.split())
    for item in load(EXAMPLES / "bloom-176b.yaml")["assumptions"]:
        assert item["key"] in words
        assert item["basis"] in words


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    text = (EXAMPLES / "bloom-176b.html").read_text(encoding="utf-8")
    for word in ("<script", "src=", "<link", "@import", "url(", "onload"):
        assert word not in text
    assert "default-src 'none'" in text
    assert "<svg" in text
    assert "prefers-color-scheme:dark" in text
    assert "@media print" in text
