"""What communication costs a step beyond what computation hides, by axis of the layout."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from costcalc.base.numbers import Number
from costcalc.throughput.coefficients import Coefficients, Rates
from costcalc.throughput.collectives import (
    gather_time,
    group_rate,
    torus_axes,
    torus_exchange,
    torus_share,
)
from costcalc.throughput.layout import Layout, StepRecipe
from costcalc.throughput.shape import ModelShape

#: what communication beside computation costs it: 20 of the 132 SMs of an H800 (DeepSeek-AI 2024,
#: arXiv 2412.19437, section 3.2.2)
EXPERT_BESIDE = 20.0 / 132.0
#: one way in 8 bits and the other in 16: a quarter less than both in 16; of experts' traffic
#: (section 3.3.3 there) and of tensor parallelism's
NARROW = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Rates and latencies of each group of a layout; byte/s and seconds.

    Devices are numbered tensor first, then context, data and pipeline (Megatron-LM's order), so
    that tensor groups fill a scale-up domain first.  ``..._exposed``: the share of a group's
    traffic that computation does not hide; all of it where the software waits for it.
    """

    up_data: Number
    up_expert: Number
    out: Number
    domain: Number
    tensor_rate: Number
    tensor_latency: Number
    context_rate: Number
    context_latency: Number
    data_rate: Number
    data_latency: Number
    pipeline_rate: Number
    pipeline_latency: Number
    bytes: Number
    gradient_bytes: Number
    tensor_exposed: Number
    pipeline_exposed: Number
    data_exposed: Number
    expert_exposed: Number
    expert_bytes: Number
    tensor_bytes: Number
    shard_exposed: Number


def network_of(rates: Rates, axes: Layout, c: Coefficients, how: StepRecipe) -> Network:
    """Who talks to whom over which link, and what of it shows."""
    overlap, dual = how.overlap, how.expert_overlap
    share = c.scale_up + rates.through_host * (c.scale_host - c.scale_up)
    up, out = rates.scale_up * share, rates.scale_out * c.scale_out
    t, cp = axes.tensor, axes.context
    domain = rates.domain
    up_tensor, up_context, up_data, up_expert = _fabric(rates, axes, up)
    tensor_rate, far = group_rate(t, np.minimum(t, domain), up_tensor, out)
    beside = np.maximum(domain / t, 1.0)
    context_rate, context_far = group_rate(cp, np.minimum(cp, beside), up_context, out)
    group = axes.data * cp
    data_rate, data_far = group_rate(group, np.minimum(group, beside), up_data, out)
    across = np.where(axes.devices > domain, 1.0, 0.0)
    more = c.latency_out - c.latency_up
    return Network(
        up_data=up_data,
        up_expert=up_expert,
        out=out,
        domain=domain,
        tensor_rate=tensor_rate,
        tensor_latency=c.latency_up + far * more,
        context_rate=context_rate,
        context_latency=c.latency_up + context_far * more,
        data_rate=data_rate,
        data_latency=c.latency_up + data_far * more,
        pipeline_rate=up + across * (out - up),
        pipeline_latency=c.latency_up + across * more,
        bytes=rates.activation_bytes,
        gradient_bytes=rates.gradient_bytes,
        tensor_exposed=1.0 - overlap * (1.0 - c.tensor_exposed),
        pipeline_exposed=1.0 - overlap * (1.0 - c.pipeline_exposed),
        data_exposed=1.0 - overlap * (1.0 - c.data_exposed),
        expert_exposed=1.0
        - overlap * (1.0 - c.expert_exposed) * (1.0 - dual)
        - dual * (1.0 - EXPERT_BESIDE),
        expert_bytes=rates.activation_bytes * (1.0 - dual * rates.low * NARROW),
        tensor_bytes=rates.activation_bytes * (1.0 - NARROW * rates.low),
        shard_exposed=1.0
        - overlap * (1.0 - c.shard_exposed - how.hooks * (c.hooked_exposed - c.shard_exposed)),
    )


def _fabric(rates: Rates, axes: Layout, up: Number) -> tuple[Number, Number, Number, Number]:
    """Rate inside the domain of the tensor, context, data and expert groups.

    A switch gives each group all links of a device; on a torus a group has those of the axes that
    it lies along, tensor first, and data what is left.
    """
    dims = rates.torus
    if np.ndim(dims) == 0 and dims == 0:
        return up, up, up, up
    known = np.maximum(dims, 1.0)
    chips = np.minimum(axes.devices, rates.domain)
    first = torus_axes(axes.tensor, chips, known)
    both = torus_axes(axes.tensor * axes.context, chips, known)
    left = np.maximum(known - np.minimum(both, known - 1.0), 1.0)
    shares = [torus_share(n, chips, known) for n in (first, both - first, left)]
    inside = np.minimum(axes.expert, chips)
    shares.append(torus_exchange(inside, torus_axes(inside, chips, known), known))
    tensor, context, data, expert = (
        up * np.where(np.asarray(dims) > 0, share, 1.0) for share in shares
    )
    return tensor, context, data, expert


def tensor_time(
    shape: ModelShape, axes: Layout, net: Network, tokens: Number, passes: Number
) -> Number:
    """Exposed seconds a layer: two all-reduces forward, two backward, two more with recompute.

    ``passes``: through a layer, either way.  Sequence parallelism replaces each by a reduce-scatter
    and an all-gather: the same bytes (Korthikanti et al. 2022, section 4.2.2).  In 8 and 4 bits
    what is gathered is gathered in 8 (Transformer Engine quantizes the input of a linear before),
    what is reduced in 16.
    """
    volume = tokens * shape.filled * shape.hidden * net.tensor_bytes
    times = 2.0 * passes
    one = 2.0 * gather_time(axes.tensor, volume, net.tensor_rate, net.tensor_latency)
    return net.tensor_exposed * times * one


def context_time(
    shape: ModelShape,
    axes: Layout,
    net: Network,
    c: Coefficients,
    tokens: Number,
    passes: Number,
    core: Number,
) -> Number:
    """Exposed seconds a layer of passing keys and values round the ring.

    Keys and values of all other members forward, again and with their gradients backward; hidden
    behind attention's own compute (``core``) as far as ``context_exposed`` allows.
    """
    kv = 2.0 * tokens * shape.filled * axes.context * shape.kv_heads * shape.head_dim
    kv = kv / axes.tensor * net.bytes
    moved = passes * gather_time(axes.context, kv, net.context_rate, net.context_latency)
    return np.maximum(moved - (1.0 - c.context_exposed) * core, c.context_exposed * moved)


def expert_time(
    shape: ModelShape,
    axes: Layout,
    net: Network,
    c: Coefficients,
    tokens: Number,
    passes: Number,
    busy: Number,
) -> Number:
    """Exposed seconds a layer of the all-to-alls that take tokens to their experts and back.

    Two forward, two backward, two more with full recompute.  The expert group is consecutive
    devices.  A token is sent once to each domain that holds one of its experts, and handed on
    there over the fabric (DeepSeek-AI 2024, arXiv 2412.19437, section 3.2.2): k experts drawn
    evenly from D domains stand in D·(1 − (1 − 1/D)^k) of them.  ``busy``: seconds of compute of
    another micro-batch that hide it where the software runs the two side by side (DualPipe, section
    3.2.1 there), at most but for the share ``expert_exposed``.
    """
    ep = axes.expert
    inside = np.minimum(ep, net.domain)
    domains = ep / inside
    chosen = np.maximum(shape.experts_per_token, 1.0)
    visited = domains * (1.0 - (1.0 - 1.0 / domains) ** chosen)
    split = 1.0 + axes.sequence_parallel * (1.0 / axes.tensor - 1.0)
    sent = tokens * shape.filled * split * shape.hidden * net.expert_bytes * c.imbalance
    within = sent * chosen * (1.0 - 1.0 / inside) / net.up_expert
    across = sent * visited * (1.0 - 1.0 / domains) / net.out
    latency = c.latency_up + np.where(ep > inside, c.latency_out - c.latency_up, 0.0)
    one = np.maximum(within, across) + np.minimum(ep - 1.0, 1.0) * latency
    moved = shape.moe_share * 2.0 * passes * one
    return np.maximum(moved - (1.0 - net.expert_exposed) * busy, net.expert_exposed * moved)


def pipeline_time(
    shape: ModelShape, axes: Layout, net: Network, tokens: Number, passes: Number
) -> Number:
    """Exposed seconds a micro-batch of handing activations and gradients to the next stage."""
    split = 1.0 + axes.sequence_parallel * (1.0 / axes.tensor - 1.0)
    volume = tokens * split * shape.hidden * net.bytes
    one = volume / net.pipeline_rate + net.pipeline_latency
    has = np.minimum(axes.pipeline - 1.0, 1.0)
    return has * net.pipeline_exposed * passes * axes.virtual_pipeline * one


def _held(shape: ModelShape, axes: Layout) -> tuple[Number, Number]:
    """Parameters of a device before sharding: dense ones, and routed experts."""
    parts = axes.tensor * axes.pipeline
    experts = shape.layers * shape.expert_stored
    return (shape.parameters - experts) / parts, experts / (parts * axes.expert)


def shard_time(
    shape: ModelShape, axes: Layout, net: Network, busy: Number, times: Number
) -> Number:
    """Exposed seconds a micro-batch of sharded weights: gathers and reduce-scatters.

    ``times``: how many, three for a pass forward and back (two where weights are frozen);
    ``busy``: the seconds of compute that hide them.  HSDP shards inside the domain only.
    """
    dense, routed = _held(shape, axes)
    group = axes.data * axes.context
    inside = np.minimum(group, np.maximum(net.domain / axes.tensor, 1.0))
    size = group + axes.hybrid * (inside - group)
    rate = net.data_rate + axes.hybrid * (net.up_data - net.data_rate)
    moved = times * gather_time(size, dense * net.bytes, rate, 0.0)
    moved = moved + shape.layers / axes.pipeline * times * net.data_latency
    over = np.maximum(group / axes.expert * axes.tensor, 1.0)
    moved = moved + times * gather_time(over, routed * net.bytes, rate, 0.0)
    beside = (1.0 - net.shard_exposed) * busy
    exposed = np.maximum(moved - beside, net.shard_exposed * moved)
    return np.where(axes.zero > 2.5, exposed, 0.0)


def shown(moved: Number, exposed: Number, beside: Number) -> Number:
    """Seconds of traffic that shows: a share that nothing hides, and what outlasts the work beside.

    >>> float(shown(10.0, 0.25, 6.0)), float(shown(10.0, 0.25, 9.0))
    (4.0, 2.5)
    """
    return exposed * moved + np.maximum((1.0 - exposed) * moved - beside, 0.0)


def replicas_time(net: Network, devices: float, parameters: float, busy: float) -> float:
    """Exposed seconds a step of adding up the gradients of replicas that each hold all of a model.

    A ring all-reduce, which is a reduce-scatter and an all-gather of the gradients, beside the
    backward pass: two thirds of what a step is ``busy``.
    """
    one = gather_time(devices, parameters * net.gradient_bytes, net.data_rate, net.data_latency)
    return float(shown(2.0 * one, net.data_exposed, 2.0 / 3.0 * busy))


def host_time(
    shape: ModelShape,
    axes: Layout,
    net: Network,
    how: StepRecipe,
    *,
    link: Number,
    busy: Number,
    passes: Number,
    micro_batches: Number,
    stored: Number,
) -> Number:
    """Seconds a micro-batch that a device waits for the ``link`` to its host (B/s, each way).

    Weights that live there come for each of ``passes``; their gradients go back, those of the last
    micro-batch with the update; activations (``stored`` bytes) go there and come back.  All of it
    runs beside what the device is ``busy`` with, where software overlaps at all (Rajbhandari
    et al. 2021, ZeRO-Infinity, arXiv:2104.07857, section 4).
    """
    dense, routed = _held(shape, axes)
    group = axes.data * axes.context
    inside = np.minimum(group, np.maximum(net.domain / axes.tensor, 1.0))
    size = group + axes.hybrid * (inside - group)
    over = np.maximum(size / axes.expert * axes.tensor, 1.0)
    whole, cut = dense + routed, dense / size + routed / over
    weights = passes * how.packed * np.where(axes.zero > 2.5, cut, whole)
    back = (micro_batches - 1.0) / micro_batches * how.trainable
    gradients = back * np.where(axes.zero > 1.5, cut, whole)
    moved = np.where(axes.hosted > 1.5, (weights + gradients) * net.bytes, 0.0)
    return np.maximum((moved + 2.0 * stored) / link - how.overlap * busy, 0.0)


def gradient_time(
    shape: ModelShape,
    axes: Layout,
    net: Network,
    busy: Number,
    how: StepRecipe,
    micro_batches: Number = 1.0,
) -> Number:
    """Exposed seconds a step of reducing gradients (and gathering updated weights).

    A ring all-reduce, or a reduce-scatter of gradients and an all-gather of 16-bit weights.  The
    first is hidden behind the backward pass of the last micro-batch, the second behind the forward
    pass of the next.  Where stages are interleaved, pipeline micro-batches run through the other
    chunks of a stage meanwhile: half of that on average.  What computation lasts is what hides,
    except for the share ``data_exposed``.  A device that keeps its part of the gradients alone
    (ZeRO-2, FSDP's SHARD_GRAD_OP) reduces them after each micro-batch (DeepSpeed, issue 2252).
    """
    dense, routed = _held(shape, axes)
    group = axes.data * axes.context
    sharded = np.where(axes.zero > 0, 1.0, 0.0)
    wire = net.gradient_bytes + sharded * net.bytes + (1.0 - sharded) * net.gradient_bytes
    over = np.maximum(group / axes.expert * axes.tensor, 1.0)
    rate, far = net.data_rate, net.data_latency
    one = gather_time(group, dense, rate / wire, far) + gather_time(over, routed, rate / wire, far)
    reduced = how.trainable * one
    drained = 1.0 + 0.5 * axes.pipeline * (1.0 - 1.0 / axes.virtual_pipeline)
    back = 2.0 * how.backward
    passes = (back + sharded) / (how.forward + back) / how.updates * drained
    exposed = shown(reduced, net.data_exposed, passes * busy)
    before = np.maximum(micro_batches / how.updates - 1.0, 0.0)
    each = shown(
        reduced * net.gradient_bytes / wire, net.data_exposed, back / (how.forward + back) * busy
    )
    exposed = exposed + np.where(np.abs(axes.zero - 2.0) < 0.5, before * each, 0.0)
    # FSDP reduces inside shard_time; HSDP reduces its shard between domains once a step
    shared = np.where(axes.hybrid > 0, 1.0 / np.maximum(net.domain, 1.0), 0.0)
    return how.updates * np.where(axes.zero > 2.5, shared * exposed, exposed)
