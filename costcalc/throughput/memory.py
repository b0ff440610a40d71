"""Bytes a device while training: weights, gradients, optimizer, activations, and the rest.

Activations after Korthikanti et al. 2022 (arXiv:2205.05198, sections 4 and 5); what a stack of
software holds of each is in :mod:`costcalc.throughput.held`.  Every axis of the layout may be an
array, and so may every result.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from costcalc.base.numbers import Number
from costcalc.throughput.footprint import Footprint
from costcalc.throughput.held import HIGH, LOW, QUANTISED, VALUE, Held, held_by
from costcalc.throughput.layout import Layout, Machine, Recipe

__all__ = [
    "HIGH", "LOW", "VALUE", "Memory", "OnHost", "Parts", "Range", "bytes_at", "memory", "on_host",
    "stored_on_host", "total_at",
]  # fmt: skip


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
    return functools.reduce(_larger, _moments(model, machine, layout, recipe, level))


def total_at(
    model: Footprint, machine: Machine, layout: Layout, recipe: Recipe, *, level: int = VALUE
) -> Number:
    """The bytes on the fullest device alone: a third quicker for many layouts than their parts."""
    moments = _moments(model, machine, layout, recipe, level)
    return functools.reduce(np.maximum, (held.total for held in moments))


def stored_on_host(model: Footprint, machine: Machine, layout: Layout, recipe: Recipe) -> Number:
    """Bytes of a micro-batch's activations that a device keeps on its host until backward."""
    if np.ndim(layout.activations) == 0 and not layout.activations and recipe.checkpoints != "host":
        return 0.0
    split, held = _host_side(model, machine, layout, recipe)
    return _stored(split, held, 1.0)[1]


class OnHost(NamedTuple):
    """Bytes that the first pipeline stage of one replica keeps in the memory of its host."""

    states: Number  # weights, gradients and optimizer states
    activations: Number


def on_host(model: Footprint, machine: Machine, layout: Layout, recipe: Recipe) -> OnHost:
    """What a device of a layout keeps in its host's memory, by the middle of the estimate.

    >>> machine = Machine(accelerator="x", generation="ampere", kind="gpu", devices=1, per_node=1)
    >>> model = Footprint(layers=2.0, dense=1e9, parameters=2e9)
    >>> recipe = Recipe(sequence_length=2048, global_batch=8, precision="bf16")
    >>> float(on_host(model, machine, Layout(offload="optimizer"), recipe).states)  # 2e9 · 12 bytes
    24000000000.0
    """
    split, held = _host_side(model, machine, layout, recipe)
    near = _Split(model, machine, replace(layout, hosted=0.0), recipe, VALUE)
    ends = (model.embedding + model.head * split.only) / layout.tensor
    with_it, without = (_states(each, held, ends) for each in (near, split))
    kept = [
        getattr(with_it, name) - getattr(without, name)
        for name in ("weights", "gradients", "optimizer")
    ]
    return OnHost(sum(kept[1:], kept[0]), _stored(split, held, split.in_flight)[1])


def _host_side(
    model: Footprint, machine: Machine, layout: Layout, recipe: Recipe
) -> tuple[_Split, Held]:
    split = _Split(model, machine, layout, recipe, VALUE)
    return split, _held_by(split, machine, recipe, VALUE)


def _held_by(split: _Split, machine: Machine, recipe: Recipe, level: int) -> Held:
    net = split.model.basis == "forward_flops"
    alone = bool(np.all(split.alone))
    return held_by(recipe, level, alone=alone, tpu=machine.kind == "tpu", net=net)


def _moments(
    model: Footprint, machine: Machine, layout: Layout, recipe: Recipe, level: int
) -> Iterator[Parts]:
    """What the first and the last stage hold at the moments at which they may be fullest."""
    split = _Split(model, machine, layout, recipe, level)
    held = _held_by(split, machine, recipe, level)
    yield from _stage(split, held, at_start=True)
    if np.ndim(layout.pipeline) > 0 or layout.pipeline != 1:
        yield from _stage(split, held, at_start=False)


class _Split:
    """What each kind of parameter and activation is divided by, and how much is in flight."""

    def __init__(
        self, model: Footprint, machine: Machine, axes: Layout, recipe: Recipe, level: int
    ) -> None:
        self.model, self.axes, self.recipe = model, axes, recipe
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
        self.spread = (*model.spread[:1], 1.0, *model.spread[1:])[level]
        # gradients of the micro-batches before it are there with the activations
        self.accumulates = batches > 1


class _Made(NamedTuple):
    """Bytes of one stage that stay, and of gradients, and for a moment of the update."""

    weights: Number
    whole: Number  # of weights that are sharded, packed or elsewhere: those at work
    gradients: Number
    optimizer: Number
    update: Number


def _stage(split: _Split, held: Held, *, at_start: bool) -> Iterator[Parts]:
    """Four moments of a stage: at the loss, in the layers, behind them, in the update."""
    model, axes = split.model, split.axes
    if at_start:
        ends = model.embedding + model.head * split.only
        logits: Number = model.logits * split.only
        in_flight: Number = split.in_flight
    else:
        ends = model.head + model.tied + (model.embedding - model.tied) * split.only
        logits, in_flight = model.logits, 1.0
    made = _states(split, held, ends / axes.tensor)
    stored, passing = _activations(split, held, in_flight)
    logits = held.logit * logits * split.samples / axes.tensor
    waiting = made.gradients * np.where(split.accumulates, 1.0, float(held.waits))
    moments = (
        (waiting, 0.0, stored, logits),
        (waiting, 0.0, stored + passing + _beside(split, held), 0.0),
        (made.gradients, 0.0, passing, 0.0),
        (made.gradients, made.update, 0.0, 0.0),
    )
    weights = held.lost_fixed * (made.weights + made.whole)
    optimizer = held.lost_fixed * made.optimizer
    framework = held.alone * split.alone + held.together * (1 - split.alone)
    for gradients, update, activations, loss in moments:
        yield Parts(
            weights=weights,
            gradients=gradients,
            optimizer=optimizer + update,
            activations=held.lost * activations,
            logits=held.lost * loss,
            framework=framework,
        )


def _beside(split: _Split, held: Held) -> Number:
    """Bytes that a sharded frozen base keeps beside the inputs of the layers it went back through.

    Of a gradient a layer, as wide as its input, but for the layer at work and the one before.
    """
    sharded = (split.axes.zero >= 3) * (split.group > 1) * (split.recipe.trainable_share < 1)
    layers = np.maximum(split.layers - 2.0, 0.0)
    stream = held.stream * split.samples * split.model.stream / split.sequence
    return split.spread * held.beside * sharded * layers * stream * split.axes.full


def _larger(one: Parts, other: Parts) -> Parts:
    """Whichever takes the more, the first of equals; element by element."""
    more = other.total > one.total
    if np.ndim(more) == 0:
        return other if more else one
    pairs = {name: (getattr(one, name), getattr(other, name)) for name in Parts.__slots__}
    return Parts(**{name: a if a is b else np.where(more, b, a) for name, (a, b) in pairs.items()})


def _states(split: _Split, held: Held, ends: Number) -> _Made:
    """What one stage holds of parameters; ``ends``: those of embedding and head."""
    model, axes = split.model, split.axes
    dense = split.layers * model.dense / axes.tensor
    expert = split.layers * model.expert / split.experts_over
    every = dense + expert + ends
    cut = (dense + ends) / split.group + expert / split.expert_group
    in_weights, in_gradients, in_states = (
        every + (cut - every) * (axes.zero >= n) for n in (3, 2, 1)
    )
    outside = ends / np.maximum(every, 1.0)
    here, states_here = axes.hosted < 2, axes.hosted < 1
    layer = model.dense / axes.tensor + model.expert / split.experts_over
    share = split.recipe.trainable_share
    stored = held.weight if share == 1 else held.frozen
    weights: Number
    if share < 1:
        weights = held.frozen + (held.frozen_ends - held.frozen) * outside + held.adapter * share
        gradients = held.adapter * share * in_weights * here
        optimizer = 2 * held.adapter * share * in_states * states_here
        update = held.adapter / 4 * held.update * share * in_states * states_here
    else:
        weights = held.weight * held.trained + held.copies
        gradients = held.gradient * held.trained * in_gradients * here
        if held.freed:
            piece = np.maximum(layer, ends)
            gradients = np.minimum(gradients, held.gradient * held.trained * piece)
        each = held.optimizer + (held.optimizer_ends - held.optimizer) * outside
        optimizer = each * held.trained * in_states * states_here
        update = held.update * held.trained * in_states * states_here
    gathers = np.maximum((axes.zero >= 3) * (split.group > 1), axes.hosted >= 2)
    whole = held.gathered * stored * layer * gathers
    if split.recipe.base_precision in QUANTISED:  # one matrix at a time
        whole = whole + 2.0 * model.largest / axes.tensor
    return _Made(weights * in_weights * here, whole, gradients, optimizer, update)


def _a_layer(split: _Split, held: Held) -> tuple[Number, Number]:
    """Bytes of the activations of one layer, and of its score matrix."""
    model, axes, samples = split.model, split.axes, split.samples
    layer = held.element * samples * (model.split / axes.tensor + model.whole / split.sequence)
    return layer, held.scores * samples / axes.context * model.scores / axes.tensor


def _stored(split: _Split, held: Held, in_flight: Number) -> tuple[Number, Number]:
    """Bytes kept for the backward pass of one stage: on the device, and on its host."""
    model, axes, samples = split.model, split.axes, split.samples
    if split.recipe.method == "frozen":  # nothing before the head learns: nothing is kept for it
        return 0.0, 0.0
    layer, scores = _a_layer(split, held)
    again = axes.full + axes.selective  # recomputed, so held in one layer at a time
    kept = layer * (1 - axes.full + (held.selective - 1) * axes.selective) + scores * (1 - again)
    kept = kept + held.stream * samples * model.stream / split.sequence * axes.full
    layers: Number = split.layers * in_flight
    hosted = np.maximum(axes.activations, axes.full * held.on_host)
    away = (layers - np.minimum(layers, held.on_device)) * hosted
    return split.spread * (layers - away) * kept, split.spread * away * kept


def _activations(split: _Split, held: Held, in_flight: Number) -> tuple[Number, Number]:
    """Bytes kept for the backward pass on one stage, and those of the layer at work."""
    axes = split.axes
    layer, scores = _a_layer(split, held)
    once = layer * axes.full + scores * (axes.full + axes.selective)
    if split.recipe.method == "frozen":
        once = layer + scores
    stored, _ = _stored(split, held, in_flight)
    return stored, split.spread * (once + held.moving * layer)
