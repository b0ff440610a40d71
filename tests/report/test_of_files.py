"""Honest reports of runs whose model stands in files: carried if one says it, else named."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

import costcalc
from costcalc.report.check import Verdict, verify

ROOT = Path(__file__).parent.parent.parent
HARDWARE = {"accelerator": "h100-sxm5-80", "count": 8}
ADAPTER = {
    "peft_type": "LORA",
    "r": 8,
    "base_model_name_or_path": "meta-llama/Meta-Llama-3-8B",
    "target_modules": ["q_proj", "v_proj"],
}


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A config.json, a pipeline of diffusers, an adapter of a preset, one beside its base."""
    config = ROOT / "examples" / "configs" / "smollm2-135m.json"
    shutil.copy(config, tmp_path / "config.json")
    for name in ("unet", "adapter", "pair/base"):
        (tmp_path / name).mkdir(parents=True)
    index = {"_class_name": "StableDiffusionPipeline", "unet": ["diffusers", "x"]}
    (tmp_path / "model_index.json").write_text(json.dumps(index))
    unet = {"_class_name": "UNet2DConditionModel", "cross_attention_dim": 768}
    (tmp_path / "unet" / "config.json").write_text(json.dumps(unet))
    (tmp_path / "adapter" / "adapter_config.json").write_text(json.dumps(ADAPTER))
    beside = {**ADAPTER, "base_model_name_or_path": "base"}
    (tmp_path / "pair" / "adapter_config.json").write_text(json.dumps(beside))
    shutil.copy(config, tmp_path / "pair" / "base" / "config.json")
    return tmp_path


def verified(
    folder: Path, model: dict[str, Any], **training: Any
) -> tuple[dict[str, Any], Verdict]:
    run = {"model": model, "training": training, "hardware": HARDWARE}
    file = folder / "run.yaml"
    file.write_text(json.dumps(run))
    made = costcalc.estimate(file)
    return made.to_dict(), verify(made.save(folder / "report.yaml"))


@pytest.mark.parametrize("stages", [False, True])
def test_a_teacher_is_carried_as_the_model_is(files: Path, stages: bool) -> None:
    teacher = {"config": "config.json"}
    training = {"method": "distill", "teacher": teacher, "tokens": "1B"}
    run: dict[str, Any] = {"model": {"preset": "gpt2"}, "hardware": HARDWARE}
    run |= {"stages": [{"name": "a", "training": training}]} if stages else {"training": training}
    (files / "run.yaml").write_text(json.dumps(run))
    made = costcalc.estimate(files / "run.yaml")
    kept = made.to_dict()["run"]
    kept = kept["stages"][0] if stages else kept
    assert kept["training"]["teacher"]["config"]["hidden_size"] == 576
    verdict = verify(made.save(files / "report.yaml"))
    assert (verdict.discrepancies, verdict.recomputed) == ((), True)


@pytest.mark.parametrize(
    ("model", "training", "listed"),
    [
        (".", {"samples": "1M"}, {"model_index.json", "config.json"}),
        ("adapter", {"tokens": "10M"}, {"adapter_config.json"}),
        ("pair", {"tokens": "10M"}, {"adapter_config.json", "config.json"}),
    ],
)
def test_what_several_files_say_is_listed_and_not_recomputed(
    files: Path, model: str, training: dict[str, Any], listed: set[str]
) -> None:
    if model == ".":
        (files / "config.json").unlink()
    made, verdict = verified(files, {"config": model}, **training)
    assert listed <= {name.rpartition("/")[2] for name in made["data"]}
    assert verdict.discrepancies == ()
    why = "it rests on files that it does not carry (config)"
    assert verdict.lines()[0] == f"NOT RECOMPUTED: {why}; its arithmetic is checked, no more"


def test_the_sums_of_a_fleet_are_no_report_and_say_what_is(tmp_path: Path) -> None:
    path = tmp_path / "month.json"
    path.write_text('{"schema": "costcalc/fleet/v1", "total": {}}')
    assert verify(path).lines()[2].strip() == (
        f"{path}:1:12: schema: the sums of a fleet's ledger, which are checked against the reports "
        "of its jobs: costcalc fleet job ID writes one"
    )
