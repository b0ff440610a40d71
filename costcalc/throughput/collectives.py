"""The time of collective communication over the fabric inside a domain and the network outside.

Ring collectives: an all-gather or a reduce-scatter of B bytes over n members moves (n−1)/n·B over
each device's link, an all-reduce twice that (Thakur et al. 2005; NCCL's "bus bandwidth").
"""

from __future__ import annotations

import numpy as np

from costcalc.base.numbers import Number


def group_rate(
    size: Number, inside: Number, scale_up: Number, scale_out: Number
) -> tuple[Number, Number]:
    """Bytes a second that a ring of ``size`` members gets, and 1 where it leaves the domain.

    ``inside``: members of the group within one scale-up domain.  Across domains a ring may use the
    network cards of all its members inside: min(scale_up, inside · scale_out).

    >>> [float(v) for v in group_rate(16.0, 8.0, 400e9, 40e9)]
    [320000000000.0, 1.0]
    """
    leaves = np.where(size > inside, 1.0, 0.0)
    outer = np.minimum(scale_up, inside * scale_out)
    return scale_up + leaves * (outer - scale_up), leaves


def torus_axes(size: Number, chips: Number, dims: Number) -> Number:
    """Axes of a torus of ``chips`` that a group of ``size`` neighbours lies along.

    A slice is as cubic as powers of two allow: 256 chips in two dimensions are 16 × 16, 512 in
    three 8 × 8 × 8 (Cloud TPU documentation, topologies).

    >>> [float(torus_axes(n, 512.0, 3.0)) for n in (1.0, 8.0, 64.0, 512.0)]
    [0.0, 1.0, 2.0, 3.0]
    """
    side = np.maximum(np.ceil(np.log2(np.maximum(chips, 2.0)) / dims - 1e-9), 1.0)
    return np.minimum(np.ceil(np.log2(size) / side - 1e-9), dims) + 0.0


def torus_share(axes: Number, chips: Number, dims: Number) -> Number:
    """Share of a chip's links that a collective over ``axes`` of a torus drives.

    All links of its axes both ways; half where the axes do not close to a ring: in slices under 256
    chips in two dimensions and under 64 in three (Austin et al. 2025, How to Scale Your Model,
    chapter 3; Cloud TPU documentation).

    >>> float(torus_share(1.0, 256.0, 2.0)), float(torus_share(2.0, 64.0, 2.0))
    (0.5, 0.5)
    """
    closed = np.where(chips >= np.where(dims > 2.5, 64.0, 256.0), 1.0, 0.5)
    return np.maximum(axes, 1.0) / dims * closed


def torus_exchange(size: Number, axes: Number, dims: Number) -> Number:
    """Share of a chip's links that an all-to-all of ``size`` members along ``axes`` gets.

    A byte goes a quarter of the side of a ring on average along each axis, so that a side of s
    members carries s/4 of the traffic over the two links of an axis (Austin et al. 2025, How to
    Scale Your Model, chapter 3: an all-to-all takes a quarter of an all-gather).

    >>> float(torus_exchange(64.0, 2.0, 3.0)), float(torus_exchange(4.0, 1.0, 2.0))
    (0.16666666666666666, 0.5)
    """
    side = size ** (1.0 / np.maximum(axes, 1.0))
    return np.minimum(4.0 / side, 1.0) / dims


def gather_time(size: Number, volume: Number, rate: Number, latency: Number) -> Number:
    """Seconds of one all-gather or reduce-scatter of ``volume`` bytes over ``size`` members.

    >>> float(gather_time(8.0, 8e9, 1e9, 0.0))
    7.0
    """
    others = size - 1.0
    return others / size * volume / rate + np.minimum(others, 1.0) * latency
