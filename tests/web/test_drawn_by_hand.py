"""Where marks and bars of a page stand, and how large a comparison a server takes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.base.errors import InputError
from costcalc.fleet.budgets import Used
from costcalc.fleet.sums import Figure
from costcalc.web import api, chart, fleet_shown
from costcalc.web.chart import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Point


def point(x: float, y: float, **more: Any) -> Point:
    known: dict[str, Any] = {"x": x, "y": y, "x_range": (), "y_range": (), "title": "t",
                             "front": False}  # fmt: skip
    return Point(**{**known, **more})


def test_a_scale_is_of_powers_of_ten_with_room_at_both_ends() -> None:
    # 1 to 100 are two powers; 6 % of them are 0.12 of a power at each end
    made = chart._scale([1.0, 10.0, 100.0], 0.0, 224.0)
    assert (made.low, made.high) == (pytest.approx(-0.12), pytest.approx(2.12))
    assert made(1.0) == pytest.approx(12.0)  # 224 · 0.12 / 2.24
    assert made(10.0) == pytest.approx(112.0)
    assert made(100.0) == pytest.approx(212.0)
    one = chart._scale([10.0], 0.0, 100.0)  # 0.05 of a power at the least
    assert (one.low, one.high) == (pytest.approx(0.95), pytest.approx(1.05))
    assert one(10.0) == pytest.approx(50.0)


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.0, 1.0, [1, 2, 5, 10]), (0.0, 1.4, [1, 2, 5, 10, 20]),
        (-0.1, 2.1, [1, 3, 10, 30, 100]),  # 1, 2 and 5 would be seven
        (-0.1, 5.1, [1, 10, 100, 1000, 10_000, 100_000]),
        (-0.1, 7.1, [1, 100, 10_000, 1_000_000]),  # each second of eight
        (-1.0, -0.2, [0.1, 0.2, 0.5]),
    ],
)  # fmt: skip
def test_which_ticks_an_axis_has(low: float, high: float, ticks: list[float]) -> None:
    made = chart._ticks(chart._Scale(low, high, 0.0, 1.0))
    assert made == pytest.approx(ticks)


def test_a_mark_has_the_ends_of_its_range() -> None:
    across, up = chart._Scale(0.0, 2.0, 0.0, 200.0), chart._Scale(0.0, 2.0, 100.0, 0.0)
    made = chart._mark(point(10.0, 10.0, x_range=(1.0, 100.0), front=True), across, up)
    assert [float(v) for v in (made.x, made.left, made.right)] == [100.0, 0.0, 200.0]
    assert [float(v) for v in (made.y, made.top, made.bottom)] == [50.0, 50.0, 50.0]
    assert (made.title, made.front) == ("t", True)
    made = chart._mark(point(10.0, 10.0, y_range=(1.0, 100.0)), across, up)
    assert [float(v) for v in (made.bottom, made.y, made.top)] == [100.0, 50.0, 0.0]
    none = chart._mark(point(10.0, 10.0, x_range=(0.0, 0.0)), across, up)  # 0 has no logarithm
    assert (none.left, none.right) == (none.x, none.x)


def test_a_chart_is_of_two_points_that_have_figures() -> None:
    assert chart.chart([point(1.0, 1.0), point(0.0, 1.0), point(1.0, 0.0)], "x", "y") is None
    made = chart.chart([point(1.0, 1.0, front=True), point(100.0, 100.0)], "x", "y")
    assert made is not None
    assert [mark.front for mark in made.marks] == [False, True]  # the front lies on top
    assert (made.x_label, made.y_label) == ("x", "y")
    behind, before = made.marks
    assert LEFT < float(before.x) < float(behind.x) < WIDTH - RIGHT
    assert TOP < float(behind.y) < float(before.y) < HEIGHT - BOTTOM  # what is more stands above
    assert [text for _, text in made.across] == ["1", "3", "10", "30", "100"]


@pytest.mark.parametrize(
    ("used", "forecast", "elapsed", "state", "bars"),
    [
        # of 100 USD 50 are used and 80 will be: 102 % are the whole width
        (50.0, 80.0, 0.5, "within", (50 / 1.02, 80 / 1.02, 100 / 1.02)),
        (100.0, 100.0, 0.5, "within", (100 / 1.02, 100 / 1.02, 100 / 1.02)),
        (50.0, 150.0, 0.5, "near", (50 / 1.53, 150 / 1.53, 100 / 1.53)),
        (120.0, 200.0, 0.5, "spent", (120 / 2.04, 200 / 2.04, 100 / 2.04)),
        (50.0, 150.0, 1.0, "within", (50 / 1.02, 50 / 1.02, 100 / 1.02)),  # it is over
    ],
)
def test_bars_of_a_budget(
    used: float, forecast: float, elapsed: float, state: str, bars: tuple[float, ...]
) -> None:
    one = Used(
        account="a", period="2026", of="cost", unit="USD", budget=100.0, elapsed=elapsed,
        used=Figure(used, used, used), forecast=Figure(forecast, forecast, forecast),
    )  # fmt: skip
    made = fleet_shown._budget(one, "a", "said")
    assert (made.state, made.name, made.told) == (state, "a", "said")
    assert (made.used, made.forecast, made.mark) == tuple(f"{bar:.2f}" for bar in bars)


def test_how_large_a_comparison_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    def sized(counts: int, precisions: int, number: int) -> str:
        axes = SimpleNamespace(accelerators=("a",), regions=(), plans=(), counts=(1,) * counts,
                               precisions=("bf16",) * precisions, number=number)  # fmt: skip
        monkeypatch.setattr(api.sweep, "read", lambda *_: ({}, axes))
        monkeypatch.setattr(api, "compared", lambda *_, **__: "compared")
        asked: Any = SimpleNamespace(minimize=None, ranges=True, interruptions=True)
        try:
            return str(api.comparison({}, asked))
        except InputError as error:
            return error.problems[0].message

    assert sized(api.HARDWARE, 1, api.SCENARIOS) == "compared"
    assert sized(api.HARDWARE // 2 + 1, 2, 1) == (
        f"expected {api.HARDWARE:,} accelerators × counts × precisions at most; got "
        f"{2 * (api.HARDWARE // 2 + 1):,}: costcalc compare takes more"
    )
    assert sized(1, 1, api.SCENARIOS + 1) == (
        f"expected {api.SCENARIOS:,} scenarios at most; got {api.SCENARIOS + 1:,}: costcalc "
        "compare takes more"
    )
