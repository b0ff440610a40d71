"""A tracker measures, and harms nothing: not the loop, not the user's exceptions, not a child."""

from __future__ import annotations

import asyncio
import copy
import errno
import json
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from frozen import frozen

import costcalc
from costcalc.base.reading import read_file
from costcalc.calculator.result import SCHEMA
from costcalc.tracking import background, final_report, guard, listener, tracker
from costcalc.tracking.background import Background
from costcalc.tracking.follow import read
from costcalc.tracking.ledger import Writer
from costcalc.tracking.monitor import JobMonitor
from costcalc.tracking.records import Energy, Sample

RUN: dict[str, Any] = {
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1e6", "sequence_length": 1024, "global_batch": 8},
    "hardware": {"accelerator": "a100-sxm4-80", "count": 1},
    "site": {"grid": "100 gCO2e/kWh", "pue": 1.2},
    "price": {"device_hour": "2 USD"},
}


class StillMeters:
    """Meters that start at once and read 100 W for the CPU."""

    picked, keys, needs_samples = (), ("cpu:b",), False
    absent: dict[str, str] = {}  # noqa: RUF012
    unanswered = ()
    hidden = 0

    def __init__(self, **_: Any) -> None:
        self.began = time.perf_counter()

    def start(self) -> None:
        pass

    def read(self, **_: Any) -> Any:
        from costcalc.tracking.meters import Reading

        joules = 100.0 * (time.perf_counter() - self.began)
        energy = Energy(joules=joules, basis="measured", meter="double", component="cpu")
        return Reading(energy={"cpu:b": energy}, gaps=0.0, notes=())


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most tests are not about CodeCarbon: they need not wait for it."""
    monkeypatch.setattr("costcalc.tracking.meters.Meters", StillMeters)
    monkeypatch.setattr(background, "_FIRST", 0.05)


def tracked(tmp_path: Path, run: Any = RUN, **options: Any) -> Any:
    options = {"output": tmp_path / "costs.yaml", "progress": False, "interval": 0.05, **options}
    return costcalc.track(run, **options)


def test_a_loop_is_measured_and_reported(tmp_path: Path) -> None:
    began = time.monotonic()
    with tracked(tmp_path) as job:
        for _ in range(10):
            time.sleep(0.02)
            job.step(tokens=1000)
    lasted = time.monotonic() - began
    data = read_file(tmp_path / "costs.yaml", "costs.yaml").data
    assert data["details"]["tracking"]["steps"] == 10
    assert data["run"]["training"]["tokens"] == 10_000
    assert 0.2 <= data["results"]["wall_clock"]["value"] * 3600 <= lasted
    assert data["results"]["wall_clock"]["basis"] == "measured"
    assert job.report["digest"] == data["digest"]
    assert job.output == tmp_path / "costs.yaml"


@pytest.mark.parametrize(
    "raised",
    [ValueError("mine"), KeyboardInterrupt(), SystemExit(3), SystemExit(0), GeneratorExit()],
)
def test_what_is_raised_in_the_loop_passes_and_the_record_is_ended(
    tmp_path: Path, raised: BaseException
) -> None:
    def train(job: Any) -> None:
        with job:
            job.step(tokens=1)
            raise raised

    job = tracked(tmp_path)
    with pytest.raises(type(raised)) as caught:
        train(job)
    assert caught.value is raised
    status = job.report["details"]["tracking"]["attempts"][0]["status"]
    ends = {KeyboardInterrupt: "interrupted", ValueError: "exception", GeneratorExit: "completed"}
    code = getattr(raised, "code", None)
    assert status == ends.get(type(raised), "completed" if code == 0 else "exception")
    assert (tmp_path / "costs.yaml").exists()


def test_a_bad_run_file_raises_before_training(tmp_path: Path) -> None:
    job = tracked(tmp_path, {**RUN, "site": {"region": "aws:us-esat-1"}})
    with pytest.raises(costcalc.InputError, match="no region aws:us-esat-1"), job:
        pytest.fail("the loop was entered")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on_limit": "explode"}, "track: on_limit: expected warn or stop; got 'explode'"),
        ({"interval": 0}, "track: interval: expected a number of seconds above 0; got 0"),
        ({"interval": "5"}, "track: interval: expected a number of seconds above 0; got '5'"),
        ({"callback": 3}, "track: callback: expected a function; got 3"),
        ({"job": 42}, "track: job: expected a name; got 42"),
        ({"stage": 1}, "track: stage: expected a name; got 1"),
        ({"output": 3}, "track: output: expected a path; got 3"),
        ({"ledger": 3}, "track: ledger: expected a path; got 3"),
        ({"changes": ["a=1"]}, "track: changes: expected a mapping of dotted keys; got ['a=1']"),
        ({"changes": {3: 4}}, "track: changes: expected a mapping of dotted keys; got {3: 4}"),
        ({"run": 3}, "track: run: expected a run file's path, or a mapping in its shape; got 3"),
    ],
)
def test_bad_arguments_raise_before_training(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    with pytest.raises(costcalc.InputError) as caught, tracked(tmp_path, **options):
        pytest.fail("the loop was entered")
    assert str(caught.value) == f"{said}\n1 problem in track"


def test_all_bad_arguments_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(costcalc.InputError) as caught:
        tracked(tmp_path, job=42, interval=-1.0).start()
    assert str(caught.value) == (
        "track: job: expected a name; got 42\n"
        "track: interval: expected a number of seconds above 0; got -1.0\n"
        "2 problems in track"
    )


def test_an_output_that_is_a_folder_has_the_report_in_it(tmp_path: Path) -> None:
    with tracked(tmp_path, output=tmp_path) as job:
        job.step(tokens=1)
    assert job.output == tmp_path / "costs.yaml"
    assert job.output.exists()


def test_a_job_named_in_bytes_that_are_no_text_is_measured(tmp_path: Path) -> None:
    """As Python hands on what stands so in the environment."""
    with tracked(tmp_path, job="lab\udcff") as job:
        job.step(tokens=1)
    assert job.report is not None
    (written,) = read(tmp_path / "costs.ledger")
    assert written.start.job == r"lab\udcff"


@pytest.mark.parametrize("begun", [False, True])
def test_a_copy_asks_the_same_and_has_not_begun(tmp_path: Path, begun: bool) -> None:
    """Tuners copy callbacks for each trial, and launchers send them to other processes."""
    original = tracked(tmp_path)
    if begun:
        original.start()
        original.step(tokens=7)
    for made in (copy.deepcopy(original), pickle.loads(pickle.dumps(original))):
        assert made.report is None
        with made:
            made.step(tokens=5)
        assert made.report["details"]["work"]["data"] == 5
    original.stop()
    assert (original.report is not None) is begun


def test_what_meters_said_before_stands_where_the_last_reading_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails_at_last(self: StillMeters, *, last: bool = False, **known: Any) -> Any:
        if last:
            raise ZeroDivisionError("ours")
        return still_reading(self, **known)

    still_reading = StillMeters.read
    monkeypatch.setattr(StillMeters, "read", fails_at_last)
    with tracked(tmp_path) as job:
        job.step(tokens=1)
        until = time.monotonic() + 30.0
        while not job.metrics() and time.monotonic() < until:
            time.sleep(0.01)
    assert "read failed: ZeroDivisionError: ours" in job.notes
    (written,) = read(tmp_path / "costs.ledger")
    assert written.last is not None
    energy = written.last.energy["cpu:b"]
    assert energy.joules > 0
    assert energy.gap > 0
    assert written.last.status == "completed"


def test_where_nothing_can_be_begun_the_script_is_told_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def none(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    job = tracked(tmp_path, progress=None)
    monkeypatch.setattr(threading.Thread, "start", none)
    with job:
        job.step(tokens=1)
    assert capfd.readouterr().err == (
        "costcalc: nothing is measured: begin failed: RuntimeError: can't start new thread\n"
    )


def test_a_function_is_tracked_at_each_call(tmp_path: Path) -> None:
    seen = []

    @tracked(tmp_path)
    def train(number: int, tracker: Any = None) -> int:
        tracker.step(tokens=5)
        seen.append(tracker)
        return number + 1

    assert train(1) == 2
    assert train(2) == 3
    assert seen[0] is not seen[1]
    assert seen[1].report["details"]["tracking"]["steps"] == 1
    assert sorted(path.name for path in tmp_path.glob("*.yaml")) == ["costs.2.yaml", "costs.yaml"]


def test_a_generator_is_tracked_while_it_yields(tmp_path: Path) -> None:
    @tracked(tmp_path)
    def train(tracker: Any = None) -> Any:
        for number in range(3):
            tracker.step(tokens=5)
            yield number
        return "done"

    assert list(train()) == [0, 1, 2]
    data = read_file(tmp_path / "costs.yaml", "costs.yaml").data
    assert data["details"]["tracking"]["steps"] == 3


def test_a_generator_that_is_left_early_has_done_what_was_asked(tmp_path: Path) -> None:
    @tracked(tmp_path)
    def train(tracker: Any = None) -> Any:
        while True:
            tracker.step(tokens=5)
            yield

    values = train()
    next(values)
    values.close()
    found = read_file(tmp_path / "costs.yaml", "costs.yaml").data["details"]["tracking"]
    assert (found["steps"], found["attempts"][0]["status"]) == (1, "completed")


def test_a_ledger_at_a_place_that_nothing_reads_is_noted(tmp_path: Path) -> None:
    with tracked(tmp_path, ledger="nosuch://bucket/costs") as job:
        job.step(tokens=5)
    assert job.report["details"]["tracking"]["steps"] == 1
    assert any(note.startswith("the ledger cannot be written: ") for note in job.notes)


def test_steps_of_several_threads_are_one_jobs(tmp_path: Path) -> None:
    with tracked(tmp_path) as job:
        threads = [
            threading.Thread(target=lambda: [job.step(tokens=1) for _ in range(500)])
            for _ in range(4)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    found = job.report["details"]["tracking"]
    assert found["steps"] == 2000
    assert job.report["run"]["training"]["tokens"] == 2000
    assert found["throughput_of_wall_clock"]["value"] > 0


def test_a_device_that_hangs_holds_its_counts_back_and_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background, "_PATIENCE", 0.2)
    released = threading.Event()

    class Stuck:
        """A number on a device whose kernels never end."""

        def __float__(self) -> float:
            released.wait(30)
            return 5.0

    with tracked(tmp_path) as job:
        job.step(tokens=Stuck())
        job.step(samples=3)
    released.set()
    assert job.report["details"]["tracking"]["steps"] == 2


def test_an_interval_without_end_is_an_hour(tmp_path: Path) -> None:
    with tracked(tmp_path, interval=float("inf")) as job:
        job.step(tokens=1)
    assert job.report["details"]["tracking"]["steps"] == 1
    assert read(tmp_path / "costs.ledger")[0].start.interval == 3600.0


def test_a_coroutine_is_tracked_in_a_notebooks_loop(tmp_path: Path) -> None:
    @tracked(tmp_path)
    async def train() -> str:
        await asyncio.sleep(0.01)
        return "done"

    assert asyncio.run(train()) == "done"
    assert (tmp_path / "costs.yaml").exists()


def test_a_file_of_anothers_is_never_overwritten(tmp_path: Path) -> None:
    (tmp_path / "costs.yaml").write_text("mine: true\n")
    with tracked(tmp_path) as job:
        job.step()
    assert (tmp_path / "costs.yaml").read_text() == "mine: true\n"
    assert job.output == tmp_path / "costs.2.yaml"
    assert "costs.yaml exists and is another's: written as costs.2.yaml" in job.notes
    with tracked(tmp_path, force=True) as job:
        job.step()
    assert job.output == tmp_path / "costs.yaml"


def test_a_restart_of_the_same_job_goes_on_in_the_same_report(tmp_path: Path) -> None:
    for _ in range(2):
        with tracked(tmp_path, job="mine") as job:
            for _ in range(3):
                job.step(tokens=100)
    assert [path.name for path in tmp_path.glob("*.yaml")] == ["costs.yaml"]
    found = job.report["details"]["tracking"]
    assert (found["steps"], len(found["attempts"])) == (6, 2)
    assert job.report["run"]["training"]["tokens"] == 600


def test_started_again_it_is_the_same_job_with_another_attempt(tmp_path: Path) -> None:
    """3 steps, then 2: with the ledger on the disk, and without one."""
    for options in ({}, {"output": None}):
        job = tracked(tmp_path, **options)
        for steps, status in ((3, "exception"), (2, "completed")):
            job.start()
            for _ in range(steps):
                job.step(tokens=100)
            job.stop(status)
        found = job.report["details"]["tracking"]
        assert found["steps"] == 5
        assert [one["status"] for one in found["attempts"]] == ["exception", "completed"]
        assert job.report["run"]["training"]["tokens"] == 500
    assert [path.name for path in tmp_path.glob("*.yaml")] == ["costs.yaml"]


def test_the_time_between_two_starts_is_of_no_attempt(tmp_path: Path) -> None:
    job, began = tracked(tmp_path, output=None), time.monotonic()
    for wait in (1.0, 0.0):
        job.start()
        time.sleep(0.1)
        job.stop()
        took = time.monotonic() - began
        time.sleep(wait)
    seconds = job.report["results"]["wall_clock"]["value"] * 3600
    assert 0.2 <= seconds <= took - 1.0


def test_a_checkpoint_carries_the_job_to_another_folder(tmp_path: Path) -> None:
    with tracked(tmp_path / "a") as job:
        for _ in range(3):
            job.step(tokens=100)
        state = json.loads(json.dumps(job.state_dict()))
    other = tracked(tmp_path / "b")
    other.load_state_dict(state)
    with other as job:
        for _ in range(2):
            job.step(tokens=100)
    found = job.report["details"]["tracking"]
    assert (found["steps"], len(found["attempts"])) == (5, 2)


def test_a_limit_stops_at_the_next_step(tmp_path: Path) -> None:
    run = {**RUN, "limits": {"time": "0.2 s"}}
    with tracked(tmp_path, run, on_limit="stop") as job:
        for _ in range(1000):
            time.sleep(0.01)
            job.step(tokens=1)
            if job.should_stop:
                break
    assert 0 < job.report["details"]["tracking"]["steps"] < 1000
    assert job.report["details"]["tracking"]["attempts"][0]["status"] == "stopped"
    assert any("is PASSED" in note for note in job.notes)


def test_a_limit_warns_by_default(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    run = {**RUN, "limits": {"time": "0.1 s"}}
    with tracked(tmp_path, run, progress=True) as job:
        for _ in range(30):
            time.sleep(0.01)
            job.step(tokens=1)
            assert not job.should_stop
    said = capfd.readouterr()
    assert said.out == ""
    assert "limit time 0.100 s is PASSED" in said.err
    assert "predicted" in said.err


def test_metrics_and_forecast_appear_and_a_callback_gets_them(tmp_path: Path) -> None:
    got: list[dict[str, float]] = []
    with tracked(tmp_path, callback=got.append) as job:
        assert job.metrics() == {}
        for _ in range(40):
            time.sleep(0.01)
            job.step(tokens=10_000)
        metrics, forecast = job.metrics(), job.forecast
    assert got
    assert set(metrics) >= {
        "costcalc/hours",
        "costcalc/tokens",
        "costcalc/energy_kwh",
        "costcalc/cost_usd",
        "costcalc/progress",
        "costcalc/mfu",
        "costcalc/forecast_cost_usd",
        "costcalc/estimated_cost_usd",
    }
    assert 0 < metrics["costcalc/progress"] < 1
    assert forecast.total["wall_clock"].low <= forecast.total["wall_clock"].high


def test_a_job_shorter_than_an_interval_hands_its_last_figures_over(tmp_path: Path) -> None:
    got: list[dict[str, float]] = []
    with tracked(tmp_path, callback=got.append, interval=3600.0) as job:
        for _ in range(7):
            job.step(tokens=10)
    assert got[-1]["costcalc/steps"] == 7
    assert got[-1]["costcalc/tokens"] == 70
    assert job.metrics() == got[-1]


def test_looks_are_seldom_where_each_is_dear_and_not_the_first_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """50 ms of a core each: the third would be due 50 s after the second, at a thousandth."""
    cpu, due = [0.0], list[float]()
    whole, real = Background._observe, JobMonitor.look

    def look(self: JobMonitor, *given: Any) -> Any:
        cpu[0] += 0.05
        return real(self, *given)

    def observe(self: Background) -> None:
        whole(self)
        due.append(self._due - time.monotonic())

    monkeypatch.setattr(JobMonitor, "look", look)
    monkeypatch.setattr(Background, "_observe", observe)
    monkeypatch.setattr(time, "thread_time", lambda: cpu[0])
    tracker = costcalc.track(output=tmp_path / "costs.yaml", progress=False, interval=2.0).start()
    until = time.monotonic() + 30
    while len(due) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert due[0] <= 0.0  # not after the first
    assert 40.0 < due[1] <= 50.0
    tracker.stop()


def test_a_callback_that_fails_is_a_note(tmp_path: Path) -> None:
    def fails(_: Any) -> None:
        raise RuntimeError("the logger is gone")

    with tracked(tmp_path, callback=fails) as job:
        time.sleep(0.2)
    assert "the callback failed: RuntimeError: the logger is gone" in job.notes
    assert job.report is not None


def test_a_callback_that_leaves_ends_nothing(tmp_path: Path) -> None:
    got: list[float] = []

    def leaves(metrics: dict[str, float]) -> None:
        got.append(metrics["costcalc/hours"])
        raise SystemExit("mine")

    with tracked(tmp_path, callback=leaves) as job:
        for _ in range(40):
            time.sleep(0.01)
            job.step(tokens=1)
    assert len(got) > 1
    assert "the callback failed: SystemExit: mine" in job.notes
    assert job.report["details"]["tracking"]["steps"] == 40


def test_a_callback_that_hangs_holds_neither_limits_nor_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listener, "PATIENCE", 0.1)
    monkeypatch.setattr(background, "_PATIENCE", 0.2)
    released = threading.Event()
    run = {**RUN, "limits": {"time": "0.2 s"}}
    with tracked(tmp_path, run, callback=lambda _: released.wait(30), on_limit="stop") as job:
        for _ in range(2000):
            time.sleep(0.01)
            job.step(tokens=1)
            if job.should_stop:
                break
        time.sleep(0.2)  # the last figures come when it has not returned for longer than that
    released.set()
    assert job.report["details"]["tracking"]["attempts"][0]["status"] == "stopped"
    assert any(note.startswith("the callback does not return for ") for note in job.notes)


def test_a_fork_waits_for_no_driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held: list[bool] = []

    class Slow(StillMeters):
        def start(self) -> None:
            held.append(guard.importing().locked())

    monkeypatch.setattr("costcalc.tracking.meters.Meters", Slow)
    with tracked(tmp_path) as job:
        time.sleep(0.1)
    assert held == [False]
    assert job.report is not None


# --- what may go wrong around it ------------------------------------------------------------------


def test_a_folder_that_cannot_be_written_loses_the_file_and_not_the_training() -> None:
    with costcalc.track(RUN, output="/proc/none/costs.yaml", progress=False) as job:
        job.step(tokens=1)
    assert job.report["details"]["tracking"]["steps"] == 1
    assert any(note.startswith("the ledger cannot be written: ") for note in job.notes)


def test_a_full_disk_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Writer, "_append", full)
    with tracked(tmp_path) as job:
        job.step(tokens=1)
    assert "the ledger cannot be written: No space left on device" in job.notes


def test_a_report_that_was_told_of_is_not_said_to_be_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """A logger holds the thread once the report is written, longer than leaving may take."""
    monkeypatch.setattr(tracker, "PATIENCE", 5.0)
    released = threading.Event()
    monkeypatch.setattr(listener.Listener, "wait", lambda *_: released.wait(20))
    with tracked(tmp_path, progress=True) as job:
        job.step(tokens=1)
    told = capfd.readouterr().err
    assert f"report: {tmp_path / 'costs.yaml'}" in told
    assert "was not made in time" not in told
    released.set()


def test_where_only_the_disk_hangs_the_figures_are_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """No answer from the folder, ever: the loop, the limits and the report are as they would be."""
    run = {**RUN, "limits": {"time": "0.2 s"}}
    with frozen(tmp_path):
        with tracked(tmp_path, run, on_limit="stop", progress=True) as job:
            for _ in range(2000):
                time.sleep(0.01)
                job.step(tokens=1000)
                if job.should_stop:
                    break
        told = capfd.readouterr().err
        found = job.report["details"]["tracking"]
    assert found["attempts"][0]["status"] == "stopped"
    assert found["steps"] < 2000
    assert "; cost " in told
    path = tmp_path / "costs.yaml"
    assert f"the report could not be written to {path}: the disk does not answer; its" in told
    assert "the report cannot be written: the disk does not answer" in job.notes
    assert "the ledger does not answer: what others have left is as of before" in job.notes


@pytest.mark.parametrize(
    ("number", "why"),
    [
        (errno.ENOSPC, "No space left on device"),
        (errno.EROFS, "Read-only file system"),
        (errno.EDQUOT, "Disk quota exceeded"),
    ],
)
def test_the_end_says_why_there_is_no_report_and_its_figures(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    number: int,
    why: str,
) -> None:
    def fails(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("costcalc.base.writing._save", fails)
    with tracked(tmp_path, progress=True) as job:
        job.step(tokens=1000)
    told = capfd.readouterr().err
    path = tmp_path / "costs.yaml"
    assert f"costcalc: the report could not be written to {path}: {why}; its figures" in told
    assert "energy" in told.partition("the report could not")[0]
    assert f"the report cannot be written: {why}" in job.notes
    assert (job.report["schema"], job.output) == (SCHEMA, None)


def test_a_folder_that_may_not_be_searched_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whether a file stands there cannot even be asked."""

    def denied(*_: Any, **__: Any) -> bool:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    with tracked(tmp_path, progress=True) as job:
        job.step(tokens=1000)
        monkeypatch.setattr(final_report, "free", denied)
    path = tmp_path / "costs.yaml"
    told = f"costcalc: the report could not be written to {path}: Permission denied; its figures"
    assert told in capfd.readouterr().err


def test_a_file_where_the_folder_of_the_report_would_be_is_told(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("mine")
    with costcalc.track(RUN, output=tmp_path / "file" / "costs.yaml", progress=True) as job:
        job.step(tokens=1000)
    told = capfd.readouterr().err
    assert f"its folder {tmp_path / 'file'} cannot be made: it is a file; its figures" in told
    with pytest.raises(costcalc.InputError, match="cannot be made: it is a file"):
        final_report.save(job.report, tmp_path / "file" / "costs.yaml")


def test_a_disk_that_hangs_does_not_hold_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tracker, "PATIENCE", 0.3)
    released = threading.Event()
    monkeypatch.setattr(Writer, "_append", lambda *_: released.wait(20))
    with tracked(tmp_path, progress=True) as job:
        job.step(tokens=1)
    made = f"costcalc track merge {tmp_path / 'costs.ledger'} -o {tmp_path / 'costs.yaml'}"
    assert f"costcalc: the report was not made in time; {made}\n" in capfd.readouterr().err
    waiting = [thread.name for thread in threading.enumerate()]
    assert "costcalc" in waiting  # for the disk: whoever left did not wait with it
    released.set()
    assert "the record was not ended in time: a disk or a driver does not answer" in job.notes


def test_a_clock_that_jumps_moves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, jump = time.time, [0.0]
    monkeypatch.setattr(background.time, "time", lambda: real() + jump[0])
    with tracked(tmp_path) as job:
        time.sleep(0.1)
        jump[0] = -1e6
        time.sleep(0.1)
    assert 0 < job.report["results"]["wall_clock"]["value"] * 3600 < 5


@pytest.mark.parametrize("arguments", [("many",), (None,), (-5,), (float("nan"),), (object(),)])
def test_step_takes_anything(tmp_path: Path, arguments: tuple[Any, ...]) -> None:
    with tracked(tmp_path) as job:
        job.step(*arguments)
    assert job.report["details"]["tracking"]["steps"] == 1


def test_a_note_may_be_anything(tmp_path: Path) -> None:
    with tracked(tmp_path) as job:
        job.note(ValueError("the user's own"))
        job.note(None)
    assert job.notes == ("the user's own", "None")


def test_an_end_of_another_name_is_a_failure_and_told(tmp_path: Path) -> None:
    job = tracked(tmp_path).start()
    job.step(tokens=1)
    job.stop("failed")
    assert job.notes == ("stop: expected one of completed, exception, interrupted; got 'failed'",)
    (written,) = read(tmp_path / "costs.ledger")  # each line can be read again
    assert (written.last.status, written.faults) == ("exception", ())


def test_after_the_end_and_before_the_start_nothing_happens(tmp_path: Path) -> None:
    job = tracked(tmp_path)
    job.step(tokens=1)
    job.stop()
    assert (job.metrics(), job.forecast, job.report, job.should_stop) == ({}, None, None, False)
    with job:
        job.start()
    job.step(tokens=1)
    job.stop()
    assert job.report["details"]["tracking"]["steps"] == 0
    assert "start: already tracking" in job.notes


def test_a_fault_of_ours_is_a_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("costcalc.tracking.detect.host", broken)
    monkeypatch.setattr("costcalc.tracking.final_report.report", broken)
    with tracked(tmp_path) as job:
        job.step(tokens=1)
    assert "prepare failed: ZeroDivisionError: ours" in job.notes
    assert "conclude failed: ZeroDivisionError: ours" in job.notes
    assert len(read(tmp_path / "costs.ledger")) == 1  # what was counted stands in the ledger


def test_a_report_that_a_fault_of_ours_loses_is_told_with_what_makes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("costcalc.tracking.final_report.report", broken)
    with tracked(tmp_path, progress=None) as job:
        job.step(tokens=1)
    assert capfd.readouterr().err == (
        "costcalc: the report was not made (conclude failed: ZeroDivisionError: ours); costcalc "
        f"track merge {tmp_path}/costs.ledger -o {tmp_path}/costs.yaml\n"
    )


def test_a_process_group_that_cannot_be_asked_at_the_end_loses_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def torn_down(**_: Any) -> None:
        raise ZeroDivisionError("torn down")

    with tracked(tmp_path, interval=60.0) as job:
        job.step(tokens=7)
        monkeypatch.setattr("costcalc.tracking.ranks.detect", torn_down)
    assert job.notes == ("take_up failed: ZeroDivisionError: torn down",)
    assert job.report["details"]["work"]["data"] == 7
    (written,) = read(tmp_path / "costs.ledger")
    assert written.last.status == "completed"


def test_signal_handlers_are_the_users(tmp_path: Path) -> None:
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    with tracked(tmp_path) as job:
        job.step()
        during = {number: signal.getsignal(number) for number in signal.valid_signals()}
    after = {number: signal.getsignal(number) for number in signal.valid_signals()}
    assert before == during == after


def test_a_forked_child_is_no_part_of_it(tmp_path: Path) -> None:
    with tracked(tmp_path) as job:
        job.step(tokens=1)
        child = os.fork()
        if child == 0:
            code = 1
            try:
                for _ in range(100):
                    job.step(tokens=1)
                job.stop()
                code = 0 if job.report is None and job.metrics() == {} else 2
            finally:
                os._exit(code)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        job.step(tokens=1)
    assert job.report["details"]["tracking"]["steps"] == 2


# --- in a process of its own ----------------------------------------------------------------------


def script(tmp_path: Path, code: str) -> subprocess.Popen[str]:
    path = tmp_path / "script.py"
    path.write_text(textwrap.dedent(code), encoding="utf-8")
    return subprocess.Popen(
        [sys.executable, str(path)],
        cwd=tmp_path,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


LOOP = """
    import time, costcalc
    with costcalc.track(output="costs.yaml", job="mine", interval=0.1, progress=False) as job:
        for step in range(10_000):
            time.sleep(0.01); job.step(tokens=10); print(step + 1, flush=True)
"""


def test_a_kill_loses_one_interval_and_a_restart_goes_on(tmp_path: Path) -> None:
    with script(tmp_path, LOOP) as child:
        assert child.stdout
        steps = [int(child.stdout.readline()) for _ in range(400)][-1]
        child.kill()
        steps = max([steps, *(int(line) for line in child.stdout.read().split())])
    (killed,) = read(tmp_path / "costs.ledger")
    assert killed.last is not None
    assert isinstance(killed.last, Sample)
    kept = killed.last.steps
    assert steps - 60 <= kept <= steps  # an interval is ten steps; the machine may be busy
    with script(tmp_path, LOOP.replace("10_000", "5")) as child:
        _, error = child.communicate(timeout=60)
    assert (child.returncode, error) == (0, "")
    data = read_file(tmp_path / "costs.yaml", "costs.yaml").data
    found = data["details"]["tracking"]
    assert found["steps"] == kept + 5
    assert [attempt["status"] for attempt in found["attempts"]] == [
        "ended without a word",
        "completed",
    ]


def test_ctrl_c_ends_the_record(tmp_path: Path) -> None:
    with script(tmp_path, LOOP) as child:
        assert child.stdout
        for _ in range(20):
            child.stdout.readline()
        child.send_signal(signal.SIGINT)
        _, error = child.communicate(timeout=60)
    assert error.rstrip().endswith("KeyboardInterrupt")
    data = read_file(tmp_path / "costs.yaml", "costs.yaml").data
    assert data["details"]["tracking"]["attempts"][0]["status"] == "interrupted"


def test_only_the_thread_imports_and_only_what_is_needed(tmp_path: Path) -> None:
    code = """
        import sys, threading, builtins
        import costcalc
        job = costcalc.track()
        import costcalc.tracking.tracker
        before = set(sys.modules)
        real, main = builtins.__import__, threading.get_ident()
        wrong = []
        def watched(name, *rest, **named):
            if threading.get_ident() == main and name.split(".")[0] not in ("costcalc",):
                if name.split(".")[0] not in {n.split(".")[0] for n in sys.modules}:
                    wrong.append(name)
            return real(name, *rest, **named)
        builtins.__import__ = watched
        with job: job.step()
        builtins.__import__ = real
        heavy = {"torch", "jax", "tensorflow", "transformers", "lightning", "keras", "wandb"}
        print(wrong, sorted(heavy & set(sys.modules)))
    """
    with script(tmp_path, code) as child:
        said, error = child.communicate(timeout=60)
    assert (said.strip(), error) == ("[] []", "")


def test_a_script_that_never_leaves_the_tracker_ends(tmp_path: Path) -> None:
    code = """
        import costcalc, time
        job = costcalc.track(output="costs.yaml", interval=0.1, progress=False).start()
        time.sleep(3); job.step(tokens=1); time.sleep(0.5)
    """
    with script(tmp_path, code) as child:
        _, error = child.communicate(timeout=60)
    assert (child.returncode, error) == (0, "")
    assert read(tmp_path / "costs.ledger")[0].last is not None
