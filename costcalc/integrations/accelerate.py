"""Accelerate: the figures go to whatever trackers the user gave the Accelerator.

Its trackers receive metrics and measure nothing, so this is a sink:
``costcalc.track(…, callback=sink(accelerator))``.
"""

from __future__ import annotations

from collections.abc import Callable

from accelerate import Accelerator


def sink(accelerator: Accelerator) -> Callable[[dict[str, float]], None]:
    """A callback that logs by ``accelerator.log``, on its main process, by step."""

    def log(metrics: dict[str, float]) -> None:
        accelerator.log(metrics, step=int(metrics.get("costcalc/steps", 0)))

    return log
