"""What changes nothing of a run is said; that it changes nothing is held by taking it out."""

from __future__ import annotations

from typing import Any

import pytest

import costcalc

HARDWARE = {"accelerator": "a100-sxm4-80", "count": 8}
GENERATED = "it goes with method grpo or ppo"
NO_DECODER = "it goes with a model that has an encoder and a decoder"
BY_FLOPS = "what the layers keep is not known of a model that is counted by its FLOPs"
SHAPE = "layers, hidden, heads, ffn and vocabulary together say the shape"


def run_of(
    model: str | dict[str, Any], key: str = "", value: object = None, **training: Any
) -> Any:
    named = {"preset": model} if isinstance(model, str) else dict(model)
    made: dict[str, Any] = {
        "model": named,
        "training": training,
        "hardware": HARDWARE,
        "site": {"region": "FR"},
    }
    section, _, name = key.partition(".")
    if name:
        made[section] = {**made[section], name: value}
    return made


def figures(run: Any) -> dict[str, float | None]:
    made = costcalc.estimate(run, ranges=False)
    return {name: result.value for name, result in made.results.items()}


@pytest.mark.parametrize(
    ("model", "data", "key", "value", "why"),
    [
        ("llama-3-8b", "tokens", "training.prompt_length", 256, GENERATED),
        ("llama-3-8b", "tokens", "training.generation_length", 256, GENERATED),
        ("llama-3-8b", "tokens", "training.group", 8, GENERATED),
        ("llama-3-8b", "tokens", "training.inner_epochs", 2, GENERATED),
        ("llama-3-8b", "tokens", "training.target_length", 64, NO_DECODER),
        ("llama-3-8b", "tokens", "training.packing", "padded",
         "it goes with sample_tokens or documents, how long texts are"),
        ("llama-3-8b", "tokens", "model.labels", 4, "it goes with head: classifier"),
        ("llama-3-8b", "tokens", "model.active_parameters", "1B", "the shape of the model says it"),
        ("llama-3-8b", "tokens", "site.grid_resolution", "hourly",
         "it goes with site.grid, your own figure"),
        ("vit-b-16", "samples", "training.sequence_length", 512,
         "ViT-B/16 is counted by samples of one size"),
        ("whisper-small", "samples", "training.sample_tokens", 300,
         "Whisper small is counted by samples of one size"),
        ("wav2vec2-base", "samples", "training.recompute", "selective",
         "selective is of layers that are known: none or full here"),
        ("dit-xl-2", "samples", "training.attention", "standard", BY_FLOPS),
        ({"parameters": "7B"}, "tokens", "model.heads", 8, SHAPE),
        ({"parameters": "7B"}, "tokens", "model.layers", 8, SHAPE),
        ({"parameters": "7B", "layers": 32, "hidden": 4096}, "tokens", "model.ffn", 9000, SHAPE),
        ({"forward_flops": "8 GFLOP"}, "samples", "model.hidden", 512,
         "model.forward_flops says the computation"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_said(
    model: str | dict[str, Any], data: str, key: str, value: object, why: str
) -> None:
    without, with_it = (run_of(model, *more, **{data: "1M"}) for more in ((), (key, value)))
    assert figures(with_it) == figures(without)
    made = costcalc.estimate(with_it, ranges=False)
    assert f"{key} is not used: {why}" in made.warnings
    assert not any("is not used" in told for told in costcalc.estimate(without).warnings)


@pytest.mark.parametrize(
    ("run", "key"),
    [
        (run_of("whisper-small", samples="1M"), "training.target_length"),
        (run_of("t5-large", tokens="1M"), "training.target_length"),
        (run_of({"parameters": "7B", "hidden": 4096}, tokens="1M"), "model.layers"),
        (run_of({"forward_flops": "8 GFLOP"}, samples="1M"), "model.layers"),
        (run_of("vit-b-16", samples="1M"), "training.recompute"),
        (run_of("wav2vec2-base", samples="1M"), "training.recompute"),
    ],
)
def test_what_is_read_is_not_said_to_be_none(run: Any, key: str) -> None:
    section, name = key.split(".")
    run[section][name] = "full" if name == "recompute" else 20
    told = costcalc.estimate(run, ranges=False).warnings
    assert not any(note.startswith(f"{key} is not used") for note in told)


def test_the_method_that_generates_reads_what_it_is_given() -> None:
    run = run_of("llama-3-8b", method="grpo", prompts="1k", prompt_length=256,
                 generation_length=256, group=8, inner_epochs=2)  # fmt: skip
    assert not any("is not used" in note for note in costcalc.estimate(run, ranges=False).warnings)


def test_of_measured_hours_alone_nothing_is_said() -> None:
    run = {"measured": {"wall_clock": "3 h"}, "hardware": HARDWARE, "training": {"group": 8}}
    assert not any("is not used" in note for note in costcalc.estimate(run, ranges=False).warnings)
