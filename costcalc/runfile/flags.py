"""The options of the command line for the keys that people type most, each with its key."""

from __future__ import annotations

# an option without its hyphens (``sequence_length`` is --sequence-length): the key that it sets
FLAGS = {
    "parameters": "model.parameters",
    "tokens": "training.tokens",
    "samples": "training.samples",
    "steps": "training.steps",
    "epochs": "training.epochs",
    "sequence_length": "training.sequence_length",
    "batch": "training.global_batch",
    "runs": "training.runs",
    "flops": "model.flops",
    "method": "training.method",
    "precision": "training.precision",
    "software": "training.software",
    "accelerator": "hardware.accelerator",
    "count": "hardware.count",
    "power": "hardware.board_power",
    "instance": "hardware.instance",
    "nodes": "hardware.nodes",
    "region": "site.region",
    "pue": "site.pue",
    "grid": "site.grid",
    "price": "price.device_hour",
    "energy": "measured.energy",
    "energy_it": "measured.energy_it",
    "provider": "price.provider",
    "plan": "price.plan",
}
