"""Rows of CodeCarbon with one run_id: which of them are one run, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from costcalc.base.errors import InputError
from costcalc.report.importing import codecarbon

HEAD = "timestamp,run_id,duration,emissions,energy_consumed,gpu_count,gpu_model,pue\n"


def row(stamp: str, run: str, seconds: float, kg: float, kwh: float) -> str:
    return f"{stamp},{run},{seconds},{kg},{kwh},2,2 x NVIDIA A100-SXM4-80GB,1\n"


def read(*rows: str) -> Any:
    return codecarbon.read(HEAD + "".join(rows), "e.csv")


def told(report: Any) -> list[tuple[float, float]]:
    return [(run["hours"], run["energy_it"]) for run in report["runs"]]


HOUR = row("2026-01-01T01:00:00", "a", 3600, 1.0, 2.0)


def test_a_later_row_that_counts_from_0_anew_is_a_run_of_its_own() -> None:
    """1 h and 2 kWh until 01:00; half an hour and 1.2 kWh until 05:00: 3.2 kWh, not 1.2."""
    made = read(HOUR, row("2026-01-01T05:00:00", "a", 1800, 0.6, 1.2))
    assert told(made) == [(1.0, 2.0), (0.5, 1.2)]
    assert made["results"]["energy_it"]["value"] == pytest.approx(3.2)
    assert len({run["id"] for run in made["runs"]}) == 2
    assert (
        "rows of lines 2, 3 have one run_id, are of times apart and count from 0 anew: runs of "
        "their own"
    ) in made["warnings"]


def test_two_that_end_at_one_second_are_two() -> None:
    """2 and 0.2 and 0.02 kWh: the second and the third say that they ended at 01:00:10."""
    ten, one = (
        row("2026-01-01T01:00:10", "a", seconds, kwh / 2, kwh)
        for seconds, kwh in ((10, 0.2), (1, 0.02))
    )
    assert [energy for _, energy in told(read(HOUR, ten, one))] == [2.0, 0.2, 0.02]


@pytest.mark.parametrize("stamp", ["2026-01-01T01:10:00", ""])
def test_totals_that_fall_at_one_time_or_at_no_time_are_refused(stamp: str) -> None:
    """Until 01:10 a half hour that began at 00:40, within the hour that ended at 01:00."""
    with pytest.raises(InputError) as caught:
        read(HOUR, row(stamp, "a", 1800, 0.6, 1.2))
    assert str(caught.value).splitlines()[0] == (
        "e.csv:3: run_id: rows of lines 2, 3 have one run_id and say less after than before: which "
        "of them are one run cannot be told; give each run an id of its own, or leave out the rows "
        "that another holds"
    )


def test_a_tracker_that_was_started_again_goes_on_with_its_energy() -> None:
    """1 h until 01:00, half an hour until 05:00 with 3.2 kWh in all: 1.5 h, not 0.5 of them."""
    again = row("2026-01-01T05:00:00", "a", 1800, 1.6, 3.2)
    for made in (read(HOUR, again), read(again, HOUR)):
        assert told(made) == [(1.5, 3.2)]
        assert any("was stopped and started again: its times add up" in n for n in made["warnings"])


def test_a_flush_before_the_clocks_change_is_of_the_same_run() -> None:
    """From 01:00, half an hour until 01:30; then 1.5 h until 02:30, which the clock calls 03:30."""
    made = read(
        row("2026-03-29T01:30:00", "a", 1800, 1.0, 2.0),
        row("2026-03-29T03:30:00", "a", 5400, 2.0, 4.0),
    )
    assert told(made) == [(1.5, 4.0)]


@pytest.mark.parametrize("run", ["a", ""])
def test_a_row_that_stands_twice_counts_once(run: str) -> None:
    one = row("2026-01-01T01:00:00", run, 3600, 1.0, 2.0)
    made = read(one, one)
    assert told(made) == [(1.0, 2.0)]
    assert "rows that stand twice count once: 1 of the run of line 2" in made["warnings"]


def test_tasks_beside_the_whole_of_a_run_are_refused() -> None:
    head = "timestamp,run_id,task_name,duration,emissions,energy_consumed\n"
    rows = "2026-01-01T01:00:00,a,,3600,1,2\n2026-01-01T01:00:00,a,train,1800,0.6,1.2\n"
    with pytest.raises(InputError, match=r"rows of lines 2, 3 have one run_id and are tasks and"):
        codecarbon.read(head + rows, "e.csv")
