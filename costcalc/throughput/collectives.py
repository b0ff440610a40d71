"""The time of collective communication over the fabric inside a domain and the network outside.

Ring collectives: an all-gather or a reduce-scatter of B bytes over n members moves (n−1)/n·B over
each device's link, an all-reduce twice that (Thakur et al. 2005; NCCL's "bus bandwidth").
"""

from __future__ import annotations

from typing import Any

import numpy as np

Number = Any  # float or NumPy array of floats


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


def gather_time(size: Number, volume: Number, rate: Number, latency: Number) -> Number:
    """Seconds of one all-gather or reduce-scatter of ``volume`` bytes over ``size`` members.

    >>> float(gather_time(8.0, 8e9, 1e9, 0.0))
    7.0
    """
    others = size - 1.0
    return others / size * volume / rate + np.minimum(others, 1.0) * latency


def all_to_all_time(
    size: Number,
    inside: Number,
    volume: Number,
    scale_up: Number,
    scale_out: Number,
    latency: Number,
) -> Number:
    """Seconds of an all-to-all in which each of ``size`` members sends ``volume`` bytes in all.

    Each member has its own network card: (size − inside)/size of the bytes leave the domain over
    it while the rest crosses the fabric; the slower of the two decides.

    >>> float(all_to_all_time(16.0, 8.0, 16e9, 8e9, 1e9, 0.0))
    8.0
    """
    within = (inside - 1.0) / size * volume / scale_up
    across = np.maximum(size - inside, 0.0) / size * volume / scale_out
    return np.maximum(within, across) + np.minimum(size - 1.0, 1.0) * latency
