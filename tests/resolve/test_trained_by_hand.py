"""What is trained by hand: presets, teachers, adapters, shapes."""

from __future__ import annotations

from typing import Any

import pytest
from stage_inputs import part

from costcalc.resolve.model import architecture_of
from costcalc.resolve.workload import trained


def test_only_what_was_measured_needs_no_model() -> None:
    took = {"wall_clock": "1 h"}
    assert trained(part(measured=took, training=None)).work is None
    assert trained(part(measured=took)).work is not None  # of so many tokens, all the same
    assert trained(part(measured=took, model=None, training=None)).work is None
    for sized in ({"samples": 5}, {"steps": 5, "global_batch": 2}, {"tokens": 5}):
        assert trained(part(measured=took, training=sized)).work is not None
    budget = part(measured=took, model={"flops": "1e21 FLOP"}, training=None)
    assert trained(budget).work is not None


def test_a_preset_by_its_flops_and_by_its_shape() -> None:
    images = part(model={"preset": "vgg-16"}, training={"samples": "1M"})
    found = trained(images)
    assert found.work is not None
    assert (found.workload, found.name) == ("cnn", "VGG-16")
    assert found.work.architecture is None
    # torchvision: 138,357,544 parameters, 15.47 G multiply-adds; of the first layer's input, 3 to
    # 64 channels over 224 · 224 positions of 9, no gradient is needed
    assert found.work.parameters == 138_357_544
    first = 2 * 3 * 64 * 9 * 224**2
    assert found.work.flops_per_datum == pytest.approx(3 * 30_940_528_640 - first)
    assert found.work.exact
    assert trained(part(model={"preset": "ddpm-cifar10"}, training={"samples": 9})).workload == (
        "diffusion"
    )
    text = trained(part())
    assert text.workload is None
    assert list(text.files) == ["costcalc/data/presets/llama-3-8b.yaml"]


def test_a_teacher_by_its_name_and_by_its_size() -> None:
    def flops(teacher: dict[str, Any]) -> float:
        training = {"tokens": "1B", "method": "distill", "teacher": teacher}
        training["sequence_length"] = 8192  # as the one it is held against
        work = trained(part(training=training)).work
        assert work is not None
        assert work.flops_per_datum is not None
        return work.flops_per_datum

    alone = trained(part()).work
    assert alone is not None
    assert alone.flops_per_datum is not None
    # a forward pass of the teacher more: 2 FLOP a parameter; a third of the student's training
    assert flops({"parameters": "70B"}) == pytest.approx(alone.flops_per_datum + 2 * 70e9)
    active = {"parameters": "70B", "active_parameters": "7B"}
    assert flops(active) == pytest.approx(alone.flops_per_datum + 2 * 7e9)
    assert flops({"preset": "llama-3-8b"}) == pytest.approx(alone.flops_per_datum * 4 / 3)


def test_what_lora_is_told_and_what_it_assumes() -> None:
    def adapters(lora: dict[str, Any] | None) -> float:
        training = {"tokens": "1B", "method": "lora"} | ({"lora": lora} if lora else {})
        work = trained(part(training=training)).work
        assert work is not None
        assert work.trainable_parameters is not None
        return work.trainable_parameters

    # rank 16 of all linear layers of Llama 3 8B: 41,943,040
    assert adapters(None) == 41_943_040
    assert adapters({"rank": 4}) == 41_943_040 / 4
    # q and v of 32 layers: r · (4096 + 4096 + 4096 + 1024)
    assert adapters({"targets": ["q_proj", "v_proj"]}) == 32 * 16 * (4096 * 3 + 1024)


def test_a_model_by_its_shape_in_the_run_file() -> None:
    shape = {"layers": 2, "hidden": 256, "heads": 2, "ffn": 512, "vocabulary": 1000}
    found = trained(part(model={"architecture": shape}))
    assert found.work is not None
    # 2 layers of 4 · 256² + 3 · 256 · 512 + two norms; both embeddings; the last norm
    layer = 4 * 256**2 + 3 * 256 * 512 + 2 * 256
    assert found.work.parameters == 2 * layer + 2 * 1000 * 256 + 256
    # a classifier of three in place of logits over a thousand words
    other = trained(part(model={"architecture": shape, "head": "classifier", "labels": 3}))
    assert other.work is not None
    assert other.work.parameters == 2 * layer + 1000 * 256 + 256 + 3 * 256
    by_count = {"parameters": "1B", "layers": 24, "hidden": 2048}
    rough = trained(part(model=by_count, training={"tokens": "1B", "sequence_length": 1000}))
    assert rough.work is not None
    # 6 N and 6 · L · h · s of attention
    assert rough.work.flops_per_datum == pytest.approx(6e9 + 6 * 24 * 2048 * 1000)
    one = architecture_of(accelerators_preset())
    assert one is architecture_of(accelerators_preset())


def accelerators_preset() -> Any:
    from costcalc.catalog import preset

    return preset.find("llama-3-8b")
