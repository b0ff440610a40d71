"""Transformers: ``Trainer(callbacks=[CostCallback("run.yaml", output="costs.yaml")])``.

Or, once this module is imported, ``TrainingArguments(report_to="costcalc")``: the run file is then
``COSTCALC_RUN``, if any.  TRL's trainers are Trainers.

Tokens are those that the model is given while it learns, padding included, since padding is
computed too; what it is given without gradient (generation, a reference's part) is no training and
is told apart.  FLOPs follow from the model's configuration by costcalc's own count: experts that
are active only, attention included; ``total_flos`` of the Trainer is neither read nor changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import integration_utils
from transformers.trainer_callback import ExportableState

from costcalc.integrations.ending import tell_failures
from costcalc.runfile.loading import Source
from costcalc.tracking.guard import never_raises
from costcalc.tracking.options import LEDGER
from costcalc.tracking.tracker import Tracker, track

RUN_FILE = "COSTCALC_RUN"  # the run file of a callback that is given none

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module
    from torch.utils.hooks import RemovableHandle

_LOGGED = ("cost_usd", "energy_kwh", "carbon_kg", "mfu", "forecast_cost_usd", "forecast_hours")


class CostCallback(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Measures a training by the Trainer; the arguments are those of :func:`costcalc.track`.

    Its state is in the Trainer's checkpoints: a resumed training goes on with the sum, and so does
    a second ``train()``.  Without a model or hardware in the run file they are taken from the
    Trainer.  ``run`` is ``COSTCALC_RUN`` where it is not given, ``output`` then ``costs.yaml`` in
    the Trainer's ``output_dir``.
    """

    def __init__(self, run: Source | None = None, **options: Any) -> None:
        self._asked = {"run": run, **options}
        self._run = run if run is not None else os.environ.get(RUN_FILE)
        self._options = options
        self.tracker: Tracker = track(self._run, **options)
        self.saved: Mapping[str, object] | None = None
        self._hook: RemovableHandle | None = None
        self._pause, self._pausing = ExitStack(), ""
        self._forget()
        tell_failures(Trainer, "train", _measuring)

    def _forget(self) -> None:
        """Nothing is counted yet, and the model is not watched."""
        self._tokens, self._samples, self._steps, self._unlearned = 0, 0, 0, 0
        self._rest("")
        if self._hook is not None:
            self._hook.remove()
            self._hook = None

    def state(self) -> dict[str, object]:
        """What a checkpoint carries."""
        said = {
            key: os.fspath(value) if isinstance(value, os.PathLike) else value
            for key, value in self._asked.items()
        }
        plain = {key: value for key, value in said.items() if _is_plain(value)}
        return {"args": plain, "attributes": {"saved": self.tracker.state_dict()}}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **known: object
    ) -> None:
        """Begin; a bad run file raises here, before the first step.

        A try that failed before (``auto_find_batch_size``) is an attempt of its own.
        """
        self.failed("exception")
        if "output" not in self._options and not os.environ.get(LEDGER):
            self.tracker.write_to(Path(args.output_dir or ".", "costs.yaml"))
        saved, self.saved = self.saved or _of_checkpoint(state), None
        if state.global_step > 0 and saved:
            self.tracker.load_state_dict(saved)
        self.tracker.start()
        self._watch(known.get("model"))

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **known: object
    ) -> None:
        """An optimizer step is done."""
        tokens, samples = self._tokens or None, self._samples or None
        self._tokens = self._samples = 0
        self.tracker.step(tokens=tokens, samples=samples)
        self._steps += 1
        if self._steps == 1:
            self._describe(args, state, known.get("model"), tokens, samples)
        if self.tracker.should_stop:
            control.should_training_stop = True
        self._rest_until_done(control)

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **known: object
    ) -> None:
        """Training goes on."""
        self._rest("")

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **known: object
    ) -> None:
        """An evaluation or a checkpoint may be due."""
        self._rest_until_done(control)

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **known: object
    ) -> None:
        """Of an evaluation that was not announced, or of another set."""
        self._rest("evaluation")

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **known: object
    ) -> None:
        """One set is evaluated."""
        self._rest_until_done(control)

    def on_predict(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **known: object
    ) -> None:
        """What was predicted while training is no step's time either."""
        self._rest("")

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **known: object
    ) -> None:
        """A checkpoint is written."""
        self._rest("")

    def _rest_until_done(self, control: TrainerControl) -> None:
        """What the Trainer does before the next step is no step's time."""
        saves = "checkpoint" if control.should_save else ""
        self._rest("evaluation" if control.should_evaluate else saves)

    @never_raises(None)
    def _rest(self, name: str) -> None:
        """Pause under a name, and under no other; without one training goes on."""
        if name == self._pausing:
            return
        self._pause.close()
        self._pausing = name if self._hook is not None else ""
        if self._pausing:
            self._pause.enter_context(self.tracker.pause(name))

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **known: object,
    ) -> None:
        """Add the newest figures to what is logged."""
        newest = self.tracker.metrics()
        if logs is not None:
            names = (f"costcalc/{name}" for name in _LOGGED)
            logs.update({name: newest[name] for name in names if name in newest})

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **known: object
    ) -> None:
        """End the record and write the report."""
        self._end("completed")

    def failed(self, status: Literal["exception", "interrupted"]) -> None:
        """Training was left otherwise: the record is ended, if one was begun."""
        self._end(status)

    @never_raises(None)
    def _end(self, status: Literal["completed", "exception", "interrupted"]) -> None:
        if self._unlearned:
            self.note(
                f"the model was given {self._unlearned} tokens without gradient (generation, "
                "references): they are no training"
            )
        self._forget()
        self.tracker.stop(status)

    def note(self, text: str) -> None:
        """Remember something for the report."""
        self.tracker.note(text)

    @never_raises(None)
    def _watch(self, model: Module) -> None:
        """See how much the model is given; shapes alone, so that no device is waited for."""

        def given(module: Module, args: tuple[Tensor, ...], named: dict[str, Tensor]) -> None:
            if module.training:
                self._count({**({"input_ids": args[0]} if args else {}), **named})

        self._hook = model.register_forward_pre_hook(given, with_kwargs=True)

    @never_raises(None)
    def _count(self, named: Mapping[str, Tensor]) -> None:
        for name in ("input_ids", "inputs_embeds"):
            tensor = named.get(name)
            if tensor is not None:
                rows, length = int(tensor.shape[0]), int(tensor.shape[1])
                if not torch.is_grad_enabled():
                    self._unlearned += rows * length
                    return
                self._tokens += rows * length
                self._samples += rows
                return
        for name in ("pixel_values", "input_features", "input_values"):
            tensor = named.get(name)
            if tensor is not None:
                self._samples += int(tensor.shape[0]) if torch.is_grad_enabled() else 0
                return

    @never_raises(None)
    def _describe(
        self,
        args: TrainingArguments,
        state: TrainerState,
        model: object,
        tokens: int | None,
        samples: int | None,
    ) -> None:
        """What the Trainer knows and the run file may not say; the run file wins."""
        found = {**_recipe(args), **_adapters(model)}
        if samples:
            found["training.global_batch"] = samples * int(args.world_size)
            found["training.samples"] = samples * int(args.world_size) * int(state.max_steps)
            if tokens:
                found["training.sequence_length"] = -(-tokens // samples)
                found["training.sample_tokens"] = tokens / samples
        config = getattr(model, "config", None)
        if config is not None:  # as it stands: no file is written while training
            said = json.loads(json.dumps(config.to_dict(), default=str))
            said.pop("_name_or_path", None)  # where it lies on this machine
            found["model.config"] = said
        self.tracker.describe(found)


def _measuring(trainer: Trainer) -> Iterator[CostCallback]:
    """Our callbacks among those of a Trainer."""
    for callback in trainer.callback_handler.callbacks:
        if isinstance(callback, CostCallback):
            yield callback


def _of_checkpoint(state: TrainerState) -> Mapping[str, object] | None:
    """Our state in the Trainer's, as a checkpoint was read."""
    stored = (state.stateful_callbacks or {}).get(CostCallback.__name__)
    first = stored[0] if isinstance(stored, list) and stored else stored
    saved = first.get("attributes", {}).get("saved") if isinstance(first, Mapping) else None
    return saved if isinstance(saved, Mapping) and saved else None


def _recipe(args: TrainingArguments) -> dict[str, object]:
    precision = "bf16" if args.bf16 else "fp16" if args.fp16 else "tf32" if args.tf32 else "fp32"
    return {
        "training.precision": precision,
        "training.recompute": "full" if args.gradient_checkpointing else "none",
    }


def _adapters(model: object) -> dict[str, object]:
    """Adapters on a frozen base, as PEFT describes them."""
    found = next(iter((getattr(model, "peft_config", None) or {}).values()), None)
    if found is None or not getattr(found, "r", None):
        return {}
    targets = found.target_modules
    return {
        "training.method": "lora",
        "training.lora.rank": int(found.r),
        "training.lora.targets": sorted(targets) if isinstance(targets, (set, list)) else "all",
    }


def _is_plain(value: object) -> bool:
    try:
        json.dumps(value)
    except (TypeError, ValueError):
        return False
    return True


integration_utils.INTEGRATION_TO_CALLBACK.setdefault("costcalc", CostCallback)
