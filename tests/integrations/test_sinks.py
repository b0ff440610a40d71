"""Figures in the loggers that people use: read back from where those keep them."""

from __future__ import annotations

import json
import os
import socket
import struct
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import costcalc

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]

RUN: dict[str, Any] = {"site": {"grid": "100 gCO2e/kWh", "pue": 1.2}}


def train(callback: Any) -> dict[str, float]:
    """A second of training; the last figures that the callback was given."""
    seen: list[dict[str, float]] = []

    def both(metrics: dict[str, float]) -> None:
        callback(metrics)
        seen.append(metrics)

    with costcalc.track(RUN, callback=both, interval=0.2, progress=False) as job:
        until = time.monotonic() + 4
        while time.monotonic() < until and len(seen) < 3:
            time.sleep(0.01)
            job.step(tokens=10)
    assert not [note for note in job.notes if "failed" in note]
    return seen[-1]


def test_tensorboard_has_the_figures_in_its_event_file(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch, whose writer it is, is not installed")
    pytest.importorskip("tensorboard", reason="tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    from torch.utils.tensorboard import SummaryWriter

    from costcalc.integrations.tensorboard import sink

    with SummaryWriter(str(tmp_path)) as writer:
        last = train(sink(writer))
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    assert {"costcalc/hours", "costcalc/tokens"} <= set(events.Tags()["scalars"])
    found = events.Scalars("costcalc/tokens")[-1]
    assert (found.value, found.step) == (last["costcalc/tokens"], last["costcalc/steps"])


def test_weights_and_biases_has_them_offline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wandb = pytest.importorskip("wandb", reason="wandb is not installed")
    from costcalc.integrations.wandb import sink

    monkeypatch.setenv("WANDB_SILENT", "true")
    with pytest.raises(RuntimeError, match="call wandb"):
        sink()
    with wandb.init(mode="offline", dir=str(tmp_path), project="test") as run:
        last = train(sink())
        run.log({"loss": 1.0})
        assert run.step == 1  # the script's own steps are as they were
        assert run.summary["costcalc/tokens"] == last["costcalc/tokens"]
    assert list(tmp_path.rglob("*.wandb"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A real MLflow server on this machine, with SQLite."""
    pytest.importorskip("mlflow", reason="mlflow is not installed")
    folder = tmp_path_factory.mktemp("mlflow")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    log = (folder / "log.txt").open("w")
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--backend-store-uri",
            f"sqlite:///{folder}/mlflow.db",
            "--default-artifact-root",
            str(folder / "artifacts"),
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
        ],
        cwd=folder,
        stdout=log,
        stderr=log,
        env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true"},
        start_new_session=True,
    )
    try:
        until = time.monotonic() + 90
        while True:
            try:
                with urllib.request.urlopen(f"{url}/health", timeout=2):
                    break
            except OSError:
                assert time.monotonic() < until, (folder / "log.txt").read_text()
                time.sleep(0.3)
        yield url
    finally:
        os.killpg(process.pid, 15)
        process.wait(20)
        log.close()


def test_mlflow_has_them_on_its_server(server: str) -> None:
    import mlflow

    from costcalc.integrations.mlflow import sink

    mlflow.set_tracking_uri(server)
    with pytest.raises(RuntimeError, match="call mlflow"):
        sink()
    with mlflow.start_run() as run:
        last = train(sink())
    history = mlflow.MlflowClient().get_metric_history(run.info.run_id, "costcalc/tokens")
    assert max(metric.value for metric in history) == last["costcalc/tokens"]
    assert max(metric.step for metric in history) == last["costcalc/steps"]


def test_accelerate_passes_them_to_its_trackers(tmp_path: Path) -> None:
    accelerate = pytest.importorskip("accelerate", reason="accelerate is not installed")
    from accelerate.tracking import GeneralTracker, on_main_process

    from costcalc.integrations.accelerate import sink

    class ToFile(GeneralTracker):  # type: ignore[misc]
        name, requires_logging_directory = "file", False

        @on_main_process
        def __init__(self) -> None:
            super().__init__()

        @property
        def tracker(self) -> Path:
            return tmp_path / "log.jsonl"

        @on_main_process
        def store_init_configuration(self, values: Any) -> None:
            pass

        @on_main_process
        def log(self, values: dict[str, Any], step: int | None = None, **_: Any) -> None:
            with self.tracker.open("a") as file:
                file.write(json.dumps({"step": step, **values}) + "\n")

    accelerator = accelerate.Accelerator(cpu=True, log_with=[ToFile()])
    accelerator.init_trackers("test")
    last = train(sink(accelerator))
    accelerator.end_training()
    rows = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert rows[-1]["costcalc/tokens"] == last["costcalc/tokens"]
    assert rows[-1]["step"] == last["costcalc/steps"]


def test_accelerate_beside_weights_and_biases_keeps_every_row_of_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The script logs a row a step, from 0; the figures come with steps of their own, far ahead."""
    accelerate = pytest.importorskip("accelerate", reason="accelerate is not installed")
    pytest.importorskip("wandb", reason="wandb is not installed")
    from costcalc.integrations.accelerate import sink

    monkeypatch.setenv("WANDB_SILENT", "true")
    accelerator = accelerate.Accelerator(cpu=True, log_with="wandb")
    options = {"wandb": {"mode": "offline", "dir": str(tmp_path)}}
    accelerator.init_trackers("test", init_kwargs=options)
    log = sink(accelerator)
    for step in range(6):
        if step % 2:
            log({"costcalc/steps": 1000.0 + step, "costcalc/hours": 0.5})
        accelerator.log({"loss": float(step)}, step=step)
    accelerator.end_training()
    rows = written(next(tmp_path.rglob("*.wandb")), 6)
    assert [row["loss"] for row in rows] == [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert [row["_step"] for row in rows] == [0, 1, 2, 3, 4, 5]
    assert ["costcalc/hours" in row for row in rows] == [True, False, True, False, True, False]


def written(path: Path, number: int) -> list[dict[str, Any]]:
    """So many rows, once W&B's own process has come to write them, or those of half a minute."""
    end = time.monotonic() + 30.0
    while len(rows := kept(path)) < number and time.monotonic() < end:
        time.sleep(0.1)
    return rows


def kept(path: Path) -> list[dict[str, Any]]:
    """The rows of a run's history, as they stand in its file.

    A log as LevelDB has it: blocks of 32 KiB, and before each piece its checksum, its length and
    whether it is whole, first, middle or last (github.com/google/leveldb, doc/log_format.md); the
    first block begins with seven bytes of W&B's own.
    """
    from wandb.proto.wandb_internal_pb2 import Record

    data, at, whole, rows = path.read_bytes(), 7, b"", []
    while at + 7 <= len(data):
        if at % 2**15 > 2**15 - 7:  # no piece begins in what is left of a block
            at += 2**15 - at % 2**15
            continue
        length, kind = struct.unpack_from("<HB", data, at + 4)
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            record = Record()
            record.ParseFromString(whole)
            whole = b""
            if record.WhichOneof("record_type") == "history":
                items = record.history.item
                rows.append(
                    {i.key or ".".join(i.nested_key): json.loads(i.value_json) for i in items}
                )
    return rows
