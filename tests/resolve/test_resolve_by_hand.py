"""What a run file and the catalogue come to, by hand: each figure with its arithmetic beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from costcalc import energy
from costcalc.base.assumption import Assumption
from costcalc.base.ranges import draw
from costcalc.base.units import to_si
from costcalc.calculator.calculate import estimate
from costcalc.catalog import accelerator
from costcalc.resolve.hardware import devices_of
from costcalc.resolve.names import look_up
from costcalc.resolve.time import timed
from costcalc.resolve.workload import trained
from costcalc.runfile.loading import load

YEAR, HOUR = 365.25 * 86400, 3600.0
H100 = {"accelerator": "h100-sxm5-80", "count": 64}
RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1B"},
    "hardware": H100,
    "site": {"region": "aws:us-east-1"},
}


def run(**sections: Any) -> dict[str, Any]:
    return {**RUN, **sections}


def value(made: Any, name: str) -> float:
    found = made.results[name].value
    assert found is not None, made.results[name].why
    return found


def listed(made: Any, key: str) -> Any:
    return next(item for item in made.inputs if item.key == key)


# --- hardware ------------------------------------------------------------------------------------


def machine(**hardware: Any) -> Any:
    given = load(run(hardware=hardware), look_up).parts[0]
    return devices_of(given, None, ()).machine


def test_cards_without_a_fabric_talk_through_their_host() -> None:
    card = machine(accelerator="rtx-4090", count=8)
    assert card.scale_up_domain == card.per_node == 4  # as many as a workstation holds
    assert card.through_host
    assert card.torus == 0
    assert card.scale_up <= to_si(32, "GB/s")  # PCIe 4.0 × 16
    board = machine(accelerator="h100-sxm5-80", count=8)
    assert (board.scale_up_domain, board.scale_up) == (8, to_si(450, "GB/s"))
    assert not board.through_host


def test_a_fabric_inside_a_node_joins_no_more_than_the_node_has() -> None:
    halves = machine(accelerator="v100-sxm2-32", count=64, per_node=4)
    assert halves.scale_up_domain == 4
    rack = machine(accelerator="gb300", count=64, per_node=4)
    assert rack.scale_up_domain == 72
    assert rack.scale_out == pytest.approx(to_si(800, "Gbit/s"))


def test_a_card_without_a_stated_link_has_16_gb_a_second() -> None:
    from costcalc.resolve import hardware

    card = accelerator.find("rtx-4090").model_copy(update={"host_link": None})
    assert hardware._host_link(card) == 16e9


def test_nodes_are_filled_one_after_another() -> None:
    # 20 devices of 8 a node are 3 nodes; 4 are half a node
    for count, nodes, per_node in ((20, 3, 8), (8, 1, 8), (4, 1, 4)):
        given = load(run(hardware={**H100, "count": count}), look_up).parts[0]
        found = devices_of(given, None, ())
        assert (found.nodes, found.machine.per_node) == (nodes, per_node)


def test_a_share_of_a_device_has_its_share_of_everything() -> None:
    whole = machine(accelerator="h100-sxm5-80", count=1)
    part = machine(accelerator="h100-sxm5-80", share="1/3")
    assert part.memory == pytest.approx(whole.memory / 3)
    assert part.memory_bandwidth == pytest.approx(whole.memory_bandwidth / 3)
    assert part.peak["bf16"] == pytest.approx(whole.peak["bf16"] / 3)
    # a seventh is MIG's 1g.10gb: 16 of 132 multiprocessors, an eighth of the memory
    part = machine(accelerator="h100-sxm5-80", share="1/7")
    assert part.memory == pytest.approx(whole.memory / 8)
    assert part.memory_bandwidth == pytest.approx(whole.memory_bandwidth / 8)
    assert part.peak["bf16"] == pytest.approx(whole.peak["bf16"] * 16 / 132)


# --- price ---------------------------------------------------------------------------------------


def test_a_share_of_a_device_is_billed_as_that_share() -> None:
    # 10 h of 1/7 device at 6.88 USD (one eighth of p5.48xlarge): 9.829 USD, not 8 × that
    made = estimate(
        {
            "measured": {"wall_clock": "10 h"},
            "hardware": {"accelerator": "h100-sxm5-80", "share": "1/7"},
            "site": {"region": "aws:us-east-1"},
        }
    )
    assert value(made, "device_hours") == pytest.approx(10 / 7)
    assert listed(made, "price.billed_share").value == 1.0
    assert value(made, "cost") == pytest.approx(10 / 7 * 6.88)


@pytest.mark.parametrize(("count", "billed"), [(8, 8), (9, 16), (4, 8)])
def test_whole_instances_are_billed(count: int, billed: int) -> None:
    made = estimate(
        {
            "measured": {"wall_clock": "10 h"},
            "hardware": {"accelerator": "h100-sxm5-80", "count": count},
            "price": {"instance_hour": "80 USD"},
        }
    )
    assert value(made, "cost") == pytest.approx(billed * 10 * 10)  # 10 USD a device-hour


def test_a_discount_is_taken_off_value_and_range() -> None:
    made = estimate(run(price={"device_hour": "2 USD", "discount": "25 %"}))
    assert listed(made, "price.device_hour").value * HOUR == pytest.approx(1.5)


def test_the_range_of_owned_hardware_is_that_of_its_parts() -> None:
    made = estimate(run(hardware={**H100, "count": 8}, price={"owned": {"purchase": "250 kUSD"}}))
    price = listed(made, "price.device_hour")
    # defaults: 4 years (3 to 6), in use 0.7 of them (0.35 to 0.95)
    assert price.value == pytest.approx(250_000 / (8 * 4 * YEAR * 0.7))
    assert price.low == pytest.approx(250_000 / (8 * 6 * YEAR * 0.95))
    assert price.high == pytest.approx(250_000 / (8 * 3 * YEAR * 0.35))
    assert price.why.startswith("purchase 250,000 USD / (8 devices × lifetime 4 years")


def test_owned_takes_the_purchase_price_that_the_profile_knows() -> None:
    # H100: 30,678 USD and 1.64 times it with its server; 5 years in use 0.7 of them
    owned = {"lifetime": "5 year"}
    made = estimate(run(hardware={**H100, "count": 8}, price={"plan": "owned", "owned": owned}))
    paid = listed(made, "price.device_hour")
    assert paid.value == pytest.approx(30_678 * 1.64 / (5 * YEAR * 0.7))
    alone = estimate(run(hardware={**H100, "count": 8}, price={"plan": "owned"}))
    assert listed(alone, "price.device_hour").value == pytest.approx(paid.value * 5 / 4)
    # of a card whose price is not known: unknown, with the reason
    card = {"accelerator": "gtx-1080", "count": 1}
    took = {"hardware": card, "measured": {"wall_clock": "10 h"}}
    cost = estimate({**took, "price": {"plan": "owned"}}).results["cost"]
    assert cost.value is None
    assert "no price.owned.purchase, and no purchase price of gtx-1080 is known" in cost.why


def test_electricity_of_owned_hardware_is_paid_and_of_rented_is_not() -> None:
    owned = {"purchase": "1 USD", "electricity": "100 USD/MWh"}
    made = estimate(run(price={"owned": owned}))
    hours = value(made, "device_hours") / (64 * 4 * 8766 * 0.7)  # 1 USD, written off
    assert value(made, "cost") == pytest.approx(value(made, "energy") * 0.1 + hours)
    assert listed(estimate(RUN), "price.electricity").value == 0.0


def test_another_currency_is_turned_into_dollars_once() -> None:
    made = estimate(run(price={"device_hour": "2 EUR", "rate": "1.1 USD/EUR"}))
    assert value(made, "cost") == pytest.approx(value(made, "device_hours") * 2.2)


# --- power ---------------------------------------------------------------------------------------


def limit_of(chip: str, **stand_in: Any) -> Any:
    data = {"stand_ins": {chip: stand_in} if stand_in else {}, "sources": {"s": {"title": "S"}}}
    return energy._limit(accelerator.find(chip), data)


def test_a_rating_stands_unless_a_stand_in_is_said_to_take_its_place() -> None:
    figures = {"value": 500, "low": 400, "high": 600, "source": "s", "note": "measured"}
    assert limit_of("h100-sxm5-80")[0] == 700.0
    assert limit_of("h100-sxm5-80", **figures)[0] == 700.0
    assert limit_of("h100-sxm5-80", **figures, instead=True)[:3] == (500.0, 400.0, 600.0)
    unrated = accelerator.find("h100-sxm5-80").model_copy(update={"board_power": None})
    data = {"stand_ins": {unrated.id: figures}, "sources": {"s": {"title": "S"}}}
    assert energy._limit(unrated, data)[:4] == (500.0, 400.0, 600.0, "S")
    assert energy._limit(unrated, {"stand_ins": {}, "sources": {}}) is None


def test_a_tpu_v2_draws_what_was_measured_of_its_successor_not_its_rating() -> None:
    made = estimate(run(hardware={"accelerator": "tpu-v2", "count": 64, "utilization": 0.5}))
    board = listed(made, "hardware.board_power")
    assert board.value < 163.0
    assert "of 163 W (0.58 of the rated 280 W" in board.why


def test_recompute_raises_power_as_it_raises_hardware_flops() -> None:
    def drawn(recompute: str) -> tuple[float, Any]:
        training = {"tokens": "1B", "recompute": recompute, "global_batch": 64, "micro_batch": 1}
        hardware = {**H100, "utilization": 0.05, "layout": {"sharding": "zero3"}}
        asked = run(training=training, hardware=hardware)
        made = estimate(asked, ranges=False)
        idle = listed(made, "hardware.idle_power").value
        given = load(asked, look_up).parts[0]
        work = trained(given).work
        assert work is not None
        step = timed(given, work, devices_of(given, None, ()), "bf16").throughput.modelled
        return listed(made, "hardware.board_power").value - idle, step

    def by_hand(step: Any) -> float:
        # 0.85 of the 629 W between idle (71) and rated (700), computing and moving memory; 0.27 of
        # that waiting for others; both more rarely by how far below half of the modelled it runs
        parts = dict(step.breakdown)
        whole, launching = sum(parts.values()), parts["launch"]
        busy = parts["compute"] + parts["memory"]
        others = whole - busy - launching
        slower = 0.05 / (0.5 * step.utilization.value)
        return 629 * 0.85 * (busy + 0.27 * others) / whole * slower

    work = trained(load(RUN, look_up).parts[0]).work
    assert work is not None
    assert 0.28 < work.recompute.full < 1 / 3  # the layers' forward pass again, of three passes
    (full, again), (none, once) = drawn("full"), drawn("none")
    assert full == pytest.approx(by_hand(again), rel=1e-6)
    assert none == pytest.approx(by_hand(once), rel=1e-6)
    # a step that computes the layers' forward pass again is the busier for it, by about its share
    seconds = [step.breakdown["compute"] for step in (again, once)]
    assert seconds[0] / seconds[1] == pytest.approx(1 + work.recompute.full, rel=0.01)
    assert full > 1.15 * none


def test_one_node_has_no_network_power_and_two_have() -> None:
    small = estimate(run(hardware={**H100, "count": 8}), ranges=False)
    large = estimate(run(hardware={**H100, "count": 16}), ranges=False)
    assert listed(small, "hardware.network_power").value == 0.0
    assert listed(large, "hardware.network_power").value > 0.0


# --- measured ------------------------------------------------------------------------------------


def test_measured_energy_before_pue_is_as_unsure_as_the_pue() -> None:
    made = estimate(run(measured={"wall_clock": "10 h", "energy": "40 MWh"}))
    pue, it = listed(made, "site.pue"), listed(made, "measured.energy_it")
    assert pue.low < pue.value < pue.high
    assert it.value == pytest.approx(to_si(40, "MWh") / pue.value)
    assert it.low == pytest.approx(to_si(40, "MWh") / pue.high)  # a larger PUE, less before it
    assert it.high == pytest.approx(to_si(40, "MWh") / pue.low)
    assert made.results["energy"].low == made.results["energy"].high == pytest.approx(40_000)


def test_measured_device_hours_are_of_one_run_and_all_devices() -> None:
    # 320 device-hours on 64 devices of each of 2 runs: 5 h each
    training = {"tokens": "1B", "runs": 2}
    made = estimate(run(training=training, measured={"device_hours": 320}), ranges=False)
    assert value(made, "wall_clock") == pytest.approx(5.0)
    assert value(made, "device_hours") == pytest.approx(640.0)


# --- time ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("method", "count", "batch"),
    [
        ("finetune", 8, 128),  # 16 each
        ("finetune", 48, 144),  # 128 / 48 = 2.7: 3 each
        ("finetune", 200, 200),  # one each
        ("lora", 4, 16),
        ("pretrain", 64, 512),  # 4M / 8192 = 488 sequences; 488 / 64 = 7.6: 8 each
        ("pretrain", 1000, 1000),
    ],
)
def test_the_batch_where_none_is_given(method: str, count: int, batch: int) -> None:
    training = {"tokens": "1B", "method": method, "sequence_length": 8192}
    made = estimate(run(training=training, hardware={**H100, "count": count}), ranges=False)
    assert listed(made, "training.global_batch").value == batch


def test_images_come_32_a_device() -> None:
    changed = run(model={"preset": "resnet-50"}, training={"samples": "1M"})
    assert listed(estimate(changed, ranges=False), "training.global_batch").value == 32 * 64


@pytest.mark.parametrize(
    ("precision", "peaks"), [("mxfp8", "fp8"), ("bf16", "bf16"), ("fp16", "fp16")]
)
def test_a_given_peak_is_of_the_precision_trained_in(precision: str, peaks: str) -> None:
    given = load(
        run(
            training={"tokens": "1B", "precision": precision},
            hardware={**H100, "peak": "123 TFLOP/s"},
        ),
        look_up,
    ).parts[0]
    made = devices_of(given, None, ()).machine.peak
    assert made[peaks] == 123e12
    assert [name for name, rate in made.items() if rate == 123e12] == [peaks]


# --- ranges and limits ---------------------------------------------------------------------------


def test_no_draw_of_a_share_is_above_one() -> None:
    share = Assumption(
        key="hardware.utilization",
        value=0.8,
        low=0.5,
        high=1.3,
        unit="1",
        basis="modelled",
        source="",
    )
    assert np.max(draw(share)) == 1.0
    assert np.max(draw(replace(share, key="hardware.goodput"))) == 1.0
    assert np.max(draw(replace(share, key="site.pue"))) > 1.3


@pytest.mark.parametrize(("limit", "passed"), [("36 h", False), ("35.99 h", True), ("37 h", False)])
def test_a_limit_that_is_just_met_is_kept(limit: str, passed: bool) -> None:
    made = estimate(run(measured={"wall_clock": "36 h"}, limits={"time": limit}))
    (judged,) = made.limits
    assert judged["passed"] is passed
    assert judged["chance"] == float(passed)  # nothing is in doubt
    assert made.within_limits is not passed


# --- the project ---------------------------------------------------------------------------------


def test_the_project_ratio_is_all_runs_over_those_reported() -> None:
    made = estimate(
        {
            "hardware": H100,
            "stages": [
                {"name": "one", "training": {"runs": 3}, "measured": {"wall_clock": "10 h"}},
                {"name": "two", "training": {"runs": 1}, "measured": {"wall_clock": "5 h"}},
            ],
        },
        ranges=False,
    ).to_dict()["project"]
    # 64 × (3 × 10 + 5) = 2240 device-hours behind 64 × (10 + 5) = 960
    assert made["total_device_hours"] == pytest.approx(2240)
    assert made["reported_device_hours"] == pytest.approx(960)
    assert made["ratio"] == pytest.approx(2240 / 960)
