"""A tracker in a notebook: a line under its cell, and the result as a table in its place."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import costcalc
from costcalc.tracking import notebook
from costcalc.tracking.showing import Row


class Handle:
    def __init__(self, first: Any) -> None:
        self.shown = [first._repr_html_()]

    def update(self, shown: Any) -> None:
        self.shown.append(shown._repr_html_())


@pytest.fixture
def handles(monkeypatch: pytest.MonkeyPatch) -> list[Handle]:
    """As much of IPython, in a kernel, as a tracker asks for."""
    made: list[Handle] = []

    def display(shown: Any, *, display_id: bool) -> Handle:
        assert display_id is True
        made.append(Handle(shown))
        return made[-1]

    shell = SimpleNamespace(kernel=object())
    module: Any = SimpleNamespace(
        get_ipython=lambda: shell, display=SimpleNamespace(display=display)
    )
    monkeypatch.setitem(sys.modules, "IPython", module)
    monkeypatch.setattr("costcalc.tracking.background._FIRST", 0.05)
    return made


def test_the_line_goes_with_the_job_and_the_result_takes_its_place(handles: list[Handle]) -> None:
    run = {
        "hardware": {"accelerator": "a100-sxm4-80", "count": 1},
        "price": {"device_hour": "2 USD"},
    }
    with costcalc.track(run, interval=0.05) as job:
        until = time.monotonic() + 20
        while time.monotonic() < until and len(handles[0].shown) < 3:
            time.sleep(0.01)
            job.step()
    (handle,) = handles
    first, *lines, last = handle.shown
    assert first == '<div style="font-family:monospace">costcalc: measuring</div>'
    assert lines
    assert all(
        text.startswith('<div style="font-family:monospace">costcalc: time ') for text in lines
    )
    assert last == job._repr_html_()
    assert last.startswith("<table><tr><th ")
    assert ">cost</td>" in last


def test_silent_is_silent_and_a_terminal_shows_none(handles: list[Handle]) -> None:
    with costcalc.track(progress=False):
        pass
    assert handles == []
    sys.modules["IPython"].get_ipython().kernel = None  # type: ignore[attr-defined]
    with costcalc.track():
        pass
    assert handles == []


def test_a_front_end_that_is_gone_harms_nothing() -> None:
    def gone(_: object) -> None:
        raise ConnectionError

    notebook.Shown(SimpleNamespace(update=gone)).tell("time 3 s")  # type: ignore[arg-type]


def test_a_table_has_the_columns_that_are_filled_and_no_markup_of_others() -> None:
    rows = [Row(label="cost <b>", now="1.00 USD", before="2.00 USD")]
    cell = '<{0} style="text-align:left;padding:0 1em 0 0">{1}</{0}>'
    heads = "".join(cell.format("th", text) for text in ("", "measured", "predicted"))
    cells = "".join(cell.format("td", text) for text in ("cost &lt;b&gt;", "1.00 USD", "2.00 USD"))
    assert notebook.table(rows, ["a & b"]) == (
        f"<table><tr>{heads}</tr><tr>{cells}</tr></table><div>note: a &amp; b</div>"
    )


def test_before_it_begins_it_says_so(tmp_path: Path) -> None:
    assert "not begun" in costcalc.track()._repr_html_()
