"""What is chosen within limits, and when to start: beside each figure its working."""

from __future__ import annotations

import re
from types import SimpleNamespace

import numpy as np
import pytest

from costcalc import compare, plan
from costcalc.decide import buying, chunk, cluster, waiting
from costcalc.decide.series import Series, instant

H100 = "h100-sxm5-80"


# --- buying ---------------------------------------------------------------------------------------


def test_what_ten_hours_buy():
    # 989.4 TFLOP/s (the datasheet's dense bf16) · utilization 0.5 · goodput 0.8 · 36,000 s
    hardware = {"accelerator": H100, "count": 1, "utilization": 0.5, "goodput": 0.8}
    run = {"hardware": hardware, "site": {"region": "FR"}, "limits": {"time": "10 h"}}
    found = buying.bought(run)
    assert found.flop == pytest.approx(989.4e12 * 0.5 * 0.8 * 36_000)
    assert found.limits == {"time": 10.0}
    assert found.notes == ()
    twice = buying.bought({**run, "hardware": {**hardware, "count": 2}})
    assert twice.flop == pytest.approx(2 * found.flop)


def test_counts_double_to_a_large_cluster():
    assert tuple(2**n for n in range(13)) == buying.COUNTS  # 1 to 4096


@pytest.mark.parametrize("carbon", [False, True])
def test_regions_that_cannot_be_ranked_are_told_where_carbon_is_a_limit(carbon):
    # China's grid factors are direct and of consumption: without a limit on carbon they may win
    limits = {"time": "10 h", **({"carbon": "10 kgCO2e"} if carbon else {})}
    found = buying.bought({"hardware": {"accelerator": H100, "count": 8}, "limits": limits})
    assert any(note.startswith("not ranked with them") for note in found.notes) is carbon
    assert any(note.startswith("regions ranked by grid factors") for note in found.notes)


def test_a_model_that_no_node_holds_gets_more_than_one_though_money_binds():
    # 405e9 parameters · 16 bytes of mixed-precision Adam are 6.5 TB: 81 devices of 80 GB
    from costcalc.decide.planning import plan

    run = {"model": {"preset": "llama-3.1-405b"}, "hardware": {"accelerator": H100}}
    found = plan(run, limits={"cost": "10 MUSD"})
    assert found.binding == "cost"
    assert found.run["hardware"]["count"] > 8


# --- within limits --------------------------------------------------------------------------------


def test_what_is_just_at_a_limit_is_within():
    figures = {
        "wall_clock": np.array([1.0, 2.0, 3.0, np.nan]),
        "cost": np.array([10.0, 10.0, 10.1, 1.0]),
    }
    assert chunk._within(figures, {"cost": 10.0}).tolist() == [True, True, False, False]
    assert chunk._within(figures, {"cost": 10.1, "time": 2.0}).tolist() == [
        True,
        True,
        False,
        False,
    ]
    assert chunk._within(figures, {}).tolist() == [True, True, True, False]


def test_of_those_alike_in_the_aim_the_cheapest():
    figures = {
        "wall_clock": np.array([2.0, 1.0, 1.0 + 0.9e-9, 1.0 + 1.1e-9]),
        "cost": np.array([1.0, 9.0, 7.0, 5.0]),
    }
    every = np.array([True] * 4)
    assert chunk._best(figures, every, "time").tolist() == [2]  # alike to 1e-9; the last is not
    assert chunk._best(figures, np.array([True, True, False, False]), "time").tolist() == [1]
    assert chunk._best(figures, every, "cost").tolist() == [0]
    assert chunk._best(figures, np.array([False] * 4), "cost").tolist() == []
    assert chunk._best(figures, every, None).tolist() == []


def test_the_least_time_is_least_without_a_price_too_and_of_those_alike_a_priced_one():
    figures = {"wall_clock": np.array([1.0, 2.0, 1.0]), "cost": np.array([np.nan, 9.0, 10.0])}
    for within, best in (([1, 1, 0], 0), ([1, 1, 1], 2), ([0, 1, 0], 1)):
        assert chunk._best(figures, np.array(within, bool), "time").tolist() == [best]


def test_the_rest_are_the_first_twenty_of_each_aim():
    # 45 scenarios of two aims that run against one another: 20 of each end are left
    number = np.arange(45.0)
    costs = np.column_stack([number, 44 - number])
    found = chunk._others(costs, np.array([0]))  # the first is on the front
    assert found.tolist() == [*range(1, 21), *range(25, 45)]
    assert chunk._others(costs[:20], np.array([0])).tolist() == list(range(1, 20))


# --- a cluster ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("workers", "ahead"), [(0, 3), (1, 3), (2, 6)])
def test_three_chunks_a_worker_are_under_way(workers, ahead):
    under_way, most = [], []

    def submit(work, task, piece, pure):
        under_way.append(piece)
        most.append(len(under_way))

        def result():
            under_way.remove(piece)
            return piece

        return SimpleNamespace(result=result)

    client = SimpleNamespace(
        submit=submit, scheduler_info=lambda: {"workers": dict.fromkeys(range(workers))}
    )
    assert list(cluster.run(client, None, range(10))) == list(range(10))
    assert max(most) == ahead


# --- waiting --------------------------------------------------------------------------------------


def waited(hours, values, **options):
    measured = {"wall_clock": f"{hours} h", "energy": "10 kWh"}
    run = {"hardware": {"accelerator": "a100-sxm4-80", "count": 1}, "measured": measured}
    series = Series(
        start=instant("2026-06-01T00:00Z"),
        step=3600.0,
        values=tuple(map(float, values)),
        signal="average",
        source="test",
    )
    return waiting.when(run, series, **options)


def test_a_saving_of_just_what_is_worth_it():
    # 100 to 50: half is saved
    found = waited(1, [100, 50], worth=0.5)
    assert found.worth
    assert found.sentence.startswith("Worth waiting: ")
    assert found.saving == 0.5
    other = waited(1, [100, 50], worth=0.51)
    assert not other.worth
    assert other.sentence.startswith("Waiting is not worth it: ")


def test_one_start_alone_is_one():
    assert waiting.starts(np.array([100.0, 200.0]), 2.0).tolist() == [150.0]
    assert waiting.starts(np.array([100.0, 200.0]), 1.5).tolist() == [(100 + 0.5 * 200) / 1.5]
    assert waiting.starts(np.array([100.0, 200.0]), 2.1).tolist() == []


@pytest.mark.parametrize(
    ("options", "best", "window"),
    [
        ({}, 4, 4.0),  # five starts of an hour: the last is four hours on
        ({"window": 3600.0}, 1, 1.0),
        ({"window": 99 * 3600.0}, 4, 4.0),  # no more than the series holds
        ({"start": "2026-06-01T02:00Z"}, 4, 2.0),
        ({"start": "2026-06-01T02:00Z", "window": 3600.0}, 3, 1.0),
        (
            {"start": "2026-06-01T01:30Z", "window": 0.0},
            1.5,
            0.0,
        ),  # as it is: half of 400 and of 300
    ],
)
def test_the_starts_of_a_window(options, best, window):
    found = waited(1, [500, 400, 300, 200, 100], **options)
    hour = found.best.start.hour + found.best.start.minute / 60
    assert (hour, found.window_hours) == (best, window)
    assert found.best.emissions == pytest.approx((500 - 100 * best) * 10 / 1000)  # g · 10 kWh


def test_starts_over_a_gap_are_left_out_and_counted():
    found = waited(2, [300, 300, np.nan, 100, 100, 200])
    # starts at 0, 3, 4; those at 1 and 2 have the gap
    assert (found.best.start.hour, found.best.mean_intensity) == (3, 100.0)
    assert "2 starts are left out for gaps in the series" in found.notes


# --- hardware that may not hold the run ----------------------------------------------------------

# 8.03e9 parameters in 16 bits of gradients and weights and 32 of the rest: 16 B each, over four
# devices 32.1 GB = 29.9 GiB of states alone, and a TPU v5e has 16
FULL = {"model": {"preset": "llama-3-8b"}, "training": {"method": "finetune", "tokens": "10M"}}


def test_hardware_that_may_not_hold_the_run_is_not_chosen():
    found = compare(
        {**FULL, "site": {"region": "gcp:us-central1"}},
        accelerators="tpu-v5e,h100-sxm5-80", counts="4,16", ranges=False,
    )  # fmt: skip
    listed = {(row["count"], row["accelerator"]) for row in (*found.front, *found.rest)}
    assert (4, "tpu-v5e") not in listed
    assert {(16, "tpu-v5e"), (16, "h100-sxm5-80")} <= listed
    why = found.why["4 × tpu-v5e"]
    assert re.fullmatch(
        r"memory suffices only if the software spares most of what is usual: "
        r"3\d\.\d GiB a device \(1\d(\.\d)? to [34]\d\.\d\) of 16",
        why,
    )
    assert found.feasible == found.number - sum("memory" in why for why in found.why.values())


def test_hardware_that_was_said_is_kept_and_doubted():
    one = {**FULL, "hardware": {"accelerator": "tpu-v5e", "count": 4}}
    found = compare(one, regions="gcp:us-central1,gcp:europe-west4", ranges=False)
    assert {row["accelerator"] for row in found.front} == {"tpu-v5e"}
    assert any(
        note.startswith(
            "4 × tpu-v5e: memory suffices only if the software spares most of what is usual: 3"
        )
        for note in found.notes
    )
    made = plan({**one, "site": {"region": "gcp:us-central1"}}, limits={"cost": "2000 USD"})
    assert any(
        note.startswith("memory suffices only if the software spares most of what is usual: 3")
        for note in made.notes
    )


def test_a_plan_chooses_hardware_whose_memory_holds_it():
    run = {
        "model": {"preset": "llama-3-8b"},
        "training": {"method": "finetune"},
        "site": {"region": "gcp:us-central1"},
        "hardware": {"accelerator": "tpu-v5e"},
    }
    for training in (run["training"], {**run["training"], "tokens": "10M"}):
        made = plan({**run, "training": training}, limits={"cost": "50 USD"})
        held = made.estimate.results["memory_per_device"]
        assert made.run["hardware"]["count"] > 4
        assert held.value <= 16
    # tuning takes no more devices than a usual batch has sequences
    assert made.run["hardware"]["count"] <= 64
