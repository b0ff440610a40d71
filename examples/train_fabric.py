"""A loop by Lightning Fabric, measured: python train_fabric.py

Needs: pip install "costcalc[lightning]"
"""

from __future__ import annotations

import sys

import torch
from lightning.fabric import Fabric

import costcalc

RUN = {
    "model": {"forward_flops": "0.34 MFLOP"},  # 2 × (784 × 200 + 200 × 64 + 64 × 10)
    "training": {"epochs": 2, "dataset_samples": 2048, "global_batch": 32},
    "site": {"region": "DK"},
}


def main(output: str = "costs.yaml") -> None:
    fabric = Fabric(accelerator="auto", devices=1)
    fabric.launch()
    layers = [torch.nn.Linear(784, 200), torch.nn.ReLU(), torch.nn.Linear(200, 64)]
    model = torch.nn.Sequential(*layers, torch.nn.ReLU(), torch.nn.Linear(64, 10))
    model, optimizer = fabric.setup(model, torch.optim.AdamW(model.parameters()))
    data = torch.utils.data.TensorDataset(torch.randn(2048, 784), torch.randint(10, (2048,)))
    loader = fabric.setup_dataloaders(torch.utils.data.DataLoader(data, batch_size=32))
    # After launch: the process knows its rank then.
    with costcalc.track(RUN, output=output, interval=1.0) as tracker:
        for _ in range(2):
            for images, labels in loader:
                optimizer.zero_grad()
                fabric.backward(torch.nn.functional.cross_entropy(model(images), labels))
                optimizer.step()
                tracker.step(samples=len(images))  # what this process saw


if __name__ == "__main__":
    main(*sys.argv[1:2])
