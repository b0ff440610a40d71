"""Hugging Face Transformers and TRL: ``trl sft --config train.yaml``, ``TrlParser``.

The keys are those of Transformers' ``TrainingArguments`` and TRL's ``ModelConfig``, ``SFTConfig``,
``DPOConfig`` and ``GRPOConfig``, and their defaults hold where a key is absent: 8 sequences a
device, 3 epochs, 8 generations a prompt, adapters of rank 16, sequences of 1,024 tokens in TRL.

References: https://huggingface.co/docs/transformers/main_classes/trainer,
https://huggingface.co/docs/trl/clis, https://huggingface.co/docs/trl/sft_trainer,
https://huggingface.co/docs/trl/grpo_trainer
"""

from __future__ import annotations

from costcalc.runfile import words
from costcalc.runfile.configs import taken
from costcalc.runfile.configs.taken import Config
from costcalc.runfile.workload import ADAPTED

NAME = "Hugging Face"
_LENGTHS = ("max_length", "max_seq_length", "block_size")
_OF_TRL = ("use_peft", "dataset_name", "dataset_mixture", "dataset_mixer", "max_length", "packing")
#: keys that one trainer alone has
_OF_GRPO = ("num_generations", "max_completion_length", "reward_funcs", "reward_model_name_or_path")
_OF_DPO = ("beta", "rpo_alpha", "precompute_ref_log_probs", "max_prompt_length")
#: keys of TRL's trainers that are not counted: whose they are, and whether it learns from pairs
_OF_OTHERS = {
    "cpo_alpha": ("cpo", True),
    "simpo_gamma": ("simpo", True),
    "desirable_weight": ("kto", False),
    "undesirable_weight": ("kto", False),
}


def is_one(config: Config) -> bool:
    """Whether a config is one for Transformers' trainer."""
    return config.has("model_name_or_path") and config.has(
        "per_device_train_batch_size", "num_train_epochs", "max_steps", "learning_rate"
    )


def read(config: Config) -> None:
    """The run of it.

    Raises:
        InputError: it is a run that cannot be told without the block of costcalc saying more.
    """
    of_trl = config.has(*_OF_TRL)
    config.put("training.software", "trl" if of_trl else "transformers", "model_name_or_path")
    taken.model_of(config, "model_name_or_path")
    method = _method(config)
    length = config.get(*_LENGTHS)
    config.put("training.sequence_length", length or (1024 if of_trl else None), *_LENGTHS)
    taken.packing(config, "packing", alone=of_trl and not config.has("block_size"))
    if method == "grpo":
        config.put("training.group", config.get("num_generations") or 8, "num_generations")
        config.take("training.inner_epochs", "num_iterations")
        config.put("training.micro_batch", config.get(_BATCH), _BATCH)
    else:
        taken.steps_or_epochs(config, ("max_steps",), "num_train_epochs", 3)
        config.put("hardware.count", config.get("num_processes"), "num_processes")
        accumulated = config.whole("gradient_accumulation_steps", default=1)
        config.batch(config.whole(_BATCH, default=8), accumulated, _BATCH)
    if method == "dpo" and config.is_on("precompute_ref_log_probs"):
        config.told.append(
            "precompute_ref_log_probs: the reference is counted in every epoch and kept in memory; "
            "it passes over the data once, before they begin"
        )
    arguments(config)


_BATCH = "per_device_train_batch_size"


def arguments(config: Config) -> None:
    """What every program on Transformers' trainer has alike."""
    taken.precision(config)
    config.optimizer("optim")
    attention = words.ATTENTION.get(config.text("attn_implementation"), "").split(" ")[0]
    config.put("training.attention", attention or None, "attn_implementation")
    if config.has("gradient_checkpointing"):  # what is off is said too: trainers differ
        off = config.text("gradient_checkpointing") in ("false", "none", "")
        config.put("training.recompute", "none" if off else "full", "gradient_checkpointing")
    if config.is_on("torch_compile"):
        config.put("training.compiled", True, "torch_compile")
    if config.is_on("use_liger_kernel"):
        config.put("training.logits", "fused", "use_liger_kernel")


def _refuse_others(config: Config) -> None:
    """Refuse a trainer that shares DPO's keys and not its work, where no method is said.

    Raises:
        InputError: it is one, at the key that tells it.
    """
    other = next((name for name in _OF_OTHERS if config.has(name)), "")
    alone = config.text("loss_type") in ("simpo", "alphapo")
    free = config.text("reference_free") == "true"
    config.pairs = alone or free or _OF_OTHERS.get(other, ("", False))[1]
    if config.said_method() is not None:
        return
    adapted = config.is_on("use_peft")
    if alone:
        raise taken.uncounted(config, "loss_type", config.text("loss_type"), adapted=adapted)
    if other:
        raise taken.uncounted(config, other, _OF_OTHERS[other][0], adapted=adapted)
    if free:
        raise taken.uncounted(config, "reference_free", "DPO without its reference")


def _method(config: Config) -> str:
    method = "grpo" if config.has(*_OF_GRPO) else "dpo" if config.has(*_OF_DPO) else ""
    named = next((name for name in (*_OF_GRPO, *_OF_DPO) if config.has(name)), "use_peft")
    if method != "grpo":
        _refuse_others(config)
        config.pairs = config.pairs or method == "dpo"
    adapted = config.is_on("use_peft")
    if (said := config.said_method()) is not None:
        method = said
        adapted = method == "lora" or (adapted and method in ADAPTED)
    if adapted:
        method = method or "lora"
        config.put("training.method", method, named, "use_peft")
        taken.targets(config, config.get("lora_target_modules"), "lora_target_modules")
        if not config.run["training"].get("lora"):
            config.run["training"]["lora"] = {"rank": 16}
        taken.base_precision(config)
        return method
    config.put("training.method", method or "finetune", named)
    return method
