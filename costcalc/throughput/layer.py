"""What one layer and the logits cost a device, a micro-batch forward and backward."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costcalc.base.numbers import Number
from costcalc.throughput.coefficients import Coefficients, Rates
from costcalc.throughput.layout import Layout, StepRecipe
from costcalc.throughput.shape import ModelShape
from costcalc.throughput.style import ADAPTER_KERNELS, GATED_KERNELS, UNPACK_KERNELS

#: how sharply the slower of host and device decides: a layer has stretches where either is
SHARP = 4.0
#: elementwise traffic forward: passes over the hidden state (norms, residuals, dropout, rotary)
HIDDEN_PASSES = 10.0
#: and over the MLP's inner state (activation function: read and write)
INNER_PASSES = 2.0
#: casts launched a matmul in 8 or 4 bits: two operands, each quantized and its scales laid out
CAST_KERNELS = 4.0
#: what norms and activation functions are of the elementwise traffic forward
SELECTIVE_PASSES = 0.5
#: of a gated layer's matmuls, every second: keys, attention's output, one of three of the MLP (0.36
#: of the weights of Llama 3 8B and 70B)
ALTERNATE = 0.36
#: a routed token's hidden state: written by rank, sorted by expert, back, and summed
PERMUTE_PASSES = 6.0
#: passes over the score matrix where attention is not fused: scale, mask, softmax, dropout, in one
#: kernel or (more by half) in one each
SCORE_PASSES, SCORE_PLAIN = 8.0, 0.5
#: reading in 16 bits, writing the quantized operand and its transpose
CAST_BYTES = 4.0
#: fused attention runs 2.5 forward passes' FLOPs backward (recomputed scores; Dao 2023)
FLASH_BACKWARD, PLAIN_BACKWARD = 2.5, 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """Seconds a layer and micro-batch, recompute included; ``attention`` is the core's share.

    ``launch``: what the device waits for its host, beside ``compute`` and ``memory``.
    """

    compute: Number
    memory: Number
    launch: Number
    attention: Number
    head_compute: Number
    head_memory: Number


def layer_times(
    shape: ModelShape, rates: Rates, axes: Layout, how: StepRecipe, c: Coefficients, tokens: Number
) -> Layer:
    """Compute and memory time of a mean layer and of the logits, ``tokens`` a micro-batch."""
    # passes of forward's cost: backward one for the input's gradient, one for that of the weights
    forward, backward = how.forward, how.backward
    again = forward + backward * axes.full
    others = ALTERNATE * backward * axes.selective * how.alternate
    weights_passes = again + others + backward + how.weights
    # selective recompute beside fused attention: norms and activation functions once more
    some = SELECTIVE_PASSES * axes.selective * how.flash
    other_passes = again + backward * (2.0 + some)
    linear, traffic = _linear(shape, rates, axes, c, tokens)
    routed, routed_traffic = _experts(shape, rates, axes, c, tokens)
    core, core_traffic = _attention(shape, rates, axes, how, c, tokens)
    bandwidth = rates.bandwidth * c.bandwidth
    touched = _elementwise(shape, rates, axes, how, c, tokens)
    memory = weights_passes * traffic + other_passes * touched / bandwidth
    memory = memory + core_traffic / bandwidth
    compute = weights_passes * linear + core
    extra, extra_memory = _adapters(shape, rates, axes, how, c, tokens)
    compute = compute + (again + 2.0 * backward) * extra
    memory = memory + (again + 2.0 * backward) * extra_memory
    memory = memory + (again + backward) * _unpacking(shape, rates, axes, how, c)
    # the host runs ahead of the device unless the device is the faster of the two
    device = compute + memory
    host = _host(shape, rates, axes, how, c, again)
    launch = (device**SHARP + host**SHARP) ** (1.0 / SHARP) - device
    # it waits for the router to say how many tokens each expert gets, and launches these one after
    # the other: each its matmuls, in 8 and 4 bits with casts of their operands
    local = shape.moe_share * shape.experts / axes.expert
    kernels = local * c.expert_kernels * (1.0 + CAST_KERNELS * rates.low)
    experts = weights_passes * routed
    compute = compute + experts
    memory = memory + weights_passes * routed_traffic
    waits = rates.eager * c.expert_launch * kernels - experts - weights_passes * routed_traffic
    launch = launch + np.maximum(waits, 0.0)
    head_compute, head_memory = _logits(shape, rates, axes, how, c, tokens)
    return Layer(
        compute=compute,
        memory=memory,
        launch=launch,
        attention=core,
        head_compute=head_compute,
        head_memory=head_memory,
    )


def _host(
    shape: ModelShape, rates: Rates, axes: Layout, how: StepRecipe, c: Coefficients, again: Number
) -> Number:
    """Seconds of the host a layer: launching kernels and collectives, and sharding around it."""
    backward = how.backward
    rough, (there, back) = how.plain * shape.gated, GATED_KERNELS
    kernels = (how.kernels_forward + rough * there) * again
    kernels = kernels + (how.kernels_backward + rough * back) * backward
    adapted, (there, back) = how.adapted / shape.layers, ADAPTER_KERNELS
    kernels = kernels + adapted * (there * again + back * backward)
    through = again + backward
    kernels = kernels + UNPACK_KERNELS * np.minimum(how.unpack_bytes, 1.0) * through
    each = c.kernel + how.framework * (c.launch - c.kernel) + how.fused * (c.module - c.kernel)
    hooks = how.hooks * np.where(axes.zero > 2.5, 1.0, 0.0) * c.hook * through
    calls = 2.0 * through * np.minimum(axes.tensor - 1.0, 1.0) * (1.0 + axes.sequence_parallel)
    return rates.eager * (kernels * each + hooks + calls * c.call)


def _adapters(
    shape: ModelShape, rates: Rates, axes: Layout, how: StepRecipe, c: Coefficients, tokens: Number
) -> tuple[Number, Number]:
    """Seconds of a layer's adapters, a pass: products of few columns, and what they move."""
    here = tokens * shape.filled / (shape.layers * axes.tensor)
    seconds = here * how.adapter_flops / (rates.peak_base * c.matmul_base * 0.5)
    return seconds, here * how.adapter_bytes * c.adapter / (rates.bandwidth * c.bandwidth)


def _unpacking(
    shape: ModelShape, rates: Rates, axes: Layout, how: StepRecipe, c: Coefficients
) -> Number:
    """Seconds of writing a layer's quantised weights out in 16 bits, a pass."""
    held = shape.attention_weights + shape.mlp_weights + shape.expert_stored / axes.expert
    moved = held / axes.tensor * how.unpack_bytes * c.unpack
    return moved / (rates.bandwidth * c.bandwidth)


def _linear(
    shape: ModelShape, rates: Rates, axes: Layout, c: Coefficients, tokens: Number
) -> tuple[Number, Number]:
    """Seconds of a layer's dense matmuls forward, at the large-size rate and the rest."""
    t, d = axes.tensor, shape.hidden
    dense = (shape.attention_weights + shape.mlp_weights) / t
    size = rates.activation_bytes * (1.0 - 0.5 * rates.low)
    wide = (shape.heads + 2.0 * shape.kv_heads) * shape.head_dim + shape.mlp_weights / d
    moved = dense + tokens * shape.filled * (3.0 * d + 1.5 * wide / t)
    rate = rates.peak * c.matmul
    seconds = 2.0 * tokens * dense / rate
    exposed = c.traffic / (rates.bandwidth * c.bandwidth)
    # what makes a narrow matmul slower, and ramp-up and tail of four: a saturating efficiency
    rest = size * moved * exposed + 4.0 * c.matmul_start
    other = tokens * shape.other_flops / t / (rates.peak_base * c.matmul_base * 0.5)
    return seconds, rest + other


def _experts(
    shape: ModelShape, rates: Rates, axes: Layout, c: Coefficients, tokens: Number
) -> tuple[Number, Number]:
    """Seconds of a layer's routed experts forward, at the large-size rate and the rest.

    Tokens come from all members of the expert group, so that each expert sees tokens · k · EP / E
    of them; its weights are read once a micro-batch.
    """
    t = axes.tensor
    size = rates.activation_bytes * (1.0 - 0.5 * rates.low)
    here = shape.expert_stored / (axes.expert * t)
    again = tokens * shape.moe_share * shape.experts_per_token
    wide = 1.5 * (2.0 + shape.gated) * shape.expert_ffn / t
    moved = size * (here + again * (2.0 * shape.hidden + wide))
    rate = rates.peak * c.matmul * c.expert_matmul
    seconds = 2.0 * tokens * shape.expert_active / t * c.imbalance / rate
    exposed = c.traffic / (rates.bandwidth * c.bandwidth)
    return seconds, moved * exposed + 2.0 * shape.moe_share * c.matmul_start


def _attention(
    shape: ModelShape, rates: Rates, axes: Layout, how: StepRecipe, c: Coefficients, tokens: Number
) -> tuple[Number, Number]:
    """Seconds of attention's core, all passes, and bytes of its score matrix where not fused.

    Fused: a score costs its products and an exponential, for which an H100 has 1/256 of the rate
    (Shah et al. 2024, FlashAttention-3, arXiv 2407.08608, section 3.1): narrow heads are slower;
    and tiles that a mask cuts are computed whole: short sequences and narrow windows are slower.
    """
    t = axes.tensor
    plain = 1.0 - how.flash
    width = shape.score_width + how.flash * c.softmax * shape.heads
    flops = 2.0 * tokens * width * (shape.keys + how.flash * c.tile) / t
    backward = FLASH_BACKWARD * how.flash + PLAIN_BACKWARD * plain
    # unfused attention computes the masked half too
    flops = flops * (1.0 + plain * (shape.keys_unfused / shape.keys - 1.0))
    fused = c.attention * (1.0 + how.older * (c.attention_older - 1.0))
    again = np.maximum(axes.full, axes.selective * plain)
    fused = fused / rates.vector_bound
    rate = rates.peak_base * (fused * how.flash + 0.6 * c.matmul_base * plain)
    passes = how.forward + how.backward * (backward + again)
    scores = plain * tokens * shape.heads / t * shape.keys_unfused
    written = how.forward + how.backward * (1.0 + again)
    moved = scores * rates.activation_bytes * SCORE_PASSES * (1.0 + SCORE_PLAIN * how.plain)
    moved = moved * written
    return passes * flops / rate, moved


def _elementwise(
    shape: ModelShape, rates: Rates, axes: Layout, how: StepRecipe, c: Coefficients, tokens: Number
) -> Number:
    """Bytes of norms, residuals, activation functions, routing and casts, forward."""
    t = axes.tensor
    split = 1.0 + axes.sequence_parallel * (1.0 / t - 1.0)
    routed = shape.moe_share * shape.experts_per_token
    inner = (1.0 - shape.moe_share) * shape.ffn + shape.moe_share * (
        shape.shared_ffn + shape.experts_per_token * shape.expert_ffn
    )
    hidden = shape.hidden * (HIDDEN_PASSES * split + PERMUTE_PASSES * routed)
    states = hidden + INNER_PASSES * (1.0 + shape.gated) * inner / t
    wide = (shape.heads + shape.kv_heads) * shape.head_dim / t + 3.0 * shape.hidden
    wide = wide + 2.0 * routed * shape.hidden  # what experts get, and the gradient of their output
    cast = rates.low * c.cast * CAST_BYTES * (wide + (2.0 + shape.gated) * inner / t)
    scale = c.elementwise * (1.0 + how.plain * shape.gated * (c.plain_traffic - 1.0))
    return tokens * shape.filled * (states * rates.activation_bytes * scale + cast)


def _logits(
    shape: ModelShape, rates: Rates, axes: Layout, how: StepRecipe, c: Coefficients, tokens: Number
) -> tuple[Number, Number]:
    """Seconds of the logits and the loss: matmul in 16 bits, and their traffic."""
    t = axes.tensor
    passes = how.forward + how.head
    seconds = passes * 2.0 * tokens * shape.head_weights / t / (rates.peak_base * c.matmul_base)
    moved = tokens * shape.answered * shape.vocabulary / t * how.logit_bytes
    moved = moved * (how.forward + np.minimum(how.head, how.updates)) / 2.0
    return seconds, moved / (rates.bandwidth * c.bandwidth)
