"""Eight ranks that are killed at any moment: what is left of them is at most an interval behind."""

from __future__ import annotations

import statistics
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
import killed

INTERVAL = 1.0


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
