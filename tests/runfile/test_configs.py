"""Training configs of other tools that carry a block of costcalc: two real ones a format."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import costcalc
from costcalc.base.errors import InputError
from costcalc.cli import run as command
from costcalc.runfile.carried import run_in

CONFIGS = Path(__file__).parent / "configs"


def read(path: Path) -> tuple[dict[str, Any], tuple[str, ...]]:
    found = run_in(path, path.name)
    assert found is not None
    return found.data, found.unread


EXPECTED: dict[str, tuple[dict[str, Any], dict[str, Any], str]] = {
    # 16 a device × 1 × 8 devices
    "zephyr-sft.yaml": (
        {"preset": "mistralai/Mistral-7B-v0.1"},
        {"software": "trl", "method": "finetune", "sequence_length": 2048, "epochs": 1,
         "micro_batch": 16, "global_batch": 128, "precision": "bf16", "attention": "flash2",
         "recompute": "full", "dataset_samples": 207865, "sample_tokens": 1200,
         "packing": "dynamic"},
        "torch_dtype dataset_mixture learning_rate push_to_hub warmup_ratio",
    ),
    # the ranks that no other axis takes: 64 / (1·1·1) = 64 × 1
    "llama3_8b.toml": (
        {"preset": "llama-3.1-8b"},
        {"software": "torchtitan", "method": "pretrain", "sequence_length": 8192, "steps": 1000,
         "micro_batch": 1, "global_batch": 64, "precision": "bf16", "optimizer": "adamw",
         "recompute": "selective"},
        "job optimizer.lr training.dataset activation_checkpoint.selective_ac_option",
    ),
    # 2 × 512 / 8 of tensor parallelism
    "llama3_405b.toml": (
        {"preset": "llama-3.1-405b"},
        {"software": "torchtitan", "method": "pretrain", "sequence_length": 8192, "steps": 3000,
         "micro_batch": 2, "global_batch": 128, "precision": "fp8", "optimizer": "adamw",
         "recompute": "full", "compiled": True},
        "optimizer.lr lr_scheduler parallelism.enable_async_tensor_parallel",
    ),
    # 2 × 4 × 1 device
    "axolotl-qlora.yml": (
        {"preset": "NousResearch/Meta-Llama-3-8B"},
        {"software": "axolotl", "method": "lora", "lora": {"rank": 32, "targets": "all"},
         "base_precision": "nf4", "sequence_length": 4096, "packing": "packed", "epochs": 4,
         "micro_batch": 2, "global_batch": 8, "precision": "bf16", "recompute": "full",
         "optimizer": "adamw", "attention": "flash2", "dataset_samples": 52002,
         "sample_tokens": 120},
        "datasets pad_to_sequence_len lora_alpha learning_rate",
    ),
    # 1 × 8 × 8 devices
    "axolotl-fft.yaml": (
        {"preset": "meta-llama/Meta-Llama-3-8B"},
        {"software": "axolotl", "method": "finetune", "sequence_length": 8192, "packing": "packed",
         "epochs": 1, "micro_batch": 1, "global_batch": 64, "precision": "bf16",
         "recompute": "full", "optimizer": "adamw-8bit", "attention": "flash2",
         "dataset_tokens": "6M"},
        "datasets",
    ),
    # 1 × 8 × 2 devices
    "llama_factory-lora.yaml": (
        {"preset": "meta-llama/Meta-Llama-3-8B-Instruct"},
        {"software": "llama-factory", "method": "lora", "lora": {"rank": 8, "targets": "all"},
         "sequence_length": 2048, "epochs": 3.0, "micro_batch": 1, "global_batch": 16,
         "precision": "bf16", "recompute": "full", "dataset_samples": 1091, "sample_tokens": 150,
         "packing": "dynamic"},
        "do_train template learning_rate",
    ),
    # 1 × 2 × 8 devices
    "llama_factory-full.yaml": (
        {"preset": "meta-llama/Meta-Llama-3-8B-Instruct"},
        {"software": "llama-factory", "method": "finetune", "sequence_length": 2048, "epochs": 3.0,
         "micro_batch": 1, "global_batch": 16, "precision": "bf16", "recompute": "full",
         "dataset_samples": 1091, "packing": "dynamic"},
        "dataset template learning_rate",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPECTED)
def test_a_real_config(name: str) -> None:
    model, training, left = EXPECTED[name]
    data, unread = read(CONFIGS / name)
    assert data["model"] == model
    assert data["training"] == training
    assert unread == tuple(left.split())
    assert costcalc.estimate(CONFIGS / name, ranges=False).results["energy"].value


def test_adapters_under_dpo(tmp_path: Path) -> None:
    path = CONFIGS / "zephyr-dpo-qlora.yaml"
    data, unread = read(path)
    assert data["training"]["method"] == "dpo"
    assert data["training"]["lora"]["rank"] == 16
    assert data["training"]["base_precision"] == "nf4"
    assert not {"lora_r", "load_in_4bit", "lora_target_modules"} & set(unread)
    made = costcalc.estimate(path, ranges=False)
    # forward, input gradients, and the reference: 3 forwards where training all of it is 4; with
    # adapters of 16 · 32 · (2 · 8192 + 2 · 5120 + 3 · 18,432) = 41.9e6 parameters, 6 FLOP each
    whole = costcalc.estimate(path, changes={"training.lora": None}, ranges=False)
    flops = [one.results["training_compute"].value for one in (made, whole)]
    assert flops[0] / flops[1] == pytest.approx((3 + 6 * 41.9e6 / (2 * 7.24e9)) / 4, rel=0.01)
    said = path.read_text().replace("{dataset_samples: 61135}",
                                    "{method: dpo, dataset_samples: 61135}")  # fmt: skip
    (tmp_path / "a.yaml").write_text(said)
    data, unread = read(tmp_path / "a.yaml")
    assert data["model"] == {"preset": "mistral-7b"}
    assert data["training"]["method"] == "dpo"
    assert "beta" in unread


def test_a_batch_of_dpo_is_of_pairs(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "model_name_or_path: Qwen/Qwen2.5-7B-Instruct\nbeta: 0.1\nmax_length: 1024\n"
        "max_steps: 1000\nper_device_train_batch_size: 4\ngradient_accumulation_steps: 2\n"
        "costcalc: {hardware: {accelerator: h100, count: 8}}\n"
    )
    data, _ = read(tmp_path / "a.yaml")
    # four pairs are eight sequences; two of such on each of eight devices
    assert data["training"]["micro_batch"] == 2 * 4
    assert data["training"]["global_batch"] == 2 * 4 * 2 * 8
    tokens = 1000 * 2 * 4 * 2 * 8 * 1024
    ours, told = (
        costcalc.estimate(tmp_path / "a.yaml", changes=changes, ranges=False)
        for changes in (
            {"training.sample_tokens": 1024},  # each as long as it may be
            {"training.steps": None, "training.tokens": tokens, "training.packing": "packed"},
        )
    )
    flops = [one.results["training_compute"].value for one in (ours, told)]
    assert flops[0] == pytest.approx(flops[1])


@pytest.mark.parametrize(
    ("text", "packing"),
    [
        ("max_length: 1024\n", "dynamic"),  # TRL packs where it is asked to
        ("max_length: 1024\npacking: true\n", "packed"),
        ("dataset_name: wikitext\nblock_size: 1024\n", None),  # run_clm joins its texts
        ("max_length: 1024\nnum_generations: 8\n", None),  # GRPO has lengths of its own
    ],
)
def test_steps_of_a_trainer_that_does_not_pack_are_of_samples(
    tmp_path: Path, text: str, packing: str | None
) -> None:
    (tmp_path / "a.yaml").write_text(
        "model_name_or_path: gpt2\nmax_steps: 100\nper_device_train_batch_size: 8\n"
        f"{text}costcalc: {{hardware: {{accelerator: h100, count: 1}}}}\n"
    )
    data, _ = read(tmp_path / "a.yaml")
    assert data["training"].get("packing") == packing
    if packing == "dynamic":
        made = costcalc.estimate(tmp_path / "a.yaml")
        assert made.details["work"]["data"] == 100 * 8 * 220  # not 100 · 8 · 1024
        assert any("say training.sample_tokens" in said for said in made.warnings)


def test_what_the_block_says_wins(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    text = (CONFIGS / "axolotl-fft.yaml").read_text()
    path.write_text(text.replace("{dataset_tokens: 6M}", "{tokens: 6M, global_batch: 32}"))
    data, _ = read(path)
    assert data["training"]["global_batch"] == 32
    assert data["training"]["tokens"] == "6M"
    assert "epochs" not in data["training"]


HF = "model_name_or_path: gpt2\nlearning_rate: 1.0e-4\nbf16: true\n"
BLOCK = "costcalc:\n  hardware: {accelerator: h100-sxm5-80, count: 4}\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # the defaults of TrainingArguments: 8 a device on 4, 3 epochs
        (HF + BLOCK, {"epochs": 3, "micro_batch": 8, "global_batch": 32,
                      "software": "transformers", "method": "finetune"}),
        (HF + "max_steps: 500\nnum_train_epochs: 2\n" + BLOCK, {"steps": 500}),
        (HF + "use_peft: true\n" + BLOCK, {"method": "lora", "lora": {"rank": 16}}),
        (HF + "use_peft: true\nload_in_8bit: true\nlora_target_modules: all-linear\n" + BLOCK,
         {"base_precision": "int8", "lora": {"targets": "all"}}),
        (HF + "num_generations: 4\nnum_iterations: 2\n" + BLOCK,
         {"method": "grpo", "group": 4, "inner_epochs": 2, "software": "transformers"}),
        (HF + "packing: true\nmax_length: 4096\ntorch_compile: true\nuse_liger_kernel: true\n"
         + BLOCK, {"packing": "packed", "sequence_length": 4096, "compiled": True,
                   "logits": "fused", "software": "trl"}),
        (HF + "optim: adamw_torch_fused\nattn_implementation: sdpa\n" + BLOCK,
         {"optimizer": "adamw", "attention": "flash"}),
    ],
)  # fmt: skip
def test_keys_of_the_trainer(text: str, expected: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(text)
    training = read(tmp_path / "a.yaml")[0]["training"]
    assert {key: training.get(key) for key in expected} == expected


TITAN = '[model]\nname = "llama3"\nflavor = "8B"\n[tool.costcalc]\nsite = {region = "FR"}\n'


def test_axes_of_torchtitan_say_the_count(tmp_path: Path) -> None:
    axes = "".join(
        f"{name}_parallel_{degree} = {value}\n"
        for name, degree, value in (("data", "replicate_degree", 2), ("data", "shard_degree", 4),
                                    ("tensor", "degree", 2), ("pipeline", "degree", 2))
    )  # fmt: skip
    (tmp_path / "a.toml").write_text(f"{TITAN}[parallelism]\n{axes}")
    data, _ = read(tmp_path / "a.toml")
    # 2 replicas × 4 shards × 2 tensor × 2 pipeline; 8 a rank on 32 / (2·2) groups
    assert data["hardware"]["count"] == 32
    assert data["hardware"]["layout"] == {
        "tensor": 2, "pipeline": 2, "context": 1, "sharding": "hsdp"}  # fmt: skip
    assert data["training"]["global_batch"] == 64
    assert data["training"]["micro_batch"] == 1


def test_defaults_of_torchtitan(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(f"{TITAN}[parallelism]\ndata_parallel_shard_degree = 4\n")
    data, _ = read(tmp_path / "a.toml")
    assert data["hardware"] == {
        "count": 4, "layout": {"tensor": 1, "pipeline": 1, "context": 1, "sharding": "fsdp"},
    }  # fmt: skip
    # 8 a rank on 4
    assert data["training"] == {
        "software": "torchtitan", "method": "pretrain", "sequence_length": 2048, "steps": 10_000,
        "micro_batch": 8, "global_batch": 32, "precision": "bf16", "recompute": "selective",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("costcalc: {site: {region: FR}}\nper_device_train_batch_size: 2\n" + HF,
         "a.yaml:2:30: per_device_train_batch_size: is of one device: the batch of all needs "
         "their number; say hardware.count, or training.global_batch, under costcalc"),
        (HF + "gradient_accumulation_steps: many\n" + BLOCK,
         'a.yaml:4:30: gradient_accumulation_steps: expected a whole number; got "many"'),
        ("base_model: gpt2\nsequence_len: 128\nrl: orpo\n" + BLOCK,
         "a.yaml:3:5: rl: orpo is not counted: say training.method under costcalc"),
        ("base_model: gpt2\nsequence_len: 128\nadapter: llama-adapter\n" + BLOCK,
         'a.yaml:3:10: adapter: expected lora or qlora; got "llama-adapter": say '
         "training.method under costcalc"),
        (HF + "stage: rm\n" + BLOCK,
         "a.yaml:4:8: stage: rm is not counted: say training.method under costcalc"),
        (HF + "stage: ppo\nfinetuning_type: lora\n" + BLOCK,
         "a.yaml:4:8: stage: adapters under ppo are not counted: say training.method under "
         "costcalc"),
        (HF + BLOCK, "a.yaml:4:1: training.epochs: epochs need dataset_tokens or dataset_samples, "
         "one of them"),
        (HF + "num_train_epochs: 2\n" + BLOCK, "a.yaml:4:19: training.epochs: epochs need "
         "dataset_tokens or dataset_samples, one of them"),
        ("model_name_or_path: gpt-nowhere\nmax_steps: 5\n" + BLOCK,
         "a.yaml:1:21: model.preset: no preset gpt-nowhere; nearest: "),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_at_its_line(
    text: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.yaml").write_text(text)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as caught:
        costcalc.estimate("a.yaml")
    assert str(caught.value).startswith(said)


def test_a_model_of_torchtitan_that_is_not_known(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(TITAN.replace("8B", "debugmodel"))
    with pytest.raises(InputError, match="llama3 debugmodel is not known: say model under"):
        read(tmp_path / "a.toml")


def test_estimates_say_what_was_not_read(capsys: pytest.CaptureFixture[str]) -> None:
    made = costcalc.estimate(CONFIGS / "axolotl-fft.yaml", ranges=False)
    assert "not read of the Axolotl config: datasets" in made.notes
    assert command(["check", str(CONFIGS / "axolotl-fft.yaml")]) == 0
    out, err = capsys.readouterr()
    assert out == "1 run file valid and within limits\n"
    assert err.endswith("axolotl-fft.yaml: not read of the Axolotl config: datasets\n")


def test_a_report_of_a_config_verifies(tmp_path: Path) -> None:
    made = costcalc.estimate(CONFIGS / "axolotl-qlora.yml")
    path = made.save(tmp_path / "costs.yaml")
    assert costcalc.verify(path).holds


def test_a_toml_without_a_run(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text("[training]\nsteps = 1\n")
    with pytest.raises(InputError, match=r"carries no run: expected a table \[tool.costcalc\]"):
        costcalc.estimate(tmp_path / "a.toml")


def test_a_config_without_a_block_is_told_as_one(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("base_model: gpt2\nsequence_len: 512\nadapter: lora\n")
    with pytest.raises(InputError) as caught:
        costcalc.estimate(tmp_path / "a.yaml")
    assert [problem.message for problem in caught.value.problems] == [
        "is a config of Axolotl: say what it does not (hardware, the size of the data) under the "
        "key costcalc or in comments after # costcalc:"
    ]


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("gradient_checkpointing: false", "recompute", "none"),  # TRL's own default is on
        ("gradient_checkpointing: true", "recompute", "full"),
        ("gradient_checkpointing: offload", "recompute", "full"),
        ("bf16: false", "precision", "fp32"),
        ("bf16: false\nfp16: true", "precision", "fp16"),
        ("bf16: true", "precision", "bf16"),
    ],
)
def test_a_switch_that_is_off_is_said_too(tmp_path: Path, line: str, key: str, value: str) -> None:
    (tmp_path / "a.yaml").write_text(
        "model_name_or_path: gpt2\nmax_steps: 100\nper_device_train_batch_size: 8\n"
        f"max_length: 1024\n{line}\ncostcalc: {{hardware: {{accelerator: h100, count: 1}}}}\n"
    )
    data, _ = read(tmp_path / "a.yaml")
    assert data["training"][key] == value
