"""Thirty days of a tracker by a clock that is set: nothing grows, and the report is of all."""

from __future__ import annotations

import gc
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest

import costcalc
from costcalc.tracking import background, counter
from costcalc.tracking.ledger import FOLD

RUN: dict[str, Any] = {
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1e12", "sequence_length": 1024, "global_batch": 8},
    "hardware": {"accelerator": "a100-sxm4-80", "count": 1},
    "site": {"grid": "100 gCO2e/kWh", "pue": 1.2},
    "price": {"device_hour": "2 USD"},
}
HOUR = 3600.0


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now, began = 1000.0, time.time()
        monkeypatch.setattr(background, "monotonic", lambda: self.now)
        monkeypatch.setattr(counter, "perf_counter", lambda: self.now)
        monkeypatch.setattr(time, "time", lambda: began + self.now)


def test_a_month_leaves_little_and_all_of_it_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step each five minutes, 8,640 in 30 days: 720 h, 1,440 USD; an interval an hour."""
    clock = Clock(monkeypatch)
    raised = iter(range(10**6))

    def logger(_: Any) -> None:
        raise ConnectionError(f"<Log at 0x{next(raised):x}> is gone, port {next(raised)}")

    job = costcalc.track(
        RUN, output=tmp_path / "costs.yaml", progress=False, interval=HOUR, callback=logger
    )
    monkeypatch.setattr(background.Background, "begin", lambda _: None)  # driven from here
    job.start()
    thread = job._thread
    assert thread is not None
    thread._look_ahead()
    sizes, held = [], []
    tracemalloc.start()
    try:
        for hour in range(720):
            for _ in range(12):
                clock.now += 300.0
                job.step(tokens=1000)
            thread._interval()
            assert thread._records.settle(20.0)
            if hour % 144 == 143:
                gc.collect()
                held.append(tracemalloc.get_traced_memory()[0])
                sizes.append(sum(path.stat().st_size for path in tmp_path.rglob("*.jsonl")))
                assert len(str(job.state_dict())) < 4000
    finally:
        tracemalloc.stop()
    assert max(sizes) <= FOLD + 4096
    assert held[-1] - held[2] < 50_000  # bytes, over the last 12 days
    assert len(job.notes) < 5
    thread._over.set()
    thread._ended = clock.now
    thread._end()
    assert job.report is not None
    found = job.report["details"]["tracking"]
    assert (found["steps"], len(found["attempts"])) == (8640, 1)
    assert job.report["run"]["training"]["tokens"] == 8_640_000
    assert job.report["results"]["wall_clock"]["value"] == pytest.approx(720.0)
    assert job.report["results"]["cost"]["value"] == pytest.approx(1440.0)
