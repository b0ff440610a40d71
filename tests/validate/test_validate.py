"""Scores against hand-made points, and the claims that the shipped measurements bear out."""

import io
import json
import math
import sys
from pathlib import Path

import pytest

import costcalc
from costcalc.base.errors import InputError, MissingExtraError
from costcalc.throughput.constants import load
from costcalc.validate import plot, validate_own
from costcalc.validate.measurements import all_measured, configurations, folds, models, shipped
from costcalc.validate.published import Share, goodput_of, goodputs
from costcalc.validate.score import Point, noise, percentile, score
from costcalc.validate.text import summary
from costcalc.validate.throughput import constants_for


def test_errors_by_hand():
    # 1.1/1 − 1 = 10 %, 1.5/2 − 1 = −25 %, refused: infinite, a miss
    found = score([
        Point(measured=1.0, predicted=1.1, low=0.9, high=1.2),
        Point(measured=2.0, predicted=1.5, low=1.0, high=1.9),
        Point(measured=1.0, predicted=None),
    ])  # fmt: skip
    assert found.n == 3
    assert found.median == pytest.approx(0.25)
    assert math.isinf(found.p90)
    assert found.bias == pytest.approx((0.1 - 0.25) / 2)  # of the two that were predicted
    assert found.inside == pytest.approx(1 / 3)
    assert found.refused == 1
    assert not found.claimed


def test_percentile_is_linear():
    assert percentile([0.0, 10.0], 0.9) == pytest.approx(9.0)
    assert percentile([4.0], 0.9) == 4.0


def test_noise_is_that_of_repeats_alone():
    once = Point(measured=1.0, predicted=1.0, repeats=(1.0,))
    twice = Point(measured=1.0, predicted=1.0, repeats=(0.9, 1.1))
    assert noise([once, twice]) == (2, pytest.approx(0.1))
    assert noise([once])[0] == 0


def test_repeats_count_once_by_their_median():
    row = shipped("throughput")[0]
    thrice = [{**row, "tokens_per_s": rate} for rate in ("90", "100", "130")]
    (found,) = configurations(thrice)
    assert found.rate == 100.0
    assert found.repeats == (90.0, 100.0, 130.0)


def test_every_row_says_its_source_and_names_a_known_shape():
    rows = shipped("throughput")
    assert len(rows) > 1900
    assert all(row["source"] and row["group"] for row in rows)
    assert {row["shape"] for row in rows if row["shape"]} <= set(models())
    assert all(shape["source"] for shape in models().values())
    assert len({row["id"] for row in rows}) == len(rows)


def test_each_group_is_predicted_by_constants_that_left_it_out():
    groups = {one.group for one in all_measured()}
    assert set(folds("throughput")) == groups
    whole = load()["generations"]
    for group in groups:
        seen = constants_for(group)["generations"]
        assert all(seen[name]["n"] <= whole[name]["n"] for name in seen)
    # only NVIDIA measured Blackwell: without it nothing is known of that generation
    assert "blackwell" not in constants_for("nvidia-megatron")["generations"]
    assert "blackwell" in whole


def test_held_out_errors_are_what_the_project_claims(report):
    given = report.tables[0].rows["all"]
    # README: 967 configurations, 10 % in the median, 32 % at the 90th percentile
    assert given.n >= 967
    assert given.refused == 0
    assert given.median < 0.105
    assert given.p90 < 0.335
    assert abs(given.bias) < 0.04
    assert 0.88 <= given.inside <= 0.94
    tables = {(t.title, t.by): t.rows for t in report.tables}
    hidden = tables["LLM throughput, layout hidden (auto)", "source"]["all"]
    assert hidden.refused == 0
    assert hidden.median < 0.135  # 13 %
    assert hidden.p90 < 0.43  # 41 %
    assert 0.87 <= hidden.inside <= 0.93
    others = tables["Throughput of other models", "workload"]
    assert others["bert"].median < 0.155  # 15 %
    assert others["bert"].p90 < 0.53  # 52 %
    assert others["cnn"].median < 0.225  # 22 %
    assert {name: one.refused for name, one in others.items() if one.refused} == {
        "all": 9, "cnn": 9  # a chip whose profile is not known
    }  # fmt: skip


def test_constant_efficiency_is_worse(points_of):
    # the baseline that the model has to beat: one MFU for all, the median of the others' sources
    given = points_of["LLM throughput, layout given"]
    found = [point for point in given if point.predicted is not None]
    baseline = []
    for one in found:
        others = sorted(other.share for other in found if other.source != one.source)
        predicted = one.measured * percentile(others, 0.5) / one.share
        baseline.append(Point(measured=one.measured, predicted=predicted))
    assert score(found).median < 0.6 * score(baseline).median
    assert score(found).p90 < score(baseline).p90


def test_goodput_comes_from_the_published_runs():
    found = goodput_of(goodputs(load()))
    shipped_one = load()["goodput"]
    assert found == pytest.approx({key: shipped_one[key] for key in found}, rel=1e-3)
    assert shipped_one["low"] < shipped_one["value"] < shipped_one["high"]


def test_the_levels_of_goodput_by_hand():
    # log share = large · ln middle − promise · ln(predicted / 0.45); three organisations with two
    # levels of promise on 128 devices, two without on 1,024, all on the law: it is found again
    made = {
        name: [Share(n, 0.45, level) for n, level in ((128, 0.5), (1024, 0.8))] for name in "abc"
    }
    found = goodput_of(made)
    assert (found["middle"], found["value"]) == pytest.approx((0.5, 0.8))
    assert found["promise"] == pytest.approx(0.0, abs=1e-9)
    assert (found["low"], found["high"], found["n"]) == pytest.approx((0.8, 0.8, 6))
    # one that is far off does not move the median of three
    made["c"] = [Share(n, 0.45, level) for n, level in ((128, 0.1), (1024, 0.2))]
    assert goodput_of(made)["value"] == pytest.approx(0.8, rel=0.02)
    # what promises twice as much keeps 0.7 of it: a power of 0.515, held towards none
    for name in "cde":
        made[name] = [Share(128, 0.90, 0.35), Share(1024, 0.90, 0.56)]
    assert 0.0 < goodput_of(made)["promise"] < -math.log2(0.7)


def test_report_as_json(report):
    data = json.loads(json.dumps(report.to_dict()))
    assert data["schema"] == "costcalc/validation/v1"
    assert data["tables"][0]["rows"]["all"]["n"] == report.tables[0].rows["all"].n
    assert data["noise_floor"]["median"] < 0.05


OWN = """\
accelerator,devices,precision,parameters,sequence_length,global_batch,tokens_per_s
h100-sxm5-80,64,bf16,8e9,8192,512,9000
"""


def test_own_measurements():
    found = validate_own(io.StringIO(OWN), "mine.csv")
    (row, *_) = found.tables[0].rows.values()
    assert row.n == 1
    assert row.refused == 0
    # what estimate says of the same run, 64 devices: 9000 are measured on each
    run = {
        "model": {"parameters": 8e9},
        "training": {"tokens": "1B", "precision": "bf16", "sequence_length": 8192,
                     "global_batch": 512},
        "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
    }  # fmt: skip
    rate = costcalc.estimate(run, ranges=False).results["throughput"].value / 64
    assert row.median == pytest.approx(abs(rate / 9000 - 1), rel=1e-9)
    assert not row.claimed


def test_own_measurements_with_faults_are_refused_all_at_once():
    text = "accelerator,devices,tokens_per_s\nh100-sxm5-80,eight,-5\n"
    with pytest.raises(InputError) as caught:
        validate_own(io.StringIO(text), "mine.csv")
    assert str(caught.value) == (
        "mine.csv: precision: expected this column; the table has none\n"
        'mine.csv:2: devices: expected a positive number; got "eight"\n'
        'mine.csv:2: tokens_per_s: expected a positive number; got "-5"\n'
        "3 problems in mine.csv"
    )


def test_own_measurements_without_sizes_are_refused():
    text = "accelerator,devices,precision,tokens_per_s\nh100-sxm5-80,8,bf16,900\n"
    with pytest.raises(InputError, match="expected rows with a rate and parameters"):
        validate_own(io.StringIO(text), "mine.csv")


def test_ranges_are_honest_for_what_is_predicted_badly(report):
    tables = {(t.title, t.by): t.rows for t in report.tables}
    cnn = tables["Throughput of other models", "workload"]["cnn"]
    assert cnn.n > 190
    assert 0.85 <= cnn.inside <= 0.93


def test_summary_is_as_wide_as_a_terminal_and_two_of_its_screens_long(report):
    lines = summary(report)
    assert max(map(len, lines)) <= 80
    assert len(lines) <= 2 * 29
    names = [line.name for line in report.lines() if not line.baseline]
    assert len(names) == len(set(names))
    assert any(line.startswith("cnn") and " 316 " in line for line in lines)
    assert any(line.startswith("vit *") for line in lines)


def test_what_is_not_held_out_is_marked(report):
    marked = [line.name for line in report.lines() if "†" in line.name]
    assert marked == ["peak memory, software told †", "peak memory, software not told †"]
    assert "† its constants have seen these rows: not held out" in summary(report)
    notes = {t.title: t.note for t in report.tables if t.title.startswith("Peak memory")}
    assert len(notes) == 2
    said = "Not held out: the few fitted constants and the low ends of ranges have seen these rows."
    assert all(note.endswith(said) for note in notes.values())


def test_a_plot_is_refused_before_anything_is_computed():
    with pytest.raises(InputError) as caught:
        plot.check(Path("scores.gif"))
    assert "expected a file that ends in .png, .svg or .pdf" in str(caught.value)
    assert 'got "scores.gif"' in str(caught.value)


def test_a_plot_without_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingExtraError, match=r'pip install "costcalc\[plot\]"'):
        plot.check(Path("scores.svg"))
