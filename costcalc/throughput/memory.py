"""Bytes a device while training: weights, gradients, optimizer, activations, and the rest.

Model states after Rajbhandari et al. 2020 (ZeRO, arXiv:1910.02054, section 3), activations after
Korthikanti et al. 2022 (arXiv:2205.05198, sections 4 and 5), quantised frozen bases after Dettmers
et al. 2023 (QLoRA, arXiv:2305.14314), 8-bit optimizers after Dettmers et al. 2022
(arXiv:2110.02861), Adafactor after Shazeer and Stern 2018 (arXiv:1804.04235).  Every axis of the
layout may be an array, and so may every result.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from costcalc.base.numbers import Number
from costcalc.base.vocabulary import NARROW, WIDE
from costcalc.throughput.footprint import Footprint
from costcalc.throughput.layout import Layout, Machine, Recipe

LOW, VALUE, HIGH = 0, 1, 2


class Range(NamedTuple):
    """5th percentile, central figure, 95th percentile."""

    low: Number
    value: Number
    high: Number


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Bytes on one device, by what they hold."""

    weights: Number
    gradients: Number
    optimizer: Number
    activations: Number
    logits: Number
    framework: Number

    @property
    def total(self) -> Number:
        """The sum (B)."""
        return (
            self.weights
            + self.gradients
            + self.optimizer
            + self.activations
            + self.logits
            + self.framework
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """Bytes on the fullest device: low, value and high of the total; the parts of the value."""

    total: Range
    parts: Parts


# Weights, bytes a parameter.  8-bit training keeps 16-bit weights and caches 8-bit copies of them,
# unless these are the primary ones (Transformer Engine user guide, "Using FP8 with ...").
_WEIGHT = {"wide": (4.0, 4.0, 4.0), "half": (2.0, 2.0, 2.0), "narrow": (1.0, 3.0, 4.0)}
# Gradients are kept in 16 bits, or reduced in 32 (Megatron-LM distributed optimizer: 6 + 12/d).
_GRADIENT = {"wide": (4.0, 4.0, 4.0), "half": (2.0, 4.0, 4.0), "narrow": (2.0, 4.0, 4.0)}
# Optimizer, bytes a parameter beside weight and gradient: in mixed precision, with a 32-bit master
# copy of the weight, and in 32 bits.  The low ends leave out the copy, or keep moments in 16 bits.
_OPTIMIZER = {
    "adamw": {"half": (4.0, 12.0, 12.0), "wide": (8.0, 8.0, 8.0)},
    "adamw-8bit": {"half": (2.0, 6.0, 6.1), "wide": (2.0, 2.0, 2.1)},
    "adafactor": {"half": (0.0, 4.0, 8.0), "wide": (0.0, 0.1, 4.0)},
    "sgd": {"half": (0.0, 8.0, 8.0), "wide": (0.0, 4.0, 4.0)},
    "muon": {"half": (4.0, 8.0, 8.0), "wide": (4.0, 4.0, 4.0)},
}
# Muon leaves embeddings and head to AdamW.
_OPTIMIZER_ENDS = {"muon": "adamw"}
# Frozen bases: 4-bit NormalFloat and 0.127 bits of doubly quantised constants (QLoRA, section 3).
_FROZEN = {
    "nf4": (0.516, 0.516, 0.57),
    "int8": (1.0, 1.01, 1.1),
    "bf16": (2.0, 2.0, 2.0),
    "fp16": (2.0, 2.0, 2.0),
    "fp32": (4.0, 4.0, 4.0),
}
_QUANTISED = ("nf4", "int8")
# Elements of the attention matrix kept without flash: softmax out, its dropout, and the mask.
_SCORES = (1.0, 2.5, 5.0)
# Bytes a logit: 16-bit logits, or 32-bit logits, their softmax and its gradient beside them.
_LOGIT = (2.0, 6.0, 12.0)
# Fused and in-place kernels keep less than the sum of the inputs, eager ones more.
_KERNELS = (0.7, 1.0, 1.25)
_KERNELS_NARROW = (0.4, 0.75, 1.25)  # the inputs of linears kept in 8 bits
# "Selective" is Megatron's, which keeps all but the attention core, or as little as the projections
# of attention, on the host (MaxText's remat_policy: qkv_proj_offloaded).
_SELECTIVE = (0.15, 1.0, 1.0)
# Beside fused attention it is that of norms and activation functions (Megatron-Core's modules
# layernorm, moe_act, mla_up_proj): of the 4·h + 2·(h + 2·kv) + 3·ffn elements of a gated layer
# 2·h + ffn are not kept, 0.31 of them in Llama 3 8B.
_SELECTIVE_FUSED = (0.15, 0.7, 1.0)
_MOVING = (0.0, 0.5, 1.0)  # gradients of activations in flight, in layers of activations
_GATHERED = (1.0, 2.0, 3.0)  # layers that ZeRO-3 holds whole at a time
# The driver's context, the communication library's buffers, what the allocator loses (B).
_ALONE = (0.5e9, 1.2e9, 2.5e9)
_TOGETHER = (0.8e9, 3.0e9, 6.0e9)
_COMPILED = (0.2e9, 0.6e9, 1.5e9)  # a TPU has neither a context nor a library's buffers
# Frozen 16-bit copies that a method holds beside what it trains; models that it trains.
_COPIES = {"dpo": (0.0, 1.0, 1.0), "grpo": (0.0, 1.0, 2.0), "ppo": (0.0, 2.0, 3.0)}
_TRAINED = {"ppo": 2.0}


def memory(model: Footprint, machine: Machine, layout: Layout, recipe: Recipe) -> Memory:
    """Bytes on the fullest device of a layout: low, value, high, and the parts of the value.

    The fullest is the first pipeline stage, which keeps the micro-batches in flight, or the last,
    which holds the logits.

    >>> machine = Machine(accelerator="x", generation="ampere", kind="gpu", devices=8, per_node=8)
    >>> model = Footprint(layers=96.0, dense=12 * 12288.0**2, parameters=174e9)
    >>> recipe = Recipe(sequence_length=2048, global_batch=8, precision="bf16")
    >>> held = memory(model, machine, Layout(tensor=8), recipe)
    >>> round(float(held.parts.weights) / 1e9, 1)  # 2 bytes · 174e9 / 8
    43.5
    """
    low, value, high = (
        bytes_at(model, machine, layout, recipe, level=level) for level in (LOW, VALUE, HIGH)
    )
    return Memory(total=Range(low.total, value.total, high.total), parts=value)


def bytes_at(
    model: Footprint, machine: Machine, layout: Layout, recipe: Recipe, *, level: int = VALUE
) -> Parts:
    """The parts on the fullest device at one level (LOW, VALUE or HIGH), in bytes."""
    split = _Split(model, machine, layout, recipe)
    first = _stage(split, level, at_start=True)
    if np.ndim(layout.pipeline) == 0 and layout.pipeline == 1:
        return first
    last = _stage(split, level, at_start=False)
    later = last.total > first.total
    return Parts(
        **{
            name: np.where(later, getattr(last, name), getattr(first, name))
            for name in Parts.__slots__
        }
    )


class _Split:
    """What each kind of parameter and activation is divided by, and how much is in flight."""

    def __init__(self, model: Footprint, machine: Machine, axes: Layout, recipe: Recipe) -> None:
        self.model, self.axes, self.recipe = model, axes, recipe
        if recipe.precision in WIDE:
            self.width = "wide"
        else:
            self.width = "narrow" if recipe.precision in NARROW else "half"
        self.tpu = machine.kind == "tpu"
        self.alone = axes.devices <= 1
        self.only = axes.pipeline <= 1  # the first stage is the last
        apart = axes.expert > 1  # experts on devices of their own are not cut by tensor ranks
        self.experts_over = axes.expert * apart + axes.tensor * (1 - apart)
        replicas = axes.data * axes.context
        near = max(machine.per_node, machine.scale_up_domain)  # HSDP shards inside the fast fabric
        inside = np.minimum(np.maximum(near / axes.tensor, 1.0), replicas)
        self.group = inside * axes.hybrid + replicas * (1 - axes.hybrid)
        self.expert_group = np.maximum(
            np.minimum(self.group, replicas * axes.tensor / self.experts_over), 1.0
        )
        parts = axes.pipeline * axes.virtual_pipeline
        self.layers = np.minimum(
            np.ceil(model.layers / parts) * axes.virtual_pipeline, model.layers
        )
        batches = np.ceil(recipe.global_batch / (axes.data * axes.micro_batch))
        # Interleaved stages keep more: arXiv:2205.05198, section 4.2.3.
        deep = axes.pipeline + (axes.pipeline - 1) / axes.virtual_pipeline * (
            axes.virtual_pipeline > 1
        )
        self.in_flight = np.minimum(deep, np.maximum(batches, 1.0))
        self.sequence = axes.sequence_parallel * (axes.tensor - 1) + 1
        self.samples = axes.micro_batch / axes.context


def _stage(split: _Split, level: int, *, at_start: bool) -> Parts:
    model, axes = split.model, split.axes
    if at_start:
        ends = model.embedding + model.head * split.only
        logits: Number = model.logits * split.only
        in_flight: Number = split.in_flight
    else:
        ends = model.head + model.tied + (model.embedding - model.tied) * split.only
        logits, in_flight = model.logits, 1.0
    alone, together = (_COMPILED, _COMPILED) if split.tpu else (_ALONE, _TOGETHER)
    framework = alone[level] * split.alone + together[level] * (1 - split.alone)
    weights, gradients, optimizer = _states(split, level, ends / axes.tensor)
    return Parts(
        weights=weights,
        gradients=gradients,
        optimizer=optimizer,
        activations=_activations(split, level, in_flight),
        logits=_LOGIT[level] * logits * split.samples / axes.tensor,
        framework=framework,
    )


def _states(split: _Split, level: int, ends: Number) -> tuple[Number, Number, Number]:
    """Weights, gradients and optimizer states (B) of one stage; ``ends``: embedding and head."""
    model, axes, recipe = split.model, split.axes, split.recipe
    dense = split.layers * model.dense / axes.tensor
    expert = split.layers * model.expert / split.experts_over
    held = dense + expert + ends
    cut = (dense + ends) / split.group + expert / split.expert_group
    in_weights = held + (cut - held) * (axes.zero >= 3)
    in_gradients = held + (cut - held) * (axes.zero >= 2)
    in_states = held + (cut - held) * (axes.zero >= 1)
    learns = recipe.trainable_share * _TRAINED.get(recipe.method, 1.0)
    stored = _WEIGHT[split.width][level]
    half = "wide" if split.width == "wide" else "half"
    weights = stored * in_weights * learns
    base = stored
    if recipe.trainable_share < 1:
        base = _FROZEN[recipe.base_precision or ("fp32" if half == "wide" else "bf16")][level]
        outside = ends / np.maximum(held, 1.0) * (recipe.base_precision in _QUANTISED)
        weights = weights + (base + (_WEIGHT["half"][level] - base) * outside) * in_weights
    elif recipe.method in _COPIES:
        weights = weights + _COPIES[recipe.method][level] * _WEIGHT[half][level] * in_weights
    weights = weights * (axes.hosted < 2)
    kept = _OPTIMIZER[recipe.optimizer][half][level]
    ends_kept = _OPTIMIZER[_OPTIMIZER_ENDS.get(recipe.optimizer, recipe.optimizer)][half][level]
    optimizer = (kept + (ends_kept - kept) * ends / np.maximum(held, 1.0)) * in_states * learns
    optimizer = optimizer * (axes.hosted < 1)
    gradients = _GRADIENT[split.width][level] * in_gradients * learns * (axes.hosted < 2)
    return weights + _gathered(split, level, base), gradients, optimizer


def _gathered(split: _Split, level: int, stored: float) -> Number:
    """What is held whole for a moment: ZeRO-3's current layers, a dequantised matrix (B)."""
    model, axes = split.model, split.axes
    layer = model.dense / axes.tensor + model.expert / split.experts_over
    gathers = np.maximum((axes.zero >= 3) * (split.group > 1), axes.hosted >= 2)
    held = _GATHERED[level] * stored * layer * gathers
    if split.recipe.base_precision in _QUANTISED:
        held = held + _WEIGHT["half"][level] * model.largest / axes.tensor
    return held


def _activations(split: _Split, level: int, in_flight: Number) -> Number:
    """Bytes kept for the backward pass on one stage."""
    model, axes, recipe = split.model, split.axes, split.recipe
    size = (4.0 if split.width == "wide" else 2.0) * split.samples
    kernels = (_KERNELS_NARROW if split.width == "narrow" else _KERNELS)[level]
    layer = kernels * size * (model.split / axes.tensor + model.whole / split.sequence)
    scores: Number = 0.0
    if recipe.attention == "standard":
        scores = _SCORES[level] * size / axes.context * model.scores / axes.tensor
    again = axes.full + axes.selective  # recomputed, so held in one layer at a time
    cut = _SELECTIVE if recipe.attention == "standard" else _SELECTIVE_FUSED
    some = 1 - axes.full + (cut[level] - 1) * axes.selective
    kept = layer * some + scores * (1 - again)
    kept = kept + size * model.stream / split.sequence * axes.full
    once = layer * axes.full + scores * again
    stored: Number = split.layers * in_flight * kept
    if recipe.method == "frozen":  # nothing before the head learns, so nothing is kept for it
        stored, once = 0.0, layer + scores
    spread = (*model.spread[:1], 1.0, *model.spread[1:])[level]
    return spread * (stored + once + _MOVING[level] * layer)
