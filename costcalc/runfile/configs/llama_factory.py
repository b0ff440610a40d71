"""LLaMA-Factory: ``llamafactory-cli train config.yaml``.

Transformers' ``TrainingArguments`` with keys of its own, whose defaults hold where one is absent:
stage sft, adapters of rank 8 on all matrices, sequences of 2,048 tokens, activations computed again
unless ``disable_gradient_checkpointing`` is said.

References: https://llamafactory.readthedocs.io/en/latest/getting_started/sft.html,
https://llamafactory.readthedocs.io/en/latest/advanced/arguments.html
"""

from __future__ import annotations

from costcalc.runfile.configs import hugging_face, sizes, taken
from costcalc.runfile.configs.taken import Config
from costcalc.runfile.workload import ADAPTED

NAME = "LLaMA-Factory"
_STAGES = {"pt": "pretrain", "sft": "finetune", "dpo": "dpo", "ppo": "ppo"}
#: losses of stage dpo that have no reference, and are not DPO's work
_ALONE = ("orpo", "simpo")
_BASES = {4: "nf4", 8: "int8"}
_ATTENTION = {"fa2": "flash2", "sdpa": "flash", "disabled": "standard"}
_BATCH = "per_device_train_batch_size"


def is_one(config: Config) -> bool:
    """Whether a config is one of LLaMA-Factory's."""
    return config.has("model_name_or_path") and config.has(
        "finetuning_type", "cutoff_len", "stage", "template", "quantization_bit"
    )


def read(config: Config) -> None:
    """The run of it.

    Raises:
        InputError: it is a run that cannot be told without the block of costcalc saying more.
    """
    config.put("training.software", "llama-factory", "model_name_or_path")
    taken.model_of(config, "model_name_or_path")
    _method(config)
    config.put("training.sequence_length", config.get("cutoff_len") or 2048, "cutoff_len")
    taken.packing(config, "packing", "neat_packing", alone=config.text("stage") != "pt")
    taken.steps_or_epochs(config, ("max_steps",), "num_train_epochs", 3)
    if config.has("max_samples"):
        sizes.cut(config, _datasets(config))
    accumulated = config.whole("gradient_accumulation_steps", default=1)
    config.batch(config.whole(_BATCH, default=8), accumulated, _BATCH)
    hugging_face.arguments(config)
    if config.is_on("pure_bf16"):
        config.put("training.precision", "bf16", "pure_bf16")
        config.put("training.states", "bf16", "pure_bf16")
    attention = _ATTENTION.get(config.text("flash_attn"))
    config.put("training.attention", attention, "flash_attn")
    if config.is_on("enable_liger_kernel"):
        config.put("training.logits", "fused", "enable_liger_kernel")
    name = "disable_gradient_checkpointing"
    config.put("training.recompute", "none" if config.is_on(name) else "full", name)


def _datasets(config: Config) -> int:
    """How many data sets are mixed: names with commas between, or a list."""
    said = config.get("dataset")
    names = said if isinstance(said, (list, tuple)) else str(said or "").split(",")
    return max(1, sum(bool(str(name).strip()) for name in names))


def _method(config: Config) -> None:
    stage = config.text("stage") or "sft"
    kind = config.text("finetuning_type") or "lora"
    config.pairs = stage in ("dpo", "rm")
    loss = config.text("pref_loss") if stage == "dpo" else ""
    if (said := config.said_method()) is not None:
        method = said
    elif stage not in _STAGES or kind not in ("lora", "full"):
        named, value = ("stage", stage) if stage not in _STAGES else ("finetuning_type", kind)
        raise taken.uncounted(config, named, value)
    elif loss in _ALONE:
        raise taken.uncounted(config, "pref_loss", loss, adapted=kind == "lora")
    elif kind == "lora" and _STAGES[stage] == "ppo":
        message = f"adapters under {stage} are not counted: say training.method under costcalc"
        raise config.wrong("stage", message)
    else:
        tuned = _STAGES[stage] not in ADAPTED
        method = "lora" if kind == "lora" and tuned else _STAGES[stage]
    config.put("training.method", method, "finetuning_type", "stage")
    if method == "lora" or (method in ADAPTED and kind == "lora"):
        ranked = config.has("lora_rank")
        taken.targets(config, config.get("lora_target") or "all", "lora_target")
        if not ranked:
            config.run["training"]["lora"] = {"rank": 8, "targets": "all"}
        bits = config.whole("quantization_bit", default=0)
        config.put("training.base_precision", _BASES.get(bits), "quantization_bit")
