"""The search for a layout, and where work is placed, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from placed_work import NET, placed
from throughput_models import GIB, LLAMA8, machine, recipe, work_of

from costcalc.base.errors import InputError
from costcalc.throughput import search
from costcalc.throughput.constants import load
from costcalc.throughput.footprint import footprint_of
from costcalc.throughput.layout import Layout
from costcalc.throughput.memory import memory
from costcalc.throughput.placement import shape_for
from costcalc.throughput.search import Found, Ranked, why_first
from costcalc.throughput.space import Fixed


def ranked(seconds: float, **parts: float) -> Ranked:
    return Ranked(layout=Layout(), seconds=seconds, memory=1.0, breakdown=parts)


@pytest.mark.parametrize(
    ("held", "slower", "first"),
    [
        ((79.0, 50.0), (1.0, 1.019), 1),  # 79 · 1.05 > 80: full; 50 · 1.4 = 70 fits
        ((79.0, 50.0), (1.0, 1.021), 0),  # too slow
        ((79.0, 58.0), (1.0, 1.001), 0),  # 58 · 1.4 = 81.2 does not fit
        ((75.0, 50.0), (1.0, 1.009), 1),  # 75 · 1.05 = 78.75: not full, and within 1 %
        ((75.0, 50.0), (1.0, 1.019), 0),
        ((57.0, 50.0), (1.0, 1.001), 0),  # 57 · 1.4 = 79.8: the fastest has room itself
    ],
)
def test_a_layout_that_fills_the_device_gives_way_to_one_with_room(held, slower, first):
    class Problem:
        def bytes(self, axes, level):  # high ends beyond any device
            return np.array(held)[: axes.data.size] * (1.0 if level == search.VALUE else 9.0)

    rows = np.ones((len(search.COLUMNS), 2))
    rows[search.COLUMNS.index("micro_batch")] = (16, 8)
    found = search.Found(problem=Problem(), rows=rows, walked=2, fitting=2, fits="central")
    near = search._Near(rows, np.array(slower))
    roomy = search._with_room(found, near, 80.0, 2)
    assert roomy.first.micro_batch == (16, 8)[first]
    assert roomy.rows.shape[1] == 2


def test_why_the_first_is_first_by_hand() -> None:
    first = ranked(1.0, a=1.0, b=1.0, c=1.0, d=1.0)
    # four gaps, of which three are told, the largest first; 0.05 of the largest is nothing
    second = ranked(2.0, a=3.0, b=2.5, c=1.11, d=0.2)
    assert why_first(first, second) == "50 % faster than the second: a -2 s, b -1.5 s, d +0.8 s"
    assert why_first(first, ranked(2.0, a=3.0, b=1.09, c=1.0, d=1.0)) == (
        "50 % faster than the second: a -2 s"
    )
    assert why_first(first, ranked(2.0, a=3.0, b=1.11, c=1.0, d=1.0)) == (
        "50 % faster than the second: a -2 s, b -0.11 s"
    )
    same = "as fast as the second, and simpler"
    assert why_first(first, ranked(1.0 + 0.9e-8, a=3.0, b=1.0, c=1.0, d=1.0)) == same
    assert why_first(first, ranked(1.0 + 1.1e-8, a=3.0, b=1.0, c=1.0, d=1.0)) != same


def test_one_layout_has_no_second() -> None:
    one, two = ranked(1.0, a=1.0), ranked(2.0, a=2.0)
    for best, why in (((one,), ""), ((one, two), "50 % faster than the second: a -1 s")):
        found = looked_for(1e12)
        found.__dict__["best"] = best
        assert found.why == why


def test_times_that_are_equal_keep_their_order() -> None:
    seconds = np.array([2.0, 1.0 * (1 + 1e-12), 1.0, 3.0])
    assert search._order(seconds).tolist() == [1, 2, 0, 3]
    assert search._order(np.array([1.0 + 1e-7, 1.0])).tolist() == [1, 0]


def looked_for(memory_: float, devices: int = 8, **more: Any) -> Found:
    work = work_of(LLAMA8)
    kept, shape = footprint_of(work), shape_for(work)
    assert kept is not None
    assert shape is not None
    return search.search(
        shape, machine(devices, memory=memory_), recipe(batch=16), footprint=kept,
        constants=load(), **more,
    )  # fmt: skip


def test_what_fits_is_counted() -> None:
    whole = looked_for(1e15, top=3)
    assert (whole.fits, len(whole.best)) == ("central", 3)
    assert whole.fitting == whole.walked
    free = looked_for(0.0, top=1)  # a memory that nobody knows is none to keep to
    assert (free.fits, free.fitting) == ("central", free.walked)
    assert free.best[0].layout == whole.best[0].layout
    none = looked_for(1.0, top=4)
    assert (none.fits, none.fitting, none.walked) == ("none", 0, whole.walked)
    assert len(none.best) == 4
    fits = looked_for(30 * GIB)
    assert 0 < fits.fitting < fits.walked
    assert all(one.memory <= 30 * GIB for one in fits.best)


def test_what_fits_only_at_its_low_end() -> None:
    work = work_of(LLAMA8)
    kept = footprint_of(work)
    assert kept is not None
    fixed = Fixed(
        tensor=1, pipeline=1, context=1, sharding="zero3", micro_batch=1, recompute="full"
    )
    layout = Layout(data=8, sharding="zero3", recompute="full")
    total = memory(kept, machine(8), layout, recipe(batch=16)).total
    limit = (float(total.low) + float(total.value)) / 2
    found = looked_for(limit, fixed=fixed)
    assert (found.fits, found.fitting, found.walked) == ("low", 1, 1)
    assert looked_for(float(total.low), fixed=fixed).fits == "low"  # what just fits, fits
    assert looked_for(float(total.low) * 0.999, fixed=fixed).fits == "none"
    assert looked_for(float(total.value), fixed=fixed).fits == "central"


KEPT = 2 * 150 * 1e5  # elements of a sample: 150 · √1e10, twice


def states(over: float, most: float = 1.0) -> float:
    """Weights, gradients and optimizer of 1e8 parameters: 18 bytes each; at the most 8 % more."""
    return (14 * most + 4) * 1e8 / over


def activations(samples: int, share: float = 1.1 * 0.9, moving: float = 0.5) -> float:
    return share * KEPT * 2 * samples * (50 + moving) / 50


def most(samples: int) -> float:
    """At the high end: kernels that keep more, what the allocator holds, libraries, the guess."""
    return states(1, 1.08) + 2 * activations(samples, 1.25 * 1.25, 1.0) + 6e9


@pytest.mark.parametrize(
    ("room", "sharding", "recompute", "size", "walked"),
    [
        # 64 samples on 8 devices: eight at once, where that leaves room, else four, two, one
        (most(8), "none", "none", 8, 1),
        (most(8) - 1e6, "none", "none", 4, 2),
        (most(2), "none", "none", 2, 3),
        # where nothing leaves room, the most that fits: eight, four, one; then sharded
        (states(1) + activations(8) + 3.01e9, "none", "none", 8, 4),
        (states(1) + activations(4) + 3.01e9, "none", "none", 4, 4),
        (states(1) + activations(1) + 3.01e9, "none", "none", 1, 4),
        (6e8 + 12e8 / 8 + activations(8) + 3.01e9, "zero1", "none", 8, 8),
    ],
)
def test_a_network_is_divided_by_its_data_alone(room, sharding, recompute, size, walked) -> None:
    found = placed(NET, machine(8, memory=room), recipe(1, 64))
    assert (found.layout.sharding, found.layout.recompute) == (sharding, recompute)
    assert (found.layout.micro_batch, found.walked, found.layout.data) == (size, walked, 8)
    assert (found.by, found.free) == ("auto", False)
    assert found.memory.value <= room


def test_one_device_shards_nothing() -> None:
    # nets keep all where the low end fits: 6 bytes of weights and states, 0.7 of half of what is
    # guessed of 64 samples, and 0.2 GB; else all is computed again
    low, how = 6e8 + 64 * 0.7 * 0.5 * KEPT * 2 + 0.2e9, {"fixed": Fixed(micro_batch=64)}
    for room, recompute, walked in ((1.001 * low, "none", 1), (0.999 * low, "full", 2)):
        found = placed(NET, machine(1, memory=room), recipe(1, 64), **how)
        assert (found.layout.sharding, found.walked) == ("none", walked)
        assert found.layout.recompute == recompute
        given = placed(
            NET, machine(1, memory=room), recipe(1, 64), Layout(micro_batch=64),
            recompute_free=True,
        )  # fmt: skip
        assert given.layout.recompute == recompute
    told = {"fixed": Fixed(micro_batch=64, recompute="none"), "must_fit": False}
    kept = placed(NET, machine(1, memory=0.5 * low), recipe(1, 64), **told)
    assert (kept.layout.recompute, kept.walked) == ("none", 1)
    one = placed(NET, machine(8, memory=1e15), recipe(1, 4))  # fewer samples than devices
    assert one.layout.micro_batch == 1
    asked = placed(NET, machine(8, memory=1e15), recipe(1, 64), fixed=Fixed(micro_batch=2))
    assert (asked.layout.micro_batch, asked.walked) == (2, 1)


def test_what_fits_nowhere_takes_the_least() -> None:
    found = placed(NET, machine(8, memory=1e8), recipe(1, 64), must_fit=False)
    assert found.walked == 4 * 4
    assert (found.layout.sharding, found.layout.recompute, found.layout.micro_batch) == (
        "zero3", "full", 1,
    )  # fmt: skip
    known = placed(NET, machine(8, memory=0.0), recipe(1, 64))
    assert known.layout.micro_batch == 8  # a memory that nobody knows holds anything


def test_memory_that_may_not_suffice_is_told_in_gib() -> None:
    layout = Layout(data=8, micro_batch=8)
    held = placed(NET, machine(8), recipe(1, 64), layout).memory
    on = machine(8, memory=held.high - 1.0)
    (told,) = placed(NET, on, recipe(1, 64), layout).warnings
    low, value, high, have = (x / GIB for x in (*held, held.high))
    assert told == (
        f"memory may not suffice: {value:.3g} GiB a device ({low:.3g} to {high:.3g}) of {have:.3g}"
    )
    assert placed(NET, machine(8, memory=held.high), recipe(1, 64), layout).warnings == ()
    exact = placed(NET, machine(8, memory=held.low), recipe(1, 64), layout)
    assert exact.memory.low == held.low  # what just fits at its low end is not refused
    with pytest.raises(InputError, match=r"hardware\.layout"):
        placed(NET, machine(8, memory=held.low * 0.999), recipe(1, 64), layout)


def test_who_chose_the_layout() -> None:
    work, on, made = work_of(LLAMA8), machine(8), recipe(batch=16)
    assert placed(work, on, made).free
    assert not placed(work, on, made, fixed=Fixed(tensor=1)).free
    assert not placed(work, on, made, fixed=Fixed(pipeline=1)).free
    assert not placed(work, on, made, fixed=Fixed(tensor=1, pipeline=1)).free
    assert placed(work, on, made, fixed=Fixed(micro_batch=1)).free
    bare = placed(work, on, None, Layout(data=8))
    assert (bare.by, bare.memory_why) == (
        "given", "no recipe: give model.parameters or a model",
    )  # fmt: skip
    assert placed(work, on, None).by == "none"
