"""Samples of text whose length nobody says: a central value, a range, a driver and a warning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import costcalc
from costcalc.base.assumption import Assumption
from costcalc.calculator.result import Estimate
from costcalc.report import verify

RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {"samples": 52000, "method": "finetune", "software": "transformers"},
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
}
WARNED = (
    "model: samples are taken to be of 220 tokens in the mean, as instructions are, and may be of "
    "90 to 8192: say training.sample_tokens"
)


def made(**training: object) -> Estimate:
    kept = {k: v for k, v in (RUN["training"] | training).items() if v is not None}
    return costcalc.estimate({**RUN, "training": kept})


def length_of(found: Estimate) -> Assumption | None:
    listed = {item.key: item for item in found.inputs}
    item = listed.get("training.sample_tokens")
    return item if isinstance(item, Assumption) else None


def test_a_sample_of_instructions_is_no_context() -> None:
    found = made()
    # 52,000 samples of 220 tokens are 11.44 M tokens, not 52,000 × 8192 = 426 M
    assert found.details["work"]["data"] == 52000 * 220
    length = length_of(found)
    assert length is not None
    assert (length.low, length.value, length.high) == (90, 220, 8192)
    assert WARNED in found.warnings


def test_its_range_reaches_time_and_computation_and_not_speed() -> None:
    found, said = made(), made(sample_tokens=220)
    for name in ("training_compute", "device_hours", "energy"):
        assert found.results[name].value == pytest.approx(said.results[name].value)
    compute = found.results["training_compute"]
    # low and high go as the length: 90 / 220 and 8192 / 220, and a few per cent of attention
    assert compute.low / compute.value == pytest.approx(90 / 220, rel=0.05)
    assert compute.high / compute.value == pytest.approx(8192 / 220, rel=0.15)
    ours, theirs = found.results["utilization"], said.results["utilization"]
    assert (ours.value, ours.low, ours.high) == pytest.approx(
        (theirs.value, theirs.low, theirs.high), rel=0.03
    )
    for name in ("throughput", "step_time"):  # where a length is said, padding is in the range
        assert found.results[name].value == pytest.approx(said.results[name].value)


def test_it_is_the_first_of_the_drivers() -> None:
    of_time = [item for item in made().drivers if item["of"] == "wall_clock"]
    assert of_time[0]["key"] == "training.sample_tokens"
    assert of_time[0]["share"] > 0.5


@pytest.mark.parametrize(
    "training",
    [
        {"sample_tokens": 300},
        {"documents": 300},
        {"method": "pretrain"},
        {"packing": "padded"},
        {"samples": None, "tokens": 1e9},
        {"samples": None, "steps": 100, "global_batch": 64, "packing": "packed"},
    ],
)
def test_where_the_length_is_known_or_none_is_needed(training: dict[str, object]) -> None:
    found = made(**training)
    length = length_of(found)
    assert length is None or (length.exact, length.basis) == (True, "given")
    assert not any("samples are taken to be" in text for text in found.warnings)


def test_samples_of_a_run_without_a_method_are_instructions_too() -> None:
    assert length_of(made(method=None)) is not None


def test_epochs_over_a_set_of_samples() -> None:
    found = made(samples=None, epochs=3, dataset_samples=52000)
    assert found.details["work"]["data"] == 3 * 52000 * 220


def test_a_short_context_holds_the_whole_sample() -> None:
    length = length_of(made(sequence_length=128))
    assert length is not None
    assert (length.low, length.value, length.high) == (90, 128, 128)


def test_such_a_report_holds(tmp_path: Path) -> None:
    made().save(tmp_path / "costs.yaml")
    verdict = verify(tmp_path / "costs.yaml")
    assert [step.said for step in verdict.steps if step.discrepancies or step.skipped] == []
    assert verdict.holds
