"""The range of a prediction by hand, and what a prediction says."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from throughput_models import machine, recipe

from costcalc.throughput import predict
from costcalc.throughput.ranges import GUESSED, chosen, prediction_range
from costcalc.throughput.stage import GivenSpeed, throughput
from costcalc.workload.stage import WorkloadInput, workload

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
