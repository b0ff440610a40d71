"""Readings of 0 W: a board that is on draws more, so that they are a sensor's errors, and a gap."""

from __future__ import annotations

from typing import Any

import pytest

from costcalc.base.errors import InputError
from costcalc.report.importing import nvidia_smi
from costcalc.report.importing.costed import Costing
from costcalc.report.importing.power import Samples, integrated

HEAD = "timestamp, index, name, power.draw [W]\n"
FRANCE = Costing(changes={"site.region": "FR"})


def smi(
    watts: list[float], costing: Costing | None = None, name: str = "NVIDIA A100-SXM4-80GB"
) -> Any:
    rows = [
        f"2026/11/27 10:00:{at:02d}.000, 0, {name}, {watt:.2f} W" for at, watt in enumerate(watts)
    ]
    return nvidia_smi.read(HEAD + "\n".join(rows) + "\n", "gpu.csv", costing=costing)


def test_one_row_of_0_w_is_left_out_and_told() -> None:
    made = smi([300.0, 300.0, 0.0, 300.0, 300.0, 300.0])
    assert made["results"]["energy_it"]["value"] == pytest.approx(5 * 300 / 3.6e6)
    told = "left out: 1 sample of 0 W, which no board that is on draws: an error of its sensor"
    assert told in made["warnings"]


def test_a_stretch_of_them_is_a_gap() -> None:
    # 300 W at 0 to 4 s and 24 to 28 s; between, 20 s, nothing is known: up to 400 W, its rating
    made = smi([300.0] * 5 + [0.0] * 19 + [300.0] * 5, FRANCE)
    found = made["results"]["energy_it"]
    assert found["value"] == pytest.approx(8 * 300 / 3.6e6)
    assert made["results"]["wall_clock"]["value"] == pytest.approx(28 / 3600)
    assert any("19 samples of 0 W" in one for one in made["warnings"])
    assert any("71 % of the time" in one for one in made["warnings"])  # 20 of 28 s


def test_before_the_first_and_after_the_last() -> None:
    made = smi([0.0] * 10 + [300.0] * 10 + [0.0] * 10)
    assert made["results"]["wall_clock"]["value"] == pytest.approx(29 / 3600)
    assert made["results"]["energy_it"]["value"] == pytest.approx(9 * 300 / 3.6e6)
    assert made["results"]["energy_it"]["high"] == pytest.approx((9 * 300 + 20 * 400) / 3.6e6)


def test_a_log_of_nothing_else_is_refused_with_the_reason() -> None:
    with pytest.raises(InputError) as raised:
        smi([0.0] * 10, FRANCE)
    assert str(raised.value.problems[0]) == (
        "gpu.csv: expected the power of a device at two times or more; nvidia-smi has none (10 "
        "samples of 0 W, which no board that is on draws)"
    )


def test_one_device_of_two_that_says_nothing_else() -> None:
    rows = [
        f"2026/11/27 10:00:0{at}.000, {device}, T4, {watt} W"
        for at in range(4)
        for device, watt in ((0, 60), (1, 0))
    ]
    made = nvidia_smi.read(HEAD + "\n".join(rows) + "\n", "gpu.csv")
    assert made["results"]["energy_it"]["value"] == pytest.approx(3 * 60 / 3.6e6)
    assert any(one.startswith("1 of 2 devices never say their power") for one in made["warnings"])
    assert any("4 samples of 0 W" in one for one in made["warnings"])


def test_what_is_small_is_believed() -> None:
    samples = Samples("laptop")
    for at, watt in enumerate((0.4, 0.4, 0.4)):
        samples.add(float(at), watt)
    assert integrated(samples).joules == pytest.approx(0.8)
