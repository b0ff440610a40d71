"""What a config decides beside the block of costcalc: adapters, losses, sizes of data, sharding."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import costcalc
from costcalc.base.document import Document
from costcalc.base.errors import InputError
from costcalc.runfile.carried import run_in

AXOLOTL = "base_model: Qwen/Qwen2.5-7B\nsequence_len: 2048\nmicro_batch_size: 2\nbf16: true\n"
FACTORY = "model_name_or_path: Qwen/Qwen2.5-7B\ntemplate: qwen\nbf16: true\n"
TRL = "model_name_or_path: Qwen/Qwen2.5-7B\nmax_length: 1024\nlearning_rate: 1.0e-5\nbf16: true\n"


def block(training: str = "dataset_samples: 10000", hardware: str = "") -> str:
    return (
        f"costcalc:\n  hardware: {{accelerator: a100-sxm4-80, count: 4{hardware}}}\n"
        f"  training: {{{training}}}\n"
    )


def document(text: str, tmp_path: Path) -> Document:
    (tmp_path / "a.yaml").write_text(text)
    found = run_in(tmp_path / "a.yaml", "a.yaml")
    assert found is not None
    return found


def told(text: str, tmp_path: Path) -> list[str]:
    return [note for note in document(text, tmp_path).notes if not note.startswith("not read")]


@pytest.mark.parametrize("adapter", ["lora", "qlora"])
def test_an_adapter_without_a_rank_is_one(adapter: str, tmp_path: Path) -> None:
    text = f"{AXOLOTL}num_epochs: 1\nrl: dpo\nadapter: {adapter}\n"
    (tmp_path / "a.yaml").write_text(text + block())
    (tmp_path / "b.yaml").write_text(text + "lora_r: 16\n" + block())
    bare, ranked = (
        costcalc.estimate(tmp_path / name, ranges=False).results["training_compute"].value
        for name in ("a.yaml", "b.yaml")
    )
    assert document(text + block(), tmp_path).data["training"]["lora"] == {}
    assert bare == ranked  # rank 16 is what adapters have where none is said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (FACTORY + "finetuning_type: lora\nstage: dpo\npref_loss: simpo\n",
         "a.yaml:6:12: pref_loss: simpo is not counted: say training.method under costcalc; the "
         "nearest is lora (without a reference; a pair is two samples)"),
        (FACTORY + "finetuning_type: full\nstage: dpo\npref_loss: orpo\n",
         "a.yaml:6:12: pref_loss: orpo is not counted: say training.method under costcalc; the "
         "nearest is finetune (without a reference; a pair is two samples)"),
        (TRL + "beta: 2\nloss_type: simpo\ncpo_alpha: 0.0\n",
         "a.yaml:6:12: loss_type: simpo is not counted: say training.method under costcalc; the "
         "nearest is finetune (without a reference; a pair is two samples)"),
        (TRL + "beta: 2\nuse_peft: true\ncpo_alpha: 1.0\n",
         "a.yaml:7:12: cpo_alpha: cpo is not counted: say training.method under costcalc; the "
         "nearest is lora (without a reference; a pair is two samples)"),
        (TRL + "beta: 0.1\ndesirable_weight: 1.0\n",
         "a.yaml:6:19: desirable_weight: kto is not counted: say training.method under costcalc; "
         "the nearest is dpo, with half as many samples (an example is one sequence, not a pair)"),
        (TRL + "beta: 0.1\nreference_free: true\n",
         "a.yaml:6:17: reference_free: DPO without its reference is not counted: say "
         "training.method under costcalc"),
        (TRL + "fp16: true\n", "a.yaml:5:7: fp16: expected one of bf16 and fp16; got both"),
        (FACTORY + "finetuning_type: full\nmax_samples: some\n",
         'a.yaml:5:14: max_samples: expected a whole number; got "some"'),
    ],
)  # fmt: skip
def test_what_is_not_counted_is_told(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        document(text + block(), tmp_path)
    assert str(caught.value) == f"{said}\n1 problem in a.yaml"


def test_a_pair_is_two_sequences_by_any_method(tmp_path: Path) -> None:
    text = FACTORY + "finetuning_type: full\nstage: dpo\npref_loss: simpo\n"
    text += "per_device_train_batch_size: 3\n"
    training = document(text + block("method: finetune, samples: 20000"), tmp_path).data["training"]
    # 3 pairs a device are 6 sequences, on 4 devices
    assert (training["micro_batch"], training["global_batch"]) == (6, 24)


def test_a_reference_that_passes_once_is_told(tmp_path: Path) -> None:
    text = TRL + "precompute_ref_log_probs: true\nnum_train_epochs: 3\n"
    assert told(text + block(), tmp_path) == [
        "precompute_ref_log_probs: the reference is counted in every epoch and kept in memory; it "
        "passes over the data once, before they begin"
    ]


FULL = FACTORY + "finetuning_type: full\nnum_train_epochs: 2\n"


@pytest.mark.parametrize(
    ("text", "training", "samples", "said"),
    [
        # 2 data sets of 1,000 at most
        ("dataset: identity,alpaca_en_demo\nmax_samples: 1000\n", "dataset_samples: 10k", 2000,
         ["max_samples: 1,000 at most are taken from each of 2 data sets: dataset_samples is "
          "2,000, not 10,000"]),
        ("dataset: [identity]\nmax_samples: 1000\n", "dataset_samples: 700", 700, []),
        ("max_samples: 1000\n", "sample_tokens: 100", 1000,
         ["max_samples: 1,000 at most are taken: dataset_samples is taken to be 1,000"]),
        ("val_size: 0.1\n", "dataset_samples: 900", 900,
         ["val_size: dataset_samples is taken to be what is trained on, without what is held "
          "out"]),
    ],
)  # fmt: skip
def test_samples_that_a_config_takes(
    text: str, training: str, samples: float, said: list[str], tmp_path: Path
) -> None:
    made = document(FULL + text + block(training), tmp_path)
    assert made.data["training"]["dataset_samples"] == samples
    assert told(FULL + text + block(training), tmp_path) == said
    assert "max_samples" not in made.unread


def test_samples_at_most_beside_tokens_are_told_as_unread(tmp_path: Path) -> None:
    made = document(FULL + "max_samples: 10\n" + block("dataset_tokens: 1M"), tmp_path)
    assert "max_samples" in made.unread


@pytest.mark.parametrize("text", [TRL + "max_steps: 200\n", AXOLOTL + "max_steps: 200\n"])
def test_steps_win_over_the_size_of_the_data(text: str, tmp_path: Path) -> None:
    made = document(text + block("dataset_samples: 10000, sample_tokens: 500"), tmp_path)
    training = made.data["training"]
    assert (training["steps"], training["sample_tokens"]) == (200, 500)
    assert "dataset_samples" not in training
    assert (
        "max_steps: its steps are all that is trained, whatever the size of the data: "
        "dataset_samples under costcalc is not used"
    ) in made.notes
    assert costcalc.estimate(tmp_path / "a.yaml", ranges=False).results["wall_clock"].value


def test_epochs_of_the_block_win_over_steps(tmp_path: Path) -> None:
    made = document(TRL + "max_steps: 200\n" + block("epochs: 2, dataset_samples: 900"), tmp_path)
    assert "steps" not in made.data["training"]
    assert made.data["training"]["dataset_samples"] == 900


def test_samples_of_reinforcement_are_prompts(tmp_path: Path) -> None:
    text = TRL + "num_generations: 4\nnum_train_epochs: 2\n"
    said = "dataset_samples: 1k, sample_tokens: 300, generation_length: 500"
    made = document(text + block(said), tmp_path)
    training = made.data["training"]
    # 1,000 samples, 2 times each
    assert (training["prompts"], training["prompt_length"]) == (2000, 300)
    assert not {"dataset_samples", "sample_tokens", "epochs"} & set(training)
    assert told(text + block(said), tmp_path) == [
        "dataset_samples are grpo's prompts, 2 times each; sample_tokens is prompt_length"
    ]
    assert costcalc.estimate(tmp_path / "a.yaml", ranges=False).results["wall_clock"].value


def test_steps_of_reinforcement_need_their_prompts(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(TRL + "num_generations: 4\nmax_steps: 200\n" + block())
    with pytest.raises(InputError, match="grpo needs prompts: how many prompts are trained on"):
        costcalc.estimate(tmp_path / "a.yaml")


@pytest.mark.parametrize(
    ("text", "layout", "said"),
    [
        ("fsdp: full_shard auto_wrap\n", {"sharding": "fsdp"}, []),
        ("fsdp: [shard_grad_op, auto_wrap, offload]\n",
         {"sharding": "zero2", "offload": "all"}, []),
        ("fsdp: hybrid_shard auto_wrap\n", {"sharding": "hsdp"}, []),
        ("fsdp_version: 2\nfsdp_config: {reshard_after_forward: false}\n",
         {"sharding": "zero2"}, []),
        ("fsdp: ''\n", None, []),
        ("deepspeed: {zero_optimization: {stage: 2, offload_optimizer: {device: cpu}}}\n",
         {"sharding": "zero2", "offload": "optimizer"}, []),
        ("deepspeed: examples/ds_z3_offload_config.json\n",
         {"sharding": "zero3", "offload": "all"},
         ["deepspeed: stage 3 with all on the host by the name of "
          "examples/ds_z3_offload_config.json, not opened"]),
        ("deepspeed: deepspeed_configs/zero1.json\n", {"sharding": "zero1"},
         ["deepspeed: stage 1 by the name of deepspeed_configs/zero1.json, not opened"]),
        ("deepspeed: ours.json\n", None,
         ["deepspeed: ours.json is not opened: say its stage as hardware.layout under costcalc, "
          "such as {sharding: zero3}; the fastest layout that fits is taken"]),
    ],
)  # fmt: skip
def test_sharding(
    text: str, layout: dict[str, Any] | None, said: list[str], tmp_path: Path
) -> None:
    made = document(TRL + text + block(), tmp_path)
    assert made.data["hardware"].get("layout") == layout
    assert told(TRL + text + block(), tmp_path) == said
    assert costcalc.estimate(tmp_path / "a.yaml", ranges=False).results["wall_clock"].value


def test_sharding_beside_axes_and_under_the_block(tmp_path: Path) -> None:
    text = AXOLOTL + "tensor_parallel_size: 2\ndeepspeed: zero1.json\n"
    assert document(text + block(), tmp_path).data["hardware"]["layout"] == {
        "tensor": 2, "context": 1, "sharding": "zero1",
    }  # fmt: skip
    own = document(text + block(hardware=", layout: {sharding: zero2}"), tmp_path)
    assert own.data["hardware"]["layout"]["sharding"] == "zero2"
