"""The front, the sweep, the limits; every scenario equal to a single estimate."""

from __future__ import annotations

import csv
import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import costcalc
from costcalc.base.errors import InputError
from costcalc.catalog import region as regions
from costcalc.decide import comparing, ranging, sweep
from costcalc.decide.comparing import compare
from costcalc.decide.pareto import front
from costcalc.decide.ranging import share
from costcalc.decide.sweep import single
from costcalc.decide.table_files import Rows

RUN = {
    "name": "test",
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "100B"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 64},
}
AXES = {
    "accelerators": "h100-sxm5-80,a100-sxm4-80",
    "counts": "64..128",
    "regions": "aws:us-east-1,aws:eu-north-1,gcp:us-central1",
    "plans": "on-demand,spot",
}


def dominates(a, b):
    return all(a <= b) and any(a < b)


costs = st.lists(st.tuples(*[st.one_of(st.integers(0, 5), st.floats(0, 1e9))] * 3), max_size=40)


@given(costs, st.sampled_from([0, 2, 256]), st.sampled_from([2, 3]))
@settings(max_examples=300)
def test_front_is_what_nothing_dominates(rows, patience, aims):
    table = np.array(rows, dtype=float).reshape(-1, 3)[:, :aims]
    kept = set(front(table, patience=patience).tolist())
    for i, row in enumerate(table):
        beaten = any(dominates(other, row) for other in table)
        assert (i in kept) == (not beaten)


def test_rows_with_unknown_figures_are_left_out():
    assert front(np.array([[1.0, np.nan], [2.0, 2.0]])).tolist() == [1]
    assert front(np.empty((0, 3))).tolist() == []


@pytest.fixture(scope="module")
def made():
    return compare(RUN, **AXES, ranges=False, interruptions=False)


def test_its_repr_is_a_line(made):
    # 2 accelerators x 2 counts x 3 regions x 2 plans
    front = len(made.front)
    assert repr(made) == (
        f"<Comparison 'test': 24 scenarios, {made.feasible} can run; {front} on the front of "
        "time, cost, carbon>"
    )


def test_one_purchase_for_several_numbers_of_devices_is_told():
    said = (
        "price.owned.purchase is taken as what all the devices cost in every row, whatever their "
        "number and kind; without it each costs what its profile knows"
    )
    run = {**RUN, "price": {"owned": {"purchase": "2 MUSD"}}}
    few = {"regions": "FR", "ranges": False}
    assert said in compare(run, counts=[64, 128], **few).notes
    assert said not in compare(run, counts=[64], **few).notes
    assert said not in compare({**RUN, "price": {"owned": {}}}, counts=[64, 128], **few).notes


@pytest.mark.parametrize(
    ("price", "said"),
    [
        ({"owned": {}}, "owned"),  # bought for what the profile knows
        ({"plan": "owned"}, "owned"),
        ({"owned": {"purchase": "2 MUSD"}}, "yours"),
    ],
)
def test_what_was_bought_is_not_called_rented(price, said):
    run = {**RUN, "price": price}
    text = costcalc.estimate(run, ranges=False).details["price"]
    assert re.fullmatch(rf"[0-9.]+ USD a device-hour, {said}", text)
    row = compare(run, regions="FR", ranges=False).front[0]
    assert row["plan"] == "owned"


def test_every_row_equals_a_single_estimate(made):
    for row in (*made.front, *made.rest[:4]):
        alone = costcalc.estimate(single(RUN, row), ranges=False)
        for name in ("wall_clock", "device_hours", "cost", "energy", "carbon_total"):
            assert row[name] == pytest.approx(alone.results[name].value, rel=1e-9)


def test_a_sample_of_the_benchmark_equals_single_estimates():
    # the axes of benchmarks/compare.py: every region and plan, counts that no instance divides
    from costcalc.calculator.scenarios import scenarios
    from costcalc.catalog import region

    axes = {
        "accelerators": ["h100-sxm5-80", "a100-sxm4-80", "h200-sxm-141", "mi300x"],
        "counts": [8, 20, 136, 776],
        "regions": list(region.codes()),
        "plans": ["on-demand", "spot", "reserved-1y", "reserved-3y"],
    }
    run = {**RUN, "training": {"tokens": "1T"}}
    found = scenarios(run, **axes)
    chosen = np.random.default_rng(11).choice(found.number, 30, replace=False)
    shape = [len(axis) for axis in axes.values()]
    for a, c, r, p in zip(*np.unravel_index(chosen, shape), strict=True):
        row = {
            "accelerator": axes["accelerators"][a],
            "count": axes["counts"][c],
            "region": axes["regions"][r],
            "plan": axes["plans"][p],
            "precision": None,
        }
        one = costcalc.estimate(single(run, row), ranges=False).results
        for name in ("wall_clock", "cost", "energy", "carbon_total"):
            ours = found.figures[name][a, c, r, p]
            if one[name].value is None:
                assert np.isnan(ours), (name, row)
            else:
                assert ours == pytest.approx(one[name].value, rel=1e-12), (name, row)


def test_no_scenario_on_the_front_is_dominated_by_any(made, tmp_path):
    with Rows(tmp_path / "all.csv") as rows:
        compare(RUN, **AXES, ranges=False, write=rows, interruptions=False)
    with (tmp_path / "all.csv").open() as file:
        written = list(csv.DictReader(file))
    assert len(written) == made.number == 2 * 2 * 3 * 2
    names = ("wall_clock (h)", "cost (USD)", "carbon_total (kgCO2e)")
    everything = np.array([[float(row[n] or "nan") for n in names] for row in written])
    on_front = np.array(
        [[row["wall_clock"], row["cost"], row["carbon_total"]] for row in made.front]
    )
    for row in on_front:
        assert not any(dominates(other, row) for other in everything)
    for row in written[::3]:  # a sample of all, each against an estimate of its own
        scenario = {**row, "count": int(row["count"]), "precision": None}
        alone = costcalc.estimate(single(RUN, scenario), ranges=False)
        for name, figure in (
            ("wall_clock", "wall_clock (h)"),
            ("cost", "cost (USD)"),
            ("carbon_total", "carbon_total (kgCO2e)"),
        ):
            value = alone.results[name].value
            assert (value is None) == (row[figure] == "")
            if value is not None:
                assert float(row[figure]) == pytest.approx(value, rel=1e-9)


@pytest.mark.parametrize("size", [1, 5, 7])
def test_chunks_change_nothing(made, size):
    small = compare(RUN, **AXES, ranges=False, interruptions=False, chunk_size=size)
    assert small.front == made.front
    assert (small.number, small.feasible) == (made.number, made.feasible)
    whole, pieces = (compare(RUN, **AXES, ranges=False, chunk_size=n) for n in (10_000, size))
    assert pieces.front == whole.front  # interruptions counted, as they are by default
    assert whole.front != made.front


def test_chunks_are_bounded_and_cover_everything():
    whole = sweep.Sweep(
        precisions=("bf16", "fp8"),
        accelerators=("a", "b", "c"),
        counts=tuple(range(1, 8)),
        regions=tuple("ABCDE"),
        plans=("x", "y"),
    )
    pieces = list(whole.chunks(12))
    assert all(piece.number <= 12 for piece in pieces)
    assert sum(piece.number for piece in pieces) == whole.number == 2 * 3 * 7 * 5 * 2


def test_minimize_carbon_within_limits():
    run = {**RUN, "limits": {"cost": "1 MUSD"}}
    found = compare(run, **AXES, minimize="carbon", ranges=False)
    assert found.met
    assert found.best["region"] == "aws:eu-north-1"  # the cleanest grid of the three
    none = compare({**RUN, "limits": {"cost": "1 USD"}}, **AXES, minimize="carbon", ranges=False)
    assert none.best is None
    assert not none.met


def test_of_scenarios_as_clean_the_cheapest_is_the_best():
    # spot and on-demand emit the same
    found = compare(
        RUN,
        plans="on-demand,spot",
        counts=8,
        regions="aws:eu-north-1",
        accelerators="h100-sxm5-80",
        minimize="carbon",
        ranges=False,
        interruptions=False,
    )
    assert found.best["plan"] == "spot"
    rows = [*found.front, *found.rest]
    assert len({row["carbon_total"] for row in rows}) == 1
    assert found.best["cost"] == min(row["cost"] for row in rows)


def test_what_no_provider_there_rents_is_not_the_best():
    # Sweden is cleaner than Iowa, but AWS rents no TPU
    found = compare(
        RUN,
        accelerators="tpu-v6e",
        counts=64,
        plans="on-demand",
        regions="aws:eu-north-1,gcp:us-central1",
        minimize="carbon",
        ranges=False,
    )
    assert found.best["region"] == "gcp:us-central1"


def test_what_a_provider_does_not_rent_is_not_able_to_run():
    axes = {"accelerators": "tpu-v6e", "counts": 64, "plans": "on-demand", "ranges": False}
    both = compare(RUN, regions="aws:eu-north-1,gcp:us-central1", **axes)
    assert (both.number, both.feasible) == (2, 1)
    assert {row["region"] for row in (*both.front, *both.rest)} == {"gcp:us-central1"}
    alone = compare(RUN, regions="aws:eu-north-1", minimize="time", **axes)
    assert (alone.feasible, alone.best) == (0, None)
    assert alone.why == {"64 × tpu-v6e": "aws: not known to rent it"}
    # a price of one's own, or of any provider, makes the region a place like any other
    own = compare({**RUN, "price": {"device_hour": "2 USD"}}, regions="aws:eu-north-1", **axes)
    assert own.feasible == 1


def test_a_long_front_says_how_many_are_drawn(monkeypatch):
    monkeypatch.setattr(ranging, "SAMPLED", 2)
    found = compare(
        RUN,
        accelerators="h100-sxm5-80,a100-sxm4-80",
        counts="8..64",
        regions="aws:us-east-1,aws:eu-north-1",
        plans="on-demand",
    )
    assert len(found.front) > 2
    assert len(found.wins["cost"]) == 2
    assert any(
        note.startswith(
            "ranges are drawn, and shares of paired draws counted, for the "
            "first 2 (the cheapest) of"
        )
        for note in found.notes
    )


def test_regions_of_another_convention_are_not_ranked():
    # Yunnan's direct factor of consumption (133 g) is far below the lifecycle factors of production
    # of Germany and Poland: ranked with them it would stand on the front, and be the cleanest
    found = compare(
        RUN,
        regions="DE,PL,CN-YN",
        ranges=False,
        minimize="carbon",
        changes={"price.provider": "any"},
    )
    grids = {name: regions.find(name).grid for name in ("DE", "PL", "CN-YN")}
    assert grids["CN-YN"].value < 0.5 * min(grids["DE"].value, grids["PL"].value)
    assert {row["region"] for row in found.front} == {"DE"}
    assert found.best["region"] == "DE"
    assert all(row["carbon_total"] is None for row in found.rest if row["region"] == "CN-YN")
    said = " ".join(found.notes)
    assert "regions ranked by grid factors that are lifecycle, production, average" in said
    assert re.search("not ranked with them.*direct, consumption.*CN-YN", said)
    assert grids["CN-YN"].source not in found.sources


def test_the_convention_of_most_regions_is_the_one_ranked():
    # two of consumption against one of production: now France is the one left out
    found = compare(RUN, regions="FR,CN-YN,CN-GD", ranges=False, changes={"price.provider": "any"})
    assert {row["region"] for row in found.front} == {"CN-YN"}


def test_a_grid_of_ones_own_ranks_every_region_alike():
    found = compare(
        RUN,
        regions="FR,CN-YN",
        ranges=False,
        changes={"price.provider": "any", "site.grid": "100 gCO2e/kWh"},
    )
    assert found.aims == ("time", "cost", "carbon")
    assert "one grid factor, yours, for every region" in found.notes
    assert {row["region"] for row in found.front} == {"FR", "CN-YN"}


def test_paired_shares():
    found = compare(
        RUN,
        accelerators="h100-sxm5-80",
        counts="64",
        plans="on-demand",
        regions="aws:us-east-1,aws:eu-north-1,gcp:us-central1",
    )
    for aim in found.wins.values():
        matrix = np.array(aim)
        assert matrix + matrix.T == pytest.approx(np.ones_like(matrix), abs=2e-4)
        assert np.diag(matrix) == pytest.approx(0.5)
    for row in found.front:
        low, high = row["ranges"]["carbon_total"]
        assert low < row["carbon_total"] < high
    assert share(1.0, 2.0) == 1.0


def test_the_same_draws_tell_close_ones_apart():
    # 3 % more power at the same time, with an error of ±20 % that both share, is always more
    error = np.exp(np.linspace(-0.2, 0.2, 101))
    assert share(100 * error, 103 * error) == 1.0
    assert share(100 * error, 103 * error[::-1]) < 0.6


def test_two_providers_prices_are_wrong_each_in_its_own_way():
    found = compare(
        RUN,
        accelerators="h100-sxm5-80,h200-sxm-141,a100-sxm4-80",
        counts=64,
        plans="on-demand",
        regions="aws:us-east-1,azure:eastus,gcp:us-central1",
    )
    rows = list(found.front)
    places = [(row["accelerator"], row["region"]) for row in rows]
    assert len(set(places)) > 1
    for i, one in enumerate(rows):
        for j, other in enumerate(rows[:i]):
            (a, b), (c, d) = one["ranges"]["cost"], other["ranges"]["cost"]
            if places[i] != places[j] and max(a, c) < 0.8 * min(b, d):  # ranges that overlap
                assert 0.0 < found.wins["cost"][i][j] < 1.0


def test_one_price_cancels_between_counts():
    found = compare(
        RUN,
        accelerators="h100-sxm5-80",
        counts="64,128",
        plans="on-demand",
        regions="aws:us-east-1",
    )
    assert len(found.front) == 2
    assert found.wins["cost"][0][1] > 0.99  # the same price on both: fewer devices cost less


def test_sweep_block_of_a_file(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(
        "model: {preset: llama-3-8b}\ntraining: {tokens: 1B}\n"
        "hardware: {accelerator: h100-sxm5-80, count: 8}\nprice: {provider: any}\n"
        "sweep: {counts: 8..16, regions: [FR, SE]}\n"
    )
    found = compare(str(path), ranges=False)
    assert (found.sweep.counts, found.sweep.regions) == ((8, 16), ("FR", "SE"))
    assert compare(str(path), counts="8", ranges=False).sweep.counts == (8,)
    path.write_text(path.read_text().replace("counts:", "count:"))
    with pytest.raises(InputError, match=r"sweep.count: unknown key; did you mean counts\?"):
        compare(str(path))


@pytest.mark.parametrize(
    ("axis", "value", "text"),
    [
        ("counts", "8..4", "expected a range from less to more"),
        ("counts", "many", "expected counts as 64..1024, 8..32:8 or 8,16; got"),
        ("plans", "cheap", "expected on-demand, spot"),
        ("precisions", "fp9", "expected fp32"),
        ("regions", "FRR", "no region FRR"),
        ("accelerators", "h100x", "no accelerator h100x"),
        ("minimize", "beauty", "expected time, cost, carbon"),
    ],
)
def test_wrong_axes(axis, value, text):
    with pytest.raises(InputError, match=text):
        compare({**RUN, "site": {"region": "FR"}}, **{axis: value})


def test_what_cannot_run_says_why():
    found = compare(
        RUN,
        accelerators="gtx-1080-ti,h100-sxm5-80",
        counts="1",
        ranges=False,
        regions="FR",
        changes={"price.provider": "any"},
    )
    assert all(why for why in found.why.values())
    assert any("gtx-1080-ti" in name for name in found.why)
    assert found.feasible < found.number


def test_without_a_known_grid_there_is_no_carbon_axis():
    grid = comparing.conventions(
        ("aws:cn-north-1",),
        comparing._checked(RUN, sweep.read(RUN, {"regions": "aws:cn-north-1"})[1], {}),
    )
    assert grid[0] == frozenset()


@pytest.mark.frameworks
def test_parquet(tmp_path):
    pq = pytest.importorskip("pyarrow.parquet")
    with Rows(tmp_path / "all.parquet") as rows:
        found = compare(RUN, **AXES, ranges=False, write=rows, chunk_size=6)
    table = pq.read_table(tmp_path / "all.parquet")
    assert table.num_rows == found.number
    assert set(table.column("region").to_pylist()) == set(found.sweep.regions)
    with pytest.raises(InputError, match="exists; --force overwrites it"):
        Rows(tmp_path / "all.parquet")
    with pytest.raises(InputError, match=r"ends in .csv or .parquet; got all.xlsx"):
        Rows(tmp_path / "all.xlsx")


@pytest.mark.frameworks
@pytest.mark.filterwarnings("ignore")
def test_dask_on_a_cluster_of_processes(made):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as cluster,
        distributed.Client(cluster) as client,
    ):
        spread = compare(
            RUN, **AXES, ranges=False, interruptions=False, chunk_size=6, client=client
        )
    assert spread.front == made.front
    assert spread.number == made.number


@pytest.mark.frameworks
@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_plots_as_files(tmp_path, suffix):
    pytest.importorskip("matplotlib")
    from costcalc.decide.plotting import Marks, Plot, save

    plot = Plot(
        title="t",
        x_label="x",
        y_label="y",
        series=[Marks(label="a", mark="o", x=[1, 2], y=[1, 10])],
    )
    path = save(plot, tmp_path / f"plot{suffix}")
    head = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}[suffix]
    assert path.read_bytes().startswith(head)
    with pytest.raises(InputError, match="exists"):
        save(plot, path)
    with pytest.raises(InputError, match=r"ends in .png, .svg, .pdf"):
        save(plot, tmp_path / "plot.gif")


def test_an_instance_says_the_axes():
    run = {
        **RUN,
        "hardware": {"instance": "p5.48xlarge", "nodes": 2},
        "site": {"region": "aws:us-east-1"},
    }
    found = compare(run, ranges=False)
    assert (found.sweep.accelerators, found.sweep.counts) == (("h100-sxm5-80",), (16,))


def test_a_bar_shows_only_after_a_second_and_only_to_somebody(monkeypatch):
    from contextlib import ExitStack

    from costcalc.cli import compare as command

    class Screen:
        def __init__(self):
            self.text = ""

        def isatty(self):
            return True

        def write(self, text):
            self.text += text
            return len(text)

        def flush(self):
            pass

    for slow, shown in ((0.0, True), (1e9, False)):
        screen = Screen()
        monkeypatch.setattr(command.sys, "stderr", screen)
        monkeypatch.setattr(command, "SLOW", slow)
        with ExitStack() as stack:
            progress = command._progress(stack)
            for done in (1, 2):
                progress(done, 2)
        assert ("scenarios" in screen.text) == shown


def test_what_nobody_knows_is_no_aim():
    found = compare(RUN, counts="8..16", regions="FR,PL", ranges=False)  # no provider: no price
    assert found.aims == ("time", "carbon")
    assert {row["region"] for row in found.front} == {"FR"}
    assert any(note.startswith("no cost is known (price.provider") for note in found.notes)


def test_a_file_is_refused_at_its_lines(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(
        "model: {preset: llama-3-8b}\ntraining: {tokens: lots}\n"
        "hardware: {acelerator: h100-sxm5-80, count: 8}\n"
        "sweep: {counts: 8..16, regions: FR, accelerators: h100-sxm5-80}\n"
    )
    with pytest.raises(InputError) as caught:
        compare(str(path))
    assert str(caught.value).splitlines() == [
        f'{path}:2:20: training.tokens: expected a number of tokens, more than 0; got "lots"',
        f"{path}:3:12: hardware.acelerator: unknown key; did you mean accelerator?",
        f"2 problems in {path}",
    ]


def test_the_sweep_may_hold_all_the_hardware(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text(
        "model: {preset: llama-3-8b}\ntraining: {tokens: 1B, software: megatron}\n"
        "sweep: {counts: 8..16, regions: 'aws:us-east-1', accelerators: h100}\n"
    )
    assert len(compare(path, ranges=False).front) == 2


def test_a_front_of_very_many_is_no_trap():
    # 200,000 choices that all trade time for money: each is on the front
    x = np.arange(1.0, 200_001.0)
    assert len(front(np.column_stack([x, 1e6 / x, np.ones_like(x)]))) == 200_000


def test_a_run_lies_on_its_defaults_wherever_it_is_compared(tmp_path, monkeypatch):
    (tmp_path / "runs").mkdir()
    (tmp_path / "lab.yaml").write_text(
        "hardware: {accelerator: h100-sxm5-80}\nprice: {device_hour: 2 USD}\nsite: {region: FR}\n"
    )
    (tmp_path / "runs" / "a.yaml").write_text(
        "defaults: ../lab.yaml\nmodel: {parameters: 1e9}\ntraining: {tokens: 1B}\n"
        "hardware: {count: 8}\n"
    )
    monkeypatch.chdir(tmp_path)
    found = compare("runs/a.yaml", counts=[8, 16], ranges=False)
    single = costcalc.estimate("runs/a.yaml", ranges=False)
    (row,) = (row for row in (*found.front, *found.rest) if row["count"] == 8)
    assert (row["region"], row["accelerator"]) == ("FR", "h100-sxm5-80")
    assert row["cost"] == pytest.approx(single.results["cost"].value, rel=1e-9)


def test_every_axis_that_is_wrong_is_told_at_once_by_its_name():
    with pytest.raises(InputError) as caught:
        compare(RUN, accelerators="h100, a1000x", counts="8-64", regions="FR, Atlantis",
                plans="spotty", precisions="bf17")  # fmt: skip
    told = [str(problem) for problem in caught.value.problems]
    assert [text.partition(": ")[0] for text in told] == [
        "precisions", "accelerators", "counts", "regions", "plans"]  # fmt: skip
    assert told[1].startswith("accelerators: no accelerator a1000x; nearest: ")
    assert told[2] == 'counts: expected counts as 64..1024, 8..32:8 or 8,16; got "8-64"'
    assert told[3].startswith("regions: no region Atlantis; known: ")
