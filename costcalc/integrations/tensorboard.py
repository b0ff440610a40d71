"""TensorBoard: ``costcalc.track(…, callback=sink(writer))``, with the writer that is there."""

from __future__ import annotations

from collections.abc import Callable

from torch.utils.tensorboard import SummaryWriter


def sink(writer: SummaryWriter) -> Callable[[dict[str, float]], None]:
    """A callback that adds a scalar a figure, by step."""

    def log(metrics: dict[str, float]) -> None:
        step = int(metrics.get("costcalc/steps", 0))
        for name, value in metrics.items():
            writer.add_scalar(name, value, step)

    return log
