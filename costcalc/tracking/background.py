"""A tracker's thread: it waits for disks, drivers and imports, so that training never does."""

from __future__ import annotations

import os
import platform
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Any

from costcalc.tracking import carrying, ranks, trainings
from costcalc.tracking.aside import Aside
from costcalc.tracking.attempts import ranks_beside
from costcalc.tracking.counter import Counter
from costcalc.tracking.guard import importing, never_raises
from costcalc.tracking.ledger import Written
from costcalc.tracking.listener import Listener
from costcalc.tracking.notes import Notes
from costcalc.tracking.options import Options
from costcalc.tracking.own_records import OwnRecords
from costcalc.tracking.plan import Plan
from costcalc.tracking.records import Attempt, Place, Sample, Start, Status
from costcalc.tracking.stopping import Stopping
from costcalc.tracking.versions import loaded_versions

if TYPE_CHECKING:
    from costcalc.calculator.result import Estimate
    from costcalc.tracking.forecast import Forecast
    from costcalc.tracking.merge import Totals
    from costcalc.tracking.metering import Metering
    from costcalc.tracking.meters import Reading
    from costcalc.tracking.monitor import JobMonitor
    from costcalc.tracking.notebook import Shown

_FIRST = 1.0  # seconds after which the first sample is taken: a short job leaves something too
# Looks at the whole job take so much of a core at the most, but are at most that many intervals
# apart; one that takes less than so many seconds of a core is repeated with each interval.
_SHARE, _SELDOM, _CHEAP = 0.001, 30.0, 0.01
_PATIENCE = 3.0  # seconds that rank 0 waits at the end for the last words of the others
# Of an interval: so early a sample is, to be on the disk in time; so much is waited in any case.
_EARLY, _LEAST = 0.15, 0.1
_LAST_WORDS = 0.1  # of the time that leaving may take: for the counts alone, if the thread hangs

_NO_READING: Reading | None = None
_NOT_SHOWN: Shown | None = None
_NO_FORECAST: Forecast | None = None


class Background:
    """One tracker's thread and all that it knows."""

    def __init__(self, options: Options, counter: Counter) -> None:
        self.options, self.counter = options, counter
        self._given = options.plan.is_given
        self.metrics: dict[str, float] = {}
        self.line, self.forecast, self.shown = "measuring", _NO_FORECAST, _NOT_SHOWN
        self.predicted: Estimate | None = None
        self.report: dict[str, Any] | None = None
        self.written: Path | None = None
        self.notes = Notes()
        self.began, self.began_at = monotonic(), time.time()
        self._place = ranks.detect(job=options.job)
        self._boot = ranks.boot_id()
        start = Start(
            job=self._place.job,
            writer=uuid.uuid4().hex[:8],
            time=self.began_at,
            boot=self._boot,
            place=self._place,
            host=platform.node(),
            interval=options.interval,
            pid=os.getpid(),
            run=options.plan.written if self._place.rank == 0 else {},
            clock=self.began if sys.platform == "linux" else None,
            wrapper=options.wrapper,
            training=trainings.training_of(options.output),
        )
        self._records = OwnRecords(options.folder, start, self.note)
        self.stopping = self._new_stopping()
        self._metering: Metering | None = None
        self._monitor: JobMonitor | None = None
        self._why_not, self._asked_once = "", False
        # What the tracker is told meanwhile, and the thread takes up with its next interval.
        self._described: dict[str, object] | None = None
        self._taken = trainings.TakenPlan()
        self._adopted: tuple[str, tuple[Attempt, ...]] | None = None
        self._looked: tuple[Totals, Written] | None = None
        self._due, self._spent = 0.0, 0.0  # when a look is due, and what the last one took
        self._listener = Listener(options.callback, self.note)
        self._counts = Aside("costcalc-counts")
        self._over = threading.Event()
        self.word = threading.Lock()  # whoever has it says what came of the job
        self._ended: float | None = None
        self._status: Status = "completed"
        self._thread = threading.Thread(target=self._work, name="costcalc", daemon=True)

    # --- what the tracker calls: no disk, no driver, no lock that is held for long ----------------

    @property
    def place(self) -> Place:
        """Where this process stands in its job."""
        return self._place

    def begin(self) -> None:
        """Start the thread; returns at once."""
        self._thread.start()

    def finish(self, status: Status, patience: float) -> bool:
        """End the record and make the report in ``patience`` seconds; whether it came to that."""
        self._status, self._ended = status, monotonic()
        self._over.set()
        self._thread.join(patience * (1 - _LAST_WORDS))
        if self._thread.is_alive():
            self._leave_counts(patience * _LAST_WORDS)
            self.note("the record was not ended in time: a disk or a driver does not answer")
            return False
        return True

    @never_raises(None)
    def _leave_counts(self, seconds: float) -> None:
        """What was counted into the ledger, as the thread has not come to it."""
        own = self._records.own.last
        if own is None or own.status == "running":
            now = self.counter.sample(self._elapsed(), own)
            self._records.append(replace(now, status=self._status))
        self._records.settle(seconds)

    def note(self, text: str) -> None:
        """Remember what went wrong or was taken for granted; each kind of thing once."""
        self.notes.add(text)

    def adopt(self, job: str, earlier: Iterable[Attempt]) -> None:
        """Go on with a job that began elsewhere, with what it had done."""
        brought = self._adopted[1] if self._adopted else ()
        self._adopted = (job, carrying.together(brought, earlier))

    def describe(self, found: Mapping[str, object]) -> None:
        """Go on with more known of the job; the estimate is made again with the next interval."""
        self._described = {**(self._described or {}), **found}

    def state(self) -> dict[str, object]:
        """The job by now, for a checkpoint: what the thread saw last, and our counts since."""
        looked, own = self._looked, self._records.own
        ended = own.last is not None and own.last.status != "running"
        now = own if ended else replace(own, last=self.counter.sample(self._elapsed(), own.last))
        job, brought = self._adopted or (self._place.job, ())
        earlier = carrying.together(now.start.earlier, brought)
        now = replace(now, start=replace(now.start, earlier=earlier))
        return {
            "job": self.options.job or job,
            "attempts": [asdict(item) for item in carrying.by_now(looked, now, self.options.plan)],
        }

    # --- the thread -------------------------------------------------------------------------------

    def _work(self) -> None:
        self._records.append(self._records.start)
        self._records.apart("forget", self.stopping.forget)
        self._records.apart("unfinished", self._records.look_for_unfinished)
        self._prepare()
        interval = self.options.interval
        wait = min(_FIRST, interval * (1 - _EARLY))
        while not self._pause(wait):
            due = monotonic() + interval * (1 - _EARLY)
            self._interval()
            wait = max(due - monotonic(), _LEAST * interval)
        self._end()

    def _pause(self, seconds: float) -> bool:
        """Wait; devices without a counter are read once a second meanwhile."""
        if self._metering is None or not self._metering.needs_samples:
            return self._over.wait(seconds)
        until = monotonic() + seconds
        while (left := until - monotonic()) > 0:
            if self._over.wait(min(left, 1.0)):
                return True
            self._metering.sample()
        return self._over.is_set()

    @never_raises(None)
    def _prepare(self) -> None:
        """Imports, detection, meters and the estimate made before: what takes seconds."""
        with importing():
            from costcalc.tracking import detect
            from costcalc.tracking.metering import Metering
        found = detect.host()
        own, passed = self._records.start, self._elapsed()
        self._metering = Metering(own.place, own.boot, found, elapsed=passed, training=own.training)
        self._records.change(
            versions=loaded_versions(),
            machine={
                "cpu": found.cpu,
                "cores": len(found.cores),
                "all_cores": found.all_cores,
                "host_share": found.share,
            },
        )
        if self._place.local_rank == 0:
            if found.share < 1:
                self.note(
                    f"the job may use {found.share:.3g} of its host by cores: so much of "
                    "the host's energy counts"
                )
            self._metering.begin(host=True)
            self._say_what_is_metered()
        self._records.append(self._records.start)
        self._look_ahead()

    @never_raises(None)
    def _say_what_is_metered(self) -> None:
        """Into the record; a driver may have answered since."""
        found, known = self._metering, self._records.start
        if found is None:
            return
        machine = {**known.machine, **found.silent}
        now = (found.devices, found.keys, machine)
        if now == (known.devices, known.meters, known.machine):
            return
        devices, keys, _ = now
        self._records.change(
            devices=devices, meters=keys, machine=machine, versions=loaded_versions()
        )
        self._records.append(self._records.start)

    def _meter_what_nobody_does(self) -> None:
        """A rank that sees a device which its node's first rank does not list meters it."""
        if self._metering is None or self._metering.begun or self._asked_once:
            return
        self._asked_once = True
        first = [
            w.start
            for w in self._records.all()
            if w.start.boot == self._boot
            and w.start.place.local_rank == 0
            and w.start.writer != self._records.start.writer
        ]
        listed = {device.uuid for start in first for device in start.devices}
        if self._metering.seen_by_driver() - listed:
            self._metering.begin(host=False)
            self._say_what_is_metered()

    @never_raises(None)
    def _look_ahead(self) -> None:
        """The estimate made before, and who watches the job; rank 0 alone."""
        if self._place.rank != 0:
            return
        with importing():
            from costcalc.tracking.monitor import JobMonitor
            from costcalc.tracking.plan import predicted
        self.predicted, self._why_not = predicted(self.options.plan)
        # Limits that a wrapper took over are watched by whoever said them, unless it is to stop.
        watch = self._given or not self.options.wrapper or self.options.on_limit == "stop"
        self._monitor = JobMonitor(self.options, self.predicted, watch=watch)

    @never_raises(None)
    def _interval(self) -> None:
        self._take_up()
        if self._place.local_rank != 0 and self._elapsed() >= self.options.interval:
            self._meter_what_nobody_does()
        self._records.append(self._sample("running"))
        self._say_what_is_metered()
        self._observe()

    @never_raises(None)
    def _take_up(self) -> None:
        """What the tracker was told meanwhile, and a process group that is there now."""
        self._find_place()
        if self._adopted is not None:
            (job, earlier), self._adopted = self._adopted, None
            if not self.options.job and job != self._place.job:
                self._move(replace(self._place, job=job))
            self._records.adopt(earlier)
        if self._described is not None:
            found, self._described = self._described, None
            self._replan(found)

    @never_raises(None)
    def _replan(self, found: Mapping[str, object]) -> None:
        self._go_by(self.options.planned(found))

    def _go_by(self, plan: Plan) -> None:
        self.options = replace(self.options, plan=plan)
        self._records.change(run=plan.written if self._place.rank == 0 else {})
        self._records.append(self._records.start)
        self._look_ahead()

    @never_raises(None)
    def _observe(self) -> None:
        """Look at the whole job: metrics, forecast, limits, progress; as often as it is cheap."""
        if self._monitor is None:
            self._records.apart("follow", self.stopping.follow)
            return
        if monotonic() < self._due:
            return
        before = time.thread_time() + self._records.cpu
        self._take_plan(written := self._records.all())
        seen = self._monitor.look(written, self.note)
        self.metrics, self.forecast, self.line = seen.metrics, seen.forecast, seen.line
        if self.shown is not None:
            self.shown.tell(seen.line)
        self._looked = (seen.whole, written[-1])
        if seen.passed:
            seen_ranks = ranks_beside(self._records.start.writer, written)
            self._order(everyone=len(seen_ranks) >= self._place.world)
        self._listener.tell(dict(seen.metrics))
        last, self._spent = self._spent, time.thread_time() + self._records.cpu - before
        if (spent := min(last, self._spent)) > _CHEAP:  # not once: the first reads and imports
            self._due = monotonic() + min(spent / _SHARE, _SELDOM * self.options.interval)

    def _take_plan(self, written: Sequence[Written]) -> None:
        """A wrapper without a run file goes by that of what it runs, and stops by its limits."""
        if self.options.wrapper and not self._given:
            plan = self._taken.newer(written)
            if plan is not None:
                self._go_by(plan)

    def _order(self, *, everyone: bool) -> None:
        """Have the job stop; several ranks are told by way of the folder, which may hang."""

        def order() -> None:
            steps, pace = self.counter.steps, self.counter.pace
            self.note(self.stopping.order(steps, self._elapsed(), everyone=everyone, pace=pace))

        if self._place.world == 1:
            order()
        else:
            self._records.apart("order", order)

    @never_raises(_NO_READING)
    def _read(self, *, last: bool) -> Reading | None:
        return self._metering.read(self._elapsed, last=last) if self._metering else None

    def _sample(self, status: Status) -> Sample:
        self._counts.do("settle", self.counter.settle)
        if self._counts.taken < _PATIENCE:  # a device that hangs holds back its counts alone
            self._counts.wait(_PATIENCE)
        reading = self._read(last=status != "running")
        # Where the meters cannot be read now, what they said before stands.
        now = self.counter.sample(self._elapsed(), None if reading else self._records.own.last)
        if reading is not None:
            now = replace(now, energy=reading.energy, gaps=reading.gaps)
        said = reading.notes if reading else ()
        return replace(now, status=status, notes=(*self.notes, *self.counter.notes, *said))

    def _elapsed(self) -> float:
        """Seconds since the beginning; what is done after the end is no part of the job."""
        return (self._ended or monotonic()) - self.began

    def _find_place(self) -> None:
        """The process group may be initialised after tracking began."""
        found = ranks.detect(job=self.options.job)
        moved = (found.rank, found.world) != (self._place.rank, self._place.world)
        if moved and found.world > 1:  # not when the group is taken down again
            self._move(replace(found, notes=self._place.notes + found.notes))
            self._look_ahead()

    def _move(self, place: Place) -> None:
        self._place = place
        self._records.rename(place)
        self.stopping = self._new_stopping()

    def _new_stopping(self) -> Stopping:
        enabled = self.options.on_limit == "stop"
        return Stopping(self.options.folder, self._records.start, enabled=enabled)

    @never_raises(None)
    def _end(self) -> None:
        self._take_up()
        stopped = self.stopping.stops(self.counter.steps)
        self._records.append(self._sample("stopped" if stopped else self._status))
        self._say_what_is_metered()
        if self._metering is not None:
            self._metering.leave()
        if self._place.rank == 0:
            if self._place.world > 1:  # the others end at about the same time
                self._records.wait_for_last_words(_PATIENCE)
            self._due = 0.0
            self._observe()  # loggers have the last figures, however short the job
            self._conclude()
        self._listener.wait(_PATIENCE)  # the last metrics
        if not self._records.settle(_PATIENCE):
            self.note("the record was not ended in time: the ledger's disk does not answer")

    @never_raises(None)
    def _conclude(self) -> None:
        from costcalc.tracking.final_report import conclude

        asked = self.options, self.predicted, self._why_not, self.note
        may_tell = partial(self.word.acquire, blocking=False)
        self.report, self.written = conclude(self._records.all(), *asked, may_tell=may_tell)
        if self.written is not None:
            self._records.change(reported=True)
            self._records.append(self._records.start)
