"""Accelerate: the figures go to whatever trackers the user gave the Accelerator.

Its trackers receive metrics and measure nothing, so this is a sink:
``costcalc.track(…, callback=sink(accelerator))``.
"""

from __future__ import annotations

from collections.abc import Callable

from accelerate import Accelerator


def sink(accelerator: Accelerator) -> Callable[[dict[str, float]], None]:
    """A callback that logs to each tracker of the Accelerator, on its main process, by step.

    In Weights & Biases the figures join the row that the script logs next, so that its own rows
    stay as they are.
    """

    def log(metrics: dict[str, float]) -> None:
        step = int(metrics.get("costcalc/steps", 0))
        for tracker in accelerator.trackers:
            if tracker.name == "wandb":  # whose rows are in order: a step of ours would drop one
                tracker.log(metrics, commit=False)
            else:
                tracker.log(metrics, step=step)

    return log
