"""The four commands of decide: tables, JSON, files and exit codes, on the shipped examples."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from costcalc.cli import run

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def called(capsys, *words):
    code = run([str(word) for word in words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


@pytest.fixture(autouse=True)
def _wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "160")


def test_place_table_and_json(capsys):
    code, out, _ = called(capsys, "place", EXAMPLES / "place.yaml")
    assert code == 0
    for word in ("stands between", "Who can afford it", "Doubling times", "CC BY 4.0", "10^25"):
        assert word in out
    code, out, _ = called(capsys, "place", "--flops", "2e25", "--date", "2024-06-01", "--json")
    made = json.loads(out)
    assert (code, made["schema"], made["date"]) == (0, "costcalc/place/v1", "2024-06-01")
    assert all(mark["passed"] for mark in made["marks"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["place"], "expected one of a run file"),
        (["place", "--flops", "-1"], "expected FLOP above 0"),
        (
            ["place", "--flops", "1e20", "--date", "then"],
            'expected a day as 2020-05-28; got "then"',
        ),
        (["place", "--flops", "1e20", "--error", "x"], 'expected an error as 5% or 0.05; got "x"'),
        (["place", "--flops", "1e20", "--quantity", "x"], "expected operations or burden"),
        (
            ["place", "--flops", "1e20", "--error", "5%", "--benchmark", "ImageNe"],
            "nearest: ImageNet",
        ),
        (["when", EXAMPLES / "when.yaml"], "expected one of --series FILE or --source NAME"),
        (["when", EXAMPLES / "when.yaml", "--series", "no.csv"], "no.csv: series: cannot be read"),
        (["plan"], "nothing to plan with"),
        (["plan", "--limit", "cost=5kUSD", "--scores", "good"], "expected numbers as 0.71,0.74"),
        (
            ["compare", EXAMPLES / "compare.yaml", "--minimize", "fame"],
            "expected time, cost, carbon",
        ),
    ],
)
def test_wrong_use_is_two(capsys, words, message):
    code, out, err = called(capsys, *words)
    assert (code, out) == (2, "")
    assert message in err


def test_target_error_on_a_profile(capsys):
    _, out, _ = called(
        capsys,
        "place",
        "--landmark",
        "AlexNet",
        "--error",
        "5%",
        "--quantity",
        "operations",
        "--region",
        "US",
    )
    assert "ImageNet, error 5.0 %: 5.9e+25 FLOP" in out
    assert "on h100-sxm5-80: " in out
    _, out, _ = called(
        capsys, "place", "--landmark", "AlexNet", "--error", "30%", "--benchmark", "WMT14 EN-DE"
    )
    assert "WMT14 EN-DE, error 30 %: unknown, not significant" in out


def test_compare_example(capsys, tmp_path):
    path = tmp_path / "all.csv"
    code, out, err = called(capsys, "compare", EXAMPLES / "compare.yaml", "-o", path)
    assert code == 0
    assert "120 scenarios" in out
    assert "regions ranked by grid factors that are lifecycle" in out
    assert len(path.read_text().splitlines()) == 121
    assert f"wrote {path}" in err
    code, _, err = called(capsys, "compare", EXAMPLES / "compare.yaml", "-o", path)
    assert code == 2
    assert "exists; --force overwrites it" in err


def test_compare_exits_three_when_nothing_meets_the_limits(capsys):
    code, out, err = called(
        capsys,
        "compare",
        EXAMPLES / "compare.yaml",
        "--minimize",
        "carbon",
        "--limit",
        "cost=1USD",
        "--json",
    )
    assert code == 3
    assert json.loads(out)["best"] is None
    assert "nothing compared meets the limits" in err


def test_when_example(capsys):
    words = [
        "when",
        EXAMPLES / "when.yaml",
        "--series",
        EXAMPLES / "grid-hourly.csv",
        "--window",
        "24 h",
        "--pause-above",
        "300 gCO2e/kWh",
    ]
    code, out, _ = called(capsys, *words)
    assert code == 0
    assert "Worth waiting: a start at 2026-06-01 08:00 UTC" in out
    assert "paused above 300" in out
    code, out, _ = called(capsys, *words, "--json")
    made = json.loads(out)
    assert (made["signal"], made["worth_waiting"], made["window_hours"]) == ("average", True, 24.0)
    assert made["paused"]["saving"] > 0
    code, _, _ = called(capsys, *words[:4], "--window", "0 h", "--need")
    assert code == 3


def test_plan_example_and_its_file(capsys, tmp_path):
    path = tmp_path / "run.yaml"
    code, out, _ = called(
        capsys, "plan", EXAMPLES / "plan.yaml", "-o", path, "--interruptions-per-day", "1"
    )
    assert code == 0
    for word in ("(binding)", "Hoffmann et al. 2022", "Besiroglu et al. 2024", "Spot: "):
        assert word in out
    code, out, _ = called(capsys, "estimate", path, "--json")
    assert code == 0
    assert not any(limit["passed"] for limit in json.loads(out)["limits"])


def test_public_names_are_functions_and_stay_so():
    import importlib

    import costcalc

    for module in ("comparing", "planning", "placing", "waiting"):
        importlib.import_module(f"costcalc.decide.{module}")
    for name in ("compare", "plan", "when", "place"):
        assert callable(getattr(costcalc, name))
        assert getattr(costcalc, name).__name__ == name
