"""Eight ranks that are killed at any moment: what is left of them is at most an interval behind."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import killed

import costcalc
from costcalc.tracking import background
from costcalc.tracking.background import Background

INTERVAL = 1.0


@pytest.mark.parametrize(
    ("takes", "waits"),
    [
        (0.0, [1.0, 8.5, 8.5]),  # the first after a second; then 15 % before the interval is over
        (2.0, [1.0, 6.5, 6.5]),  # what a sample takes, drivers and disks, is part of the interval
        (20.0, [1.0, 1.0, 1.0]),  # and a tenth of one is waited whatever it takes
    ],
)
def test_a_sample_begins_early_by_what_it_takes(
    takes: float, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    now, waited = [0.0], list[float]()
    tracker = costcalc.track(progress=False, interval=10.0)

    def pause(_: Background, seconds: float) -> bool:
        waited.append(seconds)
        now[0] += seconds
        return len(waited) > 2

    def interval(_: Background) -> None:
        now[0] += takes

    monkeypatch.setattr(background, "monotonic", lambda: now[0])
    monkeypatch.setattr(Background, "_pause", pause)
    monkeypatch.setattr(Background, "_interval", interval)
    with tracker:
        pass
    assert waited == pytest.approx(waits)


@pytest.mark.parametrize(
    "times", [3, pytest.param(8, marks=pytest.mark.frameworks)], ids=["few", "many"]
)
def test_a_kill_at_any_moment_loses_an_interval_at_most(tmp_path: Path, times: int) -> None:
    """The machine is busy: one kill may come late by another, the middle one does not."""
    done = subprocess.run(
        [sys.executable, killed.__file__, str(times), str(INTERVAL), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    lost = [killed.Lost.read(line) for line in done.stdout.splitlines() if line.startswith("kill")]
    assert len(lost) == times
    for name in ("seconds", "steps", "tokens", "joules"):
        behind = [getattr(each, name) for each in lost]
        assert min(behind) >= -1e-6, name  # nothing that did not happen
        assert max(behind) <= 3 * INTERVAL, name
        assert statistics.median(behind) <= INTERVAL, name
    assert {each.ranks for each in lost} == {8}
