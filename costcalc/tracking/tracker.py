"""``costcalc.track``: around a training loop, as a decorator, or by hand."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, ParamSpec, SupportsFloat, TypeVar, get_args

from costcalc.runfile.loading import Source
from costcalc.tracking.background import Background
from costcalc.tracking.counter import Counter
from costcalc.tracking.guard import never_raises, watch_forks
from costcalc.tracking.notes import Notes
from costcalc.tracking.options import Options
from costcalc.tracking.trainings import WRAPPED

if TYPE_CHECKING:
    from costcalc.tracking.forecast import Forecast
    from costcalc.tracking.notebook import Shown

P = ParamSpec("P")
T = TypeVar("T")
_End = Literal["completed", "exception", "interrupted"]
_ENDS: tuple[_End, ...] = get_args(_End)
PATIENCE = 10.0  # seconds that leaving a tracker takes at the most
_NO_FIGURES: dict[str, float] = {}
_NO_STATE: dict[str, object] = {}


class Tracker:
    """Measures a job; see :func:`track`.

    Nothing of it raises once it is entered, and leaving it takes ten seconds at the most.

    >>> tracker = track({"training": {"tokens": "1M"}}, progress=False)
    >>> isinstance(tracker, Tracker), tracker.report  # not begun
    (True, None)
    >>> tracker.check()  # what was asked is sound
    """

    def __init__(self, asked: Options) -> None:
        self._asked = asked
        self._counter = Counter()
        self._thread: Background | None = None
        self._armed = False
        self._early: Mapping[str, object] | None = None
        self._notes = Notes()
        self._shown: Shown | None = None

    def __reduce__(self) -> tuple[type[Tracker], tuple[Options]]:
        """A copy, also in another process, asks the same and has not begun."""
        return type(self), (self._asked,)

    # --- life -------------------------------------------------------------------------------------

    def start(self) -> Tracker:
        """Begin to measure; once more after an end: a new attempt.

        The first start of a process imports what reads a run file: 0.3 s on a free core, seconds
        on a machine that others keep busy; a later one takes milliseconds.

        Raises:
            InputError: the run file has faults; the only time that a tracker raises.
        """
        if self._armed:
            self.note("start: already tracking")
            return self
        options = self._asked.checked()
        self._counter = Counter()
        if not self._begin(options) and options.progress is not False:
            sys.stderr.write(f"costcalc: nothing is measured: {'; '.join(self.notes)}\n")
        return self

    def write_to(self, output: str | os.PathLike[str]) -> None:
        """Where the report goes from the next start on, as a framework knows it."""
        self._asked = replace(self._asked, output=output)

    def check(self) -> None:
        """Look whether what was asked is sound, without beginning.

        Raises:
            InputError: the run file or an argument has faults.
        """
        self._asked.checked()

    @never_raises(default=False)
    def _begin(self, options: Options) -> bool:
        before, early, self._early = self._thread, self._early, None
        if before is not None:  # the same job goes on
            options = replace(options, job=options.job or before.place.job)
        self._thread = Background(options, self._counter)
        for state in (before.state() if before else None, early):
            if state is not None:
                self._adopt(self._thread, state)
        watch_forks(self)
        if options.progress is not False and "IPython" in sys.modules:
            from costcalc.tracking import notebook

            self._shown = self._thread.shown = notebook.begun()
        self._thread.begin()
        self._armed = True
        atexit.register(self._at_exit)
        return True

    @never_raises(None)
    def stop(self, status: _End = "completed", *, patience: float | None = None) -> None:
        """End the record and write the report; returns after ``patience`` seconds at the latest."""
        if self._armed and self._thread is not None:
            if status not in _ENDS:
                self.note(f"stop: expected one of {', '.join(_ENDS)}; got {status!r}")
                status = "exception"
            self._armed = False
            atexit.unregister(self._at_exit)
            asked = self._thread.options
            if not self._thread.finish(status, PATIENCE if patience is None else patience):
                if self._thread.word.acquire(blocking=False):  # else the report is being told of
                    self._tell_of_records(asked, "was not made in time")
            elif self._thread.place.rank == 0 and self.report is None:
                self._tell_of_records(asked, f"was not made ({'; '.join(self.notes)})")
            if self._shown is not None:
                self._shown.show(self._repr_html_())

    def _tell_of_records(self, asked: Options, what: str) -> None:
        """Where there is no report: how it is made; a wrapper makes it itself."""
        if asked.progress is False or not asked.output or os.environ.get(WRAPPED):
            return
        made = f"costcalc track merge {asked.folder} -o {asked.output}"
        sys.stderr.write(f"costcalc: the report {what}; {made}\n")

    def _at_exit(self) -> None:
        """The script ends without leaving the tracker: what was measured is reported."""
        self.stop("exception" if getattr(sys, "last_type", None) else "completed")

    def __enter__(self) -> Tracker:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop(_status(kind, error))

    def __call__(self, function: Callable[P, T]) -> Callable[P, T]:
        """Track each call of a function; one with a parameter ``tracker`` is given it."""
        from costcalc.tracking.decorating import decorated

        return decorated(function, lambda: Tracker(self._asked))

    def disarm(self) -> None:
        """In a forked child: it is no part of the job's record."""
        self._armed = False
        atexit.unregister(self._at_exit)
        self._thread = None
        self._counter = Counter()  # whose lock another thread may hold as the child begins

    @never_raises("")
    def _repr_html_(self) -> str:
        """What a notebook shows: the newest line, or in its place what the job came to."""
        from costcalc.tracking import notebook

        if self.report is not None:
            return notebook.result(self.report)
        return notebook.line(self._thread.line if self._thread else "not begun")

    # --- in the loop ------------------------------------------------------------------------------

    def step(
        self,
        tokens: SupportsFloat | None = None,
        *,
        samples: SupportsFloat | None = None,
        total_tokens: SupportsFloat | None = None,
        steps: int = 1,
    ) -> None:
        """One step is done; ``tokens`` (or ``samples``) is what this rank's replica saw in it.

        ``total_tokens`` is what the whole job saw, ``steps`` how many were done since the last
        call: several in a compiled loop, 0 for a batch whose gradients are accumulated.  Ranks of
        one replica count once.  Takes about a microsecond; never waits, never raises.
        """
        if self._armed:
            self._counter.step(tokens, samples, total_tokens, steps)

    def pause(self, name: str = "pause") -> AbstractContextManager[None]:
        """What is done within (``with tracker.pause("evaluation"):``) is no step's time."""
        return self._counter.pause(name)

    @property
    def should_stop(self) -> bool:
        """Whether a limit is passed and ``on_limit`` is ``stop``: the same step on all ranks."""
        thread = self._thread
        return thread is not None and thread.stopping.stops(self._counter.steps)

    @never_raises(_NO_FIGURES)
    def metrics(self) -> dict[str, float]:
        """The newest figures for a logger, ``costcalc/energy_kwh`` and so on; what is known."""
        return dict(self._thread.metrics) if self._thread else {}

    @property
    def forecast(self) -> Forecast | None:
        """What the job will have cost at its end, as of the last interval."""
        return self._thread.forecast if self._thread else None

    # --- afterwards -------------------------------------------------------------------------------

    @property
    def report(self) -> dict[str, Any] | None:
        """The report, on rank 0 after the end."""
        return self._thread.report if self._thread else None

    @property
    def output(self) -> Path | None:
        """Where the report was written."""
        return self._thread.written if self._thread else None

    @property
    def notes(self) -> tuple[str, ...]:
        """What went wrong or was taken for granted."""
        return (*self._notes, *(self._thread.notes if self._thread else ()), *self._counter.notes)

    @property
    def folder(self) -> str | None:
        """Where the records are kept."""
        return self._thread.options.folder if self._thread else None

    @never_raises(None)
    def describe(self, found: Mapping[str, object]) -> None:
        """Add what a framework knows of the job, as dotted keys; what the run file says wins."""
        if self._thread is None:
            return
        said = self._thread.options.plan
        new = {key: value for key, value in found.items() if not said.gives(key)}
        if new:
            self._thread.describe(new)

    @never_raises(None)
    def note(self, text: object) -> None:
        """Remember something for the report, an exception too."""
        (self._thread.notes if self._thread else self._notes).add(str(text))

    @never_raises(_NO_STATE)
    def state_dict(self) -> dict[str, object]:
        """For a checkpoint: the job, and what it had done by now."""
        if self._thread is None:
            return dict(self._early or {})
        return self._thread.state()

    @never_raises(None)
    def load_state_dict(self, state: Mapping[str, object]) -> None:
        """Go on where a checkpoint was written; before or after :meth:`start`."""
        if self._thread is None or not self._armed:
            self._early = state
            return
        self._adopt(self._thread, state)

    def _adopt(self, thread: Background, state: Mapping[str, object]) -> None:
        if state.get("job"):
            from costcalc.tracking.carrying import of_state

            thread.adopt(str(state["job"]), of_state(state))


def _status(kind: type[BaseException] | None, error: BaseException | None) -> _End:
    if kind is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return "completed"
    if issubclass(kind, GeneratorExit):  # whoever took values from a generator has enough
        return "completed"
    return "interrupted" if issubclass(kind, KeyboardInterrupt) else "exception"


def track(
    run: Source | None = None,
    *,
    output: str | os.PathLike[str] | None = None,
    ledger: str | os.PathLike[str] | None = None,
    job: str | None = None,
    stage: str | None = None,
    changes: Mapping[str, object] | None = None,
    on_limit: Literal["warn", "stop"] = "warn",
    progress: bool | None = None,
    callback: Callable[[dict[str, float]], object] | None = None,
    interval: float = 10.0,
    identify: bool = False,
    force: bool = False,
) -> Tracker:
    """Measure what a training run costs, and write its report.

    Around a loop (``with``), on a function (``@``), or by ``start`` and ``stop``.

    Args:
        run: a run file, a mapping in its shape, or nothing: hardware is detected, nothing is
            predicted.  Hardware and the size of the data may be left out: they are seen.
        output: where the report goes; a file of another's is never overwritten (``costs.2.yaml``).
        ledger: the folder of the job's records, or an fsspec URL; default ``COSTCALC_LEDGER``,
            else ``costs.ledger`` beside the output.  All nodes of a job must see it for one report.
        job: a name that restarts share; default the scheduler's or the launcher's.
        stage: which of the run file's ``stages`` this is.
        changes: dotted keys laid over the run file.
        on_limit: at a limit of the run file ``warn``, or ``stop``: ``tracker.should_stop``.
        progress: a line on stderr now and then; default: on a terminal.
        callback: called once an interval with the newest metrics, in the tracker's own thread.
        interval: seconds between samples: a kill loses one at the most.
        identify: name job and notes with paths in the report.
        force: overwrite the output whatever it is.

    Raises:
        InputError: a bad run file or argument, when the tracker is entered; nothing later.

    >>> with track(progress=False) as tracker:
    ...     for batch in range(3):
    ...         tracker.step(tokens=512)
    >>> tracker.report["details"]["tracking"]["steps"]
    3
    """
    options = Options(
        run=run,
        output=output,
        ledger=ledger,
        job=job,
        stage=stage,
        changes=changes,
        on_limit=on_limit,
        progress=progress,
        callback=callback,
        interval=interval,
        identify=identify,
        force=force,
    )
    return Tracker(options)
