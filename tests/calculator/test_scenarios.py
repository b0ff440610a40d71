"""Many scenarios in one call equal as many single estimates."""

from __future__ import annotations

import itertools
import random
from typing import Any

import numpy as np
import pytest

import costcalc
from costcalc import InputError
from costcalc.calculator.result import BY_TIME
from costcalc.calculator.scenarios import own_price, scenarios

RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"tokens": "1T", "global_batch": 4096},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 64, "layout": {"sharding": "zero3"}},
}
ACCELERATORS = ["h100-sxm5-80", "a100-sxm4-80", "v100-sxm2-16", "tpu-v5p", "mi300x"]
COUNTS = [8, 12, 64, 256]
REGIONS = [
    "aws:us-east-1",
    "aws:eu-north-1",
    "gcp:us-central1",
    "azure:eastus",
    "FR",
    "US-CA",
    "world",
]
PLANS = ["on-demand", "spot", "reserved-1y", "2.49 USD"]


def single(accelerator: str, count: int, region: str, plan: str, run: dict[str, Any]) -> Any:
    price = {"plan": plan} if plan in PLANS[:3] else {"device_hour": plan}
    return costcalc.estimate(
        {
            **run,
            "hardware": {**run["hardware"], "accelerator": accelerator, "count": count},
            "site": {"region": region},
            "price": {**run.get("price", {}), **price},
        },
        ranges=False,
    )


def test_its_repr_is_a_line() -> None:
    made = scenarios(RUN, accelerators=["h100-sxm5-80"], counts=[64, 128], regions=["FR", "PL"])
    assert repr(made) == "<Scenarios: accelerator 1 × count 2 × region 2 × plan 1 = 4>"


@pytest.mark.parametrize(
    "price",
    [
        {},
        {"provider": "lambda"},
        {"provider": "any"},
        {"discount": 0.1},
        {"owned": {"purchase": "2 MUSD"}},
    ],
    ids=["plain", "lambda", "any", "discount", "owned"],
)
def test_each_scenario_equals_its_single_estimate(price: dict[str, Any]) -> None:
    run = {**RUN, "price": price} if price else RUN
    found = scenarios(run, accelerators=ACCELERATORS, counts=COUNTS, regions=REGIONS, plans=PLANS)
    everything = list(
        itertools.product(
            range(len(ACCELERATORS)), range(len(COUNTS)), range(len(REGIONS)), range(len(PLANS))
        )
    )
    assert found.number == len(everything)
    for a, c, r, p in random.Random(7).sample(everything, 60):
        asked = (ACCELERATORS[a], COUNTS[c], REGIONS[r], PLANS[p])
        try:
            one = single(*asked, run)
        except InputError as error:
            assert found.why[asked[0], asked[1]] in str(error)
            assert np.isnan(found.figures["cost"][a, c, r, p])
            continue
        for name in BY_TIME:
            value, ours = one.results[name].value, found.figures[name][a, c, r, p]
            if value is None:
                assert np.isnan(ours), (name, asked)
            else:
                assert ours == pytest.approx(value, rel=1e-12), (name, asked)


def test_what_cannot_run_says_why() -> None:
    found = scenarios(
        {**RUN, "training": {**RUN["training"], "precision": "bf16"}},
        accelerators=["v100-sxm2-16"],
        counts=[8],
        regions=["FR"],
    )
    assert "has no peak for bf16" in found.why["v100-sxm2-16", 8]
    assert np.isnan(found.utilization).all()


def test_a_price_of_ones_own_stands_for_a_plan() -> None:
    assert own_price("2 USD").amount == 2.0
    with pytest.raises(InputError, match=r'or a price such as 2\.49 USD; got "cheap"'):
        own_price("cheap")


def test_stages_are_refused() -> None:
    with pytest.raises(InputError, match="scenarios take one stage"):
        scenarios(
            {**RUN, "stages": [{"name": "a"}, {"name": "b"}]},
            accelerators=ACCELERATORS[:1],
            counts=[8],
            regions=["FR"],
        )
