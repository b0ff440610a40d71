"""A measured figure as a share of the peak: tokens, samples, steps, another convention."""

from __future__ import annotations

from dataclasses import replace

import pytest
from placed_work import ON, WORK
from throughput_models import recipe

from costcalc.base.errors import InputError
from costcalc.throughput.basis import (
    convention,
    data_per_step,
    from_step_time,
    from_throughput,
    from_utilization,
    full_over_causal,
    kind_of,
)
from costcalc.workload.families import build
from costcalc.workload.stage import WorkloadInput, workload
from costcalc.workload.work import Passes


def test_tokens_samples_and_flops_a_second() -> None:
    # 1e5 token/s · 6e9 FLOP / (4 · 1e15)
    assert from_throughput(WORK, ON, "bf16", 1e5, "token/s") == pytest.approx(0.15)
    assert from_throughput(WORK, ON, "bf16", 100.0, "sample/s") == pytest.approx(0.15)
    images = replace(WORK, datum="sample")
    assert from_throughput(images, ON, "bf16", 1e8, "token/s") == pytest.approx(0.15)
    assert from_throughput(WORK, ON, "bf16", 4e14, "FLOP/s") == pytest.approx(0.4)
    none = replace(WORK, data=None)  # what a datum takes is known all the same
    assert from_throughput(none, ON, "bf16", 1e5, "token/s") == pytest.approx(0.15)
    with pytest.raises(InputError, match=r"hardware\.throughput: expected token/s; got sample/s"):
        from_throughput(replace(WORK, sequence_length=None), ON, "bf16", 1.0, "sample/s")


def test_a_utilization_over_another_peak_by_hand() -> None:
    def ours(precision: str, peak: str | None) -> float:
        return from_utilization(WORK, ON, precision, 0.4, peak=peak, attention=None)

    assert ours("bf16", None) == 0.4
    assert ours("fp8", "bf16") == 0.2
    assert ours("fp8", "fp8") == 0.4
    assert ours("bf16", "fp8") == 0.8
    with pytest.raises(InputError, match=r"utilization_basis\.peak: expected the precision"):
        ours("fp8", None)


def test_one_step_by_hand() -> None:
    # 32 sequences of 1000 tokens of 6e9 FLOP in 0.1 s on 4 · 1e15
    made = from_step_time(WORK, ON, recipe(1000, 32), "bf16", 0.1)
    assert made == pytest.approx(32 * 1000 * 6e9 / (0.1 * 4e15))
    images = replace(WORK, datum="sample")
    assert data_per_step(images, recipe(1000, 32)) == 32
    assert data_per_step(WORK, recipe(1000, 32)) == 32_000
    for lacking in ((WORK, None), (WORK, recipe(1000, 0)),
                    (replace(WORK, flops_per_datum=None), recipe())):  # fmt: skip
        with pytest.raises(InputError, match=r"expected training\.global_batch and a model"):
            from_step_time(lacking[0], ON, lacking[1], "bf16", 0.1)


@pytest.mark.parametrize(
    ("passes", "cores"),
    [
        (Passes(), 1 + 2),  # the core has no weights: twice back
        (Passes(forward=2.0, backward=0.5), 2 + 1),
        (Passes(forward=2.0, backward=2.0, generated=5.0), 2 + 4 + 1),
    ],
)
def test_attention_counted_in_full(passes: Passes, cores: int) -> None:
    one = WORK.tally
    assert one is not None
    tallied = replace(one, attention=1e9, attention_in_full=3e9, tokens=1000.0)
    made = replace(WORK, passes=passes, tally=tallied)
    over = 1 + cores * 2e9 / (6e9 * 1000)
    assert full_over_causal(made) == pytest.approx(over)
    sample = replace(made, datum="sample", flops_per_datum=6e12)
    assert full_over_causal(sample) == pytest.approx(over)
    assert full_over_causal(replace(made, tally=None)) == 1.0
    assert full_over_causal(replace(made, flops_per_datum=None)) == 1.0
    found = from_utilization(made, ON, "bf16", 0.4, peak=None, attention="full")
    assert found == pytest.approx(0.4 / over)
    flops = from_throughput(made, ON, "bf16", 4e14, "FLOP/s", attention="full")
    assert flops == pytest.approx(0.4 / over)


@pytest.mark.parametrize(
    ("model", "kind"),
    [
        ({"model_type": "resnet"}, "cnn"),  # a vision model without heads
        ({"model_type": "vit"}, "vision"),
        ({"model_type": "mamba"}, "ssm"),  # no heads either, and no vision
        ({"model_type": "llama"}, "decoder"),
    ],
)
def test_kinds_of_workload(model: dict[str, str], kind: str) -> None:
    built = build(model)
    length = None if built.kind == "vision" else 64
    made = workload(WorkloadInput(architecture=built, samples=10, sequence_length=length))
    assert kind_of(made) == kind
    bare = replace(made, architecture=None)
    assert kind_of(replace(bare, datum="token", parameters=1e9)) == "decoder"
    assert kind_of(replace(bare, datum="token", parameters=None)) is None
    assert kind_of(replace(bare, datum="sample", parameters=1e9)) is None


def test_the_convention_in_words() -> None:
    words = "MFU: model FLOPs without recompute over the dense bf16 peak"
    assert convention(replace(WORK, convention="halved"), "bf16") == f"{words}; halved"
    assert convention(replace(WORK, convention=""), "bf16") == words
