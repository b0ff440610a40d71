"""Keras 3, on any backend: ``model.fit(…, callbacks=[CostCallback("run.yaml", samples=32)])``."""

from __future__ import annotations

import weakref
from contextlib import ExitStack
from typing import Any, Literal

import keras
from keras.callbacks import Callback

from costcalc.integrations.ending import tell_failures
from costcalc.runfile.loading import Source
from costcalc.tracking.guard import never_raises
from costcalc.tracking.tracker import Tracker, track

_fitting: weakref.WeakSet[CostCallback] = weakref.WeakSet()


class CostCallback(Callback):  # type: ignore[misc]
    """Measures a fit; the other arguments are those of :func:`costcalc.track`.

    Keras shows a callback no batch: ``samples`` or ``tokens`` is what one holds on this process;
    without either steps are counted, by the run file's ``global_batch``.  A second fit is a second
    attempt of the same job.
    """

    def __init__(
        self,
        run: Source | None = None,
        *,
        samples: int | None = None,
        tokens: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__()
        self.tracker: Tracker = track(run, **options)
        self._samples, self._tokens = samples, tokens
        self._first = 0  # batch of the execution that is under way
        self._evaluation = ExitStack()
        tell_failures(keras.Model, "fit", lambda model: [c for c in _fitting if c.model is model])

    def on_train_begin(self, logs: dict[str, object] | None = None) -> None:
        """Begin; a bad run file raises here, before the first step."""
        self.failed("exception")  # a fit that ended unseen
        self.tracker.start()
        _fitting.add(self)

    def on_train_batch_begin(self, batch: int, logs: dict[str, object] | None = None) -> None:
        """An execution begins, of one batch or of ``steps_per_execution``."""
        self._first = batch

    def on_train_batch_end(self, batch: int, logs: dict[str, object] | None = None) -> None:
        """So many steps are done; the last of an epoch may be fewer."""
        until, known = batch + 1, (self.params or {}).get("steps")
        steps = max((min(until, known) if known else until) - self._first, 1)
        self.tracker.step(
            tokens=None if self._tokens is None else self._tokens * steps,
            samples=None if self._samples is None else self._samples * steps,
            steps=steps,
        )
        if self.tracker.should_stop:
            self.model.stop_training = True

    def on_test_begin(self, logs: dict[str, object] | None = None) -> None:
        """What validation takes is no step's time."""
        if self in _fitting:
            self._evaluation.enter_context(self.tracker.pause("evaluation"))

    def on_test_end(self, logs: dict[str, object] | None = None) -> None:
        """Training goes on."""
        self._evaluation.close()

    def on_train_end(self, logs: dict[str, object] | None = None) -> None:
        """End the record and write the report."""
        self._end("completed")

    def failed(self, status: Literal["exception", "interrupted"]) -> None:
        """The fit was left otherwise: the record is ended, if one was begun."""
        self._end(status)

    def note(self, text: str) -> None:
        """Remember something for the report."""
        self.tracker.note(text)

    @never_raises(None)
    def _end(self, status: Literal["completed", "exception", "interrupted"]) -> None:
        _fitting.discard(self)
        self._evaluation.close()
        self.tracker.stop(status)
