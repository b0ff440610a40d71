"""CostCallback in a real Trainer: tokens, FLOPs, stopping, checkpoints and failures."""

from __future__ import annotations

import copy
import json
import pickle
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("accelerate", reason="accelerate, which Trainer needs, is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")

import costcalc  # noqa: E402
from costcalc.base.reading import read_file  # noqa: E402
from costcalc.integrations.transformers import CostCallback  # noqa: E402

pytestmark = [
    pytest.mark.frameworks,
    pytest.mark.filterwarnings("ignore"),  # those of the frameworks are not ours
]

SITE = {"site": {"grid": "100 gCO2e/kWh", "pue": 1.2}}
ROWS, LENGTH = 4, 16


def model(kind: str = "llama") -> Any:
    common = {
        "vocab_size": 64,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 64,
        "max_position_embeddings": 64,
    }
    if kind == "mixtral":
        config = transformers.MixtralConfig(**common, num_local_experts=4, num_experts_per_tok=1)
        return transformers.MixtralForCausalLM(config)
    return transformers.LlamaForCausalLM(transformers.LlamaConfig(**common))


def trainer(folder: Path, callback: Any, *, kind: str = "llama", **options: Any) -> Any:
    data = [
        {"input_ids": torch.arange(LENGTH) % 64, "labels": torch.arange(LENGTH) % 64}
        for _ in range(64)
    ]
    arguments = transformers.TrainingArguments(
        output_dir=str(folder),
        per_device_train_batch_size=ROWS,
        use_cpu=True,
        disable_tqdm=True,
        **{"max_steps": 6, "save_strategy": "no", "logging_steps": 2, **options},
    )
    return transformers.Trainer(
        model=model(kind),
        args=arguments,
        train_dataset=data,
        eval_dataset=data,
        callbacks=[callback],
    )


def callback(tmp_path: Path, run: Any = SITE, **options: Any) -> CostCallback:
    return CostCallback(run, output=str(tmp_path / "costs.yaml"), progress=False, **options)


def report(tmp_path: Path) -> Any:
    return read_file(tmp_path / "costs.yaml", "costs.yaml").data


@pytest.mark.parametrize("sets", [1, 2])
def test_evaluations_and_checkpoints_are_pauses_of_those_names(tmp_path: Path, sets: int) -> None:
    """After two, four and six steps, each set; counting the metrics of one takes a second."""
    asked = callback(tmp_path)
    made = trainer(
        tmp_path / "out",
        asked,
        eval_strategy="steps",
        eval_steps=2,
        save_strategy="steps",
        save_steps=2,
    )
    if sets == 2:
        made.eval_dataset = {"one": made.eval_dataset, "two": made.eval_dataset}
    made.compute_metrics = lambda _: time.sleep(1.0) or {}
    made.train()
    found = report(tmp_path)["details"]["tracking"]
    assert found["steps"] == 6
    assert set(found["pauses"]) == {"evaluation", "checkpoint"}
    assert found["pauses"]["evaluation"] >= 3 * sets * 1.0
    last = asked.tracker._counter.sample(0.0)
    assert 3 <= last.timed <= 5  # between six steps; one of ten times the usual is set aside
    assert last.busy < 1.0  # no evaluation is in a step
    hours = report(tmp_path)["results"]["wall_clock"]["value"]
    assert last.busy + sum(found["pauses"].values()) <= hours * 3600


def test_what_is_evaluated_apart_from_training_is_no_pause(tmp_path: Path) -> None:
    asked = callback(tmp_path)
    made = trainer(tmp_path / "out", asked)
    made.evaluate()
    made.train()
    made.predict(made.eval_dataset)
    assert "pauses" not in report(tmp_path)["details"]["tracking"]


def test_a_copy_of_the_callback_has_measured_nothing(tmp_path: Path) -> None:
    asked = callback(tmp_path)
    trainer(tmp_path / "out", asked).train()
    for made in (copy.deepcopy(asked), pickle.loads(pickle.dumps(asked))):
        assert made.tracker.report is None
    assert asked.tracker.report is not None


def test_a_training_is_measured(tmp_path: Path) -> None:
    trainer(tmp_path / "out", callback(tmp_path)).train()
    data = report(tmp_path)
    found = data["details"]["tracking"]
    assert found["steps"] == 6
    assert found["attempts"][0]["status"] == "completed"
    assert data["results"]["wall_clock"]["value"] > 0


def test_evaluation_is_not_training(tmp_path: Path) -> None:
    job = callback(tmp_path)
    made = trainer(tmp_path / "out", job, eval_strategy="steps", eval_steps=2)
    made.train()
    assert job.tracker._counter.tokens == 6 * ROWS * LENGTH


def test_gradient_accumulation_is_one_step(tmp_path: Path) -> None:
    job = callback(tmp_path)
    trainer(tmp_path / "out", job, gradient_accumulation_steps=2).train()
    assert (job.tracker._counter.steps, job.tracker._counter.tokens) == (6, 12 * ROWS * LENGTH)


@pytest.mark.parametrize("kind", ["llama", "mixtral"])
def test_flops_are_counted_from_the_models_configuration(tmp_path: Path, kind: str) -> None:
    run = {**SITE, "hardware": {"accelerator": "a100-sxm4-80", "count": 1}}
    job = callback(tmp_path, run)
    made = trainer(tmp_path / "out", job, kind=kind)
    made.train()
    data = report(tmp_path)
    assert not [note for note in job.tracker.notes if "failed" in note]
    config = {k: v for k, v in made.model.config.to_dict().items() if k != "_name_or_path"}
    tokens = 6 * ROWS * LENGTH
    expected = (
        costcalc.estimate(
            {
                "model": {"config": json.loads(json.dumps(config, default=str))},
                "hardware": run["hardware"],
                "training": {"tokens": tokens, "sequence_length": LENGTH},
            }
        )
        .results["training_compute"]
        .value
    )
    assert data["results"]["training_compute"]["value"] == pytest.approx(expected)
    assert data["run"]["training"]["tokens"] == tokens
    if kind == "mixtral":  # the Trainer counts all experts; one of four is active
        assert (
            data["results"]["active_parameters"]["value"] < (data["results"]["parameters"]["value"])
        )
        assert expected < made.state.total_flos


def test_a_limit_stops_the_trainer(tmp_path: Path) -> None:
    run = {**SITE, "limits": {"time": "1 s"}}
    job = callback(tmp_path, run, on_limit="stop", interval=0.1)
    made = trainer(tmp_path / "out", job, max_steps=100_000)
    made.train()
    assert made.state.global_step < 100_000
    assert report(tmp_path)["details"]["tracking"]["attempts"][0]["status"] == "stopped"


def test_a_resumed_training_goes_on_with_the_sum(tmp_path: Path) -> None:
    first = callback(tmp_path / "a")
    trainer(tmp_path / "out", first, save_strategy="steps", save_steps=3).train()
    again = callback(tmp_path / "b")  # another folder: only the checkpoint tells
    made = trainer(tmp_path / "out", again, max_steps=8)
    made.train(resume_from_checkpoint=str(tmp_path / "out" / "checkpoint-3"))
    data = report(tmp_path / "b")["details"]["tracking"]
    assert len(data["attempts"]) == 2
    assert data["steps"] == 3 + 5


def test_figures_join_the_logs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("costcalc.tracking.background._FIRST", 0.05)
    run = {
        **SITE,
        "price": {"device_hour": "2 USD"},
        "hardware": {"accelerator": "a100-sxm4-80", "count": 1},
    }
    job = callback(tmp_path, run, interval=0.05)
    seen: list[dict[str, float]] = []

    class Listener(transformers.TrainerCallback):  # type: ignore[misc,name-defined]
        def on_log(self, *given: Any, logs: Any = None, **__: Any) -> None:
            seen.append(dict(logs))
            given[2].should_training_stop = "costcalc/cost_usd" in logs

    made = trainer(tmp_path / "out", job, max_steps=1000, logging_steps=5)
    made.add_callback(Listener())
    made.train()
    assert any("costcalc/cost_usd" in logs for logs in seen)


def test_a_bad_run_file_raises_before_the_first_step(tmp_path: Path) -> None:
    job = callback(tmp_path, {"site": {"region": "Atlantis"}})
    made = trainer(tmp_path / "out", job)
    with pytest.raises(costcalc.InputError, match="no region Atlantis"):
        made.train()
    assert made.state.global_step == 0


def test_a_fault_of_ours_harms_no_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = callback(tmp_path)

    def broken(*_: Any, **__: Any) -> None:
        raise ZeroDivisionError("ours")

    monkeypatch.setattr("costcalc.integrations.transformers._recipe", broken)
    made = trainer(tmp_path / "out", job)
    made.train()
    assert made.state.global_step == 6
    assert "describe failed: ZeroDivisionError: ours" in job.tracker.notes


# --- trainings that end otherwise, and those that come after them ---------------------------------


class Raises(transformers.TrainerCallback):  # type: ignore[misc,name-defined]
    """The user's own: raises at the end of the third step of the first training."""

    def __init__(self, error: BaseException) -> None:
        self.error: BaseException | None = error

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if self.error is not None and state.global_step == 3:
            error, self.error = self.error, None
            raise error


def hooks(made: Any) -> int:
    return len(made.model._forward_pre_hooks)


@pytest.mark.parametrize(
    ("error", "status"),
    [(RuntimeError("the user's own"), "exception"), (KeyboardInterrupt(), "interrupted")],
)
def test_a_training_that_is_left_is_ended_and_a_second_is_a_second_attempt(
    tmp_path: Path, error: BaseException, status: str
) -> None:
    hardware = {"accelerator": "a100-sxm4-80", "count": 1}
    job = callback(tmp_path, {**SITE, "hardware": hardware})
    made = trainer(tmp_path / "out", job)
    made.add_callback(Raises(error))
    before = hooks(made)
    with pytest.raises(type(error)):
        made.train()
    assert hooks(made) == before
    assert not job.tracker._armed
    (attempt,) = report(tmp_path)["details"]["tracking"]["attempts"]
    assert attempt["status"] == status

    made.train()
    assert hooks(made) == before
    data = report(tmp_path)
    assert [one["status"] for one in data["details"]["tracking"]["attempts"]] == [
        status,
        "completed",
    ]
    assert data["details"]["tracking"]["steps"] == 3 + 6
    assert data["run"]["training"]["tokens"] == (3 + 6) * ROWS * LENGTH
    assert [path.name for path in tmp_path.glob("*.yaml")] == ["costs.yaml"]


def test_a_second_training_goes_on_without_a_ledger_too(tmp_path: Path) -> None:
    job = CostCallback(SITE, output=None, progress=False)
    made = trainer(tmp_path / "out", job, max_steps=2)
    made.train()
    made.train()
    found = job.tracker.report
    assert found is not None
    assert found["details"]["tracking"]["steps"] == 4
    assert len(found["details"]["tracking"]["attempts"]) == 2


def test_what_is_left_of_a_batch_that_failed_is_not_counted_in_the_next(tmp_path: Path) -> None:
    """The second of two accumulated batches fails: the first is of no step."""
    job = callback(tmp_path)
    made = trainer(tmp_path / "out", job, gradient_accumulation_steps=2, max_steps=2)
    whole, calls = made.training_step, []

    def step(*given: Any, **named: Any) -> Any:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("the user's own")
        return whole(*given, **named)

    made.training_step = step
    with pytest.raises(RuntimeError, match="the user's own"):
        made.train()
    made.train()
    assert job.tracker._counter.tokens == 2 * 2 * ROWS * LENGTH


def test_a_batch_size_that_is_searched_for_counts_once(tmp_path: Path) -> None:
    """Four rows do not fit; three do (accelerate takes 0.9 of a size, rounded down)."""
    job = callback(tmp_path)
    made = trainer(tmp_path / "out", job, auto_find_batch_size=True)
    whole = made.training_step

    def step(model: Any, inputs: Any, *given: Any, **named: Any) -> Any:
        loss = whole(model, inputs, *given, **named)
        if len(inputs["input_ids"]) > 3:
            raise RuntimeError("CUDA out of memory.")
        return loss

    made.training_step = step
    made.train()
    assert made.state.global_step == 6
    assert (job.tracker._counter.steps, job.tracker._counter.tokens) == (6, 6 * 3 * LENGTH)
    found = report(tmp_path)["details"]["tracking"]
    assert [one["status"] for one in found["attempts"]] == ["exception", "completed"]
    assert found["steps"] == 6


def test_it_is_a_name_to_report_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """TrainingArguments(report_to="costcalc"): the run file by the environment."""
    (tmp_path / "run.yaml").write_text("site: {grid: 100 gCO2e/kWh, pue: 1.2}\n")
    monkeypatch.setenv("COSTCALC_RUN", str(tmp_path / "run.yaml"))
    made = trainer(tmp_path / "out", transformers.TrainerCallback(), report_to="costcalc")
    made.train()
    data = read_file(tmp_path / "out" / "costs.yaml", "costs.yaml").data
    assert data["details"]["tracking"]["steps"] == 6
    assert data["run"]["site"]["pue"] == 1.2


def test_no_file_is_touched_by_the_training_itself(tmp_path: Path) -> None:
    """So that a folder that hangs holds no step: other threads do all that is done there."""
    touched: list[tuple[str, str]] = []

    def audit(event: str, given: Any) -> None:
        if given and "costs." in str(given[0]) and watching:
            touched.append((threading.current_thread().name, event))

    watching = [True]
    sys.addaudithook(audit)
    job = callback(tmp_path)
    trainer(tmp_path / "out", job).train()
    watching.clear()
    assert touched
    assert not [event for name, event in touched if name == threading.main_thread().name]


def test_a_model_that_fsdp_shards_is_watched_as_it_is(tmp_path: Path) -> None:
    """FSDP shards a module in place: 2 steps of 2 × 16 tokens, and the configuration is read."""
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        made, mesh = model(), init_device_mesh("cpu", (1,))
        for part in (*made.model.layers, made):
            fully_shard(part, mesh=mesh)
        hardware = {"accelerator": "a100-sxm4-80", "count": 1}
        job = callback(tmp_path, {**SITE, "hardware": hardware})
        arguments = transformers.TrainingArguments(output_dir=str(tmp_path / "out"), use_cpu=True)
        state, control = transformers.TrainerState(max_steps=2), transformers.TrainerControl()
        job.on_train_begin(arguments, state, control, model=made)
        made.train()
        for _ in range(2):
            tokens = torch.arange(2 * LENGTH).reshape(2, LENGTH) % 64
            made(input_ids=tokens, labels=tokens).loss.backward()
            job.on_step_end(arguments, state, control, model=made)
        job.on_train_end(arguments, state, control, model=made)
    finally:
        torch.distributed.destroy_process_group()
    assert (job.tracker._counter.steps, job.tracker._counter.tokens) == (2, 2 * 2 * LENGTH)
    data = report(tmp_path)
    assert data["run"]["model"]["config"]["hidden_size"] == 32
    assert data["run"]["training"]["tokens"] == 2 * 2 * LENGTH
