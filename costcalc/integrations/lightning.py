"""Lightning: ``Trainer(callbacks=[CostCallback("run.yaml", output="costs.yaml")])``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any, Literal

from lightning.pytorch import Callback, LightningModule, Trainer

from costcalc.runfile.loading import Source
from costcalc.tracking.guard import never_raises
from costcalc.tracking.tracker import Tracker, track

_COUNTED = ("tokens", "samples", "total_tokens")
Count = Callable[[object], Mapping[str, int]]


class CostCallback(Callback):  # type: ignore[misc]
    """Measures a fit; the arguments are those of :func:`costcalc.track`.

    A second fit is a second attempt of the same job.

    ``count`` says what a batch holds, ``{"tokens": …}`` or ``{"samples": …}``; without it the
    elements of ``input_ids`` are tokens, else the rows of the first tensor are samples.
    """

    def __init__(
        self, run: Source | None = None, *, count: Count | None = None, **options: Any
    ) -> None:
        self.tracker: Tracker = track(run, **options)
        self._count_of = count or counted
        self._held: dict[str, int] = {}
        self._step = 0
        self._validation = ExitStack()

    @property
    def state_key(self) -> str:
        """One state a checkpoint, whatever the arguments."""
        return "costcalc"

    def state_dict(self) -> dict[str, object]:
        """What a checkpoint carries."""
        return self.tracker.state_dict()

    def load_state_dict(self, state_dict: dict[str, object]) -> None:
        """Go on with the sum of a checkpoint."""
        self.tracker.load_state_dict(state_dict)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Begin; a bad run file raises here, before the first step."""
        self._step, self._held = trainer.global_step, {}
        self.tracker.start()

    def on_train_batch_end(
        self,
        trainer: Trainer,
        pl_module: LightningModule,
        outputs: object,
        batch: object,
        batch_idx: int,
    ) -> None:
        """Count a batch; a step is one of the optimizer's."""
        self._hold(batch)
        if trainer.global_step != self._step:
            self._step, held, self._held = trainer.global_step, self._held, {}
            self.tracker.step(**held)
        if self.tracker.should_stop:
            trainer.should_stop = True

    def on_validation_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """What validation takes is no step's time."""
        if trainer.state.fn == "fit" and not trainer.sanity_checking:
            self._validation.enter_context(self.tracker.pause("evaluation"))

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """Training goes on."""
        self._validation.close()

    def on_exception(
        self, trainer: Trainer, pl_module: LightningModule, exception: BaseException
    ) -> None:
        """End the record of a fit that failed."""
        interrupted = isinstance(exception, KeyboardInterrupt)
        self._end("interrupted" if interrupted else "exception")

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """End the record and write the report."""
        self._end("completed")

    @never_raises(None)
    def _end(self, status: Literal["completed", "exception", "interrupted"]) -> None:
        self._validation.close()
        held, self._held = self._held, {}
        if held:  # batches since the last step of the optimizer were computed too
            self.tracker.step(**held, steps=0)
        self.tracker.stop(status)

    def note(self, text: str) -> None:
        """Remember something for the report."""
        self.tracker.note(text)

    @never_raises(None)
    def _hold(self, batch: object) -> None:
        for name, number in self._count_of(batch).items():
            if name in _COUNTED:
                self._held[name] = self._held.get(name, 0) + number
            else:
                self.note(f"count: expected one of {', '.join(_COUNTED)}; got {name}")


def counted(batch: object) -> dict[str, int]:
    """What a batch holds, as far as its shape tells.

    >>> import torch
    >>> counted({"input_ids": torch.zeros(2, 8)}), counted([torch.zeros(4, 3, 32, 32)])
    ({'tokens': 16}, {'samples': 4})
    """
    if isinstance(batch, Mapping):
        tokens = batch.get("input_ids")
        if tokens is not None:
            return {"tokens": int(tokens.numel())}
        batch = list(batch.values())
    first = batch[0] if isinstance(batch, (list, tuple)) and batch else batch
    shape = getattr(first, "shape", None)
    return {"samples": int(shape[0])} if shape else {}
