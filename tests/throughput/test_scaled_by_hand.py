"""A modelled rate that measured steps of its machine scale, and a host that launches layers."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import pytest

from costcalc.base.assumption import Assumption
from costcalc.base.ranges import Z95
from costcalc.throughput import predict
from costcalc.throughput.predict import Prediction, launched, scaled
from costcalc.throughput.transfer import Carried, Likeness, MeasuredStep

WORDS = ("bf16", "decoder", "pretrain", *[""] * 6)
RUN = Likeness(sizes=(30.0,) * 6, words=WORDS, shares=(1.0, 0, 0, 0))


def model(value: float, low: float, high: float) -> Prediction:
    utilization = Assumption(
        key="hardware.utilization", value=value, low=low, high=high, unit="1", basis="modelled",
        source="costcalc", why="modelled step",
    )  # fmt: skip
    return Prediction(utilization=utilization, breakdown={"compute": 3.0, "network": 1.0}, run=RUN)


def after(
    monkeypatch: pytest.MonkeyPatch, made: Prediction, factor: float, spread: float,
    alike: float = 0.9, steps: int = 1,
) -> Prediction:  # fmt: skip
    """``factor`` is what the measured steps say, ``spread`` its 95th percentile as a factor."""
    said = Carried(mean=math.log(factor), spread=math.log(spread) / Z95, parts={}, alike=alike)
    monkeypatch.setattr(predict, "carried", lambda measured, run: said)
    return scaled(made, [MeasuredStep(run=RUN, error=0.0)] * steps)


@pytest.mark.parametrize(
    ("before", "factor", "spread", "ends"),
    [
        # 0.4 · 0.5 = 0.2; measured to a factor of 1.25: 0.16 to 0.25, narrower than × 0.5 to × 2
        ((0.4, 0.2, 0.8), 0.5, 1.25, (0.2, 0.16, 0.25)),
        # to a factor of 4: no wider than the × 0.5 to × 2 of before
        ((0.4, 0.2, 0.8), 0.5, 4.0, (0.2, 0.1, 0.4)),
        # either end for itself: × 0.5 and × 1.25 of before, × 0.8 and × 1.25 measured
        ((0.4, 0.2, 0.44), 0.5, 1.25, (0.2, 0.16, 0.22)),
        # no more than the peak: 0.8 · 1.5 is 1; below it a factor of 1.25
        ((0.8, 0.4, 0.96), 1.5, 1.25, (1.0, 0.8, 1.0)),
        # 0.8 · 1.125 = 0.9, and 0.9 · 1.2 is above the peak
        ((0.8, 0.4, 1.0), 1.125, 1.2, (0.9, 0.75, 1.0)),
        # at the peak already there is no factor above it
        ((1.0, 0.5, 1.0), 0.5, 1.25, (0.5, 0.4, 0.5)),
    ],
)
def test_the_value_is_scaled_and_the_range_narrowed(
    monkeypatch: pytest.MonkeyPatch,
    before: tuple[float, float, float],
    factor: float,
    spread: float,
    ends: tuple[float, float, float],
) -> None:
    found = after(monkeypatch, model(*before), factor, spread)
    one = found.utilization
    assert (one.value, one.low, one.high) == pytest.approx(ends)
    # what is slower by a factor takes that many times the seconds, in all its parts
    slower = before[0] / ends[0]
    assert found.breakdown == pytest.approx({"compute": 3 * slower, "network": 1 * slower})
    assert found.pace == pytest.approx(ends[0] / before[0])


@pytest.mark.parametrize(
    ("alike", "steps", "why"),
    [
        (0.9, 1, "modelled step; × 0.5 after 1 measured step of this machine"),
        (0.3, 2, "modelled step; × 0.5 after 2 measured steps of this machine"),
        (0.299, 1, "modelled step; × 0.5 after 1 measured step of this machine; little like this "
         "run"),
    ],
)  # fmt: skip
def test_it_says_after_how_many_and_how_unlike(
    monkeypatch: pytest.MonkeyPatch, alike: float, steps: int, why: str
) -> None:
    found = after(monkeypatch, model(0.4, 0.2, 0.8), 0.5, 1.25, alike, steps)
    assert found.utilization.why == why


@pytest.mark.parametrize(
    ("compiled", "kind", "batch", "samples"),
    [
        (False, "gpu", 64, 8.0),  # 64 samples of a step on 8 devices
        (False, "gpu", 4, 1.0),  # no less than one
        (False, "gpu", 9, 1.125),
        (True, "gpu", 64, math.inf),
        (False, "tpu", 64, math.inf),  # a TPU's step is one program
        (False, "asic", 64, math.inf),
    ],
)
def test_who_launches_the_layers(compiled: bool, kind: str, batch: int, samples: float) -> None:
    machine: Any = SimpleNamespace(kind=kind, devices=8)
    recipe: Any = SimpleNamespace(compiled=compiled, global_batch=batch)
    assert launched(machine, recipe) == samples
