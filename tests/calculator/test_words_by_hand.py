"""What an estimate says of its parts in words, and sums over stages: each with its arithmetic."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import costcalc
from costcalc import price
from costcalc.calculator import details, explaining, scenarios
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
