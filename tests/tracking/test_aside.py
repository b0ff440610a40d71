"""Threads that do things aside: one after another, and none that is left when all is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import costcalc
from costcalc.tracking import aside as module
from costcalc.tracking.aside import Aside


def named(begins: str) -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name.startswith(begins)]


def comes_true(what: Callable[[], bool], seconds: float = 10.0) -> bool:
    """Whether it does, in so long at the most; a busy machine takes its time."""
    until = time.monotonic() + seconds
    while not what() and time.monotonic() < until:
        time.sleep(0.01)
    return what()


def test_a_thread_that_has_nothing_to_do_ends_and_another_begins(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "IDLE", 0.05)
    done: list[int] = []
    aside = Aside("a test of idleness")
    for number in range(3):
        aside.do("append", lambda number=number: done.append(number))
        assert aside.wait(10.0)
        assert done == list(range(number + 1))
        assert comes_true(lambda: not named("a test of idleness"))


def test_a_thread_that_is_busy_is_not_taken_for_idle(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE", 0.01)
    released, done = threading.Event(), list[str]()
    aside = Aside("a test of patience")
    aside.do("wait", lambda: released.wait(10.0))
    assert not aside.wait(0.1)
    aside.do("append", lambda: done.append("after"))
    assert named("a test of patience") == ["a test of patience"]
    released.set()
    assert aside.wait(10.0)
    assert done == ["after"]


def test_a_thread_that_lasts_is_the_same_until_it_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "IDLE", 0.01)
    seen: list[threading.Thread] = []
    aside = Aside("a test of lasting", lasting=True)
    for _ in range(2):
        aside.do("look", lambda: seen.append(threading.current_thread()))
        assert aside.wait(10.0)
        seen[0].join(0.2)  # it does not end
        assert seen[0].is_alive()
    assert seen[0] is seen[1]
    aside.leave()
    seen[0].join(10.0)
    assert not seen[0].is_alive()
    aside.do("look", lambda: seen.append(threading.current_thread()))  # late, and done all the same
    assert aside.wait(10.0)
    seen[2].join(10.0)
    assert not seen[2].is_alive()


def test_a_callback_is_called_by_one_thread_however_seldom(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that keeps a connection to SQLite, which no other thread may use."""
    monkeypatch.setattr(module, "IDLE", 0.01)
    seen: list[threading.Thread] = []
    output = tmp_path / "costs.yaml"
    tracker = costcalc.track(
        output=output,
        progress=False,
        interval=0.3,
        callback=lambda _: seen.append(threading.current_thread()),
    ).start()
    assert comes_true(lambda: len(seen) >= 3, 30.0)
    tracker.stop()
    assert len(set(seen)) == 1
    assert comes_true(lambda: not seen[0].is_alive())


def test_of_many_attempts_no_thread_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sweep tracks each of its hundreds of trials, in one process."""
    monkeypatch.setattr(module, "IDLE", 0.05)
    before = len(named("costcalc"))
    trackers = []
    for number in range(2):
        output = tmp_path / f"{number}.yaml"
        with costcalc.track(output=output, progress=False, callback=lambda _: None) as tracker:
            tracker.step(tokens=1)
        trackers.append(tracker)  # kept for its report
    assert comes_true(lambda: len(named("costcalc")) <= before)
    assert all(tracker.report for tracker in trackers)
