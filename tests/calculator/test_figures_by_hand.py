"""Figures, limits and where money, energy and carbon go, by hand."""

from __future__ import annotations

import numpy as np
import pytest
from calculated import HOUR, KWH

from costcalc import InputError
from costcalc.base.assumption import Assumption, Choice
from costcalc.calculator.breakdown import breakdown, summed
from costcalc.calculator.limits import judged
from costcalc.calculator.result import Estimate, Result, WhenRead, shown, unknown
from costcalc.runfile.schema import Limits, Price


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
