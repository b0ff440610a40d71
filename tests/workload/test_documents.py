"""``training.documents``: the mean length of a document, in packed and in padded data."""

from __future__ import annotations

from typing import Any

import pytest

import costcalc

RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": 1e9, "sequence_length": 2048, "precision": "bf16"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
}


def compute(**training: object) -> float:
    made = costcalc.estimate({**RUN, "training": RUN["training"] | training}, ranges=False)
    value = made.results["training_compute"].value
    assert value is not None
    return value


def test_attention_stays_within_packed_documents() -> None:
    # a token forward: 2 · matmul parameters + 2 · L · H · e · keys, causal: half of 4 · L · H · e
    # keys are 210 in place of 2048, so 3 · 2 · 32 · 32 · 128 · (2048 - 210) FLOP a token are saved
    saved = 3 * 2 * 32 * 32 * 128 * (2048 - 210)
    assert compute() - compute(documents=210) == pytest.approx(1e9 * saved, rel=1e-3)


def test_padded_documents_are_computed_with_their_padding() -> None:
    # each document of 210 tokens is a sequence of 2048 that is computed whole: 9.752 times as many
    assert compute(documents=210, packing="padded") == pytest.approx(compute() * 2048 / 210)


def test_documents_and_sample_tokens_say_the_same() -> None:
    for packing in ("packed", "padded"):
        assert compute(documents=210, packing=packing) == compute(
            sample_tokens=210, packing=packing
        )


def test_documents_longer_than_a_sequence_fill_it() -> None:
    assert compute(documents=5000) == compute()
