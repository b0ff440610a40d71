"""MLflow: ``costcalc.track(…, callback=sink())`` within a run, on whatever server is configured."""

from __future__ import annotations

import time
from collections.abc import Callable

import mlflow
from mlflow.entities import Metric


def sink(run_id: str | None = None) -> Callable[[dict[str, float]], None]:
    """A callback that logs to a run (default: the active one), by step.

    The run is named here, since MLflow's active run is a thread's own.

    Raises:
        RuntimeError: there is no active run: call ``mlflow.start_run`` first.
    """
    active = mlflow.active_run()
    found = run_id or (active.info.run_id if active else None)
    if found is None:
        raise RuntimeError("no active run of MLflow: call mlflow.start_run first, or give run_id=")
    client = mlflow.MlflowClient()

    def log(metrics: dict[str, float]) -> None:
        now, step = int(time.time() * 1e3), int(metrics.get("costcalc/steps", 0))
        client.log_batch(found, [Metric(name, value, now, step) for name, value in metrics.items()])

    return log
