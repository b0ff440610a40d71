"""Keras 3, on any backend: ``model.fit(…, callbacks=[CostCallback("run.yaml", samples=32)])``."""

from __future__ import annotations

from typing import Any

from keras.callbacks import Callback

from costcalc.runfile.loading import Source
from costcalc.tracking.tracker import Tracker, track


class CostCallback(Callback):  # type: ignore[misc]
    """Measures a fit; the other arguments are those of :func:`costcalc.track`.

    Keras shows a callback no batch: ``samples`` or ``tokens`` is what one holds on this process;
    without either steps are counted, by the run file's ``global_batch``.
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

    def on_train_begin(self, logs: dict[str, object] | None = None) -> None:
        """Begin; a bad run file raises here, before the first step."""
        self.tracker.start()

    def on_train_batch_end(self, batch: int, logs: dict[str, object] | None = None) -> None:
        """A step is done."""
        self.tracker.step(tokens=self._tokens, samples=self._samples)
        if self.tracker.should_stop:
            self.model.stop_training = True

    def on_train_end(self, logs: dict[str, object] | None = None) -> None:
        """End the record and write the report."""
        self.tracker.stop()
