"""What an estimate says of its parts in words, and sums over stages: each with its arithmetic."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import costcalc
from costcalc import price
from costcalc.calculator import achieved, details, document, explaining, scenarios
from costcalc.calculator.calculate import Whole
from costcalc.catalog import accelerator
from costcalc.catalog.instances import rented_in_parts
from costcalc.runfile.schema import Price

MADE = costcalc.estimate(
    {"hardware": {"accelerator": "h100", "count": 2}, "measured": {"wall_clock": "2 h"}}
)


def part(values: dict[str, float], **more: Any) -> Any:
    devices = SimpleNamespace(reserved=16)
    plain: dict[str, Any] = {"draws": {}, "devices": devices, "assumptions": (), "measured": ()}
    return SimpleNamespace(values=values, **(plain | more))


def figures(**values: float | None) -> Any:
    return {name: SimpleNamespace(value=value) for name, value in values.items()}


def test_draws_add_up_over_stages_where_all_have_them() -> None:
    drawn = part({"cost": 9.0, "energy": 1.0}, draws={"cost": np.array([1.0, 3.0])})
    made = Whole(request=None, parts=[drawn, part({"cost": 2.0})])  # type: ignore[arg-type]
    assert np.array_equal(made.drawn("cost"), [3.0, 5.0])  # 1 + 2 and 3 + 2
    assert made.drawn("energy") is None
    assert Whole(request=None, parts=[drawn]).drawn("energy") == 1.0  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        ([1.0, 1.0], False),  # its totals are of one run
        ([4.0, 4.0], True),
        ([4.0], True),
        ([4.0, 2.0], False),  # of no number of runs
    ],
)
def test_what_one_of_several_runs_takes(runs: list[float], said: bool) -> None:
    found = details.of_stages(runs, figures(device_hours=64.0, wall_clock=2.0))
    # 64 device-hours of four runs are 16 of one
    by_run = {"runs": 4.0, "time": "of one run", "hours": 2.0, "device_hours": 16.0}
    assert found == ({"by_run": by_run} if said else {})


def test_hours_of_one_run_where_those_of_all_are_not_known() -> None:
    found: Any = details.of_stages([4.0], figures(device_hours=None, wall_clock=2.0))
    assert found["by_run"]["device_hours"] is None


@pytest.mark.parametrize(
    ("billed", "said"),
    [
        (1.0, "600 W a board + 250 W of its host, PUE 1.20"),
        # half as many again are billed: they idle at half of 80 W a device used, and 1.5 · 250 W
        (1.5, "600 W a board + 40.0 W of unused devices + 375 W of its host, PUE 1.20"),
        (1.1, "600 W a board + 8.00 W of unused devices + 275 W of its host, PUE 1.20"),
    ],
)
def test_power_in_words(billed: float, said: str) -> None:
    values = {"mean_power": 600.0, "host_power": 250.0, "billed": billed, "idle_power": 80.0,
              "pue": 1.2}  # fmt: skip
    assert details._power(part(values)) == said


@pytest.mark.parametrize(
    ("split", "said"),
    [
        # 3 and 1 of 4
        ({"data": 1.0, "compute": 3.0}, ["  a step goes to: compute 75 %, data 25 %"]),
        ({"compute": 3.0, "tensor": 0.0}, ["  a step goes to: compute 100 %"]),
        # what takes less than a second counts, too
        ({"compute": 0.3, "tensor": 0.1}, ["  a step goes to: compute 75 %, tensor 25 %"]),
        ({}, []),
    ],
)
def test_where_a_step_goes_in_words(split: dict[str, float], said: list[str]) -> None:
    made: Any = replace(MADE, breakdown={"step": split}, details={})
    assert list(explaining._steps(made)) == said


@pytest.mark.parametrize(
    ("asked", "provider", "of"),
    [
        ({}, "aws", ("aws", "on-demand")),
        ({"plan": "spot"}, "aws", ("aws", "spot")),
        ({"provider": "gcp"}, "aws", ("gcp", "on-demand")),
        ({"provider": "gcp"}, None, ("gcp", "on-demand")),
        ({}, None, (None, "on-demand")),
    ],
)
def test_sizes_of_the_instances_that_may_be_rented(
    asked: dict[str, Any], provider: str | None, of: tuple[str | None, str]
) -> None:
    chip = accelerator.find("h100-sxm5-80")
    devices: Any = SimpleNamespace(accelerator=chip)
    found = scenarios._sizes(Price.model_validate(asked), devices, provider)
    assert found == price.sizes(chip, *of)
    assert bool(found) is (of[0] is not None)


def test_parts_of_an_instance_are_rented_on_spot_alone() -> None:
    chip = accelerator.find("h100-sxm5-80")
    devices: Any = SimpleNamespace(accelerator=chip)
    parts = {float(size.devices) for size in rented_in_parts(chip.id, "gcp")}
    assert parts
    spot = scenarios._sizes(Price(plan="spot"), devices, "gcp")
    assert spot == price.sizes(chip, "gcp", "spot") | parts
    assert {2.0, 4.0} <= parts
    assert not {2.0, 4.0} & scenarios._sizes(Price(), devices, "gcp")
    for own in ({"device_hour": "2 USD"}, {"instance_hour": "16 USD"}):
        assert scenarios._sizes(Price.model_validate(own), devices, "gcp") == frozenset()


# --- reports, and what a measured clock comes to --------------------------------------------------


@pytest.mark.parametrize(
    ("runs", "whole", "longest", "number"),
    [
        ([(2.0, None)], None, None, None),  # a single run
        ([(2.0, 1.0)], None, None, None),
        ([(2.0, 2.0)], 4.0, 2.0, 2.0),
        ([(2.0, None), (3.0, None)], 5.0, 3.0, 2.0),
        ([(2.0, 3.0), (5.0, 2.0)], 16.0, 5.0, 5.0),  # 3 · 2 + 2 · 5
        ([(None, None), (3.0, None)], None, 3.0, 2.0),  # of one it is not known
        ([(None, 2.0)], None, None, 2.0),
    ],
)
def test_hours_of_all_runs(
    runs: list[tuple[float | None, float | None]],
    whole: float | None,
    longest: float | None,
    number: float | None,
) -> None:
    rows: Any = [{"id": "r", "role": "final", "hours": h, "number": n} for h, n in runs]
    said = {"runs": number, "time": "of all runs", "hours": whole, "longest": longest}
    assert document.all_runs(rows) == (None if number is None else said)


def test_a_report_of_a_run_that_says_no_number_is_of_one() -> None:
    made = MADE.to_dict()
    assert [run["number"] for run in made["runs"]] == [1.0]
    assert made["runs"][0]["device_hours"] == pytest.approx(2 * 2)


def test_who_wrote_it_is_named_where_that_is_said() -> None:
    run = {"name": "ada@example.org", "hardware": {"accelerator": "h100", "count": 1},
           "measured": {"wall_clock": "2 h"}}  # fmt: skip
    made = costcalc.estimate(run, ranges=False)
    assert "ada@example.org" in made.to_json(identify=True)
    assert "ada@example.org" not in made.to_json()
    assert "ada@example.org" in made.to_yaml(identify=True)
    assert "ada@example.org" not in made.to_yaml()


def clocked(clock: float | None = 100.0, basis: str = "measured", **more: Any) -> Any:
    """A run on 4 devices of 2e12 FLOP/s that counts 2e14 FLOP and 5,000 tokens."""
    work = SimpleNamespace(method="pretrain", datum="token", data=5000.0, sequence_length=10)
    known = {} if clock is None else {"wall_clock": SimpleNamespace(value=clock, basis=basis)}
    training = SimpleNamespace(steps=None, global_batch=None, precision="bf16")
    devices = SimpleNamespace(
        count=4, machine=SimpleNamespace(peak={"bf16": 2e12}), accelerator=SimpleNamespace(id="x")
    )
    plain: dict[str, Any] = {
        "trained": SimpleNamespace(work=work), "known": known, "devices": devices,
        "given": SimpleNamespace(part=SimpleNamespace(training=training)),
        "values": {"model_flops": 2e14}, "measured": frozenset({"wall_clock"}),
    }  # fmt: skip
    return SimpleNamespace(**(plain | more))


@pytest.fixture
def bf16(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(achieved, "precision_of", lambda *_: ("bf16", None))


@pytest.mark.usefixtures("bf16")
def test_what_a_measured_clock_comes_to() -> None:
    made = clocked()
    # 2e14 FLOP in 100 s on 4 devices of 2e12: a quarter of what they can
    found = achieved.utilization(made)
    assert (found.value, found.low, found.high, found.basis) == (0.25, 0.25, 0.25, "measured")
    assert found.convention == ("over the whole wall clock, lost time too, of 2 TFLOP/s (bf16)")
    assert achieved.account(made) == {"peak": 2e12, "devices": 4.0}
    rate, step = achieved.rates(made)
    assert (rate.value, rate.unit) == (50.0, "token/s")  # 5,000 in 100 s
    assert step.value is None
    assert step.why == "needs training.steps or training.global_batch"


@pytest.mark.usefixtures("bf16")
@pytest.mark.parametrize(
    ("training", "seconds"),
    [
        ({"steps": 20}, 5.0),  # 100 s in 20 steps
        ({"global_batch": 10.0}, 2.0),  # of 10 · 10 tokens: 50 steps
        ({"steps": 20, "global_batch": 10.0}, 5.0),
    ],
)
def test_the_time_of_a_step_of_a_measured_clock(training: dict[str, Any], seconds: float) -> None:
    said = SimpleNamespace(**({"steps": None, "global_batch": None} | training))
    made = clocked(given=SimpleNamespace(part=SimpleNamespace(training=said)))
    assert achieved.rates(made)[1].value == seconds


@pytest.mark.usefixtures("bf16")
@pytest.mark.parametrize(
    ("made", "why"),
    [
        (clocked(None), "no model and size of the data given"),
        (clocked(basis="modelled"), "no model and size of the data given"),
        (clocked(values={}), "no model and size of the data given"),
        (clocked(trained=SimpleNamespace(work=None)), "no model and size of the data given"),
        (clocked(trained=SimpleNamespace(work=SimpleNamespace(method="grpo", datum="token"))),
         "the time that went into generating was not measured apart"),
        (clocked(devices=SimpleNamespace(machine=SimpleNamespace(peak={}),
                                         accelerator=SimpleNamespace(id="x"))),
         "x has no known peak in bf16"),
    ],
)  # fmt: skip
def test_why_a_measured_clock_says_no_utilization(made: Any, why: str) -> None:
    found = achieved.utilization(made)
    assert (found.value, found.why) == (None, why)
    assert achieved.account(made) == {}


@pytest.mark.usefixtures("bf16")
def test_a_modelled_utilization_was_reckoned_with_nothing_measured() -> None:
    assert achieved.account(clocked(values={"model_flops": 2e14, "utilization": 0.4})) == {}


@pytest.mark.parametrize(
    ("known", "measured", "said"),
    [
        # the larger of the board's 700 W and the user's 800; idle at the least; a host of 300 W at
        # most and a tenth of board and host for the network: 300 · 1.1 + 800 · 0.1
        ({"board_power": 800.0, "idle_power": 60.0, "host_power": 300.0, "network_share": 0.1},
         "energy_it", {"rated_power": 800.0, "idle_power": 60.0, "host_power": 410.0}),
        ({"board_power": 500.0, "host_power": 300.0}, "energy",
         {"rated_power": 700.0, "host_power": 300.0}),
        ({"idle_power": 60.0}, "energy", {"rated_power": 700.0, "idle_power": 60.0}),
        ({"board_power": 800.0}, "wall_clock", {}),  # no power was measured
    ],
)  # fmt: skip
def test_what_a_measured_power_lies_between(
    known: dict[str, float], measured: str, said: dict[str, float]
) -> None:
    inputs = {
        name: SimpleNamespace(value=value, low=value, high=value) for name, value in known.items()
    }
    chip = SimpleNamespace(board_power=SimpleNamespace(si=700.0))
    made: Any = SimpleNamespace(
        known=inputs, measured={measured}, devices=SimpleNamespace(accelerator=chip)
    )
    assert achieved.bounds(made) == pytest.approx(said)


def test_what_the_memory_of_a_device_is_made_of() -> None:
    found = costcalc.estimate(
        {
            "model": {"preset": "gpt2"},
            "training": {"tokens": "1B", "precision": "bf16"},
            "hardware": {"accelerator": "h100", "count": 1},
        }
    )
    held = found.details["memory"]
    assert set(held) == {
        "weights", "gradients", "optimizer", "activations", "logits", "framework"
    }  # fmt: skip
    assert sum(held.values()) == pytest.approx(found.results["memory_per_device"].value)
    # master weights and two moments of 4 bytes each
    assert held["optimizer"] == pytest.approx(12 * 124_439_808 / 2**30, rel=0.01)
    largest = max(held, key=lambda name: held[name])
    said = str(found.explain("memory_per_device")).splitlines()
    assert said[2].startswith(f"  = {held[largest]:.3g} {largest} + ")
