"""How software runs a step: what it launches, moves and waits for beyond the arithmetic.

``plain`` modules launch a kernel an operation (Hugging Face's, PEFT's); ``liger`` are those with
fused norms, activations and losses (Liger Kernel); ``fused`` ones have kernels of their own and
little around them (Megatron-LM's); ``compiled`` ones are fused throughout (torch.compile, XLA).
"""

from __future__ import annotations

from dataclasses import dataclass

#: kernels of a decoder layer, forward and backward: matmuls, attention, norms, activation, sums
#: (fused: those of Megatron-LM's layer), and what a plain gated layer has beyond them: two norms of
#: eight operations, a rotation of twelve (modeling_llama.py of transformers)
KERNELS = {
    "plain": (20.0, 36.0),
    "liger": (20.0, 36.0),
    "fused": (24.0, 40.0),
    "compiled": (12.0, 24.0),
}
GATED_KERNELS = (25.0, 44.0)
#: an adapter's own, a matrix: dropout, two products, a scaling, a sum, and casts (peft, layer.py)
ADAPTER_KERNELS = (6.0, 9.0)
#: unpacking a frozen matrix, a pass: scales, then weights (bitsandbytes, functional.py)
UNPACK_KERNELS = 14.0
#: bytes that an adapter moves for an element in or out of its matrix, a pass
ADAPTER_BYTES = {"plain": 16.0, "liger": 16.0, "fused": 8.0, "compiled": 6.0}
#: bytes a logit, forward and backward: in 16 bits, cast to 32, shifted, normalized, and all of it
#: back; a fused loss writes them once, and their gradient in their place (Hsu et al. 2024, Liger
#: Kernel, arXiv 2410.10989, section 3.2)
LOGIT_BYTES = {"full": 44.0, "chunked": 30.0, "fused": 8.0}
LOGIT_FUSED = 16.0
#: bytes a parameter that the update reads and writes, with states in 32 bits and in 16
UPDATE = {
    "fp32": {"adamw": 30.0, "adamw-8bit": 20.0, "adafactor": 20.0, "sgd": 18.0, "muon": 34.0},
    "bf16": {"adamw": 14.0, "adamw-8bit": 12.0, "adafactor": 12.0, "sgd": 10.0, "muon": 18.0},
}
#: an update in kernels an operation reads and writes its tensors 26 times in place of seven
#: (torch.optim.AdamW with foreach: decay, two means, root, quotient, step; norm and clipping)
FOREACH = 3.3
#: bytes a frozen parameter that unpacking it moves, a pass, beside its use in 16 bits.  nf4: half
#: a byte read and two written; gptq: PyTorch's own operations on integers, a shift at a time
UNPACK = {"nf4": 3.5, "int8": 4.0, "gptq": 20.0}
#: bytes a frozen parameter on the wire where weights are sharded: they travel packed (Answer.AI
#: 2024, FSDP and QLoRA)
WIRE = {"nf4": 0.53, "int8": 1.03}


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """Numbers of a style, as :class:`costcalc.throughput.layout.StepRecipe` has them."""

    plain: float
    kernels_forward: float
    kernels_backward: float
    logit_bytes: float
    optimizer_bytes: float
    state_bytes: float
    unpack_bytes: float
    adapter_bytes: float
    hooks: float
    framework: float
    fused: float
    wire: float


def style_of(
    modules: str | None,
    *,
    compiled: bool,
    deepspeed: bool,
    optimizer: str,
    states: str,
    logits: str,
    base_precision: str | None,
    precision: str,
) -> Style:
    """The numbers of a stack, by what the catalogue says of it."""
    word = word_of(modules, compiled)
    if word == "plain" and logits == "fused":
        word = "liger"
    forward, backward = KERNELS[word]
    update = UPDATE[states]
    bytes_each = update.get(optimizer, update["adamw"])
    if word in ("plain", "liger") and optimizer != "adamw-8bit":
        bytes_each *= FOREACH
    packed = "gptq" if is_gptq(base_precision, precision) else base_precision
    return Style(
        plain=1.0 if word == "plain" else 0.0,
        kernels_forward=forward,
        kernels_backward=backward,
        logit_bytes=LOGIT_FUSED if word == "fused" and logits == "full" else LOGIT_BYTES[logits],
        optimizer_bytes=bytes_each,
        state_bytes=update.get(optimizer, update["adamw"]),
        unpack_bytes=UNPACK.get(packed or "", 0.0),
        adapter_bytes=ADAPTER_BYTES[word],
        framework=1.0 if word in ("plain", "liger") else 0.0,
        fused=1.0 if word == "fused" else 0.0,
        wire=WIRE.get(base_precision or "", 2.0) / 2.0,
        hooks=1.0 if deepspeed else 0.0,
    )


def is_gptq(base_precision: str | None, precision: str) -> bool:
    """Whether a base of four bits is GPTQ's, whose kernels take 16-bit floats of one kind only.

    >>> is_gptq("nf4", "fp16"), is_gptq("nf4", "bf16")
    (True, False)
    """
    return base_precision == "nf4" and precision == "fp16"


def word_of(modules: str | None, compiled: bool) -> str:
    """plain, fused or compiled; where nobody tells how modules are, tuned ones are fused.

    >>> word_of("fused", False), word_of("plain", True), word_of(None, True), word_of(None, False)
    ('fused', 'compiled', 'fused', 'plain')
    """
    if modules == "fused" or (modules is None and compiled):
        return "fused"
    return "compiled" if compiled else "plain"
