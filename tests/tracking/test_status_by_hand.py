"""Whether a followed job lives, by when it was last heard of; the power that it draws."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.tracking import showing

NOW = 1_000_000.0


def writer(heard: float | None, *, start: float = 0.0, status: str = "running", rank: int = 0,
           interval: float = 10.0) -> Any:  # fmt: skip
    """One that was last heard of so many seconds ago, and began at ``start``."""
    last = None if heard is None else SimpleNamespace(time=NOW - heard, status=status)
    begun = SimpleNamespace(time=start, interval=interval, place=SimpleNamespace(rank=rank))
    return SimpleNamespace(last=last, start=begun)


@pytest.fixture(autouse=True)
def now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(showing.time, "time", lambda: NOW)


def status(*written: Any) -> tuple[bool, str]:
    return showing._status(written)


def test_a_job_that_is_heard_of_runs() -> None:
    assert status(writer(4.0)) == (False, "running, heard of 4.00 s ago")
    assert status(writer(9.0), writer(2.0, rank=1)) == (False, "running, heard of 2.00 s ago")
    assert status(writer(-5.0))[1] == "running, heard of 0 s ago"  # another machine's clock
    assert status(writer(None), writer(2.0))[1] == "running, heard of 2.00 s ago"


@pytest.mark.parametrize(
    ("interval", "ago", "late"),
    [
        # so many intervals, of ten seconds at the least
        (10.0, 10.0 * showing._LATE, False), (10.0, 10.0 * showing._LATE + 0.1, True),
        (1.0, 10.0 * showing._LATE, False), (1.0, 10.0 * showing._LATE + 0.1, True),
        (60.0, 60.0 * showing._LATE, False), (60.0, 60.0 * showing._LATE + 0.1, True),
    ],
)  # fmt: skip
def test_a_job_that_is_silent_may_be_dead(interval: float, ago: float, late: bool) -> None:
    over, said = status(writer(ago, interval=interval))
    assert not over
    assert said.startswith("not heard of for") is late
    assert said.endswith("it may be dead, or its disk") is late


def test_of_an_attempt_before_nobody_is_waited_for() -> None:
    # one of an attempt that began more than a minute before the newest says nothing any more
    old, new = writer(500.0, start=-0.1), writer(3.0, start=60.0, status="failed")
    assert status(old, new) == (True, "ended: failed")
    assert status(writer(500.0, start=0.0), new)[0] is False  # it began with the newest
    first = writer(9.0, start=60.0, status="completed")
    other = writer(3.0, start=60.0, status="stopped", rank=1)
    assert status(other, first) == (True, "ended: completed")  # the first rank's word
    later = writer(9.0, start=70.0, status="stopped", rank=1)
    assert status(later, first)[1] == "ended: stopped"  # of the newest attempt


@pytest.mark.parametrize(
    ("joules", "elapsed", "recent", "said"),
    [
        (7200.0, 3600.0, None, "2.00 W in the mean"),
        (7200.0, 3600.0, 3.0, "3.00 W, 2.00 W in the mean"),
        (0.0, 3600.0, 3.0, None), (7200.0, 0.0, 3.0, None),
    ],
)  # fmt: skip
def test_power_now_and_in_the_mean(
    joules: float, elapsed: float, recent: float | None, said: str | None
) -> None:
    whole: Any = SimpleNamespace(joules_of_all=lambda: joules, elapsed=elapsed)
    found = showing._power(whole, recent)
    assert (found.now if found else None) == said
