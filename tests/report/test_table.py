"""What a person sees: the answer first, one screen, plain in a pipe."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

import costcalc
from costcalc.calculator.explaining import explain
from costcalc.calculator.result import Estimate
from costcalc.report.table import BAR, _widths, render

ROOT = Path(__file__).parent.parent.parent
RUN: dict[str, Any] = {
    "name": "A test_run & 50 % | more",
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1T", "precision": "bf16"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 64, "utilization": 0.4},
    "site": {"region": "aws:us-east-1"},
    "price": {"device_hour": "2 USD"},
    "limits": {"cost": "1000 USD"},
}


def text_of(made: Estimate, *, width: int = 80, verbose: bool = False) -> str:
    file = io.StringIO()
    Console(file=file, width=width, highlight=False).print(render(made, verbose=verbose))
    return file.getvalue()


@pytest.fixture(scope="module")
def made() -> Estimate:
    return costcalc.estimate(RUN)


def test_the_answer_comes_first(made: Estimate) -> None:
    lines = text_of(made).splitlines()
    assert lines[0].strip() == "A test_run & 50 % | more"
    labels = [line.split()[0] for line in lines[3:10] if line.startswith("  ") and line.split()]
    assert labels[0] == "Time"
    assert {"Time", "Cost", "Energy", "CO2e"} <= set(labels)


@pytest.mark.parametrize("name", ["llama-3-8b", "gpt-3", "project", "measured-lumi", "resnet-50"])
def test_one_screen_of_80_columns(name: str) -> None:
    made = costcalc.estimate(ROOT / "examples" / f"{name}.yaml")
    lines = text_of(made).splitlines()
    assert len(lines) <= 50
    assert max(len(line.rstrip()) for line in lines) <= 80


def test_a_passed_limit_is_said(made: Estimate) -> None:
    assert "limit cost 1,000 USD: PASSED" in text_of(made)


def test_verbose_lists_every_input_with_its_source(made: Estimate) -> None:
    text = text_of(made, width=300, verbose=True)
    for item in made.assumptions:
        assert item.key in text
        assert item.source.split()[0] in text


def test_unknown_is_said_with_its_reason() -> None:
    run = {name: keys for name, keys in RUN.items() if name not in ("site", "limits")}
    text = text_of(costcalc.estimate(run), width=200)
    line = next(line for line in text.splitlines() if line.strip().startswith("CO2e"))
    assert "unknown" in line
    assert "no site.region and no site.grid" in line


def test_bars_fill_exactly() -> None:
    for shares in ([1.0], [0.9, 0.1], [0.34, 0.33, 0.33], [0.5, 0.2, 0.2, 0.1]):
        assert sum(_widths(shares)) == BAR


def test_explain_gives_formula_numbers_and_source_of_each_result(made: Estimate) -> None:
    text = "\n".join(explain(made))
    assert "energy = " in text
    assert "= energy_it × pue" in text
    assert "= energy × grid" in text
    for item in made.assumptions:
        assert item.key in text, item.key
        assert item.source in text, item.key


def test_explain_points_at_the_users_file(tmp_path: Path) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "model: {flops: 1e21 FLOP}\n"
        "hardware: {accelerator: a100-sxm4-80, count: 8, utilization: 0.4}\n"
    )
    text = "\n".join(explain(costcalc.estimate(file)))
    assert f"{file}:2:62: run file" in text
