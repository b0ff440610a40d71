"""The workload stage: from a model, a method and an amount of data to the FLOPs of one run.

The data are counted in :mod:`.data`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from costcalc.base.errors import InputError, Problem
from costcalc.base.vocabulary import REINFORCED
from costcalc.workload import methods
from costcalc.workload.counting import CONVENTIONS, active_parameters, parameters, tally
from costcalc.workload.data import (
    WorkloadInput,
    amount,
    missing,
    of_own_length,
    padding,
    with_sequence,
)
from costcalc.workload.generic import Rough, from_parameters
from costcalc.workload.saved import of_layers, with_saved
from costcalc.workload.work import Generation, Passes, Recompute, Tally, Work

if TYPE_CHECKING:
    from costcalc.workload.architecture import Architecture

STEM = 1.02  # what the input gradient of an unknown first layer may be worth (1 % in ResNet-50)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Model:
    """The model as the methods see it: one sequence's tally, and what is known of its size."""

    one: Tally
    walk: Tally | None  # of the shapes, where they are known
    architecture: Architecture | None
    parameters: float | None
    active: float | None
    convention: str
    exact: bool = True
    spread: float = 1.0
    notes: tuple[str, ...] = ()


@lru_cache(maxsize=1024)
def workload(inputs: WorkloadInput) -> Work:
    """What a run has to compute.

    Raises:
        InputError: what the counting needs and was not given, by its key in the run file.

    >>> from costcalc.workload.families import build
    >>> llama3 = build({"model_type": "llama", "intermediate_size": 14336,
    ...                 "num_key_value_heads": 8, "vocab_size": 128256})
    >>> work = workload(WorkloadInput(architecture=llama3, tokens=15e12, sequence_length=8192))
    >>> work.flops_per_datum, work.model_flops
    (51470401536.0, 7.7205602304e+23)
    """
    inputs = of_own_length(_with_further(with_sequence(inputs)))
    if inputs.flops is not None:
        return _budget(inputs)
    model = _model(inputs)
    datum: Literal["token", "sample"] = "sample"
    if inputs.forward_flops is None and (
        inputs.architecture is None or inputs.architecture.counts == "token"
    ):
        datum = "token"
    one = model.one
    data, notes = amount(inputs, datum, one.tokens)
    passes, trainable, more = _passes(inputs, model)
    per = one.tokens if datum == "token" else 1
    each = passes.flops / per
    generation = None
    if inputs.method in REINFORCED:
        sequences = data / per
        generation = Generation(
            sequences=sequences,
            prompt_length=inputs.prompt_length or 0,
            generation_length=inputs.generation_length or 0,
            group=inputs.group,
            flops=sequences * passes.generated,
        )
    return Work(
        architecture=model.architecture,
        method=inputs.method,
        datum=datum,
        parameters=model.parameters,
        active_parameters=model.active,
        trainable_parameters=trainable,
        data=data,
        sequence_length=_length(inputs, model.architecture),
        flops_per_datum=each,
        forward_flops_per_datum=one.forward / per,
        model_flops=each * data,
        recompute=passes.recompute(one),
        convention=model.convention,
        activations=inputs.activations,
        layers=inputs.layers,
        tally=model.walk,
        longest=inputs.longest,
        held=_held(inputs, model.architecture),
        passes=passes,
        generation=generation,
        base_precision=inputs.base_precision,
        exact=model.exact,
        spread=model.spread,
        padding=padding(inputs),
        notes=(*model.notes, *notes, *more),
    )


def _held(inputs: WorkloadInput, architecture: Architecture | None) -> Tally | None:
    """The walk of the longest sequence, where sequences are counted by their mean."""
    if inputs.longest is None:
        return None
    return _walked(replace(inputs, sequence_length=inputs.longest), architecture)


def _with_further(inputs: WorkloadInput) -> WorkloadInput:
    """Layers that predict further tokens train in pretraining; later their weights are left."""
    model = inputs.architecture
    if model is None or not model.further:
        return inputs
    whole = replace(model, blocks=(*model.blocks, *model.further), further=())
    more = f"{parameters(whole) - parameters(model):,} parameters"
    if inputs.method == "pretrain":
        note = f"layers that predict further tokens train too: {more}"
        given = inputs.parameters
        if given is not None:  # what the weights' files hold has them
            inputs = replace(inputs, parameters=max(given, parameters(whole)))
        return replace(inputs, architecture=replace(whole, notes=(*model.notes, note)))
    note = f"layers that predict further tokens ({more}) are not trained in {inputs.method}"
    return replace(inputs, architecture=replace(model, further=(), notes=(*model.notes, note)))


def _length(inputs: WorkloadInput, architecture: Architecture | None) -> int | None:
    """The length of the main stream: the run's, or the model's own (patches, audio frames)."""
    if architecture is not None and architecture.streams[0].length is not None:
        return architecture.streams[0].length
    return inputs.sequence_length


# -- the model -----------------------------------------------------------------------------------


def _model(inputs: WorkloadInput) -> _Model:
    if inputs.architecture is not None:
        return _known(inputs, inputs.architecture)
    if inputs.forward_flops is not None:
        return _by_forward(inputs, inputs.forward_flops)
    if inputs.parameters is None:
        message = "expected one of preset, config, architecture, parameters, forward_flops, flops"
        raise InputError(Problem(key="model", message=f"{message}; got none"))
    return _rough(inputs, inputs.parameters)


def _document(inputs: WorkloadInput) -> float | None:
    """The length that attention stays within, where documents are shorter than a sequence."""
    length, mean = inputs.sequence_length, inputs.sample_tokens
    if inputs.packing != "packed" or length is None or mean is None or mean >= length:
        return None
    return mean


def _walked(inputs: WorkloadInput, architecture: Architecture | None) -> Tally | None:
    """The walk of what is trained, for time and memory; without a length nothing is computed."""
    if architecture is None:
        return None
    return tally(
        architecture,
        sequence_length=inputs.sequence_length or 0,
        target_length=inputs.target_length,
        document=_document(inputs),
        convention=inputs.convention,
    )


def _known(inputs: WorkloadInput, architecture: Architecture) -> _Model:
    def count(document: float | None) -> Tally:
        return tally(
            architecture,
            sequence_length=inputs.sequence_length,
            target_length=inputs.target_length,
            document=document,
            convention=inputs.convention,
        )

    document = _document(inputs) if architecture.counts == "token" else None
    one, spread, notes = count(document), 1.0, list(architecture.notes)
    if document is not None:
        spread = count(min(2 * document, inputs.sequence_length or 0)).training / one.training
        notes.append(
            f"attention stays within documents of {document:g} tokens (the mean); "
            "documents of uneven length take more"
        )
    if inputs.target_length is None:
        notes += [
            f"{stream.name} of {_default_target(inputs, stream.default, stream.share)} tokens a "
            "sample, as training.target_length is not given"
            for stream in architecture.streams
            if stream.target
        ]
    built, active = parameters(architecture), active_parameters(architecture)
    total = inputs.parameters or built
    return _Model(
        one=one,
        walk=one,
        architecture=architecture,
        parameters=total,
        active=inputs.active_parameters or active + (total - built),
        convention=CONVENTIONS[inputs.convention],
        exact=document is None,
        spread=spread,
        notes=tuple(notes),
    )


def _default_target(inputs: WorkloadInput, default: int | None, share: float) -> int:
    return default or max(1, round((inputs.sequence_length or 0) * share))


def _by_forward(inputs: WorkloadInput, forward: float) -> _Model:
    first = inputs.first_layer_flops
    one = Tally(
        forward=forward,
        attention=0,
        scan=0,
        layers=forward,
        head=0,
        first=first or 0,
        last=0,
        tokens=1,
    )
    less = "" if first is None else ", less the first layer's input gradient"
    return _Model(
        one=one,
        walk=None,
        architecture=None,
        parameters=inputs.parameters,
        active=inputs.active_parameters or inputs.parameters,
        convention=f"2 FLOP a multiply-add; training 3 x the given forward pass{less}",
        exact=first is not None,
        spread=STEM if first is None else 1.0,
    )


def _rough(inputs: WorkloadInput, total: float) -> _Model:
    length = inputs.sequence_length
    keys = _document(inputs)
    rough: Rough = from_parameters(
        total, inputs.active_parameters, inputs.given, length if keys is None else round(keys)
    )
    tokens = length or 1
    per = rough.per_token
    one = Tally(
        forward=per.forward * tokens,
        attention=per.attention * tokens,
        scan=0,
        layers=per.layers * tokens,
        head=per.head * tokens,
        first=0,
        last=per.last * tokens,
        tokens=tokens,
    )
    return _Model(
        one=one,
        walk=_walked(inputs, rough.architecture),
        architecture=rough.architecture,
        parameters=rough.parameters,
        active=rough.active,
        convention=rough.convention,
        exact=rough.exact and keys is None,
        spread=rough.spread,
        notes=rough.notes,
    )


# -- the method ----------------------------------------------------------------------------------


def _passes(inputs: WorkloadInput, model: _Model) -> tuple[Passes, float | None, tuple[str, ...]]:
    """The passes of one sequence, the parameters that learn, and what was assumed."""
    one, architecture = model.one, model.architecture
    match inputs.method:
        case "pretrain" | "finetune":
            return methods.full(one), model.parameters, ()
        case "lora":
            return _lora(inputs, model)
        case "frozen":
            return _frozen(inputs, model)
        case "distill":
            learns, own, notes = _learns(inputs, model)
            return methods.distill(one, _teacher(inputs, one.tokens), learns), own, notes
        case "dpo" | "ppo" | "grpo":
            samples = architecture is not None and architecture.counts != "token"
            if inputs.forward_flops is not None or samples:
                message = f"{inputs.method} trains language models; got a model counted in samples"
                raise InputError(Problem(key="training.method", message=message))
            learns, own, notes = _learns(inputs, model)
            return _preference(inputs, one, learns), own, notes
        case other:
            known = "pretrain, finetune, lora, frozen, distill, dpo, ppo, grpo"
            message = f"expected one of {known}; got {other}"
            raise InputError(Problem(key="training.method", message=message))


def _learns(inputs: WorkloadInput, model: _Model) -> tuple[Passes, float | None, tuple[str, ...]]:
    """The passes of what learns, all of it or its adapters, as a method of its own."""
    if inputs.adapters:
        return _lora(inputs, model)
    return methods.full(model.one), model.parameters, ()


def _preference(inputs: WorkloadInput, one: Tally, learns: Passes) -> Passes:
    if inputs.method == "dpo":
        return methods.dpo(one, learns)
    inner, reference = inputs.inner_epochs, inputs.reference
    if inputs.method == "ppo":
        return methods.ppo(one, inner_epochs=inner, reference=reference)
    return methods.grpo(one, learns, inner_epochs=inner, reference=reference)


def _lora(inputs: WorkloadInput, model: _Model) -> tuple[Passes, float | None, tuple[str, ...]]:
    architecture, rank, targets = model.architecture, inputs.lora_rank, inputs.lora_targets
    if architecture is None:
        note = "the adapters' own FLOPs are not counted: the shape is not known"
        own = methods.lora_parameters_guessed(model.parameters, rank) if model.parameters else None
        return methods.lora(model.one, None, rank, targets), own, (note,)
    methods.check_targets(architecture, targets)
    length, target = inputs.sequence_length, inputs.target_length
    passes = methods.lora(
        model.one, architecture, rank, targets, sequence_length=length, target_length=target
    )
    own = methods.lora_parameters(architecture, rank, targets)
    met = of_layers(passes, own, architecture, inputs.lora_layers)
    return with_saved(*met, model.one, architecture, inputs.lora_saved, (length, target))


def _frozen(inputs: WorkloadInput, model: _Model) -> tuple[Passes, float | None, tuple[str, ...]]:
    architecture = model.architecture
    if architecture is None:
        note = "the head's own FLOPs and parameters are not counted: the shape is not known"
        return methods.frozen(model.one), 0.0, (note,)
    head = methods.head_parameters(architecture)
    if not head and not inputs.last_layers:
        message = f"frozen trains the output head, and {architecture.name} has none"
        raise InputError(Problem(key="training.method", message=message))
    layers = architecture.layers
    share = min(1.0, inputs.last_layers / layers) if layers else 0.0
    stack = tuple(block for block in architecture.blocks if block.layer)
    body = parameters(replace(architecture, blocks=stack))
    passes = methods.frozen(model.one, last_layers=inputs.last_layers, layers=layers)
    return passes, head + share * body, ()


def _teacher(inputs: WorkloadInput, tokens: float) -> float:
    """Forward FLOPs of the teacher on one sequence."""
    if inputs.teacher is not None:
        return tally(
            inputs.teacher,
            sequence_length=inputs.sequence_length,
            target_length=inputs.target_length,
            document=_document(inputs),
            convention=inputs.convention,
        ).forward
    if inputs.teacher_parameters is None:
        missing("teacher", "the model that teaches, for distill")
    return 2 * (inputs.teacher_parameters or 0) * tokens


# -- a published budget --------------------------------------------------------------------------


def _budget(inputs: WorkloadInput) -> Work:
    """The whole training budget as published: nothing is counted."""
    flops = inputs.flops or 0.0
    datum: Literal["token", "sample"] = "sample" if inputs.samples is not None else "token"
    data = inputs.tokens if inputs.samples is None else inputs.samples
    return Work(
        architecture=inputs.architecture,
        method=inputs.method,
        datum=datum,
        parameters=inputs.parameters,
        active_parameters=inputs.active_parameters or inputs.parameters,
        trainable_parameters=None,
        data=data,
        sequence_length=inputs.sequence_length,
        flops_per_datum=flops / data if data else None,
        forward_flops_per_datum=None,
        model_flops=flops,
        recompute=Recompute(),
        tally=_walked(inputs, inputs.architecture),
        passes=Passes(weights=0, head=1) if inputs.method == "lora" else Passes(),
        convention="as given: the published budget of the whole run",
    )
