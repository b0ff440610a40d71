"""Ordinary runs: who runs them, with and without the name of their software, and their memory."""

from __future__ import annotations

import pytest

from costcalc.cli import OK, run
from costcalc.validate import measurements
from costcalc.validate.measurements import SOFTWARE, VENDORS, rows, shipped, untold, user
from costcalc.validate.run_files import run_of
from costcalc.validate.score import Point
from costcalc.validate.tables import Report, category
from costcalc.validate.text import worst

ORDINARY = {row["id"]: row for row in rows() if row["id"] in {r["id"] for r in shipped("ordinary")}}


# --- the table -----------------------------------------------------------------------------------


def test_the_table_of_ordinary_runs_is_whole() -> None:
    assert len(ORDINARY) == len(shipped("ordinary")) > 340
    groups = {row["group"] for row in ORDINARY.values()}
    assert len(groups - {"qwen", "ms-swift", "peft", "litgpt"}) >= 16
    for row in ORDINARY.values():
        assert row["source"]
        assert row["shape"] in measurements.models()
        rate = row["tokens_per_s"] or row["samples_per_s"]
        assert rate or row["peak_memory_gib"] or row["out_of_memory"], row["id"]
        assert bool(row["peak_memory_gib"]) == bool(row["memory_of"]), row["id"]
        assert row["memory_of"] in ("", "allocated", "reserved", "board")


@pytest.mark.parametrize(
    ("id_", "rate"),
    [
        # 1,024 samples of 2,048 tokens in 998 s on two RTX 3090
        ("O005", 1024 * 2048 / 998 / 2),
        # 3,497 tokens a second on eight A100
        ("O038", 3497 / 8),
        # 142,156 tokens a second on one A100
        ("O077", 142156),
        # 100 sequences of 1,024 tokens in 755 ms
        ("O140", 100 * 1024 / 0.755),
        # 2¹⁹ tokens in 140 ms on eight H100
        ("O143", 2**19 / 0.140 / 8),
    ],
)
def test_rates_by_hand(id_: str, rate: float) -> None:
    assert float(ORDINARY[id_]["tokens_per_s"]) == pytest.approx(rate, rel=1e-5)


def test_samples_by_hand() -> None:
    # VGG-16: 16 images forward and backward in 108.8 ms on a Titan V
    row = next(r for r in ORDINARY.values() if r["group"] == "u39kun")
    assert float(row["samples_per_s"]) == pytest.approx(16 / 0.1088, rel=1e-5)


# --- users ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("group", "devices", "who"),
    [
        ("torchtune", "1", "one GPU"),
        ("answer-ai", "2", "one node"),
        ("torchtitan", "8", "one node"),
        ("internevo", "16", "cluster"),
        ("mlperf", "1", "vendor benchmark"),
    ],
)
def test_who_runs_a_row(group: str, devices: str, who: str) -> None:
    assert user({"group": group, "devices": devices}) == who


def test_vendors_are_groups_of_the_table() -> None:
    assert {row["group"] for row in rows()} >= VENDORS


def test_software_that_is_not_told_is_all_that_goes() -> None:
    row = ORDINARY["O034"]
    told, not_told = run_of(row), run_of(untold(row))
    assert told["training"]["software"] == "torchtune"
    assert told["training"]["compiled"] is True
    assert told["training"]["gradients"] == "freed"
    assert not set(not_told["training"]) & set(SOFTWARE)
    left = {k: v for k, v in told["training"].items() if k not in SOFTWARE}
    assert not_told == {**told, "training": left}


def test_each_user_has_a_row_with_and_without_the_software(report) -> None:
    lines = {line.name: line.score for line in report.lines()}
    for who in ("one GPU", "one node", "cluster"):
        assert lines[f"LLM, {who}"].n > 30
        assert lines[f"LLM, {who}, software not told"].n <= lines[f"LLM, {who}"].n
    assert lines["LLM, vendor benchmark"].claimed
    assert lines["peak memory, software told †"].n == lines["peak memory, software not told †"].n
    tables = {(t.title, t.by): t.rows for t in report.tables}
    peaks = tables["Peak memory a device, software told", "user"]
    assert {"one GPU", "one node"} <= set(peaks)
    names = list(lines)
    assert names.index("LLM, one GPU") < names.index("LLM, one node") < names.index("LLM, cluster")


def test_a_language_model_s_row_is_of_one_user(report) -> None:
    by_user = report.points["LLM throughput by user"]
    assert len({point.id for point in by_user}) == len(by_user)
    assert all(point.user and point.reference for point in by_user)
    # of a sweep over layouts the fastest alone stands where the layout is hidden
    hidden = {point.id for point in report.points["LLM throughput, layout hidden (auto)"]}
    assert hidden < {point.id for point in by_user}


# --- the worst -----------------------------------------------------------------------------------


def _report(points: list[Point]) -> Report:
    made = category("A", points, ("user",))
    again = category("B", points, ("user",))
    sums = category("C", [Point(measured=1.0, predicted=99.0, id="c")], ("user",), arithmetic=True)
    return Report(method="", categories=[made, again, sums], noise=(0, 0.0), unsized=0)


def test_the_worst_come_first_and_once() -> None:
    half = Point(measured=2.0, predicted=1.0, id="half", name="m", accelerator="x", user="one GPU")
    tripled = Point(measured=1.0, predicted=3.0, id="tripled", unit="GiB", reference="paper")
    none = Point(measured=1.0, id="none", refusal="it does not fit")
    good = Point(measured=1.0, predicted=1.1, low=1.0, high=1.2, id="good")
    report = _report([good, half, tripled, none])
    assert [p.id for p in report.worst(3)] == ["none", "tripled", "half"]
    lines = [line.text for line in worst(report, 3)]
    assert all(len(line) <= 79 for line in lines)
    assert lines[1].split() == ["none", "×", "1", "1.00", "refused"]
    assert lines[2] == "  it does not fit"
    assert lines[3].endswith("+200%")  # 3 / 1 - 1
    assert lines[4] == "  GiB, paper"
    assert lines[5].endswith("-50%")  # 1 / 2 - 1


def test_the_command_prints_the_worst(report, monkeypatch, capsys) -> None:
    monkeypatch.setattr("costcalc.validate.validate", lambda: report)
    assert run(["validate", "--worst", "2"]) == OK
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.split() == ["measured", "predicted", "off"]
    assert rest[0].startswith(report.worst(1)[0].id)
