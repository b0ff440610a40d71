"""A loop by Ray Train on two workers, measured: python train_ray.py

Needs: pip install "ray[train]" torch
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer, prepare_data_loader, prepare_model

import costcalc

RUN = {
    "model": {"forward_flops": "0.34 MFLOP"},  # 2 × (784 × 200 + 200 × 64 + 64 × 10)
    "training": {"epochs": 2, "dataset_samples": 2048, "global_batch": 64},
    "site": {"region": "NL"},
}


def train(config: dict[str, str]) -> None:
    """What each worker runs."""
    layers = [torch.nn.Linear(784, 200), torch.nn.ReLU(), torch.nn.Linear(200, 64)]
    model = prepare_model(torch.nn.Sequential(*layers, torch.nn.ReLU(), torch.nn.Linear(64, 10)))
    optimizer = torch.optim.AdamW(model.parameters())
    data = torch.utils.data.TensorDataset(torch.randn(2048, 784), torch.randint(10, (2048,)))
    loader = prepare_data_loader(torch.utils.data.DataLoader(data, batch_size=32))
    # In the worker: it knows its rank. The folder of the output must be one that all workers see.
    with costcalc.track(RUN, output=config["output"], interval=1.0) as tracker:
        for _ in range(2):
            for images, labels in loader:
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(model(images), labels).backward()
                optimizer.step()
                tracker.step(samples=len(images))  # what this worker saw


def main(output: str = "costs.yaml") -> None:
    trainer = TorchTrainer(
        train,
        # A worker has a folder of its own: the path is made absolute here.
        train_loop_config={"output": str(Path(output).absolute())},
        scaling_config=ScalingConfig(num_workers=2),
    )
    trainer.fit()


if __name__ == "__main__":
    main(*sys.argv[1:2])
