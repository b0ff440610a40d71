"""A run of Llama 3 8B, changed a section at a time."""

from __future__ import annotations

from typing import Any

from costcalc.calculator.result import Estimate

LLAMA: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {
        "tokens": "15T",
        "sequence_length": 8192,
        "global_batch": 1024,
        "precision": "bf16",
    },
    "hardware": {"accelerator": "h100-sxm5-80", "count": 1024, "utilization": 0.4, "goodput": 0.9},
    "site": {"region": "aws:us-east-1", "pue": 1.2, "grid": "400 gCO2e/kWh"},
    "price": {"device_hour": "2 USD"},
}


def with_(**sections: dict[str, Any] | None) -> dict[str, Any]:
    made = dict(LLAMA)
    for name, keys in sections.items():
        if keys is None:
            made.pop(name)
        else:
            made[name] = {**made.get(name, {}), **keys}
    return made


def value(made: Estimate, name: str) -> float:
    found = made.results[name].value
    assert found is not None, made.results[name].why
    return found
