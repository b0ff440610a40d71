"""``costcalc calibrate``: from measured steps to a file, and what a run does with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import costcalc
from costcalc.base.errors import InputError
from costcalc.calculator.calibrating import calibrate

RUN: dict[str, Any] = {
    "model": {"preset": "llama-3-8b"},
    "training": {
        "tokens": "1B",
        "sequence_length": 8192,
        "global_batch": 64,
        "software": "megatron",
    },
    "hardware": {"accelerator": "h100-sxm5-80", "count": 8},
}


def with_(key: str, value: object) -> dict[str, Any]:
    section, name = key.split(".")
    return {**RUN, section: {**RUN[section], name: value}}


def step_of(run: dict[str, Any]) -> float:
    value = costcalc.estimate(run).results["step_time"].value
    assert value is not None
    return value


def test_the_same_step_comes_out_as_measured() -> None:
    modelled = step_of(RUN)
    made = calibrate(RUN, step_time=f"{2 * modelled} s")
    assert made.steps[0].ratio == pytest.approx(0.5)
    run = with_("hardware.calibration", made.to_dict())
    assert step_of(run) == pytest.approx(2 * modelled, rel=0.02)


def test_another_step_of_the_machine_follows_and_its_range_narrows() -> None:
    made = calibrate(RUN, step_time=f"{2 * step_of(RUN)} s").to_dict()
    other = with_("training.sequence_length", 4096)
    plain = costcalc.estimate(other)
    calibrated = costcalc.estimate(
        {**other, "hardware": {**other["hardware"], "calibration": made}}
    )
    before, after = plain.results["step_time"], calibrated.results["step_time"]
    assert before.value
    assert before.low
    assert before.high
    assert after.value
    assert after.low
    assert after.high
    assert after.value / before.value == pytest.approx(2.0, rel=0.2)
    assert after.high / after.low < before.high / before.low
    assert sum(calibrated.to_dict()["breakdown"]["step"].values()) == pytest.approx(after.value)
    (said,) = [a for a in calibrated.assumptions if a.key == "hardware.utilization"]
    assert "after 1 measured step of this machine" in said.why


def test_a_throughput_says_the_same_as_a_step() -> None:
    # 64 sequences of 8,192 tokens in 20 s are 26,214.4 tokens a second
    by_step = calibrate(RUN, step_time="20 s")
    by_rate = calibrate(RUN, throughput="26214.4 token/s")
    assert by_rate.steps[0].ratio == pytest.approx(by_step.steps[0].ratio, rel=1e-9)


def test_the_file_is_read_from_a_run_file_and_carried_in_its_report(tmp_path: Path) -> None:
    made = calibrate(RUN, step_time="20 s")
    made.save(tmp_path / "machine.yaml")
    (tmp_path / "run.yaml").write_text(
        json.dumps(with_("hardware.calibration", "./machine.yaml")), encoding="utf-8"
    )
    found = costcalc.estimate(tmp_path / "run.yaml")
    assert found.to_dict()["run"]["hardware"]["calibration"] == made.to_dict()
    again = costcalc.estimate(with_("hardware.calibration", made.to_dict()))
    assert again.results["cost"] == found.results["cost"]
    with pytest.raises(InputError, match="exists already"):
        made.save(tmp_path / "machine.yaml")


def test_several_are_combined_a_table_a_calibration_and_a_run_file(tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_text(json.dumps(RUN), encoding="utf-8")
    table = {"steps": [{"run": "run.yaml", "step_time": "20 s"},
                       {"run": with_("training.sequence_length", 2048),
                        "throughput": "30000 token/s", "name": "short"}]}  # fmt: skip
    (tmp_path / "measured.yaml").write_text(json.dumps(table), encoding="utf-8")
    calibrate(RUN, step_time="21 s").save(tmp_path / "old.yaml")
    made = calibrate(
        str(tmp_path / "measured.yaml"),
        str(tmp_path / "old.yaml"),
        with_("hardware.throughput", "26000 token/s"),
    )
    assert [step.name for step in made.steps] == ["run", "short", "run", "run"]
    assert len({step.ratio for step in made.steps}) == 4


TUNED: dict[str, Any] = {
    "model": {"preset": "qwen2.5-1.5b"},
    "training": {
        "tokens": "1M", "method": "lora", "precision": "bf16", "sequence_length": 512,
        "global_batch": 2, "micro_batch": 2, "software": "transformers", "recompute": "full",
    },
    "hardware": {"accelerator": "rtx-3090", "count": 1},
}  # fmt: skip


def modelled_of(run: dict[str, Any]) -> tuple[float, float, float]:
    made = costcalc.estimate(run, ranges=False).assumptions
    (found,) = [one for one in made if one.key == "hardware.utilization"]
    return found.low, found.value, found.high


def width_of(run: dict[str, Any]) -> float:
    step = costcalc.estimate(run).results["step_time"]
    assert step.low
    assert step.high
    return step.high / step.low


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("training.base_precision", "nf4"),
        ("training.base_precision", "int8"),
        ("training.attention", "standard"),
        ("training.recompute", "none"),
        ("training.software", "torchtune"),
        ("training.software", "trl"),
        ("training.software", None),  # who does not say it may run any
        ("training.logits", "fused"),
        ("training.optimizer", "adafactor"),
        ("hardware.layout", {"offload": "optimizer"}),
        ("hardware.layout", {"activations": "host"}),
    ],
)
def test_a_step_whose_settings_were_not_measured_is_less_sure(key: str, value: object) -> None:
    section, name = key.split(".")
    made = calibrate(TUNED, step_time="0.35 s").to_dict()
    scaled = {**TUNED, "hardware": {**TUNED["hardware"], "calibration": made}}
    other = {**scaled, section: {**scaled[section], name: value}}
    # the same step is known to 7 % on either side, 1.07² = 1.14; another to no less than 20 %
    assert width_of(scaled) < 1.2
    assert width_of(other) > 1.2**2


@pytest.mark.parametrize(
    ("run", "absent"),
    [
        (TUNED, set()),
        (RUN, {"a base in other precision"}),
        ({"model": {"preset": "resnet-50"}, "training": {"samples": "1M"},
          "hardware": {"accelerator": "h100-sxm5-80", "count": 1}},
         {"a base in other precision", "another kernel of attention"}),
    ],
)  # fmt: skip
def test_it_says_what_it_carries_over_to_settings_that_there_are(
    run: dict[str, Any], absent: set[str]
) -> None:
    different = {
        "another precision", "a base in other precision", "other software",
        "another kernel of attention", "other recompute",
    }  # fmt: skip
    said = dict(calibrate(run, step_time=f"{step_of(run)} s").carries())
    assert different - set(said) == absent
    # what was measured is known best
    assert all(found.spread > said["the same step"].spread for found in list(said.values())[1:])


ODD = (
    "is the unit right, does training.global_batch hold all that a step accumulates, was nothing "
    "else inside (evaluation, checkpoints, compiling)?"
)


def test_a_step_far_from_all_that_is_modelled_is_warned_of(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from costcalc.cli import run

    step, (low, value, _) = step_of(RUN), modelled_of(RUN)
    # the slowest of the range takes value / low times as long; 6 and 4 times that
    far, near = (calibrate(RUN, step_time=f"{n * step * value / low} s") for n in (6, 4))
    assert near.warnings == ()
    (told,) = far.warnings
    assert told.startswith(f"run: measured {6 * value / low:.3g} times as long as modelled (")
    assert told.endswith(f"), 6 times beyond the range: {ODD}")
    (tmp_path / "a.yaml").write_text(json.dumps(RUN), encoding="utf-8")
    assert run(["calibrate", str(tmp_path / "a.yaml"), "--step-time", "10000 s"]) == 0
    err = capsys.readouterr().err
    assert err.startswith("warning: a: measured ")
    assert err.endswith(f"{ODD}\n")


def test_a_step_far_too_fast_is_warned_of() -> None:
    # so short that little of the peak is modelled: 6 times the fastest of the range is below it
    small = {**TUNED, "training": {**TUNED["training"], "sequence_length": 32, "micro_batch": 1}}
    step, (_, value, high) = step_of(small), modelled_of(small)
    (told,) = calibrate(small, step_time=f"{step * value / high / 6} s").warnings
    assert " times as fast as modelled (" in told
    assert ", 6 times beyond the range: " in told


@pytest.mark.parametrize(
    ("section", "value", "why"),
    [
        ("hardware", {"utilization": 0.4}, "hardware.utilization says how fast it trains"),
        ("hardware", {"throughput": "9000 token/s"}, "hardware.throughput says how fast it trains"),
        ("hardware", {"calibrate": {"step_time": "20 s"}},
         "hardware.calibrate says how fast it trains"),
        ("measured", {"wall_clock": "3 h"}, "measured.wall_clock says how long it took"),
        ("measured", {"device_hours": 24}, "measured.device_hours says how long it took"),
        ("model", {"flops": "1e21 FLOP", "preset": None},
         "there are no shapes to model the step from"),
    ],
)  # fmt: skip
def test_a_calibration_that_is_not_used_is_said(
    section: str, value: dict[str, object], why: str
) -> None:
    made = calibrate(RUN, step_time="20 s").to_dict()
    run = with_("hardware.calibration", made)
    if section == "model":
        run = {**run, "training": {"precision": "bf16"}}
    run = {**run, section: {**run.get(section, {}), **value}}
    told = costcalc.estimate(run, ranges=False).warnings
    assert [one for one in told if one.startswith("hardware.calibration")] == [
        f"hardware.calibration is not used: {why}"
    ]


def test_a_calibration_that_is_used_is_not_said_to_be_none() -> None:
    run = with_("hardware.calibration", calibrate(RUN, step_time="20 s").to_dict())
    told = costcalc.estimate(run, ranges=False).warnings
    assert not any("calibration" in one for one in told)
    took = {**run, "measured": {"wall_clock": "3 h"}}  # beside a speed it is said once
    took["hardware"] = {**took["hardware"], "utilization": 0.4}
    told = costcalc.estimate(took, ranges=False).warnings
    assert sum("calibration" in one for one in told) == 1


@pytest.mark.parametrize(
    ("sources", "named", "text"),
    [
        (
            [RUN],
            {},
            "run: hardware: expected a measured speed (hardware.calibrate, throughput or "
            "utilization) of a model whose step can be modelled (a preset, config, architecture, "
            "parameters)",
        ),
        (
            [RUN, RUN],
            {"step_time": "2 s"},
            "RUN.yaml: a measured speed is of one run file; got 2",
        ),
        (
            [RUN],
            {"step_time": "2 s", "throughput": "9 token/s"},
            "--throughput: expected --step-time or --throughput; got both",
        ),
        (
            [
                with_("hardware.throughput", "9000 token/s"),
                {
                    **with_("hardware.throughput", "9000 token/s"),
                    "name": "other",
                    "hardware": {
                        "accelerator": "a100-sxm4-80", "count": 8, "throughput": "9000 token/s",
                    },
                },
            ],
            {},
            "hardware.accelerator: expected steps of one machine; run is on h100-sxm5-80, other is "
            "on a100-sxm4-80",
        ),
        (
            [{"steps": [{"step_time": "2 s"}]}],
            {},
            "run: steps[0]: expected run: (a run file or its mapping) with step_time: or "
            "throughput:",
        ),
    ],
)  # fmt: skip
def test_refusals(sources: list[Any], named: dict[str, str], text: str) -> None:
    with pytest.raises(InputError) as caught:
        calibrate(*sources, **named)
    assert str(caught.value).splitlines()[0] == text


def test_a_calibration_of_another_machine_is_refused() -> None:
    made = calibrate(RUN, step_time="20 s").to_dict()
    run = {**RUN, "hardware": {"accelerator": "a100-sxm4-80", "count": 8, "calibration": made}}
    with pytest.raises(InputError) as caught:
        costcalc.estimate(run)
    assert str(caught.value).splitlines()[0] == (
        "run: hardware.calibration: measured on h100-sxm5-80, the run is on a100-sxm4-80: what one "
        "machine does says nothing of another; measure a step of this one"
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (
            "nowhere.yaml",
            "run: hardware.calibration: nowhere.yaml: cannot be read: No such file or directory",
        ),
        (
            {"schema": "x", "steps": []},
            "run: hardware.calibration: expected what costcalc calibrate wrote (a file or its "
            "mapping), with schema: costcalc/calibration/v1; got 'x'",
        ),
        (
            {"schema": "costcalc/calibration/v1", "steps": []},
            "run: hardware.calibration: expected steps, 1 to 200 measured ones",
        ),
        (
            {"schema": "costcalc/calibration/v1", "steps": [{"run": RUN}]},
            "run: hardware.calibration: expected in steps[0] a run with one of hardware.calibrate, "
            "hardware.throughput, hardware.utilization",
        ),
    ],
)
def test_what_is_no_calibration_is_refused(value: object, text: str) -> None:
    with pytest.raises(InputError) as caught:
        costcalc.estimate(with_("hardware.calibration", value))
    assert str(caught.value).splitlines()[0] == text


def test_the_command_says_what_it_carries_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from costcalc.cli import run

    (tmp_path / "run.yaml").write_text(json.dumps(RUN), encoding="utf-8")
    file = tmp_path / "machine.yaml"
    arguments = ["calibrate", str(tmp_path / "run.yaml"), "--step-time", "20 s", "-o", str(file)]
    assert run(arguments) == 0
    out, err = capsys.readouterr()
    assert err == f"wrote {file}; a run file takes it as hardware.calibration\n"
    assert "h100-sxm5-80: measured against the model" in out
    assert "twice the sequence length" in out
    assert run(arguments) == 2
