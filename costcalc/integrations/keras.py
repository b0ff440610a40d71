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

    Keras shows a callback no batch: ``samples`` or ``tokens`` is what a whole one holds on this
    process; without either steps are counted, by the run file's ``global_batch``.  Of the last
    batch of an epoch the samples are those that Keras has seen, its tokens a whole batch's.  A
    second fit is a second attempt of the same job.
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
        self._held = 0  # steps of the one before, which are fewer if it was an epoch's last
        self._begun: int | None = None  # the optimizer's steps as the epoch began
        self._counted = 0  # of the epoch
        self._evaluation = ExitStack()
        tell_failures(keras.Model, "fit", lambda model: [c for c in _fitting if c.model is model])

    def on_train_begin(self, logs: dict[str, object] | None = None) -> None:
        """Begin; a bad run file raises here, before the first step."""
        self.failed("exception")  # a fit that ended unseen
        self.tracker.start()
        _fitting.add(self)

    def on_epoch_begin(self, epoch: int, logs: dict[str, object] | None = None) -> None:
        """The optimizer's own count says at its end how many steps it had."""
        self._begun, self._counted = _updates(self.model), 0

    def on_train_batch_begin(self, batch: int, logs: dict[str, object] | None = None) -> None:
        """An execution begins, of one batch or of ``steps_per_execution``, or of none at all."""
        self._first = batch

    def on_train_batch_end(self, batch: int, logs: dict[str, object] | None = None) -> None:
        """So many steps are done, unless the data ended within them; those before are whole."""
        self._count()
        until, known = batch + 1, (self.params or {}).get("steps")
        self._held = max((min(until, known) if known else until) - self._first, 1)
        if self.tracker.should_stop:
            self.model.stop_training = True

    def on_epoch_end(self, epoch: int, logs: dict[str, object] | None = None) -> None:
        """The last execution is counted by what ran of it."""
        self._count_last()

    @never_raises(None)
    def _count_last(self) -> None:
        held, now = self._held, _updates(self.model)
        if held > 1:
            ran = 0 if now is None or self._begun is None else now - self._begun - self._counted
            if 0 < ran <= held:
                self._held = ran
            else:
                self.note("how many steps an epoch's last execution had is not known: all count")
        self._count(_rows(self.model))

    @never_raises(None)
    def _count(self, rows: float | None = None) -> None:
        """Count what is held, of an epoch that had so many ``rows`` if it is over."""
        steps, self._held = self._held, 0
        if not steps:
            return
        self._counted += steps
        samples = None if self._samples is None else float(self._samples * steps)
        if samples and rows is not None and self._samples:
            missing = self._counted * self._samples - rows
            samples -= missing if 0 < missing < self._samples else 0
        self.tracker.step(
            tokens=None if self._tokens is None else self._tokens * steps,
            samples=samples,
            steps=steps,
        )

    def on_test_begin(self, logs: dict[str, object] | None = None) -> None:
        """What validation takes is no step's time."""
        if self in _fitting:
            self._count_last()
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
        self._count()
        self.tracker.stop(status)


def _updates(model: Any) -> int | None:
    """How many batches the optimizer has learned from; None where it does not say."""
    optimizer = getattr(model, "optimizer", None)
    counted = getattr(getattr(optimizer, "inner_optimizer", optimizer), "_iterations", None)
    try:
        return None if counted is None else int(counted.numpy())
    except Exception:  # noqa: BLE001  (whatever a stranger's optimizer holds)
        return None


def _rows(model: Any) -> float | None:
    """How many samples the mean of the epoch's loss is of; None where a model keeps none."""
    tracker = getattr(model, "_loss_tracker", None)
    try:
        return None if tracker is None else float(tracker.count.numpy())
    except Exception:  # noqa: BLE001  (whatever a stranger's metric holds)
        return None
