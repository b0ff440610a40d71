"""CostCallback in a real Keras fit."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="torch, the backend of this test, is not installed")
os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="keras is not installed")

import numpy as np  # noqa: E402

import costcalc  # noqa: E402
from costcalc.base.reading import read_file  # noqa: E402
from costcalc.integrations.keras import CostCallback  # noqa: E402

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]

RUN = {"site": {"grid": "100 gCO2e/kWh", "pue": 1.2}}


DATA = np.ones((40, 4), dtype="float32"), np.ones((40, 1), dtype="float32")


def compiled() -> Any:
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    return model


def fit(callback: Any, *more: Any, epochs: int = 2, model: Any = None, **options: Any) -> Any:
    options = {"batch_size": 8, "epochs": epochs, "verbose": 0, **options}
    return (model or compiled()).fit(*DATA, callbacks=[callback, *more], **options)


def callback(tmp_path: Path, run: Any = RUN, **options: Any) -> CostCallback:
    return CostCallback(run, output=str(tmp_path / "costs.yaml"), progress=False, **options)


def test_a_fit_is_measured(tmp_path: Path) -> None:
    job = callback(tmp_path, samples=8)
    fit(job)
    found = read_file(tmp_path / "costs.yaml", "costs.yaml").data["details"]["tracking"]
    assert found["steps"] == 10
    assert job.tracker._counter.samples == 80
    assert found["attempts"][0]["status"] == "completed"


def test_a_limit_stops_the_fit(tmp_path: Path) -> None:
    job = callback(tmp_path, {**RUN, "limits": {"time": "1 s"}}, on_limit="stop", interval=0.1)
    history = fit(job, epochs=100_000)
    assert len(history.epoch) < 100_000
    found = read_file(tmp_path / "costs.yaml", "costs.yaml").data["details"]["tracking"]
    assert found["attempts"][0]["status"] == "stopped"


def test_a_bad_run_file_raises_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(costcalc.InputError, match="no region Atlantis"):
        fit(callback(tmp_path, {"site": {"region": "Atlantis"}}))


ON_JAX = """
import sys

import keras
import numpy as np

from costcalc.integrations.keras import CostCallback

for at_once in (2, 5, 7):
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile("sgd", "mse", steps_per_execution=at_once)
    job = CostCallback(samples=8, progress=False)
    data = np.ones((40, 4), dtype="float32"), np.ones((40, 1), dtype="float32")
    model.fit(*data, batch_size=8, epochs=2, verbose=0, callbacks=[job])
    print(at_once, job.tracker._counter.steps, job.tracker._counter.samples, file=sys.stdout)
"""


def test_steps_of_one_execution_are_all_counted() -> None:
    """Five batches an epoch: by twos there are 2 + 2 + 1; by sevens all five at once.

    On JAX, since PyTorch's backend knows no ``steps_per_execution``.
    """
    pytest.importorskip("jax", reason="jax, the backend of this test, is not installed")
    done = subprocess.run(
        [sys.executable, "-c", ON_JAX],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
    )
    assert done.stdout.splitlines() == ["2 10 80.0", "5 10 80.0", "7 10 80.0"], done.stderr


ENDS_EARLY = """
import sys

import keras
import numpy as np

from costcalc.integrations.keras import CostCallback


def batches(number, epochs=1):
    for _ in range(number * epochs):
        yield np.ones((8, 4), dtype="float32"), np.ones((8, 1), dtype="float32")


def counted(data, at_once=4, **options):
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    sgd = keras.optimizers.SGD(**options.pop("sgd", {}))
    model.compile(sgd, "mse", steps_per_execution=at_once)
    job = CostCallback(samples=8, progress=False)
    model.fit(*data, verbose=0, callbacks=[job], **options)
    counter, ran = job.tracker._counter, int(model.optimizer._iterations.numpy())
    print(counter.steps, counter.samples, ran, file=sys.stdout)


counted([batches(7)])
counted([batches(7)], steps_per_epoch=10)
counted([batches(7)], sgd={"gradient_accumulation_steps": 2})
counted([batches(7)], validation_data=[np.ones((8, 4)), np.ones((8, 1))])
rows = np.ones((43, 4), dtype="float32"), np.ones((43, 1), dtype="float32")
counted(rows, batch_size=8, epochs=2)
counted(rows, at_once=1, batch_size=8, epochs=2)
"""


def test_steps_that_the_data_did_not_come_to_are_not_counted() -> None:
    """A generator of 7 batches, by fours: 4 + 3; 43 rows of 8 are 5 batches and 3 rows, twice."""
    pytest.importorskip("jax", reason="jax, the backend of this test, is not installed")
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ENDS_EARLY],
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
        env={**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"},
    )
    assert done.stdout.splitlines() == ["7 56.0 7"] * 4 + ["12 86.0 12"] * 2, done.stderr


class Raises(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
    """The user's own: raises at the end of the third batch of the first fit."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error: BaseException | None = error

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self.error is not None and batch == 2:
            error, self.error = self.error, None
            raise error


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError("the user's own"), "exception"), (KeyboardInterrupt(), "interrupted")],
)
def test_a_fit_that_is_left_is_ended_and_a_second_is_a_second_attempt(
    tmp_path: Path, error: BaseException, status: str
) -> None:
    job, model, raises = callback(tmp_path, samples=8), compiled(), Raises(error)
    with pytest.raises(type(error)):
        fit(job, raises, model=model)
    assert not job.tracker._armed
    path = tmp_path / "costs.yaml"
    (attempt,) = read_file(path, path.name).data["details"]["tracking"]["attempts"]
    assert attempt["status"] == status

    fit(job, raises, model=model)
    found = read_file(path, path.name).data["details"]["tracking"]
    assert [one["status"] for one in found["attempts"]] == [status, "completed"]
    assert found["steps"] == 3 + 10
    assert [each.name for each in tmp_path.glob("*.yaml")] == ["costs.yaml"]


def test_validation_is_a_pause_of_that_name(tmp_path: Path) -> None:
    job = callback(tmp_path, samples=8)
    fit(job, validation_data=DATA)
    assert list(job.tracker._counter.pauses) == ["evaluation"]
    assert job.tracker._counter.samples == 80
