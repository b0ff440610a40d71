"""Which layouts are tried: small questions whose answers can be written down."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from throughput_models import LLAMA8, machine, recipe, work_of

from costcalc.throughput.layout import Layout
from costcalc.throughput.placement import shape_for
from costcalc.throughput.shape import ModelShape
from costcalc.throughput.space import (
    CHUNK,
    COLUMNS,
    Fixed,
    Question,
    chunks,
    divisors,
    layout_at,
    layouts_at,
    pruned,
    question,
)


def ask(**more: Any) -> Question:
    known = {
        "devices": 8, "domain": 8, "layers": 32, "heads": 32, "experts": 0,
        "sequence_length": 2048, "global_batch": 64.0, "staged": True, "full": False,
        "fixed": Fixed(),
    }  # fmt: skip
    return Question(**known | more)


def layouts(**more: Any) -> list[Layout]:
    rows = np.concatenate(list(chunks(ask(**more))), axis=1)
    return [layout_at(column.tolist()) for column in rows.T]


def values(name: str, **more: Any) -> list[Any]:
    return sorted({getattr(layout, name) for layout in layouts(**more)})


# --- each axis -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "few", "full"),
    [
        ({}, [1, 2, 4, 8], [1, 2, 4, 8]),
        ({"devices": 12}, [1, 2, 4], [1, 2, 4]),  # 32 heads are not cut in three
        ({"devices": 12, "heads": 12}, [1, 2, 4], [1, 2, 3, 4, 6]),  # twelve are
        ({"devices": 32, "domain": 32}, [1, 2, 4, 8, 16], [1, 2, 4, 8, 16, 32]),  # 16 at the most
        ({"devices": 32, "domain": 4}, [1, 2, 4], [1, 2, 4, 8]),  # of a server of 8 at the least
        ({"domain": 1}, [1], [1, 2, 4, 8]),
        ({"heads": 2}, [1, 2], [1, 2]),
        ({"devices": 7, "heads": 28}, [1], [1, 7]),
    ],
)
def test_tensor_ranks(more: dict[str, Any], few: list[int], full: list[int]) -> None:
    assert values("tensor", **more) == few
    assert values("tensor", **more, full=True) == full


@pytest.mark.parametrize(
    ("more", "few", "full"),
    [
        ({}, [1, 2, 4, 8], [1, 2, 4, 8]),
        ({"layers": 4}, [1, 2, 4], [1, 2, 4]),
        ({"devices": 12, "layers": 30}, [1, 2, 3, 4, 6], [1, 2, 3, 4, 6, 12]),  # 30 = 3 · 10
        ({"devices": 12, "layers": 32}, [1, 2, 4], [1, 2, 3, 4, 6, 12]),
        ({"devices": 8, "layers": 30}, [1, 2, 4, 8], [1, 2, 4, 8]),  # powers of two need not divide
        ({"devices": 128, "layers": 128, "heads": 1, "global_batch": 128.0},
         [1, 2, 4, 8, 16, 32, 64], [1, 2, 4, 8, 16, 32, 64, 128]),  # 64 stages at the most
        ({"staged": False}, [1], [1, 2, 4, 8]),  # nobody publishes stages inside a torus
    ],
)  # fmt: skip
def test_pipeline_stages(more: dict[str, Any], few: list[int], full: list[int]) -> None:
    assert values("pipeline", **more) == few
    assert values("pipeline", **more, full=True) == full


@pytest.mark.parametrize(
    ("layers", "few", "full"),
    [
        (32, [1, 2, 4], [1, 2, 4, 8, 16]),  # 16 layers a stage
        (16, [1, 2, 4, 8], [1, 2, 4, 8]),  # a chunk of one layer where there are 8 at the most
        (18, [1], [1, 3, 9]),
        (6, [1, 3], [1, 3]),
        (5, [1, 3], [1, 3]),  # three and two: three on the fullest
    ],
)
def test_virtual_stages(layers: int, few: list[int], full: list[int]) -> None:
    two = {"layers": layers, "fixed": Fixed(pipeline=2), "devices": 2}
    assert values("virtual_pipeline", **two) == few
    assert values("virtual_pipeline", **two, full=True) == full
    assert values("virtual_pipeline", fixed=Fixed(pipeline=1)) == [1]


@pytest.mark.parametrize(
    ("length", "few", "full"),
    [
        (2048, [1], [1, 2, 4, 8]),  # 256 tokens a device
        (1024, [1], [1, 2, 4]),
        (8192, [1, 2], [1, 2, 4, 8]),  # 4096 tokens a device
        (32768, [1, 2, 4, 8], [1, 2, 4, 8]),
        (100, [1], [1]),
    ],
)
def test_context_ranks(length: int, few: list[int], full: list[int]) -> None:
    assert values("context", sequence_length=length) == few
    assert values("context", sequence_length=length, full=True) == full


@pytest.mark.parametrize(
    ("more", "few", "full"),
    [
        ({"experts": 0}, [1], [1]),
        ({"experts": 1}, [1], [1]),
        ({"experts": 8}, [1, 8], [1, 2, 4, 8]),
        ({"experts": 64, "devices": 32}, [1, 8, 32], [1, 2, 4, 8, 16, 32]),  # a domain; all
        ({"experts": 64, "devices": 32, "domain": 16}, [1, 16, 32], [1, 2, 4, 8, 16, 32]),
        ({"experts": 6, "devices": 4}, [1, 2], [1, 2]),
    ],
)
def test_expert_ranks(more: dict[str, Any], few: list[int], full: list[int]) -> None:
    alone = Fixed(pipeline=1)
    assert values("expert", **more, fixed=alone) == few
    assert values("expert", **more, fixed=alone, full=True) == full


@pytest.mark.parametrize(
    ("batch", "few", "full"),
    [
        (1, [1], [1]),
        (3, [1, 2], [1, 2, 3]),
        (64, [1, 2, 4, 8], list(range(1, 65))),
        (500, [1, 2, 4, 8], list(range(1, 65))),  # 64 at the most
    ],
)
def test_micro_batches(batch: float, few: list[int], full: list[int]) -> None:
    one = {"devices": 1, "global_batch": float(batch), "sequence_length": 8192}
    assert values("micro_batch", **one) == few
    assert values("micro_batch", **one, full=True) == full


@pytest.mark.parametrize(
    ("length", "most"),
    [
        (16_384, 8),  # 8 sequences however long
        (2048, 32),  # 65,536 tokens / 2048
        (197, 256),  # 332 images of 197 tokens: 256 is the largest power of two
        (1, 512),  # no more than there are
    ],
)
def test_short_sequences_have_larger_micro_batches(length: int, most: int) -> None:
    short = {"devices": 1, "global_batch": 512.0, "sequence_length": length}
    assert values("micro_batch", **short)[-1] == most
    assert values("micro_batch", **short, full=True)[-1] == max(most, 64)


def test_no_micro_batch_is_larger_than_a_replicas_share() -> None:
    made = layouts(global_batch=16.0, fixed=Fixed(tensor=1, pipeline=1))
    assert {layout.micro_batch for layout in made} == {1, 2}  # eight replicas
    asked = layouts(global_batch=16.0, fixed=Fixed(tensor=1, pipeline=1, micro_batch=4))
    assert {layout.micro_batch for layout in asked} == {4}


# --- what goes together --------------------------------------------------------------------------


def test_sharding_is_of_several_replicas() -> None:
    made = layouts(fixed=Fixed(pipeline=1), sequence_length=8192)
    for layout in made:
        group = layout.data * layout.context
        assert (layout.sharding == "none") == (group == 1)
        assert layout.sharding in ("none", "zero1", "zero3")
    full = layouts(fixed=Fixed(pipeline=1, tensor=1), full=True)
    assert {layout.sharding for layout in full} == {"none", "zero1", "zero2", "zero3"}
    many = layouts(devices=16, fixed=Fixed(pipeline=1, tensor=1, context=1), full=True)
    assert "hsdp" in {layout.sharding for layout in many}  # more than a server of 8
    asked = layouts(devices=1, fixed=Fixed(sharding="zero3"))
    assert {layout.sharding for layout in asked} == {"zero3"}


def test_stages_are_interleaved_where_micro_batches_fill_them() -> None:
    four = {"devices": 4, "layers": 16, "fixed": Fixed(pipeline=4)}
    assert values("virtual_pipeline", **four, global_batch=4.0) == [1, 2, 4]
    assert values("virtual_pipeline", **four, global_batch=3.0) == [1]
    by_batch = {
        layout.micro_batch
        for layout in layouts(**four, global_batch=8.0)
        if layout.virtual_pipeline > 1
    }
    assert by_batch == {1, 2}  # 8 / 2 are four
    asked = {**four, "fixed": Fixed(pipeline=4, virtual_pipeline=2)}
    assert values("virtual_pipeline", **asked, global_batch=1.0) == [2]


def test_replicas_without_a_sequence_are_tried_only_where_there_is_no_other_way() -> None:
    assert max(values("data", global_batch=4.0)) == 4
    assert values("data", global_batch=1.0, staged=False, domain=1, heads=1) == [8]
    assert values("data", global_batch=8.0, fixed=Fixed(tensor=1, pipeline=1)) == [8]


def test_recompute_is_one_of_three() -> None:
    one = {"devices": 1, "global_batch": 1.0}
    assert [layout.recompute for layout in layouts(**one)] == ["none", "selective", "full"]
    assert values("recompute", fixed=Fixed(recompute="full")) == ["full"]


@pytest.mark.parametrize(
    ("fixed", "data"),
    [
        (Fixed(tensor=2, pipeline=2), {2}),
        (Fixed(tensor=2, pipeline=2, context=2), {1}),
        (Fixed(data=4), {4}),
        (Fixed(data=8), {8}),
        (Fixed(data=3), set()),
        (Fixed(tensor=16), set()),
        (Fixed(tensor=4, pipeline=4), set()),
        (Fixed(expert=3), {1, 2, 4, 8}),
    ],
)
def test_what_is_fixed(fixed: Fixed, data: set[int]) -> None:
    rows = pruned(ask(fixed=fixed))
    assert set(rows[COLUMNS.index("data")].tolist()) == data
    for name in ("tensor", "pipeline", "context", "expert"):
        asked = getattr(fixed, name)
        if asked is not None and data:
            assert set(rows[COLUMNS.index(name)].tolist()) == {asked}
    assert not rows.flags.writeable


def test_pieces_hold_what_the_whole_holds() -> None:
    asked = ask(devices=64, experts=64, full=True, global_batch=512.0, sequence_length=8192)
    parts = list(chunks(asked))
    assert len(parts) > 1
    assert all(part.shape[1] <= CHUNK for part in parts)
    assert np.concatenate(parts, axis=1).shape[1] == pruned(asked).shape[1]


def test_a_column_is_a_layout() -> None:
    row = [2, 4, 8, 16, 32, 64, 3, 3, 1, 0, 1, 1, 1, 1]
    assert layout_at(row) == Layout(
        data=2, tensor=4, pipeline=8, virtual_pipeline=16, context=32, expert=64, micro_batch=3,
        sharding="hsdp", recompute="selective", offload="optimizer", activations="host",
    )  # fmt: skip
    assert layout_at([*row[:-3], 0, 0, 0]).sequence_parallel == 0
    assert Layout(data=2, tensor=3, pipeline=5, context=7).devices == 2 * 3 * 5 * 7
    axes = layouts_at(np.array([row], dtype=float).T)
    assert (axes.data[0], axes.virtual_pipeline[0], axes.selective[0]) == (2, 16, 1)


@pytest.mark.parametrize(
    ("number", "found"), [(1, [1]), (9, [1, 3, 9]), (12, [1, 2, 3, 4, 6, 12]), (49, [1, 7, 49])]
)
def test_divisors_by_hand(number: int, found: list[int]) -> None:
    assert divisors(number) == found


# --- the question --------------------------------------------------------------------------------


def test_the_question_of_a_model_and_a_machine() -> None:
    shape = shape_for(work_of(LLAMA8))
    assert shape is not None
    asked = question(shape, machine(16), recipe(batch=32), full=True, fixed=Fixed())
    assert asked == ask(devices=16, global_batch=32.0, full=True)
    bare = ModelShape(layers=0.5, hidden=64.0, heads=0.0, experts=4.0, sequence_length=7.0)
    asked = question(bare, machine(1, scale_up_domain=0), recipe(), full=False, fixed=Fixed())
    assert (asked.layers, asked.heads, asked.domain) == (1, 1, 1)
    assert (asked.experts, asked.sequence_length) == (4, 7)


@pytest.mark.parametrize(
    ("torus", "devices", "domain", "staged"),
    [(0, 8, 8, True), (3, 8, 8, False), (3, 16, 8, True), (2, 4, 8, False)],
)
def test_stages_are_of_switches_and_of_several_slices(torus, devices, domain, staged) -> None:
    on = machine(devices, torus=torus, scale_up_domain=domain)
    shape = ModelShape(layers=4.0, hidden=64.0)
    assert question(shape, on, recipe(), full=False, fixed=Fixed()).staged is staged


@pytest.mark.parametrize(
    ("heads", "known", "cut"), [(33.0, False, 32), (37.0, False, 40), (33.0, True, 33),
                                (7.4, False, 7), (8.0, False, 8), (0.3, False, 1)],
)  # fmt: skip
def test_a_guessed_number_of_heads_is_no_prime(heads: float, known: bool, cut: int) -> None:
    shape = ModelShape(layers=4.0, hidden=64.0, heads=heads, known=known)
    assert question(shape, machine(8), recipe(), full=False, fixed=Fixed()).heads == cut
