"""Which rows may be one machine metered by several ranks: found without asking each about each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from costcalc.report import ranks
from costcalc.report.importing import codecarbon
from costcalc.report.importing.cells import Row

START = datetime(2026, 11, 1)


def row(begin: float, end: float, **cells: str) -> Row:
    made = Row(
        duration=str(end - begin),
        timestamp=(START + timedelta(seconds=end)).isoformat(),
        energy_consumed=str((end - begin) / 1000),
        gpu_model="A100",
        tracking_mode="machine",
    )
    made.update(cells)
    return made


@pytest.mark.parametrize(
    ("begin", "end", "together"),
    [
        (0, 100, True),
        (40, 100, True),  # 60 of 100 s
        (41, 100, False),
        (0, 166, True),  # 100 of 166 s
        (0, 167, False),
        (-66, 100, True),
        (40, 140, True),  # 60 of 100 s of both
        (41, 141, False),
        (-40, 60, True),
        (-41, 59, False),
    ],
)
def test_three_fifths_of_the_longer_is_together(begin: float, end: float, together: bool) -> None:
    found = codecarbon._machines({"a": row(0, 100), "b": row(begin, end)})
    assert (found == [["a", "b"]]) is together
    again = codecarbon._machines({"b": row(begin, end), "a": row(0, 100)})
    assert (again == [["b", "a"]]) is together


def test_of_several_the_first_that_it_goes_with() -> None:
    rows = {"a": row(0, 100), "b": row(41, 141), "c": row(20, 120), "other": row(0, 100)}
    rows["other"]["gpu_model"] = "H100"
    rows["own"] = row(0, 100, tracking_mode="process")
    assert codecarbon._machines(rows) == [["a", "c"], ["b"], ["other"], ["own"]]


def test_runs_after_one_another_are_not_each_asked_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(codecarbon, "together", lambda spans, energies: asked.append(1) or 0.0)
    codecarbon._machines({str(at): row(at * 100, at * 100 + 90) for at in range(1000)})
    assert len(asked) <= 2000


def test_merging_does_not_ask_each_run_of_each(monkeypatch: pytest.MonkeyPatch) -> None:
    def report(first: int) -> Any:
        begun = [START + timedelta(hours=2 * (first + at)) for at in range(500)]
        runs = [
            {"id": f"{first + at}", "hours": 1.0, "energy": 1.0, "machine": "m",
             "began": begin.isoformat(), "measured_by": "CodeCarbon"}
            for at, begin in enumerate(begun)
        ]  # fmt: skip
        return {"runs": runs}

    asked = []
    monkeypatch.setattr(ranks, "_shared", lambda a, b: asked.append(1))
    kept, notes = ranks.once([("a", report(0)), ("b", report(500))], None)
    assert (len(kept), notes) == (2, [])
    assert len(asked) <= 1000
