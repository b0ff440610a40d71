"""CostCallback in a real Keras fit."""

from __future__ import annotations

import os
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


def fit(callback: Any, *, epochs: int = 2) -> Any:
    model = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(1)])
    model.compile(optimizer="sgd", loss="mse")
    data = np.ones((40, 4), dtype="float32"), np.ones((40, 1), dtype="float32")
    return model.fit(*data, batch_size=8, epochs=epochs, verbose=0, callbacks=[callback])


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
