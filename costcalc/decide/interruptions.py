"""Instances that may be taken away: how long a run then takes, and how often to save.

Sources: Young 1974, A first order approximation to the optimum checkpoint interval (CACM 17(9));
Daly 2006, A higher order estimate of the optimum checkpoint interval (FGCS 22(3)), its expected
time with restarts, and the interval of equation 37.  Interruptions come at a constant rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from costcalc.base.errors import wrong
from costcalc.base.numbers import Number

SOURCES = (
    "Young 1974, CACM 17(9):530-531, https://doi.org/10.1145/361147.361115",
    "Daly 2006, FGCS 22(3):303-312, https://doi.org/10.1016/j.future.2004.11.016",
)
_MOMENT = 1e-3  # seconds: nothing is saved faster, or more often


@dataclass(frozen=True, slots=True, kw_only=True)
class Interrupted:
    """A run under interruptions; seconds.  ``without`` is its expected time if nothing is saved."""

    work: float
    interval: float
    expected: float
    without: float
    interruptions: float

    @property
    def factor(self) -> float:
        """Expected billed time over the time of the work."""
        return self.expected / self.work


def best_interval(mean_time: Number, checkpoint: float) -> Number:
    """Seconds of work between checkpoints that lose least (Daly 2006, equation 37), also of arrays.

    Young's is sqrt(2 · checkpoint · mean_time): 1,200 s for a checkpoint of 60 s every 12,000 s.

    >>> round(float(best_interval(12_000.0, 60.0)))
    1160
    """
    x = checkpoint / (2 * mean_time)
    daly = np.sqrt(2 * checkpoint * mean_time) * (1 + np.sqrt(x) / 3 + x / 9) - checkpoint
    found: Number = np.where(x >= 1, mean_time, daly)
    return found


class _Taken(NamedTuple):
    """Seconds that a run is expected to take, what it takes unsaved, and between checkpoints."""

    expected: Number
    without: Number
    interval: Number


def _taken(
    work: Number, rate: Number, *, checkpoint: float, restart: float, interval: float | None
) -> _Taken:
    """Daly's expected time; without end where it is beyond what a double holds."""
    mean = 1.0 / np.maximum(rate, 1e-30)
    best = best_interval(mean, max(checkpoint, _MOMENT)) if interval is None else interval
    chosen = np.clip(best, _MOMENT, work)
    with np.errstate(over="ignore", invalid="ignore"):
        again = mean * np.exp(restart / mean)
        expected = again * np.expm1((chosen + checkpoint) / mean) * work / chosen
        without = again * np.expm1(work / mean)
    if interval is None:  # so short that no checkpoint pays
        chosen = np.where(without <= expected, work, chosen)
        expected = np.minimum(expected, without)
    return _Taken(np.maximum(expected, work), without, chosen)


def interrupted(
    work: float, *, rate: float, checkpoint: float, restart: float, interval: float | None = None
) -> Interrupted:
    """The expected time of ``work`` seconds at ``rate`` interruptions a second.

    Raises:
        InputError: a figure that is negative, or no time at all.

    >>> round(interrupted(3.6e5, rate=1 / 36_000, checkpoint=60, restart=300).factor, 3)
    1.069
    """
    for name, value, least in (
        ("work", work, 1e-9),
        ("rate", rate, 0.0),
        ("checkpoint", checkpoint, 0.0),
        ("restart", restart, 0.0),
    ):
        if not (math.isfinite(value) and value >= least):
            raise wrong(
                f"spot.{name}", f"expected {'more than 0' if least else '0 or more'}; got {value:g}"
            )
    if rate == 0:
        return Interrupted(work=work, interval=work, expected=work, without=work, interruptions=0.0)
    found = _taken(work, rate, checkpoint=checkpoint, restart=restart, interval=interval)
    return Interrupted(
        work=work,
        interval=float(found.interval),
        expected=float(found.expected),
        without=float(found.without),
        interruptions=float(found.expected) * rate,
    )


def stretched(
    work: Number, rate: Number, *, checkpoint: float, restart: float, interval: float | None = None
) -> Number:
    """How many times the time of its work a run is expected to take, on numbers or arrays.

    The same as :func:`interrupted` says of one; ``work`` in seconds, ``rate`` a second.

    >>> round(float(stretched(3.6e5, 1 / 36_000, checkpoint=60, restart=300)), 3)
    1.069
    """
    found = _taken(work, rate, checkpoint=checkpoint, restart=restart, interval=interval)
    return found.expected / work
