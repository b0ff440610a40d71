"""Scenarios that are judged one after another: which comes first, and what is learnt of others."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from costcalc.decide import alternatives
from costcalc.decide.alternatives import _Tried

NAN = float("nan")


def table(time: list[float], cost: list[float]) -> Any:
    number = len(time)
    figures = {name: np.full(number, 1.0) for name in ("device_hours", "energy", "carbon_total")}
    return SimpleNamespace(
        figures={**figures, "wall_clock": np.array(time), "cost": np.array(cost)},
        words=(("h100", "a100"), (8, 16), ("FR",), ("spot",)),
        codes=np.array([[n % 2 for n in range(number)], [0] * number, [0] * number, [0] * number]),
        precision="bf16",
    )


def order(tables: list[Any], figure: Any, **limits: float) -> list[tuple[Any, Any]]:
    found = alternatives._ordered(tables, figure, limits)
    return [(row["wall_clock"], row["cost"]) for row in found]


def test_the_least_comes_first_and_what_nobody_rents_last() -> None:
    one, two = table([3.0, 1.0, NAN], [5.0, NAN, 1.0]), table([2.0, 3.0], [9.0, 4.0])
    assert order([one, two], "wall_clock") == [(2.0, 9.0), (3.0, 4.0), (3.0, 5.0), (1.0, None)]
    assert order([one, two], "cost") == [(None, 1.0), (3.0, 4.0), (3.0, 5.0), (2.0, 9.0)]
    # limits are kept, themselves included
    assert order([one, two], "wall_clock", cost=5.0) == [(3.0, 4.0), (3.0, 5.0)]
    assert order([one, two], "wall_clock", time=2.0) == [(2.0, 9.0), (1.0, None)]


def test_times_that_differ_by_rounding_alone_go_by_cost() -> None:
    near = 2.0 * (1 + 1e-15)
    assert order([table([2.0, near], [9.0, 4.0])], "wall_clock")[0][1] == 4.0
    assert alternatives._alike(np.array([near, 2.0])) == [2.0, 2.0]


def test_a_row_says_what_it_is() -> None:
    row = alternatives._row(table([3.0, NAN], [5.0, NAN]), 1)
    assert (row["accelerator"], row["count"], row["region"], row["plan"]) == (
        "a100", 8, "FR", "spot",
    )  # fmt: skip
    assert (row["wall_clock"], row["cost"], row["energy"]) == (None, None, 1.0)
    assert (row["precision"], row["within_limits"]) == ("bf16", True)


class Judge:
    """A judge of whom each scenario needs so many times its value to be sure of it."""

    def __init__(self, *factors: float) -> None:
        self.factors, self.asked = iter(factors), 0

    def judged(self, run: Any) -> Any:
        self.asked += 1
        factor = next(self.factors)
        return SimpleNamespace(
            needs={"time": factor * 2.0, "cost": None},
            share=lambda limits: (limits["time"] / (factor * 2.0), "time"),
            factor=factor,
        )


def row(count: int, hours: float = 2.0, **more: Any) -> Any:
    return {"accelerator": "h100", "count": count, "region": "FR", "plan": "spot",
            "precision": "bf16", "wall_clock": hours, "cost": 1.0, **more}  # fmt: skip


def tried(judge: Judge, limits: dict[str, float], monkeypatch: pytest.MonkeyPatch) -> _Tried:
    made = _Tried({}, limits, judge, keep_site=True)  # type: ignore[arg-type]
    monkeypatch.setattr(_Tried, "run", lambda self, row: {})
    return made


def test_the_first_that_keeps_its_limits_surely(monkeypatch: pytest.MonkeyPatch) -> None:
    # 2 h within 3 h: 1.6 times as long is too long, 1.5 times is just within
    judge = Judge(1.6, 1.5)
    made = tried(judge, {"time": 3.0}, monkeypatch)
    found = made.first(iter([row(8), row(16), row(32)]))
    assert found is not None
    assert (found[0]["count"], found[1].factor) == (16, 1.5)  # type: ignore[attr-defined]
    assert (made.number, judge.asked) == (2, 2)
    assert made.known == {("time", "h100", 8, "bf16", "spot"): 1.6,
                          ("time", "h100", 16, "bf16", "spot"): 1.5}  # fmt: skip


def test_what_is_like_another_is_not_judged_again(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Judge(1.6, 1.0)
    made = tried(judge, {"time": 3.0}, monkeypatch)
    # the same hardware elsewhere: 2 h · 1.6 are more than 3 h; 1.8 h · 1.6 are not
    found = made.first(iter([row(8), row(8, region="PL"), row(8, 1.8, region="SE")]))
    assert found is not None
    assert found[0]["region"] == "SE"
    assert judge.asked == 2
    again = made.first(iter([row(8, 1.8, region="SE")]))
    assert again is not None
    assert judge.asked == 2  # it is remembered


def test_no_more_than_so_many_are_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    most = alternatives.TRIED
    judge = Judge(*[9.0] * (most + 5))
    made = tried(judge, {"time": 3.0}, monkeypatch)
    assert made.first(iter([row(count) for count in range(1, most + 5)])) is None
    assert made.number == most + 1
    nothing = tried(Judge(1.0), {}, monkeypatch)
    assert nothing.first(iter([row(8)])) is not None  # without a limit the first
    assert nothing.first(iter([])) is None


def test_what_the_doubt_of_a_figure_depends_on() -> None:
    made = _Tried({}, {}, None, keep_site=True)  # type: ignore[arg-type]
    hardware = ("h100", 8, "bf16", "spot")
    here = row(8, region="aws:us-east-1")
    assert made._like("time", here) == ("time", *hardware)
    assert made._like("cost", here) == ("cost", *hardware, "aws")
    assert made._like("carbon", here) == ("carbon", *hardware, "aws:us-east-1")
