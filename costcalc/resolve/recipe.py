"""How one step is trained: batch, kernels, optimizer, and the software that runs it."""

from __future__ import annotations

from costcalc.base.assumption import Assumption, Choice
from costcalc.base.batch import sequences
from costcalc.base.errors import InputError
from costcalc.resolve.batch import usual_batch
from costcalc.resolve.hardware import Devices
from costcalc.resolve.known import taken
from costcalc.resolve.software import Stack
from costcalc.runfile.loading import Input
from costcalc.runfile.schema import Hardware, LayoutKeys, Training
from costcalc.throughput.layout import Recipe
from costcalc.workload.work import Work

_FUSED = "fused: normalization, activation and addition in one kernel, as in tuned benchmarks"
_QUANTISED = "quantization_config of its config.json says it"


def _replicas(layout: LayoutKeys | None, count: int, method: str) -> int:
    """Data-parallel groups at the least: tuning divides the batch alone, where nobody says more."""
    if layout is None or not layout.divides:
        return 1 if method == "pretrain" else count
    return layout.groups(count)


def accumulates(training: Training, batch: float, devices: int) -> bool:
    """Whether a step sums the gradients of several micro-batches, as far as the run file says."""
    return training.micro_batch is not None and batch > training.micro_batch * devices


def _gradients(
    training: Training, stack: Stack, batch: float, devices: int, assumed: list[Assumption | Choice]
) -> str:
    """Kept, or freed by an optimizer that steps in backward, which accumulates none."""
    if accumulates(training, batch, devices) and training.gradients is None:
        fact = stack.fact("gradients")
        if fact is not None and fact.value == "freed":
            why = "they are accumulated: an optimizer that steps in backward cannot"
            return taken(assumed, "training.gradients", "kept", why)
    return stack.default(assumed, "gradients", training.gradients, "kept")


def recipe_of(
    given: Input,
    work: Work,
    devices: Devices,
    precision: str,
    assumed: list[Assumption | Choice],
    *,
    stack: Stack,
    workload: str | None = None,
) -> Recipe:
    """The recipe of a part; what it does not say is a default, listed in ``assumed``."""
    training = given.part.training or Training()
    layout = (given.part.hardware or Hardware()).layout
    batch = training.global_batch
    if batch is None:
        size, why, source = usual_batch(work, devices, precision, workload)
        if training.micro_batch is not None:
            least = training.micro_batch * _replicas(layout, devices.count, work.method)
            if size % least:
                size, why = -(-size // least) * least, f"{why}; in whole micro-batches on each"
        batch = taken(assumed, "training.global_batch", size, why, source)
    length = work.sequence_length or 1
    try:
        batch = sequences(batch, work.datum, length)
    except InputError as error:
        raise given.placed(error) from None
    base = training.base_precision
    if base is None and training.adapts(work.method) and work.base_precision is not None:
        base = taken(assumed, "training.base_precision", work.base_precision, _QUANTISED)
    share = 1.0
    if work.trainable_parameters is not None and work.parameters:
        share = min(work.trainable_parameters / work.parameters, 1.0)
    kernels = training.kernels or "plain"
    if training.kernels is None and work.datum == "sample":
        taken(assumed, "training.kernels", kernels, _FUSED)
    return Recipe(
        sequence_length=length,
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
        compiled=stack.default(assumed, "compiled", training.compiled, True),
        states=stack.default(assumed, "states", training.states, "fp32"),
        logits=stack.default(assumed, "logits", training.logits, "full"),
        gradients=_gradients(training, stack, batch, devices.count, assumed),
        modules=stack.own("modules", "plain") if stack.told else None,
        shards="own" if layout and layout.sharding == "fsdp" else stack.own("shards", "own"),
        trainer=stack.own("trainer", "own"),
        sums=stack.own("sums", False),
        checkpoints=stack.own("checkpoints", "device"),
        selective=stack.own("selective", "core"),
        software=stack.software.name if stack.told else "",
        told=frozenset(
            name
            for name in ("software", "states", "logits", "gradients")
            if getattr(training, name) is not None
        )
        | ({"expert_overlap"} if layout and layout.expert_overlap is not None else frozenset()),
    )
