"""Plots in characters, sweeps, laws and tables of files: small enough to be worked out beside."""

from __future__ import annotations

import csv
import math
from types import SimpleNamespace

import numpy as np
import pytest

from costcalc.base.errors import InputError
from costcalc.decide import (
    architectures,
    comparing,
    interruptions,
    merging,
    ranging,
    scaling,
    sweep,
)
from costcalc.decide.chance import Judged
from costcalc.decide.plotting import COLUMNS, Marks, Plot, text
from costcalc.decide.table_files import HEAD, Rows

# --- plots ----------------------------------------------------------------------------------------


def drawn(x, y, **options):
    size = {key: options.pop(key) for key in ("width", "height") if key in options}
    marks = [Marks(label="a", mark="o", x=x, y=y)]
    plot = Plot(title="t", x_label="x", y_label="y", series=marks, **options)
    return text(plot, **{"width": 5, "height": 3, **size}).splitlines()


def field(rows):
    return [row.partition("│")[2] for row in rows if "│" in row]


def test_points_stand_where_their_share_of_the_range_is():
    # 10, 15 and 20 on a line of five: 0, half and all of four columns on; so of three rows
    assert field(drawn([10, 15, 20], [10, 15, 20], log_y=False)) == ["    o", "  o", "o"]


def test_powers_of_ten_are_as_far_apart_on_a_log_axis():
    assert field(drawn([0, 1, 2], [1, 10, 100])) == ["    o", "  o", "o"]
    assert field(drawn([1, 10, 100], [0, 1, 2], log_x=True, log_y=False)) == ["    o", "  o", "o"]
    rows = drawn([1, 10, 100], [1, 10, 100], log_x=True)
    assert rows[1].startswith("100 │")
    assert rows[3].startswith("  1 │")
    assert rows[5].split() == ["1", "100"]


def test_points_all_alike_stand_in_the_first_corner():
    assert field(drawn([3, 3], [7, 7], log_y=False)) == ["o", "", ""]


def test_a_plot_fills_79_columns_with_its_margin():
    rows = drawn([0, 1], [0, 1], log_y=False, width=None)
    assert COLUMNS == 79  # one less than a terminal of 80: no line is broken
    assert max(len(row) for row in rows) == 79
    assert len(field(rows)) == 3


@pytest.mark.parametrize(("label", "lines"), [("b" * 11, 1), ("b" * 12, 2)])
def test_names_that_do_not_fit_go_below_the_title(label, lines):
    # "t  (o " and ")" are seven letters; with eleven 18, of a field of 17 and a margin of one
    marks = [Marks(label=label, mark="o", x=[0, 1], y=[0, 1])]
    plot = Plot(title="t", x_label="x", y_label="y", series=marks, log_y=False)
    rows = text(plot, width=17, height=2).splitlines()
    assert next(i for i, row in enumerate(rows) if "│" in row) == lines


def test_nothing_to_plot_is_said():
    assert drawn([], []) == ["t: nothing to plot"]


# --- sweeps ---------------------------------------------------------------------------------------


def test_counts_by_doubling_and_by_steps():
    assert sweep.counts("3..24") == (3, 6, 12, 24)
    assert sweep.counts("3..23") == (3, 6, 12)
    assert sweep.counts("8..20:4") == (8, 12, 16, 20)
    assert sweep.counts("8,8,4") == (8, 4)
    assert sweep.counts(10_000_000) == (10_000_000,)
    for wrong in ("0", "8..4", "8..16:0", "10000001", "x", "-1"):
        with pytest.raises(InputError):
            sweep.counts(wrong)
    assert sweep.counts("8..8") == (8,)
    assert sweep.counts("1..2:1") == (1, 2)
    assert len(sweep.counts("1..100000:1")) == 100_000
    with pytest.raises(InputError) as caught:
        sweep.counts("1..100001:1")
    assert str(caught.value) == 'counts: expected 100,000 counts at most; got "1..100001:1"'


def test_all_accelerators_are_no_processors():
    from costcalc.catalog.accelerator import find

    every = sweep._accelerators("all", {})
    assert len(every) > 50
    assert list(every) == sorted(every)
    assert "cpu" not in {find(name).kind for name in every}


def test_the_run_of_one_scenario():
    run = {"hardware": {"instance": "x", "nodes": 2, "goodput": 0.9}, "site": {"pue": 1.2}}
    row = {"accelerator": "a", "count": 4, "region": "FR", "plan": "spot", "precision": None}
    assert sweep.single(run, row) == {
        "hardware": {"goodput": 0.9, "accelerator": "a", "count": 4},
        "site": {"pue": 1.2, "region": "FR"},
        "price": {"plan": "spot"},
    }
    made = sweep.single(run, {**row, "precision": "fp8"})
    assert made["training"] == {"precision": "fp8"}
    assert run["hardware"]["instance"] == "x"  # the run itself stays as it was


def test_axes_that_are_left_out_are_the_runs_own():
    run = {
        "hardware": {"accelerator": "h100-sxm5-80", "count": 3},
        "site": {"region": "FR"},
        "sweep": {"plans": "spot"},
    }
    _, axes = sweep.read(run, {"counts": "8"})
    assert (axes.accelerators, axes.counts, axes.regions) == (("h100-sxm5-80",), (8,), ("FR",))
    assert (axes.plans, axes.precisions) == (("spot",), (None,))
    _, axes = sweep.read(run, {}, {"hardware.count": 5})
    assert axes.counts == (5,)
    two = {"hardware": {"instance": "p5.48xlarge", "nodes": 2}, "site": {"region": "FR"}}
    assert sweep.read(two, {})[1].counts == (16,)  # two of eight
    with pytest.raises(InputError, match="did you mean counts"):
        sweep.read({**run, "sweep": {"count": 8}}, {})


def test_a_sweep_with_a_file_of_its_own_is_checked_at_its_lines(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(
        "model: {preset: gpt2}\ntraining: {tokens: 1e9}\n"
        "hardware: {accelerator: h100-sxm5-80, count: 8}\nsite: {region: FR, pui: 1.1}\n"
    )
    with pytest.raises(InputError, match=r"run\.yaml:4:20: site\.pui"):
        comparing.compare(str(path), ranges=False)


# --- the rest, the least, the shares --------------------------------------------------------------


def row(cost, hours=1.0, **given):
    return {"cost": cost, "wall_clock": hours, "carbon_total": 1.0, **given}


def test_the_least_is_the_cheapest_of_those_alike():
    rows = [row(None, 1.0), row(9.0, 1.0), row(7.0, 1.0 + 0.9e-9), row(5.0, 1.0 + 1.1e-9)]
    assert merging._least(rows, "wall_clock") is rows[2]
    rows.append(row(None, 0.5))  # less time without a price is less time
    assert merging._least(rows, "wall_clock") is rows[4]
    assert merging._least([], "wall_clock") is None


def test_the_rest_is_twenty_by_cost_then_time():
    rows = [row(float(n % 5), float(n)) for n in range(25)]
    found = merging._first(rows, SimpleNamespace(aims=("time", "cost"), minimize="cost"))
    assert len(found) == 20
    assert [(one["cost"], one["wall_clock"]) for one in found[:6]] == [
        *((0.0, float(n)) for n in (0, 5, 10, 15, 20)),
        (1.0, 1.0),
    ]
    rows.append(row(None, 0.0))
    by_time = SimpleNamespace(aims=("time", "carbon"), minimize="time")
    assert [one["wall_clock"] for one in merging._first(rows, by_time)[:3]] == [0.0, 0.0, 1.0]
    assert merging._first(rows[20:], by_time)[0]["cost"] is None


def test_draws_that_are_alike_count_half():
    one, other = np.array([1.0, 2.0, 3.0, 5.0]), np.array([2.0, 2.0 + 1e-12, 2.0, 4.0])
    assert ranging.share(one, other) == (1 + 0.5) / 4
    assert ranging.share(other, one) == (2 + 0.5) / 4
    third = np.array([0.0, 0.0, 0.0, 9.0])
    # the third beats the first in three of four
    assert ranging._shares([one, other, third]) == [
        [0.5, 0.375, 0.25],
        [0.625, 0.5, 0.25],
        [0.75, 0.75, 0.5],
    ]


# --- laws and architectures -----------------------------------------------------------------------


LAW = scaling.ScalingLaw(
    id="h", name="h", source="", url=None, A=400, B=800, E=1.5, a=0.5, b=0.25, errors=None
)


def test_the_optimum_is_where_both_terms_fall_alike():
    # A a N^-a = B b D^-b at N D = C / 6: 200 / sqrt N = 200 / D^0.25, so N² = D and N³ = C / 6
    parameters, tokens = LAW.optimum(6e12)
    assert (parameters, tokens) == (pytest.approx(1e4), pytest.approx(1e8))
    assert LAW.loss(1e4, 1e8) == pytest.approx(1.5 + 400 / 100 + 800 / 100)


def test_a_ratio_splits_a_compute():
    # N (20 N) 6 = 1.2e22: N = 1e10, 2e11 tokens
    assert scaling.by_ratio(1.2e22, 20.0) == (pytest.approx(1e10), pytest.approx(2e11))


def test_how_good_a_choice_a_model_is():
    law = scaling.laws()[-1]
    # by its loss; with a ratio by how far off it is; of experts by the optimum of its compute
    assert architectures._badness(1e9, 2e10, None, experts=False) == law.loss(1e9, 2e10)
    assert architectures._badness(1e9, 4e10, 20.0, experts=False) == pytest.approx(math.log(2))
    assert architectures._badness(1e9, 1e10, 20.0, experts=False) == pytest.approx(math.log(2))
    optimal = law.optimum(6e20)[0]
    off = architectures._badness(1e9, 1e11, None, experts=True)
    assert off == pytest.approx(abs(math.log(1e9 / optimal)))
    assert architectures._wanted(6e20, 20.0) == pytest.approx(math.sqrt(6e20 / 6 / 20))


def test_tokens_are_as_many_as_the_limits_hold():
    # 1 USD a billion of tokens: 50 USD hold 50 billion, all but a two-thousandth
    def judged(run):
        dollars = run["training"]["tokens"] / 1e9
        return Judged(made=None, needs={"cost": dollars})

    chance = SimpleNamespace(judged=judged)
    for start in (1e9, 49.8e9, 80e9):
        run, found = architectures._filled({}, start, {"cost": 50.0}, chance)
        assert 50e9 * (1 - 5e-4 - 1e-6) <= run["training"]["tokens"] <= 50e9
        assert found.share({"cost": 50.0})[0] >= 1.0
    # what fits to less than a two-thousandth stays as it is
    near = architectures._filled({}, 49.99e9, {"cost": 50.0}, chance)[0]
    assert near["training"]["tokens"] == 49.99e9


def test_the_best_interval_by_daly():
    # saving takes 2, mean time 100: sqrt(400) (1 + sqrt(0.01) / 3 + 0.01 / 9) - 2
    x = 2 / 200
    by_hand = 20 * (1 + math.sqrt(x) / 3 + x / 9) - 2
    assert interruptions.best_interval(100, 2) == pytest.approx(by_hand)
    found = interruptions.interrupted(50, rate=0.01, checkpoint=2, restart=1)
    pieces = 50 / by_hand
    expected = 100 * math.exp(0.01) * (math.exp((by_hand + 2) / 100) - 1) * pieces
    assert found.interval == pytest.approx(by_hand)
    assert found.expected == pytest.approx(expected)


@pytest.mark.parametrize(("work", "finite"), [(1e-9, True), (709.0, True), (710.0, False)])
def test_what_no_double_holds_is_a_time_without_end(work, finite):
    # mean time 1, nothing to restart: e^work - 1; e^709.8 is the largest double
    found = interruptions.interrupted(work, rate=1.0, checkpoint=0.0, restart=0.0)
    by_hand = math.expm1(work) if finite else math.inf  # its digits kept where it is small
    assert found.without == pytest.approx(by_hand, rel=1e-12)
    assert math.isfinite(found.expected)
    assert math.isinf(interruptions.stretched(1.0, 1.0, checkpoint=0.0, restart=710.0))


@pytest.mark.parametrize(("work", "fine"), [(1e-9, True), (0.9e-9, False)])
def test_work_is_more_than_nothing(work, fine):
    given = {"rate": 0.1, "checkpoint": 0.0, "restart": 0.0}
    if fine:
        assert interruptions.interrupted(work, **given).expected >= work
        return
    with pytest.raises(InputError, match="expected more than 0"):
        interruptions.interrupted(work, **given)


def test_a_piece_is_a_millisecond_at_least_and_the_work_at_most():
    # no saving costs so little that it pays after each moment
    given = {"rate": 0.1, "checkpoint": 0.0, "restart": 0.0}
    assert interruptions.interrupted(10, **given, interval=1e-6).interval == 1e-3
    assert interruptions.interrupted(10, **given, interval=99.0).interval == 10
    # best for a checkpoint of a millisecond at least: sqrt(2 · 0.001 · 10) and its terms
    x = 0.001 / 20
    by_hand = math.sqrt(0.02) * (1 + math.sqrt(x) / 3 + x / 9) - 0.001
    assert interruptions.interrupted(10, **given).interval == pytest.approx(by_hand)


def test_no_reply_of_more_than_ten_megabytes_is_read():
    from costcalc.decide import feeds

    assert feeds.MAX_BYTES == 10 * 1000 * 1000
    whole = b'{"a": 1}'.ljust(feeds.MAX_BYTES)
    assert feeds._parsed("n", "/w", whole, None) == {"a": 1}
    with pytest.raises(InputError, match="a reply of more than 10,000,000 bytes"):
        feeds._parsed("n", "/w", whole + b" ", None)
    with pytest.raises(InputError, match="the reply broke off"):
        feeds._parsed("n", "/w", b"{}", 1)
    assert feeds._parsed("n", "/w", b"{}", 0) == {}


# --- files of tables ------------------------------------------------------------------------------


def test_a_row_of_a_table_is_its_codes_and_figures(tmp_path):
    columns = SimpleNamespace(
        precision="fp8",
        words=(("a", "b"), (4, 8), ("FR",), ("spot", "on-demand")),
        codes=np.array([[0, 1], [1, 0], [0, 0], [1, 0]]),
        figures={
            name: np.array([float(n), np.nan])
            for n, name in enumerate(
                ("wall_clock", "device_hours", "cost", "energy", "carbon_total"), 1
            )
        },
    )
    with Rows(tmp_path / "all.csv") as rows:
        rows(columns)
    with (tmp_path / "all.csv").open(newline="") as file:
        head, first, second = csv.reader(file)
    assert tuple(head) == HEAD
    assert first == ["fp8", "a", "8", "FR", "on-demand", "1.0", "2.0", "3.0", "4.0", "5.0"]
    assert second == ["fp8", "b", "4", "FR", "spot", "", "", "", "", ""]
    with pytest.raises(InputError, match="exists; --force overwrites it"):
        Rows(tmp_path / "all.csv")
