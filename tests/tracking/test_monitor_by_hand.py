"""One look at a job, and what a tracker is asked, by hand: the working stands beside."""

from __future__ import annotations

import io
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

import costcalc
from costcalc.base.errors import InputError
from costcalc.calculator.result import Result
from costcalc.tracking import background, detect, guard, metering, progress, ranks, tracker
from costcalc.tracking.counter import Counter
from costcalc.tracking.forecast import Forecast, Forecaster, Snapshot, figures
from costcalc.tracking.ledger import Written
from costcalc.tracking.limit_watch import LimitWatch
from costcalc.tracking.merge import carried, totals
from costcalc.tracking.metering import Metering
from costcalc.tracking.monitor import JobMonitor
from costcalc.tracking.options import LEDGER, Options
from costcalc.tracking.plan import predicted
from costcalc.tracking.records import Device, Energy, Place, Sample, Start
from costcalc.tracking.versions import loaded_versions

RUN: dict[str, Any] = {
    "model": {"preset": "gpt2"},
    "training": {"tokens": "1e9", "sequence_length": 1024, "global_batch": 64},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
    "site": {"grid": "100 gCO2e/kWh", "pue": 1.2},
    "price": {"device_hour": "2 USD"},
}


def asked(run: Any = RUN, **options: Any) -> Options:
    given: dict[str, Any] = {
        "run": run,
        "output": None,
        "ledger": None,
        "job": None,
        "stage": None,
        "changes": None,
        "on_limit": "warn",
        "progress": False,
        "callback": None,
        "interval": 10.0,
        "identify": False,
        "force": False,
    }
    return Options(**{**given, **options}).checked()


def written(
    *, devices: int = 8, share: float = 1.0, seconds: float = 1800.0, **counts: Any
) -> list[Written]:
    """One process, half an hour on: 500 W a device."""
    found = tuple(Device(uuid=f"G{n}", name="NVIDIA H100", share=share) for n in range(devices))
    energy = {
        f"gpu:G{n}": Energy(
            joules=500.0 * seconds, basis="measured", meter="NVML", component="device"
        )
        for n in range(devices)
    }
    start = Start(
        job="j", writer="w", time=0.0, boot="b", host="h", devices=found, place=Place(job="j")
    )
    return [
        Written(start=start, last=Sample(time=seconds, elapsed=seconds, energy=energy, **counts))
    ]


HALF: dict[str, Any] = {"steps": 500, "timed": 499, "busy": 499 * 3.0, "tokens": 5e8}


# --- what one look says ---------------------------------------------------------------------------


def looked(options: Options, records: list[Written]) -> tuple[Any, list[str]]:
    before, _ = predicted(options.plan)
    notes: list[str] = []
    return JobMonitor(options, before).look(records, notes.append), notes


@pytest.mark.parametrize(("hidden", "hours"), [(0, 4.0), (8, 0.0)])
def test_devices_that_a_job_does_not_see_cost_it_nothing(hidden: int, hours: float) -> None:
    """No device was detected: the run file's eight for half an hour, if it may use any."""
    (record,) = written(**HALF)
    start = replace(record.start, devices=(), machine={"hidden_devices": hidden})
    assert record.last is not None
    bare = replace(record, start=start, last=replace(record.last, energy={}))
    seen, _ = looked(asked(), [bare])
    assert seen.metrics["costcalc/device_hours"] == pytest.approx(hours)
    assert seen.metrics["costcalc/cost_usd"] == pytest.approx(2.0 * hours)


def test_metrics_of_half_an_hour() -> None:
    """8 devices: 4 device-hours at 2 USD; 8 × 500 W are 2 kWh, their hosts' 8 × 270.201 W 1.0808.

    By PUE 1.2 3.6970 kWh, as the report will have it.
    """
    seen, notes = looked(asked(), written(**HALF))
    found = {key.removeprefix("costcalc/"): value for key, value in seen.metrics.items()}
    assert found["hours"] == pytest.approx(0.5)
    assert found["device_hours"] == pytest.approx(4.0)
    assert found["cost_usd"] == pytest.approx(8.0)
    assert found["energy_kwh"] == pytest.approx((2 + 1.0808) * 1.2, rel=1e-4)
    assert (found["steps"], found["tokens"]) == (500.0, 5e8)
    assert "samples" not in found
    # 5e8 tokens in 500 steps of 3 s
    assert found["tokens_per_second"] == pytest.approx(5e8 / 1500)
    assert found["progress"] == 0.5  # of the 1e9 that are planned
    assert found["forecast_hours_low"] < found["forecast_hours"] < found["forecast_hours_high"]
    before, _ = predicted(asked().plan)
    assert before is not None
    assert found["estimated_hours"] == before.results["wall_clock"].value
    # the estimate's utilization is of the estimate's speed: of this one as many times as much
    speed, use = before.results["throughput"].value, before.results["utilization"].value
    assert speed is not None
    assert use is not None
    assert found["mfu"] == pytest.approx(use * 5e8 / 1500 / speed)
    assert (notes, seen.passed) == ([], False)


def test_energy_so_far_holds_what_no_meter_saw_of_the_devices() -> None:
    """Of the half hour a third was missed: 500 W in the rest, so the 2 kWh of a whole one."""
    (one,) = written(**HALF)
    assert one.last is not None
    energy = {
        key: replace(item, joules=item.joules * 2 / 3, gap=600.0)
        for key, item in one.last.energy.items()
    }
    seen, _ = looked(asked(), [replace(one, last=replace(one.last, energy=energy))])
    assert seen.metrics["costcalc/energy_kwh"] == pytest.approx((2 + 1.0808) * 1.2, rel=1e-4)


def test_a_meter_of_the_host_alone_is_not_the_energy_of_the_job() -> None:
    """Half an hour of 100 W of CPU, 0.06 kWh with PUE: what the estimate says of all counts."""
    (one,) = written(**HALF)
    assert one.last is not None
    cpu = Energy(joules=100.0 * 1800, basis="measured", meter="RAPL", component="cpu")
    alone, _ = looked(asked(), [replace(one, last=replace(one.last, energy={"cpu:b": cpu}))])
    unmetered, _ = looked(asked(), [replace(one, last=replace(one.last, energy={}))])
    assert alone.metrics["costcalc/energy_kwh"] == unmetered.metrics["costcalc/energy_kwh"] > 1.0


def test_without_a_run_file_only_what_was_seen_is_told() -> None:
    seen, _ = looked(asked(None), written(**HALF))
    found = {key.removeprefix("costcalc/") for key in seen.metrics}
    assert found == {"hours", "device_hours", "steps", "tokens", "tokens_per_second"}
    assert seen.forecast is None


@pytest.mark.parametrize(
    ("devices", "share", "hours"),
    [
        (8, 1.0, 4.0),
        (2, 0.5, 0.5),  # two halves for half an hour
        (0, 1.0, 4.0),  # none was detected: the run file's 8
    ],
)
def test_devices_that_were_detected_count_by_their_share(
    devices: int, share: float, hours: float
) -> None:
    seen, _ = looked(asked(), written(devices=devices, share=share, **HALF))
    assert seen.metrics["costcalc/device_hours"] == pytest.approx(hours)


def test_samples_are_no_speed_of_a_model_of_tokens() -> None:
    run = {**RUN, "training": {"tokens": "1e9", "global_batch": 64}}
    seen, _ = looked(asked(run), written(steps=10, timed=9, busy=9.0, samples=640.0))
    assert seen.metrics["costcalc/samples"] == 640.0
    assert "costcalc/mfu" not in seen.metrics


def test_a_limit_that_is_passed_is_noted() -> None:
    """8 USD of a limit of 7: passed; of 8: at it, not above."""
    for most, passed in ((7, True), (8, False)):
        run = {**RUN, "limits": {"cost": f"{most} USD"}}
        seen, notes = looked(asked(run), written(**HALF))
        assert seen.passed is passed
        assert seen.metrics["costcalc/cost_usd"] == pytest.approx(8.0)
        told = [note for note in notes if "is PASSED" in note]
        assert told == (["limit cost 7.00 USD is PASSED: 8.00 USD are spent"] if passed else [])


@pytest.mark.parametrize(("progress_", "told"), [(None, True), (False, False), (True, True)])
def test_a_limit_is_told_on_any_stderr_unless_nothing_is_to_be(
    progress_: bool | None, told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    run = {**RUN, "limits": {"cost": "7 USD"}}
    looked(asked(run, progress=progress_), written(**HALF))
    said = "limit cost 7.00 USD is PASSED: 8.00 USD are spent"
    err = " ".join(capsys.readouterr().err.split())
    assert (said in err) is told


def test_each_thing_of_a_limit_is_said_once() -> None:
    watch = LimitWatch(
        asked({**RUN, "limits": {"time": "1 h", "cost": "1 USD"}}).plan.run.limits, None
    )  # type: ignore[arg-type]
    at = Snapshot(elapsed=3600.0, done=1.0, devices=1.0)
    first = watch.look(at, None, None)
    assert [text.split()[1] for text in first] == ["cost"]  # an hour is not above an hour
    assert "cannot be watched: " in first[0]
    later = replace(at, elapsed=3601.0)
    assert watch.look(later, None, None) == [
        "limit time 1.00 hours is PASSED: 1.00 hours are spent"
    ]
    assert watch.look(later, None, None) == []
    assert watch.passed == ["time"]


# --- what a tracker is asked ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"on_limit": "halt"}, "on_limit: expected warn or stop; got 'halt'"),
        ({"interval": 0.0}, "interval: expected a number of seconds above 0; got 0.0"),
        ({"callback": 3}, "callback: expected a function; got 3"),
    ],
)
def test_arguments_that_cannot_be(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        asked(None, **options)
    asked(None, on_limit="stop", interval=0.001, callback=print)


def test_where_records_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(LEDGER, raising=False)
    assert asked(None).folder is None
    assert asked(None, output="r.yaml").folder == str(tmp_path / "r.ledger")
    assert asked(None, output="r.yaml", ledger="x").folder == str(tmp_path / "x")
    assert asked(None, ledger="s3://bucket/x").folder == "s3://bucket/x"
    monkeypatch.setenv(LEDGER, "y")
    assert asked(None, output="r.yaml").folder == str(tmp_path / "y")
    assert asked(None, ledger="x").folder == str(tmp_path / "x")


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (None, "completed"),
        (SystemExit(), "completed"),
        (SystemExit(0), "completed"),
        (SystemExit(1), "exception"),
        (ValueError(), "exception"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_how_a_job_ended(error: BaseException | None, status: str) -> None:
    assert tracker._status(type(error) if error else None, error) == status


# --- the thread behind ----------------------------------------------------------------------------


def behind(**options: Any) -> background.Background:
    return background.Background(asked(None, **options), Counter())


def test_what_came_before_is_taken_up_once() -> None:
    thread = behind()
    (old,) = written(**HALF)
    attempts = [carried(attempt) for attempt in totals([old]).attempts]
    for _ in range(2):
        thread.adopt("j", attempts)
        assert thread.state()["job"] == "j"
        assert [item["id"] for item in thread.state()["attempts"]][:-1] == ["w"]  # type: ignore[attr-defined]
        thread._take_up()
    assert [item.id for item in thread._records.start.earlier] == ["w"]
    assert thread.place.job == "j"
    named = behind(job="mine")
    named.adopt("j", attempts)
    named._take_up()
    assert named.place.job == "mine"  # what the user named stays


def test_own_counts_are_the_newest_and_stand_last() -> None:
    thread = behind()
    thread.counter.step(512)
    (own,) = thread.state()["attempts"]  # type: ignore[misc]
    assert (own["counts"]["steps"], own["counts"]["tokens"]) == (1, 512.0)
    assert 0.0 <= own["elapsed"] < 60.0
    assert thread._records.start.interval == 10.0


def test_devices_without_a_counter_are_sampled_meanwhile() -> None:
    thread = behind()
    samples: list[float] = []
    thread._metering = SimpleNamespace(needs_samples=True, sample=lambda: samples.append(0))  # type: ignore[assignment]
    assert thread._pause(0.05) is False
    assert len(samples) == 1  # once a second, and at the end of less
    thread._over.set()
    assert thread._pause(60.0) is True
    assert len(samples) == 1
    thread._metering = SimpleNamespace(needs_samples=False)  # type: ignore[assignment]
    assert thread._pause(60.0) is True


def test_versions_are_of_what_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "jax", SimpleNamespace(__version__="9.9"))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace())  # type: ignore[arg-type]
    found = loaded_versions()
    assert found["jax"] == "9.9"
    assert "torch" not in found
    assert found["python"].startswith("3.")


@pytest.mark.parametrize(
    ("started", "status", "waits"),
    [
        (-59.0, "running", True),
        (-61.0, "running", False),  # of an attempt that was killed
        (0.0, "completed", False),
    ],
)
def test_the_last_words_of_others_are_waited_for(
    started: float, status: Any, waits: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    thread = behind(ledger=str(tmp_path))
    (other,) = written()
    assert other.last is not None
    start = replace(other.start, time=thread.began_at + started)
    other = replace(other, start=start, last=replace(other.last, status=status))
    monkeypatch.setattr(thread._records, "all", lambda: [other])
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    thread._records.wait_for_last_words(0.2)
    assert bool(slept) is waits


def test_a_group_that_is_initialised_later_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    thread = behind()
    one, two = thread.place, replace(thread.place, rank=1, world=2)
    monkeypatch.setattr(ranks, "detect", lambda job: two)
    monkeypatch.setattr(thread, "_look_ahead", lambda: None)
    thread._find_place()
    assert (thread.place.rank, thread.place.world) == (1, 2)
    monkeypatch.setattr(ranks, "detect", lambda job: one)
    thread._find_place()
    assert thread.place.world == 2  # not when the group is taken down again


@pytest.mark.parametrize(("listed", "meters"), [(("a", "b"), False), (("a",), True), ((), True)])
def test_a_rank_meters_what_its_nodes_first_does_not_list(
    listed: tuple[str, ...], meters: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = behind()
    seen = tuple(Device(uuid=each, name="x") for each in ("a", "b"))
    (first,) = written()
    start = replace(first.start, boot=thread._boot, devices=seen[: len(listed)])
    monkeypatch.setattr(thread._records, "all", lambda: [replace(first, start=start)])
    monkeypatch.setattr(detect, "seen_by_driver", lambda: seen)
    begun: list[bool] = []
    monkeypatch.setattr(Metering, "begin", lambda _, *, host: begun.append(host))
    thread._metering = Metering(thread.place, "b", detect.host({}), elapsed=0.0, training="")
    thread._meter_what_nobody_does()
    thread._meter_what_nobody_does()  # asked once
    assert begun == [False] * meters


def test_meters_count_from_the_start_of_what_is_tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    # at 100 s of the clock 2.5 s are tracked: they began at 97.5 s, and 4 s of them end at 101.5 s
    monkeypatch.setattr(metering, "ticks", lambda: 100.0)
    made = Metering(behind().place, "b", detect.host({}), elapsed=2.5, training="")
    assert made._began == 97.5
    ends: list[tuple[bool, float]] = []

    def read(*, last: bool, until: Any) -> None:
        ends.append((last, until()))

    made._meters = cast("Any", SimpleNamespace(read=read))
    for last in (False, True):
        made.read(lambda: 4.0, last=last)
    assert ends == [(False, 101.5), (True, 101.5)]


@pytest.mark.parametrize(("local", "hosts"), [(0, [True]), (1, []), (2, [])])
@pytest.mark.parametrize(("share", "noted"), [(1.0, False), (0.25, True)])
def test_a_nodes_first_rank_meters_its_host(
    local: int, hosts: list[bool], share: float, noted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = behind()
    thread._place = replace(thread._place, local_rank=local)
    cores = detect.HostShare(
        name="h", cpu="c", cores=frozenset(range(8)), all_cores=8, allotted=8 * share
    )
    monkeypatch.setattr(detect, "host", lambda: cores)
    begun: list[bool] = []
    monkeypatch.setattr(Metering, "begin", lambda _, *, host: begun.append(host))
    thread._prepare()
    assert begun == hosts
    assert any("0.25 of its host by cores" in note for note in thread.notes) is (
        noted and bool(hosts)
    )
    assert thread._records.start.machine == {
        "cpu": "c",
        "cores": 8,
        "all_cores": 8,
        "host_share": share,
    }


def test_the_first_progress_may_be_one() -> None:
    # one step of 10 after 5 s, five by 45 s: 4 in 40 s, so that 5 more take 50 s
    follower = Forecaster(None, planned=10.0)
    for elapsed, done in ((5.0, 1.0), (25.0, 3.0), (45.0, 5.0)):
        seen = follower.look(Snapshot(elapsed=elapsed, done=done, devices=1.0))
    assert seen is not None
    assert seen.share == 0.5
    assert seen.total["wall_clock"].value == pytest.approx((45 + 50) / 3600)


@pytest.mark.parametrize(("env", "seen"), [(None, ["G1"]), ({}, ["G0", "G1"])])
def test_the_drivers_devices_are_those_that_the_process_may_use(
    env: dict[str, str] | None, seen: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = SimpleNamespace(
        nvmlInit=lambda: None,
        nvmlDeviceGetCount=lambda: 2,
        nvmlDeviceGetHandleByIndex=lambda index: index,
        nvmlDeviceGetUUID=lambda handle: f"G{handle}".encode(),
        nvmlDeviceGetName=lambda handle: "H100",
    )
    monkeypatch.setitem(sys.modules, "pynvml", driver)  # type: ignore[arg-type]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
    found = detect.seen_by_driver(env)
    assert [device.uuid for device in found] == seen
    assert {device.name for device in found} == {"H100"}
    monkeypatch.setitem(sys.modules, "pynvml", SimpleNamespace())  # type: ignore[arg-type]
    assert detect.seen_by_driver() == ()  # no driver


# --- faults of ours -------------------------------------------------------------------------------


class Owner:
    """Who notes faults, and who fails at it."""

    def __init__(self, *, deaf: bool = False) -> None:
        self.notes: list[str] = []
        self.deaf = deaf

    def note(self, text: str) -> None:
        if self.deaf:
            raise RuntimeError
        self.notes.append(text)

    @guard.never_raises("default")
    def _fails(self, error: BaseException) -> str:
        raise error

    @guard.never_raises("default")
    def works(self) -> str:
        return "made"


def test_a_fault_is_a_note_and_what_the_user_does_is_none(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COSTCALC_TRACK_DEBUG", raising=False)
    owner = Owner()
    assert owner.works() == "made"
    assert owner._fails(ValueError("x")) == "default"
    assert owner.notes == ["fails failed: ValueError: x"]
    assert capsys.readouterr().err == ""
    assert Owner(deaf=True)._fails(ValueError("x")) == "default"
    for mine in (KeyboardInterrupt(), SystemExit(3)):
        with pytest.raises(type(mine)):
            owner._fails(mine)
    monkeypatch.setenv("COSTCALC_TRACK_DEBUG", "1")
    owner._fails(ValueError("y"))
    assert "ValueError: y" in capsys.readouterr().err


def test_a_fork_waits_for_an_import_only_where_a_tracker_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # a lock of its own: a thread that an earlier test left may be importing just now
    monkeypatch.setattr(guard, "_IMPORTING", threading.Lock())
    monkeypatch.setattr(guard, "_hangs", False)
    monkeypatch.setattr(guard, "_live", set())
    guard._before()
    assert guard._held == 0
    told: list[str] = []
    owner = SimpleNamespace(disarm=lambda: told.append("disarmed"))
    monkeypatch.setattr(guard, "_live", [owner])
    guard._before()
    assert guard._held == threading.get_ident()
    assert guard.importing().locked()
    guard._after()
    assert not guard.importing().locked()
    assert guard._held == 0
    monkeypatch.setattr(guard, "_live", SimpleSet([owner]))
    before = guard.importing()
    guard._in_child()
    assert told == ["disarmed"]
    assert guard.importing() is not before
    assert not guard.importing().locked()


def test_a_fork_waits_once_for_an_import_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []

    class Held:
        """A lock whose holder does not let go."""

        def acquire(self, timeout: float) -> bool:
            waited.append(timeout)
            return False

    monkeypatch.setattr(guard, "_live", [SimpleNamespace()])
    monkeypatch.setattr(guard, "_hangs", False)
    monkeypatch.setattr(guard, "_IMPORTING", Held())
    for _ in range(3):
        guard._before()
        guard._after()
    assert waited == [2.0, 0.0, 0.0]
    monkeypatch.setattr(guard, "_IMPORTING", threading.Lock())
    guard._before()  # the import ended
    assert (guard._held, guard._hangs) == (threading.get_ident(), False)
    guard._after()


class SimpleSet(list[Any]):
    """A list that can be asked to forget."""


def test_what_a_framework_knows_is_added_where_the_file_is_silent() -> None:
    with costcalc.track(RUN, progress=False) as one:
        one.describe({"training.tokens": 5, "site.wue": "1 L/kWh", "model.preset": "gpt2-xl"})
        thread = one._thread
        assert thread is not None
    plan = thread.options.plan
    assert plan.written["training"]["tokens"] == "1e9"  # type: ignore[index]
    assert plan.written["model"] == {"preset": "gpt2"}
    assert "wue" in plan.written["site"]  # type: ignore[operator]


# --- the line of progress -------------------------------------------------------------------------


def test_a_line_is_one_line_however_long_and_told_when_due() -> None:
    file = io.StringIO()
    teller = progress.Teller(file)
    teller.say(" ".join(["word"] * 100))
    assert file.getvalue().splitlines() == ["costcalc: " + " ".join(["word"] * 100)]
    spent = figures(None, 8, 5400.0, None)[0]
    for elapsed in (19.0, 20.0, 59.0, 60.0, 3600.0, 7199.0, 7200.0):
        teller.tell(elapsed, spent, None)
    # due at 20 s, a minute, then an hour and each hour on
    assert len(file.getvalue().splitlines()) == 1 + 4
    assert file.getvalue().splitlines()[1] == "costcalc: time 1.50 hours"


def test_a_line_of_figures_with_their_ranges_and_the_estimate() -> None:
    """Half of the plan in an hour: 2 h in all (1.8 to 2.4), estimated 4 h."""
    spent = {name: Result.exact(1.0, "h", "measured") for name in progress.SAID}
    total = {name: Result.of(7200.0, 6480.0, 8640.0, "h", "modelled") for name in progress.SAID}
    forecast = Forecast(share=0.5, spent=spent, total=total, draws={})
    before = {name: Result.exact(4.0, "h", "modelled") for name in progress.SAID}
    part = "1.00 of 2.00 [1.80 – 2.40] hours, estimated 4.00"
    assert progress.line(spent, forecast, before) == (
        f"50 % · time {part} · cost {part} · energy {part} · CO2e {part}"
    )
    plain = progress.line(spent, forecast).split(" · ")
    assert plain[1] == "time 1.00 of 2.00 [1.80 – 2.40] hours"
