"""How what a device holds is cut by hand: sharding, experts, offload, stages."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from memory_parts import BARE, EAGER, KEPT, PASSES, STAYS, at, each
from throughput_models import machine, recipe

from costcalc.throughput.footprint import Footprint
from costcalc.throughput.layout import Layout
from costcalc.throughput.memory import VALUE, memory


@pytest.mark.parametrize(
    ("sharding", "weights", "gradients", "optimizer"),
    [
        ("none", 2, 4, 12),
        ("zero1", 2, 4, 12 / 8),
        ("zero2", 2, 4 / 8, 12 / 8),
        ("zero3", 2 / 8 + 2 * 2 / 10, 4 / 8, 12 / 8),  # two of ten layers are held whole
    ],
)
def test_zero_over_data_and_context(
    sharding: Any, weights: float, gradients: float, optimizer: float
) -> None:
    held = at(VALUE, layout=Layout(data=4, context=2, sharding=sharding), devices=8)
    assert held.weights == pytest.approx(weights * 1e9)
    assert held.gradients == pytest.approx(gradients * 1e9)
    assert held.optimizer == pytest.approx(optimizer * 1e9)


def test_layers_held_whole_by_zero3() -> None:
    three = Layout(data=8, sharding="zero3")
    made = each("weights", layout=three, devices=8)
    stays = (1, 1, STAYS)
    held = zip((1, 2, 6), stays, strict=True)
    assert made == pytest.approx([(2 / 8 + n * 2 / 10) * more for n, more in held])
    two = each("weights", layout=Layout(data=2, sharding="zero3"), devices=2)
    held = zip((1, 2, 6), stays, strict=True)
    assert two == pytest.approx([(2 / 2 + n * 2 / 10) * more for n, more in held])
    alone = each("weights", layout=Layout(sharding="zero3"))
    assert alone == pytest.approx([2, 2, 2 * STAYS])  # one device gathers nothing


@pytest.mark.parametrize(
    ("on", "tensor", "group"),
    [
        ({"per_node": 4, "scale_up_domain": 8}, 2, 4),  # eight in the fabric, two a tensor group
        ({"per_node": 8, "scale_up_domain": 1}, 1, 8),
        ({"per_node": 4, "scale_up_domain": 4}, 8, 1),  # no data ranks inside
        ({"per_node": 64, "scale_up_domain": 64}, 1, 16),  # no more than there are
    ],
)
def test_hybrid_sharding_inside_the_fabric(on: dict, tensor: int, group: int) -> None:
    layout = Layout(data=16, tensor=tensor, sharding="hsdp")
    held = at(VALUE, layout=layout, devices=16 * tensor, on=on)
    assert held.optimizer == pytest.approx(12e9 / tensor / group)


EXPERTS = Footprint(layers=10.0, dense=1e8, expert=8e8, parameters=9e9)


@pytest.mark.parametrize(
    ("layout", "experts_over", "sharded_over"),
    [
        (Layout(data=8, tensor=2, sharding="zero1"), 2, 8),  # cut by tensor ranks, as all else
        (Layout(data=8, tensor=2, expert=4, sharding="zero1"), 4, 4),  # 16 / 4 hold the same
        (Layout(data=2, tensor=2, expert=8, sharding="zero1"), 8, 1),
    ],
)
def test_experts_have_devices_of_their_own(layout, experts_over: int, sharded_over: int) -> None:
    held = at(VALUE, EXPERTS, layout, layout.devices)
    dense, expert = 1e9 / 2, 8e9 / experts_over
    assert held.gradients == pytest.approx(4 * (dense + expert))
    assert held.optimizer == pytest.approx(12 * (dense / layout.data + expert / sharded_over))


def test_layers_of_experts_held_whole() -> None:
    layout = Layout(data=8, tensor=2, expert=4, sharding="zero3")
    held = at(VALUE, EXPERTS, layout, 16)
    own = 2 * (0.5e9 / 8 + 2e9 / 4)
    assert held.weights == pytest.approx(own + 2 * 2 * (1e8 / 2 + 8e8 / 4))


@pytest.mark.parametrize(
    ("offload", "weights", "gradients", "optimizer"),
    [("none", 2, 4, 12), ("optimizer", 2, 4, 0), ("all", 2 * 2 / 10, 0, 0)],
)
def test_offload(offload: str, weights: float, gradients: float, optimizer: float) -> None:
    held = at(VALUE, offload=offload)
    assert [held.weights, held.gradients, held.optimizer] == pytest.approx(
        [weights * 1e9, gradients * 1e9, optimizer * 1e9]
    )
    # said of a layout it is the same, and another word replaces it
    other = replace(Layout(offload="optimizer"), offload=offload)
    asked = memory(BARE, machine(1), other, recipe())
    if offload != "none":
        assert asked.parts.optimizer == 0.0
    said = memory(BARE, machine(1), Layout(offload=offload), recipe())
    assert said.parts.weights == pytest.approx(weights * 1e9)


def test_the_embedding_is_on_the_first_stage_and_the_head_on_the_last() -> None:
    model = replace(BARE, embedding=1e8, head=3e8)
    first = at(VALUE, replace(model, head=1e7), Layout(pipeline=2), 2)
    assert first.gradients == pytest.approx(4 * (5e8 + 1e8))
    last = at(VALUE, model, Layout(pipeline=2), 2)  # the head is larger: the last is the fullest
    assert last.gradients == pytest.approx(4 * (5e8 + 3e8))
    both = at(VALUE, model)
    assert both.gradients == pytest.approx(4 * (1e9 + 4e8))
    cut = at(VALUE, model, Layout(tensor=2), 2)
    assert cut.gradients == pytest.approx(4 * (1e9 + 4e8) / 2)


def test_a_tied_head_is_stored_once_on_one_stage_and_twice_on_two() -> None:
    model = replace(BARE, embedding=2e8, tied=2e8, head=1e6)
    assert at(VALUE, model).gradients == pytest.approx(4 * (1e9 + 2e8 + 1e6))
    last = at(VALUE, replace(model, logits=1e9), Layout(pipeline=2), 2)
    assert last.gradients == pytest.approx(4 * (5e8 + 2e8 + 1e6))


@pytest.mark.parametrize(
    ("logits", "compiled", "bytes_each"),
    [
        # in 16 bits, in 32, their softmax and the gradients of each
        ("full", False, [5, 13, 20]),
        ("full", True, [2, 8, 14]),
        ("chunked", False, [0.2, 2.5, 5]),  # in 16 bits and a chunk in 32; or but a chunk
        ("chunked", True, [0.2, 2.5, 5]),
        ("fused", False, [0, 0.5, 2]),
        ("fused", True, [0, 0.5, 2]),
    ],
)
def test_bytes_a_logit(logits: str, compiled: bool, bytes_each: list) -> None:
    model = replace(BARE, dense=0.0, logits=1e9)
    made = each("logits", model=model, logits=logits, compiled=compiled)
    lost = PASSES if compiled else EAGER
    assert made == pytest.approx([b * more for b, more in zip(bytes_each, lost, strict=True)])


def test_logits_are_on_the_last_stage_alone() -> None:
    model = replace(BARE, logits=1e8)
    one = 1.1 * 8e8
    assert at(VALUE, model).logits == pytest.approx(one)
    two = at(VALUE, model, Layout(tensor=2, micro_batch=3), 2)
    assert two.logits == pytest.approx(one * 3 / 2)
    # of two stages the last is the fullest: it has them, and of one micro-batch alone
    staged = at(VALUE, replace(model, stream=1e6), Layout(pipeline=2, context=2), 4)
    assert staged.logits == pytest.approx(one / 2)
    # kept activations of all micro-batches make the first the fullest: it has none
    first = at(VALUE, replace(model, split=1e9), Layout(pipeline=2), 2, batch=8)
    assert first.logits == 0.0


def test_the_loss_comes_before_the_layers() -> None:
    # ten layers of 20 million bytes are kept; then come the logits, or a layer's gradients
    model = replace(KEPT, logits=1e6)
    held = at(VALUE, model)
    assert held.logits == 0.0  # 8 million bytes are less than half a layer's 9
    assert held.activations == pytest.approx(1.1 * 0.9 * 20e6 * (10 + 0.5))
    more = at(VALUE, replace(model, logits=2e6))
    assert more.logits == pytest.approx(1.1 * 8 * 2e6)
    assert more.activations == pytest.approx(1.1 * 0.9 * 20e6 * 10)


@pytest.mark.parametrize(
    ("layout", "layers"),
    [
        (Layout(pipeline=3), 4),  # of ten: 4, 3 and 3
        (Layout(pipeline=2, virtual_pipeline=2), 6),  # two chunks of 3
        (Layout(pipeline=4, virtual_pipeline=5), 5),  # five chunks of one
    ],
)
def test_layers_of_the_fullest_stage(layout: Layout, layers: int) -> None:
    held = at(VALUE, layout=layout, devices=layout.devices)
    assert held.gradients == pytest.approx(4 * layers * 1e8)


def test_no_stage_holds_more_layers_than_there_are() -> None:
    model = replace(BARE, layers=3.0)
    held = at(VALUE, model, Layout(pipeline=2, virtual_pipeline=4), 2)
    assert held.gradients == pytest.approx(4 * 3e8)
