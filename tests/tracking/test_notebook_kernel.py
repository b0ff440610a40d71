"""A real kernel runs a notebook: the line that goes with a job, and the table in its place."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore"),  # those of Jupyter are not ours
]
ROOT = Path(__file__).parents[2]
TRAIN = """
import time
import costcalc
with costcalc.track({"site": {"grid": "100 gCO2e/kWh", "pue": 1.2}}, interval=0.3) as tracker:
    for _ in range(60):
        time.sleep(0.05)
        tracker.step(tokens=512)
"""


def test_a_cell_shows_a_line_and_then_the_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nbclient = pytest.importorskip("nbclient", reason="nbclient is not installed")
    pytest.importorskip("ipykernel", reason="ipykernel is not installed")
    import nbformat

    kernel = tmp_path / "jupyter" / "kernels" / "this"  # the Python that runs the test
    kernel.mkdir(parents=True)
    said = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    spec = {"argv": said, "display_name": "this", "language": "python"}
    (kernel / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(TRAIN)])
    shown: list[str] = []

    class Client(nbclient.NotebookClient):  # type: ignore[misc, name-defined]
        def process_message(self, msg: Any, cell: Any, cell_index: int) -> Any:
            if msg["msg_type"] in ("display_data", "update_display_data"):
                shown.append(msg["content"]["data"]["text/html"])
            return super().process_message(msg, cell, cell_index)

    Client(
        book, timeout=240, kernel_name="this", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    first, *lines, last = shown
    assert first.endswith("costcalc: measuring</div>")
    assert any("costcalc: time " in line for line in lines)
    assert last.startswith("<table>")
    assert ">steps</td>" in last
    assert ">60</td>" in last
    (output,) = book.cells[0].outputs  # the table stands where the line was, and nothing beside it
    assert output["data"]["text/html"] == last
