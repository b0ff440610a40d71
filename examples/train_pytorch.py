"""A plain PyTorch loop, measured.  Alone: python train_pytorch.py
On several processes:  torchrun --nproc-per-node 4 train_pytorch.py
"""

from __future__ import annotations

import os
import sys

import torch

import costcalc

RUN = {
    "name": "a small transformer",
    "model": {
        "architecture": {
            "layers": 2,
            "hidden": 64,
            "heads": 4,
            "ffn": 256,
            "vocabulary": 256,
            "gated": False,
        }
    },
    "training": {"tokens": "100k", "sequence_length": 64, "global_batch": 16},
    "site": {"region": "FR"},
    "limits": {"time": "10 min"},
}
ROWS, LENGTH, STEPS = 4, 64, 100


def main(output: str = "costs.yaml", steps: int = STEPS) -> None:
    distributed = "RANK" in os.environ
    if distributed:
        torch.distributed.init_process_group("gloo")
    torch.manual_seed(0)
    layer = torch.nn.TransformerEncoderLayer(64, 4, 256, batch_first=True)
    model: torch.nn.Module = torch.nn.Sequential(
        torch.nn.Embedding(256, 64), torch.nn.TransformerEncoder(layer, 2), torch.nn.Linear(64, 256)
    )
    if distributed:
        model = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.AdamW(model.parameters())

    with costcalc.track(RUN, output=output, on_limit="stop", interval=1.0) as tracker:
        for _ in range(steps):
            batch = torch.randint(256, (ROWS, LENGTH))
            loss = torch.nn.functional.cross_entropy(model(batch).flatten(0, 1), batch.flatten())
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            tracker.step(tokens=batch.numel())  # what this process saw
            if tracker.should_stop:  # the same step in every process
                break

    if distributed:
        torch.distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:2])
