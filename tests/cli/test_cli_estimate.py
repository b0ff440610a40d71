"""``costcalc estimate`` and ``explain`` from the command line, in process and as a process."""

from __future__ import annotations

import importlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from costcalc.cli import COMMANDS, GROUPS, LIMIT, run

ROOT = Path(__file__).parent.parent.parent
FLAGS = [
    "estimate",
    "--model",
    "llama-3-8b",
    "--tokens",
    "15T",
    "--accelerator",
    "h100-sxm5-80",
    "--count",
    "1024",
    "--region",
    "aws:us-east-1",
]


def out(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    found = run(list(arguments))
    captured = capsys.readouterr()
    assert found == code, captured.err
    return captured.out, captured.err


def test_all_by_flags_is_the_same_as_the_file(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "run.yaml"
    file.write_text(
        "model: {preset: llama-3-8b}\ntraining: {tokens: 15T}\n"
        "hardware: {accelerator: h100-sxm5-80, count: 1024}\n"
        "site: {region: aws:us-east-1}\n"
    )
    by_flags = json.loads(out(capsys, *FLAGS, "--json")[0])
    by_file = json.loads(out(capsys, "estimate", str(file), "--json")[0])
    assert by_flags["results"] == by_file["results"]


def test_set_and_limit_change_any_key(capsys: pytest.CaptureFixture[str]) -> None:
    text, _ = out(
        capsys,
        *FLAGS,
        "--set",
        "training.tokens=2T",
        "--set",
        "hardware.layout={tensor: 8, sharding: zero1}",
        "--limit",
        "cost=500USD",
        "--json",
        code=3,
    )
    made = json.loads(text)
    assert made["run"]["training"]["tokens"] == "2T"
    assert made["details"]["layout"]["tensor"] == 8
    assert made["limits"][0]["passed"] is True


def test_hours_flags_are_a_measured_run(capsys: pytest.CaptureFixture[str]) -> None:
    text, _ = out(
        capsys,
        "estimate",
        "--accelerator",
        "a100-sxm4-80",
        "--count",
        "4",
        "--hours",
        "36",
        "--region",
        "FR",
        "--json",
    )
    made = json.loads(text)
    assert made["results"]["device_hours"]["value"] == pytest.approx(144)
    assert made["results"]["wall_clock"]["basis"] == "measured"


@pytest.mark.parametrize("shape", ["table", "yaml", "markdown", "latex", "json"])
def test_every_format(capsys: pytest.CaptureFixture[str], shape: str) -> None:
    text, error = out(capsys, *FLAGS, "--format", shape)
    assert text.strip()
    assert error == ""
    if shape == "yaml":
        assert yaml.safe_load(text)["results"]["training_compute"]["value"] > 7e23
    if shape == "json":
        assert json.loads(text)["schema"] == "costcalc/report/v1"


def test_an_unknown_format_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    _, error = out(capsys, *FLAGS, "--format", "xml", code=2)
    assert error == '--format: expected one of table, json, yaml, markdown, latex; got "xml"\n'


def test_the_report_is_written_and_not_overwritten(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    file = tmp_path / "costs.yaml"
    _, error = out(capsys, *FLAGS, "-o", str(file))
    assert error == f"wrote {file}\n"
    _, error = out(capsys, *FLAGS, "-o", str(file), code=2)
    assert error.startswith(f"{file}: exists already")
    out(capsys, *FLAGS, "-o", str(file), "--force")
    assert yaml.safe_load(file.read_text())["digest"].startswith("sha256:")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["estimat"], "costcalc: no command estimat; did you mean estimate?"),
        (["estimate", "--tokns", "1"], "costcalc: No such option: --tokns"),
        (["estimate", "missing.yaml"], "missing.yaml: cannot be read: No such file or directory"),
        (["estimate"], "run: hardware: missing on what"),
    ],
)
def test_wrong_use_is_said_and_exits_2(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    text, error = out(capsys, *arguments, code=2)
    assert text == ""
    assert message in error


def test_explain_prints_formulas(capsys: pytest.CaptureFixture[str]) -> None:
    text, _ = out(capsys, "explain", str(ROOT / "examples" / "llama-3-8b.yaml"))
    assert "= energy_it × pue" in text
    assert "site.grid" in text


def process(*arguments: str, stdin: str | None = None, **environment: str) -> Any:
    return subprocess.run(
        [sys.executable, "-m", "costcalc", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        env={**os.environ, **environment},
        check=False,
        cwd=ROOT,
        timeout=120,
    )


def test_stdin_is_read() -> None:
    text = (ROOT / "examples" / "gpt-3.yaml").read_text()
    found = process("estimate", "-", "--json", stdin=text)
    assert found.returncode == 0, found.stderr
    assert json.loads(found.stdout)["results"]["training_compute"]["value"] == 3.14e23


def test_a_pipe_gets_no_colours_and_no_trailing_spaces() -> None:
    found = process("estimate", "examples/llama-3-8b.yaml", NO_COLOR="1", COLUMNS="80")
    assert found.returncode == 0, found.stderr
    assert "\x1b" not in found.stdout
    assert all(line == line.rstrip() for line in found.stdout.splitlines())
    assert all(len(line) <= 80 for line in found.stdout.splitlines())


def test_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m costcalc estimate examples/llama-3-8b.yaml --json | head -1"
    found = subprocess.run(
        command, shell=True, capture_output=True, text=True, cwd=ROOT, check=False, timeout=120
    )
    assert found.stdout == "{\n"
    assert "Traceback" not in found.stderr


@pytest.mark.skipif(shutil.which("unshare") is None, reason="no unshare to cut the network off")
def test_an_empty_network_namespace_changes_nothing() -> None:
    command = [sys.executable, "-m", "costcalc", "estimate", "examples/llama-3-8b.yaml", "--json"]
    cut = subprocess.run(
        ["unshare", "-rn", *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=False,
        timeout=120,
    )
    if "unshare" in cut.stderr and cut.returncode != 0:
        pytest.skip(f"unshare is not allowed here: {cut.stderr.strip()}")
    plain = subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, check=True, timeout=120
    )
    assert cut.stdout == plain.stdout


def test_a_file_alone_goes_the_short_way_and_says_the_same(capsys, tmp_path):
    """`estimate FILE` is not parsed by typer; `estimate FILE --set …` is."""
    file = str(tmp_path / "run.yaml")
    Path(file).write_text(
        "model: {preset: llama-3-8b}\ntraining: {tokens: 1B}\n"
        "hardware: {accelerator: h100, count: 8}\nlimits: {cost: 1 USD}\n"
    )
    short = out(capsys, "estimate", file, code=LIMIT)
    assert short == out(capsys, "estimate", file, "--format", "table", code=LIMIT)
    assert short[0]


def test_after_two_dashes_a_word_is_still_a_command(capsys):
    assert out(capsys, "--", "models", "llama-3-8b")[0].startswith("llama-3-8b")


def test_the_summaries_of_all_words_are_those_of_their_commands():
    for name, (module, summary) in COMMANDS.items():
        loaded = importlib.import_module(module)
        assert hasattr(loaded, "app") == (name in GROUPS)
        if name not in GROUPS:
            told = " ".join(loaded.command.__doc__.split("\n\n")[0].split())
            assert told == summary, name


@pytest.mark.parametrize(
    ("words", "key", "value"),
    [
        (["--hours", "36"], "wall_clock", 36 * 3600),
        (["--hours", "1.5d"], "wall_clock", 36 * 3600),
        (["--hours", "36:00:00"], "wall_clock", 36 * 3600),
        (["--hours", "36", "--accelerator", "h100"], "devices", 1),  # the last one wins
        (["--hours", "36", "--count", "4"], "devices", 4),
    ],
)
def test_a_run_told_by_options(capsys, words, key, value):
    given = ["estimate", "--accelerator", "h100-sxm5-80", *words, "--json"]
    assert run(given) == 0
    made = json.loads(capsys.readouterr().out)
    found = {
        "wall_clock": made["results"]["wall_clock"]["value"] * 3600,
        "devices": made["results"]["device_hours"]["value"] / 36,
    }
    assert found[key] == pytest.approx(value)


def test_options_are_the_keys_they_stand_for(capsys):
    given = [
        *("--parameters", "7B", "--steps", "100", "--batch", "1M", "--sequence-length", "2048"),
        *("--runs", "2", "--power", "300 W", "--price", "$2", "--pue", "1.1"),
        *("--grid", "100 gCO2e/kWh", "--accelerator", "h100-sxm5-80", "--count", "8", "--json"),
    ]
    assert run(["estimate", *given]) == 0
    told = {item["key"]: item for item in json.loads(capsys.readouterr().out)["assumptions"]}
    for key, value in {
        "training.runs": 2,
        "hardware.board_power": 300,
        "price.device_hour": 2,
        "site.pue": 1.1,
        "site.grid": 100,
    }.items():
        assert told[key]["value"] == pytest.approx(value), key
        assert told[key]["basis"] == "given"
