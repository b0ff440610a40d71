"""The four commands on their example files, as the first lines of these say, 80 columns wide."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest

from costcalc.cli import run

ROOT = Path(__file__).parent.parent.parent
COMMANDS = ("compare", "plan", "when", "place")


def command_of(name: str) -> list[str]:
    """What the example's comment tells to run."""
    text = (ROOT / "examples" / f"{name}.yaml").read_text(encoding="utf-8")
    found = re.search(rf"^# costcalc ({name} .*)$", text, re.MULTILINE)
    assert found, f"examples/{name}.yaml does not say how to run it"
    return shlex.split(found[1])


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")


@pytest.mark.parametrize("name", COMMANDS)
def test_an_example_runs_as_written(name, capsys):
    assert run(command_of(name)) == 0
    said = capsys.readouterr()
    assert said.err == ""
    assert "data: " in said.out  # the sources of what it says
    long = [line for line in said.out.splitlines() if len(line.rstrip()) > 80]
    assert not long, long


@pytest.mark.parametrize("name", COMMANDS)
def test_json_is_one_document_with_its_sources(name, capsys):
    assert run([*command_of(name), "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["schema"] == f"costcalc/{name}/v1"
    assert made["sources"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["compare", "examples/compare.yaml", "--minimize", "carbn"],
            "minimize: expected time, cost",
        ),
        (
            ["compare", "examples/compare.yaml", "--regions", "aws:us-esat-1"],
            "regions: no region aws:us-esat-1; nearest: aws:us-east-1, aws:us-west-1",
        ),
        (
            ["plan"],
            "limits: nothing to plan with: give one or more of cost, time, energy, carbon, "
            "such as cost: 500 USD",
        ),
        (
            ["plan", "--limit", "cost=5USD", "--scores", ","],
            "--scores: expected numbers as 0.71,0.74",
        ),
        (["when", "examples/when.yaml"], "when: expected one of --series FILE or --source NAME"),
        (
            [
                "when",
                "examples/when.yaml",
                "--series",
                "examples/grid-hourly.csv",
                "--start",
                "soon",
            ],
            '--start: expected a time as 2026-01-01T00:00Z; got "soon"',
        ),
        (
            [
                "when",
                "examples/when.yaml",
                "--series",
                "examples/grid-hourly.csv",
                "--pause-within",
                "0.5",
            ],
            "--pause-within: expected 1 or more times the duration; got 0.5",
        ),
        (["place"], "place: expected one of a run file, --flops or --landmark"),
        (
            ["place", "--flops", "3e24x"],
            '--flops: expected a compute as 3.14e23 or 20 EFLOP; got "3e2',
        ),
        (["place", "--flops", "1e24", "--error", "5"], "--error: expected a share between 0 and 1"),
    ],
)
def test_a_slip_is_told_in_one_line(arguments, message, capsys):
    assert run(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert message in said.err
    assert "Traceback" not in said.err


def test_limits_that_nothing_meets_exit_3(capsys):
    arguments = ["compare", "examples/compare.yaml", "--minimize", "carbon", "--limit", "cost=1USD"]
    assert run(arguments) == 3
    assert "nothing compared meets the limits" in capsys.readouterr().err


def test_without_limits_none_is_missed(capsys):
    """70 B on one or two boards of 24 GiB cannot run, and no limit was asked for."""
    asked = ["--model", "llama-3-70b", "--tokens", "1B", "--accelerators", "rtx-4090"]
    place = ["--counts", "1,2", "--regions", "FR", "--minimize", "cost"]
    assert run(["compare", *asked, *place]) == 3
    shown = capsys.readouterr()
    assert shown.err == "nothing compared can run\n"
    assert "least cost: nothing can run\n" in shown.out
    assert "limits" not in shown.out
