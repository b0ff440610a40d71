"""A sample a sequence, as trainers of text tune: what is counted, padded, and held in memory."""

from __future__ import annotations

from dataclasses import replace

import pytest

import costcalc
from costcalc.throughput.footprint import footprint_of
from costcalc.workload.data import WorkloadInput, of_own_length, padding
from costcalc.workload.families import build
from costcalc.workload.stage import workload

TINY = build(
    {
        "model_type": "llama",
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "vocab_size": 1000,
    }
)
ALONE = WorkloadInput(
    architecture=TINY,
    method="finetune",
    samples=1000,
    sample_tokens=100,
    sequence_length=400,
    packing="dynamic",
)


def test_what_is_counted_are_sequences_of_the_mean_length() -> None:
    found = workload(ALONE)
    assert found.data == 1000 * 100
    assert (found.sequence_length, found.longest) == (100, 400)
    # a layer: q, k, v, o 4 · 64², three matrices of 64 · 128; the head 64 · 1000; 2 FLOP each;
    # causal attention 2 · 2 · 64 · (100 + 1) / 2 a token and layer; three passes
    layer = 2 * (4 * 64**2 + 3 * 64 * 128) + 2 * 2 * 64 * 101 / 2
    whole = 3 * (2 * layer + 2 * 64 * 1000)
    assert found.flops_per_datum == pytest.approx(whole, rel=0.01)


def test_steps_are_of_so_many_samples() -> None:
    # 50 steps of 8 samples of 100 tokens, not of 8 · 400
    found = workload(replace(ALONE, samples=None, steps=50, global_batch=8))
    assert found.data == 50 * 8 * 100


@pytest.mark.parametrize(
    ("together", "by_hand"),
    [(1, 1.0), (2, 1.5), (4, 25 / 12), (None, 25 / 12), (8, 761 / 280), (100, 4.0)],
)
def test_padding_is_a_harmonic_number_up_to_the_longest(
    together: int | None, by_hand: float
) -> None:
    # 1 + 1/2 + 1/3 + 1/4 = 25/12; of 100 it is 5.19, and 400 / 100 = 4 is the most
    assert padding(of_own_length(replace(ALONE, micro_batch=together))) == pytest.approx(by_hand)
    assert workload(replace(ALONE, micro_batch=together)).padding == pytest.approx(by_hand)


@pytest.mark.parametrize(
    "other",
    [{"packing": "packed"}, {"packing": "padded"}, {"sample_tokens": 400}, {"sample_tokens": None}],
)
def test_of_what_fills_its_sequence_nothing_is_padded(other: dict[str, object]) -> None:
    found = workload(replace(ALONE, **other))  # type: ignore[arg-type]  # each of its kind
    assert (found.padding, found.longest, found.sequence_length) == (1.0, None, 400)


def test_memory_holds_the_longest_and_at_least_the_mean() -> None:
    alone, filled = (
        footprint_of(workload(each)) for each in (ALONE, replace(ALONE, packing="padded"))
    )
    assert alone is not None
    assert filled is not None
    assert (alone.split, alone.whole, alone.logits) == (filled.split, filled.whole, filled.logits)
    assert alone.spread == (100 / 400, 1.0)
    assert filled.spread == (1.0, 1.0)


RUN = {
    "model": {"preset": "bert-base-uncased", "head": "classifier"},
    "training": {"samples": 32_000, "sample_tokens": 128, "method": "finetune", "global_batch": 32},
    "hardware": {"accelerator": "rtx-3090", "count": 1},
}


def test_a_batch_of_a_classifier_is_so_many_samples() -> None:
    found = costcalc.estimate(RUN)
    # a step is of 32 samples of 128 tokens; packed into 512 it would be of 32 · 512
    step = found.results["throughput"].value * found.results["step_time"].value
    assert step == pytest.approx(32 * 128, rel=1e-6)
    listed = {item.key: item for item in found.inputs}
    assert listed["training.packing"].value == "dynamic"
    assert "packing False" in listed["training.packing"].source
    assert "(of 4 if unsaid)" in listed["training.packing"].why


@pytest.mark.parametrize(
    ("training", "packing"),
    [
        ({"method": "pretrain"}, "packed"),
        ({"samples": None, "sample_tokens": None, "tokens": "10M"}, "packed"),
        ({"samples": None, "sample_tokens": None, "steps": 100}, "dynamic"),
        # what a trainer cuts samples to; in pretraining the length of what it packs
        ({"samples": None, "sample_tokens": None, "steps": 100, "sequence_length": 512}, "dynamic"),
        (
            {
                "samples": None,
                "sample_tokens": None,
                "steps": 100,
                "sequence_length": 512,
                "method": "pretrain",
            },
            "packed",
        ),
        ({"method": "frozen"}, "dynamic"),
        ({"samples": None, "epochs": 3, "dataset_samples": 1000, "method": "lora"}, "dynamic"),
    ],
)
def test_only_tuning_on_samples_takes_one_a_sequence(
    training: dict[str, object], packing: str
) -> None:
    kept = {k: v for k, v in ({**RUN["training"], **training}).items() if v is not None}
    found = costcalc.estimate({**RUN, "training": kept})
    listed = {item.key: item for item in found.inputs}
    assert listed["training.packing"].value == packing


def test_padding_widens_the_computation_upwards_alone() -> None:
    compute = costcalc.estimate(RUN).results["training_compute"]
    single = costcalc.estimate({**RUN, "training": {**RUN["training"], "micro_batch": 1}})
    assert compute.high / compute.value == pytest.approx(25 / 12, rel=0.02)
    alone = single.results["training_compute"]
    assert alone.high == pytest.approx(alone.value)
    assert alone.low == pytest.approx(compute.low)


def test_steps_of_sequences_whose_length_nobody_says_are_of_samples() -> None:
    kept = {"steps": 60, "global_batch": 8, "method": "lora"}
    run = {**RUN, "model": {"preset": "llama-3-8b"}, "training": kept}
    found = costcalc.estimate({**run, "hardware": {"accelerator": "h100", "count": 1}})
    # 60 steps of 8 samples of 220 tokens as instructions have, not of 8 · 2,048
    assert found.details["work"]["data"] == 60 * 8 * 220
    assert any("say training.sample_tokens" in said for said in found.warnings)


def test_a_model_that_denoises_says_what_is_not_counted() -> None:
    run = {
        "model": {"preset": "stable-diffusion-1.5"},
        "training": {"samples": "10k", "method": "finetune"},
        "hardware": {"accelerator": "a100-sxm4-80", "count": 1},
    }
    assert any(
        "encoders of the image and of the text run beside it" in said
        for said in costcalc.estimate(run).warnings
    )
    assert not any("encoders" in said for said in costcalc.estimate(RUN).warnings)


def test_samples_longer_than_a_sequence_are_cut_to_it():
    # a trainer that takes a sample a sequence truncates: 1,000 x 512 tokens of 1,000 x 3,000
    run = {
        "model": {"preset": "llama-3-8b"},
        "training": {
            "method": "lora", "samples": 1000, "sample_tokens": 3000, "sequence_length": 512
        },
        "hardware": {"accelerator": "a100-sxm4-80", "count": 1},
    }  # fmt: skip
    made = costcalc.estimate(run)
    assert made.details["work"]["data"] == 1000 * 512
    told = "samples of 3,000 tokens are cut to training.sequence_length, 512"
    assert any(told in str(one) for one in (*made.notes, *made.warnings))
    run["training"]["packing"] = "packed"  # what is left of one begins the next
    assert costcalc.estimate(run).details["work"]["data"] == 1000 * 3000
