"""A report names nobody unless it is asked to: the examples, and a run file full of names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import costcalc
from costcalc import cli
from costcalc.base.blind import nameless
from costcalc.base.errors import InputError
from costcalc.report.check import verify
from costcalc.report.files import load
from costcalc.report.renderings import FORMATS, render

ROOT = Path(__file__).parent.parent.parent
RUNS = sorted((ROOT / "examples").glob("*.yaml"))
NAMES = ("alice", "bob", "/home", "scratch", "node17", "ethz", "4711", "10.1.2.3", "secret")


@pytest.fixture
def named(tmp_path: Path) -> Path:
    """A run file with names wherever an author can type one."""
    folder = tmp_path / "home" / "alice"
    profiles = folder / "secret-profiles" / "accelerators"
    profiles.mkdir(parents=True)
    shipped = ROOT / "hardware_profiles" / "accelerators" / "h100-sxm5-80.yaml"
    (profiles / "my-h100.yaml").write_text(shipped.read_text(encoding="utf-8"), encoding="utf-8")
    config = folder / "secret" / "config.json"
    config.parent.mkdir()
    small = ROOT / "examples" / "configs" / "smollm2-135m.json"
    config.write_text(small.read_text(encoding="utf-8"), encoding="utf-8")
    run = {
        "name": "Run of alice@ethz.ch in /home/alice/x on node17.hpc.ethz.ch (10.1.2.3), job 4711",
        "subject": {
            "paper": "https://alice.github.io/paper.pdf",
            "code": "git@github.com:alice/secret.git",
            "commit": "0a1b2c3",
        },
        "model": {"config": str(config)},
        "training": {"tokens": "1B"},
        "hardware": {"accelerator": "my-h100", "count": 8},
        "profiles": str(profiles.parent),
        "stages": [
            {"name": "warm-up in ~bob/scratch/a"},
            {"name": "main", "training": {"tokens": "2B"}},
        ],
    }
    path = folder / "run.yaml"
    path.write_text(yaml.safe_dump(run), encoding="utf-8")
    return path


def test_nothing_in_it_names_anybody(named: Path, tmp_path: Path) -> None:
    out = tmp_path / "report.yaml"
    assert cli.run(["estimate", str(named), "-o", str(out)]) == 0
    found = out.read_text(encoding="utf-8").lower()
    assert [name for name in NAMES if name in found] == []
    assert str(tmp_path).lower() not in found
    report = load(out)
    assert report["name"] == (
        "Run of (withheld) in (withheld) on (withheld) ((withheld)), (withheld)"
    )
    assert report["subject"] == {
        "paper": None,
        "code": None,
        "commit": "0a1b2c3",
        "models": [],
        "why": "paper, code: tells who wrote it; --identify keeps it",
    }
    small = json.loads((ROOT / "examples/configs/smollm2-135m.json").read_text(encoding="utf-8"))
    assert report["run"]["model"] == {"config": small}  # the model itself, no path
    assert report["run"]["profiles"] == "profiles"
    assert "my-h100.yaml" in report["data"]
    assert report["profiles"]["my-h100.yaml"]["id"] == "h100-sxm5-80"
    assert "url" not in report["profiles"]["my-h100.yaml"]["sources"]["datasheet"]
    verdict = verify(out)
    assert verdict.discrepancies == ()
    assert verdict.recomputed  # with the profile that it carries
    for shape in FORMATS:
        shown = render(report, shape).lower()
        assert [name for name in NAMES if name in shown] == []


def test_identify_keeps_all_as_typed(
    named: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, typed = tmp_path / "report.yaml", yaml.safe_load(named.read_text(encoding="utf-8"))
    assert cli.run(["estimate", str(named), "-o", str(out)]) == 0
    assert (
        "withheld, since it tells who wrote it: subject.paper, subject.code, name; "
        "--identify keeps it\n"
    ) in capsys.readouterr().err
    assert cli.run(["estimate", str(named), "-o", str(out), "--force", "--identify"]) == 0
    assert "withheld" not in capsys.readouterr().err
    report = load(out)
    assert report["name"] == typed["name"]
    assert {key: report["subject"][key] for key in typed["subject"]} == typed["subject"]
    config = json.loads(Path(typed["model"]["config"]).read_text(encoding="utf-8"))
    assert report["run"]["model"] == {"config": config}  # carried, in the place of its path
    assert report["run"]["stages"] == typed["stages"]
    assert report["profiles"]["my-h100.yaml"]["sources"]["datasheet"]["url"].startswith("https")
    assert verify(out).discrepancies == ()


@pytest.mark.parametrize("path", RUNS, ids=lambda path: path.stem)
def test_the_examples_lose_nothing_but_folders(path: Path) -> None:
    try:
        made = costcalc.estimate(path)
    except InputError:
        pytest.skip("no run file: a comparison or a plan")
    blind, full = made.to_dict(), made.to_dict(identify=True)
    assert blind["results"] == full["results"]
    assert blind["assumptions"] == full["assumptions"]
    assert blind["data"] == full["data"]
    assert blind["name"] == full["name"]
    assert blind["warnings"] == full["warnings"]
    assert "withheld" not in str(blind)


@pytest.mark.parametrize(
    "text",
    [
        "Llama 3 8B, 15T tokens on 1024 H100",
        "and/or",
        "1/7 of an A100",
        "openai/whisper-small",
        "SFT v2.1: 3e-4 lr",
        "GPT-3 (175B) @ 300B",
        "a/b test",
        "run 12",
        "ViT-B/16",
        "km/h",
        "RLHF + DPO",
        "stage 2 of 3",
        "p5.48xlarge",
        "aws:us-east-1",
        "torch 2.13.0",
        "9.6e6 token/s",
    ],
)
def test_what_names_nobody_stays(text: str) -> None:
    assert nameless(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "/home/ada",
        "/home/ada/x",
        "~/x",
        "~ada/x",
        "../ada/x",
        r"C:\Users\ada\x",
        r"\\srv\ada\x",
        "ada@example.org",
        "ada@login1",
        "https://github.com/ada/x",
        "ssh://ada@h/x",
        "login1.cluster.example.com",
        "192.168.1.17",
        "slurm-123456",
        "job 123456_7",
        "$HOME/x",
        "s3://bucket/ada",
        "/Users/ada",
    ],
)
def test_what_names_somebody_goes(text: str) -> None:
    assert nameless(text) == "(withheld)"
    assert nameless(f"a run, {text} it was") == "a run, (withheld) it was"


@given(st.text(max_size=300))
def test_any_text_is_read_once_and_for_all(text: str) -> None:
    once = nameless(text)
    assert nameless(once) == once


@pytest.mark.parametrize("piece", ["a.", "/a", "a@", "1.1.1.1", "-", "a", "a+.", "x://", "job "])
def test_a_long_text_is_read(piece: str) -> None:
    assert nameless(piece * 30_000)  # ends: a pattern that goes back would not
