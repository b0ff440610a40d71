"""Instances that may be taken away: how long a run then takes, and how often to save.

Sources: Young 1974, A first order approximation to the optimum checkpoint interval (CACM 17(9));
Daly 2006, A higher order estimate of the optimum checkpoint interval (FGCS 22(3)), its expected
time with restarts, and the interval of equation 37.  Interruptions come at a constant rate.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from costcalc.base.errors import wrong
from costcalc.base.numbers import Number

SOURCES = (
    "Young 1974, CACM 17(9):530-531, https://doi.org/10.1145/361147.361115",
    "Daly 2006, FGCS 22(3):303-312, https://doi.org/10.1016/j.future.2004.11.016",
)


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


def best_interval(mean_time: float, checkpoint: float) -> float:
    """Seconds of work between checkpoints that lose least (Daly 2006, equation 37).

    Young's is sqrt(2 · checkpoint · mean_time): 1,200 s for a checkpoint of 60 s every 12,000 s.

    >>> round(best_interval(12_000.0, 60.0))
    1160
    """
    if checkpoint >= 2 * mean_time:
        return mean_time
    x = checkpoint / (2 * mean_time)
    return math.sqrt(2 * checkpoint * mean_time) * (1 + math.sqrt(x) / 3 + x / 9) - checkpoint


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
    mean = 1.0 / rate
    chosen = interval if interval is not None else best_interval(mean, max(checkpoint, 1e-3))
    chosen = min(max(chosen, 1e-3), work)
    pieces = work / chosen
    expected = mean * _exp(restart / mean) * _grown((chosen + checkpoint) / mean) * pieces
    without = mean * _exp(restart / mean) * _grown(work / mean)
    if interval is None and without <= expected:  # so short that no checkpoint pays
        chosen, expected = work, without
    return Interrupted(
        work=work,
        interval=chosen,
        expected=max(expected, work),
        without=without,
        interruptions=max(expected, work) * rate,
    )


def _exp(x: float) -> float:
    return math.exp(x) if x < 700 else math.inf


def _grown(x: float) -> float:
    return math.expm1(x) if x < 700 else math.inf


def stretched(
    work: Number, rate: Number, *, checkpoint: float, restart: float, interval: float | None = None
) -> Number:
    """How many times the time of its work a run is expected to take, on numbers or arrays.

    The same as :func:`interrupted` says of one; ``work`` in seconds, ``rate`` a second.

    >>> round(float(stretched(3.6e5, 1 / 36_000, checkpoint=60, restart=300)), 3)
    1.069
    """
    mean = 1.0 / np.maximum(rate, 1e-30)
    with np.errstate(over="ignore", invalid="ignore"):
        save = max(checkpoint, 1e-3)
        x = save / (2 * mean)
        best = np.sqrt(2 * save * mean) * (1 + np.sqrt(x) / 3 + x / 9) - save
        best = np.where(save >= 2 * mean, mean, best)
        chosen = np.clip(best if interval is None else interval, 1e-3, work)
        again = mean * np.exp(restart / mean)
        expected = again * np.expm1((chosen + checkpoint) / mean) * work / chosen
        if interval is None:  # so short that no checkpoint pays
            expected = np.minimum(expected, again * np.expm1(work / mean))
        made: Number = np.maximum(expected / work, 1.0)
    return made
