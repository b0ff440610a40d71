"""What runs the step where nothing is said, and what follows from what is."""

from __future__ import annotations

from typing import Any

import pytest

import costcalc
from costcalc.base.assumption import Choice
from costcalc.calculator.calculate import hardware_side
from costcalc.resolve.names import look_up
from costcalc.resolve.place import region_of
from costcalc.runfile.loading import load
from costcalc.throughput.layout import Recipe


def made(**changes: Any) -> tuple[Recipe, dict[str, Choice]]:
    run = {
        "model": {"preset": changes.pop("model", "llama-3.2-1b")},
        "training": {"tokens": "1B"} | changes.pop("training", {}),
        "hardware": {
            "accelerator": changes.pop("accelerator", "h100-sxm5-80"),
            "count": changes.pop("count", 8),
        },
    }
    if "layout" in changes:
        run["hardware"]["layout"] = changes.pop("layout")
    if "samples" in run["training"]:
        del run["training"]["tokens"]
    request = load(run, look_up)
    side = hardware_side(request.parts[0], request, region_of(request.parts[0]))
    assert side.timed is not None
    listed = {item.key: item for item in side.timed.assumptions if isinstance(item, Choice)}
    return side.timed.recipe, listed


@pytest.mark.parametrize(
    ("asked", "usual"),
    [
        ({}, "pytorch"),
        ({"count": 16}, "megatron"),
        ({"layout": {"tensor": 2}}, "megatron"),  # who cuts layers has software that does
        ({"layout": {"pipeline": 2}}, "megatron"),
        ({"layout": {"data": 8}}, "pytorch"),
        ({"count": 16, "accelerator": "mi300x"}, "primus"),
        ({"count": 4, "accelerator": "tpu-v5e"}, "maxtext"),
        ({"training": {"method": "finetune"}}, "transformers"),
        ({"training": {"method": "finetune"}, "count": 56}, "transformers"),
        ({"training": {"method": "finetune"}, "count": 64}, "nemo"),
        ({"training": {"method": "lora"}, "count": 64}, "transformers"),
        ({"training": {"method": "dpo"}}, "trl"),
        ({"model": "resnet-50", "training": {"samples": "1M"}, "count": 16}, "pytorch"),
        (
            {
                "model": "resnet-50",
                "training": {"samples": "1M"},
                "accelerator": "tpu-v5e",
                "count": 4,
            },
            "jax",
        ),
    ],
)
def test_what_is_usual_for_method_and_size(asked: dict[str, Any], usual: str) -> None:
    recipe, listed = made(**asked)
    # not told, whatever is assumed: nothing of the stack itself is
    assert (recipe.told, recipe.modules, recipe.shards) == (frozenset(), None, "own")
    item = listed["training.software"]
    assert (item.value, item.basis) == (usual, "default")
    assert item.why.startswith("not told: usual for ")
    assert item.why.endswith("; the range is wider for it")


def test_what_is_told_is_not_assumed() -> None:
    recipe, listed = made(training={"method": "finetune", "software": "Megatron-LM"})
    assert (recipe.told, recipe.modules) == (frozenset({"software"}), "fused")
    assert "training.software" not in listed
    assert (recipe.compiled, recipe.attention, recipe.states) == (True, "flash", "fp32")
    assert listed["training.compiled"].why == (
        "as Megatron-LM does: Transformer Engine's fused kernels throughout"
    )
    assert listed["training.compiled"].source.startswith("NVIDIA/Megatron-LM@")


def test_the_stack_sets_defaults_and_the_run_file_wins() -> None:
    tuned, _ = made(training={"method": "finetune", "software": "torchtune"}, count=1)
    assert (tuned.states, tuned.logits, tuned.gradients) == ("bf16", "chunked", "freed")
    assert (tuned.compiled, tuned.attention) == (False, "flash2")
    said = {"software": "torchtune", "method": "finetune", "states": "fp32", "logits": "full",
            "gradients": "kept", "compiled": True, "attention": "flash"}  # fmt: skip
    own, listed = made(training=said, count=1)
    keys = said.keys() - {"software", "method"}
    assert {key: getattr(own, key) for key in keys} == {key: said[key] for key in keys}
    assert not {f"training.{key}" for key in said} & set(listed)


@pytest.mark.parametrize(
    ("software", "facts"),
    [
        ("megatron", ("fused", "own", "own", False, "device")),
        ("nemo", ("fused", "own", "own", False, "device")),
        ("primus", ("fused", "own", "own", False, "device")),
        ("nanotron", ("fused", "own", "own", False, "device")),
        ("deepspeed", ("plain", "deepspeed", "own", True, "device")),
        ("transformers", ("plain", "deepspeed", "transformers", False, "device")),
        ("trl", ("plain", "deepspeed", "transformers", False, "device")),
        ("llama-factory", ("plain", "deepspeed", "transformers", False, "device")),
        ("ms-swift", ("plain", "deepspeed", "transformers", False, "device")),
        ("axolotl", ("plain", "own", "transformers", False, "device")),
        ("unsloth", ("plain", "own", "own", False, "host")),
        ("torchtune", ("plain", "own", "own", False, "device")),  # nothing of all this is known
    ],
)
def test_what_a_named_stack_does_beyond_what_a_run_can_say(
    software: str, facts: tuple[object, ...]
) -> None:
    recipe, _ = made(training={"software": software})
    assert facts == (
        recipe.modules, recipe.shards, recipe.trainer, recipe.sums, recipe.checkpoints
    )  # fmt: skip


def test_another_name_is_said_in_the_result() -> None:
    run = {"model": {"preset": "llama-3.2-1b"}, "training": {"tokens": "1B", "software": "h-f"},
           "hardware": {"accelerator": "h100-sxm5-80", "count": 1}}  # fmt: skip
    found = costcalc.estimate(run, ranges=False)
    assert 'training.software: "h-f" is taken as transformers (Hugging Face Transformers)' in (
        found.warnings
    )
