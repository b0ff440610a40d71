"""What is kept on the host, packed or computed again: its time, and what the host has to hold."""

from __future__ import annotations

from typing import Any

import pytest

import costcalc
from costcalc.calculator.result import Estimate

ADAPTERS: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {
        "method": "lora", "samples": 10000, "sample_tokens": 512, "sequence_length": 512,
        "micro_batch": 1, "global_batch": 8, "recompute": "none",
    },
    "hardware": {"accelerator": "rtx-4090", "count": 1, "layout": {"offload": "all"}},
}  # fmt: skip


def made(run: dict[str, Any], **changes: object) -> Estimate:
    return costcalc.estimate(run, changes={k.replace("__", "."): v for k, v in changes.items()})


def seconds(found: Estimate) -> float:
    value = found.results["step_time"].value
    assert value is not None
    return value


def test_weights_on_the_host_cost_their_way() -> None:
    found = made(ADAPTERS)
    step = found.results["step_time"]
    # 8.03 G weights of 2 bytes, twice for each of 8 micro-batches, over PCIe 4.0: 257 GB at 0.8 of
    # 31.5 GB/s; by no means faster than at all of it
    moved = 8.03e9 * 2 * 2 * 8
    assert step.value == pytest.approx(moved / (0.8 * 31.5e9), rel=0.01)
    assert step.low is not None
    assert step.low >= 0.99 * moved / 31.5e9
    told = [note for note in found.warnings if note.startswith("each host")]
    # 16.06 GB of the base, and 42 M parameters of adapters with theirs
    assert told == [
        "each host has to hold 15.6 GiB of weights, gradients and optimizer states "
        "(hardware.layout.offload, activations)"
    ]
    kept = made(ADAPTERS, hardware__layout__offload="none", training__base_precision="nf4")
    assert not [note for note in kept.warnings if note.startswith("each host")]


def test_activations_on_the_host_cost_their_way() -> None:
    run = {**ADAPTERS, "hardware": {"accelerator": "a100-sxm4-80", "count": 1}}
    run["training"] = {**ADAPTERS["training"], "sample_tokens": 4096, "sequence_length": 4096,
                       "micro_batch": 4, "global_batch": 4}  # fmt: skip
    found = made(run, hardware__layout__activations="host")
    [told] = [note for note in found.warnings if note.startswith("each host")]
    # 4 · 4096 tokens, 30 of 32 layers, 1.35 times some 71.7 thousand elements of 2 bytes
    kept = 4 * 4096 * 30 * 1.35 * 71.7e3 * 2
    assert told.startswith("each host has to hold 86.1 GiB of activations")
    assert kept / 2**30 == pytest.approx(86.1, rel=0.05)
    assert seconds(found) == pytest.approx(2 * 86.1 * 2**30 / (0.8 * 31.5e9), rel=0.01)


FLUX: dict[str, Any] = {
    "model": {"preset": "flux.1-dev"},
    "training": {"method": "lora", "samples": 10000, "micro_batch": 1, "global_batch": 4},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 1},
}


def test_packed_bases_of_diffusion_take_less_memory_and_more_time() -> None:
    wide, eight, four = (
        made(FLUX, training__base_precision=base) for base in ("bf16", "int8", "nf4")
    )
    held = [found.results["memory_per_device"] for found in (wide, eight, four)]
    for name in ("low", "value", "high"):
        sizes = [getattr(one, name) for one in held]
        assert sizes == sorted(sizes, reverse=True)
        assert len(set(sizes)) == 3
    # 11.9 G weights, read and written anew in two passes of each of 4 micro-batches: 3.5 or 4 bytes
    # (and what an H100 reaches of 3.35 TB/s)
    for found, each in ((eight, 4.0), (four, 3.5)):
        more = seconds(found) - seconds(wide)
        assert more == pytest.approx(4 * 2 * 11.9e9 * each * 1.021 / (3.35e12 * 0.7264), rel=0.02)


RESNET: dict[str, Any] = {
    "model": {"preset": "resnet-50"},
    "training": {"samples": "1M", "global_batch": 768, "micro_batch": 512},
    "hardware": {"accelerator": "rtx-3090", "count": 1},
}


def recomputed(found: Estimate) -> object:
    return found.details["layout"]["recompute"]


def test_recompute_of_a_net_is_what_was_asked_for() -> None:
    none = made(RESNET, training__recompute="none")
    assert recomputed(none) == "none"
    assert any(note.startswith("memory may not suffice: 29 GiB") for note in none.warnings)
    # left open it recomputes where all does not fit at the low end (15.1 GiB, four times as many
    # samples), for a forward pass more: 4/3 of the time
    assert recomputed(made(RESNET)) == "none"
    left = made(RESNET, training__micro_batch=2048, training__global_batch=2048)
    assert recomputed(left) == "full"
    assert seconds(left) == pytest.approx(2048 / 768 * 4 / 3 * seconds(none), rel=0.01)
    small, full = (
        made(RESNET, training__micro_batch=256, training__recompute=kind)
        for kind in ("none", "full")
    )
    assert (recomputed(small), recomputed(full)) == ("none", "full")
    assert seconds(full) == pytest.approx(4 / 3 * seconds(small), rel=0.01)
    held = [one.results["memory_per_device"].value or 0.0 for one in (full, small)]
    assert held[0] < held[1]
    some = made(RESNET, training__micro_batch=256, training__recompute="selective")
    assert recomputed(some) == "none"
