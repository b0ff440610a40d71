"""Time and power of a run by hand: goodput, hosts at a desk, a step and its layout."""

from __future__ import annotations

from typing import Any

import pytest
from stage_inputs import H100, listed, made, part

from costcalc.resolve.goodput import (
    EFFECTIVE,
    EFFECTIVE_SOURCE,
    FEW,
    MANY,
    MOST,
    PROMISED,
    SMALL,
    STARTING,
    goodput,
)
from costcalc.resolve.hardware import devices_of
from costcalc.resolve.power import SLOWER
from costcalc.resolve.recipe import recipe_of
from costcalc.resolve.software import stack_of
from costcalc.resolve.time import fixed_by, time_inputs, timed
from costcalc.resolve.workload import trained
from costcalc.runfile.loading import Input
from costcalc.throughput.constants import load as constants


def test_goodput_where_the_speed_is_measured_and_where_it_is_modelled() -> None:
    # Llama 3 (arXiv 2407.21783, section 3.3.4): over 90 % effective
    assert EFFECTIVE == (0.9, 0.75, 0.99)
    for sections in (
        {"hardware": {**H100, "utilization": 0.4}},
        {"hardware": {**H100, "throughput": "1e5 token/s"}},
        {"hardware": {**H100, "calibrate": {"step_time": "2 s"}}},
        {"measured": {"wall_clock": "1 h"}},
        {"measured": {"device_hours": 16}},
    ):
        found = goodput(part(**sections), 1024, None)
        assert (found.value, found.low, found.high) == (0.9, 0.75, 0.99), sections
        assert found.source == EFFECTIVE_SOURCE
    modelled = goodput(part(), 1024, None)
    assert modelled.low < modelled.value < 0.9
    assert "published runs on more than a node" in modelled.why
    assert goodput(part(measured={"energy": "1 kWh"}), 1024, None) == modelled
    assert goodput(part(hardware={**H100, "goodput": 0.5}), 1024, None).value == 0.5


def test_goodput_follows_the_devices() -> None:
    assert SMALL == (0.97, 0.8, 1.0)
    assert (FEW, MANY, MOST, PROMISED) == (8, 128, 1024, 0.45)
    few = [goodput(part(), devices, None) for devices in (1, 8)]
    assert [(one.value, one.low, one.high) for one in few] == [SMALL, SMALL]
    assert "few devices lost almost nothing" in few[0].why
    shipped = constants()["goodput"]
    middling, large = (goodput(part(), devices, None) for devices in (128, 1024))
    assert (middling.value, large.value) == pytest.approx((shipped["middle"], shipped["value"]))
    # their range is one of factors, up to all of the hours
    spread = [end / shipped["value"] for end in (shipped["low"], shipped["high"])]
    assert (middling.low, middling.high) == pytest.approx(
        [shipped["middle"] * end for end in spread]
    )
    assert (large.low, large.high) == pytest.approx((shipped["low"], min(shipped["high"], 1.0)))
    # 32 devices are two doublings of the four from 8 to 128, 256 one of the three to 1,024
    between = goodput(part(), 32, None)
    assert between.value == pytest.approx((0.97 * middling.value) ** (1 / 2))
    assert (between.low, between.high) == pytest.approx(
        ((0.8 * middling.low) ** (1 / 2), middling.high ** (1 / 2))
    )
    assert goodput(part(), 256, None).value == pytest.approx(
        middling.value ** (2 / 3) * large.value ** (1 / 3)
    )
    # a step that is promised 1.2 of the usual utilization keeps 1.2^-promise of the share
    fast = goodput(part(), 128, None, 0.54)
    assert fast.value == pytest.approx(middling.value * 1.2 ** -shipped["promise"])
    assert goodput(part(), 128, None, 0.6) == goodput(part(), 128, None, 0.9)  # none was seen
    assert goodput(part(), 8, None, 0.7).value == 0.97
    slow = [goodput(part(), 1024, None, reach).value for reach in (0.01, 0.1)]
    assert slow == [0.98, 0.98]  # some is lost always
    assert between.why.startswith("of 32 devices: ")
    # Llama 3: 419 interruptions in 54 days of 16,384 devices, a quarter of an hour each
    hours = 419 * 0.25 / (54 * 24)  # the share lost there, of which 15/16 are beyond 1,024 devices
    most = goodput(part(), 16_384, None)
    assert most.value == pytest.approx(large.value * (1 - hours * 15 / 16))
    assert most.why.endswith("; interruptions take 7.6 % more on so many")


def test_goodput_follows_the_length_of_a_run() -> None:
    assert STARTING == (120.0, 20.0, 600.0)
    short = goodput(part(), 1, 49 * 60)  # two minutes to start, at most ten
    assert short.value == pytest.approx(0.97 * 49 / 51)
    assert short.low == pytest.approx(0.8 * 49 / 59)
    assert short.high == pytest.approx(2940 / 2960)
    assert short.why.endswith("; starting takes 3.9 % of a run this short")
    assert 1 / short.value < 1.08  # a 49-minute run is not half as long again
    assert "starting" not in goodput(part(), 1, 86_400.0).why


def test_lost_time_draws_as_training_does_where_it_is_mostly_slow() -> None:
    # 0.65 of the modelled speed, a tenth lost, 0.3 of it redone: 1 − 0.1 · 0.7 / 0.35
    assert SLOWER[0] == pytest.approx(1 - 0.1 * 0.7 / 0.35)
    assert SLOWER[1:] == (0.5, 1.0)
    slow = listed(made(hardware={**H100, "count": 128}), "hardware.redone")
    assert (slow.value, slow.low, slow.high) == SLOWER
    # few devices lose it to evaluation: those of a node draw as what is lost anywhere
    few = listed(made(hardware={**H100, "count": 8}), "hardware.redone")
    assert (few.value, few.low, few.high) == (0.3, 0.05, 0.7)
    for hardware in ({**H100, "goodput": 0.7}, {**H100, "utilization": 0.4}):
        lost = listed(made(hardware=hardware), "hardware.redone")
        assert (lost.value, lost.low, lost.high) == (0.3, 0.05, 0.7)


def test_what_a_user_says_of_power_is_a_nodes_and_a_boards() -> None:
    found = made(hardware={**H100, "host_power": "2.4 kW", "board_power": "500 W"})
    assert listed(found, "hardware.host_power").value == 2400 / 8
    assert listed(found, "hardware.host_power").why == "2400 W a node / 8 devices"
    assert listed(found, "hardware.board_power").value == 500
    capped = made(hardware={**H100, "board_power": "300 W"})
    free = listed(made(), "hardware.board_power").value
    assert (
        f"hardware.board_power: 300 W is less than the {free:.0f} W that this work would draw; a "
        "board held to it computes more slowly, which the time does not say: give "
        "hardware.throughput, as measured"
    ) in capped.warnings
    beyond = made(hardware={**H100, "board_power": "10 kW"})
    assert (
        "hardware.board_power: 10,000 W is more than the 700 W that NVIDIA H100 SXM5 80 GB is "
        "rated at"
    ) in beyond.warnings
    rated = made(hardware={**H100, "board_power": "700 W"})
    assert not any("rated at" in warning for warning in rated.warnings)
    near = made(hardware={**H100, "board_power": f"{0.91 * free} W"})
    assert not any("board_power" in warning for warning in near.warnings)
    share = {"accelerator": "h100-sxm5-80", "share": "1/7"}
    told = made(hardware=share, measured={"wall_clock": "1 h"}, model=None, training=None)
    assert "energy of a shared device is its share of the whole device's" in told.warnings
    whole = made(hardware={**H100, "count": 1}, measured={"wall_clock": "1 h"})
    assert not any("shared" in warning for warning in whole.warnings)


@pytest.mark.parametrize(
    ("chip", "site", "price", "pue"),
    [
        ("rtx-4090", {"region": "DE"}, {}, (1.0, 1.0, 1.1)),  # at a desk
        ("m2-max", None, {}, (1.0, 1.0, 1.1)),
        ("rtx-4090", {"region": "aws:us-east-1"}, {}, (1.15, 1.09, 1.24)),  # in a cloud's region
        ("rtx-4090", {"region": "DE"}, {"provider": "runpod"}, (1.54, 1.2, 1.9)),  # rented
        ("h100-sxm5-80", {"region": "DE"}, {}, (1.54, 1.2, 1.9)),  # in a server
        ("rtx-4090", {"region": "DE", "pue": 1.3}, {}, (1.3, 1.3, 1.3)),
    ],
)
def test_no_data_centre_is_around_a_desk(chip, site, price, pue) -> None:
    there = {"site": site, "price": price or None}
    small = made(model={"parameters": 1e8}, hardware={"accelerator": chip, "count": 1}, **there)
    found = listed(small, "site.pue")
    assert (found.value, found.low, found.high) == pue
    assert ("no data centre is around it" in found.why) is (pue[0] == 1.0)


def test_which_hosts_stand_at_a_desk_is_said_by_their_files() -> None:
    from costcalc.catalog.host import KIND, Host
    from costcalc.catalog.index import index
    from costcalc.catalog.loading import shipped

    hosts = [shipped(head.file, Host) for head in index().heads(KIND)]
    assert {host.id for host in hosts if host.at_a_desk} == {
        "apple-mac", "desktop-cpu", "dgx-spark", "jetson", "laptop", "workstation"
    }  # fmt: skip


def test_devices_of_a_whole_instance_that_are_not_used_draw_and_embody() -> None:
    a100 = {"accelerator": "a100-sxm4-80", "count": 1, "goodput": 1}
    sections = {"hardware": a100, "site": {"region": "aws:us-east-1"}}
    whole = made(**sections)
    part_ = made(**sections, price={"billed_share": 1})
    assert listed(whole, "price.billed_share").value == 8  # p4de.24xlarge
    watts = {
        key: listed(whole, f"hardware.{key}").value
        for key in ("board_power", "idle_power", "host_power")
    }
    board, idle, host = watts.values()
    ratio = whole.results["energy_it"].value / part_.results["energy_it"].value
    assert ratio == pytest.approx((board + 7 * idle + 8 * host) / (board + host))
    of = [one.results["carbon_embodied"].value for one in (whole, part_)]
    assert of[0] / of[1] == pytest.approx(8)
    steps = dict(whole.details["steps"])
    assert " W of unused devices + " in steps["power"]


def test_what_is_published_counts_as_given() -> None:
    budget = part(model={"flops": "1e21 FLOP"}, training=None)
    work = trained(budget)
    there = devices_of(budget, None, ())
    flops = time_inputs(budget, work, there, None, "bf16").known["model_flops"]
    assert (flops.value, flops.basis, flops.source) == (1e21, "given", "run file")
    counted = time_inputs(part(), trained(part()), there, None, "bf16").known["model_flops"]
    assert (counted.basis, counted.source) == ("modelled", "counted by costcalc")
    rough = part(model={"parameters": "1B"}, training={"tokens": "1B", "sequence_length": 100})
    work = trained(rough)
    assert work.work is not None
    spread = work.work.spread
    wide = time_inputs(rough, work, there, None, "bf16").known["model_flops"]
    assert spread > 1
    assert (wide.low, wide.high) == pytest.approx((wide.value / spread, wide.value * spread))
    bare = part(model=None, training=None, measured={"wall_clock": "1 h"})
    assert "model_flops" not in time_inputs(bare, trained(bare), there, None, "bf16").known


def test_training_flops_are_without_those_of_generating() -> None:
    training = {"method": "grpo", "prompts": 1000, "prompt_length": 512,
                "generation_length": 512, "global_batch": 64}  # fmt: skip
    given = part(training=training)
    work, there = trained(given), devices_of(given, None, ())
    assert work.work is not None
    assert work.work.generation is not None
    time = timed(given, work.work, there, "bf16")
    known = time_inputs(given, work, there, time, "bf16").known
    # four passes forward and two back of five with generation (see methods): 4/5 of the FLOPs
    whole = known["model_flops"].value
    assert known["training_flops"].value == pytest.approx(whole - work.work.generation.flops)
    assert known["training_flops"].value == pytest.approx(whole * 4 / 5)
    assert known["generation"].value > 0
    plain = time_inputs(part(), trained(part()), there, None, "bf16").known
    assert "training_flops" not in plain
    assert listed(made(), "training.generation_time").value == 0.0


@pytest.mark.parametrize(
    ("length", "count", "batch"),
    [(4096, 1, 128), (4096, 64, 1024), (4_000_000, 1, 1), (10_000_000, 4, 4), (8192, 64, 512)],
)
def test_about_four_million_tokens_a_step(length: int, count: int, batch: int) -> None:
    # 4e6 / 4096 = 976.6 sequences; at least one each, and as many on every device; one H100 in two
    # minutes at most: 120 s × 0.4 × 989.4e12 / (48.25e9 × 4096) = 240.3, of which a power of two
    training = {"tokens": "1B", "sequence_length": length}
    given = part(training=training, hardware={**H100, "count": count})
    work = trained(given)
    assert work.work is not None
    recipe = resolved_recipe(given, work.work)
    assert recipe.global_batch == batch


def resolved_recipe(given: Input, work: Any) -> Any:
    devices = devices_of(given, None, ())
    stack = stack_of(given.part.training, work, devices, [])
    return recipe_of(given, work, devices, "bf16", [], stack=stack)


def test_the_layout_that_is_left_open() -> None:
    open_ = {**H100, "layout": {"tensor": 2, "pipeline": 2}}
    found = made(hardware=open_)
    assert listed(found, "hardware.layout.sharding").value == "auto"
    assert (found.details["layout"]["tensor"], found.details["layout"]["data"]) == (2, 4)
    assert found.details["layout"]["chosen_by"] == "auto"
    given = made(hardware={**H100, "layout": {"tensor": 2, "context": 2, "sharding": "zero1"}})
    assert given.details["layout"]["data"] == 4
    assert given.details["layout"]["chosen_by"] == "given"
    assert listed(given, "training.micro_batch").value == 1
    fixed = fixed_by(part(training={"tokens": "1B", "micro_batch": 3, "recompute": "full"}))
    assert (fixed.micro_batch, fixed.recompute) == (3, "full")
    auto = fixed_by(part(training={"tokens": "1B", "recompute": "auto"}, hardware=open_))
    assert (auto.recompute, auto.tensor, auto.pipeline, auto.data) == (None, 2, 2, None)
    kept = made(hardware=open_, training={"tokens": "1B", "global_batch": 64, "recompute": "full"})
    assert kept.details["layout"]["recompute"] == "full"


@pytest.mark.parametrize(("said", "parallel"), [(None, True), (True, True), (False, False)])
def test_sequence_parallelism_is_usual(said: bool | None, parallel: bool) -> None:
    axes = {"tensor": 8} | ({} if said is None else {"sequence_parallel": said})
    for layout in ({**axes, "sharding": "zero1"}, axes):
        given = part(hardware={**H100, "layout": layout})
        work = trained(given)
        assert work.work is not None
        made = timed(given, work.work, devices_of(given, None, ()), "bf16").throughput.layout
        assert made is not None
        assert bool(made.sequence_parallel) is parallel
