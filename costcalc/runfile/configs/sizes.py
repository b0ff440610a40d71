"""The size of the data that a block of costcalc says, under what the config around it does to it.

Steps that a config says are all there is; a data set is passed as often as its epochs say, cut to
``max_samples`` and without what is held out to evaluate on; of reinforcement learning it is the
prompts.

References: https://huggingface.co/docs/transformers/main_classes/trainer (max_steps overrides
num_train_epochs), https://llamafactory.readthedocs.io/en/latest/advanced/arguments.html
(max_samples), https://docs.axolotl.ai/docs/config-reference.html (val_set_size)
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter, ValidationError

from costcalc.base.vocabulary import REINFORCED
from costcalc.runfile.configs.taken import Config
from costcalc.runfile.section import Epochs, Samples

_SETS = ("dataset_tokens", "dataset_samples")
_STEPS = ("max_steps", "training.steps")
_HELD_OUT = ("val_set_size", "val_size")


def cut(config: Config, datasets: int) -> None:
    """``training.dataset_samples`` where ``max_samples`` of each data set are the most there are.

    Raises:
        InputError: it is no whole number.
    """
    most = config.whole("max_samples", default=0) * datasets
    if most <= 0:
        return
    own = _number(Samples, _said(config).get("dataset_samples"))
    each = f" from each of {datasets} data sets" if datasets > 1 else ""
    told = f"max_samples: {most // datasets:,} at most are taken{each}"
    if config.says("training", "dataset_samples"):
        if own is not None and own > most:
            config.cut["dataset_samples"] = most
            config.told.append(f"{told}: dataset_samples is {most:,}, not {own:,.12g}")
    elif not config.says("training", "dataset_tokens", "tokens", "samples", "steps", "prompts"):
        if "epochs" in config.run.get("training", {}) or config.says("training", "epochs"):
            config.put("training.dataset_samples", most, "max_samples")
            config.told.append(f"{told}: dataset_samples is taken to be {most:,}")
    else:
        config.unread("max_samples")


def settled(config: Config, run: dict[str, Any]) -> dict[str, Any]:
    """The run with the size of its data in one form, of what the block and the config say."""
    training = run.get("training")
    if not isinstance(training, dict):
        return run
    made = {**training, **config.cut}
    given = [name for name in _SETS if name in made]
    if given and "steps" in config.run.get("training", {}) and "steps" in made:
        for name in given:
            del made[name]
        named = next((name for name in _STEPS if config.has(name)), "steps")
        config.told.append(
            f"{named}: its steps are all that is trained, whatever the size of the data: "
            f"{' and '.join(given)} under costcalc is not used"
        )
    elif config.has(*_HELD_OUT) and given:
        named = next(name for name in _HELD_OUT if config.has(name))
        config.told.append(
            f"{named}: {given[0]} is taken to be what is trained on, without what is held out"
        )
    if made.get("method") in REINFORCED:
        _prompts(config, made)
    return {**run, "training": made}


def _prompts(config: Config, made: dict[str, Any]) -> None:
    """Samples of reinforcement learning are its prompts, as often as its epochs say."""
    samples = _number(Samples, made.get("dataset_samples"))
    passes = _number(Epochs, made.get("epochs", config.get("num_train_epochs", "num_epochs") or 1))
    stepped = config.whole("max_steps", default=0) > 0  # how many prompts a step takes, is its own
    if "prompts" in made or samples is None or passes is None or stepped:
        return
    del made["dataset_samples"]
    made.pop("epochs", None)
    made["prompts"] = samples * passes
    told = f"dataset_samples are {made['method']}'s prompts, {passes:,.12g} times each"
    if "sample_tokens" in made and "prompt_length" not in made:
        made["prompt_length"] = made.pop("sample_tokens")
        told += "; sample_tokens is prompt_length"
    config.told.append(told)


def _said(config: Config) -> dict[str, Any]:
    given = config.said.get("training")
    return dict(given) if isinstance(given, dict) else {}


def _number(kind: Any, value: object) -> float | None:
    """A number as the run file reads it; None where it is none, which the run file tells."""
    try:
        return None if value is None else float(TypeAdapter(kind).validate_python(value))
    except ValidationError:
        return None
