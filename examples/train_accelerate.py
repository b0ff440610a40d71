"""A loop by Accelerate, measured: python train_accelerate.py
On several processes, as its configuration says:  accelerate launch train_accelerate.py

Needs: pip install "costcalc[accelerate]"
"""

from __future__ import annotations

import sys

import torch
from accelerate import Accelerator

import costcalc
from costcalc.integrations.accelerate import sink

RUN = {
    "model": {"forward_flops": "0.34 MFLOP"},  # 2 × (784 × 200 + 200 × 64 + 64 × 10)
    "training": {"epochs": 2, "dataset_samples": 2048, "global_batch": 32},
    "site": {"region": "DE"},
}


def main(output: str = "costs.yaml") -> None:
    accelerator = Accelerator()
    layers = [torch.nn.Linear(784, 200), torch.nn.ReLU(), torch.nn.Linear(200, 64)]
    model = torch.nn.Sequential(*layers, torch.nn.ReLU(), torch.nn.Linear(64, 10))
    data = torch.utils.data.TensorDataset(torch.randn(2048, 784), torch.randint(10, (2048,)))
    loader = torch.utils.data.DataLoader(data, batch_size=32)
    optimizer = torch.optim.AdamW(model.parameters())
    model, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    # The figures go to whatever trackers the Accelerator has (log_with="wandb").
    with costcalc.track(RUN, output=output, interval=1.0, callback=sink(accelerator)) as tracker:
        for _ in range(2):
            for images, labels in loader:
                loss = torch.nn.functional.cross_entropy(model(images), labels)
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
                tracker.step(samples=len(images))  # what this process saw
    accelerator.end_training()


if __name__ == "__main__":
    main(*sys.argv[1:2])
