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
