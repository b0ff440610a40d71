"""CostCallback in a real Lightning Trainer."""

from __future__ import annotations

import copy
import pickle
import signal
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
lightning = pytest.importorskip("lightning.pytorch", reason="lightning is not installed")

import costcalc  # noqa: E402
from costcalc.base.reading import read_file  # noqa: E402
from costcalc.integrations.lightning import CostCallback, counted  # noqa: E402

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]

RUN = {"site": {"grid": "100 gCO2e/kWh", "pue": 1.2}}


class Small(lightning.LightningModule):  # type: ignore[misc,name-defined]
    def __init__(self, fails_at: int | None = None) -> None:
        super().__init__()
        self.layer, self.fails_at = torch.nn.Embedding(64, 1), fails_at

    def training_step(self, batch: Any, index: int) -> Any:
        if index == self.fails_at:
            raise RuntimeError("the user's own")
        return self.layer(batch["input_ids"]).mean()

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fit(
    folder: Path, callback: Any, *, module: Any = None, path: str | None = None, **options: Any
) -> Any:
    data = [{"input_ids": torch.arange(16) % 64} for _ in range(32)]
    made = lightning.Trainer(
        default_root_dir=str(folder),
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        callbacks=[callback],
        **{"max_epochs": 1, "enable_checkpointing": False, **options},
    )
    made.fit(module or Small(), torch.utils.data.DataLoader(data, batch_size=4), ckpt_path=path)
    return made


def callback(tmp_path: Path, run: Any = RUN, **options: Any) -> CostCallback:
    return CostCallback(run, output=str(tmp_path / "costs.yaml"), progress=False, **options)


def tracking(tmp_path: Path) -> Any:
    return read_file(tmp_path / "costs.yaml", "costs.yaml").data["details"]["tracking"]


def test_a_fit_is_measured(tmp_path: Path) -> None:
    job = callback(tmp_path)
    fit(tmp_path, job)
    assert (job.tracker._counter.steps, job.tracker._counter.tokens) == (8, 32 * 16)
    assert tracking(tmp_path)["attempts"][0]["status"] == "completed"


def test_accumulated_batches_are_one_step(tmp_path: Path) -> None:
    job = callback(tmp_path)
    fit(tmp_path, job, accumulate_grad_batches=4)
    assert (job.tracker._counter.steps, job.tracker._counter.tokens) == (2, 32 * 16)


def test_the_user_may_say_what_a_batch_holds(tmp_path: Path) -> None:
    job = callback(tmp_path, count=lambda batch: {"samples": len(batch["input_ids"])})
    fit(tmp_path, job)
    assert job.tracker._counter.samples == 32


def test_what_the_user_counts_by_another_name_is_noted_and_fails_no_fit(tmp_path: Path) -> None:
    asked = callback(tmp_path, count=lambda batch: {"images": 4, "samples": 3})
    fit(tmp_path, asked)
    assert asked.tracker.report["details"]["tracking"]["steps"] == 8
    assert "count: expected one of tokens, samples, total_tokens; got images" in asked.tracker.notes


def test_a_copy_of_the_callback_measures_a_fit_of_its_own(tmp_path: Path) -> None:
    asked = callback(tmp_path)
    for made in (copy.deepcopy(asked), pickle.loads(pickle.dumps(asked))):
        fit(tmp_path, made)
        assert made.tracker.report["details"]["tracking"]["steps"] == 8
    assert asked.tracker.report is None


def test_an_exception_passes_and_ends_the_record(tmp_path: Path) -> None:
    job = callback(tmp_path)
    with pytest.raises(RuntimeError, match="the user's own"):
        fit(tmp_path, job, module=Small(fails_at=3))
    assert tracking(tmp_path)["attempts"][0]["status"] == "exception"


def test_a_limit_stops_the_fit(tmp_path: Path) -> None:
    job = callback(tmp_path, {**RUN, "limits": {"time": "1 s"}}, on_limit="stop", interval=0.1)
    made = fit(tmp_path, job, max_epochs=100_000)
    assert made.current_epoch < 100_000
    assert tracking(tmp_path)["attempts"][0]["status"] == "stopped"


def test_a_resumed_fit_goes_on_with_the_sum(tmp_path: Path) -> None:
    made = fit(tmp_path, callback(tmp_path / "a"))
    path = str(tmp_path / "last.ckpt")
    made.save_checkpoint(path, weights_only=False)
    fit(
        tmp_path, callback(tmp_path / "b"), path=path, max_epochs=2, weights_only=False
    ) if "weights_only" in lightning.Trainer.__init__.__code__.co_varnames else fit(
        tmp_path, callback(tmp_path / "b"), path=path, max_epochs=2
    )
    found = tracking(tmp_path / "b")
    assert (found["steps"], len(found["attempts"])) == (16, 2)


def test_a_second_fit_is_a_second_attempt_also_after_one_that_failed(tmp_path: Path) -> None:
    job = callback(tmp_path)
    with pytest.raises(RuntimeError, match="the user's own"):
        fit(tmp_path, job, module=Small(fails_at=3))
    fit(tmp_path, job)
    found = tracking(tmp_path)
    assert [one["status"] for one in found["attempts"]] == ["exception", "completed"]
    assert found["steps"] == 3 + 8
    assert [path.name for path in tmp_path.glob("*.yaml")] == ["costs.yaml"]


def test_ctrl_c_is_an_interruption(tmp_path: Path) -> None:
    class Interrupts(Small):
        def training_step(self, batch: Any, index: int) -> Any:
            if index == 2:
                raise KeyboardInterrupt
            return super().training_step(batch, index)

    handler = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit):
            fit(tmp_path, callback(tmp_path), module=Interrupts())
    finally:
        signal.signal(signal.SIGINT, handler)
    assert tracking(tmp_path)["attempts"][0]["status"] == "interrupted"


def test_batches_of_a_step_that_failed_were_computed_and_leak_into_no_other(tmp_path: Path) -> None:
    """Of four accumulated batches the third fails: 2 of 64 tokens, then 8."""
    job = callback(tmp_path)
    with pytest.raises(RuntimeError, match="the user's own"):
        fit(tmp_path, job, module=Small(fails_at=2), accumulate_grad_batches=4)
    assert (job.tracker._counter.steps, job.tracker._counter.tokens) == (0, 2 * 4 * 16)
    fit(tmp_path, job, accumulate_grad_batches=4)
    assert (job.tracker._counter.steps, job.tracker._counter.tokens) == (2, 8 * 4 * 16)
    assert tracking(tmp_path)["steps"] == 2


def test_resumed_by_the_same_callback_every_step_is_counted_once(tmp_path: Path) -> None:
    """Eight steps, a checkpoint, and eight more: what the checkpoint brings is known already."""
    job = callback(tmp_path)
    made = fit(tmp_path, job)
    path = str(tmp_path / "last.ckpt")
    made.save_checkpoint(path)
    fit(tmp_path, job, path=path, max_epochs=2)
    found = tracking(tmp_path)
    assert (found["steps"], len(found["attempts"])) == (16, 2)


def test_validation_is_a_pause_of_that_name(tmp_path: Path) -> None:
    class Validates(Small):
        def validation_step(self, batch: Any, index: int) -> None:
            self.layer(batch["input_ids"]).mean()

        def val_dataloader(self) -> Any:
            return torch.utils.data.DataLoader([{"input_ids": torch.arange(16)}] * 4, batch_size=4)

    job = callback(tmp_path)
    fit(tmp_path, job, module=Validates())
    assert list(job.tracker._counter.pauses) == ["evaluation"]
    assert job.tracker._counter.tokens == 32 * 16


def test_a_bad_run_file_raises_before_the_first_step(tmp_path: Path) -> None:
    with pytest.raises(costcalc.InputError, match="no region Atlantis"):
        fit(tmp_path, callback(tmp_path, {"site": {"region": "Atlantis"}}))


@pytest.mark.parametrize(
    ("batch", "expected"),
    [
        ({"input_ids": torch.zeros(2, 8)}, {"tokens": 16}),
        ([torch.zeros(4, 3, 8, 8), torch.zeros(4)], {"samples": 4}),
        (torch.zeros(5, 2), {"samples": 5}),
        ({"image": torch.zeros(3, 2)}, {"samples": 3}),
        ("text", {}),
        ([], {}),
    ],
)
def test_what_a_batch_holds(batch: Any, expected: dict[str, int]) -> None:
    assert counted(batch) == expected
