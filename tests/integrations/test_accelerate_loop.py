"""A loop by Accelerate that accumulates gradients: a step is one of the optimizer's."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("accelerate", reason="accelerate is not installed")

from accelerate import Accelerator  # noqa: E402

import costcalc  # noqa: E402

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]

ROWS, BATCHES, EACH = 4, 18, 4  # of the last step two batches, as Accelerate has it at an end


def test_batches_whose_gradients_are_accumulated_are_in_one_step(tmp_path: Path) -> None:
    """18 batches of 50 ms at the least by four: 5 steps, and 4 × 50 ms in each of those timed."""
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=EACH)
    model = torch.nn.Linear(8, 2)
    data = torch.utils.data.TensorDataset(torch.randn(ROWS * BATCHES, 8))
    loader = torch.utils.data.DataLoader(data, batch_size=ROWS)
    optimizer = torch.optim.SGD(model.parameters())
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    with costcalc.track(output=tmp_path / "costs.yaml", progress=False) as tracker:
        for (rows,) in loader:
            with accelerator.accumulate(model):
                accelerator.backward(model(rows).sum())
                optimizer.step()
                optimizer.zero_grad()
            time.sleep(0.05)
            tracker.step(samples=len(rows), steps=int(accelerator.sync_gradients))
    counted = tracker._counter
    assert (counted.steps, counted.samples) == (5, BATCHES * ROWS)
    assert counted.timed in (3, 4)  # the first is not; one that a busy machine held is set aside
    assert counted.busy >= (EACH * (counted.timed - 1) + 2) * 0.05
    assert tracker.report is not None
    assert tracker.report["details"]["tracking"]["steps"] == 5
