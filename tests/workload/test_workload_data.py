"""How much a run trains on, in each way to say it, by hand."""

from __future__ import annotations

import pytest

from costcalc import InputError
from costcalc.workload.data import WorkloadInput, amount


@pytest.mark.parametrize(("keys", "datum", "data"), [
    ({"steps": 5, "global_batch": 4}, "token", 5 * 4 * 100),
    ({"steps": 5, "global_batch": 4}, "sample", 5 * 4),
    ({"samples": 7}, "sample", 7),
    ({"samples": 1, "epochs": 3, "dataset_samples": 7}, "sample", 3 * 7),
    ({"tokens": 1, "epochs": 3, "dataset_tokens": 7}, "token", 3 * 7),
    ({"tokens": 70, "packing": "padded", "sample_tokens": 25}, "token", 70 * 100 / 25),
    ({"tokens": 70, "packing": "padded", "sample_tokens": 200}, "token", 70),  # cut, not padded
    ({"tokens": 70, "sample_tokens": 25}, "token", 70),
    ({"samples": 7, "sample_tokens": 25}, "token", 7 * 25),
    ({"samples": 7, "sample_tokens": 25, "packing": "padded"}, "token", 7 * 100),
    ({"samples": 7, "sample_tokens": 25, "method": "dpo"}, "token", 2 * 7 * 25),
    ({"samples": 7, "method": "dpo", "epochs": 2, "dataset_samples": 3}, "token", 2 * 2 * 3 * 100),
    ({"method": "grpo", "prompts": 6, "group": 4, "tokens": 1}, "token", 6 * 4 * 100),
    ({"method": "ppo", "prompts": 6, "steps": 3}, "token", 6 * 100),
])  # fmt: skip
def test_amounts(keys, datum, data):
    assert amount(WorkloadInput(sequence_length=100, **keys), datum, 100)[0] == data


def test_tokens_need_no_length_unless_they_are_padded():
    assert amount(WorkloadInput(tokens=70), "token", 1) == (70, ())
    for keys in ({"tokens": 70, "packing": "padded"}, {"samples": 7}):
        with pytest.raises(InputError, match=r"training\.sequence_length: expected the length"):
            amount(WorkloadInput(**keys), "token", 1)


def test_a_sample_of_unknown_length_is_told():
    note = ("a sample fills a sequence of 100 tokens",)
    for packing in ("packed", "padded"):
        inputs = WorkloadInput(samples=7, sequence_length=100, packing=packing)
        assert amount(inputs, "token", 100) == (700, note)
