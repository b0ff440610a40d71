"""How a model is spread over devices, and the machine that it runs on: records in SI units."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from costcalc.base.numbers import Number
from costcalc.base.vocabulary import ACTIVATIONS, AXES, OFFLOADS, RECOMPUTES, SHARDINGS
from costcalc.throughput.style import style_of
from costcalc.workload.work import Passes

#: dimensions of a fabric by its topology in a profile; a switch has none
TORUS = {"torus-2d": 2, "torus-3d": 3}


@dataclass(frozen=True, slots=True, init=False)
class Layout:
    """data × tensor × pipeline × context = devices; ``expert`` divides data × tensor × context.

    Every axis is a number or an array of them, all broadcast against each other: one layout and a
    million are evaluated by the same code.  ``zero``: 0 none, 1 optimizer states, 2 gradients, 3
    weights sharded over the data axis; ``hybrid``: 1 where weights are sharded inside the scale-up
    domain only (HSDP); ``full`` and ``selective`` say what is recomputed; ``hosted``: 1 where the
    optimizer states live in host memory, 2 where the weights do too; ``activations``: 1 where those
    kept for the backward pass do.  Words say the same of one layout, when it is made and when it is
    read.

    >>> made = Layout(data=4, sharding="zero3", recompute="full")
    >>> made.zero, made.devices, made.sharding, made.offload
    (3.0, 4, 'zero3', 'none')
    """

    data: Number
    tensor: Number
    pipeline: Number
    virtual_pipeline: Number
    context: Number
    expert: Number
    micro_batch: Number
    zero: Number
    hybrid: Number
    full: Number
    selective: Number
    sequence_parallel: Number
    hosted: Number
    activations: Number

    def __init__(
        self,
        *,
        sharding: str | None = None,
        recompute: str | None = None,
        offload: str | None = None,
        activations: str | Number = 0.0,
        **numbers: Number,
    ) -> None:
        kept = ACTIVATIONS[activations] if isinstance(activations, str) else activations
        values = _ALONE | numbers | {"activations": kept}
        if sharding is not None:
            values["zero"], values["hybrid"] = SHARDINGS[sharding]
        if recompute is not None:
            values["full"], values["selective"] = RECOMPUTES[recompute]
        if offload is not None:
            values["hosted"] = OFFLOADS[offload]
        for name, value in values.items():
            object.__setattr__(self, name, value)

    @property
    def devices(self) -> Number:
        """How many devices the layout fills."""
        return self.data * self.tensor * self.pipeline * self.context

    @property
    def sharding(self) -> str:
        """The word for what one layout shards."""
        return _word(SHARDINGS, (self.zero, self.hybrid))

    @property
    def recompute(self) -> str:
        """The word for what one layout recomputes."""
        return _word(RECOMPUTES, (self.full, self.selective))

    @property
    def offload(self) -> str:
        """The word for what one layout keeps in host memory."""
        return _word(OFFLOADS, self.hosted)


_ALONE: dict[str, Number] = dict.fromkeys((*AXES, "micro_batch", "sequence_parallel"), 1)
_ALONE |= dict.fromkeys(("zero", "hybrid", "full", "selective", "hosted"), 0.0)


def _word(words: Mapping[str, object], value: object) -> str:
    return next(word for word, meant in words.items() if meant == value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """The devices of a run.  Rates are a device's, links each way.

    ``peak``: dense FLOP/s by precision.  ``generation`` keys the calibration.  ``scale_up_domain``:
    devices inside the fast fabric.  ``torus``: dimensions of that fabric, 0 where it switches.
    ``called``: how messages name a part of a board; empty of a whole one.
    """

    accelerator: str
    generation: str
    kind: str  # gpu | tpu | asic | cpu
    devices: int
    per_node: int
    peak: Mapping[str, float] = field(default_factory=dict)
    memory: float = 0.0
    memory_bandwidth: float = 0.0
    scale_up: float = 0.0
    scale_up_domain: int = 1
    torus: int = 0
    scale_out: float = 0.0
    matmul_ceiling: Mapping[str, float] = field(default_factory=dict)
    sub_devices: int = 1
    host_link: float = 0.0
    through_host: bool = False  # whether scale_up is no fabric of its own but the host's PCIe
    called: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How one step is trained: what the time and memory models need beside shapes and machine.

    ``attention``: flash2 is FlashAttention-2, which is as good as any on Ampere and half as fast as
    kernels written for Hopper there.  ``overlap``: communication runs beside computation;
    ``expert_overlap``: so does the experts', beside another micro-batch (DualPipe).  ``kernels``:
    fused where normalization, activation and addition of a convolutional net are one.

    ``compiled``: by torch.compile or jit, or kernels fused throughout.  ``states``: precision of
    master weights and optimizer states.  ``logits``: what of them stays in memory.  ``gradients``:
    freed where the optimizer steps in backward.

    Of a stack that was named, as its file of the catalogue has it:
    ``modules``, None where none was named; ``shards``: deepspeed where it shards by zero1 to zero3;
    ``trainer``: transformers where states are as wide as the weights that were loaded; ``sums``:
    gradients in 32 bits beside those in 16; ``checkpoints``: where recompute keeps its inputs;
    ``selective``: what selective recompute runs again.
    ``told``: which of software, states, logits, gradients and expert_overlap somebody stated;
    others are what is usual for method and size.
    """

    sequence_length: int
    global_batch: float  # sequences (or samples) an optimizer step
    precision: str
    attention: str = "flash"  # flash | flash2 | standard
    overlap: bool = True
    expert_overlap: bool = False
    kernels: str = "plain"  # plain | fused
    optimizer: str = "adamw"
    method: str = "pretrain"
    passes: Passes = field(default_factory=Passes)  # of a sequence, as the method runs them
    base_precision: str | None = None  # frozen weights of LoRA: nf4 | int8 | None (as precision)
    trainable_share: float = 1.0
    compiled: bool = True
    states: str = "fp32"  # fp32 | bf16
    logits: str = "full"  # full | chunked | fused
    gradients: str = "kept"  # kept | freed
    modules: str | None = None  # fused | plain
    shards: str = "own"  # deepspeed | own
    trainer: str = "own"  # transformers | own
    sums: bool = False
    checkpoints: str = "device"  # device | host
    selective: str = "core"  # core | matmuls
    software: str = ""  # the stack that the run names
    told: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRecipe:
    """The recipe as numbers.

    ``forward``, ``backward``, ``weights``, ``head``, ``updates``: what a method runs for a sequence
    (:class:`costcalc.workload.work.Passes`); ``trainable``: the share of the parameters with
    gradients and optimizer states.
    ``older``: 1 where fused attention is not written for the generation of the device.
    ``overlap``: 1 where communication runs beside computation, 0 where it waits;
    ``expert_overlap``: 1 where that of experts runs beside another micro-batch.
    ``plain``: 1 where each operation is a kernel of its own; ``kernels_forward`` and
    ``kernels_backward``: those of a layer; ``framework``, ``fused``: 1 where plain and where tuned
    modules launch them, 0 where they are compiled;
    ``hooks``: 1 where DeepSpeed shards; ``packed``: bytes of a frozen weight on the wire, over
    those of 16 bits.  ``logit_bytes``, ``optimizer_bytes``: moved a logit, a parameter that learns
    (``state_bytes`` on the host); ``unpack_bytes``: a quantised parameter and pass.  ``adapted``:
    matrices with an adapter, in all layers; ``adapter_bytes``, ``adapter_flops``: a token and pass.
    ``alternate``: 1 where selective recompute runs every other matmul again.
    """

    sequence_length: Number
    global_batch: Number
    flash: Number = 1.0
    older: Number = 0.0
    overlap: Number = 1.0
    expert_overlap: Number = 0.0
    forward: Number = 1.0
    backward: Number = 1.0
    weights: Number = 1.0
    head: Number = 2.0
    updates: Number = 1.0
    trainable: Number = 1.0
    optimizer_bytes: Number = 30.0
    state_bytes: Number = 30.0
    plain: Number = 0.0
    framework: Number = 0.0
    fused: Number = 0.0
    kernels_forward: Number = 24.0
    kernels_backward: Number = 40.0
    logit_bytes: Number = 16.0
    hooks: Number = 0.0
    packed: Number = 1.0
    unpack_bytes: Number = 0.0
    adapted: Number = 0.0
    adapter_bytes: Number = 0.0
    adapter_flops: Number = 0.0
    alternate: Number = 0.0


def training_of(recipe: Recipe) -> StepRecipe:
    """The numbers of a recipe."""
    passes = recipe.passes
    style = style_of(
        recipe.modules,
        compiled=recipe.compiled,
        deepspeed=recipe.shards == "deepspeed",
        optimizer=recipe.optimizer,
        states=recipe.states,
        logits=recipe.logits,
        base_precision=recipe.base_precision,
        precision=recipe.precision,
    )
    return StepRecipe(
        sequence_length=float(recipe.sequence_length),
        global_batch=float(recipe.global_batch),
        flash=0.0 if recipe.attention == "standard" else 1.0,
        older=1.0 if recipe.attention == "flash2" else 0.0,
        overlap=1.0 if recipe.overlap else 0.0,
        expert_overlap=1.0 if recipe.expert_overlap else 0.0,
        forward=recipe.passes.forward,
        backward=recipe.passes.backward,
        weights=recipe.passes.weights,
        head=recipe.passes.head,
        updates=recipe.passes.updates,
        trainable=float(recipe.trainable_share),
        optimizer_bytes=style.optimizer_bytes,
        state_bytes=style.state_bytes,
        plain=style.plain,
        framework=style.framework,
        fused=style.fused,
        kernels_forward=style.kernels_forward,
        kernels_backward=style.kernels_backward,
        logit_bytes=style.logit_bytes,
        hooks=style.hooks,
        packed=style.wire,
        unpack_bytes=style.unpack_bytes,
        alternate=1.0 if recipe.selective == "matmuls" else 0.0,
        adapted=passes.adapted,
        adapter_bytes=passes.adapted_width * style.adapter_bytes,
        adapter_flops=passes.adapters / 3.0 / recipe.sequence_length,
    )
