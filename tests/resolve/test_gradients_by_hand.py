"""Gradients that are freed in the backward pass are of steps of one micro-batch."""

from __future__ import annotations

from typing import Any

import pytest

import costcalc

FREED = "training.gradients: freed, but global_batch is more than a micro_batch a device"


def tuned(**training: Any) -> costcalc.Estimate:
    said = {
        "method": "finetune", "steps": 100, "sequence_length": 1024, "packing": "packed",
        "micro_batch": 1, "software": "torchtune", **training,
    }  # fmt: skip
    return costcalc.estimate(
        {
            "model": {"preset": "llama-3.2-1b"},
            "training": said,
            "hardware": {"accelerator": "rtx-4090", "count": 1},
        }
    )


def held(made: costcalc.Estimate) -> float:
    return float(made.details["memory"]["gradients"])


def test_a_stack_that_frees_them_keeps_what_it_accumulates():
    # torchtune's recipe of one device frees them; 16 micro-batches a step are summed, in 16 bits:
    # 1.24e9 parameters x 2 B = 2.3 GiB
    assert held(tuned(global_batch=16)) == pytest.approx(1.2358e9 * 2 / 2**30, rel=0.02)
    assert held(tuned(global_batch=1)) < 0.6
    assert held(tuned(global_batch=16)) == held(tuned(global_batch=16, gradients="kept"))


@pytest.mark.parametrize(("batch", "told"), [(16, True), (1, False)])
def test_who_frees_what_is_to_be_summed_is_told(batch: int, told: bool):
    made = tuned(global_batch=batch, gradients="freed")
    assert any(str(one).startswith(FREED) for one in made.warnings) is told
