"""From SI numbers to what is shown: units, words and splits, each with its arithmetic beside it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import costcalc
from costcalc import InputError
from costcalc.base.assumption import Assumption, Choice, exact
from costcalc.calculator import figures
from costcalc.calculator.breakdown import breakdown, summed
from costcalc.calculator.document import kind, run_id, sections
from costcalc.calculator.filled import filled, written
from costcalc.calculator.limits import judged
from costcalc.calculator.result import Estimate, Result, WhenRead, shown, unknown
from costcalc.runfile.schema import Limits, Price

H100 = {"accelerator": "h100-sxm5-80", "count": 16}


# --- figures -------------------------------------------------------------------------------------


def test_a_figure_is_in_its_unit_and_its_range_holds_it() -> None:
    # 7200 s are 2 h; draws said 1 to 1.5 h: the range reaches up to the value
    made = Result.of(7200.0, 3600.0, 5400.0, "h", "modelled")
    assert (made.value, made.low, made.high) == (2.0, 1.0, 2.0)
    made = Result.of(7200.0, 9000.0, 10800.0, "h", "measured")
    assert (made.value, made.low, made.high, made.basis) == (2.0, 2.0, 3.0, "measured")
    one = Result.exact(3.0, "1")
    assert (one.value, one.low, one.high, one.basis) == (3.0, 3.0, 3.0, "modelled")
    assert made.to("min") == Result(
        value=120.0, low=120.0, high=180.0, unit="min", basis="measured"
    )
    assert unknown("h", "nobody said").to("s") == unknown("s", "nobody said")
    with pytest.raises(InputError):
        unknown("h", "").to("kWh")


def test_a_figure_as_a_report_says_it() -> None:
    made = Result(value=1.0, low=0.5, high=2.0, unit="h", basis="modelled", convention="wall")
    assert made.to_dict() == {
        "value": 1.0, "low": 0.5, "high": 2.0, "unit": "h", "basis": "modelled",
        "convention": "wall",
    }  # fmt: skip
    assert unknown("h", "nobody said").to_dict()["why"] == "nobody said"
    assert "why" not in made.to_dict()


def test_an_assumption_is_listed_in_its_unit() -> None:
    item = Assumption(
        key="k", value=7200.0, low=3600.0, high=10800.0, unit="h", basis="default", source="s",
        year=2020,
    )  # fmt: skip
    assert shown(item) == {
        "key": "k", "value": 2.0, "low": 1.0, "high": 3.0, "unit": "h", "basis": "default",
        "source": "s", "year": 2020,
    }  # fmt: skip
    choice = Choice(key="k", value="auto", basis="default", source="s", why="w")
    assert shown(choice) == {
        "key": "k", "value": "auto", "basis": "default", "source": "s", "why": "w",
    }  # fmt: skip


def test_a_list_is_made_when_it_is_read_and_once() -> None:
    made: list[int] = []

    def make() -> list[dict[str, int]]:
        made.append(1)
        return [{"a": 1}, {"b": 2}]

    listed = WhenRead(make)
    assert made == []
    assert (len(listed), listed[1], list(listed)) == (2, {"b": 2}, [{"a": 1}, {"b": 2}])
    assert listed == [{"a": 1}, {"b": 2}]
    assert listed != 3
    assert made == [1]


# --- limits --------------------------------------------------------------------------------------


def test_a_limit_is_judged_on_the_value_and_its_chance_on_the_draws() -> None:
    hours = Result(value=10.0, low=8.0, high=12.0, unit="h", basis="modelled")
    draws = {"wall_clock": np.array([8.0, 9.0, 11.0, 12.0]) * 3600}
    (made,) = judged(Limits(time="9.5 h"), None, {"wall_clock": hours}, draws)
    assert made["key"] == "limits.time"
    assert (made["limit"], made["unit"], made["value"]) == (9.5, "h", 10.0)
    assert (made["passed"], made["chance"]) == (True, 0.5)
    assert made["text"] == "limit time 9.50 hours: PASSED, at 10.0 hours; chance of passing it 50 %"
    (made,) = judged(Limits(time="11 h"), None, {"wall_clock": hours}, draws)
    assert (made["passed"], made["chance"]) == (False, 0.25)  # 11 h are not more than 11 h
    (made,) = judged(Limits(time="10 h"), None, {"wall_clock": hours}, draws)
    assert (made["passed"], made["chance"]) == (False, 0.5)  # nor is the value more than itself
    (made,) = judged(Limits(time="9 h"), None, {"wall_clock": hours}, {})
    assert (made["passed"], made["chance"]) == (True, 1.0)


def test_a_limit_in_another_currency() -> None:
    cost = Result.exact(110.0, "USD")
    price = Price(rate="1.1 USD/EUR")
    for euros, passed in (("100 EUR", False), ("99 EUR", True)):
        (made,) = judged(Limits(cost=euros), price, {"cost": cost}, {})
        assert made["passed"] is passed
    assert made["limit"] == pytest.approx(99 * 1.1)


def test_limits_that_cannot_be_judged() -> None:
    (made,) = judged(Limits(time="9 h"), None, {"wall_clock": unknown("h", "no model")}, {})
    assert made["text"] == "limit time 9.00 hours: cannot be judged, no model"
    assert (made["passed"], made["chance"], made["value"]) == (None, None, None)
    for limits, within in (([{"passed": False}], True), ([{"passed": None}], False),
                           ([{"passed": False}, {"passed": True}], False), ([], True)):  # fmt: skip
        assert Estimate(name="n", results={}, limits=limits).within_limits is within


# --- where it goes -------------------------------------------------------------------------------

# 10 device-hours at 2 USD, three quarters of them training, 12 billed for 8; 100 W a board,
# half of one at 40 W idle, 1.5 of 50 W of host: 195 W, a tenth for switches; PUE 1.5; 0.1 USD a kWh
HOUR, KWH = 3600.0, 3.6e6
VALUES = {
    "device_hours": 10 * HOUR, "price": 2 / HOUR, "goodput": 0.75, "billed": 1.5,
    "mean_power": 100.0, "idle_power": 40.0, "host_power": 50.0, "network_share": 0.1,
    "energy_it": 10 * 0.195 * 1.1 * KWH, "energy": 10 * 0.195 * 1.1 * 1.5 * KWH,
    "electricity": 0.1 / KWH, "cost": 1.0,
    "carbon_operational": 3000.0, "carbon_embodied": 500.0, "carbon_total": 3500.0,
}  # fmt: skip


def test_where_money_energy_and_carbon_go() -> None:
    made = breakdown(VALUES, None, frozenset())
    assert made["cost"] == pytest.approx(
        {
            "training": 10 * 2 * 0.75,
            "shortfall": 10 * 2 * 0.25,
            "unused devices": 10 * 2 * 0.5,
            "electricity": 10 * 0.195 * 1.1 * 1.5 * 0.1,
        }
    )
    assert made["energy"] == pytest.approx(
        {
            "accelerators": 1.0,
            "unused devices": 0.2,
            "hosts": 0.75,
            "network": 0.195,
            "facility": 2.145 * 0.5,
        }
    )
    assert made["carbon"] == pytest.approx({"electricity": 3.0, "making the hardware": 0.5})
    assert "step" not in made


@pytest.mark.parametrize(
    ("measured", "lacking", "energy"),
    [
        ({"energy_it"}, (), {"computers": 2.145, "facility": 1.0725}),
        (
            {"energy"},
            (),
            {
                "accelerators": 1,
                "unused devices": 0.2,
                "hosts": 0.75,
                "network": 0.195,
                "facility": 1.0725,
            },
        ),
        ({"energy", "energy_it"}, (), None),  # measured as a whole: nothing splits it
        ((), ("mean_power",), {"computers": 2.145, "facility": 1.0725}),
        ((), ("device_hours",), {"computers": 2.145, "facility": 1.0725}),
        ((), ("energy_it",), None),
        ((), ("energy",), None),
    ],
)
def test_what_was_measured_as_a_whole_is_not_split(measured, lacking, energy) -> None:
    values = {name: value for name, value in VALUES.items() if name not in lacking}
    made = breakdown(values, None, frozenset(measured))
    assert made.get("energy") == (None if energy is None else pytest.approx(energy))


def test_a_measured_time_has_no_shortfall_and_a_measured_cost_no_parts() -> None:
    made = breakdown(VALUES, None, frozenset({"wall_clock"}))["cost"]
    assert made["training"] == pytest.approx(20)
    assert "shortfall" not in made
    assert "cost" not in breakdown(VALUES, None, frozenset({"cost"}))
    free = {**VALUES, "billed": 1.0, "electricity": 0.0}
    assert set(breakdown(free, None, frozenset())["cost"]) == {"training", "shortfall"}


def test_parts_of_several_stages_are_added_where_all_have_them() -> None:
    first = {
        "cost": {"training": 1.0, "shortfall": 2.0},
        "energy": {"hosts": 3.0},
        "step": {"a": 1.0},
    }
    second = {"cost": {"training": 10.0}, "carbon": {"electricity": 1.0}}
    assert summed([first, second]) == {"cost": {"training": 11.0, "shortfall": 2.0}}


# --- words ---------------------------------------------------------------------------------------


def run(**sections: Any) -> Any:
    known = {
        "model": {"preset": "llama-3-8b"},
        "training": {"tokens": "1B", "global_batch": 64, "micro_batch": 1, "recompute": "none"},
        "hardware": {**H100, "utilization": 0.4, "goodput": 0.8, "layout": {"sharding": "zero3"}},
        "site": {"region": "FR", "pue": 1.25},
        "price": {"device_hour": "2 USD"},
    }
    return costcalc.estimate({**known, **sections}, ranges=False)


def test_the_steps_in_words() -> None:
    made = run()
    steps = dict(made.details["steps"])
    assert list(steps) == ["compute", "speed", "layout", "time", "power", "grid"]
    # 51.47 GFLOP a token at 8192 (Megatron-Bridge), of 1e9 tokens
    assert steps["compute"] == (
        "5.15e+19 FLOP = E 51.5 GFLOP × D 1.00 B tokens × H 1 run; 8.03 B parameters"
    )
    # 16 × 989.4 TFLOP/s × 0.4 / 51.47 GFLOP = 123,029 token/s; 64 × 8192 of them 4.26 s
    assert steps["speed"] == ("40 % of 989 TFLOP/s (bf16, dense) = 123,000 token/s, 4.26 s a step")
    held = made.results["memory_per_device"].value
    assert steps["layout"] == (
        f"data 16, zero3, micro-batch 1, recompute none, {held:.3g} of 79.6 GiB"
    )
    # 1e9 / 123,029 s are 2.258 h, and 0.8 of the time trains: 2.82 h
    assert steps["time"] == "2.82 hours × 16 devices = 45.2 device-hours; goodput 80 %"
    assert steps["power"].endswith(", PUE 1.25")
    board, host = made.values["mean_power"], made.values["host_power"]
    assert steps["power"].startswith(f"{board:.3g} W a board + {host:.3g} W of its host")
    assert made.details["price"] == "2.00 USD a device-hour, yours"
    assert made.details["work"] == {"data": 1e9, "datum": "token"}
    assert made.details["hardware"]["nodes"] == 2
    assert made.details["layout"]["chosen_by"] == "given"
    assert "walked" not in made.details["layout"]


def test_experts_runs_and_a_chosen_layout_in_words() -> None:
    hardware = {"accelerator": "h100-sxm5-80", "count": 64}
    made = run(model={"preset": "mixtral-8x7b"}, hardware=hardware, price={"provider": "aws"})
    steps = dict(made.details["steps"])
    assert steps["compute"].endswith("; 46.7 B parameters, 12.9 B active")
    walked = made.details["layout"]["walked"]
    assert walked > 100
    assert steps["layout"].endswith(f" GiB (auto: best of {walked:,})")
    assert made.details["price"].startswith("8.43 USD a device-hour, on-demand; ")
    spot = run(hardware=hardware, price={"provider": "aws", "plan": "spot"})
    assert spot.details["price"].startswith("2.48 USD a device-hour, spot; ")


def test_a_bare_budget_in_words() -> None:
    hardware = {**H100, "utilization": 0.4}
    one = run(model={"flops": "1e21 FLOP"}, training={}, hardware=hardware)
    two = run(model={"flops": "1e21 FLOP"}, training={"runs": 2}, hardware=hardware)
    assert dict(one.details["steps"])["compute"] == "1.00e+21 FLOP"
    assert dict(two.details["steps"])["compute"] == "2.00e+21 FLOP = 1.00e+21 FLOP × H 2 runs"
    assert " × 16 devices × 2 runs = " in dict(two.details["steps"])["time"]
    why = "the budget is given in FLOP: how many data it trains on is not known"
    assert one.results["throughput"].why == one.results["step_time"].why == why


def test_what_was_measured_in_words() -> None:
    made = costcalc.estimate(
        {"hardware": H100, "measured": {"wall_clock": "10 h", "energy_it": "1 MWh"},
         "site": {"region": "FR"}},
        ranges=False,
    )  # fmt: skip
    steps = dict(made.details["steps"])
    assert steps["time"] == "10.0 hours × 16 devices = 160 device-hours"
    assert "power" not in steps
    assert "layout" not in made.details
    assert made.results["utilization"].why == "no model and size of the data given"
    assert made.results["throughput"].unit == "token/s"


# --- several stages ------------------------------------------------------------------------------


def stages(*parts: dict[str, Any], **sections: Any) -> Any:
    known = {"hardware": {**H100, "utilization": 0.4}, "site": {"region": "FR"},
             "price": {"device_hour": "2 USD"}}  # fmt: skip
    return costcalc.estimate({**known, **sections, "stages": list(parts)}, ranges=False)


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


# --- what was filled in --------------------------------------------------------------------------


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


# --- sections ------------------------------------------------------------------------------------


def figure(value: float | None, basis: str = "modelled", **more: Any) -> dict[str, Any]:
    return {"value": value, "basis": basis, **more}


NAMES = ("wall_clock", "device_hours", "energy", "energy_it", "carbon_embodied", "training_compute")


def document(results: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    made = {name: figure(10.0) for name in NAMES} | (results or {})
    return sections({"name": "n", "results": made, **more})


@pytest.mark.parametrize(
    ("results", "said"),
    [
        ({}, "estimated"),
        ({"device_hours": figure(1.0, "measured")}, "mixed"),
        ({"energy": figure(1.0, "measured")}, "mixed"),
        ({"energy": figure(None, "measured")}, "estimated"),  # measured, they say, and no figure
        ({"wall_clock": figure(1.0, "measured"), "energy_it": figure(1.0, "measured")}, "measured"),
    ],
)
def test_what_kind_of_report(results: dict[str, Any], said: str) -> None:
    assert kind({name: figure(10.0) for name in NAMES} | results) == said


def test_an_id_is_of_the_name_and_the_run() -> None:
    one = run_id("a", {"x": 1, "y": 2})
    assert one == run_id("a", {"y": 2, "x": 1})
    assert len({one, run_id("b", {"x": 1, "y": 2}), run_id("a", {"x": 2, "y": 2})}) == 3
    assert len(one) == len("run-") + 12


def test_the_work_of_a_report() -> None:
    work = {"work": {"data": 4.0, "datum": "token"}}
    runs = [{"key": "training.runs", "value": 3}]
    made = document(details=work, assumptions=runs)["work"]
    assert made["E"] == {"value": 10 / 4, "unit": "FLOP/token"}
    assert made["D"] == {"value": 4.0, "unit": "token"}
    assert made["H"] == {"value": 3.0, "unit": "1"}
    bare = document()["work"]
    why = "the number of data is not known"
    assert bare["E"] == {"value": None, "unit": "FLOP/datum", "why": why}
    assert bare["D"] == {"value": None, "unit": "datum", "why": why}
    assert bare["H"]["value"] == 1.0
    no_flops = document({"training_compute": figure(None)}, details=work)["work"]
    assert no_flops["E"]["why"] == why
    assert no_flops["D"] == {"value": 4.0, "unit": "token"}
    part = {"name": "a", "results": {name: figure(1.0) for name in NAMES}}
    staged = document(stages=[part])["work"]
    assert [staged[name]["why"] for name in "EDH"] == ["differs from stage to stage"] * 3


def test_the_runs_and_the_project_of_a_report() -> None:
    runs = [{"key": "training.runs", "value": 4}, {"key": "hardware.count", "value": 7.0}]
    made = document({"device_hours": figure(40.0)}, assumptions=runs)
    (entry,) = made["runs"]
    assert (entry["number"], entry["hours"], entry["devices"]) == (4.0, 10.0, 7.0)
    assert made["project"]["reported_device_hours"] == 40 / 4
    assert (made["project"]["total_device_hours"], made["project"]["ratio"]) == (40, 4)
    assert "why" not in made["project"]
    details = {"hardware": {"count": 8, "nodes": 2}}
    counted = document(details=details, assumptions=runs)
    assert counted["runs"][0]["devices"] == 8.0
    assert counted["measurement"]["nodes"] == 2
    for hours in (figure(None), figure(0.0)):
        open_ = document({"device_hours": hours})["project"]
        assert open_["ratio"] is None
        assert open_["why"] == "device-hours are not known"
    lost = document({"energy": figure(None, why="no power"), "wall_clock": figure(1, "measured")})
    assert lost["runs"][0]["why"] == "no power"
    assert lost["runs"][0]["measured_by"] == "the user, as the run file says"


@pytest.mark.parametrize(
    ("results", "listed", "counted"),
    [
        ({}, ["hardware.board_power"], [True, False, False]),
        ({}, ["hardware.host_power", "hardware.network_power"], [False, True, True]),
        ({"energy_it": figure(None)}, ["hardware.board_power"], [False, False, False]),
        ({"energy_it": figure(1.0, "measured")}, ["hardware.board_power"], [None, None, None]),
    ],
)
def test_what_a_report_covers(results, listed, counted) -> None:
    made = document(results, assumptions=[{"key": key, "value": 1.0} for key in listed])
    parts = made["boundary"]["components"]
    assert [part["counted"] for part in parts[:3]] == counted
    for part in parts[:3]:
        assert ("why" in part) == (part["counted"] is not True)
    assert [part["counted"] for part in parts[3:]] == [True, True, False, False, False]
    less = document({"energy": figure(None), "carbon_embodied": figure(None)})["boundary"]
    assert [part["counted"] for part in less["components"][3:5]] == [False, False]
    names = [stage["name"] for stage in made["boundary"]["stages"]]
    assert names[0] == "training"
    assert [stage["counted"] for stage in made["boundary"]["stages"]] == [True] + [False] * 9
    assert made["boundary"]["functional_unit"]["amount"] == 1.0


def test_a_report_that_says_no_runs_is_of_one() -> None:
    made = document({"device_hours": figure(40.0)})["project"]
    assert (made["reported_device_hours"], made["ratio"]) == (40, 1)
    two = [{"name": "n", "results": {n: figure(v) for n in NAMES}} for v in (10.0, 30.0)]
    two[1]["assumptions"] = [{"key": "training.runs", "value": 3}]
    staged = document({"device_hours": figure(40.0)}, stages=two)["project"]
    assert staged["reported_device_hours"] == 10 + 30 / 3


@pytest.mark.parametrize(
    ("hardware", "redone"),
    [
        # a default goodput of 128 devices and more is mostly slow training, which draws as training
        # does; 16 devices are a quarter of the doublings from 8 to 128: 0.3 + (0.8 − 0.3) / 4
        ({}, 0.425),
        ({"count": 128}, 0.8),
        ({"count": 8}, 0.3),
        ({"goodput": 0.7}, 0.3),  # the user's is time lost, 0.3 of it on what is done again
        ({"utilization": 0.4}, 0.3),
    ],
)
def test_what_lost_time_draws(hardware: dict[str, Any], redone: float) -> None:
    known = {"model": {"preset": "llama-3-8b"}, "training": {"tokens": "1B"}}
    made = costcalc.estimate({**known, "hardware": {**H100, **hardware}}, ranges=False)
    assert made.values["redone"] == pytest.approx(redone, rel=1e-12)


def test_the_subject_of_a_report() -> None:
    given = {"paper": "p", "code": None, "why": "no repository"}
    made = document(
        subject=given,
        run={
            "model": {"preset": "a"},
            "stages": [{"model": {"preset": "b"}}, {"model": {"preset": "a"}}],
        },
    )["subject"]
    # what is said to be nothing is not lacking
    assert made == {
        "paper": "p", "code": None, "commit": None, "models": ["a", "b"],
        "why": "no repository; commit: not said in the run file",
    }  # fmt: skip
    whole = {"paper": "p", "code": "c", "commit": "x", "models": ["m"]}
    assert document(subject=whole, run={"model": {"preset": "a"}})["subject"] == whole


def test_a_price_of_other_regions_says_so_beside_its_figure() -> None:
    asked = {
        "measured": {"wall_clock": "10 h"},
        "hardware": {"instance": "p4d.24xlarge"},
        "site": {"region": "aws:eu-west-3"},  # Amazon lists no p4d there
    }
    price = costcalc.estimate(asked, ranges=False).details["price"]
    assert price.startswith("3.16 USD a device-hour, on-demand, of other regions; ")
    there = {**asked, "site": {"region": "aws:us-east-1"}}
    assert "of other regions" not in costcalc.estimate(there, ranges=False).details["price"]
