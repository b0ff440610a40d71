"""Forks of several threads at once: each lets go of what it held, and of nothing else."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from costcalc.tracking import guard


class Owner:
    """Whoever is told of forks."""

    def disarm(self) -> None:
        """Nothing is to be done."""


@pytest.fixture
def owner(monkeypatch: pytest.MonkeyPatch) -> Iterator[Owner]:
    monkeypatch.setattr(guard, "_IMPORTING", threading.Lock())
    monkeypatch.setattr(guard, "_PATIENCE", 0.05)
    one = Owner()
    guard._live.add(one)
    yield one
    guard._live.discard(one)


@pytest.mark.usefixtures("owner")
def test_a_fork_that_waits_in_vain_for_another_takes_no_lock_with_it() -> None:
    """One forks a process of 100 GB, which takes its time; another thread forks meanwhile."""
    with ThreadPoolExecutor(1) as slow, ThreadPoolExecutor(1) as quick:
        slow.submit(guard._before).result()
        quick.submit(guard._before).result()  # waits as long as it may
        quick.submit(guard._after).result()
        assert guard.importing().locked()  # the first is not over
        slow.submit(guard._after).result()
    assert not guard.importing().locked()  # else our next import would wait for ever


@pytest.mark.usefixtures("owner")
def test_a_fork_within_an_import_of_ours_leaves_the_imports_lock() -> None:
    with guard.importing():
        guard._before()
        guard._after()
        assert guard.importing().locked()
    assert not guard.importing().locked()


@pytest.mark.usefixtures("owner")
def test_a_fork_that_waited_long_enough_does_not_wait_again_until_it_is_let_in() -> None:
    with guard.importing():
        guard._before()
        guard._after()
        assert guard._hangs
    guard._before()
    assert not guard._hangs
    guard._after()
    assert not guard.importing().locked()
