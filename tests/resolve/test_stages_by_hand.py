"""What each stage resolves, its sources' figures and its arithmetic beside it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from costcalc import InputError
from costcalc.base.units import to_si
from costcalc.calculator.calculate import estimate
from costcalc.catalog import accelerator as accelerators
from costcalc.catalog import host as hosts
from costcalc.catalog.region import find as region
from costcalc.resolve import hardware as resolved
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
from costcalc.resolve.hardware import Devices, devices_of, precision_of
from costcalc.resolve.known import dollars, stated
from costcalc.resolve.model import architecture_of
from costcalc.resolve.names import look_up
from costcalc.resolve.place import region_named
from costcalc.resolve.power import SLOWER
from costcalc.resolve.price import owned_default, prices, quoted
from costcalc.resolve.recipe import recipe_of
from costcalc.resolve.software import stack_of
from costcalc.resolve.time import fixed_by, time_inputs, timed
from costcalc.resolve.workload import trained
from costcalc.runfile.loading import Input, load
from costcalc.runfile.schema import Price
from costcalc.runfile.values import Money
from costcalc.throughput.constants import load as constants

HOUR, YEAR = 3600.0, 365.25 * 86400
H100 = {"accelerator": "h100-sxm5-80", "count": 16}
RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1B", "global_batch": 64},
    "hardware": H100,
    "site": {"region": "aws:us-east-1"},
}


def part(**sections: Any) -> Input:
    given = {key: value for key, value in {**RUN, **sections}.items() if value is not None}
    return load(given, look_up).parts[0]


def devices(**hardware: Any) -> Devices:
    return devices_of(part(hardware=hardware), None, ())


def made(**sections: Any) -> Any:
    given = {key: value for key, value in {**RUN, **sections}.items() if value is not None}
    return estimate(given, ranges=False)


def listed(found: Any, key: str) -> Any:
    return next(item for item in found.inputs if item.key == key)


# --- hardware ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hardware", "domain", "link"),
    [
        # NVLink of 450 GB/s joins 8; cards talk over the PCIe of their host, 4.0 × 16
        ({"accelerator": "h100-sxm5-80", "count": 8}, 8, 450.0),
        ({"accelerator": "l40s", "count": 8}, 8, 31.5),
        ({"accelerator": "rtx-2050-laptop", "count": 8, "host": "server-8-gpu"}, 8, 7.88),
        # an NVLink bridge would join two of the eight cards of a server: PCIe 5.0 joins all
        ({"accelerator": "h100-pcie-80", "count": 8}, 8, 63.0),
        ({"accelerator": "l40s", "count": 8, "scale_up": "100 GB/s"}, 1, 100.0),
    ],
)
def test_how_far_the_fabric_reaches(hardware: dict[str, Any], domain: int, link: float) -> None:
    machine = devices(**hardware).machine
    assert machine.scale_up_domain == domain
    assert machine.scale_up == pytest.approx(to_si(link, "GB/s"))


def test_the_domain_is_the_smaller_of_what_chip_and_host_have(monkeypatch) -> None:
    chip, box = accelerators.find("h100-sxm5-80"), hosts.find("dgx-h100")
    fabric = chip.scale_up
    assert fabric is not None

    def domain(of_chip: int | None, of_host: int) -> int:
        own = None if of_chip is None else fabric.model_copy(update={"domain": of_chip})
        found = chip.model_copy(update={"scale_up": own})
        monkeypatch.setattr(resolved.accelerators, "find", lambda *_: found)
        host = hosts.HostChoice(
            host=box.model_copy(update={"scale_up_domain": of_host}), devices=8, why=""
        )
        monkeypatch.setattr(resolved.hosts, "choose", lambda *_, **__: host)
        given = part(hardware={**H100, "count": 8})
        # what was resolved is remembered: this is a machine of its own
        return devices_of.__wrapped__(given, None, ()).machine.scale_up_domain

    assert [domain(8, 8), domain(8, 4), domain(2, 8), domain(None, 8), domain(8, 0)] == [
        8, 4, 2, 8, 8,
    ]  # fmt: skip


def test_the_network_of_a_host_of_a_chip_and_of_nobody(monkeypatch) -> None:
    known = devices(**H100)
    assert known.host.host.scale_out is not None
    assert known.machine.scale_out == known.host.host.scale_out.si
    assert "hardware.scale_out" not in [item.key for item in known.assumptions]
    chip = accelerators.find("rtx-4090").model_copy(update={"scale_out": None})
    monkeypatch.setattr(resolved.accelerators, "find", lambda *_: chip)
    # 100 Gbit/s a device, and said so where it is needed
    for count, said in ((4, False), (5, True)):
        given = part(hardware={"accelerator": "rtx-4090", "count": count})
        found = devices_of.__wrapped__(given, None, ())
        assert found.machine.scale_out == to_si(100.0, "Gbit/s") == 12.5e9
        names = [item.key for item in found.assumptions]
        assert ("hardware.scale_out" in names) is said
    # no NVLink: 16 lanes of PCIe 4.0 are 31.5 GB/s, which is said where cards talk to each other
    alone, pair = (devices(accelerator="rtx-4090", count=count) for count in (1, 2))
    slots = [item for item in pair.assumptions if item.key == "hardware.scale_up"]
    assert [(item.value, item.basis) for item in slots] == [(31.5e9, "profile")]
    assert "hardware.scale_up" not in [item.key for item in alone.assumptions]
    joined = devices(**{**H100, "count": 8})
    assert "hardware.scale_up" not in [item.key for item in joined.assumptions]
    own_ = devices(accelerator="rtx-4090", count=2, scale_up="6 GB/s")
    assert [i.basis for i in own_.assumptions if i.key == "hardware.scale_up"] == ["given"]
    given = devices(accelerator="rtx-4090", count=8, scale_out="25 GB/s")
    assert given.machine.scale_out == 25e9


@pytest.mark.parametrize(
    ("count", "more", "per_node", "nodes", "watts"),
    [
        # 90 W of a desktop, shared, and 35 W a card; four in one at the most
        (1, {}, 1, 1, 90 + 35),
        (2, {}, 2, 1, 90 / 2 + 35),
        (4, {}, 4, 1, 90 / 4 + 35),
        (6, {}, 4, 2, 90 / 4 + 35),
        (6, {"per_node": 2}, 2, 3, 90 / 2 + 35),
    ],
)
def test_cards_in_workstations(count, more, per_node, nodes, watts) -> None:
    found = devices(accelerator="rtx-4090", count=count, **more)
    assert (found.machine.per_node, found.nodes) == (per_node, nodes)
    assert found.host.power_per_device() == pytest.approx(watts)


def test_instances_count_their_devices() -> None:
    found = devices(instance="p5.48xlarge", nodes=3)
    assert (found.count, found.nodes, found.reserved, found.share) == (24, 3, 24.0, 1.0)
    assert devices(instance="p5.48xlarge").count == 8
    assert "hardware.host" not in [item.key for item in found.assumptions]
    slice_ = devices(accelerator="v3-32")
    assert slice_.count == 16  # 32 cores, two a chip
    for hardware, message in (
        ({"accelerator": "h100-sxm5-80"}, "missing count: how many devices"),
        ({"accelerator": "v3-32", "count": 8}, "v3-32 says 16 chips; count says 8"),
        ({"instance": "server-8-gpu"}, "holds any accelerator: give hardware.accelerator too"),
        ({"accelerator": "a100-sxm4-80", "host": "dgx-h100", "count": 8},
         "hardware.host: NVIDIA DGX H100 holds h100-sxm5-80, not a100-sxm4-80"),
    ):  # fmt: skip
        with pytest.raises(InputError) as caught:
            devices(**hardware)
        assert message in str(caught.value)


def test_a_host_is_named_or_chosen() -> None:
    chosen, named = devices(**H100), devices(**H100, host="dgx-h100")
    assert [listed_.basis for listed_ in (chosen.assumptions[1], named.assumptions[1])] == [
        "default", "given",
    ]  # fmt: skip
    assert named.host.why.endswith("named in the run file")
    few = devices(**H100, host="dgx-h100", per_node=4)
    assert (few.machine.per_node, few.nodes) == (4, 4)
    own = devices(**{**H100, "count": 8}, scale_up="100 GB/s", scale_out="10 GB/s")
    assert [(item.key, item.value) for item in own.assumptions[2:]] == [
        ("hardware.scale_up", 100e9),
        ("hardware.scale_out", 10e9),
    ]
    assert own.machine.torus == 0
    torus = devices(accelerator="tpu-v5p", count=64)
    assert torus.machine.torus == 3
    assert devices(accelerator="tpu-v5p", count=64, scale_up="100 GB/s").machine.torus == 0


@pytest.mark.parametrize(
    ("peaks", "best"),
    [
        (("fp32", "tf32", "fp16", "bf16", "fp8"), "bf16"),
        (("fp32", "tf32", "fp16"), "fp16"),
        (("fp32", "tf32"), "tf32"),
        (("fp8",), "fp32"),
    ],
)
def test_the_usual_precision(peaks: tuple[str, ...], best: str) -> None:
    chip = accelerators.find("h100-sxm5-80")
    some = chip.peak.model_copy(
        update={name: None for name in type(chip.peak).model_fields if name not in peaks}
    )
    found, choice = precision_of(part(), chip.model_copy(update={"peak": some}))
    assert found == best
    assert choice is not None
    assert precision_of(part(training={"tokens": "1B", "precision": "fp8"}), chip) == ("fp8", None)


def test_a_share_of_a_device_keeps_the_peak_of_the_whole() -> None:
    hardware = {"accelerator": "h100-sxm5-80", "share": "1/4"}
    given = part(hardware=hardware, model={"preset": "qwen3-0.6b"})
    there, work = devices_of(given, None, ()), trained(given)
    assert work.work is not None
    time = timed(given, work.work, there, "bf16")
    known = time_inputs(given, work, there, time, "bf16").known
    assert known["devices"].value == 0.25
    assert known["peak"].value == pytest.approx(989.4e12)  # a quarter of a device at all of it
    assert time.throughput.peak == pytest.approx(989.4e12 / 4)
    assert there.reserved == 0.25


# --- time ----------------------------------------------------------------------------------------


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


# --- what is trained -----------------------------------------------------------------------------


def test_only_what_was_measured_needs_no_model() -> None:
    took = {"wall_clock": "1 h"}
    assert trained(part(measured=took, training=None)).work is None
    assert trained(part(measured=took)).work is not None  # of so many tokens, all the same
    assert trained(part(measured=took, model=None, training=None)).work is None
    for sized in ({"samples": 5}, {"steps": 5, "global_batch": 2}, {"tokens": 5}):
        assert trained(part(measured=took, training=sized)).work is not None
    budget = part(measured=took, model={"flops": "1e21 FLOP"}, training=None)
    assert trained(budget).work is not None


def test_a_preset_by_its_flops_and_by_its_shape() -> None:
    images = part(model={"preset": "vgg-16"}, training={"samples": "1M"})
    found = trained(images)
    assert found.work is not None
    assert (found.workload, found.name) == ("cnn", "VGG-16")
    assert found.work.architecture is None
    # torchvision: 138,357,544 parameters, 15.47 G multiply-adds; of the first layer's input, 3 to
    # 64 channels over 224 · 224 positions of 9, no gradient is needed
    assert found.work.parameters == 138_357_544
    first = 2 * 3 * 64 * 9 * 224**2
    assert found.work.flops_per_datum == pytest.approx(3 * 30_940_528_640 - first)
    assert found.work.exact
    assert trained(part(model={"preset": "ddpm-cifar10"}, training={"samples": 9})).workload == (
        "diffusion"
    )
    text = trained(part())
    assert text.workload is None
    assert list(text.files) == ["costcalc/data/presets/llama-3-8b.yaml"]


def test_a_teacher_by_its_name_and_by_its_size() -> None:
    def flops(teacher: dict[str, Any]) -> float:
        training = {"tokens": "1B", "method": "distill", "teacher": teacher}
        training["sequence_length"] = 8192  # as the one it is held against
        work = trained(part(training=training)).work
        assert work is not None
        assert work.flops_per_datum is not None
        return work.flops_per_datum

    alone = trained(part()).work
    assert alone is not None
    assert alone.flops_per_datum is not None
    # a forward pass of the teacher more: 2 FLOP a parameter; a third of the student's training
    assert flops({"parameters": "70B"}) == pytest.approx(alone.flops_per_datum + 2 * 70e9)
    active = {"parameters": "70B", "active_parameters": "7B"}
    assert flops(active) == pytest.approx(alone.flops_per_datum + 2 * 7e9)
    assert flops({"preset": "llama-3-8b"}) == pytest.approx(alone.flops_per_datum * 4 / 3)


def test_what_lora_is_told_and_what_it_assumes() -> None:
    def adapters(lora: dict[str, Any] | None) -> float:
        training = {"tokens": "1B", "method": "lora"} | ({"lora": lora} if lora else {})
        work = trained(part(training=training)).work
        assert work is not None
        assert work.trainable_parameters is not None
        return work.trainable_parameters

    # rank 16 of all linear layers of Llama 3 8B: 41,943,040
    assert adapters(None) == 41_943_040
    assert adapters({"rank": 4}) == 41_943_040 / 4
    # q and v of 32 layers: r · (4096 + 4096 + 4096 + 1024)
    assert adapters({"targets": ["q_proj", "v_proj"]}) == 32 * 16 * (4096 * 3 + 1024)


def test_a_model_by_its_shape_in_the_run_file() -> None:
    shape = {"layers": 2, "hidden": 256, "heads": 2, "ffn": 512, "vocabulary": 1000}
    found = trained(part(model={"architecture": shape}))
    assert found.work is not None
    # 2 layers of 4 · 256² + 3 · 256 · 512 + two norms; both embeddings; the last norm
    layer = 4 * 256**2 + 3 * 256 * 512 + 2 * 256
    assert found.work.parameters == 2 * layer + 2 * 1000 * 256 + 256
    # a classifier of three in place of logits over a thousand words
    other = trained(part(model={"architecture": shape, "head": "classifier", "labels": 3}))
    assert other.work is not None
    assert other.work.parameters == 2 * layer + 1000 * 256 + 256 + 3 * 256
    by_count = {"parameters": "1B", "layers": 24, "hidden": 2048}
    rough = trained(part(model=by_count, training={"tokens": "1B", "sequence_length": 1000}))
    assert rough.work is not None
    # 6 N and 6 · L · h · s of attention
    assert rough.work.flops_per_datum == pytest.approx(6e9 + 6 * 24 * 2048 * 1000)
    one = architecture_of(accelerators_preset())
    assert one is architecture_of(accelerators_preset())


def accelerators_preset() -> Any:
    from costcalc.catalog import preset

    return preset.find("llama-3-8b")


# --- price ---------------------------------------------------------------------------------------


def test_a_share_of_a_device_of_an_instance_of_eight() -> None:
    # 80 USD an hour for eight: 10 USD a device; a seventh of one for 7 h is one device-hour
    hardware = {"accelerator": "h100-sxm5-80", "share": "1/7"}
    found = estimate(
        {"measured": {"wall_clock": "7 h"}, "hardware": hardware,
         "price": {"instance_hour": "80 USD"}},
        ranges=False,
    )  # fmt: skip
    assert found.results["cost"].value == pytest.approx(10.0)
    billed = next(item for item in found.assumptions if item.key == "price.billed_share")
    assert (billed.value, billed.why) == (1.0, "")
    whole = estimate(
        {"measured": {"wall_clock": "7 h"}, "hardware": {**H100, "count": 1},
         "price": {"instance_hour": "80 USD"}},
        ranges=False,
    )  # fmt: skip
    assert whole.results["cost"].value == pytest.approx(7 * 80.0)
    share = next(item for item in whole.assumptions if item.key == "price.billed_share")
    assert (share.value, share.why) == (8.0, "8 devices: instances of 8 are rented whole")


def test_the_range_of_a_purchase_is_in_the_price() -> None:
    # H100: 30,678 USD (25,000 to 45,000), times 1.64 (1.54 to 1.69) for its server, and 0.385 (0.28
    # to 0.57) for the network of more than one
    given = replace(part(), part=part().part.model_copy(update={"price": Price(plan="owned")}))
    price = prices(given, devices_of(part(), None, ()), None).known["price"]
    assert price.value == pytest.approx(30_678 * 2.025 / (4 * YEAR * 0.7))
    assert price.low == pytest.approx(25_000 * 1.82 / (6 * YEAR * 0.95))
    assert price.high == pytest.approx(45_000 * 2.26 / (3 * YEAR * 0.35))
    assert price.basis == "default"
    own = made(price={"owned": {"purchase": "160 kUSD", "lifetime": "5 year", "utilization": 1.0}})
    mine = listed(own, "price.device_hour")
    assert mine.value == mine.low == mine.high == pytest.approx(160_000 / (16 * 5 * YEAR))
    assert mine.basis == "given"
    assert listed(own, "price.billed_share").value == 1.0
    assert owned_default("lifetime").year is None
    bare = accelerators.find("h100-sxm5-80").model_copy(update={"purchase": None})
    there = replace(devices_of(part(), None, ()), accelerator=bare)
    assert prices(given, there, None).why == {
        "price": "no price.owned.purchase, and no purchase price of h100-sxm5-80 is known"
    }


def test_an_hourly_price_of_owned_hardware_and_its_electricity() -> None:
    bought = {"purchase": "1 USD"}
    found = made(price={"plan": "owned", "device_hour": "1 USD", "owned": bought})
    assert listed(found, "price.device_hour").value == pytest.approx(1 / HOUR)
    assert listed(found, "price.electricity").value == pytest.approx(0.0826 / 3.6e6)
    paid = made(price={"plan": "owned", "device_hour": "1 USD",
                       "owned": {**bought, "electricity": "0.2 USD/kWh"}})  # fmt: skip
    assert listed(paid, "price.electricity").value == pytest.approx(0.2 / 3.6e6)
    rented = made(price={"device_hour": "1 USD", "electricity": "0.3 USD/kWh"})
    assert listed(rented, "price.electricity").value == pytest.approx(0.3 / 3.6e6)
    shared = made(price={"device_hour": "1 USD", "billed_share": 1.5})
    assert listed(shared, "price.billed_share").value == 1.5


def test_whose_prices_are_taken() -> None:
    def provider(price: dict[str, Any] | None, hardware: dict[str, Any] = H100,
                 site: dict[str, Any] | None = RUN["site"]) -> str:  # fmt: skip
        given = part(price=price, hardware=hardware, site=site)
        there = devices_of(given, None, ())
        where = region(site["region"]) if site else None
        found = quoted(given, there, where)
        return (found.price.why if found.price else found.why_not).split()[0].rstrip(",")

    assert provider(None) == "aws"  # the region's
    assert provider({"provider": "lambda"}) == "lambda"
    assert provider(None, {"instance": "a3-highgpu-8g"}) == "gcp"
    assert provider(None, {"instance": "a3-highgpu-8g"}, None) == "gcp"
    assert provider({"provider": "lambda"}, {"instance": "a3-highgpu-8g"}) == "lambda"
    assert provider(None, H100, {"region": "FR"}) == "no"
    assert provider(None, H100, None) == "no"


def test_an_old_price_is_told() -> None:
    there = devices_of(part(), None, ())
    new = prices(part(price={"provider": "aws"}), there, region("aws:us-east-1"))
    assert new.notes == ()
    assert re.search(
        r"; list 6\.88; \d+ other providers ask [\d.]+ to [\d.]+ USD", new.known["price"].why
    )
    chip = there.accelerator
    offer = {
        "provider": "aws",
        "region": "us-east-1",
        "devices": 8,
        "plan": "on-demand",
        "value": 9,
    }
    own = {**offer, "unit": "USD/device_hour", "date": "2020-01-01", "source": "datasheet"}
    old = [accelerators.Price.model_validate(own)]
    aged = replace(there, accelerator=chip.model_copy(update={"prices": old}))
    (note,) = prices(part(price={"provider": "aws"}), aged, region("aws:us-east-1")).notes
    assert note.startswith("price: aws us-east-1, on-demand")


@pytest.mark.parametrize(
    ("amount", "rate", "usd"),
    [
        (Money(2.0, "EUR", "h"), "1.1 USD/EUR", 2.0 * 1.1 / HOUR),
        (Money(2.0, "USD", "h"), "1.1 USD/EUR", 2.0 / HOUR),
        (Money(2.0, "EUR", ""), "1.1 USD/EUR", 2.2),
        (Money(7.2, "USD", "kWh"), None, 2e-6),
    ],
)
def test_an_amount_in_dollars(amount: Money, rate: str | None, usd: float) -> None:
    given = part(price={"rate": rate}).part.price if rate else None
    assert dollars(amount, given) == pytest.approx(usd)


def test_what_the_run_file_says_of_an_assumption() -> None:
    given = part(site={"region": "FR", "pue": 1.3}, price={"electricity": "0.2 USD/kWh"})
    found = stated(given, "site.pue", "1")
    assert found is not None
    assert (found.value, found.low, found.high, found.basis) == (1.3, 1.3, 1.3, "given")
    paid = stated(given, "price.electricity", "USD/kWh")
    assert paid is not None
    assert paid.value == pytest.approx(0.2 / 3.6e6)
    assert stated(given, "site.wue", "L/kWh") is None
    assert stated(given, "training.method", "1") is None


@pytest.mark.parametrize(
    ("price", "name", "facilities"),
    [
        (None, "FR", None),
        ({"provider": "any"}, "FR", None),  # of no provider in particular
        ({"provider": "aws"}, "FR", "aws"),
        ({"provider": "lambda"}, "gcp:us-central1", None),  # a region has its own
    ],
)
def test_whose_facilities_a_country_has(price: Any, name: str, facilities: str | None) -> None:
    found = region_named(part(price=price, site=None), name)
    assert found == region(name, provider=facilities)
    if facilities:
        assert found.pue != region(name).pue


def test_the_source_of_a_peak_is_its_own() -> None:
    chip = accelerators.find("h100-sxm5-80")
    figure = chip.peak.bf16
    assert figure is not None
    assert listed(made(), "hardware.peak").source == chip.sources[figure.source].title
    own = made(hardware={**H100, "peak": "500 TFLOP/s"})
    assert listed(own, "hardware.peak").source == "run file"


# --- the making ----------------------------------------------------------------------------------


def test_the_making_of_a_device_and_of_its_host() -> None:
    # 164 kg an H100 (46.7 to 575); a range that nobody states is none
    found = made()
    device, host = listed(found, "embodied.device"), listed(found, "embodied.host")
    kg = 1000.0
    assert (device.value, device.low, device.high) == pytest.approx((164 * kg, 46.7 * kg, 575 * kg))
    assert device.year == 2025
    assert host.low <= host.value <= host.high
    own = made(embodied={"device": "100 kgCO2e", "host": "50 kgCO2e", "lifetime": "3 year",
                         "utilization": 0.5})  # fmt: skip
    hours = own.values["device_hours"]
    assert own.values["carbon_embodied"] == pytest.approx(hours * 150 * kg / (3 * YEAR * 0.5))


def test_names_are_looked_up_in_ones_own_folder(tmp_path: Path) -> None:
    (fault,) = look_up({"profiles": "none"}, tmp_path)
    assert fault.path == ("profiles",)
    assert "expected a folder of profiles" in fault.message
    teacher = {"training": {"teacher": {"config": "none.json"}}}
    (fault,) = look_up(teacher, tmp_path)
    assert fault.path == ("training", "teacher", "config")
    (tmp_path / "here.json").write_text("{}")
    assert list(look_up({"model": {"config": "here.json"}}, tmp_path)) == []


def test_draws_of_what_has_no_range_are_its_value() -> None:
    found = estimate({**RUN, "hardware": {**H100, "utilization": 0.4, "goodput": 0.9}})
    hours = found.results["device_hours"]
    assert hours.low == hours.value == hours.high
    assert np.ndim(found.values["device_hours"]) == 0


def test_sequences_beyond_the_context_are_told() -> None:
    run = {
        "model": {"preset": "gpt2"},  # 1,024 learned positions
        "training": {"tokens": "1M", "sequence_length": 8192},
        "hardware": {**H100, "count": 1},
    }
    said = (
        "model: sequences of 8,192 tokens are longer than its context of 1,024: counted as if its "
        "positions reached so far"
    )
    assert said in estimate(run, ranges=False).warnings
    # Qwen2.5 was trained on 4,096 at first and has 131,072 positions
    for model, length in (("gpt2", 1024), ("gpt2", 128), ("qwen2.5-7b", 8192)):
        changes = {"training.sequence_length": length, "model.preset": model}
        longer = estimate(run, changes=changes, ranges=False)
        assert not any("longer than its context" in told for told in longer.warnings)


def test_where_samples_are_cut_the_context_is_what_the_model_has_positions_for() -> None:
    run = {
        "model": {"preset": "qwen2.5-7b"},
        "training": {"method": "lora", "tokens": "1M"},
        "hardware": {**H100, "count": 1},
    }
    length = listed(estimate(run, ranges=False), "training.sequence_length")
    assert length.why == "samples are cut to it; the model's context is 131,072"
