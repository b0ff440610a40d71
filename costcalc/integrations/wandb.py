"""Weights & Biases: ``costcalc.track(…, callback=sink())`` after ``wandb.init``."""

from __future__ import annotations

from collections.abc import Callable

import wandb


def sink(run: wandb.Run | None = None) -> Callable[[dict[str, float]], None]:
    """A callback that logs to a run (default: the one that is initialised), and to its summary.

    The figures join the row that the script logs next, so that its own steps stay as they are.

    Raises:
        RuntimeError: there is no run: call ``wandb.init`` first.
    """
    found = run or wandb.run
    if found is None:
        raise RuntimeError("no run of Weights & Biases: call wandb.init first, or give run=")

    def log(metrics: dict[str, float]) -> None:
        found.log(metrics, commit=False)
        found.summary.update(metrics)

    return log
