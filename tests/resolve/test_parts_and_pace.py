"""Parts of a device, lengths of tuning, the pace of a slow machine: by hand."""

from __future__ import annotations

import pytest

import costcalc
from costcalc.base.errors import InputError
from costcalc.resolve.workload import TUNED_LENGTH, sample_length

MODEL = {"preset": "llama-3-8b"}
H100 = {"accelerator": "h100-sxm5-80", "count": 8}


def listed(run, key):
    made = costcalc.estimate(run, ranges=False)
    return next(item for item in made.inputs if item.key == key)


@pytest.mark.parametrize(
    "name", ["h100 1g.10gb", "h100 MIG 1g.10gb", "NVIDIA H100 80GB MIG 1g.10gb"]
)
def test_the_peak_of_a_mig_instance_is_its_multiprocessors(name):
    run = {
        "model": {"preset": "gpt2"},
        "training": {"tokens": "100M"},
        "hardware": {"accelerator": name, "count": 1},
    }
    # 16 of 132 multiprocessors where a seventh is paid for: 989.4 × (16 / 132) × 7 = 839.5
    found = listed(run, "hardware.peak")
    assert found.value == pytest.approx(989.4e12 * 16 / 132 * 7, rel=1e-3)
    assert found.why == (
        "dense bf16 peak a device, × 0.8485: 0.1212 of the multiprocessors for 0.1429 of it"
    )


def test_tuning_is_cut_to_what_trainers_cut_it_to():
    run = {"model": MODEL, "training": {"samples": 1000, "method": "lora"}, "hardware": H100}
    length = listed(run, "training.sequence_length")
    assert length.value == TUNED_LENGTH == 2048
    assert length.why == "samples are cut to it; the model's context is 8,192"
    # pretraining takes the model's own
    run["training"] = {"tokens": "1B"}
    assert listed(run, "training.sequence_length").value == 8192
    # no longer than the model reads
    run = {
        "model": {"preset": "bert-base-uncased"},
        "training": {"samples": 1000, "method": "finetune"},
        "hardware": H100,
    }
    assert listed(run, "training.sequence_length").value == 512


def test_a_sample_may_fill_the_context_unless_a_length_is_said():
    run = {"model": MODEL, "training": {"samples": 1000, "method": "lora"}, "hardware": H100}
    assert listed(run, "training.sample_tokens") == sample_length(2048, 8192)
    run["training"]["sequence_length"] = 1024
    assert listed(run, "training.sample_tokens") == sample_length(1024, 1024)


def test_a_machine_measured_to_be_slow_draws_less():
    run = {"model": MODEL, "training": {"tokens": "1B"}, "hardware": H100}
    step = sum(costcalc.estimate(run, ranges=False).breakdown["step"].values())
    slow = {**run, "hardware": {**H100, "calibrate": {"step_time": f"{4 * step} s"}}}
    measured = costcalc.estimate(slow, ranges=False).values["board_power"]
    calibration = {"schema": "costcalc/calibration/v1", "steps": [{"run": slow}]}
    other = {**run, "training": {"tokens": "2B"}}
    plain = costcalc.estimate(other, ranges=False).values["board_power"]
    other["hardware"] = {**H100, "calibration": calibration}
    carried = costcalc.estimate(other, ranges=False).values["board_power"]
    assert measured < carried * 1.05
    assert carried < 0.9 * plain


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        (
            {"wall_clock": "1 h", "energy_it_low": "1 kWh"},
            "measured.energy_it_low: is an end of measured.energy_it's range: give that too",
        ),
        (
            {"energy_it": "1 kWh", "energy_it_low": "2 kWh"},
            "measured.energy_it_low: expected at most measured.energy_it, whose lower end it is",
        ),
        (
            {"energy_it": "1 kWh", "energy_it_high": "0.5 kWh"},
            "measured.energy_it_high: expected at least measured.energy_it, whose upper end it is",
        ),
    ],
)
def test_ends_of_a_range_are_of_a_figure(measured, message):
    with pytest.raises(InputError) as caught:
        costcalc.estimate({"hardware": H100, "measured": {"wall_clock": "1 h", **measured}})
    assert [f"{one.key}: {one.message}" for one in caught.value.problems] == [message]


def test_interruptions_are_counted_once_beside_a_measured_speed():
    run = {"model": MODEL, "training": {"tokens": "10T"}}
    many = {"accelerator": "h100-sxm5-80", "count": 16_384}
    said = {**run, "hardware": {**many, "throughput": "20000000 token/s"}}
    # 0.9 is of 16,384 devices with what interrupts them (Llama 3, section 3.3.4)
    assert listed(said, "hardware.goodput").value == pytest.approx(0.9, rel=1e-3)
    modelled = listed({**run, "hardware": many}, "hardware.goodput")
    assert "interruptions take 7.6 % more" in modelled.why
