"""Tables, baselines, lines of 80 columns, JSON and plot: what a reader of the proof sees."""

from __future__ import annotations

import json
import math
import xml.etree.ElementTree as ET

import pytest

from costcalc.base.writing import to_json
from costcalc.cli import OK, run
from costcalc.validate import tables, text
from costcalc.validate.score import Point, score

LAYOUT_GIVEN = "LLM throughput, layout given"
LAYOUT_HIDDEN = "LLM throughput, layout hidden (auto)"
RUNS = "Published runs, FLOPs to device-hours"
POWER = "Power of a device, measured"
FOOTPRINTS = "Published energy and CO2e from their own inputs"


@pytest.fixture(scope="module")
def by_name(report):
    return {(table.title, table.by): table for table in report.tables}


# --- tables --------------------------------------------------------------------------------------


def test_every_category_is_there(report) -> None:
    names = [line.name for line in report.lines() if not line.baseline]
    assert names[:3] == [
        LAYOUT_GIVEN, "LLM, layout given, shape guessed", "LLM, layout hidden (auto)",
    ]  # fmt: skip
    assert {"bert", "cnn", "vit", "diffusion", "published runs, device-hours"} <= set(names)
    assert {"power of a device", "cost, hours stated, price ours"} <= set(names)
    assert {"energy, CO2e: power measured", "energy, CO2e: rating x hours"} <= set(names)
    assert {"embodied CO2e", "cost: hours x stated price"} <= set(names)
    assert len(names) == len(set(names))


@pytest.mark.parametrize("by", ["source", "accelerator", "precision", "workload", "scale"])
@pytest.mark.parametrize("title", [LAYOUT_GIVEN, LAYOUT_HIDDEN, RUNS, "Throughput of other models"])
def test_each_split_counts_every_row_once(by_name, title, by) -> None:
    rows = by_name[title, by].rows
    assert next(iter(rows)) == "all"
    assert sum(one.n for name, one in rows.items() if name != "all") == rows["all"].n


def test_scales_run_from_small_to_large(by_name) -> None:
    names = list(by_name[LAYOUT_GIVEN, "scale"].rows)
    order = ["all", "1 device", "2-8", "9-64", "65-1024", "over 1024"]
    assert names == [name for name in order if name in names]
    assert len(names) > 4


def test_predictions_and_arithmetic_are_told_apart(report) -> None:
    kinds = {line.name: line.arithmetic for line in report.lines()}
    assert kinds["energy, CO2e: rating x hours"]
    assert not kinds["power of a device"]
    lines = text.summary(report)
    split = next(i for i, line in enumerate(lines) if line.startswith("Published, from its own"))
    assert all("rating x hours *" not in line for line in lines[:split])
    assert "bert" in "\n".join(lines[:split])


# --- baselines -----------------------------------------------------------------------------------


def test_the_model_beats_constants_on_the_same_rows(by_name) -> None:
    for title in (LAYOUT_GIVEN, LAYOUT_HIDDEN):
        table = by_name[title, "source"]
        ours = table.rows["all"]
        flat, constant = table.baselines.values()
        assert flat.n == constant.n == ours.n
        assert ours.median < 0.7 * flat.median
        assert ours.median < 0.7 * constant.median
        assert ours.p90 < 0.6 * min(flat.p90, constant.p90)
        assert math.isnan(flat.inside)  # a constant has no range


def test_a_flat_efficiency_by_hand(report) -> None:
    # MPT-70B on 512 H100, 1007 token/s a device: 80 layers of 12·8192² elements and a head of
    # 8192·50368, 6 FLOP each, and causal attention, 6·80·8192·2048 a token; predicted: ·0.4/MFU
    found = report.points[LAYOUT_GIVEN]
    (first,) = [point for point in found if point.id == "T0001"]
    per_token = 6 * (80 * 12 * 8192**2 + 8192 * 50368) + 6 * 80 * 8192 * 2048
    assert first.share == pytest.approx(1007 * per_token / 989.4e12, rel=1e-3)
    points = [
        Point(measured=one.measured, predicted=one.share and one.measured * 0.4 / one.share)
        for one in found
    ]
    table = next(t for t in report.tables if t.title == LAYOUT_GIVEN)
    assert table.baselines["flat 40% of the peak"].median == pytest.approx(score(points).median)


def test_published_runs_stand_beside_a_constant_by_chip(by_name) -> None:
    table = by_name[RUNS, "accelerator"]
    (constant,) = table.baselines.values()
    assert constant.n == table.rows["all"].n
    # ours 20 and 47 %, a constant by chip, fitted to the other runs, 27 and 62 %
    assert table.rows["all"].p90 < 0.8 * constant.p90
    assert table.rows["all"].median < 0.8 * constant.median
    assert 0.85 <= table.rows["all"].inside <= 0.96


# --- lines ---------------------------------------------------------------------------------------


def test_no_line_is_wider_than_a_terminal_and_no_name_is_cut(report) -> None:
    for lines in (text.brief(report), text.full(report)):
        found = [line.text for line in lines]
        assert max(map(len, found)) <= 80
        assert not [line for line in found if "…" in line]


def test_few_rows_are_marked_and_shown_with_their_number(report) -> None:
    for line in text.full(report):
        cells = line.text.split()
        if cells[:2] == ["diffusion", "*"]:
            assert cells[2] == "15"
            break
    else:
        raise AssertionError("no line for diffusion")
    assert "* fewer than 30 configurations: not claimed" in text.summary(report)


def test_what_cannot_follow_is_named_with_both_figures(report) -> None:
    said = " ".join(line.strip() for line in text.summary(report))
    assert "Llama 3.3 70B, 12.9 t printed, 2,030 t from its inputs" in said
    listed = [line.text for line in text.full(report)]
    (line,) = [line for line in listed if line.startswith("Llama 3.3 70B")]
    assert line.split()[-5:] == ["12.9", "t", "2,030", "t", "×157"]


def test_a_pipe_and_a_terminal_read_the_same(report, monkeypatch, capfd) -> None:
    monkeypatch.setattr("costcalc.validate.validate", lambda: report)
    assert run(["validate"]) == OK
    said = capfd.readouterr()
    assert said.out.splitlines() == text.summary(report)
    assert said.err == ""


def test_a_refused_row_is_a_miss_that_is_shown() -> None:
    points = [
        Point(measured=1.0, predicted=1.0, low=0.9, high=1.1),
        Point(measured=1.0, predicted=None),
    ]
    made = tables.Report(
        method="m",
        categories=[tables.category("t", points, ("source",))],
        noise=(0, math.nan),
        unsized=0,
    )
    lines = text.summary(made)
    assert lines[2].split()[-1] == "refused"
    assert lines[3].split() == ["t", "*", "2", "refused", "refused", "+0%", "50%", "1"]


# --- JSON and plot -------------------------------------------------------------------------------


def test_json_holds_every_table_and_every_row(report) -> None:
    data = json.loads(to_json(report.to_dict()))
    assert data["schema"] == "costcalc/validation/v1"
    assert len(data["tables"]) == len(report.tables)
    for table in data["tables"]:
        assert set(table) == {"title", "by", "arithmetic", "rows", "baselines", "note"}
        points = data["points"][table["title"]]
        assert len(points) == table["rows"]["all"]["n"]
    one = data["points"][FOOTPRINTS][0]
    assert one["id"] == "strubell-transformer-base"
    assert one["unit"] == "kWh"
    assert one["measured"] == 27.0
    assert one["inside"] is True
    assert {p["id"] for p in data["unexplained"]} >= {"llama-3.3-70b", "olmo-2-13b"}
    refused = next(t for t in data["tables"] if t["title"].startswith("Published costs, hours"))
    assert refused["rows"]["all"]["refused"] == 1
    unknown = next(p for p in data["points"][refused["title"]] if p["id"] == "dawnbench-1080ti")
    assert unknown["predicted"] is None


@pytest.mark.frameworks
def test_a_plot_has_a_panel_a_table(report, tmp_path) -> None:
    pytest.importorskip("matplotlib")
    from costcalc.validate import plot

    path = tmp_path / "scores.svg"
    plot.draw(report, path)
    root = ET.parse(path).getroot()
    panels = [e for e in root.iter() if (e.get("id") or "").startswith("axes_")]
    assert len(panels) == len(report.points)


@pytest.mark.frameworks
def test_a_plot_of_own_measurements(tmp_path) -> None:
    pytest.importorskip("matplotlib")
    import io

    from costcalc.validate import plot, validate_own

    table = "accelerator,devices,precision,parameters,tokens_per_s\nh100,64,bf16,8B,9k\n"
    path = tmp_path / "own.svg"
    plot.draw(validate_own(io.StringIO(table), "mine.csv"), path)
    assert path.stat().st_size > 1000


def test_an_organisation_is_predicted_without_its_own_benchmarks(monkeypatch) -> None:
    from costcalc.validate import published
    from costcalc.validate.measurements import folds, shipped

    assert set(published.BENCHMARKS.values()) <= set(folds("throughput"))
    assert set(published.BENCHMARKS) <= {r["organisation"] for r in shipped("published_runs")}
    held_out = {point.id: point for point in published.points()}
    monkeypatch.setattr(published, "BENCHMARKS", {})
    differ = {p.source for p in published.points() if p.predicted != held_out[p.id].predicted}
    assert differ
    assert differ <= {"BigScience", "Google", "Hugging Face", "MosaicML", "Tsinghua"}
