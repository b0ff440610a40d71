"""The batch where none is given: by method, kind and size, as papers have it."""

from __future__ import annotations

from typing import Any

import pytest

from costcalc.base.assumption import Choice
from costcalc.calculator.calculate import HardwareSide, hardware_side
from costcalc.decide.buying import COUNTS, counts_for
from costcalc.resolve.names import look_up
from costcalc.resolve.place import region_of
from costcalc.runfile.loading import load

H100 = "h100-sxm5-80"


def side(
    model: str, method: str = "pretrain", count: int = 8, accelerator: str = H100, **training: Any
) -> HardwareSide:
    run = {
        "model": {"preset": model},
        "training": {"tokens": "1B", "method": method} | training,
        "hardware": {"accelerator": accelerator, "count": count},
    }
    if "samples" in training:
        del run["training"]["tokens"]
    request = load(run, look_up)
    return hardware_side(request.parts[0], request, region_of(request.parts[0]))


def batch(*words: Any, **more: Any) -> tuple[float, str, str]:
    timed = side(*words, **more).timed
    assert timed is not None
    listed = {item.key: item for item in timed.assumptions}
    item = listed["training.global_batch"]
    assert isinstance(item, Choice)
    assert item.value == timed.recipe.global_batch
    return timed.recipe.global_batch, item.why, item.source


@pytest.mark.parametrize(
    ("model", "method", "count", "size", "source"),
    [
        # 2^19 tokens in sequences of 1024; 2^20 of 2048; 4M of 8192 are 488, on 64 devices 512
        ("gpt2", "pretrain", 8, 512, "GPT-3"),
        ("tinyllama-1.1b", "pretrain", 8, 512, "GPT-3"),
        ("llama-3-8b", "pretrain", 64, 512, "Llama 2"),
        # 2^24 tokens in sequences of 4096
        ("deepseek-v3", "pretrain", 2048, 4096, "Llama 3"),
        ("bert-base", "pretrain", 8, 256, "BERT"),
        ("t5-base", "pretrain", 8, 128, "T5"),
        ("llama-3-8b", "finetune", 8, 128, "Alpaca"),
        ("llama-3-8b", "lora", 8, 16, "QLoRA"),
        ("llama-3-8b", "lora", 32, 32, "QLoRA"),  # a sequence a device at least
        ("llama-3-8b", "lora", 3, 18, "QLoRA"),  # as many on every device
        ("llama-3-8b", "dpo", 8, 2 * 64, "DPO"),
        ("bert-base", "finetune", 8, 32, "BERT"),
    ],
)
def test_sequences_a_step(model: str, method: str, count: int, size: int, source: str) -> None:
    found, _, said = batch(model, method, count)
    assert found == size
    assert source in said


@pytest.mark.parametrize(
    ("model", "method", "size", "source"),
    [
        ("resnet-50", "pretrain", 8 * 32, "Goyal"),
        ("vit-b-16", "pretrain", 8 * 64, "DeiT"),
        ("dit-xl-2", "lora", 8, "diffusers"),
    ],
)
def test_samples_a_step(model: str, method: str, size: int, source: str) -> None:
    found, _, said = batch(model, method, samples="1M")
    assert found == size
    assert source in said


def test_a_laptop_takes_no_steps_of_four_million_tokens() -> None:
    # one device: 120 s × 0.4 × its peak / FLOPs a sequence, and the power of two below
    made = side("gpt2", count=1, accelerator="apple-m1", precision="fp32")
    work, timed = made.trained.work, made.timed
    assert work is not None
    assert timed is not None
    assert work.flops_per_datum is not None
    assert work.sequence_length is not None
    peak = made.devices.machine.peak["fp32"]
    most = 120 * 0.4 * peak / (work.flops_per_datum * work.sequence_length)
    size = timed.recipe.global_batch
    assert size == 1 or size <= most < 2 * size
    assert size * work.sequence_length < 2e5


def test_the_reason_says_so() -> None:
    _, why, _ = batch("llama-3-8b", count=1, precision="bf16")
    assert why == (
        "what these devices compute in 2 minutes at most, of about 4M tokens a step, "
        "at least a sequence a device"
    )


def test_no_more_devices_are_tried_than_a_usual_batch_has_sequences() -> None:
    assert counts_for({"training": {"method": "lora"}}) == (1, 2, 4, 8, 16)
    assert max(counts_for({"training": {"method": "finetune"}})) == 128
    assert counts_for({"training": {"method": "lora", "global_batch": 4096}}) == COUNTS
    assert counts_for({"training": {"method": "pretrain"}}) == counts_for({}) == COUNTS


@pytest.mark.parametrize(
    ("asked", "axes"),
    [
        # plain PyTorch divides the batch alone: nobody pipelines a ViT over two cards
        ({"model": "vit-b-16", "count": 2, "samples": "1M"}, (2, 1, 1, 1)),
        ({"model": "llama-3-8b", "count": 8}, (8, 1, 1, 1)),
        ({"model": "llama-3-8b", "method": "lora", "count": 8}, (8, 1, 1, 1)),
    ],
)
def test_a_stack_that_divides_the_batch_alone(asked: dict[str, Any], axes: tuple[int, ...]) -> None:
    timed = side(**asked).timed
    assert timed is not None
    made = timed.throughput.layout
    assert made is not None
    assert (made.data, made.tensor, made.pipeline, made.context) == axes


def test_a_batch_smaller_than_the_devices_is_divided_otherwise() -> None:
    timed = side("llama-3-8b", count=8, global_batch=4).timed
    assert timed is not None
    made = timed.throughput.layout
    assert made is not None
    assert made.data <= 4
