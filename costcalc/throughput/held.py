"""What a stack of software holds: bytes a parameter, a logit and an element, at low, value, high.

Model states after Rajbhandari et al. 2020 (ZeRO, arXiv:1910.02054, section 3), quantised frozen
bases after Dettmers et al. 2023 (QLoRA, arXiv:2305.14314), 8-bit optimizers after Dettmers et al.
2022 (arXiv:2110.02861), Adafactor after Shazeer and Stern 2018 (arXiv:1804.04235).  What software
adds to those follows from its code; the few figures that do not, marked *fitted*, go by measured
peaks (``data/measurements/memory.csv``).
"""

from __future__ import annotations

from dataclasses import dataclass

from costcalc.base.vocabulary import NARROW, WIDE
from costcalc.throughput.layout import Recipe
from costcalc.throughput.style import is_gptq

LOW, VALUE, HIGH = 0, 1, 2
_Levels = tuple[float, float, float]

# -- bytes a parameter ----------------------------------------------------------------------------

# Weights.  8-bit training keeps 16-bit weights and caches 8-bit copies of them, unless these are
# the primary ones (Transformer Engine user guide, "Using FP8 with ...").
_WEIGHT = {"wide": (4.0, 4.0, 4.0), "half": (2.0, 2.0, 2.0), "narrow": (1.0, 3.0, 4.0)}
# Gradients of 32-bit states are reduced in 32 bits (Megatron-LM distributed optimizer: 6 + 12/d) or
# kept in 16; those of 16-bit states are as wide as these.
_GRADIENT = {"wide": (4.0, 4.0, 4.0), "fp32": (2.0, 4.0, 4.0), "bf16": (2.0, 2.0, 2.0)}
# Optimizer: ``fp32`` is beside 16-bit weights and has a 32-bit copy of these; under autocast the
# weights are that copy and 16-bit ones are cached, which is as much.  ``wide`` needs no copy,
# ``bf16`` has none.  8-bit states may be paged to the host (bitsandbytes): none at the least.
_OPTIMIZER: dict[str, dict[str, _Levels]] = {
    "adamw": {"fp32": (12.0, 12.0, 12.0), "bf16": (4.0, 4.0, 4.0), "wide": (8.0, 8.0, 8.0)},
    "adamw-8bit": {"fp32": (4.0, 6.0, 6.1), "bf16": (0.0, 2.0, 2.1), "wide": (0.0, 2.0, 2.1)},
    "adafactor": {"fp32": (4.0, 4.0, 8.0), "bf16": (0.0, 0.1, 2.0), "wide": (0.0, 0.1, 4.0)},
    "sgd": {"fp32": (4.0, 8.0, 8.0), "bf16": (0.0, 2.0, 2.0), "wide": (0.0, 4.0, 4.0)},
    "muon": {"fp32": (8.0, 8.0, 8.0), "bf16": (2.0, 2.0, 2.0), "wide": (4.0, 4.0, 4.0)},
}
_OPTIMIZER_ENDS = {"muon": "adamw"}  # Muon leaves embeddings and head to AdamW
# AdamW of eager software computes one state of all parameters anew at once (torch.optim, foreach):
# Mistral 7B took 10.0 bytes a parameter in pure 16 bits, and 20.0 with 32-bit states (fms rows).
_COPIED = (0.0, 1.0, 1.0)  # copies of one state
# Some software (DeepSpeed) sums 16-bit gradients in 32 bits beside them.
_SUMS = (0.0, 2.0, 2.0)
# Frozen bases: 4-bit NormalFloat, the constants of its blocks of 64 quantised again (0.127 bits) or
# in 32 bits (0.5): QLoRA, section 3.
_FROZEN = {
    "nf4": (0.516, 0.53, 0.57),
    "int8": (1.0, 1.01, 1.1),
    "bf16": (2.0, 2.0, 2.0),
    "fp16": (2.0, 2.0, 2.0),
    "fp32": (4.0, 4.0, 4.0),
}
QUANTISED = ("nf4", "int8")
# Embedding and head of a quantised base stay in 16 bits; on one device peft prepares them, and with
# them the residual stream and the logits, in 32 (prepare_model_for_kbit_training).
_AROUND = {False: (2.0, 2.0, 4.0), True: (2.0, 4.0, 4.0)}
# A parameter of an adapter and its gradient, in 16 bits or in 32 (peft's autocast_adapter_dtype).
_ADAPTER = (2.0, 4.0, 4.0)

# -- bytes an element -----------------------------------------------------------------------------

# A logit.  Full: in 16 bits, in 32, their softmax and the gradients of each; kernels that are one
# hold less.  Chunked: all of them in 16 bits and a chunk in 32, or but a chunk.  Fused: a chunk.
_LOGIT = {
    ("full", False): (5.0, 13.0, 20.0),  # fitted
    ("full", True): (2.0, 8.0, 14.0),
    ("chunked", False): (0.2, 2.5, 5.0),
    ("chunked", True): (0.2, 2.5, 5.0),
    ("fused", False): (0.0, 0.5, 2.0),
    ("fused", True): (0.0, 0.5, 2.0),
}
_UPCAST_LOGIT = 4 / 3  # one more in 32 bits
# Fused and in-place kernels keep less than the sum of the inputs; eager ones keep norms in 32 bits
# and every step of an activation function.
_KERNELS = {True: (0.7, 0.9, 1.25), False: (0.8, 1.35, 1.9)}  # fitted
_KERNELS_NARROW = (0.4, 0.75, 1.25)  # the inputs of linears kept in 8 bits
# A quantised matrix keeps its input, which a frozen one of 16 bits does not (bitsandbytes).
_INPUTS = (1.0, 1.2, 1.3)  # fitted
# Elements of the attention matrix kept without flash: softmax out, its dropout, and the mask.
_SCORES = (1.0, 2.5, 5.0)
# "Selective" is Megatron's, which keeps all but the attention core, or as little as the projections
# of attention, on the host (MaxText's remat_policy: qkv_proj_offloaded).
_SELECTIVE = (0.15, 1.0, 1.0)
# Beside fused attention it is that of norms and activation functions (Megatron-Core's modules
# layernorm, moe_act, mla_up_proj): of the 4·h + 2·(h + 2·kv) + 3·ffn elements of a gated layer
# 2·h + ffn are not kept, 0.31 of them in Llama 3 8B.
_SELECTIVE_FUSED = (0.15, 0.7, 1.0)
# Where every second matmul is run again, of those 71.7k elements a token the outputs of queries,
# values, one of the MLP's three and its last are kept, attention's and the layer's input: 31.7k.
_SELECTIVE_MATMULS = (0.15, 0.45, 0.7)
_MOVING = (0.0, 0.5, 1.0)  # gradients of activations in flight, in layers of activations
_ON_DEVICE = (0.0, 2.0, 4.0)  # layers whose inputs are there, where they are kept on the host
_GATHERED = (1.0, 2.0, 6.0)  # layers that ZeRO-3 holds whole at a time
# What the caching allocator holds of what comes and goes, and of what stays.
_LOST = {True: (1.0, 1.1, 1.25), False: (1.0, 1.1, 1.6)}  # fitted; compiled or not
_LOST_FIXED = (1.0, 1.0, 1.08)
# With weights sharded by eager software (PyTorch's FSDP, first version) the backward pass through a
# frozen base keeps a layer's gradient beside its input: four devices took 0.750 MiB a token of a
# Mistral 7B where one took 0.516, which is 30 of its 32 layers x 2 x 4096 bytes, with the base in
# 16 bits and in 4 alike (fms rows of LoRA, allocated).  Of DeepSpeed and FSDP2 no row shows it.
_BESIDE = (0.0, 1.0, 1.0)
# -- bytes ----------------------------------------------------------------------------------------

# The driver's context, workspaces of libraries, buffers of communication.
_ALONE = (0.2e9, 0.5e9, 2.0e9)  # fitted
_TOGETHER = (0.4e9, 3.0e9, 6.0e9)
_TPU = (0.2e9, 0.6e9, 1.5e9)  # it has neither a context nor a library's buffers

# Frozen 16-bit copies that a method holds beside what it trains; models that it trains.
_COPIES = {"dpo": (0.0, 1.0, 1.0), "grpo": (0.0, 1.0, 2.0), "ppo": (0.0, 2.0, 3.0)}
_TRAINED = {"ppo": 2.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Bytes at one level: a parameter of what is trained and frozen, a logit, a kept element.

    ``ends`` is of embedding and head.  ``update``: for a moment, in the optimizer step.
    ``waits``: whether gradients are there when activations are.  ``lost``: shares held of what
    comes and goes, and of what stays.
    """

    weight: float
    gradient: float
    optimizer: float
    optimizer_ends: float
    update: float
    frozen: float
    frozen_ends: float
    adapter: float
    copies: float
    trained: float
    waits: bool
    freed: bool
    logit: float
    element: float
    scores: float
    stream: float
    selective: float
    moving: float
    on_device: float
    on_host: bool
    beside: float
    gathered: float
    lost: float
    lost_fixed: float
    alone: float
    together: float


def held_by(recipe: Recipe, level: int, *, alone: bool, tpu: bool, net: bool = False) -> Held:
    """What the software of a recipe holds at one level (LOW, VALUE or HIGH).

    ``alone``: on one device; ``net``: known by its FLOPs, from which its activations are guessed
    whatever its weights are.  At the least, states that nobody tells are of 16 bits and recompute
    has the inputs of layers on the host; in tuning with software that nobody tells, no logits are
    kept and gradients are freed.
    """
    untold = "software" not in recipe.told
    spares = untold and level == LOW and recipe.method != "pretrain"
    width = "wide" if recipe.precision in WIDE else "half"
    width = "narrow" if recipe.precision in NARROW else width
    states = _states(recipe, width, level)
    by_state = [
        _OPTIMIZER[name][states][level]
        for name in (recipe.optimizer, _OPTIMIZER_ENDS.get(recipe.optimizer, recipe.optimizer))
    ]
    state = 2.0 if states == "bf16" else 4.0
    eager = not recipe.compiled
    sums = _SUMS[level] if recipe.sums and width != "wide" else 0.0
    base = recipe.base_precision or ("fp32" if width == "wide" else "bf16")
    quantised = base in QUANTISED
    # peft leaves bases of GPTQ as they are (prepare_model_for_kbit_training)
    prepared = recipe.trainer == "transformers" and not is_gptq(base, recipe.precision)
    upcasts = quantised and alone and prepared and not net
    kernels = _KERNELS_NARROW if width == "narrow" else _KERNELS[not eager]
    flash = recipe.attention != "standard"
    wide = 4.0 if width == "wide" else 2.0
    wide_or_less = min(_WEIGHT[width][level], wide)
    fused = spares and "logits" not in recipe.told
    logit = _LOGIT["fused" if fused else recipe.logits, not eager][level]
    return Held(
        weight=_WEIGHT[width][level],
        gradient=_GRADIENT[states][level] + sums,
        optimizer=by_state[0],
        optimizer_ends=by_state[1],
        update=_COPIED[level] * state if eager and recipe.optimizer == "adamw" else 0.0,
        frozen=_FROZEN[base][level],
        frozen_ends=_AROUND[upcasts][level] if quantised else _FROZEN[base][level],
        adapter=max(_ADAPTER[level], wide),
        copies=_COPIES.get(recipe.method, (0.0, 0.0, 0.0))[level] * wide_or_less,
        trained=_TRAINED.get(recipe.method, 1.0),
        waits=level == HIGH or states != "bf16",
        freed=recipe.gradients == "freed" or (spares and "gradients" not in recipe.told),
        logit=logit * (_UPCAST_LOGIT if upcasts and level == VALUE else 1.0),
        element=wide * kernels[level] * (_INPUTS[level] if quantised and not net else 1.0),
        scores=wide * _SCORES[level] * (not flash),
        stream=wide * (2.0 if upcasts and level != LOW else 1.0),
        selective=_selective(recipe)[level],
        moving=_MOVING[level],
        on_device=_ON_DEVICE[level],
        on_host=level == LOW or recipe.checkpoints == "host",
        beside=_BESIDE[level] * eager * (level == HIGH or recipe.shards != "deepspeed"),
        gathered=_GATHERED[level],
        lost=_LOST[not eager][level],
        lost_fixed=_LOST_FIXED[level],
        alone=(_TPU if tpu else _ALONE)[level],
        together=(_TPU if tpu else _TOGETHER)[level],
    )


def _selective(recipe: Recipe) -> _Levels:
    """The share of a layer's elements that selective recompute keeps."""
    if recipe.selective == "matmuls":
        return _SELECTIVE_MATMULS
    return _SELECTIVE if recipe.attention == "standard" else _SELECTIVE_FUSED


def _states(recipe: Recipe, width: str, level: int) -> str:
    """Of how many bits states are; 16 at the least and, where the software leaves it open, 32."""
    if width == "wide":
        return "wide"
    if "states" in recipe.told:
        return recipe.states
    open_ = "software" not in recipe.told or recipe.trainer == "transformers"
    return ("bf16", recipe.states, "fp32" if open_ else recipe.states)[level]
