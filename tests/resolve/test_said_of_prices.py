"""What a price leaves out is said, and what people write is answered with what to write."""

from __future__ import annotations

from typing import Any

import pytest

import costcalc
from costcalc.base.errors import InputError
from costcalc.decide.planning import plan

RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"method": "lora", "tokens": "10M"},
    "hardware": {"instance": "p5.48xlarge"},
    "site": {"region": "aws:us-east-1"},
}
UNCOUNTED = (
    "price.plan: spot: interruptions are not counted here; costcalc compare and plan count them"
)


def told(**changes: Any) -> tuple[str, ...]:
    return costcalc.estimate({**RUN, **changes}, ranges=False).warnings


def test_an_instance_in_a_region_of_another_cloud_is_said() -> None:
    said = (
        "hardware.instance: p5.48xlarge is of aws, which rents nothing in gcp:us-central1: "
        "the place gives its grid and PUE alone"
    )
    assert said in told(site={"region": "gcp:us-central1"})
    for place in ("aws:eu-north-1", "FR"):
        assert not any("rents nothing" in note for note in told(site={"region": place}))


def test_an_estimate_on_spot_says_that_interruptions_are_not_in_it() -> None:
    assert UNCOUNTED in told(price={"plan": "spot"})
    assert UNCOUNTED not in told(price={"plan": "on-demand"})
    assert UNCOUNTED not in told(price={"plan": "spot"}, measured={"wall_clock": "3 h"})


def test_a_plan_that_counts_them_does_not_say_that_it_does_not() -> None:
    run = {**RUN, "price": {"plan": "spot"}}
    limits = {"cost": "500 USD"}
    assert UNCOUNTED not in plan(run, limits=limits).estimate.warnings
    assert UNCOUNTED in plan(run, limits=limits, interruptions=False).estimate.warnings


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("measured.wall_clock", "36 GPU hours",
         '"GPU hours" is not a unit here: of several devices together; write h, or device-hours '
         "under measured.device_hours"),
        ("measured.wall_clock", "1:30",
         'expected a time (s, min, h, d, year); got "1:30"; write 1:30:00, hours first'),
        ("measured.wall_clock", "1:75", 'expected a time (s, min, h, d, year); got "1:75"'),
        ("site.grid", "860 lb/MWh",  # × 453.6 g / 1000 kWh
         '"lb" is not a unit here: write gCO2e, of which a pound is 453.6: 860 lb/MWh are '
         "390 gCO2e/kWh"),
        ("model.flops", "3640 PF-days",  # 1e15 FLOP/s × 86,400 s
         '"PF-days" is not a unit here: write EFLOP: a PFLOP/s for a day is 86.4 EFLOP'),
    ],
)  # fmt: skip
def test_usual_spellings_are_answered_with_what_to_write(
    key: str, value: str, message: str
) -> None:
    run = {"measured": {"wall_clock": "3 h"}, "hardware": {"accelerator": "h100", "count": 8}}
    with pytest.raises(InputError) as caught:
        costcalc.estimate(run, changes={key: value})
    assert message in [problem.message for problem in caught.value.problems]


def test_device_hours_may_be_called_gpu_hours() -> None:
    run = {
        "measured": {"device_hours": "36 GPU hours"},
        "hardware": {"accelerator": "h100", "count": 4},
    }
    assert costcalc.estimate(run).results["device_hours"].value == pytest.approx(36)


def test_a_model_that_takes_no_adapters_is_told_so() -> None:
    run = {**RUN, "model": {"preset": "resnet-50"}, "training": {"method": "lora", "samples": 9}}
    with pytest.raises(InputError) as caught:
        costcalc.estimate(run)
    (problem,) = caught.value.problems
    assert (problem.key, problem.message) == (
        "training.lora.targets",
        "no layer of ResNet-50 takes adapters, which stand beside the matrices of attention and "
        "feed-forwards: say method: finetune or frozen",
    )
