"""What a terminal, a pipe or a key may do to a command: it ends cleanly, with its code."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
import yaml

from costcalc.cli import COMMANDS, LIMIT, OK, WRONG_USE, run
from costcalc.cli.screen import spelt

ROOT = Path(__file__).parents[2]
RUN = "examples/llama-3-8b.yaml"
SERIES = "time,intensity\n" + "".join(f"2026-01-01T{h:02}:00Z,{100 + h}\n" for h in range(24))
SHORT = ["--set", "hardware.count=8", "--set", "training.tokens=1M"]
EACH = {
    "estimate": [RUN],
    "explain": [RUN],
    "layout": [RUN, "--top", "2"],
    "calibrate": ["REPORT", "--step-time", "20 s"],
    "validate": ["TABLE"],
    "models": ["llama-3-8b"],
    "software": ["litgpt"],
    "hardware": ["show", "h100-sxm5-80"],
    "prices": ["list", "t4"],
    "regions": ["show", "CA-QC"],
    "peak": ["h100"],
    "diff": [RUN, RUN],
    "check": [RUN],
    "compare": ["examples/compare.yaml", "--top", "3"],
    "plan": ["examples/plan.yaml"],
    "place": ["--flops", "1e24"],
    "report": ["show", "REPORT"],
    "track": ["merge", "--help"],
    "when": ["examples/sft-llama-3-8b.yaml", "--series", "SERIES", *SHORT],
    "mcp": ["--help"],
    "serve": ["--help"],
    "fleet": ["--help"],
    "sbatch": ["--help"],
    "schema": ["report"],
}
PLAIN = {
    "ascii": {"PYTHONIOENCODING": "ascii"},
    "cp1252": {"PYTHONIOENCODING": "cp1252"},
    "C": {"PYTHONUTF8": "0", "LC_ALL": "C", "PYTHONCOERCECLOCALE": "0"},
}


def started(
    *arguments: str, env: dict[str, str] | None = None, stdout: int = subprocess.PIPE
) -> subprocess.Popen[bytes]:
    around = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHONIO", "PYTHONUTF"))}
    return subprocess.Popen(
        [sys.executable, "-m", "costcalc", *arguments],
        cwd=ROOT,
        env={**around, **(env or {})},
        stdout=stdout,
        stderr=subprocess.PIPE,
    )


def inside(*arguments: str, encoding: str = "utf-8") -> tuple[int, bytes, bytes]:
    """The same within this process, whose streams are of an encoding."""
    out = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
    said = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="backslashreplace")
    with redirect_stdout(out), redirect_stderr(said), chdir(ROOT):
        code = run(list(arguments))
        for stream in (out, said):
            stream.flush()
    return code, out.buffer.getvalue(), said.buffer.getvalue()


def ended(*arguments: str, env: dict[str, str] | None = None) -> tuple[int, bytes, bytes]:
    process = started(*arguments, env=env)
    out, said = process.communicate(timeout=300)
    return process.returncode, out, said


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("streams")
    (folder / "series.csv").write_text(SERIES, encoding="utf-8")
    report = folder / "report.yaml"
    assert inside("estimate", RUN, "-o", str(report))[0] == OK
    (folder / "table.csv").write_text(
        "accelerator,devices,precision,parameters,tokens_per_s\nh100,64,bf16,8B,9k\n"
    )
    named = {"SERIES": "series.csv", "REPORT": "report.yaml", "TABLE": "table.csv"}
    return {name: str(folder / file) for name, file in named.items()}


def test_every_command_is_tried() -> None:
    assert EACH.keys() == COMMANDS.keys()


@pytest.mark.parametrize("word", EACH)
def test_a_stream_of_ascii_gets_a_spelling(word: str, files: dict[str, str]) -> None:
    arguments = [word, *(files.get(argument, argument) for argument in EACH[word])]
    code, out, said = inside(*arguments, encoding="ascii")
    assert code in (OK, LIMIT), said.decode()
    assert out.decode("ascii").strip()
    assert b"Traceback" not in said


@pytest.mark.parametrize("where", PLAIN)
def test_an_estimate_is_readable_in_any_encoding(where: str) -> None:
    code, out, said = ended("estimate", RUN, env=PLAIN[where])
    assert code == OK, said.decode()
    text = out.decode("cp1252")
    assert "Llama 3 8B, 15T tokens on 1024 H100" in text
    assert re.search(r"Time +[0-9.]+ days +[0-9.]+ [-–] [0-9.]+ ", text)
    assert "#####" in text  # the bars


@pytest.mark.parametrize("where", PLAIN)
def test_a_fault_is_readable_in_any_encoding(where: str) -> None:
    code, _, said = ended("estimate", "--accelerator", "h100×y", "--tokens", "1T", env=PLAIN[where])
    assert code == WRONG_USE
    assert b"no accelerator" in said
    assert b"Traceback" not in said


def test_json_and_yaml_mean_the_same_in_any_encoding() -> None:
    name = ["--set", "name=Größe 東 😀"]
    wanted = json.loads(inside("estimate", RUN, *name, "--json")[1].decode("utf-8"))
    assert wanted["name"] == "Größe 東 😀"
    text = inside("estimate", RUN, *name, "--json", encoding="cp1252")[1].decode("ascii")
    assert json.loads(text) == wanted
    text = inside("estimate", RUN, *name, "-f", "yaml", encoding="cp1252")[1].decode("ascii")
    assert yaml.safe_load(text) == wanted


def test_whoever_asks_for_another_way_keeps_it() -> None:
    out = ended("estimate", RUN, env={"PYTHONIOENCODING": "ascii:replace"})[1]
    assert re.search(rb"Time +[0-9.]+ days +[0-9.]+ [?] [0-9.]+ ", out)


def test_letters_lose_accents_and_signs_get_words() -> None:
    assert spelt("≥ 3 × 4 µs … é ø €") == ">= 3 x 4 us ... e o EUR"
    assert spelt("\udc80東") == "??"


@pytest.mark.parametrize("arguments", [["estimate", RUN, "--json"], ["models"], ["schema"]])
def test_a_closed_pipe_is_no_fault(arguments: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    process = started(*arguments, stdout=write)
    os.close(write)
    _, said = process.communicate(timeout=300)
    assert (process.returncode, said) == (OK, b"")


def test_an_unknown_command_names_the_nearest() -> None:
    code, out, said = inside("estimat", RUN)
    assert (code, out) == (WRONG_USE, b"")
    assert said.decode() == "costcalc: no command estimat; did you mean estimate?\n"


@pytest.mark.parametrize(
    "arguments",
    [
        ["estimate", "nothing.yaml"],
        ["compare", "nothing.yaml"],
        ["plan", "nothing.yaml"],
        ["place", "nothing.yaml"],
        ["when", "nothing.yaml", "--series", "nothing.csv"],
        ["layout", "nothing.yaml"],
        ["explain", "nothing.yaml"],
        ["report", "verify", "nothing.yaml"],
        ["report", "show", "nothing.yaml"],
        ["report", "merge", "nothing.yaml", "nothing.yaml"],
        ["report", "import", "slurm", "nothing.csv"],
        ["hardware", "check", "nothing.yaml"],
        ["validate", "nothing.csv"],
        ["track", "--run", "nothing.yaml", "--", "true"],
        ["track", "merge", "nothing"],
    ],
    ids=" ".join,
)
def test_a_missing_file_is_named(arguments: list[str]) -> None:
    code, out, said = inside(*arguments)
    assert code == WRONG_USE, said.decode()
    assert out == b""
    assert b"nothing" in said
    assert b"Traceback" not in said


def test_control_c_ends_at_once_and_says_so(tmp_path: Path) -> None:
    fifo = tmp_path / "run.yaml"
    os.mkfifo(fifo)
    process = started("estimate", str(fifo))
    with fifo.open("w"):  # opens once the command reads it, and holds it there
        time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, b"interrupted\n")
