"""A Trainer under a real FSDP or DeepSpeed configuration on processors:

``torchrun … sharded_trainer.py FOLDER [STAGE of ZeRO]``

Accelerate shards nothing on processors (its state takes FSDP's plugin on devices alone), so the
state is told to; what shards, gathers and reduces is PyTorch's own, over gloo.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
import transformers
from accelerate.utils import DistributedType, FullyShardedDataParallelPlugin

from costcalc.integrations.transformers import CostCallback


class OnProcessors(transformers.Trainer):
    def create_accelerator_and_postprocess(self) -> None:
        super().create_accelerator_and_postprocess()
        state = self.accelerator.state
        state.distributed_type = DistributedType.FSDP
        state.fsdp_plugin = FullyShardedDataParallelPlugin(**self.args.fsdp_plugin_args)
        self.is_fsdp_enabled = True


FSDP = {
    "fsdp": "full_shard auto_wrap",
    "fsdp_config": {"transformer_layer_cls_to_wrap": ["LlamaDecoderLayer"], "version": 2},
}


def zero(stage: int) -> dict[str, object]:
    """DeepSpeed with PyTorch's own optimizer: its own for processors has to be built."""
    auto = ("train_micro_batch_size_per_gpu", "gradient_accumulation_steps", "train_batch_size")
    more = {"zero_allow_untested_optimizer": True, "zero_force_ds_cpu_optimizer": False}
    return {
        "deepspeed": {"zero_optimization": {"stage": stage}, **dict.fromkeys(auto, "auto"), **more}
    }


def main(folder: Path, stage: int | None = None) -> None:
    config = transformers.LlamaConfig(
        vocab_size=64,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    row = {"input_ids": torch.arange(16) % 64, "labels": torch.arange(16) % 64}
    arguments = transformers.TrainingArguments(
        output_dir=str(folder / "out"),
        per_device_train_batch_size=4,
        use_cpu=True,
        disable_tqdm=True,
        max_steps=6,
        save_strategy="no",
        report_to=[],
        **(zero(stage) if stage else FSDP),
    )
    trainer = (transformers.Trainer if stage else OnProcessors)(
        model=transformers.LlamaForCausalLM(config),
        args=arguments,
        train_dataset=[row] * 64,
        callbacks=[CostCallback(output=str(folder / "costs.yaml"), interval=1.0)],
    )
    trainer.train()
    (folder / f"sharded.{trainer.args.process_index}").write_text(
        type(trainer.model_wrapped).__name__, encoding="utf-8"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]), *map(int, sys.argv[2:]))
