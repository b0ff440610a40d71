"""Sums of several stages by hand, and why a figure is not known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from calculated import H100, HOUR, run, stages

import costcalc
from costcalc.base.assumption import Choice, exact
from costcalc.calculator import figures
from costcalc.calculator.filled import filled, written


def test_figures_that_do_not_add_up() -> None:
    layout = {**H100, "utilization": 0.4, "layout": {"sharding": "zero3"}}
    training = {"tokens": "1B", "global_batch": 64, "recompute": "none"}
    made = stages(
        {"name": "a", "training": {**training, "micro_batch": 1}},
        {"name": "b", "training": {**training, "micro_batch": 4}},
        model={"preset": "llama-3-8b"},
        hardware=layout,
    )
    held = [stage.results["memory_per_device"].value for stage in made.stages]
    assert made.results["memory_per_device"].value == max(held) == held[1] > held[0]
    assert made.results["utilization"].value == 0.4  # the same in both
    assert made.results["parameters"].value == 8_030_261_248
    other = stages(
        {"name": "a", "model": {"preset": "llama-3-8b"}, "training": training},
        {"name": "b", "model": {"preset": "mistral-7b"}, "training": training},
    )
    assert other.results["parameters"].why == "differs from stage to stage: see stages"


def test_one_stage_that_is_not_known_leaves_the_sum_open() -> None:
    made = stages(
        {"name": "a", "measured": {"wall_clock": "10 h"}},
        {"name": "b", "measured": {"energy": "1 kWh"}},
    )
    why = made.results["wall_clock"].why
    assert why.startswith("unknown for stage b: ")
    assert made.results["wall_clock"].value is None


def test_a_sum_is_measured_where_all_of_it_is() -> None:
    ten = {"measured": {"wall_clock": "10 h"}}
    both = stages({"name": "a", **ten}, {"name": "b", **ten})
    assert both.results["wall_clock"].basis == "measured"
    assert both.results["wall_clock"].value == pytest.approx(20)
    assert both.results["cost"].value == pytest.approx(20 * 16 * 2)
    training = {"tokens": "1B", "global_batch": 64}
    part = stages({"name": "a", **ten}, {"name": "b", "model": {"preset": "llama-3-8b"},
                                         "training": training})  # fmt: skip
    assert part.results["wall_clock"].basis == "modelled"


def test_limits_are_of_the_whole() -> None:
    ten = {"measured": {"wall_clock": "10 h"}}
    made = stages({"name": "a", **ten}, {"name": "b", **ten}, limits={"time": "15 h"})
    assert [limit["passed"] for limit in made.limits] == [True]
    assert all(not stage.limits for stage in made.stages)


@pytest.mark.parametrize(
    ("sections", "name", "why"),
    [
        ({}, "wall_clock", "no model and size of the data given: nothing to calculate it from"),
        ({"site": None}, "carbon_operational", "no site.region and no site.grid"),
        ({"site": None}, "water", "no site.region"),
    ],
)
def test_why_a_figure_is_not_known(sections: dict[str, Any], name: str, why: str) -> None:
    known: dict[str, Any] = {
        "hardware": H100,
        "measured": {"energy": "1 kWh"},
        "site": {"region": "FR"},
    }
    given = {key: value for key, value in {**known, **sections}.items() if value is not None}
    assert costcalc.estimate(given, ranges=False).results[name].why == why


@pytest.mark.parametrize(
    ("lacking", "why"),
    [
        (("generation",), "no shapes"),  # as the time stage says
        (("generation", "utilization"), "no shapes"),
        (("utilization",), "no model and size of the data given: nothing to calculate it from"),
        (("peak",), "no model and size of the data given: nothing to calculate it from"),
        (("goodput", "runs"), "needs goodput, runs"),
    ],
)
def test_why_a_time_is_not_known(lacking: tuple[str, ...], why: str) -> None:
    inputs = ("training_flops", "devices", "peak", "utilization", "generation", "goodput", "runs")
    known = {name: 1.0 for name in inputs if name not in lacking}
    said = SimpleNamespace(throughput=SimpleNamespace(generation_why="no shapes"))
    part: Any = SimpleNamespace(values=known, why={}, timed=said)
    assert figures._why("device_hours", part) == why
    part = SimpleNamespace(values=known, why={lacking[0]: "told", "other": "not"}, timed=said)
    assert figures._why("device_hours", part) == "told"


def test_draws_of_stages_are_added_one_by_one() -> None:
    known = {
        "model": {"preset": "llama-3-8b"},
        "training": {"tokens": "1B", "global_batch": 64},
        "hardware": {**H100, "layout": {"sharding": "zero3"}},
        "site": {"region": "FR"},
    }
    one = costcalc.estimate(known)
    two = costcalc.estimate({**known, "stages": [{"name": "a"}, {"name": "b"}]})
    # what is in doubt is in doubt of both alike: twice the range, to the last digit
    for name in ("energy", "wall_clock", "carbon_total"):
        single, both = one.results[name], two.results[name]
        assert single.low is not None
        assert single.high is not None
        assert (both.low, both.high) == (2 * single.low, 2 * single.high)


def test_rates_are_ranges_turned_round() -> None:
    made = costcalc.estimate(
        {"model": {"preset": "llama-3-8b"}, "training": {"tokens": "1B", "global_batch": 64},
         "hardware": {**H100, "layout": {"sharding": "zero3"}}}
    )  # fmt: skip
    rate, step = made.results["throughput"], made.results["step_time"]
    each = 64 * 8192  # tokens a step
    assert rate.value is not None
    assert rate.low is not None
    assert rate.high is not None
    assert (step.value, step.low, step.high) == pytest.approx(
        (each / rate.value, each / rate.high, each / rate.low)
    )
    assert rate.low < rate.value < rate.high
    assert rate.basis == step.basis == "modelled"
    # a share of the peak is somebody's word, a rate somebody's measurement
    for hardware, said in (
        ({"utilization": 0.4}, "given"),
        ({"throughput": "80000 token/s"}, "measured"),
        ({"calibrate": {"step_time": "8 s"}}, "measured"),
    ):
        told = run(hardware={**H100, **hardware}, training={"tokens": "1B", "global_batch": 64})
        bases = {told.results[name].basis for name in ("throughput", "step_time")}
        assert bases == {said}, hardware
    budget = run(model={"flops": "1e21 FLOP"}, training={"tokens": "1B"}, hardware=dict(H100))
    for name in ("utilization", "throughput", "step_time"):
        assert budget.results[name].basis == "modelled"  # the runs of others say how fast


def test_what_was_worked_out_stands_in_the_run_file() -> None:
    listed = (
        exact("site.pue", 1.2, "1", basis="default", source="s"),
        exact("site.grid", 56 / 3.6e6, "gCO2e/kWh", basis="profile", source="s"),
        exact("price.device_hour", 2 / HOUR, "USD/device_hour", basis="profile", source="s"),
        exact("hardware.goodput", 0.5, "1", basis="given", source="s"),
        exact("hardware.board_power", 500.0, "W", basis="modelled", source="s"),
        Choice(key="hardware.layout.sharding", value="auto", basis="default", source="s"),
        Choice(key="training.packing", value="packed", basis="default", source="s"),
    )
    raw = {"hardware": {"layout": {"tensor": 2}}, "training": {"packing": "padded"}}
    assert filled(raw, listed, {"name": "n", "hardware": 3}) == {
        "name": "n",
        "site": {"pue": 1.2, "grid": "56.0 gCO2e/kWh"},
        "price": {"device_hour": "2.0 USD"},
        "hardware": {"layout": {"tensor": 2, "sharding": "auto"}},
        "training": {"packing": "padded"},
    }
    assert filled({"hardware": {"layout": "auto"}}, listed[5:6], {}) == {
        "hardware": {"layout": "auto"}
    }
    assert written(exact("k", 7200.0, "h", basis="default", source="s")) == "2.0 h"
