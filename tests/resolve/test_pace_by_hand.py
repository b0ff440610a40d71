"""What a step has room for, what of the compute is trained, how a share of a chip is told."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.resolve import time as times
from costcalc.runfile.schema import Training


@pytest.mark.parametrize(
    ("compute", "share", "said"),
    [
        (1.0, 1.0, "dense bf16 peak a device"),
        (0.5, 0.5, "dense bf16 peak a device"),
        # 3 of 7 slices are paid for, 46 of 132 multiprocessors compute: 0.3485 / 0.4286
        (46 / 132, 3 / 7,
         "dense bf16 peak a device, × 0.8131: 0.3485 of the multiprocessors for 0.4286 of it"),
    ],
)  # fmt: skip
def test_a_share_of_the_multiprocessors_is_told(compute: float, share: float, said: str) -> None:
    devices: Any = SimpleNamespace(compute=compute, share=share)
    assert times._peak_why(devices, "bf16") == said


@pytest.mark.parametrize(
    ("value", "tensor", "micro_batch", "batch", "left"),
    [
        ("data", None, None, 8, 1),  # a sample for each of eight devices
        ("data", None, 2, 16, 1),
        ("data", None, 2, 15, None),  # too few for all
        ("data", None, None, 7, None),
        ("data", 4, None, 8, None),  # the run says it
        ("all", None, None, 8, None),
        (None, None, None, 8, None),
    ],
)
def test_a_stack_that_divides_nothing_but_the_batch(
    value: str | None, tensor: int | None, micro_batch: int | None, batch: int, left: int | None
) -> None:
    fact = None if value is None else SimpleNamespace(value=value)
    stack: Any = SimpleNamespace(fact={"parallel": fact, "recompute": None}.get)
    recipe: Any = SimpleNamespace(global_batch=batch)
    devices: Any = SimpleNamespace(count=8)
    free = times.Fixed(tensor=tensor, micro_batch=micro_batch)
    tried = times._of_the_stack(free, stack, recipe, devices, Training())
    if left is None:
        assert tried == ()
        return
    found, longer = tried
    assert longer == replace(found, context=None)  # long sequences may be divided too
    assert {found.tensor, found.pipeline, found.virtual_pipeline, found.context, found.expert} == {
        1
    }
    assert found.micro_batch == micro_batch


@pytest.mark.parametrize(
    ("says", "does", "asked", "tried"),
    [
        # alone: the batch is all that is divided, tensor 1; first with what the stack recomputes
        ("data", "full", None, [(1, "full"), (1, None)]),
        ("data", "none", None, [(1, "none"), (1, None)]),
        ("data", "auto", None, [(1, None)]),
        ("data", "full", "selective", [(1, "selective")]),  # the run says it
        ("data", "full", "auto", [(1, None)]),
        ("all", "full", None, [(None, "full")]),
        ("all", None, None, []),
    ],
)
def test_a_stack_recomputes_what_it_does_unasked(
    says: str, does: str | None, asked: str | None, tried: list[tuple[int | None, str | None]]
) -> None:
    facts = {"parallel": says, "recompute": does}
    stack: Any = SimpleNamespace(
        fact=lambda name: facts[name] and SimpleNamespace(value=facts[name])
    )
    recipe: Any = SimpleNamespace(global_batch=8)
    devices: Any = SimpleNamespace(count=8)
    free = times.Fixed(recompute=None if asked == "auto" else asked)
    found = times._of_the_stack(free, stack, recipe, devices, Training(recompute=asked))
    if says == "data":  # long sequences are divided before layers are
        *found, last = found
        assert last == replace(found[-1], context=None)
    assert [(one.tensor, one.recompute) for one in found] == tried
