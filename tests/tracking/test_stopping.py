"""Stopping: all ranks after the same step, far enough ahead that each can have read of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from costcalc.tracking.records import Place, Start
from costcalc.tracking.stopping import Stopping


def stopping(
    folder: Path | None,
    *,
    rank: int = 0,
    world: int = 2,
    at: float = 1000.0,
    interval: float = 10.0,
    enabled: bool = True,
) -> Stopping:
    place = Place(rank=rank, world=world)
    start = Start(job="j", writer="w", time=at, place=place, boot="b", host="h", interval=interval)
    return Stopping(str(folder) if folder else None, start, enabled=enabled)


def test_a_process_alone_stops_at_once() -> None:
    alone = stopping(None, world=1)
    assert alone.order(7, 50.0, everyone=True) == "a limit is passed: the job stops after step 8"
    assert not alone.stops(6)
    assert alone.stops(7)


@pytest.mark.parametrize(
    ("steps", "elapsed", "interval", "step"),
    [
        (100, 50.0, 10.0, 100 + 120 + 1),  # 2 steps a second for the 60 s of an NFS client
        (100, 50.0, 30.0, 100 + 180 + 1),  # three intervals of 30 s are longer than those
        (101, 50.0, 10.0, 101 + 122 + 1),  # 121.2 steps, rounded up
        (3, 0.1, 10.0, 3 + 180 + 1),  # under a second is taken as one: 3 a second
    ],
)
def test_the_step_is_far_enough_ahead(
    tmp_path: Path, steps: int, elapsed: float, interval: float, step: int
) -> None:
    first, other = stopping(tmp_path, interval=interval), stopping(tmp_path, rank=1)
    other.forget()
    said = first.order(steps, elapsed, everyone=True)
    assert said == f"a limit is passed: the job stops after step {step}"
    other.follow()
    for one in (first, other):
        assert one.stops(step)
        assert not one.stops(step - 1)
    assert first.order(steps + 50, elapsed + 9, everyone=True) == said  # once ordered it stands


def test_before_the_first_step_nobody_knows_how_far_ahead_a_step_is(tmp_path: Path) -> None:
    first = stopping(tmp_path)
    said = first.order(0, 50.0, everyone=True)
    assert said == "a limit is passed: the job stops once its first steps have shown its pace"
    assert not first.stops(10_000)
    assert list(tmp_path.iterdir()) == []


def test_minutes_of_loading_do_not_bring_the_step_nearer(tmp_path: Path) -> None:
    # 100 steps in 600 s, 550 of them loading: 2 a second since, so 120 in the minute ahead
    said = stopping(tmp_path).order(100, 600.0, everyone=True, pace=2.0)
    assert said.endswith("stops after step 221")


@pytest.mark.parametrize("ahead", [-7200.0, 0.0, 7200.0])  # the clock of the node
def test_an_order_of_an_earlier_launch_is_not_obeyed(tmp_path: Path, ahead: float) -> None:
    stopping(tmp_path).order(10, 10.0, everyone=True)
    (path,) = tmp_path.iterdir()
    os.utime(path, (path.stat().st_mtime - 1.0,) * 2)
    other = stopping(tmp_path, rank=1, at=1001.0 + ahead)
    other.forget()
    other.follow()
    assert not other.stops(10_000)
    first = stopping(tmp_path, at=1001.0)
    first.forget()
    assert list(tmp_path.iterdir()) == []  # the first rank takes it away
    first.order(10, 10.0, everyone=True)
    other.follow()
    assert other.stops(10_000)


def test_where_not_all_share_a_ledger_nobody_stops(tmp_path: Path) -> None:
    for one, everyone in ((stopping(None), True), (stopping(tmp_path), False)):
        assert "so the job goes on; give ledger=" in one.order(10, 10.0, everyone=everyone)
        assert not one.stops(10_000)
    assert list(tmp_path.iterdir()) == []


def test_a_job_that_only_warns_goes_on(tmp_path: Path) -> None:
    stopping(tmp_path).order(10, 10.0, everyone=True)
    warned = stopping(tmp_path, rank=1, enabled=False)
    warned.follow()
    assert warned.order(10, 10.0, everyone=True) == (
        "a limit is passed; on_limit is warn: the job goes on"
    )
    assert not warned.stops(10_000)


def test_an_order_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    first, other = stopping(tmp_path), stopping(tmp_path, rank=1)
    other.forget()
    first.order(10, 10.0, everyone=True)
    (path,) = tmp_path.iterdir()
    for text in ("", "{", "[]", '{"stop": 3}', '{"step": null, "began": 1000.0}'):
        path.write_text(text)
        other.follow()
        assert not other.stops(10_000)
