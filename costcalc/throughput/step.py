"""The time of one optimizer step: compute, memory, communication, bubble, optimizer.

A closed-form model after Narayanan et al. 2021 (2104.04473), Korthikanti et al. 2022 (2205.05198),
Isaev et al. 2023 (Calculon) and Rajbhandari et al. 2020 (ZeRO): every term is plain arithmetic
on floats or NumPy arrays, so that one layout and a million of them take the same path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costcalc.base.numbers import Number
from costcalc.throughput.coefficients import Coefficients, Rates, coefficients_of, rates_of
from costcalc.throughput.constants import Constants
from costcalc.throughput.layer import Layer, layer_times
from costcalc.throughput.layout import Layout, Machine, Recipe, StepRecipe, training_of
from costcalc.throughput.network import (
    Network,
    context_time,
    expert_time,
    gradient_time,
    host_time,
    network_of,
    pipeline_time,
    shard_time,
    tensor_time,
)
from costcalc.throughput.shape import ModelShape


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTime:
    """Seconds of an optimizer step and what they are spent on; the parts add up to ``seconds``.

    ``compute``: matmuls and attention at their rate; ``memory``: everything bound by memory;
    ``launch``: waiting for the host to launch kernels; ``host``: for weights and activations
    that are kept in its memory.  The others are what computation does not hide; ``bubble``: the
    pipeline's.
    """

    seconds: Number
    compute: Number
    memory: Number
    launch: Number
    tensor: Number
    pipeline: Number
    data: Number
    expert: Number
    bubble: Number
    optimizer: Number
    host: Number

    def breakdown(self) -> dict[str, Number]:
        """The parts by name, in seconds."""
        return {name: getattr(self, name) for name in self.__slots__ if name != "seconds"}


def step_time(
    shape: ModelShape,
    machine: Machine,
    layout: Layout,
    recipe: Recipe,
    constants: Constants,
    stored: Number = 0.0,
) -> StepTime:
    """Time of one optimizer step, in seconds, with its breakdown.

    ``layout`` is one :class:`Layout` or :class:`Layout` of NumPy arrays, one element a layout;
    ``constants`` come from :func:`costcalc.throughput.constants.load`; ``stored``: bytes of a
    micro-batch's activations that a device keeps on its host
    (:func:`costcalc.throughput.memory.stored_on_host`).  Raises InputError where the machine has no
    peak for the precision.
    """
    return step_of(
        shape,
        rates_of(machine, recipe.precision),
        layout,
        training_of(recipe),
        coefficients_of(constants, machine, recipe.precision, shape.kind),
        stored,
    )


def step_of(
    shape: ModelShape,
    rates: Rates,
    axes: Layout,
    training: StepRecipe,
    c: Coefficients,
    stored: Number = 0.0,
) -> StepTime:
    """:func:`step_time` from numbers alone; each of them may be an array."""
    tokens = axes.micro_batch * training.sequence_length / axes.context
    micro_batches = np.ceil(training.global_batch / (axes.data * axes.micro_batch) - 1e-9)
    layer = layer_times(shape, rates, axes, training, c, tokens)
    net = network_of(rates, axes, c, training)
    stage = _stage(shape, axes, training, layer, net, c, tokens)
    passes = micro_batches + stage["shift"]
    bubble = (axes.pipeline - 1.0) / axes.virtual_pipeline
    compute, memory = micro_batches * stage["compute"], micro_batches * stage["memory"]
    launch = micro_batches * stage["launch"]
    tensor, expert = micro_batches * stage["tensor"], micro_batches * stage["expert"]
    pipeline = passes * stage["pipeline"]
    busy = stage["compute"] + stage["memory"] + stage["launch"]
    busy = busy + stage["tensor"] + stage["expert"]
    # DeepSpeed lets go of what recompute gathered and gathers it again
    fetched = training.forward + training.backward * (1.0 + training.hooks * axes.full)
    gathered = fetched + training.weights
    held = shard_time(shape, axes, net, busy, gathered * training.packed)
    waits = host_time(
        shape, axes, net, training, link=rates.host_link, busy=busy + held, passes=fetched,
        micro_batches=micro_batches, stored=stored,
    )  # fmt: skip
    reduced = gradient_time(shape, axes, net, busy, training, micro_batches)
    data = micro_batches * held + reduced
    local = shape.parameters * training.trainable / (axes.tensor * axes.pipeline)
    spread = np.where(axes.zero > 0, axes.data * axes.context, 1.0)
    doublings = np.log2(np.maximum(axes.devices / 8.0, 1.0))
    update = local / spread * training.optimizer_bytes / (rates.bandwidth * c.bandwidth)
    update = np.where(axes.hosted > 0, update_on_host(rates, training, local / spread), update)
    update = training.updates * (update + c.fixed + c.meet * doublings)
    idle = bubble * (busy + held + waits)
    host = micro_batches * waits
    total = compute + memory + launch + tensor + expert + pipeline + data + idle + update + host
    late = c.jitter * doublings
    data = data + total * late
    return StepTime(
        seconds=total * (1.0 + late),
        compute=compute,
        memory=memory,
        launch=launch,
        tensor=tensor,
        pipeline=pipeline,
        data=data,
        expert=expert,
        bubble=idle,
        optimizer=update,
        host=host,
    )


def update_on_host(rates: Rates, how: StepRecipe, parameters: Number) -> Number:
    """Seconds of an update in host memory: gradients there, weights back, states read and written.

    Ren et al. 2021 (ZeRO-Offload, arXiv:2101.06840, section 3): 2 bytes each way and parameter.
    """
    return parameters * (4.0 / rates.host_link + how.state_bytes / rates.host_memory)


def _stage(
    shape: ModelShape,
    axes: Layout,
    training: StepRecipe,
    layer: Layer,
    net: Network,
    c: Coefficients,
    tokens: Number,
) -> dict[str, Number]:
    """What the fullest pipeline stage spends on one micro-batch, forward and backward."""
    full = np.ceil(shape.layers / axes.pipeline - 1e-9)
    last = shape.layers - (axes.pipeline - 1.0) * full
    back = training.backward
    through = training.forward + back * (1.0 + axes.full)  # a layer, either way
    tensor = tensor_time(shape, axes, net, tokens, through)
    ring = through + back  # gradients of keys and values travel beside them
    tensor = tensor + context_time(shape, axes, net, c, tokens, ring, layer.attention)
    expert = expert_time(shape, axes, net, c, tokens, through, layer.compute + layer.memory)
    a_layer = layer.compute + layer.memory + layer.launch + tensor + expert
    # the last stage holds the logits: it is the slowest unless it holds fewer layers
    ends = (full - last) * a_layer < layer.head_compute + layer.head_memory
    held = np.where(ends, last, full)
    heads = np.where(ends, 1.0, 0.0)
    return {
        "compute": held * layer.compute + heads * layer.head_compute,
        "memory": held * layer.memory + heads * layer.head_memory,
        "launch": held * layer.launch,
        "tensor": held * tensor,
        "expert": held * expert,
        "pipeline": pipeline_time(shape, axes, net, tokens, training.forward + back),
        "shift": (axes.pipeline - 1.0) / axes.virtual_pipeline,
    }
