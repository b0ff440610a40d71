"""A fine-tuning by Hugging Face's Trainer, measured: python train_transformers.py

Needs: pip install "costcalc[transformers]"
"""

from __future__ import annotations

import sys

import torch
from transformers import LlamaConfig, LlamaForCausalLM, Trainer, TrainingArguments

from costcalc.integrations.transformers import CostCallback


def main(output: str = "costs.yaml") -> None:
    config = LlamaConfig(
        vocab_size=256,
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=256,
        max_position_embeddings=64,
    )
    tokens = torch.randint(256, (256, 64))
    data = [{"input_ids": row, "labels": row} for row in tokens]
    # The model, the precision and the size of the data come from the Trainer.
    callback = CostCallback({"site": {"region": "FR"}}, output=output)
    arguments = TrainingArguments(
        output_dir="checkpoints",
        per_device_train_batch_size=8,
        max_steps=50,
        save_steps=25,
        use_cpu=not torch.cuda.is_available(),
        report_to="none",
        disable_tqdm=True,
    )
    Trainer(
        model=LlamaForCausalLM(config), args=arguments, train_dataset=data, callbacks=[callback]
    ).train()


if __name__ == "__main__":
    main(*sys.argv[1:2])
