"""How one step is trained: batch, kernels, optimizer, and the software that runs it."""

from __future__ import annotations

from costcalc.base.assumption import Assumption, Choice
from costcalc.resolve.hardware import Devices
from costcalc.resolve.known import taken
from costcalc.resolve.software import cast_of, stack_of
from costcalc.runfile.loading import Input
from costcalc.runfile.schema import Hardware, Training
from costcalc.throughput.layout import Recipe
from costcalc.workload.work import Work

TOKENS_A_STEP = 4e6  # pretraining
_SAMPLES_A_DEVICE = 32
_FINETUNE_BATCH = 128
_FUSED = "fused: normalization, activation and addition in one kernel, as in tuned benchmarks"
_QUANTISED = "quantization_config of its config.json says it"


def recipe_of(
    given: Input, work: Work, devices: Devices, precision: str, assumed: list[Assumption | Choice]
) -> Recipe:
    """The recipe of a part; what it does not say is a default, listed in ``assumed``."""
    training = given.part.training or Training()
    layout = (given.part.hardware or Hardware()).layout
    stack = stack_of(training, work, devices, assumed)
    experts = stack.fact("experts")
    batch = training.global_batch
    if batch is None:
        batch = taken(assumed, "training.global_batch", *_batch(work, devices))
    base = training.base_precision
    if base is None and work.method == "lora" and work.base_precision is not None:
        base = taken(assumed, "training.base_precision", work.base_precision, _QUANTISED)
    share = 1.0
    if work.trainable_parameters is not None and work.parameters:
        share = min(work.trainable_parameters / work.parameters, 1.0)
    kernels = training.kernels or "plain"
    if training.kernels is None and work.datum == "sample":
        taken(assumed, "training.kernels", kernels, _FUSED)
    return Recipe(
        sequence_length=work.sequence_length or 1,
        global_batch=float(batch),
        precision=precision,
        attention=stack.default(assumed, "attention", training.attention, "flash"),
        overlap=stack.default(assumed, "overlap", training.overlap, True),
        expert_overlap=bool(layout and layout.expert_overlap),
        kernels=kernels,
        optimizer=training.optimizer or taken(assumed, "training.optimizer", "adamw"),
        method=work.method,
        passes=work.passes,
        base_precision=base,
        trainable_share=share,
        software=stack.software.id if stack.told else None,
        compiled=stack.default(assumed, "compiled", training.compiled, True),
        states=stack.default(assumed, "states", training.states, "fp32"),
        logits=stack.default(assumed, "logits", training.logits, "full"),
        gradients=stack.default(assumed, "gradients", training.gradients, "kept"),
        cast=cast_of(stack, precision),
        experts=str(experts.value) if experts else "grouped",
        told=frozenset(
            name for name in ("states", "logits", "gradients") if getattr(training, name)
        ),
    )


def _batch(work: Work, devices: Devices) -> tuple[int, str, str]:
    """Sequences (or samples) a step where none are given: value, why, source."""
    if work.datum == "sample":
        source = "Goyal et al. 2017 (arXiv 1706.02677): 32 images a device"
        return _SAMPLES_A_DEVICE * devices.count, f"{_SAMPLES_A_DEVICE} samples a device", source
    if work.method == "pretrain":
        sequences = max(round(TOKENS_A_STEP / (work.sequence_length or 1)), 1)
        rounded = max(-(-sequences // devices.count), 1) * devices.count
        source = "Touvron et al. 2023 (Llama 2, arXiv 2307.09288): 4M tokens a step"
        return rounded, "about 4M tokens a step, at least a sequence a device", source
    rounded = max(-(-_FINETUNE_BATCH // devices.count), 1) * devices.count
    source = "Taori et al. 2023 (Stanford Alpaca): batch of 128"
    return rounded, "128 sequences a step, at least one a device", source
