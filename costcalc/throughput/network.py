"""What communication costs a step beyond what computation hides, by axis of the layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from costcalc.throughput.axes import Axes
from costcalc.throughput.coefficients import Coefficients, Rates
from costcalc.throughput.collectives import gather_time, group_rate
from costcalc.throughput.shape import ModelShape

Number = Any  # float or NumPy array of floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Rates and latencies of each group of a layout; byte/s and seconds.

    Devices are numbered tensor first, then context, data and pipeline (Megatron-LM's order), so
    that tensor groups fill a scale-up domain first.
    """

    up: Number
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


def network_of(rates: Rates, axes: Axes, c: Coefficients) -> Network:
    """Who talks to whom over which link."""
    up, out = rates.scale_up * c.scale_up, rates.scale_out * c.scale_out
    t, cp = axes.tensor, axes.context
    domain = rates.domain
    tensor_rate, far = group_rate(t, np.minimum(t, domain), up, out)
    beside = np.maximum(domain / t, 1.0)
    context_rate, context_far = group_rate(cp, np.minimum(cp, beside), up, out)
    group = axes.data * cp
    data_rate, data_far = group_rate(group, np.minimum(group, beside), up, out)
    across = np.where(axes.devices > domain, 1.0, 0.0)
    more = c.latency_out - c.latency_up
    return Network(
        up=up,
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
    )


def tensor_time(
    shape: ModelShape, axes: Axes, net: Network, c: Coefficients, tokens: Number
) -> Number:
    """Exposed seconds a layer: two all-reduces forward, two backward, two more with recompute.

    Sequence parallelism replaces each by a reduce-scatter and an all-gather: the same bytes
    (Korthikanti et al. 2022, section 4.2.2).
    """
    volume = tokens * shape.hidden * net.bytes
    times = 2.0 * (2.0 + axes.full)
    one = 2.0 * gather_time(axes.tensor, volume, net.tensor_rate, net.tensor_latency)
    return c.tensor_exposed * times * one


def context_time(
    shape: ModelShape, axes: Axes, net: Network, c: Coefficients, tokens: Number, core: Number
) -> Number:
    """Exposed seconds a layer of passing keys and values round the ring.

    Keys and values of all other members forward, again and with their gradients backward; hidden
    behind attention's own compute (``core``) as far as ``context_exposed`` allows.
    """
    kv = 2.0 * tokens * axes.context * shape.kv_heads * shape.head_dim / axes.tensor * net.bytes
    times = 3.0 + axes.full
    one = gather_time(axes.context, kv, net.context_rate, net.context_latency)
    moved = times * one
    return np.maximum(moved - (1.0 - c.context_exposed) * core, c.context_exposed * moved)


def expert_time(
    shape: ModelShape, axes: Axes, net: Network, c: Coefficients, tokens: Number
) -> Number:
    """Exposed seconds a layer of the all-to-alls that take tokens to their experts and back.

    Two forward, two backward, two more with full recompute.  The expert group is consecutive
    devices.  A token is sent once to each domain that holds one of its experts, and handed on
    there over the fabric (DeepSeek-AI 2024, arXiv 2412.19437, section 3.2.2): k experts drawn
    evenly from D domains stand in D·(1 − (1 − 1/D)^k) of them.
    """
    ep = axes.expert
    inside = np.minimum(ep, net.domain)
    domains = ep / inside
    chosen = np.maximum(shape.experts_per_token, 1.0)
    visited = domains * (1.0 - (1.0 - 1.0 / domains) ** chosen)
    split = 1.0 + axes.sequence_parallel * (1.0 / axes.tensor - 1.0)
    sent = tokens * split * shape.hidden * net.bytes * c.imbalance
    within = sent * chosen * (1.0 - 1.0 / inside) / net.up
    across = sent * visited * (1.0 - 1.0 / domains) / net.out
    latency = c.latency_up + np.where(ep > inside, c.latency_out - c.latency_up, 0.0)
    one = np.maximum(within, across) + np.minimum(ep - 1.0, 1.0) * latency
    return c.expert_exposed * shape.moe_share * (4.0 + 2.0 * axes.full) * one


def pipeline_time(
    shape: ModelShape, axes: Axes, net: Network, c: Coefficients, tokens: Number
) -> Number:
    """Exposed seconds a micro-batch of handing activations and gradients to the next stage."""
    split = 1.0 + axes.sequence_parallel * (1.0 / axes.tensor - 1.0)
    volume = tokens * split * shape.hidden * net.bytes
    one = volume / net.pipeline_rate + net.pipeline_latency
    has = np.minimum(axes.pipeline - 1.0, 1.0)
    return has * c.pipeline_exposed * 2.0 * axes.virtual_pipeline * one


def _held(shape: ModelShape, axes: Axes) -> tuple[Number, Number]:
    """Parameters of a device before sharding: dense ones, and routed experts."""
    parts = axes.tensor * axes.pipeline
    experts = shape.layers * shape.expert_stored
    return (shape.parameters - experts) / parts, experts / (parts * axes.expert)


def shard_time(
    shape: ModelShape, axes: Axes, net: Network, c: Coefficients, busy: Number, frozen: Number
) -> Number:
    """Exposed seconds a micro-batch of sharded weights: two gathers and a reduce-scatter.

    ``busy``: the seconds of compute that hide them.  HSDP shards inside the domain only.
    """
    dense, routed = _held(shape, axes)
    group = axes.data * axes.context
    inside = np.minimum(group, np.maximum(net.domain / axes.tensor, 1.0))
    size = group + axes.hybrid * (inside - group)
    rate = net.data_rate + axes.hybrid * (net.up - net.data_rate)
    times = 3.0 - frozen
    moved = times * gather_time(size, dense * net.bytes, rate, 0.0)
    moved = moved + shape.layers / axes.pipeline * times * net.data_latency
    over = np.maximum(group / axes.expert * axes.tensor, 1.0)
    moved = moved + times * gather_time(over, routed * net.bytes, rate, 0.0)
    hidden = np.maximum(moved - (1.0 - c.shard_exposed) * busy, c.shard_exposed * moved)
    return np.where(axes.zero > 2.5, hidden, 0.0)


def gradient_time(
    shape: ModelShape,
    axes: Axes,
    net: Network,
    c: Coefficients,
    busy: Number,
    training: Any,
    micro_batches: Number,
) -> Number:
    """Exposed seconds a step of reducing gradients (and gathering updated weights).

    A ring all-reduce, or a reduce-scatter of gradients and an all-gather of 16-bit weights, hidden
    behind the last micro-batch's backward pass except for the share ``data_exposed``.
    """
    dense, routed = _held(shape, axes)
    group = axes.data * axes.context
    wire = c.gradient_bytes + np.where(axes.zero > 0, net.bytes, c.gradient_bytes)
    over = np.maximum(group / axes.expert * axes.tensor, 1.0)
    rate, far = net.data_rate, net.data_latency
    one = gather_time(group, dense, rate / wire, far) + gather_time(over, routed, rate / wire, far)
    reduced = training.trainable * one
    hidden = (1.0 - c.data_exposed) * reduced
    late = np.maximum(hidden - 0.6 * busy * np.minimum(micro_batches, 2.0), 0.0)
    exposed = c.data_exposed * reduced + late
    # FSDP reduces inside shard_time; HSDP reduces its shard between domains once a step
    shared = np.where(axes.hybrid > 0, 1.0 / np.maximum(net.domain, 1.0), 0.0)
    return np.where(axes.zero > 2.5, shared * exposed, exposed)
