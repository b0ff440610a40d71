"""What a notebook shows: a line, a table, a plot, a data frame; in the units beside the values."""

from __future__ import annotations

import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import numpy as np
import pytest

import costcalc
from costcalc.base.assumption import Choice
from costcalc.base.errors import MissingExtraError, NotFoundError
from costcalc.base.units import unit
from costcalc.calculator import notebook

RUN: dict[str, Any] = {
    "name": "tune",
    "model": {"parameters": 1e9},
    "training": {"method": "finetune", "tokens": "10B", "sequence_length": 2048},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8, "utilization": 0.4, "goodput": 1},
    "site": {"region": "FR", "pue": 1.2},
    "price": {"device_hour": "2 USD"},
}
MADE = costcalc.estimate(RUN)


def test_an_estimate_in_a_line() -> None:
    # 6e19 FLOP / (8 · 989.4e12 · 0.4) = 18,951 s = 5.264 h; · 8 · 2 USD = 84.2 USD
    assert repr(MADE).startswith("<Estimate 'tune': 5.26 hours (4.47 – 6.19), 84.2 USD (71.6 – ")
    assert len(repr(MADE)) < 300
    bare = {"hardware": {"accelerator": "h100", "count": 1}, "measured": {"energy": "3 kWh",
            "wall_clock": "2 h"}}  # fmt: skip
    assert repr(costcalc.estimate(bare)).startswith("<Estimate 'run': 2.00 hours, 3.00 kWh")


def test_assumptions_are_in_the_unit_beside_them() -> None:
    told = {item.key: item for item in MADE.assumptions}
    price = told["price.device_hour"]
    assert (price.value, price.unit) == (2.0, "USD/device_hour")  # type: ignore[union-attr]
    for item, inside in zip(MADE.assumptions, MADE.inputs, strict=True):
        if not isinstance(item, Choice) and not isinstance(inside, Choice):
            assert item.value * unit(item.unit).factor == pytest.approx(inside.value)
            assert item.low <= item.value <= item.high
            assert item.source == inside.source


class _Read(HTMLParser):
    """The text of a page, and whether its tags are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data.strip())


def test_the_table_of_a_notebook() -> None:
    read = _Read(MADE._repr_html_())
    assert read.open == []
    told = " ".join(part for part in read.text if part)
    for text in ("tune", "8 × NVIDIA H100 SXM5 80 GB", "Time 5.26 hours", "Cost 84.2 USD",
                 "What it rests on", "hardware.board_power"):  # fmt: skip
        assert text in told
    assert "<script" not in MADE._repr_html_()
    assert len(MADE._repr_html_()) < 20_000


def test_text_of_a_run_is_text_in_the_table() -> None:
    bad = replace(MADE, name="<img src=x onerror=alert(1)>", warnings=["<b>@all</b>"])
    page = bad._repr_html_()
    assert "<img" not in page
    assert "<b>@all" not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page


def test_bars_are_shares_of_their_sum_largest_first() -> None:
    # 2 + 5 + 1 + 0 = 8: 5/8 = 62.5 %, 2/8 = 25 %, 1/8 = 12.5 %; what is 0 has no bar
    split = {"a": 2.0, "b": 5.0, "c": 1.0, "d": 0.0}
    (bar,) = notebook._bars(replace(MADE, breakdown={"energy": split}))
    colours = ("#0072b2", "#009e73", "#cc79a7")
    assert bar == {
        "of": "energy",
        "parts": [
            {"name": "b", "share": "62 %", "width": "62.50", "colour": colours[1]},
            {"name": "a", "share": "25 %", "width": "25.00", "colour": colours[0]},
            {"name": "c", "share": "12 %", "width": "12.50", "colour": colours[2]},
        ],
        "said": "b 62 %, a 25 %, c 12 %",
    }
    ten = {f"p{i}": float(i) for i in range(10)}  # eight colours: the eight largest; four are named
    (bar,) = notebook._bars(replace(MADE, breakdown={"energy": ten}))
    names = [part["name"] for part in bar["parts"]]  # type: ignore[attr-defined]
    assert names == ["p9", "p8", "p7", "p6", "p5", "p4", "p3", "p2"]
    # 9, 8, 7, 6 of 45
    assert bar["said"] == "p9 20 %, p8 18 %, p7 16 %, p6 13 %"


def test_what_is_not_known_has_no_bar_and_a_reason() -> None:
    page = costcalc.estimate({**RUN, "site": {}, "price": {}})._repr_html_()
    assert "no site.region and no site.grid" in page
    assert page.count("position: relative") == 2  # time and energy


def test_explain_one_figure_or_all() -> None:
    text = MADE.explain("time")
    assert text.startswith("wall_clock = 5.26 hours")
    assert "(costcalc/calculator/formulas.py, wall_clock)" in text
    assert set(text.splitlines()) <= set(MADE.explain().splitlines())
    with pytest.raises(NotFoundError, match="no figure costt; nearest: cost"):
        MADE.explain("costt")
    stages = costcalc.estimate({**RUN, "stages": [{"name": "one"}, {"name": "two"}]})
    assert stages.explain("cost").count("== stage ") == 2


def test_scenarios_as_a_data_frame() -> None:
    pytest.importorskip("pandas")
    found = costcalc.scenarios(
        RUN, accelerators=["h100-sxm5-80"], counts=[8, 16], regions=["FR", "PL"])  # fmt: skip
    made = found.to_pandas()
    assert made.shape[0] == found.number == 4
    row = made[(made["count"] == 16) & (made["region"] == "PL")].iloc[0]
    assert row["energy"] == found.figures["energy"][0, 1, 1, 0]
    assert made.attrs["units"]["energy"] == "kWh"


def test_a_comparison_as_a_data_frame() -> None:
    pytest.importorskip("pandas")
    found = costcalc.compare(RUN, counts=[8, 16], regions=["FR", "PL"])
    made = found.to_pandas()
    assert list(made["front"]) == [True] * len(found.front) + [False] * len(found.rest)
    low, high = found.front[0]["ranges"]["cost"]
    assert (made["cost_low"][0], made["cost_high"][0]) == (low, high)
    assert made.attrs["units"]["cost_high"] == "USD"
    without = costcalc.compare(RUN, counts=[8, 16], regions=["FR"], ranges=False).to_pandas()
    assert "cost_low" not in without.columns


def test_without_pandas_or_matplotlib_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    found = costcalc.scenarios(RUN, accelerators=["h100-sxm5-80"], counts=[8], regions=["FR"])
    for name in ("pandas", "matplotlib", "matplotlib.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtraError) as caught:
        found.to_pandas()
    assert str(caught.value) == 'a data frame needs pandas: pip install "costcalc[pandas]"'
    with pytest.raises(MissingExtraError) as caught:
        MADE.plot()
    assert str(caught.value) == 'a plot needs matplotlib: pip install "costcalc[plot]"'


@pytest.mark.frameworks
def test_the_plot_shows_ranges_and_shares() -> None:
    pytest.importorskip("matplotlib")
    figure = MADE.plot()
    ranges, shares = figure.axes
    cost = MADE.results["energy"]
    lines = [np.asarray(line.get_xdata(), float) for line in ranges.lines]
    assert any(
        line.tolist() == pytest.approx([cost.low / cost.value, cost.high / cost.value])
        for line in lines
        if len(line) == 2
    )
    total = sum(patch.get_width() for patch in shares.patches)
    assert total == pytest.approx(len([of for of in MADE.breakdown if of != "step"]))


@pytest.mark.frameworks
def test_polars_takes_the_data_frame() -> None:
    pytest.importorskip("pyarrow")
    pl = pytest.importorskip("polars")
    found = costcalc.scenarios(RUN, accelerators=["h100-sxm5-80"], counts=[8], regions=["FR"])
    assert pl.from_dataframe(found.to_pandas()).shape == (1, 4 + len(found.figures))
