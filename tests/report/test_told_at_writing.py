"""Contradictions told where they are written, and what no row and no part may say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from costcalc import InputError, estimate
from costcalc.report import meters
from costcalc.report.importing import nvidia_smi, read, slurm

RUN: dict[str, Any] = {"hardware": {"accelerator": "h100-sxm5-80", "count": 8}}


def test_energy_before_and_behind_pue_agree_with_it() -> None:
    said = {"device_hours": 112, "energy": "60 kWh", "energy_it": "60 kWh"}
    with pytest.raises(InputError) as caught:
        estimate({**RUN, "measured": said, "site": {"pue": 1.2}})
    assert "60 × 1.2 = 72 kWh; got 60 kWh: leave one of the three out" in str(caught.value)
    # without a PUE of its own it is that of the two: 66 / 60
    made = estimate({**RUN, "measured": {**said, "energy": "66 kWh"}}, ranges=False)
    pue = next(item for item in made.inputs if item.key == "site.pue")
    assert (pue.value, pue.basis) == (pytest.approx(1.1), "measured")
    with pytest.raises(InputError, match=r"expected at least measured\.energy_it"):
        estimate({**RUN, "measured": {**said, "energy": "50 kWh"}})


def test_ends_of_an_energy_are_about_it() -> None:
    assert list(meters.ends({"energy_it": None, "energy_it_low": 1.0})) == [
        "energy_it_low: 1; energy_it is not known"
    ]
    assert list(meters.ends({"energy_it": 2.0, "energy_it_high": 1.0})) == [
        "energy_it_high: 1; energy_it is 2"
    ]
    assert not list(meters.ends({"energy_it": 2.0, "energy_it_low": 1, "energy_it_high": 2}))


def test_a_log_without_a_header_is_told_what_to_do() -> None:
    with pytest.raises(InputError, match=r"noheader.*names its 4 columns"):
        nvidia_smi.read("2026/11/01 10:00:00.123, 0, H100, 550.00 W\n", "gpu.csv")


def test_an_experiment_of_one_run_is_that_run(tmp_path: Path) -> None:
    def run(name: str) -> None:
        place = tmp_path / name / "metrics" / "system"
        place.mkdir(parents=True)
        (place / "gpu_0_power_usage_watts").write_text("0 360 0\n10000 360 1\n")

    run("one")
    made = read("mlflow", tmp_path)
    assert made["results"]["energy_it"]["value"] == pytest.approx(0.001)  # 360 W for 10 s
    run("two")
    with pytest.raises(InputError, match="it holds 2: one, two"):
        read("mlflow", tmp_path)


@pytest.mark.parametrize(("end", "fits"), [("10:10:00", False), ("11:00:00", True)])
def test_a_job_ran_no_longer_than_from_start_to_end(end: str, fits: bool) -> None:
    text = (
        "JobID|State|ElapsedRaw|AllocTRES|Start|End\n"
        f"1|COMPLETED|3600|gres/gpu=1|2026-11-01T10:00:00|2026-11-01T{end}\n"
    )
    if fits:
        assert slurm.read(text, "s")["results"]["wall_clock"]["value"] == 1.0
        return
    with pytest.raises(InputError, match="at most the 600 s from Start to End"):
        slurm.read(text, "s")
