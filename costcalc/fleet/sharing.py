"""A node's meter shared among the jobs on it, step by step: never more than it says.

At each moment a job whose own boards are metered has what it is known to draw, as far as the node
drew that; the others have their devices' part of what is left, and what no job's devices had is
idle.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """A job on a node: from when to when, with how many of its devices on this node.

    ``watts``: what it draws on this node by a meter of its own; None: that is not known.
    """

    start: float
    end: float
    devices: float
    watts: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shared:
    """What came of it: joules of each job, seconds that were seen, and who drew less than known."""

    joules: Array
    seconds: Array
    beside: Array  # joules of the node while each job was there, whoever had them
    capped: NDArray[np.bool_]
    whole: float
    covered: float

    @property
    def given(self) -> float:
        """Joules of all jobs."""
        return float(self.joules.sum())


def shared(edges: Array, joules: Array, jobs: Sequence[Present], devices: float) -> Shared:
    """The energy of a node over steps, to its jobs; a step of NaN was not seen.

    ``edges``: the steps' ends, one more than ``joules``; ``devices`` that the node has.

    >>> two = [Present(start=0, end=10, devices=4), Present(start=5, end=10, devices=2)]
    >>> made = shared(np.array([0.0, 5.0, 10.0]), np.array([800.0, 800.0]), two, 8)
    >>> made.joules, made.whole - made.given
    (array([800., 200.]), 600.0)
    """
    length = np.diff(edges)
    seen = np.isfinite(joules)
    energy = np.where(seen, joules, 0.0)
    start = np.array([one.start for one in jobs])[:, None]
    end = np.array([one.end for one in jobs])[:, None]
    inside = np.clip(np.minimum(end, edges[1:]) - np.maximum(start, edges[:-1]), 0.0, None)
    inside = np.where(seen, inside, 0.0)
    own = np.array([one.watts is not None for one in jobs], dtype=bool)[:, None]
    held = np.array([one.devices for one in jobs])[:, None] * inside / length
    claims = np.array([one.watts or 0.0 for one in jobs])[:, None] * inside
    wanted = claims.sum(axis=0)
    most = np.maximum(wanted, energy)
    scale = np.divide(energy, most, out=np.ones_like(most), where=wanted > energy)
    taken = claims * scale
    left = np.maximum(energy - taken.sum(axis=0), 0.0)
    others = np.where(own, 0.0, held)
    room = np.maximum(devices - np.where(own, held, 0.0).sum(axis=0), others.sum(axis=0))
    part = left * np.divide(others, room, out=np.zeros_like(others), where=room > 0)
    return Shared(
        joules=(taken + part).sum(axis=1),
        seconds=inside.sum(axis=1),
        beside=(energy * inside / length).sum(axis=1),
        capped=np.logical_and(claims > 0, scale < 1).max(axis=1),
        whole=float(energy.sum()),
        covered=float(length[seen].sum()),
    )
