"""Pause and resume: above a threshold, or outside the cleanest hours of a longer window.

Source: Dodge et al. 2022, Measuring the Carbon Intensity of AI in Cloud Instances (FAccT,
arXiv 2206.05229): pause and resume.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_DONE = 1e-9  # of a step


@dataclass(frozen=True, slots=True, kw_only=True)
class Paused:
    """When a run is on: first and end in steps from the first that it may use, mean intensity."""

    first: float
    end: float
    mean: float
    pauses: int


def above(values: Array, steps: float, threshold: float, over: float = 0.0) -> Paused | None:
    """Running only while the intensity is at or below a threshold; None if it never ends so.

    ``over`` is the share of the first step that is over when it may begin.

    >>> above(np.array([400.0, 100.0, 900.0, 200.0]), 2.0, 200.0)
    Paused(first=1, end=4.0, mean=150.0, pauses=1)
    """
    on = (np.nan_to_num(values, nan=np.inf) <= threshold).astype(float)
    return _run(values, on, steps, over, in_order=True)


def cleanest(values: Array, steps: float, times: float, over: float = 0.0) -> Paused | None:
    """Running in the cleanest steps of ``times`` its duration; None if too few are known.

    ``over`` is the share of the first step that is over when it may begin.

    >>> cleanest(np.array([400.0, 100.0, 900.0, 200.0]), 2.0, 2.0)
    Paused(first=1, end=4.0, mean=150.0, pauses=1)
    """
    window = min(steps * times + over, float(len(values)))
    caps = np.clip(window - np.arange(len(values)), 0.0, 1.0)
    caps = np.where(caps > _DONE, caps, 0.0)
    return _run(values, np.where(np.isnan(values), 0.0, caps), steps, over, in_order=False)


def _run(values: Array, caps: Array, steps: float, over: float, *, in_order: bool) -> Paused | None:
    """A run of so many steps, of each at most its cap: in order of time, or cleanest first."""
    if over and len(caps):
        caps = caps.copy()
        caps[0] = max(caps[0] - over, 0.0)
    if caps.sum() < steps - _DONE:
        return None
    order = (
        np.arange(len(values))
        if in_order
        else np.argsort(np.nan_to_num(values, nan=np.inf), kind="stable")
    )
    before = np.concatenate([[0.0], np.cumsum(caps[order])])[:-1]
    used = np.zeros(len(values))
    used[order] = np.clip(steps - before, 0.0, caps[order])
    at = np.flatnonzero(used > _DONE)
    total = float((used[at] * values[at]).sum())
    begun = [over if one == 0 else float(one) for one in (at[0], at[-1])]
    return Paused(
        first=begun[0] if over else int(at[0]),
        end=begun[1] + float(used[at[-1]]),
        mean=total / steps,
        pauses=int((np.diff(at) > 1).sum()),
    )


def checked(times: float | None) -> str:
    """What is wrong with a stretch of the duration; empty where nothing is.

    >>> checked(2.0), checked(0.5)
    ('', 'expected 1 or more times the duration; got 0.5')
    """
    if times is None or (math.isfinite(times) and times >= 1.0):
        return ""
    return f"expected 1 or more times the duration; got {times:g}"
