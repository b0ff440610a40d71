"""What a result leaves out of what was given: said, for it was given in earnest.

A key that says nothing of a run as it is may come from defaults, or stand above stages of which
others read it, so it is no error.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from costcalc.base.vocabulary import REINFORCED
from costcalc.resolve.goodput import speed_is_given
from costcalc.resolve.workload import Trained
from costcalc.runfile.loading import Input
from costcalc.runfile.schema import SHAPE_KEYS, Model, Part, Section, Training
from costcalc.workload.work import Work

#: of a run on spot instances, where nobody counts what their being taken away costs
UNINTERRUPTED = (
    "price.plan: spot: interruptions are not counted here; costcalc compare and plan count them"
)
_GENERATED = ("prompt_length", "generation_length", "group", "inner_epochs")
_OF_TEXT = ("sequence_length", "sample_tokens", "documents", "packing")
_OF_LAYERS = ("attention", "logits")


def unread(given: Input, made: Trained) -> tuple[str, ...]:
    """What is to be said of the keys of a part that change nothing of it, a sentence each."""
    part, work = given.part, made.work
    timed = [f"{key} is not used: {why}" for key, why in _scaled(given)]
    if work is None or part.model is None or part.model.flops is not None:
        return tuple(timed)
    training = part.training or Training()
    found = [
        *_trained(training, work, made),
        *_generated(part, work),
        *_modelled(part.model, work),
        *_placed(part),
    ]
    return (*timed, *(f"{key} is not used: {why}" for key, why in found))


def uninterrupted(part: Part) -> tuple[str, ...]:
    """That a run on spot instances is estimated as if none of them were taken away."""
    on_spot = part.price is not None and part.price.plan == "spot" and part.measured is None
    return (UNINTERRUPTED,) if on_spot else ()


def _said(section: Section, name: str, keys: Iterable[str], why: str) -> Iterator[tuple[str, str]]:
    for key in keys:
        if getattr(section, key) is not None:
            yield f"{name}.{key}", why


def _read_by_steps(training: Training, work: Work) -> bool:
    """Whether packing says how long the sequences of steps are, which of tuning is not known."""
    return training.steps is not None and work.method != "pretrain"


def _trained(training: Training, work: Work, made: Trained) -> Iterator[tuple[str, str]]:
    name = "training"
    if work.method not in REINFORCED:
        of_them = " or ".join(sorted(REINFORCED))
        yield from _said(training, name, _GENERATED, f"it goes with method {of_them}")
    streams = work.architecture.streams if work.architecture else ()
    if not any(stream.target for stream in streams):
        why = "it goes with a model that has an encoder and a decoder"
        yield from _said(training, name, ("target_length",), why)
    if work.datum == "sample":
        why = f"{made.name or 'the model'} is counted by samples of one size"
        yield from _said(training, name, _OF_TEXT, why)
    elif not (training.sample_tokens or training.documents or _read_by_steps(training, work)):
        why = "it goes with sample_tokens or documents, how long texts are"
        yield from _said(training, name, ("packing",), why)
    if work.datum == "sample" and work.tally is None:
        why = "what the layers keep is not known of a model that is counted by its FLOPs"
        yield from _said(training, name, _OF_LAYERS, why)
        if training.recompute == "selective":
            yield "training.recompute", "selective is of layers that are known: none or full here"
        elif work.forward_flops_per_datum is None:
            yield from _said(training, name, ("recompute",), why)


def _generated(part: Part, work: Work) -> Iterator[tuple[str, str]]:
    """A speed that was measured of all that a job does has what it generates in it."""
    hardware, training = part.hardware, part.training
    if work.generation is None or hardware is None or not (training and training.generation_time):
        return
    measured = [key for key in ("throughput", "calibrate") if getattr(hardware, key) is not None]
    if measured:
        why = f"hardware.{measured[0]} is of the whole job, which generates too"
        yield "training.generation_time", why


def _modelled(model: Model, work: Work) -> Iterator[tuple[str, str]]:
    if model.parameters is None and model.forward_flops is None:
        why = "the shape of the model says it"
        yield from _said(model, "model", ("active_parameters",), why)
        if model.head not in ("classifier", "regression", "tokens"):
            yield from _said(model, "model", ("labels",), "it goes with head: classifier")
        return
    if work.architecture is not None:
        return
    used = {"layers"} if model.forward_flops is not None else set[str]()
    if model.forward_flops is None and model.layers is not None and model.hidden is not None:
        used = {"layers", "hidden"}
    why = "layers, hidden, heads, ffn and vocabulary together say the shape"
    if model.forward_flops is not None:
        why = "model.forward_flops says the computation"
    yield from _said(model, "model", [key for key in SHAPE_KEYS if key not in used], why)


def _scaled(given: Input) -> Iterator[tuple[str, str]]:
    """Measured steps of the machine scale what is modelled, which the time that it took is not."""
    hardware, took = given.part.hardware, given.part.measured
    if hardware is None or hardware.calibration is None or took is None or speed_is_given(given):
        return
    if key := next((k for k in ("wall_clock", "device_hours") if getattr(took, k)), None):
        yield "hardware.calibration", f"measured.{key} says how long it took"


def _placed(part: Part) -> Iterator[tuple[str, str]]:
    site = part.site
    if site is not None and site.grid_resolution is not None and site.grid is None:
        yield "site.grid_resolution", "it goes with site.grid, your own figure"
