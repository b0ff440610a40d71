"""TRL's trainers are Trainers: what the model learns from is training, what it generates is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("trl", reason="trl is not installed")
pytest.importorskip("datasets", reason="datasets, which trl needs, is not installed")

import transformers
from datasets import Dataset
from tokenizers import Tokenizer, models, pre_tokenizers

from costcalc.base.reading import read_file
from costcalc.integrations.transformers import CostCallback

pytestmark = [pytest.mark.frameworks, pytest.mark.filterwarnings("ignore")]

ROWS, STEPS = 4, 2


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    words = {f"w{number}": number for number in range(61)} | {"<pad>": 61, "<eos>": 62, "<unk>": 63}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", unk_token="<unk>"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A small model on the disk, from which a trainer may load its reference too."""
    config = transformers.LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
        pad_token_id=61,
        eos_token_id=62,
        bos_token_id=None,
    )
    path = str(tmp_path_factory.mktemp("model"))
    transformers.LlamaForCausalLM(config).save_pretrained(path)
    return path


def options(tmp_path: Path) -> dict[str, Any]:
    return {
        "output_dir": str(tmp_path / "out"),
        "per_device_train_batch_size": ROWS,
        "max_steps": STEPS,
        "use_cpu": True,
        "report_to": "none",
        "disable_tqdm": True,
        "save_strategy": "no",
        "bf16": False,
    }


def tracked(tmp_path: Path, trainer: Any, **given: Any) -> tuple[CostCallback, Any]:
    run = {"site": {"grid": "100 gCO2e/kWh", "pue": 1.2}}
    job = CostCallback(run, output=str(tmp_path / "costs.yaml"), progress=False)
    trainer(callbacks=[job], **given).train()
    found = read_file(tmp_path / "costs.yaml", "costs.yaml").data["details"]["tracking"]
    assert found["attempts"][0]["status"] == "completed"
    return job, found


def test_sft(tmp_path: Path, tokenizer: Any, folder: str) -> None:
    """Six words and the end of text: 7 tokens a row."""
    from trl import SFTConfig, SFTTrainer

    job, found = tracked(
        tmp_path,
        SFTTrainer,
        model=transformers.LlamaForCausalLM.from_pretrained(folder),
        args=SFTConfig(**options(tmp_path)),
        train_dataset=Dataset.from_dict({"text": ["w1 w2 w3 w4 w5 w6"] * 16}),
        processing_class=tokenizer,
    )
    assert found["steps"] == STEPS
    assert job.tracker._counter.tokens == STEPS * ROWS * 7


def test_dpo(tmp_path: Path, tokenizer: Any, folder: str) -> None:
    """Two words and two more, and the end of text, of both answers: 2 × 5 tokens a pair.

    The reference is a model of its own, and no training.
    """
    from trl import DPOConfig, DPOTrainer

    rows = {"prompt": ["w1 w2 "] * 16, "chosen": ["w3 w4"] * 16, "rejected": ["w5 w6"] * 16}
    job, found = tracked(
        tmp_path,
        DPOTrainer,
        model=transformers.LlamaForCausalLM.from_pretrained(folder),
        args=DPOConfig(**options(tmp_path)),
        train_dataset=Dataset.from_dict(rows),
        processing_class=tokenizer,
    )
    assert found["steps"] == STEPS
    assert job.tracker._counter.tokens == STEPS * ROWS * 2 * 5


def test_grpo(tmp_path: Path, tokenizer: Any, folder: str) -> None:
    """Three words of a prompt, eight generated: 11 tokens a row are learnt from.

    To generate them the model is given the prompt and then each of seven: 10 a row, no training.
    """
    from trl import GRPOConfig, GRPOTrainer

    def reward(completions: list[str], **_: Any) -> list[float]:
        return [float(len(text)) for text in completions]

    job, found = tracked(
        tmp_path,
        GRPOTrainer,
        model=transformers.LlamaForCausalLM.from_pretrained(folder),
        reward_funcs=reward,
        args=GRPOConfig(
            num_generations=ROWS,
            max_completion_length=8,
            generation_kwargs={"min_new_tokens": 8},
            **options(tmp_path),
        ),
        train_dataset=Dataset.from_dict({"prompt": ["w1 w2 w3"] * 16}),
        processing_class=tokenizer,
    )
    assert found["steps"] == STEPS
    assert job.tracker._counter.tokens == STEPS * ROWS * 11
    assert (
        f"the model was given {STEPS * ROWS * 10} tokens without gradient (generation, "
        "references): they are no training"
    ) in job.tracker.notes
