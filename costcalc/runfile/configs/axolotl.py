"""Axolotl: ``axolotl train config.yaml``.

Its defaults hold where a key is absent: 1 sequence a device, 1 epoch, sequences of 512 tokens.  The
devices follow from ``dp_shard_size``, ``dp_replicate_size``, ``tensor_parallel_size`` and
``context_parallel_size`` where the first is said.

Reference: https://docs.axolotl.ai/docs/config-reference.html
"""

from __future__ import annotations

from costcalc.runfile.configs import hugging_face, taken
from costcalc.runfile.configs.taken import Config
from costcalc.runfile.workload import ADAPTED

NAME = "Axolotl"
_METHODS = {"dpo": "dpo", "ipo": "dpo", "kto": "", "orpo": "", "grpo": "grpo", "simpo": ""}
#: whose examples are pairs of a chosen and a rejected answer
_OF_PAIRS = ("dpo", "ipo", "orpo", "simpo")
_LIGER = ("liger_fused_linear_cross_entropy", "cut_cross_entropy")


def is_one(config: Config) -> bool:
    """Whether a config is one of Axolotl's."""
    return config.has("base_model") and config.has(
        "sequence_len", "micro_batch_size", "datasets", "adapter", "num_epochs"
    )


def read(config: Config) -> None:
    """The run of it.

    Raises:
        InputError: it is a run that cannot be told without the block of costcalc saying more.
    """
    config.put("training.software", "axolotl", "base_model")
    taken.model_of(config, "base_model")
    _method(config)
    config.put("training.sequence_length", config.get("sequence_len") or 512, "sequence_len")
    if not config.is_on("sample_packing") and config.is_on("pad_to_sequence_len"):
        config.put("training.packing", "padded", "pad_to_sequence_len")
    else:
        taken.packing(config, "sample_packing", alone=not config.has("pretraining_dataset"))
    taken.steps_or_epochs(config, ("max_steps",), "num_epochs", 1)
    shared = _layout(config)
    micro = config.whole("micro_batch_size", default=1)
    accumulated = config.whole("gradient_accumulation_steps", default=1)
    config.batch(micro, accumulated, "micro_batch_size", model=shared)
    hugging_face.arguments(config)
    config.optimizer("optimizer")
    if config.is_on("flash_attention"):
        config.put("training.attention", "flash2", "flash_attention")
    if any(config.is_on(name) for name in _LIGER):
        config.put("training.logits", "fused", *_LIGER)


def _method(config: Config) -> None:
    adapter, rl = config.text("adapter"), config.text("rl")
    config.pairs = rl in _OF_PAIRS
    if (said := config.said_method()) is not None:
        method = said
    elif rl:
        method = _METHODS.get(rl, "")
        if not method:
            raise taken.uncounted(config, "rl", rl, adapted=bool(adapter))
    else:
        method = "lora" if adapter else "finetune"
    if config.said_method() is None and adapter not in ("", "lora", "qlora"):
        message = f'expected lora or qlora; got "{adapter}": say training.method under costcalc'
        raise config.wrong("adapter", message)
    config.put("training.method", method, "rl", "adapter")
    if method == "lora" or (adapter and method in ADAPTED):
        linear = config.is_on("lora_target_linear")
        modules = config.get("lora_target_modules")
        taken.targets(config, modules or ("all" if linear else None), "lora_target_modules")
        taken.base_precision(config)


def _layout(config: Config) -> int:
    """Devices that share a sequence; ``hardware.layout`` and ``count``, where they are said."""
    tensor = config.whole("tensor_parallel_size", default=1)
    context = config.whole("context_parallel_size", "sequence_parallel_degree", default=1)
    shard, replicas = (
        config.whole(name, default=1) for name in ("dp_shard_size", "dp_replicate_size")
    )
    if shard > 1:
        config.put("hardware.count", shard * replicas * tensor * context, "dp_shard_size")
    made: dict[str, object] = {"tensor": tensor, "context": context}
    if shard > 1:
        made["sharding"] = "hsdp" if replicas > 1 else "fsdp"
    if tensor * context > 1 or shard > 1:
        config.put("hardware.layout", made, "tensor_parallel_size", "dp_shard_size")
    return tensor * context
