"""A fit by Lightning, measured: python train_lightning.py

Needs: pip install "costcalc[lightning]"
"""

from __future__ import annotations

import sys

import lightning.pytorch as lightning
import torch

from costcalc.integrations.lightning import CostCallback

RUN = {
    "model": {"forward_flops": "0.34 MFLOP"},  # 2 × (784 × 200 + 200 × 64 + 64 × 10)
    "training": {"epochs": 2, "dataset_samples": 2048, "global_batch": 32},
    "site": {"region": "SE"},
}


class Classifier(lightning.LightningModule):
    def __init__(self) -> None:
        super().__init__()
        self.layers = torch.nn.Sequential(
            torch.nn.Linear(784, 200),
            torch.nn.ReLU(),
            torch.nn.Linear(200, 64),
            torch.nn.ReLU(),
            torch.nn.Linear(64, 10),
        )

    def training_step(self, batch: list[torch.Tensor], index: int) -> torch.Tensor:  # noqa: ARG002
        images, labels = batch
        return torch.nn.functional.cross_entropy(self.layers(images), labels)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.parameters())


def main(output: str = "costs.yaml") -> None:
    data = torch.utils.data.TensorDataset(torch.randn(2048, 784), torch.randint(10, (2048,)))
    loader = torch.utils.data.DataLoader(data, batch_size=32)
    trainer = lightning.Trainer(
        max_epochs=2,
        accelerator="auto",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        callbacks=[CostCallback(RUN, output=output)],
    )
    trainer.fit(Classifier(), loader)


if __name__ == "__main__":
    main(*sys.argv[1:2])
