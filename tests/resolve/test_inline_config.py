"""A config.json that stands in the run file itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import costcalc
from costcalc.base.errors import InputError

CONFIG: dict[str, Any] = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 2048,
    "num_hidden_layers": 16, "num_attention_heads": 32, "num_key_value_heads": 8,
    "intermediate_size": 8192, "vocab_size": 128256, "tie_word_embeddings": True, "head_dim": 64,
}  # fmt: skip


def run(config: object) -> dict[str, Any]:
    return {
        "model": {"config": config},
        "training": {"tokens": "1B"},
        "hardware": {"accelerator": "h100", "count": 1},
    }


def test_it_is_what_its_file_says(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    inline = costcalc.estimate(run(CONFIG))
    file = costcalc.estimate(run(str(tmp_path / "config.json")))
    # Llama 3.2 1B: 1,235,814,400 by its weights (huggingface.co/meta-llama/Llama-3.2-1B)
    assert inline.results["parameters"].value == 1_235_814_400
    assert inline.results == file.results
    assert inline.to_dict()["run"]["model"]["config"] == CONFIG


def test_a_report_that_carries_it_is_recomputed(tmp_path: Path) -> None:
    costcalc.estimate(run(CONFIG)).save(tmp_path / "report.yaml")
    assert costcalc.verify(tmp_path / "report.yaml").holds


def test_its_faults_are_told_at_its_keys() -> None:
    with pytest.raises(InputError) as caught:
        costcalc.estimate(run({**CONFIG, "hidden_size": "wide"}))
    assert str(caught.value).splitlines()[0].startswith("run: model.config.hidden_size: expected")


@pytest.mark.parametrize("value", [7, "", ["a"]])
def test_what_is_neither_is_refused(value: object) -> None:
    with pytest.raises(InputError, match="or of its folder, or its mapping"):
        costcalc.estimate(run(value))
