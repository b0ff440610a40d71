"""Where a run is placed, which layout comes first, and measured figures turned into a share."""

from __future__ import annotations

from dataclasses import replace
from math import exp, hypot, log
from typing import Any

import numpy as np
import pytest
from throughput_models import GIB, LLAMA8, LLAMA70, MIXTRAL, decoder, machine, recipe, work_of

from costcalc.base.assumption import Assumption
from costcalc.base.errors import InputError
from costcalc.throughput import placement, predict, search
from costcalc.throughput.basis import (
    convention,
    data_per_step,
    from_step_time,
    from_throughput,
    from_utilization,
    full_over_causal,
    kind_of,
)
from costcalc.throughput.constants import load
from costcalc.throughput.footprint import Footprint, footprint_of
from costcalc.throughput.layout import Layout
from costcalc.throughput.memory import memory
from costcalc.throughput.placement import place, shape_for, smallest_count
from costcalc.throughput.ranges import GUESSED, chosen, prediction_range
from costcalc.throughput.search import Found, Ranked, why_first
from costcalc.throughput.space import Fixed
from costcalc.throughput.stage import GivenSpeed, throughput
from costcalc.workload.families import build
from costcalc.workload.stage import WorkloadInput, workload
from costcalc.workload.work import Passes, Work

# --- a measured figure as a share of the peak ----------------------------------------------------

# Two FLOP a weight of a layer of 1e6, of 1000 tokens: everything is round
WORK = replace(
    work_of(LLAMA8), flops_per_datum=6e9, model_flops=6e9 * 1e6, data=1e6, sequence_length=1000
)
ON = machine(4, peak={"bf16": 1e15, "fp8": 2e15})


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


# --- ranges --------------------------------------------------------------------------------------

RANGES = {
    "generations": {"hopper": {}},
    "range": {
        "given": {"low": 0.3, "high": 0.4, "n": 99},
        "hidden": {"low": 0.5, "high": 0.4},
        "new": {"low": 0.31, "high": 0.5},
        "experts": {"low": 0.5, "high": 0.5},
        "encoder": {"low": 0.2, "high": 0.25, "n": 30},
        "vision": {"low": 0.1, "high": 0.1, "n": 29},
        "diffusion": {"low": 0.15, "high": 0.15, "n": 5},
    },
}


def spans(**more: Any) -> tuple[float, float]:
    low, high = prediction_range(RANGES, **{"generation": "hopper"} | more)
    assert low < 1 < high
    return float(-np.log(low)), float(np.log(high))


@pytest.mark.parametrize(
    ("more", "low", "high"),
    [
        ({}, 0.3, 0.4),
        ({"layout_given": False}, 0.5, 0.4),  # what is hidden is more only where it is wider
        ({"generation": "new"}, np.hypot(0.3, 0.10), 0.5),  # 0.10 at the least
        ({"experts": True}, 0.5, 0.5),
        ({"shapes_known": False}, np.hypot(0.3, 0.12), np.hypot(0.4, 0.12)),
        ({"kind": "encoder"}, 0.2, 0.25),
        # nobody measured these kinds: the errors of their class, and those of vision beside them
        ({"kind": "speech"}, np.hypot(0.2, 0.1), np.hypot(0.25, 0.1)),
        ({"kind": "encoder-decoder"}, np.hypot(0.2, 0.1), np.hypot(0.25, 0.1)),
        ({"kind": "vit"}, 0.2, 0.25),  # too few of its own: as encoders
        ({"kind": "diffusion"}, 0.15, 0.15),  # nothing like it is known: the few that there are
        ({"kind": "cnn"}, 0.3, 0.4),
        ({"kind": "perceptron"}, 0.3, 0.4),
        ({"devices": 10752}, 0.3, 0.4),
        ({"devices": 2 * 10752}, np.hypot(0.3, 0.05), np.hypot(0.4, 0.05)),
    ],
)
def test_a_range_is_wider_where_less_is_known(more: dict, low: float, high: float) -> None:
    assert spans(**more) == pytest.approx((low, high))
    assert GUESSED == 0.12


def test_what_runs_lose_to_the_fastest_layout() -> None:
    for devices, share in ((1, 1.0), (2, 0.9)):
        assert chosen({"auto": {"value": 0.9}}, devices) == share
    assert chosen({}, 64) == 1.0


# --- the prediction ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "words"),
    [("cnn", ""), ("vit", ""), ("diffusion", ""), ("speech", ", as a cnn"), (None, ", as a cnn")],
)
def test_a_network_of_another_class_is_taken_as_a_cnn(kind: str | None, words: str) -> None:
    images = workload(WorkloadInput(forward_flops=8e9, parameters=25e6, samples=1e6))
    found = throughput(images, machine(8), recipe(1, 256), given=GivenSpeed(workload=kind))
    assert found.utilization.why == f"modelled from the FLOPs of a sample{words}"
    # its parts are those of a step: 256 samples on eight devices
    step = found.step_time
    assert step is not None
    assert sum(found.breakdown.values()) == pytest.approx(step)


def test_a_prediction_is_a_share_and_so_is_its_range() -> None:
    made = predict._ranged(0.5, 0.8, 1.5, ["a", "b"])
    assert (made.value, made.low, made.high, made.why) == (0.5, 0.4, 0.75, "a; b")
    made = predict._ranged(0.8, 0.5, 2.0, [])
    assert (made.value, made.low, made.high) == (0.8, 0.4, 1.0)
    made = predict._ranged(1.2, 0.5, 2.0, [])
    assert (made.value, made.low, made.high) == (1.0, 0.5, 1.0)
    made = predict._ranged(0.5, 0.4, 0.9, [])
    assert made.high == 0.5  # no range leaves its value out


# --- the search ----------------------------------------------------------------------------------


def ranked(seconds: float, **parts: float) -> Ranked:
    return Ranked(layout=Layout(), seconds=seconds, memory=1.0, breakdown=parts)


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


# --- where it is placed --------------------------------------------------------------------------


def placed(work: Work, on: Any, made: Any, layout: Layout | None = None, **more: Any) -> Any:
    asked = {"fixed": None, "recompute_free": False, "must_fit": True} | more
    return place(work, on, made, layout, asked.pop("fixed"), **asked)


NET = workload(WorkloadInput(forward_flops=1e10, parameters=1e8, samples=1e6))
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
    room = states(1) + activations(1) * 0.5 + 0.5e9
    found = placed(NET, machine(1, memory=room), recipe(1, 1))
    assert (found.layout.sharding, found.layout.recompute, found.walked) == ("none", "full", 2)
    one = placed(NET, machine(8, memory=1e15), recipe(1, 4))  # fewer samples than devices
    assert one.layout.micro_batch == 1
    asked = placed(NET, machine(8, memory=1e15), recipe(1, 64), fixed=Fixed(micro_batch=2))
    assert (asked.layout.micro_batch, asked.walked) == (2, 1)


def test_what_fits_nowhere_takes_the_least() -> None:
    found = placed(NET, machine(8, memory=1e9), recipe(1, 64), must_fit=False)
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


@pytest.mark.parametrize(
    ("least", "found"), [(1, 1), (2, 2), (3, 3), (8, 8), (9, 16), (16, 16), (17, 24), (40, 40)]
)
def test_the_fewest_devices_that_fit(monkeypatch, least: int, found: int) -> None:
    # by ones within a node of eight, beyond it by nodes
    tried: list[int] = []

    def fits(work: Any, footprint: Any, machine_: Any, recipe_: Any, count: int) -> bool:
        tried.append(count)
        return count >= least

    monkeypatch.setattr(placement, "_fits", fits)
    kept = Footprint(layers=1.0, dense=1.0)
    assert smallest_count(work_of(LLAMA8), kept, machine(8), recipe()) == found
    assert len(tried) == len(set(tried))


def test_what_fits_on_no_number_of_devices(monkeypatch) -> None:
    monkeypatch.setattr(placement, "_fits", lambda *_: False)
    kept = Footprint(layers=1.0, dense=1.0)
    assert smallest_count(work_of(LLAMA8), kept, machine(8), recipe()) is None
    with pytest.raises(InputError, match="; no number of such devices fits"):
        throughput(work_of(LLAMA70), machine(4), recipe(2048, 16))


def test_a_layout_that_does_not_fit_where_another_does() -> None:
    kept = footprint_of(work_of(LLAMA8))
    assert kept is not None
    fewest = smallest_count(work_of(LLAMA8), kept, machine(2), recipe())
    assert fewest is not None
    for devices, hint in (
        (
            fewest,
            f"; with layout: auto it fits, on {fewest} such device{'s'[: fewest > 1]} at least",
        ),
        (fewest - 1, f"; {fewest} such devices are the fewest that fit"),
    ):
        if devices:
            wide = Layout(data=devices, micro_batch=64)
            with pytest.raises(InputError) as caught:
                placed(work_of(LLAMA8), machine(devices), recipe(batch=64), wide)
            assert str(caught.value).endswith(hint)


# --- generation ----------------------------------------------------------------------------------


def rl(**more: Any) -> Work:
    known = {"architecture": LLAMA8, "method": "grpo", "prompts": 1000, "prompt_length": 512,
             "generation_length": 1024, "group": 16}  # fmt: skip
    return workload(WorkloadInput(**known | more))


def test_sequences_are_generated_a_step_at_a_time() -> None:
    made = recipe(1536, 64, method="grpo")
    one = throughput(rl(prompts=4), machine(8), made).generation  # 64 sequences: one step
    all_ = throughput(rl(prompts=400), machine(8), made).generation
    assert one is not None
    assert all_ is not None
    assert all_.value == pytest.approx(100 * one.value)
    assert (all_.low / all_.value, all_.high / all_.value) == pytest.approx((0.8, 4.0))
    few = throughput(rl(prompts=1), machine(8), made).generation  # 16 sequences and no more
    assert few is not None
    assert "16 sequences a step" in few.why
    single = throughput(rl(prompts=1), machine(8), replace(made, global_batch=0.5)).generation
    assert single is not None
    assert "1 sequences a step" in single.why


def test_a_step_holds_what_it_generates() -> None:
    found = throughput(rl(prompts=400), machine(8), recipe(1536, 64, method="grpo"))
    assert found.generation is not None
    assert found.breakdown["generation"] == pytest.approx(found.generation.value / 100)
    assert sum(found.breakdown.values()) == pytest.approx(found.step_time)


def test_one_step_and_its_repeats() -> None:
    spread = load()["repeat"]
    found = throughput(work_of(LLAMA8), machine(8), recipe(), given=GivenSpeed(step_time=2.0))
    use = found.utilization
    assert use.low == pytest.approx(use.value * exp(spread["low"]))
    assert use.high == pytest.approx(use.value * exp(spread["high"]))


def test_the_precision_of_a_budget_without_a_recipe() -> None:
    budget = workload(WorkloadInput(flops=1e21))
    for peaks, taken in (
        ({"fp32": 1e12, "tf32": 2e12, "fp16": 3e12, "bf16": 4e12}, "bf16"),
        ({"fp32": 1e12, "tf32": 2e12, "fp16": 3e12}, "fp16"),
        ({"fp32": 1e12, "tf32": 2e12}, "tf32"),
        ({"fp32": 1e12, "fp8": 2e12}, "fp32"),
    ):
        assert throughput(budget, machine(8, peak=peaks), None).precision == taken
    with pytest.raises(
        InputError, match=r"h100 has no peak in its profile: say training\.precision"
    ):
        throughput(budget, machine(8, peak={"fp8": 1e12}), None)


@pytest.mark.parametrize("share", [0.0, -0.1, 1.0001])
def test_a_share_of_the_peak_is_one(share: float) -> None:
    with pytest.raises(InputError, match="more than 0 and at most 1"):
        throughput(work_of(LLAMA8), machine(8), recipe(), given=GivenSpeed(utilization=share))


def test_all_of_the_peak_is_a_share() -> None:
    found = throughput(work_of(LLAMA8), machine(8), recipe(), given=GivenSpeed(utilization=1.0))
    assert found.utilization.value == 1.0


def test_experts_widen_a_prediction() -> None:
    apart = Layout(data=16, expert=8, sharding="zero3")
    said = recipe(told=frozenset({"expert_overlap"}))
    found = throughput(work_of(MIXTRAL), machine(16), said, layout=apart)
    use = found.utilization
    low, high = prediction_range(
        load(), generation="hopper", experts=True, devices=16, told=False,
        breakdown=found.breakdown,
    )  # fmt: skip
    assert (use.low / use.value, use.high / use.value) == pytest.approx((low, high))


def test_whether_the_traffic_of_experts_is_hidden_belongs_into_the_range_where_it_is_not_told() -> (
    None
):
    apart = Layout(data=16, expert=16, pipeline=8, sharding="zero1")

    def made(told: bool, hides: bool, layout: Layout = apart) -> Assumption:
        asked = recipe(
            told=frozenset({"expert_overlap"} if told else ()),
            expert_overlap=hides,
            precision="fp8",
        )
        rates = machine(16 * 8, scale_out=5e9)
        return throughput(work_of(MIXTRAL), rates, asked, layout=layout).utilization

    untold, said, hidden = made(False, False), made(True, False), made(True, True)
    gain = hidden.value / said.value
    assert gain > 1.2
    assert (untold.value, untold.low) == (said.value, said.low)
    # independent half-widths, in logarithms: √(said² + gain²)
    half = hypot(log(said.high / said.value), log(gain))
    assert log(untold.high / untold.value) == pytest.approx(half)
    assert f"× {gain:.3g} where the traffic of experts hides behind computing" in str(untold.why)
    assert "hides behind" not in str(said.why)
    together = replace(apart, expert=1)
    assert made(False, False, together) == made(True, False, together)


def test_a_small_decoder_has_a_shape() -> None:
    bare = replace(work_of(LLAMA8), architecture=None, tally=None)
    guessed = shape_for(bare)
    assert guessed is not None
    assert not guessed.known
    assert shape_for(replace(bare, sequence_length=None)) is None
    assert shape_for(replace(bare, datum="sample")) is None
    assert shape_for(replace(bare, parameters=None, active_parameters=None)) is None
    tiny = decoder(layers=1, hidden=8, heads=1, ffn=8, vocabulary=9)
    assert shape_for(work_of(tiny, 16)) is not None


# --- adapters and frozen bodies of a model without shapes ----------------------------------------


def without_shapes(method: str, **more: Any) -> Work:
    return workload(WorkloadInput(method=method, lora_rank=16, **more))


def tuned(work: Work, on: Any) -> Any:
    share = 1.0
    if work.trainable_parameters is not None and work.parameters:
        share = work.trainable_parameters / work.parameters
    made = recipe(2048, 1, method=work.method, trainable_share=share)
    return placed(work, on, made)


def test_adapters_of_a_parameter_count_are_no_full_training() -> None:
    card = machine(1, memory=24 * GIB)
    work = without_shapes("lora", parameters=7e9, tokens=1e6, sequence_length=2048)
    # hidden (7e9 · 128 / 12)^(1/3) = 4211; 1.5 · 16 / 4211 of the parameters
    assert work.trainable_parameters == pytest.approx(7e9 * 1.5 * 16 / 4211, rel=1e-3)
    found = tuned(work, card)
    # 14 GB of weights, 16 bytes each of 40 million, and what is kept: within the card
    assert 14e9 / GIB < found.memory.value / GIB < 24
    with pytest.raises(InputError):
        tuned(without_shapes("finetune", parameters=7e9, tokens=1e6, sequence_length=2048), card)


def test_adapters_and_frozen_bodies_of_a_flop_count() -> None:
    sdxl = {"forward_flops": 6.76e12, "parameters": 2.57e9, "samples": 1e3}
    full, lora, frozen = (
        tuned(without_shapes(method, **sdxl), machine(1)).memory.value
        for method in ("finetune", "lora", "frozen")
    )
    assert full - lora > 10 * 2.57e9  # weights stay, gradients and states go
    assert frozen < lora


def test_a_refusal_of_one_device_that_would_do_says_what_to_leave_open() -> None:
    work = work_of(LLAMA8, 8192)
    made = recipe(8192, 64, method="lora", trainable_share=0.01)
    fixed = Fixed(micro_batch=64, recompute="none")
    with pytest.raises(InputError) as caught:
        placed(work, machine(1), made, fixed=fixed)
    assert str(caught.value).endswith(
        "; with micro_batch, recompute and layout left open it fits, on 1 such device at least"
    )
